//! What others can do to a bucket, and what only a thief of the disk can: for tamper tests.

use super::{Condition, MemoryStore, ObjectKey, Put, Shared, State, Stored, UnixSeconds, VersionId};
use crate::worm::{Lock, Mode, Tag};
use bytes::Bytes;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

impl MemoryStore {
    /// The same objects, versions and locks in a store of their own, without the fault plan: what is done to one is not done to the other.
    /// Bytes are shared.
    #[must_use]
    pub fn copy(&self) -> Self {
        let state = {
            let state = self.state();
            State { objects: state.objects.clone(), next_id: state.next_id, ..State::default() }
        };
        let skew_seconds = AtomicI64::new(self.shared.skew_seconds.load(Ordering::SeqCst));
        let (options, clock) = (self.shared.options, Arc::clone(&self.shared.clock));
        MemoryStore::handle(Arc::new(Shared { options, clock, skew_seconds, state: Mutex::new(state) }))
    }

    /// With the disk in hand: sets or lifts the lock of the newest version, whatever it was.
    ///
    /// # Panics
    /// When there is no such object.
    pub fn relock(&self, key: &ObjectKey, lock: Option<Lock>) {
        match self.state().find_mut(key.as_str(), None) {
            Some(stored) => stored.lock = lock,
            None => panic!("nothing to lock at `{key}`"),
        }
    }

    /// A plain DELETE. With versions it always succeeds and hides the object behind a marker, whose id it returns.
    pub fn delete(&self, key: &ObjectKey) -> Option<VersionId> {
        let mut state = self.state();
        if !self.shared.options.versioned {
            state.objects.remove(key.as_str());
            return None;
        }
        state.next_id += 1;
        let id = VersionId(format!("v{:06}", state.next_id));
        let marker = Stored { id: id.clone(), body: None, lock: None, hold: false, tag: None };
        state.objects.entry(key.0.clone()).or_default().push(marker);
        Some(id)
    }

    /// DELETE of one version: refused while its lock or hold lasts. Of a marker: lifts it.
    pub fn delete_version(&self, key: &ObjectKey, version: &VersionId) -> Result<(), String> {
        let now = self.now();
        self.remove(key, version, |stored| held(stored, now))
    }

    /// DELETE of one version with `x-amz-bypass-governance-retention`: lifts GOVERNANCE, never COMPLIANCE or a hold.
    pub fn delete_version_with_bypass(&self, key: &ObjectKey, version: &VersionId) -> Result<(), String> {
        let now = self.now();
        self.remove(key, version, |s| if s.lock.is_some_and(|l| l.mode == Mode::Governance) && !s.hold { None } else { held(s, now) })
    }

    /// Removes a GOVERNANCE lock as one with the bypass permission can.
    pub fn remove_lock_with_bypass(&self, key: &ObjectKey, version: &VersionId) -> Result<(), String> {
        let mut state = self.state();
        let stored = state.find_mut(key.as_str(), Some(version)).ok_or("NoSuchVersion")?;
        if stored.lock.is_some_and(|l| l.mode == Mode::Compliance) {
            return Err("AccessDenied: COMPLIANCE".to_owned());
        }
        stored.lock = None;
        Ok(())
    }

    /// Somebody else's PUT of the same key, without condition or lock; the new version's id, where there are versions.
    pub fn overwrite_foreign(&self, key: &ObjectKey, body: impl Into<Bytes>) -> Option<VersionId> {
        let put = Put { key: key.clone(), body: body.into(), condition: Condition::Any, lock: None, tag: None };
        self.state().store(&self.shared.options, &put).ok().flatten()
    }

    /// With the disk in hand: changes the bytes of one version (the newest without `version`), lock or no lock.
    ///
    /// # Panics
    /// When there is no such object: a tamper test that tampers with nothing proves nothing.
    pub fn edit(&self, key: &ObjectKey, version: Option<&VersionId>, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let Some(body) = state.find_mut(key.as_str(), version).and_then(|s| s.body.as_mut()) else {
            panic!("nothing to edit at `{key}`");
        };
        let mut bytes = body.to_vec();
        change(&mut bytes);
        *body = Bytes::from(bytes);
    }

    /// With the disk in hand: flips one bit of one byte.
    ///
    /// # Panics
    /// When there is no such byte.
    pub fn flip_byte(&self, key: &ObjectKey, version: Option<&VersionId>, offset: usize) {
        self.edit(key, version, |bytes| match bytes.get_mut(offset) {
            Some(byte) => *byte ^= 1,
            None => panic!("`{key}` has no byte {offset}"),
        });
    }

    /// With the disk in hand: removes one version, or all of the key without `version`, lock or no lock.
    ///
    /// # Panics
    /// When there is nothing to remove.
    pub fn purge(&self, key: &ObjectKey, version: Option<&VersionId>) {
        let mut state = self.state();
        let versions = state.objects.get_mut(key.as_str()).map_or(0, |versions| {
            let before = versions.len();
            versions.retain(|v| version.is_some_and(|id| v.id != *id));
            before - versions.len()
        });
        assert!(versions > 0, "nothing to purge at `{key}`");
    }

    /// All keys that have versions or markers, ascending.
    pub fn keys(&self) -> Vec<ObjectKey> {
        self.state().objects.iter().filter(|(_, v)| !v.is_empty()).map(|(k, _)| ObjectKey(k.clone())).collect()
    }

    /// Keys whose current version has a tag, ascending.
    pub fn tagged(&self, tag: Tag) -> Vec<ObjectKey> {
        let current = |versions: &[Stored]| versions.last().is_some_and(|v| v.body.is_some() && v.tag == Some(tag));
        self.state().objects.iter().filter(|(_, v)| current(v)).map(|(key, _)| ObjectKey(key.clone())).collect()
    }

    /// What lifecycle rules that look for `tag` come to in the end, but for keys that are `young`: current versions with the tag are hidden
    /// behind a marker, then versions with it deleted unless a lock or a hold keeps them, then markers over nothing.
    pub fn expire(&self, tag: Tag, young: &[ObjectKey]) {
        for key in self.tagged(tag).iter().filter(|key| !young.contains(key)) {
            self.delete(key);
        }
        let now = self.now();
        for (key, versions) in &mut self.state().objects {
            if !young.iter().any(|young| young.as_str() == key) {
                versions.retain(|v| v.tag != Some(tag) || held(v, now).is_some());
            }
            if versions.iter().all(|v| v.body.is_none()) {
                versions.clear();
            }
        }
    }

    fn remove(&self, key: &ObjectKey, version: &VersionId, refusal: impl Fn(&Stored) -> Option<String>) -> Result<(), String> {
        let mut state = self.state();
        let versions = state.objects.get_mut(key.as_str()).ok_or("NoSuchKey")?;
        let at = versions.iter().position(|v| v.id == *version).ok_or("NoSuchVersion")?;
        match versions.get(at).and_then(refusal) {
            Some(why) => Err(why),
            None => {
                versions.remove(at);
                Ok(())
            }
        }
    }
}

fn held(stored: &Stored, now: UnixSeconds) -> Option<String> {
    match stored.lock {
        _ if stored.hold => Some("AccessDenied: legal hold".to_owned()),
        Some(lock) if lock.retain_until > now => Some(format!("AccessDenied: {} until {}", lock.mode.as_str(), lock.retain_until)),
        _ => None,
    }
}
