//! Microsoft Agent Framework (1.23) and Semantic Kernel (1.45): OpenTelemetry GenAI on agents, calls and tools, messages as logs besides, and
//! spans of orchestration in words that others use for anything, so those count only below the framework's scope.

use super::{Row, To, later, row};
use crate::record::registry::{self as member, Kind};

/// Agent Framework.
pub(super) const AGENT_FRAMEWORK: &[Row] = &[
    later(3, "agent_framework.function.name", To::Fallback(member::TOOL_NAME)),
    // Seconds.
    row("agent_framework.function.invocation.duration", To::Keep),
];

/// Its workflows. What a person wrote about one (definition, descriptions) goes to `rest`.
pub(super) const AGENT_FRAMEWORK_OWN: &[Row] = &[
    row("workflow.id", To::Keep),
    later(2, "workflow.name", To::Member(member::ACTOR_WORKFLOW)),
    later(3, "workflow_builder.name", To::Fallback(member::ACTOR_WORKFLOW)),
    row("executor.id", To::Keep),
    row("executor.type", To::Keep),
    row("edge_group.type", To::Keep),
    row("edge_group.id", To::Keep),
    row("edge_group.delivered", To::Keep),
    row("edge_group.delivery_status", To::Keep),
    row("message.source_id", To::Keep),
    row("message.target_id", To::Keep),
    row("message.type", To::Keep),
    row("message.payload_type", To::Keep),
    row("message.destination_executor_id", To::Keep),
];

/// Semantic Kernel.
pub(super) const SEMANTIC_KERNEL: &[Row] = &[
    // Names of functions that the model may call.
    row("sk.available_functions", To::Keep),
];

/// Its singular reason, which OpenLLMetry writes too.
pub(super) const SEMANTIC_KERNEL_OWN: &[Row] = &[later(4, "gen_ai.response.finish_reason", To::Member(member::OUTPUT_FINISH_REASONS))];

/// Spans of orchestration by their names. The study's proof of this dialect is its scope, which never suffices: they are records only where
/// something else on them is AI.
pub(crate) fn kind_of_span(name: &[u8]) -> Option<Kind> {
    let own: [&[u8]; 4] = [b"workflow.run", b"workflow.build", b"executor.process", b"edge_group.process"];
    own.iter().any(|known| name.starts_with(known)).then_some(Kind::Workflow)
}
