//! Promise: where a log ends is what its keys signed. Objects that anybody could have put behind it are named, and neither make evidence lost nor
//! hide that it is; a store that does not list what a signed checkpoint names is not believed; and nothing counts under the auditor's key but
//! what that key leads to.

mod erased;
mod listing;

use spanseal::clock::UnixSeconds;
use spanseal::tlog::note::{NoteSigner, UnverifiedCheckpoint};
use spanseal::tlog::seal_file::LogFile;
use spanseal::tlog::{Hash, RootHash, TreeSize};
use spanseal::verify::{Bound, Evidence, KeyTrust, Options, Report, Verdict};
use spanseal::worm::{Locks, checkpoint_key, log_key, seal_key};

use crate::support::forge::{Forge, LOG, NOW, ORIGIN, Segment, honest, kinds, lines, log_of};
use crate::support::second::verify;

/// What anybody with a right to write can do: an object under a name that a seal would have.
fn junk(forge: &Forge, index: u64) {
    forge.store.overwrite_foreign(&seal_key(LOG, index), format!("junk {index}"));
}

fn object(index: u64) -> String {
    format!("seals/{index:020}.json")
}

/// Kind, object and evidence of each finding.
fn found(report: &Report) -> Vec<(&'static str, String, Option<Evidence>)> {
    let mut found: Vec<_> = report.findings.iter().map(|f| (f.kind.as_str(), f.object.clone(), f.evidence)).collect();
    found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    found
}

fn kept(note: &str) -> Option<UnverifiedCheckpoint> {
    Some(UnverifiedCheckpoint::parse(note).unwrap())
}

const INTACT: Option<Evidence> = Some(Evidence::Intact);
const LOST: Option<Evidence> = Some(Evidence::Lost);

/// Scenario: objects lie behind the newest seal, next to it, far away, several of them, or at the last index there is.
/// Guarantee: one finding names the first, says that the evidence is intact, and every seal before is verified.
#[tokio::test]
async fn what_anybody_put_behind_the_end_is_not_the_log() {
    for at in [vec![14], vec![99], vec![14, 15, 16], vec![17, 40, 99], vec![u64::MAX], vec![14, u64::MAX - 1]] {
        let forge = log_of(14).await;
        for index in &at {
            junk(&forge, *index);
        }
        let report = forge.verify().await;
        assert_eq!(found(&report), [("seal_foreign", object(at[0]), INTACT)], "{at:?}: {}", report.to_text());
        assert_eq!((report.logs[0].seals, report.logs[0].tree_size, report.key), (14, 14, KeyTrust::Pinned), "{at:?}");
        assert!(!report.logs[0].completeness.gaps.iter().any(|gap| gap.kind == spanseal::verify::GapKind::SealMissing), "{at:?}");
        // Whatever part is asked for that is whole without them, they are no part of it.
        let part = Options { from: Some(Bound::Seal(3)), to: Some(Bound::Seal(13)), ..forge.options() };
        assert_eq!(verify(&forge.store, &part).await.verdict, Verdict::Verified, "{at:?}");
        // A longer part than there is is not whole, whatever lies behind it.
        let part = Options { to: Some(Bound::Seal(20)), ..forge.options() };
        let report = verify(&forge.store, &part).await;
        assert!(report.notes.iter().any(|note| note.meaning.contains("the log ends before them")), "{at:?}: {}", report.to_text());
    }
    let forge = log_of(4).await;
    forge.store.delete(&seal_key(LOG, 9));
    assert_eq!(forge.verify().await.verdict, Verdict::Verified, "nothing but a marker says nothing");
}

/// More of them than are looked at: it ends, and says that it did not look at all.
#[tokio::test]
async fn many_objects_behind_the_end_are_one_finding() {
    let forge = log_of(2).await;
    for index in 100..10_200 {
        junk(&forge, index);
    }
    let report = spanseal::verify::verify(&forge.store, &forge.options()).await;
    assert_eq!(found(&report), [("seal_foreign", object(100), INTACT)], "{}", report.to_text());
    assert!(report.findings[0].found.as_ref().unwrap().starts_with("10000 objects"), "{}", report.to_text());
    assert!(report.notes.iter().any(|note| note.kind.as_str() == "unchecked"), "{}", report.to_text());
}

/// Scenario: seals are gone or changed, and objects that are no seals lie among them and behind the end. Guarantee: up to the last seal that
/// stands, and up to the tree that the published checkpoint proves, what is not there is lost; behind it nothing is.
#[tokio::test]
async fn what_is_gone_is_told_from_what_was_put_there() {
    let both = |kind, at: u64| (kind, object(at), LOST);
    // A gap, junk in it, and junk behind the end.
    let forge = log_of(14).await;
    for index in 5..9 {
        forge.store.purge(&seal_key(LOG, index), None);
    }
    junk(&forge, 7);
    junk(&forge, 99);
    let report = forge.verify().await;
    let expected = [both("seal_broken", 7), ("seal_foreign", object(99), INTACT), both("seal_missing", 5), both("seal_missing", 8)];
    assert_eq!(found(&report), expected, "{}", report.to_text());
    assert_eq!(report.logs[0].seals, 10);
    let gap = report.logs[0].completeness.gaps.iter().find(|gap| gap.kind == spanseal::verify::GapKind::SealMissing);
    assert_eq!(gap.map(|gap| (gap.count, gap.first_seal, gap.last_seal)), Some((4, Some(5), Some(8))));
    let said: Vec<_> = report.findings.iter().filter(|f| f.kind.as_str() == "seal_missing").map(|f| f.meaning.get(..14).unwrap()).collect();
    assert_eq!(said, ["Seals 5 to 6 a", "Seal 8 is gone"]);
    // The same where no checkpoint reaches as far: a seal behind it shows that there was one.
    forge.put(&checkpoint_key(LOG), forge.seals[3].checkpoint.clone()).await;
    let report = forge.verify().await;
    assert_eq!(found(&report), expected, "{}", report.to_text());
    // The newest seals changed, and behind them junk: the checkpoint tells that they were seals.
    let forge = log_of(14).await;
    for index in [12, 13] {
        forge.store.purge(&seal_key(LOG, index), None);
        junk(&forge, index);
    }
    junk(&forge, 14);
    let expected = [both("seal_broken", 12), both("seal_broken", 13), ("seal_foreign", object(14), INTACT)];
    assert_eq!(found(&forge.verify().await), expected);
    // Without it, the auditor's own tells.
    forge.put(&checkpoint_key(LOG), forge.seals[9].checkpoint.clone()).await;
    let report = forge.verify().await;
    let seals: Vec<_> = found(&report).into_iter().filter(|f| f.0 != "segment_unnamed").collect();
    assert_eq!(seals, [("seal_foreign", object(12), INTACT)], "{}", report.to_text());
    // And what the seals named: a segment further than one seal from the end.
    assert!(report.findings.iter().any(|f| f.kind.as_str() == "segment_unnamed" && f.evidence == LOST), "{}", report.to_text());
    let since = kept(&forge.seals[13].checkpoint);
    let report = verify(&forge.store, &Options { since, ..forge.options() }).await;
    assert_eq!(found(&report), expected, "{}", report.to_text());
    // The end cut off: junk in the place of one of its seals does not make it whole, nor hide what else is gone.
    let forge = log_of(14).await;
    for index in 10..14 {
        forge.store.purge(&seal_key(LOG, index), None);
    }
    junk(&forge, 99);
    let rollback = ("rollback", "checkpoint".to_owned(), LOST);
    let report = forge.verify().await;
    assert!(found(&report).contains(&rollback), "{}", report.to_text());
    assert!(report.findings.iter().any(|f| f.kind.as_str() == "segment_unnamed" && f.evidence == LOST), "{}", report.to_text());
    assert!(!kinds(&report).contains(&"seal_missing"), "{}", report.to_text());
    // Of the part that was asked for the end is gone, and a seal behind it stands.
    let forge = log_of(14).await;
    for index in 7..10 {
        forge.store.purge(&seal_key(LOG, index), None);
    }
    for (to, seals) in [(8, "Seals 7 to 8"), (9, "Seals 7 to 9"), (10, "Seals 7 to 9")] {
        let report = verify(&forge.store, &Options { from: Some(Bound::Seal(2)), to: Some(Bound::Seal(to)), ..forge.options() }).await;
        assert_eq!(found(&report), [both("seal_missing", 7)], "{to}: {}", report.to_text());
        assert!(report.findings[0].meaning.starts_with(seals), "{to}: {}", report.to_text());
        assert_eq!(report.logs[0].covered, Some((2, if to == 10 { 10 } else { 6 })), "{to}: {}", report.to_text());
    }
    let report = verify(&forge.store, &Options { from: Some(Bound::Seal(2)), to: Some(Bound::Seal(6)), ..forge.options() }).await;
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
}

/// Scenario: objects behind the end are there to look like growth. Guarantee: what lies behind the end of the log, and shows that it was longer,
/// is said all the same.
#[tokio::test]
async fn junk_does_not_pass_for_a_log_that_goes_on() {
    let forge = log_of(14).await;
    for index in 5..14 {
        forge.store.purge(&seal_key(LOG, index), None);
    }
    forge.put(&checkpoint_key(LOG), forge.seals[4].checkpoint.clone()).await;
    junk(&forge, 5);
    junk(&forge, 99);
    let report = forge.verify().await;
    let unnamed = report.findings.iter().filter(|f| f.kind.as_str() == "segment_unnamed" && f.evidence == LOST).count();
    assert_eq!(unnamed, 8, "the segments of seals 6 to 13: {}", report.to_text());
    assert!(kinds(&report).contains(&"seal_foreign"));
}

/// The log of `honest`, which changes its key with seal 4 and goes on to seal 7. Answers with the signer that it left.
async fn rotated() -> (Forge, NoteSigner) {
    let mut forge = honest(Locks::Enforced).await;
    forge.turn_to(NoteSigner::new(ORIGIN, &[4; 32]).unwrap()).await;
    let left = NoteSigner::new(ORIGIN, &[3; 32]).unwrap();
    for n in 0..3 {
        forge.seal(&[Segment::of("standard", lines(30 + 2 * n, 2))], |_| {}).await;
    }
    forge.publish().await;
    (forge, left)
}

/// `log.json` as whoever writes to the store wants it.
async fn named(forge: &Forge, signer: &NoteSigner) {
    let file = LogFile { origin: ORIGIN.into(), vkey: signer.verifier().clone(), created: UnixSeconds(NOW) };
    forge.store.purge(&log_key(LOG), None);
    forge.put(&log_key(LOG), file.to_bytes()).await;
}

fn pinned(forge: &Forge, signer: &NoteSigner) -> Options<'static> {
    Options { pinned: vec![signer.verifier().clone()], ..forge.options() }
}

/// Scenario: a seal is deleted, what follows is written anew under another key, and `log.json` names that key. Guarantee: whoever brings the true
/// key is told that it does not lead there; nothing behind the gap is counted.
#[tokio::test]
async fn strangers_behind_a_gap_are_not_counted() {
    let mut forge = log_of(5).await;
    let (own, stranger) = (NoteSigner::new(ORIGIN, &[3; 32]).unwrap(), NoteSigner::new(ORIGIN, &[9; 32]).unwrap());
    forge.signer = NoteSigner::new(ORIGIN, &[9; 32]).unwrap();
    for n in 0..3 {
        forge.seal(&[Segment::of("standard", lines(30 + 2 * n, 2))], |_| {}).await;
    }
    forge.store.purge(&seal_key(LOG, 4), None);
    forge.publish().await;
    named(&forge, &stranger).await;
    let report = verify(&forge.store, &pinned(&forge, &own)).await;
    let expected = [
        ("checkpoint_invalid", "checkpoint".to_owned(), INTACT),
        ("log_file", "log.json".to_owned(), INTACT),
        ("wrong_key", object(5), LOST),
    ];
    let seen: Vec<_> = found(&report).into_iter().filter(|f| f.0 != "segment_unnamed").collect();
    assert_eq!(seen, expected, "{}", report.to_text());
    assert_eq!((report.logs[0].seals, report.logs[0].tree_size), (4, 4), "{}", report.to_text());
    // Where the log's own key signed a tree that reaches over them, they stand in the place of seals that are gone.
    forge.put(&checkpoint_key(LOG), own.checkpoint(TreeSize(6), forge.seals[5].range_after().root())).await;
    let report = verify(&forge.store, &pinned(&forge, &own)).await;
    let seen: Vec<_> = found(&report).into_iter().filter(|f| f.0.starts_with("seal_") || f.0 == "wrong_key").collect();
    let expected = [("seal_broken", object(5), LOST), ("seal_missing", object(4), LOST), ("wrong_key", object(5), LOST)];
    assert_eq!(seen, expected, "{}", report.to_text());

    // The other way round: the beginning is a stranger's, and the true seals behind the gap are under the auditor's key.
    let mut forge = Forge::new(Locks::Enforced).await;
    forge.signer = NoteSigner::new(ORIGIN, &[9; 32]).unwrap();
    for n in 0..3 {
        forge.seal(&[Segment::of("standard", lines(2 * n, 2))], |_| {}).await;
    }
    let gone = forge.range.size().0;
    forge.signer = NoteSigner::new(ORIGIN, &[3; 32]).unwrap();
    for n in 3..8 {
        forge.seal(&[Segment::of("standard", lines(2 * n, 2))], |_| {}).await;
    }
    for index in [gone, gone + 1] {
        forge.store.purge(&seal_key(LOG, index), None);
    }
    forge.publish().await;
    named(&forge, &stranger).await;
    let report = verify(&forge.store, &pinned(&forge, &own)).await;
    let expected = [("seal_missing", object(gone), LOST), ("wrong_key", object(0), LOST)];
    assert_eq!(found(&report), expected, "{}", report.to_text());
    assert_eq!(report.key, KeyTrust::Unpinned, "not all that was counted is under that key");
}

/// Scenario: the key that the log left is in other hands, who publish a checkpoint of it for a longer log, or hand one to the auditor.
/// Guarantee: that is no rollback and no fork of the log, and it is said whose signature it is; up to the change of key it counts.
#[tokio::test]
async fn a_key_that_was_left_signs_no_longer_tree() {
    let (forge, left) = rotated().await;
    assert_eq!(forge.verify().await.verdict, Verdict::Verified);
    for size in [6, 8, 20, u64::MAX] {
        let forged = left.checkpoint(TreeSize(size), RootHash(Hash([5; 32])));
        for signer in [&left, &forge.signer] {
            let disturbed = forge.copy();
            disturbed.put(&checkpoint_key(LOG), forged.clone()).await;
            let report = verify(&disturbed.store, &pinned(&forge, signer)).await;
            assert_eq!(found(&report), [("checkpoint_invalid", "checkpoint".to_owned(), INTACT)], "{size}: {}", report.to_text());
            let report = verify(&forge.store, &Options { since: kept(&forged), ..pinned(&forge, signer) }).await;
            assert_eq!(kinds(&report), ["kept_checkpoint"], "{size}: {}", report.to_text());
            assert_eq!(report.findings[0].evidence, None, "whether it is a proof the auditor knows: {}", report.to_text());
            assert!(report.findings[0].meaning.contains("seal 4 of the log that is here announced another key"), "{}", report.to_text());
        }
    }
    // Up to the announcement it is the log's.
    for size in [3, 5] {
        let true_one = forge.seals[size - 1].range_after().root();
        let report =
            verify(&forge.store, &Options { since: kept(&left.checkpoint(TreeSize(size as u64), true_one)), ..pinned(&forge, &left) })
                .await;
        assert_eq!(report.verdict, Verdict::Verified, "{size}: {}", report.to_text());
        let forged = left.checkpoint(TreeSize(size as u64), RootHash(Hash([5; 32])));
        let report = verify(&forge.store, &Options { since: kept(&forged), ..pinned(&forge, &left) }).await;
        assert_eq!(kinds(&report), ["fork"], "{size}: {}", report.to_text());
    }
    // Nor does a later change of key make its reign longer.
    let (mut again, _) = rotated().await;
    again.turn_to(NoteSigner::new(ORIGIN, &[5; 32]).unwrap()).await;
    again.seal(&[], |_| {}).await;
    again.publish().await;
    let forged = left.checkpoint(TreeSize(6), RootHash(Hash([5; 32])));
    let report = verify(&again.store, &Options { since: kept(&forged), ..pinned(&again, &left) }).await;
    assert_eq!(kinds(&report), ["kept_checkpoint"], "{}", report.to_text());
    // Nor does its checkpoint make lost seals of what anybody put there.
    junk(&forge, 12);
    forge.put(&checkpoint_key(LOG), left.checkpoint(TreeSize(20), RootHash(Hash([5; 32])))).await;
    let expected = [("checkpoint_invalid", "checkpoint".to_owned(), INTACT), ("seal_foreign", object(12), INTACT)];
    assert_eq!(found(&verify(&forge.store, &pinned(&forge, &left)).await), expected);
}

/// Scenario: a part is asked for by whoever has the key that the log began with. Guarantee: behind the change of key it is found by following the
/// log; before it, the checkpoint that a later key signed is not judged, which is said, and one that is nobody's is a finding.
#[tokio::test]
async fn a_part_is_joined_to_the_key_that_the_log_began_with() {
    let (forge, left) = rotated().await;
    for (from, to) in [(6, None), (7, None), (6, Some(6))] {
        let part = Options { from: Some(Bound::Seal(from)), to: to.map(Bound::Seal), ..pinned(&forge, &left) };
        let report = verify(&forge.store, &part).await;
        assert_eq!((report.verdict, report.key), (Verdict::Verified, KeyTrust::Pinned), "{from}: {}", report.to_text());
        assert_eq!(report.logs[0].covered, Some((from, to.unwrap_or(7))), "{}", report.to_text());
    }
    let part = Options { to: Some(Bound::Seal(2)), ..pinned(&forge, &left) };
    let report = verify(&forge.store, &part).await;
    let told: Vec<_> = report.notes.iter().filter(|n| n.object == "checkpoint").map(|n| n.kind.as_str()).collect();
    assert_eq!((report.verdict, told), (Verdict::Verified, vec!["not_covered"]), "{}", report.to_text());
    // Whoever has the later key as well has it compared.
    let both = Options { configured: Some(forge.signer.verifier().clone()), ..part.clone() };
    let report = verify(&forge.store, &both).await;
    assert!(report.verdict == Verdict::Verified && !report.notes.iter().any(|n| n.object == "checkpoint"), "{}", report.to_text());
    // Where the key comes later than the part, what is missing on the way to it is found.
    let gap = forge.copy();
    for index in [2, 3] {
        gap.store.purge(&seal_key(LOG, index), None);
    }
    let later = Options { to: Some(Bound::Seal(1)), ..pinned(&forge, &forge.signer) };
    assert_eq!(found(&verify(&forge.store, &later).await), []);
    assert_eq!(found(&verify(&gap.store, &later).await), [("seal_missing", object(2), LOST)]);
    let stranger = NoteSigner::new(ORIGIN, &[9; 32]).unwrap();
    forge.put(&checkpoint_key(LOG), stranger.checkpoint(TreeSize(8), forge.range.root())).await;
    assert_eq!(kinds(&verify(&forge.store, &part).await), ["checkpoint_invalid"]);
}

/// A log that goes back to a key that it left: the seal that says so is a finding, and the old key's seals are nothing.
#[tokio::test]
async fn a_log_never_comes_back_to_a_key() {
    let (mut forge, left) = rotated().await;
    forge.turn_to(NoteSigner::new(ORIGIN, &[3; 32]).unwrap()).await;
    forge.seal(&[], |_| {}).await;
    forge.publish().await;
    for signer in [&left, &NoteSigner::new(ORIGIN, &[4; 32]).unwrap()] {
        let report = verify(&forge.store, &pinned(&forge, signer)).await;
        let expected =
            [("checkpoint_invalid", "checkpoint".to_owned(), INTACT), ("seal_chain", object(8), LOST), ("seal_foreign", object(9), INTACT)];
        assert_eq!(found(&report), expected, "{}", report.to_text());
    }
}
