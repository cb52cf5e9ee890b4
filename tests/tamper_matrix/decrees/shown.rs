//! What is on record is shown to be the log's own word, or is said to be unchecked: where part of it was not read, where it was changed, where
//! strangers wrote, where the key changed, and where the log goes on meanwhile.

use spanseal::tlog::note::NoteSigner;
use spanseal::worm::{Condition, checkpoint_key};

use super::*;
use crate::support::forge::ORIGIN;

const SAID: &str = "which holds and extensions are in force: ";

fn said(report: &Report, why: &str) -> bool {
    report.notes.iter().any(|note| note.kind.as_str() == "unchecked" && note.meaning.contains(&format!("{SAID}{why}")))
}

/// Takes the hold `LH-1` off the objects, and has its release sealed.
async fn release(forge: &mut Forge) {
    for key in [forge.segment_key(HELD), seal_key(LOG, HELD as u64)] {
        hold(forge, &key, false).await;
    }
    forge.seal(&step(Step::Close, &decree("LH-1", Order::Hold), vec![], &[]), |_| {}).await;
    forge.publish().await;
}

fn high_risk(lines: Vec<Vec<u8>>) -> Segment {
    Segment::of("high-risk", lines)
}

fn entry(of: &Decree, step: Step, open: &[&Decree]) -> Vec<u8> {
    decreed(&Entry { step, of: of.clone(), segments: vec![], open: open.iter().map(|d| (*d).clone()).collect() })
}

/// Scenario: nothing is open any more, and the records of an older decree are gone before their date, or were changed, outside the part that is
/// looked at. Guarantee: they are not passed over as if they had gone as planned.
#[tokio::test]
async fn records_that_were_taken_away_are_not_gone_as_planned() {
    for seal in DECREES {
        let mut forge = whole().await;
        release(&mut forge).await;
        let key = forge.segment_key(seal);
        let part = |now| Options { from: Some(Bound::Seal(12)), now, ..options(&forge) };
        assert_all("untouched", &verify(&forge.store, &part(PAST)).await, vec![], 0);
        let changed = forge.copy();
        changed.store.flip_byte(&key, None, 30);
        let report = verify(&changed.store, &part(PAST)).await;
        assert_all(&format!("{seal} changed"), &report, vec![], 2);
        assert!(said(&report, "the stored bytes are not those that were sealed"), "{seal}: {}", report.to_text());
        forge.store.purge(&key, None);
        let early = Options { from: Some(Bound::Seal(12)), now: UnixSeconds(NOW + 100), ..options(&forge) };
        let report = verify(&forge.store, &early).await;
        assert_all(&format!("{seal} gone before its date"), &report, vec![], 2);
        assert!(said(&report, "the segment is gone"), "{seal}: {}", report.to_text());
        let gone = Options { now: PAST, ..early };
        assert_all(&format!("{seal} gone since"), &verify(&forge.store, &gone).await, vec![], 0);
    }
    // Whose bytes lie there once more, in another version, is whole.
    let forge = whole().await;
    let key = forge.segment_key(11);
    let bytes = forge.store.get(&key, None, u64::MAX).await.unwrap().unwrap();
    forge.store.purge(&key, None);
    let foreign = bytes.iter().map(|byte| byte ^ 1).collect::<Vec<_>>();
    forge.store.put(&key, foreign.into(), Condition::Any, Some(lock())).await.unwrap();
    forge.store.put(&key, bytes, Condition::Any, Some(lock())).await.unwrap();
    let report = verify(&forge.store, &Options { from: Some(Bound::Seal(12)), ..options(&forge) }).await;
    assert_all("another version", &report, vec![], 0);
}

/// Scenario: the seal of a decree's record names a further segment, of another class, which is gone since its date. Guarantee: the records were all
/// read, and nothing is said to be unknown.
#[tokio::test]
async fn what_else_a_seal_of_a_decree_names_may_go_before() {
    let mut forge = whole().await;
    let first = decree("LH-1", Order::Hold);
    let segments = [Segment::of("standard", lines(90, 2)), high_risk(vec![entry(&first, Step::Apply, &[&first])])];
    forge.seal(&segments, |_| {}).await;
    keep(&forge, 13).await;
    forge.publish().await;
    let other = forge.seals[13].statement.segments.iter().find(|s| s.class == "standard").unwrap().key.clone();
    forge.store.purge(&at(&other), None);
    let report = verified(&forge).await;
    assert_all("gone", &report, vec![], 0);
    assert_eq!(notes(&report), ["segment_expired"], "{}", report.to_text());
}

/// Scenario: beside an entry stands one of a newer format, or records of a newer schema, which may have released anything. Guarantee: no hold is
/// demanded that may be over, and what was not understood is said.
#[tokio::test]
async fn what_may_have_been_released_is_not_demanded() {
    let first = decree("LH-1", Order::Hold);
    let newer = |text: Vec<u8>, from: &str, to: &str| String::from_utf8(text).unwrap().replace(from, to).into_bytes();
    let format = decree_text(
        "hold",
        &Entry { step: Step::Open, of: first.clone(), segments: vec![], open: vec![] }.to_text().replace("decrees/1", "decrees/2"),
    );
    let schema = newer(entry(&first, Step::Close, &[]), "record/1", "record/2");
    let applied = entry(&first, Step::Apply, &[&first]);
    for (name, lines, why) in [
        ("a newer format", vec![applied.clone(), format], "line 1 has format `spanseal.decrees/2`"),
        ("a newer schema", vec![schema.clone()], "it holds records of a schema that this version does not know"),
    ] {
        let mut forge = whole().await;
        for key in [forge.segment_key(HELD), seal_key(LOG, HELD as u64)] {
            hold(&forge, &key, false).await;
        }
        forge.seal(&[high_risk(lines)], |_| {}).await;
        forge.publish().await;
        let report = spanseal::verify::verify(&forge.store, &options(&forge)).await;
        assert_all(name, &report, vec![], 2);
        assert!(said(&report, why), "{name}: {}", report.to_text());
    }
    // What is understood beside records of a newer schema counts.
    let mut forge = whole().await;
    forge.seal(&[high_risk(vec![applied, schema])], |_| {}).await;
    keep(&forge, 13).await;
    forge.publish().await;
    assert_all("both", &spanseal::verify::verify(&forge.store, &options(&forge)).await, vec![], 0);
}

/// Scenario: an intruder puts a seal of his own making behind the end, which says that no hold was ever placed. Guarantee: it shows nobody where
/// the record of decrees begins: what the hold keeps is missed.
#[tokio::test]
async fn a_strangers_seal_does_not_hide_what_is_on_record() {
    let forge = whole().await;
    forge.store.purge(&forge.segment_key(HELD), None);
    let lost = lost("segment_missing", forge.seals[HELD].statement.segments[0].key.clone(), HELD);
    for published in [true, false] {
        let mut stranger = forge.copy();
        stranger.signer = NoteSigner::new(ORIGIN, &[9; 32]).unwrap();
        stranger.seal(&[], |s| s.decrees = None).await;
        if published {
            stranger.put(&checkpoint_key(LOG), stranger.seals[13].checkpoint.clone()).await;
        }
        let mut expected = vec![lost.clone(), intact("seal_foreign", seal_object(13), 13)];
        expected.extend(published.then(|| intact("checkpoint_invalid", "checkpoint", None)));
        let report = spanseal::verify::verify(&stranger.store, &options(&forge)).await;
        assert_all(&format!("published: {published}"), &report, expected, 1);
        // A checkpoint by nobody who is known may be the log's newest.
        assert_eq!(notes(&report).contains(&"unchecked"), published, "{}", report.to_text());
    }
    // What is no seal at all is none either, nor is one of another index.
    for body in [b"{}".to_vec(), forge.seals[12].to_bytes().unwrap()] {
        let planted = forge.copy();
        planted.store.overwrite_foreign(&seal_key(LOG, 13), body);
        let report = spanseal::verify::verify(&planted.store, &options(&forge)).await;
        assert_all("planted", &report, vec![lost.clone(), intact("seal_foreign", seal_object(13), 13)], 1);
    }
}

/// Scenario: no key of the seals is known beforehand: `log.json` is gone, and the auditor has the key that the log changed to. Guarantee: the record is
/// found and kept to all the same.
#[tokio::test]
async fn decrees_are_found_without_a_key_known_before() {
    let mut forge = whole().await;
    let old = NoteSigner::new(ORIGIN, &[3; 32]).unwrap();
    announce(&mut forge).await;
    forge.seal(&[], |_| {}).await;
    forge.publish().await;
    for signer in [&old, &forge.signer] {
        let pinned = Options { pinned: vec![signer.verifier().clone()], ..options(&forge) };
        assert_all("whole", &spanseal::verify::verify(&forge.store, &pinned).await, vec![], 0);
    }
    // With the first key all is found by following the log; with the later one alone nothing leads back to what is on record, and that is said.
    let without = forge.copy();
    without.store.purge(&spanseal::worm::log_key(LOG), None);
    without.store.purge(&forge.segment_key(HELD), None);
    let read = async |signer: &NoteSigner| {
        let pinned = Options { pinned: vec![signer.verifier().clone()], ..options(&forge) };
        spanseal::verify::verify(&without.store, &pinned).await
    };
    let report = read(&old).await;
    let lost = lost("segment_missing", forge.seals[HELD].statement.segments[0].key.clone(), HELD);
    assert_all("the first key", &report, vec![lost, intact("log_file", "log.json", None)], 1);
    assert!(!report.to_text().contains(SAID), "{}", report.to_text());
    assert!(said(&read(&forge.signer).await, "this seal is signed by a key to which"));
    // A part before the change of key, whose seals do not lead to the key of the newest one.
    let part = Options { to: Some(Bound::Seal(3)), pinned: vec![old.verifier().clone()], ..options(&forge) };
    let report = verify(&forge.store, &part).await;
    assert_all("a part", &report, vec![], 2);
    assert!(said(&report, "this seal is signed by a key to which the seals that were looked at do not lead"), "{}", report.to_text());
}

/// Scenario: neither a checkpoint nor `log.json` shows where to begin, the auditor has the key that the log changed to, and asks for one seal. Guarantee:
/// the record behind it is found from the first seal on, whosever that is, and what it keeps is missed; what lies before a true seal leads nobody
/// astray, nor around in a ring.
#[tokio::test]
async fn decrees_are_found_from_a_beginning_that_nobody_vouches_for() {
    let mut forge = whole().await;
    announce(&mut forge).await;
    forge.seal(&[], |_| {}).await;
    forge.seal(&[Segment::of("standard", lines(90, 2))], |_| {}).await;
    let (first, id) = (decree("LH-1", Order::Hold), forge.segment_id(15, "standard"));
    forge.seal(&step(Step::Apply, &first, vec![id], &[&first]), |_| {}).await;
    keep(&forge, 16).await;
    forge.seal(&[], |_| {}).await;
    for key in [spanseal::worm::log_key(LOG), checkpoint_key(LOG), forge.segment_key(15)] {
        forge.store.purge(&key, None);
    }
    hold(&forge, &seal_key(LOG, 15), true).await;
    let one = Some(Bound::Seal(15));
    let lost =
        || vec![lost("segment_missing", forge.seals[15].statement.segments[0].key.clone(), 15), intact("log_file", "log.json", None)];
    // Whoever asks for one seal has the first key of those that are here, or the last.
    for planted in [None, Some(1), Some(12)] {
        let store = forge.store.copy();
        for index in [3, 7].into_iter().filter(|_| planted.is_some()) {
            let key = seal_key(LOG, index);
            store.purge(&key, None);
            for seal in planted.into_iter().chain([index as usize]) {
                store.put(&key, forge.seals[seal].to_bytes().unwrap().into(), Condition::Any, Some(lock())).await.unwrap();
            }
        }
        let report = spanseal::verify::verify(&store, &Options { from: one, to: one, ..options(&forge) }).await;
        assert_all(&format!("{planted:?}"), &report, lost(), 1);
    }
}

/// Makes seal 13 announce another key.
async fn announce(forge: &mut Forge) {
    forge.turn_to(NoteSigner::new(ORIGIN, &[4; 32]).unwrap()).await;
}

/// The same of a log that names no decree: there is nothing that the newest seal could have kept, but where something is gone.
#[tokio::test]
async fn a_part_of_a_log_without_decrees_needs_no_later_key() {
    let old = NoteSigner::new(ORIGIN, &[3; 32]).unwrap();
    let mut forge = Forge::new(Locks::Enforced).await;
    for n in 0..3 {
        forge.seal(&[Segment::of("standard", lines(2 * n, 2))], |_| {}).await;
    }
    announce(&mut forge).await;
    forge.seal(&[], |_| {}).await;
    forge.publish().await;
    let part = Options { to: Some(Bound::Seal(1)), pinned: vec![old.verifier().clone()], ..options(&forge) };
    let report = verify(&forge.store, &part).await;
    assert_all("nothing gone", &report, vec![], 0);
    assert!(!report.to_text().contains(SAID), "{}", report.to_text());
    forge.store.purge(&forge.segment_key(1), None);
    let report = verify(&forge.store, &part).await;
    assert_all("gone", &report, vec![], 2);
    assert!(said(&report, "this seal is signed by a key to which the seals that were looked at do not lead"), "{}", report.to_text());
}

/// Scenario: the published checkpoint was taken back to before the log changed its key, once or twice, with seals in between. Guarantee: the newest seal is
/// led to, and what is on record is known.
#[tokio::test]
async fn an_old_checkpoint_leads_over_changes_of_key() {
    let mut forge = whole().await;
    let first = forge.signer.verifier().clone();
    for seed in [4, 5] {
        forge.turn_to(NoteSigner::new(ORIGIN, &[seed; 32]).unwrap()).await;
        for _ in 0..5 {
            forge.seal(&[], |_| {}).await;
        }
        forge.publish().await;
        for size in [2, 9, forge.seals.len() - 2] {
            forge.put(&checkpoint_key(LOG), forge.seals[size - 1].checkpoint.clone()).await;
            let report = spanseal::verify::verify(&forge.store, &Options { pinned: vec![first.clone()], ..options(&forge) }).await;
            assert_all(&format!("{seed} {size}"), &report, vec![], 0);
        }
    }
}

/// Scenario: before the newest seal lies a version of it that the log's key signed, which extends nothing and names no decree. Guarantee: the look
/// before the walk rested on another seal than the one that stands, and that is said.
#[tokio::test]
async fn a_seal_that_was_shown_otherwise_before_is_said() {
    let forge = whole().await;
    let key = seal_key(LOG, NEWEST as u64);
    let truth = forge.store.get(&key, None, u64::MAX).await.unwrap().unwrap();
    let mut statement = forge.seals[NEWEST].statement.clone();
    (statement.decrees, statement.previous) = (None, Some(spanseal::tlog::LeafHash(spanseal::tlog::Hash([7; 32]))));
    let mut before = forge.copy();
    before.range = forge.seals[NEWEST].frontier.clone();
    let fork = before.sign(statement);
    forge.store.purge(&key, None);
    for bytes in [fork.to_bytes().unwrap().into(), truth] {
        forge.store.put(&key, bytes, Condition::Any, Some(lock())).await.unwrap();
    }
    let report = spanseal::verify::verify(&forge.store, &options(&forge)).await;
    assert_eq!(kinds(&report), ["fork"], "{}", report.to_text());
    assert!(said(&report, "the store showed another seal here when it was asked first"), "{}", report.to_text());
}

/// Scenario: the chain of the record leads around seals that hold one; or ends at a gap, behind which there are more. Guarantee: they are named as not
/// read, whenever they were made; but those that came while the log was read are not missed.
#[tokio::test]
async fn a_record_that_the_chain_does_not_lead_to_is_said() {
    const AROUND: &str = "it holds a record of one, to which the chain from the newest seal does not lead";
    for now in [PAST, UnixSeconds(NOW + 100)] {
        let mut forge = whole().await;
        forge.seal(&[], |s| s.decrees = Some(7)).await;
        forge.publish().await;
        let report = spanseal::verify::verify(&forge.store, &Options { now, ..options(&forge) }).await;
        assert_all(&format!("around, {now}"), &report, vec![intact("decrees_wrong", seal_object(13), 13)], 1);
        assert!(said(&report, AROUND), "{now}: {}", report.to_text());

        let forge = whole().await;
        forge.store.purge(&seal_key(LOG, 8), None);
        forge.store.purge(&checkpoint_key(LOG), None);
        // Where the search is led to seal 7, and its next steps meet the gap.
        forge.put(&checkpoint_key(LOG), forge.seals[7].checkpoint.clone()).await;
        for step in [9, 10, 11] {
            assert_eq!(forge.seals[step].statement.decrees, Some(step as u64));
        }
        let report = spanseal::verify::verify(&forge.store, &Options { now, ..options(&forge) }).await;
        assert_eq!(kinds(&report).iter().filter(|kind| **kind != "seal_missing").count(), 0, "{now}: {}", report.to_text());
        assert_eq!(said(&report, AROUND), now == PAST, "{now}: {}", report.to_text());
    }
}

/// Scenario: what is found because a hold is open, while the hold is released. Guarantee: what its release explains is no finding, and is noted; what
/// was gone before its date, or what an extension keeps still, is found all the same; and so is all of it where the release could not be read.
#[tokio::test]
async fn a_release_excuses_what_it_explains() {
    let missing = |forge: &Forge, seal: usize| lost("segment_missing", forge.seals[seal].statement.segments[0].key.clone(), seal);
    // Gone since its date.
    let forge = whole().await;
    forge.store.purge(&forge.segment_key(HELD), None);
    let report = read_while(&forge.copy(), options(&forge), true).await;
    assert_all("released", &report, vec![], 0);
    let note = report.notes.iter().find(|note| note.kind.as_str() == "segment_expired").unwrap();
    assert!(note.meaning.contains("was released while the log was read"), "{}", report.to_text());
    assert_eq!((note.evidence, note.seal), (None, Some(HELD as u64)));
    let report = read_while(&forge.copy(), options(&forge), false).await;
    assert_all("not released", &report, vec![missing(&forge, HELD)], 1);
    assert!(report.findings[0].meaning.contains("though a hold or an extension keeps it beyond its date"), "{}", report.to_text());
    // Before its date.
    let early = Options { now: UnixSeconds(NOW + 100), ..options(&forge) };
    let report = read_while(&forge.copy(), early, true).await;
    assert_all("early", &report, vec![missing(&forge, HELD)], 1);
    let (meaning, expected) = (&report.findings[0].meaning, report.findings[0].expected.as_ref().unwrap());
    assert!(meaning.contains("is gone before its time") && !expected.contains("LH-1"), "{}", report.to_text());
    // On hold and extended.
    let mut forge = whole().await;
    let first = decree("LH-1", Order::Hold);
    let both = vec![forge.segment_id(LONGER, "standard")];
    forge.seal(&step(Step::Apply, &first, both, &[&first]), |_| {}).await;
    keep(&forge, 13).await;
    forge.publish().await;
    for key in [forge.segment_key(LONGER), seal_key(LOG, LONGER as u64)] {
        hold(&forge, &key, true).await;
    }
    assert_all("both", &read_while(&forge.copy(), options(&forge), false).await, vec![], 0);
    forge.store.purge(&forge.segment_key(LONGER), None);
    assert_all("extended", &read_while(&forge.copy(), options(&forge), true).await, vec![missing(&forge, LONGER)], 1);
    // The release cannot be read.
    let forge = whole().await;
    for key in [forge.segment_key(HELD), seal_key(LOG, HELD as u64)] {
        hold(&forge, &key, false).await;
    }
    forge.store.fail_reads(forge.segment_key(11).as_str(), 1000);
    let report = read_while(&forge, options(&forge), true).await;
    assert_eq!(kinds(&report), Vec::<&str>::new(), "what is open was not known from the start: {}", report.to_text());
    assert_eq!(report.verdict, Verdict::Unchecked, "{}", report.to_text());
}

/// Scenario: the record was read before the walk, and cannot be read again when it is over. Guarantee: what a hold kept by then is not excused.
#[tokio::test]
async fn what_cannot_be_read_again_excuses_nothing() {
    let forge = whole().await;
    for key in [forge.segment_key(HELD), seal_key(LOG, HELD as u64)] {
        hold(&forge, &key, false).await;
    }
    let seals = std::sync::atomic::AtomicU64::new(0);
    let fail = |_: &spanseal::verify::Progress<'_>| {
        if seals.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            forge.store.fail_reads(forge.segment_key(11).as_str(), 1000);
        }
    };
    let report = spanseal::verify::verify(&forge.store, &Options { progress: Some(&fail), ..options(&forge) }).await;
    assert_eq!(kinds(&report), ["hold_missing", "hold_missing"], "{}", report.to_text());
}

/// Scenario: records of decrees are gone since their date, and an order placed since is open, or an extension. Guarantee: what came later is known, and
/// only a hold that the lost records may tell of keeps the log from being verified.
#[tokio::test]
async fn lost_records_leave_only_older_holds_open() {
    for (since, order, exit) in
        [(NOW + 3, Order::Hold, 2), (NOW + 4, Order::Hold, 2), (NOW + 5, Order::Hold, 0), (NOW + 3, Order::Extend(EXTENDED), 0)]
    {
        let mut forge = whole().await;
        let other = Decree { since: UnixSeconds(since), ..decree("X-1", order) };
        for key in [forge.segment_key(HELD), seal_key(LOG, HELD as u64)] {
            hold(&forge, &key, false).await;
        }
        forge.seal(&[high_risk(vec![entry(&decree("LH-1", Order::Hold), Step::Close, &[&other])])], |_| {}).await;
        forge.publish().await;
        // The oldest of them, of seal 4, which was sealed at NOW + 4.
        forge.store.purge(&forge.segment_key(4), None);
        let report = verified(&forge).await;
        assert_all(&format!("{since} {order:?}"), &report, vec![], exit);
        assert_eq!(said(&report, "records of the hold `X-1`"), exit == 2, "{since}: {}", report.to_text());
        assert_eq!(notes(&report).contains(&"not_covered"), exit == 0, "{since}: {}", report.to_text());
    }
}

/// Scenario: the record that a hold was released is gone since its date, and later ones say what is open: another hold, or an extension of the same
/// name. Guarantee: a hold that is not open any more is not demanded.
#[tokio::test]
async fn a_hold_that_is_not_open_any_more_is_not_demanded() {
    let first = decree("LH-1", Order::Hold);
    let namesake = decree("LH-2", Order::Extend(EXTENDED));
    for open in [vec![&first], vec![&first, &namesake]] {
        let mut forge = whole().await;
        forge.seal(&[high_risk(vec![entry(&first, Step::Apply, &open)])], |_| {}).await;
        keep(&forge, 13).await;
        forge.publish().await;
        forge.store.purge(&forge.segment_key(11), None);
        let report = verified(&forge).await;
        assert_all(&format!("{} open", open.len()), &report, vec![], 2);
        assert!(said(&report, "records of the hold `LH-1`"), "{}", report.to_text());
    }
}

/// A seal with two segments on hold by one decree demands it once, and a lock that extensions of both give it.
#[tokio::test]
async fn a_seal_is_kept_as_its_segments_are() {
    let mut forge = Forge::new(Locks::Enforced).await;
    forge.seal(&[], |_| {}).await;
    forge.seal(&[Segment::of("standard", lines(0, 2)), high_risk(lines(2, 2))], |_| {}).await;
    let first = decree("LH-1", Order::Hold);
    let mut ids: Vec<SegmentId> = ["standard", "high-risk"].map(|class| forge.segment_id(1, class)).to_vec();
    ids.sort();
    forge.seal(&step(Step::Open, &first, vec![], &[&first]), |_| {}).await;
    forge.seal(&step(Step::Apply, &first, ids, &[&first]), |_| {}).await;
    for seal in [2, 3] {
        keep(&forge, seal).await;
    }
    forge.publish().await;
    let report = verified(&forge).await;
    let seal = report.findings.iter().find(|f| f.object == seal_object(1)).unwrap_or_else(|| panic!("{}", report.to_text()));
    assert_eq!((seal.kind.as_str(), seal.expected.as_deref()), ("hold_missing", Some("legal hold by `LH-1`")));
    assert_eq!(kinds(&report), ["hold_missing"; 3], "{}", report.to_text());
}
