//! Which packs must be there: that some were taken away is noticed by counting, without reading any.
//!
//! The state keeps, by day, how many seals had packs. What is counted anew beside it is listed only: at a start and once a day all of it, in
//! between what came since. A seal whose packs are not there is no loss if an erasure took content of it (its packs may have been emptied),
//! or if its day is past the retention.
//!
//! What was taken away before it was counted, and what an older state that is put back knows nothing of, evidence tells for the newest seals
//! (`erase::evident`).
//!
//! KNOWN GAP: of older seals, a pack that is taken away before it is counted (ten minutes at most, and a stop counts) is not missed, nor is
//! one of several of one seal, or an older one of a seal that an erasure took something of. Whoever asks for what it held is told so all the
//! same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use futures::stream::{self, StreamExt};

use super::key::Kind;
use super::rewrite::{PACKS_AT_ONCE, is_expired};
use super::told::day_of;
use super::{Listed, State, Vault, VaultError, pack, patiently, shown};
use crate::clock::UnixSeconds;
use crate::retain::Period;
use crate::worm::ObjectKey;

/// Entries of one listing: a folder is read whole for each, so few of them.
const PAGE: usize = 10_000;
/// Bytes that the shortest pack has: two lines, nonce and tag, and a frame around no content.
const PACK_BYTES_MIN: u64 = 64;
/// Names that are told one by one.
const NAMED_MAX: usize = 100;

/// What lies there of packs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packs {
    /// Packs.
    pub packs: u64,
    /// By day (its first second), how many seals must have packs there and have none.
    pub missing: BTreeMap<UnixSeconds, u64>,
    /// Those that are too short to be a pack, as they may be shown; of very many some.
    pub short: Vec<String>,
    /// Names that are no pack's, as they may be shown; of very many some.
    pub strays: Vec<String>,
}

impl Packs {
    /// Takes in that seals have no pack that must have one; they may be among those that are counted already.
    pub fn learn(&mut self, seals: &BTreeMap<u64, UnixSeconds>) {
        let mut by_day: BTreeMap<UnixSeconds, u64> = BTreeMap::new();
        seals.values().for_each(|at| *by_day.entry(day_of(*at)).or_default() += 1);
        for (day, seals) in by_day {
            let missing = self.missing.entry(day).or_default();
            *missing = seals.max(*missing);
        }
    }

    /// Seals whose packs are gone or are none any more.
    pub fn lost(&self) -> u64 {
        let short = u64::try_from(self.short.len()).unwrap_or(u64::MAX);
        self.missing.values().fold(short, |sum, more| sum.saturating_add(*more))
    }
}

/// What of a vault is gone, as far as its writer knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Objects of persons, or persons.
    pub persons: u64,
    /// Seals whose packs are gone or damaged.
    pub packs: u64,
    /// Persons whom the newest seals name.
    pub named: u64,
}

/// Seals with packs, in the order of a listing.
#[derive(Default)]
struct Count {
    by_day: BTreeMap<UnixSeconds, u64>,
    newest: Option<(UnixSeconds, u64)>,
}

impl Count {
    /// Answers whether it is another seal than the one before.
    fn add(&mut self, day: UnixSeconds, seal: u64) -> bool {
        if self.newest == Some((day, seal)) {
            return false;
        }
        self.newest = Some((day, seal));
        *self.by_day.entry(day).or_default() += 1;
        true
    }
}

impl Vault {
    /// Looks at the names of all packs, for who only reads. `now`: by what time content is past the retention.
    pub async fn look_at_packs(&self, by: (Period, UnixSeconds)) -> Result<Packs, VaultError> {
        let mut found = Packs::default();
        // Asked twice where some are missing: its writer may be erasing.
        for _ in 0..2 {
            let state = self.stored_state().await?;
            (found, _) = self.survey(&state, u64::MAX, by).await?;
            if found.missing.is_empty() {
                break;
            }
        }
        Ok(found)
    }

    /// The same for its writer, whose log has `size` seals: notes what there is, and what is gone until it is there again.
    pub async fn count_all_packs(&self, size: u64, by: (Period, UnixSeconds)) -> Result<Packs, VaultError> {
        let state = self.state().await;
        let (found, more) = self.survey(&state, size, by).await?;
        self.note(&more).await?;
        self.0.lost.lock().unwrap_or_else(PoisonError::into_inner).packs = found.lost();
        Ok(found)
    }

    /// Notes what is gone, for [`lost`](Self::lost): packs, and persons whom the newest seals name.
    pub fn note_lost(&self, packs: u64, named: u64) {
        let mut lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        (lost.packs, lost.named) = (packs, named);
    }

    /// Of these seals, those that have no pack.
    pub async fn without_packs(&self, seals: &BTreeMap<u64, UnixSeconds>) -> Result<BTreeMap<u64, UnixSeconds>, VaultError> {
        let mut left = seals.clone();
        // In the order of the listing, because later seals never closed earlier.
        let first = seals.iter().next().map(|(seal, at)| self.key(pack::prefix(*seal, *at).trim_end_matches('-')));
        let mut after = first;
        while !left.is_empty() {
            let page = self.page(after.as_ref()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            for (_, seal) in page.iter().filter_map(|listed| self.below(&listed.key).and_then(pack::parse_name)) {
                left.remove(&seal);
            }
        }
        Ok(left)
    }

    /// Counts the packs that came since the last count; the log has `size` seals.
    pub async fn count_new_packs(&self, size: u64) -> Result<(), VaultError> {
        let mut more = Count { newest: self.state().await.newest, ..Count::default() };
        let mut after = more.newest.map(|(day, seal)| self.key(&pack::name(seal, day, [0xff; 8])));
        loop {
            let page = self.page(after.as_ref()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            for (day, seal) in page.iter().filter_map(|listed| self.below(&listed.key).and_then(pack::parse_name)) {
                if seal < size {
                    more.add(day, seal);
                }
            }
        }
        self.note(&more).await
    }

    /// What is gone, by the last look.
    pub fn lost(&self) -> Lost {
        *self.0.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens packs, all of them or `most` that lie evenly among `all`; answers how many, and those that cannot be read.
    pub async fn try_packs(&self, all: u64, most: u64) -> Result<(u64, Vec<VaultError>), VaultError> {
        let step = all.div_ceil(most.max(1)).max(1);
        let (mut after, mut nth, mut tried, mut failed) = (None, 0_u64, 0, Vec::new());
        loop {
            let page = self.page(after.as_ref()).await?;
            let Some(last) = page.last() else { return Ok((tried, failed)) };
            after = Some(last.key.clone());
            let mut chosen = Vec::new();
            for listed in page.into_iter().filter(|listed| self.below(&listed.key).and_then(pack::parse_name).is_some()) {
                if nth.is_multiple_of(step) {
                    chosen.push(listed.key);
                }
                nth += 1;
            }
            tried += u64::try_from(chosen.len()).unwrap_or(u64::MAX);
            let opened = chosen.into_iter().map(|key| async move {
                let plain = self.read(Kind::Pack, &key).await?;
                plain.map_or(Ok(()), |plain| pack::views(&plain, &key).map(|_| ()))
            });
            let opened: Vec<Result<(), VaultError>> = stream::iter(opened).buffer_unordered(PACKS_AT_ONCE).collect().await;
            for error in opened.into_iter().filter_map(Result::err) {
                match error.is_of_one_object() {
                    true => failed.push(error),
                    false => return Err(error),
                }
            }
        }
    }

    async fn page(&self, after: Option<&ObjectKey>) -> Result<Vec<Listed>, VaultError> {
        let prefix = self.key("packs/");
        patiently(|| self.0.store.list(prefix.as_str(), after, PAGE)).await
    }

    /// Lists all packs of seals below `size`, compares them with a state, and counts those that are newer than it. Memory is bounded by a page
    /// and the days.
    async fn survey(&self, state: &State, size: u64, (retention, now): (Period, UnixSeconds)) -> Result<(Packs, Count), VaultError> {
        // Of an erasure under way the state does not know yet.
        let intents = self.all_intents().await?;
        let under_way = intents.iter().flat_map(|intent| intent.taking.keys());
        let mut taken: BTreeSet<(UnixSeconds, u64)> = state.taken.keys().chain(under_way).map(|(seal, day)| (*day, *seal)).collect();
        let mut found = Packs::default();
        let (mut before, mut more) = (Count::default(), Count { newest: state.newest, ..Count::default() });
        let mut after = None;
        loop {
            let page = self.page(after.as_ref()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            for listed in page {
                let Some(name) = self.below(&listed.key) else { continue };
                let Some((day, seal)) = pack::parse_name(name) else {
                    if found.strays.len() < NAMED_MAX {
                        found.strays.push(shown(listed.key.as_str()));
                    }
                    continue;
                };
                found.packs += 1;
                if listed.size < PACK_BYTES_MIN && found.short.len() < NAMED_MAX {
                    found.short.push(shown(listed.key.as_str()));
                }
                taken.remove(&(day, seal));
                if state.newest.is_some_and(|newest| (day, seal) <= newest) {
                    before.add(day, seal);
                } else if seal < size {
                    more.add(day, seal);
                }
            }
        }
        for (day, noted) in state.packs.iter().filter(|(day, _)| !is_expired(**day, retention, now)) {
            let there = before.by_day.get(day).copied().unwrap_or(0);
            let emptied = taken.iter().filter(|(of, _)| of == day).count();
            let missing = noted.saturating_sub(there).saturating_sub(u64::try_from(emptied).unwrap_or(u64::MAX));
            if missing > 0 {
                found.missing.insert(*day, missing);
            }
        }
        Ok((found, more))
    }

    async fn note(&self, more: &Count) -> Result<(), VaultError> {
        if more.by_day.is_empty() {
            return Ok(());
        }
        self.change_state(|state| {
            state.newest = more.newest;
            for (day, seals) in &more.by_day {
                *state.packs.entry(*day).or_default() += seals;
            }
        })
        .await
    }
}
