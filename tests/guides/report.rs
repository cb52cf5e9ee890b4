use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::trace::SdkTracerProvider;

pub fn report(endpoint: &str) -> Result<(), Box<dyn std::error::Error>> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let mut span = provider.tracer("claims").start("chat gpt-4o");
    span.set_attributes([
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.provider.name", "openai"),
        KeyValue::new("gen_ai.request.model", "gpt-4o"),
        KeyValue::new("gen_ai.response.model", "gpt-4o-2026-05-13"),
        KeyValue::new("gen_ai.usage.input_tokens", 12),
        KeyValue::new("gen_ai.usage.output_tokens", 5),
        KeyValue::new(
            "gen_ai.input.messages",
            r#"[{"role": "user", "parts": [{"type": "text", "content": "Is claim CLM-2231 covered?"}]}]"#,
        ),
        KeyValue::new("user.id", "adjuster-7"),
    ]);
    span.end();
    provider.shutdown()?;
    Ok(())
}
