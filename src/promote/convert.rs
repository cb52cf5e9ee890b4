//! A wire value -> a member's typed value (`record.md` section 1): the type follows the member, not the wire.

use std::borrow::Cow;

use super::aside::Aside;
use super::draft::Draft;
use super::encode::{self, Form, Notes};
use super::scan;
use super::scrub::{Look, MARK, Scrub};
use crate::clock::UnixNanos;
use crate::otlp::view::{Value, elements};
use crate::otlp::wire::Malformed;
use crate::record::builder::{Val, shorten};
use crate::record::canonical::{Json, write_number, write_string};
use crate::record::identity::{IdentityMode, Keyed, References, pseudonym};
use crate::record::registry::{self as member, Member, Type};

/// Longest name, outcome or document id that is kept (`record.md` section 4).
const NAME_MAX: usize = 256;
/// Most elements of a list member; what is longer is cut and named.
const LIST_MAX: usize = 1024;

/// Longest text of any other member: nothing that a machine calls something is longer, and a prompt does not fit.
const WORD_MAX: usize = 1024;

/// Longest list or map of the allow-list, as JSON.
const KEPT_MAX: usize = 16 * 1024;

/// How much of a text may stand in evidence, from which nothing can be taken out again (`record.md` sections 3 and 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Care {
    /// Written by people for people, so a person may stand in it: all patterns, at most [`NAME_MAX`].
    Name,
    /// A machine's word, a version, a digest: all patterns but addresses, at most [`WORD_MAX`].
    Word,
    /// What other records refer to: where it looks like a person its pseudonym stands instead, the same in every record.
    Id,
    /// The address of something: userinfo, query and fragment are removed, then as [`Care::Name`], but longer.
    Address,
}

/// How a member is looked at. A member that nobody listed here gets the most careful look.
fn care(member: Member) -> Care {
    match member {
        member::DECISION_ID
        | member::REVIEW_ID
        | member::EXPLANATION_ID
        | member::LINEAGE_ID
        | member::LINEAGE_RUN_ID
        | member::ACTION_ID
        | member::GUARDRAIL_ID
        | member::POLICY_ID
        | member::ACTOR_AGENT_ID
        | member::SYSTEM_ID
        | member::SYSTEM_APPLICATION_ID
        | member::SYSTEM_REGISTRATION_ID
        | member::MODEL_INVENTORY_ID
        | member::MODEL_TRAINING_DATA_ID
        | member::OUTPUT_RESPONSE_ID
        | member::TOOL_CALL_ID => Care::Id,
        member::EXPLANATION_REFERENCE | member::LINEAGE_DATA_SOURCES | member::RETRIEVAL_DATA_SOURCE_ID | member::REVIEW_DOCUMENTS => {
            Care::Address
        }
        member::MODEL_CHECKSUM
        | member::MODEL_FINGERPRINT
        | member::MODEL_ID
        | member::MODEL_PROVIDER
        | member::MODEL_REQUESTED
        | member::MODEL_TRAINING_DATA_CHECKSUM
        | member::MODEL_TRAINING_DATA_CUTOFF
        | member::MODEL_TRAINING_DATA_VERSION
        | member::MODEL_TYPE
        | member::MODEL_VERSION
        | member::ACTOR_AGENT_VERSION
        | member::EXPLANATION_HASH
        | member::EXPLANATION_VERSION
        | member::GUARDRAIL_HASH
        | member::GUARDRAIL_VERSION
        | member::LINEAGE_CONSENT_VERSION
        | member::LINEAGE_DERIVATION_FORMULA
        | member::OUTPUT_FINISH_REASONS
        | member::PARAMETERS_OUTPUT_TYPE
        | member::PARAMETERS_REASONING_LEVEL
        | member::PARAMETERS_STOP_SEQUENCES
        | member::POLICY_HASH
        | member::POLICY_VERSION
        | member::PROMPT_HASH
        | member::PROMPT_TEMPLATE_HASH
        | member::PROMPT_VERSION
        | member::REGULATION_FRAMEWORKS
        | member::REGULATION_JURISDICTIONS
        | member::ERROR_CODE
        | member::ERROR_TYPE
        | member::USAGE_CURRENCY => Care::Word,
        _ => Care::Name,
    }
}

/// What became of a value.
#[derive(Debug)]
pub(crate) enum Converted<'a> {
    /// A value of the member's type.
    To(Val<'a>),
    /// Empty: the member is absent, and nothing is wrong.
    Empty,
    /// Not convertible: absent and named in `evidence.conflicts`.
    Mismatch,
}

/// How persons and references are written, for one realm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'p> {
    pub(crate) keyed: &'p Keyed,
    /// Where content and persons go.
    pub(crate) aside: &'p Aside<'p>,
    pub(crate) mode: IdentityMode,
    pub(crate) references: References,
    pub(crate) scrub: &'p Scrub,
    pub(crate) realm: &'p str,
}

impl Who<'_> {
    /// `P`
    pub(crate) fn person(&self, id: &str) -> String {
        match self.mode {
            IdentityMode::Plain => format!("id:{id}"),
            IdentityMode::Keyed => pseudonym(self.keyed, "person", self.realm, id),
            IdentityMode::Vault => self.aside.person(self.realm, id),
        }
    }

    /// `R`. What is longer than anything is called is no reference but a text, and does not stand in evidence as sent either.
    pub(crate) fn reference<'a>(&self, value: Cow<'a, str>) -> Cow<'a, str> {
        if self.references == References::Keyed || value.len() > WORD_MAX || self.scrub.matches(&value) {
            return Cow::Owned(pseudonym(self.keyed, "ref", self.realm, &value));
        }
        value
    }
}

/// What a conversion did besides converting.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) repaired: bool,
    pub(crate) scrubbed: bool,
    pub(crate) cut: bool,
}

/// Converts a wire value to a member's type.
pub(crate) fn convert<'a>(member: Member, value: &Value<'a>, who: &Who<'_>, marks: &mut Marks) -> Result<Converted<'a>, Malformed> {
    let mut notes = Notes::default();
    let kind = member.spec().kind;
    let converted = match (kind, value) {
        (Type::Texts | Type::Refs, Value::Array(array)) => {
            let mut texts = Vec::new();
            for element in elements(array) {
                if texts.len() == LIST_MAX {
                    marks.cut = true;
                    break;
                }
                match scalar_text(&element?, &mut notes) {
                    Some(text) if text.is_empty() => {}
                    Some(text) => texts.push(finish_text(member, text, who, marks)),
                    None => return Ok(Converted::Mismatch),
                }
            }
            list(texts)
        }
        (Type::Texts | Type::Refs, Value::Text(_)) => {
            let text = scalar_text(value, &mut notes).unwrap_or_default();
            // Some instrumentations put the JSON of a list where a list belongs.
            let json = text.starts_with('[').then(|| scan::parse_bounded(text.as_bytes())).flatten();
            match json {
                Some(json) => from_json(member, &json, who, marks),
                None if text.is_empty() => Converted::Empty,
                None => list(vec![finish_text(member, text, who, marks)]),
            }
        }
        (_, Value::Array(_) | Value::KeyValues(_) | Value::Bytes(_)) => Converted::Mismatch,
        (_, Value::Empty) => Converted::Empty,
        (Type::Int, Value::Int(number)) => Converted::To(Val::Int(*number)),
        (Type::Int, Value::Double(number)) => int_of(*number),
        (Type::Num, Value::Double(number)) => num(*number),
        #[expect(clippy::as_conversions, reason = "a JSON number is a double: that is the type of the member")]
        (Type::Num, Value::Int(number)) => num(*number as f64),
        (Type::Bool, Value::Bool(flag)) => Converted::To(Val::Bool(*flag)),
        (Type::Int | Type::Num | Type::Bool | Type::Time, Value::Text(_)) => {
            let text = scalar_text(value, &mut notes).unwrap_or_default();
            scalar_from_text(kind, &text)
        }
        (Type::Text | Type::Person | Type::Ref | Type::Texts | Type::Refs, _) => match scalar_text(value, &mut notes) {
            Some(text) => from_text(member, text, who, marks),
            None => Converted::Mismatch,
        },
        _ => Converted::Mismatch,
    };
    marks.repaired |= notes.repaired;
    Ok(converted)
}

/// Converts a JSON value (of a list of objects, or of a list that came as JSON text).
pub(crate) fn from_json(member: Member, json: &Json, who: &Who<'_>, marks: &mut Marks) -> Converted<'static> {
    match (member.spec().kind, json) {
        (_, Json::Null) => Converted::Empty,
        (Type::Texts | Type::Refs, Json::Array(items)) => {
            let texts = items.iter().map(|item| match item {
                Json::Array(_) | Json::Object(_) | Json::Null => None,
                Json::String(text) => Some(text.clone()),
                other => Some(other.to_jcs_string()),
            });
            match texts.collect::<Option<Vec<String>>>() {
                Some(texts) => list(texts.into_iter().map(|t| finish_text(member, Cow::Owned(t), who, marks)).collect()),
                None => Converted::Mismatch,
            }
        }
        (Type::Int, Json::Number(number)) => int_of(*number),
        (Type::Num, Json::Number(number)) => num(*number),
        (Type::Bool, Json::Bool(flag)) => Converted::To(Val::Bool(*flag)),
        (kind @ (Type::Int | Type::Num | Type::Bool | Type::Time), Json::String(text)) => scalar_from_text(kind, text),
        (Type::Text | Type::Person | Type::Ref | Type::Texts | Type::Refs, Json::String(text)) => {
            from_text(member, Cow::Owned(text.clone()), who, marks)
        }
        (Type::Text | Type::Person | Type::Ref, Json::Bool(_) | Json::Number(_)) => {
            from_text(member, Cow::Owned(json.to_jcs_string()), who, marks)
        }
        _ => Converted::Mismatch,
    }
}

/// A value that stands in the configuration, as its member: nothing of it is a person's, so nothing is taken out. `None`: it has not the
/// member's type, or the member is of a type that no constant has.
pub(crate) fn constant(member: Member, text: &str) -> Option<Val<'static>> {
    let spec = member.spec();
    match spec.kind {
        Type::Int | Type::Num | Type::Bool | Type::Time => match scalar_from_text(spec.kind, text) {
            Converted::To(value) => Some(value),
            Converted::Empty | Converted::Mismatch => None,
        },
        Type::Text | Type::Texts => {
            let listed = spec.listed.iter().find(|listed| same_word(listed, text));
            let text = listed.map_or_else(|| Cow::Owned(text.to_owned()), |listed| Cow::Borrowed(*listed));
            Some(if spec.kind == Type::Texts { Val::Texts(vec![text]) } else { Val::Str(text) })
        }
        _ => None,
    }
}

/// The text of a scalar: numbers and booleans as their JCS text (`record.md` section 5, rule 3).
pub(crate) fn scalar_text<'a>(value: &Value<'a>, notes: &mut Notes) -> Option<Cow<'a, str>> {
    match value {
        Value::Text(bytes) => Some(encode::text(bytes, notes)),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Int(number) => Some(Cow::Owned(itoa::Buffer::new().format(*number).to_owned())),
        Value::Double(number) if number.is_finite() => {
            let mut out = Vec::new();
            write_number(&mut out, *number);
            String::from_utf8(out).ok().map(Cow::Owned)
        }
        _ => None,
    }
}

fn list(texts: Vec<Cow<'_, str>>) -> Converted<'_> {
    if texts.is_empty() { Converted::Empty } else { Converted::To(Val::Texts(texts)) }
}

fn num<'a>(number: f64) -> Converted<'a> {
    if number.is_finite() { Converted::To(Val::Num(number)) } else { Converted::Mismatch }
}

/// A double that is a whole number (`gen_ai.request.top_k` was a double once) becomes an integer; others would have to be rounded.
fn int_of<'a>(number: f64) -> Converted<'a> {
    // Below 2^53 every whole double is exact.
    if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
        #[expect(clippy::as_conversions, reason = "whole and in range: checked above")]
        return Converted::To(Val::Int(number as i64));
    }
    Converted::Mismatch
}

fn scalar_from_text<'a>(kind: Type, text: &str) -> Converted<'a> {
    let text = text.trim();
    if text.is_empty() {
        return Converted::Empty;
    }
    let value = match kind {
        Type::Int => text.parse().ok().map(Val::Int),
        // JSON's grammar: no `inf`, no `1_000`, no leading plus.
        Type::Num => match Json::parse(text.as_bytes()) {
            Ok(Json::Number(number)) => Some(Val::Num(number)),
            _ => None,
        },
        Type::Bool => match text {
            _ if text.eq_ignore_ascii_case("true") => Some(Val::Bool(true)),
            _ if text.eq_ignore_ascii_case("false") => Some(Val::Bool(false)),
            _ => None,
        },
        Type::Time => UnixNanos::parse(text).map(Val::Time),
        _ => None,
    };
    value.map_or(Converted::Mismatch, Converted::To)
}

fn from_text<'a>(member: Member, text: Cow<'a, str>, who: &Who<'_>, marks: &mut Marks) -> Converted<'a> {
    if text.is_empty() {
        return Converted::Empty;
    }
    match member.spec().kind {
        Type::Person => Converted::To(Val::Str(Cow::Owned(who.person(&text)))),
        Type::Texts | Type::Refs => list(vec![finish_text(member, text, who, marks)]),
        _ => Converted::To(Val::Str(finish_text(member, text, who, marks))),
    }
}

/// Listed spelling, what looks like a person taken out, stripped addresses, references.
fn finish_text<'a>(member: Member, text: Cow<'a, str>, who: &Who<'_>, marks: &mut Marks) -> Cow<'a, str> {
    let spec = member.spec();
    let care = care(member);
    if matches!(spec.kind, Type::Ref | Type::Refs) {
        return who.reference(if care == Care::Address { stripped(text) } else { text });
    }
    if !spec.listed.is_empty()
        && let Some(listed) = spec.listed.iter().find(|listed| same_word(listed, &text))
    {
        return Cow::Borrowed(*listed);
    }
    match care {
        Care::Name => bounded(text, NAME_MAX, Look::Everything, who.scrub, marks),
        Care::Word => word(text, who.scrub, marks),
        Care::Address => bounded(stripped(text), WORD_MAX, Look::Everything, who.scrub, marks),
        Care::Id if text.len() > WORD_MAX || who.scrub.matches(&text) => {
            marks.scrubbed = true;
            Cow::Owned(pseudonym(who.keyed, "ref", who.realm, &text))
        }
        Care::Id => text,
    }
}

/// A text that came otherwise than as the value of a member's own key, looked at as that member.
pub(crate) fn claim<'a>(member: Member, bytes: &'a [u8], who: &Who<'_>, marks: &mut Marks) -> Cow<'a, str> {
    let mut notes = Notes::default();
    let text = finish_text(member, encode::text(bytes, &mut notes), who, marks);
    marks.repaired |= notes.repaired;
    text
}

/// Adds a text to a list member, looked at as that member.
pub(crate) fn claim_one_more<'a>(draft: &mut Draft<'a>, who: &Who<'_>, member: Member, text: Cow<'a, str>) {
    let mut marks = Marks::default();
    let text = finish_text(member, text, who, &mut marks);
    draft.marks(member.path(), marks);
    match draft.record.get_mut(member) {
        Some(Val::Texts(texts)) => texts.push(text),
        _ => draft.record.push(member, Val::Texts(vec![text])),
    }
}

/// Appends a value of the allow-list ([`encode::write_value`]) without what looks like a person. Addresses stay: they are those of servers.
pub(crate) fn write_kept(
    out: &mut Vec<u8>,
    value: &Value<'_>,
    scrub: &Scrub,
    notes: &mut Notes,
    marks: &mut Marks,
) -> Result<(), Malformed> {
    let start = out.len();
    match value {
        Value::Text(bytes) => {
            write_string(out, &word(encode::text(bytes, notes), scrub, marks));
        }
        Value::Bytes(bytes) if scrub.scrubbed(&String::from_utf8_lossy(bytes), Look::NotAddresses).is_some() => {
            marks.scrubbed = true;
            write_string(out, MARK);
        }
        Value::Array(_) | Value::KeyValues(_) => {
            encode::write_value(out, value, Form::Exact, notes)?;
            match Some(out.get(start..).unwrap_or_default()).filter(|raw| raw.len() <= KEPT_MAX).and_then(scan::parse_bounded) {
                Some(mut json) => {
                    if words_within(&mut json, scrub, marks) {
                        out.truncate(start);
                        json.write_jcs(out);
                    }
                }
                // The allow-list holds words and lists of words; what is longer is something else.
                None => {
                    marks.cut = true;
                    out.truncate(start);
                    out.extend_from_slice(b"null");
                }
            }
        }
        _ => encode::write_value(out, value, Form::Exact, notes)?,
    }
    Ok(())
}

/// Takes out of a value's strings what [`word`] takes out of a text; whether there was anything. An object with a person among its names,
/// or with a text in place of one, is left out whole.
fn words_within(json: &mut Json, scrub: &Scrub, marks: &mut Marks) -> bool {
    let is_word = |name: &String| name.len() <= WORD_MAX && scrub.scrubbed(name, Look::NotAddresses).is_none();
    match json {
        Json::String(text) if is_word(text) => false,
        Json::String(text) => {
            *text = word(Cow::Owned(std::mem::take(text)), scrub, marks).into_owned();
            true
        }
        Json::Array(items) => items.iter_mut().fold(false, |found, item| words_within(item, scrub, marks) | found),
        Json::Object(members) if !members.iter().all(|(name, _)| is_word(name)) => {
            marks.scrubbed = true;
            *json = Json::string(MARK);
            true
        }
        Json::Object(members) => members.iter_mut().fold(false, |found, (_, value)| words_within(value, scrub, marks) | found),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

/// The address of content that is kept elsewhere, if it is one: a URI without white space, bare of userinfo, query and fragment, and
/// of what looks like a person.
pub(crate) fn address(text: &str, scrub: &Scrub, marks: &mut Marks) -> Option<String> {
    const ADDRESS_MAX: usize = 4096;
    let scheme = text.split_once(':').map(|(scheme, _)| scheme)?;
    let is_uri = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')) && !scheme.is_empty();
    if !is_uri || text.len() > ADDRESS_MAX || text.chars().any(char::is_whitespace) {
        return None;
    }
    let bare = stripped(Cow::Borrowed(text)).into_owned();
    Some(match scrub.scrubbed(&bare, Look::Everything) {
        Some(clean) => {
            marks.scrubbed = true;
            clean
        }
        None => bare,
    })
}

/// Whether a text is a media type (RFC 6838), perhaps with parameters, and nothing else.
pub(crate) fn is_media_type(text: &str) -> bool {
    let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'!' | b'#' | b'$' | b'&' | b'-' | b'^' | b'_' | b'.' | b'+');
    let Some((kind, rest)) = text.split_once('/') else { return false };
    let sub = rest.split(';').next().unwrap_or_default();
    text.len() <= 128
        && [kind, sub].iter().all(|t| !t.is_empty() && t.bytes().all(part))
        && rest.bytes().all(|b| part(b) || matches!(b, b';' | b'=' | b' ' | b'"'))
}

/// A machine's word: what looks like a person is taken out, four numbers with dots are a version.
pub(crate) fn word<'a>(text: Cow<'a, str>, scrub: &Scrub, marks: &mut Marks) -> Cow<'a, str> {
    bounded(text, WORD_MAX, Look::NotAddresses, scrub, marks)
}

/// A text without what looks like a person, then at most `max` bytes of it.
fn bounded<'a>(text: Cow<'a, str>, max: usize, look: Look, scrub: &Scrub, marks: &mut Marks) -> Cow<'a, str> {
    // What is cut off anyway is not looked at; a margin keeps a match at the edge whole.
    let window = shorten(&text, max * 4);
    if let Some(clean) = scrub.scrubbed(window, look) {
        marks.scrubbed = true;
        marks.cut |= clean.len() > max || window.len() < text.len();
        return Cow::Owned(shorten(&clean, max).to_owned());
    }
    cut(text, max, marks)
}

fn cut<'a>(text: Cow<'a, str>, max: usize, marks: &mut Marks) -> Cow<'a, str> {
    if text.len() <= max {
        return text;
    }
    marks.cut = true;
    Cow::Owned(shorten(&text, max).to_owned())
}

/// Whether two words differ only in case and in what joins them: `HIGH` is `high`, `Fully-Automated` is `fully_automated`.
fn same_word(listed: &str, sent: &str) -> bool {
    listed.len() == sent.len()
        && listed.bytes().zip(sent.bytes()).all(|(l, s)| l == s.to_ascii_lowercase() || (l == b'_' && matches!(s, b'-' | b' ')))
}

/// A URL without userinfo, query and fragment; anything else as it is.
pub(crate) fn stripped(url: Cow<'_, str>) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let rest = rest.get(..end).unwrap_or_default();
    let (authority, path) = rest.find('/').and_then(|slash| rest.split_at_checked(slash)).unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Cow::Owned(format!("{scheme}://{host}{path}"))
}

/// A JSON scalar as it stands in a text (`"x"`, `0.5`, `true`), converted to a member's type.
pub(crate) fn from_raw_json(member: Member, raw: &[u8], who: &Who<'_>, marks: &mut Marks) -> Converted<'static> {
    if raw.first() == Some(&b'"') {
        return from_json(member, &Json::String(scan::unescaped(raw).into_owned()), who, marks);
    }
    match scan::parse_bounded(raw) {
        Some(json) => from_json(member, &json, who, marks),
        None => Converted::Mismatch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::apart::Apart;
    use crate::record::identity::IdentityKey;

    fn one(member: Member, value: Value<'_>) -> String {
        let key = IdentityKey::new([0; 32]);
        let (keyed, scrub) = (key.keyed(), Scrub::default());
        let settings = crate::promote::tests::settings();
        let aside = Aside::new(&settings, &keyed, Apart::default());
        let who = Who { keyed: &keyed, aside: &aside, mode: IdentityMode::Keyed, references: References::Plain, scrub: &scrub, realm: "" };
        match convert(member, &value, &who, &mut Marks::default()).unwrap() {
            Converted::To(val) => {
                let (mut record, mut out) = (crate::record::builder::Record::default(), Vec::new());
                record.push(member, val);
                record.write(&mut out, "");
                let json = Json::parse(&out).unwrap();
                json.path(member.path()).unwrap().to_jcs_string()
            }
            Converted::Empty => "empty".into(),
            Converted::Mismatch => "mismatch".into(),
        }
    }

    #[test]
    fn the_type_follows_the_member() {
        let t = |s: &'static str| Value::Text(s.as_bytes());
        for (member, value, expected) in [
            (member::PARAMETERS_TOP_K, Value::Double(3.0), r#""3""#),
            (member::PARAMETERS_TOP_K, Value::Double(3.5), "mismatch"),
            (member::PARAMETERS_TOP_K, t("3"), r#""3""#),
            (member::PARAMETERS_TOP_K, t("three"), "mismatch"),
            (member::PARAMETERS_TOP_K, Value::Bool(true), "mismatch"),
            (member::USAGE_INPUT_TOKENS, Value::Int(i64::MIN), r#""-9223372036854775808""#),
            (member::CONFIDENCE_SCORE, Value::Int(1), "1"),
            (member::CONFIDENCE_SCORE, t("0.83"), "0.83"),
            (member::CONFIDENCE_SCORE, Value::Double(f64::NAN), "mismatch"),
            (member::CONFIDENCE_SCORE, t("inf"), "mismatch"),
            (member::PARAMETERS_STREAM, t("True"), "true"),
            (member::PARAMETERS_STREAM, Value::Int(1), "mismatch"),
            (member::DECISION_OUTCOME, Value::Bool(false), r#""false""#),
            (member::DECISION_OUTCOME, Value::Double(2.50), r#""2.5""#),
            (member::MODEL_ID, t(""), "empty"),
            (member::MODEL_ID, Value::Empty, "empty"),
            (member::MODEL_ID, Value::Bytes(b"x"), "mismatch"),
            (member::OUTPUT_FINISH_REASONS, t("stop"), r#"["stop"]"#),
            (member::OUTPUT_FINISH_REASONS, t(r#"["stop","length"]"#), r#"["stop","length"]"#),
            (member::SYSTEM_RISK_CLASS, t("HIGH"), r#""high""#),
            (member::SYSTEM_RISK_CLASS, t("Level-3"), r#""Level-3""#),
            (member::DECISION_AUTOMATION_LEVEL, t("human-in-the-loop"), r#""human_in_the_loop""#),
            (member::REVIEW_DEADLINE, t("2026-11-21T18:00:00+01:00"), r#""2026-11-21T17:00:00.000000000Z""#),
            (member::REVIEW_DEADLINE, t("tomorrow"), "mismatch"),
            (member::ACTOR_USER_ID, t("alice@example.com"), r#""ps:66687aad:6ac780348d5bd07b2ed8518875ad39e8""#),
            (member::ACTOR_SESSION_ID, t("sess-9"), r#""sess-9""#),
            (member::TOOL_NAME, t("mail_alice@example.com"), r#""[scrubbed]""#),
            (member::EXPLANATION_REFERENCE, t("https://u:p@h.example/a/b?token=1#f"), r#""https://h.example/a/b""#),
        ] {
            assert_eq!(one(member, value), expected, "{}", member.path());
        }
        assert!(one(member::ACTOR_SESSION_ID, t("alice@example.com")).starts_with("\"ps:66687aad:"));
        assert_eq!(one(member::TRACE_NAME, Value::Text("x\u{e9}".repeat(200).as_bytes())).len(), 2 + 256);
    }

    /// Scenario: an address stands at any place around the end of what is kept of a name. Guarantee: no part of it stays, as would of one that
    /// is looked for only in what is kept.
    #[test]
    fn no_part_of_an_address_is_left_where_a_text_is_cut() {
        for before in NAME_MAX - 20..=NAME_MAX {
            let text = format!("{}alice@example.com tells", " ".repeat(before));
            let kept = one(member::TRACE_NAME, Value::Text(text.as_bytes()));
            assert!(kept.len() <= NAME_MAX + 2 && !kept.contains('a') && !kept.contains("li"), "{before}: {kept}");
        }
    }
}
