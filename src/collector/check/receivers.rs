//! The receivers of OTLP: how much they let in at once. What is more than spanseal takes, or than a batch on the way may hold, is dropped
//! by the Collector, and where it answers from a queue its sender was told that it is safe.

use super::file::{Component, File, Pipeline};
use super::{Kind, Notes, Receiving, Said};
use crate::config::show_size;

const MIB: u64 = 1024 * 1024;

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
    let answers_before = exporters.iter().any(|exporter| answers_before_sealed(exporter));
    let mut most_let_in = 0;
    for receiver in file.receivers.iter().filter(|receiver| receiver.kind() == "otlp" && is_named(receiver)) {
        for limit in LIMITS {
            let path = ["protocols", limit.protocol, limit.key];
            let [protocols, protocol, _] = path;
            if receiver.node(&[protocols, protocol]).is_none() {
                continue;
            }
            let Some(let_in) = let_in(receiver, &path, &limit, notes) else { continue };
            most_let_in = most_let_in.max(let_in);
            if answers_before && let_in > receiving.request_bytes_max {
                let most = show_size(receiving.request_bytes_max);
                let says = format!(
                    "requests of up to {} are acknowledged; more than {most} at once spanseal refuses, and the Collector drops it",
                    show_size(let_in)
                );
                let instead = format!("`{}: {}` or less", limit.key, receiving.request_bytes_max / limit.unit);
                notes.found(Kind::LetsInTooMuch, receiver.place(&path), &receiver.id, says, instead);
            }
        }
    }
    for exporter in exporters {
        batch_judged(exporter, most_let_in, notes);
    }
}

/// Whether a sender has its answer before spanseal does: the exporters of OTLP have a queue where none is written, and the load-balancing
/// one has one for each replica where it has none itself. What is not known counts as yes.
fn answers_before_sealed(exporter: &Component<'_>) -> bool {
    let is = |path: &[&str], value: &str| matches!(exporter.said(path), Said::Is(text, _) if text == value);
    let own = ["sending_queue"];
    let below = ["protocol", "otlp", "sending_queue"];
    let has_none = exporter.node(&own).is_none() || is(&["sending_queue", "enabled"], "false");
    let queue = if exporter.is_balancer() && has_none { below.as_slice() } else { own.as_slice() };
    let waits = [("wait_for_result", "true"), ("enabled", "false")];
    !waits.into_iter().any(|(key, value)| is(&[queue, &[key]].concat(), value))
}

fn let_in(receiver: &Component<'_>, path: &[&str], limit: &Limit, notes: &mut Notes) -> Option<u64> {
    match receiver.said(path) {
        Said::Nothing => Some(limit.default),
        Said::Is(text, mark) => match text.parse::<u64>() {
            Ok(0) => Some(limit.default),
            Ok(number) => Some(number.saturating_mul(limit.unit)),
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
fn batch_judged(exporter: &Component<'_>, let_in: u64, notes: &mut Notes) {
    let sizer = [["sending_queue", "batch", "sizer"].as_slice(), &["sending_queue", "sizer"]];
    let sizer = sizer.into_iter().map(|path| exporter.said(path)).find(|said| !matches!(said, Said::Nothing));
    if !matches!(sizer, Some(Said::Is(text, _)) if text == "bytes") {
        return;
    }
    let Said::Is(text, mark) = exporter.said(&["sending_queue", "batch", "max_size"]) else { return };
    let Ok(size @ 1..) = text.parse::<u64>() else { return };
    if size < let_in {
        let says = format!(
            "a span or log of more than {} is dropped, with what stands behind it in the batch, and requests of up to {} are let in",
            show_size(size),
            show_size(let_in)
        );
        let instead = format!("`max_size` of {} or more, or receivers that let in less", show_size(let_in));
        notes.found(Kind::BatchDrops, mark, &exporter.id, says, instead);
    }
}
