//! Promise: one fault in a log of several hundred seals is one finding, which names the object and the seal and says whether evidence is lost,
//! and nothing else is said to be wrong.
//!
//! A log is made once: two classes, up to three segments a seal, heartbeats, full and partial tiles of two levels, locks and versions. Each
//! row takes a copy, does one thing to it, and states **all** that must be found, with the exit code; what follows from the one fault
//! besides (a segment whose seal is gone is named by nobody) is a note, or stands in the row with its reason. Where only a checkpoint that
//! the auditor kept can tell, the row says what is found without it and with it. The second verifier is asked about a sample of the rows.
//!
//! `tamper` holds the same promise for every byte of a small log, `s3_log` for real Object Lock servers.

pub mod decrees;
mod outsiders;
mod signed_falsely;
mod taken_apart;
mod the_store;

use spanseal::clock::UnixSeconds;
use spanseal::tlog::note::UnverifiedCheckpoint;
use spanseal::verify::{Bound, Evidence, Options, Report};
use spanseal::worm::{Locks, ObjectKey, below, seal_key};
use tokio::sync::OnceCell;

use crate::support::forge::{Forge, LOG, NOW, Segment, line, lines};
use crate::support::second::verify;

/// Seals of the log: more than a full tile of level 0.
pub const SEALS: usize = 320;
/// A seal in the middle with three segments, two of them of one class.
pub const RICH: usize = 200;
/// A heartbeat.
pub const HEARTBEAT: usize = 207;
/// The newest seal.
pub const NEWEST: usize = SEALS - 1;
/// When the auditor looks: after the last seal, long before any lock ends.
pub const LATER: UnixSeconds = UnixSeconds(NOW + 1000);

/// The log that every row begins with.
pub async fn whole() -> Forge {
    static WHOLE: OnceCell<Forge> = OnceCell::const_new();
    WHOLE
        .get_or_init(async || {
            let mut forge = Forge::new(Locks::Enforced).await;
            for index in 0..SEALS {
                forge.seal(&segments(index), |_| {}).await;
            }
            forge.publish().await;
            forge
        })
        .await
        .copy()
}

/// What seal `index` holds.
pub fn segments(index: usize) -> Vec<Segment> {
    let first = 4 * index as u64;
    let mut segments = vec![Segment::of("standard", lines(first, 2)), Segment::of("high-risk", vec![line(first + 2, "span")])];
    if index.is_multiple_of(5) {
        segments.push(Segment::of("standard", vec![line(first + 3, "control")]));
    }
    // Three of four are heartbeats: what takes time is reading records, and each row reads them all.
    if index.is_multiple_of(4) { segments } else { Vec::new() }
}

/// Key of a seal below its log.
pub fn seal_object(index: usize) -> String {
    format!("seals/{index:020}.json")
}

pub fn seal_at(index: usize) -> ObjectKey {
    seal_key(LOG, index as u64)
}

/// Key below the log of the first segment of a class that a seal names.
pub fn segment_object(forge: &Forge, seal: usize, class: &str) -> String {
    forge.seals[seal].statement.segments.iter().find(|s| s.class == class).unwrap().key.clone()
}

pub fn at(object: &str) -> ObjectKey {
    below(LOG, object)
}

/// One finding that must be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    kind: String,
    object: String,
    seal: Option<u64>,
    evidence: &'static str,
}

pub fn found(kind: &str, object: impl Into<String>, seal: Option<usize>, evidence: &'static str) -> Found {
    Found { kind: kind.into(), object: object.into(), seal: seal.map(|s| s as u64), evidence }
}

pub fn lost(kind: &str, object: impl Into<String>, seal: impl Into<Option<usize>>) -> Found {
    found(kind, object, seal.into(), "lost")
}

pub fn intact(kind: &str, object: impl Into<String>, seal: impl Into<Option<usize>>) -> Found {
    found(kind, object, seal.into(), "intact")
}

/// A finding that says nothing of evidence: what the auditor brought is not the log's.
pub fn unsaid(kind: &str, object: impl Into<String>, seal: impl Into<Option<usize>>) -> Found {
    found(kind, object, seal.into(), "not said")
}

pub fn kept(note: &str) -> Option<UnverifiedCheckpoint> {
    Some(UnverifiedCheckpoint::parse(note).unwrap())
}

/// Auditors look at the whole log under its key.
pub fn options(forge: &Forge) -> Options<'static> {
    Options { now: LATER, ..forge.options() }
}

/// The rows of one test.
pub struct Matrix {
    rows: usize,
    whole: Forge,
}

impl Matrix {
    pub async fn new() -> Self {
        Matrix { rows: 0, whole: whole().await }
    }

    /// Does one thing to a copy of the log and verifies it. Answers with the disturbed log, for what else a row has to say.
    pub async fn row(&mut self, name: &str, act: impl AsyncFnOnce(&mut Forge), expected: Vec<Found>) -> Forge {
        self.row_with(name, act, |_| {}, expected).await
    }

    /// The same, with what the auditor asks for.
    pub async fn row_with(
        &mut self,
        name: &str,
        act: impl AsyncFnOnce(&mut Forge),
        ask: impl Fn(&mut Options<'static>),
        expected: Vec<Found>,
    ) -> Forge {
        let mut forge = self.whole.copy();
        act(&mut forge).await;
        let mut options = options(&forge);
        ask(&mut options);
        // The second verifier hears of a sample: a log of this length takes it seconds, and `tamper` asks it about every fault in a small one.
        let report = if self.rows.is_multiple_of(16) {
            verify(&forge.store, &options).await
        } else {
            spanseal::verify::verify(&forge.store, &options).await
        };
        assert_found(name, &report, expected);
        self.rows += 1;
        forge
    }

    /// A fault that a store which agrees with itself does not show: what is found without the checkpoint of the whole log, and with it.
    pub async fn row_kept(&mut self, name: &str, act: impl AsyncFnOnce(&mut Forge), without: Vec<Found>, with: Vec<Found>) {
        let forge = self.row(name, act, without).await;
        let since = kept(&self.whole.seals[NEWEST].checkpoint);
        let report = verify(&forge.store, &Options { since, ..options(&forge) }).await;
        assert_found(&format!("{name}, with the checkpoint that was kept"), &report, with);
    }

    /// Says how many there were, so that none is lost unseen.
    pub fn end(self, rows: usize) {
        assert_eq!(self.rows, rows, "rows of the matrix");
    }
}

#[track_caller]
pub fn assert_found(name: &str, report: &Report, expected: Vec<Found>) {
    let exit = u8::from(!expected.is_empty());
    assert_all(name, report, expected, exit);
}

/// The same with another exit code: what an auditor asks for besides may not be there yet.
#[track_caller]
pub fn assert_all(name: &str, report: &Report, mut expected: Vec<Found>, exit: u8) {
    let word = |evidence: Option<Evidence>| match evidence {
        Some(Evidence::Lost) => "lost",
        Some(Evidence::Intact) => "intact",
        None => "not said",
    };
    let mut there: Vec<Found> = report
        .findings
        .iter()
        .map(|f| Found { kind: f.kind.as_str().into(), object: f.object.clone(), seal: f.seal, evidence: word(f.evidence) })
        .collect();
    there.sort();
    expected.sort();
    assert_eq!(there, expected, "{name}: {}", report.to_text());
    assert_eq!(report.verdict.exit_code(), exit, "{name}: {}", report.to_text());
    // In words, whatever it is: what it means, and in whose log.
    assert!(report.findings.iter().all(|f| f.meaning.len() > 40 && f.log == LOG), "{name}: {}", report.to_text());
}

/// Scenario: nobody touched the log. Guarantee: nothing is found and nothing noted, whatever part is asked for, whatever was kept, and
/// however many seals are in work at once; what a part does not show is said.
#[tokio::test]
async fn nothing_is_found_in_the_log_as_it_was_written() {
    let forge = whole().await;
    let report = verify(&forge.store, &options(&forge)).await;
    assert_found("the whole log", &report, vec![]);
    assert!(report.notes.is_empty(), "{}", report.to_text());
    let log = &report.logs[0];
    assert_eq!((log.seals, log.segments), (320, forge.seals.iter().map(|s| s.statement.segments.len() as u64).sum()));
    assert_eq!(forge.seals[RICH].statement.segments.len(), 3);
    assert!(forge.seals[HEARTBEAT].statement.segments.is_empty());
    for concurrency in [1, 8] {
        let again = verify(&forge.store, &Options { concurrency, ..options(&forge) }).await;
        assert_eq!((again.to_json(), &again.logs), (report.to_json(), &report.logs), "{concurrency} at once");
        let sealed_at = |index: usize| Bound::Time(forge.seals[index].statement.sealed_at);
        for (from, to) in [
            (Some(Bound::Seal(0)), Some(Bound::Seal(0))),
            (None, Some(Bound::Seal(255))),
            (Some(Bound::Seal(RICH as u64)), Some(Bound::Seal(HEARTBEAT as u64))),
            (Some(Bound::Seal(256)), None),
            (Some(sealed_at(100)), Some(sealed_at(110))),
            (Some(Bound::Seal(NEWEST as u64)), None),
        ] {
            for since in
                [None, kept(&forge.seals[0].checkpoint), kept(&forge.seals[RICH].checkpoint), kept(&forge.seals[NEWEST].checkpoint)]
            {
                let (asked, what) = (since.is_some(), format!("{from:?} to {to:?}, {concurrency} at once"));
                let report = verify(&forge.store, &Options { from, to, since, concurrency, ..options(&forge) }).await;
                assert_found(&what, &report, vec![]);
                let mut notes: Vec<_> = report.notes.iter().map(|n| n.kind.as_str()).filter(|kind| *kind != "not_covered").collect();
                notes.sort_unstable();
                assert_eq!(notes, if asked { vec!["extends"] } else { vec![] }, "{what}: {}", report.to_text());
            }
        }
    }
}

/// Scenario: a part is asked for that begins behind the first seal and is long enough to fill a tile of its own; or all is taken up from the first
/// checkpoint. Guarantee: tiles are held to the whole log alone: no part of it finds fault with them, and whoever takes it up from its first seal does.
#[tokio::test]
async fn tiles_are_held_to_the_whole_log_alone() {
    let forge = whole().await;
    for from in [Bound::Seal(1), Bound::Time(forge.seals[1].statement.sealed_at)] {
        let report = spanseal::verify::verify(&forge.store, &Options { from: Some(from), ..options(&forge) }).await;
        assert_found(&format!("{from:?}"), &report, vec![]);
        assert!(!report.notes.iter().any(|note| note.object.starts_with("tile/")), "{from:?}: {}", report.to_text());
    }
    let second = options(&forge).resumed(kept(&forge.seals[1].checkpoint).unwrap());
    assert_found("taken up behind the first", &spanseal::verify::verify(&forge.store, &second).await, vec![]);
    forge.store.flip_byte(&at("tile/0/000"), None, 40);
    let first = kept(&forge.seals[0].checkpoint).unwrap();
    let taken_up = Options { from: Some(Bound::Seal(RICH as u64)), ..options(&forge) }.resumed(first);
    let report = spanseal::verify::verify(&forge.store, &taken_up).await;
    assert_found("taken up", &report, vec![intact("tile_wrong", "tile/0/000", None)]);
}
