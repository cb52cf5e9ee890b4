//! Content and persons, apart from evidence and erasable: what `record.md` sections 3 and 4 call the vault.
//!
//! ```text
//! <content.vault.url>/<log>/
//!   owner                                 whose it is: the log's public key
//!   packs/<YYYYMMDD>/<seal>-<random>      content of one seal                      (`pack`)
//!   persons/<random>                      who is called what                       (`persons`)
//!   erasures/<random>                     erasures under way, finished at the next start if this process dies (`intent`)
//!   state                                 what was erased and must stay so, and what must be there          (`state`)
//! ```
//!
//! What else lies there is not ours: it is left alone, and named once at the start and by `doctor`. An object that is called as ours are and
//! does not open is damaged, and that is an error.
//!
//! Everything is encrypted (`key`). Order of a seal: packs and persons are written durably, **then** the segments and the commit. So a
//! committed record always has its content, and a pack of a seal that never came to be is an orphan: it is removed when its batch fails,
//! before the next pack is written, and at the latest when the log is opened ([`Vault::clean`]). At every moment the packs of committed
//! seals are exactly the packs whose index is below the tree size; an erasure relies on that.
//!
//! One writer a log: it alone calls [`Vault::claim`] and what changes the vault. Readers only read.

mod error;
mod intent;
mod inventory;
mod key;
mod owner;
mod pack;
mod persons;
mod place;
mod read;
mod rewrite;
mod state;
mod store;
#[cfg(test)]
mod tests;
pub mod told;

pub use crate::plain::shown;
pub use error::VaultError;
pub use intent::{Intent, Scope};
pub use inventory::{Lost, Packs as PacksSeen};
pub use key::VaultKey;
pub use pack::Entry;
pub use persons::{Persons, parse_pseudonym, pseudonym_text};
pub use place::expect_apart;
pub(crate) use place::resolved;
pub use read::{Contents, Known, Said};
pub use rewrite::{Erased, Expired, Keep, is_expired};
pub use state::{State, Watched};
pub use store::{Listed, VaultStore, open_place, open_to_others};
pub use told::{Places, Told};

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::clock::UnixSeconds;
use crate::record::apart::{Apart, PersonEntry};
use crate::worm::{LIST_PAGE, ObjectKey, WriterGuard};
use key::Kind;

/// Waits before the second and third try of something that may pass.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// Entries of one listing.
const PAGE: usize = LIST_PAGE;
/// Objects that are read, written or deleted at once.
const AT_ONCE: usize = 16;

/// What a vault is opened with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it lies.
    pub store: Arc<dyn VaultStore>,
    /// `log.name`
    pub log: String,
    /// What opens it.
    pub key: VaultKey,
}

/// The vault of one log. Clones share it.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    store: Arc<dyn VaultStore>,
    log: String,
    key: VaultKey,
    persons: Persons,
    /// Public key of the log whose vault it is, once it is known.
    owner: Mutex<Option<String>>,
    /// Held while objects of persons are merged or rewritten: the two must not lose each other's work.
    rewriting: tokio::sync::Mutex<()>,
    /// The writer's state, as it is stored.
    state: tokio::sync::Mutex<State>,
    /// Objects of persons that this process has read or written, with their sizes in bytes.
    objects: Mutex<BTreeMap<ObjectKey, u64>>,
    /// Pseudonyms that were erased and stood in the vault again when it was claimed.
    returned: Mutex<HashSet<[u8; 16]>>,
    /// Objects of persons that went away while this process knew whom they named, until all of these are written again.
    missed: Mutex<BTreeSet<String>>,
    /// What is gone.
    lost: Mutex<Lost>,
    /// Packs of attempts that failed and that could not be deleted at once.
    leftovers: Mutex<Vec<ObjectKey>>,
    /// Whether this process began it, and nothing was noted yet.
    is_new: AtomicBool,
    /// The claim, while this is the writer's.
    guard: Mutex<Option<WriterGuard>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("url", &self.0.store.describe()).field("log", &self.0.log).field("key", &self.0.key).finish()
    }
}

/// The vaults of all logs that share one place and one key.
#[derive(Clone, Debug)]
pub struct Vaults {
    /// Where they lie.
    pub store: Arc<dyn VaultStore>,
    /// What opens them.
    pub key: VaultKey,
}

impl Vaults {
    /// The vault of one log, for reading.
    pub fn of(&self, log: &str) -> Vault {
        Vault::new(Options { store: Arc::clone(&self.store), log: log.to_owned(), key: self.key.clone() })
    }
}

/// The packs that one attempt at a seal has written.
#[derive(Debug, Default)]
#[must_use = "if the attempt fails they must be removed"]
pub struct Packs(Vec<ObjectKey>);

impl Vault {
    /// Takes the vault for reading; asks the place nothing.
    pub fn new(options: Options) -> Self {
        let Options { store, log, key } = options;
        Vault(Arc::new(Inner {
            store,
            log,
            key,
            persons: Persons::default(),
            owner: Mutex::default(),
            rewriting: tokio::sync::Mutex::default(),
            state: tokio::sync::Mutex::default(),
            objects: Mutex::default(),
            returned: Mutex::default(),
            missed: Mutex::default(),
            lost: Mutex::default(),
            leftovers: Mutex::default(),
            is_new: AtomicBool::default(),
            guard: Mutex::default(),
        }))
    }

    /// Becomes the writer: checks the place, claims it for the log with this public key, and loads the persons, but those who were erased.
    /// Nothing of the log may be written before.
    pub async fn claim(&self, owner: &str) -> Result<(), VaultError> {
        let inner = &self.0;
        inner.store.check().await?;
        if let Some(error) = inner.store.misplaced(&inner.log).into_iter().next() {
            return Err(error);
        }
        let guard = inner.store.claim(&inner.log).await?;
        let state = self.begin_state(owner).await?;
        let mut leaving: HashSet<[u8; 16]> = self.intents().await?.into_iter().flat_map(|intent| intent.pseudonyms).collect();
        leaving.extend(&state.persons);
        // Before the persons are read: what is written later is written by this process.
        let mut objects: BTreeMap<ObjectKey, u64> =
            self.list_all("persons/").await?.into_iter().map(|listed| (listed.key, listed.size)).collect();
        objects.retain(|key, _| self.is_persons(key));
        let gone = state.objects.iter().filter(|name| !objects.contains_key(&self.key(name))).count();
        if gone > 0 {
            let advice = "whoever they named cannot be told any more, and gets a new pseudonym when met again; put them back from a backup \
                          while `serve` does not run";
            tracing::error!(objects = gone, advice, "vault.persons.gone");
            inner.lost.lock().unwrap_or_else(PoisonError::into_inner).persons = u64::try_from(gone).unwrap_or(u64::MAX);
        }
        *inner.objects.lock().unwrap_or_else(PoisonError::into_inner) = objects;
        let mut returned = HashSet::new();
        for (_, entries) in self.persons_objects().await? {
            for entry in &entries {
                if !leaving.contains(&entry.pseudonym) {
                    inner.persons.load(entry.key, entry.pseudonym);
                } else if state.persons.contains(&entry.pseudonym) {
                    returned.insert(entry.pseudonym);
                }
            }
        }
        *inner.returned.lock().unwrap_or_else(PoisonError::into_inner) = returned;
        *inner.state.lock().await = state;
        for name in self.strays().await? {
            tracing::warn!(name, advice = "this is no object of a vault, and nothing reads it; take it away", "vault.stray");
        }
        *inner.guard.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
        Ok(())
    }

    /// Pseudonyms that were erased and stood in the vault again when it was claimed; whoever takes them erases them.
    pub fn take_returned(&self) -> HashSet<[u8; 16]> {
        std::mem::take(&mut *self.0.returned.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the vault keeps anything of this log. While it does not, a missing key file may be made.
    pub async fn exists(store: &dyn VaultStore, log: &str) -> Result<bool, VaultError> {
        Ok(!store.list(&format!("{log}/"), None, 1).await?.is_empty())
    }

    /// What stands at a name of the vault where something else belongs: a file in place of a folder, or a folder in place of an object.
    pub fn misplaced(&self) -> Vec<VaultError> {
        self.0.store.misplaced(&self.0.log)
    }

    /// The vault's URL for messages.
    pub fn describe(&self) -> String {
        self.0.store.describe()
    }

    /// What opens it.
    pub fn vault_key(&self) -> &VaultKey {
        &self.0.key
    }

    /// The book of persons, which a writer's promoter asks.
    pub fn persons(&self) -> Persons {
        self.0.persons.clone()
    }

    /// Removes the packs of seals that never came to be: those of index `next_seal` and above. `newest` is when the newest seal closed;
    /// later seals never closed earlier, so older days need not be looked at.
    pub async fn clean(&self, next_seal: u64, newest: Option<UnixSeconds>) -> Result<u64, VaultError> {
        let after = newest.map(|at| self.key(&pack::prefix(next_seal, at)));
        let mut after = after.map(|key| ObjectKey(key.0.trim_end_matches('-').to_owned()));
        let mut removed = 0;
        loop {
            let page = self.list("packs/", after.as_ref()).await?;
            let Some(last) = page.last() else { return Ok(removed) };
            after = Some(last.key.clone());
            let orphans = page.into_iter().filter(|listed| {
                let parsed = self.below(&listed.key).and_then(pack::parse_name);
                parsed.is_some_and(|(_, index)| index >= next_seal)
            });
            removed += self.delete_all(orphans.map(|o| o.key).collect()).await?;
        }
    }

    /// Writes what the batches of one attempt at seal `seal` keep apart, durably. An error leaves nothing of it but, perhaps, persons whom
    /// no record names.
    pub async fn put(&self, seal: u64, sealed_at: UnixSeconds, aparts: Vec<Apart>) -> Result<Packs, VaultError> {
        self.remove_leftovers().await.map_err(VaultError::of_leftovers)?;
        let aparts: Arc<[Apart]> = aparts.into_iter().filter(|apart| !apart.is_empty()).collect();
        if aparts.is_empty() {
            return Ok(Packs::default());
        }
        let (inner, of_work) = (Arc::clone(&self.0), Arc::clone(&aparts));
        let work = move || inner.encrypt(seal, sealed_at, &of_work);
        let Encrypted { packs, persons } = on_its_own_thread(work).await?;
        let keys: Vec<ObjectKey> = packs.iter().map(|(key, _)| key.clone()).collect();
        let all = packs.into_iter().chain(persons).map(|(key, body)| async move { self.write(&key, body).await });
        let written: Result<Vec<()>, VaultError> = stream::iter(all).buffer_unordered(AT_ONCE).try_collect().await;
        if let Err(error) = written {
            // What was still on its way may yet arrive, so all are deleted, whatever became of them.
            self.remove(Packs(keys)).await;
            return Err(error);
        }
        self.0.persons.mark_stored(aparts.iter().flat_map(|apart| &apart.persons));
        Ok(Packs(keys))
    }

    /// Writes entries of persons at once, durably, for who names them outside any batch of telemetry.
    pub async fn remember(&self, entries: &[PersonEntry]) -> Result<(), VaultError> {
        if entries.is_empty() {
            return Ok(());
        }
        for (key, body) in self.0.encrypt_persons(&entries.iter().collect::<Vec<_>>())? {
            self.write(&key, body).await?;
        }
        self.0.persons.mark_stored(entries.iter());
        Ok(())
    }

    /// Removes the packs of an attempt that failed. What cannot be removed now is removed before the next pack is written, or at the next
    /// start.
    pub async fn remove(&self, packs: Packs) {
        self.0.leftovers.lock().unwrap_or_else(PoisonError::into_inner).extend(packs.0);
        if let Err(error) = self.remove_leftovers().await {
            tracing::warn!(%error, "vault.leftovers");
        }
    }

    async fn remove_leftovers(&self) -> Result<(), VaultError> {
        let leftovers = std::mem::take(&mut *self.0.leftovers.lock().unwrap_or_else(PoisonError::into_inner));
        if leftovers.is_empty() {
            return Ok(());
        }
        let result = self.delete_all(leftovers.clone()).await;
        if result.is_err() {
            self.0.leftovers.lock().unwrap_or_else(PoisonError::into_inner).extend(leftovers);
        }
        result.map(|_| ())
    }

    /// Everything that the vault keeps of this log, decrypted. For tests that search it.
    #[doc(hidden)]
    pub async fn every_object(&self) -> Result<Vec<(ObjectKey, zeroize::Zeroizing<Vec<u8>>)>, VaultError> {
        let mut found = Vec::new();
        for (prefix, kind) in [
            ("packs/", Kind::Pack),
            ("persons/", Kind::Persons),
            ("erasures/", Kind::Erasure),
            ("owner", Kind::Owner),
            ("state", Kind::State),
        ] {
            for listed in self.list_all(prefix).await? {
                let plain = self.read(kind, &listed.key).await?;
                found.extend(plain.map(|plain| (listed.key, plain)));
            }
        }
        Ok(found)
    }

    /// A key of this log.
    fn key(&self, name: &str) -> ObjectKey {
        self.0.key(name)
    }

    /// The name below the log.
    fn below<'k>(&self, key: &'k ObjectKey) -> Option<&'k str> {
        key.as_str().strip_prefix(self.0.log.as_str())?.strip_prefix('/')
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>) -> Result<Vec<Listed>, VaultError> {
        let prefix = self.key(prefix);
        patiently(|| self.0.store.list(prefix.as_str(), after, PAGE)).await
    }

    async fn list_all(&self, prefix: &str) -> Result<Vec<Listed>, VaultError> {
        let mut found: Vec<Listed> = Vec::new();
        loop {
            let page = self.list(prefix, found.last().map(|l| &l.key)).await?;
            // A short page is no end.
            if page.is_empty() {
                return Ok(found);
            }
            found.extend(page);
        }
    }

    async fn write(&self, key: &ObjectKey, body: Bytes) -> Result<(), VaultError> {
        patiently(|| self.0.store.put(key, body.clone())).await?;
        if self.is_persons(key) {
            let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
            self.0.objects.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), size);
        }
        Ok(())
    }

    async fn read(&self, kind: Kind, key: &ObjectKey) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, VaultError> {
        let Some(stored) = patiently(|| self.0.store.get(key)).await? else { return Ok(None) };
        let (inner, key) = (Arc::clone(&self.0), key.clone());
        on_its_own_thread(move || inner.key.open(kind, &key, &stored)).await.map(Some)
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), VaultError> {
        self.0.objects.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        patiently(|| self.0.store.delete(key)).await
    }

    async fn delete_all(&self, keys: Vec<ObjectKey>) -> Result<u64, VaultError> {
        let deletes = keys.into_iter().map(|key| async move { self.delete(&key).await });
        let deleted: Vec<()> = stream::iter(deletes).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(u64::try_from(deleted.len()).unwrap_or(u64::MAX))
    }
}

/// What one attempt at a seal puts, encrypted.
struct Encrypted {
    packs: Vec<(ObjectKey, Bytes)>,
    persons: Vec<(ObjectKey, Bytes)>,
}

impl Inner {
    fn key(&self, name: &str) -> ObjectKey {
        ObjectKey(format!("{}/{name}", self.log))
    }

    fn encrypt(&self, seal: u64, sealed_at: UnixSeconds, aparts: &[Apart]) -> Result<Encrypted, VaultError> {
        let mut packs = Vec::new();
        for places in pack::divide(aparts) {
            let key = self.key(&pack::name(seal, sealed_at, random()?));
            let body = self.key.seal(Kind::Pack, &key, |out| {
                let mut found = places.iter().filter_map(|(batch, at)| aparts.get(*batch).and_then(|a| Some((a, a.pieces.get(*at)?))));
                found.try_for_each(|(apart, piece)| pack::write_piece(out, apart, piece))
            })?;
            packs.push((key, body));
        }
        let entries: Vec<&PersonEntry> = aparts.iter().flat_map(|apart| &apart.persons).collect();
        Ok(Encrypted { packs, persons: self.encrypt_persons(&entries)? })
    }

    /// New objects of these persons, each once; one, unless they are very many.
    fn encrypt_persons(&self, entries: &[&PersonEntry]) -> Result<Vec<(ObjectKey, Bytes)>, VaultError> {
        let mut seen = HashSet::new();
        let once = entries.iter().filter(|e| seen.insert((e.key, e.pseudonym)));
        let mut objects = Vec::new();
        for entries in pack::in_objects(once, |entry| persons::encoded_len(entry)) {
            let key = self.key(&format!("persons/{}", hex::encode(random()?)));
            let write = |out: &mut dyn std::io::Write| entries.iter().try_for_each(|entry| persons::write_entry(out, entry));
            objects.push((key.clone(), self.key.seal(Kind::Persons, &key, write)?));
        }
        Ok(objects)
    }
}

fn random() -> Result<[u8; 8], VaultError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| VaultError::Randomness)?;
    Ok(bytes)
}

/// Compression and encryption take longer than an async thread may be held.
async fn on_its_own_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, VaultError> + Send + 'static) -> Result<T, VaultError> {
    let broken = |e: tokio::task::JoinError| VaultError::Damaged { key: "(a thread)".to_owned(), what: format!("its work broke off: {e}") };
    tokio::task::spawn_blocking(work).await.map_err(broken)?
}

/// Tries again what may pass: every change of a vault may be made twice.
async fn patiently<T, F: Future<Output = Result<T, VaultError>>>(mut act: impl FnMut() -> F) -> Result<T, VaultError> {
    let mut pauses = PAUSES.iter();
    loop {
        match act().await {
            Err(error) if error.is_retryable() => match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(error),
            },
            other => return other,
        }
    }
}
