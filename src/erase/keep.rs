//! What was said and is on legal hold stays beyond `content.vault.retention`, until no open hold means it any more.
//!
//! The vault keeps content by seals, so that of a seal stays in one piece, with what others said in it. A hold means here what it means to an
//! erasure ([`held`](super::held)): the records that its query matches, and all else that was said in their traces. Evidence is searched for
//! the traces of each open hold once, and then what is sealed since: below where the log says that the hold was carried out only the segments
//! that it was carried out on. A seal is searched for these traces when its time is over. Nothing is deleted where any of this cannot be
//! done, or where a hold means too much to remember it.
//!
//! What is gone from evidence since its own date is on hold for nobody: its content goes like any other.
//!
//! KNOWN GAP: a hold that is placed while a round deletes is too late for what that round deletes.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use futures::{StreamExt, stream};

use super::Eraser;
use super::held::PENDING;
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::govern::chain::{self, Link};
use crate::govern::decrees::{Decree, Ledger, Order, Step};
use crate::govern::enforce::named;
use crate::govern::query::Query;
use crate::query::filter::{Filter, Look, Matcher};
use crate::query::is_known;
use crate::query::log::{KeySource, LogReader, TrustedKey};
use crate::query::opening;
use crate::query::segment::{self, Unfetched};
use crate::record::canonical::Json;
use crate::retain::Period;
use crate::tlog::seal_file::SegmentRef;
use crate::vault::Keep;

/// Traces of one hold that are remembered, some 100 bytes each; one that means more keeps everything.
const TRACES_MAX: usize = 250_000;
/// Seals that are asked for at once: one listing.
const SEALS_AT_ONCE: u64 = 256;
/// Segments under way at once: each holds at most 64 MiB.
const SEGMENTS_AT_ONCE: usize = 4;
/// Segments after which it counts how far the search has come.
const SEGMENTS_OF_STEP: usize = 256;

/// What is known of the open holds from one round to the next, by name and time of placing.
#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<(String, UnixSeconds), Stand>);

/// How one hold stands.
#[derive(Debug, Default)]
struct Stand {
    /// Seals below this index were searched for what it means.
    through: u64,
    /// The traces of that.
    traces: Arc<HashSet<String>>,
    /// Seals whose time is over and of which it means something that the vault has.
    seals: BTreeSet<u64>,
}

/// Why nothing is deleted.
struct Waits(String);

impl<E: std::error::Error> From<E> for Waits {
    fn from(error: E) -> Self {
        Waits(error.to_string())
    }
}

impl Eraser {
    /// What of the content whose time is over by `now` stays.
    pub async fn keep(&self, (retention, now): (Period, UnixSeconds)) -> Keep {
        match self.try_keep((retention, now)).await {
            Ok(keep) => keep,
            Err(Waits(why)) => {
                let advice = "what was said is kept beyond its retention, all of it, while holds are open and that is so";
                tracing::warn!(why, advice, "vault.expire.waits");
                Keep::Everything
            }
        }
    }

    async fn try_keep(&self, by: (Period, UnixSeconds)) -> Result<Keep, Waits> {
        let mut kept = self.kept.lock().await;
        let open = self.parts.register.open().await?.ok_or_else(|| Waits(PENDING.to_owned()))?;
        let holds: Vec<Decree> = open.into_iter().filter(|decree| decree.order == Order::Hold).collect();
        kept.0.retain(|of, _| holds.iter().any(|hold| (&hold.id, hold.since) == (&of.0, of.1)));
        if holds.is_empty() {
            return Ok(Keep::Nothing);
        }
        let mut left = self.parts.vault.over_time(by.0, by.1).await?;
        for stand in kept.0.values_mut() {
            stand.seals.retain(|seal| left.contains(seal));
        }
        let all = |kept: &Kept| kept.0.values().flat_map(|stand| stand.seals.iter().copied()).collect::<BTreeSet<u64>>();
        left = left.difference(&all(&kept)).copied().collect();
        if left.is_empty() {
            return Ok(Keep::Seals(all(&kept)));
        }
        let trusted = [TrustedKey { key: self.parts.vkey.clone(), source: KeySource::Configured }];
        let log = LogReader::open(Arc::clone(&self.parts.store), &self.parts.log, &trusted).await?;
        if let Some(problem) = log.problems().first() {
            return Err(Waits(problem.to_string()));
        }
        let mut unread = BTreeSet::new();
        for hold in &holds {
            let query = Query::parse(&hold.query).map_err(|why| Waits(format!("the query of `{}` cannot be asked: {why}", hold.id)))?;
            let filter = query.filter();
            if filter.is_everything() {
                return Ok(Keep::Everything);
            }
            let mut stand = kept.0.remove(&(hold.id.clone(), hold.since)).unwrap_or_default();
            let unlooked = self.stand(&log, hold, &filter, &mut stand, &left).await;
            kept.0.insert((hold.id.clone(), hold.since), stand);
            unread.extend(unlooked?);
        }
        // Had one been placed since, it would not have been asked.
        let still = self.parts.register.open().await?.unwrap_or_default();
        let same =
            holds.iter().map(|hold| (&hold.id, hold.since)).eq(still.iter().filter(|d| d.order == Order::Hold).map(|d| (&d.id, d.since)));
        if !same {
            return Err(Waits("holds were placed or released while it was looked what they mean".to_owned()));
        }
        unread.extend(all(&kept));
        Ok(Keep::Seals(unread))
    }

    /// Searches what was sealed since for what a hold means, and then these seals for its traces; answers which of these could not be.
    async fn stand(
        &self,
        log: &LogReader,
        hold: &Decree,
        filter: &Filter,
        stand: &mut Stand,
        seals: &BTreeSet<u64>,
    ) -> Result<BTreeSet<u64>, Waits> {
        let direct = [Matcher::new(filter.clone())];
        let told = if stand.through < hold.through { self.told_of(log, hold).await? } else { None };
        if let Some(ledger) = told {
            let held = ledger.held_by(&hold.id).filter(|id| id.seal >= stand.through && id.seal < hold.through);
            let segments: Vec<(u64, SegmentRef)> =
                named(log, held).await?.into_iter().flat_map(|(seal, segments)| segments.into_iter().map(move |of| (seal, of))).collect();
            for some in segments.chunks(SEGMENTS_OF_STEP) {
                if stand.traces.len() > TRACES_MAX {
                    return Ok(seals.clone());
                }
                let upto = some.last().map_or(stand.through, |(seal, _)| *seal);
                self.learn_traces(log, some.to_vec(), &direct, stand).await?;
                stand.through = upto;
            }
            stand.through = hold.through;
        }
        while stand.through < log.size() && stand.traces.len() <= TRACES_MAX {
            let upto = (stand.through + SEALS_AT_ONCE).min(log.size());
            let (segments, unread) = self.segments(log, &(stand.through..upto).collect()).await?;
            if let Some(seal) = unread.first() {
                return Err(Waits(format!("seal {seal} is missing or cannot be read; run `spanseal verify`")));
            }
            let segments = segments.into_iter().filter(|(_, segment)| filter.may_hold(segment.first, segment.last)).collect();
            self.learn_traces(log, segments, &direct, stand).await?;
            stand.through = upto;
        }
        if stand.traces.len() > TRACES_MAX {
            return Ok(seals.clone());
        }
        let of_traces = Filter { traces: Some(Arc::clone(&stand.traces)), ..Filter::default() };
        let all = [Matcher::new(filter.clone()), Matcher::new(of_traces)];
        // What could not be read stays, and is looked at again in the next round.
        let mut unlooked = BTreeSet::new();
        let mut left: BTreeSet<u64> = seals.difference(&stand.seals).copied().collect();
        while let Some(first) = left.first().copied() {
            let others = left.split_off(&first.saturating_add(SEALS_AT_ONCE));
            let (segments, unread) = self.segments(log, &std::mem::replace(&mut left, others)).await?;
            unlooked.extend(unread);
            for (seal, seen) in self.look(log, segments, &all).await {
                match seen {
                    Ok(seen) if seen.has_content => drop(stand.seals.insert(seal)),
                    Ok(_) => {}
                    Err(Waits(why)) => {
                        tracing::warn!(why, advice = "what was said in the records of this seal is kept", "vault.expire.unlooked");
                        unlooked.insert(seal);
                    }
                }
            }
        }
        Ok(unlooked)
    }

    /// What the log says that holds were carried out on, if all is there that it says of this one.
    async fn told_of(&self, log: &LogReader, hold: &Decree) -> Result<Option<Ledger>, Waits> {
        let links = chain::read(&self.parts.store, log).await?;
        let is_placed = |link: &&Link| link.entry.step == Step::Open && (&link.entry.of.id, link.entry.of.since) == (&hold.id, hold.since);
        let placed = links.all.iter().find(is_placed);
        let whole = placed.is_some_and(|placed| links.gone.is_none_or(|gone| gone < placed.seal));
        Ok(whole.then(|| chain::ledger(&links.all)))
    }

    /// Takes in the traces of what a hold means in these segments.
    async fn learn_traces(
        &self,
        log: &LogReader,
        segments: Vec<(u64, SegmentRef)>,
        direct: &[Matcher],
        stand: &mut Stand,
    ) -> Result<(), Waits> {
        for (_, seen) in self.look(log, segments, direct).await {
            Arc::make_mut(&mut stand.traces).extend(seen?.traces);
        }
        Ok(())
    }

    /// The segments of these seals, which lie within one listing, and the seals that are missing or cannot be read.
    async fn segments(&self, log: &LogReader, seals: &BTreeSet<u64>) -> Result<(Vec<(u64, SegmentRef)>, BTreeSet<u64>), Waits> {
        let (Some(first), Some(last)) = (seals.first(), seals.last()) else { return Ok(Default::default()) };
        let found = log.seals(*first..last.saturating_add(1)).await?.found;
        let (mut segments, mut unread) = (Vec::new(), BTreeSet::new());
        for seal in seals {
            match found.get(seal) {
                Some(file) => segments.extend(file.statement.segments.iter().map(|segment| (*seal, segment.clone()))),
                None => drop(unread.insert(*seal)),
            }
        }
        Ok((segments, unread))
    }

    /// Looks what segments hold that any of these matchers means.
    async fn look(&self, log: &LogReader, segments: Vec<(u64, SegmentRef)>, matchers: &[Matcher]) -> Vec<(u64, Result<Seen, Waits>)> {
        let look = |(seal, segment)| async move { (seal, self.look_at(log, segment, matchers).await) };
        stream::iter(segments).map(look).buffer_unordered(SEGMENTS_AT_ONCE).collect().await
    }

    async fn look_at(&self, log: &LogReader, segment: SegmentRef, matchers: &[Matcher]) -> Result<Seen, Waits> {
        let now = SystemClock.now().ceil_seconds();
        let stored = match segment::fetch(self.parts.store.as_ref(), log.name(), &segment, now).await {
            Ok(stored) => stored,
            Err(Unfetched::Expired(_)) => return Ok(Seen::default()),
            Err(Unfetched::Problem(problem)) => return Err(Waits(problem.to_string())),
        };
        let (object, mut matchers) = (format!("{}/{}", log.name(), segment.key), matchers.to_vec());
        // Decompressing and searching takes longer than a moment.
        let task = tokio::task::spawn_blocking(move || {
            let mut seen = Seen::default();
            let read = segment::lines(&stored, &segment, |_, line| {
                matchers.iter_mut().for_each(|matcher| seen.take(matcher.look(line)));
                Ok(())
            });
            read.map(|()| seen)
        });
        task.await?.map_err(|what| Waits(format!("{object}: {what}")))
    }
}

/// What a segment holds that is meant.
#[derive(Debug, Default)]
struct Seen {
    traces: HashSet<String>,
    /// Of a record that says that the vault was given something of it, or that cannot be read.
    has_content: bool,
}

impl Seen {
    fn take(&mut self, look: Look) {
        match look {
            Look::No => {}
            Look::Yes(record) => {
                self.has_content |= !is_known(&record) || !opening::held(&record).is_empty();
                self.traces.extend(record.path("trace.trace_id").and_then(Json::as_str).map(str::to_owned));
            }
            Look::Incomparable(_) | Look::Unreadable(_) => self.has_content = true,
        }
    }
}
