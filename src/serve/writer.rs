//! The log, opened for writing: what `serve` receives into, and what an operator's act works with while no `serve` runs.

use std::sync::Arc;
use std::time::Duration;

use super::keys::TellMade;
use super::on_record::on_record;
use super::vault::{Log, Place};
use super::{ServeError, keys, no_object_lock};
use crate::access::Recorder;
use crate::clock::Clock;
use crate::config::Config;
use crate::erase::{Eraser, Parts};
use crate::govern::register::{self, Register};
use crate::govern::{Deed, Governor, Trial, act_record};
use crate::promote::IdentityKey;
use crate::record::identity::IdentityMode;
use crate::seal::keys::LogKeys;
use crate::seal::{self, Pool, SealerHandle, SealerTask};
use crate::tlog::Hash;
use crate::vault::Vault;
use crate::worm::canary::{Finding, try_locks};
use crate::worm::s3::PUT_TIMEOUT_DEFAULT;
use crate::worm::{self, Locks, Mode, StoreUrl, WormStore};

/// How often `checkpoint` is published (`store.md`, "checkpoint").
const PUBLISH_INTERVAL: Duration = Duration::from_secs(10);
/// Longest wait for a receipt before a sender is told to try again: longer than any sender waits by default (10 s in the SDKs), so that it
/// is the sender who gives up first, and its resend that finds the record sealed.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Everything that a writer needs, found in order; nothing of the log was written yet.
#[derive(Debug)]
pub(super) struct Prepared {
    store: Arc<dyn WormStore>,
    keys: LogKeys,
    pub(super) identity: IdentityKey,
    pub(super) vault: Option<Vault>,
    /// What `config_change` records hold.
    configuration: String,
    /// What a canary showed, before a log is made.
    trial: Option<Trial>,
}

/// What becomes of a newest seal's promise of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Whoever made it is not disturbed.
    Respected,
    /// An operator has said that its writer is dead.
    Ignored,
}

/// Under which configuration a writer seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Under {
    /// Its own, which is recorded where it is a new one.
    Own,
    /// The one on record ([`on_record`]).
    OnRecord,
}

/// A writer at work.
#[derive(Debug)]
pub struct Writer {
    /// Everybody's way to it.
    pub sealer: SealerHandle,
    /// It.
    pub task: SealerTask,
    /// The vault's one act, where there is a vault.
    pub eraser: Option<Eraser>,
    /// What writes down who reads it.
    pub recorder: Option<Recorder>,
    /// What writes down what operators do.
    pub governor: Governor,
}

impl Prepared {
    /// Checks store, vault and keys; makes keys that are missing, where that is right.
    pub(super) async fn new(
        config: &Config,
        store: Arc<dyn WormStore>,
        clock: &dyn Clock,
        under: Under,
        tell: TellMade<'_>,
    ) -> Result<Self, ServeError> {
        check_store(config, store.as_ref()).await?;
        check_room(config, store.as_ref()).await?;
        let trial = match under {
            Under::Own => check_locks(config, store.as_ref(), clock).await?,
            Under::OnRecord => None,
        };
        let place = Place::find(config).await?;
        let keys::Keys { log: mut keys, identity } = keys::load_or_make(config, store.as_ref(), tell).await?;
        let identity = IdentityKey::new(*identity.0);
        let own = config.sealed_text(identity.id());
        let configuration = match under {
            Under::Own => own,
            Under::OnRecord => Box::pin(on_record(config, &store, &mut keys, clock, own)).await?,
        };
        let vault = match place {
            Some(place) => {
                let log = Log { store: &store, keys: &mut keys, configuration: &configuration, clock };
                Some(Box::pin(place.claim(log, tell)).await?)
            }
            None => None,
        };
        Ok(Prepared { store, keys, identity, vault, configuration, trial })
    }

    /// `config_sha256` of its seals.
    pub(super) fn config_sha256(&self) -> Hash {
        Hash::of(self.configuration.as_bytes())
    }

    /// Refuses a log whose newest seal promises another: its writer seems to be alive. In a folder a lock says so, in a bucket nothing else.
    ///
    /// KNOWN GAP: with `seal.heartbeat` off no seal promises anything, and a living writer is not noticed; it is displaced, and stops.
    async fn expect_no_other(&mut self, config: &Config, clock: &dyn Clock) -> Result<(), ServeError> {
        let log = &config.log.name;
        let found = seal::examine(&self.store, log, &mut self.keys, &config.retention.classes, clock, None).await?;
        match found.next_by.filter(|by| *by > clock.now().ceil_seconds()) {
            Some(by) => Err(ServeError::Promised { log: log.clone(), by }),
            None => Ok(()),
        }
    }

    /// Opens the log.
    pub(super) async fn open(self, config: &Config, clock: Arc<dyn Clock>, pool: Pool) -> Result<Writer, ServeError> {
        let Prepared { store, keys: LogKeys { key, next: next_key }, identity, vault, configuration, trial, .. } = self;
        let classes = Arc::new(config.retention.classes.clone());
        let first_act = trial.map(|trial| act_record(Deed::Canary(trial), &config.log.origin, clock.now(), &classes)).transpose()?;
        let options = seal::Options {
            store: Arc::clone(&store),
            log: config.log.name.clone(),
            key,
            next_key,
            vault: vault.clone(),
            classes: Arc::clone(&classes),
            clock: Arc::clone(&clock),
            pool,
            max_delay: config.seal.max_delay,
            max_bytes: usize::try_from(config.seal.max_bytes).unwrap_or(usize::MAX),
            heartbeat: config.seal.heartbeat,
            dedup_window: config.seal.dedup_window,
            dedup_bytes: config.seal.dedup_bytes,
            publish_interval: PUBLISH_INTERVAL,
            answer_within: ANSWER_WITHIN,
            // What a dead predecessor may still have on the wire.
            fence: PUT_TIMEOUT_DEFAULT,
            configuration,
            first_act,
        };
        let (sealer, task) = seal::start(options).await?;
        let register = Register::new(register::Parts {
            store: Arc::clone(&store),
            log: config.log.name.clone(),
            vkey: task.vkey.clone(),
            status: task.status.clone(),
            ceiling: config.retention.compliance_ceiling,
        });
        let governor = Governor {
            origin: config.log.origin.clone(),
            sealer: sealer.clone(),
            vault: vault.clone(),
            identity: identity.clone(),
            identity_mode: identity_mode(config),
            scrub: config.identity.scrub.clone(),
            classes: Arc::clone(&classes),
            clock: Arc::clone(&clock),
            register: register.clone(),
        };
        let recorder = vault.clone().map(|vault| Recorder {
            vault,
            sealer: sealer.clone(),
            identity: identity.clone(),
            identity_mode: identity_mode(config),
            scrub: config.identity.scrub.clone(),
            classes: Arc::clone(&classes),
            clock: Arc::clone(&clock),
        });
        let eraser = vault.map(|vault| {
            Eraser::new(Parts {
                store,
                log: config.log.name.clone(),
                vkey: task.vkey.clone(),
                vault,
                sealer: sealer.clone(),
                identity,
                identity_mode: identity_mode(config),
                realm_attribute: config.identity.realm.clone(),
                scrub: config.identity.scrub.clone(),
                classes,
                register,
                clock,
            })
        });
        if let Some(eraser) = &eraser {
            let size = task.status.borrow().tree_size;
            eraser.begin(size).await?;
        }
        Ok(Writer { sealer, task, eraser, recorder, governor })
    }
}

fn identity_mode(config: &Config) -> IdentityMode {
    match config.identity.mode {
        crate::config::IdentityMode::Vault => IdentityMode::Vault,
        crate::config::IdentityMode::Keyed => IdentityMode::Keyed,
        crate::config::IdentityMode::Plain => IdentityMode::Plain,
    }
}

impl Writer {
    /// Opens the log of a configuration while no `serve` runs. A log that does not exist is not made, and one that does goes on under the
    /// configuration on record.
    pub async fn open(config: &Config, clock: Arc<dyn Clock>, promise: Promise, tell: TellMade<'_>) -> Result<Self, ServeError> {
        let store = worm::open(&config.store.url, &config.store.options()).await?;
        if !keys::log_exists(store.as_ref(), &config.log.name).await? {
            return Err(ServeError::NoLog { log: config.log.name.clone(), store: store.describe() });
        }
        let mut prepared = Prepared::new(config, store, clock.as_ref(), Under::OnRecord, tell).await?;
        if promise == Promise::Respected && !config.store.url.is_folder() {
            prepared.expect_no_other(config, clock.as_ref()).await?;
        }
        prepared.open(config, clock, Pool::new(config.seal.pool_bytes, config.seal.admission_wait)).await
    }

    /// Closes the log: the last seal says that it stops on purpose.
    pub async fn close(self) -> Result<(), ServeError> {
        Ok(self.task.drain().await?)
    }
}

/// Refuses a bucket that is not write-once storage, unless that is what the configuration says, and a folder that cannot be written.
async fn check_store(config: &Config, store: &dyn WormStore) -> Result<(), ServeError> {
    if let StoreUrl::File(root) = &config.store.url {
        worm::local::probe(root, &config.log.name).await?;
    }
    let state = store.state().await?;
    let locked = state.versioning == Some(true) && state.object_lock == Some(true);
    if store.locks() == Locks::Enforced && !locked && !config.store.url.is_folder() {
        return Err(ServeError::NotWorm(no_object_lock(&config.store.url, &state)));
    }
    Ok(())
}

/// Before a log is made in a bucket: whether its locks hold; what was tried is told in the log's first seal. A store that takes locks and does
/// not enforce them would seal evidence that anybody may delete, and every seal would promise the contrary.
async fn check_locks(config: &Config, store: &dyn WormStore, clock: &dyn Clock) -> Result<Option<Trial>, ServeError> {
    if config.store.url.is_folder() || config.store.not_worm || keys::log_exists(store, &config.log.name).await? {
        return Ok(None);
    }
    let mode = config.retention.classes.iter().map(|(_, class)| class.mode).max().unwrap_or(Mode::Governance);
    let Some(probed) = worm::open_probed(&config.store.url, &config.store.options()).await? else { return Ok(None) };
    let tried = try_locks(probed.as_ref(), mode, clock).await;
    let trial = Trial::of(mode, &tried);
    for one in tried {
        match one.finding {
            Finding::Good(_) => {}
            Finding::Bad(why) => return Err(ServeError::NotWorm(pretender(&config.store.url, &why))),
            Finding::Odd(what) => tracing::warn!(store = %config.store.url, "{what}"),
            Finding::Unknown(why) | Finding::NotPut(why) => {
                tracing::warn!(store = %config.store.url, "whether the store enforces locks was not tried to the end: {why}; run `spanseal doctor`");
            }
        }
    }
    Ok(Some(trial))
}

fn pretender(url: &StoreUrl, why: &str) -> String {
    format!(
        "{url} takes locks and does not enforce them: {why}. Use a store that does; or set `store.not_worm: true`, and every seal says that \
         nothing keeps its records from being deleted"
    )
}

/// What would forbid to make the log, before keys are made for it.
async fn check_room(config: &Config, store: &dyn WormStore) -> Result<(), ServeError> {
    if keys::missing(config).is_none() || keys::log_exists(store, &config.log.name).await? {
        return Ok(());
    }
    seal::expect_clock(store)?;
    Ok(seal::expect_room(store, &config.log.name).await?)
}
