//! A place for a vault in memory, that fails where a test says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use spanseal::clock::{Clock, ManualClock, UnixNanos};
use spanseal::vault::{Listed, Options, Vault, VaultError, VaultKey, VaultStore};
use spanseal::worm::memory::{MemoryOptions, MemoryStore};
use spanseal::worm::{ObjectKey, WormStore, WriterGuard};

use super::log::LOG;

/// What happens to one put or delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceFault {
    /// Not done, and no use asking again.
    Refused,
    /// Not done; asking again may help.
    NotDone,
    /// Done, and reported as not done, so that whoever asks gives up.
    DoneButRefused,
    /// Done, and reported as not done; asking again may help.
    DoneButLost,
    /// Done, and never answered.
    Hangs,
    /// Not done, and never answered; nor is anything after it.
    HangsForGood,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<ObjectKey, Bytes>,
    effects: u64,
    faults: BTreeMap<u64, PlaceFault>,
    hangs: bool,
    is_full: bool,
    /// Keys that were read.
    read: Vec<String>,
    reads: Reads,
}

/// What becomes of reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    #[default]
    Answered,
    /// For the time being.
    Silent,
    /// As without permission.
    Refused,
    /// There is no answer at all.
    Hanging,
}

/// Objects that outlive processes. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Place(Arc<Mutex<State>>);

impl Place {
    /// The `nth` put or delete from now on (the first is 1) meets a fault.
    pub fn fail_effect(&self, nth: u64, fault: PlaceFault) {
        let mut state = self.0.lock().unwrap();
        let at = state.effects + nth;
        state.faults.insert(at, fault);
    }

    /// Puts and deletes so far, failed ones included.
    pub fn effects(&self) -> u64 {
        self.0.lock().unwrap().effects
    }

    /// What is planned is forgotten, and whatever hangs, hangs no longer for those who come now.
    pub fn clear_faults(&self) {
        let mut state = self.0.lock().unwrap();
        state.faults.clear();
        state.hangs = false;
    }

    /// From now on every put is refused, or none is; deletes go on.
    pub fn fill(&self, is_full: bool) {
        self.0.lock().unwrap().is_full = is_full;
    }

    /// From now on.
    pub fn set_reads(&self, reads: Reads) {
        self.0.lock().unwrap().reads = reads;
    }

    /// Packs that were read since this was asked last.
    pub fn packs_read(&self) -> usize {
        let read = std::mem::take(&mut self.0.lock().unwrap().read);
        read.iter().filter(|key| key.contains("/packs/")).count()
    }

    /// Keys below the log's folder that begin with `prefix`.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let prefix = format!("{LOG}/{prefix}");
        let state = self.0.lock().unwrap();
        state.objects.keys().map(|key| key.as_str()).filter(|key| key.starts_with(&prefix)).map(str::to_owned).collect()
    }

    /// All stored bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().objects.values().flatten().copied().collect()
    }

    /// The vault at this place, for reading.
    pub fn vault(&self) -> Vault {
        Vault::new(Options { store: Arc::new(self.clone()), log: LOG.to_owned(), key: VaultKey::new(&[6; 32]) })
    }

    async fn effect(&self, act: impl FnOnce(&mut BTreeMap<ObjectKey, Bytes>), key: &ObjectKey) -> Result<(), VaultError> {
        let failed = |passing| VaultError::Place { doing: "write", key: key.to_string(), reason: "fault plan".to_owned(), passing };
        let fault = {
            let mut state = self.0.lock().unwrap();
            state.effects += 1;
            let nth = state.effects;
            let fault = if state.hangs { Some(PlaceFault::HangsForGood) } else { state.faults.remove(&nth) };
            state.hangs |= fault == Some(PlaceFault::HangsForGood);
            if !matches!(fault, Some(PlaceFault::Refused | PlaceFault::NotDone | PlaceFault::HangsForGood)) {
                act(&mut state.objects);
            }
            fault
        };
        match fault {
            None => Ok(()),
            Some(PlaceFault::Refused | PlaceFault::DoneButRefused) => Err(failed(false)),
            Some(PlaceFault::NotDone | PlaceFault::DoneButLost) => Err(failed(true)),
            Some(PlaceFault::Hangs | PlaceFault::HangsForGood) => std::future::pending().await,
        }
    }
}

#[async_trait]
impl VaultStore for Place {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    async fn claim(&self, log: &str) -> Result<WriterGuard, VaultError> {
        // A guard of a store that nobody else has: the fence of these tests is the log's own.
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(UnixNanos(1)));
        Ok(MemoryStore::new(clock, MemoryOptions::default()).claim(log).await.unwrap())
    }

    async fn check(&self) -> Result<(), VaultError> {
        Ok(())
    }

    async fn put(&self, key: &ObjectKey, body: Bytes) -> Result<(), VaultError> {
        if self.0.lock().unwrap().is_full {
            return Err(VaultError::Place { doing: "write", key: key.to_string(), reason: "full".to_owned(), passing: false });
        }
        self.effect(|objects| drop(objects.insert(key.clone(), body)), key).await
    }

    async fn get(&self, key: &ObjectKey) -> Result<Option<Bytes>, VaultError> {
        let failed = |passing| VaultError::Place { doing: "read", key: key.to_string(), reason: "as set".to_owned(), passing };
        let (reads, found) = {
            let mut state = self.0.lock().unwrap();
            if state.reads == Reads::Answered {
                state.read.push(key.to_string());
            }
            (state.reads, state.objects.get(key).cloned())
        };
        match reads {
            Reads::Answered => Ok(found),
            Reads::Silent => Err(failed(true)),
            Reads::Refused => Err(failed(false)),
            Reads::Hanging => std::future::pending().await,
        }
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Listed>, VaultError> {
        let state = self.0.lock().unwrap();
        let wanted = state.objects.iter().filter(|(key, _)| key.as_str().starts_with(prefix) && after.is_none_or(|after| *key > after));
        Ok(wanted.take(limit).map(|(key, body)| Listed { key: key.clone(), size: body.len() as u64 }).collect())
    }

    async fn delete(&self, key: &ObjectKey) -> Result<(), VaultError> {
        self.effect(|objects| drop(objects.remove(key)), key).await
    }
}
