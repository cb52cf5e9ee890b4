//! The receiver of `serve` without what is behind it: senders are answered as they would be, and nothing is stored.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::super::output;
use crate::cli::LintArgs;
use crate::clock::SystemClock;
use crate::config::{Config, Endpoint};
use crate::lint::{Input, Linter};
use crate::otlp::answer::Signal;
use crate::promote::{Context, Tally, Unpromoted};
use crate::receive::{self, Promote, ReceiveMetrics, ReceiverState, Timeouts};
use crate::record::Batch;
use crate::seal::{Pool, SealerHandle};

/// How long open requests may take to their answers at the end. Nothing is waited for behind them.
const DRAIN_WITHIN: Duration = Duration::from_secs(2);
/// How often the person at a terminal hears how much came.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// Answers name the log that a request is sealed in; nobody may take this for one.
const NO_LOG: &str = "none; spanseal lint keeps nothing";

/// Receives until the time is over, enough came, or somebody interrupts.
pub(super) async fn receive(
    args: &LintArgs,
    endpoint: Option<&Endpoint>,
    config: &Config,
    linter: &Arc<Mutex<Linter>>,
) -> anyhow::Result<Input> {
    let enough = Arc::new(Notify::new());
    let watching = Arc::new(Watching {
        linter: Arc::clone(linter),
        requests: Mutex::new(0),
        count: args.count.and_then(|count| u64::try_from(count).ok()),
        enough: Arc::clone(&enough),
    });
    let state = ReceiverState {
        promoter: watching.clone(),
        sealer: SealerHandle::without_writer(Pool::new(config.seal.pool_bytes, config.seal.admission_wait)),
        clock: Arc::new(SystemClock),
        origin: NO_LOG.to_owned(),
        metrics: Arc::<ReceiveMetrics>::default(),
        elsewhere: None,
    };
    let mut receiver = receive::start(&options(config, endpoint), state).await?;
    output::tell("NOTHING IS KEPT: lint only looks. Senders are answered with success, and no answer is a receipt.");
    for (what, at) in [("OTLP/gRPC", receiver.grpc_address()), ("OTLP/HTTP", receiver.http_address())] {
        if let Some(at) = at {
            output::tell(&format!("listening {at}  {what}; nothing is stored"));
        }
    }
    let over = async {
        match args.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => {}
        () = enough.notified() => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        () = receiver.failed() => anyhow::bail!("an OTLP listener stopped by itself; try again"),
        () = watching.tell() => {}
    }
    receiver.drain(DRAIN_WITHIN).await;
    let requests = *watching.requests.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = linter.lock().unwrap_or_else(PoisonError::into_inner).items();
    let nothing = (seen == 0).then(|| match requests {
        0 => "no request with spans or logs came; is one of the addresses above the sender's OTEL_EXPORTER_OTLP_ENDPOINT?".to_owned(),
        _ => "requests came, and no span and no log was in them".to_owned(),
    });
    Ok(Input { name: "otlp".to_owned(), requests, nothing, error: None })
}

/// The configured listeners, or those that were asked for on the command line.
fn options(config: &Config, endpoint: Option<&Endpoint>) -> receive::Options {
    let port = |receiver: &crate::config::Receiver, at: Option<u16>| {
        let mut listener = receiver.listener.to_endpoint();
        if let (Some(endpoint), Some(port)) = (endpoint, at) {
            listener.address = Endpoint { host: endpoint.host.clone(), port }.to_string();
        }
        receive::Port { endpoint: listener, request_bytes_max: usize::try_from(receiver.request_bytes_max).unwrap_or(usize::MAX) }
    };
    let next = |port: u16| if port == 0 { Some(0) } else { port.checked_add(1) };
    receive::Options {
        grpc: config.receivers.grpc.as_ref().map(|receiver| port(receiver, endpoint.map(|e| e.port))),
        http: config.receivers.http.as_ref().map(|receiver| port(receiver, endpoint.and_then(|e| next(e.port)))),
        timeouts: Timeouts::default(),
    }
}

/// Stands where the promoter stands in `serve`.
#[derive(Debug)]
struct Watching {
    linter: Arc<Mutex<Linter>>,
    requests: Mutex<u64>,
    /// Stop after so many spans and logs.
    count: Option<u64>,
    enough: Arc<Notify>,
}

impl Watching {
    fn see(&self, signal: Signal, request: &[u8], context: Context<'_>) -> Result<Tally, Unpromoted> {
        let mut linter = self.linter.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = linter.body(signal, request, context.received);
        if self.count.is_some_and(|count| linter.items() >= count) {
            self.enough.notify_one();
        }
        drop(linter);
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        seen.map_err(|broken| Unpromoted::Malformed(crate::otlp::wire::Malformed(broken.what)))
    }

    /// Says now and then how much came, to a person only.
    async fn tell(&self) {
        if !std::io::stderr().is_terminal() {
            return std::future::pending().await;
        }
        let mut last = 0;
        loop {
            tokio::time::sleep(TELL_EVERY).await;
            let totals = self.linter.lock().unwrap_or_else(PoisonError::into_inner).totals();
            if totals.spans + totals.logs != last {
                last = totals.spans + totals.logs;
                output::tell(&format!(
                    "{} spans and {} logs, {} of them AI; Ctrl-C ends and reports",
                    totals.spans, totals.logs, totals.promoted
                ));
            }
        }
    }
}

impl Promote for Watching {
    fn traces(&self, request: &[u8], context: Context<'_>, _: &mut Batch) -> Result<Tally, Unpromoted> {
        self.see(Signal::Traces, request, context)
    }

    fn logs(&self, request: &[u8], context: Context<'_>, _: &mut Batch) -> Result<Tally, Unpromoted> {
        self.see(Signal::Logs, request, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixSeconds;
    use crate::config::{Environment, Overrides};

    /// `--listen HOST:PORT` moves both listeners, and leaves what else is configured.
    #[test]
    fn the_endpoint_moves_both_ports() {
        let config = Config::parse("t", "", &Overrides::default(), &Environment::default(), UnixSeconds(1_800_000_000)).unwrap();
        let at = |endpoint: Option<Endpoint>| {
            let options = options(&config, endpoint.as_ref());
            (options.grpc.unwrap().endpoint.address, options.http.unwrap().endpoint.address)
        };
        assert_eq!(at(None), ("127.0.0.1:4317".to_owned(), "127.0.0.1:4318".to_owned()));
        assert_eq!(at(Some(Endpoint { host: "::1".into(), port: 5000 })), ("[::1]:5000".to_owned(), "[::1]:5001".to_owned()));
        assert_eq!(at(Some(Endpoint::loopback(0))), ("127.0.0.1:0".to_owned(), "127.0.0.1:0".to_owned()));
    }
}
