//! Records whose content or person an erasure took: sent again, they are duplicates whatever they say, or a resend would bring back what
//! was erased. The window of duplicates does not know them: a person who was erased has a new pseudonym, so the same span makes another
//! record of the same id.
//!
//! KNOWN GAP: this lives in memory, for `seal.dedup_window` from the erasure. What is sent again later, or after a restart, is sealed anew,
//! and so is a person's entry that comes in one request with records of others that are new.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::dedup::ENTRY_BYTES;
use crate::clock::UnixSeconds;
use crate::record::{Batch, RecordId};

/// Ids of such records, and nothing else of them.
#[derive(Debug, Default)]
pub(crate) struct ErasedIds {
    window: Duration,
    entries_max: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The seal that holds each.
    seals: HashMap<RecordId, u64>,
    order: VecDeque<(RecordId, UnixSeconds)>,
}

/// What was left out of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) records: u64,
    /// The newest seal that holds one of them.
    pub(crate) newest_seal: Option<u64>,
}

impl ErasedIds {
    /// Remembers for `window` (`seal.dedup_window`), and no more than the window of duplicates may in `bytes` (`seal.dedup_bytes`).
    pub(crate) fn new(window: Duration, bytes: u64) -> Self {
        let entries_max = usize::try_from(bytes / ENTRY_BYTES).unwrap_or(usize::MAX);
        ErasedIds { window, entries_max, known: Mutex::default() }
    }

    /// Remembers records and the seal of each. Without room the oldest make some.
    pub(crate) fn remember(&self, records: impl IntoIterator<Item = (RecordId, u64)>, at: UnixSeconds) {
        if self.window.is_zero() || self.entries_max == 0 {
            return;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.expire(self.window, at);
        for (id, seal) in records {
            if known.seals.insert(id, seal).is_some() {
                continue;
            }
            known.order.push_back((id, at));
            if known.order.len() > self.entries_max {
                known.forget_oldest();
            }
        }
    }

    /// Leaves those records out of a batch.
    pub(crate) fn leave_out(&self, batch: &mut Batch, now: UnixSeconds) -> LeftOut {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.expire(self.window, now);
        let mut out = LeftOut::default();
        if known.seals.is_empty() {
            return out;
        }
        batch.retain(|record| match known.seals.get(&record.id) {
            Some(seal) => {
                out.records += 1;
                out.newest_seal = out.newest_seal.max(Some(*seal));
                false
            }
            None => true,
        });
        out
    }
}

impl Known {
    fn expire(&mut self, window: Duration, now: UnixSeconds) {
        let window = i64::try_from(window.as_secs()).unwrap_or(i64::MAX);
        while self.order.front().is_some_and(|(_, at)| now.0.saturating_sub(at.0) > window) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((id, _)) = self.order.pop_front() {
            self.seals.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixNanos;
    use crate::record::PendingRecord;
    use crate::retain::ClassIndex;

    fn batch(numbers: &[u8]) -> Batch {
        let record = |n: &u8| PendingRecord {
            id: RecordId([*n; 16]),
            line: 0..0,
            class: ClassIndex(0),
            first: UnixNanos(1),
            last: UnixNanos(1),
            control: false,
            sameness: [0; 16],
            line_sameness: [0; 16],
            pieces: 0..0,
        };
        Batch { records: numbers.iter().map(record).collect(), ..Batch::default() }
    }

    #[test]
    fn what_was_erased_is_left_out_within_window_and_room() {
        let id = |n: u8| RecordId([n; 16]);
        let erased = ErasedIds::new(Duration::from_secs(10), 2 * ENTRY_BYTES);
        let left_out = |numbers: &[u8], now| {
            let mut batch = batch(numbers);
            let out = erased.leave_out(&mut batch, UnixSeconds(now));
            (out.records, out.newest_seal, batch.records.len())
        };
        assert_eq!(left_out(&[1], 100), (0, None, 1));
        erased.remember([(id(1), 7), (id(2), 5), (id(1), 7)], UnixSeconds(100));
        assert_eq!(left_out(&[1, 2, 3], 110), (2, Some(7), 1));
        assert_eq!(left_out(&[2, 2], 110), (2, Some(5), 0));
        assert_eq!(left_out(&[1, 2], 111), (0, None, 2), "the window is over");
        erased.remember([(id(1), 7), (id(2), 5), (id(3), 9)], UnixSeconds(120));
        assert_eq!(left_out(&[1, 2, 3], 120), (2, Some(9), 1), "the oldest made room");
    }
}
