//! Finding records: straight from the evidence, without an index (`design.md` section 8: "Evidence is the truth, the index is a cache").
//!
//! [`log`] reads the seals of a log and decides by `tlog::truth` which versions are the log; [`scan`] walks them newest first, opens
//! only segments that may hold an answer, and checks each against the SHA-256 that its seal signed; [`select`] finds whole segments that hold
//! one; [`filter`] says what is looked for;
//! [`collapse`] tells once what was sealed twice, and apart what was not the same; [`mod@print`] writes answers for people and machines; [`story`] tells a decision
//! in plain words; [`opening`] brings back from the vault what was said.
//!
//! Two promises. Nothing unread is passed over: what could not be read or compared is a [`Problem`], and an answer with problems is
//! never called complete. Nothing is believed that was not checked against a signed seal.
//!
//! Imports `tlog`, `worm`, `vault` and `record` only; reads, never writes.

pub mod apart;
pub mod collapse;
pub mod filter;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod log;
pub mod opening;
pub mod person;
pub mod print;
mod realm;
pub mod scan;
pub(crate) mod segment;
pub mod select;
pub mod story;
pub mod walk;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::clock::UnixNanos;
use crate::record::canonical::Json;
use crate::tlog::seal_file::{SealFile, SegmentRef};

/// Something that stands between the asker and a complete answer. The results so far are still shown; the exit code is 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The object concerned, or the log.
    pub object: String,
    /// What is wrong and what it means for the answer.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.what)
    }
}

/// Where a record stands: a line of a segment that a seal names.
#[derive(Clone)]
pub struct Place {
    /// Name of the log (its folder in the store).
    pub log: String,
    /// The seal that names the segment.
    pub seal: Arc<SealFile>,
    /// Which of its segments.
    pub segment: Arc<SegmentRef>,
    /// Line in that segment, from 0.
    pub leaf_index: u64,
}

impl Place {
    /// Order of commitment, with the log's name to tell replicas apart.
    pub fn order(&self) -> (i64, &str, u64, &str, u64) {
        (self.seal.statement.sealed_at.0, &self.log, self.seal.statement.index, &self.segment.key, self.leaf_index)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}#{}", self.log, self.segment.key, self.leaf_index)
    }
}

/// Whether a record is alone under its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Single,
    /// Another record with the same id says something else. Both are shown, none wins.
    Conflict,
}

/// Whether a record that was sealed again said the same then. The lines are equal; what they keep in a vault they commit to under a new salt
/// each time, so they do not show whether that is equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// It did: nothing of it is in a vault, or the commitments are the same.
    Line,
    /// It did: the contents were read and compared.
    Read,
    /// Nobody has compared the contents.
    Unread,
    /// They were to be compared, and could not be, in words.
    Untold(String),
}

/// What was sealed again under the id of a record and a line equal to its own.
#[derive(Clone, Debug)]
pub struct Again {
    /// It. Nothing is collapsed into this one.
    pub hit: Hit,
    /// Whether it is a copy.
    pub sameness: Sameness,
}

impl Again {
    /// Whether it said the same. `None`: that is not known.
    pub fn same_content(&self) -> Option<bool> {
        match self.sameness {
            Sameness::Line | Sameness::Read => Some(true),
            Sameness::Unread | Sameness::Untold(_) => None,
        }
    }
}

/// One record that was found. `Debug` shows where it stands, never what it says.
#[derive(Clone)]
pub struct Hit {
    /// The sealed line, byte for byte, without its newline.
    pub line: Bytes,
    /// The line, read.
    pub record: Json,
    /// Where it stands: of what was sealed more than once, the earliest.
    pub place: Place,
    /// What stands under its id and an equal line in later seals or other logs, in order.
    pub copies: Vec<Again>,
    /// Alone under its id, or contradicted.
    pub standing: Standing,
}

impl Hit {
    /// A string member by dotted path.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.record.path(path).and_then(Json::as_str)
    }

    /// Whether this version knows the record's schema. Others are shown raw.
    pub fn is_known(&self) -> bool {
        is_known(&self.record)
    }

    /// How its sender showed who it is, and as whom. `None`: it did not have to.
    pub fn sender(&self) -> Option<(&str, &str)> {
        let method = self.text("source.peer.method").filter(|method| *method != "none")?;
        Some((method, self.text("source.peer.id").unwrap_or_default()))
    }

    /// Whether what was sealed again said the same. `None`: of some of it that is not known.
    pub fn same_content(&self) -> Option<bool> {
        self.copies.iter().all(|again| again.same_content() == Some(true)).then_some(true)
    }

    /// What was sealed again from another sender than this record.
    pub fn from_others(&self) -> impl Iterator<Item = &Again> {
        self.copies.iter().filter(|again| again.hit.sender() != self.sender())
    }

    /// The time that ranges and order go by: [`time_of`].
    pub fn time(&self) -> Option<UnixNanos> {
        time_of(&self.record)
    }
}

impl fmt::Debug for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hit").field("place", &self.place).field("copies", &self.copies.len()).field("standing", &self.standing).finish()
    }
}

/// When what a record tells of happened: its start, else its end, else its receipt. The same order of preference as a segment's `first`
/// and `last`, so that skipping segments by those never skips a record.
pub fn time_of(record: &Json) -> Option<UnixNanos> {
    ["time.start", "time.end", "time.received"].iter().find_map(|path| record.path(path)?.as_str().and_then(UnixNanos::parse))
}

/// Whether this version knows the record's schema.
pub fn is_known(record: &Json) -> bool {
    record.get("schema").and_then(Json::as_str) == Some(crate::record::SCHEMA)
}
