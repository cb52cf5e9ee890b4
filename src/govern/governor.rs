//! Who seals the records of operators' acts: the log's one writer, for a command or for a task of its own process. It needs no vault: the
//! asker shows the store's identity key.
//!
//! Nothing that is recorded here takes anything away; what an act does to objects in the store is done by whoever asks. Holds and extensions
//! go through the [`Register`], which knows what is open.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::Instant;

use super::register::{By, Motion, Refusal, Register};
use super::wish::{Deed, Wish};
use super::{Decreed, Governance, governance};
use crate::clock::{Clock, UnixNanos};
use crate::erase::{Naming, Sealed, UNKNOWN_BY};
use crate::promote::scrub::Scrub;
use crate::record::Batch;
use crate::record::identity::{IdentityKey, IdentityMode};
use crate::retain::Classes;
use crate::seal::{SealerHandle, SubmitError};
use crate::vault::{Vault, VaultError, parse_pseudonym};

/// `control.from` of what the log's writer found or did itself.
pub const SERVE: &str = "serve";

/// Why an act was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum GovernError {
    /// What was to be recorded cannot be.
    #[error("{0}")]
    Wrong(String),
    /// The vault, where who asks has their name.
    #[error("{0}")]
    Vault(#[from] VaultError),
    /// The system has no randomness to give for the record's id.
    #[error("the system has no randomness to give")]
    Randomness,
    /// What it would go on from.
    #[error("{0}")]
    Unknown(String),
    /// The store.
    #[error("the record could not be sealed: {0}")]
    Unsealed(SubmitError),
}

/// Seals records of acts. Clones share what it works with: a writer's own parts.
#[derive(Clone, Debug)]
pub struct Governor {
    /// `log.origin`: what acts are done to.
    pub origin: String,
    /// Everybody's way to the writer.
    pub sealer: SealerHandle,
    /// The vault, claimed, where there is one.
    pub vault: Option<Vault>,
    /// K.
    pub identity: IdentityKey,
    /// `identity.mode`
    pub identity_mode: IdentityMode,
    /// `identity.scrub`
    pub scrub: Vec<String>,
    /// `retention.classes`
    pub classes: Arc<Classes>,
    /// The decrees that are open.
    pub register: Register,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Governor {
    /// Seals the record of an act that somebody asks for, on their word, and says where it stands.
    pub async fn seal(&self, wish: &Wish) -> Result<Sealed, GovernError> {
        self.seal_from(wish, None).await
    }

    /// The same of what this process found or did itself, unasked. No wish of others is told as that.
    pub async fn seal_own(&self, deed: Deed) -> Result<Sealed, GovernError> {
        self.seal_from(&Wish::of(deed), Some(SERVE)).await
    }

    async fn seal_from(&self, wish: &Wish, from: Option<&'static str>) -> Result<Sealed, GovernError> {
        let scrub = Scrub::new(&self.scrub).map_err(GovernError::Wrong)?;
        let filter = wish.check(&scrub).map_err(GovernError::Wrong)?;
        let by = match &wish.by {
            Some(by) => Some(self.name(by, wish).await?),
            None => None,
        };
        if let Deed::Decree(motion) = &wish.deed {
            motion.expect_unnamed(&scrub).map_err(GovernError::Wrong)?;
            let words = (wish.ground.clone(), wish.ticket.clone(), by);
            return self.decree(motion, words, By::Others).await;
        }
        let batch = record(wish, Besides { filter, by, from }, &self.origin, self.clock.now(), &self.classes)?;
        seal_act(&self.sealer, batch).await.map_err(GovernError::Unsealed)
    }

    /// Seals a step of a decree that this process itself carries out.
    pub(crate) async fn carry(&self, motion: &Motion) -> Result<Sealed, GovernError> {
        self.decree(motion, (None, None, None), By::Own).await
    }

    /// One after the other: each entry says what is open behind it.
    async fn decree(
        &self,
        motion: &Motion,
        (ground, ticket, by): (Option<String>, Option<String>, Option<String>),
        whose: By,
    ) -> Result<Sealed, GovernError> {
        let random = random()?;
        let mut turn = self.register.turn().await;
        let at = self.clock.now();
        let entry = turn.decide(motion, at.ceil_seconds()).await?;
        let batch = super::decree(&Decreed { random, entry: entry.clone(), ground, ticket, by }, at, &self.classes);
        let record = batch.records.first().map(|record| record.id.to_string()).unwrap_or_default();
        let begun = Instant::now();
        match seal_act(&self.sealer, batch).await {
            Ok(sealed) => {
                turn.sealed(entry, whose);
                Ok(sealed)
            }
            Err(error) => {
                // It may still come where only the waiting ended; what the writer refused itself does not.
                if begun.elapsed() >= self.sealer.answer_within {
                    turn.lost(record);
                }
                Err(GovernError::Unsealed(error))
            }
        }
    }

    /// How evidence names who asks, who must be known, and whom ground and ticket must not name.
    async fn name(&self, by: &str, wish: &Wish) -> Result<String, GovernError> {
        let unnamed = |ids: &[&str]| wish.words().expect_unnamed(ids.iter().copied()).map_err(GovernError::Wrong);
        match (parse_pseudonym(by), &self.vault) {
            (None, _) => unnamed(&[by.strip_prefix("id:").unwrap_or(by)])?,
            (Some(pseudonym), Some(vault)) => {
                for entry in vault.resolve(&HashSet::from([pseudonym])).await? {
                    unnamed(&[entry.id.as_str()])?;
                }
            }
            (Some(_), None) => {}
        }
        let naming = Naming { vault: self.vault.as_ref(), identity: &self.identity, mode: self.identity_mode };
        let known = naming.known(by).await?.ok_or_else(|| GovernError::Wrong(UNKNOWN_BY.to_owned()))?;
        Ok(naming.name(known).await?)
    }
}

fn random() -> Result<[u8; 16], GovernError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| GovernError::Randomness)?;
    Ok(random)
}

impl From<Refusal> for GovernError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Wrong(why) => GovernError::Wrong(why),
            other => GovernError::Unknown(other.to_string()),
        }
    }
}

/// The record of what a process did itself, for a seal that is not made by request: a log's first.
pub fn act_record(deed: Deed, origin: &str, at: UnixNanos, classes: &Classes) -> Result<Batch, GovernError> {
    let wish = Wish::of(deed);
    let filter = wish.check(&Scrub::default()).map_err(GovernError::Wrong)?;
    record(&wish, Besides { filter, by: None, from: Some(SERVE) }, origin, at, classes)
}

/// What a record tells besides the wish.
struct Besides {
    filter: String,
    /// As evidence names persons.
    by: Option<String>,
    from: Option<&'static str>,
}

fn record(
    wish: &Wish,
    Besides { filter, by, from }: Besides,
    origin: &str,
    at: UnixNanos,
    classes: &Classes,
) -> Result<Batch, GovernError> {
    let random = random()?;
    let told = wish.deed.told();
    let act = Governance {
        random,
        kind: told.kind(),
        act: told.act(),
        target: told.target(origin),
        filter: Some(filter),
        ground: wish.ground.clone(),
        ticket: wish.ticket.clone(),
        count: told.count(),
        by,
        from,
    };
    Ok(governance(&act, at, classes))
}

/// Has a record of our own sealed like any other, and waits for it.
pub(crate) async fn seal_act(sealer: &SealerHandle, batch: Batch) -> Result<Sealed, SubmitError> {
    let record = batch.records.first().map(|record| record.id.to_string()).unwrap_or_default();
    let full = |e: crate::seal::Full| SubmitError::Stopped { reason: e.to_string() };
    let permit = sealer.pool.admit(batch.memory()).await.map_err(full)?;
    let receipt = sealer.submit(batch, permit).await?;
    Ok(Sealed { record, seal: receipt.seal })
}
