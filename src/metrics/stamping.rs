//! Figures of the time stamps: what [`Figures`] counts, under the names of the table.

use std::sync::Arc;

use super::{Gather, Source, table};
use crate::clock::Clock;
use crate::seal::Stats;
use crate::stamping::Figures;

/// What was reached with the authorities.
#[derive(Debug)]
pub struct StampingFigures {
    /// Written by the task that asks them.
    pub figures: Arc<Figures>,
    /// For the size of the log.
    pub stats: Arc<Stats>,
    /// For the age of the newest token.
    pub clock: Arc<dyn Clock>,
}

impl Source for StampingFigures {
    fn gather(&self, out: &mut Gather) {
        let newest = self.figures.newest();
        out.count(&table::STAMPED_LAG, &[], self.stats.tree_size.value().saturating_sub(newest.map_or(0, |newest| newest.up_to)));
        // None yet: no age, rather than one of fifty years.
        if let Some(newest) = newest {
            let age = self.clock.now().ceil_seconds().0.saturating_sub(newest.at.0);
            out.count(&table::STAMPED_AGE, &[], u64::try_from(age).unwrap_or(0));
        }
        for (authority, outcome, times) in self.figures.outcomes() {
            out.count(&table::STAMP_ATTEMPTS, &[("authority", authority), ("outcome", outcome)], times);
        }
        out.count(&table::STAMP_RENEWALS, &[], self.figures.renewals());
    }
}
