//! A credit decision with its confidence, and a human's review of it.

use std::error::Error;

use opentelemetry::KeyValue;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{LogExporter, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

pub fn report(endpoint: &str) -> Result<(), Box<dyn Error>> {
    let resource = Resource::builder()
        .with_service_name("credit-scoring")
        .with_attributes([
            KeyValue::new("service.version", "2.3.0"),
            KeyValue::new("deployment.environment.name", "production"),
            // True of every step of this service, so said once.
            KeyValue::new("ai_audit.model.version", "4.2.1"),
            KeyValue::new("ai_audit.policy.id", "underwriting-ai-policy"),
            KeyValue::new("ai_audit.policy.version", "7"),
            KeyValue::new("ai_audit.system.risk_class", "high"),
        ])
        .build();
    let spans = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_protocol(Protocol::Grpc).build()?;
    let traces = SdkTracerProvider::builder().with_resource(resource.clone()).with_batch_exporter(spans).build();
    let events = LogExporter::builder().with_tonic().with_endpoint(endpoint).with_protocol(Protocol::Grpc).build()?;
    let logs = SdkLoggerProvider::builder().with_resource(resource).with_batch_exporter(events).build();

    let mut span = traces.tracer("credit").start("decide loan");
    span.set_attributes([
        KeyValue::new("ai_audit.decision.id", "loan-2026-0042"),
        KeyValue::new("ai_audit.decision.type", "credit_approval"),
        KeyValue::new("ai_audit.decision.outcome", "declined"),
        KeyValue::new("ai_audit.decision.automation_level", "human_in_the_loop"),
        KeyValue::new("ai_audit.confidence.score", 0.72),
        KeyValue::new("ai_audit.confidence.method", "calibrated"),
        KeyValue::new("ai_audit.confidence.threshold", 0.85),
        KeyValue::new("ai_audit.review.required", true),
        KeyValue::new("ai_audit.model.id", "credit-pd-scorecard"),
        KeyValue::new("ai_audit.subject.id", "cust-88421"),        // sealed as a pseudonym
        KeyValue::new("ai_audit.input", "income 4100, debt 2500"), // never in evidence
        KeyValue::new("ai_audit.output", "declined: debt ratio too high"),
    ]);
    span.end();

    // Hours later, in another process: the review names the decision.
    let logger = logs.logger("credit");
    let mut review = logger.create_log_record();
    review.set_event_name("ai_audit.review.completed");
    review.set_severity_number(Severity::Info);
    for (key, value) in [
        ("ai_audit.decision.id", AnyValue::from("loan-2026-0042")),
        ("ai_audit.review.decision", AnyValue::from("modified")),
        ("ai_audit.review.overridden", AnyValue::from(true)),
        ("ai_audit.review.original_outcome", AnyValue::from("declined")),
        ("ai_audit.review.final_outcome", AnyValue::from("approved")),
        ("ai_audit.review.reason_code", AnyValue::from("DATA_STALE")),
        ("ai_audit.review.reviewer.id", AnyValue::from("rev_7f3a")),
        ("ai_audit.review.reviewer.kind", AnyValue::from("human")),
        ("ai_audit.review.reviewer.role", AnyValue::from("senior_underwriter")),
    ] {
        review.add_attribute(key, value);
    }
    logger.emit(review);
    // This SDK's flush returns what the exporter was answered: a success is the receipt for what the flush sent. Batches that went out
    // earlier are not told of by it.
    traces.force_flush()?;
    logs.force_flush()?;
    Ok(())
}
