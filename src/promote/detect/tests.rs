use super::*;
use crate::promote::testing::{Any, event, field, log, span};

fn ai(span: &[u8], scope_name: &[u8]) -> bool {
    is_ai_span(span, scope_name, Dialects::ALL).unwrap()
}

fn with(key: &str, value: &str) -> bool {
    ai(&span("work", &[("http.method", Any::text("GET")), (key, Any::text(value))]), b"")
}

#[test]
fn the_list_of_section_0() {
    for key in [
        "gen_ai.operation.name",
        "gen_ai.anything",
        "llm.model_name",
        "openinference.span.kind",
        "traceloop.span.kind",
        "mlflow.spanType",
        "langfuse.observation.type",
        "pydantic_ai.all_messages",
        "crewai.event_name",
        "haystack.component.name",
        "gcp.vertex.agent.invocation_id",
        "ai_audit.decision.outcome",
        "ai.audit.decision.outcome",
        "ai.operationId",
        "ai.model.id",
        "ai.prompt",
        "ai.promptMessages",
        "ai.response.text",
        "ai.toolCall.name",
        "ai.usage.promptTokens",
        "ai.telemetry.functionId",
        "ai.settings.maxRetries",
        "ai.values",
        "ai.embeddings",
        "litellm.call_id",
        "langsmith.span.kind",
        "triton.model_name",
        "genkit:type",
        "ag.node.name",
        "flue.turn.input",
        "braintrust.parent",
        "mastra.span.type",
    ] {
        assert!(with(key, "x"), "{key}");
    }
}

/// Keys that look like AI and are not, seen in plain services.
#[test]
fn look_alikes_are_not_ai() {
    for key in [
        "ai",
        "ai.",
        "ai.user.id",
        "ai.operation.id",
        "ai.operationIdentity",
        "gen_ai",
        "genai.x",
        "llm",
        "llmx.y",
        "model",
        "model.name",
        "input.value",
        "session.id",
        "tool.name",
        "shipping.prompt",
        "generation",
        "logfire.msg",
        "audit.decision",
        "mlflow",
        "triton.model",
        "metadata",
        "a2a.method.name",
    ] {
        assert!(!with(key, "x"), "{key}");
    }
    assert!(!ai(&span("GET /", &[]), b"opentelemetry.instrumentation.openai"), "the scope prefix is a trap");
}

#[test]
fn conditions_bind() {
    for (key, yes, no) in [
        ("mcp.method.name", "tools/call", "initialize"),
        ("az.namespace", "Microsoft.CognitiveServices", "Microsoft.Storage"),
        ("operation.name", "ai.generateText", "checkout"),
        ("type", "guardrails/guard/call", "spans"),
    ] {
        assert!(with(key, yes), "{key}");
        assert!(!with(key, no), "{key}");
    }
    assert!(!with("span.type", "tool"));
    let tool = [("span.type", Any::text("tool"))];
    assert!(ai(&span("claude_code.tool", &tool), b""));
    assert!(ai(&span("x", &tool), b"claude_code.tracing"));
}

#[test]
fn events_count_names_and_resources_do_not() {
    assert!(!ai(&span("haystack.pipeline.run", &[]), b""));
    assert!(!ai(&span("x", &[]), b"openinference.instrumentation.langchain"));
    assert!(!ai(&span("raw_gen_ai_request", &[]), b"litellm"));
    let mut with_event = span("x", &[]);
    with_event.extend(event("gen_ai.choice", 0, &[]));
    assert!(ai(&with_event, b""));
    let mut inner = span("x", &[]);
    inner.extend(event("order.placed", 0, &[("gen_ai.system", Any::text("openai"))]));
    assert!(!ai(&inner, b""), "attributes of events are not the span's own");
}

#[test]
fn logs_by_key_or_event_name_wherever_it_stands() {
    let is = |bytes: &[u8]| is_ai_log(bytes, b"", Dialects::ALL).unwrap();
    assert!(is(&log("gen_ai.choice", Any::empty(), &[])));
    assert!(is(&log("", Any::empty(), &[("event.name", Any::text("codex.tool_decision"))])));
    assert!(is(&log("", Any::text("claude_code.api_request"), &[])));
    assert!(is(&log("", Any::empty(), &[("gen_ai.system", Any::text("openai"))])));
    assert!(!is(&log("order.placed", Any::text("gen_ai.choice is what we do"), &[("event.name", Any::text("x"))])));
}

#[test]
fn a_key_that_is_sent_twice_counts_last() {
    // KeyValue { key: "http.method", value: "", key: "gen_ai.system" }: the last key is the key.
    let pair = [&b"\x0a\x0bhttp.method\x12\x00\x0a\x0d"[..], b"gen_ai.system"].concat();
    let mut bytes = vec![0x4a, pair.len() as u8];
    bytes.extend(pair);
    assert!(ai(&bytes, b""));
}

/// Of an event name that is sent twice the last is the name; a body in pieces is one body.
#[test]
fn of_a_log_the_last_name_and_the_whole_body_count() {
    let is = |bytes: &[u8]| is_ai_log(bytes, b"", Dialects::ALL).unwrap();
    let named = |names: [&str; 2]| names.map(|name| field(12, name.as_bytes())).concat();
    assert!(is(&named(["order.placed", "gen_ai.choice"])) && !is(&named(["gen_ai.choice", "order.placed"])));
    let said = |texts: [&str; 2]| texts.map(|text| field(5, &Any::text(text).0)).concat();
    assert!(is(&said(["x", "codex.tool_decision"])) && !is(&said(["codex.tool_decision", "x"])));
}

#[test]
fn a_switched_off_dialect_does_not_promote() {
    let bytes = span("x", &[("gen_ai.system", Any::text("openai"))]);
    let mut only = Dialects::default();
    only.add(Dialect::Openinference);
    assert!(!is_ai_span(&bytes, b"", only).unwrap());
}
