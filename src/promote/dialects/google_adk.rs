//! Google's Agent Development Kit (2.13): OpenTelemetry GenAI, with whole requests and answers as JSON under `gcp.vertex.agent.`. With capture
//! off those are `{}` and `N/A`: no content, not empty content.

use super::{Look, Row, Side, To, later, row};
use crate::record::registry::{self as member, Kind};

use Look::{Messages, Whole};

/// Keys of its own, and what it adds to `gen_ai.`.
pub(super) const ROWS: &[Row] = &[
    row("gcp.vertex.agent.invocation_id", To::Keep),
    row("gcp.vertex.agent.event_id", To::Keep),
    later(1, "gcp.vertex.agent.session_id", To::Member(member::ACTOR_SESSION_ID)),
    row("gcp.vertex.agent.llm_request", To::Side(Side::Input, Messages)),
    row("gcp.vertex.agent.llm_response", To::Side(Side::Output, Messages)),
    row("gcp.vertex.agent.tool_call_args", To::Side(Side::ToolArguments, Whole)),
    row("gcp.vertex.agent.tool_response", To::Side(Side::ToolResult, Whole)),
    // What was sent into a live session.
    row("gcp.vertex.agent.data", To::Side(Side::Input, Whole)),
    row("gen_ai.main_agent.id", To::Keep),
    row("gen_ai.tool.version", To::Keep),
    row("gen_ai.skill.name", To::Keep),
    row("gen_ai.skill.resource.name", To::Keep),
    row("gen_ai.skill.description", To::Rest),
    row("gen_ai.skill.source.uri", To::Rest),
    row("gen_ai.workflow.nested", To::Keep),
    row("gen_ai.usage.experimental.system_instruction_tokens", To::Keep),
    row("gen_ai.usage.experimental.reasoning_tokens_limit", To::Keep),
    later(6, "gen_ai.usage.experimental.reasoning_tokens", To::Fallback(member::USAGE_REASONING_OUTPUT_TOKENS)),
    row("gen_ai.compaction.trigger", To::Keep),
    row("gen_ai.compaction.summarizer_type", To::Keep),
    row("gen_ai.compaction.event_count", To::Keep),
    row("gen_ai.compaction.token_threshold", To::Keep),
    row("gen_ai.compaction.event_retention_size", To::Keep),
    row("gen_ai.compaction.compaction_interval", To::Keep),
    row("gen_ai.compaction.overlap_size", To::Keep),
    row("adk.experimental.response.source", To::Keep),
    row("adk.experimental.context_cache.hit", To::Keep),
    row("adk.experimental.context_cache.fingerprint", To::Keep),
    row("adk.experimental.context_cache.invocations_used", To::Keep),
    row("adk.experimental.grounding.query_count", To::Keep),
    row("adk.experimental.grounding.chunk_count", To::Keep),
    row("adk.experimental.grounding.web_search_queries", To::Side(Side::Query, Whole)),
    row("adk.experimental.grounding.source_uris", To::Rest),
];

/// The span that ADK makes beside those of several tools that ran at once: it joins their answers and ran nothing, so it is no tool call.
pub(crate) fn kind_of_tool(name: &str) -> Option<Kind> {
    (name == "(merged tools)").then_some(Kind::Event)
}
