//! Statements and conditions of the Collector's language (OTTL), read as far as the check asks: a function, what it is given, and when it runs.
//!
//! Nothing is evaluated. What is no statement of this form the Collector refuses itself.

use std::collections::BTreeSet;

/// The smallest parts of a text: a word with its dots, a string with its quotes, a sign.
type Part = String;

/// `function(argument, argument) where condition`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) function: String,
    /// By the names of what they are for, in their parts.
    arguments: Vec<(&'static str, Vec<Part>)>,
    condition: Option<Condition>,
}

/// When a statement runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition(Vec<Part>);

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// What never leaves the processor.
    Cache,
    /// All attributes of something.
    Attributes,
    /// One attribute.
    Attribute(String),
    /// Something in one attribute.
    Within(String),
    /// The body of a log.
    Body,
    /// Something in the body of a log.
    WithinBody,
    /// What else a record says of its span, log or scope.
    Field,
    /// Anything else, or a key that is not written out.
    Other,
}

/// What functions are given, in the language's order. Whoever names what is given may choose another.
const PARAMETERS: [(&str, &[&str]); 17] = [
    ("set", &[TARGET, "value"]),
    ("append", &[TARGET, "value", "values"]),
    ("merge_maps", &[TARGET, "source", "strategy"]),
    ("flatten", &[TARGET, "prefix", "depth", "resolve_conflicts"]),
    ("delete_key", &[TARGET, "key"]),
    ("delete_keys", &[TARGET, "keys"]),
    ("delete_index", &[TARGET, "start_index", "end_index"]),
    ("delete_matching_keys", &[TARGET, "pattern"]),
    ("keep_keys", &[TARGET, "keys"]),
    ("keep_matching_keys", &[TARGET, "pattern"]),
    ("limit", &[TARGET, "limit", "priority_keys"]),
    ("truncate_all", &[TARGET, "limit", "utf8_safe"]),
    ("replace_match", &[TARGET, "pattern", "replacement", "function", "replacement_format"]),
    ("replace_all_matches", &[TARGET, "pattern", "replacement", "function", "replacement_format"]),
    ("replace_pattern", &[TARGET, "regex_pattern", "replacement", "function", "replacement_format"]),
    ("replace_all_patterns", &[TARGET, "mode", "regex_pattern", "replacement", "function", "replacement_format"]),
    ("set_semconv_span_name", &["semconv_version", "original_span_name_attribute"]),
];

/// What every function that writes to a path calls it.
const TARGET: &str = "target";

impl Statement {
    /// `None` for what is no call, and for one that is given something of which is not known what it is for.
    pub(super) fn read(text: &str) -> Option<Statement> {
        let parts = parts(text);
        let (function, rest) = parts.split_first()?;
        if !is_word(function) || rest.first().is_none_or(|open| open != "(") {
            return None;
        }
        let close = closing(rest)?;
        let arguments = named(function, between(rest.get(1..close)?, ","))?;
        let condition = match rest.get(close.saturating_add(1)..)?.split_first() {
            None => None,
            Some((word, condition)) if word == "where" => Some(Condition(condition.to_vec())),
            Some(_) => return None,
        };
        Some(Statement { function: function.clone(), arguments, condition })
    }

    /// What an argument of this name is.
    fn given(&self, name: &str) -> Option<&[Part]> {
        self.arguments.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_slice())
    }

    /// The path that it writes to, as it was written: what stands in another function's brackets is left away, and what is no path.
    pub(super) fn path(&self) -> String {
        let path = self.given(TARGET).filter(|path| path.first().is_some_and(|word| is_word(word))).unwrap_or_default();
        path.split(|part| part == "(").next().unwrap_or_default().concat()
    }

    /// What that is.
    pub(super) fn target(&self) -> Target {
        target(self.given(TARGET).unwrap_or_default())
    }

    /// An argument that is one string, without its quotes.
    pub(super) fn string(&self, name: &str) -> Option<String> {
        match self.given(name)? {
            [one] => unquoted(one),
            _ => None,
        }
    }

    /// An argument that is a string or a list of strings, without their quotes.
    pub(super) fn strings(&self, name: &str) -> Option<Vec<String>> {
        match self.given(name)? {
            [one] => Some(vec![unquoted(one)?]),
            [open, inner @ .., close] if open == "[" && close == "]" => between(inner, ",")
                .into_iter()
                .map(|item| match item {
                    [one] => unquoted(one),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }

    /// Whether it runs under a condition of its own.
    pub(super) fn is_conditional(&self) -> bool {
        self.condition.is_some()
    }

    /// Whether it runs whatever comes.
    pub(super) fn runs_always(&self) -> bool {
        self.condition.as_ref().is_none_or(|condition| condition.0 == ["true"])
    }

    /// Whether it sets nothing at all.
    pub(super) fn sets_nil(&self) -> bool {
        self.function == "set" && self.given("value").is_some_and(|value| value == ["nil"])
    }

    /// Whether it leaves alone what is there: it runs only where the path that it writes to is nil, by its own condition or by those of its group.
    pub(super) fn leaves_what_is_there(&self, group: &Absent) -> bool {
        let Some(path) = self.given(TARGET) else { return false };
        let is_field = matches!(self.target(), Target::Field | Target::Body);
        group.has(path, is_field) || self.condition.as_ref().is_some_and(|condition| condition.absent().has(path, is_field))
    }
}

impl Condition {
    pub(super) fn read(text: &str) -> Condition {
        Condition(parts(text))
    }

    /// What is absent wherever it holds.
    fn absent(&self) -> Absent {
        absent(&self.0, true, DEPTH_MAX)
    }
}

/// Paths that lead to nothing wherever something holds. Many statements of a group ask for theirs, so it is found out once.
#[derive(Clone, Debug, Default)]
pub(super) struct Absent {
    nil: BTreeSet<Vec<Part>>,
    /// These, and those that lead to the empty text, which a field has that nobody set.
    empty: BTreeSet<Vec<Part>>,
}

impl Absent {
    /// Wherever a group runs: of several conditions one is enough.
    pub(super) fn of_group(conditions: &[Condition]) -> Absent {
        Absent::of_any(conditions.iter().map(Condition::absent))
    }

    fn has(&self, path: &[Part], is_field: bool) -> bool {
        if is_field { self.empty.contains(path) } else { self.nil.contains(path) }
    }

    /// Where one of these holds, and nobody knows which.
    fn of_any(mut ways: impl Iterator<Item = Absent>) -> Absent {
        let first = ways.next().unwrap_or_default();
        ways.fold(first, |mut all, way| {
            all.nil.retain(|path| way.nil.contains(path));
            all.empty.retain(|path| way.empty.contains(path));
            all
        })
    }

    /// Where all of these hold.
    fn of_all(terms: impl Iterator<Item = Absent>) -> Absent {
        terms.fold(Absent::default(), |mut all, term| {
            all.nil.extend(term.nil);
            all.empty.extend(term.empty);
            all
        })
    }
}

/// Brackets around brackets that are looked into; what is deeper says nothing.
const DEPTH_MAX: u8 = 16;

/// What is absent where a condition holds, or where it does not. `and` binds closer than `or`.
fn absent(condition: &[Part], holds: bool, depth: u8) -> Absent {
    let ways = between(condition, "or").into_iter().map(|way| {
        let terms = between(way, "and").into_iter().map(|term| absent_by_term(term, holds, depth));
        if holds { Absent::of_all(terms) } else { Absent::of_any(terms) }
    });
    if holds { Absent::of_any(ways) } else { Absent::of_all(ways) }
}

fn absent_by_term(term: &[Part], holds: bool, depth: u8) -> Absent {
    match term {
        [not, rest @ ..] if not == "not" && rest.first().is_some_and(|next| next != "not") => return absent_by_term(rest, !holds, depth),
        _ => {}
    }
    if let Some(inner) = bracketed(term) {
        return depth.checked_sub(1).map(|depth| absent(inner, holds, depth)).unwrap_or_default();
    }
    let sides = between(term, if holds { "==" } else { "!=" });
    let sides: Vec<&[Part]> = sides.iter().map(|side| without_brackets(side)).collect();
    let says = |path: &[Part], value: &[Part]| {
        let is = |text: &str| matches!(value, [one] if one == text);
        let paths = |is_so: bool| if is_so { BTreeSet::from([path.to_vec()]) } else { BTreeSet::new() };
        Absent { nil: paths(is("nil")), empty: paths(is("nil") || is("\"\"")) }
    };
    match sides.as_slice() {
        [one, other] => Absent::of_all([says(one, other), says(other, one)].into_iter()),
        _ => Absent::default(),
    }
}

/// What stands in the brackets that are around all of it.
fn bracketed(parts: &[Part]) -> Option<&[Part]> {
    match parts {
        [open, inner @ .., last] if open == "(" && last == ")" && closing(parts) == parts.len().checked_sub(1) => Some(inner),
        _ => None,
    }
}

/// `(span.name)` is as good as the path alone.
fn without_brackets(side: &[Part]) -> &[Part] {
    (0..DEPTH_MAX).try_fold(side, |side, _| bracketed(side).ok_or(side)).unwrap_or_else(|side| side)
}

/// Where the bracket ends that the parts begin with.
fn closing(parts: &[Part]) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, part) in parts.iter().enumerate() {
        match part.as_str() {
            "(" | "[" | "{" => depth = depth.saturating_add(1),
            ")" | "]" | "}" => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// What stands between these, outside of brackets; of nothing, nothing.
fn between<'p>(parts: &'p [Part], divider: &str) -> Vec<&'p [Part]> {
    let mut depth = 0_usize;
    let pieces = parts.split(|part| {
        match part.as_str() {
            "(" | "[" | "{" => depth = depth.saturating_add(1),
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && part == divider
    });
    if parts.is_empty() { Vec::new() } else { pieces.collect() }
}

/// What each argument is for: by its name, and before the first that has one by its place. `None` where something is for nothing that is known, or
/// two are for the same. Of a function that is not known here, what it writes to.
fn named(function: &str, arguments: Vec<&[Part]>) -> Option<Vec<(&'static str, Vec<Part>)>> {
    let named = |argument: &[Part]| match argument {
        [name, is, value @ ..] if is == "=" && is_word(name) => Some((plain(name), value.to_vec())),
        _ => None,
    };
    let Some((_, parameters)) = PARAMETERS.iter().find(|(known, _)| *known == function) else {
        let target = arguments.iter().find_map(|argument| named(argument).filter(|(name, _)| name == TARGET));
        let first = || arguments.first().filter(|argument| named(argument).is_none()).map(|argument| argument.to_vec());
        return Some(target.map(|(_, value)| value).or_else(first).map(|target| (TARGET, target)).into_iter().collect());
    };
    let (mut all, mut has_names): (Vec<(&'static str, Vec<Part>)>, bool) = (Vec::new(), false);
    for (at, argument) in arguments.into_iter().enumerate() {
        let (name, value) = match named(argument) {
            Some((name, value)) => {
                has_names = true;
                (*parameters.iter().find(|parameter| plain(parameter) == name)?, value)
            }
            // The Collector refuses what has no name behind something that has one.
            None if has_names => return None,
            None => (*parameters.get(at)?, argument.to_vec()),
        };
        if all.iter().any(|(known, _)| *known == name) {
            return None;
        }
        all.push((name, value));
    }
    Some(all)
}

/// A name as the Collector compares it, or nearly: `priorityKeys` is `priority_keys`.
fn plain(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

fn target(path: &[Part]) -> Target {
    const CONTEXTS: [&str; 6] = ["span.", "spanevent.", "log.", "resource.", "scope.", "instrumentation_scope."];
    const FIELDS: [&str; 17] = [
        "trace_id",
        "span_id",
        "parent_span_id",
        "name",
        "version",
        "kind",
        "status",
        "event_name",
        "start_time",
        "end_time",
        "time",
        "observed_time",
        "events",
        "links",
        "dropped_attributes_count",
        "dropped_events_count",
        "dropped_links_count",
    ];
    let Some((word, below)) = path.split_first() else { return Target::Other };
    let word = CONTEXTS.iter().find_map(|context| word.strip_prefix(context)).unwrap_or(word);
    match (word, below) {
        ("cache", _) => Target::Cache,
        ("attributes", []) => Target::Attributes,
        ("attributes", [open, key, close, deeper @ ..]) if open == "[" && close == "]" => match unquoted(key) {
            Some(key) if deeper.is_empty() => Target::Attribute(key),
            Some(key) => Target::Within(key),
            None => Target::Other,
        },
        ("body" | "body.string", []) => Target::Body,
        ("body", _) => Target::WithinBody,
        _ => {
            let field = word.split('.').next().unwrap_or_default();
            let field = field.strip_suffix("_unix_nano").unwrap_or(field);
            if FIELDS.contains(&field) { Target::Field } else { Target::Other }
        }
    }
}

fn is_word(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// The text of a string, as the language reads it, where it needs no more than that.
fn unquoted(part: &str) -> Option<String> {
    let inner = part.strip_prefix('"')?.strip_suffix('"')?;
    let (mut text, mut chars) = (String::new(), inner.chars());
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some(escaped @ ('"' | '\\'))) => text.push(escaped),
            // A sign by its number: nobody writes keys so.
            ('\\', _) => return None,
            _ => text.push(c),
        }
    }
    Some(text)
}

fn parts(text: &str) -> Vec<Part> {
    let (mut parts, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            _ if is_of_word(first) => rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len()),
            '=' | '!' | '<' | '>' if rest.get(1..).is_some_and(|behind| behind.starts_with('=')) => 2,
            _ => first.len_utf8(),
        };
        let (part, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
        parts.push(part.to_owned());
        rest = behind.trim_start();
    }
    parts
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.')
}

/// Bytes of the string that a text begins with; of one that is not closed, all.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at.saturating_add(1),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_taken_apart() {
        let read = |text: &str| Statement::read(text).unwrap_or_else(|| panic!("{text}"));
        let set = read("set( span.attributes[\"a, \\\" where b)\"] ,\n Concat([\"x\", \"y\"], \",\")) where span.kind == 3");
        assert_eq!((set.function.as_str(), set.arguments.len(), set.is_conditional()), ("set", 2, true));
        assert_eq!(
            (set.path().as_str(), set.target()),
            ("span.attributes[\"a, \\\" where b)\"]", Target::Attribute("a, \" where b)".to_owned()))
        );
        let keys = read("delete_keys(target=resource.attributes, keys=[\"a\", \"b\"])");
        assert_eq!((keys.target(), keys.strings("keys")), (Target::Attributes, Some(vec!["a".to_owned(), "b".to_owned()])));
        assert_eq!(read("limit(attributes, 1, [])").strings("priority_keys"), Some(Vec::new()));
        assert_eq!(read("delete_keys(attributes, [a, \"b\"])").strings("keys"), None);
        assert_eq!(read("merge_maps(cache, attributes, \"insert\")").string("strategy").as_deref(), Some("insert"));
        assert_eq!(read("set(attributes[\"a\"][\"b\"], 1)").target(), Target::Within("a".to_owned()));
        assert_eq!(read("set(attributes[Concat([\"a\"], \"\")], 1)").path(), "attributes[Concat");
        for (path, target) in [
            ("span.cache[\"a\"]", Target::Cache),
            ("cache", Target::Cache),
            ("span.attributes[Concat([\"a\"], \"\")]", Target::Other),
            ("end_time_unix_nano", Target::Field),
            ("body.string", Target::Body),
            ("log.body", Target::Body),
            ("log.body[\"a\"]", Target::WithinBody),
            ("log.body[0][\"a\"]", Target::WithinBody),
            ("log.trace_id.string", Target::Field),
            ("scope.name", Target::Field),
            ("span.cached", Target::Other),
        ] {
            assert_eq!(read(&format!("set({path}, 1)")).target(), target, "{path}");
        }
        // What nobody writes says nothing.
        let leaves = |conditions: &[&str]| {
            let conditions: Vec<Condition> = conditions.iter().map(|text| Condition::read(text)).collect();
            read("set(span.name, 1)").leaves_what_is_there(&Absent::of_group(&conditions))
        };
        let nested = |open: &str, depth: usize| leaves(&[&format!("{}span.name == nil{}", open.repeat(depth), ")".repeat(depth))]);
        assert_eq!([1, 16, 17, 10_000].map(|depth| nested("(", depth)), [true, true, false, false]);
        assert_eq!([2, 16, 18].map(|depth| nested("not (", depth)), [true, true, false]);
        let side = |depth: usize| leaves(&[&format!("nil == {}span.name{}", "(".repeat(depth), ")".repeat(depth))]);
        assert_eq!([1, 16, 17, 10_000].map(side), [true, true, false, false]);
        assert!(leaves(&[&format!("{}span.name == nil", "true and ".repeat(50_000))]));
        assert_eq!([0, 1, 1000].map(|count| leaves(&vec!["span.name == nil"; count])), [false, true, true]);
        assert!(!leaves(&["span.name == nil", "true"]) && leaves(&["span.name == nil", "span.name == \"\""]));
        assert!(!leaves(&["not not span.name == nil"]) && !leaves(&["not"]) && !leaves(&["span.name == nil == nil"]));
        // By names in any order, of functions that are not known, too.
        let merge = read("merge_maps(strategy=\"upsert\", source=span.cache, target = span.attributes)");
        assert_eq!((merge.target(), merge.string("strategy").as_deref()), (Target::Attributes, Some("upsert")));
        assert_eq!(read("mystery(a=1, target=span.name)").target(), Target::Field);
        assert_eq!(read("mystery(a=span.name)").target(), Target::Other);
        assert_eq!(read("mystery(\"hush\", 1)").path(), "");
        for no_statement in [
            "",
            "span",
            "where x",
            "set(a",
            "set(a) or b",
            "\"a\"(b)",
            "set)a(",
            "\u{e9}(\"",
            "set(a, target=b)",
            "set(value=a, b)",
            "set(a, b, c)",
            "set(a, worth=b)",
        ] {
            assert_eq!(Statement::read(no_statement), None, "{no_statement}");
        }
    }
}
