//! Writes protobuf front to back: a message's length is filled in when it ends.

/// Bytes of a message in the making.
#[derive(Debug)]
pub(super) struct Writer {
    out: Vec<u8>,
}

/// An open sub-message: where its length stands, and how much room was left for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    at: usize,
    room: usize,
}

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Writer { out: Vec::with_capacity(bytes) }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// For contents of an open field.
    pub(super) fn raw(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    pub(super) fn varint(&mut self, number: u32, value: u64) {
        self.tag(number, 0);
        self.push_varint(value);
    }

    pub(super) fn fixed64(&mut self, number: u32, value: u64) {
        self.tag(number, 1);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn fixed32(&mut self, number: u32, value: u32) {
        self.tag(number, 5);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn bytes(&mut self, number: u32, bytes: &[u8]) {
        self.tag(number, 2);
        self.push_varint(bytes.len().try_into().unwrap_or(u64::MAX));
        self.out.extend_from_slice(bytes);
    }

    /// Begins a length-delimited field, with room for a length of `room` bytes.
    pub(super) fn open(&mut self, number: u32, room: usize) -> Mark {
        self.tag(number, 2);
        let at = self.out.len();
        self.out.resize(at + room, 0);
        Mark { at, room }
    }

    /// Ends it: writes the shortest length and closes or widens the gap. Lengths in their shortest form keep the bytes those of a
    /// generated encoder, and a log's identity is a hash over its bytes.
    pub(super) fn close(&mut self, mark: Mark) {
        let begin = mark.at + mark.room;
        let length = self.out.len().saturating_sub(begin);
        let (encoded, needed) = varint(length.try_into().unwrap_or(u64::MAX));
        if needed > mark.room {
            self.out.resize(mark.at + needed + length, 0);
        }
        if needed != mark.room {
            self.out.copy_within(begin..begin + length, mark.at + needed);
            self.out.truncate(mark.at + needed + length);
        }
        for (slot, byte) in self.out.iter_mut().skip(mark.at).zip(encoded).take(needed) {
            *slot = byte;
        }
    }

    fn tag(&mut self, number: u32, wire_type: u32) {
        self.push_varint(u64::from(number << 3 | wire_type));
    }

    fn push_varint(&mut self, value: u64) {
        let (encoded, length) = varint(value);
        self.out.extend_from_slice(encoded.get(..length).unwrap_or_default());
    }
}

/// A base-128 varint and how many of the bytes it takes.
#[inline]
fn varint(mut value: u64) -> ([u8; 10], usize) {
    let mut encoded = [0; 10];
    let mut length = 0;
    for slot in &mut encoded {
        length += 1;
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            *slot = low & 0x7f;
            break;
        }
        *slot = low | 0x80;
    }
    (encoded, length)
}
