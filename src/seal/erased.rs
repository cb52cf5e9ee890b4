//! Records whose content or person an erasure took: sent again, they are duplicates whatever they say, or a resend would bring back what
//! was erased. The window of duplicates does not know them: a person who was erased has a new pseudonym, so the same span makes another
//! record of the same id.
//!
//! Remembered for `seal.dedup_window` from the erasure, and over restarts: the vault keeps what makes it up again (`vault::Intent`).
//!
//! KNOWN GAP: what is sent again later is sealed anew.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use memchr::memmem;

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

    /// How long they are remembered.
    pub(crate) fn window(&self) -> Duration {
        self.window
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
        let before = batch.records.len();
        batch.retain(|record| match known.seals.get(&record.id) {
            Some(seal) => {
                out.records += 1;
                out.newest_seal = out.newest_seal.max(Some(*seal));
                false
            }
            None => true,
        });
        if batch.records.len() < before {
            leave_out_unnamed(batch);
        }
        out
    }
}

/// Leaves out persons whom no record of a batch names any more: the entry of who was erased would come back with a record of somebody else.
/// An entry that is left out is not stored, so whoever names the person brings it along.
fn leave_out_unnamed(batch: &mut Batch) {
    if batch.apart.persons.is_empty() {
        return;
    }
    let mut named: HashSet<&[u8]> = HashSet::new();
    for line in batch.records.iter().map(|record| batch.line(record)) {
        let digits = memmem::find_iter(line, PREFIX).filter_map(|at| line.get(at + PREFIX.len()..)?.get(..32));
        named.extend(digits);
    }
    let named: Vec<bool> = batch.apart.persons.iter().map(|person| named.contains(hex::encode(person.pseudonym).as_bytes())).collect();
    let mut named = named.into_iter();
    batch.apart.persons.retain(|_| named.next().unwrap_or(true));
}

/// What stands before the digits of a pseudonym of the vault.
const PREFIX: &[u8] = b"ps:vault:";

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
    use crate::record::apart::PersonEntry;
    use crate::retain::ClassIndex;
    use crate::vault::pseudonym_text;

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

    /// Scenario: one request brings a record of somebody who was erased, and one of somebody else. Guarantee: only whom a record that stays
    /// names is brought to the vault.
    #[test]
    fn an_entry_goes_with_the_last_record_that_names_it() {
        let person = |n: u8| PersonEntry { key: [n; 32], pseudonym: [n; 16], realm: String::new(), id: n.to_string() };
        let erased = ErasedIds::new(Duration::from_secs(10), 10 * ENTRY_BYTES);
        erased.remember([(RecordId([1; 16]), 7)], UnixSeconds(100));
        let left = |numbers: &[u8]| {
            let mut batch = batch(numbers);
            for record in &mut batch.records {
                let from = batch.lines.len();
                let name = pseudonym_text(&[record.id.0[0]; 16]);
                batch.lines.extend_from_slice(format!("{{\"id\":\"{name}\"}}").as_bytes());
                record.line = from..batch.lines.len();
            }
            batch.apart.persons = numbers.iter().map(|n| person(*n)).collect();
            erased.leave_out(&mut batch, UnixSeconds(100));
            batch.apart.persons.iter().map(|person| person.pseudonym[0]).collect::<Vec<_>>()
        };
        assert_eq!(left(&[1, 2]), [2]);
        assert_eq!(left(&[2, 3]), [2, 3]);
        assert!(left(&[1]).is_empty());
    }
}
