//! One log: the walk over its seals, joined with the segments that they name, and what can only be said at its end.

mod cosigned;
mod decreed;
mod kept;
mod log_file;
mod published;
mod receipts;
mod strays;
mod tail;

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::Semaphore;

use super::chain::{Chain, Fetched, Followed, Standing, fetch};
use super::completeness::{GapKind, Tally};
use super::configuration::Configurations;
use super::cosignatures::{Cosigned, Strangers};
use super::decrees::{Decrees, Shown};
use super::doubt::{AHEAD_MAX_SECONDS, Doubt, ahead};
use super::expiry::{Expired, Expiry};
use super::listing::{Group, Pages, Segments, Strays, seal_from};
use super::locks::Held;
use super::objects::{Outcome, Scene, Sealed, check_sealed};
use super::report::{Item, KeyChange, KeyTrust, Kind, LogReport, NOT_LED_TO, Sink};
use super::stamps::{Attached, Stamps, Timestamped};
use super::tiles::Tiles;
use super::{Bound, Options, Progress, is_for, is_named};
use crate::clock::UnixSeconds;
use crate::tlog::note::{UnverifiedCheckpoint, VerifierKey};
use crate::tlog::seal_file::{LogFile, SealFile, Statement};
use crate::worm::{Locks, ReadError, VersionId, WormStore, parse_seal_name, seal_key};
use kept::Kept;
use published::{Published, bad_checkpoint};
use receipts::KeptReceipt;
use tail::{Behind, Tail};

/// What came of one log.
pub(super) struct Done {
    pub(super) report: LogReport,
    pub(super) key: KeyTrust,
    pub(super) sink: Sink,
    pub(super) locks_read: u64,
    pub(super) locks_unread: u64,
}

/// Key of a seal below its log.
pub(super) fn seal_object(index: u64) -> String {
    format!("seals/{index:020}.json")
}

/// Verifies one log.
pub(super) async fn verify_log(store: &dyn WormStore, log: &str, options: &Options<'_>) -> Done {
    let decrees = OnceLock::new();
    let (now, due, depth, witnesses) = (options.now, options.due, options.depth, &options.witnesses);
    let scene = Scene { store, log, now, due, depth, witnesses, decrees: &decrees };
    let mut walk = Walk::new(scene, options);
    let mut all = Gathered::new(options);
    // The checkpoint is read before the seals: it leaves the writer only after its seal, so whatever it names must be listed.
    walk.read_log_file().await;
    walk.begin();
    walk.read_published().await;
    walk.read_decrees().await;
    let nothing = walk.nothing_there();
    match walk.start().await {
        Err(error) => walk.sink.unchecked("seals/", None, error),
        Ok(None) => walk.sink.unchecked("seals/", None, &nothing),
        Ok(Some(start)) => {
            let seals_expected = walk.published.as_ref().map(|p| p.read.checkpoint.size.0.saturating_sub(walk.from));
            let fetched = fetched(scene, start, options.concurrency.max(1));
            let mut outcomes = outcomes(scene, jobs(&mut walk, fetched), options.concurrency.max(1));
            while let Some(outcome) = outcomes.next().await {
                all.take(outcome);
                if let Some(progress) = options.progress {
                    let Outcome { records, bytes, .. } = all.total;
                    progress(&Progress { log, seals: all.seals, seals_expected, records, bytes });
                }
            }
        }
    }
    walk.end_seals().await;
    let timestamped = walk.end_stamps().await;
    walk.end_decrees(!all.expiry.is_empty(), &mut all.total).await;
    let signed = cosigned::signed_for_log(&options.witnesses, &walk);
    walk.end(&mut all.total, &mut all.configurations).await;
    let sums = all.end(&walk, &signed);
    if sums.seals == 0 && !walk.sink.says_why() {
        walk.sink.unchecked("seals/", None, &nothing);
    }
    done(walk, sums, timestamped)
}

/// What the seals of the walk come to together.
struct Gathered {
    /// Seals that stand.
    seals: u64,
    /// Sums of what was counted, and the findings of all.
    total: Outcome,
    tally: Tally,
    expiry: Expiry,
    configurations: Configurations,
    cosigned: Cosigned,
    /// Cosignatures by nobody whom the auditor named.
    strangers: Strangers,
}

impl Gathered {
    fn new(options: &Options<'_>) -> Self {
        Gathered {
            seals: 0,
            total: Outcome::default(),
            tally: Tally::default(),
            expiry: Expiry::default(),
            configurations: Configurations::new(options.now),
            cosigned: Cosigned::new(&options.witnesses, options.quorum.unwrap_or(options.witnesses.len())),
            strangers: Strangers::default(),
        }
    }

    /// Takes what came of one seal, in the order of seals.
    fn take(&mut self, outcome: Outcome) {
        let total = &mut self.total;
        self.seals += 1;
        total.segments += outcome.segments;
        // Where only locks are looked at, these are what seals state: any number.
        total.records = total.records.saturating_add(outcome.records);
        total.bytes = total.bytes.saturating_add(outcome.bytes);
        total.locks_read += outcome.locks_read;
        total.locks_unread += outcome.locks_unread;
        total.held.merge(&outcome.held);
        total.sink.merge(outcome.sink);
        outcome.read.iter().for_each(|read| self.cosigned.pass(&read.statement));
        decreed::take(outcome.by_hold, total);
        cosigned::take(outcome.said, &mut self.cosigned, &mut self.strangers);
        if let Some(read) = outcome.read {
            self.tally.seal(&read.statement, read.complete, outcome.sources);
            self.expiry.take(read.statement.index, outcome.named);
            self.configurations.judge(read, &mut total.sink);
        }
    }

    /// What can be said only of all of them. `signed`: by [`cosigned::signed_for_log`].
    fn end(self, walk: &Walk<'_>, signed: &[bool]) -> Sums {
        let Gathered { seals, mut total, tally, expiry, configurations, mut cosigned, strangers } = self;
        let (scene, sink) = (walk.scene, &mut total.sink);
        if !expiry.is_empty()
            && let Some(skew) = scene.store.clock_skew_seconds().filter(|skew| skew.saturating_abs() > AHEAD_MAX_SECONDS)
        {
            let why = format!(
                "this machine's clock is {skew} s off the store's own, so whether what is gone was past its date is not known: set it right"
            );
            sink.unchecked("", None, why);
        }
        let expired = expiry.end(sink);
        strangers.end(configurations.witnesses(), sink);
        configurations.end(sink);
        cosigned::leave_out_own(&mut cosigned, (scene.witnesses, signed), walk, sink);
        if seals > 0 {
            cosigned::end(&cosigned, (scene.now, walk.beyond), sink);
        }
        Sums { seals, total, tally, cosigned, expired }
    }
}

/// What is left of them for the report.
struct Sums {
    seals: u64,
    total: Outcome,
    tally: Tally,
    cosigned: Cosigned,
    expired: Vec<Expired>,
}

/// The report of a walk that has said all it has to say.
fn done(walk: Walk<'_>, sums: Sums, timestamped: Option<Timestamped>) -> Done {
    let key = walk.trust();
    let Walk { scene, chain, mut sink, log_file, newest, newest_checkpoint, covered, resumed, extends, beyond, tally: passed, .. } = walk;
    let Sums { seals, total, mut tally, cosigned, expired } = sums;
    sink.merge(total.sink);
    tally.merge_gaps(passed);
    let first = chain.keys().next();
    let origin = first.map(|key| key.name().to_owned()).or(log_file.map(|file| file.origin)).unwrap_or_default();
    let change = |(seal, from, to): &(u64, VerifierKey, VerifierKey)| KeyChange { seal: *seal, from: from.to_string(), to: to.to_string() };
    let report = LogReport {
        origin,
        key,
        vkey: first.map(ToString::to_string),
        key_changes: chain.changes().iter().map(change).collect(),
        tree_size: newest.map_or(0, |n| n.saturating_add(1)),
        seals,
        segments: total.segments,
        records: total.records,
        bytes: total.bytes,
        completeness: tally.end(&sink),
        resumed,
        extends,
        goes_on: beyond,
        root: UnverifiedCheckpoint::parse(&newest_checkpoint).ok().map(|read| read.checkpoint.root),
        timestamped,
        name: scene.log.to_owned(),
        covered,
        expired,
        orders: scene.decrees.get().map(Decrees::orders).unwrap_or_default(),
        locks: total.held.0,
        cosigned: Some(cosigned).filter(|_| !scene.witnesses.is_empty()),
    };
    Done { report, key, sink, locks_read: total.locks_read, locks_unread: total.locks_unread }
}

// The three stages are functions of their own, with named lifetimes and boxes, because only so the compiler sees that the whole is
// `Send` and may be spawned.

/// Seals with the bytes of all their versions, in order.
fn fetched(scene: Scene<'_>, start: u64, concurrency: usize) -> BoxStream<'_, Result<Option<Fetched>, ReadError>> {
    let after = start.checked_sub(1).map(|before| seal_key(scene.log, before));
    let listed = Pages::new(scene.store, format!("{}/seals/", scene.log), after).into_stream();
    listed.map(move |group| fetch_listed(scene, group)).buffered(concurrency).boxed()
}

/// Seals that stand, one after another.
fn jobs<'w, 'a: 'w>(walk: &'w mut Walk<'a>, fetched: BoxStream<'a, Result<Option<Fetched>, ReadError>>) -> BoxStream<'w, Sealed> {
    let step = |(walk, mut fetched): (&'w mut Walk<'a>, BoxStream<'a, _>)| async move {
        loop {
            let job = match fetched.next().await? {
                Ok(None) => continue,
                Ok(Some(fetched)) => walk.step(fetched).await,
                Err(error) => {
                    walk.sink.unchecked("seals/", None, error);
                    walk.stopped = true;
                    return None;
                }
            };
            match job {
                Step::Check(sealed) => return Some((*sealed, (walk, fetched))),
                Step::Next => {}
                Step::End => return None,
            }
        }
    };
    futures::stream::unfold((walk, fetched), step).boxed()
}

/// Starts of the writer that a report tells one by one.
const RESTARTS_TOLD: usize = 3;

/// Seals that are waited with, behind one whose segments take long: their own are checked meanwhile. 256 of 256 KiB are 64 MiB.
const AHEAD_MAX: usize = 256;

/// What each of them holds, in their order: which configuration is in force is known from the seals before.
fn outcomes<'w, 'a: 'w>(scene: Scene<'a>, jobs: BoxStream<'w, Sealed>, concurrency: usize) -> BoxStream<'w, Outcome> {
    let work = Arc::new(Semaphore::new(concurrency));
    let check = move |sealed| {
        let work = Arc::clone(&work);
        async move {
            // Never closed.
            let _turn = work.acquire().await;
            check_sealed(scene, sealed).await
        }
    };
    jobs.map(check).buffered(concurrency.max(AHEAD_MAX)).boxed()
}

async fn fetch_listed(scene: Scene<'_>, group: Result<Group, ReadError>) -> Result<Option<Fetched>, ReadError> {
    let group = group?;
    let name = group.key.as_str().strip_prefix(scene.log).and_then(|rest| rest.strip_prefix('/')).and_then(parse_seal_name);
    // Keys below the log that the format does not name are ignored.
    // KNOWN GAP: a store that lies may list such keys without end, and is read as long.
    let Some(index) = name else { return Ok(None) };
    Ok(Some(fetch(scene.store, index, group).await))
}

enum Step {
    Check(Box<Sealed>),
    Next,
    End,
}

/// Where what lies at the key of a seal belongs.
enum Place {
    /// In the log: the seal, where it stands, and what was found there.
    InLog(Option<Box<Standing>>, Sink),
    /// Behind the end of the log, as far as it is known by now; how to go on.
    Behind(Step),
}

struct Walk<'a> {
    scene: Scene<'a>,
    options: &'a Options<'a>,
    pinned: Option<VerifierKey>,
    configured: Option<VerifierKey>,
    log_file: Option<LogFile>,
    log_file_version: Option<VersionId>,
    log_file_unread: bool,
    published: Option<Published>,
    kept: Option<Kept>,
    receipts: Vec<KeptReceipt>,
    chain: Chain,
    sink: Sink,
    segments: Option<Segments<'a>>,
    /// Unnamed segments with an index that the walk has not reached.
    ahead: VecDeque<Group>,
    /// How many of them were not kept.
    ahead_more: u64,
    tiles: Option<Tiles>,
    stamps: Option<Stamps<'a>>,
    cosignatures: Option<Pages<'a>>,
    /// First seal of the range.
    from: u64,
    /// Behind the last seal that is known to be one of the log, whether it stands or not.
    expected: u64,
    /// Where the walk began.
    first_walked: u64,
    /// Index that the listing must show next.
    listed_next: u64,
    /// What was listed between the two.
    tail: Tail,
    /// Size of the largest tree that a checkpoint from before the walk proves, once the walk is over.
    named: u64,
    /// Whether there was anything to walk over.
    walked: bool,
    /// What lies behind the last seal of the listing, where it is nothing that came since.
    behind: Option<Behind>,
    /// The first seal by a stranger behind a gap, and how many there are.
    strangers: Option<(u64, u64)>,
    /// The last seal of the range that stands.
    newest: Option<u64>,
    /// The checkpoint that it carries.
    newest_checkpoint: String,
    covered: Option<(u64, u64)>,
    last_time: Option<UnixSeconds>,
    /// The first seal that is dated after now, and how many are.
    dated_ahead: Option<(Doubt, u64, u64)>,
    /// Starts of the writer: how many, and the first of them, each with its seal, when it was and when the one before.
    restarts: (u64, Vec<(u64, UnixSeconds, UnixSeconds)>),
    not_worm: u64,
    worm: u64,
    /// Gaps between seals.
    tally: Tally,
    /// What it shows of decrees.
    shown: Shown,
    /// First seal read again, where all before rests on an earlier verification.
    resumed: Option<u64>,
    /// Size of the kept tree with which the log was shown to begin.
    extends: Option<u64>,
    /// Behind `to`: only the chain of keys is still followed.
    beyond: bool,
    /// The listing broke off: nothing is said about the end.
    stopped: bool,
}

impl<'a> Walk<'a> {
    fn new(scene: Scene<'a>, options: &'a Options<'a>) -> Self {
        Walk {
            scene,
            options,
            pinned: options.pinned.iter().find(|k| is_for(k, scene.log)).cloned(),
            configured: options.configured.clone().filter(|k| is_for(k, scene.log)),
            log_file: None,
            log_file_version: None,
            log_file_unread: false,
            published: None,
            kept: options.since.clone().filter(|c| is_named(&c.checkpoint.origin, scene.log)).map(Kept::new),
            receipts: options.receipts.iter().copied().map(KeptReceipt::new).collect(),
            chain: Chain::new(Vec::new(), None, false),
            sink: Sink::default(),
            segments: None,
            ahead: VecDeque::new(),
            ahead_more: 0,
            tiles: None,
            stamps: None,
            cosignatures: None,
            from: 0,
            first_walked: 0,
            expected: 0,
            listed_next: 0,
            tail: Tail::default(),
            named: 0,
            walked: false,
            behind: None,
            strangers: None,
            newest: None,
            newest_checkpoint: String::new(),
            covered: None,
            last_time: None,
            dated_ahead: None,
            restarts: (0, Vec::new()),
            not_worm: 0,
            worm: 0,
            tally: Tally::default(),
            shown: Shown::default(),
            resumed: None,
            extends: None,
            beyond: false,
            stopped: false,
        }
    }

    /// Keys to begin with: the auditor's first, then what `log.json` and the configuration say.
    fn begin(&mut self) {
        let mut candidates: Vec<VerifierKey> = Vec::new();
        for key in self.given_keys() {
            if !candidates.contains(key) {
                candidates.push(key.clone());
            }
        }
        self.chain = Chain::new(candidates, self.anchor().cloned(), self.log_file_unread);
    }

    /// The key that the log must be joined to.
    fn anchor(&self) -> Option<&VerifierKey> {
        self.pinned.as_ref().or(self.configured.as_ref())
    }

    /// Keys that were given or found, whoever's they are.
    fn given_keys(&self) -> impl Iterator<Item = &VerifierKey> {
        [self.pinned.as_ref(), self.log_file.as_ref().map(|file| &file.vkey), self.configured.as_ref()].into_iter().flatten()
    }

    /// Decides where the walk begins: at the tree that was kept, for its signature says whose the log was by then; else at the first seal, because
    /// only the seals before a part tell whether the key that signed it had been left by then. `None`: nothing lies in the range.
    async fn start(&mut self) -> Result<Option<u64>, ReadError> {
        let Scene { store, log, .. } = self.scene;
        let mut resumed = self.kept.as_ref().filter(|_| self.options.resume).map(|kept| Bound::Seal(kept.last().unwrap_or(0)));
        if let Some(Bound::Seal(last)) = resumed
            && seal_from(store, log, last).await?.is_none()
        {
            // The log ends before what was kept. There is nothing to go on from, and all of it is read to say so.
            resumed = None;
        }
        self.from = match resumed.or(self.options.from) {
            // Where a time lies is known from verified seals alone: whoever can write to the store could move it otherwise.
            // KNOWN GAP: a part of a log reads every seal before it (one small object each), though not their segments, unless a checkpoint
            // was kept.
            None | Some(Bound::Time(_)) => 0,
            Some(Bound::Seal(index)) => index,
        };
        if self.from > 0 && seal_from(store, log, self.from).await?.is_none() {
            return Ok(None);
        }
        let mut start = self.latest_start().min(self.from.saturating_sub(1));
        if start > 0 && !self.opens(start).await? {
            start = 0;
        }
        let before = self.from.saturating_sub(1);
        if start == 0 && before > 0 && !self.opens(0).await? && self.opens(before).await? {
            let why = "whether the log had left the key of this part by then: its first seal does not stand under any key that is known. \
                       Bring its first key (--vkey), or a checkpoint that you kept (--since-checkpoint)";
            self.sink.unchecked(&seal_object(0), Some(0), why);
            start = before;
        }
        self.first_walked = start;
        (self.expected, self.listed_next, self.walked) = (start, start, true);
        self.tiles = (self.from == 0 && (self.options.from.is_none() || resumed.is_some())).then(Tiles::default);
        Ok(Some(start))
    }

    /// Whether the first seal from this index on stands under a key that is known.
    async fn opens(&self, index: u64) -> Result<bool, ReadError> {
        let Some((found, group)) = seal_from(self.scene.store, self.scene.log, index).await? else { return Ok(false) };
        let fetched = fetch(self.scene.store, found, group).await;
        Ok(self.chain.would_stand(&fetched).is_some())
    }

    fn anchored(&self) -> bool {
        self.anchor().is_none() || self.chain.is_anchored()
    }

    async fn step(&mut self, fetched: Fetched) -> Step {
        let index = fetched.index;
        if !self.reach(index) {
            return Step::End;
        }
        let mut found = Sink::default();
        let direct = self.chain.direct(index).cloned();
        let followed = self.chain.follow(&fetched, &mut found);
        let (standing, found) = match self.place(&fetched, followed, found) {
            Place::InLog(standing, found) => (standing, found),
            Place::Behind(step) => return step,
        };
        self.end_gap();
        self.expected = index.saturating_add(1);
        if let Some(standing) = &standing {
            self.pass_kept(&standing.seal);
            self.shown.pass(self.scene.decrees.get(), &standing.seal, self.scene.now);
        }
        if !self.is_asked_for(index, standing.as_deref()) {
            // Outside the range only what joins it to the key is looked at; but what is wrong there breaks that very joint.
            self.sink.merge_findings(found);
            if !self.beyond {
                // What lies before the range is not judged by seals that are not covered.
                self.from = self.from.max(index.saturating_add(1));
            }
            return Step::Next;
        }
        self.sink.merge(found);
        match standing {
            Some(standing) => Step::Check(Box::new(self.cover(*standing, direct, fetched.group.markers()).await)),
            None => {
                self.tally.gap(GapKind::SealMissing, 1, Some((index, index)));
                self.tiles = None;
                Step::Next
            }
        }
    }

    /// The last seal that was asked for, by its index.
    fn last_asked(&self) -> Option<u64> {
        self.options.to.and_then(|to| if let Bound::Seal(to) = to { Some(to) } else { None })
    }

    /// The listing shows the key of a seal: what it leaves out before it is missing. Whether that key is still to be looked at.
    fn reach(&mut self, index: u64) -> bool {
        let to = self.last_asked();
        if to.is_some_and(|to| self.expected > to) {
            self.beyond = true;
        }
        if self.beyond && self.anchored() && self.is_past_kept() {
            return false;
        }
        // Of a range that is not whole yet, only what is missing from it; where the keys are still followed, all.
        let up_to = to.filter(|_| self.anchored() && self.is_past_kept());
        let last_missing = up_to.map_or(index, |to| to.saturating_add(1).min(index)).checked_sub(1);
        if let Some(last) = last_missing.filter(|last| *last >= self.listed_next) {
            self.tail.missing(self.listed_next, last);
        }
        self.listed_next = index.saturating_add(1);
        true
    }

    /// Whether what lies at the key of a seal is in the log, or may lie behind its end. `found`: what was found there.
    fn place(&mut self, fetched: &Fetched, followed: Followed, found: Sink) -> Place {
        let index = fetched.index;
        if matches!(followed, Followed::Stranger) {
            self.strangers.get_or_insert((index, 0)).1 += 1;
        }
        match followed {
            Followed::Stands(standing) => Place::InLog(Some(standing), found),
            Followed::Broken => Place::InLog(None, found),
            // No more is said of it than that it could not be read.
            Followed::Unread if self.tail.is_empty() => Place::InLog(None, found),
            Followed::Unread => {
                self.sink.merge(found);
                Place::Behind(Step::Next)
            }
            // A key of the log signed a tree with this seal in it: it is gone.
            Followed::Stranger | Followed::Foreign if index < self.signed_size() => Place::InLog(None, found),
            Followed::Stranger | Followed::Foreign => {
                // Nothing but a marker says nothing: anybody who may delete can leave one anywhere.
                let nothing = fetched.group.data().next().is_none();
                self.tail.push(index, found, nothing || matches!(followed, Followed::Stranger));
                Place::Behind(if self.tail.is_full() { Step::End } else { Step::Next })
            }
        }
    }

    /// Whether a seal of the log lies in the range. Behind it, the walk is over but for what it still needs.
    fn is_asked_for(&mut self, index: u64, standing: Option<&Standing>) -> bool {
        let sealed_at = standing.map(|standing| standing.seal.statement.sealed_at);
        self.beyond = self.beyond || self.last_asked().is_some_and(|to| index > to);
        if let (Some(Bound::Time(to)), Some(sealed_at)) = (self.options.to, sealed_at)
            && sealed_at > to
        {
            self.beyond = true;
        }
        let early = match (self.options.from.filter(|_| !self.options.resume || self.kept.is_none()), sealed_at) {
            (Some(Bound::Time(from)), Some(sealed_at)) => sealed_at < from,
            _ => index < self.from,
        };
        !early && !self.beyond
    }

    /// A seal of the range stands: what it says of itself and of its neighbours, and what is to be checked of it.
    async fn cover(&mut self, standing: Standing, direct: Option<SealFile>, markers: usize) -> Sealed {
        let Standing { seal, version, key } = standing;
        let (index, statement) = (seal.statement.index, seal.statement.clone());
        self.newest = Some(index);
        self.newest_checkpoint.clone_from(&seal.checkpoint);
        self.covered = Some((self.covered.map_or(index, |(first, _)| first), index));
        self.last_time = Some(statement.sealed_at);
        self.between(direct.as_ref(), &seal);
        self.look_ahead(&statement);
        self.shown.look(self.scene.decrees.get(), &statement, self.scene.now);
        if let Some(published) = self.published.as_mut().filter(|p| p.read.checkpoint.size.0 == index.saturating_add(1)) {
            published.compared = true;
            if let Some(why) = published.differs(&seal, &key) {
                self.sink.finding(bad_checkpoint(&why));
            }
        }
        if direct.as_ref().is_some_and(|before| seal.extends(before).is_err()) {
            // The chain broke here and was reported; tiles of the tree before would only say so again.
            self.tiles = None;
        }
        let mut completed = Vec::new();
        if let Some(tiles) = &mut self.tiles {
            let published = self.published.as_ref().map(|p| p.read.checkpoint.size.0);
            completed = tiles.push(self.scene, seal.leaf(), published, &mut self.sink).await;
        }
        let attached = self.pass_stamps(&seal).await;
        let segments = self.named_segments(&seal).await;
        let cosignatures = self.cosignatures_of(index).await;
        Sealed {
            statement,
            object: seal_object(index),
            version,
            markers,
            tiles: completed,
            attached,
            configuration_before: direct.as_ref().map(|before| before.statement.config_sha256),
            decrees_before: direct.map(|before| before.statement.decrees),
            segments,
            text: cosigned::text_of(&seal),
            cosignatures,
        }
    }

    /// What two neighbours tell: silence, a restart; and whether statement and store agree about locks.
    fn between(&mut self, before: Option<&SealFile>, seal: &SealFile) {
        let (object, statement) = (seal_object(seal.statement.index), &seal.statement);
        if let Some(before) = before.map(|b| &b.statement) {
            if let Some(by) = before.next_by.filter(|by| statement.sealed_at > *by) {
                self.sink.note(silence(&object, statement.index, before.sealed_at, by, Some(statement.sealed_at)));
                self.tally.gap(GapKind::Silence, 1, Some((statement.index, statement.index)));
            }
            if before.started != statement.started {
                self.restarts.0 += 1;
                if self.restarts.1.len() < RESTARTS_TOLD {
                    self.restarts.1.push((statement.index, statement.started, before.started));
                }
                self.tally.gap(GapKind::Restart, 1, Some((statement.index, statement.index)));
            }
        }
        if statement.not_worm {
            self.not_worm += 1;
        } else {
            self.worm += 1;
        }
    }

    /// A log that lives long is started often: all of that is one note.
    fn end_restarts(&mut self) {
        let (many, told) = std::mem::take(&mut self.restarts);
        let Some((first, ..)) = told.first() else { return };
        let (before, more) = match many {
            1 => ("before this seal", String::new()),
            _ => (
                "before each of these seals",
                match many.saturating_sub(u64::try_from(told.len()).unwrap_or(u64::MAX)) {
                    0 => String::new(),
                    more => format!("; and {more} more"),
                },
            ),
        };
        let meaning = format!(
            "The writer was started anew {before}: the counts of what was received before the start may be short. What is sealed is complete."
        );
        let one = |(seal, started, before): &(u64, UnixSeconds, UnixSeconds)| match many {
            1 => format!("started {started}, before it {before}"),
            _ => format!("seal {seal}: started {started}, before it {before}"),
        };
        let starts = if many > 1 { format!("{many} starts: ") } else { String::new() };
        let found = format!("{starts}{}{more}", told.iter().map(one).collect::<Vec<_>>().join("; "));
        self.sink.note(Item::new(Kind::Restart, seal_object(*first), meaning).seal(*first).found(found).intact());
    }

    /// Times never run backwards, so behind one seal that is dated after now all are: they are one finding.
    fn look_ahead(&mut self, statement: &Statement) {
        if let Some(doubt) = ahead(statement, self.scene.now) {
            let (.., seals) = self.dated_ahead.get_or_insert((doubt, statement.index, 0));
            *seals += 1;
        }
    }

    fn end_ahead(&mut self) {
        let Some((mut doubt, first, seals)) = self.dated_ahead.take() else { return };
        let object = seal_object(first);
        // Where the store has a clock, it tells which of the two is wrong.
        if let Some(skew) = self.scene.store.clock_skew_seconds().filter(|s| s.saturating_abs() > AHEAD_MAX_SECONDS) {
            let why = format!("{}, but this machine's clock is {skew} s off the store's own; set it right", doubt.found);
            return self.sink.unchecked(&object, Some(first), why);
        }
        if seals > 1 {
            doubt.found.push_str(&format!(", and {} seals after it", seals - 1));
        }
        self.sink.finding(doubt.finding(&object, first));
    }

    /// The time stamps of a seal.
    async fn pass_stamps(&mut self, seal: &SealFile) -> Vec<Attached> {
        let (scene, from, roots) = (self.scene, self.from, &self.options.tsa_roots);
        let stamps = self.stamps.get_or_insert_with(|| Stamps::new(scene, from, roots.clone()));
        match stamps.pass(scene, seal, &mut self.sink).await {
            Ok(attached) => attached,
            Err(error) => {
                self.sink.unchecked("timestamps/", Some(seal.statement.index), error);
                Vec::new()
            }
        }
    }

    /// What is left of the time stamps behind the last seal.
    async fn end_stamps(&mut self) -> Option<Timestamped> {
        let stamps = self.stamps.take()?;
        let newest = stamps.newest();
        // A log that is being written may have a seal and its time stamp since.
        let open = self.beyond
            || self.stopped
            || match self.behind().await {
                Ok(behind) => behind != Behind::End,
                Err(error) => {
                    self.sink.unchecked("seals/", None, error);
                    true
                }
            };
        let whole = self.from == 0 && !self.beyond;
        stamps.end(self.scene, (open, whole), &mut self.sink).await;
        newest
    }

    /// The stored versions of each segment that a seal names; what the cursors pass on the way is named by no seal.
    async fn named_segments(&mut self, seal: &SealFile) -> Vec<Result<Group, ReadError>> {
        let Scene { store, log, .. } = self.scene;
        let statement = &seal.statement;
        if self.segments.is_none() {
            let from = (self.from > 0).then_some((statement.index, statement.sealed_at));
            match Segments::open(store, log, from).await {
                Ok(segments) => self.segments = Some(segments),
                Err(error) => return vec![Err(error)],
            }
        }
        let mut listed = Vec::new();
        let mut strays = Strays::default();
        if let Some(segments) = &mut self.segments {
            for segment in &statement.segments {
                listed.push(segments.take(&segment.class, &segment.key, &mut strays).await);
            }
        }
        for group in strays.groups {
            self.stray(group, statement.index).await;
        }
        if strays.more > 0 {
            self.sink.unchecked("segments/", Some(statement.index), format!("{} further unnamed segments", strays.more));
        }
        listed
    }

    /// What can be said only behind the last seal.
    async fn end(&mut self, total: &mut Outcome, configurations: &mut Configurations) {
        if !self.stopped {
            if let Err(error) = self.drain().await {
                self.sink.unchecked("segments/", None, error);
            }
            // Where nothing was walked, nobody knows yet whose signature counts.
            if self.walked {
                self.compare_published().await;
            }
        }
        let at_end = !self.beyond && !self.stopped && self.walked;
        if at_end {
            if let Err(error) = self.cosignatures_behind().await {
                self.sink.unchecked("cosignatures/", None, error);
            }
            self.end_silence();
        }
        self.end_ahead();
        self.end_restarts();
        if let Some(tiles) = &self.tiles {
            tiles.end(self.scene, &mut self.sink).await;
        }
        self.end_store_kind();
        self.end_log_file(total, configurations).await;
        self.end_trust();
        self.end_stretches();
        if at_end {
            self.end_committed();
        }
        // Last, because only a log without a gap or a break is shown to extend what was kept.
        let sound = !self.sink.says_why() && !total.sink.says_why();
        self.end_kept(sound).await;
        self.end_receipts(sound).await;
        if at_end && self.covered.is_some() {
            self.end_bounds();
        }
    }

    /// The newest seal promised another by now.
    fn end_silence(&mut self) {
        let newest = self.chain.direct(self.expected).map(|seal| &seal.statement).filter(|newest| Some(newest.index) == self.newest);
        let Some((newest, by)) = newest.and_then(|newest| Some((newest, newest.next_by.filter(|by| *by < self.scene.now)?))) else {
            return;
        };
        self.sink.note(silence(&seal_object(newest.index), newest.index, newest.sealed_at, by, None));
        self.tally.gap(GapKind::Silence, 1, Some((newest.index, newest.index)));
    }

    /// What seals say of the store that they were written to, beside what this one is.
    fn end_store_kind(&mut self) {
        let enforced = self.scene.store.locks() == Locks::Enforced;
        if self.not_worm > 0 {
            let meaning = if enforced {
                "Seals say that they were written to a store without locks, so no locks were demanded for them, though this store has locks."
            } else {
                "Seals say that they were written to a store without locks: their bytes are proved, but nothing keeps them from being deleted."
            };
            self.sink.note(Item::new(Kind::NotWorm, "", meaning).found(format!("{} seals say not_worm", self.not_worm)).intact());
        }
        if self.worm > 0 && !enforced {
            let meaning = "The seals were written to a store with locks, and this one has none: it is a copy, or the store lost its locks. Their \
                           bytes are proved; that the original is still locked can be seen only there.";
            self.sink.note(Item::new(Kind::Copy, "", meaning).found(format!("{} seals", self.worm)).intact());
        }
    }

    /// `log.json`: its lock, and the first key that it names.
    async fn end_log_file(&mut self, total: &mut Outcome, configurations: &mut Configurations) {
        let Some(file) = &self.log_file else { return };
        if self.not_worm == 0
            && let Some(held) = Held::read(self.scene, total, None, "log.json", self.log_file_version.as_ref()).await
        {
            configurations.judge_log_file(&held, file.created, &mut total.sink);
        }
        if let Some(first) = self.chain.keys().next()
            && self.covered.is_some_and(|(from, _)| from == 0)
            && file.vkey != *first
        {
            let meaning =
                "log.json names another key than the one that signed the first seal. The seals stand without it; restore it from a copy.";
            self.sink.finding(Item::new(Kind::LogFile, "log.json", meaning).expected(first).found(&file.vkey).intact());
        }
    }

    /// Whether the key that the auditor trusts is one of this log's.
    fn end_trust(&mut self) {
        let Some(key) = self.anchor().filter(|key| !self.is_trusted(key)).cloned() else { return };
        if self.stopped || !self.walked {
            return;
        }
        let meaning = format!(
            "The log in `{}` is not signed by the key that was given, nor by one that leads to it. Whatever was checked shows only that it \
             agrees with itself: it may be another log, or one made up later. Make sure of the key and of the address.",
            self.scene.log
        );
        let found = self.chain.keys().next().or(self.log_file.as_ref().map(|file| &file.vkey));
        let found = found.map_or_else(|| "no key".to_owned(), ToString::to_string);
        match self.chain.may_miss_key_of(u64::MAX) {
            false => self.sink.finding(Item::new(Kind::WrongKey, "", meaning).expected(key).found(found).lost()),
            true => self.sink.unchecked_item(Item::unchecked("", None, NOT_LED_TO).expected(key).found(found)),
        }
    }

    /// What was asked for and lies behind the end of the log.
    fn end_bounds(&mut self) {
        let now = self.scene.now;
        match self.options.to {
            Some(Bound::Time(to)) if to > now => {
                // KNOWN GAP: a batch that closed before `to` may still be on its way into the store; only a clock that is far off is noticed
                // elsewhere.
                let why = format!("what is sealed from now, {now}, to {to}, which was asked for: it is still to come");
                self.sink.unchecked("seals/", None, why);
            }
            Some(Bound::Seal(to)) if self.expected <= to => {
                // Not a finding: a seal that was never made and one that is gone look alike from here. A checkpoint that was kept tells.
                let newest = self.expected.saturating_sub(1);
                let why = format!("seals {} to {to}, which were asked for: the log ends before them, at seal {newest}", self.expected);
                let item = Item::unchecked("seals/", None, why).expected(format!("seals up to {to}"));
                self.sink.unchecked_item(item.found(format!("newest seal {newest}")));
            }
            _ => {}
        }
    }

    /// Holds the end of the log against what its writer has committed.
    fn end_committed(&mut self) {
        let Some(committed) = self.options.committed.filter(|seal| self.expected <= *seal) else { return };
        let meaning = format!(
            "The log's writer has committed seal {committed}, and the store shows a log that ends before it: its end was taken away, or an older \
             state of the store is shown. Find out who can delete here or set the store back, and restore the end from a copy."
        );
        let found = self.expected.checked_sub(1).map_or_else(|| "no seal".to_owned(), |newest| format!("newest seal {newest}"));
        let item = Item::new(Kind::Rollback, seal_object(committed), meaning).seal(committed);
        self.sink.finding(item.expected(format!("at least {} seals", committed.saturating_add(1))).found(found).lost());
    }

    /// What lies on the other side of a gap and is signed by keys that nothing joins to the auditor's.
    fn end_stretches(&mut self) {
        let Some(anchor) = self.anchor().cloned() else { return };
        let wrong = |seal: u64, meaning: &str| Item::new(Kind::WrongKey, seal_object(seal), meaning).seal(seal).expected(&anchor).lost();
        let meaning = "The seals from here to the next gap are signed by a key that does not lead to the one that was given: the seal that would join \
                       them is gone, or somebody else made them up. They show only that they agree with themselves. Restore the seals between \
                       from a copy, or bring the key that you were given for this part.";
        let stretches = self.chain.unjoined();
        let (unread, apart): (Vec<_>, Vec<_>) = stretches.into_iter().partition(|(.., unread)| *unread);
        let items: Vec<Item> = apart.into_iter().map(|(seal, key, _)| wrong(seal, meaning).found(key)).collect();
        items.into_iter().for_each(|item| self.sink.finding(item));
        for (seal, key, _) in unread {
            let why = "whether the seals from here on lead to the key that was given: what would join them could not be read";
            self.sink.unchecked_item(Item::unchecked(&seal_object(seal), Some(seal), why).expected(&anchor).found(key));
        }
        if let Some((first, seals)) = self.strangers {
            let meaning = "Behind a gap, seals are signed by a key to which the one that was given does not lead. Either the seal that announced it \
                           is gone, or somebody else goes on in this log's name. They were not counted, and what they name was not looked at.";
            self.sink.finding(wrong(first, meaning).found(format!("{seals} seals by another key")));
        }
    }

    /// Why no seal was read, where nothing else says it.
    fn nothing_there(&self) -> String {
        let (from, to) = (self.options.from, self.options.to);
        let bound = |bound: Option<Bound>, word: &str| match bound {
            None => String::new(),
            Some(Bound::Seal(index)) => format!(" {word} seal {index}"),
            Some(Bound::Time(at)) => format!(" {word} {at}"),
        };
        if from.is_none() && to.is_none() {
            return "the log holds no seal yet".to_owned();
        }
        let asked = bound(from, "from") + &bound(to, "to");
        // What is published is not believed here; it only tells a reader where to look.
        let newest = self.published.as_ref().and_then(|published| published.read.checkpoint.size.0.checked_sub(1));
        let newest =
            newest.map_or_else(String::new, |newest| format!("; the checkpoint in the store says that seal {newest} is the newest"));
        format!("no seal lies in the range that was asked for,{asked}{newest}")
    }

    /// A key is shown to be the log's by its signature; where there is no seal yet, by `log.json`.
    fn is_trusted(&self, key: &VerifierKey) -> bool {
        let named = self.chain.keys().next().is_none() && self.log_file.as_ref().is_some_and(|f| f.vkey == *key);
        self.chain.has_seen(key) || named
    }

    fn trust(&self) -> KeyTrust {
        match (&self.pinned, &self.configured) {
            // `log.json` proves nothing: without a seal no key was shown to be this log's.
            _ if self.chain.keys().next().is_none() => KeyTrust::Unpinned,
            // Part of what was counted is not joined to the key.
            _ if !self.chain.unjoined().is_empty() => KeyTrust::Unpinned,
            (Some(key), _) if self.is_trusted(key) => KeyTrust::Pinned,
            (None, Some(key)) if self.is_trusted(key) => KeyTrust::Configured,
            _ => KeyTrust::Unpinned,
        }
    }
}

/// `to`: when the next seal was made; `None`: none was until now.
fn silence(object: &str, index: u64, from: UnixSeconds, by: UnixSeconds, to: Option<UnixSeconds>) -> Item {
    let found = to.map_or_else(|| "none until now".to_owned(), |to| to.to_string());
    let to = to.map_or_else(|| "now".to_owned(), |to| to.to_string());
    let meaning = format!(
        "Silence from {from} to {to}: the seal before promised the next one by {by}. In that time nothing was sealed; ask the operator why \
         the writer was not running."
    );
    Item::new(Kind::Silence, object, meaning).seal(index).expected(format!("a seal by {by}")).found(found)
}
