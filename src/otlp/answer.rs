//! Answers of the OTLP protocol: `Export*ServiceResponse` (collector/*.proto) and `google.rpc.Status` with `google.rpc.RetryInfo`
//! (google/rpc/status.proto, error_details.proto), in protobuf and in proto3 JSON. A dozen fields: no generated code.

use std::time::Duration;

use serde_json::json;

/// The encoding of an OTLP/HTTP body. An answer has that of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

/// What kind of telemetry a request holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Data points; counted only.
    Metrics,
}

impl Signal {
    /// All signals.
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];

    /// Stable word for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
        }
    }

    /// Where OTLP/HTTP takes it ("OTLP/HTTP Request": the default paths).
    pub fn path(self) -> &'static str {
        match self {
            Signal::Traces => "/v1/traces",
            Signal::Logs => "/v1/logs",
            Signal::Metrics => "/v1/metrics",
        }
    }

    /// The service that takes it over OTLP/gRPC.
    pub fn service(self) -> &'static str {
        match self {
            Signal::Traces => "TraceService",
            Signal::Logs => "LogsService",
            Signal::Metrics => "MetricsService",
        }
    }

    /// The one member of its export request, as OTLP/JSON spells it.
    pub fn member(self) -> &'static str {
        match self {
            Signal::Traces => "resourceSpans",
            Signal::Logs => "resourceLogs",
            Signal::Metrics => "resourceMetrics",
        }
    }

    /// What holds the items of one instrumentation scope, before OTLP 1.0 and since, as OTLP/JSON spells it.
    pub fn scoped(self) -> (&'static str, &'static str) {
        match self {
            Signal::Traces => ("instrumentationLibrarySpans", "scopeSpans"),
            Signal::Logs => ("instrumentationLibraryLogs", "scopeLogs"),
            Signal::Metrics => ("instrumentationLibraryMetrics", "scopeMetrics"),
        }
    }

    fn rejected_name(self) -> &'static str {
        match self {
            Signal::Traces => "rejectedSpans",
            Signal::Logs => "rejectedLogRecords",
            Signal::Metrics => "rejectedDataPoints",
        }
    }
}

/// `partial_success`: part of the request was refused for good and must not be sent again; or, with nothing rejected, a warning about a
/// request that was accepted as a whole (OTLP specification, "Partial Success").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialSuccess {
    /// `rejected_spans`, `rejected_log_records` or `rejected_data_points`.
    pub rejected: u64,
    /// `error_message`, in English. Never empty: with nothing rejected, that would read as full success.
    pub message: String,
}

/// The body of an `Export*ServiceResponse`. Full success has no `partial_success` at all, as the specification demands.
pub fn export_response(signal: Signal, partial: Option<&PartialSuccess>, encoding: Encoding) -> Vec<u8> {
    match (encoding, partial) {
        (Encoding::Protobuf, None) => Vec::new(),
        (Encoding::Json, None) => b"{}".to_vec(),
        (Encoding::Protobuf, Some(partial)) => {
            let mut inner = Vec::new();
            varint_field(&mut inner, 1, partial.rejected);
            bytes_field(&mut inner, 2, partial.message.as_bytes());
            let mut out = Vec::new();
            bytes_field(&mut out, 1, &inner);
            out
        }
        (Encoding::Json, Some(partial)) => {
            let rejected = partial.rejected.to_string();
            json!({"partialSuccess": {signal.rejected_name(): rejected, "errorMessage": partial.message}}).to_string().into_bytes()
        }
    }
}

/// The body of a refusal, and the content of `grpc-status-details-bin`: a `google.rpc.Status`, with a `RetryInfo` if the sender may
/// send the request again.
pub fn status(code: i32, message: &str, retry_after: Option<Duration>, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf => {
            let mut out = Vec::new();
            varint_field(&mut out, 1, i64::from(code).cast_unsigned());
            bytes_field(&mut out, 2, message.as_bytes());
            if let Some(delay) = retry_after {
                let mut duration = Vec::new();
                varint_field(&mut duration, 1, delay.as_secs());
                varint_field(&mut duration, 2, u64::from(delay.subsec_nanos()));
                let mut retry_info = Vec::new();
                bytes_field(&mut retry_info, 1, &duration);
                let mut any = Vec::new();
                bytes_field(&mut any, 1, RETRY_INFO.as_bytes());
                bytes_field(&mut any, 2, &retry_info);
                bytes_field(&mut out, 3, &any);
            }
            out
        }
        Encoding::Json => {
            let mut status = json!({"code": code, "message": message});
            if let (Some(delay), Some(status)) = (retry_after, status.as_object_mut()) {
                // proto3 JSON of a Duration has 0, 3, 6 or 9 decimals.
                let delay = match delay.subsec_nanos() {
                    0 => format!("{}s", delay.as_secs()),
                    nanos => format!("{}.{nanos:09}s", delay.as_secs()),
                };
                status.insert("details".to_owned(), json!([{"@type": RETRY_INFO, "retryDelay": delay}]));
            }
            status.to_string().into_bytes()
        }
    }
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// Writes a field of wire type 0, unless it is zero.
fn varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        prost::encoding::uint64::encode(number, &value, out);
    }
}

/// Writes a field of wire type 2. Empty messages inside are written too: their presence has a meaning.
fn bytes_field(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, out);
    prost::encoding::encode_varint(bytes.len().try_into().unwrap_or(u64::MAX), out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
    use prost::Message as _;

    /// google/rpc/status.proto and error_details.proto, by hand.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Status {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Any {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(bytes, tag = "2")]
        value: Vec<u8>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct RetryInfo {
        #[prost(message, tag = "1")]
        retry_delay: Option<Delay>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Delay {
        #[prost(int64, tag = "1")]
        seconds: i64,
        #[prost(int32, tag = "2")]
        nanos: i32,
    }

    #[test]
    fn full_success_is_an_empty_message() {
        assert_eq!(export_response(Signal::Traces, None, Encoding::Protobuf), b"");
        assert_eq!(export_response(Signal::Logs, None, Encoding::Json), b"{}");
    }

    #[test]
    fn partial_success_is_read_by_the_official_messages() {
        let partial = PartialSuccess { rejected: 300, message: "a \"quoted\" reason".to_owned() };
        let traces = ExportTraceServiceResponse::decode(&*export_response(Signal::Traces, Some(&partial), Encoding::Protobuf)).unwrap();
        let inner = traces.partial_success.unwrap();
        assert_eq!((inner.rejected_spans, inner.error_message), (300, partial.message.clone()));
        let logs: ExportLogsServiceResponse =
            serde_json::from_slice(&export_response(Signal::Logs, Some(&partial), Encoding::Json).replace_count()).unwrap();
        assert_eq!(logs.partial_success.unwrap().error_message, partial.message);
        let json: serde_json::Value = serde_json::from_slice(&export_response(Signal::Metrics, Some(&partial), Encoding::Json)).unwrap();
        assert_eq!(json["partialSuccess"]["rejectedDataPoints"], "300");
    }

    /// The official crate reads only a number there, although proto3 JSON writes an int64 as a string.
    trait ReplaceCount {
        fn replace_count(self) -> Vec<u8>;
    }
    impl ReplaceCount for Vec<u8> {
        fn replace_count(self) -> Vec<u8> {
            String::from_utf8(self).unwrap().replace("\"300\"", "300").into_bytes()
        }
    }

    #[test]
    fn retry_info_is_read_by_the_google_messages() {
        let bytes = status(14, "later", Some(Duration::from_millis(1_500)), Encoding::Protobuf);
        let decoded = Status::decode(&*bytes).unwrap();
        assert_eq!((decoded.code, decoded.message.as_str(), decoded.details.len()), (14, "later", 1));
        assert_eq!(decoded.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
        let retry = RetryInfo::decode(&*decoded.details[0].value).unwrap();
        assert_eq!(retry.retry_delay, Some(Delay { seconds: 1, nanos: 500_000_000 }));
        assert!(Status::decode(&*status(3, "never", None, Encoding::Protobuf)).unwrap().details.is_empty());

        let json: serde_json::Value =
            serde_json::from_slice(&status(14, "later", Some(Duration::from_millis(1_500)), Encoding::Json)).unwrap();
        assert_eq!(json["details"][0]["retryDelay"], "1.500000000s");
        assert_eq!(json["code"], 14);
    }
}
