//! The audit record `spanseal.record/1`: identity, canonical form, registry of members, pseudonyms. Pure: no I/O, no clock.

pub mod apart;
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
use apart::{Apart, Piece};
pub use sameness::{comparable, sameness_of_content, sameness_of_line, sameness_with};

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
    ///
    /// Of content in the vault the line holds a commitment only, which is salted anew each time: here the content itself counts, or another
    /// one of equal length would pass for a copy and be lost.
    pub sameness: [u8; 16],
    /// The same over the line alone: all that is known of a record that an earlier process sealed, until the vault was asked.
    pub line_sameness: [u8; 16],
    /// Its content inside [`Apart::pieces`] of [`Batch::apart`]; records lie there in their order.
    pub pieces: Range<usize>,
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
    /// What they keep in the vault.
    pub apart: Apart,
    /// One of them is of a decree ([`crate::govern::decrees`]): the seal says that it holds one.
    pub decree: bool,
}

impl Batch {
    /// The line of a record of this batch.
    pub fn line(&self, record: &PendingRecord) -> &[u8] {
        self.lines.get(record.line.clone()).unwrap_or_default()
    }

    /// The content of a record of this batch.
    pub fn pieces(&self, record: &PendingRecord) -> &[Piece] {
        self.apart.pieces.get(record.pieces.clone()).unwrap_or_default()
    }

    /// Bytes of a record and of its content.
    pub fn bytes(&self, record: &PendingRecord) -> usize {
        record.line.len() + self.pieces(record).iter().map(|p| p.content.len()).sum::<usize>()
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> usize {
        self.lines.len() + self.records.len() * size_of::<PendingRecord>() + self.apart.memory()
    }

    /// Leaves records out, and what they keep apart with them. A person of theirs stays while any record does: whom they name is not
    /// known here, and an entry that is in the vault already is not written again.
    pub fn retain(&mut self, mut keep: impl FnMut(&PendingRecord) -> bool) {
        // Ranges only go up, so what stays moves down to where the gap began.
        let (pieces, mut end) = (&mut self.apart.pieces, 0);
        self.records.retain_mut(|record| {
            let kept = keep(record);
            if kept {
                let start = end;
                for at in record.pieces.start..record.pieces.end.min(pieces.len()) {
                    pieces.swap(end, at);
                    end += 1;
                }
                record.pieces = start..end;
            }
            kept
        });
        pieces.truncate(end);
        if self.records.is_empty() {
            self.apart = Apart::default();
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("records", &self.records.len()).field("bytes", &self.lines.len()).field("apart", &self.apart).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use apart::{PersonEntry, SALT_BYTES};
    use content::Scheme;

    /// A batch of records `0..`, each with so many pieces.
    fn batch(pieces: &[usize]) -> Batch {
        let mut batch = Batch::default();
        for (n, count) in (0_u8..).zip(pieces) {
            let from = batch.apart.pieces.len();
            for _ in 0..*count {
                let at = batch.apart.bytes.len();
                batch.apart.bytes.push(n);
                batch.apart.pieces.push(Piece {
                    record: RecordId([n; 16]),
                    member: "input".into(),
                    scheme: Scheme::Utf8,
                    salt: [n; SALT_BYTES],
                    content: at..at + 1,
                });
            }
            batch.records.push(PendingRecord {
                id: RecordId([n; 16]),
                line: 0..0,
                class: ClassIndex(0),
                first: UnixNanos(0),
                last: UnixNanos(0),
                control: false,
                sameness: [n; 16],
                line_sameness: [n; 16],
                pieces: from..batch.apart.pieces.len(),
            });
        }
        batch.apart.persons.push(PersonEntry { key: [0; 32], pseudonym: [0; 16], realm: String::new(), id: "alice".into() });
        batch
    }

    /// Guarantee: whichever records are left out, each that stays has exactly its own pieces, and nothing else stays.
    #[test]
    fn a_record_that_is_left_out_takes_its_content_along() {
        let counts = [2, 0, 1, 3, 1];
        for chosen in 0_u32..1 << counts.len() {
            let mut batch = batch(&counts);
            let is_kept = |record: &PendingRecord| chosen >> record.id.0[0] & 1 == 1;
            batch.retain(is_kept);
            for record in &batch.records {
                let n = record.id.0[0];
                assert!(is_kept(record));
                let pieces = batch.pieces(record);
                assert_eq!(pieces.len(), counts[usize::from(n)], "{chosen:b}");
                assert!(pieces.iter().all(|p| p.record == record.id && batch.apart.content(p) == [n]), "{chosen:b}");
                assert_eq!(batch.bytes(record), pieces.len());
            }
            let all: usize = batch.records.iter().map(|r| r.pieces.len()).sum();
            assert_eq!(batch.apart.pieces.len(), all, "{chosen:b}");
            assert_eq!(batch.apart.is_empty(), chosen == 0, "{chosen:b}");
        }
    }
}
