//! What the vault's writer remembers of the vault itself, so that an older copy of an object that is put back is noticed, and one that is
//! taken away.
//!
//! ```text
//! state      one object, JSON
//!   owner      public key of the log whose vault it is (`owner`)
//!   searched   seals of the log below this one were searched for `erasure` records, and what they tell is here
//!   persons    pseudonyms whose entries were erased, for good: none is ever given twice
//!   taken      records whose content was erased, with the places of their packs, as long as packs of that day are kept
//!   objects    names of the objects of persons that must be there
//!   packs      by day (UTC), how many seals had packs when they were counted    (`inventory`)
//!   newest     the newest of these seals, with its day
//!   size       seals that the log had when this was written: at a start, and every ten minutes while it grows
//!   began      seals that the log had when this vault was begun: what they keep apart was never here
//! ```
//!
//! All but what must be there can be made again from evidence. An older copy of this very object means that more of the log is searched, and
//! that what came since and was taken away is not missed; where it is gone, all of the log is searched.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::key::Kind;
use super::persons::{parse_pseudonym, pseudonym_text};
use super::told::{Places, Told, add, holds, read_places, write_places};
use super::{Keep, Vault, VaultError, pack, persons, rewrite::is_expired};
use crate::clock::UnixSeconds;
use crate::record::RecordId;
use crate::record::canonical::Json;
use crate::retain::Period;
use crate::worm::ObjectKey;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Seals that were searched: those of lesser index.
    pub searched: u64,
    /// Pseudonyms of persons who were erased.
    pub persons: BTreeSet<[u8; 16]>,
    /// Records whose content was erased, or would have been, had it been there.
    pub taken: Places,
    /// Objects of persons that must be there, names below the log.
    pub objects: BTreeSet<String>,
    /// By day (its first second), how many seals had packs when they were counted, those whose packs were erased since among them.
    pub packs: BTreeMap<UnixSeconds, u64>,
    /// Day and index of the newest seal that was counted.
    pub newest: Option<(UnixSeconds, u64)>,
    /// Seals that the log had when this was written; `None`: an earlier version wrote it.
    pub size: Option<u64>,
    /// Seals that the log had when the vault was begun, 0 where that is not known.
    pub began: u64,
}

impl State {
    /// Takes in what an erasure tells.
    pub fn learn(&mut self, told: &Told) {
        self.persons.extend(&told.persons);
        if let Some(records) = &told.records {
            add(&mut self.taken, records);
        }
        add(&mut self.taken, &told.absent);
    }

    /// Whether an erasure meant the content of this record.
    pub fn means(&self, seal: u64, record: RecordId) -> bool {
        holds(&self.taken, seal, record)
    }

    /// Forgets content whose time would be over by now: what is put back of it is deleted by the day of its pack, unless that is kept.
    pub fn expire(&mut self, period: Period, now: UnixSeconds, keep: &Keep) {
        self.taken.retain(|(seal, day), _| keep.keeps(*seal) || !is_expired(*day, period, now));
        self.packs.retain(|day, _| !is_expired(*day, period, now));
    }

    fn to_json(&self) -> Json {
        let counted =
            |(day, count): (&UnixSeconds, &u64)| Json::Array(vec![Json::String(pack::day(*day)), Json::String(count.to_string())]);
        let number = |name: &str, n: u64| (name.to_owned(), Json::String(n.to_string()));
        let mut members = vec![number("began", self.began)];
        members.extend(self.size.map(|size| number("size", size)));
        let others = [
            ("packs", Json::Array(self.packs.iter().map(counted).collect())),
            ("newest", Json::Array(self.newest.iter().map(|(day, seal)| counted((day, seal))).collect())),
            ("searched", Json::String(self.searched.to_string())),
            ("persons", Json::Array(self.persons.iter().map(|p| Json::String(pseudonym_text(p))).collect())),
            ("taken", write_places(&self.taken)),
            ("objects", Json::Array(self.objects.iter().map(Json::string).collect())),
        ];
        members.extend(others.map(|(name, value)| (name.to_owned(), value)));
        Json::Object(members)
    }

    fn of(json: &Json) -> Option<Self> {
        let texts = |name: &str| json.get(name)?.as_array()?.iter().map(Json::as_str).collect::<Option<Vec<_>>>();
        let counted = |one: &Json| match one.as_array()? {
            [day, count] => Some((pack::parse_day(day.as_str()?)?, count.as_str()?.parse().ok()?)),
            _ => None,
        };
        let all_counted = |name: &str| json.get(name)?.as_array()?.iter().map(counted).collect::<Option<Vec<(UnixSeconds, u64)>>>();
        // A state of a version before has none of these.
        let number = |name: &str| match json.get(name) {
            Some(n) => n.as_str()?.parse::<u64>().ok().map(Some),
            None => Some(None),
        };
        Some(State {
            size: number("size")?,
            began: number("began")?.unwrap_or(0),
            packs: all_counted("packs")?.into_iter().collect(),
            newest: all_counted("newest")?.pop(),
            searched: json.get("searched")?.as_str()?.parse().ok()?,
            persons: texts("persons")?.into_iter().map(parse_pseudonym).collect::<Option<_>>()?,
            taken: read_places(json.get("taken")?.as_array()?),
            objects: texts("objects")?.into_iter().map(str::to_owned).collect(),
        })
    }
}

/// What a look at the objects of persons found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Objects that must be there and are not, since whenever, and those that others have changed since the last look.
    pub objects: u64,
    /// Persons who were stored and are not, since whenever in this process; they are written again when they are met again.
    pub persons: u64,
    /// Pseudonyms that were erased and stand in the vault again.
    pub back: HashSet<[u8; 16]>,
}

impl Vault {
    /// The state as it is stored now; the empty one where there is none.
    pub async fn stored_state(&self) -> Result<State, VaultError> {
        Ok(self.find_state().await?.unwrap_or_default())
    }

    /// The same; `None` where there is none.
    pub async fn find_state(&self) -> Result<Option<State>, VaultError> {
        let key = self.key("state");
        let Some(json) = self.read_own(Kind::State, &key).await? else { return Ok(None) };
        let unknown = || VaultError::damaged(&key, "it is no state of a vault that this version knows; deleted, it is made again");
        State::of(&json).ok_or_else(unknown).map(Some)
    }

    /// The state that a writer begins with, whose log has this public key: its own, or a new one where there is none. From here on both the
    /// state and what says whose the vault is are there, so that one that is not there was taken away.
    pub(super) async fn begin_state(&self, owner: &str) -> Result<State, VaultError> {
        let owned = self.is_owned_by(owner).await?;
        self.belongs_to(owner);
        let found = match self.find_state().await {
            Err(error @ VaultError::OtherOwner { .. }) => {
                let advice = "what was erased is learned from evidence again";
                tracing::error!(%error, advice, "vault.state.refused");
                None
            }
            Ok(None) if owned => {
                let advice = "somebody deleted what the vault remembers of itself; what was erased is learned from evidence again";
                tracing::error!(advice, "vault.state.gone");
                None
            }
            other => other?,
        };
        if found.is_none() {
            self.write_own(Kind::State, &self.key("state"), State::default().to_json()).await?;
        }
        if !owned {
            self.0.is_new.store(found.is_none(), Ordering::Relaxed);
            self.write_owner(owner).await?;
        }
        Ok(found.unwrap_or_default())
    }

    /// Notes how many seals the log has, so that an older state that is put back is told from this one.
    pub async fn note_size(&self, size: u64) -> Result<(), VaultError> {
        let is_new = self.0.is_new.swap(false, Ordering::Relaxed);
        self.change_state(|state| {
            state.size = state.size.max(Some(size));
            if is_new {
                state.began = size;
            }
        })
        .await
    }

    /// What is known of it: the writer's own, and for who only reads the one that is stored.
    pub async fn known_state(&self) -> Result<State, VaultError> {
        let is_writer = self.0.guard.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if is_writer { Ok(self.state().await) } else { self.stored_state().await }
    }

    /// The writer's state.
    pub async fn state(&self) -> State {
        self.0.state.lock().await.clone()
    }

    /// Changes the writer's state; durable when it answers.
    pub async fn change_state(&self, change: impl FnOnce(&mut State)) -> Result<(), VaultError> {
        let mut state = self.0.state.lock().await;
        let mut changed = state.clone();
        change(&mut changed);
        if changed == *state {
            return Ok(());
        }
        self.write_own(Kind::State, &self.key("state"), changed.to_json()).await?;
        *state = changed;
        Ok(())
    }

    /// Objects of persons that are about to be deleted by their writer are not missed.
    pub(super) async fn unlist(&self, keys: &[ObjectKey]) -> Result<(), VaultError> {
        let names: HashSet<&str> = keys.iter().filter_map(|key| self.below(key)).collect();
        self.change_state(|state| state.objects.retain(|name| !names.contains(name.as_str()))).await
    }

    /// Names of objects of persons that the state lists and that are not there. Asked twice where some are: a writer may be merging them.
    pub async fn missing_objects(&self) -> Result<BTreeSet<String>, VaultError> {
        let mut missing = BTreeSet::new();
        for _ in 0..2 {
            let state = self.stored_state().await?;
            let listed = self.list_all("persons/").await?;
            let there: HashSet<&str> = listed.iter().filter_map(|listed| self.below(&listed.key)).collect();
            missing = state.objects.into_iter().filter(|name| !there.contains(name.as_str())).collect();
            if missing.is_empty() {
                break;
            }
        }
        Ok(missing)
    }

    /// Compares the objects of persons with what this writer wrote and read there, and with what its state says must be there. Where something
    /// is gone, was changed by others or is theirs, all are read again, and whoever is not stored any more counts as such: who comes again is
    /// written again, under the same pseudonym. What is gone stays told until it is there again, or whoever was lost with it is.
    ///
    /// KNOWN GAP: an older copy with as many bytes as the object that it takes the place of is noticed by the next start only, and one of
    /// other size by this process only.
    pub async fn watch(&self) -> Result<Watched, VaultError> {
        // Nobody merges meanwhile. What is written meanwhile is not among what is known before.
        let _alone = self.0.rewriting.lock().await;
        let before = self.known_objects();
        let mut listed: BTreeMap<ObjectKey, u64> =
            self.list_all("persons/").await?.into_iter().map(|listed| (listed.key, listed.size)).collect();
        listed.retain(|key, _| self.is_persons(key));
        let there: HashSet<String> = listed.keys().filter_map(|key| self.below(key)).map(str::to_owned).collect();
        let gone: HashSet<&ObjectKey> = before.iter().filter(|(key, size)| listed.get(key) != Some(size)).map(|(key, _)| key).collect();
        let foreign = {
            let mut objects = self.0.objects.lock().unwrap_or_else(PoisonError::into_inner);
            objects.retain(|key, _| !gone.contains(key));
            let known = objects.len();
            for (key, size) in listed {
                objects.entry(key).or_insert(size);
            }
            objects.len() > known
        };
        let mut watched = Watched::default();
        if !gone.is_empty() || foreign {
            let erased = self.state().await.persons;
            // Whoever is stored by now is in an object that lies there by now.
            let stored = self.0.persons.stored();
            let mut present = HashSet::new();
            for (_, entries) in self.persons_objects().await? {
                for entry in entries {
                    if erased.contains(&entry.pseudonym) {
                        watched.back.insert(entry.pseudonym);
                    }
                    present.insert((entry.key, entry.pseudonym));
                }
            }
            self.0.persons.keep_stored(&stored, &present);
        }
        watched.persons = self.0.persons.lost();
        let (missed, mended) = {
            let mut missed = self.0.missed.lock().unwrap_or_else(PoisonError::into_inner);
            missed.extend(gone.iter().filter_map(|key| self.below(key)).map(str::to_owned));
            missed.retain(|name| !there.contains(name));
            let mended = if watched.persons == 0 { std::mem::take(&mut *missed) } else { BTreeSet::new() };
            (missed.clone(), mended)
        };
        let known: BTreeSet<String> = self.known_objects().keys().filter_map(|key| self.below(key)).map(str::to_owned).collect();
        let mut missing = missed;
        self.change_state(|state| {
            missing.extend(state.objects.iter().filter(|name| !there.contains(*name) && !known.contains(*name)).cloned());
            missing.retain(|name| !mended.contains(name));
            state.objects = known.union(&missing).cloned().collect();
        })
        .await?;
        let replaced = gone.iter().filter_map(|key| self.below(key)).filter(|name| there.contains(*name)).count();
        watched.objects = u64::try_from(missing.len() + replaced).unwrap_or(u64::MAX);
        self.0.lost.lock().unwrap_or_else(PoisonError::into_inner).persons = watched.persons.max(watched.objects);
        Ok(watched)
    }

    fn known_objects(&self) -> BTreeMap<ObjectKey, u64> {
        self.0.objects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a key of the vault is that of an object of persons.
    pub(super) fn is_persons(&self, key: &ObjectKey) -> bool {
        self.below(key).is_some_and(persons::is_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordId;

    #[test]
    fn the_state_is_read_back_as_written_and_forgets_what_is_over() {
        let day = |text: &str| UnixSeconds::parse_strict(&format!("{text}T00:00:00Z")).unwrap();
        let ids = BTreeSet::from([RecordId([1; 16])]);
        let mut state = State {
            searched: 77,
            persons: BTreeSet::from([[1; 16], [2; 16]]),
            taken: Places::from([((3, day("2026-11-20")), ids.clone()), ((9, day("2026-11-21")), ids)]),
            objects: BTreeSet::from(["persons/00".to_owned()]),
            packs: BTreeMap::from([(day("2026-11-20"), 7), (day("2026-11-21"), 1)]),
            newest: Some((day("2026-11-21"), 9)),
            size: Some(80),
            began: 3,
        };
        assert_eq!(State::of(&state.to_json()), Some(state.clone()));
        let kept = Keep::Seals(BTreeSet::from([3]));
        state.expire("30d".parse().unwrap(), day("2026-12-21"), &kept);
        assert_eq!(state.taken.keys().map(|(seal, _)| *seal).collect::<Vec<_>>(), [3, 9], "what is kept may be put back");
        state.expire("30d".parse().unwrap(), day("2026-12-21"), &Keep::Nothing);
        assert_eq!(state.taken.keys().map(|(seal, _)| *seal).collect::<Vec<_>>(), [9]);
        assert_eq!(state.packs.iter().map(|(at, seals)| (*at, *seals)).collect::<Vec<_>>(), [(day("2026-11-21"), 1)]);
        state.packs = BTreeMap::new();
        state.newest = None;
        state.size = None;
        state.began = 0;
        assert_eq!(State::of(&state.to_json()), Some(state));
        assert_eq!(State::of(&Json::object([])), None);
    }
}
