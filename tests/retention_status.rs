//! Promise: a look at the locks alone sees everything about them that a whole verification sees, and reads no segment for it.

use spanseal::clock::UnixSeconds;
use spanseal::verify::{Depth, Options, Report, Verdict, verify};
use spanseal::worm::{Condition, Lock, Locks, Mode, ObjectKey, VersionId, WormStore, below, log_key, seal_key};

use crate::support::forge::{Forge, LOG, NOW, honest, kinds, lock, notes};

async fn at(forge: &Forge, depth: Depth, now: i64) -> Report {
    let options = Options { depth, now: UnixSeconds(now), due: UnixSeconds(now + 30 * 86_400), ..forge.options() };
    verify(&forge.store, &options).await
}

async fn both(forge: &Forge) -> (Report, Report) {
    (at(forge, Depth::Whole, NOW + 100).await, at(forge, Depth::Locks, NOW + 100).await)
}

/// The last seal's segment, whose configuration is on record long before.
fn segment(forge: &Forge) -> ObjectKey {
    forge.segment_key(3)
}

async fn version(forge: &Forge, key: &ObjectKey) -> VersionId {
    forge.store.versions(key).await.unwrap()[0].id.clone().unwrap()
}

#[tokio::test]
async fn every_drift_of_a_lock_is_seen_without_reading_what_is_locked() {
    let sooner = Lock { retain_until: UnixSeconds(lock().retain_until.0 - 1), ..lock() };
    let weaker = Lock { mode: Mode::Governance, ..lock() };
    let tile = |forge: &Forge| -> Option<ObjectKey> {
        let full = |key: &ObjectKey| key.as_str().contains("/tile/") && !key.as_str().contains(".p/");
        forge.store.keys().into_iter().find(full)
    };
    let mut met = 0;
    for object in ["segment", "seal", "log", "tile"] {
        for (drift, kind) in [(None, "lock_missing"), (Some(sooner), "lock_weak"), (Some(weaker), "lock_weak")] {
            let forge = honest(Locks::Enforced).await;
            let key = match object {
                "segment" => Some(segment(&forge)),
                "seal" => Some(seal_key(LOG, 2)),
                "log" => Some(log_key(LOG)),
                _ => tile(&forge),
            };
            // Four seals fill no tile.
            let Some(key) = key else { continue };
            let log_of_short_classes = object == "log" && drift == Some(sooner);
            forge.store.relock(&key, drift);
            let (whole, locks) = both(&forge).await;
            let expected = if log_of_short_classes { Vec::new() } else { vec![kind] };
            assert_eq!(kinds(&locks), expected, "{object} {drift:?}\n{}", locks.to_text());
            assert_eq!(format!("{:?}", locks.findings), format!("{:?}", whole.findings), "{object} {drift:?}");
            met += 1;
        }
    }
    assert_eq!(met, 9);
}

#[tokio::test]
async fn markers_further_versions_and_losses_are_seen_too() {
    type Act = fn(&Forge);
    let acts: [(&str, Act); 4] = [
        ("hidden", |forge| drop(forge.store.delete(&segment(forge)))),
        ("foreign_version", |forge| drop(forge.store.overwrite_foreign(&segment(forge), "junk"))),
        ("segment_missing", |forge| forge.store.purge(&segment(forge), None)),
        ("seal_missing", |forge| forge.store.purge(&seal_key(LOG, 1), None)),
    ];
    for (kind, act) in acts {
        let forge = honest(Locks::Enforced).await;
        act(&forge);
        let (whole, locks) = both(&forge).await;
        assert!(kinds(&locks).contains(&kind), "{kind}\n{}", locks.to_text());
        assert_eq!(kinds(&locks), kinds(&whole), "{kind}");
    }
    // A lock that was lifted by somebody with the bypass, and the version deleted with it.
    let forge = honest(Locks::Enforced).await;
    let key = segment(&forge);
    forge.store.relock(&key, Some(Lock { mode: Mode::Governance, ..lock() }));
    forge.store.delete_version_with_bypass(&key, &version(&forge, &key).await).unwrap();
    assert!(kinds(&at(&forge, Depth::Locks, NOW + 100).await).contains(&"segment_missing"));
}

/// Guarantee: what is counted is what the store shows; what ends soon and what may go is told apart; expired and gone is a note.
#[tokio::test]
async fn sums_say_what_ends_when_and_what_is_on_hold() {
    let forge = honest(Locks::Enforced).await;
    let report = at(&forge, Depth::Locks, NOW + 100).await;
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    let sums = &report.logs[0].locks;
    assert_eq!(
        sums.keys().map(String::as_str).collect::<Vec<_>>(),
        ["log.json", "seals", "segments/high-risk", "segments/standard", "segments/zz-own"]
    );
    let standard = sums["segments/standard"];
    assert_eq!((standard.objects, standard.compliance, standard.unlocked, standard.due, standard.over), (3, 3, 0, 0, 0));
    assert_eq!((standard.earliest, standard.latest), (Some(lock().retain_until), Some(lock().retain_until)));

    let key = segment(&forge);
    forge.store.hold(&key, Some(&version(&forge, &key).await), true).await.unwrap();
    // Ten days before they end, and after.
    let soon = at(&forge, Depth::Locks, lock().retain_until.0 - 10 * 86_400).await;
    let standard = soon.logs[0].locks["segments/standard"];
    assert_eq!((standard.due, standard.over, standard.held), (2, 0, 1));
    let after = at(&forge, Depth::Locks, lock().retain_until.0 + 1).await;
    let standard = after.logs[0].locks["segments/standard"];
    assert_eq!((standard.due, standard.over, standard.held), (0, 2, 1));

    let forge = honest(Locks::Enforced).await;
    forge.store.purge(&segment(&forge), None);
    let gone = at(&forge, Depth::Locks, lock().retain_until.0 + 1).await;
    assert!(notes(&gone).contains(&"segment_expired") && !kinds(&gone).contains(&"segment_missing"), "{}", gone.to_text());
}

/// Guarantee: bytes are not looked at, and nobody is told they were; where no version has the name that the seal gives, they are.
#[tokio::test]
async fn bytes_are_for_verify_unless_nothing_else_tells() {
    let forge = honest(Locks::Enforced).await;
    forge.store.flip_byte(&segment(&forge), None, 20);
    let (whole, locks) = both(&forge).await;
    assert_eq!((kinds(&whole), kinds(&locks)), (vec!["segment_bytes"], vec![]));
    assert!(kinds(&at(&forge, Depth::Locks, NOW + 100).await).is_empty());

    // The same bytes under another version: a restored object, found by its SHA-256.
    let forge = honest(Locks::Enforced).await;
    let key = segment(&forge);
    let bytes = forge.store.get(&key, None, u64::MAX).await.unwrap().unwrap();
    forge.store.purge(&key, None);
    forge.store.put(&key, bytes, Condition::Any, Some(lock())).await.unwrap();
    assert_eq!(kinds(&at(&forge, Depth::Locks, NOW + 100).await), Vec::<&str>::new());
    forge.store.flip_byte(&key, None, 20);
    assert_eq!(kinds(&at(&forge, Depth::Locks, NOW + 100).await), ["segment_bytes"]);
    assert!(forge.store.keys().contains(&below(LOG, "log.json")));
}
