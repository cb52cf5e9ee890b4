//! Records written out by hand after reading the payloads: `tests/golden/records/<set>/<capture>.json`.
//!
//! Each entry names a record by the beginnings of its trace and span id (`70d690/cbb125`; a log by its event name besides) and says what
//! must stand in it. `members` by dotted path; `kept` and `derived` by key or path; `content` must be held, `absent` must not.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::truth::member;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    at: String,
    #[serde(default)]
    event: Option<String>,
    members: BTreeMap<String, Value>,
    #[serde(default)]
    kept: BTreeMap<String, Value>,
    #[serde(default)]
    derived: BTreeMap<String, String>,
    #[serde(default)]
    content: Vec<String>,
    #[serde(default)]
    absent: Vec<String>,
}

/// Compares the goldens of one set with sealed records. Returns how many were compared, and what differs.
pub(crate) fn differences(set: &str, records: &[&Value]) -> (usize, Vec<String>) {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/records/").to_owned() + set;
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let (mut compared, mut wrong) = (0, Vec::new());
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let entries: Vec<Entry> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
        for entry in entries {
            let (trace, span) = entry.at.split_once('/').unwrap_or_else(|| panic!("{name}: {}", entry.at));
            let is = |record: &&&Value| {
                let starts = |path: &str, with: &str| member(record, path).as_str().unwrap_or_default().starts_with(with);
                let signal = if entry.event.is_some() { "log" } else { "span" };
                starts("trace.trace_id", trace)
                    && starts("trace.span_id", span)
                    && record["source"]["signal"] == signal
                    && entry.event.as_ref().is_none_or(|e| record["source"]["event_name"] == **e)
            };
            let found: Vec<&&Value> = records.iter().filter(is).collect();
            let [record] = found.as_slice() else {
                wrong.push(format!("{name}: {} {:?}: {} records", entry.at, entry.event, found.len()));
                continue;
            };
            compared += 1;
            wrong.extend(entry.differences(record).into_iter().map(|w| format!("{name}: {}: {w}", entry.at)));
        }
    }
    (compared, wrong)
}

impl Entry {
    fn differences(&self, record: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut compare = |what: &str, found: &Value, expected: &Value| {
            if found != expected {
                wrong.push(format!("{what} is {found}, expected {expected}"));
            }
        };
        for (path, expected) in &self.members {
            compare(path, &member(record, path), expected);
        }
        for (key, expected) in &self.kept {
            compare(key, &record["attributes"][key], expected);
        }
        for (path, how) in &self.derived {
            compare(path, &record["evidence"]["derived"][path], &json!(how));
        }
        for path in &self.content {
            let captured = member(record, path)["captured"].clone();
            if !["hash", "vault"].iter().any(|c| captured == *c) {
                wrong.push(format!("{path} is not held: {}", member(record, path)));
            }
        }
        for path in &self.absent {
            let value = member(record, path);
            if !value.is_null() && value["captured"] != "absent" {
                wrong.push(format!("{path} is {value}, expected none"));
            }
        }
        wrong
    }
}
