//! The receivers of OTLP: how much they let in at once. What is more than spanseal takes, or than a batch on the way may hold, is dropped
//! by the Collector, and where it answers from a queue its sender was told that it is safe.

use super::batch::queues_of_balancer;
use super::exporter::{At, Queue, answers_before_sealed, queueing, sending};
use super::file::{Component, File, Pipeline, Section, says_something};
use super::target::is_beyond;
use super::{Kind, Notes, Receiving, Said};
use crate::config::show_size;
use crate::config::yaml::{Mark, Node, Value};

const MIB: u64 = 1024 * 1024;
/// Size of a queue where none is written, in what it counts.
const QUEUE_DEFAULT: u64 = 1000;

/// What the batch processors of SDKs send at once where nothing else is set (OpenTelemetry specification, "Batching processor").
pub(super) const SDK_BATCH: u64 = 512;

/// One way in: protocol, the key of its limit, the unit of that, and the limit where none is written (0 means the same).
struct Limit {
    protocol: &'static str,
    key: &'static str,
    unit: u64,
    default: u64,
}

static LIMITS: [Limit; 2] = [
    Limit { protocol: "grpc", key: "max_recv_msg_size_mib", unit: MIB, default: 4 * MIB },
    Limit { protocol: "http", key: "max_request_body_size", unit: 1, default: 20 * MIB },
];

/// Settings of a receiver of OTLP/gRPC that are judged, or that change nothing of what is taken. Whom `auth` refuses is told.
const SETTINGS_GRPC: [&str; 11] = [
    "endpoint",
    "transport",
    "dialer",
    "tls",
    "max_recv_msg_size_mib",
    "max_concurrent_streams",
    "read_buffer_size",
    "write_buffer_size",
    "keepalive",
    "auth",
    "include_metadata",
];
/// The same of OTLP/HTTP.
const SETTINGS_HTTP: [&str; 18] = [
    "endpoint",
    "transport",
    "dialer",
    "tls",
    "cors",
    "auth",
    "max_request_body_size",
    "include_metadata",
    "response_headers",
    "compression_algorithms",
    "read_timeout",
    "read_header_timeout",
    "write_timeout",
    "idle_timeout",
    "keep_alives_enabled",
    "traces_url_path",
    "logs_url_path",
    "metrics_url_path",
];

/// What a receiver lets in at once by one protocol.
struct LetIn<'f> {
    receiver: &'f str,
    limit: &'static Limit,
    bytes: u64,
}

impl LetIn<'_> {
    /// The key that makes it so much or less, which is no smaller than one of its units.
    fn at_most(&self, bytes: u64) -> String {
        let Limit { protocol, key, unit, .. } = self.limit;
        format!("`{key}: {}` or less under `protocols.{protocol}` of `{}`", bytes / unit, self.receiver)
    }
}

/// The most that any of them lets in.
fn most_of(let_in: &[LetIn<'_>]) -> u64 {
    let_in.iter().map(|let_in| let_in.bytes).max().unwrap_or_default()
}

/// Judges the receivers of the pipelines that lead to the exporters.
pub(super) fn judge(file: &File<'_>, way: &[&Pipeline], exporters: &[&Component<'_>], receiving: &Receiving, notes: &mut Notes) {
    let evidence = || way.iter().filter(|pipeline| matches!(pipeline.signal(), "traces" | "logs"));
    let is_named = |receiver: &Component<'_>| evidence().any(|pipeline| pipeline.receivers.iter().any(|r| r.id == receiver.id));
    let named: Vec<&Component<'_>> = file.receivers.iter().filter(|receiver| is_named(receiver)).collect();
    let mut let_in = Vec::new();
    for receiver in named.iter().filter(|receiver| receiver.kind() == "otlp") {
        if receiver.is_variable() {
            notes.unjudged(
                receiver.mark,
                &receiver.id,
                "is a variable as a whole: how much it lets in at once, and where it listens, is not known here",
            );
            continue;
        }
        in_the_clear(receiver, notes);
        strange(receiver, notes);
        let_in.extend(LIMITS.iter().filter_map(|limit| let_in_by(receiver, limit, notes)));
    }
    let most = receiving.request_bytes_max;
    // Of a balancer that splits nothing more than this is told.
    let answers_before =
        exporters.iter().any(|exporter| answers_before_sealed(exporter) && !is_split(exporter, most) && !exporter.is_balancer());
    if answers_before {
        too_much(&named, &let_in, most, notes);
    }
    for receiver in named.iter().filter(|receiver| receiver.kind() != "otlp") {
        notes.unjudged(
            receiver.mark,
            &receiver.id,
            "how much it takes at once, and what it does where spanseal refuses, is not known here",
        );
    }
    let takes_logs = way.iter().any(|pipeline| pipeline.signal() == "logs");
    for exporter in exporters {
        if exporter.is_balancer() && answers_before_sealed(exporter) && !is_split(exporter, most) {
            multiplied(exporter, most, notes);
        }
        if takes_logs && answers_before_sealed(exporter) && batch_bytes(&sending(exporter)).is_none() && !exporter.is_balancer() {
            small_logs(exporter, most_of(&let_in), most, notes);
        }
        batch_judged(&queueing(exporter), &let_in, most, notes);
        if exporter.is_balancer() && !queueing(exporter).is_inner() {
            batch_judged(&sending(exporter), &let_in, most, notes);
        }
        queue_judged(exporter, most_of(&let_in), notes);
    }
}

/// What is larger than a batch of so many bytes is split; of a single span that is too large `batch_judged` tells. What a batch counts in may
/// not be known, which was told.
fn is_split(exporter: &Component<'_>, most: u64) -> bool {
    let at = sending(exporter);
    batch_bytes(&at).is_some_and(|(size, _)| size <= most) || matches!(at.sizer(), Said::Unknown(_))
}

/// What is acknowledged and refused behind it. What a Collector encodes anew grows by some bytes an item: an eighth is enough for spans and
/// ordinary logs; of requests of nothing but very small logs `small_logs` tells.
fn too_much(receivers: &[&Component<'_>], let_in: &[LetIn<'_>], most: u64, notes: &mut Notes) {
    let safe = most / 8 * 7;
    for let_in in let_in.iter().filter(|let_in| let_in.bytes > safe) {
        let Some(receiver) = receivers.iter().find(|receiver| receiver.id == let_in.receiver) else { continue };
        let says = format!(
            "requests of up to {} are acknowledged; more than {} at once spanseal refuses, and the Collector drops it (what it sends on may be larger \
             than what came)",
            show_size(let_in.bytes),
            show_size(most)
        );
        let Limit { protocol, key, unit, .. } = let_in.limit;
        let instead = match safe < *unit {
            true => format!("a larger `{key}` of spanseal: that of `{}` goes no lower than {}", receiver.id, show_size(*unit)),
            false => let_in.at_most(safe),
        };
        notes.found(Kind::LetsInTooMuch, receiver.place(&["protocols", protocol, key]), &receiver.id, says, instead);
    }
}

/// Settings that nothing is known of here: they may refuse what comes, or change it.
fn strange(receiver: &Component<'_>, notes: &mut Notes) {
    let known: [(&[&str], &[&str]); 4] = [
        (&[], &["protocols"]),
        (&["protocols"], &["grpc", "http"]),
        (&["protocols", "grpc"], &SETTINGS_GRPC),
        (&["protocols", "http"], &SETTINGS_HTTP),
    ];
    for (path, known) in known {
        let Some(Node { value: Value::Map(members), .. }) = receiver.node(path) else { continue };
        for (key, _) in members.iter().filter(|(key, node)| !known.contains(&key.name.as_str()) && says_something(node)) {
            let name = path.iter().copied().chain([key.name.as_str()]).collect::<Vec<_>>().join(".");
            notes.unjudged(key.mark, &receiver.id, format!("what `{name}` does to telemetry that comes in is not known here"));
        }
    }
}

/// Listens beyond this machine in plain text: whoever reaches it may make evidence up.
fn in_the_clear(receiver: &Component<'_>, notes: &mut Notes) {
    for limit in &LIMITS {
        let path = ["protocols", limit.protocol];
        let Said::Is(text, mark) = receiver.said(&[path[0], path[1], "endpoint"]) else { continue };
        let has_tls = receiver.node(&[path[0], path[1], "tls"]).is_some_and(|node| !matches!(node.value, Value::Null));
        if is_beyond(&text) && !has_tls {
            let says = format!(
                "`{text}` takes telemetry from other machines in plain text: who sees the network reads it and can send what never was"
            );
            notes.note(mark, &receiver.id, says);
        }
    }
}

/// A load balancer gives each trace the whole resource and scope again, so that what comes out of it may be many times what came in.
fn multiplied(exporter: &Component<'_>, most: u64, notes: &mut Notes) {
    let at = sending(exporter);
    // What is not known there was told.
    let largest = at.said(&["sending_queue", "batch", "max_size"]);
    if matches!(at.queue(), Queue::Perhaps(_) | Queue::Untold(_)) || matches!(largest, Said::Unknown(_)) {
        return;
    }
    let says = format!(
        "what is for a replica is not split: a request of many traces grows, because each gets the resource again; if it becomes more than {}, spanseal \
         refuses it, and it is dropped though it was acknowledged",
        show_size(most)
    );
    notes.found(Kind::LetsInTooMuch, at.place(&["sending_queue"]), at.id(), says, queues_of_balancer(most));
}

/// Logs of some 40 bytes grow by half when the Collector encodes them anew: a request that was let in may be more than spanseal takes.
fn small_logs(exporter: &Component<'_>, let_in: u64, most: u64, notes: &mut Notes) {
    if let_in > most / 2 {
        let says = format!(
            "a request of nothing but very small logs grows on the way; if it becomes more than {} spanseal refuses it and the Collector drops it. \
             `batch: {{sizer: bytes, max_size: {}}}` under `sending_queue` splits it",
            show_size(most),
            most / 8 * 7
        );
        notes.note(exporter.place(&["sending_queue"]), &exporter.id, says);
    }
}

/// The largest batch of an exporter that counts in bytes, and where it stands.
fn batch_bytes(at: &At<'_, '_>) -> Option<(u64, Mark)> {
    if at.queue() == Queue::Off || at.batch() == Queue::Off || !matches!(at.sizer(), Said::Is(text, _) if text == "bytes") {
        return None;
    }
    let Said::Is(text, mark) = at.said(&["sending_queue", "batch", "max_size"]) else { return None };
    text.parse::<u64>().ok().filter(|size| *size > 0).map(|size| (size, mark))
}

/// A request that is larger than the whole queue never gets into it.
fn queue_judged(exporter: &Component<'_>, let_in: u64, notes: &mut Notes) {
    const SIZE: [&str; 2] = ["sending_queue", "queue_size"];
    const INSTEAD: &str = "`sizer: requests`, or a `queue_size` of many such requests";
    let at = queueing(exporter);
    if !matches!(at.queue(), Queue::On | Queue::Perhaps(_)) {
        return;
    }
    let sizer = match at.said(&["sending_queue", "sizer"]) {
        Said::Is(sizer, _) if sizer != "requests" => sizer,
        Said::Is(..) | Said::Nothing => return,
        Said::Unknown(mark) => {
            let says = "`sending_queue.sizer` is not known here: whether the queue holds the largest request that is let in";
            return notes.unjudged(mark, at.id(), says);
        }
    };
    let Some(size) = at.number(&SIZE, QUEUE_DEFAULT, notes) else { return };
    let place = at.place(&SIZE);
    match sizer.as_str() {
        "bytes" if size < let_in => {
            let says = format!(
                "the queue holds {}, and requests of up to {} are let in: one that is larger than the queue is refused, or waits before it for ever",
                in_bytes(size),
                show_size(let_in)
            );
            notes.found(Kind::QueueTooSmall, place, at.id(), says, INSTEAD);
        }
        "items" if size < SDK_BATCH => {
            let says = format!(
                "the queue holds {size} spans or logs, and SDKs send {SDK_BATCH} at once: a request that is larger than the queue is refused, or waits \
                 before it for ever"
            );
            notes.found(Kind::QueueTooSmall, place, at.id(), says, INSTEAD);
        }
        "items" => {
            notes.unjudged(
                place,
                at.id(),
                format!("whether a request that is let in has more than {size} spans or logs, which the queue never takes"),
            );
        }
        _ => {}
    }
}

/// How much a receiver lets in by a protocol that is on; what is not known is told.
fn let_in_by<'f>(receiver: &'f Component<'_>, limit: &'static Limit, notes: &mut Notes) -> Option<LetIn<'f>> {
    let path = ["protocols", limit.protocol, limit.key];
    let [protocols, protocol, _] = path;
    // A variable where a map belongs.
    let above = [receiver.node(&[protocols]), receiver.node(&[protocols, protocol])];
    if let Some(node) = above.into_iter().flatten().find(|node| matches!(node.value, Value::Scalar(_))) {
        notes.unjudged(node.mark, &receiver.id, "how much it lets in at once is not known here");
        return None;
    }
    match receiver.section(&[protocols, protocol]) {
        Section::Absent => return None,
        Section::Untold(mark) => {
            notes.unjudged(mark, &receiver.id, format!("print-config does not tell whether `{protocols}.{protocol}` is on"));
            return None;
        }
        Section::Present => {}
    }
    let number = At::whole(receiver).signed(&path, notes)?;
    // Nothing, and less than nothing, are the default.
    let bytes = if number > 0 { number.unsigned_abs().saturating_mul(limit.unit) } else { limit.default };
    Some(LetIn { receiver: &receiver.id, limit, bytes })
}

/// A span that is larger than a whole batch cannot be split: the exporter's batcher drops it, and what it was merged with behind it.
fn batch_judged(at: &At<'_, '_>, let_in: &[LetIn<'_>], most: u64, notes: &mut Notes) {
    let Some((size, mark)) = batch_bytes(at) else { return };
    let larger: Vec<&LetIn<'_>> = let_in.iter().filter(|let_in| let_in.bytes > size).collect();
    let Some(largest) = larger.iter().map(|let_in| let_in.bytes).max() else { return };
    let says = format!(
        "a span or log of more than {} is dropped, with what stands behind it in the batch, and requests of up to {} are let in",
        in_bytes(size),
        show_size(largest)
    );
    // No limit is smaller than one of its units.
    let room = larger.iter().map(|let_in| let_in.limit.unit).fold(size, u64::max);
    let less = larger.iter().map(|let_in| let_in.at_most(room)).collect::<Vec<_>>().join(" and ");
    let instead = match (largest <= most, room == size) {
        (true, true) => format!("`max_size` of {} or more, or {less}", in_bytes(largest)),
        (true, false) => format!("`max_size` of {} or more", in_bytes(largest)),
        // spanseal takes no such batch.
        (false, true) => less,
        (false, false) => format!("`max_size` of {} or more, and {less}", in_bytes(room)),
    };
    notes.found(Kind::BatchDrops, mark, at.id(), says, instead);
}

/// With its unit, also where that is no round one.
fn in_bytes(size: u64) -> String {
    let shown = show_size(size);
    if shown.bytes().all(|byte| byte.is_ascii_digit()) { format!("{shown} bytes") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{checked, checked_with, kinds, listening};
    use super::super::{Receiving, Report};

    const TEXT: &str = r#"
receivers:
  otlp/in: {protocols: {grpc: {max_recv_msg_size_mib: 14}, http: {max_request_body_size: 14680064}}}
extensions:
  file_storage: {directory: /var/lib/otelcol, fsync: true}
exporters:
  otlp_grpc/spanseal:
    endpoint: 127.0.0.1:14317
    tls: {insecure: true}
    timeout: 30s
    retry_on_failure: {max_elapsed_time: 0s}
    sending_queue: {storage: file_storage, block_on_overflow: true, num_consumers: 100, QUEUE}
service:
  extensions: [file_storage]
  pipelines:
    traces: {receivers: [otlp/in], exporters: [otlp_grpc/spanseal]}
    logs: {receivers: [otlp/in], exporters: [otlp_grpc/spanseal]}
"#;

    fn with(queue: &str, from: &str, to: &str) -> Report {
        assert!(TEXT.contains(from), "{from}");
        checked(&TEXT.replace(from, to).replace("QUEUE", queue))
    }

    /// What to change is named: the receiver, and the key of its protocol.
    #[test]
    fn the_key_to_change_is_named() {
        let instead = |report: &Report, kind: &str| {
            assert_eq!(kinds(report), kind, "{report:#?}");
            report.findings[0].instead.clone()
        };
        const GRPC: &str = "`max_recv_msg_size_mib: 14` or less under `protocols.grpc` of `otlp/in`";
        const HTTP: &str = "`max_request_body_size: 14680064` or less under `protocols.http` of `otlp/in`";
        assert_eq!(instead(&with("", "mib: 14", "mib: 15"), "lets_in_too_much"), GRPC);
        assert_eq!(instead(&with("", "size: 14680064", "size: 14680065"), "lets_in_too_much"), HTTP);

        let batch = |size: u64| format!("batch: {{sizer: bytes, min_size: 0, max_size: {size}, flush_timeout: 200ms}}");
        let drops = |size: u64, from: &str, to: &str| instead(&with(&batch(size), from, to), "batch_drops");
        assert_eq!(drops(14 << 20, "mib: 14", "mib: 15"), format!("`max_size` of 15MiB or more, or {GRPC}"));
        assert_eq!(drops(14 << 20, "size: 14680064", "size: 14680065"), format!("`max_size` of 14680065 bytes or more, or {HTTP}"));
        let both = drops(8 << 20, "size: 14680064", "size: 14680065");
        assert!(both.contains("grpc` of `otlp/in` and `max_request_body_size"), "{both}");
        // spanseal takes no batch that is so large.
        assert_eq!(drops(14 << 20, "mib: 14", "mib: 17"), GRPC);
        // No limit of OTLP/gRPC is smaller than 1 MiB.
        assert_eq!(drops(1000, "http: {max_request_body_size: 14680064}", ""), "`max_size` of 14MiB or more");
        let smallest = "`max_size` of 1MiB or more, and `max_recv_msg_size_mib: 1` or less under `protocols.grpc` of `otlp/in`";
        assert_eq!(drops(1000, "14}, http: {max_request_body_size: 14680064}", "64}"), smallest);
        let little = Receiving { request_bytes_max: 1 << 20, ..listening(14317, 14318) };
        let text = TEXT.replace("QUEUE", "").replace("14}, http: {max_request_body_size: 14680064}", "1}");
        let little = instead(&checked_with(&text, &little), "lets_in_too_much");
        assert_eq!(little, "a larger `max_recv_msg_size_mib` of spanseal: that of `otlp/in` goes no lower than 1MiB");
    }

    /// What nothing is known of may refuse what comes, or change it; empty it does nothing.
    #[test]
    fn settings_that_nothing_is_known_of_are_told() {
        for (from, to, name) in [
            ("grpc: {", "grpc: {middlewares: [{id: x}], ", "protocols.grpc.middlewares"),
            ("http: {", "http: {middlewares: [{id: x}], ", "protocols.http.middlewares"),
            ("http: {", "arrow: {endpoint: x}, http: {", "protocols.arrow"),
            ("{protocols: {", "{other: 1, protocols: {", "other"),
        ] {
            let told = with("", from, to);
            let said: Vec<&str> = told.unjudged.iter().map(|told| told.says.as_str()).collect();
            assert_eq!(said, [format!("what `{name}` does to telemetry that comes in is not known here")], "{told:#?}");
            assert_eq!((kinds(&told).as_str(), told.unjudged[0].component.as_str(), told.unjudged[0].line), ("", "otlp/in", 3));
        }
        for silent in ["grpc: {middlewares: [], ", "grpc: {include_metadata: true, keepalive: {server_parameters: {time: 1s}}, "] {
            assert_eq!(with("", "grpc: {", silent).unjudged, [], "{silent}");
        }
    }

    /// Who listens on another address than that of the machine alone in plain text may be sent anything; a name is no such address.
    #[test]
    fn a_receiver_in_plain_text_is_noted() {
        for (endpoint, is_open) in [
            ("0.0.0.0:4317", true),
            ("'[::]:4317'", true),
            ("':4317'", true),
            ("myhost:4317", true),
            ("10.0.0.7:4317", true),
            ("127.0.0.1:4317", false),
            ("'[::1]:4317'", false),
            ("localhost:4317", false),
            ("'${env:HOST}:4317'", false),
            ("/run/otel.sock, transport: unix", false),
        ] {
            let report = with("", "grpc: {", &format!("grpc: {{endpoint: {endpoint}, "));
            let is_noted = report.notes.iter().any(|note| note.component == "otlp/in" && note.says.contains("in plain text"));
            assert_eq!(is_noted, is_open, "{endpoint}: {report:#?}");
        }
        let tls = with("", "grpc: {", "grpc: {endpoint: myhost:4317, tls: {cert_file: c, key_file: k}, ");
        assert!(!tls.notes.iter().any(|note| note.says.contains("in plain text")), "{tls:#?}");
    }

    /// Numbers as the Collector reads them.
    #[test]
    fn limits_and_sizes_are_read_as_numbers() {
        for (queue, from, to, expected, unjudged) in [
            ("", "mib: 14", "mib: 1_5", "lets_in_too_much", ""),
            // The default, which is less than spanseal takes, and more.
            ("", "mib: 14", "mib:", "", ""),
            ("", "size: 14680064", "size: 0", "lets_in_too_much", ""),
            ("", "size: 14680064", "size: -1", "lets_in_too_much", ""),
            ("", "mib: 14", "mib: a", "", "`protocols.grpc.max_recv_msg_size_mib` is not understood here"),
            ("", "mib: 14", "mib: \"${env:M}\"", "", "`protocols.grpc.max_recv_msg_size_mib` is not known here"),
            ("sizer: bytes, queue_size: 14680063", "", "", "queue_too_small", ""),
            ("sizer: bytes, queue_size: 14_680_064", "", "", "", ""),
            ("sizer: bytes", "", "", "queue_too_small", ""),
            ("sizer: bytes, queue_size: a", "", "", "", "`sending_queue.queue_size` is not understood here"),
            ("sizer: bytes, queue_size: \"${env:Q}\"", "", "", "", "`sending_queue.queue_size` is not known here"),
            ("sizer: items, queue_size: 511", "", "", "queue_too_small", ""),
            (
                "sizer: items, queue_size: 512",
                "",
                "",
                "",
                "whether a request that is let in has more than 512 spans or logs, which the queue never takes",
            ),
            ("sizer: requests, queue_size: a", "", "", "", ""),
        ] {
            let report = with(queue, from, to);
            let said: Vec<&str> = report.unjudged.iter().map(|told| told.says.as_str()).collect();
            assert_eq!((kinds(&report).as_str(), said.join("; ").as_str()), (expected, unjudged), "{queue} {to}: {report:#?}");
        }
    }
}
