//! What a record of a reading says: what the vault keeps was shown to somebody.

use super::words::{clean, quote};
use crate::query::Hit;

/// What was shown, of how much, and why. `None`: it does not say in words of this version.
pub(super) fn sentences(hit: &Hit) -> Option<Vec<String>> {
    let shown = match hit.text("control.act")? {
        "content" => "What was said was shown",
        "identities" => "Who persons are was shown",
        "content_and_identities" => "What was said and who persons are was shown",
        "proof" => "What was said was handed out in a proof",
        _ => return None,
    };
    let count = match hit.text("control.count") {
        Some("1") => ", of 1 record".to_owned(),
        Some(count) => format!(", of {} records", clean(count)),
        None => String::new(),
    };
    let target = hit.text("control.target").map(|target| format!(", asked for by the id {}", quote(target))).unwrap_or_default();
    let mut told = vec![format!("{shown}{count}{target}.")];
    told.extend(why(hit));
    Some(told)
}

/// Why somebody acted, as they said.
pub(super) fn why(hit: &Hit) -> impl Iterator<Item = String> {
    let why = [("The ground given is", "control.ground"), ("It answers the request", "control.ticket")];
    why.into_iter().filter_map(|(words, path)| Some(format!("{words} {}.", quote(hit.text(path)?))))
}
