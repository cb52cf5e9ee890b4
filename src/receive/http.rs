//! OTLP/HTTP: POST of protobuf or JSON to `/v1/traces`, `/v1/logs`, `/v1/metrics`, answered in the request's encoding.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::Intake;
use super::admission::{share, share_of_part};
use super::complaints::{Complaints, Reason};
use super::export::{self, Answer};
use super::inflate::{Compression, Inflater};
use super::listen::Caller;
use super::status::{MediaType, Refusal, content_type};
use super::strays::discard;
use crate::otlp::answer::{Encoding, Signal, export_response};
use crate::promote::Fetched;
use crate::seal::Permit;

/// The OTLP/HTTP service. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct HttpService {
    intake: Arc<Intake>,
    inflater: Inflater,
    bytes_max: usize,
    complaints: Arc<Complaints>,
}

impl tower_service::Service<Request<Incoming>> for HttpService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.respond(request).await) })
    }
}

impl HttpService {
    pub(super) fn new(intake: Arc<Intake>, bytes_max: usize, complaints: Arc<Complaints>) -> Self {
        let inflater = intake.inflater.with_max(bytes_max);
        HttpService { intake, inflater, bytes_max, complaints }
    }

    async fn respond(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let metrics = Arc::clone(&self.intake.state.metrics);
        let mut asked = metrics.asked(None);
        let (parts, mut body) = request.into_parts();
        // First of all, because a refusal too is a status in the request's encoding (OTLP specification, "OTLP/HTTP Response").
        let media_type = MediaType::of(&parts.headers);
        if media_type == Some(MediaType::Grpc) {
            let refusal = Refusal::Misplaced(GRPC_HERE);
            asked.ended(refusal.outcome());
            if let Some(caller) = parts.extensions.get::<Caller>() {
                self.complaints.refused(Reason::Transport, caller.address.ip());
            }
            self.discard(body).await;
            // A gRPC client reads no HTTP status: it takes 404 for UNIMPLEMENTED, which is for good (gRPC, "HTTP to gRPC Status Code
            // Mapping").
            return refusal.to_grpc().into_http();
        }
        let encoding = media_type.and_then(MediaType::encoding);
        let envelope = Envelope::read(&parts.method, parts.uri.path(), &parts.headers, encoding);
        let (signal, result) = match envelope {
            Ok(envelope) => {
                asked.of(envelope.signal);
                let caller = parts.extensions.get::<Caller>();
                (Some(envelope.signal), self.export(envelope, &parts.headers, caller, &mut body).await)
            }
            Err((signal, refusal)) => {
                let is_otlp = matches!(refusal, Refusal::Misplaced(_)) || encoding == Some(Encoding::Protobuf);
                let of_path = matches!(refusal, Refusal::Misplaced(_) | Refusal::UnknownPath(_));
                if let Some(caller) = parts.extensions.get::<Caller>().filter(|_| is_otlp && of_path) {
                    self.complaints.refused(Reason::Path, caller.address.ip());
                }
                signal.into_iter().for_each(|signal| asked.of(signal));
                (signal, Err(refusal))
            }
        };
        asked.ended(export::outcome(&result));
        match (result, signal, encoding) {
            (Ok(answer), Some(signal), Some(encoding)) => {
                let mut response = Response::new(Full::new(export_response(signal, answer.partial.as_ref(), encoding).into()));
                response.headers_mut().insert(CONTENT_TYPE, content_type(encoding));
                answer.write_headers(&self.intake.log, response.headers_mut());
                response
            }
            (Ok(_), ..) => Refusal::Internal.to_http(encoding),
            (Err(refusal), _, encoding) => {
                self.discard(body).await;
                refusal.to_http(encoding)
            }
        }
    }

    async fn export(
        &self,
        envelope: Envelope,
        headers: &HeaderMap,
        caller: Option<&Caller>,
        body: &mut Incoming,
    ) -> Result<Answer, Refusal> {
        if self.intake.is_draining() {
            return Err(Refusal::Stopped);
        }
        let Envelope { signal, encoding, compression } = envelope;
        let (bytes, permit) = self.read(headers, compression, body).await?;
        let (bytes, permit) = match compression {
            None => (bytes, permit),
            Some(compression) => self.inflater.inflate(compression, bytes, permit).await?,
        };
        let peer = caller.and_then(|caller| caller.peer.clone());
        let request = export::Request { signal, encoding, body: bytes, peer, permit, fetched: Fetched::default() };
        export::export(&self.intake, request).await
    }

    /// Admits and reads a body. The share of the pool comes first: with a Content-Length all at once, as long as the body comes quickly;
    /// else as it grows.
    async fn read(&self, headers: &HeaderMap, compression: Option<Compression>, body: &mut Incoming) -> Result<(Bytes, Permit), Refusal> {
        let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|bytes| bytes > self.bytes_max) {
            return Err(Refusal::TooLarge(self.bytes_max));
        }
        let pool = &self.intake.state.sealer.pool;
        let compressed = compression.is_some();
        let part = |received: usize| share_of_part(received, announced, compressed, self.bytes_max);
        let mut permit = pool.admit(announced.map_or(part(1), |bytes| share(bytes, compressed, self.bytes_max))).await?;
        let begun = Instant::now();
        let deadline = begun + self.intake.timeouts.body;
        // Until then it holds all that it announced.
        let mut until = announced.map(|_| deadline.min(begun + self.intake.timeouts.announced));
        let mut first = Bytes::new();
        let mut whole = BytesMut::new();
        let mut length = 0;
        loop {
            // Giving up on a frame loses nothing: it is still in the body.
            let Ok(frame) = tokio::time::timeout_at(until.unwrap_or(deadline), body.frame()).await else {
                if Instant::now() >= deadline {
                    return Err(Refusal::Slow);
                }
                until = None;
                permit.shrink(part(length));
                continue;
            };
            let Some(frame) = frame else { break };
            // The connection is broken: nobody reads this answer.
            let frame = frame.map_err(|_| Refusal::Malformed("the body broke off".to_owned()))?;
            let Ok(data) = frame.into_data() else { continue };
            length += data.len();
            if length > self.bytes_max {
                return Err(Refusal::TooLarge(self.bytes_max));
            }
            if until.is_none() {
                pool.widen(&mut permit, part(length)).await?;
            }
            // A body in one frame is used where it lies.
            if length == data.len() && body.is_end_stream() {
                first = data;
                break;
            }
            if whole.is_empty() {
                whole.reserve(announced.unwrap_or(data.len()));
            }
            whole.extend_from_slice(&data);
        }
        Ok((if whole.is_empty() { first } else { whole.freeze() }, permit))
    }

    async fn discard(&self, body: Incoming) {
        discard(body, self.bytes_max, self.intake.timeouts.discard).await;
    }
}

/// To a gRPC client.
const GRPC_HERE: &str = "this port speaks OTLP/HTTP; OTLP/gRPC has its own port (4317 by default): write that one into the sender's endpoint, \
                         or let it send OTLP/HTTP (application/x-protobuf) to this one";

/// Whether what comes here was meant for a path of ours: an endpoint with a path of its own, to which the sender added that of the signal, or the
/// endpoint of a signal without its path.
fn is_misplaced(path: &str, encoding: Option<Encoding>) -> bool {
    let path = path.trim_end_matches('/');
    Signal::ALL.iter().any(|signal| path.ends_with(signal.path())) || path.is_empty() && encoding == Some(Encoding::Protobuf)
}

/// What the head of a request says.
#[derive(Clone, Copy, Debug)]
struct Envelope {
    signal: Signal,
    encoding: Encoding,
    compression: Option<Compression>,
}

impl Envelope {
    fn read(method: &Method, path: &str, headers: &HeaderMap, encoding: Option<Encoding>) -> Result<Self, (Option<Signal>, Refusal)> {
        let signal = match path {
            "/v1/traces" => Signal::Traces,
            "/v1/logs" => Signal::Logs,
            "/v1/metrics" => Signal::Metrics,
            path if path.starts_with("/opentelemetry.proto.collector.") => {
                return Err((None, Refusal::UnknownPath("this port speaks OTLP/HTTP; OTLP/gRPC has its own port (4317 by default)")));
            }
            path if method == Method::POST && is_misplaced(path, encoding) => {
                return Err((
                    None,
                    Refusal::Misplaced(concat!(
                        "OTLP/HTTP is served at /v1/traces, /v1/logs and /v1/metrics, which senders add to an endpoint, so that has no path of its own; ",
                        "send it again when that is mended"
                    )),
                ));
            }
            _ => return Err((None, Refusal::UnknownPath("OTLP/HTTP is served at /v1/traces, /v1/logs and /v1/metrics"))),
        };
        if method != Method::POST {
            return Err((Some(signal), Refusal::WrongMethod));
        }
        let Some(encoding) = encoding else {
            return Err((Some(signal), Refusal::ContentType("supported content types: application/x-protobuf, application/json")));
        };
        let coding = headers.get(CONTENT_ENCODING).map_or(Some(""), |v| v.to_str().ok()).unwrap_or("?").trim();
        let compression = if coding.is_empty() || coding.eq_ignore_ascii_case("identity") {
            None
        } else if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
            Some(Compression::Gzip)
        } else if coding.eq_ignore_ascii_case("zstd") {
            Some(Compression::Zstd)
        } else {
            return Err((Some(signal), Refusal::ContentEncoding));
        };
        Ok(Envelope { signal, encoding, compression })
    }
}
