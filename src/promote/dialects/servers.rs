//! Model servers that trace requests themselves: vLLM and Triton Inference Server.

use super::{Row, To, later, row};
use crate::record::registry as member;

/// vLLM, span `llm_request`: names of semconv 1.26 for tokens, and latencies in seconds.
pub(super) const VLLM: &[Row] = &[
    row("gen_ai.request.id", To::Keep),
    later(2, "gen_ai.latency.time_to_first_token", To::Fallback(member::TIME_TO_FIRST_CHUNK)),
    row("gen_ai.latency.e2e", To::Keep),
    row("gen_ai.latency.time_in_queue", To::Keep),
    row("gen_ai.latency.time_in_scheduler", To::Keep),
    row("gen_ai.latency.time_in_model_prefill", To::Keep),
    row("gen_ai.latency.time_in_model_decode", To::Keep),
    row("gen_ai.latency.time_in_model_inference", To::Keep),
    row("gen_ai.latency.time_in_model_forward", To::Keep),
    row("gen_ai.latency.time_in_model_execute", To::Keep),
    row("gen_ai.usage.num_sequences", To::Keep),
];

/// Triton: one of the few that say which version of a model answered, classical models among them.
pub(super) const TRITON: &[Row] = &[
    // The server's own version outranks what a response calls itself.
    later(1, "triton.model_version", To::Member(member::MODEL_VERSION)),
    later(3, "triton.model_name", To::RequestedModel),
    row("triton.request_id", To::Keep),
];
