//! The parts of a rule, each checked when it is made: what is here cannot be wrong any more, only not meet any telemetry.

use std::fmt;
use std::sync::LazyLock;

use super::names::nearest;
use crate::otlp::view::{Value, elements};
use crate::promote::convert;
use crate::promote::dialects::{Delicate, Dialects, Tables, To, ai_audit};
use crate::promote::scrub::Scrub;
use crate::record::builder::Val;
use crate::record::registry::{CONFIDENCE_SCORE, CONFIDENCE_THRESHOLD, DECISION_SCORE, EVERY, Kind, Member, Type};

/// Longest key, pattern or constant of a rule, bytes.
const TEXT_MAX: usize = 256;

/// A name or a value, in which `*` stands for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Checks that it says something and holds nobody.
    pub fn parse(text: &str) -> Result<Pattern, String> {
        short(text)?;
        if text.bytes().all(|b| b == b'*') {
            return Err("`*` alone is everything; leave the key away".to_owned());
        }
        nobody(text)?;
        Ok(Pattern(text.to_owned()))
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether both are written out and differ: no name is like both.
    pub(super) fn excludes(&self, other: &Pattern) -> bool {
        self.0 != other.0 && !self.0.contains('*') && !other.0.contains('*')
    }

    /// Whether all of a name is like it. Looks at each byte a bounded number of times for each `*`.
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0.as_bytes() == name };
        let Some(mut left) = name.strip_prefix(first.as_bytes()) else { return false };
        let (between, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in between.split('*').filter(|part| !part.is_empty()) {
            let Some(at) = memchr::memmem::find(left, part.as_bytes()) else { return false };
            left = left.get(at + part.len()..).unwrap_or_default();
        }
        left.ends_with(last.as_bytes())
    }
}

/// What an attribute's value has to be. The type on the wire does not matter: `true` is the boolean and the text, numbers are compared as
/// numbers, a list holds it if one of its elements does.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    pattern: Pattern,
    number: Option<f64>,
}

impl Expected {
    /// A value, or a pattern of one.
    pub fn parse(text: &str) -> Result<Expected, String> {
        Ok(Expected { pattern: Pattern::parse(text)?, number: text.parse().ok().filter(|n: &f64| n.is_finite()) })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        self.pattern.text()
    }

    pub(crate) fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    pub(crate) fn number(&self) -> Option<f64> {
        self.number
    }

    /// Whether a value of this type could be what it has to be.
    pub(super) fn can_be(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Text(_) | Value::Bool(_) | Value::Array(_) => true,
            Value::Int(_) | Value::Double(_) => self.number.is_some(),
            Value::Empty | Value::KeyValues(_) | Value::Bytes(_) => false,
        }
    }

    /// Whether no single value is both. A list may be: nobody sends one as what tells applications apart.
    pub(super) fn excludes(&self, other: &Expected) -> bool {
        self.pattern.excludes(&other.pattern) && (self.number.is_none() || self.number != other.number)
    }

    pub(crate) fn holds(&self, value: &Value<'_>) -> bool {
        #[expect(clippy::as_conversions, reason = "a configured number is a double, so it is compared as one")]
        match value {
            Value::Text(text) => self.pattern.matches(text),
            Value::Bool(flag) => self.pattern.matches(if *flag { b"true" } else { b"false" }),
            Value::Int(number) => self.number == Some(*number as f64),
            Value::Double(number) => self.number == Some(*number),
            Value::Array(array) => elements(array).any(|e| e.is_ok_and(|e| !matches!(e, Value::Array(_)) && self.holds(&e))),
            Value::Empty | Value::KeyValues(_) | Value::Bytes(_) => false,
        }
    }
}

/// A record member that a rule may set: one that an application could claim as `ai_audit.<path>`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Settable {
    pub(crate) member: Member,
    pub(crate) to: To,
}

impl Settable {
    /// The member at this path.
    pub fn parse(path: &str) -> Result<Settable, String> {
        if let (Some(member), Some(to)) = (Member::find(path), ai_audit::to(path)) {
            return Ok(Settable { member, to });
        }
        Err(match path {
            "kind" => "`kind` has a key of its own in the rule".to_owned(),
            _ if path.starts_with("retention.") => {
                format!("`{path}` is not for rules: how long a record is kept is said in `retention`")
            }
            _ if Member::find(path).is_some() => {
                format!("`{path}` is what the receiver itself knows or was told on the wire; no rule sets it")
            }
            _ => {
                let known = Member::all().map(Member::path).filter(|path| ai_audit::to(path).is_some());
                format!("`{path}` is no member of the record that a rule can set; the nearest is `{}`", nearest(path, known))
            }
        })
    }

    /// Its dotted path.
    pub fn path(&self) -> &'static str {
        self.member.path()
    }

    fn kind(&self) -> Type {
        self.member.spec().kind
    }

    /// Whether it is a place for what is a person's or content: held apart or as a pseudonym, never in clear.
    pub(super) fn takes(&self, what: Delicate) -> bool {
        match what {
            Delicate::Content => matches!(self.kind(), Type::Content) || matches!(self.to, To::Documents | To::Items(_)),
            Delicate::Person => matches!(self.kind(), Type::Person | Type::Content),
        }
    }

    /// Whether several attributes may be its value together: the preimage of content names them all.
    pub(crate) fn takes_several(&self) -> bool {
        matches!(self.to, To::Side(..))
    }
}

impl fmt::Debug for Settable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

/// A value that stands in the configuration.
#[derive(Clone, PartialEq)]
pub struct Constant {
    pub(crate) target: Settable,
    /// As written: one text, or several for a list.
    written: Vec<String>,
    pub(crate) value: Val<'static>,
}

impl Constant {
    /// Converts what was written to the member's type, by the same rules as an attribute's value.
    pub fn parse(target: Settable, written: &[String]) -> Result<Constant, String> {
        let path = target.path();
        match target.kind() {
            Type::Person => {
                return Err(format!(
                    "`{path}` is a person, and the configuration is sealed in clear; let an attribute hold the person, under `from`"
                ));
            }
            Type::Content => {
                return Err(format!("`{path}` is content, which belongs to one record; it comes from an attribute, under `from`"));
            }
            Type::Ref | Type::Refs => {
                return Err(format!("`{path}` refers to one thing of one record; it comes from an attribute, under `from`"));
            }
            Type::Items | Type::Map => return Err(format!("`{path}` is a list of objects, which comes from an attribute, under `from`")),
            _ => {}
        }
        if matches!(target.to, To::PromptHash | To::ContextHash) {
            return Err(format!("`{path}` belongs to one record; it comes from an attribute, under `from`"));
        }
        let is_list = target.kind() == Type::Texts;
        if written.is_empty() || (written.len() > 1 && !is_list) {
            return Err(format!("`{path}` is a single value"));
        }
        let mut texts = Vec::new();
        let mut single = None;
        for text in written {
            short(text)?;
            match convert::constant(target.member, text) {
                Some(Val::Texts(list)) => texts.extend(list),
                Some(value) => single = Some(value),
                None => return Err(format!("`{path}` is {}, and `{text}` is none", type_in_words(target.kind()))),
            }
            nobody(text)?;
        }
        let value = if is_list { Val::Texts(texts) } else { single.ok_or_else(|| format!("`{path}` is a single value"))? };
        Ok(Constant { target, written: written.to_vec(), value })
    }

    /// What is allowed, since lists of words are open and scores are kept as sent, and yet is surely a mistake. To follow its place.
    pub(crate) fn doubt(&self) -> Option<String> {
        let Settable { member, .. } = self.target;
        let listed = member.spec().listed;
        let unlisted = |text: &str| !listed.is_empty() && !listed.contains(&text);
        let word = match &self.value {
            Val::Num(number) if matches!(member, CONFIDENCE_SCORE | CONFIDENCE_THRESHOLD | DECISION_SCORE) => return doubt_of(*number),
            Val::Str(text) => unlisted(text).then_some(text),
            Val::Texts(texts) => texts.iter().find(|text| unlisted(text)),
            _ => None,
        }?;
        let known: Vec<String> = listed.iter().map(|known| format!("`{known}`")).collect();
        Some(format!("says `{word}`, which is none of the known words ({}); readers and reports ask for those", known.join(", ")))
    }

    /// As it was written.
    pub fn written(&self) -> &[String] {
        &self.written
    }

    /// The member it is for.
    pub fn target(&self) -> Settable {
        self.target
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.target.path(), self.written)
    }
}

fn type_in_words(kind: Type) -> &'static str {
    match kind {
        Type::Int => "a whole number",
        Type::Num => "a number",
        Type::Bool => "true or false",
        Type::Time => "a time (RFC 3339, as in 2026-11-20T10:00:00Z)",
        Type::Texts | Type::Refs => "a list of texts",
        _ => "a text",
    }
}

/// What is to be said of a score or threshold that is configured. To follow its place.
pub(crate) fn doubt_of(score: f64) -> Option<String> {
    let outside = !(0.0..=1.0).contains(&score);
    outside.then(|| format!("is {}: scores of confidence are mostly sent between 0 and 1, and are compared as sent, never rescaled", score))
}

/// The key of an attribute, as far as a rule may read or keep it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// A key that is only asked for.
    pub fn parse(text: &str) -> Result<Key, String> {
        short(text)?;
        if text.contains('*') {
            return Err(format!("`{text}`: a key is written out; `*` is for names and values"));
        }
        Ok(Key(text.to_owned()))
    }

    /// A key whose value goes to `attributes`, in clear.
    pub fn kept(text: &str) -> Result<Key, String> {
        let key = Key::parse(text)?;
        if TABLES.withholds(text.as_bytes()) {
            return Err(never_stored(text));
        }
        match TABLES.says_who_or_what(text.as_bytes()) {
            Some(what) => Err(format!("`{text}` holds {}, and `attributes` are kept in clear", what.in_words())),
            None => Ok(key),
        }
    }

    /// The key.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Where a member's value comes from: attributes in order of preference (of content: all of them together), and what their words mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub(crate) target: Settable,
    pub(crate) keys: Vec<Key>,
    pub(crate) values: Vec<(String, String)>,
}

impl Source {
    /// `values` maps an attribute's words to the record's; a word that is not in it stays as sent.
    pub fn new(target: Settable, keys: Vec<Key>, values: Vec<(String, String)>) -> Result<Source, String> {
        if keys.is_empty() {
            return Err(format!("`{}` comes from no attribute; name one", target.path()));
        }
        if !values.is_empty() && !matches!(target.to, To::Member(_)) {
            return Err(format!("`{}` is kept as it is sent; only plain members have `values`", target.path()));
        }
        for (_, word) in &values {
            // A mistake in a word would otherwise be a conflict in every record.
            Constant::parse(target, std::slice::from_ref(word))?;
        }
        for key in &keys {
            Source::may_read(target, key)?;
        }
        Ok(Source { target, keys, values })
    }

    /// A rule cannot put into the clear what is known to be a person or content, nor what is never stored.
    pub fn may_read(target: Settable, key: &Key) -> Result<(), String> {
        if TABLES.withholds(key.text().as_bytes()) {
            return Err(never_stored(key.text()));
        }
        let fits = TABLES.says_who_or_what(key.text().as_bytes()).is_none_or(|what| target.takes(what));
        let what = if target.kind() == Type::Person { "a person" } else { "kept in clear" };
        if fits { Ok(()) } else { Err(format!("`{}` holds what belongs to one person, and `{}` is {what}", key.text(), target.path())) }
    }

    /// Whether it says that its attributes hold a person.
    pub(super) fn is_person(&self) -> bool {
        self.target.kind() == Type::Person
    }

    /// Whether dialects must not read a key that this reads: it holds a person, which they do not know, and might put into the clear.
    pub(super) fn hides(&self, key: &Key) -> bool {
        self.is_person() && TABLES.says_who_or_what(key.text().as_bytes()) != Some(Delicate::Person)
    }

    /// The member it is for.
    pub fn target(&self) -> Settable {
        self.target
    }

    /// The attributes it reads.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// What their words mean.
    pub fn values(&self) -> &[(String, String)] {
        &self.values
    }
}

/// A kind that a rule may state: those of telemetry, none of control records.
pub fn kind(text: &str) -> Result<Kind, String> {
    EVERY.iter().find(|kind| kind.as_str() == text).copied().ok_or_else(|| {
        format!("`{text}` is no kind of record that telemetry makes; the nearest is `{}`", nearest(text, EVERY.iter().map(|k| k.as_str())))
    })
}

fn short(text: &str) -> Result<(), String> {
    match text.len() {
        0 => Err("empty".to_owned()),
        n if n > TEXT_MAX => Err(format!("longer than {TEXT_MAX} bytes")),
        _ => Ok(()),
    }
}

/// Refuses what looks like a person: the configuration is sealed, and nothing is taken out of a seal.
pub(super) fn nobody(text: &str) -> Result<(), String> {
    if Scrub::default().finds_person(text) {
        return Err("looks like a person (an e-mail address or a telephone number), and the configuration is sealed in clear".to_owned());
    }
    Ok(())
}

fn never_stored(key: &str) -> String {
    format!("`{key}` is never stored (client addresses, user agents, headers, cookies, processes, hosts and their users)")
}

/// The tables of every dialect, whichever are enabled: what a key holds does not depend on who may speak.
static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables::new(Dialects::ALL, &[]));
