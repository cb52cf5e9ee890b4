//! What dialects say otherwise than in the value of one key: a kind by the span's name, an approval by a decision and its source, answers by
//! question. Asked once for a record that is promoted, by the dialects that spoke; tables stay tables.

use std::borrow::Cow;

use super::convert::{self, Marks, Who};
use super::dialects::{
    Dialect, Look, MEMORY_RECORDS, Side, ag2, aws, coding_agents, crewai, google_adk, guardrails_ai, haystack, is_memory_write, microsoft,
    nemo_guardrails, otel_mcp, pydantic_ai, vercel_ai,
};
use super::draft::{Draft, Entry, How};
use super::lists;
use super::scan::{Holds, parse_bounded};
use crate::otlp::view::Value;
use crate::otlp::wire::Malformed;
use crate::record::builder::Val;
use crate::record::canonical::Json;
use crate::record::registry::{self as member, Kind, Member};

/// The operation, which every one of these dialects keeps under OpenTelemetry's name.
const OPERATION: &str = "gen_ai.operation.name";

/// Reads a span whose attributes are all placed. The kind, where the dialect's own words say it better than an operation does.
pub(crate) fn span<'a>(draft: &mut Draft<'a>, who: &Who<'_>, name: &[u8]) -> Result<Option<Kind>, Malformed> {
    if draft.spoken.has(Dialect::ClaudeCode) {
        return Ok(claude_code_span(draft, who, name));
    }
    if draft.dialects.has(Dialect::PydanticAi) {
        return pydantic(draft, who, name);
    }
    if draft.dialects.has(Dialect::VercelAi) {
        answers(draft, who)?;
    }
    if draft.dialects.has(Dialect::AwsStrands) {
        return Ok(draft.kept_text(OPERATION).and_then(aws::kind_of_operation));
    }
    if draft.dialects.has(Dialect::MsAgentFramework) && draft.operation.is_none() {
        return Ok(microsoft::kind_of_span(name));
    }
    if draft.dialects.has(Dialect::GoogleAdk) {
        return Ok(draft.text(member::TOOL_NAME).and_then(google_adk::kind_of_tool));
    }
    if draft.dialects.has(Dialect::Haystack) {
        return Ok(haystack(draft, name));
    }
    if draft.dialects.has(Dialect::Crewai) {
        return Ok(crewai(draft));
    }
    if draft.dialects.has(Dialect::Ag2) {
        return Ok(ag2(draft));
    }
    if draft.dialects.has(Dialect::NemoGuardrails) {
        verdict(draft, nemo_guardrails::STOP, false);
        return Ok(nemo_guardrails::kind(name, draft.kept_text(OPERATION)).filter(|_| draft.operation.is_none()));
    }
    if draft.spoken.has(Dialect::GuardrailsAi) {
        verdict(draft, guardrails_ai::PASSED, true);
        return Ok(draft.kept_text(guardrails_ai::TYPE).and_then(guardrails_ai::kind_of_type));
    }
    if let Some(operation) = draft.kept_text(OPERATION) {
        if is_memory_write(operation) {
            let records = draft.side_mut(Side::Output).extract_if(.., |e| e.key == MEMORY_RECORDS).collect::<Vec<_>>();
            draft.side_mut(Side::Input).extend(records);
        }
        return Ok(None);
    }
    if draft.dialects.has(Dialect::OtelMcp) && draft.span_kind.is_none() {
        return Ok(draft.kept_text(otel_mcp::METHOD).and_then(otel_mcp::kind_of_method));
    }
    // A carrier of annotations, made after the fact: a judgement, also where a person made it (`evaluation.evaluator` says so). It approves
    // nothing, so it is no review.
    let judges = draft.record.has_any(member::EVALUATION_EVALUATOR, member::EVALUATION_SCORE);
    Ok((draft.dialects.has(Dialect::Openinference) && draft.span_kind.is_none() && judges).then_some(Kind::Evaluation))
}

/// A guardrail's outcome from a boolean, `passed` being the value that lets pass.
fn verdict(draft: &mut Draft<'_>, key: &str, passed: bool) {
    if let Some(Value::Bool(said)) = draft.kept(key) {
        let outcome = if *said == passed { "allow" } else { "deny" };
        draft.derive(member::GUARDRAIL_OUTCOME, Val::Str(Cow::Borrowed(outcome)), key);
    }
}

/// The same for a log, by its event name.
pub(crate) fn log<'a>(draft: &mut Draft<'a>, who: &Who<'_>, name: &'a [u8]) -> Option<Kind> {
    if draft.spoken.has(Dialect::ClaudeCode) || draft.spoken.has(Dialect::Codex) {
        return coding_agent(draft, who, name);
    }
    if draft.dialects.has(Dialect::Crewai) {
        return crewai(draft);
    }
    None
}

/// A coding agent's event: a call of a model, a tool that ran, or what somebody or something decided about one.
fn coding_agent<'a>(draft: &mut Draft<'a>, who: &Who<'_>, name: &'a [u8]) -> Option<Kind> {
    let event = std::str::from_utf8(name).ok()?;
    let event = event.strip_prefix("claude_code.").or_else(|| event.strip_prefix("codex.")).unwrap_or(event);
    if event == "api_refusal" {
        draft.derive(member::OUTPUT_REFUSAL, Val::Bool(true), "event name");
    }
    if event == "api_error" {
        draft.derive(member::ERROR_STATUS, Val::Str(Cow::Borrowed("error")), "event name");
    }
    agent_outcome(draft);
    if event == "tool_decision" { decided(draft, who) } else { coding_agents::kind_of_event(event) }
}

/// The same as spans, which only Claude Code makes in words of its own.
fn claude_code_span<'a>(draft: &mut Draft<'a>, who: &Who<'_>, name: &[u8]) -> Option<Kind> {
    agent_outcome(draft);
    match name.strip_prefix(b"claude_code.").and_then(|n| std::str::from_utf8(n).ok()) {
        Some("tool.blocked_on_user") => decided(draft, who).or(Some(Kind::Event)),
        Some(kind) => coding_agents::kind_of_span(kind),
        None => None,
    }
}

/// What numbers and words of a coding agent say besides: the currency in a key's name, a failure.
fn agent_outcome(draft: &mut Draft<'_>) {
    if draft.record.has(member::USAGE_COST) {
        draft.derive(member::USAGE_CURRENCY, Val::Str(Cow::Borrowed("USD")), coding_agents::COST);
    }
    if draft.kept_text(coding_agents::SUCCESS) == Some("false") || matches!(draft.kept(coding_agents::SUCCESS), Some(Value::Bool(false))) {
        draft.derive(member::ERROR_STATUS, Val::Str(Cow::Borrowed("error")), coding_agents::SUCCESS);
    }
}

/// A decision about a tool call: a review where a person made it, and that person is who uses the agent; else a rule's or a hook's word.
fn decided<'a>(draft: &mut Draft<'a>, who: &Who<'_>) -> Option<Kind> {
    let (decision, source) = (draft.kept_text(coding_agents::DECISION)?, draft.kept_text(coding_agents::SOURCE)?);
    let allowed = coding_agents::allows(decision);
    let as_sent = |draft: &mut Draft<'a>, member: Member| {
        let mut marks = Marks::default();
        let word = convert::claim(member, decision.as_bytes(), who, &mut marks);
        draft.marks(member.path(), marks);
        word
    };
    if !coding_agents::is_person(source) {
        let outcome = match allowed {
            Some(true) => Cow::Borrowed("allow"),
            Some(false) => Cow::Borrowed("deny"),
            None => as_sent(draft, member::POLICY_OUTCOME),
        };
        draft.derive(member::POLICY_OUTCOME, Val::Str(outcome), coding_agents::DECISION);
        return Some(Kind::Event);
    }
    let outcome = match allowed {
        Some(true) => Cow::Borrowed("approved"),
        Some(false) => Cow::Borrowed("rejected"),
        None => as_sent(draft, member::REVIEW_DECISION),
    };
    draft.derive(member::REVIEW_DECISION, Val::Str(outcome), coding_agents::DECISION);
    draft.derive(member::REVIEW_STATUS, Val::Str(Cow::Borrowed("completed")), coding_agents::DECISION);
    draft.derive(member::REVIEW_REVIEWER_KIND, Val::Str(Cow::Borrowed("human")), coding_agents::SOURCE);
    if let Some(Val::Str(user)) = draft.record.get(member::ACTOR_USER_ID) {
        let user = Val::Str(user.clone());
        draft.derive(member::REVIEW_REVIEWER_ID, user, member::ACTOR_USER_ID.path());
    }
    Some(Kind::Review)
}

/// Pydantic AI: runs of version 1 had no operation, its calls one attribute for question and answer.
fn pydantic<'a>(draft: &mut Draft<'a>, who: &Who<'_>, name: &[u8]) -> Result<Option<Kind>, Malformed> {
    if !draft.has_side(Side::Output)
        && let Some(both) = draft.side_ref(Side::Input).iter().find(|e| e.key == pydantic_ai::EVENTS && e.holds == Holds::Content)
    {
        // It carried both sides: each is committed to by the same bytes.
        let (key, value) = (both.key.clone(), both.value.clone());
        draft.side_mut(Side::Output).push(Entry { key, value, holds: Holds::Content, look: Look::Whole });
    }
    if draft.kept_text(pydantic_ai::DEFERRAL) == Some("ApprovalRequired") {
        draft.derive(member::REVIEW_REQUIRED, Val::Bool(true), pydantic_ai::DEFERRAL);
        draft.derive(member::REVIEW_STATUS, Val::Str(Cow::Borrowed("pending")), pydantic_ai::DEFERRAL);
    }
    answers(draft, who)?;
    Ok(match name {
        b"agent run" if draft.operation.is_none() => Some(Kind::Agent),
        b"running tool" if draft.operation.is_none() => Some(Kind::Tool),
        _ => None,
    })
}

/// `{question: {type, noul | choice | score, confidence}}` as `decision.answers[]`, each with the threshold that its type had. Probabilities
/// of the choices stay with the content.
fn answers<'a>(draft: &mut Draft<'a>, who: &Who<'_>) -> Result<(), Malformed> {
    let keys = [pydantic_ai::ANSWERS, vercel_ai::ANSWERS];
    let sent = draft.side_ref(Side::Output).iter().find_map(|e| Some((keys.into_iter().find(|key| e.key == *key)?, &e.value)));
    let Some((key, Value::Text(text))) = sent else { return Ok(()) };
    let Some(Json::Object(questions)) = parse_bounded(text) else { return Ok(()) };
    let used = draft.kept_text(pydantic_ai::CONFIDENCE).and_then(|t| parse_bounded(t.as_bytes()));
    let thresholds = draft.kept_text(pydantic_ai::THRESHOLDS).and_then(|t| parse_bounded(t.as_bytes()));
    let threshold = |name: &str| thresholds.as_ref().and_then(|t| t.get(name)).cloned();
    let route = draft.kept_text(pydantic_ai::ROUTE_QUESTION);
    let list = questions.iter().map(|(question, answer)| {
        let threshold = match answer.get("type").and_then(Json::as_str) {
            Some("noul") => threshold("boolean"),
            _ if route == Some(question) => threshold("route"),
            _ => None,
        };
        let members = [
            ("confidence", used.as_ref().and_then(|u| u.get(question)).or_else(|| answer.get("confidence")).cloned()),
            ("name", Some(Json::String(question.clone()))),
            ("outcome", answer.get("choice").cloned()),
            ("score", answer.get("score").or_else(|| answer.get("noul")).cloned()),
            ("threshold", threshold),
        ];
        Json::Object(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    });
    let list = Json::Array(list.collect()).to_jcs_string();
    let fresh = !draft.record.has(member::DECISION_ANSWERS);
    lists::items(draft, who, member::DECISION_ANSWERS, &Value::Text(list.as_bytes()))?;
    if fresh {
        draft.derived.push((member::DECISION_ANSWERS, How::Fallback(key.to_owned())));
        draft.decision_model = true;
    }
    Ok(())
}

/// What a key of a review says of it.
fn review(draft: &mut Draft<'_>, members: &[(Member, &'static str)], from: &str) {
    for (member, word) in members {
        draft.derive(*member, Val::Str(Cow::Borrowed(word)), from);
    }
}

/// Haystack: kinds by span names, a confirmation's decision in our words.
fn haystack(draft: &mut Draft<'_>, name: &[u8]) -> Option<Kind> {
    if let Some(decision) = draft.kept_text(haystack::DECISION).and_then(haystack::decided) {
        review(draft, &[(member::REVIEW_DECISION, decision), (member::REVIEW_STATUS, "completed")], haystack::DECISION);
    }
    if matches!(draft.kept(haystack::TOOL_ERROR), Some(Value::Bool(true))) {
        draft.derive(member::ERROR_STATUS, Val::Str(Cow::Borrowed("error")), haystack::TOOL_ERROR);
    }
    haystack::kind_of_span(name, draft.kept_text(haystack::COMPONENT))
}

/// CrewAI: kinds by operation and event, feedback that was asked for or given, a guardrail's verdict.
fn crewai(draft: &mut Draft<'_>) -> Option<Kind> {
    let event = draft.kept_text(crewai::EVENT);
    match event {
        Some("human_feedback_requested") => review(draft, &[(member::REVIEW_STATUS, "pending")], crewai::EVENT),
        Some("human_feedback_received") => {
            review(draft, &[(member::REVIEW_STATUS, "completed"), (member::REVIEW_REVIEWER_KIND, "human")], crewai::EVENT);
        }
        _ => {}
    }
    verdict(draft, crewai::GUARDRAIL_SUCCESS, true);
    if draft.operation.is_some() {
        return None;
    }
    draft.kept_text(OPERATION).and_then(crewai::kind_of_operation).or_else(|| event.and_then(crewai::kind_of_event))
}

/// AG2: kinds by span types. What a call spent is counted on the call's own span; only accounting of that is a second count.
fn ag2(draft: &mut Draft<'_>) -> Option<Kind> {
    let kind = draft.kept_text(ag2::SPAN_TYPE);
    if kind == Some("human_input") {
        review(draft, &[(member::REVIEW_REVIEWER_KIND, "human")], ag2::SPAN_TYPE);
        if draft.side_ref(Side::Output).iter().any(|e| e.key == ag2::HUMAN_RESPONSE) {
            review(draft, &[(member::REVIEW_STATUS, "completed")], ag2::HUMAN_RESPONSE);
        }
    }
    if kind == Some("usage") && draft.kept_text(ag2::USAGE_KIND) == Some("model_call") {
        draft.derive(member::USAGE_AGGREGATE, Val::Bool(true), ag2::USAGE_KIND);
    }
    kind.and_then(ag2::kind_of_span)
}
