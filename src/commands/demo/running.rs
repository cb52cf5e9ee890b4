//! `serve` inside the demo's own process, on free loopback ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::SystemClock;
use crate::config::{Config, Environment, Overrides};
use crate::promote::{IdentityKey, Promoter, Settings};
use crate::receive::{self, ReceiverState, RunningReceiver};
use crate::serve::{self, Serving, keys};

/// How long open requests may take when the demo ends; there are none.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// Where the demo keeps what.
#[derive(Debug)]
pub(super) struct Places {
    /// Store, as `--store` takes it.
    pub(super) store: String,
    /// Folder of the keys, the configuration and the forged copy.
    pub(super) keys: PathBuf,
    /// Name of the log.
    pub(super) log: String,
    /// Other lines of `store` that the reader's own configuration has (endpoint, region and so on).
    pub(super) store_options: String,
    /// Retention of everything.
    pub(super) period: &'static str,
}

impl Places {
    /// The configuration that `query`, `show` and `verify` take up afterwards.
    pub(super) fn config_file(&self) -> PathBuf {
        self.keys.join("spanseal.yaml")
    }

    /// The log's public key, for `--vkey`.
    pub(super) fn vkey_file(&self) -> PathBuf {
        self.keys.join("log.vkey")
    }

    /// Writes the configuration and reads it as every command does.
    pub(super) fn configure(&self, now: crate::clock::UnixSeconds) -> anyhow::Result<Config> {
        let text = self.yaml();
        std::fs::write(self.config_file(), &text)?;
        let overrides = Overrides { config: Some(self.config_file()), store: Some(self.store.clone()) };
        Ok(Config::load(&overrides, &Environment::of_process(), now)?)
    }

    fn yaml(&self) -> String {
        let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', "''").replace('$', "$$"));
        format!(
            "# Made by `spanseal demo`. Ports 0 are free ones; a seal closes after 100 ms, so that nobody waits for a demo.\n\
             receivers:\n  otlp:\n    protocols:\n      grpc: {{endpoint: '127.0.0.1:0'}}\n      http: {{endpoint: '127.0.0.1:0'}}\n\
             api: {{endpoint: '127.0.0.1:0'}}\n\
             seal: {{max_delay: 100ms}}\n\
             log: {{name: {log}, origin: spanseal.local/{log}, key_file: {log_key}}}\n\
             identity: {{key_file: {identity}}}\n\
             retention: {{classes: [{{name: demo, mode: GOVERNANCE, period: {period}}}], default: demo}}\n\
             store:\n  url: {store}\n{options}",
            log = self.log,
            log_key = quoted(&self.keys.join("log.key")),
            identity = quoted(&self.keys.join("identity.key")),
            period = self.period,
            options = self.store_options,
            store =
                quoted(Path::new(&crate::worm::StoreUrl::parse(&self.store).map_or_else(|_| self.store.clone(), |url| url.to_string()))),
        )
    }
}

/// A server at work.
pub(super) struct Running {
    pub(super) serving: Serving,
    receiver: RunningReceiver,
    /// OTLP/gRPC.
    pub(super) grpc: SocketAddr,
    /// OTLP/HTTP.
    pub(super) http: SocketAddr,
}

impl Running {
    pub(super) async fn start(config: &Config) -> anyhow::Result<Self> {
        let clock = Arc::new(SystemClock);
        let serving = serve::start(config, clock.clone()).await?;
        let identity = keys::load_identity(&config.identity.key_file)?;
        let settings = Settings::new(Arc::new(config.retention.classes.clone()), IdentityKey::new(*identity.0));
        let promoter = Promoter::new(settings).map_err(anyhow::Error::msg)?;
        let state = ReceiverState {
            promoter: Arc::new(promoter),
            sealer: serving.sealer.clone(),
            clock,
            origin: config.log.origin.clone(),
            metrics: Arc::default(),
        };
        let port = || receive::Port {
            endpoint: receive::Endpoint { address: "127.0.0.1:0".to_owned(), tls: None, token_file: None },
            request_bytes_max: 16 * 1024 * 1024,
        };
        let receiver = receive::start(&receive::Options { grpc: Some(port()), http: Some(port()) }, state).await?;
        let address = |found: Option<SocketAddr>| found.ok_or_else(|| anyhow::anyhow!("a receiver has no address"));
        let (grpc, http) = (address(receiver.grpc_address())?, address(receiver.http_address())?);
        Ok(Running { serving, receiver, grpc, http })
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.receiver.drain(DRAIN_WITHIN).await;
        Ok(self.serving.drain().await?)
    }
}
