//! What becomes a record (`record.md` section 0), decided from keys alone: the path that most spans take and leave again.
//!
//! A span counts as AI exactly when one of its own attribute keys or event names is in the prefix list or is a `detect` row of the dialect
//! study. Its name and its scope's name never suffice; they only say who spoke (`source.dialects`). How the notes of those rows were read:
//!
//! - A condition on the value binds: `mcp.method.name`, `az.namespace`, `operation.name`, `type`, `span.type` (needs a scope or span name
//!   `claude_code.`). "also ..." adds a row.
//! - TRAP and "NOT proof" mean that the row alone never suffices: `logfire.msg`, the scope `opentelemetry.instrumentation.*`. Keys that the
//!   prefix list names all the same (`traceloop.*`, `langfuse.*`, `ai.operationId`) suffice by that list.
//! - A schema URL is a "weak hint only" and no key, event or name: never enough. Resource attributes never suffice.

use super::dialects::coding_agents::{CLAUDE_CODE_NAME, is_bare_event, is_claude_code_scope};
use super::dialects::{Dialect, Dialects};
use crate::otlp::view::{KeyValue, Value, key_of};
use crate::otlp::wire::{Field, Fields, Malformed, Message, Payload};

/// What a key proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing.
    No,
    /// AI, in this dialect.
    Yes(Dialect),
    /// AI if the value says so.
    If(Dialect, Condition),
}

/// Conditions that notes of the study put on a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// One of the MCP methods that touch a model.
    McpMethod,
    /// `Microsoft.CognitiveServices`
    Cognitive,
    /// Begins with `ai.`
    VercelOperation,
    /// Begins with `guardrails/guard`
    GuardrailsGuard,
    /// The scope or span name begins with `claude_code.`
    ClaudeCode,
}

/// What a condition asks of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Begins with this.
    Begins(&'static str),
    /// Any text, where the scope or the span is named so.
    Named,
}

const MCP_METHODS: &[&str] =
    &["tools/call", "prompts/get", "resources/read", "completion/complete", "sampling/createMessage", "elicitation/create"];

/// A list of beginnings that is both code for the hot path and data for whoever has to say it in other words ([`super::ottl`]): one cannot
/// drift from the other.
macro_rules! beginnings {
    ($($first:literal: $($begin:literal)+ => $dialect:ident,)+) => {
        /// The prefix list of section 0, for attribute keys and event names alike.
        pub(crate) const PREFIXES: &[(&str, Dialect)] = &[$($(($begin, Dialect::$dialect)),+),+];

        /// The dialect whose prefix a key or event name has.
        #[inline]
        pub(crate) fn prefix(key: &[u8]) -> Option<Dialect> {
            let (first, starts) = (*key.first()?, |p: &str| key.starts_with(p.as_bytes()));
            Some(match first {
                $($first if $(starts($begin))||+ => Dialect::$dialect,)+
                b'a' if key == VERCEL_OPERATION_ID.as_bytes() => Dialect::VercelAi,
                _ => return None,
            })
        }
    };
}

beginnings! {
    b'g': "gen_ai." => OtelGenai,
    b'g': "gcp.vertex.agent." => GoogleAdk,
    b'l': "llm." => Openinference,
    b'l': "langfuse." => Langfuse,
    b'o': "openinference." => Openinference,
    b't': "traceloop." => Traceloop,
    b'm': "mlflow." => Mlflow,
    b'p': "pydantic_ai." => PydanticAi,
    b'c': "crewai." => Crewai,
    b'h': "haystack." => Haystack,
    b'a': "ai_audit." "ai.audit." => AiAudit,
    // Vercel's keys below `ai.`, a prefix that Application Insights uses too.
    b'a': "ai.model." "ai.prompt" "ai.response." "ai.toolCall." "ai.usage." "ai.telemetry." "ai.settings." "ai.values" "ai.embedding"
        => VercelAi,
}

/// The one name of the prefix list that has to be met whole.
pub(crate) const VERCEL_OPERATION_ID: &str = "ai.operationId";

/// For each first byte the second bytes of keys that can prove anything, as bits of the letter's low five: a table and not a match,
/// because the keys of plain spans come in no order that a branch predictor could learn.
const SECOND: [u32; 256] = {
    const fn mark(mut table: [u32; 256], key: &str) -> [u32; 256] {
        if let [first, second, ..] = key.as_bytes() {
            #[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "a byte indexes 256 places")]
            {
                table[*first as usize] |= 1 << (*second & 31);
            }
        }
        table
    }
    let mut table = mark([0_u32; 256], VERCEL_OPERATION_ID);
    let mut prefixes: &[(&str, Dialect)] = PREFIXES;
    while let [(prefix, _), rest @ ..] = prefixes {
        table = mark(table, prefix);
        prefixes = rest;
    }
    let mut rows: &[(&str, Proof)] = ROWS;
    while let [(key, _), rest @ ..] = rows {
        table = mark(table, key);
        rows = rest;
    }
    table
};

/// What an attribute key proves.
#[inline(always)]
pub(crate) fn key(key: &[u8]) -> Proof {
    // Plain spans are full of http., net., db., server., url.: two bytes turn most of them away.
    let [first, second, ..] = key else { return Proof::No };
    let maybe = SECOND.get(usize::from(*first)).is_some_and(|seconds| seconds >> (second & 31) & 1 != 0);
    if maybe { proof_of(key) } else { Proof::No }
}

#[inline(never)]
fn proof_of(key: &[u8]) -> Proof {
    row(key).unwrap_or_else(|| prefix(key).map_or(Proof::No, Proof::Yes))
}

/// The rows that are exact attribute keys, in the same two forms.
macro_rules! rows {
    ($($($key:literal)+ => $proof:expr,)+) => {
        /// The rows that are exact attribute keys.
        pub(crate) const ROWS: &[(&str, Proof)] = &[$($(($key, $proof)),+),+];

        /// What an exact attribute key proves.
        #[inline]
        pub(crate) fn row(key: &[u8]) -> Option<Proof> {
            // Bytes of a text compare as quickly as the text.
            let key = std::str::from_utf8(key).ok()?;
            Some(match key {
                $($($key)|+ => $proof,)+
                _ => return None,
            })
        }
    };
}

rows! {
    "gen_ai.event.start_time" => Proof::Yes(Dialect::AwsStrands),
    "gen_ai.span.kind" => Proof::Yes(Dialect::Traceai),
    "llm.request.type" => Proof::Yes(Dialect::Traceloop),
    "litellm.call_id" => Proof::Yes(Dialect::Litellm),
    "langsmith.span.kind" => Proof::Yes(Dialect::Langsmith),
    "sk.available_functions" => Proof::Yes(Dialect::SemanticKernel),
    "aws.agentcore.configbundle_arn" => Proof::Yes(Dialect::AwsAgentcore),
    "ag2.span.type" => Proof::Yes(Dialect::Ag2),
    "agentops.span.kind" => Proof::Yes(Dialect::Agentops),
    "lmnr.span.type" => Proof::Yes(Dialect::Laminar),
    "weave.eval.run_id" => Proof::Yes(Dialect::Weave),
    "ag.type" "ag.node.name" => Proof::Yes(Dialect::Agenta),
    "genkit:type" => Proof::Yes(Dialect::Genkit),
    "voltagent.operation_id" => Proof::Yes(Dialect::Voltagent),
    "triton.model_name" => Proof::Yes(Dialect::Triton),
    "flue.tool.name" "flue.task.id" "flue.turn.input" => Proof::Yes(Dialect::Flue),
    "braintrust.parent" => Proof::Yes(Dialect::Braintrust),
    "mastra.span.type" => Proof::Yes(Dialect::Mastra),
    "mcp.method.name" => Proof::If(Dialect::OtelMcp, Condition::McpMethod),
    "az.namespace" => Proof::If(Dialect::AzureAi, Condition::Cognitive),
    "operation.name" => Proof::If(Dialect::VercelAi, Condition::VercelOperation),
    "type" => Proof::If(Dialect::GuardrailsAi, Condition::GuardrailsGuard),
    "span.type" => Proof::If(Dialect::ClaudeCode, Condition::ClaudeCode),
}

/// The rows that are scope names.
fn scope(name: &[u8]) -> Option<Dialect> {
    Some(match name {
        b"langfuse-sdk" => Dialect::Langfuse,
        b"pydantic-ai" => Dialect::PydanticAi,
        b"ai" => Dialect::VercelAi,
        b"litellm" => Dialect::Litellm,
        b"langsmith" => Dialect::Langsmith,
        b"gcp.vertex.agent" => Dialect::GoogleAdk,
        b"agent_framework" => Dialect::MsAgentFramework,
        b"strands.telemetry.tracer" => Dialect::AwsStrands,
        b"guardrails-ai" => Dialect::GuardrailsAi,
        // The first by its newer engine, the second the default of the older one.
        b"nemo-guardrails" | b"nemo_guardrails" => Dialect::NemoGuardrails,
        b"Agent365Sdk" => Dialect::MsA365,
        b"livekit-agents" => Dialect::Livekit,
        b"weave.conversation" | b"weave.trace_server" => Dialect::Weave,
        // Spans that Logfire makes itself, and those of its own instrumentations (`logfire.openai`).
        b"logfire" => Dialect::Logfire,
        _ if name.starts_with(b"logfire.") => Dialect::Logfire,
        // Its scopes are names of its modules.
        _ if name.starts_with(b"semantic_kernel.") => Dialect::SemanticKernel,
        _ if name.starts_with(b"openinference.instrumentation.") => Dialect::Openinference,
        _ => return None,
    })
}

/// The rows that are span names.
fn span_name(name: &[u8]) -> Option<Dialect> {
    Some(match name {
        b"haystack.component.run" | b"haystack.pipeline.run" | b"haystack.agent.run" => Dialect::Haystack,
        b"llm_request" => Dialect::Vllm,
        b"guardrails.request" | b"guardrails.rail" | b"guardrails.action" => Dialect::NemoGuardrails,
        _ => return None,
    })
}

/// Beginnings of the names of coding agents' log events.
pub(crate) const AGENT_EVENTS: [(&str, Dialect); 2] = [(CLAUDE_CODE_NAME, Dialect::ClaudeCode), ("codex.", Dialect::Codex)];

fn agent_event(name: &[u8]) -> Option<Dialect> {
    AGENT_EVENTS.iter().find(|(begin, _)| name.starts_with(begin.as_bytes())).map(|(_, dialect)| *dialect)
}

/// The rows and prefixes that are event names of logs.
fn log_event(name: &[u8]) -> Option<Dialect> {
    agent_event(name).or_else(|| prefix(name))
}

/// The same below a scope: Claude Code leaves its name away where its scope has it.
fn log_event_of(scope_name: &[u8], name: &[u8]) -> Option<Dialect> {
    log_event(name).or_else(|| (is_bare_event(name) && is_claude_code_scope(scope_name)).then_some(Dialect::ClaudeCode))
}

impl Condition {
    /// What it asks of an attribute's value, which has to be a text.
    pub(crate) fn asks(self) -> Asks {
        match self {
            Condition::McpMethod => Asks::OneOf(MCP_METHODS),
            Condition::Cognitive => Asks::OneOf(&["Microsoft.CognitiveServices"]),
            Condition::VercelOperation => Asks::Begins("ai."),
            Condition::GuardrailsGuard => Asks::Begins("guardrails/guard"),
            Condition::ClaudeCode => Asks::Named,
        }
    }

    /// Whether an attribute's value meets it.
    pub(crate) fn holds(self, value: &Value<'_>, claude_code: bool) -> bool {
        let Value::Text(text) = value else { return false };
        match self.asks() {
            Asks::OneOf(texts) => texts.iter().any(|one| one.as_bytes() == *text),
            Asks::Begins(begin) => text.starts_with(begin.as_bytes()),
            Asks::Named => claude_code,
        }
    }
}

/// A key of a `KeyValue`, at the price of a few compares where it is encoded as every SDK encodes it: key, then value, then the end.
#[inline(always)]
pub(super) fn quick_key(pair: &[u8]) -> Result<&[u8], Malformed> {
    if let [0x0a, length @ 0..=0x7f, rest @ ..] = pair
        && let Some((key, rest)) = rest.split_at_checked(usize::from(*length))
    {
        match rest {
            [0x12, length @ 0..=0x7f, rest @ ..] if rest.len() == usize::from(*length) => return Ok(key),
            [0x12, low @ 0x80..=0xff, high @ 0..=0x7f, rest @ ..] if rest.len() == usize::from(*low & 0x7f) | usize::from(*high) << 7 => {
                return Ok(key);
            }
            _ => {}
        }
    }
    key_of(pair)
}

/// Takes one field off a message in the encoding that SDKs write: a one-byte tag, lengths of one or two bytes. Anything else is left to
/// the general reader, which costs more and knows everything.
#[inline(always)]
fn quick_field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    match bytes {
        [tag, length @ 0..=0x7f, rest @ ..] if tag & 0x87 == 2 && *tag > 7 => {
            let (value, rest) = rest.split_at_checked(usize::from(*length))?;
            Some((tag >> 3, value, rest))
        }
        [tag, low @ 0x80..=0xff, high @ 0..=0x7f, rest @ ..] if tag & 0x87 == 2 && *tag > 7 => {
            let (value, rest) = rest.split_at_checked(usize::from(*low & 0x7f) | usize::from(*high) << 7)?;
            Some((tag >> 3, value, rest))
        }
        // Times and enums: nothing to look at.
        [tag, _, _, _, _, _, _, _, _, rest @ ..] if tag & 0x87 == 1 && *tag > 7 => Some((0, b"", rest)),
        [tag, 0..=0x7f, rest @ ..] if tag & 0x87 == 0 && *tag > 7 => Some((0, b"", rest)),
        _ => None,
    }
}

/// Whether a span is AI by itself.
pub(crate) fn is_ai_span(span: &[u8], scope_name: &[u8], enabled: Dialects) -> Result<bool, Malformed> {
    let mut rest = span;
    while let Some((number, bytes, after)) = quick_field(rest) {
        rest = after;
        if matches!(number, 9 | 11) && field_proves(number, bytes, span, scope_name, enabled)? {
            return Ok(true);
        }
    }
    if rest.is_empty() { Ok(false) } else { is_ai_slowly(rest, span, scope_name, enabled) }
}

/// The rest of a span that is encoded in a way that only the general reader follows.
#[cold]
fn is_ai_slowly(rest: &[u8], span: &[u8], scope_name: &[u8], enabled: Dialects) -> Result<bool, Malformed> {
    for field in Fields::new(rest) {
        let Field { number: number @ (9 | 11), value: Payload::Bytes(bytes) } = field? else { continue };
        if field_proves(u8::try_from(number).unwrap_or(0), bytes, span, scope_name, enabled)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether one field of a span (an attribute, an event) proves that it is AI.
#[inline]
fn field_proves(number: u8, bytes: &[u8], span: &[u8], scope_name: &[u8], enabled: Dialects) -> Result<bool, Malformed> {
    let proof = match number {
        9 => match key(quick_key(bytes)?) {
            Proof::If(dialect, condition) => {
                let by_name = condition == Condition::ClaudeCode && names_claude_code(span, scope_name);
                if condition.holds(&KeyValue::read(bytes)?.value()?, by_name) { Proof::Yes(dialect) } else { Proof::No }
            }
            proof => proof,
        },
        11 => event_name(bytes)?.and_then(prefix).map_or(Proof::No, Proof::Yes),
        _ => Proof::No,
    };
    Ok(matches!(proof, Proof::Yes(dialect) if enabled.has(dialect)))
}

/// Whether the scope or the span itself is named as Claude Code names them.
fn names_claude_code(span: &[u8], scope_name: &[u8]) -> bool {
    let name = Fields::new(span).filter_map(Result::ok).filter(|f| f.number == 5).filter_map(|f| f.bytes()).last();
    is_claude_code_scope(scope_name) || name.is_some_and(|n| n.starts_with(CLAUDE_CODE_NAME.as_bytes()))
}

fn event_name(event: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut name = None;
    for field in Fields::new(event) {
        if let Field { number: 2, value: Payload::Bytes(bytes) } = field? {
            name = Some(bytes);
        }
    }
    Ok(name)
}

/// The dialects that the names of a span and of its scope prove.
pub(crate) fn names(scope_name: &[u8], name: &[u8]) -> Dialects {
    let mut all = Dialects::default();
    let claude_code = (is_claude_code_scope(scope_name) || name.starts_with(CLAUDE_CODE_NAME.as_bytes())).then_some(Dialect::ClaudeCode);
    for dialect in [scope(scope_name), span_name(name), claude_code].into_iter().flatten() {
        all.add(dialect);
    }
    all
}

/// Whether a log record is AI: by a key, or by its event name in any of the places where it is put.
pub(crate) fn is_ai_log(log: &[u8], scope_name: &[u8], enabled: Dialects) -> Result<bool, Malformed> {
    // A name that is sent again counts last, a body in pieces counts as a whole: both are looked at when all is read.
    let mut event_name: &[u8] = b"";
    let mut body = Message::default();
    for field in Fields::new(log) {
        let Field { number, value: Payload::Bytes(bytes) } = field? else { continue };
        let dialect = match number {
            6 => match quick_key(bytes)? {
                b"event.name" => match KeyValue::read(bytes)?.value()? {
                    Value::Text(name) => log_event_of(scope_name, name),
                    _ => None,
                },
                name => match key(name) {
                    Proof::Yes(dialect) => Some(dialect),
                    Proof::If(dialect, condition) => {
                        let by_scope = is_claude_code_scope(scope_name);
                        condition.holds(&KeyValue::read(bytes)?.value()?, by_scope).then_some(dialect)
                    }
                    Proof::No => None,
                },
            },
            5 => {
                body.merge(bytes);
                continue;
            }
            12 => {
                event_name = bytes;
                continue;
            }
            _ => continue,
        };
        if dialect.is_some_and(|d| enabled.has(d)) {
            return Ok(true);
        }
    }
    let by_name = log_event_of(scope_name, event_name);
    // Coding agents put the event's name into the body.
    let by_body = match Value::read(&body)? {
        Value::Text(body) if is_coding_agent_event(body) => log_event(body),
        _ => None,
    };
    Ok([by_name, by_body].into_iter().flatten().any(|dialect| enabled.has(dialect)))
}

/// The dialects that the scope and the event name of a log prove.
pub(crate) fn names_of_log(scope_name: &[u8], name: &[u8]) -> Dialects {
    let mut all = names(scope_name, b"");
    all.join(log_event(name).into_iter().collect());
    all
}

/// Whether a text is the full name of a coding agent's log event.
pub(crate) fn is_coding_agent_event(text: &[u8]) -> bool {
    agent_event(text).is_some()
}

#[cfg(test)]
mod tests;
