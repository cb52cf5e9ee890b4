//! Has the log attested in the background: at an interval every lock is looked at as `spanseal retention status` does, through the verifier,
//! and what was found is sealed.
//!
//! Nothing waits for it, and it looks at one seal after the other. It reads every seal of the log and asks the store for every object's lock,
//! so a day is a good interval, and a week one for a log of many millions of seals.
//!
//! When it looked before is not remembered over a start, because finding that out would mean to read the log: the first look comes a while
//! after the start ([`first_wait`]), so that a process that is restarted every day looks every day, and one that comes up again and again does
//! not look each time. KNOWN GAP: one that never runs for so long never looks; the age that the metrics tell is absent then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Attestation, Deed, GovernError, Governor};
use crate::clock::{Clock, UnixSeconds};
use crate::erase::Sealed;
use crate::seal::Status;
use crate::tlog::note::VerifierKey;
use crate::verify::{Depth, Kind, LockCheck, LockSums, Options, Report, Verdict, verify};
use crate::worm::WormStore;

/// Least wait of a process before its first look, where the interval is not shorter than ten times that.
const FIRST_AFTER: Duration = Duration::from_secs(600);
/// Locks that end within this time are counted as due, as `retention status` does by default.
const DUE_WITHIN_SECONDS: i64 = 30 * 86_400;

/// What looking needs.
#[derive(Debug)]
pub struct Parts {
    /// Where evidence lies.
    pub store: Arc<dyn WormStore>,
    /// `log.name`
    pub log: String,
    /// The log's key.
    pub key: VerifierKey,
    /// How far the log is committed.
    pub status: watch::Receiver<Status>,
    /// Seals what was found.
    pub governor: Governor,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// `retention.attest_every`
    pub every: Duration,
}

/// What the last look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// When its record was sealed.
    pub at: UnixSeconds,
    /// In one word.
    pub verdict: Verdict,
    /// The locks of all objects.
    pub locks: LockSums,
    /// Findings by kind.
    pub findings: BTreeMap<&'static str, u64>,
}

/// What was found last, for the metrics.
#[derive(Debug, Default)]
pub struct Figures(Mutex<Option<Last>>);

impl Figures {
    /// The last look; `None`: none since this process started.
    pub fn last(&self) -> Option<Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Kinds of findings that a look at locks may bring, and that are told also where there are none of them.
const KINDS: [Kind; 9] = [
    Kind::Rollback,
    Kind::HoldMissing,
    Kind::LockMissing,
    Kind::LockWeak,
    Kind::Hidden,
    Kind::ForeignVersion,
    Kind::SegmentMissing,
    Kind::SealMissing,
    Kind::RetentionShort,
];

/// The running task.
#[derive(Debug)]
pub struct Attesting {
    join: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
    figures: Arc<Figures>,
}

impl Drop for Attesting {
    fn drop(&mut self) {
        self.join.abort();
    }
}

impl Attesting {
    /// Starts it.
    pub fn start(parts: Parts) -> Self {
        let (stop, figures) = (CancellationToken::new(), Arc::<Figures>::default());
        let stopped = stop.clone();
        let task = Task { parts, figures: Arc::clone(&figures) };
        let join = tokio::spawn(async move {
            // Whatever it does may be broken off: a record is sealed or it is not.
            let _ = stopped.run_until_cancelled(Box::pin(task.run())).await;
        });
        Attesting { join, stop, figures }
    }

    /// What it found last.
    pub fn figures(&self) -> Arc<Figures> {
        Arc::clone(&self.figures)
    }

    /// Waits until it ends by itself, which it does only by our own mistake; for ever where there is none.
    pub async fn failed(attesting: Option<&mut Self>) -> String {
        match attesting {
            Some(attesting) => match (&mut attesting.join).await {
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

/// How long a process waits before its first look: ten minutes, or a tenth of the interval where that is less, and by chance up to as much
/// again, so that processes that start together do not look together. `chance` is any number.
fn first_wait(every: Duration, chance: u16) -> Duration {
    let least = FIRST_AFTER.min(every / 10);
    least + least * u32::from(chance) / u32::from(u16::MAX)
}

struct Task {
    parts: Parts,
    figures: Arc<Figures>,
}

impl Task {
    async fn run(self) {
        let mut chance = [0; 2];
        // Without randomness it comes a little early.
        let _ = getrandom::fill(&mut chance);
        let soon = first_wait(self.parts.every, u16::from_ne_bytes(chance));
        let mut wait = soon;
        let mut said = false;
        loop {
            tokio::time::sleep(wait).await;
            let begun = Instant::now();
            let report = self.look().await;
            if report.locks == LockCheck::None && !std::mem::replace(&mut said, true) {
                let reason = "the store has no locks: nothing keeps an object from being deleted, and attestations say so";
                tracing::warn!(reason, "retention.no_locks");
            }
            wait = match self.attest(&report).await {
                // A look that takes longer than the interval is not followed by the next at once.
                Ok(()) => self.parts.every.saturating_sub(begun.elapsed()).max(soon),
                Err(error) => {
                    tracing::warn!(%error, "retention.unattested");
                    soon
                }
            };
        }
    }

    async fn look(&self) -> Report {
        let Parts { store, log, key, clock, status, .. } = &self.parts;
        let now = clock.now().ceil_seconds();
        let committed = status.borrow().tree_size.checked_sub(1);
        let options = Options {
            logs: vec![log.clone()],
            configured: Some(key.clone()),
            committed,
            depth: Depth::Locks,
            due: due(now),
            // There is no hurry, and the store has others to answer.
            concurrency: 1,
            ..Options::new(now)
        };
        verify(store.as_ref(), &options).await
    }

    async fn attest(&self, report: &Report) -> Result<(), GovernError> {
        let Parts { log, governor, clock, .. } = &self.parts;
        let Some(of) = report.logs.iter().find(|of| of.name == *log) else {
            return Err(GovernError::Wrong(format!("the log `{log}` was not among what was looked at")));
        };
        let now = clock.now().ceil_seconds();
        let attestation = Attestation::of(report, of, due(now));
        let (objects, found, unchecked) = (attestation.looked_at(), attestation.found(), attestation.unchecked);
        let Sealed { record, seal } = governor.seal_own(Deed::Attestation(attestation)).await?;
        let mut findings: BTreeMap<&'static str, u64> = KINDS.iter().map(|kind| (kind.as_str(), 0)).collect();
        for item in &report.findings {
            *findings.entry(item.kind.as_str()).or_default() += 1;
        }
        let mut locks = LockSums::default();
        of.locks.values().for_each(|sums| locks.merge(sums));
        let last = Last { at: now, verdict: report.verdict, locks, findings };
        *self.figures.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        let verdict = report.verdict.as_str();
        match report.verdict {
            Verdict::Verified => tracing::info!(verdict, objects, record, seal, "retention.attested"),
            Verdict::Findings | Verdict::Unchecked => {
                let advice = "run `spanseal retention status`";
                tracing::warn!(verdict, objects, found, unchecked, record, seal, advice, "retention.attested");
            }
        }
        Ok(())
    }
}

fn due(now: UnixSeconds) -> UnixSeconds {
    UnixSeconds(now.0.saturating_add(DUE_WITHIN_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: no process looks at once, all that start together look at different times, and none waits for a whole interval.
    #[test]
    fn the_first_look_comes_a_while_after_the_start() {
        let day = Duration::from_secs(86_400);
        for (every, least) in [(day, FIRST_AFTER), (day * 30, FIRST_AFTER), (Duration::from_secs(100), Duration::from_secs(10))] {
            assert_eq!(first_wait(every, 0), least);
            assert_eq!(first_wait(every, u16::MAX), least * 2);
            assert!(first_wait(every, 1000) > least && first_wait(every, 1000) < first_wait(every, 2000));
        }
    }
}
