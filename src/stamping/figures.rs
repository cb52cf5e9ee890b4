//! What was reached with the authorities, as plain atomics: written by the task, read by anyone.

use std::sync::{Mutex, PoisonError};

use super::AUTHORITIES_MAX;
use super::ask::Failure;
use crate::clock::UnixSeconds;
use crate::metrics::Counter;

/// Names of authorities in metrics: their place in `log.timestamping`, counted from one. A name that somebody chose is no label.
pub const LABELS: [&str; AUTHORITIES_MAX] = ["1", "2", "3", "4", "5", "6", "7", "8"];

/// How an attempt can end.
const OUTCOMES: [&str; Failure::LABELS.len() + 1] = {
    let [a, b, c, d, e, f, g, h, i, j] = Failure::LABELS;
    ["stamped", a, b, c, d, e, f, g, h, i, j]
};

/// The newest token: both of one, and of none that was not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Newest {
    /// Tree size that it covers.
    pub up_to: u64,
    /// When it was given, by its authority.
    pub at: UnixSeconds,
}

/// The figures of all authorities.
#[derive(Debug)]
pub struct Figures {
    newest: Mutex<Option<Newest>>,
    /// Tokens that were renewed.
    renewed: Counter,
    each: Vec<[Counter; OUTCOMES.len()]>,
}

impl Figures {
    pub(crate) fn new(authorities: usize) -> Self {
        let each = (0..authorities).map(|_| Default::default()).collect();
        Figures { newest: Mutex::default(), renewed: Counter::default(), each }
    }

    /// A verified token. One that covers less than another changes nothing, whatever its date.
    pub(crate) fn stamped(&self, newest: Newest) {
        let mut held = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        *held = (*held).max(Some(newest));
    }

    pub(super) fn renewed(&self) {
        self.renewed.add(1);
    }

    pub(super) fn ended(&self, nth: usize, outcome: &str) {
        let at = OUTCOMES.iter().position(|o| *o == outcome);
        if let Some(counter) = at.and_then(|at| self.each.get(nth)?.get(at)) {
            counter.add(1);
        }
    }

    /// The newest token, if there is one.
    pub fn newest(&self) -> Option<Newest> {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tokens that were renewed by this process.
    pub fn renewals(&self) -> u64 {
        self.renewed.value()
    }

    /// Label of an authority, outcome and how often, of each that is configured. Those that never happened are zero, so that an alert has
    /// something to count from.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        LABELS
            .into_iter()
            .zip(&self.each)
            .flat_map(|(label, counters)| OUTCOMES.into_iter().zip(counters).map(move |(word, counter)| (label, word, counter.value())))
    }
}
