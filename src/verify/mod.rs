//! Proof for an outsider: the whole log re-derived from stored bytes and a public key that the auditor brings.
//!
//! It never imports `seal`: what it shares with the writer are the mathematics (`tlog`), the canonical form (`record::canonical`), the
//! names and limits of the store (`worm`), the calendar of retention periods (`retain`) and the form of decrees (`govern::decrees`). Everything that `store.md` tells a verifier to
//! refuse is refused, also when the log's own key signed it. What could not be read is `unchecked`, never fine.
//!
//! One pass over two listings: seals in order of their index, segments of each class in order of their keys, joined. Memory is bounded
//! by pages, by the segments in work, by the seals that wait behind them, and by what is on hold or extended, not by the length of the log.

mod chain;
mod completeness;
mod configuration;
mod cosignatures;
mod decrees;
mod demands;
mod doubt;
mod expiry;
mod listing;
mod locks;
mod log;
mod objects;
mod proof;
mod prove;
mod prove_range;
mod published;
mod report;
mod segment;
mod stamped_at;
mod stamps;
mod tiles;

pub use completeness::{Completeness, Gap, GapKind, Source};
pub use configuration::Configuration;
pub use cosignatures::{Cosigned, Seen};
pub use doubt::Doubt;
pub use expiry::Expired;
pub(crate) use listing::is_segment_name;
pub use locks::LockSums;
pub use proof::{
    Between, Bundle, CheckReport, Checked, End, Inclusion, Kept, Lapse, Opening, Others, Proof, ProofError, Proved, RangeBundle,
    RangeDoubt, RangeProved, Rotation, SealPart, SeenBy, SegmentPart, ShownRecord, Stamped, Stamps, Storage, Under, Unknown, check,
    check_range_with, check_with,
};
pub use prove::{Made, ProveError, RecordAt, Wanted, prove, prove_published, prove_under};
pub use prove_range::{RangeWish, Show, prove_range};
pub use report::{Evidence, Item, KeyChange, KeyTrust, Kind, LockCheck, LogReport, Report, Verdict};
pub use segment::{Contents, Contradiction, DecreeLines, SegmentError, contradictions, read_segment};
pub use stamps::Timestamped;

use std::fmt;

use crate::clock::UnixSeconds;
use crate::timestamp::Roots;
use crate::tlog::RootHash;
use crate::tlog::cosignature::WitnessKey;
use crate::tlog::note::{UnverifiedCheckpoint, VerifierKey};
use crate::worm::{Locks, WormStore};
use report::Sink;

/// Seals whose segments are read and hashed at the same time, by default. Each may hold 64 MiB.
pub const CONCURRENCY: usize = 4;

/// Where verification begins or ends, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A seal index.
    Seal(u64),
    /// A moment, compared with `sealed_at`.
    Time(UnixSeconds),
}

/// What a sender was answered with: the seal that its records are in, and the root of the tree that this seal completed. It is not signed, so it
/// shows something to whoever knows where it comes from, and to nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Index of the seal.
    pub seal: u64,
    /// Root of the tree of `seal` + 1 seals.
    pub root: RootHash,
}

/// Logs of a store that are named where the one that was asked for is not among them.
const LOGS_TOLD: usize = 10;

/// How deep verification looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// Everything is read and re-derived.
    #[default]
    Whole,
    /// Seals are, and of segments only those of which a change of configuration is expected: of others versions, sizes and locks are looked
    /// at, not their bytes. For who wants to know whether the locks hold, of a store that is verified at other times.
    Locks,
}

/// What to verify, and against which keys.
#[derive(Clone)]
pub struct Options<'a> {
    /// Names of logs; empty: those that `pinned` keys name, else all that lie below the store.
    pub logs: Vec<String>,
    /// Keys that the auditor brings, each for the log that its name ends in, one a log: a second is not looked at.
    pub pinned: Vec<VerifierKey>,
    /// The key that the configuration names, if there is one.
    pub configured: Option<VerifierKey>,
    /// First seal; the log's first without it. Verification may start anywhere: each seal proves itself by its frontier.
    pub from: Option<Bound>,
    /// Last seal; the newest without it.
    pub to: Option<Bound>,
    /// A checkpoint that the auditor kept from earlier: the log that it names must hold its tree as a beginning.
    pub since: Option<UnverifiedCheckpoint>,
    /// Of the log of `since`, what that checkpoint covers was verified before: begin with its last seal. `from` does not count there.
    pub resume: bool,
    /// Receipts that senders kept: the log must hold their trees as beginnings. Only where one log is looked at.
    pub receipts: Vec<Receipt>,
    /// The newest seal that the log's own writer has committed, as whoever asks knows from it: a log that ends before was cut off. Only where one
    /// log is looked at.
    pub committed: Option<u64>,
    /// Roots of the time stamping authorities that the auditor trusts; without any, time stamps are not checked.
    pub tsa_roots: Roots,
    /// Witnesses whose keys the auditor brings: nobody else's cosignature counts.
    pub witnesses: Vec<WitnessKey>,
    /// How many of them must have cosigned; all of them without it.
    pub quorum: Option<usize>,
    /// Now: which retention dates are past, and whether a promised seal is missing.
    pub now: UnixSeconds,
    /// Seals in work at the same time.
    pub concurrency: usize,
    /// How deep it looks.
    pub depth: Depth,
    /// Locks that end before this moment are counted as due (`LogReport::locks`).
    pub due: UnixSeconds,
    /// Called after each seal.
    pub progress: Option<&'a (dyn Fn(&Progress<'_>) + Send + Sync)>,
}

impl Options<'_> {
    /// Everything below the store, no key brought.
    pub fn new(now: UnixSeconds) -> Self {
        Options {
            logs: Vec::new(),
            pinned: Vec::new(),
            configured: None,
            from: None,
            to: None,
            since: None,
            resume: false,
            receipts: Vec::new(),
            committed: None,
            tsa_roots: Roots::default(),
            witnesses: Vec::new(),
            quorum: None,
            now,
            concurrency: CONCURRENCY,
            depth: Depth::Whole,
            due: now,
            progress: None,
        }
    }
}

impl Options<'_> {
    /// Goes on where an earlier verification ended, whose checkpoint the auditor kept.
    #[must_use]
    pub fn resumed(self, kept: UnverifiedCheckpoint) -> Self {
        Options { since: Some(kept), resume: true, ..self }
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("logs", &self.logs)
            .field("pinned", &self.pinned)
            .field("configured", &self.configured)
            .field("from", &self.from)
            .field("to", &self.to)
            .field("since", &self.since.as_ref().map(|s| s.checkpoint.size))
            .field("resume", &self.resume)
            .field("receipts", &self.receipts)
            .field("committed", &self.committed)
            .field("witnesses", &self.witnesses)
            .field("quorum", &self.quorum)
            .field("depth", &self.depth)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Name of the log.
    pub log: &'a str,
    /// Seals done.
    pub seals: u64,
    /// Seals to do: a guess from the published checkpoint, which nobody has verified yet.
    pub seals_expected: Option<u64>,
    /// Records done.
    pub records: u64,
    /// Stored bytes done.
    pub bytes: u64,
}

/// Verifies logs of a store.
pub async fn verify(store: &dyn WormStore, options: &Options<'_>) -> Report {
    let mut sink = Sink::default();
    let mut logs = Vec::new();
    let mut key = None;
    let (mut locks_read, mut locks_unread) = (0_u64, 0_u64);
    let chosen = chosen(store, options, &mut sink).await;
    if let Some(kept) = options.since.as_ref().filter(|kept| !chosen.iter().any(|log| is_named(&kept.checkpoint.origin, log))) {
        let why =
            format!("the checkpoint that you kept: it is of the log `{}`, which is not here or was not looked at", kept.checkpoint.origin);
        sink.unchecked("", None, why);
    }
    let mut options = options.clone();
    if chosen.len() > 1 && !options.receipts.is_empty() {
        sink.unchecked("", None, "the receipts: several logs lie here, and a receipt names none; bring the key of its log (--vkey)");
        options.receipts.clear();
    }
    options.committed = options.committed.filter(|_| chosen.len() == 1);
    for name in chosen {
        let done = log::verify_log(store, &name, &options).await;
        sink.merge(done.sink.of_log(&name));
        key = Some(key.map_or(done.key, |k: KeyTrust| k.min(done.key)));
        locks_read += done.locks_read;
        locks_unread += done.locks_unread;
        logs.push(done.report);
    }
    let locks = match store.locks() {
        Locks::None => LockCheck::None,
        Locks::Enforced if locks_unread > 0 => LockCheck::Unchecked,
        Locks::Enforced if locks_read > 0 => LockCheck::Checked,
        // Nothing there had a lock to read: every statement says `not_worm`, or there is no log.
        Locks::Enforced => LockCheck::None,
    };
    Report::new((store.describe().to_string(), options.now), key.unwrap_or(KeyTrust::Unpinned), locks, logs, sink)
}

/// Whether a key is for a log of this name: its origin ends in `/<log>`.
fn is_for(key: &VerifierKey, log: &str) -> bool {
    is_named(key.name(), log)
}

fn is_named(origin: &str, log: &str) -> bool {
    origin.rsplit_once('/').is_some_and(|(_, name)| name == log)
}

async fn chosen(store: &dyn WormStore, options: &Options<'_>, sink: &mut Sink) -> Vec<String> {
    if !options.logs.is_empty() {
        let mut there = Vec::new();
        for log in &options.logs {
            // One that is not there is no log from which everything was taken: nothing shows that it ever was.
            match store.list(&format!("{log}/"), None, 1).await {
                Ok(listed) if listed.is_empty() => {
                    // Only to tell a reader which name was meant.
                    let found = listing::logs(store).await.unwrap_or_default();
                    let others: Vec<String> = found.iter().take(LOGS_TOLD).map(|log| format!("`{log}`")).collect();
                    let there = if others.is_empty() { String::new() } else { format!(" (there are {})", others.join(", ")) };
                    sink.unchecked("", None, format!("no log `{log}` lies below {}{there}; look at the address", store.describe()));
                }
                Ok(_) => there.push(log.clone()),
                Err(error) => sink.unchecked("", None, error),
            }
        }
        return there;
    }
    let found = match listing::logs(store).await {
        Ok(found) => found,
        Err(error) => {
            sink.unchecked("", None, error);
            return Vec::new();
        }
    };
    if found.is_empty() {
        sink.unchecked("", None, format!("no log lies below {}; look at the address", store.describe()));
        return found;
    }
    if options.pinned.is_empty() {
        return found;
    }
    let named = |log: &String| options.pinned.iter().any(|k| is_for(k, log));
    for log in found.iter().filter(|l| !named(l)) {
        let meaning = "Another log lies below this store. It was not looked at, because no key was brought for it.";
        sink.note(Item { log: log.clone(), ..Item::new(Kind::NotCovered, "", meaning) });
    }
    for key in options.pinned.iter().filter(|k| !found.iter().any(|log| is_for(k, log))) {
        sink.unchecked("", None, format!("no log of the key `{}` lies below {}; look at the address", key.name(), store.describe()));
    }
    found.into_iter().filter(named).collect()
}
