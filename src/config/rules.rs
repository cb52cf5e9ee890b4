//! `promotion.rules` and `confidence.thresholds`: read with the place of every part at hand, and written back.

use super::section::{Entry, Scalar, Section};
use super::yaml::ConfigError;
use crate::promote::rules::{
    self, Clear, Condition, Constant, EXPRESSION_MAX, Expected, Key, Pattern, RULES_MAX, Rule, Settable, Source, Vocabulary,
};
use crate::promote::{RecordSignal, Scrub, THRESHOLDS_MAX, Threshold};
use crate::record::canonical::Json;

/// Longest name of a rule or threshold, bytes.
const NAME_MAX: usize = 64;

const SIGNALS: [(&str, RecordSignal); 3] =
    [("span", RecordSignal::Span), ("span_event", RecordSignal::SpanEvent), ("log", RecordSignal::Log)];

/// `promotion.rules`
pub(super) fn rules(at: &mut Section<'_>) -> Result<Vec<Rule>, ConfigError> {
    let Some(list) = at.sections("rules")? else { return Ok(Vec::new()) };
    let mut all: Vec<Rule> = Vec::new();
    let mut written: Vec<Vec<Written>> = Vec::new();
    for mut at in list {
        let mut keys = Vec::new();
        let rule = rule(&mut at, &mut keys)?;
        written.push(keys);
        if all.iter().any(|other| other.name == rule.name) {
            return Err(at.error(format!("two rules are called `{}`; a name tells one from the other", rule.name)));
        }
        if all.len() == RULES_MAX {
            return Err(at.error(format!("`promotion.rules` has more than {RULES_MAX} rules")));
        }
        rule.check().map_err(|why| at.error(format!("rule `{}` {why}", rule.name)))?;
        all.push(rule);
        at.finish()?;
    }
    match rules::exposed(&all, &[]) {
        None => Ok(all),
        Some(exposed) => {
            let (rule, into) = match exposed.by {
                Clear::Member { rule, path } => (Some(rule), Some(path)),
                Clear::Kept { rule } => (Some(rule), None),
                Clear::KeptForAll => (None, None),
            };
            let keys = rule.and_then(|rule| written.get(rule)).map(Vec::as_slice).unwrap_or_default();
            let at = keys.iter().find(|at| at.key == exposed.key && at.into == into).map(|at| &at.error);
            let sentence = exposed.sentence();
            Err(at.map_or_else(
                || ConfigError::new(&sentence),
                |at| ConfigError { sentence: format!("{}: {sentence}", at.sentence), ..at.clone() },
            ))
        }
    }
}

/// Where a rule names an attribute that goes into the record.
struct Written {
    key: String,
    /// The member, or `attributes`.
    into: Option<&'static str>,
    /// The place, with the path as its sentence.
    error: ConfigError,
}

impl Written {
    fn new(scalar: &Scalar<'_>, into: Option<&'static str>) -> Written {
        Written { key: scalar.text.clone(), into, error: scalar.error(format!("`{}`", scalar.path)) }
    }
}

fn rule(at: &mut Section<'_>, written: &mut Vec<Written>) -> Result<Rule, ConfigError> {
    let name = at.optional("name", name)?.ok_or_else(|| at.error("a rule needs a `name`, by which messages speak of it"))?;
    let mut inner = at.section("match")?;
    let mut rule = Rule {
        name,
        signal: inner.word("signal", RecordSignal::Span, &SIGNALS)?,
        scope: inner.optional("scope", Pattern::parse)?,
        item: inner.optional("name", Pattern::parse)?,
        resource: expected(&mut inner, "resource")?,
        has: keys(&mut inner, "has", Key::parse, &mut Vec::new())?,
        attributes: expected(&mut inner, "attributes")?,
        when: inner.scalar("when")?.map(|scalar| condition(&scalar, Vocabulary::Telemetry)).transpose()?,
        promote: at.flag("promote", true)?,
        kind: at.optional("kind", rules::kind)?,
        from: at.entries("from")?.into_iter().map(|entry| source(entry, written)).collect::<Result<_, _>>()?,
        set: at.entries("set")?.into_iter().map(constant).collect::<Result<_, _>>()?,
        keep: keys(at, "keep", Key::kept, written)?,
        drop: keys(at, "drop", Key::parse, &mut Vec::new())?,
    };
    inner.finish()?;
    // The order of a map says nothing either.
    rule.from.sort_by_key(|source| source.target().path());
    rule.set.sort_by_key(|constant| constant.target().path());
    Ok(rule)
}

pub(super) fn name(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("empty".to_owned()),
        n if n > NAME_MAX => Err(format!("longer than {NAME_MAX} bytes")),
        _ => Ok(text.to_owned()),
    }
}

/// Keys in any order: it says nothing, so it must not change the hash of the configuration.
fn keys(
    at: &mut Section<'_>,
    name: &'static str,
    parse: fn(&str) -> Result<Key, String>,
    written: &mut Vec<Written>,
) -> Result<Vec<Key>, ConfigError> {
    let texts = at.texts(name)?.unwrap_or_default();
    written.extend(texts.iter().map(|scalar| Written::new(scalar, None)));
    let mut all: Vec<Key> = texts.iter().map(|s| s.parse(parse)).collect::<Result<_, _>>()?;
    all.sort_by(|a, b| a.text().cmp(b.text()));
    all.dedup();
    Ok(all)
}

fn expected(at: &mut Section<'_>, name: &'static str) -> Result<Vec<(Key, Expected)>, ConfigError> {
    let read = |entry: Entry<'_>| {
        let key = entry.key(Key::parse)?;
        let missing = entry.error(format!("say what `{}` has to be; that it is there at all is asked under `has`", key.text()));
        Ok((key, entry.scalar()?.ok_or(missing)?.parse(Expected::parse)?))
    };
    let mut all: Vec<(Key, Expected)> = at.entries(name)?.into_iter().map(read).collect::<Result<_, _>>()?;
    all.sort_by(|(a, _), (b, _)| a.text().cmp(b.text()));
    Ok(all)
}

/// A condition; what is wrong in it is shown at its own place in the file.
pub(super) fn condition(scalar: &Scalar<'_>, vocabulary: Vocabulary) -> Result<Condition, ConfigError> {
    Condition::parse(&scalar.text, vocabulary).map_err(|mistake| {
        let before = scalar.text.get(..mistake.offset).unwrap_or_default();
        let at = before.chars().count() + 1;
        let sentence = format!("`{}` at character {at} of the condition: {}", scalar.path, mistake.why);
        if scalar.text.len() > EXPRESSION_MAX { scalar.error(sentence) } else { scalar.error_inside(mistake.offset, sentence) }
    })
}

fn source(entry: Entry<'_>, written: &mut Vec<Written>) -> Result<Source, ConfigError> {
    let target = entry.key(Settable::parse)?;
    let place = entry.error(format!("`{}` comes from no attribute; name one", target.path()));
    let mut values = Vec::new();
    let keys = if entry.is_map() {
        let mut inner = entry.section()?;
        let keys = inner.texts_or_one("attribute")?;
        for value in inner.entries("values")? {
            let sent = value.key(|text| Ok(text.to_owned()))?;
            let missing = value.error(format!("say which word of the record `{sent}` is"));
            let word = value.scalar()?.ok_or(missing)?;
            word.parse(|word| Constant::parse(target, &[word.to_owned()]))?;
            values.push((sent, word.text));
        }
        inner.finish()?;
        values.sort();
        keys
    } else {
        entry.texts_or_one()?
    };
    let mut read = Vec::new();
    written.extend(keys.iter().map(|scalar| Written::new(scalar, Some(target.path()))));
    for scalar in &keys {
        read.push(scalar.parse(|text| {
            let key = Key::parse(text)?;
            Source::may_read(target, &key).map(|()| key)
        })?);
    }
    Source::new(target, read, values)
        .map_err(|why| if keys.is_empty() { place.clone() } else { ConfigError { sentence: why, ..place.clone() } })
}

fn constant(entry: Entry<'_>) -> Result<Constant, ConfigError> {
    let target = entry.key(Settable::parse)?;
    let place = entry.error("");
    let written = entry.texts_or_one()?;
    let texts: Vec<String> = written.iter().map(|scalar| scalar.text.clone()).collect();
    Constant::parse(target, &texts).map_err(|why| match written.first() {
        Some(scalar) => scalar.error(format!("`{}`: {why}", scalar.path)),
        None => ConfigError { sentence: why, ..place },
    })
}

/// `confidence.thresholds`
pub(super) fn thresholds(at: &mut Section<'_>) -> Result<Vec<Threshold>, ConfigError> {
    let Some(list) = at.sections("thresholds")? else { return Ok(Vec::new()) };
    let mut all: Vec<Threshold> = Vec::new();
    for mut at in list {
        if all.len() == THRESHOLDS_MAX {
            return Err(at.error(format!("`confidence.thresholds` has more than {THRESHOLDS_MAX} thresholds")));
        }
        if all.iter().any(|other| other.when.is_none()) {
            return Err(at.error("the threshold before this one has no `when` and holds for everything, so this one never counts"));
        }
        let name = at.optional("name", name)?;
        let when = at.scalar("when")?.map(|scalar| condition(&scalar, Vocabulary::Record)).transpose()?;
        let number = |text: &str| match Json::parse(text.as_bytes()) {
            Ok(Json::Number(number)) => Ok(number),
            _ => Err(format!("`{text}` is no number; write it as scores are sent, as in 0.8")),
        };
        let threshold = at.optional("threshold", number)?.ok_or_else(|| at.error("a threshold needs a `threshold`, as in 0.8"))?;
        all.push(Threshold { name, when, threshold });
        at.finish()?;
    }
    Ok(all)
}

pub(super) fn object(members: impl IntoIterator<Item = (&'static str, Option<Json>)>) -> Json {
    Json::Object(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn texts<'t>(texts: impl Iterator<Item = &'t str>) -> Option<Json> {
    let list: Vec<Json> = texts.map(Json::string).collect();
    (!list.is_empty()).then_some(Json::Array(list))
}

/// One text as itself, several as a list.
fn one_or_more<'t>(all: impl Iterator<Item = &'t str>) -> Json {
    let mut list: Vec<Json> = all.map(Json::string).collect();
    match (list.len(), list.pop()) {
        (1, Some(one)) => one,
        (_, last) => {
            list.extend(last);
            Json::Array(list)
        }
    }
}

fn map<T>(all: &[T], pair: impl Fn(&T) -> (String, Json)) -> Option<Json> {
    (!all.is_empty()).then(|| Json::Object(all.iter().map(pair).collect()))
}

/// The rules as they are written.
pub(super) fn rules_json(all: &[Rule]) -> Option<Json> {
    (!all.is_empty()).then(|| Json::Array(all.iter().map(rule_json).collect()))
}

fn rule_json(rule: &Rule) -> Json {
    let signal = SIGNALS.iter().find(|(_, signal)| *signal == rule.signal).map(|(word, _)| Json::string(*word));
    let expected = |all: &[(Key, Expected)]| map(all, |(key, value)| (key.text().to_owned(), Json::string(value.text())));
    let matched = object([
        ("signal", signal),
        ("scope", rule.scope.as_ref().map(|p| Json::string(p.text()))),
        ("name", rule.item.as_ref().map(|p| Json::string(p.text()))),
        ("resource", expected(&rule.resource)),
        ("has", texts(rule.has.iter().map(Key::text))),
        ("attributes", expected(&rule.attributes)),
        ("when", rule.when.as_ref().map(|c| Json::string(c.text()))),
    ]);
    let from = map(&rule.from, |source| {
        let keys = one_or_more(source.keys().iter().map(Key::text));
        let values = map(source.values(), |(sent, word)| (sent.clone(), Json::string(word)));
        let value = if values.is_some() { object([("attribute", Some(keys)), ("values", values)]) } else { keys };
        (source.target().path().to_owned(), value)
    });
    let set = map(&rule.set, |constant| (constant.target().path().to_owned(), one_or_more(constant.written().iter().map(String::as_str))));
    object([
        ("name", Some(Json::string(&rule.name))),
        ("match", Some(matched)),
        ("promote", Some(Json::Bool(rule.promote))),
        ("kind", rule.kind.map(|kind| Json::string(kind.as_str()))),
        ("from", from),
        ("set", set),
        ("keep", texts(rule.keep.iter().map(Key::text))),
        ("drop", texts(rule.drop.iter().map(Key::text))),
    ])
}

/// The thresholds as they are written.
pub(super) fn thresholds_json(all: &[Threshold]) -> Json {
    let one = |threshold: &Threshold| {
        object([
            ("name", threshold.name.as_ref().map(Json::string)),
            ("when", threshold.when.as_ref().map(|c| Json::string(c.text()))),
            ("threshold", Some(Json::Number(threshold.threshold))),
        ])
    };
    Json::Array(all.iter().map(one).collect())
}

/// What is allowed in rules and thresholds and is surely a mistake, each with its place.
pub(super) fn doubts(all: &[Rule], thresholds: &[Threshold]) -> Vec<String> {
    let mut doubts = Vec::new();
    let mut doubt = |place: String, why: Option<String>| doubts.extend(why.map(|why| format!("`{place}` {why}")));
    for (index, rule) in all.iter().enumerate() {
        for constant in &rule.set {
            doubt(format!("promotion.rules[{index}].set.{}", constant.target().path()), constant.doubt());
        }
        for source in &rule.from {
            let place = format!("promotion.rules[{index}].from.{}.values", source.target().path());
            for (_, word) in source.values() {
                // A source's words were read so when it was made.
                let read = Constant::parse(source.target(), std::slice::from_ref(word)).ok();
                doubt(place.clone(), read.and_then(|constant| constant.doubt()));
            }
        }
    }
    for (index, threshold) in thresholds.iter().enumerate() {
        doubt(format!("confidence.thresholds[{index}].threshold"), rules::doubt_of(threshold.threshold));
    }
    doubts
}

/// Where a text stands, by its path, that the patterns know as a person. Every text of rules, thresholds and `retention` is looked at, keys of maps too.
pub(super) fn person(rules: &[Rule], thresholds: &[Threshold], retention: &Json, scrub: &Scrub) -> Option<String> {
    let rules = rules_json(rules).and_then(|json| person_in("promotion.rules", &json, scrub));
    let thresholds = || person_in("confidence.thresholds", &thresholds_json(thresholds), scrub);
    rules.or_else(thresholds).or_else(|| person_in("retention", retention, scrub))
}

fn person_in(path: &str, json: &Json, scrub: &Scrub) -> Option<String> {
    match json {
        Json::String(text) => scrub.finds_person(text).then(|| path.to_owned()),
        Json::Array(items) => (0..).zip(items).find_map(|(index, item): (usize, _)| person_in(&format!("{path}[{index}]"), item, scrub)),
        Json::Object(members) => members.iter().find_map(|(name, value)| {
            // The path ends where a name would have to be told.
            if scrub.finds_person(name) { Some(path.to_owned()) } else { person_in(&format!("{path}.{name}"), value, scrub) }
        }),
        Json::Null | Json::Bool(_) | Json::Number(_) => None,
    }
}

#[cfg(test)]
mod tests;
