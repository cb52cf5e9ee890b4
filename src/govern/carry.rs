//! From the query of a decree to the objects in the store: the seals are walked in order, and what holds a matching record is locked or held.
//!
//! What could not be searched is left, and told; a decree counts as carried out below the first seal of which something is left, however far
//! the walk went behind it. A segment that is missing before its date and may hold a record that is meant belongs to a hold all the same: its
//! records name it, so that it is known to be on hold should somebody restore it. For an extension it is left.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::decrees::{Decree, Order, SegmentId};
use super::enforce::{Done, EnforceError, Enforcer, Want};
use super::places::Expected;
use super::query::Query;
use crate::clock::UnixSeconds;
use crate::query::Problem;
use crate::query::log::LogReader;
use crate::query::select::{Asked, Selector, Step, Why};
use crate::tlog::Hash;
use crate::tlog::seal_file::{SealFile, SegmentRef};
use crate::worm::WormStore;

/// Segments after which the log is told how far it went, so that little is done again after a crash.
const NAMED_AT_ONCE: usize = 2048;
/// Problems that are told.
const PROBLEMS_MAX: usize = 100;
/// Seals of one walk of which the store refuses something, and that are passed over by who goes on: what refuses so many refuses all.
const REFUSED_MAX: usize = 8;

/// What was done of one decree since the log was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untold {
    /// Segments that it was carried out on, ascending.
    pub segments: Vec<SegmentId>,
    /// Seals below this index were looked at, and nothing of them is left.
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
#[derive(Debug, Default)]
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
    /// Seals below this index were walked.
    pub walked: u64,
    /// The seals of which something is left for each decree, in the order of the decrees: it is looked at again.
    pub left: Vec<BTreeSet<u64>>,
    /// Why the first of these was not done that the store refused, of a carrier that goes on.
    pub refused: Option<EnforceError>,
}

impl Carried {
    /// Whether nothing is left of what was walked.
    pub fn is_whole(&self) -> bool {
        self.left.iter().all(BTreeSet::is_empty)
    }
}

/// A query that is asked of seals, and what is to be done where it is answered.
pub struct Carrier<'l> {
    /// From which seal on each query is asked, and whether of some seals alone.
    asked: Vec<Asked>,
    selector: Selector<'l>,
    enforcer: Enforcer<'l>,
    want: Want,
    goes_on: bool,
    refused: usize,
    carried: Carried,
}

/// A segment that is to be kept, with its records that each decree means; `None`: none.
struct Meant {
    seal: Arc<SealFile>,
    segment: SegmentRef,
    of: Vec<Option<u64>>,
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
        let carried = Carried { untold, walked: range.start, left: vec![BTreeSet::new(); asked.len()], ..Carried::default() };
        let selector = Selector::new((store, log), asked.clone(), range);
        Carrier { asked, selector, enforcer, want, goes_on: false, refused: 0, carried }
    }

    /// Passes over what the store refuses, so that it does not keep anything else waiting: it is left.
    #[must_use]
    pub fn going_on(mut self) -> Self {
        self.goes_on = true;
        self
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
        self.leave(&step);
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

    /// What of a step was not searched is looked at again, but for what would be found the same.
    fn leave(&mut self, step: &Step) {
        for (asked, left) in self.asked.iter().zip(&mut self.carried.left) {
            left.extend(step.unread.iter().copied().filter(|seal| asked.is_of(*seal)));
        }
        for unsearched in &step.unsearched {
            let is_left = match unsearched.why {
                Why::Unread => true,
                Why::Missing => self.want != Want::Hold,
                Why::Malformed => false,
            };
            for (left, _) in self.carried.left.iter_mut().zip(&unsearched.of).filter(|(_, of)| is_left && **of) {
                left.insert(unsearched.seal.statement.index);
            }
        }
    }

    fn reached(&mut self, upto: u64, others: Option<UnixSeconds>) {
        self.carried.walked = upto;
        for ((asked, untold), left) in self.asked.iter().zip(&mut self.carried.untold).zip(&self.carried.left) {
            let through = left.first().map_or(upto, |left| upto.min(*left));
            // Of some seals alone it says nothing of those between them.
            if asked.seals().is_some() || through < untold.through {
                continue;
            }
            untold.through = through;
            if through == upto {
                untold.since = untold.since.into_iter().chain(others).min();
            }
        }
    }

    /// What of a step is to be kept, by seal.
    fn meant(&self, step: Step) -> Vec<Meant> {
        let mut all: Vec<Meant> = Vec::new();
        for selected in step.selected {
            let of = selected.held.iter().map(|held| (held.records > 0).then_some(held.records)).collect();
            all.push(Meant { seal: selected.seal, segment: selected.segment, of });
        }
        let missing = step.unsearched.into_iter().filter(|unsearched| unsearched.why == Why::Missing && self.want == Want::Hold);
        for unsearched in missing {
            let of = unsearched.of.iter().map(|of| of.then_some(0)).collect();
            all.push(Meant { seal: unsearched.seal, segment: unsearched.segment, of });
        }
        all.retain(|meant| meant.of.iter().any(Option::is_some));
        all.sort_by_key(|meant| meant.seal.statement.index);
        all
    }

    /// The error comes with the seal at which it was.
    async fn take(&mut self, mut step: Step) -> Result<(), (u64, EnforceError)> {
        let room = PROBLEMS_MAX.saturating_sub(self.carried.problems.len());
        self.carried.problems.extend(std::mem::take(&mut step.problems).into_iter().take(room));
        let all = self.meant(step);
        for of_seal in all.chunk_by(|one, other| one.seal.statement.index == other.seal.statement.index) {
            let Some(seal) = of_seal.first().map(|meant| Arc::clone(&meant.seal)) else { continue };
            let index = seal.statement.index;
            let segments: Vec<&SegmentRef> = of_seal.iter().map(|meant| &meant.segment).collect();
            let done = match self.enforcer.seal(index, &segments).await {
                Ok(done) => done,
                Err(refused @ EnforceError::Object { .. }) if self.goes_on && self.refused < REFUSED_MAX => {
                    self.refused += 1;
                    self.carried.refused.get_or_insert(refused);
                    for (nth, left) in self.carried.left.iter_mut().enumerate() {
                        if of_seal.iter().any(|meant| meant.of.get(nth).is_some_and(Option::is_some)) {
                            left.insert(index);
                        }
                    }
                    continue;
                }
                Err(error) => return Err((index, error)),
            };
            if done.unjoined > 0 {
                self.carried.unjoined.insert(index, segments.iter().map(|segment| (*segment).clone()).collect());
            }
            self.carried.done.add(done);
            for meant in of_seal {
                let records = meant.of.iter().flatten().max().copied().unwrap_or_default();
                // As seals state them: any number.
                let bytes = if records > 0 { meant.segment.bytes } else { 0 };
                self.carried.bytes = self.carried.bytes.saturating_add(bytes);
                self.carried.records = self.carried.records.saturating_add(records);
                let id = SegmentId::new(index, &meant.segment.sha256);
                for (untold, of) in self.carried.untold.iter_mut().zip(&meant.of) {
                    if of.is_some() {
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
