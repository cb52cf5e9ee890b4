//! Records -> durable, ordered seals. The only writer.
//!
//! State words, used everywhere: a record is **pending** (promoted, in the pool), **staged** (its segment is stored, and its content is in
//! the vault; no seal names it yet), **committed** (the create-only put of `seals/<n>.json` took effect: the one commit point), **published** (its tiles are
//! stored, and the `checkpoint` object points at its seal or a later one).
//!
//! One task owns the state (`sealer`); everyone else holds a [`SealerHandle`].

mod chain;
mod commit;
mod counters;
mod dedup;
mod earlier;
mod erased;
pub mod keys;
mod lineage;
mod pending;
mod pool;
mod publisher;
mod recovery;
mod roots;
mod sealer;
mod segment;
mod stats;
mod tiles;
mod window;

pub(crate) use chain::{retried, seal_at};
pub use commit::Fatal;
pub use counters::Counters;
pub(crate) use lineage::Lineage;
pub use pool::{Full, Permit, Pool};
pub use recovery::{CLOCK_SKEW_MAX_SECONDS, Examined, KeyTurn, OpenError, examine, expect_clock, expect_room, first_key, in_force};
pub use sealer::{Options, SealerTask, Status, start};
pub use stats::{Figure, Stats};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::record::Batch;
use crate::tlog::RootHash;

/// What a sender gets for a request whose records are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The newest seal that holds a record of the request.
    pub seal: u64,
    /// Root hash of the tree that this seal completed (size `seal + 1`); `None` where all was sealed so long before that it is not remembered.
    pub root: Option<RootHash>,
}

/// Why a batch has no receipt. Nothing of it is acknowledged; the sender may send it again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// The store refused or could not be reached for this batch, or the outcome was not known in time.
    #[error("not sealed: {reason}")]
    NotSealed {
        /// In words for an operator.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// This process is draining, or its writer has stopped for good.
    #[error("this writer takes no more records: {reason}")]
    Stopped {
        /// In words for an operator.
        reason: String,
    },
}

/// A batch on its way to the sealer, with its share of the pool and the way back.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) batch: Batch,
    pub(crate) permit: Permit,
    pub(crate) answer: oneshot::Sender<Result<Receipt, SubmitError>>,
}

/// Everybody's way to the one writer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SealerHandle {
    pub(crate) submissions: mpsc::Sender<Submission>,
    /// The bounded pool: take a [`Permit`] for a request's bytes before its records are built.
    pub pool: Pool,
    /// What was received since the last seal.
    pub counters: Arc<Counters>,
    pub(crate) answer_within: Duration,
    /// What the writer takes for sealed though it may look new.
    pub(crate) erased: Arc<erased::ErasedIds>,
}

impl SealerHandle {
    /// A handle behind which nobody writes: for a receiver whose requests become no records. Whatever is handed over all the same is refused,
    /// as by a writer that has stopped.
    pub fn without_writer(pool: Pool) -> Self {
        let (submissions, _) = mpsc::channel(1);
        SealerHandle { submissions, pool, counters: Arc::default(), answer_within: Duration::ZERO, erased: Arc::default() }
    }

    /// A handle whose other end the test holds.
    #[cfg(test)]
    pub(crate) fn for_tests(pool: Pool) -> (Self, mpsc::Receiver<Submission>) {
        let (submissions, receiver) = mpsc::channel(64);
        (
            SealerHandle { submissions, pool, counters: Arc::default(), answer_within: Duration::from_secs(60), erased: Arc::default() },
            receiver,
        )
    }

    /// Hands a batch over and waits until its records are committed.
    pub async fn submit(&self, batch: Batch, permit: Permit) -> Result<Receipt, SubmitError> {
        self.turn().await?.hand_over(batch, permit).receipt().await
    }

    /// Waits for a turn to hand a batch over. From there to the hand-over nothing is waited for, so that what must be done together with it
    /// is.
    pub async fn turn(&self) -> Result<Turn<'_>, SubmitError> {
        let slot = self.submissions.reserve().await.map_err(|_| stopped())?;
        Ok(Turn { slot, answer_within: self.answer_within })
    }
}

fn stopped() -> SubmitError {
    SubmitError::Stopped { reason: "it is shutting down".to_owned() }
}

/// A turn to hand a batch over; dropping it lets others go first.
#[derive(Debug)]
pub struct Turn<'h> {
    slot: mpsc::Permit<'h, Submission>,
    answer_within: Duration,
}

impl Turn<'_> {
    /// Hands a batch over at once. All its new records go into one seal, whether anybody waits for them or not; only while it is not known yet
    /// which of them are new (`earlier`) does one whom nobody waits for come to nothing.
    pub fn hand_over(self, batch: Batch, permit: Permit) -> HandedOver {
        let (answer, receipt) = oneshot::channel();
        self.slot.send(Submission { batch, permit, answer });
        HandedOver { receipt, answer_within: self.answer_within }
    }
}

/// A batch that is the writer's now. Dropping this ends only the waiting: a caller who hangs up does not cancel a commit.
#[derive(Debug)]
pub struct HandedOver {
    receipt: oneshot::Receiver<Result<Receipt, SubmitError>>,
    answer_within: Duration,
}

impl HandedOver {
    /// Waits until the batch is committed.
    pub async fn receipt(self) -> Result<Receipt, SubmitError> {
        match tokio::time::timeout(self.answer_within, self.receipt).await {
            Ok(answered) => answered.map_err(|_| stopped())?,
            Err(_) => Err(SubmitError::NotSealed {
                reason: format!(
                    "the store did not confirm within {} s; what was taken in is sealed as soon as it does",
                    self.answer_within.as_secs()
                ),
                retry_after: Duration::from_secs(5),
            }),
        }
    }
}
