//! What a process received since its previous seal: added to by receivers, taken by the sealer.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::tlog::seal_file::Counts;

/// Shared counters. `promoted` is not among them: the sealer counts what it seals.
#[derive(Debug, Default)]
pub struct Counters {
    spans: AtomicU64,
    logs: AtomicU64,
    skipped: AtomicU64,
    rejected: AtomicU64,
    duplicates: AtomicU64,
    dropped_attributes: AtomicU64,
}

impl Counters {
    /// Adds what one request brought (its `promoted` is ignored).
    pub fn add(&self, counts: Counts) {
        for (slot, value) in self.slots().into_iter().zip(values(counts)) {
            if value > 0 {
                slot.fetch_add(value, Ordering::Relaxed);
            }
        }
    }

    /// Takes everything for a statement; [`Counters::add`] gives it back if the seal does not come to be.
    pub(crate) fn take(&self) -> Counts {
        let [spans, logs, skipped, rejected, duplicates, dropped_attributes] = self.slots().map(|s| s.swap(0, Ordering::Relaxed));
        Counts { spans, logs, promoted: 0, skipped, rejected, duplicates, dropped_attributes }
    }

    fn slots(&self) -> [&AtomicU64; 6] {
        [&self.spans, &self.logs, &self.skipped, &self.rejected, &self.duplicates, &self.dropped_attributes]
    }
}

fn values(c: Counts) -> [u64; 6] {
    [c.spans, c.logs, c.skipped, c.rejected, c.duplicates, c.dropped_attributes]
}
