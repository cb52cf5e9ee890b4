//! The vault: whether its place forgets what is deleted, and whether its key opens it. Nothing is left behind.

use super::Report;
use crate::commands::output::{absolute, absolute_store};
use crate::config::{Config, VaultPlace};
use crate::seal::keys::{KeyError, LogKey};
use crate::serve::keys::load_vault_key;
use crate::vault::{Options, Vault, VaultError, VaultStore, open_place};
use crate::worm::local::{Place, probe};
use crate::worm::{ObjectKey, StoreUrl};

pub(super) async fn check(config: &Config, report: &mut Report) {
    let Some(place) = &config.content.vault else { return };
    let shown = absolute_store(&place.url);
    let opened = match open_place(&place.url, &config.store.options()).await {
        Ok(opened) => opened,
        Err(error) => return tell(report, &error),
    };
    if let StoreUrl::File(root) = &place.url {
        match probe(root, &config.log.name).await {
            Ok(Place::Writable) => report.ok("vault", format!("{shown} can be read and written")),
            Ok(Place::CanBeMade) => report.ok("vault", format!("{shown} does not exist yet and can be made")),
            Err(error) => return report.problem("vault", format!("content.vault.url: {error}")),
        }
    } else {
        match opened.check().await {
            Ok(()) => report.ok("vault", format!("{shown} answers, and the bucket keeps neither versions nor locks")),
            Err(error) => return tell(report, &error),
        }
        match try_it(opened.as_ref(), &config.log.name).await {
            Ok(()) => report.ok("vault", "what is written there can be deleted again"),
            Err(error) => return tell(report, &error),
        }
    }
    report.ok("vault", format!("content is kept for {} from the day it was sealed; persons until they are erased", place.retention));
    key(config, place, opened, report).await;
}

/// Writes an object and deletes it: the right to delete is missed only when it is too late.
async fn try_it(opened: &dyn VaultStore, log: &str) -> Result<(), VaultError> {
    let key = ObjectKey(format!("{log}/doctor/{}", std::process::id()));
    opened.put(&key, "written by `spanseal doctor`".into()).await?;
    opened.delete(&key).await?;
    match opened.get(&key).await? {
        None => Ok(()),
        Some(_) => Err(VaultError::Refused(format!("{} still has `{key}` after it was deleted; a vault must forget", opened.describe()))),
    }
}

/// The key, and whether it is the one of what lies there.
async fn key(config: &Config, place: &VaultPlace, opened: std::sync::Arc<dyn VaultStore>, report: &mut Report) {
    let (log, file) = (&config.log.name, absolute(&place.key_file));
    let key = match load_vault_key(&place.key_file) {
        Ok(key) => key,
        Err(KeyError::Missing(_)) => {
            return match Vault::exists(opened.as_ref(), log).await {
                Ok(false) => report.ok("vault", format!("`content.vault.key_file` `{file}` does not exist; `serve` makes it")),
                Ok(true) => report.problem(
                    "vault",
                    format!(
                        "`content.vault.key_file` `{file}` does not exist, but the vault keeps things of the log `{log}`: bring the file back from \
                         where it is backed up"
                    ),
                ),
                Err(error) => tell(report, &error),
            };
        }
        Err(error) => return report.problem("vault", error.to_string()),
    };
    report.ok("vault", format!("vault key `{file}` is good; id {}", key.id()));
    // Without the log's key (which has a line of its own) nobody knows whose vault it should be.
    let Ok(own) = LogKey::load(&config.log.key_file) else { return };
    let vault = Vault::new(Options { store: opened, log: log.clone(), key });
    match vault.is_owned_by(&own.verifier().to_string()).await {
        Ok(true) => {}
        Ok(false) => return report.ok("vault", format!("it keeps nothing of the log `{log}` yet")),
        Err(error) => return tell(report, &error),
    }
    match vault.intents().await {
        Ok(intents) if intents.is_empty() => report.ok("vault", format!("it is the vault of this log `{log}`")),
        Ok(intents) => report.warning("vault", format!("{} erasures are begun and not finished; `serve` finishes them", intents.len())),
        Err(error) => tell(report, &error),
    }
}

fn tell(report: &mut Report, error: &VaultError) {
    match error.is_retryable() {
        true => report.unchecked("vault", error.to_string()),
        false => report.problem("vault", error.to_string()),
    }
}
