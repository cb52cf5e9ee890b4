//! Load: requests encoded once, sent many times with new trace ids, several in flight.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

use crate::support::captures::Signal;
use crate::support::otlp::GrpcClient;

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mix {
    /// Web spans only.
    Plain,
    /// A web application: one span of twenty is a model call.
    Web,
    /// Model calls with 1 KB of content, nothing else.
    Ai,
}

impl Mix {
    pub(crate) const ALL: [Mix; 3] = [Mix::Plain, Mix::Web, Mix::Ai];

    /// As the command line calls it.
    pub(crate) fn named(word: &str) -> Option<Mix> {
        match word {
            "plain" => Some(Mix::Plain),
            "web" => Some(Mix::Web),
            "ai" => Some(Mix::Ai),
            _ => None,
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Mix::Plain => "no AI spans",
            Mix::Web => "5 % AI spans",
            Mix::Ai => "100 % AI spans, 1 KB",
        }
    }

    /// How many spans are measured.
    pub(crate) fn spans(self) -> u64 {
        match self {
            Mix::Plain | Mix::Web => 1_000_000,
            Mix::Ai => 200_000,
        }
    }

    /// As the batch processors of SDKs send them by default.
    fn spans_per_request(self) -> u64 {
        match self {
            Mix::Plain | Mix::Web => 512,
            Mix::Ai => 256,
        }
    }

    fn is_ai(self, index: u64) -> bool {
        match self {
            Mix::Plain => false,
            Mix::Web => index % 20 == 7,
            Mix::Ai => true,
        }
    }
}

/// Requests that the client keeps open: enough that the server always has work while records wait for their seal.
const IN_FLIGHT: usize = 64;

/// A request with the places of its trace id, which must be new in every copy: a receiver recognises a span that it has sealed.
pub(crate) struct Load {
    body: Vec<u8>,
    trace_ids: Vec<usize>,
    pub(crate) spans_per_request: u64,
    ai_per_request: u64,
    next: AtomicU64,
}

/// What came of one run.
pub(crate) struct Outcome {
    pub(crate) spans: u64,
    pub(crate) ai_spans: u64,
    pub(crate) promoted: u64,
    pub(crate) elapsed: Duration,
    latencies: Vec<Duration>,
}

impl Outcome {
    pub(crate) fn percentile_ms(&self, part: f64) -> f64 {
        let at = (self.latencies.len() as f64 * part) as usize;
        self.latencies.get(at.min(self.latencies.len().saturating_sub(1))).map_or(0.0, |d| d.as_secs_f64() * 1e3)
    }
}

const MARK: [u8; 16] = [0xa5; 16];

impl Load {
    pub(crate) fn new(mix: Mix) -> Load {
        let spans_per_request = mix.spans_per_request();
        let body = request(mix, spans_per_request).encode_to_vec();
        let trace_ids: Vec<usize> = memchr::memmem::find_iter(&body, &MARK).collect();
        assert_eq!(trace_ids.len() as u64, spans_per_request);
        let ai_per_request = (0..spans_per_request).filter(|i| mix.is_ai(*i)).count() as u64;
        Load { body, trace_ids, spans_per_request, ai_per_request, next: AtomicU64::new(1) }
    }

    pub(crate) fn request_bytes(&self) -> usize {
        self.body.len()
    }

    pub(crate) fn fresh_body(&self) -> Vec<u8> {
        let mut body = self.body.clone();
        let id = (u128::from(self.next.fetch_add(1, Ordering::Relaxed)) | 1 << 100).to_be_bytes();
        for at in &self.trace_ids {
            body[*at..*at + 16].copy_from_slice(&id);
        }
        body
    }

    /// Sends so many spans, or as many as fit into `at_most`; every answer must be a success.
    pub(crate) fn send(&self, address: SocketAddr, spans: u64, at_most: Duration) -> Outcome {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let requests = spans.div_ceil(self.spans_per_request);
        let started = AtomicU64::new(0);
        let done = Arc::new(Mutex::new((0_u64, Vec::new())));
        let begin = Instant::now();
        runtime.block_on(async {
            let client = GrpcClient::connect(address).await.unwrap();
            let one = async || {
                while started.fetch_add(1, Ordering::Relaxed) < requests && begin.elapsed() < at_most {
                    let sent = Instant::now();
                    let answer = client.export(Signal::Traces, self.fresh_body(), false).await.unwrap();
                    let mut done = done.lock().unwrap();
                    done.0 += answer.promoted();
                    done.1.push(sent.elapsed());
                }
            };
            futures::future::join_all((0..IN_FLIGHT).map(|_| one())).await;
        });
        let elapsed = begin.elapsed();
        let (promoted, mut latencies) = std::mem::take(&mut *done.lock().unwrap());
        latencies.sort();
        let answered = latencies.len() as u64;
        Outcome { spans: answered * self.spans_per_request, ai_spans: answered * self.ai_per_request, promoted, elapsed, latencies }
    }
}

fn request(mix: Mix, spans: u64) -> ExportTraceServiceRequest {
    let resource = Resource {
        attributes: vec![
            text("service.name", "claims-api"),
            text("service.namespace", "lending"),
            text("service.version", "1.4.2"),
            text("service.instance.id", "6a1f0b7e-5f3e-4f6e-9f43-1f7a5c1f2d11"),
            text("deployment.environment.name", "production"),
            text("telemetry.sdk.language", "python"),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.version", "1.45.2"),
        ],
        ..Resource::default()
    };
    let scope = InstrumentationScope { name: "claims".to_owned(), version: "1.0.0".to_owned(), ..InstrumentationScope::default() };
    let spans = (0..spans).map(|i| if mix.is_ai(i) { ai_span(i) } else { web_span(i) }).collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() }] }
}

fn span(index: u64, name: &str, attributes: Vec<KeyValue>) -> Span {
    let start = 1_790_000_000_000_000_000 + index * 1_000_000;
    Span {
        trace_id: MARK.to_vec(),
        // No byte of a mark, whatever the index.
        span_id: (index + 1).to_be_bytes().to_vec(),
        parent_span_id: 1_u64.to_be_bytes().to_vec(),
        name: name.to_owned(),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 12_345_678,
        attributes,
        ..Span::default()
    }
}

fn web_span(index: u64) -> Span {
    let attributes = vec![
        text("http.request.method", "GET"),
        text("url.scheme", "https"),
        text("url.path", &format!("/api/v1/claims/{index}/documents")),
        text("http.route", "/api/v1/claims/{claim_id}/documents"),
        integer("http.response.status_code", 200),
        text("server.address", "claims.internal.example"),
        integer("server.port", 8443),
        text("client.address", "10.20.30.40"),
        text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36"),
        text("network.protocol.version", "1.1"),
        integer("thread.id", 140_213_377),
    ];
    span(index, "GET /api/v1/claims/{claim_id}/documents", attributes)
}

fn ai_span(index: u64) -> Span {
    const WORDS: &str = "the claimant states that water entered through the roof during the storm and damaged the ceiling of two rooms ";
    let said = |bytes: usize| format!("{index}: {}", WORDS.chars().cycle().take(bytes).collect::<String>());
    let message = |role: &str, bytes: usize| format!(r#"[{{"role":"{role}","parts":[{{"type":"text","content":"{}"}}]}}]"#, said(bytes));
    let attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o"),
        text("gen_ai.response.model", "gpt-4o-2024-08-06"),
        text("gen_ai.response.id", &format!("chatcmpl-{index:024}")),
        double("gen_ai.request.temperature", 0.2),
        integer("gen_ai.request.max_tokens", 1024),
        integer("gen_ai.usage.input_tokens", 312),
        integer("gen_ai.usage.output_tokens", 96),
        texts("gen_ai.response.finish_reasons", &["stop"]),
        text("gen_ai.conversation.id", "5d9b2f34-6f0e-4a52-a9f8-1d0c0ce5a111"),
        text("server.address", "api.openai.example"),
        text("gen_ai.input.messages", &message("user", 620)),
        text("gen_ai.output.messages", &message("assistant", 280)),
    ];
    span(index, "chat gpt-4o", attributes)
}

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.to_owned()))
}

fn integer(key: &str, value: i64) -> KeyValue {
    attribute(key, Any::IntValue(value))
}

fn double(key: &str, value: f64) -> KeyValue {
    attribute(key, Any::DoubleValue(value))
}

fn texts(key: &str, values: &[&str]) -> KeyValue {
    let values = values.iter().map(|v| AnyValue { value: Some(Any::StringValue((*v).to_owned())) }).collect();
    attribute(key, Any::ArrayValue(ArrayValue { values }))
}
