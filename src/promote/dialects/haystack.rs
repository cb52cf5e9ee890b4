//! Haystack (3.4): a span for each pipeline, component, agent, step and hook. Values of content keys are there only with content tracing on.

use super::{Look, Row, Side, To, later, row};
use crate::record::registry::{self as member, Kind};

use Look::Whole;

/// Keys of its own.
pub(super) const ROWS: &[Row] = &[
    row("haystack.component.name", To::Keep),
    row(COMPONENT, To::Keep),
    row("haystack.component.fully_qualified_type", To::Keep),
    row("haystack.component.visits", To::Keep),
    row("haystack.component.input", To::Side(Side::Input, Whole)),
    row("haystack.component.output", To::Side(Side::Output, Whole)),
    row("haystack.pipeline.input_data", To::Side(Side::Input, Whole)),
    row("haystack.pipeline.output_data", To::Side(Side::Output, Whole)),
    row("haystack.pipeline.max_runs_per_component", To::Keep),
    row("haystack.pipeline.execution_mode", To::Keep),
    // An application's own metadata.
    row("haystack.pipeline.metadata", To::Rest),
    row("haystack.agent.input", To::Side(Side::Input, Whole)),
    row("haystack.agent.output", To::Side(Side::Output, Whole)),
    row("haystack.agent.tools", To::Side(Side::ToolDefinitions, Whole)),
    row("haystack.agent.max_steps", To::Keep),
    row("haystack.agent.steps_taken", To::Keep),
    row("haystack.agent.exit_conditions", To::Keep),
    row("haystack.agent.step", To::Keep),
    row("haystack.agent.step.llm.input", To::Side(Side::Input, Whole)),
    row("haystack.agent.step.llm.output", To::Side(Side::Output, Whole)),
    row("haystack.agent.step.tool.input", To::Side(Side::ToolArguments, Whole)),
    row("haystack.agent.step.tool.output", To::Side(Side::ToolResult, Whole)),
    later(1, "haystack.tool.name", To::Member(member::TOOL_NAME)),
    later(1, "haystack.tool.call.id", To::Member(member::TOOL_CALL_ID)),
    row("haystack.tool.description", To::Side(Side::ToolDefinitions, Whole)),
    row(TOOL_ERROR, To::Keep),
    row("haystack.agent.hook.point", To::Keep),
    row("haystack.agent.hook.name", To::Keep),
    row("haystack.agent.hook.type", To::Keep),
    row("haystack.agent.hook.compaction.strategy", To::Keep),
    row("haystack.agent.hook.compaction.triggered", To::Keep),
    row("haystack.agent.hook.compaction.compacted", To::Keep),
    row("haystack.agent.hook.human_in_the_loop.strategy.type", To::Keep),
    row(DECISION, To::Keep),
    row("haystack.agent.hook.human_in_the_loop.strategy.input", To::Side(Side::ToolArguments, Whole)),
    // What was decided in full: the feedback and the arguments after it.
    row("haystack.agent.hook.human_in_the_loop.strategy.output", To::Side(Side::ReviewReason, Whole)),
];

/// `confirm`, `modify` or `reject`.
pub(crate) const DECISION: &str = "haystack.agent.hook.human_in_the_loop.strategy.decision";
/// Whether a tool failed.
pub(crate) const TOOL_ERROR: &str = "haystack.tool.error";
/// Class of a component.
pub(crate) const COMPONENT: &str = "haystack.component.type";

/// What a strategy of confirmation decided. Who decided is not said: some strategies ask nobody.
pub(crate) fn decided(decision: &str) -> Option<&'static str> {
    Some(match decision {
        "confirm" => "approved",
        "modify" => "modified",
        "reject" => "rejected",
        _ => return None,
    })
}

/// Spans by their names. A component is what its class is called; others prepare, route or join, which is a step of the workflow.
pub(crate) fn kind_of_span(name: &[u8], component: Option<&str>) -> Option<Kind> {
    Some(match name {
        b"haystack.pipeline.run" | b"haystack.async_pipeline.run" | b"haystack.agent.step" => Kind::Workflow,
        b"haystack.agent.run" => Kind::Agent,
        b"haystack.agent.step.llm" | b"haystack.chat_generator.run" => Kind::Inference,
        b"haystack.agent.step.tool" => Kind::Tool,
        b"haystack.agent.hook.human_in_the_loop.strategy" => Kind::Review,
        b"haystack.component.run" => {
            const CLASSES: [(&str, Kind); 7] = [
                ("Generator", Kind::Inference),
                ("Embedder", Kind::Embedding),
                ("Retriever", Kind::Retrieval),
                ("Ranker", Kind::Rerank),
                ("Evaluator", Kind::Evaluation),
                ("ToolInvoker", Kind::Workflow),
                ("Agent", Kind::Agent),
            ];
            let class = component.unwrap_or_default();
            CLASSES.iter().find(|(end, _)| class.ends_with(end)).map_or(Kind::Workflow, |(_, kind)| *kind)
        }
        _ => return None,
    })
}
