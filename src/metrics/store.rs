//! A store that counts and times what goes through it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Counter, Distribution, Gather, Histogram, Source, table};
use crate::worm::{
    Condition, Head, Lock, Locks, ObjectKey, PutError, ReadError, StoreState, Tag, Version, VersionId, WormStore, WriterGuard,
};

/// Kinds of objects (`store.md`), as labels.
const KINDS: [&str; 8] = ["segment", "seal", "checkpoint", "tile", "cosignature", "timestamp", "log", "other"];
/// How a put can end, as [`PutError::kind`] says it.
const PUT_OUTCOMES: [&str; 6] = ["stored", "exists", "refused", "not_stored", "unknown", "lock_not_kept"];
/// How a read can end.
const READ_OUTCOMES: [&str; 4] = ["ok", "refused", "unavailable", "too_large"];

#[derive(Default)]
struct Figures {
    puts: [[Counter; PUT_OUTCOMES.len()]; KINDS.len()],
    seconds: [Histogram; KINDS.len()],
    reads: [Counter; READ_OUTCOMES.len()],
}

/// Wraps a store. Register a clone as a [`Source`].
#[derive(Clone)]
pub struct ObservedStore {
    inner: Arc<dyn WormStore>,
    figures: Arc<Figures>,
}

impl fmt::Debug for ObservedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

fn kind_of(key: &ObjectKey) -> usize {
    let below = key.as_str().split_once('/').map_or("", |(_, below)| below);
    let kind = match below.split_once('/').map_or(below, |(folder, _)| folder) {
        "segments" => "segment",
        "seals" => "seal",
        "checkpoint" => "checkpoint",
        "tile" => "tile",
        "timestamps" => "timestamp",
        "cosignatures" => "cosignature",
        "log.json" => "log",
        _ => "other",
    };
    index_of(&KINDS, kind)
}

fn index_of(words: &[&str], word: &str) -> usize {
    words.iter().position(|w| *w == word).unwrap_or(words.len() - 1)
}

impl ObservedStore {
    /// Wraps it.
    pub fn new(inner: Arc<dyn WormStore>) -> Self {
        ObservedStore { inner, figures: Arc::default() }
    }

    fn read<T>(&self, answer: Result<T, ReadError>) -> Result<T, ReadError> {
        let outcome = match &answer {
            Ok(_) => "ok",
            Err(ReadError::Refused { .. }) => "refused",
            Err(ReadError::Unavailable { .. }) => "unavailable",
            Err(ReadError::TooLarge { .. }) => "too_large",
        };
        if let Some(counter) = self.figures.reads.get(index_of(&READ_OUTCOMES, outcome)) {
            counter.add(1);
        }
        answer
    }

    fn count_put(&self, key: &ObjectKey, began: Instant, answer: &Result<Option<VersionId>, PutError>) {
        let outcome = answer.as_ref().err().map_or("stored", PutError::kind);
        let kind = kind_of(key);
        if let Some(counter) = self.figures.puts.get(kind).and_then(|o| o.get(index_of(&PUT_OUTCOMES, outcome))) {
            counter.add(1);
        }
        if let Some(histogram) = self.figures.seconds.get(kind) {
            histogram.record(began.elapsed());
        }
    }

    /// How long puts take, by kind of object.
    pub fn distributions(&self) -> impl Iterator<Item = Distribution<'_>> {
        KINDS.into_iter().zip(&self.figures.seconds).map(|(kind, seconds)| (&table::STORE_PUT_SECONDS, Some(("kind", kind)), seconds))
    }
}

impl Source for ObservedStore {
    fn gather(&self, out: &mut Gather) {
        for (kind, outcomes) in KINDS.into_iter().zip(&self.figures.puts) {
            for (outcome, counter) in PUT_OUTCOMES.into_iter().zip(outcomes).filter(|(_, c)| c.value() > 0) {
                out.count(&table::STORE_PUTS, &[("kind", kind), ("outcome", outcome)], counter.value());
            }
        }
        for (instrument, label, histogram) in self.distributions() {
            out.distribution(instrument, label.as_slice(), histogram);
        }
        for (outcome, counter) in READ_OUTCOMES.into_iter().zip(&self.figures.reads) {
            out.count(&table::STORE_READS, &[("outcome", outcome)], counter.value());
        }
        if let Some(skew) = self.inner.clock_skew_seconds().and_then(|s| i32::try_from(s).ok()) {
            out.measure(&table::STORE_SKEW, &[], f64::from(skew));
        }
    }
}

#[async_trait]
impl WormStore for ObservedStore {
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
        let began = Instant::now();
        let answer = self.inner.put(key, body, condition, lock).await;
        self.count_put(key, began, &answer);
        answer
    }

    async fn put_tagged(&self, key: &ObjectKey, body: Bytes, lock: Option<Lock>, tag: Tag) -> Result<Option<VersionId>, PutError> {
        let began = Instant::now();
        let answer = self.inner.put_tagged(key, body, lock, tag).await;
        self.count_put(key, began, &answer);
        answer
    }

    async fn get(&self, key: &ObjectKey, version: Option<&VersionId>, limit: u64) -> Result<Option<Bytes>, ReadError> {
        self.read(self.inner.get(key, version, limit).await)
    }

    async fn head(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Head>, ReadError> {
        self.read(self.inner.head(key, version).await)
    }

    async fn is_on_hold(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<bool>, ReadError> {
        self.read(self.inner.is_on_hold(key, version).await)
    }

    async fn versions(&self, key: &ObjectKey) -> Result<Vec<Version>, ReadError> {
        self.read(self.inner.versions(key).await)
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Version>, ReadError> {
        self.read(self.inner.list(prefix, after, limit).await)
    }

    async fn extend(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError> {
        self.inner.extend(key, version, lock).await
    }

    async fn hold(&self, key: &ObjectKey, version: Option<&VersionId>, on: bool) -> Result<(), PutError> {
        self.inner.hold(key, version, on).await
    }

    async fn state(&self) -> Result<StoreState, ReadError> {
        self.read(self.inner.state().await)
    }

    fn clock_skew_seconds(&self) -> Option<i64> {
        self.inner.clock_skew_seconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::worm::local::{LocalOptions, LocalStore};
    use crate::worm::seal_key;

    #[tokio::test]
    async fn puts_and_reads_are_counted_by_kind_and_outcome() {
        let folder = tempfile::tempdir().unwrap();
        let store = ObservedStore::new(Arc::new(LocalStore::open(folder.path(), LocalOptions::default()).unwrap()));
        let key = seal_key("log", 0);
        store.put(&key, Bytes::from_static(b"x"), Condition::CreateOnly, None).await.unwrap();
        assert!(store.put(&key, Bytes::from_static(b"y"), Condition::CreateOnly, None).await.is_err());
        assert!(store.get(&key, None, 10).await.unwrap().is_some());
        let metrics = Metrics::default();
        metrics.register(Arc::new(store));
        let text = metrics.prometheus();
        for line in [
            "spanseal_worm_puts_total{kind=\"seal\",outcome=\"stored\"} 1\n",
            "spanseal_worm_puts_total{kind=\"seal\",outcome=\"exists\"} 1\n",
            "spanseal_worm_put_duration_seconds_count{kind=\"seal\"} 2\n",
            "spanseal_worm_reads_total{outcome=\"ok\"} 1\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn kinds_follow_the_layout() {
        for (key, kind) in [
            ("log/segments/standard/2026/01/01/x", "segment"),
            ("log/seals/1.json", "seal"),
            ("log/checkpoint", "checkpoint"),
            ("log/tile/0/x", "tile"),
            ("log/timestamps/1/x.tsr", "timestamp"),
            ("log/log.json", "log"),
            ("_doctor/x", "other"),
            ("x", "other"),
        ] {
            assert_eq!(KINDS[kind_of(&ObjectKey(key.into()))], kind, "{key}");
        }
    }
}
