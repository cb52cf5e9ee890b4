//! Keeps on hold what is sealed while holds are open, and finishes what a command left undone: a hold or an extension whose process died.
//!
//! It starts from the decrees that the newest record of one says are open; where none is, nothing is read. A seal is looked at within a round
//! of its commit, by then locked as its class says, so nothing is lost meanwhile. Ingest never waits for it.
//!
//! What was held is told to the log when something of others was, at most once in [`TELL_EVERY`]; how far it looked, within a day and when the
//! process stops, if there were records of others. A start goes on from what was told, and finds the rest held already. So an open hold costs
//! some two dozen records a day at most, and a `--all` one does not feed on its own.
//!
//! KNOWN GAP: a process that is killed has looked at up to an hour of seals that the log was not told of; their objects are held all the same,
//! and told by the next one. Who releases a hold in between looks at these seals too.

use std::collections::{BTreeMap, BTreeSet};
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
use crate::govern::own;
use crate::govern::register::Motion;
use crate::govern::{Expected, GovernError, Governor};
use crate::metrics::HoldFigures;
use crate::query::log::{KeySource, LogReader, TrustedKey};
use crate::seal::Status;
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::SegmentRef;
use crate::worm::{Locks, ReadError, WormStore};

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
    /// Held, and not told to the log.
    untold: Untold,
    /// Where the log says that it stands.
    told_through: u64,
    told_at: Option<Instant>,
}

/// What is known from one round to the next.
#[derive(Debug)]
pub(super) struct Rounds {
    parts: Parts,
    figures: Arc<HoldFigures>,
    stands: BTreeMap<String, Stand>,
    /// Held segments of whose seals a word of others is still to come.
    unjoined: BTreeMap<u64, Vec<SegmentRef>>,
    /// Whether those of earlier processes are among them.
    looked_back: bool,
    /// Put on hold, and not yet looked at whether the hold was released meanwhile.
    fresh: BTreeMap<String, BTreeSet<SegmentId>>,
    /// Seals with records of decrees whose own segments are still to be kept, by the decree's name.
    own: BTreeMap<String, BTreeSet<u64>>,
    /// Whether records of extensions that are in force may not be kept as long as these say. A process that was killed may have left some so.
    unkept: bool,
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
            unjoined: BTreeMap::new(),
            looked_back: false,
            fresh: BTreeMap::new(),
            own: BTreeMap::new(),
            unkept: true,
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

    async fn try_round(&mut self) -> Result<(), RoundError> {
        // Before it is asked what is open: of these seals none is behind the release of a hold that is open then.
        let size = self.parts.status.borrow().tree_size;
        let open = self.parts.governor.register.open().await?.ok_or(RoundError::Pending)?;
        self.figures.open.set(u64::try_from(open.len()).unwrap_or(u64::MAX));
        // One that was released and placed anew under the same name is another.
        self.stands.retain(|id, stand| open.iter().any(|open| open.id == *id && open.since == stand.since));
        self.unkept |= self.parts.governor.register.take_ended().await;
        if open.is_empty() && self.fresh.is_empty() {
            self.figures.behind.set(0);
            self.unjoined.clear();
            return self.keep_extensions().await;
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
        self.let_go(&store, &log).await?;
        let (holds, extensions): (Vec<Decree>, Vec<Decree>) = own.into_iter().partition(|decree| decree.order == Order::Hold);
        let held = self.hold((&store, &log), &holds, size.min(log.size())).await;
        let alone = left.iter().map(|decree| decree.through).min();
        self.note_behind(size, alone);
        held?;
        self.keep_own(&store, &log, &holds).await?;
        let mut extended = Ok(());
        for decree in extensions {
            extended = self.extend(&store, &log, &decree).await;
            if extended.is_err() {
                break;
            }
        }
        let kept = self.keep_extensions().await;
        extended?;
        kept?;
        self.join(&store, &log).await
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
        }
        let (mut queries, mut asked_of) = (Vec::new(), Vec::new());
        let mut unasked = None;
        for decree in holds {
            let from = self.stands.get(&decree.id).map_or(decree.through, |stand| stand.untold.through);
            match asked(decree, from) {
                Ok(query) => {
                    queries.push(query);
                    asked_of.push(decree.id.clone());
                }
                // The others are held all the same.
                Err(why) => unasked = Some(RoundError::Query(why)),
            }
        }
        let Some(first) = queries.iter().map(|query| query.from).min().filter(|first| *first < end) else {
            return unasked.map_or(Ok(()), Err);
        };
        let mut carrier = Carrier::new((store, log), queries, first..end, (Want::Hold, self.parts.expected));
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
                let Some((id, stand)) = asked_of.get(nth).and_then(|id| Some((id, self.stands.get_mut(id)?))) else { continue };
                self.fresh.entry(id.clone()).or_default().extend(untold.segments.iter().copied());
                add(&mut stand.untold, untold);
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
        let carried = carrier.end();
        for (id, untold) in asked_of.iter().zip(&carried.untold) {
            self.fresh.entry(id.clone()).or_default().extend(untold.segments.iter().copied());
        }
        let count: usize = self.fresh.values().flatten().collect::<BTreeSet<_>>().len();
        self.figures.held.add(u64::try_from(count).unwrap_or(u64::MAX));
        let unsearched = carried.unsearched;
        self.let_go(store, log).await?;
        self.held(carried, &asked_of).await?;
        if unsearched && failed.is_none() {
            failed = Some(RoundError::Unsearched(asked_of.join(", ")));
        }
        if let Some(failed) = failed {
            return Err(failed);
        }
        unasked.map_or(Ok(()), Err)
    }

    async fn held(&mut self, carried: Carried, ids: &[String]) -> Result<(), RoundError> {
        for problem in &carried.problems {
            tracing::warn!(object = problem.object, what = problem.what, "hold.unsearched");
        }
        self.unjoined.extend(carried.unjoined);
        let now = self.parts.governor.clock.now().ceil_seconds();
        for (id, untold) in ids.iter().zip(carried.untold) {
            let Some(stand) = self.stands.get_mut(id) else { continue };
            add(&mut stand.untold, untold);
            let since = stand.told_at.map(|told| told.elapsed());
            let due = since.is_none_or(|since| since >= TELL_EVERY);
            let behind = stand.untold.through.saturating_sub(stand.told_through);
            // By the log's time and not by this process's, which may live for minutes only.
            let stale = stand.untold.since.is_some_and(|since| since.0 <= now.0 - TOLD_WITHIN_SECONDS);
            if due && stand.untold.of_others || stale || stand.untold.segments.len() >= 2048 || behind >= BEHIND_MAX {
                let seals = tell(&self.parts, id, stand).await?;
                self.own.entry(id.clone()).or_default().extend(seals);
            }
        }
        Ok(())
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
        for decree in holds {
            let Some(seals) = self.own.get_mut(&decree.id) else { continue };
            while let Some(seal) = seals.first().copied().filter(|seal| *seal < log.size()) {
                let links = chain::read_at(store, log, seal).await?;
                let own: Vec<&Link> = links.iter().filter(|link| link.is_of(decree)).collect();
                // Should the hold have been released meanwhile, they are let go.
                self.fresh.entry(decree.id.clone()).or_default().extend(own.iter().map(|link| link.segment));
                own::keep((store, log), own, self.parts.expected).await?;
                seals.remove(&seal);
            }
        }
        self.let_go(store, log).await
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
        let freed = freed.into_iter().flat_map(|(_, segments)| segments).filter(|id| !keeping.contains(id));
        let freed = named(log, freed).await?;
        let mut enforcer = Enforcer::new(Arc::clone(store), log, Want::NoHold, self.parts.expected);
        enforcer.spare(keeping.iter().map(|id| id.seal).collect::<BTreeSet<u64>>()).await?;
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
        self.hold_placed_since(store, log, &open).await?;
        self.fresh.clear();
        Ok(())
    }

    /// Who placed a hold while others were let go may have found on hold what is not any more.
    async fn hold_placed_since(&mut self, store: &Arc<dyn WormStore>, log: &LogReader, before: &[Decree]) -> Result<(), RoundError> {
        let open = self.parts.governor.register.open().await?.ok_or(RoundError::Pending)?;
        let is_new = |decree: &&Decree| !before.iter().any(|known| (&known.id, known.since) == (&decree.id, decree.since));
        for decree in open.iter().filter(is_new).filter(|decree| decree.order == Order::Hold) {
            let query = asked(decree, 0).map_err(RoundError::Query)?;
            let mut carrier = Carrier::new((store, log), vec![query], 0..log.size(), (Want::Hold, self.parts.expected));
            while carrier.step().await?.is_some() {}
        }
        Ok(())
    }

    /// Finishes an extension that its command left undone.
    async fn extend(&mut self, store: &Arc<dyn WormStore>, log: &LogReader, decree: &Decree) -> Result<(), RoundError> {
        let links = chain::read(store, log).await?.all;
        let end = placed(&links, &decree.id).map_or(log.size(), |link| link.seal.saturating_add(1));
        let query = asked(decree, decree.through).map_err(RoundError::Query)?;
        let mut carrier = Carrier::new((store, log), vec![query], decree.through..end, (want(decree.order), self.parts.expected));
        let mut from = decree.through;
        loop {
            let (tell, failed) = match carrier.step().await {
                Ok(None) => break,
                Ok(Some(went)) => (went.tell, None),
                Err(error) => (carrier.untold(), Some(error)),
            };
            for (_, untold) in tell {
                let through = untold.through;
                for motion in Motion::told(&decree.id, untold, from, false) {
                    self.parts.governor.carry(&motion).await?;
                }
                from = through;
            }
            if let Some(error) = failed {
                return Err(error.into());
            }
        }
        let mut carried = carrier.end();
        for problem in &carried.problems {
            tracing::warn!(object = problem.object, what = problem.what, "extension.unsearched");
        }
        let untold = carried.untold.pop().unwrap_or_default();
        for motion in Motion::told(&decree.id, untold, from, !carried.unsearched) {
            self.parts.governor.carry(&motion).await?;
        }
        if carried.unsearched {
            return Err(RoundError::Unsearched(decree.id.clone()));
        }
        // Its own records say so only now.
        self.unkept = true;
        tracing::info!(id = decree.id, segments = carried.done.segments, "extension.finished");
        Ok(())
    }

    /// Keeps the records of extensions themselves for as long as what they say is in force. Once an extension is closed nothing else comes back to
    /// them, so where that fails the next round begins anew, also for those that a command closed.
    async fn keep_extensions(&mut self) -> Result<(), RoundError> {
        self.unkept |= self.parts.governor.register.take_ended().await;
        if !self.unkept {
            return Ok(());
        }
        let store = Arc::clone(&self.parts.store);
        let log = LogReader::open(Arc::clone(&store), &self.parts.log, &self.trusted()).await?;
        let links = chain::read(&store, &log).await?.all;
        let now = self.parts.governor.clock.now().ceil_seconds();
        let in_force = |link: &&Link| matches!(link.entry.of.order, Order::Extend(lock) if lock.retain_until > now);
        own::keep((&store, &log), links.iter().filter(in_force), self.parts.expected).await?;
        self.unkept = false;
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
            if let Err(error) = joined {
                self.unjoined.extend(unjoined);
                return Err(error.into());
            }
        }
        Ok(())
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
    let untold = Untold { through, ..Untold::default() };
    *stand = Stand { since: stand.since, untold, told_through: through, told_at: Some(Instant::now()) };
    Ok(seals)
}

#[cfg(test)]
mod tests;
