//! What was sealed more than once under equal lines: where, and whether it then said the same, which the lines do not show of what lies
//! in a vault.

use std::collections::{BTreeMap, BTreeSet};

use super::Item;
use super::evidence::{named, numbers};
use super::words::{count, list_some};
use crate::query::{Again, Hit, Sameness};

/// Seals that are named.
const SEALS_SHOWN: usize = 8;

/// `seal 76`, `seals 76 and 77`, `seals 76, 77 of the log b`.
pub fn sealed_in(copies: &[Again]) -> String {
    sealed_among(&copies.iter().collect::<Vec<_>>())
}

fn sealed_among(copies: &[&Again]) -> String {
    let logs: BTreeSet<&str> = copies.iter().map(|again| again.hit.place.log.as_str()).collect();
    let mut seals: Vec<String> = Vec::new();
    for again in copies {
        let (index, log) = (again.hit.place.seal.statement.index, &again.hit.place.log);
        let seal = if logs.len() > 1 { format!("{index} of the log {}", super::clean(log)) } else { index.to_string() };
        if !seals.contains(&seal) {
            seals.push(seal);
        }
    }
    format!("{} {}", if seals.len() == 1 { "seal" } else { "seals" }, list_some(&seals, SEALS_SHOWN))
}

/// Heading of [`uncompared`].
pub(super) const HEADING: &str = "Sealed again, and not known to be the same";

/// What was sealed again of these records and is not known to have said the same.
pub(super) fn uncompared(known: &[&Hit]) -> Vec<Item> {
    let mut items = Vec::new();
    for (number, hit) in (1..).zip(known) {
        let mut by_why: BTreeMap<Option<&str>, Vec<&Again>> = BTreeMap::new();
        for again in &hit.copies {
            match &again.sameness {
                Sameness::Line | Sameness::Read => {}
                Sameness::Unread => by_why.entry(None).or_default().push(again),
                Sameness::Untold(why) => by_why.entry(Some(why)).or_default().push(again),
            }
        }
        for (why, copies) in by_why {
            let seals = sealed_among(&copies);
            let why = match why {
                None => "What was said lies in the vault, and the line does not show whether it was the same then; `--content` compares \
                         it."
                .to_owned(),
                Some(why) => format!("Whether what was said was the same then cannot be told: {}.", super::clean(why)),
            };
            items.push(Item::Point(format!("Record {number} was sealed again in {seals}, under a line that is equal. {why}")));
        }
    }
    items
}

/// How many of these records are told once and not known to have said the same each time.
pub(super) fn how_many(known: &[&Hit]) -> usize {
    known.iter().filter(|hit| hit.same_content().is_none()).count()
}

/// Behind a record's seal: in which others it stands too.
pub(super) fn behind_seal(hit: &Hit) -> String {
    let (same, uncompared): (Vec<&Again>, Vec<&Again>) = hit.copies.iter().partition(|again| again.same_content().is_some());
    let times = |copies: &[&Again]| count(u64::try_from(copies.len()).unwrap_or(u64::MAX), "time");
    let mut words = String::new();
    if !same.is_empty() {
        words.push_str(&format!(", sealed {} more ({})", times(&same), sealed_among(&same)));
    }
    if !uncompared.is_empty() {
        words.push_str(&format!(", an equal line {} more ({})", times(&uncompared), sealed_among(&uncompared)));
    }
    words
}

/// What one sender sent of what another had sent: the records' numbers, and where they were sealed again.
#[derive(Default)]
struct Resent<'h> {
    records: BTreeSet<usize>,
    copies: Vec<&'h Again>,
}

/// Records that others sent, too.
pub(super) fn from_others(known: &[&Hit]) -> Vec<Item> {
    let mut by_sender: BTreeMap<Option<(&str, &str)>, Resent<'_>> = BTreeMap::new();
    for (number, hit) in (1..).zip(known) {
        for again in hit.from_others() {
            let resent = by_sender.entry(again.hit.sender()).or_default();
            resent.records.insert(number);
            resent.copies.push(again);
        }
    }
    let one = |(sender, Resent { records, copies }): (Option<(&str, &str)>, Resent<'_>)| {
        let who = sender.map_or_else(|| "a sender that did not have to identify itself".to_owned(), |(method, id)| named(method, id));
        let verb = if records.len() == 1 { "was" } else { "were" };
        // Named one by one, never as "all records": what is said here is of the later sendings.
        let (records, seals) = (numbers(&records, 0), sealed_among(&copies));
        Item::Point(format!("{records} {verb} sent by another sender as well, {who}, and sealed again in {seals};"))
    };
    by_sender.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::collapse::collapse;
    use crate::query::fixtures::hit;

    const LINE: &str = r#"{"id":"aa","input":{"captured":"vault","commitment":"salted-sha256:01"},"schema":"spanseal.record/1","source":{"peer":{"id":"a","method":"token"}}}"#;

    fn texts(items: Vec<Item>) -> Vec<String> {
        items.into_iter().map(|item| if let Item::Point(text) = item { text } else { panic!("{item:?}") }).collect()
    }

    /// Scenario: a line whose content is in the vault comes again from its sender, from another one and from a nameless one. Guarantee:
    /// each seal and each sender is named, and it is called the same only where somebody has looked.
    #[test]
    fn an_equal_line_is_not_called_the_same() {
        let salted =
            |n: u64, peer: &str| hit(n, &LINE.replace(":01\"", &format!(":0{n}\"")).replace(r#"{"id":"a","method":"token"}"#, peer));
        let (b, none) = (r#"{"id":"b","method":"mtls"}"#, r#"{"method":"none"}"#);
        let mut hits = collapse(vec![hit(1, LINE), salted(2, r#"{"id":"a","method":"token"}"#), salted(3, b), salted(4, none)]);
        let known: Vec<&Hit> = hits.iter().collect();
        assert_eq!(how_many(&known), 1);
        assert_eq!(behind_seal(known[0]), ", an equal line 3 times more (seals 2, 3 and 4)");
        assert_eq!(
            texts(uncompared(&known)),
            [
                "Record 1 was sealed again in seals 2, 3 and 4, under a line that is equal. What was said lies in the vault, and the line does not \
              show whether it was the same then; `--content` compares it."
            ]
        );
        assert_eq!(
            texts(from_others(&known)),
            [
                "record 1 was sent by another sender as well, a sender that did not have to identify itself, and sealed again in seal 4;",
                "record 1 was sent by another sender as well, \"b\" (shown by a certificate), and sealed again in seal 3;"
            ]
        );
        hits[0].copies.iter_mut().for_each(|again| again.sameness = Sameness::Read);
        hits[0].copies[2].sameness = Sameness::Untold("it is gone".to_owned());
        let known: Vec<&Hit> = hits.iter().collect();
        assert_eq!(behind_seal(known[0]), ", sealed 2 times more (seals 2 and 3), an equal line 1 time more (seal 4)");
        let told = texts(uncompared(&known));
        assert!(told.len() == 1 && told[0].ends_with("cannot be told: it is gone."), "{told:?}");
        hits[0].copies.pop();
        let known: Vec<&Hit> = hits.iter().collect();
        assert_eq!((how_many(&known), uncompared(&known)), (0, vec![]));
    }
}
