//! The story in a few sentences: what was decided, how sure it was, what a human made of it, what was done.

use std::collections::HashSet;

use super::Item;
use super::people::People;
use super::phrases::{action, automation, confidence, reasons};
use super::review::{is_review, review_result, reviewer};
use super::words::{between, count, list_some, moment, quote, sentence};
use crate::query::{Hit, Standing};
use crate::record::canonical::Json;

/// More decisions than this are counted, not told one by one.
const DECISIONS_TOLD: usize = 4;
/// Outcomes and services that are named; the others are counted.
const LISTED: usize = 5;

/// The summary.
pub(super) fn tell(known: &[&Hit], people: &mut People) -> Vec<Item> {
    let decisions = decisions(known);
    let mut items: Vec<Item> = beginning(&decisions, known).map(Item::Text).into_iter().collect();
    if decisions.is_empty() {
        items.insert(0, Item::Text(without_decision(known)));
        return items;
    }
    for decision in decisions.iter().take(DECISIONS_TOLD) {
        items.push(Item::Text(one(decision, known, people).join(" ")));
    }
    if let Some(more) = decisions.len().checked_sub(DECISIONS_TOLD).filter(|more| *more > 0) {
        items.push(Item::Text(format!("{} besides stand in the list below.", count(u64::try_from(more).unwrap_or(u64::MAX), "decision"))));
    }
    items
}

/// The decisions recorded. Several records of one service and trace that state the same outcome under one id tell of the same decision;
/// whatever differs is counted, never dropped.
fn decisions<'a>(known: &[&'a Hit]) -> Vec<&'a Hit> {
    let mut decisions: Vec<&Hit> = Vec::new();
    for hit in known.iter().filter(|h| is_decision(h)) {
        if !decisions.iter().any(|d| same(d, hit)) {
            decisions.push(hit);
        }
    }
    decisions
}

/// Whether a record states an outcome of its own, and not what a reviewer made of one.
fn is_decision(hit: &Hit) -> bool {
    hit.text("decision.outcome").is_some() && !is_review(hit)
}

fn same(a: &Hit, b: &Hit) -> bool {
    let id = |h: &Hit| h.text("decision.id").or_else(|| h.text("id")).map(str::to_owned);
    // A record in no trace (a log) may tell of the decision of a trace.
    let apart = matches!((a.text("trace.trace_id"), b.text("trace.trace_id")), (Some(a), Some(b)) if a != b);
    id(a) == id(b) && !apart && ["source.service", "decision.outcome", "decision.type"].iter().all(|p| a.text(p) == b.text(p))
}

/// Different values, in order of appearance, quoted.
fn values(hits: &[&Hit], path: &str) -> Vec<String> {
    let mut seen = Vec::new();
    for value in hits.iter().filter_map(|h| h.text(path)).map(quote) {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}

/// What must be known before the first decision is believed to be the only one: that there are several, that they differ, that records
/// come from several services, that some contradict each other.
fn beginning(decisions: &[&Hit], known: &[&Hit]) -> Option<String> {
    let mut said = Vec::new();
    if decisions.len() > 1 {
        let n = decisions.len();
        let outcomes = values(decisions, "decision.outcome");
        let traces = values(decisions, "trace.trace_id").len();
        let differ = match outcomes.as_slice() {
            [one] => format!("; all have the outcome {one}"),
            several => format!("; they differ: {}", list_some(several, LISTED)),
        };
        said.push(format!("{n} decisions are recorded under this id{differ}."));
        if traces > 1 {
            said.push(format!("They stand in {traces} different traces."));
        }
    }
    let services = values(known, "source.service");
    if services.len() > 1 {
        said.push(format!("The records come from {} services: {}.", services.len(), list_some(&services, LISTED)));
    }
    let contradicted = known.iter().filter(|h| h.standing == Standing::Conflict).count();
    if contradicted > 0 {
        said.push(format!("{contradicted} of the records contradict one another, see below: which of them is right cannot be told."));
    }
    (!said.is_empty()).then(|| said.join(" "))
}

fn without_decision(known: &[&Hit]) -> String {
    let n = count(u64::try_from(known.len()).unwrap_or(u64::MAX), "record");
    let reviews = known.iter().filter(|h| is_review(h)).count();
    let what = if reviews > 0 { ", among them a review, but the decision reviewed is not among them" } else { "" };
    format!("{n} {} found{what}. No outcome of a decision is recorded here.", if known.len() == 1 { "was" } else { "were" })
}

fn one(decision: &Hit, known: &[&Hit], people: &mut People) -> Vec<String> {
    let mut said = vec![outcome(decision, people)];
    said.extend(automation(decision));
    said.push(match confidence(decision) {
        Some(words) => format!("{words}."),
        None => "How sure it was is not recorded.".to_owned(),
    });
    said.push(explanation(decision, known));
    said.extend(review(decision, known, people));
    let actions: Vec<String> = linked(decision, known).filter_map(action).collect();
    if actions.is_empty() {
        said.push("What was done because of it is not recorded.".to_owned());
    }
    said.extend(actions.into_iter().map(|a| format!("{a}.")));
    said
}

fn outcome(decision: &Hit, people: &mut People) -> String {
    let when = ["time.start", "time.end"].iter().find_map(|p| decision.text(p)).map(|t| format!("On {}, ", moment(t)));
    let service = decision
        .text("source.service")
        .map_or_else(|| "a service whose name is not recorded".to_owned(), |s| format!("the service {}", quote(s)));
    let about = decision.text("subject.id").map(|id| format!(", about {}", people.name(id, "the person concerned"))).unwrap_or_default();
    let kind = decision.text("decision.type").map(|t| format!(" in the matter of {}", quote(t))).unwrap_or_default();
    let result = quote(decision.text("decision.outcome").unwrap_or_default());
    sentence(&format!("{}{service} gave the outcome {result}{kind}{about}.", when.unwrap_or_default()))
}

/// Records that belong to a decision: they name its id, or stand in its trace and name none. What states another decision under the same
/// id speaks for that one only.
fn linked<'a>(decision: &'a Hit, known: &'a [&'a Hit]) -> impl Iterator<Item = &'a Hit> {
    let (id, trace) = (decision.text("decision.id"), decision.text("trace.trace_id"));
    let of_another = move |hit: &Hit| is_decision(hit) && !same(decision, hit);
    known.iter().copied().filter(move |hit| !of_another(hit)).filter(move |hit| match hit.text("decision.id") {
        Some(other) => Some(other) == id,
        None => trace.is_some() && hit.text("trace.trace_id") == trace,
    })
}

fn review(decision: &Hit, known: &[&Hit], people: &mut People) -> Vec<String> {
    let reviews: Vec<&Hit> = linked(decision, known).filter(|h| is_review(h)).collect();
    let done: Vec<&&Hit> = reviews.iter().filter(|h| matches!(h.text("review.status"), Some("completed") | None)).collect();
    let required = linked(decision, known).any(|h| matches!(h.record.path("review.required"), Some(Json::Bool(true))));
    let below = matches!(decision.record.path("confidence.threshold_met"), Some(Json::Bool(false)));
    if done.is_empty() {
        let begun = reviews.last().and_then(|h| h.text("review.status")).map(|s| format!(", only that one has the status {}", quote(s)));
        let begun = begun.unwrap_or_default();
        return vec![match (required, below) {
            (true, _) => format!("A human review was required, but no completed review of it is recorded{begun}."),
            (false, true) => format!("No completed review of it is recorded{begun}, although it was below the threshold."),
            (false, false) if begun.is_empty() => "Whether a human took part is not recorded.".to_owned(),
            (false, false) => format!("No completed review of it is recorded{begun}."),
        }];
    }
    let mut said = Vec::new();
    for hit in done {
        let name = hit.text("review.reviewer.id").map(|id| format!(", {},", people.name(id, "the reviewer"))).unwrap_or_default();
        let start = decision.text("time.end").or_else(|| decision.text("time.start"));
        let end = hit.text("review.completed_at").or_else(|| hit.text("time.start"));
        let after = start.zip(end).and_then(|(s, e)| between(s, e)).map(|took| format!(" {took} later")).unwrap_or_default();
        said.push(sentence(&format!("{}{name} reviewed it{after}.", reviewer(hit))));
        said.extend(review_result(hit));
        said.extend(hit.text("review.reason_code").map(|code| format!("The reviewer's reason has the code {}.", quote(code))));
        if let (Some(stated), Some(original)) = (decision.text("decision.outcome"), hit.text("review.original_outcome"))
            && stated != original
        {
            said.push(format!("The decision itself is recorded as {}: the two do not agree.", quote(stated)));
        }
    }
    said
}

fn explanation(decision: &Hit, known: &[&Hit]) -> String {
    let mut codes = Vec::new();
    let mut explained = false;
    // What a reviewer gives as a reason is the reviewer's, and told with the review.
    for hit in linked(decision, known).filter(|h| !is_review(h)) {
        explained |= hit.record.get("explanation").is_some();
        let items = hit.record.path("explanation.reason_codes").and_then(Json::as_array).unwrap_or_default();
        codes.extend(items.iter().filter_map(Json::as_str).map(quote));
    }
    let mut seen = HashSet::new();
    codes.retain(|code| seen.insert(code.clone()));
    match (explained, codes.as_slice()) {
        (false, _) => "Why it came out so is not recorded.".to_owned(),
        (true, []) => "An explanation is recorded, without reason codes.".to_owned(),
        (true, codes) => reasons(codes, "for the decision"),
    }
}
