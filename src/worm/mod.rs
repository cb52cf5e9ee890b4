//! Write-once storage: the contract that every adapter keeps, and what is common to all of them.
//!
//! # The contract of [`WormStore`]
//!
//! 1. The unit is an object **version**: key, bytes, lock. A version never changes; its lock is only ever extended.
//! 2. `put` is **one** attempt. It never retries inside, because a retry of a create-only put may meet one's own write.
//!    What it answers is exact: stored, known not stored, or unknown ([`PutError::is_unknown`]).
//! 3. A put in [`Condition::CreateOnly`] never replaces what readers see at that key. Stores exist that ignore the
//!    condition in versioned buckets; then both puts are stored, and [`versions`](WormStore::versions) tells which is older.
//! 4. A put is durable when it answers; so is what it answers `Exists` about (local: file and folder are synced). Reading an object back
//!    settles an unknown put only on a store with versions: in a folder, bytes can be read that are not on the disk yet. There the same
//!    put is made again.
//! 5. `versions` lists every version and delete marker of exactly one key, **newest first, in the store's own order**;
//!    never by modification time. A store without versions answers with at most one.
//! 6. `list` does the same for all keys below a prefix, keys ascending by bytes. Fewer entries than were asked for mean that there are no
//!    more; whoever has to be sure asks on until nothing comes ([`LIST_PAGE`]).
//! 7. A lock that a put asked for is not believed: [`put_locked`] reads it back, repairs it once, else fails.
//! 8. Nothing here deletes. What later objects replace carries a [`Tag`], so that an operator's lifecycle rule finds it, and only it.
//!
//! Sources: S3 Object Lock, "How S3 Object Lock works"; S3 conditional writes; `PutObjectRetention`.

pub mod azure;
pub mod canary;
mod endpoint;
pub mod gcs;
mod key;
mod layout;
mod listing;
pub mod local;
#[doc(hidden)]
pub mod memory;
mod open;
pub mod s3;
mod tags;
mod wire;
mod xml;
pub use endpoint::ServiceEndpoint;
pub use layout::*;
pub use open::{OpenError, StoreOptions, StoreUrl, open, open_probed};

use crate::clock::UnixSeconds;
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is to be said of Azure and GCS wherever a store is judged.
pub const CAVEAT: &str = "this adapter was never run against the real service: tests hold its requests against the documented interface, and nothing \
                          else has shown that its locks hold. Try it in a container or bucket of your own, look at the locks with the provider's own \
                          tools, and let `spanseal doctor` attack its canary, before evidence depends on it";

/// Key of an object below the store's root, `/`-separated, no leading slash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(pub String);

impl ObjectKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A store's name for one version of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VersionId(pub String);

/// S3 Object Lock retention mode. COMPLIANCE is the stronger: nobody shortens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// May be lifted with a special permission.
    Governance,
    /// May be lifted by nobody before its date.
    Compliance,
}

impl Mode {
    /// The word that S3, seals and configuration use.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Governance => "GOVERNANCE",
            Mode::Compliance => "COMPLIANCE",
        }
    }

    /// Reads that word; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "GOVERNANCE" => Some(Mode::Governance),
            "COMPLIANCE" => Some(Mode::Compliance),
            _ => None,
        }
    }
}

/// A retention lock: what a put asks for and what a head reads back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Retention mode.
    pub mode: Mode,
    /// Not deletable before this moment.
    pub retain_until: UnixSeconds,
}

impl Lock {
    /// Whether this lock is at least as strong and as long as `wanted`. Statements give minima, so more is fine.
    pub fn covers(self, wanted: Lock) -> bool {
        self.mode >= wanted.mode && self.retain_until >= wanted.retain_until
    }

    /// The stronger mode and the later date of both.
    #[must_use]
    pub fn join(self, other: Lock) -> Lock {
        Lock { mode: self.mode.max(other.mode), retain_until: self.retain_until.max(other.retain_until) }
    }
}

/// Whether a put may land on a key that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `If-None-Match: *`.
    CreateOnly,
    /// A further version, or (on a store without versions) an atomic replacement.
    Any,
}

/// A mark on an object that a store's own lifecycle rules can look for (S3: an object tag). No lock, no proof: whoever may tag can take it
/// away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The tag's key: letters, digits and `-`, so that nothing has to be encoded.
    pub name: &'static str,
    /// Its value, of the same characters.
    pub value: &'static str,
}

impl Tag {
    /// A partial tile or bundle of level 0: it may go once the full one is there.
    pub const PARTIAL: Tag = Tag { name: "spanseal", value: "partial" };
}

/// Whether the store enforces retention locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// Object Lock is on.
    Enforced,
    /// No locks (a file system, a bucket without Object Lock): seals say `"not_worm":"true"`.
    None,
}

/// One line of a version listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Where it lies.
    pub key: ObjectKey,
    /// Its name; `None` on a store without versions.
    pub id: Option<VersionId>,
    /// What a plain GET would answer with (or hide behind, if a marker).
    pub is_latest: bool,
    /// A delete marker, not data.
    pub is_delete_marker: bool,
    /// Bytes; 0 for a marker.
    pub size: u64,
}

/// What a HEAD of one version says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes.
    pub size: u64,
    /// Retention as read back; `None`: not locked.
    pub lock: Option<Lock>,
    /// Legal hold is on.
    pub legal_hold: bool,
}

/// How a bucket stands, as `serve` and `doctor` ask at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreState {
    /// Versioning is enabled (`None`: the notion does not apply).
    pub versioning: Option<bool>,
    /// Object Lock is enabled (`None`: the notion does not apply).
    pub object_lock: Option<bool>,
    /// The bucket's default retention, as text for a reader, if one is set.
    pub default_retention: Option<String>,
    /// Calls about this that the server does not know at all: no bucket of it can have what they ask for.
    pub unknown_calls: Vec<&'static str>,
}

/// A put (or a change of a lock) that did not answer "stored".
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// 412 or 409 on a create-only put: something is there. It may be one's own earlier attempt: read it back.
    #[error("put `{key}`: something is already there")]
    Exists {
        /// Which object.
        key: ObjectKey,
    },
    /// Known not stored, and asking again does not help (access denied, no Object Lock, bad request, disk full).
    #[error("put `{key}` refused: {reason}")]
    Refused {
        /// Which object.
        key: ObjectKey,
        /// The store's words and what to do now.
        reason: String,
    },
    /// Known not stored, and worth another try (connection refused, throttled before it was read).
    #[error("put `{key}` did not reach the store: {reason}")]
    NotStored {
        /// Which object.
        key: ObjectKey,
        /// What happened.
        reason: String,
    },
    /// Sent, answer lost or a server error: it may be stored, now or later.
    #[error("put `{key}`: the outcome is unknown: {reason}")]
    Unknown {
        /// Which object.
        key: ObjectKey,
        /// What happened.
        reason: String,
    },
    /// Stored, but the lock read back is weaker than asked for and could not be repaired.
    #[error("put `{key}`: the store did not keep the lock (asked {wanted:?}, found {found:?}); run `spanseal doctor`")]
    LockNotKept {
        /// Which object.
        key: ObjectKey,
        /// What was asked for.
        wanted: Lock,
        /// What was read back.
        found: Option<Lock>,
    },
}

impl PutError {
    /// The same call may be made again with the same bytes.
    pub fn is_retryable(&self) -> bool {
        matches!(self, PutError::NotStored { .. } | PutError::Unknown { .. })
    }

    /// The caller no longer knows whether it is stored.
    pub fn is_unknown(&self) -> bool {
        matches!(self, PutError::Unknown { .. })
    }

    /// Stable word for metrics and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            PutError::Exists { .. } => "exists",
            PutError::Refused { .. } => "refused",
            PutError::NotStored { .. } => "not_stored",
            PutError::Unknown { .. } => "unknown",
            PutError::LockNotKept { .. } => "lock_not_kept",
        }
    }
}

/// A read that gave no answer. Absence is an answer (`None`), not an error.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store refuses (access denied, no such bucket).
    #[error("read `{key}` refused: {reason}")]
    Refused {
        /// Which object or prefix.
        key: String,
        /// The store's words and what to do now.
        reason: String,
    },
    /// The store could not be asked just now.
    #[error("read `{key}`: the store did not answer: {reason}")]
    Unavailable {
        /// Which object or prefix.
        key: String,
        /// What happened.
        reason: String,
    },
    /// Longer than the format allows; nothing was read into memory beyond the limit.
    #[error("read `{key}`: {size} bytes, more than the {limit} that this kind of object may have")]
    TooLarge {
        /// Which object.
        key: String,
        /// Its size.
        size: u64,
        /// The limit that was given.
        limit: u64,
    },
}

impl ReadError {
    /// Worth asking again.
    pub fn is_retryable(&self) -> bool {
        matches!(self, ReadError::Unavailable { .. })
    }
}

/// Exclusive right to write one log, for as long as it lives (local: a file lock; elsewhere the commit itself fences).
#[derive(Debug)]
pub struct WriterGuard(#[expect(dead_code, reason = "held, never read")] pub(crate) Option<std::fs::File>);

/// Entries to ask a listing for at a time: one less than S3's largest page, whose last entry shows that the key before it is whole.
pub const LIST_PAGE: usize = 999;

/// Versions and markers of one key that a listing reads: more than any writer leaves, and some 30 MB.
pub const VERSIONS_LISTED_MAX: usize = 100_000;

/// One store. See the module's contract.
#[async_trait]
pub trait WormStore: Send + Sync + fmt::Debug {
    /// The store's URL for messages; never credentials.
    fn describe(&self) -> String;

    /// What a log's key is bound to: the URL and, where a bucket's name alone does not say which store it is, who is asked for it. Two
    /// stores never have the same; one store that is reached in two ways may have two.
    fn address(&self) -> String;

    /// Whether locks hold here.
    fn locks(&self) -> Locks;

    /// Whether objects have versions (an S3 bucket with versioning).
    fn versioned(&self) -> bool;

    /// Claims the log for this process; refuses with a sentence where another process holds it.
    async fn claim(&self, log: &str) -> Result<WriterGuard, PutError>;

    /// One put; on success the version id, where the store has versions.
    async fn put(&self, key: &ObjectKey, body: Bytes, condition: Condition, lock: Option<Lock>) -> Result<Option<VersionId>, PutError>;

    /// A put under any condition, of what is no evidence, with a tag. A store without tags takes it as it is, and one that is known to have
    /// refused it for its tag is given it without: then, and only then, this is more than one attempt.
    async fn put_tagged(&self, key: &ObjectKey, body: Bytes, lock: Option<Lock>, tag: Tag) -> Result<Option<VersionId>, PutError>;

    /// Bytes of one version, or of the current object; `None` where there is none (or a delete marker hides it).
    /// Never returns more than `limit` bytes.
    async fn get(&self, key: &ObjectKey, version: Option<&VersionId>, limit: u64) -> Result<Option<Bytes>, ReadError>;

    /// Size and lock of one version.
    async fn head(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Head>, ReadError>;

    /// Whether a legal hold is on a version, for who has to know it where [`head`](Self::head) shows none: a store may hide it there from who may not
    /// read holds (S3 HeadObject, `x-amz-object-lock-legal-hold`). `None`: there is no such version.
    async fn is_on_hold(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<bool>, ReadError> {
        Ok(self.head(key, version).await?.map(|head| head.legal_hold))
    }

    /// All versions and markers of exactly this key, newest first in the store's order.
    async fn versions(&self, key: &ObjectKey) -> Result<Vec<Version>, ReadError>;

    /// All versions and markers below `prefix`, keys ascending, within a key newest first; only keys greater than
    /// `after`; stops with the key that reaches `limit` entries (a key's versions are never split). Fewer than `limit`: there are no more.
    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Version>, ReadError>;

    /// Sets a longer or stronger lock on one version (`PutObjectRetention`); never shortens.
    async fn extend(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError>;

    /// Sets or lifts a legal hold on one version.
    async fn hold(&self, key: &ObjectKey, version: Option<&VersionId>, on: bool) -> Result<(), PutError>;

    /// Versioning, Object Lock, default retention.
    async fn state(&self) -> Result<StoreState, ReadError>;

    /// Seconds that the store's own `Date` was ahead of this machine's clock in the newest answer; `None` before the
    /// first, and on stores without a clock of their own.
    fn clock_skew_seconds(&self) -> Option<i64>;
}

/// Puts create-only with a lock and does not believe the 200: reads mode and date back, repairs them once, else fails.
///
/// `Exists` is passed on: the caller knows whether an equal object counts as its own.
pub async fn put_locked(store: &dyn WormStore, key: &ObjectKey, body: Bytes, lock: Lock) -> Result<Option<VersionId>, PutError> {
    let wanted = (store.locks() == Locks::Enforced).then_some(lock);
    let version = store.put(key, body, Condition::CreateOnly, wanted).await?;
    ensure_locked(store, key, version.as_ref(), lock).await?;
    Ok(version)
}

/// Reads the lock of a version back and repairs it once. Does nothing on a store without locks.
pub async fn ensure_locked(store: &dyn WormStore, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError> {
    if store.locks() == Locks::None {
        return Ok(());
    }
    let unknown = |e: ReadError| PutError::Unknown { key: key.clone(), reason: format!("its lock could not be read back: {e}") };
    let mut found = store.head(key, version).await.map_err(unknown)?.and_then(|h| h.lock);
    if found.is_none_or(|f| !f.covers(lock)) {
        tracing::warn!(key = %key, "worm.lock.repaired");
        store.extend(key, version, found.map_or(lock, |f| f.join(lock))).await?;
        found = store.head(key, version).await.map_err(unknown)?.and_then(|h| h.lock);
    }
    match found {
        Some(f) if f.covers(lock) => Ok(()),
        _ => Err(PutError::LockNotKept { key: key.clone(), wanted: lock, found }),
    }
}

/// Nothing was changed, because what is there could not be read.
fn unread_lock(key: &ObjectKey, error: ReadError) -> PutError {
    let reason = format!("its lock could not be read first: {error}");
    if error.is_retryable() { PutError::NotStored { key: key.clone(), reason } } else { PutError::Refused { key: key.clone(), reason } }
}

/// Refuses a lock that is weaker or shorter than what was found, and one on nothing.
fn expect_extension(key: &ObjectKey, found: Option<&Head>, lock: Lock) -> Result<(), PutError> {
    let refused = |reason: String| Err(PutError::Refused { key: key.clone(), reason });
    let Some(found) = found else { return refused("there is no such version".to_owned()) };
    match found.lock {
        Some(set) if !lock.covers(set) => refused(format!(
            "it is locked in {} until {}, and a lock is only ever extended; ask for that mode and date at least",
            set.mode.as_str(),
            set.retain_until
        )),
        _ => Ok(()),
    }
}

/// How many data versions of a key a reader leaves unread, of a listing of that key: more than [`VERSIONS_READ_MAX`] are nothing that a
/// writer leaves, and who passes them over says so.
pub fn unread(listed: &[Version]) -> Option<usize> {
    listed.iter().filter(|v| !v.is_delete_marker).count().checked_sub(VERSIONS_READ_MAX).filter(|more| *more > 0)
}

/// Bytes of the data versions of one key, **oldest first**, of a listing (newest first) of that key; no more than `max`. What a delete
/// marker says is no version. One longer than `limit` comes without bytes that it could be mistaken by: it is foreign, whatever it says.
/// One that is gone since the listing (deleted, its lock lifted) is left out.
pub async fn read_versions(store: &dyn WormStore, listed: &[Version], limit: u64, max: usize) -> Result<Vec<(Version, Bytes)>, ReadError> {
    let mut found = Vec::new();
    for version in listed.iter().rev().filter(|v| !v.is_delete_marker).take(max) {
        match store.get(&version.key, version.id.as_ref(), limit).await {
            Ok(Some(bytes)) => found.push((version.clone(), bytes)),
            Ok(None) => {}
            Err(ReadError::TooLarge { .. }) => found.push((version.clone(), Bytes::new())),
            Err(e) => return Err(e),
        }
    }
    Ok(found)
}
