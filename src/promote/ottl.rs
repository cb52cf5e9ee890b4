//! What would be promoted, said in the words of the OpenTelemetry Collector (OTTL conditions), for `spanseal collector filter`.
//!
//! Everything comes from what promotion itself decides by: the lists of `detect`, the enabled dialects, the operator's rules. A condition
//! never says less than promotion does: where OTTL cannot ask what a rule asks, the condition asks less and so passes more, and
//! [`Filter::wider`] says so. None of the conditions can fail on any value, because a filter that fails lets something happen that nobody
//! wrote down.
//!
//! What the conditions rest on (OTTL of Collector 0.152, `pkg/ottl`): `Keys` gives the keys of a map as a list, which `IsMatch` sees as
//! JSON, so that one expression looks at all keys at once; `IsMatch` of a value that is not there is false; `IsString` and its like never
//! fail; comparing values of two types is false.
//!
//! KNOWN GAP: what is asked of all keys costs the Collector some 12 CPU microseconds a span without AI (`cargo bench -- collector`): the list is
//! written as JSON for each span, and beyond 500 instructions of an expression its engine has only a slow way.
//!
//! KNOWN GAP: of an attribute that is sent twice on one span, promotion looks at every occurrence, OTTL at the first. Only the keys that
//! prove something by their value are concerned, and OTLP forbids sending a key twice.

use super::detect::{self, Asks, Proof};
use super::dialects::coding_agents::{BARE_EVENTS, CLAUDE_CODE_NAME, SCOPES};
use super::dialects::{Dialect, Dialects};
use super::finish::Signal;
use super::rules::{Expected, Key, Pattern, Rule};

/// Conditions of which one has to hold for a span, span event or log to be promoted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of a span itself.
    pub spans: Vec<String>,
    /// Of one of its events: the span is promoted then.
    pub events: Vec<String>,
    /// Of a log record.
    pub logs: Vec<String>,
    /// What passes although it may not be promoted: rule and reason, in sentences.
    pub wider: Vec<String>,
}

impl Filter {
    /// The conditions for what these dialects (ids, none for all) and rules promote.
    pub fn new(dialects: &[String], rules: &[Rule]) -> Result<Filter, String> {
        let enabled = if dialects.is_empty() { Dialects::ALL } else { Dialects::parse(dialects)? };
        let mut filter = Filter::default();
        filter.add_dialects(enabled);
        for rule in rules.iter().filter(|rule| rule.promote) {
            filter.add_rule(rule);
        }
        Ok(filter)
    }

    fn add_dialects(&mut self, enabled: Dialects) {
        let keys = keys_regex(enabled);
        for (conditions, attributes) in [(&mut self.spans, "span.attributes"), (&mut self.logs, "log.attributes")] {
            conditions.extend(keys.iter().map(|keys| has_key(attributes, keys)));
            conditions.extend(detect::ROWS.iter().filter_map(|(key, proof)| match proof {
                Proof::If(dialect, condition) if enabled.has(*dialect) => Some(value_proves(attributes, key, condition.asks())),
                Proof::If(..) | Proof::Yes(_) | Proof::No => None,
            }));
        }
        let names = names_regex(enabled, false);
        self.events.extend(names.iter().map(|names| is_match("spanevent.name", names)));
        if let Some(names) = names_regex(enabled, true) {
            self.logs.push(is_match("log.event_name", &names));
            self.logs.push(text_matches(r#"log.attributes["event.name"]"#, &names));
        }
        if enabled.has(Dialect::ClaudeCode) {
            let bare = format!("^{}\\z", any_of(BARE_EVENTS.iter().map(|name| quoted(name))));
            let named = [is_match("log.event_name", &bare), text_matches(r#"log.attributes["event.name"]"#, &bare)].join(" or ");
            self.logs.push(format!("({} and ({named}))", is_match("scope.name", &begins(&SCOPES))));
        }
        let agents: Vec<&str> = detect::AGENT_EVENTS.iter().filter(|(_, dialect)| enabled.has(*dialect)).map(|(begin, _)| *begin).collect();
        if !agents.is_empty() {
            self.logs.push(text_matches("log.body", &begins(&agents)));
        }
    }

    fn add_rule(&mut self, rule: &Rule) {
        let mut parts: Vec<String> = rule.resource.iter().map(|(key, value)| is_value("resource.attributes", key, value)).collect();
        parts.extend(rule.scope.as_ref().map(|scope| is_named("scope.name", scope)));
        let (attributes, conditions) = match rule.signal {
            Signal::Span => ("span.attributes", &mut self.spans),
            Signal::SpanEvent => ("spanevent.attributes", &mut self.events),
            Signal::Log => ("log.attributes", &mut self.logs),
        };
        parts.extend(rule.item.as_ref().map(|name| match rule.signal {
            Signal::Span => is_named("span.name", name),
            Signal::SpanEvent => is_named("spanevent.name", name),
            Signal::Log => log_is_named(name),
        }));
        let keys = rule.has.iter().map(|key| format!("\"{}\"", quoted(&json(key.text()))));
        parts.extend(keys.map(|key| has_key(attributes, &key)));
        parts.extend(rule.attributes.iter().map(|(key, value)| is_value(attributes, key, value)));
        conditions.push(if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(" and ")) });

        let name = &rule.name;
        if rule.when.is_some() {
            self.wider.push(format!(
                "rule `{name}`: its condition (`match.when`) cannot be said in OTTL, so whatever meets the rest of its `match` passes"
            ));
        }
        let asked = rule.attributes.iter().chain(&rule.resource);
        for (key, _) in asked {
            self.wider.push(format!("rule `{name}`: where `{}` is a list, it passes whatever is in it", key.text()));
        }
    }
}

/// Beginnings and whole keys that prove something by themselves, as they stand in the JSON list of a map's keys.
fn keys_regex(enabled: Dialects) -> Option<String> {
    let prefixes: Vec<&str> = detect::PREFIXES.iter().filter(|(_, dialect)| enabled.has(*dialect)).map(|(prefix, _)| *prefix).collect();
    let rows = detect::ROWS.iter().filter(|(_, proof)| matches!(proof, Proof::Yes(dialect) if enabled.has(*dialect))).map(|(key, _)| *key);
    let whole = rows.chain(enabled.has(Dialect::VercelAi).then_some(detect::VERCEL_OPERATION_ID));
    let whole = whole.filter(|key| !prefixes.iter().any(|prefix| key.starts_with(prefix)));
    let mut all: Vec<String> = prefixes.iter().map(|prefix| quoted(prefix)).chain(whole.map(|key| format!("{}\"", quoted(key)))).collect();
    // In order, because the Collector's engine looks once at what neighbours have in common: an eighth less work.
    all.sort();
    // A quote inside of a key stands behind a backslash there, so this quote opens a key or (before a comma) closes one.
    (!all.is_empty()).then(|| format!("\"{}", any_of(all.into_iter())))
}

/// Beginnings of event names, those of coding agents' logs among them or not.
fn names_regex(enabled: Dialects, logs: bool) -> Option<String> {
    let agents = detect::AGENT_EVENTS.iter().filter(|_| logs);
    let prefixes = detect::PREFIXES.iter().chain(agents).filter(|(_, dialect)| enabled.has(*dialect)).map(|(prefix, _)| quoted(prefix));
    let whole = enabled.has(Dialect::VercelAi).then(|| format!("{}\\z", quoted(detect::VERCEL_OPERATION_ID)));
    let all: Vec<String> = prefixes.chain(whole).collect();
    (!all.is_empty()).then(|| format!("^{}", any_of(all.into_iter())))
}

/// A key that proves something where its value, or the name of what carries it, says so.
fn value_proves(attributes: &str, key: &str, asks: Asks) -> String {
    let path = format!("{attributes}[{}]", literal(key));
    match asks {
        Asks::OneOf([one]) => format!("{path} == {}", literal(one)),
        Asks::OneOf(texts) => text_matches(&path, &format!("^{}\\z", any_of(texts.iter().map(|text| quoted(text))))),
        Asks::Begins(begin) => text_matches(&path, &begins(&[begin])),
        Asks::Named => {
            let scope = is_match("scope.name", &begins(&SCOPES));
            let named = match attributes {
                "span.attributes" => format!("({scope} or {})", is_match("span.name", &begins(&[CLAUDE_CODE_NAME]))),
                _ => scope,
            };
            format!("(IsString({path}) and {named})")
        }
    }
}

/// What a log's rule means by its name: the event's name in the places where it is put.
fn log_is_named(name: &Pattern) -> String {
    let agents: Vec<&str> = detect::AGENT_EVENTS.iter().map(|(begin, _)| *begin).collect();
    let attribute = r#"log.attributes["event.name"]"#;
    format!(
        "({} or (log.event_name == \"\" and {}) or ({} and {}))",
        is_named("log.event_name", name),
        text_is_like(attribute, name),
        text_matches("log.body", &begins(&agents)),
        text_is_like("log.body", name)
    )
}

/// A value as a rule expects it: texts and booleans by their words, numbers as numbers, and any list.
fn is_value(attributes: &str, key: &Key, expected: &Expected) -> String {
    let path = format!("{attributes}[{}]", literal(key.text()));
    let mut ways = vec![text_is_like(&path, expected.pattern())];
    for flag in [true, false].into_iter().filter(|flag| expected.pattern().matches(flag.to_string().as_bytes())) {
        ways.push(format!("{path} == {flag}"));
    }
    ways.extend(expected.number().map(|number| format!("{path} == {}", number_literal(number))));
    ways.push(format!("IsList({path})"));
    format!("({})", ways.join(" or "))
}

/// A text that is always there.
fn is_named(path: &str, pattern: &Pattern) -> String {
    match pattern.text().contains('*') {
        false => format!("{path} == {}", literal(pattern.text())),
        true => is_match(path, &pattern_regex(pattern)),
    }
}

/// Something that may be no text, or missing.
fn text_is_like(path: &str, pattern: &Pattern) -> String {
    match pattern.text().contains('*') {
        false => format!("{path} == {}", literal(pattern.text())),
        true => text_matches(path, &pattern_regex(pattern)),
    }
}

fn pattern_regex(pattern: &Pattern) -> String {
    let parts: Vec<String> = pattern.text().split('*').map(quoted).collect();
    // `s`: a dot is any character, line ends too.
    format!("(?s)^{}\\z", parts.join(".*"))
}

fn has_key(attributes: &str, regex: &str) -> String {
    is_match(&format!("Keys({attributes})"), regex)
}

fn is_match(path: &str, regex: &str) -> String {
    format!("IsMatch({path}, {})", literal(regex))
}

/// The same of what may be no text: a map or list would be written out as JSON first, which costs and can fail.
fn text_matches(path: &str, regex: &str) -> String {
    format!("(IsString({path}) and {})", is_match(path, regex))
}

fn begins(texts: &[&str]) -> String {
    format!("^{}", any_of(texts.iter().map(|text| quoted(text))))
}

fn any_of(mut all: impl Iterator<Item = String>) -> String {
    let first = all.next().unwrap_or_default();
    let rest: Vec<String> = all.collect();
    if rest.is_empty() { first } else { format!("(?:{first}|{})", rest.join("|")) }
}

/// A text inside a regular expression (RE2's syntax).
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

/// A text as Go writes it in JSON, without the quotes around it.
fn json(text: &str) -> String {
    let mut json = String::new();
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => json.push(c),
        }
    }
    json
}

/// A text as OTTL reads it: a string of Go in double quotes, in ASCII. A dollar sign never stands as itself, because the Collector looks
/// for variables behind it.
fn literal(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '$' => literal.push_str("\\x24"),
            ' '..='~' => literal.push(c),
            _ => literal.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    literal.push('"');
    literal
}

/// A number as OTTL reads it: digits alone are a whole one of 64 bits, others need a point.
fn number_literal(number: f64) -> String {
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < WHOLE_MAX {
        return format!("{number:.0}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_reach_the_collector_as_they_are() {
        assert_eq!(literal("a\"b\\c\n$d\u{e9}"), "\"a\\\"b\\\\c\\U0000000a\\x24d\\U000000e9\"");
        assert_eq!(quoted("a.b*(c)"), "a\\.b\\*\\(c\\)");
        assert_eq!(json("a<b\"c\u{1}"), "a\\u003cb\\\"c\\u0001");
        assert_eq!(
            [0.9, 1.0, -3.0, 1e300, 1e-7].map(number_literal),
            ["9e-1".replace("9e", "9.0e").as_str(), "1", "-3", "1.0e300", "1.0e-7"]
        );
        assert_eq!(number_literal(2.5e17), "2.5e17");
    }

    /// What is switched off is not asked for.
    #[test]
    fn only_enabled_dialects_pass() {
        let filter = Filter::new(&["openinference".to_owned()], &[]).unwrap();
        assert_eq!(filter.spans, ["IsMatch(Keys(span.attributes), \"\\\"(?:llm\\\\.|openinference\\\\.)\")"]);
        assert_eq!(filter.events, ["IsMatch(spanevent.name, \"^(?:llm\\\\.|openinference\\\\.)\")"]);
        assert!(Filter::new(&["open_inference".to_owned()], &[]).unwrap_err().contains("did you mean"));
        let codex = Filter::new(&["codex".to_owned()], &[]).unwrap();
        assert!(codex.spans.is_empty() && codex.events.is_empty() && codex.logs.len() == 3, "{codex:?}");
    }
}
