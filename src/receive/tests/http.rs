use std::io::Write;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use reqwest::{Body, Method};

use super::slow::until;
use super::*;
use crate::otlp::answer::Signal;

pub(super) const PROTOBUF: &str = "application/x-protobuf";
pub(super) const JSON: &str = "application/json";

pub(super) struct Reply {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(super) async fn post(rig: &Rig, path: &str, media_type: &str, coding: &str, body: impl Into<Body>) -> Reply {
    send(rig, Method::POST, path, media_type, coding, body).await
}

async fn send(rig: &Rig, method: Method, path: &str, media_type: &str, coding: &str, body: impl Into<Body>) -> Reply {
    let mut request = reqwest::Client::new().request(method, rig.url(path)).body(body);
    if !media_type.is_empty() {
        request = request.header(CONTENT_TYPE, media_type);
    }
    if !coding.is_empty() {
        request = request.header(CONTENT_ENCODING, coding);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, body: response.bytes().await.unwrap().to_vec() }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// Sent in pieces without a Content-Length.
fn chunked(bytes: Vec<u8>) -> Body {
    #[derive(Debug)]
    struct Pieces(std::collections::VecDeque<bytes::Bytes>);
    impl http_body::Body for Pieces {
        type Data = bytes::Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
            std::task::Poll::Ready(self.get_mut().0.pop_front().map(|piece| Ok(http_body::Frame::data(piece))))
        }
    }
    Body::wrap(Pieces(bytes.chunks(10_000).map(bytes::Bytes::copy_from_slice).collect()))
}

#[tokio::test]
async fn both_encodings_bring_a_receipt_in_their_own_encoding() {
    let mut rig = rig().await;
    rig.answering(Ok(RECEIPT));
    let request = traces(vec![ai_span(), plain_span()]);
    for (media_type, body, answer, answer_body) in [
        (PROTOBUF, request.encode_to_vec(), PROTOBUF, &b""[..]),
        (JSON, serde_json::to_vec(&request).unwrap(), JSON, b"{}"),
        ("Application/JSON; charset=utf-8", serde_json::to_vec(&request).unwrap(), JSON, b"{}"),
    ] {
        let reply = post(&rig, "/v1/traces", media_type, "", body).await;
        assert_eq!((reply.status, reply.header("content-type"), &*reply.body), (200, answer, answer_body));
        assert_eq!((reply.header("spanseal-log"), reply.header("spanseal-seal")), ("spanseal.local/test", "42"));
        assert_eq!((reply.header("spanseal-promoted"), reply.header("spanseal-root").len()), ("1", 44));
    }
    assert_eq!(rig.counters.take().spans, 6);
    assert_eq!(rig.pool.used(), 0);
}

#[tokio::test]
async fn without_ai_spans_there_is_no_seal() {
    let rig = rig().await;
    let reply = post(&rig, "/v1/traces", PROTOBUF, "", traces(vec![plain_span()]).encode_to_vec()).await;
    assert_eq!((reply.status, reply.header("spanseal-promoted"), reply.header("spanseal-log")), (200, "0", "spanseal.local/test"));
    assert!(!reply.headers.contains_key("spanseal-seal") && !reply.headers.contains_key("spanseal-root"));
    // An empty protobuf message is a request; an empty JSON text is none.
    assert_eq!(post(&rig, "/v1/logs", PROTOBUF, "", "").await.status, 200);
    assert_eq!(post(&rig, "/v1/logs", JSON, "", "").await.status, 400);
}

#[tokio::test]
async fn malformed_items_are_a_partial_success() {
    let mut rig = rig().await;
    rig.answering(Ok(RECEIPT));
    // An id of odd hexadecimal spoils its span, not the request.
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"abc","name":"x"},
        {"traceId":"0102030405060708090a0b0c0d0e0f10","attributes":[{"key":"gen_ai.x","value":{"intValue":"1"}}]}]}]}]}"#;
    let reply = post(&rig, "/v1/traces", JSON, "", json).await;
    assert_eq!((reply.status, reply.header("spanseal-promoted")), (200, "1"));
    assert_eq!(reply.json()["partialSuccess"]["rejectedSpans"], "1");
    assert_eq!(reply.json()["partialSuccess"]["errorMessage"], "a trace id has not 16 bytes");
}

/// Scenario: an exporter whose URL is that of another signal, in both encodings, and JSON that is no export at all. Guarantee: still a success,
/// because unknown members are to be ignored, but one that says what was found and where it belongs.
#[tokio::test]
async fn what_is_sent_to_the_wrong_path_is_told_where_it_belongs() {
    let rig = rig().await;
    let span = Span { start_time_unix_nano: 5, ..ai_span() };
    let spans = traces(vec![span.clone(), span]);
    let log = LogRecord { time_unix_nano: 5, event_name: "gen_ai.choice".to_owned(), ..Default::default() };
    let records = logs(vec![log]);
    let hint =
        |found: &str, at: &str, to: &str| format!("the request holds {found}, of which nothing is kept at /v1/{at}: send them to /v1/{to}");
    for (path, media_type, body, rejected, said) in [
        (
            "/v1/logs",
            JSON,
            serde_json::to_vec(&spans).unwrap(),
            "rejectedLogRecords",
            hint("traces (`resourceSpans`)", "logs", "traces (over gRPC: TraceService)"),
        ),
        (
            "/v1/metrics",
            JSON,
            serde_json::to_vec(&spans).unwrap(),
            "rejectedDataPoints",
            hint("traces (`resourceSpans`)", "metrics", "traces (over gRPC: TraceService)"),
        ),
        (
            "/v1/traces",
            JSON,
            serde_json::to_vec(&records).unwrap(),
            "rejectedSpans",
            hint("logs (`resourceLogs`)", "traces", "logs (over gRPC: LogsService)"),
        ),
        (
            "/v1/traces",
            JSON,
            b"{\"spans\":[1],\"more\":2,\"none\":null}".to_vec(),
            "rejectedSpans",
            "nothing was found in the request, its 2 members are all unknown: traces are sent as `resourceSpans`".to_owned(),
        ),
        (
            "/v1/logs",
            JSON,
            b"{\"secret\":[1]}".to_vec(),
            "rejectedLogRecords",
            "nothing was found in the request, its one member is unknown: logs are sent as `resourceLogs`".to_owned(),
        ),
    ] {
        let reply = post(&rig, path, media_type, "", body).await;
        assert_eq!((reply.status, reply.header("spanseal-promoted")), (200, "0"), "{path}");
        assert_eq!(reply.json(), serde_json::json!({"partialSuccess": {rejected: "0", "errorMessage": said}}), "{path}");
    }
    for (path, body, word) in [
        ("/v1/logs", spans.encode_to_vec(), "TraceService"),
        ("/v1/metrics", spans.encode_to_vec(), "TraceService"),
        ("/v1/traces", records.encode_to_vec(), "LogsService"),
    ] {
        let reply = post(&rig, path, PROTOBUF, "", body).await;
        assert_eq!((reply.status, reply.header("spanseal-promoted")), (200, "0"), "{path}");
        // All three answers have one shape: field 1, in it field 2 the message.
        let partial = ExportTraceServiceResponse::decode(&*reply.body).unwrap().partial_success.unwrap();
        assert!(partial.error_message.contains(word), "{path}: {partial:?}");
    }
    let warned = Signal::ALL.map(|signal| rig.metrics.requests(Some(signal), Outcome::Warned));
    // Logs read as spans have bad trace ids: some of what the third protobuf body held was rejected.
    assert_eq!((warned, rig.metrics.requests(Some(Signal::Traces), Outcome::Partial)), ([2, 3, 2], 1));
    // Nothing odd: not a word.
    for body in ["{}", r#"{"resourceLogs":[],"later":1}"#, r#"{"resourceSpans":[],"later":null}"#] {
        assert_eq!(post(&rig, "/v1/logs", JSON, "", body).await.body, b"{}", "{body}");
    }
}

/// Scenario: senders of OTLP before 1.0, in both encodings, one of them through a Collector that also sends what is new. Guarantee: what is
/// not kept of it is said, beside a receipt if there is one.
#[tokio::test]
async fn what_is_older_than_otlp_1_is_said() {
    let mut rig = rig().await;
    rig.answering(Ok(RECEIPT));
    let said = "the request holds `instrumentationLibrarySpans` of OTLP before 1.0, of which nothing is kept: update its sender to one that \
                sends `scopeSpans`";
    let old = r#"{"resourceSpans":[{"instrumentationLibrarySpans":[{"spans":[{"name":"x","traceId":"zz"}]}]}]}"#;
    let reply = post(&rig, "/v1/traces", JSON, "", old).await;
    assert_eq!(reply.json(), serde_json::json!({"partialSuccess": {"rejectedSpans": "0", "errorMessage": said}}));
    let mixed = [traces(vec![ai_span()]).encode_to_vec(), crate::otlp::json::traces(old.as_bytes()).unwrap()].concat();
    let reply = post(&rig, "/v1/traces", PROTOBUF, "", mixed).await;
    let partial = ExportTraceServiceResponse::decode(&*reply.body).unwrap().partial_success.unwrap();
    assert_eq!((reply.header("spanseal-promoted"), partial.rejected_spans, &*partial.error_message), ("1", 0, said));
    let logs = post(&rig, "/v1/logs", JSON, "", r#"{"resourceLogs":[{"instrumentation_library_logs":[{}]}]}"#).await;
    assert!(logs.json()["partialSuccess"]["errorMessage"].as_str().unwrap().ends_with("sends `scopeLogs`"));
    let none = post(&rig, "/v1/traces", JSON, "", r#"{"resourceSpans":[{"instrumentationLibrarySpans":[]}]}"#).await;
    assert_eq!(none.body, b"{}");
}

#[tokio::test]
async fn ids_of_wrong_length_are_said_and_lose_nothing() {
    let mut rig = rig().await;
    rig.answering(Ok(RECEIPT));
    let odd = Span { span_id: vec![1; 3], ..ai_span() };
    let reply = post(&rig, "/v1/traces", JSON, "", serde_json::to_vec(&traces(vec![odd.clone(), ai_span(), odd])).unwrap()).await;
    assert_eq!((reply.status, reply.header("spanseal-promoted"), reply.header("spanseal-seal")), (200, "3", "42"));
    let partial = &reply.json()["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "0");
    let message = partial["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("2 spans have an id of wrong length and became evidence without it: "), "{message}");
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::Warned), 1);
    let log = LogRecord { event_name: "gen_ai.choice".to_owned(), span_id: vec![1; 3], ..Default::default() };
    let reply = post(&rig, "/v1/logs", JSON, "", serde_json::to_vec(&logs(vec![log])).unwrap()).await;
    assert!(reply.json()["partialSuccess"]["errorMessage"].as_str().unwrap().starts_with("1 log record has an id"));
}

#[tokio::test]
async fn metric_points_are_counted_and_said_to_be_dropped_in_both_encodings() {
    let rig = rig().await;
    let json =
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","sum":{"dataPoints":[{"asInt":"1"},{"asDouble":"NaN"}]}}]}]}]}"#;
    let reply = post(&rig, "/v1/metrics", JSON, "", json).await;
    let partial = &reply.json()["partialSuccess"];
    assert_eq!((reply.status, &partial["rejectedDataPoints"]), (200, &serde_json::json!("2")));
    assert!(partial["errorMessage"].as_str().unwrap().starts_with("2 data points were not kept: "), "{partial}");
    assert_eq!(post(&rig, "/v1/metrics", JSON, "", "{\"resourceMetrics\":[]}").await.body, b"{}");
    let protobuf = crate::otlp::json::metrics(json.as_bytes()).unwrap();
    assert_eq!(post(&rig, "/v1/metrics", PROTOBUF, "", protobuf).await.header("spanseal-promoted"), "0");
    assert_eq!(rig.metrics.items(Signal::Metrics), 4);
}

#[tokio::test]
async fn compressions_and_pieces_come_to_the_same() {
    let mut rig = rig().await;
    rig.answering(Ok(RECEIPT));
    let body = padded(700_000).encode_to_vec();
    for (coding, sent) in
        [("", body.clone()), ("identity", body.clone()), ("gzip", gzip(&body)), ("x-gzip", gzip(&body)), ("zstd", zstd(&body))]
    {
        let reply = post(&rig, "/v1/traces", PROTOBUF, coding, sent.clone()).await;
        assert_eq!((reply.status, reply.header("spanseal-promoted")), (200, "1"), "{coding}");
        let reply = post(&rig, "/v1/traces", PROTOBUF, coding, chunked(sent)).await;
        assert_eq!((reply.status, reply.header("spanseal-promoted")), (200, "1"), "{coding}");
    }
    // Two gzip members are one body (RFC 1952 section 2.2).
    let (left, right) = body.split_at(1_000);
    assert_eq!(post(&rig, "/v1/traces", PROTOBUF, "gzip", [gzip(left), gzip(right)].concat()).await.status, 200);
    assert!(rig.fake.seen.lock().unwrap().iter().all(|seen| seen.bytes == body.len()));
    assert_eq!(rig.pool.used(), 0);
}

#[tokio::test]
async fn what_is_too_large_is_413_announced_or_not_plain_or_compressed() {
    let rig = rig().await;
    let big = padded(LIMIT + 1).encode_to_vec();
    let bomb = padded(60 * LIMIT).encode_to_vec();
    for (coding, body) in [
        ("", Body::from(big.clone())),
        ("", chunked(big.clone())),
        ("gzip", gzip(&bomb).into()),
        ("zstd", zstd(&bomb).into()),
        ("zstd", chunked(zstd(&bomb))),
    ] {
        let reply = post(&rig, "/v1/traces", PROTOBUF, coding, body).await;
        assert_eq!((reply.status, reply.header("retry-after")), (413, ""), "{coding}");
        assert_eq!(google_status(&reply.body).0, 3);
    }
    let exact = vec![b' '; LIMIT - 2].into_iter().chain(*b"{}").collect::<Vec<u8>>();
    assert_eq!(post(&rig, "/v1/traces", JSON, "gzip", gzip(&exact)).await.status, 200);
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::TooLarge), 5);
    assert_eq!(rig.pool.used(), 0);
}

#[tokio::test]
async fn what_is_no_request_is_400_with_a_status_in_its_encoding() {
    let rig = rig().await;
    for (coding, body) in
        [("", b"\xff\xff".to_vec()), ("gzip", b"no".to_vec()), ("zstd", b"no".to_vec()), ("gzip", gzip(b"x")[..15].to_vec())]
    {
        let reply = post(&rig, "/v1/traces", PROTOBUF, coding, body).await;
        assert_eq!((reply.status, reply.header("content-type"), reply.header("retry-after")), (400, PROTOBUF, ""), "{coding}");
        assert_eq!((google_status(&reply.body).0, google_status(&reply.body).2), (3, None));
    }
    let reply = post(&rig, "/v1/traces", JSON, "", r#"{"resourceSpans":[{"secret":}]}"#).await;
    assert_eq!((reply.status, reply.header("content-type")), (400, JSON));
    assert_eq!(reply.json()["message"], "the request is malformed: at byte 28 of the JSON: expected a JSON value");
    assert_eq!((reply.json()["code"].as_u64(), reply.json().get("details")), (Some(3), None));
}

#[tokio::test]
async fn what_is_not_otlp_is_told_so() {
    let rig = rig().await;
    assert_eq!(post(&rig, "/v1/trace", JSON, "", "{}").await.status, 404);
    let grpc = post(&rig, "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "application/grpc-web", "", "").await;
    assert!(grpc.status == 404 && String::from_utf8(grpc.body).unwrap().contains("4317"));
    let get = send(&rig, Method::GET, "/v1/traces", "", "", "").await;
    assert_eq!((get.status, get.header("allow")), (405, "POST"));
    assert_eq!(post(&rig, "/v1/traces", "text/plain", "", "x").await.status, 415);
    assert_eq!(post(&rig, "/v1/traces", "", "", "x").await.status, 415);
    assert_eq!(post(&rig, "/v1/traces", "application/x-protobuf2", "", "x").await.status, 415);
    let deflate = post(&rig, "/v1/traces", JSON, "deflate", "{}").await;
    assert_eq!((deflate.status, deflate.header("accept-encoding")), (415, "gzip, zstd"));
    assert_eq!((deflate.header("content-type"), deflate.json()["code"].as_u64()), (JSON, Some(12)));
    let put = send(&rig, Method::PUT, "/v1/traces", PROTOBUF, "", "").await;
    assert_eq!((put.status, put.header("content-type"), google_status(&put.body).0), (405, PROTOBUF, 12));
    let lost = post(&rig, "/v2/traces", PROTOBUF, "", "").await;
    assert_eq!((lost.status, lost.header("content-type"), google_status(&lost.body).0), (404, PROTOBUF, 12));
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::Unsupported), 6);
    assert_eq!(rig.metrics.requests(None, Outcome::Unsupported), 3);
}

/// Scenario: OTLP comes behind a path that its sender's endpoint has, with a slash too many, or without the path of a signal. Guarantee: its sender
/// keeps it, and reads what to write; what is not OTLP, and a signal that is not taken, is refused for good.
#[tokio::test]
async fn otlp_at_another_path_is_kept_by_its_sender() {
    let rig = rig().await;
    for (path, kind) in [("/otlp/v1/traces", JSON), ("/v1/traces/v1/traces", PROTOBUF), ("/v1/logs/", PROTOBUF), ("/", PROTOBUF)] {
        let reply = post(&rig, path, kind, "", "").await;
        assert_eq!((reply.status, reply.header("content-type"), reply.header("retry-after")), (503, kind, "30"), "{path}");
        assert!(String::from_utf8_lossy(&reply.body).contains("has no path of its own"), "{path}");
    }
    assert_eq!(rig.metrics.requests(None, Outcome::Unsupported), 4);
    for (path, kind) in [("/", JSON), ("/", "text/plain"), ("/v1development/profiles", PROTOBUF)] {
        assert_eq!(post(&rig, path, kind, "", "").await.status, 404, "{path}");
    }
    assert_eq!(send(&rig, Method::GET, "/otlp/v1/traces", "", "", "").await.status, 404);
}

/// Scenario: a gRPC client is given this port: a digit is mistyped. Guarantee: it reads an answer for which it keeps its data, and which
/// says what to write; nothing of it is taken.
#[tokio::test]
async fn otlp_grpc_at_this_port_is_kept_by_its_sender() {
    let rig = rig().await;
    let address = format!("http://{}", rig.receiver.http_address().unwrap());
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    for spans in [vec![ai_span()], vec![plain_span(); 5_000]] {
        let status = TraceServiceClient::new(channel.clone()).export(traces(spans)).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
        assert_eq!(google_status(status.details()), (14, status.message().to_owned(), Some(30)));
        assert!(status.message().contains("this port speaks OTLP/HTTP") && status.message().contains("4317"), "{status:?}");
    }
    let health = tonic_health::pb::health_client::HealthClient::new(channel).check(tonic_health::pb::HealthCheckRequest::default()).await;
    assert_eq!(health.unwrap_err().code(), tonic::Code::Unavailable);
    // Byte by byte: the head of the answer is all of it (trailers-only), and its words are in ASCII.
    let raw = post(&rig, "/v1/traces", "application/grpc+proto", "", "").await;
    assert_eq!((raw.status, raw.header("content-type"), raw.header("grpc-status"), &*raw.body), (200, "application/grpc", "14", &b""[..]));
    assert!(raw.header("grpc-message").starts_with("this%20port%20speaks%20OTLP/HTTP"), "{}", raw.header("grpc-message"));
    assert!(rig.fake.seen.lock().unwrap().is_empty());
    assert_eq!(rig.metrics.requests(None, Outcome::Unsupported), 4);
}

/// Scenario: a small request becomes far more than it was. Guarantee: what it becomes is paid out of the pool; while others hold that, it
/// is refused for now, and what no pool of this size could hold is refused for good. Nothing of it is submitted or counted.
#[tokio::test]
async fn a_request_pays_for_what_it_becomes() {
    let pool = Pool::new(2 * 1024 * 1024, Duration::from_millis(20));
    let mut rig = rig_with(plain(), pool).await;
    let body = traces(vec![ai_span(), ai_span()]).encode_to_vec();
    rig.fake.line_bytes.store(512 * 1024, Ordering::Relaxed);
    let other = rig.pool.admit(1).await.unwrap();
    let held = rig.pool.admit_records(&other, 1536 * 1024).await.unwrap();
    let full = post(&rig, "/v1/traces", PROTOBUF, "", body.clone()).await;
    assert_eq!((full.status, full.header("retry-after")), (429, "2"));
    drop((held, other));
    rig.fake.line_bytes.store(2 * 1024 * 1024, Ordering::Relaxed);
    let never = post(&rig, "/v1/traces", PROTOBUF, "", body.clone()).await;
    assert_eq!((never.status, never.header("retry-after")), (413, ""));
    assert!(rig.submissions.try_recv().is_err());
    assert_eq!((rig.pool.used(), rig.counters.take().spans), (0, 0));
    rig.answering(Ok(RECEIPT));
    rig.fake.line_bytes.store(512 * 1024, Ordering::Relaxed);
    assert_eq!(post(&rig, "/v1/traces", PROTOBUF, "", body).await.status, 200);
    assert_eq!(rig.pool.used(), 0);
}

#[tokio::test]
async fn what_may_be_sent_again_says_when() {
    let mut rig = rig_with(plain(), Pool::new(10_000, Duration::from_millis(20))).await;
    let all = rig.pool.admit(10_000).await.unwrap();
    let body = traces(vec![ai_span()]);
    for sent in [Body::from(body.encode_to_vec()), chunked(body.encode_to_vec())] {
        let full = post(&rig, "/v1/traces", PROTOBUF, "", sent).await;
        assert_eq!((full.status, full.header("retry-after")), (429, "2"));
        assert_eq!((google_status(&full.body).0, google_status(&full.body).2), (8, Some(2)));
    }
    drop(all);

    rig.answering(Err(not_sealed()));
    let away = post(&rig, "/v1/traces", JSON, "", serde_json::to_vec(&body).unwrap()).await;
    assert_eq!((away.status, away.header("retry-after")), (503, "3"));
    assert_eq!(away.json()["details"][0]["retryDelay"], "2.500000000s");
    assert!(!String::from_utf8(away.body).unwrap().contains("secret-name"));

    rig.receiver.refuse().await;
    let stopped = post(&rig, "/v1/traces", PROTOBUF, "", body.encode_to_vec()).await;
    assert_eq!((stopped.status, stopped.header("retry-after")), (503, "5"));
    assert_eq!(rig.pool.used(), 0);
}

#[tokio::test]
async fn hanging_up_does_not_take_records_back() {
    let mut rig = rig().await;
    let request = reqwest::Client::new().post(rig.url("/v1/traces")).header(CONTENT_TYPE, PROTOBUF);
    let call = tokio::spawn(request.body(traces(vec![ai_span()]).encode_to_vec()).send());
    let mut submission = rig.submissions.recv().await.unwrap();
    call.abort();
    submission.answer.closed().await;
    assert_eq!(submission.batch.records.len(), 1);
    assert!(rig.pool.used() > 0);
    until("it is counted", || rig.metrics.requests(Some(Signal::Traces), Outcome::Gone) == 1).await;
}

/// Scenario: a web page whose name leads to this machine's loopback address reads and sends. Guarantee: it is answered by nothing but a refusal, and
/// nothing of it is promoted; a program of this machine that calls it by a name of its own is served.
#[tokio::test]
async fn a_page_that_another_name_led_here_is_refused() {
    let mut rig = rig().await;
    rig.answering(Ok(RECEIPT));
    let url = format!("http://{}/v1/traces", rig.receiver.http_address().unwrap());
    let client = reqwest::Client::new();
    let send = async |host: &str, origin: bool| {
        let request = client.post(&url).header("host", host).header("content-type", "application/json").body("{}");
        let request = if origin { request.header("origin", format!("http://{host}")) } else { request };
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(client.get(&url).header("host", "evil.example").send().await.unwrap().status(), 421);
    assert_eq!((send("evil.example", true).await, rig.metrics.requests(None, Outcome::Unsupported)), (421, 2));
    assert_eq!([send("localhost", true).await, send("spanseal.internal", false).await], [200, 200]);
}
