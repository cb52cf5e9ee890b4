//! One accept loop for every port of ours: TCP, TLS if wanted, who the sender is, HTTP/1.1 and HTTP/2, graceful end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either as Choice, MapOk, Ready, TryFutureExt, ready};
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tower::BoxError;
use tower::util::{Oneshot, ServiceExt};

use super::complaints::{Complaints, Reason};
use super::metrics::{Outcome, Overdue, ReceiveMetrics};
use super::patience::{Patient, Watch};
use super::places::Places;
use super::rebinding::{MISDIRECTED, may_be_rebound};
use super::status::{MediaType, Refusal};
use super::timeouts::Timeouts;
use super::tls::{self, TlsFiles};
use super::token::Tokens;
use crate::promote::Peer;

/// Where something listens, and who may talk to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `host:port`; a name is looked up, port 0 takes a free one.
    pub address: String,
    /// Without it plain text.
    pub tls: Option<TlsFiles>,
    /// A file of bearer tokens (`auth.token_file`): lines `name:sha256:<hex>`, `name:token`, or either without a name. Without it everybody who reaches the port is
    /// let in. With client certificates as well, a sender needs both and is known by its certificate.
    pub token_file: Option<PathBuf>,
}

/// Why a port cannot be served. Each is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, not ours, not allowed or not found.
    #[error("cannot listen on {address}: {advice}")]
    Bind {
        /// As configured.
        address: String,
        /// What is wrong and what to do.
        advice: String,
        /// From the operating system.
        #[source]
        source: io::Error,
    },
    /// A file that the configuration names cannot be read.
    #[error("cannot read the {role} `{path}`: {source}; check `{key}` and who may read the file", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What it should be.
        role: &'static str,
        /// The configuration's key for it.
        key: &'static str,
        /// From the operating system.
        source: io::Error,
    },
    /// A file was read and does not serve.
    #[error("`{path}` {what}", path = path.display())]
    Useless {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// Who sends, as the connection proved it: in the extensions of every request that a [`Listening`] passes on.
#[derive(Clone, Debug)]
pub struct Caller {
    /// From its client certificate, else from its token.
    pub peer: Option<Arc<Peer>>,
    /// The other end of the connection; a proxy's, if there is one.
    pub address: SocketAddr,
}

/// HTTP/2 windows of a stream and of a connection, and its largest frame, for the connections that came first: with these a sender does
/// not wait for window updates within a batch, and a body arrives in few pieces. A window of 4 MiB keeps 80 MB/s going over 50 ms.
const WIDE: Windows = Windows { stream: 1024 * 1024, connection: 4 * 1024 * 1024, frame: 1024 * 1024 };
/// For all others, what HTTP/2 begins with and never less (RFC 9113 sections 6.5.2 and 6.9.2).
const NARROW: Windows = Windows { stream: 65_535, connection: 65_535, frame: 16_384 };

/// What a connection sends while its requests wait for their share of the pool is kept by HTTP/2 and is no part of the pool: at most its
/// connection window and the frame that is being read, so 64 x 5 MiB wide and 4032 x 80 KiB narrow, 635 MiB for all connections of a
/// listener together. (hyper's adaptive window would let each grow to 16 MiB.) An HTTP/1 connection may keep no more than a narrow one.
#[derive(Clone, Copy)]
struct Windows {
    stream: u32,
    connection: u32,
    frame: u32,
}

/// Read ahead of an HTTP/1 connection: also the longest head of a request.
const HTTP1_BUFFER_MAX: usize = 64 * 1024;

/// Requests at once of a connection. A request waits a second or two for its seal, so this, not the network, bounds what one sender can
/// have under way.
const STREAMS_MAX: u32 = 1_024;

/// Pause after the system had no file descriptor left: trying at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A port that is bound and not served yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    tokens: Option<Arc<Tokens>>,
    complaints: Arc<Complaints>,
    timeouts: Timeouts,
}

#[derive(Clone)]
struct Tls(TlsAcceptor);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

/// Reads the files of an endpoint as [`bind`] does, to say early that one of them does not serve.
pub fn check_files(endpoint: &Endpoint) -> Result<(), ListenError> {
    read_files(endpoint).map(drop)
}

fn read_files(endpoint: &Endpoint) -> Result<(Option<Tls>, Option<Arc<Tokens>>), ListenError> {
    let tls = endpoint.tls.as_ref().map(tls::acceptor).transpose()?.map(Tls);
    let tokens = endpoint.token_file.as_deref().map(Tokens::load).transpose()?.map(Arc::new);
    Ok((tls, tokens))
}

/// Reads the files of an endpoint and binds its port.
pub async fn bind(endpoint: &Endpoint) -> Result<Bound, ListenError> {
    let (tls, tokens) = read_files(endpoint)?;
    if let (Some(file), Some(plain)) = (&endpoint.token_file, tokens.as_ref().map(|tokens| tokens.plain).filter(|plain| *plain > 0)) {
        let advice = "make new ones with `spanseal keygen --token NAME`, and let the file hold their hashes only";
        tracing::warn!(file = %file.display(), plain, advice, "receiver.tokens_plain");
    }
    let failed = |source: io::Error| ListenError::Bind { address: endpoint.address.clone(), advice: advice(&source), source };
    // Tries each address of a name, like `std`.
    let listener = TcpListener::bind(&endpoint.address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Bound { listener, address, tls, tokens, complaints: Arc::new(Complaints::new(address)), timeouts: Timeouts::default() })
}

fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use; stop what listens there or choose another `endpoint`".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "not permitted; ports below 1024 need CAP_NET_BIND_SERVICE, or choose another `endpoint`".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; use one of its own, or 0.0.0.0 or [::] for all".to_owned(),
        _ => format!("{error}; `endpoint` must be host:port"),
    }
}

impl Bound {
    /// With other timeouts than the usual ones.
    pub fn with(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// The address it has: with port 0, the one that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where what is served there says whom it refuses.
    pub(super) fn complaints(&self) -> Arc<Complaints> {
        Arc::clone(&self.complaints)
    }

    /// Serves it. Paths that begin with one of `open` need no token.
    pub fn serve<S, B>(self, service: S, open: &'static [&'static str], metrics: Arc<ReceiveMetrics>) -> Listening
    where
        S: tower_service::Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (stop, kill, connections) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let loop_ = AcceptLoop {
            listener: self.listener,
            guard: Guard {
                service,
                is_for_this_machine: self.address.ip().is_loopback() && self.tokens.is_none() && self.tls.is_none(),
                tokens: self.tokens,
                open,
                complaints: self.complaints,
                metrics,
            },
            tls: self.tls,
            http: [WIDE, NARROW].map(|windows| Arc::new(http_builder(&self.timeouts, windows))),
            places: Places::default(),
            timeouts: self.timeouts,
            stop: stop.clone(),
            kill: kill.clone(),
            connections: connections.clone(),
        };
        let task = tokio::spawn(loop_.run());
        Listening { address: self.address, stop, kill: kill.drop_guard(), connections, task }
    }
}

/// A port that is served. Dropping it cuts every connection off; [`Listening::drain`] is the polite way.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    stop: CancellationToken,
    kill: DropGuard,
    connections: TaskTracker,
    task: JoinHandle<()>,
}

impl Listening {
    /// The address it has.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, tells every connection to end (GOAWAY, `Connection: close`), waits until the requests under way are answered, at
    /// most `within`, and cuts off the rest. Returns how many connections were cut off.
    pub async fn drain(self, within: Duration) -> usize {
        let Listening { stop, kill, connections, task, .. } = self;
        stop.cancel();
        // The loop ends at once; its listener closes with it.
        let _ = task.await;
        connections.close();
        let _ = tokio::time::timeout(within, connections.wait()).await;
        let cut_off = connections.len();
        drop(kill);
        connections.wait().await;
        cut_off
    }

    /// Ends only if the accept loop ends without [`Listening::drain`], which is a mistake of ours: the process should end too.
    pub async fn failed(&mut self) {
        let _ = (&mut self.task).await;
    }
}

fn http_builder(timeouts: &Timeouts, windows: Windows) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(timeouts.head).max_buf_size(HTTP1_BUFFER_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(windows.stream)
        .initial_connection_window_size(windows.connection)
        .max_frame_size(windows.frame)
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(timeouts.ping_after)
        .keep_alive_timeout(timeouts.ping_answer);
    http
}

struct AcceptLoop<S> {
    listener: TcpListener,
    tls: Option<Tls>,
    guard: Guard<S>,
    /// Wide and narrow.
    http: [Arc<auto::Builder<TokioExecutor>>; 2],
    places: Places,
    timeouts: Timeouts,
    stop: CancellationToken,
    kill: CancellationToken,
    connections: TaskTracker,
}

impl<S, B> AcceptLoop<S>
where
    S: tower_service::Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    async fn run(self) {
        let accept = async {
            loop {
                let Some(free) = self.places.free().await else { return };
                match self.listener.accept().await {
                    Ok((stream, address)) => {
                        let Some(place) = self.places.take(free, address.ip()) else {
                            self.guard.metrics.crowded_out();
                            continue;
                        };
                        let connection = self.connection(stream, address, place.is_wide());
                        let kill = self.kill.clone();
                        self.connections.spawn(async move {
                            let _place = place;
                            tokio::select! {
                                () = kill.cancelled() => {}
                                () = connection => {}
                            }
                        });
                    }
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "accept.failed");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.kill.cancelled() => {}
            () = accept => {}
        }
    }

    fn connection(&self, stream: TcpStream, address: SocketAddr, wide: bool) -> impl Future<Output = ()> + Send + 'static {
        let [for_wide, for_narrow] = &self.http;
        let http = Arc::clone(if wide { for_wide } else { for_narrow });
        let (tls, guard, stop) = (self.tls.clone(), self.guard.clone(), self.stop.clone());
        let timeouts = self.timeouts;
        async move {
            let metrics = Arc::clone(&guard.metrics);
            let _open = metrics.connected();
            // Answers are small and wait for nothing behind them.
            let _ = stream.set_nodelay(true);
            let Some(Tls(tls)) = tls else {
                return serve(stream, Caller { peer: None, address }, guard, &http, &timeouts, stop).await;
            };
            let shaken = tokio::select! {
                shaken = tokio::time::timeout(timeouts.handshake, tls.accept(stream)) => shaken,
                () = stop.cancelled() => return,
            };
            match shaken {
                Ok(Ok(stream)) => {
                    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                    let caller = Caller { peer: certificate.map(|c| Arc::new(tls::peer(c))), address };
                    serve(stream, caller, guard, &http, &timeouts, stop).await;
                }
                failed => {
                    metrics.handshake_failed();
                    let why =
                        failed.as_ref().map_or(Some(Reason::Handshake), |failed| failed.as_ref().err().and_then(Reason::of_handshake));
                    if let Some(why) = why {
                        guard.complaints.refused(why, address.ip());
                    }
                    let reason =
                        failed.map_or_else(|_| "it took too long".to_owned(), |e| e.err().map_or_else(String::new, |e| e.to_string()));
                    tracing::debug!(reason, "tls.refused");
                }
            }
        }
    }
}

/// Serves one connection to its end.
async fn serve<I, S, B>(
    io: I,
    caller: Caller,
    guard: Guard<S>,
    http: &auto::Builder<TokioExecutor>,
    timeouts: &Timeouts,
    stop: CancellationToken,
) where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: tower_service::Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let metrics = Arc::clone(&guard.metrics);
    let io = tokio::select! {
        greeted = tokio::time::timeout(timeouts.first_bytes, Patient::greet(io, timeouts.write)) => match greeted {
            Ok(Ok(Some(io))) => io,
            Ok(_) => return,
            Err(_) => return metrics.overdue(Overdue::FirstBytes),
        },
        () = stop.cancelled() => return,
    };
    let watch = io.watch();
    let connection = http.serve_connection(TokioIo::new(io), Attended { guard, caller });
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection.broken");
        if let Some(overdue) = overdue(error.as_ref(), &watch) {
            metrics.overdue(overdue);
        }
    }
}

/// What a broken connection still owed when our patience ended, if that is why it broke. Silence between two requests owes nothing.
fn overdue(error: &(dyn std::error::Error + 'static), watch: &Watch) -> Option<Overdue> {
    if watch.is_stalled() {
        return Some(Overdue::Write);
    }
    let error = error.downcast_ref::<hyper::Error>().filter(|error| error.is_timeout())?;
    // hyper's timeout of a head has no cause, that of a ping has one.
    match std::error::Error::source(error) {
        Some(_) => Some(Overdue::Ping),
        None => watch.is_asking().then_some(Overdue::Head),
    }
}

/// Errors of `accept` that concern the connection that was about to be, not the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// Lets in who has a token.
#[derive(Clone, Debug)]
struct Guard<S> {
    service: S,
    tokens: Option<Arc<Tokens>>,
    /// Listens on a loopback address, asks for no token and shows no certificate, whose name a browser would look at.
    is_for_this_machine: bool,
    open: &'static [&'static str],
    complaints: Arc<Complaints>,
    metrics: Arc<ReceiveMetrics>,
}

/// A guard with its caller: the service of one connection.
struct Attended<S> {
    guard: Guard<S>,
    caller: Caller,
}

type Answered<B> = Response<Either<Full<Bytes>, B>>;

impl<S, B> hyper::service::Service<Request<Incoming>> for Attended<S>
where
    S: tower_service::Service<Request<Incoming>, Response = Response<B>> + Clone,
{
    type Response = Answered<B>;
    type Error = S::Error;
    type Future = Choice<Ready<Result<Answered<B>, S::Error>>, MapOk<Oneshot<S, Request<Incoming>>, fn(Response<B>) -> Answered<B>>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let mut caller = self.caller.clone();
        if self.guard.is_for_this_machine && may_be_rebound(&request) {
            self.guard.metrics.ended(None, Outcome::Unsupported);
            let mut response = Response::new(Either::Left(Full::new(Bytes::from_static(MISDIRECTED.as_bytes()))));
            *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
            return Choice::Left(ready(Ok(response)));
        }
        if let Some(tokens) = &self.guard.tokens
            && !self.guard.open.iter().any(|prefix| request.uri().path().starts_with(prefix))
        {
            match tokens.peer(request.headers()) {
                // The certificate is the stronger proof and stays.
                Some(peer) => caller.peer = caller.peer.or(Some(peer)),
                None => {
                    self.guard.metrics.ended(None, Outcome::Unauthenticated);
                    self.guard.complaints.refused(Reason::Token, caller.address.ip());
                    return Choice::Left(ready(Ok(refused(&request).map(Either::Left))));
                }
            }
        }
        request.extensions_mut().insert(caller);
        let wrap: fn(Response<B>) -> Answered<B> = |response| response.map(Either::Right);
        Choice::Right(self.guard.service.clone().oneshot(request).map_ok(wrap))
    }
}

fn refused(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let media_type = MediaType::of(request.headers());
    match media_type {
        Some(MediaType::Grpc) => Refusal::Unauthenticated.to_grpc().into_http(),
        media_type => Refusal::Unauthenticated.to_http(media_type.and_then(MediaType::encoding)),
    }
}
