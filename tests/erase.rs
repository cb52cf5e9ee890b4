//! Erasing a person: what they said and who they were is gone from every byte of the vault, whatever happens in between, and nothing that
//! was proved before is lost.

pub(crate) mod again;
mod older;
mod on_hold;
mod twice;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use spanseal::api::{Act, Challenge, HELLO, NONCE, Nonce, PROOF, Proofs, TIME, parse_nonce};
use spanseal::clock::{Clock, SystemClock};
use spanseal::erase::{EraseError, Eraser, Outcome, Parts, Wish};
use spanseal::govern::register::Register;
use spanseal::record::apart::{PersonEntry, Piece};
use spanseal::record::canonical::Json;
use spanseal::record::content::{Scheme, commitment, commitment_text};
use spanseal::record::identity::{IdentityKey, IdentityMode, vault_pseudonym};
use spanseal::record::{Batch, RecordId, sameness_of_line};
use spanseal::seal::Permit;
use spanseal::serve::keys::load_vault_key;
use spanseal::vault::{Options, Scope, Vault, open_place};
use spanseal::worm::memory::CreateOnly;
use spanseal::worm::{StoreOptions, StoreUrl};

use crate::acts::whose;
use crate::support::log::{LOG, Process, TestLog, batch, id};
use crate::support::otlp::{HttpRequest, http};
use crate::support::place::{Place, PlaceFault};
use crate::support::receiver::{Options as SiteOptions, Receiver, Site};
use crate::support::runtime;
use crate::support::s3::{Bucket, Kind, S3Server};
use crate::support::vault::stored_bytes;

/// A site whose API has a port that the command knows.
pub(crate) fn site() -> Site {
    site_and_port().0
}

pub(crate) fn site_and_port() -> (Site, u16) {
    let site = Site::local();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    let api = "api: {endpoint: '127.0.0.1:0'}";
    assert!(yaml.contains(api));
    std::fs::write(&site.config, yaml.replace(api, &format!("api: {{endpoint: '127.0.0.1:{port}'}}"))).unwrap();
    (site, port)
}

pub(crate) struct Span {
    trace: u8,
    span: u8,
    said: String,
    persons: Vec<(&'static str, &'static str)>,
}

pub(crate) fn span(trace: u8, span: u8, said: &str, persons: &[(&'static str, &'static str)]) -> Span {
    Span { trace, span, said: said.to_owned(), persons: persons.to_vec() }
}

pub(crate) fn send(receiver: &Receiver, spans: &[Span]) {
    send_as(receiver, None, None, spans);
}

/// Sends for an application, whose ids are those of other people than another one's.
fn send_in(receiver: &Receiver, namespace: Option<&str>, spans: &[Span]) {
    send_as(receiver, None, namespace, spans);
}

/// The same with a bearer token.
fn send_as(receiver: &Receiver, token: Option<&str>, namespace: Option<&str>, spans: &[Span]) {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let spans: Vec<Value> = spans
        .iter()
        .map(|s| {
            let mut attributes = vec![attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.output.messages", &s.said)];
            attributes.extend(s.persons.iter().map(|(member, id)| attribute(&format!("ai_audit.{member}"), id)));
            json!({
                "traceId": format!("{:032x}", s.trace), "spanId": format!("{:016x}", s.span), "name": "chat",
                "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000", "attributes": attributes,
            })
        })
        .collect();
    let resource: Vec<Value> = namespace.iter().map(|name| attribute("service.namespace", name)).collect();
    let resource = json!({"attributes": resource});
    let body = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).to_string();
    let proof = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(proof.as_deref().map(|proof| ("Authorization", proof)));
    let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
    let (status, answer) = http(receiver.http, &request).unwrap();
    assert_eq!((status, answer.promoted()), (200, spans.len() as u64), "{}", String::from_utf8_lossy(&answer.body));
}

/// Everything in a site's vault, decrypted, and as it lies there.
pub(crate) fn vault_bytes(site: &Site) -> Vec<u8> {
    let mut all = stored_bytes(&site.path("store-vault"));
    let key = load_vault_key(&site.path("spanseal-vault.key")).unwrap();
    let objects = runtime().block_on(async {
        let store = open_place(&StoreUrl::File(site.path("store-vault")), &StoreOptions::default()).await.unwrap();
        Vault::new(Options { store, log: "spanseal".to_owned(), key }).every_object().await.unwrap()
    });
    assert!(!objects.is_empty());
    objects.iter().for_each(|(_, plain)| all.extend_from_slice(plain));
    all
}

pub(crate) fn holds(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

pub(crate) fn found(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let mut all = vec!["query", "--format", "json"];
    all.extend(arguments);
    serde_json::from_str(&site.run(&all).success().stdout).unwrap()
}

pub(crate) const ALICE: &str = "alice@example.com";
pub(crate) const BOB: &str = "bob@example.com";
pub(crate) const SUBJECT: &str = "subject.id";
const USER: &str = "actor.user_id";

/// Alice alone in trace 1, named on its root only; Bob alone in trace 2; both in trace 3.
pub(crate) fn everything(receiver: &Receiver) {
    send(receiver, &[span(1, 1, "ROOT-OF-ALICE", &[(SUBJECT, ALICE)]), span(1, 2, "CHILD-OF-ALICE", &[])]);
    send(receiver, &[span(2, 1, "SAID-TO-BOB", &[(SUBJECT, BOB)])]);
    let three = [
        span(3, 1, "ALICE-IN-SHARED", &[(SUBJECT, ALICE)]),
        span(3, 2, "BOB-IN-SHARED", &[(USER, BOB)]),
        span(3, 3, "BETWEEN-THEM", &[]),
        span(3, 4, "ABOUT-BOTH", &[(SUBJECT, ALICE), (USER, BOB)]),
    ];
    send(receiver, &three);
}

pub(crate) const GONE: [&str; 3] = ["ROOT-OF-ALICE", "CHILD-OF-ALICE", "ALICE-IN-SHARED"];
pub(crate) const STAYS: [&str; 4] = ["SAID-TO-BOB", "BOB-IN-SHARED", "BETWEEN-THEM", "ABOUT-BOTH"];

fn expect_erased(site: &Site) {
    let all = vault_bytes(site);
    assert!(!holds(&all, ALICE) && holds(&all, BOB));
    for text in GONE {
        assert!(!holds(&all, text), "{text} is in the vault");
    }
    for text in STAYS {
        assert!(holds(&all, text), "{text} is not in the vault");
    }
    let sealed = stored_bytes(&site.path("store"));
    for text in GONE.iter().chain(&STAYS).chain(&[ALICE, BOB]) {
        assert!(!holds(&sealed, text), "{text} is in evidence");
    }
    assert!(found(site, &["--person", ALICE]).is_empty(), "nobody finds by the name");
}

/// Scenario: a person is erased while `serve` runs. Guarantee: their id and what they said is gone from every byte of the vault, encrypted
/// or not; what is others' stays and is listed; the record made of it says when and why; the proof made before and the whole log still check.
#[test]
fn a_person_is_erased_while_their_log_is_served() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    let root = found(&site, &["--subject", ALICE, "--trace-id", &format!("{:032x}", 1)]);
    let (record, pseudonym) = (root[0]["record"]["id"].as_str().unwrap(), root[0]["record"]["subject"]["id"].as_str().unwrap());
    let opened = site.run(&["show", record, "--content", "--identities"]).success().stdout;
    assert!(opened.contains("ROOT-OF-ALICE") && opened.contains("CHILD-OF-ALICE") && opened.contains(ALICE), "{opened}");
    // By the name that the story has for her, so that a reader joins the two.
    let alice = opened.lines().find(|line| line.contains(ALICE)).unwrap().trim();
    let (name, rest) = alice.split_at("Person A".len());
    assert!(rest.trim_start().starts_with(pseudonym) && opened.contains(&format!("{name} (")), "{opened}");
    let proof = site.path("proof.json");
    std::fs::write(&proof, site.run(&["prove", record]).success().stdout).unwrap();
    let with_content: Value = serde_json::from_str(&site.run(&["prove", record, "--content"]).success().stdout).unwrap();
    assert!(with_content["openings"].as_array().unwrap().iter().any(|o| o["content"].as_str().unwrap().contains("ROOT-OF-ALICE")));

    let ground = "request under Art. 17 GDPR";
    let ask = ["erase", "--person", ALICE, "--ground", ground, "--ticket", "DSR-42", "--json"];
    let refused = site.run(&ask);
    assert_eq!(refused.status.code(), Some(2), "without a terminal it wants --yes: {refused}");
    let dry: Value = serde_json::from_str(&site.run(&[&ask[..], &["--dry-run"]].concat()).success().stdout).unwrap();
    assert_eq!((&dry["done"], &dry["records"], &dry["persons"]), (&json!(false), &json!(3), &json!(1)));
    assert!(holds(&vault_bytes(&site), "ROOT-OF-ALICE"), "a dry run erases nothing");

    let outcome: Value = serde_json::from_str(&site.run(&[&ask[..], &["--yes"]].concat()).success().stdout).unwrap();
    assert_eq!((&outcome["done"], &outcome["records"], &outcome["persons"]), (&json!(true), &json!(3), &json!(1)), "{outcome}");
    let kept = outcome["kept"].as_array().unwrap();
    assert_eq!((kept.len(), kept[0]["records"].as_array().unwrap().len(), &kept[0]["others"]), (1, 3, &json!(1)), "{outcome}");
    expect_erased(&site);

    // The record of it.
    let erasure = found(&site, &["--kind", "erasure"]);
    assert_eq!(erasure.len(), 1);
    let control = &erasure[0]["record"]["control"];
    assert_eq!(
        (control["act"].as_str(), control["target"].as_str(), control["count"].as_str()),
        (Some("erase"), Some(pseudonym), Some("3"))
    );
    assert_eq!((control["ground"].as_str(), control["ticket"].as_str()), (Some(ground), Some("DSR-42")));
    // Who looks is told what became of it, and when and why.
    let shown = site.run(&["show", record, "--content", "--identities"]).success().stdout;
    let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("erased on 20") && flat.contains(ground), "{shown}");
    assert!(flat.contains(&format!("{pseudonym} nobody: erased on 20")) && !flat.contains(ALICE), "{shown}");
    // In the story and beside what was looked for, one reason for all of it stands once, and once for the person.
    assert_eq!(flat.matches(ground).count(), 4 + flat.matches("An erasure was recorded").count(), "{shown}");
    // Also where nobody looks into the vault.
    let flat = site.run(&["show", record]).success().stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(&format!("{pseudonym}, a pseudonym; nobody can say any more whose: erased on 20")), "{flat}");
    assert!(flat.matches(ground).count() == 2 && !flat.contains("Kept in the vault") && !flat.contains("the vault knew"), "{flat}");
    let content = found(&site, &["--record-id", record, "--content"]);
    let states: Vec<&str> = content[0]["content"].as_array().unwrap().iter().map(|c| c["state"].as_str().unwrap()).collect();
    assert!(!states.is_empty() && states.iter().all(|state| *state == "erased"), "{content:?}");

    // Proofs.
    let checked = site.run(&["check", proof.to_str().unwrap(), "--vkey", site.run(&["keygen", "--public"]).success().stdout.trim()]);
    assert_eq!(checked.status.code(), Some(0), "{checked}");
    site.verified();

    // An SDK or a Collector that had no answer sends everything again.
    everything(&receiver);
    expect_erased(&site);

    // Who comes back is somebody new.
    send(&receiver, &[span(9, 1, "BACK-AGAIN", &[(SUBJECT, ALICE)])]);
    let back = found(&site, &["--subject", ALICE]);
    assert_eq!(back.len(), 1);
    assert_ne!(back[0]["record"]["subject"]["id"].as_str().unwrap(), pseudonym);
    assert!(receiver.stop().success());
}

/// Scenario: no `serve` runs; then one record is erased, and then somebody whom nobody knows. Guarantee: the command does it by itself and
/// leaves the log closed in good order; nothing is erased or sealed for nobody.
#[test]
fn a_person_and_a_record_are_erased_while_nothing_runs() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    assert!(receiver.stop().success());
    let about_both = found(&site, &["--trace-id", &format!("{:032x}", 3), "--user", BOB, "--subject", ALICE]);
    let about_both = about_both[0]["record"]["id"].as_str().unwrap().to_owned();
    let told = site.run(&["erase", "--subject", ALICE, "--ground", "objection upheld", "--yes"]).success().stdout;
    assert!(told.contains("Erased from the vault: what was said in 3 records") && told.contains(&about_both), "{told}");
    expect_erased(&site);
    site.run(&["erase", "--record", &about_both, "--ground", "sent by mistake", "--by", "dpo@example.com", "--yes"]).success();
    let all = vault_bytes(&site);
    assert!(!holds(&all, "ABOUT-BOTH") && holds(&all, "BOB-IN-SHARED") && holds(&all, "dpo@example.com"));
    let seals = site.verified()["logs"][0]["seals"].as_u64().unwrap();
    let nobody = site.run(&["erase", "--person", "nobody@example.com", "--ground", "asked", "--yes"]);
    assert_eq!(nobody.status.code(), Some(1), "{nobody}");
    assert_eq!(found(&site, &["--kind", "erasure"]).len(), 2);
    // Opening and closing the log are seals of their own; none of them is an erasure.
    assert!(site.verified()["logs"][0]["seals"].as_u64().unwrap() > seals);
    let shown = site.run(&["show", &about_both, "--content"]).success().stdout;
    assert!(shown.contains("sent by mistake"), "{shown}");
}

/// Scenario: one sender reports what it did in a trace and names nobody; another, with a token, names a person in that trace, and in one of
/// its own. Guarantee: before it is done and after, an erasure tells how much of it is that first sender's.
#[test]
fn what_goes_of_a_sender_that_named_nobody_is_told() {
    let site = site();
    let receiver = site.serve();
    send(&receiver, &[span(1, 2, "SAID-ELSEWHERE", &[]), span(1, 3, "SAID-ELSEWHERE-TOO", &[])]);
    assert!(receiver.stop().success());
    let tokens = site.path("tokens");
    let token = site.run(&["keygen", "--token", "shop", "--key-file", tokens.to_str().unwrap()]).success().stdout;
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    let http = "http: {endpoint: '127.0.0.1:0'";
    assert!(yaml.contains(http));
    std::fs::write(&site.config, yaml.replace(http, &format!("{http}, auth: {{token_file: '{}'}}", tokens.display()))).unwrap();
    let receiver = site.serve();
    let named =
        [span(1, 1, "SAID-IN-THE-SHOP", &[(SUBJECT, ALICE)]), span(1, 4, "BESIDE-IT", &[]), span(2, 1, "ALONE", &[(SUBJECT, ALICE)])];
    send_as(&receiver, Some(token.trim()), None, &named);
    let told = "Reached through their trace only, sent by a sender that did not have to identify itself: 2 records.";
    let planned = site.run(&["erase", "--person", ALICE, "--ground", "asked", "--dry-run"]).success().stdout;
    assert!(planned.contains("what was said in 5 records") && planned.matches("Reached through").count() == 1, "{planned}");
    assert!(planned.contains(told), "{planned}");
    let done = site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes", "--json"]).success().stdout;
    let done: Value = serde_json::from_str(&done).unwrap();
    assert_eq!((&done["records"], &done["from_others"]), (&json!(5), &json!([{"peer": null, "method": "none", "records": 2}])));
    assert!(receiver.stop().success());
}

/// Scenario: what was erased is erased again, by the person's pseudonym, by a record, and then with what was left the first time; somebody is
/// looked for by what only looks like a pseudonym; who asks is named by a pseudonym that nobody has, and the ground colours a terminal.
/// Guarantee: what is gone is said to be, when and by which record, nothing is sealed and the exit code says that nothing was found to do;
/// what is left is still erased; every mistake is named for what it is, also by a dry run.
#[test]
fn what_was_erased_already_is_said_and_not_sealed_again() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    let root = found(&site, &["--subject", ALICE, "--trace-id", &format!("{:032x}", 1)]);
    let (record, alice) = (root[0]["record"]["id"].as_str().unwrap(), root[0]["record"]["subject"]["id"].as_str().unwrap());
    let shared = found(&site, &["--trace-id", &format!("{:032x}", 3), "--user", BOB, "--subject", ALICE]);
    let about_both = shared[0]["record"]["id"].as_str().unwrap();
    let erase = |arguments: &[&str]| site.run(&[&["erase", "--ground", "asked"], arguments].concat());
    let erasures =
        || found(&site, &["--kind", "erasure"]).iter().map(|e| e["record"]["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let already = |arguments: &[&str], by: &str| {
        let before = erasures();
        let told = erase(arguments);
        assert!(told.status.code() == Some(1) && told.stdout.starts_with("Erased already"), "{arguments:?}: {told}");
        assert!(
            told.stdout.contains("  - on 20") && told.stdout.contains(&format!("on the ground \"asked\": erasure {by} in seal")),
            "{told}"
        );
        assert_eq!(erasures(), before, "{arguments:?}");
    };
    erase(&["--person", ALICE, "--yes"]).success();
    let first = erasures()[0].clone();
    for arguments in
        [["--person", alice, "--yes"], ["--person", alice, "--dry-run"], ["--subject", alice, "--yes"], ["--record", record, "--yes"]]
    {
        already(&arguments, &first);
    }
    // Her own name leads to nobody any more.
    assert!(erase(&["--person", ALICE, "--yes"]).stdout.starts_with("Neither the vault"));
    erase(&["--record", about_both, "--yes"]).success();
    let second = erasures().into_iter().find(|id| *id != first).unwrap();
    already(&["--record", about_both, "--yes"], &second);
    erase(&["--person", alice, "--shared", "--yes"]).success();
    assert_eq!(erasures().len(), 3, "what was left the first time");
    already(&["--person", alice, "--shared", "--yes"], &first);
    let as_json: Value = serde_json::from_str(&erase(&["--person", alice, "--json", "--yes"]).stdout).unwrap();
    assert!(as_json["already"].as_array().unwrap().iter().any(|e| e["record"] == *first && e["at"].as_str().unwrap().starts_with("20")));

    let nobody = format!("ps:vault:{}", "0".repeat(32));
    for asked in [erase(&["--person", &nobody, "--dry-run"]), site.run(&["query", "--subject", "id:nobody"])] {
        assert!(asked.stderr.contains("add --as-sent"), "{asked}");
    }
    for asked in [erase(&["--person", &nobody, "--as-sent", "--dry-run"]), site.run(&["query", "--subject", "nobody"])] {
        assert!(!asked.stderr.contains("--as-sent"), "{asked}");
    }
    for flag in ["--dry-run", "--yes"] {
        let refused = erase(&["--person", BOB, "--by", &nobody, flag]);
        assert!(refused.status.code() == Some(2) && refused.stderr.contains("who asks for it (by)"), "{flag}: {refused}");
    }
    for texts in [["--ground", "red\u{1b}[31m"], ["--ticket", "red\u{1b}[31m"], ["--by", "red\u{1b}[31m"]] {
        let ground = if texts[0] == "--ground" { &[][..] } else { &["--ground", "asked"] };
        let refused = site.run(&[&["erase", "--person", BOB, "--yes"], &texts[..], ground].concat());
        assert!(refused.status.code() == Some(64) && refused.stderr.contains("U+001B"), "{texts:?}: {refused}");
    }
    assert_eq!(erasures().len(), 3);
    assert!(receiver.stop().success());
}

/// Scenario: persons and contents were taken out of the vault by hand. Guarantee: who asks for them is told that nothing explains it, once for
/// all of it, and the exit code says that the answer is not whole.
#[test]
fn whoever_is_missing_without_an_erasure_is_no_complete_answer() {
    let site = site();
    let receiver = site.serve();
    everything(&receiver);
    assert!(receiver.stop().success());
    let root = found(&site, &["--subject", ALICE, "--trace-id", &format!("{:032x}", 1)]);
    let (record, pseudonym) = (root[0]["record"]["id"].as_str().unwrap(), root[0]["record"]["subject"]["id"].as_str().unwrap());
    site.run(&["show", record, "--identities", "--content"]).success();
    for folder in ["persons", "packs"] {
        std::fs::remove_dir_all(site.path("store-vault/spanseal").join(folder)).unwrap();
    }
    for (flag, problem) in [("--identities", "not every person"), ("--content", "not all that was said")] {
        let shown = site.run(&["show", record, flag]);
        let flat = shown.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(shown.status.code(), Some(2), "{shown}");
        assert!(shown.stderr.contains(problem) && flat.matches("ot in the vault, and no erasure").count() == 1, "{shown}");
        if flag == "--identities" {
            assert!(flat.contains(&format!("Person A {pseudonym} nobody: not in the vault, and no erasure explains it")), "{shown}");
        }
    }
}

/// Scenario: somebody on the machine knows the port and not the vault key. Guarantee: nothing is erased, and the answer says what is
/// missing.
#[test]
fn nobody_erases_without_the_vault_key() {
    let (site, port) = site_and_port();
    let receiver = site.serve();
    everything(&receiver);
    let body = json!({"scope": "person", "who": ALICE, "ground": "malice"}).to_string();
    let ask = |method, headers: Vec<(&'static str, &str)>, body: &[u8]| {
        let headers = headers.into_iter().map(|(name, value)| (name, value.to_owned())).collect::<Vec<_>>();
        let headers = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let (status, answer) =
            http(([127, 0, 0, 1], port).into(), &HttpRequest { method, path: "/erase", headers, body, chunked: false }).unwrap();
        (status, String::from_utf8_lossy(&answer.body).into_owned())
    };
    let zeros = "00".repeat(32);
    let proofs = Proofs::new(&load_vault_key(&site.path("spanseal-vault.key")).unwrap(), Act::Erase, &whose(&site)).unwrap();
    for hello in [vec![], vec![(HELLO, zeros.as_str())]] {
        let (status, answer) = ask("GET", [vec![(NONCE, zeros.as_str())], hello].concat(), b"");
        assert!(status == 401 && !answer.contains("store"), "{answer}");
    }
    let challenge = |asker: &Nonce| -> Challenge {
        let now = SystemClock.now().ceil_seconds();
        let (hex, time, hello) = (hex::encode(asker), now.0.to_string(), proofs.of_hello(asker, now));
        let headers = vec![(NONCE, hex.as_str()), (TIME, &time), (HELLO, &hello)];
        let (status, answer) = ask("GET", headers.clone(), b"");
        assert_eq!(status, 200, "{answer}");
        let (again, _) = ask("GET", headers, b"");
        assert_eq!(again, 401, "who listened to an asker has nothing to begin with");
        serde_json::from_str(&answer).unwrap()
    };
    let given = challenge(&[1; 32]).nonce;
    let shown = challenge(&[3; 32]);
    // What the process showed, the old way of asking, and guesses.
    for headers in [
        vec![],
        vec![("Authorization", "Bearer 00")],
        vec![(NONCE, zeros.as_str()), (PROOF, zeros.as_str())],
        vec![(NONCE, given.as_str()), (PROOF, zeros.as_str())],
        vec![(NONCE, shown.nonce.as_str()), (PROOF, shown.proof.as_str())],
    ] {
        let (status, answer) = ask("POST", headers.clone(), body.as_bytes());
        assert!(status == 401 && answer.contains("content.vault.key_file"), "{headers:?}: {status} {answer}");
    }
    // Who listened to an asker has nothing to ask with: not a second time, and not for anybody else.
    let harmless = json!({"scope": "person", "who": ALICE, "ground": "asked", "dry_run": true}).to_string();
    for (asker, other) in [([4; 32], harmless.as_str()), ([5; 32], body.as_str())] {
        let shown = challenge(&asker);
        let server = parse_nonce(&shown.nonce).unwrap();
        assert!(proofs.is_server(&asker, (&server, shown.tree_size), &shown.proof));
        let proof = proofs.of_asker(&server, harmless.as_bytes());
        let headers = vec![(NONCE, shown.nonce.as_str()), (PROOF, proof.as_str())];
        let first = ask("POST", headers.clone(), other.as_bytes());
        assert_eq!(first.0, if other == harmless { 200 } else { 401 }, "{first:?}");
        let second = ask("POST", headers, harmless.as_bytes());
        assert_eq!(second.0, 401, "{second:?}");
    }
    assert!(holds(&vault_bytes(&site), ALICE));
    let other = std::fs::read_to_string(site.path("spanseal-vault.key")).unwrap().replace(|c: char| c.is_ascii_digit(), "a");
    std::fs::write(site.path("spanseal-vault.key"), other).unwrap();
    let refused = site.run(&["erase", "--person", ALICE, "--ground", "malice", "--yes"]);
    assert_eq!(refused.status.code(), Some(2), "{refused}");
    assert!(refused.stderr.contains("does not show that it has the vault key"), "{refused}");
    drop(receiver);
}

/// Answers any request on a port as a spanseal that is alive, and an asker's first with a proof that nobody can check, until the command
/// is done. Gives back all that was sent to it.
pub(crate) fn listened(at: &str, ask: impl FnOnce()) -> Vec<u8> {
    let listener = TcpListener::bind(at).unwrap();
    let (heard, done) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let ears = std::thread::spawn({
        let (heard, done, zeros) = (Arc::clone(&heard), Arc::clone(&done), "00".repeat(32));
        move || {
            for mut stream in listener.incoming().map(Result::unwrap).take_while(|_| !done.load(Ordering::SeqCst)) {
                let (heard, body) = (Arc::clone(&heard), json!({"nonce": zeros, "proof": zeros}).to_string());
                std::thread::spawn(move || {
                    let mut buffer = [0; 4096];
                    while let Ok(n @ 1..) = stream.read(&mut buffer) {
                        heard.lock().unwrap().extend_from_slice(&buffer[..n]);
                        let body = if buffer.starts_with(b"GET /healthz") { "spanseal is alive\n" } else { body.as_str() };
                        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
                    }
                });
            }
        }
    });
    let port = at.rsplit_once(':').unwrap().1.parse().unwrap();
    ask();
    done.store(true, Ordering::SeqCst);
    drop(std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)).unwrap());
    ears.join().unwrap();

    heard.lock().unwrap().clone()
}

/// Scenario: no `serve` runs, and somebody else took its port; then the port is one that is reached in the clear. Guarantee: whoever
/// listens learns neither who is to be erased nor anything to erase with, and the operator is told.
#[test]
fn whoever_listens_instead_learns_nothing() {
    for (host, said, asked) in
        [("127.0.0.1", "does not show that it has the vault key", 1), ("0.0.0.0", "over plain HTTP beyond this machine", 0)]
    {
        let (site, port) = site_and_port();
        assert!(site.serve().stop().success());
        let yaml = std::fs::read_to_string(&site.config).unwrap().replace(&format!("127.0.0.1:{port}"), &format!("{host}:{port}"));
        std::fs::write(&site.config, yaml).unwrap();
        let heard = listened(&format!("{host}:{port}"), || {
            let refused = site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes"]);
            assert!(refused.status.code() == Some(2) && refused.stderr.contains(said), "{refused}");
        });
        assert!(holds(&heard, "GET /healthz"));
        assert_eq!(memchr::memmem::find_iter(&heard, "/erase").count(), asked, "{}", String::from_utf8_lossy(&heard));
        for secret in ["POST", "alice", PROOF, "uthorization"] {
            assert!(!holds(&heard, secret), "{secret}: {}", String::from_utf8_lossy(&heard));
        }
    }
}

/// Scenario: one id is two people's, of two applications. Guarantee: nobody is erased by mistake; with the realm one is, and the other not.
#[test]
fn one_id_of_two_people_is_not_guessed() {
    let site = site();
    let receiver = site.serve();
    for (n, namespace) in [(1, "loans"), (2, "shop")] {
        let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let span = json!({
            "traceId": format!("{n:032x}"), "spanId": format!("{n:016x}"), "name": "chat", "startTimeUnixNano": "1790000000000000000",
            "attributes": [attribute("gen_ai.operation.name", "chat"), attribute("ai_audit.actor.user_id", "42"), attribute("gen_ai.output.messages", &format!("SAID-IN-{namespace}"))],
        });
        let resource = json!({"attributes": [attribute("service.namespace", namespace)]});
        let body = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}).to_string();
        let headers = vec![("Content-Type", "application/json")];
        let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
        assert_eq!(http(receiver.http, &request).unwrap().0, 200);
    }
    let refused = site.run(&["erase", "--person", "42", "--ground", "asked", "--yes"]);
    assert_eq!(refused.status.code(), Some(2), "{refused}");
    assert!(refused.stderr.contains("2 realms (loans, shop)"), "{refused}");
    site.run(&["erase", "--person", "42", "--realm", "shop", "--ground", "asked", "--yes"]).success();
    let all = vault_bytes(&site);
    assert!(holds(&all, "SAID-IN-loans") && !holds(&all, "SAID-IN-shop"));
    assert_eq!(found(&site, &["--person", "42"]).len(), 1);
    drop(receiver);
}

/// Scenario: evidence in a bucket, where no lock says that a `serve` is at work, and one that was alive a moment ago. Guarantee: the command
/// does not displace it by itself; told that it is dead, or after a clean stop, it does what is asked.
#[test]
fn a_log_that_somebody_seems_to_write_is_left_alone() {
    for server in S3Server::all().into_iter().filter(|server| server.kind != Kind::Rgw) {
        let (evidence, plain) =
            runtime().block_on(async { (server.fresh_bucket(Bucket::Locked).await, server.fresh_bucket(Bucket::Plain).await) });
        let site = Site::with(SiteOptions {
            store: format!("s3://{evidence}/evidence"),
            more: format!("content: {{vault: {{url: 's3://{plain}/vault'}}}}\nretention: {{classes: [{{name: standard, period: 1d}}]}}"),
            env: server.environment().into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            ..SiteOptions::default()
        });
        let receiver = site.serve();
        everything(&receiver);
        receiver.kill();
        let ask = |who| ["erase", "--person", who, "--ground", "asked", "--yes"];
        let refused = site.run(&ask(ALICE));
        assert!(refused.status.code() == Some(2) && refused.stderr.contains("promises another by 20"), "{refused}");
        assert_eq!(found(&site, &["--person", ALICE]).len(), 3);
        site.run(&[&ask(ALICE)[..], &["--offline"]].concat()).success();
        // It closed the log itself.
        site.run(&ask(BOB)).success();
        site.verified();
    }
}

/// Scenario: persons are sealed as keyed pseudonyms, and only what was said is in the vault; then the vault's key file is lost. Guarantee:
/// the content goes, and it is said that the pseudonym can still be compared; without the key nothing is passed off as erased.
#[test]
fn what_cannot_be_erased_is_said() {
    let site = site();
    let yaml = std::fs::read_to_string(&site.config).unwrap().replace("identity: {", "identity: {mode: keyed, ");
    std::fs::write(&site.config, yaml).unwrap();
    let receiver = site.serve();
    everything(&receiver);
    assert!(receiver.stop().success());
    let told = site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes"]).success().stdout;
    assert!(told.contains("what was said in 3 records") && told.contains("only destroying that key ends it"), "{told}");
    let again = site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes"]);
    assert!(again.status.code() == Some(1) && again.stdout.starts_with("Erased already"), "{again}");
    let all = vault_bytes(&site);
    assert!(GONE.iter().all(|text| !holds(&all, text)) && STAYS.iter().all(|text| holds(&all, text)));
    // By the whole, and by one record of it.
    let named = found(&site, &["--person", ALICE]);
    assert_eq!(named.len(), 3, "she is still found by whoever has the identity key");
    let trace = format!("{:032x}", 2);
    std::fs::rename(site.path("spanseal-vault.key"), site.path("gone")).unwrap();
    let shown = site.run(&["show", &trace, "--content"]);
    assert_eq!(shown.status.code(), Some(2), "{shown}");
    let flat = shown.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("Not shown: the vault could not be opened: its key file") && !flat.contains("erased on"), "{shown}");
    let refused = site.run(&["erase", "--person", BOB, "--ground", "asked", "--yes"]);
    assert!(refused.status.code() == Some(2) && refused.stderr.contains("does not exist"), "{refused}");
    let served = site.run(&["serve"]);
    assert!(served.status.code() == Some(2) && served.stderr.contains("bring the file back"), "{served}");
}

/// A record that says something of its own and names a person; both go to the vault.
pub(crate) fn batch_of(process: &Process, n: u64, person: u8) -> Batch {
    let mut out = batch([n], 0);
    let vault = process.vault.as_ref().unwrap();
    let given = vault.persons().pseudonym([person; 32], || [u8::try_from(n).unwrap(); 16]);
    let (salt, text) = ([7; 32], said(n));
    let mut json = Json::parse(out.line(&out.records[0])).unwrap();
    let Json::Object(members) = &mut json else { panic!() };
    let commitment = commitment_text(&commitment(&salt, text.as_bytes()));
    members.push((
        "input".into(),
        Json::object([("captured", Json::string("vault")), ("commitment", Json::String(commitment)), ("scheme", Json::string("utf8"))]),
    ));
    members.push(("subject".into(), Json::object([("id", Json::String(vault_pseudonym(&given.pseudonym)))])));
    out.lines = json.to_jcs();
    let record = &mut out.records[0];
    record.line = 0..out.lines.len();
    (_, record.sameness) = sameness_of_line(&out.lines).unwrap();
    record.pieces = 0..1;
    out.apart.pieces.push(Piece { record: record.id, member: "input".into(), scheme: Scheme::Utf8, salt, content: 0..text.len() });
    out.apart.bytes = text.into_bytes();
    if !given.stored {
        let id = format!("person-{person}@example.com");
        out.apart.persons.push(PersonEntry { key: [person; 32], pseudonym: given.pseudonym, realm: String::new(), id });
    }
    out
}

/// Everything in a vault in memory, decrypted.
pub(crate) async fn vault_plain(place: &Place) -> Vec<u8> {
    place.vault().every_object().await.unwrap().into_iter().flat_map(|(_, plain)| plain.to_vec()).collect()
}

pub(crate) fn said(n: u64) -> String {
    format!("what record {n} said")
}

pub(crate) fn eraser(log: &TestLog, process: &Process) -> Eraser {
    eraser_with(log, process, process.governor(log).register)
}

/// The same that asks this one what is on hold.
pub(crate) fn eraser_with(log: &TestLog, process: &Process, register: Register) -> Eraser {
    Eraser::new(Parts {
        register,
        store: Arc::new(process.store.clone()),
        log: LOG.to_owned(),
        vkey: TestLog::key().verifier().clone(),
        vault: process.vault.clone().unwrap(),
        sealer: process.handle.clone(),
        identity: IdentityKey::new([1; 32]),
        identity_mode: IdentityMode::Vault,
        realm_attribute: "service.namespace".to_owned(),
        scrub: Vec::new(),
        classes: log.classes(),
        clock: Arc::new(log.clock.clone()),
    })
}

pub(crate) fn wish() -> Wish {
    Wish {
        scope: Scope::Person,
        who: "person-1@example.com".to_owned(),
        as_sent: false,
        realms: Vec::new(),
        ground: "asked".to_owned(),
        ticket: None,
        by: None,
        shared: false,
        despite_holds: Vec::new(),
        dry_run: false,
    }
}

/// Erases in a process that dies (or whose vault fails) at the `nth` change of the vault; then another process starts. Answers how many
/// changes there were.
async fn broken_off(nth: u64, fault: PlaceFault) -> u64 {
    let what = format!("change {nth}, {fault:?}");
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let place = log.place.clone().unwrap();
    let process = log.open().await.unwrap().unwrap();
    for (n, person) in [(1, 1), (2, 2), (3, 1)] {
        process.submit(batch_of(&process, n, person)).await.unwrap();
    }
    let before = place.effects();
    place.fail_effect(nth, fault);
    let erasing = eraser(&log, &process);
    let first: Option<Result<Outcome, EraseError>> =
        tokio::time::timeout(std::time::Duration::from_secs(600), erasing.erase(&wish())).await.ok();
    let changes = place.effects() - before;
    place.clear_faults();
    process.kill();
    let process = log.open().await.unwrap().unwrap();
    let erasing = eraser(&log, &process);
    // Whoever was forgotten stays so: the same person has another pseudonym now.
    let open = process.vault.as_ref().unwrap().intents().await.unwrap();
    if !open.is_empty() {
        let given = process.vault.as_ref().unwrap().persons().pseudonym([1; 32], || [0xee; 16]);
        assert_eq!(given.pseudonym, [0xee; 16], "{what}");
    }
    let finished = erasing.finish().await.unwrap();
    assert_eq!(finished, open.len(), "{what}");
    let reported = matches!(&first, Some(Ok(outcome)) if outcome.done);
    if !reported && finished == 0 && place.vault().find(&HashSet::from(["person-1@example.com"]), None).await.unwrap().entries.len() == 1 {
        // Nothing had begun: who asks again gets it.
        assert!(nth == 1, "{what}");
        assert!(erasing.erase(&wish()).await.unwrap().done, "{what}");
    }
    let all = vault_plain(&place).await;
    for (text, stays) in [(said(1), false), (said(2), true), (said(3), false), ("person-1@".into(), false), ("person-2@".into(), true)] {
        assert_eq!(holds(&all, &text), stays, "{what}: {text}");
    }
    assert!(process.vault.as_ref().unwrap().intents().await.unwrap().is_empty(), "{what}");
    // One record of it, however often it was begun; the log is whole, and its records are all there.
    let contents = log.check_log().await;
    let erasures: Vec<&RecordId> =
        contents.lines.iter().filter(|(_, line)| holds(line, "\"kind\":\"erasure\"")).map(|(id, _)| id).collect();
    assert_eq!(erasures.len(), 1, "{what}");
    assert!([1, 2, 3].iter().all(|n| contents.records.contains_key(&id(*n))), "{what}");
    drop(process.drain().await);
    changes
}

/// Scenario: the process dies, or the vault fails, at every single change that an erasure makes, done or not done. Guarantee: the next start
/// finishes it, and there is one record of it.
#[tokio::test(start_paused = true)]
async fn an_erasure_is_finished_whatever_breaks_it_off() {
    for fault in [PlaceFault::Refused, PlaceFault::DoneButRefused, PlaceFault::NotDone, PlaceFault::Hangs, PlaceFault::HangsForGood] {
        let mut nth = 1;
        loop {
            let changes = broken_off(nth, fault).await;
            if nth > changes {
                assert!(changes >= 5, "an intent, two packs, persons, the intent again: {changes}");
                break;
            }
            nth += 1;
        }
    }
}

/// An erasure that waits for a request that is under way.
pub(crate) struct Waiting {
    pub(crate) log: TestLog,
    pub(crate) process: Process,
    /// The request: promoted, its share of the pool held, and not handed over yet.
    pub(crate) late: Batch,
    pub(crate) permit: Permit,
    pub(crate) erasure: tokio::task::JoinHandle<Result<Outcome, EraseError>>,
}

/// Record 1 of person 1 is sealed, record 2 is under way, and the person is being erased.
pub(crate) async fn waiting() -> Waiting {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    process.submit(batch_of(&process, 1, 1)).await.unwrap();
    let erasing = eraser(&log, &process);
    let late = batch_of(&process, 2, 1);
    let permit = process.handle.pool.admit(late.memory()).await.unwrap();
    let erasure = tokio::spawn(async move { erasing.erase(&wish()).await });
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert!(!erasure.is_finished(), "it waits");
    Waiting { log, process, late, permit, erasure }
}

/// Scenario: a request is promoted under the old pseudonym while the person is erased, and sealed only then. Guarantee: the erasure waits
/// for it and takes it too.
#[tokio::test(start_paused = true)]
async fn what_is_under_way_is_erased_too() {
    let Waiting { log, process, late, permit, erasure } = waiting().await;
    process.handle.submit(late, permit).await.unwrap();
    let outcome = erasure.await.unwrap().unwrap();
    assert_eq!((outcome.records, outcome.contents, outcome.persons), (2, 2, 1));
    let all = vault_plain(log.place.as_ref().unwrap()).await;
    assert!(!holds(&all, &said(1)) && !holds(&all, &said(2)) && !holds(&all, "person-1@"));
    drop(process.drain().await);
}
