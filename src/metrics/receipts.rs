//! Figures of the questions where a trace is sealed.

use super::{Counter, Gather, Source, table};

/// What came of such a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptsOutcome {
    /// Records were named.
    Found,
    /// Nothing of it is sealed yet, as far as was asked.
    NotFound,
    /// Something could not be searched, so there may be more.
    Incomplete,
    /// Too many asked at once, the search took too long, or the log was not open.
    Busy,
    /// The store did not answer.
    Unread,
    /// No trace id, or a parameter that there is not.
    Wrong,
}

impl ReceiptsOutcome {
    const ALL: [(ReceiptsOutcome, &'static str); 6] = [
        (ReceiptsOutcome::Found, "found"),
        (ReceiptsOutcome::NotFound, "not_found"),
        (ReceiptsOutcome::Incomplete, "incomplete"),
        (ReceiptsOutcome::Busy, "busy"),
        (ReceiptsOutcome::Unread, "unread"),
        (ReceiptsOutcome::Wrong, "wrong"),
    ];
}

/// How many there were of each.
#[derive(Debug, Default)]
pub struct ReceiptsFigures([Counter; ReceiptsOutcome::ALL.len()]);

impl ReceiptsFigures {
    /// Counts a question that was answered.
    pub fn answered(&self, outcome: ReceiptsOutcome) {
        let counted = ReceiptsOutcome::ALL.iter().zip(&self.0).find(|((of, _), _)| *of == outcome);
        counted.into_iter().for_each(|(_, counter)| counter.add(1));
    }
}

impl Source for ReceiptsFigures {
    fn gather(&self, out: &mut Gather) {
        for ((_, word), counter) in ReceiptsOutcome::ALL.iter().zip(&self.0) {
            out.count(&table::RECEIPTS, &[("outcome", *word)], counter.value());
        }
    }
}
