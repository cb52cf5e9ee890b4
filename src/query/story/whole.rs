//! Whether the story is whole, as far as what was sealed can tell: parents that have no record, what senders dropped, what was refused beside it.
//!
//! A parent without a record is no fault by itself: a span without AI meaning is not promoted. That something is complete is said only of
//! what the log can know.

use std::collections::{BTreeMap, BTreeSet};

use super::again::{HEADING, how_many};
use super::words::{count, list, list_some, quote};
use super::{Item, Section};
use crate::query::Hit;
use crate::record::canonical::Json;

/// More parents without a record than this are counted.
const PARENTS_SHOWN: usize = 8;

/// Says what is missing around these records, which are in the order of the story. `searched`: whether all records of a trace were looked
/// for; `complete`: whether everything could be read.
pub fn whole(hits: &[Hit], searched: impl Fn(&str) -> bool, complete: bool) -> Section {
    let known: Vec<&Hit> = hits.iter().filter(|h| h.is_known()).collect();
    let mut items = Vec::new();
    if !complete {
        items.push(Item::Text("Part of the store could not be read: what is said here to be missing may be there.".to_owned()));
    }
    let (missing, elsewhere) = parents(&known, searched);
    for ((_, span, within), of) in missing.iter().take(PARENTS_SHOWN) {
        let (who, span) = (records(of), quote(span));
        let says = match (within, of.len()) {
            (false, 1) => format!("{who} names the span {span} as its parent"),
            (false, _) => format!("{who} name the span {span} as their parent"),
            (true, 1) => format!("{who} was logged within the span {span}"),
            (true, _) => format!("{who} were logged within the span {span}"),
        };
        items.push(Item::Point(format!(
            "{says}, and the log has no record of that span: it was not promoted (a span without AI meaning is not), or it was not received."
        )));
    }
    if let Some(more) = missing.len().checked_sub(PARENTS_SHOWN).filter(|more| *more > 0) {
        items.push(Item::Point(format!("And so of {}.", count(u64::try_from(more).unwrap_or(u64::MAX), "further span"))));
    }
    if !elsewhere.is_empty() {
        items.push(Item::Point(format!(
            "{}: whether the spans above are in the log was not looked at, because the rest of the trace is another story.",
            records(&elsewhere)
        )));
    }
    items.extend(dropped(&known));
    items.extend(refused(&known));
    if items.is_empty() {
        let named = |within: bool| known.iter().filter_map(|hit| around(hit)).any(|(.., is_log)| is_log == within);
        let all = match (named(false), named(true)) {
            (true, false) => "Complete as far as the log can tell: every span that a record names as its parent has its record here",
            (_, true) => {
                "Complete as far as the log can tell: every span that a record names as its parent, or was logged within, has its record here"
            }
            (false, false) => "Complete as far as the log can tell: no record names a parent that is not here",
        };
        let rest = "no sender says that it dropped anything, and nothing was refused in the seals that hold these records. What was never \
                    sent, or never reached this log, the log cannot know.";
        items.push(Item::Text(format!("{all}, {rest}")));
    }
    match how_many(&known) {
        0 => {}
        1 => items.push(Item::Text(format!("Not known is whether 1 record said the same each time it was sealed: see \"{HEADING}\"."))),
        many => {
            items.push(Item::Text(format!(
                "Not known is whether {many} records said the same each time they were sealed: see \"{HEADING}\"."
            )));
        }
    }
    Section { heading: "Is it complete".to_owned(), items }
}

/// Numbers of the records around which a span is missing, by trace, span, and whether they are logs within it (or have it as parent).
type Orphans<'h> = BTreeMap<(&'h str, &'h str, bool), BTreeSet<usize>>;

/// The span that has to be around a record: the parent of a span, and of a log the span that it was written in; which of the two it is.
fn around(hit: &Hit) -> Option<(&str, &str, bool)> {
    let is_log = is_log(hit);
    let span = hit.text(if is_log { "trace.span_id" } else { "trace.parent_span_id" })?;
    Some((hit.text("trace.trace_id")?, span, is_log))
}

/// A log has the id of a span and does not stand for it.
fn is_log(hit: &Hit) -> bool {
    hit.text("source.signal") == Some("log")
}

/// Which records lack the span around them; and those whose trace was not searched.
fn parents<'h>(known: &[&'h Hit], searched: impl Fn(&str) -> bool) -> (Orphans<'h>, BTreeSet<usize>) {
    let span = |hit: &&'h Hit| Some((hit.text("trace.trace_id")?, hit.text("trace.span_id")?));
    let there: BTreeSet<_> = known.iter().filter(|hit| !is_log(hit)).filter_map(span).collect();
    let (mut missing, mut elsewhere) = (Orphans::new(), BTreeSet::new());
    for (i, hit) in known.iter().enumerate() {
        match around(hit).filter(|(trace, span, _)| !there.contains(&(*trace, *span))) {
            Some(span) if searched(span.0) => {
                missing.entry(span).or_default().insert(i + 1);
            }
            Some(_) => {
                elsewhere.insert(i + 1);
            }
            None => {}
        }
    }
    (missing, elsewhere)
}

/// What the senders' own libraries say that they left out.
fn dropped(known: &[&Hit]) -> Vec<Item> {
    let mut by_what: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (i, hit) in known.iter().enumerate() {
        let dropped = hit.record.path("evidence.dropped");
        let of = |name: &str| dropped.and_then(|d| d.get(name)).and_then(Json::as_str).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        let each = [("attributes", "attribute"), ("events", "event"), ("links", "link")].map(|(name, one)| (of(name), one));
        let words: Vec<String> = each.into_iter().filter(|(n, _)| *n > 0).map(|(n, one)| count(n, one)).collect();
        if !words.is_empty() {
            by_what.entry(list(&words)).or_default().insert(i + 1);
        }
    }
    by_what
        .into_iter()
        .map(|(what, of)| Item::Point(format!("{}: the sender says that it dropped {what} before it sent.", records(&of))))
        .collect()
}

/// What the seals that hold these records count as refused. Whether it belonged to this story nobody can tell.
fn refused(known: &[&Hit]) -> Option<Item> {
    let seals: BTreeMap<(&str, u64), u64> =
        known.iter().map(|h| ((h.place.log.as_str(), h.place.seal.statement.index), h.place.seal.statement.counts.rejected)).collect();
    let refused = seals.values().fold(0_u64, |sum, n| sum.saturating_add(*n));
    (refused > 0).then(|| {
        Item::Point(format!(
            "In the seals that hold these records {} refused as malformed, and the sender was told: whether that belongs to this story the log \
             cannot tell.",
            match refused {
                1 => "1 span or log was".to_owned(),
                n => format!("{n} spans or logs were"),
            }
        ))
    })
}

fn records(of: &BTreeSet<usize>) -> String {
    let numbers: Vec<String> = of.iter().map(usize::to_string).collect();
    format!("{} {}", if of.len() == 1 { "Record" } else { "Records" }, list_some(&numbers, PARENTS_SHOWN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::fixtures::hit;
    use crate::query::{Again, Sameness};

    fn record(n: u64, groups: &str) -> Hit {
        hit(
            n,
            &format!(
                r#"{{"id":"{n:032x}","kind":"inference","schema":"spanseal.record/1","source":{{"service":"s"}},"time":{{"start":"2026-11-20T10:00:00.000000000Z"}},{groups}}}"#
            ),
        )
    }

    fn trace(trace: &str, span: &str, parent: &str) -> String {
        let parent = if parent.is_empty() { String::new() } else { format!(r#""parent_span_id":"{parent}","#) };
        format!(r#""trace":{{{parent}"span_id":"{span}","trace_id":"{trace}"}}"#)
    }

    fn told(hits: &[Hit], complete: bool) -> Vec<String> {
        let of = |item: &Item| match item {
            Item::Text(text) | Item::Point(text) => text.clone(),
            other => panic!("{other:?}"),
        };
        whole(hits, |trace| trace == "a", complete).items.iter().map(of).collect()
    }

    /// Scenario: a trace whose every parent is there; one whose root was never promoted; a span of the same id in another trace. Guarantee:
    /// just the parents without a record are named, with what that can mean; and "complete" never means more than the log can know.
    #[test]
    fn parents_without_a_record_are_named() {
        let all = [record(1, &trace("a", "1", "")), record(2, &trace("a", "2", "1")), record(3, &trace("a", "3", "2"))];
        let text = told(&all, true);
        assert!(text.len() == 1 && text[0].starts_with("Complete as far as the log can tell: every span"), "{text:?}");
        assert!(text[0].ends_with("the log cannot know."), "{text:?}");
        // What was sealed again is no part of that, and said beside it.
        let mut again = all.to_vec();
        again[0].copies.push(Again { hit: all[0].clone(), sameness: Sameness::Unread });
        let text = told(&again, true);
        assert!(text.len() == 2 && text[0].starts_with("Complete") && text[1].starts_with("Not known is whether 1 record"), "{text:?}");
        again[0].copies[0].sameness = Sameness::Read;
        assert_eq!(told(&again, true).len(), 1);
        assert!(told(&all[..1], true)[0].contains("no record names a parent that is not here"));
        let text = told(&all[1..], true);
        assert_eq!(text.len(), 1);
        assert!(text[0].starts_with("Record 1 names the span \"1\" as its parent, and the log has no record"), "{text:?}");
        assert!(text[0].contains("it was not promoted") && text[0].ends_with("or it was not received."), "{text:?}");
        let same = [record(1, &trace("b", "1", "")), record(2, &trace("a", "2", "1")), record(3, &trace("a", "3", "1"))];
        let text = told(&same, true);
        assert!(text.len() == 1 && text[0].starts_with("Records 2 and 3 name the span \"1\" as their parent"), "{text:?}");
        let other = [record(1, &trace("b", "2", "1"))];
        let text = told(&other, true);
        assert!(text.len() == 1 && text[0].starts_with("Record 1: whether the spans above are in the log was not looked at"), "{text:?}");
        assert!(told(&all, false)[0].starts_with("Part of the store could not be read"));
        let many: Vec<Hit> = (0..10).map(|n| record(n, &trace("a", &format!("s{n}"), &format!("p{n}")))).collect();
        let text = told(&many, true);
        assert!(text.len() == 9 && text[8] == "And so of 2 further spans.", "{text:?}");
    }

    /// Scenario: a log was written within a plain span that is the parent of an AI span; or its span has a record. Guarantee: the log does not stand for
    /// the span, and a span that is missing around a log is named, too.
    #[test]
    fn a_log_does_not_stand_for_its_span() {
        let log = |n, trace: &str| {
            let mut hit = record(n, trace);
            let mut text = String::from_utf8(hit.record.to_jcs()).unwrap();
            text = text.replace(r#""source":{"service":"s"}"#, r#""source":{"service":"s","signal":"log"}"#);
            hit.record = Json::parse(text.as_bytes()).unwrap();
            hit
        };
        let text = told(&[log(1, &trace("a", "1", "")), record(2, &trace("a", "2", "1"))], true);
        assert_eq!(text.len(), 2, "{text:?}");
        assert!(text[0].starts_with("Record 2 names the span \"1\" as its parent, and the log has no record"), "{text:?}");
        assert!(text[1].starts_with("Record 1 was logged within the span \"1\", and the log has no record"), "{text:?}");
        let text = told(&[record(1, &trace("a", "1", "")), log(2, &trace("a", "1", ""))], true);
        assert!(text.len() == 1 && text[0].contains("or was logged within, has its record here"), "{text:?}");
        let text = told(&[log(1, "\"trace\":{\"trace_id\":\"a\"}")], true);
        assert!(text.len() == 1 && text[0].contains("no record names a parent that is not here"), "{text:?}");
    }

    /// Scenario: a sender's library dropped attributes and events; a seal counts a refused span. Guarantee: both are said, with numbers.
    #[test]
    fn what_was_dropped_and_refused_is_said() {
        let dropped = r#""evidence":{"dropped":{"attributes":"3","events":"1","links":"0"}}"#;
        let text = told(&[record(1, &trace("a", "1", "")), record(2, dropped)], true);
        assert_eq!(text, ["Record 2: the sender says that it dropped 3 attributes and 1 event before it sent."]);
        let mut hit = record(1, &trace("a", "1", ""));
        let mut seal = (*hit.place.seal).clone();
        seal.statement.counts.rejected = 2;
        hit.place.seal = std::sync::Arc::new(seal);
        let text = told(&[hit], true);
        assert!(text.len() == 1 && text[0].contains("2 spans or logs were refused as malformed"), "{text:?}");
    }
}
