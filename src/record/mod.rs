//! The audit record `spanseal.record/1`: identity, canonical form, registry of members, pseudonyms. Pure: no I/O, no clock.

pub mod builder;
pub mod canonical;
pub mod content;
pub mod identity;
pub mod registry;
mod sameness;

use sha2::{Digest, Sha256};
use std::fmt;
use std::ops::Range;

use crate::clock::UnixNanos;
use crate::retain::ClassIndex;
pub use sameness::{comparable, sameness_of_line};

/// The schema that every record of ours names.
pub const SCHEMA: &str = "spanseal.record/1";

/// Identity of a record: a resent span has the same one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub [u8; 16]);

impl RecordId {
    /// First 16 bytes of SHA-256 over JCS `[signal, trace_id, span_id, ordinal]` (`record.md` section 2).
    ///
    /// `trace_id` and `span_id` are lower-case hex or empty; `ordinal` is `"0"` for a span, the event's index for a span event, the
    /// keyed hash for a log, random hex for a control record.
    pub fn derive(signal: &str, trace_id: &str, span_id: &str, ordinal: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"[\"");
        for (i, part) in [signal, trace_id, span_id, ordinal].into_iter().enumerate() {
            if i > 0 {
                hash.update(b"\",\"");
            }
            // The four parts are words and hex digits: nothing in them needs an escape.
            debug_assert!(part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
            hash.update(part.as_bytes());
        }
        hash.update(b"\"]");
        let digest = hash.finalize();
        let mut id = [0; 16];
        id.copy_from_slice(digest.get(..16).unwrap_or(&[0; 16]));
        RecordId(id)
    }

    /// Reads 32 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut id = [0; 16];
        (text.len() == 32 && !text.bytes().any(|b| b.is_ascii_uppercase())).then_some(())?;
        hex::decode_to_slice(text, &mut id).ok()?;
        Some(RecordId(id))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One record on its way into a seal: where its line lies, and what the sealer must know without reading it.
///
/// `Debug` shows no content: a line never reaches a log.
#[derive(Clone)]
pub struct PendingRecord {
    /// Identity.
    pub id: RecordId,
    /// The canonical line (without newline) inside [`Batch::lines`].
    pub line: Range<usize>,
    /// Retention class it was given.
    pub class: ClassIndex,
    /// Least of `time.start`, `time.end`; `time.received` where it has neither.
    pub first: UnixNanos,
    /// Greatest of the same.
    pub last: UnixNanos,
    /// Whether `source.signal` is `control`: such records are not counted as promoted.
    pub control: bool,
    /// Two records with equal id are one record exactly when this is equal: a digest over the line without `time.received`,
    /// `source.peer`, `retention`, `evidence` and commitments (`record.md` section 5, rule 9).
    pub sameness: [u8; 16],
}

impl fmt::Debug for PendingRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingRecord").field("id", &self.id).field("bytes", &self.line.len()).field("class", &self.class).finish()
    }
}

/// The records of one request. Lines lie one after another, **without** newlines between them.
#[derive(Default, Clone)]
pub struct Batch {
    /// All canonical lines.
    pub lines: Vec<u8>,
    /// The records, in order.
    pub records: Vec<PendingRecord>,
}

impl Batch {
    /// The line of a record of this batch.
    pub fn line(&self, record: &PendingRecord) -> &[u8] {
        self.lines.get(record.line.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("records", &self.records.len()).field("bytes", &self.lines.len()).finish()
    }
}
