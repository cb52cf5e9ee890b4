//! Opening the vault that the configuration names: its place, its key file, its claim.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::ServeError;
use super::keys::{TellMade, load_vault_key, make_secret};
use crate::clock::Clock;
use crate::config::{Config, VaultPlace};
use crate::record::canonical::Json;
use crate::seal::keys::{KeyError, LogKeys};
use crate::seal::{OpenError, first_key, in_force};
use crate::vault::{Options, Vault, VaultError, VaultStore, expect_apart, open_place};
use crate::worm::WormStore;

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
        expect_apart(&config.store.url, &vault.url, &config.log.name)?;
        let store = open_place(&vault.url, &config.store.options()).await?;
        store.check().await?;
        Ok(Some(Place { config, vault, store }))
    }

    /// Loads the vault key, which is made while the vault keeps nothing of this log, and becomes the vault's one writer. A vault that the
    /// log was written with and of which nothing is there is not begun anew.
    pub async fn claim(self, mut log: Log<'_>, tell: TellMade<'_>) -> Result<Vault, ServeError> {
        let (name, file) = (&self.config.log.name, &self.vault.key_file);
        let key = match load_vault_key(file) {
            Err(KeyError::Missing(_)) => {
                expect_no_vault(self.config, self.vault, self.store.as_ref()).await?;
                self.expect_new(&mut log).await?;
                make_secret(file).map_err(super::keys::KeysError::File)?;
                tell("content.vault.key_file", file);
                load_vault_key(file)
            }
            other => other,
        };
        let key = key.map_err(super::keys::KeysError::File)?;
        let vault = Vault::new(Options { store: Arc::clone(&self.store), log: name.clone(), key });
        let owner = log.owner(self.config).await?;
        vault.mend_owner(&owner).await?;
        if !vault.is_owned_by(&owner).await? {
            self.expect_new(&mut log).await?;
        }
        claim(&vault, &owner).await?;
        Ok(vault)
    }

    async fn expect_new(&self, log: &mut Log<'_>) -> Result<(), ServeError> {
        match log.keeps_in(self.config, self.vault).await? {
            false => Ok(()),
            true => Err(ServeError::VaultGone { url: self.store.describe(), log: self.config.log.name.clone() }),
        }
    }
}

/// How long to wait for another process to let a vault go: a command that records a reading or erases while no `serve` runs has it for as
/// long as a few seals take.
const CLAIM_WITHIN: Duration = Duration::from_secs(5);
const CLAIM_EVERY: Duration = Duration::from_millis(100);

async fn claim(vault: &Vault, owner: &str) -> Result<(), VaultError> {
    let deadline = Instant::now() + CLAIM_WITHIN;
    loop {
        match vault.claim(owner).await {
            Err(VaultError::Place { doing: "claim", .. }) if Instant::now() < deadline => tokio::time::sleep(CLAIM_EVERY).await,
            other => return other,
        }
    }
}

/// Refuses to make a key where a vault keeps things of this log, which no new key opens.
pub async fn expect_no_vault(config: &Config, vault: &VaultPlace, store: &dyn VaultStore) -> Result<(), ServeError> {
    let log = &config.log.name;
    if !Vault::exists(store, log).await? {
        return Ok(());
    }
    Err(ServeError::VaultKeyLost { path: vault.key_file.display().to_string(), url: store.describe(), log: log.clone() })
}

/// The log whose vault it is.
#[derive(Debug)]
pub struct Log<'a> {
    /// Where evidence lies.
    pub store: &'a Arc<dyn WormStore>,
    /// The log's keys.
    pub keys: &'a mut LogKeys,
    /// What its `config_change` record would hold.
    pub configuration: &'a str,
    /// The time.
    pub clock: &'a dyn Clock,
}

impl Log<'_> {
    /// Whose the vault is: the log that this key made, also after it has changed to another.
    pub async fn owner(&mut self, config: &Config) -> Result<String, OpenError> {
        let first = first_key(self.store, &config.log.name, self.keys, &config.retention.classes, self.clock).await?;
        Ok(first.to_string())
    }

    /// Whether the log was last written with its vault at this very place, so that something must lie there. Another place is another
    /// configuration, and a new vault.
    pub async fn keeps_in(&mut self, config: &Config, vault: &VaultPlace) -> Result<bool, OpenError> {
        let classes = &config.retention.classes;
        let before = in_force(self.store, &config.log.name, self.keys, classes, self.clock, self.configuration).await?;
        // What an earlier version has sealed is JSON; what is none names no vault.
        let before = before.and_then(|text| Json::parse(text.as_bytes()).ok());
        let named = before.as_ref().and_then(|json| json.path("content.vault.url")).and_then(Json::as_str);
        Ok(named.is_some_and(|url| url == vault.url.to_string()))
    }
}
