use ::http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::slow::until;
use super::*;
use crate::otlp::answer::Signal;
use crate::receive::export::INLINE_BYTES_MAX;

/// A gRPC request byte by byte -> status and headers (those of an error stand in the headers).
pub(super) async fn raw(rig: &Rig, path: &str, headers: &[(&'static str, &'static str)], body: Vec<u8>) -> (u16, HeaderMap) {
    let stream = tokio::net::TcpStream::connect(rig.receiver.grpc_address().unwrap()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::post(format!("http://h{path}")).body(Full::new(bytes::Bytes::from(body))).unwrap();
    for (name, value) in [(header::CONTENT_TYPE.as_str(), "application/grpc"), ("te", "trailers")].iter().chain(headers) {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let _ = body.collect().await;
    (parts.status.as_u16(), parts.headers)
}

pub(super) fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let mut out = vec![flag];
    out.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    out.extend_from_slice(message);
    out
}

fn code(headers: &HeaderMap) -> &str {
    headers["grpc-status"].to_str().unwrap()
}

#[tokio::test]
async fn a_receipt_stands_in_the_metadata() {
    let mut rig = rig().await;
    rig.answering(Ok(RECEIPT));
    let response = rig.client().await.export(traces(vec![ai_span(), plain_span(), ai_span()])).await.unwrap();
    let metadata = response.metadata();
    assert_eq!(metadata.get("spanseal-log").unwrap(), "spanseal.local/test");
    assert_eq!(metadata.get("spanseal-seal").unwrap(), "42");
    assert_eq!(metadata.get("spanseal-promoted").unwrap(), "2");
    assert_eq!(metadata.get("spanseal-root").unwrap(), "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=");
    assert_eq!(response.into_inner().partial_success, None);
    let seen = rig.fake.seen.lock().unwrap()[0].clone();
    assert_eq!((seen.peer, seen.received), (None, UnixNanos(77)));
    let counts = rig.counters.take();
    assert_eq!((counts.spans, counts.skipped), (3, 1));
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::Accepted), 1);
    assert_eq!((rig.metrics.items(Signal::Traces), rig.metrics.promoted(Signal::Traces)), (3, 2));
    assert_eq!((rig.pool.used(), rig.metrics.in_flight()), (0, 0));
}

/// Nothing to seal: answered although nobody reads the sealer's channel, on the thread that read it.
#[tokio::test]
async fn without_ai_spans_the_answer_comes_at_once_and_names_no_seal() {
    let rig = rig().await;
    let response = rig.client().await.export(traces(vec![plain_span(); 50])).await.unwrap();
    assert_eq!(response.metadata().get("spanseal-promoted").unwrap(), "0");
    assert_eq!(response.metadata().get("spanseal-log").unwrap(), "spanseal.local/test");
    assert!(response.metadata().get("spanseal-seal").is_none() && response.metadata().get("spanseal-root").is_none());
    assert_eq!(rig.fake.seen.lock().unwrap()[0].thread, std::thread::current().id());
    assert_eq!(rig.metrics.skipped(crate::promote::Skip::NoAiMeaning), 50);
}

#[tokio::test]
async fn only_a_large_body_leaves_the_async_thread() {
    let mut rig = rig().await;
    rig.answering(Ok(RECEIPT));
    let mut client = rig.client().await;
    client.export(padded(INLINE_BYTES_MAX - 100)).await.unwrap();
    client.export(padded(INLINE_BYTES_MAX)).await.unwrap();
    let seen = rig.fake.seen.lock().unwrap().clone();
    assert_eq!(seen[0].thread, std::thread::current().id());
    assert_ne!(seen[1].thread, std::thread::current().id());
}

#[tokio::test]
async fn malformed_spans_are_a_partial_success() {
    let mut rig = rig().await;
    rig.answering(Ok(RECEIPT));
    let bad = Span { trace_id: vec![1; 3], ..ai_span() };
    let response = rig.client().await.export(traces(vec![ai_span(), bad.clone(), bad.clone()])).await.unwrap();
    assert_eq!(response.metadata().get("spanseal-promoted").unwrap(), "1");
    let partial = response.into_inner().partial_success.unwrap();
    assert_eq!((partial.rejected_spans, partial.error_message.as_str()), (2, "a trace id has not 16 bytes"));
    let response = rig.client().await.export(traces(vec![bad])).await.unwrap();
    assert!(response.metadata().get("spanseal-seal").is_none());
    assert_eq!(response.into_inner().partial_success.unwrap().rejected_spans, 1);
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::Partial), 2);
}

/// The warnings of OTLP/HTTP, over gRPC: accepted, nothing rejected, and said.
#[tokio::test]
async fn odd_ids_and_wrong_services_are_a_warning() {
    let mut rig = rig().await;
    rig.answering(Ok(RECEIPT));
    let odd = Span { span_id: vec![1; 3], ..ai_span() };
    let response = rig.client().await.export(traces(vec![ai_span(), odd])).await.unwrap();
    assert_eq!(response.metadata().get("spanseal-promoted").unwrap(), "2");
    assert_eq!(response.metadata().get("spanseal-seal").unwrap(), "42");
    let partial = response.into_inner().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 0);
    assert!(partial.error_message.starts_with("1 span has an id of wrong length"), "{}", partial.error_message);
    let spans = traces(vec![Span { start_time_unix_nano: 5, ..ai_span() }]).encode_to_vec();
    let wrong = ExportLogsServiceRequest::decode(&*spans);
    assert!(wrong.is_err(), "the official decoder cannot send it: {wrong:?}");
    let path = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    let (http, headers) = raw(&rig, path, &[], framed(0, &spans)).await;
    assert_eq!((http, headers["spanseal-promoted"].to_str().unwrap()), (200, "0"));
    assert_eq!(rig.metrics.requests(Some(Signal::Logs), Outcome::Warned), 1);
}

#[tokio::test]
async fn logs_and_metrics_have_their_services() {
    let mut rig = rig().await;
    rig.answering(Ok(RECEIPT));
    let address = format!("http://{}", rig.receiver.grpc_address().unwrap());
    let log = LogRecord { event_name: "gen_ai.choice".to_owned(), ..Default::default() };
    let response = LogsServiceClient::connect(address.clone()).await.unwrap().export(logs(vec![log, LogRecord::default()])).await.unwrap();
    assert_eq!(response.metadata().get("spanseal-promoted").unwrap(), "1");
    let response = MetricsServiceClient::connect(address).await.unwrap().export(ExportMetricsServiceRequest::default()).await.unwrap();
    assert_eq!(response.metadata().get("spanseal-promoted").unwrap(), "0");
    assert_eq!(rig.metrics.requests(Some(Signal::Metrics), Outcome::Accepted), 1);
}

#[tokio::test]
async fn compressed_requests_are_read() {
    let mut rig = rig().await;
    rig.answering(Ok(RECEIPT));
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let response = rig.client().await.send_compressed(encoding).export(padded(100_000)).await.unwrap();
        assert_eq!(response.metadata().get("spanseal-promoted").unwrap(), "1");
    }
    assert!(rig.metrics.bytes(Signal::Traces) > 200_000);
    assert_eq!(rig.pool.used(), 0);
}

fn assert_final(status: &Status, code: Code) {
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.details().is_empty(), "{status:?}");
}

#[tokio::test]
async fn what_is_too_large_is_refused_for_good_plain_or_compressed() {
    let rig = rig().await;
    assert_final(&rig.client().await.export(padded(LIMIT + 1)).await.unwrap_err(), Code::InvalidArgument);
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let bomb = rig.client().await.send_compressed(encoding).export(padded(50 * LIMIT)).await.unwrap_err();
        assert_final(&bomb, Code::InvalidArgument);
    }
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::TooLarge), 3);
    assert!(rig.fake.seen.lock().unwrap().is_empty());
    assert_eq!(rig.pool.used(), 0);
}

#[tokio::test]
async fn what_is_no_request_is_invalid() {
    let rig = rig().await;
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    // Not protobuf; compressed bytes that are none; a frame that breaks off; no message at all.
    for (headers, body) in [
        (&[][..], framed(0, b"\xff\xff\xff")),
        (&[("grpc-encoding", "gzip")][..], framed(1, b"not gzip")),
        // Compressed, and nobody said how; a flag that is none.
        (&[][..], framed(1, b"not gzip")),
        (&[("grpc-encoding", "gzip")][..], framed(2, b"")),
        // Three bytes that ask for a window of 128 MiB.
        (&[("grpc-encoding", "zstd")][..], framed(1, b"\x28\xb5\x2f\xfd\x00\x88\x19\x00\x00abc")),
        (&[("grpc-encoding", "zstd")][..], framed(1, b"cut off")[..9].to_vec()),
        (&[][..], framed(0, b"0123456789")[..9].to_vec()),
        (&[][..], Vec::new()),
    ] {
        let (http, headers) = raw(&rig, path, headers, body.clone()).await;
        assert_eq!((http, code(&headers)), (200, "3"), "{body:?}");
        assert!(headers.get("grpc-status-details-bin").is_none());
    }
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::Malformed), 8);
    assert_eq!(rig.pool.used(), 0);
}

#[tokio::test]
async fn what_is_not_served_is_named_so() {
    let rig = rig().await;
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let (http, headers) = raw(&rig, path, &[("grpc-encoding", "snappy")], framed(1, b"")).await;
    assert_eq!((http, code(&headers)), (200, "12"));
    assert_eq!(headers["grpc-accept-encoding"], "gzip,zstd,identity");
    for path in ["/opentelemetry.proto.collector.trace.v1.TraceService/Import", "/", "/v1/traces"] {
        let (http, headers) = raw(&rig, path, &[], framed(0, b"")).await;
        assert_eq!((http, code(&headers)), (200, "12"), "{path}");
    }
    // gRPC in JSON and gRPC-Web are no protobuf.
    for media_type in ["text/plain", "application/grpc+json", "application/grpc-web", "application/grpc-web+proto", "application/grpcx"] {
        let (http, headers) = raw(&rig, path, &[("content-type", media_type)], framed(0, b"")).await;
        assert_eq!((http, headers.get("grpc-status")), (415, None), "{media_type}");
    }
    assert_eq!(rig.metrics.requests(None, Outcome::Unsupported), 8);
    for media_type in ["application/grpc+proto", "application/grpc; charset=utf-8", "Application/GRPC"] {
        let (http, headers) = raw(&rig, path, &[("content-type", media_type)], framed(0, b"")).await;
        assert_eq!((http, headers["spanseal-promoted"].to_str().unwrap()), (200, "0"), "{media_type}");
    }
}

/// Scenario: OTLP/HTTP comes to this port, in both encodings and both versions of HTTP: a digit of the port is mistyped. Guarantee: the
/// answer is one that its sender keeps its data for, and it says what to write.
#[tokio::test]
async fn otlp_http_at_this_port_is_kept_by_its_sender() {
    let rig = rig().await;
    for media_type in ["application/x-protobuf", "application/json"] {
        let (http, headers) = raw(&rig, "/v1/traces", &[("content-type", media_type)], traces(vec![ai_span()]).encode_to_vec()).await;
        assert_eq!((http, headers["retry-after"].to_str().unwrap(), headers.get("grpc-status")), (503, "30", None), "{media_type}");
        let url = format!("http://{}/v1/logs", rig.receiver.grpc_address().unwrap());
        let request = reqwest::Client::new().post(url).header(header::CONTENT_TYPE.as_str(), media_type).body("{}");
        let response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "30"), "{media_type}");
        let body = String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned();
        assert!(body.contains("this port speaks OTLP/gRPC") && body.contains("4318"), "{body}");
    }
    // Whatever its content type, at a path of OTLP/HTTP; and at whatever path, by its content type.
    for (path, media_type) in [("/v1/metrics", "text/plain"), ("/otlp/v1/metrics", "application/x-protobuf")] {
        assert_eq!(raw(&rig, path, &[("content-type", media_type)], Vec::new()).await.0, 503, "{path}");
    }
    assert_eq!(rig.metrics.requests(None, Outcome::Unsupported), 6);
}

#[tokio::test]
async fn what_was_not_sealed_is_asked_for_again() {
    let mut rig = rig().await;
    rig.answering(Err(not_sealed()));
    let status = rig.client().await.export(traces(vec![ai_span()])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let (code, message, delay) = google_status(status.details());
    assert_eq!((code, delay), (14, Some(2)));
    assert!(message == status.message() && !message.contains("secret-name"));
    assert_eq!((rig.metrics.promoted(Signal::Traces), rig.metrics.requests(Some(Signal::Traces), Outcome::NotSealed)), (0, 1));
}

#[tokio::test]
async fn a_stopped_writer_is_unavailable() {
    let mut rig = rig().await;
    // The other end of the channel goes.
    rig.submissions.close();
    let status = rig.client().await.export(traces(vec![ai_span()])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(google_status(status.details()).2, Some(5));
}

#[tokio::test]
async fn a_full_pool_holds_back_then_refuses_with_a_delay() {
    let mut rig = rig_with(plain(), Pool::new(1_000, Duration::from_millis(20))).await;
    rig.answering(Ok(RECEIPT));
    let all = rig.pool.admit(1_000).await.unwrap();
    let mut client = rig.client().await;
    let status = client.export(traces(vec![ai_span()])).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(google_status(status.details()).2, Some(2));
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::Full), 1);
    assert!(rig.fake.seen.lock().unwrap().is_empty());
    drop(all);
    // Larger than the whole pool: it takes all of it.
    client.export(padded(5_000)).await.unwrap();
    assert_eq!(rig.pool.used(), 0);
}

#[tokio::test]
async fn a_request_waits_for_the_pool_and_goes_on() {
    let mut rig = rig_with(plain(), Pool::new(1_000, Duration::from_secs(3_600))).await;
    rig.answering(Ok(RECEIPT));
    let all = rig.pool.admit(1_000).await.unwrap();
    let mut client = rig.client().await;
    let waiting = tokio::spawn(async move { client.export(traces(vec![ai_span()])).await });
    while rig.metrics.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    drop(all);
    waiting.await.unwrap().unwrap();
}

/// While records wait for their seal, the request holds the pool for them, not for the spans that were skipped.
#[tokio::test]
async fn a_pending_request_holds_what_its_records_weigh() {
    let mut rig = rig().await;
    let mut client = rig.client().await;
    let mut spans = vec![plain_span(); 1_000];
    spans.push(ai_span());
    let call = tokio::spawn(async move { client.export(traces(spans)).await });
    let submission = rig.submissions.recv().await.unwrap();
    assert!(rig.pool.used() > 0 && rig.pool.used() < 1_000, "{}", rig.pool.used());
    assert_eq!(submission.batch.records.len(), 1);
    submission.answer.send(Ok(RECEIPT)).unwrap();
    drop(submission.permit);
    call.await.unwrap().unwrap();
    assert_eq!(rig.pool.used(), 0);
}

#[tokio::test]
async fn hanging_up_does_not_take_records_back() {
    let mut rig = rig().await;
    let mut client = rig.client().await;
    let call = tokio::spawn(async move { client.export(traces(vec![ai_span()])).await });
    let mut submission = rig.submissions.recv().await.unwrap();
    call.abort();
    // The receiver notices: nobody waits for the answer any more. The batch and its share are still the sealer's.
    submission.answer.closed().await;
    assert_eq!(submission.batch.records.len(), 1);
    assert!(rig.pool.used() > 0);
    assert_eq!(rig.counters.take().spans, 1);
    until("it is counted", || rig.metrics.requests(Some(Signal::Traces), Outcome::Gone) == 1).await;
}

/// Scenario: the way to the writer is full, and a caller goes while it waits for its turn. Guarantee: what it sent is neither counted nor
/// handed over.
#[tokio::test]
async fn who_leaves_before_the_hand_over_is_not_counted() {
    let mut rig = rig().await;
    let client = rig.client().await;
    let call = || {
        let mut client = client.clone();
        tokio::spawn(async move { client.export(traces(vec![ai_span()])).await })
    };
    let mut waiting: Vec<_> = (0..64).map(|_| call()).collect();
    while rig.submissions.len() < 64 {
        tokio::task::yield_now().await;
    }
    waiting.push(call());
    while rig.fake.seen.lock().unwrap().len() < 65 {
        tokio::task::yield_now().await;
    }
    waiting.pop().unwrap().abort();
    while rig.metrics.in_flight() > 64 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::Gone), 1);
    assert_eq!((rig.counters.take().spans, rig.metrics.items(Signal::Traces)), (64, 64));
    rig.answering(Ok(RECEIPT));
    for call in waiting {
        call.await.unwrap().unwrap();
    }
    assert_eq!(rig.pool.used(), 0);
}

#[tokio::test]
async fn health_is_told_and_changes() {
    let rig = rig().await;
    let mut client = HealthClient::new(rig.channel().await);
    let ask = |service: &str| HealthCheckRequest { service: service.to_owned() };
    let services = ["", "opentelemetry.proto.collector.trace.v1.TraceService", "opentelemetry.proto.collector.metrics.v1.MetricsService"];
    for service in services {
        assert_eq!(client.check(ask(service)).await.unwrap().into_inner().status, 1, "{service}");
    }
    assert_eq!(client.check(ask("no.such")).await.unwrap_err().code(), Code::NotFound);
    let mut watch = client.watch(ask("")).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1);
    rig.receiver.refuse().await;
    for service in services {
        assert_eq!(client.check(ask(service)).await.unwrap().into_inner().status, 2, "{service}");
    }
    assert_eq!(watch.message().await.unwrap().unwrap().status, 2);
    assert!(watch.message().await.unwrap().is_none());
    // The port is still open, but takes nothing.
    let status = rig.client().await.export(traces(vec![plain_span()])).await.unwrap_err();
    assert_eq!((status.code(), google_status(status.details()).2), (Code::Unavailable, Some(5)));
}
