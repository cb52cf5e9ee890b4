//! Opening a log: make it, or find where it stands, without believing anything that was not verified.
//!
//! `store.md`, "Which version is the truth": recovery starts at `checkpoint` as an untrusted lower bound and probes exact keys,
//! exponentially, then by halves; it lists versions, because a plain DELETE hides the newest seal and a create-only put would then
//! succeed again. That stands in `newest.rs`; whose log it is, and how one is made, in `maker.rs`.

mod locks;
mod maker;
mod newest;

use std::sync::Arc;

use bytes::Bytes;

use super::chain::{SealAt, config_in_force, retried, seal_at};
use super::keys::{KeyError, LogKey, LogKeys, Mark};
use super::lineage::Lineage;
use crate::clock::{Clock, UnixSeconds};
use crate::record::canonical::Json;
use crate::retain::Classes;
use crate::tlog::Hash;
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::{LogFile, SealFile};
use crate::vault::VaultError;
use crate::worm::{PutError, ReadError, Version, WormStore, WriterGuard, log_key};

/// A writer further off the store's clock than this does not seal (`store.md`, "The seal").
pub const CLOCK_SKEW_MAX_SECONDS: i64 = 300;
/// Keys looked at behind the newest seal, to tell a hole in the log from its end.
const BEYOND_LIST_MAX: usize = 16;

/// Why a log cannot be opened for writing.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store could not be read.
    #[error("the log cannot be opened: {0}")]
    Read(#[from] ReadError),
    /// The store refused a put.
    #[error("the log cannot be opened: {0}")]
    Put(#[from] PutError),
    /// The key does not fit.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was found forbids writing.
    #[error("{0}")]
    Refused(String),
    /// What earlier attempts left in the vault could not be removed.
    #[error("the log cannot be opened: {0}")]
    Vault(#[from] VaultError),
    /// The first seal could not be committed.
    #[error("the log cannot be opened: {0}")]
    Commit(#[from] super::Fatal),
}

fn refused<T>(what: impl Into<String>) -> Result<T, OpenError> {
    Err(OpenError::Refused(what.into()))
}

/// A log as its writer finds it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) guard: WriterGuard,
    /// The newest seal; `None`: the log has none yet.
    pub(crate) newest: Option<SealFile>,
    /// Its keys.
    pub(crate) lineage: Lineage,
    /// Which of the keys at hand signs.
    pub(crate) turn: KeyTurn,
    /// The store ignores create-only puts.
    pub(crate) careful: bool,
}

/// A log that is there, and that this key may continue.
struct Found {
    file: LogFile,
    /// The oldest of `log.json`, and its bytes.
    version: Version,
    bytes: Bytes,
    newest: Option<SealFile>,
    lineage: Lineage,
    turn: KeyTurn,
}

/// Which of the keys that a configuration names signs the next seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyTurn {
    /// `log.key_file`, alone.
    Key,
    /// Both: the next seal announces the key in `log.next_key_file`, which signs alone from then on.
    Announces,
    /// `log.next_key_file`, alone: it was announced before. `log.key_file` may name its file now.
    Next,
}

/// What [`examine`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examined {
    /// When the log was made; `None`: it does not exist yet, and nothing forbids to make it.
    pub created: Option<UnixSeconds>,
    /// Its seals.
    pub seals: u64,
    /// When the newest promises another at the latest; `None`: it promises none, as the last seal of a clean stop does.
    pub next_by: Option<UnixSeconds>,
    /// Which key signs the next one.
    pub turn: KeyTurn,
}

/// Judges the log as [`start`](super::start) would, without claiming or writing anything. With `configuration` (what `Options` would get)
/// also whether the identity key is still the one that the log was written with.
pub async fn examine(
    store: &Arc<dyn WormStore>,
    log: &str,
    keys: &mut LogKeys,
    classes: &Classes,
    clock: &dyn Clock,
    configuration: Option<&str>,
) -> Result<Examined, OpenError> {
    let opening = Opening { store, log, keys, classes, clock };
    opening.examine(configuration).await
}

/// The key that made the log, whichever of its keys signs by now; of a log that is not there yet, the one that will make it. What belongs to
/// the log beyond its store is known by it.
pub async fn first_key(
    store: &Arc<dyn WormStore>,
    log: &str,
    keys: &mut LogKeys,
    classes: &Classes,
    clock: &dyn Clock,
) -> Result<VerifierKey, OpenError> {
    let opening = Opening { store, log, keys, classes, clock };
    opening.first_key().await
}

/// The configuration in force, of which `configuration` may be the text: what stands in the newest `config_change` record. `None`: the log
/// has no seal yet, or the record is gone.
pub async fn in_force(
    store: &Arc<dyn WormStore>,
    log: &str,
    keys: &mut LogKeys,
    classes: &Classes,
    clock: &dyn Clock,
    configuration: &str,
) -> Result<Option<String>, OpenError> {
    let opening = Opening { store, log, keys, classes, clock };
    let Some(Found { newest: Some(newest), lineage, .. }) = opening.judge().await? else { return Ok(None) };
    if newest.statement.config_sha256 == Hash::of(configuration.as_bytes()) {
        return Ok(Some(configuration.to_owned()));
    }
    Ok(config_in_force(store.as_ref(), log, &lineage, &newest).await?)
}

/// Refuses a clock that is far off the store's own.
pub fn expect_clock(store: &dyn WormStore) -> Result<(), OpenError> {
    match store.clock_skew_seconds().filter(|s| s.abs() > CLOCK_SKEW_MAX_SECONDS) {
        None => Ok(()),
        Some(skew) => refused(format!("this machine's clock is {skew} s off the store's own; set it right, then start again")),
    }
}

/// Refuses to make a log where something lies already.
pub async fn expect_room(store: &dyn WormStore, log: &str) -> Result<(), OpenError> {
    let prefix = format!("{log}/");
    match retried(|| store.list(&prefix, None, 1)).await?.first() {
        None => Ok(()),
        Some(found) => refused(format!(
            "a log is made only where there is nothing, but {} holds `{}`; take another `log.name`",
            store.describe(),
            found.key
        )),
    }
}

/// Refuses another identity key than the one in force: everybody would get a second pseudonym, and no two of them could ever be joined.
pub(crate) fn expect_identity(before: &str, after: &str, here: &str) -> Result<(), OpenError> {
    let (Ok(before), Ok(after)) = (Json::parse(before.as_bytes()), Json::parse(after.as_bytes())) else { return Ok(()) };
    fn member<'a>(json: &'a Json, path: &str) -> Option<&'a str> {
        json.path(path).and_then(Json::as_str)
    }
    match (member(&before, "identity.key_id"), member(&after, "identity.key_id")) {
        (Some(was), Some(is)) if was != is => refused(format!(
            "`identity.key_file` `{}` holds identity key {is}, but the log in {here} was written with identity key {was}: every person would get \
             a second pseudonym that nothing joins with the first. Restore the old identity key file; only a new log (new `log.name` and keys) \
             may begin with a new key",
            member(&after, "identity.key_file").unwrap_or_default()
        )),
        // Logs from before the key's id was written down have none to compare with.
        _ => Ok(()),
    }
}

/// What opening needs.
pub(crate) struct Opening<'a> {
    pub(crate) store: &'a Arc<dyn WormStore>,
    pub(crate) log: &'a str,
    pub(crate) keys: &'a mut LogKeys,
    pub(crate) classes: &'a Classes,
    pub(crate) clock: &'a dyn Clock,
}

impl Opening<'_> {
    /// Claims the log, makes it where there is nothing, and finds its newest seal.
    pub(crate) async fn open(mut self) -> Result<Opened, OpenError> {
        let guard = match self.store.claim(self.log).await {
            Ok(guard) => guard,
            // Which lock file it was helps nobody; where the log lies does.
            Err(PutError::Refused { reason, .. }) => {
                return refused(format!("the log `{}` in {} cannot be written: {reason}", self.log, self.store.describe()));
            }
            Err(e) => return Err(e.into()),
        };
        let key = log_key(self.log);
        let (bytes, newest, lineage, turn) = match self.judge().await? {
            Some(Found { file, version, bytes, newest, lineage, turn }) => {
                self.confirm_log_file(&lineage, &file, &version).await?;
                (bytes, newest, lineage, turn)
            }
            None => (self.create(&key).await?, None, Lineage::new(self.keys.key.verifier().clone()), self.turn_of_new()),
        };
        let careful = self.ignores_create_only(&key, bytes).await?;
        if careful && !self.store.versioned() {
            return refused(format!(
                "{} neither keeps versions nor refuses to overwrite (create-only is ignored): nothing sealed there would be safe. \
                 Switch versioning and Object Lock on",
                self.store.describe()
            ));
        }
        // Not before: it is this last put that settles an unknown one of `log.json` in a folder.
        self.bind()?;
        if let Some(seal) = &newest {
            self.confirm_newest(&lineage, seal).await?;
        }
        Ok(Opened { guard, newest, lineage, turn, careful })
    }

    /// All that [`open`](Self::open) judges, and nothing of what it writes.
    async fn examine(&self, configuration: Option<&str>) -> Result<Examined, OpenError> {
        let Some(Found { file, newest, lineage, turn, .. }) = self.judge().await? else {
            return Ok(Examined { created: None, seals: 0, next_by: None, turn: self.turn_of_new() });
        };
        if let (Some(newest), Some(after)) = (&newest, configuration)
            && newest.statement.config_sha256 != Hash::of(after.as_bytes())
            && let Some(before) = config_in_force(self.store.as_ref(), self.log, &lineage, newest).await?
        {
            expect_identity(&before, after, &self.store.describe())?;
        }
        let (seals, next_by) = newest.map_or((0, None), |s| (s.statement.index + 1, s.statement.next_by));
        Ok(Examined { created: Some(file.created), seals, next_by, turn })
    }

    async fn first_key(&self) -> Result<VerifierKey, OpenError> {
        let own = self.keys.key.verifier();
        let Some((_, bytes)) = self.oldest_log_file().await? else { return Ok(own.clone()) };
        let file = self.judge_log_file(&bytes)?;
        if file.vkey == *own {
            return Ok(file.vkey);
        }
        // Only if it leads to the key at hand is it this log's: `log.json` proves nothing.
        Ok(self.judge().await?.map_or_else(|| own.clone(), |found| found.lineage.first().clone()))
    }

    /// Whether this key may continue the log that is there, or make the one that is not (`None`). Writes nothing.
    async fn judge(&self) -> Result<Option<Found>, OpenError> {
        // Before the store is looked at: another process with this key may seal meanwhile, and what it marks then is not in what was read.
        let marks = self.keys.all().map(LogKey::mark).collect::<Result<Vec<_>, _>>()?;
        let marks: Vec<Mark> = marks.into_iter().flatten().collect();
        let Some((version, bytes)) = self.oldest_log_file().await? else {
            self.judge_creation()?;
            self.check_marks(&marks, None, None).await?;
            self.check_clock(None)?;
            expect_room(self.store.as_ref(), self.log).await?;
            return Ok(None);
        };
        let file = self.judge_log_file(&bytes)?;
        let (lineage, newest) = self.find(&file.vkey).await?;
        let turn = self.judge_keys(&file, &lineage)?;
        self.check_marks(&marks, Some(&lineage), newest.as_ref()).await?;
        self.check_clock(newest.as_ref())?;
        Ok(Some(Found { file, version, bytes, newest, lineage, turn }))
    }

    /// All that lies at a seal's key, judged under `key`.
    async fn at(&self, key: &VerifierKey, index: u64, before: Option<&SealFile>) -> Result<SealAt, OpenError> {
        let at = seal_at(self.store.as_ref(), self.log, index, &Lineage::new(key.clone()), before).await?;
        if at.forks > 0 {
            tracing::warn!(index, forks = at.forks, "log.fork.seen");
        }
        if let Some(format) = at.newer {
            return refused(format!(
                "seal {index} of the log in {} has format `{format}`, which a newer version of spanseal has signed and this one cannot read: \
                 what it signed would be signed again here. Start the newer version again",
                self.store.describe()
            ));
        }
        Ok(at)
    }

    async fn truth(&self, lineage: &Lineage, index: u64, before: Option<&SealFile>) -> Result<Option<SealFile>, OpenError> {
        Ok(self.at(lineage.at(index), index, before).await?.truth.map(|(_, _, seal)| seal))
    }

    /// What these keys committed must be here: a store that was set back to an older copy is a restored store, and no log is continued
    /// in one, or an index would be signed twice and what was acknowledged since would be gone.
    async fn check_marks(&self, marks: &[Mark], lineage: Option<&Lineage>, newest: Option<&SealFile>) -> Result<(), OpenError> {
        for mark in marks {
            let at = match (lineage, newest) {
                (Some(lineage), Some(newest)) if newest.statement.index >= mark.index => self.truth(lineage, mark.index, None).await?,
                _ => None,
            };
            if at.is_none_or(|seal| seal.leaf() != mark.leaf) {
                return refused(format!(
                    "this key has committed seal {} of the log, and {} does not hold it: the store was set back to an older copy. A log is \
                     never continued in a restored store; bring the newer copy back, or start a new log (new `log.name` and `log.key_file`)",
                    mark.index,
                    self.store.describe()
                ));
            }
        }
        Ok(())
    }

    fn check_clock(&self, newest: Option<&SealFile>) -> Result<(), OpenError> {
        let now = self.clock.now().ceil_seconds();
        expect_clock(self.store.as_ref())?;
        let behind = newest.map_or(0, |s| s.statement.sealed_at.0.saturating_sub(now.0));
        if behind > CLOCK_SKEW_MAX_SECONDS {
            let at = newest.map_or(UnixSeconds(0), |s| s.statement.sealed_at);
            return refused(format!(
                "this machine's clock says {now}, {behind} s before the newest seal ({at}); set it right, then start again"
            ));
        }
        Ok(())
    }
}
