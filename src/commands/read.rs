//! What every command that reads evidence does first: open the store, gather the keys to trust, show progress, tell the problems.

use std::collections::HashSet;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use crate::cli::KeyArgs;
use crate::config::Config;
use crate::query::Problem;
use crate::query::log::{KeySource, TrustedKey, logs};
use crate::query::person::Names;
use crate::query::scan::{Answer, Request, scan};
use crate::record::apart::PersonEntry;
use crate::record::identity::IdentityKey;
use crate::seal::keys::{KeyError, LogKey};
use crate::serve::keys::{load_identity, load_vault_key};
use crate::tlog::note::VerifierKey;
use crate::vault::{Vaults, open_place};
use crate::worm::{self, WormStore};

/// Opens the configured store.
pub async fn store(config: &Config) -> anyhow::Result<Arc<dyn WormStore>> {
    Ok(worm::open(&config.store.url, &config.store.options()).await?)
}

/// The keys that the asker brings, else the configuration's own.
///
/// The default key file stands beside the default store: with another store and no configuration file it would be a stranger's key.
pub fn trusted(args: &KeyArgs, config: &Config) -> Vec<TrustedKey> {
    if !args.vkey.is_empty() {
        return args.vkey.iter().map(|key| TrustedKey { key: key.clone(), source: KeySource::Pinned }).collect();
    }
    let own = own_key(config).unwrap_or_else(|why| {
        tell_no_key(&why);
        None
    });
    own.map(|key| TrustedKey { key, source: KeySource::Configured }).into_iter().collect()
}

/// The public half of the configuration's own key, where the configuration means this store.
///
/// The embedded default names a key file that need not be there; one that a configuration means, or that cannot be used, is an error.
pub fn own_key(config: &Config) -> Result<Option<VerifierKey>, KeyError> {
    if config.file.is_none() && config.store.url.to_string() != DEFAULT_STORE {
        return Ok(None);
    }
    match LogKey::load(&config.log.key_file) {
        Ok(key) => Ok(Some(key.verifier().clone())),
        Err(KeyError::Missing(_)) if config.file.is_none() => Ok(None),
        Err(why) => Err(why),
    }
}

/// Says on stderr that the configured key counts for nothing, so that nobody takes the store's word for the operator's.
pub fn tell_no_key(why: &KeyError) {
    let why = match why {
        // Not the error's own words: a key made now would be another log's.
        KeyError::Missing(path) => format!("there is no file `{}`", path.display()),
        other => other.to_string(),
    };
    output::tell(&format!(
        "problem: the configured key (log.key_file) could not be read: {why}. Without it the key is taken from the store itself, which \
         shows only that the log agrees with itself; bring the log's public key with `--vkey`"
    ));
}

pub(super) const DEFAULT_STORE: &str = "file://./spanseal-data";

/// What is known of how names became pseudonyms, and what the vault knows of the persons `asked` for. No key file is no error: names kept
/// in the clear are found without, and what could not be compared is told. A key file that cannot be used is one.
pub async fn names(config: &Config, store: &dyn WormStore, realms: &[String], asked: &[&str]) -> anyhow::Result<Names> {
    let path = &config.identity.key_file;
    let key = match load_identity(path) {
        Ok(key) => Some(IdentityKey::new(*key.0)),
        Err(KeyError::Missing(_)) => None,
        Err(why) => return Err(why.into()),
    };
    let asked: HashSet<&str> = asked.iter().copied().filter(|asked| !asked.starts_with("ps:") && !asked.starts_with("id:")).collect();
    let known = match vaults(config).await? {
        Some(vaults) if !asked.is_empty() => persons(&vaults, store, &asked).await,
        _ => None,
    };
    Ok(Names { key, realms: realms.to_vec(), realm_attribute: config.identity.realm.clone(), vault: known })
}

/// Asks the vaults of all logs. One that cannot be asked is told, and then nobody is said to be somebody else.
async fn persons(vaults: &Vaults, store: &dyn WormStore, asked: &HashSet<&str>) -> Option<Vec<PersonEntry>> {
    let mut known = Vec::new();
    for log in logs(store).await.unwrap_or_default() {
        match vaults.of(&log).find(asked).await {
            Ok(found) => known.extend(found),
            Err(error) => {
                output::tell(&format!("problem: {error}: persons in the vault are not found by their ids"));
                return None;
            }
        }
    }
    Some(known)
}

/// The configured vaults. `None` where there is none, or not the key that opens them: what only they know is told as such.
pub async fn vaults(config: &Config) -> anyhow::Result<Option<Vaults>> {
    let Some(place) = &config.content.vault else { return Ok(None) };
    let key = match load_vault_key(&place.key_file) {
        Ok(key) => key,
        Err(KeyError::Missing(_)) => return Ok(None),
        Err(why) => return Err(why.into()),
    };
    Ok(Some(Vaults { store: open_place(&place.url, &config.store.options()).await?, key }))
}

/// Searches, with progress on a terminal.
pub async fn search(store: &Arc<dyn WormStore>, request: &Request) -> anyhow::Result<Answer> {
    let progress = progress();
    let answer = scan(store, request, &progress).await.with_context(|| format!("store {} could not be searched", store.describe()))?;
    for problem in &answer.problems {
        tell(problem);
    }
    Ok(answer)
}

/// One line on stderr.
pub fn tell(problem: &Problem) {
    output::tell(&format!("problem: {problem}"));
}

/// A bar that appears only on a terminal, and only for work that lasts.
fn progress() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(4));
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("  searched {pos} of {len} seals {bar:30} {eta}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// Width of the terminal that stdout is, if it is one.
pub fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0 && std::io::stdout().is_terminal())
}
