//! Pydantic AI, instrumentation versions 1 to 5: OpenTelemetry GenAI on calls and tools, own keys on the span of a run. Version 1 and 2 name
//! things in words that others use for anything (`events`, `final_result`), so those count only below the scope `pydantic-ai`.

use super::{Look, Row, Side, To, later, row};
use crate::record::registry as member;

/// Keys of its own, and what it adds to `gen_ai.`.
pub(super) const ROWS: &[Row] = &[
    // The run of an agent, put by baggage on every span below it.
    row("gen_ai.agent.call.id", To::Keep),
    // Sums over the calls of a run, on the run's span alone: the record of a run is marked as an aggregate by its kind.
    later(6, "gen_ai.aggregated_usage.input_tokens", To::Fallback(member::USAGE_INPUT_TOKENS)),
    later(6, "gen_ai.aggregated_usage.output_tokens", To::Fallback(member::USAGE_OUTPUT_TOKENS)),
    later(6, "gen_ai.aggregated_usage.cache_read.input_tokens", To::Fallback(member::USAGE_CACHE_READ_INPUT_TOKENS)),
    later(6, "gen_ai.aggregated_usage.cache_write.input_tokens", To::Fallback(member::USAGE_CACHE_WRITE_INPUT_TOKENS)),
    later(7, "gen_ai.aggregated_usage.cache_creation.input_tokens", To::Fallback(member::USAGE_CACHE_WRITE_INPUT_TOKENS)),
    later(6, "gen_ai.aggregated_usage.details.reasoning_tokens", To::Fallback(member::USAGE_REASONING_OUTPUT_TOKENS)),
    row("gen_ai.aggregated_usage.details.accepted_prediction_tokens", To::Keep),
    row("gen_ai.aggregated_usage.details.audio_tokens", To::Keep),
    row("gen_ai.aggregated_usage.details.cache_read_tokens", To::Keep),
    row("gen_ai.aggregated_usage.details.rejected_prediction_tokens", To::Keep),
    // What the provider's answer said beside the counts that have a name.
    later(5, "gen_ai.usage.details.reasoning_tokens", To::Fallback(member::USAGE_REASONING_OUTPUT_TOKENS)),
    row("gen_ai.usage.details.accepted_prediction_tokens", To::Keep),
    row("gen_ai.usage.details.audio_tokens", To::Keep),
    row("gen_ai.usage.details.cache_read_tokens", To::Keep),
    row("gen_ai.usage.details.rejected_prediction_tokens", To::Keep),
    // Seconds; the name is that of the OpenTelemetry metric.
    later(1, "gen_ai.client.operation.time_to_first_chunk", To::Member(member::TIME_TO_FIRST_CHUNK)),
    row("pydantic_ai.all_messages", To::Side(Side::Input, Look::Messages)),
    row("pydantic_ai.new_message_index", To::Keep),
    row("pydantic_ai.variable_instructions", To::Keep),
    row("pydantic_ai.realtime", To::Keep),
    row("pydantic_ai.cache.hit_ratio", To::Keep),
    row("pydantic_ai.cache.established_tokens", To::Keep),
    row("pydantic_ai.cache.not_enabled", To::Keep),
    row("pydantic_ai.cache.collapsed", To::Keep),
    row("pydantic_ai.cache.missed_tokens", To::Keep),
    // `ApprovalRequired`: the tool waits for a human. `CallDeferred`: somebody else runs it.
    row(DEFERRAL, To::Keep),
    row("pydantic_ai.tool.deferral.metadata", To::Rest),
    row("pydantic_ai.tool.failure_stage", To::Keep),
    row("pydantic_ai.tool.retry.attempt", To::Keep),
    row("pydantic_ai.tool.retry.max_retries", To::Keep),
    row("pydantic_ai.output.retry.attempt", To::Keep),
    row("pydantic_ai.output.retry.max_retries", To::Keep),
    // A decision model (2.x): questions are its prompt, the state is what it decides on.
    row("pydantic_ai.decision.questions", To::Side(Side::Instructions, Look::Whole)),
    row("pydantic_ai.decision.state", To::Side(Side::Input, Look::Whole)),
    row(ANSWERS, To::Side(Side::Output, Look::Whole)),
    row(THRESHOLDS, To::Keep),
    row(CONFIDENCE, To::Keep),
    row(ROUTE_QUESTION, To::Keep),
    row("pydantic_ai.decision.route", To::Member(member::DECISION_OUTCOME)),
    row("pydantic_ai.decision.route_options", To::Keep),
    // The span of the call above sums these up as `gen_ai.usage.*`, so they are no usage of their own.
    row("pydantic_ai.decision.usage.input_tokens", To::Keep),
    row("pydantic_ai.decision.usage.output_tokens", To::Keep),
];

/// Words of versions 1 and 2 that mean this only here.
pub(super) const OWN: &[Row] = &[
    row("final_result", To::Side(Side::Output, Look::Whole)),
    row("all_messages_events", To::Side(Side::Input, Look::Messages)),
    row(EVENTS, To::Side(Side::Input, Look::Messages)),
    row("tool_arguments", To::Side(Side::ToolArguments, Look::Whole)),
    row("tool_response", To::Side(Side::ToolResult, Look::Whole)),
    later(2, "agent_name", To::Member(member::ACTOR_AGENT_NAME)),
    later(3, "model_name", To::RequestedModel),
    // Estimated by the library from a price list.
    later(1, "operation.cost", To::Member(member::USAGE_COST)),
    // Definitions of tools and of the answer, and texts of instructions: said again in keys of their own.
    row("model_request_parameters", To::Rest),
];

/// Why a tool did not run.
pub(crate) const DEFERRAL: &str = "pydantic_ai.tool.deferral.name";
/// One attribute with all messages of a call, the answer among them (version 1).
pub(crate) const EVENTS: &str = "events";
/// What a decision model answered, by question.
pub(crate) const ANSWERS: &str = "pydantic_ai.decision.answers";
/// Thresholds by the type of answer: `boolean` and `route`.
pub(crate) const THRESHOLDS: &str = "pydantic_ai.decision.thresholds";
/// Confidence of the fields that were used, by question.
pub(crate) const CONFIDENCE: &str = "pydantic_ai.decision.confidence";
/// Which question asks for the route.
pub(crate) const ROUTE_QUESTION: &str = "pydantic_ai.decision.route_question";
