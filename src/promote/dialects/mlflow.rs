//! MLflow 3 (the keys of tracing since 2.14): every value is JSON, so that a string has quotes (`"\"CHAT_MODEL\""`). What its automatic
//! instrumentation of a client was called with also stands on the span under the caller's own names (`model`, `temperature`).

use super::{Dialect, Look, Row, Says, Side, To, Words, later, row};
use crate::record::registry::{self as member, Kind, Member};

use Look::{Messages, Response, Whole};

/// Attribute keys.
pub(super) const ROWS: &[Row] = &[
    row("mlflow.spanType", To::KindOfNamed(KINDS)),
    // A decorated function's name; where spans are made by hand only the span has one.
    row("mlflow.spanFunctionName", To::Entity(&[Kind::Tool, Kind::Agent])),
    row("mlflow.traceRequestId", To::Keep),
    row("mlflow.spanLogLevel", To::Keep),
    row("mlflow.message.format", To::Keep),
    later(6, "mlflow.llm.model", To::Json(&To::ResponseModel)),
    later(6, "mlflow.llm.provider", To::Json(&To::Provider)),
    later(6, "mlflow.chat.tokenUsage", To::Object(USAGE)),
    later(6, "mlflow.llm.cost", To::Object(COST)),
    later(6, "mlflow.linkedPrompts", To::Object(PROMPT)),
    // A logged model, if somebody tagged the trace with it: the most exact name of a version that MLflow has.
    later(7, "mlflow.traceTag.mlflow.modelId", To::Json(&To::Carried(member::MODEL_VERSION))),
    // What was said.
    row("mlflow.spanInputs", To::Side(Side::Input, Messages)),
    row("mlflow.spanOutputs", To::Side(Side::Output, Response)),
    row("mlflow.chat.tools", To::Side(Side::ToolDefinitions, Whole)),
    // Arguments of the instrumented call.
    later(7, "model", To::When(Dialect::Mlflow, &To::Json(&To::RequestedModel))),
    later(7, "temperature", To::When(Dialect::Mlflow, &To::Json(&To::Member(member::PARAMETERS_TEMPERATURE)))),
    later(7, "top_p", To::When(Dialect::Mlflow, &To::Json(&To::Member(member::PARAMETERS_TOP_P)))),
    later(7, "top_k", To::When(Dialect::Mlflow, &To::Json(&To::Member(member::PARAMETERS_TOP_K)))),
    later(7, "max_tokens", To::When(Dialect::Mlflow, &To::Json(&To::Member(member::PARAMETERS_MAX_TOKENS)))),
    later(7, "max_completion_tokens", To::When(Dialect::Mlflow, &To::Json(&To::Member(member::PARAMETERS_MAX_TOKENS)))),
    later(7, "max_output_tokens", To::When(Dialect::Mlflow, &To::Json(&To::Member(member::PARAMETERS_MAX_TOKENS)))),
    later(7, "seed", To::When(Dialect::Mlflow, &To::Json(&To::Member(member::PARAMETERS_SEED)))),
    later(7, "n", To::When(Dialect::Mlflow, &To::Json(&To::Member(member::PARAMETERS_CHOICE_COUNT)))),
    later(7, "stream", To::When(Dialect::Mlflow, &To::Json(&To::Member(member::PARAMETERS_STREAM)))),
    later(7, "frequency_penalty", To::When(Dialect::Mlflow, &To::Json(&To::Member(member::PARAMETERS_FREQUENCY_PENALTY)))),
    later(7, "presence_penalty", To::When(Dialect::Mlflow, &To::Json(&To::Member(member::PARAMETERS_PRESENCE_PENALTY)))),
    later(7, "tools", To::When(Dialect::Mlflow, &To::Side(Side::ToolDefinitions, Whole))),
];

/// Values of `mlflow.spanType`.
const KINDS: Words = &[
    ("LLM", Says::Surely(Kind::Inference)),
    ("CHAT_MODEL", Says::Surely(Kind::Inference)),
    ("EMBEDDING", Says::Surely(Kind::Embedding)),
    ("RETRIEVER", Says::Surely(Kind::Retrieval)),
    ("RERANKER", Says::Surely(Kind::Rerank)),
    ("TOOL", Says::Surely(Kind::Tool)),
    ("AGENT", Says::Surely(Kind::Agent)),
    ("CHAIN", Says::Surely(Kind::Workflow)),
    ("WORKFLOW", Says::Surely(Kind::Workflow)),
    ("TASK", Says::Vaguely(Kind::Workflow)),
    ("GUARDRAIL", Says::Surely(Kind::Guardrail)),
    ("EVALUATOR", Says::Surely(Kind::Evaluation)),
    ("PARSER", Says::Nothing),
    ("MEMORY", Says::Nothing),
    ("UNKNOWN", Says::Nothing),
];

/// `mlflow.chat.tokenUsage`.
const USAGE: &[(&str, Member)] = &[
    ("input_tokens", member::USAGE_INPUT_TOKENS),
    ("output_tokens", member::USAGE_OUTPUT_TOKENS),
    ("total_tokens", member::USAGE_TOTAL_TOKENS),
    ("cache_read_input_tokens", member::USAGE_CACHE_READ_INPUT_TOKENS),
    ("cache_creation_input_tokens", member::USAGE_CACHE_WRITE_INPUT_TOKENS),
];

/// `mlflow.llm.cost`.
const COST: &[(&str, Member)] = &[("total_cost", member::USAGE_COST)];

/// `mlflow.linkedPrompts`, a list: the first is the record's, the whole list goes to `rest` where there are more.
const PROMPT: &[(&str, Member)] = &[("name", member::PROMPT_NAME), ("version", member::PROMPT_VERSION)];
