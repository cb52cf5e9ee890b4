//! The exporter that leads to us: where it sends, how long it waits, whether it tries again, and what it holds meanwhile.
//!
//! The load-balancing exporter is two levels: its own queue, retry and timeout (off by default) and those of the OTLP exporters below it
//! (on by default, in memory, and none of them can be persistent, because all replicas would share it).

use std::time::Duration;

use super::file::{Component, File, Said, Section, says_something};
use super::{Kind, Notes, Receiving, demands, pipelines, target};
use crate::config::yaml::{Mark, Node, Value};
use crate::config::{parse_duration, show_duration, show_size};

/// Timeout of an exporter of OTLP/gRPC where none is written, and of the load-balancing one where that is none or zero.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// That of OTLP/HTTP.
const TIMEOUT_DEFAULT_HTTP: Duration = Duration::from_secs(30);
/// How many requests a queue sends at a time where nothing is written.
const CONSUMERS_DEFAULT: u64 = 10;
/// Requests a second below which a queue is called too slow: one SDK sends every few seconds, or once for 512 spans.
const RATE_MIN: f64 = 10.0;
/// From here on nothing is said.
const RATE_ENOUGH: f64 = 50.0;
/// Longest that a batch waits for more while its sender waits: SDKs wait 10 s, and a seal takes its time.
const FLUSH_MAX: Duration = Duration::from_secs(2);
/// How long they try where nothing is written.
const RETRY_DEFAULT: &str = "300s";
/// Their pause before they try the first time again, where nothing is written.
const PAUSE_DEFAULT: Duration = Duration::from_secs(5);
/// A retry that never gives up.
const ENDLESS: &str = "`retry_on_failure: {enabled: true, max_elapsed_time: 0s}`";
/// The same for the load-balancing exporter, which has no defaults for it.
const ENDLESS_BALANCED: &str = "`retry_on_failure: {enabled: true, initial_interval: 1s, max_interval: 30s, multiplier: 1.5, \
                                randomization_factor: 0.5, max_elapsed_time: 0s}` on the load-balancing exporter itself";
/// Settings of the exporters of OTLP that are judged, or that change nothing of what arrives.
const SETTINGS: [&str; 10] = [
    "endpoint",
    "tls",
    "timeout",
    "retry_on_failure",
    "sending_queue",
    "compression",
    "headers",
    "auth",
    "read_buffer_size",
    "write_buffer_size",
];
/// The same of the one of OTLP/gRPC alone.
const SETTINGS_GRPC: [&str; 5] = ["balancer_name", "keepalive", "wait_for_ready", "authority", "user_agent"];
/// The same of the one of OTLP/HTTP alone.
const SETTINGS_HTTP: [&str; 15] = [
    "traces_endpoint",
    "logs_endpoint",
    "metrics_endpoint",
    "profiles_endpoint",
    "compression_params",
    "encoding",
    "max_idle_conns",
    "max_idle_conns_per_host",
    "max_conns_per_host",
    "idle_conn_timeout",
    "disable_keep_alives",
    "http2_read_idle_timeout",
    "http2_ping_timeout",
    "cookies",
    "force_attempt_http2",
];
/// The one of OTLP/HTTP alone that leads through something else.
const PROXY: &str = "proxy_url";
/// Settings that there were once, and what took their place.
const SETTINGS_GONE: [(&str, &str); 2] =
    [("batcher", "`batch` under `sending_queue`"), ("per_rpc_auth", "`auth: {authenticator: bearertokenauth/...}` and that extension")];
/// The OTLP exporter inside the load-balancing one.
const INNER: [&str; 2] = ["protocol", "otlp"];
/// Where `file_storage` keeps and compacts where nothing is written (not on Windows).
const STORAGE_DEFAULT: &str = "/var/lib/otelcol/file_storage";
/// Folders that are empty after a restart of the machine.
const VOLATILE: [&str; 4] = ["/tmp", "/dev/shm", "/run", "/var/run"];

/// Exporters that have no queue where none is written, as of 0.152. Those of OTLP have one, of others nothing is known.
const WITHOUT_QUEUE: [&str; 1] = ["awss3"];
/// Exporters that send nowhere, so that there is nothing to wait for.
const SENDING_NOTHING: [&str; 2] = ["debug", "nop"];

/// Whether a level of an exporter has a queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Queue {
    On,
    Off,
    /// Not known, and so it may be on.
    Perhaps(Mark),
    /// `print-config` does not tell.
    Untold(Mark),
}

/// The level of an exporter whose queue counts for the sender: the exporters of OTLP have one where none is written, and the
/// load-balancing one has one for each replica where it has none itself.
pub(super) fn queueing<'c, 'n>(exporter: &'c Component<'n>) -> At<'c, 'n> {
    let own = At { component: exporter, above: &[] };
    if exporter.is_balancer() && own.queue() == Queue::Off { At { component: exporter, above: &INNER } } else { own }
}

/// The level of an exporter whose requests spanseal gets: behind a load balancer the one for each replica.
pub(super) fn sending<'c, 'n>(exporter: &'c Component<'n>) -> At<'c, 'n> {
    At { component: exporter, above: if exporter.is_balancer() { &INNER } else { &[] } }
}

/// Whether a sender has its answer before spanseal does. What is not known counts as yes; what `print-config` does not tell was told.
pub(super) fn answers_before_sealed(exporter: &Component<'_>) -> bool {
    let at = queueing(exporter);
    let waits = matches!(at.said(&["sending_queue", "wait_for_result"]), Said::Is(text, _) if text == "true");
    matches!(at.queue(), Queue::On | Queue::Perhaps(_)) && !waits
}

/// Whether an exporter keeps its sender waiting while its backend is away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Blocks {
    No,
    /// How, and where that is written.
    Yes(&'static str, Mark),
    Unknown(Mark),
}

pub(super) fn blocks(exporter: &Component<'_>) -> Blocks {
    let at = queueing(exporter);
    let is_known = exporter.is_otlp() || exporter.is_balancer();
    match at.queue() {
        _ if SENDING_NOTHING.contains(&exporter.kind()) => return Blocks::No,
        _ if exporter.is_variable() => return Blocks::Unknown(exporter.mark),
        _ if !is_known && exporter.section(&["sending_queue"]) == Section::Absent => {
            return match WITHOUT_QUEUE.contains(&exporter.kind()) {
                true => Blocks::Yes("has no queue where none is written", exporter.mark),
                false => Blocks::Unknown(exporter.mark),
            };
        }
        Queue::Off => return Blocks::Yes("has no queue", at.place(&["sending_queue", "enabled"])),
        Queue::Untold(mark) => return Blocks::Unknown(mark),
        Queue::On | Queue::Perhaps(_) => {}
    }
    let mut unknown = None;
    for (key, says) in [("block_on_overflow", "blocks when its queue is full"), ("wait_for_result", "waits for its backend's answer")] {
        match at.said(&["sending_queue", key]) {
            Said::Is(text, _) if text == "true" => return Blocks::Yes(says, at.place(&["sending_queue", key])),
            Said::Unknown(mark) => unknown = unknown.or(Some(mark)),
            Said::Is(..) | Said::Nothing => {}
        }
    }
    match (at.queue(), unknown) {
        (Queue::Perhaps(mark), _) | (_, Some(mark)) => Blocks::Unknown(mark),
        _ => Blocks::No,
    }
}

/// A component, and the level of it that is asked: itself, or the OTLP exporter inside.
pub(super) struct At<'c, 'n> {
    pub(super) component: &'c Component<'n>,
    above: &'static [&'static str],
}

impl<'c, 'n> At<'c, 'n> {
    /// A component itself.
    pub(super) fn whole(component: &'c Component<'n>) -> Self {
        At { component, above: &[] }
    }

    fn path(&self, path: &[&'static str]) -> Vec<&'static str> {
        self.above.iter().chain(path).copied().collect()
    }

    /// Whether it speaks gRPC, as the one inside the load-balancing exporter does.
    pub(super) fn is_grpc(&self) -> bool {
        self.component.is_grpc() || self.component.is_balancer()
    }

    pub(super) fn node(&self, path: &[&'static str]) -> Option<&'n Node> {
        self.component.node(&self.path(path))
    }

    pub(super) fn said(&self, path: &[&'static str]) -> Said {
        self.component.said(&self.path(path))
    }

    pub(super) fn place(&self, path: &[&'static str]) -> Mark {
        self.component.place(&self.path(path))
    }

    /// Whether the key stands there without a value, which the Collector takes for zero, and not for its default.
    fn is_null(&self, path: &[&'static str]) -> bool {
        self.node(path).is_some_and(|node| matches!(node.value, Value::Null))
    }

    pub(super) fn is_written(&self, path: &[&'static str]) -> bool {
        self.node(path).is_some_and(|node| !matches!(node.value, Value::Null))
    }

    /// Whether a section stands there whose key alone switches it on.
    pub(super) fn is_present(&self, path: &[&'static str]) -> bool {
        self.component.section(&self.path(path)) == Section::Present
    }

    /// The key of the queue alone, without a value, switches it on.
    pub(super) fn queue(&self) -> Queue {
        let is_default = !(self.above.is_empty() && self.component.is_balancer());
        match (self.component.section(&self.path(&["sending_queue"])), self.said(&["sending_queue", "enabled"])) {
            (Section::Untold(mark), _) => Queue::Untold(mark),
            (Section::Absent, _) if is_default => Queue::On,
            (Section::Absent, _) => Queue::Off,
            (Section::Present, Said::Nothing) => Queue::On,
            (Section::Present, Said::Is(text, _)) if text == "true" => Queue::On,
            (Section::Present, Said::Is(text, _)) if text == "false" => Queue::Off,
            (Section::Present, Said::Is(_, mark) | Said::Unknown(mark)) => Queue::Perhaps(mark),
        }
    }

    /// Whether there is a queue to judge; what is not known is told.
    fn has_queue(&self, notes: &mut Notes) -> bool {
        match self.queue() {
            Queue::On => true,
            Queue::Off => false,
            Queue::Perhaps(mark) => {
                notes.unjudged(mark, self.id(), "`sending_queue.enabled` is not known here");
                true
            }
            Queue::Untold(mark) => {
                let says = format!("print-config does not tell whether `{}` is on", self.path(&["sending_queue"]).join("."));
                notes.unjudged(mark, self.id(), says);
                false
            }
        }
    }

    pub(super) fn id(&self) -> &'c str {
        &self.component.id
    }

    /// What the batch counts in.
    pub(super) fn sizer(&self) -> Said {
        let said = [["sending_queue", "batch", "sizer"].as_slice(), &["sending_queue", "sizer"]].map(|path| self.said(path));
        said.into_iter().find(|said| *said != Said::Nothing).unwrap_or(Said::Nothing)
    }

    /// Whether it is the one inside the load-balancing exporter.
    pub(super) fn is_inner(&self) -> bool {
        !self.above.is_empty()
    }

    /// What comes of a setting that an exporter does not start with. That of a replica is begun when the Collector runs.
    pub(super) fn when_refused(&self) -> &'static str {
        match self.is_inner() {
            true => "the Collector starts, logs an error, and what is for such a replica fails",
            false => "the Collector does not start",
        }
    }

    /// A truth value, or what holds where it is not written. What cannot be known is told and counts as `unknown`.
    pub(super) fn flag(&self, path: &[&'static str], default: bool, unknown: bool, notes: &mut Notes) -> bool {
        match self.said(path) {
            Said::Nothing if self.is_null(path) => false,
            Said::Nothing => default,
            Said::Is(text, _) if text == "true" => true,
            Said::Is(text, _) if text == "false" => false,
            Said::Is(_, mark) | Said::Unknown(mark) => {
                notes.unjudged(mark, self.id(), format!("`{}` is not known here", self.path(path).join(".")));
                unknown
            }
        }
    }

    /// A number, or what holds where it is not written. `None`: not known, which was told.
    pub(super) fn number(&self, path: &[&'static str], default: u64, notes: &mut Notes) -> Option<u64> {
        self.parsed(path, 0, default, notes)
    }

    /// A number that may be less than nothing, and nothing where it is not written. `None` as above.
    pub(super) fn signed(&self, path: &[&'static str], notes: &mut Notes) -> Option<i64> {
        self.parsed(path, 0, 0, notes)
    }

    /// A key without a value counts as `null`.
    fn parsed<N: std::str::FromStr>(&self, path: &[&'static str], null: N, default: N, notes: &mut Notes) -> Option<N> {
        let (mark, what) = match self.said(path) {
            Said::Nothing if self.is_null(path) => return Some(null),
            Said::Nothing => return Some(default),
            Said::Is(text, mark) => match text.replace('_', "").parse() {
                Ok(number) => return Some(number),
                Err(_) => (mark, "understood"),
            },
            Said::Unknown(mark) => (mark, "known"),
        };
        notes.unjudged(mark, self.id(), format!("`{}` is not {what} here", self.path(path).join(".")));
        None
    }

    /// A duration, or what holds where it is not written. `None`: not known, which was told.
    fn duration(&self, path: &[&'static str], default: Duration, notes: &mut Notes) -> Option<Duration> {
        match self.said(path) {
            Said::Nothing if self.is_null(path) => Some(Duration::ZERO),
            Said::Nothing => Some(default),
            // A number alone counts nanoseconds.
            Said::Is(text, _) if text.parse::<u64>().is_ok() => text.parse().ok().map(Duration::from_nanos),
            Said::Is(text, mark) => parse_duration(&text).ok().or_else(|| {
                notes.unjudged(mark, self.id(), format!("`{}` is no duration that is understood here", self.path(path).join(".")));
                None
            }),
            Said::Unknown(mark) => {
                notes.unjudged(mark, self.id(), format!("`{}` is not known here", self.path(path).join(".")));
                None
            }
        }
    }
}

/// Judges one exporter.
pub(super) fn judge(file: &File<'_>, exporter: &Component<'_>, receiving: &Receiving, notes: &mut Notes) {
    if exporter.is_variable() {
        let says = "is a variable as a whole: where it sends, what it holds and when it gives up is not known here";
        return notes.unjudged(exporter.mark, &exporter.id, says);
    }
    let own = At { component: exporter, above: &[] };
    // The level that has the address, and with it all that is between the two.
    let sending = At { component: exporter, above: if exporter.is_balancer() { &INNER } else { &[] } };
    let targets = match exporter.is_balancer() {
        true => {
            routing(file, &own, notes);
            target::note_static(exporter, notes);
            target::balanced(&own, notes)
        }
        false => {
            paths(&own, notes);
            target::named(&own, file, notes)
        }
    };
    target::judge_encryption(&sending, &targets, notes);
    demands::judge(&sending, &targets, authenticator(&sending, file, notes), receiving, notes);
    compression(&sending, notes);
    strange(&sending, notes);
    timeout(&sending, if sending.is_grpc() { TIMEOUT_DEFAULT } else { TIMEOUT_DEFAULT_HTTP }, receiving, notes);
    let replicas = target::replicas(exporter);
    if own.has_queue(notes) {
        queue(file, &own, notes);
    }
    if sending.is_inner() && sending.has_queue(notes) {
        queue(file, &sending, notes);
    }
    let counts = queueing(exporter);
    if matches!(counts.queue(), Queue::On | Queue::Perhaps(_)) {
        batch(&counts, receiving, notes);
        consumers(&counts, replicas, receiving, notes);
    }
    if sending.is_inner() {
        misplaced(&own, notes);
        outer_timeout(&own, replicas, receiving, notes);
        outer_retry(&own, &sending, notes);
    } else {
        retry(&own, RETRY_DEFAULT, ENDLESS, notes);
        if own.flag(&["retry_on_failure", "enabled"], true, true, notes) {
            pause(&own, PAUSE_DEFAULT, ENDLESS, notes);
        }
    }
}

/// Settings of the OTLP exporter that stand beside it, on the load-balancing one.
fn misplaced(own: &At<'_, '_>, notes: &mut Notes) {
    const OWN: [&str; 7] = ["protocol", "resolver", "retry_on_failure", "routing_attributes", "routing_key", "sending_queue", "timeout"];
    let Some(Node { value: Value::Map(members), .. }) = own.node(&[]) else { return };
    for (key, node) in members.iter().filter(|(key, _)| !OWN.contains(&key.name.as_str())) {
        let name = key.name.as_str();
        if [&SETTINGS[..], &SETTINGS_GRPC, &SETTINGS_HTTP].concat().contains(&name) {
            let says = format!("`{name}` is no setting of the load-balancing exporter: the Collector does not start");
            notes.found(Kind::DoesNotStart, key.mark, own.id(), says, "what is for its replicas stands below `protocol: {otlp: ...}`");
        } else if says_something(node) {
            notes.unjudged(key.mark, own.id(), format!("what `{name}` does to telemetry on its way is not known here"));
        }
    }
}

/// Settings that the exporter does not have, those that nothing is known of here, and those that lead telemetry through something else. The
/// Collector reads those of a replica when it starts, too, and starts with no key that it does not know, whatever stands behind it.
fn strange(at: &At<'_, '_>, notes: &mut Notes) {
    let Some(Node { value: Value::Map(members), .. }) = at.node(&[]) else { return };
    let is_of_other = |name: &str| match at.is_grpc() {
        true => SETTINGS_HTTP.contains(&name) || name == PROXY,
        false => SETTINGS_GRPC.contains(&name),
    };
    for (key, node) in members {
        let name = key.name.as_str();
        if let Some((_, instead)) = SETTINGS_GONE.iter().find(|(gone, _)| *gone == name) {
            let says = format!("`{name}` is no setting of this exporter any more: the Collector does not start");
            notes.found(Kind::DoesNotStart, key.mark, at.id(), says, *instead);
        } else if is_of_other(name) {
            let (own, other) = if at.is_grpc() { ("gRPC", "HTTP") } else { ("HTTP", "gRPC") };
            let says = format!("`{name}` is a setting of OTLP/{other}, and this exporter speaks OTLP/{own}: the Collector does not start");
            notes.found(Kind::DoesNotStart, key.mark, at.id(), says, "the exporter without it");
        } else if ![&SETTINGS[..], &SETTINGS_GRPC, &SETTINGS_HTTP].concat().contains(&name) && says_something(node) {
            notes.unjudged(key.mark, at.id(), format!("what `{name}` does to telemetry on its way is not known here"));
        }
    }
}

/// What spanseal unpacks (gzip, where nothing is written).
fn compression(at: &At<'_, '_>, notes: &mut Notes) {
    match at.said(&["compression"]) {
        Said::Is(name, _) if matches!(name.as_str(), "gzip" | "zstd" | "none" | "") => {}
        Said::Is(name, mark) => {
            // The names are those of `configcompression` 1.58, and of gRPC those of `configgrpc`.
            let (kind, says) = match name.as_str() {
                "x-snappy-framed" | "lz4" | "zlib" | "deflate" if at.is_grpc() => {
                    (Kind::DoesNotStart, format!("`{name}` is no compression of OTLP/gRPC: {}", at.when_refused()))
                }
                "snappy" | "x-snappy-framed" | "lz4" | "zlib" | "deflate" => (
                    Kind::CompressionRefused,
                    format!(
                        "`{name}` is no compression that spanseal takes: it refuses each request for good, and what was acknowledged is dropped"
                    ),
                ),
                // It may be anything, a secret that slipped a line among it: it is not repeated.
                _ => (Kind::DoesNotStart, "the value of `compression` is none that the Collector knows: it does not start".to_owned()),
            };
            notes.found(kind, mark, at.id(), says, "`compression: zstd` or `gzip`");
        }
        Said::Unknown(mark) => notes.unjudged(mark, at.id(), "`compression` is not known here"),
        Said::Nothing => {}
    }
}

/// Addresses of the HTTP exporter for one signal, which count whole.
fn paths(at: &At<'_, '_>, notes: &mut Notes) {
    for (key, path) in [("traces_endpoint", "/v1/traces"), ("logs_endpoint", "/v1/logs")] {
        match at.said(&[key]) {
            Said::Is(text, mark) if !at.is_grpc() && !text.ends_with(path) => notes.found(
                Kind::EndpointWrong,
                mark,
                at.id(),
                format!("`{key}` counts whole, and spanseal takes this signal at {path} alone: what is sent there is refused for good"),
                format!("the address with {path}, or `endpoint` without a path in its place"),
            ),
            Said::Unknown(mark) => notes.unjudged(mark, at.id(), format!("`{key}` is not known here")),
            Said::Is(..) | Said::Nothing => {}
        }
    }
}

/// The extension that an exporter proves itself by; without it nothing is sent, which is told.
fn authenticator<'f, 'n>(at: &At<'_, '_>, file: &'f File<'n>, notes: &mut Notes) -> Option<&'f Component<'n>> {
    let (name, mark) = match at.said(&["auth", "authenticator"]) {
        Said::Is(name, mark) => (name, mark),
        Said::Nothing => return None,
        Said::Unknown(mark) => {
            notes.unjudged(mark, at.id(), "`auth.authenticator` is not known here");
            return None;
        }
    };
    is_started(file, at, &name, mark, "the name of one, as in `bearertokenauth/spanseal`", notes)
}

/// An extension that a component names; what comes of it where there is none is told.
fn is_started<'f, 'n>(
    file: &'f File<'n>,
    at: &At<'_, '_>,
    name: &str,
    mark: Mark,
    instead: &str,
    notes: &mut Notes,
) -> Option<&'f Component<'n>> {
    let Some(extension) = file.extensions.iter().find(|extension| extension.id == name) else {
        let says = format!("`{name}` is no extension of this configuration: {}", at.when_refused());
        notes.found(Kind::DoesNotStart, mark, at.id(), says, instead);
        return None;
    };
    if !file.started.iter().any(|started| started.id == name) {
        let instead = format!("`{name}` under `service.extensions`");
        notes.found(Kind::DoesNotStart, mark, at.id(), format!("`{name}` is not started: {}", at.when_refused()), instead);
    }
    Some(extension)
}

/// What a replica is chosen by: of traces, and of metrics, a key that each knows; of logs always the trace id.
fn routing(file: &File<'_>, at: &At<'_, '_>, notes: &mut Notes) {
    let takes = |signal: &str| pipelines::is_used_for(file, at.component, signal);
    let (key, mark) = match at.said(&["routing_key"]) {
        Said::Is(key, mark) => (key, mark),
        Said::Nothing => return,
        Said::Unknown(mark) if takes("traces") => {
            return notes.unjudged(mark, at.id(), "`routing_key` is not known here: whether it keeps a trace together");
        }
        Said::Unknown(_) => return,
    };
    match key.as_str() {
        "traceID" | "" => {}
        "service" | "attributes" if takes("traces") => notes.found(
            Kind::NotByTrace,
            mark,
            at.id(),
            format!(
                "`routing_key: {key}` chooses replicas by something else than the trace: spans of one trace lie in several logs, and what the \
                 receipts and `spanseal prove --trace-id` of one log say of it is a part"
            ),
            "`routing_key: traceID`",
        ),
        "service" | "attributes" => {}
        // It may be anything: it is not repeated.
        _ if takes("traces") => {
            let says = "this `routing_key` is none for traces: the Collector does not start";
            notes.found(Kind::DoesNotStart, mark, at.id(), says, "`routing_key: traceID`");
        }
        _ => {}
    }
    if takes("metrics") && !matches!(key.as_str(), "service" | "attributes" | "resource" | "metric" | "streamID" | "") {
        let says = "this `routing_key` is none for metrics: the Collector does not start";
        notes.found(Kind::DoesNotStart, mark, at.id(), says, "the exporter in no pipeline of metrics: spanseal keeps none of them");
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
            format!("replicas cannot have a queue on disk, because all of them would share one: {}", at.when_refused()),
            "the queue with `storage` on the load-balancing exporter itself",
        ),
        (Said::Is(name, mark), false) => storage_judged(file, at, name, *mark, notes),
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
fn storage_judged(file: &File<'_>, exporter: &At<'_, '_>, name: &str, mark: Mark, notes: &mut Notes) {
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
    compaction(&at, notes);
    match at.said(&["directory"]) {
        Said::Is(folder, mark) if is_volatile(&folder) => {
            let says = format!("`{folder}` is emptied when the machine or the container starts again, and the queue with it");
            notes.found(Kind::StorageVolatile, mark, &extension.id, says, "a folder on a disk or volume that stays");
        }
        Said::Unknown(mark) => notes.unjudged(mark, &extension.id, "`directory` is not known here: whether it survives a restart"),
        Said::Is(..) | Said::Nothing => {
            let says = match at.is_written(&["directory"]) {
                true => "in a container this folder has to lie on a volume that outlives it, or the queue goes with the container",
                false => {
                    "names no `directory`: its default, below /var/lib, goes with the container unless a volume that outlives it is mounted there"
                }
            };
            notes.note(at.place(&["directory"]), &extension.id, says);
        }
    }
}

/// Where a queue is compacted. In the queue's own file system the new file takes the place of the old one at once; out of another it is copied
/// back over the old one, which is emptied first and not written through.
fn compaction(at: &At<'_, '_>, notes: &mut Notes) {
    const DIRECTORY: [&str; 2] = ["compaction", "directory"];
    let is_on = [["compaction", "on_start"], ["compaction", "on_rebound"]].map(|path| at.flag(&path, false, false, notes)).contains(&true);
    if !is_on {
        return;
    }
    let own = match at.said(&["directory"]) {
        Said::Is(folder, _) => folder,
        Said::Nothing => STORAGE_DEFAULT.to_owned(),
        // Which is told with the folder itself.
        Said::Unknown(_) => return,
    };
    let folder = match at.said(&DIRECTORY) {
        Said::Is(folder, _) => folder,
        Said::Nothing => STORAGE_DEFAULT.to_owned(),
        Said::Unknown(mark) => {
            return notes.unjudged(mark, at.id(), "`compaction.directory` is not known here: whether it lies on the queue's disk");
        }
    };
    if !is_below(&folder, &own) {
        let by_default = if at.is_written(&DIRECTORY) { "" } else { " by default" };
        let says = format!(
            "compacts in `{folder}`{by_default}: where that is another file system than the queue's, the queue is emptied and copied back, and a \
             crash in between loses all of it, with `fsync` too"
        );
        let instead =
            format!("`compaction: {{directory: {own}}}`: in the queue's own folder the new file takes the old one's place at once");
        notes.found(Kind::StorageVolatile, at.place(&DIRECTORY), at.id(), says, instead);
    }
}

/// Whether a folder lies in one that is empty after a restart, whatever way is written to it.
fn is_volatile(folder: &str) -> bool {
    VOLATILE.iter().any(|volatile| is_below(folder, volatile))
}

/// Whether a folder is another one or lies below it, whatever way is written to them.
fn is_below(folder: &str, of: &str) -> bool {
    let plain = |folder: &str| {
        let mut parts: Vec<String> = if folder.starts_with('/') { vec![String::new()] } else { Vec::new() };
        for part in folder.split('/').filter(|part| !matches!(*part, "" | ".")) {
            match (part, parts.last().map(String::as_str)) {
                ("..", None | Some("..")) => parts.push(part.to_owned()),
                // Above the root there is the root.
                ("..", Some("")) => {}
                ("..", Some(_)) => {
                    parts.pop();
                }
                _ => parts.push(part.to_owned()),
            }
        }
        parts
    };
    plain(folder).starts_with(&plain(of))
}

fn batch(at: &At<'_, '_>, receiving: &Receiving, notes: &mut Notes) {
    const BATCH: [&str; 2] = ["sending_queue", "batch"];
    // Its key alone, without a value, is a batch with no largest size.
    match at.component.section(&at.path(&BATCH)) {
        Section::Absent => return,
        Section::Untold(mark) => return notes.unjudged(mark, at.id(), "print-config does not tell whether `sending_queue.batch` is on"),
        Section::Present => {}
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
    let sizer = at.sizer();
    let bytes = matches!(&sizer, Said::Is(sizer, _) if sizer == "bytes");
    const MAX_SIZE: [&str; 3] = ["sending_queue", "batch", "max_size"];
    let mark = at.place(&MAX_SIZE);
    match at.number(&MAX_SIZE, 0, notes) {
        None => {}
        Some(0) => notes.found(Kind::BatchUnbounded, mark, at.id(), format!("batches have no largest size: {too_much}"), instead),
        Some(size) if bytes && size > most => {
            notes.found(Kind::BatchUnbounded, mark, at.id(), format!("batches may have {}: {too_much}", show_size(size)), instead);
        }
        Some(_) if matches!(sizer, Said::Unknown(_)) => {
            notes.unjudged(mark, at.id(), "`sizer` is not known here: whether `sending_queue.batch.max_size` counts bytes");
        }
        Some(size) if !bytes => {
            let says =
                format!("whether {size} spans or logs with their content fit into what spanseal takes at once ({})", show_size(most));
            notes.unjudged(mark, at.id(), says);
        }
        Some(_) => {}
    }
}

/// How many requests are on their way at once: each waits for its seal, and those that come meanwhile share the next one. A batch that waits for
/// more makes few requests of many; then how many is enough depends on what comes.
fn consumers(at: &At<'_, '_>, replicas: u32, receiving: &Receiving, notes: &mut Notes) {
    const CONSUMERS: [&str; 2] = ["sending_queue", "num_consumers"];
    const MIN_SIZE: [&str; 3] = ["sending_queue", "batch", "min_size"];
    let merges = at.component.section(&at.path(&["sending_queue", "batch"])) != Section::Absent
        && !matches!(at.said(&MIN_SIZE), Said::Is(text, _) if text == "0");
    if merges {
        return;
    }
    let Some(number) = at.number(&CONSUMERS, CONSUMERS_DEFAULT, notes) else { return };
    let mark = at.place(&CONSUMERS);
    let delay = receiving.max_delay.max(Duration::from_millis(1)).saturating_mul(replicas);
    // Of zero consumers the Collector says that it does not start.
    let rate = (f64::from(u32::try_from(number).unwrap_or(u32::MAX)) / delay.as_secs_f64()).round();
    if number == 0 || rate >= RATE_ENOUGH {
        return;
    }
    let by_default = if at.is_written(&CONSUMERS) { "" } else { " by default" };
    let seals = match replicas {
        1 => format!("its seal, up to {}", show_duration(delay)),
        _ => format!("the seals of {replicas} replicas, one after another, up to {}", show_duration(delay)),
    };
    let says = format!(
        "sends at most {number} requests at a time{by_default}, and each waits for {seals}: some {rate} a second get through, small ones too. What \
         comes faster fills the queue, and then senders wait until they give up"
    );
    if rate < RATE_MIN {
        let instead =
            "`num_consumers: 100` under `sending_queue` (requests that wait together share a seal), or a `batch` with a `min_size`";
        notes.found(Kind::ConsumersFew, mark, at.id(), says, instead);
    } else {
        notes.note(mark, at.id(), format!("{says}; `num_consumers: 100` lets more through"));
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

/// The load-balancing exporter's own timeout is around an attempt at all replicas, one after another. It has no "for ever": zero is the default.
fn outer_timeout(own: &At<'_, '_>, replicas: u32, receiving: &Receiving, notes: &mut Notes) {
    let Some(written) = own.duration(&["timeout"], Duration::ZERO, notes) else { return };
    let timeout = if written.is_zero() { TIMEOUT_DEFAULT } else { written };
    let needed = receiving.receipt.saturating_mul(replicas);
    if timeout >= needed {
        return;
    }
    let by_default = if written.is_zero() { " (the default here, and what zero means)" } else { "" };
    let of = if replicas == 1 { "a busy spanseal".to_owned() } else { format!("{replicas} busy replicas, one after another,") };
    let (is, need) = (show_duration(timeout), show_duration(needed));
    notes.found(
        Kind::TimeoutShort,
        own.place(&["timeout"]),
        own.id(),
        format!("an attempt at all replicas ends after {is}{by_default}, and {of} may answer after {need}: what was sealed is sent again, or given up"),
        "`timeout: 60s` on the load-balancing exporter itself, or the `timeout` below it times the number of replicas",
    );
}

/// The load-balancing exporter's own retry is the one that counts: a replica's ends with the outer `timeout`, and when the resolver takes
/// the replica away, and what it had is dropped.
fn outer_retry(own: &At<'_, '_>, inner: &At<'_, '_>, notes: &mut Notes) {
    let inner_on = inner.flag(&["retry_on_failure", "enabled"], true, true, notes);
    if inner_on {
        pause(inner, PAUSE_DEFAULT, ENDLESS, notes);
    }
    // Where it is not written, every number of it is zero.
    if own.flag(&["retry_on_failure", "enabled"], false, true, notes) {
        retry(own, "0s", ENDLESS_BALANCED, notes);
        pause(own, Duration::ZERO, ENDLESS_BALANCED, notes);
        return;
    }
    let (kind, says) = match inner_on {
        true => (
            Kind::RetryGivesUp,
            "only the exporters of the replicas try again: when the outer `timeout` is over, or the resolver takes a replica away, what they had is lost",
        ),
        false => (Kind::RetryOff, "what spanseal cannot take at the moment is not tried again, and is lost"),
    };
    notes.found(kind, own.place(&["retry_on_failure"]), own.id(), says, ENDLESS_BALANCED);
}

/// Tries again at once: it takes a processor and floods what it waits for.
fn pause(at: &At<'_, '_>, default: Duration, instead: &str, notes: &mut Notes) {
    const INITIAL: [&str; 2] = ["retry_on_failure", "initial_interval"];
    const MOST: [&str; 2] = ["retry_on_failure", "max_interval"];
    /// Below it a Collector with a full queue asks thousands of times a second; above it, it has as good as given up.
    const SENSIBLE: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);
    let Some(initial) = at.duration(&INITIAL, default, notes) else { return };
    let most = at.is_written(&MOST).then(|| at.duration(&MOST, Duration::MAX, notes)).flatten();
    // The largest pause is zero where it does not count, and then pauses stay as the first.
    let most = most.filter(|most| !most.is_zero());
    let (pause, place) = match most {
        Some(most) if most < initial => (most, MOST),
        _ => (initial, INITIAL),
    };
    if pause < *SENSIBLE.start() {
        let by_default = if at.node(&INITIAL).is_some() { "" } else { " (`initial_interval` is 0s by default here)" };
        let says =
            format!("tries again with hardly a pause{by_default}: up to thousands of times a second while spanseal or its store is away");
        notes.found(Kind::RetryWithoutPause, at.place(&place), at.id(), says, instead);
    }
    let longest = most.unwrap_or(initial);
    if longest > *SENSIBLE.end() {
        let place = if most.is_some() { MOST } else { INITIAL };
        let says = format!("may wait {} until it tries again, however short spanseal or its store was away", show_duration(longest));
        notes.found(Kind::RetryGivesUp, at.place(&place), at.id(), says, "`initial_interval: 1s, max_interval: 30s`");
    }
}

fn retry(at: &At<'_, '_>, default: &str, instead: &str, notes: &mut Notes) {
    if !at.flag(&["retry_on_failure", "enabled"], true, true, notes) {
        let is_told = at.queue() == Queue::Off || at.flag(&["sending_queue", "wait_for_result"], false, false, notes);
        let says = match is_told {
            true => {
                "what spanseal cannot take at the moment is not tried again: its sender is told, and what that does not send again is lost"
            }
            false => "what spanseal cannot take at the moment is not tried again, and is lost",
        };
        notes.found(Kind::RetryOff, at.place(&["retry_on_failure", "enabled"]), at.id(), says, instead);
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
            format!("{instead}: it is tried for ever"),
        );
    }
}
