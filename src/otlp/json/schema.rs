//! Which JSON names OTLP messages have, and which protobuf field each one is (opentelemetry-proto 1.10).
//!
//! Both spellings count: lowerCamelCase as OTLP/JSON prescribes, and the original proto name as proto3 JSON asks parsers to accept.

use crate::otlp::foreign::OLDER;

/// A message of OTLP that is transcoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `ExportTraceServiceRequest`
    TracesRequest,
    ResourceSpans,
    ScopeSpans,
    Span,
    Event,
    Link,
    Status,
    /// `ExportLogsServiceRequest`
    LogsRequest,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
    /// `ExportMetricsServiceRequest`
    MetricsRequest,
    ResourceMetrics,
    ScopeMetrics,
    Metric,
    /// `Gauge`, `Sum`, `Histogram`, `ExponentialHistogram`, `Summary`: all have their points in field 1.
    Points,
    /// A data point: counted, so nothing inside it is known.
    Point,
    Resource,
    EntityRef,
    Scope,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
}

/// How a field's JSON value becomes protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// `bytes` in base64.
    Base64,
    /// `bytes` in hexadecimal: trace and span ids, where OTLP/JSON departs from proto3 JSON.
    HexId,
    Bool,
    Fixed64,
    Fixed32,
    Int64,
    Int32,
    UInt32,
    Double,
    Enum(Names),
    Message(Shape),
}

/// The names of an enum: OTLP/JSON sends integers, but names cost nothing to understand and a refusal would lose spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    SpanKind,
    StatusCode,
    SeverityNumber,
}

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) kind: Kind,
    pub(super) repeated: bool,
}

const fn one(number: u32, kind: Kind) -> Option<Field> {
    Some(Field { number, kind, repeated: false })
}

const fn each(number: u32, kind: Kind) -> Option<Field> {
    Some(Field { number, kind, repeated: true })
}

impl Shape {
    /// The field that a JSON member is, if the schema knows it.
    pub(super) fn field(self, name: &[u8]) -> Option<Field> {
        use Kind::{Base64, Bool, Double, Enum, Fixed32, Fixed64, HexId, Int32, Int64, Message, Text, UInt32};
        match (self, name) {
            (Shape::AnyValue, b"stringValue" | b"string_value") => one(1, Text),
            (Shape::AnyValue, b"boolValue" | b"bool_value") => one(2, Bool),
            (Shape::AnyValue, b"intValue" | b"int_value") => one(3, Int64),
            (Shape::AnyValue, b"doubleValue" | b"double_value") => one(4, Double),
            (Shape::AnyValue, b"arrayValue" | b"array_value") => one(5, Message(Shape::ArrayValue)),
            (Shape::AnyValue, b"kvlistValue" | b"kvlist_value") => one(6, Message(Shape::KeyValueList)),
            (Shape::AnyValue, b"bytesValue" | b"bytes_value") => one(7, Base64),
            (Shape::AnyValue, b"stringValueStrindex" | b"string_value_strindex") => one(8, Int32),

            (Shape::KeyValue, b"key") => one(1, Text),
            (Shape::KeyValue, b"value") => one(2, Message(Shape::AnyValue)),
            (Shape::KeyValue, b"keyStrindex" | b"key_strindex") => one(3, Int32),

            (Shape::ArrayValue, b"values") => each(1, Message(Shape::AnyValue)),
            (Shape::KeyValueList, b"values") => each(1, Message(Shape::KeyValue)),

            (Shape::Span, b"traceId" | b"trace_id") => one(1, HexId),
            (Shape::Span, b"spanId" | b"span_id") => one(2, HexId),
            (Shape::Span, b"traceState" | b"trace_state") => one(3, Text),
            (Shape::Span, b"parentSpanId" | b"parent_span_id") => one(4, HexId),
            (Shape::Span, b"name") => one(5, Text),
            (Shape::Span, b"kind") => one(6, Enum(Names::SpanKind)),
            (Shape::Span, b"startTimeUnixNano" | b"start_time_unix_nano") => one(7, Fixed64),
            (Shape::Span, b"endTimeUnixNano" | b"end_time_unix_nano") => one(8, Fixed64),
            (Shape::Span, b"attributes") => each(9, Message(Shape::KeyValue)),
            (Shape::Span, b"droppedAttributesCount" | b"dropped_attributes_count") => one(10, UInt32),
            (Shape::Span, b"events") => each(11, Message(Shape::Event)),
            (Shape::Span, b"droppedEventsCount" | b"dropped_events_count") => one(12, UInt32),
            (Shape::Span, b"links") => each(13, Message(Shape::Link)),
            (Shape::Span, b"droppedLinksCount" | b"dropped_links_count") => one(14, UInt32),
            (Shape::Span, b"status") => one(15, Message(Shape::Status)),
            (Shape::Span, b"flags") => one(16, Fixed32),

            (Shape::Event, b"timeUnixNano" | b"time_unix_nano") => one(1, Fixed64),
            (Shape::Event, b"name") => one(2, Text),
            (Shape::Event, b"attributes") => each(3, Message(Shape::KeyValue)),
            (Shape::Event, b"droppedAttributesCount" | b"dropped_attributes_count") => one(4, UInt32),

            (Shape::Link, b"traceId" | b"trace_id") => one(1, HexId),
            (Shape::Link, b"spanId" | b"span_id") => one(2, HexId),
            (Shape::Link, b"traceState" | b"trace_state") => one(3, Text),
            (Shape::Link, b"attributes") => each(4, Message(Shape::KeyValue)),
            (Shape::Link, b"droppedAttributesCount" | b"dropped_attributes_count") => one(5, UInt32),
            (Shape::Link, b"flags") => one(6, Fixed32),

            (Shape::Status, b"message") => one(2, Text),
            (Shape::Status, b"code") => one(3, Enum(Names::StatusCode)),

            (Shape::LogRecord, b"timeUnixNano" | b"time_unix_nano") => one(1, Fixed64),
            (Shape::LogRecord, b"severityNumber" | b"severity_number") => one(2, Enum(Names::SeverityNumber)),
            (Shape::LogRecord, b"severityText" | b"severity_text") => one(3, Text),
            (Shape::LogRecord, b"body") => one(5, Message(Shape::AnyValue)),
            (Shape::LogRecord, b"attributes") => each(6, Message(Shape::KeyValue)),
            (Shape::LogRecord, b"droppedAttributesCount" | b"dropped_attributes_count") => one(7, UInt32),
            (Shape::LogRecord, b"flags") => one(8, Fixed32),
            (Shape::LogRecord, b"traceId" | b"trace_id") => one(9, HexId),
            (Shape::LogRecord, b"spanId" | b"span_id") => one(10, HexId),
            (Shape::LogRecord, b"observedTimeUnixNano" | b"observed_time_unix_nano") => one(11, Fixed64),
            (Shape::LogRecord, b"eventName" | b"event_name") => one(12, Text),

            (Shape::TracesRequest, b"resourceSpans" | b"resource_spans") => each(1, Message(Shape::ResourceSpans)),
            (Shape::LogsRequest, b"resourceLogs" | b"resource_logs") => each(1, Message(Shape::ResourceLogs)),
            (Shape::MetricsRequest, b"resourceMetrics" | b"resource_metrics") => each(1, Message(Shape::ResourceMetrics)),

            (Shape::ResourceSpans | Shape::ResourceLogs, b"resource") => one(1, Message(Shape::Resource)),
            (Shape::ResourceSpans, b"scopeSpans" | b"scope_spans") => each(2, Message(Shape::ScopeSpans)),
            (Shape::ResourceLogs, b"scopeLogs" | b"scope_logs") => each(2, Message(Shape::ScopeLogs)),
            (Shape::ResourceMetrics, b"scopeMetrics" | b"scope_metrics") => each(2, Message(Shape::ScopeMetrics)),

            // Of OTLP before 1.0: seen, and nothing inside it read.
            (Shape::ResourceSpans, b"instrumentationLibrarySpans" | b"instrumentation_library_spans")
            | (Shape::ResourceLogs, b"instrumentationLibraryLogs" | b"instrumentation_library_logs")
            | (Shape::ResourceMetrics, b"instrumentationLibraryMetrics" | b"instrumentation_library_metrics") => {
                each(OLDER, Message(Shape::Point))
            }

            (Shape::ScopeSpans | Shape::ScopeLogs, b"scope") => one(1, Message(Shape::Scope)),
            (Shape::ScopeSpans, b"spans") => each(2, Message(Shape::Span)),
            (Shape::ScopeLogs, b"logRecords" | b"log_records") => each(2, Message(Shape::LogRecord)),
            (Shape::ScopeMetrics, b"metrics") => each(2, Message(Shape::Metric)),

            (Shape::ResourceSpans | Shape::ResourceLogs | Shape::ScopeSpans | Shape::ScopeLogs, b"schemaUrl" | b"schema_url") => {
                one(3, Text)
            }

            (Shape::Resource, b"attributes") => each(1, Message(Shape::KeyValue)),
            (Shape::Resource, b"droppedAttributesCount" | b"dropped_attributes_count") => one(2, UInt32),
            (Shape::Resource, b"entityRefs" | b"entity_refs") => each(3, Message(Shape::EntityRef)),

            (Shape::EntityRef, b"schemaUrl" | b"schema_url") => one(1, Text),
            (Shape::EntityRef, b"type") => one(2, Text),
            (Shape::EntityRef, b"idKeys" | b"id_keys") => each(3, Text),
            (Shape::EntityRef, b"descriptionKeys" | b"description_keys") => each(4, Text),

            (Shape::Scope, b"name") => one(1, Text),
            (Shape::Scope, b"version") => one(2, Text),
            (Shape::Scope, b"attributes") => each(3, Message(Shape::KeyValue)),
            (Shape::Scope, b"droppedAttributesCount" | b"dropped_attributes_count") => one(4, UInt32),

            (Shape::Metric, b"gauge") => one(5, Message(Shape::Points)),
            (Shape::Metric, b"sum") => one(7, Message(Shape::Points)),
            (Shape::Metric, b"histogram") => one(9, Message(Shape::Points)),
            (Shape::Metric, b"exponentialHistogram" | b"exponential_histogram") => one(10, Message(Shape::Points)),
            (Shape::Metric, b"summary") => one(11, Message(Shape::Points)),
            (Shape::Points, b"dataPoints" | b"data_points") => each(1, Message(Shape::Point)),
            _ => None,
        }
    }

    /// Whether a field is sent even when it is zero: members of the one oneof, and elements of lists.
    pub(super) fn has_presence(self) -> bool {
        self == Shape::AnyValue
    }

    /// How many bytes its length usually takes; a wrong guess only costs a move of its bytes.
    pub(super) fn length_bytes_usual(self) -> usize {
        match self {
            Shape::ResourceSpans | Shape::ScopeSpans | Shape::ResourceLogs | Shape::ScopeLogs => 3,
            Shape::Span | Shape::LogRecord | Shape::Resource => 2,
            _ => 1,
        }
    }
}

impl Names {
    /// The number behind a name of the enum.
    pub(super) fn number(self, name: &[u8]) -> Option<i32> {
        match (self, name) {
            (Names::SpanKind, b"SPAN_KIND_UNSPECIFIED") => Some(0),
            (Names::SpanKind, b"SPAN_KIND_INTERNAL") => Some(1),
            (Names::SpanKind, b"SPAN_KIND_SERVER") => Some(2),
            (Names::SpanKind, b"SPAN_KIND_CLIENT") => Some(3),
            (Names::SpanKind, b"SPAN_KIND_PRODUCER") => Some(4),
            (Names::SpanKind, b"SPAN_KIND_CONSUMER") => Some(5),
            (Names::StatusCode, b"STATUS_CODE_UNSET") => Some(0),
            (Names::StatusCode, b"STATUS_CODE_OK") => Some(1),
            (Names::StatusCode, b"STATUS_CODE_ERROR") => Some(2),
            (Names::SeverityNumber, name) => severity(name.strip_prefix(b"SEVERITY_NUMBER_")?),
            _ => None,
        }
    }
}

/// `UNSPECIFIED` 0; then six words of four steps each: `TRACE`, `TRACE2`, `TRACE3`, `TRACE4`, `DEBUG` and so on.
fn severity(name: &[u8]) -> Option<i32> {
    if name == b"UNSPECIFIED" {
        return Some(0);
    }
    let (word, step) = match name.split_last()? {
        (b'2', word) => (word, 1),
        (b'3', word) => (word, 2),
        (b'4', word) => (word, 3),
        _ => (name, 0),
    };
    let words: [&[u8]; 6] = [b"TRACE", b"DEBUG", b"INFO", b"WARN", b"ERROR", b"FATAL"];
    let at = words.iter().position(|w| *w == word)?;
    Some(i32::try_from(at).ok()? * 4 + step + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_have_the_numbers_of_logs_proto() {
        for (name, number) in [("UNSPECIFIED", 0), ("TRACE", 1), ("TRACE4", 4), ("DEBUG", 5), ("INFO2", 10), ("WARN", 13), ("FATAL4", 24)] {
            assert_eq!(Names::SeverityNumber.number(format!("SEVERITY_NUMBER_{name}").as_bytes()), Some(number), "{name}");
        }
        assert_eq!(Names::SeverityNumber.number(b"SEVERITY_NUMBER_INFO5"), None);
        assert_eq!(Names::SeverityNumber.number(b"INFO"), None);
    }
}
