//! The canary: an object with a lock of one day, to see what a store does when it is asked to break it.
//!
//! Servers exist that take a lock and do not enforce it, and a 200 proves nothing, so the only proof is to try. A canary lies below
//! `_doctor/`, a name that no log can have, and stays for its day.

use bytes::Bytes;

use super::{CANARY_PREFIX, DeleteProbe, S3Store};
use crate::clock::{Clock, UnixSeconds};
use crate::worm::{Condition, Head, Lock, Mode, ObjectKey, PutError, Tag, VersionId, WormStore};

const DAY_SECONDS: i64 = 86_400;

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The store does what is asked of write-once storage.
    Good(String),
    /// It does, and something is to be known.
    Odd(String),
    /// It does not: it is no write-once storage, or not for these credentials.
    Bad(String),
    /// It could not be found out; never "good".
    Unknown(String),
    /// The canary could not be put at all, so nothing was tried.
    NotPut(String),
}

/// Puts a canary with a lock in this mode and tries to delete it, to shorten its lock, to write over it, and to delete it with the
/// governance bypass.
pub async fn try_locks(store: &S3Store, mode: Mode, clock: &dyn Clock) -> Vec<Finding> {
    let now = clock.now();
    let at = now.ceil_seconds();
    let key = ObjectKey(format!("{CANARY_PREFIX}{}-{:09}", at.0, now.0 % 1_000_000_000));
    let lock = Lock { mode, retain_until: UnixSeconds(at.0 + DAY_SECONDS) };
    let body =
        Bytes::from(format!("spanseal doctor, {at}: locked for one day to see whether this store enforces locks. Nothing reads it.\n"));
    let version = match store.put(&key, body.clone(), Condition::CreateOnly, Some(lock)).await {
        Ok(version) => version,
        Err(error @ PutError::LockNotKept { .. }) => return vec![Finding::Bad(error.to_string())],
        Err(error @ (PutError::Refused { .. } | PutError::Exists { .. })) => {
            return vec![Finding::NotPut(error.to_string())];
        }
        Err(error) => return vec![Finding::Unknown(error.to_string())],
    };
    let mut canary = Canary { store, key, version, lock, body, found: Vec::new() };
    let (mode, until) = (mode.as_str(), lock.retain_until);
    canary.good(format!("`{}` was put with a {mode} lock until {until}; it stays until then", canary.key));
    if canary.version.is_none() {
        canary.bad("the store answered without a version id, so nothing can be found by version; enable versioning on the bucket");
        return canary.found;
    }
    if canary.lock_is_kept().await && canary.deletion().await {
        canary.shortening().await;
        canary.create_only().await;
        canary.overwriting().await;
        canary.tagging().await;
        canary.bypass().await;
    }
    canary.found
}

struct Canary<'s> {
    store: &'s S3Store,
    key: ObjectKey,
    version: Option<VersionId>,
    lock: Lock,
    body: Bytes,
    found: Vec<Finding>,
}

impl Canary<'_> {
    fn good(&mut self, said: impl Into<String>) {
        self.found.push(Finding::Good(said.into()));
    }

    fn odd(&mut self, said: impl Into<String>) {
        self.found.push(Finding::Odd(said.into()));
    }

    fn bad(&mut self, said: impl Into<String>) {
        self.found.push(Finding::Bad(said.into()));
    }

    fn unknown(&mut self, what: &str, why: &dyn std::fmt::Display) {
        self.found.push(Finding::Unknown(format!("{what} could not be found out: {why}")));
    }

    async fn head(&self) -> Result<Option<Head>, crate::worm::ReadError> {
        self.store.head(&self.key, self.version.as_ref()).await
    }

    /// Reads the lock back; without it the rest shows nothing.
    async fn lock_is_kept(&mut self) -> bool {
        match self.head().await {
            Ok(Some(head)) if head.lock.is_some_and(|found| found.covers(self.lock)) => {
                self.good("its lock was read back as asked for");
                true
            }
            Ok(Some(head)) => {
                let found = head.lock.map_or("none".to_owned(), |l| format!("{} until {}", l.mode.as_str(), l.retain_until));
                self.bad(format!("the store did not keep the lock that it was given (found: {found}): it is not write-once storage"));
                false
            }
            Ok(None) => {
                self.bad("the canary cannot be found right after it was stored");
                false
            }
            Err(error) => {
                self.unknown("whether its lock was kept", &error);
                false
            }
        }
    }

    /// Whether it is still there.
    async fn deletion(&mut self) -> bool {
        let probed = self.store.probe_delete(&self.key, self.version.as_ref(), false).await;
        match (probed, self.head().await) {
            (_, Ok(None)) => {
                self.bad("the store deleted a locked version: its locks are not enforced, so it is not write-once storage");
                return false;
            }
            (Ok(DeleteProbe::Refused(words)), Ok(Some(_))) => self.good(format!("deleting the locked version was refused ({words})")),
            (Ok(DeleteProbe::Accepted), Ok(Some(_))) => {
                self.odd("the store said yes to deleting the locked version, and kept it; do not trust its answers");
            }
            (Err(error), _) | (_, Err(error)) => self.unknown("whether deleting is refused", &error),
        }
        true
    }

    async fn shortening(&mut self) {
        let shorter = Lock { mode: self.lock.mode, retain_until: UnixSeconds(self.lock.retain_until.0 - DAY_SECONDS / 2) };
        let answered = self.store.extend(&self.key, self.version.as_ref(), shorter).await;
        match (answered, self.head().await) {
            (_, Ok(head)) if head.as_ref().and_then(|h| h.lock).is_none_or(|found| !found.covers(self.lock)) => {
                self.bad("the store shortened a lock without the governance bypass: retention is not enforced");
            }
            (Err(PutError::Refused { .. }), Ok(_)) => self.good("shortening the lock was refused"),
            (Err(error), Ok(_)) => self.unknown("whether shortening is refused", &error),
            (Ok(()), Ok(_)) => self.odd("the store said yes to shortening the lock, and kept it; do not trust its answers"),
            (_, Err(error)) => self.unknown("whether shortening is refused", &error),
        }
    }

    /// The same bytes once more, create-only. A store that ignores the condition keeps both; then the oldest version is the truth.
    async fn create_only(&mut self) {
        match self.store.put(&self.key, self.body.clone(), Condition::CreateOnly, Some(self.lock)).await {
            Err(PutError::Exists { .. }) => self.good("a second create-only put was refused, as it should be"),
            Ok(_) => self.odd(
                "this store ignores create-only puts: the oldest version of a seal is the truth, and `serve` compares after every commit (slower, \
                 and as safe)",
            ),
            Err(error) => self.unknown("whether create-only puts are honoured", &error),
        }
    }

    /// Other bytes under the same key. With versions that hides the canary from plain reads and leaves it as it was.
    async fn overwriting(&mut self) {
        let other = Bytes::from_static(b"spanseal doctor: written over a canary. Nothing reads it.\n");
        let put = self.store.put(&self.key, other, Condition::Any, Some(self.lock)).await;
        let kept = self.store.get(&self.key, self.version.as_ref(), 4096).await;
        match (put, kept) {
            (_, Ok(kept)) if kept.as_ref() != Some(&self.body) => {
                self.bad("writing over the locked version changed it: the store keeps no versions of it, so it is not write-once storage");
            }
            (Ok(_), Ok(_)) => self.good("writing over the key made a further version and left the locked one as it was"),
            (Err(PutError::Refused { .. }), Ok(_)) => self.good("writing over the key without a condition was refused"),
            (Err(error), Ok(_)) => self.unknown("what writing over the key does", &error),
            (_, Err(error)) => self.unknown("what writing over the key does", &error),
        }
    }

    /// A second canary, tagged like a partial tile. Nothing that is promised hangs on it, so whatever comes of it is nothing bad.
    async fn tagging(&mut self) {
        let tag = Tag::PARTIAL;
        let key = ObjectKey(format!("{}-tagged", self.key));
        let piles_up = "so no lifecycle rule finds partial tiles, and they stay: some 1.1 GB a day at a seal a second";
        let version = match self.store.put_tagged(&key, self.body.clone(), Some(self.lock), tag).await {
            Ok(version) => version,
            Err(error) => return self.unknown("whether tags are kept", &error),
        };
        if let Some(reason) = self.store.tags_refused() {
            return self.odd(format!("the store takes no object tags, {piles_up}. Allow s3:PutObjectTagging. It said: {reason}"));
        }
        match self.store.has_tag(&key, version.as_ref(), tag).await {
            Ok(true) => self.good(format!("the tag `{}={}` was kept: lifecycle rules find partial tiles by it", tag.name, tag.value)),
            Ok(false) => self.odd(format!("the store dropped the tag `{}={}`, {piles_up}", tag.name, tag.value)),
            Err(error) => {
                self.odd(format!("an object was put with a tag; whether it was kept could not be read (s3:GetObjectTagging): {error}"));
            }
        }
    }

    /// Last, because it may succeed: GOVERNANCE gives way to whoever has the right to bypass it.
    async fn bypass(&mut self) {
        let probed = self.store.probe_delete(&self.key, self.version.as_ref(), true).await;
        match (self.lock.mode, probed, self.head().await) {
            (Mode::Compliance, _, Ok(None)) => {
                self.bad("the governance bypass deleted a version in COMPLIANCE: its locks are not enforced, so it is not write-once storage");
            }
            (Mode::Governance, _, Ok(None)) => self.odd(
                "these credentials may bypass governance, and deleted the canary so: whoever has them can delete evidence that is locked in \
                 GOVERNANCE; take s3:BypassGovernanceRetention from them",
            ),
            (_, Ok(DeleteProbe::Refused(words)), Ok(Some(_))) => {
                self.good(format!("deleting it with the governance bypass was refused ({words})"));
            }
            (_, Ok(DeleteProbe::Accepted), Ok(Some(_))) => {
                self.odd("the store said yes to deleting the locked version with the bypass, and kept it; do not trust its answers");
            }
            (_, Err(error), _) | (_, _, Err(error)) => self.unknown("whether the governance bypass is refused", &error),
        }
    }
}
