//! One record out of what was sealed more than once (`record.md` section 5, rule 9): what has the same id, and a line that is equal but for
//! receipt, peer, retention, evidence and commitments, is told once, at the earliest seal, with where it was sealed again. The same id with
//! another line is a conflict: all are kept.
//!
//! Of content in a vault such lines do not show whether it was the same, because each sealing has its own salt. So that is never said of them
//! alone ([`Sameness::Unread`]); whoever has read the contents divides by them ([`divide`]), and contents that differ are a conflict, too.

use std::collections::HashMap;

use super::opening::held;
use super::{Again, Hit, Sameness, Standing};
use crate::record::comparable;
use crate::tlog::Hash;

/// Collapses equal lines and marks conflicts. Order of the answer: time, then place.
pub fn collapse(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.sort_by(|a, b| a.place.order().cmp(&b.place.order()));
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    // id -> positions in `kept` of its different lines.
    let mut by_id: HashMap<String, Vec<(Hash, usize)>> = HashMap::new();
    for hit in hits {
        // What has no id of ours cannot be the same as anything.
        let Some(id) = hit.text("id").map(str::to_owned) else {
            kept.push(hit);
            continue;
        };
        let digest = Hash::of(&comparable(&hit.record).to_jcs());
        let lines = by_id.entry(id).or_default();
        match lines.iter().find(|(other, _)| *other == digest).and_then(|(_, at)| kept.get_mut(*at)) {
            Some(earlier) => {
                // A replica's copy has the salt of the first.
                let is_shown = held(&earlier.record) == held(&hit.record);
                earlier.copies.push(Again { hit, sameness: if is_shown { Sameness::Line } else { Sameness::Unread } });
            }
            None => {
                lines.push((digest, kept.len()));
                kept.push(hit);
            }
        }
    }
    for (_, at) in by_id.values().filter(|lines| lines.len() > 1).flatten() {
        if let Some(hit) = kept.get_mut(*at) {
            hit.standing = Standing::Conflict;
        }
    }
    kept.sort_by_cached_key(|hit| hit.time());
    kept
}

/// What was read of one record's content: the digest of each member that it keeps in the vault, `None` where that could not be brought back.
pub type Contents = Vec<(String, Option<Hash>)>;

/// Whether two records of equal lines say the same. `None`: too little could be brought back to tell.
pub fn same_content(a: &Contents, b: &Contents) -> Option<bool> {
    if a.len() != b.len() {
        return None;
    }
    let mut same = Some(true);
    for ((member, one), (other_member, other)) in a.iter().zip(b) {
        match (one, other) {
            _ if member != other_member => return None,
            (Some(one), Some(other)) if one != other => return Some(false),
            (Some(_), Some(_)) => {}
            _ => same = None,
        }
    }
    same
}

/// Divides what was sealed under one id and equal lines, in the order of the seals, by what was read of it: positions of what says the same,
/// or does not show that it says anything else. More than one group: they contradict each other.
pub fn divide(read: &[Contents]) -> Vec<Vec<usize>> {
    let (whole, parts): (Vec<_>, Vec<_>) =
        read.iter().enumerate().partition(|(_, contents)| contents.iter().all(|(_, content)| content.is_some()));
    let mut groups: Vec<Vec<(usize, &Contents)>> = Vec::new();
    for one in whole.into_iter().chain(parts) {
        // Those that are whole come first: two of them are the same or not, and what is not whole may belong to either.
        match groups.iter_mut().find(|group| group.iter().all(|(_, other)| same_content(other, one.1) != Some(false))) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    let mut groups: Vec<Vec<usize>> = groups.into_iter().map(|group| group.into_iter().map(|(at, _)| at).collect()).collect();
    groups.iter_mut().for_each(|group| group.sort_unstable());
    groups.sort_unstable();
    groups
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::hit;
    use super::*;

    const A: &str = r#"{"id":"aa","input":{"captured":"vault","commitment":"salted-sha256:01"},"schema":"spanseal.record/1","time":{"received":"2026-11-20T10:01:00.000000000Z","start":"2026-11-20T10:00:08.000000001Z"}}"#;

    fn copies(hit: &Hit) -> Vec<(u64, Sameness)> {
        hit.copies.iter().map(|again| (again.hit.place.seal.statement.index, again.sameness.clone())).collect()
    }

    /// Guarantee: what was sealed again is told once, with its seal, and is never called the same where only the vault knows.
    #[test]
    fn what_differs_only_by_its_receipt_is_told_once_at_the_earliest_seal() {
        let again =
            A.replace("10:01:00", "13:01:00").replace(":01\"}", ":02\"}").replace("\"id\"", "\"evidence\":{\"late_ms\":\"9\"},\"id\"");
        let other = A.replace("\"aa\"", "\"bb\"");
        let kept = collapse(vec![hit(9, &again), hit(3, A), hit(4, &other), hit(5, A)]);
        assert_eq!(kept.len(), 2);
        assert_eq!((kept[0].place.seal.statement.index, kept[0].standing), (3, Standing::Single));
        assert_eq!(copies(&kept[0]), [(5, Sameness::Line), (9, Sameness::Unread)]);
        assert_eq!((kept[0].same_content(), kept[1].same_content()), (None, Some(true)));
        assert_eq!(kept[0].line, A);
        // Of what is nowhere else the line shows all.
        let hash = |receipt: &str| A.replace("\"commitment\"", "\"hash\"").replace("\"vault\"", "\"hash\"").replace("10:01:00", receipt);
        let kept = collapse(vec![hit(1, &hash("10:01:00")), hit(2, &hash("10:02:00"))]);
        assert_eq!((kept.len(), copies(&kept[0]), kept[0].same_content()), (1, vec![(2, Sameness::Line)], Some(true)));
    }

    /// Scenario: the same line comes of three senders. Guarantee: it is known which of them were others than that of the record.
    #[test]
    fn another_sender_is_not_hidden() {
        let by = |peer: &str| A.replace("\"schema\"", &format!("\"source\":{{\"peer\":{peer}}},\"schema\""));
        let (a, b) = (by(r#"{"id":"a","method":"token"}"#), by(r#"{"id":"b","method":"token"}"#));
        let kept = collapse(vec![hit(1, &a), hit(2, &b), hit(3, &a), hit(4, &by(r#"{"method":"none"}"#))]);
        assert_eq!((kept.len(), kept[0].copies.len(), kept[0].sender()), (1, 3, Some(("token", "a"))));
        assert_eq!(kept[0].from_others().map(|again| again.hit.sender()).collect::<Vec<_>>(), [Some(("token", "b")), None]);
    }

    #[test]
    fn contradicting_records_are_both_shown_and_marked() {
        let other = A.replace("10:00:08", "10:00:09");
        let kept = collapse(vec![hit(9, &other), hit(3, A), hit(10, &other)]);
        assert_eq!(kept.iter().map(|h| (h.place.seal.statement.index, h.copies.len())).collect::<Vec<_>>(), [(3, 0), (9, 1)]);
        assert!(kept.iter().all(|h| h.standing == Standing::Conflict));
    }

    /// An attribute that happens to be called like a member of content objects is data.
    #[test]
    fn only_commitments_of_content_are_left_out() {
        let with = |x: &str| A.replace("{\"id\"", &format!("{{\"attributes\":{{\"captured\":\"x\",\"commitment\":\"{x}\"}},\"id\""));
        assert_eq!(collapse(vec![hit(1, &with("a")), hit(2, &with("b"))]).len(), 2);
    }

    /// Guarantee: contents that differ are apart, whatever could not be brought back; what is gone is nobody's copy for certain, and no
    /// contradiction either.
    #[test]
    fn what_was_read_divides() {
        let read = |input: &str, output: &str| -> Contents {
            let of = |text: &str| (!text.is_empty()).then(|| Hash::of(text.as_bytes()));
            vec![("input".to_owned(), of(input)), ("output".to_owned(), of(output))]
        };
        let (a, b, none) = (read("q", "no"), read("q", "ok"), read("", ""));
        assert_eq!(
            [(&a, &a), (&a, &b), (&a, &none), (&none, &none)].map(|(a, b)| same_content(a, b)),
            [Some(true), Some(false), None, None]
        );
        assert_eq!(same_content(&read("x", ""), &a), Some(false), "a part is enough to differ");
        let divided = |of: &[&Contents]| divide(&of.iter().copied().cloned().collect::<Vec<_>>());
        assert_eq!(divided(&[&a, &b, &a, &b]), [vec![0, 2], vec![1, 3]]);
        assert_eq!(divided(&[&none, &none]), [vec![0, 1]]);
        assert_eq!(divided(&[&none, &a, &b, &none]), [vec![0, 1, 3], vec![2]]);
        assert_eq!(divided(&[&a, &read("x", "")]), [vec![0], vec![1]]);
    }
}
