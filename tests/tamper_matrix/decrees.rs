//! Holds and extensions: what they keep is not gone as planned, what they lock is locked, and what says so is found by who follows it.
//!
//! A small log of its own: two holds, of which one is released, and an extension. The auditor looks when all dates of the seals are past, so
//! that only decrees keep anything. The second verifier is asked about every row.

mod shown;

use spanseal::clock::UnixSeconds;
use spanseal::govern::decrees::{Decree, Entry, Order, SegmentId, Step};
use spanseal::record::canonical::Json;
use spanseal::tlog::seal_file::Statement;
use spanseal::verify::{Bound, Depth, Options, Report, Verdict};
use spanseal::worm::{Lock, Locks, Mode, ObjectKey, WormStore, seal_key, segment_name};
use tokio::sync::OnceCell;

use super::{Found, assert_all, at, intact, lost, seal_object};
use crate::support::forge::{Forge, LOG, NOW, Segment, decree_text, decreed, kinds, lines, lock, notes};
use crate::support::second::verify;

/// All dates that seals state are past, and that of the extension is not.
pub const PAST: UnixSeconds = UnixSeconds(NOW + 86_400 * 200);
pub const EXTENDED: Lock = Lock { mode: Mode::Compliance, retain_until: UnixSeconds(NOW + 86_400 * 400) };
/// Seals that hold what is on hold, was on hold, is extended.
pub const HELD: usize = 0;
pub const RELEASED: usize = 2;
pub const LONGER: usize = 3;
/// The seals with records of decrees.
const DECREES: [usize; 7] = [4, 5, 6, 7, 9, 10, 11];
const NEWEST: usize = 12;

fn decree(id: &str, order: Order) -> Decree {
    let query = Json::object([("model", Json::string("gpt"))]);
    Decree { id: id.into(), order, query, since: UnixSeconds(NOW + 3), through: 20 }
}

fn step(step: Step, of: &Decree, segments: Vec<SegmentId>, open: &[&Decree]) -> Vec<Segment> {
    let entry = Entry { step, of: of.clone(), segments, open: open.iter().map(|d| (*d).clone()).collect() };
    vec![Segment::of("high-risk", vec![decreed(&entry)])]
}

async fn version(forge: &Forge, key: &ObjectKey) -> spanseal::worm::VersionId {
    forge.store.versions(key).await.unwrap()[0].id.clone().unwrap()
}

async fn hold(forge: &Forge, key: &ObjectKey, on: bool) {
    forge.store.hold(key, Some(&version(forge, key).await), on).await.unwrap();
}

/// What a writer does for the record of a hold in this seal.
async fn keep(forge: &Forge, seal: usize) {
    for key in [forge.segment_key(seal), seal_key(LOG, seal as u64)] {
        hold(forge, &key, true).await;
    }
}

/// Up to the seal that releases the second hold; `last` says what stands behind it.
pub async fn made(locks: Locks) -> Forge {
    let mut forge = Forge::new(locks).await;
    for seal in 0..4 {
        let segments = [Segment::of("standard", lines(10 * seal, 3))];
        forge.seal(if seal == 1 { &[] } else { &segments }, |_| {}).await;
    }
    let (first, second) = (decree("LH-1", Order::Hold), decree("LH-2", Order::Hold));
    let longer = decree("EXT-1", Order::Extend(EXTENDED));
    let id = |forge: &Forge, seal| vec![forge.segment_id(seal, "standard")];
    forge.seal(&step(Step::Open, &first, vec![], &[&first]), |_| {}).await;
    forge.seal(&step(Step::Apply, &first, id(&forge, HELD), &[&first]), |_| {}).await;
    forge.seal(&step(Step::Open, &longer, vec![], &[&longer, &first]), |_| {}).await;
    forge.seal(&step(Step::Close, &longer, id(&forge, LONGER), &[&first]), |_| {}).await;
    forge.seal(&[Segment::of("standard", lines(80, 2))], |_| {}).await;
    forge.seal(&step(Step::Open, &second, vec![], &[&first, &second]), |_| {}).await;
    forge.seal(&step(Step::Apply, &second, id(&forge, RELEASED), &[&first, &second]), |_| {}).await;
    forge.seal(&step(Step::Close, &second, vec![], &[&first]), |_| {}).await;
    forge.seal(&[], |_| {}).await;
    if locks == Locks::Enforced {
        // With the records that say so.
        for seal in [HELD, 4, 5] {
            keep(&forge, seal).await;
        }
        for seal in [LONGER, 7] {
            for key in [forge.segment_key(seal), seal_key(LOG, seal as u64)] {
                forge.store.relock(&key, Some(EXTENDED));
            }
        }
    }
    forge.publish().await;
    forge
}

async fn whole() -> Forge {
    static WHOLE: OnceCell<Forge> = OnceCell::const_new();
    WHOLE.get_or_init(|| made(Locks::Enforced)).await.copy()
}

fn options(forge: &Forge) -> Options<'static> {
    Options { now: PAST, ..forge.options() }
}

async fn verified(forge: &Forge) -> Report {
    verify(&forge.store, &options(forge)).await
}

/// Does one thing to a copy of the log, and states all that is found, by whoever reads everything and by whoever looks at locks alone.
async fn row(name: &str, act: impl AsyncFnOnce(&mut Forge), expected: Vec<Found>) -> Report {
    let mut forge = whole().await;
    act(&mut forge).await;
    let report = verified(&forge).await;
    let exit = u8::from(!expected.is_empty());
    assert_all(name, &report, expected.clone(), exit);
    let looked = verify(&forge.store, &Options { depth: Depth::Locks, from: Some(Bound::Seal(0)), ..options(&forge) }).await;
    assert_all(&format!("{name}, locks alone"), &looked, expected, exit);
    report
}

/// Scenario: nobody touched the log. Guarantee: nothing is found and nothing noted, in any part of it and at any depth, with locks and without.
#[tokio::test]
async fn nothing_is_found_in_a_log_with_decrees() {
    for locks in [Locks::Enforced, Locks::None] {
        let forge = made(locks).await;
        assert_eq!(forge.seals[NEWEST].statement.decrees, Some(11));
        assert!(DECREES.iter().all(|seal| forge.seals[*seal].statement.decrees == Some(*seal as u64)));
        for depth in [Depth::Whole, Depth::Locks] {
            for (from, to) in [(None, None), (Some(0), Some(0)), (None, Some(3)), (Some(2), Some(8)), (Some(6), None), (Some(12), None)] {
                for now in [NOW + 100, PAST.0] {
                    let bound = |seal: Option<u64>| seal.map(Bound::Seal);
                    let wish = Options { from: bound(from), to: bound(to), depth, now: UnixSeconds(now), ..options(&forge) };
                    let report = verify(&forge.store, &wish).await;
                    assert_all(&format!("{from:?} to {to:?}"), &report, vec![], 0);
                    let told: Vec<_> = notes(&report).into_iter().filter(|n| !["not_worm", "not_covered"].contains(n)).collect();
                    assert!(told.is_empty(), "{from:?} to {to:?}: {}", report.to_text());
                }
            }
        }
    }
}

#[tokio::test]
async fn what_a_decree_keeps_is_not_gone_as_planned() {
    let key = |forge: &Forge, seal: usize| forge.seals[seal].statement.segments[0].key.clone();
    let forge = whole().await;
    let held = row(
        "a held segment is gone",
        async |f| f.store.purge(&f.segment_key(HELD), None),
        vec![lost("segment_missing", key(&forge, HELD), HELD)],
    )
    .await;
    assert!(held.findings[0].expected.as_ref().unwrap().ends_with("on legal hold by `LH-1`"), "{}", held.to_text());
    let longer = row(
        "an extended segment is gone",
        async |f| f.store.purge(&f.segment_key(LONGER), None),
        vec![lost("segment_missing", key(&forge, LONGER), LONGER)],
    )
    .await;
    assert!(longer.findings[0].expected.as_ref().unwrap().contains("extended to COMPLIANCE until 2028"), "{}", longer.to_text());
    // The clean counterparts: released, and never on hold; and the extension over, too.
    let report = row(
        "others are gone as planned",
        async |f| {
            f.store.purge(&f.segment_key(RELEASED), None);
            f.store.purge(&f.segment_key(8), None);
        },
        vec![],
    )
    .await;
    assert_eq!(notes(&report), ["segment_expired"], "{}", report.to_text());
    let expired = &report.logs[0].expired[0];
    assert_eq!((expired.class.as_str(), expired.segments, expired.records, &expired.seals[..]), ("standard", 2, 5, &[[2, 2], [8, 8]][..]));
    assert!(report.to_text().contains("2 segments with 5 records"), "{}", report.to_text());
    let mut forge = whole().await;
    forge.store.purge(&forge.segment_key(LONGER), None);
    let after = Options { now: UnixSeconds(EXTENDED.retain_until.0), ..options(&forge) };
    assert_all("after the extension", &verify(&forge.store, &after).await, vec![], 0);
    // A range says the same, though the hold was placed behind it.
    forge.store.purge(&forge.segment_key(HELD), None);
    for to in [0, 3, 8] {
        let range = Options { to: Some(Bound::Seal(to)), now: after.now, ..options(&forge) };
        let report = verify(&forge.store, &range).await;
        assert_all(&format!("up to {to}"), &report, vec![lost("segment_missing", key(&forge, HELD), HELD)], 1);
    }
    let none = Options { from: Some(Bound::Seal(4)), ..options(&forge) };
    assert_all("behind it", &verify(&forge.store, &none).await, vec![], 0);
    // Once it is released, nothing is demanded any more.
    forge.seal(&step(Step::Close, &decree("LH-1", Order::Hold), vec![], &[]), |_| {}).await;
    forge.publish().await;
    assert_all("released", &verify(&forge.store, &after).await, vec![], 0);
    // A copy without locks says as much of what is gone.
    let copy = made(Locks::None).await;
    copy.store.purge(&copy.segment_key(HELD), None);
    assert_all("no locks", &verified(&copy).await, vec![lost("segment_missing", key(&copy, HELD), HELD)], 1);
}

/// Scenario: S3 shows legal holds only to who may read them. Guarantee: a hold that is there is no finding because HEAD does not show it; where nobody may
/// ask for it either, that is said, and nobody is accused of having taken it off.
#[tokio::test]
async fn a_hold_that_is_not_shown_is_not_missing() {
    let forge = whole().await;
    forge.store.hide_holds(false);
    assert_all("asked for", &verified(&forge).await, vec![], 0);
    hold(&forge, &forge.segment_key(HELD), false).await;
    let missing = vec![intact("hold_missing", &forge.seals[HELD].statement.segments[0].key, HELD)];
    assert_all("really gone", &verified(&forge).await, missing, 1);
    forge.store.hide_holds(true);
    let report = verified(&forge).await;
    assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{}", report.to_text());
    assert!(report.notes.iter().any(|note| note.meaning.contains("whether it is on legal hold")), "{}", report.to_text());
}

#[tokio::test]
async fn what_a_decree_locks_is_locked() {
    let forge = whole().await;
    for (seal, kind) in [(HELD, "hold_missing"), (LONGER, "lock_weak")] {
        for object in [forge.seals[seal].statement.segments[0].key.clone(), seal_object(seal)] {
            let key = at(&object);
            if seal == HELD {
                row("a hold is taken off", async |f| hold(f, &key, false).await, vec![intact(kind, &object, seal)]).await;
                let hidden = intact("hidden", &object, seal);
                row("what is held is hidden", async |f| drop(f.store.delete(&key)), vec![hidden]).await;
                continue;
            }
            let sooner = Lock { retain_until: UnixSeconds(EXTENDED.retain_until.0 - 1), ..EXTENDED };
            let weaker = Lock { mode: Mode::Governance, ..EXTENDED };
            for (lock, kind) in [(Some(sooner), kind), (Some(weaker), kind), (Some(lock()), kind), (None, "lock_missing")] {
                let name = format!("an extension is undone: {lock:?}");
                let report = row(&name, async |f| f.store.relock(&key, lock), vec![intact(kind, &object, seal)]).await;
                assert!(report.findings[0].expected.as_ref().unwrap().contains("it was extended to COMPLIANCE until 2028"), "{name}");
            }
            let longer = Lock { retain_until: UnixSeconds(EXTENDED.retain_until.0 + 1), ..EXTENDED };
            row("an extension is more than it must be", async |f| f.store.relock(&key, Some(longer)), vec![]).await;
        }
    }
    // The records that say so are kept as what they name; not before they are two days old, and not those of a hold that is released.
    for (seal, kind) in [(4, "hold_missing"), (5, "hold_missing"), (7, "lock_weak")] {
        let object = forge.seals[seal].statement.segments[0].key.clone();
        let key = at(&object);
        let undo = async |f: &mut Forge| match kind {
            "hold_missing" => hold(f, &key, false).await,
            _ => f.store.relock(&key, Some(Lock { retain_until: UnixSeconds(EXTENDED.retain_until.0 - 1), ..EXTENDED })),
        };
        row(&format!("the record in seal {seal} is not kept"), undo, vec![intact(kind, &object, seal)]).await;
        let mut young = whole().await;
        undo(&mut young).await;
        let made = young.seals[seal].statement.sealed_at.0;
        for (age, expected) in [(2 * 86_400, vec![]), (2 * 86_400 + 1, vec![intact(kind, &object, seal)])] {
            let when = Options { now: UnixSeconds(made + age), ..options(&young) };
            let exit = u8::from(!expected.is_empty());
            assert_all(&format!("{age} seconds after seal {seal}"), &verify(&young.store, &when).await, expected, exit);
        }
    }
    row("the record of a released hold is let go", async |f| hold(f, &f.segment_key(9), false).await, vec![]).await;
    // What is not on hold any more need not be.
    row("a hold that was released is taken off", async |f| hold(f, &f.segment_key(RELEASED), false).await, vec![]).await;
}

/// Scenario: the log's own key signs statements that lead around what is on record. Guarantee: each is found.
#[tokio::test]
async fn a_record_of_a_decree_is_not_hidden_by_the_key_itself() {
    let third = decree("LH-3", Order::Hold);
    let opened = || step(Step::Open, &third, vec![], &[&decree("LH-1", Order::Hold), &third]);
    type Change = fn(&mut Statement);
    let wrong = |seal| intact("decrees_wrong", seal_object(seal), seal);
    let rows: [(&str, bool, Change, Vec<Found>); 8] = [
        ("an honest one", true, |_| {}, vec![]),
        ("an honest heartbeat", false, |_| {}, vec![]),
        ("a record that the statement does not name", true, |s| s.decrees = Some(11), vec![wrong(13)]),
        ("a record, and no decrees at all", true, |s| s.decrees = None, vec![wrong(13), wrong(14)]),
        ("its own index without a record", false, |s| s.decrees = Some(13), vec![wrong(13)]),
        ("another seal than the seal before", false, |s| s.decrees = Some(7), vec![wrong(13)]),
        ("a seal that holds none", false, |s| s.decrees = Some(8), vec![wrong(13)]),
        ("none any more", false, |s| s.decrees = None, vec![wrong(13)]),
    ];
    for (name, holds, change, expected) in rows {
        let mut forge = whole().await;
        forge.seal(&if holds { opened() } else { vec![] }, change).await;
        if holds {
            keep(&forge, 13).await;
        }
        let follows = forge.seals[13].statement.decrees;
        // The one behind goes on from what is true, where that is said.
        forge.seal(&[], |s| s.decrees = if expected.len() > 1 { Some(11) } else { follows }).await;
        forge.publish().await;
        let exit = u8::from(!expected.is_empty());
        assert_all(name, &verified(&forge).await, expected, exit);
        // Whoever looks at locks alone, or at the end alone, does not pass it as whole.
        if exit == 1 && !name.contains("a record that") {
            let looked = verify(&forge.store, &Options { depth: Depth::Locks, ..options(&forge) }).await;
            assert_ne!(looked.verdict, Verdict::Verified, "{name}: {}", looked.to_text());
        }
    }
}

#[tokio::test]
async fn records_that_nobody_understands_are_not_passed() {
    let text = |change: fn(String) -> String| {
        let entry = Entry { step: Step::Open, of: decree("x", Order::Hold), segments: vec![], open: vec![decree("LH-1", Order::Hold)] };
        change(entry.to_text())
    };
    for (name, kind, filter, exit) in [
        ("a broken entry", "hold", text(|t| t.replace("\"order\":\"hold\"", "\"order\":\"keep\"")), 1),
        ("a broken entry of an extension", "retention", text(|t| t.replace("\"since\"", "\"when\"")), 1),
        ("a newer format", "hold", text(|t| t.replace("decrees/1", "decrees/2")), 2),
        ("another kind of record", "event", text(|t| t.replace("decrees/1", "decreed/1")), 0),
        ("other words", "retention", "{\"what\":\"spanseal.status/1\"}".to_owned(), 0),
        ("no JSON", "hold", "as it was".to_owned(), 0),
    ] {
        let mut forge = whole().await;
        forge.seal(&[Segment::of("high-risk", vec![decree_text(kind, &filter)])], |_| {}).await;
        forge.publish().await;
        let key = forge.seals[13].statement.segments[0].key.clone();
        let expected = if exit == 1 { vec![intact("decrees_wrong", key, 13)] } else { vec![] };
        let report = verified(&forge).await;
        assert_all(name, &report, expected, exit);
        assert_eq!(notes(&report).contains(&"unchecked"), exit > 0, "{name}: what is in force is not known: {}", report.to_text());
        let newer =
            report.notes.iter().any(|n| n.meaning.contains("in line 0 has format `spanseal.decrees/2`; a newer spanseal can read it"));
        assert_eq!(newer, exit == 2, "{name}: {}", report.to_text());
        let looked = verify(&forge.store, &Options { depth: Depth::Locks, ..options(&forge) }).await;
        assert_eq!(looked.verdict.exit_code(), if exit == 1 { 2 } else { exit }, "{name}: {}", looked.to_text());
    }
    // Telemetry decrees nothing.
    let mut forge = whole().await;
    let claimed = String::from_utf8(decree_text("hold", &text(|t| t))).unwrap().replace(r#""signal":"control""#, r#""signal":"span""#);
    forge.seal(&[Segment::of("standard", vec![claimed.into_bytes()])], |s| s.decrees = Some(11)).await;
    forge.publish().await;
    assert_all("telemetry", &verified(&forge).await, vec![], 0);
}

/// Scenario: part of what is on record cannot be read, or is gone. Guarantee: a log is never verified whose open holds are not all known; what
/// went as planned, and nobody needs any more, holds nothing up.
#[tokio::test]
async fn a_chain_that_breaks_is_never_verified() {
    for seal in DECREES {
        let mut forge = whole().await;
        let key = forge.seals[seal].statement.segments[0].key.clone();
        let mut soon = Options { now: UnixSeconds(NOW + 100), ..options(&forge) };
        forge.store.purge(&at(&key), None);
        let report = verify(&forge.store, &soon).await;
        assert_all(&format!("{seal} gone before its date"), &report, vec![lost("segment_missing", &key, seal)], 1);
        soon.from = Some(Bound::Seal(12));
        let report = verify(&forge.store, &soon).await;
        assert_eq!(report.verdict, Verdict::Unchecked, "{seal}, outside of the range: {}", report.to_text());
        // Gone after its date: the hold `LH-1` is open, and any of these may have named what it keeps.
        let report = verified(&forge).await;
        assert_all(&format!("{seal} gone"), &report, vec![], 2);
        assert!(report.to_text().contains("LH-1"), "{}", report.to_text());
        // Released, nothing depends on it.
        hold(&forge, &forge.segment_key(HELD), false).await;
        hold(&forge, &seal_key(LOG, HELD as u64), false).await;
        forge.seal(&step(Step::Close, &decree("LH-1", Order::Hold), vec![], &[]), |_| {}).await;
        forge.publish().await;
        let report = verified(&forge).await;
        assert_all(&format!("{seal} gone, and released"), &report, vec![], 0);
        assert!(notes(&report).contains(&"not_covered"), "{}", report.to_text());
    }
    for seal in [4, 6, 11] {
        let forge = whole().await;
        forge.store.purge(&seal_key(LOG, seal as u64), None);
        let report = verified(&forge).await;
        assert!(kinds(&report).contains(&"seal_missing"), "{}", report.to_text());
        let behind = verify(&forge.store, &Options { from: Some(Bound::Seal(12)), ..options(&forge) }).await;
        assert_ne!(behind.verdict, Verdict::Verified, "seal {seal}: {}", behind.to_text());
    }
}

/// Scenario: a hold or an extension is open, and for two days nothing says that it was carried out at a seal with records of others. Guarantee:
/// such a log is not verified, and it is said from which seal on that is unknown; but not of what was looked at, nor of what is younger, nor for an
/// extension that is past, or about what was sealed after it was ordered.
#[tokio::test]
async fn what_is_open_and_was_not_carried_out_for_long_is_not_passed() {
    let eighth = whole().await.seals[8].statement.sealed_at;
    let day = 86_400;
    for (order, through, since, now, of) in [
        (Order::Hold, 8, eighth, eighth.0 + 2 * day + 1, Some(8)),
        (Order::Hold, 8, eighth, eighth.0 + 2 * day, None),
        (Order::Hold, 2, eighth, PAST.0, Some(2)),
        (Order::Hold, 1, eighth, PAST.0, Some(2)),
        (Order::Hold, 9, eighth, PAST.0, None),
        (Order::Extend(EXTENDED), 8, eighth, eighth.0 + 2 * day + 1, Some(8)),
        (Order::Extend(EXTENDED), 8, eighth, eighth.0 + 2 * day, None),
        (Order::Extend(EXTENDED), 8, UnixSeconds(eighth.0 - 1), PAST.0, None),
        (Order::Extend(EXTENDED), 8, eighth, EXTENDED.retain_until.0, None),
        (Order::Extend(EXTENDED), 8, eighth, EXTENDED.retain_until.0 - 1, Some(8)),
    ] {
        let name = format!("{order:?} below {through} since {since}, at {}", UnixSeconds(now));
        let mut forge = whole().await;
        let open = Decree { through, since, ..decree("LH-9", order) };
        forge.seal(&step(Step::Open, &open, vec![], &[&decree("LH-1", Order::Hold), &open]), |_| {}).await;
        keep(&forge, 13).await;
        forge.publish().await;
        let at = |forge: &Forge| Options { now: UnixSeconds(now), ..options(forge) };
        let report = verify(&forge.store, &at(&forge)).await;
        assert_all(&name, &report, vec![], if of.is_some() { 2 } else { 0 });
        if let Some(seal) = of {
            let text = report.to_text();
            assert!(text.contains("`LH-9` is open") && text.contains(&seal_object(seal)), "{name}: {text}");
        }
        // A range says it of its own seals.
        let behind = verify(&forge.store, &Options { from: Some(Bound::Seal(9)), ..at(&forge) }).await;
        assert_all(&format!("{name}, behind it"), &behind, vec![], 0);
        // Over, it keeps nobody waiting.
        let end = if order == Order::Hold { Step::Close } else { Step::GiveUp };
        forge.seal(&step(end, &open, vec![], &[&decree("LH-1", Order::Hold)]), |_| {}).await;
        forge.publish().await;
        assert_all(&format!("{name}, over"), &verify(&forge.store, &at(&forge)).await, vec![], 0);
    }
}

/// Scenario: a hold is taken off and its release sealed between the look at the record and the end of the walk. Guarantee: no finding; and one
/// where nothing was released.
#[tokio::test]
async fn a_hold_that_is_released_meanwhile_is_no_finding() {
    for released in [true, false] {
        let forge = whole().await;
        for key in [forge.segment_key(HELD), seal_key(LOG, HELD as u64)] {
            hold(&forge, &key, false).await;
        }
        let report = read_while(&forge, options(&forge), released).await;
        let key = forge.seals[HELD].statement.segments[0].key.clone();
        let missing = vec![intact("hold_missing", key, HELD), intact("hold_missing", seal_object(HELD), HELD)];
        assert_all(&format!("released: {released}"), &report, if released { vec![] } else { missing }, u8::from(!released));
    }
}

/// Verifies, while the release of the hold `LH-1` is sealed, or is not.
async fn read_while(forge: &Forge, options: Options<'_>, released: bool) -> Report {
    let mut later = forge.copy();
    let close = step(Step::Close, &decree("LH-1", Order::Hold), vec![], &[]);
    // Sealed just now: an older one behind the end of the listing would be one that the listing hid.
    let (mut moved, now) = (None, options.now);
    let sealed_now = |s: &mut Statement| {
        let old = std::mem::take(&mut s.segments[0].key);
        s.sealed_at = now;
        s.segments[0].key = segment_name("high-risk", now, s.index, &s.segments[0].sha256.to_string());
        s.segments[0].lock = EXTENDED;
        moved = Some((at(&old), at(&s.segments[0].key)));
    };
    later.seal(&close, sealed_now).await;
    let (old, new) = moved.unwrap();
    let bytes = later.store.get(&old, None, u64::MAX).await.unwrap().unwrap();
    later.put(&new, bytes).await;
    if old != new {
        later.store.purge(&old, None);
    }
    let added: Vec<_> = later.store.keys().into_iter().filter(|key| !forge.store.keys().contains(key)).collect();
    assert_eq!(added.len(), 2);
    let seals = std::sync::atomic::AtomicU64::new(0);
    let go_on = |_: &spanseal::verify::Progress<'_>| {
        if released && seals.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
            for key in &added {
                let copy = async {
                    let bytes = later.store.get(key, None, u64::MAX).await.unwrap().unwrap();
                    forge.store.put(key, bytes, spanseal::worm::Condition::Any, Some(EXTENDED)).await.unwrap()
                };
                futures::FutureExt::now_or_never(copy).expect("memory answers at once");
            }
        }
    };
    spanseal::verify::verify(&forge.store, &Options { progress: Some(&go_on), ..options }).await
}

/// Scenario: a store shows the newest seals, which are old, only when it is asked again. Guarantee: what they hold was not looked at, and that is
/// said.
#[tokio::test]
async fn seals_that_were_hidden_at_first_are_not_passed() {
    let forge = whole().await;
    // The list of keys ends at a checkpoint of somebody's making: what it leaves out was there before.
    let short = forge.seals[3].checkpoint.clone();
    forge.put(&spanseal::worm::checkpoint_key(LOG), short).await;
    let report = verify(&forge.store, &options(&forge)).await;
    assert_all("an older checkpoint shows the way as well", &report, vec![], 0);
    for size in [0, 1, 500] {
        forge.put(&spanseal::worm::checkpoint_key(LOG), forge.checkpoint_at(size)).await;
        forge.store.purge(&forge.segment_key(HELD), None);
        let report = verify(&forge.store, &options(&forge)).await;
        assert!(kinds(&report).contains(&"segment_missing"), "{size}: {}", report.to_text());
        let bytes = whole().await.store.get(&forge.segment_key(HELD), None, u64::MAX).await.unwrap().unwrap();
        forge.store.put(&forge.segment_key(HELD), bytes, spanseal::worm::Condition::Any, Some(lock())).await.unwrap();
    }
}

/// Scenario: a hold is taken off, and once the log is read, before it is asked whether the hold was released meanwhile, the store shows a log that
/// ends before the hold. Guarantee: what was on record still is.
#[tokio::test]
async fn a_store_that_shows_less_the_second_time_releases_nothing() {
    let forge = whole().await;
    for key in [forge.segment_key(HELD), seal_key(LOG, HELD as u64)] {
        hold(&forge, &key, false).await;
    }
    let hide = |done: &spanseal::verify::Progress<'_>| {
        if done.seals == NEWEST as u64 + 1 {
            (4..=NEWEST).for_each(|seal| forge.store.purge(&seal_key(LOG, seal as u64), None));
        }
    };
    let report = spanseal::verify::verify(&forge.store, &Options { progress: Some(&hide), ..options(&forge) }).await;
    assert!(forge.store.versions(&seal_key(LOG, 4)).await.unwrap().is_empty());
    let key = forge.seals[HELD].statement.segments[0].key.clone();
    assert_all("hidden", &report, vec![intact("hold_missing", key, HELD), intact("hold_missing", seal_object(HELD), HELD)], 1);
}

/// Scenario: the log changed its key; whoever has the old one puts a seal behind the end that names no decree, or two, and a hold is taken off.
/// Guarantee: a range that was read under the old key alone is not verified, and neither is the whole, whether or not the new key is known.
#[tokio::test]
async fn a_key_that_the_log_has_left_hides_no_hold() {
    use spanseal::tlog::note::NoteSigner;
    let mut forge = whole().await;
    let newer = NoteSigner::new(crate::support::forge::ORIGIN, &[9; 32]).unwrap();
    let (old, new) = (forge.signer.verifier().clone(), newer.verifier().clone());
    forge.turn_to(newer).await;
    forge.seal(&[Segment::of("standard", lines(90, 2))], |_| {}).await;
    forge.seal(&[], |_| {}).await;
    forge.publish().await;
    // A part beyond the end is no finding, by whichever key.
    let end = forge.seals.len() as u64;
    for key in [&old, &new] {
        for from in [end, end + 5] {
            let wish = Options { pinned: vec![key.clone()], from: Some(Bound::Seal(from)), ..options(&forge) };
            let report = spanseal::verify::verify(&forge.store, &wish).await;
            assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "beyond the end: {}", report.to_text());
        }
    }
    for junk in 0..=2 {
        let forge = forge.copy();
        hold(&forge, &forge.segment_key(HELD), false).await;
        // A copy signs with the first key.
        let mut thief = forge.copy();
        for _ in 0..junk {
            thief.seal(&[], |s| s.decrees = None).await;
            let key = seal_key(LOG, thief.seals.len() as u64 - 1);
            let bytes = thief.store.get(&key, None, u64::MAX).await.unwrap().unwrap();
            forge.put(&key, bytes).await;
        }
        for keys in [vec![old.clone()], vec![new.clone()], vec![old.clone(), new.clone()], vec![new.clone(), old.clone()]] {
            for to in [Some(0), Some(2), None] {
                let pinned = keys.clone();
                let wish = Options { pinned, to: to.map(Bound::Seal), ..options(&forge) };
                let report = spanseal::verify::verify(&forge.store, &wish).await;
                assert_ne!(report.verdict, Verdict::Verified, "{junk} {to:?}: {}", report.to_text());
                if junk == 0 {
                    assert_eq!(kinds(&report), ["hold_missing"], "{to:?}: {}", report.to_text());
                }
            }
        }
    }
}

/// Scenario: the clock of whoever verifies is wrong, and by it all dates are past. Guarantee: where the store's own clock says otherwise, that
/// what is gone went as planned is not concluded.
#[tokio::test]
async fn by_a_wrong_clock_nothing_is_past_its_date() {
    for (skew, verdict) in [(300, Verdict::Verified), (301, Verdict::Unchecked), (-301, Verdict::Unchecked)] {
        let forge = whole().await;
        forge.store.purge(&forge.segment_key(RELEASED), None);
        forge.store.set_clock_skew(skew);
        let report = spanseal::verify::verify(&forge.store, &options(&forge)).await;
        assert_eq!(report.verdict, verdict, "{skew}: {}", report.to_text());
        assert_eq!(report.to_text().contains("clock is"), verdict == Verdict::Unchecked, "{skew}");
    }
}
