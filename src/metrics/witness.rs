//! Figures of the witnesses: what [`Figures`] counts, under the names of the table.

use std::sync::Arc;

use super::{Gather, Source, table};
use crate::seal::Stats;
use crate::witness::client::Figures;

/// What was reached with the witnesses.
#[derive(Debug)]
pub struct WitnessFigures {
    /// Written by the client of the witnesses.
    pub figures: Arc<Figures>,
    /// For the size of the log.
    pub stats: Arc<Stats>,
}

impl Source for WitnessFigures {
    fn gather(&self, out: &mut Gather) {
        let lag = self.stats.tree_size.value().saturating_sub(self.figures.cosigned().0);
        out.count(&table::COSIGNED_LAG, &[], lag);
        for (witness, size) in self.figures.sizes() {
            out.count(&table::COSIGNED, &[("witness", witness)], size);
        }
        for (witness, outcome, times, newest) in self.figures.outcomes() {
            let labels = [("witness", witness), ("outcome", outcome)];
            out.count(&table::WITNESS_ATTEMPTS, &labels, times);
            out.count(&table::WITNESS_LAST, &labels, u64::from(newest));
        }
    }
}
