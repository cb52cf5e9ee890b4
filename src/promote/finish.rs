//! From a draft to a line: content is hashed, kinds and fallbacks are decided, gaps are named (`record.md` sections 4 and 5).

use std::borrow::Cow;

use super::convert::Who;
use super::dialects::Side;
use super::draft::{Draft, How, jcs};
use super::encode::{self, Form, Notes};
use super::lists;
use super::scan::{self, Holds};
use super::{Context, Promoter};
use crate::clock::UnixNanos;
use crate::otlp::view::Value;
use crate::otlp::wire::Malformed;
use crate::record::builder::{Captured, Content, Scheme, Val, keyed_hash_text};
use crate::record::canonical::{compare_names, write_string};
use crate::record::registry::{self as member, Kind, Member};
use crate::record::{Batch, PendingRecord, RecordId, SCHEMA};

/// What a record is made of besides its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Span,
    SpanEvent,
    Log,
}

impl Signal {
    pub(crate) fn as_str(self) -> &'static str {
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
    promoter: &Promoter,
    draft: &mut Draft<'a>,
    resource: &super::origin::Origin<'a>,
    who: &Who<'_>,
    closing: Closing<'_>,
    batch: &mut Batch,
) -> Result<(), Malformed> {
    models(draft);
    decision(draft, closing.id);
    // The kind is decided by what the span itself says; what its resource adds may not turn every span into a lineage record.
    let kind = kind(draft, closing.kind);
    resource.apply(draft, who)?;
    qualify(draft, who)?;
    prompt_hash(draft, who)?;
    finish_reasons(draft)?;
    redirect(draft, kind);
    for side in Side::ALL {
        content(draft, who, side)?;
    }
    lists::finish_documents(draft, who.keyed.key_id());
    if closing.whole {
        say_absent(draft, kind);
    }
    confidence(draft);
    usage(draft, kind, closing.signal);
    attributes(draft, who)?;

    let record = &mut draft.record;
    record.push(member::SCHEMA, Val::Str(Cow::Borrowed(SCHEMA)));
    record.push(member::ID, Val::Str(Cow::Owned(closing.id.to_string())));
    record.push(member::KIND, Val::Str(Cow::Borrowed(kind.as_str())));
    record.push(member::TIME_RECEIVED, Val::Time(closing.context.received));
    record.push(member::SOURCE_SIGNAL, Val::Str(Cow::Borrowed(closing.signal.as_str())));
    let dialects = if draft.dialects.is_empty() { draft.weak_dialects } else { draft.dialects };
    let ids: Vec<Cow<'_, str>> = dialects.both(promoter.enabled).ids().map(Cow::Borrowed).collect();
    if !ids.is_empty() {
        record.push(member::SOURCE_DIALECTS, Val::Texts(ids));
    }
    if let Some(peer) = closing.context.peer {
        record.push(member::SOURCE_PEER_ID, Val::Str(Cow::Owned(peer.id.clone())));
        record.push(member::SOURCE_PEER_METHOD, Val::Str(Cow::Borrowed(peer.method)));
    } else {
        record.push(member::SOURCE_PEER_METHOD, Val::Str(Cow::Borrowed("none")));
    }
    let class = retention(promoter, draft, closing.context.received);
    evidence(promoter, draft, kind, &closing);

    let start = time_of(draft, member::TIME_START);
    let end = time_of(draft, member::TIME_END);
    let received = closing.context.received;
    let first = start.or(end).unwrap_or(received).min(end.or(start).unwrap_or(received));
    let last = end.or(start).unwrap_or(received).max(start.or(end).unwrap_or(received));
    let written = draft.record.write(&mut batch.lines, who.keyed.key_id());
    batch.records.push(PendingRecord {
        id: closing.id,
        line: written.line,
        class,
        first,
        last,
        control: false,
        sameness: written.sameness,
    });
    Ok(())
}

fn time_of(draft: &Draft<'_>, member: Member) -> Option<UnixNanos> {
    match draft.record.get(member) {
        Some(Val::Time(at)) => Some(*at),
        _ => None,
    }
}

fn text_of<'d>(draft: &'d Draft<'_>, member: Member) -> Option<&'d str> {
    match draft.record.get(member) {
        Some(Val::Str(text)) => Some(text),
        _ => None,
    }
}

/// Rule 5: `model.version` from its own key, the server's, then the response model; `model.id` from its own key, the response, the
/// request. An id that had to be taken from the request is marked; one that the response gave is the dialect's own word for it.
fn models(draft: &mut Draft<'_>) {
    if let Some((requested, _)) = &draft.requested_model
        && !draft.record.has(member::MODEL_REQUESTED)
    {
        draft.record.push(member::MODEL_REQUESTED, Val::Str(requested.clone()));
    }
    let response = draft.response_model.take();
    let requested = draft.requested_model.take();
    if !draft.record.has(member::MODEL_VERSION)
        && let Some((model, key)) = &response
    {
        draft.record.push(member::MODEL_VERSION, Val::Str(model.clone()));
        draft.derived.push((member::MODEL_VERSION, How::Fallback(key.to_string())));
    }
    if !draft.record.has(member::MODEL_ID) {
        if let Some((model, _)) = response {
            draft.record.push(member::MODEL_ID, Val::Str(model));
        } else if let Some((model, key)) = requested {
            draft.derived.push((member::MODEL_ID, How::Fallback(key.into_owned())));
            draft.record.push(member::MODEL_ID, Val::Str(model));
        }
    }
}

/// Rules 1 and 2: a decision exists only where an outcome, a type or an id is stated; its id is the record's own where none was sent.
fn decision(draft: &mut Draft<'_>, id: RecordId) {
    let states = [member::DECISION_OUTCOME, member::DECISION_TYPE, member::DECISION_ID, member::DECISION_ANSWERS];
    if states.iter().any(|m| draft.record.has(*m)) && !draft.record.has(member::DECISION_ID) {
        draft.record.push(member::DECISION_ID, Val::Str(Cow::Owned(id.to_string())));
        draft.derived.push((member::DECISION_ID, How::Computed));
    }
}

/// What qualifies a decision (a level of automation, an authority) joins it; where none was stated it makes none, and goes to `rest`.
fn qualify<'a>(draft: &mut Draft<'a>, who: &Who<'_>) -> Result<(), Malformed> {
    let qualifiers = std::mem::take(&mut draft.qualifiers);
    let stated = draft.record.has(member::DECISION_ID);
    for (member, place, key, value) in qualifiers {
        if stated {
            draft.member(who, member, place, key, value, true)?;
        } else {
            draft.rest.push((key, value));
        }
    }
    Ok(())
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

/// `prompt.hash` over the texts of the instructions: the same prompt is equal across people and calls.
fn prompt_hash(draft: &mut Draft<'_>, who: &Who<'_>) -> Result<(), Malformed> {
    let foreign = draft.foreign_prompt_hash.take();
    if draft.record.has(member::PROMPT_HASH) {
        return Ok(());
    }
    let mut x = vec![b'['];
    let mut each = |text: Cow<'_, str>| {
        if x.len() > 1 {
            x.push(b',');
        }
        write_string(&mut x, &text);
    };
    for entry in draft.side_ref(Side::Instructions).iter().filter(|e| !e.frame && e.holds == Holds::Content) {
        match &entry.value {
            Value::Text(text) => scan::instruction_texts(text, &mut each),
            other => {
                let json = lists::plain(other)?;
                // A log body is one message: its content is the text.
                scan::instruction_texts(&json, &mut each);
            }
        }
    }
    let mut lists_seen = false;
    for entry in draft.side_ref(Side::Input).iter().filter(|e| e.messages && e.holds == Holds::Content) {
        // Stacked instrumentors repeat the messages: the first list speaks.
        if !lists_seen {
            match &entry.value {
                Value::Text(text) => scan::system_texts(text, &mut each),
                other => scan::system_texts(&lists::plain(other)?, &mut each),
            }
            lists_seen = true;
        }
    }
    if !lists_seen {
        indexed_system_texts(draft, &mut each);
    }
    if x.len() > 1 {
        x.push(b']');
        let hash = keyed_hash_text(who.keyed.key_id(), &who.keyed.bytes("prompt", &x));
        draft.record.push(member::PROMPT_HASH, Val::Str(Cow::Owned(hash)));
        draft.record.set(member::PROMPT_HASH_SOURCE, Val::Str(Cow::Borrowed("receiver")));
        draft.derived.push((member::PROMPT_HASH, How::Computed));
    } else if let Some(foreign) = foreign {
        draft.record.push(member::PROMPT_HASH, Val::Str(Cow::Owned(foreign.into_owned())));
        draft.record.set(member::PROMPT_HASH_SOURCE, Val::Str(Cow::Borrowed("producer")));
    }
    Ok(())
}

/// Finish reasons from the answer's messages where no attribute gave them (older shape, streamed answers), and how many choices came.
fn finish_reasons(draft: &mut Draft<'_>) -> Result<(), Malformed> {
    let list = draft.side_ref(Side::Output).iter().find(|e| e.messages);
    let Some(entry) = list else { return Ok(()) };
    let (reasons, count) = match &entry.value {
        Value::Text(text) => scan::finish_reasons(text),
        Value::Array(_) => scan::finish_reasons(&lists::plain(&entry.value)?),
        _ => return Ok(()),
    };
    let key = entry.key.to_string();
    if !reasons.is_empty() && !draft.record.has(member::OUTPUT_FINISH_REASONS) {
        draft.derived.push((member::OUTPUT_FINISH_REASONS, How::Fallback(key)));
        draft.record.push(member::OUTPUT_FINISH_REASONS, Val::Texts(reasons.into_iter().map(Cow::Owned).collect()));
    }
    if count > 1 && !draft.record.has(member::OUTPUT_CHOICES) {
        draft.derived.push((member::OUTPUT_CHOICES, How::Computed));
        draft.record.push(member::OUTPUT_CHOICES, Val::Int(i64::try_from(count).unwrap_or(i64::MAX)));
    }
    Ok(())
}

/// Texts of `llm.input_messages.<i>.message.*` with role system or developer.
fn indexed_system_texts(draft: &Draft<'_>, each: &mut dyn FnMut(Cow<'_, str>)) {
    const PREFIX: &str = "llm.input_messages.";
    let parts = |key: &str| {
        let (index, leaf) = key.strip_prefix(PREFIX)?.split_once('.')?;
        Some((index.parse::<u32>().ok()?, leaf.to_owned()))
    };
    let input = draft.side_ref(Side::Input);
    if !input.iter().any(|e| matches!(e.value, Value::Text(b"system" | b"developer"))) {
        return;
    }
    let system: Vec<u32> = input
        .iter()
        .filter(|e| matches!(e.value, Value::Text(b"system" | b"developer")))
        .filter_map(|e| parts(&e.key).filter(|(_, leaf)| leaf == "message.role").map(|(i, _)| i))
        .collect();
    let mut texts: Vec<(u32, u32, &[u8])> = Vec::new();
    for entry in input.iter().filter(|e| e.holds == Holds::Content && !e.frame) {
        let (Some((index, leaf)), Value::Text(text)) = (parts(&entry.key), &entry.value) else { continue };
        if !system.contains(&index) {
            continue;
        }
        let part = match leaf.strip_prefix("message.contents.").and_then(|rest| rest.split_once('.')) {
            Some((part, "message_content.text")) => part.parse::<u32>().ok().and_then(|p| p.checked_add(1)),
            None if leaf == "message.content" => Some(0),
            _ => None,
        };
        texts.extend(part.map(|part| (index, part, *text)));
    }
    texts.sort_unstable_by_key(|(index, part, _)| (*index, *part));
    for (_, _, text) in texts {
        each(String::from_utf8_lossy(text));
    }
}

/// What a tool was given and gave back are its arguments and its result, what a retrieval was asked is its query, whatever the
/// instrumentation called them.
fn redirect(draft: &mut Draft<'_>, kind: Kind) {
    let moves: &[(Side, Side)] = match kind {
        Kind::Tool => &[(Side::Input, Side::ToolArguments), (Side::Output, Side::ToolResult)],
        Kind::Retrieval | Kind::Rerank if !draft.has_side(Side::Query) => &[(Side::Input, Side::Query)],
        _ => &[],
    };
    for (from, to) in moves {
        let mut entries = std::mem::take(draft.side_mut(*from));
        draft.side_mut(*to).append(&mut entries);
        draft.move_notes(*from, *to);
    }
}

/// Hashes a side.
fn content<'a>(draft: &mut Draft<'a>, who: &Who<'_>, side: Side) -> Result<(), Malformed> {
    let notes = draft.take_notes(side);
    let mut entries = std::mem::take(draft.side_mut(side));
    let spoken = notes.reference.is_some() || notes.claimed_hash.is_some();
    if entries.is_empty() && !spoken {
        if let Some(media_type) = notes.media_type {
            draft.loose_media_types.push((side, media_type));
        }
        return Ok(());
    }
    let holds = entries.iter().filter(|e| !e.frame).map(|e| e.holds).fold(Holds::Nothing, Holds::join);
    let mut content = match holds {
        Holds::Content => {
            let pairs: Vec<(Cow<'a, str>, Value<'a>)> = entries.drain(..).map(|e| (e.key, e.value)).collect();
            hashed(draft, who, side.member(), pairs)?
        }
        Holds::Redaction => Content::only(Captured::Redacted),
        Holds::Nothing if notes.reference.is_some() => Content::only(Captured::ByReference),
        Holds::Nothing => Content::only(Captured::Absent),
    };
    // Frames without content stay findable; a redaction marker is said by `redacted`.
    draft.rest.extend(entries.drain(..).filter(|e| e.frame || e.holds != Holds::Redaction).map(|e| (e.key, e.value)));
    *draft.side_mut(side) = entries;
    content.claimed_hash = notes.claimed_hash;
    content.reference = notes.reference;
    content.media_type = notes.media_type;
    if side == Side::Output || content.captured != Captured::Absent || spoken {
        draft.record.push(side.member(), Val::Content(Box::new(content)));
    }
    Ok(())
}

/// `H("content", x)` with x by scheme: `utf8` exactly where one string carried it, else JCS of all attributes that did.
fn hashed<'a>(draft: &mut Draft<'a>, who: &Who<'_>, member: Member, pairs: Vec<(Cow<'a, str>, Value<'a>)>) -> Result<Content, Malformed> {
    let mut content = Content::only(Captured::Hash);
    if let [(_, Value::Text(text))] = pairs.as_slice() {
        if std::str::from_utf8(text).is_err() {
            draft.conflict(member.path());
        }
        content.scheme = Some(Scheme::Utf8);
        content.bytes = u64::try_from(text.len()).ok();
        content.hash = Some(who.keyed.bytes("content", text));
        return Ok(content);
    }
    let mut x = std::mem::take(&mut draft.buffer);
    x.clear();
    let notes = jcs(&mut x, pairs)?;
    if notes.repaired || notes.repeated {
        draft.conflict(member.path());
    }
    if notes.cut {
        content.truncated = true;
        draft.truncated.push(member.path());
    }
    content.scheme = Some(Scheme::Attributes);
    content.bytes = u64::try_from(x.len()).ok();
    content.hash = Some(who.keyed.bytes("content", &x));
    draft.buffer = x;
    Ok(content)
}

/// Content that this kind of record speaks of and this signal does not hold is said to be absent: it looks complete otherwise.
fn say_absent(draft: &mut Draft<'_>, kind: Kind) {
    let spoken: &[Member] = match kind {
        Kind::Inference | Kind::Embedding | Kind::Agent | Kind::Workflow | Kind::Guardrail | Kind::Decision => {
            &[member::INPUT, member::OUTPUT]
        }
        Kind::Tool => &[member::TOOL_ARGUMENTS, member::TOOL_RESULT],
        Kind::Retrieval | Kind::Rerank => &[member::RETRIEVAL_QUERY],
        _ => &[],
    };
    for member in spoken {
        if !draft.record.has(*member) {
            draft.record.push(*member, Val::Content(Box::new(Content::only(Captured::Absent))));
        }
    }
}

/// Rules 3 and 4.
fn confidence(draft: &mut Draft<'_>) {
    lists::confidence_of_answers(draft);
    for member in [member::CONFIDENCE_SCORE, member::DECISION_SCORE] {
        if let Some(Val::Num(score)) = draft.record.get(member)
            && !(0.0..=1.0).contains(score)
        {
            draft.conflict(member.path());
        }
    }
    let (Some(Val::Num(score)), Some(Val::Num(threshold))) =
        (draft.record.get(member::CONFIDENCE_SCORE), draft.record.get(member::CONFIDENCE_THRESHOLD))
    else {
        return;
    };
    let met = score >= threshold;
    match draft.record.get(member::CONFIDENCE_THRESHOLD_MET) {
        None => {
            draft.record.push(member::CONFIDENCE_THRESHOLD_MET, Val::Bool(met));
            draft.derived.push((member::CONFIDENCE_THRESHOLD_MET, How::Computed));
        }
        // The claim stays, and that the numbers say otherwise is named.
        Some(Val::Bool(sent)) if *sent != met => draft.conflict(member::CONFIDENCE_THRESHOLD_MET.path()),
        Some(_) => {}
    }
}

/// Rule 8: what counts tokens a second time is marked: agents and workflows add up their calls, a log repeats its span, a fetched
/// response was counted when it was made.
fn usage(draft: &mut Draft<'_>, kind: Kind, signal: Signal) {
    let counted = draft.record.has_any(member::USAGE_AGGREGATE, member::USAGE_TOTAL_TOKENS);
    let again =
        matches!(kind, Kind::Agent | Kind::Workflow | Kind::Event) || (signal == Signal::Log && draft.record.has(member::TRACE_SPAN_ID));
    if counted && again && !draft.record.has(member::USAGE_AGGREGATE) {
        draft.record.push(member::USAGE_AGGREGATE, Val::Bool(true));
        draft.derived.push((member::USAGE_AGGREGATE, How::Computed));
    }
}

/// `attributes` and `rest`.
fn attributes(draft: &mut Draft<'_>, who: &Who<'_>) -> Result<(), Malformed> {
    if !draft.kept.is_empty() {
        let mut kept = std::mem::take(&mut draft.kept);
        kept.sort_by(|a, b| compare_names(&a.0, &b.0));
        let before = kept.len();
        kept.dedup_by(|later, earlier| later.0 == earlier.0);
        let mut notes = Notes { repeated: kept.len() != before, ..Notes::default() };
        let mut raw = Vec::with_capacity(kept.len() * 48);
        raw.push(b'{');
        for (i, (key, value)) in kept.drain(..).enumerate() {
            if i > 0 {
                raw.push(b',');
            }
            write_string(&mut raw, &key);
            raw.push(b':');
            encode::write_value(&mut raw, &value, Form::Exact, &mut notes)?;
        }
        raw.push(b'}');
        draft.kept = kept;
        if notes.repeated || notes.repaired {
            draft.conflict(member::ATTRIBUTES.path());
        }
        if notes.cut {
            draft.truncated.push(member::ATTRIBUTES.path());
        }
        draft.record.push(member::ATTRIBUTES, Val::Raw(raw));
    }
    // A media type of content that is not there has no home either.
    for (side, media_type) in std::mem::take(&mut draft.loose_media_types) {
        if let Some(Val::Content(content)) = draft.record.get_mut(side.member()) {
            content.media_type = Some(media_type);
        }
    }
    if !draft.rest.is_empty() {
        let pairs = std::mem::take(&mut draft.rest);
        let content = hashed(draft, who, member::REST, pairs)?;
        draft.record.push(member::REST, Val::Content(Box::new(content)));
    }
    Ok(())
}

/// The class, by the policies and by what telemetry asked for.
fn retention(promoter: &Promoter, draft: &mut Draft<'_>, received: UnixNanos) -> crate::retain::ClassIndex {
    let classes = &promoter.settings.classes;
    let decision = classes.decide(text_of(draft, member::RETENTION_CLAIMED), received.ceil_seconds());
    draft.record.push(member::RETENTION_CLASS, Val::Str(Cow::Owned(classes.class(decision.class).name.clone())));
    if !decision.policies.is_empty() {
        draft.record.push(member::RETENTION_POLICIES, Val::Texts(decision.policies.into_iter().map(Cow::Owned).collect()));
    }
    decision.class
}

fn evidence(promoter: &Promoter, draft: &mut Draft<'_>, kind: Kind, closing: &Closing<'_>) {
    let missing: Vec<Cow<'_, str>> = promoter
        .required
        .iter()
        .filter(|(k, m)| {
            let absent = match draft.record.get(*m) {
                None => true,
                Some(Val::Content(content)) => content.captured == Captured::Absent,
                Some(_) => false,
            };
            // A span event's content stands in the record of its span.
            *k == kind && absent && (closing.whole || !matches!(*m, member::INPUT | member::OUTPUT | member::PROMPT_HASH))
        })
        .map(|(_, m)| Cow::Borrowed(m.path()))
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
    if draft.withheld > 0 {
        draft.record.push(member::EVIDENCE_WITHHELD, Val::Int(draft.withheld));
    }
    let last = time_of(draft, member::TIME_END).max(time_of(draft, member::TIME_START));
    if let Some(last) = last {
        let late = (i128::from(closing.context.received.0) - i128::from(last.0)) / 1_000_000;
        draft.record.push(member::EVIDENCE_LATE_MS, Val::Int(i64::try_from(late).unwrap_or(i64::MAX)));
    }
    draft.record.push(member::EVIDENCE_WRITER, Val::Str(Cow::Owned(promoter.settings.writer.clone())));
}
