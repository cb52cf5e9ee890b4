//! Where the process stands: what `/readyz` answers, and why, and `/status`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{Clock, UnixSeconds};
use crate::seal::{Stats, Status};
use crate::stamping;
use crate::witness::client;

/// What a seal may take beyond two heartbeats before it counts as overdue: a put that is tried again.
const OVERDUE_GRACE: Duration = Duration::from_secs(5);

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
        let sealed_at = writer.status.borrow().sealed_at;
        if self.is_overdue(sealed_at) {
            return Err("the newest seal is overdue: the store takes none");
        }
        // Heartbeats keep nothing apart, so seals may come in time while every batch with content fails.
        let failing_since = writer.stats.vault_failing_since.value();
        if failing_since > 0 && self.is_overdue(UnixSeconds(i64::try_from(failing_since).unwrap_or(i64::MAX))) {
            return Err("the vault takes nothing: records that keep content or a person apart are not acknowledged");
        }
        Ok(())
    }

    /// Whether something that every heartbeat is to bring has not come since then.
    fn is_overdue(&self, since: UnixSeconds) -> bool {
        let age = self.clock.now().ceil_seconds().0.saturating_sub(since.0);
        let allowed = self.heartbeat.map(|h| h * 2 + OVERDUE_GRACE);
        allowed.is_some_and(|allowed| u64::try_from(age).is_ok_and(|age| age > allowed.as_secs()))
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
        standing.opened(status, Arc::default());
        assert_eq!(standing.ready(), Ok(()));
        clock.advance(Duration::from_secs(125));
        assert_eq!(standing.ready(), Ok(()));
        clock.advance(Duration::from_secs(1));
        assert!(standing.ready().unwrap_err().contains("overdue"));
        standing.drain();
        assert!(standing.ready().unwrap_err().contains("stopping"));
    }
}
