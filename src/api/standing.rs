//! Where the process stands: what `/readyz` answers, and why, and `/status`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{Clock, UnixSeconds};
use crate::seal::{Stats, Status};
use crate::stamping;
use crate::tlog::TreeSize;
use crate::witness::client;

/// What a seal may take beyond two heartbeats before it counts as overdue: a put that is tried again.
const OVERDUE_GRACE: Duration = Duration::from_secs(5);

/// For how long every batch may fail before nothing counts as taken: senders try again meanwhile, and one that failed shows nothing yet.
const FAILING_GRACE: Duration = Duration::from_secs(15);

/// Shared by the supervisor, who sets it, and the API, which shows it.
#[derive(Debug)]
pub struct Standing {
    clock: Arc<dyn Clock>,
    heartbeat: Option<Duration>,
    writer: OnceLock<Writer>,
    outsiders: OnceLock<Outsiders>,
    draining: AtomicBool,
}

#[derive(Debug)]
struct Writer {
    status: watch::Receiver<Status>,
    stats: Arc<Stats>,
}

/// Who else sees the log: what was reached with those that are configured.
#[derive(Debug, Default)]
pub struct Outsiders {
    /// `log.witnesses`
    pub witnesses: Option<Arc<client::Figures>>,
    /// `log.timestamping`
    pub stamping: Option<Arc<stamping::Figures>>,
}

/// The newest that is committed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newest {
    pub(super) tree_size: u64,
    pub(super) sealed_at: UnixSeconds,
    /// Tree size of the published checkpoint; 0 while there is none.
    pub(super) published: u64,
}

impl Standing {
    /// Of a process that is starting: not ready.
    pub fn new(clock: Arc<dyn Clock>, heartbeat: Option<Duration>) -> Self {
        Standing { clock, heartbeat, writer: OnceLock::new(), outsiders: OnceLock::new(), draining: AtomicBool::new(false) }
    }

    /// Recovery is finished and the writer runs.
    pub fn opened(&self, status: watch::Receiver<Status>, stats: Arc<Stats>) {
        let _ = self.writer.set(Writer { status, stats });
    }

    /// Outsiders are asked from now on.
    pub fn seen_by(&self, outsiders: Outsiders) {
        let _ = self.outsiders.set(outsiders);
    }

    pub(super) fn outsiders(&self) -> Option<&Outsiders> {
        self.outsiders.get()
    }

    /// The newest published checkpoint that enough witnesses have cosigned, with their lines.
    pub(super) fn cosigned(&self) -> Option<String> {
        let published = self.newest()?.published;
        self.outsiders()?.witnesses.as_ref()?.newest_note(TreeSize(published))
    }

    /// `None` until recovery is finished.
    pub(super) fn newest(&self) -> Option<Newest> {
        let writer = self.writer.get()?;
        let status = writer.status.borrow();
        let published = writer.stats.published_tree_size.value();
        Some(Newest { tree_size: status.tree_size, sealed_at: status.sealed_at, published })
    }

    /// No new work is taken.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Ready, or one sentence why not.
    pub fn ready(&self) -> Result<(), &'static str> {
        let Some(writer) = self.writer.get() else {
            return Err("the log is being opened: recovery is not finished");
        };
        if self.draining.load(Ordering::Relaxed) {
            return Err("this process is stopping");
        }
        if writer.stats.in_doubt.value() > 0 {
            return Err("the newest seal is not known to be committed; nothing is acknowledged until it is");
        }
        // Heartbeats keep nothing apart, so seals may come in time while every batch with content fails.
        if self.fails_since(writer.stats.vault_failing_since.value()) {
            return Err("the vault takes nothing: records that keep content or a person apart are not acknowledged");
        }
        if self.fails_since(writer.stats.failing_since.value()) {
            return Err("the store takes no seal, so nothing is acknowledged; `seal.batch.failed` in the log says why");
        }
        let sealed_at = writer.status.borrow().sealed_at;
        if self.heartbeat.is_some_and(|heartbeat| self.is_older(sealed_at, heartbeat * 2 + OVERDUE_GRACE)) {
            return Err("the newest seal is overdue: the store takes none");
        }
        Ok(())
    }

    /// Whether what began to fail then (Unix time; 0: nothing) has failed for long. Only where heartbeats ask whether it still does: senders may
    /// have gone where something answers.
    fn fails_since(&self, since: u64) -> bool {
        let since = UnixSeconds(i64::try_from(since).unwrap_or(i64::MAX));
        since.0 > 0 && self.heartbeat.is_some() && self.is_older(since, FAILING_GRACE)
    }

    fn is_older(&self, since: UnixSeconds, allowed: Duration) -> bool {
        let age = self.clock.now().ceil_seconds().0.saturating_sub(since.0);
        u64::try_from(age).is_ok_and(|age| age > allowed.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, UnixNanos};

    #[test]
    fn ready_only_while_seals_are_committed_in_time() {
        let clock = ManualClock::new(UnixNanos(1_000_000_000_000));
        let standing = Standing::new(Arc::new(clock.clone()), Some(Duration::from_secs(60)));
        assert!(standing.ready().unwrap_err().contains("recovery"));
        let (_keep, status) = watch::channel(Status { tree_size: 1, checkpoint: "x".into(), sealed_at: UnixSeconds(1000), records: 0 });
        let stats = Arc::<Stats>::default();
        standing.opened(status, Arc::clone(&stats));
        assert_eq!(standing.ready(), Ok(()));
        clock.advance(Duration::from_secs(125));
        assert_eq!(standing.ready(), Ok(()));
        clock.advance(Duration::from_secs(1));
        assert!(standing.ready().unwrap_err().contains("overdue"));
        stats.failing_since.set(1112);
        assert!(standing.ready().unwrap_err().contains("overdue"));
        stats.failing_since.set(1110);
        assert!(standing.ready().unwrap_err().contains("takes no seal"));
        stats.vault_failing_since.set(1110);
        assert!(standing.ready().unwrap_err().contains("the vault takes nothing"));
        standing.drain();
        assert!(standing.ready().unwrap_err().contains("stopping"));
    }
}
