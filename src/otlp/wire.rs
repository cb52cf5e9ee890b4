//! Protobuf wire format (protobuf.dev, "Encoding"): fields of a message as borrowed slices.
//!
//! Defined behaviour for what generated decoders hide: unknown fields are skipped; a singular scalar that repeats counts last; a
//! singular sub-message that repeats is merged, which on the wire is concatenation ([`Message`] keeps the parts); a field whose wire
//! type is not the schema's is treated as unknown (as the Go and C++ runtimes do); groups are skipped.

/// Deepest nesting of groups that is skipped; OTLP has none.
const GROUP_DEPTH_MAX: usize = 32;

/// The bytes are not a protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// One field as it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'a> {
    /// Field number, 1 to 2^29 - 1.
    pub number: u32,
    /// Its value.
    pub value: Payload<'a>,
}

/// A field's value by wire type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Payload<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
    /// Wire types 3 and 4: skipped.
    Group,
}

impl<'a> Field<'a> {
    /// The bytes of a length-delimited field.
    #[inline]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self.value {
            Payload::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Iterates over the fields of one contiguous message.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Fields of these bytes.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Fields { rest: bytes }
    }

    /// Whether nothing is left.
    #[inline]
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u64, Malformed> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            // Lengths from 128 to 16383.
            [low, high, rest @ ..] if *high < 0x80 => {
                self.rest = rest;
                Ok(u64::from(low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    #[cold]
    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(Malformed("the message ends inside a number"))?;
            self.rest = rest;
            if shift == 63 && *byte > 1 {
                return Err(Malformed("a number is longer than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("a number is longer than 64 bits"))
    }

    #[inline(always)]
    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed("a field is longer than the message"))?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed("a field is longer than the message"))?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline(always)]
    fn field(&mut self, depth: usize) -> Result<Field<'a>, Malformed> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| Malformed("a field number is out of range"))?;
        if number == 0 || number > 0x1fff_ffff {
            return Err(Malformed("a field number is out of range"));
        }
        let value = match tag & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => {
                let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed("the message ends inside a field"))?;
                self.rest = rest;
                Payload::Fixed64(u64::from_le_bytes(*taken))
            }
            2 => {
                let length = self.varint()?;
                Payload::Bytes(self.take(length)?)
            }
            3 => {
                self.skip_group(number, depth)?;
                Payload::Group
            }
            5 => {
                let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed("the message ends inside a field"))?;
                self.rest = rest;
                Payload::Fixed32(u32::from_le_bytes(*taken))
            }
            4 => return Err(Malformed("a group ends that did not begin")),
            _ => return Err(Malformed("an unknown wire type")),
        };
        Ok(Field { number, value })
    }

    #[cold]
    #[inline(never)]
    fn skip_group(&mut self, number: u32, depth: usize) -> Result<(), Malformed> {
        if depth >= GROUP_DEPTH_MAX {
            return Err(Malformed("groups nest too deep"));
        }
        loop {
            let mut ahead = *self;
            let tag = ahead.varint()?;
            if tag & 7 == 4 {
                *self = ahead;
                return if tag >> 3 == u64::from(number) { Ok(()) } else { Err(Malformed("a group ends that did not begin")) };
            }
            self.field(depth + 1)?;
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field(0);
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// A message whose bytes may lie in several parts, because a singular sub-message was sent more than once. Merging two encodings is
/// concatenating them (protobuf.dev, "Last One Wins"), so iterating over the parts in order is the merged message.
#[derive(Clone, Debug, Default)]
pub struct Message<'a> {
    first: Option<&'a [u8]>,
    /// Hardly any message has these, and values are moved about: a pointer is all that they all pay.
    #[expect(clippy::box_collection, reason = "smaller, and grows without being copied each time")]
    more: Option<Box<Vec<&'a [u8]>>>,
}

impl<'a> Message<'a> {
    /// A message in one piece.
    pub fn new(bytes: &'a [u8]) -> Self {
        Message { first: Some(bytes), more: None }
    }

    /// Merges a further occurrence.
    #[inline]
    pub fn merge(&mut self, bytes: &'a [u8]) {
        if self.first.is_none() {
            self.first = Some(bytes);
        } else {
            self.more.get_or_insert_default().push(bytes);
        }
    }

    /// Merges another message behind this one.
    pub fn append(&mut self, other: Message<'a>) {
        for part in other.parts() {
            self.merge(part);
        }
    }

    /// Whether the field was sent at all.
    pub fn is_present(&self) -> bool {
        self.first.is_some()
    }

    /// The parts in order.
    pub fn parts(&self) -> impl Iterator<Item = &'a [u8]> + use<'a, '_> {
        self.first.into_iter().chain(self.more.iter().flat_map(|more| more.iter().copied()))
    }

    /// The message, if it lies in one piece.
    #[inline]
    pub fn whole(&self) -> Option<&'a [u8]> {
        self.first.filter(|_| self.more.is_none())
    }

    /// The fields of the merged message.
    pub fn fields(&self) -> impl Iterator<Item = Result<Field<'a>, Malformed>> + use<'a, '_> {
        self.parts().flat_map(Fields::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Field<'_>>, Malformed> {
        Fields::new(bytes).collect()
    }

    #[test]
    fn the_examples_of_the_encoding_guide() {
        assert_eq!(all(&[0x08, 0x96, 0x01]).unwrap(), [Field { number: 1, value: Payload::Varint(150) }]);
        assert_eq!(all(b"\x12\x07testing").unwrap(), [Field { number: 2, value: Payload::Bytes(b"testing") }]);
        let minus_one = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(all(&minus_one).unwrap(), [Field { number: 1, value: Payload::Varint(u64::MAX) }]);
    }

    #[test]
    fn broken_framing_is_an_error_at_every_cut() {
        let whole = b"\x12\x07testing\x09\x01\x02\x03\x04\x05\x06\x07\x08\x1d\x01\x02\x03\x04\x18\xff\x01";
        assert_eq!(all(whole).unwrap().len(), 4);
        let starts = [0, 9, 18, 23, 26];
        for cut in 0..whole.len() {
            assert_eq!(all(&whole[..cut]).is_ok(), starts.contains(&cut), "{cut}");
        }
        for bad in [&[0x00][..], &[0x07], &[0x0c], &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], &[0xff; 11]] {
            assert!(all(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn groups_are_skipped_and_bounded() {
        // Field 1 as a group that holds field 2, then field 3.
        let fields = all(&[0x0b, 0x10, 0x05, 0x0c, 0x18, 0x01]).unwrap();
        assert_eq!(fields.last(), Some(&Field { number: 3, value: Payload::Varint(1) }));
        assert!(all(&[0x0b; 100_000]).is_err());
        assert!(all(&[0x0b, 0x14]).is_err());
    }

    #[test]
    fn parts_are_one_message() {
        let mut message = Message::new(&[0x08, 0x01]);
        message.merge(&[0x08, 0x02]);
        let values: Vec<_> = message.fields().map(|f| f.unwrap().value).collect();
        assert_eq!(values, [Payload::Varint(1), Payload::Varint(2)]);
    }
}
