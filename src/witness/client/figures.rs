//! What was reached with each witness, as plain atomics: written by its loop, read by anyone.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use super::ask::Failure;
use crate::clock::UnixSeconds;
use crate::metrics::Counter;
use crate::tlog::TreeSize;
use crate::tlog::cosignature::WitnessKey;

/// Names of witnesses in metrics: their place in `log.witnesses`, counted from one. A name that somebody chose is no label.
pub const LABELS: [&str; super::PLACES_MAX] = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"];

/// How an attempt can end.
const OUTCOMES: [&str; Failure::LABELS.len() + 1] = {
    let [a, b, c, d, e, f, g, h] = Failure::LABELS;
    ["cosigned", a, b, c, d, e, f, g, h]
};

/// Nothing was attempted yet.
const NONE: usize = usize::MAX;

#[derive(Debug)]
struct Figure {
    key: WitnessKey,
    size: AtomicU64,
    /// Time of the newest cosignature, seconds since 1970.
    at: AtomicI64,
    /// Place in [`OUTCOMES`].
    last: AtomicUsize,
    ended: [Counter; OUTCOMES.len()],
}

/// What is known of one witness.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The name in its key.
    pub name: &'a str,
    /// Tree size that it cosigned last; 0: none yet.
    pub size: TreeSize,
    /// When, by its own clock.
    pub at: Option<UnixSeconds>,
    /// How the newest attempt of this process ended, if there was one.
    pub last_outcome: Option<&'static str>,
}

/// The figures of all witnesses.
#[derive(Debug)]
pub struct Figures {
    quorum: usize,
    each: Vec<Figure>,
}

impl Figures {
    pub(crate) fn new(keys: Vec<WitnessKey>, quorum: usize) -> Self {
        let figure =
            |key| Figure { key, size: AtomicU64::new(0), at: AtomicI64::new(0), last: AtomicUsize::new(NONE), ended: Default::default() };
        Figures { quorum, each: keys.into_iter().map(figure).collect() }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &WitnessKey> {
        self.each.iter().map(|figure| &figure.key)
    }

    /// A witness never goes back, neither in size nor in time, so each may be told alone.
    pub(crate) fn reached(&self, nth: usize, size: TreeSize, at: UnixSeconds) {
        if let Some(figure) = self.each.get(nth) {
            figure.size.fetch_max(size.0, Ordering::Relaxed);
            figure.at.fetch_max(at.0, Ordering::Relaxed);
        }
    }

    pub(super) fn all_reached(&self) -> bool {
        self.each.iter().all(|figure| figure.size.load(Ordering::Relaxed) > 0)
    }

    pub(super) fn ended(&self, nth: usize, size: TreeSize, outcome: &Result<UnixSeconds, Failure>) {
        let word = match outcome {
            Ok(at) => {
                self.reached(nth, size, *at);
                "cosigned"
            }
            Err(failure) => failure.label(),
        };
        if let (Some(figure), Some(at)) = (self.each.get(nth), OUTCOMES.iter().position(|o| *o == word)) {
            figure.last.store(at, Ordering::Relaxed);
            if let Some(counter) = figure.ended.get(at) {
                counter.add(1);
            }
        }
    }

    /// Tree size up to which so many witnesses as are asked for have cosigned: each cosignature covers all that came before it.
    pub fn cosigned(&self) -> TreeSize {
        let mut sizes: Vec<u64> = self.each.iter().map(|f| f.size.load(Ordering::Relaxed)).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        TreeSize(self.quorum.checked_sub(1).and_then(|at| sizes.get(at).copied()).unwrap_or(0))
    }

    /// How many witnesses are enough.
    pub fn quorum(&self) -> usize {
        self.quorum
    }

    /// Each witness, in the order of the configuration.
    pub fn each(&self) -> impl Iterator<Item = Seen<'_>> {
        self.each.iter().map(|figure| Seen {
            name: figure.key.name(),
            size: TreeSize(figure.size.load(Ordering::Relaxed)),
            at: Some(figure.at.load(Ordering::Relaxed)).filter(|at| *at > 0).map(UnixSeconds),
            last_outcome: OUTCOMES.get(figure.last.load(Ordering::Relaxed)).copied(),
        })
    }

    /// Label and size of each witness.
    pub fn sizes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        LABELS.into_iter().zip(&self.each).map(|(label, figure)| (label, figure.size.load(Ordering::Relaxed)))
    }

    /// Label, outcome, how often, and whether it is the newest, of each witness and outcome that happened.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, &'static str, u64, bool)> {
        LABELS.into_iter().zip(&self.each).flat_map(|(label, figure)| {
            let last = figure.last.load(Ordering::Relaxed);
            let counted = OUTCOMES.into_iter().zip(&figure.ended).enumerate();
            counted.map(move |(at, (word, counter))| (label, word, counter.value(), at == last)).filter(|(_, _, n, _)| *n > 0)
        })
    }
}
