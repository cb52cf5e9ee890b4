//! Why a process does not serve, or no longer.

use super::keys::KeysError;
use super::ports::BindError;
use crate::clock::UnixSeconds;
use crate::elsewhere::PlaceError;
use crate::erase::EraseError;
use crate::govern::GovernError;
use crate::metrics::ExportError;
use crate::receive::{ListenError, ReceiveError};
use crate::seal;
use crate::vault::VaultError;
use crate::witness::client::ClientError;
use crate::worm;

/// Each is one sentence for an operator.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener could not be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A listener, its certificates or its tokens cannot be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The receiver could not start.
    #[error(transparent)]
    Receive(#[from] ReceiveError),
    /// Settings that the promoter refuses.
    #[error("{0}")]
    Promotion(String),
    /// Places that content is fetched from.
    #[error(transparent)]
    Elsewhere(#[from] PlaceError),
    /// Time stamping authorities.
    #[error("time stamps: {0}")]
    Stamping(String),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] worm::OpenError),
    /// The store could not be asked how it stands.
    #[error("the store cannot be used: {0}")]
    State(#[from] worm::ReadError),
    /// A bucket without Object Lock.
    #[error("{0}")]
    NotWorm(String),
    /// The vault cannot be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What was erased could not be compared with what the vault keeps.
    #[error("the vault cannot be used, so it is not known whether what was erased stays erased: {0}")]
    Erased(#[from] EraseError),
    /// What a canary showed could not be put into the log's first seal.
    #[error("what the canary showed cannot be recorded: {0}")]
    Unrecorded(#[from] GovernError),
    /// What the vault keeps cannot be opened.
    #[error(
        "`content.vault.key_file` `{path}` does not exist, but the vault {url} keeps things of the log `{log}`: bring the file back from where it \
         is backed up. A new key would not open them; if nobody needs them any more, move that vault away or let `content.vault.url` name \
         another place"
    )]
    VaultKeyLost {
        /// Where it should be.
        path: String,
        /// The vault.
        url: String,
        /// Name of the log.
        log: String,
    },
    /// A vault that was in use is not there.
    #[error(
        "the log `{log}` keeps content and persons in the vault {url}, and nothing of that vault is there: mount it, or bring it back from where it \
         is backed up. If it is lost for good, let `content.vault.url` name another place: a new vault begins there, and the log says so"
    )]
    VaultGone {
        /// Where it should be.
        url: String,
        /// Name of the log.
        log: String,
    },
    /// There is nothing to work on.
    #[error("there is no log `{log}` in {store}; check `log.name` and `store.url`")]
    NoLog {
        /// Its name.
        log: String,
        /// Where it is not.
        store: String,
    },
    /// A command may not choose how the log is written.
    #[error(
        "this configuration differs from the one on record, under which the log `{log}` is written, in {members}, and only `serve` changes \
         that: give the configuration that `serve` is started with, or start `serve` with this one first"
    )]
    OtherConfiguration {
        /// Its name.
        log: String,
        /// In what.
        members: String,
    },
    /// Nothing says how the log is written.
    #[error("the log `{log}` has no record of a configuration in force that could be read; start `serve`, which writes one")]
    Unconfigured {
        /// Its name.
        log: String,
    },
    /// Another process seems to write the log.
    #[error(
        "the newest seal of the log `{log}` promises another by {by}, so a `serve` seems to write it, though none answers at `api.endpoint`: \
         run this where it answers, or stop it first (a seal of a clean stop promises nothing). If it is dead, wait until then, or give \
         --offline, by which a `serve` that is alive would be displaced and stop"
    )]
    Promised {
        /// Its name.
        log: String,
        /// Until when to wait.
        by: UnixSeconds,
    },
    /// Key files.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The log could not be opened.
    #[error(transparent)]
    Log(#[from] seal::OpenError),
    /// The writer has stopped for good.
    #[error("the writer stopped: {0}")]
    Writer(#[from] seal::Fatal),
    /// A background task ended though nobody asked it to.
    #[error("{task} ended by itself: {reason}; this process ends, so that whoever supervises it starts a new one")]
    Ended {
        /// Which.
        task: &'static str,
        /// Why.
        reason: String,
    },
    /// Witnesses that cannot be asked.
    #[error(transparent)]
    Witnesses(#[from] ClientError),
    /// Own metrics.
    #[error(transparent)]
    Export(#[from] ExportError),
}
