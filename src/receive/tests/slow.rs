//! Senders that are slow, silent or deaf, over sockets of the tests' own. Timeouts are short here and only what comes of them is looked
//! at, never how long it took.

use std::net::SocketAddr;

use http_body_util::StreamBody;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::*;
use crate::otlp::answer::Signal;

/// What a test waits for at most, on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// A timeout under test: short, and long enough for a good sender on a machine that stumbles.
const SOON: Duration = Duration::from_secs(1);
/// Beyond every test.
const NEVER: Duration = Duration::from_secs(3_600);

/// No timeout ends anything before the test is over, but those that it sets.
fn patient() -> Timeouts {
    Timeouts {
        handshake: NEVER,
        first_bytes: NEVER,
        head: NEVER,
        body: NEVER,
        announced: NEVER,
        discard: SOON,
        write: NEVER,
        ping_after: NEVER,
        ping_answer: NEVER,
    }
}

async fn slow_rig(timeouts: Timeouts) -> Rig {
    rig_within(plain(), Pool::new(64 * 1024 * 1024, Duration::from_secs(5)), timeouts).await
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it never came to an end")
}

pub(super) async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Sends the same byte now and then, for as long as anybody listens, and answers with what came back until the connection ended.
async fn drip(mut stream: TcpStream, byte: u8) -> String {
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    let mut heard = Vec::new();
    let dripping = async {
        loop {
            tokio::select! {
                _ = pause.tick() => if stream.write_all(&[byte]).await.is_err() { break },
                read = stream.read_buf(&mut heard) => if !matches!(read, Ok(1..)) { break },
            }
        }
    };
    within(dripping).await;
    String::from_utf8_lossy(&heard).into_owned()
}

/// Reads until the connection ends, in whatever way.
async fn to_the_end(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let reading = async { while matches!(stream.read_buf(&mut heard).await, Ok(1..)) {} };
    within(reading).await;
    String::from_utf8_lossy(&heard).into_owned()
}

async fn connected(address: Option<SocketAddr>, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address.unwrap()).await.unwrap();
    stream.write_all(first).await.unwrap();
    stream
}

fn post_head(length: usize) -> Vec<u8> {
    format!("POST /v1/traces HTTP/1.1\r\nhost: h\r\ncontent-type: application/x-protobuf\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

/// Requests that were ended for a slow body.
fn slow(rig: &Rig) -> u64 {
    rig.metrics.requests(Some(Signal::Traces), Outcome::Slow)
}

/// A client that does everything right, over both transports.
pub(super) async fn is_served(rig: &Rig) {
    let mut client = rig.client().await;
    assert!(within(client.export(traces(vec![ai_span()]))).await.unwrap().metadata().get("spanseal-seal").is_some());
    let request = reqwest::Client::new().post(rig.url("/v1/traces")).header("content-type", "application/x-protobuf");
    let reply = within(request.body(traces(vec![ai_span()]).encode_to_vec()).send()).await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.headers().contains_key("spanseal-seal")), (200, true));
}

/// Scenario: the head of a request, then a byte of its body now and then. Guarantee: 503 with a delay, counted, the share given back; others
/// are served meanwhile.
#[tokio::test]
async fn a_body_that_drips_is_ended() {
    let mut rig = slow_rig(Timeouts { body: Duration::from_secs(2), ..patient() }).await;
    rig.answering(Ok(RECEIPT));
    let dripping = tokio::spawn(drip(connected(rig.receiver.http_address(), &post_head(100_000)).await, b'x'));
    until("the slow request is there", || rig.metrics.in_flight() == 1 || slow(&rig) > 0).await;
    is_served(&rig).await;
    let answer = dripping.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nretry-after: 2\r\n"), "{answer}");
    assert_eq!(slow(&rig), 1);
    until("nothing is left of it", || rig.metrics.in_flight() == 0 && rig.pool.used() == 0).await;
}

/// Scenario: a head that never ends, a byte of it now and then; and a client that pauses between two requests. Guarantee: both connections
/// end, and only the first is counted.
#[tokio::test]
async fn a_head_that_drips_is_ended() {
    let mut rig = slow_rig(Timeouts { head: SOON, ..patient() }).await;
    rig.answering(Ok(RECEIPT));
    let slow = connected(rig.receiver.http_address(), b"POST /v1/traces HTTP/1.1\r\nx-long: ").await;
    let slow = tokio::spawn(drip(slow, b'x'));
    is_served(&rig).await;
    assert_eq!(slow.await.unwrap(), "");
    assert_eq!(rig.metrics.timed_out(Overdue::Head), 1);

    let mut pausing = connected(rig.receiver.http_address(), b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(to_the_end(&mut pausing).await.starts_with("HTTP/1.1 404 "));
    assert_eq!(Overdue::ALL.map(|owed| rig.metrics.timed_out(owed)), [0, 1, 0, 0]);
}

/// Scenario: connections that say nothing, and ones that stop inside the bytes that tell HTTP/1 from HTTP/2 (`P` begins both). Guarantee: they
/// end, on both ports.
#[tokio::test]
async fn a_connection_that_does_not_begin_is_ended() {
    let mut rig = slow_rig(Timeouts { first_bytes: SOON, ..patient() }).await;
    rig.answering(Ok(RECEIPT));
    let mut silent = Vec::new();
    for address in [rig.receiver.http_address(), rig.receiver.grpc_address()] {
        for first in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"] {
            silent.push(connected(address, first).await);
        }
    }
    is_served(&rig).await;
    for mut silent in silent {
        assert_eq!(to_the_end(&mut silent).await, "");
    }
    assert_eq!(rig.metrics.timed_out(Overdue::FirstBytes), 6);
    // Who goes away without a word owes nothing.
    drop(connected(rig.receiver.http_address(), b"").await);
    until("all are gone", || rig.metrics.connections() == 0).await;
    assert_eq!(rig.metrics.timed_out(Overdue::FirstBytes), 6);
}

/// Scenario: a client that sends request after request and never reads an answer. Guarantee: the connection ends, and is counted.
#[tokio::test]
async fn a_client_that_does_not_read_is_ended() {
    let mut rig = slow_rig(Timeouts { write: SOON, ..patient() }).await;
    rig.answering(Ok(RECEIPT));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut deaf = socket.connect(rig.receiver.http_address().unwrap()).await.unwrap();
    let requests = b"GET / HTTP/1.1\r\n\r\n".repeat(1_000);
    within(async { while deaf.write_all(&requests).await.is_ok() {} }).await;
    until("it is counted", || rig.metrics.timed_out(Overdue::Write) == 1).await;
    is_served(&rig).await;
}

/// A body whose frames a test sends, one by one.
type Fed = StreamBody<tokio_stream::wrappers::ReceiverStream<Result<http_body::Frame<bytes::Bytes>, std::convert::Infallible>>>;

struct Stream {
    feed: mpsc::Sender<Result<http_body::Frame<bytes::Bytes>, std::convert::Infallible>>,
    response: tokio::task::JoinHandle<::http::Response<hyper::body::Incoming>>,
}

impl Stream {
    async fn send(&self, bytes: &[u8]) {
        let _ = self.feed.send(Ok(http_body::Frame::data(bytes::Bytes::copy_from_slice(bytes)))).await;
    }

    /// `grpc-status`.
    async fn ended(self) -> String {
        let response = within(self.response).await.unwrap();
        response.headers().get("grpc-status").map_or_else(String::new, |status| status.to_str().unwrap().to_owned())
    }
}

/// Opens gRPC streams on one connection: heads without an end.
async fn streams(rig: &Rig, path: &str, count: usize) -> Vec<Stream> {
    streams_in(rig, path, "identity", count).await
}

async fn streams_in(rig: &Rig, path: &str, coding: &str, count: usize) -> Vec<Stream> {
    let stream = TcpStream::connect(rig.receiver.grpc_address().unwrap()).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Fed>(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut open = Vec::new();
    for _ in 0..count {
        let (feed, frames) = mpsc::channel(16);
        let body = StreamBody::new(tokio_stream::wrappers::ReceiverStream::new(frames));
        let request = ::http::Request::post(format!("http://h{path}")).header("content-type", "application/grpc").header("te", "trailers");
        let response = sender.send_request(request.header("grpc-encoding", coding).body(body).unwrap());
        open.push(Stream { feed, response: tokio::spawn(async move { response.await.unwrap() }) });
    }
    open
}

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Scenario: a gRPC connection that opens streams and sends nothing on them, or half a message, or a message without an end. Guarantee: each
/// is told UNAVAILABLE and counted, and others are served meanwhile.
#[tokio::test]
async fn streams_that_send_nothing_are_ended() {
    let mut rig = slow_rig(Timeouts { body: Duration::from_secs(2), ..patient() }).await;
    rig.answering(Ok(RECEIPT));
    let open = streams(&rig, EXPORT, 30).await;
    let whole = traces(vec![ai_span()]).encode_to_vec();
    let framed = [&[0][..], &u32::try_from(whole.len()).unwrap().to_be_bytes(), &whole].concat();
    for (i, stream) in open.iter().enumerate() {
        stream.send(&framed[..[0, 3, 20, framed.len()][i % 4]]).await;
    }
    until("they are there", || rig.metrics.in_flight() == 30 || slow(&rig) > 0).await;
    is_served(&rig).await;
    for stream in open {
        assert_eq!(stream.ended().await, "14");
    }
    assert_eq!(slow(&rig), 30);
    until("nothing is left of them", || rig.metrics.in_flight() == 0 && rig.pool.used() == 0).await;
}

/// The health service reads a message too, and asks nobody for a token.
#[tokio::test]
async fn a_health_check_that_sends_nothing_is_ended() {
    let rig = slow_rig(Timeouts { body: SOON, ..patient() }).await;
    for method in ["Check", "Watch"] {
        for stream in streams(&rig, &format!("/grpc.health.v1.Health/{method}"), 3).await {
            assert_eq!(stream.ended().await, "14", "{method}");
        }
    }
    assert_eq!(rig.metrics.requests(None, Outcome::Slow), 6);
}

/// Begins HTTP/2 and reads what the other end allows: window of a stream, of the connection, and the largest frame.
async fn windows(address: Option<SocketAddr>) -> (TcpStream, [u32; 3]) {
    let ping = b"\0\0\x08\x06\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let begun = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut stream = connected(address, &[&begun[..], ping].concat()).await;
    let mut pongs = 0;
    let (mut of_stream, mut of_connection, mut frame) = (65_535, 65_535, 16_384);
    // RFC 9113: settings (4) and window updates (8) of the connection, until a second ping is answered (6): what was
    // to be said at the beginning has been said then.
    loop {
        let mut head = [0; 9];
        within(stream.read_exact(&mut head)).await.unwrap();
        let [_, high, low, kind, flags, ..] = head;
        let mut payload = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        within(stream.read_exact(&mut payload)).await.unwrap();
        let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().unwrap());
        match (kind, flags) {
            (6, 1) if pongs == 1 => return (stream, [of_stream, of_connection, frame]),
            (6, 1) => {
                pongs += 1;
                stream.write_all(ping).await.unwrap();
            }
            (4, 0) => {
                for setting in payload.chunks(6) {
                    match setting[1] {
                        4 => of_stream = number(&setting[2..]),
                        5 => frame = number(&setting[2..]),
                        _ => {}
                    }
                }
            }
            (8, _) => of_connection += number(&payload),
            _ => {}
        }
    }
}

/// What connections may make us keep beside the pool: megabytes for a few, what HTTP/2 begins with for all others.
#[tokio::test]
async fn the_windows_of_all_connections_are_bounded() {
    let rig = slow_rig(patient()).await;
    let mut open = Vec::new();
    for count in 1..=66 {
        let (stream, found) = windows(rig.receiver.grpc_address()).await;
        let wide = [1024 * 1024, 4 * 1024 * 1024, 1024 * 1024];
        assert_eq!(found, if count <= 64 { wide } else { [65_535, 65_535, 16_384] }, "{count}");
        open.push(stream);
    }
}

/// Scenario: an HTTP/2 connection that begins well and then neither sends nor answers. Guarantee: it ends, and is counted.
#[tokio::test]
async fn a_connection_that_answers_no_ping_is_ended() {
    let mut rig = slow_rig(Timeouts { ping_after: SOON, ping_answer: SOON, ..patient() }).await;
    rig.answering(Ok(RECEIPT));
    // The preface with an empty SETTINGS frame; then the head of a request that breaks off (HEADERS without END_HEADERS).
    let begun = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for more in [&b""[..], b"\0\0\x01\x01\0\0\0\0\x01\x82"] {
        let mut mute = connected(rig.receiver.grpc_address(), &[begun, more].concat()).await;
        to_the_end(&mut mute).await;
    }
    assert_eq!(rig.metrics.timed_out(Overdue::Ping), 2);
    is_served(&rig).await;
}

/// Scenario: senders that announce as much as the whole pool has and send a few bytes of it. Guarantee: they keep only what they have sent;
/// others are served while they are still open.
#[tokio::test]
async fn what_is_announced_and_not_sent_keeps_nobody_out() {
    let pool = Pool::new(4 * u64::try_from(LIMIT).unwrap(), NEVER);
    let mut rig = rig_within(plain(), pool, Timeouts { announced: SOON, ..patient() }).await;
    rig.answering(Ok(RECEIPT));
    let mut slow = Vec::new();
    for _ in 0..2 {
        slow.push(connected(rig.receiver.http_address(), &[&post_head(LIMIT)[..], b"xyz"].concat()).await);
    }
    let open = streams(&rig, EXPORT, 2).await;
    for stream in &open {
        stream.send(&[&[0][..], &u32::try_from(LIMIT).unwrap().to_be_bytes(), b"xyz"].concat()).await;
    }
    until("all are there", || rig.metrics.in_flight() == 4).await;
    is_served(&rig).await;
    until("they keep what they sent", || rig.pool.used() <= 4 * 64 * 1024).await;
    assert_eq!(rig.metrics.in_flight(), 4);
}

/// Scenario: bodies that pause and then go on. Guarantee: they are received as if they had not, and their share grows with them.
#[tokio::test]
async fn a_body_that_pauses_is_received() {
    let mut rig = slow_rig(Timeouts { announced: SOON, ..patient() }).await;
    rig.answering(Ok(RECEIPT));
    let whole = padded(700_000).encode_to_vec();
    let (first, rest) = whole.split_at(1_000);
    let mut paused = connected(rig.receiver.http_address(), &[&post_head(whole.len())[..], first].concat()).await;
    let stream = streams(&rig, EXPORT, 1).await.remove(0);
    let prefix = [&[0][..], &u32::try_from(whole.len()).unwrap().to_be_bytes()].concat();
    stream.send(&[&prefix, first].concat()).await;
    until("both gave back what they had announced", || rig.metrics.in_flight() == 2 && rig.pool.used() == 2 * 64 * 1024).await;
    let (middle, last) = rest.split_at(600_000);
    for part in [middle, last] {
        stream.send(part).await;
        paused.write_all(part).await.unwrap();
    }
    let Stream { feed, response } = stream;
    drop(feed);
    assert_eq!(within(response).await.unwrap().headers()["spanseal-seal"], "42");
    let mut heard = [0; 15];
    within(paused.read_exact(&mut heard)).await.unwrap();
    assert_eq!(&heard, b"HTTP/1.1 200 OK");
    assert_eq!(rig.fake.seen.lock().unwrap().iter().map(|seen| seen.bytes).collect::<Vec<_>>(), [whole.len(), whole.len()]);
    until("nothing is held", || rig.pool.used() == 0).await;
}

/// Scenario: messages whose five bytes of prefix come in pieces, compressed and not, one of them after a pause. Guarantee: received like any other.
#[tokio::test]
async fn a_message_in_pieces_is_received() {
    let mut rig = slow_rig(Timeouts { announced: SOON, ..patient() }).await;
    rig.answering(Ok(RECEIPT));
    let whole = padded(700_000).encode_to_vec();
    let framed = |flag: u8, message: &[u8]| [&[flag][..], &u32::try_from(message.len()).unwrap().to_be_bytes(), message].concat();
    for (coding, message) in [
        ("identity", framed(0, &whole)),
        ("gzip", framed(0, &whole)),
        ("gzip", framed(1, &http::gzip(&whole))),
        ("zstd", framed(1, &http::zstd(&whole))),
    ] {
        let stream = streams_in(&rig, EXPORT, coding, 1).await.remove(0);
        for (from, to) in [(0, 1), (1, 3), (3, 4), (4, 7), (7, 10), (10, message.len())] {
            if from == 7 {
                until("it gave back what it had announced", || rig.pool.used() > 0 && rig.pool.used() <= 9 * 64 * 1024).await;
            }
            stream.send(&message[from..to]).await;
        }
        let Stream { feed, response } = stream;
        drop(feed);
        assert_eq!(within(response).await.unwrap().headers()["spanseal-seal"], "42", "{coding}");
        until("nothing is held", || rig.pool.used() == 0).await;
    }
    assert_eq!(rig.fake.seen.lock().unwrap().iter().map(|seen| seen.bytes).collect::<Vec<_>>(), [whole.len(); 4]);
}

/// Scenario: a small message that becomes large, on a stream that stays open. Guarantee: nothing is made of it until the stream ends; then it is
/// received.
#[tokio::test]
async fn an_open_stream_holds_what_was_sent() {
    let mut rig = slow_rig(Timeouts { announced: SOON, ..patient() }).await;
    rig.answering(Ok(RECEIPT));
    let sent = http::gzip(&padded(700_000).encode_to_vec());
    let stream = streams_in(&rig, EXPORT, "gzip", 1).await.remove(0);
    stream.send(&[&[1][..], &u32::try_from(sent.len()).unwrap().to_be_bytes(), &sent].concat()).await;
    until("it is admitted", || rig.pool.used() > 0).await;
    // Long enough for it to be read and decompressed.
    is_served(&rig).await;
    assert_eq!((rig.receiver.intake.inflater.held.peak(), rig.metrics.in_flight()), (0, 1));
    let Stream { feed, response } = stream;
    drop(feed);
    assert_eq!(within(response).await.unwrap().headers()["spanseal-seal"], "42");
    until("nothing is held", || rig.pool.used() == 0).await;
}

/// Scenario: a unary call that sends a second message. Guarantee: refused, and the second is not taken in: nobody has admitted it.
#[tokio::test]
async fn a_second_message_is_refused() {
    let mut rig = slow_rig(patient()).await;
    rig.answering(Ok(RECEIPT));
    let stream = streams(&rig, EXPORT, 1).await.remove(0);
    let whole = traces(vec![ai_span()]).encode_to_vec();
    let framed = [&[0][..], &u32::try_from(whole.len()).unwrap().to_be_bytes(), &whole].concat();
    stream.send(&framed).await;
    stream.send(&framed).await;
    assert_eq!(stream.ended().await, "3");
    assert_eq!(rig.metrics.requests(Some(Signal::Traces), Outcome::Malformed), 1);
    until("nothing is held", || rig.pool.used() == 0).await;
}
