//! The rule of promotion, and the table of dialects as data.
//!
//! Scope names and span names of that table are not read: a span is promoted for one of its own attribute keys or event names.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;

use super::values::string;

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
pub(super) const ACTS: [&str; 2] = ["gen_ai.evaluation.result", "ai_audit.review.completed"];

/// The rule of promotion and the keys that carry content, from the table of dialects.
pub(crate) struct Rules {
    detecting_keys: BTreeSet<String>,
    detecting_events: Vec<Pattern>,
    pub(super) content_keys: Vec<Pattern>,
    pub(super) name_keys: Vec<Pattern>,
}

impl Rules {
    /// Reads the table beside this file.
    pub(crate) fn load() -> Rules {
        let table: Value = serde_json::from_str(include_str!("../dialects.json")).unwrap();
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
        // A function's name, which its developer gave.
        rules.name_keys.push(Pattern::new("ai.telemetry.functionId"));
        rules.content_keys.extend(MORE_CONTENT.iter().map(|key| Pattern::new(key)));
        rules.content_keys.retain(|p| !NOT_CONTENT.iter().any(|key| p.pieces == Pattern::new(key).pieces));
        rules
    }

    pub(super) fn key_detects(&self, attribute: &KeyValue) -> bool {
        let key = attribute.key.as_str();
        PREFIXES.iter().any(|p| key.starts_with(p)) || (self.detecting_keys.contains(key) && condition_holds(key, attribute))
    }

    pub(super) fn event_detects(&self, name: &str) -> bool {
        PREFIXES.iter().any(|p| name.starts_with(p)) || self.detecting_events.iter().any(|p| p.matches(name))
    }

    pub(super) fn span_is_promoted(&self, span: &Span) -> bool {
        span.attributes.iter().any(|a| self.key_detects(a)) || span.events.iter().any(|e| self.event_detects(&e.name))
    }

    pub(super) fn log_is_promoted(&self, log: &LogRecord) -> bool {
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
const MORE_CONTENT: [&str; 44] = [
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
    "gen_ai.tool.input",
    "gen_ai.tool.output",
    "gen_ai.guardrail.input",
    "gen_ai.guardrail.output",
    "gen_ai.completion.{i}.function_call.arguments",
    "gen_ai.request.structured_output_schema",
    "llm.request.functions.{i}.description",
    "llm.request.functions.{i}.parameters",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "langfuse.trace.metadata.{key}",
    "langfuse.observation.metadata.{key}",
    "ai.schema",
    "ai.telemetry.metadata.{key}",
    "ai.request.headers.user-agent",
    "metadata",
    "metadata.user_agent",
    "llm.{provider}.tools",
    "traceloop.prompt.template",
    "tools",
];

/// Keys whose value is a person, however short.
pub(super) const PERSONS: [&str; 9] = [
    "user.id",
    "enduser.id",
    "gen_ai.user",
    "llm.user",
    "langfuse.user.id",
    "litellm.end_user.id",
    "traceloop.association.properties.user_id",
    "ai.telemetry.metadata.userId",
    "langsmith.metadata.user_id",
];

/// Members of JSON, in metadata and in parameters of a call, that name a person.
pub(super) const PERSON_MEMBERS: [&str; 9] =
    ["user", "user_id", "userId", "user_name", "username", "end_user", "end_user_id", "email", "user_api_key_end_user_id"];

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

/// A key of the table: `{i}` and `{j}` stand for a number, every other `{...}` for one or more characters.
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(PartialEq)]
enum Piece {
    Text(String),
    Number,
    Anything,
}

impl Pattern {
    pub(super) fn new(key: &str) -> Pattern {
        let mut pieces = Vec::new();
        let mut rest = key;
        while let Some((before, (name, after))) = rest.split_once('{').and_then(|(b, r)| Some((b, r.split_once('}')?))) {
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(if matches!(name, "i" | "j") { Piece::Number } else { Piece::Anything });
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Pattern { pieces }
    }

    pub(super) fn matches(&self, key: &str) -> bool {
        fits(&self.pieces, key)
    }
}

fn fits(pieces: &[Piece], key: &str) -> bool {
    match pieces {
        [] => key.is_empty(),
        [Piece::Text(text), rest @ ..] => key.strip_prefix(text.as_str()).is_some_and(|key| fits(rest, key)),
        [Piece::Number, rest @ ..] => {
            let digits = key.len() - key.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            digits > 0 && fits(rest, &key[digits..])
        }
        [Piece::Anything, rest @ ..] => {
            key.char_indices().skip(1).map(|(i, _)| i).chain([key.len()]).any(|i| i > 0 && fits(rest, &key[i..]))
        }
    }
}
