//! What was reached with the authorities, as plain atomics: written by the task, read by anyone.

use std::sync::atomic::{AtomicU64, Ordering};

use super::AUTHORITIES_MAX;
use super::ask::Failure;
use crate::clock::UnixSeconds;
use crate::metrics::Counter;

/// Names of authorities in metrics: their place in `log.timestamping`, counted from one. A name that somebody chose is no label.
pub const LABELS: [&str; AUTHORITIES_MAX] = ["1", "2", "3", "4", "5", "6", "7", "8"];

/// How an attempt can end.
const OUTCOMES: [&str; Failure::LABELS.len() + 1] = {
    let [a, b, c, d, e, f, g, h] = Failure::LABELS;
    ["stamped", a, b, c, d, e, f, g, h]
};

/// The figures of all authorities.
#[derive(Debug)]
pub struct Figures {
    /// Tree size that the newest token covers; 0 while there is none.
    size: AtomicU64,
    /// Its time, seconds since 1970.
    at: AtomicU64,
    /// Tokens that were renewed.
    renewed: Counter,
    each: Vec<[Counter; OUTCOMES.len()]>,
}

impl Figures {
    pub(crate) fn new(authorities: usize) -> Self {
        let each = (0..authorities).map(|_| Default::default()).collect();
        Figures { size: AtomicU64::new(0), at: AtomicU64::new(0), renewed: Counter::default(), each }
    }

    pub(crate) fn stamped(&self, tree_size: u64, at: UnixSeconds) {
        self.size.fetch_max(tree_size, Ordering::Relaxed);
        self.at.fetch_max(u64::try_from(at.0).unwrap_or(0), Ordering::Relaxed);
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

    /// Tree size that the newest token covers; 0 while there is none.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    /// Time of the newest token, if there is one.
    pub fn at(&self) -> Option<UnixSeconds> {
        i64::try_from(self.at.load(Ordering::Relaxed)).ok().filter(|at| *at > 0).map(UnixSeconds)
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
