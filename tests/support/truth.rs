//! What must come out of a request, read by other means than the code under test: OpenTelemetry's own generated messages, the rule of
//! promotion as it is written, and the table of dialects as data.
//!
//! Scope names and span names of that table are not read: a span is promoted for one of its own attribute keys or event names.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::captures::{Recorded, Signal};

/// Keys and event names that begin so carry AI meaning.
const PREFIXES: [&str; 22] = [
    "gen_ai.",
    "llm.",
    "openinference.",
    "traceloop.",
    "mlflow.",
    "langfuse.",
    "pydantic_ai.",
    "crewai.",
    "haystack.",
    "gcp.vertex.agent.",
    "ai_audit.",
    "ai.audit.",
    "ai.model.",
    "ai.prompt",
    "ai.response.",
    "ai.toolCall.",
    "ai.usage.",
    "ai.telemetry.",
    "ai.settings.",
    "ai.values",
    "ai.embedding",
    "ai.operationId",
];

/// Events of a span that are acts of their own.
const ACTS: [&str; 2] = ["gen_ai.evaluation.result", "ai_audit.review.completed"];

/// The rule of promotion and the keys that carry content, from the table of dialects.
pub(crate) struct Rules {
    detecting_keys: BTreeSet<String>,
    detecting_events: Vec<Pattern>,
    content_keys: Vec<Pattern>,
    name_keys: Vec<Pattern>,
}

impl Rules {
    /// Reads the table beside this file.
    pub(crate) fn load() -> Rules {
        let table: Value = serde_json::from_str(include_str!("dialects.json")).unwrap();
        let mut rules =
            Rules { detecting_keys: BTreeSet::new(), detecting_events: Vec::new(), content_keys: Vec::new(), name_keys: Vec::new() };
        for row in table["entries"].as_array().unwrap() {
            let text = |name: &str| row[name].as_str().unwrap_or_default();
            if text("status") == "proposed" {
                continue;
            }
            let proof = !text("note").contains("TRAP") && !text("note").contains("NOT proof");
            match (text("concept"), text("kind")) {
                ("detect", "attribute") if proof => {
                    rules.detecting_keys.insert(text("key").to_owned());
                }
                ("detect", "event_name") if proof => rules.detecting_events.push(Pattern::new(text("key"))),
                (concept, "attribute") if CONTENT.contains(&concept) => rules.content_keys.push(Pattern::new(text("key"))),
                (concept, "attribute") if NAMES.contains(&concept) => rules.name_keys.push(Pattern::new(text("key"))),
                _ => {}
            }
        }
        rules.content_keys.extend(MORE_CONTENT.iter().map(|key| Pattern::new(key)));
        rules.content_keys.retain(|p| !NOT_CONTENT.iter().any(|key| p.pieces == Pattern::new(key).pieces));
        rules
    }

    fn key_detects(&self, attribute: &KeyValue) -> bool {
        let key = attribute.key.as_str();
        PREFIXES.iter().any(|p| key.starts_with(p)) || (self.detecting_keys.contains(key) && condition_holds(key, attribute))
    }

    fn event_detects(&self, name: &str) -> bool {
        PREFIXES.iter().any(|p| name.starts_with(p)) || self.detecting_events.iter().any(|p| p.matches(name))
    }

    fn span_is_promoted(&self, span: &Span) -> bool {
        span.attributes.iter().any(|a| self.key_detects(a)) || span.events.iter().any(|e| self.event_detects(&e.name))
    }

    fn log_is_promoted(&self, log: &LogRecord) -> bool {
        let by_attribute = |a: &KeyValue| a.key == "event.name" && string(a).is_some_and(|name| self.event_detects(name));
        log.attributes.iter().any(|a| self.key_detects(a) || by_attribute(a)) || self.event_detects(&log.event_name)
    }
}

/// Rows whose note makes the key a proof only together with a value. Keys that need more than that (a scope, a span's name) prove nothing
/// by themselves.
fn condition_holds(key: &str, attribute: &KeyValue) -> bool {
    let value = string(attribute).unwrap_or_default();
    match key {
        "mcp.method.name" => matches!(
            value,
            "tools/call" | "prompts/get" | "resources/read" | "completion/complete" | "sampling/createMessage" | "elicitation/create"
        ),
        "operation.name" => value.starts_with("ai."),
        "az.namespace" => value == "Microsoft.CognitiveServices",
        "type" => value.starts_with("guardrails/guard"),
        "span.type" => false,
        _ => true,
    }
}

/// Concepts of the table whose values are what somebody said, showed or is.
const CONTENT: [&str; 34] = [
    "messages.in",
    "messages.out",
    "messages",
    "messages.all",
    "system",
    "tool.defs",
    "tool.args",
    "tool.result",
    "tool.in",
    "prompt",
    "completion",
    "input",
    "output",
    "function_call",
    "embed.text",
    "events",
    "raw",
    "reasoning",
    "embed",
    "request",
    "response",
    "content",
    "voice",
    "guard.io",
    "action.param",
    "query",
    "docs",
    "knowledge",
    "eval.expl",
    "user",
    "prompt.var",
    "template.vars",
    "template",
    "error",
];

/// Rows under those concepts that hold names, places and numbers only.
const NOT_CONTENT: [&str; 9] = [
    "llm.input_messages.{i}.message.role",
    "llm.output_messages.{i}.message.role",
    "llm.input_messages.{i}.message.tool_calls.{j}.tool_call.function.name",
    "llm.input_messages.{i}.message.tool_call_id",
    "gen_ai.prompt.{i}.role",
    "retrieval.documents.{i}.document.id",
    "retrieval.documents.{i}.document.score",
    "gen_ai.retrieval.documents_retrieved",
    "mlflow.linkedPrompts",
];

/// Content that the table names only in a note, and what exceptions and span events of messages carry.
const MORE_CONTENT: [&str; 24] = [
    "exception.message",
    "exception.stacktrace",
    "error.stack_trace",
    "final_result",
    "gen_ai.task.input",
    "gen_ai.task.output",
    "mlflow.chunk.value",
    "llm.{provider}.messages",
    "llm.{provider}.choices",
    "llm.{provider}.content",
    "llm.{provider}.input",
    "ai.value",
    "ai.embedding",
    "ai.embeddings",
    "traceloop.association.properties.user_id",
    "ai.telemetry.metadata.userId",
    "reranker.query",
    "reranker.input_documents.{i}.document.content",
    "reranker.output_documents.{i}.document.content",
    "db.query.result.document",
    "content",
    "message",
    "tool.result",
    "enduser.pseudo.id",
];

/// Concepts whose values stand in the clear in a record; what of a prompt repeats one of them (a tool's name inside a tool call, a model's
/// name inside the raw request) is no leak.
const NAMES: [&str; 27] = [
    "operation",
    "provider",
    "model",
    "model.requested",
    "model.responded",
    "model.version",
    "response.id",
    "response.prev_id",
    "request.id",
    "model.fingerprint",
    "tool.name",
    "tool.call_id",
    "tool.type",
    "tool.desc",
    "agent.id",
    "agent.name",
    "agent.version",
    "workflow",
    "conversation",
    "session",
    "finish",
    "data_source",
    "prompt.name",
    "prompt.version",
    "error.type",
    "call.id",
    "server",
];

/// A key of the table, `{...}` standing for one or more characters.
struct Pattern {
    pieces: Vec<String>,
}

impl Pattern {
    fn new(key: &str) -> Pattern {
        let mut pieces = vec![String::new()];
        let mut inside = false;
        for c in key.chars() {
            match c {
                '{' => {
                    inside = true;
                    pieces.push(String::new());
                }
                '}' => inside = false,
                _ if inside => {}
                _ => pieces.last_mut().unwrap().push(c),
            }
        }
        Pattern { pieces }
    }

    fn matches(&self, key: &str) -> bool {
        let Some(mut rest) = key.strip_prefix(self.pieces[0].as_str()) else { return false };
        let [_, middle @ .., last] = self.pieces.as_slice() else { return rest.is_empty() };
        for piece in middle {
            // A wildcard is at least one character.
            let Some(at) = rest.char_indices().skip(1).find(|(i, _)| rest[*i..].starts_with(piece.as_str())) else { return false };
            rest = &rest[at.0 + piece.len()..];
        }
        !rest.is_empty() && rest.len() > last.len() && rest.ends_with(last.as_str())
    }
}

/// What must be sealed of some requests.
#[derive(Default)]
pub(crate) struct Truth {
    /// Promoted spans by trace and span id (hex).
    pub(crate) spans: BTreeMap<(String, String), SpanTruth>,
    /// Spans that must never appear.
    pub(crate) plain_spans: BTreeSet<(String, String)>,
    /// Promoted logs.
    pub(crate) logs: Vec<LogTruth>,
    /// Logs that must never appear.
    pub(crate) plain_logs: u64,
    /// Text that must not stand in any sealed line, with the key it came from.
    pub(crate) secrets: BTreeMap<String, String>,
    /// Text that stands in the clear by right.
    names: BTreeSet<String>,
}

/// A promoted span.
pub(crate) struct SpanTruth {
    pub(crate) from: String,
    pub(crate) name: String,
    pub(crate) fields: Vec<(&'static str, Expect)>,
    /// Indexes of span events that are records of their own.
    pub(crate) acts: Vec<usize>,
}

/// A promoted log.
pub(crate) struct LogTruth {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    /// SHA-256 of the `LogRecord` bytes as they were on the wire, hex.
    pub(crate) sha256: String,
}

/// What a member of a record must be.
#[derive(Debug)]
pub(crate) enum Expect {
    /// One of these; more than one where two dialects on one span disagree.
    OneOf(Vec<Value>),
    /// A person's pseudonym.
    Pseudonym,
}

impl Truth {
    /// Adds what one request must bring and returns how many records that is.
    pub(crate) fn read(&mut self, rules: &Rules, request: &Recorded) -> u64 {
        let from = request.file.display().to_string();
        match request.signal {
            Signal::Traces => {
                let message = if request.json {
                    serde_json::from_slice(&request.body).unwrap_or_else(|e| panic!("{from}: {e}"))
                } else {
                    ExportTraceServiceRequest::decode(request.body.as_slice()).unwrap()
                };
                self.traces(rules, &from, &message)
            }
            Signal::Logs => {
                assert!(!request.json, "{from}: add a reading of JSON logs");
                self.logs(rules, &request.body)
            }
            Signal::Metrics => 0,
        }
    }

    /// The same for spans in memory.
    pub(crate) fn traces(&mut self, rules: &Rules, from: &str, request: &ExportTraceServiceRequest) -> u64 {
        let mut promoted = 0;
        for span in request.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans) {
            let key = (hex::encode(&span.trace_id), hex::encode(&span.span_id));
            self.learn(rules, &span.attributes);
            self.names.insert(span.name.clone());
            span.events.iter().for_each(|e| self.learn(rules, &e.attributes));
            if let Some(status) = &span.status {
                self.hide("status", &status.message);
            }
            if !rules.span_is_promoted(span) {
                self.plain_spans.insert(key);
                continue;
            }
            let acts: Vec<usize> =
                span.events.iter().enumerate().filter(|(_, e)| ACTS.contains(&e.name.as_str())).map(|(i, _)| i).collect();
            promoted += 1 + acts.len() as u64;
            let truth = SpanTruth { from: from.to_owned(), name: span.name.clone(), fields: fields(&span.attributes), acts };
            assert!(self.spans.insert(key, truth).is_none(), "{from}: a span id twice; this truth has no rule for it");
        }
        promoted
    }

    fn logs(&mut self, rules: &Rules, body: &[u8]) -> u64 {
        let message = ExportLogsServiceRequest::decode(body).unwrap();
        let decoded = message.resource_logs.iter().flat_map(|r| &r.scope_logs).flat_map(|s| &s.log_records);
        let raw = raw_log_records(body);
        let mut promoted = 0;
        assert_eq!(decoded.clone().count(), raw.len());
        for (log, bytes) in decoded.zip(raw) {
            self.learn(rules, &log.attributes);
            if let Some(value) = log.body.as_ref().and_then(|b| b.value.as_ref()) {
                self.hide_value("body", value);
            }
            if !rules.log_is_promoted(log) {
                self.plain_logs += 1;
                continue;
            }
            promoted += 1;
            self.logs.push(LogTruth {
                trace_id: hex::encode(&log.trace_id),
                span_id: hex::encode(&log.span_id),
                sha256: hex::encode(Sha256::digest(bytes)),
            });
        }
        promoted
    }

    /// Sorts the strings of some attributes into what must be hidden and what may be said.
    fn learn(&mut self, rules: &Rules, attributes: &[KeyValue]) {
        for attribute in attributes {
            let Some(value) = any(attribute) else { continue };
            if rules.content_keys.iter().any(|p| p.matches(&attribute.key)) {
                self.hide_value(&attribute.key, value);
            } else if rules.name_keys.iter().any(|p| p.matches(&attribute.key)) || attribute.key.ends_with("document.id") {
                leaves(value, &mut |_, text| {
                    self.names.insert(text.to_owned());
                });
            } else if let Any::StringValue(text) = value {
                text.split(|c: char| c.is_whitespace() || "\"<>(),;:{}[]".contains(c)).filter(|w| is_mail(w)).for_each(|w| {
                    self.secrets.insert(w.to_owned(), attribute.key.clone());
                });
            }
        }
    }

    fn hide_value(&mut self, key: &str, value: &Any) {
        let mut found = Vec::new();
        leaves(value, &mut |name, text| {
            if STRUCTURE.contains(&name) {
                self.names.insert(text.to_owned());
            } else {
                found.push(text.to_owned());
            }
        });
        found.iter().for_each(|text| self.hide(key, text));
        if let Any::StringValue(text) = value {
            self.hide(key, text);
        }
    }

    fn hide(&mut self, key: &str, text: &str) {
        const SHORTEST: usize = 13;
        const WINDOW: usize = 40;
        let chars: Vec<char> = text.trim().chars().collect();
        if chars.len() < SHORTEST {
            return;
        }
        // A long text counts as leaked when a part of it is found.
        let middle = chars.len() / 2;
        for start in [0, middle.saturating_sub(WINDOW / 2), chars.len().saturating_sub(WINDOW)] {
            let part: String = chars.iter().skip(start).take(WINDOW).collect();
            self.secrets.insert(part, key.to_owned());
        }
    }

    /// The texts that must not occur, without those that are part of a name that may.
    pub(crate) fn hidden(&self) -> impl Iterator<Item = (&str, &str)> {
        let may = |text: &str| self.names.iter().any(|name| name.contains(text));
        self.secrets.iter().filter(move |(text, _)| !may(text)).map(|(text, key)| (text.as_str(), key.as_str()))
    }
}

fn is_mail(word: &str) -> bool {
    word.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
}

/// Members inside messages, tool definitions and raw provider requests that are names and numbers, not words of a person.
const STRUCTURE: [&str; 16] = [
    "id",
    "name",
    "type",
    "role",
    "model",
    "object",
    "finish_reason",
    "finishReason",
    "stop_reason",
    "tool_call_id",
    "toolCallId",
    "toolName",
    "call_id",
    "service_tier",
    "system_fingerprint",
    "status",
];

/// Every string inside a value, with the member it stands under; JSON inside strings is opened.
fn leaves(value: &Any, each: &mut dyn FnMut(&str, &str)) {
    fn of_any(name: &str, value: &AnyValue, each: &mut dyn FnMut(&str, &str)) {
        match &value.value {
            Some(Any::StringValue(text)) => of_text(name, text, each),
            Some(Any::ArrayValue(array)) => array.values.iter().for_each(|v| of_any(name, v, each)),
            Some(Any::KvlistValue(map)) => {
                map.values.iter().for_each(|kv| kv.value.iter().for_each(|v| of_any(&kv.key, v, each)));
            }
            _ => {}
        }
    }
    fn of_text(name: &str, text: &str, each: &mut dyn FnMut(&str, &str)) {
        match serde_json::from_str::<Value>(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_) | Value::String(_))) => of_json(name, &inner, each),
            _ => each(name, text),
        }
    }
    fn of_json(name: &str, value: &Value, each: &mut dyn FnMut(&str, &str)) {
        match value {
            Value::String(text) => of_text(name, text, each),
            Value::Array(values) => values.iter().for_each(|v| of_json(name, v, each)),
            Value::Object(map) => map.iter().for_each(|(k, v)| of_json(k, v, each)),
            _ => {}
        }
    }
    of_any("", &AnyValue { value: Some(value.clone()) }, each);
}

fn any(attribute: &KeyValue) -> Option<&Any> {
    attribute.value.as_ref().and_then(|v| v.value.as_ref())
}

fn string(attribute: &KeyValue) -> Option<&str> {
    match any(attribute) {
        Some(Any::StringValue(text)) => Some(text),
        _ => None,
    }
}

// ---- members of a record, for the two families that most libraries speak: OpenTelemetry GenAI (both shapes) and OpenInference ----

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

fn fields(attributes: &[KeyValue]) -> Vec<(&'static str, Expect)> {
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
    let kinds = [text("gen_ai.operation.name").and_then(|v| operation(&v)), text("openinference.span.kind").and_then(|v| span_kind(&v))];
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
    if text("user.id").is_some() {
        all.push(("actor.user_id", Expect::Pseudonym));
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

// ---- ids ----

/// `id` of a record: the first 16 bytes of SHA-256 over the canonical JSON of its four coordinates.
pub(crate) fn record_id(signal: &str, trace_id: &str, span_id: &str, ordinal: &str) -> String {
    // Four strings without a character that JSON escapes: canonical as it is.
    let preimage = json!([signal, trace_id, span_id, ordinal]).to_string();
    hex::encode(&Sha256::digest(preimage.as_bytes())[..16])
}

/// The ordinal of a log: an HMAC under the store's key over its label and the digest of its bytes.
pub(crate) fn log_ordinal(key: &[u8], sha256: &str) -> String {
    use hmac::{KeyInit as _, Mac as _};
    let mut mac = hmac::Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(json!(["log", sha256]).to_string().as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// The bytes of every `LogRecord` of a request, in order: fields 1, 2, 2 of the nested messages.
fn raw_log_records(request: &[u8]) -> Vec<&[u8]> {
    let mut messages = vec![request];
    for field in [1, 2, 2] {
        messages = messages.into_iter().flat_map(|message| length_delimited(message, field)).collect();
    }
    messages
}

fn length_delimited(mut message: &[u8], wanted: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        match tag & 7 {
            0 => drop(varint(&mut message)),
            1 => message = &message[8..],
            5 => message = &message[4..],
            2 => {
                let length = usize::try_from(varint(&mut message)).unwrap();
                let (value, rest) = message.split_at(length);
                message = rest;
                if tag >> 3 == wanted {
                    found.push(value);
                }
            }
            other => panic!("wire type {other}"),
        }
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first().unwrap();
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

mod checks {
    //! The truth is checked against what an outside hand wrote down, so that it cannot be wrong in the same way as the code.
    use super::*;

    /// The id of a span is that of the sample log that another implementation wrote.
    #[test]
    fn ids_agree_with_an_outside_implementation() {
        let id = record_id("span", "30cccc93df147169c2801a662fd1d0fc", "1fa399f938cecf2f", "0");
        assert_eq!(id, "1b6400ff075c0bdab72a2e973160f586");
    }

    /// The whole corpus can be read, and the counts are those of a third reading (a Python script over the same bodies).
    #[test]
    fn the_corpus_is_read_completely() {
        let rules = Rules::load();
        let mut truth = Truth::default();
        for request in super::super::captures::all().iter().flat_map(|c| &c.requests) {
            truth.read(&rules, request);
        }
        assert_eq!((truth.spans.len(), truth.plain_spans.len()), (982, 2271));
        assert_eq!((truth.logs.len() as u64, truth.plain_logs), (268, 279));
        assert_eq!(truth.spans.values().map(|s| s.acts.len()).sum::<usize>(), 0);
    }

    /// A pattern of the table matches its keys and nothing beside them.
    #[test]
    fn patterns_of_the_table_match_what_they_name() {
        let content = Pattern::new("llm.input_messages.{i}.message.content");
        assert!(content.matches("llm.input_messages.0.message.content"));
        assert!(content.matches("llm.input_messages.12.message.content"));
        assert!(!content.matches("llm.input_messages.0.message.content_type"));
        assert!(!content.matches("llm.input_messages..message.role"));
        let two = Pattern::new("a.{i}.b.{j}.c");
        assert!(two.matches("a.0.b.1.c") && !two.matches("a.0.b.c") && !two.matches("a.0.c"));
        assert!(Pattern::new("claude_code.{event}").matches("claude_code.api_request"));
        assert!(!Pattern::new("claude_code.{event}").matches("claude_code."));
    }
}
