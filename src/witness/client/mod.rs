//! The log's side: has the newest checkpoint cosigned by the configured witnesses, and keeps what they say (`store.md`, `cosignatures/`).
//!
//! A task of its own that nothing waits for: a witness that is away, slow or against us delays neither a seal nor another witness. Each has a
//! loop of its own; all are given the same checkpoints, so that k of them stand below one. What a checkpoint of this process covers is
//! committed: it is taken from the writer's status, which follows the commit.
//!
//! # How often
//!
//! Each cosignature is a locked object of some 300 bytes that stays as long as the longest record. At an interval of a minute that is at most
//! 525,600 a witness and year (160 MB; as many PUTs cost a few dollars), and 24 a day where nothing but heartbeats is sealed: those are
//! cosigned once an hour. An interval of the publisher's 10 s would be six times that, for a history that nobody can change for 50 s less.

mod ask;
mod figures;
mod keep;
mod proof;

pub use figures::{Figures, LABELS, Seen};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::retain::Classes;
use crate::seal::Status;
use crate::tlog::cosignature::WitnessKey;
use crate::tlog::note::{UnverifiedCheckpoint, VerifierKey};
use crate::tlog::{RootHash, TreeSize};
use crate::worm::WormStore;
use ask::Asker;

/// Most witnesses of a log: each is one figure in the metrics and one loop.
pub const PLACES_MAX: usize = 16;
/// How often heartbeats alone are cosigned.
const IDLE_INTERVAL: Duration = Duration::from_secs(3600);
/// Longest pause before a witness that failed is asked again.
const BACKOFF_MAX: Duration = Duration::from_secs(3600);
/// One attempt with one witness: two requests, the proofs for them, and the put.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(60);

/// One entry of `log.witnesses`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `vkey`: its public key (type 0x04).
    pub key: WitnessKey,
    /// `url`: its submission prefix; `/add-checkpoint` follows.
    pub url: String,
    /// `allow_http`: plain `http://` beyond loopback.
    pub allow_http: bool,
    /// `ca_file`: PEM of the only certificate authorities to trust.
    pub ca_file: Option<PathBuf>,
}

/// What the task needs.
#[derive(Debug)]
pub struct Options {
    /// Where the log lies.
    pub store: Arc<dyn WormStore>,
    /// `log.name`
    pub log: String,
    /// The log's key.
    pub key: VerifierKey,
    /// `retention.classes`: how long a cosignature is kept.
    pub classes: Arc<Classes>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// `log.witnesses`
    pub places: Vec<Place>,
    /// `log.witness_quorum`
    pub quorum: usize,
    /// `log.witness_interval`
    pub interval: Duration,
    /// Where the log stands.
    pub status: watch::Receiver<Status>,
}

/// Why the witnesses cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("log.witnesses: `{witness}`: {reason}")]
pub struct ClientError {
    witness: String,
    reason: String,
}

/// The running task.
#[derive(Debug)]
pub struct Collecting {
    /// What was reached.
    pub figures: Arc<Figures>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Who lets go of it ends it, in the middle of whatever it does: what it puts is content under its own hash.
impl Drop for Collecting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Collecting {
    /// Ready when it ends by itself, which it never does.
    pub async fn failed(&mut self) -> String {
        match (&mut self.task).await {
            Ok(()) => "it was told to".to_owned(),
            Err(e) => e.to_string(),
        }
    }

    /// Has the last checkpoint cosigned, as far as that can be done within so long, and ends.
    pub async fn finish(mut self, within: Duration) {
        self.stop.cancel();
        if timeout(within, &mut self.task).await.is_err() {
            tracing::warn!(advice = "the next start has the log cosigned", "checkpoint.uncosigned");
        }
    }
}

/// A checkpoint to be cosigned.
#[derive(Clone, Debug)]
struct Target {
    size: TreeSize,
    root: RootHash,
    /// The signed note.
    note: String,
    /// Its text.
    text: String,
}

impl Target {
    fn of(status: &Status) -> Option<Self> {
        let UnverifiedCheckpoint { note, checkpoint } = UnverifiedCheckpoint::parse(&status.checkpoint).ok()?;
        Some(Target { size: checkpoint.size, root: checkpoint.root, note: status.checkpoint.clone(), text: note.text })
    }
}

/// What all loops share.
#[derive(Debug)]
struct Scene {
    store: Arc<dyn WormStore>,
    log: String,
    key: VerifierKey,
    classes: Arc<Classes>,
    clock: Arc<dyn Clock>,
    figures: Arc<Figures>,
}

/// Starts it. Reads the certificates that the places name, and nothing else yet.
pub async fn start(options: Options) -> Result<Collecting, ClientError> {
    let Options { store, log, key, classes, clock, places, quorum, interval, status } = options;
    let mut askers = Vec::with_capacity(places.len());
    for place in &places {
        let asker = Asker::open(place).await;
        askers.push(asker.map_err(|reason| ClientError { witness: place.key.name().to_owned(), reason })?);
    }
    let figures = Arc::new(Figures::new(places.iter().map(|p| p.key.clone()).collect(), quorum));
    let scene = Scene { store, log, key, classes, clock, figures: Arc::clone(&figures) };
    let stop = CancellationToken::new();
    let chooser = Chooser { interval, status, stop: stop.clone() };
    let task = tokio::spawn(async move {
        scene.remember().await;
        let (targets, watching) = watch::channel(None);
        let loops = join_all(askers.iter().enumerate().map(|(nth, asker)| follow(&scene, nth, asker, interval, watching.clone())));
        tokio::join!(chooser.choose(targets), loops);
    });
    Ok(Collecting { figures, stop, task })
}

/// Decides which checkpoints are cosigned.
struct Chooser {
    interval: Duration,
    status: watch::Receiver<Status>,
    stop: CancellationToken,
}

impl Chooser {
    /// The first at once: what an earlier process left uncosigned is covered by it.
    async fn choose(self, targets: watch::Sender<Option<Target>>) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut chosen: Option<(u64, u64, Instant)> = None;
        loop {
            // Both arms are cancel-safe.
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                _ = ticks.tick() => {}
            }
            let newest = self.status.borrow().clone();
            let due = chosen.is_none_or(|(size, records, at)| {
                newest.tree_size > size && (newest.records != records || at.elapsed() >= IDLE_INTERVAL.max(self.interval))
            });
            if due && let Some(target) = Target::of(&newest) {
                chosen = Some((newest.tree_size, newest.records, Instant::now()));
                targets.send_replace(Some(target));
            }
        }
        let last = self.status.borrow().clone();
        if chosen.is_none_or(|(size, ..)| last.tree_size > size)
            && let Some(target) = Target::of(&last)
        {
            targets.send_replace(Some(target));
        }
    }
}

/// The loop of one witness: each checkpoint once, the newest where it lags. Ends when there will be no more.
async fn follow(scene: &Scene, nth: usize, asker: &Asker, interval: Duration, mut targets: watch::Receiver<Option<Target>>) {
    // Size of what the witness cosigned last, as far as is known; an answer 409 tells.
    let mut believed = TreeSize(0);
    let mut failures = 0_u32;
    while targets.changed().await.is_ok() {
        loop {
            let Some(target) = targets.borrow_and_update().clone() else { break };
            let attempt = timeout(ATTEMPT_WITHIN, asker.attempt(scene, &target, &mut believed));
            let outcome = attempt.await.unwrap_or(Err(ask::Failure::TimedOut));
            scene.figures.ended(nth, target.size, &outcome);
            let name = asker.key().name();
            match outcome {
                Ok(at) => {
                    failures = 0;
                    tracing::info!(witness = name, tree_size = target.size.0, at = %at, "checkpoint.cosigned");
                    break;
                }
                Err(failure) if failure.is_grave() => {
                    tracing::error!(witness = name, tree_size = target.size.0, reason = %failure, "checkpoint.refused");
                }
                Err(failure) => tracing::warn!(witness = name, tree_size = target.size.0, reason = %failure, "checkpoint.uncosigned"),
            }
            let again = Instant::now() + backoff(interval, failures);
            failures = failures.saturating_add(1);
            loop {
                // Both arms are cancel-safe. A newer checkpoint does not shorten the pause; the end ends it.
                tokio::select! {
                    () = sleep_until(again) => break,
                    more = targets.changed() => if more.is_err() { return },
                }
            }
        }
    }
}

/// The pause after so many failures in a row before this one.
fn backoff(interval: Duration, failures: u32) -> Duration {
    interval.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(BACKOFF_MAX.max(interval))
}

#[cfg(test)]
mod tests;
