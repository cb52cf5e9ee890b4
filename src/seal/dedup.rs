//! The window in which a resent record is recognised (`record.md` section 5, rule 9).
//!
//! Two records are one when id and sameness are equal; an equal id with another sameness is a conflict, and both are kept. Entries are
//! made when a seal is committed, never earlier: a batch that failed must be taken when it comes again.
//!
//! What an earlier process sealed is known by its line, which shows of content in the vault only how long it is. So one that comes again
//! with the same line is in doubt until the seal of the first was looked at in the vault (`earlier`); then it is known as if this process
//! had sealed it. Where the vault does not have the content any more it stays known by its line.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
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
    /// Never decreasing in time.
    order: VecDeque<(Key, UnixSeconds)>,
    evicted: u64,
    /// Further seals that hold a line, oldest first: another content was sealed under it, or the same once more.
    further: HashMap<Key, Vec<Further>, ByKey>,
    /// How many these are. Each takes less than an entry.
    furthers: usize,
    /// When the newest seal closed of which lines are known. `None`: no line of an earlier process is left.
    newest_line: Option<UnixSeconds>,
    /// Seals that were looked at in the vault.
    looked_at: HashSet<u64>,
}

/// A seal that holds a line besides the first that does, or once more.
#[derive(Clone, Copy, Debug)]
struct Further {
    seal: u64,
    sealed_at: UnixSeconds,
    /// How often it does.
    times: u32,
}

/// What a look at one seal of an earlier process tells of its records: what the lines of those whose content the vault has are known by, and
/// what the records are.
pub(crate) type LookedAt = Vec<(Key, Key)>;

impl Dedup {
    /// Remembers for `window` (`seal.dedup_window`) within `bytes` (`seal.dedup_bytes`).
    pub(crate) fn new(window: Duration, bytes: u64) -> Self {
        let entries_max = usize::try_from(bytes / ENTRY_BYTES).unwrap_or(usize::MAX);
        Dedup {
            window,
            entries_max,
            seals: HashMap::default(),
            order: VecDeque::new(),
            evicted: 0,
            further: HashMap::default(),
            furthers: 0,
            newest_line: None,
            looked_at: HashSet::new(),
        }
    }

    /// The seal that holds this very record.
    pub(crate) fn find(&self, key: &Key) -> Option<u64> {
        self.seals.get(key).copied()
    }

    /// The seals that must be looked at before it is known whether this very record is sealed. None for a record whose line is new.
    pub(crate) fn doubts(&self, key: Key, line: Key) -> impl Iterator<Item = u64> {
        let in_doubt = self.newest_line.is_some() && line != key && !self.seals.contains_key(&key);
        let first = if in_doubt { self.find(&line) } else { None };
        let further = first.and_then(|_| self.further.get(&line)).into_iter().flatten().map(|further| further.seal);
        first.into_iter().chain(further).filter(|seal| !self.looked_at.contains(seal))
    }

    /// Remembers the line of a record that an earlier process sealed; never one of an older seal than before.
    pub(crate) fn insert_line(&mut self, line: Key, seal: u64, sealed_at: UnixSeconds) {
        if self.seals.contains_key(&line) {
            let further = self.further.entry(line).or_default();
            match further.last_mut().filter(|last| last.seal == seal) {
                Some(last) => last.times += 1,
                None => {
                    further.push(Further { seal, sealed_at, times: 1 });
                    self.furthers += 1;
                }
            }
            self.make_room();
        } else {
            self.insert(line, seal, sealed_at);
        }
        self.newest_line = self.newest_line.max(Some(sealed_at));
    }

    /// Takes what a look at a seal told. What it did not tell stays known by its line.
    pub(crate) fn learn(&mut self, seal: u64, sealed_at: UnixSeconds, told: LookedAt) {
        self.looked_at.insert(seal);
        let mut instead: HashMap<Key, Key, ByKey> = HashMap::default();
        let mut found = Vec::new();
        for (line, record) in told {
            // What made room meanwhile, or has left the window, does not come back.
            let Some(first) = self.find(&line) else { continue };
            if self.take_further(&line, seal) {
                found.push((record, seal, sealed_at));
            } else if first == seal {
                instead.entry(line).or_insert(record);
            }
        }
        let (from, to) = (self.order.partition_point(|(_, at)| *at < sealed_at), self.order.partition_point(|(_, at)| *at <= sealed_at));
        let mut known = HashSet::new();
        for (key, _) in self.order.range_mut(from..to) {
            let Some(record) = instead.get(key) else { continue };
            self.seals.remove(key);
            match self.seals.entry(*record) {
                Entry::Vacant(free) => {
                    free.insert(seal);
                    *key = *record;
                }
                // By another seal that holds it.
                Entry::Occupied(_) => drop(known.insert(*key)),
            }
        }
        if !known.is_empty() {
            self.order.retain(|(key, _)| !known.contains(key));
        }
        // Other seals may hold the line too.
        for line in instead.into_keys() {
            found.extend(self.next_further(&line, UnixSeconds(i64::MIN)).map(|next| (line, next.seal, next.sealed_at)));
        }
        self.insert_in_order(found);
    }

    /// Takes one of the times away that a line stands in this seal besides the first; whether there was one.
    fn take_further(&mut self, line: &Key, seal: u64) -> bool {
        let Some(further) = self.further.get_mut(line) else { return false };
        let Some(at) = further.iter().position(|further| further.seal == seal) else { return false };
        if let Some(of_seal) = further.get_mut(at) {
            of_seal.times -= 1;
            if of_seal.times == 0 {
                further.remove(at);
                self.furthers -= 1;
            }
        }
        if further.is_empty() {
            self.further.remove(line);
        }
        true
    }

    /// A line that is known no longer by the first seal that held it is known by the next one that does, for as long as that is in the window:
    /// takes that out, without those before it that closed earlier than `oldest`.
    fn next_further(&mut self, line: &Key, oldest: UnixSeconds) -> Option<Further> {
        let further = self.further.get_mut(line)?;
        let before = further.len();
        further.retain(|further| further.sealed_at >= oldest);
        self.furthers -= before - further.len();
        let next = further.first().copied();
        match next {
            Some(next) => drop(self.take_further(line, next.seal)),
            None => drop(self.further.remove(line)),
        }
        next
    }

    /// Remembers what earlier seals hold, each where it belongs in time. All at once: the queue is sorted anew.
    fn insert_in_order(&mut self, found: Vec<(Key, u64, UnixSeconds)>) {
        let before = self.order.len();
        for (key, seal, sealed_at) in found {
            if let Entry::Vacant(free) = self.seals.entry(key) {
                free.insert(seal);
                self.order.push_back((key, sealed_at));
            }
        }
        if self.order.len() > before {
            // Stable, and fast where little is out of order.
            self.order.make_contiguous().sort_by_key(|(_, at)| *at);
        }
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
        self.make_room();
    }

    /// The oldest go before their time, with whatever else is known of them.
    fn make_room(&mut self) {
        while self.seals.len() + self.furthers > self.entries_max {
            let Some((key, _)) = self.order.pop_front() else { return };
            self.seals.remove(&key);
            let further = self.further.remove(&key).map_or(0, |further| further.len());
            self.furthers -= further;
            self.evicted += 1 + u64::try_from(further).unwrap_or(u64::MAX);
        }
    }

    /// Forgets what left the window.
    pub(crate) fn expire(&mut self, now: UnixSeconds) {
        let window = i64::try_from(self.window.as_secs()).unwrap_or(i64::MAX);
        let oldest = UnixSeconds(now.0.saturating_sub(window));
        let mut found = Vec::new();
        while let Some((key, _)) = self.order.pop_front_if(|(_, at)| *at < oldest) {
            self.seals.remove(&key);
            found.extend(self.next_further(&key, oldest).map(|next| (key, next.seal, next.sealed_at)));
        }
        self.insert_in_order(found);
        if self.newest_line.is_some_and(|newest| self.order.front().is_none_or(|(_, at)| *at > newest)) {
            self.newest_line = None;
            self.looked_at.clear();
        }
    }

    /// Entries that fit besides those that are there.
    pub(crate) fn room(&self) -> usize {
        self.entries_max.saturating_sub(self.seals.len() + self.furthers)
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

    /// A line and what stands under it with one content or another: the same id.
    fn under(n: u8, content: u8) -> Key {
        Key(RecordId([n; 16]), [100 + content; 16])
    }

    fn doubts(dedup: &Dedup, record: Key, line: Key) -> Vec<u64> {
        dedup.doubts(record, line).collect()
    }

    /// Scenario: lines of an earlier process; seal 5 holds line 1 and line 2, seal 6 line 2 with another content. Guarantee: a record with
    /// such a line is in doubt until every seal that holds the line was looked at, and only it; then each content is known for itself, a new
    /// one is not, and all are forgotten in their time.
    #[test]
    fn what_an_earlier_process_sealed_is_in_doubt_until_it_was_looked_at() {
        let mut dedup = Dedup::new(Duration::from_secs(10), 100 * ENTRY_BYTES);
        for (line, seal, at) in [(key(1), 5, 100), (key(2), 5, 100), (key(2), 6, 103)] {
            dedup.insert_line(line, seal, UnixSeconds(at));
        }
        dedup.insert(under(3, 0), 7, UnixSeconds(104));
        assert_eq!(doubts(&dedup, under(1, 0), key(1)), [5]);
        assert_eq!(doubts(&dedup, under(2, 0), key(2)), [5, 6]);
        assert_eq!(doubts(&dedup, under(3, 0), key(3)), [0; 0], "sealed by this process");
        assert_eq!(doubts(&dedup, under(4, 0), key(4)), [0; 0], "new");
        assert_eq!(doubts(&dedup, key(1), key(1)), [0; 0], "nothing is kept apart");
        dedup.learn(5, UnixSeconds(100), vec![(key(1), under(1, 0)), (key(2), under(2, 0))]);
        assert_eq!((dedup.find(&under(1, 0)), dedup.find(&key(1))), (Some(5), None));
        assert_eq!((dedup.find(&under(2, 0)), dedup.find(&key(2))), (Some(5), Some(6)));
        assert_eq!(doubts(&dedup, under(2, 1), key(2)), [6]);
        dedup.learn(6, UnixSeconds(103), vec![(key(2), under(2, 1))]);
        assert_eq!([0, 1, 2].map(|content| dedup.find(&under(2, content))), [Some(5), Some(6), None]);
        assert_eq!((dedup.find(&key(2)), doubts(&dedup, under(2, 2), key(2))), (None, vec![]));
        dedup.expire(UnixSeconds(111));
        assert_eq!([under(1, 0), under(2, 0), under(2, 1), under(3, 0)].map(|k| dedup.find(&k)), [None, None, Some(6), Some(7)]);
        dedup.expire(UnixSeconds(114));
        assert_eq!((dedup.find(&under(2, 1)), dedup.find(&under(3, 0)), dedup.newest_line), (None, Some(7), None));
    }

    /// Scenario: a line stands in three seals of an earlier process, in one of them twice. Guarantee: each seal is asked for once; when the first leaves the
    /// window, or is looked at, the line is known by the next one for as long as that is in the window.
    #[test]
    fn a_line_is_known_by_the_next_seal_that_holds_it() {
        let filled = || {
            let mut dedup = Dedup::new(Duration::from_secs(10), 100 * ENTRY_BYTES);
            for (seal, at) in [(5, 100), (5, 100), (6, 105), (7, 107)] {
                dedup.insert_line(key(1), seal, UnixSeconds(at));
            }
            dedup
        };
        let mut dedup = filled();
        assert_eq!(doubts(&dedup, under(1, 0), key(1)).into_iter().collect::<HashSet<_>>(), HashSet::from([5, 6, 7]));
        assert!(doubts(&dedup, under(1, 0), key(1)).len() <= 4);
        for (now, seal) in [(110, Some(5)), (111, Some(6)), (115, Some(6)), (116, Some(7)), (117, Some(7)), (118, None)] {
            dedup.expire(UnixSeconds(now));
            assert_eq!(dedup.find(&key(1)), seal, "{now}");
        }
        assert!(dedup.order.is_empty() && dedup.further.is_empty());
        let mut dedup = filled();
        dedup.learn(5, UnixSeconds(100), vec![(key(1), under(1, 0)), (key(1), under(1, 1))]);
        assert_eq!([under(1, 0), under(1, 1), key(1)].map(|k| dedup.find(&k)), [Some(5), Some(5), Some(6)]);
        dedup.expire(UnixSeconds(111));
        assert_eq!([under(1, 0), under(1, 1), key(1)].map(|k| dedup.find(&k)), [None, None, Some(6)]);
        dedup.learn(6, UnixSeconds(105), vec![(key(1), under(1, 2))]);
        assert_eq!([under(1, 2), key(1)].map(|k| dedup.find(&k)), [Some(6), Some(7)]);
    }

    /// Scenario: two seals hold the same record, as after it was forgotten too early, and the later one is looked at first; or one of them twice.
    /// Guarantee: it is known once, until the later one leaves the window.
    #[test]
    fn what_two_seals_hold_is_known_once() {
        for seals in [[(5, 100), (6, 105)], [(6, 105), (6, 105)]] {
            let mut dedup = Dedup::new(Duration::from_secs(10), 100 * ENTRY_BYTES);
            seals.iter().for_each(|(seal, at)| dedup.insert_line(key(1), *seal, UnixSeconds(*at)));
            dedup.learn(6, UnixSeconds(105), vec![(key(1), under(1, 0)); seals.iter().filter(|(seal, _)| *seal == 6).count()]);
            dedup.learn(5, UnixSeconds(100), vec![(key(1), under(1, 0))]);
            assert_eq!((dedup.order.len(), dedup.seals.len(), dedup.furthers), (1, 1, 0), "{seals:?}");
            dedup.expire(UnixSeconds(115));
            assert_eq!(dedup.find(&under(1, 0)), Some(6), "{seals:?}");
            dedup.expire(UnixSeconds(116));
            assert!(dedup.seals.is_empty() && dedup.order.is_empty(), "{seals:?}");
        }
    }

    /// Guarantee: seals that hold a line once more take room like records, and what makes room is counted.
    #[test]
    fn further_seals_of_a_line_take_room() {
        let mut dedup = Dedup::new(Duration::from_secs(10), 4 * ENTRY_BYTES);
        dedup.insert_line(key(1), 1, UnixSeconds(100));
        for seal in 2..=4 {
            dedup.insert_line(key(2), seal, UnixSeconds(100));
        }
        assert_eq!((dedup.room(), dedup.furthers, dedup.evicted()), (0, 2, 0));
        dedup.insert_line(key(2), 5, UnixSeconds(101));
        assert_eq!((dedup.find(&key(1)), dedup.find(&key(2)), dedup.evicted()), (None, Some(2), 1));
        dedup.insert(key(3), 6, UnixSeconds(102));
        assert_eq!((dedup.find(&key(2)), dedup.find(&key(3)), dedup.evicted()), (None, Some(6), 5));
        assert!(dedup.further.is_empty() && dedup.furthers == 0 && dedup.room() == 3);
    }

    /// Scenario: of two contents under one line in one seal the vault has one, and of another line none; a third made room before the look.
    /// Guarantee: what is not known stays known by its line, and nothing comes back.
    #[test]
    fn what_cannot_be_told_stays_known_by_its_line() {
        let mut dedup = Dedup::new(Duration::from_secs(10), 100 * ENTRY_BYTES);
        for line in [key(1), key(1), key(2)] {
            dedup.insert_line(line, 5, UnixSeconds(100));
        }
        dedup.learn(5, UnixSeconds(100), vec![(key(1), under(1, 0)), (key(3), under(3, 0))]);
        assert_eq!([key(1), under(1, 0), key(2), under(3, 0)].map(|k| dedup.find(&k)), [Some(5), Some(5), Some(5), None]);
        assert_eq!((doubts(&dedup, under(1, 1), key(1)), doubts(&dedup, under(2, 0), key(2))), (vec![], vec![]));
    }
}
