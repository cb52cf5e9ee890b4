//! The strict twin: a store in memory that keeps the contract to the letter, panics on misuse, and fails on demand.
//!
//! It stands in for S3 in tests. A [`MemoryStore`] is one *process's* handle; [`process`](MemoryStore::process) gives
//! another on the same objects, and [`kill`](MemoryStore::kill) ends one in mid-sentence: its calls never return. What an
//! outsider with rights on the bucket could do stands in `disturb.rs`; what the network does, in `faults.rs`.

use super::key::check_key;
use super::{
    Condition, Head, Lock, Locks, ObjectKey, PutError, ReadError, SEGMENT_BYTES_MAX, StoreState, Tag, Version, VersionId, WormStore,
    WriterGuard, is_name,
};
use crate::clock::{Clock, UnixSeconds};
use async_trait::async_trait;
use bytes::Bytes;
use faults::{Effect, Plan};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod disturb;
mod faults;
pub use faults::Fault;

/// Whether `If-None-Match: *` works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateOnly {
    /// As on AWS: refused while a current object is there; a delete marker lifts it.
    Honoured,
    /// As on Ceph RGW in versioned buckets: both writers get a 200.
    Ignored,
}

/// What kind of store to be.
#[derive(Clone, Copy, Debug)]
pub struct MemoryOptions {
    /// Whether create-only works.
    pub create_only: CreateOnly,
    /// Whether locks are kept; needs `versioned`.
    pub locks: Locks,
    /// Whether objects have versions.
    pub versioned: bool,
    /// Seconds that the store's clock is ahead of the clock it was given, until [`MemoryStore::set_clock_skew`] says otherwise.
    pub clock_skew_seconds: i64,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        MemoryOptions { create_only: CreateOnly::Honoured, locks: Locks::Enforced, versioned: true, clock_skew_seconds: 0 }
    }
}

/// See the module. Clones are the same process; they die together.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    dead: Arc<AtomicBool>,
    /// The skew as of this process's newest answer; [`NO_SKEW`] before the first.
    noted_skew: Arc<AtomicI64>,
}

/// No answer yet.
const NO_SKEW: i64 = i64::MIN;

#[derive(Debug)]
struct Shared {
    options: MemoryOptions,
    clock: Arc<dyn Clock>,
    skew_seconds: AtomicI64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Versions of a key in the order of their writing: the newest is last.
    objects: BTreeMap<String, Vec<Stored>>,
    next_id: u64,
    plan: Plan,
    /// Puts that were reported unknown and have not landed yet.
    in_flight: Vec<Put>,
}

#[derive(Clone, Debug)]
struct Stored {
    id: VersionId,
    /// `None`: a delete marker.
    body: Option<Bytes>,
    lock: Option<Lock>,
    hold: bool,
    tag: Option<Tag>,
}

#[derive(Clone, Debug)]
struct Put {
    key: ObjectKey,
    body: Bytes,
    condition: Condition,
    lock: Option<Lock>,
    tag: Option<Tag>,
}

impl MemoryStore {
    /// An empty store whose locks live by `clock`.
    pub fn new(clock: Arc<dyn Clock>, options: MemoryOptions) -> Self {
        assert!(options.locks == Locks::None || options.versioned, "Object Lock needs versioning");
        let skew_seconds = AtomicI64::new(options.clock_skew_seconds);
        MemoryStore::handle(Arc::new(Shared { options, clock, skew_seconds, state: Mutex::default() }))
    }

    /// Another process on the same objects; the fault plan is shared, death is not.
    #[must_use]
    pub fn process(&self) -> Self {
        MemoryStore::handle(Arc::clone(&self.shared))
    }

    fn handle(shared: Arc<Shared>) -> Self {
        MemoryStore { shared, dead: Arc::default(), noted_skew: Arc::new(AtomicI64::new(NO_SKEW)) }
    }

    /// Ends this process: every call from now on, and every one that waits, never returns and does nothing.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> UnixSeconds {
        let own = self.shared.clock.now().ceil_seconds();
        UnixSeconds(own.0.saturating_add(self.shared.skew_seconds.load(Ordering::SeqCst)))
    }

    /// An answer arrives, with the store's `Date`.
    fn note_date(&self) {
        self.noted_skew.store(self.shared.skew_seconds.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// The way there, where a test made it long.
    async fn travel(&self, key: &str) {
        let delay = self.state().plan.delay(key);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
            self.alive().await;
        }
    }

    async fn alive(&self) {
        if self.dead.load(Ordering::SeqCst) {
            futures::future::pending::<()>().await;
        }
    }

    async fn die<T>(&self) -> T {
        self.kill();
        futures::future::pending().await
    }

    /// What the contract forbids is our own mistake: the twin panics where a real store might shrug.
    fn check_put(&self, put: &Put) {
        let Put { key, body, lock, tag, .. } = put;
        if let Err(why) = check_key(key) {
            panic!("put `{key}`: {why}");
        }
        assert!(!body.is_empty(), "put `{key}`: empty");
        assert!(u64::try_from(body.len()).is_ok_and(|n| n <= SEGMENT_BYTES_MAX), "put `{key}`: {} bytes", body.len());
        assert!(tag.is_none() || !is_evidence(key), "put `{key}`: evidence with a tag that rules look for");
        if self.shared.options.locks == Locks::None {
            assert!(lock.is_none(), "put `{key}`: a lock on a store without locks");
            return;
        }
        match lock {
            Some(lock) => assert!(lock.retain_until > self.now(), "put `{key}`: locked until {}, which is past", lock.retain_until),
            None => assert!(!is_evidence(key), "put `{key}`: evidence without a lock"),
        }
    }

    fn unknown(key: &ObjectKey) -> PutError {
        PutError::Unknown { key: key.clone(), reason: "the answer was lost (fault plan)".to_owned() }
    }

    /// Runs one effect through the fault plan.
    async fn effect<T>(
        &self,
        effect: Effect,
        key: &ObjectKey,
        act: impl FnOnce(&mut State, Option<Fault>) -> Result<T, PutError> + Send,
    ) -> Result<T, PutError>
    where
        T: Send,
    {
        self.alive().await;
        self.travel(key.as_str()).await;
        let (fault, result) = {
            let mut state = self.state();
            let fault = state.plan.next(effect, key);
            match fault {
                Some(Fault::NotStored) => {
                    return Err(PutError::NotStored { key: key.clone(), reason: "connection refused (fault plan)".to_owned() });
                }
                Some(Fault::Refused) => {
                    return Err(PutError::Refused { key: key.clone(), reason: "AccessDenied (fault plan)".to_owned() });
                }
                Some(Fault::LostBefore) => return Err(Self::unknown(key)),
                Some(Fault::DieBefore) => (fault, None),
                _ => (fault, Some(act(&mut state, fault))),
            }
        };
        match (fault, result) {
            (Some(Fault::DieBefore | Fault::DieAfter), _) | (_, None) => self.die().await,
            (Some(Fault::LostAfter), Some(_)) => Err(Self::unknown(key)),
            (_, Some(result)) => {
                self.note_date();
                result
            }
        }
    }

    async fn put_as(&self, put: Put) -> Result<Option<VersionId>, PutError> {
        self.alive().await;
        self.check_put(&put);
        let key = put.key.clone();
        self.effect(Effect::Put, &key, move |state, fault| match fault {
            Some(Fault::Delayed) => {
                let lost = Self::unknown(&put.key);
                state.in_flight.push(put);
                Err(lost)
            }
            Some(Fault::LockDropped) => state.store(&self.shared.options, &Put { lock: None, ..put }),
            _ => state.store(&self.shared.options, &put),
        })
        .await
    }

    async fn read<T>(&self, key: &str, look: impl FnOnce(&State) -> T + Send) -> Result<T, ReadError> {
        self.alive().await;
        self.travel(key).await;
        let mut state = self.state();
        if state.plan.read_fails(key) {
            return Err(ReadError::Unavailable { key: key.to_owned(), reason: "timed out (fault plan)".to_owned() });
        }
        self.note_date();
        Ok(look(&state))
    }
}

/// Whether a key below its log names something that must be locked: all but `checkpoint` and partial tiles.
fn is_evidence(key: &ObjectKey) -> bool {
    let below = key.as_str().split_once('/').map_or("", |(_, below)| below);
    let partial = below.contains(".p/");
    below == "log.json" || !partial && ["segments/", "seals/", "tile/", "cosignatures/", "timestamps/"].iter().any(|p| below.starts_with(p))
}

impl State {
    fn store(&mut self, options: &MemoryOptions, put: &Put) -> Result<Option<VersionId>, PutError> {
        let versions = self.objects.entry(put.key.0.clone()).or_default();
        let visible = versions.last().is_some_and(|v| v.body.is_some());
        if put.condition == Condition::CreateOnly && options.create_only == CreateOnly::Honoured && visible {
            return Err(PutError::Exists { key: put.key.clone() });
        }
        self.next_id += 1;
        let id = VersionId(format!("v{:06}", self.next_id));
        if !options.versioned {
            versions.clear();
        }
        versions.push(Stored { id: id.clone(), body: Some(put.body.clone()), lock: put.lock, hold: false, tag: put.tag });
        Ok(options.versioned.then_some(id))
    }

    fn find(&self, key: &str, version: Option<&VersionId>) -> Option<&Stored> {
        let versions = self.objects.get(key)?;
        match version {
            Some(id) => versions.iter().find(|v| v.id == *id),
            None => versions.last(),
        }
    }

    fn find_mut(&mut self, key: &str, version: Option<&VersionId>) -> Option<&mut Stored> {
        let versions = self.objects.get_mut(key)?;
        match version {
            Some(id) => versions.iter_mut().find(|v| v.id == *id),
            None => versions.last_mut(),
        }
    }

    fn versions(&self, options: &MemoryOptions, key: &str) -> Vec<Version> {
        let stored = self.objects.get(key).map(Vec::as_slice).unwrap_or_default();
        let newest = stored.len();
        let line = |(n, v): (usize, &Stored)| Version {
            key: ObjectKey(key.to_owned()),
            id: options.versioned.then(|| v.id.clone()),
            is_latest: n + 1 == newest,
            is_delete_marker: v.body.is_none(),
            size: v.body.as_ref().map_or(0, |b| u64::try_from(b.len()).unwrap_or(u64::MAX)),
        };
        stored.iter().enumerate().rev().map(line).collect()
    }
}

#[async_trait]
impl WormStore for MemoryStore {
    fn describe(&self) -> String {
        "memory:".to_owned()
    }

    fn address(&self) -> String {
        self.describe()
    }

    fn locks(&self) -> Locks {
        self.shared.options.locks
    }

    fn versioned(&self) -> bool {
        self.shared.options.versioned
    }

    async fn claim(&self, log: &str) -> Result<WriterGuard, PutError> {
        self.alive().await;
        assert!(is_name(log), "claim `{log}`: no log's name");
        Ok(WriterGuard(None)) // As on S3: only the commit fences.
    }

    async fn put(&self, key: &ObjectKey, body: Bytes, condition: Condition, lock: Option<Lock>) -> Result<Option<VersionId>, PutError> {
        self.put_as(Put { key: key.clone(), body, condition, lock, tag: None }).await
    }

    async fn put_tagged(&self, key: &ObjectKey, body: Bytes, lock: Option<Lock>, tag: Tag) -> Result<Option<VersionId>, PutError> {
        self.put_as(Put { key: key.clone(), body, condition: Condition::Any, lock, tag: Some(tag) }).await
    }

    async fn get(&self, key: &ObjectKey, version: Option<&VersionId>, limit: u64) -> Result<Option<Bytes>, ReadError> {
        let body = self.read(key.as_str(), |state| state.find(key.as_str(), version).and_then(|v| v.body.clone())).await?;
        match body.as_ref().map(|b| u64::try_from(b.len()).unwrap_or(u64::MAX)) {
            Some(size) if size > limit => Err(ReadError::TooLarge { key: key.0.clone(), size, limit }),
            _ => Ok(body),
        }
    }

    async fn head(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Head>, ReadError> {
        self.read(key.as_str(), |state| {
            let stored = state.find(key.as_str(), version)?;
            let size = u64::try_from(stored.body.as_ref()?.len()).unwrap_or(u64::MAX);
            Some(Head { size, lock: stored.lock, legal_hold: stored.hold && state.plan.holds_shown })
        })
        .await
    }

    async fn is_on_hold(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<bool>, ReadError> {
        if self.state().plan.holds_refused {
            return Err(ReadError::Refused { key: key.to_string(), reason: "who asks may not read holds".to_owned() });
        }
        self.read(key.as_str(), |state| state.find(key.as_str(), version).map(|stored| stored.hold)).await
    }

    async fn versions(&self, key: &ObjectKey) -> Result<Vec<Version>, ReadError> {
        self.read(key.as_str(), |state| state.versions(&self.shared.options, key.as_str())).await
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Version>, ReadError> {
        self.read(prefix, |state| {
            let mut out = Vec::new();
            let wanted = |key: &&String| key.starts_with(prefix) && after.is_none_or(|a| key.as_str() > a.as_str());
            for key in state.objects.keys().filter(wanted) {
                if out.len() >= limit {
                    break;
                }
                out.extend(state.versions(&self.shared.options, key));
            }
            out
        })
        .await
    }

    async fn extend(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError> {
        assert!(self.locks() == Locks::Enforced, "extend `{key}` on a store without locks");
        assert!(lock.retain_until > self.now(), "extend `{key}`: until {}, which is past", lock.retain_until);
        let now = self.now();
        self.effect(Effect::Extend, key, |state, fault| {
            let refused = |reason: &str| Err(PutError::Refused { key: key.clone(), reason: reason.to_owned() });
            match state.find_mut(key.as_str(), version) {
                Some(Stored { body: None, .. }) => refused("MethodNotAllowed: a delete marker"),
                Some(stored) => {
                    // A lock past its date binds nobody; before it, S3 refuses whatever is weaker or shorter.
                    let live = stored.lock.filter(|l| l.retain_until > now);
                    if live.is_some_and(|l| !lock.covers(l)) {
                        return refused("AccessDenied: a lock is never shortened");
                    }
                    if fault != Some(Fault::LockDropped) {
                        stored.lock = Some(lock);
                    }
                    Ok(())
                }
                None => refused("NoSuchVersion"),
            }
        })
        .await
    }

    async fn hold(&self, key: &ObjectKey, version: Option<&VersionId>, on: bool) -> Result<(), PutError> {
        assert!(self.locks() == Locks::Enforced, "hold `{key}` on a store without locks");
        self.effect(Effect::Hold, key, |state, _| match state.find_mut(key.as_str(), version) {
            Some(stored) if stored.body.is_some() => {
                stored.hold = on;
                Ok(())
            }
            _ => Err(PutError::Refused { key: key.clone(), reason: "NoSuchVersion".to_owned() }),
        })
        .await
    }

    async fn state(&self) -> Result<StoreState, ReadError> {
        let options = self.shared.options;
        let enforced = options.locks == Locks::Enforced;
        self.read("", |_| StoreState {
            versioning: Some(options.versioned),
            object_lock: Some(enforced),
            default_retention: None,
            unknown_calls: Vec::new(),
        })
        .await
    }

    fn clock_skew_seconds(&self) -> Option<i64> {
        Some(self.noted_skew.load(Ordering::SeqCst)).filter(|s| *s != NO_SKEW)
    }
}

#[cfg(test)]
mod tests;
