//! What a changed configuration changed: `change.before` and `change.after` are the two texts, and a reader wants the difference.

use super::words::{clean, quote};
use crate::query::Hit;
use crate::record::canonical::Json;

/// Most settings that are told; a configuration that was exchanged as a whole is told as such.
const TOLD_MAX: usize = 12;
/// Longest value that is told, characters.
const VALUE_MAX: usize = 80;

/// One setting that differs: where it stands, what it was, what it is.
struct Difference {
    path: String,
    before: Option<Json>,
    after: Option<Json>,
}

/// Each setting that differs, as a sentence. `None`: the texts are not those of configurations.
pub(super) fn differences(before: &str, after: &str) -> Option<Vec<String>> {
    let all = compared(before, after)?;
    let mut told: Vec<String> = all.iter().take(TOLD_MAX).map(Difference::sentence).collect();
    let more = all.len().saturating_sub(TOLD_MAX);
    if more > 0 {
        told.push(format!("{more} more settings changed."));
    }
    Some(told)
}

/// What a record of kind `config_change` says, in the words of a table's cell. `None` for other records, and where it says nothing.
pub(in crate::query) fn in_a_cell(hit: &Hit) -> Option<String> {
    let after = hit.text("change.after").filter(|_| hit.text("kind") == Some("config_change"))?;
    let Some(before) = hit.text("change.before") else { return Some("first configuration".to_owned()) };
    Some(match compared(before, after)?.as_slice() {
        [] => "no setting changed".to_owned(),
        [one] => one.short(),
        several => format!("{} settings changed", several.len()),
    })
}

fn compared(before: &str, after: &str) -> Option<Vec<Difference>> {
    let (before, after) = (Json::parse(before.as_bytes()).ok()?, Json::parse(after.as_bytes()).ok()?);
    let mut found = Vec::new();
    compare(&mut found, "", Some(&before), Some(&after));
    Some(found)
}

fn compare(found: &mut Vec<Difference>, path: &str, before: Option<&Json>, after: Option<&Json>) {
    match (before, after) {
        (Some(before), Some(after)) if before == after => {}
        (Some(Json::Object(_)), Some(Json::Object(_))) | (Some(Json::Array(_)), Some(Json::Array(_))) if has_inside(before, after) => {
            let (old, new) = (inside(before), inside(after));
            let names = old.iter().chain(new.iter().filter(|(name, _)| !old.iter().any(|(other, _)| other == name)));
            for (name, _) in names {
                let of = |all: &[(String, &Json)]| all.iter().find(|(other, _)| other == name).map(|(_, value)| (*value).clone());
                let path = match (path, name.starts_with('[')) {
                    ("", _) => name.clone(),
                    (_, true) => format!("{path}{name}"),
                    (_, false) => format!("{path}.{name}"),
                };
                compare(found, &path, of(&old).as_ref(), of(&new).as_ref());
            }
        }
        (None, None) => {}
        (before, after) => found.push(Difference { path: path.to_owned(), before: before.cloned(), after: after.cloned() }),
    }
}

impl Difference {
    fn sentence(&self) -> String {
        let path = quote(&self.path);
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => format!("The setting {path} changed from {} to {}.", value(before), value(after)),
            (Some(before), None) => format!("The setting {path} was taken away; it was {}.", value(before)),
            (None, Some(after)) => format!("The setting {path} was added: {}.", value(after)),
            (None, None) => String::new(),
        }
    }

    fn short(&self) -> String {
        let side = |side: &Option<Json>| side.as_ref().map_or_else(|| "(none)".to_owned(), value);
        clean(&format!("{}: {} -> {}", self.path, side(&self.before), side(&self.after)))
    }
}

/// Whether a difference is told member by member: of lists only where their members are maps.
fn has_inside(before: Option<&Json>, after: Option<&Json>) -> bool {
    let maps = |json: Option<&Json>| match json {
        Some(Json::Array(items)) => items.iter().all(|item| item.as_object().is_some()),
        _ => true,
    };
    maps(before) && maps(after)
}

/// The members of a map by their names, of a list by the name that each says it has, else by its place.
fn inside(json: Option<&Json>) -> Vec<(String, &Json)> {
    match json {
        Some(Json::Object(members)) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Some(Json::Array(items)) => {
            let label =
                |(place, item): (usize, &Json)| item.get("name").and_then(Json::as_str).map_or_else(|| place.to_string(), str::to_owned);
            (1..).zip(items).map(|(place, item)| (format!("[{}]", label((place, item))), item)).collect()
        }
        _ => Vec::new(),
    }
}

fn value(json: &Json) -> String {
    let text = match json {
        Json::String(text) => return quote(text.chars().take(VALUE_MAX).collect::<String>().as_str()),
        other => other.to_jcs_string(),
    };
    if text.chars().count() <= VALUE_MAX { text } else { format!("{} ...", text.chars().take(VALUE_MAX).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_threshold_is_told_from_what_to_what() {
        let with = |thresholds: &str| format!(r#"{{"confidence":{{"thresholds":[{thresholds}]}},"log":{{"name":"a"}}}}"#);
        let told = |before: &str, after: &str| differences(&with(before), &with(after)).unwrap();
        let credit = |at: &str| format!(r#"{{"name":"credit","threshold":{at},"when":"x"}}"#);
        assert_eq!(
            told(&credit("0.8"), &credit("0.9")),
            ["The setting \"confidence.thresholds[credit].threshold\" changed from 0.8 to 0.9."]
        );
        // Another one before it does not make it look changed.
        let added = told(&credit("0.8"), &format!(r#"{{"threshold":0.1}},{}"#, credit("0.8")));
        assert_eq!(added, ["The setting \"confidence.thresholds[1]\" was added: {\"threshold\":0.1}."]);
        assert_eq!(
            told(r#"{"threshold":0.5}"#, ""),
            ["The setting \"confidence.thresholds[1]\" was taken away; it was {\"threshold\":0.5}."]
        );
        assert!(told("", "").is_empty());
        assert_eq!(differences("no json", "{}"), None);
        let wide = |value: u32| format!("{{{}}}", (0..40).map(|i| format!("\"k{i}\":{value}")).collect::<Vec<_>>().join(","));
        let many = differences(&wide(1), &wide(2)).unwrap();
        assert_eq!((many.len(), many.last().unwrap().as_str()), (13, "28 more settings changed."));
    }

    /// In a table a change of the configuration says what it changed, as a decision says its outcome.
    #[test]
    fn a_change_is_told_in_a_cell() {
        let record = |kind: &str, texts: &[(&str, &str)]| {
            let change = Json::Object(texts.iter().map(|(name, text)| ((*name).to_owned(), Json::string(*text))).collect());
            let record = Json::object([("change", change), ("id", Json::string("1")), ("kind", Json::string(kind))]);
            in_a_cell(&crate::query::fixtures::hit(0, &record.to_jcs_string())).unwrap_or_default()
        };
        let credit = |at: &str| format!(r#"{{"confidence":{{"thresholds":[{{"name":"credit","threshold":{at}}}]}}}}"#);
        let change = |before: &str, after: &str| record("config_change", &[("before", before), ("after", after)]);
        assert_eq!(change(&credit("0.8"), &credit("0.9")), "confidence.thresholds[credit].threshold: 0.8 -> 0.9");
        assert_eq!(change(r#"{"a":1}"#, r#"{"a":1,"b":"x\u001b"}"#), "b: (none) -> \"x\\u{1b}\"");
        assert_eq!(change(r#"{"a":1,"b":1}"#, r#"{"a":2,"b":2}"#), "2 settings changed");
        assert_eq!(change("{}", "{}"), "no setting changed");
        assert_eq!(record("config_change", &[("after", "{}")]), "first configuration");
        assert_eq!(change("no json", "{}") + &record("event", &[("after", "{}")]), "");
    }
}
