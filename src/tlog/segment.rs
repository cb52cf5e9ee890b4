//! The stored form of a segment (`store.md`, "Segment"): one zstd frame, and in it lines that each end in a newline. Pure.
//!
//! Bytes come from outside: frame, window, decoded size and line length are limited while decoding, so that 64 MiB of zeros compressed to
//! nothing cost no memory. What the limits forbid is an error, never a part of the lines: whoever reads a segment reads the same.

use std::io::Read;

use crate::worm::{LINE_BYTES_MAX, SEGMENT_DECODED_MAX, SEGMENT_WINDOW_MAX};

/// Log2 of [`SEGMENT_WINDOW_MAX`], as the decoder wants it.
const WINDOW_LOG_MAX: u32 = SEGMENT_WINDOW_MAX.ilog2();
/// Decoded bytes taken at a time.
const CHUNK: usize = 128 * 1024;

/// Why bytes are no frame of lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not the one allowed kind of zstd frame.
    #[error("zstd: {0}")]
    Zstd(String),
    /// More than 256 MiB.
    #[error("it decodes to more than {SEGMENT_DECODED_MAX} bytes")]
    TooLong,
    /// A line over 1 MiB.
    #[error("line {n} is longer than {LINE_BYTES_MAX} bytes", n = .0.saturating_add(1))]
    LineTooLong(u64),
    /// No newline at the end.
    #[error("the last line does not end in a newline")]
    Unterminated,
    /// Nothing inside.
    #[error("it holds no record")]
    Empty,
}

/// Hands every line (without its newline) to `each`, with its index. Stops at the first error, its own or that of `each`.
pub fn each_line<E: From<FrameError>>(stored: &[u8], mut each: impl FnMut(u64, &[u8]) -> Result<(), E>) -> Result<(), E> {
    check_header(stored)?;
    let zstd = |e: std::io::Error| FrameError::Zstd(e.to_string());
    let mut decoder = zstd::stream::read::Decoder::with_buffer(stored).map_err(zstd)?.single_frame();
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(zstd)?;
    let mut chunk = vec![0; CHUNK];
    let mut carried: Vec<u8> = Vec::new();
    let (mut decoded, mut index) = (0_u64, 0_u64);
    loop {
        let n = decoder.read(&mut chunk).map_err(zstd)?;
        if n == 0 {
            break;
        }
        decoded = decoded.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
        if decoded > SEGMENT_DECODED_MAX {
            return Err(FrameError::TooLong.into());
        }
        let mut rest = chunk.get(..n).unwrap_or_default();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            if carried.len() + line.len() > LINE_BYTES_MAX {
                return Err(FrameError::LineTooLong(index).into());
            }
            if carried.is_empty() {
                each(index, line)?;
            } else {
                carried.extend_from_slice(line);
                each(index, &carried)?;
                carried.clear();
            }
            index += 1;
            rest = after.get(1..).unwrap_or_default();
        }
        if carried.len() + rest.len() > LINE_BYTES_MAX {
            return Err(FrameError::LineTooLong(index).into());
        }
        carried.extend_from_slice(rest);
    }
    if !decoder.finish().is_empty() {
        return Err(FrameError::Zstd("bytes follow the frame: a segment is one frame and nothing else".to_owned()).into());
    }
    match (carried.is_empty(), index) {
        (false, _) => Err(FrameError::Unterminated.into()),
        (true, 0) => Err(FrameError::Empty.into()),
        (true, _) => Ok(()),
    }
}

/// The frame header (RFC 8878 section 3.1.1.1): what the decoder would forgive is refused here.
fn check_header(stored: &[u8]) -> Result<(), FrameError> {
    let refuse = |why: &str| Err(FrameError::Zstd(why.to_owned()));
    let Some((magic, rest)) = stored.split_first_chunk::<4>() else { return refuse("too short for a frame") };
    let magic = u32::from_le_bytes(*magic);
    if magic != 0xFD2F_B528 {
        return refuse("not a zstd frame, or a skippable one, which is not allowed");
    }
    let Some((descriptor, rest)) = rest.split_first() else { return refuse("the header ends early") };
    if descriptor & 0b11 != 0 {
        return refuse("it names a dictionary, which is not allowed");
    }
    let single_segment = descriptor & 0b10_0000 != 0;
    let (window, rest) = match (single_segment, rest.split_first()) {
        (true, _) => (None, rest),
        (false, None) => return refuse("the header ends early"),
        (false, Some((byte, rest))) => {
            let base = 1_u64 << (10 + (byte >> 3));
            (Some(base + base / 8 * u64::from(byte & 0b111)), rest)
        }
    };
    let field = match (descriptor >> 6, single_segment) {
        (0, false) => 0,
        (0, true) => 1,
        (1, _) => 2,
        (2, _) => 4,
        _ => 8,
    };
    let Some(bytes) = rest.get(..field) else { return refuse("the header ends early") };
    let stated = bytes.iter().rev().fold(0_u64, |n, b| n << 8 | u64::from(*b)) + if field == 2 { 256 } else { 0 };
    if stated > SEGMENT_DECODED_MAX {
        return Err(FrameError::TooLong);
    }
    // A frame in a single segment has no window field: its window is its content.
    if window.unwrap_or(stated) > SEGMENT_WINDOW_MAX {
        return refuse("its window is larger than 8 MiB");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Vec<Vec<u8>>, FrameError> {
        let mut seen = Vec::new();
        each_line(&zstd::bulk::compress(text, 1).unwrap(), |index, line| {
            assert_eq!(index, u64::try_from(seen.len()).unwrap());
            seen.push(line.to_vec());
            Ok::<(), FrameError>(())
        })
        .map(|()| seen)
    }

    #[test]
    fn lines_are_whole_across_chunks() {
        let expected: Vec<Vec<u8>> = (0..2000).map(|n| vec![b'x'; n]).collect();
        let text: Vec<u8> = expected.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect();
        assert!(text.len() > 10 * CHUNK);
        assert_eq!(read(&text).unwrap(), expected);
    }

    #[test]
    fn lines_at_their_limits() {
        let mut longest = vec![b'x'; LINE_BYTES_MAX];
        longest.push(b'\n');
        assert_eq!(read(&longest).unwrap()[0].len(), LINE_BYTES_MAX);
        longest.insert(0, b'x');
        assert_eq!(read(&longest), Err(FrameError::LineTooLong(0)));
        assert_eq!(read(b"a\nb"), Err(FrameError::Unterminated));
        assert_eq!(read(b""), Err(FrameError::Empty));
    }

    /// A bomb is cut off at the limit, whatever it would become; a second frame, or a frame cut short, is no segment.
    #[test]
    fn what_is_not_one_whole_frame_within_the_limits_is_refused() {
        let refuse = |stored: &[u8]| each_line(stored, |_, _| Ok::<(), FrameError>(())).unwrap_err();
        let mut line = vec![b'x'; LINE_BYTES_MAX];
        line.push(b'\n');
        let mut bomb = zstd::Encoder::new(Vec::new(), 1).unwrap();
        for _ in 0..=SEGMENT_DECODED_MAX / u64::try_from(line.len()).unwrap() {
            std::io::Write::write_all(&mut bomb, &line).unwrap();
        }
        assert_eq!(refuse(&bomb.finish().unwrap()), FrameError::TooLong);
        let frame = zstd::bulk::compress(b"aaaaaaaaaaaaaaaaaaaaaaaa\n", 1).unwrap();
        assert!(matches!(refuse(&[&frame[..], &frame].concat()), FrameError::Zstd(_)));
        assert!(matches!(refuse(&frame[..frame.len() - 1]), FrameError::Zstd(_)));
        assert!(matches!(refuse(b"not zstd"), FrameError::Zstd(_)));
    }

    /// The header's arithmetic at its limits; what stands behind it does not matter here.
    #[test]
    fn headers_at_their_limits() {
        let magic = 0xFD2F_B528_u32.to_le_bytes();
        let header = |rest: &[u8]| check_header(&[&magic[..], rest].concat());
        // Window descriptor: exponent in the upper five bits, eighths in the lower three. 13 << 3 is 8 MiB.
        assert_eq!(header(&[0, 13 << 3]), Ok(()));
        assert!(header(&[0, 13 << 3 | 1]).is_err());
        assert!(header(&[0, 0xff]).is_err());
        // Single segment with a size of four bytes: the window is the content.
        assert_eq!(header(&[&[0b1010_0000][..], &8_388_608_u32.to_le_bytes()].concat()), Ok(()));
        assert!(header(&[&[0b1010_0000][..], &8_388_609_u32.to_le_bytes()].concat()).is_err());
        // A window and a stated size of 256 MiB, and one byte more.
        assert_eq!(header(&[&[0b1000_0000, 0][..], &268_435_456_u32.to_le_bytes()].concat()), Ok(()));
        assert_eq!(header(&[&[0b1000_0000, 0][..], &268_435_457_u32.to_le_bytes()].concat()), Err(FrameError::TooLong));
        for short in [&[][..], &[0], &[0b1010_0000, 1, 2, 3]] {
            assert!(header(short).is_err(), "{short:?}");
        }
        for dictionary in 1..=3 {
            assert!(header(&[dictionary, 0, 0, 0, 0, 0]).is_err());
        }
        assert!(check_header(b"").is_err());
    }
}
