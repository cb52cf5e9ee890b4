//! What evidence says a vault must have and has not: seals with content and no pack, and persons without an entry. Counting (`vault`) misses
//! what was taken away before it was counted, and whatever an older copy of the vault's own state knows nothing of; evidence does not.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::EraseError;
use super::again::told_since;
use crate::clock::UnixSeconds;
use crate::query::apart::{Kept, newest, open, written_for};
use crate::retain::Period;
use crate::tlog::note::VerifierKey;
use crate::vault::{State, Vault, is_expired};
use crate::worm::WormStore;

/// Seconds for which a log may have been written since its vault's state was: three rounds of the keeper, each of which writes it.
const STATE_LATE_SECONDS: i64 = 1800;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evident {
    /// Seals that were looked at, the newest ones.
    pub looked: u64,
    /// Seals of the log.
    pub size: u64,
    /// Seals whose content was not erased and is not past its retention, and that have no pack, with the time when they closed.
    pub seals: BTreeMap<u64, UnixSeconds>,
    /// Persons whom their records name, who were not erased and are not in the vault.
    pub persons: u64,
    /// What could not be read, in words.
    pub unread: Option<String>,
}

/// Compares the newest `most` seals with what lies in the vault. `now`: by what time content is past the retention.
pub async fn evident(
    store: &Arc<dyn WormStore>,
    of: (&str, &VerifierKey),
    vault: &Vault,
    ((retention, now), most): ((Period, UnixSeconds), u64),
) -> Result<Evident, EraseError> {
    let began = vault.known_state().await?.began;
    let log = open(store, of).await?;
    let found = newest(store, &log, began, most).await?;
    let mut evident = Evident {
        looked: found.size.saturating_sub(found.since),
        size: found.size,
        unread: log.problems().iter().chain(&found.problems).next().map(ToString::to_string),
        ..Evident::default()
    };
    let with_content = found.seals.iter().filter(|(_, kept)| !kept.records.is_empty() && !is_expired(kept.sealed_at, retention, now));
    let wanted: BTreeMap<u64, UnixSeconds> = with_content.map(|(seal, kept)| (*seal, kept.sealed_at)).collect();
    let packless = vault.without_packs(&wanted).await?;
    let named: HashSet<[u8; 16]> = found.seals.values().flat_map(|kept| kept.persons.iter().copied()).collect();
    let known: HashSet<[u8; 16]> = vault.resolve(&named).await?.iter().map(|entry| entry.pseudonym).collect();
    let unknown: HashSet<[u8; 16]> = named.difference(&known).copied().collect();
    if packless.is_empty() && unknown.is_empty() {
        return Ok(evident);
    }
    // Read last: whatever an erasure took until now stands in one of these. What is finished in between is in the state.
    let intents = vault.all_intents().await?;
    let mut state = vault.known_state().await?;
    told_since(store, of, state.searched).await?.iter().for_each(|told| state.learn(told));
    let leaving: BTreeSet<[u8; 16]> = intents.iter().flat_map(|intent| intent.pseudonyms.iter().copied()).collect();
    let is_left = |seal: u64, kept: &Kept| {
        let taken = |id| state.means(seal, id) || intents.iter().any(|intent| intent.concerns(seal, id, std::iter::empty::<&str>()));
        kept.records.iter().any(|id| !taken(*id))
    };
    evident.seals = packless.into_iter().filter(|(seal, _)| found.seals.get(seal).is_some_and(|kept| is_left(*seal, kept))).collect();
    let lost = unknown.iter().filter(|person| !state.persons.contains(*person) && !leaving.contains(*person)).count();
    evident.persons = u64::try_from(lost).unwrap_or(u64::MAX);
    Ok(evident)
}

/// Whether the log was written for so long after this state of its vault that a newer one must have been written: then somebody put back an
/// older one. One that does not say when it was written is of an earlier version.
pub async fn is_old(store: &Arc<dyn WormStore>, of: (&str, &VerifierKey), state: &State) -> Result<bool, EraseError> {
    let Some(size) = state.size else { return Ok(false) };
    Ok(written_for(&open(store, of).await?, size).await? > STATE_LATE_SECONDS)
}
