//! From a draft to a line: kinds and fallbacks are decided, gaps are named (`record.md` section 5).

use std::borrow::Cow;

use super::convert::{self, Marks, Who};
use super::dialects::Side;
use super::draft::{Draft, How, ModelSaid, Place};
use super::rules::Ruled;
use super::{Context, Promoter, confidence, content, elsewhere, lists, retention};
use crate::clock::UnixNanos;
use crate::otlp::view::Value;
use crate::otlp::wire::Malformed;
use crate::record::builder::Val;
use crate::record::canonical::write_string;
use crate::record::content::Captured;
use crate::record::registry::{self as member, Kind, Member};
use crate::record::{Batch, PendingRecord, RecordId, SCHEMA};

/// What a record is made of (`source.signal`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A span.
    Span,
    /// An event of a span, which states an act of its own.
    SpanEvent,
    /// A log record.
    Log,
}

impl Signal {
    /// The record's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Signal::Span => "span",
            Signal::SpanEvent => "span_event",
            Signal::Log => "log",
        }
    }
}

/// The last words on a record.
pub(crate) struct Closing<'p> {
    pub(crate) signal: Signal,
    pub(crate) id: RecordId,
    /// What the dialect says, before the groups are asked.
    pub(crate) kind: Option<Kind>,
    /// Whether content that is not there is said to be absent: a part of a whole says nothing of the rest.
    pub(crate) whole: bool,
    pub(crate) context: Context<'p>,
}

/// Finishes a draft and appends its line.
pub(crate) fn finish<'a>(
    promoter: &'a Promoter,
    draft: &mut Draft<'a>,
    resource: &super::origin::Origin<'a>,
    who: &Who<'_>,
    closing: Closing<'a>,
    batch: &mut Batch,
) -> Result<(), Malformed> {
    models(draft);
    decision(draft, closing.id);
    // The kind is decided by what the span itself says; what its resource adds may not turn every span into a lineage record.
    let kind = match draft.ruled.and_then(Ruled::kind) {
        Some(kind) => {
            draft.derived.push((member::KIND, How::Configured));
            kind
        }
        None => kind(draft, closing.kind),
    };
    names(draft, who, kind);
    resource.apply(draft, who)?;
    decision(draft, closing.id);
    qualify(draft);
    elsewhere::bring(draft, closing.context.fetched);
    content::prompt_hash(draft, who)?;
    content::finish_reasons(draft, who, kind)?;
    confidence::of_tokens(draft, kind);
    content::documents(draft, who, kind)?;
    content::redirect(draft, kind);
    for side in Side::ALL {
        content::content(draft, who, side)?;
    }
    lists::finish_documents(draft, who);
    if closing.whole {
        content::say_absent(draft, kind);
    }
    confidence::confidence(draft, &promoter.settings.thresholds, kind, closing.signal);
    usage(draft, kind, closing.signal);
    content::attributes(draft, who)?;

    let record = &mut draft.record;
    record.push(member::SCHEMA, Val::Str(Cow::Borrowed(SCHEMA)));
    record.push(member::ID, Val::hex(&closing.id.0));
    record.push(member::KIND, Val::Str(Cow::Borrowed(kind.as_str())));
    record.push(member::TIME_RECEIVED, Val::Time(closing.context.received));
    record.push(member::SOURCE_SIGNAL, Val::Str(Cow::Borrowed(closing.signal.as_str())));
    let dialects = if draft.dialects.is_empty() { draft.weak_dialects } else { draft.dialects };
    let ids: Vec<Cow<'_, str>> = dialects.both(promoter.enabled).ids().map(Cow::Borrowed).collect();
    if !ids.is_empty() {
        record.push(member::SOURCE_DIALECTS, Val::Texts(ids));
    }
    if let Some(peer) = closing.context.peer {
        record.push(member::SOURCE_PEER_ID, Val::Str(Cow::Borrowed(&peer.id)));
        record.push(member::SOURCE_PEER_METHOD, Val::Str(Cow::Borrowed(peer.method)));
    } else {
        record.push(member::SOURCE_PEER_METHOD, Val::Str(Cow::Borrowed("none")));
    }
    let class = retention::retention(&promoter.settings.classes, &promoter.settings.policies, draft, kind, closing.signal);
    evidence(promoter, draft, kind, &closing);

    let start = time_of(draft, member::TIME_START);
    let end = time_of(draft, member::TIME_END);
    let received = closing.context.received;
    let first = start.or(end).unwrap_or(received).min(end.or(start).unwrap_or(received));
    let last = end.or(start).unwrap_or(received).max(start.or(end).unwrap_or(received));
    let written = draft.record.write(&mut batch.lines, who.keyed.key_id());
    let pieces = who.aside.finish(closing.id);
    batch.records.push(PendingRecord {
        id: closing.id,
        line: written.line,
        class,
        first,
        last,
        control: false,
        sameness: who.aside.sameness(written.sameness, pieces.clone()),
        line_sameness: written.sameness,
        pieces,
    });
    Ok(())
}

fn time_of(draft: &Draft<'_>, member: Member) -> Option<UnixNanos> {
    match draft.record.get(member) {
        Some(Val::Time(at)) => Some(*at),
        _ => None,
    }
}

/// Rule 5: `model.version` from its own key, the server's, then the response model; `model.id` from its own key, the response, the
/// request. An id that had to be taken from the request is marked; one that the response gave is the dialect's own word for it.
fn models<'a>(draft: &mut Draft<'a>) {
    let response = draft.response_model.take();
    let requested = draft.requested_model.take();
    let fill = |draft: &mut Draft<'a>, member, said: &ModelSaid<'a>, how: Option<How>| {
        let free = !draft.record.has(member);
        if free {
            draft.record.push(member, Val::Str(said.name.clone()));
            draft.derived.extend(how.map(|how| (member, how)));
        }
        free
    };
    if let Some(said) = &requested {
        fill(draft, member::MODEL_REQUESTED, said, None);
    }
    if let Some(said) = &response {
        fill(draft, member::MODEL_VERSION, said, Some(How::Fallback(said.key.to_string())));
        fill(draft, member::MODEL_ID, said, None);
    } else if let Some(said) = &requested {
        fill(draft, member::MODEL_ID, said, Some(How::Fallback(said.key.to_string())));
    }
    // Where better keys took every member that it could be, what it says otherwise is kept too.
    let members = [member::MODEL_REQUESTED, member::MODEL_VERSION, member::MODEL_ID];
    for said in [response, requested].into_iter().flatten() {
        let stands = members.iter().any(|member| draft.text(*member) == Some(said.name.as_ref()));
        if let (false, Some(sent)) = (stands, said.sent) {
            draft.rest.push((said.key, Value::Text(sent)));
        }
    }
}

/// Rules 1 and 2: a decision exists only where an outcome, a type or an id is stated; its id is the record's own where none was sent. Asked
/// again when the resource has spoken.
fn decision(draft: &mut Draft<'_>, id: RecordId) {
    let states = [member::DECISION_OUTCOME, member::DECISION_TYPE, member::DECISION_ID, member::DECISION_ANSWERS];
    if states.iter().any(|m| draft.record.has(*m)) && !draft.record.has(member::DECISION_ID) {
        draft.record.push(member::DECISION_ID, Val::Str(Cow::Owned(id.to_string())));
        draft.derived.push((member::DECISION_ID, How::Computed));
    }
}

/// What qualifies a decision (a level of automation, an authority) joins it; where none was stated it makes none, and goes to `rest`.
fn qualify(draft: &mut Draft<'_>) {
    let has_decision = draft.record.has(member::DECISION_ID);
    for stated in std::mem::take(&mut draft.qualifiers) {
        if has_decision {
            draft.take(stated);
        } else if stated.place != Place::Configured {
            draft.rest.push((stated.key, stated.value));
        }
    }
}

/// Rule 1.
fn kind(draft: &Draft<'_>, stated: Option<Kind>) -> Kind {
    let has = |from, to| draft.record.has_any(from, to);
    stated.unwrap_or_else(|| {
        if draft.record.has(member::DECISION_ID) {
            Kind::Decision
        } else if has(member::REVIEW_COMPLETED_AT, member::REVIEW_TRIGGER) || draft.has_side(Side::ReviewReason) {
            Kind::Review
        } else if has(member::EXPLANATION_ATTRIBUTIONS, member::EXPLANATION_VERSION) || draft.has_side(Side::ExplanationText) {
            Kind::Explanation
        } else if has(member::LINEAGE_CATEGORIES, member::LINEAGE_VALUE) || draft.has_side(Side::LineageValue) {
            Kind::Lineage
        } else if has(member::ACTION_ID, member::ACTION_TARGET_TYPE) {
            Kind::Action
        } else {
            Kind::Event
        }
    })
}

/// The member that holds the name of what a record of this kind is about.
pub(crate) fn name_of(kind: Kind) -> Option<Member> {
    match kind {
        Kind::Tool => Some(member::TOOL_NAME),
        Kind::Agent => Some(member::ACTOR_AGENT_NAME),
        Kind::Guardrail => Some(member::GUARDRAIL_NAME),
        Kind::Evaluation => Some(member::EVALUATION_NAME),
        _ => None,
    }
}

/// What waited for the kind: the name of a tool or agent where its own key is missing, and a framework where nobody names a vendor.
fn names<'a>(draft: &mut Draft<'a>, who: &Who<'_>, kind: Kind) {
    let own = name_of(kind);
    for entity in std::mem::take(&mut draft.entities) {
        if let Some(member) = own.filter(|m| entity.kinds.contains(&kind) && !entity.name.is_empty() && !draft.record.has(*m)) {
            let mut marks = Marks::default();
            let name = convert::claim(member, entity.name, who, &mut marks);
            draft.record.push(member, Val::Str(name));
            draft.marks(member.path(), marks);
            draft.derived.push((member, How::Fallback(entity.key.into_owned())));
        }
    }
    if let Some((key, value)) = draft.framework.take() {
        match value {
            Value::Text(name) if !draft.record.has(member::MODEL_PROVIDER) => {
                let mut marks = Marks::default();
                let name = convert::claim(member::MODEL_PROVIDER, name, who, &mut marks);
                draft.record.push(member::MODEL_PROVIDER, Val::Str(name));
                draft.marks(member::MODEL_PROVIDER.path(), marks);
            }
            value => draft.rest.push((key, value)),
        }
    }
}

/// Rule 8: what counts tokens a second time is marked: agents and workflows add up their calls, a log repeats its span, a fetched
/// response was counted when it was made. An operation that no table knows may be a call of its own and is not marked.
fn usage(draft: &mut Draft<'_>, kind: Kind, signal: Signal) {
    let counted = draft.record.has_any(member::USAGE_AGGREGATE, member::USAGE_TOTAL_TOKENS);
    let again = matches!(kind, Kind::Agent | Kind::Workflow)
        || draft.around
        || draft.operation == Some(Kind::Event)
        || (signal == Signal::Log && draft.record.has(member::TRACE_SPAN_ID));
    if counted && again && !draft.record.has(member::USAGE_AGGREGATE) {
        draft.record.push(member::USAGE_AGGREGATE, Val::Bool(true));
        draft.derived.push((member::USAGE_AGGREGATE, How::Computed));
    }
}

fn evidence<'a>(promoter: &'a Promoter, draft: &mut Draft<'a>, kind: Kind, closing: &Closing<'_>) {
    let required = promoter.required.iter().find(|(k, _)| *k == kind).map(|(_, members)| members.as_slice()).unwrap_or_default();
    let missing: Vec<Cow<'_, str>> = required
        .iter()
        .filter(|m| {
            let absent = match draft.record.get(**m) {
                None => true,
                Some(Val::Content(content)) => content.captured == Captured::Absent,
                Some(_) => false,
            };
            // A span event's content stands in the record of its span.
            absent && (closing.whole || !matches!(**m, member::INPUT | member::OUTPUT | member::PROMPT_HASH))
        })
        .map(|m| Cow::Borrowed(m.path()))
        .collect();
    if !missing.is_empty() {
        draft.record.push(member::EVIDENCE_MISSING, Val::Texts(missing));
    }
    if !draft.derived.is_empty() {
        draft.derived.sort_by_key(|(m, _)| *m);
        draft.derived.dedup_by_key(|(m, _)| *m);
        let mut raw = vec![b'{'];
        for (member, how) in &draft.derived {
            if raw.len() > 1 {
                raw.push(b',');
            }
            write_string(&mut raw, member.path());
            raw.push(b':');
            match how {
                How::Computed => write_string(&mut raw, "computed"),
                How::Configured => write_string(&mut raw, "configured"),
                How::Resource => write_string(&mut raw, "resource"),
                How::Fallback(key) => write_string(&mut raw, &format!("fallback:{key}")),
                How::Carrier(key) => write_string(&mut raw, &format!("carrier:{key}")),
            }
        }
        raw.push(b'}');
        draft.record.push(member::EVIDENCE_DERIVED, Val::Raw(raw));
    }
    for (member, list) in [
        (member::EVIDENCE_CONFLICTS, &mut draft.conflicts),
        (member::EVIDENCE_SCRUBBED, &mut draft.scrubbed),
        (member::EVIDENCE_TRUNCATED, &mut draft.truncated),
    ] {
        if !list.is_empty() {
            list.sort_unstable();
            list.dedup();
            draft.record.push(member, Val::Texts(list.iter().map(|p| Cow::Borrowed(*p)).collect()));
        }
    }
    if draft.dropped_attributes > 0 {
        draft.record.push(member::EVIDENCE_DROPPED_ATTRIBUTES, Val::Int(draft.dropped_attributes));
    }
    if draft.withheld > 0 {
        draft.record.push(member::EVIDENCE_WITHHELD, Val::Int(draft.withheld));
    }
    let last = time_of(draft, member::TIME_END).max(time_of(draft, member::TIME_START));
    if let Some(last) = last {
        let late = (i128::from(closing.context.received.0) - i128::from(last.0)) / 1_000_000;
        draft.record.push(member::EVIDENCE_LATE_MS, Val::Int(i64::try_from(late).unwrap_or(i64::MAX)));
    }
    draft.record.push(member::EVIDENCE_WRITER, Val::Str(Cow::Borrowed(&promoter.settings.writer)));
}
