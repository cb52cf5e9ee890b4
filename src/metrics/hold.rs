//! Figures of holds and extensions that are open.

use super::{Counter, Gather, Gauge, Source, table};

/// What the task that carries them out has reached.
#[derive(Debug, Default)]
pub struct HoldFigures {
    /// Holds and extensions that are open.
    pub open: Gauge,
    /// Committed seals that were not searched yet for what an open hold keeps.
    pub behind: Gauge,
    /// Segments that this process put on hold.
    pub held: Counter,
    /// Rounds that failed.
    pub failures: Counter,
}

impl Source for HoldFigures {
    fn gather(&self, out: &mut Gather) {
        out.count(&table::HOLDS_OPEN, &[], self.open.value());
        out.count(&table::HOLDS_BEHIND, &[], self.behind.value());
        out.count(&table::HOLDS_HELD, &[], self.held.value());
        out.count(&table::HOLDS_FAILURES, &[], self.failures.value());
    }
}
