//! Figures of the retention: what the last look at the locks found, under the names of the table.

use std::sync::Arc;

use super::{Gather, Source, table};
use crate::clock::Clock;
use crate::govern::Figures;
use crate::verify::Verdict;

/// What was found.
#[derive(Debug)]
pub struct RetentionFigures {
    /// Written by the task that looks.
    pub figures: Arc<Figures>,
    /// For the age of the newest attestation.
    pub clock: Arc<dyn Clock>,
}

impl Source for RetentionFigures {
    fn gather(&self, out: &mut Gather) {
        // None yet: no figure, rather than one that says that all is well.
        let Some(last) = self.figures.last() else { return };
        let age = self.clock.now().ceil_seconds().0.saturating_sub(last.at.0);
        out.count(&table::ATTESTED_AGE, &[], u64::try_from(age).unwrap_or(0));
        for verdict in [Verdict::Verified, Verdict::Findings, Verdict::Unchecked] {
            out.count(&table::ATTESTED_VERDICT, &[("verdict", verdict.as_str())], u64::from(verdict == last.verdict));
        }
        for (name, count) in last.locks.counts().into_iter().filter(|(name, _)| *name != "objects") {
            out.count(&table::RETENTION_OBJECTS, &[("lock", name)], count);
        }
        for (kind, count) in last.findings {
            out.count(&table::RETENTION_FINDINGS, &[("kind", kind)], count);
        }
    }
}
