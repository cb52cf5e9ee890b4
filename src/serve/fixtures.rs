//! A writer over a store in memory, by a clock that the test moves, for the tests of the tasks beside it.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, ManualClock, UnixNanos};
use crate::govern::Governor;
use crate::govern::register::{self, Register};
use crate::record::identity::{IdentityKey, IdentityMode};
use crate::retain::{Class, Classes};
use crate::seal::keys::LogKey;
use crate::seal::{Options, Pool, SealerTask, start};
use crate::vault::Vault;
use crate::worm::Mode;
use crate::worm::memory::{MemoryOptions, MemoryStore};

pub(super) const LOG: &str = "test";

pub(super) struct Writer {
    pub(super) clock: ManualClock,
    pub(super) store: MemoryStore,
    pub(super) governor: Governor,
    pub(super) task: SealerTask,
}

/// The log's key.
pub(super) fn key() -> LogKey {
    LogKey::ephemeral("spanseal.test/test", [5; 32]).unwrap()
}

/// Starts it. `vault`: claimed.
pub(super) async fn writer(vault: Option<Vault>) -> Writer {
    let clock = ManualClock::new(UnixNanos(1_800_000_000_000_000_000));
    let store = MemoryStore::new(Arc::new(clock.clone()), MemoryOptions::default());
    let class = Class { name: "standard".into(), mode: Mode::Governance, period: "180d".parse().unwrap(), claimable: false };
    let classes = Arc::new(Classes::new(vec![class], "standard", "10y".parse().unwrap(), clock.now().ceil_seconds()).unwrap());
    let (sealer, task) = start(Options {
        store: Arc::new(store.clone()),
        log: LOG.into(),
        key: key(),
        next_key: None,
        vault,
        classes: Arc::clone(&classes),
        clock: Arc::new(clock.clone()),
        pool: Pool::new(1 << 20, Duration::from_secs(5)),
        max_delay: Duration::from_millis(10),
        max_bytes: 1 << 20,
        heartbeat: None,
        dedup_window: Duration::from_secs(3600),
        dedup_bytes: 1 << 20,
        publish_interval: Duration::from_secs(10),
        answer_within: Duration::from_secs(20),
        fence: Duration::from_secs(1),
        configuration: "{}".into(),
        first_act: None,
    })
    .await
    .unwrap();
    let register = Register::new(register::Parts {
        store: Arc::new(store.clone()),
        log: LOG.into(),
        vkey: task.vkey.clone(),
        status: task.status.clone(),
        ceiling: "10y".parse().unwrap(),
    });
    let governor = Governor {
        origin: "spanseal.test/test".into(),
        sealer,
        vault: None,
        identity: IdentityKey::new([0; 32]),
        identity_mode: IdentityMode::Keyed,
        scrub: Vec::new(),
        classes,
        register,
        clock: Arc::new(clock.clone()),
    };
    Writer { clock, store, governor, task }
}
