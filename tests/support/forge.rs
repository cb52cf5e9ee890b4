//! A log made by hand, honest or not: the formats (`tlog`) and zstd, nothing of the writer.

use super::second::verify;
use bytes::Bytes;
use spanseal::clock::{ManualClock, UnixNanos, UnixSeconds};
use spanseal::govern::decrees::{Entry, Order, SegmentId};
use spanseal::record::canonical::Json;
use spanseal::tlog::merkle::{CompactRange, leaf_hash, root_of};
use spanseal::tlog::note::NoteSigner;
use spanseal::tlog::seal_file::{Counts, LogFile, SealFile, SegmentRef, Statement};
use spanseal::tlog::{Hash, LeafHash, TreeSize};
use spanseal::verify::{Options, Report};
use spanseal::worm::memory::{MemoryOptions, MemoryStore};
use spanseal::worm::{
    Condition, Lock, Locks, Mode, ObjectKey, VersionId, WormStore, below, checkpoint_key, log_key, seal_key, segment_name,
};
use std::sync::Arc;

pub const LOG: &str = "log";
pub const ORIGIN: &str = "spanseal.test/log";
pub const NOW: i64 = 1_800_000_000;

/// A segment's stored bytes and what an honest seal says of it (key, sha256 and bytes are filled in later).
pub struct Segment {
    pub class: String,
    pub stored: Vec<u8>,
    pub lines: Vec<Vec<u8>>,
    pub first: UnixNanos,
    pub last: UnixNanos,
}

pub fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(data, 1).unwrap()
}

pub fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|l| l.iter().copied().chain([b'\n'])).collect()
}

impl Segment {
    pub fn of(class: &str, lines: Vec<Vec<u8>>) -> Self {
        let times: Vec<UnixNanos> = lines
            .iter()
            .filter_map(|l| Json::parse(l).ok())
            .flat_map(|r| ["time.start", "time.end"].map(|p| r.path(p).and_then(Json::as_str).and_then(UnixNanos::parse)))
            .flatten()
            .collect();
        let (first, last) = (times.iter().min().copied().unwrap_or_default(), times.iter().max().copied().unwrap_or_default());
        Segment { class: class.into(), stored: zstd(&joined(&lines)), lines, first, last }
    }

    pub fn stored(mut self, stored: Vec<u8>) -> Self {
        self.stored = stored;
        self
    }
}

/// A record line: canonical, of our schema.
pub fn line(n: u64, signal: &str) -> Vec<u8> {
    let second = UnixSeconds(NOW - 1000 + i64::try_from(n).unwrap()).to_string();
    let time = |nanos: &str| Json::String(second.replace('Z', nanos));
    Json::object([
        ("schema", Json::string("spanseal.record/1")),
        ("id", Json::String(format!("{n:032x}"))),
        ("kind", Json::string("inference")),
        ("source", Json::object([("signal", Json::string(signal))])),
        ("time", Json::object([("start", time(".000000001Z")), ("end", time(".500000000Z"))])),
    ])
    .to_jcs()
}

pub fn lines(from: u64, count: u64) -> Vec<Vec<u8>> {
    (from..from + count).map(|n| line(n, "span")).collect()
}

/// The configuration that forged logs are written under: locks are longer than it demands, which is allowed.
pub const CONFIGURATION: &str = r#"{"retention":{"classes":[{"mode":"GOVERNANCE","name":"standard","period":"100d"},{"mode":"COMPLIANCE","name":"high-risk","period":"5mo"},{"mode":"GOVERNANCE","name":"zz-own","period":"1w"}]}}"#;

/// The record of a step of a decree.
pub fn decreed(entry: &Entry) -> Vec<u8> {
    decree_text(if entry.of.order == Order::Hold { "hold" } else { "retention" }, &entry.to_text())
}

/// A record that may be one, whatever it says.
pub fn decree_text(kind: &str, filter: &str) -> Vec<u8> {
    let mut record = Json::parse(&line(0, "control")).unwrap();
    let Json::Object(members) = &mut record else { panic!() };
    members.iter_mut().find(|(n, _)| n == "kind").unwrap().1 = Json::string(kind);
    members.push(("control".into(), Json::object([("filter", Json::string(filter))])));
    record.to_jcs()
}

/// The record of a configuration, as the first seal under it holds it.
pub fn config_change(after: &str) -> Vec<u8> {
    let mut record = Json::parse(&line(0, "control")).unwrap();
    let Json::Object(members) = &mut record else { panic!() };
    members.iter_mut().find(|(n, _)| n == "kind").unwrap().1 = Json::string("config_change");
    members.push(("change".into(), Json::object([("after", Json::string(after))])));
    record.to_jcs()
}

pub struct Forge {
    pub store: MemoryStore,
    pub clock: ManualClock,
    pub signer: NoteSigner,
    pub range: CompactRange,
    pub previous: Option<LeafHash>,
    pub seals: Vec<SealFile>,
    pub locks: Locks,
}

pub fn lock() -> Lock {
    Lock { mode: Mode::Compliance, retain_until: UnixSeconds(NOW + 86_400 * 180) }
}

impl Forge {
    pub async fn new(locks: Locks) -> Self {
        let clock = ManualClock::new(UnixNanos(u64::try_from(NOW).unwrap() * 1_000_000_000));
        let options = MemoryOptions { locks, ..MemoryOptions::default() };
        let store = MemoryStore::new(Arc::new(clock.clone()), options);
        let signer = NoteSigner::new(ORIGIN, &[3; 32]).unwrap();
        let forge = Forge { store, clock, signer, range: CompactRange::new(), previous: None, seals: Vec::new(), locks };
        let file = LogFile { origin: ORIGIN.into(), vkey: forge.signer.verifier().clone(), created: UnixSeconds(NOW) };
        forge.put(&log_key(LOG), file.to_bytes()).await;
        forge
    }

    pub async fn put(&self, key: &ObjectKey, bytes: impl Into<Bytes>) -> Option<VersionId> {
        let free = key.as_str().ends_with("/checkpoint") || key.as_str().contains(".p/");
        let lock = (self.locks == Locks::Enforced && !free).then(lock);
        self.store.put(key, bytes.into(), Condition::Any, lock).await.unwrap()
    }

    /// Puts segments and says of them what is true. The first seal also holds the record of the configuration, in a last segment.
    pub async fn statement(&self, segments: &[Segment]) -> Statement {
        let index = self.range.size().0;
        let own = (index == 0).then(|| Segment::of("zz-own", vec![config_change(CONFIGURATION)]));
        let segments: Vec<&Segment> = segments.iter().chain(&own).collect();
        let sealed_at = UnixSeconds(NOW + i64::try_from(index).unwrap());
        let mut stated = Vec::new();
        for &segment in &segments {
            let sha256 = Hash::of(&segment.stored);
            let key = segment_name(&segment.class, sealed_at, index, &sha256.to_string());
            let version_id = self.put(&below(LOG, &key), segment.stored.clone()).await;
            stated.push(SegmentRef {
                key,
                version_id,
                sha256,
                bytes: segment.stored.len() as u64,
                records: segment.lines.len() as u64,
                merkle_root: root_of(&segment.lines.iter().map(|l| leaf_hash(l)).collect::<Vec<_>>()),
                class: segment.class.clone(),
                lock: lock(),
                first: segment.first,
                last: segment.last,
            });
        }
        stated.sort_by(|a, b| a.key.cmp(&b.key));
        let control = |l: &&Vec<u8>| String::from_utf8_lossy(l).contains(r#""signal":"control""#);
        let records = segments.iter().map(|s| s.lines.len() as u64).sum::<u64>();
        let controls = segments.iter().flat_map(|s| &s.lines).filter(control).count() as u64;
        let holds = segments.iter().flat_map(|s| &s.lines).any(|l| String::from_utf8_lossy(l).contains("spanseal.decrees/"));
        Statement {
            log: ORIGIN.into(),
            index,
            sealed_at,
            started: UnixSeconds(NOW - 60),
            previous: self.previous,
            segments: stated,
            counts: Counts { spans: records, promoted: records - controls, ..Counts::default() },
            config_sha256: Hash::of(CONFIGURATION.as_bytes()),
            next_by: None,
            next_vkey: None,
            not_worm: self.locks == Locks::None,
            decrees: if holds { Some(index) } else { self.seals.last().and_then(|seal| seal.statement.decrees) },
        }
    }

    /// Signs a statement, as it is, for the tree as it stands.
    pub fn sign(&self, statement: Statement) -> SealFile {
        let entry = statement.entry();
        let mut range = self.range.clone();
        range.append(leaf_hash(&entry));
        let checkpoint = self.signer.checkpoint(range.size(), range.root());
        SealFile { statement, entry, checkpoint, frontier: self.range.clone() }
    }

    /// Puts a seal and goes on from it.
    pub async fn commit(&mut self, seal: SealFile) {
        self.put(&seal_key(LOG, self.range.size().0), seal.to_bytes().unwrap()).await;
        self.previous = Some(seal.leaf());
        self.range.append(seal.leaf());
        self.seals.push(seal);
    }

    /// One seal; `change` falsifies the statement before it is signed.
    pub async fn seal(&mut self, segments: &[Segment], change: impl FnOnce(&mut Statement)) {
        let mut statement = self.statement(segments).await;
        change(&mut statement);
        self.commit(self.sign(statement)).await;
    }

    /// One seal that changes the key: both sign it, and from there on the new one alone.
    pub async fn turn_to(&mut self, next: NoteSigner) {
        let mut statement = self.statement(&[]).await;
        statement.next_vkey = Some(next.verifier().clone());
        let mut seal = self.sign(statement);
        let second = next.checkpoint(seal.range_after().size(), seal.range_after().root());
        seal.checkpoint.push_str(second.rsplit_once("\n\n").unwrap().1);
        self.commit(seal).await;
        self.signer = next;
    }

    /// The checkpoint, and the tiles of its size (at most 65,535 seals).
    pub async fn publish(&self) {
        let length = |s: &SealFile| u16::try_from(s.entry.len()).unwrap().to_be_bytes();
        let name = |number: usize, width: usize| if width == 256 { format!("{number:03}") } else { format!("{number:03}.p/{width}") };
        let mut above = Vec::new();
        for (number, seals) in self.seals.chunks(256).enumerate() {
            let leaves: Vec<LeafHash> = seals.iter().map(SealFile::leaf).collect();
            let hashes: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.0.0).collect();
            let entries: Vec<u8> = seals.iter().flat_map(|s| [&length(s)[..], &s.entry].concat()).collect();
            let place = name(number, seals.len());
            self.put(&below(LOG, &format!("tile/0/{place}")), hashes).await;
            self.put(&below(LOG, &format!("tile/entries/{place}")), entries).await;
            if seals.len() == 256 {
                above.extend(root_of(&leaves).0.0);
            }
        }
        if !above.is_empty() {
            self.put(&below(LOG, &format!("tile/1/{}", name(0, above.len() / 32))), above).await;
        }
        self.put(&checkpoint_key(LOG), self.seals.last().unwrap().checkpoint.clone()).await;
    }

    /// The same log in a store of its own.
    pub fn copy(&self) -> Forge {
        Forge {
            store: self.store.copy(),
            clock: self.clock.clone(),
            signer: NoteSigner::new(ORIGIN, &[3; 32]).unwrap(),
            range: self.range.clone(),
            previous: self.previous,
            seals: self.seals.clone(),
            locks: self.locks,
        }
    }

    pub fn checkpoint_at(&self, size: u64) -> String {
        self.signer.checkpoint(TreeSize(size), self.range.root())
    }

    pub fn options(&self) -> Options<'static> {
        Options { pinned: vec![self.signer.verifier().clone()], ..Options::new(UnixSeconds(NOW + 100)) }
    }

    pub async fn verify(&self) -> Report {
        verify(&self.store, &self.options()).await
    }

    /// A segment that a seal names, as decrees do.
    pub fn segment_id(&self, seal: usize, class: &str) -> SegmentId {
        let segment = self.seals[seal].statement.segments.iter().find(|s| s.class == class).unwrap();
        SegmentId::new(seal as u64, &segment.sha256)
    }

    /// Keys of the segments that a seal names.
    pub fn segment_key(&self, seal: usize) -> ObjectKey {
        below(LOG, &self.seals[seal].statement.segments[0].key)
    }
}

/// Four honest seals (two classes, a heartbeat), published.
pub async fn honest(locks: Locks) -> Forge {
    let mut forge = Forge::new(locks).await;
    forge.seal(&[Segment::of("standard", lines(0, 3))], |_| {}).await;
    forge.seal(&[], |_| {}).await;
    forge.seal(&[Segment::of("standard", lines(3, 2)), Segment::of("high-risk", vec![line(5, "span"), line(6, "control")])], |_| {}).await;
    forge.seal(&[Segment::of("standard", lines(7, 5))], |_| {}).await;
    forge.publish().await;
    forge
}

/// So many seals with a segment each, published.
pub async fn log_of(seals: u64) -> Forge {
    let mut forge = Forge::new(Locks::Enforced).await;
    for n in 0..seals {
        forge.seal(&[Segment::of("standard", lines(2 * n, 2))], |_| {}).await;
    }
    forge.publish().await;
    forge
}

/// The kinds of all findings.
pub fn kinds(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|f| f.kind.as_str()).collect()
}

pub fn notes(report: &Report) -> Vec<&'static str> {
    report.notes.iter().map(|f| f.kind.as_str()).collect()
}
