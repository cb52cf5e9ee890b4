//! The one task that owns the log: collects batches, seals them in groups, commits, answers, publishes.
//!
//! Order of one seal: (1) segments are put and their locks read back, while the vault takes what their records keep apart, (2) the seal is
//! signed, (3) its create-only put commits it, (4) the waiters are answered, (5) tiles and `checkpoint` are published at an interval, by a
//! task of its own (`publisher`). What fails in 1 or 2 fails the batch, and it may come again. A crash before 3 leaves orphans that no seal
//! names, those in the vault until the next start; a crash between 3 and 4
//! costs a resend, which the window of duplicates recognises.

mod apart;
mod doubt;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::doubt::Doubts;
use super::chain::{config_in_force, retried, seal_at};
use super::commit::{Commit, Fatal, own_version};
use super::dedup::Dedup;
use super::earlier::Earlier;
use super::erased::{ErasedIds, LeftOut};
use super::keys::{LogKey, LogKeys, Mark};
use super::lineage::Lineage;
use super::pending::Pending;
use super::publisher::{Publisher, Publishing};
use super::recovery::{CLOCK_SKEW_MAX_SECONDS, KeyTurn, OpenError, Opening, expect_identity};
use super::roots::Roots;
use super::segment::{Builder, Segment};
use super::stats::{Figure, Stats};
use super::tiles::{self, Recent, Tiler};
use super::window::{Holding, WindowReader};
use super::{Counters, Pool, Receipt, SealerHandle, Submission, SubmitError};
use crate::clock::{Clock, UnixSeconds};
use crate::govern;
use crate::record::Batch;
use crate::retain::Classes;
use crate::tlog::merkle::CompactRange;
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::{Counts, SealFile, SegmentRef, Statement};
use crate::tlog::signer::sign_checkpoint;
use crate::tlog::{Hash, RootHash};
use crate::vault::{Packs, Vault};
use crate::worm::{ENTRY_BYTES_MAX, Lock, Locks, PutError, VersionId, WormStore, WriterGuard, below, log_key, put_locked, segment_name};

/// Requests that may wait in the channel; the pool bounds their bytes.
const SUBMISSIONS_MAX: usize = 4096;
/// Tries of one segment put before the batch fails.
const SEGMENT_TRIES: u32 = 4;
/// Wait before the second try; it doubles.
const SEGMENT_BACKOFF: Duration = Duration::from_millis(200);
/// How long a signature may take: a key service that was not asked for a while needs a second or two.
const SIGN_WITHIN: Duration = Duration::from_secs(10);
/// What a sender whose batch failed is told to wait.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How long a record waits for company once the process is draining: its sender waits, and nobody new comes. Long enough that the
/// requests under way share a few seals.
const HURRIED_DELAY: Duration = Duration::from_millis(100);

/// How a log is written. Names and units are those of the configuration.
#[derive(Debug)]
pub struct Options {
    /// Where.
    pub store: Arc<dyn WormStore>,
    /// `log.name`
    pub log: String,
    /// Its key.
    pub key: LogKey,
    /// `log.next_key_file`: the key that the log changes to with the first seal of this process, if it has not changed to it before.
    pub next_key: Option<LogKey>,
    /// Where its records' content and persons go, claimed for this process. `None`: its records keep nothing apart.
    pub vault: Option<Vault>,
    /// `retention.classes`
    pub classes: Arc<Classes>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// `seal.pool_bytes` and `seal.admission_wait`
    pub pool: Pool,
    /// `seal.max_delay`: how long a record waits for company.
    pub max_delay: Duration,
    /// `seal.max_bytes`: bytes of lines at which a seal closes at once.
    pub max_bytes: usize,
    /// `seal.heartbeat`; `None`: off.
    pub heartbeat: Option<Duration>,
    /// `seal.dedup_window`
    pub dedup_window: Duration,
    /// `seal.dedup_bytes`
    pub dedup_bytes: u64,
    /// Interval at which `checkpoint` is published, if the log grew.
    pub publish_interval: Duration,
    /// How long an answer may take before its sender is told to try again; the commit itself goes on.
    pub answer_within: Duration,
    /// Longest time a put of a dead predecessor may still take to land, where the store ignores create-only.
    pub fence: Duration,
    /// JCS text of the redacted effective configuration with `identity.key_id`. A log that was written with another identity key is not
    /// continued.
    pub configuration: String,
    /// A record of our own that the first seal of this process holds as well; it keeps nothing apart. `None`: there is nothing to say.
    pub first_act: Option<Batch>,
}

/// Where the log stands, for whoever watches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Seals committed.
    pub tree_size: u64,
    /// The newest seal's checkpoint, as stored in it.
    pub checkpoint: String,
    /// When the newest seal closed.
    pub sealed_at: UnixSeconds,
    /// Records that this process has sealed, as of the newest seal.
    pub records: u64,
}

/// The running sealer.
#[derive(Debug)]
pub struct SealerTask {
    join: tokio::task::JoinHandle<Result<(), Fatal>>,
    stop: CancellationToken,
    hurry: CancellationToken,
    /// Where the log stands.
    pub status: watch::Receiver<Status>,
    /// Figures for the metrics table.
    pub stats: Arc<Stats>,
    /// When the newest seal closed that this process found; `None`: the log had none.
    pub found: Option<UnixSeconds>,
    /// The key that signs.
    pub vkey: VerifierKey,
    /// All keys that signed seals of the log, or sign them.
    pub keys: Vec<VerifierKey>,
    /// Whether that is the one of `next_key`.
    pub turn: KeyTurn,
}

impl SealerTask {
    /// Waits until the task ends, which by itself it does only on a fatal error.
    pub async fn ended(&mut self) -> Result<(), Fatal> {
        (&mut self.join).await.unwrap_or_else(|e| Err(Fatal::Broken { task: "the sealer", reason: e.to_string() }))
    }

    /// From now on closes seals early: open requests are waited for, and `seal.max_delay` may be longer than a drain.
    pub fn hurry(&self) {
        self.hurry.cancel();
    }

    /// Seals what was submitted, says in the last seal that it stops on purpose, publishes the checkpoint and ends. An error if that
    /// seal did not come to be: those who waited for it were refused.
    pub async fn drain(mut self) -> Result<(), Fatal> {
        self.stop.cancel();
        self.ended().await
    }

    /// Ends at once, in the middle of whatever it does: what a kill would do. Recovery makes that safe.
    pub fn abort(self) {
        self.join.abort();
    }
}

/// Opens the log and starts its writer. Nothing is acknowledged before the first seal of this process is committed: it shows that the
/// store takes seals, fences a predecessor, and holds the `config_change` record if the configuration changed.
pub async fn start(options: Options) -> Result<(SealerHandle, SealerTask), OpenError> {
    let Options { store, log, key, next_key, classes, clock, .. } = options;
    let mut keys = LogKeys { key, next: next_key };
    let opening = Opening { store: &store, log: &log, keys: &mut keys, classes: &classes, clock: clock.as_ref() };
    let opened = opening.open().await?;
    let turn = opened.turn;
    let (key, next) = match (turn, keys.next) {
        (KeyTurn::Next, Some(next)) => {
            let advice = "the log has changed its key: `log.key_file` may now name the file that `log.next_key_file` names, which can go";
            tracing::info!(key = %next.verifier(), advice, "key.changed.before");
            (next, None)
        }
        (KeyTurn::Announces, next) => (keys.key, next.map(Arc::new)),
        _ => (keys.key, None),
    };
    let key = Arc::new(key);
    let (submissions, inbox) = mpsc::channel(SUBMISSIONS_MAX);
    let handle = SealerHandle {
        submissions,
        pool: options.pool,
        counters: Arc::new(Counters::default()),
        answer_within: options.answer_within,
        erased: Arc::new(ErasedIds::new(options.dedup_window, options.dedup_bytes)),
    };
    let started = clock.now().ceil_seconds();
    let previous = opened.newest.clone();
    let before = previous.as_ref().map(|s| s.statement.config_sha256);
    let checkpoint_lock = match store.state().await {
        Ok(state) => state.default_retention.is_some() && store.locks() == Locks::Enforced,
        Err(e) => return Err(e.into()),
    };
    let stats = Arc::new(Stats::default());
    let (status, watching) = watch::channel(Status::default());
    let now = Instant::now();
    let config_sha256 = Hash::of(options.configuration.as_bytes());
    let mut sealer = Sealer {
        _guard: opened.guard,
        config_sha256,
        range: opened.newest.as_ref().map(SealFile::range_after).unwrap_or_default(),
        newest: opened.newest,
        lineage: opened.lineage,
        careful: opened.careful,
        dedup: Dedup::new(options.dedup_window, options.dedup_bytes),
        roots: Roots::default(),
        earlier: None,
        doubts: Doubts::default(),
        erased: Arc::clone(&handle.erased),
        counters: Arc::clone(&handle.counters),
        stats: Arc::clone(&stats),
        max_delay: options.max_delay,
        max_bytes: options.max_bytes,
        heartbeat: options.heartbeat,
        heartbeat_at: now,
        vault: options.vault,
        store,
        log,
        key: Arc::clone(&key),
        next,
        classes,
        clock,
        started,
        status,
        inbox,
    };
    sealer.fill_window(options.dedup_window).await?;
    let mut first = Pending::default();
    if before != Some(sealer.config_sha256) {
        first.control.push(sealer.config_change(&options.configuration).await?);
    }
    first.control.extend(options.first_act);
    match sealer.seal(first, Next::Promised).await? {
        Sealed::Committed => {}
        Sealed::Failed { reason, .. } => return Err(OpenError::Refused(format!("the log cannot be opened: {reason}"))),
    }
    sealer.fence(options.fence).await?;
    if turn == KeyTurn::Announces {
        // The old key's mark as well: whoever starts with it alone, on a store that was set back, must not sign on.
        sealer.mark(key).await;
    }
    let found = previous.as_ref().map(|seal| seal.statement.sealed_at);
    sealer.clean_vault(previous).await?;
    let recent = Arc::new(Recent::default());
    let parts = tiles::Parts {
        store: Arc::clone(&sealer.store),
        log: sealer.log.clone(),
        lineage: sealer.lineage.clone(),
        classes: Arc::clone(&sealer.classes),
        config_sha256,
        clock: Arc::clone(&sealer.clock),
        locked: checkpoint_lock,
        heartbeat: options.heartbeat,
        stats: Arc::clone(&stats),
    };
    let keys: Vec<VerifierKey> = sealer.lineage.keys().cloned().collect();
    let publisher = Publisher {
        tiler: Tiler::new(parts, Arc::clone(&recent)),
        recent,
        store: Arc::clone(&sealer.store),
        log: sealer.log.clone(),
        key: Arc::clone(&sealer.key),
        keys: keys.clone(),
        clock: Arc::clone(&sealer.clock),
        interval: options.publish_interval,
        locked: checkpoint_lock,
        stats: Arc::clone(&stats),
    };
    // Boxed, because it is waited for inside of what waits for the start of everything.
    let publishing = Box::pin(publisher.start(sealer.newest.as_ref())).await?;
    let vkey = sealer.key.verifier().clone();
    let (stop, hurry) = (CancellationToken::new(), CancellationToken::new());
    let join = tokio::spawn(sealer.run(publishing, stop.clone(), hurry.clone()));
    Ok((handle, SealerTask { join, stop, hurry, status: watching, stats, found, vkey, keys, turn }))
}

struct Sealer {
    _guard: WriterGuard,
    store: Arc<dyn WormStore>,
    vault: Option<Vault>,
    log: String,
    /// Signs.
    key: Arc<LogKey>,
    /// Is announced by the next seal, signs it as well, and from then on alone.
    next: Option<Arc<LogKey>>,
    lineage: Lineage,
    classes: Arc<Classes>,
    clock: Arc<dyn Clock>,
    started: UnixSeconds,
    config_sha256: Hash,
    newest: Option<SealFile>,
    range: CompactRange,
    careful: bool,
    dedup: Dedup,
    roots: Roots,
    /// Looks at seals of earlier processes, once one is in doubt.
    earlier: Option<Arc<Earlier>>,
    doubts: Doubts,
    erased: Arc<ErasedIds>,
    counters: Arc<Counters>,
    stats: Arc<Stats>,
    status: watch::Sender<Status>,
    inbox: mpsc::Receiver<Submission>,
    max_delay: Duration,
    max_bytes: usize,
    heartbeat: Option<Duration>,
    heartbeat_at: Instant,
}

/// What a seal promises of its successor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// `next_by`, if heartbeats are on.
    Promised,
    /// Stopped on purpose.
    Stopped,
}

enum Sealed {
    Committed,
    /// Nothing was signed; the senders were told.
    Failed {
        reason: String,
        /// How many they are.
        refused: usize,
    },
}

enum Wake {
    Seal(Pending),
    Stop(Pending),
}

impl Sealer {
    async fn run(mut self, mut publishing: Publishing, stop: CancellationToken, hurry: CancellationToken) -> Result<(), Fatal> {
        loop {
            let wake = tokio::select! {
                wake = self.collect(&stop, &hurry) => wake,
                // What was collected is dropped with this process, and its senders hear that it stopped.
                () = publishing.failed() => return Err(Fatal::Broken { task: "the publisher of the checkpoint", reason: "it ended by itself".to_owned() }),
            };
            match wake {
                Wake::Seal(pending) => {
                    let sealed = self.seal(pending, Next::Promised).await?;
                    if let (Sealed::Committed, Some(newest)) = (sealed, &self.newest) {
                        publishing.committed(newest);
                    }
                }
                Wake::Stop(pending) => {
                    self.inbox.close();
                    let sealed = self.seal(pending, Next::Stopped).await?;
                    if let Sealed::Failed { reason, refused } = sealed {
                        return Err(Fatal::Unsealed { reason, refused });
                    }
                    if let Some(newest) = &self.newest {
                        publishing.committed(newest);
                    }
                    publishing.finish().await;
                    tracing::info!(tree_size = self.range.size().0, "log.closed");
                    return Ok(());
                }
            }
        }
    }

    /// Waits for the next seal's content: the first batch and then whatever comes within `max_delay` or fills `max_bytes`; nothing but
    /// a heartbeat; or the end. The newest seal promised its successor (`next_by`): what is open when that is due closes early.
    async fn collect(&mut self, stop: &CancellationToken, hurry: &CancellationToken) -> Wake {
        let mut pending = Pending::default();
        let mut close_at: Option<Instant> = None;
        let mut delay = self.max_delay;
        loop {
            // Every arm is cancel-safe: `recv` loses nothing, the others hold nothing.
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    while let Ok(submission) = self.inbox.try_recv() {
                        self.pend(submission, None, &mut pending);
                    }
                    self.settle(&mut pending).await;
                    return Wake::Stop(pending);
                }
                () = hurry.cancelled(), if delay > HURRIED_DELAY => {
                    delay = HURRIED_DELAY;
                    close_at = close_at.map(|at| at.min(Instant::now() + delay));
                }
                () = sleep_until(close_at) => return Wake::Seal(pending),
                Some(ended) = self.doubts.looks.join_next_with_id() => self.looked(ended, &mut pending),
                submission = self.inbox.recv() => match submission {
                    None => {
                        self.settle(&mut pending).await;
                        return Wake::Stop(pending);
                    }
                    Some(submission) => self.pend(submission, None, &mut pending),
                },
                () = sleep_until(self.heartbeat.map(|_| self.heartbeat_at)) => return Wake::Seal(pending),
            }
            if pending.bytes >= self.max_bytes {
                return Wake::Seal(pending);
            }
            if close_at.is_none() && !pending.is_empty() {
                close_at = Some(Instant::now() + delay);
            }
        }
    }

    /// Takes a submission in, without the records that are sealed already or stand in this very batch. One that may bring again what an
    /// earlier process sealed is taken in later. `of_erased`: the newest
    /// seal of what was left out of it before, because it was erased.
    fn pend(&mut self, mut submission: Submission, of_erased: Option<u64>, pending: &mut Pending) {
        let LeftOut { records, newest_seal } = self.erased.leave_out(&mut submission.batch, self.clock.now().ceil_seconds());
        self.counters.add(Counts { duplicates: records, ..Counts::default() });
        self.stats.duplicates.add(records);
        let of_erased = newest_seal.max(of_erased);
        if let Some(seal) = of_erased.filter(|_| submission.batch.records.is_empty()) {
            let _ = submission.answer.send(Ok(Receipt { seal, root: self.roots.of(seal) }));
            return;
        }
        let Some(submission) = self.unless_in_doubt(submission, of_erased) else { return };
        let taken = pending.take(submission, &self.dedup);
        self.counters.add(Counts { duplicates: taken.duplicates, ..Counts::default() });
        self.stats.duplicates.add(taken.duplicates);
        if let Some((seal, answer)) = taken.sealed {
            let seal = of_erased.map_or(seal, |of_erased| of_erased.max(seal));
            let _ = answer.send(Ok(Receipt { seal, root: self.roots.of(seal) }));
        }
    }

    /// Seals what is pending (nothing: a heartbeat).
    async fn seal(&mut self, mut pending: Pending, next: Next) -> Result<Sealed, Fatal> {
        let counts = self.counters.take();
        let closed = Instant::now();
        let ready = match self.prepare(&mut pending, counts, next).await {
            Ok(ready) => ready,
            Err(reason) => {
                self.counters.add(counts);
                self.stats.failed_batches.add(1);
                fails(&self.stats.failing_since, self.clock.as_ref());
                let refused = pending.waiters.len();
                tracing::warn!(reason, waiters = refused, "seal.batch.failed");
                pending.answer(&Err(SubmitError::NotSealed { reason: reason.clone(), retry_after: RETRY_AFTER }));
                // A failed heartbeat is tried again soon: its promise stands.
                self.heartbeat_at = Instant::now() + RETRY_AFTER;
                return Ok(Sealed::Failed { reason, refused });
            }
        };
        let sealed_at = ready.seal.statement.sealed_at;
        let root = match self.commit(ready).await {
            Ok(root) => root,
            Err(fatal) => {
                tracing::error!(reason = %fatal, "seal.fatal");
                pending.answer(&Err(SubmitError::Stopped { reason: fatal.to_string() }));
                return Err(fatal);
            }
        };
        let index = self.range.size().0.saturating_sub(1);
        self.stats.failing_since.set(0);
        self.stats.duplicates.add(pending.shared);
        self.dedup.expire(sealed_at);
        if !pending.keys.is_empty() {
            self.roots.insert(index, root);
        }
        for key in pending.keys.drain() {
            self.dedup.insert(key, index, sealed_at);
        }
        self.observe(closed, pending.since, sealed_at);
        pending.answer(&Ok(Receipt { seal: index, root: Some(root) }));
        Ok(Sealed::Committed)
    }

    /// Everything before the signature. An error leaves at most orphans, and the batch may come again.
    async fn prepare(&self, pending: &mut Pending, counts: Counts, next: Next) -> Result<Ready, String> {
        // What is known of the clock is as old as the store's newest answer. A reading that forbids to seal is taken anew: as long as it
        // stands nothing is put, so nothing else would ever tell that the clock was set right. And a heartbeat puts nothing before it is
        // signed, so it asks first.
        if pending.is_empty() || self.expect_clock().is_err() {
            self.ask_the_time().await?;
            self.expect_clock()?;
        }
        let now = self.clock.now().ceil_seconds();
        let sealed_at = self.newest.as_ref().map_or(now, |s| s.statement.sealed_at.max(now));
        let batches = std::mem::take(&mut pending.batches);
        let (staged, packs) = self.stage(batches, std::mem::take(&mut pending.control), sealed_at).await?;
        let signed = match self.state(staged, pending, counts, (sealed_at, next)) {
            Ok(stated) => self.sign(stated).await,
            Err(reason) => Err(reason),
        };
        match signed {
            Ok(ready) => Ok(ready),
            Err(reason) => {
                self.leave(packs).await;
                Err(reason)
            }
        }
    }

    /// What the seal says of what was staged.
    fn state(&self, staged: Staged, pending: &Pending, counts: Counts, (sealed_at, next): (UnixSeconds, Next)) -> Result<Stated, String> {
        // The store has answered since: after a quiet time it is these answers that know of a clock that was moved meanwhile.
        self.expect_clock()?;
        let lock = self.classes.evidence_lock(sealed_at, staged.segments.iter().map(|s| s.lock));
        let promised = self.heartbeat.filter(|_| next == Next::Promised).map(|heartbeat| {
            let seconds = heartbeat.as_secs() + u64::from(heartbeat.subsec_nanos() > 0);
            UnixSeconds(sealed_at.0.saturating_add(i64::try_from(seconds).unwrap_or(i64::MAX)))
        });
        let statement = Statement {
            log: self.key.origin().to_owned(),
            index: self.range.size().0,
            sealed_at,
            started: self.started.min(sealed_at),
            previous: self.newest.as_ref().map(SealFile::leaf),
            segments: staged.segments,
            // Of the records that several requests of this batch brought, one is about to be sealed; the others are its duplicates.
            counts: Counts { promoted: staged.promoted, duplicates: counts.duplicates + pending.shared, ..counts },
            config_sha256: self.config_sha256,
            next_by: promised,
            next_vkey: self.next.as_ref().map(|next| next.verifier().clone()),
            not_worm: self.store.locks() == Locks::None,
            decrees: match staged.decree {
                true => Some(self.range.size().0),
                false => self.newest.as_ref().and_then(|newest| newest.statement.decrees),
            },
        };
        let entry = statement.entry();
        expect_entry_fits(&entry, &statement)?;
        Ok(Stated { statement, entry, lock, line_bytes: staged.line_bytes })
    }

    /// Signs what a seal says. An error means that nobody holds a signature by the log's key for this index, so the index may be signed for
    /// another batch: a signature that is made too late is dropped with the call, and one that does not verify is none. Where a second key
    /// signs as well, one signature may have been made and the other not; that is the first seal of a process, which signs nothing after
    /// that ([`start`] fails), and what the next process cannot see it may sign anew (`store.md`).
    async fn sign(&self, stated: Stated) -> Result<Ready, String> {
        let Stated { statement, entry, lock, line_bytes } = stated;
        let frontier = self.range.clone();
        let mut range = self.range.clone();
        range.append(crate::tlog::merkle::leaf_hash(&entry));
        let signers: Vec<_> = std::iter::once(&self.key).chain(&self.next).map(|key| key.signer()).collect();
        let signing = sign_checkpoint(&signers, range.size(), range.root());
        let checkpoint = match tokio::time::timeout(SIGN_WITHIN, signing).await {
            Ok(signed) => signed.map_err(|e| e.to_string())?,
            Err(_) => return Err(format!("the log's key gave no signature within {} s", SIGN_WITHIN.as_secs())),
        };
        Ok(Ready { seal: SealFile { statement, entry, checkpoint, frontier }, range, lock, line_bytes })
    }

    /// Refuses a clock that is far off the store's own, as far as its newest answer knows (`store.md`, "The seal").
    fn expect_clock(&self) -> Result<(), String> {
        match self.store.clock_skew_seconds().filter(|s| s.abs() > CLOCK_SKEW_MAX_SECONDS) {
            None => Ok(()),
            Some(skew) => Err(format!("this machine's clock is {skew} s off the store's own, so nothing is sealed until it is set right")),
        }
    }

    /// Has the store answer something cheap, for the time that stands in the answer.
    async fn ask_the_time(&self) -> Result<(), String> {
        if self.store.clock_skew_seconds().is_none() {
            // No clock of its own.
            return Ok(());
        }
        let key = log_key(&self.log);
        match retried(|| self.store.head(&key, None)).await {
            Err(e) if e.is_retryable() => Err(format!("the store does not tell the time: {e}")),
            // A refusal is an answer as well.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Builds the segments and puts them, locks read back; meanwhile the vault takes what their records keep apart. An error leaves at most
    /// orphan segments.
    async fn stage(&self, mut batches: Vec<Batch>, mut control: Vec<Batch>, sealed_at: UnixSeconds) -> Result<(Staged, Packs), String> {
        let aparts = control.iter_mut().chain(&mut batches).map(|batch| std::mem::take(&mut batch.apart)).collect();
        let (segments, packs) = tokio::join!(self.put_segments(batches, control, sealed_at), self.put_apart(aparts, sealed_at));
        match (segments, packs) {
            (Ok(staged), Ok(packs)) => Ok((staged, packs)),
            (Err(reason), Ok(packs)) => {
                self.leave(packs).await;
                Err(reason)
            }
            (_, Err(reason)) => Err(reason),
        }
    }

    async fn put_segments(&self, batches: Vec<Batch>, control: Vec<Batch>, sealed_at: UnixSeconds) -> Result<Staged, String> {
        let promoted = batches.iter().flat_map(|b| &b.records).filter(|r| !r.control).count();
        let batches: Vec<Batch> = control.into_iter().chain(batches).collect();
        let decree = batches.iter().any(|batch| batch.decree);
        let build = move || {
            let bytes = batches.iter().flat_map(|batch| &batch.records).map(|record| record.line.len() + 1).sum();
            let mut builder = Builder::expecting(bytes);
            for batch in batches {
                for record in &batch.records {
                    builder.add(&batch, record);
                }
            }
            builder.finish()
        };
        let segments = match tokio::task::spawn_blocking(build).await {
            Ok(Ok(segments)) => segments,
            Ok(Err(e)) => return Err(format!("compressing failed: {e}")),
            Err(e) => return Err(format!("compressing broke off: {e}")),
        };
        let index = self.range.size().0;
        let line_bytes = segments.iter().map(|s| s.line_bytes).sum();
        let puts = segments.into_iter().map(|segment| self.put_segment(segment, index, sealed_at));
        let mut refs = Vec::new();
        for put in join_all(puts).await {
            refs.push(put?);
        }
        refs.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Staged { segments: refs, promoted: u64::try_from(promoted).unwrap_or(u64::MAX), line_bytes, decree })
    }

    async fn put_segment(&self, segment: Segment, index: u64, sealed_at: UnixSeconds) -> Result<SegmentRef, String> {
        let class = self.classes.class(segment.class).name.clone();
        let lock = self.classes.lock(segment.class, sealed_at);
        let relative = segment_name(&class, sealed_at, index, &segment.sha256.to_string());
        let key = below(&self.log, &relative);
        let length = u64::try_from(segment.bytes.len()).unwrap_or(u64::MAX);
        let body = Bytes::from(segment.bytes);
        let mut wait = SEGMENT_BACKOFF;
        let mut tries = 0;
        // The name carries the content's hash, so a put may be made again whatever became of the one before.
        let version = loop {
            tries += 1;
            let error = match put_locked(self.store.as_ref(), &key, body.clone(), lock).await {
                Ok(version) => break version,
                Err(PutError::Exists { .. }) => match self.adopt(&key, &body, lock).await {
                    Ok(version) => break version,
                    Err(e) => e,
                },
                Err(e) => e,
            };
            if !error.is_retryable() || tries >= SEGMENT_TRIES {
                return Err(error.to_string());
            }
            self.stats.segment_retries.add(1);
            tracing::warn!(key = %key, reason = %error, "put.retried");
            tokio::time::sleep(wait).await;
            wait *= 2;
        };
        Ok(SegmentRef {
            key: relative,
            version_id: version,
            sha256: segment.sha256,
            bytes: length,
            records: segment.records,
            merkle_root: segment.merkle_root,
            class,
            lock,
            first: segment.first,
            last: segment.last,
        })
    }

    /// Something is at a segment's key: one's own earlier attempt counts, if its lock holds.
    async fn adopt(&self, key: &crate::worm::ObjectKey, body: &Bytes, lock: Lock) -> Result<Option<VersionId>, PutError> {
        let unreadable = |e: crate::worm::ReadError| PutError::Unknown { key: key.clone(), reason: e.to_string() };
        match own_version(self.store.as_ref(), key, body).await.map_err(unreadable)? {
            Some(version) => {
                crate::worm::ensure_locked(self.store.as_ref(), key, version.as_ref(), lock).await?;
                Ok(version)
            }
            None => Err(PutError::Refused { key: key.clone(), reason: "another object lies at this segment's key".to_owned() }),
        }
    }

    /// Commits what is signed. From the signature on there is no way back to this index.
    async fn commit(&mut self, ready: Ready) -> Result<RootHash, Fatal> {
        let Ready { seal, range, lock, line_bytes } = ready;
        let statement = &seal.statement;
        let index = statement.index;
        let records: u64 = statement.segments.iter().map(|s| s.records).sum();
        let stored_bytes: u64 = statement.segments.iter().map(|s| s.bytes).sum();
        let heartbeat = statement.segments.is_empty();
        let root = range.root();
        let bytes = seal.to_bytes().map_err(|e| Fatal::Format(e.to_string()))?;
        // The pair check of our own mistakes, before they are locked away for years: what every reader will do.
        let read =
            SealFile::parse(&bytes).and_then(|s| s.open(self.key.verifier()).map(|_| s)).map_err(|e| Fatal::Format(e.to_string()))?;
        if let Some(before) = &self.newest {
            read.extends(before).map_err(|e| Fatal::Format(e.to_string()))?;
        }
        let commit =
            Commit { store: self.store.as_ref(), log: &self.log, lineage: &self.lineage, careful: self.careful, stats: &self.stats };
        commit.commit(&seal, self.newest.as_ref(), Bytes::from(bytes), lock).await?;
        self.stats.seals.add(1);
        self.stats.records.add(records);
        self.stats.line_bytes.add(line_bytes);
        self.stats.stored_bytes.add(stored_bytes);
        self.stats.heartbeats.add(u64::from(heartbeat));
        tracing::info!(seal = index, records, segments = seal.statement.segments.len(), "seal.committed");
        self.lineage.follow(&seal);
        if let Some(next) = self.next.take() {
            tracing::info!(seal = index, key = %next.verifier(), before = %self.key.verifier(), "key.changed");
            self.key = next;
        }
        self.range = range;
        self.newest = Some(seal);
        Ok(root)
    }

    /// Notes the newest seal beside a key. A failure costs sharpness only.
    async fn mark(&self, key: Arc<LogKey>) {
        let Some(mark) = self.newest.as_ref().map(|seal| Mark { index: seal.statement.index, leaf: seal.leaf() }) else { return };
        match tokio::task::spawn_blocking(move || key.set_mark(mark)).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::warn!(reason = %e, "key.mark.unwritten"),
            Err(e) => tracing::warn!(reason = %e, "key.mark.unwritten"),
        }
    }

    fn observe(&mut self, closed: Instant, first_record: Option<Instant>, sealed_at: UnixSeconds) {
        let now = Instant::now();
        if let Some(first) = first_record {
            self.stats.duration.record(now - first);
        }
        self.stats.seal_nanos.add(u64::try_from((now - closed).as_nanos()).unwrap_or(u64::MAX));
        self.stats.tree_size.set(self.range.size().0);
        self.stats.sealed_at.set(u64::try_from(sealed_at.0).unwrap_or(0));
        let (entries, age) = self.dedup.extent(sealed_at);
        self.stats.dedup_entries.set(entries);
        self.stats.dedup_window_seconds.set(age);
        self.stats.dedup_evicted.set(self.dedup.evicted());
        // A quarter early: `next_by` counts whole heartbeats from `sealed_at`, and the seal itself takes time.
        self.heartbeat_at = now + self.heartbeat.unwrap_or_default().mul_f32(0.75);
        if let Some(newest) = &self.newest {
            let records = self.stats.records.value();
            let status = Status { tree_size: self.range.size().0, checkpoint: newest.checkpoint.clone(), sealed_at, records };
            self.status.send_replace(status);
        }
    }

    /// Where the store ignores create-only, a put of a dead predecessor may still land before ours in the listing: wait until none
    /// can, then look again whether our first seal is the oldest version of its key.
    async fn fence(&self, wait: Duration) -> Result<(), OpenError> {
        let (true, Some(newest)) = (self.careful, &self.newest) else { return Ok(()) };
        tokio::time::sleep(wait).await;
        let index = newest.statement.index;
        let before = match index.checked_sub(1) {
            Some(previous) => seal_at(self.store.as_ref(), &self.log, previous, &self.lineage, None).await?.truth.map(|t| t.2),
            None => None,
        };
        let at = seal_at(self.store.as_ref(), &self.log, index, &self.lineage, before.as_ref()).await?;
        match at.truth {
            Some((_, _, seal)) if seal.entry == newest.entry => Ok(()),
            _ => Err(Fatal::Displaced { index }.into()),
        }
    }

    /// Remembers the records of the newest seals, as far back as the window and its bytes reach.
    async fn fill_window(&mut self, window: Duration) -> Result<(), OpenError> {
        let Some(newest) = self.newest.clone() else { return Ok(()) };
        let now = self.clock.now().ceil_seconds();
        let oldest = UnixSeconds(now.0.saturating_sub(i64::try_from(window.as_secs()).unwrap_or(i64::MAX)));
        let reader = WindowReader::new(Arc::clone(&self.store), self.log.clone(), self.lineage.clone(), oldest);
        // Read newest first until the window is full; inserted oldest first, because the oldest are forgotten first.
        for Holding { seal, sealed_at, root, keys } in reader.read(newest, self.dedup.room()).await?.into_iter().rev() {
            for key in keys.into_iter().rev() {
                self.dedup.insert_line(key, seal, sealed_at);
            }
            self.roots.insert(seal, root);
        }
        Ok(())
    }

    async fn config_change(&self, after: &str) -> Result<Batch, OpenError> {
        let before = match &self.newest {
            None => None,
            Some(newest) => {
                // A store that does not answer now will later; going on without it would take another identity key unseen.
                let before = config_in_force(self.store.as_ref(), &self.log, &self.lineage, newest).await?;
                if before.is_none() {
                    let reason = "the config_change record in force is gone from the store, so whether `identity.key_file` still holds the key \
                                  that this log was written with could not be compared; compare it by hand, and run `spanseal verify`";
                    tracing::warn!(reason, "config.before.gone");
                }
                before
            }
        };
        if let Some(before) = &before {
            expect_identity(before, after, &self.store.describe())?;
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| OpenError::Refused("the system has no randomness to give".to_owned()))?;
        Ok(govern::config_change(before.as_deref(), after, self.clock.now(), random, &self.classes))
    }
}

struct Staged {
    segments: Vec<SegmentRef>,
    promoted: u64,
    line_bytes: u64,
    /// One of the records is of a decree.
    decree: bool,
}

/// All that a seal says, not signed yet.
struct Stated {
    statement: Statement,
    /// It as bytes: what is signed.
    entry: Vec<u8>,
    /// Its evidence lock.
    lock: Lock,
    /// Bytes of the record lines in its segments.
    line_bytes: u64,
}

/// A seal that is signed, and known to nobody yet.
struct Ready {
    seal: SealFile,
    /// The tree with it.
    range: CompactRange,
    /// Its evidence lock.
    lock: Lock,
    /// Bytes of the record lines in its segments.
    line_bytes: u64,
}

/// What no reader would take must not be signed: after the signature there is no way back. The number of classes is bounded so that this
/// is never met ([`CLASSES_MAX`](crate::retain::CLASSES_MAX)); a store with version ids of a kilobyte would meet it.
/// Notes since when something fails, unless it has failed before.
fn fails(since: &Figure, clock: &dyn Clock) {
    if since.value() == 0 {
        since.set(u64::try_from(clock.now().ceil_seconds().0).unwrap_or(0));
    }
}

fn expect_entry_fits(entry: &[u8], statement: &Statement) -> Result<(), String> {
    if entry.len() <= ENTRY_BYTES_MAX {
        return Ok(());
    }
    Err(format!(
        "seal {} would name {} segments in {} bytes, and an entry of the log has {ENTRY_BYTES_MAX} at most; let fewer retention classes come \
         together",
        statement.index,
        statement.segments.len(),
        entry.len()
    ))
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixNanos;
    use crate::worm::Mode;

    /// The longest names and numbers that our own segments have, in as many classes as a configuration may have.
    fn statement(segments: usize) -> Statement {
        let class = "c".repeat(63);
        let segment = |n: usize| SegmentRef {
            key: segment_name(&class, UnixSeconds::MAX, u64::MAX, &Hash::of(&n.to_be_bytes()).to_string()),
            version_id: Some(VersionId("v".repeat(100))),
            sha256: Hash([0; 32]),
            bytes: u64::MAX,
            records: u64::MAX,
            merkle_root: RootHash(Hash([0; 32])),
            class: class.clone(),
            lock: Lock { mode: Mode::Compliance, retain_until: UnixSeconds::MAX },
            first: UnixNanos(u64::MAX),
            last: UnixNanos(u64::MAX),
        };
        Statement {
            log: "o".repeat(200),
            index: u64::MAX,
            sealed_at: UnixSeconds::MAX,
            started: UnixSeconds::MAX,
            previous: None,
            segments: (0..segments).map(segment).collect(),
            counts: Counts::default(),
            config_sha256: Hash([0; 32]),
            next_by: None,
            next_vkey: None,
            not_worm: true,
            decrees: None,
        }
    }

    #[test]
    fn a_seal_of_all_classes_fits_and_one_that_does_not_is_refused_before_it_is_signed() {
        let all = statement(crate::retain::CLASSES_MAX);
        assert_eq!(expect_entry_fits(&all.entry(), &all), Ok(()), "{} bytes", all.entry().len());
        let more = statement(2 * crate::retain::CLASSES_MAX);
        let refused = expect_entry_fits(&more.entry(), &more).unwrap_err();
        assert!(refused.contains("would name 128 segments"), "{refused}");
    }
}
