//! Publishes the newest committed checkpoint at an interval, as a task of its own: a store that hangs here stalls no seal.
//!
//! `checkpoint` is a pointer and may lag (`store.md`), so a failure is made up at the next interval. Order is kept because one task puts one
//! checkpoint at a time, always the newest there is: an older one is never put after a newer one was. What it publishes is committed: the
//! sealer hands a seal over after its commit. And whoever reads a checkpoint finds its tiles: they are stored before it.
//!
//! So where tiles have to be made up for many seals, `checkpoint` lags until that is done. It is a lower bound that recovery starts from,
//! and a bound that lags costs some probes; what this key has committed stands beside the key meanwhile. A checkpoint without its
//! tiles would cost every client that believes it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::chain::retried;
use super::keys::{LogKey, Mark};
use super::stats::Stats;
use super::tiles::{Progress, Recent, TileError, Tiler, short_lock};
use crate::clock::Clock;
use crate::tlog::note::{Checkpoint, VerifierKey};
use crate::tlog::seal_file::SealFile;
use crate::worm::{Condition, ReadError, SMALL_BYTES_MAX, WormStore, checkpoint_key};

/// Seals that may be read back before the log is open: a start with tiles to make up goes on with that in the background.
const READS_AT_START_MAX: u64 = 64;
/// What publishing needs.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) store: Arc<dyn WormStore>,
    pub(crate) log: String,
    pub(crate) key: Arc<LogKey>,
    /// All keys that this log has had: an older one may have signed what was published before.
    pub(crate) keys: Vec<VerifierKey>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Between the beginnings of two publications, if the log grew.
    pub(crate) interval: Duration,
    /// The bucket locks by default.
    pub(crate) locked: bool,
    pub(crate) stats: Arc<Stats>,
    pub(crate) tiler: Tiler,
    /// Where the sealer leaves seals for `tiler`.
    pub(crate) recent: Arc<Recent>,
}

/// A committed seal's checkpoint.
#[derive(Clone, Debug)]
struct Newest {
    size: u64,
    seal: Arc<SealFile>,
}

/// The sealer's end. Dropping it ends the task in the middle of whatever it does, as a kill would.
#[derive(Debug)]
pub(crate) struct Publishing {
    newest: watch::Sender<Option<Newest>>,
    recent: Arc<Recent>,
    stop: CancellationToken,
    join: tokio::task::JoinHandle<()>,
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.join.abort();
    }
}

impl Publishing {
    /// Hands over the checkpoint of a seal that is committed.
    pub(crate) fn committed(&self, seal: &SealFile) {
        let newest = Newest::of(seal);
        self.recent.add(Arc::clone(&newest.seal));
        self.newest.send_replace(Some(newest));
    }

    /// Publishes the newest checkpoint, if that is still to be done, and ends.
    pub(crate) async fn finish(mut self) {
        self.stop.cancel();
        // An error here is a panic there, which the log shows; the pointer lags then, which is allowed.
        let _ = (&mut self.join).await;
    }

    /// Ready when the task broke off, which it never does by itself.
    pub(crate) async fn failed(&mut self) {
        let _ = (&mut self.join).await;
    }
}

impl Newest {
    fn of(seal: &SealFile) -> Self {
        Newest { size: seal.statement.index.saturating_add(1), seal: Arc::new(seal.clone()) }
    }
}

impl Publisher {
    /// Publishes `newest` before anything else, if its tiles are quickly made, and then goes on by itself.
    pub(crate) async fn start(mut self, newest: Option<&SealFile>) -> Result<Publishing, ReadError> {
        let published = self.published_before().await?;
        self.stats.published_tree_size.set(published);
        let first = newest.map(Newest::of);
        let stop = CancellationToken::new();
        let (mut published, mut behind) = (0, false);
        if let Some(first) = &first {
            self.recent.add(Arc::clone(&first.seal));
            behind = self.publish(first, &mut published, READS_AT_START_MAX, &stop).await == Some(Progress::Behind);
        }
        // What the start left is taken up at once.
        let next = Instant::now() + if behind { Duration::ZERO } else { self.interval };
        let recent = Arc::clone(&self.recent);
        let (newest, watching) = watch::channel(first);
        let join = tokio::spawn(self.run(watching, stop.clone(), published, next));
        Ok(Publishing { newest, recent, stop, join })
    }

    /// Size of the checkpoint that an earlier process has published, for the figure of what is not covered yet.
    async fn published_before(&self) -> Result<u64, ReadError> {
        let key = checkpoint_key(&self.log);
        let note = match retried(|| self.store.get(&key, None, SMALL_BYTES_MAX)).await {
            Err(ReadError::TooLarge { .. }) => None,
            note => note?,
        };
        let text = note.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        let opened = text.and_then(|text| self.keys.iter().find_map(|key| Checkpoint::open(&text, key).ok()));
        Ok(opened.map_or(0, |checkpoint| checkpoint.size.0))
    }

    async fn run(mut self, mut newest: watch::Receiver<Option<Newest>>, stop: CancellationToken, mut published: u64, mut next: Instant) {
        loop {
            // Every arm is cancel-safe: none of them holds anything.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = due(&mut newest, published, next) => {}
            }
            next = Instant::now() + self.interval;
            let now = newest.borrow_and_update().clone();
            if let Some(now) = now {
                self.publish(&now, &mut published, u64::MAX, &stop).await;
            }
        }
        let last = newest.borrow().clone().filter(|last| last.size > published || self.tiler.is_tagged());
        if let Some(last) = last {
            self.publish(&last, &mut published, u64::MAX, &stop).await;
        }
    }

    /// Stores the tiles that a seal's checkpoint commits to, reading at most `reads` seals for them, and points `checkpoint` at it. `None`: it
    /// failed, and was said.
    async fn publish(&mut self, newest: &Newest, published: &mut u64, reads: u64, stop: &CancellationToken) -> Option<Progress> {
        // It is committed, whatever becomes of its tiles.
        self.remember(Mark { index: newest.seal.statement.index, leaf: newest.seal.leaf() }).await;
        match self.store_and_point(newest, reads, stop).await {
            Ok(Progress::There) => {
                *published = newest.size;
                self.stats.published_tree_size.set(newest.size);
                tracing::debug!(tree_size = newest.size, "checkpoint.published");
                Some(Progress::There)
            }
            Ok(Progress::Behind) => Some(Progress::Behind),
            Err(error) => {
                self.stats.publish_failures.add(1);
                tracing::warn!(reason = %error, "checkpoint.unpublished");
                None
            }
        }
    }

    async fn store_and_point(&mut self, newest: &Newest, reads: u64, stop: &CancellationToken) -> Result<Progress, TileError> {
        let progress = self.tiler.store_up_to(&newest.seal, reads, stop).await?;
        if progress == Progress::There {
            let body = Bytes::from(newest.seal.checkpoint.clone());
            let lock = short_lock(self.locked, self.clock.as_ref());
            self.store.put(&checkpoint_key(&self.log), body, Condition::Any, lock).await?;
        }
        Ok(progress)
    }

    /// Notes the seal beside the key, outside the store. It only ever lags, so a failure costs nothing but sharpness. The file is synced,
    /// which is no work for an async thread.
    async fn remember(&self, mark: Mark) {
        let key = Arc::clone(&self.key);
        match tokio::task::spawn_blocking(move || key.set_mark(mark)).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::warn!(reason = %e, "key.mark.unwritten"),
            Err(e) => tracing::warn!(reason = %e, "key.mark.unwritten"),
        }
    }
}

/// Ready when there is something newer than what is published, and the interval is over.
async fn due(newest: &mut watch::Receiver<Option<Newest>>, published: u64, next: Instant) {
    let grown = newest.wait_for(|newest| newest.as_ref().is_some_and(|n| n.size > published)).await.is_ok();
    if !grown {
        // The sealer is gone without a word, and this task is about to be ended.
        std::future::pending::<()>().await;
    }
    tokio::time::sleep_until(next).await;
}
