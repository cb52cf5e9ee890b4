//! Keeps on hold what is sealed while holds are open, and finishes what a command left undone: a hold or an extension whose process died.
//!
//! It starts from the decrees that the newest record of one says are open; where none is, nothing is read. A seal is looked at within a round
//! of its commit, by then locked as its class says, so nothing is lost meanwhile. Ingest never waits for it.
//!
//! What was held is told to the log when something of others was, at most once in [`TELL_EVERY`]; how far it looked, within a day and when the
//! process stops, if there were records of others. A start goes on from what was told, and finds the rest held already. So an open hold costs
//! some two dozen records a day at most, and a `--all` one does not feed on its own.
//!
//! What cannot be read, or is refused by the store, keeps nothing else waiting: it alone is tried again, in the next round and then after ever
//! longer ([`walk`]), and the log is not told that it was looked at until it was.
//!
//! KNOWN GAP: a process that is killed has looked at up to an hour of seals that the log was not told of; their objects are held all the same,
//! and told by the next one. Who releases a hold in between looks at these seals too.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::UnixSeconds;
use crate::govern::carry::{Carried, Carrier, Untold, asked, want};
use crate::govern::chain::{self, ChainError, Link};
use crate::govern::decrees::{BEHIND_SECONDS_MAX, Decree, Ledger, Order, SegmentId, Step};
use crate::govern::enforce::{EnforceError, Enforcer, Want, named};
use crate::govern::own::{self, OwnError};
use crate::govern::register::Motion;
use crate::govern::{Expected, GovernError, Governor};
use crate::metrics::HoldFigures;
use crate::query::log::{KeySource, LogReader, TrustedKey};
use crate::query::select::Asked;
use crate::seal::Status;
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::SegmentRef;
use crate::worm::{Locks, ReadError, WormStore};

mod walk;

use walk::{Again, Walk};

/// Between two rounds: what a seal's own lock promises is days at least.
const EVERY: Duration = Duration::from_secs(60);
/// How often the log is told what was held, at most.
const TELL_EVERY: Duration = Duration::from_secs(3600);
/// Seals with records of others that were looked at are told by then, seconds: a verifier passes a hold no more that says nothing of them for
/// twice as long.
const TOLD_WITHIN_SECONDS: i64 = BEHIND_SECONDS_MAX / 2;
/// Seals that were looked at, of whatever records, after which the log is told: a start begins where it was told last.
const BEHIND_MAX: u64 = 1 << 16;
/// How long a command that carries a decree out is left alone after it was last heard of. Should it be at it still, both do the same.
const LEFT_ALONE: Duration = Duration::from_secs(45);
/// Seals behind what was told that a start may look at again; a stop tells no less.
const AGAIN_MAX: u64 = 1024;
/// Rounds in which it is tried to lift what was held too late. A writer's policy may well keep that from it.
const LET_GO_TRIES: u32 = 10;
/// How long a stop waits for what it tells.
const TELL_WITHIN: Duration = Duration::from_secs(3);
/// Held segments of a hold, the newest, of which it is looked at the start whether others have said a word of their seals by now.
const UNJOINED_MAX: usize = 1000;

/// What it needs.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) store: Arc<dyn WormStore>,
    pub(super) log: String,
    pub(super) vkey: VerifierKey,
    pub(super) governor: Governor,
    pub(super) status: watch::Receiver<Status>,
    pub(super) expected: Expected,
}

/// The task that does it.
#[derive(Debug)]
pub(super) struct Holder {
    rounds: Arc<Mutex<Rounds>>,
    figures: Arc<HoldFigures>,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Holder {
    /// Starts it; its first round begins at once.
    pub(super) fn start(parts: Parts) -> Self {
        let stop = CancellationToken::new();
        let figures = Arc::<HoldFigures>::default();
        let rounds = Arc::new(Mutex::new(Rounds::new(parts, Arc::clone(&figures))));
        let task = tokio::spawn(stop.clone().run_until_cancelled_owned(go(Arc::clone(&rounds))).map(|_| ()));
        Holder { rounds, figures, task, stop }
    }

    /// What it reaches.
    pub(super) fn figures(&self) -> Arc<HoldFigures> {
        Arc::clone(&self.figures)
    }

    /// Waits until it ends by itself, which it does only by our own mistake.
    pub(super) async fn failed(&mut self) -> String {
        match (&mut self.task).await {
            Ok(()) => "it was told to".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// Stops it in the middle of whatever it does: all of it may be done again. What was held is told, while there is a writer.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
        let tell = async { self.rounds.lock().await.tell_all().await };
        match tokio::time::timeout(TELL_WITHIN, tell).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "hold.untold"),
            Err(_) => tracing::warn!(error = "the log does not take it", "hold.untold"),
        }
    }
}

async fn go(rounds: Arc<Mutex<Rounds>>) {
    loop {
        rounds.lock().await.round().await;
        tokio::time::sleep(EVERY).await;
    }
}

/// Why a round did not come to its end; the next one begins where it was.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Enforce(#[from] EnforceError),
    #[error("what was held could not be recorded: {0}")]
    Untold(#[from] GovernError),
    #[error("whether the last step of a hold was sealed is not known yet, so neither is what is open")]
    Pending,
    #[error("{0}")]
    Query(String),
    #[error("not every segment that `{0}` may mean could be read, so it is not carried out to its end; see what was said of them")]
    Unsearched(String),
    #[error("the records of an extension could not be kept as long as it is in force: {0}")]
    Own(#[from] OwnError),
}

impl From<ReadError> for RoundError {
    fn from(error: ReadError) -> Self {
        RoundError::Chain(error.into())
    }
}

/// How one hold stands.
#[derive(Debug)]
struct Stand {
    /// When it was placed.
    since: UnixSeconds,
    /// Which seals were walked.
    walk: Walk,
    /// Held, and not told to the log.
    untold: Untold,
    /// Where the log says that it stands.
    told_through: u64,
    told_at: Option<Instant>,
}

impl Stand {
    fn add(&mut self, more: Untold) {
        // Whoever walked behind what was left before knows nothing of that.
        let through = if self.walk.is_whole() { more.through } else { 0 };
        add(&mut self.untold, Untold { through, ..more });
    }
}

/// An extension that is not carried out to its end.
#[derive(Debug)]
struct Undone {
    /// When it was ordered.
    since: UnixSeconds,
    /// The seal behind its own record: what it means is before that.
    end: u64,
    walk: Walk,
    /// Extended, and not told to the log.
    untold: Untold,
    /// Where the log says that it stands.
    told_through: u64,
    /// When it is tried again to close it.
    close: Again,
}

impl Undone {
    fn add(&mut self, more: Untold) {
        let through = if self.walk.is_whole() { more.through } else { 0 };
        add(&mut self.untold, Untold { through, ..more });
    }
}

/// What is known from one round to the next.
#[derive(Debug)]
pub(super) struct Rounds {
    parts: Parts,
    figures: Arc<HoldFigures>,
    stands: BTreeMap<String, Stand>,
    extensions: BTreeMap<String, Undone>,
    /// Whether the records of extensions that are over are still to be looked at.
    unkept: Option<Again>,
    /// Held segments of whose seals a word of others is still to come.
    unjoined: BTreeMap<u64, Vec<SegmentRef>>,
    /// Whether those of earlier processes are among them.
    looked_back: bool,
    /// Put on hold, and not yet looked at whether the hold was released meanwhile.
    fresh: BTreeMap<String, BTreeSet<SegmentId>>,
    /// Seals with records of decrees whose own segments are still to be kept, by the decree's name.
    own: BTreeMap<String, BTreeSet<u64>>,
    /// Rounds in which some of these could not be let go.
    unlifted: u32,
    told_wrong: Option<String>,
}

impl Rounds {
    pub(super) fn new(parts: Parts, figures: Arc<HoldFigures>) -> Self {
        Rounds {
            parts,
            figures,
            stands: BTreeMap::new(),
            extensions: BTreeMap::new(),
            unkept: Some(Again::default()),
            unjoined: BTreeMap::new(),
            looked_back: false,
            fresh: BTreeMap::new(),
            own: BTreeMap::new(),
            unlifted: 0,
            told_wrong: None,
        }
    }

    /// One look at what was sealed since the last.
    pub(super) async fn round(&mut self) {
        match self.try_round().await {
            Ok(()) => self.told_wrong = None,
            Err(error) => {
                self.figures.failures.add(1);
                let error = error.to_string();
                let advice =
                    "records are sealed and locked all the same; what should be on hold and is not yet is tried again every minute";
                // Once for each reason: a permission that is missing stays so for days.
                if self.told_wrong.as_ref() != Some(&error) {
                    tracing::warn!(error, advice, "hold.failed");
                }
                self.told_wrong = Some(error);
            }
        }
    }

    /// Each part is done, whatever came of those before; the first error is told.
    async fn try_round(&mut self) -> Result<(), RoundError> {
        if self.parts.governor.register.take_ended().await {
            self.unkept.get_or_insert_default();
        }
        let mut result = self.keep_closed().await;
        // Before it is asked what is open: of these seals none is behind the release of a hold that is open then.
        let size = self.parts.status.borrow().tree_size;
        let open = self.parts.governor.register.open().await?.ok_or(RoundError::Pending)?;
        self.figures.open.set(u64::try_from(open.len()).unwrap_or(u64::MAX));
        // One that was released and placed anew under the same name is another.
        let is_open = |id: &String, since| open.iter().any(|open| open.id == *id && open.since == since);
        self.stands.retain(|id, stand| is_open(id, stand.since));
        self.extensions.retain(|id, undone| is_open(id, undone.since));
        if open.is_empty() && self.fresh.is_empty() {
            self.figures.behind.set(0);
            self.unjoined.clear();
            return result;
        }
        let (mut own, mut left) = (Vec::new(), Vec::new());
        for decree in open {
            let left_alone = self.parts.governor.register.untouched(&decree.id).await.is_some_and(|ago| ago < LEFT_ALONE);
            if !left_alone || self.stands.contains_key(&decree.id) {
                own.push(decree);
            } else {
                left.push(decree);
            }
        }
        let store = Arc::clone(&self.parts.store);
        let log = LogReader::open(Arc::clone(&store), &self.parts.log, &self.trusted()).await?;
        result = result.and(self.let_go(&store, &log).await);
        let (holds, extensions): (Vec<Decree>, Vec<Decree>) = own.into_iter().partition(|decree| decree.order == Order::Hold);
        result = result.and(self.hold((&store, &log), &holds, size.min(log.size())).await);
        let alone = left.iter().map(|decree| decree.through).min();
        self.note_behind(size, alone);
        result = result.and(self.keep_own(&store, &log, &holds).await);
        for decree in extensions {
            result = result.and(self.extend(&store, &log, &decree).await);
        }
        result.and(self.join(&store, &log).await)
    }

    fn trusted(&self) -> [TrustedKey; 1] {
        [TrustedKey { key: self.parts.vkey.clone(), source: KeySource::Configured }]
    }

    /// `alone`: how far commands came that are left alone, as they told.
    fn note_behind(&self, size: u64, alone: Option<u64>) {
        let walked = self.stands.values().map(|stand| stand.untold.through).chain(alone).min();
        self.figures.behind.set(walked.map_or(0, |walked| size.saturating_sub(walked)));
    }

    async fn hold(&mut self, (store, log): (&Arc<dyn WormStore>, &LogReader), holds: &[Decree], end: u64) -> Result<(), RoundError> {
        for decree in holds {
            let stand = || Stand {
                since: decree.since,
                walk: Walk::from(decree.through),
                untold: Untold { through: decree.through, ..Untold::default() },
                told_through: decree.through,
                told_at: None,
            };
            if !self.stands.contains_key(&decree.id) {
                // Whoever carried it on before may not have come so far.
                let links = chain::read(store, log).await?.all;
                self.own.insert(decree.id.clone(), seals_of(&links, decree));
            }
            let stand = self.stands.entry(decree.id.clone()).or_insert_with(stand);
            // A command went further meanwhile.
            stand.told_through = stand.told_through.max(decree.through);
            stand.untold.through = stand.untold.through.max(decree.through);
            stand.walk.done_below(decree.through);
        }
        let (mut again, mut on) = (Vec::new(), Vec::new());
        let mut result = Ok(());
        for decree in holds {
            let Some(stand) = self.stands.get(&decree.id) else { continue };
            match asked(decree, 0) {
                Ok(mut query) => {
                    let due = stand.walk.due();
                    if !due.is_empty() {
                        again.push((decree.id.clone(), query.clone().only(due)));
                    }
                    query.from = stand.walk.walked();
                    on.push((decree.id.clone(), query));
                }
                // The others are held all the same.
                Err(why) => result = result.and(Err(RoundError::Query(why))),
            }
        }
        result = result.and(self.hold_on((store, log), again, 0..end).await);
        let first = on.iter().map(|(_, query)| query.from).min().unwrap_or(end);
        result.and(self.hold_on((store, log), on, first..end).await)
    }

    /// Asks the queries of these seals, and holds what they mean.
    async fn hold_on(
        &mut self,
        (store, log): (&Arc<dyn WormStore>, &LogReader),
        of: Vec<(String, Asked)>,
        range: Range<u64>,
    ) -> Result<(), RoundError> {
        if of.is_empty() || range.is_empty() {
            return Ok(());
        }
        let (ids, queries): (Vec<String>, Vec<Asked>) = of.into_iter().unzip();
        let again: Vec<Option<BTreeSet<u64>>> = queries.iter().map(|query| query.seals().cloned()).collect();
        let mut carrier = Carrier::new((store, log), queries, range, (Want::Hold, self.parts.expected)).going_on();
        let mut failed = None;
        loop {
            let tell_now = match carrier.step().await {
                Ok(None) => break,
                Ok(Some(went)) => went.tell,
                Err(error) => {
                    failed = Some(RoundError::from(error));
                    carrier.untold()
                }
            };
            for (nth, untold) in tell_now {
                let Some((id, stand)) = ids.get(nth).and_then(|id| Some((id, self.stands.get_mut(id)?))) else { continue };
                self.fresh.entry(id.clone()).or_default().extend(untold.segments.iter().copied());
                stand.add(untold);
                // Should the hold have been released meanwhile, or the log not take it: what was held is looked at below.
                match tell(&self.parts, id, stand).await {
                    Ok(seals) => self.own.entry(id.clone()).or_default().extend(seals),
                    Err(error) => failed = failed.or(Some(error.into())),
                }
            }
            if failed.is_some() {
                break;
            }
        }
        let mut carried = carrier.end();
        for (id, untold) in ids.iter().zip(&carried.untold) {
            self.fresh.entry(id.clone()).or_default().extend(untold.segments.iter().copied());
        }
        let count: usize = self.fresh.values().flatten().collect::<BTreeSet<_>>().len();
        self.figures.held.add(u64::try_from(count).unwrap_or(u64::MAX));
        let refused = carried.refused.take().map_or(Ok(()), |refused| Err(refused.into()));
        let left = ids.iter().zip(&carried.left).filter(|(_, left)| !left.is_empty()).map(|(id, _)| id.as_str());
        let left = left.collect::<Vec<_>>().join(", ");
        let let_go = self.let_go(store, log).await;
        let told = self.held(carried, &ids, &again).await;
        let whole = if left.is_empty() { Ok(()) } else { Err(RoundError::Unsearched(left)) };
        failed.map_or(Ok(()), Err).and(let_go).and(told).and(refused).and(whole)
    }

    async fn held(&mut self, carried: Carried, ids: &[String], again: &[Option<BTreeSet<u64>>]) -> Result<(), RoundError> {
        for problem in &carried.problems {
            tracing::warn!(object = problem.object, what = problem.what, "hold.unsearched");
        }
        self.unjoined.extend(carried.unjoined);
        let now = self.parts.governor.clock.now().ceil_seconds();
        let mut result = Ok(());
        for (nth, (id, untold)) in ids.iter().zip(carried.untold).enumerate() {
            let Some(stand) = self.stands.get_mut(id) else { continue };
            stand.add(untold);
            if let (Some(again), Some(left)) = (again.get(nth), carried.left.get(nth)) {
                stand.walk.went(carried.walked, again.as_ref(), left);
            }
            stand.untold.through = stand.untold.through.max(stand.walk.through());
            let since = stand.told_at.map(|told| told.elapsed());
            let due = since.is_none_or(|since| since >= TELL_EVERY);
            let behind = stand.untold.through.saturating_sub(stand.told_through);
            // By the log's time and not by this process's, which may live for minutes only.
            let stale = stand.untold.since.is_some_and(|since| since.0 <= now.0 - TOLD_WITHIN_SECONDS);
            if due && stand.untold.of_others || stale || stand.untold.segments.len() >= 2048 || behind >= BEHIND_MAX {
                match tell(&self.parts, id, stand).await {
                    Ok(seals) => self.own.entry(id.clone()).or_default().extend(seals),
                    Err(error) => result = result.and(Err(error.into())),
                }
            }
        }
        result
    }

    /// Keeps the records of holds themselves, as far as they are in the log that is read.
    async fn keep_own(&mut self, store: &Arc<dyn WormStore>, log: &LogReader, holds: &[Decree]) -> Result<(), RoundError> {
        self.own.retain(|id, seals| !seals.is_empty() && holds.iter().any(|open| open.id == *id));
        // What was told just now is behind what was read.
        let newer = match self.own.values().flatten().any(|seal| *seal >= log.size()) {
            true => Some(LogReader::open(Arc::clone(store), &self.parts.log, &self.trusted()).await?),
            false => None,
        };
        let log = newer.as_ref().unwrap_or(log);
        let mut result = Ok(());
        for decree in holds {
            result = result.and(self.keep_own_of(store, log, decree).await);
        }
        result.and(self.let_go(store, log).await)
    }

    async fn keep_own_of(&mut self, store: &Arc<dyn WormStore>, log: &LogReader, decree: &Decree) -> Result<(), RoundError> {
        let Some(seals) = self.own.get_mut(&decree.id) else { return Ok(()) };
        while let Some(seal) = seals.first().copied().filter(|seal| *seal < log.size()) {
            let links = chain::read_at(store, log, seal).await?;
            let own: Vec<&Link> = links.iter().filter(|link| link.is_of(decree)).collect();
            // Should the hold have been released meanwhile, they are let go.
            self.fresh.entry(decree.id.clone()).or_default().extend(own.iter().map(|link| link.segment));
            own::keep((store, log), own, self.parts.expected).await?;
            seals.remove(&seal);
        }
        Ok(())
    }

    /// Keeps the records of extensions that somebody closed: once in a process's life, because whoever did may have died then, and whenever one is
    /// closed since.
    async fn keep_closed(&mut self) -> Result<(), RoundError> {
        if !self.unkept.as_ref().is_some_and(Again::is_due) {
            return Ok(());
        }
        let done = self.try_keep_closed().await;
        match (&done, &mut self.unkept) {
            (Err(_), Some(again)) => again.failed(),
            _ => self.unkept = None,
        }
        done
    }

    async fn try_keep_closed(&self) -> Result<(), RoundError> {
        let store = &self.parts.store;
        if store.locks() == Locks::None {
            return Ok(());
        }
        let log = LogReader::open(Arc::clone(store), &self.parts.log, &self.trusted()).await?;
        let links = chain::read(store, &log).await?.all;
        let now = self.parts.governor.clock.now().ceil_seconds();
        own::keep_closed((store, &log), &links, (now, self.parts.expected)).await?;
        Ok(())
    }

    /// What was held for a matter that was released meanwhile is lifted again, unless another one keeps it: whoever released it may have been
    /// past it already. Where that fails, the next round begins with it.
    async fn let_go(&mut self, store: &Arc<dyn WormStore>, log: &LogReader) -> Result<(), RoundError> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        let open = self.parts.governor.register.open().await?.ok_or(RoundError::Pending)?;
        let is_open = |id: &String| open.iter().any(|open| open.id == *id);
        let (kept, freed): (Vec<_>, Vec<_>) = self.fresh.clone().into_iter().partition(|(id, _)| is_open(id));
        if freed.iter().all(|(_, segments)| segments.is_empty()) || store.locks() == Locks::None {
            self.fresh.clear();
            return Ok(());
        }
        let ledger = chain::ledger(&chain::read(store, log).await?.all);
        let mut keeping: BTreeSet<SegmentId> = kept.into_iter().flat_map(|(_, segments)| segments).collect();
        for decree in open.iter().filter(|open| open.order == Order::Hold) {
            keeping.extend(ledger.kept_by(&decree.id));
            keeping.extend(self.stands.get(&decree.id).iter().flat_map(|stand| stand.untold.segments.iter().copied()));
        }
        // What others may mean and could not be searched for it, or was not by now, waits until it is.
        let may_be_kept = |id: &SegmentId| {
            let others = open.iter().filter(|open| open.order == Order::Hold);
            others.into_iter().any(|other| match self.stands.get(&other.id) {
                Some(stand) => stand.walk.is_open(id.seal),
                None => id.seal >= other.through,
            })
        };
        let (mut lifted, mut waits) = (BTreeSet::new(), BTreeMap::<String, BTreeSet<SegmentId>>::new());
        for (of, id) in freed.iter().flat_map(|(of, ids)| ids.iter().map(move |id| (of, *id))).filter(|(_, id)| !keeping.contains(id)) {
            match may_be_kept(&id) {
                true => drop(waits.entry(of.clone()).or_default().insert(id)),
                false => drop(lifted.insert(id)),
            }
        }
        if lifted.is_empty() {
            self.fresh = waits;
            return Ok(());
        }
        let freed = named(log, lifted.iter().copied()).await?;
        let mut enforcer = Enforcer::new(Arc::clone(store), log, Want::NoHold, self.parts.expected);
        enforcer.spare(keeping.iter().chain(waits.values().flatten()).map(|id| id.seal).collect::<BTreeSet<u64>>()).await?;
        // Nothing else has to wait for that.
        if let Err(error) = enforcer.lift(&freed, || ()).await {
            self.unlifted += 1;
            if self.unlifted < LET_GO_TRIES {
                return Ok(());
            }
            let advice = "a hold was released while this was put on hold for it; `spanseal hold release` of the same matter, done once more by \
                          whoever may lift holds, lifts it";
            tracing::warn!(%error, advice, "hold.not_lifted");
        }
        self.unlifted = 0;
        self.hold_placed_since((store, log), &open, &lifted).await?;
        self.fresh = waits;
        Ok(())
    }

    /// Who placed a hold while others were let go may have found on hold what is not any more. Of that, what cannot be searched for it is put
    /// back, until it can be.
    async fn hold_placed_since(
        &mut self,
        (store, log): (&Arc<dyn WormStore>, &LogReader),
        before: &[Decree],
        lifted: &BTreeSet<SegmentId>,
    ) -> Result<(), RoundError> {
        let open = self.parts.governor.register.open().await?.ok_or(RoundError::Pending)?;
        let is_new = |decree: &&Decree| !before.iter().any(|known| (&known.id, known.since) == (&decree.id, decree.since));
        for decree in open.iter().filter(is_new).filter(|decree| decree.order == Order::Hold) {
            let query = asked(decree, 0).map_err(RoundError::Query)?;
            let mut carrier = Carrier::new((store, log), vec![query], 0..log.size(), (Want::Hold, self.parts.expected));
            while carrier.step().await?.is_some() {}
            let left: BTreeSet<u64> = carrier.end().left.into_iter().flatten().collect();
            let unsearched = lifted.iter().copied().filter(|id| left.contains(&id.seal));
            if own::to((store, log), unsearched, Want::Hold, self.parts.expected).await?.segments > 0 {
                return Err(RoundError::Unsearched(decree.id.clone()));
            }
        }
        Ok(())
    }

    /// Finishes an extension that its command left undone.
    async fn extend(&mut self, store: &Arc<dyn WormStore>, log: &LogReader, decree: &Decree) -> Result<(), RoundError> {
        let mut undone = match self.extensions.remove(&decree.id) {
            Some(undone) => undone,
            None => {
                let links = chain::read(store, log).await?.all;
                let end = placed(&links, &decree.id).map_or(log.size(), |link| link.seal.saturating_add(1));
                let (walk, untold) = (Walk::from(decree.through), Untold { through: decree.through, ..Untold::default() });
                Undone { since: decree.since, end, walk, untold, told_through: decree.through, close: Again::default() }
            }
        };
        // A command went further meanwhile.
        undone.walk.done_below(decree.through);
        undone.told_through = undone.told_through.max(decree.through);
        undone.untold.through = undone.untold.through.max(decree.through);
        let mut result = self.extend_on((store, log), decree, &mut undone).await;
        if result.is_ok() && undone.walk.is_whole() && undone.close.is_due() {
            result = self.close(store, decree, &mut undone).await;
            match &result {
                Ok(()) => return Ok(()),
                Err(_) => {
                    undone.close.failed();
                    // It may be closed by now.
                    self.unkept = Some(Again::default());
                }
            }
        }
        self.extensions.insert(decree.id.clone(), undone);
        result
    }

    /// Carries it out where that is left, and tells the log.
    async fn extend_on(
        &self,
        (store, log): (&Arc<dyn WormStore>, &LogReader),
        decree: &Decree,
        undone: &mut Undone,
    ) -> Result<(), RoundError> {
        let query = asked(decree, 0).map_err(RoundError::Query)?;
        let on = asked(decree, undone.walk.walked()).map_err(RoundError::Query)?;
        let mut result = Ok(());
        for (query, range) in [(query.only(undone.walk.due()), 0..undone.end), (on, undone.walk.walked()..undone.end)] {
            if range.is_empty() || query.seals().is_some_and(BTreeSet::is_empty) {
                continue;
            }
            let again = query.seals().cloned();
            let mut carrier = Carrier::new((store, log), vec![query], range, (want(decree.order), self.parts.expected)).going_on();
            let failed = loop {
                match carrier.step().await {
                    Ok(None) => break None,
                    Ok(Some(went)) => {
                        for (_, untold) in went.tell {
                            undone.add(untold);
                            self.tell_extended(decree, undone).await?;
                        }
                    }
                    Err(error) => break Some(RoundError::from(error)),
                }
            };
            let mut carried = carrier.end();
            for problem in &carried.problems {
                tracing::warn!(object = problem.object, what = problem.what, "extension.unsearched");
            }
            let refused = carried.refused.take().map_or(Ok(()), |refused| Err(refused.into()));
            undone.add(carried.untold.pop().unwrap_or_default());
            let left = carried.left.pop().unwrap_or_default();
            undone.walk.went(carried.walked, again.as_ref(), &left);
            undone.untold.through = undone.untold.through.max(undone.walk.through());
            let whole = if left.is_empty() { Ok(()) } else { Err(RoundError::Unsearched(decree.id.clone())) };
            result = result.and(failed.map_or(Ok(()), Err)).and(refused).and(whole);
        }
        // What is over is told with its end.
        if result.is_err() || !undone.walk.is_whole() {
            result = result.and(self.tell_extended(decree, undone).await);
        }
        result
    }

    async fn tell_extended(&self, decree: &Decree, undone: &mut Undone) -> Result<(), RoundError> {
        for motion in Motion::told(&decree.id, undone.untold.clone(), undone.told_through, false) {
            self.parts.governor.carry(&motion).await?;
        }
        let through = undone.untold.through;
        (undone.untold, undone.told_through) = (Untold { through, ..Untold::default() }, through);
        Ok(())
    }

    /// Says that an extension is carried out on all that it means. Its records are kept before that, as far as they are there, for nobody who
    /// carries out what is open looks at them any more.
    async fn close(&self, store: &Arc<dyn WormStore>, decree: &Decree, undone: &mut Undone) -> Result<(), RoundError> {
        let mut motions = Motion::told(&decree.id, undone.untold.clone(), undone.told_through, true);
        let close = motions.pop();
        for motion in motions {
            self.parts.governor.carry(&motion).await?;
        }
        let trusted = self.trusted();
        let of_log = (store, self.parts.log.as_str(), trusted.as_slice());
        own::keep_of(of_log, decree, self.parts.expected).await?;
        if let Some(close) = close {
            self.parts.governor.carry(&close).await?;
        }
        tracing::info!(id = decree.id, "extension.finished");
        own::keep_of(of_log, decree, self.parts.expected).await?;
        Ok(())
    }

    /// Holds what others have said since of held seals.
    async fn join(&mut self, store: &Arc<dyn WormStore>, log: &LogReader) -> Result<(), RoundError> {
        if store.locks() == Locks::None || self.parts.expected == Expected::default() {
            self.unjoined.clear();
            return Ok(());
        }
        if !self.looked_back {
            let links = chain::read(store, log).await?.all;
            self.unjoined.extend(newest_held(log, &chain::ledger(&links)).await?);
            self.looked_back = true;
        }
        let mut enforcer = Enforcer::new(Arc::clone(store), log, Want::Hold, self.parts.expected);
        let mut unjoined = std::mem::take(&mut self.unjoined).into_iter();
        let mut result = Ok(());
        while let Some((seal, segments)) = unjoined.next() {
            // Released meanwhile: nobody needs it.
            let joined = async {
                match any_held(&enforcer, &segments).await? {
                    true => Ok::<_, EnforceError>(enforcer.evidence(seal).await?.unjoined == 0),
                    false => Ok(true),
                }
            };
            let joined = joined.await;
            if !matches!(joined, Ok(true)) {
                self.unjoined.insert(seal, segments);
            }
            match joined {
                Ok(_) => {}
                // The others do not wait for what the store refuses of one.
                Err(refused @ EnforceError::Object { .. }) => result = result.and(Err(refused.into())),
                Err(error) => {
                    self.unjoined.extend(unjoined);
                    return result.and(Err(error.into()));
                }
            }
        }
        result
    }

    /// Tells the log all that it was not told, before the writer goes.
    async fn tell_all(&mut self) -> Result<(), GovernError> {
        for (id, stand) in &mut self.stands {
            let behind = stand.untold.through.saturating_sub(stand.told_through);
            if stand.untold.since.is_some() || behind > AGAIN_MAX {
                tell(&self.parts, id, stand).await?;
            }
        }
        Ok(())
    }
}

/// The seals that hold its records.
fn seals_of(links: &[Link], decree: &Decree) -> BTreeSet<u64> {
    links.iter().filter(|link| link.is_of(decree)).map(|link| link.seal).collect()
}

/// The record that placed a decree that is open.
fn placed<'l>(links: &'l [Link], id: &str) -> Option<&'l Link> {
    links.iter().rev().find(|link| link.entry.step == Step::Open && link.entry.of.id == id)
}

async fn any_held(enforcer: &Enforcer<'_>, segments: &[SegmentRef]) -> Result<bool, ReadError> {
    for segment in segments {
        if enforcer.is_held(segment).await? == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The newest segments that each open hold keeps, by seal.
///
/// KNOWN GAP: where a process died before others had said a word of a held seal, and more were held since than these, what they said of it
/// later is not put on hold; it is locked as evidence is.
async fn newest_held(log: &LogReader, ledger: &Ledger) -> Result<BTreeMap<u64, Vec<SegmentRef>>, ReadError> {
    let mut newest = BTreeSet::new();
    for decree in ledger.open().iter().filter(|open| open.order == Order::Hold) {
        let held: Vec<SegmentId> = ledger.held_by(&decree.id).collect();
        newest.extend(held.into_iter().rev().take(UNJOINED_MAX));
    }
    named(log, newest).await
}

fn add(untold: &mut Untold, more: Untold) {
    untold.segments.extend(more.segments);
    untold.segments.sort_unstable();
    untold.segments.dedup();
    untold.through = untold.through.max(more.through);
    untold.of_others |= more.of_others;
    untold.since = untold.since.into_iter().chain(more.since).min();
}

/// Tells the log what a hold was carried out on, and says in which seals. Should it fail, nothing is forgotten.
async fn tell(parts: &Parts, id: &str, stand: &mut Stand) -> Result<Vec<u64>, GovernError> {
    let mut seals = Vec::new();
    for motion in Motion::told(id, stand.untold.clone(), stand.told_through, false) {
        seals.push(parts.governor.carry(&motion).await?.seal);
    }
    let through = stand.untold.through;
    stand.untold = Untold { through, ..Untold::default() };
    (stand.told_through, stand.told_at) = (through, Some(Instant::now()));
    Ok(seals)
}

#[cfg(test)]
mod tests;
