//! OpenTelemetry GenAI: the shape up to semconv 1.36 (`gen_ai.system`, one event per message) and from 1.37 on (`gen_ai.provider.name`,
//! message lists on the span or on one log event). Both coexist for years, so both are in one table, the older names with a later rank.

use super::{Look, Row, Side, To, later, row};
use crate::record::registry::{self as member, Kind};

use Look::{Messages, Whole};

/// Attribute keys of spans, logs and `gen_ai.client.inference.operation.details` span events.
pub(super) const ROWS: &[Row] = &[
    row("gen_ai.operation.name", To::Operation),
    row("gen_ai.provider.name", To::Provider),
    later(1, "gen_ai.system", To::Provider),
    row("gen_ai.request.model", To::RequestedModel),
    row("gen_ai.response.model", To::ResponseModel),
    row("gen_ai.response.id", To::Member(member::OUTPUT_RESPONSE_ID)),
    row("openai.response.system_fingerprint", To::Member(member::MODEL_FINGERPRINT)),
    later(1, "gen_ai.openai.response.system_fingerprint", To::Member(member::MODEL_FINGERPRINT)),
    row("gen_ai.request.temperature", To::Member(member::PARAMETERS_TEMPERATURE)),
    row("gen_ai.request.top_p", To::Member(member::PARAMETERS_TOP_P)),
    row("gen_ai.request.top_k", To::Member(member::PARAMETERS_TOP_K)),
    row("gen_ai.request.max_tokens", To::Member(member::PARAMETERS_MAX_TOKENS)),
    row("gen_ai.request.stop_sequences", To::Member(member::PARAMETERS_STOP_SEQUENCES)),
    row("gen_ai.request.frequency_penalty", To::Member(member::PARAMETERS_FREQUENCY_PENALTY)),
    row("gen_ai.request.presence_penalty", To::Member(member::PARAMETERS_PRESENCE_PENALTY)),
    row("gen_ai.request.seed", To::Member(member::PARAMETERS_SEED)),
    later(1, "gen_ai.openai.request.seed", To::Member(member::PARAMETERS_SEED)),
    row("gen_ai.request.choice.count", To::Member(member::PARAMETERS_CHOICE_COUNT)),
    row("gen_ai.request.stream", To::Member(member::PARAMETERS_STREAM)),
    row("gen_ai.request.reasoning.level", To::Member(member::PARAMETERS_REASONING_LEVEL)),
    row("gen_ai.output.type", To::Member(member::PARAMETERS_OUTPUT_TYPE)),
    later(1, "gen_ai.openai.request.response_format", To::Member(member::PARAMETERS_OUTPUT_TYPE)),
    row("gen_ai.usage.input_tokens", To::Member(member::USAGE_INPUT_TOKENS)),
    later(5, "gen_ai.usage.prompt_tokens", To::Member(member::USAGE_INPUT_TOKENS)),
    row("gen_ai.usage.output_tokens", To::Member(member::USAGE_OUTPUT_TOKENS)),
    later(5, "gen_ai.usage.completion_tokens", To::Member(member::USAGE_OUTPUT_TOKENS)),
    row("gen_ai.usage.total_tokens", To::Member(member::USAGE_TOTAL_TOKENS)),
    row("gen_ai.usage.cache_read.input_tokens", To::Member(member::USAGE_CACHE_READ_INPUT_TOKENS)),
    later(1, "gen_ai.usage.cache_read_input_tokens", To::Member(member::USAGE_CACHE_READ_INPUT_TOKENS)),
    row("gen_ai.usage.cache_write.input_tokens", To::Member(member::USAGE_CACHE_WRITE_INPUT_TOKENS)),
    later(1, "gen_ai.usage.cache_creation.input_tokens", To::Member(member::USAGE_CACHE_WRITE_INPUT_TOKENS)),
    later(2, "gen_ai.usage.cache_write_input_tokens", To::Member(member::USAGE_CACHE_WRITE_INPUT_TOKENS)),
    later(3, "gen_ai.usage.cache_creation_input_tokens", To::Member(member::USAGE_CACHE_WRITE_INPUT_TOKENS)),
    row("gen_ai.usage.reasoning.output_tokens", To::Member(member::USAGE_REASONING_OUTPUT_TOKENS)),
    row("gen_ai.response.finish_reasons", To::Member(member::OUTPUT_FINISH_REASONS)),
    row("gen_ai.response.time_to_first_chunk", To::Member(member::TIME_TO_FIRST_CHUNK)),
    row("gen_ai.conversation.id", To::Member(member::ACTOR_CONVERSATION_ID)),
    row("gen_ai.agent.id", To::Member(member::ACTOR_AGENT_ID)),
    row("gen_ai.agent.name", To::Member(member::ACTOR_AGENT_NAME)),
    row("gen_ai.agent.version", To::Member(member::ACTOR_AGENT_VERSION)),
    row("gen_ai.workflow.name", To::Member(member::ACTOR_WORKFLOW)),
    row("gen_ai.prompt.name", To::Member(member::PROMPT_NAME)),
    row("gen_ai.prompt.version", To::Member(member::PROMPT_VERSION)),
    later(2, "gen_ai.prompt.hash", To::PromptHash),
    row("gen_ai.tool.name", To::Member(member::TOOL_NAME)),
    row("gen_ai.tool.type", To::Member(member::TOOL_TYPE)),
    row("gen_ai.tool.call.id", To::Member(member::TOOL_CALL_ID)),
    row("gen_ai.data_source.id", To::Member(member::RETRIEVAL_DATA_SOURCE_ID)),
    row("gen_ai.retrieval.top_k", To::Member(member::RETRIEVAL_TOP_K)),
    row("gen_ai.evaluation.name", To::Member(member::EVALUATION_NAME)),
    row("gen_ai.evaluation.score.value", To::Member(member::EVALUATION_SCORE)),
    row("gen_ai.evaluation.score.label", To::Member(member::EVALUATION_LABEL)),
    // Proposed, in no registry; accepted as aliases of our own keys.
    later(1, "gen_ai.confidence.score", To::Member(member::CONFIDENCE_SCORE)),
    later(1, "gen_ai.confidence.method", To::Member(member::CONFIDENCE_METHOD)),
    // What was said.
    row("gen_ai.input.messages", To::Side(Side::Input, Messages)),
    row("gen_ai.output.messages", To::Side(Side::Output, Messages)),
    row("gen_ai.system_instructions", To::Side(Side::Instructions, Messages)),
    row("gen_ai.prompt", To::Side(Side::Input, Messages)),
    row("gen_ai.completion", To::Side(Side::Output, Messages)),
    row("gen_ai.tool.definitions", To::Side(Side::ToolDefinitions, Whole)),
    row("gen_ai.tool.description", To::Side(Side::ToolDefinitions, Whole)),
    // Free text, in which some libraries render what an application was told.
    row("gen_ai.agent.description", To::Rest),
    row("gen_ai.tool.call.arguments", To::Side(Side::ToolArguments, Whole)),
    row("gen_ai.tool.call.result", To::Side(Side::ToolResult, Whole)),
    row("gen_ai.retrieval.query.text", To::Side(Side::Query, Whole)),
    row("gen_ai.retrieval.documents", To::Documents),
    row("gen_ai.evaluation.explanation", To::Side(Side::EvaluationExplanation, Whole)),
    row("gen_ai.input.messages_ref", To::Reference(Side::Input)),
    row("gen_ai.output.messages_ref", To::Reference(Side::Output)),
    row("gen_ai.system_instructions_ref", To::Reference(Side::Instructions)),
    row("gen_ai.tool.definitions_ref", To::Reference(Side::ToolDefinitions)),
    // A memory that is searched, or written to: what its records hold is an answer or a question ([`is_memory_write`]).
    later(1, "gen_ai.memory.store.id", To::Member(member::RETRIEVAL_DATA_SOURCE_ID)),
    row("gen_ai.memory.query.text", To::Side(Side::Query, Whole)),
    row(MEMORY_RECORDS, To::Side(Side::Output, Whole)),
    row("gen_ai.memory.record.id", To::Keep),
    row("gen_ai.memory.record.count", To::Keep),
    // Proposed, in no registry.
    later(3, "gen_ai.guardrail.verdict.type", To::Fallback(member::GUARDRAIL_OUTCOME)),
    // Technical, about no person.
    row("gen_ai.request.previous_response.id", To::Keep),
    row("gen_ai.request.stream_cursor", To::Keep),
    row("gen_ai.response.status", To::Keep),
    row("gen_ai.request.encoding_formats", To::Keep),
    row("gen_ai.embeddings.dimension.count", To::Keep),
    row("gen_ai.conversation.compacted", To::Keep),
    row("openai.api.type", To::Keep),
    row("openai.request.service_tier", To::Keep),
    row("openai.response.service_tier", To::Keep),
    row("gen_ai.openai.request.service_tier", To::Keep),
    row("gen_ai.openai.response.service_tier", To::Keep),
    row("gen_ai.usage.text.input_tokens", To::Keep),
    row("gen_ai.usage.image.input_tokens", To::Keep),
    row("gen_ai.usage.audio.input_tokens", To::Keep),
    row("gen_ai.usage.text.output_tokens", To::Keep),
    row("gen_ai.usage.image.output_tokens", To::Keep),
    row("gen_ai.usage.audio.output_tokens", To::Keep),
    row("gen_ai.usage.text.cache_read.input_tokens", To::Keep),
    row("gen_ai.usage.image.cache_read.input_tokens", To::Keep),
    row("gen_ai.usage.audio.cache_read.input_tokens", To::Keep),
];

/// Records of a memory.
pub(crate) const MEMORY_RECORDS: &str = "gen_ai.memory.records";

/// Whether an operation writes into a memory, so that its records are what went in.
pub(crate) fn is_memory_write(operation: &str) -> bool {
    matches!(operation, "create_memory" | "update_memory" | "upsert_memory")
}

/// Events that carry messages: name, side, and the keys of content in them (every other key of such an event is frame). The same names
/// are log events, whose body is the message.
pub(super) const MESSAGE_EVENTS: &[(&str, Side)] = &[
    ("gen_ai.system.message", Side::Instructions),
    ("gen_ai.user.message", Side::Input),
    ("gen_ai.assistant.message", Side::Input),
    ("gen_ai.tool.message", Side::Input),
    ("gen_ai.choice", Side::Output),
    ("gen_ai.content.prompt", Side::Input),
    ("gen_ai.content.completion", Side::Output),
];

/// Side of a message event.
pub(crate) fn message_event(name: &[u8]) -> Option<Side> {
    MESSAGE_EVENTS.iter().find(|(event, _)| event.as_bytes() == name).map(|(_, side)| *side)
}

/// `kind` of an operation. `fetch_response` reads what was answered before: no inference. Memory writes have no kind of their own.
pub(crate) fn kind_of_operation(operation: &str) -> Option<Kind> {
    Some(match operation {
        "chat" | "generate_content" | "text_completion" => Kind::Inference,
        // LiteLLM v1 writes its call type here.
        "embeddings" | "embedding" => Kind::Embedding,
        // `vector_db_retrieve` is OpenLLMetry's.
        "retrieval" | "search_memory" | "vector_db_retrieve" => Kind::Retrieval,
        "rerank" => Kind::Rerank,
        "execute_tool" => Kind::Tool,
        "create_agent" | "invoke_agent" | "plan" => Kind::Agent,
        "invoke_workflow" => Kind::Workflow,
        "run_guardrail" | "apply_guardrail" => Kind::Guardrail,
        // Decision models of Pydantic AI and the Vercel AI SDK.
        "decide" => Kind::Decision,
        "fetch_response"
        | "create_memory"
        | "update_memory"
        | "upsert_memory"
        | "delete_memory"
        | "create_memory_store"
        | "delete_memory_store" => Kind::Event,
        _ => return None,
    })
}

/// Frameworks that stand in a provider's place (Strands, Google ADK, OpenLLMetry and LangSmith for LangChain, CrewAI, Microsoft's on the
/// spans of its agents): said, but weaker than the name of a vendor under any other key.
pub(crate) fn is_framework(name: &str) -> bool {
    matches!(name, "strands-agents" | "gcp.vertex.agent" | "langchain" | "langgraph" | "crewai" | "microsoft.agent_framework")
}

/// Provider names that were renamed (semconv 1.35 and 1.37); every other is kept as sent.
pub(crate) fn provider(name: &str) -> &str {
    match name {
        "az.ai.openai" => "azure.ai.openai",
        "az.ai.inference" => "azure.ai.inference",
        "vertex_ai" => "gcp.vertex_ai",
        "gemini" => "gcp.gemini",
        "xai" => "x_ai",
        other => other,
    }
}
