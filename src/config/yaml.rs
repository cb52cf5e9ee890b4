//! YAML text -> a small tree that remembers where everything stood.
//!
//! The tree keeps scalars as text: what a value means is decided by the key that asks for it, after `${env:...}` was substituted, so that
//! `"16"` from the environment is as good a number as a written 16.

use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use crate::plain::{HIDDEN, without_secrets};

/// Largest configuration file, bytes. A long real one has a few thousand.
pub(crate) const FILE_BYTES_MAX: usize = 1024 * 1024;

/// A line and a column, both from 1; zero where there is no file (defaults, the command line).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Mark {
    /// Which file, where several are read as one ([`Node::overwritten`]); else 0.
    pub(crate) file: usize,
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl From<Location> for Mark {
    fn from(at: Location) -> Self {
        Mark { file: 0, line: at.line(), column: at.column() }
    }
}

/// One node and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    pub(crate) value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) mark: Mark,
}

impl Deref for Key {
    type Target = str;
    fn deref(&self) -> &str {
        &self.name
    }
}

impl Value {
    /// For messages: what was found.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// A configuration that cannot be used: one sentence, the place, and the line as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// File, line and column, `spanseal.yaml:3:5`; `None` where it came from no file.
    pub place: Option<String>,
    /// What is wrong and what to write instead.
    pub sentence: String,
    /// The line with a mark below, for a terminal.
    pub snippet: Option<String>,
}

impl ConfigError {
    /// A sentence without a place.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        ConfigError { place: None, sentence: without_secrets(&sentence.into()), snippet: None }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.sentence)?;
        match &self.snippet {
            Some(snippet) => write!(f, "\n{snippet}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Parts of the words that secrets stand behind, in our configuration and in those of others that somebody copied from.
const SECRET_NAMES: [&str; 13] =
    ["secret", "passw", "pwd", "_pw", "token", "auth", "credential", "key", "header", "cookie", "bearer", "dsn", "begin"];

/// Whether a line may hold a secret that no address gives away: it is named like one (and not like a file with one), or has an `@`. Then its place has
/// to do. To show nothing is always right: the place is told.
fn may_hold_secret(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.replace(&format!("{HIDDEN}@"), "").contains('@')
        || SECRET_NAMES.iter().any(|name| line.match_indices(name).any(|(at, _)| !is_file_name(line.get(at..).unwrap_or_default())))
}

/// How far a line is set in; the sign of a list sets in what stands behind it. A tab, which YAML does not allow there, counts as eight columns, as
/// whoever typed it saw it.
fn indent(line: &str) -> usize {
    let text = line.trim_start();
    let columns: usize = line.chars().take_while(|c| c.is_whitespace()).map(|c| if c == '\t' { 8 } else { 1 }).sum();
    2 * columns + usize::from(text.starts_with('-'))
}

/// Whether a name that begins here goes on as that of a file: `token_file`.
fn is_file_name(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().is_some_and(|name| name.ends_with("_file"))
}

/// A file's name and text, to point into.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// An error at a place of this file.
    pub(crate) fn error(&self, mark: Mark, sentence: impl Into<String>) -> ConfigError {
        if mark.line == 0 {
            return ConfigError::new(sentence);
        }
        let sentence = without_secrets(&sentence.into());
        // What was hidden in the sentence stands in the line as it is, in whatever form.
        let snippet = self.snippet(mark).map(|snippet| without_secrets(&snippet));
        let snippet = snippet.filter(|snippet| !sentence.contains(HIDDEN) && !may_hold_secret(snippet) && !self.is_below_secret(mark));
        ConfigError { place: Some(format!("{}:{}:{}", self.name, mark.line, mark.column)), sentence, snippet }
    }

    /// Whether the line at this mark is part of something that is named like a secret further up: `headers:` above, or a text of several
    /// lines.
    fn is_below_secret(&self, mark: Mark) -> bool {
        let number = usize::try_from(mark.line).unwrap_or(usize::MAX);
        let lines: Vec<&str> = self.text.lines().take(number).collect();
        let (mut depth, mut goes_on) = (usize::MAX, true);
        for line in lines.into_iter().rev().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
            if !goes_on && indent(line) >= depth {
                continue;
            }
            if may_hold_secret(&without_secrets(line)) {
                return true;
            }
            depth = depth.min(indent(line));
            // What neither is an entry of a list nor has a name goes on from the line above it.
            goes_on = !line.contains(':') && !line.trim_start().starts_with('-');
            if depth == 0 && !goes_on {
                break;
            }
        }
        false
    }

    /// The place `offset` bytes into a value that stands at `mark`: found by looking for the value's line, because quotes, block styles and
    /// substituted variables lie between the two. Where the line is not found, the value's own place.
    pub(crate) fn inside(&self, mark: Mark, text: &str, offset: usize) -> Mark {
        let found = || {
            let before = text.get(..offset)?;
            let (line_number, line_start) = (before.matches('\n').count(), before.rfind('\n').map_or(0, |at| at + 1));
            let wanted = text.get(line_start..)?.lines().next()?.trim_end();
            let characters = before.get(line_start..)?.chars().count();
            let first = usize::try_from(mark.line.checked_sub(1)?).ok()?;
            // Behind the key, or, in block style, on the lines below it.
            [first + line_number, first + line_number + 1].into_iter().find_map(|number| {
                let line = self.text.lines().nth(number)?;
                let skip = if number == first { usize::try_from(mark.column.saturating_sub(1)).ok()? } else { 0 };
                let from = line.char_indices().nth(skip).map(|(at, _)| at)?;
                let at = from + line.get(from..)?.find(wanted).filter(|_| !wanted.is_empty())?;
                let column = line.get(..at)?.chars().count() + characters + 1;
                Some(Mark { file: mark.file, line: u64::try_from(number + 1).ok()?, column: u64::try_from(column).ok()? })
            })
        };
        found().unwrap_or(mark)
    }

    fn snippet(&self, mark: Mark) -> Option<String> {
        let line = self.text.lines().nth(usize::try_from(mark.line.checked_sub(1)?).ok()?)?;
        // Long lines and control characters do not reach a terminal.
        let shown: String = line.chars().take(160).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let column = usize::try_from(mark.column.saturating_sub(1)).ok()?;
        let gutter = mark.line.to_string();
        let blank = " ".repeat(gutter.len());
        let mut text = format!("{blank} |\n{gutter} | {shown}");
        if column < 160 {
            text.push_str(&format!("\n{blank} | {}^", " ".repeat(column)));
        }
        Some(text)
    }

    /// The first document of a text that may have several, and where the second begins, if that says anything.
    pub(crate) fn first_document(&self) -> (Source, Option<Mark>) {
        let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        let begins = |line: &str| line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r']));
        // What stands before the first document about how it is written (`%YAML 1.1`) is none.
        let directs = |line: &str| line.starts_with('%');
        let mut seen = false;
        let end = self.text.lines().position(|line| {
            let second = seen && begins(line);
            seen |= says(line) && !begins(line) && !directs(line);
            second
        });
        let Some(end) = end else { return (self.clone(), None) };
        let text = self.text.lines().take(end).flat_map(|line| [line, "\n"]).collect();
        let behind = self.text.lines().skip(end).any(|line| says(line.strip_prefix("---").unwrap_or(line)));
        let mark = Mark { file: 0, line: u64::try_from(end).unwrap_or(u64::MAX).saturating_add(1), column: 1 };
        (Source { name: self.name.clone(), text }, behind.then_some(mark))
    }

    /// Parses the text into a tree. An empty file is an empty map.
    pub(crate) fn parse(&self) -> Result<Node, ConfigError> {
        if self.text.len() > FILE_BYTES_MAX {
            return Err(ConfigError::new(format!("{}: longer than {FILE_BYTES_MAX} bytes; is this the configuration?", self.name)));
        }
        let empty = Node { mark: Mark::default(), value: Value::Map(Vec::new()) };
        if self.text.lines().all(|l| l.trim().is_empty() || l.trim_start().starts_with('#')) {
            return Ok(empty);
        }
        // `no` and `off` stay text: only keys that want a truth value read them as one.
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        let node: Node = serde_saphyr::from_str_with_options(&self.text, options).map_err(|e| {
            let mark = e.location().map(Mark::from).unwrap_or_default();
            self.error(mark, unreadable(&e))
        })?;
        Ok(if matches!(node.value, Value::Null) { empty } else { node })
    }
}

/// Parts of what the library says of a text that is no YAML, and what an operator does about it.
const SYNTAX: [(&str, &str); 8] = [
    ("tab", "a tab stands here; YAML is indented with spaces"),
    ("unclosed bracket", "this bracket is never closed; close it, or take it away"),
    ("quoted scalar", "a quote does not close, or text follows it; a quote inside a text is written twice (`''`)"),
    ("mapping values are not allowed", "a second `: ` in one value; put the value in quotes, or give the key a line of its own"),
    ("did not find expected key", "the indent fits nothing above; bring it in line with its neighbours"),
    ("expected '-' indicator", "the indent fits nothing above; bring it in line with its neighbours"),
    ("indentation", "the indent fits nothing above; bring it in line with its neighbours"),
    ("unexpected character", "a value cannot begin with this sign; put it in quotes"),
];

/// What is wrong with a text that is no YAML, and what now.
fn unreadable(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    let why = match error.without_snippet() {
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` stands twice in one map; keep one of the two"),
        Error::DuplicateMappingKey { key: None, .. } => "a key stands twice in one map; keep one of the two".to_owned(),
        Error::UnknownAnchor { .. } => {
            "an alias (`*name`) needs its anchor (`&name`) further up; write the anchor, or what it stands for".to_owned()
        }
        Error::MultipleDocuments { .. } => "a second document (`---`) begins here; one file holds one".to_owned(),
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } | Error::AliasExpansionLimitExceeded { .. } => {
            "nested too deeply, or unfolded from too many aliases, for a configuration; write it out".to_owned()
        }
        other => {
            let text = other.to_string();
            // The place stands in front already.
            let text = text.split(" at line ").next().unwrap_or(&text);
            match SYNTAX.iter().find(|(part, _)| text.contains(part)) {
                Some((_, ours)) => (*ours).to_owned(),
                None => format!("look here, and at what stands just above ({text})"),
            }
        }
    };
    format!("not readable as YAML: {why}")
}

impl Node {
    /// As read from the file of this number.
    pub(crate) fn of_file(mut self, file: usize) -> Node {
        self.mark.file = file;
        self.value = match self.value {
            Value::List(items) => Value::List(items.into_iter().map(|item| item.of_file(file)).collect()),
            Value::Map(members) => Value::Map(
                members.into_iter().map(|(key, node)| (Key { mark: Mark { file, ..key.mark }, ..key }, node.of_file(file))).collect(),
            ),
            single => single,
        };
        self
    }

    /// This with another written over it: maps member by member, everything else as a whole, nothing (`null`) too.
    pub(crate) fn overwritten(self, over: Node) -> Node {
        match (self, over) {
            (Node { mark, value: Value::Map(members) }, Node { value: Value::Map(over), .. }) => {
                let mut known: HashMap<String, usize> = members.iter().enumerate().map(|(at, (key, _))| (key.name.clone(), at)).collect();
                let mut members: Vec<Option<(Key, Node)>> = members.into_iter().map(Some).collect();
                for (key, node) in over {
                    let at = *known.entry(key.name.clone()).or_insert(members.len());
                    match members.get_mut(at) {
                        Some(member) => {
                            *member = Some(match member.take() {
                                // Where the members of a map come from their own marks say.
                                Some((known, below)) if matches!((&below.value, &node.value), (Value::Map(_), Value::Map(_))) => {
                                    (known, below.overwritten(node))
                                }
                                _ => (key, node),
                            });
                        }
                        None => members.push(Some((key, node))),
                    }
                }
                Node { mark, value: Value::Map(members.into_iter().flatten().collect()) }
            }
            (_, over) => over,
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Node { mark: spanned.referenced.into(), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map, a list or a single value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Scalar(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(name) = entries.next_key::<Spanned<String>>()? {
            map.push((Key { name: name.value, mark: name.referenced.into() }, entries.next_value()?));
        }
        Ok(Value::Map(map))
    }
}
