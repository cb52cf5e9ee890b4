//! The C2SP tiles of the log of seals, written behind the commit: what standard tlog clients read.
//!
//! Tiles are derived. Nothing of them is believed: the right edge of the tree is made from seals alone, each of which states the compact
//! range before it and is signed, so a start reads the seals behind the last full tile and one seal for each tile of the edge, however long
//! the log is. What is missing (a crash between commit and publishing, or a log that never had tiles) is made up from the seals in
//! the background, a few at a time.
//!
//! Full tiles and bundles are evidence: put once, locked, the lock read back. The bundle goes last, so where it is, all that the same seal
//! completes is too, and one HEAD tells how far an earlier process came. What lies at a tile's key already is compared; see
//! [`Tiler::adopt`] for what is done where it differs.
//!
//! Partial tiles are no evidence, and nothing here deletes them. Those of level 0 and their bundles, all but one in 256, carry
//! [`Tag::PARTIAL`], by which an operator's lifecycle rule finds them. A rule counts days, so a day must be enough for what is tagged not to be
//! needed: the full tile is there by then ([`TAGGED_HEARTBEAT_MAX`]). Those above stay up to date for months and are never tagged, nor are the
//! last ones of a writer that stops.
//!
//! KNOWN GAP: where a writer was killed and stays away for longer than the rule's days, standard clients cannot read the newest tile until
//! the next one starts and makes it anew. In a folder there are no tags; the README says which files may go.
//!
//! KNOWN GAP: a full tile that was taken away behind newer ones is not made again; `verify` names it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::chain::{config_in_force, retried, seal_at};
use super::commit::own_version;
use super::lineage::Lineage;
use super::stats::Stats;
use crate::clock::{Clock, UnixSeconds};
use crate::record::canonical::Json;
use crate::retain::Classes;
use crate::tlog::seal_file::SealFile;
use crate::tlog::tile::{Edge, HEIGHT, Tile, WIDTH, add_entry, encode, partials, perfect_root};
use crate::tlog::{Hash, LeafHash, TreeSize};
use crate::worm::{Condition, Lock, Locks, Mode, PutError, ReadError, Tag, WormStore, below, ensure_locked, put_locked};

/// Seals and heads read at a time, as for the window of duplicates.
const READS_AT_ONCE: usize = 16;
/// Seals that are still read back once the process is to end: the rest is the next one's.
const READS_AT_END_MAX: u64 = 512;
/// Entry bytes of seals that wait for the publisher. Beyond, it reads them back from the store.
const RECENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Lock of what is not evidence, in a bucket that would lock it by default: it must not pile up for years.
const SHORT_LOCK_SECONDS: i64 = 300;
/// Longest time between seals for which a rule of one day, the shortest there is, takes no partial tile before the full one is there: 256
/// times five minutes are 21 hours and 20 minutes.
const TAGGED_HEARTBEAT_MAX: Duration = Duration::from_secs(300);

/// Why the tiles of a size are not all there. It is made up at the next interval.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TileError {
    /// Something that they are made of could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// One could not be stored.
    #[error(transparent)]
    Put(#[from] PutError),
    /// The store does not hold a seal that it held.
    #[error("tiles need seal {0}, which is gone or does not extend the log; run `spanseal verify`")]
    Seal(u64),
}

/// How far the tiles have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All tiles of the size are stored.
    There,
    /// Full ones are still missing, and more seals have to be read than were allowed.
    Behind,
}

/// The newest seals, as they were committed, so that they need not be read back.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<(VecDeque<Arc<SealFile>>, usize)>);

impl Recent {
    /// Adds the next seal; the oldest are forgotten where nobody takes them.
    pub(crate) fn add(&self, seal: Arc<SealFile>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.1 = held.1.saturating_add(seal.entry.len());
        held.0.push_back(seal);
        while held.1 > RECENT_BYTES_MAX {
            let Some(oldest) = held.0.pop_front() else { break };
            held.1 = held.1.saturating_sub(oldest.entry.len());
        }
    }

    /// The seal with this index, or from which index on seals are held (`None`: none are).
    fn take(&self, index: u64) -> Result<Arc<SealFile>, Option<u64>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(first) = held.0.front().map(|seal| seal.statement.index) {
            if first > index {
                return Err(Some(first));
            }
            let Some(seal) = held.0.pop_front() else { break };
            held.1 = held.1.saturating_sub(seal.entry.len());
            if first == index {
                return Ok(seal);
            }
        }
        Err(None)
    }
}

/// Reads true seals.
#[derive(Debug)]
struct Seals {
    store: Arc<dyn WormStore>,
    log: String,
    lineage: Lineage,
}

impl Seals {
    async fn read(self: Arc<Self>, index: u64, before: Option<Arc<SealFile>>) -> Result<Arc<SealFile>, TileError> {
        let at = seal_at(self.store.as_ref(), &self.log, index, &self.lineage, before.as_deref()).await?;
        at.truth.map(|(_, _, seal)| Arc::new(seal)).ok_or(TileError::Seal(index))
    }

    /// Root of a full tile: the seal that completes it tells. Where that one is gone, the tile itself; what comes of it is compared with what
    /// the next seal states.
    async fn root_of(self: Arc<Self>, tile: Tile) -> Result<Hash, TileError> {
        let height = tile.level().saturating_add(1).saturating_mul(HEIGHT);
        let last = tile.number().saturating_add(1).checked_shl(u32::from(height)).unwrap_or(u64::MAX).saturating_sub(1);
        let seal = match Arc::clone(&self).read(last, None).await {
            Err(TileError::Seal(_)) => None,
            seal => Some(seal?),
        };
        let told = seal.and_then(|seal| perfect_root(&seal.frontier, seal.leaf(), height));
        if let Some(root) = told {
            return Ok(root);
        }
        let key = below(&self.log, &tile.path());
        let bytes = retried(|| self.store.get(&key, None, tile.bytes())).await?.unwrap_or_default();
        let nodes = tile.decode(&bytes).ok_or(TileError::Seal(last))?;
        let leaves: Vec<LeafHash> = nodes.into_iter().map(LeafHash).collect();
        Ok(crate::tlog::merkle::root_of(&leaves).0)
    }
}

/// A full tile or bundle that is not known to be stored.
#[derive(Debug)]
struct Unstored {
    path: String,
    bytes: Bytes,
    lock: Lock,
}

/// What the seals of the last, not yet full tile have.
#[derive(Debug, Default)]
struct Open {
    /// Their entries, as the bundle holds them.
    bundle: Vec<u8>,
    /// The locks of the segments that they name, by the configuration under which they were sealed.
    named: Vec<(Hash, Lock)>,
}

/// Writes the tiles of one log.
#[derive(Debug)]
pub(crate) struct Tiler {
    seals: Arc<Seals>,
    classes: Arc<Classes>,
    /// The configuration that `classes` are of, as statements name it.
    config_sha256: Hash,
    clock: Arc<dyn Clock>,
    /// The bucket locks by default.
    locked: bool,
    stats: Arc<Stats>,
    recent: Arc<Recent>,
    /// `None`: not known yet, or no longer.
    edge: Option<Edge>,
    open: Open,
    last: Option<Arc<SealFile>>,
    unstored: VecDeque<Unstored>,
    /// Partial tiles as they were last put, and whether rules may take those of level 0.
    partials: Vec<Tile>,
    tagged: bool,
    /// Seals come often enough for that.
    may_tag: bool,
    /// Text of an older configuration, as last looked up.
    older: Option<(Hash, Option<Json>)>,
}

/// What a [`Tiler`] needs.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) store: Arc<dyn WormStore>,
    pub(crate) log: String,
    pub(crate) lineage: Lineage,
    pub(crate) classes: Arc<Classes>,
    pub(crate) config_sha256: Hash,
    pub(crate) clock: Arc<dyn Clock>,
    /// The bucket locks by default.
    pub(crate) locked: bool,
    /// How often there is a seal at least; `None`: nobody knows.
    pub(crate) heartbeat: Option<Duration>,
    pub(crate) stats: Arc<Stats>,
}

impl Tiler {
    /// Of a log about which nothing is known yet.
    pub(crate) fn new(parts: Parts, recent: Arc<Recent>) -> Self {
        let Parts { store, log, lineage, classes, config_sha256, clock, locked, heartbeat, stats } = parts;
        Tiler {
            seals: Arc::new(Seals { store, log, lineage }),
            classes,
            config_sha256,
            clock,
            locked,
            stats,
            recent,
            edge: None,
            open: Open::default(),
            last: None,
            unstored: VecDeque::new(),
            partials: Vec::new(),
            tagged: false,
            may_tag: heartbeat.is_some_and(|heartbeat| heartbeat <= TAGGED_HEARTBEAT_MAX),
            older: None,
        }
    }

    /// Stores what is missing of the tiles of the tree that `newest` leaves, reading at most `reads` seals back from the store for it, and
    /// fewer once `stop` says so.
    pub(crate) async fn store_up_to(
        &mut self,
        newest: &Arc<SealFile>,
        mut reads: u64,
        stop: &CancellationToken,
    ) -> Result<Progress, TileError> {
        let size = newest.statement.index.saturating_add(1);
        if self.edge.is_none() && !self.resume(newest, reads).await? {
            return Ok(Progress::Behind);
        }
        loop {
            self.flush().await?;
            let at = self.edge.as_ref().map_or(0, |edge| edge.size().0);
            if at >= size {
                break;
            }
            let held = match self.recent.take(at) {
                Ok(seal) => {
                    self.take(seal).await?;
                    continue;
                }
                Err(from) => from.unwrap_or(size).min(size),
            };
            // To the end of a tile at most, so that what is completed is stored before more is read.
            let end = held.min((at / u64::from(WIDTH)).saturating_add(1).saturating_mul(u64::from(WIDTH)));
            if end.saturating_sub(at) > reads || stop.is_cancelled() && size.saturating_sub(at) > READS_AT_END_MAX {
                return Ok(Progress::Behind);
            }
            reads = reads.saturating_sub(end.saturating_sub(at));
            let seals = Arc::clone(&self.seals);
            let mut run = stream::iter(at..end).map(move |index| Arc::clone(&seals).read(index, None)).buffered(READS_AT_ONCE);
            while let Some(seal) = run.next().await {
                self.take(seal?).await?;
            }
        }
        self.put_partials(stop.is_cancelled()).await?;
        Ok(Progress::There)
    }

    /// Finds out how far the full tiles are stored, and makes the edge of the tree there. `false`: that takes more reads than are allowed.
    async fn resume(&mut self, newest: &SealFile, reads: u64) -> Result<bool, TileError> {
        let size = newest.statement.index.saturating_add(1);
        let full = size / u64::from(WIDTH);
        let stored = self.stored_of(full).await?;
        let at = TreeSize(stored.saturating_mul(u64::from(WIDTH)));
        let roots: Vec<Vec<Tile>> = (0..HEIGHT).map(|level| edge_roots(level, at)).collect();
        let cost = roots.iter().map(|tiles| u64::try_from(tiles.len()).unwrap_or(u64::MAX)).sum::<u64>();
        if cost > reads {
            return Ok(false);
        }
        let mut levels = Vec::new();
        for tiles in roots {
            let seals = Arc::clone(&self.seals);
            let read = stream::iter(tiles).map(move |tile| Arc::clone(&seals).root_of(tile));
            levels.push(read.buffered(READS_AT_ONCE).try_collect::<Vec<Hash>>().await?);
        }
        let edge = Edge::from_levels(at, levels).ok_or(TileError::Seal(at.0))?;
        // Behind a whole tile there is no next seal whose range it would be compared with.
        if at.0 == size && *edge.range() != newest.range_after() {
            return Err(TileError::Seal(newest.statement.index));
        }
        if full > stored {
            tracing::info!(stored, of = full, "tiles.behind");
        }
        self.open = Open::default();
        self.last = None;
        self.unstored.clear();
        self.edge = Some(edge);
        Ok(true)
    }

    /// How many full tiles of level 0 are stored, of `full`: with its bundle, from the first on. Almost always all of them.
    async fn stored_of(&self, full: u64) -> Result<u64, TileError> {
        let (mut low, mut high, mut step) = (0, full.saturating_add(1), 0_u64);
        // `low` tiles are stored, `high` are not: backwards from the end in growing steps, then by halves.
        while high.saturating_sub(low) > 1 {
            let middle = if low == 0 { high.saturating_sub(1).saturating_sub(step) } else { low + (high - low) / 2 };
            let middle = middle.max(low + 1);
            if self.is_stored(middle - 1).await? {
                low = middle
            } else {
                high = middle
            }
            step = step.saturating_mul(2).max(1);
        }
        Ok(low)
    }

    async fn is_stored(&self, number: u64) -> Result<bool, TileError> {
        let Some(tile) = Tile::new(0, number, WIDTH) else { return Ok(false) };
        let key = below(&self.seals.log, &tile.entries_path());
        Ok(retried(|| self.seals.store.head(&key, None)).await?.is_some())
    }

    /// Takes the next seal.
    async fn take(&mut self, seal: Arc<SealFile>) -> Result<(), TileError> {
        let Some(edge) = &mut self.edge else { return Ok(()) };
        let index = edge.size().0;
        let seal = if seal.frontier == *edge.range() {
            seal
        } else {
            // A signed version that does not extend the log is not the log; only the seal before tells which one is.
            let before = match self.last.take().filter(|last| last.statement.index.checked_add(1) == Some(index)) {
                Some(last) => last,
                None => Arc::clone(&self.seals).read(index.saturating_sub(1), None).await?,
            };
            Arc::clone(&self.seals).read(index, Some(before)).await?
        };
        if seal.frontier != *edge.range() || !add_entry(&mut self.open.bundle, &seal.entry) {
            self.edge = None;
            return Err(TileError::Seal(index));
        }
        let statement = &seal.statement;
        if let Some(named) = statement.segments.iter().map(|s| s.lock).reduce(Lock::join) {
            match self.open.named.iter_mut().find(|(sha256, _)| *sha256 == statement.config_sha256) {
                Some((_, lock)) => *lock = lock.join(named),
                None => self.open.named.push((statement.config_sha256, named)),
            }
        }
        let completed = edge.push(seal.leaf());
        self.last = Some(Arc::clone(&seal));
        if completed.is_empty() {
            return Ok(());
        }
        let Open { bundle, named } = std::mem::take(&mut self.open);
        let lock = match self.due(&seal, &named).await {
            Ok(lock) => lock,
            Err(error) => {
                // The tile is gone from the edge: what is missing is found anew.
                self.edge = None;
                return Err(error);
            }
        };
        let entries = completed.first().map(|(tile, _)| tile.entries_path());
        for (tile, nodes) in completed.into_iter().rev() {
            self.unstored.push_back(Unstored { path: tile.path(), bytes: encode(&nodes).into(), lock });
        }
        self.unstored.extend(entries.map(|path| Unstored { path, bytes: bundle.into(), lock }));
        Ok(())
    }

    /// The evidence lock of what `last` completes: that of the configured classes now and of all segments that are named inside. What an
    /// older configuration asked for counts too, but never joined with today's to a lock for which none of them asked: COMPLIANCE for the
    /// time of GOVERNANCE could never be lifted. Then that of the last seal counts.
    ///
    /// KNOWN GAP: above level 0 only the segments of the last 256 seals are looked at. Those before have earlier dates, unless an older
    /// configuration had longer periods; the tile is then locked as long as the newest demands.
    async fn due(&mut self, last: &SealFile, named: &[(Hash, Lock)]) -> Result<Lock, TileError> {
        let statement = &last.statement;
        let now = self.clock.now().ceil_seconds().max(statement.sealed_at);
        let under = statement.config_sha256;
        let of = |wanted: bool| named.iter().filter(move |(sha256, _)| (*sha256 == under) == wanted).map(|(_, lock)| *lock);
        let today = self.classes.evidence_lock(now, []);
        let mut others: Vec<Lock> = of(false).collect();
        let first = if under == self.config_sha256 || self.seals.store.locks() == Locks::None {
            self.classes.evidence_lock(now, of(true))
        } else {
            others.push(today);
            let older = self.older(last).await?;
            let due = older.and_then(|text| Classes::evidence_lock_under(text, statement.sealed_at, of(true)));
            due.or_else(|| of(true).reduce(Lock::join)).unwrap_or(today)
        };
        let due = others.into_iter().fold(first, |due, other| if other.covers(due) { other } else { due });
        Ok(if due.retain_until > now { due } else { today })
    }

    /// The configuration in force at a seal of earlier times.
    async fn older(&mut self, seal: &SealFile) -> Result<Option<&Json>, TileError> {
        let wanted = seal.statement.config_sha256;
        if self.older.as_ref().is_none_or(|(sha256, _)| *sha256 != wanted) {
            let Seals { store, log, lineage } = self.seals.as_ref();
            let text = config_in_force(store.as_ref(), log, lineage, seal).await?;
            self.older = Some((wanted, text.and_then(|text| Json::parse(text.as_bytes()).ok())));
        }
        Ok(self.older.as_ref().and_then(|(_, text)| text.as_ref()))
    }

    /// Stores what is complete. What fails stays for the next time.
    async fn flush(&mut self) -> Result<(), TileError> {
        while let Some(next) = self.unstored.front() {
            self.put_full(next).await?;
            self.unstored.pop_front();
        }
        Ok(())
    }

    async fn put_full(&self, Unstored { path, bytes, lock }: &Unstored) -> Result<(), TileError> {
        let key = below(&self.seals.log, path);
        match put_locked(self.seals.store.as_ref(), &key, bytes.clone(), *lock).await {
            Ok(_) => Ok(()),
            Err(PutError::Exists { .. }) => self.adopt(path, bytes, *lock).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Something lies at a full tile's key. One's own earlier attempt counts, once its lock holds.
    ///
    /// Where only foreign bytes lie there, a store with versions takes ours on top, so readers get the true tile and the other one stays as
    /// a sign; a folder would lose what somebody put there, so it is left, and what standard clients read is wrong until an operator takes
    /// it away. The same where a foreign version lies over ours: nothing is put again and again against somebody who can write there. It
    /// is counted and logged, `verify` finds it, and the checkpoint is published all the same: nobody else may stop that.
    async fn adopt(&self, path: &str, bytes: &Bytes, lock: Lock) -> Result<(), TileError> {
        let store = self.seals.store.as_ref();
        let key = below(&self.seals.log, path);
        match own_version(store, &key, bytes).await? {
            Some(version) => ensure_locked(store, &key, version.as_ref(), lock).await?,
            None if store.versioned() => {
                let wanted = (store.locks() == Locks::Enforced).then_some(lock);
                let version = store.put(&key, bytes.clone(), Condition::Any, wanted).await?;
                ensure_locked(store, &key, version.as_ref(), lock).await?;
                tracing::warn!(%key, "tile.foreign.covered");
            }
            None => {}
        }
        let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let shown = match retried(|| store.get(&key, None, limit)).await {
            Err(ReadError::TooLarge { .. }) => None,
            shown => shown?,
        };
        if shown.as_ref() != Some(bytes) {
            self.stats.publish_failures.add(1);
            tracing::warn!(%key, "tile.wrong");
        }
        Ok(())
    }

    /// Whether rules may take what was put last, although it is the newest.
    pub(crate) fn is_tagged(&self) -> bool {
        self.tagged
    }

    /// Puts the partial tiles of the size reached, and the bundle: those that have changed, for each has a key of its own. At the end they are
    /// put to stay, also where they were put already.
    async fn put_partials(&mut self, at_end: bool) -> Result<(), TileError> {
        let Some(edge) = &self.edge else { return Ok(()) };
        let tag = (self.may_tag && !at_end).then_some(Tag::PARTIAL);
        let lock = short_lock(self.locked, self.clock.as_ref());
        let again = self.tagged && tag.is_none();
        let changed = edge.partials().filter(|(tile, _)| !self.partials.contains(tile) || again && tile.level() == 0);
        let mut puts: Vec<(String, Bytes, Option<Tag>)> = Vec::new();
        for (tile, nodes) in changed {
            let tag = tag.filter(|_| tile.level() == 0);
            puts.push((tile.path(), encode(nodes).into(), tag));
            if tile.level() == 0 {
                puts.push((tile.entries_path(), Bytes::copy_from_slice(&self.open.bundle), tag));
            }
        }
        let store = self.seals.store.as_ref();
        for (path, bytes, tag) in puts {
            let key = below(&self.seals.log, &path);
            match tag {
                Some(tag) => store.put_tagged(&key, bytes, lock, tag).await?,
                None => store.put(&key, bytes, Condition::Any, lock).await?,
            };
        }
        self.partials = partials(edge.size()).collect();
        self.tagged = tag.is_some() && self.partials.iter().any(|tile| tile.level() == 0);
        Ok(())
    }
}

/// The tiles below the partial tile of `level` in a tree of this size, whose roots are its nodes.
fn edge_roots(level: u8, size: TreeSize) -> Vec<Tile> {
    let Some(below) = level.checked_sub(1) else { return Vec::new() };
    let edge = partials(size).find(|tile| tile.level() == level);
    let first = edge.map_or(0, |tile| tile.number().saturating_mul(u64::from(WIDTH)));
    let width = edge.map_or(0, |tile| u64::from(tile.width()));
    (first..first.saturating_add(width)).filter_map(|number| Tile::new(below, number, WIDTH)).collect()
}

/// The lock of `checkpoint` and of partial tiles: none, or one of minutes where the bucket would give a long one by default.
pub(crate) fn short_lock(locked: bool, clock: &dyn Clock) -> Option<Lock> {
    let until = clock.now().ceil_seconds().0.saturating_add(SHORT_LOCK_SECONDS);
    locked.then_some(Lock { mode: Mode::Governance, retain_until: UnixSeconds(until) })
}

#[cfg(test)]
mod tests;
