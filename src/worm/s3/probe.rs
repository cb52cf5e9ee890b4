//! What the canary alone does: try to delete itself, to see whether the store really refuses, and look whether its tag was kept.

use super::answer::{refuse_read, store_words};
use super::{S3Store, xml};
use crate::worm::canary::{DeleteProbe, Governance, Probed, Words, expect_canary, probed};
use crate::worm::wire::{Call, READ_TIMEOUT, SMALL_ANSWER_MAX};
use crate::worm::{Lock, ObjectKey, PutError, ReadError, Tag, VersionId, WormStore};
use async_trait::async_trait;
use http::{Method, StatusCode};

#[async_trait]
impl Probed for S3Store {
    fn words(&self) -> &'static Words {
        &Words {
            put_tag: "s3:PutObjectTagging",
            read_tag: "s3:GetObjectTagging",
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
        expect_canary(key)?;
        let query = version.map(|v| ("versionId", v.0.clone())).into_iter().collect();
        let full = self.read_key(key)?;
        let headers = if bypass { vec![("x-amz-bypass-governance-retention", "true".to_owned())] } else { Vec::new() };
        let (timeout, answer_max) = (READ_TIMEOUT, SMALL_ANSWER_MAX);
        let call = Call { method: Method::DELETE, key: full, query, headers, timeout, answer_max, ..Call::default() };
        // One try: a refusal is an answer, and a delete is not asked for twice.
        probed(key, self.client.call(call).await, store_words)
    }
}
