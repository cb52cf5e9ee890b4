//! Scores, their methods, and which of two thresholds counts.

use super::*;
use crate::config::{Config, Environment, Overrides};
use crate::promote::testing::span;

fn with(yaml: &str) -> Promoter {
    let config = Config::parse("spanseal.yaml", yaml, &Overrides::default(), &Environment::default(), UnixSeconds(1_795_187_350));
    let mut settings = settings();
    settings.thresholds = config.unwrap_or_else(|e| panic!("{e}\n{yaml}")).confidence.thresholds;
    Promoter::new(settings).unwrap()
}

fn one(promoter: &Promoter, attributes: &[(&str, Any)]) -> (Json, Tally) {
    let (mut lines, tally, _) = lines(promoter, &request(&resource(), ("s", "1"), &[span("decide", attributes)]), false);
    assert_eq!(lines.len(), 1);
    (lines.remove(0), tally)
}

fn derived<'j>(json: &'j Json, path: &str) -> Option<&'j str> {
    json.path("evidence.derived")?.get(path)?.as_str()
}

const YAML: &str = "confidence:\n  thresholds:\n    - {name: credit, when: 'record.decision.type == \"credit\"', threshold: 0.8}\n    - {when: 'has(record.decision.outcome)', threshold: 0.6}\n";

#[test]
fn the_first_threshold_whose_condition_holds_is_held_against_the_score() {
    let promoter = with(YAML);
    let score = |score: f64| ("ai_audit.confidence.score", Any::double(score));
    let outcome = ("ai_audit.decision.outcome", Any::text("no"));
    for (kind, sent, threshold, met, source) in [
        ("credit", 0.8, 0.8, true, "configuration:credit"),
        ("credit", 0.79, 0.8, false, "configuration:credit"),
        ("other", 0.6, 0.6, true, "configuration"),
    ] {
        let (json, tally) = one(&promoter, &[outcome.clone(), ("ai_audit.decision.type", Any::text(kind)), score(sent)]);
        assert_eq!(json.path("confidence.threshold"), Some(&Json::Number(threshold)), "{kind} {sent}");
        assert_eq!(json.path("confidence.threshold_met"), Some(&Json::Bool(met)), "{kind} {sent}");
        assert_eq!(at(&json, "confidence.threshold_source"), source);
        assert_eq!(derived(&json, "confidence.threshold"), Some("configured"));
        assert_eq!(derived(&json, "confidence.threshold_source"), Some("configured"));
        assert_eq!(derived(&json, "confidence.threshold_met"), Some("computed"));
        assert!(json.path("evidence.conflicts").is_none());
        assert_eq!(tally.undecided, 0);
    }
    // Where a condition asks for what is not there it does not hold, and that is counted.
    let (json, tally) = one(&promoter, &[outcome.clone(), score(0.7)]);
    assert_eq!((json.path("confidence.threshold"), tally.undecided), (Some(&Json::Number(0.6)), 1));
    // Neither applies; and without a score there is nothing to hold against anything.
    let (json, _) = one(&promoter, &[("ai_audit.system.id", Any::text("s")), score(0.7)]);
    assert!(json.path("confidence.threshold").is_none());
    let (json, tally) = one(&promoter, &[outcome, ("ai_audit.decision.type", Any::text("credit"))]);
    assert!(json.path("confidence").is_none());
    assert_eq!(tally.undecided, 0);
}

/// Rule 10 of the record, for thresholds: a claim may be stricter than the policy and never laxer; what does not count stays visible.
#[test]
fn of_a_sent_and_a_configured_threshold_the_stricter_counts() {
    let promoter = with(YAML);
    let sent = |threshold: f64, more: &[(&'static str, Any)]| {
        let mut attributes = vec![
            ("ai_audit.decision.type", Any::text("credit")),
            ("ai_audit.confidence.score", Any::double(0.7)),
            ("ai_audit.confidence.threshold", Any::double(threshold)),
        ];
        attributes.extend(more.iter().cloned());
        one(&promoter, &attributes).0
    };
    let lax =
        sent(0.5, &[("ai_audit.confidence.threshold_met", Any::bool(true)), ("ai_audit.confidence.threshold_source", Any::text("app"))]);
    assert_eq!(lax.path("confidence.threshold"), Some(&Json::Number(0.8)));
    assert_eq!(lax.path("confidence.threshold_met"), Some(&Json::Bool(false)));
    assert_eq!(at(&lax, "confidence.threshold_source"), "configuration:credit");
    assert_eq!(names(&lax, "evidence.conflicts"), ["confidence.threshold", "confidence.threshold_met"]);
    let rest =
        br#"{"ai_audit.confidence.threshold":0.5,"ai_audit.confidence.threshold_met":true,"ai_audit.confidence.threshold_source":"app"}"#;
    assert_eq!(at(&lax, "rest.hash"), h("content", rest));
    let strict = sent(0.9, &[("ai_audit.confidence.threshold_source", Any::text("app"))]);
    assert_eq!(strict.path("confidence.threshold"), Some(&Json::Number(0.9)));
    assert_eq!((at(&strict, "confidence.threshold_source"), derived(&strict, "confidence.threshold")), ("app", None));
    assert_eq!(strict.path("confidence.threshold_met"), Some(&Json::Bool(false)));
    assert_eq!(names(&strict, "evidence.conflicts"), ["confidence.threshold"]);
    let equal = sent(0.8, &[]);
    assert!(equal.path("evidence.conflicts").is_none() && equal.path("rest").is_none());
    assert_eq!(derived(&equal, "confidence.threshold"), None);
}

#[test]
fn the_probabilities_of_an_answers_tokens_are_a_confidence_where_nobody_states_one() {
    let promoter = with("");
    let call = |answer: &str, more: &[(&'static str, Any)]| {
        let mut attributes = vec![
            ("openinference.span.kind", Any::text("LLM")),
            ("output.mime_type", Any::text("application/json")),
            ("output.value", Any::text(answer)),
        ];
        attributes.extend(more.iter().cloned());
        one(&promoter, &attributes).0
    };
    let choice = |all: &[f64]| {
        let tokens: Vec<String> =
            all.iter().map(|p| format!(r#"{{"token":"x","logprob":{p},"top_logprobs":[{{"token":"y","logprob":-9}}]}}"#)).collect();
        format!(
            r#"{{"index":0,"finish_reason":"stop","message":{{"content":"x"}},"logprobs":{{"content":[{}],"refusal":null}}}}"#,
            tokens.join(",")
        )
    };
    let answer = |choices: &[String]| format!(r#"{{"id":"r","choices":[{}]}}"#, choices.join(","));
    let json = call(&answer(&[choice(&[-0.1, -0.3])]), &[]);
    // exp(-0.2), to six decimals.
    assert_eq!(json.path("confidence.score"), Some(&Json::Number(0.818731)));
    assert_eq!(at(&json, "confidence.method"), "logprob_mean");
    assert_eq!((derived(&json, "confidence.score"), derived(&json, "confidence.method")), (Some("computed"), Some("computed")));
    assert!(json.path("confidence.of").is_none());
    // Of several choices the least likely, and which it is.
    let json = call(&answer(&[choice(&[-0.1]), choice(&[-0.7]), choice(&[-0.2])]), &[]);
    assert_eq!((json.path("confidence.score"), at(&json, "confidence.of")), (Some(&Json::Number(0.496585)), "choice 1"));
    // OpenAI's Responses API.
    let json = call(
        r#"{"id":"r","output":[{"type":"message","content":[{"type":"output_text","text":"x","logprobs":[{"token":"x","logprob":-0.5}]}]}]}"#,
        &[],
    );
    assert_eq!(json.path("confidence.score"), Some(&Json::Number(0.606531)));
    // A stated one counts; none, broken ones and those of another kind give nothing.
    let json = call(&answer(&[choice(&[-0.1])]), &[("ai_audit.confidence.score", Any::double(0.4))]);
    assert_eq!((json.path("confidence.score"), json.path("confidence.method")), (Some(&Json::Number(0.4)), None));
    for none in [
        r#"{"choices":[{"logprobs":null}]}"#.to_owned(),
        r#"{"choices":[{"logprobs":{"content":[{"logprob":"-0.1"}]}}]}"#.to_owned(),
        r#"{"choices":[{"logprobs":{"content":[{"logprob":0.5}]}}]}"#.to_owned(),
        r#"{"choices":[{"logprobs":{"content":[{"logprob":-0."#.to_owned(),
        r#"{"message":"\"logprob\": -0.1"}"#.to_owned(),
    ] {
        assert!(call(&none, &[]).path("confidence").is_none(), "{none}");
    }
    let tool = call(&answer(&[choice(&[-0.1])]), &[("openinference.span.kind", Any::text("TOOL"))]);
    assert_eq!(at(&tool, "kind"), "inference", "of a repeated key the first counts");
}

/// Vercel's decision models answer in the same shape as Pydantic AI's.
#[test]
fn the_weakest_answer_of_a_decision_model_is_its_confidence() {
    let answers =
        r#"{"label":{"type":"choice","choice":"correct","confidence":0.8},"urgent":{"type":"choice","choice":"no","confidence":0.3}}"#;
    let attributes = [
        ("gen_ai.operation.name", Any::text("decide")),
        ("gen_ai.provider.name", Any::text("mock")),
        ("ai.decision.state", Any::text("Classify this answer.")),
        ("ai.decision.answers", Any::text(answers)),
    ];
    let (json, _) = one(&with("confidence: {thresholds: [{threshold: 0.5}]}"), &attributes);
    assert_eq!(
        (json.path("confidence.score"), at(&json, "confidence.of"), at(&json, "confidence.method")),
        (Some(&Json::Number(0.3)), "urgent", "decision_model")
    );
    assert_eq!(json.path("confidence.threshold_met"), Some(&Json::Bool(false)));
    assert_eq!((at(&json, "kind"), derived(&json, "decision.answers")), ("decision", Some("fallback:ai.decision.answers")));
    assert_eq!(at(&json, "output.hash"), h("content", answers.as_bytes()));
}

/// Scores of judges and guardrails are about something else.
#[test]
fn no_score_of_a_guardrail_or_a_judge_is_a_confidence() {
    for key in ["litellm.guardrail.confidence_score", "litellm.guardrail.risk_score", "gen_ai.evaluation.score.value"] {
        let (json, _) = one(
            &with("confidence: {thresholds: [{threshold: 0.5}]}"),
            &[("gen_ai.request.model", Any::text("m")), (key, Any::double(0.9))],
        );
        assert!(json.path("confidence").is_none(), "{key}");
        assert!(json.path("rest").is_none(), "{key} has a home");
    }
}
