//! What stands around the locks of a bucket: whom its policy lets undo them, under which key it encrypts, and whether it looks at checksums.

use super::Report;
use super::checks::is_lockable;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::worm::canary::{CANARY_PREFIX, Probed};
use crate::worm::s3::S3Store;
use crate::worm::s3::bucket::{Asked, ChecksumProbe, Encryption};
use crate::worm::s3::policy::{Place, Stance, judge};
use crate::worm::{Condition, ObjectKey, ReadError, StoreUrl, WormStore};

const POLICY: &str = "bucket policy";
const ENCRYPTION: &str = "encryption";
const CHECKSUM: &str = "checksum";

/// Runs all of it; what puts objects only if canaries are allowed.
pub(super) async fn check(config: &Config, store: Option<&dyn WormStore>, skip: bool, report: &mut Report) {
    let (Some(_), StoreUrl::S3 { bucket, prefix }) = (store, &config.store.url) else {
        if store.is_some() && matches!(config.store.url, StoreUrl::Azure { .. } | StoreUrl::Gcs { .. }) {
            report.warning(
                POLICY,
                "who may delete, shorten and release here is up to the account's roles, which are not looked at, nor under which key it encrypts: \
                 look at them yourself",
            );
        }
        return;
    };
    let store = match S3Store::open(bucket, prefix, config.store.options().s3).await {
        Ok(store) => store,
        Err(error) => return report.unchecked(POLICY, error.to_string()),
    };
    if is_lockable(config) {
        policy(&store, Place { bucket, prefix }, report).await;
    }
    encryption(&store, config.store.s3.sse_kms_key_id.as_deref(), skip, report).await;
    if !skip {
        checksum(&store, report).await;
    }
}

/// What cannot be read with these credentials may be as it should: that is no fault, and no answer.
fn unread(what: &str, permission: &str, error: &ReadError) -> String {
    format!("{what} could not be read, so nothing is known of it; allow {permission} to have it looked at: {error}")
}

async fn policy(store: &S3Store, place: Place<'_>, report: &mut Report) {
    const SEE: &str = "see `collector-config/bucket/bucket-policy.json`";
    let found = match store.bucket_policy().await {
        Ok(Asked::Is(text)) => judge(&text, place),
        Ok(Asked::Unknown(call)) => {
            return report.warning(
                POLICY,
                format!(
                    "this server does not know the call {call}, so its buckets have no policies that could be looked at: who may delete, bypass \
                     governance, change locks and take holds off is up to the server's own users and rights; look at them there"
                ),
            );
        }
        Ok(Asked::None) => {
            return report.warning(
                POLICY,
                format!(
                    "the bucket has no policy of its own, so it denies nobody to bypass governance, to delete, to change locks or to take holds off: who may is up to \
                     identity policies, which cannot be seen from here; {SEE}"
                ),
            );
        }
        Err(error) => return report.warning(POLICY, unread("the bucket's policy", "s3:GetBucketPolicy", &error)),
    };
    let judged = match found {
        Ok(judged) => judged,
        Err(why) => return report.warning(POLICY, why),
    };
    let mut denied = Vec::new();
    for (act, stance) in judged {
        let (action, can) = (act.action, act.can);
        match stance {
            Stance::Denied => denied.push(action),
            Stance::DeniedBut(who) if act.needed => {
                report.ok(POLICY, format!("it denies {action} to everybody but {}", who.join(", ")));
            }
            Stance::DeniedBut(who) => {
                let who = who.join(", ");
                report.warning(POLICY, format!("it denies {action} to everybody but {who}, who can {can}; {SEE}"));
            }
            Stance::PartlyDenied => report.warning(
                POLICY,
                format!(
                    "it denies {action} only to some, on a part of the evidence or under a condition: whoever is left can {can}; {SEE}"
                ),
            ),
            Stance::AllowedToAll(by) => report.problem(
                POLICY,
                format!("`{by}` allows everybody {action}: whoever reaches the bucket can {can}. Take the statement out; {SEE}"),
            ),
            Stance::Allowed(by) => {
                report.warning(POLICY, format!("`{by}` allows {action}: whoever it names can {can}; deny it to everybody, {SEE}"));
            }
            Stance::Open => report.warning(
                POLICY,
                format!(
                    "it does not deny {action}: whoever an identity policy allows it (which cannot be seen from here) can {can}; {SEE}"
                ),
            ),
        }
    }
    if !denied.is_empty() {
        report.ok(POLICY, format!("it denies everybody {}", denied.join(", ")));
    }
}

fn told(found: &Encryption) -> String {
    match &found.key {
        Some(key) => format!("{} under the key `{key}`", found.algorithm),
        None => found.algorithm.clone(),
    }
}

async fn encryption(store: &S3Store, wanted: Option<&str>, skip: bool, report: &mut Report) {
    match store.bucket_encryption().await {
        Ok(Asked::Is(found)) => report.ok(ENCRYPTION, format!("the bucket encrypts with {}", told(&found))),
        Ok(Asked::Unknown(call)) => report.warning(
            ENCRYPTION,
            format!(
                "this server does not know the call {call}, so a bucket does not say whether it encrypts: look at the server's own disks and \
                 settings. Nothing that spanseal promises of evidence rests on it, and content in a vault is encrypted before it is put"
            ),
        ),
        Ok(Asked::None) if wanted.is_some() => report.ok(ENCRYPTION, "the bucket itself names no encryption; `store.s3.sse_kms_key_id` does"),
        Ok(Asked::None) => report.ok(
            ENCRYPTION,
            "neither the bucket nor `store.s3.sse_kms_key_id` names an encryption: objects lie as the store's provider keeps them",
        ),
        Err(error) => report.warning(ENCRYPTION, unread("the bucket's encryption", "s3:GetEncryptionConfiguration", &error)),
    }
    let Some(wanted) = wanted.filter(|_| !skip) else { return };
    let key = canary_key("kms");
    let body = "spanseal doctor: put to see whether it is encrypted under the configured key. Nothing reads it.\n";
    let version = match store.put(&key, body.into(), Condition::CreateOnly, None).await {
        Ok(version) => version,
        Err(error) if error.is_retryable() => return report.unchecked(ENCRYPTION, error.to_string()),
        Err(error) => {
            return report.problem(
                ENCRYPTION,
                format!(
                    "nothing can be put under the key `{wanted}` (`store.s3.sse_kms_key_id`): {error}. Check that the key exists and that these \
                     credentials have kms:GenerateDataKey and kms:Decrypt"
                ),
            );
        }
    };
    match store.encryption_of(&key, version.as_ref()).await {
        Ok(Some(found)) if found.is_under(wanted) => report.ok(ENCRYPTION, format!("what is put is encrypted with {}", told(&found))),
        Ok(Some(found)) => report.problem(
            ENCRYPTION,
            format!(
                "`store.s3.sse_kms_key_id` is `{wanted}`, and the store encrypted with {}: it goes its own way with keys",
                told(&found)
            ),
        ),
        Ok(None) => report.problem(
            ENCRYPTION,
            format!("`store.s3.sse_kms_key_id` is `{wanted}`, and the store says of no encryption: it passes the wish over"),
        ),
        Err(error) => report.unchecked(ENCRYPTION, format!("whether what is put is encrypted could not be read: {error}")),
    }
    // What stays is a short text below `_doctor/`; a bucket with default retention keeps it for that long.
    let _ = store.probe_delete(&key, version.as_ref(), false).await;
}

async fn checksum(store: &S3Store, report: &mut Report) {
    let key = canary_key("checksum");
    match store.probe_checksum(&key).await {
        Ok(ChecksumProbe::Refused(words)) => {
            report.ok(CHECKSUM, format!("an object that is not what its SHA-256 says was refused ({words})"));
        }
        Ok(ChecksumProbe::Taken { removed }) => {
            let left = if removed { "" } else { "; the probe could not be deleted and stays" };
            report.warning(
                CHECKSUM,
                format!(
                    "the store took an object that is not what its SHA-256 (x-amz-checksum-sha256) says: it does not look, so bytes that change on the \
                     way to its disks are found by `spanseal verify`, not by the store{left}"
                ),
            );
        }
        Err(error) => report.unchecked(CHECKSUM, format!("whether the store looks at checksums could not be found out: {error}")),
    }
}

fn canary_key(what: &str) -> ObjectKey {
    let now = SystemClock.now();
    ObjectKey(format!("{CANARY_PREFIX}{}-{:09}-{what}", now.0 / 1_000_000_000, now.0 % 1_000_000_000))
}
