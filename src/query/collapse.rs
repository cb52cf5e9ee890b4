//! One record out of what was sealed more than once (`record.md` section 5, rule 9): the same id, and equal but for receipt, peer,
//! retention, evidence and commitments, is one record, the earliest seal. The same id with another content is a conflict: all are kept.

use std::collections::HashMap;

use super::{Hit, Standing};
use crate::record::canonical::Json;
use crate::tlog::Hash;

/// Collapses copies and marks conflicts. Order of the answer: time, then place.
pub fn collapse(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by(|a, b| a.place.order().cmp(&b.place.order()));
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    // id -> positions in `kept` of its different contents.
    let mut by_id: HashMap<String, Vec<(Hash, usize)>> = HashMap::new();
    for hit in hits {
        // What has no id of ours cannot be the same as anything.
        let Some(id) = hit.text("id").map(str::to_owned) else {
            kept.push(hit);
            continue;
        };
        let digest = sameness(&hit.record);
        let contents = by_id.entry(id).or_default();
        match contents.iter().find(|(other, _)| *other == digest).and_then(|(_, at)| kept.get_mut(*at)) {
            Some(earlier) => earlier.copies += 1,
            None => {
                contents.push((digest, kept.len()));
                kept.push(hit);
            }
        }
    }
    for (_, at) in by_id.values().filter(|contents| contents.len() > 1).flatten() {
        if let Some(hit) = kept.get_mut(*at) {
            hit.standing = Standing::Conflict;
        }
    }
    kept.sort_by_cached_key(|hit| hit.time());
    kept
}

/// A digest over what two equal records have in common.
fn sameness(record: &Json) -> Hash {
    let mut kept = Vec::new();
    for (name, value) in record.as_object().unwrap_or_default() {
        let value = match name.as_str() {
            "retention" | "evidence" => continue,
            "time" => without(value, "received"),
            "source" => without(value, "peer"),
            // What the sender wrote, however its keys are called.
            "attributes" => value.clone(),
            _ => without_commitments(value),
        };
        kept.push((name.clone(), value));
    }
    Hash::of(&Json::Object(kept).to_jcs())
}

fn without(object: &Json, member: &str) -> Json {
    match object {
        Json::Object(members) => Json::Object(members.iter().filter(|(name, _)| name != member).cloned().collect()),
        other => other.clone(),
    }
}

/// Commitments are salted anew each time, so equal content has different ones. They stand in content objects, known by `captured`.
fn without_commitments(value: &Json) -> Json {
    match value {
        Json::Object(members) => {
            let content = members.iter().any(|(name, _)| name == "captured");
            let kept = members.iter().filter(|(name, _)| !(content && name == "commitment"));
            Json::Object(kept.map(|(name, value)| (name.clone(), without_commitments(value))).collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(without_commitments).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::hit;
    use super::*;

    const A: &str = r#"{"id":"aa","input":{"captured":"vault","commitment":"salted-sha256:01"},"schema":"spanseal.record/1","time":{"received":"2026-11-20T10:01:00.000000000Z","start":"2026-11-20T10:00:08.000000001Z"}}"#;

    #[test]
    fn what_differs_only_by_its_receipt_is_one_record_at_the_earliest_seal() {
        let again =
            A.replace("10:01:00", "13:01:00").replace(":01\"}", ":02\"}").replace("\"id\"", "\"evidence\":{\"late_ms\":\"9\"},\"id\"");
        let other = A.replace("\"aa\"", "\"bb\"");
        let kept = collapse(vec![hit(9, &again), hit(3, A), hit(4, &other)]);
        assert_eq!(kept.len(), 2);
        assert_eq!((kept[0].place.seal.statement.index, kept[0].copies, kept[0].standing), (3, 1, Standing::Single));
        assert_eq!(kept[0].line, A);
    }

    #[test]
    fn contradicting_records_are_both_shown_and_marked() {
        let other = A.replace("10:00:08", "10:00:09");
        let kept = collapse(vec![hit(9, &other), hit(3, A), hit(10, &other)]);
        assert_eq!(kept.iter().map(|h| (h.place.seal.statement.index, h.copies)).collect::<Vec<_>>(), [(3, 0), (9, 1)]);
        assert!(kept.iter().all(|h| h.standing == Standing::Conflict));
    }

    /// An attribute that happens to be called like a member of content objects is data.
    #[test]
    fn only_commitments_of_content_are_left_out() {
        let with = |x: &str| A.replace("{\"id\"", &format!("{{\"attributes\":{{\"captured\":\"x\",\"commitment\":\"{x}\"}},\"id\""));
        assert_eq!(collapse(vec![hit(1, &with("a")), hit(2, &with("b"))]).len(), 2);
    }
}
