//! The canary: an object with a lock of one day, to see what the store does when it is asked to delete it or to shorten its lock.
//!
//! Servers exist that take a lock and do not enforce it, and a 200 proves nothing, so the only proof is to try. The canary lies below
//! `_doctor/`, a name that no log can have, and stays for its day.

use bytes::Bytes;

use super::Report;
use super::checks::is_lockable;
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::config::Config;
use crate::worm::s3::{CANARY_PREFIX, DeleteProbe, S3Store};
use crate::worm::{Condition, Lock, Mode, ObjectKey, PutError, StoreUrl, Tag, VersionId, WormStore};

const DAY_SECONDS: i64 = 86_400;
const NAME: &str = "canary";

/// Runs all of it, or says why not.
pub(super) async fn check(config: &Config, store: Option<&dyn WormStore>, skip: bool, report: &mut Report) {
    let Some(_) = store else { return };
    if !is_lockable(config) {
        return report.warning(NAME, "this store has no locks to try");
    }
    if skip {
        return report.warning(NAME, "skipped (--no-canary): whether the store enforces locks was not tried");
    }
    let StoreUrl::S3 { bucket, prefix } = &config.store.url else { return };
    // Opened anew: deleting is no part of the store's contract, only this adapter has the probe.
    match S3Store::open(bucket, prefix, config.store.options().s3).await {
        Ok(store) => probe(&store, config, report).await,
        Err(error) => report.unchecked(NAME, error.to_string()),
    }
}

async fn probe(store: &S3Store, config: &Config, report: &mut Report) {
    let now = SystemClock.now();
    let at = now.ceil_seconds();
    let key = ObjectKey(format!("{CANARY_PREFIX}{}-{:09}", at.0, now.0 % 1_000_000_000));
    // The strongest mode that is configured is the one to be sure of.
    let mode = config.retention.classes.iter().map(|(_, c)| c.mode).max().unwrap_or(Mode::Governance);
    let lock = Lock { mode, retain_until: UnixSeconds(at.0 + DAY_SECONDS) };
    let body =
        Bytes::from(format!("spanseal doctor, {at}: locked for one day to see whether this store enforces locks. Nothing reads it.\n"));
    let version = match store.put(&key, body.clone(), Condition::CreateOnly, Some(lock)).await {
        Ok(version) => version,
        Err(error @ (PutError::Refused { .. } | PutError::LockNotKept { .. } | PutError::Exists { .. })) => {
            return report.problem(NAME, error.to_string());
        }
        Err(error) => return report.unchecked(NAME, error.to_string()),
    };
    report.ok(NAME, format!("`{key}` was put with a {} lock until {}; it stays until then", mode.as_str(), lock.retain_until));
    let id = version.as_ref();
    if id.is_none() {
        return report
            .problem(NAME, "the store answered without a version id, so nothing can be found by version; enable versioning on the bucket");
    }
    if !lock_is_kept(store, &key, id, lock, report).await {
        return;
    }
    deletion(store, &key, id, report).await;
    shortening(store, &key, id, lock, report).await;
    create_only(store, &key, body.clone(), lock, report).await;
    tagging(store, &key, body, lock, report).await;
}

/// Reads the lock back; without it the rest shows nothing.
async fn lock_is_kept(store: &S3Store, key: &ObjectKey, id: Option<&VersionId>, lock: Lock, report: &mut Report) -> bool {
    match store.head(key, id).await {
        Ok(Some(head)) if head.lock.is_some_and(|found| found.covers(lock)) => {
            report.ok(NAME, "its lock was read back as asked for");
            true
        }
        Ok(Some(head)) => {
            let found = head.lock.map_or("none".to_owned(), |l| format!("{} until {}", l.mode.as_str(), l.retain_until));
            report
                .problem(NAME, format!("the store did not keep the lock that it was given (found: {found}): it is not write-once storage"));
            false
        }
        Ok(None) => {
            report.problem(NAME, "the canary cannot be found right after it was stored");
            false
        }
        Err(error) => {
            report.unchecked(NAME, format!("its lock could not be read back: {error}"));
            false
        }
    }
}

async fn deletion(store: &S3Store, key: &ObjectKey, id: Option<&VersionId>, report: &mut Report) {
    let probed = store.probe_delete(key, id).await;
    let still_there = store.head(key, id).await;
    match (probed, still_there) {
        (_, Ok(None)) => {
            report.problem(NAME, "the store deleted a locked version: its locks are not enforced, so it is not write-once storage")
        }
        (Ok(DeleteProbe::Refused(words)), Ok(Some(_))) => report.ok(NAME, format!("deleting the locked version was refused ({words})")),
        (Ok(DeleteProbe::Accepted), Ok(Some(_))) => {
            report.warning(NAME, "the store said yes to deleting the locked version, and kept it; do not trust its answers");
        }
        (Err(error), _) | (_, Err(error)) => report.unchecked(NAME, format!("whether deleting is refused could not be found out: {error}")),
    }
}

async fn shortening(store: &S3Store, key: &ObjectKey, id: Option<&VersionId>, lock: Lock, report: &mut Report) {
    let shorter = Lock { mode: lock.mode, retain_until: UnixSeconds(lock.retain_until.0 - DAY_SECONDS / 2) };
    let answered = store.extend(key, id, shorter).await;
    match (answered, store.head(key, id).await) {
        (_, Ok(head)) if head.as_ref().and_then(|h| h.lock).is_none_or(|found| !found.covers(lock)) => {
            report.problem(NAME, "the store shortened a lock without the governance bypass: retention is not enforced");
        }
        (Err(error), Ok(_)) => match error {
            PutError::Refused { .. } => report.ok(NAME, "shortening the lock was refused"),
            other => report.unchecked(NAME, format!("whether shortening is refused could not be found out: {other}")),
        },
        (Ok(()), Ok(_)) => report.warning(NAME, "the store said yes to shortening the lock, and kept it; do not trust its answers"),
        (_, Err(error)) => report.unchecked(NAME, format!("whether shortening is refused could not be found out: {error}")),
    }
}

/// The same bytes once more, create-only. A store that ignores the condition keeps both; then the oldest version is the truth.
async fn create_only(store: &S3Store, key: &ObjectKey, body: Bytes, lock: Lock, report: &mut Report) {
    match store.put(key, body, Condition::CreateOnly, Some(lock)).await {
        Err(PutError::Exists { .. }) => report.ok(NAME, "a second create-only put was refused, as it should be"),
        Ok(_) => report.warning(
            NAME,
            "this store ignores create-only puts: the oldest version of a seal is the truth, and `serve` compares after every commit (slower, and as safe)",
        ),
        Err(error) => report.unchecked(NAME, format!("whether create-only puts are honoured could not be found out: {error}")),
    }
}

/// A second canary, tagged like a partial tile. Nothing that is promised hangs on it, so whatever comes of it is no problem.
async fn tagging(store: &S3Store, key: &ObjectKey, body: Bytes, lock: Lock, report: &mut Report) {
    let tag = Tag::PARTIAL;
    let key = ObjectKey(format!("{key}-tagged"));
    let piles_up = "so no lifecycle rule finds partial tiles, and they stay: some 1.1 GB a day at a seal a second";
    let version = match store.put_tagged(&key, body, Some(lock), tag).await {
        Ok(version) => version,
        Err(error) => return report.unchecked(NAME, format!("whether tags are kept could not be found out: {error}")),
    };
    if let Some(reason) = store.tags_refused() {
        return report.warning(NAME, format!("the store takes no object tags, {piles_up}. Allow s3:PutObjectTagging. It said: {reason}"));
    }
    match store.has_tag(&key, version.as_ref(), tag).await {
        Ok(true) => report.ok(NAME, format!("the tag `{}={}` was kept: lifecycle rules find partial tiles by it", tag.name, tag.value)),
        Ok(false) => report.warning(NAME, format!("the store dropped the tag `{}={}`, {piles_up}", tag.name, tag.value)),
        Err(error) => {
            report.warning(
                NAME,
                format!("an object was put with a tag; whether it was kept could not be read (s3:GetObjectTagging): {error}"),
            );
        }
    }
}
