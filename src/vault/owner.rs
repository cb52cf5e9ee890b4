//! Whose a vault is: that of the log with one public key, which the object `owner` says.
//!
//! What lies at a key opens there whoever wrote it with the same vault key, in a vault of another log of the same name too (staging's, or a
//! former log's). So whatever makes the writer take something away says once more whose it is, inside what is authenticated; of any other
//! log nothing is believed and nothing is done.
//!
//! KNOWN GAP: packs and objects of persons do not say it. Content is believed by its commitment only; entries of persons who are put there
//! from another log's vault give these persons that log's pseudonyms.

use super::key::Kind;
use super::{Vault, VaultError};
use crate::record::canonical::Json;
use crate::worm::ObjectKey;
use std::sync::PoisonError;

/// Where whatever takes away says whose it is.
const MEMBER: &str = "owner";

impl Vault {
    /// Whose it is, as far as anybody's: refuses the vault of a log with another key, the wrong vault key, and a vault that keeps things and
    /// does not say whose.
    pub async fn is_owned_by(&self, owner: &str) -> Result<bool, VaultError> {
        match self.read(Kind::Owner, &self.key("owner")).await? {
            Some(found) if found.as_slice() == owner.as_bytes() => Ok(true),
            Some(found) => Err(VaultError::OtherLog {
                url: self.0.store.describe(),
                log: self.0.log.clone(),
                found: String::from_utf8_lossy(&found).into_owned(),
            }),
            None => {
                for prefix in ["packs/", "persons/", "erasures/"] {
                    if !self.0.store.list(self.key(prefix).as_str(), None, 1).await?.is_empty() {
                        return Err(self.owner_gone());
                    }
                }
                Ok(false)
            }
        }
    }

    /// Makes `owner` again where it is gone and the vault's own state, which nobody else can have made, says that it is this log's.
    pub async fn mend_owner(&self, owner: &str) -> Result<(), VaultError> {
        if self.read(Kind::Owner, &self.key("owner")).await?.is_some() {
            return Ok(());
        }
        let state = self.read(Kind::State, &self.key("state")).await?;
        let says = state.and_then(|plain| Json::parse(&plain).ok());
        if says.as_ref().and_then(|json| json.get(MEMBER)).and_then(Json::as_str) == Some(owner) {
            self.write_owner(owner).await?;
            tracing::error!(advice = "somebody deleted an object of the vault; it was made again", "vault.owner.gone");
        }
        Ok(())
    }

    /// Notes whose it is, for all that this process reads and writes there.
    pub(super) fn belongs_to(&self, owner: &str) {
        *self.0.owner.lock().unwrap_or_else(PoisonError::into_inner) = Some(owner.to_owned());
    }

    pub(super) async fn write_owner(&self, owner: &str) -> Result<(), VaultError> {
        let key = self.key("owner");
        let body = self.0.key.seal(Kind::Owner, &key, |out| out.write_all(owner.as_bytes()))?;
        self.write(&key, body).await
    }

    /// Whether the place takes a small object now: what says whose the vault is, which stands there already, written again. One that has no
    /// room for a pack may have it for this.
    pub async fn takes_writes(&self, owner: &str) -> bool {
        let key = self.key("owner");
        let body = self.0.key.seal(Kind::Owner, &key, |out| out.write_all(owner.as_bytes()));
        match body {
            Ok(body) => self.0.store.put(&key, body).await.is_ok(),
            Err(_) => false,
        }
    }

    /// Whose it is: the log of its writer, or, for a reader, whom the vault names. `None`: it names nobody.
    async fn owner(&self) -> Result<Option<String>, VaultError> {
        let known = self.0.owner.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if known.is_some() {
            return Ok(known);
        }
        let found = self.read(Kind::Owner, &self.key("owner")).await?;
        let found = found.map(|owner| String::from_utf8_lossy(&owner).into_owned());
        if let Some(owner) = &found {
            self.belongs_to(owner);
        }
        Ok(found)
    }

    /// Writes a JSON object of this log's own.
    pub(super) async fn write_own(&self, kind: Kind, key: &ObjectKey, json: Json) -> Result<(), VaultError> {
        let owner = self.owner().await?.map(|owner| (MEMBER.to_owned(), Json::String(owner)));
        let json = match json {
            Json::Object(members) => Json::Object(members.into_iter().chain(owner).collect()),
            other => other,
        };
        let body = self.0.key.seal(kind, key, |out| out.write_all(&json.to_jcs()))?;
        self.write(key, body).await
    }

    /// Reads one; that of another log, or of nobody, is refused ([`VaultError::OtherOwner`]). `None`: none is there.
    pub(super) async fn read_own(&self, kind: Kind, key: &ObjectKey) -> Result<Option<Json>, VaultError> {
        let Some(plain) = self.read(kind, key).await? else { return Ok(None) };
        let json = Json::parse(&plain).map_err(|_| VaultError::damaged(key, "it is not what this version writes there"))?;
        let says = json.get(MEMBER).and_then(Json::as_str);
        match (self.owner().await?, says) {
            (Some(owner), Some(says)) if owner == says => Ok(Some(json)),
            (None, None) => Ok(Some(json)),
            (None, Some(_)) => Err(self.owner_gone()),
            (Some(_), says) => Err(VaultError::OtherOwner {
                key: super::shown(key.as_str()),
                found: says.map_or_else(|| "no log".to_owned(), |says| format!("the log with the key {}", super::shown(says))),
            }),
        }
    }

    fn owner_gone(&self) -> VaultError {
        VaultError::damaged(
            self.key("owner"),
            "it is not there, and other objects of the vault are: somebody deleted it, and nobody can tell whose they are. `serve` makes it \
             again where the vault's `state` shows that; else put it back from a backup, or let `content.vault.url` name another place",
        )
    }
}
