//! Retention locks: read back from the store, and compared with the least that must be there.
//!
//! A segment has the lock that its seal names. A seal, `log.json` and full tiles have the evidence lock (`store.md`, "Evidence lock"),
//! which no statement names: it follows from the configuration on record, so it is judged where that one is known (`configuration`).

use super::objects::{Outcome, Scene};
use super::report::{Item, Kind};
use crate::clock::UnixSeconds;
use crate::worm::{Lock, Locks, VersionId, below};

/// What the store says of one version's lock.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Key below the log.
    pub(super) object: String,
    /// `None`: it is not locked.
    pub(super) lock: Option<Lock>,
}

impl Held {
    /// Reads a lock back. `None` where the store has no locks, or the answer could not be had, which is said.
    pub(super) async fn read(
        scene: Scene<'_>,
        out: &mut Outcome,
        seal: Option<u64>,
        object: &str,
        version: Option<&VersionId>,
    ) -> Option<Self> {
        if scene.store.locks() != Locks::Enforced {
            return None;
        }
        let why = match scene.store.head(&below(scene.log, object), version).await {
            Ok(Some(head)) => {
                out.locks_read += 1;
                return Some(Held { object: object.to_owned(), lock: head.lock });
            }
            Ok(None) => "the version vanished while it was looked at".to_owned(),
            Err(error) => error.to_string(),
        };
        out.locks_unread += 1;
        out.sink.unchecked(object, seal, format!("its lock: {why}"));
        None
    }

    /// What is wrong with it. Where nobody knows the least that must be there (`None`), some lock must be, whatever its date.
    pub(super) fn judge(&self, least: Option<Lock>, seal: Option<u64>, now: UnixSeconds) -> Option<Item> {
        // Past its date a lock binds nobody, and a store may no longer show it.
        if least.is_some_and(|least| least.retain_until <= now) {
            return None;
        }
        let (kind, meaning) = match (self.lock, least) {
            (None, _) => (
                Kind::LockMissing,
                "The object is not locked, so it could be deleted before its time. Nothing is lost yet: lock it again and find out who \
                 lifted the lock.",
            ),
            (Some(lock), Some(least)) if !lock.covers(least) => (
                Kind::LockWeak,
                "The lock is shorter or weaker than it must be by what the log's key signed: the seal and, for all but segments, the longest \
                 of the retention classes on record. Nothing is lost yet: extend it and find out who changed it.",
            ),
            _ => return None,
        };
        let expected = least.map_or_else(|| "a lock".to_owned(), |least| format!("at least {}", shown(least)));
        let found = self.lock.map_or_else(|| "no lock".to_owned(), shown);
        Some(Item { seal, ..Item::new(kind, &self.object, meaning).expected(expected).found(found).intact() })
    }
}

/// A lock in words.
pub(super) fn shown(lock: Lock) -> String {
    format!("{} until {}", lock.mode.as_str(), lock.retain_until)
}
