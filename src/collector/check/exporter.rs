//! The exporter that leads to us: where it sends, how long it waits, whether it tries again, and what it holds meanwhile.
//!
//! The load-balancing exporter is two levels: its own queue, retry and timeout (off by default) and those of the OTLP exporters below it
//! (on by default, in memory, and none of them can be persistent, because all replicas would share it).

use std::time::Duration;

use super::file::{Component, File, Said};
use super::{Kind, Notes, Receiving, demands, target};
use crate::config::yaml::{Mark, Node, Value};
use crate::config::{parse_duration, show_duration, show_size};

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
pub(super) struct At<'c, 'n> {
    pub(super) component: &'c Component<'n>,
    above: &'static [&'static str],
}

impl<'c, 'n> At<'c, 'n> {
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

    pub(super) fn is_written(&self, path: &[&'static str]) -> bool {
        // `print-config` writes what is not there as null.
        self.node(path).is_some_and(|node| !matches!(node.value, Value::Null))
    }

    pub(super) fn id(&self) -> &'c str {
        &self.component.id
    }

    /// A truth value, or what holds where it is not written. What cannot be known is told and counts as `unknown`.
    pub(super) fn flag(&self, path: &[&'static str], default: bool, unknown: bool, notes: &mut Notes) -> bool {
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
        let targets = target::balanced(exporter);
        target::judge_encryption(&inner, &targets, notes);
        demands::judge(&inner, &targets, authenticator(&inner, file, notes), receiving, notes);
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
    let targets = target::named(&own, file, notes);
    target::judge_encryption(&own, &targets, notes);
    demands::judge(&own, &targets, authenticator(&own, file, notes), receiving, notes);
    if own.flag(&["sending_queue", "enabled"], true, true, notes) {
        queue(file, &own, notes);
        batch(&own, receiving, notes);
    }
    timeout(&own, TIMEOUT_DEFAULT, receiving, notes);
    retry(&own, RETRY_DEFAULT, notes);
}

/// The extension that an exporter proves itself by; without it the Collector does not start, which is told.
fn authenticator<'f, 'n>(at: &At<'_, '_>, file: &'f File<'n>, notes: &mut Notes) -> Option<&'f Component<'n>> {
    let Said::Is(name, mark) = at.said(&["auth", "authenticator"]) else { return None };
    is_started(file, at.id(), &name, mark, "the name of one, as in `bearertokenauth/spanseal`", notes)
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
        let says = format!("`{name}` is no extension of this configuration: the Collector does not start");
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
