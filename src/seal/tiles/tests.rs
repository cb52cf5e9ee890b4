use std::collections::BTreeSet;

use super::*;
use crate::clock::{ManualClock, UnixNanos};
use crate::retain::Class;
use crate::tlog::RootHash;
use crate::tlog::merkle::{CompactRange, leaf_hash, root_of};
use crate::tlog::note::NoteSigner;
use crate::tlog::seal_file::{Counts, SegmentRef, Statement};
use crate::tlog::tile::changed;
use crate::worm::memory::{CreateOnly, MemoryOptions, MemoryStore};
use crate::worm::{ObjectKey, seal_key};

const LOG: &str = "log";
const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

/// A log of signed seals, as small as they can be; what is stored of it, the test says.
struct Log {
    store: MemoryStore,
    clock: ManualClock,
    signer: NoteSigner,
    range: CompactRange,
    leaves: Vec<LeafHash>,
    entries: Vec<Vec<u8>>,
}

impl Log {
    fn new(options: MemoryOptions) -> Self {
        let clock = ManualClock::new(UnixNanos(u64::try_from(NOW).unwrap() * 1_000_000_000));
        let store = MemoryStore::new(Arc::new(clock.clone()), options);
        let signer = NoteSigner::new("spanseal.test/log", &[3; 32]).unwrap();
        Log { store, clock, signer, range: CompactRange::new(), leaves: Vec::new(), entries: Vec::new() }
    }

    fn locked() -> Self {
        Log::new(MemoryOptions::default())
    }

    /// The next seal; `lock`: it names a segment that is locked so. Signed only where a reader will look at it.
    fn seal_with(&mut self, configuration: &str, lock: Option<Lock>, signed: bool) -> Arc<SealFile> {
        let index = self.range.size().0;
        let segment = |lock| SegmentRef {
            key: format!("segments/standard/{index}"),
            version_id: None,
            sha256: Hash([0; 32]),
            bytes: 1,
            records: 1,
            merkle_root: RootHash(Hash([0; 32])),
            class: "standard".into(),
            lock,
            first: UnixNanos(0),
            last: UnixNanos(0),
        };
        let statement = Statement {
            log: "spanseal.test/log".into(),
            index,
            sealed_at: UnixSeconds(NOW),
            started: UnixSeconds(NOW),
            previous: self.leaves.last().copied(),
            segments: lock.map(segment).into_iter().collect(),
            counts: Counts::default(),
            config_sha256: Hash::of(configuration.as_bytes()),
            next_by: None,
            next_vkey: None,
            not_worm: false,
            decrees: None,
        };
        let entry = statement.entry();
        let frontier = self.range.clone();
        self.range.append(leaf_hash(&entry));
        let checkpoint = if signed { self.signer.checkpoint(self.range.size(), self.range.root()) } else { String::new() };
        let seal = SealFile { statement, entry, checkpoint, frontier };
        self.leaves.push(seal.leaf());
        self.entries.push(seal.entry.clone());
        Arc::new(seal)
    }

    async fn store(&self, seal: &SealFile) {
        let lock = (self.store.locks() == Locks::Enforced).then_some(until(400));
        self.store.put(&seal_key(LOG, seal.statement.index), seal.to_bytes().unwrap().into(), Condition::CreateOnly, lock).await.unwrap();
    }

    /// `count` seals, stored; the last of them.
    async fn grow(&mut self, count: u64) -> Arc<SealFile> {
        let mut last = None;
        for _ in 0..count {
            let seal = self.seal_with("{}", None, true);
            self.store(&seal).await;
            last = Some(seal);
        }
        last.unwrap()
    }

    /// A process that starts.
    fn tiler(&self, locked: bool) -> (Tiler, Arc<Recent>) {
        self.tiler_of(&[("standard", Mode::Governance, "180d"), ("strict", Mode::Compliance, "1d")], "{}", locked)
    }

    fn tiler_beating(&self, heartbeat: Option<Duration>) -> (Tiler, Arc<Recent>) {
        self.tiler_with(&[("standard", Mode::Governance, "180d"), ("strict", Mode::Compliance, "1d")], "{}", false, heartbeat)
    }

    fn tiler_of(&self, classes: &[(&str, Mode, &str)], configuration: &str, locked: bool) -> (Tiler, Arc<Recent>) {
        self.tiler_with(classes, configuration, locked, Some(Duration::from_secs(60)))
    }

    fn tiler_with(
        &self,
        classes: &[(&str, Mode, &str)],
        configuration: &str,
        locked: bool,
        heartbeat: Option<Duration>,
    ) -> (Tiler, Arc<Recent>) {
        let class = |(name, mode, period): &(&str, Mode, &str)| Class {
            name: (*name).into(),
            mode: *mode,
            period: period.parse().unwrap(),
            claimable: false,
        };
        let all = classes.iter().map(class).collect();
        let classes = Classes::new(all, classes[0].0, "10y".parse().unwrap(), UnixSeconds(NOW)).unwrap();
        let recent = Arc::new(Recent::default());
        let parts = Parts {
            store: Arc::new(self.store.clone()),
            log: LOG.into(),
            lineage: Lineage::new(self.signer.verifier().clone()),
            classes: Arc::new(classes),
            config_sha256: Hash::of(configuration.as_bytes()),
            clock: Arc::new(self.clock.clone()),
            locked,
            heartbeat,
            stats: Arc::default(),
        };
        (Tiler::new(parts, Arc::clone(&recent)), recent)
    }

    /// The bytes that the specification gives a tile: straight from the leaves.
    fn expected(&self, tile: Tile) -> (Vec<u8>, Vec<u8>) {
        let over = 1_usize << (8 * usize::from(tile.level()));
        let first = usize::try_from(tile.number()).unwrap() * 256;
        let nodes = (first..first + usize::from(tile.width())).flat_map(|n| root_of(&self.leaves[n * over..(n + 1) * over]).0.0).collect();
        let mut bundle = Vec::new();
        if tile.level() == 0 {
            for entry in &self.entries[first..first + usize::from(tile.width())] {
                bundle.extend_from_slice(&u16::try_from(entry.len()).unwrap().to_be_bytes());
                bundle.extend_from_slice(entry);
            }
        }
        (nodes, bundle)
    }

    async fn shown(&self, path: &str) -> Option<Bytes> {
        self.store.get(&key(path), None, u64::MAX).await.unwrap()
    }

    async fn lock(&self, path: &str) -> Option<Lock> {
        self.store.head(&key(path), None).await.unwrap().unwrap_or_else(|| panic!("{path} is not there")).lock
    }

    /// That all tiles of a size are there, right, and locked as they should be.
    async fn check(&self, size: u64) {
        for tile in changed(TreeSize(0), TreeSize(size)) {
            let (nodes, bundle) = self.expected(tile);
            assert!(self.shown(&tile.path()).await.is_some_and(|found| found == nodes), "{}", tile.path());
            let mut paths = vec![tile.path()];
            if tile.level() == 0 {
                assert!(self.shown(&tile.entries_path()).await.is_some_and(|found| found == bundle), "{}", tile.entries_path());
                paths.push(tile.entries_path());
            }
            for path in paths.iter().filter(|_| self.store.locks() == Locks::Enforced) {
                let lock = self.lock(path).await;
                assert_eq!(lock, tile.is_full().then_some(evidence()), "{path}");
            }
        }
    }
}

fn key(path: &str) -> ObjectKey {
    below(LOG, path)
}

fn until(days: i64) -> Lock {
    Lock { mode: Mode::Governance, retain_until: UnixSeconds(NOW + days * DAY) }
}

/// Of the classes of [`Log::tiler`]: the strongest mode, the longest time.
fn evidence() -> Lock {
    Lock { mode: Mode::Compliance, ..until(180) }
}

async fn there(tiler: &mut Tiler, newest: &Arc<SealFile>) {
    let progress = tiler.store_up_to(newest, u64::MAX, &CancellationToken::new()).await.unwrap();
    assert_eq!(progress, Progress::There);
}

/// Scenario: a process writes a log from its first seal on and publishes at sizes of every kind. Guarantee: the tiles of each size are those of the specification, full ones locked as evidence and partial ones not, and nothing is put twice.
#[tokio::test]
async fn the_tiles_of_every_kind_of_size() {
    let mut log = Log::locked();
    let (mut tiler, recent) = log.tiler(false);
    for size in 1..=600 {
        let seal = log.seal_with("{}", None, false);
        recent.add(Arc::clone(&seal));
        if [1, 2, 255, 256, 257, 300, 511, 512, 513, 600].contains(&size) {
            there(&mut tiler, &seal).await;
            log.check(size).await;
        }
    }
    let mut effects = log.store.effect_log();
    let all = effects.len();
    effects.sort();
    effects.dedup();
    assert_eq!(effects.len(), all, "something was put twice");
    assert_eq!(log.store.keys().iter().filter(|k| !k.as_str().contains(".p/")).count(), 4);
}

/// Scenario: a process is killed, and the next ones publish the same size and the next. Guarantee: what is there already is not put over itself,
/// whatever its level, and the last process leaves level 0 without tags.
#[tokio::test]
async fn a_start_puts_no_partial_tile_twice() {
    let mut log = Log::locked();
    let newest = log.grow(300).await;
    for _ in 0..3 {
        there(&mut log.tiler(false).0, &newest).await;
    }
    for path in ["tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"] {
        assert_eq!(log.store.versions(&key(path)).await.unwrap().len(), 1, "{path}");
    }
    let newest = log.grow(1).await;
    let (mut tiler, _) = log.tiler(false);
    let stop = CancellationToken::new();
    stop.cancel();
    there(&mut tiler, &newest).await;
    assert_eq!(tiler.store_up_to(&newest, u64::MAX, &stop).await.unwrap(), Progress::There);
    assert_eq!(log.store.versions(&key("tile/0/001.p/45")).await.unwrap().len(), 2);
    assert_eq!(log.store.versions(&key("tile/1/000.p/1")).await.unwrap().len(), 1);
    log.check(301).await;
}

/// Scenario: a process publishes, and is then told to end without another seal; or seals come too seldom for rules that count days.
/// Guarantee: level 0 is tagged while the process runs and only then, nothing else ever is, and what stays is put over what would go.
#[tokio::test]
async fn what_is_tagged_may_go() {
    for (heartbeat, tags) in [(Some(60), true), (Some(300), true), (Some(301), false), (None, false)] {
        let mut log = Log::locked();
        let newest = log.grow(300).await;
        let (mut tiler, _) = log.tiler_beating(heartbeat.map(Duration::from_secs));
        there(&mut tiler, &newest).await;
        let young = [key("tile/0/001.p/44"), key("tile/entries/001.p/44")];
        assert_eq!(log.store.tagged(Tag::PARTIAL), if tags { young.to_vec() } else { vec![] }, "{heartbeat:?}");
        assert_eq!(tiler.is_tagged(), tags);
        let stop = CancellationToken::new();
        stop.cancel();
        for _ in 0..2 {
            assert_eq!(tiler.store_up_to(&newest, u64::MAX, &stop).await.unwrap(), Progress::There);
            assert!(log.store.tagged(Tag::PARTIAL).is_empty() && !tiler.is_tagged(), "{heartbeat:?}");
        }
        log.store.expire(Tag::PARTIAL, &[]);
        log.check(300).await;
        let puts = log.store.effect_log().into_iter().filter(|e| e.contains("/tile/0/001.p/")).count();
        assert_eq!(puts, if tags { 2 } else { 1 }, "{heartbeat:?}");
    }
}

/// Scenario: a log of some hundred seals has no tiles, or lost the newest of them (a process died between any two of its puts), and a process
/// starts. Guarantee: all is made up from the seals; with few reads allowed it stops early and goes on later; what is there is not put again.
#[tokio::test]
async fn a_start_makes_up_what_is_missing() {
    for size in [1, 255, 256, 257, 700, 768] {
        let mut log = Log::locked();
        let newest = log.grow(size).await;
        let (mut tiler, _) = log.tiler(false);
        let stop = CancellationToken::new();
        let few = tiler.store_up_to(&newest, 64, &stop).await.unwrap();
        assert_eq!(few, if size <= 64 { Progress::There } else { Progress::Behind });
        there(&mut tiler, &newest).await;
        log.check(size).await;
        let put: Vec<String> = log.store.effect_log().into_iter().filter(|e| e.contains("/tile/") && !e.contains(".p/")).collect();
        // Cut off the last of them, one after the other, as a kill would.
        for kept in (0..put.len()).rev() {
            for path in &put[kept..] {
                log.store.purge(&ObjectKey(path.strip_prefix("put ").unwrap().to_owned()), None);
            }
            let before = log.store.effects();
            let (mut next, _) = log.tiler(false);
            there(&mut next, &newest).await;
            log.check(size).await;
            let again = log.store.effect_log().split_off(usize::try_from(before).unwrap());
            let full: BTreeSet<&String> = again.iter().filter(|e| !e.contains(".p/")).collect();
            assert!(put[kept..].iter().all(|e| full.contains(e)), "{size}, {kept}");
            // Of what was there at most the tile (and those above it) of the seal where it broke off.
            assert!(full.len() <= put.len() - kept + 2, "{size}, {kept}: {full:?}");
        }
    }
}

/// Scenario: a process starts on a log of 66,000 seals. Guarantee: it needs a seal for each tile of the right edge and those behind the last
/// full tile, and no others: the test has stored no others.
#[tokio::test]
async fn a_start_reads_little_of_a_long_log() {
    let mut log = Log::locked();
    let needed = |index: u64| index == 65_535 || index == 65_791 || index >= 65_792;
    let (mut writing, recent) = log.tiler(false);
    let mut newest = None;
    for index in 0..66_000 {
        let seal = log.seal_with("{}", None, needed(index));
        recent.add(Arc::clone(&seal));
        if index % 1000 == 0 || [65_535, 65_799].contains(&index) {
            there(&mut writing, &seal).await;
        }
        if index == 65_535 {
            log.check(65_536).await;
        }
        if needed(index) {
            log.store(&seal).await;
        }
        newest = Some(seal);
    }
    let newest = newest.unwrap();
    let (mut tiler, _) = log.tiler(false);
    there(&mut tiler, &newest).await;
    log.check(66_000).await;
    // A seal of the edge is gone: its tile tells what it told, and the next seal confirms it.
    log.store.purge(&seal_key(LOG, 65_791), None);
    let (mut tiler, _) = log.tiler(false);
    there(&mut tiler, &newest).await;
    // Neither is right: that is said, and nothing is published.
    log.store.flip_byte(&key("tile/0/256"), None, 5);
    let (mut tiler, _) = log.tiler(false);
    let refused = tiler.store_up_to(&newest, u64::MAX, &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(refused, TileError::Seal(_)), "{refused}");
}

#[tokio::test]
async fn how_far_the_tiles_are_stored_is_found_with_few_questions() {
    let log = Log::locked();
    for stored in 0..=40 {
        if stored > 0 {
            let bundle = Tile::new(0, stored - 1, 256).unwrap().entries_path();
            log.store.put(&key(&bundle), "x".into(), Condition::CreateOnly, Some(until(1))).await.unwrap();
        }
        for full in stored..=42 {
            assert_eq!(log.tiler(false).0.stored_of(full).await.unwrap(), stored, "of {full}");
        }
    }
}

/// Scenario: somebody was at a full tile's key before the writer, or put another version over it. Guarantee: with versions readers get the
/// true tile, and what somebody put over it stays to be seen; a folder loses nothing; each time it is counted, and goes on.
#[tokio::test]
async fn what_others_put_in_the_way_of_a_tile() {
    for create_only in [CreateOnly::Honoured, CreateOnly::Ignored] {
        let mut log = Log::new(MemoryOptions { create_only, ..MemoryOptions::default() });
        log.store.overwrite_foreign(&key("tile/0/000"), "squatter");
        let newest = log.grow(256).await;
        let (mut tiler, _) = log.tiler(false);
        there(&mut tiler, &newest).await;
        log.check(256).await;
        assert_eq!(tiler.stats.publish_failures.value(), 0);
        // Over ours, before a start that has to put it again.
        log.store.overwrite_foreign(&key("tile/0/000"), "over it");
        log.store.purge(&key("tile/entries/000"), None);
        let before = log.store.versions(&key("tile/0/000")).await.unwrap().len();
        let (mut tiler, _) = log.tiler(false);
        there(&mut tiler, &newest).await;
        if create_only == CreateOnly::Honoured {
            assert_eq!(log.store.versions(&key("tile/0/000")).await.unwrap().len(), before);
            assert_eq!(tiler.stats.publish_failures.value(), 1);
        }
        assert!(log.shown("tile/entries/000").await.is_some());
    }
    let mut folder = Log::new(MemoryOptions { locks: Locks::None, versioned: false, ..MemoryOptions::default() });
    folder.store.overwrite_foreign(&key("tile/0/000"), "squatter");
    let newest = folder.grow(257).await;
    let (mut tiler, _) = folder.tiler(false);
    there(&mut tiler, &newest).await;
    assert_eq!(folder.shown("tile/0/000").await.unwrap(), "squatter");
    assert_eq!(tiler.stats.publish_failures.value(), 1);
    folder.store.purge(&key("tile/0/000"), None);
    folder.store.purge(&key("tile/entries/000"), None);
    let (mut tiler, _) = folder.tiler(false);
    there(&mut tiler, &newest).await;
    folder.check(257).await;
}

/// Scenario: seals of a full tile name segments with longer locks than any class (a hold), or an older configuration had longer or stronger
/// classes. Guarantee: the tile outlives them, but two configurations never make COMPLIANCE for the time of GOVERNANCE out of their locks.
#[tokio::test]
async fn full_tiles_are_locked_as_what_they_cover() {
    let governed = |days| until(days);
    let strict = |days| Lock { mode: Mode::Compliance, ..until(days) };
    let now = [("standard", Mode::Governance, "180d")];
    for (older, own, classes, expected) in [
        (None, None, &now, governed(180)),
        (None, Some(governed(400)), &now, governed(400)),
        (None, Some(strict(10)), &now, strict(180)),
        (Some(governed(400)), None, &now, governed(400)),
        (Some(strict(400)), None, &now, strict(400)),
        (Some(strict(10)), None, &now, governed(180)),
        (Some(governed(4000)), None, &[("standard", Mode::Compliance, "1d")], strict(1)),
    ] {
        let mut log = Log::locked();
        let (mut tiler, recent) = log.tiler_of(classes, "now", false);
        let mut newest = None;
        for index in 0..256 {
            let (configuration, lock) = match index {
                3 => ("older", older),
                5 => ("now", own),
                _ => ("now", None),
            };
            let seal = log.seal_with(configuration, lock, false);
            recent.add(Arc::clone(&seal));
            newest = Some(seal);
        }
        there(&mut tiler, &newest.unwrap()).await;
        for path in ["tile/0/000", "tile/entries/000"] {
            assert_eq!(log.lock(path).await, Some(expected), "{older:?} {own:?}");
        }
    }
}

/// Scenario: the bucket locks by default. Guarantee: partial tiles ask for a lock of minutes instead.
#[tokio::test]
async fn partial_tiles_do_not_pile_up_under_default_retention() {
    let mut log = Log::locked();
    let newest = log.grow(300).await;
    let (mut tiler, _) = log.tiler(true);
    there(&mut tiler, &newest).await;
    for path in ["tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"] {
        let lock = log.lock(path).await.unwrap();
        assert_eq!((lock.mode, lock.retain_until.0 - NOW), (Mode::Governance, SHORT_LOCK_SECONDS), "{path}");
    }
    assert_eq!(log.lock("tile/0/000").await, Some(evidence()));
}

#[test]
fn seals_that_wait_are_bounded_and_in_order() {
    let mut log = Log::locked();
    let recent = Recent::default();
    assert_eq!(recent.take(0).unwrap_err(), None);
    let seal = |log: &mut Log, bytes: usize| {
        let mut seal = (*log.seal_with("{}", None, false)).clone();
        seal.entry = vec![0; bytes];
        recent.add(Arc::new(seal));
    };
    for _ in 0..10 {
        seal(&mut log, RECENT_BYTES_MAX / 8);
    }
    assert_eq!(recent.take(1).unwrap_err(), Some(2), "the oldest two were forgotten");
    assert_eq!(recent.take(2).unwrap().statement.index, 2);
    assert_eq!(recent.take(7).unwrap().statement.index, 7);
    assert_eq!(recent.take(10).unwrap_err(), None);
}
