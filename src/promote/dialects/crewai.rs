//! CrewAI (1.15): OpenTelemetry GenAI on calls, and `crewai.<thing>.` for crews, tasks, flows, memory, guardrails, policies and human feedback.
//! Spans and logs carry the same keys; `crewai.event_name` says what happened.

use super::{Look, Row, Side, To, later, row};
use crate::record::registry::{self as member, Kind};

use Look::Whole;

/// Keys of its own.
pub(super) const ROWS: &[Row] = &[
    row(EVENT, To::Keep),
    // A name, a role or a whole description, by the event.
    row("crewai.subject", To::Rest),
    row("crewai.agent.role", To::Keep),
    row("crewai.agent.key", To::Keep),
    row("crewai.agent.llm_calls_count", To::Keep),
    row("crewai.agent.execution_duration_ms", To::Keep),
    row("crewai.crew.id", To::Keep),
    row("crewai.crew.key", To::Keep),
    later(3, "crewai.crew.name", To::Fallback(member::ACTOR_WORKFLOW)),
    row("crewai.crew.process", To::Keep),
    row("crewai.crew.num_agents", To::Keep),
    row("crewai.crew.num_tasks", To::Keep),
    row("crewai.crew.execution_duration_ms", To::Keep),
    row("crewai.crew.inputs", To::Side(Side::Input, Whole)),
    row("crewai.crew.output", To::Side(Side::Output, Whole)),
    // Sums as JSON; the calls below are counted.
    row("crewai.crew.usage_metrics", To::Rest),
    later(2, "crewai.flow.name", To::Fallback(member::ACTOR_WORKFLOW)),
    row("crewai.flow.id", To::Keep),
    row("crewai.flow.method_names", To::Keep),
    row("crewai.flow.execution_duration_ms", To::Keep),
    row("crewai.flow.inputs", To::Side(Side::Input, Whole)),
    row("crewai.flow.result", To::Side(Side::Output, Whole)),
    row("crewai.flow.aggregated_crew_usage_metrics", To::Rest),
    row("crewai.method.name", To::Keep),
    row("crewai.method.duration_ms", To::Keep),
    row("crewai.method.params", To::Side(Side::Input, Whole)),
    row("crewai.method.result", To::Side(Side::Output, Whole)),
    row("crewai.method.state", To::Rest),
    row("crewai.task.id", To::Keep),
    row("crewai.task.key", To::Keep),
    row("crewai.task.output_format", To::Keep),
    row("crewai.task.description", To::Side(Side::Input, Whole)),
    row("crewai.task.expected_output", To::Side(Side::Input, Whole)),
    row("crewai.task.output", To::Side(Side::Output, Whole)),
    row("crewai.reasoning.plan", To::Side(Side::Output, Whole)),
    row("crewai.reasoning.ready", To::Keep),
    row("crewai.reasoning.attempt", To::Keep),
    row("crewai.llm.call_id", To::Keep),
    row("crewai.llm.call_type", To::Keep),
    row("crewai.llm.available_functions", To::Side(Side::ToolDefinitions, Whole)),
    row("crewai.tool.from_cache", To::Member(member::OUTPUT_FROM_CACHE)),
    later(1, "crewai.tool.failure.code", To::Member(member::ERROR_CODE)),
    row("crewai.tool.failure.message", To::Side(Side::ErrorMessage, Whole)),
    row("crewai.tool.failure.retryable", To::Keep),
    later(3, "crewai.mcp.tool_name", To::Fallback(member::TOOL_NAME)),
    row("crewai.mcp.tool_args", To::Side(Side::ToolArguments, Whole)),
    row("crewai.mcp.tool_result", To::Side(Side::ToolResult, Whole)),
    row("crewai.mcp.server_name", To::Keep),
    row("crewai.mcp.transport_type", To::Keep),
    row("crewai.mcp.error_type", To::Keep),
    row("crewai.mcp.server_url", To::Rest),
    row("crewai.knowledge.query", To::Side(Side::Query, Whole)),
    row("crewai.knowledge.task_prompt", To::Side(Side::Query, Whole)),
    row("crewai.knowledge.retrieved_knowledge", To::Side(Side::Output, Whole)),
    row("crewai.memory.query", To::Side(Side::Query, Whole)),
    row("crewai.memory.results", To::Side(Side::Output, Whole)),
    row("crewai.memory.content", To::Side(Side::Input, Whole)),
    row("crewai.memory.value", To::Side(Side::Input, Whole)),
    later(2, "crewai.memory.limit", To::Member(member::RETRIEVAL_TOP_K)),
    row("crewai.memory.score_threshold", To::Keep),
    row("crewai.skill.name", To::Keep),
    // A guardrail is a function or a prompt; its description may be either's text.
    row(GUARDRAIL_SUCCESS, To::Keep),
    row("crewai.guardrail.type", To::Keep),
    row("crewai.guardrail.retry_count", To::Keep),
    row("crewai.guardrail.description", To::Rest),
    row("crewai.guardrail.result", To::Side(Side::Output, Whole)),
    row("crewai.guardrail.error", To::Side(Side::ErrorMessage, Whole)),
    later(1, "crewai.policy.decision", To::Member(member::POLICY_OUTCOME)),
    later(1, "crewai.policy.id", To::Member(member::POLICY_ID)),
    later(1, "crewai.policy.name", To::Member(member::POLICY_NAME)),
    row("crewai.policy.mode", To::Keep),
    row("crewai.policy.point", To::Keep),
    row("crewai.policy.blocking", To::Keep),
    row("crewai.policy.absent_fields", To::Keep),
    row("crewai.policy.reason", To::Rest),
    later(1, "crewai.human_feedback.outcome", To::Member(member::REVIEW_DECISION)),
    later(1, "crewai.human_feedback.request_id", To::Member(member::REVIEW_ID)),
    row("crewai.human_feedback.message", To::Side(Side::Input, Whole)),
    row("crewai.human_feedback.feedback", To::Side(Side::ReviewReason, Whole)),
    row("crewai.human_feedback.method_name", To::Keep),
    row("crewai.human_feedback.emit", To::Keep),
    row("crewai.human_feedback.wait_duration_ms", To::Keep),
    // It cuts what is long, and says so beside it.
    row("gen_ai.input.messages.size", To::Keep),
    row("gen_ai.output.messages.size", To::Keep),
    row("gen_ai.input.messages.truncated", To::Keep),
    row("gen_ai.output.messages.truncated", To::Keep),
    row("gen_ai.input.messages.original_size_bytes", To::Keep),
    row("gen_ai.output.messages.original_size_bytes", To::Keep),
];

/// What happened.
pub(crate) const EVENT: &str = "crewai.event_name";
/// Whether what a guardrail looked at passed.
pub(crate) const GUARDRAIL_SUCCESS: &str = "crewai.guardrail.success";

/// Spans and logs by what happened, where no operation says it.
pub(crate) fn kind_of_event(event: &str) -> Option<Kind> {
    const EVENTS: [(&str, Kind); 17] = [
        ("human_feedback_", Kind::Review),
        ("llm_guardrail_", Kind::Guardrail),
        ("knowledge_", Kind::Retrieval),
        ("memory_query_", Kind::Retrieval),
        ("memory_retrieval_", Kind::Retrieval),
        ("mcp_tool_execution_", Kind::Tool),
        ("tool_usage_", Kind::Tool),
        ("llm_call_", Kind::Inference),
        ("task_evaluation", Kind::Evaluation),
        ("agent_evaluation_", Kind::Evaluation),
        ("agent_execution_", Kind::Agent),
        ("lite_agent_execution_", Kind::Agent),
        ("task_", Kind::Workflow),
        ("crew_kickoff_", Kind::Workflow),
        ("flow_", Kind::Workflow),
        ("method_execution_", Kind::Workflow),
        ("agent_reasoning_", Kind::Workflow),
    ];
    EVENTS.iter().find(|(start, _)| event.starts_with(start)).map(|(_, kind)| *kind)
}

/// Operations that OpenTelemetry does not know.
pub(crate) fn kind_of_operation(operation: &str) -> Option<Kind> {
    matches!(operation, "execute_method" | "execute_task").then_some(Kind::Workflow)
}
