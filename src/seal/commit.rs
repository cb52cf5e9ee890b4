//! The commit: a signed seal becomes the log, or this writer stops.
//!
//! A process never signs an index twice. So once a seal is signed, the only way forward is to commit **these bytes**: a put whose
//! outcome is unknown, refused or lost is read back and made again with the same bytes until the answer is certain, or until somebody
//! else's seal stands there. Putting the same bytes again is idempotent: a second version of equal bytes is a note to a verifier, and
//! the client of the store below makes no retries of its own.

use std::time::Duration;

use bytes::Bytes;

use super::chain::{seal_at, versions_with_bytes};
use super::lineage::Lineage;
use super::stats::Stats;
use crate::tlog::seal_file::SealFile;
use crate::worm::{Condition, Lock, Locks, ObjectKey, PutError, SEAL_BYTES_MAX, VersionId, WormStore, ensure_locked, seal_key};

/// First wait between two attempts; it doubles up to [`DOUBT_WAIT_MAX`].
const DOUBT_WAIT: Duration = Duration::from_millis(100);
/// Longest wait between two attempts.
const DOUBT_WAIT_MAX: Duration = Duration::from_secs(5);

/// Why a writer stops for good.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// Another writer's seal is the truth at this index.
    #[error("another writer has committed seal {index} of this log; this one stops so that the log does not fork. Run one writer a log")]
    Displaced {
        /// The index.
        index: u64,
    },
    /// The seal is committed, but the store did not keep its lock and it could not be repaired.
    #[error("seal {index} is committed, but its lock is not: {source}")]
    Unlocked {
        /// The index.
        index: u64,
        /// What the store did.
        source: PutError,
    },
    /// Our own mistake: what was to be sealed breaks the format.
    #[error("the seal could not be written: {0}")]
    Format(String),
    /// Our own mistake: a task that runs as long as the process does has ended.
    #[error("{task} broke off: {reason}; start again, and recovery takes the log up where it stands")]
    Broken {
        /// Which.
        task: &'static str,
        /// What became of it.
        reason: String,
    },
    /// The process was told to stop, and its last seal did not come to be.
    #[error("the last seal could not be written: {reason}. {}", of_refused(*refused))]
    Unsealed {
        /// What forbade it.
        reason: String,
        /// Requests that waited for it and were told to try again.
        refused: usize,
    },
    /// A key that only foreign objects occupy, on a store where putting over them would destroy them.
    #[error("`{key}` holds an object that is not of this log, and this store keeps no versions; move it away")]
    Occupied {
        /// The key.
        key: ObjectKey,
    },
}

fn of_refused(refused: usize) -> String {
    let said = "the log does not say that it stopped on purpose";
    match refused {
        0 => format!("Nobody waited for it, but {said}"),
        1 => format!("1 waiting request was refused, its sender has to send it again, and {said}"),
        n => format!("{n} waiting requests were refused, their senders have to send them again, and {said}"),
    }
}

/// What committing needs.
pub(crate) struct Commit<'a> {
    pub(crate) store: &'a dyn WormStore,
    pub(crate) log: &'a str,
    pub(crate) lineage: &'a Lineage,
    /// The store ignores create-only: a 200 counts only once the version listing shows one's own as the oldest.
    pub(crate) careful: bool,
    pub(crate) stats: &'a Stats,
}

/// Where an attempt left the key.
enum Standing {
    Ours(Option<VersionId>),
    Theirs,
    Absent,
    /// Something lies there that is not of the log (or a delete marker blocks the create-only put).
    Foreign,
}

impl Commit<'_> {
    /// Commits `seal`. Returns when it is committed and its lock was read back. Does not give up on a store that is away.
    pub(crate) async fn commit(&self, seal: &SealFile, before: Option<&SealFile>, bytes: Bytes, lock: Lock) -> Result<(), Fatal> {
        let index = seal.statement.index;
        let key = seal_key(self.log, index);
        let wanted = (self.store.locks() == Locks::Enforced).then_some(lock);
        let mut condition = Condition::CreateOnly;
        let mut wait = DOUBT_WAIT;
        let mut doubted = false;
        loop {
            let attempt = self.store.put(&key, bytes.clone(), condition, wanted).await;
            let mut doubt = matches!(attempt, Err(PutError::Unknown { .. }));
            let standing = match &attempt {
                Ok(version) if !self.careful && condition == Condition::CreateOnly => Standing::Ours(version.clone()),
                Ok(_) | Err(PutError::Exists { .. } | PutError::Unknown { .. }) => self.standing(index, before, &bytes).await,
                Err(_) => Standing::Absent,
            };
            // Stored or in the way, by the store's own word, and yet not there: that is not knowing either.
            doubt |= matches!((&attempt, &standing), (Ok(_) | Err(PutError::Exists { .. }), Standing::Absent));
            if doubt && !doubted {
                doubted = true;
                self.stats.commit_doubts.add(1);
            }
            // What a folder shows after a put of unknown outcome may be in memory only: the next put of the same bytes knows.
            let settled = self.store.versioned() || !attempt.as_ref().is_err_and(PutError::is_unknown);
            match standing {
                Standing::Ours(version) if settled => {
                    self.confirm_lock(index, &key, version.as_ref(), lock).await?;
                    self.stats.in_doubt.set(0);
                    return Ok(());
                }
                Standing::Theirs => return Err(Fatal::Displaced { index }),
                Standing::Foreign if !self.store.versioned() => return Err(Fatal::Occupied { key }),
                // Only foreign versions: put without the condition and decide by listing.
                Standing::Foreign if condition == Condition::CreateOnly => {
                    condition = Condition::Any;
                    continue;
                }
                Standing::Ours(_) | Standing::Foreign | Standing::Absent => {}
            }
            self.stats.commit_retries.add(1);
            self.stats.in_doubt.set(1);
            let reason = attempt.err().map_or_else(|| "it is not listed".to_owned(), |e| e.to_string());
            tracing::warn!(index, reason, "seal.commit.again");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(DOUBT_WAIT_MAX);
        }
    }

    /// Reads the key back. A store that cannot be read leaves the outcome open, which is the same as absent: the bytes are put again.
    async fn standing(&self, index: u64, before: Option<&SealFile>, bytes: &Bytes) -> Standing {
        match seal_at(self.store, self.log, index, self.lineage, before).await {
            Ok(at) => match at.truth {
                Some((version, found, _)) if found == *bytes => Standing::Ours(version.id),
                Some(_) => Standing::Theirs,
                None if at.newer.is_some() => Standing::Theirs,
                None if at.others > 0 => Standing::Foreign,
                None => match self.store.versions(&seal_key(self.log, index)).await {
                    // Nothing but delete markers, behind which some stores refuse a create-only put.
                    Ok(versions) if !versions.is_empty() => Standing::Foreign,
                    _ => Standing::Absent,
                },
            },
            Err(e) => {
                tracing::warn!(index, reason = %e, "seal.commit.unreadable");
                Standing::Absent
            }
        }
    }

    async fn confirm_lock(&self, index: u64, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), Fatal> {
        let mut wait = DOUBT_WAIT;
        loop {
            match ensure_locked(self.store, key, version, lock).await {
                Ok(()) => return Ok(()),
                Err(e) if e.is_retryable() => {
                    self.stats.in_doubt.set(1);
                    tracing::warn!(index, reason = %e, "seal.lock.again");
                }
                Err(source) => return Err(Fatal::Unlocked { index, source }),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(DOUBT_WAIT_MAX);
        }
    }
}

/// The oldest data version at `key` whose bytes are exactly these.
pub(crate) async fn own_version(
    store: &dyn WormStore,
    key: &ObjectKey,
    bytes: &[u8],
) -> Result<Option<Option<VersionId>>, crate::worm::ReadError> {
    let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX).max(SEAL_BYTES_MAX);
    let versions = versions_with_bytes(store, key, limit).await?;
    Ok(versions.into_iter().find(|(_, found)| found.as_ref() == bytes).map(|(version, _)| version.id))
}
