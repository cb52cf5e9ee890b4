//! Requests within the receiver's limit whose records take more than the pool: a sender behind a Collector has been answered before they come here,
//! so what could be sealed must not be refused for good.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::Value;

use crate::support::captures::Signal;
use crate::support::otlp::{Answer, GrpcClient, HttpRequest, http};
use crate::support::receiver::{Options, Receiver, Site};
use crate::support::{eventually, runtime};

fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) }), ..KeyValue::default() }
}

fn ai() -> Vec<KeyValue> {
    vec![attribute("gen_ai.operation.name", "chat"), attribute("gen_ai.request.model", "m")]
}

fn trace_id(number: u32) -> Vec<u8> {
    [&[7; 12][..], &number.to_be_bytes()].concat()
}

/// So many AI spans of as many traces under a service with this name and more of the kind, a plain span behind every tenth, and one in the middle without an id.
fn traces(service: &str, number: u32) -> Vec<u8> {
    traces_of(service, 0..number)
}

fn traces_of(service: &str, numbers: Range<u32>) -> Vec<u8> {
    let middle = numbers.start.midpoint(numbers.end);
    let span = |n: u32, attributes| Span {
        trace_id: trace_id(n),
        span_id: vec![1; 8],
        name: "chat".to_owned(),
        start_time_unix_nano: 1_795_000_000_000_000_000,
        end_time_unix_nano: 1_795_000_001_000_000_000,
        attributes,
        ..Span::default()
    };
    let mut spans = Vec::new();
    for n in numbers {
        spans.push(span(n, ai()));
        if n % 10 == 0 {
            spans.push(span(n, Vec::new()));
        }
        if n == middle {
            spans.push(Span { span_id: Vec::new(), ..span(n, ai()) });
        }
    }
    let named = ["service.name", "service.version", "service.namespace", "deployment.environment.name"].map(|key| attribute(key, service));
    let resource = Some(Resource { attributes: named.to_vec(), ..Resource::default() });
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }] }.encode_to_vec()
}

/// So many AI logs, in several groups.
fn logs(number: u32) -> ExportLogsServiceRequest {
    let record = |n: u32| LogRecord {
        time_unix_nano: 1_795_000_000_000_000_000,
        trace_id: trace_id(n),
        span_id: vec![1; 8],
        attributes: ai(),
        event_name: "gen_ai.client.inference.operation.details".to_owned(),
        ..LogRecord::default()
    };
    let group = |from: u32| {
        let log_records = (from..number.min(from + 100)).map(record).collect();
        ResourceLogs { scope_logs: vec![ScopeLogs { log_records, ..ScopeLogs::default() }], ..ResourceLogs::default() }
    };
    ExportLogsServiceRequest { resource_logs: (0..number).step_by(100).map(group).collect() }
}

/// A server with this pool (and more members of `seal`) that seals at once.
fn site(pool: &str) -> (Site, Receiver) {
    let site = Site::with(Options { max_delay: format!("20ms, pool_bytes: {pool}"), ..Options::default() });
    let receiver = site.serve();
    (site, receiver)
}

fn grpc(receiver: &Receiver, signal: Signal, body: Vec<u8>) -> Result<Answer, tonic::Status> {
    runtime().block_on(async { GrpcClient::connect(receiver.grpc).await.unwrap().export(signal, body, false).await })
}

/// The traces that have a sealed record, each of which has one only, and the seals that they are in.
fn sealed(site: &Site) -> (BTreeSet<String>, BTreeSet<u64>) {
    let rows = site.rows();
    let evidence: Vec<&Value> = rows.iter().filter(|row| row["record"]["source"]["signal"] != "control").collect();
    let traces: BTreeSet<String> = evidence.iter().map(|row| row["record"]["trace"]["trace_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(traces.len(), evidence.len(), "a span is sealed twice");
    (traces, evidence.iter().map(|row| row["seal"].as_u64().unwrap()).collect())
}

/// Scenario: requests of 3,000 spans, and of 3,000 logs, in protobuf and in JSON, within the limit, become several times the pool; then one comes again.
/// Guarantee: each is answered with success when all of it is sealed, each item once, over several seals, and the receipt is that of the last; what
/// is plain or malformed is counted once; nothing of the pool stays taken.
#[test]
fn a_request_that_becomes_more_than_the_pool_is_sealed_in_parts() {
    let (site, mut receiver) = site("1MiB");
    let body = traces("shop", 3000);
    assert!(body.len() < 512 * 1024, "{}", body.len());
    let answer = grpc(&receiver, Signal::Traces, body.clone()).unwrap();
    let partial = ExportTraceServiceResponse::decode(&*answer.body).unwrap().partial_success.unwrap();
    assert_eq!((answer.promoted(), partial.rejected_spans), (3000, 1));
    let (found, seals) = sealed(&site);
    assert_eq!(found, (0..3000).map(|n| hex::encode(trace_id(n))).collect());
    assert!(seals.len() > 2 && answer.seal() == seals.last().copied(), "{seals:?}, {:?}", answer.seal());
    let figures = || {
        [
            "receiver_items_total{signal=\"traces\"}",
            "promote_skipped_total{reason=\"no_ai_meaning\"}",
            "promote_rejected_total{signal=\"traces\"}",
        ]
        .map(|name| receiver.figure(&format!("spanseal_{name}")))
    };
    assert_eq!(figures(), [3301, 300, 1]);

    let again = grpc(&receiver, Signal::Traces, body).unwrap();
    assert_eq!(again.promoted(), 3000);
    assert_eq!(sealed(&site).0.len(), 3000);
    receiver.assert_healthy();
    drop(receiver);
    site.verified();

    for json in [false, true] {
        let (site, mut receiver) = self::site("1MiB");
        let (number, request) = if json { (2000, logs(2000)) } else { (3000, logs(3000)) };
        let body = if json { serde_json::to_vec(&request).unwrap() } else { request.encode_to_vec() };
        assert!(body.len() < 1024 * 1024, "{}", body.len());
        let headers = vec![("content-type", if json { "application/json" } else { "application/x-protobuf" })];
        let request = HttpRequest { method: "POST", path: "/v1/logs", headers, body: &body, chunked: false };
        let (status, answer) = http(receiver.http, &request).unwrap();
        assert_eq!((status, answer.promoted()), (200, number), "{}", String::from_utf8_lossy(&answer.body));
        let (found, seals) = sealed(&site);
        assert_eq!(found.len(), usize::try_from(number).unwrap());
        assert!(seals.len() > 2, "{seals:?}");
        assert_eq!(answer.seal(), seals.last().copied());
        receiver.assert_healthy();
        drop(receiver);
        site.verified();
    }
}

/// Scenario: the last parts of a request are sealed already, and others are not. Guarantee: the receipt is that of the newest seal that holds any of it.
#[test]
fn a_request_whose_end_is_sealed_already_has_the_receipt_of_its_beginning() {
    let (site, receiver) = site("1MiB");
    let sealed_before = post(receiver.http, &traces_of("shop", 1000..3000)).unwrap().1.seal();
    let all = [traces_of("shop", 0..1000), traces_of("shop", 1000..3000)].concat();
    let (status, answer) = post(receiver.http, &all).unwrap();
    assert_eq!((status, answer.promoted()), (200, 3000));
    let (found, seals) = sealed(&site);
    assert!(found.len() == 3000 && answer.seal() > sealed_before, "{:?} {sealed_before:?}", answer.seal());
    assert_eq!(answer.seal(), seals.last().copied());
}

/// Scenario: behind more good spans than the pool takes comes a group whose resource is no protobuf, or whose scope is none. Guarantee: the request is
/// malformed, as it would be with few spans, and nothing of it is sealed.
#[test]
fn a_large_request_that_is_malformed_further_on_becomes_nothing() {
    let (site, receiver) = site("1MiB");
    let span = |n| ExportTraceServiceRequest::decode(&*traces_of("shop", n..n + 1)).unwrap().resource_spans.remove(0);
    // A field 1 (resource, scope) that is longer than what it stands in, in what it is.
    const BAD: [u8; 4] = [0x0a, 2, 0x0a, 0x7f];
    let framed = |field: u8, message: &[u8]| {
        let mut framed = vec![field << 3 | 2];
        prost::encode_length_delimiter(message.len(), &mut framed).unwrap();
        framed.extend_from_slice(message);
        framed
    };
    let resource = ResourceSpans { resource: None, ..span(5000) }.encode_to_vec();
    let scope = span(5000).scope_spans.remove(0).encode_to_vec();
    for bad in [framed(1, &[&BAD[..], &resource].concat()), framed(1, &framed(2, &[&BAD[..], &scope].concat()))] {
        let alone = post(receiver.http, &bad).unwrap();
        assert_eq!(alone.0, 400);
        let behind = post(receiver.http, &[traces("shop", 3000), bad].concat()).unwrap();
        assert_eq!((behind.0, behind.1.body), (400, alone.1.body));
    }
    assert_eq!(sealed(&site).0.len(), 0);
}

fn post(to: SocketAddr, body: &[u8]) -> Result<(u16, Answer), String> {
    let headers = vec![("content-type", "application/x-protobuf")];
    http(to, &HttpRequest { method: "POST", path: "/v1/traces", headers, body, chunked: false }).map_err(|e| e.to_string())
}

/// Scenario: a dozen such requests at once, which together fill the pool and all need more of it, and as many small ones. Guarantee: none waits for
/// another that waits for it: all are sealed, each span once.
#[test]
fn requests_that_become_more_than_the_pool_do_not_hold_each_other_up() {
    const LARGE: u32 = 700;
    let (site, mut receiver) = site("1MiB, admission_wait: 1m");
    std::thread::scope(|scope| {
        for n in 0..12 {
            let (to, first) = (receiver.http, n * (LARGE + 1));
            for numbers in [first..first + LARGE, first + LARGE..first + LARGE + 1] {
                scope.spawn(move || {
                    let number = u64::from(numbers.end - numbers.start);
                    let (status, answer) = post(to, &traces_of(&"shop".repeat(40), numbers)).unwrap();
                    assert_eq!((status, answer.promoted()), (200, number), "{}", String::from_utf8_lossy(&answer.body));
                });
            }
        }
    });
    let (found, seals) = sealed(&site);
    assert_eq!(found, (0..12 * (LARGE + 1)).map(|n| hex::encode(trace_id(n))).collect());
    assert!(seals.len() > 12, "{seals:?}");
    receiver.assert_healthy();
    assert_eq!(receiver.figure("spanseal_pool_used_bytes"), 0);
    drop(receiver);
    site.verified();
}

/// Scenario: the process is killed when the first part of a request is sealed and others are not, and the request is sent again. Guarantee: its sender
/// was not answered; then all of it is sealed, each span once.
#[test]
fn a_request_of_which_a_part_is_sealed_is_sent_again() {
    let (site, receiver) = site("1MiB");
    let body = traces("shop", 6000);
    let to = receiver.http;
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| post(to, &body));
        eventually("a part is sealed", || (receiver.figure("spanseal_promote_records_total{signal=\"traces\"}") > 0).then_some(()));
        receiver.kill();
        assert!(sending.join().unwrap().is_err(), "all of it was sealed before");
    });
    let before = sealed(&site).0.len();
    assert!(0 < before && before < 6000, "{before}");
    let mut receiver = site.serve();
    let (status, answer) = post(receiver.http, &body).unwrap();
    assert_eq!((status, answer.promoted()), (200, 6000));
    assert_eq!(sealed(&site).0.len(), 6000);
    receiver.assert_healthy();
    drop(receiver);
    site.verified();
}

/// Scenario: a request becomes more than eight pools, by long names that each of its records repeats. Guarantee: what is beyond is rejected, each span
/// by itself, and the answer says how many and why; the others are sealed, and so is what comes next.
#[test]
fn what_becomes_more_than_eight_pools_is_rejected() {
    let (site, mut receiver) = site("1MiB");
    let name = "n".repeat(4000);
    let mut request = ExportTraceServiceRequest::decode(&*traces(&name, 3000)).unwrap();
    request.resource_spans[0].scope_spans[0].spans.retain(|span| !span.span_id.is_empty());
    let answer = grpc(&receiver, Signal::Traces, request.encode_to_vec()).unwrap();
    let partial = ExportTraceServiceResponse::decode(&*answer.body).unwrap().partial_success.unwrap();
    let (promoted, rejected) = (answer.promoted(), u64::try_from(partial.rejected_spans).unwrap());
    assert!(promoted > 400 && promoted + rejected == 3000, "{promoted}, {rejected}");
    assert!(partial.error_message.contains("more than there is room for (`seal.pool_bytes`)"), "{}", partial.error_message);
    let (found, seals) = sealed(&site);
    assert_eq!(found, (0..u32::try_from(promoted).unwrap()).map(|n| hex::encode(trace_id(n))).collect());
    assert_eq!(answer.seal(), seals.last().copied());
    assert_eq!(grpc(&receiver, Signal::Traces, traces("shop", 10)).unwrap().promoted(), 10);
    receiver.assert_healthy();
    drop(receiver);
    site.verified();
}
