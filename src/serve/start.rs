//! From a configuration to a running process, and down again.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::error::ServeError;
use super::{bind, keys, no_object_lock};
use crate::api::{self, Api, Standing};
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::{Exporter, Metrics, ObservedStore, Process, SealFigures};
use crate::seal::{self, Pool, SealerHandle, SealerTask};
use crate::tlog::note::VerifierKey;
use crate::worm::s3::PUT_TIMEOUT_DEFAULT;
use crate::worm::{self, Locks, StoreUrl, WormStore};

/// How often `checkpoint` is published (`store.md`, "checkpoint").
const PUBLISH_INTERVAL: Duration = Duration::from_secs(10);
/// Longest wait for a receipt before a sender is told to try again: longer than any sender waits by default (10 s in the SDKs), so that it
/// is the sender who gives up first, and its resend that finds the record sealed.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A running process: all stages, and what a reader wants to know of them.
#[derive(Debug)]
pub struct Serving {
    /// Where the API answers.
    pub api: SocketAddr,
    /// The log's public key.
    pub vkey: VerifierKey,
    /// Files that were made at this start; the operator should back them up.
    pub made: Vec<String>,
    /// The store, counted and timed.
    pub store: Arc<dyn WormStore>,
    /// Everybody's way to the writer.
    pub sealer: SealerHandle,
    task: SealerTask,
    standing: Arc<Standing>,
    stop_api: CancellationToken,
    api_task: JoinHandle<Result<(), String>>,
    exporter: Option<Exporter>,
}

/// Starts everything. What fails here has received nothing.
pub async fn start(config: &Config, clock: Arc<dyn Clock>) -> Result<Serving, ServeError> {
    let api_listener = bind("api", &config.api.endpoint).await?;

    let observed = ObservedStore::new(worm::open(&config.store.url, &config.store.options()).await?);
    let store: Arc<dyn WormStore> = Arc::new(observed.clone());
    check_store(config, store.as_ref()).await?;
    let keys::Keys { log: key, identity: _, made } = keys::load_or_make(config, store.as_ref()).await?;
    let vkey = key.verifier().clone();

    let standing = Arc::new(Standing::new(Arc::clone(&clock), config.seal.heartbeat));
    let metrics = Metrics::default();
    metrics.register(Arc::new(Process::new(Arc::clone(&clock), Arc::clone(&standing))));
    metrics.register(Arc::new(observed.clone()));

    let api = local_address(&api_listener);
    let routes = api::router(Api {
        log: config.log.name.clone(),
        standing: Arc::clone(&standing),
        store: Arc::clone(&store),
        metrics: metrics.clone(),
    });
    let stop_api = CancellationToken::new();
    let stopped = stop_api.clone().cancelled_owned();
    let api_task =
        tokio::spawn(async move { axum::serve(api_listener, routes).with_graceful_shutdown(stopped).await.map_err(|e| e.to_string()) });

    let pool = Pool::new(config.seal.pool_bytes, config.seal.admission_wait);
    let options = seal::Options {
        store: Arc::clone(&store),
        log: config.log.name.clone(),
        key,
        classes: Arc::new(config.retention.classes.clone()),
        clock: Arc::clone(&clock),
        pool: pool.clone(),
        max_delay: config.seal.max_delay,
        max_bytes: usize::try_from(config.seal.max_bytes).unwrap_or(usize::MAX),
        heartbeat: config.seal.heartbeat,
        dedup_window: config.seal.dedup_window,
        dedup_bytes: config.seal.dedup_bytes,
        publish_interval: PUBLISH_INTERVAL,
        answer_within: ANSWER_WITHIN,
        // What a dead predecessor may still have on the wire.
        fence: PUT_TIMEOUT_DEFAULT,
        configuration: config.redacted_json().to_jcs_string(),
    };
    let (sealer, task) = seal::start(options).await?;
    metrics.register(Arc::new(SealFigures { stats: Arc::clone(&task.stats), pool, clock }));
    standing.opened(task.status.clone(), Arc::clone(&task.stats));
    let exporter = config.telemetry.otlp.as_ref().map(|to| Exporter::start(to, &metrics, &observed)).transpose()?;
    Ok(Serving { api, vkey, made, store, sealer, task, standing, stop_api, api_task, exporter })
}

fn local_address(listener: &tokio::net::TcpListener) -> SocketAddr {
    // A bound socket has an address; the other arm is never met.
    listener.local_addr().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
}

/// Refuses a bucket that is not write-once storage, unless that is what the configuration says.
async fn check_store(config: &Config, store: &dyn WormStore) -> Result<(), ServeError> {
    let state = store.state().await?;
    let locked = state.versioning == Some(true) && state.object_lock == Some(true);
    if store.locks() == Locks::Enforced && !locked && matches!(config.store.url, StoreUrl::S3 { .. }) {
        return Err(ServeError::NotWorm(no_object_lock(&config.store.url)));
    }
    Ok(())
}

impl Serving {
    /// What listens where.
    pub fn listening(&self) -> Vec<(&'static str, SocketAddr)> {
        vec![("API (health, metrics, checkpoint)", self.api)]
    }

    /// Waits until a background task ends by itself, which none does while all is well.
    pub async fn failed(&mut self) -> ServeError {
        tokio::select! {
            ended = self.task.ended() => match ended {
                Err(fatal) => fatal.into(),
                Ok(()) => ServeError::Ended { task: "the writer", reason: "it was told to".to_owned() },
            },
            ended = &mut self.api_task => {
                let reason = match ended {
                    Ok(Ok(())) => "it was told to".to_owned(),
                    Ok(Err(reason)) => reason,
                    Err(broken) => broken.to_string(),
                };
                ServeError::Ended { task: "the API listener", reason }
            }
        }
    }

    /// Stops in this order: stop accepting; refuse new work retryably; let open requests reach their receipt; seal what is pending and say
    /// in that seal that it stops on purpose; publish the checkpoint; stop the API; push the last figures.
    pub async fn drain(self) -> Result<(), ServeError> {
        tracing::info!("drain.started");
        self.standing.drain();
        let sealed = self.task.drain().await;
        self.stop_api.cancel();
        let _ = self.api_task.await;
        if let Some(exporter) = self.exporter {
            // Blocks on the network, so not on an async thread; its outcome changes nothing that was promised.
            let _ = tokio::task::spawn_blocking(move || exporter.stop()).await;
        }
        tracing::info!("drain.finished");
        sealed.map_err(ServeError::from)
    }

    /// Serves until `stop` is ready or something fails; then drains. `Ok` after a clean end.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        tokio::select! {
            error = self.failed() => Err(error),
            () = stop => self.drain().await,
        }
    }
}
