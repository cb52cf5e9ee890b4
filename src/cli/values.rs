//! Values of options, read so that a wrong one is a usage error with a sentence.

use crate::clock::{UnixNanos, UnixSeconds};
use crate::tlog::note::VerifierKey;
use crate::verify::Bound;
use crate::worm::StoreUrl;

/// Every kind of `spanseal.record/1`.
const KINDS: [&str; 27] = [
    "inference",
    "embedding",
    "retrieval",
    "rerank",
    "tool",
    "agent",
    "workflow",
    "guardrail",
    "evaluation",
    "decision",
    "review",
    "explanation",
    "lineage",
    "action",
    "event",
    "model_version",
    "deployment",
    "prompt_version",
    "dataset_version",
    "training",
    "policy",
    "config_change",
    "access",
    "hold",
    "erasure",
    "retention",
    "alert",
];

pub(super) fn parse_kind(text: &str) -> Result<String, String> {
    if KINDS.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is no kind of record; kinds are {}", KINDS.join(", ")))
}

/// An id of 32 hexadecimal digits, in the lower case in which it is kept.
pub(super) fn parse_id(text: &str) -> Result<String, String> {
    let id = text.trim();
    if id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(id.to_ascii_lowercase());
    }
    Err(format!("`{id}` is not 32 hexadecimal digits; `spanseal show` takes any id, `--decision` a decision's own"))
}

pub(super) fn parse_limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("a limit of 0 asks for nothing; leave it away to see all".to_owned()),
        Ok(limit) => Ok(limit),
        Err(_) => Err(format!("`{text}` is no number of records")),
    }
}

pub(super) fn parse_store(text: &str) -> Result<String, String> {
    StoreUrl::parse(text).map(|_| text.to_owned()).map_err(|e| e.to_string())
}

/// Longest file that may hold a public key, bytes.
const VKEY_FILE_MAX: u64 = 4096;

pub(super) fn parse_vkey(text: &str) -> Result<VerifierKey, String> {
    let why = match VerifierKey::parse(text.trim()) {
        Ok(key) => return Ok(key),
        Err(why) => why,
    };
    // Auditors keep keys in files; a key holds two plus signs, which a path hardly does.
    match std::fs::metadata(text) {
        Ok(found) if found.is_file() && found.len() <= VKEY_FILE_MAX => {
            let inside = std::fs::read_to_string(text).map_err(|e| format!("`{text}` cannot be read: {e}"))?;
            VerifierKey::parse(inside.trim()).map_err(|why| format!("`{text}`: {why}"))
        }
        _ => Err(format!("{why}; a key looks like <origin>+<8 hex digits>+<base64>, and `spanseal keygen --public` prints one")),
    }
}

/// A date (`2026-11-20`) or a time (RFC 3339).
fn parse_time(text: &str) -> Result<(UnixNanos, bool), String> {
    let wrong = || format!("`{text}` is neither a date (2026-11-20) nor a time (2026-11-20T10:01:17Z)");
    if text.len() == 10 && !text.contains('T') {
        return UnixNanos::parse(&format!("{text}T00:00:00Z")).map(|t| (t, true)).ok_or_else(wrong);
    }
    UnixNanos::parse(text).map(|t| (t, false)).ok_or_else(wrong)
}

const DAY_NANOS: u64 = 86_400_000_000_000;

pub(super) fn parse_from(text: &str) -> Result<UnixNanos, String> {
    parse_time(text).map(|(at, _)| at)
}

pub(super) fn parse_to(text: &str) -> Result<UnixNanos, String> {
    let (at, whole_day) = parse_time(text)?;
    Ok(if whole_day { UnixNanos(at.0.saturating_add(DAY_NANOS - 1)) } else { at })
}

fn parse_bound(text: &str, time: impl Fn(&str) -> Result<UnixNanos, String>) -> Result<Bound, String> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map(Bound::Seal).map_err(|_| format!("`{text}` is no seal index"));
    }
    let seconds = i64::try_from(time(text)?.0 / 1_000_000_000).unwrap_or(i64::MAX);
    Ok(Bound::Time(UnixSeconds(seconds)))
}

pub(super) fn parse_bound_from(text: &str) -> Result<Bound, String> {
    parse_bound(text, parse_from)
}

pub(super) fn parse_bound_to(text: &str) -> Result<Bound, String> {
    parse_bound(text, parse_to)
}
