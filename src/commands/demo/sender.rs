//! The demo's application: a small credit decision, told by the official OpenTelemetry SDK and its OTLP exporters.
//!
//! Spans go by gRPC: that exporter drops response metadata, so its `force_flush` is the acknowledgement. The human review goes by HTTP,
//! where a client of our own sees the receipt in the response's headers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::trace::{Span, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Array, Context as OtelContext, KeyValue, StringValue, Value};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::clock::{Clock, SystemClock, UnixNanos};

/// How long one export may take: the SDK's own default is as long.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// The decision that the story is about.
pub(super) const DECISION_ID: &str = "loan-2026-0042";

/// What was sent, and what came back.
#[derive(Debug)]
pub(super) struct Sent {
    /// Spans, by gRPC.
    pub(super) spans: usize,
    /// From the flush to its success.
    pub(super) took: Duration,
    /// Receipt headers of the review's log record.
    pub(super) receipt: Receipt,
}

/// What the answer to an export says in its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    /// `spanseal-seal`.
    pub(super) seal: String,
    /// `spanseal-root`.
    pub(super) root: String,
}

/// Sends the story. `grpc` and `http` are addresses such as `http://127.0.0.1:4317`.
pub(super) async fn send(grpc: &str, http: &str) -> anyhow::Result<Sent> {
    let resource = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", "credit-scoring"),
            KeyValue::new("service.namespace", "demo-bank"),
            KeyValue::new("service.version", "1.4.2"),
            KeyValue::new("deployment.environment.name", "demo"),
        ])
        .build();
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(grpc).with_timeout(EXPORT_TIMEOUT).build()?;
    let traces = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.clone()).build();
    // One moment for the whole story, however long the demo takes.
    let now = SystemClock.now();
    let spans = record_spans(&traces, now);
    let before = Instant::now();
    // The SDK blocks, so not on an async thread.
    let flushed = tokio::task::spawn_blocking(move || (traces.force_flush(), traces.shutdown())).await?;
    flushed.0.context("the spans were not acknowledged")?;
    let took = before.elapsed();

    let client = ReceiptClient::new()?;
    let receipts = Arc::clone(&client.seen);
    let exporter = LogExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{http}/v1/logs"))
        .with_timeout(EXPORT_TIMEOUT)
        .with_http_client(client)
        .build()?;
    let logs = SdkLoggerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    record_review(&logs, now);
    let flushed = tokio::task::spawn_blocking(move || (logs.force_flush(), logs.shutdown())).await?;
    flushed.0.context("the review was not acknowledged")?;
    let seen = receipts.lock().unwrap_or_else(PoisonError::into_inner);
    let headers = seen.last().context("the review was not sent")?;
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
    match (header("spanseal-seal"), header("spanseal-root")) {
        (Some(seal), Some(root)) => Ok(Sent { spans, took, receipt: Receipt { seal, root } }),
        _ => bail!("the answer to the review carries no receipt (spanseal-seal, spanseal-root)"),
    }
}

fn texts(values: &[&'static str]) -> Value {
    Value::Array(Array::String(values.iter().map(|v| StringValue::from(*v)).collect()))
}

/// A loan application as a service would trace it: six spans, of which three are ordinary web traffic. Times are set, so that the story
/// lasts seconds though the demo does not wait for them. Answers how many spans there are.
fn record_spans(traces: &SdkTracerProvider, now: UnixNanos) -> usize {
    let tracer = traces.tracer("demo");
    let before = |milliseconds: u64| UNIX_EPOCH + Duration::from_nanos(now.0.saturating_sub(milliseconds * 1_000_000));
    let request = tracer
        .span_builder("POST /loan-applications")
        .with_kind(SpanKind::Server)
        .with_start_time(before(4_000))
        .with_attributes([
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new("http.route", "/loan-applications"),
            KeyValue::new("http.response.status_code", 200),
        ])
        .start(&tracer);
    let parent = OtelContext::new().with_span(request);
    let child = |name: &'static str, kind: SpanKind, from: u64, to: u64, attributes: Vec<KeyValue>| {
        let builder = tracer.span_builder(name).with_kind(kind).with_start_time(before(from)).with_attributes(attributes);
        builder.start_with_context(&tracer, &parent).end_with_timestamp(before(to));
    };
    let database = vec![KeyValue::new("db.system.name", "postgresql"), KeyValue::new("db.operation.name", "SELECT")];
    child("SELECT applicants", SpanKind::Client, 3_900, 3_880, database);
    let rates = vec![KeyValue::new("http.request.method", "GET"), KeyValue::new("url.full", "https://rates.example.com/today")];
    child("GET /today", SpanKind::Client, 3_870, 3_810, rates);
    child("retrieval credit-policy", SpanKind::Client, 3_800, 3_600, retrieval());
    child("chat gpt-4o", SpanKind::Client, 3_500, 1_300, inference());
    child("decide loan application", SpanKind::Internal, 1_200, 1_190, decision());
    parent.span().end_with_timestamp(before(1_000));
    6
}

fn retrieval() -> Vec<KeyValue> {
    vec![
        KeyValue::new("gen_ai.operation.name", "retrieval"),
        KeyValue::new("gen_ai.data_source.id", "credit-policy"),
        KeyValue::new("gen_ai.retrieval.query.text", "maximum debt ratio for an unsecured loan"),
        KeyValue::new("gen_ai.retrieval.documents", r#"[{"id":"POL-7","score":0.91},{"id":"POL-12","score":0.64}]"#),
    ]
}

fn inference() -> Vec<KeyValue> {
    vec![
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.provider.name", "openai"),
        KeyValue::new("gen_ai.request.model", "gpt-4o"),
        KeyValue::new("gen_ai.response.model", "gpt-4o-2024-08-06"),
        KeyValue::new("gen_ai.request.temperature", 0.0),
        KeyValue::new("gen_ai.usage.input_tokens", 1_204),
        KeyValue::new("gen_ai.usage.output_tokens", 87),
        KeyValue::new("gen_ai.prompt.name", "credit-check"),
        KeyValue::new("gen_ai.prompt.version", "3"),
        KeyValue::new("gen_ai.system_instructions", r#"[{"type":"text","content":"Assess the application against the policy."}]"#),
        KeyValue::new(
            "gen_ai.input.messages",
            r#"[{"role":"user","parts":[{"type":"text","content":"Applicant: debt ratio 61 percent, employed for 8 months."}]}]"#,
        ),
        KeyValue::new(
            "gen_ai.output.messages",
            r#"[{"role":"assistant","parts":[{"type":"text","content":"Decline: the debt ratio is above the limit."}],"finish_reason":"stop"}]"#,
        ),
        KeyValue::new("user.id", "officer@example.com"),
        KeyValue::new("ai_audit.decision.id", DECISION_ID),
        KeyValue::new("ai_audit.confidence.score", 0.72),
        KeyValue::new("ai_audit.confidence.method", "calibrated"),
    ]
}

fn decision() -> Vec<KeyValue> {
    vec![
        KeyValue::new("ai_audit.decision.id", DECISION_ID),
        KeyValue::new("ai_audit.decision.type", "credit_approval"),
        KeyValue::new("ai_audit.decision.outcome", "declined"),
        KeyValue::new("ai_audit.decision.automation_level", "human_in_the_loop"),
        KeyValue::new("ai_audit.model.id", "credit-scorer"),
        KeyValue::new("ai_audit.model.version", "4.2.1"),
        KeyValue::new("ai_audit.confidence.score", 0.72),
        KeyValue::new("ai_audit.confidence.method", "calibrated"),
        KeyValue::new("ai_audit.confidence.threshold", 0.85),
        KeyValue::new("ai_audit.review.required", true),
        KeyValue::new("ai_audit.explanation.reason_codes", texts(&["DEBT_RATIO", "SHORT_EMPLOYMENT"])),
        KeyValue::new("ai_audit.explanation.method", "shap"),
        KeyValue::new("ai_audit.data.sources", texts(&["bureau.example.com", "accounts-v812"])),
        KeyValue::new("ai_audit.data.purpose", "loan_underwriting"),
        KeyValue::new("ai_audit.data.lawful_basis", "contract"),
        KeyValue::new("ai_audit.data_subject.id", "alice@example.com"),
        KeyValue::new("ai_audit.data_subject.type", "applicant"),
        KeyValue::new("ai_audit.policy.id", "underwriting-ai-policy"),
        KeyValue::new("ai_audit.policy.version", "7"),
        KeyValue::new("ai_audit.regulation.use_case", "annex_iii_5b_creditworthiness"),
        KeyValue::new("ai_audit.regulation.risk_class", "high"),
    ]
}

/// The human, an instant later: a log event that names the decision.
fn record_review(logs: &SdkLoggerProvider, now: UnixNanos) {
    let logger = logs.logger("demo");
    let mut review = logger.create_log_record();
    review.set_event_name("ai_audit.review.completed");
    review.set_timestamp(at(now.0));
    review.set_severity_number(Severity::Info);
    let text = |value: &'static str| AnyValue::from(value);
    review.add_attributes([
        ("ai_audit.decision.id", text(DECISION_ID)),
        ("ai_audit.review.status", text("completed")),
        ("ai_audit.review.decision", text("modified")),
        ("ai_audit.review.overridden", AnyValue::from(true)),
        ("ai_audit.review.original_outcome", text("declined")),
        ("ai_audit.review.final_outcome", text("approved")),
        ("ai_audit.review.override.reason_code", text("DATA_STALE")),
        ("ai_audit.review.override.reason", text("The income document is newer than what the model was given.")),
        ("ai_audit.review.reviewer.id", text("rita@example.com")),
        ("ai_audit.review.reviewer.role", text("senior_underwriter")),
        ("ai_audit.review.reviewer.kind", text("human")),
        ("ai_audit.review.completed_at", AnyValue::from(now.rfc3339())),
    ]);
    logger.emit(review);
}

fn at(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// An HTTP client for the exporter that keeps what it would drop: the response's headers.
#[derive(Debug)]
struct ReceiptClient {
    client: reqwest::Client,
    runtime: tokio::runtime::Handle,
    seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl ReceiptClient {
    fn new() -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().timeout(EXPORT_TIMEOUT).build()?;
        Ok(ReceiptClient { client, runtime: tokio::runtime::Handle::current(), seen: Arc::default() })
    }
}

#[async_trait]
impl HttpClient for ReceiptClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, seen) = (self.client.clone(), Arc::clone(&self.seen));
        let request = reqwest::Request::try_from(request)?;
        // The SDK's own thread has no reactor: the request runs on ours.
        let answer = self.runtime.spawn(async move {
            let answer = client.execute(request).await?;
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(answer.headers().clone());
            let status = answer.status();
            Ok::<_, reqwest::Error>((status, answer.bytes().await?))
        });
        let (status, body) = answer.await??;
        Ok(Response::builder().status(status).body(body)?)
    }
}
