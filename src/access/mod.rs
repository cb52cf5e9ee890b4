//! Who reads: a reading of what the vault keeps (who somebody is, what was said) is a record of the log itself, kind `access`, sealed before
//! anything is shown (`record.md` section 3).
//!
//! The log's one writer seals it ([`Recorder`]): the running `serve`, or a command that has opened the log. The record names every record of
//! which something is shown, and every person who is named, by pseudonym; it holds no content and no id of a person.

mod wish;

use std::collections::HashSet;
use std::sync::Arc;

pub use wish::{NAMES_MAX, Read, Wish};

use crate::clock::Clock;
use crate::erase::{Naming, Sealed, UNKNOWN_BY};
use crate::govern::{self, Access};
use crate::promote::scrub::Scrub;
use crate::record::identity::{IdentityKey, IdentityMode};
use crate::retain::Classes;
use crate::seal::{SealerHandle, SubmitError};
use crate::vault::{Vault, VaultError, parse_pseudonym};

/// Why a reading was not recorded. Then nothing may be shown.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// What was to be recorded cannot be.
    #[error("{0}")]
    Wrong(String),
    /// The vault.
    #[error("{0}")]
    Vault(#[from] VaultError),
    /// The store.
    #[error("the record of this reading could not be sealed: {0}")]
    Unsealed(SubmitError),
}

/// Writes down who reads. Clones share what it works with: a writer's own parts.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// The vault, claimed.
    pub vault: Vault,
    /// Everybody's way to the writer.
    pub sealer: SealerHandle,
    /// K.
    pub identity: IdentityKey,
    /// `identity.mode`
    pub identity_mode: IdentityMode,
    /// `identity.scrub`
    pub scrub: Vec<String>,
    /// `retention.classes`
    pub classes: Arc<Classes>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Recorder {
    /// Seals the record of a reading, and says where it stands. Until then nothing may be shown.
    pub async fn record(&self, wish: &Wish) -> Result<Sealed, AccessError> {
        let scrub = Scrub::new(&self.scrub).map_err(AccessError::Wrong)?;
        wish.check(&scrub)?;
        // Who reads is nobody to be named in words either.
        let persons: HashSet<[u8; 16]> = wish.persons.iter().chain(&wish.by).filter_map(|person| parse_pseudonym(person)).collect();
        if !persons.is_empty() && wish.says_anything() {
            let known = self.vault.resolve(&persons).await?;
            wish.expect_unnamed(known.iter().map(|entry| entry.id.as_str()))?;
        }
        let by = match &wish.by {
            Some(by) => {
                wish.expect_unnamed(std::iter::once(by.as_str()).filter(|by| parse_pseudonym(by).is_none()))?;
                let naming = Naming { vault: Some(&self.vault), identity: &self.identity, mode: self.identity_mode };
                let known = naming.known(by).await?.ok_or_else(|| AccessError::Wrong(UNKNOWN_BY.to_owned()))?;
                Some(naming.name(known).await?)
            }
            None => None,
        };
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|_| VaultError::Randomness)?;
        let act = Access {
            random,
            act: wish.read.as_str(),
            target: wish.target.clone(),
            filter: wish.filter_text(&scrub),
            ground: wish.ground.clone(),
            ticket: wish.ticket.clone(),
            count: u64::try_from(wish.records.len()).unwrap_or(u64::MAX),
            by,
        };
        let batch = govern::access(&act, self.clock.now(), &self.classes);
        govern::seal_act(&self.sealer, batch).await.map_err(AccessError::Unsealed)
    }
}
