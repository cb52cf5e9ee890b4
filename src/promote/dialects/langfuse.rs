//! Langfuse: what its SDKs (3 to 5, which are OpenTelemetry) write on a span of their own. Input and output are JSON texts, usage and cost
//! JSON objects with the provider's names or Langfuse's, and from 5 on every value of metadata is JSON, strings included.
//!
//! `langfuse.observation.model.name` is the model that answered where an integration knows it, else the one that was asked for.

use super::{Look, Row, Says, Side, To, Words, later, row};
use crate::record::registry::{self as member, Kind, Member};

use Look::{Messages, Whole};

/// Attribute keys.
pub(super) const ROWS: &[Row] = &[
    row("langfuse.observation.type", To::KindOfNamed(KINDS)),
    later(6, "langfuse.observation.model.name", To::ResponseModel),
    later(6, "langfuse.observation.model.parameters", To::Invocation),
    later(6, "langfuse.observation.usage_details", To::Object(USAGE)),
    later(6, "langfuse.observation.cost_details", To::Object(COST)),
    later(6, "langfuse.observation.completion_start_time", To::FirstChunkAt),
    // The OpenAI integration has no other place for it.
    later(6, "langfuse.observation.metadata.finish_reason", To::Json(&To::Member(member::OUTPUT_FINISH_REASONS))),
    later(6, "langfuse.observation.prompt.name", To::Member(member::PROMPT_NAME)),
    later(6, "langfuse.observation.prompt.version", To::Member(member::PROMPT_VERSION)),
    later(7, "langfuse.prompt.name", To::Member(member::PROMPT_NAME)),
    later(7, "langfuse.prompt.version", To::Member(member::PROMPT_VERSION)),
    row("langfuse.observation.level", To::Level),
    // Since version 3 `user.id` and `session.id`; these still come from clients that speak OTLP without the SDK.
    later(5, "langfuse.user.id", To::Member(member::ACTOR_USER_ID)),
    later(5, "langfuse.session.id", To::Member(member::ACTOR_SESSION_ID)),
    row("langfuse.trace.name", To::Keep),
    row("langfuse.trace.public", To::KeepNumber),
    row("langfuse.release", To::Keep),
    row("langfuse.version", To::Keep),
    row("langfuse.environment", To::Keep),
    row("langfuse.internal.is_app_root", To::KeepNumber),
    row("langfuse.internal.as_root", To::KeepNumber),
    // What was said.
    row("langfuse.observation.input", To::Side(Side::Input, Messages)),
    row("langfuse.observation.output", To::Side(Side::Output, Whole)),
    row("langfuse.trace.input", To::Side(Side::Input, Messages)),
    row("langfuse.trace.output", To::Side(Side::Output, Whole)),
    row("langfuse.observation.status_message", To::Side(Side::ErrorMessage, Whole)),
];

/// Values of `langfuse.observation.type`. A span is any step, AI or not; an event a point in time.
const KINDS: Words = &[
    ("generation", Says::Surely(Kind::Inference)),
    ("embedding", Says::Surely(Kind::Embedding)),
    ("agent", Says::Surely(Kind::Agent)),
    ("tool", Says::Surely(Kind::Tool)),
    ("chain", Says::Surely(Kind::Workflow)),
    ("retriever", Says::Surely(Kind::Retrieval)),
    ("guardrail", Says::Surely(Kind::Guardrail)),
    ("evaluator", Says::Surely(Kind::Evaluation)),
    ("span", Says::Nothing),
    ("event", Says::Nothing),
];

/// Usage in the spellings of OpenAI's two interfaces, of Anthropic and of Langfuse itself.
const USAGE: &[(&str, Member)] = &[
    ("input", member::USAGE_INPUT_TOKENS),
    ("prompt_tokens", member::USAGE_INPUT_TOKENS),
    ("input_tokens", member::USAGE_INPUT_TOKENS),
    ("output", member::USAGE_OUTPUT_TOKENS),
    ("completion_tokens", member::USAGE_OUTPUT_TOKENS),
    ("output_tokens", member::USAGE_OUTPUT_TOKENS),
    ("total", member::USAGE_TOTAL_TOKENS),
    ("total_tokens", member::USAGE_TOTAL_TOKENS),
    ("input_cached_tokens", member::USAGE_CACHE_READ_INPUT_TOKENS),
    ("cache_read_input_tokens", member::USAGE_CACHE_READ_INPUT_TOKENS),
    ("prompt_tokens_details.cached_tokens", member::USAGE_CACHE_READ_INPUT_TOKENS),
    ("input_tokens_details.cached_tokens", member::USAGE_CACHE_READ_INPUT_TOKENS),
    ("cache_creation_input_tokens", member::USAGE_CACHE_WRITE_INPUT_TOKENS),
    ("output_reasoning_tokens", member::USAGE_REASONING_OUTPUT_TOKENS),
    ("completion_tokens_details.reasoning_tokens", member::USAGE_REASONING_OUTPUT_TOKENS),
    ("output_tokens_details.reasoning_tokens", member::USAGE_REASONING_OUTPUT_TOKENS),
];

/// Cost. A sum that was not sent is not made: the parts may be a selection.
const COST: &[(&str, Member)] = &[("total", member::USAGE_COST)];
