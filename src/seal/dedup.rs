//! The window in which a resent record is recognised (`record.md` section 5, rule 9).
//!
//! Two records are one when id and sameness are equal; an equal id with another sameness is a conflict, and both are kept. Entries are
//! made when a seal is committed, never earlier: a batch that failed must be taken when it comes again.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::time::Duration;

use crate::clock::UnixSeconds;
use crate::record::RecordId;

/// Identity and sameness of a record: of line and content where this process sealed it, of the line alone where an earlier one did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) RecordId, pub(crate) [u8; 16]);

impl Hash for Key {
    /// Sameness is a keyed hash of a secret of this process already, over a line that holds the id: nobody outside can choose where in a
    /// table a record comes to lie, and hashing it once more would only cost.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.1;
        state.write_u64(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// Takes the one word that a [`Key`] gives as it is.
#[derive(Default)]
pub(crate) struct AsGiven(u64);

impl Hasher for AsGiven {
    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not for what others choose; keys do not come here.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// For tables of [`Key`]s.
pub(crate) type ByKey = BuildHasherDefault<AsGiven>;

/// Memory of one entry: 40 bytes in the table at its usual load of 7/16 to 7/8 (about 62), and 40 in the queue, which doubles as it
/// grows (about 58).
pub(super) const ENTRY_BYTES: u64 = 120;

/// Recently sealed records and the seal that holds each.
#[derive(Debug)]
pub(crate) struct Dedup {
    window: Duration,
    entries_max: usize,
    seals: HashMap<Key, u64, ByKey>,
    order: VecDeque<(Key, UnixSeconds)>,
    evicted: u64,
}

impl Dedup {
    /// Remembers for `window` (`seal.dedup_window`) within `bytes` (`seal.dedup_bytes`).
    pub(crate) fn new(window: Duration, bytes: u64) -> Self {
        let entries_max = usize::try_from(bytes / ENTRY_BYTES).unwrap_or(usize::MAX);
        Dedup { window, entries_max, seals: HashMap::default(), order: VecDeque::new(), evicted: 0 }
    }

    /// The seal that holds this very record.
    pub(crate) fn find(&self, key: &Key) -> Option<u64> {
        self.seals.get(key).copied()
    }

    /// Remembers a committed record; the first seal stays. Without room the oldest make some, before their time (what has left the window
    /// is gone if [`Dedup::expire`] was called first).
    pub(crate) fn insert(&mut self, key: Key, seal: u64, sealed_at: UnixSeconds) {
        if self.entries_max == 0 || self.window.is_zero() {
            return;
        }
        let Entry::Vacant(free) = self.seals.entry(key) else { return };
        free.insert(seal);
        self.order.push_back((key, sealed_at));
        while self.seals.len() > self.entries_max {
            self.forget_oldest();
            self.evicted += 1;
        }
    }

    /// Forgets what left the window.
    pub(crate) fn expire(&mut self, now: UnixSeconds) {
        let window = i64::try_from(self.window.as_secs()).unwrap_or(i64::MAX);
        while self.order.front().is_some_and(|(_, at)| now.0.saturating_sub(at.0) > window) {
            self.forget_oldest();
        }
    }

    /// Entries that fit besides those that are there.
    pub(crate) fn room(&self) -> usize {
        self.entries_max.saturating_sub(self.seals.len())
    }

    /// Entries, and the age of the oldest in seconds.
    pub(crate) fn extent(&self, now: UnixSeconds) -> (u64, u64) {
        let age = self.order.front().map_or(0, |(_, at)| now.0.saturating_sub(at.0));
        (u64::try_from(self.order.len()).unwrap_or(u64::MAX), u64::try_from(age).unwrap_or(0))
    }

    /// Entries that had to make room so far.
    pub(crate) fn evicted(&self) -> u64 {
        self.evicted
    }

    fn forget_oldest(&mut self) {
        if let Some((key, _)) = self.order.pop_front() {
            self.seals.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Key {
        Key(RecordId([n; 16]), [n; 16])
    }

    #[test]
    fn remembers_within_window_and_bytes_and_names_the_first_seal() {
        let mut dedup = Dedup::new(Duration::from_secs(10), 2 * ENTRY_BYTES);
        dedup.insert(key(1), 1, UnixSeconds(100));
        dedup.insert(key(1), 5, UnixSeconds(105));
        assert_eq!(dedup.find(&key(1)), Some(1));
        assert_eq!(dedup.find(&Key(RecordId([1; 16]), [9; 16])), None, "a conflict is no duplicate");
        dedup.expire(UnixSeconds(110));
        assert_eq!(dedup.find(&key(1)), Some(1));
        dedup.expire(UnixSeconds(111));
        assert_eq!(dedup.find(&key(1)), None);
        for n in 2..5 {
            dedup.insert(key(n), u64::from(n), UnixSeconds(120));
        }
        assert_eq!([2, 3, 4].map(|n| dedup.find(&key(n))), [None, Some(3), Some(4)], "the oldest made room");
        assert_eq!(dedup.extent(UnixSeconds(125)), (2, 5));
        assert_eq!(dedup.evicted(), 1, "what left the window in its time is not counted");
        assert!(Dedup::new(Duration::ZERO, 1000).find(&key(1)).is_none());
    }
}
