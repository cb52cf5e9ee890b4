//! Promise: between two things that a verification may say, each condition decides as it should: at its edge, and where several meet.

use spanseal::clock::UnixSeconds;
use spanseal::record::canonical::Json;
use spanseal::tlog::cosignature::Cosigner;
use spanseal::tlog::merkle::{CompactRange, leaf_hash};
use spanseal::tlog::note::{NoteSigner, UnverifiedCheckpoint};
use spanseal::tlog::seal_file::{LogFile, Statement};
use spanseal::tlog::{Hash, LeafHash, RootHash, TreeSize};
use spanseal::verify::{Bound, GapKind, Options, Receipt, Report, Verdict, verify};
use spanseal::worm::{Locks, ObjectKey, below, checkpoint_key, cosignature_name, log_key, seal_key};

use crate::support::failing::FailNthRead;
use crate::support::forge::{Forge, LOG, NOW, ORIGIN, Segment, honest, kinds, lines, log_of, notes};

const OTHER_ROOT: RootHash = RootHash(Hash([9; 32]));

fn signer(seed: u8) -> NoteSigner {
    NoteSigner::new(ORIGIN, &[seed; 32]).unwrap()
}

fn checkpoint(forge: &Forge, seal: usize) -> UnverifiedCheckpoint {
    UnverifiedCheckpoint::parse(&forge.seals[seal].checkpoint).unwrap()
}

/// A kept checkpoint of so many seals with this root.
fn kept(forge: &Forge, size: u64, root: RootHash) -> Option<UnverifiedCheckpoint> {
    Some(UnverifiedCheckpoint::parse(&forge.signer.checkpoint(TreeSize(size), root)).unwrap())
}

fn said(report: &Report, part: &str) -> bool {
    report.notes.iter().any(|note| note.kind.as_str() == "unchecked" && note.meaning.contains(part))
}

fn extends(report: &Report) -> String {
    report.notes.iter().find(|note| note.kind.as_str() == "extends").map(|note| note.meaning.clone()).unwrap_or_default()
}

/// Where seals are missing, time does not run backwards over the gap, however wide it is.
#[tokio::test]
async fn time_does_not_run_backwards_over_a_gap() {
    for (missing, back, expected) in
        [(1, false, vec!["seal_missing"]), (1, true, vec!["seal_missing", "seal_chain"]), (2, true, vec!["seal_missing", "seal_chain"])]
    {
        let mut forge = log_of(3 + missing).await;
        let before = forge.seals[2].statement.sealed_at;
        for seal in 3..3 + missing {
            forge.store.purge(&forge.segment_key(seal as usize), None);
            forge.store.purge(&seal_key(LOG, seal), None);
        }
        forge.seal(&[], |s| s.sealed_at = if back { UnixSeconds(before.0 - 1) } else { before }).await;
        forge.publish().await;
        let report = forge.verify().await;
        assert_eq!(kinds(&report), expected, "{missing} {back}: {}", report.to_text());
    }
}

/// Scenario: the first four seals were made anew by the log's own key, and the two behind them are gone, or cannot be read. Guarantee: the seal behind the
/// gap holds the hash of the old ones, and they are found to be others.
#[tokio::test]
async fn what_lies_before_a_wide_gap_is_held_to_what_lies_behind_it() {
    for rewritten in [false, true] {
        for gone in [true, false] {
            let mut forge = Forge::new(Locks::Enforced).await;
            let mut other = Forge::new(Locks::Enforced).await;
            for n in 0..8 {
                forge.seal(&[], |_| {}).await;
                other.seal(&[], |s| s.counts.duplicates = u64::from(n == 1)).await;
            }
            forge.publish().await;
            for seal in (0..4).filter(|_| rewritten) {
                forge.store.purge(&seal_key(LOG, seal), None);
                forge.put(&seal_key(LOG, seal), other.seals[seal as usize].to_bytes().unwrap()).await;
            }
            for seal in [4, 5] {
                match gone {
                    true => forge.store.purge(&seal_key(LOG, seal), None),
                    false => forge.store.fail_reads(seal_key(LOG, seal).as_str(), 1000),
                }
            }
            // What cannot be read cannot be given to the second verifier.
            let report = match gone {
                true => crate::support::second::verify(&forge.store, &forge.options()).await,
                false => forge.verify().await,
            };
            let chain: Vec<_> = report.findings.iter().filter(|f| f.kind.as_str() == "seal_chain").map(|f| f.seal).collect();
            assert_eq!(chain, if rewritten { vec![Some(6)] } else { vec![] }, "{rewritten} {gone}: {}", report.to_text());
        }
    }
}

/// A seal file as a stranger makes it up, of a tree of any size, with this checkpoint.
fn made_up(statement: Json, frontier: usize, checkpoint: &str) -> Vec<u8> {
    let nodes = vec![Json::String(Hash([1; 32]).to_string()); frontier];
    Json::object([("statement", statement), ("checkpoint", Json::string(checkpoint)), ("frontier", Json::Array(nodes))]).to_jcs()
}

/// Scenario: somebody puts objects at the last names that a seal can have, behind which no tree has a place. Guarantee: they are no seals, and the
/// verification comes to its end.
#[tokio::test]
async fn no_seal_lies_behind_the_largest_tree() {
    let forge = honest(Locks::Enforced).await;
    let mut newer = forge.seals[3].statement.to_json();
    let Json::Object(members) = &mut newer else { panic!() };
    members.iter_mut().find(|(name, _)| name == "format").unwrap().1 = Json::string("spanseal.seal/2");
    forge.put(&seal_key(LOG, u64::MAX), made_up(newer, 64, &forge.seals[3].checkpoint)).await;
    let report = forge.verify().await;
    assert_eq!(kinds(&report), ["seal_foreign"], "{}", report.to_text());
    // Where nothing is signed by the log's key, what is on record is looked for under anybody's.
    let before = forge.seals[3].statement.clone();
    let forge = Forge::new(Locks::Enforced).await;
    let stranger = signer(9);
    let statement = |index: u64| Statement { index, previous: Some(LeafHash(Hash([1; 32]))), segments: vec![], ..before.clone() };
    let last = statement(u64::MAX - 1);
    let mut tree = CompactRange::from_nodes(TreeSize(u64::MAX - 1), vec![Hash([1; 32]); 63]).unwrap();
    tree.append(leaf_hash(&last.entry()));
    let checkpoint = stranger.checkpoint(tree.size(), tree.root());
    forge.put(&checkpoint_key(LOG), checkpoint.clone()).await;
    forge.put(&seal_key(LOG, u64::MAX - 1), made_up(last.to_json(), 63, &checkpoint)).await;
    forge.put(&seal_key(LOG, u64::MAX), made_up(statement(u64::MAX).to_json(), 64, &checkpoint)).await;
    let report = verify(&forge.store, &forge.options()).await;
    assert_ne!(report.verdict, Verdict::Verified, "{}", report.to_text());
}

/// A seal that was promised by a time that is still to come is not late.
#[tokio::test]
async fn what_is_not_due_yet_is_no_silence() {
    let mut forge = log_of(2).await;
    forge.seal(&[], |s| s.next_by = Some(UnixSeconds(s.sealed_at.0 + 10))).await;
    forge.publish().await;
    let due = forge.seals[2].statement.next_by.unwrap();
    for (now, silent) in [(due, false), (UnixSeconds(due.0 + 1), true)] {
        let report = verify(&forge.store, &Options { now, ..forge.options() }).await;
        assert_eq!((report.verdict, notes(&report).contains(&"silence")), (Verdict::Verified, silent), "{now}: {}", report.to_text());
        assert_eq!(report.logs[0].completeness.gaps.iter().any(|gap| gap.kind == GapKind::Silence), silent, "{now}");
    }
}

/// Of several logs in one store each is held to the key of its own name.
#[tokio::test]
async fn each_log_is_held_to_its_own_key() {
    let forge = honest(Locks::Enforced).await;
    let other = NoteSigner::new("spanseal.test/other", &[9; 32]).unwrap().verifier().clone();
    let file = LogFile { origin: other.name().into(), vkey: other.clone(), created: UnixSeconds(NOW) };
    forge.put(&log_key("other"), file.to_bytes()).await;
    for pinned in [vec![other.clone(), forge.signer.verifier().clone()], vec![forge.signer.verifier().clone(), other]] {
        // What a writer committed is of one of them, and nobody says of which.
        let report = verify(&forge.store, &Options { pinned, committed: Some(3), ..forge.options() }).await;
        assert_eq!(kinds(&report), Vec::<&str>::new(), "{}", report.to_text());
        assert!(!said(&report, "the receipts"), "{}", report.to_text());
        let logs: Vec<_> = report.logs.iter().map(|log| (log.name.as_str(), log.key.as_str(), log.seals)).collect();
        let text = report.to_text();
        assert!(text.contains("  key:   unpinned: ") && text.contains("\n         of spanseal.test/log: pinned\n"), "{text}");
        // Of a log without seals no key was shown to be its own.
        assert_eq!(logs, [(LOG, "pinned", 4), ("other", "unpinned", 0)], "{}", report.to_text());
    }
}

/// Scenario: the auditor brings the first key of a log or the one that it turned to, and each read of the store fails once: that of `log.json`, or of the
/// seal that announced the change, too. Guarantee: nobody is told that a key is wrong or a seal broken, and what was kept is not called a forgery.
#[tokio::test]
async fn a_key_that_was_not_reached_is_not_called_wrong() {
    for (behind, ways) in
        [(2, &[(8, None), (3, None), (8, Some(1)), (8, Some(4)), (3, Some(1)), (3, Some(5))][..]), (0, &[(8, None), (3, None)])]
    {
        let mut forge = log_of(3).await;
        forge.turn_to(signer(8)).await;
        for n in 0..behind {
            forge.seal(&[Segment::of("standard", lines(100 + n, 1))], |_| {}).await;
        }
        forge.publish().await;
        for (pinned, since) in ways {
            let since = since.map(|seal| checkpoint(&forge, seal));
            let options = Options { pinned: vec![signer(*pinned).verifier().clone()], since, ..forge.options() };
            let (mut nth, mut unchecked) = (0, 0);
            loop {
                let store = FailNthRead::new(forge.store.clone(), nth);
                let report = verify(&store, &options).await;
                let what = format!("{pinned}, {:?}, read {nth}", options.since.as_ref().map(|since| since.checkpoint.size));
                assert_eq!(kinds(&report), Vec::<&str>::new(), "{what}: {}", report.to_text());
                if !store.failed() {
                    assert_eq!(report.verdict, Verdict::Verified, "{what}: {}", report.to_text());
                    break;
                }
                unchecked += usize::from(report.verdict == Verdict::Unchecked);
                nth += 1;
            }
            assert!(unchecked > 5, "{unchecked} of {nth}");
        }
    }
}

/// What is wrong with a seal by itself is found, whatever could not be read: only another key of the log is no fault.
#[tokio::test]
async fn a_broken_seal_is_found_without_log_json() {
    let forge = log_of(4).await;
    forge.store.flip_byte(&seal_key(LOG, 0), None, 0);
    forge.store.fail_reads("/log.json", 1000);
    let report = verify(&forge.store, &Options { logs: vec![LOG.into()], ..forge.options() }).await;
    assert_eq!((kinds(&report), report.findings.first().and_then(|f| f.seal)), (vec!["seal_broken"], Some(0)), "{}", report.to_text());
    // The same behind a seal that cannot be read.
    let forge = log_of(4).await;
    forge.store.flip_byte(&seal_key(LOG, 2), None, 0);
    forge.store.fail_reads(seal_key(LOG, 1).as_str(), 1000);
    let report = forge.verify().await;
    assert_eq!((kinds(&report), report.findings.first().and_then(|f| f.seal)), (vec!["seal_broken"], Some(2)), "{}", report.to_text());
    // With everything read, seals by another key are found; so they are once a seal stands again behind the one that was not read.
    for unread in [None, Some(1)] {
        let mut forge = log_of(3).await;
        forge.signer = signer(9);
        forge.seal(&[], |_| {}).await;
        forge.publish().await;
        if let Some(seal) = unread {
            forge.store.fail_reads(seal_key(LOG, seal).as_str(), 1000);
        }
        let report = verify(&forge.store, &Options { pinned: vec![signer(3).verifier().clone()], ..forge.options() }).await;
        assert!(
            kinds(&report).contains(&"seal_foreign") && report.findings.iter().any(|f| f.seal == Some(3)),
            "{unread:?}: {}",
            report.to_text()
        );
    }
}

/// Scenario: the auditor brings the first key, the later one stands in the configuration, and the seal that announced it cannot be read. Guarantee: the
/// seals behind are not called a stranger's.
#[tokio::test]
async fn behind_a_seal_that_cannot_be_read_nobody_is_a_stranger() {
    let mut forge = log_of(3).await;
    forge.turn_to(signer(8)).await;
    for _ in 0..2 {
        forge.seal(&[], |_| {}).await;
    }
    forge.publish().await;
    forge.store.fail_reads(seal_key(LOG, 3).as_str(), 1000);
    let options = Options { pinned: vec![signer(3).verifier().clone()], configured: Some(signer(8).verifier().clone()), ..forge.options() };
    let report = verify(&forge.store, &options).await;
    assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{}", report.to_text());
    assert!(said(&report, "it is signed by another key of that name"), "{}", report.to_text());
}

/// A key that is no key of the log is not passed over because a seal could not be read.
#[tokio::test]
async fn a_wrong_key_is_told_where_not_all_could_be_read() {
    let forge = log_of(4).await;
    for unread in [None, Some(3)] {
        if let Some(seal) = unread {
            forge.store.fail_reads(seal_key(LOG, seal).as_str(), 1000);
        }
        let report = verify(&forge.store, &Options { pinned: vec![signer(9).verifier().clone()], ..forge.options() }).await;
        let text = report.to_text();
        assert_eq!(kinds(&report), if unread.is_none() { vec!["wrong_key"] } else { vec![] }, "{text}");
        if unread.is_some() {
            let given = signer(9).verifier().to_string();
            assert!(report.notes.iter().any(|note| note.expected.as_ref() == Some(&given) && note.found.is_some()), "{text}");
            assert!(
                report.verdict == Verdict::Unchecked && text.contains("  key:   not reached: ") && !text.contains("bring the key"),
                "{text}"
            );
        }
    }
}

/// Scenario: what could not be read cannot have named a key for what was kept: the first seal stands under the auditor's key, the key signs on behind the
/// seal, or the seal lies behind the tree. Guarantee: a stranger's checkpoint is found, kept or published.
#[tokio::test]
async fn what_was_not_read_excuses_no_checkpoint_that_it_cannot_concern() {
    let with = async |unread: &str, size: u64, published: bool| {
        let forge = log_of(8).await;
        let note = signer(9).checkpoint(TreeSize(size), OTHER_ROOT);
        let mut since = None;
        match published {
            true => drop(forge.put(&checkpoint_key(LOG), note).await),
            false => since = Some(UnverifiedCheckpoint::parse(&note).unwrap()),
        }
        forge.store.fail_reads(unread, 1000);
        verify(&forge.store, &Options { logs: vec![LOG.into()], since, ..forge.options() }).await
    };
    let last = seal_key(LOG, 7);
    for (unread, size, found) in [
        ("log.json", 3, true),
        ("log.json", 100, true),
        (seal_key(LOG, 5).as_str(), 3, true),
        (seal_key(LOG, 5).as_str(), 100, true),
        (last.as_str(), 7, true),
        (last.as_str(), 8, false),
    ] {
        for published in [false, true] {
            let report = with(unread, size, published).await;
            let expected = match (found, published) {
                (false, _) => vec![],
                (true, true) => vec!["checkpoint_invalid"],
                (true, false) => vec!["kept_checkpoint"],
            };
            assert_eq!(kinds(&report), expected, "{unread} {size} {published}: {}", report.to_text());
        }
    }
    // Of log.json the oldest version counts: another that cannot be read excuses nothing, and its key is known to who brings
    // none.
    let mut forge = Forge::new(Locks::None).await;
    for _ in 0..4 {
        forge.seal(&[], |_| {}).await;
    }
    forge.publish().await;
    forge.put(&log_key(LOG), "x").await;
    forge.put(&checkpoint_key(LOG), signer(9).checkpoint(TreeSize(100), OTHER_ROOT)).await;
    let (mut nth, mut found) = (0, 0);
    loop {
        let store = FailNthRead::new(forge.store.clone(), nth);
        let report = verify(&store, &Options { logs: vec![LOG.into()], pinned: vec![], ..forge.options() }).await;
        let unread = report.notes.iter().any(|note| note.kind.as_str() == "unchecked" && note.object.ends_with("log.json"));
        found += usize::from(unread && kinds(&report).contains(&"checkpoint_invalid"));
        if !store.failed() {
            assert!(kinds(&report).contains(&"checkpoint_invalid"), "{}", report.to_text());
            break;
        }
        nth += 1;
    }
    assert_eq!(found, 1, "of {nth} reads");
}

/// Scenario: a stranger wrote over a cosignature, which lies below it still, and each read fails once. Guarantee: it is not called changed for a
/// version that could not be read.
#[tokio::test]
async fn a_cosignature_that_cannot_be_read_is_not_called_changed() {
    let forge = log_of(2).await;
    let witness = Cosigner::new("w.test/1", &[41; 32]).unwrap();
    let text = checkpoint(&forge, 1).note.text;
    let note = format!("{text}\n{}", witness.cosign(&text, UnixSeconds(NOW + 10)).unwrap());
    let key = below(LOG, &cosignature_name(1, &Hash::of(note.as_bytes()).to_string()));
    forge.put(&key, note).await;
    forge.put(&key, "x").await;
    let options = Options { witnesses: vec![witness.public().clone()], ..forge.options() };
    let (mut nth, mut unread) = (0, 0);
    loop {
        let store = FailNthRead::new(forge.store.clone(), nth);
        let report = verify(&store, &options).await;
        assert!(kinds(&report).iter().all(|kind| *kind == "foreign_version"), "read {nth}: {}", report.to_text());
        unread += usize::from(kinds(&report).is_empty());
        if !store.failed() {
            assert_eq!(kinds(&report), ["foreign_version"], "{}", report.to_text());
            break;
        }
        nth += 1;
    }
    assert!(unread > 0, "of {nth} reads");
}

/// Scenario: the log had three keys, and the published checkpoint is of the seal that announced the second, signed by the third. Guarantee: a key signs
/// nothing of before its time.
#[tokio::test]
async fn a_later_key_signs_no_checkpoint_of_before_its_time() {
    let mut forge = log_of(3).await;
    for seed in [8, 9] {
        forge.turn_to(signer(seed)).await;
        forge.seal(&[], |_| {}).await;
    }
    let at = checkpoint(&forge, 3).checkpoint;
    for (by, expected) in [(3, vec![]), (8, vec![]), (9, vec!["checkpoint_invalid"])] {
        forge.put(&checkpoint_key(LOG), signer(by).checkpoint(at.size, at.root)).await;
        let pinned = vec![signer(3).verifier().clone()];
        let report = verify(&forge.store, &Options { pinned, ..forge.options() }).await;
        assert_eq!(kinds(&report), expected, "{by}: {}", report.to_text());
    }
}

/// Of two joints between stretches, one is gone and one cannot be read: the stretch before the gap is found, the other is unchecked.
#[tokio::test]
async fn a_joint_that_is_gone_is_told_from_one_that_cannot_be_read() {
    let mut forge = log_of(3).await;
    for seed in [5, 8] {
        forge.turn_to(signer(seed)).await;
        for _ in 0..2 {
            forge.seal(&[], |_| {}).await;
        }
    }
    forge.publish().await;
    forge.store.purge(&seal_key(LOG, 3), None);
    forge.store.fail_reads(seal_key(LOG, 6).as_str(), 1000);
    let report = verify(&forge.store, &Options { configured: Some(signer(5).verifier().clone()), ..forge.options() }).await;
    let wrong: Vec<_> = report.findings.iter().filter(|finding| finding.kind.as_str() == "wrong_key").map(|finding| finding.seal).collect();
    assert_eq!(wrong, [Some(0)], "{}", report.to_text());
    let unchecked = report.notes.iter().any(|note| note.seal == Some(4) && note.meaning.contains("lead to the key that was given"));
    assert!(unchecked, "{}", report.to_text());
}

/// What a witness cosigned of another log, or of another size than its name says, does not show that this one was cut off.
#[tokio::test]
async fn a_cosignature_behind_the_end_counts_for_its_own_log_and_size() {
    let witness = Cosigner::new("w.test/1", &[41; 32]).unwrap();
    let other = NoteSigner::new("spanseal.test/other", &[9; 32]).unwrap();
    for (signer, size, expected) in
        [(&signer(3), 10, "rollback"), (&other, 10, "cosignature_foreign"), (&signer(3), 9, "cosignature_foreign")]
    {
        let forge = log_of(4).await;
        let text = UnverifiedCheckpoint::parse(&signer.checkpoint(TreeSize(size), OTHER_ROOT)).unwrap().note.text;
        let note = format!("{text}\n{}", witness.cosign(&text, UnixSeconds(NOW + 10)).unwrap());
        forge.put(&below(LOG, &cosignature_name(9, &Hash::of(note.as_bytes()).to_string())), note).await;
        let report = verify(&forge.store, &Options { witnesses: vec![witness.public().clone()], ..forge.options() }).await;
        assert_eq!(kinds(&report), [expected], "{size}: {}", report.to_text());
    }
}

/// Beside a log may lie what is none: folders of others, whatever their names.
#[tokio::test]
async fn folders_that_are_no_logs_are_left_alone() {
    let forge = honest(Locks::Enforced).await;
    for key in ["Backups of 2026/log.json", "notes/readme.txt", "notes/seal/0", "segments/x"] {
        forge.put(&ObjectKey(key.to_owned()), "x").await;
    }
    let report = forge.verify().await;
    assert_eq!((report.verdict, report.logs.len()), (Verdict::Verified, 1), "{}", report.to_text());
    let unpinned = verify(&forge.store, &Options { pinned: vec![], ..forge.options() }).await;
    assert_eq!((unpinned.verdict, unpinned.logs.len()), (Verdict::Verified, 1), "{}", unpinned.to_text());
}

/// The published checkpoint names a seal behind the part that does not stand: that it was not compared is said, and of the whole the seal is found.
#[tokio::test]
async fn a_published_checkpoint_of_a_seal_that_does_not_stand_is_unchecked_for_a_part() {
    let forge = log_of(6).await;
    forge.store.flip_byte(&seal_key(LOG, 5), None, 0);
    let why = "seal 5, which it names, does not stand";
    let part = verify(&forge.store, &Options { to: Some(Bound::Seal(2)), ..forge.options() }).await;
    assert!(part.verdict == Verdict::Unchecked && said(&part, why) && part.findings.is_empty(), "{}", part.to_text());
    let whole = forge.verify().await;
    assert!(kinds(&whole) == ["seal_broken"] && !said(&whole, why), "{}", whole.to_text());
}

/// Scenario: the log had three keys, and both seals that announced one are gone; the auditor brings the last, the others are known from `log.json` and
/// the configuration. Guarantee: each stretch that nothing joins to the auditor's key is named with its own.
#[tokio::test]
async fn each_stretch_that_nothing_joins_is_named_with_its_key() {
    let mut forge = log_of(3).await;
    for (seed, seals) in [(5, 2), (8, 2)] {
        forge.turn_to(signer(seed)).await;
        for _ in 0..seals {
            forge.seal(&[], |_| {}).await;
        }
    }
    forge.publish().await;
    for seal in [3, 6] {
        forge.store.purge(&seal_key(LOG, seal), None);
    }
    let report = verify(&forge.store, &Options { configured: Some(signer(5).verifier().clone()), ..forge.options() }).await;
    let wrong: Vec<_> = report.findings.iter().filter(|finding| finding.kind.as_str() == "wrong_key").collect();
    assert_eq!(wrong.iter().map(|finding| finding.seal).collect::<Vec<_>>(), [Some(0), Some(4)], "{}", report.to_text());
    for (finding, seed) in wrong.iter().zip([3, 5]) {
        assert!(finding.found.as_ref().is_some_and(|found| found.contains(&signer(seed).verifier().to_string())), "{finding:?}");
    }
}

/// Scenario: a checkpoint was kept of a tree whose last seal does not stand any more. Guarantee: it is held against the seal behind, which carries the
/// same tree; where the seal itself stands, that one counts, whatever the next one says.
#[tokio::test]
async fn a_kept_checkpoint_is_compared_where_its_tree_ends() {
    let forge = log_of(5).await;
    let root = checkpoint(&forge, 2).checkpoint.root;
    forge.store.flip_byte(&seal_key(LOG, 2), None, 0);
    for (root, expected) in [(root, vec!["seal_broken"]), (OTHER_ROOT, vec!["seal_broken", "fork"])] {
        let report = verify(&forge.store, &Options { since: kept(&forge, 3, root), ..forge.options() }).await;
        assert_eq!(kinds(&report), expected, "{}", report.to_text());
        assert!(!said(&report, "the checkpoint that you kept"), "{}", report.to_text());
    }
    let mut forge = log_of(3).await;
    let root = checkpoint(&forge, 2).checkpoint.root;
    forge.range = CompactRange::new();
    for leaf in [b"another 0", b"another 1", b"another 2"] {
        forge.range.append(leaf_hash(leaf));
    }
    forge.seal(&[], |_| {}).await;
    for (since, receipts) in [(kept(&forge, 3, root), vec![]), (None, vec![Receipt { seal: 2, root }])] {
        let report = verify(&forge.store, &Options { since, receipts, ..forge.options() }).await;
        assert!(kinds(&report).contains(&"seal_chain") && !kinds(&report).contains(&"fork"), "{}", report.to_text());
    }
}

/// What a kept checkpoint shows is said as far as it was read, and no further.
#[tokio::test]
async fn what_a_kept_checkpoint_shows_is_what_was_read() {
    let forge = log_of(8).await;
    let with = async |from: Option<u64>, to: Option<u64>, since: usize, resume: bool| {
        let (from, to) = (from.map(Bound::Seal), to.map(Bound::Seal));
        verify(&forge.store, &Options { from, to, since: Some(checkpoint(&forge, since)), resume, ..forge.options() }).await
    };
    let whole = with(None, None, 4, false).await;
    assert!(extends(&whole).ends_with("no seal that it covers was removed or changed since."), "{}", whole.to_text());
    assert_eq!(whole.logs[0].resumed, None);
    let text = whole.to_text();
    assert!(
        !text.contains("resumed:") && !text.contains("\n         of ") && text.contains("you kept: nothing that it covers was"),
        "{text}"
    );
    let part = with(Some(4), None, 4, false).await;
    let expected = "of the seals that it covers, none from 3 on was removed or changed since. What the seals before 4 name was not read.";
    assert!(extends(&part).ends_with(expected), "{}", part.to_text());
    let resumed = with(None, None, 4, true).await;
    let expected = "What seals before 4 name was not read again: that it is there, and as signed, rests on the earlier verification.";
    assert!(extends(&resumed).ends_with(expected), "{}", resumed.to_text());
    assert_eq!(resumed.logs[0].resumed, Some(4));
    let text = resumed.to_text();
    assert!(text.contains("resumed: seals before 4 were not read") && text.contains("of what it covers, nothing from seal 4 on"), "{text}");
    let behind = with(Some(6), None, 4, false).await.to_text();
    assert!(behind.contains("what is sealed from seal 6 on goes on from it"), "{behind}");
    // Nothing lies in the part, so nothing of it rests on anything.
    let nothing = with(Some(4), Some(3), 4, false).await;
    assert_eq!(
        (nothing.verdict, nothing.logs[0].covered, nothing.logs[0].resumed),
        (Verdict::Unchecked, None, None),
        "{}",
        nothing.to_text()
    );
}

/// Scenario: the newest seal is there and cannot be read. Guarantee: it counts as a seal that was not read, and the log does not end before it.
#[tokio::test]
async fn a_newest_seal_that_cannot_be_read_is_not_behind_the_end() {
    let forge = log_of(5).await;
    forge.store.purge(&checkpoint_key(LOG), None);
    forge.store.fail_reads(seal_key(LOG, 4).as_str(), 1000);
    let report = verify(&forge.store, &Options { committed: Some(4), ..forge.options() }).await;
    assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{}", report.to_text());
    let gaps: Vec<_> = report.logs[0].completeness.gaps.iter().map(|g| (g.kind, g.count, g.first_seal, g.last_seal)).collect();
    assert!(gaps.contains(&(GapKind::SealMissing, 1, Some(4), Some(4))), "{gaps:?}");
}

/// Scenario: the seal at which a part would be joined to what was kept is broken, and one before it is missing. Guarantee: the seals before are read, as
/// without the checkpoint, and both are found.
#[tokio::test]
async fn a_part_that_its_checkpoint_does_not_join_is_read_from_the_first_seal() {
    let forge = log_of(6).await;
    forge.store.purge(&seal_key(LOG, 1), None);
    forge.store.flip_byte(&seal_key(LOG, 3), None, 0);
    let since = Some(checkpoint(&forge, 3));
    let report = verify(&forge.store, &Options { from: Some(Bound::Seal(4)), since, ..forge.options() }).await;
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.kind.as_str(), finding.seal)).collect();
    assert_eq!(found, [("seal_missing", Some(1)), ("seal_broken", Some(3))], "{}", report.to_text());
}

/// Scenario: the auditor brings the key that the log turned to, and nothing shows the first one; of a part in its time the seals stand. Guarantee: that the
/// log had not left this key by then is not taken for granted.
#[tokio::test]
async fn of_a_part_it_is_unchecked_whether_its_key_had_been_left() {
    let mut forge = log_of(3).await;
    forge.turn_to(signer(8)).await;
    for _ in 0..3 {
        forge.seal(&[], |_| {}).await;
    }
    forge.publish().await;
    let why = "whether the log had left the key of this part by then";
    for (first_known, from, doubted) in [(true, 5, false), (false, 5, true), (false, 6, true)] {
        if !first_known {
            let file = LogFile { origin: ORIGIN.into(), vkey: signer(8).verifier().clone(), created: UnixSeconds(NOW) };
            forge.store.purge(&log_key(LOG), None);
            forge.put(&log_key(LOG), file.to_bytes()).await;
        }
        let report = verify(&forge.store, &Options { from: Some(Bound::Seal(from)), ..forge.options() }).await;
        assert_eq!(said(&report, why), doubted, "{first_known} {from}: {}", report.to_text());
        assert_eq!(report.verdict == Verdict::Verified, !doubted, "{first_known} {from}: {}", report.to_text());
    }
}

/// A key that is no key of the log: a part of it is read from the first seal, and it is the key that is wrong.
#[tokio::test]
async fn under_a_wrong_key_a_part_is_not_said_to_have_been_left() {
    let mut forge = log_of(6).await;
    forge.put(&log_key(LOG), b"{}".to_vec()).await;
    forge.signer = signer(9);
    let report = verify(&forge.store, &Options { from: Some(Bound::Seal(4)), ..forge.options() }).await;
    assert!(!said(&report, "whether the log had left the key of this part") && report.verdict != Verdict::Verified, "{}", report.to_text());
}

/// Scenario: the published checkpoint is of the seal that announced a change of key, and has the line of the newer key alone. Guarantee: it is judged as
/// the older key's would be.
#[tokio::test]
async fn the_published_checkpoint_at_a_change_of_key_is_of_either_key() {
    let mut forge = log_of(3).await;
    forge.turn_to(signer(8)).await;
    let at = checkpoint(&forge, 3).checkpoint;
    for after in [false, true] {
        if after {
            forge.seal(&[], |_| {}).await;
        }
        for pinned in [3, 8] {
            for by in [3, 8] {
                for (root, expected) in [(at.root, vec![]), (OTHER_ROOT, vec!["checkpoint_invalid"])] {
                    forge.put(&checkpoint_key(LOG), signer(by).checkpoint(at.size, root)).await;
                    let report =
                        verify(&forge.store, &Options { pinned: vec![signer(pinned).verifier().clone()], ..forge.options() }).await;
                    assert_eq!(kinds(&report), expected, "{after} {pinned} {by}: {}", report.to_text());
                }
            }
        }
    }
}

/// Scenario: the last seal of a part is not cosigned, a later one is. Guarantee: the auditor is told that a later seal would show it, and not to ask
/// whoever runs the witnesses.
#[tokio::test]
async fn of_a_part_it_is_said_that_a_later_cosignature_would_cover_it() {
    let forge = log_of(6).await;
    let witness = Cosigner::new("w.test/1", &[41; 32]).unwrap();
    for seal in [1, 5] {
        let text = checkpoint(&forge, seal).note.text;
        let line = witness.cosign(&text, UnixSeconds(NOW + 10)).unwrap();
        let note = format!("{text}\n{line}");
        forge.put(&below(LOG, &cosignature_name(seal as u64, &Hash::of(note.as_bytes()).to_string())), note).await;
    }
    let (now, witnesses) = (UnixSeconds(NOW + 86_400), vec![witness.public().clone()]);
    let read = async |to| {
        let options = Options { to, now, witnesses: witnesses.clone(), ..forge.options() };
        verify(&forge.store, &options).await
    };
    let report = read(Some(Bound::Seal(3))).await;
    assert!(said(&report, "Seals 2 to 3 are not yet cosigned") && said(&report, "verify without --to"), "{}", report.to_text());
    assert_eq!(read(None).await.verdict, Verdict::Verified);
    forge.store.purge(&cosignature_of(&forge, 5), None);
    let report = read(None).await;
    assert!(said(&report, "Ask whoever runs the witnesses") && !said(&report, "verify without --to"), "{}", report.to_text());
}

fn cosignature_of(forge: &Forge, seal: u64) -> ObjectKey {
    let below = below(LOG, &format!("cosignatures/{seal:020}"));
    forge.store.keys().into_iter().find(|key| key.as_str().starts_with(below.as_str())).unwrap()
}
