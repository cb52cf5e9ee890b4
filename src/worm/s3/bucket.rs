//! What a bucket says of itself beyond its locks: its policy, its encryption, and whether it looks at checksums. Only `doctor` asks.

use super::answer::{refuse_read, store_words};
use super::{S3Store, xml};
use crate::worm::canary::{DeleteProbe, Probed, expect_canary};
use crate::worm::wire::{Call, CallError, READ_TIMEOUT, SMALL_ANSWER_MAX};
use crate::worm::{ObjectKey, ReadError, VersionId};
use bytes::Bytes;
use http::{Method, StatusCode};

/// How objects are encrypted at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// `AES256` (a key of the store's own), `aws:kms`, `aws:kms:dsse`.
    pub algorithm: String,
    /// The key's id or ARN, where one is named.
    pub key: Option<String>,
}

impl Encryption {
    /// Whether this is encryption under that key. A store may answer with the whole ARN of a key that was named by its id.
    pub fn is_under(&self, id: &str) -> bool {
        self.key.as_deref().is_some_and(|key| key == id || key.ends_with(&format!("/{id}")) || id.ends_with(&format!("/{key}")))
    }
}

/// What a bucket says of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked<T> {
    /// This.
    Is(T),
    /// It has none.
    None,
    /// The server does not know the call, whose name this is.
    Unknown(&'static str),
}

/// What a store does with an object that is not what its checksum says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChecksumProbe {
    /// It refuses it, in its own words.
    Refused(String),
    /// It takes it. Whether the probe could be taken away again.
    Taken {
        /// The object is gone.
        removed: bool,
    },
}

impl S3Store {
    /// The bucket's own policy as JSON text (`GetBucketPolicy`).
    pub async fn bucket_policy(&self) -> Result<Asked<String>, ReadError> {
        let answer = self.read_bucket("policy").await?;
        match (answer.status, store_words(&answer).0.as_str()) {
            (StatusCode::OK, _) if answer.body.trim_ascii().is_empty() => Ok(Asked::None),
            (StatusCode::OK, _) => {
                String::from_utf8(answer.body.to_vec()).map(Asked::Is).map_err(|_| self.unreadable(&self.shown, "?policy"))
            }
            (_, "NoSuchBucketPolicy") => Ok(Asked::None),
            (StatusCode::NOT_IMPLEMENTED, _) => Ok(Asked::Unknown(answer.asked)),
            _ => Err(refuse_read(&self.shown, &answer)),
        }
    }

    /// How the bucket encrypts what is put without saying how (`GetBucketEncryption`).
    pub async fn bucket_encryption(&self) -> Result<Asked<Encryption>, ReadError> {
        let answer = self.read_bucket("encryption").await?;
        match (answer.status, store_words(&answer).0.as_str()) {
            (StatusCode::OK, _) => {
                let root = xml::Node::parse(&answer.body).filter(|n| n.name == "ServerSideEncryptionConfiguration");
                let root = root.ok_or_else(|| self.unreadable(&self.shown, "?encryption"))?;
                let rule = root.child("Rule").and_then(|rule| rule.child("ApplyServerSideEncryptionByDefault"));
                let found = rule.and_then(|rule| {
                    let key = rule.text_of("KMSMasterKeyID").filter(|key| !key.is_empty()).map(str::to_owned);
                    Some(Encryption { algorithm: rule.text_of("SSEAlgorithm")?.to_owned(), key })
                });
                Ok(found.map_or(Asked::None, Asked::Is))
            }
            (_, "ServerSideEncryptionConfigurationNotFoundError" | "NoSuchEncryptionConfiguration") => Ok(Asked::None),
            (StatusCode::NOT_IMPLEMENTED, _) => Ok(Asked::Unknown(answer.asked)),
            _ => Err(refuse_read(&self.shown, &answer)),
        }
    }

    /// How one object is encrypted, as its HEAD says; `None`: it does not say.
    pub async fn encryption_of(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Encryption>, ReadError> {
        let query = version.map(|v| ("versionId", v.0.clone())).into_iter().collect();
        let call = Call { method: Method::HEAD, key: self.read_key(key)?, query, answer_max: SMALL_ANSWER_MAX, ..Call::default() };
        let answer = self.read(key.as_str(), call).await?;
        if !answer.status.is_success() {
            return Err(refuse_read(key.as_str(), &answer));
        }
        let text = |name: &str| answer.header(name).filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(text("x-amz-server-side-encryption")
            .map(|algorithm| Encryption { algorithm, key: text("x-amz-server-side-encryption-aws-kms-key-id") }))
    }

    /// Puts a canary with a SHA-256 that is not its own (`x-amz-checksum-sha256`), which a store that looks refuses. One that does not look
    /// takes it, and is asked to delete it again. Refuses every key that is no canary.
    pub async fn probe_checksum(&self, key: &ObjectKey) -> Result<ChecksumProbe, ReadError> {
        expect_canary(key)?;
        let unavailable = |reason: String| ReadError::Unavailable { key: key.0.clone(), reason };
        let call = Call {
            method: Method::PUT,
            key: self.read_key(key)?,
            body: Bytes::from_static(b"spanseal doctor: put with the checksum of other bytes. Nothing reads it.\n"),
            checksum_of: Some(Bytes::from_static(b"other bytes")),
            timeout: READ_TIMEOUT,
            answer_max: SMALL_ANSWER_MAX,
            ..Call::default()
        };
        let answer = self.client.call(call).await.map_err(|error| match error {
            CallError::NotSent(words) | CallError::Lost(words) => unavailable(words),
            CallError::TooLarge { .. } => unavailable("its answer is too long".to_owned()),
        })?;
        let (code, message) = store_words(&answer);
        let said = format!("{} {code} {message}", answer.status.as_u16()).trim().to_owned();
        if answer.status.is_success() {
            let version = answer.header("x-amz-version-id").and_then(|id| self.version_id(id));
            let deleted = self.probe_delete(key, version.as_ref(), false).await;
            return Ok(ChecksumProbe::Taken { removed: matches!(deleted, Ok(DeleteProbe::Accepted)) });
        }
        // Only these tell of the checksum: whoever may not put at all is refused as well.
        let of_checksum = ["BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "InvalidDigest", "InvalidRequest"];
        if answer.status.is_client_error() && of_checksum.contains(&code.as_str()) {
            return Ok(ChecksumProbe::Refused(said));
        }
        Err(refuse_read(key.as_str(), &answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_id_and_by_its_arn() {
        let under = |key: &str, id: &str| Encryption { algorithm: "aws:kms".into(), key: Some(key.into()) }.is_under(id);
        let arn = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd";
        assert!(under(arn, "1234abcd") && under(arn, arn) && under("1234abcd", arn));
        assert!(!under(arn, "abcd") && !under(arn, "arn:aws:kms:eu-central-1:111122223333:key/other"));
        assert!(!Encryption { algorithm: "AES256".into(), key: None }.is_under("1234abcd"));
    }
}
