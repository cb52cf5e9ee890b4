//! What was erased stays erased, whoever puts back, takes away or sends again; and what somebody else took is not called erased.

use std::collections::BTreeSet;

use spanseal::vault::{Intent, Keep, Places, Told, VaultStore};
use spanseal::worm::ObjectKey;

use super::*;
use crate::support::eventually;
use crate::support::place::Place;

/// Copies a folder with everything in it.
pub(crate) fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What `show --content` brings back, or says of what is not there.
pub(crate) fn word_for_word(shown: &str) -> &str {
    let (_, section) = shown.split_once("What was said, word for word").unwrap_or_else(|| panic!("{shown}"));
    section.split("Who says so").next().unwrap_or_default()
}

pub(crate) fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn trace(n: u8) -> String {
    format!("{n:032x}")
}

fn erase(site: &Site, arguments: &[&str]) {
    site.run(&[&["erase", "--ground", "asked", "--yes"], arguments].concat()).success();
}

/// `content.vault.retention`, and a time at which nothing of these tests is over.
pub(crate) fn by_now() -> (spanseal::retain::Period, spanseal::clock::UnixSeconds) {
    ("180d".parse().unwrap(), spanseal::clock::UnixSeconds(1_800_000_000))
}

/// Whether it is what is expected of what was erased, with this as the reason if not.
fn returns(site: &Site, what: &str) {
    let all = vault_bytes(site);
    assert!(holds(&all, ALICE) && GONE.iter().all(|text| holds(&all, text)), "{what}: the older copy is in place");
}

/// Scenario: a person is erased, and then an older copy of the vault is put back, whole (with what the vault remembers of itself) or the
/// packs and the persons only. Guarantee: whoever looks is told and shown nothing of it, `doctor` says so, and the next start erases all of
/// it again before anybody can be named by the old pseudonym.
#[test]
fn an_older_copy_of_the_vault_brings_nothing_back() {
    for parts in [&["."][..], &["packs", "persons"]] {
        let site = site();
        let receiver = site.serve();
        everything(&receiver);
        assert!(receiver.stop().success());
        let (vault, backup) = (site.path("store-vault"), site.path("backup"));
        copy(&vault, &backup);
        let receiver = site.serve();
        erase(&site, &["--person", ALICE]);
        assert!(receiver.stop().success());
        expect_erased(&site);
        for part in parts {
            copy(&backup.join("spanseal").join(part), &vault.join("spanseal").join(part));
        }
        returns(&site, &format!("{parts:?}"));

        let shown = site.run(&["show", &trace(1), "--content", "--identities"]);
        assert_eq!(shown.status.code(), Some(2), "{parts:?} {shown}");
        let told = flat(&shown.stdout);
        assert_eq!(told.matches("and yet in the vault again").count(), 2, "contents and a person: {shown}");
        assert!(told.contains("- record 1: what came out - record 2: what came out"), "{shown}");
        assert!(!told.contains(ALICE) && GONE.iter().all(|text| !told.contains(text)), "{shown}");
        let found = site.run(&["query", "--trace-id", &trace(1), "--content", "--format", "json"]);
        let states: Vec<Value> = serde_json::from_str(&found.stdout).unwrap();
        assert!(states.iter().all(|hit| hit["content"][0]["state"] == "undone") && found.status.code() == Some(2), "{found}");
        let asked = site.run(&["query", "--person", ALICE, "--format", "json"]);
        assert!(asked.status.code() == Some(2) && asked.stdout.trim() == "[]", "{asked}");
        assert!(asked.stderr.contains("who was asked for was erased") && !asked.stderr.contains(ALICE), "{asked}");
        let doctor = site.run(&["doctor"]);
        assert_eq!(doctor.status.code(), Some(1), "{doctor}");
        let told = flat(&doctor.stdout);
        assert!(told.contains("what was erased is there again (entries of persons: 1, records with content: 3)"), "{doctor}");

        let receiver = site.serve();
        eventually("what came back is erased again", || receiver.stderr().contains("contents=3").then_some(()));
        expect_erased(&site);
        let said = receiver.stderr();
        assert!(said.contains("erasure.undone") && !said.contains(ALICE), "{said}");
        // Who comes back is somebody new, also to a vault that was put back.
        send(&receiver, &[span(9, 1, "BACK-AGAIN", &[(SUBJECT, ALICE)])]);
        assert_eq!(super::found(&site, &["--subject", ALICE]).len(), 1);
        assert!(receiver.stop().success());
        assert_eq!(site.run(&["doctor"]).status.code(), Some(0));
    }
}

/// Scenario: a person is erased in a trace that is others' too; then somebody deletes the pack with what is left of it. Guarantee: erased is
/// what the erasure took, and the rest is missing, whomever the trace names.
#[test]
fn what_somebody_else_deleted_is_not_called_erased() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    erase(&site, &["--person", ALICE]);
    assert!(receiver.stop().success());
    let states = || {
        let found = site.run(&["query", "--trace-id", &trace(3), "--content", "--format", "json"]);
        let hits: Vec<Value> = serde_json::from_str(&found.stdout).unwrap();
        let state = |hit: &Value| hit["content"][0]["state"].as_str().unwrap().to_owned();
        (hits.iter().map(state).collect::<Vec<_>>(), found.status.code())
    };
    assert_eq!(states(), (["erased", "checked", "checked", "checked"].map(str::to_owned).to_vec(), Some(0)));
    std::fs::remove_dir_all(site.path("store-vault/spanseal/packs")).unwrap();
    assert_eq!(states(), (["erased", "missing", "missing", "missing"].map(str::to_owned).to_vec(), Some(2)));
    let erasure = found(&site, &["--kind", "erasure"]);
    let record = Json::parse(erasure[0]["record"].to_string().as_bytes()).unwrap();
    let taken = Told::parse(&record).unwrap().records.unwrap();
    assert_eq!(taken.values().map(|ids| ids.len()).sum::<usize>(), 3, "{taken:?}");
    // What was missing before an erasure was not taken by it.
    erase(&site, &["--person", BOB]);
    assert_eq!(states().0, ["erased", "missing", "missing", "missing"]);
    site.verified();
}

/// Scenario: somebody deletes the objects of persons, while nothing runs. Guarantee: whoever asks for somebody is told that they may be among
/// those who are lost, and so are `doctor`, the next start, and whoever wants to erase somebody; who was erased properly is not missed.
#[test]
fn persons_who_were_taken_away_are_missed() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    erase(&site, &["--person", ALICE]);
    assert!(receiver.stop().success());
    let nobody = site.run(&["query", "--person", "carol@example.com"]);
    assert!(nobody.status.code() == Some(0) && nobody.stderr.contains("0 found"), "whoever was erased is not missed: {nobody}");
    std::fs::remove_dir_all(site.path("store-vault/spanseal/persons")).unwrap();
    let asked = site.run(&["query", "--user", BOB]);
    assert_eq!(asked.status.code(), Some(2), "{asked}");
    assert!(asked.stderr.contains("1 person whom records name is not in the vault, and no erasure took them"), "{asked}");
    let shown = site.run(&["show", &trace(2), "--identities"]);
    assert!(shown.status.code() == Some(2) && flat(&shown.stdout).contains("not in the vault, and no erasure explains it"), "{shown}");
    let doctor = site.run(&["doctor"]);
    assert!(doctor.status.code() == Some(1) && doctor.stdout.contains("of its objects of persons is not there any more"), "{doctor}");
    let told = site.run(&["erase", "--person", BOB, "--ground", "asked", "--dry-run"]);
    assert!(told.stdout.contains("not in the vault, and no erasure took them"), "{told}");
    for start in ["the start says so", "and so does the next one"] {
        let receiver = site.serve();
        eventually(start, || receiver.stderr().contains("vault.persons.gone").then_some(()));
        assert!(receiver.stop().success());
    }
    let doctor = site.run(&["doctor"]);
    assert!(doctor.status.code() == Some(1) && doctor.stdout.contains("of its objects of persons is not there any more"), "{doctor}");
}

/// Scenario: a person is erased, and the process starts anew; then everything is sent once more, in one request with somebody else's news,
/// and a late child of the erased trace. Guarantee: no id and no content comes back.
#[test]
fn a_restart_does_not_let_a_resend_bring_back_what_was_erased() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    erase(&site, &["--person", ALICE]);
    assert!(receiver.stop().success());
    let receiver = site.serve();
    let news = span(4, 1, "NEWS-OF-BOB", &[(SUBJECT, BOB)]);
    send(&receiver, &[span(1, 1, "ROOT-OF-ALICE", &[(SUBJECT, ALICE)]), span(1, 2, "CHILD-OF-ALICE", &[]), news]);
    everything(&receiver);
    expect_erased(&site);
    assert!(holds(&vault_bytes(&site), "NEWS-OF-BOB"));
    send(&receiver, &[span(1, 3, "LATE-CHILD", &[])]);
    assert!(receiver.stop().success());
    // The keeper's first round, at every start.
    let receiver = site.serve();
    eventually("the late child is erased too", || (found(&site, &["--kind", "erasure"]).len() == 2).then_some(()));
    assert!(!holds(&vault_bytes(&site), "LATE-CHILD"));
    let shown = site.run(&["show", &trace(1), "--content"]).success();
    let told = flat(word_for_word(&shown.stdout));
    assert_eq!((told.matches("Erased on 20").count(), told.matches("- record").count()), (2, 3), "two erasures of three contents: {shown}");
    assert!(receiver.stop().success());
    site.verified();
}

/// Scenario: people whose ids look like what evidence names persons by, have spaces at their ends, or are longer than anything that the
/// vault keeps, and another long one that begins alike. Guarantee: each is found and erased by the id as it was sent, and nobody else is.
#[test]
fn every_id_can_be_named() {
    let site = site();
    let receiver = site.serve();
    let long: &'static str = "x".repeat(2000).leak();
    let other: &'static str = format!("{}y", "x".repeat(1999)).leak();
    let ids = ["ps:odd", "id:42", " spaces ", long, "ps:vault:00112233445566778899aabbccddeeff"];
    for (n, id) in (1..).zip(ids) {
        send(&receiver, &[span(n, 1, &format!("SAID-BY-{n}"), &[(SUBJECT, id)])]);
    }
    send(&receiver, &[span(20, 1, "SAID-BY-OTHER", &[(SUBJECT, other)])]);
    for (n, id) in (1..).zip(ids) {
        let one = found(&site, &["--subject", id, "--as-sent"]);
        assert_eq!((one.len(), one[0]["record"]["trace"]["trace_id"].as_str().unwrap()), (1, trace(n).as_str()), "{id}");
        if id.starts_with("ps:") || id.starts_with("id:") {
            assert!(found(&site, &["--subject", id]).is_empty(), "taken literally: {id}");
        } else {
            assert_eq!(found(&site, &["--subject", id]).len(), 1, "{id}");
        }
    }
    for (n, id) in (1..).zip(ids) {
        erase(&site, &["--subject", id, "--as-sent"]);
        let all = vault_bytes(&site);
        assert!(!holds(&all, &format!("SAID-BY-{n}")) && holds(&all, "SAID-BY-OTHER"), "{id}");
        assert!(found(&site, &["--subject", id, "--as-sent"]).is_empty(), "{id}");
    }
    assert_eq!(found(&site, &["--subject", other]).len(), 1);
    assert!(receiver.stop().success());
}

/// Scenario: who asks for an erasure is named by an id, by a pseudonym of the vault, by something that only begins like one, or is the person
/// who is erased. Guarantee: `control.by` is a person like any other, no id stands in evidence, and who is erased has no entry afterwards.
#[test]
fn who_asks_is_a_person_like_any_other() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    let by = |n: usize| found(&site, &["--kind", "erasure"])[n]["record"]["control"]["by"].as_str().unwrap().to_owned();
    let bob = found(&site, &["--trace-id", &trace(2)])[0]["record"]["subject"]["id"].as_str().unwrap().to_owned();
    let ids: Vec<String> =
        (1..=4).map(|n| found(&site, &["--trace-id", &trace(3)])[n - 1]["record"]["id"].as_str().unwrap().to_owned()).collect();
    erase(&site, &["--record", &ids[0], "--by", "ps:clerk-7"]);
    erase(&site, &["--record", &ids[1], "--by", &bob]);
    erase(&site, &["--record", &ids[2], "--by", BOB]);
    assert!(by(0).starts_with("ps:vault:") && by(0).len() == bob.len() && by(0) != bob, "{}", by(0));
    assert_eq!((by(1), by(2)), (bob.clone(), bob), "one person, one name");
    let unknown = format!("ps:vault:{}", "0".repeat(32));
    let refused = site.run(&["erase", "--record", &ids[3], "--by", &unknown, "--ground", "asked", "--yes"]);
    assert!(refused.status.code() == Some(2) && refused.stderr.contains("nobody in the vault has the pseudonym"), "{refused}");
    // Of an application of their own, and so not the person whom `--by` would be without more.
    let carol = "carol@example.com";
    send_in(&receiver, Some("loans"), &[span(5, 1, "SAID-BY-CAROL", &[(SUBJECT, carol)])]);
    let pseudonym = found(&site, &["--subject", carol])[0]["record"]["subject"]["id"].as_str().unwrap().to_owned();
    erase(&site, &["--person", carol, "--by", carol]);
    assert_eq!(by(3), pseudonym);
    assert!(!holds(&vault_bytes(&site), carol) && !holds(&stored_bytes(&site.path("store")), "clerk-7"));
    assert!(receiver.stop().success());
}

/// Scenario: of two erasures that broke off, the first by name meets a pack that cannot be read. Guarantee: all that can be read is erased,
/// the other one is finished and sealed, the failing one is named with what to do, and it is finished once that is done.
#[tokio::test(start_paused = true)]
async fn an_erasure_that_cannot_be_finished_does_not_keep_the_others() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let place = log.place.clone().unwrap();
    let process = log.open().await.unwrap().unwrap();
    for (n, person) in [(1, 1), (2, 2), (3, 1), (4, 2)] {
        process.submit(batch_of(&process, n, person)).await.unwrap();
    }
    let erasing = eraser(&log, &process);
    for person in [1, 2] {
        place.fail_effect(2, PlaceFault::Refused);
        let who = format!("person-{person}@example.com");
        assert!(erasing.erase(&Wish { who, ..wish() }).await.is_err());
    }
    let vault = process.vault.clone().unwrap();
    let intents = vault.intents().await.unwrap();
    assert_eq!(intents.len(), 2);
    // Whoever's is the first. Records 1 and 3 are person 1's, 2 and 4 person 2's, each in a seal of its own.
    let first = if intents[0].pseudonyms == [[1; 16]] { 0 } else { 1 };
    let junk = ObjectKey(place.keys("packs/")[first].clone());
    let true_pack = VaultStore::get(&place, &junk).await.unwrap().unwrap();
    VaultStore::put(&place, &junk, "junk".into()).await.unwrap();
    let error = erasing.finish().await.unwrap_err();
    assert!(matches!(&error, EraseError::Unread(_)) && error.to_string().contains(junk.as_str()), "{error}");
    assert_eq!(vault.intents().await.unwrap(), vec![vault.intents().await.unwrap()[0].clone()], "one is left");
    assert_eq!(vault.intents().await.unwrap()[0].random, intents[0].random);
    VaultStore::delete(&place, &junk).await.unwrap();
    let all = vault_plain(&place).await;
    for n in 1..=4 {
        assert!(!holds(&all, &said(n)), "{n}");
    }
    assert!(!holds(&all, "@example.com"));
    VaultStore::put(&place, &junk, true_pack).await.unwrap();
    assert_eq!(erasing.finish().await.unwrap(), 1);
    let all = vault_plain(&place).await;
    assert!(!holds(&all, "what record"));
    let contents = log.check_log().await;
    assert_eq!(contents.lines.iter().filter(|(_, line)| holds(line, "\"kind\":\"erasure\"")).count(), 2);
    drop(process.drain().await);
}

/// Scenario: somebody deletes an object of persons, and puts back an older one with somebody who was erased, while the log is written.
/// Guarantee: the keeper's next round notices; who is met again is brought to the vault again under the same pseudonym, and who was erased
/// goes again.
#[tokio::test(start_paused = true)]
async fn persons_who_are_taken_away_meanwhile_are_written_again() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let place = log.place.clone().unwrap();
    let process = log.open().await.unwrap().unwrap();
    for (n, person) in [(1, 1), (2, 2)] {
        process.submit(batch_of(&process, n, person)).await.unwrap();
    }
    let erasing = eraser(&log, &process);
    let round = async |nth| erasing.round(nth, process.task.status.borrow().tree_size, by_now(), &Keep::Nothing).await.unwrap();
    erasing.begin(process.task.status.borrow().tree_size).await.unwrap();
    let before: Vec<ObjectKey> = place.keys("persons/").into_iter().map(ObjectKey).collect();
    let mut copies = Vec::new();
    for key in &before {
        copies.push((key.clone(), VaultStore::get(&place, key).await.unwrap().unwrap()));
    }
    assert!(erasing.erase(&wish()).await.unwrap().done);
    round(1).await;
    let persons = process.vault.as_ref().unwrap().persons();
    assert!(persons.pseudonym([2; 32], || [9; 16]).stored);
    for key in place.keys("persons/") {
        VaultStore::delete(&place, &ObjectKey(key)).await.unwrap();
    }
    round(2).await;
    let given = persons.pseudonym([2; 32], || [9; 16]);
    assert_eq!((given.pseudonym, given.stored), ([2; 16], false), "the same one, and not there");
    let lost = || process.vault.as_ref().unwrap().lost().persons;
    assert_eq!((lost(), place.vault().missing_objects().await.unwrap().len()), (1, 1));
    round(3).await;
    assert_eq!((lost(), place.vault().missing_objects().await.unwrap().len()), (1, 1), "as long as nothing mends it");
    process.submit(batch_of(&process, 3, 2)).await.unwrap();
    round(4).await;
    assert_eq!((lost(), place.vault().missing_objects().await.unwrap().len()), (0, 0), "they are written again");
    assert_eq!(place.vault().resolve(&HashSet::from([[2; 16]])).await.unwrap().len(), 1);
    // Nothing that this process knows is gone: there is only more than it knows.
    for (key, body) in copies {
        VaultStore::put(&place, &key, body).await.unwrap();
    }
    assert_eq!(place.vault().resolve(&HashSet::from([[1; 16]])).await.unwrap().len(), 1);
    round(5).await;
    let known = place.vault().resolve(&HashSet::from([[1; 16], [2; 16]])).await.unwrap();
    assert_eq!(known.iter().map(|entry| entry.pseudonym).collect::<Vec<_>>(), [[2; 16]], "who was erased is not there again");
    drop(process.drain().await);
}

/// Scenario: the vault of another log of the same name and under the same vault key (staging's, say) has erased records and persons that
/// this log has too, and is erasing another; somebody copies what it remembers of that into this log's vault, before a start and while the
/// log is written. Guarantee: nothing is taken away by it, what was refused is told, and what this log itself erases counts as ever.
#[tokio::test(start_paused = true)]
async fn what_another_log_erased_is_nothing_to_this_one() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let place = log.place.clone().unwrap();
    let process = log.open().await.unwrap().unwrap();
    for (n, person) in [(1, 1), (2, 2), (3, 3)] {
        process.submit(batch_of(&process, n, person)).await.unwrap();
    }
    let contents = log.check_log().await;
    let sealed = |n: u64| {
        let statement = &contents.files[usize::try_from(contents.records[&id(n)][0]).unwrap()].statement;
        ((statement.index, spanseal::vault::told::day_of(statement.sealed_at)), BTreeSet::from([id(n)]))
    };
    let staging = Place::default();
    let other = staging.vault();
    other.claim("another key").await.unwrap();
    let all = |state: &mut spanseal::vault::State| {
        state.taken = Places::from([sealed(1), sealed(2)]);
        state.persons = BTreeSet::from([[1; 16], [2; 16]]);
        state.searched = 1000;
    };
    other.change_state(all).await.unwrap();
    let begun = Intent {
        random: [9; 16],
        scope: Scope::Record,
        pseudonyms: vec![[2; 16]],
        forms: Vec::new(),
        record: Some(id(2)),
        shared: false,
        by: None,
        asked: None,
        begun: None,
        ground: "asked elsewhere".into(),
        ticket: None,
        despite: BTreeSet::new(),
        taking: Places::new(),
        absent: Places::new(),
        known: BTreeSet::from([(id(2), 1)]),
        traces: BTreeSet::new(),
        searched: None,
        done: None,
    };
    other.intend(&begun).await.unwrap();
    let bring = async || {
        for key in [staging.keys("state"), staging.keys("erasures/")].concat() {
            let key = ObjectKey(key);
            VaultStore::put(&place, &key, VaultStore::get(&staging, &key).await.unwrap().unwrap()).await.unwrap();
        }
    };
    let expect_whole = async |gone: &[u64]| {
        let all = vault_plain(&place).await;
        for n in 1..=3 {
            assert_eq!(holds(&all, &said(n)) && holds(&all, &format!("person-{n}@")), !gone.contains(&n), "{n}");
        }
    };
    bring().await;
    let refused = place.vault().refused().await.unwrap();
    assert_eq!(refused.len(), 2);
    assert!(refused.iter().all(|e| e.to_string().contains("is of the log with the key another key, not of this log")), "{refused:?}");
    assert!(place.vault().stored_state().await.is_err(), "no reader believes it");
    process.kill();
    let process = log.open().await.unwrap().unwrap();
    let size = process.task.status.borrow().tree_size;
    let erasing = eraser(&log, &process);
    erasing.begin(size).await.unwrap();
    assert_eq!(erasing.finish().await.unwrap(), 0);
    erasing.round(0, size, by_now(), &Keep::Nothing).await.unwrap();
    expect_whole(&[]).await;
    bring().await;
    assert_eq!(erasing.finish().await.unwrap(), 0);
    erasing.round(144, size, by_now(), &Keep::Nothing).await.unwrap();
    expect_whole(&[]).await;
    let own = process.vault.as_ref().unwrap().persons().pseudonym([1; 32], || [0; 16]).pseudonym;
    assert_eq!(own, [1; 16], "nobody was forgotten");
    assert!(erasing.erase(&Wish { who: "person-3@example.com".into(), ..wish() }).await.unwrap().done);
    expect_whole(&[3]).await;
    assert_eq!(place.vault().stored_state().await.unwrap().persons, BTreeSet::from([[3; 16]]));
    drop(process.drain().await);
}

/// Scenario: content still comes of an erased trace, and the process dies at any change that taking it makes; then another one starts.
/// Guarantee: it is gone in the end, its record says so once, and what the erasure took before is not named again.
#[tokio::test(start_paused = true)]
async fn what_comes_late_is_taken_whatever_breaks_it_off() {
    for fault in [PlaceFault::Hangs, PlaceFault::HangsForGood] {
        let mut nth = 1;
        while late_and_broken_off(nth, fault).await {
            nth += 1;
        }
        assert!(nth > 3, "the intent, the pack and the state are changed: {nth}");
    }
}

/// The same record in the trace that is erased.
pub(crate) fn in_trace(mut batch: Batch) -> Batch {
    let mut json = Json::parse(batch.line(&batch.records[0])).unwrap();
    let Json::Object(members) = &mut json else { panic!() };
    members.push(("trace".into(), Json::object([("trace_id", Json::string("t1"))])));
    batch.lines = json.to_jcs();
    batch.records[0].line = 0..batch.lines.len();
    batch
}

/// The same record, naming nobody.
pub(crate) fn of_nobody(mut batch: Batch) -> Batch {
    let json = String::from_utf8(batch.lines.clone()).unwrap();
    let subject = json.find(",\"subject\"").unwrap();
    let end = json[subject..].find('}').unwrap();
    batch.lines = [&json[..subject], &json[subject + end + 1..]].concat().into_bytes();
    batch.records[0].line = 0..batch.lines.len();
    batch.apart.persons.clear();
    batch
}

/// Scenario: content comes of an erased trace, and an erasure of it that was finished more than `seal.dedup_window` ago is put back into the
/// vault. Guarantee: what came stays, and the old erasure is forgotten.
#[tokio::test(start_paused = true)]
async fn an_erasure_whose_time_is_over_takes_nothing_that_came_later() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let place = log.place.clone().unwrap();
    let process = log.open().await.unwrap().unwrap();
    process.submit(in_trace(batch_of(&process, 1, 1))).await.unwrap();
    let erasing = eraser(&log, &process);
    assert!(erasing.erase(&wish()).await.unwrap().done);
    process.submit(in_trace(of_nobody(batch_of(&process, 2, 2)))).await.unwrap();
    let vault = process.vault.clone().unwrap();
    let mut old = vault.all_intents().await.unwrap().remove(0);
    old.done = old.done.map(|done| spanseal::clock::UnixSeconds(done.0 - 3700));
    vault.intend(&old).await.unwrap();
    erasing.round(1, process.task.status.borrow().tree_size, by_now(), &Keep::Nothing).await.unwrap();
    let all = vault_plain(&place).await;
    assert!(holds(&all, &said(2)) && place.keys("erasures/").is_empty());
    drop(process.drain().await);
}

/// The same at one change; answers whether there was one.
async fn late_and_broken_off(nth: u64, fault: PlaceFault) -> bool {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let place = log.place.clone().unwrap();
    let process = log.open().await.unwrap().unwrap();
    process.submit(in_trace(batch_of(&process, 1, 1))).await.unwrap();
    let erasing = eraser(&log, &process);
    assert!(erasing.erase(&wish()).await.unwrap().done);
    process.submit(in_trace(of_nobody(batch_of(&process, 2, 2)))).await.unwrap();
    let before = place.effects();
    place.fail_effect(nth, fault);
    let size = process.task.status.borrow().tree_size;
    let _ = tokio::time::timeout(std::time::Duration::from_secs(600), erasing.round(1, size, by_now(), &Keep::Nothing)).await;
    let changes = place.effects() - before;
    place.clear_faults();
    process.kill();
    let process = log.open().await.unwrap().unwrap();
    let erasing = eraser(&log, &process);
    let size = process.task.status.borrow().tree_size;
    erasing.begin(size).await.unwrap();
    assert_eq!(erasing.finish().await.unwrap(), 0);
    erasing.round(0, size, by_now(), &Keep::Nothing).await.unwrap();
    let all = vault_plain(&place).await;
    assert!(!holds(&all, &said(1)) && !holds(&all, &said(2)), "{nth}");
    let contents = log.check_log().await;
    let told: Vec<Told> = contents.lines.iter().filter_map(|(_, line)| Told::parse(&Json::parse(line).unwrap())).collect();
    let taken = told.iter().map(|told| told.records.as_ref().unwrap().values().map(|ids| ids.len()).sum::<usize>());
    assert_eq!(taken.collect::<Vec<_>>(), [1, 1], "{nth}");
    assert_eq!(place.vault().stored_state().await.unwrap().taken.len(), 2, "{nth}");
    drop(process.drain().await);
    nth <= changes
}
