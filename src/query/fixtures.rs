//! Logs and hits made by hand, for tests.

use std::sync::Arc;

use bytes::Bytes;

use super::{Hit, Place, Standing, time_of};
use crate::clock::{ManualClock, UnixNanos, UnixSeconds};
use crate::record::canonical::Json;
use crate::tlog::merkle::{leaf_hash, root_of};
use crate::tlog::note::{NoteSigner, VerifierKey};
use crate::tlog::seal_file::{Counts, LogFile, SealFile, SegmentRef, Statement};
use crate::tlog::{Hash, LeafHash};
use crate::worm::memory::{MemoryOptions, MemoryStore};
use crate::worm::{Condition, Lock, Mode, ObjectKey, VersionId, WormStore, below, checkpoint_key, log_key, seal_key, segment_name};

/// 2026-11-20T10:01:00Z.
pub(crate) const SEALED: i64 = 1_795_168_860;

/// A hit as if found in the seal with this index, which was sealed at `SEALED` plus the index.
pub(crate) fn hit(seal: u64, line: &str) -> Hit {
    let record = Json::parse(line.as_bytes()).unwrap();
    let mut statement = statement("spanseal.test/log", seal, None);
    let segment = segment(&statement, "standard", line.as_bytes(), &[leaf_hash(line.as_bytes())], std::slice::from_ref(&record), None);
    statement.segments.push(segment.clone());
    let entry = statement.entry();
    let seal = SealFile { entry, statement, checkpoint: String::new(), frontier: Default::default() };
    let place = Place { log: "log".to_owned(), seal: Arc::new(seal), segment: Arc::new(segment), leaf_index: 0 };
    Hit { line: Bytes::copy_from_slice(line.as_bytes()), record, place, copies: Vec::new(), standing: Standing::Single }
}

fn statement(origin: &str, index: u64, previous: Option<LeafHash>) -> Statement {
    Statement {
        log: origin.to_owned(),
        index,
        sealed_at: UnixSeconds(SEALED + i64::try_from(index).unwrap()),
        started: UnixSeconds(SEALED - 60),
        previous,
        segments: Vec::new(),
        counts: Counts::default(),
        config_sha256: Hash([0; 32]),
        next_by: None,
        next_vkey: None,
        not_worm: true,
        decrees: None,
    }
}

fn segment(
    statement: &Statement,
    class: &str,
    stored: &[u8],
    leaves: &[LeafHash],
    records: &[Json],
    version_id: Option<VersionId>,
) -> SegmentRef {
    let times: Vec<UnixNanos> = records.iter().filter_map(time_of).collect();
    let sha256 = Hash::of(stored);
    SegmentRef {
        key: segment_name(class, statement.sealed_at, statement.index, &sha256.to_string()),
        version_id,
        sha256,
        bytes: stored.len() as u64,
        records: leaves.len() as u64,
        merkle_root: root_of(leaves),
        class: class.to_owned(),
        lock: Lock { mode: Mode::Governance, retain_until: UnixSeconds(SEALED + 180 * 86_400) },
        first: times.iter().min().copied().unwrap_or_default(),
        last: times.iter().max().copied().unwrap_or_default(),
    }
}

/// A log in a store in memory, sealed line by line.
pub(crate) struct TestLog {
    pub(crate) store: MemoryStore,
    pub(crate) name: String,
    signer: NoteSigner,
    pub(crate) last: Option<SealFile>,
}

impl TestLog {
    pub(crate) fn store() -> MemoryStore {
        MemoryStore::new(Arc::new(ManualClock::new(UnixNanos(1_795_168_860_000_000_000))), MemoryOptions::default())
    }

    /// A new log in a new store, without `log.json` yet being believed by anyone.
    pub(crate) async fn new(store: MemoryStore, name: &str) -> Self {
        let origin = format!("spanseal.test/{name}");
        let signer = NoteSigner::new(&origin, &[3; 32]).unwrap();
        let log = TestLog { store, name: name.to_owned(), signer, last: None };
        let file = LogFile { origin, vkey: log.vkey(), created: UnixSeconds(SEALED) };
        log.put(&log_key(name), file.to_bytes()).await;
        log
    }

    /// Somebody who goes on from its end with this key.
    pub(crate) fn gone_on_by(&self, seed: [u8; 32]) -> Self {
        let signer = NoteSigner::new(self.signer.verifier().name(), &seed).unwrap();
        TestLog { store: self.store.clone(), name: self.name.clone(), signer, last: self.last.clone() }
    }

    pub(crate) fn vkey(&self) -> VerifierKey {
        self.signer.verifier().clone()
    }

    async fn put(&self, key: &ObjectKey, bytes: Vec<u8>) -> Option<VersionId> {
        let lock = Lock { mode: Mode::Governance, retain_until: UnixSeconds(SEALED + 180 * 86_400) };
        let lock = (*key != checkpoint_key(&self.name)).then_some(lock);
        self.store.put(key, bytes.into(), Condition::Any, lock).await.unwrap()
    }

    /// Seals lines as one segment (none: a heartbeat); answers the segment's key.
    pub(crate) async fn seal(&mut self, lines: &[&str]) -> Option<ObjectKey> {
        self.seal_with(lines, None).await
    }

    /// The same, announcing a new key, which signs from then on.
    pub(crate) async fn seal_with(&mut self, lines: &[&str], next: Option<[u8; 32]>) -> Option<ObjectKey> {
        let before = self.last.as_ref();
        let index = before.map_or(0, |s| s.statement.index + 1);
        let origin = self.signer.verifier().name().to_owned();
        let mut statement = statement(&origin, index, before.map(SealFile::leaf));
        let next = next.map(|seed| NoteSigner::new(&origin, &seed).unwrap());
        statement.next_vkey = next.as_ref().map(|n| n.verifier().clone());
        let mut key = None;
        if !lines.is_empty() {
            let plain: String = lines.iter().flat_map(|l| [l, "\n"]).collect();
            let stored = zstd::bulk::compress(plain.as_bytes(), 1).unwrap();
            let leaves: Vec<_> = lines.iter().map(|l| leaf_hash(l.as_bytes())).collect();
            let records: Vec<_> = lines.iter().filter_map(|l| Json::parse(l.as_bytes()).ok()).collect();
            let mut named = segment(&statement, "standard", &stored, &leaves, &records, None);
            let at = below(&self.name, &named.key);
            named.version_id = self.put(&at, stored).await;
            key = Some(at);
            statement.segments.push(named);
        }
        let frontier = before.map(SealFile::range_after).unwrap_or_default();
        let entry = statement.entry();
        let mut range = frontier.clone();
        range.append(leaf_hash(&entry));
        let mut checkpoint = self.signer.checkpoint(range.size(), range.root());
        if let Some(next) = &next {
            let second = next.checkpoint(range.size(), range.root());
            checkpoint.push_str(second.rsplit_once("\n\n").unwrap().1);
        }
        let seal = SealFile { statement, entry, checkpoint, frontier };
        self.put(&seal_key(&self.name, index), seal.to_bytes().unwrap()).await;
        self.last = Some(seal);
        if let Some(next) = next {
            self.signer = next;
        }
        key
    }

    pub(crate) async fn publish(&self) {
        let note = self.last.as_ref().unwrap().checkpoint.clone();
        self.put(&checkpoint_key(&self.name), note.into_bytes()).await;
    }
}
