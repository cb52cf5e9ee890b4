//! The receivers of OTLP: how much they let in at once. What is more than spanseal takes, or than a batch on the way may hold, is dropped
//! by the Collector, and where it answers from a queue its sender was told that it is safe.

use super::exporter::{At, Queue, answers_before_sealed, queueing, sending};
use super::file::{Component, File, Pipeline, Section};
use super::{Kind, Notes, Receiving, Said};
use crate::config::yaml::{Mark, Value};
use crate::config::{Endpoint, show_size};

const MIB: u64 = 1024 * 1024;
/// Size of a queue where none is written, in what it counts.
const QUEUE_DEFAULT: u64 = 1000;

/// What the batch processors of SDKs send at once where nothing else is set (OpenTelemetry specification, "Batching processor").
const SDK_BATCH: u64 = 512;

/// One way in: protocol, the key of its limit, the unit of that, and the limit where none is written (0 means the same).
struct Limit {
    protocol: &'static str,
    key: &'static str,
    unit: u64,
    default: u64,
}

const LIMITS: [Limit; 2] = [
    Limit { protocol: "grpc", key: "max_recv_msg_size_mib", unit: MIB, default: 4 * MIB },
    Limit { protocol: "http", key: "max_request_body_size", unit: 1, default: 20 * MIB },
];

/// Judges the receivers of the pipelines that lead to the exporters.
pub(super) fn judge(file: &File<'_>, way: &[&Pipeline], exporters: &[&Component<'_>], receiving: &Receiving, notes: &mut Notes) {
    let evidence = || way.iter().filter(|pipeline| matches!(pipeline.signal(), "traces" | "logs"));
    let is_named = |receiver: &Component<'_>| evidence().any(|pipeline| pipeline.receivers.iter().any(|r| r.id == receiver.id));
    // What is larger than a batch of so many bytes is split; of a single span that is too large `batch_judged` tells.
    // What a batch counts in may not be known, which was told.
    let is_split = |exporter: &Component<'_>| {
        let at = sending(exporter);
        batch_bytes(&at).is_some_and(|(size, _)| size <= receiving.request_bytes_max) || matches!(at.sizer(), Said::Unknown(_))
    };
    // Of a balancer that splits nothing more than this is told.
    let answers_before = exporters.iter().any(|exporter| answers_before_sealed(exporter) && !is_split(exporter) && !exporter.is_balancer());
    let mut most_let_in = 0;
    for receiver in file.receivers.iter().filter(|receiver| receiver.kind() == "otlp" && is_named(receiver)) {
        if receiver.is_variable() {
            notes.unjudged(
                receiver.mark,
                &receiver.id,
                "is a variable as a whole: how much it lets in at once, and where it listens, is not known here",
            );
            continue;
        }
        in_the_clear(receiver, notes);
        for limit in LIMITS {
            let path = ["protocols", limit.protocol, limit.key];
            let [protocols, protocol, _] = path;
            // A variable where a map belongs.
            let above = [receiver.node(&[protocols]), receiver.node(&[protocols, protocol])];
            if let Some(node) = above.into_iter().flatten().find(|node| matches!(node.value, Value::Scalar(_))) {
                notes.unjudged(node.mark, &receiver.id, "how much it lets in at once is not known here");
                continue;
            }
            match receiver.section(&[protocols, protocol]) {
                Section::Absent => continue,
                Section::Untold(mark) => {
                    notes.unjudged(mark, &receiver.id, format!("print-config does not tell whether `{protocols}.{protocol}` is on"));
                    continue;
                }
                Section::Present => {}
            }
            let Some(let_in) = let_in(receiver, &path, &limit, notes) else { continue };
            most_let_in = most_let_in.max(let_in);
            // What a Collector encodes anew grows by some bytes an item. An eighth is enough for spans and ordinary logs; of requests of
            // nothing but very small logs `small_logs` tells.
            let safe = receiving.request_bytes_max / 8 * 7;
            if answers_before && let_in > safe {
                let most = show_size(receiving.request_bytes_max);
                let says = format!(
                    "requests of up to {} are acknowledged; more than {most} at once spanseal refuses, and the Collector drops it (what it sends on may \
                     be larger than what came)",
                    show_size(let_in)
                );
                let instead = format!("`{}: {}` or less", limit.key, safe / limit.unit);
                notes.found(Kind::LetsInTooMuch, receiver.place(&path), &receiver.id, says, instead);
            }
        }
    }
    for receiver in file.receivers.iter().filter(|receiver| receiver.kind() != "otlp" && is_named(receiver)) {
        notes.unjudged(
            receiver.mark,
            &receiver.id,
            "how much it takes at once, and what it does where spanseal refuses, is not known here",
        );
    }
    let takes_logs = way.iter().any(|pipeline| pipeline.signal() == "logs");
    for exporter in exporters {
        if exporter.is_balancer() && answers_before_sealed(exporter) && !is_split(exporter) {
            multiplied(exporter, receiving.request_bytes_max, notes);
        }
        if takes_logs && answers_before_sealed(exporter) && batch_bytes(&sending(exporter)).is_none() && !exporter.is_balancer() {
            small_logs(exporter, most_let_in, receiving.request_bytes_max, notes);
        }
        batch_judged(&queueing(exporter), most_let_in, receiving.request_bytes_max, notes);
        if exporter.is_balancer() && !queueing(exporter).is_inner() {
            batch_judged(&sending(exporter), most_let_in, receiving.request_bytes_max, notes);
        }
        queue_judged(exporter, most_let_in, notes);
    }
}

/// Listens beyond this machine in plain text: whoever reaches it may make evidence up.
fn in_the_clear(receiver: &Component<'_>, notes: &mut Notes) {
    for limit in LIMITS {
        let path = ["protocols", limit.protocol];
        let Said::Is(text, mark) = receiver.said(&[path[0], path[1], "endpoint"]) else { continue };
        let has_tls = receiver.node(&[path[0], path[1], "tls"]).is_some_and(|node| !matches!(node.value, Value::Null));
        let is_open = text.parse::<Endpoint>().is_ok_and(|endpoint| endpoint.ip().is_some_and(|ip| !ip.is_loopback()));
        if is_open && !has_tls {
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
    let instead = format!(
        "`sending_queue: {{enabled: true, wait_for_result: true, block_on_overflow: true, batch: {{sizer: bytes, min_size: 0, max_size: {}, \
         flush_timeout: 200ms}}}}` there",
        most / 16 * 15
    );
    notes.found(Kind::LetsInTooMuch, at.place(&["sending_queue"]), at.id(), says, instead);
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
    if at.queue() == Queue::Off || !matches!(at.sizer(), Said::Is(text, _) if text == "bytes") {
        return None;
    }
    let Said::Is(text, mark) = at.said(&["sending_queue", "batch", "max_size"]) else { return None };
    text.parse::<u64>().ok().filter(|size| *size > 0).map(|size| (size, mark))
}

/// A request that is larger than the whole queue never gets into it.
fn queue_judged(exporter: &Component<'_>, let_in: u64, notes: &mut Notes) {
    let at = queueing(exporter);
    if !matches!(at.queue(), Queue::On | Queue::Perhaps(_)) {
        return;
    }
    let place = at.place(&["sending_queue", "queue_size"]);
    let size = match at.said(&["sending_queue", "queue_size"]) {
        Said::Nothing => Some(QUEUE_DEFAULT),
        Said::Is(text, _) => text.replace('_', "").parse::<u64>().ok(),
        Said::Unknown(_) => None,
    };
    match (at.said(&["sending_queue", "sizer"]), size) {
        (Said::Is(sizer, _), Some(size)) if sizer == "bytes" && size < let_in => notes.found(
            Kind::QueueTooSmall,
            place,
            at.id(),
            format!(
                "the queue holds {}, and requests of up to {} are let in: one that is larger than the queue is refused, or waits before it for ever",
                in_bytes(size),
                show_size(let_in)
            ),
            "`sizer: requests`, or a `queue_size` of many such requests",
        ),
        (Said::Is(sizer, _), Some(size)) if sizer == "items" && size < SDK_BATCH => notes.found(
            Kind::QueueTooSmall,
            place,
            at.id(),
            format!("the queue holds {size} spans or logs, and SDKs send {SDK_BATCH} at once: a request that is larger than the queue is refused, or waits before it for ever"),
            "`sizer: requests`, or a `queue_size` of many such requests",
        ),
        (Said::Is(sizer, _), Some(size)) if sizer == "items" => {
            notes.unjudged(place, at.id(), format!("whether a request that is let in has more than {size} spans or logs, which the queue never takes"));
        }
        (Said::Is(sizer, _), None) if sizer != "requests" => notes.unjudged(place, at.id(), "`sending_queue.queue_size` is not understood here"),
        (Said::Unknown(mark), _) => {
            notes.unjudged(mark, at.id(), "`sending_queue.sizer` is not known here: whether the queue holds the largest request that is let in")
        }
        (Said::Is(..) | Said::Nothing, _) => {}
    }
}

fn let_in(receiver: &Component<'_>, path: &[&str], limit: &Limit, notes: &mut Notes) -> Option<u64> {
    match receiver.said(path) {
        Said::Nothing => Some(limit.default),
        Said::Is(text, mark) => match text.replace('_', "").parse::<i64>() {
            // Nothing, and less than nothing, are the default.
            Ok(..=0) => Some(limit.default),
            Ok(number) => Some(number.unsigned_abs().saturating_mul(limit.unit)),
            Err(_) => {
                notes.unjudged(mark, &receiver.id, format!("`{}` is not understood here", limit.key));
                None
            }
        },
        Said::Unknown(mark) => {
            notes.unjudged(mark, &receiver.id, format!("`{}` is not known here", limit.key));
            None
        }
    }
}

/// A span that is larger than a whole batch cannot be split: the exporter's batcher drops it, and what it was merged with behind it.
fn batch_judged(at: &At<'_, '_>, let_in: u64, most: u64, notes: &mut Notes) {
    let Some((size, mark)) = batch_bytes(at) else { return };
    if size < let_in {
        let says = format!(
            "a span or log of more than {} is dropped, with what stands behind it in the batch, and requests of up to {} are let in",
            in_bytes(size),
            show_size(let_in)
        );
        let instead = match let_in <= most {
            true => format!("`max_size` of {} or more, or receivers that let in less", in_bytes(let_in)),
            // spanseal takes no such batch.
            false => "receivers that let in less".to_owned(),
        };
        notes.found(Kind::BatchDrops, mark, at.id(), says, instead);
    }
}

/// With its unit, also where that is no round one.
fn in_bytes(size: u64) -> String {
    let shown = show_size(size);
    if shown.bytes().all(|byte| byte.is_ascii_digit()) { format!("{shown} bytes") } else { shown }
}
