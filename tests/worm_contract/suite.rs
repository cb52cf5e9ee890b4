//! The suite itself. It writes below `contract/` and assumes that nothing is there.

use bytes::Bytes;
use spanseal::clock::{Clock, SystemClock, UnixSeconds};
use spanseal::worm::{Condition, Lock, Locks, Mode, ObjectKey, PutError, ReadError, VersionId, WormStore, ensure_locked, put_locked};

/// What this kind of store can do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    /// `If-None-Match: *` is honoured.
    pub(crate) create_only: bool,
    /// Locks are enforced.
    pub(crate) locks: bool,
    /// Objects have versions.
    pub(crate) versioned: bool,
    /// It has a clock of its own.
    pub(crate) has_clock: bool,
}

pub(crate) fn key(text: impl AsRef<str>) -> ObjectKey {
    ObjectKey(format!("contract/{}", text.as_ref()))
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// A lock some seconds from now. COMPLIANCE binds the test too, so it stays short.
pub(crate) fn lock(mode: Mode, seconds: i64) -> Lock {
    Lock { mode, retain_until: UnixSeconds(SystemClock.now().ceil_seconds().0 + seconds) }
}

/// Everything, in the order of the contract's sentences.
pub(crate) async fn contract(store: &dyn WormStore, traits: Traits) {
    assert_eq!(store.locks() == Locks::Enforced, traits.locks);
    assert_eq!(store.versioned(), traits.versioned);
    absence_is_an_answer(store).await;
    what_was_put_is_got(store, traits).await;
    a_limit_is_a_limit(store, traits).await;
    create_only_never_replaces(store, traits).await;
    one_of_many_creators_is_first(store, traits).await;
    any_adds_a_version_or_replaces(store, traits).await;
    a_listing_is_ordered_and_complete(store, traits).await;
    if traits.locks {
        locks_are_read_back(store).await;
        locks_only_grow(store).await;
        holds_go_on_and_off(store).await;
    } else {
        locks_are_refused(store, traits).await;
    }
    a_log_can_be_claimed(store).await;
    the_clock_is_compared(store, traits).await;
}

fn wanted(traits: Traits) -> Option<Lock> {
    traits.locks.then(|| lock(Mode::Governance, 600))
}

async fn absence_is_an_answer(store: &dyn WormStore) {
    let none = key("none/at/all");
    let elsewhere = VersionId("3sL4kqtJlcpXroDTDmJ-rmSpXd3dIbrHY".into());
    for version in [None, Some(&elsewhere)] {
        assert_eq!(store.get(&none, version, 10).await.unwrap(), None);
        assert_eq!(store.head(&none, version).await.unwrap(), None);
    }
    assert_eq!(store.versions(&none).await.unwrap(), []);
    assert_eq!(store.list("contract/", None, 10).await.unwrap(), []);
}

async fn what_was_put_is_got(store: &dyn WormStore, traits: Traits) {
    let bodies =
        [bytes("x"), Bytes::from(vec![0; 100_000]), Bytes::from((0..9_000_000_u32).map(|n| n.to_le_bytes()[0]).collect::<Vec<_>>())];
    for (n, body) in bodies.into_iter().enumerate() {
        let at = key(format!("plain/{n} \u{e4}+%&=~"));
        let id = store.put(&at, body.clone(), Condition::CreateOnly, wanted(traits)).await.unwrap();
        assert_eq!(id.is_some(), traits.versioned);
        let size = u64::try_from(body.len()).unwrap();
        for version in [None, id.as_ref()] {
            assert_eq!(store.get(&at, version, size).await.unwrap().as_ref(), Some(&body));
            let head = store.head(&at, version).await.unwrap().unwrap();
            assert_eq!((head.size, head.legal_hold), (size, false));
        }
        let listed = store.versions(&at).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((&listed[0].key, &listed[0].id, listed[0].size), (&at, &id, size));
        assert!(listed[0].is_latest && !listed[0].is_delete_marker);
        // An id that this store never gave is absence, not an error: it may come from a copy.
        for id in ["3sL4kqtJlcpXroDTDmJ-rmSpXd3dIbrHY", "6f1c1e0a-7d3b-4a55-9c55-0d9a3a1b2c3d", "v999999"] {
            assert_eq!(store.get(&at, Some(&VersionId(id.into())), size).await.unwrap(), None, "{id}");
            assert_eq!(store.head(&at, Some(&VersionId(id.into()))).await.unwrap(), None, "{id}");
        }
    }
    // A key is not its prefix, nor what it is a prefix of.
    assert_eq!(store.versions(&key("plain/0")).await.unwrap(), []);
    assert_eq!(store.get(&key("plain"), None, 10).await.unwrap(), None);
}

async fn a_limit_is_a_limit(store: &dyn WormStore, traits: Traits) {
    let at = key("limit");
    store.put(&at, bytes("0123456789"), Condition::CreateOnly, wanted(traits)).await.unwrap();
    assert!(store.get(&at, None, 11).await.unwrap().is_some());
    assert!(store.get(&at, None, 10).await.unwrap().is_some());
    let error = store.get(&at, None, 9).await.unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { size: 10, limit: 9, .. }), "{error}");
    assert!(!error.is_retryable());
}

async fn create_only_never_replaces(store: &dyn WormStore, traits: Traits) {
    let at = key("create/only");
    let first = store.put(&at, bytes("first"), Condition::CreateOnly, wanted(traits)).await.unwrap();
    let second = store.put(&at, bytes("second"), Condition::CreateOnly, wanted(traits)).await;
    let listed = store.versions(&at).await.unwrap();
    if traits.create_only {
        assert!(matches!(second, Err(PutError::Exists { .. })), "{second:?}");
        assert_eq!(listed.len(), 1);
        assert_eq!(store.get(&at, None, 10).await.unwrap().unwrap(), "first");
    } else {
        let second = second.unwrap();
        assert_eq!(listed.iter().map(|v| v.id.clone()).collect::<Vec<_>>(), [second, first.clone()], "the oldest is last");
    }
    assert_eq!(store.get(&at, first.as_ref(), 10).await.unwrap().unwrap(), "first");
}

async fn one_of_many_creators_is_first(store: &dyn WormStore, traits: Traits) {
    for round in 0..3 {
        let at = key(format!("race/{round}"));
        let bodies: Vec<_> = (0..8).map(|n| bytes(&format!("writer {n}"))).collect();
        let puts = bodies.iter().map(|body| store.put(&at, body.clone(), Condition::CreateOnly, wanted(traits)));
        let results = futures::future::join_all(puts).await;
        let mut won = Vec::new();
        for (n, result) in results.into_iter().enumerate() {
            match result {
                Ok(id) => won.push((n, id)),
                Err(error) => assert!(matches!(error, PutError::Exists { .. }), "{error}"),
            }
        }
        let listed = store.versions(&at).await.unwrap();
        assert_eq!(listed.len(), won.len(), "every 200 is a version, and nothing else is");
        assert_eq!(won.len(), if traits.create_only { 1 } else { 8 });
        let oldest = listed.last().unwrap();
        let (writer, _) = won.iter().find(|(_, id)| *id == oldest.id).unwrap();
        assert_eq!(store.get(&at, oldest.id.as_ref(), 20).await.unwrap().as_ref(), bodies.get(*writer));
    }
}

async fn any_adds_a_version_or_replaces(store: &dyn WormStore, traits: Traits) {
    let at = key("any");
    let mut ids = Vec::new();
    for body in ["one", "two", "three"] {
        ids.push(store.put(&at, bytes(body), Condition::Any, wanted(traits)).await.unwrap());
    }
    assert_eq!(store.get(&at, None, 10).await.unwrap().unwrap(), "three");
    let listed = store.versions(&at).await.unwrap();
    if traits.versioned {
        ids.reverse();
        assert_eq!(listed.iter().map(|v| v.id.clone()).collect::<Vec<_>>(), ids, "newest first");
        assert_eq!(listed.iter().map(|v| v.is_latest).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(store.get(&at, ids[2].as_ref(), 10).await.unwrap().unwrap(), "one");
    } else {
        assert_eq!(listed.len(), 1);
    }
}

async fn a_listing_is_ordered_and_complete(store: &dyn WormStore, traits: Traits) {
    // A file system cannot hold both `a` and `a/b`; the rest sorts around the slash.
    let mut keys: Vec<_> =
        ["a-b", "a.b", "a/b", "a/c/d", "a0", "b", "b c", "b+c", "z/0", "z/1", "z/2"].map(|k| key(format!("list/{k}"))).into();
    for at in keys.iter().rev() {
        store.put(at, bytes("x"), Condition::CreateOnly, wanted(traits)).await.unwrap();
        if traits.versioned && at.as_str().ends_with('0') {
            store.put(at, bytes("xx"), Condition::Any, wanted(traits)).await.unwrap();
        }
    }
    keys.sort_unstable();
    for prefix in ["contract/list/", "contract/list/a", "contract/list/a/", "contract/list/z/1", "contract/list/none"] {
        let expected: Vec<_> = keys.iter().filter(|k| k.as_str().starts_with(prefix)).cloned().collect();
        for limit in [1, 2, 3, 100] {
            let mut seen: Vec<ObjectKey> = Vec::new();
            loop {
                let page = store.list(prefix, seen.last(), limit).await.unwrap();
                if page.is_empty() {
                    break;
                }
                for at in page.iter().map(|v| &v.key).collect::<std::collections::BTreeSet<_>>() {
                    let whole: Vec<_> = page.iter().filter(|v| v.key == *at).cloned().collect();
                    assert_eq!(whole, store.versions(at).await.unwrap(), "a key's versions are never split");
                }
                seen.extend(page.into_iter().map(|v| v.key));
                seen.dedup();
            }
            assert_eq!(seen, expected, "{prefix} by {limit}");
        }
    }
}

async fn locks_are_read_back(store: &dyn WormStore) {
    for mode in [Mode::Governance, Mode::Compliance] {
        let at = key(format!("lock/{}", mode.as_str()));
        let want = lock(mode, 60);
        let id = put_locked(store, &at, bytes("locked"), want).await.unwrap();
        let head = store.head(&at, id.as_ref()).await.unwrap().unwrap();
        assert_eq!(head.lock, Some(want), "to the second");
        ensure_locked(store, &at, id.as_ref(), want).await.unwrap();
    }
    // Unlocked first: `ensure_locked` is the repair.
    let at = key("lock/none");
    let id = store.put(&at, bytes("x"), Condition::CreateOnly, None).await.unwrap();
    assert_eq!(store.head(&at, id.as_ref()).await.unwrap().unwrap().lock, None);
    let want = lock(Mode::Compliance, 60);
    ensure_locked(store, &at, id.as_ref(), want).await.unwrap();
    assert_eq!(store.head(&at, id.as_ref()).await.unwrap().unwrap().lock, Some(want));
    let missing = store.extend(&at, Some(&VersionId("6f1c1e0a-7d3b-4a55-9c55-0d9a3a1b2c3d".into())), want).await;
    assert!(matches!(missing, Err(PutError::Refused { .. })), "{missing:?}");
}

async fn locks_only_grow(store: &dyn WormStore) {
    let at = key("grow");
    let first = lock(Mode::Compliance, 60);
    let id = put_locked(store, &at, bytes("x"), first).await.unwrap();
    let later = Lock { retain_until: UnixSeconds(first.retain_until.0 + 60), ..first };
    store.extend(&at, id.as_ref(), later).await.unwrap();
    let found = async || store.head(&at, id.as_ref()).await.unwrap().unwrap().lock;
    assert_eq!(found().await, Some(later));
    for weaker in [first, Lock { mode: Mode::Governance, ..later }] {
        let refused = store.extend(&at, id.as_ref(), weaker).await;
        assert!(matches!(refused, Err(PutError::Refused { .. })), "{weaker:?}: {refused:?}");
        assert_eq!(found().await, Some(later));
    }
    // GOVERNANCE too is not shortened without the bypass permission's header, which we never send.
    let at = key("grow-governance");
    let first = lock(Mode::Governance, 60);
    let id = put_locked(store, &at, bytes("x"), first).await.unwrap();
    let later = Lock { retain_until: UnixSeconds(first.retain_until.0 + 60), ..first };
    store.extend(&at, id.as_ref(), later).await.unwrap();
    let refused = store.extend(&at, id.as_ref(), first).await;
    assert!(matches!(refused, Err(PutError::Refused { .. })), "{refused:?}");
    assert_eq!(store.head(&at, id.as_ref()).await.unwrap().unwrap().lock, Some(later));
}

async fn holds_go_on_and_off(store: &dyn WormStore) {
    let at = key("hold");
    let want = lock(Mode::Governance, 60);
    let id = put_locked(store, &at, bytes("x"), want).await.unwrap();
    for on in [true, true, false, false] {
        store.hold(&at, id.as_ref(), on).await.unwrap();
        let head = store.head(&at, id.as_ref()).await.unwrap().unwrap();
        assert_eq!((head.legal_hold, head.lock), (on, Some(want)), "a hold leaves the lock alone");
    }
}

async fn locks_are_refused(store: &dyn WormStore, traits: Traits) {
    let at = key("unlocked");
    let want = lock(Mode::Governance, 60);
    let id = put_locked(store, &at, bytes("x"), want).await.unwrap();
    assert_eq!(id.is_some(), traits.versioned);
    assert_eq!(store.head(&at, None).await.unwrap().unwrap().lock, None);
    let again = put_locked(store, &at, bytes("x"), want).await;
    assert_eq!(matches!(again, Err(PutError::Exists { .. })), traits.create_only, "{again:?}");
}

async fn a_log_can_be_claimed(store: &dyn WormStore) {
    let first = store.claim("contract-log").await.unwrap();
    let _other = store.claim("contract-log-2").await.unwrap();
    drop(first);
    let _again = store.claim("contract-log").await.unwrap();
}

async fn the_clock_is_compared(store: &dyn WormStore, traits: Traits) {
    let skew = store.clock_skew_seconds();
    assert_eq!(skew.is_some(), traits.has_clock);
    assert!(skew.is_none_or(|s| s.abs() <= 5), "{skew:?}");
    let state = store.state().await.unwrap();
    if traits.locks {
        assert_eq!((state.versioning, state.object_lock), (Some(true), Some(true)));
    } else {
        assert_ne!(state.object_lock, Some(true));
        assert_eq!(state.versioning.unwrap_or(false), traits.versioned);
    }
}
