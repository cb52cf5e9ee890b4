//! S3 with Object Lock: AWS and servers that speak it.
//!
//! Every call is one signed request (`client.rs`); what its answer means stands in `answer.rs`. Puts, extends and holds are
//! tried once. Reads are asked again a few times, because asking changes nothing. Objects go up in one piece: Ceph RGW
//! drops lock headers of multipart uploads silently. A GET shows no lock on Versity, so locks are read by HEAD.

use super::key::check_key;
use super::listing::EMPTY_PAGES_MAX;
use super::tags::{PutsTags, Tags};
use super::wire::{self, Answer, CONNECT_TIMEOUT, Call, CallError, Caller, PAGE_BYTES_MAX, SMALL_ANSWER_MAX};
use super::{
    Condition, Head, Lock, Locks, ObjectKey, OpenError, PutError, ReadError, StoreState, Tag, VERSIONS_LISTED_MAX, Version, VersionId,
    WormStore, WriterGuard,
};
use crate::http_client;
use answer::{classify_put, explain, is_passing, is_unknown, refuse_read, store_words};
use async_trait::async_trait;
use bucket::Asked;
use bytes::Bytes;
use client::Client;
use http::{Method, StatusCode};
use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

mod answer;
pub mod bucket;
mod client;
mod erasable;
mod options;
pub mod policy;
mod probe;
mod xml;
pub use erasable::Versioning;
pub use options::{PUT_TIMEOUT_DEFAULT, S3Credentials, S3Options, is_loopback};

/// S3's own limit of a listing's page.
const PAGE_MAX: usize = 1000;
/// An id that S3 gives to what was written without versioning.
const NULL_VERSION: &str = "null";

/// One bucket, or a folder of it. See the module.
pub struct S3Store {
    client: Client,
    /// `s3://bucket/prefix`.
    shown: String,
    /// Whose bucket of that name.
    owner: String,
    /// Empty, or ends with a slash.
    prefix: String,
    options: S3Options,
    versioned: AtomicBool,
    /// Puts that were refused with a tag, and taken without.
    tags: Tags,
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Store").field("url", &self.shown).field("not_worm", &self.options.not_worm).finish_non_exhaustive()
    }
}

impl S3Store {
    /// Opens `bucket`, below `prefix` (without slashes at its ends; may be empty). Asks the network nothing, but with
    /// `not_worm`, where only the bucket knows whether it keeps versions (Object Lock itself demands them).
    pub async fn open(bucket: &str, prefix: &str, options: S3Options) -> Result<Self, OpenError> {
        let shown = if prefix.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{prefix}") };
        let invalid = |reason: String| OpenError::invalid(&shown, reason);
        // Before object_store makes a client of its own for credentials.
        http_client::ensure_crypto_provider();
        let place = options::Place::find(&shown, bucket, &options)?;
        let http = http_client::client(place.is_https, options.ca_file.as_deref(), Some(CONNECT_TIMEOUT)).await.map_err(invalid)?;
        let store = S3Store {
            client: Client::new(http, place.base, place.region, place.credentials),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            versioned: AtomicBool::new(true),
            tags: Tags::default(),
            shown,
            owner: place.owner,
            options,
        };
        if store.options.not_worm {
            let versioning = store.versioning().await.map_err(|source| OpenError::Unreachable { url: store.shown.clone(), source })?;
            store.versioned.store(versioning, Ordering::Relaxed);
        }
        Ok(store)
    }

    fn full_key(&self, key: &ObjectKey) -> Result<String, &'static str> {
        check_key(key)?;
        let full = format!("{}{key}", self.prefix);
        if full.len() > 1024 { Err("with the store's prefix the key is longer than 1024 bytes") } else { Ok(full) }
    }

    fn read_key(&self, key: &ObjectKey) -> Result<String, ReadError> {
        self.full_key(key).map_err(|why| ReadError::Refused { key: key.0.clone(), reason: why.to_owned() })
    }

    /// The version's name for callers: none where the bucket has no versions.
    fn version_id(&self, id: &str) -> Option<VersionId> {
        let nameless = id.is_empty() || (id == NULL_VERSION && !self.versioned());
        (!nameless).then(|| VersionId(id.to_owned()))
    }

    /// One attempt.
    async fn put_with(
        &self,
        key: &ObjectKey,
        body: Bytes,
        condition: Condition,
        lock: Option<Lock>,
        tag: Option<Tag>,
    ) -> Result<Option<VersionId>, PutError> {
        let refused = |reason: &str| PutError::Refused { key: key.clone(), reason: reason.to_owned() };
        let full = self.full_key(key).map_err(refused)?;
        if body.is_empty() {
            return Err(refused("nothing of ours is empty, and a checksum of nothing proves nothing"));
        }
        let mut headers = Vec::with_capacity(7);
        if condition == Condition::CreateOnly {
            headers.push(("if-none-match", "*".to_owned()));
        }
        match lock {
            Some(_) if self.options.not_worm => return Err(refused("`store.not_worm` is on, so nothing is locked here")),
            Some(lock) => {
                headers.push(("x-amz-object-lock-mode", lock.mode.as_str().to_owned()));
                headers.push(("x-amz-object-lock-retain-until-date", lock.retain_until.to_string()));
            }
            None => {}
        }
        headers.extend(tag.map(|tag| ("x-amz-tagging", format!("{}={}", tag.name, tag.value))));
        if let Some(id) = &self.options.sse_kms_key_id {
            headers.push(("x-amz-server-side-encryption", "aws:kms".to_owned()));
            headers.push(("x-amz-server-side-encryption-aws-kms-key-id", id.clone()));
        }
        let answer = self.change(key, Some(condition), Call { key: full, headers, body, ..Call::default() }).await?;
        Ok(answer.header("x-amz-version-id").and_then(|id| self.version_id(id)))
    }

    /// One attempt at something that changes the store.
    async fn change(&self, key: &ObjectKey, condition: Option<Condition>, call: Call) -> Result<Answer, PutError> {
        let call = Call { method: Method::PUT, timeout: self.options.put_timeout, answer_max: SMALL_ANSWER_MAX, ..call };
        classify_put(key, condition, self.client.call(call).await)
    }

    async fn change_lock(&self, key: &ObjectKey, what: &'static str, version: Option<&VersionId>, body: String) -> Result<(), PutError> {
        let full = self.full_key(key).map_err(|why| PutError::Refused { key: key.clone(), reason: why.to_owned() })?;
        let mut query = vec![(what, String::new())];
        query.extend(version.map(|v| ("versionId", v.0.clone())));
        self.change(key, None, Call { key: full, query, body: body.into(), ..Call::default() }).await?;
        Ok(())
    }

    async fn read(&self, shown: &str, call: Call) -> Result<Answer, ReadError> {
        wire::read(self, shown, call).await
    }

    /// Asks about the bucket.
    async fn read_bucket(&self, what: &'static str) -> Result<Answer, ReadError> {
        let call = Call { query: vec![(what, String::new())], answer_max: SMALL_ANSWER_MAX, ..Call::default() };
        self.read(&self.shown, call).await
    }

    async fn versioning(&self) -> Result<bool, ReadError> {
        Ok(self.versioning_status().await? == Versioning::Enabled)
    }

    fn unreadable(&self, key: &str, what: &str) -> ReadError {
        ReadError::Refused { key: key.to_owned(), reason: format!("the answer to {what} is not S3's: is the endpoint right?") }
    }

    /// Whether a 4xx on one version only says that there is no such version. Statuses differ (404; 400 for an id that
    /// another server made up; 405 for a marker) and a HEAD has no body, so the listing decides.
    async fn is_absent(&self, key: &ObjectKey, version: Option<&VersionId>, answer: &Answer) -> Result<bool, ReadError> {
        let (code, _) = store_words(answer);
        match (answer.status, version) {
            (StatusCode::NOT_FOUND, _) if matches!(code.as_str(), "NoSuchKey" | "NoSuchVersion") => Ok(true),
            (StatusCode::NOT_FOUND, _) if code == "NoSuchBucket" => Ok(false),
            // A HEAD's 404 may mean the bucket; the listing of a missing bucket is an error, of a missing key it is empty.
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, None) => {
                Ok(self.versions(key).await?.iter().all(|v| v.is_delete_marker || !v.is_latest))
            }
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST, Some(id)) => {
                Ok(!self.versions(key).await?.iter().any(|v| v.id.as_ref() == Some(id) && !v.is_delete_marker))
            }
            _ => Ok(false),
        }
    }

    /// A lock that HEAD did not show: really none, or hidden from credentials without `s3:GetObjectRetention`.
    async fn retention(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Lock>, ReadError> {
        let mut query = vec![("retention", String::new())];
        query.extend(version.map(|v| ("versionId", v.0.clone())));
        let call = Call { key: self.read_key(key)?, query, answer_max: SMALL_ANSWER_MAX, ..Call::default() };
        let answer = self.read(key.as_str(), call).await?;
        if answer.status == StatusCode::OK {
            let root = xml::Node::parse(&answer.body).ok_or_else(|| self.unreadable(key.as_str(), "?retention"))?;
            return xml::parse_lock(root.text_of("Mode"), root.text_of("RetainUntilDate"))
                .map_err(|reason| ReadError::Refused { key: key.0.clone(), reason });
        }
        match store_words(&answer).0.as_str() {
            "NoSuchObjectLockConfiguration" | "ObjectLockConfigurationNotFoundError" | "NoSuchKey" | "NoSuchVersion" => Ok(None),
            // "Bucket is missing Object Lock Configuration": nothing in it is locked.
            "InvalidRequest" => Ok(None),
            _ => Err(refuse_read(key.as_str(), &answer)),
        }
    }

    /// One page of the version listing below the bucket's prefix.
    async fn page(&self, shown: &str, prefix: &str, from: &Option<(String, Option<String>)>, max: usize) -> Result<xml::Page, ReadError> {
        let mut query = vec![
            ("versions", String::new()),
            ("encoding-type", "url".to_owned()),
            ("max-keys", max.to_string()),
            ("prefix", prefix.to_owned()),
        ];
        if let Some((key, version)) = from {
            query.push(("key-marker", key.clone()));
            query.extend(version.iter().map(|v| ("version-id-marker", v.clone())));
        }
        let answer = self.read(shown, Call { query, answer_max: PAGE_BYTES_MAX, ..Call::default() }).await?;
        if answer.status != StatusCode::OK {
            return Err(refuse_read(shown, &answer));
        }
        xml::parse_page(&answer.body).ok_or_else(|| self.unreadable(shown, "?versions"))
    }

    /// Appends a page. Versity lists all markers of a page before all versions, so a page is first ordered by key (the
    /// order within a key is the store's own and stays), and it begins a page with the entry that ended the last one.
    fn join(&self, shown: &str, found: &mut Vec<Version>, mut page: Vec<Version>) -> Result<(), ReadError> {
        page.sort_by(|a, b| a.key.cmp(&b.key));
        if let Some(last) = found.last() {
            let seam = |v: &Version| v.key == last.key && v.id == last.id;
            page.retain(|v| !seam(v));
            if page.first().is_some_and(|first| first.key < last.key) {
                return Err(ReadError::Refused { key: shown.to_owned(), reason: "the store lists keys out of order".to_owned() });
            }
        }
        found.append(&mut page);
        Ok(())
    }

    fn version(&self, entry: xml::Entry) -> Option<Version> {
        let key = ObjectKey(entry.key.strip_prefix(&self.prefix)?.to_owned());
        let id = self.version_id(&entry.id);
        Some(Version { key, id, is_latest: entry.is_latest, is_delete_marker: entry.is_delete_marker, size: entry.size })
    }
}

#[async_trait]
impl WormStore for S3Store {
    fn describe(&self) -> String {
        self.shown.clone()
    }

    fn address(&self) -> String {
        format!("{} at {}", self.shown, self.owner)
    }

    fn locks(&self) -> Locks {
        if self.options.not_worm { Locks::None } else { Locks::Enforced }
    }

    fn versioned(&self) -> bool {
        self.versioned.load(Ordering::Relaxed)
    }

    async fn claim(&self, _log: &str) -> Result<WriterGuard, PutError> {
        Ok(WriterGuard(None)) // Two writers meet at the commit: only one create-only put of a seal is the oldest.
    }

    async fn put(&self, key: &ObjectKey, body: Bytes, condition: Condition, lock: Option<Lock>) -> Result<Option<VersionId>, PutError> {
        self.put_with(key, body, condition, lock, None).await
    }

    /// AWS demands `s3:PutObjectTagging` for a put with a tag, and a server may know no tags: neither keeps the object out.
    async fn put_tagged(&self, key: &ObjectKey, body: Bytes, lock: Option<Lock>, tag: Tag) -> Result<Option<VersionId>, PutError> {
        self.tags.put(self, key, (body, lock, tag), "s3:PutObjectTagging").await
    }

    async fn get(&self, key: &ObjectKey, version: Option<&VersionId>, limit: u64) -> Result<Option<Bytes>, ReadError> {
        let query = version.map(|v| ("versionId", v.0.clone())).into_iter().collect();
        let call = Call { key: self.read_key(key)?, query, answer_max: limit, ..Call::default() };
        let answer = self.read(key.as_str(), call).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.body)),
            _ if self.is_absent(key, version, &answer).await? => Ok(None),
            _ => Err(refuse_read(key.as_str(), &answer)),
        }
    }

    async fn head(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Head>, ReadError> {
        let query = version.map(|v| ("versionId", v.0.clone())).into_iter().collect();
        let answer = self.read(key.as_str(), Call { method: Method::HEAD, key: self.read_key(key)?, query, ..Call::default() }).await?;
        if answer.status != StatusCode::OK {
            let absent = self.is_absent(key, version, &answer).await?;
            return if absent { Ok(None) } else { Err(refuse_read(key.as_str(), &answer)) };
        }
        let size = answer.header("content-length").and_then(|n| n.parse().ok());
        let size = size.ok_or_else(|| self.unreadable(key.as_str(), "HEAD"))?;
        let lock = xml::parse_lock(answer.header("x-amz-object-lock-mode"), answer.header("x-amz-object-lock-retain-until-date"))
            .map_err(|reason| ReadError::Refused { key: key.0.clone(), reason })?;
        let lock = match lock {
            None if !self.options.not_worm => self.retention(key, version).await?,
            lock => lock,
        };
        Ok(Some(Head { size, lock, legal_hold: answer.header("x-amz-object-lock-legal-hold") == Some("ON") }))
    }

    async fn is_on_hold(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<bool>, ReadError> {
        let mut query = vec![("legal-hold", String::new())];
        query.extend(version.map(|v| ("versionId", v.0.clone())));
        let call = Call { key: self.read_key(key)?, query, answer_max: SMALL_ANSWER_MAX, ..Call::default() };
        let answer = self.read(key.as_str(), call).await?;
        if answer.status == StatusCode::OK {
            let root = xml::Node::parse(&answer.body).ok_or_else(|| self.unreadable(key.as_str(), "?legal-hold"))?;
            return Ok(Some(root.text_of("Status") == Some("ON")));
        }
        match store_words(&answer).0.as_str() {
            "NoSuchKey" | "NoSuchVersion" => Ok(None),
            // None was ever put on it, or nothing in the bucket can be held.
            "NoSuchObjectLockConfiguration" | "ObjectLockConfigurationNotFoundError" | "InvalidRequest" => Ok(Some(false)),
            _ => Err(refuse_read(key.as_str(), &answer)),
        }
    }

    async fn versions(&self, key: &ObjectKey) -> Result<Vec<Version>, ReadError> {
        let full = self.read_key(key)?;
        let mut found = Vec::new();
        let mut from = None;
        let mut places = Places::default();
        loop {
            let page = self.page(key.as_str(), &full, &from, PAGE_MAX).await?;
            let listed = page.entries.len();
            // Keys ascend, and the key itself comes before all that it is a prefix of.
            let beyond = page.entries.iter().any(|e| e.key != full);
            let own = page.entries.into_iter().filter(|e| e.key == full);
            self.join(key.as_str(), &mut found, own.filter_map(|e| self.version(e)).collect())?;
            if beyond {
                return Ok(found);
            }
            let Some(next) = page.next else { return Ok(found) };
            expect_bounded(key.as_str(), &found, 0)?;
            from = Some(places.go_on(key.as_str(), next, listed)?);
        }
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Version>, ReadError> {
        let full = format!("{}{prefix}", self.prefix);
        // The whole store has no key to name in an error.
        let shown = if prefix.is_empty() { &self.shown } else { prefix };
        let mut found: Vec<Version> = Vec::new();
        let mut from = after.map(|key| (format!("{}{key}", self.prefix), None));
        // One more than asked for usually shows that the last key is whole.
        let mut max = limit.saturating_add(1).clamp(2, PAGE_MAX);
        let mut places = Places::after(from.as_ref().map(|(key, _)| key.as_str()));
        loop {
            let page = self.page(shown, &full, &from, max).await?;
            let listed = page.entries.len();
            let versions = page.entries.into_iter().filter_map(|e| self.version(e));
            // A marker without a version means "after this key", but "from this key" to Versity.
            let versions = versions.filter(|v| after.is_none_or(|after| v.key > *after));
            self.join(prefix, &mut found, versions.collect())?;
            if let Some(at) = found.get(limit.saturating_sub(1)) {
                // Up to the end of the key that reaches the limit. If that is the last one here it may go on on the next page, and without
                // it the answer would be shorter than asked for, which means that there is no more.
                let end = found.partition_point(|v| v.key <= at.key);
                if end < found.len() {
                    found.truncate(end);
                    return Ok(found);
                }
                max = PAGE_MAX; // One key with many versions: to its end in big steps.
            }
            let Some(next) = page.next else { return Ok(found) };
            expect_bounded(shown, &found, limit)?;
            from = Some(places.go_on(shown, next, listed)?);
        }
    }

    async fn extend(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError> {
        let (mode, until) = (lock.mode.as_str(), lock.retain_until);
        let body = format!("<Retention xmlns=\"{NAMESPACE}\"><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>");
        // Without the bypass header: a store refuses what would shorten or weaken.
        self.change_lock(key, "retention", version, body).await
    }

    async fn hold(&self, key: &ObjectKey, version: Option<&VersionId>, on: bool) -> Result<(), PutError> {
        let status = if on { "ON" } else { "OFF" };
        self.change_lock(key, "legal-hold", version, format!("<LegalHold xmlns=\"{NAMESPACE}\"><Status>{status}</Status></LegalHold>"))
            .await
    }

    async fn state(&self) -> Result<StoreState, ReadError> {
        let mut state =
            StoreState { versioning: Some(false), object_lock: Some(false), default_retention: None, unknown_calls: Vec::new() };
        match self.versioning_asked().await? {
            Asked::Is(versioning) => state.versioning = Some(versioning == Versioning::Enabled),
            Asked::None => {}
            Asked::Unknown(call) => state.unknown_calls.push(call),
        }
        let answer = self.read_bucket("object-lock").await?;
        if is_unknown(&answer) {
            state.unknown_calls.push(answer.asked);
            return Ok(state);
        }
        if answer.status != StatusCode::OK {
            let (code, _) = store_words(&answer);
            let without = matches!(code.as_str(), "ObjectLockConfigurationNotFoundError" | "ObjectLockConfigurationNotFound");
            return if without { Ok(state) } else { Err(refuse_read(&self.shown, &answer)) };
        }
        let root = xml::Node::parse(&answer.body).filter(|n| n.name == "ObjectLockConfiguration");
        let root = root.ok_or_else(|| self.unreadable(&self.shown, "?object-lock"))?;
        state.object_lock = Some(root.text_of("ObjectLockEnabled") == Some("Enabled"));
        state.default_retention = root.child("Rule").and_then(|r| r.child("DefaultRetention")).and_then(|rule| {
            let mode = rule.text_of("Mode").unwrap_or("unknown mode");
            let period = rule.text_of("Days").filter(|d| *d != "0").map(|d| format!("{d} days"));
            let period = period.or_else(|| rule.text_of("Years").filter(|y| *y != "0").map(|y| format!("{y} years")));
            period.map(|period| format!("{mode} for {period}"))
        });
        Ok(state)
    }

    fn clock_skew_seconds(&self) -> Option<i64> {
        self.client.skew_seconds()
    }
}

#[async_trait]
impl Caller for S3Store {
    async fn call(&self, call: Call) -> Result<Answer, CallError> {
        self.client.call(call).await
    }

    fn is_passing(&self, answer: &Answer) -> bool {
        is_passing(answer)
    }

    fn explain(&self, answer: &Answer) -> String {
        explain(answer)
    }
}

#[async_trait]
impl PutsTags for S3Store {
    async fn put_any(&self, key: &ObjectKey, body: Bytes, lock: Option<Lock>, tag: Option<Tag>) -> Result<Option<VersionId>, PutError> {
        self.put_with(key, body, Condition::Any, lock, tag).await
    }
}

/// The places at which a listing went on. Each lies behind the one before, or the listing of a store that lies, or is broken, would never end.
#[derive(Debug, Default)]
struct Places {
    key: String,
    /// Markers of versions of that key, whose order is the store's own.
    versions: HashSet<Option<String>>,
    /// Pages without an entry, since the last with one.
    empty_pages: usize,
}

impl Places {
    fn after(key: Option<&str>) -> Self {
        // Without a version the marker itself; with one the store may go on within that key.
        Places { key: key.unwrap_or_default().to_owned(), versions: HashSet::from([None]), empty_pages: 0 }
    }

    /// Where the next page begins, behind one of so many entries.
    fn go_on(&mut self, shown: &str, next: (String, Option<String>), listed: usize) -> Result<(String, Option<String>), ReadError> {
        // Markers may go on for ever, where nothing is listed between them.
        let empty_pages = if listed == 0 { self.empty_pages.saturating_add(1) } else { 0 };
        self.empty_pages = empty_pages;
        let advances = match next.0.cmp(&self.key) {
            _ if empty_pages > EMPTY_PAGES_MAX => false,
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => self.versions.insert(next.1.clone()),
            std::cmp::Ordering::Greater => {
                *self = Places { key: next.0.clone(), versions: HashSet::from([next.1.clone()]), empty_pages };
                true
            }
        };
        if advances {
            return Ok(next);
        }
        Err(ReadError::Refused { key: shown.to_owned(), reason: "the store's listing does not advance".to_owned() })
    }
}

/// Refuses to go on where a store lists versions of one key without end.
fn expect_bounded(shown: &str, found: &[Version], limit: usize) -> Result<(), ReadError> {
    if found.len() <= limit.saturating_add(VERSIONS_LISTED_MAX) {
        return Ok(());
    }
    let key = found.last().map_or(shown, |last| last.key.as_str());
    let reason =
        format!("the store lists more than {VERSIONS_LISTED_MAX} versions of it, which nobody has a use for; look who puts them there");
    Err(ReadError::Refused { key: key.to_owned(), reason })
}

/// Of every S3 document.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a store lists pages with nothing on them, each with a marker behind the last. Guarantee: it is followed for a while, for a bucket may have
    /// many such, and then refused; a page with something on it begins the count anew.
    #[test]
    fn a_listing_of_nothing_without_end_is_refused() {
        let mut places = Places::default();
        let mut go_on = |n: usize, listed| places.go_on("seals/", (format!("{n:08}"), None), listed).is_ok();
        assert!((0..EMPTY_PAGES_MAX).all(|n| go_on(n, 0)));
        assert!(go_on(EMPTY_PAGES_MAX, 1));
        let last = 2 * EMPTY_PAGES_MAX;
        assert!((EMPTY_PAGES_MAX + 1..=last).all(|n| go_on(n, 0)) && !go_on(last + 1, 0));
    }
}
