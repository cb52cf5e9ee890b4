//! A log in memory that tests write, kill, reopen and re-verify, always through the public way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use spanseal::clock::{Clock, ManualClock, UnixNanos};
use spanseal::govern::Governor;
use spanseal::govern::register::{self, Register};
use spanseal::record::canonical::Json;
use spanseal::record::identity::{IdentityKey, IdentityMode};
use spanseal::record::{Batch, PendingRecord, RecordId, sameness_of_line};
use spanseal::retain::{Class, Classes};
use spanseal::seal::keys::LogKey;
use spanseal::seal::{OpenError, Options, Pool, Receipt, SealerHandle, SealerTask, SubmitError, start};
use spanseal::tlog::merkle::{CompactRange, leaf_hash};
use spanseal::tlog::note::{NoteSigner, VerifierKey};
use spanseal::tlog::seal_file::SealFile;
use spanseal::tlog::truth::{Judgement, judge};
use spanseal::vault::Vault;
use spanseal::worm::memory::{CreateOnly, MemoryOptions, MemoryStore};
use spanseal::worm::{Locks, Mode, SEAL_BYTES_MAX, SEGMENT_BYTES_MAX, Version, WormStore, below, read_versions, seal_key};

use super::place::Place;

pub const LOG: &str = "test";
pub const ORIGIN: &str = "spanseal.test/test";
pub const FENCE: Duration = Duration::from_secs(30);

/// Objects, clock and key of one log; processes come and go.
#[derive(Clone)]
pub struct TestLog {
    pub store: MemoryStore,
    pub clock: ManualClock,
    /// Where its vault lies, if it has one.
    pub place: Option<Place>,
}

/// One process that writes the log.
pub struct Process {
    pub store: MemoryStore,
    pub handle: SealerHandle,
    pub task: SealerTask,
    pub vault: Option<Vault>,
}

/// What a whole, re-verified log holds.
#[derive(Debug, Default)]
pub struct Contents {
    pub seals: u64,
    /// Seals and records of each id, in order.
    pub records: BTreeMap<RecordId, Vec<u64>>,
    /// All lines, in order.
    pub lines: Vec<(RecordId, Vec<u8>)>,
    /// Versions signed by the log's key that are not the log.
    pub forks: usize,
    /// Seals whose own lock is less than that of a segment they name.
    pub unlocked: Vec<u64>,
    pub files: Vec<SealFile>,
}

impl TestLog {
    pub fn new(create_only: CreateOnly) -> Self {
        let clock = ManualClock::new(UnixNanos(1_800_000_000_000_000_000));
        let options = MemoryOptions { create_only, locks: Locks::Enforced, ..MemoryOptions::default() };
        TestLog { store: MemoryStore::new(Arc::new(clock.clone()), options), clock, place: None }
    }

    /// On a store that locks nothing.
    pub fn without_locks() -> Self {
        let clock = ManualClock::new(UnixNanos(1_800_000_000_000_000_000));
        let options = MemoryOptions { create_only: CreateOnly::Honoured, locks: Locks::None, ..MemoryOptions::default() };
        TestLog { store: MemoryStore::new(Arc::new(clock.clone()), options), clock, place: None }
    }

    /// The same with a vault.
    pub fn with_vault(create_only: CreateOnly) -> Self {
        TestLog { place: Some(Place::default()), ..TestLog::new(create_only) }
    }

    pub fn key() -> LogKey {
        LogKey::ephemeral(ORIGIN, [5; 32]).unwrap()
    }

    /// What its key signs with.
    pub fn signer(seed: [u8; 32]) -> NoteSigner {
        NoteSigner::new(ORIGIN, &seed).unwrap()
    }

    pub fn classes(&self) -> Arc<Classes> {
        let class = |name: &str, mode, period: &str| Class { name: name.into(), mode, period: period.parse().unwrap(), claimable: false };
        let classes = vec![class("standard", Mode::Governance, "180d"), class("strict", Mode::Compliance, "1y")];
        Arc::new(Classes::new(classes, "standard", "10y".parse().unwrap(), self.clock.now().ceil_seconds()).unwrap())
    }

    pub fn options(&self, store: &MemoryStore) -> Options {
        Options {
            store: Arc::new(store.clone()),
            log: LOG.into(),
            key: Self::key(),
            next_key: None,
            vault: None,
            classes: self.classes(),
            clock: Arc::new(self.clock.clone()),
            pool: Pool::new(1 << 26, Duration::from_secs(5)),
            max_delay: Duration::from_millis(100),
            max_bytes: 1 << 20,
            heartbeat: Some(Duration::from_secs(3600)),
            dedup_window: Duration::from_secs(3600),
            dedup_bytes: 1 << 20,
            publish_interval: Duration::from_secs(10),
            answer_within: Duration::from_secs(60),
            fence: FENCE,
            configuration: "{}".into(),
            first_act: None,
        }
    }

    /// Starts a process. One that a planned fault kills while it opens is `None`.
    pub async fn open(&self) -> Option<Result<Process, OpenError>> {
        let store = self.store.process();
        self.open_on(store).await
    }

    pub async fn open_on(&self, store: MemoryStore) -> Option<Result<Process, OpenError>> {
        let vault = self.place.as_ref().map(Place::vault);
        let options = Options { vault: vault.clone(), ..self.options(&store) };
        let opening = async {
            if let Some(vault) = &vault {
                vault.claim(&Self::key().verifier().to_string()).await?;
            }
            start(options).await
        };
        match tokio::time::timeout(Duration::from_secs(3600), opening).await {
            Ok(started) => Some(started.map(|(handle, task)| Process { store, handle, task, vault })),
            Err(_) => None,
        }
    }

    /// Verifies the whole log from its objects: which version is true, signatures, chain, hashes, roots, counts.
    pub async fn check_log(&self) -> Contents {
        self.check_log_of(Self::key().verifier()).await
    }

    /// The same of a log that another key made. Announced changes of key are followed.
    pub async fn check_log_of(&self, first: &VerifierKey) -> Contents {
        let store: &dyn WormStore = &self.store;
        let mut key = first.clone();
        let mut contents = Contents::default();
        let mut range = CompactRange::new();
        loop {
            let index = contents.seals;
            let name = seal_key(LOG, index);
            let bodies = read_versions(store, &store.versions(&name).await.unwrap(), SEAL_BYTES_MAX, usize::MAX).await.unwrap();
            let judged = judge(index, &key, contents.files.last(), bodies.iter().map(|(_, b)| b.as_ref()));
            let mut truth = None;
            for ((Version { id, .. }, _), judgement) in bodies.iter().zip(judged) {
                match judgement {
                    Judgement::Truth(seal) => truth = Some((id.clone(), *seal)),
                    Judgement::Fork(_) => contents.forks += 1,
                    Judgement::Duplicate | Judgement::Foreign(_) => {}
                }
            }
            let Some((version, seal)) = truth else { return contents };
            range.append(seal.leaf());
            assert_eq!(range, seal.range_after());
            let head = store.head(&name, version.as_ref()).await.unwrap().unwrap();
            let mut promoted = 0;
            for segment in &seal.statement.segments {
                let key = below(LOG, &segment.key);
                let bytes =
                    store.get(&key, segment.version_id.as_ref(), SEGMENT_BYTES_MAX).await.unwrap().expect("a named segment is there");
                let lock = store.head(&key, segment.version_id.as_ref()).await.unwrap().unwrap().lock.expect("a segment is locked");
                assert!(lock.covers(segment.lock), "{lock:?} {:?}", segment.lock);
                if head.lock.is_none_or(|lock| !lock.covers(segment.lock)) && contents.unlocked.last() != Some(&index) {
                    contents.unlocked.push(index);
                }
                assert_eq!(spanseal::tlog::Hash::of(&bytes), segment.sha256);
                let lines = zstd::decode_all(bytes.as_ref()).unwrap();
                let mut tree = CompactRange::new();
                for line in lines.strip_suffix(b"\n").unwrap().split(|b| *b == b'\n') {
                    tree.append(leaf_hash(line));
                    let json = Json::parse_canonical(line).unwrap();
                    let id = RecordId::parse(json.get("id").unwrap().as_str().unwrap()).unwrap();
                    contents.records.entry(id).or_default().push(index);
                    contents.lines.push((id, line.to_vec()));
                    promoted += u64::from(json.path("source.signal").and_then(Json::as_str) != Some("control"));
                }
                assert_eq!((tree.size().0, tree.root()), (segment.records, segment.merkle_root));
            }
            assert_eq!(promoted, seal.statement.counts.promoted);
            if let Some(next) = &seal.statement.next_vkey {
                key = next.clone();
            }
            contents.files.push(seal);
            contents.seals += 1;
        }
    }
}

impl Process {
    /// What seals operators' acts, without a vault.
    pub fn governor(&self, log: &TestLog) -> Governor {
        Governor {
            origin: ORIGIN.into(),
            sealer: self.handle.clone(),
            vault: self.vault.clone(),
            identity: IdentityKey::new([0; 32]),
            identity_mode: IdentityMode::Keyed,
            scrub: Vec::new(),
            classes: log.classes(),
            clock: Arc::new(log.clock.clone()),
            register: Register::new(register::Parts {
                store: Arc::new(self.store.clone()),
                log: LOG.into(),
                vkey: self.task.vkey.clone(),
                status: self.task.status.clone(),
                ceiling: "10y".parse().unwrap(),
            }),
        }
    }

    pub async fn submit(&self, batch: Batch) -> Result<Receipt, SubmitError> {
        let permit = self.handle.pool.admit(batch.lines.len()).await.expect("the pool has room");
        self.handle.submit(batch, permit).await
    }

    /// What a kill does: nothing of this process goes on.
    pub fn kill(self) {
        self.store.kill();
        self.task.abort();
    }

    pub async fn drain(self) -> Result<(), spanseal::seal::Fatal> {
        match tokio::time::timeout(Duration::from_secs(3600), self.task.drain()).await {
            Ok(ended) => ended,
            Err(_) => Ok(()),
        }
    }
}

/// A small record as promotion would make it.
pub fn line(n: u64, text: &str) -> (RecordId, Vec<u8>) {
    let id = RecordId::derive("span", &format!("{n:032x}"), &format!("{n:016x}"), "0");
    let at = UnixNanos(1_799_999_999_000_000_000 + n).rfc3339();
    let json = Json::object([
        ("schema", Json::string("spanseal.record/1")),
        ("id", Json::String(id.to_string())),
        ("kind", Json::string("inference")),
        ("time", Json::object([("start", Json::String(at.clone())), ("end", Json::String(at))])),
        ("source", Json::object([("signal", Json::string("span")), ("service", Json::string(text))])),
    ]);
    (id, json.to_jcs())
}

pub fn batch(numbers: impl IntoIterator<Item = u64>, class: u16) -> Batch {
    batch_with(numbers, class, "service")
}

pub fn batch_with(numbers: impl IntoIterator<Item = u64>, class: u16, text: &str) -> Batch {
    let mut batch = Batch::default();
    for n in numbers {
        let (id, line) = line(n, text);
        let from = batch.lines.len();
        let (_, sameness) = sameness_of_line(&line).unwrap();
        batch.lines.extend_from_slice(&line);
        let at = UnixNanos(1_799_999_999_000_000_000 + n);
        batch.records.push(PendingRecord {
            id,
            line: from..batch.lines.len(),
            class: spanseal::retain::ClassIndex(class),
            first: at,
            last: at,
            control: false,
            sameness,
            line_sameness: sameness,
            pieces: 0..0,
        });
    }
    batch
}

pub fn id(n: u64) -> RecordId {
    line(n, "").0
}
