//! What dialects say otherwise than in the value of one key: a kind by the span's name, an approval by a decision and its source, answers by
//! question. Asked once for a record that is promoted, by the dialects that spoke; tables stay tables.

use std::borrow::Cow;

use super::convert::Who;
use super::dialects::Side;
use super::dialects::{Dialect, aws, google_adk, microsoft, pydantic_ai};
use super::draft::{Draft, Entry, How};
use super::lists;
use super::scan::{Holds, parse_bounded};
use crate::otlp::view::Value;
use crate::otlp::wire::Malformed;
use crate::record::builder::Val;
use crate::record::canonical::Json;
use crate::record::registry::{self as member, Kind};

/// The operation, which every one of these dialects keeps under OpenTelemetry's name.
const OPERATION: &str = "gen_ai.operation.name";

/// Reads a span whose attributes are all placed. The kind, where the dialect's own words say it better than an operation does.
pub(crate) fn span<'a>(draft: &mut Draft<'a>, who: &Who<'_>, name: &[u8]) -> Result<Option<Kind>, Malformed> {
    if draft.dialects.has(Dialect::PydanticAi) {
        return pydantic(draft, who, name);
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
    Ok(None)
}

/// The same for a log, by its event name.
pub(crate) fn log(_draft: &mut Draft<'_>, _name: &[u8]) -> Result<Option<Kind>, Malformed> {
    Ok(None)
}

/// Pydantic AI: runs of version 1 had no operation, its calls one attribute for question and answer.
fn pydantic<'a>(draft: &mut Draft<'a>, who: &Who<'_>, name: &[u8]) -> Result<Option<Kind>, Malformed> {
    if !draft.has_side(Side::Output)
        && let Some(both) = draft.side_ref(Side::Input).iter().find(|e| e.key == pydantic_ai::EVENTS && e.holds == Holds::Content)
    {
        // It carried both sides: each is committed to by the same bytes.
        let (key, value) = (both.key.clone(), both.value.clone());
        draft.side_mut(Side::Output).push(Entry { key, value, holds: Holds::Content, frame: false, messages: false });
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
    let sent = draft.side_ref(Side::Output).iter().find(|e| e.key == pydantic_ai::ANSWERS);
    let Some(Value::Text(text)) = sent.map(|e| &e.value) else { return Ok(()) };
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
        draft.derived.push((member::DECISION_ANSWERS, How::Fallback(pydantic_ai::ANSWERS.to_owned())));
    }
    Ok(())
}
