//! Keys that every vocabulary shares. They prove no dialect; on a span that is promoted anyway they mean what they say.

use super::{Look, Row, Side, To, later, row};
use crate::record::registry as member;

/// Attribute keys of spans, logs and exception events.
pub(super) const ROWS: &[Row] = &[
    later(4, "session.id", To::Member(member::ACTOR_SESSION_ID)),
    later(4, "user.id", To::Member(member::ACTOR_USER_ID)),
    later(5, "enduser.id", To::Fallback(member::ACTOR_USER_ID)),
    later(6, "enduser.pseudo.id", To::Fallback(member::ACTOR_USER_ID)),
    later(4, "enduser.role", To::Member(member::ACTOR_ROLE)),
    later(3, "error.type", To::Member(member::ERROR_TYPE)),
    later(4, "exception.type", To::Fallback(member::ERROR_TYPE)),
    row("exception.message", To::Side(Side::ErrorMessage, Look::Whole)),
    row("exception.stacktrace", To::Side(Side::Stacktrace, Look::Whole)),
    // A rule of a policy that was applied (semconv 1.30).
    later(5, "security_rule.uuid", To::Fallback(member::POLICY_ID)),
    later(5, "security_rule.version", To::Fallback(member::POLICY_VERSION)),
    later(5, "security_rule.ruleset.name", To::Fallback(member::POLICY_NAME)),
    row("server.address", To::KeepHost),
    row("server.port", To::Keep),
    row("http.response.status_code", To::Keep),
    row("http.request.method", To::Keep),
    row("http.route", To::Keep),
    row("rpc.system", To::Keep),
    // Never stored (`record.md` section 4).
    row("client.address", To::Withhold),
    row("client.port", To::Withhold),
    row("source.address", To::Withhold),
    row("net.peer.ip", To::Withhold),
    row("net.peer.name", To::Withhold),
    row("net.peer.port", To::Withhold),
    row("net.sock.peer.addr", To::Withhold),
    row("net.sock.peer.name", To::Withhold),
    row("network.peer.address", To::Withhold),
    row("network.peer.port", To::Withhold),
    row("http.client_ip", To::Withhold),
    row("http.user_agent", To::Withhold),
    row("user_agent.original", To::Withhold),
    row("user_agent.name", To::Withhold),
    row("user_agent.version", To::Withhold),
    row("browser.user_agent", To::Withhold),
    row("process.command", To::Withhold),
    row("process.command_args", To::Withhold),
    row("process.command_line", To::Withhold),
    row("process.owner", To::Withhold),
    row("process.user.name", To::Withhold),
    row("process.real_user.name", To::Withhold),
    row("process.saved_user.name", To::Withhold),
    row("host.name", To::Withhold),
    row("host.id", To::Withhold),
    row("host.ip", To::Withhold),
    row("host.mac", To::Withhold),
    row("os.user", To::Withhold),
];

/// Prefixes of what is never stored.
pub(crate) const WITHHELD_PREFIXES: &[&[u8]] = &[
    b"http.request.header.",
    b"http.response.header.",
    b"http.request.cookie",
    b"http.response.cookie",
    b"rpc.request.metadata.",
    b"rpc.response.metadata.",
    b"rpc.grpc.request.metadata.",
    b"rpc.grpc.response.metadata.",
    b"rpc.connect_rpc.request.metadata.",
    b"rpc.connect_rpc.response.metadata.",
    b"baggage.",
    b"cookie",
    // Vercel copies the headers of its request to the provider.
    b"ai.request.headers.",
];

/// Whether a key names what is never stored.
pub(crate) fn is_withheld(key: &[u8]) -> bool {
    matches!(key.first(), Some(b'h' | b'r' | b'b' | b'c' | b'a'))
        && WITHHELD_PREFIXES.iter().any(|p| key.starts_with(p))
        && !key.starts_with(b"baggage.ai_audit.")
        && !key.starts_with(b"baggage.ai.audit.")
}

/// Resource keys that `source` has members for, the better name first.
pub(crate) const RESOURCE_MEMBERS: &[(&str, member::Member)] = &[
    ("service.name", member::SOURCE_SERVICE),
    ("service.namespace", member::SOURCE_SERVICE_NAMESPACE),
    ("service.version", member::SOURCE_SERVICE_VERSION),
    ("service.instance.id", member::SOURCE_INSTANCE),
    ("deployment.environment.name", member::SOURCE_ENVIRONMENT),
    ("deployment.environment", member::SOURCE_ENVIRONMENT),
];

/// Resource keys kept in `source.resource`: about software and place, not about people.
pub(crate) const RESOURCE_KEEP: &[&str] = &[
    "telemetry.sdk.name",
    "telemetry.sdk.language",
    "telemetry.sdk.version",
    "telemetry.distro.name",
    "telemetry.distro.version",
    "telemetry.auto.version",
    "deployment.id",
    "deployment.name",
    "cloud.provider",
    "cloud.platform",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.deployment.name",
    "container.image.name",
    "container.image.tags",
    "faas.name",
    "faas.version",
    "host.arch",
    "os.type",
    "process.runtime.name",
    "process.runtime.version",
];
