//! One span, or one log record, becomes its records.

use std::borrow::Cow;

use super::aside::Aside;
use super::convert::{self, Marks, Who};
use super::detect;
use super::dialects::{Dialect, Look, Side, ai_audit, document_of_event, message_event};
use super::draft::{Draft, Entity, How};
use super::encode::{self, Notes};
use super::finish::{Closing, Signal, finish};
use super::lists;
use super::origin::{Below, Origin};
use super::rules::{Matched, Ruled, Said};
use super::scan;
use super::{Context, Promoter, own_words};
use crate::clock::UnixNanos;
use crate::otlp::view::{Event, LogRecord, Span, Value, is_span_id, is_trace_id, key_values};
use crate::otlp::wire::Malformed;
use crate::record::builder::Val;
use crate::record::registry::{self as member, Kind, Member};
use crate::record::{Batch, RecordId};

/// The event whose attributes are those of the span (semconv 1.37; some send it as a span event).
const DETAILS: &[u8] = b"gen_ai.client.inference.operation.details";
/// A judgement on an earlier answer.
const EVALUATION: &[u8] = b"gen_ai.evaluation.result";
/// Spans of one trace that a record links to; more are cut and named.
const LINKS_MAX: usize = 512;

/// Everything around one span or log.
pub(crate) struct Around<'p, 'a> {
    pub(crate) promoter: &'a Promoter,
    pub(crate) origin: &'p Origin<'a>,
    pub(crate) below: &'p Below<'a>,
    pub(crate) aside: &'p Aside<'a>,
    pub(crate) context: Context<'a>,
    /// The own rules that the span or log meets.
    pub(crate) matched: &'p Matched<'a>,
    /// Memory of the batch before this request.
    pub(crate) taken_before: usize,
}

impl<'p> Around<'p, '_> {
    /// Whether what the request has become so far may take so much memory.
    fn has_room(&self, batch: &Batch) -> bool {
        self.context.room.has((batch.lines.len() + self.aside.memory()).saturating_sub(self.taken_before))
    }

    fn who<'w>(&'w self) -> Who<'w>
    where
        'p: 'w,
    {
        Who {
            keyed: &self.promoter.keyed,
            aside: self.aside,
            mode: self.promoter.settings.identity_mode,
            references: self.promoter.settings.references,
            scrub: &self.promoter.scrub,
            realm: &self.origin.realm,
        }
    }
}

/// An id of the trace as bytes and as hex; empty where it is none (trace.proto: wrong length, or all zero).
struct Id<'a> {
    sent: &'a [u8],
    valid: bool,
    /// Something stands there that has not even the length of an id.
    misshapen: bool,
    digits: [u8; 32],
}

impl<'a> Id<'a> {
    fn trace(sent: &'a [u8]) -> Self {
        Id::new(sent, is_trace_id(sent), 16)
    }

    fn span(sent: &'a [u8]) -> Self {
        Id::new(sent, is_span_id(sent), 8)
    }

    fn new(sent: &'a [u8], valid: bool, length: usize) -> Self {
        let mut digits = [0; 32];
        if valid && let Some(space) = digits.get_mut(..sent.len() * 2) {
            // 8 or 16 bytes: the digits fit.
            let _ = const_hex::encode_to_slice(sent, space);
        }
        // All zero is what some SDKs write where there is no parent: no id, but not misshapen.
        let misshapen = !sent.is_empty() && sent.len() != length;
        Id { sent, valid, misshapen, digits }
    }

    fn text(&self) -> &str {
        let length = if self.valid { self.sent.len() * 2 } else { 0 };
        self.digits.get(..length).and_then(|d| std::str::from_utf8(d).ok()).unwrap_or_default()
    }

    /// Sets a member. That something stood there which is no id is named.
    fn set(&self, draft: &mut Draft<'_>, member: Member) {
        if self.valid {
            draft.record.push(member, Val::hex(self.sent));
        } else if !self.sent.is_empty() {
            draft.conflict(member.path());
        }
    }
}

fn set_time(draft: &mut Draft<'_>, member: Member, nanos: u64) {
    if nanos != 0 {
        draft.record.push(member, Val::Time(UnixNanos(nanos)));
    }
}

fn set_name<'a>(draft: &mut Draft<'a>, who: &Who<'_>, member: Member, bytes: &'a [u8]) {
    if bytes.is_empty() {
        return;
    }
    let mut marks = Marks::default();
    let text = convert::claim(member, bytes, who, &mut marks);
    draft.found(member, convert::Converted::To(Val::Str(text)), marks);
}

/// What came to light while the records of one span or log were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// How many attributes the SDK says it dropped.
    pub(crate) dropped_attributes: u64,
    /// Whether an id of it has a wrong length.
    pub(crate) misshapen_id: bool,
    /// Conditions of thresholds that could not be decided.
    pub(crate) undecided: u64,
    /// There was no room for the records of all its events, and it is not whole.
    pub(crate) cut_off: bool,
}

/// Appends the records of a span that is AI: its own, and one for each event that states an act.
pub(crate) fn span<'a>(around: &Around<'_, 'a>, draft: &mut Draft<'a>, bytes: &'a [u8], batch: &mut Batch) -> Result<Made, Malformed> {
    let span = Span::read(bytes)?;
    let who = around.who();
    let (trace_id, span_id) = (Id::trace(span.trace_id), Id::span(span.span_id));
    // trace.proto requires both. All spans without them would have one identity, and be called copies or contradictions of each other.
    if !(trace_id.valid && span_id.valid) {
        return Err(Malformed(
            "a span without a valid trace id or span id (16 and 8 bytes, in JSON 32 and 16 hexadecimal digits, not all zero)",
        ));
    }
    draft.clear();
    draft.speaks(detect::names(around.below.scope.name, span.name).both(around.promoter.enabled));
    draft.apply(&who, &around.promoter.rules, around.matched.own, &around.matched.values)?;
    let ruled_status = draft.record.has(member::ERROR_STATUS);
    for pair in span.attributes() {
        let pair = pair?;
        draft.attribute(around.promoter, &who, pair.key, pair.value()?)?;
    }
    let mut dropped = u64::from(span.dropped_attributes);
    let mut acts: Vec<(usize, Event<'a>)> = Vec::new();
    for (index, event) in span.events().enumerate() {
        let event = event?;
        draft.spend(size_of::<(usize, Event<'a>)>())?;
        dropped += u64::from(event.dropped_attributes);
        if states_act(&event)? || around.promoter.rules.makes_act(around.matched.of_event(index)) {
            acts.push((index, event));
        } else {
            draft.dropped_attributes += i64::from(event.dropped_attributes);
            fold_event(around, &who, draft, index, &event)?;
        }
    }
    draft.settle(&who)?;

    let (code, message) = span.status()?;
    if let Some(word) = status(code) {
        if !ruled_status {
            draft.record.set(member::ERROR_STATUS, Val::Str(Cow::Borrowed(word)));
        } else if draft.text(member::ERROR_STATUS) != Some(word) {
            draft.conflict(member::ERROR_STATUS.path());
        }
    } else if let Some(key) = draft.error_level.take()
        && !draft.record.has(member::ERROR_STATUS)
    {
        draft.record.push(member::ERROR_STATUS, Val::Str(Cow::Borrowed("error")));
        draft.derived.push((member::ERROR_STATUS, How::Fallback(key.into_owned())));
    }
    if !message.is_empty() {
        // An exception's message says the same, or more; then the status has no home of its own.
        let known = draft.side_ref(Side::ErrorMessage).iter().map(|e| matches!(e.value, Value::Text(text) if text == message)).next();
        match known {
            None => draft.side(Side::ErrorMessage, Look::Whole, Cow::Borrowed("status/message"), Value::Text(message))?,
            Some(true) => {}
            Some(false) => draft.rest.push((Cow::Borrowed("status/message"), Value::Text(message))),
        }
    }
    if !span.trace_state.is_empty() {
        draft.withheld += 1;
    }
    set_time(draft, member::TIME_START, span.start);
    set_time(draft, member::TIME_END, span.end);
    first_chunk(draft, span.start);
    if draft.named_by_span {
        draft.entities.push(Entity { kinds: NAMED_BY_SPAN, key: Cow::Borrowed("span name"), name: span.name });
    }
    if span.end != 0 && span.end < span.start {
        draft.conflict(member::TIME_END.path());
    }
    trace_id.set(draft, member::TRACE_TRACE_ID);
    span_id.set(draft, member::TRACE_SPAN_ID);
    let parent = Id::span(span.parent_span_id);
    parent.set(draft, member::TRACE_PARENT_SPAN_ID);
    let misshapen_id = parent.misshapen;
    set_name(draft, &who, member::TRACE_NAME, span.name);
    if let Some(kind) = span_kind(span.kind) {
        draft.record.push(member::TRACE_SPAN_KIND, Val::Str(Cow::Borrowed(kind)));
    }
    links(draft, &who, &span)?;
    draft.dropped_attributes += i64::from(span.dropped_attributes);
    for (member, count) in [(member::EVIDENCE_DROPPED_EVENTS, span.dropped_events), (member::EVIDENCE_DROPPED_LINKS, span.dropped_links)] {
        if count > 0 {
            draft.record.push(member, Val::Int(i64::from(count)));
        }
    }
    let asked_model = draft.response_model.is_some() || draft.requested_model.is_some();
    // Semconv 1.26 had no operation name: a span that names a model and nothing else is the call of one.
    let own = own_words::span(draft, &who, span.name)?;
    let stated = own.or(draft.span_kind).or(draft.operation).or(draft.vague_kind);
    let kind = stated.or_else(|| (asked_model && !draft.says_kind).then_some(Kind::Inference));
    finish_from_span(around, &who, draft, batch, Signal::Span, RecordId::derive("span", trace_id.text(), span_id.text(), "0"), kind)?;

    let mut cut_off = false;
    for (index, event) in acts {
        let id = RecordId::derive("span_event", trace_id.text(), span_id.text(), itoa::Buffer::new().format(index));
        act(around, &who, draft, index, &event)?;
        trace_id.set(draft, member::TRACE_TRACE_ID);
        span_id.set(draft, member::TRACE_SPAN_ID);
        let kind = kind_of_event(event.name);
        finish_from_span(around, &who, draft, batch, Signal::SpanEvent, id, kind)?;
        // Each of them repeats what the resource and the scope say, so a small span may become very much.
        cut_off = !around.has_room(batch);
        if cut_off {
            break;
        }
    }
    Ok(Made { dropped_attributes: dropped, misshapen_id, undecided: std::mem::take(&mut draft.undecided), cut_off })
}

/// The record's word for a `StatusCode`.
pub(crate) fn status(code: u64) -> Option<&'static str> {
    match code {
        1 => Some("ok"),
        2 => Some("error"),
        _ => None,
    }
}

/// The record's word for a `SpanKind`.
pub(crate) fn span_kind(kind: u64) -> Option<&'static str> {
    match kind {
        1 => Some("internal"),
        2 => Some("server"),
        3 => Some("client"),
        4 => Some("producer"),
        5 => Some("consumer"),
        _ => None,
    }
}

/// What is named by the name of its span, in dialects that have no other name for it.
const NAMED_BY_SPAN: &[Kind] = &[Kind::Tool, Kind::Agent, Kind::Guardrail, Kind::Evaluation];

/// `time.to_first_chunk` from the time at which the answer began.
fn first_chunk(draft: &mut Draft<'_>, start: u64) {
    let Some(waited) = draft.first_chunk_at.and_then(|at| at.0.checked_sub(start)).filter(|_| start != 0) else { return };
    // Whole microseconds: finer than any clock of these senders, and exact as a number.
    let (seconds, micros) = (u32::try_from(waited / 1_000_000_000), u32::try_from(waited % 1_000_000_000 / 1000));
    if let (Ok(seconds), Ok(micros), false) = (seconds, micros, draft.record.has(member::TIME_TO_FIRST_CHUNK)) {
        let value = (f64::from(seconds) * 1e6 + f64::from(micros)) / 1e6;
        draft.record.push(member::TIME_TO_FIRST_CHUNK, Val::Num(value));
        draft.derived.push((member::TIME_TO_FIRST_CHUNK, How::Computed));
    }
}

fn finish_from_span<'a>(
    around: &Around<'_, 'a>,
    who: &Who<'_>,
    draft: &mut Draft<'a>,
    batch: &mut Batch,
    signal: Signal,
    id: RecordId,
    kind: Option<Kind>,
) -> Result<(), Malformed> {
    around.below.apply(draft);
    let closing = Closing { signal, id, kind, whole: signal == Signal::Span, context: around.context };
    finish(around.promoter, draft, around.origin, who, closing, batch)
}

fn kind_of_event(name: &[u8]) -> Option<Kind> {
    if name == EVALUATION {
        return Some(Kind::Evaluation);
    }
    std::str::from_utf8(name).ok().and_then(ai_audit::kind_of_event)
}

/// Whether a span event states an act of its own (`record.md` section 5, rule 6).
fn states_act(event: &Event<'_>) -> Result<bool, Malformed> {
    if event.name == EVALUATION || ai_audit::names_act(event.name) {
        return Ok(true);
    }
    for pair in event.attributes() {
        if ai_audit::names_act(pair?.key) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The draft of an event that states an act.
fn act<'a>(around: &Around<'_, 'a>, who: &Who<'_>, draft: &mut Draft<'a>, index: usize, event: &Event<'a>) -> Result<(), Malformed> {
    draft.clear();
    draft.apply_to_event(who, &around.promoter.rules, around.matched.of_event(index), event.attributes())?;
    if let Some(dialect) = detect::prefix(event.name) {
        draft.dialects.add(dialect);
    }
    for pair in event.attributes() {
        let pair = pair?;
        draft.attribute(around.promoter, who, pair.key, pair.value()?)?;
    }
    draft.settle(who)?;
    set_time(draft, member::TIME_START, event.time);
    set_name(draft, who, member::SOURCE_EVENT_NAME, event.name);
    review_status(draft, event.name);
    draft.dropped_attributes = i64::from(event.dropped_attributes);
    Ok(())
}

/// `ai_audit.review.completed` states a status by its name.
fn review_status(draft: &mut Draft<'_>, name: &[u8]) {
    if let Some(status) = std::str::from_utf8(name).ok().and_then(ai_audit::review_status)
        && !draft.record.has(member::REVIEW_STATUS)
    {
        draft.record.push(member::REVIEW_STATUS, Val::Str(Cow::Borrowed(status)));
        draft.derived.push((member::REVIEW_STATUS, How::Fallback("event name".to_owned())));
    }
}

/// An event that belongs to its span: a message, an exception, a chunk.
fn fold_event<'a>(around: &Around<'_, 'a>, who: &Who<'_>, draft: &mut Draft<'a>, index: usize, event: &Event<'a>) -> Result<(), Malformed> {
    if let Some(dialect) = detect::prefix(event.name) {
        draft.weak_dialects.add(dialect);
    }
    let name = String::from_utf8_lossy(event.name);
    let message = message_event(event.name);
    let document = document_of_event(event.name).filter(|_| around.promoter.enabled.has(Dialect::Traceloop));
    if document.is_some() {
        draft.dialects.add(Dialect::Traceloop);
        draft.vague_kind = draft.vague_kind.or(Some(Kind::Retrieval));
    }
    for pair in event.attributes() {
        let pair = pair?;
        if draft.said(pair.key) == Said::Dropped {
            draft.withheld += 1;
            continue;
        }
        let value = pair.value()?;
        let mut notes = Notes::default();
        let own = encode::text(pair.key, &mut notes);
        draft.spend(name.len() + own.len())?;
        let key: Cow<'a, str> = Cow::Owned(format!("{index}/{name}/{own}"));
        match message {
            Some(side) => message_part(draft, who, side, &own, key, value)?,
            None if let Some(prefix) = document => {
                let leaf: &[u8] = match pair.key.strip_prefix(prefix) {
                    Some(b"id") => b"document.id",
                    Some(b"score") => b"document.score",
                    Some(b"document") => b"document.content",
                    _ => b"",
                };
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                if !lists::document_leaf(draft, who, index, leaf, &key, &value)? {
                    draft.rest.push((key, value));
                }
            }
            None if event.name == b"exception" || event.name == DETAILS => match around.promoter.tables.find(pair.key) {
                Some(known) => draft.known(who, known, key, value)?,
                None => draft.rest.push((key, value)),
            },
            None => draft.rest.push((key, value)),
        }
    }
    Ok(())
}

/// One attribute of a message event.
fn message_part<'a>(
    draft: &mut Draft<'a>,
    who: &Who<'_>,
    side: Side,
    own: &str,
    key: Cow<'a, str>,
    value: Value<'a>,
) -> Result<(), Malformed> {
    match own {
        "finish_reason" => match value.as_str() {
            Some(text) if !text.is_empty() => add_reason(draft, who, Cow::Borrowed(text)),
            _ => draft.rest.push((key, value)),
        },
        "role" | "id" | "name" | "index" | "gen_ai.system" | "gen_ai.provider.name" => draft.side(side, Look::Frame, key, value)?,
        "gen_ai.prompt" | "gen_ai.completion" | "gen_ai.event.content" => draft.side(side, Look::Messages, key, value)?,
        _ => draft.side(side, Look::Whole, key, value)?,
    }
    Ok(())
}

/// Adds a finish reason, in the order of choices.
fn add_reason<'a>(draft: &mut Draft<'a>, who: &Who<'_>, reason: Cow<'a, str>) {
    convert::claim_one_more(draft, who, member::OUTPUT_FINISH_REASONS, reason);
}

fn links<'a>(draft: &mut Draft<'a>, who: &Who<'_>, span: &Span<'a>) -> Result<(), Malformed> {
    let mut items: Vec<Vec<u8>> = Vec::new();
    for (index, link) in span.links().enumerate() {
        let link = link?;
        draft.dropped_attributes += i64::from(link.dropped_attributes);
        let mut out = vec![b'{'];
        for pair in link.attributes() {
            let pair = pair?;
            let value = pair.value()?;
            match value.as_str() {
                Some(relation) if matches!(pair.key, b"relation" | b"ai_audit.relation") && !relation.is_empty() && out.len() == 1 => {
                    out.extend_from_slice(b"\"relation\":");
                    let mut marks = Marks::default();
                    let relation = convert::claim(member::TRACE_LINKS_ITEM_RELATION, relation.as_bytes(), who, &mut marks);
                    crate::record::canonical::write_string(&mut out, &relation);
                    draft.marks(member::TRACE_LINKS_ITEM_RELATION.path(), marks);
                }
                _ => {
                    let key = String::from_utf8_lossy(pair.key);
                    draft.spend(key.len())?;
                    draft.rest.push((Cow::Owned(format!("link/{index}/{key}")), value));
                }
            }
        }
        for (name, bytes, valid, member) in [
            ("span_id", link.span_id, is_span_id(link.span_id), member::TRACE_LINKS_ITEM_SPAN_ID),
            ("trace_id", link.trace_id, is_trace_id(link.trace_id), member::TRACE_LINKS_ITEM_TRACE_ID),
        ] {
            if valid {
                if out.len() > 1 {
                    out.push(b',');
                }
                out.extend_from_slice(format!("\"{name}\":\"{}\"", hex::encode(bytes)).as_bytes());
            } else {
                draft.conflict(member.path());
            }
        }
        out.push(b'}');
        if items.len() == LINKS_MAX {
            draft.truncated.push(member::TRACE_LINKS.path());
        } else if out.len() > 2 && items.len() < LINKS_MAX {
            items.push(out);
        }
    }
    if !items.is_empty() {
        draft.record.push(member::TRACE_LINKS, Val::Items(items));
    }
    Ok(())
}

/// Appends the record of a log that is AI.
pub(crate) fn log<'a>(around: &Around<'_, 'a>, draft: &mut Draft<'a>, bytes: &'a [u8], batch: &mut Batch) -> Result<Made, Malformed> {
    let log = LogRecord::read(bytes)?;
    let who = around.who();
    draft.clear();
    let body = Value::read(&log.body)?;
    let name = event_name(&log, &body)?;
    draft.apply(&who, &around.promoter.rules, around.matched.own, &around.matched.values)?;
    draft.speaks(detect::names_of_log(around.below.scope.name, name).both(around.promoter.enabled));
    for pair in log.attributes() {
        let pair = pair?;
        let value = pair.value()?;
        // The name in its old place is said once.
        if pair.key == b"event.name" && matches!(&value, Value::Text(text) if *text == name || is_short_for(text, name)) {
            continue;
        }
        draft.attribute(around.promoter, &who, pair.key, value)?;
    }
    let message = message_event(name);
    match (message, body) {
        (_, Value::Empty) => {}
        (Some(side), body) => {
            if side == Side::Output {
                body_reasons(draft, &who, &body)?;
            }
            draft.side(side, Look::Messages, Cow::Borrowed("body"), body)?;
        }
        (None, Value::Text(text)) if text == name => {}
        (None, body) => draft.rest.push((Cow::Borrowed("body"), body)),
    }
    draft.settle(&who)?;

    let (trace_id, span_id) = (Id::trace(log.trace_id), Id::span(log.span_id));
    trace_id.set(draft, member::TRACE_TRACE_ID);
    span_id.set(draft, member::TRACE_SPAN_ID);
    set_name(draft, &who, member::SOURCE_EVENT_NAME, name);
    review_status(draft, name);
    if log.time == 0 && log.observed_time != 0 {
        draft.derived.push((member::TIME_START, How::Fallback("observed_time_unix_nano".to_owned())));
    }
    set_time(draft, member::TIME_START, if log.time == 0 { log.observed_time } else { log.time });
    draft.dropped_attributes = i64::from(log.dropped_attributes);
    let ruled = draft.ruled.and_then(Ruled::kind);
    let whole = name.is_empty() || name == DETAILS || ruled.is_some();
    // One message, one exception is part of a call, not a call.
    let kind = kind_of_event(name).or(if whole { draft.span_kind.or(draft.operation).or(draft.vague_kind) } else { None });
    let own = own_words::log(draft, &who, name);
    let (kind, whole) = (own.or(kind), whole || matches!(own, Some(Kind::Inference | Kind::Tool)));
    let stated = kind.or_else(|| (!whole && !has_act(draft) && draft.ruled.is_none()).then_some(Kind::Event));
    let ordinal = hex::encode(around.promoter.keyed.bytes("log", log.bytes));
    let id = RecordId::derive("log", trace_id.text(), span_id.text(), &ordinal);
    around.below.apply(draft);
    let closing = Closing { signal: Signal::Log, id, kind: stated, whole, context: around.context };
    finish(around.promoter, draft, around.origin, &who, closing, batch)?;
    let misshapen_id = trace_id.misshapen || span_id.misshapen;
    let undecided = std::mem::take(&mut draft.undecided);
    Ok(Made { dropped_attributes: u64::from(log.dropped_attributes), misshapen_id, undecided, cut_off: false })
}

/// The name of a log's event: its own field, the attribute that carried it before, or, with coding agents, the body, which may have the
/// full name where the attribute has only its end.
pub(crate) fn event_name<'a>(log: &LogRecord<'a>, body: &Value<'a>) -> Result<&'a [u8], Malformed> {
    let mut name = log.event_name;
    for pair in log.attributes().filter(|_| log.event_name.is_empty()) {
        let pair = pair?;
        if pair.key == b"event.name"
            && let Value::Text(text) = pair.value()?
        {
            name = text;
            break;
        }
    }
    Ok(match body {
        Value::Text(text) if detect::is_coding_agent_event(text) && (name.is_empty() || is_short_for(name, text)) => text,
        _ => name,
    })
}

/// Whether a name is the end of a dotted one: `tool_decision` of `claude_code.tool_decision`.
fn is_short_for(short: &[u8], name: &[u8]) -> bool {
    name.strip_suffix(short).is_some_and(|rest| rest.ends_with(b".")) && !short.is_empty()
}

/// Whether groups of our own decide the kind of a log.
fn has_act(draft: &Draft<'_>) -> bool {
    draft.dialects.has(Dialect::AiAudit)
}

/// `finish_reason` inside the body of a choice.
fn body_reasons<'a>(draft: &mut Draft<'a>, who: &Who<'_>, body: &Value<'a>) -> Result<(), Malformed> {
    match body {
        Value::KeyValues(list) => {
            for pair in key_values(list, 1) {
                let pair = pair?;
                if pair.key == b"finish_reason"
                    && let Some(reason) = pair.value()?.as_str().filter(|r| !r.is_empty())
                {
                    add_reason(draft, who, Cow::Borrowed(reason));
                }
            }
        }
        Value::Text(json) => {
            let reason = scan::members(json.trim_ascii()).find(|(name, v)| *name == b"finish_reason" && v.len() > 2);
            if let Some((_, raw)) = reason.filter(|(_, v)| v.first() == Some(&b'"')) {
                add_reason(draft, who, scan::unescaped(raw));
            }
        }
        _ => {}
    }
    Ok(())
}
