//! Every recording of a real SDK, replayed over the transport it was recorded on, becomes exactly the records that an independent reading
//! of the same bytes calls for: nothing is refused, nothing is missing, nothing plain is promoted, no member says something else than the
//! telemetry said, and no content stands in evidence.

mod apart;
mod goldens;
mod shown;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use futures::StreamExt as _;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::Value;

use crate::support::captures::{self, Capture, Recorded, Signal, Transport};
use crate::support::hand_read;
use crate::support::otlp::{Answer, GrpcClient, HttpRequest, http};
use crate::support::receiver::{Receiver, Site};
use crate::support::runtime;
use crate::support::truth::{Expect, Rules, Truth, log_ordinal, member, record_id};
use crate::support::vault::{self, Kept};

/// One replay of everything serves several promises: the site after it, and what must be there.
struct Replayed {
    site: Site,
    truth: Truth,
    lines: Vec<(String, Value)>,
    /// What they keep apart.
    kept: Kept,
    /// For each request: the records it calls for, and its answer.
    answers: Vec<(PathBuf, u64, Answer)>,
}

/// Captures are sent side by side, the requests of each in their order.
const CAPTURES_AT_ONCE: usize = 8;

fn replayed() -> &'static Replayed {
    static ONCE: std::sync::OnceLock<Replayed> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| {
        let rules = Rules::load();
        let captures = captures::all();
        let mut truth = Truth::default();
        let promoted: BTreeMap<_, u64> =
            captures.iter().flat_map(|c| &c.requests).map(|r| (r.file.clone(), truth.read(&rules, r))).collect();
        let site = Site::local();
        let mut receiver = site.serve();
        let answers = send_all(&receiver, &captures);
        receiver.assert_healthy();
        assert!(receiver.stop().success(), "serve drains and ends in good order");
        let lines = site.sealed_lines().into_iter().map(|line| (line.clone(), serde_json::from_str(&line).unwrap())).collect();
        let answers = answers.into_iter().map(|(file, answer)| (file.clone(), promoted[&file], answer)).collect();
        let kept = vault::kept(&site);
        Replayed { site, truth, lines, kept, answers }
    })
}

fn send_all(receiver: &Receiver, captures: &[Capture]) -> Vec<(PathBuf, Answer)> {
    runtime().block_on(async {
        let grpc = GrpcClient::connect(receiver.grpc).await.unwrap();
        let address = receiver.http;
        futures::stream::iter(captures)
            .map(|capture| {
                let grpc = grpc.clone();
                async move {
                    let mut answers = Vec::new();
                    for request in &capture.requests {
                        answers.push((request.file.clone(), send(&grpc, address, request).await));
                    }
                    answers
                }
            })
            .buffer_unordered(CAPTURES_AT_ONCE)
            .concat()
            .await
    })
}

async fn send(grpc: &GrpcClient, address: std::net::SocketAddr, request: &Recorded) -> Answer {
    let file = request.file.display();
    let answer = match request.transport {
        Transport::Grpc => {
            let answer = grpc.export(request.signal, request.body.clone(), request.gzip).await;
            answer.unwrap_or_else(|status| panic!("{file}: refused: {status:?}"))
        }
        Transport::Http => {
            let body = request.wire.clone().unwrap_or_else(|| request.body.clone());
            let (path, json, chunked, user_agent) = (request.signal.path(), request.json, request.chunked, request.user_agent.clone());
            let encoded = request.wire.is_some();
            let sent = tokio::task::spawn_blocking(move || {
                let kind = if json { "application/json" } else { "application/x-protobuf" };
                let mut headers = vec![("Content-Type", kind), ("User-Agent", user_agent.as_str())];
                if encoded {
                    headers.push(("Content-Encoding", "gzip"));
                }
                http(address, &HttpRequest { method: "POST", path, headers, body: &body, chunked })
            });
            let (status, answer) = sent.await.unwrap().unwrap_or_else(|e| panic!("{file}: {e}"));
            assert_eq!(status, 200, "{file}: refused: {}", String::from_utf8_lossy(&answer.body));
            let kind = if json { "application/json" } else { "application/x-protobuf" };
            assert_eq!(answer.headers.get("content-type").map(String::as_str), Some(kind), "{file}: answered in another encoding");
            answer
        }
    };
    // Metrics are not kept, and all their points are said to be dropped.
    assert_eq!(rejected(request, &answer.body) > 0, request.signal == Signal::Metrics, "{file}: partial success");
    answer
}

/// Rejected items of an answer, which must be well formed.
fn rejected(request: &Recorded, body: &[u8]) -> i64 {
    if request.json {
        let answer: Value = serde_json::from_slice(body).unwrap();
        let partial = &answer["partialSuccess"];
        let counts = ["rejectedSpans", "rejectedLogRecords", "rejectedDataPoints"].map(|n| partial[n].clone());
        return counts.iter().filter(|c| !c.is_null()).map(|c| c.as_str().map_or(c.as_i64().unwrap(), |s| s.parse().unwrap())).sum();
    }
    match request.signal {
        Signal::Traces => ExportTraceServiceResponse::decode(body).unwrap().partial_success.map_or(0, |p| p.rejected_spans),
        Signal::Logs => ExportLogsServiceResponse::decode(body).unwrap().partial_success.map_or(0, |p| p.rejected_log_records),
        Signal::Metrics => ExportMetricsServiceResponse::decode(body).unwrap().partial_success.map_or(0, |p| p.rejected_data_points),
    }
}

/// The span of a record, where it is a span's.
fn coordinates(record: &Value) -> (String, String) {
    let text = |name: &str| record["trace"][name].as_str().unwrap_or_default().to_owned();
    (text("trace_id"), text("span_id"))
}

fn of_signal<'a>(lines: &'a [(String, Value)], signal: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().map(|(_, record)| record).filter(move |r| r["source"]["signal"] == signal)
}

/// All of the corpus sent once: each span that the rule of promotion names is sealed once, under the id that its coordinates give, and no
/// other span is.
#[test]
fn every_ai_span_is_sealed_once_and_no_plain_span_ever() {
    let Replayed { truth, lines, .. } = replayed();
    let mut sealed: BTreeMap<(String, String), u32> = BTreeMap::new();
    for record in of_signal(lines, "span") {
        let at = coordinates(record);
        assert_eq!(record["id"], record_id("span", &at.0, &at.1, "0"), "id of {at:?}");
        *sealed.entry(at).or_default() += 1;
    }
    let missing: Vec<_> = truth.spans.iter().filter(|(at, _)| !sealed.contains_key(*at)).map(|(_, s)| (&s.from, &s.name)).collect();
    assert!(missing.is_empty(), "{} spans were not sealed: {missing:#?}", missing.len());
    let plain: Vec<_> = sealed.keys().filter(|at| truth.plain_spans.contains(*at)).collect();
    assert!(plain.is_empty(), "{} plain spans were sealed: {plain:?}", plain.len());
    let twice: Vec<_> = sealed.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "sealed more than once: {twice:?}");
    assert_eq!(sealed.len(), truth.spans.len());
}

/// Every answer is a receipt: it counts the records of its request and names a seal where something was sealed.
#[test]
fn every_answer_counts_what_was_promoted() {
    let wrong = |(file, expected, answer): &&(PathBuf, u64, Answer)| {
        let right = answer.promoted() == *expected && answer.seal().is_some() == (*expected > 0);
        (!right).then(|| format!("{}: expected {expected}, answered {:?}", file.display(), answer.headers))
    };
    let wrong: Vec<String> = replayed().answers.iter().filter_map(|a| wrong(&a)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same for logs: as many records as promoted logs, at the same spans, under ids that only the holder of the store's key can compute.
#[test]
fn every_ai_log_is_sealed_once_and_no_plain_log_ever() {
    let Replayed { truth, lines, site, .. } = replayed();
    let expected: BTreeSet<(String, String)> = truth.logs.iter().map(|l| (l.trace_id.clone(), l.span_id.clone())).collect();
    let sealed: Vec<&Value> = of_signal(lines, "log").collect();
    assert_eq!(sealed.len(), truth.logs.len(), "logs sealed and promoted ({} plain ones)", truth.plain_logs);
    assert_eq!(sealed.iter().map(|r| coordinates(r)).collect::<BTreeSet<_>>(), expected);

    let key = identity_key(site);
    let id = |l: &crate::support::truth::LogTruth| record_id("log", &l.trace_id, &l.span_id, &log_ordinal(&key, &l.sha256));
    let expected: BTreeSet<String> = truth.logs.iter().map(id).collect();
    let found: BTreeSet<String> = sealed.iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(found, expected, "ids of logs");
}

/// The store's key K as the site's key file holds it: 32 bytes, raw or in a common spelling.
fn identity_key(site: &Site) -> Vec<u8> {
    let raw = std::fs::read(site.path("identity.key")).unwrap();
    if raw.len() == 32 {
        return raw;
    }
    let text = String::from_utf8(raw).unwrap();
    let words = || text.split(|c: char| c.is_whitespace() || ":\"'".contains(c));
    let decoded = words().filter_map(|w| hex::decode(w).ok()).find(|k| k.len() == 32);
    let base64 = |w: &str| base64::Engine::decode(&base64::prelude::BASE64_STANDARD, w).ok().filter(|k| k.len() == 32);
    decoded.or_else(|| words().find_map(base64)).expect("the identity key file holds 32 bytes")
}

/// For spans of the two families that most libraries speak, the members of the record are what the attributes say: model, provider, tokens,
/// kind, tool, finish reasons, ids, documents; a person only as a pseudonym.
#[test]
fn members_say_what_the_telemetry_said() {
    let Replayed { truth, lines, kept, .. } = replayed();
    let mut wrong = Vec::new();
    let mut compared = BTreeMap::<&str, u32>::new();
    for record in of_signal(lines, "span") {
        let Some(span) = truth.spans.get(&coordinates(record)) else { continue };
        for (path, expect) in &span.fields {
            *compared.entry(path).or_default() += 1;
            let found = member(record, path);
            let right = match expect {
                Expect::OneOf(values) => values.contains(&found),
                // Random, and resolved by the vault.
                Expect::Person { realm, id } => {
                    found.as_str().and_then(|p| kept.persons.get(p)).is_some_and(|person| (&person.0, &person.1) == (realm, id))
                }
            };
            if !right {
                wrong.push(format!("{}: {}: {path} is {found}, expected {expect:?}", span.from, span.name));
            }
        }
    }
    // A comparison that compared nothing would be green.
    let least = [("kind", 500), ("model.requested", 400), ("usage.input_tokens", 300), ("actor.user_id", 10), ("tool.name", 20)];
    for (path, count) in least {
        assert!(compared.get(path).is_some_and(|n| *n >= count), "{path} was compared {:?} times", compared.get(path));
    }
    assert!(wrong.is_empty(), "{} members are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Records of single libraries against what was written down after reading the payloads: kind, provider, models, tokens, finish reasons, ids,
/// tool, errors, what is held of content and what is not there.
#[test]
fn records_are_what_was_read_in_the_payloads() {
    let records: Vec<&Value> = replayed().lines.iter().map(|(_, record)| record).collect();
    let (compared, wrong) = hand_read::differences("b", &records);
    assert!(compared >= 20, "only {compared} records were compared");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// The store that all of this went into verifies, and its seals count what was sent.
#[test]
fn the_log_of_the_whole_corpus_verifies() {
    let Replayed { site, lines, .. } = replayed();
    let report = site.verified();
    let records = report["logs"][0]["records"].as_u64().unwrap();
    assert!(records >= lines.len() as u64, "{records} records verified, {} found", lines.len());
}

/// Everything is sent a second time, as after a lost answer, and a third time to another process, which knows of content what the vault tells:
/// the answers are receipts again, and nothing is stored twice.
#[test]
fn a_resent_corpus_adds_nothing() {
    let site = Site::local();
    let receiver = site.serve();
    let captures: Vec<Capture> = captures::all().into_iter().filter(|c| c.name.starts_with("openinference-")).collect();
    let first = send_all(&receiver, &captures);
    let again = send_all(&receiver, &captures);
    let seals =
        |answers: &[(PathBuf, Answer)]| -> BTreeMap<_, _> { answers.iter().map(|(file, answer)| (file.clone(), answer.seal())).collect() };
    assert_eq!(seals(&first), seals(&again), "a duplicate's receipt names the seal that holds the record");
    assert!(receiver.stop().success());
    let receiver = site.serve();
    assert_eq!(seals(&first), seals(&send_all(&receiver, &captures)), "so it does after a restart");
    assert!(receiver.stop().success());
    let lines = site.sealed_lines();
    let ids: BTreeSet<String> =
        lines.iter().map(|l| serde_json::from_str::<Value>(l).unwrap()["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), lines.len(), "a record was sealed twice");
    site.verified();
}

/// A span with an evaluation and a review among its events: each of the two is a record of its own with the event's index as ordinal, the
/// message and the exception beside them fold into the span's record.
#[test]
fn events_that_state_an_act_are_records_of_their_own() {
    let text = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    };
    let event = |name: &str, attributes: Vec<KeyValue>| Event {
        name: name.to_owned(),
        attributes,
        time_unix_nano: 1_700_000_000_500_000_000,
        dropped_attributes_count: 0,
    };
    let score = KeyValue {
        key: "gen_ai.evaluation.score.value".to_owned(),
        value: Some(AnyValue { value: Some(Any::DoubleValue(0.25)) }),
        ..KeyValue::default()
    };
    let span = Span {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        name: "chat".to_owned(),
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_001_000_000_000,
        attributes: vec![text("gen_ai.operation.name", "chat"), text("gen_ai.request.model", "m-1")],
        events: vec![
            event("gen_ai.choice", vec![text("message", "a sentence that stays out of evidence")]),
            event("gen_ai.evaluation.result", vec![text("gen_ai.evaluation.name", "relevance"), score]),
            event("exception", vec![text("exception.type", "Timeout"), text("exception.message", "nobody answered in time")]),
            event("ai_audit.review.completed", vec![text("ai_audit.review.decision", "approved")]),
        ],
        ..Span::default()
    };
    let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
    let request =
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() }] };

    let mut truth = Truth::default();
    let rules = Rules::load();
    let expected = truth.traces(&rules, "made here", &request);
    let (at, span) = truth.spans.first_key_value().unwrap();
    assert_eq!((expected, span.acts.as_slice()), (3, [1, 3].as_slice()));

    let site = Site::local();
    let receiver = site.serve();
    let answer = runtime().block_on(async {
        let client = GrpcClient::connect(receiver.grpc).await.unwrap();
        client.export(Signal::Traces, request.encode_to_vec(), false).await.unwrap()
    });
    assert_eq!(answer.promoted(), expected);
    let records: Vec<Value> = site.sealed_lines().iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    let ids: BTreeSet<_> =
        records.iter().map(|r| (r["source"]["signal"].as_str().unwrap(), r["id"].as_str().unwrap().to_owned())).collect();
    let id = |signal: &'static str, ordinal: &str| (signal, record_id(signal, &at.0, &at.1, ordinal));
    assert_eq!(ids, BTreeSet::from([id("span", "0"), id("span_event", "1"), id("span_event", "3")]));
    let of_kind = |kind: &str| records.iter().find(|r| r["kind"] == kind).unwrap_or_else(|| panic!("no {kind} record"));
    assert_eq!(of_kind("evaluation")["evaluation"]["name"], "relevance");
    assert_eq!(of_kind("evaluation")["evaluation"]["score"], 0.25);
    assert_eq!(of_kind("review")["review"]["decision"], "approved");
    assert!(!records.iter().any(|r| r.to_string().contains("stays out of evidence") || r.to_string().contains("nobody answered")));
}

/// Scenario: each recorded request where it belongs, and at the paths of both other signals. Guarantee: a body of a real SDK is never taken
/// for another signal where it belongs, and is known for what it is elsewhere.
#[test]
fn real_requests_are_known_by_their_signal() {
    use spanseal::otlp::{answer::Signal, foreign::signal_of};
    let mut seen = 0;
    for request in captures::all().iter().flat_map(|capture| &capture.requests).filter(|request| !request.json) {
        let is = match request.signal {
            captures::Signal::Traces => Signal::Traces,
            captures::Signal::Logs => Signal::Logs,
            captures::Signal::Metrics => Signal::Metrics,
        };
        for expected in Signal::ALL {
            assert_eq!(signal_of(expected, &request.body), (expected != is).then_some(is), "{} at {expected:?}", request.file.display());
        }
        seen += 1;
    }
    assert!(seen > 200, "only {seen} requests were looked at");
}
