//! Who did not get the receipt, because a Collector stood in between, asks for it later.

use serde_json::Value;

use crate::erase::{send, span};
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{Receiver, Site};

const TRACE: &str = "00000000000000000000000000000001";

fn ask(receiver: &Receiver, path: &str, token: Option<&str>) -> (u16, Value) {
    let token = token.map(|token| format!("Bearer {token}"));
    let headers = token.iter().map(|token| ("Authorization", token.as_str())).collect();
    let (status, answer) = http(receiver.api, &HttpRequest { method: "GET", path, headers, body: b"", chunked: false }).unwrap();
    (status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// Scenario: a trace is sealed, and somebody asks where, with a token of a file that holds only hashes of tokens. Guarantee: nobody is answered
/// without; what is answered names the record, and its receipt is one that `verify` takes, until the log is another one; a trace that was never
/// sealed is not found.
#[test]
fn a_receipt_is_given_later() {
    let site = Site::local();
    let tokens = site.path("tokens");
    std::fs::write(&tokens, "# who may send").unwrap();
    let made = site.run(&["keygen", "--token", "collector", "--key-file", tokens.to_str().unwrap()]).success();
    let (token, text) = (made.stdout.trim(), std::fs::read_to_string(&tokens).unwrap());
    let hash = text.strip_prefix("# who may send\ncollector:sha256:").unwrap().trim();
    assert!(!made.stderr.contains(token) && !text.contains(token) && !made.stderr.contains("already"), "{made}");
    let again = site.run(&["keygen", "--token", "collector", "--key-file", tokens.to_str().unwrap()]).success();
    assert!(again.stderr.contains("a token of `collector` stood there already and is let in as before"), "{again}");
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    let api = format!("api: {{endpoint: '127.0.0.1:0', auth: {{token_file: '{}'}}}}", tokens.display());
    std::fs::write(&site.config, yaml.replace("api: {endpoint: '127.0.0.1:0'}", &api)).unwrap();
    let receiver = site.serve();
    send(&receiver, &[span(1, 1, "hello", &[])]);
    let path = format!("/api/v1/receipts/{TRACE}");
    assert_eq!(ask(&receiver, &path, None).0, 401);
    assert_eq!(ask(&receiver, &path, Some(hash)).0, 401, "the hash is no token");
    let (status, found) = ask(&receiver, &path, Some(token));
    assert_eq!((status, found["records"].as_array().map(Vec::len)), (200, Some(1)), "{found}");
    let record = &found["records"][0];
    let sealed: Value = serde_json::from_str(&site.run(&["query", "--trace-id", TRACE, "--format", "json"]).success().stdout).unwrap();
    for member in ["seal", "segment", "leaf_index"] {
        assert_eq!(record[member], sealed[0][member], "{found}");
    }
    assert_eq!(record["id"], sealed[0]["record"]["id"]);
    assert!(!found.to_string().contains("hello"), "{found}");
    let receipt = record["receipt"].as_str().unwrap();
    let told = site.run(&["verify", "--receipt", receipt]).success();
    assert!(told.stdout.contains("names the very tree"), "{told}");
    let other = site.run(&["verify", "--receipt", &receipt.replacen(':', ":AAAA", 1).chars().take(receipt.len()).collect::<String>()]);
    assert_ne!(other.status.code(), Some(0), "{other}");
    let (status, none) = ask(&receiver, &path.replace("0001", "0002"), Some(token));
    assert_eq!((status, none["records"].as_array().map(Vec::len)), (404, Some(0)), "{none}");
    assert_eq!(ask(&receiver, "/api/v1/receipts/x", Some(token)).0, 400);
    let header = format!("Bearer {token}");
    let headers = vec![("Authorization", header.as_str())];
    let (_, answer) = http(receiver.api, &HttpRequest { method: "GET", path: "/metrics", headers, body: b"", chunked: false }).unwrap();
    let figures = String::from_utf8(answer.body).unwrap();
    for (outcome, many) in [("found", 1), ("not_found", 1), ("wrong", 1), ("busy", 0), ("unread", 0), ("incomplete", 0)] {
        let line = format!("spanseal_receipts_requests_total{{outcome=\"{outcome}\"}} {many}\n");
        assert!(figures.contains(&line), "{line}{figures}");
    }
    assert!(receiver.stop().success());
}

/// Scenario: somebody copies a true seal of the log to names far behind its end, near and as far as names go, before and after a start of `serve`.
/// Guarantee: what reads the log finds what is in it, and nothing walks through what is not there; `verify` names both.
#[test]
fn a_true_seal_under_far_names_holds_nobody_up() {
    let site = Site::local();
    let receiver = site.serve();
    send(&receiver, &[span(1, 1, "hello", &[])]);
    let seals = site.path("store/spanseal/seals");
    for far in [500, u64::MAX] {
        std::fs::copy(seals.join(format!("{:020}.json", 1)), seals.join(format!("{far:020}.json"))).unwrap();
    }
    assert_eq!(ask(&receiver, &format!("/api/v1/receipts/{TRACE}"), None).1["records"].as_array().map(Vec::len), Some(1));
    assert!(receiver.stop().success());
    site.run(&["hold", "place", "--matter", "M", "--reason", "asked", "--by", "legal", "--trace-id", TRACE]).success();
    let mut receiver = site.serve();
    send(&receiver, &[span(1, 2, "again", &[])]);
    assert_eq!(ask(&receiver, &format!("/api/v1/receipts/{TRACE}"), None).1["records"].as_array().map(Vec::len), Some(2));
    receiver.assert_healthy();
    assert!(receiver.stop().success());
    assert_eq!(site.rows().iter().filter(|row| row["record"]["trace"]["trace_id"] == TRACE).count(), 2);
    let listed = site.run(&["hold", "list"]).success();
    assert!(listed.stdout.contains('M'), "{listed}");
    let verified = site.run(&["verify"]);
    assert_eq!(verified.status.code(), Some(1), "{verified}");
    assert!(
        verified.stdout.contains("00000000000000000500.json") && verified.stdout.contains("the last at seal 18446744073709551615"),
        "{verified}"
    );
}
