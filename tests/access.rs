//! Who reads what the vault keeps stands in the log, before anything is shown.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use spanseal::access::{AccessError, Read, Recorder, Wish};
use spanseal::api::{Act, Challenge, HELLO, NONCE, PROOF, Proofs, TIME, nonce, parse_nonce};
use spanseal::clock::{Clock, SystemClock};
use spanseal::record::identity::{IdentityKey, IdentityMode};
use spanseal::serve::keys::load_vault_key;
use spanseal::worm::memory::{CreateOnly, Fault};

use crate::acts::whose;
use crate::erase::{ALICE, BOB, GONE, STAYS, SUBJECT, everything, found, holds, listened, send, site, site_and_port, span, vault_bytes};
use crate::support::log::TestLog;
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{Finished, Site};
use crate::support::vault::stored_bytes;

const DPO: &str = "dpo@example.com";

pub(crate) fn trace(n: u8) -> String {
    format!("{n:032x}")
}

/// Where the reading says that it is recorded.
pub(crate) fn recorded(told: &Finished) -> (String, u64) {
    let line = told.stderr.lines().find_map(|line| line.strip_prefix("this reading is record "));
    let (record, rest) = line.unwrap_or_else(|| panic!("{told}")).split_once(" in seal ").unwrap();
    let seal = rest.strip_suffix(" of the log `spanseal`").unwrap();
    (record.to_owned(), seal.parse().unwrap())
}

/// The records of readings, oldest first.
pub(crate) fn readings(site: &Site) -> Vec<Value> {
    let mut all = found(site, &["--kind", "access"]);
    all.sort_by_key(|hit| hit["seal"].as_u64());
    all
}

fn filter(reading: &Value) -> Value {
    serde_json::from_str(reading["record"]["control"]["filter"].as_str().unwrap()).unwrap()
}

fn ids(of: &[Value]) -> BTreeSet<String> {
    of.iter().map(|hit| hit["record"]["id"].as_str().unwrap().to_owned()).collect()
}

fn named(filter: &Value, member: &str) -> BTreeSet<String> {
    filter[member].as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn seals(site: &Site) -> usize {
    std::fs::read_dir(site.path("store/spanseal/seals")).unwrap().count()
}

/// What the seals say was promoted.
fn promoted(site: &Site) -> u64 {
    let all = std::fs::read_dir(site.path("store/spanseal/seals")).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let counts = all.map(|seal| serde_json::from_slice::<Value>(&seal).unwrap()["statement"]["counts"]["promoted"].clone());
    counts.map(|count| count.as_str().unwrap().parse::<u64>().unwrap()).sum()
}

/// No id of a person and nothing that was said stands in evidence.
fn expect_names_nobody(site: &Site) {
    let sealed = stored_bytes(&site.path("store"));
    for text in GONE.iter().chain(&STAYS).chain(&[ALICE, BOB, DPO]) {
        assert!(!holds(&sealed, text), "{text} is in evidence");
    }
}

/// Scenario: a story is read with content and names, then a query's content, then a proof that opens it, while `serve` runs. Guarantee: each
/// is a record that names all of which something was shown, who read and why, by pseudonyms only; the log verifies, and what senders sent
/// counts as before. What shows nothing of the vault is none.
#[test]
fn a_reading_is_recorded_by_the_running_process() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    assert_eq!(promoted(&site), 7);
    let of_three = found(&site, &["--trace-id", &trace(3)]);
    let alice = found(&site, &["--subject", ALICE])[0]["record"]["subject"]["id"].as_str().unwrap().to_owned();
    let bob = found(&site, &["--subject", BOB])[0]["record"]["subject"]["id"].as_str().unwrap().to_owned();

    site.run(&["show", &trace(3)]).success();
    let configuration = ids(&found(&site, &["--kind", "config_change"])).pop_first().unwrap();
    site.run(&["show", &configuration, "--content", "--identities"]).success();
    site.run(&["query", "--trace-id", &trace(7), "--content", "--format", "json"]).success();
    assert!(readings(&site).is_empty(), "nothing of the vault was shown");

    let why = ["--ground", "complaint of the week", "--ticket", "C-7", "--by", DPO];
    let shown = site.run(&[&["show", &trace(3), "--content", "--identities"], &why[..]].concat()).success();
    assert!(shown.stdout.contains("ALICE-IN-SHARED") && shown.stdout.contains(ALICE) && shown.stdout.contains(BOB), "{shown}");
    let reading = &readings(&site)[0];
    let (record, seal) = recorded(&shown);
    assert_eq!((reading["record"]["id"].as_str(), reading["seal"].as_u64()), (Some(record.as_str()), Some(seal)));
    let control = &reading["record"]["control"];
    assert_eq!((control["act"].as_str(), control["target"].as_str()), (Some("content_and_identities"), Some(trace(3).as_str())));
    assert_eq!((&control["count"], &control["ground"], &control["ticket"]), (&json!("4"), &json!(why[1]), &json!("C-7")));
    assert!(control["by"].as_str().unwrap().starts_with("ps:vault:"), "{control}");
    assert_eq!(reading["record"]["source"], json!({"signal": "control"}));
    let of = filter(reading);
    assert_eq!((named(&of, "records"), named(&of, "persons")), (ids(&of_three), BTreeSet::from([alice.clone(), bob])));
    // By name only, and only those of whom something is shown.
    let only_names = site.run(&["show", &trace(1), "--identities"]).success();
    assert!(only_names.stdout.contains(ALICE) && !only_names.stdout.contains("ROOT-OF-ALICE"), "{only_names}");
    let reading = &readings(&site)[1];
    assert_eq!((&reading["record"]["control"]["act"], &reading["record"]["control"]["count"]), (&json!("identities"), &json!("1")));
    assert_eq!(named(&filter(reading), "persons"), BTreeSet::from([alice.clone()]));

    let queried = site.run(&["query", "--subject", ALICE, "--kind", "inference", "--content", "--format", "json"]).success();
    let hits: Vec<Value> = serde_json::from_str(&queried.stdout).unwrap();
    assert_eq!(hits.len(), 3);
    let reading = &readings(&site)[2];
    assert_eq!(
        (reading["record"]["id"].as_str().unwrap(), &reading["record"]["control"]["act"]),
        (recorded(&queried).0.as_str(), &json!("content"))
    );
    let of = filter(reading);
    assert_eq!(of["asked"], json!({"kind": ["inference"], "subject": [alice]}));
    assert_eq!(named(&of, "records"), ids(&hits));

    let one = hits[0]["record"]["id"].as_str().unwrap();
    let proof = site.run(&["prove", one, "--content"]).success();
    assert!(!serde_json::from_str::<Value>(&proof.stdout).unwrap()["openings"].as_array().unwrap().is_empty());
    let reading = &readings(&site)[3];
    let control = &reading["record"]["control"];
    assert_eq!((control["act"].as_str(), control["target"].as_str()), (Some("proof"), Some(one)));
    let proofs = site.run(&["query", "--record-id", one, "--content", "--proof", "--format", "json"]).success();
    assert_eq!(recorded(&proofs).0, readings(&site)[4]["record"]["id"].as_str().unwrap());

    // In plain words, and who read is somebody whom the vault knows.
    let told = site.run(&["show", &record, "--identities"]).success();
    let flat = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("What was said and who persons are was shown, of 4 records") && flat.contains(why[1]), "{told}");
    assert!(flat.contains(DPO), "{told}");
    assert_eq!(readings(&site).len(), 6, "that is a reading too");

    expect_names_nobody(&site);
    assert!(!holds(receiver.stderr().as_bytes(), "example.com"), "{}", receiver.stderr());
    assert!(receiver.stop().success());
    site.verified();
    assert_eq!(promoted(&site), 7);
}

/// Scenario: no `serve` runs. Guarantee: the command records the reading itself and leaves the log closed in good order; the next `serve`
/// goes on with it.
#[test]
fn a_reading_is_recorded_while_nothing_runs() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    assert!(receiver.stop().success());
    let shown = site.run(&["show", &trace(1), "--content"]).success();
    assert!(shown.stdout.contains("ROOT-OF-ALICE"), "{shown}");
    let reading = &readings(&site)[0];
    assert_eq!((reading["record"]["id"].as_str().unwrap().to_owned(), reading["seal"].as_u64().unwrap()), recorded(&shown));
    assert_eq!(named(&filter(reading), "records"), ids(&found(&site, &["--trace-id", &trace(1)])));
    // A seal of a clean stop promises no other.
    let last = site.path(&format!("store/spanseal/seals/{:020}.json", seals(&site) - 1));
    let last: Value = serde_json::from_slice(&std::fs::read(last).unwrap()).unwrap();
    assert!(last["statement"].get("next_by").is_none(), "{last}");
    expect_names_nobody(&site);
    site.verified();
    let receiver = site.serve();
    send(&receiver, &[span(8, 1, "LATER", &[(SUBJECT, ALICE)])]);
    assert!(receiver.stop().success());
    assert_eq!(found(&site, &["--subject", ALICE]).len(), 4);
    site.verified();
}

/// Scenario: several people read at the same moment while no `serve` runs, and one starts meanwhile. Guarantee: each waits for the other, all
/// is shown and recorded, and `serve` serves.
#[test]
fn readers_wait_for_each_other_and_serve_waits_for_them() {
    let site = Site::local();
    let receiver = site.serve();
    everything(&receiver);
    assert!(receiver.stop().success());
    std::thread::scope(|scope| {
        let readers: Vec<_> = (1..=3).map(|_| scope.spawn(|| site.run(&["show", &trace(1), "--content"]).success())).collect();
        assert!(readers.into_iter().all(|reader| reader.join().unwrap().stdout.contains("ROOT-OF-ALICE")));
    });
    assert_eq!(readings(&site).len(), 3);
    // A writer that lets the log go after a while.
    let lock = std::fs::File::options().write(true).open(site.path("store-vault/_locks/spanseal")).unwrap();
    lock.lock().unwrap();
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| site.serve());
        assert!(!serving.is_finished());
        drop(lock);
        assert!(serving.join().unwrap().stop().success());
    });
    site.verified();
}

/// Scenario: the API port is open on all addresses, without TLS, as for probes. Guarantee: who reads on the machine itself is recorded by the
/// running process, which takes no erasure there.
#[test]
fn a_port_for_probes_takes_readings_of_its_own_machine() {
    let (site, port) = site_and_port();
    let yaml = std::fs::read_to_string(&site.config).unwrap().replace(&format!("127.0.0.1:{port}"), &format!("0.0.0.0:{port}"));
    std::fs::write(&site.config, yaml).unwrap();
    let receiver = site.serve();
    everything(&receiver);
    let shown = site.run(&["show", &trace(1), "--content", "--by", DPO]).success();
    assert_eq!(recorded(&shown).0, readings(&site)[0]["record"]["id"].as_str().unwrap());
    let refused = site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes"]);
    assert!(refused.status.code() == Some(2) && refused.stderr.contains("over plain HTTP beyond this machine"), "{refused}");
    assert!(receiver.stop().success());
}

fn expect_nothing_shown(site: &Site, refused: &Finished, words: &str) {
    assert_eq!(refused.status.code(), Some(2), "{refused}");
    assert!(
        refused.stdout.is_empty()
            && refused.stderr.contains("nothing is shown, because this reading cannot be written into the log")
            && refused.stderr.contains(words),
        "{refused}"
    );
    let what_now = if words.starts_with("the ground") { "say it without" } else { "--unrecorded" };
    assert!(refused.stderr.contains(what_now), "it says what now: {refused}");
    for text in GONE.iter().chain(&STAYS).chain(&[ALICE, BOB]) {
        assert!(!refused.stderr.contains(text), "{refused}");
    }
    assert!(readings(site).is_empty());
}

/// Scenario: whoever reads has the store and the vault, and not the log's key; or another process writes the log and cannot be reached.
/// Guarantee: nothing is shown and nothing written, and it is said what to do; with --unrecorded it is shown, and said that no record was
/// made. With that flag a log that nobody serves is not opened, even with its key at hand: it may be a copy.
#[test]
fn what_cannot_be_recorded_is_not_shown_but_on_purpose() {
    let site = Site::local();
    let receiver = site.serve();
    everything(&receiver);
    let one = ids(&found(&site, &["--trace-id", &trace(1), "--subject", ALICE])).pop_first().unwrap();
    let (root, asks) = (
        trace(1),
        [
            vec!["show", "ID", "--content"],
            vec!["show", "ID", "--identities"],
            vec!["query", "--trace-id", "ID", "--content", "--format", "json"],
            vec!["prove", "ONE", "--content"],
        ],
    );
    let ask = |words: &[&str], more: &[&str]| {
        let words = words.iter().map(|word| match *word {
            "ID" => root.as_str(),
            "ONE" => one.as_str(),
            other => other,
        });
        site.run(&words.chain(more.iter().copied()).collect::<Vec<_>>())
    };
    // Its port is a free one that nobody knows, and it has the log.
    expect_nothing_shown(&site, &ask(&asks[0], &[]), "is writing");
    assert!(receiver.stop().success());
    let seals_before = seals(&site);
    let expect_unrecorded = |told: &Finished| {
        assert!(told.status.success() && told.stderr.contains("this reading is not recorded in the log (--unrecorded)"), "{told}");
        assert!([GONE[0], ALICE].iter().any(|text| told.stdout.contains(text)), "{told}");
        assert_eq!(seals(&site), seals_before);
    };
    for words in &asks {
        expect_unrecorded(&ask(words, &["--unrecorded"]));
    }
    let key = site.path("log.key");
    std::fs::rename(&key, site.path("away")).unwrap();
    for words in &asks {
        expect_nothing_shown(&site, &ask(words, &[]), "`log.key_file`");
        expect_unrecorded(&ask(words, &["--unrecorded"]));
    }
    assert!(!key.exists() && seals(&site) == seals_before, "nothing is made for a reading");
    std::fs::rename(site.path("away"), &key).unwrap();
    // What is to be recorded names somebody.
    for (text, says) in
        [("about ps:vault:00 and Carol@Example.com", "the ground holds what looks like"), ("asked by DPO-7.", "the ground holds the id")]
    {
        let refused = ask(&asks[1], &["--by", "dpo-7", "--ground", text]);
        assert!(refused.stderr.contains(says) && !refused.stderr.contains(text), "{refused}");
        expect_nothing_shown(&site, &refused, says);
    }
    site.verified();
}

/// Scenario: somebody on the machine knows the port and not the vault key, or has listened to an erasure; then somebody else has the port.
/// Guarantee: no record is made for them, and whoever listens is not told who reads what.
#[test]
fn nobody_has_a_reading_recorded_without_the_vault_key() {
    let (site, port) = site_and_port();
    let receiver = site.serve();
    everything(&receiver);
    let body = json!({"read": "content", "records": [trace(1)]}).to_string();
    let ask = |method, path, headers: Vec<(&'static str, &str)>, body: &[u8]| {
        let headers = headers.into_iter().map(|(name, value)| (name, value.to_owned())).collect::<Vec<_>>();
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (status, answer) = http(([127, 0, 0, 1], port).into(), &HttpRequest { method, path, headers, body, chunked: false }).unwrap();
        (status, String::from_utf8_lossy(&answer.body).into_owned())
    };
    let key = load_vault_key(&site.path("spanseal-vault.key")).unwrap();
    let whose = whose(&site);
    let challenge = |path| -> Challenge {
        let act = if path == "/access" { Act::Access } else { Act::Erase };
        let (asker, now) = (nonce().unwrap(), SystemClock.now().ceil_seconds());
        let hello = Proofs::new(&key, act, &whose).unwrap().of_hello(&asker, now);
        let (status, answer) = ask("GET", path, vec![(NONCE, &hex::encode(asker)), (TIME, &now.0.to_string()), (HELLO, &hello)], b"");
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(&answer).unwrap()
    };
    let proof_for = |act, nonce: &str| Proofs::new(&key, act, &whose).unwrap().of_asker(&parse_nonce(nonce).unwrap(), body.as_bytes());
    let (zeros, given) = ("00".repeat(32), challenge("/access"));
    let (of_erasure, of_other) = (challenge("/access"), challenge("/erase"));
    let wrong = proof_for(Act::Erase, &of_erasure.nonce);
    let other = proof_for(Act::Erase, &of_other.nonce);
    for headers in [
        vec![],
        vec![(NONCE, zeros.as_str()), (PROOF, zeros.as_str())],
        vec![(NONCE, given.nonce.as_str()), (PROOF, given.proof.as_str())],
        vec![(NONCE, of_erasure.nonce.as_str()), (PROOF, wrong.as_str())],
        vec![(NONCE, of_other.nonce.as_str()), (PROOF, other.as_str())],
    ] {
        let (status, answer) = ask("POST", "/access", headers, body.as_bytes());
        assert!(status == 401 && answer.contains("content.vault.key_file"), "{status} {answer}");
    }
    assert!(readings(&site).is_empty());
    // Who has the key gets one, once, and nothing that would name somebody.
    let fresh = challenge("/access");
    let proof = proof_for(Act::Access, &fresh.nonce);
    let headers = vec![(NONCE, fresh.nonce.as_str()), (PROOF, proof.as_str())];
    assert_eq!(ask("POST", "/access", headers.clone(), body.as_bytes()).0, 200);
    assert_eq!(ask("POST", "/access", headers, body.as_bytes()).0, 401);
    for naming in [json!({"read": "content", "records": [ALICE]}), json!({"read": "content", "records": [trace(1)], "who": ALICE})] {
        let (fresh, naming) = (challenge("/access"), naming.to_string());
        let proof = Proofs::new(&key, Act::Access, &whose).unwrap().of_asker(&parse_nonce(&fresh.nonce).unwrap(), naming.as_bytes());
        let (status, answer) = ask("POST", "/access", vec![(NONCE, &fresh.nonce), (PROOF, &proof)], naming.as_bytes());
        assert!(status == 400 && !answer.contains("alice"), "{status} {answer}");
    }
    assert_eq!(readings(&site).len(), 1);
    assert!(receiver.stop().success());

    let heard = listened(&format!("127.0.0.1:{port}"), || {
        let refused = site.run(&["show", &trace(1), "--content", "--by", DPO]);
        assert_eq!(refused.status.code(), Some(2), "{refused}");
        assert!(refused.stdout.is_empty() && refused.stderr.contains("does not show that it has the vault key"), "{refused}");
    });
    assert!(holds(&heard, "GET /access"));
    for secret in ["POST", "dpo", "ps:", &ids(&found(&site, &["--trace-id", &trace(1)])).pop_first().unwrap()] {
        assert!(!holds(&heard, secret), "{secret}: {}", String::from_utf8_lossy(&heard));
    }
    assert!(!holds(&vault_bytes(&site), DPO));
}

/// Scenario: the store takes no more seals, for a moment or for good. Guarantee: whoever asks for a record of a reading gets an error, and
/// never the word that it is recorded.
#[tokio::test(start_paused = true)]
async fn a_store_that_fails_records_nothing() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    let recorder = Recorder {
        vault: process.vault.clone().unwrap(),
        sealer: process.handle.clone(),
        identity: IdentityKey::new([1; 32]),
        identity_mode: IdentityMode::Vault,
        scrub: Vec::new(),
        classes: log.classes(),
        clock: Arc::new(log.clock.clone()) as Arc<dyn Clock>,
    };
    let wish: Wish = serde_json::from_value(json!({"read": Read::Content, "records": [trace(1)]})).unwrap();
    log.store.fail_key("segments/", 1000, Fault::Refused);
    let refused = recorder.record(&wish).await;
    assert!(matches!(refused, Err(AccessError::Unsealed(_))), "{refused:?}");
    log.store.clear_faults();
    let sealed = recorder.record(&wish).await.unwrap();
    let contents = log.check_log().await;
    let readings: Vec<_> = contents.lines.iter().filter(|(_, line)| holds(line, "\"kind\":\"access\"")).collect();
    assert_eq!((readings.len(), readings[0].0.to_string()), (1, sealed.record));
    drop(process.drain().await);
}

/// Scenario: a copy of store and vault at another place, with the keys, as an auditor has it. Guarantee: with --unrecorded nothing in it is
/// touched.
#[test]
fn a_copy_that_is_read_stays_as_it_is() {
    let site = Site::local();
    let receiver = site.serve();
    everything(&receiver);
    assert!(receiver.stop().success());
    let before = [everything_in(&site.path("store")), everything_in(&site.path("store-vault"))];
    let shown = site.run(&["show", &trace(1), "--content", "--identities", "--unrecorded"]).success();
    assert!(shown.stdout.contains("ROOT-OF-ALICE") && shown.stdout.contains(ALICE), "{shown}");
    assert_eq!([everything_in(&site.path("store")), everything_in(&site.path("store-vault"))], before);
}

/// Every file and folder below one, with what is in it.
fn everything_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
        }
    }
    found.sort();
    found
}
