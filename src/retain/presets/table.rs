//! The presets. A period that changes gets a new `as_of`: the configuration on record then changes too, by a record of its own.

use super::{Preset, Scope};
use crate::worm::Mode;

const AI_ACT: &str = "Regulation (EU) 2024/1689 (AI Act), as amended by Regulation (EU) 2026/1744";
const AI_ACT_SOURCE: &str = "https://eur-lex.europa.eu/eli/reg/2024/1689/oj";
const AI_ACT_DATES: &str = "The dates are those of the amending Regulation (EU) 2026/1744 (https://eur-lex.europa.eu/eli/reg/2026/1744/oj); the text \
                            at the source that is named has older ones.";
const AI_ACT_FROM: &str = "2 December 2027 for Annex III systems, 2 August 2028 for Annex I";
const BROKERS: &str = "SEC Rule 17a-4 (17 CFR 240.17a-4), broker-dealers";
const BROKERS_SOURCE: &str = "https://www.ecfr.gov/current/title-17/section-240.17a-4";
const AS_OF: &str = "2026-11-20";
const NOT_THE_TEXT: &str = "The source that is named says where the text is published, and is not the text.";
const RECORD: &str = "the record";

/// What most have in common.
const EVIDENCE: Preset = Preset {
    id: "",
    law: "",
    article: "",
    scope: Scope::Evidence,
    trigger: RECORD,
    from_record: true,
    minimum: None,
    minimum_says: "",
    suggested: None,
    suggested_why: None,
    mode: Mode::Compliance,
    when: None,
    fields: &[],
    as_of: AS_OF,
    applies_from: "in force",
    source: "",
    checked: true,
    remarks: &[],
};

/// Every preset, in the order in which `spanseal retention presets` lists them.
pub static PRESETS: &[Preset] = &[
    Preset {
        id: "eu-ai-act-provider-logs",
        law: AI_ACT,
        article: "Art. 19(1) with Art. 12(1): logs that a provider of a high-risk system keeps",
        minimum: Some("6mo"),
        minimum_says: "at least six months, unless other law says otherwise",
        suggested: Some("24mo"),
        fields: &["time.start", "system.id", "model.id", "model.version"],
        applies_from: AI_ACT_FROM,
        source: AI_ACT_SOURCE,
        remarks: &[
            AI_ACT_DATES,
            "Art. 12 asks for automatic recording of events. It says nothing about how records are protected; that they are locked here is not \
             its demand.",
            "Financial institutions keep these logs as part of what financial services law has them document (Art. 19(2); not checked).",
        ],
        ..EVIDENCE
    },
    Preset {
        id: "eu-ai-act-deployer-logs",
        law: AI_ACT,
        article: "Art. 26(6): logs that a deployer of a high-risk system keeps",
        minimum: Some("6mo"),
        minimum_says: "at least six months, unless other law says otherwise",
        suggested: Some("24mo"),
        fields: &["time.start", "system.id", "model.id", "model.version", "decision.outcome", "review.reviewer.id"],
        applies_from: AI_ACT_FROM,
        source: AI_ACT_SOURCE,
        remarks: &[AI_ACT_DATES, "For logs that are under the deployer's control."],
        ..EVIDENCE
    },
    Preset {
        id: "eu-ai-act-technical-docs",
        law: AI_ACT,
        article: "Art. 18: technical documentation, quality management, changes, decisions of notified bodies, declaration",
        trigger: "that version is placed on the market or put into service",
        from_record: false,
        minimum: Some("10y"),
        minimum_says: "ten years",
        suggested: Some("10y"),
        when: Some(
            "record.kind in [\"model_version\", \"deployment\", \"prompt_version\", \"dataset_version\", \"training\", \"policy\", \
             \"config_change\"]",
        ),
        fields: &["model.id", "model.version", "change.object", "change.version", "change.approval.by"],
        applies_from: AI_ACT_FROM,
        source: AI_ACT_SOURCE,
        remarks: &[AI_ACT_DATES, "The records point to the documentation; they are not the documentation."],
        ..EVIDENCE
    },
    Preset {
        id: "eu-ai-act-biometric-rbi",
        law: AI_ACT,
        article: "Art. 12(3) with Art. 14(5): remote biometric identification (Annex III 1(a))",
        minimum: Some("6mo"),
        minimum_says: "at least six months (Art. 19(1), 26(6))",
        suggested: Some("24mo"),
        fields: &["time.start", "time.end", "lineage.data_sources", "input", "review.reviewer.id"],
        applies_from: AI_ACT_FROM,
        source: AI_ACT_SOURCE,
        remarks: &[
            AI_ACT_DATES,
            "Art. 12(3) names the least that is logged: start and end of each use, the reference database, the input data that led to a match, \
             and the natural persons who verified the result; Art. 14(5) asks for two of them.",
        ],
        ..EVIDENCE
    },
    Preset {
        id: "gdpr-storage-limited",
        law: "Regulation (EU) 2016/679 (GDPR)",
        article: "Art. 5(1)(e): storage limitation",
        scope: Scope::Content,
        trigger: "the purpose has ended",
        from_record: false,
        minimum_says: "none; the controller sets a maximum",
        mode: Mode::Governance,
        source: "https://eur-lex.europa.eu/eli/reg/2016/679/oj",
        remarks: &[
            "It limits how long content that identifies persons is kept: `content.vault.retention`, and `spanseal erase` before that.",
        ],
        ..EVIDENCE
    },
    Preset {
        id: "sec-17a4-6y",
        law: BROKERS,
        article: "17a-4(a) and (f)",
        minimum: Some("6y"),
        minimum_says: "six years, the first two easily accessible",
        suggested: Some("6y"),
        fields: &["time.start", "model.version", "prompt.hash", "output"],
        applies_from: "in force; the form of 17a-4(f) since 3 May 2023",
        source: BROKERS_SOURCE,
        checked: false,
        remarks: &[
            "17a-4(f) lets a firm choose between write-once storage and a complete audit trail of changes.",
            "It asks for more than a period: an undertaking by an officer or third party, an index, a duplicate, and download in a usable form.",
        ],
        ..EVIDENCE
    },
    Preset {
        id: "sec-17a4-3y",
        law: BROKERS,
        article: "17a-4(b) and (f)",
        minimum: Some("3y"),
        minimum_says: "three years, the first two easily accessible",
        suggested: Some("3y"),
        fields: &["time.start", "model.version", "prompt.hash", "output"],
        applies_from: "in force; the form of 17a-4(f) since 3 May 2023",
        source: BROKERS_SOURCE,
        checked: false,
        remarks: &["17a-4(f) lets a firm choose between write-once storage and a complete audit trail of changes."],
        ..EVIDENCE
    },
    Preset {
        id: "finra-4511",
        law: "FINRA Rule 4511",
        article: "4511(b) and (c)",
        minimum: Some("6y"),
        minimum_says: "six years where no other period is named",
        suggested: Some("6y"),
        fields: &["time.start", "model.version", "prompt.hash", "output", "review.reviewer.id"],
        source: "https://www.finra.org/rules-guidance/rulebooks/finra-rules/4511",
        checked: false,
        remarks: &["FINRA's oversight report of December 2025 expects prompt and output logs and model versions; it is not a rule."],
        ..EVIDENCE
    },
    Preset {
        id: "cftc-1.31",
        law: "CFTC Regulation 1.31 (17 CFR 1.31)",
        article: "1.31(b)",
        minimum: Some("5y"),
        minimum_says: "five years; for swaps the life of the swap and five years (the latter not checked)",
        suggested: Some("5y"),
        fields: &["time.start", "model.version"],
        applies_from: "in force in its present form since 28 August 2017",
        source: "https://www.ecfr.gov/current/title-17/section-1.31",
        remarks: &["For swaps the clock starts when the swap ends, which no record knows: extend these records when it does."],
        ..EVIDENCE
    },
    Preset {
        id: "bank-model-risk",
        law: "SR 26-2 / OCC 2026-13 (supervisory guidance on model risk management, of 17 April 2026; before it SR 11-7)",
        article: "guidance, without a period",
        trigger: "the model is retired",
        from_record: false,
        minimum_says: "none; the bank's own policy decides",
        mode: Mode::Compliance,
        fields: &["model.id", "model.version", "model.inventory_id", "confidence.score", "review.overridden"],
        applies_from: "guidance since 17 April 2026",
        source: "https://www.federalreserve.gov/supervisionreg/srletters/srletters.htm",
        checked: false,
        remarks: &[
            NOT_THE_TEXT,
            "A common choice is the life of the model and seven years; name a `period`.",
            "The guidance leaves generative and agentic AI out until a request for information is answered; readers differ.",
        ],
        ..EVIDENCE
    },
    Preset {
        id: "fda-part11",
        law: "21 CFR Part 11",
        article: "11.10(e)",
        trigger: "what the predicate rule names",
        from_record: false,
        minimum_says: "as long as the record that the audit trail is about",
        fields: &["review.reviewer.id", "review.completed_at", "review.decision", "time.start"],
        source: "https://www.ecfr.gov/current/title-21/part-11",
        remarks: &["Name a `period`: the predicate rule decides, as 21 CFR 312.57 or 812.140 do (their periods are not checked here)."],
        ..EVIDENCE
    },
    Preset {
        id: "hipaa-6y",
        law: "HIPAA Security Rule (45 CFR Part 164)",
        article: "164.316(b)(2)(i)",
        trigger: "creation of the documentation, or when it was last in effect",
        from_record: false,
        minimum: Some("6y"),
        minimum_says: "six years for documentation",
        suggested: Some("6y"),
        fields: &["time.start", "subject.id", "actor.user_id", "model.provider", "lineage.purpose"],
        source: "https://www.ecfr.gov/current/title-45/section-164.316",
        remarks: &["The department has not said that every line of a log is documentation."],
        ..EVIDENCE
    },
    Preset {
        id: "iso-42001",
        law: "ISO/IEC 42001:2023",
        article: "Annex A, A.6.2.8 (recording of event logs)",
        minimum_says: "none; the organisation decides, at least while the system is in use",
        suggested: Some("36mo"),
        mode: Mode::Governance,
        fields: &["time.start", "model.id", "model.version"],
        applies_from: "a standard: where it was adopted",
        source: "https://www.iso.org/standard/81230.html",
        checked: false,
        remarks: &[NOT_THE_TEXT],
        ..EVIDENCE
    },
    Preset {
        id: "dpdp-1y",
        law: "Digital Personal Data Protection Act 2023 and Rules 2025 (India)",
        article: "Rule 8(3) and Rule 6",
        trigger: "the processing",
        minimum: Some("1y"),
        minimum_says: "one year for personal data, traffic data and logs; then erasure",
        suggested: Some("1y"),
        fields: &["time.start", "subject.id", "lineage.purpose"],
        applies_from: "13 to 14 May 2027",
        source: "https://www.meity.gov.in",
        checked: false,
        remarks: &[
            NOT_THE_TEXT,
            "After that year the personal data is to be erased: `content.vault.retention` and `spanseal erase` do that, not this class.",
        ],
        ..EVIDENCE
    },
    Preset {
        id: "dpdp-consent-manager",
        law: "Digital Personal Data Protection Act 2023 and Rules 2025 (India)",
        article: "record of consents of a consent manager",
        trigger: "the consent",
        minimum: Some("7y"),
        minimum_says: "seven years",
        suggested: Some("7y"),
        when: Some("has(record.lineage.consent.id)"),
        fields: &["lineage.consent.id", "lineage.consent.version", "lineage.consent.status"],
        applies_from: "13 to 14 May 2027",
        source: "https://www.meity.gov.in",
        checked: false,
        remarks: &[NOT_THE_TEXT],
        ..EVIDENCE
    },
    Preset {
        id: "us-ecoa-25m",
        law: "Equal Credit Opportunity Act, Regulation B (12 CFR Part 1002)",
        article: "1002.12(b)",
        trigger: "the applicant is notified of the action taken",
        from_record: false,
        minimum: Some("25mo"),
        minimum_says: "25 months; 12 months for business credit",
        suggested: Some("5y"),
        fields: &["decision.outcome", "decision.score", "explanation.reason_codes", "subject.id"],
        source: "https://www.ecfr.gov/current/title-12/section-1002.12",
        ..EVIDENCE
    },
    Preset {
        id: "us-ca-feha-ads-4y",
        law: "California FEHA regulations on automated decision systems",
        article: "records of automated decision systems in employment",
        trigger: "the record, or the personnel action where that is later",
        from_record: false,
        minimum: Some("4y"),
        minimum_says: "four years for data, selection criteria, outputs and audit findings",
        suggested: Some("4y"),
        fields: &["decision.outcome", "decision.score", "model.version", "subject.id"],
        applies_from: "1 October 2025",
        source: "https://calcivilrights.ca.gov",
        checked: false,
        remarks: &[NOT_THE_TEXT],
        ..EVIDENCE
    },
    Preset {
        id: "us-co-sb26-189-3y",
        law: "Colorado SB 26-189",
        article: "C.R.S. 6-1-1702(4) (developers)",
        minimum: Some("3y"),
        minimum_says: "three years, with version identifiers and changelogs",
        suggested: Some("3y"),
        fields: &["decision.outcome", "model.version", "prompt.version", "explanation.reason_codes", "review.reviewer.id"],
        applies_from: "1 January 2027",
        source: "https://leg.colorado.gov/bills/sb26-189",
        ..EVIDENCE
    },
    Preset {
        id: "us-eeoc-1y",
        law: "29 CFR 1602.14",
        article: "1602.14",
        trigger: "the record, or the personnel action where that is later",
        from_record: false,
        minimum: Some("1y"),
        minimum_says: "one year",
        suggested: Some("4y"),
        fields: &["decision.outcome", "subject.id"],
        source: "https://www.ecfr.gov/current/title-29/section-1602.14",
        checked: false,
        ..EVIDENCE
    },
    Preset {
        id: "nyc-ll144",
        law: "New York City Local Law 144 of 2021",
        article: "bias audit of automated employment decision tools",
        trigger: "the audit",
        from_record: false,
        minimum_says: "none for logs; an audit each year, its summary published",
        suggested: Some("4y"),
        fields: &["decision.outcome", "decision.score", "model.version"],
        source: "https://www.nyc.gov/site/dca/about/automated-employment-decision-tools.page",
        checked: false,
        ..EVIDENCE
    },
    Preset {
        id: "sox-7y",
        law: "17 CFR 210.2-06 (Sarbanes-Oxley Act, section 802)",
        article: "210.2-06",
        trigger: "the audit or review is concluded",
        from_record: false,
        minimum: Some("7y"),
        minimum_says: "seven years for what auditors relied on",
        suggested: Some("7y"),
        fields: &["change.object", "change.version", "change.by", "change.approval.by"],
        source: "https://www.ecfr.gov/current/title-17/section-210.2-06",
        checked: false,
        ..EVIDENCE
    },
    Preset {
        id: "dora-5y",
        law: "Regulation (EU) 2022/2554 (DORA)",
        article: "records of ICT incidents",
        minimum_says: "no period was found in the text; five years is what others use",
        suggested: Some("5y"),
        suggested_why: Some("what others use; no period was found in the text"),
        fields: &["time.start", "error.type", "model.version"],
        applies_from: "17 January 2025",
        source: "https://eur-lex.europa.eu/eli/reg/2022/2554/oj",
        checked: false,
        ..EVIDENCE
    },
    Preset {
        id: "legal-hold",
        law: "any order to preserve",
        article: "the order",
        scope: Scope::Hold,
        trigger: "the order",
        from_record: false,
        minimum_says: "until it is released",
        applies_from: "with the order",
        source: "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html",
        remarks: &["A hold lies on top of every class and has no date; it is no class, and `retention.presets` does not take it."],
        ..EVIDENCE
    },
];
