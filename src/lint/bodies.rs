//! One export request as somebody kept it: protobuf or JSON, of which signal nobody wrote down (pure).

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::otlp::answer::Signal;
use crate::otlp::foreign::{self, Foreign};
use crate::otlp::json;
use crate::otlp::view::{ResourceGroup, ScopeGroup, resource_groups};
use crate::otlp::wire::{Fields, Malformed};
use crate::promote::rules::{distance, nearest};

/// What cannot be read, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {what}")]
pub struct Broken {
    /// Position in the body, from 0: of the byte in JSON, of the part that does not hold together in protobuf.
    pub at: usize,
    /// What is wrong there. Never quotes the body.
    pub what: &'static str,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body<'a> {
    /// What it holds.
    pub signal: Signal,
    /// As protobuf.
    pub request: Cow<'a, [u8]>,
}

/// Whether bytes are protobuf of an export request and not JSON: a JSON text may begin with a line feed, which is the first byte of every
/// such protobuf, but then its lengths do not add up.
pub fn is_protobuf(bytes: &[u8]) -> bool {
    let json = bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    !json || bytes.first() == Some(&b'\n') && Fields::new(bytes).all(|field| field.is_ok_and(|f| f.number == 1 && f.bytes().is_some()))
}

/// Reads one request. `signal` is what it must be, where somebody knows; else its own words (JSON) or the shape of its items (protobuf)
/// say. Protobuf that says nothing is taken for traces.
pub fn body(bytes: &[u8], signal: Option<Signal>) -> Result<Body<'_>, Broken> {
    if is_protobuf(bytes) {
        framed(bytes).map_err(|broken| told(bytes, broken))?;
        let seen = || foreign::signal_of(Signal::Traces, bytes).unwrap_or(Signal::Traces);
        return Ok(Body { signal: signal.unwrap_or_else(seen), request: Cow::Borrowed(bytes) });
    }
    let read = |signal| json::request(signal, bytes).map_err(|e| Broken { at: e.at, what: e.what });
    let first = signal.unwrap_or(Signal::Traces);
    let transcoded = read(first)?;
    match transcoded.foreign {
        None => Ok(Body { signal: first, request: Cow::Owned(transcoded.protobuf) }),
        Some(Foreign::Signal(found)) if signal.is_none() => Ok(Body { signal: found, request: Cow::Owned(read(found)?.protobuf) }),
        Some(Foreign::Signal(_)) => Err(Broken { at: 0, what: "it holds another signal than the one that was named" }),
        Some(Foreign::Older) => Err(Broken { at: 0, what: "it is OTLP of before 1.0" }),
        Some(Foreign::Unknown { .. }) => {
            Err(Broken { at: 0, what: "it has none of the members of an OTLP request (resourceSpans, resourceLogs, resourceMetrics)" })
        }
    }
}

/// What to say of bytes that were taken for protobuf because they are no JSON object, and do not hold together as protobuf either.
fn told(bytes: &[u8], broken: Broken) -> Broken {
    let plain = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(|c| c.is_control() && !c.is_whitespace()));
    let first = bytes.iter().position(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(at) if bytes.get(at) == Some(&b'[') && plain(bytes) => {
            let what = "it begins with `[`, and OTLP JSON is an object; write each element of the list on a line of its own";
            Broken { at, what }
        }
        // Every request begins with field 1, a message: this byte, which is also a line feed.
        _ if bytes.first() != Some(&b'\n') || plain(bytes) => {
            Broken { at: first.unwrap_or(0), what: "it is neither OTLP JSON (an object, `{...}`) nor protobuf" }
        }
        _ => broken,
    }
}

/// Top-level members of OTLP requests; each is also known as its `.proto` writes it.
const MEMBERS: [&str; 3] = ["resourceSpans", "resourceLogs", "resourceMetrics"];
const MEMBERS_AS_IN_PROTO: [&str; 3] = ["resource_spans", "resource_logs", "resource_metrics"];
/// A member whose name takes more edits than one in so many letters was not meant as the nearest.
const LETTERS_AN_EDIT: usize = 3;

/// The first top-level member of a JSON text that no OTLP request has, and the known one that was probably meant.
pub fn strange_member(bytes: &[u8]) -> Option<(String, Option<&'static str>)> {
    let members: BTreeMap<String, serde::de::IgnoredAny> = serde_json::from_slice(bytes).ok()?;
    let known = || MEMBERS.into_iter().chain(MEMBERS_AS_IN_PROTO);
    let strange = members.into_keys().find(|member| !known().any(|known| known == member))?;
    let near = nearest(&strange, known());
    let meant = distance(&strange, near).saturating_mul(LETTERS_AN_EDIT) <= strange.chars().count();
    Some((strange, meant.then_some(near)))
}

/// Follows the lengths down to the items. The promoter would say only that something is wrong; here is where.
fn framed(bytes: &[u8]) -> Result<(), Broken> {
    let broken = |part: &[u8], malformed: Malformed| Broken { at: offset(bytes, part), what: malformed.0 };
    for group in resource_groups(bytes) {
        let group = group.map_err(|malformed| broken(bytes, malformed))?;
        let read = ResourceGroup::read(group).map_err(|malformed| broken(group, malformed))?;
        for scope in read.scopes() {
            let scope = scope.map_err(|malformed| broken(group, malformed))?;
            let read = ScopeGroup::read(scope).map_err(|malformed| broken(scope, malformed))?;
            read.items().try_for_each(|item| item.map(|_| ())).map_err(|malformed| broken(scope, malformed))?;
            read.scope().map_err(|malformed| broken(scope, malformed))?;
        }
    }
    Ok(())
}

/// Where a part of a body begins in it.
pub(super) fn offset(body: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().saturating_sub(body.as_ptr().addr())
}
