//! Promise: a bundle of several records proves that each is sealed, and, where it has two ends, how much the log sealed between them; whoever
//! leaves something out, puts something in or changes the order is refused, by our verifier and by the second one alike.

mod command;
mod refused;
mod turned;

use base64::Engine as _;
use serde_json::Value;
use spanseal::clock::UnixSeconds;
use spanseal::tlog::LeafIndex;
use spanseal::tlog::cosignature::Cosigner;
use spanseal::tlog::note::{UnverifiedCheckpoint, VerifierKey};
use spanseal::tlog::seal_file::Statement;
use spanseal::tlog::{Hash, LeafHash};
use spanseal::verify::{
    CheckReport, End, Others, ProveError, RangeBundle, RangeProved, RangeWish, Show, Verdict, Wanted, check_range_with, prove_range,
};
use spanseal::worm::{Locks, below, cosignature_name};

use crate::support::forge::{Forge, LOG, NOW, Segment, honest, line, lines};
use crate::support::second::check_range;

/// Seven seals: 0 standard 3 lines and the configuration's, 1 nothing, 2 high-risk 2 and standard 2, 3 standard 5, 4 nothing, 5 high-risk 3 and
/// standard 8, 6 standard 1.
async fn log() -> Forge {
    let mut forge = honest(Locks::Enforced).await;
    forge.seal(&[], |_| {}).await;
    forge.seal(&[Segment::of("standard", lines(12, 8)), Segment::of("high-risk", lines(20, 3))], |_| {}).await;
    forge.seal(&[Segment::of("standard", lines(23, 1))], |_| {}).await;
    forge
}

/// Places of lines: seal, class, line.
fn end(forge: &Forge, (seal, class, leaf): (usize, &str, u64)) -> End {
    let statement = &forge.seals[seal].statement;
    let segment = statement.segments.iter().find(|s| s.class == class).unwrap().key.clone();
    End { seal: statement.index, segment, leaf_index: LeafIndex(leaf) }
}

type Place = (usize, &'static str, u64);

fn wish(forge: &Forge, ends: Option<(Place, Place)>, show: Show) -> RangeWish {
    let key = forge.signer.verifier().clone();
    let ends = ends.map(|(from, to)| (end(forge, from), end(forge, to)));
    RangeWish { keys: vec![(0, key.clone())], start: key, rotations: vec![], ends, show, incomplete: None }
}

fn these(forge: &Forge, places: &[Place]) -> Show {
    Show::These(places.iter().map(|place| end(forge, *place)).collect())
}

async fn bundle(forge: &Forge, ends: Option<(Place, Place)>, show: Show) -> RangeBundle {
    prove_range(&forge.store, LOG, &wish(forge, ends, show), &Wanted::default()).await.unwrap().bundle
}

fn checked(forge: &Forge, bundle: RangeBundle) -> CheckReport<RangeProved> {
    check_range(&bundle.into_bytes(), forge.signer.verifier(), UnixSeconds(NOW + 100))
}

fn json(bundle: RangeBundle) -> Value {
    serde_json::from_slice(&bundle.into_bytes()).unwrap()
}

/// Pairs of records of the log as ends, with nothing, with everything and with one more record shown. Guarantee: what lies between is
/// counted as a plain walk over all lines counts it, and the second verifier counts the same.
#[tokio::test]
async fn what_is_between_is_counted() {
    let forge = log().await;
    let mut all: Vec<Place> = Vec::new();
    for (seal, class, count) in [
        (0, "standard", 3),
        (0, "zz-own", 1),
        (2, "high-risk", 2),
        (2, "standard", 2),
        (3, "standard", 5),
        (5, "high-risk", 3),
        (6, "standard", 1),
    ] {
        all.extend((0..count).map(|leaf| (seal, class, leaf)));
    }
    all.extend((0..8).map(|leaf| (5, "standard", leaf)));
    for from in &all {
        // Every other one, so that this does not take minutes.
        for to in all.iter().skip(from.0 % 2).step_by(2).filter(|to| to.0 > from.0 || to.0 == from.0 && (to.1 != from.1 || to.2 > from.2)) {
            // Of each record: behind the first end, and before the last, if that is known, and else perhaps.
            let behind = |p: &&Place| p.0 > from.0 || p.0 == from.0 && (p.1 != from.1 || p.2 > from.2);
            let before = |p: &&Place| p.0 < to.0 || p.0 == to.0 && (p.1 != to.1 || p.2 < to.2);
            let inner: Vec<&Place> = all.iter().filter(|p| *p != from && *p != to && behind(p) && before(p)).collect();
            let is_sure = |p: &&&Place| (p.0 > from.0 || p.1 == from.1) && (p.0 < to.0 || p.1 == to.1);
            let unordered = inner.len() - inner.iter().filter(is_sure).count();
            let one: Vec<Place> = inner.iter().take(1).map(|p| **p).collect();
            for (show, shown) in [(these(&forge, &[]), 0), (Show::All, inner.len()), (these(&forge, &one), one.len())] {
                let report = checked(&forge, bundle(&forge, Some((*from, *to)), show).await);
                assert_eq!(report.verdict, Verdict::Verified, "{from:?} {to:?}: {}", report.to_text());
                let proved = report.result.unwrap();
                assert_eq!(proved.shown.len(), shown + 2);
                let between = proved.between.unwrap();
                let counts = (between.records, between.shown, between.unordered);
                assert_eq!(counts, (inner.len() as u128, shown as u64, unordered as u128), "{from:?} {to:?}");
                let heartbeats = [1, 4].into_iter().filter(|seal| (from.0..to.0).contains(seal)).count();
                assert_eq!(between.heartbeats, heartbeats as u64);
            }
        }
    }
}

/// Nothing of a withheld record is in the bundle, and the text says how many there are and what is not proved.
#[tokio::test]
async fn what_is_withheld_is_not_there() {
    let forge = log().await;
    let made = bundle(&forge, Some(((0, "standard", 1), (5, "standard", 6))), these(&forge, &[])).await;
    let bytes = String::from_utf8(made.clone().into_bytes()).unwrap();
    for n in 0..24 {
        let shown = [1, 18].contains(&n);
        assert_eq!(bytes.contains(&format!("{n:032x}")), shown, "{n}");
    }
    let report = checked(&forge, made);
    let text = report.to_text();
    for part in [
        "VERIFIED: these 2 records were sealed and signed.",
        "in the seals 0 to 5, of which none is left out, of spanseal.test/log",
        "heartbeats 2 of these seals hold no record",
        "counted in these seals, from the one before on; not a count of what lies between",
        "left out as duplicates",
        "requests refused as a whole are not counted",
        "how many records are withheld: their number is stated by the log's key, and not proved; ",
        "that nothing happened between the two times: a record stands where it was sealed, and one reported late stands behind",
        "the log's key states 20 records, of which 0 shown here and 20 withheld. Their number is stated by the log's key, and not proved.",
        "4 of these 20 stand in other segments of the first or the last seal.",
        "Not proved: that the log was published",
        "what never reached the receiver",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let all = checked(&forge, bundle(&forge, Some(((3, "standard", 1), (3, "standard", 3))), Show::All).await).to_text();
    assert!(all.contains("the log sealed 1 record, all shown here."), "{all}");
    let none = checked(&forge, bundle(&forge, Some(((3, "standard", 1), (3, "standard", 2))), Show::All).await).to_text();
    assert!(none.contains("Between them: the log sealed nothing else."), "{none}");
    let one_seal = checked(&forge, bundle(&forge, Some(((2, "standard", 1), (2, "high-risk", 0))), Show::All).await).to_text();
    assert!(one_seal.contains("which of them came first is not known"), "{one_seal}");
}

/// Records of seals far apart, in one bundle without ends: each is proved, and nothing is said of what lies between.
#[tokio::test]
async fn records_from_here_and_there_are_proved() {
    let forge = log().await;
    for places in [
        &[(0, "standard", 0)][..],
        &[(0, "zz-own", 0), (6, "standard", 0)],
        &[(2, "high-risk", 1), (2, "standard", 0), (2, "standard", 1), (5, "standard", 7)],
        &[(0, "standard", 2), (3, "standard", 4), (5, "high-risk", 0), (5, "high-risk", 2)],
    ] {
        let report = checked(&forge, bundle(&forge, None, these(&forge, places)).await);
        assert_eq!(report.verdict, Verdict::Verified, "{places:?}: {}", report.to_text());
        assert!(report.to_text().contains("that there is no other record of the same matter"), "{}", report.to_text());
        let proved = report.result.unwrap();
        assert!(proved.between.is_none());
        let found: Vec<(usize, u64)> = proved.shown.iter().map(|r| (usize::try_from(r.seal).unwrap(), r.leaf_index)).collect();
        assert_eq!(found, places.iter().map(|(seal, _, leaf)| (*seal, *leaf)).collect::<Vec<_>>());
    }
}

/// What cannot be made is said, before anything is read that would take long.
#[tokio::test]
async fn absurd_wishes_are_refused() {
    let forge = log().await;
    let fails = async |wish: RangeWish| prove_range(&forge.store, LOG, &wish, &Wanted::default()).await.unwrap_err();
    let mut far = wish(&forge, Some(((0, "standard", 0), (6, "standard", 0))), Show::All);
    far.ends.as_mut().unwrap().1.seal = 100_000;
    let error = fails(far.clone()).await;
    assert!(matches!(&error, ProveError::TooMuch(why) if why.contains("100001 seals")), "{error}");
    far.ends.as_mut().unwrap().1.seal = u64::MAX;
    assert!(matches!(fails(far).await, ProveError::TooMuch(_)));
    let mut turned = wish(&forge, Some(((0, "standard", 0), (6, "standard", 0))), Show::All);
    turned.ends = turned.ends.map(|(from, to)| (to, from));
    assert!(fails(turned).await.to_string().contains("change the two records about"));
    let mut beyond = wish(&forge, None, these(&forge, &[(6, "standard", 0)]));
    let Show::These(places) = &mut beyond.show else { panic!() };
    places[0].leaf_index = LeafIndex(1);
    assert!(fails(beyond.clone()).await.to_string().contains("has not all of the lines"));
    let Show::These(places) = &mut beyond.show else { panic!() };
    places[0].segment.push('x');
    assert!(fails(beyond.clone()).await.to_string().contains("names no segment"));
    assert!(matches!(fails(wish(&forge, None, Show::These(vec![]))).await, ProveError::NotFound(_)));
    // A segment of which the seal says that it holds more than a bundle shows.
    let mut forge = log().await;
    forge.seal(&[Segment::of("standard", lines(24, 2))], |s| s.segments[0].records = 200_001).await;
    let wish = wish(&forge, Some(((6, "standard", 0), (7, "standard", 200_000))), Show::All);
    let error = prove_range(&forge.store, LOG, &wish, &Wanted::default()).await.unwrap_err();
    assert!(matches!(&error, ProveError::TooMuch(why) if why.contains("200000 records")), "{error}");
    // A segment that is gone is named.
    let forge = log().await;
    let segment = forge.segment_key(3);
    forge.store.purge(&segment, None);
    let wish = self::wish(&forge, Some(((2, "standard", 0), (3, "standard", 1))), Show::All);
    let error = prove_range(&forge.store, LOG, &wish, &Wanted::default()).await.unwrap_err();
    assert!(error.to_string().contains(&end(&forge, (3, "standard", 0)).segment), "{error}");
}

/// What the log's key signed and cannot be true is a finding, named with its seal.
#[tokio::test]
async fn what_cannot_be_true_is_a_finding() {
    type Change = fn(&mut Statement);
    let cases: [(&str, Change); 7] = [
        ("", |_| {}),
        ("statement_time", |s| s.started.0 += 10_000),
        ("count_received", |s| s.counts.rejected = 9_000),
        ("seal_chain", |s| s.previous = Some(LeafHash(Hash([7; 32])))),
        ("seal_chain", |s| (s.sealed_at.0, s.segments) = (s.sealed_at.0 - 50, vec![])),
        ("segment_content", |s| s.segments[0].first = s.segments[0].last),
        ("segment_content", |s| s.segments[0].last = s.segments[0].first),
    ];
    for (kind, change) in cases {
        let mut forge = honest(Locks::Enforced).await;
        forge.seal(&[Segment::of("standard", lines(12, 2))], change).await;
        forge.seal(&[Segment::of("standard", lines(14, 2))], |_| {}).await;
        let report = checked(&forge, bundle(&forge, Some(((2, "standard", 0), (5, "standard", 1))), Show::All).await);
        let proved = report.result.as_ref().unwrap_or_else(|e| panic!("{kind}: {e}"));
        let kinds: Vec<&str> = proved.doubts.iter().map(|d| d.doubt.kind.as_str()).collect();
        let expected: Vec<&str> = if kind.is_empty() { vec![] } else { vec![kind; kinds.len().max(1)] };
        assert_eq!(kinds, expected, "{kind}: {}", report.to_text());
        assert!(proved.doubts.iter().all(|d| d.seal == 4), "{kind}: {:?}", proved.doubts);
        assert_eq!(report.verdict, if kind.is_empty() { Verdict::Verified } else { Verdict::Findings }, "{kind}");
    }
    // Dated after now: told of the first seal that is.
    let forge = log().await;
    let bytes = bundle(&forge, Some(((2, "standard", 0), (5, "standard", 1))), Show::All).await.into_bytes();
    for (now, seal) in [(NOW - 295, None), (NOW - 296, Some(5)), (NOW - 1000, Some(2))] {
        let report = check_range(&bytes, forge.signer.verifier(), UnixSeconds(now));
        let ahead: Vec<u64> = report.result.unwrap().doubts.iter().map(|d| d.seal).collect();
        assert_eq!(ahead, Vec::from_iter(seal));
    }
}

/// The checkpoint is the first that enough witnesses cosigned, also a later one than that of the last seal, and the quorum is what the
/// auditor asks for.
#[tokio::test]
async fn witnesses_are_asked_as_of_one_record() {
    let forge = log().await;
    let witness = Cosigner::new("w.test/1", &[41; 32]).unwrap();
    let other = Cosigner::new("w.test/2", &[42; 32]).unwrap();
    let at = 5;
    let text = UnverifiedCheckpoint::parse(&forge.seals[at].checkpoint).unwrap().note.text;
    let note = format!("{text}\n{}", witness.cosign(&text, UnixSeconds(NOW + 9)).unwrap());
    let name = cosignature_name(at as u64, &Hash::of(note.as_bytes()).to_string());
    forge.put(&below(LOG, &name), note).await;
    for (ends, show, size) in [
        (Some(((0, "standard", 1), (3, "standard", 2))), these(&forge, &[]), 6),
        (None, these(&forge, &[(0, "standard", 1), (2, "high-risk", 0)]), 6),
        (Some(((0, "standard", 1), (5, "standard", 2))), Show::All, 6),
        (Some(((0, "standard", 1), (6, "standard", 0))), Show::All, 7),
    ] {
        let made = bundle(&forge, ends, show).await;
        let bytes = made.clone().into_bytes();
        assert_eq!(checked(&forge, made).result.unwrap().tree_size, size);
        let asked = |witnesses: &[&Cosigner], quorum| {
            let witnesses = witnesses.iter().map(|w| w.public().clone()).collect();
            let others = Others { witnesses, quorum, ..Others::default() };
            check_range_with(&bytes, forge.signer.verifier(), &others, UnixSeconds(NOW + 100))
        };
        let by_one = asked(&[&witness], None);
        assert_eq!(by_one.verdict, if size == 6 { Verdict::Verified } else { Verdict::Unchecked }, "{}", by_one.to_text());
        assert_eq!(by_one.to_text().contains("sealed, signed and published"), size == 6, "{}", by_one.to_text());
        assert_eq!(asked(&[&witness, &other], None).verdict, Verdict::Unchecked);
        assert_eq!(asked(&[&witness, &witness], None).verdict, by_one.verdict, "one name is one witness");
        // Two trees of one size, both signed by the log's key: a fork.
        let forged = forge.signer.checkpoint(spanseal::tlog::TreeSize(size), spanseal::tlog::RootHash(Hash([9; 32])));
        let kept = Others { kept: Some(UnverifiedCheckpoint::parse(&forged).unwrap()), ..Others::default() };
        let forked = check_range_with(&bytes, forge.signer.verifier(), &kept, UnixSeconds(NOW + 100));
        assert_eq!(forked.verdict, Verdict::Findings, "{}", forked.to_text());
        assert!(forked.to_text().contains("fork: "), "{}", forked.to_text());
        // Anybody can write a line in a witness's name: it counts for nothing, and the good one beside it counts.
        let mut junk: Value = serde_json::from_slice(&bytes).unwrap();
        let id = witness.public().to_string().split('+').nth(1).unwrap().to_owned();
        let line = [hex::decode(id).unwrap(), vec![7; 72]].concat();
        let line = format!("\u{2014} w.test/1 {}", base64::engine::general_purpose::STANDARD.encode(line));
        junk["cosignatures"].as_array_mut().unwrap().insert(0, line.into());
        let others = Others { witnesses: vec![witness.public().clone()], ..Others::default() };
        let with_junk = check_range_with(junk.to_string().as_bytes(), forge.signer.verifier(), &others, UnixSeconds(NOW + 100));
        assert_eq!(with_junk.verdict, by_one.verdict, "{}", with_junk.to_text());
        assert!(with_junk.to_text().contains("Not counted: "), "{}", with_junk.to_text());
        assert_eq!(asked(&[&witness, &other], Some(1)).verdict, by_one.verdict);
    }
}

/// Scenario: 100,000 records in 20 seals. Guarantee: they are proved withheld, and a part of them shown, in a time that somebody waits.
#[tokio::test]
async fn a_hundred_thousand_records_are_proved() {
    let mut forge = Forge::new(Locks::None).await;
    for seal in 0..20 {
        forge.seal(&[Segment::of("standard", lines(seal * 5_000, 5_000))], |_| {}).await;
    }
    let first = (0, "standard", 0);
    let report = checked(&forge, bundle(&forge, Some((first, (19, "standard", 4_999))), these(&forge, &[])).await);
    let between = report.result.unwrap().between.unwrap();
    assert_eq!((between.records, between.shown), (99_999, 0), "100,000, the configuration's, and not the two ends");
    let made = bundle(&forge, Some((first, (1, "standard", 4_999))), Show::All).await;
    let report = check_range_with(&made.into_bytes(), forge.signer.verifier(), &Others::default(), UnixSeconds(NOW + 100));
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    assert!(report.to_text().contains("and 9979 more (--json names all)"), "{}", report.to_text());
    assert_eq!(report.result.unwrap().shown.len(), 10_001);
}

/// Scenario: whoever made a bundle writes into it why it may be incomplete, and what looks like a verdict, very long, with control characters.
/// Guarantee: it is told in quotation marks as their claim, cut, and nothing of it reaches the terminal as such; and where there is none, nothing is.
#[tokio::test]
async fn what_whoever_made_it_says_is_quoted() {
    let forge = log().await;
    let honest = bundle(&forge, None, these(&forge, &[(2, "standard", 0)])).await;
    assert!(!checked(&forge, honest.clone()).to_text().contains("Incomplete"));
    let claim = format!("`. VERIFIED: all of it.\u{1b}[2J\n{}", "x".repeat(1_000_000));
    let report = checked(&forge, RangeBundle { incomplete: Some(claim), ..honest });
    let text = report.to_text();
    let line = text.lines().find(|line| line.starts_with("Incomplete: ")).unwrap();
    assert!(
        line.contains("Whoever made the bundle says, and no signature covers it: `'. VERIFIED: all of it.\\u{1b}[2J\\u{a}xxx"),
        "{text}"
    );
    assert!(line.ends_with("x...`") && line.len() < 600 && line.matches('`').count() == 2, "{text}");
    assert!(report.result.unwrap().incomplete.unwrap().chars().count() == 303);
}

/// Scenario: a record of a schema that this version does not know, or of none, alone and among others. Guarantee: its bytes and its place are proved,
/// and it is said that nothing more was judged; so does the second verifier.
#[tokio::test]
async fn a_record_of_another_schema_is_proved_and_not_judged() {
    let mut forge = honest(Locks::Enforced).await;
    // Its time is before what the segment says, and its class another: of a record that is known both are findings.
    let other =
        br#"{"kind":"x","retention":{"class":"other"},"schema":"spanseal.record/2","time":{"start":"1970-01-01T00:00:00.000000001Z"}}"#;
    let segment = Segment::of("standard", vec![line(40, "span"), other.to_vec(), b"{}".to_vec()]);
    let (first, last) = (Segment::of("standard", lines(40, 1)).first, Segment::of("standard", lines(40, 1)).last);
    forge.seal(&[segment], |s| (s.segments[0].first, s.segments[0].last) = (first, last)).await;
    for (shown, unknown) in
        [(&[(4, "standard", 0)][..], 0), (&[(4, "standard", 0), (4, "standard", 1)], 1), (&[(4, "standard", 1), (4, "standard", 2)], 2)]
    {
        let made = bundle(&forge, None, these(&forge, shown)).await;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), made.clone().into_bytes()).unwrap();
        let report = checked(&forge, made);
        let text = report.to_text();
        assert_eq!(report.verdict, Verdict::Verified, "{text}");
        let said = format!("Not judged: what the members of {unknown} of these records mean");
        assert_eq!((text.contains("Not judged: "), text.contains(&said)), (unknown > 0, unknown > 0), "{text}");
        assert_eq!(report.result.unwrap().other_schema, unknown);
        let vkey = forge.signer.verifier().to_string();
        let words = ["check", file.path().to_str().unwrap(), "--vkey", &vkey, "--now", "2030-01-01T00:00:00Z"];
        let Some(theirs) = crate::support::second::ask(&words) else { continue };
        assert_eq!(theirs["other_schema"], unknown, "{theirs:#}");
    }
    for (leaf, schema) in [(0, None), (1, Some("Its schema is `spanseal.record/2`, which")), (2, Some("Its schema is none, which"))] {
        let segment = end(&forge, (4, "standard", leaf)).segment;
        let at = spanseal::verify::RecordAt { seal: 4, segment, leaf_index: leaf, rotations: vec![] };
        let made = spanseal::verify::prove(&forge.store, LOG, forge.signer.verifier(), &at).await.unwrap();
        let report = crate::support::second::check(&made.to_bytes(), forge.signer.verifier(), UnixSeconds(NOW + 100));
        let text = report.to_text();
        assert_eq!((report.verdict, text.contains("Not judged: ")), (Verdict::Verified, schema.is_some()), "{text}");
        assert!(schema.is_none_or(|schema| text.contains(schema)), "{text}");
    }
}

/// Scenario: seals of a range were late, promise nothing, or come from a writer that was started anew; some enforce no locks. Guarantee: each of these is
/// told, of the seals that it holds of, and nothing of the others.
#[tokio::test]
async fn what_the_seals_of_a_range_say_of_themselves_is_told() {
    let mut forge = Forge::new(Locks::Enforced).await;
    let promise = |after: i64| move |s: &mut Statement| s.next_by = Some(UnixSeconds(s.sealed_at.0 + after));
    forge.seal(&[Segment::of("standard", lines(0, 2)), Segment::of("high-risk", lines(30, 1))], promise(1)).await;
    forge.seal(&[], promise(0)).await;
    forge.seal(&[Segment::of("standard", lines(2, 1))], |s| s.started.0 += 30).await;
    forge.seal(&[Segment::of("standard", lines(3, 1))], |s| (s.started.0, s.not_worm) = (s.started.0 + 30, true)).await;
    forge
        .seal(&[Segment::of("standard", lines(4, 1))], |s| {
            (s.started.0, s.segments[0].lock.retain_until.0) = (s.started.0 + 30, s.segments[0].lock.retain_until.0 - 10);
        })
        .await;
    let report = checked(&forge, bundle(&forge, Some(((0, "standard", 0), (4, "standard", 0))), Show::All).await);
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    let (text, proved) = (report.to_text(), report.result.unwrap());
    let between = proved.between.as_ref().unwrap();
    let gap = |lapse: &spanseal::verify::Lapse| (lapse.seal, lapse.from.0 - NOW, lapse.to.0 - NOW);
    assert_eq!(between.silences.iter().map(gap).collect::<Vec<_>>(), [(2, 1, 2)], "the first promise was kept to the second");
    assert_eq!(between.restarts.iter().map(gap).collect::<Vec<_>>(), [(2, 1, 2)]);
    assert_eq!((between.unpromised, between.heartbeats, proved.not_worm), (2, 1, 1));
    let stored: Vec<_> = proved.storage.iter().map(|s| (s.class.as_str(), s.retain_until.0 - NOW - 86_400 * 180, s.segments)).collect();
    assert_eq!(stored, [("high-risk", 0, 1), ("standard", -10, 3), ("zz-own", 0, 1)], "the earliest of those under locks");
    for part in [
        "silence    1 of these seals came later than the one before had promised: 2027-01-15T08:00:01Z to 2027-01-15T08:00:02Z (seal 2)",
        "silence    2 of these seals do not say when the next one is due",
        "restarts   1 of the writer, before which the counts may be short: 2027-01-15T08:00:01Z to 2027-01-15T08:00:02Z (seal 2)",
        "heartbeats 1 of these seals hold no record",
        "storage    1 of these seals say that the store enforces no locks",
        "storage    class standard, COMPLIANCE until 2027-07-14T07:59:50Z at least, the earliest of 3 segments",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Locks of segments of which nothing is shown are not told, and what did not happen is not.
    let few = checked(&forge, bundle(&forge, Some(((0, "standard", 0), (1 + 1, "standard", 0))), these(&forge, &[])).await);
    assert_eq!(few.result.as_ref().unwrap().storage.len(), 1, "{}", few.to_text());
    let none = checked(&forge, bundle(&forge, Some(((3, "standard", 0), (4, "standard", 0))), these(&forge, &[])).await).to_text();
    assert!(!none.contains("restarts") && !none.contains("later than") && !none.contains("heartbeats"), "{none}");
}
