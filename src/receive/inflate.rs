//! Decompression of request bodies, for both transports: never more memory than the request has taken out of the pool.
//!
//! A few kilobytes may become megabytes, so what comes out grows in steps, and each step is paid before it is made. Who has to wait for
//! the next one gives up what it has made and waits with nothing but what it was sent: requests that each hold half of what they need and
//! wait for the others' halves would keep everybody out until all of them are refused. Beginning anew costs at most as much work again,
//! twice.
//!
//! Beside the pool lie only the windows of the decoders, at most [`ZSTD_WINDOW_LOG_MAX`] each: as many as there are processors on blocking
//! threads, and one on each async thread, of which no more is touched than the little that is made there.
//!
//! KNOWN GAP: what is freed stays with the allocator. Under glibc, whose arenas each keep what they once had, resident memory may come to
//! some four times the pool after a storm of such bodies, although the pool is empty again. Its `MALLOC_MMAP_THRESHOLD_` bounds that.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::export::INLINE_BYTES_MAX;
use super::panics::{Doing, caught};
use super::status::Refusal;
use crate::seal::{Permit, Pool};

/// Compressions that are understood: gzip is OTLP's, zstd is what Collectors prefer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

/// 8 MiB, the window that RFC 8878 section 3.1.1.1.2 asks of decoders: a frame of a few bytes may ask for 128 MiB of memory otherwise.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Largest compressed body that is begun on the async thread; it leaves when it becomes more than [`INLINE_BYTES_MAX`].
const INLINE_COMPRESSED_MAX: usize = INLINE_BYTES_MAX / 16;

/// What a compressed body is assumed to become before anything is known of it, times its size, and at least.
const FIRST_GUESS: usize = 4;
const FIRST_BYTES_MIN: usize = 4 * 1024;

/// Decompresses what one port receives. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Inflater {
    pool: Pool,
    /// One for each that may be at work on a blocking thread: more than there are processors would only hold more windows.
    turns: Arc<Semaphore>,
    bytes_max: usize,
    #[cfg(test)]
    pub(super) held: Arc<tests::Held>,
}

/// What has come of an attempt.
enum Made {
    Whole(Vec<u8>),
    /// It becomes more than could be paid for; so many bytes would be the next step. Nothing was kept.
    Wants(usize),
}

impl Inflater {
    /// For bodies that may become `bytes_max`.
    pub(super) fn new(pool: Pool, bytes_max: usize) -> Self {
        Inflater {
            pool,
            turns: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))),
            bytes_max,
            #[cfg(test)]
            held: Arc::default(),
        }
    }

    /// The same, with a limit of its own: what all ports do is bounded together.
    pub(super) fn with_max(&self, bytes_max: usize) -> Self {
        Inflater { bytes_max, ..self.clone() }
    }

    /// The pool that pays.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Largest body after decompression.
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Decompresses a body. Its share must cover the body as it was sent, and comes back as that of what it became. A caller who drops this
    /// ends the waiting; work under way keeps its share to its end.
    pub(super) async fn inflate(&self, compression: Compression, sent: Bytes, permit: Permit) -> Result<(Bytes, Permit), Refusal> {
        let mut bytes = sent.len().saturating_mul(FIRST_GUESS).max(FIRST_BYTES_MIN).min(self.bytes_max);
        let mut work = Work { inflater: self.clone(), compression, sent, permit };
        if work.sent.len() <= INLINE_COMPRESSED_MAX {
            match work.attempt(bytes, INLINE_BYTES_MAX.min(self.bytes_max))? {
                Made::Whole(whole) => return Ok(work.done(whole)),
                Made::Wants(more) => bytes = more,
            }
        }
        let mut waited = false;
        loop {
            // Neither turns nor threads end before the process does.
            let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Refusal::Stopped)?;
            let there = tokio::task::spawn_blocking(move || {
                let made = work.attempt(bytes, work.inflater.bytes_max);
                drop(turn);
                (work, made)
            });
            let made;
            (work, made) = there.await.map_err(|_| Refusal::Stopped)?;
            match made? {
                Made::Whole(whole) => return Ok(work.done(whole)),
                // Asking for all of it the second time bounds how often one waits.
                Made::Wants(more) => bytes = if waited { self.bytes_max } else { more },
            }
            waited = true;
            work.permit.shrink(work.sent.len());
            let share = work.sent.len().saturating_add(bytes);
            self.pool.widen(&mut work.permit, share).await?;
        }
    }
}

/// A compressed body and its share.
struct Work {
    inflater: Inflater,
    compression: Compression,
    sent: Bytes,
    permit: Permit,
}

impl Work {
    /// Decompresses from the beginning, into `bytes` at first, and refuses what becomes more than the port's limit. Beyond `most` it is not
    /// tried here.
    fn attempt(&mut self, bytes: usize, most: usize) -> Result<Made, Refusal> {
        caught(Doing::decompression(self.sent.len()), || self.try_whole(bytes, most))?
    }

    fn try_whole(&mut self, bytes: usize, most: usize) -> Result<Made, Refusal> {
        let sent = self.sent.clone();
        match self.compression {
            Compression::Gzip => self.read(flate2::read::MultiGzDecoder::new(&*sent), bytes, most),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(&*sent).map_err(broken)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
                self.read(decoder, bytes, most)
            }
        }
    }

    fn read(&mut self, mut decoder: impl Read, bytes: usize, most: usize) -> Result<Made, Refusal> {
        let bytes_max = self.inflater.bytes_max;
        let mut step = bytes.min(most);
        let mut whole = Vec::new();
        // A byte that was read to see whether there is more.
        let mut ahead = None;
        #[cfg(test)]
        let mut holding = tests::Holding::of(&self.inflater.held);
        loop {
            // Growing may copy: the old and the new buffer stand side by side for a moment.
            if !self.pays(whole.capacity().saturating_add(step)) {
                return Ok(Made::Wants(step));
            }
            #[cfg(test)]
            holding.set(whole.capacity() + step);
            whole.try_reserve_exact(step.saturating_sub(whole.len())).map_err(|_| Refusal::Full)?;
            whole.extend(ahead.take());
            let filled = whole.len();
            whole.resize(step, 0);
            let read = fill(&mut decoder, whole.get_mut(filled..).unwrap_or_default()).map_err(broken)?;
            whole.truncate(filled.saturating_add(read));
            let mut next = [0];
            if whole.len() < step || fill(&mut decoder, &mut next).map_err(broken)? == 0 {
                return Ok(Made::Whole(whole));
            }
            if step >= bytes_max {
                return Err(Refusal::TooLarge(bytes_max));
            }
            ahead = next.first().copied();
            step = step.saturating_mul(2).min(bytes_max);
            if step > most {
                return Ok(Made::Wants(step));
            }
        }
    }

    /// Whether the share covers so many bytes besides those that were sent, if need be after widening it by what is free now. A request
    /// that has the whole pool is alone, and its own limit is the only one.
    fn pays(&mut self, bytes: usize) -> bool {
        let (pool, share) = (&self.inflater.pool, self.sent.len().saturating_add(bytes));
        let held = self.permit.bytes();
        held >= share || held >= pool.bytes() || pool.try_widen(&mut self.permit, share)
    }

    fn done(mut self, whole: Vec<u8>) -> (Bytes, Permit) {
        drop(self.sent);
        self.permit.shrink(whole.capacity());
        (whole.into(), self.permit)
    }
}

/// Reads until `room` is full or there is no more.
fn fill(from: &mut impl Read, room: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn broken(_: io::Error) -> Refusal {
    Refusal::Malformed("the body does not decompress".to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    impl Inflater {
        /// Turns that nobody has.
        pub(crate) fn idle(&self) -> usize {
            self.turns.available_permits()
        }
    }

    /// Bytes of what is being made, over all requests: what resident memory would show if nothing else moved it.
    #[derive(Debug, Default)]
    pub(crate) struct Held {
        now: AtomicUsize,
        peak: AtomicUsize,
        /// Panics at the next step.
        pub(crate) breaks: AtomicBool,
    }

    impl Held {
        pub(crate) fn now(&self) -> usize {
            self.now.load(Ordering::SeqCst)
        }

        pub(crate) fn peak(&self) -> usize {
            self.peak.load(Ordering::SeqCst)
        }
    }

    /// What one attempt holds.
    pub(super) struct Holding {
        held: Arc<Held>,
        bytes: usize,
    }

    impl Holding {
        pub(super) fn of(held: &Arc<Held>) -> Self {
            Holding { held: Arc::clone(held), bytes: 0 }
        }

        pub(super) fn set(&mut self, bytes: usize) {
            assert!(!self.held.breaks.load(Ordering::SeqCst), "quoted hush");
            let more = bytes - self.bytes;
            let now = self.held.now.fetch_add(more, Ordering::SeqCst) + more;
            self.held.peak.fetch_max(now, Ordering::SeqCst);
            self.bytes = bytes;
        }
    }

    impl Drop for Holding {
        fn drop(&mut self) {
            self.held.now.fetch_sub(self.bytes, Ordering::SeqCst);
        }
    }

    const MAX: usize = 1024 * 1024;
    const BOTH: [Compression; 2] = [Compression::Gzip, Compression::Zstd];

    fn compressed(compression: Compression, bytes: &[u8]) -> Bytes {
        match compression {
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap().into()
            }
            Compression::Zstd => zstd::encode_all(bytes, 0).unwrap().into(),
        }
    }

    async fn inflated(inflater: &Inflater, compression: Compression, sent: Bytes) -> Result<(Bytes, Permit), Refusal> {
        let permit = inflater.pool.admit(sent.len()).await.unwrap();
        inflater.inflate(compression, sent, permit).await
    }

    fn rich() -> Inflater {
        Inflater::new(Pool::new(64 * 1024 * 1024, Duration::from_secs(60)), MAX)
    }

    /// Every size around those where something changes comes out as it went in, and its share covers it; beyond the limit nothing does.
    #[tokio::test]
    async fn what_went_in_comes_out_up_to_the_limit() {
        let inflater = rich();
        let noise: Vec<u8> = (0..MAX + 2).map(|i| u8::try_from((i * i / 251 + i) % 256).unwrap()).collect();
        let edges = [0, 1, FIRST_BYTES_MIN, INLINE_BYTES_MAX, 2 * INLINE_BYTES_MAX, MAX];
        let sizes = edges.into_iter().flat_map(|edge| [edge.saturating_sub(1), edge, edge + 1]);
        for (compression, size) in BOTH.into_iter().flat_map(|compression| sizes.clone().map(move |size| (compression, size))) {
            for bytes in [&noise[..size], &vec![0; size]] {
                let came = inflated(&inflater, compression, compressed(compression, bytes)).await;
                if size > MAX {
                    assert_eq!(came.unwrap_err(), Refusal::TooLarge(MAX), "{compression:?} {size}");
                } else {
                    let (came, permit) = came.unwrap();
                    assert!(came == bytes && permit.bytes() >= size, "{compression:?} {size}");
                }
                assert_eq!((inflater.pool.used(), inflater.held.now()), (0, 0), "{compression:?} {size}");
            }
        }
    }

    #[tokio::test]
    async fn what_does_not_decompress_is_malformed() {
        let inflater = rich();
        let whole = BOTH.map(|compression| compressed(compression, b"0123456789"));
        // A frame that asks for a window of 16 MiB (descriptor 0, window byte: exponent 14).
        let wide = Bytes::from_static(b"\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00");
        for (compression, sent) in [
            (Compression::Gzip, Bytes::from_static(b"no")),
            (Compression::Zstd, Bytes::from_static(b"no")),
            (Compression::Gzip, whole[0].slice(..whole[0].len() - 1)),
            (Compression::Zstd, whole[1].slice(..whole[1].len() - 1)),
            (Compression::Zstd, whole[0].clone()),
            (Compression::Zstd, wide),
        ] {
            let refusal = inflated(&inflater, compression, sent).await.unwrap_err();
            assert_eq!(refusal, Refusal::Malformed("the body does not decompress".to_owned()));
        }
    }

    /// Scenario: many small bodies that become large, at once, with a pool that holds a few of them. Guarantee: what is made never exceeds the
    /// pool, and every one of them gets its turn within the wait.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_bombs_stay_within_the_pool() {
        let pool = Pool::new(4 * 1024 * 1024, Duration::from_secs(60));
        let inflater = Inflater::new(pool.clone(), MAX);
        let bombs = BOTH.map(|compression| (compression, compressed(compression, &vec![0; MAX])));
        let calls: Vec<_> = (0..60)
            .map(|i| {
                let (inflater, (compression, sent)) = (inflater.clone(), bombs[i % 2].clone());
                tokio::spawn(async move {
                    let (came, permit) = inflated(&inflater, compression, sent).await?;
                    assert!(permit.bytes() >= came.len());
                    Ok::<_, Refusal>(came.len())
                })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap(), MAX);
        }
        let peak = u64::try_from(inflater.held.peak()).unwrap();
        assert!(peak <= pool.capacity() && peak > 0, "{peak}");
        assert_eq!((pool.used(), inflater.held.now()), (0, 0));
    }

    /// Scenario: no room for the next step. Guarantee: the wait is as long as any other, keeps nothing of what was made, and ends with a
    /// refusal or goes on from the beginning.
    #[tokio::test(start_paused = true)]
    async fn who_waits_keeps_nothing() {
        let pool = Pool::new(4 * 1024 * 1024, Duration::from_secs(5));
        let inflater = Inflater::new(pool.clone(), MAX);
        for compression in BOTH {
            let sent = compressed(compression, &vec![0; MAX]);
            let others = pool.admit(4 * MAX - sent.len() - 10_000).await.unwrap();
            let begun = tokio::time::Instant::now();
            let refused = async {
                assert_eq!(inflated(&inflater, compression, sent.clone()).await.unwrap_err(), Refusal::Full);
                assert_eq!(begun.elapsed(), Duration::from_secs(5));
            };
            let looked = async {
                tokio::time::sleep(Duration::from_secs(4)).await;
                // Being the first to wait, it is given what is free.
                assert_eq!((pool.used(), inflater.held.now()), (pool.capacity(), 0));
            };
            tokio::join!(refused, looked);
            assert_eq!(pool.used(), u64::try_from(others.bytes()).unwrap());
            let freed = async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                drop(others);
            };
            let (came, ()) = tokio::join!(inflated(&inflater, compression, sent.clone()), freed);
            assert_eq!(came.unwrap().0.len(), MAX);
        }
    }

    /// A body larger than the whole pool takes all of it, alone, like any other request.
    #[tokio::test]
    async fn what_is_larger_than_the_pool_is_alone_in_it() {
        let pool = Pool::new(100_000, Duration::from_secs(60));
        let inflater = Inflater::new(pool.clone(), MAX);
        for compression in BOTH {
            let (came, permit) = inflated(&inflater, compression, compressed(compression, &vec![0; MAX])).await.unwrap();
            assert_eq!((came.len(), pool.used()), (MAX, 100_000));
            drop(permit);
        }
    }

    /// Scenario: the caller goes while the work waits for its thread. Guarantee: its share comes back after the work, not before.
    #[test]
    fn who_hangs_up_frees_nothing_that_is_in_use() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let inflater = rich();
            let idle = inflater.idle();
            let (release, held_up) = std::sync::mpsc::channel::<()>();
            let busy = tokio::task::spawn_blocking(move || held_up.recv());
            let call = {
                let inflater = inflater.clone();
                tokio::spawn(async move { inflated(&inflater, Compression::Zstd, compressed(Compression::Zstd, &vec![0; MAX])).await })
            };
            while inflater.idle() == idle {
                tokio::task::yield_now().await;
            }
            call.abort();
            assert!(call.await.unwrap_err().is_cancelled());
            assert!(inflater.pool.used() > 0);
            release.send(()).unwrap();
            busy.await.unwrap().unwrap();
            while inflater.pool.used() > 0 {
                tokio::task::yield_now().await;
            }
            assert!(inflater.held.peak() >= MAX && inflater.held.now() == 0);
        });
    }
}
