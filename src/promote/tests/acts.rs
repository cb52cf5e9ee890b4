//! Records that are not spans: events that state an act, and logs.

use super::*;
use crate::promote::testing::{event, log, span};

#[test]
fn an_event_that_states_an_act_is_its_own_record() {
    let mut bytes = span("chat", &[("gen_ai.operation.name", Any::text("chat"))]);
    bytes.extend(event("First Token", 5, &[("n", Any::int(1))]));
    bytes.extend(event("ai_audit.decision", 1_795_187_346_000_000_009, &[("ai_audit.decision.outcome", Any::text("declined"))]));
    bytes.extend(event(
        "gen_ai.evaluation.result",
        7,
        &[
            ("gen_ai.evaluation.name", Any::text("toxicity")),
            ("gen_ai.evaluation.score.value", Any::double(0.1)),
            ("gen_ai.evaluation.explanation", Any::text("fine")),
        ],
    ));
    let (records, _, _) = lines(&promoter(), &request(&[], ("s", ""), &[bytes]), false);
    let of: Vec<_> = records.iter().map(|r| (at(r, "kind"), at(r, "source.signal"))).collect();
    assert_eq!(of, [("inference", "span"), ("decision", "span_event"), ("evaluation", "span_event")]);
    let decision = &records[1];
    let id = hex::encode(&Sha256::digest(r#"["span_event","0102030405060708090a0b0c0d0e0f10","a1a2a3a4a5a6a7a8","1"]"#)[..16]);
    assert_eq!((at(decision, "id"), at(decision, "decision.id")), (id.as_str(), id.as_str()));
    assert_eq!(at(decision, "time.start"), "2026-11-20T15:09:06.000000009Z");
    assert_eq!(at(decision, "source.event_name"), "ai_audit.decision");
    assert!(decision.path("time.end").is_none());
    assert_eq!(at(&records[2], "evaluation.explanation.hash"), h("content", b"fine"));
    assert!(records[0].get("decision").is_none() && records[0].get("evaluation").is_none());
    assert_eq!(at(&records[0], "rest.hash"), h("content", br#"{"0/First Token/n":{"intValue":"1"}}"#));
}

#[test]
fn a_review_hours_later_is_a_log() {
    let record = one_log(log(
        "ai_audit.review.completed",
        Any::text("looked at alice's file"),
        &[
            ("ai_audit.decision.id", Any::text("d-1")),
            ("ai_audit.review.decision", Any::text("Approved")),
            ("ai_audit.review.overridden", Any::bool(true)),
            ("ai_audit.review.override.reason", Any::text("income document newer")),
            ("ai_audit.review.reviewer.id", Any::text("rev@bank.example")),
            ("ai_audit.review.reviewer.kind", Any::text("human")),
            ("ai_audit.review.completed_at", Any::text("2026-11-20T15:02:11Z")),
            ("ai_audit.review.context_hash", Any::text("sha256:00")),
        ],
    ));
    assert_eq!((at(&record, "kind"), at(&record, "decision.id")), ("review", "d-1"));
    assert_eq!((at(&record, "review.status"), at(&record, "review.decision")), ("completed", "approved"));
    assert_eq!(at(&record, "review.reason.hash"), h("content", b"income document newer"));
    assert!(at(&record, "review.reviewer.id").starts_with("ps:66687aad:"));
    assert!(at(&record, "review.context_hash").starts_with("hmac-sha256:66687aad:"));
    assert_eq!(at(&record, "review.completed_at"), "2026-11-20T15:02:11.000000000Z");
    assert_eq!(at(&record, "rest.hash"), h("content", b"looked at alice's file"));
}

/// Scenario: telemetry pretends to be the control plane. Guarantee: it arrives as an event, and sets no control, change or class.
#[test]
fn telemetry_cannot_speak_for_the_control_plane() {
    let record = one_log(log(
        "ai_audit.hold.placed",
        Any::empty(),
        &[
            ("ai_audit.control.act", Any::text("place")),
            ("ai_audit.change.object", Any::text("policy")),
            ("ai_audit.legal_hold.active", Any::bool(true)),
            ("ai_audit.source.signal", Any::text("control")),
            ("ai_audit.kind", Any::text("hold")),
            ("ai_audit.id", Any::text("00")),
            ("ai_audit.evidence.writer", Any::text("x")),
        ],
    ));
    assert_eq!((at(&record, "kind"), at(&record, "source.signal")), ("event", "log"));
    assert!(record.get("control").is_none() && record.get("change").is_none());
    assert_eq!(at(&record, "evidence.writer"), "spanseal/test");
    assert_eq!(at(&record, "rest.captured"), "hash");
}

#[test]
fn logs_of_equal_text_have_equal_ids_and_others_not() {
    let id = |text: &str| at(&one_log(log("gen_ai.user.message", Any::text(text), &[])), "id").to_owned();
    assert_eq!(id("a"), id("a"));
    assert_ne!(id("a"), id("b"));
}

#[test]
fn usage_in_a_log_does_not_count_twice() {
    let record = one_log(log(
        "gen_ai.client.inference.operation.details",
        Any::empty(),
        &[
            ("gen_ai.operation.name", Any::text("chat")),
            ("gen_ai.usage.input_tokens", Any::int(5)),
            (
                "gen_ai.input.messages",
                Any::array(&[Any::map(&[
                    ("role", Any::text("system")),
                    ("parts", Any::array(&[Any::map(&[("type", Any::text("text")), ("content", Any::text("Be brief."))])])),
                ])]),
            ),
        ],
    ));
    assert_eq!(record.path("usage.aggregate"), Some(&Json::Bool(true)));
    assert_eq!(at(&record, "prompt.hash"), h("prompt", br#"["Be brief."]"#), "structured and serialised messages hash alike");
    assert_eq!(at(&record, "input.scheme"), "attributes");
}
