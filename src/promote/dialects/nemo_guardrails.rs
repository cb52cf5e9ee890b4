//! NeMo Guardrails (0.24): a span around each request, below it rails, actions and OpenTelemetry GenAI calls. The rails' keys (`rail.stop`) are
//! generic, so they count only on spans that are named as NeMo names them; and a rail's span alone has no key that makes it a record.

use super::{Look, Row, Side, To, later, row};
use crate::record::registry::{self as member, Kind};

use Look::Whole;

/// Keys of its own.
pub(super) const ROWS: &[Row] = &[
    row("guardrails.request.input", To::Side(Side::Input, Whole)),
    row("guardrails.request.output", To::Side(Side::Output, Whole)),
    row("guardrails.rail.input", To::Side(Side::Input, Whole)),
    row("guardrails.rail.reason", To::Rest),
    row("speculative_generation.mode_active", To::Keep),
    row("speculative_generation.first_completed", To::Keep),
    row("speculative_generation.first_rejector", To::Keep),
];

/// Generic keys of its spans.
pub(super) const OWN: &[Row] = &[
    // Of the prefix that raw parameters have elsewhere.
    later(3, "llm.cache.hit", To::Member(member::OUTPUT_FROM_CACHE)),
    later(1, "rail.name", To::Member(member::GUARDRAIL_NAME)),
    row("rail.type", To::Keep),
    row(STOP, To::Keep),
    row("rail.decisions", To::Keep),
    row("action.name", To::Keep),
    row("action.has_llm_calls", To::Keep),
    row("action.llm_calls_count", To::Keep),
    row("api.name", To::Keep),
    row("request.id", To::Keep),
];

/// Whether the rail stopped the request.
pub(crate) const STOP: &str = "rail.stop";

/// Spans by their names, calls by operations that OpenTelemetry does not know.
pub(crate) fn kind(name: &[u8], operation: Option<&str>) -> Option<Kind> {
    match (name, operation) {
        (b"guardrails.request" | b"guardrails.rail", _) | (_, Some("guardrails")) => Some(Kind::Guardrail),
        (b"guardrails.action", None) => Some(Kind::Action),
        (_, Some("completion" | "chat.completions")) => Some(Kind::Inference),
        (_, Some("embedding")) => Some(Kind::Embedding),
        _ => None,
    }
}
