//! Figures of the writer: what [`Stats`] and the pool count, under the names of the table.

use std::sync::Arc;
use std::time::Duration;

use super::{Distribution, Gather, Source, table};
use crate::clock::Clock;
use crate::seal::{Pool, Stats};

/// The sealer's figures.
#[derive(Debug)]
pub struct SealFigures {
    /// Written by the sealer.
    pub stats: Arc<Stats>,
    /// The bounded pool.
    pub pool: Pool,
    /// For the age of the newest seal.
    pub clock: Arc<dyn Clock>,
}

impl SealFigures {
    /// How long records wait for their seal, and the vault takes.
    pub fn distributions(&self) -> impl Iterator<Item = Distribution<'_>> {
        [(&table::SEAL_SECONDS, None, &self.stats.duration), (&table::VAULT_SECONDS, None, &self.stats.vault_put)].into_iter()
    }
}

impl Source for SealFigures {
    fn gather(&self, out: &mut Gather) {
        let stats = &self.stats;
        let heartbeats = stats.heartbeats.value();
        out.count(&table::SEALS, &[("content", "records")], stats.seals.value().saturating_sub(heartbeats));
        out.count(&table::SEALS, &[("content", "heartbeat")], heartbeats);
        for (instrument, value) in [
            (&table::SEAL_RECORDS, stats.records.value()),
            (&table::SEAL_DUPLICATES, stats.duplicates.value()),
            (&table::SEAL_LINE_BYTES, stats.line_bytes.value()),
            (&table::SEAL_STORED_BYTES, stats.stored_bytes.value()),
            (&table::SEAL_FAILED, stats.failed_batches.value()),
            (&table::SEAL_SEGMENT_RETRIES, stats.segment_retries.value()),
            (&table::VAULT_BYTES, stats.vault_bytes.value()),
            (&table::VAULT_PIECES, stats.vault_pieces.value()),
            (&table::VAULT_FAILED, stats.vault_failures.value()),
            (&table::VAULT_LOST_PERSONS, stats.vault_lost_persons.value()),
            (&table::VAULT_LOST_PACKS, stats.vault_lost_packs.value()),
            (&table::VAULT_HELD, stats.vault_held_packs.value()),
            (&table::VAULT_CLOCK, stats.vault_clock_ahead_seconds.value()),
            (&table::SEAL_DOUBTS, stats.commit_doubts.value()),
            (&table::SEAL_COMMIT_RETRIES, stats.commit_retries.value()),
            (&table::SEAL_IN_DOUBT, stats.in_doubt.value()),
            (&table::TREE_SIZE, stats.tree_size.value()),
            (&table::CHECKPOINT_LAG, stats.tree_size.value().saturating_sub(stats.published_tree_size.value())),
            (&table::PUBLISH_FAILURES, stats.publish_failures.value()),
            (&table::DEDUP_ENTRIES, stats.dedup_entries.value()),
            (&table::DEDUP_WINDOW, stats.dedup_window_seconds.value()),
            (&table::DEDUP_EVICTED, stats.dedup_evicted.value()),
            (&table::POOL_USED, self.pool.used()),
            (&table::POOL_CAPACITY, self.pool.capacity()),
        ] {
            out.count(instrument, &[], value);
        }
        for (instrument, label, histogram) in self.distributions() {
            out.distribution(instrument, label.as_slice(), histogram);
        }
        out.measure(&table::SEAL_COMMIT_SECONDS, &[], Duration::from_nanos(stats.seal_nanos.value()).as_secs_f64());
        let now = u64::try_from(self.clock.now().ceil_seconds().0).unwrap_or(0);
        match stats.sealed_at.value() {
            // No seal of this process yet: no age, rather than one of fifty years.
            0 => {}
            sealed_at => out.count(&table::LAST_SEAL_AGE, &[], now.saturating_sub(sealed_at)),
        }
    }
}
