//! The locks of evidence that an earlier process wrote: what that process may not have lived to read back.
//!
//! An evidence lock is that of the classes configured when the evidence is written (`store.md`, "Evidence lock"). So what is there is
//! repaired up to what was due then: today's classes may be stricter, and a lock that they raise, nobody can lift.

use super::{OpenError, Opening};
use crate::clock::UnixSeconds;
use crate::record::canonical::Json;
use crate::retain::Classes;
use crate::seal::chain::{config_in_force, retried, seal_at};
use crate::seal::lineage::Lineage;
use crate::tlog::seal_file::{LogFile, SealFile};
use crate::worm::{Lock, Locks, ObjectKey, Version, ensure_locked, log_key, seal_key};

/// Evidence that is there.
struct Evidence<'a> {
    key: ObjectKey,
    version: &'a Version,
    written: UnixSeconds,
    /// Locks of the segments that it names.
    segments: Vec<Lock>,
    /// The seal under whose configuration it was written.
    under: u64,
}

impl Opening<'_> {
    /// Whoever made the log may have died before the lock of `log.json` was read back.
    pub(super) async fn confirm_log_file(&self, lineage: &Lineage, file: &LogFile, version: &Version) -> Result<(), OpenError> {
        // The first seal is of the process that made the log, or of the one that took it up.
        let evidence = Evidence { key: log_key(self.log), version, written: file.created, segments: Vec::new(), under: 0 };
        self.confirm(lineage, evidence).await
    }

    /// A predecessor may have died between the commit and the look at its lock; no other seal can be in that case.
    pub(super) async fn confirm_newest(&self, lineage: &Lineage, seal: &SealFile) -> Result<(), OpenError> {
        let index = seal.statement.index;
        let at = seal_at(self.store.as_ref(), self.log, index, lineage, None).await?;
        let Some((version, _, _)) = at.truth else { return Ok(()) };
        let segments = seal.statement.segments.iter().map(|s| s.lock).collect();
        let key = seal_key(self.log, index);
        self.confirm(lineage, Evidence { key, version: &version, written: seal.statement.sealed_at, segments, under: index }).await
    }

    async fn confirm(&self, lineage: &Lineage, evidence: Evidence<'_>) -> Result<(), OpenError> {
        if self.store.locks() == Locks::None {
            return Ok(());
        }
        let id = evidence.version.id.as_ref();
        let found = retried(|| self.store.head(&evidence.key, id)).await?.and_then(|head| head.lock);
        // Almost always: the configuration is the same, and the lock is there. What was due then need not be looked up.
        let today = self.classes.evidence_lock(evidence.written, evidence.segments.iter().copied());
        if found.is_some_and(|found| found.covers(today)) {
            return Ok(());
        }
        let due = self.due(lineage, &evidence).await?.unwrap_or(today);
        if due.retain_until > self.clock.now().ceil_seconds() {
            ensure_locked(self.store.as_ref(), &evidence.key, id, due).await?;
        }
        Ok(())
    }

    /// What was due when it was written. `None`: nothing is left that tells.
    async fn due(&self, lineage: &Lineage, evidence: &Evidence<'_>) -> Result<Option<Lock>, OpenError> {
        let segments = evidence.segments.iter().copied();
        if let Some(seal) = self.truth(lineage, evidence.under, None).await?
            && let Some(text) = config_in_force(self.store.as_ref(), self.log, lineage, &seal).await?
            && let Ok(configuration) = Json::parse(text.as_bytes())
            && let Some(lock) = Classes::evidence_lock_under(&configuration, evidence.written, segments.clone())
        {
            return Ok(Some(lock));
        }
        // The record of that configuration is gone. A seal still says of its segments what is locked, and that much was due.
        Ok(segments.reduce(Lock::join))
    }
}
