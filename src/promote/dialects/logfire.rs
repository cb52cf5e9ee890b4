//! Logfire: a mark on every span that its SDK makes, AI or not (so none of it is a proof), and the content keys of its own instrumentations
//! of model clients. Its messages (`logfire.msg`) are written for people and may hold anything: `rest`.

use super::{Look, Row, Side, To, later, row};
use crate::record::registry as member;

/// Keys of its own.
pub(super) const ROWS: &[Row] = &[
    row("logfire.span_type", To::Keep),
    row("logfire.level_num", To::Keep),
    // Feedback on an earlier span; its value stands under the key that the name says, so it goes to `rest` with it.
    later(2, "logfire.feedback.name", To::Member(member::EVALUATION_NAME)),
    row("logfire.feedback.comment", To::Side(Side::EvaluationExplanation, Look::Whole)),
    row("gen_ai.usage.raw", To::Rest),
];

/// Words of `logfire.instrument_openai` and its like.
pub(super) const OWN: &[Row] = &[
    row("request_data", To::Side(Side::Input, Look::Whole)),
    row("response_data", To::Side(Side::Output, Look::Whole)),
    later(1, "operation.cost", To::Member(member::USAGE_COST)),
];
