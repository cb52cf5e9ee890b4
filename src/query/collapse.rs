//! One record out of what was sealed more than once (`record.md` section 5, rule 9): the same id, and equal but for receipt, peer,
//! retention, evidence and commitments, is one record, the earliest seal. The same id with another content is a conflict: all are kept.

// KNOWN GAP: of two records whose content lies in a vault, and was equally long, the lines do not show whether it was the same: they are
// told as one record with a copy, and the content of the earlier is shown. The writer keeps both.
use std::collections::HashMap;

use super::{Hit, Standing};
use crate::record::comparable;
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
        let digest = Hash::of(&comparable(&hit.record).to_jcs());
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
