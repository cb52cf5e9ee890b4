//! What spanseal refuses, and what a real Collector makes of it: for the moment, and it comes again when it was told to; for good, and it
//! is not sent for ever and holds nothing else up.

use futures::future::join_all;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::Value;
use tonic::Code;

use crate::support::captures::Signal;
use crate::support::ledger::{Ledger, request, trace_id};
use crate::support::otelcol::{self, Collector};
use crate::support::otlp::{GrpcClient, HttpRequest, http};
use crate::support::receiver::{Options, Receiver, Site};
use crate::support::s3::S3Server;
use crate::support::{eventually, runtime, steady_address};

const KIB: usize = 1024;

/// The Collector with a file of ours in front of this receiver, trying again without a pause of its own: a longer one it was told.
struct Front {
    collector: Collector,
    _folder: tempfile::TempDir,
}

impl Front {
    fn start(file: &str, receiver: &Receiver) -> Option<Front> {
        let program = otelcol::program(&format!("refusals through a real Collector with collector-config/{file}"))?;
        let folder = tempfile::tempdir().unwrap();
        let env = [
            ("SPANSEAL_GRPC_ENDPOINT", receiver.grpc.to_string()),
            ("SPANSEAL_GRPC_ENDPOINT_2", receiver.grpc.to_string()),
            ("BACKEND_GRPC_ENDPOINT", steady_address().to_string()),
        ];
        let files = [otelcol::configuration(file), otelcol::sooner(file, 10, folder.path())];
        let collector = Collector::start(&program, &files.each_ref().map(AsRef::as_ref), &env, folder.path());
        Some(Front { collector, _folder: folder })
    }

    async fn client(&self) -> GrpcClient {
        GrpcClient::connect(self.collector.grpc).await.unwrap()
    }

    /// The lines of its log about spanseal with this in them.
    fn lines(&self, part: &str) -> Vec<String> {
        let said = self.collector.said();
        said.lines().filter(|line| line.contains("/spanseal\"") && line.contains(part)).map(str::to_owned).collect()
    }
}

/// What the Collector says when it will try again, and when it gives up.
const AGAIN: &str = "Will retry the request after interval";
const DROPPED: &str = "Dropping data";

fn ended(receiver: &Receiver, outcome: &str) -> u64 {
    receiver.figure(&format!("spanseal_receiver_requests_total{{signal=\"traces\",outcome=\"{outcome}\"}}"))
}

/// More spans for a request: a message goes on where another ends.
fn spans(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }.encode_to_vec()
}

fn attribute(key: &str, value: String) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(Any::StringValue(value)) }), ..KeyValue::default() }
}

/// A request, made so many bytes longer by a span that is not AI.
fn long(number: u64, bytes: usize) -> Vec<u8> {
    let filler = Span {
        trace_id: vec![9; 16],
        span_id: number.to_be_bytes().map(|byte| byte ^ 9).to_vec(),
        attributes: vec![attribute("http.request.header.x", "x".repeat(bytes))],
        ..Span::default()
    };
    [request(number), spans(vec![filler])].concat()
}

fn records(site: &Site) -> Vec<Value> {
    site.sealed_lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Scenario: the store is away, and spanseal has room for little; three requests come through a Collector that answers when they are
/// sealed. Guarantee: spanseal says "not now" in both ways that OTLP has, UNAVAILABLE and RESOURCE_EXHAUSTED with a pause; the Collector
/// waits as long as it was told and sends them again; none is answered before the store is back, then all are, and each span is sealed
/// once.
#[test]
fn what_is_refused_for_the_moment_is_sent_again_after_the_pause_it_was_told() {
    let Some(store) = S3Server::own_minio() else { return };
    let site = Site::with(Options { max_delay: "20ms, pool_bytes: 1MiB, admission_wait: 10ms".to_owned(), ..store.site() });
    let receiver = site.serve();
    let Some(front) = Front::start("minimal.yaml", &receiver) else { return };
    store.kill();
    let ledger = Ledger::default();
    let runtime = runtime();
    let client = runtime.block_on(front.client());
    let sent: Vec<_> = (0..3)
        .map(|number| {
            let client = client.clone();
            runtime.spawn(async move { client.export(Signal::Traces, long(number, 600 * KIB), false).await })
        })
        .collect();
    eventually("spanseal has refused in both ways, and each again", || {
        (ended(&receiver, "not_sealed") > 1 && ended(&receiver, "full") > 1).then_some(())
    });
    assert!(sent.iter().all(|request| !request.is_finished()), "acknowledged without a store\n{}", front.collector.said());
    store.start_again();
    for (number, answer) in (0..).zip(runtime.block_on(join_all(sent))) {
        answer.unwrap().unwrap_or_else(|status| panic!("{status:?}\n{}", front.collector.said()));
        ledger.acknowledge(number);
    }
    receiver.kill();
    ledger.settle(&records(&site), "once the store is back");
    site.verified();
    for code in ["code = Unavailable", "code = ResourceExhausted"] {
        let told: Vec<String> = front.lines(AGAIN).into_iter().filter(|line| line.contains(code)).collect();
        assert!(!told.is_empty(), "{code}: {}", front.collector.said());
        assert!(told.iter().all(|line| line.contains("\"interval\": \"2s\"")), "{code}: not the pause it was told: {told:?}");
    }
    assert_eq!(front.lines(DROPPED), [""; 0]);
}

/// Scenario: a request with a span that has no id of its own, which makes it no evidence, and another request. Guarantee: the others are
/// sealed, the Collector writes down how many were rejected and why, and it does not send the request again.
#[test]
fn a_span_that_is_rejected_is_not_sent_again_and_the_others_are_sealed() {
    for file in ["minimal.yaml", "agent.yaml"] {
        let site = Site::local();
        let receiver = site.serve();
        let Some(front) = Front::start(file, &receiver) else { return };
        let nameless = Span {
            trace_id: hex::decode(trace_id(0)).unwrap(),
            attributes: vec![attribute("gen_ai.operation.name", "chat".to_owned())],
            ..Span::default()
        };
        let ledger = Ledger::default();
        runtime().block_on(async {
            let client = front.client().await;
            for (number, body) in [(0, [request(0), spans(vec![nameless])].concat()), (1, request(1))] {
                client.export(Signal::Traces, body, false).await.unwrap_or_else(|status| panic!("{status:?}\n{}", front.collector.said()));
                ledger.acknowledge(number);
            }
        });
        eventually("both requests are sealed", || ledger.lost(&records(&site)).is_empty().then_some(()));
        ledger.settle(&records(&site), file);
        eventually("both requests are answered", || (ended(&receiver, "accepted") == 1).then_some(()));
        assert_eq!(ended(&receiver, "partial"), 1, "{file}: {}", front.collector.said());
        let partial = front.lines("Partial success response");
        assert!(partial.len() == 1 && partial[0].contains("\"dropped_spans\": 1"), "{file}: {partial:?}");
        assert!(partial[0].contains("span id"), "{file}: without the reason: {partial:?}");
        assert_eq!((front.lines(AGAIN), front.lines(DROPPED)), (vec![], vec![]), "{file}");
        drop(receiver);
        site.verified();
    }
}

/// Scenario: a request that is larger than spanseal takes, over gRPC and over HTTP, then another. Guarantee: the Collector does not send it again, and the
/// other one is sealed. Where the sender waits for the seal, it is told, and not to try again, over both; where it was answered from the disk, only the
/// Collector's log and its own figures say that it is gone.
#[test]
fn what_is_refused_for_good_is_not_sent_again_and_holds_nothing_up() {
    for (file, told) in [("minimal.yaml", true), ("agent.yaml", false)] {
        let site = Site::local();
        let yaml = std::fs::read_to_string(&site.config).unwrap();
        let small = yaml.replacen("grpc: {endpoint: '127.0.0.1:0'}", "grpc: {endpoint: '127.0.0.1:0', max_recv_msg_size_mib: 1}", 1);
        assert_ne!(small, yaml);
        std::fs::write(&site.config, small).unwrap();
        let receiver = site.serve();
        let Some(front) = Front::start(file, &receiver) else { return };
        let ledger = Ledger::default();
        runtime().block_on(async {
            let client = front.client().await;
            let chat = Span {
                trace_id: vec![7; 16],
                span_id: vec![7; 8],
                attributes: vec![attribute("gen_ai.input.messages", "x".repeat(2 * KIB * KIB))],
                ..Span::default()
            };
            let large = spans(vec![chat]);
            let headers = vec![("Content-Type", "application/x-protobuf")];
            let post = HttpRequest { method: "POST", path: "/v1/traces", headers, body: &large, chunked: false };
            let (status, _) = http(front.collector.http, &post).unwrap();
            assert!((status != 200) == told && ![429, 502, 503, 504].contains(&status), "{file}: {status}");
            let answer = client.export(Signal::Traces, large, false).await;
            let code = answer.as_ref().map_or_else(tonic::Status::code, |_| Code::Ok);
            // What OTLP clients send again.
            let retryable = [Code::Cancelled, Code::DeadlineExceeded, Code::Aborted, Code::OutOfRange, Code::Unavailable, Code::DataLoss];
            assert!((code != Code::Ok) == told && !retryable.contains(&code), "{file}: {answer:?}");
            client.export(Signal::Traces, request(1), false).await.unwrap();
            ledger.acknowledge(1);
        });
        eventually("the other request is sealed", || ledger.lost(&records(&site)).is_empty().then_some(()));
        ledger.settle(&records(&site), file);
        eventually("the Collector says that both are gone", || (front.lines(DROPPED).len() == 2).then_some(()));
        assert_eq!((ended(&receiver, "too_large"), front.lines(AGAIN)), (2, vec![]), "{file}: {}", front.collector.said());
        assert_eq!(front.collector.figure("otelcol_exporter_send_failed_spans"), 2, "{file}");
        drop(receiver);
        site.verified();
    }
}

/// Scenario: requests with one span about as long as our files let in, and with one longer than what spanseal takes as it is configured by
/// default, to each file that answers from a disk. Guarantee: what would never be sealed is not acknowledged; what is acknowledged is
/// sealed.
#[test]
fn no_more_is_acknowledged_from_a_disk_than_is_taken_behind_it() {
    let from_a_disk: Vec<_> =
        otelcol::configurations().into_iter().filter(|f| std::fs::read_to_string(f).unwrap().contains(" storage: ")).collect();
    assert_eq!(from_a_disk.len(), 4, "{from_a_disk:?}");
    for path in from_a_disk {
        let file = path.file_name().unwrap().to_str().unwrap();
        let site = Site::local();
        let receiver = site.serve();
        let Some(front) = Front::start(file, &receiver) else { return };
        let ledger = Ledger::default();
        let runtime = runtime();
        let client = runtime.block_on(front.client());
        for (number, mib, taken) in [(0, 13, true), (1, 17, false), (2, 13, true), (3, 17, false)] {
            let body = long_chat(number, mib * KIB * KIB);
            let acknowledged = if number < 2 {
                let headers = vec![("Content-Type", "application/x-protobuf")];
                let post = HttpRequest { method: "POST", path: "/v1/traces", headers, body: &body, chunked: false };
                http(front.collector.http, &post).is_ok_and(|(status, _)| status == 200)
            } else {
                runtime.block_on(client.export(Signal::Traces, body, false)).is_ok()
            };
            if acknowledged {
                ledger.acknowledge(number);
            }
            assert_eq!(acknowledged, taken, "{file}: request {number}, {mib} MiB");
        }
        eventually("what was acknowledged is sealed", || ledger.lost(&records(&site)).is_empty().then_some(()));
        assert_eq!((front.lines(DROPPED), front.lines("dropping items")), (vec![], vec![]), "{file}");
    }
}

/// Scenario: a request of thousands of traces under one resource of some KiB comes to each file that answers from a disk; a load balancer gives each trace
/// the resource again. Guarantee: all of it is sealed, nothing is dropped.
#[test]
fn a_request_of_many_traces_under_one_resource_is_sealed() {
    for file in ["gateway.yaml", "agent.yaml"] {
        let site = Site::local();
        let receiver = site.serve();
        let Some(front) = Front::start(file, &receiver) else { return };
        let ai = |n: u32| Span {
            trace_id: [&[9; 12][..], &n.to_be_bytes()].concat(),
            span_id: vec![9; 8],
            attributes: vec![attribute("gen_ai.operation.name", "chat".to_owned())],
            ..Span::default()
        };
        let scope_spans = vec![ScopeSpans { spans: (0..8192).map(ai).collect(), ..ScopeSpans::default() }];
        let resource = Some(Resource { attributes: vec![attribute("k8s.pod.annotation", "x".repeat(4500))], ..Resource::default() });
        let request =
            ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }] };
        runtime().block_on(async { front.client().await.export(Signal::Traces, request.encode_to_vec(), false).await.unwrap() });
        let traces = || -> std::collections::BTreeSet<String> {
            let of = |record: &Value| record["trace"]["trace_id"].as_str().map(str::to_owned);
            records(&site).iter().filter_map(of).filter(|trace| trace.starts_with("0909")).collect()
        };
        eventually("all traces are sealed, or were dropped", || (traces().len() == 8192 || !front.lines(DROPPED).is_empty()).then_some(()));
        assert_eq!((traces().len(), front.lines(DROPPED)), (8192, vec![]), "{file}");
    }
}

/// A request whose first span says so much.
fn long_chat(number: u64, bytes: usize) -> Vec<u8> {
    let mut whole = ExportTraceServiceRequest::decode(request(number).as_slice()).unwrap();
    let said = attribute("gen_ai.output.messages", "x".repeat(bytes));
    whole.resource_spans[0].scope_spans[0].spans[0].attributes.push(said);
    whole.encode_to_vec()
}
