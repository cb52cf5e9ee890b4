//! Promise: whoever asks for a part of a log is told of that part, and of what joins it to the key; what lies outside is neither judged nor counted,
//! and what was asked for and is not there is said.

use spanseal::clock::UnixSeconds;
use spanseal::timestamp::Roots;
use spanseal::tlog::Hash;
use spanseal::tlog::note::{NoteSigner, UnverifiedCheckpoint};
use spanseal::verify::{Bound, GapKind, Options, Receipt, Report, Verdict, verify};
use spanseal::worm::{Locks, ObjectKey, below, checkpoint_key, cosignature_name, seal_key, segment_name, timestamp_name};

use crate::support::failing::FailNthRead;
use crate::support::forge::{Forge, LOG, NOW, ORIGIN, Segment, kinds, lines, notes, zstd};

/// So many seals with a segment each, of which each promises the next one; published.
async fn log_of(seals: u64) -> Forge {
    let mut forge = Forge::new(Locks::Enforced).await;
    for n in 0..seals {
        forge.seal(&[Segment::of("standard", lines(2 * n, 2))], |s| s.next_by = Some(UnixSeconds(s.sealed_at.0 + 10))).await;
    }
    forge.publish().await;
    forge
}

fn sealed_at(forge: &Forge, seal: usize) -> Bound {
    Bound::Time(forge.seals[seal].statement.sealed_at)
}

fn checkpoint(forge: &Forge, seal: usize) -> UnverifiedCheckpoint {
    UnverifiedCheckpoint::parse(&forge.seals[seal].checkpoint).unwrap()
}

fn said(report: &Report, part: &str) -> bool {
    report.notes.iter().any(|note| note.kind.as_str() == "unchecked" && note.meaning.contains(part))
}

/// A segment that no seal names, dated before the log began.
fn unnamed(index: u64) -> (ObjectKey, Vec<u8>) {
    let body = zstd(b"{}\n");
    (below(LOG, &segment_name("standard", UnixSeconds(NOW - 86_400), index, &Hash::of(&body).to_string())), body)
}

/// Scenario: behind the part that is asked for a seal is broken, a segment changed, and objects lie where they should not. Guarantee: nothing of it is
/// said, also where a checkpoint or a receipt of that part was kept.
#[tokio::test]
async fn what_lies_behind_is_not_judged() {
    let forge = log_of(9).await;
    forge.store.flip_byte(&seal_key(LOG, 5), None, 0);
    forge.store.flip_byte(&forge.segment_key(6), None, 30);
    let junk = Hash::of(b"x").to_string();
    for (key, body) in [
        unnamed(4),
        unnamed(7),
        unnamed(40),
        (below(LOG, &timestamp_name(4, &junk)), b"x".to_vec()),
        (below(LOG, &cosignature_name(4, &junk)), b"x".to_vec()),
    ] {
        forge.put(&key, body).await;
    }
    let receipt = Receipt { seal: 1, root: checkpoint(&forge, 1).checkpoint.root };
    let roots = Roots::from_pem(crate::support::token::Authority::honest().root_pem.as_bytes()).unwrap();
    for to in [Bound::Seal(2), sealed_at(&forge, 2)] {
        for (since, receipts) in [(None, vec![]), (Some(checkpoint(&forge, 0)), vec![]), (None, vec![receipt])] {
            let options = Options { to: Some(to), since, receipts, tsa_roots: roots.clone(), ..forge.options() };
            let report = verify(&forge.store, &options).await;
            assert_eq!((report.verdict, report.logs[0].seals), (Verdict::Verified, 3), "{to:?}: {}", report.to_text());
            assert!(report.logs[0].goes_on, "{to:?}");
        }
    }
    let unpinned = Options { pinned: vec![], to: Some(Bound::Seal(2)), ..forge.options() };
    assert_eq!(verify(&forge.store, &unpinned).await.verdict, Verdict::Verified);
    // Asked for, it is found.
    let report = verify(&forge.store, &Options { to: Some(Bound::Seal(6)), ..forge.options() }).await;
    for kind in ["seal_broken", "segment_bytes"] {
        assert!(kinds(&report).contains(&kind), "{kind}: {}", report.to_text());
    }
    let gaps: Vec<_> = report.logs[0].completeness.gaps.iter().map(|g| (g.kind, g.count, g.first_seal, g.last_seal)).collect();
    assert!(gaps.contains(&(GapKind::SealMissing, 1, Some(5), Some(5))), "{gaps:?}");
    assert!(gaps.contains(&(GapKind::SegmentUnread, 1, Some(6), Some(6))), "{gaps:?}");
}

/// What was kept reaches beyond the part: a seal that is missing on the way to it is found, and it is not said that the log extends it.
#[tokio::test]
async fn what_was_kept_is_joined_to_the_part() {
    let forge = log_of(9).await;
    forge.store.purge(&seal_key(LOG, 3), None);
    let receipt = Receipt { seal: 6, root: checkpoint(&forge, 6).checkpoint.root };
    for (since, receipts) in [(Some(checkpoint(&forge, 6)), vec![]), (None, vec![receipt])] {
        let report = verify(&forge.store, &Options { to: Some(Bound::Seal(1)), since, receipts, ..forge.options() }).await;
        assert_eq!((kinds(&report), report.findings[0].seal), (vec!["seal_missing"], Some(3)), "{}", report.to_text());
        assert!(!notes(&report).contains(&"extends") && report.logs[0].covered == Some((0, 1)), "{}", report.to_text());
    }
}

/// Scenario: a part begins behind seals that are passed. Guarantee: one that is broken, or missing, breaks what joins the part to the key, and is
/// found; what those before name is not looked at. A checkpoint that was kept joins the part, too, and then no seal before it is read.
#[tokio::test]
async fn what_lies_before_is_looked_at_as_far_as_it_joins() {
    for missing in [false, true] {
        let forge = log_of(6).await;
        match missing {
            true => forge.store.purge(&seal_key(LOG, 1), None),
            false => forge.store.flip_byte(&seal_key(LOG, 1), None, 0),
        }
        forge.store.flip_byte(&forge.segment_key(2), None, 30);
        let later = UnixSeconds(NOW + 86_400);
        forge.put(&below(LOG, &segment_name("standard", later, 1, &Hash::of(b"x").to_string())), "not x").await;
        let expected = if missing { "seal_missing" } else { "seal_broken" };
        for from in [sealed_at(&forge, 4), Bound::Seal(4)] {
            let report = verify(&forge.store, &Options { from: Some(from), ..forge.options() }).await;
            assert_eq!((kinds(&report), report.logs[0].seals), (vec![expected], 2), "{}", report.to_text());
        }
        let since = Some(checkpoint(&forge, 2));
        let report = verify(&forge.store, &Options { from: Some(Bound::Seal(4)), since, ..forge.options() }).await;
        assert_eq!((report.verdict, report.logs[0].seals), (Verdict::Verified, 2), "{}", report.to_text());
    }
}

/// A receipt whose own seal does not stand any more is held against the one behind it, which carries the same tree.
#[tokio::test]
async fn a_receipt_of_a_broken_seal_is_compared_all_the_same() {
    let forge = log_of(5).await;
    let root = checkpoint(&forge, 2).checkpoint.root;
    forge.store.flip_byte(&seal_key(LOG, 2), None, 0);
    for (root, expected) in [(root, vec!["seal_broken"]), (spanseal::tlog::RootHash(Hash([9; 32])), vec!["seal_broken", "fork"])] {
        let report = verify(&forge.store, &Options { receipts: vec![Receipt { seal: 2, root }], ..forge.options() }).await;
        assert_eq!(kinds(&report), expected, "{}", report.to_text());
    }
}

/// Scenario: the log left its first key, and whoever has it by now puts seals behind the end that go on from the true ones. Guarantee: an auditor who
/// holds that key, and asks for the part where they lie, is not told that they are the log's.
#[tokio::test]
async fn a_part_that_a_key_signed_which_was_left_is_not_the_log() {
    let mut forge = log_of(2).await;
    let pinned = vec![forge.signer.verifier().clone()];
    let before = checkpoint(&forge, 1);
    forge.turn_to(NoteSigner::new(ORIGIN, &[7; 32]).unwrap()).await;
    for _ in 0..3 {
        forge.seal(&[], |_| {}).await;
    }
    forge.publish().await;
    forge.signer = NoteSigner::new(ORIGIN, &[3; 32]).unwrap();
    for n in 0..4 {
        forge.seal(&[Segment::of("standard", lines(100 + n, 1))], |_| {}).await;
    }
    for published in [false, true] {
        if published {
            forge.publish().await;
        }
        for since in [None, Some(before.clone())] {
            for (from, to) in [(6, None), (7, None), (8, Some(8)), (9, None), (0, None)] {
                let (from, to) = (Some(Bound::Seal(from)), to.map(Bound::Seal));
                let options = Options { pinned: pinned.clone(), from, to, since: since.clone(), ..forge.options() };
                let report = verify(&forge.store, &options).await;
                assert_ne!(report.verdict, Verdict::Verified, "{from:?}: {}", report.to_text());
                assert!(report.logs[0].covered.is_none_or(|(_, last)| last <= 5), "{from:?}: {}", report.to_text());
            }
        }
    }
}

/// Scenario: nothing lies in the part, or nothing in the log. Guarantee: which of the two it is, is said, and nothing is made up about its end.
#[tokio::test]
async fn a_part_without_seals_is_unchecked() {
    let (ages, before) = (Bound::Time(UnixSeconds(NOW + 1_000_000)), Bound::Time(UnixSeconds(NOW - 1)));
    let (outside, nothing) = ("no seal lies in the range that was asked for", "the log holds no seal yet");
    let (forge, empty) = (log_of(4).await, Forge::new(Locks::Enforced).await);
    // What lies beside seals that are not of the part says nothing of it.
    forge.put(&below(LOG, &cosignature_name(2, &Hash::of(b"x").to_string())), "x").await;
    for (forge, from, to, why) in [
        (&forge, Some(Bound::Seal(99)), None, outside),
        (&forge, Some(ages), None, outside),
        (&forge, None, Some(before), outside),
        (&empty, None, None, nothing),
        (&empty, Some(Bound::Seal(0)), None, outside),
        (&empty, None, Some(Bound::Seal(5)), outside),
        (&empty, Some(Bound::Seal(2)), Some(Bound::Seal(5)), outside),
    ] {
        let report = verify(&forge.store, &Options { from, to, now: UnixSeconds(NOW + 2_000_000), ..forge.options() }).await;
        let what = format!("{from:?} {to:?}: {}", report.to_text());
        assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{what}");
        let unchecked: Vec<_> = report.notes.iter().filter(|note| note.kind.as_str() == "unchecked").collect();
        assert!(unchecked.len() == 1 && unchecked[0].meaning.contains(why), "{what}");
        let named = |bound: Option<Bound>, word| match bound {
            None => String::new(),
            Some(Bound::Seal(index)) => format!(" {word} seal {index}"),
            Some(Bound::Time(at)) => format!(" {word} {at}"),
        };
        let asked = format!("{}{}", named(from, "from"), named(to, "to"));
        assert!(unchecked[0].meaning.contains(&asked) && report.to_text().contains("no seals (none was read)"), "{what}");
        // The last seal of the log promised a next one, and is not of this part.
        assert!(!notes(&report).contains(&"silence"), "{what}");
    }
}

/// Scenario: a part is asked for that ends in days to come. Guarantee: what is still to come is not taken for looked at; up to now it is.
#[tokio::test]
async fn what_is_still_to_come_is_unchecked() {
    let forge = log_of(4).await;
    let now = forge.options().now;
    for (to, expected) in [(now, Verdict::Verified), (UnixSeconds(now.0 + 1), Verdict::Unchecked)] {
        let report = verify(&forge.store, &Options { to: Some(Bound::Time(to)), ..forge.options() }).await;
        assert_eq!((report.verdict, report.logs[0].seals), (expected, 4), "{to}: {}", report.to_text());
    }
}

/// Scenario: the store breaks off its listing of seals, where the next one is broken, too; tokens, cosignatures and unnamed segments of later seals
/// lie there. Guarantee: nothing is said about an end that was not reached, no silence behind it, and nobody is accused; a fork of what was read is
/// found all the same.
#[tokio::test]
async fn where_the_listing_breaks_off_the_log_does_not_end() {
    let mut forge = Forge::new(Locks::None).await;
    for _ in 0..1003 {
        forge.seal(&[], |s| s.next_by = Some(UnixSeconds(s.sealed_at.0 + 10))).await;
    }
    forge.publish().await;
    forge.store.flip_byte(&seal_key(LOG, 999), None, 0);
    let junk = Hash::of(b"x").to_string();
    for name in [timestamp_name(1001, &junk), cosignature_name(1001, &junk)] {
        forge.put(&below(LOG, &name), "x").await;
    }
    let (key, body) = unnamed(1002);
    forge.put(&key, body).await;
    let now = UnixSeconds(NOW + 5000);
    let read = async |options: Options<'_>| {
        let store = FailNthRead::listing_behind(forge.store.clone(), "/seals/00000000000000000998");
        let report = verify(&store, &Options { now, ..options }).await;
        assert!(store.failed() && said(&report, "fault plan"), "{}", report.to_text());
        assert_eq!(report.logs[0].seals, 999, "{}", report.to_text());
        report
    };
    let kept = |size: u64, root| UnverifiedCheckpoint::parse(&forge.signer.checkpoint(spanseal::tlog::TreeSize(size), root)).unwrap();
    let (true_one, other) = (forge.seals[9].range_after().root(), spanseal::tlog::RootHash(Hash([9; 32])));
    for options in [
        forge.options(),
        Options { to: Some(Bound::Seal(2000)), ..forge.options() },
        Options { since: Some(kept(10, true_one)), ..forge.options() },
        Options { since: Some(kept(1003, other)), ..forge.options() },
        Options { receipts: vec![Receipt { seal: 1001, root: other }, Receipt { seal: 9, root: true_one }], ..forge.options() },
    ] {
        let (to, since) = (options.to, options.since.clone());
        let report = read(options).await;
        assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{to:?}: {}", report.to_text());
        assert!(!notes(&report).contains(&"silence") && !notes(&report).contains(&"extends"), "{}", report.to_text());
        assert!(!said(&report, "the log ends before them"), "{}", report.to_text());
        let beyond = since.is_some_and(|since| since.checkpoint.size.0 > 999);
        assert_eq!(said(&report, "the seals at its place were not reached, or do not stand"), beyond, "{}", report.to_text());
    }
    // The last object of the listing is no seal: nobody knows yet whether seals follow it.
    let junk_last = forge.copy();
    junk_last.store.purge(&checkpoint_key(LOG), None);
    junk_last.store.purge(&seal_key(LOG, 998), None);
    junk_last.store.overwrite_foreign(&seal_key(LOG, 998), "not a seal");
    let store = FailNthRead::listing_behind(junk_last.store.clone(), "/seals/00000000000000000998");
    let report = verify(&store, &Options { now, ..forge.options() }).await;
    assert_eq!((report.verdict, kinds(&report), report.logs[0].seals), (Verdict::Unchecked, vec![], 998), "{}", report.to_text());
    // One by a key that is announced behind the break, as far as anybody can tell.
    let later = NoteSigner::new(ORIGIN, &[8; 32]).unwrap();
    let since = UnverifiedCheckpoint::parse(&later.checkpoint(spanseal::tlog::TreeSize(1002), other)).unwrap();
    let report = read(Options { since: Some(since), ..forge.options() }).await;
    assert_eq!(kinds(&report), Vec::<&str>::new(), "{}", report.to_text());
    assert!(said(&report, "the log could not be read as far as it"), "{}", report.to_text());
    // Another tree of seals that were read.
    for options in [
        Options { since: Some(kept(10, other)), ..forge.options() },
        Options { receipts: vec![Receipt { seal: 9, root: other }], ..forge.options() },
    ] {
        let report = read(options).await;
        assert_eq!((kinds(&report), report.findings[0].seal), (vec!["fork"], Some(9)), "{}", report.to_text());
    }
}

/// The empty tree is where every log begins, whatever part is asked for; a checkpoint that gives it another root is a fork.
#[tokio::test]
async fn a_kept_checkpoint_of_no_seals_proves_nothing() {
    let forge = log_of(6).await;
    let empty = |root| UnverifiedCheckpoint::parse(&forge.signer.checkpoint(spanseal::tlog::TreeSize(0), root)).unwrap();
    for (from, to) in [(None, None), (Some(3), None), (Some(3), Some(4)), (None, Some(1))] {
        let (from, to) = (from.map(Bound::Seal), to.map(Bound::Seal));
        let options = Options { from, to, since: Some(empty(spanseal::tlog::merkle::empty_root())), ..forge.options() };
        let report = verify(&forge.store, &options).await;
        assert_eq!(report.verdict, Verdict::Verified, "{from:?} {to:?}: {}", report.to_text());
        let told =
            report.notes.iter().any(|n| n.kind.as_str() == "not_covered" && n.meaning.contains("proves nothing about what was sealed"));
        assert!(told && !notes(&report).contains(&"extends"), "{from:?} {to:?}: {}", report.to_text());
        let options = Options { from, to, since: Some(empty(spanseal::tlog::RootHash(Hash([9; 32])))), ..forge.options() };
        assert_eq!(kinds(&verify(&forge.store, &options).await), ["fork"], "{from:?} {to:?}");
    }
}

/// Scenario: a verification is taken up from a checkpoint that was kept, and a part is asked for besides; or it is of another log. Guarantee: what is
/// taken up goes on from the checkpoint whatever else was asked for, and elsewhere the part counts.
#[tokio::test]
async fn what_is_taken_up_is_no_part() {
    let forge = log_of(8).await;
    let seals = async |from: Bound, since: UnverifiedCheckpoint, resume: bool| {
        let options = Options { from: Some(from), since: Some(since), resume, ..forge.options() };
        verify(&forge.store, &options).await.logs[0].seals
    };
    let other = NoteSigner::new("spanseal.test/other", &[9; 32]).unwrap();
    let elsewhere = UnverifiedCheckpoint::parse(&other.checkpoint(spanseal::tlog::TreeSize(3), forge.range.root())).unwrap();
    for from in [Bound::Seal(6), sealed_at(&forge, 6)] {
        assert_eq!(seals(from, checkpoint(&forge, 2), true).await, 6, "{from:?}");
        assert_eq!(seals(from, checkpoint(&forge, 2), false).await, 2, "{from:?}");
        assert_eq!(seals(from, elsewhere.clone(), true).await, 2, "{from:?}");
    }
}

/// What the published checkpoint names lies behind the part, and cannot be read: that is said of it.
#[tokio::test]
async fn a_published_checkpoint_that_cannot_be_compared_is_unchecked() {
    let forge = log_of(6).await;
    let options = Options { to: Some(Bound::Seal(1)), ..forge.options() };
    let (mut nth, mut unchecked) = (0, 0);
    loop {
        let store = FailNthRead::new(forge.store.clone(), nth);
        let report = verify(&store, &options).await;
        assert_eq!(kinds(&report), Vec::<&str>::new(), "read {nth}: {}", report.to_text());
        if !store.failed() {
            assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
            break;
        }
        unchecked += usize::from(report.notes.iter().any(|n| n.kind.as_str() == "unchecked" && n.object == "checkpoint"));
        nth += 1;
    }
    assert_eq!(unchecked, 3, "itself, the versions of the seal that it names, and that seal");
    // One that is longer than any note is a finding, of a part as of the whole.
    forge.put(&checkpoint_key(LOG), vec![b'x'; 300_000]).await;
    assert_eq!(kinds(&verify(&forge.store, &options).await), ["checkpoint_invalid"]);
}

/// Scenario: a part is asked for of a log whose end was cut off, by whoever kept a checkpoint or a receipt of the longer one. Guarantee: where the log
/// ends now is told, and not where the part does.
#[tokio::test]
async fn the_end_of_a_log_is_not_that_of_the_part() {
    let forge = log_of(9).await;
    let (kept, receipt) = (checkpoint(&forge, 8), Receipt { seal: 8, root: checkpoint(&forge, 8).checkpoint.root });
    forge.store.purge(&checkpoint_key(LOG), None);
    for seal in [7, 8] {
        forge.store.purge(&forge.segment_key(seal), None);
        forge.store.purge(&seal_key(LOG, seal as u64), None);
    }
    for to in [None, Some(Bound::Seal(2)), Some(sealed_at(&forge, 2)), Some(Bound::Seal(6))] {
        for (since, receipts) in [(Some(kept.clone()), vec![]), (None, vec![receipt])] {
            let report = verify(&forge.store, &Options { to, since, receipts, ..forge.options() }).await;
            assert_eq!(kinds(&report), ["rollback"], "{to:?}: {}", report.to_text());
            assert_eq!(report.findings[0].found.as_deref(), Some("newest seal 6"), "{to:?}: {}", report.to_text());
        }
    }
    // What was kept of the part itself: the log goes on, and how far was not read.
    let report = verify(&forge.store, &Options { to: Some(Bound::Seal(2)), since: Some(checkpoint(&forge, 1)), ..forge.options() }).await;
    let extends = report.notes.iter().find(|note| note.kind.as_str() == "extends").and_then(|note| note.found.clone());
    assert_eq!(extends.as_deref(), Some("the same root over its first 2 seals, of at least 3"), "{}", report.to_text());
}

/// Scenario: the checkpoint that was kept is that of the very seal which announced a change of key, which both keys signed; the file has the line of
/// one of them, or of both. Guarantee: it is judged under either, whichever key the auditor brings: the same tree, or a fork. Of one seal more, the
/// older key signs nothing any more.
#[tokio::test]
async fn the_checkpoint_at_a_change_of_key_is_of_either_key() {
    let mut forge = log_of(3).await;
    let (older, newer) = (NoteSigner::new(ORIGIN, &[3; 32]).unwrap(), NoteSigner::new(ORIGIN, &[8; 32]).unwrap());
    forge.turn_to(NoteSigner::new(ORIGIN, &[8; 32]).unwrap()).await;
    forge.seal(&[Segment::of("standard", lines(20, 2))], |_| {}).await;
    forge.seal(&[], |_| {}).await;
    forge.publish().await;
    let at = checkpoint(&forge, 3).checkpoint;
    let kept = |signers: &[&NoteSigner], root| {
        let notes: Vec<String> = signers.iter().map(|signer| signer.checkpoint(at.size, root)).collect();
        let lines: String = notes.iter().map(|note| note.rsplit_once("\n\n").unwrap().1).collect();
        UnverifiedCheckpoint::parse(&format!("{}\n\n{lines}", notes[0].rsplit_once("\n\n").unwrap().0)).unwrap()
    };
    for pinned in [&older, &newer] {
        for resume in [false, true] {
            let read = async |since| {
                let options = Options { pinned: vec![pinned.verifier().clone()], since: Some(since), resume, ..forge.options() };
                verify(&forge.store, &options).await
            };
            for signers in [&[&older][..], &[&newer], &[&older, &newer], &[&newer, &older]] {
                let same = read(kept(signers, at.root)).await;
                let text = same.to_text();
                assert!(
                    (same.verdict, kinds(&same)) == (Verdict::Verified, vec![]) && notes(&same).contains(&"extends"),
                    "{resume}: {text}"
                );
                let fork = read(kept(signers, spanseal::tlog::RootHash(Hash([9; 32])))).await;
                assert_eq!((kinds(&fork), fork.findings[0].seal), (vec!["fork"], Some(3)), "{resume}: {}", fork.to_text());
            }
            let next = checkpoint(&forge, 4).checkpoint;
            for (signer, found) in [(&older, vec!["kept_checkpoint"]), (&newer, vec![])] {
                let since = UnverifiedCheckpoint::parse(&signer.checkpoint(next.size, next.root)).unwrap();
                let report = read(since).await;
                assert_eq!(kinds(&report), found, "{resume}: {}", report.to_text());
            }
        }
    }
}
