//! Has the log's checkpoints stamped by time stamping authorities (RFC 3161), in the background: nothing waits for it, and an authority that is
//! away holds nothing up.
//!
//! At an interval the checkpoint of the newest committed seal goes to the first authority; where that one fails, to the next. What comes back
//! is verified against the authority's own `ca_file` **before** it is stored, because what is stored is locked for years. One good token is
//! enough: it covers every seal before it. A process that starts looks at what was stamped before, so that one which starts again and again
//! does not ask each time.
//!
//! A token whose certificates expire soon is stamped itself ([`renew`]).
//!
//! Plain HTTP is allowed, also beyond this machine: most authorities have nothing else, the token is signed, the nonce binds it to the
//! request, and a hash tells nobody anything. Who is on the way can keep tokens from coming, which the figures show.

mod ask;
mod figures;
mod keep;
mod renew;

pub use figures::{Figures, LABELS, Newest};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, UnixSeconds};
use crate::retain::Classes;
use crate::seal::Status;
use crate::timestamp::{Roots, Stamp};
use crate::tlog::Hash;
use crate::tlog::note::VerifierKey;
use crate::worm::WormStore;
use ask::{Asker, Failure};

/// Most authorities.
pub const AUTHORITIES_MAX: usize = 8;
/// Wait after all authorities failed; it doubles, up to the interval.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// How much a token may be dated before the seal that it covers, seconds: what the writer's clock may be off.
pub(crate) const EARLY_MAX_SECONDS: i64 = 300;
/// How much a token may be dated after now, seconds: a date that has not come yet says nothing, and what is stored is locked for years.
const LATE_MAX_SECONDS: i64 = 300;

/// One authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// `url`: where it takes requests (RFC 3161 section 3.4).
    pub url: String,
    /// `ca_file`: PEM of the roots that its tokens must lead to.
    pub ca_file: PathBuf,
    /// `tls_ca_file`: PEM of the only roots for its web server; without it those of the system.
    pub tls_ca_file: Option<PathBuf>,
}

/// `log.timestamping` and `log.timestamp_interval`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Asked in this order; one is enough.
    pub authorities: Vec<Authority>,
    /// Between two stamped checkpoints.
    pub interval: Duration,
}

/// What stamping needs.
#[derive(Debug)]
pub struct Parts {
    /// Where evidence lies.
    pub store: Arc<dyn WormStore>,
    /// `log.name`
    pub log: String,
    /// The log's keys, in any order: whose seals are believed to be the log's.
    pub keys: Vec<VerifierKey>,
    /// For the evidence lock.
    pub classes: Arc<Classes>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The newest commit.
    pub status: watch::Receiver<Status>,
}

/// Stamps, ready to begin.
#[derive(Debug)]
pub struct Stamper {
    authorities: Vec<Asker>,
    interval: Duration,
    figures: Arc<Figures>,
}

impl Stamper {
    /// Reads the files of each authority; the error is a sentence.
    pub async fn open(options: &Options) -> Result<Self, String> {
        let mut authorities = Vec::new();
        for (at, authority) in options.authorities.iter().enumerate() {
            let asker = Asker::open(authority).await;
            authorities.push(asker.map_err(|why| format!("`log.timestamping[{at}]` `{}`: {why}", authority.url))?);
        }
        Ok(Stamper { figures: Arc::new(Figures::new(authorities.len())), authorities, interval: options.interval })
    }

    /// What it reaches.
    pub fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    /// Starts the task.
    pub fn start(self, parts: Parts) -> Stamping {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = Task { parts, authorities: self.authorities, interval: self.interval, figures: self.figures };
        let join = tokio::spawn(async move {
            // Whatever it does may be broken off: a token that is not stored is asked for again.
            let _ = stopped.run_until_cancelled(task.run()).await;
        });
        Stamping { join, stop }
    }
}

/// The running task.
#[derive(Debug)]
pub struct Stamping {
    join: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
}

impl Drop for Stamping {
    fn drop(&mut self) {
        self.join.abort();
    }
}

impl Stamping {
    /// Waits until it ends by itself, which it does only by our own mistake; for ever where there is none.
    pub async fn failed(stamping: Option<&mut Self>) -> String {
        match stamping {
            Some(stamping) => match (&mut stamping.join).await {
                Ok(()) => "it was told to".to_owned(),
                Err(e) => e.to_string(),
            },
            None => std::future::pending().await,
        }
    }

    /// Stops it in the middle of whatever it does.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let _ = (&mut self.join).await;
    }
}

/// What a token has to be besides sound and trusted.
#[derive(Clone, Copy)]
struct Wanted {
    /// Not dated before.
    earliest: UnixSeconds,
    /// Its certificates end after that.
    ends_after: UnixSeconds,
}

impl Wanted {
    fn check(self, stamp: &Stamp, now: UnixSeconds) -> Result<(), Failure> {
        let (earliest, latest) = (self.earliest, UnixSeconds(now.0.saturating_add(LATE_MAX_SECONDS)));
        let at = stamp.not_later_than();
        if at < earliest {
            return Err(Failure::Early { at, earliest });
        }
        // What its clock may be off is the authority's word, and no date.
        if stamp.at.ceil_seconds() > latest {
            return Err(Failure::Late { at: stamp.at.ceil_seconds(), latest });
        }
        if stamp.expires <= self.ends_after {
            return Err(Failure::TooShort { ends: stamp.expires, before: self.ends_after });
        }
        Ok(())
    }
}

struct Task {
    parts: Parts,
    authorities: Vec<Asker>,
    interval: Duration,
    figures: Arc<Figures>,
}

impl Task {
    async fn run(self) {
        tokio::join!(self.stamp_checkpoints(), self.renew_tokens());
    }

    async fn stamp_checkpoints(&self) {
        let mut status = self.parts.status.clone();
        let (mut covered, mut wait) = self.resume().await;
        let mut retry = RETRY_AFTER.min(self.interval);
        loop {
            tokio::time::sleep_until(Instant::now() + wait).await;
            // The sender is gone only when the process ends.
            if status.wait_for(|status| status.tree_size > covered && !status.checkpoint.is_empty()).await.is_err() {
                std::future::pending::<()>().await;
            }
            let newest = status.borrow().clone();
            match self.stamp(&newest).await {
                Some(stamp) => {
                    covered = newest.tree_size;
                    self.figures.stamped(Newest { up_to: newest.tree_size, at: stamp.at.ceil_seconds() });
                    tracing::info!(tree_size = newest.tree_size, time = %stamp.at.rfc3339(), authority = stamp.authority, "checkpoint.stamped");
                    (wait, retry) = (self.interval, RETRY_AFTER.min(self.interval));
                }
                None => {
                    wait = retry;
                    retry = (retry * 2).min(self.interval);
                }
            }
        }
    }

    /// What earlier processes have stamped: the tree size, and how long to wait until the next is due.
    async fn resume(&self) -> (u64, Duration) {
        match self.newest_stored().await {
            Ok(Some(newest)) => {
                self.figures.stamped(newest);
                let age = u64::try_from(self.now().0.saturating_sub(newest.at.0)).unwrap_or(0);
                (newest.up_to, self.interval.saturating_sub(Duration::from_secs(age)))
            }
            Ok(None) => (0, Duration::ZERO),
            Err(error) => {
                // Not knowing costs one token too many.
                tracing::warn!(%error, "timestamps.unread");
                (0, Duration::ZERO)
            }
        }
    }

    /// Has one checkpoint stamped by the first authority that does it well, and stores the token.
    async fn stamp(&self, newest: &Status) -> Option<Stamp> {
        let index = newest.tree_size.checked_sub(1)?;
        let earliest = UnixSeconds(newest.sealed_at.0.saturating_sub(EARLY_MAX_SECONDS));
        self.stamp_bytes(index, Hash::of(newest.checkpoint.as_bytes()), Wanted { earliest, ends_after: UnixSeconds(i64::MIN) }).await
    }

    /// Has a hash stamped and stores the token in a seal's folder.
    async fn stamp_bytes(&self, index: u64, over: Hash, wanted: Wanted) -> Option<Stamp> {
        for (nth, authority) in self.authorities.iter().enumerate() {
            let attempt = async {
                let (token, stamp) = authority.ask(over).await?;
                wanted.check(&stamp, self.now())?;
                self.keep(index, token).await.map_err(Failure::NotKept)?;
                Ok(stamp)
            };
            let ended: Result<Stamp, Failure> = attempt.await;
            self.figures.ended(nth, ended.as_ref().map_or_else(Failure::label, |_| "stamped"));
            match ended {
                Ok(stamp) => return Some(stamp),
                Err(why) => tracing::warn!(authority = authority.url(), reason = %why, seal = index, "checkpoint.unstamped"),
            }
        }
        None
    }

    /// Those that the tokens of any authority must lead to.
    fn roots(&self) -> Roots {
        let mut roots = Roots::default();
        for authority in &self.authorities {
            roots.join(authority.roots().clone());
        }
        roots
    }

    /// Now, by the store's clock where it has one.
    fn now(&self) -> UnixSeconds {
        let skew = self.parts.store.clock_skew_seconds().unwrap_or(0).max(0);
        UnixSeconds(self.parts.clock.now().ceil_seconds().0.saturating_add(skew))
    }
}
