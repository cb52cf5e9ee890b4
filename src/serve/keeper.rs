//! What a vault needs while its log is served: unfinished erasures are finished, what was erased and comes back is erased again, content past
//! its retention goes unless it is on legal hold, small objects of persons are merged.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::UnixSeconds;
use crate::erase::Eraser;
use crate::retain::Period;
use crate::seal::{Stats, Status};
use crate::vault::{Keep, Vault};

/// Between two rounds. Retention counts days, so hours matter little; a vault that does not answer is asked again in the next round.
const EVERY: Duration = Duration::from_secs(600);
/// How long a stop waits for the vault.
const NOTE_WITHIN: Duration = Duration::from_secs(3);
/// Seconds by which the first seal of a process may follow the newest before it: an upgrade, a reboot, a bad night. After a longer pause
/// a clock that runs ahead cannot be told from one that is right.
const PAUSE_MAX_SECONDS: i64 = 86_400;

/// The task that does it.
#[derive(Debug)]
pub(super) struct Keeper {
    vault: Vault,
    status: watch::Receiver<Status>,
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Keeper {
    /// Starts it; its first round begins at once.
    pub(super) fn start(vault: Vault, retention: Period, eraser: Option<Eraser>, today: Today) -> Self {
        let stop = CancellationToken::new();
        let status = today.status.clone();
        let rounds = Rounds { vault: vault.clone(), retention, eraser, today };
        let task = tokio::spawn(stop.clone().run_until_cancelled_owned(rounds.go()).map(|_| ()));
        Keeper { vault, status, task, stop }
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

    /// Stops it in the middle of whatever it does: all of it may be broken off and done again. What objects there are now is noted, so that
    /// the next start misses those that are taken away in between.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
        let size = self.status.borrow().tree_size;
        let note = async {
            self.vault.watch().await?;
            self.vault.count_new_packs(size).await?;
            self.vault.note_size(size).await
        };
        match tokio::time::timeout(NOTE_WITHIN, note).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "vault.unnoted"),
            Err(_) => tracing::warn!(error = "the vault does not answer", "vault.unnoted"),
        }
    }
}

/// What time it is for content whose time may be over. A clock that runs ahead would delete all of it, so the clock itself is not asked:
/// the newest seal is, whose `sealed_at` the writer holds against the store's own clock. Where the store has none, that time is believed
/// only as far as it follows the newest seal that this process found, by no more than a pause of a day and the time that it has run since.
///
/// Content so stays a little longer where nothing is sealed (`seal.heartbeat: off`), and after a longer pause until the start after the next.
///
/// KNOWN GAP: a start with a clock that runs ahead, on a store without a clock, seals with it, and the start after it believes that seal.
#[derive(Debug)]
pub(super) struct Today {
    /// The newest seal.
    pub(super) status: watch::Receiver<Status>,
    /// When the newest seal closed that this process found; `None`: the log is new, or the store's own clock vouches.
    pub(super) found: Option<UnixSeconds>,
    /// When this process opened the log.
    pub(super) opened: Instant,
    /// Where it is counted how far the two are apart.
    pub(super) stats: Arc<Stats>,
}

impl Today {
    fn by_now(&self) -> UnixSeconds {
        let sealed_at = self.status.borrow().sealed_at;
        let run = i64::try_from(self.opened.elapsed().as_secs()).unwrap_or(i64::MAX);
        let believed =
            self.found.map_or(sealed_at, |found| sealed_at.min(UnixSeconds(found.0.saturating_add(PAUSE_MAX_SECONDS).saturating_add(run))));
        let ahead = sealed_at.0.saturating_sub(believed.0);
        self.stats.vault_clock_ahead_seconds.set(u64::try_from(ahead).unwrap_or(0));
        if ahead > 0 {
            let advice = "check this machine's clock; content is kept longer until this process is started once more, and then expires by \
                          this clock";
            tracing::error!(sealed_at = %sealed_at, believed = %believed, advice, "vault.clock.doubtful");
        }
        believed
    }
}

struct Rounds {
    vault: Vault,
    retention: Period,
    eraser: Option<Eraser>,
    today: Today,
}

impl Rounds {
    async fn go(self) {
        for nth in 0.. {
            self.round(nth).await;
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn round(&self, nth: u64) {
        let now = self.today.by_now();
        if let Some(eraser) = &self.eraser
            && let Err(error) = eraser.finish().await
        {
            tracing::error!(%error, "erasure.unfinished");
        }
        // Nothing that takes long comes between the two: a hold that is placed meanwhile would not count.
        let keep = match &self.eraser {
            Some(eraser) => eraser.keep((self.retention, now)).await,
            None => Keep::Nothing,
        };
        match self.vault.expire(self.retention, now, &keep).await {
            Ok(expired) => {
                self.today.stats.vault_held_packs.set(expired.kept);
                if expired.deleted > 0 {
                    tracing::info!(packs = expired.deleted, "vault.expired");
                }
            }
            Err(error) => tracing::warn!(%error, "vault.expire.failed"),
        }
        if let Some(eraser) = &self.eraser {
            let size = self.today.status.borrow().tree_size;
            if let Err(error) = eraser.round(nth, size, (self.retention, now), &keep).await {
                tracing::error!(%error, "erasure.recheck.failed");
            }
            let lost = self.vault.lost();
            self.today.stats.vault_lost_persons.set(lost.persons.max(lost.named));
            self.today.stats.vault_lost_packs.set(lost.packs);
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
    use super::super::fixtures::{LOG, Writer, key, writer};
    use super::*;
    use crate::erase;
    use crate::govern::register::{Motion, Ordered};
    use crate::govern::{Deed, Governor, Wish};
    use crate::record::RecordId;
    use crate::record::apart::{Apart, Piece, SALT_BYTES};
    use crate::record::content::Scheme;
    use crate::record::identity::{IdentityKey, IdentityMode};
    use crate::vault::{Options, VaultKey, open_place};
    use crate::worm::{StoreOptions, StoreUrl};

    const DAY: i64 = 86_400;

    fn today(found: Option<i64>, sealed_at: i64) -> (Today, watch::Sender<Status>) {
        let (sender, status) = watch::channel(Status { sealed_at: UnixSeconds(sealed_at), ..Status::default() });
        (Today { status, found: found.map(UnixSeconds), opened: Instant::now(), stats: Arc::default() }, sender)
    }

    /// Scenario: a clock that is right, one that is years ahead at the start, and one that is moved ahead later, on a store that has no
    /// clock to compare with. Guarantee: content expires by the log's own time, and never by more than a day at a start.
    #[tokio::test(start_paused = true)]
    async fn a_clock_that_runs_ahead_expires_nothing() {
        let (right, seals) = today(Some(1000 * DAY), 1000 * DAY + 3600);
        assert_eq!(right.by_now(), UnixSeconds(1000 * DAY + 3600));
        tokio::time::advance(Duration::from_secs(7200)).await;
        seals.send_modify(|status| status.sealed_at = UnixSeconds(9000 * DAY));
        assert_eq!(right.by_now(), UnixSeconds(1001 * DAY + 7200), "moved ahead later");
        assert_eq!(right.stats.vault_clock_ahead_seconds.value(), u64::try_from(7999 * DAY - 7200).unwrap());
        let (ahead, _seals) = today(Some(1000 * DAY), 9000 * DAY);
        assert_eq!(ahead.by_now(), UnixSeconds(1001 * DAY));
        let (vouched, _seals) = today(None, 9000 * DAY);
        assert_eq!((vouched.by_now(), vouched.stats.vault_clock_ahead_seconds.value()), (UnixSeconds(9000 * DAY), 0));
    }

    /// Scenario: a vault with content of yesterday, and this machine's clock says ten years later. Guarantee: a round leaves it alone.
    #[tokio::test(start_paused = true)]
    async fn a_round_goes_by_the_newest_seal() {
        let folder = tempfile::tempdir().unwrap();
        let url = StoreUrl::File(folder.path().join("vault"));
        let store = open_place(&url, &StoreOptions::default()).await.unwrap();
        let key = VaultKey::new(&[7; 32]);
        let vault = Vault::new(Options { store: Arc::clone(&store), log: "audit".to_owned(), key });
        let record = RecordId([1; 16]);
        let piece = Piece { record, member: "input".into(), scheme: Scheme::Utf8, salt: [1; 32], content: 0..3 };
        let apart = Apart { bytes: b"one".to_vec(), pieces: vec![piece], persons: Vec::new() };
        let yesterday = UnixSeconds(20_000 * DAY);
        let _packs = vault.put(3, yesterday, vec![apart]).await.unwrap();
        for (sealed_at, left) in [(24_000, 1), (20_040, 0)] {
            let found = if left == 1 { 20_001 } else { 20_039 };
            let (today, _seals) = today(Some(found * DAY), sealed_at * DAY);
            Rounds { vault: vault.clone(), retention: "30d".parse().unwrap(), eraser: None, today }.round(0).await;
            assert_eq!(vault.content(3, yesterday, record).await.unwrap().entries.len(), left, "{sealed_at}");
        }
    }

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
        let (today, seals) = today(None, second.0);
        let keeper = Keeper::start(vault.clone(), "7d".parse().unwrap(), None, today);
        let held = async || {
            let mut held = Vec::new();
            for (seal, sealed_at) in [(0, first), (1, second)] {
                held.push(!vault.content(seal, sealed_at, record).await.unwrap().entries.is_empty());
            }
            held
        };
        tokio::time::sleep(EVERY * 2).await;
        assert_eq!(held().await, [true, true]);
        seals.send_modify(|status| status.sealed_at.0 += 7 * DAY);
        tokio::time::sleep(EVERY * 2).await;
        assert_eq!(held().await, [false, true]);
        keeper.stop().await;
    }

    /// Scenario: the retention of content is over, a hold on all of it is open, and is released then. Guarantee: nothing goes before, and a
    /// figure says what stays.
    #[tokio::test(start_paused = true)]
    async fn what_is_on_hold_stays() {
        let folder = tempfile::tempdir().unwrap();
        let place = open_place(&StoreUrl::File(folder.path().join("vault")), &StoreOptions::default()).await.unwrap();
        let vault = Vault::new(Options { store: place, log: LOG.into(), key: VaultKey::new(&[7; 32]) });
        vault.claim(&key().verifier().to_string()).await.unwrap();
        let Writer { store, governor, task, .. } = writer(Some(vault.clone())).await;
        let Governor { sealer, classes, register, clock, .. } = governor.clone();
        let eraser = Eraser::new(erase::Parts {
            store: Arc::new(store),
            log: LOG.into(),
            vkey: task.vkey.clone(),
            vault: vault.clone(),
            sealer,
            identity: IdentityKey::new([0; 32]),
            identity_mode: IdentityMode::Keyed,
            realm_attribute: "service.namespace".into(),
            scrub: Vec::new(),
            classes,
            register,
            clock,
        });
        let long_ago = UnixSeconds(20_000 * DAY);
        let piece = Piece { record: RecordId([1; 16]), member: "input".into(), scheme: Scheme::Utf8, salt: [1; 32], content: 0..3 };
        let _packs =
            vault.put(0, long_ago, vec![Apart { bytes: b"one".to_vec(), pieces: vec![piece], persons: Vec::new() }]).await.unwrap();
        let (today, _seals) = today(None, 24_000 * DAY);
        let stats = Arc::clone(&today.stats);
        let rounds = Rounds { vault: vault.clone(), retention: "30d".parse().unwrap(), eraser: Some(eraser), today };
        let all = || r#"{"all":"records"}"#.to_owned();
        for (motion, left) in [
            (Motion::Open { id: "LH-1".into(), order: Ordered::Hold, query: all() }, 1),
            (Motion::Close { id: "LH-1".into(), segments: Vec::new(), through: 0 }, 0),
        ] {
            governor.seal(&Wish::of(Deed::Decree(motion))).await.unwrap();
            rounds.round(1).await;
            assert_eq!(vault.content(0, long_ago, RecordId([1; 16])).await.unwrap().entries.len(), left);
            assert_eq!(stats.vault_held_packs.value(), u64::try_from(left).unwrap());
        }
    }
}
