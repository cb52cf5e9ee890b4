//! LangSmith: runs exported by its SDKs (`OTEL_ENABLED`). Inputs and outputs are whole JSON objects under semconv 1.26's `gen_ai.prompt` and
//! `gen_ai.completion`; its own run type is better than the operation name it derives from it (a retriever becomes `embeddings` there).
//! `langsmith.trace.session_id` is the project, never a conversation.

use super::{Look, Row, Says, Side, To, Words, later, row};
use crate::record::registry::{self as member, Kind, Member};

/// Attribute keys.
pub(super) const ROWS: &[Row] = &[
    row("langsmith.span.kind", To::KindOfNamed(KINDS)),
    row("langsmith.span.id", To::Keep),
    row("langsmith.span.parent_id", To::Keep),
    row("langsmith.span.dotted_order", To::Keep),
    row("langsmith.trace.id", To::Keep),
    row("langsmith.trace.name", To::Keep),
    row("langsmith.trace.session_id", To::Keep),
    row("langsmith.trace.session_name", To::Keep),
    later(6, "langsmith.request.streaming", To::Member(member::PARAMETERS_STREAM)),
    row("langsmith.request.headers", To::Withhold),
    later(6, "gen_ai.response.system_fingerprint", To::Member(member::MODEL_FINGERPRINT)),
    row("gen_ai.response.service_tier", To::Keep),
    row("gen_ai.serialized.name", To::Keep),
    // Metadata that LangChain writes itself.
    later(6, "langsmith.metadata.ls_provider", To::Provider),
    later(6, "langsmith.metadata.ls_model_name", To::RequestedModel),
    later(7, "langsmith.metadata.model_name", To::RequestedModel),
    row("langsmith.metadata.ls_model_type", To::Keep),
    later(6, "langsmith.metadata.ls_temperature", To::Fallback(member::PARAMETERS_TEMPERATURE)),
    later(6, "langsmith.metadata.ls_max_tokens", To::Fallback(member::PARAMETERS_MAX_TOKENS)),
    // Metadata of the application. The thread is the conversation.
    later(7, "langsmith.metadata.user_id", To::Carried(member::ACTOR_USER_ID)),
    later(7, "langsmith.metadata.session_id", To::Carried(member::ACTOR_SESSION_ID)),
    later(7, "langsmith.metadata.thread_id", To::Carried(member::ACTOR_CONVERSATION_ID)),
    // Usage.
    later(6, "langsmith.usage_metadata", To::Object(USAGE)),
    later(6, "gen_ai.usage.input_token_details", To::Object(INPUT_DETAILS)),
    later(6, "gen_ai.usage.output_token_details", To::Object(OUTPUT_DETAILS)),
    // The text of a decorated function, not of a call.
    row("gen_ai.serialized.doc", To::Side(Side::ToolDefinitions, Look::Whole)),
];

/// Values of `langsmith.span.kind`. To render a prompt or to parse an answer is no act of its own.
const KINDS: Words = &[
    ("llm", Says::Surely(Kind::Inference)),
    ("chain", Says::Surely(Kind::Workflow)),
    ("tool", Says::Surely(Kind::Tool)),
    ("retriever", Says::Surely(Kind::Retrieval)),
    ("embedding", Says::Surely(Kind::Embedding)),
    ("prompt", Says::Nothing),
    ("parser", Says::Nothing),
];

/// LangChain's `UsageMetadata`.
const USAGE: &[(&str, Member)] = &[
    ("input_tokens", member::USAGE_INPUT_TOKENS),
    ("output_tokens", member::USAGE_OUTPUT_TOKENS),
    ("total_tokens", member::USAGE_TOTAL_TOKENS),
    ("input_token_details.cache_read", member::USAGE_CACHE_READ_INPUT_TOKENS),
    ("input_token_details.cache_creation", member::USAGE_CACHE_WRITE_INPUT_TOKENS),
    ("output_token_details.reasoning", member::USAGE_REASONING_OUTPUT_TOKENS),
    ("total_cost", member::USAGE_COST),
];

/// Its input details alone.
const INPUT_DETAILS: &[(&str, Member)] =
    &[("cache_read", member::USAGE_CACHE_READ_INPUT_TOKENS), ("cache_creation", member::USAGE_CACHE_WRITE_INPUT_TOKENS)];

/// Its output details alone.
const OUTPUT_DETAILS: &[(&str, Member)] = &[("reasoning", member::USAGE_REASONING_OUTPUT_TOKENS)];
