//! AG2 (1.2): OpenTelemetry GenAI, with `ag2.span.type` for what OpenTelemetry has no operation for: human input, accounting, its network.

use super::{Look, Row, Side, To, later, row};
use crate::record::registry::{self as member, Kind};

use Look::Whole;

/// Keys of its own.
pub(super) const ROWS: &[Row] = &[
    row(SPAN_TYPE, To::Keep),
    row("ag2.agent.id", To::Keep),
    row("ag2.agent.capability", To::Keep),
    row("ag2.agent.outcome", To::Keep),
    row("ag2.network.channel_id", To::Keep),
    row("ag2.network.envelope_id", To::Keep),
    row("ag2.network.task_id", To::Keep),
    row("ag2.network.event_type", To::Keep),
    row("ag2.network.capability", To::Keep),
    row("ag2.network.outcome", To::Keep),
    row("ag2.tool.call.result.truncated", To::Keep),
    row(USAGE_KIND, To::Keep),
    row("ag2.usage.label", To::Keep),
    later(1, "ag2.usage.total_tokens", To::Member(member::USAGE_TOTAL_TOKENS)),
    later(5, "gen_ai.usage.thinking_tokens", To::Fallback(member::USAGE_REASONING_OUTPUT_TOKENS)),
    row("ag2.human_input.prompt", To::Side(Side::Input, Whole)),
    row(HUMAN_RESPONSE, To::Side(Side::Output, Whole)),
    later(4, "ag2.error.type", To::Fallback(member::ERROR_TYPE)),
    row("ag2.error.message", To::Side(Side::ErrorMessage, Whole)),
];

/// What the span is.
pub(crate) const SPAN_TYPE: &str = "ag2.span.type";
/// What tokens were spent for: `model_call`, `subtask`, `compaction`, `aggregation`.
pub(crate) const USAGE_KIND: &str = "ag2.usage.kind";
/// What the human answered.
pub(crate) const HUMAN_RESPONSE: &str = "ag2.human_input.response";

/// `ag2.span.type`. Envelopes, channels and tasks are its network's, accounting is none of a call: events.
pub(crate) fn kind_of_span(kind: &str) -> Option<Kind> {
    Some(match kind {
        "agent" => Kind::Agent,
        "llm" => Kind::Inference,
        "tool" => Kind::Tool,
        "human_input" => Kind::Review,
        "usage" | "envelope" | "channel" | "task" | "agent_lifetime" | "agent_event" => Kind::Event,
        _ => return None,
    })
}
