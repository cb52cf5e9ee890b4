//! The story in a few sentences: what was decided, how sure it was, what a human made of it, what was done.

use std::collections::HashSet;

use super::Item;
use super::again::how_many;
use super::people::People;
use super::phrases::{action, automation, confidence, reasons};
use super::review::{is_done, is_review, review_result, reviewer, so_far, stage};
use super::words::{between, count, list, list_some, moment, quote, sentence};
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
    let stated = with_those_without_outcome(&decisions, known);
    for decision in decisions.iter().take(DECISIONS_TOLD) {
        items.push(Item::Text(one(&Around { decision, stated: &stated, known }, people).join(" ")));
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

/// Whether a record states an outcome, and not as a review.
fn is_decision(hit: &Hit) -> bool {
    hit.text("decision.outcome").is_some() && !is_review(hit)
}

/// The decisions, and those of which only an id or a type is recorded: what names no decision may concern one of these too.
fn with_those_without_outcome<'a>(decisions: &[&'a Hit], known: &[&'a Hit]) -> Vec<&'a Hit> {
    let mut stated = decisions.to_vec();
    for hit in known.iter().filter(|h| h.text("kind") == Some("decision") && !is_review(h)) {
        if !stated.iter().any(|d| d.text("decision.id") == hit.text("decision.id")) {
            stated.push(hit);
        }
    }
    stated
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
    match how_many(known) {
        0 => {}
        1 => said.push(
            "1 of the records was sealed again under an equal line, see below: whether it then said the same is not known.".to_owned(),
        ),
        many => said.push(format!(
            "{many} of the records were sealed again under equal lines, see below: whether they then said the same is not known."
        )),
    }
    (!said.is_empty()).then(|| said.join(" "))
}

fn without_decision(known: &[&Hit]) -> String {
    let any = |what: &dyn Fn(&Hit) -> bool| known.iter().any(|h| what(h));
    let told = [
        (any(&|h| h.text("kind") == Some("decision") && !is_review(h)), "of a decision"),
        (any(&is_done), "of a review"),
        (!any(&is_done) && any(&|h| stage(h).is_some()), "of a review that is not recorded as done"),
    ];
    let told: Vec<String> = told.iter().filter(|(is, _)| *is).map(|(_, what)| (*what).to_owned()).collect();
    let n = count(u64::try_from(known.len()).unwrap_or(u64::MAX), "record");
    let found = match (known.len(), told.as_slice()) {
        (1, []) => format!("{n} was found."),
        (_, []) => format!("{n} were found."),
        (1, told) => format!("{n} was found: it tells {}.", list(told)),
        (_, told) => format!("{n} were found: they tell, among other things, {}.", list(told)),
    };
    // What a record of a review names as an outcome may be the decision's: its absence is not for us to state then.
    let named = ["decision.outcome", "review.original_outcome", "review.final_outcome"];
    if any(&|h| named.iter().any(|path| h.text(path).is_some())) {
        format!("{found} An outcome is named only where a review is told, see below.")
    } else {
        format!("{found} No outcome of a decision is recorded here.")
    }
}

/// One decision among all that is known.
struct Around<'a> {
    decision: &'a Hit,
    /// All decisions among them.
    stated: &'a [&'a Hit],
    known: &'a [&'a Hit],
}

/// How surely a record concerns a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concern {
    /// It states this decision or names it, or there is no other that it could mean.
    This,
    /// It may as well concern another decision, with which it shares what the text says.
    Unsaid(&'static str),
    /// It does not.
    No,
}

impl<'a> Around<'a> {
    /// Records concern a decision whose id they name, or in whose trace they stand and name none. Where several decisions fit, the one in
    /// the same trace is meant, then the one of the same span; where several still do, nobody can say which.
    fn concern(&self, hit: &Hit) -> Concern {
        if is_decision(hit) {
            return if same(self.decision, hit) { Concern::This } else { Concern::No };
        }
        let shared = |path: &'static str| move |d: &&&Hit| hit.text(path).is_some() && d.text(path) == hit.text(path);
        let (path, by) = match hit.text("decision.id") {
            Some(_) => ("decision.id", "under the same id"),
            None => ("trace.trace_id", "in the same trace"),
        };
        let mut meant: Vec<&&Hit> = self.stated.iter().filter(shared(path)).collect();
        for nearer in ["trace.trace_id", "trace.span_id"] {
            if meant.iter().any(|d| shared(nearer)(d)) {
                meant.retain(|d| shared(nearer)(d));
            }
        }
        match (meant.iter().any(|d| same(d, self.decision)), meant.len()) {
            (false, _) => Concern::No,
            (true, 1) => Concern::This,
            (true, _) => Concern::Unsaid(by),
        }
    }

    /// What surely belongs to the decision.
    fn own(&self) -> impl Iterator<Item = &'a Hit> {
        self.known.iter().copied().filter(|hit| self.concern(hit) == Concern::This)
    }

    /// That something of this sort is there, and not for which decision.
    fn unsaid(&self, what: &str, is: impl Fn(&Hit) -> bool) -> Option<String> {
        let by = self.known.iter().filter(|hit| is(hit)).find_map(|hit| match self.concern(hit) {
            Concern::Unsaid(by) => Some(by),
            Concern::This | Concern::No => None,
        })?;
        Some(format!("{what} is recorded {by}; which decision it concerns is not recorded."))
    }
}

fn one(around: &Around<'_>, people: &mut People) -> Vec<String> {
    let decision = around.decision;
    let mut said = vec![outcome(decision, people)];
    said.extend(automation(decision));
    said.push(match confidence(decision) {
        Some(words) => format!("{words}."),
        None => "How sure it was is not recorded.".to_owned(),
    });
    said.push(explanation(around));
    said.extend(review(around, people));
    let actions: Vec<String> = around.own().filter_map(action).map(|a| format!("{a}.")).collect();
    if actions.is_empty() {
        let unsaid = around.unsaid("An action", |h| action(h).is_some());
        said.push(unsaid.unwrap_or_else(|| "What was done because of it is not recorded.".to_owned()));
    }
    said.extend(actions);
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

fn review(around: &Around<'_>, people: &mut People) -> Vec<String> {
    let mut done: Vec<&Hit> = Vec::new();
    for hit in around.own().filter(|h| is_done(h)) {
        if !done.iter().any(|d| same_review(d, hit)) {
            done.push(hit);
        }
    }
    if done.is_empty() {
        return no_review(around);
    }
    done.iter().flat_map(|hit| reviewed(around.decision, hit, people)).collect()
}

/// Two records of one review, which has an id and comes out equal in both.
fn same_review(a: &Hit, b: &Hit) -> bool {
    let paths = ["review.id", "review.reviewer.id", "review.decision", "review.original_outcome", "review.final_outcome"];
    a.text("review.id").is_some() && paths.iter().all(|path| a.text(path) == b.text(path))
}

/// What is to be said where no review of a decision is known to have been done.
fn no_review(around: &Around<'_>) -> Vec<String> {
    let required = around.own().any(|h| matches!(h.record.path("review.required"), Some(Json::Bool(true))));
    let below = matches!(around.decision.record.path("confidence.threshold_met"), Some(Json::Bool(false)));
    let so_far = around.own().filter_map(stage).last().map(|stage| format!(": {}", so_far(stage)));
    let unsaid =
        around.unsaid("A review", is_done).or_else(|| around.unsaid("A review that is not recorded as done", |hit| stage(hit).is_some()));
    let none = "no completed review of it is recorded";
    let mut said: Vec<String> = match (required, below, so_far) {
        (true, _, so_far) => vec![format!("A human review was required, but {none}{}.", so_far.unwrap_or_default())],
        (false, true, so_far) => {
            vec![sentence(&format!("{none}, although it was below the threshold{}.", so_far.unwrap_or_default()))]
        }
        (false, false, Some(so_far)) => vec![sentence(&format!("{none}{so_far}."))],
        (false, false, None) if unsaid.is_some() => Vec::new(),
        (false, false, None) => vec!["Whether a human took part is not recorded.".to_owned()],
    };
    said.extend(unsaid);
    said
}

/// A review that was done, and what it made of the decision.
fn reviewed(decision: &Hit, hit: &Hit, people: &mut People) -> Vec<String> {
    let name = hit.text("review.reviewer.id").map(|id| format!(", {},", people.name(id, "the reviewer"))).unwrap_or_default();
    let start = decision.text("time.end").or_else(|| decision.text("time.start"));
    // When a decision was made says nothing of when it was reviewed.
    let own_time = if is_review(hit) { hit.text("time.start") } else { None };
    let end = hit.text("review.completed_at").or(own_time);
    let after = start.zip(end).and_then(|(s, e)| between(s, e)).map(|took| format!(" {took} later")).unwrap_or_default();
    let mut said = vec![sentence(&format!("{}{name} reviewed it{after}.", reviewer(hit)))];
    said.extend(review_result(hit));
    said.extend(hit.text("review.reason_code").map(|code| format!("The reviewer's reason has the code {}.", quote(code))));
    // Where nothing was overridden, the outcome after the review is the one before it.
    let kept = matches!(hit.record.path("review.overridden"), Some(Json::Bool(false))).then(|| hit.text("review.final_outcome")).flatten();
    if let (Some(stated), Some(original)) = (decision.text("decision.outcome"), hit.text("review.original_outcome").or(kept))
        && stated != original
    {
        said.push(format!("The decision itself is recorded as {}: the two do not agree.", quote(stated)));
    }
    said
}

fn explanation(around: &Around<'_>) -> String {
    let mut codes = Vec::new();
    let mut explained = false;
    // What a reviewer gives as a reason is the reviewer's, and told with the review.
    let explains = |hit: &Hit| !is_review(hit) && hit.record.get("explanation").is_some();
    for hit in around.own().filter(|h| explains(h)) {
        explained = true;
        let items = hit.record.path("explanation.reason_codes").and_then(Json::as_array).unwrap_or_default();
        codes.extend(items.iter().filter_map(Json::as_str).map(quote));
    }
    let mut seen = HashSet::new();
    codes.retain(|code| seen.insert(code.clone()));
    match (explained, codes.as_slice()) {
        (false, _) => around.unsaid("An explanation", explains).unwrap_or_else(|| "Why it came out so is not recorded.".to_owned()),
        (true, []) => "An explanation is recorded, without reason codes.".to_owned(),
        (true, codes) => reasons(codes, "for the decision"),
    }
}
