//! Which segments hold a record that is asked for, oldest first and a few seals at a time: for who does something with whole segments.
//!
//! Several queries are asked at once, each from a seal of its own on, so that a segment is read once for all of them. A store that is
//! away is an error, and what was not searched is searched again; what is there and cannot be read is told, and passed over.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::Problem;
use super::filter::{Filter, Look, Matcher};
use super::log::LogReader;
use super::person::Incomparable;
use super::segment::{self, Unfetched};
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::tlog::Hash;
use crate::tlog::seal_file::{SealFile, SegmentRef};
use crate::worm::{ReadError, WormStore, below};

/// Seals of one step: one listing.
const SEALS_AT_ONCE: u64 = 256;
/// Segments under way at once: each holds at most 64 MiB.
const SEGMENTS_AT_ONCE: usize = 4;
/// Stored forms of one condition that are remembered: more than a decree can name.
const FORMS_MAX: usize = 1000;

/// One query, and of which seals it is asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Index of the first seal.
    pub from: u64,
    /// Of these seals alone, where they are given.
    only: Option<Arc<BTreeSet<u64>>>,
    filter: Filter,
    matcher: Matcher,
}

impl Asked {
    /// Builds the searchers once.
    pub fn new(filter: Filter, from: u64) -> Self {
        Asked { from, only: None, matcher: Matcher::new(filter.clone()), filter }
    }

    /// Asks of these seals alone.
    #[must_use]
    pub fn only(mut self, seals: BTreeSet<u64>) -> Self {
        self.only = Some(Arc::new(seals));
        self
    }

    /// The seals of which alone it is asked; `None`: of all.
    pub fn seals(&self) -> Option<&BTreeSet<u64>> {
        self.only.as_deref()
    }

    /// Whether it is asked of a seal.
    pub fn is_of(&self, seal: u64) -> bool {
        seal >= self.from && self.only.as_ref().is_none_or(|only| only.contains(&seal))
    }

    fn may_hold(&self, seal: u64, segment: &SegmentRef) -> bool {
        self.is_of(seal) && self.filter.may_hold(segment.first, segment.last)
    }
}

/// What one segment holds of one query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Records that match.
    pub records: u64,
    /// How these name whom and what was asked for, by condition.
    pub forms: BTreeMap<&'static str, BTreeSet<String>>,
    /// Records that name somebody in a form that could not be compared, and nothing else ruled them out.
    pub incomparable: BTreeMap<Incomparable, u64>,
}

/// A segment that holds a record of a query.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The seal that names it.
    pub seal: Arc<SealFile>,
    /// It.
    pub segment: SegmentRef,
    /// What of each query, in their order.
    pub held: Vec<Held>,
}

/// Why a segment could not be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No version of it is there, though its date is not past. Somebody may restore it.
    Missing,
    /// It is there; another time it may be read.
    Unread,
    /// It was sealed as it is, and not all its lines can be read: another time is no better.
    Malformed,
}

/// A segment that may hold a record of a query, and could not be searched for it.
#[derive(Clone, Debug)]
pub struct Unsearched {
    /// The seal that names it.
    pub seal: Arc<SealFile>,
    /// It.
    pub segment: SegmentRef,
    /// Whether it may hold one of each query, in their order.
    pub of: Vec<bool>,
    /// Why.
    pub why: Why,
}

/// What a few seals gave.
#[derive(Debug, Default)]
pub struct Step {
    /// Seals below this index have been looked at.
    pub upto: u64,
    /// The segments, in order of their seals.
    pub selected: Vec<Selected>,
    /// What could not be searched.
    pub problems: Vec<Problem>,
    /// The segments of these that were not searched, in order of their seals.
    pub unsearched: Vec<Unsearched>,
    /// Seals that are missing or cannot be read, as far as any query is asked of them: what they name is not known.
    pub unread: BTreeSet<u64>,
    /// When the first of these seals was sealed that has records of others than spanseal itself.
    pub others: Option<UnixSeconds>,
}

/// Walks a range of seals.
pub struct Selector<'a> {
    store: &'a Arc<dyn WormStore>,
    log: &'a LogReader,
    asked: Vec<Asked>,
    next: u64,
    end: u64,
    /// Segments that were searched before for the only query, by SHA-256, in the seals below an index: not read again.
    known: Option<(u64, &'a HashMap<Hash, u64>)>,
}

impl std::fmt::Debug for Selector<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Selector").field("next", &self.next).field("end", &self.end).finish_non_exhaustive()
    }
}

impl<'a> Selector<'a> {
    /// Of the seals of this range.
    pub fn new((store, log): (&'a Arc<dyn WormStore>, &'a LogReader), asked: Vec<Asked>, range: Range<u64>) -> Self {
        Selector { store, log, asked, next: range.start, end: range.end.min(log.size()), known: None }
    }

    /// Takes over which segments of the seals below `upto` hold how many records of the one query that is asked.
    #[must_use]
    pub fn known(mut self, upto: u64, segments: &'a HashMap<Hash, u64>) -> Self {
        self.known = Some((upto, segments));
        self
    }

    /// The next few seals; `None` behind the last.
    pub async fn step(&mut self) -> Result<Option<Step>, ReadError> {
        if self.next >= self.end {
            return Ok(None);
        }
        let is_asked = |seal: &u64| self.asked.iter().any(|asked| asked.is_of(*seal));
        let mut upto = (self.next + SEALS_AT_ONCE).min(self.end);
        if self.asked.iter().all(|asked| asked.only.is_some()) {
            let next = self.asked.iter().filter_map(|asked| asked.only.as_ref()?.range(self.next..self.end).next().copied());
            let Some(first) = next.min() else {
                self.next = self.end;
                return Ok(None);
            };
            let most = (first + SEALS_AT_ONCE).min(self.end);
            (self.next, upto) = (first, (first..most).find(|seal| !is_asked(seal)).unwrap_or(most));
        }
        let seals = self.log.seals(self.next..upto).await?;
        let others = seals.found.values().filter(|seal| seal.statement.counts.promoted > 0).map(|seal| seal.statement.sealed_at).min();
        let unread = (self.next..upto).filter(|seal| is_asked(seal) && !seals.found.contains_key(seal)).collect();
        let mut step = Step { upto, problems: seals.problems, unread, others, ..Step::default() };
        let mut jobs = Vec::new();
        for seal in seals.found.into_values() {
            let index = seal.statement.index;
            let may = |segment: &&SegmentRef| self.asked.iter().any(|asked| asked.may_hold(index, segment));
            jobs.extend(seal.statement.segments.iter().filter(may).map(|segment| (Arc::clone(&seal), segment.clone())));
        }
        let mut read = stream::iter(jobs).map(|(seal, segment)| self.search(seal, segment)).buffered(SEGMENTS_AT_ONCE);
        while let Some((selected, unsearched, problem)) = read.try_next().await? {
            step.problems.extend(problem);
            step.unsearched.extend(unsearched);
            step.selected.extend(selected);
        }
        drop(read);
        self.next = upto;
        Ok(Some(step))
    }

    /// The segment if it holds an answer, and if it may hold one more and could not be searched for it, with what is wrong.
    async fn search(&self, seal: Arc<SealFile>, segment: SegmentRef) -> Result<Searched, ReadError> {
        let index = seal.statement.index;
        if let Some((upto, known)) = self.known
            && index < upto
        {
            let held = known.get(&segment.sha256).map(|records| vec![Held { records: *records, ..Held::default() }]);
            return Ok((held.map(|held| Selected { seal, segment, held }), None, None));
        }
        let asked: Vec<Option<Asked>> = self.asked.iter().map(|asked| asked.may_hold(index, &segment).then(|| asked.clone())).collect();
        // Who asks for everything is answered by the seal.
        let of: Vec<bool> = asked.iter().map(|asked| asked.as_ref().is_some_and(|asked| !asked.filter.is_everything())).collect();
        let all = |asked: &Option<Asked>| asked.as_ref().filter(|asked| asked.filter.is_everything()).map_or(0, |_| segment.records);
        let held: Vec<Held> = asked.iter().map(|asked| Held { records: all(asked), ..Held::default() }).collect();
        let by_seal = held.iter().any(|held| held.records > 0);
        let by_seal = by_seal.then(|| Selected { seal: Arc::clone(&seal), segment: segment.clone(), held });
        let unsearched = |of: Vec<bool>, why| Some(Unsearched { seal: Arc::clone(&seal), segment: segment.clone(), of, why });
        if !of.contains(&true) {
            return Ok((by_seal, None, None));
        }
        let stored = match segment::fetch(self.store.as_ref(), self.log.name(), &segment, SystemClock.now().ceil_seconds()).await {
            Ok(stored) => stored,
            // Its time was over: there is nothing to lock or to hold.
            Err(Unfetched::Expired(_)) => return Ok((None, None, None)),
            Err(Unfetched::Problem(problem)) => {
                // Whether the store is away, which is worth another try at once, or the segment.
                let versions = self.store.versions(&below(self.log.name(), &segment.key)).await?;
                let is_there = versions.iter().any(|version| !version.is_delete_marker);
                return Ok((by_seal, unsearched(of, if is_there { Why::Unread } else { Why::Missing }), Some(problem)));
            }
        };
        let described = segment.clone();
        let problem = |what: String| Problem { object: format!("{}/{}", self.log.name(), segment.key), what };
        // Decompressing and searching takes longer than a moment: off the threads that wait for the store.
        let (held, wrong) = match tokio::task::spawn_blocking(move || search(&stored, &described, asked)).await {
            Ok(searched) => searched,
            Err(error) => return Ok((by_seal, unsearched(of, Why::Unread), Some(problem(format!("not searched: {error}"))))),
        };
        let may_hold_more = |(of, held): (&bool, &Held)| *of && held.records == 0;
        let of: Vec<bool> = of.iter().zip(&held).map(may_hold_more).collect();
        let malformed = wrong.is_some().then(|| unsearched(of, Why::Malformed)).flatten();
        let problem = wrong.map(problem);
        let any = held.iter().any(|held| held.records > 0 || !held.incomparable.is_empty());
        Ok((any.then_some(Selected { seal, segment, held }), malformed, problem))
    }
}

/// What one segment gave: that it is one of those, that it may be, and what is wrong with it.
type Searched = (Option<Selected>, Option<Unsearched>, Option<Problem>);

fn search(stored: &[u8], segment: &SegmentRef, mut asked: Vec<Option<Asked>>) -> (Vec<Held>, Option<String>) {
    let mut all = vec![Held::default(); asked.len()];
    let mut unreadable: u64 = 0;
    let read = segment::lines(stored, segment, |_, line| {
        let mut broken = false;
        for (asked, held) in asked.iter_mut().zip(&mut all) {
            let Some(asked) = asked else { continue };
            match asked.matcher.look(line) {
                Look::No => {}
                Look::Yes(record) => {
                    held.records += 1;
                    for (name, wanted, paths) in asked.filter.named() {
                        let forms = held.forms.entry(name).or_default();
                        let stored = paths.iter().filter_map(|path| record.path(path)?.as_str());
                        let room = FORMS_MAX.saturating_sub(forms.len());
                        forms.extend(stored.filter(|stored| wanted.is_in(stored, line)).take(room).map(str::to_owned));
                    }
                }
                Look::Incomparable(why) => *held.incomparable.entry(why).or_default() += 1,
                Look::Unreadable(_) => broken = true,
            }
        }
        unreadable += u64::from(broken);
        Ok(())
    });
    let wrong = match (read, unreadable) {
        (Err(what), _) => Some(format!("{what}; it was searched only up to there")),
        (Ok(()), 0) => None,
        (Ok(()), n) => Some(format!("{n} of its lines are not JSON; they were not searched")),
    };
    (all, wrong)
}
