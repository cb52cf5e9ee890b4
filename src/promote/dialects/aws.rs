//! Strands Agents (1.x, with and without the latest conventions) and Bedrock AgentCore: OpenTelemetry GenAI with events for messages, beside
//! the keys here. `gen_ai.system` is `strands-agents`, a framework, and stands as the provider only because nobody names another.

use super::{Look, Row, Side, To, later, row};
use crate::record::registry::{self as member, Kind};

/// Strands.
pub(super) const STRANDS: &[Row] = &[
    row("gen_ai.event.start_time", To::Keep),
    row("gen_ai.event.end_time", To::Keep),
    // Names of tools, as JSON.
    row("gen_ai.agent.tools", To::Keep),
    row("gen_ai.tool.json_schema", To::Side(Side::ToolDefinitions, Look::Whole)),
    row("gen_ai.tool.status", To::Keep),
    row("strands.cancellation.type", To::Keep),
];

/// Words of Strands that others use with other units, or for anything.
pub(super) const STRANDS_OWN: &[Row] = &[
    // OpenTelemetry's metric of this name is in seconds; here it is an attribute in milliseconds.
    later(1, "gen_ai.server.time_to_first_token", To::Milliseconds(member::TIME_TO_FIRST_CHUNK)),
    // Milliseconds too.
    row("gen_ai.server.request.duration", To::Keep),
    row("event_loop.cycle_id", To::Keep),
    row("event_loop.parent_cycle_id", To::Keep),
];

/// AgentCore: which bundle of configuration and which arm of an experiment answered.
pub(super) const AGENTCORE: &[Row] = &[
    row("aws.agentcore.configbundle_arn", To::Keep),
    row("aws.agentcore.configbundle_version", To::Keep),
    row("aws.agentcore.gateway.routing_experiment_arn", To::Keep),
    row("aws.agentcore.gateway.routing_experiment_variant_name", To::Keep),
];

/// Bedrock, in semconv since 1.34.
pub(super) const BEDROCK: &[Row] = &[
    row("aws.bedrock.guardrail.id", To::Member(member::GUARDRAIL_ID)),
    later(1, "aws.bedrock.knowledge_base.id", To::Member(member::RETRIEVAL_DATA_SOURCE_ID)),
];

/// Operations of Strands that OpenTelemetry does not know: a turn of an agent's loop, and several agents at work.
pub(crate) fn kind_of_operation(operation: &str) -> Option<Kind> {
    matches!(operation, "execute_event_loop_cycle" | "invoke_swarm" | "invoke_graph").then_some(Kind::Workflow)
}
