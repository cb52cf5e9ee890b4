//! Google Cloud Storage with Object Retention Lock and object versioning, by its JSON API.
//!
//! **Not yet run against the real service**: no emulator enforces these locks, so the tests hold every request against the documented API
//! and nothing more ([`CAVEAT`](super::CAVEAT)).
//!
//! | contract | GCS |
//! |---|---|
//! | COMPLIANCE | `retention` in mode `Locked`: only ever extended, by anybody |
//! | GOVERNANCE | mode `Unlocked`: shortened and lifted by who has `storage.objects.overrideUnlockedRetention` and says so |
//! | legal hold | `temporaryHold`; an `eventBasedHold` (of somebody else, or the bucket's default) ends by an event that nobody here knows of, so it counts for nothing, and is never touched |
//! | version id | the generation, a number that the service gives; later ones are greater |
//! | create-only | `ifGenerationMatch=0`; an object whose live version was deleted can be created again, and its older versions stay |
//! | tag | metadata of that name, and `customTime`: the only thing on an object that lifecycle rules look for (`daysSinceCustomTime`) |
//!
//! Puts, extends and holds are tried once, reads a few times. A plain delete leaves no marker: there is no live version then. Turning
//! GOVERNANCE into COMPLIANCE needs the same right as lifting it.
//! Sources: Google, "Objects: insert", "Objects: patch", "Objects: list", "Object Retention Lock", "Object holds", "Object Versioning".

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::key::check_key;
use super::listing;
use super::wire::{self, Answer, CONNECT_TIMEOUT, Call, CallError, Caller, SMALL_ANSWER_MAX, Wire, encode};
use super::{
    Condition, Head, Lock, Locks, Mode, ObjectKey, OpenError, PutError, ReadError, StoreState, Tag, Version, VersionId, WormStore,
    WriterGuard, expect_extension, unread_lock,
};
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::http_client;
use answer::{classify_put, explain, is_passing, refuse_read};
use client::{Client, multipart};

mod answer;
mod client;
mod list;
mod options;
mod probe;
pub use options::{AccessToken, GcsOptions};

/// Where everybody asks.
const PUBLIC: &str = "https://storage.googleapis.com";
/// What a read of an object's metadata is to hold, and no more.
const FIELDS: &str = "generation,metageneration,size,retention,temporaryHold,metadata";

/// One bucket, or a folder of it. See the module.
pub struct GcsStore {
    client: Client,
    /// `gs://bucket/prefix`.
    shown: String,
    /// Whose bucket of that name.
    owner: String,
    bucket: String,
    /// Empty, or ends with a slash.
    prefix: String,
    options: GcsOptions,
}

impl fmt::Debug for GcsStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcsStore").field("url", &self.shown).finish_non_exhaustive()
    }
}

/// An object's metadata, as far as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    generation: String,
    #[serde(default)]
    metageneration: String,
    #[serde(default)]
    size: String,
    #[serde(default)]
    retention: Option<Retention>,
    #[serde(default)]
    temporary_hold: bool,
    #[serde(default)]
    metadata: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Retention {
    mode: String,
    retain_until_time: String,
}

impl Object {
    /// Size, lock and hold; the error is half a sentence.
    fn head(&self) -> Result<Head, String> {
        let lock = self.retention.as_ref().map(|retention| {
            let mode = match retention.mode.to_ascii_lowercase().as_str() {
                "locked" => Mode::Compliance,
                "unlocked" => Mode::Governance,
                _ => return Err(format!("unknown retention mode `{}`", retention.mode)),
            };
            let until = UnixSeconds::parse(&retention.retain_until_time);
            let retain_until = until.ok_or_else(|| format!("unreadable retention date `{}`", retention.retain_until_time))?;
            Ok(Lock { mode, retain_until })
        });
        let size = self.size.parse().map_err(|_| format!("unreadable size `{}`", self.size))?;
        Ok(Head { size, lock: lock.transpose()?, legal_hold: self.temporary_hold })
    }
}

fn retention(lock: Lock) -> Value {
    let mode = match lock.mode {
        Mode::Governance => "Unlocked",
        Mode::Compliance => "Locked",
    };
    json!({"mode": mode, "retainUntilTime": lock.retain_until.to_string()})
}

/// Whether a version id can be one of this store: anything else comes from a copy, and names nothing here.
fn is_generation(id: &VersionId) -> bool {
    id.0.parse::<i64>().is_ok_and(|generation| generation > 0 && generation.to_string() == id.0)
}

impl GcsStore {
    /// Opens `bucket`, below `prefix` (without slashes at its ends; may be empty). Asks the network nothing.
    pub async fn open(bucket: &str, prefix: &str, options: GcsOptions) -> Result<Self, OpenError> {
        let shown = super::StoreUrl::Gcs { bucket: bucket.into(), prefix: prefix.into() }.to_string();
        let invalid = |reason: String| OpenError::invalid(&shown, reason);
        // Before object_store makes a client of its own for credentials.
        http_client::ensure_crypto_provider();
        let set = options.endpoint.checked("store.gcs").map_err(|why| invalid(format!("`store.gcs.endpoint` {why}")))?;
        let (endpoint, is_https) = set.unwrap_or_else(|| (PUBLIC.to_owned(), true));
        let http = http_client::client(is_https, options.endpoint.ca_file.as_deref(), Some(CONNECT_TIMEOUT)).await.map_err(invalid)?;
        let credentials = options::credentials(&options).map_err(|e| invalid(format!("no credentials: {e}; {}", options::IF_NONE)))?;
        Ok(GcsStore {
            // Buckets are known by one name in the whole world of Google.
            owner: if endpoint == PUBLIC { "gcs".to_owned() } else { endpoint.clone() },
            client: Client { wire: Wire::new(http), endpoint, credentials },
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            bucket: bucket.to_owned(),
            shown,
            options,
        })
    }

    fn full_key(&self, key: &ObjectKey) -> Result<String, &'static str> {
        check_key(key)?;
        let full = format!("{}{key}", self.prefix);
        if full.len() > 1024 { Err("with the store's prefix the key is longer than 1024 bytes") } else { Ok(full) }
    }

    /// Path of the bucket itself, of its objects, or of one.
    fn path(&self, below: &str) -> String {
        format!("/storage/v1/b/{}{below}", encode(&self.bucket, false))
    }

    fn object_path(&self, key: &ObjectKey) -> Result<String, &'static str> {
        Ok(self.path(&format!("/o/{}", encode(&self.full_key(key)?, false))))
    }

    async fn read(&self, shown: &str, call: Call) -> Result<Answer, ReadError> {
        wire::read(self, shown, call).await
    }

    fn unreadable(&self, key: &str, what: &str) -> ReadError {
        ReadError::Refused { key: key.to_owned(), reason: format!("the answer to {what} is not GCS's: is the endpoint right?") }
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
        let not_stored = |reason: String| PutError::NotStored { key: key.clone(), reason };
        let md5 = wire::md5(&body).await.map_err(not_stored)?;
        let mut metadata = Map::from_iter([
            ("name".to_owned(), json!(full)),
            ("contentType".to_owned(), json!("application/octet-stream")),
            ("md5Hash".to_owned(), json!(md5)),
        ]);
        metadata.extend(lock.map(|lock| ("retention".to_owned(), retention(lock))));
        if let Some(tag) = tag {
            metadata.insert("metadata".to_owned(), json!({tag.name: tag.value}));
            metadata.insert("customTime".to_owned(), json!(SystemClock.now().ceil_seconds().to_string()));
        }
        let mut query = vec![("uploadType", "multipart".to_owned()), ("fields", "generation".to_owned())];
        if condition == Condition::CreateOnly {
            query.push(("ifGenerationMatch", "0".to_owned()));
        }
        let (content_type, body) = multipart(Value::Object(metadata).to_string(), body).await.map_err(not_stored)?;
        let headers = vec![("content-type", content_type)];
        let path = format!("/upload{}", self.path("/o"));
        let answer =
            self.change(key, Some(condition), Call { method: Method::POST, key: path, query, headers, body, ..Call::default() }).await?;
        let stored: Object = serde_json::from_slice(&answer.body).map_err(|e| PutError::Unknown {
            key: key.clone(),
            reason: format!("the answer says yes and cannot be read ({e}): is the endpoint right?"),
        })?;
        Ok(Some(VersionId(stored.generation)))
    }

    /// One attempt at something that changes the store.
    async fn change(&self, key: &ObjectKey, condition: Option<Condition>, call: Call) -> Result<Answer, PutError> {
        let call = Call { timeout: self.options.put_timeout, answer_max: SMALL_ANSWER_MAX, ..call };
        classify_put(key, condition, self.client.call(call).await)
    }

    /// One attempt at a change of metadata.
    async fn patch(
        &self,
        key: &ObjectKey,
        version: Option<&VersionId>,
        more: Vec<(&'static str, String)>,
        change: &Value,
    ) -> Result<(), PutError> {
        let refused = |reason: &str| PutError::Refused { key: key.clone(), reason: reason.to_owned() };
        let path = self.object_path(key).map_err(refused)?;
        let mut query = of_version(version).ok_or_else(|| refused("there is no such version"))?;
        query.push(("fields", "generation".to_owned()));
        query.extend(more);
        let headers = vec![("content-type", "application/json".to_owned())];
        let call = Call { method: Method::PATCH, key: path, query, headers, body: change.to_string().into(), ..Call::default() };
        self.change(key, None, call).await.map(|_| ())
    }

    /// One version's metadata; `None` where there is none.
    async fn object(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Object>, ReadError> {
        let refused = |why: &str| ReadError::Refused { key: key.0.clone(), reason: why.to_owned() };
        let path = self.object_path(key).map_err(refused)?;
        let Some(mut query) = of_version(version) else { return Ok(None) };
        query.push(("fields", FIELDS.to_owned()));
        let answer = self.read(key.as_str(), Call { key: path, query, answer_max: SMALL_ANSWER_MAX, ..Call::default() }).await?;
        match answer.status {
            StatusCode::OK => serde_json::from_slice(&answer.body).map(Some).map_err(|_| self.unreadable(key.as_str(), "objects.get")),
            _ if self.is_absent(key, version, &answer).await? => Ok(None),
            _ => Err(refuse_read(key.as_str(), &answer)),
        }
    }

    /// Whether a 404 says that the object is not there: that of a missing bucket looks alike, and there the listing is refused too.
    async fn is_absent(&self, key: &ObjectKey, version: Option<&VersionId>, answer: &Answer) -> Result<bool, ReadError> {
        if answer.status != StatusCode::NOT_FOUND {
            return Ok(false);
        }
        let listed = self.versions(key).await?;
        Ok(!listed.iter().any(|v| version.map_or(v.is_latest, |id| v.id.as_ref() == Some(id))))
    }
}

/// `None` for an id that cannot be one of this store.
fn of_version(version: Option<&VersionId>) -> Option<Vec<(&'static str, String)>> {
    match version {
        None => Some(Vec::new()),
        Some(id) => is_generation(id).then(|| vec![("generation", id.0.clone())]),
    }
}

#[async_trait]
impl WormStore for GcsStore {
    fn describe(&self) -> String {
        self.shown.clone()
    }

    fn address(&self) -> String {
        format!("{} at {}", self.shown, self.owner)
    }

    fn locks(&self) -> Locks {
        Locks::Enforced
    }

    fn versioned(&self) -> bool {
        true
    }

    async fn claim(&self, _log: &str) -> Result<WriterGuard, PutError> {
        Ok(WriterGuard(None)) // Two writers meet at the commit: only one create-only put of a seal is the oldest.
    }

    async fn put(&self, key: &ObjectKey, body: Bytes, condition: Condition, lock: Option<Lock>) -> Result<Option<VersionId>, PutError> {
        self.put_with(key, body, condition, lock, None).await
    }

    /// Metadata needs no right of its own, so no object is kept out by it.
    async fn put_tagged(&self, key: &ObjectKey, body: Bytes, lock: Option<Lock>, tag: Tag) -> Result<Option<VersionId>, PutError> {
        self.put_with(key, body, Condition::Any, lock, Some(tag)).await
    }

    async fn get(&self, key: &ObjectKey, version: Option<&VersionId>, limit: u64) -> Result<Option<Bytes>, ReadError> {
        let refused = |why: &str| ReadError::Refused { key: key.0.clone(), reason: why.to_owned() };
        let path = self.object_path(key).map_err(refused)?;
        let Some(mut query) = of_version(version) else { return Ok(None) };
        query.push(("alt", "media".to_owned()));
        let answer = self.read(key.as_str(), Call { key: path, query, answer_max: limit, ..Call::default() }).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.body)),
            _ if self.is_absent(key, version, &answer).await? => Ok(None),
            _ => Err(refuse_read(key.as_str(), &answer)),
        }
    }

    async fn head(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Head>, ReadError> {
        let Some(object) = self.object(key, version).await? else { return Ok(None) };
        object.head().map(Some).map_err(|reason| ReadError::Refused { key: key.0.clone(), reason })
    }

    async fn versions(&self, key: &ObjectKey) -> Result<Vec<Version>, ReadError> {
        self.full_key(key).map_err(|why| ReadError::Refused { key: key.0.clone(), reason: why.to_owned() })?;
        listing::versions(self, key).await
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Version>, ReadError> {
        // The whole store has no key to name in an error.
        listing::list(self, if prefix.is_empty() { &self.shown } else { prefix }, prefix, after, limit).await
    }

    /// Reads first, refuses what would shorten or weaken, and changes only what it read (`ifMetagenerationMatch`). The override is asked for
    /// where the mode is strengthened, which takes it, and nowhere else.
    async fn extend(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError> {
        let found = self.object(key, version).await.map_err(|e| unread_lock(key, e))?;
        let refused = |reason: String| PutError::Refused { key: key.clone(), reason };
        let head = found.as_ref().map(Object::head).transpose().map_err(refused)?;
        expect_extension(key, head.as_ref(), lock)?;
        let mut more = vec![("ifMetagenerationMatch", found.map(|found| found.metageneration).unwrap_or_default())];
        if head.and_then(|head| head.lock).is_some_and(|set| set.mode < lock.mode) {
            more.push(("overrideUnlockedRetention", "true".to_owned()));
        }
        self.patch(key, version, more, &json!({"retention": retention(lock)})).await
    }

    async fn hold(&self, key: &ObjectKey, version: Option<&VersionId>, on: bool) -> Result<(), PutError> {
        self.patch(key, version, Vec::new(), &json!({"temporaryHold": on})).await
    }

    async fn state(&self) -> Result<StoreState, ReadError> {
        let query = vec![("fields", "versioning,objectRetention,retentionPolicy".to_owned())];
        let call = Call { key: self.path(""), query, answer_max: SMALL_ANSWER_MAX, ..Call::default() };
        let answer = self.read(&self.shown, call).await?;
        if answer.status != StatusCode::OK {
            return Err(refuse_read(&self.shown, &answer));
        }
        // The members that are not set are left out.
        let bucket: Value = serde_json::from_slice(&answer.body)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| self.unreadable(&self.shown, "buckets.get"))?;
        let at = |pointer: &str| bucket.pointer(pointer);
        let seconds = at("/retentionPolicy/retentionPeriod").and_then(Value::as_str);
        let locked = if at("/retentionPolicy/isLocked") == Some(&Value::Bool(true)) { "locked" } else { "unlocked" };
        Ok(StoreState {
            versioning: Some(at("/versioning/enabled") == Some(&Value::Bool(true))),
            object_lock: Some(at("/objectRetention/mode").and_then(Value::as_str) == Some("Enabled")),
            default_retention: seconds.map(|seconds| format!("a policy of the bucket, {locked}, {seconds} s")),
            unknown_calls: Vec::new(),
        })
    }

    fn clock_skew_seconds(&self) -> Option<i64> {
        self.client.wire.skew_seconds()
    }
}

#[async_trait]
impl Caller for GcsStore {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Head, String> {
        serde_json::from_str::<Object>(text).unwrap().head()
    }

    #[test]
    fn retention_is_read_back() {
        let until = UnixSeconds::parse("2027-01-02T03:04:05Z").unwrap();
        for (mode, word) in [(Mode::Governance, "Unlocked"), (Mode::Compliance, "Locked")] {
            let lock = Lock { mode, retain_until: until };
            assert_eq!(retention(lock), json!({"mode": word, "retainUntilTime": "2027-01-02T03:04:05Z"}));
            let text =
                format!(r#"{{"generation":"1","size":"7","retention":{{"mode":"{word}","retainUntilTime":"2027-01-02T03:04:05.000Z"}}}}"#);
            assert_eq!(head(&text), Ok(Head { size: 7, lock: Some(lock), legal_hold: false }));
        }
        for (held, is_ours) in [("temporaryHold", true), ("eventBasedHold", false)] {
            let head = head(&format!(r#"{{"generation":"1","size":"7","{held}":true}}"#)).unwrap();
            assert_eq!(head.legal_hold, is_ours, "{held}");
        }
        for bad in [
            r#"{"generation":"1"}"#,
            r#"{"generation":"1","size":"7","retention":{"mode":"Other","retainUntilTime":"2027-01-02T03:04:05Z"}}"#,
            r#"{"generation":"1","size":"7","retention":{"mode":"Locked","retainUntilTime":"soon"}}"#,
        ] {
            assert!(head(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_generation_is_a_plain_number() {
        for (id, want) in
            [("1", true), ("1732183200000000", true), ("0", false), ("-1", false), ("+1", false), ("01", false), ("v1", false)]
        {
            assert_eq!(is_generation(&VersionId(id.into())), want, "{id}");
        }
    }
}
