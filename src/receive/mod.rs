//! OTLP in: gRPC and HTTP ports, admission, answers that are receipts.
//!
//! A request takes its share of the pool before it is read, is walked where it lies, and is answered when its records are sealed. One
//! without AI spans is answered at once: no copy, no allocation for a span, no other thread.
//!
//! What it refuses and how is in `status`, what it says of that in the log in `complaints`, what it passes on in `export`, what becomes of
//! a request that our own code panics over in `panics`, and of one that came to the API in `strays`. Nothing here logs what a request holds.

mod admission;
mod complaints;
mod export;
mod fetch;
mod grpc;
mod http;
mod inflate;
pub mod listen;
mod metrics;
mod panics;
mod patience;
mod places;
mod rebinding;
mod status;
mod strays;
#[cfg(test)]
mod tests;
mod timeouts;
mod tls;
pub mod token;
mod workers;

pub use export::Promote;
pub use listen::{Caller, Endpoint, ListenError};
pub use metrics::{Outcome, Overdue, ReceiveMetrics};
pub use strays::{PATHS as OTLP_PATHS, Strays};
pub use timeouts::Timeouts;
pub use tls::TlsFiles;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::http::HeaderValue;

use crate::clock::Clock;
use crate::elsewhere::Elsewhere;
use crate::seal::SealerHandle;
use inflate::Inflater;
use listen::Listening;
use workers::Workers;

/// The OTLP ports. Without either nothing is received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// OTLP/gRPC (4317 by default).
    pub grpc: Option<Port>,
    /// OTLP/HTTP (4318 by default).
    pub http: Option<Port>,
    /// How long both wait for a sender.
    pub timeouts: Timeouts,
}

/// One OTLP port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Where it listens, and who may send.
    pub endpoint: Endpoint,
    /// Largest request after decompression, bytes (`max_recv_msg_size_mib`, `max_request_body_size`).
    pub request_bytes_max: usize,
}

/// What the receiver hands on to.
#[derive(Clone, Debug)]
pub struct ReceiverState {
    /// Turns requests into records.
    pub promoter: Arc<dyn Promote>,
    /// The one writer, its pool and its counters.
    pub sealer: SealerHandle,
    /// Gives `time.received`.
    pub clock: Arc<dyn Clock>,
    /// Value of `spanseal-log` in every success answer.
    pub origin: String,
    /// The receiver's figures.
    pub metrics: Arc<ReceiveMetrics>,
    /// Where content that is only named by reference may be fetched; without it none is.
    pub elsewhere: Option<Arc<Elsewhere>>,
}

/// Why the receiver did not start.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// A port cannot be served.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The log's name cannot stand in a header.
    #[error("the log's name `{0}` cannot be sent in a header: visible ASCII only")]
    Origin(String),
    /// No thread could be had.
    #[error("the threads that promote requests could not be started: {0}")]
    Threads(std::io::Error),
}

/// What all requests share.
#[derive(Debug)]
struct Intake {
    state: ReceiverState,
    log: HeaderValue,
    inflater: Inflater,
    workers: Workers,
    timeouts: Timeouts,
    draining: AtomicBool,
}

impl Intake {
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

/// Starts the ports of `options`. Either all of them listen when it returns, or none.
pub async fn start(options: &Options, state: ReceiverState) -> Result<RunningReceiver, ReceiveError> {
    let log = HeaderValue::from_str(&state.origin).map_err(|_| ReceiveError::Origin(state.origin.clone()))?;
    let metrics = Arc::clone(&state.metrics);
    // Each port has a limit of its own.
    let inflater = Inflater::new(state.sealer.pool.clone(), 0);
    let workers = Workers::new().map_err(ReceiveError::Threads)?;
    let intake = Arc::new(Intake { state, log, inflater, workers, timeouts: options.timeouts, draining: AtomicBool::new(false) });
    let grpc = match &options.grpc {
        Some(port) => Some((listen::bind(&port.endpoint).await?, port)),
        None => None,
    };
    let http = match &options.http {
        Some(port) => Some((listen::bind(&port.endpoint).await?, port)),
        None => None,
    };
    let health = grpc::Health::serving().await;
    let grpc = grpc.map(|(bound, port)| {
        said("grpc", bound.address(), port);
        let service = grpc::GrpcService::new(Arc::clone(&intake), port.request_bytes_max, bound.complaints(), health.clone());
        bound.with(options.timeouts).serve(service, &[grpc::HEALTH], Arc::clone(&metrics))
    });
    let http = http.map(|(bound, port)| {
        said("http", bound.address(), port);
        let service = http::HttpService::new(Arc::clone(&intake), port.request_bytes_max, bound.complaints());
        bound.with(options.timeouts).serve(service, &[], metrics)
    });
    Ok(RunningReceiver { intake, health, grpc, http })
}

fn said(protocol: &'static str, address: SocketAddr, port: &Port) {
    let (tls, tokens) = (port.endpoint.tls.is_some(), port.endpoint.token_file.is_some());
    tracing::info!(protocol, %address, tls, tokens, "receiver.listening");
    if tokens && !tls && !address.ip().is_loopback() {
        tracing::warn!(protocol, %address, "receiver.tokens_in_clear");
    }
}

/// The receiver at work. Dropping it cuts every connection off; [`RunningReceiver::drain`] is the polite way.
pub struct RunningReceiver {
    intake: Arc<Intake>,
    health: grpc::Health,
    grpc: Option<Listening>,
    http: Option<Listening>,
}

impl std::fmt::Debug for RunningReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningReceiver").field("grpc", &self.grpc_address()).field("http", &self.http_address()).finish_non_exhaustive()
    }
}

impl RunningReceiver {
    /// Where OTLP/gRPC listens.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().map(Listening::address)
    }

    /// Where OTLP/HTTP listens.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Listening::address)
    }

    /// From now on refuses new requests retryably (UNAVAILABLE, 503) and says NOT_SERVING, while the ports stay open: time for load
    /// balancers to look elsewhere. [`RunningReceiver::drain`] begins with it.
    pub async fn refuse(&self) {
        self.intake.draining.store(true, Ordering::Release);
        self.health.not_serving().await;
    }

    /// Refuses new requests, closes the ports, lets the open requests reach their receipts for at most `within`, then cuts off what is
    /// left. The sealer must go on working meanwhile. Returns how many connections were cut off.
    pub async fn drain(self, within: Duration) -> usize {
        tracing::info!(in_flight = self.intake.state.metrics.in_flight(), "drain.started");
        self.refuse().await;
        let end = async |port: Option<Listening>| match port {
            Some(port) => port.drain(within).await,
            None => 0,
        };
        let (grpc, http) = tokio::join!(end(self.grpc), end(self.http));
        let cut_off = grpc + http;
        tracing::info!(cut_off, "drain.ended");
        cut_off
    }

    /// Ends only if a port stops being served without a drain, which is a mistake of ours: the process should end too.
    pub async fn failed(&mut self) {
        let end = async |port: &mut Option<Listening>| match port {
            Some(port) => port.failed().await,
            None => std::future::pending().await,
        };
        tokio::select! {
            () = end(&mut self.grpc) => {}
            () = end(&mut self.http) => {}
        }
    }
}
