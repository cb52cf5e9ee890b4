//! Our own namespace, `ai_audit.*` (and `ai.audit.*`, which is rewritten): every claim of the registry can be set by its path, and the
//! names of the attribute study are aliases where the record's path differs (the record's document wins).

use super::{Look, Side, To};
use crate::record::registry::{self as member, Member, Standing, Type};

/// The prefix; one constant, should the namespace ever get a domain before it.
pub(crate) const PREFIX: &str = "ai_audit.";
/// Accepted on input only: `ai.` is Vercel's and Application Insights' live prefix.
const ALIAS: &str = "ai.audit.";

/// Names that differ from the record's path, and rows that are no plain member.
const ALIASES: &[(&str, To)] = &[
    ("regulation.risk_class", To::Member(member::SYSTEM_RISK_CLASS)),
    ("regulation.use_case", To::Member(member::SYSTEM_USE_CASE)),
    ("regulation.operator_role", To::Member(member::SYSTEM_OPERATOR_ROLE)),
    // "EU database registration no.": an identity with the authority, not the name by which the operator calls the system.
    ("regulation.system_id", To::Member(member::SYSTEM_REGISTRATION_ID)),
    ("data.sources", To::Member(member::LINEAGE_DATA_SOURCES)),
    ("data.lineage_run_id", To::Member(member::LINEAGE_RUN_ID)),
    ("data.lawful_basis", To::Member(member::LINEAGE_LAWFUL_BASIS)),
    ("data.special_category_condition", To::Member(member::LINEAGE_SPECIAL_CATEGORY_CONDITION)),
    ("data.purpose", To::Member(member::LINEAGE_PURPOSE)),
    ("data.categories", To::Member(member::LINEAGE_CATEGORIES)),
    ("data.residency", To::Member(member::LINEAGE_RESIDENCY)),
    ("data.consent.id", To::Member(member::LINEAGE_CONSENT_ID)),
    ("data.consent.version", To::Member(member::LINEAGE_CONSENT_VERSION)),
    ("data.consent.status", To::Member(member::LINEAGE_CONSENT_STATUS)),
    ("data_subject.id", To::Member(member::SUBJECT_ID)),
    ("data_subject.type", To::Member(member::SUBJECT_TYPE)),
    ("explanation.feature_attributions", To::Items(member::EXPLANATION_ATTRIBUTIONS)),
    ("explanation.uri", To::Member(member::EXPLANATION_REFERENCE)),
    ("review.override.reason", To::Side(Side::ReviewReason, Look::Whole)),
    ("review.override.reason_code", To::Member(member::REVIEW_REASON_CODE)),
    ("review.context_hash", To::ContextHash),
    ("prompt.template.hash", To::Member(member::PROMPT_TEMPLATE_HASH)),
    ("prompt.hash", To::PromptHash),
    ("input.hash", To::ClaimedHash(Side::Input)),
    ("output.hash", To::ClaimedHash(Side::Output)),
    ("retention.class", To::Member(member::RETENTION_CLAIMED)),
];

/// Every key of the namespace with both prefixes, where it goes and its rank.
pub(crate) fn keys() -> Vec<(String, To, u8)> {
    let mut own: Vec<(&str, To, u8)> = ALIASES.iter().map(|(key, to)| (*key, *to, 1)).collect();
    for member in Member::all().filter(|m| m.spec().standing == Standing::Keyed) {
        own.extend(by_path(member).filter(|_| !ALIASES.iter().any(|(key, _)| *key == member.path())).map(|to| (member.path(), to, 0)));
    }
    // No fallback of another dialect may outrank our own key: both ranks lie below every other.
    own.iter().flat_map(|(key, to, rank)| [PREFIX, ALIAS].map(|prefix| (format!("{prefix}{key}"), *to, *rank))).collect()
}

/// Where a claim at a record's path goes: what `ai_audit.<path>` means. `None`: no application can claim it.
pub(crate) fn to(path: &str) -> Option<To> {
    let member = Member::find(path).filter(|m| m.spec().standing == Standing::Keyed)?;
    ALIASES.iter().find(|(key, _)| *key == path).map(|(_, to)| *to).or_else(|| by_path(member))
}

fn by_path(member: Member) -> Option<To> {
    let side = match member {
        member::INPUT => Side::Input,
        member::OUTPUT => Side::Output,
        member::PROMPT_INSTRUCTIONS => Side::Instructions,
        member::TOOL_ARGUMENTS => Side::ToolArguments,
        member::TOOL_RESULT => Side::ToolResult,
        member::TOOL_DEFINITIONS => Side::ToolDefinitions,
        member::RETRIEVAL_QUERY => Side::Query,
        member::ERROR_MESSAGE => Side::ErrorMessage,
        member::ERROR_STACKTRACE => Side::Stacktrace,
        member::REVIEW_REASON => Side::ReviewReason,
        member::LINEAGE_VALUE => Side::LineageValue,
        member::EXPLANATION_TEXT => Side::ExplanationText,
        member::EVALUATION_EXPLANATION => Side::EvaluationExplanation,
        member::RETRIEVAL_DOCUMENTS => return Some(To::Documents),
        _ => {
            return match member.spec().kind {
                Type::Items => Some(To::Items(member)),
                Type::Content | Type::Map => None,
                _ => Some(To::Member(member)),
            };
        }
    };
    Some(To::Side(side, Look::Whole))
}

/// Groups that state an act: a span event or log with a key in one of them becomes a record of its own (`record.md` section 5, rule 6).
const ACTS: [&str; 5] = ["decision.", "review.", "guardrail.", "policy.", "evaluation."];

/// Whether a key or event name of ours names an act.
pub(crate) fn names_act(key: &[u8]) -> bool {
    let own = key.strip_prefix(PREFIX.as_bytes()).or_else(|| key.strip_prefix(ALIAS.as_bytes()));
    own.is_some_and(|own| ACTS.iter().any(|act| own.starts_with(act.as_bytes()) || Some(own) == act.as_bytes().strip_suffix(b".")))
}

/// The kind that an event's name states: `ai_audit.<group>` or `ai_audit.<group>.<what happened>`.
pub(crate) fn kind_of_event(name: &str) -> Option<member::Kind> {
    use member::Kind;
    let own = name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(ALIAS))?;
    Some(match own.split('.').next()? {
        "decision" => Kind::Decision,
        "review" => Kind::Review,
        "explanation" => Kind::Explanation,
        "lineage" | "data" => Kind::Lineage,
        "action" => Kind::Action,
        "guardrail" => Kind::Guardrail,
        // A policy that was applied is no change of a policy: those kinds belong to control records.
        "policy" => Kind::Event,
        "evaluation" => Kind::Evaluation,
        "inference" => Kind::Inference,
        "retrieval" => Kind::Retrieval,
        _ => return None,
    })
}

/// `review.status` that an event's name states (`gaps.md` 3.4).
pub(crate) fn review_status(name: &str) -> Option<&'static str> {
    match name.strip_prefix(PREFIX).or_else(|| name.strip_prefix(ALIAS))? {
        // Who is to review is known then; whether anybody began is not.
        "review.requested" | "review.assigned" => Some("pending"),
        "review.started" | "review.in_progress" => Some("in_progress"),
        "review.completed" => Some("completed"),
        "review.expired" => Some("expired"),
        "review.waived" => Some("waived"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is only asked for or begun has a status of its own, so that nobody takes it for done.
    #[test]
    fn the_name_of_an_event_states_how_far_a_review_is() {
        for (name, status) in [
            ("ai_audit.review.requested", Some("pending")),
            ("ai_audit.review.assigned", Some("pending")),
            ("ai_audit.review.started", Some("in_progress")),
            ("ai.audit.review.in_progress", Some("in_progress")),
            ("ai_audit.review.completed", Some("completed")),
            ("ai_audit.review.expired", Some("expired")),
            ("ai_audit.review.waived", Some("waived")),
            ("ai_audit.review", None),
            ("review.completed", None),
        ] {
            assert_eq!(review_status(name), status, "{name}");
        }
    }
}
