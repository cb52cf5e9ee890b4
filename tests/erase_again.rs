//! What is sent again around an erasure, within one process, brings nothing back: a person who was erased has another pseudonym, so the same
//! span makes a record that looks new.

use crate::erase::again::{copy, word_for_word};
use crate::erase::{ALICE, BOB, SUBJECT, Waiting, batch_of, found, holds, said, vault_bytes, vault_plain, waiting};
use crate::support::eventually;
use crate::support::log::{Process, id};
use crate::support::otlp::{Answer, HttpRequest, http};
use crate::support::receiver::{Receiver, Site};

/// Sends one span of trace 1; it says something and may name a subject.
fn send(receiver: &Receiver, span: u8, said: &str, subject: Option<&str>) -> Answer {
    let attribute = |key: &str, value: &str| serde_json::json!({"key": key, "value": {"stringValue": value}});
    let mut attributes = vec![attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.output.messages", said)];
    attributes.extend(subject.map(|id| attribute(&format!("ai_audit.{SUBJECT}"), id)));
    let span = serde_json::json!({
        "traceId": format!("{:032x}", 1), "spanId": format!("{span:016x}"), "name": "chat", "attributes": attributes,
        "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000",
    });
    let body = serde_json::json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}).to_string();
    let headers = vec![("Content-Type", "application/json")];
    let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
    let (status, answer) = http(receiver.http, &request).unwrap();
    assert_eq!((status, answer.promoted()), (200, 1), "{}", String::from_utf8_lossy(&answer.body));
    answer
}

/// A site whose vault has what Alice said, and where nothing runs.
fn said_by_alice() -> Site {
    let site = Site::local();
    let receiver = site.serve();
    send(&receiver, 1, "ROOT-SAID", Some(ALICE));
    assert!(receiver.stop().success());
    site
}

/// The id of that record.
fn record(site: &Site) -> String {
    found(site, &["--trace-id", &format!("{:032x}", 1)])[0]["record"]["id"].as_str().unwrap().to_owned()
}

/// Scenario: a trace that names its person on the root only is erased; both its spans are sent again, as they were and with other words.
/// Guarantee: each is answered with the receipt of the seal that holds it, nothing is sealed anew, and none of the words reach the vault.
/// Another span of another person is sealed as ever.
#[test]
fn what_is_sent_again_is_a_duplicate_whatever_it_says() {
    let site = Site::local();
    // A port that the command knows.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    std::fs::write(&site.config, yaml.replace("api: {endpoint: '127.0.0.1:0'}", &format!("api: {{endpoint: '127.0.0.1:{port}'}}")))
        .unwrap();
    let receiver = site.serve();
    let root = send(&receiver, 1, "ROOT-SAID", Some(ALICE)).seal();
    let child = send(&receiver, 2, "CHILD-SAID", None).seal();
    assert!(root.is_some() && child > root);
    site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes"]).success();
    for (words_of_root, words_of_child) in [("ROOT-SAID", "CHILD-SAID"), ("ROOT-SAID-AGAIN", "CHILD-SAID-AGAIN")] {
        assert_eq!(send(&receiver, 1, words_of_root, Some(ALICE)).seal(), root, "{words_of_root}");
        assert_eq!(send(&receiver, 2, words_of_child, None).seal(), child, "{words_of_child}");
    }
    let all = vault_bytes(&site);
    assert!(!holds(&all, "ROOT-SAID") && !holds(&all, "CHILD-SAID") && !holds(&all, ALICE));
    assert_eq!(found(&site, &["--trace-id", &format!("{:032x}", 1)]).len(), 2);
    assert!(send(&receiver, 3, "SAID-TO-BOB", Some(BOB)).seal() > child);
    assert!(holds(&vault_bytes(&site), "SAID-TO-BOB"));
    assert!(receiver.stop().success());
}

/// Scenario: a span is sent again while others were sealed behind it, after a restart, and after its person was erased. Guarantee: each answer has the
/// receipt of the seal that holds the span, with that seal's own root, and `verify` finds nothing against any of them.
#[test]
fn a_receipt_of_what_comes_again_is_that_of_its_seal() {
    let site = Site::local();
    let mut receipts = Vec::new();
    let mut note = |answer: Answer| {
        let root = answer.headers.get("spanseal-root").unwrap();
        receipts.push(format!("{}:{root}", answer.seal().unwrap()));
    };
    let receiver = site.serve();
    (1..=3).for_each(|span| note(send(&receiver, span, "SAID", Some(ALICE))));
    note(send(&receiver, 1, "SAID", Some(ALICE)));
    assert!(receiver.stop().success());
    let receiver = site.serve();
    note(send(&receiver, 1, "SAID", Some(ALICE)));
    assert!(receiver.stop().success());
    site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes"]).success();
    let receiver = site.serve();
    note(send(&receiver, 1, "SAID", Some(ALICE)));
    assert!(receiver.stop().success());
    assert!(receipts[3..].iter().all(|receipt| *receipt == receipts[0]) && receipts[1] != receipts[0], "{receipts:?}");
    for receipt in &receipts[..3] {
        site.run(&["verify", "--receipt", receipt]).success();
    }
}

/// Sends record `n` of person 1 as a promoter would make it that has already met them again, under another pseudonym.
async fn again(process: &Process, n: u64) {
    let fresh = process.vault.as_ref().unwrap().persons().pseudonym([1; 32], || [0xcc; 16]);
    assert_eq!(fresh.pseudonym, [0xcc; 16], "the person was not forgotten");
    process.submit(batch_of(process, n, 1)).await.unwrap();
}

/// Scenario: while an erasure waits for a request that is under way, a span from before is sent again; when it is done, that one and the one
/// that was under way are. Guarantee: none of them is sealed anew, and what they say is in no byte of the vault.
#[tokio::test(start_paused = true)]
async fn what_comes_again_during_an_erasure_stays_out() {
    let Waiting { log, process, late, permit, erasure } = waiting().await;
    again(&process, 1).await;
    process.handle.submit(late, permit).await.unwrap();
    assert!(erasure.await.unwrap().unwrap().done);
    again(&process, 1).await;
    again(&process, 2).await;
    let all = vault_plain(log.place.as_ref().unwrap()).await;
    assert!(!holds(&all, &said(1)) && !holds(&all, &said(2)) && !holds(&all, "person-1@"));
    let contents = log.check_log().await;
    for n in [1, 2] {
        assert_eq!(contents.records[&id(n)].len(), 1, "record {n} was sealed again");
    }
    drop(process.drain().await);
}

/// Scenario: somebody sends a span under the ids of another's, which names another person; both are kept, in one seal. Guarantee: erasing the
/// person of one does not take what the other said, which the vault has under the same id, and the command says what stays. Asked for what
/// is shared too, it takes both.
#[test]
fn a_record_of_the_same_id_is_not_erased_along() {
    let site = Site::local();
    let receiver = site.serve();
    let span = |said: &str, subject: &str| {
        let attribute = |key: &str, value: &str| serde_json::json!({"key": key, "value": {"stringValue": value}});
        serde_json::json!({
            "traceId": format!("{:032x}", 1), "spanId": format!("{:016x}", 1), "name": "chat",
            "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000",
            "attributes": [attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.output.messages", said),
                attribute(&format!("ai_audit.{SUBJECT}"), subject)],
        })
    };
    let spans = [span("BOBS-WORDS", BOB), span("PLANTED-WORDS", ALICE)];
    let body = serde_json::json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": spans}]}]}).to_string();
    let headers = vec![("Content-Type", "application/json")];
    let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
    assert_eq!(http(receiver.http, &request).unwrap().0, 200);
    assert!(receiver.stop().success());
    let id = record(&site);
    let erased = site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes"]).success().stdout;
    assert!(erased.contains(&id) && holds(&vault_bytes(&site), "BOBS-WORDS"), "{erased}");
    let shown = site.run(&["show", &id, "--content"]).success().stdout;
    assert!(word_for_word(&shown).contains("BOBS-WORDS") && !shown.contains("Erased on"), "{shown}");
    site.run(&["erase", "--person", BOB, "--shared", "--ground", "asked", "--yes"]).success();
    let all = vault_bytes(&site);
    assert!(!holds(&all, "BOBS-WORDS") && !holds(&all, "PLANTED-WORDS"));
}

/// Scenario: content lies elsewhere while its person is erased, and is put back later. Guarantee: nobody is shown it, the readers say why and
/// end non-zero, and the next process takes it out.
#[test]
fn what_was_away_during_an_erasure_does_not_come_back() {
    let site = said_by_alice();
    let (packs, away) = (site.path("store-vault/spanseal/packs"), site.path("away"));
    std::fs::rename(&packs, &away).unwrap();
    let erased = site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes"]);
    assert!(erased.stdout.contains("0 contents"), "{erased}");
    let id = record(&site);
    let lost = site.run(&["show", &id, "--content"]);
    assert!(!lost.stdout.contains("Erased on"), "what was not there was not erased: {lost}");
    assert!(word_for_word(&lost.stdout).contains("no erasure and no retention explains it"), "{lost}");
    std::fs::rename(&away, &packs).unwrap();
    let shown = site.run(&["show", &id, "--content"]);
    assert!(!shown.status.success() && !shown.stdout.contains("ROOT-SAID") && shown.stdout.contains("in the vault again"), "{shown}");
    assert!(holds(&vault_bytes(&site), "ROOT-SAID"), "or there is nothing to take out");
    let receiver = site.serve();
    eventually("it is taken out again", || (!holds(&vault_bytes(&site), "ROOT-SAID")).then_some(()));
    assert!(receiver.stop().success());
}

/// Scenario: older packs and entries of persons are put back, and the evidence of the erasure is lost. Guarantee: the vault's own memory of it
/// keeps both from being shown, and the readers end non-zero.
#[test]
fn without_its_record_an_erasure_still_counts() {
    let site = said_by_alice();
    let (vault, backup) = (site.path("store-vault/spanseal"), site.path("backup"));
    copy(&vault, &backup);
    let id = record(&site);
    let before = segments(&site);
    site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes"]).success();
    for part in ["packs", "persons"] {
        copy(&backup.join(part), &vault.join(part));
    }
    let shown = || site.run(&["show", &id, "--content", "--identities"]);
    assert!(shown().stdout.contains("in the vault again"), "{}", shown());
    segments(&site).difference(&before).for_each(|segment| std::fs::remove_file(segment).unwrap());
    let shown = shown();
    assert!(!shown.stdout.contains("ROOT-SAID") && !shown.stdout.contains(ALICE) && !shown.status.success(), "{shown}");
    assert_eq!(shown.stdout.split_whitespace().collect::<Vec<_>>().join(" ").matches("as the vault itself knows").count(), 2, "{shown}");
    let asked = site.run(&["query", "--person", ALICE, "--format", "json"]);
    assert!(asked.status.code() == Some(2) && asked.stdout.trim() == "[]", "{asked}");
    assert!(asked.stderr.contains("who was asked for was erased") && !asked.stderr.contains(ALICE), "{asked}");
}

fn segments(site: &Site) -> std::collections::BTreeSet<std::path::PathBuf> {
    fn below(folder: &std::path::Path, found: &mut std::collections::BTreeSet<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                below(&entry, found);
            } else if entry.to_string_lossy().contains("/segments/") {
                found.insert(entry);
            }
        }
    }
    let mut found = std::collections::BTreeSet::new();
    below(&site.path("store"), &mut found);
    found
}

/// Scenario: beside the packs of a person lies something far larger than anything that is written there. Guarantee: it is said, and keeps
/// nothing else of the person from being erased.
#[test]
fn an_object_that_is_too_large_keeps_nobody_from_being_erased() {
    let site = said_by_alice();
    let day = std::fs::read_dir(site.path("store-vault/spanseal/packs")).unwrap().next().unwrap().unwrap().path();
    let pack = std::fs::read_dir(&day).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    let (seal, _) = pack.split_once('-').unwrap();
    let large = std::fs::File::create(day.join(format!("{seal}-0123456789abcdef"))).unwrap();
    large.set_len(600 * 1024 * 1024).unwrap();
    let erased = site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes"]);
    assert!(erased.status.code() == Some(2) && erased.stderr.contains("0123456789abcdef"), "{erased}");
    std::fs::remove_file(day.join(format!("{seal}-0123456789abcdef"))).unwrap();
    let all = vault_bytes(&site);
    assert!(!holds(&all, "ROOT-SAID") && !holds(&all, ALICE));
}

/// Scenario: the same beside the pack of a seal of which a span comes again after a restart, as it was and with other words as long. Guarantee: it holds up
/// nobody: the first is a copy, the second is kept.
#[test]
fn an_object_that_is_too_large_holds_up_nobody_who_sends_again() {
    let site = Site::local();
    let receiver = site.serve();
    let first = send(&receiver, 1, "ROOT-SAID", None).seal();
    assert!(receiver.stop().success());
    let day = std::fs::read_dir(site.path("store-vault/spanseal/packs")).unwrap().next().unwrap().unwrap().path();
    let large = std::fs::File::create(day.join(format!("{:020}-0123456789abcdef", first.unwrap()))).unwrap();
    large.set_len(600 * 1024 * 1024).unwrap();
    let receiver = site.serve();
    assert_eq!(send(&receiver, 1, "ROOT-SAID", None).seal(), first);
    assert!(send(&receiver, 1, "ROOT-TOLD", None).seal() > first);
    assert!(receiver.stderr().contains("0123456789abcdef`: it has 629145600 bytes"), "{}", receiver.stderr());
    assert!(receiver.stop().success());
}

/// Scenario: after an erasure the vault's own list of erasures is taken away, or the whole vault of before is put back, and a new process
/// starts; then the span is sent again. Guarantee: it is a duplicate, and what it says is in no byte of the vault.
#[test]
fn what_is_sent_again_stays_out_whatever_became_of_the_vault() {
    for whole in [false, true] {
        let site = Site::local();
        let receiver = site.serve();
        let root = send(&receiver, 1, "ROOT-SAID", Some(ALICE)).seal();
        assert!(receiver.stop().success());
        let (vault, backup) = (site.path("store-vault/spanseal"), site.path("backup"));
        copy(&vault, &backup);
        site.run(&["erase", "--person", ALICE, "--ground", "asked", "--yes"]).success();
        if whole {
            std::fs::remove_dir_all(&vault).unwrap();
            copy(&backup, &vault);
        } else {
            std::fs::remove_dir_all(vault.join("erasures")).unwrap();
        }
        let receiver = site.serve();
        assert_eq!(send(&receiver, 1, "ROOT-SAID", Some(ALICE)).seal(), root, "{whole}");
        eventually("nothing of it is there", || (!holds(&vault_bytes(&site), "ROOT-SAID")).then_some(()));
        assert!(receiver.stop().success());
    }
}
