//! What the canary alone does: try to delete itself and to lift its lock, to see whether the store really refuses, and look whether its tag
//! was kept.

use super::answer::{refuse_read, store_words};
use super::{NAMESPACE, S3Store, xml};
use crate::worm::canary::{DeleteProbe, Governance, Probed, Words, expect_canary, probed};
use crate::worm::wire::{Call, READ_TIMEOUT, SMALL_ANSWER_MAX};
use crate::worm::{Lock, ObjectKey, PutError, ReadError, Tag, VersionId, WormStore};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};

#[async_trait]
impl Probed for S3Store {
    fn words(&self) -> &'static Words {
        &Words {
            put_tag: "s3:PutObjectTagging",
            read_tag: "s3:GetObjectTagging",
            put_hold: "s3:PutObjectLegalHold",
            read_hold: "s3:GetObjectLegalHold",
            against_bypass: "take s3:BypassGovernanceRetention from them",
            governance: Governance::AskedFor,
        }
    }

    fn tags_refused(&self) -> Option<String> {
        self.tags.refusal()
    }

    async fn probe_shorten(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError> {
        self.extend(key, version, lock).await
    }

    /// Whether a version has a tag. Needs `s3:GetObjectTagging`, which nothing else does.
    async fn has_tag(&self, key: &ObjectKey, version: Option<&VersionId>, tag: Tag) -> Result<bool, ReadError> {
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
    async fn probe_delete(&self, key: &ObjectKey, version: Option<&VersionId>, bypass: bool) -> Result<DeleteProbe, ReadError> {
        let headers = if bypass { vec![bypassing()] } else { Vec::new() };
        self.probe(key, version, Call { method: Method::DELETE, headers, ..Call::default() }).await
    }

    /// An empty retention (PutObjectRetention) with the governance bypass.
    async fn probe_lift(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<DeleteProbe>, ReadError> {
        let body = Bytes::from(format!("<Retention xmlns=\"{NAMESPACE}\"></Retention>"));
        let query = vec![("retention", String::new())];
        let call = Call { method: Method::PUT, query, headers: vec![bypassing()], body, ..Call::default() };
        self.probe(key, version, call).await.map(Some)
    }
}

/// Says that a lock in GOVERNANCE is meant to be broken.
fn bypassing() -> (&'static str, String) {
    ("x-amz-bypass-governance-retention", "true".to_owned())
}

impl S3Store {
    async fn probe(&self, key: &ObjectKey, version: Option<&VersionId>, call: Call) -> Result<DeleteProbe, ReadError> {
        expect_canary(key)?;
        let mut call = Call { key: self.read_key(key)?, timeout: READ_TIMEOUT, answer_max: SMALL_ANSWER_MAX, ..call };
        call.query.extend(version.map(|v| ("versionId", v.0.clone())));
        // One try: a refusal is an answer, and a delete is not asked for twice.
        probed(key, self.client.call(call).await, store_words)
    }
}
