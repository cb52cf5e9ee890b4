//! The bounded pool: bytes of requests that are on their way to a seal, and as many again of the records they become.
//!
//! A request takes its share for the body first, waiting in line, and holds it until nothing of the body is left to be walked. Records have
//! shares of their own, which leave with their seal. Whoever holds records waits for nothing but that, so a pool that is full always gets
//! empty again: bodies wait for records, and records for the store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The pool stayed full for the whole `admission_wait`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pool of {capacity} bytes stayed full")]
pub struct Full {
    /// `seal.pool_bytes`.
    pub capacity: u64,
}

/// Memory, counted: a share for requests, held from admission to receipt, and as much for the records that they become.
#[derive(Clone, Debug)]
pub struct Pool {
    requests: Arc<Semaphore>,
    records: Arc<Semaphore>,
    capacity: u32,
    wait: Duration,
    /// Held by every share that was given since the last [`Pool::barrier`].
    generation: Arc<Mutex<Generation>>,
}

/// Shares that were given between two barriers.
#[derive(Debug)]
struct Generation {
    held: Arc<DropGuard>,
    gone: CancellationToken,
}

impl Generation {
    fn new() -> Self {
        let gone = CancellationToken::new();
        Generation { held: Arc::new(gone.clone().drop_guard()), gone }
    }
}

/// A share of a request, or of records. Dropping it frees the bytes.
#[derive(Debug)]
pub struct Permit(OwnedSemaphorePermit, Arc<DropGuard>);

impl Permit {
    /// How many bytes it stands for.
    pub fn bytes(&self) -> usize {
        self.0.num_permits()
    }

    /// Takes another share of the same kind in.
    pub fn join(&mut self, other: Permit) {
        self.0.merge(other.0);
    }

    /// Gives back what exceeds `bytes`: records are usually smaller than the request they came from.
    pub fn shrink(&mut self, bytes: usize) {
        let spare = self.0.num_permits().saturating_sub(bytes);
        drop(self.0.split(spare));
    }
}

impl Pool {
    /// A pool of `capacity` bytes (`seal.pool_bytes`, at most 4 GiB) for requests and as many for records, in which an admission waits at
    /// most `wait`.
    pub fn new(capacity: u64, wait: Duration) -> Self {
        let capacity = u32::try_from(capacity).unwrap_or(u32::MAX);
        let permits = usize::try_from(capacity).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let generation = Arc::new(Mutex::new(Generation::new()));
        let semaphore = || Arc::new(Semaphore::new(permits));
        Pool { requests: semaphore(), records: semaphore(), capacity, wait, generation }
    }

    /// Takes `bytes` for a request out of the pool, waiting while it is full. One larger than the whole pool takes all of it, alone.
    pub async fn admit(&self, bytes: usize) -> Result<Permit, Full> {
        let taken = self.acquire(&self.requests, self.at_most_all(bytes)).await?;
        Ok(self.permit(taken))
    }

    /// Takes `bytes` for a request out of the pool if they are free now.
    pub fn try_admit(&self, bytes: usize) -> Option<Permit> {
        let want = u32::try_from(bytes).ok()?;
        Arc::clone(&self.requests).try_acquire_many_owned(want).ok().map(|permit| self.permit(permit))
    }

    /// Takes `bytes` for the records of a request, waiting like [`Pool::admit`]. Nobody waits here who holds records.
    pub async fn admit_records(&self, of: &Permit, bytes: usize) -> Result<Permit, Full> {
        let taken = self.acquire(&self.records, self.at_most_all(bytes)).await?;
        // A barrier that waits for the request waits for what it became.
        Ok(Permit(taken, Arc::clone(&of.1)))
    }

    /// Widens the share of a request to `bytes` in all, waiting like [`Pool::admit`]. On refusal the old share stays. Two requests that wait
    /// for each other here end with a refusal of the first whose wait is over, which its sender may repeat.
    pub async fn widen(&self, permit: &mut Permit, bytes: usize) -> Result<(), Full> {
        let want = self.at_most_all(bytes);
        let held = u32::try_from(permit.0.num_permits()).unwrap_or(u32::MAX);
        if want > held {
            permit.0.merge(self.acquire(permit.0.semaphore(), want - held).await?);
        }
        Ok(())
    }

    /// Widens a share to `bytes` in all if they are free now and nobody waits for them. Beyond the whole pool, and where others hold too
    /// much of it, the old share stays and the answer is false.
    pub fn try_widen(&self, permit: &mut Permit, bytes: usize) -> bool {
        let more = bytes.saturating_sub(permit.bytes());
        let taken = u32::try_from(more).ok().and_then(|more| Arc::clone(permit.0.semaphore()).try_acquire_many_owned(more).ok());
        taken.map(|more| permit.0.merge(more)).is_some()
    }

    fn at_most_all(&self, bytes: usize) -> u32 {
        u32::try_from(bytes).unwrap_or(u32::MAX).min(self.capacity)
    }

    /// Waits until every share that was given before this call is given back: what those requests brought is sealed, or will not be.
    /// Nobody else has to wait.
    pub async fn barrier(&self) {
        let before = std::mem::replace(&mut *self.generation(), Generation::new());
        drop(before.held);
        before.gone.cancelled().await;
    }

    fn generation(&self) -> std::sync::MutexGuard<'_, Generation> {
        // It is replaced whole: a panic elsewhere leaves it as good.
        self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn acquire(&self, from: &Arc<Semaphore>, want: u32) -> Result<OwnedSemaphorePermit, Full> {
        let full = Full { capacity: u64::from(self.capacity) };
        if let Ok(permit) = Arc::clone(from).try_acquire_many_owned(want) {
            return Ok(permit);
        }
        let acquired = tokio::time::timeout(self.wait, Arc::clone(from).acquire_many_owned(want)).await;
        acquired.map_err(|_| full)?.map_err(|_| full)
    }

    /// The generation is read after the share is there: who gets one after a barrier began is not waited for.
    fn permit(&self, permit: OwnedSemaphorePermit) -> Permit {
        Permit(permit, Arc::clone(&self.generation().held))
    }

    /// Bytes in use by requests, or by the records they become, whichever is more: for the metric.
    pub fn used(&self) -> u64 {
        let free = self.requests.available_permits().min(self.records.available_permits());
        u64::from(self.capacity).saturating_sub(u64::try_from(free).unwrap_or(u64::MAX))
    }

    /// All bytes, as sizes are counted in memory.
    pub fn bytes(&self) -> usize {
        usize::try_from(self.capacity).unwrap_or(usize::MAX)
    }

    /// All bytes.
    pub fn capacity(&self) -> u64 {
        u64::from(self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_full_pool_waits_and_then_refuses_and_a_dropped_permit_frees() {
        let pool = Pool::new(10, Duration::from_secs(5));
        let first = pool.admit(10).await.unwrap();
        assert_eq!(pool.used(), 10);
        assert_eq!(pool.admit(1).await.unwrap_err(), Full { capacity: 10 });
        drop(first);
        let huge = pool.admit(1_000_000).await.unwrap();
        assert_eq!(pool.used(), 10);
        drop(huge);
        assert_eq!(pool.used(), 0);
    }

    #[tokio::test]
    async fn a_barrier_waits_for_those_before_it_and_for_nobody_else() {
        let pool = Pool::new(10, Duration::from_secs(5));
        pool.barrier().await;
        let mut before = pool.admit(2).await.unwrap();
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { pool.barrier().await }
        });
        tokio::task::yield_now().await;
        let after = pool.admit(2).await.unwrap();
        // Widened by a share of later: it is still the earlier request's.
        pool.widen(&mut before, 4).await.unwrap();
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(before);
        waiting.await.unwrap();
        drop(after);
        pool.barrier().await;
    }

    /// Scenario: a request's share is given back before that of its records, which it took after a barrier began. Guarantee: the barrier waits for
    /// them; requests and records have room of their own.
    #[tokio::test(start_paused = true)]
    async fn a_barrier_waits_for_the_records_of_those_before_it() {
        let pool = Pool::new(10, Duration::from_secs(5));
        let request = pool.admit(10).await.unwrap();
        let mut barrier = Box::pin(pool.barrier());
        assert!(futures::poll!(&mut barrier).is_pending());
        let records = pool.admit_records(&request, 100).await.unwrap();
        assert_eq!((records.bytes(), pool.used()), (10, 10));
        assert_eq!(pool.admit_records(&request, 1).await.unwrap_err(), Full { capacity: 10 });
        drop(request);
        assert!(futures::poll!(&mut barrier).is_pending() && pool.used() == 10);
        drop(records);
        barrier.await;
        assert_eq!(pool.used(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_widens_and_shrinks() {
        let pool = Pool::new(10, Duration::from_secs(5));
        let mut share = pool.admit(2).await.unwrap();
        pool.widen(&mut share, 6).await.unwrap();
        pool.widen(&mut share, 3).await.unwrap();
        assert_eq!(pool.used(), 6);
        let other = pool.admit(4).await.unwrap();
        assert_eq!(pool.widen(&mut share, 7).await, Err(Full { capacity: 10 }));
        assert!(!pool.try_widen(&mut share, 7) && share.bytes() == 6);
        share.shrink(1);
        assert!(pool.try_widen(&mut share, 4) && pool.try_widen(&mut share, 6) && share.bytes() == 6);
        share.shrink(5);
        assert_eq!(pool.used(), 9);
        drop(other);
        pool.widen(&mut share, usize::MAX).await.unwrap();
        assert_eq!(pool.used(), 10);
        drop(share);
        assert_eq!(pool.used(), 0);
    }
}
