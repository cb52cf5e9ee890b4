//! Stores that list less than they hold, or more than anybody wrote.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use spanseal::clock::UnixSeconds;
use spanseal::tlog::note::NoteSigner;
use spanseal::verify::{Bound, Options, Report, Verdict, verify};
use spanseal::worm::memory::MemoryStore;
use spanseal::worm::{
    Condition, Head, Lock, Locks, ObjectKey, PutError, ReadError, StoreState, Tag, Version, VersionId, WormStore, WriterGuard, below,
    checkpoint_key, parse_seal_name, seal_key, timestamp_name,
};

use super::{INTACT, found, kept, log_of, object};
use crate::support::forge::{Forge, LOG, kinds, notes};

/// Lists the seals before `end` alone; behind them, if it `invents`, as many as anybody asks for.
#[derive(Debug)]
struct Lying {
    inner: MemoryStore,
    end: u64,
    invents: bool,
    /// Seals behind `end` are named where they are asked for, and not handed out.
    withholds: bool,
    calls: AtomicUsize,
}

impl Lying {
    fn new(inner: MemoryStore, end: u64, invents: bool) -> Self {
        Lying { inner, end, invents, withholds: false, calls: AtomicUsize::new(0) }
    }

    fn index(&self, key: &ObjectKey) -> Option<u64> {
        key.as_str().strip_prefix(LOG).and_then(|rest| rest.strip_prefix('/')).and_then(parse_seal_name)
    }
}

#[async_trait]
impl WormStore for Lying {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn address(&self) -> String {
        self.inner.address()
    }

    fn locks(&self) -> Locks {
        self.inner.locks()
    }

    fn versioned(&self) -> bool {
        self.inner.versioned()
    }

    async fn claim(&self, log: &str) -> Result<WriterGuard, PutError> {
        self.inner.claim(log).await
    }

    async fn put(&self, key: &ObjectKey, body: Bytes, condition: Condition, lock: Option<Lock>) -> Result<Option<VersionId>, PutError> {
        self.inner.put(key, body, condition, lock).await
    }

    async fn put_tagged(&self, key: &ObjectKey, body: Bytes, lock: Option<Lock>, tag: Tag) -> Result<Option<VersionId>, PutError> {
        self.inner.put_tagged(key, body, lock, tag).await
    }

    async fn get(&self, key: &ObjectKey, version: Option<&VersionId>, limit: u64) -> Result<Option<Bytes>, ReadError> {
        if self.withholds && self.index(key).is_some_and(|index| index >= self.end) {
            return Err(ReadError::Unavailable { key: key.to_string(), reason: "withheld".to_owned() });
        }
        let made_up = self.invents && self.index(key).is_some_and(|index| index >= self.end);
        if made_up { Ok(Some(Bytes::from_static(b"{}"))) } else { self.inner.get(key, version, limit).await }
    }

    async fn head(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Head>, ReadError> {
        self.inner.head(key, version).await
    }

    async fn versions(&self, key: &ObjectKey) -> Result<Vec<Version>, ReadError> {
        self.inner.versions(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Version>, ReadError> {
        let mut listed = self.inner.list(prefix, after, limit).await?;
        listed.retain(|version| self.index(&version.key).is_none_or(|index| index < self.end));
        if prefix == format!("{LOG}/seals/") && self.invents {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let next = listed.last().map(|version| &version.key).or(after).and_then(|key| self.index(key)).map_or(0, |index| index + 1);
            let made_up = (next.max(self.end)..).take(limit.saturating_sub(listed.len()));
            listed.extend(made_up.map(|index| Version {
                key: seal_key(LOG, index),
                id: Some(VersionId("v".into())),
                is_latest: true,
                is_delete_marker: false,
                size: 2,
            }));
        }
        Ok(listed)
    }

    async fn extend(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError> {
        self.inner.extend(key, version, lock).await
    }

    async fn hold(&self, key: &ObjectKey, version: Option<&VersionId>, on: bool) -> Result<(), PutError> {
        self.inner.hold(key, version, on).await
    }

    async fn state(&self) -> Result<StoreState, ReadError> {
        self.inner.state().await
    }

    fn clock_skew_seconds(&self) -> Option<i64> {
        self.inner.clock_skew_seconds()
    }
}

async fn shown(forge: &Forge, end: u64, options: Options<'static>) -> Report {
    verify(&Lying::new(forge.store.copy(), end, false), &options).await
}

/// Scenario: of 14 seals the store lists 5, the published checkpoint is that of the last of these, and the next seal is there when it is asked for, but
/// gives no bytes. Guarantee: it is not verified.
#[tokio::test]
async fn a_seal_behind_the_listing_that_is_withheld_is_unchecked() {
    let forge = log_of(14).await;
    forge.put(&checkpoint_key(LOG), forge.seals[4].checkpoint.clone()).await;
    let now = UnixSeconds(forge.seals[5].statement.sealed_at.0 + 1000);
    for (withholds, part) in [(true, "withheld"), (false, "the listing hides seals from 5 on")] {
        let store = Lying { withholds, ..Lying::new(forge.store.copy(), 5, false) };
        let report = verify(&store, &Options { now, ..forge.options() }).await;
        assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{}", report.to_text());
        let of_it: Vec<_> = report.notes.iter().filter(|note| note.object == object(5)).collect();
        assert!(of_it.len() == 1 && of_it[0].meaning.contains(part), "{}", report.to_text());
    }
}

/// Scenario: of 14 seals the store lists 5, and the published checkpoint, or the one that the auditor kept, names all. Guarantee: it is not
/// verified: the seal that is there and not listed is named, and nothing is said to be lost that is only hidden.
#[tokio::test]
async fn a_listing_that_hides_seals_is_not_believed() {
    let forge = log_of(14).await;
    // Evidence beside the hidden seals, too.
    forge.put(&below(LOG, &timestamp_name(9, &"a".repeat(64))), "x").await;
    let hidden = |report: &Report, what: &str| {
        assert_eq!((report.verdict, kinds(report)), (Verdict::Unchecked, vec![]), "{what}: {}", report.to_text());
        let named = report.notes.iter().find(|note| note.meaning.contains("the listing hides seals 5 to 13"));
        assert_eq!(named.map(|note| note.object.clone()), Some(object(13)), "{what}: {}", report.to_text());
        assert!(!notes(report).contains(&"extends"), "{what}: {}", report.to_text());
    };
    for part in [(None, None), (Some(2), None), (None, Some(13)), (Some(3), Some(20))] {
        let (from, to) = (part.0.map(Bound::Seal), part.1.map(Bound::Seal));
        hidden(&shown(&forge, 5, Options { from, to, ..forge.options() }).await, &format!("{part:?}"));
    }
    // An old checkpoint in the place of the newest, and one that was kept.
    let old = forge.copy();
    old.put(&checkpoint_key(LOG), forge.seals[4].checkpoint.clone()).await;
    hidden(&shown(&old, 5, Options { since: kept(&forge.seals[13].checkpoint), ..forge.options() }).await, "kept");
    // What was asked for is all there: nothing is claimed beyond it.
    for to in [0, 3, 4] {
        let report = shown(&forge, 5, Options { to: Some(Bound::Seal(to)), ..forge.options() }).await;
        assert_eq!((report.verdict, report.logs[0].seals), (Verdict::Verified, to + 1), "{}", report.to_text());
    }
    // A log that goes on while it is read is no such thing: its checkpoint from before names no seal behind the listing, and the seal that
    // stands there was made while this look was under way.
    let now = forge.seals[5].statement.sealed_at;
    let report = shown(&old, 5, Options { now, ..forge.options() }).await;
    assert_eq!(kinds(&report), Vec::<&str>::new(), "{}", report.to_text());
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    // Long after, the same listing hides what was there before it was made; with the old checkpoint, and with none.
    let none = forge.copy();
    none.store.purge(&checkpoint_key(LOG), None);
    for taken_back in [&old, &none] {
        let now = UnixSeconds(now.0 + 3600);
        let report = shown(taken_back, 5, Options { now, ..forge.options() }).await;
        assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{}", report.to_text());
        assert!(report.notes.iter().any(|note| note.meaning.contains("the listing hides seals from 5 on")), "{}", report.to_text());
        // Which says nothing of the part before it.
        let part = Options { now, to: Some(Bound::Seal(4)), ..forge.options() };
        assert_eq!(shown(taken_back, 5, part).await.verdict, Verdict::Verified);
    }
    // What the checkpoint names, or what stands next, cannot be read.
    for (store, index) in [(&forge, 13), (&none, 5)] {
        let lying = Lying::new(store.store.copy(), 5, false);
        lying.inner.fail_reads(&format!("/seals/{index:020}"), 1000);
        let report = verify(&lying, &forge.options()).await;
        let unread = report.notes.iter().any(|n| n.kind.as_str() == "unchecked" && n.object == object(index));
        assert!(unread && report.verdict == Verdict::Unchecked && report.findings.is_empty(), "{index}: {}", report.to_text());
    }
    // The checkpoint names a seal that is there, and is not the one that it was signed for.
    let other = NoteSigner::new(crate::support::forge::ORIGIN, &[3; 32]).unwrap();
    let root = forge.seals[12].range_after().root();
    old.put(&checkpoint_key(LOG), other.checkpoint(spanseal::tlog::TreeSize(14), root)).await;
    assert_eq!(kinds(&shown(&old, 5, forge.options()).await), ["checkpoint_invalid"]);
}

/// Scenario: a store lists seals without end, which it makes up. Guarantee: verification ends after a bounded number of them, and says so.
#[tokio::test]
async fn a_listing_without_end_is_left() {
    let forge = log_of(5).await;
    for options in [forge.options(), Options { to: Some(Bound::Seal(900_000)), ..forge.options() }] {
        let store = Lying::new(forge.store.copy(), 5, true);
        let report = verify(&store, &options).await;
        assert_eq!(found(&report), [("seal_foreign", object(5), INTACT)], "{}", report.to_text());
        assert!(notes(&report).contains(&"unchecked"), "{}", report.to_text());
        assert_eq!(report.logs[0].seals, 5);
        assert!(store.calls.load(Ordering::SeqCst) < 40, "{}", store.calls.load(Ordering::SeqCst));
    }
}
