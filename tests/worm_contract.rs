//! One contract over every adapter: the suite takes a `dyn WormStore` and what that kind of store can do, and holds it
//! to `spanseal::worm`'s words. Memory and local always; Ceph RGW, MinIO and the Versity gateway where they run.

mod clouds;
mod network;
mod servers;
mod suite;

use spanseal::clock::{Clock, SystemClock};
use spanseal::worm::Locks;
use spanseal::worm::local::{LocalOptions, LocalStore};
use spanseal::worm::memory::{CreateOnly, MemoryOptions, MemoryStore};
use std::sync::Arc;
use suite::{Traits, contract};

/// The twin keeps the contract in every variant that tests use.
#[tokio::test]
async fn memory_keeps_the_contract() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for create_only in [CreateOnly::Honoured, CreateOnly::Ignored] {
        let store = MemoryStore::new(Arc::clone(&clock), MemoryOptions { create_only, ..MemoryOptions::default() });
        contract(&store, Traits { create_only: create_only == CreateOnly::Honoured, locks: true, versioned: true, has_clock: true }).await;
    }
    let unlocked = MemoryOptions { locks: Locks::None, ..MemoryOptions::default() };
    let store = MemoryStore::new(Arc::clone(&clock), unlocked);
    contract(&store, Traits { create_only: true, locks: false, versioned: true, has_clock: true }).await;
    let store = MemoryStore::new(clock, MemoryOptions { versioned: false, ..unlocked });
    contract(&store, Traits { create_only: true, locks: false, versioned: false, has_clock: true }).await;
}

/// So does a folder.
#[tokio::test]
async fn local_keeps_the_contract() {
    let temp = tempfile::tempdir().unwrap();
    let store = LocalStore::open(temp.path().join("store"), LocalOptions::default()).unwrap();
    contract(&store, Traits { create_only: true, locks: false, versioned: false, has_clock: false }).await;
}
