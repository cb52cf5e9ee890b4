//! What a vault needs while its log is served: unfinished erasures are finished, content past its retention goes, small objects of persons
//! are merged.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::erase::Eraser;
use crate::retain::Period;
use crate::vault::Vault;

/// Between two rounds. Retention counts days, so hours matter little; a vault that does not answer is asked again in the next round.
const EVERY: Duration = Duration::from_secs(600);

/// The task that does it.
#[derive(Debug)]
pub(super) struct Keeper {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Keeper {
    /// Starts it; its first round begins at once.
    pub(super) fn start(vault: Vault, retention: Period, eraser: Option<Eraser>, clock: Arc<dyn Clock>) -> Self {
        let stop = CancellationToken::new();
        let rounds = Rounds { vault, retention, eraser, clock };
        let task = tokio::spawn(stop.clone().run_until_cancelled_owned(rounds.go()).map(|_| ()));
        Keeper { task, stop }
    }

    /// Waits until it ends by itself, which it does only by our own mistake; for ever where there is none.
    pub(super) async fn failed(keeper: Option<&mut Self>) -> String {
        match keeper {
            Some(keeper) => match (&mut keeper.task).await {
                Ok(()) => "it was told to".to_owned(),
                Err(e) => e.to_string(),
            },
            None => std::future::pending().await,
        }
    }

    /// Stops it in the middle of whatever it does: all of it may be broken off and done again.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

struct Rounds {
    vault: Vault,
    retention: Period,
    eraser: Option<Eraser>,
    clock: Arc<dyn Clock>,
}

impl Rounds {
    async fn go(self) {
        loop {
            self.round().await;
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn round(&self) {
        if let Some(eraser) = &self.eraser
            && let Err(error) = eraser.finish().await
        {
            tracing::error!(%error, "erasure.unfinished");
        }
        match self.vault.expire(self.retention, self.clock.now().ceil_seconds()).await {
            Ok(0) => {}
            Ok(packs) => tracing::info!(packs, "vault.expired"),
            Err(error) => tracing::warn!(%error, "vault.expire.failed"),
        }
        match self.vault.merge_persons().await {
            Ok(0) => {}
            Ok(objects) => tracing::info!(objects, "vault.persons.merged"),
            Err(error) => tracing::warn!(%error, "vault.merge.failed"),
        }
    }
}
