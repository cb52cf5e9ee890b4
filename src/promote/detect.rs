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

use super::dialects::coding_agents::{is_bare_event, is_claude_code_scope};
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

const MCP_METHODS: [&[u8]; 6] =
    [b"tools/call", b"prompts/get", b"resources/read", b"completion/complete", b"sampling/createMessage", b"elicitation/create"];

/// The prefix list of section 0, for attribute keys and event names alike.
#[inline]
pub(crate) fn prefix(key: &[u8]) -> Option<Dialect> {
    let (first, starts) = (*key.first()?, |p: &[u8]| key.starts_with(p));
    let dialect = match first {
        b'g' if starts(b"gen_ai.") => Dialect::OtelGenai,
        b'g' if starts(b"gcp.vertex.agent.") => Dialect::GoogleAdk,
        b'l' if starts(b"llm.") => Dialect::Openinference,
        b'l' if starts(b"langfuse.") => Dialect::Langfuse,
        b'o' if starts(b"openinference.") => Dialect::Openinference,
        b't' if starts(b"traceloop.") => Dialect::Traceloop,
        b'm' if starts(b"mlflow.") => Dialect::Mlflow,
        b'p' if starts(b"pydantic_ai.") => Dialect::PydanticAi,
        b'c' if starts(b"crewai.") => Dialect::Crewai,
        b'h' if starts(b"haystack.") => Dialect::Haystack,
        b'a' if starts(b"ai_audit.") || starts(b"ai.audit.") => Dialect::AiAudit,
        b'a' if starts(b"ai.") && is_vercel(key) => Dialect::VercelAi,
        _ => return None,
    };
    Some(dialect)
}

/// Vercel's keys below `ai.`, a prefix that Application Insights uses too.
fn is_vercel(key: &[u8]) -> bool {
    const OPEN: [&[u8]; 9] = [
        b"ai.model.",
        b"ai.prompt",
        b"ai.response.",
        b"ai.toolCall.",
        b"ai.usage.",
        b"ai.telemetry.",
        b"ai.settings.",
        b"ai.values",
        b"ai.embedding",
    ];
    key == b"ai.operationId" || OPEN.iter().any(|p| key.starts_with(p))
}

/// For each first byte the second bytes of keys that can prove anything, as bits of the letter's low five: a table and not a match,
/// because the keys of plain spans come in no order that a branch predictor could learn.
const SECOND: [u32; 256] = {
    const PAIRS: [&[u8; 2]; 25] = [
        b"ge", b"gc", b"ll", b"la", b"li", b"lm", b"op", b"tr", b"ty", b"ai", b"ag", b"aw", b"az", b"ml", b"mc", b"ma", b"sk", b"sp",
        b"br", b"cr", b"fl", b"ha", b"py", b"vo", b"we",
    ];
    let mut table = [0_u32; 256];
    let mut rest: &[&[u8; 2]] = &PAIRS;
    while let [[first, second], tail @ ..] = rest {
        #[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "a byte indexes 256 places")]
        {
            table[*first as usize] |= 1 << (*second & 31);
        }
        rest = tail;
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

/// The rows that are exact attribute keys.
#[inline]
pub(crate) fn row(key: &[u8]) -> Option<Proof> {
    let dialect = match key {
        b"gen_ai.event.start_time" => Dialect::AwsStrands,
        b"gen_ai.span.kind" => Dialect::Traceai,
        b"llm.request.type" => Dialect::Traceloop,
        b"litellm.call_id" => Dialect::Litellm,
        b"langsmith.span.kind" => Dialect::Langsmith,
        b"sk.available_functions" => Dialect::SemanticKernel,
        b"aws.agentcore.configbundle_arn" => Dialect::AwsAgentcore,
        b"ag2.span.type" => Dialect::Ag2,
        b"agentops.span.kind" => Dialect::Agentops,
        b"lmnr.span.type" => Dialect::Laminar,
        b"weave.eval.run_id" => Dialect::Weave,
        b"ag.type" | b"ag.node.name" => Dialect::Agenta,
        b"genkit:type" => Dialect::Genkit,
        b"voltagent.operation_id" => Dialect::Voltagent,
        b"triton.model_name" => Dialect::Triton,
        b"flue.tool.name" | b"flue.task.id" | b"flue.turn.input" => Dialect::Flue,
        b"braintrust.parent" => Dialect::Braintrust,
        b"mastra.span.type" => Dialect::Mastra,
        b"mcp.method.name" => return Some(Proof::If(Dialect::OtelMcp, Condition::McpMethod)),
        b"az.namespace" => return Some(Proof::If(Dialect::AzureAi, Condition::Cognitive)),
        b"operation.name" => return Some(Proof::If(Dialect::VercelAi, Condition::VercelOperation)),
        b"type" => return Some(Proof::If(Dialect::GuardrailsAi, Condition::GuardrailsGuard)),
        b"span.type" => return Some(Proof::If(Dialect::ClaudeCode, Condition::ClaudeCode)),
        _ => return None,
    };
    Some(Proof::Yes(dialect))
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

/// The rows and prefixes that are event names of logs.
fn log_event(name: &[u8]) -> Option<Dialect> {
    if name.starts_with(b"claude_code.") {
        return Some(Dialect::ClaudeCode);
    }
    if name.starts_with(b"codex.") {
        return Some(Dialect::Codex);
    }
    prefix(name)
}

/// The same below a scope: Claude Code leaves its name away where its scope has it.
fn log_event_of(scope_name: &[u8], name: &[u8]) -> Option<Dialect> {
    log_event(name).or_else(|| (is_bare_event(name) && is_claude_code_scope(scope_name)).then_some(Dialect::ClaudeCode))
}

impl Condition {
    /// Whether an attribute's value meets it.
    pub(crate) fn holds(self, value: &Value<'_>, claude_code: bool) -> bool {
        let Value::Text(text) = value else { return false };
        match self {
            Condition::McpMethod => MCP_METHODS.contains(text),
            Condition::Cognitive => *text == b"Microsoft.CognitiveServices",
            Condition::VercelOperation => text.starts_with(b"ai."),
            Condition::GuardrailsGuard => text.starts_with(b"guardrails/guard"),
            Condition::ClaudeCode => claude_code,
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
    is_claude_code_scope(scope_name) || name.is_some_and(|n| n.starts_with(b"claude_code."))
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
    let claude_code = (is_claude_code_scope(scope_name) || name.starts_with(b"claude_code.")).then_some(Dialect::ClaudeCode);
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
    text.starts_with(b"claude_code.") || text.starts_with(b"codex.")
}

#[cfg(test)]
mod tests;
