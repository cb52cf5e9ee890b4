//! The exporter that leads to us: where it sends, how long it waits, whether it tries again, and what it holds meanwhile.
//!
//! The load-balancing exporter is two levels: its own queue, retry and timeout (off by default) and those of the OTLP exporters below it
//! (on by default, in memory, and none of them can be persistent, because all replicas would share it).

use std::time::Duration;

use super::file::{Component, File, Said, items, said};
use super::{Kind, Notes, Receiving};
use crate::config::yaml::{Mark, Value};
use crate::config::{Endpoint, parse_duration, show_duration, show_size};

/// Timeout of the OTLP exporters where none is written.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// Longest that a batch waits for more while its sender waits: SDKs wait 10 s, and a seal takes its time.
const FLUSH_MAX: Duration = Duration::from_secs(2);
/// How long they try where nothing is written.
const RETRY_DEFAULT: &str = "300s";
/// The OTLP exporter inside the load-balancing one.
const INNER: [&str; 2] = ["protocol", "otlp"];
/// Folders that are empty after a restart of the machine.
const VOLATILE: [&str; 4] = ["/tmp", "/dev/shm", "/run", "/var/run"];

/// A component, and the level of it that is asked: itself, or the OTLP exporter inside.
struct At<'c, 'n> {
    component: &'c Component<'n>,
    above: &'static [&'static str],
}

impl<'c> At<'c, '_> {
    fn path(&self, path: &[&'static str]) -> Vec<&'static str> {
        self.above.iter().chain(path).copied().collect()
    }

    fn said(&self, path: &[&'static str]) -> Said {
        self.component.said(&self.path(path))
    }

    fn place(&self, path: &[&'static str]) -> Mark {
        self.component.place(&self.path(path))
    }

    fn is_written(&self, path: &[&'static str]) -> bool {
        // `print-config` writes what is not there as null.
        self.component.node(&self.path(path)).is_some_and(|node| !matches!(node.value, Value::Null))
    }

    fn id(&self) -> &'c str {
        &self.component.id
    }

    /// A truth value, or what holds where it is not written. What cannot be known is told and counts as `unknown`.
    fn flag(&self, path: &[&'static str], default: bool, unknown: bool, notes: &mut Notes) -> bool {
        match self.said(path) {
            Said::Nothing => default,
            Said::Is(text, _) if text == "true" => true,
            Said::Is(text, _) if text == "false" => false,
            Said::Is(_, mark) | Said::Unknown(mark) => {
                notes.unjudged(mark, self.id(), format!("`{}` is not known here", path.join(".")));
                unknown
            }
        }
    }

    /// A duration, and where it stands. `None`: not known, which was told.
    fn duration(&self, path: &[&'static str], default: Duration, notes: &mut Notes) -> Option<Duration> {
        match self.said(path) {
            Said::Nothing => Some(default),
            Said::Is(text, mark) => parse_duration(&text).ok().or_else(|| {
                notes.unjudged(mark, self.id(), format!("`{}` is no duration that is understood here", path.join(".")));
                None
            }),
            Said::Unknown(mark) => {
                notes.unjudged(mark, self.id(), format!("`{}` is not known here", path.join(".")));
                None
            }
        }
    }
}

/// Judges one exporter.
pub(super) fn judge(file: &File<'_>, exporter: &Component<'_>, receiving: &Receiving, notes: &mut Notes) {
    let own = At { component: exporter, above: &[] };
    if exporter.is_balancer() {
        let inner = At { component: exporter, above: &INNER };
        routing(&own, notes);
        tls(&inner, &balanced(exporter), notes);
        authenticator(&inner, file, notes);
        let outer_queue = own.is_written(&["sending_queue"]) && own.flag(&["sending_queue", "enabled"], true, true, notes);
        let inner_queue = inner.flag(&["sending_queue", "enabled"], true, true, notes);
        if outer_queue {
            queue(file, &own, notes);
        }
        if inner_queue {
            queue(file, &inner, notes);
        }
        batch(if outer_queue { &own } else { &inner }, receiving, notes);
        timeout(&inner, TIMEOUT_DEFAULT, receiving, notes);
        timeout(&own, Duration::ZERO, receiving, notes);
        let outer_retry = own.flag(&["retry_on_failure", "enabled"], false, false, notes);
        // Whichever of the two never gives up will do.
        retry(if outer_retry { &own } else { &inner }, if outer_retry { "0s" } else { RETRY_DEFAULT }, notes);
        return;
    }
    let endpoint = endpoint(&own, file, receiving, notes);
    tls(&own, &endpoint, notes);
    authenticator(&own, file, notes);
    if own.flag(&["sending_queue", "enabled"], true, true, notes) {
        queue(file, &own, notes);
        batch(&own, receiving, notes);
    }
    timeout(&own, TIMEOUT_DEFAULT, receiving, notes);
    retry(&own, RETRY_DEFAULT, notes);
}

/// Where an exporter sends.
struct Target {
    text: String,
    mark: Mark,
    port: Option<u16>,
    path: String,
    loopback: bool,
    plain: bool,
    socket: bool,
}

/// `host:port`, the scheme before it (`dns:///` is one of gRPC's) and the path behind it.
fn target(text: &str, mark: Mark) -> Target {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let rest = rest.trim_start_matches('/');
    // Credentials do not belong there, and where they stand all the same they are not repeated.
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let socket = scheme == "unix";
    let named = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let loopback = socket || authority.parse::<Endpoint>().map_or(named == "localhost", |endpoint| endpoint.is_loopback());
    Target {
        text: if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") },
        mark,
        port: authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()),
        path: path.to_owned(),
        loopback,
        plain: scheme == "http",
        socket,
    }
}

/// A replica that only its Collector finds: on another machine.
fn elsewhere(text: &str, mark: Mark) -> Target {
    Target { text: text.to_owned(), mark, port: None, path: String::new(), loopback: false, plain: false, socket: false }
}

fn endpoint(at: &At<'_, '_>, file: &File<'_>, receiving: &Receiving, notes: &mut Notes) -> Vec<Target> {
    let grpc = at.component.is_grpc();
    let mut targets = Vec::new();
    for key in ["endpoint", "traces_endpoint", "logs_endpoint"] {
        let (text, mark) = match at.said(&[key]) {
            Said::Nothing => continue,
            Said::Unknown(mark) => {
                notes.unjudged(mark, at.id(), format!("`{key}` is not known here: neither its port nor whether it leaves the machine"));
                continue;
            }
            Said::Is(text, mark) => (text, mark),
        };
        let target = target(&text, mark);
        let (text, port) = (&target.text, target.port);
        let (own, other, of_other) = match grpc {
            true => (receiving.grpc_port, receiving.http_port, "OTLP/HTTP"),
            false => (receiving.http_port, receiving.grpc_port, "OTLP/gRPC"),
        };
        let wrong = match port {
            Some(port) if Some(port) == own => None,
            Some(port) if Some(port) == other => Some(format!("port {port} is spanseal's for {of_other}")),
            Some(port) if port == receiving.api_port => Some(format!("port {port} is spanseal's API, which takes no telemetry")),
            None if grpc && !target.socket => Some("it names no port".to_owned()),
            _ => None,
        };
        if let Some(wrong) = wrong {
            let own = own.map_or("what `receivers` of spanseal's configuration says".to_owned(), |own| format!("port {own}"));
            notes.found(
                Kind::EndpointWrong,
                mark,
                at.id(),
                format!("`{text}`: {wrong}, so nothing arrives"),
                format!("{own}, or the other exporter"),
            );
        }
        if key == "endpoint" && !grpc && target.path.contains("v1/") {
            notes.found(
                Kind::EndpointWrong,
                mark,
                at.id(),
                format!("`{text}`: the exporter adds /v1/traces and /v1/logs itself, so nothing arrives at this path"),
                "the address alone, as in http://127.0.0.1:4318",
            );
        }
        if target.loopback && port.is_some_and(|port| own_ports(file).contains(&port)) {
            notes.found(
                Kind::EndpointWrong,
                mark,
                at.id(),
                format!("`{text}` is this Collector's own receiver: telemetry goes in circles and never arrives"),
                "the address of spanseal, on a port of its own",
            );
        }
        targets.push(target);
    }
    if ["endpoint", "traces_endpoint", "logs_endpoint"].iter().all(|key| !at.is_written(&[key])) {
        let says = "names no endpoint: the Collector does not start";
        notes.found(Kind::DoesNotStart, at.component.mark, at.id(), says, "`endpoint: host:port` of spanseal");
    }
    targets
}

/// Ports that this Collector itself takes OTLP on.
fn own_ports(file: &File<'_>) -> Vec<u16> {
    let mut ports = Vec::new();
    for receiver in file.receivers.iter().filter(|receiver| receiver.kind() == "otlp") {
        for (protocol, default) in [("grpc", 4317), ("http", 4318)] {
            if receiver.node(&["protocols", protocol]).is_none() {
                continue;
            }
            match receiver.said(&["protocols", protocol, "endpoint"]) {
                Said::Nothing => ports.push(default),
                Said::Is(text, _) => ports.extend(text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok())),
                Said::Unknown(_) => {}
            }
        }
    }
    ports.retain(|port| *port != 0);
    ports
}

/// The replicas of a load-balancing exporter. Those that a resolver finds are on other machines.
fn balanced(exporter: &Component<'_>) -> Vec<Target> {
    let hosts = items(exporter.node(&["resolver", "static", "hostnames"])).iter();
    let mut targets: Vec<Target> = hosts
        .map(|node| match said(node) {
            Said::Is(text, mark) => target(&text, mark),
            Said::Nothing | Said::Unknown(_) => elsewhere("a replica", node.mark),
        })
        .collect();
    if targets.is_empty() {
        targets.push(elsewhere("what the resolver finds", exporter.place(&["resolver"])));
    }
    targets
}

fn tls(at: &At<'_, '_>, targets: &[Target], notes: &mut Notes) {
    const INSTEAD: &str = "`tls: {ca_file: ...}`, and `cert_file` and `key_file` where spanseal asks for a client certificate";
    let insecure = at.flag(&["tls", "insecure"], false, false, notes);
    let unchecked = at.flag(&["tls", "insecure_skip_verify"], false, false, notes);
    for target in targets.iter().filter(|target| !target.loopback) {
        let mark = if insecure || unchecked { at.place(&["tls"]) } else { target.mark };
        if insecure || target.plain {
            let says =
                format!("telemetry goes to {} in plain text: whoever is on the way reads prompts and may change evidence", target.text);
            notes.found(Kind::NotEncrypted, mark, at.id(), says, INSTEAD);
        } else if unchecked {
            let says = format!("the certificate of {} is not checked, so somebody else may answer for spanseal", target.text);
            notes.found(Kind::NotEncrypted, mark, at.id(), says, INSTEAD);
        }
    }
}

/// The extension that an exporter proves itself by.
fn authenticator(at: &At<'_, '_>, file: &File<'_>, notes: &mut Notes) {
    if let Said::Is(name, mark) = at.said(&["auth", "authenticator"]) {
        is_started(file, at.id(), &name, mark, "the name of one, as in `bearertokenauth/spanseal`", notes);
    }
}

/// An extension that a component names; without it the Collector does not start, which is told.
fn is_started<'f, 'n>(
    file: &'f File<'n>,
    component: &str,
    name: &str,
    mark: Mark,
    instead: &str,
    notes: &mut Notes,
) -> Option<&'f Component<'n>> {
    let Some(extension) = file.extensions.iter().find(|extension| extension.id == name) else {
        let says = format!("`{name}` is no extension of this file: the Collector does not start");
        notes.found(Kind::DoesNotStart, mark, component, says, instead);
        return None;
    };
    if !file.started.iter().any(|started| started.id == name) {
        let instead = format!("`{name}` under `service.extensions`");
        notes.found(Kind::DoesNotStart, mark, component, format!("`{name}` is not started: the Collector does not start"), instead);
    }
    Some(extension)
}

fn routing(at: &At<'_, '_>, notes: &mut Notes) {
    if let Said::Is(key, mark) = at.said(&["routing_key"])
        && key != "traceID"
    {
        notes.found(
            Kind::NotByTrace,
            mark,
            at.id(),
            format!(
                "`routing_key: {key}` spreads one trace, and a span that is sent again, over several logs: duplicates are not recognised"
            ),
            "`routing_key: traceID`",
        );
    }
}

fn queue(file: &File<'_>, at: &At<'_, '_>, notes: &mut Notes) {
    let place = at.place(&["sending_queue"]);
    let waits = at.flag(&["sending_queue", "wait_for_result"], false, false, notes);
    let storage = at.said(&["sending_queue", "storage"]);
    match (&storage, waits) {
        (Said::Nothing, true) => {}
        (Said::Nothing, false) => {
            let below = if at.above.is_empty() { "" } else { " of each replica" };
            notes.found(
                Kind::QueueInMemory,
                place,
                at.id(),
                format!("the queue{below} is in memory and the sender is answered before spanseal has sealed: what waits is lost with the Collector"),
                if at.above.is_empty() {
                    "`storage: file_storage/...` under `sending_queue` (on disk), or `wait_for_result: true` (the sender waits for the seal)"
                } else {
                    "`sending_queue: {enabled: false}` here and a queue with `storage` on the exporter itself"
                },
            );
        }
        (_, true) => notes.found(
            Kind::DoesNotStart,
            at.place(&["sending_queue", "wait_for_result"]),
            at.id(),
            "`wait_for_result` and `storage` exclude each other: the Collector does not start",
            "one of the two",
        ),
        (Said::Is(..) | Said::Unknown(_), false) if !at.above.is_empty() => notes.found(
            Kind::DoesNotStart,
            place,
            at.id(),
            "replicas cannot have a queue on disk: all of them would share one",
            "the queue with `storage` on the load-balancing exporter itself",
        ),
        (Said::Is(name, mark), false) => storage_judged(file, at.id(), name, *mark, notes),
        (Said::Unknown(mark), false) => notes.unjudged(*mark, at.id(), "`sending_queue.storage` is not known here"),
    }
    if !at.flag(&["sending_queue", "block_on_overflow"], false, true, notes) {
        notes.found(
            Kind::QueueOverflow,
            place,
            at.id(),
            "a full queue refuses what comes in, and senders that do not try again for long lose it",
            "`block_on_overflow: true` under `sending_queue`: senders wait",
        );
    }
}

/// The extension that a queue is kept by.
fn storage_judged(file: &File<'_>, exporter: &str, name: &str, mark: Mark, notes: &mut Notes) {
    let instead = "the name of one, as in `file_storage/spanseal`";
    let Some(extension) = is_started(file, exporter, name, mark, instead, notes) else { return };
    if extension.kind() != "file_storage" {
        return notes.unjudged(
            extension.mark,
            &extension.id,
            "what this storage keeps when the Collector or the machine stops is not known here",
        );
    }
    let at = At { component: extension, above: &[] };
    if !at.flag(&["fsync"], false, true, notes) {
        let says = "what the sender was told is on disk may still be in memory, and is lost when the machine stops";
        notes.found(Kind::StorageNotSynced, at.place(&["fsync"]), &extension.id, says, "`fsync: true`");
    }
    if at.flag(&["recreate"], false, false, notes) {
        let says = "after damage the queue begins anew, and what it held is set aside for nobody to send";
        notes.found(
            Kind::StorageVolatile,
            at.place(&["recreate"]),
            &extension.id,
            says,
            "`recreate: false`: the Collector stops, and somebody looks",
        );
    }
    match at.said(&["directory"]) {
        Said::Is(folder, mark)
            if VOLATILE.iter().any(|v| folder.strip_prefix(v).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))) =>
        {
            let says = format!("`{folder}` is emptied when the machine or the container starts again, and the queue with it");
            notes.found(Kind::StorageVolatile, mark, &extension.id, says, "a folder on a disk or volume that stays");
        }
        Said::Unknown(mark) => notes.unjudged(mark, &extension.id, "`directory` is not known here: whether it survives a restart"),
        Said::Is(..) | Said::Nothing => {}
    }
}

fn batch(at: &At<'_, '_>, receiving: &Receiving, notes: &mut Notes) {
    const BATCH: [&str; 2] = ["sending_queue", "batch"];
    if !at.is_written(&BATCH) {
        return;
    }
    let waits = at.flag(&["sending_queue", "wait_for_result"], false, false, notes);
    if let Some(flush) =
        at.duration(&["sending_queue", "batch", "flush_timeout"], Duration::ZERO, notes).filter(|flush| waits && *flush > FLUSH_MAX)
    {
        let says = format!(
            "a batch waits up to {} for more while its sender waits for the answer: SDKs give up after 10s by default, and then it is dropped",
            show_duration(flush)
        );
        let place = at.place(&["sending_queue", "batch", "flush_timeout"]);
        notes.found(
            Kind::TimeoutShort,
            place,
            at.id(),
            says,
            "`flush_timeout: 200ms`, or less than senders wait, the seal's time taken off",
        );
    }
    let most = receiving.request_bytes_max;
    let instead = format!("`batch: {{sizer: bytes, min_size: ..., max_size: ...}}` with at most {} ({most} bytes)", show_size(most));
    let too_much = format!("spanseal takes {} at once and refuses more, and a refusal of that kind is not tried again", show_size(most));
    let bytes =
        [["sending_queue", "batch", "sizer"].as_slice(), &["sending_queue", "sizer"]].into_iter().find_map(|path| match at.said(path) {
            Said::Is(sizer, _) => Some(sizer == "bytes"),
            Said::Nothing | Said::Unknown(_) => None,
        });
    match at.said(&["sending_queue", "batch", "max_size"]) {
        Said::Nothing => {
            notes.found(Kind::BatchUnbounded, at.place(&BATCH), at.id(), format!("batches have no largest size: {too_much}"), instead)
        }
        Said::Is(text, mark) => match text.replace('_', "").parse::<u64>() {
            Ok(0) => notes.found(Kind::BatchUnbounded, mark, at.id(), format!("batches have no largest size: {too_much}"), instead),
            Ok(size) if bytes == Some(true) && size > most => {
                notes.found(Kind::BatchUnbounded, mark, at.id(), format!("batches may have {}: {too_much}", show_size(size)), instead);
            }
            Ok(size) if bytes != Some(true) => {
                notes.unjudged(
                    mark,
                    at.id(),
                    format!("whether {size} spans or logs with their content fit into what spanseal takes at once ({})", show_size(most)),
                );
            }
            Ok(_) => {}
            Err(_) => notes.unjudged(mark, at.id(), "`sending_queue.batch.max_size` is not understood here"),
        },
        Said::Unknown(mark) => notes.unjudged(mark, at.id(), "`sending_queue.batch.max_size` is not known here"),
    }
}

fn timeout(at: &At<'_, '_>, default: Duration, receiving: &Receiving, notes: &mut Notes) {
    let Some(timeout) = at.duration(&["timeout"], default, notes) else { return };
    // Zero waits for ever.
    if timeout.is_zero() || timeout >= receiving.receipt {
        return;
    }
    let (is, need) = (show_duration(timeout), show_duration(receiving.receipt));
    let by_default = if at.is_written(&["timeout"]) { "" } else { " by default" };
    notes.found(
        Kind::TimeoutShort,
        at.place(&["timeout"]),
        at.id(),
        format!("gives up after {is}{by_default}, and a busy spanseal may answer after {need} (`seal.admission_wait` and `seal.max_delay`): what was sealed is sent again"),
        "`timeout: 30s`",
    );
}

fn retry(at: &At<'_, '_>, default: &str, notes: &mut Notes) {
    if !at.flag(&["retry_on_failure", "enabled"], true, true, notes) {
        notes.found(
            Kind::RetryOff,
            at.place(&["retry_on_failure", "enabled"]),
            at.id(),
            "what spanseal cannot take at the moment is not tried again, and is lost",
            "`retry_on_failure: {enabled: true, max_elapsed_time: 0s}`",
        );
        return;
    }
    const ELAPSED: [&str; 2] = ["retry_on_failure", "max_elapsed_time"];
    let default = parse_duration(default).unwrap_or_default();
    if let Some(elapsed) = at.duration(&ELAPSED, default, notes).filter(|elapsed| !elapsed.is_zero()) {
        let by_default = if at.is_written(&ELAPSED) { "" } else { " by default" };
        notes.found(
            Kind::RetryGivesUp,
            at.place(&ELAPSED),
            at.id(),
            format!("gives up after {}{by_default}: an outage of the store that is longer loses what waits", show_duration(elapsed)),
            "`retry_on_failure: {enabled: true, max_elapsed_time: 0s}`: it is tried for ever",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forms of endpoints that the exporters take.
    #[test]
    fn endpoints_are_taken_apart() {
        for (text, port, loopback, plain, shown) in [
            ("127.0.0.1:4317", Some(4317), true, false, "127.0.0.1:4317"),
            ("[::1]:4317", Some(4317), true, false, "[::1]:4317"),
            ("localhost:4317", Some(4317), true, false, "localhost:4317"),
            ("spanseal:4317", Some(4317), false, false, "spanseal:4317"),
            ("localhost.example.com:4317", Some(4317), false, false, "localhost.example.com:4317"),
            ("dns:///spanseal:4317", Some(4317), false, false, "dns://spanseal:4317"),
            ("unix:///run/spanseal.sock", None, true, false, "unix://run/spanseal.sock"),
            ("http://127.0.0.1:4318/", Some(4318), true, true, "http://127.0.0.1:4318/"),
            ("https://me:hush@audit.example.com:4318", Some(4318), false, false, "https://audit.example.com:4318"),
            ("audit.example.com", None, false, false, "audit.example.com"),
        ] {
            let target = target(text, Mark::default());
            assert_eq!((target.port, target.loopback, target.plain, target.text.as_str()), (port, loopback, plain, shown), "{text}");
        }
    }
}
