//! What a record says of an act on the evidence's conditions: a look at the locks, a canary.

use super::access::why;
use super::words::{count, date, grouped, list, list_some, quote};
use crate::clock::UnixSeconds;
use crate::query::Hit;
use crate::record::canonical::Json;

/// Findings that are named.
const NAMED_MAX: usize = 3;

/// The leading sentence. `None`: an act that this version does not know.
pub(super) fn lead(hit: &Hit) -> Option<&'static str> {
    match hit.text("control.act")? {
        "attestation" => Some("It was looked whether the locks of the evidence hold."),
        "canary" => Some("It was tried whether the store enforces locks."),
        _ => None,
    }
}

/// What came of it, and why it was done. `None`: it does not say in words of this version.
pub(super) fn sentences(hit: &Hit) -> Option<Vec<String>> {
    let filter = Json::parse(hit.text("control.filter")?.as_bytes()).ok()?;
    let mut told = match hit.text("control.act")? {
        "attestation" => attestation(&filter)?,
        "canary" => canary(&filter)?,
        _ => return None,
    };
    told.push(
        match hit.text("control.from") {
            Some("serve") => "The log's own writer did that, unasked.",
            _ => "An operator did that, and what came of it is told as they had it recorded.",
        }
        .to_owned(),
    );
    told.extend(why(hit));
    Some(told)
}

fn text<'j>(json: &'j Json, path: &str) -> Option<&'j str> {
    json.path(path).and_then(Json::as_str)
}

fn number(json: &Json, path: &str) -> Option<u64> {
    text(json, path)?.parse().ok()
}

fn attestation(filter: &Json) -> Option<Vec<String>> {
    let sums = filter.path("objects").and_then(Json::as_object)?;
    let sum = |name: &str| sums.iter().filter_map(|(_, of)| number(of, name)).fold(0, u64::saturating_add);
    let covered = number(filter, "covered.first").zip(number(filter, "covered.last"));
    let seals = match covered {
        Some((first, last)) if first == last => format!(" that belong to seal {first}"),
        Some((first, last)) => format!(" that belong to seals {first} to {last}"),
        None => String::new(),
    };
    let mut told = Vec::new();
    match text(filter, "locks")? {
        "none" => told.push(format!(
            "The store has no locks for objects{seals}: nothing there keeps one from being deleted, whatever seals promise."
        )),
        _ => {
            let held: Vec<String> =
                [("governance", "in GOVERNANCE"), ("compliance", "in COMPLIANCE"), ("unlocked", "not locked"), ("held", "on hold")]
                    .into_iter()
                    .filter_map(|(name, words)| Some((sum(name), words)).filter(|(n, _)| *n > 0))
                    .map(|(n, words)| format!("{} {words}", grouped(n)))
                    .collect();
            let held = if held.is_empty() { String::new() } else { format!(" ({})", list(&held)) };
            told.push(format!(
                "The locks of {}{seals} were read back from the store{held} and compared with what seals and configurations on record demand.",
                count(sum("objects"), "object")
            ));
            let due = text(filter, "due_before").and_then(UnixSeconds::parse);
            if let Some(due) = due.filter(|_| sum("due") > 0) {
                let ends = if sum("due") == 1 { "ends" } else { "end" };
                told.push(format!("{} {ends} before {}.", count(sum("due"), "lock"), date(due)));
            }
        }
    }
    told.push(match text(filter, "verdict")? {
        "verified" => "No lock was shorter, weaker or missing, and nothing that was sealed was gone before its time.".to_owned(),
        "findings" => {
            let kinds = filter.path("findings").and_then(Json::as_object).unwrap_or_default();
            let kinds: Vec<String> =
                kinds.iter().filter_map(|(kind, n)| Some(format!("{} ({})", quote(kind), grouped(n.as_str()?.parse().ok()?)))).collect();
            let first = filter.path("first").and_then(Json::as_array).unwrap_or_default();
            let first: Vec<String> = first.iter().filter_map(|found| text(found, "object").map(quote)).collect();
            format!("Not all was as promised: {}. It was found of {}.", list(&kinds), list_some(&first, NAMED_MAX))
        }
        _ => "Not everything could be looked at, so nothing is concluded from it.".to_owned(),
    });
    if let Some(unchecked) = number(filter, "unchecked") {
        told.push(format!("{} could not be looked at.", count(unchecked, "object")));
    }
    Some(told)
}

fn canary(filter: &Json) -> Option<Vec<String>> {
    let tried = filter.path("tried").and_then(Json::as_object)?;
    let of = |grade: &str| -> Vec<String> {
        tried.iter().filter(|(_, found)| found.as_str() == Some(grade)).map(|(attempt, _)| attempt_in_words(attempt)).collect()
    };
    let mode = text(filter, "mode").map(quote).unwrap_or_default();
    let mut told = vec![format!(
        "An object was put under a lock of one day in the mode {mode} and attacked, in {}.",
        count(u64::try_from(tried.len()).unwrap_or(u64::MAX), "attempt")
    )];
    told.push(
        match text(filter, "verdict")? {
            "enforced" => "The store enforced the lock.",
            "with_exceptions" => {
                "The store enforced the lock against some of these attempts only: whoever holds the same credentials may get round it."
            }
            "not_enforced" if tried.iter().any(|(attempt, grade)| attempt != "hold_delete" && grade.as_str() == Some("bad")) => {
                "The store did not enforce the lock: it is no write-once storage."
            }
            "not_enforced" => "The store enforced the lock, and deleted what was on legal hold: holds keep nothing there.",
            _ => "Whether the store enforces locks could not be found out.",
        }
        .to_owned(),
    );
    for (grade, words) in [
        ("bad", "What should have failed, or should have been kept, and was not:"),
        ("odd", "What is allowed, and is to be known:"),
        ("unknown", "What could not be found out:"),
        ("not_put", "What could not be put:"),
    ] {
        let attempts = of(grade);
        if !attempts.is_empty() {
            told.push(format!("{words} {}.", list(&attempts)));
        }
    }
    Some(told)
}

fn attempt_in_words(attempt: &str) -> String {
    match attempt {
        "put" => "to put it".to_owned(),
        "read_lock" => "to read its lock back".to_owned(),
        "delete" => "to delete it".to_owned(),
        "shorten" => "to shorten its lock".to_owned(),
        "create_only" => "to put the same key a second time create-only".to_owned(),
        "overwrite" => "to write over it".to_owned(),
        "tag" => "to put an object with a tag".to_owned(),
        "bypass_lift" => "to lift its lock with the governance bypass".to_owned(),
        "bypass_delete" => "to delete it with the governance bypass".to_owned(),
        "hold" => "to put another object, without a lock, on legal hold".to_owned(),
        "hold_delete" => "to delete what was on legal hold".to_owned(),
        "hold_lift" => "to lift that hold".to_owned(),
        other => quote(other),
    }
}
