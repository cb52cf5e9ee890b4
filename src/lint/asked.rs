//! What is asked of records, by whom: the registry says which members a kind requires, this table adds what audits, supervisors and laws
//! look for besides, and for each member who does.
//!
//! Evidence *for* a duty, never compliance: whether a law applies, and what it demands of a system, is for its operator to find out. A
//! reference names a place to read; it quotes nothing. What depends on the case says on what ([`Asked::when`]).

use crate::record::registry::{self as member, Kind, Member};

/// A framework: its id, as `regulation.frameworks[]` spells it, and its name.
pub const FRAMEWORKS: &[(&str, &str)] = &[
    ("audit_trail", "What any audit trail of AI decisions is asked for"),
    ("eu_ai_act", "EU AI Act, Regulation (EU) 2024/1689 as amended"),
    ("gdpr", "GDPR, Regulation (EU) 2016/679"),
    ("model_risk", "Model risk management: SR 26-2 and OCC 2026-13, formerly SR 11-7"),
    ("ecoa", "ECOA with Regulation B, and FCRA: adverse action in credit"),
    ("us_employment", "Automated decisions in employment: California FEHA, Colorado SB 26-189, NYC LL 144"),
    ("fda_part_11", "FDA 21 CFR Part 11"),
    ("hipaa", "HIPAA, 45 CFR 164"),
    ("iso_42001", "ISO/IEC 42001"),
    ("finra", "SEC 17a-4 and FINRA 4511, with FINRA's oversight reports"),
];

/// Whether an id names a framework of the table.
pub fn is_framework(id: &str) -> bool {
    FRAMEWORKS.iter().any(|(known, _)| *known == id)
}

/// On what it depends that a member is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// On nothing: recommended for every record of the kind.
    Always,
    /// On another member being there.
    With(Member),
    /// On another member having this value (a boolean's text).
    Is(Member, &'static str),
    /// On the case; in words. Recommended all the same, because telemetry does not say.
    Case(&'static str),
}

/// Who asks: a framework and where to read.
pub(crate) type Ask = (&'static str, &'static str);

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// What is asked for.
    pub(crate) member: Member,
    /// Any of these does as well.
    pub(crate) or: &'static [Member],
    /// Of records of these kinds. Empty: the registry alone says of which.
    pub(crate) kinds: &'static [Kind],
    /// On a condition.
    pub(crate) when: When,
    /// A record of this kind about the same decision, or of the same trace, does as well.
    pub(crate) elsewhere: Option<Kind>,
    /// Who asks.
    pub(crate) by: &'static [Ask],
}

const fn asked(member: Member, kinds: &'static [Kind], by: &'static [Ask]) -> Asked {
    Asked { member, or: &[], kinds, when: When::Always, elsewhere: None, by }
}

impl Asked {
    const fn or(self, or: &'static [Member]) -> Asked {
        Asked { or, ..self }
    }
    const fn when(self, when: When) -> Asked {
        Asked { when, ..self }
    }
    const fn elsewhere(self, kind: Kind) -> Asked {
        Asked { elsewhere: Some(kind), ..self }
    }
}

const INFERENCE: &[Kind] = &[Kind::Inference];
const DECISION: &[Kind] = &[Kind::Decision];
const REVIEW: &[Kind] = &[Kind::Review];
const MODELS: &[Kind] = &[Kind::Inference, Kind::Embedding, Kind::Rerank, Kind::Decision];
const STEPS: &[Kind] = &[Kind::Agent, Kind::Workflow, Kind::Tool];

/// The table, by what the members are about.
pub(crate) const ASKED: &[Asked] = &[
    // Who, when, where.
    asked(member::SOURCE_SERVICE, &[], &[("audit_trail", "which component acted"), ("eu_ai_act", "Art. 12(1)")]),
    asked(member::TIME_START, &[], &[("audit_trail", "time-stamped entries"), ("eu_ai_act", "Art. 12(1)"), ("iso_42001", "A.6.2.8")]),
    asked(member::TRACE_TRACE_ID, &[], &[("audit_trail", "one trace id through all steps")]),
    asked(member::SOURCE_SERVICE_VERSION, MODELS, &[("audit_trail", "environment and configuration"), ("iso_42001", "A.6.2.8")]),
    asked(member::SOURCE_ENVIRONMENT, MODELS, &[("audit_trail", "environment and configuration")]),
    asked(member::ACTOR_USER_ID, INFERENCE, &[("audit_trail", "who used the system"), ("hipaa", "164.312(b)"), ("finra", "supervision")])
        .or(&[member::ACTOR_AGENT_ID, member::ACTOR_AGENT_NAME])
        .when(When::Case("a person uses the system")),
    asked(member::ACTOR_CONVERSATION_ID, INFERENCE, &[("audit_trail", "prior context")]).or(&[member::ACTOR_SESSION_ID]),
    asked(member::ACTOR_AGENT_NAME, &[Kind::Agent], &[("audit_trail", "which agent acted"), ("finra", "agent actions")]),
    asked(member::ACTOR_AGENT_VERSION, &[Kind::Agent], &[("audit_trail", "version in force at each step"), ("finra", "agent actions")]),
    // The model.
    asked(member::MODEL_ID, &[], &[("audit_trail", "which model decided"), ("eu_ai_act", "Art. 12(1)"), ("model_risk", "inventory")]),
    asked(
        member::MODEL_VERSION,
        &[],
        &[
            ("audit_trail", "model version in every entry"),
            ("eu_ai_act", "Art. 12(1), 18"),
            ("model_risk", "change log"),
            ("finra", "model version tracking"),
        ],
    ),
    asked(member::MODEL_PROVIDER, &[], &[("gdpr", "Art. 30: processors"), ("model_risk", "vendor models")]),
    asked(
        member::MODEL_CHECKSUM,
        &[Kind::Inference, Kind::Decision],
        &[("audit_trail", "model checksum in every entry"), ("model_risk", "change log")],
    )
    .or(&[member::MODEL_FINGERPRINT])
    .when(When::Case("you host the model")),
    asked(member::MODEL_INVENTORY_ID, DECISION, &[("model_risk", "inventory")]),
    asked(
        member::MODEL_TRAINING_DATA_VERSION,
        DECISION,
        &[("audit_trail", "training data of the model"), ("eu_ai_act", "Annex IV 2"), ("us_employment", "version identifiers")],
    )
    .or(&[member::MODEL_TRAINING_DATA_ID, member::MODEL_TRAINING_DATA_CHECKSUM])
    .when(When::Case("you trained the model")),
    // The prompt, input and output.
    asked(member::PROMPT_HASH, &[], &[("audit_trail", "prompt hash of each inference")]),
    asked(member::PROMPT_VERSION, INFERENCE, &[("audit_trail", "what the instructions said on a day"), ("eu_ai_act", "Art. 18: changes")])
        .or(&[member::PROMPT_TEMPLATE_HASH]),
    asked(member::PROMPT_NAME, INFERENCE, &[("audit_trail", "prompt changelog")]).or(&[member::PROMPT_TEMPLATE_HASH]),
    asked(
        member::INPUT,
        &[],
        &[("audit_trail", "input by hash and reference"), ("eu_ai_act", "Art. 12(2)"), ("finra", "prompt and output logs")],
    ),
    asked(
        member::OUTPUT,
        &[],
        &[("audit_trail", "output of each inference"), ("eu_ai_act", "Art. 12(2)"), ("finra", "prompt and output logs")],
    ),
    // The decision and how sure it was.
    asked(member::DECISION_OUTCOME, &[], &[("audit_trail", "what was decided"), ("eu_ai_act", "Art. 86"), ("ecoa", "12 CFR 1002.12(b)")]),
    asked(member::DECISION_TYPE, DECISION, &[("audit_trail", "decision type"), ("gdpr", "Art. 22")]),
    asked(member::DECISION_ID, &[], &[("audit_trail", "event id that links all records")]),
    asked(member::DECISION_AUTOMATION_LEVEL, DECISION, &[("gdpr", "Art. 22"), ("eu_ai_act", "Art. 14"), ("us_employment", "notice")]),
    asked(member::DECISION_AUTHORITY, DECISION, &[("audit_trail", "on whose authority")]),
    asked(member::CONFIDENCE_SCORE, INFERENCE, &[("audit_trail", "confidence at decision time"), ("eu_ai_act", "Art. 15")])
        .when(When::Case("the model yields one")),
    asked(member::CONFIDENCE_METHOD, &[Kind::Inference, Kind::Decision], &[("audit_trail", "how the confidence was found")])
        .when(When::With(member::CONFIDENCE_SCORE)),
    asked(member::CONFIDENCE_THRESHOLD, DECISION, &[("audit_trail", "the threshold in force"), ("eu_ai_act", "Art. 14")]),
    // Policy and rules.
    asked(member::POLICY_ID, &[], &[("audit_trail", "policy in force"), ("model_risk", "policies")]),
    asked(member::POLICY_VERSION, &[], &[("audit_trail", "policy in force"), ("model_risk", "policies")]),
    asked(member::POLICY_ID, STEPS, &[("audit_trail", "policy in force at each step")]).or(&[member::POLICY_NAME]),
    asked(member::SYSTEM_RISK_CLASS, &[], &[("eu_ai_act", "Art. 6")]),
    asked(member::SYSTEM_ID, DECISION, &[("audit_trail", "which AI system"), ("eu_ai_act", "Art. 49")])
        .or(&[member::SYSTEM_REGISTRATION_ID]),
    asked(member::SYSTEM_USE_CASE, DECISION, &[("eu_ai_act", "Annex III")]),
    asked(member::REGULATION_FRAMEWORKS, DECISION, &[("audit_trail", "regulatory context")]),
    asked(member::GUARDRAIL_OUTCOME, &[], &[("audit_trail", "what a guard said")]),
    asked(member::GUARDRAIL_NAME, &[Kind::Guardrail], &[("audit_trail", "which guard")]).or(&[member::GUARDRAIL_ID]),
    asked(member::GUARDRAIL_VERSION, &[Kind::Guardrail], &[("audit_trail", "version in force at each step")]).or(&[member::GUARDRAIL_HASH]),
    // Human oversight.
    asked(member::REVIEW_REQUIRED, DECISION, &[("audit_trail", "the human gate"), ("eu_ai_act", "Art. 14"), ("gdpr", "Art. 22(3)")])
        .elsewhere(Kind::Review),
    asked(member::REVIEW_DEADLINE, DECISION, &[("audit_trail", "the human gate")]).when(When::Is(member::REVIEW_REQUIRED, "true")),
    asked(
        member::REVIEW_DECISION,
        &[],
        &[("audit_trail", "what the reviewer decided"), ("eu_ai_act", "Art. 14(4)"), ("fda_part_11", "11.50: meaning")],
    ),
    asked(
        member::REVIEW_REVIEWER_ID,
        &[],
        &[("audit_trail", "who reviewed"), ("eu_ai_act", "Art. 14(5), 26(2)"), ("fda_part_11", "11.50: signer")],
    ),
    asked(
        member::REVIEW_REVIEWER_KIND,
        &[],
        &[("eu_ai_act", "Art. 14"), ("gdpr", "Art. 22(3)"), ("us_employment", "meaningful human review")],
    ),
    asked(member::REVIEW_REVIEWER_ROLE, REVIEW, &[("audit_trail", "reviewer's role"), ("eu_ai_act", "Art. 26(2)")]),
    asked(member::REVIEW_STATUS, REVIEW, &[("audit_trail", "the human gate")]),
    asked(member::REVIEW_COMPLETED_AT, REVIEW, &[("audit_trail", "when it was reviewed"), ("fda_part_11", "11.50: time")])
        .when(When::Is(member::REVIEW_STATUS, "completed")),
    asked(member::REVIEW_STARTED_AT, REVIEW, &[("audit_trail", "time to review: rubber stamps"), ("eu_ai_act", "Art. 14(4)(b)")])
        .when(When::Is(member::REVIEW_STATUS, "completed")),
    asked(member::REVIEW_ORIGINAL_OUTCOME, REVIEW, &[("audit_trail", "recommendation and human decision")])
        .when(When::Is(member::REVIEW_STATUS, "completed")),
    asked(member::REVIEW_FINAL_OUTCOME, REVIEW, &[("audit_trail", "recommendation and human decision")])
        .when(When::Is(member::REVIEW_STATUS, "completed")),
    asked(member::REVIEW_REASON, REVIEW, &[("audit_trail", "why it was overridden"), ("eu_ai_act", "Art. 14(4)(d)")])
        .or(&[member::REVIEW_REASON_CODE])
        .when(When::Is(member::REVIEW_OVERRIDDEN, "true")),
    // Why.
    asked(
        member::EXPLANATION_TEXT,
        DECISION,
        &[
            ("audit_trail", "explanation per decision"),
            ("eu_ai_act", "Art. 13, 86"),
            ("gdpr", "Art. 15(1)(h)"),
            ("us_employment", "post-adverse notice"),
        ],
    )
    .or(&[member::EXPLANATION_REFERENCE])
    .elsewhere(Kind::Explanation),
    asked(member::EXPLANATION_REASON_CODES, DECISION, &[("ecoa", "12 CFR 1002.9(b)(2)")])
        .or(&[member::EXPLANATION_ATTRIBUTIONS])
        .when(When::Case("it is about credit"))
        .elsewhere(Kind::Explanation),
    asked(member::EXPLANATION_METHOD, &[], &[("audit_trail", "how the explanation was found")]),
    asked(member::EXPLANATION_TEXT, &[Kind::Explanation], &[("audit_trail", "plain-language summary")])
        .or(&[member::EXPLANATION_REFERENCE]),
    asked(member::EXPLANATION_VERSION, &[Kind::Explanation], &[("audit_trail", "explainer pinned by version")]),
    asked(member::EXPLANATION_GENERATED_AT, &[Kind::Explanation], &[("audit_trail", "made at inference time")]),
    // Data.
    asked(member::SUBJECT_ID, DECISION, &[("gdpr", "Art. 15"), ("ecoa", "12 CFR 1002.12(b)"), ("hipaa", "164.528")])
        .when(When::Case("it is about a person")),
    asked(member::LINEAGE_DATA_SOURCES, DECISION, &[("audit_trail", "where the input came from"), ("eu_ai_act", "Art. 10, 12")])
        .elsewhere(Kind::Lineage),
    asked(member::LINEAGE_LAWFUL_BASIS, DECISION, &[("gdpr", "Art. 5, 6"), ("audit_trail", "lawful basis per feature")])
        .when(When::Case("personal data is used"))
        .elsewhere(Kind::Lineage),
    asked(member::LINEAGE_LAWFUL_BASIS, &[], &[("gdpr", "Art. 5, 6"), ("audit_trail", "lawful basis per feature")]),
    asked(member::LINEAGE_PURPOSE, &[], &[("gdpr", "Art. 5(1)(b)")]),
    asked(member::LINEAGE_DATA_SOURCES, &[Kind::Lineage], &[("audit_trail", "source per feature")])
        .or(&[member::LINEAGE_DERIVATION_INPUTS]),
    asked(member::LINEAGE_CONSENT_ID, &[Kind::Decision, Kind::Lineage], &[("gdpr", "Art. 7(1)")])
        .when(When::Is(member::LINEAGE_LAWFUL_BASIS, "consent")),
    // Retrieval, tools, judgements, acts.
    asked(member::RETRIEVAL_QUERY, &[], &[("audit_trail", "what was looked up")]),
    asked(member::RETRIEVAL_DOCUMENTS, &[Kind::Retrieval, Kind::Rerank], &[("audit_trail", "documents retrieved")]),
    asked(member::RETRIEVAL_DATA_SOURCE_ID, &[Kind::Retrieval], &[("audit_trail", "data sources queried")]),
    asked(member::TOOL_NAME, &[], &[("audit_trail", "downstream action per step"), ("finra", "agent actions")]),
    asked(member::TOOL_ARGUMENTS, &[Kind::Tool], &[("audit_trail", "input context at each step"), ("finra", "agent actions")]),
    asked(member::TOOL_RESULT, &[Kind::Tool], &[("audit_trail", "downstream action per step"), ("finra", "agent actions")]),
    asked(member::EVALUATION_NAME, &[], &[("eu_ai_act", "Art. 15, 72"), ("model_risk", "outcome analysis")]),
    asked(member::EVALUATION_SCORE, &[Kind::Evaluation], &[("model_risk", "outcome analysis")]).or(&[member::EVALUATION_LABEL]),
    asked(member::EVALUATION_EVALUATOR, &[Kind::Evaluation], &[("model_risk", "outcome analysis")]),
    asked(member::ACTION_NAME, &[], &[("audit_trail", "what was done because of the decision")]),
    asked(member::ACTION_STATUS, &[], &[("audit_trail", "what was done because of the decision")]),
    asked(member::ACTION_NAME, DECISION, &[("audit_trail", "what was done because of the decision")]).elsewhere(Kind::Action),
];

/// Who asks for a member, in records of one kind or of any. Rows without kinds speak of those that the registry names.
pub(crate) fn asks_for(path: &str, kind: Option<&str>) -> Vec<Ask> {
    let mut asks: Vec<Ask> = Vec::new();
    let of_kind = |row: &&Asked| {
        let required = || row.member.spec().required.iter();
        kind.is_none_or(|kind| {
            row.kinds.iter().any(|k| k.as_str() == kind) || row.kinds.is_empty() && required().any(|k| k.as_str() == kind)
        })
    };
    for row in ASKED.iter().filter(|row| row.member.path() == path).filter(of_kind) {
        asks.extend(row.by.iter().filter(|ask| !asks.contains(ask)).copied().collect::<Vec<_>>());
    }
    asks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: the registry begins to require a member, or a row names a framework that is none. Guarantee: it is noticed here.
    #[test]
    fn every_required_member_says_who_asks_and_every_asker_is_known() {
        for member in Member::all().filter(|m| !m.spec().required.is_empty()) {
            assert!(!asks_for(member.path(), None).is_empty(), "nobody asks for {}", member.path());
        }
        for row in ASKED {
            let known = row.by.iter().all(|(framework, place)| is_framework(framework) && !place.is_empty());
            assert!(known && !row.by.is_empty(), "{}", row.member.path());
            // What the registry requires is named by every record itself; asking again would count it twice.
            let twice = row.kinds.iter().find(|kind| row.member.spec().required.contains(kind));
            assert!(twice.is_none(), "{} is required of {twice:?} already", row.member.path());
        }
    }
}
