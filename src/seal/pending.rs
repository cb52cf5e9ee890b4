//! What waits for the next seal: the open batch. Pure.
//!
//! A record that is sealed already is not stored again (`record.md` section 5, rule 9), and one that another request of this batch has
//! brought is not taken twice. The two differ in what the sender may be told: the first is durable, the second is not yet. So a request is
//! answered at once only when every record of it is sealed; one that shares a record with the open batch is answered with that batch,
//! even if it brought nothing of its own.

use std::collections::HashSet;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::dedup::{ByKey, Dedup, Key};
use super::{Permit, Receipt, Submission, SubmitError};
use crate::record::Batch;

/// The open batch.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) batches: Vec<Batch>,
    /// Records of our own making, of the first seal.
    pub(crate) control: Vec<Batch>,
    pub(crate) waiters: Vec<oneshot::Sender<Result<Receipt, SubmitError>>>,
    permits: Vec<Permit>,
    /// What the batch's records are known by, for the window once they are sealed.
    pub(crate) keys: HashSet<Key, ByKey>,
    /// Bytes of record lines, and of the content that they keep apart.
    pub(crate) bytes: usize,
    /// When the first of its records came.
    pub(crate) since: Option<Instant>,
    /// Records that stand in this batch once though more than one request brought them: duplicates as soon as the first is sealed. If the
    /// batch fails nothing of them is, and the counters never hear of them.
    pub(crate) shared: u64,
}

/// What became of a submission.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Records that were left out because an equal one is sealed.
    pub(crate) duplicates: u64,
    /// All of it is sealed: the newest seal that holds a record of it, and who waits for that answer.
    pub(crate) sealed: Option<(u64, oneshot::Sender<Result<Receipt, SubmitError>>)>,
}

impl Pending {
    /// Nothing waits: what is sealed now is a heartbeat.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.control.is_empty()
    }

    /// Takes a submission in, without the records that are sealed already or stand in this very batch.
    pub(crate) fn take(&mut self, submission: Submission, dedup: &Dedup) -> Taken {
        let Submission { mut batch, permit, answer } = submission;
        let (mut newest_seal, mut duplicates, mut shared) = (None, 0, 0);
        self.keys.reserve(batch.records.len());
        batch.retain(|record| {
            let key = Key(record.id, record.sameness);
            let line = Key(record.id, record.line_sameness);
            // What an earlier process sealed is known by its line alone where the vault does not have its content any more: whether this is a
            // copy cannot be told, and what was erased must not come back.
            let sealed = dedup.find(&key).or_else(|| if line == key { None } else { dedup.find(&line) });
            newest_seal = newest_seal.max(sealed);
            if sealed.is_some() {
                duplicates += 1;
                return false;
            }
            let new = self.keys.insert(key);
            shared += u64::from(!new);
            new
        });
        match newest_seal {
            Some(seal) if batch.records.is_empty() && shared == 0 => Taken { duplicates, sealed: Some((seal, answer)) },
            _ => {
                self.since = self.since.or_else(|| Some(Instant::now()));
                self.shared += shared;
                self.bytes += batch.records.iter().map(|r| batch.bytes(r)).sum::<usize>();
                self.batches.push(batch);
                self.permits.push(permit);
                self.waiters.push(answer);
                Taken { duplicates, sealed: None }
            }
        }
    }

    /// Tells everybody who waits, and frees their share of the pool.
    pub(crate) fn answer(self, answer: &Result<Receipt, SubmitError>) {
        for waiter in self.waiters {
            // A waiter that hung up is fine: the records are where they are.
            let _ = waiter.send(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{UnixNanos, UnixSeconds};
    use crate::record::{PendingRecord, RecordId};
    use crate::retain::ClassIndex;
    use crate::seal::Pool;

    const SEALED: u64 = 7;
    /// What all these records' lines are known by.
    const LINE: [u8; 16] = [0xff; 16];

    fn key(n: u8) -> Key {
        Key(RecordId([n; 16]), [n; 16])
    }

    /// A request of these records; each line is one byte.
    async fn submission(numbers: &[u8]) -> (Submission, oneshot::Receiver<Result<Receipt, SubmitError>>) {
        let mut batch = Batch::default();
        for n in numbers {
            let from = batch.lines.len();
            batch.lines.push(b'x');
            let Key(id, sameness) = key(*n);
            let (first, last) = (UnixNanos(1), UnixNanos(1));
            batch.records.push(PendingRecord {
                id,
                line: from..from + 1,
                class: ClassIndex(0),
                first,
                last,
                control: false,
                sameness,
                line_sameness: LINE,
                pieces: 0..0,
            });
        }
        let (answer, receipt) = oneshot::channel();
        let permit = Pool::new(1024, Duration::from_secs(1)).admit(1).await.unwrap();
        (Submission { batch, permit, answer }, receipt)
    }

    /// Every way in which a request can overlap with what is sealed (1, 2) and with what the open batch holds (3).
    #[tokio::test]
    async fn only_a_request_that_is_wholly_sealed_is_answered_at_once() {
        let mut dedup = Dedup::new(Duration::from_secs(60), 4096);
        dedup.insert(key(1), SEALED - 1, UnixSeconds(1));
        dedup.insert(key(2), SEALED, UnixSeconds(1));
        for (request, at_once, duplicates, shared, new) in [
            (&[1, 2][..], Some(SEALED), 2, 0, 0),
            (&[1], Some(SEALED - 1), 1, 0, 0),
            (&[3], None, 0, 1, 0),
            (&[1, 3], None, 1, 1, 0),
            (&[3, 2], None, 1, 1, 0),
            (&[1, 4], None, 1, 0, 1),
            (&[1, 3, 4], None, 1, 1, 1),
            (&[4, 4], None, 0, 1, 1),
            (&[4], None, 0, 0, 1),
        ] {
            let mut pending = Pending::default();
            pending.take(submission(&[3]).await.0, &dedup);
            let taken = pending.take(submission(request).await.0, &dedup);
            assert_eq!(taken.sealed.map(|(seal, _)| seal), at_once, "{request:?}");
            assert_eq!((taken.duplicates, pending.shared, pending.bytes), (duplicates, shared, 1 + new), "{request:?}");
            assert_eq!(pending.waiters.len(), if at_once.is_some() { 1 } else { 2 }, "{request:?}");
        }
    }

    /// Scenario: a span comes again with another content of the same length, which its line cannot show. Guarantee: both are kept, unless
    /// the first was sealed by an earlier process, of which only lines are known.
    #[tokio::test]
    async fn another_content_is_another_record() {
        let mut dedup = Dedup::new(Duration::from_secs(60), 4096);
        dedup.insert(Key(RecordId([1; 16]), [9; 16]), SEALED, UnixSeconds(1));
        let taken = Pending::default().take(submission(&[1]).await.0, &dedup);
        assert_eq!((taken.duplicates, taken.sealed.is_some()), (0, false));
        dedup.insert(Key(RecordId([1; 16]), LINE), SEALED - 1, UnixSeconds(1));
        let taken = Pending::default().take(submission(&[1]).await.0, &dedup);
        assert_eq!((taken.duplicates, taken.sealed.map(|(seal, _)| seal)), (1, Some(SEALED - 1)));
    }
}
