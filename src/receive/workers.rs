//! The threads that promote large bodies.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

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
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        self.handle.spawn_blocking(work).await.map_err(|_| Refusal::Internal)
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
