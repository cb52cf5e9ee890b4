//! What a process received since its previous seal: added to by receivers, taken by the sealer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::tlog::seal_file::Counts;

/// Shared counters. `promoted` is not among them: the sealer counts what it seals.
///
/// One lock over all of them, held for a few additions a request: a seal that took the skipped spans of a request but not yet its spans
/// would sign counts that cannot be true, which a verifier names.
#[derive(Debug, Default)]
pub struct Counters(Mutex<Counts>);

impl Counters {
    /// Adds what one request brought (its `promoted` is ignored).
    pub fn add(&self, counts: Counts) {
        let mut sum = self.lock();
        *sum = sum.plus(Counts { promoted: 0, ..counts });
    }

    /// Takes everything for a statement; [`Counters::add`] gives it back if the seal does not come to be.
    pub(crate) fn take(&self) -> Counts {
        std::mem::take(&mut *self.lock())
    }

    /// Additions of numbers cannot leave the sums half made, so a thread that panicked here is no reason to stop counting.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: requests are counted while seals take the counts. Guarantee: what a seal takes is whole requests, so it never states more
    /// skipped than received.
    #[test]
    fn a_request_is_counted_in_one_seal() {
        let counters = Counters::default();
        let one = Counts { spans: 3, skipped: 3, ..Counts::default() };
        let (rounds, mut taken) = (100_000, Counts::default());
        std::thread::scope(|scope| {
            let adding = scope.spawn(|| (0..rounds).for_each(|_| counters.add(one)));
            loop {
                let ended = adding.is_finished();
                let counts = counters.take();
                assert_eq!(counts.spans, counts.skipped, "a request was torn apart");
                (taken.spans, taken.skipped) = (taken.spans + counts.spans, taken.skipped + counts.skipped);
                if ended {
                    break;
                }
            }
        });
        assert_eq!((taken.spans, taken.skipped), (3 * rounds, 3 * rounds));
    }
}
