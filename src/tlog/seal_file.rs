//! The seal file and its statement `spanseal.seal/1` (`store.md`, "The seal"): what the writer builds and every reader parses, strictly.
//!
//! A seal file is exactly its own JCS bytes and holds exactly `statement`, `checkpoint` and `frontier`. A statement is the entry of
//! the log: its JCS bytes are hashed into the tree. What is refused here is refused also when the log's own key signed it.

use super::merkle::{CompactRange, leaf_hash};
use super::note::{Checkpoint, NoteError, VerifierKey, parse_decimal};
use super::{Hash, LeafHash, RootHash, TreeSize};
use crate::clock::{UnixNanos, UnixSeconds};
use crate::record::canonical::Json;
use crate::worm::{ENTRY_BYTES_MAX, Lock, Mode, SEAL_BYTES_MAX, SEGMENT_BYTES_MAX, VersionId, is_name, segment_name};

/// The statement format that this code writes and understands.
pub const FORMAT: &str = "spanseal.seal/1";

/// Why bytes are not a seal of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The bytes break the format.
    #[error("{0}")]
    Malformed(String),
    /// A format of another version: not wrong, but nothing can be concluded from it ("unchecked", never "verified").
    #[error("the statement has format `{0}`, which this version does not know")]
    UnknownFormat(String),
    /// The checkpoint does not verify or does not fit.
    #[error("checkpoint: {0}")]
    Checkpoint(NoteError),
    /// Frontier, leaf and signed root do not fit together, or not to the seal before.
    #[error("{0}")]
    Tree(&'static str),
}

fn malformed(what: impl Into<String>) -> SealError {
    SealError::Malformed(what.into())
}

/// What a seal says of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRef {
    /// Key relative to the log.
    pub key: String,
    /// Locator of the version, where the store has versions.
    pub version_id: Option<VersionId>,
    /// SHA-256 of the stored bytes.
    pub sha256: Hash,
    /// Stored bytes.
    pub bytes: u64,
    /// Records (lines), at least 1.
    pub records: u64,
    /// RFC 6962 root over the lines.
    pub merkle_root: RootHash,
    /// Retention class.
    pub class: String,
    /// The least lock that the version has.
    pub lock: Lock,
    /// Least time inside.
    pub first: UnixNanos,
    /// Greatest time inside.
    pub last: UnixNanos,
}

/// What a process received since its previous seal, or since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Spans received.
    pub spans: u64,
    /// Log records received.
    pub logs: u64,
    /// Sealed records that are not `signal: control`.
    pub promoted: u64,
    /// Spans and logs without AI meaning.
    pub skipped: u64,
    /// Spans and logs refused as malformed.
    pub rejected: u64,
    /// Equal records that were sealed before.
    pub duplicates: u64,
    /// Attributes that the sender's SDK says it dropped.
    pub dropped_attributes: u64,
}

impl Counts {
    const NAMES: [&'static str; 7] = ["spans", "logs", "promoted", "skipped", "rejected", "duplicates", "dropped_attributes"];

    fn values(self) -> [u64; 7] {
        [self.spans, self.logs, self.promoted, self.skipped, self.rejected, self.duplicates, self.dropped_attributes]
    }

    fn of([spans, logs, promoted, skipped, rejected, duplicates, dropped_attributes]: [u64; 7]) -> Self {
        Counts { spans, logs, promoted, skipped, rejected, duplicates, dropped_attributes }
    }

    /// Both together. Saturates: a count is some writer's word, and one that is beyond all numbers must not end a verification.
    #[must_use]
    pub fn plus(self, other: Counts) -> Counts {
        let mut sums = self.values();
        for (sum, count) in sums.iter_mut().zip(other.values()) {
            *sum = sum.saturating_add(count);
        }
        Counts::of(sums)
    }

    fn parse(json: &Json) -> Result<Self, SealError> {
        let mut values = [0; 7];
        for (slot, name) in values.iter_mut().zip(Self::NAMES) {
            *slot = number(json, name).map_err(|_| malformed(format!("counts.{name} is missing or not a decimal number")))?;
        }
        Ok(Counts::of(values))
    }
}

/// A statement: the entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Origin of the log.
    pub log: String,
    /// Index of this seal, and of its entry.
    pub index: u64,
    /// When the batch closed, rounded up.
    pub sealed_at: UnixSeconds,
    /// When the writing process started.
    pub started: UnixSeconds,
    /// Leaf hash of the entry before; absent in seal 0.
    pub previous: Option<LeafHash>,
    /// Segments, ascending by key.
    pub segments: Vec<SegmentRef>,
    /// Counters.
    pub counts: Counts,
    /// SHA-256 of the effective configuration's JCS text.
    pub config_sha256: Hash,
    /// When the next seal is promised at the latest.
    pub next_by: Option<UnixSeconds>,
    /// A new key of the same origin.
    pub next_vkey: Option<VerifierKey>,
    /// The store does not enforce locks.
    pub not_worm: bool,
    /// Index of the newest seal, this one included, that holds a record of a decree ([`crate::govern::decrees`]).
    pub decrees: Option<u64>,
}

impl Statement {
    /// The statement as JSON, for [`Json::to_jcs`].
    pub fn to_json(&self) -> Json {
        let text = |value: &dyn std::fmt::Display| Json::String(value.to_string());
        let mut members = vec![
            ("format", Json::string(FORMAT)),
            ("log", Json::string(&self.log)),
            ("index", text(&self.index)),
            ("sealed_at", text(&self.sealed_at)),
            ("started", text(&self.started)),
            ("segments", Json::Array(self.segments.iter().map(SegmentRef::to_json).collect())),
            ("counts", Json::Object(Counts::NAMES.iter().zip(self.counts.values()).map(|(n, v)| ((*n).to_owned(), text(&v))).collect())),
            ("config_sha256", text(&self.config_sha256)),
        ];
        if let Some(previous) = self.previous {
            members.push(("previous", text(&previous.0)));
        }
        if let Some(next_by) = self.next_by {
            members.push(("next_by", text(&next_by)));
        }
        if let Some(next_vkey) = &self.next_vkey {
            members.push(("next_vkey", text(next_vkey)));
        }
        if self.not_worm {
            members.push(("not_worm", Json::string("true")));
        }
        if let Some(decrees) = self.decrees {
            members.push(("decrees", text(&decrees)));
        }
        Json::Object(members.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())
    }

    /// The entry: canonical bytes.
    pub fn entry(&self) -> Vec<u8> {
        self.to_json().to_jcs()
    }

    /// Reads a statement. Unknown members are ignored; the leaf covers them.
    pub fn parse(json: &Json) -> Result<Self, SealError> {
        let format = string(json, "format")?;
        if format != FORMAT {
            return Err(SealError::UnknownFormat(format.to_owned()));
        }
        // Also of members that this version does not know: the seal file that holds the statement would be refused.
        if !only_strings(json) {
            return Err(malformed("it holds something besides objects, arrays and strings"));
        }
        if json.to_jcs().len() > ENTRY_BYTES_MAX {
            return Err(malformed(format!("the statement is longer than an entry may be ({ENTRY_BYTES_MAX} bytes)")));
        }
        let index = number(json, "index")?;
        let sealed_at = seconds(json, "sealed_at")?;
        let started = seconds(json, "started")?;
        let previous = match json.get("previous") {
            None => None,
            Some(_) => Some(LeafHash(hash(json, "previous")?)),
        };
        if previous.is_some() == (index == 0) {
            return Err(malformed("`previous` stands in every statement but that of seal 0"));
        }
        let listed = json.get("segments").and_then(Json::as_array).ok_or_else(|| malformed("`segments` is missing or not an array"))?;
        let segments = listed.iter().map(|s| SegmentRef::parse(s, sealed_at, index)).collect::<Result<Vec<_>, _>>()?;
        if !segments.is_sorted_by(|a, b| a.key < b.key) {
            return Err(malformed("`segments` is not in ascending order of keys, or a key stands twice"));
        }
        let counts = Counts::parse(json.get("counts").ok_or_else(|| malformed("`counts` is missing"))?)?;
        let next_by = json.get("next_by").map(|_| seconds(json, "next_by")).transpose()?;
        let next_vkey = match json.get("next_vkey") {
            None => None,
            Some(_) => Some(VerifierKey::parse(string(json, "next_vkey")?).map_err(|e| malformed(format!("next_vkey: {e}")))?),
        };
        let not_worm = match json.get("not_worm") {
            None => false,
            Some(value) if value.as_str() == Some("true") => true,
            Some(_) => return Err(malformed("`not_worm` is \"true\" or absent")),
        };
        let decrees = json.get("decrees").map(|_| number(json, "decrees")).transpose()?;
        if decrees.is_some_and(|decrees| decrees > index) {
            return Err(malformed("`decrees` names a seal that is still to come"));
        }
        Ok(Statement {
            log: string(json, "log")?.to_owned(),
            index,
            sealed_at,
            started,
            previous,
            segments,
            counts,
            config_sha256: hash(json, "config_sha256")?,
            next_by,
            next_vkey,
            not_worm,
            decrees,
        })
    }
}

impl SegmentRef {
    fn to_json(&self) -> Json {
        let text = |value: &dyn std::fmt::Display| Json::String(value.to_string());
        let mut json = vec![
            ("key", Json::string(&self.key)),
            ("sha256", text(&self.sha256)),
            ("bytes", text(&self.bytes)),
            ("records", text(&self.records)),
            ("merkle_root", text(&self.merkle_root.0)),
            ("class", Json::string(&self.class)),
            ("mode", Json::string(self.lock.mode.as_str())),
            ("retain_until", text(&self.lock.retain_until)),
            ("first", Json::String(self.first.rfc3339())),
            ("last", Json::String(self.last.rfc3339())),
        ];
        if let Some(version) = &self.version_id {
            json.push(("version_id", Json::string(&version.0)));
        }
        Json::Object(json.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())
    }

    fn parse(json: &Json, sealed_at: UnixSeconds, index: u64) -> Result<Self, SealError> {
        let class = string(json, "class")?;
        if !is_name(class) {
            return Err(malformed(format!("`{class}` is not a class name")));
        }
        let key = string(json, "key")?;
        let sha256 = hash(json, "sha256")?;
        if key != segment_name(class, sealed_at, index, &sha256.to_string()) {
            return Err(malformed(format!("segment key `{key}` is not the name that class, sealed_at, index and sha256 give")));
        }
        let within = |name: &str, most: u64| match number(json, name)? {
            n if (1..=most).contains(&n) => Ok(n),
            n => Err(malformed(format!("segment `{key}`: {name} is {n}, allowed is 1 to {most}"))),
        };
        let mode = Mode::parse(string(json, "mode")?).ok_or_else(|| malformed("`mode` is GOVERNANCE or COMPLIANCE"))?;
        let lock = Lock { mode, retain_until: seconds(json, "retain_until")? };
        if lock.retain_until < sealed_at {
            return Err(malformed(format!("segment `{key}` is retained until before it was sealed")));
        }
        let (first, last) = (nanos(json, "first")?, nanos(json, "last")?);
        if first > last {
            return Err(malformed(format!("segment `{key}`: `first` is later than `last`")));
        }
        let version_id = match json.get("version_id") {
            None => None,
            Some(Json::String(id)) if !id.is_empty() => Some(VersionId(id.clone())),
            Some(_) => return Err(malformed("`version_id` is not a string, or empty")),
        };
        Ok(SegmentRef {
            version_id,
            bytes: within("bytes", SEGMENT_BYTES_MAX)?,
            records: within("records", u64::MAX)?,
            merkle_root: RootHash(hash(json, "merkle_root")?),
            key: key.to_owned(),
            class: class.to_owned(),
            sha256,
            lock,
            first,
            last,
        })
    }
}

/// A whole seal, read or about to be written.
#[derive(Clone, Debug)]
pub struct SealFile {
    /// Its statement.
    pub statement: Statement,
    /// The statement's canonical bytes: the log's entry, with members that this version does not know.
    pub entry: Vec<u8>,
    /// The signed checkpoint of tree size `index + 1`, exactly as stored.
    pub checkpoint: String,
    /// Compact range of tree size `index`, before this entry.
    pub frontier: CompactRange,
}

impl SealFile {
    /// The file's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SealError> {
        let statement = Json::parse(&self.entry).map_err(|e| malformed(e.to_string()))?;
        let frontier = self.frontier.nodes().iter().map(|n| Json::String(n.to_string())).collect();
        let bytes =
            Json::object([("statement", statement), ("checkpoint", Json::string(&self.checkpoint)), ("frontier", Json::Array(frontier))])
                .to_jcs();
        if u64::try_from(bytes.len()).is_ok_and(|n| n <= SEAL_BYTES_MAX) {
            Ok(bytes)
        } else {
            Err(malformed("a seal file is at most 256 KiB"))
        }
    }

    /// Reads a seal file: canonical form, exactly three members, no numbers, limits. Signatures are [`SealFile::open`]'s work.
    pub fn parse(bytes: &[u8]) -> Result<Self, SealError> {
        if u64::try_from(bytes.len()).is_ok_and(|n| n > SEAL_BYTES_MAX) {
            return Err(malformed("longer than 256 KiB"));
        }
        let json = Json::parse_canonical(bytes).map_err(|e| malformed(e.to_string()))?;
        let members = json.as_object().ok_or_else(|| malformed("not an object"))?;
        if members.len() != 3 {
            return Err(malformed("a seal holds exactly statement, checkpoint and frontier"));
        }
        let statement_json = json.get("statement").ok_or_else(|| malformed("`statement` is missing"))?;
        let statement = Statement::parse(statement_json)?;
        let listed = json.get("frontier").and_then(Json::as_array).ok_or_else(|| malformed("`frontier` is missing"))?;
        let nodes = listed.iter().map(|n| n.as_str().and_then(Hash::parse_hex)).collect::<Option<Vec<_>>>();
        let frontier = nodes
            .and_then(|nodes| CompactRange::from_nodes(TreeSize(statement.index), nodes))
            .ok_or_else(|| malformed("`frontier` is not the compact range of tree size `index`"))?;
        let checkpoint = string(&json, "checkpoint")?.to_owned();
        Ok(SealFile { statement, entry: statement_json.to_jcs(), checkpoint, frontier })
    }

    /// This entry's leaf hash.
    pub fn leaf(&self) -> LeafHash {
        leaf_hash(&self.entry)
    }

    /// The compact range after this entry.
    pub fn range_after(&self) -> CompactRange {
        let mut range = self.frontier.clone();
        range.append(self.leaf());
        range
    }

    /// Everything that one seal shows by itself: the checkpoint carries the signatures it must and no other, it is of this log and
    /// tree size `index + 1`, and frontier plus leaf fold to the signed root.
    ///
    /// With `next_vkey` the old and the new key both sign (`store.md`, "The seal").
    pub fn open(&self, key: &VerifierKey) -> Result<Checkpoint, SealError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key).map_err(SealError::Checkpoint)?;
        let mut signers = vec![key];
        if let Some(next) = &self.statement.next_vkey {
            if next.name() != key.name() || next == key {
                return Err(malformed("`next_vkey` is not a new key of the same origin"));
            }
            Checkpoint::open(&self.checkpoint, next).map_err(SealError::Checkpoint)?;
            signers.push(next);
        }
        let note = super::note::SignedNote::parse(&self.checkpoint).map_err(SealError::Checkpoint)?;
        if note.signatures.len() != signers.len() {
            return Err(malformed("the checkpoint in a seal carries the log's own signature only"));
        }
        if !checkpoint.extensions.is_empty() {
            return Err(malformed("the checkpoint in a seal has extension lines"));
        }
        if self.statement.log != key.name() {
            return Err(malformed(format!("the statement is of log `{}`, not of `{}`", self.statement.log, key.name())));
        }
        if Some(checkpoint.size.0) != self.statement.index.checked_add(1) {
            return Err(SealError::Tree("the checkpoint's tree size is not the seal's index plus one"));
        }
        if self.range_after().root() != checkpoint.root {
            return Err(SealError::Tree("frontier and statement do not fold to the signed root"));
        }
        Ok(checkpoint)
    }

    /// Whether this seal extends the one before it: `previous`, the frontier (which is as large as its index) and the order of times.
    pub fn extends(&self, before: &SealFile) -> Result<(), SealError> {
        if self.statement.previous != Some(before.leaf()) {
            return Err(SealError::Tree("`previous` is not the leaf hash of the seal before"));
        }
        if self.frontier != before.range_after() {
            return Err(SealError::Tree("the frontier is not the tree that the seal before left"));
        }
        if self.statement.sealed_at < before.statement.sealed_at {
            return Err(SealError::Tree("`sealed_at` goes backwards"));
        }
        Ok(())
    }
}

/// `log.json`: names the log; proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Origin.
    pub origin: String,
    /// The first verifier key.
    pub vkey: VerifierKey,
    /// When it was made.
    pub created: UnixSeconds,
}

impl LogFile {
    /// Format of `log.json`.
    pub const FORMAT: &'static str = "spanseal.log/1";

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        Json::object([
            ("format", Json::string(Self::FORMAT)),
            ("origin", Json::string(&self.origin)),
            ("vkey", Json::String(self.vkey.to_string())),
            ("created", Json::String(self.created.to_string())),
        ])
        .to_jcs()
    }

    /// Reads it, strictly.
    pub fn parse(bytes: &[u8]) -> Result<Self, SealError> {
        let json = Json::parse_canonical(bytes).map_err(|e| malformed(e.to_string()))?;
        let format = string(&json, "format")?;
        if format != Self::FORMAT {
            return Err(SealError::UnknownFormat(format.to_owned()));
        }
        if !only_strings(&json) {
            return Err(malformed("it holds something besides objects, arrays and strings"));
        }
        let vkey = VerifierKey::parse(string(&json, "vkey")?).map_err(|e| malformed(e.to_string()))?;
        let origin = string(&json, "origin")?.to_owned();
        if origin != vkey.name() {
            return Err(malformed("the origin is not the key's name"));
        }
        Ok(LogFile { origin, vkey, created: seconds(&json, "created")? })
    }
}

fn only_strings(json: &Json) -> bool {
    match json {
        Json::String(_) => true,
        Json::Array(items) => items.iter().all(only_strings),
        Json::Object(members) => members.iter().all(|(_, v)| only_strings(v)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

fn string<'a>(json: &'a Json, name: &str) -> Result<&'a str, SealError> {
    json.get(name).and_then(Json::as_str).ok_or_else(|| malformed(format!("`{name}` is missing or not a string")))
}

fn number(json: &Json, name: &str) -> Result<u64, SealError> {
    parse_decimal(string(json, name)?).ok_or_else(|| malformed(format!("`{name}` is not a decimal number")))
}

fn hash(json: &Json, name: &str) -> Result<Hash, SealError> {
    Hash::parse_hex(string(json, name)?).ok_or_else(|| malformed(format!("`{name}` is not 64 lower-case hex digits")))
}

fn seconds(json: &Json, name: &str) -> Result<UnixSeconds, SealError> {
    UnixSeconds::parse_strict(string(json, name)?).ok_or_else(|| malformed(format!("`{name}` is not a time in whole seconds, UTC")))
}

fn nanos(json: &Json, name: &str) -> Result<UnixNanos, SealError> {
    let text = string(json, name)?;
    UnixNanos::parse(text)
        .filter(|t| t.rfc3339() == text)
        .ok_or_else(|| malformed(format!("`{name}` is not a time with nine decimals, UTC")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::note::NoteSigner;

    fn signer() -> NoteSigner {
        NoteSigner::new("spanseal.test/log", &[3; 32]).unwrap()
    }

    fn sealed(index: u64, before: Option<&SealFile>, change: impl Fn(&mut Statement)) -> SealFile {
        let frontier = before.map(SealFile::range_after).unwrap_or_default();
        let sealed_at = UnixSeconds(1_800_000_000);
        let sha256 = Hash::of(b"segment");
        let mut statement = Statement {
            log: "spanseal.test/log".into(),
            index,
            sealed_at,
            started: UnixSeconds(1_700_000_000),
            previous: before.map(SealFile::leaf),
            segments: vec![SegmentRef {
                key: segment_name("standard", sealed_at, index, &sha256.to_string()),
                version_id: Some(VersionId("v1".into())),
                sha256,
                bytes: 10,
                records: 1,
                merkle_root: RootHash(Hash::of(b"root")),
                class: "standard".into(),
                lock: Lock { mode: Mode::Compliance, retain_until: UnixSeconds(1_900_000_000) },
                first: UnixNanos(1),
                last: UnixNanos(2),
            }],
            counts: Counts { spans: 3, promoted: 1, skipped: 2, ..Counts::default() },
            config_sha256: Hash::of(b"config"),
            next_by: Some(UnixSeconds(1_800_000_060)),
            next_vkey: None,
            not_worm: true,
            decrees: None,
        };
        change(&mut statement);
        let entry = statement.entry();
        let mut range = frontier.clone();
        range.append(leaf_hash(&entry));
        SealFile { checkpoint: signer().checkpoint(range.size(), range.root()), statement, entry, frontier }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let first = sealed(0, None, |_| {});
        let second = sealed(1, Some(&first), |s| s.decrees = Some(1));
        for seal in [&first, &second] {
            let read = SealFile::parse(&seal.to_bytes().unwrap()).unwrap();
            assert_eq!(read.statement, seal.statement);
            assert_eq!(read.open(signer().verifier()).unwrap().size.0, seal.statement.index + 1);
        }
        assert_eq!(second.extends(&first), Ok(()));
        assert!(first.extends(&second).is_err());
        // The key may sign any tree before a seal: it is held to the one that the seal before left.
        let mut rewritten = second.clone();
        rewritten.frontier = CompactRange::from_nodes(TreeSize(1), vec![Hash::of(b"another history")]).unwrap();
        rewritten.checkpoint = signer().checkpoint(TreeSize(2), rewritten.range_after().root());
        assert!(rewritten.open(signer().verifier()).is_ok());
        assert_eq!(rewritten.extends(&first), Err(SealError::Tree("the frontier is not the tree that the seal before left")));
    }

    #[test]
    fn log_json_is_read_strictly() {
        let file = LogFile { origin: "spanseal.test/log".into(), vkey: signer().verifier().clone(), created: UnixSeconds(1_800_000_000) };
        let text = String::from_utf8(file.to_bytes()).unwrap();
        assert_eq!(LogFile::parse(text.as_bytes()), Ok(file));
        let newer = text.replacen("spanseal.log/1", "spanseal.log/2", 1);
        assert_eq!(LogFile::parse(newer.as_bytes()), Err(SealError::UnknownFormat("spanseal.log/2".into())));
        for bad in [
            text.replacen("\"origin\":\"spanseal.test/log\"", "\"origin\":\"spanseal.test/other\"", 1),
            text.replacen(",\"format\"", ",\"extra\":1,\"format\"", 1),
            text.replacen(",\"format\"", ", \"format\"", 1),
            text.replacen("00Z\"", "00.0Z\"", 1),
        ] {
            assert_ne!(bad, text);
            assert!(matches!(LogFile::parse(bad.as_bytes()), Err(SealError::Malformed(_))), "{bad}");
        }
        // A member that this version does not know is passed over.
        assert!(LogFile::parse(text.replacen(",\"format\"", ",\"extra\":\"\",\"format\"", 1).as_bytes()).is_ok());
    }

    /// Each of these is signed by the log's own key, and refused all the same.
    #[test]
    fn a_signature_does_not_excuse_a_broken_statement() {
        type Change = fn(&mut Statement);
        let changes: [(&str, Change); 13] = [
            ("records of 0", |s| s.segments[0].records = 0),
            ("bytes over 64 MiB", |s| s.segments[0].bytes = SEGMENT_BYTES_MAX + 1),
            ("a name that does not fit", |s| s.segments[0].key = "segments/standard/2027/01/15/x.jsonl.zst".into()),
            ("another class than the name", |s| s.segments[0].class = "other".into()),
            ("a class that is no name", |s| s.segments[0].class = "../x".into()),
            ("a class that is no name, in the key as well", |s| {
                let name = segment_name("../x", s.sealed_at, s.index, &s.segments[0].sha256.to_string());
                (s.segments[0].class, s.segments[0].key) = ("../x".into(), name);
            }),
            ("a segment twice", |s| s.segments.push(s.segments[0].clone())),
            ("first after last", |s| s.segments[0].first = UnixNanos(3)),
            ("retained until before sealing", |s| s.segments[0].lock.retain_until = UnixSeconds(1_799_999_999)),
            ("previous in seal 0", |s| s.previous = Some(LeafHash(Hash::of(b"x")))),
            ("a decree that is still to come", |s| s.decrees = Some(1)),
            ("another log", |s| s.log = "spanseal.test/other".into()),
            ("a version without a name", |s| s.segments[0].version_id = Some(VersionId(String::new()))),
        ];
        for (what, change) in changes {
            let seal = sealed(0, None, change);
            let bytes = seal.to_bytes().unwrap();
            let read = SealFile::parse(&bytes).and_then(|s| s.open(signer().verifier()));
            assert!(read.is_err(), "{what}");
        }
        let entry_too_long = sealed(0, None, |s| s.log = "x".repeat(70_000));
        assert!(SealFile::parse(&entry_too_long.to_bytes().unwrap()).is_err());
    }

    #[test]
    fn bytes_that_are_not_canonical_or_hold_more_are_refused() {
        let bytes = sealed(0, None, |_| {}).to_bytes().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        for bad in [
            text.replacen(",\"frontier\"", ", \"frontier\"", 1),
            text.replacen("\"frontier\":[]", "\"extra\":\"\",\"frontier\":[]", 1),
            text.replacen("\"index\":\"0\"", "\"index\":0", 1),
            text.replacen("\"index\":\"0\"", "\"index\":\"00\"", 1),
            text.replacen("\"not_worm\":\"true\"", "\"not_worm\":\"false\"", 1),
            text.replacen("\"version_id\":\"v1\"", "\"version_id\":[\"v1\"]", 1),
            // One moment, one text; one hash, one text.
            text.replacen("00:00:00.000000001Z", "00:00:00Z", 1),
            text.replacen(&Hash::of(b"config").to_string(), &Hash::of(b"config").to_string().to_uppercase(), 1),
            text.replacen("\"checkpoint\":\"", &format!("\"checkpoint\":\"{}", "x".repeat(256 * 1024)), 1),
            format!("{text}\n"),
        ] {
            assert_ne!(bad, text);
            assert!(SealFile::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let other = text.replacen("spanseal.seal/1", "spanseal.seal/2", 1);
        assert!(matches!(SealFile::parse(other.as_bytes()), Err(SealError::UnknownFormat(_))));
    }

    #[test]
    fn a_changed_root_size_key_or_frontier_is_refused() {
        let first = sealed(0, None, |_| {});
        let second = sealed(1, Some(&first), |_| {});
        let key = signer();
        let mut wrong = second.clone();
        wrong.frontier = CompactRange::from_nodes(TreeSize(1), vec![Hash::of(b"no")]).unwrap();
        assert!(matches!(wrong.open(key.verifier()), Err(SealError::Tree(_))));
        let mut wrong = second.clone();
        wrong.checkpoint = key.checkpoint(TreeSize(3), second.range_after().root());
        assert!(matches!(wrong.open(key.verifier()), Err(SealError::Tree(_))));
        let other = NoteSigner::new("spanseal.test/log", &[4; 32]).unwrap();
        assert!(matches!(second.open(other.verifier()), Err(SealError::Checkpoint(_))));
        let mut wrong = second.clone();
        wrong.checkpoint.push_str(second.checkpoint.rsplit_once("\n\n").unwrap().1);
        assert!(wrong.open(key.verifier()).is_err(), "a second signature line");
    }
}
