//! The proof bundle `spanseal.proof/1` (`store.md`, "The proof bundle"): one record, offline, against a key that the auditor brings.
//!
//! A bundle that passes proves that the record was *signed* into the log. That it was *published*, so that no other history can be shown
//! instead, needs cosignatures by as many witnesses as the auditor asks for ([`check_with`]), or a checkpoint that the auditor kept; the text
//! says so each time. A time stamp proves that it *existed* by then, and not that anybody else was shown it.

mod any;
mod outer;
mod range;
mod read;
mod stamped;
mod told;

pub use any::{Checked, Proof};
pub use range::{Between, End, Lapse, RangeBundle, RangeDoubt, RangeProved, SealPart, SegmentPart, ShownRecord, Storage, check_range_with};
pub(super) use range::{RANGE_RECORDS_MAX, RANGE_SEALS_MAX};
pub use read::Unknown;
pub use stamped::{Stamped, Stamps};
pub use told::{CheckReport, Kept, Proved, SeenBy, Under, check, check_with};

use sha2::{Digest, Sha256};

use super::doubt::{Doubt, ahead, impossible, received_after};
use super::report::Kind;
use super::segment::{Times, check_record};
use super::stamps::AFTER_TOKEN_MAX_SECONDS;
use crate::clock::UnixSeconds;
use crate::plain::brief;
use crate::record::SCHEMA;
use crate::record::canonical::Json;
use crate::record::content::referred;
use crate::timestamp::Roots;
use crate::tlog::cosignature::WitnessKey;
use crate::tlog::merkle::{leaf_hash, root_from_inclusion};
use crate::tlog::note::{Checkpoint, SignedNote, UnverifiedCheckpoint, VerifierKey, parse_decimal};
use crate::tlog::seal_file::{SegmentRef, Statement};
use crate::tlog::{Hash, LeafIndex, TreeSize};
use crate::worm::LINE_BYTES_MAX;
use outer::Outer;
use read::{inclusion, list, object, place_json, rotations, rotations_json, rotations_unknown, statement, string, texts, texts_json};

/// The format that this code writes and understands.
const FORMAT: &str = "spanseal.proof/1";
/// How the format of any version begins.
const FORMATS: &str = "spanseal.proof/";
/// Largest bundle that is read: a record and its openings, of which a few may be as long as a request (16 MiB).
const BUNDLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Longest inclusion path: a tree of 2^64 leaves.
const PATH_MAX: usize = 64;
/// Most rotations, openings, cosignatures, time stamps.
const LIST_MAX: usize = 1000;
/// Members that are understood; others are named as not looked at.
const MEMBERS: [&str; 10] =
    ["format", "record", "segment", "statement", "log", "checkpoint", "cosignatures", "timestamps", "rotations", "openings"];

/// Why a bundle proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// No bundle at all: nothing that could be refused.
    #[error("{0}")]
    NotAProof(String),
    /// A bundle that does not prove what it claims.
    #[error("{0}")]
    Refused(String),
    /// A format of another version: nothing can be concluded.
    #[error("the {0} has format `{1}`, which this version does not know")]
    UnknownFormat(&'static str, String),
}

fn refused(why: impl Into<String>) -> ProofError {
    ProofError::Refused(why.into())
}

/// Whom the auditor trusts besides the log's key.
#[derive(Clone, Debug, Default)]
pub struct Others {
    /// Roots of time stamping authorities.
    pub tsa_roots: Roots,
    /// Witnesses.
    pub witnesses: Vec<WitnessKey>,
    /// How many of them must have cosigned; all of them without it. Who has another's name or another's key is none besides.
    pub quorum: Option<usize>,
    /// A checkpoint that the auditor kept, with which the bundle's is compared.
    pub kept: Option<UnverifiedCheckpoint>,
    /// More keys of the log that he brought. Nothing is checked under them here; the answer says of each whether the bundle leads to it.
    pub other_keys: Vec<VerifierKey>,
}

impl Others {
    /// Whether a time stamp is asked for: roots were brought.
    fn asks_for_time(&self) -> bool {
        !self.tsa_roots.is_empty()
    }

    /// How many witnesses must have cosigned; `None`: none was brought.
    fn asked(&self) -> Option<usize> {
        (!self.witnesses.is_empty()).then(|| self.quorum.unwrap_or_else(|| WitnessKey::many(&self.witnesses)))
    }
}

/// An inclusion proof as a bundle holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// Position of the leaf.
    pub index: LeafIndex,
    /// Leaves of the tree.
    pub size: TreeSize,
    /// From the leaf upwards.
    pub path: Vec<Hash>,
}

/// A change of key: the seal that announced it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotation {
    /// Statement with `next_vkey`.
    pub statement: Json,
    /// Its place in the log.
    pub log: Inclusion,
    /// Its own checkpoint, signed by both keys.
    pub checkpoint: String,
}

/// Content that the holder of the vault discloses, checked against the salted commitment in the record.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// Path of the content object in the record: `input`, `retrieval.documents.0.content`.
    pub member: String,
    /// 64 hex digits.
    pub salt: String,
    /// The preimage.
    pub content: String,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Content never reaches a log.
        f.debug_struct("Opening").field("member", &self.member).field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

/// A parsed bundle. Parsing checks types and sizes; [`Bundle::check`] checks the proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// The exact sealed line.
    pub record: String,
    /// The line in its segment.
    pub segment: Inclusion,
    /// The statement of the seal.
    pub statement: Json,
    /// The statement in the log.
    pub log: Inclusion,
    /// Signed note.
    pub checkpoint: String,
    /// Signature lines of witnesses over the checkpoint's text.
    pub cosignatures: Vec<String>,
    /// Time stamp tokens, base64 DER.
    pub timestamps: Vec<String>,
    /// Changes of key from the auditor's key to the one that signed, in order.
    pub rotations: Vec<Rotation>,
    /// Disclosed content.
    pub openings: Vec<Opening>,
    /// Members that this version does not know, those of rotations and openings by their path. No signature covers them.
    pub unknown: Unknown,
}

impl Bundle {
    /// Reads a bundle: any JSON layout, but no name twice, no type but those of the format, nothing beyond its limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        match Proof::parse(bytes)? {
            Proof::Record(bundle) => Ok(*bundle),
            Proof::Range(_) => Err(ProofError::NotAProof("it is a proof of several records".to_owned())),
        }
    }

    fn of(json: &Json) -> Result<Self, ProofError> {
        let mut unknown = Unknown::default();
        unknown.look(json, &MEMBERS, "");
        rotations_unknown(json, &mut unknown)?;
        for (at, opening) in json.get("openings").and_then(Json::as_array).unwrap_or_default().iter().enumerate() {
            unknown.look(opening, &["member", "salt", "content"], &format!("openings.{at}."));
        }
        let opening = |v: &Json| Ok(Opening { member: string(v, "member")?, salt: string(v, "salt")?, content: string(v, "content")? });
        Ok(Bundle {
            record: string(json, "record")?,
            segment: inclusion(json, "segment", "leaf_index")?,
            statement: object(json, "statement")?,
            log: inclusion(json, "log", "index")?,
            checkpoint: string(json, "checkpoint")?,
            cosignatures: texts(json, "cosignatures")?,
            timestamps: texts(json, "timestamps")?,
            rotations: rotations(json)?,
            openings: match json.get("openings") {
                None => Vec::new(),
                Some(_) => list(json, "openings")?.iter().map(opening).collect::<Result<_, ProofError>>()?,
            },
            unknown,
        })
    }

    /// The bundle's canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let opening = |o: &Opening| {
            Json::object([("member", Json::string(&o.member)), ("salt", Json::string(&o.salt)), ("content", Json::string(&o.content))])
        };
        let mut members = vec![
            ("format".to_owned(), Json::string(FORMAT)),
            ("record".to_owned(), Json::string(&self.record)),
            ("segment".to_owned(), place_json(&self.segment, "leaf_index")),
            ("statement".to_owned(), self.statement.clone()),
            ("log".to_owned(), place_json(&self.log, "index")),
            ("checkpoint".to_owned(), Json::string(&self.checkpoint)),
            ("cosignatures".to_owned(), texts_json(&self.cosignatures)),
            ("timestamps".to_owned(), texts_json(&self.timestamps)),
            ("rotations".to_owned(), rotations_json(&self.rotations)),
        ];
        if !self.openings.is_empty() {
            members.push(("openings".to_owned(), Json::Array(self.openings.iter().map(opening).collect())));
        }
        Json::Object(members).to_jcs()
    }

    /// Checks the whole proof against the auditor's key alone. `now` tells which dates cannot be.
    pub fn check(&self, vkey: &VerifierKey, now: UnixSeconds) -> Result<Proved, ProofError> {
        self.check_with(vkey, &Others::default(), now)
    }

    /// The same, and what others say of the checkpoint, whom the auditor trusts as well.
    ///
    /// The checkpoint may be that of any seal from the record's own on: its very text is what is stamped, so the tokens bind it.
    pub fn check_with(&self, vkey: &VerifierKey, others: &Others, now: UnixSeconds) -> Result<Proved, ProofError> {
        if self.record.len() > LINE_BYTES_MAX {
            return Err(refused(format!("a record is at most {LINE_BYTES_MAX} bytes")));
        }
        let record = Json::parse_canonical(self.record.as_bytes()).map_err(|e| refused(format!("record: {e}")))?;
        if record.as_object().is_none() {
            return Err(refused("the record is not a JSON object"));
        }
        // Every statement is read before anything else is judged: one of a newer format makes the proof unchecked, whatever else is in it.
        let statement = statement(&self.statement)?;
        let outer = self.outer();
        let turns = outer.announcements()?;
        let root = root_from_inclusion(leaf_hash(self.record.as_bytes()), self.segment.index, self.segment.size, &self.segment.path)
            .ok_or_else(|| refused("segment: the path does not fit leaf_index and tree_size"))?;
        let segment = statement.segments.iter().find(|s| s.records == self.segment.size.0 && s.merkle_root == root);
        let segment = segment.ok_or_else(|| {
            refused(
                "no segment of the statement has this number of records and this root: the record is \
                                                         not the one that was sealed",
            )
        })?;
        let key = outer.follow_rotations(&turns, vkey)?;
        let checkpoint = included(&self.statement, &statement, &self.log, &self.checkpoint, &key)?;
        let own = (self.log.index, leaf_hash(&self.statement.to_jcs()));
        outer.holds_announced(std::slice::from_ref(&statement), &[own], vkey)?;
        let stamps = outer.stamps(others)?;
        let mut doubts = impossible(&statement);
        doubts.extend(self.unchained(&statement));
        doubts.extend(stamps.trusted.iter().find_map(|stamped| stamped_before(&statement, stamped)));
        doubts.extend(ahead(&statement, now));
        doubts.extend(contradicted(&record, segment, statement.sealed_at)?);
        let opened = self.openings.iter().map(|o| o.check(&record)).collect::<Result<Vec<_>, _>>()?;
        if let Some(twice) = opened.iter().enumerate().find_map(|(at, member)| opened.get(..at)?.contains(member).then_some(member)) {
            return Err(refused(format!("openings: `{twice}` is opened twice")));
        }
        let text = |path: &str| record.path(path).and_then(Json::as_str).map(str::to_owned);
        let known = outer.keys_of_log(vkey, &turns, std::slice::from_ref(&statement), others);
        let seen = outer.seen((&key, &known), &statement, &others.witnesses, now)?;
        let (kept, fork) = outer.compared(others, &checkpoint, &outer.terms(vkey, &turns, &statement));
        doubts.extend(fork);
        Ok(Proved {
            record_id: text("id"),
            kind: text("kind"),
            says: says(&record),
            other_schema: other_schema(&record),
            leaf_index: self.segment.index.0,
            segment: segment.clone(),
            tree_size: checkpoint.size.0,
            root: checkpoint.root.0,
            rotations: self.rotations.len(),
            opened,
            referred: referred(&record),
            doubts,
            cosigned: seen.many(&others.witnesses),
            seen: seen.by,
            asked: others.asked(),
            cosignatures: seen.strangers,
            false_cosignatures: seen.unsound,
            kept,
            stamps,
            now,
            unknown: self.unknown.clone(),
            under: outer.under(vkey, &turns, &statement, others),
            statement,
            key,
        })
    }

    /// A seal of odd index has the seal before it for its sibling: the first hash of its path is that one's leaf.
    fn unchained(&self, statement: &Statement) -> Option<Doubt> {
        let (sibling, previous) = (self.log.path.first()?, statement.previous?);
        (statement.index % 2 == 1 && *sibling != previous.0).then(|| Doubt {
            kind: Kind::SealChain,
            member: "previous",
            expected: format!("the leaf hash of seal {}, {sibling}", statement.index.saturating_sub(1)),
            found: previous.0.to_string(),
            meaning: "The seal is in the log, but what it says of the seal before it is not so. What was sealed is as signed: verify the log, and \
                      ask the operator what wrote it.",
        })
    }

    /// What of it stands around the record.
    fn outer(&self) -> Outer<'_> {
        Outer {
            size: self.log.size,
            checkpoint: &self.checkpoint,
            cosignatures: &self.cosignatures,
            timestamps: &self.timestamps,
            rotations: &self.rotations,
        }
    }
}

/// Longest value of those, characters: all but versions and words of machines are cut at 256 bytes before they are sealed.
const SAYS_CHARS_MAX: usize = 80;

/// What a record says of itself that helps a reader to know it again: no content and no person.
fn says(record: &Json) -> Vec<(&'static str, String)> {
    const PATHS: [(&str, &[&str]); 7] = [
        ("trace", &["trace.trace_id"]),
        ("time", &["time.start", "time.received"]),
        ("service", &["source.service"]),
        ("system", &["system.id"]),
        ("model", &["model.id", "model.requested"]),
        ("type", &["decision.type"]),
        ("outcome", &["review.final_outcome", "decision.outcome", "guardrail.outcome", "action.status"]),
    ];
    let of = |paths: &[&str]| paths.iter().find_map(|path| record.path(path).and_then(Json::as_str));
    PATHS.into_iter().filter_map(|(name, paths)| Some((name, brief(of(paths)?, SAYS_CHARS_MAX)))).collect()
}

/// A trusted token that is older than the seal which its checkpoint covers.
fn stamped_before(statement: &Statement, stamped: &Stamped) -> Option<Doubt> {
    (statement.sealed_at.0.saturating_sub(stamped.not_later_than.0) > AFTER_TOKEN_MAX_SECONDS).then(|| Doubt {
        kind: Kind::TimestampEarly,
        member: "sealed_at",
        expected: format!("`sealed_at` at most five minutes after {}, when `{}` saw it", stamped.not_later_than, stamped.authority),
        found: format!("`sealed_at` {}", statement.sealed_at),
        meaning: "An authority that you trust saw the seal before the time that the seal gives for itself. What was sealed is as signed, but its \
                  time is wrong: ask the operator what the writer's clock was.",
    })
}

/// What stands in a record for its schema, where that is none that is known: then its bytes are proved, and what its members mean is not judged.
fn other_schema(record: &Json) -> Option<String> {
    match record.get("schema").and_then(Json::as_str) {
        Some(SCHEMA) => None,
        Some(other) => Some(format!("`{}`", brief(other, SAYS_CHARS_MAX))),
        None => Some("none".to_owned()),
    }
}

/// What a record says of itself, against what the statement says of its segment and of the time. A record of another schema says nothing that is known.
fn contradicted(record: &Json, segment: &SegmentRef, sealed_at: UnixSeconds) -> Result<Vec<Doubt>, ProofError> {
    let mut doubts = Vec::new();
    if other_schema(record).is_some() {
        return Ok(doubts);
    }
    let Times { first, last, received } = check_record(record).map_err(|what| refused(format!("record: {what}")))?;
    let mut differ = |member, expected, found| {
        let meaning = "The record was signed, but the seal says of its segment what this record contradicts. Verify the log, and ask the \
                       operator what wrote it.";
        doubts.push(Doubt { kind: Kind::SegmentContent, member, expected, found, meaning });
    };
    if first < segment.first || last > segment.last {
        let range = |from: crate::clock::UnixNanos, to: crate::clock::UnixNanos| format!("{} to {}", from.rfc3339(), to.rfc3339());
        differ("time", format!("times within {}", range(segment.first, segment.last)), range(first, last));
    }
    if let Some(class) = record.path("retention.class").and_then(Json::as_str).filter(|class| *class != segment.class) {
        differ("retention.class", format!("class `{}`", segment.class), format!("class `{class}`"));
    }
    doubts.extend(received.and_then(|at| received_after(at, sealed_at, "")));
    Ok(doubts)
}

/// The statement's inclusion in the tree that a checkpoint of `key` signs.
fn included(json: &Json, statement: &Statement, place: &Inclusion, note: &str, key: &VerifierKey) -> Result<Checkpoint, ProofError> {
    let checkpoint = signed(statement, place.size, note, key)?;
    if place.index.0 != statement.index {
        return Err(refused("log.index is not the statement's index"));
    }
    // The leaf covers all members, also those that this version does not know.
    let root = root_from_inclusion(leaf_hash(&json.to_jcs()), place.index, place.size, &place.path);
    match root {
        None => Err(refused("log: the path does not fit index and tree_size")),
        Some(root) if root != checkpoint.root => {
            Err(refused("log: the path does not lead to the checkpoint's root: the statement is not in the log"))
        }
        Some(_) => Ok(checkpoint),
    }
}

/// The checkpoint of `key` over a tree of this size, of the log that the statement names. The statement's own is signed by the key that it
/// announces as well.
fn signed(statement: &Statement, size: TreeSize, note: &str, key: &VerifierKey) -> Result<Checkpoint, ProofError> {
    let checkpoint = Checkpoint::open(note, key).map_err(|e| refused(format!("checkpoint: {e}")))?;
    if !checkpoint.extensions.is_empty() {
        return Err(refused("the checkpoint has extension lines"));
    }
    if statement.log != checkpoint.origin {
        return Err(refused(format!("the statement is of log `{}`, the checkpoint of `{}`", statement.log, checkpoint.origin)));
    }
    if size != checkpoint.size {
        return Err(refused("log.tree_size is not the checkpoint's size"));
    }
    if let Some(next) = &statement.next_vkey
        && Some(checkpoint.size.0) == statement.index.checked_add(1)
    {
        if next == key || next.name() != key.name() {
            return Err(refused("the seal announces a key that is not a new one of the same origin"));
        }
        let note = SignedNote::parse(note).map_err(|e| refused(format!("checkpoint: {e}")))?;
        note.verify(next).map_err(|e| refused(format!("the seal announces a key that did not sign it: {e}")))?;
    }
    Ok(checkpoint)
}

impl Opening {
    /// `commitment` = `salted-sha256:<hex SHA-256(salt || x)>` (`record.md` section 4).
    fn check(&self, record: &Json) -> Result<String, ProofError> {
        // What a sender put there may look like a content object, and is none: the record itself committed to nothing in it.
        if ["attributes", "source"].iter().any(|group| self.member.split('.').next() == Some(group)) {
            return Err(refused(format!("openings: `{}` is no content of the record, whatever it looks like", self.member)));
        }
        let at = self.member.split('.').try_fold(record, |at, name| match at {
            Json::Array(items) => parse_decimal(name).and_then(|n| usize::try_from(n).ok()).and_then(|n| items.get(n)),
            _ => at.get(name),
        });
        let commitment = at.and_then(|c| c.get("commitment")).and_then(Json::as_str);
        let commitment = commitment.ok_or_else(|| refused(format!("openings: `{}` has no commitment in the record", self.member)))?;
        let salt = Hash::parse_hex(&self.salt).ok_or_else(|| refused("openings: a salt is 64 lower-case hex digits"))?;
        let mut hash = Sha256::new();
        hash.update(salt.0);
        hash.update(self.content.as_bytes());
        if commitment != format!("salted-sha256:{}", hex::encode(hash.finalize())) {
            return Err(refused(format!("openings: content and salt are not what `{}` committed to", self.member)));
        }
        Ok(self.member.clone())
    }
}

#[cfg(test)]
mod tests;
