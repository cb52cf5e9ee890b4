//! Where a value goes: the acts of the tables' rows ([`To`]).

use std::borrow::Cow;

use super::convert::{self, Marks, Who};
use super::dialects::{Family, Look, Says, Side, To, Words, is_framework, kind_of_operation, provider};
use super::draft::{Draft, Entity, Entry, How, ModelSaid, Place, Stated};
use super::elsewhere::Sent;
use super::lists;
use super::scan::{self, Holds};
use crate::clock::UnixNanos;
use crate::otlp::view::{Value, elements, key_values};
use crate::otlp::wire::Malformed;
use crate::record::builder::Val;
use crate::record::content::keyed_hash_text;
use crate::record::registry::{self as member, Member};

impl<'a> Draft<'a> {
    /// Puts one value where its row says: one table, one line for each act.
    pub(crate) fn place(&mut self, who: &Who<'_>, to: To, place: Place, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Malformed> {
        match to {
            To::Member(member) => self.member(who, member, place, key, value, true)?,
            To::Fallback(member) => self.member(who, member, place, key, value, false)?,
            To::Provider => self.provider(who, place, key, value)?,
            To::Operation => self.operation(key, value),
            To::Kind(words) => self.kind(words, key, value),
            To::KindOfNamed(words) => {
                self.named_by_span = true;
                self.kind(words, key, value);
            }
            To::Means(kind, member) => {
                self.vague_kind = self.vague_kind.or(Some(kind));
                self.member(who, member, place, key, value, true)?;
            }
            To::Entity(kinds) => {
                if let Value::Text(text) = value {
                    self.entities.push(Entity { kinds, key: key.clone(), name: bare(text) });
                }
                self.kept.push((key, value));
            }
            To::ResponseModel | To::RequestedModel => self.model(who, to, key, value),
            To::Side(side, look) => self.side(side, look, key, value)?,
            To::MediaType(side) => match value.as_str() {
                Some(text) if convert::is_media_type(text) => self.notes_of(side).media_type = Some(text.to_owned()),
                _ => self.rest.push((key, value)),
            },
            To::Reference(side) => self.reference(who, side, key, value),
            To::ClaimedHash(side) => match value.as_str() {
                Some(text) if !text.is_empty() => {
                    let notes = self.notes_of(side);
                    notes.claimed_hash = Some(who.keyed.texts("claimed", &[text]));
                    notes.claimed = Some(text);
                }
                _ => self.rest.push((key, value)),
            },
            To::ContextHash => self.context_hash(who, key, value),
            To::PromptHash => self.prompt_hash(who, key, value),
            To::Template => self.template(key, value),
            To::Invocation => self.invocation(who, key, value),
            To::Documents => {
                if !lists::documents(self, who, &value)? {
                    self.rest.push((key, value));
                }
            }
            To::Items(member) => {
                if !lists::items(self, who, member, &value)? {
                    self.rest.push((key, value));
                }
            }
            To::Object(names) => self.object(who, names, key, value),
            To::Json(to) => self.unquoted(who, *to, place, key, value)?,
            To::When(dialect, to) if self.dialects.has(dialect) => self.place(who, *to, place, key, value)?,
            To::When(..) => self.rest.push((key, value)),
            To::Carried(member) => self.member(who, member, Place::Carrier, key, value, false)?,
            To::Milliseconds(member) => {
                let seconds = seconds(&value);
                self.instead(value, |draft| draft.member(who, member, place, key, seconds, false))?;
            }
            To::FirstChunkAt => self.first_chunk(key, value),
            To::Level => {
                if value.as_str().is_some_and(|level| level.eq_ignore_ascii_case("ERROR")) {
                    self.error_level = Some(key.clone());
                }
                self.kept.push((key, value));
            }
            To::Keep => self.kept.push((key, value)),
            To::KeepNumber => match value {
                Value::Int(_) | Value::Double(_) | Value::Bool(_) => self.kept.push((key, value)),
                _ => self.rest.push((key, value)),
            },
            To::KeepHost => match &value {
                Value::Text(host) if !host.iter().any(|b| matches!(b, b'/' | b'@' | b'?')) => self.kept.push((key, value)),
                _ => self.rest.push((key, value)),
            },
            To::Withhold => self.withheld += 1,
            To::Carrier | To::Rest => self.rest.push((key, value)),
        }
        Ok(())
    }

    /// A vendor by the name that the record has for it; a framework waits until nobody names a vendor.
    fn provider(&mut self, who: &Who<'_>, place: Place, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Malformed> {
        if value.as_str().is_some_and(is_framework) && self.framework.is_none() {
            self.framework = Some((key, value));
            return Ok(());
        }
        let value = match value.as_str().map(|name| (name, provider(name))) {
            Some((sent, renamed)) if sent != renamed => Value::Text(renamed.as_bytes()),
            _ => value,
        };
        self.member(who, member::MODEL_PROVIDER, place, key, value, false)
    }

    /// What the span did, in the convention's word for it.
    fn operation(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        self.operation = self.operation.or_else(|| value.as_str().and_then(kind_of_operation));
        self.says_kind = true;
        self.kept.push((key, value));
    }

    /// Where a side's content lies, without what in an address names anybody.
    fn reference(&mut self, who: &Who<'_>, side: Side, key: Cow<'a, str>, value: Value<'a>) {
        let mut marks = Marks::default();
        match value.as_str().and_then(|text| convert::address(text, who.scrub, &mut marks)) {
            Some(address) => {
                let notes = self.notes_of(side);
                notes.sent = value.as_str().map(|reference| Sent { key, reference });
                notes.reference = Some(address);
            }
            None => self.rest.push((key, value)),
        }
        if marks.scrubbed {
            self.scrubbed.push(side.member().path());
        }
    }

    /// What the application reported of the context that a reviewer saw: of content, so keyed anew.
    fn context_hash(&mut self, who: &Who<'_>, key: Cow<'a, str>, value: Value<'a>) {
        match value.as_str() {
            Some(text) if !text.is_empty() && !self.record.has(member::REVIEW_CONTEXT_HASH) => {
                let hash = keyed_hash_text(who.keyed.key_id(), &who.keyed.texts("claimed", &[text]));
                self.record.push(member::REVIEW_CONTEXT_HASH, Val::Str(Cow::Owned(hash)));
            }
            _ => self.rest.push((key, value)),
        }
    }

    /// A hash of the prompt that was reported. One under the convention's own name is weaker than what is computed from content, and waits.
    fn prompt_hash(&mut self, who: &Who<'_>, key: Cow<'a, str>, value: Value<'a>) {
        let Some(text) = value.as_str().filter(|text| !text.is_empty()) else { return self.rest.push((key, value)) };
        let foreign = key.starts_with("gen_ai.");
        if !foreign && self.record.has(member::PROMPT_HASH) {
            return self.rest.push((key, value));
        }
        let mut marks = Marks::default();
        let hash = convert::claim(member::PROMPT_HASH, text.as_bytes(), who, &mut marks);
        self.marks(member::PROMPT_HASH.path(), marks);
        if foreign {
            self.foreign_prompt_hash.get_or_insert(hash);
        } else {
            self.record.push(member::PROMPT_HASH, Val::Str(hash));
            self.record.set(member::PROMPT_HASH_SOURCE, Val::Str(Cow::Borrowed("producer")));
        }
    }

    /// A prompt's template, of which the record holds a hash.
    fn template(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        match value {
            Value::Text(text) if !self.record.has(member::PROMPT_TEMPLATE_HASH) && scan::text_holds(text) == Holds::Content => {
                let hash = lists::sha256_text(text);
                self.record.push(member::PROMPT_TEMPLATE_HASH, Val::Str(Cow::Owned(hash)));
                self.record.set(member::PROMPT_TEMPLATE_HASH_SOURCE, Val::Str(Cow::Borrowed("receiver")));
            }
            value => self.rest.push((key, value)),
        }
    }

    /// When the answer began, as a point in time.
    fn first_chunk(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        match &value {
            Value::Text(text) if self.first_chunk_at.is_none() => {
                self.first_chunk_at = std::str::from_utf8(bare(text)).ok().and_then(UnixNanos::parse);
                if self.first_chunk_at.is_some() {
                    self.kept.push((key, value));
                } else {
                    self.conflict(member::TIME_TO_FIRST_CHUNK.path());
                    self.rest.push((key, value));
                }
            }
            _ => self.rest.push((key, value)),
        }
    }

    /// One claim of a carrier or resource, for a record that does not state its own.
    pub(crate) fn claim(&mut self, who: &Who<'_>, to: To, place: Place, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Malformed> {
        let (member, stated) = match to {
            to if place == Place::Own => return self.place(who, to, place, key, value),
            To::Side(side, _) | To::Reference(side) | To::ClaimedHash(side) | To::MediaType(side) => {
                (side.member(), self.has_side(side) || self.record.has(side.member()))
            }
            To::Items(member) => (member, self.record.has(member)),
            To::Documents => (member::RETRIEVAL_DOCUMENTS, !self.documents.is_empty()),
            To::PromptHash => (member::PROMPT_HASH, self.record.has(member::PROMPT_HASH)),
            To::ContextHash => (member::REVIEW_CONTEXT_HASH, self.record.has(member::REVIEW_CONTEXT_HASH)),
            to => return self.place(who, to, place, key, value),
        };
        if stated {
            self.rest.push((key, value));
        } else {
            let how = if place == Place::Carrier { How::carrier(&key) } else { How::Resource };
            self.place(who, to, place, key, value)?;
            self.derived.push((member, how));
        }
        Ok(())
    }

    /// Places a JSON scalar as text: a string without its quotes and escapes. Content is not decoded, and what finds no home goes to
    /// `rest`: both as they were sent.
    pub(crate) fn unquoted(&mut self, who: &Who<'_>, to: To, place: Place, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Malformed> {
        let inner = match &value {
            Value::Text(b"null") => Value::Empty,
            Value::Text(text) => Value::Text(bare(text)),
            other => other.clone(),
        };
        // Escapes (Python writes every letter beyond ASCII as one): only a member owns what they become.
        if let (Value::Text([b'"', ..]), To::Member(member) | To::Fallback(member) | To::Carried(member)) = (&inner, to) {
            let mut marks = Marks::default();
            let converted = match &value {
                Value::Text(text) => convert::from_raw_json(member, text.trim_ascii(), who, &mut marks),
                _ => convert::Converted::Empty,
            };
            self.stated(Stated { member, place, key, value, converted, marks, strict: matches!(to, To::Member(_)) });
            return Ok(());
        }
        self.instead(value, |draft| draft.claim(who, to, place, key, inner))
    }

    /// Runs something that places a changed form of a value. What it gives to `rest`, to the allow-list or to a side is the value as it was
    /// sent.
    pub(crate) fn instead(&mut self, sent: Value<'a>, place: impl FnOnce(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        let sides = |draft: &Self| draft.sides.each_ref().map(Vec::len);
        let before = (self.rest.len(), self.kept.len(), sides(self));
        place(self)?;
        if self.rest.len() > before.0
            && let Some((_, last)) = self.rest.last_mut()
        {
            *last = sent;
        } else if self.kept.len() > before.1
            && let Some((_, last)) = self.kept.last_mut()
        {
            *last = sent;
        } else if let Some((side, _)) = self.sides.iter_mut().zip(before.2).find(|(side, length)| side.len() > *length)
            && let Some(last) = side.last_mut()
        {
            last.value = sent;
        }
        Ok(())
    }

    /// A dialect's word for the span.
    fn kind(&mut self, words: Words, key: Cow<'a, str>, value: Value<'a>) {
        if let Value::Text(text) = value {
            let word = bare(text);
            self.says_kind = true;
            match words.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(word)).map(|(_, says)| *says) {
                Some(Says::Surely(kind)) => self.span_kind = self.span_kind.or(Some(kind)),
                Some(Says::Vaguely(kind)) => self.vague_kind = self.vague_kind.or(Some(kind)),
                Some(Says::Around(kind)) => {
                    self.span_kind = self.span_kind.or(Some(kind));
                    self.around = true;
                }
                Some(Says::Nothing) | None => {}
            }
        }
        self.kept.push((key, value));
    }

    /// A JSON object (of a list the first) whose members are members of the record. What is not placed leaves the whole value in `rest`.
    fn object(&mut self, who: &Who<'_>, names: &[(&str, Member)], key: Cow<'a, str>, value: Value<'a>) {
        let Value::Text(json) = value else { return self.rest.push((key, value)) };
        let mut json = json.trim_ascii();
        let mut complete = true;
        if json.first() == Some(&b'[') {
            complete = scan::parse_bounded(json).is_some();
            let mut items = scan::items(json);
            json = items.next().unwrap_or_default();
            complete &= items.next().is_none();
        }
        complete &= self.object_members(who, names, "", json, 0);
        if !complete {
            self.rest.push((key, value));
        }
    }

    fn object_members(&mut self, who: &Who<'_>, names: &[(&str, Member)], above: &str, json: &[u8], depth: usize) -> bool {
        /// Usage and cost are two objects deep.
        const DEPTH_MAX: usize = 3;
        let mut complete = scan::is_whole(json);
        for (name, raw) in scan::members(json).filter(|(_, raw)| *raw != b"null") {
            let path = format!("{above}{}", String::from_utf8_lossy(name));
            let known = names.iter().find(|(known, _)| *known == path).map(|(_, member)| *member);
            complete &= match known {
                Some(member) => {
                    let mut marks = Marks::default();
                    let converted = convert::from_raw_json(member, raw, who, &mut marks);
                    self.found(member, converted, marks)
                }
                None if raw.first() == Some(&b'{') && depth < DEPTH_MAX => {
                    self.object_members(who, names, &format!("{path}."), raw, depth + 1)
                }
                None => false,
            };
        }
        complete
    }

    fn model(&mut self, who: &Who<'_>, to: To, key: Cow<'a, str>, value: Value<'a>) {
        let slot = if to == To::ResponseModel { &mut self.response_model } else { &mut self.requested_model };
        let mut marks = Marks::default();
        match (&slot, &value) {
            (None, Value::Text(text)) if !text.is_empty() => {
                let name = convert::claim(member::MODEL_ID, text, who, &mut marks);
                *slot = Some(ModelSaid { name, key, sent: Some(text) });
                self.marks(member::MODEL_ID.path(), marks);
            }
            // Stacked instrumentors say the same twice.
            (Some(present), Value::Text(text)) if present.name == convert::claim(member::MODEL_ID, text, who, &mut marks) => {}
            _ => self.rest.push((key, value)),
        }
    }

    /// A value that carries content, or frames it.
    pub(crate) fn side(&mut self, side: Side, look: Look, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Malformed> {
        let holds = holds(&value, look)?;
        if look != Look::Frame && holds == Holds::Nothing {
            // A bare frame is no content; it stays findable.
            self.rest.push((key, value));
            return Ok(());
        }
        self.side_mut(side).push(Entry { key, value, holds, look });
        Ok(())
    }

    /// `<family>.<index>.<leaf>`
    pub(crate) fn indexed(
        &mut self,
        who: &Who<'_>,
        family: Family,
        index: u32,
        leaf: &'a [u8],
        key: Cow<'a, str>,
        value: Value<'a>,
    ) -> Result<(), Malformed> {
        match family {
            Family::Side(side) => {
                // An embedding's vector is what came out; its text went in.
                let side = if leaf == b"embedding.vector" { Side::Output } else { side };
                if side == Side::Output && leaf == b"finish_reason" {
                    match value.as_str().filter(|reason| !reason.is_empty()) {
                        Some(reason) => drop(self.choice_reasons.insert(index, Cow::Borrowed(reason))),
                        None => self.rest.push((key, value)),
                    }
                    return Ok(());
                }
                // OpenInference's leaves have a name before theirs (`message.role`), OpenLLMetry's have none.
                let last = leaf.rsplit(|b| *b == b'.').next().unwrap_or_default();
                let frame = matches!(last, b"role" | b"name" | b"type" | b"id" | b"tool_call_id");
                self.side(side, if frame { Look::Frame } else { Look::Whole }, key, value)
            }
            Family::Documents => {
                if !lists::document_leaf(self, who, index, leaf, &key, &value)? {
                    self.rest.push((key, value));
                }
                Ok(())
            }
            Family::Annotations => {
                let to = match leaf.rsplit(|b| *b == b'.').next() {
                    // KNOWN GAP: further annotations of a span are content of its record (`rest`), and no query for an evaluation finds them.
                    // A record has one `evaluation`, and an id has no ordinal for a second judgement that is no event (`record.md` section 2).
                    _ if index != 0 => To::Rest,
                    Some(b"name") => To::Member(member::EVALUATION_NAME),
                    Some(b"score") => To::Member(member::EVALUATION_SCORE),
                    Some(b"label") => To::Member(member::EVALUATION_LABEL),
                    Some(b"annotator_kind") => To::Member(member::EVALUATION_EVALUATOR),
                    Some(b"explanation") => To::Side(Side::EvaluationExplanation, Look::Whole),
                    _ => To::Rest,
                };
                self.place(who, to, Place::Own, key, value)
            }
        }
    }

    /// A JSON object of request parameters. What has no member leaves the whole value in `rest` too.
    fn invocation(&mut self, who: &Who<'_>, key: Cow<'a, str>, value: Value<'a>) {
        let Value::Text(json) = value else { return self.rest.push((key, value)) };
        let mut complete = scan::is_whole(json.trim_ascii());
        for (name, raw) in scan::members(json.trim_ascii()) {
            if raw == b"null" {
                continue;
            }
            let member = match name {
                b"model" | b"model_name" | b"modelId" => {
                    let same = scan::unescaped(raw).into_owned();
                    if raw.first() == Some(&b'"') && self.requested_model.is_none() && !same.is_empty() {
                        let mut marks = Marks::default();
                        let model = convert::claim(member::MODEL_ID, same.as_bytes(), who, &mut marks).into_owned();
                        self.marks(member::MODEL_ID.path(), marks);
                        self.requested_model = Some(ModelSaid { name: Cow::Owned(model), key: key.clone(), sent: None });
                    }
                    continue;
                }
                b"max_tokens" | b"max_completion_tokens" | b"max_output_tokens" | b"maxTokens" => member::PARAMETERS_MAX_TOKENS,
                b"temperature" => member::PARAMETERS_TEMPERATURE,
                b"top_p" | b"topP" => member::PARAMETERS_TOP_P,
                b"top_k" | b"topK" => member::PARAMETERS_TOP_K,
                b"seed" => member::PARAMETERS_SEED,
                b"n" => member::PARAMETERS_CHOICE_COUNT,
                b"stop" | b"stop_sequences" | b"stopSequences" => member::PARAMETERS_STOP_SEQUENCES,
                b"stream" => member::PARAMETERS_STREAM,
                b"frequency_penalty" => member::PARAMETERS_FREQUENCY_PENALTY,
                b"presence_penalty" => member::PARAMETERS_PRESENCE_PENALTY,
                b"reasoning_effort" => member::PARAMETERS_REASONING_LEVEL,
                b"user" => member::ACTOR_USER_ID,
                _ => {
                    complete = false;
                    continue;
                }
            };
            let fresh = !self.record.has(member);
            let mut marks = Marks::default();
            let converted = convert::from_raw_json(member, raw, who, &mut marks);
            let placed = self.found(member, converted, marks);
            complete &= placed;
            if placed && fresh && member == member::ACTOR_USER_ID {
                self.derived.push((member, How::carrier(&key)));
            }
        }
        if !complete {
            self.rest.push((key, value));
        }
    }
}

/// Whether a value that is looked at so is content.
pub(crate) fn holds(value: &Value<'_>, look: Look) -> Result<Holds, Malformed> {
    Ok(match (value, look) {
        (Value::Empty, _) => Holds::Nothing,
        (Value::Text(text), Look::Messages | Look::Response) => scan::messages_hold(text),
        (Value::Text(text), _) => scan::text_holds(text),
        (Value::Array(_) | Value::KeyValues(_), Look::Messages | Look::Response) => scan::messages_hold(&lists::plain(value)?),
        // A vector of thousands is content at a glance; only an empty one is none.
        (Value::Array(array), _) if elements(array).next().is_none() => Holds::Nothing,
        (Value::KeyValues(list), _) if key_values(list, 1).next().is_none() => Holds::Nothing,
        (Value::Bytes([]), _) => Holds::Nothing,
        _ => Holds::Content,
    })
}

/// Milliseconds as seconds; what is no number stays as it is. Logs of coding agents write numbers as text.
fn seconds<'a>(milliseconds: &Value<'a>) -> Value<'a> {
    let number = match milliseconds {
        Value::Double(ms) => Some(*ms),
        #[expect(clippy::as_conversions, reason = "exact below 2^53 milliseconds, which is longer than anybody waits")]
        Value::Int(ms) => Some(*ms as f64),
        Value::Text(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    number.map_or_else(|| milliseconds.clone(), |ms| Value::Double(ms / 1000.0))
}

/// A text without the quotes of a JSON string, if it is one without escapes.
fn bare(text: &[u8]) -> &[u8] {
    match text.trim_ascii() {
        [b'"', inner @ .., b'"'] if memchr::memchr2(b'"', b'\\', inner).is_none() => inner,
        _ => text,
    }
}
