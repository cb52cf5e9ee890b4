//! Reading a vault: what a record said, who somebody is, and what lies there that is not ours.

use std::collections::HashSet;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::key::Kind;
use super::{AT_ONCE, Entry, Vault, VaultError, intent, on_its_own_thread, pack, patiently, persons, shown};
use crate::clock::UnixSeconds;
use crate::record::RecordId;
use crate::record::apart::{NAME_BYTES_MAX, PersonEntry, SALT_BYTES, as_kept};
use crate::record::identity::IdentityKey;
use crate::worm::ObjectKey;

/// What the vault has of one record.
#[derive(Debug, Default)]
pub struct Contents {
    /// It.
    pub entries: Vec<Entry>,
    /// Objects of its seal that cannot be read.
    pub problems: Vec<VaultError>,
}

/// One content as it lies in a pack.
pub struct Said<'p> {
    /// Whose.
    pub record: RecordId,
    /// Dotted path of the content object in the record.
    pub member: &'p str,
    /// The commitment's salt.
    pub salt: &'p [u8; SALT_BYTES],
    /// The preimage.
    pub content: &'p [u8],
}

/// What the vault knows of persons.
#[derive(Debug, Default)]
pub struct Known {
    /// Whoever was asked for.
    pub entries: Vec<PersonEntry>,
    /// Every pseudonym that it has.
    pub everybody: HashSet<[u8; 16]>,
}

impl Vault {
    /// All content of one record that the vault has; empty where it has none. Two records of one id in one seal both are here: which is
    /// whose, the commitment says. A pack that cannot be read does not hide what lies in another one: it is among the problems.
    pub async fn content(&self, seal: u64, sealed_at: UnixSeconds, record: RecordId) -> Result<Contents, VaultError> {
        let mut found = Contents::default();
        for listed in self.packs_of(seal, sealed_at).await? {
            let of_pack = async {
                let Some(plain) = self.read(Kind::Pack, &listed.key).await? else { return Ok(Vec::new()) };
                let views = pack::views(&plain, &listed.key)?;
                views.iter().filter(|view| view.record == record).map(|view| view.to_entry(&listed.key)).collect()
            };
            match of_pack.await {
                Ok(entries) => found.entries.extend::<Vec<Entry>>(entries),
                Err(error) if error.is_of_one_object() => found.problems.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Shows `each` every content that the vault has of a seal, a pack at a time, and gives back what it made of it with the packs that
    /// cannot be read.
    pub async fn each_content<T: Send + 'static>(
        &self,
        seal: u64,
        sealed_at: UnixSeconds,
        mut made: T,
        each: fn(&mut T, &Said<'_>),
    ) -> Result<(T, Vec<VaultError>), VaultError> {
        let mut problems = Vec::new();
        for listed in self.packs_of(seal, sealed_at).await? {
            let plain = match self.read(Kind::Pack, &listed.key).await {
                Ok(Some(plain)) => plain,
                Ok(None) => continue,
                Err(error) if error.is_of_one_object() => {
                    problems.push(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let shown = on_its_own_thread(move || {
                let all = pack::views(&plain, &listed.key).and_then(|views| {
                    views.iter().try_for_each(|view| {
                        each(&mut made, &view.said(&listed.key)?);
                        Ok(())
                    })
                });
                Ok((made, all.err()))
            });
            let problem;
            (made, problem) = shown.await?;
            problems.extend(problem);
        }
        Ok((made, problems))
    }

    /// Names below the log that are none of a vault's, as they may be shown, a hundred at most.
    pub async fn strays(&self) -> Result<Vec<String>, VaultError> {
        const STRAYS_MAX: usize = 100;
        let mut found: Vec<String> = self.0.store.foreign().iter().take(STRAYS_MAX).map(|name| shown(name)).collect();
        self.strays_beside(&mut found, STRAYS_MAX).await?;
        let is_ours = |name: &str| persons::is_name(name) || intent::is_name(name);
        for prefix in ["persons/", "erasures/"] {
            let all = self.list_all(prefix).await?;
            let strays = all.iter().filter(|listed| !self.below(&listed.key).is_some_and(is_ours));
            found.extend(strays.take(STRAYS_MAX).map(|listed| shown(listed.key.as_str())));
        }
        found.truncate(STRAYS_MAX);
        Ok(found)
    }

    /// Adds names that stand beside the folders and objects of a vault. One look a folder: everything below is jumped over.
    async fn strays_beside(&self, found: &mut Vec<String>, most: usize) -> Result<(), VaultError> {
        let mut after: Option<ObjectKey> = None;
        let beginning = format!("{}/", self.0.log);
        while found.len() < most {
            let page = patiently(|| self.0.store.list(&beginning, after.as_ref(), 1)).await?;
            let Some(first) = page.into_iter().next() else { break };
            let name = self.below(&first.key).unwrap_or_default().to_owned();
            match name.split_once('/') {
                Some((folder @ ("packs" | "persons" | "erasures"), _)) => {
                    // '0' is the byte after '/'.
                    after = Some(self.key(&format!("{folder}0")));
                    continue;
                }
                None if matches!(name.as_str(), "owner" | "state") => {}
                _ => found.push(shown(first.key.as_str())),
            }
            after = Some(first.key);
        }
        Ok(())
    }

    /// Who these pseudonyms are. One that the vault does not know is left out.
    pub async fn resolve(&self, pseudonyms: &HashSet<[u8; 16]>) -> Result<Vec<PersonEntry>, VaultError> {
        Ok(self.persons_where(|entry| pseudonyms.contains(&entry.pseudonym)).await?.entries)
    }

    /// Every entry of the persons with one of these ids, in whatever realm. Of an id that is too long to be kept whole the vault has the
    /// beginning only; with the identity key others that begin alike are told apart.
    pub async fn find(&self, ids: &HashSet<&str>, key: Option<&IdentityKey>) -> Result<Known, VaultError> {
        let keyed = key.map(IdentityKey::keyed);
        let may_be_cut = |kept: &str| kept.len() + char::MAX.len_utf8() > NAME_BYTES_MAX;
        let is = |entry: &PersonEntry, id: &str| {
            // Where the realm is cut nobody can tell any more.
            let keyed = keyed.as_ref().filter(|_| may_be_cut(&entry.id) && !may_be_cut(&entry.realm));
            entry.id == as_kept(id) && keyed.is_none_or(|keyed| keyed.texts("person", &[&entry.realm, id]) == entry.key)
        };
        self.persons_where(|entry| ids.iter().any(|id| is(entry, id))).await
    }

    /// Every entry that is wanted, once, and whom the vault knows.
    async fn persons_where(&self, wanted: impl Fn(&PersonEntry) -> bool) -> Result<Known, VaultError> {
        let mut seen = HashSet::new();
        let mut known = Known::default();
        for (_, entries) in self.persons_objects().await? {
            known.everybody.extend(entries.iter().map(|entry| entry.pseudonym));
            known.entries.extend(entries.into_iter().filter(|e| wanted(e) && seen.insert((e.key, e.pseudonym))));
        }
        Ok(known)
    }

    /// All objects of persons.
    pub(super) async fn persons_objects(&self) -> Result<Vec<(ObjectKey, Vec<PersonEntry>)>, VaultError> {
        let mut all = self.list_all("persons/").await?;
        all.retain(|listed| self.is_persons(&listed.key));
        let read = all.into_iter().map(|listed| async move {
            let Some(plain) = self.read(Kind::Persons, &listed.key).await? else { return Ok(None) };
            let entries = persons::read_entries(&plain, &listed.key)?;
            Ok::<_, VaultError>(Some((listed.key, entries)))
        });
        let found: Vec<Option<_>> = stream::iter(read).buffer_unordered(AT_ONCE).try_collect().await?;
        let expected = found.len();
        let found: Vec<_> = found.into_iter().flatten().collect();
        if found.len() < expected {
            // What is gone since the listing was merged into an object that the listing may not show: look again.
            return Box::pin(self.persons_objects()).await;
        }
        Ok(found)
    }
}
