//! Where an exporter sends: addresses taken apart, and what is wrong with one whatever spanseal is configured to ask.

use std::net::IpAddr;

use super::exporter::At;
use super::file::{Component, File, Said, Section, items, said};
use super::pipelines::is_used_for;
use super::{Kind, Notes};
use crate::config::yaml::{Mark, Node, Value};
use crate::plain::{HIDDEN, place_without_secrets};

/// Port of a replica that is named without one, for the load-balancing exporter.
const BALANCED_PORT: u16 = 4317;

/// Where an address stands that the exporter of OTLP/HTTP adds a path to for each signal.
pub(super) const ENDPOINT: &str = "endpoint";
/// The same for one signal, which counts whole.
pub(super) const TRACES_ENDPOINT: &str = "traces_endpoint";
pub(super) const LOGS_ENDPOINT: &str = "logs_endpoint";
const KEYS: [&str; 3] = [ENDPOINT, TRACES_ENDPOINT, LOGS_ENDPOINT];

/// An address that is sent to.
pub(super) struct Target {
    /// As it is shown.
    pub(super) text: String,
    pub(super) mark: Mark,
    /// The host; empty where only the Collector finds it.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    no_port: Option<NoPort>,
    /// What stands behind the host and the port, with the sign that ends them; it is not shown.
    pub(super) path: String,
    /// The key that it stands at.
    pub(super) key: &'static str,
    pub(super) scheme: String,
    pub(super) loopback: bool,
    /// Whether a variable has a part in it, so that another machine may have another.
    pub(super) variable: bool,
}

/// What stands where a port belongs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum NoPort {
    /// A number that no port has.
    Number,
    Text,
}

impl Target {
    /// The port that is spoken to; HTTP has one where none is written.
    pub(super) fn spoken_port(&self) -> Option<u16> {
        let of_scheme = match self.scheme.as_str() {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        };
        self.port.or(of_scheme.filter(|_| self.no_port.is_none()))
    }

    pub(super) fn is_socket(&self) -> bool {
        self.scheme == "unix"
    }

    /// `dns://server` alone, with which the Collector starts.
    fn asks_for_nothing(&self) -> bool {
        let behind = self.text.strip_prefix(&self.scheme).and_then(|text| text.strip_prefix("://")).unwrap_or_default();
        ASKING.contains(&self.scheme.as_str()) && self.host.is_empty() && !behind.trim_start_matches('/').is_empty()
    }

    /// Whether who listens there is reached by it, on the Collector's own machine.
    fn is_at(&self, host: &str, port: u16) -> bool {
        let ip = host.parse::<IpAddr>().ok();
        let is_everywhere = host.is_empty() || ip.is_some_and(|ip| ip.is_unspecified());
        let is_named = |host: &str| host.eq_ignore_ascii_case("localhost");
        let is_same = !host.is_empty() && host.eq_ignore_ascii_case(&self.host);
        // `localhost` is one of the loopback addresses; two of them are not the same.
        let is_loopback = self.loopback && (is_named(host) || is_named(&self.host) && ip.is_some_and(|ip| ip.is_loopback()));
        self.port == Some(port) && !self.is_socket() && (is_same || is_loopback || is_everywhere && self.loopback)
    }
}

/// Schemes of gRPC behind which it stands who is asked for the address, and the address behind the next slash.
const ASKING: [&str; 3] = ["dns", "passthrough", "xds"];

/// `host:port`, the scheme before it (`dns:///` is one of gRPC's) and the path behind it.
fn target(text: &str, mark: Mark) -> Target {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let slashes = rest.len() - rest.trim_start_matches('/').len();
    let (slashes, rest) = rest.split_at(slashes);
    let asked = ASKING.contains(&scheme) && slashes.is_empty();
    // Credentials do not belong there, and where they stand all the same they are not repeated. Behind a path there are none; whether somebody meant
    // some is not known, so that nothing of it is.
    let is_of_path = !asked && scheme != "unix" && rest.contains('@') && !authority_of(rest).contains('@');
    let rest = rest.rsplit_once('@').filter(|_| !is_of_path).map_or(rest, |(_, rest)| rest);
    let (asks, address) = match asked.then(|| rest.split_once('/')) {
        None => ("", rest),
        Some(None) => (rest, ""),
        Some(Some((asks, address))) => (asks, address),
    };
    let (authority, behind) = address.split_at(authority_of(address).len());
    let (host, port) = host_and_port(authority);
    let port = port.filter(|port| !(port.is_empty() && matches!(scheme, "http" | "https")));
    // A port alone is one of this machine.
    let host = if host.is_empty() && port.is_some() { "localhost" } else { host };
    let ip = host.parse::<IpAddr>().ok();
    let loopback = scheme == "unix" || host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
    // What stands behind the port may be a key.
    let shown = match scheme {
        "unix" => place_without_secrets(rest),
        _ if is_of_path => HIDDEN.to_owned(),
        _ if asked && !address.is_empty() => format!("{}/{authority}", place_without_secrets(asks)),
        _ => format!("{}{authority}", place_without_secrets(asks)),
    };
    Target {
        text: format!("{scheme}{}{slashes}{shown}", if scheme.is_empty() { "" } else { "://" }),
        mark,
        host: ip.map_or_else(|| host.to_owned(), |ip| ip.to_string()),
        port: port.and_then(|port| port.parse().ok()),
        no_port: port.filter(|port| port.parse::<u16>().is_err()).map(|port| match port.parse::<i64>() {
            Ok(_) => NoPort::Number,
            Err(_) => NoPort::Text,
        }),
        path: behind.to_owned(),
        key: ENDPOINT,
        scheme: scheme.to_owned(),
        loopback,
        variable: false,
    }
}

/// Host and port, and credentials before them.
fn authority_of(address: &str) -> &str {
    address.split(['/', '?', '#']).next().unwrap_or_default()
}

/// Where one colon stands, or brackets, the port is behind them; several colons alone are an address of IPv6.
fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    match authority.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        Some((host, behind)) => (host, behind.strip_prefix(':')),
        None => match authority.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            Some(_) | None => (authority, None),
        },
    }
}

/// Whether who listens there is reached from other machines, whatever a name stands for.
pub(super) fn is_beyond(endpoint: &str) -> bool {
    let (host, port) = host_and_port(endpoint);
    let is_own = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    port.is_some_and(|port| port.parse::<u16>().is_ok()) && !is_own
}

fn target_of(node: &Node) -> Option<Target> {
    let Said::Is(text, mark) = said(node) else { return None };
    let variable = matches!(&node.value, Value::Scalar(raw) if raw.contains("${"));
    Some(Target { variable, ..target(&text, mark) })
}

/// A replica that only its Collector finds: on another machine.
fn elsewhere(text: &str, mark: Mark) -> Target {
    Target { variable: true, host: String::new(), port: None, loopback: false, text: text.to_owned(), ..target("", mark) }
}

/// Whether an address, or the variable that holds it, has spanseal's name in it.
pub(super) fn names_spanseal(exporter: &Component<'_>) -> bool {
    let is_ours = |node: &Node| matches!(&node.value, Value::Scalar(raw) if raw.to_ascii_lowercase().contains("spanseal"));
    let found = [&["resolver", "dns", "hostname"], &["resolver", "k8s", "service"]].map(|path| exporter.node(path));
    addresses(exporter).chain(found.into_iter().flatten()).any(is_ours)
}

/// The addresses that an exporter writes; `None` is one that is not known here. What a resolver finds is not among them.
pub(super) fn written(exporter: &Component<'_>) -> Vec<Option<Target>> {
    addresses(exporter).map(target_of).collect()
}

fn addresses<'n>(exporter: &Component<'n>) -> impl Iterator<Item = &'n Node> {
    let own = KEYS.map(|key| exporter.node(&[key]));
    own.into_iter().flatten().chain(items(exporter.node(&["resolver", "static", "hostnames"])))
}

/// The addresses of an exporter of OTLP.
pub(super) fn named(at: &At<'_, '_>, file: &File<'_>, notes: &mut Notes) -> Vec<Target> {
    let own = own_addresses(file);
    let mut targets = Vec::new();
    for key in KEYS.into_iter().filter(|key| says_where(at, key)) {
        let Some(node) = at.node(&[key]) else { continue };
        let Some(target) = target_of(node) else {
            notes.unjudged(node.mark, at.id(), format!("`{key}` is not known here: neither its port nor whether it leaves the machine"));
            continue;
        };
        let target = Target { key, ..target };
        if at.is_grpc() {
            form_of_grpc(at, &target, notes);
            takes_turns(at, &target, notes);
        } else {
            form_of_http(at, &target, notes);
        }
        if own.iter().any(|(host, port)| target.is_at(host, *port)) {
            notes.found(
                Kind::EndpointWrong,
                target.mark,
                at.id(),
                format!("`{}` is this Collector's own receiver: telemetry goes in circles and never arrives", target.text),
                "the address of spanseal, on a port of its own",
            );
        }
        targets.push(target);
    }
    missing(at, file, notes);
    apart(at, file, &targets, notes);
    targets
}

/// An empty text is none, and `print-config` writes one for what is not there.
fn says_where(at: &At<'_, '_>, key: &'static str) -> bool {
    !matches!(at.said(&[key]), Said::Nothing) && !matches!(at.said(&[key]), Said::Is(text, _) if text.is_empty())
}

/// An address that an exporter of OTLP/gRPC does not take, or takes and reaches nobody at.
fn form_of_grpc(at: &At<'_, '_>, target: &Target, notes: &mut Notes) {
    const PORT: &str = "the port of spanseal's OTLP/gRPC behind it, as in `:4317`";
    let (text, refused) = (&target.text, at.when_refused());
    let (kind, says, instead) = match (target.port, target.no_port) {
        _ if target.asks_for_nothing() => (
            Kind::EndpointWrong,
            format!("`{text}` names whom to ask for an address, and no address: nothing arrives"),
            format!("one slash more: `{}:///host:port`", target.scheme),
        ),
        _ if target.is_socket() => return,
        (None, None) => (Kind::DoesNotStart, format!("`{text}` names no port: {refused}"), PORT.to_owned()),
        (None, Some(NoPort::Number)) => (Kind::EndpointWrong, no_such_port(text), PORT.to_owned()),
        (None, Some(NoPort::Text)) => {
            (Kind::DoesNotStart, format!("what stands behind the colon of `{text}` is no port: {refused}"), PORT.to_owned())
        }
        (Some(_), _) if !target.path.is_empty() => (
            Kind::DoesNotStart,
            format!("`{text}` has a path, or a slash alone, behind the port: {refused}"),
            "the address without it, as in http://127.0.0.1:4317".to_owned(),
        ),
        (Some(_), _) => return,
    };
    notes.found(kind, target.mark, at.id(), says, instead);
}

/// The same of one of OTLP/HTTP. What stands behind the port is compared with what spanseal serves.
fn form_of_http(at: &At<'_, '_>, target: &Target, notes: &mut Notes) {
    let text = &target.text;
    let (kind, says, instead) = match target.no_port {
        _ if !matches!(target.scheme.as_str(), "http" | "https") => (
            Kind::EndpointWrong,
            format!("`{text}` does not begin with http:// or https://, and OTLP/HTTP is sent to nothing else: nothing arrives"),
            "the address with its scheme, as in http://127.0.0.1:4318",
        ),
        Some(NoPort::Number) => (Kind::EndpointWrong, no_such_port(text), "the port of spanseal's OTLP/HTTP, as in http://127.0.0.1:4318"),
        Some(NoPort::Text) => (
            Kind::DoesNotStart,
            format!("what stands behind the colon of `{text}` is no port: {}", at.when_refused()),
            "the port of spanseal's OTLP/HTTP, as in http://127.0.0.1:4318",
        ),
        None => return,
    };
    notes.found(kind, target.mark, at.id(), says, instead);
}

fn no_such_port(text: &str) -> String {
    format!("`{text}`: ports end at {}, so nothing arrives", u16::MAX)
}

/// An exporter of OTLP/gRPC that has several addresses of one name.
fn takes_turns(at: &At<'_, '_>, target: &Target, notes: &mut Notes) {
    let is_name = !target.host.is_empty() && target.host.parse::<IpAddr>().is_err() && !target.loopback && !target.is_socket();
    if is_name && !matches!(at.said(&["balancer_name"]), Said::Is(name, _) if name == "pick_first") {
        let says = format!(
            "where `{}` stands for several addresses (a headless service), this exporter takes turns among them: one trace comes into several \
             logs, and what is sent again is not recognised. One address, or a loadbalancing exporter by trace id, keeps it together",
            target.host
        );
        notes.note(target.mark, at.id(), says);
    }
}

/// Each signal of a pipeline needs an address: `endpoint`, or with OTLP/HTTP one of its own.
fn missing(at: &At<'_, '_>, file: &File<'_>, notes: &mut Notes) {
    const SIGNALS: [(&str, &str); 4] =
        [("traces", TRACES_ENDPOINT), ("logs", LOGS_ENDPOINT), ("metrics", "metrics_endpoint"), ("profiles", "profiles_endpoint")];
    const INSTEAD: &str = "`endpoint` with the address of spanseal";
    if says_where(at, ENDPOINT) {
        return;
    }
    let mark = at.component.mark;
    if at.is_grpc() || SIGNALS.iter().all(|(_, key)| !says_where(at, key)) {
        return notes.found(Kind::DoesNotStart, mark, at.id(), "names no endpoint: the Collector does not start", INSTEAD);
    }
    for (signal, key) in SIGNALS.into_iter().filter(|(signal, key)| is_used_for(file, at.component, signal) && !says_where(at, key)) {
        let says = format!("is in a pipeline of {signal}, and has neither `endpoint` nor `{key}`: the Collector does not start");
        notes.found(Kind::DoesNotStart, mark, at.id(), says, INSTEAD);
    }
}

/// Traces and logs that one exporter sends to two places: who takes it for spanseal's by one of them knows nothing of the other.
fn apart(at: &At<'_, '_>, file: &File<'_>, targets: &[Target], notes: &mut Notes) {
    let place = |signal: &str, own: &'static str| {
        let key = if says_where(at, own) { own } else { ENDPOINT };
        targets.iter().find(|target| target.key == key).filter(|_| is_used_for(file, at.component, signal))
    };
    let (Some(traces), Some(logs)) = (place("traces", TRACES_ENDPOINT), place("logs", LOGS_ENDPOINT)) else { return };
    let is_same_host = traces.host.eq_ignore_ascii_case(&logs.host) || traces.loopback && logs.loopback;
    if !is_same_host || traces.spoken_port() != logs.spoken_port() {
        let says = format!("sends traces to `{}` and logs to `{}`: whether both are spanseal's is not known here", traces.text, logs.text);
        notes.unjudged(logs.mark, at.id(), says);
    }
}

/// Hosts and ports that this Collector itself takes OTLP on; an empty host is every one.
fn own_addresses(file: &File<'_>) -> Vec<(String, u16)> {
    let mut addresses = Vec::new();
    for receiver in file.receivers.iter().filter(|receiver| receiver.kind() == "otlp") {
        for (protocol, default) in [("grpc", 4317), ("http", 4318)] {
            if receiver.section(&["protocols", protocol]) != Section::Present {
                continue;
            }
            match receiver.said(&["protocols", protocol, "endpoint"]) {
                Said::Nothing => addresses.push(("localhost".to_owned(), default)),
                Said::Is(text, _) => addresses.extend(text.rsplit_once(':').and_then(|(host, port)| {
                    let host = host.trim_start_matches('[').trim_end_matches(']');
                    Some((host.to_owned(), port.parse::<u16>().ok()?))
                })),
                Said::Unknown(_) => {}
            }
        }
    }
    addresses.retain(|(_, port)| *port != 0);
    addresses
}

/// The replicas of a load-balancing exporter. Those that a resolver finds are on other machines, and their port stands with the resolver.
pub(super) fn balanced(at: &At<'_, '_>, notes: &mut Notes) -> Vec<Target> {
    let hosts = items(at.node(&["resolver", "static", "hostnames"])).iter();
    let mut targets: Vec<Target> = hosts
        .map(|node| match target_of(node) {
            // It adds the port where no colon stands.
            Some(target) if !target.text.contains(':') => Target { port: Some(BALANCED_PORT), ..target },
            Some(target) => target,
            None => elsewhere("a replica", node.mark),
        })
        .collect();
    if at.is_present(&["resolver", "dns"]) {
        targets.extend(resolved(at, &["resolver", "dns", "hostname"], port_of_dns(at, notes)));
    }
    if at.is_present(&["resolver", "k8s"]) {
        let ports = ports_of_k8s(at, notes).into_iter();
        targets.extend(ports.flat_map(|port| resolved(at, &["resolver", "k8s", "service"], Some(port))));
    }
    // Where none is written there, each replica is registered with its own.
    if at.is_written(&["resolver", "aws_cloud_map", "port"]) {
        targets.extend(resolved(at, &[], port_at(at, &["resolver", "aws_cloud_map", "port"], notes)));
    }
    if targets.is_empty() {
        targets.push(elsewhere("what the resolver finds", at.place(&["resolver"])));
    }
    targets
}

/// What a resolver finds by a name, or by something else, at a port that stands with it.
fn resolved(at: &At<'_, '_>, name: &[&'static str], port: Option<(u16, Mark)>) -> Option<Target> {
    let (port, mark) = port?;
    let host = match at.said(name) {
        Said::Is(host, _) => host,
        Said::Nothing | Said::Unknown(_) => {
            let text = format!("what the resolver finds, at port {port}");
            return Some(Target { port: Some(port), variable: false, ..elsewhere(&text, mark) });
        }
    };
    Some(target(&format!("{host}:{port}"), mark))
}

fn port_of_dns(at: &At<'_, '_>, notes: &mut Notes) -> Option<(u16, Mark)> {
    const PORT: [&str; 3] = ["resolver", "dns", "port"];
    match at.said(&PORT) {
        Said::Nothing => Some((BALANCED_PORT, at.place(&PORT))),
        Said::Is(text, mark) if text.is_empty() => Some((BALANCED_PORT, mark)),
        Said::Is(..) | Said::Unknown(_) => port_at(at, &PORT, notes),
    }
}

/// Each replica is sent to at each of these.
fn ports_of_k8s(at: &At<'_, '_>, notes: &mut Notes) -> Vec<(u16, Mark)> {
    const PORTS: [&str; 3] = ["resolver", "k8s", "ports"];
    match at.node(&PORTS).map(|node| (&node.value, node.mark)) {
        None | Some((Value::Null, _)) => vec![(BALANCED_PORT, at.place(&PORTS))],
        Some((Value::List(ports), mark)) if ports.is_empty() => vec![(BALANCED_PORT, mark)],
        Some((Value::List(ports), _)) => ports.iter().filter_map(|node| port_said(at, "resolver.k8s.ports", said(node), notes)).collect(),
        // One alone counts as a list of one.
        Some((Value::Scalar(_) | Value::Map(_), _)) => port_at(at, &PORTS, notes).into_iter().collect(),
    }
}

fn port_at(at: &At<'_, '_>, path: &[&'static str], notes: &mut Notes) -> Option<(u16, Mark)> {
    port_said(at, &path.join("."), at.said(path), notes)
}

/// A port; what is none is told.
fn port_said(at: &At<'_, '_>, name: &str, said: Said, notes: &mut Notes) -> Option<(u16, Mark)> {
    let (mark, what) = match said {
        Said::Is(text, mark) => match text.parse::<u16>() {
            Ok(port) if port != 0 => return Some((port, mark)),
            Ok(_) | Err(_) => (mark, "understood"),
        },
        Said::Unknown(mark) => (mark, "known"),
        Said::Nothing => return None,
    };
    notes.unjudged(mark, at.id(), format!("`{name}` is not {what} here: whether spanseal listens there"));
    None
}

/// How many replicas are known to be sent to, at least one.
pub(super) fn replicas(exporter: &Component<'_>) -> u32 {
    u32::try_from(items(exporter.node(&["resolver", "static", "hostnames"])).len()).unwrap_or(u32::MAX).max(1)
}

/// A list that nobody changes keeps a replica that is away.
pub(super) fn note_static(exporter: &Component<'_>, notes: &mut Notes) {
    const STATIC: [&str; 3] = ["resolver", "static", "hostnames"];
    if items(exporter.node(&STATIC)).len() > 1 {
        let says = "a static list keeps a replica that is away: what belongs to it is tried again and again, and holds up what waits behind it. \
                    Where replicas may be away for long, a resolver that takes them off the list (`dns`, `k8s`) lets others take over";
        notes.note(exporter.place(&STATIC), &exporter.id, says);
    }
}

/// Whether what is sent there is encrypted, as the Collector decides it; `None` where that is not known.
pub(super) fn is_encrypted(at: &At<'_, '_>, target: &Target) -> Option<bool> {
    if !at.is_grpc() {
        return match target.scheme.as_str() {
            "https" => Some(true),
            "http" => Some(false),
            _ => None,
        };
    }
    // `insecure` counts for nothing beside an authority or `https://`.
    let has_authority = ["ca_file", "ca_pem"].iter().any(|key| at.is_written(&["tls", key]));
    if has_authority || target.scheme == "https" {
        return Some(true);
    }
    match at.said(&["tls", "insecure"]) {
        Said::Nothing => Some(true),
        Said::Is(text, _) => Some(text != "true"),
        Said::Unknown(_) => None,
    }
}

/// Plain text off the machine, or a peer whom nobody checks.
pub(super) fn judge_encryption(at: &At<'_, '_>, targets: &[Target], notes: &mut Notes) {
    const ASKED: &str = "and `cert_file` and `key_file` where spanseal asks for a client certificate";
    let by_address = dials_addresses(at.component);
    let instead = match by_address {
        true => format!("`tls: {{ca_file: ..., server_name_override: NAME}}` with a name of its certificate, {ASKED}"),
        false => format!("`tls: {{ca_file: ...}}`, {ASKED}"),
    };
    // Both are told where they are not known.
    let insecure = at.flag(&["tls", "insecure"], false, false, notes);
    let unchecked = at.flag(&["tls", "insecure_skip_verify"], false, false, notes);
    for target in targets.iter().filter(|target| !target.loopback) {
        let mark = if insecure || unchecked { at.place(&["tls"]) } else { target.mark };
        if is_encrypted(at, target) == Some(false) {
            let says =
                format!("telemetry goes to {} in plain text: whoever is on the way reads prompts and may change evidence", target.text);
            notes.found(Kind::NotEncrypted, mark, at.id(), says, &instead);
        } else if unchecked {
            let says = format!("the certificate of {} is not checked, so somebody else may answer for spanseal", target.text);
            notes.found(Kind::NotEncrypted, mark, at.id(), says, format!("no `insecure_skip_verify`, and {instead}"));
        }
    }
    // The name that the certificate is compared with.
    let is_named = at.is_written(&["tls", "server_name_override"]) || at.is_written(&["authority"]);
    if by_address && !is_named && !unchecked && targets.iter().any(|target| is_encrypted(at, target) == Some(true)) {
        let says = "the addresses that the resolver finds are dialled, and a certificate that names hosts alone is refused there: nothing arrives, \
                    unless it names these addresses (IP SANs), or `server_name_override` under `tls` says which of its names to look for";
        notes.unjudged(at.place(&["tls"]), at.id(), says);
    }
}

/// Whether a load-balancing exporter dials what its resolver finds, and that are addresses of IP.
fn dials_addresses(exporter: &Component<'_>) -> bool {
    let is_present = |resolver: &str| exporter.section(&["resolver", resolver]) == Section::Present;
    let by_name = matches!(exporter.said(&["resolver", "k8s", "return_hostnames"]), Said::Is(text, _) if text == "true");
    exporter.is_balancer() && (is_present("dns") || is_present("k8s") && !by_name || is_present("aws_cloud_map"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{GRPC, HTTP, checked, checked_with, kinds, listening};
    use super::*;

    const BALANCED: &str = r#"
receivers:
  otlp: {protocols: {grpc: {max_recv_msg_size_mib: 14}}}
exporters:
  loadbalancing/spanseal:
    timeout: 60s
    retry_on_failure: {enabled: true, initial_interval: 1s, max_elapsed_time: 0s}
    sending_queue: {wait_for_result: true, block_on_overflow: true, num_consumers: 100}
    protocol: {otlp: {timeout: 30s, tls: {insecure: true}, sending_queue: {enabled: false}}}
    resolver: RESOLVER
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [loadbalancing/spanseal]}
"#;

    /// Scenario: a load balancer whose replicas are found by a resolver. Guarantee: the port that stands with the resolver, or that it takes
    /// where none does, is compared with those of spanseal as an exporter's endpoint is.
    #[test]
    fn ports_of_resolvers_are_compared() {
        let with = |resolver: &str, grpc: u16, http: u16| checked_with(&BALANCED.replace("RESOLVER", resolver), &listening(grpc, http));
        for (resolver, says) in [
            ("{static: {hostnames: [localhost]}}", "`localhost`: port 4317 is"),
            ("{static: {hostnames: ['localhost:4317']}}", "`localhost:4317`: port 4317 is"),
            ("{dns: {hostname: localhost}}", "`localhost:4317`: port 4317 is"),
            ("{dns: {hostname: localhost, port: ''}}", "`localhost:4317`: port 4317 is"),
            ("{dns: {hostname: localhost, port: 4317}}", "`localhost:4317`: port 4317 is"),
            ("{k8s: {service: seal.audit}}", "`seal.audit:4317`: port 4317 is"),
            ("{k8s: {service: seal.audit, ports: []}}", "`seal.audit:4317`: port 4317 is"),
            ("{k8s: {service: seal.audit, ports: [1, \"4317\"]}}", "`seal.audit:4317`: port 4317 is"),
            ("{k8s: {service: seal.audit, ports: 4317}}", "`seal.audit:4317`: port 4317 is"),
            ("{k8s: {service: \"${env:SERVICE}\", ports: [4317]}}", "`what the resolver finds, at port 4317`: port 4317 is"),
            ("{aws_cloud_map: {service_name: seal, port: 4317}}", "`what the resolver finds, at port 4317`: port 4317 is"),
        ] {
            let wrong = with(resolver, 14317, 4317);
            assert!(kinds(&wrong).contains("endpoint_wrong"), "{resolver}: {wrong:#?}");
            let found = wrong.findings.iter().find(|found| found.says.contains(says)).unwrap_or_else(|| panic!("{resolver}: {wrong:#?}"));
            assert!(found.says.contains("spanseal's for OTLP/HTTP") && found.line == 10, "{found:?}");
            assert!(!kinds(&with(resolver, 4317, 14318)).contains("endpoint_wrong"), "{resolver}");
        }
        // Of another machine nobody knows.
        let other = with("{dns: {hostname: seal}}", 14317, 14318);
        assert!(!kinds(&other).contains("endpoint_wrong"), "{other:#?}");
        assert!(other.unjudged.iter().any(|told| told.says.starts_with("`seal:4317`: port 4317 is none of spanseal's")), "{other:#?}");
        // What is not known is told, and each replica that is registered with its own port has that.
        for (resolver, name) in [
            ("{dns: {hostname: seal, port: \"${env:PORT}\"}}", "`resolver.dns.port` is not known"),
            ("{dns: {hostname: seal, port: otlp}}", "`resolver.dns.port` is not understood"),
            ("{k8s: {service: seal, ports: [\"${env:PORT}\"]}}", "`resolver.k8s.ports` is not known"),
            ("{k8s: {service: seal, ports: \"${env:PORTS}\"}}", "`resolver.k8s.ports` is not known"),
            ("{aws_cloud_map: {port: 0}}", "`resolver.aws_cloud_map.port` is not understood"),
        ] {
            let told = with(resolver, 14317, 4317);
            assert!(told.unjudged.iter().any(|told| told.says.starts_with(name)), "{resolver}: {told:#?}");
            assert!(!kinds(&told).contains("endpoint_wrong"), "{resolver}: {told:#?}");
        }
        let registered = with("{aws_cloud_map: {service_name: seal}}", 14317, 4317);
        assert!(!registered.unjudged.iter().any(|told| told.component == "loadbalancing/spanseal"), "{registered:#?}");
        assert_eq!(kinds(&registered), "not_encrypted", "{registered:#?}");
    }

    /// An address of this machine is one without a port, too; an exporter of OTLP/gRPC does not start without it.
    #[test]
    fn without_a_port_this_machine_is_this_machine() {
        let receiving = super::super::Receiving { is_configured: false, ..listening(14317, 14318) };
        let with = |kind: &str, endpoint: &str| checked_with(&GRPC.replace("KIND", kind).replace("ENDPOINT", endpoint), &receiving);
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let grpc = with("otlp_grpc", host);
            assert_eq!(kinds(&grpc), "does_not_start", "{grpc:#?}");
            assert!(grpc.findings[0].says.contains("names no port"), "{grpc:#?}");
            let http = with("otlp_http", &format!("http://{host}"));
            assert_eq!(kinds(&http), "", "{http:#?}");
        }
        assert_eq!(kinds(&with("otlp_http", "http://[2001:db8::1]")), "not_encrypted");
    }

    /// A number that no port has is no missing one: the Collector starts, and reaches nobody.
    #[test]
    fn what_is_no_port_is_said_as_it_is() {
        let receiving = super::super::Receiving { is_configured: false, ..listening(14317, 14318) };
        for (kind, endpoint, expected, says) in [
            ("otlp_grpc", "127.0.0.1:99999", "endpoint_wrong", "ports end at 65535"),
            ("otlp_grpc", "127.0.0.1:", "does_not_start", "is no port"),
            ("otlp_grpc", "127.0.0.1:otlp", "does_not_start", "is no port"),
            ("otlp_http", "http://127.0.0.1:99999", "endpoint_wrong", "ports end at 65535"),
            ("otlp_http", "http://127.0.0.1:otlp", "does_not_start", "is no port"),
        ] {
            let report = checked_with(&GRPC.replace("KIND", kind).replace("ENDPOINT", endpoint), &receiving);
            assert_eq!(kinds(&report), expected, "{endpoint}: {report:#?}");
            assert!(report.findings[0].says.contains(says), "{endpoint}: {report:#?}");
        }
        assert_eq!(kinds(&checked_with(&GRPC.replace("KIND", "otlp_http").replace("ENDPOINT", "http://127.0.0.1:"), &receiving)), "");
    }

    /// A port alone is one of this machine: nothing leaves it, and it may be the Collector's own.
    #[test]
    fn a_port_alone_is_this_machine() {
        let with = |endpoint: &str, own: &str| {
            let text = GRPC.replace("KIND", "otlp_grpc").replace("ENDPOINT", endpoint);
            checked(&text.replace("grpc: {}", &format!("grpc: {{endpoint: '{own}'}}")))
        };
        assert_eq!(kinds(&with(":14317", "127.0.0.1:4317")), "");
        assert_eq!(kinds(&with(":14319", "127.0.0.1:4317")), "endpoint_wrong");
        for own in ["0.0.0.0:5317", "127.0.0.1:5317", "localhost:5317", ":5317"] {
            let report = with(":5317", own);
            let is_circle = report.findings.iter().any(|found| found.says.contains("in circles"));
            assert!(is_circle, "{own}: {report:#?}");
        }
    }

    /// Scenario: an exporter of OTLP/HTTP with addresses for one signal each. Guarantee: a signal without one stops the Collector, and where two of
    /// them lead to two places, that is told.
    #[test]
    fn each_signal_has_its_own_address() {
        let receiving = super::super::Receiving { is_configured: false, ..listening(14317, 14318) };
        let with = |addresses: &str| {
            let text = HTTP.replace("MORE", "").replace(", QUEUE", "").replace("endpoint: http://127.0.0.1:14318", addresses);
            checked_with(&text, &receiving)
        };
        const TRACES: &str = "traces_endpoint: http://127.0.0.1:14318/v1/traces";
        let none = with(TRACES);
        assert_eq!(kinds(&none), "does_not_start", "{none:#?}");
        assert!(none.findings[0].says.contains("neither `endpoint` nor `logs_endpoint`"), "{none:#?}");
        assert_eq!(kinds(&with("logs_endpoint: http://127.0.0.1:14318/v1/logs\n    endpoint: ''")), "does_not_start");
        assert_eq!(kinds(&with("endpoint: ''")), "does_not_start");
        for (other, is_told) in [
            ("endpoint: https://vendor.example.com", true),
            ("logs_endpoint: https://vendor.example.com/v1/logs", true),
            ("endpoint: http://127.0.0.1:14319", true),
            ("endpoint: http://127.0.0.1:14318\n    logs_endpoint: ''", false),
            ("endpoint: http://localhost:14318", false),
            // Which both signals have passed by.
            ("endpoint: https://vendor.example.com\n    logs_endpoint: http://127.0.0.1:14318/v1/logs", false),
        ] {
            let report = with(&format!("{TRACES}\n    {other}"));
            let told = report.unjudged.iter().find(|told| told.says.starts_with("sends traces to `http://127.0.0.1:14318` and logs to"));
            assert_eq!((kinds(&report).as_str(), told.is_some()), ("", is_told), "{other}: {report:#?}");
            assert!(told.is_none_or(|told| told.line == 7), "{told:?}");
        }
    }

    /// Forms of endpoints that the exporters take.
    #[test]
    fn endpoints_are_taken_apart() {
        for (text, host, port, loopback, scheme, shown) in [
            ("127.0.0.1:4317", "127.0.0.1", Some(4317), true, "", "127.0.0.1:4317"),
            ("[::1]:4317", "::1", Some(4317), true, "", "[::1]:4317"),
            ("localhost:4317", "localhost", Some(4317), true, "", "localhost:4317"),
            ("spanseal:4317", "spanseal", Some(4317), false, "", "spanseal:4317"),
            ("localhost.example.com:4317", "localhost.example.com", Some(4317), false, "", "localhost.example.com:4317"),
            ("dns:///spanseal:4317", "spanseal", Some(4317), false, "dns", "dns:///spanseal:4317"),
            ("dns://10.0.0.2/spanseal:4317", "spanseal", Some(4317), false, "dns", "dns://10.0.0.2/spanseal:4317"),
            ("dns://10.0.0.2:53/127.0.0.1:4317", "127.0.0.1", Some(4317), true, "dns", "dns://10.0.0.2:53/127.0.0.1:4317"),
            ("dns://spanseal:4317", "", None, false, "dns", "dns://spanseal:4317"),
            ("passthrough://a/localhost:4317", "localhost", Some(4317), true, "passthrough", "passthrough://a/localhost:4317"),
            ("unix:///run/spanseal.sock", "run", None, true, "unix", "unix:///run/spanseal.sock"),
            ("http://127.0.0.1:4318/", "127.0.0.1", Some(4318), true, "http", "http://127.0.0.1:4318"),
            ("https://me:hush@audit.example.com:4318", "audit.example.com", Some(4318), false, "https", "https://audit.example.com:4318"),
            ("audit.example.com/v1?api-key=hush", "audit.example.com", None, false, "", "audit.example.com"),
            ("https://audit.example.com/v1?api-key=hush", "audit.example.com", None, false, "https", "https://audit.example.com"),
            ("audit.example.com", "audit.example.com", None, false, "", "audit.example.com"),
            ("http://127.0.0.1:4318/x?key=me@hush", "127.0.0.1", Some(4318), true, "http", "http://***"),
            ("http://me:hu/sh@127.0.0.1:4318", "me", None, false, "http", "http://***"),
            // Without a port the machine is the same.
            ("127.0.0.1", "127.0.0.1", None, true, "", "127.0.0.1"),
            ("localhost", "localhost", None, true, "", "localhost"),
            ("[::1]", "::1", None, true, "", "[::1]"),
            ("::1", "::1", None, true, "", "::1"),
            ("http://[0::1]/", "::1", None, true, "http", "http://[0::1]"),
            ("https://127.0.0.1/v1", "127.0.0.1", None, true, "https", "https://127.0.0.1"),
            ("[2001:db8::1]", "2001:db8::1", None, false, "", "[2001:db8::1]"),
            // A port alone is one of this machine.
            (":4317", "localhost", Some(4317), true, "", ":4317"),
            ("http://:4318", "localhost", Some(4318), true, "http", "http://:4318"),
            ("127.0.0.1:99999", "127.0.0.1", None, true, "", "127.0.0.1:99999"),
        ] {
            let target = target(text, Mark::default());
            let parts = (target.host.as_str(), target.port, target.loopback, target.scheme.as_str(), target.text.as_str());
            assert_eq!(parts, (host, port, loopback, scheme, shown), "{text}");
        }
    }

    /// The exporter of OTLP/HTTP wants a scheme, and takes these two alone.
    #[test]
    fn http_without_a_scheme_is_found() {
        for (endpoint, expected) in
            [("http://127.0.0.1:14318", ""), ("127.0.0.1:14318", "endpoint_wrong"), ("unix:///run/x", "endpoint_wrong")]
        {
            let report = checked(&GRPC.replace("KIND", "otlp_http").replace("ENDPOINT", endpoint));
            assert_eq!(kinds(&report), expected, "{endpoint}: {report:#?}");
        }
    }

    /// A path or a query may hold a key: it is never shown.
    #[test]
    fn nothing_behind_the_port_is_shown() {
        for endpoint in [
            "http://seal.example.com:4317/hushhush/v1",
            "seal.example.com:4317?hushhush",
            "https://seal.example.com/hushhush",
            "dns:///hushhush",
        ] {
            for kind in ["otlp_grpc", "otlp_http"] {
                let report = checked(&GRPC.replace("KIND", kind).replace("ENDPOINT", endpoint));
                let report = format!("{:?}", (&report.findings, &report.unjudged, &report.notes));
                assert!(!report.contains("hushhush") || endpoint.starts_with("dns"), "{kind} {endpoint}: {report}");
            }
        }
        let report = checked(&GRPC.replace("KIND", "otlp_http").replace("ENDPOINT", "http://seal.example.com:4317/hushhush/v1"));
        assert!(report.findings.iter().any(|found| found.says.contains("http://seal.example.com:4317")), "{report:#?}");
    }
}
