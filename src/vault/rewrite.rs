//! Taking things out of a vault: content of records, entries of persons, packs whose time is over; and merging small objects of persons.

use std::collections::{BTreeSet, HashSet};

use futures::stream::{self, StreamExt, TryStreamExt};

use super::key::Kind;
use super::told::Places;
use super::{AT_ONCE, Listed, Vault, VaultError, on_its_own_thread, pack, persons};
use crate::clock::UnixSeconds;
use crate::record::RecordId;
use crate::retain::Period;
use crate::worm::ObjectKey;

/// Objects of persons below this size are merged, bytes.
const SMALL: u64 = 4 * 1024 * 1024;
/// When so many small ones lie there.
const MERGE_AT: usize = 64;
/// Seals whose packs are looked into at once: each may be some 200 MiB in memory, usually a few KiB.
pub(super) const PACKS_AT_ONCE: usize = 4;
/// Bytes of one merge at most.
const MERGE_BYTES: u64 = 16 * 1024 * 1024;

/// What was taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Contents.
    pub contents: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What of the content whose time is over stays all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// None.
    #[default]
    Nothing,
    /// All of it.
    Everything,
    /// That of these seals.
    Seals(BTreeSet<u64>),
}

impl Keep {
    /// Whether content of this seal stays.
    pub fn keeps(&self, seal: u64) -> bool {
        match self {
            Keep::Nothing => false,
            Keep::Everything => true,
            Keep::Seals(seals) => seals.contains(&seal),
        }
    }
}

/// What became of packs whose time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// They were deleted.
    pub deleted: u64,
    /// They stay.
    pub kept: u64,
}

impl std::ops::AddAssign for Erased {
    fn add_assign(&mut self, other: Erased) {
        self.contents += other.contents;
        self.bytes += other.bytes;
    }
}

impl Vault {
    /// Which of these records have content in the vault, and the first pack that could not be read: what it holds nobody knows.
    pub async fn holding(&self, places: &Places) -> Result<(Places, Option<VaultError>), VaultError> {
        let places: Vec<_> = places.iter().map(|(place, wanted)| (*place, wanted.clone())).collect();
        let looks = places.into_iter().map(|(place, wanted)| async move {
            let (mut ids, mut unread) = (BTreeSet::new(), None);
            for listed in self.packs_of(place.0, place.1).await? {
                let there = async {
                    let Some(plain) = self.read(Kind::Pack, &listed.key).await? else { return Ok(()) };
                    let views = pack::views(&plain, &listed.key)?;
                    ids.extend(views.iter().map(|view| view.record).filter(|record| wanted.contains(record)));
                    Ok::<_, VaultError>(())
                };
                match there.await {
                    Err(error) if error.is_of_one_object() => unread = unread.or(Some(error)),
                    other => other?,
                }
            }
            Ok::<_, VaultError>((place, ids, unread))
        });
        let mut looks = stream::iter(looks).buffer_unordered(PACKS_AT_ONCE);
        let (mut found, mut unread) = (Places::new(), None);
        while let Some((place, ids, error)) = looks.try_next().await? {
            unread = unread.or(error);
            if !ids.is_empty() {
                found.insert(place, ids);
            }
        }
        Ok((found, unread))
    }

    /// Erases all content of these records of one seal: each of its packs is written again without it, or deleted if nothing is left. A pack
    /// that cannot be read does not keep the others from it; it is the error.
    pub async fn erase(&self, seal: u64, sealed_at: UnixSeconds, records: &HashSet<RecordId>) -> Result<Erased, VaultError> {
        let mut erased = Erased::default();
        let mut unread = None;
        for listed in self.packs_of(seal, sealed_at).await? {
            match self.erase_from(listed.key, records).await {
                Ok(more) => erased += more,
                Err(error) if error.is_of_one_object() => unread = unread.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        unread.map_or(Ok(erased), Err)
    }

    /// The packs of a seal. What only begins like one is nobody's.
    pub(super) async fn packs_of(&self, seal: u64, sealed_at: UnixSeconds) -> Result<Vec<Listed>, VaultError> {
        let mut listed = self.list_all(&pack::prefix(seal, sealed_at)).await?;
        listed.retain(|listed| self.below(&listed.key).is_some_and(|name| pack::parse_name(name).is_some()));
        Ok(listed)
    }

    async fn erase_from(&self, key: ObjectKey, records: &HashSet<RecordId>) -> Result<Erased, VaultError> {
        let Some(plain) = self.read(Kind::Pack, &key).await? else { return Ok(Erased::default()) };
        let (inner, records, at) = (std::sync::Arc::clone(&self.0), records.clone(), key.clone());
        let (erased, body) = on_its_own_thread(move || {
            let (gone, kept): (Vec<_>, Vec<_>) = pack::views(&plain, &at)?.into_iter().partition(|view| records.contains(&view.record));
            let mut erased = Erased::default();
            for view in &gone {
                erased += Erased { contents: 1, bytes: u64::try_from(view.content.len()).unwrap_or(u64::MAX) };
            }
            let body = match (gone.is_empty(), kept.is_empty()) {
                (true, false) => Rewritten::Unchanged,
                (_, true) => Rewritten::Empty,
                (false, false) => {
                    Rewritten::Less(inner.key.seal(Kind::Pack, &at, |out| kept.iter().try_for_each(|view| out.write_all(view.raw)))?)
                }
            };
            Ok((erased, body))
        })
        .await?;
        self.replace(&key, body).await?;
        Ok(erased)
    }

    /// Erases the entries of these pseudonyms, and says how many there were.
    pub async fn erase_persons(&self, pseudonyms: &HashSet<[u8; 16]>) -> Result<u64, VaultError> {
        let _alone = self.0.rewriting.lock().await;
        self.0.persons.forget(pseudonyms);
        let mut erased = HashSet::new();
        for (key, entries) in self.persons_objects().await? {
            let (gone, kept): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| pseudonyms.contains(&entry.pseudonym));
            erased.extend(gone.iter().map(|entry| (entry.key, entry.pseudonym)));
            let body = match (gone.is_empty(), kept.is_empty()) {
                (true, false) => Rewritten::Unchanged,
                (_, true) => {
                    self.unlist(std::slice::from_ref(&key)).await?;
                    Rewritten::Empty
                }
                (false, false) => Rewritten::Less(
                    self.0.key.seal(Kind::Persons, &key, |out| kept.iter().try_for_each(|entry| persons::write_entry(out, entry)))?,
                ),
            };
            self.replace(&key, body).await?;
        }
        Ok(u64::try_from(erased.len()).unwrap_or(u64::MAX))
    }

    async fn replace(&self, key: &ObjectKey, body: Rewritten) -> Result<(), VaultError> {
        match body {
            Rewritten::Unchanged => Ok(()),
            Rewritten::Empty => self.delete(key).await,
            Rewritten::Less(body) => self.write(key, body).await,
        }
    }

    /// Merges small objects of persons into one where many lie there, and says how many went. The new object is written before the old
    /// ones are deleted: after a crash between the two, entries stand twice, which changes nothing.
    pub async fn merge_persons(&self) -> Result<u64, VaultError> {
        let _alone = self.0.rewriting.lock().await;
        let mut small = self.list_all("persons/").await?;
        small.retain(|listed| listed.size < SMALL && self.is_persons(&listed.key));
        if small.len() <= MERGE_AT {
            return Ok(0);
        }
        small.sort_by(|a, b| (a.size, &a.key).cmp(&(b.size, &b.key)));
        let mut bytes = 0;
        small.retain(|listed| {
            bytes += listed.size;
            bytes <= MERGE_BYTES
        });
        let read = small.into_iter().map(|Listed { key, .. }| async move {
            let plain = self.read(Kind::Persons, &key).await?;
            let len = plain.as_ref().map_or(0, |plain| plain.len());
            let entries = plain.map_or(Ok(Vec::new()), |plain| persons::read_entries(&plain, &key))?;
            Ok::<_, VaultError>((key, len, entries))
        });
        let mut read = stream::iter(read).buffered(AT_ONCE);
        // What is small as it is stored may be large: no more than one object holds.
        let (mut keys, mut entries, mut room) = (Vec::new(), Vec::new(), pack::PACK_BYTES);
        while let Some((key, len, more)) = read.try_next().await? {
            let Some(left) = room.checked_sub(len) else { break };
            room = left;
            keys.push(key);
            entries.extend(more);
        }
        if keys.len() < 2 {
            return Ok(0);
        }
        for (key, body) in self.0.encrypt_persons(&entries.iter().collect::<Vec<_>>())? {
            self.write(&key, body).await?;
        }
        self.unlist(&keys).await?;
        self.delete_all(keys).await
    }

    /// Deletes the packs of days that ended at least `period` ago, but those of seals that are kept.
    pub async fn expire(&self, period: Period, now: UnixSeconds, keep: &Keep) -> Result<Expired, VaultError> {
        let mut expired = Expired::default();
        let mut after = None;
        loop {
            let (over, next) = self.over(period, now, after.as_ref()).await?;
            let (kept, gone): (Vec<_>, Vec<_>) = over.into_iter().partition(|(seal, _)| keep.keeps(*seal));
            expired.kept += u64::try_from(kept.len()).unwrap_or(u64::MAX);
            expired.deleted += self.delete_all(gone.into_iter().map(|(_, key)| key).collect()).await?;
            after = match next {
                Some(next) => Some(next),
                None => return Ok(expired),
            };
        }
    }

    /// Whether it keeps content of any seal from the first to the last of one of these.
    pub async fn keeps_any(&self, seals: &[(u64, u64)]) -> Result<bool, VaultError> {
        let Some(last) = seals.iter().map(|(_, last)| *last).max() else { return Ok(false) };
        let mut after = None;
        loop {
            let page = self.list("packs/", after.as_ref()).await?;
            let Some(end) = page.last().map(|listed| listed.key.clone()) else { return Ok(false) };
            for (_, seal) in page.iter().filter_map(|listed| self.below(&listed.key).and_then(pack::parse_name)) {
                if seals.iter().any(|(first, last)| (*first..=*last).contains(&seal)) {
                    return Ok(true);
                }
                // In the order of their seals.
                if seal > last {
                    return Ok(false);
                }
            }
            after = Some(end);
        }
    }

    /// Seals with packs of days that ended at least `period` ago.
    pub async fn over_time(&self, period: Period, now: UnixSeconds) -> Result<BTreeSet<u64>, VaultError> {
        let mut seals = BTreeSet::new();
        let mut after = None;
        loop {
            let (over, next) = self.over(period, now, after.as_ref()).await?;
            seals.extend(over.into_iter().map(|(seal, _)| seal));
            after = match next {
                Some(next) => Some(next),
                None => return Ok(seals),
            };
        }
    }

    /// Packs of days that ended at least `period` ago, each with its seal, and where to go on; `None`: there are no more.
    async fn over(
        &self,
        period: Period,
        now: UnixSeconds,
        after: Option<&ObjectKey>,
    ) -> Result<(Vec<(u64, ObjectKey)>, Option<ObjectKey>), VaultError> {
        let page = self.list("packs/", after).await?;
        let Some(last) = page.last().map(|last| last.key.clone()) else { return Ok((Vec::new(), None)) };
        // Days ascend, so the first that is not over ends it. What is no pack of ours is left alone.
        let days = page.into_iter().filter_map(|l| self.below(&l.key).and_then(pack::parse_name).map(|(day, seal)| (day, (seal, l.key))));
        let (over, others): (Vec<_>, Vec<_>) = days.partition(|(day, _)| is_expired(*day, period, now));
        Ok((over.into_iter().map(|(_, pack)| pack).collect(), others.is_empty().then_some(last)))
    }
}

/// Whether content of a seal that closed at `sealed_at` is past its time: `period` after the end of that day (UTC).
pub fn is_expired(sealed_at: UnixSeconds, period: Period, now: UnixSeconds) -> bool {
    let end_of_day = UnixSeconds(sealed_at.0.div_euclid(86_400).saturating_add(1).saturating_mul(86_400));
    period.after(end_of_day) <= now
}

enum Rewritten {
    Unchanged,
    Empty,
    Less(bytes::Bytes),
}
