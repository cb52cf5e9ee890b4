//! One segment's bytes, from zstd frame to records (`store.md`, "Segment" and "The seal"). Pure.
//!
//! Bytes come from outside: nothing is believed before it is counted. Frame, window, decoded size and line length are limited while
//! decoding, so that 64 MiB of zeros compressed to nothing cost no memory.

use std::io::Read;

use super::configuration::Configuration;
use crate::clock::UnixNanos;
use crate::record::canonical::{Json, JsonError};
use crate::record::{RecordId, SCHEMA};
use crate::tlog::merkle::{CompactRange, leaf_hash};
use crate::tlog::seal_file::SegmentRef;
use crate::tlog::{LeafHash, RootHash};
use crate::worm::{LINE_BYTES_MAX, SEGMENT_DECODED_MAX, SEGMENT_WINDOW_MAX};

/// Log2 of [`SEGMENT_WINDOW_MAX`], as the decoder wants it.
const WINDOW_LOG_MAX: u32 = SEGMENT_WINDOW_MAX.ilog2();
/// Decoded bytes taken at a time.
const CHUNK: usize = 128 * 1024;

/// Why bytes are no segment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// Not the one allowed kind of zstd frame.
    #[error("zstd: {0}")]
    Frame(String),
    /// More than 256 MiB.
    #[error("it decodes to more than {SEGMENT_DECODED_MAX} bytes")]
    TooLong,
    /// A line over 1 MiB.
    #[error("line {0} is longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong(u64),
    /// No newline at the end.
    #[error("the last line does not end in a newline")]
    Unterminated,
    /// Nothing inside.
    #[error("it holds no record")]
    Empty,
    /// A line is not its own canonical form.
    #[error("line {0}: {1}")]
    Line(u64, JsonError),
    /// A line of our schema lacks what every record has.
    #[error("line {0}: {1}")]
    Record(u64, &'static str),
}

/// What a segment holds, re-derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Lines.
    pub records: u64,
    /// RFC 6962 root over them.
    pub root: RootHash,
    /// Least time of records of our schema.
    pub first: Option<UnixNanos>,
    /// Greatest of the same.
    pub last: Option<UnixNanos>,
    /// Records of our schema with signal `control`.
    pub control: u64,
    /// Records of schemas that this version does not know.
    pub other_schema: u64,
    /// First record whose `retention.class` is not the one given.
    pub wrong_class: Option<(u64, String)>,
    /// What the last `config_change` record says is in force from then on.
    pub configuration: Option<Configuration>,
}

/// Decodes and checks stored bytes; `each` sees every line (without newline) with its leaf hash.
pub fn read_segment(stored: &[u8], class: &str, mut each: impl FnMut(u64, &[u8], LeafHash)) -> Result<Contents, SegmentError> {
    let mut lines =
        Lines { tree: CompactRange::new(), class, times: None, control: 0, other_schema: 0, wrong_class: None, configuration: None };
    decode(stored, |index, line| {
        let leaf = leaf_hash(line);
        lines.line(index, line, leaf)?;
        each(index, line, leaf);
        Ok(())
    })?;
    Ok(Contents {
        records: lines.tree.size().0,
        root: lines.tree.root(),
        first: lines.times.map(|(first, _)| first),
        last: lines.times.map(|(_, last)| last),
        control: lines.control,
        other_schema: lines.other_schema,
        wrong_class: lines.wrong_class,
        configuration: lines.configuration,
    })
}

/// Splits the one allowed frame into lines.
fn decode(stored: &[u8], mut each: impl FnMut(u64, &[u8]) -> Result<(), SegmentError>) -> Result<(), SegmentError> {
    check_header(stored)?;
    let zstd = |e: std::io::Error| SegmentError::Frame(e.to_string());
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
            return Err(SegmentError::TooLong);
        }
        let mut rest = chunk.get(..n).unwrap_or_default();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            if carried.len() + line.len() > LINE_BYTES_MAX {
                return Err(SegmentError::LineTooLong(index));
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
            return Err(SegmentError::LineTooLong(index));
        }
        carried.extend_from_slice(rest);
    }
    if !decoder.finish().is_empty() {
        return Err(SegmentError::Frame("bytes follow the frame: a segment is one frame and nothing else".to_owned()));
    }
    match (carried.is_empty(), index) {
        (false, _) => Err(SegmentError::Unterminated),
        (true, 0) => Err(SegmentError::Empty),
        (true, _) => Ok(()),
    }
}

/// The frame header (RFC 8878 section 3.1.1.1): what the decoder would forgive is refused here.
fn check_header(stored: &[u8]) -> Result<(), SegmentError> {
    let refuse = |why: &str| Err(SegmentError::Frame(why.to_owned()));
    let Some((magic, rest)) = stored.split_first_chunk::<4>() else { return refuse("too short for a frame") };
    let magic = u32::from_le_bytes(*magic);
    if (0x184D_2A50..=0x184D_2A5F).contains(&magic) {
        return refuse("a skippable frame, which is not allowed");
    }
    if magic != 0xFD2F_B528 {
        return refuse("not a zstd frame");
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
        return Err(SegmentError::TooLong);
    }
    // A frame in a single segment has no window field: its window is its content.
    if window.unwrap_or(stated) > SEGMENT_WINDOW_MAX {
        return refuse("its window is larger than 8 MiB");
    }
    Ok(())
}

struct Lines<'a> {
    tree: CompactRange,
    class: &'a str,
    times: Option<(UnixNanos, UnixNanos)>,
    control: u64,
    other_schema: u64,
    wrong_class: Option<(u64, String)>,
    configuration: Option<Configuration>,
}

impl Lines<'_> {
    fn line(&mut self, index: u64, line: &[u8], leaf: LeafHash) -> Result<(), SegmentError> {
        let record = Json::parse_canonical(line).map_err(|e| SegmentError::Line(index, e))?;
        if record.as_object().is_none() {
            return Err(SegmentError::Record(index, "not a JSON object"));
        }
        self.tree.append(leaf);
        // Canonical form is checked whatever the schema; what members mean is known for our own alone (`record.md` section 6).
        if record.get("schema").and_then(Json::as_str) != Some(SCHEMA) {
            self.other_schema += 1;
            return Ok(());
        }
        let (first, last) = check_record(&record).map_err(|what| SegmentError::Record(index, what))?;
        if record.path("source.signal").and_then(Json::as_str) == Some("control") {
            self.control += 1;
            // Telemetry cannot make control records, so what stands in one is the writer's own word.
            self.configuration = Configuration::of(&record).or(self.configuration.take());
        }
        self.times = Some(self.times.map_or((first, last), |(f, l)| (f.min(first), l.max(last))));
        if let Some(class) = record.path("retention.class").and_then(Json::as_str)
            && class != self.class
            && self.wrong_class.is_none()
        {
            self.wrong_class = Some((index, class.to_owned()));
        }
        Ok(())
    }
}

/// What every record of our schema has, in the types of `record.md` sections 1 and 2, as far as readers go by it. Answers with its times.
///
/// A reader takes a member of another type for absent, so such a record would be signed and yet not found.
pub(super) fn check_record(record: &Json) -> Result<(UnixNanos, UnixNanos), &'static str> {
    if record.get("id").and_then(Json::as_str).and_then(RecordId::parse).is_none() {
        return Err("`id` is missing or not 32 lower-case hex digits");
    }
    if record.get("kind").and_then(Json::as_str).is_none_or(str::is_empty) {
        return Err("`kind` is missing or not a word");
    }
    for (group, member, wrong) in [
        ("source", "signal", "`source.signal` is not a string in an object"),
        ("retention", "class", "`retention.class` is not a string in an object"),
    ] {
        // Absent is allowed; a group that is no object would hide what it should hold.
        let there = record.get(group);
        if there.is_some_and(|g| g.as_object().is_none() || g.get(member).is_some_and(|m| m.as_str().is_none())) {
            return Err(wrong);
        }
    }
    times(record)
}

/// Least and greatest of `time.start` and `time.end`; `time.received` for a record with neither.
fn times(record: &Json) -> Result<(UnixNanos, UnixNanos), &'static str> {
    let time = |name: &str| match record.path(name) {
        None => Ok(None),
        Some(value) => {
            let text = value.as_str().unwrap_or_default();
            let parsed = UnixNanos::parse(text).filter(|t| t.rfc3339() == text);
            parsed.map(Some).ok_or("a time is not RFC 3339 in UTC with nine decimals")
        }
    };
    match (time("time.start")?, time("time.end")?) {
        (Some(start), Some(end)) => Ok((start.min(end), start.max(end))),
        (Some(one), None) | (None, Some(one)) => Ok((one, one)),
        (None, None) => time("time.received")?.map(|t| (t, t)).ok_or("a record without a time"),
    }
}

/// A member of a statement that its segment contradicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// Which member.
    pub member: &'static str,
    /// What the statement says.
    pub expected: String,
    /// What the segment holds.
    pub found: String,
}

/// Compares what a statement says with what the segment holds. Records of other schemas leave room: their times and signals are
/// not known, so only bounds can be demanded.
pub fn contradictions(stated: &SegmentRef, contents: &Contents) -> Vec<Contradiction> {
    let mut out = Vec::new();
    let mut differ = |member, expected: String, found: String| out.push(Contradiction { member, expected, found });
    if stated.records != contents.records {
        differ("records", stated.records.to_string(), contents.records.to_string());
    }
    if stated.merkle_root != contents.root {
        differ("merkle_root", stated.merkle_root.0.to_string(), contents.root.0.to_string());
    }
    let exact = contents.other_schema == 0;
    if let Some(first) = contents.first
        && (first < stated.first || (exact && first != stated.first))
    {
        differ("first", stated.first.rfc3339(), first.rfc3339());
    }
    if let Some(last) = contents.last
        && (last > stated.last || (exact && last != stated.last))
    {
        differ("last", stated.last.rfc3339(), last.rfc3339());
    }
    if let Some((line, class)) = &contents.wrong_class {
        differ("class", stated.class.clone(), format!("`{class}` in line {line}"));
    }
    out
}

#[cfg(test)]
mod tests;
