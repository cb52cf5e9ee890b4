//! OTLP that comes to a port of ours where none is served, as the API's is. A 404 there would be for good, to a Collector that has
//! acknowledged what it sends: it is asked to come again, and told where.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};

use super::complaints::{Complaints, Reason};
use super::listen::Caller;
use super::metrics::ReceiveMetrics;
use super::status::{MediaType, Refusal};
use super::timeouts::Timeouts;
use crate::otlp::answer::{Encoding, Signal};

/// Where OTLP would come, whose port this was. Nothing else may be served there: who comes needs no token to be told of another port.
pub const PATHS: [&str; 4] = ["/v1/traces", "/v1/logs", "/v1/metrics", "/opentelemetry.proto.collector."];

/// How much of a body is read for its sender's sake: as large as requests are by default.
const DISCARD_MAX: usize = 20 * 1024 * 1024;

const HINT: &str = "this is the port of spanseal's API, which takes no telemetry: OTLP/gRPC has its own port (4317 by default), and OTLP/HTTP \
                    too (4318 by default); write one of them into the sender's endpoint";

/// Answers them at one port. Clones share it.
#[derive(Clone, Debug)]
pub struct Strays {
    complaints: Arc<Complaints>,
    metrics: Arc<ReceiveMetrics>,
    timeouts: Timeouts,
}

impl Strays {
    /// At the port with this address; `metrics` count them.
    pub fn new(listener: SocketAddr, metrics: Arc<ReceiveMetrics>) -> Self {
        Strays { complaints: Arc::new(Complaints::new(listener)), metrics, timeouts: Timeouts::default() }
    }

    /// The answer to a request that is OTLP; any other comes back.
    pub async fn answer<B: Body<Data = Bytes> + Unpin>(&self, request: Request<B>) -> Result<Response<Full<Bytes>>, Request<B>> {
        let media_type = MediaType::of(request.headers());
        // JSON alone is no sign of OTLP.
        let is_otlp = matches!(media_type, Some(MediaType::Grpc | MediaType::Http(Encoding::Protobuf)))
            || Signal::ALL.iter().any(|signal| signal.path() == request.uri().path());
        if !is_otlp {
            return Err(request);
        }
        let refusal = Refusal::Misplaced(HINT);
        self.metrics.ended(None, refusal.outcome());
        if let Some(caller) = request.extensions().get::<Caller>() {
            self.complaints.refused(Reason::Api, caller.address.ip());
        }
        discard(request.into_body(), DISCARD_MAX, self.timeouts.discard).await;
        Ok(match media_type {
            // A gRPC client reads no HTTP status: it takes 404 for UNIMPLEMENTED, which is for good (gRPC, "HTTP to gRPC Status Code
            // Mapping").
            Some(MediaType::Grpc) => refusal.to_grpc().into_http(),
            media_type => refusal.to_http(media_type.and_then(MediaType::encoding)),
        })
    }
}

/// Reads what is left of a refused body. HTTP/1 clients write all of it before they look for an answer; a connection that is closed under
/// them shows as a reset, and the answer with its Retry-After is lost.
pub(super) async fn discard<B: Body<Data = Bytes> + Unpin>(mut body: B, bytes_max: usize, within: Duration) {
    let mut left = bytes_max;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    let _ = tokio::time::timeout(within, read).await;
}
