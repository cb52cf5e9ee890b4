//! Sentences that the summary and the list of events share.

use super::words::{list, number, quote};
use crate::query::Hit;
use crate::record::canonical::Json;

/// How much a human had to do with it, as the application reported.
pub(super) fn automation(hit: &Hit) -> Option<String> {
    let said = match hit.text("decision.automation_level")? {
        "fully_automated" => "It was reported as decided fully automatically.",
        "human_in_the_loop" => "It was reported as needing a human's consent.",
        "human_on_the_loop" => "It was reported as watched over by a human.",
        "advisory" => "It was reported as advice only.",
        other => return Some(format!("Its degree of automation was reported as {}.", quote(other))),
    };
    Some(said.to_owned())
}

/// Reason codes that are there, and what they are of.
pub(super) fn reasons(codes: &[String], of: &str) -> String {
    match codes {
        [one] => format!("The reason given {of} is {one}."),
        several => format!("The reasons given {of} are {}.", list(several)),
    }
}

/// How sure, by what method, against which threshold. No full stop at the end.
pub(super) fn confidence(hit: &Hit) -> Option<String> {
    let group = hit.record.get("confidence")?;
    let text = |name: &str| group.get(name).and_then(Json::as_str);
    let Some(score) = group.get("score").map(number) else {
        return Some("How sure it was is not recorded".to_owned());
    };
    let of = text("of").map(|o| format!(" in {}", quote(o))).unwrap_or_default();
    let method =
        text("method").map_or_else(|| ", by a method that is not recorded".to_owned(), |m| format!(", by the method {}", quote(m)));
    let met = match group.get("threshold_met") {
        Some(Json::Bool(met)) => Some(*met),
        _ => None,
    };
    if super::out_of_range(hit, "confidence.score").is_some() {
        return Some(format!("It gave its confidence{of} as {score}{method}; {}", out_of_range(hit, met)));
    }
    let threshold = match (group.get("threshold").map(number), met) {
        (Some(threshold), Some(true)) => format!(", which meets the threshold of {threshold}{}", whose_threshold(hit)),
        (Some(threshold), Some(false)) => format!(", below the threshold of {threshold}{}", whose_threshold(hit)),
        (Some(threshold), None) => format!("; the threshold was {threshold}{}", whose_threshold(hit)),
        (None, Some(true)) => ", reported as meeting a threshold that is not recorded".to_owned(),
        (None, Some(false)) => ", reported as below a threshold that is not recorded".to_owned(),
        (None, None) => "; no threshold is recorded".to_owned(),
    };
    Some(format!("It gave its confidence{of} as {score}{method}{threshold}"))
}

/// A score out of 0 to 1 is kept and compared as it was sent (it may be a percentage, and so may its threshold); what comes out of it must not
/// read as if it meant something.
fn out_of_range(hit: &Hit, met: Option<bool>) -> String {
    let compared = match (hit.record.path("confidence.threshold").map(number), met) {
        (Some(threshold), Some(met)) => {
            let than = if met { "not below" } else { "below" };
            format!(
                "; as sent it is {than} the threshold of {threshold}{}, which shows nothing unless both are on one scale",
                whose_threshold(hit)
            )
        }
        (Some(threshold), None) => format!("; the threshold was {threshold}{}", whose_threshold(hit)),
        (None, Some(met)) => {
            let than = if met { "meeting" } else { "below" };
            format!("; it was reported as {than} a threshold that is not recorded")
        }
        (None, None) => "; no threshold is recorded".to_owned(),
    };
    format!("that is out of range, which is 0 to 1{compared}")
}

/// That a threshold is the operator's and not the application's, to follow it.
fn whose_threshold(hit: &Hit) -> String {
    const PATH: &str = "confidence.threshold";
    let derived = hit.record.path("evidence.derived").and_then(|derived| derived.get(PATH)).and_then(Json::as_str);
    if derived != Some("configured") {
        return String::new();
    }
    // `configuration:<name>`, or `configuration` where it has no name.
    let name = hit.text("confidence.threshold_source").and_then(|source| source.strip_prefix("configuration:"));
    let name = name.map(|name| format!(" ({})", quote(name))).unwrap_or_default();
    let conflicts = hit.record.path("evidence.conflicts").and_then(Json::as_array).unwrap_or_default();
    let another = conflicts.iter().any(|path| path.as_str() == Some(PATH));
    let another = if another { "; the application sent another, which does not count" } else { "" };
    format!(", set by the operator's configuration{name}{another}")
}

/// What was done because of it. No full stop at the end.
pub(super) fn action(hit: &Hit) -> Option<String> {
    let group = hit.record.get("action")?;
    let text = |path: &str| group.path(path).and_then(Json::as_str);
    let name = text("name").map_or_else(|| "An action without a name".to_owned(), |n| format!("The action {}", quote(n)));
    let target = match (text("target.type"), text("target.id")) {
        (Some(kind), Some(id)) => format!(" on {} {}", quote(kind), quote(id)),
        (None, Some(one)) | (Some(one), None) => format!(" on {}", quote(one)),
        (None, None) => String::new(),
    };
    let status = match text("status") {
        Some(known @ ("proposed" | "approved" | "executed" | "blocked" | "reversed")) => format!(" was {known}"),
        Some("failed") => " failed".to_owned(),
        Some(other) => format!(" has the status {}", quote(other)),
        None => " is recorded, without its status".to_owned(),
    };
    let reversible = match group.get("reversible") {
        Some(Json::Bool(true)) => "; it can be undone",
        Some(Json::Bool(false)) => "; it cannot be undone",
        _ => "",
    };
    Some(format!("{name}{target}{status}{reversible}"))
}
