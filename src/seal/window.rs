//! Filling the window of duplicates at start, from the newest segments (`record.md` section 5, rule 9).
//!
//! At a seal a second an hour is 3600 seals, each a version listing and a read, and a read more for each segment: one after the other
//! that takes minutes on a distant store, during which nothing is received. So several seals are read at a time.

use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::sync::Semaphore;

use super::chain::{seal_at, segment_lines};
use super::dedup::Key;
use super::lineage::Lineage;
use crate::clock::UnixSeconds;
use crate::record::sameness_of_line;
use crate::tlog::RootHash;
use crate::tlog::seal_file::SealFile;
use crate::worm::{ReadError, WormStore};

/// Seals read at a time: with 50 ms an answer, an hour of a seal a second takes half a minute; and 16 are at most 4 MiB of seals.
const SEALS_AT_ONCE: usize = 16;
/// Stored bytes of segments in memory at a time: the largest one alone, or many small ones. They are decoded line by line.
const SEGMENT_BYTES_AT_ONCE: u32 = 64 * 1024 * 1024;

/// What one seal of the window holds.
#[derive(Debug)]
pub(crate) struct Holding {
    /// Its index.
    pub(crate) seal: u64,
    pub(crate) sealed_at: UnixSeconds,
    /// Of the tree that it completed.
    pub(crate) root: RootHash,
    pub(crate) keys: Vec<Key>,
}

/// Reads the window.
#[derive(Debug)]
pub(crate) struct WindowReader {
    store: Arc<dyn WormStore>,
    log: String,
    lineage: Lineage,
    /// Seals that closed earlier are out of the window.
    oldest: UnixSeconds,
    bytes: Semaphore,
}

impl WindowReader {
    /// Of one log.
    pub(crate) fn new(store: Arc<dyn WormStore>, log: String, lineage: Lineage, oldest: UnixSeconds) -> Arc<Self> {
        let permits = usize::try_from(SEGMENT_BYTES_AT_ONCE).unwrap_or(Semaphore::MAX_PERMITS);
        Arc::new(WindowReader { store, log, lineage, oldest, bytes: Semaphore::new(permits) })
    }

    /// The records of the newest seals, newest first, as far back as the window and `room` entries reach; the last seal read may exceed
    /// `room`.
    pub(crate) async fn read(self: Arc<Self>, newest: SealFile, room: usize) -> Result<Vec<Holding>, ReadError> {
        let before = (0..newest.statement.index).rev();
        let mut found: Vec<Holding> = Arc::clone(&self).holding(newest).await.into_iter().collect();
        let mut records = found.iter().map(|holding| holding.keys.len()).sum::<usize>();
        // One level of buffering only: every request that is under way is looked after as long as this waits.
        let mut seals = stream::iter(before.map(|index| Arc::clone(&self).seal(index))).buffered(SEALS_AT_ONCE);
        while records < room {
            let Some(holding) = seals.next().await.transpose()?.flatten() else { break };
            records += holding.keys.len();
            found.push(holding);
        }
        Ok(found)
    }

    /// `None`: there is no such seal, or it is out of the window.
    async fn seal(self: Arc<Self>, index: u64) -> Result<Option<Holding>, ReadError> {
        match seal_at(self.store.as_ref(), &self.log, index, &self.lineage, None).await?.truth {
            Some((_, _, seal)) => Ok(self.holding(seal).await),
            None => Ok(None),
        }
    }

    async fn holding(self: Arc<Self>, seal: SealFile) -> Option<Holding> {
        let (index, sealed_at) = (seal.statement.index, seal.statement.sealed_at);
        if sealed_at < self.oldest {
            return None;
        }
        let mut found = Holding { seal: index, sealed_at, root: seal.range_after().root(), keys: Vec::new() };
        for segment in &seal.statement.segments {
            let share = u32::try_from(segment.bytes).unwrap_or(u32::MAX).min(SEGMENT_BYTES_AT_ONCE);
            let _share = self.bytes.acquire_many(share).await.ok();
            match segment_lines(self.store.as_ref(), &self.log, segment, sameness_of_line).await {
                Ok(Some(keys)) => found.keys.extend(keys.into_iter().map(|(id, sameness)| Key(id, sameness))),
                // Disturbed evidence is the verifier's to judge; here it costs duplicates, not records.
                Ok(None) => tracing::warn!(segment = segment.key, reason = "it is gone", "dedup.segment.unreadable"),
                Err(e) => tracing::warn!(segment = segment.key, reason = %e, "dedup.segment.unreadable"),
            }
        }
        Some(found)
    }
}
