//! `serve` inside the demo's own process, on free loopback ports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;

use crate::clock::SystemClock;
use crate::config::{Config, Environment, Overrides};
use crate::serve::{self, Serving};
use crate::worm::StoreUrl;

/// Where the demo keeps what.
#[derive(Debug)]
pub(super) struct Places {
    /// Store, as `--store` takes it.
    pub(super) store: String,
    /// Folder of the keys, the configuration and the forged copy.
    pub(super) keys: PathBuf,
    /// Folder of the vault.
    pub(super) vault: PathBuf,
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
        let overrides = Overrides { config: Some(self.config_file()), store: Some(self.store.clone()), ..Overrides::default() };
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
             content: {{vault: {{url: {vault}, key_file: {vault_key}}}}}\n\
             retention: {{classes: [{{name: demo, mode: GOVERNANCE, period: {period}}}], default: demo}}\n\
             store:\n  url: {store}\n{options}",
            log = self.log,
            log_key = quoted(&self.keys.join("log.key")),
            identity = quoted(&self.keys.join("identity.key")),
            vault = quoted(Path::new(&StoreUrl::File(self.vault.clone()).to_string())),
            vault_key = quoted(&self.keys.join("vault.key")),
            period = self.period,
            options = self.store_options,
            store = quoted(Path::new(&StoreUrl::parse(&self.store).map_or_else(|_| self.store.clone(), |url| url.to_string()))),
        )
    }
}

/// A server at work.
pub(super) struct Running {
    pub(super) serving: Serving,
    /// OTLP/gRPC.
    pub(super) grpc: SocketAddr,
    /// OTLP/HTTP.
    pub(super) http: SocketAddr,
}

impl Running {
    pub(super) async fn start(config: &Config) -> anyhow::Result<Self> {
        let serving = Box::pin(serve::start(config, Arc::new(SystemClock), &|_, _| {})).await?;
        let at = |protocol: &str| {
            let found = serving.listening().into_iter().find(|(what, _)| what.starts_with(protocol));
            found.map(|(_, address)| address).with_context(|| format!("nothing listens for {protocol}"))
        };
        let (grpc, http) = (at("OTLP/gRPC")?, at("OTLP/HTTP")?);
        Ok(Running { serving, grpc, http })
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        Ok(self.serving.drain().await?)
    }
}
