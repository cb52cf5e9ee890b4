//! What those who have rights on the bucket do to it, and what clocks do: the evidence stays, and the disturbance is named.

use spanseal::clock::UnixSeconds;
use spanseal::tlog::merkle::empty_root;
use spanseal::tlog::note::NoteSigner;
use spanseal::tlog::{Hash, TreeSize};
use spanseal::verify::verify;
use spanseal::verify::{Bound, Verdict};
use spanseal::worm::{Lock, Mode, VERSIONS_READ_MAX, WormStore, checkpoint_key, log_key};

use super::{
    HEARTBEAT, LATER, Matrix, NEWEST, RICH, SEALS, assert_found, at, intact, kept, lost, options, seal_at, seal_object, segment_object,
    unsaid,
};
use crate::erase::again::copy;
use crate::support::forge::{Forge, LOG, NOW, kinds, lock, notes};
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::Site;

/// What is locked, with the seal at which its lock is judged.
fn locked(m: &Matrix) -> Vec<(String, Option<usize>)> {
    vec![
        (segment_object(&m.whole, RICH, "high-risk"), Some(RICH)),
        (segment_object(&m.whole, RICH, "standard"), Some(RICH)),
        (seal_object(RICH), Some(RICH)),
        (seal_object(HEARTBEAT), Some(HEARTBEAT)),
        ("log.json".to_owned(), None),
        ("tile/0/000".to_owned(), Some(255)),
        ("tile/entries/000".to_owned(), Some(255)),
    ]
}

/// Five months of COMPLIANCE, the longest class of the recorded configuration, from the middle of January.
const LONGEST: i64 = 151 * 86_400;

#[tokio::test]
async fn locks_removed_shortened_and_weakened() {
    let mut m = Matrix::new().await;
    for (object, seal) in locked(&m) {
        // A segment's lock is promised by its seal, which is locked no less; all else as long as the longest class.
        let promised = object.starts_with("segments/") || object == seal_object(RICH);
        let least = if promised { lock().retain_until.0 } else { NOW + seal.map_or(0, |s| s as i64) + LONGEST };
        for (name, kind, set) in [
            ("its lock removed", "lock_missing", None),
            ("its lock shortened by a second", "lock_weak", Some(Lock { retain_until: UnixSeconds(least - 1), ..lock() })),
            ("its lock weakened", "lock_weak", Some(Lock { mode: Mode::Governance, ..lock() })),
        ] {
            let act = async |f: &mut Forge| f.store.relock(&at(&object), set);
            m.row(&format!("{object}: {name}"), act, vec![intact(kind, &object, seal)]).await;
        }
        let least = Lock { retain_until: UnixSeconds(least), ..lock() };
        m.row(&format!("{object}: the least lock"), async |f| f.store.relock(&at(&object), Some(least)), vec![]).await;
    }
    // What is made anew at an interval is not locked.
    for object in ["checkpoint", "tile/0/001.p/64", "tile/1/000.p/1"] {
        m.row(&format!("{object}: a lock on it"), async |f| f.store.relock(&at(object), Some(lock())), vec![]).await;
    }
    m.end(7 * 4 + 3);
}

#[tokio::test]
async fn delete_markers() {
    let mut m = Matrix::new().await;
    for (object, seal) in locked(&m) {
        // Of tiles it is only said which one it is: they are read as clients read them.
        let seal = seal.filter(|_| !object.starts_with("tile/"));
        let act = async |f: &mut Forge| {
            f.store.delete(&at(&object)).unwrap();
        };
        m.row(&format!("a DELETE of {object}"), act, vec![intact("hidden", &object, seal)]).await;
    }
    // Of what nothing keeps from being deleted: the writer makes it anew.
    for object in ["checkpoint", "tile/0/001.p/64", "tile/entries/001.p/64", "tile/1/000.p/1"] {
        let act = async |f: &mut Forge| {
            f.store.delete(&at(object)).unwrap();
        };
        let forge = m.row(&format!("a DELETE of {object}"), act, vec![]).await;
        assert!(!notes(&verify(&forge.store, &options(&forge)).await).is_empty(), "{object}: it is noted");
    }
    // With the tile itself gone the marker is all that is left: clients miss it, and nothing is lost.
    let act = async |f: &mut Forge| f.store.purge(&at("tile/0/000"), None);
    m.row("a tile removed", act, vec![]).await;
    m.end(12);
}

#[tokio::test]
async fn newer_versions_and_first_versions_that_are_not_ours() {
    let mut m = Matrix::new().await;
    for (object, seal) in locked(&m) {
        let tile = object.starts_with("tile/");
        let expected = if tile { intact("tile_wrong", &object, None) } else { intact("foreign_version", &object, seal) };
        let over = async |f: &mut Forge| {
            f.store.overwrite_foreign(&at(&object), "not ours");
        };
        m.row(&format!("a version over {object}"), over, vec![expected.clone()]).await;
        if tile {
            continue;
        }
        let before = async |f: &mut Forge| {
            let truth = f.store.get(&at(&object), None, u64::MAX).await.unwrap().unwrap();
            f.store.purge(&at(&object), None);
            f.store.overwrite_foreign(&at(&object), "not ours");
            f.put(&at(&object), truth).await;
        };
        // The oldest version of log.json counts, whatever it is, and the true one is then another.
        let more = if object == "log.json" { vec![intact("log_file", "log.json", None)] } else { vec![] };
        m.row(&format!("a first version of {object} that is not ours"), before, [vec![expected], more].concat()).await;
    }
    let over = async |f: &mut Forge| {
        f.store.overwrite_foreign(&checkpoint_key(LOG), "not ours");
    };
    m.row("a version over checkpoint", over, vec![intact("checkpoint_invalid", "checkpoint", None)]).await;
    let flooded = async |f: &mut Forge| {
        for _ in 0..VERSIONS_READ_MAX {
            let same = f.seals[RICH].to_bytes().unwrap();
            f.store.overwrite_foreign(&seal_at(RICH), same);
        }
    };
    m.row("more versions of a seal than are read", flooded, vec![intact("flooded", seal_object(RICH), RICH)]).await;
    m.end(14);
}

/// The auditor's own clock, the store's, and the writer's; that of a record's sender is `signed_falsely`'s.
#[tokio::test]
async fn clocks_set_back() {
    let mut m = Matrix::new().await;
    let early = |seconds: i64| UnixSeconds(NOW - seconds);
    // Five minutes are forgiven: the newest seal is dated 319 seconds after the first.
    let ahead = intact("sealed_ahead", seal_object(0), 0);
    m.row_with("the auditor's clock set back", async |_| {}, |o| o.now = early(301), vec![ahead.clone()]).await;
    m.row_with("by five minutes", async |_| {}, |o| (o.now, o.to) = (early(300), Some(Bound::Seal(0))), vec![]).await;
    let skewed = async |f: &mut Forge| f.store.set_clock_skew(301);
    let forge = m.row("the store's clock alone", skewed, vec![]).await;
    // Where the store's own clock says that it is the auditor's that is wrong, nothing is concluded.
    let mut asked = options(&forge);
    asked.now = early(301);
    let report = verify(&forge.store, &asked).await;
    assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{}", report.to_text());
    let back = async |f: &mut Forge| {
        let before = f.seals[NEWEST].statement.sealed_at;
        f.seal(&[], |s| s.sealed_at = UnixSeconds(before.0 - 1)).await;
        f.seal(&[], |s| s.sealed_at = before).await;
        f.publish().await;
    };
    m.row("the writer's clock set back", back, vec![lost("seal_chain", seal_object(SEALS), SEALS)]).await;
    m.end(4);
}

/// What an auditor brings may itself be at fault: no false checkpoint is taken for one of the log, and none accuses the log.
#[tokio::test]
async fn checkpoints_that_were_kept() {
    let mut m = Matrix::new().await;
    let size = TreeSize(RICH as u64);
    let signed = |seed: u8, root| NoteSigner::new(crate::support::forge::ORIGIN, &[seed; 32]).unwrap().checkpoint(size, root);
    let whole = m.whole.seals[RICH - 1].checkpoint.clone();
    let (root, other) = (m.whole.seals[RICH - 1].range_after().root(), spanseal::tlog::RootHash(Hash([7; 32])));
    let place = || (seal_object(RICH - 1), Some(RICH - 1));
    for (name, note, expected) in [
        ("of the log", whole.clone(), vec![]),
        ("of another key", signed(9, root), vec![unsaid("kept_checkpoint", place().0, place().1)]),
        ("of another tree, which the log's key signed", signed(3, other), vec![lost("fork", place().0, place().1)]),
        ("changed", whole.replacen("\n200\n", "\n201\n", 1), vec![unsaid("kept_checkpoint", seal_object(RICH), RICH)]),
        ("of no seal", NoteSigner::new(crate::support::forge::ORIGIN, &[3; 32]).unwrap().checkpoint(TreeSize(0), empty_root()), vec![]),
    ] {
        let ask = |o: &mut spanseal::verify::Options<'static>| o.since = kept(&note);
        m.row_with(&format!("a kept checkpoint {name}"), async |_| {}, ask, expected).await;
    }
    m.end(5);
}

/// Scenario: the log in the store is exchanged for an empty folder, or the auditor is sent elsewhere. Guarantee: nothing is verified.
#[tokio::test]
async fn a_log_that_is_not_there_is_not_verified() {
    let forge = super::whole().await;
    for key in forge.store.keys().into_iter().filter(|k| *k != log_key(LOG)) {
        forge.store.purge(&key, None);
    }
    let report = verify(&forge.store, &options(&forge)).await;
    assert_eq!((report.verdict, report.verdict.exit_code()), (Verdict::Unchecked, 2), "{}", report.to_text());
    forge.store.purge(&log_key(LOG), None);
    assert_eq!(verify(&forge.store, &options(&forge)).await.verdict.exit_code(), 2);
    // A part that the log does not have is not one without faults either.
    let forge = super::whole().await;
    for (from, to) in [(Some(SEALS as u64), None), (None, Some(SEALS as u64))] {
        let mut asked = options(&forge);
        (asked.from, asked.to, asked.now) = (from.map(Bound::Seal), to.map(Bound::Seal), LATER);
        let report = verify(&forge.store, &asked).await;
        assert_found("nothing is found", &spanseal::verify::Report { verdict: Verdict::Verified, ..report.clone() }, vec![]);
        assert_eq!(report.verdict.exit_code(), 2, "{}", report.to_text());
    }
}

const SPAN: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"chat","kind":3,"startTimeUnixNano":"1764000000000000000","endTimeUnixNano":"1764000001000000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.input.messages","value":{"stringValue":"what was asked"}}]}]}]}]}"#;

/// Scenario: what the vault keeps of a record is altered. Guarantee: the log is as it was, and so is its proof; `show --content` says that it
/// cannot be read, does not show it, and does not end with 0. (`query::opening` has the case that it opens and is other content than the
/// record committed to.)
#[test]
fn content_altered_in_the_vault() {
    let site = Site::local();
    let receiver = site.serve();
    let headers = vec![("content-type", "application/json")];
    let (status, answer) =
        http(receiver.http, &HttpRequest { method: "POST", path: "/v1/traces", headers, body: SPAN.as_bytes(), chunked: false }).unwrap();
    assert_eq!((status, answer.promoted()), (200, 1));
    assert!(receiver.stop().success());
    let show = || site.run(&["show", "4bf92f3577b34da6a3ce929d0e0e4736", "--content"]);
    assert!(show().success().stdout.contains("what was asked"));
    let vault = site.path("store-vault/spanseal");
    copy(&vault, &site.path("backup"));
    let mut altered = 0;
    for day in std::fs::read_dir(vault.join("packs")).unwrap() {
        for pack in std::fs::read_dir(day.unwrap().path()).unwrap() {
            let path = pack.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&path, bytes).unwrap();
            altered += 1;
        }
    }
    assert!(altered > 0);
    let shown = show();
    assert_eq!(shown.status.code(), Some(2), "{shown}");
    assert!(!shown.stdout.contains("what was asked") && shown.stderr.contains("problem"), "{shown}");
    site.verified();
}
