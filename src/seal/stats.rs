//! Figures of the writer, for the metrics table: plain atomics, written by the sealer, read by anyone.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::metrics::Histogram;

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What the writer counts. Names are those of the metrics table.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($(#[$doc])* pub $name: Figure,)*
            /// From the first record of a batch to its commit: what its sender waited for.
            pub duration: Histogram,
            /// How long the vault takes for what the records of a seal keep apart.
            pub vault_put: Histogram,
        }
    };
}

/// One figure.
#[derive(Debug, Default)]
pub struct Figure(AtomicU64);

impl Figure {
    /// Its value now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }
}

stats! {
    /// Seals committed, heartbeats among them.
    seals,
    /// Seals without segments.
    heartbeats,
    /// Records sealed.
    records,
    /// Equal records that were not stored again.
    duplicates,
    /// Bytes of record lines sealed.
    line_bytes,
    /// Bytes of the segments that seals name.
    stored_bytes,
    /// Batches that failed before they were signed; their senders were told to try again.
    failed_batches,
    /// Unix time in seconds since when every batch has failed; 0 while the newest was sealed.
    failing_since,
    /// Segment puts that were made again.
    segment_retries,
    /// Bytes of content that the vault has taken, before it compressed them; of batches that failed afterwards too.
    vault_bytes,
    /// Contents that these are.
    vault_pieces,
    /// Batches that failed because the vault did not take what they keep apart.
    vault_failures,
    /// Unix time in seconds since when the vault takes nothing; 0 while it takes what it is given.
    vault_failing_since,
    /// Objects of persons that must be in the vault and are not, or persons who were lost with them and are not written again yet.
    vault_lost_persons,
    /// Seals whose packs must be in the vault and are not there or not whole.
    vault_lost_packs,
    /// Packs whose retention is over and that stay: legal holds are open, or it is not known whether any is.
    vault_held_packs,
    /// Seconds by which the newest seal is later than what is believed of the time when content of the vault expires; 0 while all is well.
    vault_clock_ahead_seconds,
    /// Seals of which it was not known at once whether they are committed: an answer was lost, or the store says two things.
    commit_doubts,
    /// Seal puts that were made again, those among them that the store had refused or never saw.
    commit_retries,
    /// 1 while a signed seal is not known to be committed.
    in_doubt,
    /// Nanoseconds from the close of a batch to its commit, summed.
    seal_nanos,
    /// Entries in the window in which duplicates are recognised.
    dedup_entries,
    /// Age in seconds of the oldest of them, when the newest seal closed. By itself it says nothing: it is short on a quiet system and after
    /// a start on a young log.
    dedup_window_seconds,
    /// Entries forgotten before `seal.dedup_window` was over, because `seal.dedup_bytes` was full.
    dedup_evicted,
    /// Tree size of the newest commit.
    tree_size,
    /// Unix time in seconds of the newest commit's `sealed_at`.
    sealed_at,
    /// Tree size of the newest published checkpoint; 0 while there is none.
    published_tree_size,
    /// Publications of the checkpoint that failed; they are made up at the next interval.
    publish_failures,
}
