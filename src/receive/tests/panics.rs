//! Our own code panics over a request.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use tonic::Code;
use tonic::codec::CompressionEncoding;

use super::http::{PROTOBUF, gzip, post};
use super::*;
use crate::elsewhere::{Elsewhere, From, Options as Places, Place};
use crate::otlp::answer::Signal;
use crate::promote::REFERENCE_MARK;
use crate::receive::export::INLINE_BYTES_MAX;
use crate::worm::s3::S3Options;

/// Sends it over both transports, as it is and compressed, and expects of every answer that its sender keeps what it sent.
async fn refused(rig: &Rig, client: &mut TraceServiceClient<Channel>, request: &ExportTraceServiceRequest, compressed: bool) {
    let answer = match compressed {
        true => client.clone().send_compressed(CompressionEncoding::Gzip).export(request.clone()).await,
        false => client.export(request.clone()).await,
    };
    let status = answer.unwrap_err();
    assert_eq!((status.code(), google_status(status.details()).2), (Code::Unavailable, Some(60)), "{status:?}");
    let body = request.encode_to_vec();
    let (coding, body) = if compressed { ("gzip", gzip(&body)) } else { ("", body) };
    let reply = post(rig, "/v1/traces", PROTOBUF, coding, body).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, "60"));
}

/// Scenario: a panic in the promotion of a small and of a large request, and in their decompression, on the async thread and on another.
/// Guarantee: wherever it runs, the answer is one that its sender keeps its data for; nothing of the request is left behind, and the same
/// connection serves the next. The log has one line of each, and nothing of what the panic quoted.
#[tokio::test]
async fn a_panic_is_a_refusal_that_may_be_sent_again_wherever_it_runs() {
    let (said, _guard) = secure::log();
    let mut rig = rig().await;
    let mut client = rig.client().await;
    let (small, large) = (traces(vec![ai_span()]), padded(INLINE_BYTES_MAX));
    rig.fake.breaks.store(true, Ordering::Relaxed);
    for request in [&small, &large] {
        refused(&rig, &mut client, request, false).await;
    }
    let of_promotion = String::from_utf8(said.lock().unwrap().clone()).unwrap();
    rig.fake.breaks.store(false, Ordering::Relaxed);
    let held = Arc::clone(&rig.receiver.intake.inflater.held);
    held.breaks.store(true, Ordering::Relaxed);
    // What does not compress leaves the async thread.
    let noise: String = (0_u64..100_000).map(|i| char::from(b'!' + u8::try_from((i * i / 251 + i * 7) % 64).unwrap())).collect();
    let noise = traces(vec![Span { attributes: vec![text("gen_ai.pad", &noise)], ..ai_span() }]);
    assert!(gzip(&noise.encode_to_vec()).len() > INLINE_BYTES_MAX / 16);
    for request in [&small, &large, &noise] {
        refused(&rig, &mut client, request, true).await;
    }
    held.breaks.store(false, Ordering::Relaxed);
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::Internal), 10);
    let idle = std::thread::available_parallelism().unwrap().get();
    assert_eq!((rig.pool.used(), rig.metrics.in_flight(), held.now(), rig.receiver.intake.inflater.idle()), (0, 0, 0, idle));
    assert_eq!((rig.counters.take().spans, rig.metrics.promoted(Signal::Traces)), (0, 0));
    assert!(rig.submissions.try_recv().is_err());
    rig.answering(Ok(RECEIPT));
    for request in [small.clone(), large] {
        client.export(request).await.unwrap();
    }
    // What the other threads say is not heard here.
    let lines: Vec<&str> = of_promotion.lines().filter(|line| line.contains("request.panicked")).collect();
    let begins = format!("request.panicked step=\"promotion\" signal=\"traces\" bytes={} advice=", small.encoded_len());
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains("ERROR") && line.contains(&begins)), "{of_promotion}");
    assert!(!String::from_utf8(said.lock().unwrap().clone()).unwrap().contains("hush"));
}

/// Panics while it looks for references.
#[derive(Debug)]
struct Broken;

impl Promote for Broken {
    fn traces(&self, _: &[u8], _: Context<'_>, _: &mut Batch) -> Result<Tally, Unpromoted> {
        Ok(Tally::default())
    }

    fn logs(&self, _: &[u8], _: Context<'_>, _: &mut Batch) -> Result<Tally, Unpromoted> {
        Ok(Tally::default())
    }

    fn references<'r>(&self, _: &'r [u8], _: Signal) -> Result<std::collections::HashSet<&'r str>, Malformed> {
        panic!("quoted hush")
    }
}

/// The same where a request is searched for what it names by reference.
#[tokio::test]
async fn a_panic_over_references_is_one_too() {
    let folder = tempfile::tempdir().unwrap();
    let from = vec![From { place: Place::parse(&format!("file://{}/", folder.path().display())).unwrap(), ca_file: None }];
    let places = Places { from, bytes_max: 1_000, timeout: Duration::from_secs(5), parallel: 1 };
    let elsewhere = Arc::new(Elsewhere::open(&places, &S3Options::default()).await.unwrap());
    let rig = rig_of(Arc::new(Broken), Some(elsewhere)).await;
    let mut client = rig.client().await;
    let named = |bytes: usize| {
        let mark = String::from_utf8(REFERENCE_MARK.to_vec()).unwrap();
        traces(vec![Span { attributes: vec![text(&format!("gen_ai.input.messages{mark}"), &"x".repeat(bytes))], ..ai_span() }])
    };
    for request in [named(1), named(INLINE_BYTES_MAX)] {
        refused(&rig, &mut client, &request, false).await;
    }
    assert_eq!((rig.pool.used(), rig.metrics.requests(Some(Signal::Traces), Outcome::Internal)), (0, 4));
}
