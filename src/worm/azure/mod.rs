//! Azure Blob Storage with version-level immutability.
//!
//! **Not yet run against the real service**: no emulator enforces these locks, so the tests hold every request against the documented API
//! and nothing more ([`CAVEAT`](super::CAVEAT)).
//!
//! | contract | Azure |
//! |---|---|
//! | COMPLIANCE | an immutability policy in mode `Locked`: only ever extended, by anybody |
//! | GOVERNANCE | mode `Unlocked`: **weaker than on S3**. Whoever may set policies (a writer does) may shorten or delete it, without any bypass; `extend` here refuses, the service does not |
//! | legal hold | `x-ms-legal-hold` |
//! | version id | `x-ms-version-id`, a time stamp that the service gives; a listing has them oldest first |
//! | create-only | `If-None-Match: *`; a blob whose current version was deleted can be created again, and its older versions stay |
//! | tag | a blob index tag, `x-ms-tags` |
//!
//! Puts, extends and holds are tried once, reads a few times. A plain delete leaves no marker: there is no current version then.
//! Sources: Microsoft, "Put Blob", "Set Blob Immutability Policy", "Set Blob Legal Hold", "List Blobs", "Get Container Properties",
//! "Version-level WORM policies for immutable blob data".

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};

use super::key::check_key;
use super::listing;
use super::tags::{PutsTags, Tags};
use super::wire::{self, Answer, CONNECT_TIMEOUT, Call, CallError, Caller, SMALL_ANSWER_MAX, Wire, parse_http_date};
use super::{
    Condition, Head, Lock, Locks, Mode, ObjectKey, OpenError, PutError, ReadError, StoreState, Tag, Version, VersionId, WormStore,
    WriterGuard, expect_extension, unread_lock,
};
use crate::http_client;
use answer::{classify_put, explain, is_passing, refuse_read, store_words};
use client::Client;

mod answer;
mod client;
mod list;
mod options;
mod probe;
pub use options::{AccountKey, AzureOptions};

/// The right to put a tag.
const TAG_RIGHT: &str = "blobs/tags/write (the SAS permission `t`)";

/// One container, or a folder of it. See the module.
pub struct AzureStore {
    client: Client,
    /// `az://account/container/prefix`.
    shown: String,
    /// Whose account of that name.
    owner: String,
    /// Empty, or ends with a slash.
    prefix: String,
    options: AzureOptions,
    /// Puts that were refused with a tag, and taken without.
    tags: Tags,
}

impl fmt::Debug for AzureStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureStore").field("url", &self.shown).finish_non_exhaustive()
    }
}

impl AzureStore {
    /// Opens `container` of `account`, below `prefix` (without slashes at its ends; may be empty). Asks the network nothing.
    pub async fn open(account: &str, container: &str, prefix: &str, options: AzureOptions) -> Result<Self, OpenError> {
        let shown = super::StoreUrl::Azure { account: account.into(), container: container.into(), prefix: prefix.into() }.to_string();
        let invalid = |reason: String| OpenError::invalid(&shown, reason);
        // Before object_store makes a client of its own for credentials.
        http_client::ensure_crypto_provider();
        let set = options.endpoint.checked("store.azure").map_err(|why| invalid(format!("`store.azure.endpoint` {why}")))?;
        let (endpoint, is_https) = set.unwrap_or_else(|| (format!("https://{account}.blob.core.windows.net"), true));
        let http = http_client::client(is_https, options.endpoint.ca_file.as_deref(), Some(CONNECT_TIMEOUT)).await.map_err(invalid)?;
        let credentials =
            options::credentials(account, &options).map_err(|e| invalid(format!("no credentials: {e}; {}", options::IF_NONE)))?;
        let base = format!("{endpoint}/{container}");
        Ok(AzureStore {
            client: Client { wire: Wire::new(http), base, account: account.to_owned(), credentials },
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            owner: endpoint,
            tags: Tags::default(),
            shown,
            options,
        })
    }

    fn full_key(&self, key: &ObjectKey) -> Result<String, &'static str> {
        check_key(key)?;
        let full = format!("{}{key}", self.prefix);
        if full.len() > 1024 { Err("with the store's prefix the key is longer than 1024 bytes") } else { Ok(full) }
    }

    fn read_key(&self, key: &ObjectKey) -> Result<String, ReadError> {
        self.full_key(key).map_err(|why| ReadError::Refused { key: key.0.clone(), reason: why.to_owned() })
    }

    async fn read(&self, shown: &str, call: Call) -> Result<Answer, ReadError> {
        wire::read(self, shown, call).await
    }

    fn unreadable(&self, key: &str, what: &str) -> ReadError {
        ReadError::Refused { key: key.to_owned(), reason: format!("the answer to {what} is not Azure's: is the endpoint right?") }
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
        let mut headers = vec![("x-ms-blob-type", "BlockBlob".to_owned()), ("content-type", "application/octet-stream".to_owned())];
        if condition == Condition::CreateOnly {
            headers.push(("if-none-match", "*".to_owned()));
        }
        if let Some(lock) = lock {
            headers.extend(policy(lock).ok_or_else(|| refused("the lock's date is none that can be written"))?);
        }
        headers.extend(tag.map(|tag| ("x-ms-tags", format!("{}={}", tag.name, tag.value))));
        let answer = self.change(key, Some(condition), Call { key: full, headers, body, ..Call::default() }).await?;
        Ok(answer.header("x-ms-version-id").map(|id| VersionId(id.to_owned())))
    }

    /// One attempt at something that changes the store.
    async fn change(&self, key: &ObjectKey, condition: Option<Condition>, call: Call) -> Result<Answer, PutError> {
        let call = Call { method: Method::PUT, timeout: self.options.put_timeout, answer_max: SMALL_ANSWER_MAX, ..call };
        classify_put(key, condition, self.client.call(call).await)
    }

    async fn change_lock(
        &self,
        key: &ObjectKey,
        what: &str,
        version: Option<&VersionId>,
        headers: Vec<(&'static str, String)>,
    ) -> Result<(), PutError> {
        let full = self.full_key(key).map_err(|why| PutError::Refused { key: key.clone(), reason: why.to_owned() })?;
        let call = Call { key: full, query: of_version(Some(what), version), headers, ..Call::default() };
        self.change(key, None, call).await.map(|_| ())
    }

    /// Sets a policy, whatever is set.
    async fn set_policy(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError> {
        let undated = || PutError::Refused { key: key.clone(), reason: "the lock's date is none that can be written".to_owned() };
        self.change_lock(key, "immutabilityPolicies", version, policy(lock).ok_or_else(undated)?.into()).await
    }

    /// Whether a 4xx on one version only says that there is no such version: an id that another store made up is a bad parameter here, so
    /// then the listing decides.
    async fn is_absent(&self, key: &ObjectKey, version: Option<&VersionId>, answer: &Answer) -> Result<bool, ReadError> {
        let (code, _) = store_words(answer);
        match (answer.status, version) {
            (StatusCode::NOT_FOUND, _) if code == "BlobNotFound" => Ok(true),
            (StatusCode::NOT_FOUND, _) if code.starts_with("Container") => Ok(false),
            (StatusCode::NOT_FOUND, None) => Ok(!self.versions(key).await?.iter().any(|v| v.is_latest)),
            (StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST, Some(id)) => {
                Ok(!self.versions(key).await?.iter().any(|v| v.id.as_ref() == Some(id)))
            }
            _ => Ok(false),
        }
    }
}

/// The two headers of a policy; `None` for a date that has no such spelling.
fn policy(lock: Lock) -> Option<[(&'static str, String); 2]> {
    let date = jiff::Timestamp::from_second(lock.retain_until.0).ok()?;
    let until = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).ok()?;
    let mode = match lock.mode {
        Mode::Governance => "Unlocked",
        Mode::Compliance => "Locked",
    };
    Some([("x-ms-immutability-policy-until-date", until), ("x-ms-immutability-policy-mode", mode.to_owned())])
}

/// A policy as it is read back; `Err` says which of its two words cannot be read.
fn parse_policy(mode: Option<&str>, until: Option<&str>) -> Result<Option<Lock>, String> {
    let (mode, until) = match (mode.filter(|m| !m.is_empty()), until.filter(|u| !u.is_empty())) {
        // "Mutable" is what the service alone says: nothing is set.
        (None, None) => return Ok(None),
        (Some(mode), _) if mode.eq_ignore_ascii_case("mutable") => return Ok(None),
        (Some(mode), Some(until)) => (mode, until),
        (mode, until) => return Err(format!("half a policy: mode {mode:?}, until {until:?}")),
    };
    let parsed = match mode.to_ascii_lowercase().as_str() {
        "locked" => Mode::Compliance,
        "unlocked" => Mode::Governance,
        _ => return Err(format!("unknown policy mode `{mode}`")),
    };
    let retain_until = parse_http_date(until).ok_or_else(|| format!("unreadable policy date `{until}`"))?;
    Ok(Some(Lock { mode: parsed, retain_until }))
}

fn of_version(what: Option<&str>, version: Option<&VersionId>) -> Vec<(&'static str, String)> {
    let mut query: Vec<_> = what.map(|what| ("comp", what.to_owned())).into_iter().collect();
    query.extend(version.map(|v| ("versionid", v.0.clone())));
    query
}

#[async_trait]
impl WormStore for AzureStore {
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

    /// Tags need a right of their own: its lack keeps no object out.
    async fn put_tagged(&self, key: &ObjectKey, body: Bytes, lock: Option<Lock>, tag: Tag) -> Result<Option<VersionId>, PutError> {
        self.tags.put(self, key, (body, lock, tag), TAG_RIGHT).await
    }

    async fn get(&self, key: &ObjectKey, version: Option<&VersionId>, limit: u64) -> Result<Option<Bytes>, ReadError> {
        let call = Call { key: self.read_key(key)?, query: of_version(None, version), answer_max: limit, ..Call::default() };
        let answer = self.read(key.as_str(), call).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.body)),
            _ if self.is_absent(key, version, &answer).await? => Ok(None),
            _ => Err(refuse_read(key.as_str(), &answer)),
        }
    }

    async fn head(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Head>, ReadError> {
        let call = Call { method: Method::HEAD, key: self.read_key(key)?, query: of_version(None, version), ..Call::default() };
        let answer = self.read(key.as_str(), call).await?;
        if answer.status != StatusCode::OK {
            let absent = self.is_absent(key, version, &answer).await?;
            return if absent { Ok(None) } else { Err(refuse_read(key.as_str(), &answer)) };
        }
        let size = answer.header("content-length").and_then(|n| n.parse().ok());
        let size = size.ok_or_else(|| self.unreadable(key.as_str(), "HEAD"))?;
        let lock = parse_policy(answer.header("x-ms-immutability-policy-mode"), answer.header("x-ms-immutability-policy-until-date"))
            .map_err(|reason| ReadError::Refused { key: key.0.clone(), reason })?;
        let legal_hold = answer.header("x-ms-legal-hold").is_some_and(|on| on.eq_ignore_ascii_case("true"));
        Ok(Some(Head { size, lock, legal_hold }))
    }

    async fn versions(&self, key: &ObjectKey) -> Result<Vec<Version>, ReadError> {
        self.read_key(key)?;
        listing::versions(self, key).await
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Version>, ReadError> {
        // The whole store has no key to name in an error.
        listing::list(self, if prefix.is_empty() { &self.shown } else { prefix }, prefix, after, limit).await
    }

    /// Reads first and refuses what would shorten or weaken: of an unlocked policy the service would take it.
    ///
    /// KNOWN GAP: a policy has no ETag of its own, so somebody who extends an unlocked one between that look and the change may be undone. A
    /// locked one is the service's to keep.
    async fn extend(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError> {
        let found = self.head(key, version).await.map_err(|e| unread_lock(key, e))?;
        expect_extension(key, found.as_ref(), lock)?;
        self.set_policy(key, version, lock).await
    }

    async fn hold(&self, key: &ObjectKey, version: Option<&VersionId>, on: bool) -> Result<(), PutError> {
        self.change_lock(key, "legalhold", version, vec![("x-ms-legal-hold", on.to_string())]).await
    }

    async fn state(&self) -> Result<StoreState, ReadError> {
        let query = vec![("restype", "container".to_owned())];
        let answer = self.read(&self.shown, Call { query, answer_max: SMALL_ANSWER_MAX, ..Call::default() }).await?;
        if answer.status != StatusCode::OK {
            return Err(refuse_read(&self.shown, &answer));
        }
        let says = |name: &str| answer.header(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let immutable = says("x-ms-immutable-storage-with-versioning-enabled");
        Ok(StoreState {
            // It cannot be had without blob versioning; nothing else tells clients of the data whether the account has that.
            versioning: immutable.then_some(true),
            object_lock: Some(immutable),
            default_retention: says("x-ms-has-immutability-policy")
                .then(|| "a policy of the container, whose period clients of its data are not told".to_owned()),
            unknown_calls: Vec::new(),
        })
    }

    fn clock_skew_seconds(&self) -> Option<i64> {
        self.client.wire.skew_seconds()
    }
}

#[async_trait]
impl Caller for AzureStore {
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
impl PutsTags for AzureStore {
    async fn put_any(&self, key: &ObjectKey, body: Bytes, lock: Option<Lock>, tag: Option<Tag>) -> Result<Option<VersionId>, PutError> {
        self.put_with(key, body, Condition::Any, lock, tag).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixSeconds;

    #[test]
    fn policies_are_written_and_read_back() {
        for (mode, word) in [(Mode::Governance, "Unlocked"), (Mode::Compliance, "Locked")] {
            let lock = Lock { mode, retain_until: UnixSeconds::parse("2027-01-02T03:04:05Z").unwrap() };
            let [until, found] = policy(lock).unwrap();
            assert_eq!((until.1.as_str(), found.1.as_str()), ("Sat, 02 Jan 2027 03:04:05 GMT", word));
            assert_eq!(parse_policy(Some(&found.1.to_lowercase()), Some(&until.1)), Ok(Some(lock)));
        }
        assert_eq!(parse_policy(Some("Mutable"), Some("x")), Ok(None));
        assert_eq!(parse_policy(None, Some("")), Ok(None));
        for (mode, until) in [(Some("locked"), None), (None, Some("x")), (Some("other"), Some("Sat, 02 Jan 2027 03:04:05 GMT"))] {
            assert!(parse_policy(mode, until).is_err(), "{mode:?} {until:?}");
        }
        assert!(parse_policy(Some("locked"), Some("2027-01-02")).is_err());
    }
}
