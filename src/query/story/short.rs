//! The story in a few sentences: what was decided, how sure it was, what a human made of it, what was done.

use super::Item;
use super::events::{action, confidence, review_result, reviewer};
use super::people::People;
use super::words::{between, count, list, moment, quote, sentence};
use crate::query::Hit;
use crate::record::canonical::Json;

/// More decisions than this are counted, not told one by one.
const DECISIONS_TOLD: usize = 4;

/// The summary.
pub(super) fn tell(known: &[&Hit], people: &mut People) -> Vec<Item> {
    let mut decisions: Vec<&Hit> = Vec::new();
    for hit in known.iter().filter(|h| h.text("decision.outcome").is_some() && !is_review(h)) {
        if !decisions.iter().any(|d| d.text("decision.id") == hit.text("decision.id")) {
            decisions.push(hit);
        }
    }
    if decisions.is_empty() {
        return vec![Item::Text(without_decision(known))];
    }
    let mut items = Vec::new();
    for decision in decisions.iter().take(DECISIONS_TOLD) {
        items.push(Item::Text(one(decision, known, people).join(" ")));
    }
    if let Some(more) = decisions.len().checked_sub(DECISIONS_TOLD).filter(|more| *more > 0) {
        items.push(Item::Text(format!("{} besides stand in the list below.", count(u64::try_from(more).unwrap_or(u64::MAX), "decision"))));
    }
    items
}

/// Whether a record tells of a review (and not only that one will be needed).
pub(super) fn is_review(hit: &Hit) -> bool {
    hit.text("kind") == Some("review") || hit.text("review.status").is_some() || hit.text("review.decision").is_some()
}

fn without_decision(known: &[&Hit]) -> String {
    let n = count(u64::try_from(known.len()).unwrap_or(u64::MAX), "record");
    let reviews = known.iter().filter(|h| is_review(h)).count();
    let what = if reviews > 0 { ", among them a review, but the decision reviewed is not among them" } else { "" };
    format!("{n} {} found{what}. No outcome of a decision is recorded here.", if known.len() == 1 { "was" } else { "were" })
}

fn one(decision: &Hit, known: &[&Hit], people: &mut People) -> Vec<String> {
    let mut said = vec![outcome(decision, people)];
    said.push(match confidence(decision) {
        Some(words) => format!("{words}."),
        None => "How sure it was is not recorded.".to_owned(),
    });
    said.extend(review(decision, known, people));
    said.push(explanation(decision, known));
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
    // "Recommended" and "decided" are said only where the sender said so.
    let verb = match decision.text("decision.automation_level") {
        Some("fully_automated") => "decided, without a human, on",
        Some("advisory" | "human_in_the_loop") => "recommended",
        _ => "gave as its outcome",
    };
    let about = decision.text("subject.id").map(|id| format!(", about {}", people.name(id, "the person concerned"))).unwrap_or_default();
    let kind = decision.text("decision.type").map(|t| format!(" in the matter of {}", quote(t))).unwrap_or_default();
    let result = quote(decision.text("decision.outcome").unwrap_or_default());
    sentence(&format!("{}{service} {verb} {result}{kind}{about}.", when.unwrap_or_default()))
}

/// Records that belong to a decision: they name its id, or stand in its trace and name none.
fn linked<'a>(decision: &'a Hit, known: &'a [&'a Hit]) -> impl Iterator<Item = &'a Hit> {
    let (id, trace) = (decision.text("decision.id"), decision.text("trace.trace_id"));
    known.iter().copied().filter(move |hit| match hit.text("decision.id") {
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
    for hit in linked(decision, known) {
        explained |= hit.record.get("explanation").is_some();
        let items = hit.record.path("explanation.reason_codes").and_then(Json::as_array).unwrap_or_default();
        codes.extend(items.iter().filter_map(Json::as_str).map(quote));
    }
    codes.dedup();
    match (explained, codes.as_slice()) {
        (false, _) => "Why it came out so is not recorded.".to_owned(),
        (true, []) => "An explanation is recorded, without reason codes.".to_owned(),
        (true, [one]) => format!("The reason code given is {one}."),
        (true, several) => format!("The reason codes given are {}.", list(several)),
    }
}
