//! From the query of a decree to the objects in the store: the seals are walked in order, and what holds a matching record is locked or held.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::decrees::{Decree, Order, SegmentId};
use super::enforce::{Done, EnforceError, Enforcer, Want};
use super::places::Expected;
use super::query::Query;
use crate::clock::UnixSeconds;
use crate::query::Problem;
use crate::query::log::LogReader;
use crate::query::select::{Asked, Selected, Selector, Step};
use crate::tlog::Hash;
use crate::tlog::seal_file::SegmentRef;
use crate::worm::WormStore;

/// Segments after which the log is told how far it went, so that little is done again after a crash.
const NAMED_AT_ONCE: usize = 2048;
/// Problems that are told.
const PROBLEMS_MAX: usize = 100;

/// What was done of one decree since the log was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untold {
    /// Segments that it was carried out on, ascending.
    pub segments: Vec<SegmentId>,
    /// Seals below this index were looked at.
    pub through: u64,
    /// Whether any of these segments is of a seal that has records of others than spanseal itself.
    pub of_others: bool,
    /// When the first seal that has records of others was sealed, of those that were looked at.
    pub since: Option<UnixSeconds>,
}

impl Untold {
    fn take(&mut self) -> Untold {
        let through = self.through;
        std::mem::replace(self, Untold { through, ..Untold::default() })
    }
}

/// How far a step went.
#[derive(Clone, Debug)]
pub struct Went {
    /// Seals below this index have been walked.
    pub upto: u64,
    /// What the log is to be told now, so that little is done again after a crash: by the number of the decree.
    pub tell: Vec<(usize, Untold)>,
}

/// What was done.
#[derive(Clone, Debug, Default)]
pub struct Carried {
    /// In objects.
    pub done: Done,
    /// Records that match.
    pub records: u64,
    /// Bytes of the segments that hold them, as stored.
    pub bytes: u64,
    /// What of each decree the log was not told yet, in the order of the decrees.
    pub untold: Vec<Untold>,
    /// Segments for whose seals a word of others is still to come.
    pub unjoined: BTreeMap<u64, Vec<SegmentRef>>,
    /// What could not be searched.
    pub problems: Vec<Problem>,
    /// Something that is there could not be searched: from there on nothing counts as looked at, so that it is looked at again.
    pub unsearched: bool,
}

/// A query that is asked of seals, and what is to be done where it is answered.
pub struct Carrier<'l> {
    selector: Selector<'l>,
    enforcer: Enforcer<'l>,
    carried: Carried,
}

impl std::fmt::Debug for Carrier<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carrier").field("enforcer", &self.enforcer).finish_non_exhaustive()
    }
}

/// What a decree's order makes of an object.
pub fn want(order: Order) -> Want {
    match order {
        Order::Hold => Want::Hold,
        Order::Extend(lock) => Want::Lock(lock),
    }
}

/// The query of a decree, asked from a seal on. The error is a sentence.
pub fn asked(decree: &Decree, from: u64) -> Result<Asked, String> {
    let query = Query::parse(&decree.query).map_err(|why| format!("the query of `{}` cannot be asked: {why}", decree.id))?;
    Ok(Asked::new(query.filter(), from))
}

impl<'l> Carrier<'l> {
    /// Of queries that all want the same, over these seals.
    pub fn new(
        (store, log): (&'l Arc<dyn WormStore>, &'l LogReader),
        asked: Vec<Asked>,
        range: Range<u64>,
        (want, expected): (Want, Expected),
    ) -> Self {
        let untold = asked.iter().map(|asked| Untold { through: asked.from, ..Untold::default() }).collect();
        let enforcer = Enforcer::new(Arc::clone(store), log, want, expected);
        Carrier { selector: Selector::new((store, log), asked, range), enforcer, carried: Carried { untold, ..Carried::default() } }
    }

    /// Takes over what was found before ([`Selector::known`]).
    #[must_use]
    pub fn known(mut self, upto: u64, segments: &'l HashMap<Hash, u64>) -> Self {
        self.selector = self.selector.known(upto, segments);
        self
    }

    /// The next few seals; `None` behind the last. After an error what was done up to there is still to be told ([`untold`](Self::untold)).
    pub async fn step(&mut self) -> Result<Option<Went>, EnforceError> {
        let Some(step) = self.selector.step().await? else { return Ok(None) };
        let (upto, others) = (step.upto, step.others);
        self.carried.unsearched |= step.unsearched;
        if let Err((seal, failed)) = self.take(step).await {
            self.reached(seal, others);
            return Err(failed);
        }
        self.reached(upto, others);
        let full = |untold: &Untold| untold.segments.len() >= NAMED_AT_ONCE;
        let tell = self.carried.untold.iter_mut().enumerate().filter(|(_, untold)| full(untold)).map(|(nth, untold)| (nth, untold.take()));
        Ok(Some(Went { upto, tell: tell.collect() }))
    }

    /// What of each decree was carried out, and was not handed over yet.
    pub fn untold(&mut self) -> Vec<(usize, Untold)> {
        let some = self.carried.untold.iter_mut().enumerate().filter(|(_, untold)| !untold.segments.is_empty());
        some.map(|(nth, untold)| (nth, untold.take())).collect()
    }

    /// What was done.
    pub fn end(self) -> Carried {
        self.carried
    }

    fn reached(&mut self, upto: u64, others: Option<UnixSeconds>) {
        if self.carried.unsearched {
            return;
        }
        for untold in &mut self.carried.untold {
            untold.through = untold.through.max(upto);
            untold.since = untold.since.into_iter().chain(others).min();
        }
    }

    /// The error comes with the seal at which it was.
    async fn take(&mut self, step: Step) -> Result<(), (u64, EnforceError)> {
        let room = PROBLEMS_MAX.saturating_sub(self.carried.problems.len());
        self.carried.problems.extend(step.problems.into_iter().take(room));
        let selected: Vec<Selected> =
            step.selected.into_iter().filter(|selected| selected.held.iter().any(|held| held.records > 0)).collect();
        for of_seal in selected.chunk_by(|one, other| one.seal.statement.index == other.seal.statement.index) {
            let Some(seal) = of_seal.first().map(|selected| Arc::clone(&selected.seal)) else { continue };
            let index = seal.statement.index;
            let segments: Vec<&SegmentRef> = of_seal.iter().map(|selected| &selected.segment).collect();
            let done = self.enforcer.seal(index, &segments).await.map_err(|error| (index, error))?;
            if done.unjoined > 0 {
                self.carried.unjoined.insert(index, segments.iter().map(|segment| (*segment).clone()).collect());
            }
            self.carried.done.add(done);
            for selected in of_seal {
                self.carried.bytes += selected.segment.bytes;
                self.carried.records += selected.held.iter().map(|held| held.records).max().unwrap_or_default();
                let id = SegmentId::new(index, &selected.segment.sha256);
                for (untold, held) in self.carried.untold.iter_mut().zip(&selected.held) {
                    if held.records > 0 {
                        untold.segments.push(id);
                        untold.of_others |= seal.statement.counts.promoted > 0;
                    }
                }
            }
            for untold in &mut self.carried.untold {
                untold.segments.sort_unstable();
            }
        }
        Ok(())
    }
}
