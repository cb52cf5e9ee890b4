//! What the release of a hold sets free: the segments that it kept and no other hold keeps.
//!
//! What a hold was carried out on is told to the log now and then only, so behind where it was told last its query is asked again, and so are
//! those of the others: whatever they may keep stays held. That goes for what could not be searched for them, too: a segment that cannot be
//! read, and all that a seal names which cannot be. It is told, and the release done once more lifts it when it can be read.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::carry::asked;
use super::chain::{self, ChainError, Link, ledger};
use super::decrees::{Decree, Order, SegmentId, Step};
use super::enforce::{Done, EnforceError, Enforcer, Want, named};
use super::own;
use super::places::Expected;
use crate::query::Problem;
use crate::query::log::{LogReader, TrustedKey};
use crate::query::select::Selector;
use crate::worm::{Locks, ReadError, WormStore};

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
        if (link.entry.step, of.order) == (Step::Close, Order::Hold) {
            all.push(Released { decree: of.clone(), seal: link.seal, told: before.kept_by(&of.id) });
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
    /// Segments that nobody else is known to keep, and that stay as they are: they could not be searched for what other holds mean.
    pub withheld: BTreeSet<SegmentId>,
    /// What other holds may keep in all the log, as it could not be searched.
    unsearched: BTreeSet<SegmentId>,
    /// Seals that could not be read, of which other holds may keep anything.
    unread: BTreeSet<u64>,
    /// What could not be searched.
    pub problems: Vec<Problem>,
}

impl Freed {
    fn may_be_kept(&self, id: &SegmentId) -> bool {
        self.unsearched.contains(id) || self.unread.contains(&id.seal)
    }

    /// The seals of which something stays as it is.
    fn spared(&self) -> BTreeSet<u64> {
        let segments = self.kept.iter().chain(&self.unsearched).map(|id| id.seal);
        segments.chain(self.unread.iter().copied()).collect()
    }
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
    let others_from = queries.iter().skip(1).map(|query| query.from).min();
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
        for unsearched in step.unsearched.iter().filter(|unsearched| unsearched.of.iter().skip(1).any(|of| *of)) {
            freed.unsearched.insert(SegmentId::new(unsearched.seal.statement.index, &unsearched.segment.sha256));
        }
        freed.unread.extend(step.unread.into_iter().filter(|seal| others_from.is_some_and(|from| from <= *seal)));
        freed.problems.extend(step.problems);
        went(step.upto.saturating_sub(from), log.size().saturating_sub(from));
    }
    freed.free.retain(|id| !freed.kept.contains(id));
    freed.withheld = freed.free.iter().copied().filter(|id| freed.may_be_kept(id)).collect();
    freed.free.retain(|id| !freed.withheld.contains(id));
    Ok(freed)
}

/// What lifting came to.
#[derive(Clone, Debug, Default)]
pub struct Lifted {
    /// Segments that nobody keeps any more.
    pub free: u64,
    /// Segments that other holds keep.
    pub kept: u64,
    /// Segments that stay as they are, for it could not be searched whether other holds keep them.
    pub withheld: u64,
    /// What could not be searched.
    pub problems: Vec<Problem>,
    /// What was done.
    pub done: Done,
}

impl Lifted {
    /// Both together.
    pub fn add(&mut self, other: Lifted) {
        self.free += other.free;
        self.kept += other.kept;
        self.withheld += other.withheld;
        self.problems.extend(other.problems);
        self.done.add(other.done);
    }
}

/// Why not all was lifted. Done again, it goes on.
#[derive(Debug, thiserror::Error)]
pub enum LiftError {
    /// It is not known what is free.
    #[error(transparent)]
    Freed(#[from] FreedError),
    /// An object, or the store.
    #[error(transparent)]
    Enforce(#[from] EnforceError),
    /// What is on record.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl From<ReadError> for LiftError {
    fn from(error: ReadError) -> Self {
        LiftError::Freed(error.into())
    }
}

/// Lifts a hold from what nobody else keeps, and puts back what somebody began to keep meanwhile.
pub async fn lift(
    (store, log, trusted): (&Arc<dyn WormStore>, &LogReader, &[TrustedKey]),
    released: &Released,
    links: &[Link],
    expected: Expected,
    went: impl Fn(u64, u64),
) -> Result<Lifted, LiftError> {
    let mut now = freed((store, log), released, links, &went).await?;
    // What is lifted last shows that nothing is left to do; so that stays as well while something is.
    let last = |ids: &BTreeSet<SegmentId>| ids.iter().rev().find(|id| released.told.contains(*id)).copied();
    if let Some(shown) = last(&now.free).filter(|free| !now.withheld.is_empty() && last(&now.withheld) < Some(*free)) {
        now.free.remove(&shown);
        now.unsearched.insert(shown);
        now.withheld.insert(shown);
    }
    let held = named(log, now.free.iter().copied()).await?;
    let mut done = Done::default();
    if store.locks() != Locks::None {
        let mut enforcer = Enforcer::new(Arc::clone(store), log, Want::NoHold, expected);
        enforcer.spare(now.spared()).await?;
        let (at, of) = (Cell::new(0), count(held.len()));
        done = enforcer
            .lift(&held, || {
                at.set(at.get() + 1);
                went(at.get(), of);
            })
            .await?;
        // Who placed a hold meanwhile found these objects on hold, and was content. Whoever places one from here on looks for themselves.
        let log = LogReader::open(Arc::clone(store), log.name(), trusted).await?;
        let links = chain::read(store, &log).await?.all;
        let again = freed((store, &log), released, &links, |_, _| ()).await?;
        // Nor is it known that such a one does not mean what could not be searched for it now.
        let back: BTreeSet<SegmentId> = now.free.iter().copied().filter(|id| again.may_be_kept(id)).collect();
        own::to((store, &log), again.kept.difference(&now.kept).chain(&back).copied(), Want::Hold, expected).await?;
        if !back.is_empty() {
            now.problems.extend(again.problems);
        }
        now.free.retain(|id| !back.contains(id));
        now.withheld.extend(back);
    }
    let kept = count(released.told.intersection(&now.kept).count());
    Ok(Lifted { free: count(now.free.len()), kept, withheld: count(now.withheld.len()), problems: now.problems, done })
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
