//! The batches of an exporter's queue, and how many requests of them are on their way at once.

use std::time::Duration;

use super::exporter::{At, Queue};
use super::file::Said;
use super::receivers::SDK_BATCH;
use super::target::Target;
use super::{Kind, Notes, Receiving};
use crate::config::yaml::Value;
use crate::config::{parse_duration, show_duration, show_size};

/// How many requests a queue sends at a time where nothing is written.
const CONSUMERS_DEFAULT: u64 = 10;
/// Requests a second below which a queue is called too slow: one SDK sends every few seconds, or once for 512 spans.
const RATE_MIN: f64 = 10.0;
/// From here on nothing is said.
const RATE_ENOUGH: f64 = 50.0;
/// Longest that a batch waits for more while its sender waits: SDKs wait 10 s, and a seal takes its time.
const FLUSH_MAX: Duration = Duration::from_secs(2);
/// Longest that a batch waits for more on a Collector's disk before it is worth a word.
const FLUSH_LATE: Duration = Duration::from_secs(60);
/// How much a batch waits for.
const MIN_SIZE: [&str; 3] = ["sending_queue", "batch", "min_size"];
/// How much it has at most.
const MAX_SIZE: [&str; 3] = ["sending_queue", "batch", "max_size"];
/// How many requests may become of what an SDK sends at once.
const PARTS_MAX: u64 = 20;

pub(super) fn judge(at: &At<'_, '_>, receiving: &Receiving, notes: &mut Notes) {
    match at.batch() {
        Queue::Off => return,
        Queue::Untold(mark) => return notes.unjudged(mark, at.id(), "print-config does not tell whether `sending_queue.batch` is on"),
        Queue::Perhaps(mark) => notes.unjudged(mark, at.id(), "`sending_queue.batch.enabled` is not known here"),
        Queue::On => {}
    }
    let waits = at.flag(&["sending_queue", "wait_for_result"], false, false, notes);
    late(at, waits, notes);
    let most = receiving.request_bytes_max;
    let instead = format!("`batch: {{sizer: bytes, min_size: ..., max_size: ...}}` with at most {} ({most} bytes)", show_size(most));
    let too_much = format!("spanseal takes {} at once and refuses more, and a refusal of that kind is not tried again", show_size(most));
    let sizer = at.sizer();
    let bytes = matches!(&sizer, Said::Is(sizer, _) if sizer == "bytes");
    let mark = at.place(&MAX_SIZE);
    match at.number(&MAX_SIZE, 0, notes) {
        None => {}
        Some(0) => notes.found(Kind::BatchUnbounded, mark, at.id(), format!("batches have no largest size: {too_much}"), instead),
        Some(size) if bytes && size > most => {
            notes.found(Kind::BatchUnbounded, mark, at.id(), format!("batches may have {}: {too_much}", show_size(size)), instead);
        }
        Some(size) if !bytes && !matches!(sizer, Said::Unknown(_)) && SDK_BATCH.div_ceil(size) > PARTS_MAX => {
            let says = format!(
                "makes up to {} requests of the {SDK_BATCH} spans or logs that an SDK sends at once, and each of them waits for its seal",
                SDK_BATCH.div_ceil(size)
            );
            notes.found(Kind::BatchSmall, mark, at.id(), says, instead);
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

/// Least of a batch where nothing is written, in what it counts.
const MIN_SIZE_DEFAULT: i64 = 8192;
/// Size of a queue where none is written.
const QUEUE_SIZE_DEFAULT: i64 = 1000;

const QUEUE_SIZE: [&str; 2] = ["sending_queue", "queue_size"];

/// Sizes that the Collector does not start with (exporterhelper 0.152, `queuebatch`), those of a replica too. What is not known is told elsewhere.
pub(super) fn refused(at: &At<'_, '_>, notes: &mut Notes) {
    if at.queue() != Queue::On {
        return;
    }
    for (path, default) in [(QUEUE_SIZE, QUEUE_SIZE_DEFAULT), (["sending_queue", "num_consumers"], 1)] {
        if written(at, &path, default).is_some_and(|number| number <= 0) {
            let says = format!("`{}` is not more than zero: the Collector does not start", path[1]);
            notes.found(Kind::DoesNotStart, at.place(&path), at.id(), says, "a number of 1 or more, or none: then it has a default");
        }
    }
    // The key alone, without a value, has what the defaults are.
    let is_section = at.node(&["sending_queue", "batch"]).is_some_and(|node| matches!(node.value, Value::Map(_)));
    if at.batch() == Queue::On && is_section {
        batch_refused(at, notes);
    }
}

fn batch_refused(at: &At<'_, '_>, notes: &mut Notes) {
    const SIZER: [&str; 3] = ["sending_queue", "batch", "sizer"];
    const FLUSH: [&str; 3] = ["sending_queue", "batch", "flush_timeout"];
    let mut found = |path: &[&'static str], says: String, instead: &str| {
        notes.found(Kind::DoesNotStart, at.place(path), at.id(), format!("{says}: the Collector does not start"), instead);
    };
    let text = |path: &[&'static str], default: &str| match at.said(path) {
        Said::Is(text, _) => Some(text),
        Said::Nothing => Some(default.to_owned()),
        Said::Unknown(_) => None,
    };
    let of_queue = text(&["sending_queue", "sizer"], "requests");
    // That of the queue counts where one is written there alone.
    let of_batch = if at.node(&SIZER).is_some() { text(&SIZER, "items") } else { text(&["sending_queue", "sizer"], "items") };
    if of_batch.as_deref() == Some("requests") {
        found(&["sending_queue", "batch"], "batches count no `requests`".to_owned(), "`sizer: bytes` under `batch`");
    }
    let is_never =
        |flush: &str| flush.parse::<i64>().is_ok_and(|nanos| nanos <= 0) || parse_duration(flush).is_ok_and(|flush| flush.is_zero());
    if matches!(at.said(&FLUSH), Said::Is(flush, _) if is_never(&flush)) {
        found(&FLUSH, "`flush_timeout` is not more than zero".to_owned(), "`flush_timeout: 200ms`");
    }
    let (Some(least), Some(largest)) = (written(at, &MIN_SIZE, MIN_SIZE_DEFAULT), written(at, &MAX_SIZE, 0)) else { return };
    let least_is = if at.is_written(&MIN_SIZE) { format!("{least}") } else { format!("{least} by default") };
    if least < 0 || largest < 0 {
        found(if least < 0 { &MIN_SIZE } else { &MAX_SIZE }, "a size of `batch` is less than zero".to_owned(), "a number of 0 or more");
    } else if largest > 0 && largest < least {
        let says = format!("`max_size` is {largest}, and `min_size` is larger ({least_is})");
        found(&MAX_SIZE, says, "`min_size: 0` beside it: no batch waits for more");
    }
    let is_counted_alike = of_queue.is_some() && of_queue == of_batch;
    if let Some(queue) = written(at, &QUEUE_SIZE, QUEUE_SIZE_DEFAULT).filter(|queue| is_counted_alike && least > *queue) {
        let says = format!("`queue_size` is {queue}, and the `min_size` of its batches, counted alike, is larger ({least_is})");
        found(&QUEUE_SIZE, says, "a `queue_size` of many batches, or `min_size: 0` under `batch`");
    }
}

/// A number that is known, or what holds where none is written.
fn written(at: &At<'_, '_>, path: &[&'static str], default: i64) -> Option<i64> {
    match at.said(path) {
        Said::Is(text, _) => text.replace('_', "").parse().ok(),
        Said::Nothing if at.node(path).is_some() => Some(0),
        Said::Nothing => Some(default),
        Said::Unknown(_) => None,
    }
}

/// What to write for the replicas of a load-balancing exporter: a queue that keeps senders waiting and splits what the balancer has made larger, and
/// one on disk before it. One text for all that is found there, so that no advice undoes another.
pub(super) fn queues_of_balancer(most: u64) -> String {
    format!(
        "`sending_queue: {{enabled: true, wait_for_result: true, block_on_overflow: true, batch: {{sizer: bytes, min_size: 0, max_size: {}, \
         flush_timeout: 200ms}}}}` below `protocol.otlp`, and `sending_queue: {{enabled: true, storage: file_storage/spanseal, block_on_overflow: true, \
         num_consumers: 100}}` on the load-balancing exporter itself, as `spanseal collector example gateway` prints them",
        most / 16 * 15
    )
}

/// How long a batch waits for more.
fn late(at: &At<'_, '_>, waits: bool, notes: &mut Notes) {
    const FLUSH: [&str; 3] = ["sending_queue", "batch", "flush_timeout"];
    let Some(flush) = at.duration(&FLUSH, Duration::ZERO, notes) else { return };
    let shown = show_duration(flush);
    if waits && flush > FLUSH_MAX {
        let says = format!(
            "a batch waits up to {shown} for more while its sender waits for the answer: SDKs give up after 10s by default, and then it is dropped"
        );
        let instead = "`flush_timeout: 200ms`, or less than senders wait, the seal's time taken off";
        notes.found(Kind::TimeoutShort, at.place(&FLUSH), at.id(), says, instead);
    }
    // A batch that needs no more waits for none.
    let needs_more = !matches!(at.said(&MIN_SIZE), Said::Is(text, _) if text == "0");
    if !waits && needs_more && flush > FLUSH_LATE {
        let says = format!("a batch waits up to {shown} for more: so much later it is sealed, and until then this Collector alone has it");
        notes.note(at.place(&FLUSH), at.id(), says);
    }
}

/// How many requests are on their way at once: each waits for its seal, and those that come meanwhile share the next one. A batch that waits for
/// more makes few requests of many; then how many is enough depends on what comes.
pub(super) fn consumers(at: &At<'_, '_>, targets: &[Target], replicas: u32, receiving: &Receiving, notes: &mut Notes) {
    let queues = matches!(at.queue(), Queue::On | Queue::Perhaps(_));
    if queues && at.batch() != Queue::Off && !matches!(at.said(&MIN_SIZE), Said::Is(text, _) if text == "0") {
        return;
    }
    let delay = receiving.max_delay.max(Duration::from_millis(1)).saturating_mul(replicas);
    let rate_of = |number: u64| (f64::from(u32::try_from(number).unwrap_or(u32::MAX)) / delay.as_secs_f64()).round();
    // Without a queue each request of a sender is sent as it comes.
    let consumers = if queues { at.number(&CONSUMERS, CONSUMERS_DEFAULT, notes) } else { None };
    let connections = connections(at, targets, notes);
    let (number, is_by_connections) = match (consumers, &connections) {
        (None, None) => return,
        (Some(consumers), Some(Connections { number, .. })) if *number >= consumers => (consumers, false),
        (Some(consumers), None) => (consumers, false),
        (_, Some(Connections { number, one_at_a_time: true })) => (*number, true),
        (consumers, Some(Connections { number, one_at_a_time: false })) => {
            if rate_of(*number) < RATE_MIN {
                let says = format!(
                    "where HTTP/1.1 is spoken to something in between, at most {number} requests are on their way at a time, and each waits for its seal"
                );
                notes.unjudged(at.place(&[CONNECTIONS]), at.id(), says);
            }
            let Some(consumers) = consumers else { return };
            (consumers, false)
        }
    };
    let few = Few { number, rate: rate_of(number), is_by_connections, queues };
    // Of zero consumers it was found that the Collector does not start.
    if number > 0 && few.rate < RATE_ENOUGH {
        few.say(at, delay, replicas, notes);
    }
}

const CONSUMERS: [&str; 2] = ["sending_queue", "num_consumers"];

/// Requests that are on their way at a time, and how many a second get through so.
struct Few {
    number: u64,
    rate: f64,
    /// Whether connections are what is few, and not consumers.
    is_by_connections: bool,
    queues: bool,
}

impl Few {
    /// `delay` is how long the seals of all replicas may take.
    fn say(&self, at: &At<'_, '_>, delay: Duration, replicas: u32, notes: &mut Notes) {
        let Few { number, rate, .. } = self;
        let mark = if self.is_by_connections { at.place(&[CONNECTIONS]) } else { at.place(&CONSUMERS) };
        let by = match self.is_by_connections {
            true => " (over HTTP/1.1 one for each connection)",
            false if at.is_written(&CONSUMERS) => "",
            false => " by default",
        };
        let seals = match replicas {
            1 => format!("its seal, up to {}", show_duration(delay)),
            _ => format!("the seals of {replicas} replicas, one after another, up to {}", show_duration(delay)),
        };
        let what_comes_of_it = if self.queues { "fills the queue, and then senders wait" } else { "waits, and its senders with it," };
        let says = format!(
            "sends at most {number} requests at a time{by}, and each waits for {seals}: some {rate} a second get through, small ones too. What \
             comes faster {what_comes_of_it} until they give up"
        );
        let more = match self.is_by_connections {
            true => "`max_conns_per_host: 100`, or none",
            false => "`num_consumers: 100` under `sending_queue`",
        };
        if *rate < RATE_MIN {
            let instead = format!("{more} (requests that wait together share a seal), or a `batch` with a `min_size`");
            notes.found(Kind::ConsumersFew, mark, at.id(), says, instead);
        } else {
            let more = more.trim_end_matches(" under `sending_queue`");
            notes.note(mark, at.id(), format!("{says}; {more} lets more through"));
        }
    }
}

const CONNECTIONS: &str = "max_conns_per_host";

/// How many connections an exporter of OTLP/HTTP has at most.
struct Connections {
    number: u64,
    /// Whether each surely takes one request at a time, as those of HTTP/1.1 do. Over TLS both sides prefer HTTP/2.
    one_at_a_time: bool,
}

fn connections(at: &At<'_, '_>, targets: &[Target], notes: &mut Notes) -> Option<Connections> {
    if at.is_grpc() {
        return None;
    }
    // Nothing, and less than nothing, are no limit.
    let number = u64::try_from(at.signed(&[CONNECTIONS], notes)?).ok().filter(|number| *number > 0)?;
    let http_2 = at.flag(&["force_attempt_http2"], true, true, notes);
    Some(Connections { number, one_at_a_time: !http_2 || targets.iter().any(|target| target.scheme == "http") })
}

#[cfg(test)]
mod tests {
    use super::super::Report;
    use super::super::tests::{HTTP, checked, http, kinds};

    const BYTES: &str = "batch: {sizer: bytes, min_size: 0, max_size: 15728640, flush_timeout: 200ms}";

    /// Scenario: an exporter that sends JSON. Guarantee: found, with a batch of any size too, because sizes count protobuf.
    #[test]
    fn what_is_sent_as_json_has_no_size_that_is_known() {
        for queue in ["", BYTES] {
            let json = http("encoding: json", queue);
            assert_eq!(kinds(&json), "batch_unbounded", "{json:#?}");
            assert!(json.findings[0].line == 8 && json.findings[0].says.contains("counted as protobuf"), "{json:#?}");
            assert_eq!(kinds(&http("encoding: proto", queue)), "");
        }
        assert_eq!(kinds(&http("encoding: msgpack", "")), "does_not_start");
        let told = http("encoding: \"${env:ENCODING}\"", "");
        assert!(kinds(&told).is_empty() && told.unjudged.iter().any(|told| told.says.starts_with("`encoding` is not known")), "{told:#?}");
    }

    /// A section that is switched off is none: neither its sizes count, nor what it would merge.
    #[test]
    fn a_batch_that_is_off_is_none() {
        assert_eq!(kinds(&http("", "batch: {enabled: false}")), "");
        assert_eq!(kinds(&http("", "batch: {enabled: true}")), "batch_unbounded");
        assert_eq!(kinds(&http("", "batch:")), "batch_unbounded");
        let few = checked(&HTTP.replace("MORE", "").replace("num_consumers: 100, QUEUE", "num_consumers: 1, batch: {enabled: false}"));
        assert_eq!(kinds(&few), "consumers_few", "{few:#?}");
        let off = checked(&HTTP.replace("MORE", "").replace("QUEUE", "enabled: false, batch: {max_size: 0}"));
        assert_eq!(kinds(&off), "", "{off:#?}");
        let told = http("", "batch: {enabled: \"${env:BATCH}\", max_size: 1000}");
        assert!(told.unjudged.iter().any(|told| told.says.starts_with("`sending_queue.batch.enabled` is not known")), "{told:#?}");
        // And splits nothing of what is let in.
        let disk = HTTP.replace("MORE", "").replace("grpc: {}", "grpc: {max_recv_msg_size_mib: 15}");
        let disk = disk
            .replace("wait_for_result: true", "storage: file_storage")
            .replace("service:\n", "extensions: {file_storage: {fsync: true}}\nservice:\n  extensions: [file_storage]\n");
        let split = checked(&disk.replace("QUEUE", BYTES));
        assert_eq!(kinds(&split), "", "{split:#?}");
        let whole = checked(&disk.replace("QUEUE", &BYTES.replace('{', "{enabled: false, ")));
        assert_eq!(kinds(&whole), "lets_in_too_much", "{whole:#?}");
    }

    /// Scenario: few connections for many consumers. Guarantee: over HTTP/1.1 the fewer of both count, with no queue too; over HTTP/2 one takes many
    /// requests.
    #[test]
    fn connections_limit_requests_over_http_1() {
        let few = http("max_conns_per_host: 1", "");
        assert_eq!(kinds(&few), "consumers_few", "{few:#?}");
        assert!(few.findings[0].line == 8 && few.findings[0].instead.contains("max_conns_per_host"), "{few:#?}");
        assert_eq!(kinds(&http("max_conns_per_host: 1", "enabled: false")), "consumers_few");
        for more in ["max_conns_per_host: 100", "max_conns_per_host: 0", "max_conns_per_host: -1"] {
            assert_eq!(kinds(&http(more, "")), "", "{more}");
        }
        // What is fewer is named.
        let both = checked(&HTTP.replace("MORE", "max_conns_per_host: 50").replace("num_consumers: 100, QUEUE", "num_consumers: 5"));
        assert!(kinds(&both) == "consumers_few" && both.findings[0].instead.contains("num_consumers"), "{both:#?}");
        let with = |more: &str| {
            let text = HTTP.replace("http://127.0.0.1", "https://seal.example.com").replace("MORE", more).replace("QUEUE", "");
            checked(&text)
        };
        assert_eq!(kinds(&with("force_attempt_http2: false\n    max_conns_per_host: 1")), "consumers_few");
        let told = with("max_conns_per_host: 1");
        assert!(kinds(&told).is_empty(), "{told:#?}");
        assert!(told.unjudged.iter().any(|told| told.line == 8 && told.says.contains("HTTP/1.1")), "{told:#?}");
    }

    /// Batches so small that one batch of an SDK becomes tens of requests.
    #[test]
    fn batches_too_small_for_what_sdks_send_are_found() {
        for (batch, expected) in [
            ("{sizer: items, min_size: 0, max_size: 1}", "batch_small"),
            ("{min_size: 0, max_size: 25}", "batch_small"),
            ("{sizer: items, min_size: 0, max_size: 26}", ""),
            ("{sizer: items, min_size: 0, max_size: 512}", ""),
        ] {
            let report = http("", &format!("batch: {batch}"));
            assert_eq!(kinds(&report), expected, "{batch}: {report:#?}");
        }
        let one = http("", "batch: {sizer: items, max_size: 1, min_size: 0}");
        assert!(one.findings[0].says.contains("512 requests"), "{one:#?}");
    }

    /// Scenario: sizes of a queue and its batches that exclude each other. Guarantee: found where the Collector does not start, and nowhere else.
    #[test]
    fn sizes_that_the_collector_refuses_are_found() {
        for (queue, is_refused) in [
            ("queue_size: 0", true),
            ("queue_size: -1", true),
            ("queue_size: 1", false),
            ("sizer: requests, batch: {min_size: 0, max_size: 5000}", true),
            ("sizer: requests, batch: {sizer: items, min_size: 0, max_size: 5000}", false),
            ("sizer: requests, batch: {sizer: , min_size: 0, max_size: 5000}", false),
            ("batch: {min_size: 0, max_size: 5000}", false),
            ("batch: {sizer: requests, min_size: 0, max_size: 5000}", true),
            ("batch: {sizer: items, max_size: 512}", true),
            ("batch: {sizer: items, max_size: 8191}", true),
            ("batch: {sizer: items, max_size: 8192}", false),
            ("batch: {sizer: items, min_size: , max_size: 512}", false),
            ("batch: {sizer: items, min_size: 513, max_size: 512}", true),
            ("batch: {sizer: items, min_size: -1, max_size: 512}", true),
            ("sizer: items, batch: {min_size: 1001, max_size: 9000}", true),
            ("sizer: items, batch: {min_size: 1000, max_size: 9000}", false),
            ("sizer: items, queue_size: 8191, batch: {max_size: 9000}", true),
            ("sizer: items, queue_size: 8192, batch: {max_size: 9000}", false),
            ("sizer: bytes, queue_size: 20000000, batch: {sizer: items, min_size: 9000, max_size: 9000}", false),
            ("batch: {flush_timeout: 0, min_size: 0, max_size: 9000}", true),
            ("batch: {flush_timeout: 0s, min_size: 0, max_size: 9000}", true),
            ("enabled: false, queue_size: 0", false),
            ("batch: {enabled: false, max_size: 5}", false),
            ("queue_size: \"${env:Q}\"", false),
            ("batch: {min_size: \"${env:M}\", max_size: 5000}", false),
        ] {
            let report = http("", queue);
            assert_eq!(kinds(&report).contains("does_not_start"), is_refused, "{queue}: {report:#?}");
        }
        let none = checked(&HTTP.replace("MORE", "").replace("num_consumers: 100, QUEUE", "num_consumers: 0"));
        assert_eq!(kinds(&none), "does_not_start", "{none:#?}");
    }

    /// An exporter that keeps its queue on disk, as a storage extension and those that are started let it.
    fn on_disk(queue: &str, extensions: &str) -> Report {
        let text = HTTP.replace("MORE", "").replace("wait_for_result: true", "storage: file_storage").replace("QUEUE", queue);
        let extensions =
            format!("extensions: {{file_storage: {{fsync: true}}, health_check: {{}}}}\nservice:\n  extensions: [{extensions}]\n");
        let report = checked(&text.replace("service:\n", &extensions));
        assert_eq!(kinds(&report), "", "{report:#?}");
        report
    }

    fn is_noted(report: &Report, says: &str) -> bool {
        report.notes.iter().any(|note| note.says.contains(says))
    }

    /// What waits long on disk for company is sealed late, which is said.
    #[test]
    fn batches_that_wait_long_on_disk_are_noted() {
        let batch = |flush: &str| format!("batch: {{sizer: bytes, min_size: 1000000, max_size: 15728640, flush_timeout: {flush}}}");
        let on_disk = |batch: &str| on_disk(batch, "file_storage, health_check");
        assert!(is_noted(&on_disk(&batch("10h")), "up to 10h"));
        assert!(is_noted(&on_disk(&batch("61s")), "is sealed"));
        assert!(!is_noted(&on_disk(&batch("60s")), "is sealed"));
        // Nothing waits where a batch needs no more.
        assert!(!is_noted(&on_disk(&batch("10h").replace("1000000", "0")), "is sealed"));
    }

    /// A Collector listens before its queue on disk is open, and without a health check nobody is told when it is.
    #[test]
    fn a_queue_on_disk_without_a_health_check_is_noted() {
        assert!(is_noted(&on_disk("", "file_storage"), "health_check"));
        assert!(!is_noted(&on_disk("", "file_storage, health_check"), "health_check"));
        assert!(!is_noted(&http("", ""), "health_check"));
    }
}
