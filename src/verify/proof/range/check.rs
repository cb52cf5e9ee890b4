//! Checks a bundle of several records, and counts what lies between its ends.

use std::collections::BTreeMap;

use super::{End, RangeBundle, SealPart, SegmentPart};
use crate::clock::UnixSeconds;
use crate::plain::brief;
use crate::record::canonical::Json;
use crate::record::content::referred;
use crate::tlog::merkle::{leaf_hash, root_from_subset};
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::{Counts, SegmentRef, Statement};
use crate::tlog::{Hash, LeafHash, LeafIndex};
use crate::verify::doubt::{Doubt, ahead, impossible};
use crate::verify::proof::{
    Kept, Others, Outer, ProofError, SeenBy, Stamps, Under, Unknown, contradicted, other_schema, read, refused, says, signed,
    stamped_before,
};
use crate::verify::report::Kind;
use crate::worm::{LINE_BYTES_MAX, Mode};

/// Doubts that are kept; of more only the number is told.
const DOUBTS_MAX: usize = 100;
/// Characters that are told of what whoever made a bundle could not look at: `prove` writes one sentence.
const INCOMPLETE_CHARS_MAX: usize = 300;

/// What a bundle of several records proved.
#[derive(Clone, Debug)]
pub struct RangeProved {
    /// The log.
    pub log: String,
    /// Every record that is shown, in the order of the log.
    pub shown: Vec<ShownRecord>,
    /// What lies between its ends, of a bundle that has ends.
    pub between: Option<Between>,
    /// First and last seal of the bundle.
    pub seals: (u64, u64),
    /// When these two were made.
    pub sealed: (UnixSeconds, UnixSeconds),
    /// How many seals it holds.
    pub seal_count: u64,
    /// Size of the signed tree.
    pub tree_size: u64,
    /// Its root.
    pub root: Hash,
    /// The key that signed the checkpoint.
    pub key: VerifierKey,
    /// Changes of key between the auditor's and that one.
    pub rotations: usize,
    /// The auditor's keys.
    pub under: Under,
    /// Contents of shown records that telemetry only named.
    pub referred: usize,
    /// Shown records whose schema this version does not know, so that what their members mean was not judged.
    pub other_schema: usize,
    /// The locks of the segments of which records are shown, by class and mode, as the statements name them. Of seals in [`Self::not_worm`]
    /// nothing stands here.
    pub storage: Vec<Storage>,
    /// How many of the seals say that their store enforced no locks.
    pub not_worm: u64,
    /// What whoever made the bundle could not look at, in their own words, cut where they are long: no signature covers it.
    pub incomplete: Option<String>,
    /// What the log's key signed here and cannot be true: the first of them.
    pub doubts: Vec<RangeDoubt>,
    /// How many more there are.
    pub doubts_more: usize,
    /// Which of the auditor's witnesses cosigned the checkpoint.
    pub seen: Vec<SeenBy>,
    /// How many witnesses these are: of one key under two names, one.
    pub cosigned: usize,
    /// How many of them were asked for; `None`: none were brought.
    pub asked: Option<usize>,
    /// Lines of other keys: present, not verified.
    pub cosignatures: usize,
    /// Lines in the names of the auditor's witnesses that do not verify: anybody can write such.
    pub false_cosignatures: usize,
    /// How the checkpoint that the auditor kept stands to that of the bundle; `None`: none was brought.
    pub kept: Option<Kept>,
    /// What the time stamps say.
    pub stamps: Stamps,
    /// When it was asked.
    pub now: UnixSeconds,
    /// Members of the bundle that no signature covers and that were not looked at.
    pub unknown: Unknown,
}

/// A record that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownRecord {
    /// Its id.
    pub record_id: Option<String>,
    /// Its kind.
    pub kind: Option<String>,
    /// What it says of itself, as in [`Proved::says`](crate::verify::Proved::says).
    pub says: Vec<(&'static str, String)>,
    /// Index of its seal.
    pub seal: u64,
    /// Key of its segment.
    pub segment: String,
    /// Line in the segment.
    pub leaf_index: u64,
}

/// How segments of one class are locked, by what the log signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The retention class.
    pub class: String,
    /// How they are locked at least.
    pub mode: Mode,
    /// The earliest of their dates.
    pub retain_until: UnixSeconds,
    /// How many segments these are.
    pub segments: u64,
}

/// A time between two seals, one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lapse {
    /// Index of the later one.
    pub seal: u64,
    /// When it begins.
    pub from: UnixSeconds,
    /// When the later seal was made.
    pub to: UnixSeconds,
}

/// What lies between two records, by what the log signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Between {
    /// The first end.
    pub from: End,
    /// The last end.
    pub to: End,
    /// Records between them, without the ends. Sums of what statements say may be beyond 2^64.
    pub records: u128,
    /// How many of these are shown.
    pub shown: u64,
    /// How many stand in other segments of a seal of an end, and so may lie before the first or behind the last as well.
    pub unordered: u128,
    /// Seals from the first to the last that hold no record.
    pub heartbeats: u64,
    /// Where a seal was later than the one before had promised: from the promised time.
    pub silences: Vec<Lapse>,
    /// Seals behind which a promise of the next is missing.
    pub unpromised: u64,
    /// Starts of the writer in between, before which counts may be short: from the seal before.
    pub restarts: Vec<Lapse>,
    /// Sums of what these seals count.
    pub counts: Counts,
}

/// A doubt, and where it arose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeDoubt {
    /// Index of the seal.
    pub seal: u64,
    /// What cannot be true.
    pub doubt: Doubt,
}

/// Doubts as they come up, bounded.
#[derive(Default)]
struct Doubts {
    kept: Vec<RangeDoubt>,
    more: usize,
}

impl Doubts {
    fn add(&mut self, seal: u64, doubts: impl IntoIterator<Item = Doubt>) {
        for doubt in doubts {
            if self.kept.len() < DOUBTS_MAX {
                self.kept.push(RangeDoubt { seal, doubt });
            } else {
                self.more += 1;
            }
        }
    }
}

impl RangeBundle {
    /// Checks the whole proof against the auditor's key, and what others say of the checkpoint, whom the auditor trusts as well. `now` tells
    /// which dates cannot be.
    pub fn check_with(&self, vkey: &VerifierKey, others: &Others, now: UnixSeconds) -> Result<RangeProved, ProofError> {
        let statements = self.seals.iter().map(|seal| read::statement(&seal.statement)).collect::<Result<Vec<_>, _>>()?;
        let (Some(first), Some(last)) = (statements.first(), statements.last()) else { return Err(refused("it holds no seal")) };
        let outer = self.outer();
        let turns = outer.announcements()?;
        self.in_order(&statements)?;
        let key = outer.follow_rotations(&turns, vkey)?;
        let checkpoint = signed(last, self.size, &self.checkpoint, &key)?;
        if let Some(other) = statements.iter().find(|s| s.log != last.log) {
            return Err(refused(format!("seal {} is of log `{}`, and others of `{}`", other.index, other.log, last.log)));
        }
        // The leaves cover all members of statements, also those that this version does not know.
        let leaf = |(statement, part): (&Statement, &SealPart)| (LeafIndex(statement.index), leaf_hash(&part.statement.to_jcs()));
        let leaves: Vec<(LeafIndex, LeafHash)> = statements.iter().zip(&self.seals).map(leaf).collect();
        match root_from_subset(&leaves, self.size, &self.path) {
            None => return Err(refused("log: the path does not fit the seals' indices and tree_size")),
            Some(root) if root != checkpoint.root => {
                return Err(refused("log: the path does not lead to the checkpoint's root: not all of these seals are in the log"));
            }
            Some(_) => {}
        }
        outer.holds_announced(&statements, &leaves, vkey)?;
        let stamps = outer.stamps(others)?;
        let mut doubts = Doubts::default();
        for pair in statements.windows(2).zip(&leaves) {
            if let ([before, after], (_, leaf)) = pair {
                doubts.add(after.index, unchained(before, *leaf, after));
            }
        }
        for statement in &statements {
            doubts.add(statement.index, impossible(statement));
        }
        doubts.add(last.index, stamps.trusted.iter().find_map(|stamped| stamped_before(last, stamped)));
        if let Some((index, doubt)) = statements.iter().find_map(|s| Some((s.index, ahead(s, now)?))) {
            doubts.add(index, [doubt]);
        }
        let (mut shown, mut named) = (Vec::new(), Named::default());
        for (statement, part) in statements.iter().zip(&self.seals) {
            if part.segments.len() != statement.segments.len() {
                let (has, is) = (statement.segments.len(), part.segments.len());
                return Err(refused(format!("seal {} has {has} segment(s), and the bundle holds {is} of it", statement.index)));
            }
            for (segment, part) in statement.segments.iter().zip(&part.segments) {
                segment_shown(statement, segment, part, (&mut shown, &mut named), &mut doubts)?;
            }
        }
        if shown.is_empty() {
            return Err(refused("it shows no record"));
        }
        let between = self.ends.as_ref().map(|(from, to)| between(from, to, &statements, &shown)).transpose()?;
        let known = outer.keys_of_log(vkey, &turns, &statements, others);
        let seen = outer.seen((&key, &known), last, &others.witnesses, now)?;
        let (kept, fork) = outer.compared(others, &checkpoint, &outer.terms(vkey, &turns, last));
        doubts.add(last.index, fork);
        Ok(RangeProved {
            log: last.log.clone(),
            shown,
            between,
            seals: (first.index, last.index),
            sealed: (first.sealed_at, last.sealed_at),
            seal_count: u64::try_from(statements.len()).unwrap_or(u64::MAX),
            tree_size: checkpoint.size.0,
            root: checkpoint.root.0,
            rotations: self.rotations.len(),
            under: outer.under(vkey, &turns, last, others),
            referred: named.referred,
            other_schema: named.other_schema,
            storage: storage(&statements, &self.seals),
            not_worm: u64::try_from(statements.iter().filter(|s| s.not_worm).count()).unwrap_or(u64::MAX),
            incomplete: self.incomplete.as_deref().map(|claim| brief(claim, INCOMPLETE_CHARS_MAX)),
            doubts: doubts.kept,
            doubts_more: doubts.more,
            cosigned: seen.many(&others.witnesses),
            seen: seen.by,
            asked: others.asked(),
            cosignatures: seen.strangers,
            false_cosignatures: seen.unsound,
            kept,
            stamps,
            now,
            unknown: self.unknown.clone(),
            key,
        })
    }

    /// Seals ascend; where the bundle says what lies between two records, none is left out, and the ends are in the first and in the last.
    fn in_order(&self, statements: &[Statement]) -> Result<(), ProofError> {
        for pair in statements.windows(2) {
            let [before, after] = pair else { continue };
            if after.index <= before.index {
                return Err(refused(format!("seal {} stands behind seal {}: seals stand in order, each once", after.index, before.index)));
            }
            if self.ends.is_some() && Some(after.index) != before.index.checked_add(1) {
                return Err(refused(format!("between seal {} and seal {} others are left out", before.index, after.index)));
            }
        }
        let Some((from, to)) = &self.ends else { return Ok(()) };
        if statements.first().is_none_or(|s| s.index != from.seal) {
            return Err(refused("`from` is not in the first seal"));
        }
        if statements.last().is_none_or(|s| s.index != to.seal) {
            return Err(refused("`to` is not in the last seal"));
        }
        Ok(())
    }
}

impl Outer<'_> {
    /// Whatever change of key the seals of the bundle announce before the checkpoint is one of those that lead from the auditor's key to it:
    /// else somebody signed on with a key that the log had replaced.
    pub(in crate::verify::proof) fn holds_announced(
        &self,
        statements: &[Statement],
        leaves: &[(LeafIndex, LeafHash)],
        vkey: &VerifierKey,
    ) -> Result<(), ProofError> {
        let way: Vec<(LeafIndex, LeafHash)> =
            self.rotations.iter().map(|rotation| (rotation.log.index, leaf_hash(&rotation.statement.to_jcs()))).collect();
        let mut before: Vec<(u64, &VerifierKey)> = Vec::new();
        for (statement, leaf) in statements.iter().zip(leaves) {
            if let Some((_, other)) = way.iter().find(|(index, _)| *index == leaf.0)
                && *other != leaf.1
            {
                return Err(refused(format!("rotations: seal {} there is another than in the bundle", statement.index)));
            }
            let Some(next) = &statement.next_vkey else { continue };
            if Some(self.size.0) == statement.index.checked_add(1) || way.contains(leaf) {
                continue;
            }
            if way.first().is_some_and(|(index, _)| *index < leaf.0) {
                return Err(refused(format!("rotations: seal {} announces a key, and the change of key is left out", statement.index)));
            }
            // A log never comes back to a key.
            if before.iter().any(|(_, earlier)| *earlier == next) {
                return Err(refused(format!("rotations: seal {} announces a key that the log had before", statement.index)));
            }
            before.push((statement.index, next));
        }
        // The auditor's key is a later one than that of the first seals: it is the one that the last of these announced. Whether the keys in
        // between made that change no signature here shows; who has stolen an old key can as well leave the first change out.
        if let Some((index, next)) = before.last()
            && *next != vkey
        {
            return Err(refused(format!("rotations: seal {index} announces a key, and the checkpoint behind it is signed by another")));
        }
        Ok(())
    }
}

/// What a seal says of the one before it, where both are there.
fn unchained(before: &Statement, leaf: LeafHash, after: &Statement) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let mut differ = |member, expected, found| {
        let meaning = "The seal is in the log, but what it says of the seals before it is not so. What was sealed is as signed: verify the log, \
                       and ask the operator what wrote it.";
        doubts.push(Doubt { kind: Kind::SealChain, member, expected, found, meaning });
    };
    if before.index.checked_add(1) == Some(after.index)
        && let Some(previous) = after.previous.filter(|previous| *previous != leaf)
    {
        differ("previous", format!("the leaf hash of seal {}, {}", before.index, leaf.0), previous.0.to_string());
    }
    if after.sealed_at < before.sealed_at {
        differ("sealed_at", format!("not before {}, when seal {} was made", before.sealed_at, before.index), after.sealed_at.to_string());
    }
    doubts
}

/// How the segments are locked of which something is shown.
fn storage(statements: &[Statement], seals: &[SealPart]) -> Vec<Storage> {
    let mut found: BTreeMap<(&str, Mode), Storage> = BTreeMap::new();
    for (statement, part) in statements.iter().zip(seals).filter(|(statement, _)| !statement.not_worm) {
        for (segment, _) in statement.segments.iter().zip(&part.segments).filter(|(_, part)| !part.records.is_empty()) {
            let lock = segment.lock;
            let (class, mode, retain_until) = (segment.class.clone(), lock.mode, lock.retain_until);
            let of_class = found.entry((&segment.class, mode)).or_insert_with(|| Storage { class, mode, retain_until, segments: 0 });
            of_class.retain_until = of_class.retain_until.min(retain_until);
            of_class.segments += 1;
        }
    }
    found.into_values().collect()
}

/// What shown records only name.
#[derive(Default)]
struct Named {
    /// Contents.
    referred: usize,
    /// Schemas that are not known.
    other_schema: usize,
}

/// Proves what is shown of a segment.
fn segment_shown(
    statement: &Statement,
    segment: &SegmentRef,
    part: &SegmentPart,
    (shown, named): (&mut Vec<ShownRecord>, &mut Named),
    doubts: &mut Doubts,
) -> Result<(), ProofError> {
    let of = |why: &str| refused(format!("`{}`: {why}", segment.key));
    if part.records.is_empty() {
        return if part.path.is_empty() { Ok(()) } else { Err(of("a path without a record")) };
    }
    let leaves: Vec<(LeafIndex, LeafHash)> = part.records.iter().map(|(at, line)| (*at, leaf_hash(line.as_bytes()))).collect();
    match root_from_subset(&leaves, crate::tlog::TreeSize(segment.records), &part.path) {
        None => return Err(of("places and path do not fit the number of records that the statement gives")),
        Some(root) if root != segment.merkle_root => return Err(of("a record is not the one that was sealed there")),
        Some(_) => {}
    }
    for (at, line) in &part.records {
        let of = |why: String| refused(format!("`{}`, line {}: {why}", segment.key, at.0.saturating_add(1)));
        if line.len() > LINE_BYTES_MAX {
            return Err(of(format!("a record is at most {LINE_BYTES_MAX} bytes")));
        }
        let record = Json::parse_canonical(line.as_bytes()).map_err(|e| of(e.to_string()))?;
        if record.as_object().is_none() {
            return Err(of("the record is not a JSON object".to_owned()));
        }
        doubts.add(statement.index, contradicted(&record, segment, statement.sealed_at)?);
        named.referred += referred(&record).len();
        named.other_schema += usize::from(other_schema(&record).is_some());
        let text = |path: &str| record.path(path).and_then(Json::as_str).map(str::to_owned);
        let (seal, segment) = (statement.index, segment.key.clone());
        let (record_id, kind, says) = (text("id"), text("kind"), says(&record));
        shown.push(ShownRecord { record_id, kind, says, seal, segment, leaf_index: at.0 });
    }
    Ok(())
}

/// Counts what lies between two records that are shown.
fn between(from: &End, to: &End, statements: &[Statement], shown: &[ShownRecord]) -> Result<Between, ProofError> {
    let is_at =
        |end: &End, record: &ShownRecord| record.seal == end.seal && record.segment == end.segment && record.leaf_index == end.leaf_index.0;
    for (name, end) in [("from", from), ("to", to)] {
        if !shown.iter().any(|record| is_at(end, record)) {
            return Err(refused(format!("`{name}` is not among the records that are shown")));
        }
    }
    // The key of a segment holds the index of its seal.
    if from.segment == to.segment && from.leaf_index >= to.leaf_index {
        return Err(refused("`from` does not stand before `to`"));
    }
    // Lines of a segment that lie between, first and end.
    let within = |key: &str, records: u64| {
        let first = if key == from.segment { from.leaf_index.0.saturating_add(1) } else { 0 };
        let end = if key == to.segment { to.leaf_index.0 } else { records };
        (first, end)
    };
    let mut counted = 0;
    for record in shown.iter().filter(|record| !is_at(from, record) && !is_at(to, record)) {
        let (first, end) = within(&record.segment, u64::MAX);
        if !(first..end).contains(&record.leaf_index) {
            let line = record.leaf_index.saturating_add(1);
            return Err(refused(format!("line {line} of `{}` is shown, and lies outside of the range", record.segment)));
        }
        counted += 1;
    }
    let mut found = Between {
        from: from.clone(),
        to: to.clone(),
        records: 0,
        shown: counted,
        unordered: 0,
        heartbeats: 0,
        silences: Vec::new(),
        unpromised: 0,
        restarts: Vec::new(),
        counts: Counts::default(),
    };
    for statement in statements {
        for segment in &statement.segments {
            let (first, end) = within(&segment.key, segment.records);
            let records = u128::from(end.saturating_sub(first));
            found.records += records;
            let after = statement.index > from.seal || segment.key == from.segment;
            let before = statement.index < to.seal || segment.key == to.segment;
            if !(after && before) {
                found.unordered += records;
            }
        }
        found.heartbeats += u64::from(statement.segments.is_empty());
        found.counts = found.counts.plus(statement.counts);
    }
    for pair in statements.windows(2) {
        let [before, after] = pair else { continue };
        let gap = |from| Lapse { seal: after.index, from, to: after.sealed_at };
        match before.next_by {
            None => found.unpromised += 1,
            Some(by) => found.silences.extend((after.sealed_at > by).then(|| gap(by))),
        }
        found.restarts.extend((after.started != before.started).then(|| gap(before.sealed_at)));
    }
    Ok(found)
}
