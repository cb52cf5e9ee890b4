//! What the release of a hold sets free: the segments that it kept and no other hold keeps.
//!
//! What a hold was carried out on is told to the log now and then only, so behind where it was told last its query is asked again, and so are
//! those of the others: whatever they may keep stays held.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::carry::asked;
use super::chain::{Link, ledger};
use super::decrees::{Decree, Order, SegmentId, Step};
use crate::query::Problem;
use crate::query::log::LogReader;
use crate::query::select::Selector;
use crate::worm::{ReadError, WormStore};

/// A hold that was released.
#[derive(Clone, Debug)]
pub struct Released {
    /// As it stood.
    pub decree: Decree,
    /// The seal that holds the record of its release.
    pub seal: u64,
    /// The segments that the log says it kept, and those with its own records.
    pub told: BTreeSet<SegmentId>,
}

/// The holds that were released, oldest first; one name may stand there several times. All links, oldest first.
pub fn released(links: &[Link]) -> Vec<Released> {
    let mut all: Vec<Released> = Vec::new();
    let mut before = super::decrees::Ledger::default();
    for link in links {
        let of = &link.entry.of;
        match (link.entry.step, of.order) {
            (Step::Close, Order::Hold) => {
                let told = before.kept_by(&of.id);
                all.push(Released { decree: of.clone(), seal: link.seal, told });
            }
            _ => {}
        }
        before.take(link.entry.clone(), Some(link.segment));
    }
    all
}

/// What a release sets free, what stays held, and what could not be searched.
#[derive(Clone, Debug, Default)]
pub struct Freed {
    /// The segments that nobody keeps any more.
    pub free: BTreeSet<SegmentId>,
    /// Segments that other holds keep.
    pub kept: BTreeSet<SegmentId>,
    /// What could not be searched.
    pub problems: Vec<Problem>,
}

/// Why it is not known what is free.
#[derive(Debug, thiserror::Error)]
pub enum FreedError {
    /// The store.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A query that cannot be asked may keep anything.
    #[error("{0}")]
    Query(String),
}

/// What is free, as the log is now.
pub async fn freed(
    (store, log): (&Arc<dyn WormStore>, &LogReader),
    released: &Released,
    links: &[Link],
    went: impl Fn(u64, u64),
) -> Result<Freed, FreedError> {
    let ledger = ledger(links);
    // One of the same name may have been placed since.
    let is_other = |open: &&Decree| open.order == Order::Hold && (&open.id, open.since) != (&released.decree.id, released.decree.since);
    let others: Vec<&Decree> = ledger.open().iter().filter(is_other).collect();
    let mut freed = Freed { free: released.told.clone(), ..Freed::default() };
    for other in &others {
        freed.kept.extend(ledger.kept_by(&other.id));
    }
    let all = std::iter::once(&released.decree).chain(others);
    let queries = all.map(|decree| asked(decree, decree.through)).collect::<Result<Vec<_>, _>>().map_err(FreedError::Query)?;
    let from = queries.iter().map(|query| query.from).min().unwrap_or_default();
    let mut selector = Selector::new((store, log), queries, from..log.size());
    while let Some(step) = selector.step().await? {
        for selected in step.selected {
            let id = SegmentId::new(selected.seal.statement.index, &selected.segment.sha256);
            let mut held = selected.held.iter().map(|held| held.records > 0);
            // What was sealed since was not held for it.
            if held.next() == Some(true) && id.seal <= released.seal {
                freed.free.insert(id);
            }
            if held.any(|held| held) {
                freed.kept.insert(id);
            }
        }
        freed.problems.extend(step.problems);
        went(step.upto.saturating_sub(from), log.size().saturating_sub(from));
    }
    freed.free.retain(|id| !freed.kept.contains(id));
    Ok(freed)
}
