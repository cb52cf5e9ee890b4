//! Promise: what witnesses said is verified like everything else that is stored, and what anybody could have put beside the log proves nothing,
//! neither for it nor against it.

use crate::support::forge::{Forge, LOG, NOW, ORIGIN, Segment, honest, kinds, lines, lock, notes};
use spanseal::clock::UnixSeconds;
use spanseal::tlog::cosignature::Cosigner;
use spanseal::tlog::note::{UnverifiedCheckpoint, checkpoint_text};
use spanseal::tlog::{Hash, LeafIndex, RootHash, TreeSize};
use spanseal::verify::{
    Bound, End, Evidence, Options, Others, RangeWish, RecordAt, Report, Show, Verdict, Wanted, check_with, prove_published, prove_range,
    verify,
};
use spanseal::worm::{Lock, Locks, Mode, ObjectKey, WormStore, below, cosignature_name, seal_key, timestamp_name};

fn witness(n: u8) -> Cosigner {
    Cosigner::new(&format!("w.test/{n}"), &[40 + n; 32]).unwrap()
}

fn text(forge: &Forge, seal: usize) -> String {
    UnverifiedCheckpoint::parse(&forge.seals[seal].checkpoint).unwrap().note.text
}

/// Puts what these witnesses say of a text beside a seal, one object each; answers with the last key.
async fn put(forge: &Forge, seal: u64, text: &str, by: &[&Cosigner]) -> ObjectKey {
    let mut key = below(LOG, "");
    for witness in by {
        let line = witness.cosign(text, UnixSeconds(NOW + i64::try_from(seal).unwrap() + 1)).unwrap();
        key = put_note(forge, seal, format!("{text}\n{line}")).await;
    }
    key
}

async fn put_note(forge: &Forge, seal: u64, note: String) -> ObjectKey {
    let key = below(LOG, &cosignature_name(seal, &Hash::of(note.as_bytes()).to_string()));
    forge.put(&key, note).await;
    key
}

async fn seen(forge: &Forge, witnesses: &[u8], quorum: Option<usize>) -> Report {
    let witnesses = witnesses.iter().map(|n| witness(*n).public().clone()).collect();
    verify(&forge.store, &Options { witnesses, quorum, ..forge.options() }).await
}

/// How far k of n have cosigned, when they cosigned different checkpoints: each covers all before it.
#[tokio::test]
async fn a_quorum_reaches_as_far_as_its_slowest() {
    let forge = honest(Locks::Enforced).await;
    put(&forge, 1, &text(&forge, 1), &[&witness(1), &witness(2)]).await;
    put(&forge, 3, &text(&forge, 3), &[&witness(1)]).await;
    for (witnesses, quorum, up_to) in [
        (&[1_u8, 2][..], Some(1), Some(4)),
        (&[1, 2], Some(2), Some(2)),
        (&[1, 2], None, Some(2)),
        (&[1, 2, 3], Some(2), Some(2)),
        (&[1, 2, 3], Some(3), None),
        (&[3], None, None),
    ] {
        let report = seen(&forge, witnesses, quorum).await;
        let expected = if up_to.is_some() { Verdict::Verified } else { Verdict::Unchecked };
        let cosigned = report.logs[0].cosigned.as_ref().unwrap();
        assert_eq!((report.verdict, cosigned.up_to), (expected, up_to), "{witnesses:?} {quorum:?}: {}", report.to_text());
    }
    let text = seen(&forge, &[1, 2], Some(2)).await.to_text();
    assert!(
        text.contains(
            "seen:  up to tree size 2 by 2 of your 2 witnesses (2 asked for), 2 newer seals not yet: w.test/1 up to 4, w.test/2 up to 2"
        ),
        "{text}"
    );
    let text = seen(&forge, &[1, 2, 3], Some(2)).await.to_text();
    assert!(text.contains("seen:  up to tree size 2 by 2 of your 3 witnesses (2 asked for), 2 newer"), "{text}");
    // A range is judged by what lies in it.
    let options = Options {
        from: Some(Bound::Seal(3)),
        witnesses: vec![witness(1).public().clone(), witness(2).public().clone()],
        ..forge.options()
    };
    let report = verify(&forge.store, &options).await;
    let cosigned = report.logs[0].cosigned.as_ref().unwrap();
    assert_eq!((report.verdict, cosigned.witnesses[0].up_to, cosigned.witnesses[1].up_to), (Verdict::Unchecked, Some(4), None));
    // Whoever asks for one is told how many have.
    put(&forge, 3, &self::text(&forge, 3), &[&witness(2)]).await;
    let text = seen(&forge, &[1, 2], Some(1)).await.to_text();
    assert!(text.contains("seen:  up to tree size 4 by 2 of your 2 witnesses (1 asked for): w.test/1 up to 4, w.test/2 up to 4"), "{text}");
}

/// Scenario: nobody cosigns the newest seals, as where the witnesses refuse a second history. Guarantee: that is told as unchecked as soon as they
/// have had the time for it, sooner of seals with records, and names the seals; before that it is said and no more.
#[tokio::test]
async fn what_witnesses_should_have_seen_by_now_is_not_verified() {
    use crate::support::forge::{Segment, lines};
    const MINUTE: i64 = 60;
    // The third seal is made after so many seconds, with records or without; when it is looked at; and whether it is told.
    for (records, after, told) in [
        (true, 10 * MINUTE, false),
        (true, 10 * MINUTE + 1, true),
        (false, 10 * MINUTE + 1, false),
        (false, 120 * MINUTE, false),
        (false, 120 * MINUTE + 1, true),
    ] {
        let mut forge = Forge::new(Locks::Enforced).await;
        let segment = |n| [Segment::of("standard", lines(n, 1))];
        forge.seal(&segment(1), |_| {}).await;
        forge.seal(&segment(2), |_| {}).await;
        put(&forge, 1, &text(&forge, 1), &[&witness(1), &witness(2)]).await;
        let (third, mut last) = (segment(3), UnixSeconds(0));
        forge.seal(if records { &third[..] } else { &[] }, |statement| last = statement.sealed_at).await;
        let witnesses: Vec<_> = [1, 2].map(|n| witness(n).public().clone()).to_vec();
        for quorum in [1, 2] {
            let options =
                Options { witnesses: witnesses.clone(), quorum: Some(quorum), now: UnixSeconds(last.0 + after), ..forge.options() };
            let report = verify(&forge.store, &options).await;
            let verdict = if told { Verdict::Unchecked } else { Verdict::Verified };
            assert_eq!(report.verdict, verdict, "{records} {after} {quorum}: {}", report.to_text());
            assert_eq!(report.logs[0].cosigned.as_ref().unwrap().up_to, Some(2));
            let item = report.notes.iter().find(|n| n.kind.as_str() == "unchecked" && n.object == "cosignatures/");
            assert_eq!(item.is_some(), told, "{}", report.to_text());
            let Some(item) = item else { continue };
            let part = format!("Seal 2 is not yet cosigned by {quorum} of your 2 witnesses, the first of them since {last}, and ");
            assert!(item.seal == Some(2) && item.meaning.contains(&part), "{item:?}");
            assert!(item.meaning.contains("Only the log's key vouches for these seals"), "{item:?}");
        }
        // A witness that is not asked for may be behind.
        put(&forge, 2, &text(&forge, 2), &[&witness(2)]).await;
        let options = Options { witnesses, quorum: Some(1), now: UnixSeconds(last.0 + after), ..forge.options() };
        assert_eq!(verify(&forge.store, &options).await.verdict, Verdict::Verified);
    }
}

/// Each fault alone, with its kind, its object and what became of the evidence.
#[tokio::test]
async fn what_is_wrong_with_a_cosignature_is_named() {
    let one = witness(1);
    let finding = async |forge: &Forge, kind: &str, object: &ObjectKey, evidence| {
        let report = seen(forge, &[1], None).await;
        assert_eq!(kinds(&report), [kind], "{}", report.to_text());
        let found = &report.findings[0];
        assert_eq!(
            (format!("{LOG}/{}", found.object), found.evidence, found.seal),
            (object.to_string(), Some(evidence), Some(2)),
            "{}",
            report.to_text()
        );
        report
    };
    let other = checkpoint_text(ORIGIN, TreeSize(3), RootHash(Hash([9; 32])));
    // The witness saw another tree of this size: the log forked.
    let forge = honest(Locks::Enforced).await;
    put(&forge, 2, &text(&forge, 2), &[&one]).await;
    let key = put(&forge, 2, &other, &[&one]).await;
    let report = finding(&forge, "fork", &key, Evidence::Lost).await;
    assert!(report.findings[0].meaning.contains("two histories"));
    // The same by a stranger proves nothing, and is not of this log.
    let forge = honest(Locks::Enforced).await;
    put(&forge, 2, &text(&forge, 2), &[&one]).await;
    let key = put(&forge, 2, &other, &[&witness(2)]).await;
    finding(&forge, "cosignature_foreign", &key, Evidence::Intact).await;
    // The trusted witness's own, but of another seal, another log; and what is no note at all.
    for note in [
        {
            let t = text(&forge, 1);
            format!("{t}\n{}", one.cosign(&t, UnixSeconds(NOW)).unwrap())
        },
        {
            let t = text(&forge, 2).replace(ORIGIN, "spanseal.test/elsewhere");
            format!("{t}\n{}", one.cosign(&t, UnixSeconds(NOW)).unwrap())
        },
        "no note".to_owned(),
    ] {
        let forge = honest(Locks::Enforced).await;
        put(&forge, 2, &text(&forge, 2), &[&one]).await;
        let key = put_note(&forge, 2, note).await;
        finding(&forge, "cosignature_foreign", &key, Evidence::Intact).await;
    }
    // A line of the trusted witness that does not verify.
    let forge = honest(Locks::Enforced).await;
    put(&forge, 2, &text(&forge, 2), &[&one]).await;
    let line = one.cosign(&other, UnixSeconds(NOW)).unwrap();
    let key = put_note(&forge, 2, format!("{}\n{line}", text(&forge, 2))).await;
    finding(&forge, "cosignature_broken", &key, Evidence::Intact).await;
    // Changed bytes, another version over it, a delete marker over it, and one that is gone behind its marker.
    let forge = honest(Locks::Enforced).await;
    let key = put(&forge, 2, &text(&forge, 2), &[&one]).await;
    forge.store.flip_byte(&key, None, 0);
    let report = seen(&forge, &[1], None).await;
    assert_eq!((kinds(&report), report.findings[0].evidence), (vec!["cosignature_broken"], Some(Evidence::Lost)), "{}", report.to_text());
    forge.store.flip_byte(&key, None, 0);
    assert_eq!(kinds(&seen(&forge, &[1], None).await), Vec::<&str>::new());
    forge.put(&key, "something else").await;
    finding(&forge, "foreign_version", &key, Evidence::Intact).await;
    let forge = honest(Locks::Enforced).await;
    let key = put(&forge, 2, &text(&forge, 2), &[&one]).await;
    forge.store.delete(&key);
    finding(&forge, "hidden", &key, Evidence::Intact).await;
    let versions = forge.store.versions(&key).await.unwrap();
    let data = versions.iter().find(|v| !v.is_delete_marker).and_then(|v| v.id.clone()).unwrap();
    forge.store.purge(&key, Some(&data));
    let report = seen(&forge, &[1], None).await;
    assert_eq!((kinds(&report), report.findings[0].evidence), (vec!["cosignature_broken"], Some(Evidence::Lost)), "{}", report.to_text());
}

/// The evidence lock holds cosignatures too.
#[tokio::test]
async fn a_cosignature_without_its_lock_is_named() {
    let forge = honest(Locks::Enforced).await;
    let note = format!("{}\n{}", text(&forge, 2), witness(1).cosign(&text(&forge, 2), UnixSeconds(NOW + 3)).unwrap());
    let key = below(LOG, &cosignature_name(2, &Hash::of(note.as_bytes()).to_string()));
    let weak = Lock { mode: Mode::Governance, ..lock() };
    forge.store.put(&key, note.into(), spanseal::worm::Condition::CreateOnly, Some(weak)).await.unwrap();
    assert_eq!(kinds(&seen(&forge, &[1], None).await), ["lock_weak"]);
    // Also where nobody brings a witness.
    assert_eq!(kinds(&forge.verify().await), ["lock_weak"]);
}

/// The end of the log is cut off, and the witness saw it. Only who brings its key is told that by the witness; a planted note tells nobody
/// anything.
#[tokio::test]
async fn a_log_that_ends_before_what_a_witness_saw_was_cut_off() {
    let forge = honest(Locks::Enforced).await;
    let longer = checkpoint_text(ORIGIN, TreeSize(9), RootHash(Hash([9; 32])));
    put(&forge, 8, &longer, &[&witness(1)]).await;
    let report = seen(&forge, &[1], None).await;
    assert_eq!((kinds(&report), report.findings[0].evidence, report.findings[0].seal), (vec!["rollback"], Some(Evidence::Lost), Some(8)));
    let report = seen(&forge, &[2], None).await;
    assert_eq!(
        (kinds(&report), report.findings[0].evidence),
        (vec!["cosignature_foreign"], Some(Evidence::Intact)),
        "{}",
        report.to_text()
    );
}

/// However much lies behind the end, what was not looked at is said, and what a trusted witness says there is found. A log that goes on while it
/// is read is not accused of ending before it.
#[tokio::test]
async fn what_lies_behind_the_end_is_bounded_and_may_be_of_a_log_that_goes_on() {
    let forge = honest(Locks::Enforced).await;
    for size in 9..75 {
        put(&forge, size - 1, &checkpoint_text(ORIGIN, TreeSize(size), RootHash(Hash([9; 32]))), &[&witness(1)]).await;
    }
    let report = seen(&forge, &[1], None).await;
    assert_eq!(kinds(&report), ["rollback"; 64], "{}", report.to_text());
    assert!(report.notes.iter().any(|n| n.meaning.contains("2 further cosignatures behind the end of the log")), "{}", report.to_text());

    // Nothing but a marker says nothing.
    let forge = honest(Locks::Enforced).await;
    put(&forge, 3, &text(&forge, 3), &[&witness(1)]).await;
    let key = put(&forge, 8, &checkpoint_text(ORIGIN, TreeSize(9), RootHash(Hash([9; 32]))), &[&witness(1)]).await;
    forge.store.purge(&key, None);
    forge.store.delete(&key);
    assert_eq!(seen(&forge, &[1], None).await.verdict, Verdict::Verified);

    let mut forge = honest(Locks::Enforced).await;
    let next = forge.sign(forge.statement(&[]).await);
    forge.seals.push(next.clone());
    put(&forge, 3, &text(&forge, 3), &[&witness(1)]).await;
    put(&forge, 4, &text(&forge, 4), &[&witness(1)]).await;
    // The listing of seals was read when the first of them is done.
    let (store, body) = (forge.store.clone(), next.to_bytes().unwrap());
    let grow = move |progress: &spanseal::verify::Progress<'_>| {
        if progress.seals == 1 {
            store.overwrite_foreign(&seal_key(LOG, 4), body.clone());
        }
    };
    let witnesses = vec![witness(1).public().clone()];
    let report = verify(&forge.store, &Options { witnesses, progress: Some(&grow), ..forge.options() }).await;
    assert_eq!((report.verdict, report.logs[0].tree_size), (Verdict::Verified, 4), "{}", report.to_text());
    let note = report.notes.iter().find(|n| n.object == "cosignatures/").map(|n| n.kind.as_str());
    assert_eq!(note, Some("not_covered"), "{}", report.to_text());
}

/// The cosignature of a seal that is gone is not judged by the next one.
#[tokio::test]
async fn a_cosignature_of_a_seal_that_is_gone_is_not_judged_by_another() {
    let forge = honest(Locks::Enforced).await;
    for seal in [1, 2] {
        put(&forge, seal, &text(&forge, usize::try_from(seal).unwrap()), &[&witness(1)]).await;
    }
    forge.store.purge(&seal_key(LOG, 1), None);
    let report = seen(&forge, &[1], None).await;
    assert_eq!(kinds(&report), ["seal_missing"], "{}", report.to_text());
    assert_eq!(report.logs[0].cosigned.as_ref().unwrap().up_to, Some(3));
}

/// A cosignature that was put twice is one.
#[tokio::test]
async fn a_cosignature_that_was_put_twice_is_one() {
    let forge = honest(Locks::Enforced).await;
    put(&forge, 2, &text(&forge, 2), &[&witness(1), &witness(1)]).await;
    let report = seen(&forge, &[1], None).await;
    assert_eq!((report.verdict, notes(&report)), (Verdict::Verified, vec!["duplicate"]), "{}", report.to_text());
}

/// What witnesses and what authorities say of different checkpoints is not mixed in one proof.
#[tokio::test]
async fn a_proof_takes_from_both_only_what_is_of_one_checkpoint() {
    let mut forge = Forge::new(Locks::None).await;
    for n in 0..12 {
        forge.seal(&[Segment::of("standard", lines(n, 1))], |_| {}).await;
    }
    let (key, one, authority) = (forge.signer.verifier().clone(), witness(1), crate::support::token::Authority::honest());
    let stamp = async |forge: &Forge, seal: usize| {
        let token = authority.token(Hash::of(forge.seals[seal].checkpoint.as_bytes()).0, "20270115080100Z");
        let name = timestamp_name(u64::try_from(seal).unwrap(), &Hash::of(&token).to_string());
        forge.put(&below(LOG, &name), token).await;
    };
    let wanted = Wanted { witnesses: vec![one.public().clone()], quorum: None };
    let tsa_roots = spanseal::timestamp::Roots::from_pem(authority.root_pem.as_bytes()).unwrap();
    let others = Others { tsa_roots, witnesses: wanted.witnesses.clone(), quorum: None, ..Others::default() };
    let first = forge.seals[0].statement.segments.iter().find(|s| s.class == "standard").unwrap().key.clone();
    let at = RecordAt { seal: 0, segment: first, leaf_index: 0, rotations: vec![] };
    // Cosigned or stamped first, and later once more: tree size, cosignatures, tokens.
    for (cosigned, stamped, expected) in [
        (&[2, 6][..], &[4][..], (3, 1, 0)),
        (&[4], &[2, 6], (5, 1, 0)),
        (&[2, 4], &[4], (5, 1, 1)),
        (&[4], &[2, 4], (5, 1, 1)),
        (&[4], &[4], (5, 1, 1)),
    ] {
        let forge = forge.copy();
        for seal in cosigned {
            put(&forge, *seal, &text(&forge, usize::try_from(*seal).unwrap()), &[&one]).await;
        }
        for seal in stamped {
            stamp(&forge, *seal).await;
        }
        let bundle = prove_published(&forge.store, LOG, &[], (&key, &wanted), &at).await.unwrap().bundle;
        let found = (bundle.log.size.0, bundle.cosignatures.len(), bundle.timestamps.len());
        assert_eq!(found, expected, "cosigned {cosigned:?}, stamped {stamped:?}");
        let report = check_with(&bundle.to_bytes(), &key, &others, UnixSeconds(NOW + 100));
        // Both are asked for.
        let verdict = if expected.2 > 0 { Verdict::Verified } else { Verdict::Unchecked };
        assert_eq!(report.verdict, verdict, "cosigned {cosigned:?}, stamped {stamped:?}: {}", report.to_text());
    }
}

/// Clocks that contradict each other are noted, and what was seen counts.
#[tokio::test]
async fn a_witness_with_another_time_is_noted() {
    for (at, noted) in [(NOW + 2 - 300, false), (NOW + 2 - 301, true), (NOW + 100 + 300, false), (NOW + 100 + 301, true)] {
        let forge = honest(Locks::Enforced).await;
        let text = text(&forge, 2);
        put_note(&forge, 2, format!("{text}\n{}", witness(1).cosign(&text, UnixSeconds(at)).unwrap())).await;
        let report = seen(&forge, &[1], None).await;
        assert_eq!((report.verdict, notes(&report).contains(&"cosigned_time")), (Verdict::Verified, noted), "{at}: {}", report.to_text());
    }
}

/// Millions of planted objects neither hide the finding nor fill the memory.
#[tokio::test]
async fn planted_cosignatures_are_bounded() {
    let forge = honest(Locks::Enforced).await;
    for n in 0..70 {
        put_note(&forge, 2, format!("planted {n}")).await;
    }
    let report = seen(&forge, &[1], None).await;
    assert_eq!(kinds(&report).iter().filter(|kind| **kind == "flooded").count(), 1, "{}", report.to_text());
    assert_eq!(kinds(&report).len(), 65);
}

/// Every record of every seal of a log of 40, below every later cosigned checkpoint: the bundle takes the first that the wanted witnesses
/// cosigned, and it checks; without any it is the seal's own.
#[tokio::test]
async fn a_proof_stands_below_the_first_checkpoint_that_was_cosigned() {
    let mut forge = Forge::new(Locks::None).await;
    for n in 0..40 {
        forge.seal(&[Segment::of("standard", lines(n, 1))], |_| {}).await;
    }
    let key = forge.signer.verifier().clone();
    let one = witness(1);
    let prove = async |forge: &Forge, seal: usize, wanted: &Wanted| {
        let segment = forge.seals[seal].statement.segments[0].key.clone();
        let at = RecordAt { seal: seal as u64, segment, leaf_index: 0, rotations: vec![] };
        prove_published(&forge.store, LOG, &[], (&key, wanted), &at).await.unwrap().bundle
    };
    let wanted = Wanted { witnesses: vec![one.public().clone()], quorum: None };
    assert_eq!(prove(&forge, 7, &wanted).await.log.size, TreeSize(8));
    // A stranger's comes first; it is taken only where nobody else's is.
    put(&forge, 20, &text(&forge, 20), &[&witness(2)]).await;
    assert_eq!(prove(&forge, 7, &wanted).await.log.size, TreeSize(21));
    for cosigned in [39_u64, 38, 35, 31, 25] {
        put(&forge, cosigned, &text(&forge, usize::try_from(cosigned).unwrap()), &[&one]).await;
        for seal in 0..=usize::try_from(cosigned).unwrap() {
            let bundle = prove(&forge, seal, &wanted).await;
            assert_eq!((bundle.log.size, bundle.cosignatures.len()), (TreeSize(cosigned + 1), 1), "{seal} below {cosigned}");
            let report = check_with(
                &bundle.to_bytes(),
                &key,
                &Others { witnesses: vec![one.public().clone()], ..Others::default() },
                UnixSeconds(NOW + 100),
            );
            assert_eq!(report.verdict, Verdict::Verified, "{seal} below {cosigned}: {}", report.to_text());
            assert!(report.result.unwrap().is_published());
        }
    }
    // What is stored beside the seals and is not theirs does not spoil the proof.
    let forged = checkpoint_text(ORIGIN, TreeSize(6), RootHash(Hash([9; 32])));
    put(&forge, 5, &forged, &[&one]).await;
    assert_eq!(prove(&forge, 5, &wanted).await.log.size, TreeSize(26));
}

/// Scenario: the auditor is given, as a witness, a key that the log itself has later: nobody knows before the log is read. Guarantee: what it
/// signed is not counted, and is said to be the log's own.
#[tokio::test]
async fn a_later_key_of_the_log_is_no_witness() {
    let mut forge = honest(Locks::Enforced).await;
    let new = spanseal::tlog::note::NoteSigner::new(ORIGIN, &[7; 32]).unwrap();
    let before = forge.options();
    forge.turn_to(new).await;
    forge.seal(&[], |_| {}).await;
    forge.publish().await;
    let last = forge.seals.len() - 1;
    for (seed, own) in [(7, true), (8, false)] {
        let witness = Cosigner::new("witness.test/own", &[seed; 32]).unwrap();
        let copy = forge.copy();
        put(&copy, last as u64, &text(&forge, last), &[&witness]).await;
        let options = Options { witnesses: vec![witness.public().clone()], ..before.clone() };
        let report = verify(&copy.store, &options).await;
        let verdict = if own { Verdict::Unchecked } else { Verdict::Verified };
        assert_eq!((report.verdict, kinds(&report)), (verdict, vec![]), "{}", report.to_text());
        let up_to = report.logs[0].cosigned.as_ref().unwrap().up_to;
        assert_eq!(up_to, (!own).then_some(forge.seals.len() as u64), "{}", report.to_text());
        assert_eq!(report.to_text().contains("is a key of the log itself"), own, "{}", report.to_text());
    }
}

/// Scenario: somebody put a note with many lines of nobody before that of a witness. Guarantee: the proof has the line of the witness who was asked
/// for.
#[tokio::test]
async fn a_proof_finds_the_witness_among_many_lines() {
    let forge = honest(Locks::Enforced).await;
    let text = text(&forge, 3);
    let junk: Vec<String> = (0..100)
        .map(|n| Cosigner::new(&format!("a.test/{n}"), &[n; 32]).unwrap().cosign(&text, UnixSeconds(NOW + 4)).unwrap().to_string())
        .collect();
    let key = below(LOG, &cosignature_name(3, &"0".repeat(64)));
    forge.put(&key, format!("{text}\n{}", junk.concat())).await;
    put(&forge, 3, &text, &[&witness(1)]).await;
    let segment = forge.seals[0].statement.segments.iter().find(|s| s.class == "standard").unwrap().key.clone();
    let at = RecordAt { seal: 0, segment, leaf_index: 0, rotations: vec![] };
    let wanted = Wanted { witnesses: vec![witness(1).public().clone()], quorum: None };
    let bundle = prove_published(&forge.store, LOG, &[], (forge.signer.verifier(), &wanted), &at).await.unwrap().bundle;
    assert!(bundle.cosignatures.iter().any(|line| line.contains("w.test/1")), "{}", bundle.cosignatures.len());
}

/// Guarantee: a proof of one record is held against the checkpoint that the auditor kept: of this tree, and of another of the same size, which is a
/// fork that nothing else makes good.
#[tokio::test]
async fn a_proof_of_one_record_is_held_to_what_was_kept() {
    let forge = honest(Locks::Enforced).await;
    put(&forge, 3, &text(&forge, 3), &[&witness(1)]).await;
    let segment = forge.seals[0].statement.segments.iter().find(|s| s.class == "standard").unwrap().key.clone();
    let at = RecordAt { seal: 0, segment, leaf_index: 0, rotations: vec![] };
    let witnesses = vec![witness(1).public().clone()];
    let wanted = Wanted { witnesses: witnesses.clone(), quorum: None };
    let bundle = prove_published(&forge.store, LOG, &[], (forge.signer.verifier(), &wanted), &at).await.unwrap().bundle;
    let own = UnverifiedCheckpoint::parse(&bundle.checkpoint).unwrap().checkpoint;
    for (root, verdict) in [(own.root, Verdict::Verified), (RootHash(Hash([9; 32])), Verdict::Findings)] {
        let kept = Some(UnverifiedCheckpoint::parse(&forge.signer.checkpoint(own.size, root)).unwrap());
        let others = Others { witnesses: witnesses.clone(), kept, ..Others::default() };
        let report = check_with(&bundle.to_bytes(), forge.signer.verifier(), &others, UnixSeconds(NOW + 100));
        let text = report.to_text();
        assert_eq!(report.verdict, verdict, "{text}");
        assert_eq!(text.contains("Published:"), verdict == Verdict::Verified, "{text}");
        assert_eq!(text.contains("shown alike to everyone"), verdict == Verdict::Findings, "{text}");
    }
}

/// Scenario: the log changed its key; a record that was sealed after that is proved, under a checkpoint that a witness has seen later. Guarantee: the
/// proof has the cosignature, though parts of the tree before end with seals of the older key.
#[tokio::test]
async fn a_proof_after_a_change_of_key_has_its_cosignature() {
    let mut forge = honest(Locks::Enforced).await;
    let old = forge.signer.verifier().clone();
    let new = spanseal::tlog::note::NoteSigner::new(ORIGIN, &[7; 32]).unwrap();
    forge.turn_to(new).await;
    let first = forge.seals.len() as u64;
    forge.seal(&[Segment::of("standard", lines(70, 2))], |_| {}).await;
    forge.seal(&[], |_| {}).await;
    forge.seal(&[], |_| {}).await;
    forge.publish().await;
    let last = forge.seals.len() - 1;
    put(&forge, last as u64, &text(&forge, last), &[&witness(1)]).await;
    let segment = forge.seals[first as usize].statement.segments[0].key.clone();
    let at = RecordAt { seal: first, segment, leaf_index: 0, rotations: vec![] };
    let wanted = Wanted { witnesses: vec![witness(1).public().clone()], quorum: None };
    let keys = [(0, old), (first, forge.signer.verifier().clone())];
    for (keys, cosigned) in [(&keys[..], 1), (&[], 0)] {
        let bundle = prove_published(&forge.store, LOG, keys, (forge.signer.verifier(), &wanted), &at).await.unwrap().bundle;
        assert_eq!(bundle.cosignatures.len(), cosigned, "with {} keys", keys.len());
        assert!(bundle.check(forge.signer.verifier(), UnixSeconds(NOW + 100)).is_ok());
    }
}

/// Scenario: a cosignature is deleted, and nothing but the marker is left, before the date of its lock and after. Guarantee: what is gone before its
/// time is found, and after it that is housekeeping.
#[tokio::test]
async fn a_cosignature_may_go_after_its_date() {
    let forge = honest(Locks::Enforced).await;
    put(&forge, 2, &text(&forge, 2), &[&witness(1)]).await;
    let key = put(&forge, 2, &text(&forge, 2), &[&witness(2)]).await;
    forge.store.purge(&key, None);
    forge.store.delete(&key);
    for (after, found, note) in [(86_400 * 180 - 1, vec!["cosignature_broken"], None), (86_400 * 180, vec![], Some("marker_past_date"))] {
        let report = verify(&forge.store, &Options { now: UnixSeconds(NOW + after), ..forge.options() }).await;
        assert_eq!(kinds(&report), found, "{after}: {}", report.to_text());
        assert!(note.is_none_or(|note| notes(&report).contains(&note)), "{after}: {}", report.to_text());
    }
}

/// Scenario: beside a seal lie notes over other trees and none over its own; a witness cosigned a later one. Guarantee: the proof is of what was
/// cosigned, with the lines over just that text, and without those of the log itself.
#[tokio::test]
async fn a_proof_takes_no_line_over_another_tree() {
    let forge = honest(Locks::Enforced).await;
    let other = checkpoint_text(ORIGIN, TreeSize(3), RootHash(Hash([9; 32])));
    put(&forge, 2, &other, &[&witness(3)]).await;
    put(&forge, 3, &text(&forge, 3), &[&witness(1)]).await;
    put(&forge, 3, &other, &[&witness(3)]).await;
    let own = format!("{}\n{}", text(&forge, 3), forge.signer.signature_line(&text(&forge, 3)));
    put_note(&forge, 3, own).await;
    let segment = forge.seals[0].statement.segments.iter().find(|s| s.class == "standard").unwrap().key.clone();
    let at = RecordAt { seal: 0, segment, leaf_index: 0, rotations: vec![] };
    for witnesses in [vec![], vec![witness(1).public().clone()]] {
        let wanted = Wanted { witnesses, quorum: None };
        let bundle = prove_published(&forge.store, LOG, &[], (forge.signer.verifier(), &wanted), &at).await.unwrap().bundle;
        assert_eq!((&bundle.checkpoint, bundle.cosignatures.len()), (&forge.seals[3].checkpoint, 1), "{:?}", bundle.cosignatures);
        assert!(bundle.cosignatures[0].contains("w.test/1"), "{:?}", bundle.cosignatures);
    }
}

/// Guarantee: the report says of what it does not know whether it was shown alike to everyone: all, or what lies behind what was kept or cosigned.
#[tokio::test]
async fn what_may_have_been_shown_otherwise_is_told() {
    let forge = honest(Locks::Enforced).await;
    let ends = |report: &Report, part: &str| {
        let text = report.to_text();
        let last = text.lines().next_back().unwrap_or_default().to_owned();
        assert!(last.starts_with("Not covered: ") && last.ends_with(part), "{part}: {text}");
    };
    ends(&forge.verify().await, "whether the log was shown alike to everyone (that needs a cosignature or a checkpoint you kept).");
    ends(
        &seen(&forge, &[1], None).await,
        "whether the log was shown alike to everyone (that needs a cosignature or a checkpoint you kept).",
    );
    let since = Some(UnverifiedCheckpoint::parse(&forge.seals[1].checkpoint).unwrap());
    let report = verify(&forge.store, &Options { since, ..forge.options() }).await;
    ends(&report, "whether what lies behind the checkpoint that you kept was shown alike to everyone (that needs a cosignature).");
    put(&forge, 3, &text(&forge, 3), &[&witness(1)]).await;
    ends(&seen(&forge, &[1], None).await, "whether what lies behind the last cosignature was shown alike to everyone.");
}

/// Scenario: a key that the log has left is given for a witness, and the log is read from a checkpoint on that was kept, so that no seal which is read
/// shows the key. Guarantee: what `log.json`, the published checkpoint or the kept one show of it counts; and what is not known is said.
#[tokio::test]
async fn an_earlier_key_of_the_log_is_no_witness_of_a_part() {
    let mut forge = honest(Locks::Enforced).await;
    for seed in [7, 8] {
        forge.turn_to(spanseal::tlog::note::NoteSigner::new(ORIGIN, &[seed; 32]).unwrap()).await;
        forge.seal(&[Segment::of("standard", lines(u64::from(seed) * 10, 1))], |_| {}).await;
    }
    for _ in 0..2 {
        forge.seal(&[], |_| {}).await;
    }
    forge.publish().await;
    let last = forge.seals.len() - 1;
    // From the newest key on: what is kept is signed by it alone, or by it and the one before.
    let kept = |seal: usize| Some(UnverifiedCheckpoint::parse(&forge.seals[seal].checkpoint).unwrap());
    let unknown = "is a key that the log itself had before seal";
    for (what, seed, since, own, said) in [
        ("the first, by log.json", 3, kept(last - 1), true, false),
        ("one in between, that nothing shows", 7, kept(last - 1), false, true),
        ("one in between, read from the beginning", 7, None, true, false),
        ("somebody else", 9, kept(last - 1), false, true),
        ("somebody else, read from the beginning", 9, None, false, false),
    ] {
        let copy = forge.copy();
        let witness = Cosigner::new("witness.test/own", &[seed; 32]).unwrap();
        put(&copy, last as u64, &text(&forge, last), &[&witness]).await;
        let options = Options { witnesses: vec![witness.public().clone()], since, resume: true, ..forge.options() };
        let report = verify(&copy.store, &options).await;
        let verdict = if own { Verdict::Unchecked } else { Verdict::Verified };
        assert_eq!((report.verdict, kinds(&report)), (verdict, vec![]), "{what}: {}", report.to_text());
        assert_eq!(report.to_text().contains("is a key of the log itself, which"), own, "{what}: {}", report.to_text());
        assert_eq!(report.to_text().contains(unknown), said, "{what}: {}", report.to_text());
    }
    // Behind a part: the published checkpoint shows the newest key.
    for (seed, own) in [(8, true), (9, false)] {
        let copy = forge.copy();
        let witness = Cosigner::new("witness.test/own", &[seed; 32]).unwrap();
        put(&copy, 2, &text(&forge, 2), &[&witness]).await;
        let pinned = vec![spanseal::tlog::note::NoteSigner::new(ORIGIN, &[3; 32]).unwrap().verifier().clone()];
        let options = Options { pinned, witnesses: vec![witness.public().clone()], to: Some(Bound::Seal(2)), ..forge.options() };
        let report = verify(&copy.store, &options).await;
        let text = report.to_text();
        assert_eq!(text.contains("is a key of the log itself, which"), own, "{text}");
        assert_eq!(text.contains("that the log itself had behind this part is not known"), !own, "{text}");
    }
}

/// Scenario: nobody cosigned, and junk lies below very many seals that are not there. Guarantee: so many are looked at and no more, which is said where
/// something is left.
#[tokio::test]
async fn not_all_that_lies_behind_a_log_is_looked_at_for_a_proof() {
    let forge = honest(Locks::Enforced).await;
    let segment = forge.seals[0].statement.segments.iter().find(|s| s.class == "standard").unwrap().key.clone();
    let at = RecordAt { seal: 0, segment, leaf_index: 0, rotations: vec![] };
    for n in 0..=1000 {
        if n == 1000 {
            let made = prove_published(&forge.store, LOG, &[], (forge.signer.verifier(), &Wanted::default()), &at).await.unwrap();
            assert_eq!(made.left_out, None);
        }
        forge.put(&below(LOG, &cosignature_name(4 + n, &"0".repeat(16))), "junk").await;
    }
    let made = prove_published(&forge.store, LOG, &[], (forge.signer.verifier(), &Wanted::default()), &at).await.unwrap();
    assert!(made.left_out.is_some_and(|why| why.contains("cosignatures/00000000000000001004/")), "the first that was not looked at");
}

/// Scenario: somebody put very many objects beside a seal, under names that come before that of a witness's. Guarantee: the proof has the witness's line
/// all the same; where there are more than are read, that is said, and a later checkpoint that the witness cosigned is taken.
#[tokio::test]
async fn a_proof_finds_the_witness_behind_many_objects() {
    let forge = honest(Locks::Enforced).await;
    let segment = forge.seals[0].statement.segments.iter().find(|s| s.class == "standard").unwrap().key.clone();
    let at = RecordAt { seal: 0, segment, leaf_index: 0, rotations: vec![] };
    let wanted = Wanted { witnesses: vec![witness(1).public().clone()], quorum: None };
    let made = async |forge: &Forge, wanted: &Wanted| {
        prove_published(&forge.store, LOG, &[], (forge.signer.verifier(), wanted), &at).await.unwrap()
    };
    let note = |seal: usize, by: u8, at: i64| {
        format!("{0}\n{1}", text(&forge, seal), witness(by).cosign(&text(&forge, seal), UnixSeconds(at)).unwrap())
    };
    for (junk, found) in [(0, true), (65, true), (999, true), (1000, false)] {
        let forge = forge.copy();
        for n in 0..junk {
            forge.put(&below(LOG, &cosignature_name(2, &format!("{n:016x}"))), format!("junk {n}")).await;
        }
        forge.put(&below(LOG, &cosignature_name(2, &"f".repeat(16))), note(2, 1, NOW + 9)).await;
        let one = made(&forge, &wanted).await;
        let size = if found { TreeSize(3) } else { TreeSize(1) };
        assert_eq!((one.bundle.cosignatures.len(), one.bundle.log.size), (usize::from(found), size), "{junk}");
        assert_eq!(
            one.left_out.is_some_and(|why| why.contains("log/cosignatures/00000000000000000002/ffffffffffffffff.note")),
            !found,
            "{junk}"
        );
        let end = End { seal: 0, segment: at.segment.clone(), leaf_index: LeafIndex(0) };
        let key = forge.signer.verifier().clone();
        let wish = RangeWish {
            keys: vec![(0, key.clone())],
            start: key,
            rotations: vec![],
            ends: None,
            show: Show::These(vec![end]),
            incomplete: None,
        };
        let several = prove_range(&forge.store, LOG, &wish, &wanted).await.unwrap();
        assert_eq!((several.bundle.cosignatures.len(), several.left_out.is_some()), (usize::from(found), !found), "{junk}");
        // Nobody was asked for by name: whoever is there.
        assert_eq!(made(&forge, &Wanted::default()).await.left_out.is_some(), !found, "{junk}");
        // The witness has seen more since: nothing is missed.
        forge.put(&below(LOG, &cosignature_name(3, &"0".repeat(16))), note(3, 1, NOW + 10)).await;
        let later = made(&forge, &wanted).await;
        assert_eq!((later.bundle.cosignatures.len(), later.left_out), (1, None), "{junk}");
    }
    // Of a witness who said it twice, the first time: it says the most. Another seal's key in the listing is no cosignature, and no witness's line that
    // does not verify is handed on.
    let twice = forge.copy();
    let strange = note(2, 1, NOW + 9).replace(ORIGIN, "spanseal.test/elsewhere");
    let words = [
        ("1", note(2, 1, NOW + 20)),
        ("2", note(2, 1, NOW + 10)),
        ("3", note(2, 1, NOW + 15)),
        ("4", strange),
        ("5", note(2, 4, NOW + 10)),
        ("6", note(2, 4, NOW + 10) + note(2, 4, NOW + 10).rsplit_once("\n\n").unwrap().1),
        ("7", note(2, 2, NOW + 10)),
    ];
    for (name, body) in words {
        twice.put(&below(LOG, &cosignature_name(2, &name.repeat(16))), body).await;
    }
    for stray in ["cosignatures/00000000000000000002/1stray", "cosignatures/00000000000000000001.stray"] {
        twice.put(&below(LOG, stray), note(2, 3, NOW + 10)).await;
    }
    let both = Wanted { witnesses: [1, 2].map(|n| witness(n).public().clone()).to_vec(), quorum: None };
    let made = made(&twice, &both).await.bundle;
    let times: Vec<_> = check_with(
        &made.to_bytes(),
        twice.signer.verifier(),
        &Others { witnesses: both.witnesses, ..Others::default() },
        UnixSeconds(NOW + 100),
    )
    .result
    .unwrap()
    .seen
    .iter()
    .map(|seen| (seen.name.clone(), seen.at.0))
    .collect();
    assert_eq!((made.cosignatures.len(), times), (3, vec![("w.test/1".to_owned(), NOW + 10), ("w.test/2".to_owned(), NOW + 10)]));
}
