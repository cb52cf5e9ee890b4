//! Bodies sent to the wrong place: a request of one signal where another is received (pure).
//!
//! Protobuf has no names and all export requests have one shape (field 1 resources, in them field 2 scopes, in them field 2 items), so a
//! body of traces reads as logs without any fields that mean something, and would be answered as a success. What tells them apart is the
//! wire types of an item's fields (trace.proto, logs.proto, metrics.proto).

use super::answer::Signal;
use super::view::{ResourceGroup, ScopeGroup, each_in, resource_groups};
use super::wire::{Fields, Malformed, Payload};

/// What a request holds that is not received where it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// Another signal.
    Signal(Signal),
    /// Items as the OTLP of before 1.0 had them.
    Older,
    /// JSON that has members at its top level and none of them is known.
    Unknown {
        /// How many of them hold something.
        members: usize,
    },
}

/// The signal that all items of a request are of, if that is certainly not the one that was `expected`. Costs one item of a request that
/// is as expected.
pub fn signal_of(expected: Signal, request: &[u8]) -> Option<Signal> {
    let mut items = items(request);
    let first = items.next()?.ok()?;
    if is_one(expected, first) {
        return None;
    }
    let found = Signal::ALL.into_iter().find(|signal| *signal != expected && is_one(*signal, first))?;
    items.all(|item| item.is_ok_and(|item| is_one(found, item))).then_some(found)
}

/// `instrumentation_library_spans`, `_logs` and `_metrics` of a resource group: OTLP 0.15 moved them to this number and put `scope_spans`
/// and so on where they had been, and 1.0 does not have them (opentelemetry-proto, changelog). What older versions sent under the old number
/// is read as it always was.
pub(super) const OLDER: u32 = 1_000;

/// Whether a request holds items where no version from 1.0 on looks for them. Costs a look at its groups, not at what is in them.
pub fn is_older(request: &[u8]) -> bool {
    resource_groups(request).flatten().any(|group| each_in(group, OLDER).any(|items| items.is_ok()))
}

fn items(request: &[u8]) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    let scopes = resource_groups(request).flat_map(|group| Parts::of(group.and_then(ResourceGroup::read).map(|group| group.scopes())));
    scopes.flat_map(|scope| Parts::of(scope.and_then(ScopeGroup::read).map(|scope| scope.items())))
}

/// The parts of a message, or the one error that it could not be read.
enum Parts<I> {
    Read(I),
    Broken(Option<Malformed>),
}

impl<I> Parts<I> {
    fn of(read: Result<I, Malformed>) -> Self {
        match read {
            Ok(parts) => Parts::Read(parts),
            Err(malformed) => Parts::Broken(Some(malformed)),
        }
    }
}

impl<'a, I: Iterator<Item = Result<&'a [u8], Malformed>>> Iterator for Parts<I> {
    type Item = Result<&'a [u8], Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Parts::Read(parts) => parts.next(),
            Parts::Broken(malformed) => malformed.take().map(Err),
        }
    }
}

/// Whether an item is what its signal's schema says: no field contradicts it, and what every sender fills in is there.
fn is_one(signal: Signal, item: &[u8]) -> bool {
    let mut marks = 0_u8;
    for field in Fields::new(item) {
        let Ok(field) = field else { return false };
        let mark = match (signal, field.number, field.value) {
            // Ids have fixed lengths, and a span has begun: the three together.
            (Signal::Traces, 1, Payload::Bytes(id)) if id.len() == 16 => 1,
            (Signal::Traces, 2, Payload::Bytes(id)) if id.len() == 8 => 2,
            (Signal::Traces, 7, Payload::Fixed64(_)) => 4,
            (Signal::Traces, 8, Payload::Fixed64(_)) | (Signal::Traces, 16, Payload::Fixed32(_)) => 0,
            (Signal::Traces, 6 | 10 | 12 | 14, Payload::Varint(_)) => 0,
            (Signal::Traces, 3 | 4 | 5 | 9 | 11 | 13 | 15, Payload::Bytes(_)) => 0,
            (Signal::Traces, 1..=16, _) => return false,
            // When it happened or was observed.
            (Signal::Logs, 1 | 11, Payload::Fixed64(_)) => ALL_MARKS,
            (Signal::Logs, 2 | 7, Payload::Varint(_)) | (Signal::Logs, 8, Payload::Fixed32(_)) => 0,
            (Signal::Logs, 3 | 5 | 6 | 9 | 10 | 12, Payload::Bytes(_)) => 0,
            (Signal::Logs, 1..=3 | 5..=12, _) => return false,
            // A data point has its time.
            (Signal::Metrics, 5 | 7 | 9 | 10 | 11, Payload::Bytes(data)) if has_timed_point(data) => ALL_MARKS,
            (Signal::Metrics, 1 | 2 | 3 | 12, Payload::Bytes(_)) => 0,
            (Signal::Metrics, 1..=3 | 5 | 7 | 9..=12, _) => return false,
            // Fields that came later than this version.
            _ => 0,
        };
        marks |= mark;
    }
    marks == ALL_MARKS
}

const ALL_MARKS: u8 = 7;

/// Whether data of a metric has a point (1) with its `time_unix_nano` (3), which points of every kind have.
fn has_timed_point(data: &[u8]) -> bool {
    let timed = |point: &[u8]| Fields::new(point).any(|f| f.is_ok_and(|f| f.number == 3 && matches!(f.value, Payload::Fixed64(_))));
    each_in(data, 1).next().is_some_and(|point| point.is_ok_and(timed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::KeyValue;
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    use opentelemetry_proto::tonic::metrics::v1::*;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message as _;

    fn span() -> Span {
        Span {
            trace_id: vec![7; 16],
            span_id: vec![7; 8],
            name: "GET /".to_owned(),
            start_time_unix_nano: 5,
            attributes: vec![KeyValue { key: "http.route".to_owned(), ..Default::default() }],
            ..Default::default()
        }
    }

    fn traces(spans: Vec<Span>) -> Vec<u8> {
        let scope_spans = vec![ScopeSpans::default(), ScopeSpans { spans, ..Default::default() }];
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] }.encode_to_vec()
    }

    fn logs(log_records: Vec<LogRecord>) -> Vec<u8> {
        let scope_logs = vec![ScopeLogs { log_records, ..Default::default() }];
        ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] }.encode_to_vec()
    }

    fn metrics(name: &str, data: Data) -> Vec<u8> {
        let metrics = vec![Metric { name: name.to_owned(), description: "duration".to_owned(), data: Some(data), ..Default::default() }];
        let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
        ExportMetricsServiceRequest { resource_metrics: vec![ResourceMetrics { scope_metrics, ..Default::default() }] }.encode_to_vec()
    }

    /// Each signal is known wherever it is sent, and never taken for another where it belongs.
    #[test]
    fn each_signal_is_known_by_its_items() {
        let point = NumberDataPoint { time_unix_nano: 5, ..Default::default() };
        let histogram = HistogramDataPoint { time_unix_nano: 5, count: 1, ..Default::default() };
        let log = LogRecord { time_unix_nano: 5, trace_id: vec![7; 16], span_id: vec![7; 8], ..Default::default() };
        for (is, body) in [
            (Signal::Traces, traces(vec![span(), span()])),
            (Signal::Logs, logs(vec![log, LogRecord { observed_time_unix_nano: 5, severity_number: 9, ..Default::default() }])),
            // As long as a trace id, with a description as long as a span id.
            (Signal::Metrics, metrics("http.server.time", Data::Gauge(Gauge { data_points: vec![point.clone()] }))),
            (Signal::Metrics, metrics("m", Data::Sum(Sum { data_points: vec![point], ..Default::default() }))),
            (Signal::Metrics, metrics("m", Data::Histogram(Histogram { data_points: vec![histogram], ..Default::default() }))),
        ] {
            for expected in Signal::ALL {
                assert_eq!(signal_of(expected, &body), (expected != is).then_some(is), "{is:?} at {expected:?}");
            }
        }
    }

    #[test]
    fn items_of_old_are_seen() {
        let spans = traces(vec![span()]);
        assert!(!is_older(&spans) && !is_older(b"") && !is_older(b"\xff\xff"));
        // A second group with one empty InstrumentationLibrarySpans: key 1000 << 3 | 2.
        let old = [&spans[..], &[10, 3, 0xc2, 0x3e, 0]].concat();
        assert!(is_older(&old));
    }

    /// What might be anything is not called anything.
    #[test]
    fn doubt_is_silence() {
        let bare = Span { start_time_unix_nano: 0, ..span() };
        for body in [
            Vec::new(),
            traces(Vec::new()),
            traces(vec![bare.clone()]),
            traces(vec![span(), bare]),
            traces(vec![Span { trace_id: vec![7; 3], ..span() }]),
            logs(vec![LogRecord::default()]),
            metrics("m", Data::Gauge(Gauge::default())),
            b"\xff\xff".to_vec(),
        ] {
            for expected in Signal::ALL {
                assert_eq!(signal_of(expected, &body), None, "{body:?} at {expected:?}");
            }
        }
        let cut = traces(vec![span(), span()]);
        assert_eq!(signal_of(Signal::Logs, &cut[..cut.len() - 1]), None);
    }
}
