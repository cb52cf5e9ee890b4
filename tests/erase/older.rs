//! What an older copy of the vault's own memory would make of it, put back: an erasure under way that is done long since, and a state that
//! knows nothing of what came after.

use std::time::Duration;

use bytes::Bytes;
use spanseal::erase::is_old;
use spanseal::vault::VaultStore;
use spanseal::worm::{ObjectKey, WormStore};

use super::again::{by_now, copy, flat, in_trace, of_nobody, trace, word_for_word};
use super::*;

async fn objects(place: &Place, prefix: &str) -> Vec<(ObjectKey, Bytes)> {
    let mut found = Vec::new();
    for key in place.keys(prefix) {
        let key = ObjectKey(key);
        let body = VaultStore::get(place, &key).await.unwrap().unwrap();
        found.push((key, body));
    }
    found
}

async fn put_back(place: &Place, objects: &[(ObjectKey, Bytes)]) {
    for (key, body) in objects {
        VaultStore::put(place, key, body.clone()).await.unwrap();
    }
}

/// Scenario: an erasure breaks off, early or late, and is finished; long after, the same trace and the same record bring something new. Then
/// what the vault had when it broke off is put back: the erasure under way, or all of it. Guarantee: what came since stays, what was erased
/// goes again, and no second record of an erasure is sealed.
#[tokio::test(start_paused = true)]
async fn an_older_erasure_under_way_takes_nothing_that_came_since() {
    for (scope, nth, what) in
        [(Scope::Person, 2, "erasures/"), (Scope::Person, 3, "erasures/"), (Scope::Person, 3, ""), (Scope::Record, 2, "erasures/")]
    {
        let log = TestLog::with_vault(CreateOnly::Honoured);
        let place = log.place.clone().unwrap();
        let process = log.open().await.unwrap().unwrap();
        process.submit(in_trace(batch_of(&process, 1, 1))).await.unwrap();
        let erasing = eraser(&log, &process);
        place.fail_effect(nth, PlaceFault::Refused);
        let who = if scope == Scope::Record { id(1).to_string() } else { wish().who };
        assert!(erasing.erase(&Wish { scope, who, ..wish() }).await.is_err());
        let old = objects(&place, what).await;
        assert!(old.iter().any(|(key, _)| key.as_str().contains("erasures/")));
        assert_eq!(erasing.finish().await.unwrap(), 1);
        drop(process.drain().await);

        log.clock.advance(Duration::from_secs(7200));
        let process = log.open().await.unwrap().unwrap();
        let later = if scope == Scope::Record { 1 } else { 2 };
        process.submit(in_trace(of_nobody(batch_of(&process, later, 2)))).await.unwrap();
        drop(process.drain().await);
        put_back(&place, &old).await;
        let process = log.open().await.unwrap().unwrap();
        let erasing = eraser(&log, &process);
        let size = process.task.status.borrow().tree_size;
        erasing.begin(size).await.unwrap();
        assert_eq!(erasing.finish().await.unwrap(), 1, "{scope:?} {nth} {what}");
        erasing.round(0, size, by_now(), &spanseal::vault::Keep::Nothing).await.unwrap();
        let all = vault_plain(&place).await;
        assert!(holds(&all, &said(later)), "{scope:?} {nth} {what}: what came since is there");
        assert!(later == 1 || !holds(&all, &said(1)), "{scope:?} {nth} {what}: what was erased is not");
        assert!(scope == Scope::Record || !holds(&all, "person-1@"), "{scope:?} {nth} {what}");
        assert!(place.keys("erasures/").is_empty(), "{scope:?} {nth} {what}");
        let contents = log.check_log().await;
        assert_eq!(contents.lines.iter().filter(|(_, line)| holds(line, "\"kind\":\"erasure\"")).count(), 1, "{scope:?} {nth} {what}");
        drop(process.drain().await);
    }
}

/// Scenario: a log is written for an hour and a half, after a pause of a week, and then the state of the vault from before is put back.
/// Guarantee: it is told from the one that belongs there, and a pause is not taken for that.
#[tokio::test(start_paused = true)]
async fn an_older_state_is_told() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let place = log.place.clone().unwrap();
    let process = log.open().await.unwrap().unwrap();
    let store: Arc<dyn WormStore> = Arc::new(process.store.clone());
    let key = TestLog::key();
    let is_old = async || is_old(&store, (LOG, key.verifier()), &place.vault().stored_state().await.unwrap()).await.unwrap();
    let erasing = eraser(&log, &process);
    erasing.begin(process.task.status.borrow().tree_size).await.unwrap();
    let old = objects(&place, "state").await;
    // Killed ten minutes after the state was written, and started again a week later.
    log.clock.advance(Duration::from_secs(600));
    process.submit(batch_of(&process, 1, 1)).await.unwrap();
    log.clock.advance(Duration::from_secs(7 * 86_400));
    process.submit(batch_of(&process, 2, 1)).await.unwrap();
    assert!(!is_old().await);
    for n in 3..8 {
        log.clock.advance(Duration::from_secs(1200));
        process.submit(batch_of(&process, n, 1)).await.unwrap();
        erasing.round(1, process.task.status.borrow().tree_size, by_now(), &spanseal::vault::Keep::Nothing).await.unwrap();
        assert!(!is_old().await, "{n}");
    }
    put_back(&place, &old).await;
    assert!(is_old().await);
    drop(process.drain().await);
}

/// Scenario: an erasure meets a pack that is junk, and then the pack is put back. Guarantee: until the erasure is finished nobody is shown
/// what it takes, everybody is told that it is under way, and the next start finishes it.
#[test]
fn what_is_being_erased_is_not_shown() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    let packs = site.path("store-vault/spanseal/packs");
    let backup = site.path("backup");
    copy(&packs, &backup);
    for day in std::fs::read_dir(&packs).unwrap() {
        for pack in std::fs::read_dir(day.unwrap().path()).unwrap() {
            std::fs::write(pack.unwrap().path(), "J".repeat(300)).unwrap();
        }
    }
    let tried = site.run(&["erase", "--person", BOB, "--ground", "asked", "--dry-run"]);
    assert!(tried.status.code() == Some(2) && tried.stdout.contains("Not looked at"), "{tried}");
    let failed = site.run(&["erase", "--person", BOB, "--ground", "asked", "--yes"]);
    assert!(failed.status.code() == Some(2) && found(&site, &["--kind", "erasure"]).is_empty(), "{failed}");
    copy(&backup, &packs);
    let shown = site.run(&["show", &trace(2), "--content", "--identities"]);
    let told = flat(&shown.stdout);
    assert!(shown.status.code() == Some(2) && !told.contains("SAID-TO-BOB") && !told.contains(BOB), "{shown}");
    assert_eq!(told.matches("n erasure of this is under way since 20").count(), 2, "what was said, and who: {shown}");
    let as_json = site.run(&["query", "--trace-id", &trace(2), "--content", "--format", "json"]);
    assert!(as_json.stdout.contains("\"under_way\"") && !as_json.stdout.contains("SAID-TO-BOB"), "{as_json}");
    // What is others' is shown.
    assert!(word_for_word(&site.run(&["show", &trace(1), "--content"]).success().stdout).contains("ROOT-OF-ALICE"));
    assert!(receiver.stop().success());
    let receiver = site.serve();
    crate::support::eventually("the next start finishes it", || (found(&site, &["--kind", "erasure"]).len() == 1).then_some(()));
    let shown = site.run(&["show", &trace(2), "--content"]).success();
    assert!(flat(&shown.stdout).contains("Erased on 20") && !holds(&vault_bytes(&site), "SAID-TO-BOB"), "{shown}");
    assert!(receiver.stop().success());
}

/// Scenario: what the vault was given since a backup is taken away with everything that could tell so by counting: before it was counted,
/// together with the state, or by an older copy of the state or of all of it. Guarantee: `doctor` names the seals and the persons, and the
/// next start says so.
#[test]
fn what_evidence_knows_is_missed_whatever_the_state_says() {
    let site = site();
    let receiver = site.serve();
    send(&receiver, &[span(1, 1, "OF-ALICE", &[(SUBJECT, ALICE)])]);
    assert!(receiver.stop().success());
    let (vault, older, newer) = (site.path("store-vault/spanseal"), site.path("older"), site.path("newer"));
    copy(&vault, &older);
    let receiver = site.serve();
    send(&receiver, &[span(2, 1, "OF-BOB", &[(SUBJECT, BOB)])]);
    assert!(receiver.stop().success());
    copy(&vault, &newer);
    let seal = found(&site, &["--trace-id", &trace(2)])[0]["seal"].to_string().replace('"', "");
    let whole = site.run(&["doctor"]);
    assert!(whole.status.code() == Some(0) && flat(&whole.stdout).contains("seals keep there is there, or was erased"), "{whole}");
    let replace = |with: &std::path::Path| {
        std::fs::remove_dir_all(&vault).unwrap();
        copy(with, &vault);
    };
    let take = |name: &str| std::fs::remove_dir_all(vault.join(name)).unwrap();
    type Damage<'d> = &'d dyn Fn();
    let older_state = || {
        take("packs");
        copy(&older.join("packs"), &vault.join("packs"));
        std::fs::copy(older.join("state"), vault.join("state")).unwrap();
    };
    let no_state = || {
        take("packs");
        std::fs::remove_file(vault.join("state")).unwrap();
    };
    let damages: [(&str, Damage, bool); 4] = [
        ("an older state", &older_state, false),
        ("all of it older", &|| replace(&older), true),
        ("no state and no packs", &no_state, false),
        ("all packs", &|| take("packs"), false),
    ];
    for (what, damage, persons) in damages {
        replace(&newer);
        damage();
        for when in ["at once", "after a start"] {
            let doctor = site.run(&["doctor"]);
            let told = flat(&doctor.stdout);
            let named = told.split("(of these: ").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default();
            assert!(named.split(", ").any(|one| one == seal), "{what}, {when}: {doctor}");
            assert_eq!(told.contains("no erasure took them: 1 person, who cannot be told"), persons, "{what}, {when}: {doctor}");
            assert_eq!(doctor.status.code(), Some(1), "{what}, {when}");
            let receiver = site.serve();
            crate::support::eventually(what, || receiver.stderr().contains("vault.packs.gone").then_some(()));
            assert!(receiver.stop().success());
        }
    }
    // What an erasure took is not missed, though its pack went with it.
    replace(&newer);
    site.run(&["erase", "--person", BOB, "--ground", "asked", "--yes"]).success();
    std::fs::remove_file(vault.join("state")).unwrap();
    let doctor = site.run(&["doctor"]);
    assert!(flat(&doctor.stdout).contains("seals keep there is there, or was erased"), "{doctor}");
}
