//! What works beside the writer: it collects cosignatures and time stamps, carries out holds, looks after the vault and looks at the locks.

use std::sync::Arc;

use tokio::time::Instant;

use super::error::ServeError;
use super::holder::{self, Holder};
use super::keeper::{Keeper, Today};
use crate::clock::Clock;
use crate::config::Config;
use crate::erase::Eraser;
use crate::govern::{self, Attesting, Expected, Governor};
use crate::metrics::{Metrics, RetentionFigures, StampingFigures, WitnessFigures};
use crate::seal::SealerTask;
use crate::stamping::{self, Stamper, Stamping};
use crate::vault::Vault;
use crate::witness::client::{self, Collecting};
use crate::worm::WormStore;

/// What they are given.
pub(super) struct Beside<'a> {
    pub(super) config: &'a Config,
    pub(super) store: &'a Arc<dyn WormStore>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) metrics: &'a Metrics,
    pub(super) task: &'a SealerTask,
    pub(super) governor: &'a Governor,
}

impl Beside<'_> {
    /// The client of the witnesses, where the configuration names some.
    pub(super) async fn witnesses(&self) -> Result<Option<Collecting>, ServeError> {
        let log = &self.config.log;
        if log.witnesses.is_empty() {
            return Ok(None);
        }
        let options = client::Options {
            store: Arc::clone(self.store),
            log: log.name.clone(),
            key: self.task.vkey.clone(),
            classes: Arc::new(self.config.retention.classes.clone()),
            clock: Arc::clone(self.clock),
            places: log.witnesses.clone(),
            quorum: log.witness_quorum,
            interval: log.witness_interval,
            status: self.task.status.clone(),
        };
        let witnesses = client::start(options).await?;
        self.metrics.register(Arc::new(WitnessFigures { figures: Arc::clone(&witnesses.figures), stats: Arc::clone(&self.task.stats) }));
        Ok(Some(witnesses))
    }

    /// What deletes from the vault what is due. `opened`: just before the log was.
    pub(super) fn keeper(&self, vault: Vault, eraser: Option<Eraser>, opened: Instant) -> Option<Keeper> {
        let place = self.config.content.vault.as_ref()?;
        let vouched = self.store.clock_skew_seconds().is_some();
        let found = self.task.found.filter(|_| !vouched);
        let today = Today { status: self.task.status.clone(), found, opened, stats: Arc::clone(&self.task.stats) };
        Some(Keeper::start(vault, place.retention, eraser, today))
    }

    /// What holds and extends, as the log says.
    pub(super) fn holder(&self) -> Holder {
        let log = &self.config.log;
        let holder = Holder::start(holder::Parts {
            store: Arc::clone(self.store),
            log: log.name.clone(),
            vkey: self.task.vkey.clone(),
            governor: self.governor.clone(),
            status: self.task.status.clone(),
            expected: Expected { cosigned: !log.witnesses.is_empty(), stamped: !log.timestamping.authorities.is_empty() },
        });
        self.metrics.register(holder.figures());
        holder
    }

    /// What has checkpoints stamped.
    pub(super) fn stamping(&self, stamper: Stamper) -> Stamping {
        self.metrics.register(Arc::new(StampingFigures {
            figures: stamper.figures(),
            stats: Arc::clone(&self.task.stats),
            clock: Arc::clone(self.clock),
        }));
        stamper.start(stamping::Parts {
            store: Arc::clone(self.store),
            log: self.config.log.name.clone(),
            keys: self.task.keys.clone(),
            classes: Arc::new(self.config.retention.classes.clone()),
            clock: Arc::clone(self.clock),
            status: self.task.status.clone(),
        })
    }

    /// What looks at the locks from time to time, where the configuration asks for it.
    pub(super) fn attesting(&self) -> Option<Attesting> {
        let every = self.config.retention.attest_every?;
        let attesting = Attesting::start(govern::Parts {
            store: Arc::clone(self.store),
            log: self.config.log.name.clone(),
            key: self.task.vkey.clone(),
            status: self.task.status.clone(),
            governor: self.governor.clone(),
            clock: Arc::clone(self.clock),
            every,
        });
        self.metrics.register(Arc::new(RetentionFigures { figures: attesting.figures(), clock: Arc::clone(self.clock) }));
        Some(attesting)
    }
}
