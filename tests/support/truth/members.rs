//! Members of a record, for the two families that most libraries speak: OpenTelemetry GenAI (both shapes) and OpenInference.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use serde_json::{Value, json};

use super::Expect;
use super::values::{any, string};

/// Keys of one member, a list a family, best key first.
type Sources = &'static [&'static [&'static str]];

const TEXTS: [(&str, Sources); 9] = [
    ("model.requested", &[&["gen_ai.request.model"], &["llm.request.model_name"]]),
    (
        "model.id",
        &[
            &["gen_ai.response.model", "gen_ai.request.model"],
            &["llm.response.model_name", "llm.model_name", "llm.request.model_name", "embedding.model_name", "reranker.model_name"],
        ],
    ),
    ("model.provider", &[&["gen_ai.provider.name", "gen_ai.system"], &["llm.provider", "llm.system"]]),
    ("output.response_id", &[&["gen_ai.response.id"]]),
    ("tool.name", &[&["gen_ai.tool.name"], &["tool.name"]]),
    ("actor.agent.name", &[&["gen_ai.agent.name"], &["agent.name"]]),
    ("actor.session_id", &[&["session.id"]]),
    ("actor.conversation_id", &[&["gen_ai.conversation.id"]]),
    ("prompt.name", &[&["gen_ai.prompt.name"]]),
];

const INTEGERS: [(&str, Sources); 6] = [
    ("usage.input_tokens", &[&["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"], &["llm.token_count.prompt"]]),
    ("usage.output_tokens", &[&["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"], &["llm.token_count.completion"]]),
    ("usage.total_tokens", &[&["llm.token_count.total"]]),
    ("usage.cache_read_input_tokens", &[&["gen_ai.usage.cache_read.input_tokens"], &["llm.token_count.prompt_details.cache_read"]]),
    ("usage.reasoning_output_tokens", &[&["gen_ai.usage.reasoning.output_tokens"], &["llm.token_count.completion_details.reasoning"]]),
    ("parameters.max_tokens", &[&["gen_ai.request.max_tokens"]]),
];

pub(super) fn fields(attributes: &[KeyValue], realm: &str) -> Vec<(&'static str, Expect)> {
    let find = |key: &str| attributes.iter().find(|a| a.key == key).and_then(any);
    let text = |key: &str| match find(key) {
        Some(Any::StringValue(text)) if !text.is_empty() => Some(json!(text)),
        _ => None,
    };
    let integer = |key: &str| match find(key) {
        Some(Any::IntValue(n)) => Some(json!(n.to_string())),
        _ => None,
    };
    let mut all = Vec::new();
    for (path, sources) in TEXTS {
        push(&mut all, path, families(sources, &text).into_iter().map(|v| if path == "model.provider" { listed(&v) } else { v }).collect());
    }
    for (path, sources) in INTEGERS {
        push(&mut all, path, families(sources, &integer));
    }
    let kinds = [
        text("gen_ai.operation.name").and_then(|v| operation(&v)),
        text("openinference.span.kind").and_then(|v| span_kind(&v)),
        text("traceloop.span.kind").and_then(|v| entity_kind(&v)),
    ];
    push(&mut all, "kind", kinds.into_iter().flatten().collect());
    let reasons = match find("gen_ai.response.finish_reasons") {
        Some(Any::ArrayValue(array)) => {
            let texts = array.values.iter().filter_map(|v| match &v.value {
                Some(Any::StringValue(t)) if !t.is_empty() => Some(json!(t)),
                _ => None,
            });
            Some(Value::Array(texts.collect())).filter(|v| v.as_array().is_some_and(|a| !a.is_empty()))
        }
        _ => text("llm.finish_reason").map(|t| json!([t])),
    };
    push(&mut all, "output.finish_reasons", reasons.into_iter().collect());
    push(&mut all, "retrieval.documents[].id", documents(attributes).into_iter().collect());
    if let Some(Value::String(id)) = text("user.id") {
        all.push(("actor.user_id", Expect::Person { realm: realm.to_owned(), id }));
    }
    all
}

fn push(all: &mut Vec<(&'static str, Expect)>, path: &'static str, mut values: Vec<Value>) {
    values.dedup();
    if !values.is_empty() {
        all.push((path, Expect::OneOf(values)));
    }
}

/// The best value of each family.
fn families(sources: Sources, read: &dyn Fn(&str) -> Option<Value>) -> Vec<Value> {
    sources.iter().filter_map(|keys| keys.iter().find_map(|key| read(key))).collect()
}

/// Withdrawn spellings of a provider's name.
fn listed(provider: &Value) -> Value {
    match provider.as_str().unwrap() {
        "az.ai.openai" => json!("azure.ai.openai"),
        "az.ai.inference" => json!("azure.ai.inference"),
        "vertex_ai" => json!("gcp.vertex_ai"),
        "gemini" => json!("gcp.gemini"),
        "xai" => json!("x_ai"),
        other => json!(other),
    }
}

fn operation(name: &Value) -> Option<Value> {
    Some(json!(match name.as_str()? {
        "chat" | "generate_content" | "text_completion" => "inference",
        "embeddings" => "embedding",
        "retrieval" => "retrieval",
        "execute_tool" => "tool",
        "invoke_agent" | "create_agent" => "agent",
        "invoke_workflow" => "workflow",
        _ => return None,
    }))
}

/// OpenLLMetry's word for a span; `task` says too little.
fn entity_kind(kind: &Value) -> Option<Value> {
    Some(json!(match kind.as_str()? {
        "workflow" => "workflow",
        "agent" => "agent",
        "tool" => "tool",
        _ => return None,
    }))
}

fn span_kind(kind: &Value) -> Option<Value> {
    Some(json!(match kind.as_str()? {
        "LLM" => "inference",
        "EMBEDDING" => "embedding",
        "RETRIEVER" => "retrieval",
        "RERANKER" => "rerank",
        "TOOL" => "tool",
        "AGENT" => "agent",
        "CHAIN" => "workflow",
        "GUARDRAIL" => "guardrail",
        "EVALUATOR" => "evaluation",
        _ => return None,
    }))
}

/// Ids of retrieved documents, in order.
fn documents(attributes: &[KeyValue]) -> Option<Value> {
    let mut ids: BTreeMap<usize, Value> = BTreeMap::new();
    for attribute in attributes {
        if attribute.key == "gen_ai.retrieval.documents" {
            let listed: Value = serde_json::from_str(string(attribute)?).ok()?;
            ids.extend(listed.as_array()?.iter().filter(|d| d["id"].is_string()).map(|d| d["id"].clone()).enumerate());
        }
        let Some(rest) = attribute.key.strip_prefix("retrieval.documents.") else { continue };
        if let (Some(index), Some(id)) = (rest.strip_suffix(".document.id"), string(attribute)) {
            ids.insert(index.parse().ok()?, json!(id));
        }
    }
    Some(Value::Array(ids.into_values().collect())).filter(|v| v.as_array().is_some_and(|a| !a.is_empty()))
}

/// The member at a dotted path; `[]` takes the member of every element.
pub(crate) fn member(record: &Value, path: &str) -> Value {
    if let Some((list, inner)) = path.split_once("[].") {
        let elements = member(record, list);
        return Value::Array(elements.as_array().into_iter().flatten().map(|e| member(e, inner)).filter(|v| !v.is_null()).collect());
    }
    path.split('.').fold(record.clone(), |value, name| value[name].clone())
}
