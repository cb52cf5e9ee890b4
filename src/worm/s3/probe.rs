//! What the canary alone does: try to delete itself and to lift its lock, to see whether the store really refuses, and look whether its tag
//! was kept.

use super::answer::{refuse_read, store_words};
use super::client::{Call, CallError};
use super::{NAMESPACE, READ_TIMEOUT, S3Store, SMALL_ANSWER_MAX, xml};
use crate::worm::{ObjectKey, ReadError, Tag, VersionId};
use bytes::Bytes;
use http::{Method, StatusCode};

/// Folder of canaries: a name that no log can have.
pub const CANARY_PREFIX: &str = "_doctor/";

/// What a store did when it was asked to delete a locked version, or to lift its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteProbe {
    /// It refused, in its own words.
    Refused(String),
    /// It said yes. Whether the version, or its lock, is gone, a HEAD tells.
    Accepted,
}

fn bypass() -> (&'static str, String) {
    ("x-amz-bypass-governance-retention", "true".to_owned())
}

impl S3Store {
    /// Whether a version has a tag. Needs `s3:GetObjectTagging`, which nothing else does.
    pub async fn has_tag(&self, key: &ObjectKey, version: Option<&VersionId>, tag: Tag) -> Result<bool, ReadError> {
        let mut query = vec![("tagging", String::new())];
        query.extend(version.map(|v| ("versionId", v.0.clone())));
        let call = Call { key: self.read_key(key)?, query, answer_max: SMALL_ANSWER_MAX, ..Call::default() };
        let answer = self.read(key.as_str(), call).await?;
        match (answer.status, store_words(&answer).0.as_str()) {
            (StatusCode::OK, _) => {
                let root = xml::Node::parse(&answer.body).filter(|n| n.name == "Tagging");
                let root = root.ok_or_else(|| self.unreadable(key.as_str(), "?tagging"))?;
                let tags = root.child("TagSet").map(|set| set.children.as_slice()).unwrap_or_default();
                Ok(tags.iter().any(|t| t.text_of("Key") == Some(tag.name) && t.text_of("Value") == Some(tag.value)))
            }
            // Older servers say so where there is none.
            (_, "NoSuchTagSet" | "NoSuchTagSetError") => Ok(false),
            _ => Err(refuse_read(key.as_str(), &answer)),
        }
    }

    /// Asks the store to delete one version of a canary, with or without the governance bypass
    /// (`x-amz-bypass-governance-retention`). Refuses every key that is no canary.
    pub async fn probe_delete(&self, key: &ObjectKey, version: Option<&VersionId>, bypassing: bool) -> Result<DeleteProbe, ReadError> {
        let headers = if bypassing { vec![bypass()] } else { Vec::new() };
        self.probe(key, version, Call { method: Method::DELETE, headers, ..Call::default() }).await
    }

    /// Asks the store to take the lock off one version of a canary, with the governance bypass: an empty retention
    /// (PutObjectRetention). Refuses every key that is no canary.
    pub async fn probe_lift(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<DeleteProbe, ReadError> {
        let body = Bytes::from(format!("<Retention xmlns=\"{NAMESPACE}\"></Retention>"));
        let query = vec![("retention", String::new())];
        self.probe(key, version, Call { method: Method::PUT, query, headers: vec![bypass()], body, ..Call::default() }).await
    }

    async fn probe(&self, key: &ObjectKey, version: Option<&VersionId>, call: Call) -> Result<DeleteProbe, ReadError> {
        if !key.as_str().starts_with(CANARY_PREFIX) {
            return Err(ReadError::Refused { key: key.0.clone(), reason: "only a canary of `doctor` may be put to this test".to_owned() });
        }
        let mut call = Call { key: self.read_key(key)?, timeout: READ_TIMEOUT, answer_max: SMALL_ANSWER_MAX, ..call };
        call.query.extend(version.map(|v| ("versionId", v.0.clone())));
        let unavailable = |reason: String| ReadError::Unavailable { key: key.0.clone(), reason };
        // One try: a refusal is an answer, and a delete is not asked for twice.
        let answer = self.client.call(call).await.map_err(|error| match error {
            CallError::NotSent(words) | CallError::Lost(words) => unavailable(words),
            CallError::TooLarge { .. } => unavailable("its answer is too long".to_owned()),
        })?;
        if answer.status.is_success() {
            return Ok(DeleteProbe::Accepted);
        }
        let (code, message) = store_words(&answer);
        let said = format!("{} {code} {message}", answer.status.as_u16()).trim().to_owned();
        if answer.status.is_client_error() { Ok(DeleteProbe::Refused(said)) } else { Err(unavailable(said)) }
    }
}
