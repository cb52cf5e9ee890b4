//! OpenInference: flat keys with indexes (`llm.input_messages.0.message.content`), JSON strings for parameters, one kind attribute.

use super::{Families, Family, Look, Row, Says, Side, To, Words, later, row};
use crate::record::registry::{self as member, Kind};

use Look::Whole;

/// Attribute keys. `session.id`, `user.id` and other keys that many share are in the common table.
pub(super) const ROWS: &[Row] = &[
    row("openinference.span.kind", To::Kind(KINDS)),
    later(2, "llm.provider", To::Provider),
    later(3, "llm.system", To::Provider),
    later(2, "decision.provider", To::Provider),
    later(3, "decision.system", To::Provider),
    later(1, "llm.response.model_name", To::ResponseModel),
    later(1, "decision.response.model_name", To::ResponseModel),
    later(2, "llm.model_name", To::ResponseModel),
    later(2, "embedding.model_name", To::ResponseModel),
    later(2, "reranker.model_name", To::ResponseModel),
    later(2, "decision.model_name", To::ResponseModel),
    later(1, "llm.request.model_name", To::RequestedModel),
    later(1, "decision.request.model_name", To::RequestedModel),
    later(4, "llm.invocation_parameters", To::Invocation),
    later(4, "embedding.invocation_parameters", To::Invocation),
    later(2, "llm.token_count.prompt", To::Member(member::USAGE_INPUT_TOKENS)),
    later(2, "llm.token_count.completion", To::Member(member::USAGE_OUTPUT_TOKENS)),
    later(2, "llm.token_count.total", To::Member(member::USAGE_TOTAL_TOKENS)),
    later(4, "llm.token_count.prompt_details.cache_read", To::Member(member::USAGE_CACHE_READ_INPUT_TOKENS)),
    later(4, "llm.token_count.prompt_details.cache_write", To::Member(member::USAGE_CACHE_WRITE_INPUT_TOKENS)),
    later(4, "llm.token_count.completion_details.reasoning", To::Member(member::USAGE_REASONING_OUTPUT_TOKENS)),
    later(3, "decision.token_count.input", To::Member(member::USAGE_INPUT_TOKENS)),
    later(3, "decision.token_count.output", To::Member(member::USAGE_OUTPUT_TOKENS)),
    later(2, "llm.cost.total", To::Member(member::USAGE_COST)),
    row("llm.token_count.prompt_details.cache_input", To::Keep),
    row("llm.token_count.prompt_details.audio", To::Keep),
    row("llm.token_count.completion_details.audio", To::Keep),
    row("llm.cost.prompt", To::Keep),
    row("llm.cost.completion", To::Keep),
    row("graph.node.id", To::Keep),
    row("graph.node.parent_id", To::Keep),
    later(2, "llm.finish_reason", To::Member(member::OUTPUT_FINISH_REASONS)),
    later(2, "agent.name", To::Member(member::ACTOR_AGENT_NAME)),
    later(2, "tool.name", To::Member(member::TOOL_NAME)),
    later(2, "tool.id", To::Member(member::TOOL_CALL_ID)),
    later(2, "prompt.id", To::Member(member::PROMPT_NAME)),
    later(2, "llm.prompt_template.version", To::Member(member::PROMPT_VERSION)),
    later(2, "llm.prompt_template.template", To::Template),
    later(2, "reranker.top_k", To::Member(member::RETRIEVAL_TOP_K)),
    // What was said.
    row("input.value", To::Side(Side::Input, Whole)),
    row("input.mime_type", To::MediaType(Side::Input)),
    row("output.value", To::Side(Side::Output, Whole)),
    row("output.mime_type", To::MediaType(Side::Output)),
    row("llm.prompts", To::Side(Side::Input, Whole)),
    row("llm.function_call", To::Side(Side::Output, Whole)),
    row("tool.parameters", To::Side(Side::ToolArguments, Whole)),
    row("reranker.query", To::Side(Side::Query, Whole)),
];

/// Indexed keys by what stands before the index.
pub(super) const FAMILIES: Families = &[
    ("llm.input_messages", Family::Side(Side::Input)),
    ("llm.output_messages", Family::Side(Side::Output)),
    ("llm.prompts", Family::Side(Side::Input)),
    ("llm.choices", Family::Side(Side::Output)),
    ("llm.tools", Family::Side(Side::ToolDefinitions)),
    ("embedding.embeddings", Family::Side(Side::Input)),
    ("input.documents", Family::Side(Side::Input)),
    ("input.images", Family::Side(Side::Input)),
    ("output.documents", Family::Side(Side::Output)),
    ("reranker.input_documents", Family::Side(Side::Input)),
    ("reranker.output_documents", Family::Documents),
    ("retrieval.documents", Family::Documents),
    // Of the span, of its trace, of its session; by a person, a model or code (`annotator_kind`).
    ("annotations", Family::Annotations),
    ("evaluations", Family::Annotations),
    ("trace.annotations", Family::Annotations),
    ("trace.evaluations", Family::Annotations),
    ("session.annotations", Family::Annotations),
    ("session.evaluations", Family::Annotations),
];

/// Values of `openinference.span.kind`. Rendering a prompt is no act of its own, and UNKNOWN says nothing.
const KINDS: Words = &[
    ("LLM", Says::Surely(Kind::Inference)),
    ("EMBEDDING", Says::Surely(Kind::Embedding)),
    ("RETRIEVER", Says::Surely(Kind::Retrieval)),
    ("RERANKER", Says::Surely(Kind::Rerank)),
    ("TOOL", Says::Surely(Kind::Tool)),
    ("CHAIN", Says::Surely(Kind::Workflow)),
    ("AGENT", Says::Surely(Kind::Agent)),
    ("GUARDRAIL", Says::Surely(Kind::Guardrail)),
    ("EVALUATOR", Says::Surely(Kind::Evaluation)),
    ("DECISION", Says::Surely(Kind::Decision)),
    ("PROMPT", Says::Nothing),
    ("UNKNOWN", Says::Nothing),
];
