//! The threads that promote large bodies.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

use super::panics::{Doing, caught};
use super::status::Refusal;

/// As many threads as there are processors, and no more: further ones would only share these, and each would keep an allocator's arena of
/// its own with the lines of a whole request in it. Work waits for its thread in the order in which it came.
#[derive(Debug)]
pub(super) struct Workers {
    /// Only to be ended with this.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Workers {
    pub(super) fn new() -> io::Result<Workers> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        // The pool of blocking threads is what is wanted; nothing is ever polled here.
        let runtime = Builder::new_current_thread().max_blocking_threads(threads).thread_name("promote").build()?;
        Ok(Workers { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Does `work` on one of the threads. A caller who drops this ends only the waiting: what was begun, or waits for its turn, is done.
    pub(super) async fn run<T: Send + 'static>(&self, doing: Doing, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        // A panic never gets as far as the thread: what is not done any more is because the threads are being ended.
        self.handle.spawn_blocking(move || caught(doing, work)).await.unwrap_or(Err(Refusal::Stopped))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // Waiting for the threads is not allowed on an async one, where this may be dropped.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    /// Guarantee: never more threads than processors, and what a caller hung up on is done nevertheless. Ending the workers on an async
    /// thread, as here, is allowed.
    #[tokio::test]
    async fn no_more_at_a_time_than_there_are_processors_and_all_of_it() {
        let workers = Workers::new().unwrap();
        let threads = std::thread::available_parallelism().unwrap().get();
        let [now, most, done] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
        let work = || {
            let (now, most, done) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&done));
            workers.run(Doing::decompression(0), move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
                now.fetch_sub(1, Ordering::SeqCst);
                done.fetch_add(1, Ordering::SeqCst);
            })
        };
        let all = 8 * threads;
        let kept: Vec<_> = (0..all / 2).map(|_| work()).collect();
        for _ in all / 2..all {
            // Asked once, which hands the work over, and then hung up on.
            let mut asked = Box::pin(work());
            assert!(futures::poll!(asked.as_mut()).is_pending());
        }
        for work in kept {
            work.await.unwrap();
        }
        while done.load(Ordering::SeqCst) < all {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(most.load(Ordering::SeqCst) <= threads, "{most:?}");
    }
}
