//! What attribute keys are to spanseal: evidence, something that it never stores, or nothing that it knows.

use std::borrow::Cow;

use super::Receiving;
use crate::promote::vocabulary::{Home, is_withheld_below, resource_words, word};

/// What a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worth {
    /// Read by a dialect, or by the configuration.
    Evidence,
    /// Never stored.
    Dropped,
    /// Kept as content at most, unless a name says that a dialect speaks that means something by it.
    Unread,
}

/// What a key is to a spanseal of this configuration.
pub(super) fn worth(key: &str, receiving: &Receiving) -> Worth {
    if receiving.reads.contains(key) || resource_words().any(|(name, _)| name == key) {
        return Worth::Evidence;
    }
    match word(key) {
        Some(word) if word.home == Home::Withheld => Worth::Dropped,
        Some(word) if !word.needs_name => Worth::Evidence,
        Some(_) | None => Worth::Unread,
    }
}

/// Whether a key states what only the application, or a person before it, can know: what was decided, how sure it is, who reviewed it.
pub(super) fn is_statement(key: &str) -> bool {
    const OWN: [&str; 2] = ["ai_audit.", "ai.audit."];
    const GROUPS: [&str; 6] = ["decision.", "confidence.", "review.", "evaluation.", "guardrail.", "policy."];
    let states = |field: &Cow<'_, str>| GROUPS.iter().any(|group| field.starts_with(group));
    OWN.iter().any(|own| key.starts_with(own)) || word(key).is_some_and(|word| word.fields.iter().any(states))
}

/// Whether no key that meets an expression is ever stored: it holds the beginning of the key, and that suffices.
pub(super) fn drops_all(expression: &str, receiving: &Receiving) -> bool {
    const SPECIAL: &str = ".+*?()|[]{}^$";
    let Some(mut rest) = expression.strip_prefix('^') else { return false };
    if rest.contains('|') {
        return false;
    }
    let mut begin = String::new();
    while let Some(c) = rest.chars().next() {
        let behind = rest.get(c.len_utf8()..).unwrap_or_default();
        let (c, behind) = match (c, behind.chars().next()) {
            ('\\', Some(escaped)) if SPECIAL.contains(escaped) => (escaped, behind.get(1..).unwrap_or_default()),
            _ if c == '\\' || SPECIAL.contains(c) => break,
            _ => (c, behind),
        };
        // It may be there or not.
        if behind.starts_with(['?', '*', '{']) {
            break;
        }
        begin.push(c);
        rest = behind;
    }
    // What begins like the name of something that is no beginning (`client.port`) may be anything.
    is_withheld_below(&begin) && !receiving.reads.iter().any(|key| key.starts_with(&begin))
}
