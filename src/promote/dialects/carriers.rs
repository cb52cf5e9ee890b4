//! Carriers: keys under which instrumentations pass on what an application told them about itself. Our own keys inside them are claims, so
//! that an application whose instrumentation allows no attributes of its own can speak all the same (`ai_audit.*` as a Traceloop
//! association property, as Langfuse metadata, as baggage that a processor copies to spans).
//!
//! A claim from a carrier is weaker than the same key on the span, converts and is scrubbed like it, and is marked `carrier:<key>`. What
//! else a carrier holds goes to `rest`, as if it were no carrier. Content is never decoded: what is hashed is the JSON text as it was sent.

use super::{Row, To, later};

/// How a claim came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Under its own key.
    No,
    /// As a value as sent.
    Plain,
    /// As JSON: a string has its quotes (Langfuse 5, MLflow).
    Json,
}

/// Keys that hold a whole object of metadata as JSON.
pub(super) const ROWS: &[Row] = &[
    // OpenInference (generic: it means nothing unless one of our keys stands in it).
    later(2, "metadata", To::Carrier),
    // Langfuse writes metadata that is no object, and what a mask made of it, under the bare keys.
    later(2, "langfuse.trace.metadata", To::Carrier),
    later(2, "langfuse.observation.metadata", To::Carrier),
    later(2, "langsmith.metadata", To::Carrier),
];

/// What stands before the application's own key.
const PREFIXES: [(&[u8], Carried); 10] = [
    // OpenLLMetry.
    (b"traceloop.association.properties.", Carried::Plain),
    (b"langfuse.trace.metadata.", Carried::Json),
    (b"langfuse.observation.metadata.", Carried::Json),
    (b"langsmith.metadata.", Carried::Plain),
    // Vercel up to 6, and 7.
    (b"ai.telemetry.metadata.", Carried::Plain),
    (b"ai.settings.context.", Carried::Plain),
    // LiteLLM v2, and v1.
    (b"litellm.metadata.", Carried::Plain),
    (b"metadata.", Carried::Plain),
    (b"mlflow.traceTag.", Carried::Json),
    // Baggage that a span processor copied. Nothing else of baggage is ever stored.
    (b"baggage.", Carried::Plain),
];

/// Our own key inside a carrier's. Asked only for keys that no table knows.
pub(crate) fn carried_key(key: &[u8]) -> Option<(&[u8], Carried)> {
    // Every prefix begins with one of these, and most keys with none.
    if !matches!(key.first(), Some(b't' | b'l' | b'a' | b'm' | b'b')) {
        return None;
    }
    let own = |rest: &[u8]| rest.starts_with(b"ai_audit.") || rest.starts_with(b"ai.audit.");
    PREFIXES.iter().find_map(|(prefix, how)| key.strip_prefix(*prefix).filter(|rest| own(rest)).map(|rest| (rest, *how)))
}

/// The application's own key inside a carrier's, whatever it is.
pub(super) fn inside(key: &[u8]) -> Option<&[u8]> {
    PREFIXES.iter().find_map(|(prefix, _)| key.strip_prefix(*prefix)).filter(|rest| !rest.is_empty())
}
