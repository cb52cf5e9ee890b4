//! What a changed configuration changed: `change.before` and `change.after` are the two texts, and a reader wants the difference.

use super::words::quote;
use crate::record::canonical::Json;

/// Most settings that are told; a configuration that was exchanged as a whole is told as such.
const TOLD_MAX: usize = 12;
/// Longest value that is told, characters.
const VALUE_MAX: usize = 80;

/// Each setting that differs, as a sentence. `None`: the texts are not those of configurations.
pub(super) fn differences(before: &str, after: &str) -> Option<Vec<String>> {
    let (before, after) = (Json::parse(before.as_bytes()).ok()?, Json::parse(after.as_bytes()).ok()?);
    let mut found = Vec::new();
    compare(&mut found, "", Some(&before), Some(&after));
    let more = found.len().saturating_sub(TOLD_MAX);
    found.truncate(TOLD_MAX);
    if more > 0 {
        found.push(format!("{more} more settings changed."));
    }
    Some(found)
}

fn compare(found: &mut Vec<String>, path: &str, before: Option<&Json>, after: Option<&Json>) {
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
        (Some(before), Some(after)) => {
            found.push(format!("The setting {} changed from {} to {}.", quote(path), value(before), value(after)))
        }
        (Some(before), None) => found.push(format!("The setting {} was taken away; it was {}.", quote(path), value(before))),
        (None, Some(after)) => found.push(format!("The setting {} was added: {}.", quote(path), value(after))),
        (None, None) => {}
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
}
