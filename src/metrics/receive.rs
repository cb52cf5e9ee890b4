//! Figures of the receiver, under the names of the table.

use std::sync::Arc;

use super::{Gather, Source, table};
use crate::elsewhere::Unfetched;
use crate::otlp::answer::Signal;
use crate::promote::Skip;
use crate::receive::{Outcome, Overdue, ReceiveMetrics};

/// The receiver's figures.
#[derive(Debug)]
pub struct ReceiveFigures(pub Arc<ReceiveMetrics>);

impl Source for ReceiveFigures {
    fn gather(&self, out: &mut Gather) {
        let figures = &self.0;
        let signals = Signal::ALL.map(|s| (Some(s), s.label()));
        for (signal, label) in signals.into_iter().chain([(None, "unknown")]) {
            for outcome in Outcome::ALL {
                let ended = figures.requests(signal, outcome);
                // Accepted stands there from the start, so that a rate has something to begin with; the rest when it happens.
                if ended > 0 || (outcome == Outcome::Accepted && signal.is_some()) {
                    out.count(&table::REQUESTS, &[("signal", label), ("outcome", outcome.label())], ended);
                }
            }
        }
        for signal in Signal::ALL {
            let labels = [("signal", signal.label())];
            out.count(&table::ITEMS, &labels, figures.items(signal));
            out.count(&table::PROMOTED, &labels, figures.promoted(signal));
            out.count(&table::REJECTED, &labels, figures.rejected(signal));
            out.count(&table::REQUEST_BYTES, &labels, figures.bytes(signal));
        }
        for reason in Skip::ALL {
            out.count(&table::SKIPPED, &[("reason", reason.label())], figures.skipped(reason));
        }
        out.count(&table::UNDECIDED, &[], figures.undecided());
        // Nothing is fetched where no place is configured: the figure begins with the first reference that is looked at.
        let fetched = figures.fetched_contents();
        if fetched > 0 {
            out.count(&table::REFERENCES, &[("outcome", "fetched")], fetched);
        }
        for why in Unfetched::ALL {
            let count = figures.unfetched(why);
            if count > 0 {
                out.count(&table::REFERENCES, &[("outcome", why.label())], count);
            }
        }
        out.count(&table::IN_FLIGHT, &[], figures.in_flight());
        out.count(&table::CONNECTIONS, &[], figures.connections());
        for owed in Overdue::ALL {
            out.count(&table::TIMED_OUT, &[("owed", owed.label())], figures.timed_out(owed));
        }
        out.count(&table::REFUSED, &[], figures.connections_refused());
        out.count(&table::HANDSHAKES_FAILED, &[], figures.handshakes_failed());
    }
}
