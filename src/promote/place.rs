//! Where a value goes: the acts of the tables' rows ([`To`]).

use std::borrow::Cow;

use super::convert::{self, Converted, Marks, Who};
use super::dialects::{Family, Look, Side, To, kind_of_operation, kind_of_span, provider};
use super::draft::{Draft, Entry, How, Place};
use super::lists;
use super::scan::{self, Holds};
use crate::otlp::view::{Value, elements, key_values};
use crate::otlp::wire::Malformed;
use crate::record::builder::Val;
use crate::record::content::keyed_hash_text;
use crate::record::registry::{self as member, Member};

impl<'a> Draft<'a> {
    /// Puts one value where its row says.
    pub(crate) fn place(&mut self, who: &Who<'_>, to: To, place: Place, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Malformed> {
        match to {
            To::Member(member) if qualifies_decision(member) => self.qualifiers.push((member, place, key, value)),
            To::Member(member) => self.member(who, member, place, key, value, true)?,
            To::Fallback(member) => self.member(who, member, place, key, value, false)?,
            To::Provider => {
                let value = match value.as_str().map(|name| (name, provider(name))) {
                    Some((sent, renamed)) if sent != renamed => Value::Text(renamed.as_bytes()),
                    _ => value,
                };
                self.member(who, member::MODEL_PROVIDER, place, key, value, false)?;
            }
            To::Operation => {
                self.operation = self.operation.or_else(|| value.as_str().and_then(kind_of_operation));
                self.kept.push((key, value));
            }
            To::SpanKind => {
                self.span_kind = self.span_kind.or_else(|| value.as_str().and_then(kind_of_span));
                self.kept.push((key, value));
            }
            To::ResponseModel | To::RequestedModel => self.model(who, to, key, value),
            To::Side(side, look) => self.side(side, look, key, value)?,
            To::MediaType(side) => match value.as_str() {
                Some(text) if convert::is_media_type(text) => self.notes_of(side).media_type = Some(text.to_owned()),
                _ => self.rest.push((key, value)),
            },
            To::Reference(side) => {
                let mut marks = Marks::default();
                match value.as_str().and_then(|text| convert::address(text, who.scrub, &mut marks)) {
                    Some(address) => self.notes_of(side).reference = Some(address),
                    None => self.rest.push((key, value)),
                }
                if marks.scrubbed {
                    self.scrubbed.push(side.member().path());
                }
            }
            To::ClaimedHash(side) => match value.as_str() {
                Some(text) if !text.is_empty() => self.notes_of(side).claimed_hash = Some(who.keyed.texts("claimed", &[text])),
                _ => self.rest.push((key, value)),
            },
            To::ContextHash => match value.as_str() {
                Some(text) if !text.is_empty() && !self.record.has(member::REVIEW_CONTEXT_HASH) => {
                    let hash = keyed_hash_text(who.keyed.key_id(), &who.keyed.texts("claimed", &[text]));
                    self.record.push(member::REVIEW_CONTEXT_HASH, Val::Str(Cow::Owned(hash)));
                }
                _ => self.rest.push((key, value)),
            },
            To::PromptHash => match value.as_str() {
                Some(text) if !text.is_empty() && key.starts_with("gen_ai.") => {
                    let mut marks = Marks::default();
                    let hash = convert::claim(member::PROMPT_HASH, text.as_bytes(), who, &mut marks);
                    self.marks(member::PROMPT_HASH.path(), marks);
                    self.foreign_prompt_hash.get_or_insert(hash);
                }
                Some(text) if !text.is_empty() && !self.record.has(member::PROMPT_HASH) => {
                    let mut marks = Marks::default();
                    let hash = convert::claim(member::PROMPT_HASH, text.as_bytes(), who, &mut marks);
                    self.marks(member::PROMPT_HASH.path(), marks);
                    self.record.push(member::PROMPT_HASH, Val::Str(hash));
                    self.record.set(member::PROMPT_HASH_SOURCE, Val::Str(Cow::Borrowed("producer")));
                }
                _ => self.rest.push((key, value)),
            },
            To::Template => match value {
                Value::Text(text) if !self.record.has(member::PROMPT_TEMPLATE_HASH) && scan::text_holds(text) == Holds::Content => {
                    let hash = lists::sha256_text(text);
                    self.record.push(member::PROMPT_TEMPLATE_HASH, Val::Str(Cow::Owned(hash)));
                    self.record.set(member::PROMPT_TEMPLATE_HASH_SOURCE, Val::Str(Cow::Borrowed("receiver")));
                }
                value => self.rest.push((key, value)),
            },
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
            To::Keep => self.kept.push((key, value)),
            To::KeepHost => match &value {
                Value::Text(host) if !host.iter().any(|b| matches!(b, b'/' | b'@' | b'?')) => self.kept.push((key, value)),
                _ => self.rest.push((key, value)),
            },
            To::Withhold => self.withheld += 1,
            To::Rest => self.rest.push((key, value)),
            To::Milliseconds(member) => self.seconds(who, member, key, value)?,
        }
        Ok(())
    }

    fn model(&mut self, who: &Who<'_>, to: To, key: Cow<'a, str>, value: Value<'a>) {
        let slot = if to == To::ResponseModel { &mut self.response_model } else { &mut self.requested_model };
        let mut marks = Marks::default();
        match (&slot, &value) {
            (None, Value::Text(text)) if !text.is_empty() => {
                *slot = Some((convert::claim(member::MODEL_ID, text, who, &mut marks), key));
                self.marks(member::MODEL_ID.path(), marks);
            }
            // Stacked instrumentors say the same twice.
            (Some((present, _)), Value::Text(text)) if *present == convert::claim(member::MODEL_ID, text, who, &mut marks) => {}
            _ => self.rest.push((key, value)),
        }
    }

    /// A duration that came in milliseconds, for a member in seconds.
    fn seconds(&mut self, who: &Who<'_>, member: Member, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Malformed> {
        let mut marks = Marks::default();
        let converted = match convert::convert(member, &value, who, &mut marks)? {
            Converted::To(Val::Num(milliseconds)) => Converted::To(Val::Num(milliseconds / 1000.0)),
            other => other,
        };
        if !self.found(member, converted, marks) {
            self.rest.push((key, value));
        }
        Ok(())
    }

    /// A value that carries content, or frames it.
    pub(crate) fn side(&mut self, side: Side, look: Look, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Malformed> {
        let holds = match (&value, look) {
            (Value::Empty, _) => Holds::Nothing,
            (Value::Text(text), Look::Messages) => scan::messages_hold(text),
            (Value::Text(text), _) => scan::text_holds(text),
            (Value::Array(_) | Value::KeyValues(_), Look::Messages) => scan::messages_hold(&lists::plain(&value)?),
            // A vector of thousands is content at a glance; only an empty one is none.
            (Value::Array(array), _) if elements(array).next().is_none() => Holds::Nothing,
            (Value::KeyValues(list), _) if key_values(list, 1).next().is_none() => Holds::Nothing,
            (Value::Bytes([]), _) => Holds::Nothing,
            _ => Holds::Content,
        };
        if look != Look::Frame && holds == Holds::Nothing {
            // A bare frame is no content; it stays findable.
            self.rest.push((key, value));
            return Ok(());
        }
        self.side_mut(side).push(Entry { key, value, holds, frame: look == Look::Frame, messages: look == Look::Messages });
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
                let frame = [&b".role"[..], b".name", b".type", b".id", b"tool_call_id"].iter().any(|end| leaf.ends_with(end));
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
        const CARRIERS: [&str; 2] = ["llm.invocation_parameters", "embedding.invocation_parameters"];
        let Value::Text(json) = value else { return self.rest.push((key, value)) };
        let mut complete = json.trim_ascii().first() == Some(&b'{');
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
                        self.requested_model = Some((Cow::Owned(model), key.clone()));
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
            if placed
                && fresh
                && member == member::ACTOR_USER_ID
                && let Some(carrier) = CARRIERS.iter().find(|c| **c == key)
            {
                self.derived.push((member, How::Carrier(carrier)));
            }
        }
        if !complete {
            self.rest.push((key, value));
        }
    }
}

/// Members of `decision` that do not state one by themselves (`record.md` section 5, rule 1).
fn qualifies_decision(member: Member) -> bool {
    matches!(
        member,
        member::DECISION_BAND
            | member::DECISION_AUTOMATION_LEVEL
            | member::DECISION_AUTHORITY
            | member::DECISION_PURPOSE
            | member::DECISION_SCORE
    )
}
