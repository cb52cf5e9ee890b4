//! Content that telemetry only names by reference: which references a request holds, and what becomes of content that was fetched from there.
//!
//! Pure like the rest of the folder: others fetch, between [`Promoter::references`] and the promotion that is given what they found. What was
//! fetched is content as if it had stood under the reference's own key: it is held in the same way, read for what it says (finish reasons,
//! the prompt's hash), and marked in `evidence.derived` as `fallback:<key of the reference>`. What was not fetched stays `by_reference`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::Promoter;
use super::dialects::{Look, Side, To};
use super::draft::{Draft, Entry};
use super::place::holds;
use super::scan::{self, Holds};
use crate::otlp::answer::Signal;
use crate::otlp::view::{KeyValue, LogRecord, ResourceGroup, ScopeGroup, Span, Value, resource_groups};
use crate::otlp::wire::Malformed;
use crate::record::registry::{self as member, Member};

/// What the keys of all references end in: a request without it holds none, which is found out faster than by reading it.
pub const REFERENCE_MARK: &[u8] = b"_ref";

/// Content that was fetched, by the reference as it was sent. `Debug` shows how much.
#[derive(Default)]
pub struct Fetched(HashMap<String, Bytes>);

impl Fetched {
    /// Takes in what a reference led to: valid UTF-8, as scheme `utf8` wants it (`record.md` section 4).
    pub fn insert(&mut self, reference: String, text: Bytes) {
        self.0.insert(reference, text);
    }

    /// Bytes of what was fetched.
    pub fn bytes(&self) -> usize {
        self.0.values().map(Bytes::len).sum()
    }

    /// Whether nothing was fetched.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn text(&self, reference: &str) -> Option<&[u8]> {
        self.0.get(reference).map(|text| &**text)
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fetched({})", self.0.len())
    }
}

/// Of one side that has a reference: the key that it stood under, and the reference as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent<'a> {
    pub(crate) key: Cow<'a, str>,
    pub(crate) reference: &'a str,
}

impl Promoter {
    /// References whose content a request does not hold itself, in the words of the dialects that are understood. A span or log that is
    /// malformed, and is rejected alone, adds none. An own rule may yet leave away what is found here.
    pub fn references<'r>(&self, request: &'r [u8], signal: Signal) -> Result<HashSet<&'r str>, Malformed> {
        let mut found = HashSet::new();
        for group in resource_groups(request) {
            let group = ResourceGroup::read(group?)?;
            self.named(group.attributes(), &mut found)?;
            for scope in group.scopes() {
                for item in ScopeGroup::read(scope?)?.items() {
                    let item = item?;
                    // What is malformed in here makes no record.
                    let _ = match signal {
                        Signal::Traces => self.named_by_span(item, &mut found),
                        Signal::Logs => LogRecord::read(item).and_then(|log| self.named(log.attributes(), &mut found)),
                        Signal::Metrics => Ok(()),
                    };
                }
            }
        }
        Ok(found)
    }

    fn named_by_span<'r>(&self, item: &'r [u8], found: &mut HashSet<&'r str>) -> Result<(), Malformed> {
        let span = Span::read(item)?;
        self.named(span.attributes(), found)?;
        span.events().try_for_each(|event| self.named(event?.attributes(), found))
    }

    fn named<'r>(
        &self,
        attributes: impl Iterator<Item = Result<KeyValue<'r>, Malformed>>,
        found: &mut HashSet<&'r str>,
    ) -> Result<(), Malformed> {
        let (mut named, mut here): (Vec<(Side, &str)>, Vec<Side>) = (Vec::new(), Vec::new());
        for pair in attributes {
            let pair = pair?;
            match self.tables.find(pair.key).map(|known| known.to) {
                Some(To::Reference(side)) => named.extend(pair.value()?.as_str().map(|reference| (side, reference))),
                Some(To::Side(side, look)) if look != Look::Frame && holds(&pair.value()?, look)? == Holds::Content => here.push(side),
                _ => {}
            }
        }
        found.extend(named.into_iter().filter(|(side, _)| !here.contains(side)).map(|(_, reference)| reference));
        Ok(())
    }
}

/// Gives a draft the content that was fetched for it, where it has none of its own.
pub(super) fn bring<'a>(draft: &mut Draft<'a>, fetched: Option<&'a Fetched>) {
    let Some(fetched) = fetched else { return };
    for side in Side::ALL {
        let Some(Sent { key, reference }) = draft.notes_of(side).sent.take() else { continue };
        // What the sender wrote in place of content counts, a mark that it was blacked out too.
        if draft.has_side(side) {
            continue;
        }
        let Some(text) = fetched.text(reference) else { continue };
        let look = if side == Side::ToolDefinitions { Look::Whole } else { Look::Messages };
        let found = if look == Look::Whole { scan::text_holds(text) } else { scan::messages_hold(text) };
        // A frame without content, or a mark: nothing that could be held.
        if found != Holds::Content {
            continue;
        }
        // One string is what carried it, whatever stood around: x is its bytes.
        let frames: Vec<Entry<'a>> = std::mem::take(draft.side_mut(side));
        draft.rest.extend(frames.into_iter().map(|frame| (frame.key, frame.value)));
        draft.side_mut(side).push(Entry { key: key.clone(), value: Value::Text(text), holds: found, look });
        let notes = draft.notes_of(side);
        notes.brought_by = Some(key);
        notes.contradicted = notes.claimed.is_some_and(|claimed| agrees(claimed, text) == Some(false));
    }
}

/// Whether a hash that an application states of content is that of `text`: of its bytes, or of its canonical form where it is JSON. `None`
/// for what is no SHA-256 (`sha256:` and 64 hexadecimal digits, or the digits alone), and so cannot be compared.
fn agrees(claimed: &str, text: &[u8]) -> Option<bool> {
    let mut wanted = [0; 32];
    hex::decode_to_slice(claimed.strip_prefix("sha256:").unwrap_or(claimed), &mut wanted).ok()?;
    let is_it = |bytes: &[u8]| <[u8; 32]>::from(Sha256::digest(bytes)) == wanted;
    Some(is_it(text) || scan::parse_bounded(text).is_some_and(|json| is_it(&json.to_jcs())))
}

/// The path by which evidence names a claimed hash that is not the content's.
pub(super) fn claimed_path(member: Member) -> &'static str {
    match member {
        member::INPUT => "input.claimed_hash",
        member::OUTPUT => "output.claimed_hash",
        member::TOOL_ARGUMENTS => "tool.arguments.claimed_hash",
        member::TOOL_RESULT => "tool.result.claimed_hash",
        member::RETRIEVAL_QUERY => "retrieval.query.claimed_hash",
        other => other.path(),
    }
}

#[cfg(test)]
mod tests;
