//! From a configuration to a running process, and down again.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::beside::Beside;
use super::bind;
use super::error::ServeError;
use super::holder::Holder;
use super::keeper::Keeper;
use super::keys::TellMade;
use super::writer::{ANSWER_WITHIN, Prepared, Under, Writer};
use crate::api::{self, Act, Acts, Api, Outsiders, Receipts, Standing, Whose};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::elsewhere::Elsewhere;
use crate::govern::Attesting;
use crate::metrics::{Exporter, Metrics, ObservedStore, Process, ReceiveFigures, SealFigures};
use crate::promote::Promoter;
use crate::receive::listen::{self, Listening};
use crate::receive::{self, ReceiveMetrics, ReceiverState, RunningReceiver, Strays, Timeouts};
use crate::seal::{KeyTurn, Pool, SealerHandle, SealerTask};
use crate::stamping::{Stamper, Stamping};
use crate::tlog::Hash;
use crate::tlog::note::VerifierKey;
use crate::vault::Vault;
use crate::witness::client::Collecting;
use crate::worm::{self, WormStore};

/// How long open requests may take to their receipts when the process is told to stop: below the 30 s that Kubernetes gives.
const DRAIN_WITHIN: Duration = Duration::from_secs(20);
// A batch that waits its whole `seal.max_delay` still has as long again to be sealed in, and a stop does not cut its requests off.
const _: () = assert!(
    config::MAX_DELAY_MAX.as_millis() * 2 <= ANSWER_WITHIN.as_millis() && config::MAX_DELAY_MAX.as_millis() < DRAIN_WITHIN.as_millis()
);

/// What witnesses are given for the last checkpoint.
const WITNESSES_WITHIN: Duration = Duration::from_secs(3);
/// The API answers at once.
const API_DRAIN_WITHIN: Duration = Duration::from_secs(1);

/// A running process: all stages, and what a reader wants to know of them.
#[derive(Debug)]
pub struct Serving {
    /// Where the API answers.
    pub api: SocketAddr,
    /// The public half of the key that signs.
    pub vkey: VerifierKey,
    /// What its seals say of the configuration and the identity key.
    pub config_sha256: Hash,
    /// The store, counted and timed.
    pub store: Arc<dyn WormStore>,
    /// Everybody's way to the writer.
    pub sealer: SealerHandle,
    task: SealerTask,
    receiver: RunningReceiver,
    standing: Arc<Standing>,
    api_port: Listening,
    keeper: Option<Keeper>,
    holder: Holder,
    stamping: Option<Stamping>,
    attesting: Option<Attesting>,
    witnesses: Option<Collecting>,
    exporter: Option<Exporter>,
}

/// Waits until the client of the witnesses ends by itself; for ever where there is none.
async fn failed(witnesses: Option<&mut Collecting>) -> String {
    match witnesses {
        Some(witnesses) => witnesses.failed().await,
        None => std::future::pending().await,
    }
}

/// Starts everything. What fails here has received nothing; it may have made key files, which `tell` got to know.
pub async fn start(config: &Config, clock: Arc<dyn Clock>, tell: TellMade<'_>) -> Result<Serving, ServeError> {
    check_listeners(config).await?;
    let api_bound = listen::bind(&config.api.to_endpoint()).await?;
    let elsewhere = match config.content.references.from.as_slice() {
        [] => None,
        _ => Some(Arc::new(Elsewhere::open(&config.content.references, &config.store.options().s3).await?)),
    };

    let stamper = match config.log.timestamping.authorities.as_slice() {
        [] => None,
        _ => Some(Stamper::open(&config.log.timestamping).await.map_err(ServeError::Stamping)?),
    };

    let observed = ObservedStore::new(worm::open(&config.store.url, &config.store.options()).await?);
    let store: Arc<dyn WormStore> = Arc::new(observed.clone());
    let prepared = Prepared::new(config, Arc::clone(&store), clock.as_ref(), Under::Own, tell).await?;
    let acts = Acts::new(prepared.vault.as_ref().map(Vault::vault_key), &prepared.identity, config.api.is_in_the_clear());

    let standing = Arc::new(Standing::new(Arc::clone(&clock), config.seal.heartbeat));
    let metrics = Metrics::default();
    metrics.register(Arc::new(Process::new(Arc::clone(&clock), Arc::clone(&standing))));
    metrics.register(Arc::new(observed.clone()));

    let api = api_bound.address();
    let receipts = Receipts::new(Arc::clone(&store), &config.log.name, Arc::clone(&clock));
    metrics.register(receipts.figures());
    let received = Arc::<ReceiveMetrics>::default();
    metrics.register(Arc::new(ReceiveFigures(Arc::clone(&received))));
    let routes = api::router(Api {
        log: config.log.name.clone(),
        origin: config.log.origin.clone(),
        standing: Arc::clone(&standing),
        store: Arc::clone(&store),
        metrics: metrics.clone(),
        acts: acts.clone(),
        receipts: receipts.clone(),
        strays: Strays::new(api, Arc::clone(&received)),
    });
    // Probes have no token; what they learn is one word. What only holders of the log's secrets may ask for has one of its own.
    // Nothing is at the paths of OTLP but the advice to use another port: a token that is asked for first would refuse for good.
    const OPEN: [&str; 9] = {
        let [traces, logs, metrics, grpc] = receive::OTLP_PATHS;
        let [erase, access, govern] = [Act::Erase.path(), Act::Access.path(), Act::Govern.path()];
        ["/healthz", "/readyz", erase, access, govern, traces, logs, metrics, grpc]
    };
    let api_port = api_bound.serve(routes, &OPEN, Arc::default());

    let persons = prepared.vault.as_ref().map(Vault::persons).unwrap_or_default();
    let promoter = Promoter::new(config.promotion_settings(prepared.identity.clone(), persons)).map_err(ServeError::Promotion)?;
    let pool = Pool::new(config.seal.pool_bytes, config.seal.admission_wait);
    let config_sha256 = prepared.config_sha256();
    let keeping = prepared.vault.clone();
    let opened = Instant::now();
    let Writer { sealer, task, eraser, recorder, governor } = Box::pin(prepared.open(config, Arc::clone(&clock), pool.clone())).await?;
    let whose = Whose::of(store.as_ref(), &config.log.name, &config.log.origin).await?;
    let whose = whose.ok_or_else(|| ServeError::NoLog { log: config.log.name.clone(), store: store.describe() })?;
    let sealing = Arc::new(SealFigures { stats: Arc::clone(&task.stats), pool, clock: Arc::clone(&clock) });
    metrics.register(sealing.clone());
    let exporter = config
        .telemetry
        .otlp
        .as_ref()
        .map(|to| Exporter::start(to, &metrics, observed.distributions().chain(sealing.distributions())))
        .transpose()?;
    let vkey = task.vkey.clone();
    let beside = Beside { config, store: &store, clock: &clock, metrics: &metrics, task: &task, governor: &governor };
    let witnesses = beside.witnesses().await?;
    // Last: nothing that may fail comes after the first request that can be received.
    let keeper = keeping.and_then(|vault| beside.keeper(vault, eraser.clone(), opened));
    let holder = beside.holder();
    let outsiders = Outsiders {
        witnesses: witnesses.as_ref().map(|witnesses| Arc::clone(&witnesses.figures)),
        stamping: stamper.as_ref().map(Stamper::figures),
    };
    let stamping = stamper.map(|stamper| beside.stamping(stamper));
    let attesting = beside.attesting();
    let state = ReceiverState {
        promoter: Arc::new(promoter),
        sealer: sealer.clone(),
        clock,
        origin: config.log.origin.clone(),
        metrics: received,
        elsewhere,
    };
    let receiver = receive::start(&receive_options(config), state).await?;
    standing.seen_by(outsiders);
    standing.opened(task.status.clone(), Arc::clone(&task.stats));
    acts.opened(whose, eraser, recorder, Some(governor));
    receipts.opened(vkey.clone());
    Ok(Serving {
        api,
        vkey,
        config_sha256,
        store,
        sealer,
        task,
        receiver,
        standing,
        api_port,
        keeper,
        holder,
        stamping,
        attesting,
        witnesses,
        exporter,
    })
}

/// A port that is taken, and a file of tokens or certificates that is not there, is found before keys and a log are made, which may be locked for
/// years. The ports are let go again: nobody should reach a receiver that cannot receive yet.
async fn check_listeners(config: &Config) -> Result<(), ServeError> {
    for (key, listener) in
        [("receivers.otlp.protocols.grpc", &config.receivers.grpc), ("receivers.otlp.protocols.http", &config.receivers.http)]
    {
        if let Some(receiver) = listener {
            bind(key, &receiver.listener.endpoint).await?;
            listen::check_files(&receiver.listener.to_endpoint())?;
        }
    }
    bind("api", &config.api.endpoint).await?;
    Ok(())
}

fn receive_options(config: &Config) -> receive::Options {
    let port = |receiver: &config::Receiver| receive::Port {
        endpoint: receiver.listener.to_endpoint(),
        request_bytes_max: usize::try_from(receiver.request_bytes_max).unwrap_or(usize::MAX),
    };
    receive::Options {
        grpc: config.receivers.grpc.as_ref().map(port),
        http: config.receivers.http.as_ref().map(port),
        timeouts: Timeouts::default(),
    }
}

impl Serving {
    /// Whether the log has changed to the key of `log.next_key_file`, and when.
    pub fn key_turn(&self) -> KeyTurn {
        self.task.turn
    }

    /// What listens where.
    pub fn listening(&self) -> Vec<(&'static str, SocketAddr)> {
        let grpc = self.receiver.grpc_address().map(|at| ("OTLP/gRPC", at));
        let http = self.receiver.http_address().map(|at| ("OTLP/HTTP", at));
        grpc.into_iter().chain(http).chain([("API (health, metrics, checkpoint)", self.api)]).collect()
    }

    /// Waits until a background task ends by itself, which none does while all is well.
    pub async fn failed(&mut self) -> ServeError {
        tokio::select! {
            ended = self.task.ended() => match ended {
                Err(fatal) => fatal.into(),
                Ok(()) => ServeError::Ended { task: "the writer", reason: "it was told to".to_owned() },
            },
            () = self.receiver.failed() => ServeError::Ended { task: "an OTLP listener", reason: "its accept loop stopped".to_owned() },
            why = Keeper::failed(self.keeper.as_mut()) => ServeError::Ended { task: "the vault's keeper", reason: why },
            why = self.holder.failed() => ServeError::Ended { task: "the keeper of holds", reason: why },
            why = Stamping::failed(self.stamping.as_mut()) => ServeError::Ended { task: "the time stamping", reason: why },
            why = Attesting::failed(self.attesting.as_mut()) => ServeError::Ended { task: "the attesting of locks", reason: why },
            why = failed(self.witnesses.as_mut()) => ServeError::Ended { task: "the client of the witnesses", reason: why },
            () = self.api_port.failed() => ServeError::Ended { task: "the API listener", reason: "its accept loop stopped".to_owned() },
        }
    }

    /// Stops in this order: let the writer close its seals early; stop accepting; refuse new work retryably; let open requests reach their
    /// receipt; leave the vault, holds, the time stamps and the locks alone; seal what is pending and say in that seal that it stops on purpose; publish the checkpoint; have it
    /// cosigned; stop the API; push the last figures.
    pub async fn drain(self) -> Result<(), ServeError> {
        self.standing.drain();
        self.task.hurry();
        let cut_off = self.receiver.drain(DRAIN_WITHIN).await;
        // An erasure that is under way is finished at the next start.
        if let Some(keeper) = self.keeper {
            keeper.stop().await;
        }
        // What it held is told to the log while there is a writer.
        self.holder.stop().await;
        // What was not stamped yet is stamped by the next process.
        if let Some(stamping) = self.stamping {
            stamping.stop().await;
        }
        // What it looked at is looked at again by the next process.
        if let Some(attesting) = self.attesting {
            attesting.stop().await;
        }
        let sealed = self.task.drain().await;
        // The last seal too is better cosigned; but a witness that is away keeps nobody from stopping.
        if let Some(witnesses) = self.witnesses {
            witnesses.finish(WITNESSES_WITHIN).await;
        }
        let _ = self.api_port.drain(API_DRAIN_WITHIN).await;
        if let Some(exporter) = self.exporter {
            // Blocks on the network, so not on an async thread; its outcome changes nothing that was promised.
            let _ = tokio::task::spawn_blocking(move || exporter.stop()).await;
        }
        tracing::info!(cut_off, "serve.stopped");
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
