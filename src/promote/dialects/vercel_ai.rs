//! Vercel AI SDK: `ai.*` of versions 3 to 6, and of the legacy class of version 7, whose own integration speaks OpenTelemetry's `gen_ai.*`.
//!
//! A call is two spans. The outer (`ai.generateText`) runs steps and tools until an answer is there and sums their tokens: an agent, as
//! version 7 calls it (`invoke_agent`). The inner (`.doGenerate`) is the call of the model.

use super::{Look, Row, Says, Side, To, Words, later, row};
use crate::record::registry::{self as member, Kind, Member};

use Look::{Messages, Whole};

/// Attribute keys.
pub(super) const ROWS: &[Row] = &[
    row("ai.operationId", To::Kind(OPERATIONS)),
    row("ai.telemetry.functionId", To::Entity(&[Kind::Agent])),
    // Models.
    later(3, "ai.model.provider", To::Provider),
    later(3, "ai.model.id", To::RequestedModel),
    later(3, "ai.response.model", To::ResponseModel),
    later(3, "ai.response.id", To::Fallback(member::OUTPUT_RESPONSE_ID)),
    row("ai.response.timestamp", To::Keep),
    // Settings of the call.
    later(3, "ai.settings.maxOutputTokens", To::Member(member::PARAMETERS_MAX_TOKENS)),
    later(4, "ai.settings.maxTokens", To::Member(member::PARAMETERS_MAX_TOKENS)),
    later(3, "ai.settings.temperature", To::Member(member::PARAMETERS_TEMPERATURE)),
    later(3, "ai.settings.topP", To::Member(member::PARAMETERS_TOP_P)),
    later(3, "ai.settings.topK", To::Member(member::PARAMETERS_TOP_K)),
    later(3, "ai.settings.seed", To::Member(member::PARAMETERS_SEED)),
    later(3, "ai.settings.stopSequences", To::Member(member::PARAMETERS_STOP_SEQUENCES)),
    later(3, "ai.settings.frequencyPenalty", To::Member(member::PARAMETERS_FREQUENCY_PENALTY)),
    later(3, "ai.settings.presencePenalty", To::Member(member::PARAMETERS_PRESENCE_PENALTY)),
    row("ai.settings.maxRetries", To::KeepNumber),
    row("ai.settings.maxSteps", To::KeepNumber),
    row("ai.settings.mode", To::Keep),
    row("ai.settings.output", To::Keep),
    row("ai.prompt.toolChoice", To::Keep),
    row("ai.ranking.type", To::Keep),
    // Tokens: version 6 nests what 5 had flat, 5 renamed what 3 and 4 had. 6 still writes 4's names for objects.
    later(3, "ai.usage.inputTokens", To::Member(member::USAGE_INPUT_TOKENS)),
    later(3, "ai.usage.outputTokens", To::Member(member::USAGE_OUTPUT_TOKENS)),
    later(3, "ai.usage.totalTokens", To::Member(member::USAGE_TOTAL_TOKENS)),
    later(3, "ai.usage.inputTokenDetails.cacheReadTokens", To::Member(member::USAGE_CACHE_READ_INPUT_TOKENS)),
    later(3, "ai.usage.inputTokenDetails.cacheWriteTokens", To::Member(member::USAGE_CACHE_WRITE_INPUT_TOKENS)),
    later(3, "ai.usage.outputTokenDetails.reasoningTokens", To::Member(member::USAGE_REASONING_OUTPUT_TOKENS)),
    later(4, "ai.usage.promptTokens", To::Member(member::USAGE_INPUT_TOKENS)),
    later(4, "ai.usage.completionTokens", To::Member(member::USAGE_OUTPUT_TOKENS)),
    later(4, "ai.usage.cachedInputTokens", To::Member(member::USAGE_CACHE_READ_INPUT_TOKENS)),
    later(4, "ai.usage.reasoningTokens", To::Member(member::USAGE_REASONING_OUTPUT_TOKENS)),
    // Of an embedding, which has no other tokens.
    later(4, "ai.usage.tokens", To::Member(member::USAGE_INPUT_TOKENS)),
    row("ai.usage.inputTokenDetails.noCacheTokens", To::KeepNumber),
    row("ai.usage.outputTokenDetails.textTokens", To::KeepNumber),
    // The answer.
    later(3, "ai.response.finishReason", To::Member(member::OUTPUT_FINISH_REASONS)),
    later(4, "ai.finishReason", To::Member(member::OUTPUT_FINISH_REASONS)),
    later(4, "gen_ai.finishReason", To::Member(member::OUTPUT_FINISH_REASONS)),
    later(3, "ai.response.msToFirstChunk", To::Milliseconds(member::TIME_TO_FIRST_CHUNK)),
    later(4, "ai.stream.msToFirstChunk", To::Milliseconds(member::TIME_TO_FIRST_CHUNK)),
    row("ai.response.msToFinish", To::KeepNumber),
    row("ai.response.avgOutputTokensPerSecond", To::KeepNumber),
    // Tools.
    later(3, "ai.toolCall.name", To::Member(member::TOOL_NAME)),
    later(3, "ai.toolCall.id", To::Member(member::TOOL_CALL_ID)),
    // What applications put into the metadata, or from version 7 on into the context.
    later(7, "ai.telemetry.metadata.userId", To::Carried(member::ACTOR_USER_ID)),
    later(7, "ai.telemetry.metadata.sessionId", To::Carried(member::ACTOR_SESSION_ID)),
    later(7, "ai.telemetry.metadata.langfusePrompt", To::Object(PROMPT)),
    later(7, "ai.settings.context.userId", To::Carried(member::ACTOR_USER_ID)),
    later(7, "ai.settings.context.sessionId", To::Carried(member::ACTOR_SESSION_ID)),
    // What was said. `ai.result.*` is version 3's.
    row("ai.prompt", To::Side(Side::Input, Messages)),
    row("ai.prompt.messages", To::Side(Side::Input, Messages)),
    row("ai.prompt.tools", To::Side(Side::ToolDefinitions, Whole)),
    row("ai.response.text", To::Side(Side::Output, Whole)),
    row("ai.response.object", To::Side(Side::Output, Whole)),
    row("ai.response.toolCalls", To::Side(Side::Output, Whole)),
    row("ai.response.reasoning", To::Side(Side::Output, Whole)),
    row("ai.response.files", To::Side(Side::Output, Whole)),
    row("ai.result.text", To::Side(Side::Output, Whole)),
    row("ai.result.object", To::Side(Side::Output, Whole)),
    row("ai.result.toolCalls", To::Side(Side::Output, Whole)),
    row("ai.toolCall.args", To::Side(Side::ToolArguments, Whole)),
    row("ai.toolCall.result", To::Side(Side::ToolResult, Whole)),
    row("ai.value", To::Side(Side::Input, Whole)),
    row("ai.values", To::Side(Side::Input, Whole)),
    row("ai.embedding", To::Side(Side::Output, Whole)),
    row("ai.embeddings", To::Side(Side::Output, Whole)),
    row("ai.documents", To::Side(Side::Input, Whole)),
    row("ai.ranking", To::Side(Side::Output, Whole)),
    row("ai.decision.questions", To::Side(Side::Input, Whole)),
    row("ai.decision.state", To::Side(Side::Input, Whole)),
    row(ANSWERS, To::Side(Side::Output, Whole)),
];

/// What a decision model answered, by question (experimental): the same shape as Pydantic AI's.
pub(crate) const ANSWERS: &str = "ai.decision.answers";

/// Values of `ai.operationId`.
const OPERATIONS: Words = &[
    ("ai.generateText", Says::Around(Kind::Agent)),
    ("ai.streamText", Says::Around(Kind::Agent)),
    ("ai.generateObject", Says::Around(Kind::Agent)),
    ("ai.streamObject", Says::Around(Kind::Agent)),
    ("ai.generateText.doGenerate", Says::Surely(Kind::Inference)),
    ("ai.streamText.doStream", Says::Surely(Kind::Inference)),
    ("ai.generateObject.doGenerate", Says::Surely(Kind::Inference)),
    ("ai.streamObject.doStream", Says::Surely(Kind::Inference)),
    ("ai.embed", Says::Around(Kind::Embedding)),
    ("ai.embedMany", Says::Around(Kind::Embedding)),
    ("ai.embed.doEmbed", Says::Surely(Kind::Embedding)),
    ("ai.embedMany.doEmbed", Says::Surely(Kind::Embedding)),
    ("ai.rerank", Says::Around(Kind::Rerank)),
    ("ai.rerank.doRerank", Says::Surely(Kind::Rerank)),
    ("ai.toolCall", Says::Surely(Kind::Tool)),
];

/// A prompt of Langfuse's registry, as its integration writes it into the metadata.
const PROMPT: &[(&str, Member)] = &[("name", member::PROMPT_NAME), ("version", member::PROMPT_VERSION)];
