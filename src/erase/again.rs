//! What was erased stays erased: older copies of objects that are put back into the vault are noticed and emptied again, and so is what
//! still comes of an erasure's traces.
//!
//! Every erasure is a sealed record that names what it took. The vault's state holds all of that in one object, and how far evidence was
//! searched for it, so that a start reads only what was sealed since: a few minutes' seals usually, and everything since a backup where the
//! whole vault was put back. Evidence decides; the state saves reading.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::lost::{evident, is_old};
use super::plan::Plan;
use super::{EraseError, Eraser, Parts, search};
use crate::clock::UnixSeconds;
use crate::query::filter::Filter;
use crate::query::scan::Part;
use crate::retain::Period;
use crate::tlog::note::VerifierKey;
use crate::vault::{Intent, Keep, State, Told, Vault, told};
use crate::worm::WormStore;

/// Seals that a start searches for erasures before anything is received. Beyond them the search goes on beside the service: until it is
/// done, who came back with an older copy of the vault may be named by their old pseudonym.
const SEALS_AT_START: u64 = 20_000;
/// Seals after which the state notes anew how far evidence was searched: at one a second, after ten minutes.
const NOTE_EVERY: u64 = 512;
/// Rounds of the keeper after which all packs of erased records are looked into again: once a day.
const LOOK_EVERY: u64 = 144;
/// Seals that are compared then with what lies in the vault, the newest ones.
const SEALS_COMPARED: u64 = 256;

impl Eraser {
    /// What a start does before anything is received: remembers what must not be sealed again, learns what was erased, and takes out whoever
    /// came back since. `size`: seals of the log.
    ///
    /// KNOWN GAP: where somebody took the intents away, or put back a vault from before the erasure, what still comes of its traces and names
    /// nobody is not known for it any more, and neither are records that only name the person.
    pub async fn begin(&self, size: u64) -> Result<(), EraseError> {
        let _alone = self.alone.lock().await;
        let Parts { vault, sealer, clock, .. } = self.parts.as_ref();
        let now = clock.now().ceil_seconds();
        let mut intents = vault.all_intents().await?;
        // The oldest are forgotten first.
        intents.sort_by_key(|intent| intent.done.unwrap_or(now));
        intents.iter().for_each(|intent| self.know(intent));
        self.compare_state().await;
        let learned = self.learn(size, SEALS_AT_START).await;
        vault.note_size(size).await?;
        // The intents may have been taken away; what evidence and the state say was erased is not. They do not say when, so it counts anew.
        let taken = vault.state().await.taken;
        sealer.erased.remember(taken.iter().flat_map(|((seal, _), ids)| ids.iter().map(|id| (*id, *seal))), now);
        match learned {
            Ok(learned) => self.again(vault.take_returned(), learned).await,
            // A store that cannot be read whole does not keep a log from being written; the keeper asks again.
            Err(error @ (EraseError::Incomplete(_) | EraseError::Store(_))) => {
                tracing::warn!(%error, "erasure.recheck.failed");
                self.again(vault.take_returned(), HashSet::new()).await
            }
            Err(error) => Err(error),
        }
    }

    /// Says so where the vault's state is an older copy.
    async fn compare_state(&self) {
        let Parts { vault, store, log, vkey, .. } = self.parts.as_ref();
        let state = vault.state().await;
        match is_old(store, (log, vkey), &state).await {
            Ok(false) => {}
            Ok(true) => {
                let advice = "somebody put back an older copy of what the vault remembers of itself, or of the whole vault; whatever came since \
                              and was taken away is found in the newest seals only; `spanseal doctor` says what";
                tracing::error!(seals = state.size, advice, "vault.state.older");
            }
            Err(error) => tracing::warn!(%error, "vault.state.uncompared"),
        }
    }

    /// One round of the vault's keeper, after [`finish`](Self::finish): `nth` counts them from 0, `size` is the number of seals, and `now`
    /// the time by which content expires, but what is kept.
    pub async fn round(&self, nth: u64, size: u64, (retention, now): (Period, UnixSeconds), keep: &Keep) -> Result<(), EraseError> {
        let _alone = self.alone.lock().await;
        let vault = &self.parts.vault;
        // What keeps one of these from being done is nothing to the others.
        let learned = self.learn(size, u64::MAX).await;
        let persons = self.watch(learned).await;
        let content = if nth.is_multiple_of(LOOK_EVERY) { self.empty_again().await } else { Ok(()) };
        let packs = self.count(nth.is_multiple_of(LOOK_EVERY), size, (retention, now)).await;
        persons.and(content).and(self.late().await).and(packs)?;
        let state = vault.state().await;
        let mut kept = state.clone();
        kept.expire(retention, now, keep);
        vault.note_size(size).await?;
        let moved = size.saturating_sub(state.searched) >= NOTE_EVERY && vault.intents().await?.is_empty();
        if moved || kept.taken.len() < state.taken.len() || kept.packs.len() < state.packs.len() {
            vault
                .change_state(|state| {
                    state.expire(retention, now, keep);
                    if moved {
                        state.searched = size;
                    }
                })
                .await?;
        }
        Ok(())
    }

    /// Misses packs that were taken away: among all, or counts those that came since.
    async fn count(&self, all: bool, size: u64, by: (Period, UnixSeconds)) -> Result<(), EraseError> {
        let vault = &self.parts.vault;
        if !all {
            vault.count_new_packs(size).await?;
            return Ok(());
        }
        let Parts { store, log, vkey, .. } = self.parts.as_ref();
        let mut found = vault.count_all_packs(size, by).await?;
        let compared = evident(store, (log, vkey), vault, (by, SEALS_COMPARED)).await;
        let (persons, failed) = match compared {
            Ok(evident) => {
                found.learn(&evident.seals);
                (evident.persons, Ok(()))
            }
            Err(error) => (0, Err(error)),
        };
        vault.note_lost(found.lost(), persons);
        if persons > 0 {
            let advice = "records of the newest seals name persons who are not in the vault, and no erasure took them: somebody deleted objects of \
                          the vault, or put back older ones; put the objects back from a backup while `serve` does not run";
            tracing::error!(persons, advice, "vault.persons.gone");
        }
        if found.lost() > 0 {
            let (missing, damaged) = (found.missing.values().sum::<u64>(), found.short.len());
            let advice = "somebody deleted packs of the vault, or made junk of them, and what was said in these seals cannot be shown; put them \
                          back from a backup; `spanseal doctor` says which";
            tracing::error!(missing, damaged, advice, "vault.packs.gone");
        }
        failed
    }

    async fn watch(&self, learned: Result<HashSet<[u8; 16]>, EraseError>) -> Result<(), EraseError> {
        let watched = self.parts.vault.watch().await?;
        if watched.objects > 0 || watched.persons > 0 {
            let advice = "somebody deleted objects of the vault, or put back older ones; whoever is met again is written again; put the objects \
                          back from a backup while `serve` does not run";
            tracing::error!(objects = watched.objects, persons = watched.persons, advice, "vault.persons.gone");
        }
        let (learned, failed) = match learned {
            Ok(learned) => (learned, Ok(())),
            Err(error) => (HashSet::new(), Err(error)),
        };
        self.again(watched.back, learned).await.and(failed)
    }

    /// Learns of erasures that were sealed since the state was noted, unless the seals since are more than `most`; answers whose entries they
    /// took. What this process seals is noted when it is sealed.
    async fn learn(&self, size: u64, most: u64) -> Result<HashSet<[u8; 16]>, EraseError> {
        let state = self.parts.vault.state().await;
        let since = state.searched.min(size);
        if self.informed.load(Ordering::Relaxed) || size - since > most {
            return Ok(HashSet::new());
        }
        let Parts { store, log, vkey, .. } = self.parts.as_ref();
        let told = told_since(store, (log, vkey), since).await?;
        let learned: HashSet<[u8; 16]> =
            told.iter().flat_map(|told| &told.persons).filter(|person| !state.persons.contains(*person)).copied().collect();
        let news = told.iter().any(|told| {
            let mut knowing = state.clone();
            knowing.learn(told);
            knowing != state
        });
        if news || size - since >= NOTE_EVERY || state == State::default() {
            self.parts
                .vault
                .change_state(|state| {
                    told.iter().for_each(|told| state.learn(told));
                    state.searched = size;
                })
                .await?;
        }
        self.informed.store(true, Ordering::Relaxed);
        Ok(learned)
    }

    /// Erases entries of persons again: those that were seen, and those of whom nobody knew before that they were erased.
    async fn again(&self, mut seen: HashSet<[u8; 16]>, learned: HashSet<[u8; 16]>) -> Result<(), EraseError> {
        let vault = &self.parts.vault;
        if !learned.is_empty() {
            // An unfinished erasure is finished by itself.
            seen.extend(vault.resolve(&learned).await?.iter().map(|entry| entry.pseudonym));
        }
        if seen.is_empty() {
            return Ok(());
        }
        let entries = vault.erase_persons(&seen).await?;
        told_again(entries, 0);
        Ok(())
    }

    /// Erases content again that an erasure took and that stands in the vault.
    async fn empty_again(&self) -> Result<(), EraseError> {
        let vault = &self.parts.vault;
        let (there, unread) = vault.holding(&vault.state().await.taken).await?;
        if !there.is_empty() {
            let (erased, failed) = self.empty(there).await;
            told_again(0, erased.contents);
            if let Some(error) = failed {
                return Err(error.into());
            }
        }
        unread.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Takes what still came of traces all of whose content went, and forgets erasures whose time of being remembered is over: what was
    /// sealed after that is not theirs, also where an old one is put back. A further record of the erasure names what it took.
    async fn late(&self) -> Result<(), EraseError> {
        let Parts { vault, sealer, clock, .. } = self.parts.as_ref();
        let window = i64::try_from(sealer.erased.window().as_secs()).unwrap_or(i64::MAX);
        let now = clock.now().ceil_seconds();
        let done: Vec<Intent> = vault.all_intents().await?.into_iter().filter(|intent| intent.done.is_some()).collect();
        let traces: HashSet<String> = done.iter().flat_map(|intent| intent.traces.iter().cloned()).collect();
        let since = done.iter().filter(|intent| !intent.traces.is_empty()).filter_map(|intent| intent.searched).min();
        let by_trace = if traces.is_empty() { BTreeMap::new() } else { self.of_traces(traces, since.unwrap_or(0)).await? };
        let mut first = Ok(());
        for mut intent in done {
            let over = intent.done.map(|done| UnixSeconds(done.0.saturating_add(window)));
            let plan = Plan::late(&intent, &by_trace, over);
            // What keeps one from being done is nothing to the others; it stays, and is tried again.
            if let Err(error) = self.take_late(&mut intent, &plan).await {
                first = first.and(Err(error));
                continue;
            }
            if over.is_some_and(|over| now > over) {
                vault.fulfilled(&intent).await?;
            }
        }
        first
    }

    async fn take_late(&self, intent: &mut Intent, plan: &Plan) -> Result<(), EraseError> {
        let (mut contents, mut unread) = (0, None);
        if !plan.records.is_empty() {
            let stored = intent.clone();
            let taken = self.take(intent, plan, &stored).await?;
            (contents, unread) = (taken.0.contents, taken.1);
        }
        // What an earlier round took and could not seal is not noted either.
        if !told::without(&intent.taking, &self.parts.vault.state().await.taken).is_empty() {
            self.seal(intent).await?;
            tracing::info!(contents, "erasure.late");
        }
        unread.map_or(Ok(()), |error| Err(EraseError::Unread(error)))
    }
}

pub(super) async fn told_since(store: &Arc<dyn WormStore>, of: (&str, &VerifierKey), since: u64) -> Result<Vec<Told>, EraseError> {
    let filter = Filter { kind: Some("erasure".to_owned()), own_acts: true, ..Filter::default() };
    let found = search(store, of, filter, Some(Part { log: of.0.to_owned(), since })).await?.hits;
    Ok(found.iter().filter_map(|hit| Told::parse(&hit.record)).collect())
}

/// What was erased and stands in a vault all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Entries of persons.
    pub persons: usize,
    /// Records whose content it is.
    pub records: usize,
}

/// Looks for what was erased and stands in the vault all the same; for who only reads it. `of`: the log's name and its public key.
pub async fn undone(store: &Arc<dyn WormStore>, of: (&str, &VerifierKey), vault: &Vault) -> Result<Undone, EraseError> {
    let mut state = vault.stored_state().await?;
    let since = state.searched;
    told_since(store, of, since).await?.iter().for_each(|told| state.learn(told));
    let persons = vault.resolve(&state.persons.iter().copied().collect()).await?;
    let (there, unread) = vault.holding(&state.taken).await?;
    match unread {
        Some(error) => Err(EraseError::Unread(error)),
        None => Ok(Undone { persons: persons.len(), records: there.values().map(BTreeSet::len).sum() }),
    }
}

fn told_again(persons: u64, contents: u64) {
    let advice = "somebody put back older copies of objects of the vault; what was erased is erased again";
    tracing::error!(persons, contents, advice, "erasure.undone");
}
