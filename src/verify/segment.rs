//! One segment's bytes, from zstd frame to records (`store.md`, "Segment" and "The seal"). Pure.
//!
//! Bytes come from outside: nothing is believed before it is counted (`tlog::segment` limits frame, window, decoded size and line length).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::configuration::Configuration;
use super::decrees::{Word, word};
use crate::clock::UnixNanos;
use crate::record::canonical::{Json, JsonError};
use crate::record::registry::{self, Member};
use crate::record::{RecordId, SCHEMA};
use crate::tlog::merkle::{CompactRange, leaf_hash};
use crate::tlog::seal_file::SegmentRef;
use crate::tlog::segment::{FrameError, each_line};
use crate::tlog::{LeafHash, RootHash};

/// Why bytes are no segment. Lines are counted from 0 here, and for a reader from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// Not one frame of whole lines within the limits.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A line is not its own canonical form.
    #[error("line {n}: {1}", n = .0.saturating_add(1))]
    Line(u64, JsonError),
    /// A line of our schema lacks what every record has, or has it in another type.
    #[error("line {n}: {1}", n = .0.saturating_add(1))]
    Record(u64, Cow<'static, str>),
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
    /// The record of our schema that was received last, by its own word: its line, and when.
    pub received: Option<(u64, UnixNanos)>,
    /// Records of our schema with signal `control`.
    pub control: u64,
    /// Records of schemas that this version does not know.
    pub other_schema: u64,
    /// First record whose `retention.class` is not the one given.
    pub wrong_class: Option<(u64, String)>,
    /// What the last `config_change` record says is in force from then on.
    pub configuration: Option<Configuration>,
    /// What its control records say of holds and extensions.
    pub decrees: DecreeLines,
    /// Records of our schema that are not of signal `control`, by their `source.service`. Bounded: those of names beyond the first
    /// 1,000 stand where no name does.
    pub sources: BTreeMap<Option<String>, u64>,
}

/// Records of holds and extensions in one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecreeLines {
    /// How many can be read.
    pub entries: u64,
    /// The first that claims to be one and cannot be read: its line, and why.
    pub broken: Option<(u64, String)>,
    /// The first in a format of a newer program: its line, and the format.
    pub newer: Option<(u64, String)>,
}

impl DecreeLines {
    fn take(&mut self, line: u64, word: Option<Word>) {
        match word {
            Some(Word::Entry(_)) => self.entries += 1,
            Some(Word::Broken(why)) => drop(self.broken.get_or_insert((line, why))),
            Some(Word::Newer(format)) => drop(self.newer.get_or_insert((line, format))),
            None => {}
        }
    }

    /// Whether there is one.
    pub fn is_any(&self) -> bool {
        self.entries > 0 || self.broken.is_some() || self.newer.is_some()
    }
}

/// Most services that one segment tells apart. 1,000 names of 256 bytes are 256 KB.
const SOURCES_MAX: usize = 1000;

/// Decodes and checks stored bytes; `each` sees every line (without newline) with its leaf hash.
pub fn read_segment(stored: &[u8], class: &str, mut each: impl FnMut(u64, &[u8], LeafHash)) -> Result<Contents, SegmentError> {
    let mut lines = Lines {
        tree: CompactRange::new(),
        class,
        times: None,
        received: None,
        control: 0,
        other_schema: 0,
        wrong_class: None,
        configuration: None,
        decrees: DecreeLines::default(),
        sources: BTreeMap::new(),
    };
    each_line(stored, |index, line| {
        let leaf = leaf_hash(line);
        lines.line(index, line, leaf)?;
        each(index, line, leaf);
        Ok::<(), SegmentError>(())
    })?;
    Ok(Contents {
        records: lines.tree.size().0,
        root: lines.tree.root(),
        first: lines.times.map(|(first, _)| first),
        last: lines.times.map(|(_, last)| last),
        received: lines.received,
        control: lines.control,
        other_schema: lines.other_schema,
        wrong_class: lines.wrong_class,
        configuration: lines.configuration,
        decrees: lines.decrees,
        sources: lines.sources,
    })
}

struct Lines<'a> {
    tree: CompactRange,
    class: &'a str,
    times: Option<(UnixNanos, UnixNanos)>,
    received: Option<(u64, UnixNanos)>,
    control: u64,
    other_schema: u64,
    wrong_class: Option<(u64, String)>,
    configuration: Option<Configuration>,
    decrees: DecreeLines,
    sources: BTreeMap<Option<String>, u64>,
}

impl Lines<'_> {
    fn line(&mut self, index: u64, line: &[u8], leaf: LeafHash) -> Result<(), SegmentError> {
        let record = Json::parse_canonical(line).map_err(|e| SegmentError::Line(index, e))?;
        if record.as_object().is_none() {
            return Err(SegmentError::Record(index, "not a JSON object".into()));
        }
        self.tree.append(leaf);
        // Canonical form is checked whatever the schema; what members mean is known for our own alone (`record.md` section 6).
        if record.get("schema").and_then(Json::as_str) != Some(SCHEMA) {
            self.other_schema += 1;
            return Ok(());
        }
        let Times { first, last, received } = check_record(&record).map_err(|what| SegmentError::Record(index, what))?;
        if record.path("source.signal").and_then(Json::as_str) == Some("control") {
            self.control += 1;
            // Telemetry cannot make control records, so what stands in one is the writer's own word.
            self.configuration = Configuration::of(&record).or(self.configuration.take());
            self.decrees.take(index, word(&record));
        } else {
            self.source(record.path("source.service").and_then(Json::as_str));
        }
        if let Some(received) = received.filter(|at| self.received.is_none_or(|(_, latest)| *at > latest)) {
            self.received = Some((index, received));
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

impl Lines<'_> {
    fn source(&mut self, service: Option<&str>) {
        let mut service = service.map(str::to_owned);
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&service) {
            service = None;
        }
        *self.sources.entry(service).or_default() += 1;
    }
}

/// What a query selects by (`query::filter`), and by what readers tell records apart.
const SELECTED: [Member; 18] = [
    registry::ACTOR_CONVERSATION_ID,
    registry::ACTOR_SESSION_ID,
    registry::ACTOR_USER_ID,
    registry::CHANGE_APPROVAL_BY,
    registry::CHANGE_BY,
    registry::CONTROL_BY,
    registry::DECISION_ID,
    registry::MODEL_ID,
    registry::MODEL_PROVIDER,
    registry::MODEL_REQUESTED,
    registry::MODEL_VERSION,
    registry::PROMPT_HASH,
    registry::PROMPT_TEMPLATE_HASH,
    registry::RETENTION_CLASS,
    registry::REVIEW_REVIEWER_ID,
    registry::SOURCE_SIGNAL,
    registry::SUBJECT_ID,
    registry::TRACE_TRACE_ID,
];

/// When a record happened, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    /// Least of `time.start` and `time.end`; `time.received` for a record with neither.
    pub(super) first: UnixNanos,
    /// Greatest of the same.
    pub(super) last: UnixNanos,
    /// `time.received`.
    pub(super) received: Option<UnixNanos>,
}

/// What every record of our schema has, in the types of `record.md` sections 1 and 2, as far as readers go by it. Answers with its times.
///
/// A reader takes a member of another type for absent, so such a record would be signed and yet not found.
pub(super) fn check_record(record: &Json) -> Result<Times, Cow<'static, str>> {
    if record.get("id").and_then(Json::as_str).and_then(RecordId::parse).is_none() {
        return Err("`id` is missing or not 32 lower-case hex digits".into());
    }
    if record.get("kind").and_then(Json::as_str).is_none_or(str::is_empty) {
        return Err("`kind` is missing or not a word".into());
    }
    SELECTED.iter().try_for_each(|member| check_text(record, member.path()))?;
    times(record).map_err(Cow::Borrowed)
}

/// A text of the registry, in the objects of its path. Absent is allowed; a group that is no object would hide what it should hold.
fn check_text(record: &Json, path: &str) -> Result<(), Cow<'static, str>> {
    let (mut at, mut rest) = (record, path);
    while let Some((group, below)) = rest.split_once('.') {
        let Some(there) = at.get(group) else { return Ok(()) };
        if there.as_object().is_none() {
            return Err(format!("`{path}` is not a string in an object: what should hold `{below}` is no object").into());
        }
        (at, rest) = (there, below);
    }
    match at.get(rest) {
        Some(value) if value.as_str().is_none() => Err(format!("`{path}` is not a string in an object").into()),
        _ => Ok(()),
    }
}

fn times(record: &Json) -> Result<Times, &'static str> {
    let time = |name: &str| match record.path(name) {
        None => Ok(None),
        Some(value) => {
            let text = value.as_str().unwrap_or_default();
            let parsed = UnixNanos::parse(text).filter(|t| t.rfc3339() == text);
            parsed.map(Some).ok_or("a time is not RFC 3339 in UTC with nine decimals")
        }
    };
    // Also beside the others: readers show it, and it is compared with the seal.
    let received = time("time.received")?;
    let (first, last) = match (time("time.start")?, time("time.end")?) {
        (Some(start), Some(end)) => (start.min(end), start.max(end)),
        (Some(one), None) | (None, Some(one)) => (one, one),
        (None, None) => received.map(|at| (at, at)).ok_or("a record without a time")?,
    };
    Ok(Times { first, last, received })
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
        differ("class", stated.class.clone(), format!("`{class}` in line {}", line.saturating_add(1)));
    }
    out
}

#[cfg(test)]
mod tests;
