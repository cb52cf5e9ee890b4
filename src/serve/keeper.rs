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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, UnixNanos, UnixSeconds};
    use crate::record::RecordId;
    use crate::record::apart::{Apart, Piece, SALT_BYTES};
    use crate::record::content::Scheme;
    use crate::vault::{Options, VaultKey, open_place};
    use crate::worm::{StoreOptions, StoreUrl};

    /// Scenario: a log is served for longer than `content.vault.retention`. Guarantee: what was said before is gone, what was said since is
    /// not, and nobody had to do anything.
    #[tokio::test(start_paused = true)]
    async fn content_goes_when_its_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = open_place(&StoreUrl::File(folder.path().join("vault")), &StoreOptions::default()).await.unwrap();
        let vault = Vault::new(Options { store, log: "log".into(), key: VaultKey::new(&[7; 32]) });
        let first = UnixSeconds::parse_strict("2026-11-20T10:00:00Z").unwrap();
        let second = UnixSeconds(first.0 + 86_400);
        let record = RecordId([1; 16]);
        for (seal, sealed_at) in [(0, first), (1, second)] {
            let piece = Piece { record, member: "input".into(), scheme: Scheme::Utf8, salt: [7; SALT_BYTES], content: 0..1 };
            let apart = Apart { bytes: b"x".to_vec(), pieces: vec![piece], persons: Vec::new() };
            let _packs = vault.put(seal, sealed_at, vec![apart]).await.unwrap();
        }
        let clock = ManualClock::new(UnixNanos(u64::try_from(second.0).unwrap() * 1_000_000_000));
        let keeper = Keeper::start(vault.clone(), "7d".parse().unwrap(), None, Arc::new(clock.clone()));
        let held = async || {
            let mut held = Vec::new();
            for (seal, sealed_at) in [(0, first), (1, second)] {
                held.push(!vault.content(seal, sealed_at, record).await.unwrap().is_empty());
            }
            held
        };
        tokio::time::sleep(EVERY * 2).await;
        assert_eq!(held().await, [true, true]);
        clock.advance(Duration::from_secs(7 * 86_400));
        tokio::time::sleep(EVERY * 2).await;
        assert_eq!(held().await, [false, true]);
        keeper.stop().await;
    }
}
