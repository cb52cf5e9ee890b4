//! The same fault over both transports: what is refused for good over one must not be kept over the other, and what may be sent again over
//! one must not be dropped over the other (OTLP specification, "Failures").

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;

use super::grpc::{framed, raw};
use super::http::{JSON, PROTOBUF, gzip, post};
use super::*;

const SERVICE: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

#[derive(Clone, Copy, Debug)]
enum Fault {
    Malformed,
    CutShort,
    UnknownCompression,
    TooLarge,
    TooLargeInflated,
    BecomesTooMuch,
    NoSuchPath,
    NoToken,
    PoolFull,
    NoRoomNow,
    NotSealed,
    WriterGone,
    Draining,
    Panic,
}

/// What meets it over each transport: a gRPC code, an HTTP status, and after how many seconds to come again.
const TABLE: [(Fault, i32, u16, Option<u64>); 14] = [
    (Fault::Malformed, 3, 400, None),
    (Fault::CutShort, 3, 400, None),
    (Fault::UnknownCompression, 12, 415, None),
    (Fault::TooLarge, 3, 413, None),
    (Fault::TooLargeInflated, 3, 413, None),
    (Fault::BecomesTooMuch, 3, 413, None),
    (Fault::NoSuchPath, 12, 404, None),
    (Fault::NoToken, 16, 401, None),
    (Fault::PoolFull, 8, 429, Some(2)),
    (Fault::NoRoomNow, 8, 429, Some(2)),
    (Fault::NotSealed, 14, 503, Some(3)),
    (Fault::WriterGone, 14, 503, Some(5)),
    (Fault::Draining, 14, 503, Some(5)),
    (Fault::Panic, 14, 503, Some(60)),
];

/// A receiver that meets requests so, as long as what comes with it is kept.
async fn facing(fault: Fault) -> (Rig, Option<Permit>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, "name:token").unwrap();
    let endpoint = Endpoint { token_file: matches!(fault, Fault::NoToken).then_some(tokens), ..plain() };
    let mut rig = rig_with(endpoint, Pool::new(4 * LIMIT as u64, Duration::from_millis(20))).await;
    let mut held = None;
    match fault {
        Fault::PoolFull => held = Some(rig.pool.admit(4 * LIMIT).await.unwrap()),
        Fault::NoRoomNow => {
            rig.fake.line_bytes.store(2 * LIMIT, Ordering::Relaxed);
            let other = rig.pool.admit(1).await.unwrap();
            held = Some(rig.pool.admit_records(&other, 3 * LIMIT).await.unwrap());
        }
        Fault::BecomesTooMuch => rig.fake.line_bytes.store(5 * LIMIT, Ordering::Relaxed),
        Fault::NotSealed => rig.answering(Err(not_sealed())),
        Fault::WriterGone => rig.submissions.close(),
        Fault::Draining => rig.receiver.refuse().await,
        Fault::Panic => rig.fake.breaks.store(true, Ordering::Relaxed),
        _ => {}
    }
    (rig, held, folder)
}

/// Body and compression of what meets it.
fn sent(fault: Fault, encode: impl Fn(&ExportTraceServiceRequest) -> Vec<u8>) -> (Vec<u8>, &'static str) {
    let usual = encode(&traces(vec![ai_span()]));
    match fault {
        Fault::Malformed => (vec![0xff; 4], ""),
        Fault::CutShort => {
            let mut body = gzip(&usual);
            body.truncate(body.len() / 2);
            (body, "gzip")
        }
        Fault::UnknownCompression => (usual, "snappy"),
        Fault::TooLarge => (encode(&padded(LIMIT)), ""),
        Fault::TooLargeInflated => (gzip(&encode(&padded(LIMIT))), "gzip"),
        _ => (usual, ""),
    }
}

/// Scenario: each fault, met over OTLP/gRPC and over OTLP/HTTP in both encodings. Guarantee: its row of the table, and so what may be sent again is
/// retryable to clients of each transport (429, 502, 503 and 504 with `Retry-After`; UNAVAILABLE, or RESOURCE_EXHAUSTED with RetryInfo), and
/// what is refused for good is to none; the status in the HTTP body is that of gRPC.
#[tokio::test]
async fn a_fault_means_the_same_over_both_transports() {
    for (fault, code, status, delay) in TABLE {
        let (rig, _held, _folder) = facing(fault).await;
        let (message, coding) = sent(fault, Message::encode_to_vec);
        let compressed: &[(&str, &str)] = if coding.is_empty() { &[] } else { &[("grpc-encoding", coding)] };
        let path = if matches!(fault, Fault::NoSuchPath) { "/opentelemetry.proto.collector.trace.v2.TraceService/Export" } else { SERVICE };
        let (_, headers) = raw(&rig, path, compressed, framed(u8::from(!coding.is_empty()), &message)).await;
        assert_eq!(headers["grpc-status"].to_str().unwrap(), code.to_string(), "{fault:?} over gRPC");
        let details = headers.get("grpc-status-details-bin").map(|text| BASE64_STANDARD_NO_PAD.decode(text.as_bytes()).unwrap());
        let after = details.map(|details| google_status(&details)).and_then(|(_, _, delay)| delay);
        // Whole seconds alone are compared, and HTTP rounds them up.
        assert!(after == delay || after.map(|after| after + 1) == delay, "{fault:?} over gRPC: {after:?}");
        for media_type in [PROTOBUF, JSON] {
            let json = |request: &ExportTraceServiceRequest| serde_json::to_vec(request).unwrap();
            let (body, coding) = if media_type == JSON { sent(fault, json) } else { (message.clone(), coding) };
            let path = if matches!(fault, Fault::NoSuchPath) { "/v2/traces" } else { "/v1/traces" };
            let reply = post(&rig, path, media_type, coding, body).await;
            let after = delay.map_or(String::new(), |delay| delay.to_string());
            assert_eq!((reply.status, reply.header("retry-after")), (status, after.as_str()), "{fault:?} {media_type}");
            let stated = match media_type {
                JSON => i32::try_from(serde_json::from_slice::<serde_json::Value>(&reply.body).unwrap()["code"].as_i64().unwrap()).unwrap(),
                _ => google_status(&reply.body).0,
            };
            assert_eq!((reply.header("content-type"), stated), (media_type, code), "{fault:?} {media_type}");
        }
    }
}
