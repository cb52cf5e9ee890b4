//! The proof bundle `spanseal.proof-range/1`: several records of one log, or what lies between two of them.
//!
//! Of each seal it holds the whole statement, so all segments and how many records each has; of each segment the records that are shown, and of
//! the others only the roots of the largest subtrees in which no shown one lies. What is withheld is not said, but not all of it is hidden:
//! a statement tells class, bytes, number of records and first and last time of each segment, withheld or not, and the counts of the seal; and
//! a root over a single record is the unsalted hash of its line, which whoever has that record, or guesses every byte of it, can confirm. How
//! many are withheld is stated by the log's key, and not proved: `spanseal verify` reads them, as long as the segment is kept, and would find a
//! false number, and a list of leaf hashes would prove it no better, because a hash does not show whether records lie below it.
//!
//! Records are in the order of the log: by seal, and within one segment by line. Segments of one seal have no order among each other.
//! That is the order of sealing and not of events: what is reported late is sealed late.
//! *Between* two records lies whatever is behind the first or not ordered against it, and before the last or not ordered against it.

mod check;
mod told;

pub use check::{Between, Lapse, RangeDoubt, RangeProved, ShownRecord, Storage};

use super::read::{hashes, path_json, rotations, rotations_json, rotations_unknown, string, texts, texts_json};
use super::{CheckReport, Others, Outer, Proof, ProofError, Rotation, Unknown, refused};
use crate::clock::UnixSeconds;
use crate::record::canonical::Json;
use crate::tlog::note::{VerifierKey, parse_decimal};
use crate::tlog::{Hash, LeafIndex, TreeSize};

/// The format that this code writes and understands.
pub(super) const FORMAT: &str = "spanseal.proof-range/1";
/// How the format of any version begins.
pub(super) const FORMATS: &str = "spanseal.proof-range/";
/// Largest bundle that is read: 100,000 records of 2.5 KB. It is held twice in memory while it is read.
pub(super) const BUNDLE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most seals of a bundle: more than a day of one a second.
pub(in crate::verify) const RANGE_SEALS_MAX: usize = 100_000;
/// Most records that a bundle shows.
pub(in crate::verify) const RANGE_RECORDS_MAX: usize = 200_000;
/// Members that are understood; others are named as not looked at.
const MEMBERS: [&str; 10] = ["format", "from", "to", "seals", "log", "checkpoint", "cosignatures", "timestamps", "rotations", "incomplete"];

/// One end of a range: the place of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Index of the seal.
    pub seal: u64,
    /// Key of the segment, as the statement names it.
    pub segment: String,
    /// Line in the segment, from 0.
    pub leaf_index: LeafIndex,
}

/// A seal and what is shown of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SealPart {
    /// Its statement.
    pub statement: Json,
    /// One for each segment of the statement, in its order.
    pub segments: Vec<SegmentPart>,
}

/// What is shown of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SegmentPart {
    /// Exact sealed lines with their places, ascending.
    pub records: Vec<(LeafIndex, String)>,
    /// The others: a proof as in [`subset_path`](crate::tlog::merkle::subset_path). Empty where nothing is shown.
    pub path: Vec<Hash>,
}

/// A parsed bundle. Parsing checks types and sizes; [`RangeBundle::check_with`] checks the proof.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeBundle {
    /// The first and the last record, of a bundle that says what lies between them: then every seal between is in it.
    pub ends: Option<(End, End)>,
    /// Seals, ascending.
    pub seals: Vec<SealPart>,
    /// Leaves of the log's tree.
    pub size: TreeSize,
    /// The seals that are not in the bundle, as in [`subset_path`](crate::tlog::merkle::subset_path).
    pub path: Vec<Hash>,
    /// Signed note.
    pub checkpoint: String,
    /// Signature lines of witnesses over the checkpoint's text.
    pub cosignatures: Vec<String>,
    /// Time stamp tokens, base64 DER.
    pub timestamps: Vec<String>,
    /// Changes of key from the auditor's key to the one that signed the checkpoint, in order.
    pub rotations: Vec<Rotation>,
    /// What whoever made the bundle could not look at, so that there may be more records of what was asked for. No signature covers it.
    pub incomplete: Option<String>,
    /// Members that this version does not know. No signature covers them.
    pub unknown: Unknown,
}

/// Checks a bundle's bytes against the auditor's key, and what others say of its checkpoint whom the auditor trusts.
pub fn check_range_with(bundle: &[u8], vkey: &VerifierKey, others: &Others, now: UnixSeconds) -> CheckReport<RangeProved> {
    CheckReport::of(RangeBundle::parse(bundle).and_then(|bundle| bundle.check_with(vkey, others, now)))
}

impl RangeBundle {
    /// Reads a bundle: any JSON layout, but no name twice, no type but those of the format, nothing beyond its limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        match Proof::parse(bytes)? {
            Proof::Range(bundle) => Ok(*bundle),
            Proof::Record(_) => Err(ProofError::NotAProof("it is a proof of one record".to_owned())),
        }
    }

    /// The longest that one may be, in bytes.
    pub fn bytes_max() -> u64 {
        u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX)
    }

    /// Takes its texts out of the JSON, so that they are in memory once.
    pub(super) fn of(mut json: Json) -> Result<Self, ProofError> {
        let mut unknown = Unknown::default();
        unknown.look(&json, &MEMBERS, "");
        rotations_unknown(&json, &mut unknown)?;
        let end = |name: &str| json.get(name).map(|end| End::of(end, name)).transpose();
        let ends = match (end("from")?, end("to")?) {
            (None, None) => None,
            (Some(from), Some(to)) => Some((from, to)),
            _ => return Err(refused("`from` and `to` stand together or not at all")),
        };
        let log = json.get("log").filter(|log| log.as_object().is_some_and(|members| members.len() == 2));
        let log = log.ok_or_else(|| refused("`log` is not an object of exactly tree_size and path"))?;
        let path = log.get("path").and_then(Json::as_array).ok_or_else(|| refused("`log.path` is missing or not an array"))?;
        let (size, path) = (TreeSize(number(log, "tree_size", "log")?), hashes(path, "log")?);
        let (checkpoint, rotations) = (string(&json, "checkpoint")?, rotations(&json)?);
        let incomplete = json.get("incomplete").map(|_| string(&json, "incomplete")).transpose()?;
        let (cosignatures, timestamps) = (texts(&json, "cosignatures")?, texts(&json, "timestamps")?);
        let seals = take(&mut json, "seals").and_then(array).ok_or_else(|| refused("`seals` is missing or not an array"))?;
        if seals.len() > RANGE_SEALS_MAX {
            return Err(refused(format!("`seals` holds more than {RANGE_SEALS_MAX}")));
        }
        let mut shown = 0;
        let seals = seals.into_iter().enumerate().map(|(at, seal)| SealPart::of(seal, &format!("seals.{at}"), &mut shown));
        let seals = seals.collect::<Result<Vec<_>, _>>()?;
        Ok(RangeBundle { ends, seals, size, path, checkpoint, cosignatures, timestamps, rotations, incomplete, unknown })
    }

    /// The bundle's canonical bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        let line = |(at, record): (LeafIndex, String)| {
            Json::object([("leaf_index", Json::String(at.0.to_string())), ("record", Json::String(record))])
        };
        let segment = |part: SegmentPart| {
            Json::object([("records", Json::Array(part.records.into_iter().map(line).collect())), ("path", path_json(&part.path))])
        };
        let seal = |part: SealPart| {
            let segments = part.segments.into_iter().map(segment).collect();
            Json::object([("statement", part.statement), ("segments", Json::Array(segments))])
        };
        let log = Json::object([("tree_size", Json::String(self.size.0.to_string())), ("path", path_json(&self.path))]);
        let mut members = vec![
            ("format".to_owned(), Json::string(FORMAT)),
            ("seals".to_owned(), Json::Array(self.seals.into_iter().map(seal).collect())),
            ("log".to_owned(), log),
            ("checkpoint".to_owned(), Json::String(self.checkpoint)),
            ("cosignatures".to_owned(), texts_json(&self.cosignatures)),
            ("timestamps".to_owned(), texts_json(&self.timestamps)),
            ("rotations".to_owned(), rotations_json(&self.rotations)),
        ];
        if let Some(incomplete) = self.incomplete {
            members.push(("incomplete".to_owned(), Json::String(incomplete)));
        }
        if let Some((from, to)) = self.ends {
            members.push(("from".to_owned(), from.into_json()));
            members.push(("to".to_owned(), to.into_json()));
        }
        Json::Object(members).to_jcs()
    }

    pub(super) fn outer(&self) -> Outer<'_> {
        Outer {
            size: self.size,
            checkpoint: &self.checkpoint,
            cosignatures: &self.cosignatures,
            timestamps: &self.timestamps,
            rotations: &self.rotations,
        }
    }
}

impl End {
    fn of(json: &Json, name: &str) -> Result<Self, ProofError> {
        if json.as_object().is_none_or(|members| members.len() != 3) {
            return Err(refused(format!("`{name}` holds exactly index, segment and leaf_index")));
        }
        let leaf_index = LeafIndex(number(json, "leaf_index", name)?);
        Ok(End { seal: number(json, "index", name)?, segment: string(json, "segment")?, leaf_index })
    }

    fn into_json(self) -> Json {
        Json::object([
            ("index", Json::String(self.seal.to_string())),
            ("segment", Json::String(self.segment)),
            ("leaf_index", Json::String(self.leaf_index.0.to_string())),
        ])
    }
}

impl SealPart {
    fn of(mut json: Json, name: &str, shown: &mut usize) -> Result<Self, ProofError> {
        exactly(&json, 2, name, "statement and segments")?;
        let statement = take(&mut json, "statement").filter(|v| v.as_object().is_some());
        let statement = statement.ok_or_else(|| refused(format!("`{name}.statement` is missing or not an object")))?;
        let segments = take(&mut json, "segments").and_then(array);
        let segments = segments.ok_or_else(|| refused(format!("`{name}.segments` is missing or not an array")))?;
        let segments = segments.into_iter().enumerate().map(|(at, part)| SegmentPart::of(part, &format!("{name}.segments.{at}"), shown));
        Ok(SealPart { statement, segments: segments.collect::<Result<_, _>>()? })
    }
}

impl SegmentPart {
    fn of(mut json: Json, name: &str, shown: &mut usize) -> Result<Self, ProofError> {
        exactly(&json, 2, name, "records and path")?;
        let path = json.get("path").and_then(Json::as_array).ok_or_else(|| refused(format!("`{name}.path` is missing or not an array")))?;
        let path = hashes(path, name)?;
        let records = take(&mut json, "records").and_then(array);
        let records = records.ok_or_else(|| refused(format!("`{name}.records` is missing or not an array")))?;
        *shown = shown.saturating_add(records.len());
        if *shown > RANGE_RECORDS_MAX {
            return Err(refused(format!("it shows more than {RANGE_RECORDS_MAX} records")));
        }
        let record = |mut json: Json| {
            let name = format!("{name}.records");
            exactly(&json, 2, &name, "leaf_index and record")?;
            let at = LeafIndex(number(&json, "leaf_index", &name)?);
            match take(&mut json, "record") {
                Some(Json::String(record)) => Ok((at, record)),
                _ => Err(refused(format!("`{name}` holds a record that is missing or not a string"))),
            }
        };
        Ok(SegmentPart { records: records.into_iter().map(record).collect::<Result<_, _>>()?, path })
    }
}

fn exactly(json: &Json, members: usize, name: &str, what: &str) -> Result<(), ProofError> {
    match json.as_object() {
        Some(all) if all.len() == members => Ok(()),
        _ => Err(refused(format!("`{name}` is not an object of exactly {what}"))),
    }
}

fn number(json: &Json, member: &str, name: &str) -> Result<u64, ProofError> {
    let parsed = json.get(member).and_then(Json::as_str).and_then(parse_decimal);
    parsed.ok_or_else(|| refused(format!("`{name}.{member}` is not a decimal number as a string")))
}

/// Takes a member out of an object.
fn take(json: &mut Json, name: &str) -> Option<Json> {
    let Json::Object(members) = json else { return None };
    members.iter_mut().find(|(n, _)| n == name).map(|(_, value)| std::mem::replace(value, Json::Null))
}

fn array(json: Json) -> Option<Vec<Json>> {
    match json {
        Json::Array(items) => Some(items),
        _ => None,
    }
}
