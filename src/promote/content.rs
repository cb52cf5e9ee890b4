//! What was said (`record.md` section 4): sides become content objects, texts become the prompt's hash, the rest is held
//! as content too.

use std::borrow::Cow;

use super::aside::Held;
use super::convert::{self, Marks, Who};
use super::dialects::{Look, Side};
use super::draft::{Draft, Entry, How, jcs};
use super::elsewhere;
use super::encode::Notes;
use super::lists;
use super::scan::{self, Holds};
use crate::otlp::view::Value;
use crate::otlp::wire::Malformed;
use crate::record::builder::Val;
use crate::record::canonical::{Json, compare_names, write_string};
use crate::record::content::{Captured, Content, keyed_hash_text};
use crate::record::registry::{self as member, Kind, Member};

/// `prompt.hash` over the texts of the instructions: the same prompt is equal across people and calls.
pub(super) fn prompt_hash(draft: &mut Draft<'_>, who: &Who<'_>) -> Result<(), Malformed> {
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
    for entry in draft.side_ref(Side::Instructions).iter().filter(|e| !e.is_frame() && e.holds == Holds::Content) {
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
    for entry in draft.side_ref(Side::Input).iter().filter(|e| e.look == Look::Messages && e.holds == Holds::Content) {
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

/// Finish reasons from the answer itself where no attribute gave them (single choices, message lists of older shape, a provider's answer),
/// and how many choices came; of a provider's answer also its id.
pub(super) fn finish_reasons(draft: &mut Draft<'_>, who: &Who<'_>, kind: Kind) -> Result<(), Malformed> {
    let choices = std::mem::take(&mut draft.choice_reasons);
    if !draft.record.has(member::OUTPUT_FINISH_REASONS) {
        for reason in choices.into_values() {
            convert::claim_one_more(draft, who, member::OUTPUT_FINISH_REASONS, reason);
        }
    }
    let answers = draft.side_ref(Side::Output).iter().any(|e| e.look == Look::Response);
    if let Some(Val::Texts(reasons)) = draft.record.get(member::OUTPUT_FINISH_REASONS)
        && reasons.len() == 1
        && !draft.record.has(member::PARAMETERS_CHOICE_COUNT)
        && (!answers || draft.record.has(member::OUTPUT_RESPONSE_ID))
    {
        // One reason, one choice: nothing to find out.
        return Ok(());
    }
    // A tool's result may look like a provider's answer and is none.
    let asked = matches!(kind, Kind::Inference | Kind::Embedding);
    let found = draft.side_ref(Side::Output).iter().find(|e| e.look == Look::Messages || (asked && e.look == Look::Response));
    let Some(entry) = found else { return Ok(()) };
    let (reasons, count, id) = match (&entry.value, entry.look) {
        (Value::Text(text), Look::Response) => scan::answer(text),
        (Value::Text(text), _) => message_reasons(text),
        (Value::Array(_), _) => message_reasons(&lists::plain(&entry.value)?),
        _ => return Ok(()),
    };
    let key = entry.key.to_string();
    if let Some(id) = id
        && !draft.record.has(member::OUTPUT_RESPONSE_ID)
    {
        let mut marks = Marks::default();
        let id = convert::claim(member::OUTPUT_RESPONSE_ID, id.as_bytes(), who, &mut marks).into_owned();
        draft.record.push(member::OUTPUT_RESPONSE_ID, Val::Str(Cow::Owned(id)));
        draft.marks(member::OUTPUT_RESPONSE_ID.path(), marks);
        draft.derived.push((member::OUTPUT_RESPONSE_ID, How::Fallback(key.clone())));
    }
    if !reasons.is_empty() && !draft.record.has(member::OUTPUT_FINISH_REASONS) {
        draft.derived.push((member::OUTPUT_FINISH_REASONS, How::Fallback(key)));
        for reason in reasons {
            convert::claim_one_more(draft, who, member::OUTPUT_FINISH_REASONS, Cow::Owned(reason));
        }
    }
    if count > 1 && !draft.record.has(member::OUTPUT_CHOICES) {
        draft.derived.push((member::OUTPUT_CHOICES, How::Computed));
        draft.record.push(member::OUTPUT_CHOICES, Val::Int(i64::try_from(count).unwrap_or(i64::MAX)));
    }
    Ok(())
}

fn message_reasons(json: &[u8]) -> (Vec<String>, usize, Option<String>) {
    let (reasons, count) = scan::finish_reasons(json);
    (reasons, count, None)
}

/// The documents of a retrieval from its output, where no key of their own holds them: a list of objects, or an object with that list
/// as `documents`. The output stays what it is.
pub(super) fn documents(draft: &mut Draft<'_>, who: &Who<'_>, kind: Kind) -> Result<(), Malformed> {
    if kind != Kind::Retrieval || !draft.documents.is_empty() || draft.record.has(member::RETRIEVAL_DOCUMENTS) {
        return Ok(());
    }
    let texts = draft.side_ref(Side::Output).iter().filter_map(|e| match &e.value {
        Value::Text(text) if !e.is_frame() && e.holds == Holds::Content => scan::parse_bounded(text).map(|json| (json, e.key.to_string())),
        _ => None,
    });
    let lists = texts.filter_map(|(json, key)| {
        let list = match json {
            Json::Array(list) => list,
            Json::Object(members) => match members.into_iter().find(|(name, _)| name == "documents")?.1 {
                Json::Array(list) => list,
                _ => return None,
            },
            _ => return None,
        };
        let all =
            !list.is_empty() && list.iter().all(|item| ["page_content", "content", "text", "id"].iter().any(|n| item.get(n).is_some()));
        all.then_some((list, key))
    });
    if let Some((list, key)) = { lists }.next() {
        lists::documents_of(draft, who, &list);
        draft.derived.push((member::RETRIEVAL_DOCUMENTS, How::Fallback(key)));
    }
    Ok(())
}

/// Texts of indexed messages with role system or developer: `llm.input_messages.<i>.message.*` (OpenInference) and
/// `gen_ai.prompt.<i>.*` (OpenLLMetry up to 0.57).
fn indexed_system_texts(draft: &Draft<'_>, each: &mut dyn FnMut(Cow<'_, str>)) {
    /// What stands before the index, and before the leaf.
    const SHAPES: [(&str, &str); 2] = [("llm.input_messages.", "message."), ("gen_ai.prompt.", "")];
    let parts = |key: &str| {
        let (index, leaf) = SHAPES.iter().find_map(|(prefix, inner)| {
            let (index, leaf) = key.strip_prefix(prefix)?.split_once('.')?;
            Some((index, leaf.strip_prefix(inner)?))
        })?;
        Some((index.parse::<u32>().ok()?, leaf.to_owned()))
    };
    let input = draft.side_ref(Side::Input);
    let instructs = |e: &&Entry<'_>| matches!(e.value, Value::Text(b"system" | b"developer"));
    let roles = input.iter().filter(instructs).filter_map(|e| parts(&e.key));
    let system: Vec<u32> = roles.filter(|(_, leaf)| leaf == "role").map(|(index, _)| index).collect();
    if system.is_empty() {
        return;
    }
    let mut texts: Vec<(u32, u32, &[u8])> = Vec::new();
    for entry in input.iter().filter(|e| e.holds == Holds::Content && !e.is_frame()) {
        let (Some((index, leaf)), Value::Text(text)) = (parts(&entry.key), &entry.value) else { continue };
        if !system.contains(&index) {
            continue;
        }
        let part = match leaf.strip_prefix("contents.").and_then(|rest| rest.split_once('.')) {
            Some((part, "message_content.text")) => part.parse::<u32>().ok().and_then(|p| p.checked_add(1)),
            None if leaf == "content" => Some(0),
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
pub(super) fn redirect(draft: &mut Draft<'_>, kind: Kind) {
    let moves: &[(Side, Side)] = match kind {
        Kind::Tool => &[(Side::Input, Side::ToolArguments), (Side::Output, Side::ToolResult)],
        Kind::Retrieval if !draft.has_side(Side::Query) => &[(Side::Input, Side::Query)],
        _ => &[],
    };
    for (from, to) in moves {
        let mut entries = std::mem::take(draft.side_mut(*from));
        draft.side_mut(*to).append(&mut entries);
        draft.move_notes(*from, *to);
    }
}

/// Holds a side.
pub(super) fn content<'a>(draft: &mut Draft<'a>, who: &Who<'_>, side: Side) -> Result<(), Malformed> {
    let notes = draft.take_notes(side);
    let mut entries = std::mem::take(draft.side_mut(side));
    let spoken = notes.reference.is_some() || notes.claimed_hash.is_some();
    if entries.is_empty() && !spoken {
        if let Some(media_type) = notes.media_type {
            draft.loose_media_types.push((side, media_type));
        }
        return Ok(());
    }
    let holds = entries.iter().filter(|e| !e.is_frame()).map(|e| e.holds).fold(Holds::Nothing, Holds::join);
    let mut content = match holds {
        Holds::Content => {
            let pairs: Vec<(Cow<'a, str>, Value<'a>)> = entries.drain(..).map(|e| (e.key, e.value)).collect();
            held(draft, who, side.member(), pairs)?
        }
        Holds::Redaction => Content::only(Captured::Redacted),
        Holds::Nothing if notes.reference.is_some() => Content::only(Captured::ByReference),
        Holds::Nothing => Content::only(Captured::Absent),
    };
    // Frames without content stay findable; a redaction marker is said by `redacted`.
    draft.rest.extend(entries.drain(..).filter(|e| e.is_frame() || e.holds != Holds::Redaction).map(|e| (e.key, e.value)));
    *draft.side_mut(side) = entries;
    if let Some(key) = notes.brought_by {
        draft.derived.push((side.member(), How::Fallback(key.into_owned())));
    }
    if notes.contradicted {
        draft.conflict(elsewhere::claimed_path(side.member()));
    }
    content.claimed_hash = notes.claimed_hash;
    content.reference = notes.reference;
    content.media_type = notes.media_type;
    if content.captured != Captured::Absent || spoken {
        draft.record.push(side.member(), Val::Content(Box::new(content)));
    }
    Ok(())
}

/// Content of a member of the record, with x by scheme: `utf8` exactly where one string carried it, else JCS of all attributes that did.
fn held<'a>(draft: &mut Draft<'a>, who: &Who<'_>, member: Member, pairs: Vec<(Cow<'a, str>, Value<'a>)>) -> Result<Content, Malformed> {
    let Held { content, loose } = if let [(_, Value::Text(text))] = pairs.as_slice() {
        if std::str::from_utf8(text).is_err() {
            draft.conflict(member.path());
        }
        who.aside.text(text)
    } else {
        let (held, notes) = who.aside.attributes(|x| jcs(x, pairs))?;
        if notes.repaired || notes.repeated {
            draft.conflict(member.path());
        }
        if notes.cut {
            draft.truncated.push(member.path());
        }
        Held { content: Content { truncated: notes.cut, ..held.content }, ..held }
    };
    if let Some(loose) = loose {
        who.aside.keep(Cow::Borrowed(member.path()), loose);
    }
    Ok(content)
}

/// Content that this kind of record speaks of and this signal does not hold is said to be absent: it looks complete otherwise.
pub(super) fn say_absent(draft: &mut Draft<'_>, kind: Kind) {
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

/// `attributes` and `rest`.
pub(super) fn attributes(draft: &mut Draft<'_>, who: &Who<'_>) -> Result<(), Malformed> {
    if !draft.kept.is_empty() {
        let mut kept = std::mem::take(&mut draft.kept);
        kept.sort_by(|a, b| compare_names(&a.0, &b.0));
        let before = kept.len();
        kept.dedup_by(|later, earlier| later.0 == earlier.0);
        let mut notes = Notes { repeated: kept.len() != before, ..Notes::default() };
        let mut marks = Marks::default();
        let mut raw = Vec::with_capacity(kept.len() * 48);
        raw.push(b'{');
        for (i, (key, value)) in kept.drain(..).enumerate() {
            if i > 0 {
                raw.push(b',');
            }
            write_string(&mut raw, &key);
            raw.push(b':');
            convert::write_kept(&mut raw, &value, who.scrub, &mut notes, &mut marks)?;
        }
        raw.push(b'}');
        draft.kept = kept;
        draft.marks(member::ATTRIBUTES.path(), marks);
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
        // KNOWN GAP: of a single text the preimage is its bytes alone (`utf8`), so the name of a single further attribute is kept nowhere. Of a
        // prompt the member says what it is; of `rest` it does not. The preimages of `spanseal.record/1` never change, so the name needs a home
        // beside it: in the vault, with the content, for it may name a person.
        let pairs = std::mem::take(&mut draft.rest);
        let content = held(draft, who, member::REST, pairs)?;
        draft.record.push(member::REST, Val::Content(Box::new(content)));
    }
    Ok(())
}
