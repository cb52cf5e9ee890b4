//! OpenLLMetry (Traceloop): decorators of the SDK (`traceloop.*`) and the instrumentations' own keys. Up to 0.57 a client's call is
//! `llm.*` with indexed messages (`gen_ai.prompt.0.content`); since then it is OpenTelemetry's JSON shape with a few keys beside it.
//! Some packages still emit the indexed shape today (ollama and vertexai at 0.62), and LiteLLM copied keys of it.

use super::{Families, Family, Look, Row, Says, Side, To, Words, later, row};
use crate::record::registry::{self as member, Kind};

use Look::Whole;

/// Attribute keys.
pub(super) const ROWS: &[Row] = &[
    row("traceloop.span.kind", To::Kind(KINDS)),
    later(1, "llm.request.type", To::Kind(REQUEST_TYPES)),
    row("traceloop.entity.name", To::Entity(&[Kind::Tool, Kind::Agent])),
    row("traceloop.entity.path", To::Keep),
    // The version of the decorated function, as the decorator says it.
    row("traceloop.entity.version", To::Keep),
    later(3, "traceloop.workflow.name", To::Member(member::ACTOR_WORKFLOW)),
    row("gen_ai.task.id", To::Keep),
    row("gen_ai.task.name", To::Keep),
    row("gen_ai.task.kind", To::Keep),
    row("gen_ai.task.status", To::Keep),
    row("gen_ai.task.parent.id", To::Keep),
    // Persons and conversations: `gen_ai.user` is what the call names, association properties are the application's.
    later(4, "gen_ai.user", To::Member(member::ACTOR_USER_ID)),
    later(5, "llm.user", To::Member(member::ACTOR_USER_ID)),
    later(7, "traceloop.association.properties.user_id", To::Carried(member::ACTOR_USER_ID)),
    later(7, "traceloop.association.properties.session_id", To::Carried(member::ACTOR_SESSION_ID)),
    later(7, "traceloop.association.properties.chat_id", To::Carried(member::ACTOR_CONVERSATION_ID)),
    later(7, "traceloop.association.properties.thread_id", To::Carried(member::ACTOR_CONVERSATION_ID)),
    // Parameters.
    later(3, "gen_ai.is_streaming", To::Member(member::PARAMETERS_STREAM)),
    later(4, "llm.is_streaming", To::Member(member::PARAMETERS_STREAM)),
    later(4, "llm.frequency_penalty", To::Member(member::PARAMETERS_FREQUENCY_PENALTY)),
    later(4, "llm.presence_penalty", To::Member(member::PARAMETERS_PRESENCE_PENALTY)),
    later(4, "llm.top_k", To::Member(member::PARAMETERS_TOP_K)),
    later(4, "llm.chat.stop_sequences", To::Member(member::PARAMETERS_STOP_SEQUENCES)),
    later(3, "gen_ai.request.reasoning_effort", To::Member(member::PARAMETERS_REASONING_LEVEL)),
    later(4, "llm.request.reasoning_effort", To::Member(member::PARAMETERS_REASONING_LEVEL)),
    later(3, "gen_ai.request.n", To::Member(member::PARAMETERS_CHOICE_COUNT)),
    later(3, "gen_ai.request.max_completion_tokens", To::Member(member::PARAMETERS_MAX_TOKENS)),
    row("gen_ai.openai.api_version", To::Keep),
    row("gen_ai.openai.api_type", To::Keep),
    // The answer.
    later(3, "gen_ai.openai.system_fingerprint", To::Member(member::MODEL_FINGERPRINT)),
    later(4, "llm.usage.total_tokens", To::Member(member::USAGE_TOTAL_TOKENS)),
    later(3, "gen_ai.usage.reasoning_tokens", To::Member(member::USAGE_REASONING_OUTPUT_TOKENS)),
    later(4, "llm.usage.reasoning_tokens", To::Member(member::USAGE_REASONING_OUTPUT_TOKENS)),
    later(3, "gen_ai.response.finish_reason", To::Member(member::OUTPUT_FINISH_REASONS)),
    later(4, "gen_ai.response.stop_reason", To::Member(member::OUTPUT_FINISH_REASONS)),
    later(4, "llm.response.finish_reason", To::Member(member::OUTPUT_FINISH_REASONS)),
    later(4, "llm.response.stop_reason", To::Member(member::OUTPUT_FINISH_REASONS)),
    // Prompts of Traceloop's registry. The hash is of the version there, not of what was rendered from it.
    later(3, "traceloop.prompt.key", To::Member(member::PROMPT_NAME)),
    later(3, "traceloop.prompt.version", To::Member(member::PROMPT_VERSION)),
    later(3, "traceloop.prompt.version_hash", To::Member(member::PROMPT_TEMPLATE_HASH)),
    later(4, "traceloop.prompt.template", To::Template),
    row("traceloop.prompt.managed", To::KeepNumber),
    row("traceloop.prompt.version_name", To::Keep),
    // Guardrails of the SDK.
    later(3, "gen_ai.guardrail.name", To::Means(Kind::Guardrail, member::GUARDRAIL_NAME)),
    later(3, "gen_ai.guardrail.status", To::Means(Kind::Guardrail, member::GUARDRAIL_OUTCOME)),
    later(4, "gen_ai.guardrail.error.type", To::Fallback(member::ERROR_TYPE)),
    row("gen_ai.guardrail.duration", To::KeepNumber),
    row("gen_ai.guardrail.guard_count", To::KeepNumber),
    row("gen_ai.guardrail.failed_guard_count", To::KeepNumber),
    // Vector stores.
    later(3, "db.vector.query.top_k", To::Member(member::RETRIEVAL_TOP_K)),
    // What was said.
    row("traceloop.entity.input", To::Side(Side::Input, Whole)),
    row("traceloop.entity.output", To::Side(Side::Output, Whole)),
    row("gen_ai.task.input", To::Side(Side::Input, Whole)),
    row("gen_ai.task.output", To::Side(Side::Output, Whole)),
    row("gen_ai.tool.input", To::Side(Side::ToolArguments, Whole)),
    row("gen_ai.tool.output", To::Side(Side::ToolResult, Whole)),
    row("gen_ai.guardrail.input", To::Side(Side::Input, Whole)),
    row("gen_ai.guardrail.output", To::Side(Side::Output, Whole)),
    row("gen_ai.guardrail.error.message", To::Side(Side::ErrorMessage, Whole)),
];

/// Indexed keys. `gen_ai.prompt` without an index is semconv 1.26's, `gen_ai.prompt.name` and its like are OpenTelemetry's of today.
pub(super) const FAMILIES: Families = &[
    ("gen_ai.prompt", Family::Side(Side::Input)),
    ("gen_ai.completion", Family::Side(Side::Output)),
    ("llm.request.functions", Family::Side(Side::ToolDefinitions)),
];

/// Values of `traceloop.span.kind`. A task is a step of a workflow; what it did, `gen_ai.operation.name` says.
const KINDS: Words = &[
    ("workflow", Says::Surely(Kind::Workflow)),
    ("agent", Says::Surely(Kind::Agent)),
    ("tool", Says::Surely(Kind::Tool)),
    ("task", Says::Vaguely(Kind::Workflow)),
    ("unknown", Says::Nothing),
];

/// Values of `llm.request.type`, the operation's name up to 0.53.
const REQUEST_TYPES: Words = &[
    ("chat", Says::Vaguely(Kind::Inference)),
    ("completion", Says::Vaguely(Kind::Inference)),
    ("embedding", Says::Vaguely(Kind::Embedding)),
    ("rerank", Says::Vaguely(Kind::Rerank)),
    ("unknown", Says::Nothing),
];

/// Events of vector stores, one a document found.
pub(crate) fn document_of_event(event: &[u8]) -> Option<&'static [u8]> {
    match event {
        b"db.query.result" => Some(b"db.query.result."),
        b"db.search.result" => Some(b"db.search.result."),
        _ => None,
    }
}
