//! OpenTelemetry for the Model Context Protocol (semconv 1.39). Most of the protocol is chatter: `detect` promotes only methods that reach a
//! tool, a prompt, a resource, a model or a person.

use super::{Row, To, later, row};
use crate::record::registry::{self as member, Kind};

/// Attribute keys.
pub(super) const ROWS: &[Row] = &[
    row(METHOD, To::Keep),
    // The transport's session, which the protocol gave up in 2026; no session of a user.
    row("mcp.session.id", To::Keep),
    row("mcp.protocol.version", To::Keep),
    later(2, "mcp.resource.uri", To::Member(member::RETRIEVAL_DATA_SOURCE_ID)),
    row("jsonrpc.request.id", To::Keep),
    row("jsonrpc.protocol.version", To::Keep),
    row("rpc.response.status_code", To::Keep),
];

/// The method.
pub(crate) const METHOD: &str = "mcp.method.name";

/// What a method does, where no operation says it. Prompts that are fetched, completions of arguments and questions to a person are events.
pub(crate) fn kind_of_method(method: &str) -> Option<Kind> {
    Some(match method {
        "tools/call" => Kind::Tool,
        "resources/read" => Kind::Retrieval,
        "sampling/createMessage" => Kind::Inference,
        _ => Kind::Event,
    })
}
