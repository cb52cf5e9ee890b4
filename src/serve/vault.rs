//! Opening the vault that the configuration names: its place, its key file, its claim.

use std::sync::Arc;

use super::ServeError;
use super::keys::{load_vault_key, make_secret};
use crate::config::{Config, VaultPlace};
use crate::seal::keys::KeyError;
use crate::tlog::note::VerifierKey;
use crate::vault::{Options, Vault, VaultStore, expect_apart, open_place};

/// A place for a vault that was found fit to be one. Nothing was written yet.
#[derive(Debug)]
pub struct Place<'c> {
    config: &'c Config,
    vault: &'c VaultPlace,
    store: Arc<dyn VaultStore>,
}

impl<'c> Place<'c> {
    /// Looks at the place of the configuration's vault, if it has one, and refuses one that would keep what is erased.
    pub async fn find(config: &'c Config) -> Result<Option<Self>, ServeError> {
        let Some(vault) = &config.content.vault else { return Ok(None) };
        expect_apart(&config.store.url, &vault.url)?;
        let store = open_place(&vault.url, &config.store.options()).await?;
        store.check().await?;
        Ok(Some(Place { config, vault, store }))
    }

    /// Loads the vault key, which is made while the vault keeps nothing of this log, and becomes the vault's one writer. `made` gets the
    /// name of a file that was made.
    pub async fn claim(self, vkey: &VerifierKey, made: &mut Vec<String>) -> Result<Vault, ServeError> {
        let (log, file) = (&self.config.log.name, &self.vault.key_file);
        let key = match load_vault_key(file) {
            Err(KeyError::Missing(_)) => {
                if Vault::exists(self.store.as_ref(), log).await? {
                    return Err(ServeError::VaultKeyLost {
                        path: file.display().to_string(),
                        url: self.store.describe(),
                        log: log.clone(),
                    });
                }
                make_secret(file).map_err(super::keys::KeysError::File)?;
                made.push(format!("content.vault.key_file {}", file.display()));
                load_vault_key(file)
            }
            other => other,
        };
        let key = key.map_err(super::keys::KeysError::File)?;
        let vault = Vault::new(Options { store: self.store, log: log.clone(), key });
        vault.claim(&vkey.to_string()).await?;
        Ok(vault)
    }
}
