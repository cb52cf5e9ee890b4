use super::*;
use crate::record::canonical::compare_names;

/// `record.md` section 2, copied by hand: group, then its members.
const RECORD_MD: &[(&str, &str)] = &[
    ("", "schema id kind"),
    ("time", "start end received duration_ms to_first_chunk"),
    ("trace", "trace_id span_id parent_span_id name span_kind links links[].trace_id links[].span_id links[].relation"),
    (
        "source",
        "signal service service_namespace service_version environment instance scope scope_version event_name dialects resource peer.id \
         peer.method",
    ),
    ("system", "id use_case risk_class operator_role registration_id application_id"),
    (
        "model",
        "provider id requested version checksum type fingerprint inventory_id training_data.id training_data.version \
         training_data.checksum training_data.cutoff",
    ),
    ("prompt", "name version hash hash_source template_hash template_hash_source instructions"),
    (
        "parameters",
        "max_tokens top_k seed choice_count temperature top_p frequency_penalty presence_penalty stream reasoning_level output_type \
         stop_sequences",
    ),
    ("", "input output"),
    ("output", "finish_reasons choices refusal from_cache response_id"),
    (
        "decision",
        "id type outcome band automation_level authority purpose score answers answers[].name answers[].outcome answers[].score \
         answers[].confidence answers[].threshold",
    ),
    ("confidence", "score threshold method threshold_source of threshold_met interval.lower interval.upper interval.level"),
    ("actor", "user_id role session_id conversation_id agent.id agent.name agent.version workflow"),
    ("subject", "id type"),
    (
        "usage",
        "input_tokens output_tokens total_tokens cache_read_input_tokens cache_write_input_tokens reasoning_output_tokens cost currency \
         aggregate",
    ),
    ("retrieval", "query data_source_id top_k documents documents[].id documents[].score documents[].content"),
    ("tool", "name type call_id arguments result definitions"),
    ("guardrail", "id name version hash outcome score categories"),
    ("policy", "id name version hash outcome"),
    ("regulation", "frameworks jurisdictions"),
    (
        "review",
        "id type trigger status decision reason_code original_outcome final_outcome context_hash required overridden deadline_met deadline \
         started_at completed_at original_score final_score reason documents reviewer.id reviewer.role reviewer.kind",
    ),
    (
        "lineage",
        "id feature purpose lawful_basis special_category_condition residency run_id value data_sources categories consent.id \
         consent.version consent.status derivation.type derivation.formula derivation.inputs derivation.inputs[].field \
         derivation.inputs[].source derivation.inputs[].record_id derivation.inputs[].collected_at derivation.inputs[].lawful_basis \
         derivation.inputs[].consent_id derivation.inputs[].retention_policy",
    ),
    (
        "explanation",
        "id method version language audience reference hash baseline generated_at reason_codes attributions attributions[].feature \
         attributions[].value attributions[].attribution attributions[].direction text",
    ),
    ("evaluation", "name label evaluator score explanation"),
    ("action", "id name status target.id target.type reversible"),
    ("error", "type code status message stacktrace"),
    ("change", "object version reference before after by approval.by approval.at approval.reference reason"),
    ("control", "act target filter ground ticket by from count"),
    ("retention", "class policies claimed"),
    ("evidence", "missing derived dropped.attributes dropped.events dropped.links withheld late_ms scrubbed truncated conflicts writer"),
    ("", "attributes rest"),
];

/// Scenario: the contract's table and the registry are compared, both ways. Guarantee: no member is missing, none is ours alone.
#[test]
fn the_registry_is_the_table_of_the_contract() {
    let mut expected: Vec<String> = Vec::new();
    for (group, names) in RECORD_MD {
        expected.extend(names.split_whitespace().map(|n| if group.is_empty() { n.to_owned() } else { format!("{group}.{n}") }));
    }
    expected.sort();
    let ours: Vec<&str> = TABLE.iter().map(|s| s.path).collect();
    assert_eq!(ours, expected);
}

/// Guarantee: position is canonical order, and no path stands twice.
#[test]
fn the_table_is_sorted_as_jcs_sorts() {
    for pair in TABLE.windows(2) {
        let (a, b) = (pair[0].path, pair[1].path);
        assert!(a < b, "{a} {b}");
        let by_segment = a.split('.').zip(b.split('.')).map(|(x, y)| compare_names(x, y)).find(|o| o.is_ne());
        assert!(by_segment.is_none_or(|o| o.is_lt()), "{a} {b}");
    }
    // A record keeps one bit a member (`builder::Record`).
    assert!(TABLE.len() <= 256);
    assert_eq!(Member::find("model.id"), Some(MODEL_ID));
    assert_eq!(MODEL_ID.path(), "model.id");
    assert_eq!(Member::find("no.such"), None);
    assert_eq!(MODEL_TRAINING_DATA_ID.split(), ("model.training_data", "id"));
    assert_eq!(SCHEMA.split(), ("", "schema"));
}

#[test]
fn facts_are_those_of_the_contract() {
    let facts: Vec<&str> =
        TABLE.iter().filter(|s| s.standing == Standing::Fact && !s.path.starts_with("evidence.")).map(|s| s.path).collect();
    assert_eq!(
        facts,
        [
            "id",
            "retention.class",
            "retention.policies",
            "schema",
            "source.dialects",
            "source.peer.id",
            "source.peer.method",
            "source.signal",
            "time.received"
        ]
    );
    for spec in TABLE.iter().filter(|s| s.standing == Standing::Keyed) {
        let group = spec.path.split('.').next().unwrap();
        assert!(!["time", "trace", "source", "retention", "evidence", "control", "change"].contains(&group), "{}", spec.path);
    }
}

#[test]
fn content_members_are_registered_below_content_only() {
    assert!(is_registered("input.hash") && is_registered("retrieval.documents[].content.bytes"));
    assert!(!is_registered("input.text") && !is_registered("model.hash") && !is_registered("hash"));
}
