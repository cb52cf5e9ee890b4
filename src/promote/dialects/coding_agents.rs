//! Claude Code (2.1) and Codex: what a coding agent did, as log events whose words are nobody's own (`model`, `decision`, `prompt`). They count
//! below the agent's names only: the event's (`claude_code.tool_decision`), which may stand in the event name, in an attribute or in the
//! body, or Claude Code's scope. Numbers and booleans come as text. The person at the keyboard stands as pseudonym or in `rest`.

use super::{Look, Row, Side, To, later, row};
use crate::record::registry::{self as member, Kind};

use Look::Whole;

/// Claude Code's logs and (beta) spans.
pub(super) const CLAUDE_CODE: &[Row] = &[
    // Who: an id of the installation, then the account's.
    later(5, "user.account_uuid", To::Fallback(member::ACTOR_USER_ID)),
    later(6, "user.account_id", To::Fallback(member::ACTOR_USER_ID)),
    later(7, "user.email", To::Fallback(member::ACTOR_USER_ID)),
    row("organization.id", To::Rest),
    later(1, "agent.name", To::Member(member::ACTOR_AGENT_NAME)),
    later(1, "agent_id", To::Member(member::ACTOR_AGENT_ID)),
    row("parent_agent_id", To::Keep),
    later(1, "workflow.name", To::Member(member::ACTOR_WORKFLOW)),
    row("workflow.run_id", To::Keep),
    // One prompt of the user and all that followed from it; elsewhere the name of a prompt in a registry.
    row("prompt.id", To::Keep),
    row("message.uuid", To::Keep),
    row("event.sequence", To::Keep),
    row("event.timestamp", To::Keep),
    row("interaction.sequence", To::Keep),
    row("app.version", To::Keep),
    row("app.entrypoint", To::Keep),
    row("terminal.type", To::Keep),
    row("request_id", To::Keep),
    row("attempt", To::Keep),
    row("query_source", To::Keep),
    row("speed", To::Keep),
    later(1, "effort", To::Member(member::PARAMETERS_REASONING_LEVEL)),
    later(2, "model", To::RequestedModel),
    // Without what the cache served, unlike OpenTelemetry's sum.
    later(2, "input_tokens", To::Member(member::USAGE_INPUT_TOKENS)),
    later(2, "output_tokens", To::Member(member::USAGE_OUTPUT_TOKENS)),
    later(2, "cache_read_tokens", To::Member(member::USAGE_CACHE_READ_INPUT_TOKENS)),
    later(2, "cache_creation_tokens", To::Member(member::USAGE_CACHE_WRITE_INPUT_TOKENS)),
    later(2, COST, To::Member(member::USAGE_COST)),
    row("cost_usd_micros", To::Keep),
    row("duration_ms", To::Member(member::TIME_DURATION_MS)),
    later(1, "ttft_ms", To::Milliseconds(member::TIME_TO_FIRST_CHUNK)),
    later(1, "stop_reason", To::Member(member::OUTPUT_FINISH_REASONS)),
    row("prompt", To::Side(Side::Input, Whole)),
    row("prompt_length", To::Keep),
    row("user_prompt", To::Side(Side::Input, Whole)),
    row("user_prompt_length", To::Keep),
    row("new_context", To::Side(Side::Input, Whole)),
    row("response.model_output", To::Side(Side::Output, Whole)),
    row("tool_name", To::Member(member::TOOL_NAME)),
    row("tool_use_id", To::Member(member::TOOL_CALL_ID)),
    row("tool_source", To::Keep),
    row("tool_parameters", To::Side(Side::ToolArguments, Whole)),
    row("tool_input", To::Side(Side::ToolArguments, Whole)),
    row("full_command", To::Side(Side::ToolArguments, Whole)),
    row("file_path", To::Side(Side::ToolArguments, Whole)),
    row("tool_input_size_bytes", To::Keep),
    row("tool_result_size_bytes", To::Keep),
    row("mcp_server_scope", To::Keep),
    row("skill_name", To::Keep),
    row("subagent_type", To::Keep),
    row(SUCCESS, To::Keep),
    row(DECISION, To::Keep),
    row(SOURCE, To::Keep),
    row("decision_source", To::Keep),
    row("decision_type", To::Keep),
    later(1, "error_type", To::Member(member::ERROR_TYPE)),
    row("error", To::Side(Side::ErrorMessage, Whole)),
    row("status_code", To::Member(member::ERROR_CODE)),
    row("from_mode", To::Keep),
    row("to_mode", To::Keep),
    row("trigger", To::Keep),
];

/// Codex's logs.
pub(super) const CODEX: &[Row] = &[
    later(5, "user.account_id", To::Member(member::ACTOR_USER_ID)),
    later(7, "user.email", To::Fallback(member::ACTOR_USER_ID)),
    later(1, "conversation.id", To::Member(member::ACTOR_CONVERSATION_ID)),
    row("event.timestamp", To::Keep),
    row("event.kind", To::Keep),
    row("app.version", To::Keep),
    row("terminal.type", To::Keep),
    row("originator", To::Keep),
    row("auth_mode", To::Keep),
    row("attempt", To::Keep),
    row("approval_policy", To::Keep),
    row("sandbox_policy", To::Keep),
    later(2, "model", To::RequestedModel),
    later(2, "provider_name", To::Provider),
    later(1, "reasoning_effort", To::Member(member::PARAMETERS_REASONING_LEVEL)),
    later(1, "max_output_tokens", To::Member(member::PARAMETERS_MAX_TOKENS)),
    // Of one answer, on the event that completes it.
    later(2, "input_token_count", To::Member(member::USAGE_INPUT_TOKENS)),
    later(2, "output_token_count", To::Member(member::USAGE_OUTPUT_TOKENS)),
    later(2, "cached_token_count", To::Member(member::USAGE_CACHE_READ_INPUT_TOKENS)),
    later(2, "reasoning_token_count", To::Member(member::USAGE_REASONING_OUTPUT_TOKENS)),
    row("tool_token_count", To::Keep),
    row("duration_ms", To::Member(member::TIME_DURATION_MS)),
    later(1, "ttft_ms", To::Milliseconds(member::TIME_TO_FIRST_CHUNK)),
    row("prompt", To::Side(Side::Input, Whole)),
    row("prompt_length", To::Keep),
    row("tool_name", To::Member(member::TOOL_NAME)),
    row("call_id", To::Member(member::TOOL_CALL_ID)),
    row("arguments", To::Side(Side::ToolArguments, Whole)),
    row("output", To::Side(Side::ToolResult, Whole)),
    row("mcp_server", To::Keep),
    row(SUCCESS, To::Keep),
    row(DECISION, To::Keep),
    row(SOURCE, To::Keep),
    row("error.message", To::Side(Side::ErrorMessage, Whole)),
];

/// What was decided about a tool call.
pub(crate) const DECISION: &str = "decision";
/// Who or what decided: a person, a hook, a rule of the configuration.
pub(crate) const SOURCE: &str = "source";
/// Whether it worked, as text.
pub(crate) const SUCCESS: &str = "success";
/// Dollars, by its name.
pub(crate) const COST: &str = "cost_usd";

/// Names of Claude Code's spans and log events begin so.
pub(crate) const CLAUDE_CODE_NAME: &str = "claude_code.";
/// Scopes of Claude Code begin so.
pub(crate) const SCOPES: [&str; 2] = ["com.anthropic.claude_code", CLAUDE_CODE_NAME];

/// Whether a scope is Claude Code's.
pub(crate) fn is_claude_code_scope(scope: &[u8]) -> bool {
    SCOPES.iter().any(|own| scope.starts_with(own.as_bytes()))
}

/// Claude Code's log events as the study lists them, which it also sends without its name before them.
pub(crate) const BARE_EVENTS: [&str; 6] = ["api_request", "api_error", "api_refusal", "user_prompt", "tool_result", "tool_decision"];

/// Whether a name is one of them.
pub(crate) fn is_bare_event(name: &[u8]) -> bool {
    BARE_EVENTS.iter().any(|event| event.as_bytes() == name)
}

/// Log events by their names without the agent's. What a person typed and parts of an answer are events, no calls.
pub(crate) fn kind_of_event(event: &str) -> Option<Kind> {
    Some(match event {
        "api_request" | "api_error" | "api_refusal" => Kind::Inference,
        "tool_result" => Kind::Tool,
        _ => return None,
    })
}

/// `span.type`, or the end of the span's name.
pub(crate) fn kind_of_span(kind: &str) -> Option<Kind> {
    Some(match kind {
        "interaction" => Kind::Agent,
        "llm_request" => Kind::Inference,
        "tool" => Kind::Tool,
        // Part of the tool's span, or of nothing that was decided.
        "tool.execution" | "hook" => Kind::Event,
        _ => return None,
    })
}

/// Whether a person decided.
pub(crate) fn is_person(source: &str) -> bool {
    source.starts_with("user_") || source.eq_ignore_ascii_case("user")
}

/// What a decision about a tool call says: whether it may run. Codex has several words that begin alike (`approved_for_session`).
pub(crate) fn allows(decision: &str) -> Option<bool> {
    if decision == "accept" || decision.starts_with("approved") {
        Some(true)
    } else if decision == "reject" || decision == "abort" || decision.starts_with("denied") {
        Some(false)
    } else {
        None
    }
}
