//! What would be promoted, said in the words of the OpenTelemetry Collector (OTTL conditions), for `spanseal collector filter`.
//!
//! Everything comes from what promotion itself decides by: the lists of `detect`, the enabled dialects, the operator's rules. A condition
//! never says less than promotion does: where OTTL cannot ask what a rule asks, the condition asks less and so passes more, and
//! [`Filter::wider`] says so. None of the conditions can fail on any value, because a filter that fails lets something happen that nobody
//! wrote down.
//!
//! What the conditions rest on (OTTL of Collector 0.146 to 0.152, `pkg/ottl`): `Keys` gives the keys of a map as a list, which `IsMatch` sees
//! as JSON, so that one expression looks at all keys at once; `IsMatch` of a value that is not there is false; `IsString` and its like never
//! fail; comparing values of two types is false.
//!
//! Asking all keys at once is dear, because the list is written as JSON for each span and such an expression gets the slowest way of the
//! Collector's engine. Who can run statements asks key by key instead ([`Keys::one`]): a quarter of it for a span without AI, some 2 CPU
//! microseconds more for one with many keys that are AI, because each of them is read to its end.
//!
//! KNOWN GAP: a rule's `match.has` is still asked of all keys at once, some 3 CPU microseconds for each span that meets the rest of the rule:
//! nothing quick can tell a key without a value from no key.
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
    /// Attribute keys, of spans and logs alike, that suffice whatever their value is; `None` where there are none.
    pub keys: Option<Keys>,
    /// Of a span itself, besides its keys.
    pub spans: Vec<String>,
    /// Of one of its events: the span is promoted then.
    pub events: Vec<String>,
    /// Of a log record, besides its keys.
    pub logs: Vec<String>,
    /// What passes although it may not be promoted: rule and reason, in sentences.
    pub wider: Vec<String>,
}

/// One question about attribute keys, in the two forms in which OTTL can ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// A literal of an expression that a single key matches, from its begin to its end.
    pub one: String,
    /// A literal of an expression for all keys at once, as [`Keys::condition`] has them.
    listed: String,
}

impl Keys {
    /// Whether these attributes (a path of OTTL) have such a key, as a condition.
    pub fn condition(&self, attributes: &str) -> String {
        format!("IsMatch(Keys({attributes}), {})", self.listed)
    }
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
        self.keys = keys(enabled);
        for (conditions, attributes) in [(&mut self.spans, "span.attributes"), (&mut self.logs, "log.attributes")] {
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
        parts.extend(rule.attributes.iter().map(|(key, value)| is_value(attributes, key, value)));
        // Last, because it is dear.
        let keys = rule.has.iter().map(|key| format!("\"{}\"", quoted(&json(key.text()))));
        parts.extend(keys.map(|key| is_match(&format!("Keys({attributes})"), &key)));
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

/// Beginnings and whole keys that prove something by themselves.
fn keys(enabled: Dialects) -> Option<Keys> {
    let prefixes: Vec<&str> = detect::PREFIXES.iter().filter(|(_, dialect)| enabled.has(*dialect)).map(|(prefix, _)| *prefix).collect();
    let rows = detect::ROWS.iter().filter(|(_, proof)| matches!(proof, Proof::Yes(dialect) if enabled.has(*dialect))).map(|(key, _)| *key);
    let whole = rows.chain(enabled.has(Dialect::VercelAi).then_some(detect::VERCEL_OPERATION_ID));
    let whole: Vec<&str> = whole.filter(|key| !prefixes.iter().any(|prefix| key.starts_with(prefix))).collect();
    // In a list a quote opens a key or (before a comma) closes one. One inside of a key stands behind a backslash and passes for one that
    // opens, so a key with a quote before such a beginning counts, too.
    let listed = in_order(&prefixes, "", &whole, "\"").map(|all| literal(&format!("\"{all}")))?;
    let one = one_of(&prefixes, &whole).map(|one| literal(&one))?;
    Some(Keys { one, listed })
}

/// An expression that a whole text matches, which begins like one of these or is one of those. Go's engine (`regexp`, "onepass") decides at
/// each character without ever going back, if the expression is held at both ends, if no alternative begins with another, and below 1000
/// instructions: the quickest of its ways.
fn one_of(prefixes: &[&str], whole: &[&str]) -> Option<String> {
    // `s`: a dot is any character, line ends too.
    in_order(prefixes, ".*", whole, "").map(|all| format!("(?s)^{all}\\z"))
}

/// Alternatives, and what stands behind those that begin and those that are whole. In order, because Go's engine looks once at what
/// neighbours have in common.
fn in_order(prefixes: &[&str], behind: &str, whole: &[&str], end: &str) -> Option<String> {
    let prefixes = prefixes.iter().map(|prefix| format!("{}{behind}", quoted(prefix)));
    let mut all: Vec<String> = prefixes.chain(whole.iter().map(|key| format!("{}{end}", quoted(key)))).collect();
    all.sort();
    (!all.is_empty()).then(|| any_of(all.into_iter()))
}

/// Beginnings of event names, those of coding agents' logs among them or not.
fn names_regex(enabled: Dialects, logs: bool) -> Option<String> {
    let agents = detect::AGENT_EVENTS.iter().filter(|_| logs);
    let prefixes = detect::PREFIXES.iter().chain(agents).filter(|(_, dialect)| enabled.has(*dialect)).map(|(prefix, _)| *prefix);
    let whole: &[&str] = if enabled.has(Dialect::VercelAi) { &[detect::VERCEL_OPERATION_ID] } else { &[] };
    one_of(&prefixes.collect::<Vec<_>>(), whole)
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
        let keys = filter.keys.unwrap();
        assert_eq!(keys.condition("span.attributes"), r#"IsMatch(Keys(span.attributes), "\"(?:llm\\.|openinference\\.)")"#);
        assert_eq!(keys.one, r#""(?s)^(?:llm\\..*|openinference\\..*)\\z""#);
        assert_eq!(filter.events, [r#"IsMatch(spanevent.name, "(?s)^(?:llm\\..*|openinference\\..*)\\z")"#]);
        assert!(filter.spans.is_empty(), "{:?}", filter.spans);
        assert!(Filter::new(&["open_inference".to_owned()], &[]).unwrap_err().contains("did you mean"));
        let codex = Filter::new(&["codex".to_owned()], &[]).unwrap();
        assert!(codex.keys.is_none() && codex.spans.is_empty() && codex.events.is_empty() && codex.logs.len() == 3, "{codex:?}");
    }

    /// What the Collector's quickest engine asks of an expression, all dialects enabled: no alternative begins with another, and it is short.
    #[test]
    fn keys_and_names_are_decided_without_going_back() {
        let all = Dialects::ALL;
        let names = [false, true].map(|logs| literal(&names_regex(all, logs).unwrap()));
        for expression in [keys(all).unwrap().one].iter().chain(&names) {
            let inner = expression.strip_prefix("\"(?s)^(?:").and_then(|rest| rest.strip_suffix(")\\\\z\"")).unwrap();
            let alternatives: Vec<&str> = inner.split('|').map(|one| one.trim_end_matches(".*")).collect();
            for (at, one) in alternatives.iter().enumerate() {
                let twice = alternatives.iter().enumerate().find(|(other, begin)| *other != at && one.starts_with(**begin));
                assert_eq!(twice, None, "{one} begins with another");
            }
            // An instruction a character, two for what follows a beginning, and one where ways part.
            let instructions = inner.replace('\\', "").len() + 3 * alternatives.len();
            assert!(instructions < 1000, "{instructions}");
        }
    }
}
