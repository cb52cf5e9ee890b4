//! Reviews: how far one has come, who did it, and what came of it. A review that is asked for, or begun, is none yet; a decision that
//! says that it needs one is a decision.

use super::words::{quote, sentence};
use crate::query::Hit;
use crate::record::canonical::Json;

/// How far a review has come, by what one record states of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage<'a> {
    /// It was concluded.
    Done,
    /// It was not, or nothing says so: its `review.status`.
    Open(&'a str),
    /// It has a beginning, and no status.
    Begun,
    /// It is told of; nothing says how far it has come.
    Unclear,
}

/// How far the review has come that a record tells of; `None` where it tells of none, or only that one will be needed.
pub(super) fn stage(hit: &Hit) -> Option<Stage<'_>> {
    let own = hit.text("kind") == Some("review");
    let has = |paths: &[&str]| paths.iter().any(|path| hit.record.path(path).is_some());
    // That nothing was overridden may be any decision's default; only a review says it of itself.
    let overridden = match hit.record.path("review.overridden") {
        Some(Json::Bool(overridden)) => *overridden || own,
        _ => false,
    };
    let concluded = overridden || has(&["review.completed_at", "review.decision", "review.final_outcome"]);
    match hit.text("review.status") {
        Some("completed") => Some(Stage::Done),
        // Its own status comes before whatever else stands there, also one that is in no list: `cancelled` with an outcome is not done.
        Some(other) => Some(Stage::Open(other)),
        None if concluded => Some(Stage::Done),
        None if has(&["review.started_at"]) => Some(Stage::Begun),
        None if own || has(&["review.reviewer"]) => Some(Stage::Unclear),
        None => None,
    }
}

/// Whether a record tells of a concluded review.
pub(in crate::query) fn is_done(hit: &Hit) -> bool {
    stage(hit) == Some(Stage::Done)
}

/// Whether a record tells of a review and of no decision of its own: one that states an outcome is a decision, unless its kind says
/// otherwise.
pub(super) fn is_review(hit: &Hit) -> bool {
    match hit.text("kind") {
        Some("review") => true,
        _ if hit.text("decision.outcome").is_some() => false,
        // The kind of all that carries a decision's id (`record.md` section 5, rule 1): a review that only says whose it is.
        Some("decision") => is_done(hit) && names_decision_only(hit),
        _ => is_done(hit),
    }
}

/// Whether the review is what a record is about, and no matter beside it.
pub(super) fn leads(hit: &Hit) -> bool {
    is_review(hit) && matches!(hit.text("kind"), Some("review" | "decision"))
}

fn names_decision_only(hit: &Hit) -> bool {
    let members = hit.record.get("decision").and_then(Json::as_object).unwrap_or_default();
    let stated = hit.text("source.event_name").is_some_and(|name| name.contains("decision"));
    !stated && members.iter().all(|(name, _)| name == "id")
}

/// How far a review has come that was not concluded, to follow "recorded: ".
pub(super) fn so_far(stage: Stage<'_>) -> String {
    match stage {
        Stage::Open("pending") => "one is pending".to_owned(),
        Stage::Open("in_progress") | Stage::Begun => "one was begun".to_owned(),
        Stage::Open("expired") => "one was not done in time".to_owned(),
        Stage::Open("waived") => "one was waived".to_owned(),
        Stage::Open(other) => format!("one has the status {}", quote(other)),
        Stage::Done | Stage::Unclear => "one is told of, without its status".to_owned(),
    }
}

/// The leading sentence of a record that tells of a review.
pub(super) fn lead(hit: &Hit) -> String {
    let who = sentence(reviewer(hit));
    match stage(hit) {
        Some(Stage::Done) => format!("{who} concluded a review."),
        Some(Stage::Open("pending")) => "A review was asked for.".to_owned(),
        Some(Stage::Open("in_progress") | Stage::Begun) => format!("{who} began a review."),
        Some(Stage::Open("expired")) => "A review was not done in time.".to_owned(),
        Some(Stage::Open("waived")) => "A review was waived.".to_owned(),
        Some(Stage::Open(other)) => format!("A review was reported, with the status {}.", quote(other)),
        Some(Stage::Unclear) | None => "A review was reported; its status is not recorded.".to_owned(),
    }
}

/// The review that a decision, or anything else than a review, tells of besides.
pub(super) fn besides(hit: &Hit) -> Option<String> {
    Some(match stage(hit)? {
        Stage::Done => format!("{} reviewed it.", sentence(reviewer(hit))),
        Stage::Open("pending") => "A review of it was recorded as pending.".to_owned(),
        Stage::Open("in_progress") | Stage::Begun => "A review of it was recorded as begun.".to_owned(),
        Stage::Open("expired") => "A review of it was recorded as not done in time.".to_owned(),
        Stage::Open("waived") => "A review of it was recorded as waived.".to_owned(),
        Stage::Open(other) => format!("A review of it was recorded with the status {}.", quote(other)),
        Stage::Unclear => "It tells of a review without saying whether it was done.".to_owned(),
    })
}

/// Who reviewed, as far as it is recorded.
pub(super) fn reviewer(hit: &Hit) -> &'static str {
    match hit.text("review.reviewer.kind") {
        Some("human") => "a human reviewer",
        Some("automated") => "an automated reviewer",
        Some("delegate") => "somebody in the reviewer's place",
        _ => "a reviewer (it is not recorded whether a human)",
    }
}

/// What a review concluded, in sentences. The outcome is always what somebody gave: whether that was advice is told elsewhere.
pub(super) fn review_result(hit: &Hit) -> Vec<String> {
    let quoted = |path: &str| hit.text(path).map(quote);
    let own = hit.text("kind") == Some("review");
    let from = quoted("review.original_outcome");
    // `decision.outcome` is the decision's, except where a concluded review states no other; and there too it may only repeat the
    // decision's.
    let carried = quoted("decision.outcome").filter(|_| own);
    let completed = hit.text("review.status") == Some("completed");
    let to = quoted("review.final_outcome").or_else(|| carried.clone().filter(|_| completed).filter(|to| from.as_ref() != Some(to)));
    let overridden = match hit.record.path("review.overridden") {
        Some(Json::Bool(overridden)) if *overridden || is_done(hit) => Some(*overridden),
        _ => None,
    };
    // Nothing overridden, and yet another outcome: in a decision's own record the outcome before may stand in the decision's place.
    let before = from.clone().or_else(|| quoted("decision.outcome"));
    let mut said = Vec::new();
    match (overridden, from, to) {
        (Some(true), Some(from), Some(to)) if from == to => {
            said.push(format!(
                "The record states that the reviewer overrode the AI's outcome, but gives it as {from} both before and after the review: \
                 these statements contradict each other."
            ));
        }
        (Some(true), Some(from), Some(to)) => {
            said.push(format!("The AI had given the outcome {from}; the reviewer gave {to} instead: an override."))
        }
        (Some(true), Some(from), None) => {
            said.push(format!(
                "The AI had given the outcome {from}; the reviewer overrode it, and what the reviewer gave instead is not recorded."
            ));
        }
        (Some(true), None, Some(to)) => {
            said.push(format!(
                "The reviewer overrode the AI and gave the outcome {to}; which one the AI had given is not recorded with the review."
            ));
        }
        (Some(true), None, None) => said.push("The reviewer overrode the AI; neither outcome is recorded with the review.".to_owned()),
        (Some(false), _, Some(to)) if before.as_ref().is_some_and(|before| *before != to) => {
            let before = before.unwrap_or_default();
            said.push(format!(
                "The record states that the reviewer did not override the AI's outcome, but gives it as {before} before the review and as \
                 {to} after it: these statements contradict each other, and which of them is right cannot be told."
            ));
        }
        (Some(false), from, to) => {
            let what = from.or(to).map(|o| format!(" {o}")).unwrap_or_default();
            said.push(format!("The reviewer left the AI's outcome{what} as it was."));
        }
        (None, Some(from), Some(to)) => said.push(format!("The outcome before the review was {from}, after it {to}.")),
        (None, None, Some(to)) => said.push(format!("The outcome of the review was {to}.")),
        (None, Some(from), None) => said.push(format!("The outcome before the review was {from}; the one after it is not recorded.")),
        (None, None, None) => {}
    }
    if let Some(carried) = carried.filter(|_| !completed) {
        let known = "no outcome of a review is recorded with it";
        let whose = if is_done(hit) { "whether that is the decision's or the review's is not recorded" } else { known };
        said.push(format!("The outcome it names is {carried}; {whose}."));
    }
    if let Some(decision) = quoted("review.decision") {
        said.push(format!("The review's conclusion was {decision}."));
    }
    let concludes = overridden == Some(true) || ["review.final_outcome", "review.decision"].iter().any(|path| hit.text(path).is_some());
    if concludes && matches!(stage(hit), Some(Stage::Open(_))) {
        said.push("That is stated although the review is not recorded as completed.".to_owned());
    }
    said
}
