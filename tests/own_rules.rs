//! A team that named its attributes itself, years before there was a convention, gets whole records by writing rules and changing nothing
//! in its application: the recordings `credit-model-fastapi.*`, under the rules of `tests/golden/rules/credit-model-fastapi.yaml`.
//!
//! The expectations in the `.json` beside it were written by reading the payloads and the rules, not by printing what the program makes of
//! them. Content that is hashed or kept is `held`, persons are `person:<realm>/<id>`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use spanseal::clock::{UnixNanos, UnixSeconds};
use spanseal::config::{Config, Environment, Overrides};
use spanseal::promote::{Context, IdentityKey, IdentityMode, Promoter, Settings, Tally};
use spanseal::record::Batch;
use spanseal::vault::Persons;

use crate::support::captures::{self, Capture, Signal};
use crate::support::receiver::{Options, Site};
use crate::support::truth::pseudonym;

const NOW: i64 = 1_795_200_000;
const KEY: [u8; 32] = [7; 32];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/rules").join(name)
}

fn promoter() -> Promoter {
    let text = std::fs::read_to_string(golden("credit-model-fastapi.yaml")).unwrap();
    let now = UnixSeconds(NOW);
    let config = Config::parse("credit-model-fastapi.yaml", &text, &Overrides::default(), &Environment::default(), now);
    let config = config.unwrap_or_else(|e| panic!("{e}"));
    // Persons keyed, so that the pseudonyms are known beforehand.
    let settings = config.promotion_settings(IdentityKey::new(KEY), Persons::default());
    Promoter::new(Settings { identity_mode: IdentityMode::Keyed, ..settings }).unwrap()
}

/// What the traces and logs of a recording become.
fn promoted(promoter: &Promoter, capture: &Capture) -> (Vec<Value>, Tally) {
    let (mut batch, mut all) = (Batch::default(), Tally::default());
    let context = Context::new(UnixNanos(NOW as u64 * 1_000_000_000));
    for request in &capture.requests {
        let tally = match request.signal {
            Signal::Traces => promoter.traces(&request.body, context, &mut batch).unwrap(),
            Signal::Logs => promoter.logs(&request.body, context, &mut batch).unwrap(),
            Signal::Metrics => continue,
        };
        all.counts.spans += tally.counts.spans + tally.counts.logs;
        all.counts.skipped += tally.counts.skipped;
        all.counts.rejected += tally.counts.rejected;
        all.undecided += tally.undecided;
    }
    let lines = batch.records.iter().map(|record| serde_json::from_slice(batch.line(record)).unwrap());
    (lines.collect(), all)
}

fn recordings() -> Vec<Capture> {
    let found: Vec<Capture> = captures::all().into_iter().filter(|c| c.name.starts_with("credit-model-fastapi.")).collect();
    assert_eq!(found.len(), 2);
    found
}

/// How often each kind of each signal was made.
fn counted(lines: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in lines {
        let what = format!("{} {}", line["source"]["signal"].as_str().unwrap(), line["kind"].as_str().unwrap());
        *counts.entry(what).or_insert(0) += 1;
    }
    counts
}

/// Thirteen decisions, what a policy said of each, the two hundred of the nightly batch as far as the SDK kept them, one override; and none
/// of the web server's, database's and cache's spans, nor the logs that repeat the decisions.
#[test]
fn the_decisions_of_a_credit_model_are_records_and_its_plumbing_is_not() {
    let promoter = promoter();
    for capture in recordings() {
        let (lines, tally) = promoted(&promoter, &capture);
        let expected =
            [("span decision", 13), ("span event", 1), ("span review", 1), ("span_event decision", 128), ("span_event event", 13)];
        assert_eq!(counted(&lines), expected.map(|(what, count)| (what.to_owned(), count)).into(), "{}", capture.name);
        assert_eq!((tally.counts.spans - tally.counts.skipped, tally.counts.rejected, tally.undecided), (15, 0, 0), "{}", capture.name);
        for decision in lines.iter().filter(|l| l["kind"] == "decision") {
            assert_eq!(decision["evidence"]["derived"]["kind"], "configured");
            assert_eq!(decision["system"]["risk_class"], "high");
            assert!(decision["subject"]["id"].as_str().unwrap().starts_with("ps:"), "{decision}");
        }
        let ids: std::collections::BTreeSet<&str> = lines.iter().map(|l| l["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), lines.len(), "every record has its own id");
    }
}

#[test]
fn each_record_holds_what_a_reader_of_the_payload_expects() {
    let golden: Value = serde_json::from_slice(&std::fs::read(golden("credit-model-fastapi.json")).unwrap()).unwrap();
    let capture = recordings().remove(0);
    assert_eq!(Some(capture.name.as_str()), golden["recording"].as_str());
    let (lines, _) = promoted(&promoter(), &capture);
    let mut wrong = Vec::new();
    for expected in golden["records"].as_array().unwrap() {
        let find = &expected["find"];
        let found: Vec<&Value> = lines.iter().filter(|line| is_in(find, line)).collect();
        assert_eq!(found.len(), 1, "{find}");
        let mut wanted = expected["record"].clone();
        persons(&mut wanted);
        let found = reduced(found[0]);
        if found != wanted {
            wrong.push(format!("{find}\nexpected {wanted:#}\nfound {found:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nothing that a customer or an officer is called, and nothing that was said, stands in a line.
#[test]
fn no_person_and_no_content_stands_in_evidence() {
    let (lines, _) = promoted(&promoter(), &recordings().remove(0));
    for line in &lines {
        let text = line.to_string();
        for clear in ["A-10", "A-FAIL", "B-7", "officer.meier", "xxxxxxxx", "feature store", "0.6523847221886243", "late_payments\",\"age"]
        {
            assert!(!text.contains(clear), "{clear} stands in {text}");
        }
    }
}

/// The one call of the recordings that asked for probabilities: its tokens' mean is its confidence, and no other call has one.
#[test]
fn a_recorded_answer_with_probabilities_has_a_confidence() {
    let capture = captures::all().into_iter().find(|c| c.name == "openinference-openai.http.on").unwrap();
    let (lines, _) = promoted(&promoter(), &capture);
    let sure: Vec<&Value> = lines.iter().filter(|l| !l["confidence"].is_null()).collect();
    assert_eq!(sure.len(), 1);
    // The mean of `choices[0].logprobs.content[].logprob` of the recorded answer, by hand: exp(-0.285350) over 18 tokens.
    assert_eq!(sure[0]["confidence"], serde_json::json!({"score": 0.751751, "method": "logprob_mean"}));
}

/// Whether all members of `part` are those of `whole`.
fn is_in(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part.iter().all(|(name, value)| whole.get(name).is_some_and(|w| is_in(value, w))),
        (part, whole) => part == whole,
    }
}

/// A record without what the wire says of every record: ids, times, source, retention, and how content is held.
fn reduced(record: &Value) -> Value {
    let without = ["id", "schema", "time", "trace", "source", "retention"];
    let mut out: Map<String, Value> = record
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| !without.contains(&name.as_str()))
        .map(|(n, v)| (n.clone(), held(v)))
        .collect();
    let evidence = out.get_mut("evidence").and_then(Value::as_object_mut).unwrap();
    evidence.remove("late_ms");
    evidence.remove("writer");
    if record["decision"]["id"] == record["id"] {
        out["decision"].as_object_mut().unwrap().remove("id");
    }
    Value::Object(out)
}

fn held(value: &Value) -> Value {
    match value {
        Value::Object(members) => match members.get("captured").and_then(Value::as_str) {
            Some("hash" | "vault") => Value::from("held"),
            Some(word) => Value::from(word),
            None => Value::Object(members.iter().map(|(name, value)| (name.clone(), held(value))).collect()),
        },
        Value::Array(items) => Value::Array(items.iter().map(held).collect()),
        other => other.clone(),
    }
}

/// Persons as pseudonyms.
fn persons(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((realm, id)) = text.strip_prefix("person:").and_then(|person| person.split_once('/')) {
                *text = pseudonym(&KEY, realm, id);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(persons),
        Value::Object(members) => members.values_mut().for_each(persons),
        _ => {}
    }
}

/// Scenario: an operator raises a threshold and restarts. Guarantee: the log holds the configuration before and after, each seal names the
/// one it was made under by hash, and the story says what changed from what to what.
#[test]
fn a_changed_threshold_is_a_record_that_says_from_what_to_what() {
    let more = "promotion: {rules: [{name: r, match: {scope: credit.model}, kind: decision, from: {decision.outcome: audit.output}}]}\n\
                confidence: {thresholds: [{name: credit, when: 'record.decision.type == \"credit_approval\"', threshold: 0.8}]}\n";
    let site = Site::with(Options { more: more.to_owned(), ..Options::default() });
    let serve = || assert!(site.serve().stop().success());
    serve();
    let written = std::fs::read_to_string(&site.config).unwrap();
    for (from, to) in [("threshold: 0.8", "threshold: 0.9"), ("audit.output", "audit.outcome")] {
        let changed = std::fs::read_to_string(&site.config).unwrap().replace(from, to);
        std::fs::write(&site.config, changed).unwrap();
        serve();
    }
    assert_ne!(std::fs::read_to_string(&site.config).unwrap(), written);
    let out = site.run(&["query", "--kind", "config_change", "--format", "jsonl"]).success();
    let mut records: Vec<Value> = out.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.sort_by_key(|r| r["time"]["start"].as_str().unwrap().to_owned());
    let text = |record: &Value, name: &str| record["change"][name].as_str().map(str::to_owned);
    assert_eq!(records.len(), 3);
    let [first, threshold, rule] = [&records[0], &records[1], &records[2]];
    assert_eq!(text(first, "before"), None);
    assert_eq!(text(threshold, "before"), text(first, "after"));
    assert_eq!(text(rule, "before"), text(threshold, "after"));
    let after = |record: &Value| -> Value { serde_json::from_str(&text(record, "after").unwrap()).unwrap() };
    assert_eq!(after(first)["confidence"]["thresholds"][0]["threshold"], 0.8);
    assert_eq!(after(threshold)["confidence"]["thresholds"][0]["threshold"], 0.9);
    assert_eq!(after(rule)["promotion"]["rules"][0]["from"]["decision.outcome"], "audit.outcome");
    for (record, sentence) in [
        (first, "No configuration before it is recorded."),
        (threshold, "The setting \"confidence.thresholds[credit].threshold\" changed from 0.8 to 0.9."),
        (rule, "The setting \"promotion.rules[r].from.decision.outcome\" changed from \"audit.output\" to \"audit.outcome\"."),
    ] {
        let shown = site.run(&["show", record["id"].as_str().unwrap()]).success();
        let story = shown.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(story.contains(sentence), "{sentence}\n{shown}");
    }
    // What each seal says it was made under is what its log holds: `verify` hashes the one and compares the other.
    site.verified();
}
