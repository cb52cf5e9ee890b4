//! Dialects one by one, in shapes that the recordings do not hold, and the traps of the dialect study that concern them.

use super::*;
use crate::promote::testing::{event, span};

/// The record of a span with these attributes and nothing else.
fn spoken(attributes: &[(&str, Any)]) -> Json {
    one_span(span("step", attributes))
}

fn derived(record: &Json, path: &str) -> String {
    record.path("evidence.derived").and_then(|d| d.get(path)).and_then(Json::as_str).unwrap_or("-").to_owned()
}

fn number(record: &Json, path: &str) -> Option<f64> {
    match record.path(path) {
        Some(Json::Number(number)) => Some(*number),
        _ => None,
    }
}

/// `rest` held by hash: its preimage is this JCS text, or the one value that is left.
fn assert_rest(record: &Json, preimage: &str) {
    assert_eq!(at(record, "rest.hash"), h("content", preimage.as_bytes()), "{preimage}");
}

const ALICE: &str = "ps:66687aad:6ac780348d5bd07b2ed8518875ad39e8";

/// Scenario: an application puts our keys where its instrumentation lets it. Guarantee: under every carrier they are claims as under their
/// own key, typed, pseudonymised, marked with the key that carried them, and nothing of them is left over.
#[test]
fn every_carrier_carries_claims() {
    let ai = ("gen_ai.operation.name", Any::text("chat"));
    for (carrier, json) in [
        ("traceloop.association.properties.", false),
        ("langfuse.trace.metadata.", true),
        ("langfuse.observation.metadata.", true),
        ("langsmith.metadata.", false),
        ("ai.telemetry.metadata.", false),
        ("ai.settings.context.", false),
        ("litellm.metadata.", false),
        ("metadata.", false),
        ("mlflow.traceTag.", false),
        ("baggage.", false),
    ] {
        let quoted = |text: &str| if json { Any::text(&format!("\"{text}\"")) } else { Any::text(text) };
        let keys: Vec<String> =
            ["ai_audit.decision.outcome", "ai.audit.confidence.score", "ai_audit.actor.user_id", "ai_audit.decision.authority"]
                .iter()
                .map(|own| format!("{carrier}{own}"))
                .collect();
        let record = spoken(&[
            ai.clone(),
            (&keys[0], quoted("denied")),
            (&keys[1], Any::text("0.83")),
            (&keys[2], quoted("alice@example.com")),
            (&keys[3], quoted("credit committee")),
        ]);
        assert_eq!(at(&record, "decision.outcome"), "denied", "{carrier}");
        assert_eq!(number(&record, "confidence.score"), Some(0.83), "{carrier}");
        assert_eq!(at(&record, "actor.user_id"), ALICE, "{carrier}");
        assert_eq!(at(&record, "decision.authority"), "credit committee", "{carrier}");
        for (path, key) in ["decision.outcome", "confidence.score", "actor.user_id", "decision.authority"].iter().zip(&keys) {
            assert_eq!(derived(&record, path), format!("carrier:{key}"));
        }
        assert!(record.get("rest").is_none(), "{carrier}");
        assert!(names(&record, "source.dialects").contains(&"ai_audit".to_owned()));
    }
}

/// A metadata object: what is ours in it is claimed, flat or nested, and the object as a whole goes to `rest` unless all of it was ours.
#[test]
fn a_metadata_object_carries_claims_and_keeps_the_rest_hidden() {
    let ai = ("openinference.span.kind", Any::text("LLM"));
    let sent = r#"{"tenant":"bank-7","ai_audit.decision.outcome":"denied","ai_audit":{"subject":{"id":"alice@example.com"},"confidence.score":0.5}}"#;
    for key in ["metadata", "langfuse.trace.metadata", "langfuse.observation.metadata", "langsmith.metadata"] {
        let record = spoken(&[ai.clone(), (key, Any::text(sent))]);
        assert_eq!((at(&record, "decision.outcome"), at(&record, "subject.id")), ("denied", ALICE));
        assert_eq!(number(&record, "confidence.score"), Some(0.5));
        assert_eq!(derived(&record, "subject.id"), format!("carrier:{key}"));
        assert_rest(&record, sent);
    }
    let ours = r#"{"ai_audit.decision.outcome":"denied"}"#;
    assert!(spoken(&[ai.clone(), ("metadata", Any::text(ours))]).get("rest").is_none());
    // Python escapes every letter beyond ASCII.
    let escaped = r#"{"ai_audit.decision.outcome":"zur\u00fcckgestellt","ai_audit.decision.authority":"Pr\u00fcfer"}"#;
    let record = spoken(&[ai.clone(), ("metadata", Any::text(escaped))]);
    assert_eq!((at(&record, "decision.outcome"), at(&record, "decision.authority")), ("zur\u{fc}ckgestellt", "Pr\u{fc}fer"));
    // Content is committed to as it was sent.
    let record = spoken(&[ai.clone(), ("metadata", Any::text(r#"{"ai_audit.explanation.text":"because\u0021"}"#))]);
    assert_eq!(at(&record, "explanation.text.hash"), h("content", br#""because\u0021""#));
    assert_eq!(derived(&record, "explanation.text"), "carrier:metadata");
    // No object, no claim; a key that is not registered is none either.
    for other in ["ai_audit.decision.outcome=x", r#"["ai_audit.decision.outcome"]"#, r#"{"ai_audit.no.such":"x"}"#, r#"{"ai_audit"#] {
        let record = spoken(&[ai.clone(), ("metadata", Any::text(other))]);
        assert!(record.get("decision").is_none());
        assert_rest(&record, other);
    }
}

#[test]
fn the_key_itself_outranks_its_carrier() {
    let record = spoken(&[
        ("traceloop.association.properties.ai_audit.decision.outcome", Any::text("granted")),
        ("ai_audit.decision.outcome", Any::text("denied")),
    ]);
    assert_eq!(at(&record, "decision.outcome"), "denied");
    assert_eq!(names(&record, "evidence.conflicts"), ["decision.outcome"]);
    assert_eq!(derived(&record, "decision.outcome"), "-");
    assert_rest(&record, "granted");
    // Baggage is never stored, but for what is ours in it.
    let record = spoken(&[("gen_ai.operation.name", Any::text("chat")), ("baggage.user", Any::text("alice"))]);
    assert_eq!((at(&record, "evidence.withheld"), record.get("rest")), ("1", None));
}

/// A carrier's key proves nothing more than its prefix does: generic ones make no span AI.
#[test]
fn a_carrier_alone_promotes_nothing() {
    let promoter = promoter();
    for key in ["metadata", "metadata.ai_audit.decision.outcome", "baggage.ai_audit.decision.outcome", "mlflow_traceTag"] {
        let bytes = span("GET", &[(key, Any::text(r#"{"ai_audit.decision.outcome":"x"}"#))]);
        assert_eq!(lines(&promoter, &request(&[], ("s", ""), &[bytes]), false).0.len(), 0, "{key}");
    }
}

/// Trap 1: words that anybody uses mean something only where their dialect speaks, in whatever order the keys come.
#[test]
fn generic_words_need_their_dialect() {
    let model = ("model", Any::text("\"gpt-4o\""));
    let record = spoken(&[("gen_ai.operation.name", Any::text("chat")), model.clone()]);
    assert!(record.get("model").is_none());
    assert_rest(&record, "\"gpt-4o\"");
    let record = spoken(&[model, ("mlflow.spanType", Any::text("\"LLM\""))]);
    assert_eq!((at(&record, "model.requested"), at(&record, "kind")), ("gpt-4o", "inference"));
}

/// Trap 2: Application Insights tags begin with `ai.` too.
#[test]
fn tags_of_application_insights_are_no_proof() {
    let bytes = span("GET", &[("ai.operation.id", Any::text("1")), ("ai.user.id", Any::text("u")), ("ai.session.id", Any::text("s"))]);
    let (_, tally, _) = lines(&promoter(), &request(&[], ("s", ""), &[bytes]), false);
    assert_eq!(tally.counts.skipped, 1);
}

/// Trap 3: `llm.<anything>.messages` is a raw request only where LiteLLM speaks, and a cache's hit is no provider's parameter.
#[test]
fn raw_parameters_are_litellms() {
    let raw = ("llm.openai.messages", Any::text("[{'role': 'user', 'content': 'secret'}]"));
    let record = spoken(&[raw.clone(), ("llm.cache.hit", Any::bool(true))]);
    assert!(record.get("input").is_none() && at(&record, "kind") == "event");
    let bytes = span("raw_gen_ai_request", &[raw, ("llm.openai.choices", Any::text("[{}]")), ("llm.cache.hit", Any::bool(true))]);
    let (records, ..) = lines(&promoter(), &request(&[], ("litellm", ""), &[bytes]), false);
    assert_eq!((at(&records[0], "kind"), at(&records[0], "input.captured")), ("inference", "hash"));
    assert_eq!(at(&records[0], "rest.captured"), "hash");
}

/// Trap 5: `gen_ai.prompt` is semconv 1.26's text, OpenLLMetry's list and OpenTelemetry's name of a template.
#[test]
fn three_meanings_of_one_prefix() {
    let record = spoken(&[
        ("gen_ai.prompt.name", Any::text("loan-decision")),
        ("gen_ai.prompt.version", Any::text("7")),
        ("gen_ai.prompt.0.role", Any::text("system")),
        ("gen_ai.prompt.0.content", Any::text("Be brief.")),
        ("gen_ai.prompt.10.role", Any::text("user")),
        ("gen_ai.prompt.10.content", Any::text("Grant?")),
        ("gen_ai.completion.1.finish_reason", Any::text("length")),
        ("gen_ai.completion.0.finish_reason", Any::text("stop")),
        ("gen_ai.completion.0.tool_calls.0.name", Any::text("lookup")),
        ("gen_ai.completion.0.tool_calls.0.arguments", Any::text("{\"id\": 5}")),
        ("llm.request.type", Any::text("chat")),
    ]);
    assert_eq!((at(&record, "prompt.name"), at(&record, "prompt.version"), at(&record, "kind")), ("loan-decision", "7", "inference"));
    assert_eq!(at(&record, "prompt.hash"), h("prompt", br#"["Be brief."]"#));
    assert_eq!(names(&record, "output.finish_reasons"), ["stop", "length"]);
    let input = br#"{"gen_ai.prompt.0.content":"Be brief.","gen_ai.prompt.0.role":"system","gen_ai.prompt.10.content":"Grant?","gen_ai.prompt.10.role":"user"}"#;
    assert_eq!(at(&record, "input.hash"), h("content", input));
    let record = spoken(&[("gen_ai.prompt", Any::text("Grant?")), ("gen_ai.request.model", Any::text("m"))]);
    assert_eq!(at(&record, "input.hash"), h("content", b"Grant?"));
}

/// Trap 6: a framework's name stands as provider only where nobody names a vendor, and withdrawn values are renamed under any key.
#[test]
fn frameworks_are_no_vendors() {
    let chat = ("gen_ai.operation.name", Any::text("chat"));
    for framework in ["langchain", "langgraph", "microsoft.agent_framework"] {
        let named = ("gen_ai.provider.name", Any::text(framework));
        assert_eq!(at(&spoken(&[chat.clone(), named.clone()]), "model.provider"), framework);
        let record = spoken(&[chat.clone(), named, ("langsmith.metadata.ls_provider", Any::text("openai"))]);
        assert_eq!(at(&record, "model.provider"), "openai");
        assert_rest(&record, framework);
    }
    let record = spoken(&[chat, ("gen_ai.provider.name", Any::text("az.ai.openai"))]);
    assert_eq!(at(&record, "model.provider"), "azure.ai.openai");
}

/// Trap 7: the outer span of a call of Vercel's sums what the inner ones used, whatever it asked for.
#[test]
fn outer_spans_count_nothing() {
    for (operation, kind, outer) in [
        ("ai.generateText", "agent", true),
        ("ai.streamText.doStream", "inference", false),
        ("ai.streamObject", "agent", true),
        ("ai.embedMany", "embedding", true),
        ("ai.embedMany.doEmbed", "embedding", false),
        ("ai.rerank", "rerank", true),
        ("ai.rerank.doRerank", "rerank", false),
    ] {
        let record = spoken(&[("ai.operationId", Any::text(operation)), ("ai.usage.inputTokens", Any::int(5))]);
        assert_eq!(at(&record, "kind"), kind);
        assert_eq!(record.path("usage.aggregate"), outer.then_some(&Json::Bool(true)), "{operation}");
    }
}

/// The study's order for token totals, and that the native word for a span outranks its operation, which outranks a vague word.
#[test]
fn precedence_of_totals_and_kinds() {
    let all: [(&str, Any); 5] = [
        ("langfuse.observation.usage_details", Any::text(r#"{"input": 1}"#)),
        ("gen_ai.usage.prompt_tokens", Any::int(2)),
        ("ai.usage.inputTokens", Any::int(3)),
        ("llm.token_count.prompt", Any::int(4)),
        ("gen_ai.usage.input_tokens", Any::int(5)),
    ];
    for (length, expected) in [(1, "1"), (2, "2"), (3, "3"), (4, "4"), (5, "5")] {
        assert_eq!(at(&spoken(&all[..length]), "usage.input_tokens"), expected);
    }
    let task = ("traceloop.span.kind", Any::text("task"));
    let tool = ("gen_ai.operation.name", Any::text("execute_tool"));
    let agent = ("openinference.span.kind", Any::text("agent"));
    assert_eq!(at(&spoken(std::slice::from_ref(&task)), "kind"), "workflow");
    assert_eq!(at(&spoken(&[task.clone(), tool.clone()]), "kind"), "tool");
    assert_eq!(at(&spoken(&[task, tool, agent]), "kind"), "agent");
    // A word that says nothing is not made an inference by a model's name.
    assert_eq!(at(&spoken(&[("langfuse.observation.type", Any::text("span")), ("gen_ai.request.model", Any::text("m"))]), "kind"), "event");
}

/// Trap 10, and a run as LangSmith's exporter writes it.
#[test]
fn a_run_of_langsmith() {
    let record = one_span(span(
        "policy_search",
        &[
            ("langsmith.span.kind", Any::text("retriever")),
            ("gen_ai.operation.name", Any::text("embeddings")),
            ("langsmith.trace.session_id", Any::text("project-1")),
            ("langsmith.metadata.thread_id", Any::text("thread-9")),
            ("langsmith.metadata.user_id", Any::text("alice@example.com")),
            ("langsmith.metadata.tenant", Any::text("bank-7")),
            ("langsmith.request.headers", Any::text("Authorization: Bearer x")),
            ("gen_ai.prompt", Any::text(r#"{"query":"minimum income?"}"#)),
            ("gen_ai.completion", Any::text(r#"{"documents":[{"page_content":"1.500","id":"d1"}]}"#)),
        ],
    ));
    assert_eq!((at(&record, "kind"), at(&record, "actor.conversation_id"), at(&record, "actor.user_id")), ("retrieval", "thread-9", ALICE));
    assert!(record.path("actor.session_id").is_none());
    assert_eq!(record.path("attributes").unwrap().get("langsmith.trace.session_id").unwrap().as_str(), Some("project-1"));
    assert_eq!(at(&record, "evidence.withheld"), "1");
    assert_eq!(at(&record, "retrieval.query.hash"), h("content", br#"{"query":"minimum income?"}"#));
    assert_eq!(derived(&record, "retrieval.documents"), "fallback:gen_ai.completion");
    assert_rest(&record, "bank-7");

    let record = one_span(span(
        "ChatOpenAI",
        &[
            ("langsmith.span.kind", Any::text("llm")),
            ("gen_ai.system", Any::text("langchain")),
            ("langsmith.metadata.ls_provider", Any::text("anthropic")),
            ("langsmith.metadata.ls_model_name", Any::text("claude-sonnet-4-5")),
            ("langsmith.metadata.ls_temperature", Any::double(0.1)),
            ("gen_ai.usage.input_tokens", Any::int(9)),
            ("gen_ai.usage.input_token_details", Any::text(r#"{"cache_read": 4}"#)),
            ("gen_ai.usage.output_token_details", Any::text(r#"{"reasoning": 3}"#)),
        ],
    ));
    assert_eq!(
        (at(&record, "kind"), at(&record, "model.provider"), at(&record, "model.requested")),
        ("inference", "anthropic", "claude-sonnet-4-5")
    );
    assert_eq!((at(&record, "usage.cache_read_input_tokens"), at(&record, "usage.reasoning_output_tokens")), ("4", "3"));
    assert_eq!(number(&record, "parameters.temperature"), Some(0.1));
}

/// Version 2 of LiteLLM's callback: a call, and the guardrail before it.
#[test]
fn litellm_version_2() {
    let record = spoken(&[
        ("litellm.call_id", Any::text("c-1")),
        ("litellm.call_type", Any::text("acompletion")),
        ("litellm.end_user.id", Any::text("alice@example.com")),
        ("litellm.cache_hit", Any::bool(true)),
        ("litellm.cost.total", Any::double(0.25)),
        ("litellm.request.streaming", Any::bool(false)),
        ("litellm.metadata.tenant", Any::text("bank-7")),
        ("litellm.provider.error.code", Any::int(429)),
        ("litellm.provider.error.stack_trace", Any::text("Traceback of Jane Roe")),
    ]);
    assert_eq!((at(&record, "kind"), at(&record, "actor.user_id"), at(&record, "error.code")), ("inference", ALICE, "429"));
    assert_eq!(record.path("output.from_cache"), Some(&Json::Bool(true)));
    assert_eq!(number(&record, "usage.cost"), Some(0.25));
    assert_eq!(at(&record, "error.stacktrace.captured"), "hash");
    assert_rest(&record, "bank-7");
    for (name, status) in [("litellm.guardrail.name", "litellm.guardrail.status"), ("guardrail_name", "guardrail_status")] {
        let record = spoken(&[
            ("litellm.call_id", Any::text("c-1")),
            (name, Any::text("pii")),
            (status, Any::text("blocked")),
            ("litellm.guardrail.risk_score", Any::double(0.9)),
            ("litellm.guardrail.violation_categories", Any::array(&[Any::text("iban"), Any::text("name")])),
            ("litellm.guardrail.response", Any::text("Jane Roe, DE89")),
        ]);
        assert_eq!((at(&record, "kind"), at(&record, "guardrail.name"), at(&record, "guardrail.outcome")), ("guardrail", "pii", "blocked"));
        assert_eq!(
            (number(&record, "guardrail.score"), names(&record, "guardrail.categories")),
            (Some(0.9), vec!["iban".into(), "name".into()])
        );
        assert_eq!(at(&record, "output.captured"), "hash");
    }
}

/// Version 4 of Vercel's SDK, an event of its streams' units, and what an application put into the metadata.
#[test]
fn vercel_version_4() {
    let record = spoken(&[
        ("ai.operationId", Any::text("ai.streamText.doStream")),
        ("ai.model.id", Any::text("gpt-4o")),
        ("ai.usage.promptTokens", Any::int(9)),
        ("ai.usage.completionTokens", Any::int(5)),
        ("ai.finishReason", Any::text("stop")),
        ("ai.stream.msToFirstChunk", Any::int(250)),
        ("ai.settings.maxTokens", Any::int(100)),
        ("ai.result.text", Any::text("denied")),
        ("ai.request.headers.authorization", Any::text("Bearer x")),
        ("ai.telemetry.metadata.sessionId", Any::text("sess-9")),
        ("ai.telemetry.metadata.langfusePrompt", Any::text(r#"{"name":"loan","version":3,"labels":["production"]}"#)),
    ]);
    assert_eq!(
        (at(&record, "usage.input_tokens"), at(&record, "usage.output_tokens"), at(&record, "parameters.max_tokens")),
        ("9", "5", "100")
    );
    assert_eq!((at(&record, "prompt.name"), at(&record, "prompt.version"), at(&record, "actor.session_id")), ("loan", "3", "sess-9"));
    assert_eq!((number(&record, "time.to_first_chunk"), names(&record, "output.finish_reasons")), (Some(0.25), vec!["stop".to_owned()]));
    assert_eq!((at(&record, "output.hash"), at(&record, "evidence.withheld")), (h("content", b"denied").as_str(), "1"));
}

#[test]
fn prompts_of_registries() {
    let record = spoken(&[
        ("traceloop.prompt.key", Any::text("loan")),
        ("traceloop.prompt.version", Any::int(4)),
        ("traceloop.prompt.version_hash", Any::text("9f2c")),
        ("traceloop.prompt.template", Any::text("Decide {{id}}")),
    ]);
    // The registry's hash is of the version there: the template's, and not of what was rendered.
    let prompt = ["name", "version", "template_hash", "template_hash_source"].map(|m| at(&record, &format!("prompt.{m}")).to_owned());
    assert_eq!(prompt, ["loan", "4", "9f2c", "producer"]);
    assert!(record.path("prompt.hash").is_none());

    let one = Any::text(r#"[{"name": "loan", "version": "2"}]"#);
    let record = spoken(&[("mlflow.spanType", Any::text("\"LLM\"")), ("mlflow.linkedPrompts", one)]);
    assert_eq!((at(&record, "prompt.name"), at(&record, "prompt.version"), record.get("rest")), ("loan", "2", None));
    let two = r#"[{"name": "loan", "version": "2"}, {"name": "tone", "version": "1"}]"#;
    let record = spoken(&[("mlflow.spanType", Any::text("\"LLM\"")), ("mlflow.linkedPrompts", Any::text(two))]);
    assert_eq!(at(&record, "prompt.name"), "loan");
    assert_rest(&record, two);

    let record = spoken(&[("langfuse.observation.prompt.name", Any::text("loan")), ("langfuse.observation.prompt.version", Any::int(5))]);
    assert_eq!((at(&record, "prompt.name"), at(&record, "prompt.version")), ("loan", "5"));
}

/// A level is a status where the span has none, a cost is the sum that was sent, and a tool's result is no provider's answer.
/// Scenario: an application states decisions and persons on a span of MLflow, which sends every text as JSON, before or behind the keys by which
/// MLflow is known. Guarantee: they are what the application said; without MLflow quotation marks are the application's own.
#[test]
fn what_is_stated_through_mlflow_has_no_quotes_of_its_own() {
    let speaks = [("mlflow.spanType", Any::text("\"LLM\"")), ("mlflow.traceRequestId", Any::text("\"tr-1\""))];
    let stated = [
        ("ai_audit.decision.outcome", Any::text("\"den\\u00eded\"")),
        ("ai.audit.policy.id", Any::text("\"p-7\"")),
        ("ai_audit.confidence.score", Any::text("0.83")),
        ("ai_audit.actor.user_id", Any::text("\"alice@example.com\"")),
    ];
    let [before, behind] = [[&speaks[..], &stated].concat(), [&stated[..], &speaks].concat()].map(|all| spoken(&all));
    for record in [before, behind] {
        assert_eq!((at(&record, "decision.outcome"), at(&record, "policy.id")), ("den\u{ed}ed", "p-7"), "{record:?}");
        assert_eq!((number(&record, "confidence.score"), at(&record, "actor.user_id")), (Some(0.83), ALICE), "{record:?}");
    }
    // The first of two statements is the first, nothing is nothing, and what is no JSON text is as it was sent.
    let rivals = [
        ("ai_audit.decision.outcome", Any::text("\"denied\"")),
        ("ai_audit.decision.outcome", Any::text("approved")),
        ("ai_audit.policy.id", Any::text("null")),
        ("ai_audit.decision.outcome", Any::text("\"a\" or \"b\"")),
    ];
    for speaks in [&speaks[..], &[("gen_ai.operation.name", Any::text("chat"))]] {
        let record = spoken(&[speaks, &rivals[..2]].concat());
        assert!(at(&record, "decision.outcome").trim_matches('"') == "denied", "{record:?}");
    }
    let record = spoken(&[&speaks[..], &rivals[2..]].concat());
    assert_eq!((record.path("policy.id"), at(&record, "decision.outcome")), (None, "\"a\" or \"b\""), "{record:?}");
    let record = spoken(&[&[("gen_ai.operation.name", Any::text("chat"))], &stated[..2]].concat());
    assert_eq!((at(&record, "decision.outcome"), at(&record, "policy.id")), ("\"den\\u00eded\"", "\"p-7\""), "{record:?}");
}

#[test]
fn langfuse_and_mlflow_details() {
    let record = spoken(&[
        ("langfuse.observation.type", Any::text("generation")),
        ("langfuse.observation.level", Any::text("ERROR")),
        ("langfuse.observation.cost_details", Any::text(r#"{"input":0.1,"output":0.2,"total":0.3}"#)),
        ("langfuse.observation.completion_start_time", Any::text("\"2026-11-20T15:09:06.250Z\"")),
    ]);
    assert_eq!((at(&record, "error.status"), derived(&record, "error.status").as_str()), ("error", "fallback:langfuse.observation.level"));
    assert_eq!((number(&record, "usage.cost"), number(&record, "time.to_first_chunk")), (Some(0.3), Some(0.25)));
    let record = spoken(&[("langfuse.observation.completion_start_time", Any::text("soon"))]);
    assert_eq!(names(&record, "evidence.conflicts"), ["time.to_first_chunk"]);

    let answer = Any::text(r#"{"id":"r-1","choices":[{"finish_reason":"stop","message":{"content":"No."}},{"finish_reason":"length"}]}"#);
    let record = spoken(&[("mlflow.spanType", Any::text("\"TOOL\"")), ("mlflow.spanOutputs", answer.clone())]);
    assert!(record.get("output").is_none());
    let record = spoken(&[("mlflow.spanType", Any::text("\"CHAT_MODEL\"")), ("mlflow.spanOutputs", answer)]);
    assert_eq!((at(&record, "output.response_id"), at(&record, "output.choices")), ("r-1", "2"));
    assert_eq!(names(&record, "output.finish_reasons"), ["stop", "length"]);
    // Instructions beside the messages of a request as one object.
    let request = Any::text(r#"{"messages":[{"role":"system","content":"two"},{"role":"user","content":"x"}],"system":"one"}"#);
    let record = spoken(&[("mlflow.spanType", Any::text("\"CHAT_MODEL\"")), ("mlflow.spanInputs", request)]);
    assert_eq!(at(&record, "prompt.hash"), h("prompt", br#"["one","two"]"#));
}

/// Vector stores below a workflow of Traceloop's: a document an event.
#[test]
fn documents_of_a_vector_store() {
    let mut bytes = span("chroma.query", &[("traceloop.workflow.name", Any::text("rag")), ("db.vector.query.top_k", Any::int(2))]);
    for (id, text) in [("d1", "A"), ("d2", "B")] {
        let attributes = [
            ("db.query.result.id", Any::text(id)),
            ("db.query.result.score", Any::double(0.5)),
            ("db.query.result.document", Any::text(text)),
            ("db.query.result.metadata", Any::text("{\"page\": 4}")),
        ];
        bytes.extend(event("db.query.result", 3, &attributes));
    }
    let record = one_span(bytes);
    assert_eq!((at(&record, "kind"), at(&record, "retrieval.top_k"), at(&record, "actor.workflow")), ("retrieval", "2", "rag"));
    let documents = record.path("retrieval.documents").unwrap().as_array().unwrap();
    assert_eq!(documents.iter().map(|d| at(d, "id")).collect::<Vec<_>>(), ["d1", "d2"]);
    assert_eq!(at(&documents[1], "content.hash"), h("content", b"B"));
}
