//! What spanseal asks of who sends to it, compared with what the exporter does: the port, TLS, a client certificate, a token.
//!
//! Found is what is surely so: the exporter speaks to spanseal's own listener, on the same machine or by the very address that is listened
//! on. With another host a proxy or a load balancer may stand between the two, end TLS, show a certificate, listen on another port: then
//! the difference is told and not judged. So it is with a token: proxies and other Collectors add one.
//!
//! Without a configuration of spanseal only the ports are compared, with the default ones.

use std::net::IpAddr;

use super::exporter::At;
use super::file::{Component, Said, items, said};
use super::target::{self, LOGS_ENDPOINT, TRACES_ENDPOINT, Target, is_encrypted};
use super::{Kind, Notes, Receiving};
use crate::config::yaml::{Mark, Node, Value};
use crate::config::{Endpoint, Listener};

/// How an exporter comes to a listener of spanseal.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// At this very listener.
    Straight,
    /// Nobody knows what stands between the two.
    Perhaps,
}

/// Judges where an exporter sends, and what it shows there. `proof` is the extension that it proves itself by.
pub(super) fn judge(at: &At<'_, '_>, targets: &[Target], proof: Option<&Component<'_>>, receiving: &Receiving, notes: &mut Notes) {
    let own = if at.is_grpc() { &receiving.grpc } else { &receiving.http };
    for target in targets {
        port(at, target, receiving, notes);
        if let Some(own) = receiving.http.as_ref().filter(|_| !at.is_grpc()) {
            let is_straight = receiving.is_configured && way(target, &own.endpoint) == Way::Straight;
            path(at, target, if is_straight { Way::Straight } else { Way::Perhaps }, notes);
        }
    }
    if proof.is_some_and(|proof| proof.kind() == "bearertokenauth") {
        sends_token(at, targets, notes);
    }
    let Some(own) = own.as_ref().filter(|_| receiving.is_configured) else { return };
    for target in targets {
        encryption(at, target, own, notes);
    }
    // Only what is asked for.
    let asks_for_certificate = own.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
    let unread = match (own.token_file.is_some(), asks_for_certificate) {
        (true, true) => Some("its token is one of spanseal's, and its certificate one that spanseal takes,"),
        (true, false) => Some("its token is one of spanseal's"),
        (false, true) => Some("its certificate is one that spanseal takes"),
        (false, false) => None,
    };
    if let Some(unread) = unread {
        notes.note(at.component.mark, at.id(), format!("whether {unread} is not looked at here: their files are not read"));
    }
    if own.token_file.is_some() {
        let straight = targets.iter().any(|target| way(target, &own.endpoint) == Way::Straight);
        token(at, proof, if straight { Way::Straight } else { Way::Perhaps }, notes);
    }
}

/// Where the addresses of an exporter lead.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Leads {
    /// To spanseal: its name stands in one of them, or its listener is one of them.
    Here,
    /// To others, all of them.
    Elsewhere,
    Unknown,
}

/// Whether an exporter leads to spanseal, as its addresses tell.
pub(super) fn leads_to(exporter: &Component<'_>, receiving: &Receiving) -> Leads {
    let listener = if exporter.is_grpc() || exporter.is_balancer() { &receiving.grpc } else { &receiving.http };
    let own = listener.as_ref().filter(|_| receiving.is_configured).map(|listener| &listener.endpoint);
    let written = target::written(exporter);
    let is_listener = written.iter().flatten().any(|target| own.is_some_and(|own| way(target, own) == Way::Straight));
    if is_listener || target::names_spanseal(exporter) {
        return Leads::Here;
    }
    let is_told = |target: &Option<Target>| target.as_ref().is_some_and(|target| !target.variable);
    if !written.is_empty() && written.iter().all(is_told) { Leads::Elsewhere } else { Leads::Unknown }
}

fn way(target: &Target, own: &Endpoint) -> Way {
    let same_host = target.host == own.host || reaches(target, own) == Some(true);
    if same_host && own.port != 0 && target.spoken_port() == Some(own.port) { Way::Straight } else { Way::Perhaps }
}

/// Whether an address of the Collector's own machine reaches a listener there; `None` where it is none, or is not known. One address of a
/// machine is not another.
fn reaches(target: &Target, own: &Endpoint) -> Option<bool> {
    if !target.loopback {
        return None;
    }
    if target.is_socket() {
        return Some(false);
    }
    let own = own.ip()?;
    // `localhost` is tried as both; `::` listens for IPv4, too, unless somebody has forbidden it.
    let Ok(ip) = target.host.parse::<IpAddr>() else { return Some(own.is_loopback() || own.is_unspecified()) };
    Some(ip == own || own.is_unspecified() && (own.is_ipv6() || ip.is_ipv4()))
}

/// A difference between the two.
struct Differs {
    kind: Kind,
    mark: Mark,
    says: String,
    /// What in between would make it right.
    unless: &'static str,
    instead: &'static str,
}

impl Differs {
    /// What is sure is found, everything else is told.
    fn say(&self, at: &At<'_, '_>, way: Way, notes: &mut Notes) {
        match way {
            Way::Straight => notes.found(self.kind, self.mark, at.id(), &self.says, self.instead),
            Way::Perhaps => notes.unjudged(self.mark, at.id(), format!("{}, unless something in between {}", self.says, self.unless)),
        }
    }
}

fn port(at: &At<'_, '_>, target: &Target, receiving: &Receiving, notes: &mut Notes) {
    if !at.is_grpc() && !matches!(target.scheme.as_str(), "http" | "https") {
        // Which was found already.
        return;
    }
    let (own, of_own, key) = match at.is_grpc() {
        true => (&receiving.grpc, "OTLP/gRPC", "grpc"),
        false => (&receiving.http, "OTLP/HTTP", "http"),
    };
    let Some(own) = own.as_ref().map(|listener| &listener.endpoint) else {
        let says = format!("spanseal takes no {of_own} with this configuration, so nothing arrives");
        let instead = format!("the other exporter, or `{key}` under `receivers.otlp.protocols` of spanseal's configuration");
        return notes.found(Kind::EndpointWrong, target.mark, at.id(), says, instead);
    };
    let is_at_port = target.spoken_port() == Some(own.port);
    if receiving.is_configured && reaches(target, own) == Some(false) && (target.is_socket() || is_at_port) {
        return other_address(at, target, own, notes);
    }
    let text = &target.text;
    if target.is_socket() {
        let says = format!("`{text}` is a socket, and spanseal listens on none: right only where something in between passes it on");
        return notes.unjudged(target.mark, at.id(), says);
    }
    if !is_at_port {
        return other_port(at, target, own, receiving, notes);
    }
    if receiving.is_configured && way(target, own) == Way::Perhaps && own.is_loopback() {
        let says = format!("spanseal listens on {own} alone: `{text}` reaches it only where something in between passes it on");
        notes.unjudged(target.mark, at.id(), says);
    }
}

/// An address of this machine that does not reach the listener.
fn other_address(at: &At<'_, '_>, target: &Target, own: &Endpoint, notes: &mut Notes) {
    let says = format!("`{}` is another address than {own}, where spanseal listens", target.text);
    // By another machine's address something may stand in between.
    let is_here = own.ip().is_some_and(|ip| ip.is_loopback() || ip.is_unspecified());
    if is_here && !target.variable {
        let instead = format!("`{own}`, where spanseal listens");
        notes.found(Kind::EndpointWrong, target.mark, at.id(), format!("{says}: nothing arrives"), instead);
    } else {
        notes.unjudged(target.mark, at.id(), format!("{says}: right only where something in between passes it on"));
    }
}

/// A port that is not the listener's.
fn other_port(at: &At<'_, '_>, target: &Target, own: &Endpoint, receiving: &Receiving, notes: &mut Notes) {
    let (text, mark) = (&target.text, target.mark);
    let Some(port) = target.spoken_port() else { return };
    let (other, of_own, of_other) = match at.is_grpc() {
        true => (&receiving.http, "OTLP/gRPC", "OTLP/HTTP"),
        false => (&receiving.grpc, "OTLP/HTTP", "OTLP/gRPC"),
    };
    let wrong = match port {
        _ if other.as_ref().is_some_and(|other| other.endpoint.port == port) => format!("port {port} is spanseal's for {of_other}"),
        _ if port == receiving.api_port => format!("port {port} is spanseal's API, which takes no telemetry"),
        _ if !receiving.is_configured || own.port == 0 => return,
        // Of a container that listens everywhere another port may be the outer one.
        _ if target.loopback && own.is_loopback() && !target.variable => format!("spanseal listens on no port {port}"),
        _ => {
            let right = if target.variable {
                "the variable is set to it, or something in between passes it on"
            } else {
                "something in between passes it on"
            };
            let says = format!("`{text}`: port {port} is none of spanseal's ({of_own} is {}): right only where {right}", own.port);
            return notes.unjudged(mark, at.id(), says);
        }
    };
    let instead = format!("port {}, or the other exporter", own.port);
    notes.found(Kind::EndpointWrong, mark, at.id(), format!("`{text}`: {wrong}, so nothing arrives"), instead);
}

/// The paths at which spanseal takes OTLP/HTTP.
const TRACES: &str = "/v1/traces";
const LOGS: &str = "/v1/logs";

/// What stands behind the port. The exporter adds the path of a signal to the whole `endpoint`, to a query too; an address for one signal counts
/// whole, and there a query changes nothing.
fn path(at: &At<'_, '_>, target: &Target, way: Way, notes: &mut Notes) {
    if !matches!(target.scheme.as_str(), "http" | "https") {
        // Which was found already.
        return;
    }
    let own = target.path.split(['?', '#']).next().unwrap_or_default();
    let (text, mark, key) = (&target.text, target.mark, target.key);
    let of_signal = match key {
        TRACES_ENDPOINT => Some(TRACES),
        LOGS_ENDPOINT => Some(LOGS),
        _ => None,
    };
    let is_right = of_signal.map_or(matches!(target.path.as_str(), "" | "/"), |wanted| own == wanted);
    if is_right {
        return;
    }
    let differs = match of_signal {
        // What ends so nothing in between makes right.
        None if [TRACES, LOGS].iter().any(|whole| own.trim_end_matches('/').ends_with(whole)) => {
            let says = format!("`{text}`: the exporter adds {TRACES} and {LOGS} itself, so nothing arrives at this path");
            return notes.found(Kind::EndpointWrong, mark, at.id(), says, ALONE);
        }
        Some(wanted) if !own.ends_with(wanted) => {
            let says =
                format!("`{key}` counts whole, and spanseal takes this signal at {wanted} alone: what is sent there is refused for good");
            let instead = format!("the address with {wanted}, or `endpoint` without a path in its place");
            return notes.found(Kind::EndpointWrong, mark, at.id(), says, instead);
        }
        None => Differs {
            kind: Kind::EndpointWrong,
            mark,
            says: format!(
                "`{text}` has a path or a query behind it, and the exporter adds {TRACES} and {LOGS} to all of it: spanseal takes nothing at such a \
                 path, and the Collector drops it"
            ),
            unless: "takes it off again",
            instead: ALONE,
        },
        Some(wanted) => Differs {
            kind: Kind::EndpointWrong,
            mark,
            says: format!(
                "`{key}` counts whole, and has more before {wanted}: spanseal takes this signal at {wanted} alone, and the Collector drops what is \
                 sent there"
            ),
            unless: "takes it off again",
            instead: "the address and this path alone, or `endpoint` without a path in its place",
        },
    };
    differs.say(at, way, notes);
}

/// What to write instead of an address with a path.
const ALONE: &str = "the address alone, as in http://127.0.0.1:4318";

fn encryption(at: &At<'_, '_>, target: &Target, own: &Listener, notes: &mut Notes) {
    let way = way(target, &own.endpoint);
    let mark = if at.is_written(&["tls"]) && at.is_grpc() { at.place(&["tls"]) } else { target.mark };
    let differs = match (&own.tls, is_encrypted(at, target)) {
        (Some(_), Some(false)) => Differs {
            kind: Kind::TlsDiffers,
            mark,
            says: "sends plain text, and spanseal takes TLS alone: nothing arrives".to_owned(),
            unless: "encrypts it",
            instead: "`tls: {ca_file: ...}` and no `insecure`; with the HTTP exporter an `https://` address",
        },
        (None, Some(true)) => Differs {
            kind: Kind::TlsDiffers,
            mark,
            says: "sends TLS, and spanseal takes plain text: nothing arrives".to_owned(),
            unless: "ends TLS",
            instead: "on one machine `tls: {insecure: true}` (with the HTTP exporter an `http://` address); else `tls` with `cert_file` and `key_file` for \
                      this listener in spanseal's configuration",
        },
        (Some(tls), Some(true)) if tls.client_ca_file.is_some() && !shows_certificate(at) => Differs {
            kind: Kind::CertificateMissing,
            mark,
            says: "shows no certificate, and spanseal asks for one (`client_ca_file`): nothing is taken".to_owned(),
            unless: "shows one",
            instead: "`cert_file` and `key_file` under `tls`",
        },
        _ => return,
    };
    differs.say(at, way, notes);
}

fn shows_certificate(at: &At<'_, '_>) -> bool {
    ["cert_file", "cert_pem"].iter().any(|key| at.is_written(&["tls", key]))
}

/// Whether a bearer token is sent, by an extension or as a header.
fn token(at: &At<'_, '_>, proof: Option<&Component<'_>>, way: Way, notes: &mut Notes) {
    const ASKS: &str = "spanseal asks for a bearer token (`auth.token_file`)";
    const INSTEAD: &str =
        "`auth: {authenticator: bearertokenauth/spanseal}` and that extension, as `spanseal collector example secure` prints them";
    let mut missing = |mark: Mark, id: &str, says: &str, instead: &str| match way {
        Way::Straight => notes.found(Kind::TokenMissing, mark, id, format!("{says}, and {ASKS}: nothing is taken"), instead),
        Way::Perhaps => notes.unjudged(mark, id, format!("{says}, and {ASKS}: nothing is taken, unless something in between adds one")),
    };
    if at.is_written(&["auth"]) {
        // One that is not there was found already.
        let Some(proof) = proof else { return };
        let differs = |key: &str, wanted: &str| matches!(proof.said(&[key]), Said::Is(text, _) if !text.eq_ignore_ascii_case(wanted));
        let wrong = match proof.kind() {
            "bearertokenauth" if differs("scheme", "bearer") || differs("header", "authorization") => "sends its token in another form",
            "bearertokenauth" => return,
            "basicauth" => "sends a name and a password",
            _ => {
                let says = format!("whether it sends the bearer token that spanseal asks for at `{}` is not known here", at.id());
                return notes.unjudged(proof.mark, &proof.id, says);
            }
        };
        let instead = "`bearertokenauth` with `filename` and nothing else";
        return missing(proof.mark, &proof.id, wrong, instead);
    }
    match authorization(at.node(&["headers"])) {
        Header::Nothing => {
            missing(at.component.mark, at.id(), "sends no token", INSTEAD);
        }
        Header::Is(Said::Is(text, mark)) if !text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")) => {
            // Whatever stands there is a secret.
            missing(mark, at.id(), "its `Authorization` header is no bearer token", INSTEAD);
        }
        Header::Is(Said::Unknown(mark)) => {
            notes.unjudged(mark, at.id(), "whether its `Authorization` header is a bearer token is not known here")
        }
        Header::Unknown(mark) => {
            notes.unjudged(mark, at.id(), "whether `headers` has the bearer token that spanseal asks for is not known here")
        }
        Header::Is(_) => {}
    }
}

/// The extension gives a token to no gRPC connection in plain text.
fn sends_token(at: &At<'_, '_>, targets: &[Target], notes: &mut Notes) {
    if at.is_grpc() && targets.iter().any(|target| is_encrypted(at, target) == Some(false)) {
        let says = format!("sends a token in plain text, which the extension refuses: {}", at.when_refused());
        notes.found(Kind::DoesNotStart, at.place(&["auth"]), at.id(), says, "TLS: `tls: {ca_file: ...}` and no `insecure`");
    }
}

/// The header of a token.
enum Header {
    Nothing,
    Is(Said),
    Unknown(Mark),
}

/// Headers are a map, or a list of `name` and `value`.
fn authorization(headers: Option<&Node>) -> Header {
    let is = |name: &str| name.eq_ignore_ascii_case("authorization");
    let Some(node) = headers else { return Header::Nothing };
    let value = match &node.value {
        Value::Null => None,
        Value::Scalar(_) => return Header::Unknown(node.mark),
        Value::Map(members) => members.iter().find(|(key, _)| is(key)).map(|(_, value)| value),
        Value::List(_) => items(headers).iter().find_map(|item| {
            let name = super::file::below(item, "name").map(said);
            matches!(name, Some(Said::Is(name, _)) if is(&name)).then(|| super::file::below(item, "value")).flatten()
        }),
    };
    value.map_or(Header::Nothing, |value| Header::Is(said(value)))
}

#[cfg(test)]
mod tests {
    use super::super::Report;
    use super::super::tests::{GRPC, HTTP, checked_with, kinds, listening};
    use super::*;
    use crate::config::Tls;

    const TEXT: &str = r#"
receivers:
  otlp: {protocols: {grpc: {}}}
exporters:
  otlp_grpc/spanseal: {endpoint: spanseal.example.com:14317, tls: {ca_file: a, cert_file: c, key_file: k}, headers: {authorization: Bearer x}}
service:
  pipelines:
    traces: {receivers: [otlp], exporters: [otlp_grpc/spanseal]}
"#;

    /// Of what spanseal asks for, and of nothing else, it is said that it was not looked at.
    #[test]
    fn what_was_not_looked_at_is_what_is_asked_for() {
        let tls = |client_ca_file: Option<&str>| {
            let client_ca_file = client_ca_file.map(Into::into);
            Some(Tls { cert_file: "s".into(), key_file: "k".into(), client_ca_file })
        };
        for (tls, token_file, expected) in [
            (None, None, None),
            (tls(None), None, None),
            (tls(None), Some("t"), Some("whether its token is one of spanseal's is not looked at")),
            (tls(Some("c")), None, Some("whether its certificate is one that spanseal takes is not looked at")),
            (
                tls(Some("c")),
                Some("t"),
                Some("whether its token is one of spanseal's, and its certificate one that spanseal takes, is not looked at"),
            ),
        ] {
            let mut receiving = listening(14317, 14318);
            receiving.grpc = receiving.grpc.map(|listener| Listener { tls, token_file: token_file.map(Into::into), ..listener });
            let report = checked_with(TEXT, &receiving);
            let said = report.notes.iter().map(|note| note.says.as_str()).find(|says| says.contains("is not looked at"));
            assert_eq!(said.and_then(|said| said.split_once(" here").map(|(said, _)| said)), expected, "{report:#?}");
        }
    }

    /// Scenario: an address of this machine, and a listener on one or on all of them. Guarantee: what surely does not reach it is found.
    #[test]
    fn an_address_of_this_machine_may_be_another() {
        let with = |endpoint: &str, own: &str| {
            let mut receiving = listening(14317, 14318);
            receiving.grpc =
                receiving.grpc.map(|listener| Listener { endpoint: Endpoint { host: own.to_owned(), port: 14317 }, ..listener });
            checked_with(&GRPC.replace("KIND", "otlp_grpc").replace("ENDPOINT", endpoint), &receiving)
        };
        for (endpoint, own, expected) in [
            ("127.0.0.1:14317", "127.0.0.1", ""),
            ("localhost:14317", "127.0.0.1", ""),
            ("127.0.0.2:14317", "127.0.0.1", "endpoint_wrong"),
            ("[::1]:14317", "127.0.0.1", "endpoint_wrong"),
            ("[::1]:14317", "localhost", "endpoint_wrong"),
            ("localhost:14317", "::1", ""),
            ("127.0.0.1:14317", "::1", "endpoint_wrong"),
            ("127.0.0.2:14317", "0.0.0.0", ""),
            ("[::1]:14317", "0.0.0.0", "endpoint_wrong"),
            ("[::1]:14317", "::", ""),
            ("127.0.0.2:14317", "::", ""),
            ("unix:///run/spanseal.sock", "127.0.0.1", "endpoint_wrong"),
            ("unix:///run/spanseal.sock", "0.0.0.0", "endpoint_wrong"),
            ("127.0.0.2:14317", "10.0.0.7", ""),
            ("10.0.0.7:14317", "10.0.0.7", "not_encrypted"),
        ] {
            let report = with(endpoint, own);
            assert_eq!(kinds(&report), expected, "{endpoint} to {own}: {report:#?}");
        }
        // Another machine may have another value, and stand behind something.
        for told in [with("${env:SEAL:-127.0.0.2:14317}", "127.0.0.1"), with("127.0.0.2:14317", "10.0.0.7")] {
            assert!(kinds(&told).is_empty() && told.unjudged.iter().any(|told| told.says.contains("127.0.0.2:14317")), "{told:#?}");
        }
        // Without a configuration nobody knows where spanseal listens.
        let unknown = Receiving { is_configured: false, ..listening(14317, 14318) };
        for endpoint in ["127.0.0.2:14317", "unix:///run/spanseal.sock"] {
            let report = checked_with(&GRPC.replace("KIND", "otlp_grpc").replace("ENDPOINT", endpoint), &unknown);
            assert_eq!(kinds(&report), "", "{endpoint}: {report:#?}");
        }
    }

    /// Scenario: an exporter of OTLP/HTTP whose address has something behind the port. Guarantee: found where spanseal itself is spoken to and takes
    /// nothing at what becomes of it, told where something in between may take it off, and shown nowhere.
    #[test]
    fn paths_that_spanseal_does_not_serve_are_found() {
        let with = |address: &str, receiving: &Receiving| {
            checked_with(&HTTP.replace("endpoint: http://127.0.0.1:14318", address).replace("MORE", "").replace(", QUEUE", ""), receiving)
        };
        let own = listening(14317, 14318);
        let unknown = Receiving { is_configured: false, ..own.clone() };
        for (behind, is_right) in [
            ("", true),
            ("/", true),
            ("/otlp", false),
            ("/v1", false),
            ("//", false),
            ("?hush=y", false),
            ("?", false),
            ("#hush", false),
            ("/?hush=/", false),
            ("/otlp/v1/tracesx", false),
            ("/hush@example.com", false),
        ] {
            let straight = with(&format!("endpoint: 'http://127.0.0.1:14318{behind}'"), &own);
            assert_eq!(kinds(&straight), if is_right { "" } else { "endpoint_wrong" }, "{behind}: {straight:#?}");
            assert!(!format!("{straight:?}").contains("hush"), "{behind}: {straight:#?}");
            let perhaps = with(&format!("endpoint: 'https://seal.example.com:14318{behind}'"), &own);
            let is_told = |report: &Report| report.unjudged.iter().any(|told| told.line == 6 && told.says.contains("a path or a query"));
            assert_eq!((kinds(&perhaps).as_str(), is_told(&perhaps)), ("", !is_right), "{behind}: {perhaps:#?}");
            // Without a configuration of spanseal nobody knows who listens there.
            let perhaps = with(&format!("endpoint: 'http://127.0.0.1:14318{behind}'"), &unknown);
            assert_eq!((kinds(&perhaps).as_str(), is_told(&perhaps)), ("", !is_right), "{behind}: {perhaps:#?}");
        }
        // Of one signal; a query changes nothing there.
        for (traces, logs, expected) in [
            ("/v1/traces", "/v1/logs", ""),
            ("/v1/traces?hush=y", "/v1/logs", ""),
            ("/x/v1/traces", "/v1/logs", "endpoint_wrong"),
            ("/v1/traces", "/x/v1/logs", "endpoint_wrong"),
            ("/v1/traces", "/v1/logs/", "endpoint_wrong"),
            ("/v1/traces", "/v1/traces", "endpoint_wrong"),
            ("", "/v1/logs", "endpoint_wrong"),
        ] {
            let address = |host: &str| format!("traces_endpoint: '{host}{traces}'\n    logs_endpoint: '{host}{logs}'");
            let straight = with(&address("http://127.0.0.1:14318"), &own);
            assert_eq!(kinds(&straight), expected, "{traces} {logs}: {straight:#?}");
            let perhaps = with(&address("https://seal.example.com:14318"), &own);
            let is_told = perhaps.unjudged.iter().any(|told| told.says.contains("has more before"));
            let is_before = traces.starts_with("/x") || logs.starts_with("/x");
            assert_eq!((kinds(&perhaps).as_str(), is_told), (if is_before { "" } else { expected }, is_before), "{perhaps:#?}");
        }
    }
}
