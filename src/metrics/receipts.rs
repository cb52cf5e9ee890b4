//! Figures of the questions where a trace is sealed.

use std::sync::Arc;

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
    /// The asker hung up before there was an answer.
    Gone,
}

impl ReceiptsOutcome {
    const ALL: [(ReceiptsOutcome, &'static str); 7] = [
        (ReceiptsOutcome::Found, "found"),
        (ReceiptsOutcome::NotFound, "not_found"),
        (ReceiptsOutcome::Incomplete, "incomplete"),
        (ReceiptsOutcome::Busy, "busy"),
        (ReceiptsOutcome::Unread, "unread"),
        (ReceiptsOutcome::Wrong, "wrong"),
        (ReceiptsOutcome::Gone, "gone"),
    ];
}

/// How many there were of each.
#[derive(Debug, Default)]
pub struct ReceiptsFigures([Counter; ReceiptsOutcome::ALL.len()]);

impl ReceiptsFigures {
    fn count(&self, outcome: ReceiptsOutcome) {
        let counted = ReceiptsOutcome::ALL.iter().zip(&self.0).find(|((of, _), _)| *of == outcome);
        counted.into_iter().for_each(|(_, counter)| counter.add(1));
    }
}

/// A question that is being answered. Counted when it ends, however it ends.
#[derive(Debug)]
pub struct Asked {
    figures: Arc<ReceiptsFigures>,
    outcome: ReceiptsOutcome,
}

impl Asked {
    /// A new one.
    pub fn new(figures: Arc<ReceiptsFigures>) -> Self {
        Asked { figures, outcome: ReceiptsOutcome::Gone }
    }

    /// It was answered.
    pub fn answered(mut self, outcome: ReceiptsOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.figures.count(self.outcome);
    }
}

impl Source for ReceiptsFigures {
    fn gather(&self, out: &mut Gather) {
        for ((_, word), counter) in ReceiptsOutcome::ALL.iter().zip(&self.0) {
            out.count(&table::RECEIPTS, &[("outcome", *word)], counter.value());
        }
    }
}
