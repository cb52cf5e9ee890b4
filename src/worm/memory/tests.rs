use super::*;
use crate::clock::{ManualClock, UnixNanos};
use crate::worm::{Mode, put_locked};
use std::time::Duration;

const DAY: i64 = 86_400;

fn key(text: &str) -> ObjectKey {
    ObjectKey(text.to_owned())
}

fn store(options: MemoryOptions) -> (ManualClock, MemoryStore) {
    let clock = ManualClock::new(UnixNanos(1_800_000_000_000_000_000));
    (clock.clone(), MemoryStore::new(Arc::new(clock), options))
}

fn lock(mode: Mode, days: i64) -> Lock {
    Lock { mode, retain_until: UnixSeconds(1_800_000_000 + days * DAY) }
}

async fn put(store: &MemoryStore, at: &str, condition: Condition) -> Result<Option<VersionId>, PutError> {
    store.put(&key(at), Bytes::from_static(b"body"), condition, Some(lock(Mode::Compliance, 1))).await
}

#[tokio::test]
#[should_panic(expected = "empty")]
async fn an_empty_put_is_our_mistake() {
    let (_, store) = store(MemoryOptions::default());
    let _ = store.put(&key("a"), Bytes::new(), Condition::Any, None).await;
}

#[tokio::test]
#[should_panic(expected = "evidence without a lock")]
async fn an_unlocked_seal_is_our_mistake() {
    let (_, store) = store(MemoryOptions::default());
    let _ = store.put(&key("log/seals/x"), Bytes::from_static(b"x"), Condition::CreateOnly, None).await;
}

#[tokio::test]
#[should_panic(expected = "which is past")]
async fn a_lock_in_the_past_is_our_mistake() {
    let (clock, store) = store(MemoryOptions::default());
    clock.advance(Duration::from_secs(2 * 86_400));
    let _ = put(&store, "log/seals/x", Condition::CreateOnly).await;
}

#[tokio::test]
#[should_panic(expected = "a lock on a store without locks")]
async fn a_lock_where_none_is_kept_is_our_mistake() {
    let (_, store) = store(MemoryOptions { locks: Locks::None, ..MemoryOptions::default() });
    let _ = put(&store, "log/seals/x", Condition::CreateOnly).await;
}

#[tokio::test]
#[should_panic(expected = "67108865 bytes")]
async fn more_than_64_mib_is_our_mistake() {
    let (_, store) = store(MemoryOptions::default());
    let over = vec![1; 64 * 1024 * 1024 + 1];
    let _ = store.put(&key("checkpoint"), over.into(), Condition::Any, None).await;
}

/// Locks and holds bind a deleter until their date; the bypass lifts GOVERNANCE alone; a plain delete only hides.
#[tokio::test]
async fn retention_is_enforced() {
    let (clock, store) = store(MemoryOptions::default());
    let at = key("log/seals/0");
    let id = put(&store, at.as_str(), Condition::CreateOnly).await.unwrap().unwrap();
    assert!(store.delete_version(&at, &id).is_err());
    assert!(store.delete_version_with_bypass(&at, &id).is_err());
    assert!(store.remove_lock_with_bypass(&at, &id).is_err());
    let marker = store.delete(&at).unwrap();
    assert_eq!(store.get(&at, None, 10).await.unwrap(), None, "hidden");
    assert!(store.get(&at, Some(&id), 10).await.unwrap().is_some());
    assert!(store.get(&at, Some(&marker), 10).await.unwrap().is_none());
    store.delete_version(&at, &marker).unwrap();
    assert!(store.get(&at, None, 10).await.unwrap().is_some());
    store.hold(&at, Some(&id), true).await.unwrap();
    clock.advance(Duration::from_secs(2 * 86_400));
    assert!(store.delete_version(&at, &id).unwrap_err().contains("hold"));
    store.hold(&at, Some(&id), false).await.unwrap();
    store.delete_version(&at, &id).unwrap();
    assert_eq!(store.versions(&at).await.unwrap(), []);
}

/// Every fault does what its doc says, to the store and to the caller.
#[tokio::test]
async fn faults_do_what_they_say() {
    for (fault, stored, kind) in [
        (Fault::NotStored, false, "not_stored"),
        (Fault::Refused, false, "refused"),
        (Fault::LostBefore, false, "unknown"),
        (Fault::LostAfter, true, "unknown"),
        (Fault::Delayed, false, "unknown"),
    ] {
        let (_, store) = store(MemoryOptions::default());
        store.fail_effect(1, fault);
        assert_eq!(put(&store, "a", Condition::CreateOnly).await.unwrap_err().kind(), kind, "{fault:?}");
        assert_eq!(store.get(&key("a"), None, 10).await.unwrap().is_some(), stored, "{fault:?}");
        assert_eq!(put(&store, "a", Condition::CreateOnly).await.is_ok(), !stored, "only the first effect fails: {fault:?}");
        assert_eq!(store.effects(), 2);
    }
    let (_, store) = store(MemoryOptions::default());
    store.fail_key("b/", 2, Fault::NotStored);
    store.fail_reads("a", 1);
    assert!(put(&store, "b/1", Condition::Any).await.is_err());
    assert!(put(&store, "a", Condition::Any).await.is_ok());
    assert!(put(&store, "b/2", Condition::Any).await.is_err());
    assert!(put(&store, "b/3", Condition::Any).await.is_ok());
    assert!(store.get(&key("b/3"), None, 10).await.is_ok());
    assert!(store.head(&key("a"), None).await.unwrap_err().is_retryable());
    assert!(store.head(&key("a"), None).await.is_ok());
    assert_eq!(store.effect_log(), ["put b/1", "put a", "put b/2", "put b/3"]);
}

/// A delayed put lands as the newest version, or not at all where create-only is honoured and the place is taken.
#[tokio::test]
async fn delayed_puts_land_later() {
    for (create_only, landed) in [(CreateOnly::Honoured, 0), (CreateOnly::Ignored, 1)] {
        let (_, store) = store(MemoryOptions { create_only, ..MemoryOptions::default() });
        store.fail_next(Fault::Delayed);
        assert!(put(&store, "a", Condition::CreateOnly).await.unwrap_err().is_unknown());
        let own = put(&store, "a", Condition::CreateOnly).await.unwrap();
        assert_eq!(store.release(), landed);
        let listed = store.versions(&key("a")).await.unwrap();
        assert_eq!(listed.len(), 1 + landed);
        assert_eq!(listed.last().unwrap().id, own, "oldest is last");
        assert_eq!(store.release(), 0);
    }
}

/// A dropped lock is repaired by `put_locked`, and named when it cannot be.
#[tokio::test]
async fn a_dropped_lock_is_repaired_or_named() {
    let (_, store) = store(MemoryOptions::default());
    let want = lock(Mode::Compliance, 1);
    store.fail_next(Fault::LockDropped);
    put_locked(&store, &key("a"), Bytes::from_static(b"x"), want).await.unwrap();
    assert_eq!(store.head(&key("a"), None).await.unwrap().unwrap().lock, Some(want));
    store.fail_key("b", 2, Fault::LockDropped);
    let error = put_locked(&store, &key("b"), Bytes::from_static(b"x"), want).await.unwrap_err();
    assert!(matches!(error, PutError::LockNotKept { found: None, .. }), "{error}");
}

/// A killed process never hears an answer and does nothing more; another one on the same store goes on.
#[tokio::test]
async fn the_dead_stay_silent() {
    let (_, store) = store(MemoryOptions::default());
    for (at, fault, stored) in [("a", Fault::DieBefore, false), ("b", Fault::DieAfter, true)] {
        let process = store.process();
        store.fail_next(fault);
        let waiting = tokio::time::timeout(Duration::from_millis(20), put(&process, at, Condition::CreateOnly)).await;
        assert!(waiting.is_err(), "{fault:?}");
        assert!(tokio::time::timeout(Duration::from_millis(20), process.versions(&key(at))).await.is_err());
        assert_eq!(store.process().get(&key(at), None, 10).await.unwrap().is_some(), stored);
    }
}

/// Tampering finds its object or panics, so that no tamper test passes for having done nothing.
#[tokio::test]
async fn tampering_changes_what_it_says() {
    let (_, store) = store(MemoryOptions::default());
    let first = put(&store, "a", Condition::CreateOnly).await.unwrap();
    let second = store.overwrite_foreign(&key("a"), &b"foreign"[..]);
    assert_eq!(store.get(&key("a"), None, 10).await.unwrap().unwrap(), &b"foreign"[..]);
    store.flip_byte(&key("a"), first.as_ref(), 0);
    assert_eq!(store.get(&key("a"), first.as_ref(), 10).await.unwrap().unwrap(), &b"cody"[..]);
    store.purge(&key("a"), second.as_ref());
    assert_eq!(store.versions(&key("a")).await.unwrap().len(), 1);
    store.purge(&key("a"), None);
    assert_eq!(store.keys(), []);
    let nothing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.flip_byte(&key("a"), None, 0)));
    assert!(nothing.is_err());
}
