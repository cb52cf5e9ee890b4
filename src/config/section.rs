//! Reading one map of the configuration: every key is asked for once, and what nobody asked for is refused with the nearest known key.

use super::environment::Environment;
use super::yaml::{ConfigError, Key, Mark, Node, Source, Value};
use crate::promote::rules::nearest;

/// What every reader needs: the file to point into, and the environment for `${env:...}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    pub(super) source: &'a Source,
    pub(super) environment: &'a Environment,
}

/// A map that is being read.
#[derive(Debug)]
pub(super) struct Section<'a> {
    reader: Reader<'a>,
    /// Dotted path from the top, empty for the top itself.
    path: String,
    /// Where the map stands.
    mark: Mark,
    /// Whether the file has it at all.
    present: bool,
    members: Vec<(Key, Node)>,
    known: Vec<&'static str>,
}

/// A single value after substitution.
#[derive(Debug)]
pub(super) struct Scalar<'a> {
    reader: Reader<'a>,
    pub(super) path: String,
    pub(super) mark: Mark,
    pub(super) text: String,
}

/// One member of a map whose keys are free: attribute keys, members of a record.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    reader: Reader<'a>,
    /// Of the map.
    above: String,
    key: Key,
    node: Node,
}

impl<'a> Entry<'a> {
    /// Its key, read by `parse`; the error stands at the key.
    pub(super) fn key<T>(&self, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        parse(&self.key).map_err(|why| self.error(format!("`{}`: {why}", self.above)))
    }

    /// An error at the key.
    pub(super) fn error(&self, sentence: impl Into<String>) -> ConfigError {
        self.reader.source.error(self.key.mark, sentence)
    }

    /// Whether its value is a map.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    fn path(&self) -> String {
        format!("{}.{}", self.above, &*self.key)
    }

    /// Its value as a single one.
    pub(super) fn scalar(self) -> Result<Option<Scalar<'a>>, ConfigError> {
        self.reader.scalar(self.path(), self.node)
    }

    /// Its value as a map.
    pub(super) fn section(self) -> Result<Section<'a>, ConfigError> {
        self.reader.map(self.path(), self.node)
    }

    /// Its value as one text or a list of them.
    pub(super) fn texts_or_one(self) -> Result<Vec<Scalar<'a>>, ConfigError> {
        self.reader.texts_or_one(self.path(), self.node)
    }
}

impl<'a> Reader<'a> {
    fn texts_or_one(self, path: String, node: Node) -> Result<Vec<Scalar<'a>>, ConfigError> {
        match node {
            Node { value: Value::List(items), .. } => {
                let numbered = items.into_iter().enumerate();
                numbered.filter_map(|(i, node)| self.scalar(format!("{path}[{i}]"), node).transpose()).collect()
            }
            one => Ok(self.scalar(path, one)?.into_iter().collect()),
        }
    }

    /// The whole file.
    pub(super) fn top(self, root: Node) -> Result<Section<'a>, ConfigError> {
        self.map(String::new(), root)
    }

    fn map(self, path: String, node: Node) -> Result<Section<'a>, ConfigError> {
        let members = match node.value {
            Value::Map(members) => members,
            // `http:` with nothing behind it is how a Collector switches a protocol on with its defaults.
            Value::Null => Vec::new(),
            other => {
                let what = if path.is_empty() { "the configuration" } else { &path };
                return Err(self.source.error(node.mark, format!("`{what}` is a map of keys, and here stands {}", other.kind())));
            }
        };
        Ok(Section { reader: self, path, mark: node.mark, present: true, members, known: Vec::new() })
    }

    fn scalar(self, path: String, node: Node) -> Result<Option<Scalar<'a>>, ConfigError> {
        match node.value {
            Value::Null => Ok(None),
            Value::Scalar(raw) => {
                let text = self.environment.substitute(&raw).map_err(|why| self.source.error(node.mark, format!("`{path}`: {why}")))?;
                Ok(Some(Scalar { reader: self, path, mark: node.mark, text }))
            }
            other => Err(self.source.error(node.mark, format!("`{path}` is a single value, and here stands {}", other.kind()))),
        }
    }
}

impl<'a> Section<'a> {
    /// Where it stands, for sentences about the whole map.
    pub(super) fn error(&self, sentence: impl Into<String>) -> ConfigError {
        self.reader.source.error(self.mark, sentence)
    }

    /// Whether the file names this map.
    pub(super) fn is_present(&self) -> bool {
        self.present
    }

    /// Whether nothing is left that was not asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn below(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn take(&mut self, name: &'static str) -> Option<Node> {
        self.known.push(name);
        let at = self.members.iter().position(|(key, _)| &**key == name)?;
        Some(self.members.remove(at).1)
    }

    /// A map below this one; an empty one where the file has none.
    pub(super) fn section(&mut self, name: &'static str) -> Result<Section<'a>, ConfigError> {
        let path = self.below(name);
        match self.take(name) {
            Some(node) => self.reader.map(path, node),
            None => {
                Ok(Section { reader: self.reader, path, mark: Mark::default(), present: false, members: Vec::new(), known: Vec::new() })
            }
        }
    }

    /// A single value, substituted.
    pub(super) fn scalar(&mut self, name: &'static str) -> Result<Option<Scalar<'a>>, ConfigError> {
        let path = self.below(name);
        match self.take(name) {
            Some(node) => self.reader.scalar(path, node),
            None => Ok(None),
        }
    }

    /// A value read by `parse`, or `default`.
    pub(super) fn value<T>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        self.optional(name, parse).map(|v| v.unwrap_or(default))
    }

    /// A value read by `parse`, if the file has it.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        self.scalar(name)?.map(|scalar| scalar.parse(parse)).transpose()
    }

    /// Text that is not empty, if the file has it.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, ConfigError> {
        self.optional(name, |text| if text.is_empty() { Err("empty".to_owned()) } else { Ok(text.to_owned()) })
    }

    /// A truth value.
    pub(super) fn flag(&mut self, name: &'static str, default: bool) -> Result<bool, ConfigError> {
        self.value(name, default, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(format!("`{text}` is neither true nor false")),
        })
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, name: &'static str, default: T, words: &[(&str, T)]) -> Result<T, ConfigError> {
        self.value(name, default, |text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
                let known: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
                format!("`{text}` is not one of {}", known.join(", "))
            })
        })
    }

    /// A list of single values, if the file has it.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Option<Vec<Scalar<'a>>>, ConfigError> {
        let path = self.below(name);
        let Some(items) = self.list(name)? else { return Ok(None) };
        let numbered = items.into_iter().enumerate();
        let scalars = numbered.filter_map(|(i, node)| self.reader.scalar(format!("{path}[{i}]"), node).transpose());
        scalars.collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// One text, or a list of them; empty where the file has none.
    pub(super) fn texts_or_one(&mut self, name: &'static str) -> Result<Vec<Scalar<'a>>, ConfigError> {
        let path = self.below(name);
        self.take(name).map_or(Ok(Vec::new()), |node| self.reader.texts_or_one(path, node))
    }

    /// The members of a map whose keys are free.
    pub(super) fn entries(&mut self, name: &'static str) -> Result<Vec<Entry<'a>>, ConfigError> {
        let inner = self.section(name)?;
        let Section { reader, path, members, .. } = inner;
        Ok(members.into_iter().map(|(key, node)| Entry { reader, above: path.clone(), key, node }).collect())
    }

    /// A list of maps, in which `- word` stands for a map with nothing but this word under `key`; empty where the file has none.
    pub(super) fn named_sections(&mut self, name: &'static str, key: &str) -> Result<Vec<Section<'a>>, ConfigError> {
        let path = self.below(name);
        let items = self.list(name)?.unwrap_or_default().into_iter().enumerate();
        let section = |(i, node): (usize, Node)| {
            let node = match node {
                Node { mark, value: value @ Value::Scalar(_) } => {
                    let key = Key { name: key.to_owned(), mark };
                    Node { mark, value: Value::Map(vec![(key, Node { mark, value })]) }
                }
                node => node,
            };
            self.reader.map(format!("{path}[{i}]"), node)
        };
        items.map(section).collect()
    }

    /// A list of maps, if the file has it.
    pub(super) fn sections(&mut self, name: &'static str) -> Result<Option<Vec<Section<'a>>>, ConfigError> {
        let path = self.below(name);
        let Some(items) = self.list(name)? else { return Ok(None) };
        let numbered = items.into_iter().enumerate();
        numbered.map(|(i, node)| self.reader.map(format!("{path}[{i}]"), node)).collect::<Result<Vec<_>, _>>().map(Some)
    }

    fn list(&mut self, name: &'static str) -> Result<Option<Vec<Node>>, ConfigError> {
        let path = self.below(name);
        match self.take(name) {
            None => Ok(None),
            Some(Node { value: Value::Null, .. }) => Ok(None),
            Some(Node { value: Value::List(items), .. }) => Ok(Some(items)),
            Some(Node { mark, value }) => {
                Err(self.reader.source.error(mark, format!("`{path}` is a list, and here stands {}", value.kind())))
            }
        }
    }

    /// A key of the format whose work is not in this version: absent, null and empty pass, everything else is refused.
    pub(super) fn comes_later(&mut self, name: &'static str, sentence: &str) -> Result<(), ConfigError> {
        let path = self.below(name);
        match self.take(name) {
            None | Some(Node { value: Value::Null, .. }) => Ok(()),
            Some(Node { value: Value::List(items), .. }) if items.is_empty() => Ok(()),
            Some(Node { value: Value::Map(members), .. }) if members.is_empty() => Ok(()),
            Some(Node { mark, .. }) => Err(self.reader.source.error(mark, format!("`{path}` comes later: {sentence}"))),
        }
    }

    /// Refuses what nobody asked for.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        let Some((key, _)) = self.members.first() else { return Ok(()) };
        let place = if self.path.is_empty() { "at the top".to_owned() } else { format!("in `{}`", self.path) };
        let mut sentence = format!("unknown key `{}` {place}", &**key);
        if !self.known.is_empty() {
            sentence.push_str(&format!("; the nearest known key is `{}`", nearest(key, self.known.iter().copied())));
        }
        Err(self.reader.source.error(key.mark, sentence))
    }
}

impl Scalar<'_> {
    /// Reads it; the error names key and place.
    pub(super) fn parse<T>(&self, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        parse(&self.text).map_err(|why| self.error(format!("`{}`: {why}", self.path)))
    }

    /// An error at this value.
    pub(super) fn error(&self, sentence: impl Into<String>) -> ConfigError {
        self.reader.source.error(self.mark, sentence)
    }

    /// An error inside this value, `offset` bytes from its beginning.
    pub(super) fn error_inside(&self, offset: usize, sentence: impl Into<String>) -> ConfigError {
        self.reader.source.error(self.reader.source.inside(self.mark, &self.text, offset), sentence)
    }
}
