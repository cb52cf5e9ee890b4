//! LiteLLM: its callback for OpenTelemetry. Version 1, the default, writes OpenTelemetry's and OpenLLMetry's keys beside `metadata.*`,
//! `gen_ai.cost.*` and, on a child span, the raw request and answer as `llm.<provider>.<parameter>`; version 2 (`LITELLM_OTEL_V2`) has
//! `litellm.*` for what OpenTelemetry does not name. Costs are US dollars by its documentation, but nothing on the span says so.

use super::{Families, Family, Look, Row, Says, Side, To, Words, later, row};
use crate::record::registry::{self as member, Kind};

use Look::{Messages, Whole};

/// Attribute keys.
pub(super) const ROWS: &[Row] = &[
    row("litellm.call_id", To::Keep),
    later(1, "litellm.call_type", To::Kind(CALL_TYPES)),
    // The model string that was sent, with the provider before it; `gen_ai.request.model` is what the caller asked for.
    row("litellm.provider.model", To::Keep),
    row("litellm.model_group", To::Keep),
    later(3, "litellm.request.streaming", To::Member(member::PARAMETERS_STREAM)),
    later(3, "litellm.cache_hit", To::Member(member::OUTPUT_FROM_CACHE)),
    later(3, "litellm.cost.total", To::Member(member::USAGE_COST)),
    row("litellm.cost.input", To::KeepNumber),
    row("litellm.cost.output", To::KeepNumber),
    row("litellm.cost.guardrail", To::KeepNumber),
    later(3, "litellm.end_user.id", To::Member(member::ACTOR_USER_ID)),
    row("litellm.team.id", To::Keep),
    row("litellm.preprocessing.duration_ms", To::KeepNumber),
    later(3, "litellm.provider.error.code", To::Member(member::ERROR_CODE)),
    row("litellm.provider.error.llm_provider", To::Keep),
    row("litellm.provider.error.stack_trace", To::Side(Side::Stacktrace, Whole)),
    row("litellm.request.tools.declared", To::Side(Side::ToolDefinitions, Whole)),
    // Guardrails of version 2.
    later(3, "litellm.guardrail.id", To::Means(Kind::Guardrail, member::GUARDRAIL_ID)),
    later(3, "litellm.guardrail.name", To::Means(Kind::Guardrail, member::GUARDRAIL_NAME)),
    later(3, "litellm.guardrail.status", To::Means(Kind::Guardrail, member::GUARDRAIL_OUTCOME)),
    later(3, "litellm.guardrail.risk_score", To::Means(Kind::Guardrail, member::GUARDRAIL_SCORE)),
    later(3, "litellm.guardrail.violation_categories", To::Means(Kind::Guardrail, member::GUARDRAIL_CATEGORIES)),
    // How sure the guardrail was of its verdict, which is nobody's confidence in a decision.
    row("litellm.guardrail.confidence_score", To::KeepNumber),
    row("litellm.guardrail.response", To::Side(Side::Output, Whole)),
    row("litellm.guardrail.mode", To::Keep),
    row("litellm.guardrail.provider", To::Keep),
    row("litellm.guardrail.action", To::Keep),
    row("litellm.guardrail.masked_entity_count", To::KeepNumber),
    row("litellm.guardrail.policy_template", To::Keep),
    row("litellm.guardrail.detection_method", To::Keep),
    row("litellm.guardrail.duration", To::KeepNumber),
    row("litellm.guardrail.cost_in_spend", To::KeepNumber),
    // Guardrails of version 1.
    later(4, "guardrail_name", To::Means(Kind::Guardrail, member::GUARDRAIL_NAME)),
    later(4, "guardrail_status", To::Means(Kind::Guardrail, member::GUARDRAIL_OUTCOME)),
    row("guardrail_mode", To::Keep),
    row("guardrail_response", To::Side(Side::Output, Whole)),
    // Cost of version 1.
    later(4, "gen_ai.cost.total_cost", To::Member(member::USAGE_COST)),
    row("gen_ai.cost.input_cost", To::KeepNumber),
    row("gen_ai.cost.output_cost", To::KeepNumber),
    row("gen_ai.cost.tool_usage_cost", To::KeepNumber),
    row("gen_ai.cost.cache_read_cost", To::KeepNumber),
    row("gen_ai.cost.cache_creation_cost", To::KeepNumber),
    row("gen_ai.cost.reasoning_cost", To::KeepNumber),
    row("gen_ai.cost.original_cost", To::KeepNumber),
    row("gen_ai.cost.discount_percent", To::KeepNumber),
    row("gen_ai.cost.discount_amount", To::KeepNumber),
    row("gen_ai.cost.margin_percent", To::KeepNumber),
    row("gen_ai.cost.margin_fixed_amount", To::KeepNumber),
    row("gen_ai.cost.margin_total_amount", To::KeepNumber),
    // Langtrace's spelling, which it writes too.
    later(4, "gen_ai.system_fingerprint", To::Member(member::MODEL_FINGERPRINT)),
    // Errors of version 1.
    later(4, "error.code", To::Member(member::ERROR_CODE)),
    row("error.llm_provider", To::Keep),
    row("error.message", To::Side(Side::ErrorMessage, Whole)),
    row("error.stack_trace", To::Side(Side::Stacktrace, Whole)),
    // Metadata of version 1: whom the proxy answered, as its own key store knows it.
    later(7, "metadata.user_api_key_end_user_id", To::Carried(member::ACTOR_USER_ID)),
    later(8, "metadata.user_api_key_user_id", To::Carried(member::ACTOR_USER_ID)),
    row("metadata.requester_ip_address", To::Withhold),
    row("metadata.user_agent", To::Withhold),
    row("metadata.requester_custom_headers", To::Withhold),
];

/// Indexed keys: `gen_ai.tool.0.name`, `.description`, `.parameters` of version 1.
pub(super) const FAMILIES: Families = &[("gen_ai.tool", Family::Side(Side::ToolDefinitions))];

/// Values of `litellm.call_type`. `gen_ai.operation.name` says the same by the conventions' words.
const CALL_TYPES: Words = &[
    ("completion", Says::Vaguely(Kind::Inference)),
    ("acompletion", Says::Vaguely(Kind::Inference)),
    ("text_completion", Says::Vaguely(Kind::Inference)),
    ("atext_completion", Says::Vaguely(Kind::Inference)),
    ("responses", Says::Vaguely(Kind::Inference)),
    ("aresponses", Says::Vaguely(Kind::Inference)),
    ("embedding", Says::Vaguely(Kind::Embedding)),
    ("aembedding", Says::Vaguely(Kind::Embedding)),
    ("rerank", Says::Vaguely(Kind::Rerank)),
    ("arerank", Says::Vaguely(Kind::Rerank)),
    ("call_mcp_tool", Says::Vaguely(Kind::Tool)),
];

/// Where a raw parameter of a provider goes: `messages` of `llm.openai.messages`. Everything else of a raw request stays in `rest`.
pub(crate) fn raw_parameter(key: &[u8]) -> Option<To> {
    let (_provider, parameter) = std::str::from_utf8(key).ok()?.strip_prefix("llm.")?.split_once('.')?;
    Some(match parameter {
        "messages" | "input" | "prompt" | "contents" | "system" | "instructions" => To::Side(Side::Input, Messages),
        "choices" | "content" | "output" | "candidates" | "data" | "stringified_raw_response" => To::Side(Side::Output, Whole),
        "tools" | "functions" => To::Side(Side::ToolDefinitions, Whole),
        "model" => To::ResponseModel,
        "id" => To::Fallback(member::OUTPUT_RESPONSE_ID),
        "system_fingerprint" => To::Fallback(member::MODEL_FINGERPRINT),
        "stop_reason" => To::Fallback(member::OUTPUT_FINISH_REASONS),
        "max_tokens" => To::Fallback(member::PARAMETERS_MAX_TOKENS),
        "temperature" => To::Fallback(member::PARAMETERS_TEMPERATURE),
        "top_p" => To::Fallback(member::PARAMETERS_TOP_P),
        _ => return None,
    })
}
