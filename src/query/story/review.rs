//! Reviews: who, and what came of it.

use super::words::quote;
use crate::query::Hit;
use crate::record::canonical::Json;

/// Whether a record tells of a review (and not only that one will be needed).
pub(super) fn is_review(hit: &Hit) -> bool {
    hit.text("kind") == Some("review") || hit.text("review.status").is_some() || hit.text("review.decision").is_some()
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
    let overridden = hit.record.path("review.overridden");
    let (from, to) = (quoted("review.original_outcome"), quoted("review.final_outcome").or_else(|| quoted("decision.outcome")));
    let decision = quoted("review.decision");
    let mut said = Vec::new();
    match (overridden, from, to) {
        (Some(Json::Bool(true)), Some(from), Some(to)) => {
            said.push(format!("The AI had given the outcome {from}; the reviewer gave {to} instead: an override."))
        }
        (Some(Json::Bool(true)), Some(from), None) => {
            said.push(format!(
                "The AI had given the outcome {from}; the reviewer overrode it, and what the reviewer gave instead is not recorded."
            ));
        }
        (Some(Json::Bool(true)), None, Some(to)) => {
            said.push(format!(
                "The reviewer overrode the AI and gave the outcome {to}; which one the AI had given is not recorded with the review."
            ));
        }
        (Some(Json::Bool(true)), None, None) => {
            said.push("The reviewer overrode the AI; neither outcome is recorded with the review.".to_owned())
        }
        (Some(Json::Bool(false)), from, to) => {
            let what = from.or(to).map(|o| format!(" {o}")).unwrap_or_default();
            said.push(format!("The reviewer left the AI's outcome{what} as it was."));
        }
        (_, Some(from), Some(to)) => said.push(format!("The outcome before the review was {from}, after it {to}.")),
        (_, None, Some(to)) => said.push(format!("The outcome of the review was {to}.")),
        (_, Some(from), None) => said.push(format!("The outcome before the review was {from}; the one after it is not recorded.")),
        (_, None, None) => {}
    }
    if let Some(decision) = decision {
        said.push(format!("The review's conclusion was {decision}."));
    }
    said
}
