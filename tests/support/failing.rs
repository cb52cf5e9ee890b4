//! A store whose Nth read fails once, and whose answers to reads take so long that another process can come between.

use async_trait::async_trait;
use bytes::Bytes;
use spanseal::worm::memory::MemoryStore;
use spanseal::worm::{
    Condition, Head, Lock, Locks, ObjectKey, PutError, ReadError, StoreState, Tag, Version, VersionId, WormStore, WriterGuard,
};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

#[derive(Debug)]
pub struct FailNthRead {
    inner: MemoryStore,
    left: AtomicI64,
    /// Only listings count that go on behind such a key.
    behind: Option<&'static str>,
    /// What another process writes to a file while the first read is under way.
    written: Mutex<Option<(PathBuf, String)>>,
}

impl FailNthRead {
    pub fn new(inner: MemoryStore, nth: i64) -> Self {
        FailNthRead { inner, left: AtomicI64::new(nth), behind: None, written: Mutex::default() }
    }

    /// One that fails never, and at the first read of which a file is written.
    pub fn writing(inner: MemoryStore, file: PathBuf, text: String) -> Self {
        FailNthRead { written: Mutex::new(Some((file, text))), ..FailNthRead::new(inner, i64::MAX) }
    }

    /// One that fails where a listing goes on behind a key with this part.
    pub fn listing_behind(inner: MemoryStore, part: &'static str) -> Self {
        FailNthRead { behind: Some(part), ..FailNthRead::new(inner, 0) }
    }

    /// Whether the fault was met.
    pub fn failed(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    fn look(&self, key: &str, after: Option<&ObjectKey>) -> Result<(), ReadError> {
        if let Some((file, text)) = self.written.lock().unwrap().take() {
            std::fs::write(file, text).unwrap();
        }
        if self.behind.is_some_and(|part| after.is_none_or(|after| !after.as_str().contains(part))) {
            return Ok(());
        }
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            0 => Err(ReadError::Unavailable { key: key.to_owned(), reason: "fault plan".to_owned() }),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl WormStore for FailNthRead {
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
        self.look(key.as_str(), None)?;
        let found = self.inner.get(key, version, limit).await;
        tokio::task::yield_now().await;
        found
    }

    async fn head(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Head>, ReadError> {
        self.look(key.as_str(), None)?;
        let found = self.inner.head(key, version).await;
        tokio::task::yield_now().await;
        found
    }

    async fn versions(&self, key: &ObjectKey) -> Result<Vec<Version>, ReadError> {
        self.look(key.as_str(), None)?;
        let found = self.inner.versions(key).await;
        tokio::task::yield_now().await;
        found
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Version>, ReadError> {
        self.look(prefix, after)?;
        let found = self.inner.list(prefix, after, limit).await;
        tokio::task::yield_now().await;
        found
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
