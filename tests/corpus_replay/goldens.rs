//! Records of single spans of the corpus, field by field. The expectations below `tests/golden/records` were written by reading the
//! recorded payloads and the field study of the dialects, not by printing what the program makes of them.
//!
//! A file speaks of one recording: `shared` holds what all its spans have, each of `spans` (by span id) what it has besides; `null` takes
//! a shared member away. Everything in the groups of [`GROUPS`] is compared, so that a member too many fails like one too few. A content
//! object that is hashed or kept is `held`, another its `captured` word; a prompt's hash is its source, and `person:<realm>/<id>` a
//! pseudonym of that person.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::{coordinates, of_signal, replayed};
use crate::support::vault::Kept;

/// What of a record is compared; `derived`, `conflicts` and `dialects` stand without the group around them.
const GROUPS: [&str; 14] = [
    "kind",
    "model",
    "prompt",
    "parameters",
    "input",
    "output",
    "actor",
    "usage",
    "retrieval",
    "tool",
    "guardrail",
    "error",
    "decision",
    "evaluation",
];

/// Every golden record is what was sealed, and each recording is one of the corpus.
#[test]
fn records_are_what_a_reader_of_the_payload_expects() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/records");
    let replayed = replayed();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let golden: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let capture = path.file_stem().unwrap().to_str().unwrap();
        let sealed: BTreeMap<String, &Value> = of_signal(&replayed.lines, "span")
            .filter(|r| replayed.truth.spans.get(&coordinates(r)).is_some_and(|s| s.from.contains(&format!("{capture}/"))))
            .map(|r| (coordinates(r).1, r))
            .collect();
        assert!(!sealed.is_empty(), "{}: no recording has that name", path.display());
        for (span, own) in golden["spans"].as_object().unwrap() {
            compared += 1;
            let mut expected = golden["shared"].clone();
            merge(&mut expected, own);
            let Some(record) = sealed.get(span) else {
                wrong.push(format!("{capture}: {span} was not sealed"));
                continue;
            };
            let mut found = reduced(record);
            persons(&mut found, &replayed.kept);
            if found != expected {
                wrong.push(format!("{capture}: {span} {}\n{}", record["trace"]["name"], difference("", &expected, &found)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} records differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared >= 30, "only {compared} records were compared");
}

/// The groups of a record that are compared.
fn reduced(record: &Value) -> Value {
    let mut out = Map::new();
    for group in GROUPS {
        if let Some(value) = record.get(group) {
            out.insert(group.to_owned(), without_content(value));
        }
    }
    if let Some(prompt) = out.get_mut("prompt").and_then(Value::as_object_mut) {
        prompt.remove("hash");
    }
    for (name, value) in [
        ("dialects", &record["source"]["dialects"]),
        ("derived", &record["evidence"]["derived"]),
        ("conflicts", &record["evidence"]["conflicts"]),
        ("to_first_chunk", &record["time"]["to_first_chunk"]),
    ] {
        if !value.is_null() {
            out.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(out)
}

/// A content object is its `captured` word; beside other members (`output`) it stays one of them.
fn without_content(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(without_content).collect()),
        Value::Object(members) => {
            let technical = ["bytes", "hash", "scheme", "commitment", "media_type"];
            let is_content = members.contains_key("captured");
            let mut kept: Map<String, Value> = members
                .iter()
                .filter(|(name, _)| !(is_content && technical.contains(&name.as_str())))
                .map(|(name, value)| (name.clone(), without_content(value)))
                .collect();
            if let Some(captured) = kept.get_mut("captured").filter(|c| matches!(c.as_str(), Some("hash" | "vault"))) {
                *captured = Value::from("held");
            }
            if is_content && kept.len() == 1 { kept["captured"].clone() } else { Value::Object(kept) }
        }
        other => other.clone(),
    }
}

/// Members of `own` over those of `shared`; `null` takes one away.
fn merge(shared: &mut Value, own: &Value) {
    let (Value::Object(all), Value::Object(own)) = (&mut *shared, own) else {
        *shared = own.clone();
        return;
    };
    for (name, value) in own {
        if value.is_null() {
            all.remove(name);
        } else {
            merge(all.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Pseudonyms as the persons that the vault says they are.
fn persons(value: &mut Value, kept: &Kept) {
    match value {
        Value::String(text) => {
            if let Some((realm, id)) = kept.persons.get(text.as_str()) {
                *text = format!("person:{realm}/{id}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| persons(item, kept)),
        Value::Object(members) => members.values_mut().for_each(|member| persons(member, kept)),
        _ => {}
    }
}

/// Where two values differ.
fn difference(path: &str, expected: &Value, found: &Value) -> String {
    let (Value::Object(left), Value::Object(right)) = (expected, found) else {
        return if expected == found { String::new() } else { format!("    {path}: expected {expected}, found {found}\n") };
    };
    let names: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    let of = |map: &Map<String, Value>, name: &String| map.get(name).cloned().unwrap_or(Value::Null);
    names.iter().map(|name| difference(&format!("{path}.{name}"), &of(left, name), &of(right, name))).collect()
}
