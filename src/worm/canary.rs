//! The canary: an object with a lock of one day, to see what a store does when it is asked to break it.
//!
//! Servers exist that take a lock and do not enforce it, and a 200 proves nothing, so the only proof is to try. A canary lies below
//! `_doctor/`, a name that no log can have, and stays for its day.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::wire::{Answer, CallError};
use super::{Condition, Head, Lock, Mode, ObjectKey, PutError, ReadError, Tag, VersionId, WormStore};
use crate::clock::{Clock, UnixSeconds};

/// Folder of canaries: a name that no log can have.
pub const CANARY_PREFIX: &str = "_doctor/";
const DAY_SECONDS: i64 = 86_400;

/// What a store did when it was asked to delete a locked version, or to lift its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteProbe {
    /// It refused, in its own words.
    Refused(String),
    /// It said yes. Whether the version, or its lock, is gone, a HEAD tells.
    Accepted,
}

/// What a lock in [`Mode::Governance`] holds off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Governance {
    /// Everybody, but for who has a right to lift it and says so with the call (S3, GCS).
    AskedFor,
    /// Who may not set locks; a writer may, and so shortens it like any other (Azure's unlocked policies).
    Unguarded,
}

/// How this kind of store calls what the canary speaks of.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// The right to put a tag.
    pub put_tag: &'static str,
    /// The right to read one.
    pub read_tag: &'static str,
    /// The right to place and to lift a legal hold.
    pub put_hold: &'static str,
    /// The right to see one.
    pub read_hold: &'static str,
    /// What to do against credentials that may lift a lock in GOVERNANCE.
    pub against_bypass: &'static str,
    /// What a lock in GOVERNANCE holds off.
    pub governance: Governance,
}

/// A store that lets a canary be attacked. No part of [`WormStore`], which deletes nothing.
#[async_trait]
pub trait Probed: WormStore {
    /// Its own words.
    fn words(&self) -> &'static Words;

    /// Why the store got no tag with the last object that was to have one. `None` where it took it, or was not asked yet.
    fn tags_refused(&self) -> Option<String>;

    /// Whether a version has a tag. Needs a right ([`Words::read_tag`]) that nothing else does.
    async fn has_tag(&self, key: &ObjectKey, version: Option<&VersionId>, tag: Tag) -> Result<bool, ReadError>;

    /// Asks the store itself to set a lock, whatever is set: unlike [`extend`](WormStore::extend), which may refuse before it asks.
    async fn probe_shorten(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError>;

    /// Asks the store to delete one version of a canary, with or without lifting a lock in GOVERNANCE first. Refuses every key that is
    /// no canary.
    async fn probe_delete(&self, key: &ObjectKey, version: Option<&VersionId>, bypass: bool) -> Result<DeleteProbe, ReadError>;

    /// Asks the store to take the lock off one version of a canary with the bypass, and to leave the version. Refuses every key that is no
    /// canary. `None`: this store is not asked for that apart from a deletion.
    async fn probe_lift(&self, _: &ObjectKey, _: Option<&VersionId>) -> Result<Option<DeleteProbe>, ReadError> {
        Ok(None)
    }
}

/// Refuses every key but a canary's.
pub(super) fn expect_canary(key: &ObjectKey) -> Result<(), ReadError> {
    if key.as_str().starts_with(CANARY_PREFIX) {
        return Ok(());
    }
    Err(ReadError::Refused { key: key.0.clone(), reason: "only a canary of `doctor` may be put to this test".to_owned() })
}

/// What one try to delete came to; `words` reads code and message of an answer.
pub(super) fn probed(
    key: &ObjectKey,
    result: Result<Answer, CallError>,
    words: impl Fn(&Answer) -> (String, String),
) -> Result<DeleteProbe, ReadError> {
    let unavailable = |reason: String| ReadError::Unavailable { key: key.0.clone(), reason };
    let answer = result.map_err(|error| match error {
        CallError::NotSent(words) | CallError::Lost(words) => unavailable(words),
        CallError::TooLarge { .. } => unavailable("its answer is too long".to_owned()),
    })?;
    if answer.status.is_success() {
        return Ok(DeleteProbe::Accepted);
    }
    let (code, message) = words(&answer);
    let said = format!("{} {code} {message}", answer.status.as_u16()).trim().to_owned();
    if answer.status.is_client_error() { Ok(DeleteProbe::Refused(said)) } else { Err(unavailable(said)) }
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    /// To put the canary with its lock.
    Put,
    /// To read its lock back.
    ReadLock,
    /// To delete the locked version.
    Delete,
    /// To shorten its lock.
    Shorten,
    /// To make GOVERNANCE of a lock in COMPLIANCE, with the same date.
    Weaken,
    /// To put the same key create-only once more.
    CreateOnly,
    /// To write other bytes over it.
    Overwrite,
    /// To put an object with a tag.
    Tag,
    /// To lift its lock with the governance bypass.
    BypassLift,
    /// To delete it with the governance bypass.
    BypassDelete,
    /// To put a canary without a lock on legal hold.
    Hold,
    /// To delete it while the hold is on, also with the governance bypass.
    HoldDelete,
    /// To lift the hold.
    HoldLift,
}

impl Attempt {
    /// The word that records use.
    pub fn as_str(self) -> &'static str {
        match self {
            Attempt::Put => "put",
            Attempt::ReadLock => "read_lock",
            Attempt::Delete => "delete",
            Attempt::Shorten => "shorten",
            Attempt::Weaken => "weaken",
            Attempt::CreateOnly => "create_only",
            Attempt::Overwrite => "overwrite",
            Attempt::Tag => "tag",
            Attempt::BypassLift => "bypass_lift",
            Attempt::BypassDelete => "bypass_delete",
            Attempt::Hold => "hold",
            Attempt::HoldDelete => "hold_delete",
            Attempt::HoldLift => "hold_lift",
        }
    }
}

/// How an attempt ended, in a word; later ones outweigh earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// [`Finding::Good`]
    Good,
    /// [`Finding::Odd`]
    Odd,
    /// [`Finding::Unknown`]
    Unknown,
    /// [`Finding::NotPut`]
    NotPut,
    /// [`Finding::Bad`]
    Bad,
}

impl Grade {
    /// The word that records use.
    pub fn as_str(self) -> &'static str {
        match self {
            Grade::Good => "good",
            Grade::Odd => "odd",
            Grade::Unknown => "unknown",
            Grade::NotPut => "not_put",
            Grade::Bad => "bad",
        }
    }
}

/// One attempt and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// What was tried.
    pub attempt: Attempt,
    /// How it ended.
    pub finding: Finding,
}

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

impl Finding {
    /// In a word.
    pub fn grade(&self) -> Grade {
        match self {
            Finding::Good(_) => Grade::Good,
            Finding::Odd(_) => Grade::Odd,
            Finding::Bad(_) => Grade::Bad,
            Finding::Unknown(_) => Grade::Unknown,
            Finding::NotPut(_) => Grade::NotPut,
        }
    }
}

/// How much is tried of one canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// All of it.
    Everything,
    /// What a lock in its mode holds off.
    Mode,
}

/// Puts a canary with a lock in this mode and tries to delete it, to shorten its lock, to write over it, and to lift its lock and to delete it
/// with the governance bypass.
pub async fn try_locks(store: &dyn Probed, mode: Mode, clock: &dyn Clock) -> Vec<Tried> {
    let key = canary_key(clock, "");
    attack(store, (key, mode), Extent::Everything, clock).await
}

/// The same of a further mode, beside a canary of which everything was tried: only what the mode decides.
pub async fn try_mode(store: &dyn Probed, mode: Mode, clock: &dyn Clock) -> Vec<Tried> {
    let key = canary_key(clock, &format!("-{}", mode.as_str().to_ascii_lowercase()));
    attack(store, (key, mode), Extent::Mode, clock).await
}

fn canary_key(clock: &dyn Clock, what: &str) -> ObjectKey {
    let now = clock.now();
    ObjectKey(format!("{CANARY_PREFIX}{}-{:09}{what}", now.ceil_seconds().0, now.0 % 1_000_000_000))
}

async fn attack(store: &dyn Probed, (key, mode): (ObjectKey, Mode), extent: Extent, clock: &dyn Clock) -> Vec<Tried> {
    let at = clock.now().ceil_seconds();
    let lock = Lock { mode, retain_until: UnixSeconds(at.0 + DAY_SECONDS) };
    let body =
        Bytes::from(format!("spanseal doctor, {at}: locked for one day to see whether this store enforces locks. Nothing reads it.\n"));
    let not_put = |finding| vec![Tried { attempt: Attempt::Put, finding }];
    let version = match store.put(&key, body.clone(), Condition::CreateOnly, Some(lock)).await {
        Ok(version) => version,
        Err(error @ PutError::LockNotKept { .. }) => return not_put(Finding::Bad(error.to_string())),
        Err(error @ (PutError::Refused { .. } | PutError::Exists { .. })) => return not_put(Finding::NotPut(error.to_string())),
        Err(error) => return not_put(Finding::Unknown(error.to_string())),
    };
    let mut canary = Canary { store, key, version, lock, body, attempt: Attempt::Put, found: Vec::new() };
    let (mode, until) = (mode.as_str(), lock.retain_until);
    let unless = if lock.mode == Mode::Governance { ", unless the bypass takes it away" } else { "" };
    canary.good(format!("`{}` was put with a {mode} lock until {until}; it stays until then{unless}", canary.key));
    if canary.version.is_none() {
        canary.bad("the store answered without a version id, so nothing can be found by version; enable versioning on the bucket");
        return canary.found;
    }
    if canary.lock_is_kept().await && canary.deletion().await {
        canary.shortening().await;
        canary.weakening().await;
        if extent == Extent::Everything {
            canary.create_only().await;
            canary.overwriting().await;
            canary.tagging().await;
        }
        canary.lifting().await;
        canary.bypass().await;
    }
    canary.found
}

/// Puts a canary without a lock on legal hold, tries to delete it, lifts the hold and deletes it: only so is it the hold that is met, and nothing
/// is left behind. Where the bucket locks it by default, less can be shown, and it stays as long as that.
pub async fn try_hold(store: &dyn Probed, clock: &dyn Clock) -> Vec<Tried> {
    let key = canary_key(clock, "-hold");
    let at = clock.now().ceil_seconds();
    let body = Bytes::from(format!(
        "spanseal doctor, {at}: on legal hold for a moment to see whether this store keeps holds. Nothing reads it.\n"
    ));
    // It has none; what a canary has to say of a lock is never asked of this one.
    let lock = Lock { mode: Mode::Governance, retain_until: at };
    let mut canary = Canary { store, key, version: None, lock, body, attempt: Attempt::Hold, found: Vec::new() };
    match store.put(&canary.key, canary.body.clone(), Condition::CreateOnly, None).await {
        Ok(version @ Some(_)) => canary.version = version,
        Ok(None) => {
            canary.unknown("whether legal holds are kept", &"the store answered without a version id");
            return canary.found;
        }
        Err(error) => {
            canary.unknown("whether legal holds are kept", &error);
            return canary.found;
        }
    }
    let by_default = match canary.head().await {
        Ok(head) => head.and_then(|head| head.lock),
        Err(error) => {
            canary.unknown("whether legal holds are kept", &error);
            return canary.found;
        }
    };
    if canary.holding().await && canary.deletion_on_hold(by_default.is_some()).await {
        canary.releasing(by_default).await;
    }
    canary.found
}

struct Canary<'s> {
    store: &'s dyn Probed,
    key: ObjectKey,
    version: Option<VersionId>,
    lock: Lock,
    body: Bytes,
    /// What is being tried.
    attempt: Attempt,
    found: Vec<Tried>,
}

impl Canary<'_> {
    fn found(&mut self, finding: Finding) {
        self.found.push(Tried { attempt: self.attempt, finding });
    }

    fn good(&mut self, said: impl Into<String>) {
        self.found(Finding::Good(said.into()));
    }

    fn odd(&mut self, said: impl Into<String>) {
        self.found(Finding::Odd(said.into()));
    }

    fn bad(&mut self, said: impl Into<String>) {
        self.found(Finding::Bad(said.into()));
    }

    fn unknown(&mut self, what: &str, why: &dyn std::fmt::Display) {
        self.found(Finding::Unknown(format!("{what} could not be found out: {why}")));
    }

    async fn head(&self) -> Result<Option<Head>, ReadError> {
        self.store.head(&self.key, self.version.as_ref()).await
    }

    /// Reads the lock back; without it the rest shows nothing.
    async fn lock_is_kept(&mut self) -> bool {
        self.attempt = Attempt::ReadLock;
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
        self.attempt = Attempt::Delete;
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

    /// Whether it is on legal hold.
    async fn holding(&mut self) -> bool {
        self.attempt = Attempt::Hold;
        match self.store.hold(&self.key, self.version.as_ref(), true).await {
            Ok(()) => {}
            Err(error @ PutError::Refused { .. }) => {
                self.odd(format!(
                    "these credentials may put no canary on legal hold, so whether the store keeps holds was not tried; whoever runs `spanseal hold place` \
                     needs {}: {error}",
                    self.store.words().put_hold
                ));
                self.remove().await;
                return false;
            }
            Err(error) => {
                self.unknown("whether legal holds are kept", &error);
                self.remove().await;
                return false;
            }
        }
        match self.head().await {
            Ok(Some(head)) if head.legal_hold => self.good(format!("`{}` was put on legal hold, and shows it", self.key)),
            // Not shown is not "not kept": a HEAD shows it to whoever may read it.
            Ok(Some(_)) => self.unknown(
                "whether a legal hold is kept",
                &format!("the store took one and does not show it; these credentials may lack {}", self.store.words().read_hold),
            ),
            Ok(None) => {
                self.bad("the canary cannot be found right after it was put on legal hold");
                return false;
            }
            Err(error) => self.unknown("whether a legal hold is kept", &error),
        }
        true
    }

    /// Whether it is still there. No bypass is for holds, so none may help.
    async fn deletion_on_hold(&mut self, locked: bool) -> bool {
        self.attempt = Attempt::HoldDelete;
        // A default lock gives way to the bypass, and then only the hold is left: that, too, is to be seen.
        for bypass in [false, true] {
            let how = if bypass { " with the governance bypass" } else { "" };
            let probed = self.store.probe_delete(&self.key, self.version.as_ref(), bypass).await;
            match (probed, self.head().await) {
                (_, Ok(None)) => {
                    self.bad(format!("the store deleted a version on legal hold{how}: `spanseal hold place` keeps nothing here"));
                    return false;
                }
                (Ok(DeleteProbe::Refused(words)), Ok(Some(_))) => {
                    let both = if locked { "; the bucket's default lock may have refused it as well" } else { "" };
                    self.good(format!("deleting a version on legal hold{how} was refused ({words}){both}"));
                }
                (Ok(DeleteProbe::Accepted), Ok(Some(_))) => {
                    self.odd(format!("the store said yes to deleting a version on legal hold{how}, and kept it; do not trust its answers"));
                }
                (Err(error), _) | (_, Err(error)) => self.unknown("whether deleting what is on legal hold is refused", &error),
            }
        }
        true
    }

    async fn releasing(&mut self, by_default: Option<Lock>) {
        self.attempt = Attempt::HoldLift;
        let stays = format!("`{}` stays on hold until somebody lifts it who may ({})", self.key, self.store.words().put_hold);
        match self.store.hold(&self.key, self.version.as_ref(), false).await {
            Ok(()) => {}
            Err(error @ PutError::Refused { .. }) => {
                return self.odd(format!(
                    "these credentials may place legal holds and lift none, so they can release no matter: {error}. {stays}"
                ));
            }
            Err(error) => return self.unknown(&format!("whether a legal hold can be lifted ({stays})"), &error),
        }
        match self.head().await {
            Ok(Some(head)) if head.legal_hold => return self.odd(format!("the store said yes to lifting the hold, and kept it: {stays}")),
            Ok(_) => {}
            Err(error) => return self.unknown(&format!("whether a legal hold was lifted ({stays})"), &error),
        }
        let left = match (by_default, self.remove().await) {
            (_, true) => "and then the canary could be deleted: nothing of it stays".to_owned(),
            (Some(lock), false) => format!("the canary stays until {}, because the bucket locks new objects by default", lock.retain_until),
            (None, false) => format!("`{}` could not be deleted, and stays", self.key),
        };
        self.good(format!("the legal hold was lifted; {left}"));
    }

    /// Whether a canary that nothing keeps is gone.
    async fn remove(&self) -> bool {
        let _ = self.store.probe_delete(&self.key, self.version.as_ref(), false).await;
        matches!(self.head().await, Ok(None))
    }

    async fn shortening(&mut self) {
        self.attempt = Attempt::Shorten;
        let shorter = Lock { mode: self.lock.mode, retain_until: UnixSeconds(self.lock.retain_until.0 - DAY_SECONDS / 2) };
        let unguarded = self.lock.mode == Mode::Governance && self.store.words().governance == Governance::Unguarded;
        let answered = self.store.probe_shorten(&self.key, self.version.as_ref(), shorter).await;
        match (answered, self.head().await) {
            (Ok(()), Ok(Some(Head { lock: Some(found), .. }))) if unguarded && !found.covers(self.lock) => self.odd(
                "a lock in GOVERNANCE was shortened, and needed no bypass: here it holds off only who may not set locks, which a writer may; \
                 only COMPLIANCE binds the writer",
            ),
            (_, Ok(head)) if head.as_ref().and_then(|h| h.lock).is_none_or(|found| !found.covers(self.lock)) => {
                self.bad("the store shortened a lock without the governance bypass: retention is not enforced");
            }
            (Err(PutError::Refused { .. }), Ok(_)) => self.good("shortening the lock was refused"),
            (Err(error), Ok(_)) => self.unknown("whether shortening is refused", &error),
            (Ok(()), Ok(_)) => self.odd("the store said yes to shortening the lock, and kept it; do not trust its answers"),
            (_, Err(error)) => self.unknown("whether shortening is refused", &error),
        }
    }

    /// COMPLIANCE that may become GOVERNANCE is none: the bypass takes it from there. Stores have had just this hole beside all that is tried otherwise.
    async fn weakening(&mut self) {
        if self.lock.mode != Mode::Compliance {
            return;
        }
        self.attempt = Attempt::Weaken;
        let weaker = Lock { mode: Mode::Governance, ..self.lock };
        let answered = self.store.probe_shorten(&self.key, self.version.as_ref(), weaker).await;
        match (answered, self.head().await) {
            (_, Ok(head)) if head.as_ref().and_then(|h| h.lock).is_none_or(|found| !found.covers(self.lock)) => {
                self.bad("the store made GOVERNANCE of a lock in COMPLIANCE, from where the bypass lifts it: COMPLIANCE is not enforced")
            }
            (Err(PutError::Refused { .. }), Ok(_)) => self.good("making GOVERNANCE of the lock was refused"),
            (Err(error), Ok(_)) => self.unknown("whether a weaker mode is refused", &error),
            (Ok(()), Ok(_)) => self.odd("the store said yes to making GOVERNANCE of the lock, and kept it; do not trust its answers"),
            (_, Err(error)) => self.unknown("whether a weaker mode is refused", &error),
        }
    }

    /// The same bytes once more, create-only. A store that ignores the condition keeps both; then the oldest version is the truth.
    async fn create_only(&mut self) {
        self.attempt = Attempt::CreateOnly;
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
        self.attempt = Attempt::Overwrite;
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
        self.attempt = Attempt::Tag;
        let tag = Tag::PARTIAL;
        let key = ObjectKey(format!("{}-tagged", self.key));
        let piles_up = "so no lifecycle rule finds partial tiles, and they stay: some 1.1 GB a day at a seal a second";
        let version = match self.store.put_tagged(&key, self.body.clone(), Some(self.lock), tag).await {
            Ok(version) => version,
            Err(error) => return self.unknown("whether tags are kept", &error),
        };
        if let Some(reason) = self.store.tags_refused() {
            let right = self.store.words().put_tag;
            return self.odd(format!("the store takes no object tags, {piles_up}. Allow {right}. It said: {reason}"));
        }
        match self.store.has_tag(&key, version.as_ref(), tag).await {
            Ok(true) => self.good(format!("the tag `{}={}` was kept: lifecycle rules find partial tiles by it", tag.name, tag.value)),
            Ok(false) => self.odd(format!("the store dropped the tag `{}={}`, {piles_up}", tag.name, tag.value)),
            Err(error) => {
                let right = self.store.words().read_tag;
                self.odd(format!("an object was put with a tag; whether it was kept could not be read ({right}): {error}"));
            }
        }
    }

    /// An empty retention with the bypass takes a GOVERNANCE lock off. Some servers (MinIO) let everybody do that who may set a lock at all,
    /// so whoever writes may. It is put on again, so that what comes after meets a locked version.
    async fn lifting(&mut self) {
        self.attempt = Attempt::BypassLift;
        let what = "whether the governance bypass lifts the lock";
        let probed = match self.store.probe_lift(&self.key, self.version.as_ref()).await {
            Ok(None) => return,
            Ok(Some(probed)) => Ok(probed),
            Err(error) => Err(error),
        };
        let head = match self.head().await {
            Ok(Some(head)) => head,
            Ok(None) => return self.bad("the version was gone after its lock was to be lifted: it is not write-once storage"),
            Err(error) => return self.unknown(what, &error),
        };
        let is_kept = head.lock.is_some_and(|found| found.covers(self.lock));
        match (self.lock.mode, is_kept, probed) {
            (Mode::Compliance, false, _) => {
                self.bad("the governance bypass lifted a lock in COMPLIANCE: its locks are not enforced, so it is not write-once storage");
            }
            (Mode::Governance, false, _) => self.odd(
                "these credentials may bypass governance, and lifted the canary's lock so: whoever has them can unlock evidence in GOVERNANCE \
                 and then delete it; take s3:BypassGovernanceRetention from them, and where the store asks for no such right (MinIO), also \
                 s3:PutObjectRetention, or use COMPLIANCE",
            ),
            (_, true, Ok(DeleteProbe::Refused(words))) => self.good(format!("lifting its lock with the governance bypass was refused ({words})")),
            (_, true, Ok(DeleteProbe::Accepted)) => {
                self.odd("the store said yes to lifting the lock with the bypass, and kept it; do not trust its answers");
            }
            (_, true, Err(error)) => self.unknown(what, &error),
        }
        if !is_kept && let Err(error) = self.store.extend(&self.key, self.version.as_ref(), self.lock).await {
            self.unknown("whether a lock that was lifted can be put on again", &error);
        }
    }

    /// Last, because it may succeed: GOVERNANCE gives way to whoever has the right to bypass it.
    async fn bypass(&mut self) {
        self.attempt = Attempt::BypassDelete;
        let probed = self.store.probe_delete(&self.key, self.version.as_ref(), true).await;
        match (self.lock.mode, probed, self.head().await) {
            (Mode::Compliance, _, Ok(None)) => {
                self.bad("the governance bypass deleted a version in COMPLIANCE: its locks are not enforced, so it is not write-once storage");
            }
            (Mode::Governance, _, Ok(None)) => self.odd(format!(
                "these credentials may bypass governance, and deleted the canary so: whoever has them can delete evidence that is locked in \
                 GOVERNANCE; {}",
                self.store.words().against_bypass
            )),
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
