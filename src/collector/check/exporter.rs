//! The exporter that leads to us: where it sends, how long it waits, whether it tries again, and what it holds meanwhile.
//!
//! The load-balancing exporter is two levels: its own queue, retry and timeout (off by default) and those of the OTLP exporters below it
//! (on by default, in memory, and none of them can be persistent, because all replicas would share it).

use std::time::Duration;

use super::file::{Component, File, Said, Section, later, says_something};
use super::{Kind, Notes, Receiving, batch, demands, pipelines, retry, storage, target};
use crate::config::yaml::{Mark, Node, Value};
use crate::config::{parse_duration, show_size};

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
/// Settings that there are, and that may do anything to what is sent.
const UNJUDGED: [&str; 2] = ["middlewares", PROXY];
/// Settings that there were once, and what took their place.
const SETTINGS_GONE: [(&str, &str); 2] =
    [("batcher", "`batch` under `sending_queue`"), ("per_rpc_auth", "`auth: {authenticator: bearertokenauth/...}` and that extension")];
/// All keys of the sections of an exporter that are judged (configtls, exporterhelper, configretry).
const SECTIONS: [(&[&str], &[&str]); 4] = [
    (
        &["tls"],
        &[
            "ca_file",
            "ca_pem",
            "include_system_ca_certs_pool",
            "cert_file",
            "cert_pem",
            "key_file",
            "key_pem",
            "min_version",
            "max_version",
            "cipher_suites",
            "reload_interval",
            "curve_preferences",
            "tpm",
            "insecure",
            "insecure_skip_verify",
            "server_name_override",
        ],
    ),
    (&["sending_queue"], &["enabled", "wait_for_result", "sizer", "queue_size", "block_on_overflow", "storage", "num_consumers", "batch"]),
    (&["sending_queue", "batch"], &["enabled", "flush_timeout", "sizer", "min_size", "max_size", "partition"]),
    (&["retry_on_failure"], &["enabled", "initial_interval", "randomization_factor", "multiplier", "max_interval", "max_elapsed_time"]),
];
/// The OTLP exporter inside the load-balancing one.
const INNER: [&str; 2] = ["protocol", "otlp"];

/// Exporters that have no queue where none is written, as of 0.152. Those of OTLP have one, of others nothing is known.
const WITHOUT_QUEUE: [&str; 1] = ["awss3"];
/// Exporters that send nowhere, so that there is nothing to wait for.
const SENDING_NOTHING: [&str; 2] = ["debug", "nop"];

/// Whether a level of an exporter has a queue, or a queue has batches.
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

    pub(super) fn path(&self, path: &[&'static str]) -> Vec<&'static str> {
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

    /// Where one of the keys of a section is written, of several that of the last file, which counts; else the section itself.
    fn place_of(&self, section: &[&'static str], keys: &[&'static str]) -> Mark {
        let paths = keys.iter().map(|key| [section, &[*key]].concat()).filter(|path| self.node(path).is_some());
        paths.map(|path| self.place(&path)).reduce(later).unwrap_or(self.place(section))
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

    /// Whether it has a queue.
    pub(super) fn queue(&self) -> Queue {
        let is_default = !(self.above.is_empty() && self.component.is_balancer());
        self.switched(&["sending_queue"], if is_default { Queue::On } else { Queue::Off })
    }

    /// Whether its queue makes batches, if there is a queue.
    pub(super) fn batch(&self) -> Queue {
        self.switched(&["sending_queue", "batch"], Queue::Off)
    }

    /// A section that its key alone, without a value, switches on, and `enabled: false` off, whatever else stands there (configoptional).
    fn switched(&self, section: &[&'static str], absent: Queue) -> Queue {
        match (self.component.section(&self.path(section)), self.said(&[section, &["enabled"]].concat())) {
            (Section::Untold(mark), _) => Queue::Untold(mark),
            (Section::Absent, _) => absent,
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
    pub(super) fn duration(&self, path: &[&'static str], default: Duration, notes: &mut Notes) -> Option<Duration> {
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
        false => target::named(&own, file, notes),
    };
    target::judge_encryption(&sending, &targets, notes);
    demands::judge(&sending, &targets, authenticator(&sending, file, notes), receiving, notes);
    compression(&sending, notes);
    encoding(&sending, receiving, notes);
    strange(&sending, notes);
    retry::timeout(&sending, if sending.is_grpc() { retry::TIMEOUT_DEFAULT } else { retry::TIMEOUT_DEFAULT_HTTP }, receiving, notes);
    let replicas = target::replicas(exporter);
    if own.has_queue(notes) {
        queue(file, &own, receiving, notes);
        batch::refused(&own, notes);
    }
    if sending.is_inner() && sending.has_queue(notes) {
        queue(file, &sending, receiving, notes);
        batch::refused(&sending, notes);
    }
    let counts = queueing(exporter);
    if matches!(counts.queue(), Queue::On | Queue::Perhaps(_)) {
        batch::judge(&counts, receiving, notes);
    }
    batch::consumers(&counts, &targets, replicas, receiving, notes);
    if sending.is_inner() {
        misplaced(&own, notes);
        retry::outer_timeout(&own, replicas, receiving, notes);
        retry::outer_retry(&own, &sending, notes);
    } else {
        retry::retry(&own, retry::RETRY_DEFAULT, retry::ENDLESS, notes);
        if own.flag(&["retry_on_failure", "enabled"], true, true, notes) {
            retry::pause(&own, retry::PAUSE_DEFAULT, retry::ENDLESS, notes);
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
            notes.unjudged(key.mark, own.id(), not_known(name));
        }
    }
    sections_strange(own, notes);
}

/// What is said of a key that is not judged.
fn not_known(name: &str) -> String {
    match UNJUDGED.contains(&name) {
        true => format!("what `{name}` does to telemetry on its way is not known here"),
        false => format!(
            "`{name}` is no setting that is known here: if it is none of the exporter's own, the Collector does not start (`otelcol validate` says it \
             for sure); else what it does to telemetry on its way is not judged"
        ),
    }
}

/// The same of the sections that are judged.
fn sections_strange(at: &At<'_, '_>, notes: &mut Notes) {
    for (path, known) in SECTIONS {
        let Some(Node { value: Value::Map(members), .. }) = at.node(path) else { continue };
        for (key, _) in members.iter().filter(|(key, node)| !known.contains(&key.name.as_str()) && says_something(node)) {
            let name = path.iter().copied().chain([key.name.as_str()]).collect::<Vec<_>>().join(".");
            notes.unjudged(key.mark, at.id(), not_known(&name));
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
            notes.unjudged(key.mark, at.id(), not_known(name));
        }
    }
    sections_strange(at, notes);
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

/// Queues and batches count what they hold as protobuf, and JSON of the same is several times larger: by what factor depends on what it is, and a key
/// of 26 characters stands for two bytes. So no size that is written bounds what is sent.
fn encoding(at: &At<'_, '_>, receiving: &Receiving, notes: &mut Notes) {
    match at.said(&["encoding"]) {
        // What an exporter of OTLP/gRPC does with this key was told.
        _ if at.is_grpc() => {}
        Said::Is(name, _) if name == "proto" => {}
        Said::Is(name, mark) if name == "json" => {
            let says = format!(
                "batches are counted as protobuf and sent as JSON, which is several times larger: what becomes more than {} spanseal refuses, and the \
                 Collector drops it",
                show_size(receiving.request_bytes_max)
            );
            notes.found(Kind::BatchUnbounded, mark, at.id(), says, "`encoding: proto`, which is the default");
        }
        Said::Is(_, mark) => {
            let says = "the value of `encoding` is none that the Collector knows: it does not start";
            notes.found(Kind::DoesNotStart, mark, at.id(), says, "`encoding: proto`, which is the default");
        }
        Said::Unknown(mark) => notes.unjudged(mark, at.id(), "`encoding` is not known here: JSON may be larger than spanseal takes"),
        Said::Nothing => {}
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
pub(super) fn is_started<'f, 'n>(
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
        // A list that a later file has in place of an earlier one is where to look.
        let mark = file.started_mark.filter(|list| list.file > mark.file).unwrap_or(mark);
        notes.found(Kind::DoesNotStart, mark, at.id(), format!("`{name}` is not started: {}", at.when_refused()), instead);
    }
    Some(extension)
}

/// What a replica is chosen by: of traces, and of metrics, a key that each knows; of logs, with contrib 0.152, the trace id.
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

fn queue(file: &File<'_>, at: &At<'_, '_>, receiving: &Receiving, notes: &mut Notes) {
    let instead = |own: &str| if at.is_inner() { batch::queues_of_balancer(receiving.request_bytes_max) } else { own.to_owned() };
    let place = |keys: &[&'static str]| at.place_of(&["sending_queue"], keys);
    let waits = at.flag(&["sending_queue", "wait_for_result"], false, false, notes);
    let storage = at.said(&["sending_queue", "storage"]);
    match (&storage, waits) {
        (Said::Nothing, true) => {}
        (Said::Nothing, false) => {
            let below = if at.above.is_empty() { "" } else { " of each replica" };
            notes.found(
                Kind::QueueInMemory,
                place(&["wait_for_result", "storage"]),
                at.id(),
                format!("the queue{below} is in memory and the sender is answered before spanseal has sealed: what waits is lost with the Collector"),
                instead(
                    "`storage: file_storage/...` under `sending_queue` (on disk), or `wait_for_result: true` (the sender waits for the seal)",
                ),
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
            place(&[]),
            at.id(),
            format!("replicas cannot have a queue on disk, because all of them would share one: {}", at.when_refused()),
            instead("the queue with `storage` on the load-balancing exporter itself"),
        ),
        (Said::Is(name, mark), false) => storage::judge(file, at, name, *mark, notes),
        (Said::Unknown(mark), false) => notes.unjudged(*mark, at.id(), "`sending_queue.storage` is not known here"),
    }
    if !at.flag(&["sending_queue", "block_on_overflow"], false, true, notes) {
        notes.found(
            Kind::QueueOverflow,
            place(&["block_on_overflow"]),
            at.id(),
            "a full queue refuses what comes in, and senders that do not try again for long lose it",
            instead("`block_on_overflow: true` under `sending_queue`: senders wait"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{HTTP, checked, checked_with, http, kinds, listening};
    use super::super::{Receiving, Report};

    /// What is no key of the exporter stops the Collector, and another program tells for sure.
    #[test]
    fn keys_that_may_be_none_are_told_with_what_comes_of_it() {
        for (more, queue, name) in [
            ("Endpoint: x", "", "`Endpoint`"),
            ("TLS: {insecure: true}", "", "`TLS`"),
            ("", "num_consumer: 10", "`sending_queue.num_consumer`"),
            ("", "batch: {min_size: 0, max_sizes: 100, max_size: 100}", "`sending_queue.batch.max_sizes`"),
            ("tls: {insecur: true}", "", "`tls.insecur`"),
        ] {
            let report = http(more, queue);
            let told = report.unjudged.iter().find(|told| told.says.starts_with(name)).unwrap_or_else(|| panic!("{name}: {report:#?}"));
            assert!(told.says.contains("does not start") && told.says.contains("otelcol validate"), "{told:?}");
        }
        let retry = checked(
            &HTTP.replace("MORE", "").replace("QUEUE", "").replace("max_elapsed_time: 0s", "max_elapsed_time: 0s, max_elapsed: 1s"),
        );
        assert!(retry.unjudged.iter().any(|told| told.says.starts_with("`retry_on_failure.max_elapsed`")), "{retry:#?}");
    }

    const BALANCED: &str = r#"
receivers:
  otlp: {protocols: {grpc: {}}}
extensions:
  file_storage/spanseal: {directory: /var/lib/otelcol, fsync: true}
  health_check: {}
exporters:
  loadbalancing:
    OUTER
    protocol:
      otlp:
        INNER
    resolver: RESOLVER
service:
  extensions: [file_storage/spanseal, health_check]
  pipelines:
    traces: {receivers: [otlp], exporters: [loadbalancing]}
"#;
    const INNER: [&str; 3] = [
        "timeout: 30s",
        "tls: TLS",
        "sending_queue: {enabled: true, wait_for_result: true, block_on_overflow: true, batch: {sizer: bytes, min_size: 0, max_size: 15728640, flush_timeout: 200ms}}",
    ];
    const OUTER: [&str; 3] = [
        "timeout: 60s",
        "sending_queue: {enabled: true, storage: file_storage/spanseal, block_on_overflow: true, num_consumers: 100}",
        "retry_on_failure: {enabled: true, initial_interval: 1s, max_interval: 30s, multiplier: 1.5, randomization_factor: 0.5, max_elapsed_time: 0s}",
    ];

    fn balanced(resolver: &str, tls: &str) -> Report {
        let (outer, inner) = (OUTER.join("\n    "), INNER.join("\n        ").replace("TLS", tls));
        let receiving = Receiving { is_configured: false, ..listening(4317, 4318) };
        checked_with(&BALANCED.replace("OUTER", &outer).replace("INNER", &inner).replace("RESOLVER", resolver), &receiving)
    }

    /// Scenario: replicas that a resolver finds by address, with TLS. Guarantee: it is told that a certificate has to name these addresses, not where a
    /// name is given, or where names are dialled.
    #[test]
    fn a_resolver_of_addresses_is_told_with_tls() {
        let is_told = |resolver: &str, tls: &str| {
            let report = balanced(resolver, tls);
            assert_eq!(kinds(&report), if tls.contains("insecure") { "not_encrypted" } else { "" }, "{report:#?}");
            report.unjudged.iter().any(|told| told.says.contains("server_name_override"))
        };
        const DNS: &str = "{dns: {hostname: seal}}";
        const CLOUD_MAP: &str = "{aws_cloud_map: {namespace: a, service_name: b}}";
        for (resolver, tls, expected) in [
            (DNS, "{ca_file: ca.pem}", true),
            ("{k8s: {service: seal.audit}}", "{ca_file: ca.pem}", true),
            (CLOUD_MAP, "{}", true),
            (DNS, "{ca_file: ca.pem, server_name_override: seal}", false),
            (DNS, "{insecure: true}", false),
            (DNS, "{insecure_skip_verify: true}", false),
            ("{k8s: {service: seal.audit, return_hostnames: true}}", "{ca_file: ca.pem}", false),
            ("{static: {hostnames: ['seal-1:4317']}}", "{ca_file: ca.pem}", false),
        ] {
            assert_eq!(is_told(resolver, tls), expected, "{resolver} {tls}");
        }
        let plain = balanced(DNS, "{insecure: true}");
        assert!(plain.findings[0].instead.contains("server_name_override"), "{plain:#?}");
        assert!(!balanced("{static: {hostnames: ['seal-1:4317']}}", "{insecure: true}").findings[0].instead.contains("override"));
    }

    /// Scenario: a plain load-balancing exporter, whose owner writes what the check says to write. Guarantee: one advice for one place, and
    /// nothing is found in the end.
    #[test]
    fn the_advice_for_a_load_balancer_ends_at_nothing() {
        let receiving = Receiving { is_configured: false, ..listening(4317, 4318) };
        let (mut outer, mut inner): (Vec<String>, Vec<String>) =
            (vec!["routing_key: traceID".to_owned()], vec!["tls: {insecure: true}".to_owned()]);
        let mut rounds = 0;
        loop {
            let text = BALANCED.replace("OUTER", &outer.join("\n    ")).replace("INNER", &inner.join("\n        "));
            let report = checked_with(&text.replace("RESOLVER", "{dns: {hostname: seal}}"), &receiving);
            if report.findings.is_empty() {
                break;
            }
            rounds += 1;
            assert!(rounds < 4, "{text}\n{report:#?}");
            let mut queues: Vec<&str> = report
                .findings
                .iter()
                .filter(|found| found.instead.contains("sending_queue"))
                .map(|found| found.instead.as_str())
                .collect();
            queues.dedup();
            assert!(queues.len() <= 1, "one advice: {queues:#?}");
            assert!(queues.iter().all(|advice| advice.contains("spanseal collector example gateway")), "{queues:?}");
            // What stands in quotes is written: as one of the exporter itself where its words say so, else below.
            for found in &report.findings {
                let mut parts = found.instead.split('`');
                parts.next();
                while let (Some(yaml), Some(words)) = (parts.next(), parts.next()) {
                    let words = if words.len() > 3 { words } else { "" };
                    if !yaml.contains(": ") {
                        continue;
                    }
                    let level = if words.contains("exporter itself") { &mut outer } else { &mut inner };
                    let yaml = yaml.replace("ca_file: ...", "ca_file: ca.pem").replace("NAME", "seal");
                    let key = yaml.split(':').next().unwrap().to_owned();
                    level.retain(|line| !line.starts_with(&format!("{key}:")));
                    level.push(yaml);
                }
            }
        }
        assert!(rounds > 0);
    }
}
