//! OTLP/gRPC: the three `Export` methods and `grpc.health.v1`, by path. gRPC framing is tonic's; the message stays the bytes
//! it is.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use http::HeaderMap;
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::Intake;
use super::admission::{AdmittedBody, Slot};
use super::complaints::{Complaints, Reason};
use super::export::{self, Answer};
use super::inflate::Compression;
use super::listen::Caller;
use super::metrics::Outcome;
use super::status::{MediaType, Refusal, framing_refusal};
use crate::otlp::answer::{Encoding, Signal, export_response};
use crate::promote::{Fetched, Peer};

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
/// Paths of the health service: open to who has no token, as load balancers have none.
pub(super) const HEALTH: &str = "/grpc.health.v1.Health/";

/// The OTLP/gRPC service. Cheap to clone.
#[derive(Clone)]
pub(super) struct GrpcService {
    intake: Arc<Intake>,
    bytes_max: usize,
    complaints: Arc<Complaints>,
    health: Health,
}

impl fmt::Debug for GrpcService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcService").field("bytes_max", &self.bytes_max).finish_non_exhaustive()
    }
}

impl GrpcService {
    pub(super) fn new(intake: Arc<Intake>, bytes_max: usize, complaints: Arc<Complaints>, health: Health) -> Self {
        GrpcService { intake, bytes_max, complaints, health }
    }

    async fn respond(mut self, request: http::Request<Incoming>) -> http::Response<Body> {
        let intake = Arc::clone(&self.intake);
        let stray = |refusal: Refusal| {
            intake.state.metrics.ended(None, refusal.outcome());
            refusal
        };
        let media_type = MediaType::of(request.headers());
        if media_type != Some(MediaType::Grpc) {
            // A client that does not speak gRPC would not understand a gRPC status (gRPC over HTTP2, "Content-Type").
            let hint =
                "this port speaks OTLP/gRPC (application/grpc, application/grpc+proto); OTLP/HTTP has its own port (4318 by default)";
            let is_otlp = media_type.is_some() || Signal::ALL.iter().any(|signal| signal.path() == request.uri().path());
            if let Some(caller) = request.extensions().get::<Caller>().filter(|_| is_otlp) {
                self.complaints.refused(Reason::Transport, caller.address.ip());
            }
            let refusal = if is_otlp { Refusal::Misplaced(hint) } else { Refusal::ContentType(hint) };
            return stray(refusal).to_http(media_type.and_then(MediaType::encoding)).map(Body::new);
        }
        let signal = match request.uri().path() {
            TRACES => Signal::Traces,
            LOGS => Signal::Logs,
            METRICS => Signal::Metrics,
            path if path.starts_with(HEALTH) => match tokio::time::timeout(intake.timeouts.body, self.health.respond(request)).await {
                // A watch has its answer at once, and goes on for as long as it is wanted.
                Ok(response) => return response,
                Err(_) => return stray(Refusal::Slow).to_grpc().into_http(),
            },
            _ => return stray(Refusal::UnknownPath("no such service or method")).to_grpc().into_http(),
        };
        self.export(signal, request).await
    }

    async fn export(self, signal: Signal, request: http::Request<Incoming>) -> http::Response<Body> {
        let GrpcService { intake, bytes_max, .. } = self;
        let metrics = Arc::clone(&intake.state.metrics);
        let asked = metrics.asked(Some(signal));
        if intake.is_draining() {
            asked.ended(Outcome::Stopped);
            return Refusal::Stopped.to_grpc().into_http();
        }
        let peer = request.extensions().get::<Caller>().and_then(|caller| caller.peer.clone());
        let slot = Slot::default();
        let mut request = request;
        let compression = take_compression(request.headers_mut());
        let inflater = intake.inflater.with_max(bytes_max);
        let request = request.map(|body| AdmittedBody::new(body, inflater, compression, slot.clone(), intake.timeouts));
        // Tonic decompresses nothing; what is accepted here is what it names to those who send something else.
        let mut grpc = Grpc::new(RawCodec)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd)
            .max_decoding_message_size(bytes_max);
        let export = Export { intake: Arc::clone(&intake), signal, peer, slot: slot.clone() };
        let mut response = grpc.unary(export, request).await;
        if let Some(answer) = response.extensions_mut().remove::<Arc<Answer>>() {
            answer.write_headers(&intake.log, response.headers_mut());
        }
        asked.ended(slot.outcome().unwrap_or_else(|| {
            // Tonic refused what it read, or passed on our own refusal of the body.
            let code = response.extensions().get::<Status>().map_or(Code::Unknown, Status::code);
            match (&slot.refused(), framing_refusal(code)) {
                (Some(refusal), _) => refusal.outcome(),
                (None, Some(refusal)) => {
                    response = refusal.to_grpc().into_http();
                    refusal.outcome()
                }
                (None, None) => Outcome::Unsupported,
            }
        }));
        response
    }
}

impl tower_service::Service<http::Request<Incoming>> for GrpcService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Incoming>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.respond(request).await) })
    }
}

/// How the request's messages are compressed, if we undo it: the header is taken out then, and tonic sees plain messages. It answers for
/// any other (gRPC over HTTP2, "Message-Encoding"; gRPC compression, "UNIMPLEMENTED ... with grpc-accept-encoding").
fn take_compression(headers: &mut HeaderMap) -> Option<Compression> {
    let compression = match headers.get(GRPC_ENCODING)?.as_bytes() {
        b"gzip" => Compression::Gzip,
        b"zstd" => Compression::Zstd,
        _ => return None,
    };
    headers.remove(GRPC_ENCODING);
    Some(compression)
}

const GRPC_ENCODING: &str = "grpc-encoding";

/// One call of an `Export` method.
struct Export {
    intake: Arc<Intake>,
    signal: Signal,
    peer: Option<Arc<Peer>>,
    slot: Slot,
}

impl UnaryService<Bytes> for Export {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (intake, signal, peer, slot) = (Arc::clone(&self.intake), self.signal, self.peer.clone(), self.slot.clone());
        Box::pin(async move {
            let result = match slot.call(&intake.state.sealer.pool, request.into_inner()).await {
                Ok((body, permit)) => {
                    let request = export::Request { signal, encoding: Encoding::Protobuf, body, peer, permit, fetched: Fetched::default() };
                    export::export(&intake, request).await
                }
                Err(refusal) => Err(refusal),
            };
            slot.answered(export::outcome(&result));
            let answer = result.map_err(|refusal| refusal.to_grpc())?;
            let body = export_response(signal, answer.partial.as_ref(), Encoding::Protobuf);
            let mut response = tonic::Response::new(body.into());
            response.extensions_mut().insert(Arc::new(answer));
            Ok(response)
        })
    }
}

/// A codec whose messages are bytes: no generated decoder stands between the wire and the walk over it.
#[derive(Clone, Copy, Debug, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = RawCodec;
    type Decoder = RawCodec;

    fn encoder(&mut self) -> RawCodec {
        RawCodec
    }

    fn decoder(&mut self) -> RawCodec {
        RawCodec
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        // Splits the bytes off tonic's buffer: no copy.
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}

/// `grpc.health.v1` for the process ("") and its three services.
///
/// `Check` and `Watch` have separate books, because a watch ends only when its entry is removed, and an open watch would hold up the
/// drain, while a check must go on to say NOT_SERVING.
#[derive(Clone)]
pub(super) struct Health {
    checks: HealthReporter,
    watches: HealthReporter,
}

const SERVICES: [&str; 4] = [
    "",
    "opentelemetry.proto.collector.trace.v1.TraceService",
    "opentelemetry.proto.collector.logs.v1.LogsService",
    "opentelemetry.proto.collector.metrics.v1.MetricsService",
];

impl Health {
    pub(super) async fn serving() -> Self {
        let health = Health { checks: HealthReporter::new(), watches: HealthReporter::new() };
        health.set(ServingStatus::Serving).await;
        health
    }

    /// Says NOT_SERVING to everyone who asks or watches, and ends the watches.
    pub(super) async fn not_serving(&self) {
        self.set(ServingStatus::NotServing).await;
        for service in SERVICES {
            self.watches.clone().clear_service_status(service).await;
        }
    }

    async fn set(&self, status: ServingStatus) {
        for service in SERVICES {
            self.checks.set_service_status(service, status).await;
            self.watches.set_service_status(service, status).await;
        }
    }

    async fn respond(&mut self, request: http::Request<Incoming>) -> http::Response<Body> {
        let book = if request.uri().path().ends_with("/Watch") { &self.watches } else { &self.checks };
        let mut server = HealthServer::new(HealthService::from_health_reporter(book.clone()));
        match tower_service::Service::call(&mut server, request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
