//! Promise: what the writer kept of one span more than once, no reader hides: each sealing is named and proved to whoever holds its receipt,
//! and nothing is called the same because its line is, where the vault alone knows what was said.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::access::readings;
use crate::erase::found;
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{Receiver, Site};

const TRACE: &str = "00000000000000000000000000000001";
const DECLINED: &str = "the loan is declined";
const APPROVED: &str = "the loan is approved";

/// Three sealings of one span: declined, by the shop; approved, by somebody with another token; declined again, by the shop, when the writer
/// had forgotten the first.
struct Thrice {
    site: Site,
    receiver: Receiver,
    /// `SEAL:ROOT` of each, as its sender was told.
    receipts: [String; 3],
    seals: [u64; 3],
}

fn thrice() -> Thrice {
    let site = Site::local();
    let tokens = site.path("tokens");
    let token = |name: &str| {
        let made = site.run(&["keygen", "--token", name, "--key-file", tokens.to_str().unwrap()]).success();
        made.stdout.trim().to_owned()
    };
    let (shop, other) = (token("shop"), token("other"));
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    let (listener, seal) = ("http: {endpoint: '127.0.0.1:0'", "seal: {max_delay: 20ms");
    assert!(yaml.contains(listener) && yaml.contains(seal));
    let yaml = yaml.replace(listener, &format!("{listener}, auth: {{token_file: '{}'}}", tokens.display()));
    std::fs::write(&site.config, yaml.replace(seal, &format!("{seal}, dedup_window: 10ms"))).unwrap();
    let receiver = site.serve();
    let mut receipts = vec![send(&receiver, &shop, DECLINED), send(&receiver, &other, APPROVED)];
    while receipts.len() < 3 {
        // Until the writer has forgotten it, it answers with a receipt that was given before.
        let receipt = send(&receiver, &shop, DECLINED);
        if !receipts.contains(&receipt) {
            receipts.push(receipt);
        }
    }
    let seals = [0, 1, 2].map(|at: usize| receipts[at].split_once(':').unwrap().0.parse().unwrap());
    Thrice { site, receiver, receipts: receipts.try_into().unwrap(), seals }
}

fn send(receiver: &Receiver, token: &str, said: &str) -> String {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let attributes = [attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.output.messages", said)];
    let span = json!({
        "traceId": TRACE, "spanId": "0000000000000001", "name": "chat",
        "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000", "attributes": attributes,
    });
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string();
    let proof = format!("Bearer {token}");
    let headers = vec![("Content-Type", "application/json"), ("Authorization", proof.as_str())];
    let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
    let (status, answer) = http(receiver.http, &request).unwrap();
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer.body));
    format!("{}:{}", answer.headers["spanseal-seal"], answer.headers["spanseal-root"])
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Scenario: two contents of equal length under one span, and one of them sealed twice. Guarantee: whoever holds a receipt finds it named by
/// the API, and its record in the proof of the trace; who proves the record by its id is told that it proves the earliest.
#[test]
fn every_sealing_is_named_and_proved() {
    let Thrice { site, receiver, receipts, seals } = thrice();
    let path = format!("/api/v1/receipts/{TRACE}");
    let request = HttpRequest { method: "GET", path: &path, headers: vec![], body: b"", chunked: false };
    let (status, answer) = http(receiver.api, &request).unwrap();
    let named: Value = serde_json::from_slice(&answer.body).unwrap();
    let records = named["records"].as_array().unwrap();
    let of: Vec<&str> = records.iter().map(|record| record["receipt"].as_str().unwrap()).collect();
    assert_eq!((status, of), (200, receipts.iter().map(String::as_str).collect()), "{named}");
    assert_eq!(records.iter().map(|record| &record["id"]).map(Value::to_string).collect::<BTreeSet<_>>().len(), 1);
    assert_eq!(named["prove"], format!("spanseal prove --trace-id {TRACE}"));
    assert!(receiver.stop().success());

    let proof = site.run(&["prove", "--trace-id", TRACE]).success().stdout;
    std::fs::write(site.path("proof.json"), proof).unwrap();
    let log: Value = serde_json::from_slice(&std::fs::read(site.path("store/spanseal/log.json")).unwrap()).unwrap();
    let checked = site.run(&["check", "proof.json", "--vkey", log["vkey"].as_str().unwrap(), "--json"]).success();
    let checked: Value = serde_json::from_str(&checked.stdout).unwrap();
    let proved: Vec<u64> = checked["records"].as_array().unwrap().iter().map(|record| record["seal"].as_u64().unwrap()).collect();
    assert_eq!((&checked["verdict"], proved), (&json!("verified"), seals.to_vec()), "{checked:#}");

    let id = records[0]["id"].as_str().unwrap();
    let one = site.run(&["prove", id]).success();
    let told = format!("this proves the earliest of this record; it was sealed again in seals {} and {}", seals[1], seals[2]);
    assert!(one.stderr.contains(&told) && one.stderr.contains(&format!("`spanseal prove --trace-id {TRACE}` proves each")), "{one}");
}

/// Scenario: the same. Guarantee: without the vault readers say where and by whom it was sealed again, and that it is not known whether it
/// said the same; with it they show both contents, contradicting each other, and only true copies as one, and the reading is on record.
#[test]
fn what_an_equal_line_hides_is_shown() {
    let Thrice { site, receiver, seals, .. } = thrice();
    assert!(receiver.stop().success());

    let queried = site.run(&["query", "--trace-id", TRACE, "--format", "json"]).success();
    let hits: Value = serde_json::from_str(&queried.stdout).unwrap();
    let hit = &hits[0];
    assert_eq!((hits.as_array().map(Vec::len), &hit["copies"], &hit["same_content"]), (Some(1), &json!(2), &Value::Null), "{hits:#}");
    let again = hit["sealed_again"].as_array().unwrap();
    let told = |member: &str| again.iter().map(|again| again[member].clone()).collect::<Vec<_>>();
    assert_eq!(told("seal"), [json!(seals[1]), json!(seals[2])]);
    assert_eq!(told("peer"), [json!({"id": "other", "method": "token"}), json!({"id": "shop", "method": "token"})]);
    assert_eq!(told("same_content"), [Value::Null, Value::Null]);
    assert!(queried.stderr.contains("the line does not show whether it was the same each time"), "{queried}");
    assert!(queried.stderr.contains("1 record was sent by several senders"), "{queried}");
    let table = site.run(&["query", "--trace-id", TRACE]).success();
    assert!(table.stdout.contains("(sealed again)"), "{table}");

    let shown = site.run(&["show", TRACE]).success();
    let text = flat(&shown.stdout);
    for part in [
        format!(
            "Record 1 was sealed again in seals {} and {}, under a line that is equal. What was said lies in the vault",
            seals[1], seals[2]
        ),
        format!("record 1 was sent by another sender as well, \"other\" (shown by a token), and sealed again in seal {}", seals[1]),
        "Not known is whether 1 record said the same each time it was sealed".to_owned(),
        "1 of the records was sealed again under an equal line".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}\n{shown}");
    }
    assert!(!text.contains("time more, sealed") && !text.contains("sealed 2 times more"), "{shown}");
    let story: Value = serde_json::from_str(&site.run(&["show", TRACE, "--json"]).success().stdout).unwrap();
    let copies = &story["copies"][0];
    assert_eq!(
        (&copies["record"], &copies["seal"], &copies["same_content"]),
        (&hit["record"]["id"], &json!(seals[0]), &Value::Null),
        "{story:#}"
    );
    assert_eq!(copies["sealed_again"], hit["sealed_again"]);
    assert!(readings(&site).is_empty(), "nobody asked for what was said");

    let shown = site.run(&["show", TRACE, "--content"]).success();
    let text = flat(&shown.stdout);
    for part in [
        DECLINED.to_owned(),
        APPROVED.to_owned(),
        "Records 1 and 2 carry the same identity as another record but say something else".to_owned(),
        format!("sealed 1 time more (seal {})", seals[2]),
        "record 2 from \"other\" (shown by a token)".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}\n{shown}");
    }
    assert!(!text.contains("Not known is whether") && !text.contains("was sealed again"), "{shown}");
    assert_eq!(text.matches(DECLINED).count(), 1, "a true copy is told once");

    let rows = found(&site, &["--trace-id", TRACE, "--content"]);
    let of = |member: &str| rows.iter().map(|row| row[member].clone()).collect::<Vec<_>>();
    assert_eq!((of("seal"), of("conflict")), (vec![json!(seals[0]), json!(seals[1])], vec![json!(true), json!(true)]), "{rows:#?}");
    let said = rows.iter().map(|row| row["content"][0]["content"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert!(said[0].contains(DECLINED) && said[1].contains(APPROVED), "{said:?}");
    assert_eq!((of("copies"), of("same_content")), (vec![json!(1), Value::Null], vec![json!(true), Value::Null]));
    assert_eq!(rows[0]["sealed_again"][0]["seal"], json!(seals[2]));
    let all = readings(&site);
    assert_eq!(all.len(), 2, "what was shown is on record");
    for reading in &all {
        let filter: Value = serde_json::from_str(reading["record"]["control"]["filter"].as_str().unwrap()).unwrap();
        assert_eq!(filter["records"], json!([hit["record"]["id"]]), "both stand under one id");
    }
}
