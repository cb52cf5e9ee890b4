//! Small bodies that become large, over both transports. What they hold is counted where it is made (`inflate`).

use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};

use super::http::{PROTOBUF, gzip, post, zstd};
use super::slow::{is_served, until};
use super::*;
use crate::otlp::answer::Signal;

const GRPC: [CompressionEncoding; 2] = [CompressionEncoding::Gzip, CompressionEncoding::Zstd];

/// Sends the body in all four ways, `each` times at once. Answers with the statuses: of HTTP with `retry-after`, and of gRPC.
async fn all_at_once(rig: &Rig, body: &ExportTraceServiceRequest, each: usize) -> (Vec<(u16, String)>, Vec<Result<(), Status>>) {
    let plain = body.encode_to_vec();
    let codings = [("gzip", gzip(&plain)), ("zstd", zstd(&plain))];
    let http = codings.iter().cycle().take(2 * each).map(async |(coding, sent)| {
        let reply = post(rig, "/v1/traces", PROTOBUF, coding, sent.clone()).await;
        (reply.status, reply.header("retry-after").to_owned())
    });
    let client = rig.client().await;
    let grpc = GRPC.iter().cycle().take(2 * each).map(|encoding| {
        let mut client = client.clone().send_compressed(*encoding);
        async move { client.export(body.clone()).await.map(drop) }
    });
    tokio::join!(futures::future::join_all(http), futures::future::join_all(grpc))
}

fn held_peak(rig: &Rig) -> u64 {
    u64::try_from(rig.receiver.intake.inflater.held.peak()).unwrap()
}

/// Scenario: 80 bodies of a KB or two that each become a quarter of the pool, at once. Guarantee: what is made of them stays within the
/// pool, all of them get their receipts, and so does who sends something ordinary meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_stay_within_the_pool_and_keep_nobody_out() {
    let pool = Pool::new(4 * u64::try_from(LIMIT).unwrap(), Duration::from_secs(60));
    let mut rig = rig_with(plain(), pool).await;
    rig.answering(Ok(RECEIPT));
    let body = padded(LIMIT - 1_000);
    let ((http, grpc), ()) = tokio::join!(all_at_once(&rig, &body, 20), is_served(&rig));
    assert!(http.iter().all(|(status, _)| *status == 200) && grpc.iter().all(Result::is_ok), "{http:?} {grpc:?}");
    assert!(held_peak(&rig) >= u64::try_from(LIMIT).unwrap() && held_peak(&rig) <= rig.pool.capacity(), "{}", held_peak(&rig));
    until("nothing is held", || rig.pool.used() == 0).await;
    assert_eq!(rig.receiver.intake.inflater.held.now(), 0);
}

/// Scenario: the same with bodies that become far more than a request may. Guarantee: refused for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_beyond_the_limit_are_refused_for_good() {
    let pool = Pool::new(4 * u64::try_from(LIMIT).unwrap(), Duration::from_secs(60));
    let rig = rig_with(plain(), pool).await;
    let (http, grpc) = all_at_once(&rig, &padded(20 * LIMIT), 10).await;
    assert!(http.iter().all(|reply| *reply == (413, String::new())), "{http:?}");
    for status in grpc {
        let status = status.unwrap_err();
        assert_eq!((status.code(), status.details()), (Code::InvalidArgument, &b""[..]), "{status:?}");
    }
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::TooLarge), 40);
    assert!(held_peak(&rig) <= rig.pool.capacity() && rig.fake.seen.lock().unwrap().is_empty());
    until("nothing is held", || rig.pool.used() == 0).await;
}

/// Scenario: others hold the pool. Guarantee: a body that becomes more than is free is refused for now, with a delay.
#[tokio::test]
async fn what_cannot_be_paid_for_is_asked_for_again() {
    let pool = Pool::new(2 * u64::try_from(LIMIT).unwrap(), Duration::from_millis(20));
    let rig = rig_with(plain(), pool).await;
    let _others = rig.pool.admit(2 * LIMIT - 200_000).await.unwrap();
    let (http, grpc) = all_at_once(&rig, &padded(LIMIT - 1_000), 1).await;
    assert!(http.iter().all(|reply| *reply == (429, "2".to_owned())), "{http:?}");
    for status in grpc {
        let status = status.unwrap_err();
        assert_eq!((status.code(), google_status(status.details()).2), (Code::ResourceExhausted, Some(2)), "{status:?}");
    }
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::Full), 4);
}

/// Scenario: senders go away while their bodies wait for the one thread that could decompress them. Guarantee: their shares come back after
/// the work, not before.
#[test]
fn hanging_up_frees_nothing_that_is_in_use() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let rig = rig().await;
        let body = padded(LIMIT - 1_000);
        for over_grpc in [false, true] {
            let (release, held_up) = std::sync::mpsc::channel::<()>();
            let busy = tokio::task::spawn_blocking(move || held_up.recv());
            let idle = rig.receiver.intake.inflater.idle();
            let (url, client, body) = (rig.url("/v1/traces"), rig.client().await, body.clone());
            let call = tokio::spawn(async move {
                if over_grpc {
                    let _ = client.send_compressed(CompressionEncoding::Zstd).export(body).await;
                } else {
                    let request = reqwest::Client::new().post(url).header("content-type", PROTOBUF).header("content-encoding", "zstd");
                    let _ = request.body(zstd(&body.encode_to_vec())).send().await;
                }
            });
            until("the work is handed over", || rig.receiver.intake.inflater.idle() < idle).await;
            call.abort();
            until("the request is gone", || rig.metrics.in_flight() == 0).await;
            assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::Gone), if over_grpc { 2 } else { 1 });
            assert!(rig.pool.used() > 0);
            release.send(()).unwrap();
            busy.await.unwrap().unwrap();
            until("the share is back", || rig.pool.used() == 0).await;
            assert_eq!((rig.receiver.intake.inflater.idle(), rig.receiver.intake.inflater.held.now()), (idle, 0));
        }
        assert!(rig.fake.seen.lock().unwrap().is_empty());
    });
}
