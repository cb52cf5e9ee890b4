//! What a request names by reference, and what its record says once that is fetched.

use super::*;
use crate::promote::testing::{self, Any, event, log, span};
use crate::promote::tests::{RECEIVED, at, checked, promoter, settings};
use crate::promote::{ContentMode, Context, Settings};
use crate::record::Batch;
use crate::record::canonical::Json;
use crate::record::content::{commitment, commitment_text};

const INPUT: &str = "s3://content/genai/input.json";
const OUTPUT: &str = "s3://content/genai/output.json";
const SAID: &str =
    r#"[{"role":"system","parts":[{"type":"text","content":"Be kind."}]},{"role":"user","parts":[{"type":"text","content":"Hello"}]}]"#;
const ANSWERED: &str = r#"[{"role":"assistant","parts":[{"type":"text","content":"Good day"}],"finish_reason":"stop"}]"#;

fn request(item: Vec<u8>) -> Vec<u8> {
    testing::request(&[], ("app", ""), &[item])
}

fn call(more: &[(&str, Any)]) -> Vec<u8> {
    let mut attributes = vec![("gen_ai.operation.name", Any::text("chat")), ("gen_ai.request.model", Any::text("m"))];
    attributes.extend(more.iter().cloned());
    request(span("chat m", &attributes))
}

fn references() -> [(&'static str, Any); 2] {
    [("gen_ai.input.messages_ref", Any::text(INPUT)), ("gen_ai.output.messages_ref", Any::text(OUTPUT))]
}

fn fetched(texts: &[(&str, &str)]) -> Fetched {
    let mut all = Fetched::default();
    texts.iter().for_each(|(reference, text)| all.insert((*reference).to_owned(), Bytes::from((*text).to_owned())));
    all
}

fn record(promoter: &Promoter, request: &[u8], fetched: &Fetched) -> (Json, Batch) {
    let mut batch = Batch::default();
    promoter.traces(request, Context { fetched: Some(fetched), ..Context::new(RECEIVED) }, &mut batch).unwrap();
    (checked(batch.line(&batch.records[0])), batch)
}

/// Guarantee: references are found where a record would take them from, and only those that the promotion would ask for.
#[test]
fn a_request_says_which_references_it_needs() {
    let named = |request: &[u8], signal| {
        let mut named: Vec<String> = promoter().references(request, signal).unwrap().into_iter().map(str::to_owned).collect();
        named.sort();
        named
    };
    assert_eq!(named(&call(&references()), Signal::Traces), [INPUT, OUTPUT]);
    let inline = [references().as_slice(), &[("gen_ai.input.messages", Any::text(SAID))]].concat();
    assert_eq!(named(&call(&inline), Signal::Traces), [OUTPUT], "what stands there is not fetched");
    let frame = [references().as_slice(), &[("gen_ai.input.messages", Any::text(r#"[{"role":"user","parts":[]}]"#))]].concat();
    assert_eq!(named(&call(&frame), Signal::Traces), [INPUT, OUTPUT], "a frame is no content");
    assert!(named(&call(&[("app.input_ref", Any::text(INPUT)), ("gen_ai.input.messages_ref", Any::int(5))]), Signal::Traces).is_empty());
    let details = event("gen_ai.client.inference.operation.details", 1, &references());
    assert_eq!(named(&request([span("chat", &[]), details].concat()), Signal::Traces), [INPUT, OUTPUT]);
    let logged = request(log("gen_ai.client.inference.operation.details", Any::empty(), &references()));
    assert_eq!(named(&logged, Signal::Logs), [INPUT, OUTPUT]);
    assert!(named(&logged, Signal::Metrics).is_empty());
    let other = Promoter::new(Settings { dialects: vec!["openinference".into()], ..settings() }).unwrap();
    assert!(other.references(&call(&references()), Signal::Traces).unwrap().is_empty(), "a dialect that is switched off says nothing");
    assert!(promoter().references(b"\x0a\xff", Signal::Traces).is_err());
}

/// Every key of a reference is found by the mark that requests are searched for.
#[test]
fn the_mark_is_in_every_key_of_a_reference() {
    let keys = crate::promote::vocabulary::words().into_iter().filter(|word| word.fields.iter().any(|field| field.ends_with(".reference")));
    let keys: Vec<String> = keys.map(|word| word.key.into_owned()).filter(|key| !key.starts_with("ai_audit.")).collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    assert!(keys.iter().all(|key| key.as_bytes().ends_with(REFERENCE_MARK)), "{keys:?}");
}

/// Guarantee, by hash and in the vault: what was fetched is held as content, the record says from where and how it came, and what it says
/// of the call is read from it.
#[test]
fn fetched_content_is_content() {
    let texts = fetched(&[(INPUT, SAID), (OUTPUT, ANSWERED)]);
    let (by_hash, _) = record(&promoter(), &call(&references()), &texts);
    let sent = |texts: &[(&str, &str)]| call(&texts.iter().map(|(key, text)| (*key, Any::text(text))).collect::<Vec<_>>());
    let inline = sent(&[("gen_ai.input.messages", SAID), ("gen_ai.output.messages", ANSWERED)]);
    let (as_sent, _) = record(&promoter(), &inline, &Fetched::default());
    for side in ["input", "output"] {
        let (here, there) = (by_hash.path(side).unwrap(), as_sent.path(side).unwrap());
        for member in ["captured", "scheme", "hash", "bytes"] {
            assert_eq!(here.get(member), there.get(member), "{side}.{member}");
        }
        assert_eq!(at(here, "captured"), "hash");
        assert_eq!(at(here, "reference"), if side == "input" { INPUT } else { OUTPUT });
    }
    assert_eq!(at(&by_hash, "prompt.hash"), at(&as_sent, "prompt.hash"));
    assert_eq!(by_hash.path("output.finish_reasons"), as_sent.path("output.finish_reasons"));
    let derived = by_hash.path("evidence.derived").unwrap();
    assert_eq!(derived.get("input").and_then(Json::as_str), Some("fallback:gen_ai.input.messages_ref"));
    assert_eq!(derived.get("output").and_then(Json::as_str), Some("fallback:gen_ai.output.messages_ref"));

    let vault = Promoter::new(Settings { content: ContentMode::Vault { equality: false }, ..settings() }).unwrap();
    let (in_vault, batch) = record(&vault, &call(&references()), &texts);
    let pieces = batch.pieces(&batch.records[0]);
    for (side, text) in [("input", SAID), ("output", ANSWERED)] {
        let content = in_vault.path(side).unwrap();
        assert_eq!((at(content, "captured"), at(content, "scheme")), ("vault", "utf8"));
        let piece = pieces.iter().find(|piece| piece.member == side).unwrap();
        assert_eq!(batch.apart.content(piece), text.as_bytes());
        assert_eq!(at(content, "commitment"), commitment_text(&commitment(&piece.salt, text.as_bytes())));
    }
}

/// Guarantee: what could not be fetched, or holds nothing, is marked, and nothing of it is invented.
#[test]
fn what_was_not_fetched_stays_by_reference() {
    for texts in [fetched(&[]), fetched(&[("s3://content/genai/other.json", SAID)]), fetched(&[(INPUT, "[]"), (OUTPUT, "__REDACTED__")])] {
        let (json, _) = record(&promoter(), &call(&references()), &texts);
        for (side, reference) in [("input", INPUT), ("output", OUTPUT)] {
            let members = json.path(side).and_then(Json::as_object).unwrap();
            let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["captured", "reference"], "{side}");
            assert_eq!((at(&json, &format!("{side}.captured")), at(&json, &format!("{side}.reference"))), ("by_reference", reference));
        }
        assert!(json.path("evidence.derived.input").is_none() && json.path("rest").is_none());
    }
    // What the sender wrote itself counts, though something was fetched.
    let marked = [references().as_slice(), &[("gen_ai.input.messages", Any::text("__REDACTED__"))]].concat();
    let (json, _) = record(&promoter(), &call(&marked), &fetched(&[(INPUT, SAID)]));
    assert_eq!(at(&json, "input.captured"), "redacted");
    let own = [references().as_slice(), &[("gen_ai.input.messages", Any::text(ANSWERED))]].concat();
    let (json, _) = record(&promoter(), &call(&own), &fetched(&[(INPUT, SAID)]));
    assert_eq!(at(&json, "input.bytes"), ANSWERED.len().to_string());
}

/// Guarantee: a claimed hash that is neither that of the bytes nor that of their canonical JSON is named; one that is, and one of a kind
/// that cannot be compared, is not.
#[test]
fn a_claimed_hash_that_is_anothers_is_named() {
    let spaced = r#"[ {"parts": [], "role": "user", "content": "Hello"} ]"#;
    let canonical = Json::parse(spaced.as_bytes()).unwrap().to_jcs();
    let digest = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    for (claimed, contradicts) in [
        (format!("sha256:{}", digest(spaced.as_bytes())), false),
        (digest(spaced.as_bytes()).to_uppercase(), false),
        (format!("sha256:{}", digest(&canonical)), false),
        (format!("sha256:{}", digest(b"something else")), true),
        (digest(b"something else"), true),
        ("md5:abcd".to_owned(), false),
    ] {
        let sent = call(&[("gen_ai.input.messages_ref", Any::text(INPUT)), ("ai_audit.input.hash", Any::text(&claimed))]);
        let (json, _) = record(&promoter(), &sent, &fetched(&[(INPUT, spaced)]));
        let conflicts = json.path("evidence.conflicts").and_then(Json::as_array).unwrap_or_default();
        assert_eq!(conflicts.iter().any(|path| path.as_str() == Some("input.claimed_hash")), contradicts, "{claimed}");
        assert!(json.path("input.claimed_hash").is_some() && at(&json, "input.captured") == "hash");
        let (json, _) = record(&promoter(), &sent, &Fetched::default());
        assert!(json.path("evidence.conflicts").is_none(), "what was not fetched cannot be compared");
    }
}

/// Guarantee: of a tool, what went in is what it was given, also where it was fetched; a frame beside it stays findable.
#[test]
fn what_a_tool_was_given_is_found_too() {
    let tool = [
        ("gen_ai.operation.name", Any::text("execute_tool")),
        ("gen_ai.tool.name", Any::text("search")),
        ("gen_ai.input.messages_ref", Any::text(INPUT)),
        ("ai_audit.input.hash", Any::text(&hex::encode([7; 32]))),
    ];
    let (json, _) = record(&promoter(), &request(span("execute_tool search", &tool)), &fetched(&[(INPUT, SAID)]));
    assert_eq!(at(&json, "tool.arguments.bytes"), SAID.len().to_string());
    assert_eq!(
        json.path("evidence.derived").and_then(|d| d.get("tool.arguments")).and_then(Json::as_str),
        Some("fallback:gen_ai.input.messages_ref")
    );
    assert!(
        json.path("evidence.conflicts").and_then(Json::as_array).unwrap().iter().any(|p| p.as_str() == Some("tool.arguments.claimed_hash"))
    );
    assert!(!format!("{:?}", fetched(&[(INPUT, SAID)])).contains("Hello"));
}
