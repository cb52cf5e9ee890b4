//! Guardrails AI (0.11): a guard, its steps, calls and validators, in generic keys below the scope `guardrails-ai`.

use super::{Look, Row, Side, To, later, row};
use crate::record::registry::{self as member, Kind};

use Look::Whole;

/// Its keys.
pub(super) const OWN: &[Row] = &[
    row(TYPE, To::Keep),
    later(1, "guard.name", To::Member(member::GUARDRAIL_NAME)),
    later(2, "validator.name", To::Fallback(member::GUARDRAIL_NAME)),
    row("validator.on_fail", To::Keep),
    row(PASSED, To::Keep),
    row("number_of_reasks", To::Keep),
    row("number_of_llm_calls", To::Keep),
    row("execution_id", To::Keep),
    row("step.index", To::Keep),
    row("guardrails.version", To::Keep),
    row("validator.validate.input.value", To::Side(Side::Input, Whole)),
    row("validator.validate.output.outcome", To::Keep),
    row("validator.validate.output.fix_value", To::Side(Side::Output, Whole)),
    row("validator.validate.output.value_override", To::Side(Side::Output, Whole)),
    row("validator.validate.output.error_message", To::Side(Side::ErrorMessage, Whole)),
    row("input", To::Side(Side::Input, Whole)),
    // What it knows of the caller.
    row("client.ip", To::Withhold),
    row("http.referrer", To::Withhold),
];

/// `guardrails/guard`, `guardrails/guard/step`, ...
pub(crate) const TYPE: &str = "type";
/// Whether what was looked at passed.
pub(crate) const PASSED: &str = "validation_passed";

/// `type`. A step is a try of the guard, so it is no guardrail of its own.
pub(crate) fn kind_of_type(kind: &str) -> Option<Kind> {
    Some(match kind {
        "guardrails/guard" | "guardrails/guard/step/validator" => Kind::Guardrail,
        "guardrails/guard/step/call" => Kind::Inference,
        "guardrails/guard/step" => Kind::Workflow,
        _ => return None,
    })
}
