//! One record while its attributes are read: every attribute finds its home, or goes to `rest`.
//!
//! Keys with a later rank wait until all are seen, so that the order in which a sender writes its attributes decides nothing, except that
//! of a repeated key the first counts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::Promoter;
use super::aside::Loose;
use super::confidence::is_of_threshold;
use super::convert::{self, Converted, Marks, Who};
use super::dialects::{Carried, Dialect, Dialects, Known, Look, Side, To, carried_key, otel_core_is_withheld, raw_parameter};
use super::elsewhere::Sent;
use super::encode::{self, Form, Notes};
use super::lists;
use super::rules::{Ruled, Said};
use super::scan::{self, Holds};
use crate::clock::UnixNanos;
use crate::otlp::view::Value;
use crate::otlp::wire::Malformed;
use crate::record::builder::{Record, Val};
use crate::record::registry::{self as member, Kind, Member};

/// A value that carries content, or frames it.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) value: Value<'a>,
    pub(crate) holds: Holds,
    /// How the tables say to look at it: texts are read from a message list, reasons and an id from a provider's answer.
    pub(crate) look: Look,
}

impl Entry<'_> {
    /// Whether it frames content and is none.
    pub(crate) fn is_frame(&self) -> bool {
        self.look == Look::Frame
    }
}

/// What is known of a side besides its values.
#[derive(Debug, Default)]
pub(crate) struct SideNotes<'a> {
    pub(crate) media_type: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) claimed_hash: Option<[u8; 32]>,
    /// The reference as it was sent, until it is known whether it was fetched.
    pub(crate) sent: Option<Sent<'a>>,
    /// The claimed hash as it was sent.
    pub(crate) claimed: Option<&'a str>,
    /// The key of the reference, where the content was fetched from it.
    pub(crate) brought_by: Option<Cow<'a, str>>,
    /// Whether what was fetched is not what the claimed hash is of.
    pub(crate) contradicted: bool,
}

/// How a member's value was found (`evidence.derived`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Computed,
    /// A constant of the configuration.
    Configured,
    Resource,
    Fallback(String),
    Carrier(String),
}

impl How {
    /// By its carrier, without the name inside it.
    pub(crate) fn carrier(key: &str) -> How {
        How::Carrier(key.split('/').next().unwrap_or_default().to_owned())
    }
}

/// Where an attribute stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Own,
    /// Inside another key, named in `evidence.derived`.
    Carrier,
    Resource,
    /// Under a key that a rule reads.
    Rule,
    /// Nowhere: a constant of a rule.
    Configured,
}

/// One value for one member, as it was sent and converted.
#[derive(Debug)]
pub(crate) struct Stated<'a> {
    pub(crate) member: Member,
    pub(crate) place: Place,
    pub(crate) key: Cow<'a, str>,
    pub(crate) value: Value<'a>,
    pub(crate) converted: Converted<'a>,
    pub(crate) marks: Marks,
    /// Whether the keys of this member mean the same, so that different values are a conflict.
    pub(crate) strict: bool,
}

/// The name of what a span is, which is a member's value if the span turns out to be of one of these kinds.
#[derive(Clone, Debug)]
pub(crate) struct Entity<'a> {
    pub(crate) kinds: &'static [Kind],
    /// The key that said so.
    pub(crate) key: Cow<'a, str>,
    pub(crate) name: &'a [u8],
}

/// A model, as a dialect names it.
#[derive(Debug)]
pub(crate) struct ModelSaid<'a> {
    pub(crate) name: Cow<'a, str>,
    /// The key that said so, and its value where that is all it says.
    pub(crate) key: Cow<'a, str>,
    pub(crate) sent: Option<&'a [u8]>,
}

/// A retrieved document in the making.
#[derive(Debug, Default)]
pub(crate) struct Document<'a> {
    pub(crate) members: Record<'a>,
    /// Its content, if that goes to the vault: how the member is called is known when all documents are.
    pub(crate) loose: Option<Loose>,
}

/// Most of [`Draft::spend`] that one span or log may have: a hundred thousand attributes.
const SPENT_MAX: usize = 16 * 1024 * 1024;

/// A record in the making.
#[derive(Debug, Default)]
pub(crate) struct Draft<'a> {
    /// Memory for attributes, events and links, so far.
    spent: usize,
    /// The own rules that this record meets.
    pub(crate) ruled: Option<Ruled<'a>>,
    /// Keys whose first value rules have read, and whose attribute has not passed yet: what passes later is a repetition.
    pub(crate) awaited: Vec<&'a [u8]>,
    pub(crate) record: Record<'a>,
    pub(crate) sides: [Vec<Entry<'a>>; Side::COUNT],
    pub(crate) side_notes: [SideNotes<'a>; Side::COUNT],
    pub(crate) documents: BTreeMap<u32, Document<'a>>,
    pub(crate) kept: Vec<(Cow<'a, str>, Value<'a>)>,
    pub(crate) rest: Vec<(Cow<'a, str>, Value<'a>)>,
    pub(crate) waiting: Vec<(Known, Cow<'a, str>, Value<'a>)>,
    /// A text of ours is among them that is none of ours if MLflow gave it its quotation marks.
    pub(crate) waits_for_mlflow: bool,
    pub(crate) dialects: Dialects,
    pub(crate) weak_dialects: Dialects,
    /// Dialects that the names of scope, span or log event call: their own words are understood.
    pub(crate) spoken: Dialects,
    pub(crate) span_kind: Option<Kind>,
    pub(crate) operation: Option<Kind>,
    /// What a vague word says: asked after the operation.
    pub(crate) vague_kind: Option<Kind>,
    /// Whether the span names its kind or operation at all, even by a word that no table knows: then it is not guessed from a model.
    pub(crate) says_kind: bool,
    /// Whether this span stands around others that count its tokens.
    pub(crate) around: bool,
    /// Names that become members when the kind is known.
    pub(crate) entities: Vec<Entity<'a>>,
    /// Whether the span's own name is such a name.
    pub(crate) named_by_span: bool,
    /// A framework in a provider's place: stands only where nobody names a vendor.
    pub(crate) framework: Option<(Cow<'a, str>, Value<'a>)>,
    /// Finish reasons of single choices, by the choice's index: used where no list gives them.
    pub(crate) choice_reasons: BTreeMap<u32, Cow<'a, str>>,
    /// When the answer began.
    pub(crate) first_chunk_at: Option<UnixNanos>,
    /// The key of a level that says error.
    pub(crate) error_level: Option<Cow<'a, str>>,
    /// The answering and the asked-for model.
    pub(crate) response_model: Option<ModelSaid<'a>>,
    pub(crate) requested_model: Option<ModelSaid<'a>>,
    /// A prompt hash that another vocabulary's producer reported: weaker than one computed from content.
    pub(crate) foreign_prompt_hash: Option<Cow<'a, str>>,
    pub(crate) derived: Vec<(Member, How)>,
    pub(crate) conflicts: Vec<&'static str>,
    pub(crate) scrubbed: Vec<&'static str>,
    pub(crate) truncated: Vec<&'static str>,
    pub(crate) withheld: i64,
    /// Attributes that the SDK says it dropped: of the item, of what folds into it, of its resource and scope.
    pub(crate) dropped_attributes: i64,
    pub(crate) answers: Vec<lists::Answer>,
    /// Whether the answers are those of a decision model.
    pub(crate) decision_model: bool,
    /// What was sent of a threshold, should the configuration have a stricter one.
    pub(crate) of_threshold: Vec<(Cow<'a, str>, Value<'a>)>,
    /// Conditions of thresholds that could not be decided, in all records of a span or log.
    pub(crate) undecided: u64,
    /// What is said of a decision, until it is known whether there is one.
    pub(crate) qualifiers: Vec<Stated<'a>>,
    /// Media types of sides that have no value.
    pub(crate) loose_media_types: Vec<(Side, String)>,
}

impl<'a> Draft<'a> {
    /// Empties it and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.spent = 0;
        self.ruled = None;
        self.awaited.clear();
        self.record.clear();
        self.sides.iter_mut().for_each(Vec::clear);
        self.side_notes = Default::default();
        self.documents.clear();
        self.kept.clear();
        self.rest.clear();
        self.waiting.clear();
        self.waits_for_mlflow = false;
        self.dialects = Dialects::default();
        self.weak_dialects = Dialects::default();
        self.spoken = Dialects::default();
        self.span_kind = None;
        self.operation = None;
        self.vague_kind = None;
        self.says_kind = false;
        self.around = false;
        self.entities.clear();
        self.named_by_span = false;
        self.framework = None;
        self.choice_reasons.clear();
        self.first_chunk_at = None;
        self.error_level = None;
        self.response_model = None;
        self.requested_model = None;
        self.foreign_prompt_hash = None;
        self.derived.clear();
        self.conflicts.clear();
        self.scrubbed.clear();
        self.truncated.clear();
        self.withheld = 0;
        self.dropped_attributes = 0;
        self.answers.clear();
        self.decision_model = false;
        self.of_threshold.clear();
        self.loose_media_types.clear();
        self.qualifiers.clear();
    }

    /// Names a member or group in `evidence.conflicts`.
    pub(crate) fn conflict(&mut self, path: &'static str) {
        self.conflicts.push(path);
    }

    /// Names in the evidence what a conversion did.
    pub(crate) fn marks(&mut self, path: &'static str, marks: Marks) {
        if marks.repaired {
            self.conflicts.push(path);
        }
        if marks.scrubbed {
            self.scrubbed.push(path);
        }
        if marks.cut {
            self.truncated.push(path);
        }
    }

    /// The dialects that names call, before the attributes are read.
    pub(crate) fn speaks(&mut self, spoken: Dialects) {
        self.spoken = spoken;
        self.dialects.join(spoken);
    }

    /// A value of the allow-list, which a dialect's own reading may ask for.
    pub(crate) fn kept(&self, key: &str) -> Option<&Value<'a>> {
        self.kept.iter().find(|(kept, _)| kept == key).map(|(_, value)| value)
    }

    /// The same as text.
    pub(crate) fn kept_text(&self, key: &str) -> Option<&'a str> {
        match self.kept(key) {
            Some(Value::Text(text)) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// The text of a member.
    pub(crate) fn text(&self, member: Member) -> Option<&str> {
        match self.record.get(member) {
            Some(Val::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// Sets a member that was found in another key, unless its own key did.
    pub(crate) fn derive(&mut self, member: Member, value: Val<'a>, from: &str) {
        if !self.record.has(member) {
            self.record.push(member, value);
            self.derived.push((member, How::Fallback(from.to_owned())));
        }
    }

    /// Takes note of one more attribute, event or link of the span or log, with a key of so many bytes that is made for it: what is two bytes on
    /// the wire is fifty times as many here, and an event's name is repeated for each of its attributes.
    pub(crate) fn spend(&mut self, key: usize) -> Result<(), Malformed> {
        self.spent = self.spent.saturating_add(size_of::<(Cow<'a, str>, Value<'a>)>()).saturating_add(key);
        if self.spent > SPENT_MAX {
            Err(Malformed("it has so many attributes, events and links that they take more than 16 MiB"))
        } else {
            Ok(())
        }
    }

    /// Takes an attribute of the span or log itself.
    pub(crate) fn attribute(&mut self, promoter: &'a Promoter, who: &Who<'_>, key: &'a [u8], value: Value<'a>) -> Result<(), Malformed> {
        self.spend(0)?;
        let said = self.said(key);
        match said {
            Said::Dropped => {
                self.withheld += 1;
                return Ok(());
            }
            Said::Taken => {
                self.read_by_rule(key, value);
                return Ok(());
            }
            Said::Nothing | Said::Read | Said::Kept => {}
        }
        let own = promoter.tables.find_own(self.spoken, key).map(|known| (known, self.key(key)));
        if let Some((known, key)) = own.or_else(|| promoter.tables.find_named(key).map(|(known, key)| (known, Cow::Borrowed(key)))) {
            if let Some(dialect) = known.dialect {
                self.dialects.add(dialect);
            }
            return match known.to {
                To::Carrier => self.carrier(promoter, who, key, value),
                _ => self.known(who, known, key, value),
            };
        }
        if let Some((family, dialect, index, leaf)) = promoter.tables.family(key) {
            self.dialects.add(dialect);
            let key = self.key(key);
            return self.indexed(who, family, index, leaf, key, value);
        }
        match super::detect::row(key) {
            Some(super::detect::Proof::Yes(dialect)) => self.dialects.add(dialect),
            Some(super::detect::Proof::If(dialect, condition)) if condition.holds(&value, false) => self.dialects.add(dialect),
            _ => {
                // A prefix alone says little of who wrote it: it counts where nothing better is found.
                if let Some(dialect) = super::detect::prefix(key) {
                    self.weak_dialects.add(dialect);
                }
            }
        }
        if otel_core_is_withheld(key) {
            self.withheld += 1;
            return Ok(());
        }
        // Any text may stand between `llm.` and a name: only where LiteLLM speaks is it a provider.
        if self.dialects.has(Dialect::Litellm)
            && let Some(to) = raw_parameter(key)
        {
            // The raw span names no operation, and a model alone does not say which.
            self.says_kind = true;
            if matches!(to, To::Side(Side::Output, _)) {
                self.vague_kind = self.vague_kind.or(Some(Kind::Inference));
            }
            let key = self.key(key);
            return self.place(who, to, Place::Own, key, value);
        }
        if let Some((own, carried)) = carried_key(key)
            && let Some(known) = promoter.tables.find(own)
        {
            let key = self.key(key);
            return self.carried(who, Known { carried, ..known }, key, value);
        }
        if said == Said::Read {
            self.read_by_rule(key, value);
            return Ok(());
        }
        let key = self.key(key);
        match said {
            Said::Kept => self.kept.push((key, value)),
            _ => self.rest.push((key, value)),
        }
        Ok(())
    }

    /// A JSON object of an application's metadata: what in it is under our own keys is claimed. The rest of it goes to `rest`, as a whole.
    fn carrier(&mut self, promoter: &Promoter, who: &Who<'_>, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Malformed> {
        let complete = match &value {
            Value::Text(json) if holds_claims(json) => self.carried_members(promoter, who, (&key, ""), json.trim_ascii(), 0)?,
            _ => false,
        };
        if !complete {
            self.rest.push((key, value));
        }
        Ok(())
    }

    /// `above`: the carrier's key, and the names around these members. False where something is no claim.
    fn carried_members(
        &mut self,
        promoter: &Promoter,
        who: &Who<'_>,
        above: (&str, &str),
        json: &'a [u8],
        depth: usize,
    ) -> Result<bool, Malformed> {
        /// `{"ai_audit": {"decision": {"outcome": ...}}}` is as good as one dotted name.
        const DEPTH_MAX: usize = 4;
        let (carrier, names) = above;
        let mut complete = scan::is_whole(json);
        for (name, raw) in scan::members(json) {
            let name = format!("{names}{}", String::from_utf8_lossy(name));
            let own = is_own(&name).then(|| promoter.tables.find(name.as_bytes())).flatten();
            complete &= match own {
                Some(known) => {
                    let key = Cow::Owned(format!("{carrier}/{name}"));
                    self.carried(who, Known { carried: Carried::Json, ..known }, key, Value::Text(raw))?;
                    true
                }
                None if raw.first() == Some(&b'{') && depth < DEPTH_MAX => {
                    self.carried_members(promoter, who, (carrier, &format!("{name}.")), raw, depth + 1)?
                }
                None => false,
            };
        }
        Ok(complete)
    }

    /// A claim of ours inside another key: waits until what the span says under the key itself is in.
    pub(crate) fn carried(&mut self, who: &Who<'_>, known: Known, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Malformed> {
        /// Below aliases of our own keys, above older names of others.
        const RANK: u8 = 2;
        if let Some(dialect) = known.dialect {
            self.dialects.add(dialect);
        }
        self.known(who, Known { rank: RANK, ..known }, key, value)
    }

    /// A key as text; what is no UTF-8 is repaired and named.
    fn key(&mut self, key: &'a [u8]) -> Cow<'a, str> {
        let mut notes = Notes::default();
        let text = encode::text(key, &mut notes);
        if notes.repaired {
            self.conflict(member::REST.path());
        }
        text
    }

    /// An attribute that a table knows: now, or when all of lower rank are in.
    pub(crate) fn known(&mut self, who: &Who<'_>, known: Known, key: Cow<'a, str>, value: Value<'a>) -> Result<(), Malformed> {
        // Whether MLflow speaks, which sends every value as JSON, is known when all is in. What is stated behind such a text waits with it, so that the
        // first of two statements stays the first.
        self.waits_for_mlflow |= is_own_json(&key, &value);
        if known.rank == 0 && !self.waits_for_mlflow {
            return self.place(who, known.to, Place::Own, key, value);
        }
        self.waiting.push((known, key, value));
        Ok(())
    }

    /// Places what waited, lower ranks first.
    pub(crate) fn settle(&mut self, who: &Who<'_>) -> Result<(), Malformed> {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_key(|(known, _, _)| known.rank);
        for (known, key, value) in waiting.drain(..) {
            match known.carried {
                Carried::No if self.dialects.has(Dialect::Mlflow) && is_own_json(&key, &value) => {
                    self.unquoted(who, known.to, Place::Own, key, value)?
                }
                Carried::No => self.place(who, known.to, Place::Own, key, value)?,
                Carried::Plain => self.claim(who, known.to, Place::Carrier, key, value)?,
                Carried::Json => self.unquoted(who, known.to, Place::Carrier, key, value)?,
            }
        }
        self.waiting = waiting;
        Ok(())
    }

    pub(crate) fn notes_of(&mut self, side: Side) -> &mut SideNotes<'a> {
        // `Side::index` is below `Side::COUNT`.
        #[expect(clippy::indexing_slicing, reason = "the array has one place for each side")]
        &mut self.side_notes[side.index()]
    }

    /// The values of a side.
    pub(crate) fn side_mut(&mut self, side: Side) -> &mut Vec<Entry<'a>> {
        #[expect(clippy::indexing_slicing, reason = "the array has one place for each side")]
        &mut self.sides[side.index()]
    }

    /// The values of a side, to look at.
    pub(crate) fn side_ref(&self, side: Side) -> &[Entry<'a>] {
        self.sides.get(side.index()).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether a side has content.
    pub(crate) fn has_side(&self, side: Side) -> bool {
        self.side_ref(side).iter().any(|e| !e.is_frame())
    }

    /// Takes what is known of a side besides its values.
    pub(crate) fn take_notes(&mut self, side: Side) -> SideNotes<'a> {
        std::mem::take(self.notes_of(side))
    }

    /// Gives one side's notes to another that has none.
    pub(crate) fn move_notes(&mut self, from: Side, to: Side) {
        let notes = self.take_notes(from);
        let there = self.notes_of(to);
        there.media_type = there.media_type.take().or(notes.media_type);
        there.reference = there.reference.take().or(notes.reference);
        there.claimed_hash = there.claimed_hash.or(notes.claimed_hash);
        there.brought_by = there.brought_by.take().or(notes.brought_by);
        there.contradicted |= notes.contradicted;
    }

    /// Sets a member, unless a better key did. `strict`: both keys mean the same, so that different values are a conflict.
    pub(crate) fn member(
        &mut self,
        who: &Who<'_>,
        member: Member,
        place: Place,
        key: Cow<'a, str>,
        value: Value<'a>,
        strict: bool,
    ) -> Result<(), Malformed> {
        let mut marks = Marks::default();
        let converted = convert::convert(member, &value, who, &mut marks)?;
        self.stated(Stated { member, place, key, value, converted, marks, strict });
        Ok(())
    }

    /// A statement about a member: taken at once, unless it only qualifies a decision that nobody may have stated.
    pub(crate) fn stated(&mut self, stated: Stated<'a>) {
        if qualifies_decision(stated.member) {
            self.qualifiers.push(stated);
        } else {
            self.take(stated);
        }
    }

    /// Takes a statement.
    pub(crate) fn take(&mut self, stated: Stated<'a>) {
        let Stated { member, place, key, value, converted, marks, strict } = stated;
        match converted {
            Converted::To(converted) => {
                match self.record.get(member) {
                    None => {
                        self.record.push(member, converted);
                        if is_of_threshold(member) && place != Place::Configured {
                            self.of_threshold.push((key.clone(), value));
                        }
                        match place {
                            Place::Own => {}
                            Place::Carrier => self.derived.push((member, How::carrier(&key))),
                            Place::Resource => self.derived.push((member, How::Resource)),
                            Place::Rule => self.derived.push((member, How::Fallback(key.to_string()))),
                            Place::Configured => self.derived.push((member, How::Configured)),
                        }
                        if member == member::PROMPT_TEMPLATE_HASH {
                            self.record.set(member::PROMPT_TEMPLATE_HASH_SOURCE, Val::Str(Cow::Borrowed("producer")));
                        }
                    }
                    Some(present) if *present == converted => return,
                    Some(present) if self.raises(member, present, &converted) => {
                        self.conflict(member.path());
                        self.derived.retain(|(derived, _)| *derived != member);
                        self.record.set(member, converted);
                        if place == Place::Resource {
                            self.derived.push((member, How::Resource));
                        }
                    }
                    Some(_) => {
                        // A resource speaks for all its spans; what the span says itself overrides it and contradicts nothing.
                        if strict && place != Place::Resource {
                            self.conflict(member.path());
                        }
                        if place != Place::Configured {
                            self.rest.push((key, value));
                        }
                        return;
                    }
                }
                self.marks(member.path(), marks);
            }
            Converted::Empty => self.rest.push((key, value)),
            Converted::Mismatch => {
                self.conflict(member.path());
                self.rest.push((key, value));
            }
        }
    }

    /// A value that code found (not an attribute's own).
    pub(crate) fn found(&mut self, member: Member, converted: Converted<'a>, marks: Marks) -> bool {
        match converted {
            Converted::To(value) => match self.record.get(member) {
                None => {
                    self.record.push(member, value);
                    self.marks(member.path(), marks);
                    true
                }
                Some(present) => *present == value,
            },
            Converted::Empty => false,
            Converted::Mismatch => {
                self.conflict(member.path());
                false
            }
        }
    }
}

/// What is stated in our own words and is a JSON text, or JSON's nothing.
fn is_own_json(key: &str, value: &Value<'_>) -> bool {
    let is_json = match value {
        Value::Text(b"null") => true,
        Value::Text([b'"', inner @ .., b'"']) => is_json_text(inner),
        _ => false,
    };
    is_json && is_own(key)
}

/// Whether no quotation mark inside ends the text, and its last one is not escaped.
fn is_json_text(inner: &[u8]) -> bool {
    let escaped = inner.iter().try_fold(false, |escaped, byte| match byte {
        b'"' if !escaped => None,
        0..=0x1f => None,
        byte => Some(!escaped && *byte == b'\\'),
    });
    escaped == Some(false)
}

/// Whether a key is in our own namespace.
fn is_own(key: &str) -> bool {
    key.starts_with("ai_audit.") || key.starts_with("ai.audit.")
}

/// Whether a JSON text may hold a key of ours. Metadata mostly holds none, and then it is not walked.
fn holds_claims(json: &[u8]) -> bool {
    static NAMES: LazyLock<[Finder<'static>; 2]> = LazyLock::new(|| [Finder::new(b"\"ai_audit"), Finder::new(b"\"ai.audit.")]);
    NAMES.iter().any(|name| name.find(json).is_some())
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

/// JCS of entries as `{key: value}`, and what had to be repaired.
pub(crate) fn jcs<'a>(out: &mut Vec<u8>, mut pairs: Vec<(Cow<'a, str>, Value<'a>)>) -> Result<Notes, Malformed> {
    let mut notes = Notes::default();
    encode::write_object(out, &mut pairs, &mut notes)?;
    Ok(notes)
}

/// Kept for the parts that need a value's plain JSON.
pub(crate) fn plain_json(value: &Value<'_>) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::new();
    encode::write_value(&mut out, value, Form::Plain, &mut Notes::default())?;
    Ok(out)
}
