//! Legal holds and the vault: what an open hold means is not erased unless the hold is named, and stays beyond its retention; nothing else does.

use std::collections::BTreeSet;
use std::time::Duration;

use spanseal::clock::{UnixNanos, UnixSeconds};
use spanseal::govern::decrees::SegmentId;
use spanseal::govern::register::{Motion, Ordered};
use spanseal::govern::{Deed, Governor, Wish as Act};
use spanseal::vault::{Expired, Keep};

use super::*;

/// Record `n` as [`batch_of`] makes it, in a trace, and naming nobody where no person is given.
fn of_trace(process: &Process, n: u64, person: Option<(&str, u8)>, trace: u8) -> Batch {
    let mut out = batch_of(process, n, person.map_or(9, |(_, person)| person));
    let mut json = Json::parse(out.line(&out.records[0])).unwrap();
    let Json::Object(members) = &mut json else { panic!() };
    let at = members.iter().position(|(name, _)| name == "subject").unwrap();
    let (_, subject) = members.remove(at);
    let who = subject.path("id").unwrap().clone();
    match person {
        Some(("subject", _)) => members.push(("subject".into(), subject)),
        Some(_) => members.push(("actor".into(), Json::object([("user_id", who)]))),
        None => out.apart.persons.clear(),
    }
    members.push(("trace".into(), Json::object([("trace_id", Json::String(format!("{trace:032x}")))])));
    out.lines = json.to_jcs();
    let record = &mut out.records[0];
    record.line = 0..out.lines.len();
    (_, record.sameness) = sameness_of_line(&out.lines).unwrap();
    out
}

/// A log with holds. Each record in a seal of its own: 1 of person 1 on the root of trace 1, 2 in it and naming nobody, 3 of person 2 in trace
/// 2, 4 that names person 1 as the user in trace 3, 5 of person 3.
struct Case {
    log: TestLog,
    process: Process,
    governor: Governor,
    eraser: Eraser,
}

async fn case() -> Case {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    for (n, person, trace) in
        [(1, Some(("subject", 1)), 1), (2, None, 1), (3, Some(("subject", 2)), 2), (4, Some(("user", 1)), 3), (5, Some(("subject", 3)), 4)]
    {
        process.submit(of_trace(&process, n, person, trace)).await.unwrap();
    }
    let governor = process.governor(&log);
    let eraser = eraser_with(&log, &process, governor.register.clone());
    Case { log, process, governor, eraser }
}

fn of_person(person: u8) -> Wish {
    Wish { who: format!("person-{person}@example.com"), ..wish() }
}

fn of_record(n: u64) -> Wish {
    Wish { scope: Scope::Record, who: id(n).to_string(), ..wish() }
}

impl Case {
    async fn order(&self, motion: Motion) {
        self.governor.seal(&Act { ground: Some("file 12".into()), ..Act::of(Deed::Decree(motion)) }).await.unwrap();
    }

    async fn place(&self, id: &str, query: &str) {
        self.order(Motion::Open { id: id.into(), order: Ordered::Hold, query: query.into() }).await;
    }

    async fn release(&self, id: &str) {
        self.order(Motion::Close { id: id.into(), segments: Vec::new(), through: 0 }).await;
    }

    async fn seal_of(&self, n: u64) -> u64 {
        self.log.check_log().await.records[&id(n)][0]
    }

    /// Which records' words and persons' ids the vault has.
    async fn has(&self) -> (Vec<u64>, Vec<u8>) {
        let all = vault_plain(self.log.place.as_ref().unwrap()).await;
        let said = (1..=5).filter(|n| holds(&all, &said(*n))).collect();
        (said, (1..=3).filter(|person| holds(&all, &format!("person-{person}@"))).collect())
    }

    /// Of an erasure that is refused, the holds and how many records each means.
    async fn refused(&self, wish: &Wish) -> Vec<(String, u64)> {
        match self.eraser.erase(wish).await {
            Err(EraseError::OnHold(holds)) => holds.into_iter().map(|hold| (hold.matter, hold.records)).collect(),
            Ok(outcome) => panic!("{outcome:?}"),
            Err(error) => panic!("{error}"),
        }
    }
}

fn subject(person: u8) -> String {
    format!(r#"{{"subject":["{}"]}}"#, vault_pseudonym(&[person; 16]))
}

/// Scenario: holds on a person, on a record of one of their traces that names nobody, on one that only names them, on a time when they said
/// nothing, on somebody else; and each is asked to be erased. Guarantee: what a hold means is refused with the hold and how much it means, also
/// in a dry run; nothing of the vault is touched; what no hold means is not refused.
#[tokio::test(start_paused = true)]
async fn what_is_on_hold_is_not_erased() {
    let case = case().await;
    let record = |n| format!(r#"{{"record_id":"{}"}}"#, id(n));
    // Persons have the number of their first record for a pseudonym.
    let (one, two) = (subject(1), subject(3));
    let never = format!(r#"{{"from":"2030-01-01T00:00:00Z","person":["{}"]}}"#, vault_pseudonym(&[1; 16]));
    let by_subject = Wish { scope: Scope::Subject, ..of_person(1) };
    for (query, wish, meant) in [
        (&one, of_person(1), Some(2)),
        (&one, of_record(1), Some(1)),
        (&one, of_record(2), Some(1)),
        (&one, of_person(2), None),
        (&one, of_record(4), None),
        (&record(2), of_person(1), Some(2)),
        (&record(2), of_record(1), Some(1)),
        (&record(3), of_person(1), None),
        (&record(4), by_subject.clone(), Some(1)),
        (&record(5), by_subject, None),
        (&never, of_person(1), Some(0)),
        (&never, of_record(1), None),
        (&two, of_person(2), Some(1)),
        (&r#"{"all":"records"}"#.to_owned(), of_person(3), Some(1)),
    ] {
        case.place("LH-1", query).await;
        let dry = case.eraser.erase(&Wish { dry_run: true, ..wish.clone() }).await.unwrap();
        let told = dry.on_hold.iter().map(|hold| (hold.matter.as_str(), hold.records, hold.despite)).collect::<Vec<_>>();
        let what = format!("{query} {:?} {}", wish.scope, wish.who);
        match meant {
            Some(n) => {
                assert_eq!(told, [("LH-1", n, false)], "{what}");
                assert_eq!(case.refused(&wish).await, [("LH-1".to_owned(), n)], "{what}");
            }
            None => assert_eq!(told, [], "{what}"),
        }
        case.release("LH-1").await;
    }
    assert_eq!(case.has().await, (vec![1, 2, 3, 4, 5], vec![1, 2, 3]));
    assert!(case.process.vault.as_ref().unwrap().all_intents().await.unwrap().is_empty());
    let outcome = case.eraser.erase(&of_person(1)).await.unwrap();
    assert!(outcome.done && outcome.on_hold.is_empty() && case.has().await == (vec![3, 5], vec![2, 3]), "{outcome:?}");
    drop(case.process.drain().await);
}

/// Scenario: two holds mean a person and one of them is named, then one that is not open, then both. Guarantee: each has to be named, and
/// the erasure's record names them, and no hold that it does not touch.
#[tokio::test(start_paused = true)]
async fn an_erasure_goes_before_the_holds_that_are_named() {
    let case = case().await;
    for (matter, query) in [("LH-1", subject(1)), ("LH-2", r#"{"kind":"inference"}"#.to_owned()), ("LH-3", subject(3))] {
        case.place(matter, &query).await;
    }
    let despite = |names: &[&str]| Wish { despite_holds: names.iter().map(|name| (*name).to_owned()).collect(), ..of_person(1) };
    assert_eq!(case.refused(&despite(&[])).await.len(), 2);
    assert_eq!(case.refused(&despite(&["LH-1"])).await, [("LH-2".to_owned(), 3)]);
    for (names, said) in
        [(&["LH-1", "LH-2", "LH-9"], "no hold of the name `LH-9` is open"), (&["", "LH-2", "LH-1"], "no names of legal holds")]
    {
        let wrong = case.eraser.erase(&despite(names)).await.unwrap_err();
        assert!(matches!(&wrong, EraseError::Wrong(why) if why.contains(said)), "{wrong}");
    }
    assert_eq!(case.has().await.0, [1, 2, 3, 4, 5]);
    let outcome = case.eraser.erase(&despite(&["LH-3", "LH-2", "LH-1"])).await.unwrap();
    let before = outcome.on_hold.iter().map(|hold| (hold.matter.as_str(), hold.records, hold.despite)).collect::<Vec<_>>();
    assert_eq!(before, [("LH-1", 2, true), ("LH-2", 3, true)]);
    assert_eq!(case.has().await, (vec![3, 5], vec![2, 3]));
    let contents = case.log.check_log().await;
    let erasures = contents.lines.iter().filter(|(_, line)| holds(line, r#""kind":"erasure""#));
    let filters = erasures.map(|(_, line)| Json::parse(line).unwrap().path("control.filter").and_then(Json::as_str).unwrap().to_owned());
    let filters = filters.collect::<Vec<_>>();
    assert!(filters.len() == 1 && filters[0].contains(r#""despite_holds":["LH-1","LH-2"]"#), "{filters:?}");
    drop(case.process.drain().await);
}

/// Scenario: a hold is placed while an erasure waits for a request that is under way. Guarantee: nothing is taken, nothing is left of the
/// erasure, and the person keeps their pseudonym.
#[tokio::test(start_paused = true)]
async fn a_hold_that_is_placed_before_anything_was_taken_counts() {
    let case = case().await;
    let late = of_trace(&case.process, 6, Some(("subject", 1)), 6);
    let permit = case.process.handle.pool.admit(late.memory()).await.unwrap();
    let eraser = case.eraser.clone();
    let erasure = tokio::spawn(async move { eraser.erase(&of_person(1)).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!erasure.is_finished(), "it waits");
    case.place("LH-1", &subject(1)).await;
    case.process.handle.submit(late, permit).await.unwrap();
    let refused = erasure.await.unwrap().unwrap_err();
    assert!(matches!(&refused, EraseError::OnHold(holds) if holds[0].records == 3), "{refused}");
    assert_eq!(case.has().await, (vec![1, 2, 3, 4, 5], vec![1, 2, 3]));
    let vault = case.process.vault.as_ref().unwrap();
    assert!(vault.all_intents().await.unwrap().is_empty());
    assert_eq!(vault.persons().pseudonym([1; 32], || [0xee; 16]).pseudonym, [1; 16]);
    case.release("LH-1").await;
    assert!(case.eraser.erase(&of_person(1)).await.unwrap().done);
    drop(case.process.drain().await);
}

/// Scenario: the records of holds cannot be read. Guarantee: nothing is erased and nothing expires, and it is said why.
#[tokio::test(start_paused = true)]
async fn while_it_is_not_known_what_is_on_hold_nothing_goes() {
    let case = case().await;
    case.place("LH-1", &subject(3)).await;
    let placed = case.log.check_log().await.files.pop().unwrap();
    // Another process: it knows only what it reads.
    let eraser = eraser(&case.log, &case.process);
    case.log.store.fail_reads(&placed.statement.segments[0].key, usize::MAX);
    for dry_run in [true, false] {
        let refused = eraser.erase(&Wish { dry_run, ..of_person(1) }).await.unwrap_err();
        assert!(matches!(&refused, EraseError::HoldsUnknown(why) if why.contains("could not all be read")), "{refused}");
    }
    assert_eq!(eraser.keep(over(&case.log)).await, Keep::Everything);
    case.log.store.clear_faults();
    assert!(eraser.erase(&of_person(1)).await.unwrap().done);
    drop(case.process.drain().await);
}

/// A retention that is over for everything.
fn over(log: &TestLog) -> (spanseal::retain::Period, UnixSeconds) {
    ("1d".parse().unwrap(), UnixSeconds(log.clock.now().ceil_seconds().0 + 10 * 86_400))
}

/// Scenario: holds on a person, carried out or not, while the retention of all content is over; evidence that cannot be read for a while; a
/// hold on everything; releases. Guarantee: what was said in the records that are meant, and in their traces, stays as long as a hold means it;
/// all else goes when it is known that it is not meant.
#[tokio::test(start_paused = true)]
async fn what_is_on_hold_does_not_expire() {
    let case = case().await;
    let vault = case.process.vault.as_ref().unwrap();
    let by = over(&case.log);
    let expire = async || {
        let keep = case.eraser.keep(by).await;
        (vault.expire(by.0, by.1, &keep).await.unwrap(), case.has().await.0)
    };
    case.place("all", r#"{"all":"records"}"#).await;
    assert_eq!(expire().await, (Expired { deleted: 0, kept: 5 }, vec![1, 2, 3, 4, 5]));
    let contents = case.log.check_log().await;
    case.place("LH-1", &subject(1)).await;
    let first = case.seal_of(1).await;
    let held = contents.files[usize::try_from(first).unwrap()].statement.segments[0].clone();
    let through = case.process.task.status.borrow().tree_size;
    let named = Motion::names([SegmentId::new(first, &held.sha256)]);
    case.order(Motion::Apply { id: "LH-1".into(), segments: named, through }).await;
    // It is not carried out.
    case.place("LH-2", &format!(r#"{{"record_id":"{}"}}"#, id(3))).await;
    case.release("all").await;
    let third = case.seal_of(3).await;
    let fifth = contents.files[usize::try_from(case.seal_of(5).await).unwrap()].statement.segments[0].key.clone();
    case.log.store.fail_reads(&fifth, usize::MAX);
    assert_eq!(case.eraser.keep(by).await, Keep::Everything, "it may be meant by what is not carried out");
    let through = case.process.task.status.borrow().tree_size;
    let held = contents.files[usize::try_from(third).unwrap()].statement.segments[0].clone();
    case.order(Motion::Apply { id: "LH-2".into(), segments: Motion::names([SegmentId::new(third, &held.sha256)]), through }).await;
    assert_eq!(expire().await, (Expired { deleted: 1, kept: 4 }, vec![1, 2, 3, 5]), "4 names person 1 and is not meant; 5 cannot be read");
    case.log.store.clear_faults();
    assert_eq!(expire().await, (Expired { deleted: 1, kept: 3 }, vec![1, 2, 3]));
    let seals = [case.seal_of(1).await, case.seal_of(2).await, case.seal_of(3).await];
    assert_eq!(case.eraser.keep(by).await, Keep::Seals(BTreeSet::from(seals)));
    case.release("LH-2").await;
    assert_eq!(expire().await, (Expired { deleted: 1, kept: 2 }, vec![1, 2]));
    case.release("LH-1").await;
    assert_eq!(expire().await, (Expired { deleted: 2, kept: 0 }, vec![]));
    drop(case.process.drain().await);
}

/// Scenario: by the commands, while `serve` runs, with a hold on somebody else in a trace that both share. Guarantee: placing it says what it is
/// to the vault; a dry run and the refusal name it and how much it means, before anybody is asked for a word; named, it is gone before, which
/// the story of the erasure tells.
#[test]
fn the_commands_say_what_is_on_hold() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    let placed = site.run(&["hold", "place", "--matter", "LH-1", "--reason", "file 12", "--user", BOB]).success();
    assert!(placed.stdout.contains("stays in the vault as long"), "{placed}");
    assert!(site.run(&["hold", "list"]).success().stdout.contains("stays in the vault"));
    let ask = |more: &[&str]| site.run(&[&["erase", "--person", ALICE, "--ground", "asked"], more].concat());
    let dry = ask(&["--dry-run"]);
    // What she said in the shared trace, and what was said there about both.
    assert!(dry.status.code() == Some(2) && dry.stdout.contains("But on legal hold, so that nothing is erased"), "{dry}");
    assert!(dry.stdout.contains("`LH-1` (2 records)"), "{dry}");
    let refused = ask(&["--yes"]);
    assert!(refused.status.code() == Some(2) && refused.stderr.contains("nothing was erased, because on legal hold"), "{refused}");
    assert!(refused.stderr.contains("`LH-1` (2 records)") && refused.stderr.contains("--despite-hold LH-1"), "{refused}");
    assert!(holds(&vault_bytes(&site), "ALICE-IN-SHARED"));
    let done = ask(&["--yes", "--despite-hold", "LH-1"]).success();
    assert!(done.stdout.contains("It went before legal holds: `LH-1` (2 records); its record says so."), "{done}");
    assert!(!holds(&vault_bytes(&site), "ALICE-IN-SHARED"));
    let erasure = found(&site, &["--kind", "erasure"])[0]["record"]["id"].as_str().unwrap().to_owned();
    let told = again::flat(&site.run(&["show", &erasure]).success().stdout);
    assert!(
        told.contains("It went before a legal hold that was open and meant something of what it took, as it was told to: \"LH-1\"."),
        "{told}"
    );
    site.verified();
    assert!(receiver.stop().success());
}

/// Scenario: evidence of somebody is gone since its date; its content is in the vault still, and then gone as well. Guarantee: nobody else's erasure is
/// held up by it for good, and none is told as whole while something may be left that nobody can find.
#[tokio::test]
async fn what_is_gone_since_its_date_holds_up_no_erasure_for_ever() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let day = |n: u64| UnixNanos((1_735_689_600 + 86_400 * n) * 1_000_000_000);
    log.clock.set(day(0));
    let process = log.open().await.unwrap().unwrap();
    process.submit(batch_of(&process, 1, 1)).await.unwrap();
    log.clock.set(day(40));
    process.submit(batch_of(&process, 2, 2)).await.unwrap();
    let segment =
        log.store.keys().into_iter().find(|key| key.as_str().contains("/segments/") && key.as_str().contains("/00000000000000000001-"));
    log.store.purge(&segment.unwrap(), None);
    let eraser = eraser(&log, &process);
    let wish = of_person(2);
    let why = eraser.erase(&wish).await.unwrap_err().to_string();
    assert!(why.contains("in the vault") && why.contains("content.vault.retention"), "{why}");
    let vault = process.vault.clone().unwrap();
    let expired = vault.expire("30d".parse().unwrap(), day(45).ceil_seconds(), &Keep::default()).await.unwrap();
    assert_eq!(expired, Expired { deleted: 1, kept: 0 });
    let outcome = eraser.erase(&wish).await.unwrap();
    assert!(outcome.done && outcome.records == 1, "{outcome:?}");
    drop(process.drain().await);
}
