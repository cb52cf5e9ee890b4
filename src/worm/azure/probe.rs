//! What the canary alone does: try to delete itself, to see whether the service really refuses, and look whether its tag was kept.

use async_trait::async_trait;
use http::{Method, StatusCode};

use super::answer::{refuse_read, store_words};
use super::{AzureStore, TAG_RIGHT, of_version};
use crate::worm::canary::{DeleteProbe, Governance, Probed, Words, expect_canary, probed};
use crate::worm::wire::{Call, READ_TIMEOUT, SMALL_ANSWER_MAX};
use crate::worm::xml::Node;
use crate::worm::{Condition, Lock, ObjectKey, PutError, ReadError, Tag, VersionId, WormStore};

impl AzureStore {
    /// Puts another version of a canary over this one, where it is the current one: the service deletes no current version by its id, whatever keeps
    /// it (`OperationNotAllowedOnRootBlob`), so only of one that was replaced its refusal says something of the lock.
    async fn supersede(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<(), ReadError> {
        let newest = self.versions(key).await?.into_iter().next().and_then(|newest| newest.id);
        if newest.as_ref() != version {
            return Ok(());
        }
        let body = "spanseal doctor: put so that the version before can be asked to be deleted. Nothing reads it.\n";
        match self.put(key, body.into(), Condition::Any, None).await {
            Ok(_) => Ok(()),
            Err(error) => Err(ReadError::Unavailable { key: key.to_string(), reason: format!("no version could be put over it: {error}") }),
        }
    }

    async fn probe(&self, key: &ObjectKey, query: Vec<(&'static str, String)>) -> Result<DeleteProbe, ReadError> {
        let (timeout, answer_max) = (READ_TIMEOUT, SMALL_ANSWER_MAX);
        let call = Call { method: Method::DELETE, key: self.read_key(key)?, query, timeout, answer_max, ..Call::default() };
        // One try: a refusal is an answer, and a delete is not asked for twice.
        probed(key, self.client.call(call).await, store_words)
    }
}

#[async_trait]
impl Probed for AzureStore {
    fn words(&self) -> &'static Words {
        &Words {
            put_tag: TAG_RIGHT,
            read_tag: "blobs/tags/read (the SAS permission `t`)",
            put_hold: "blobs/write (the SAS permission `i`)",
            read_hold: "blobs/read (the SAS permission `r`)",
            against_bypass: "here whoever may set policies may do so, and a writer must: choose COMPLIANCE where that is too little",
            governance: Governance::Unguarded,
        }
    }

    fn tags_refused(&self) -> Option<String> {
        self.tags.refusal()
    }

    async fn has_tag(&self, key: &ObjectKey, version: Option<&VersionId>, tag: Tag) -> Result<bool, ReadError> {
        let call =
            Call { key: self.read_key(key)?, query: of_version(Some("tags"), version), answer_max: SMALL_ANSWER_MAX, ..Call::default() };
        let answer = self.read(key.as_str(), call).await?;
        if answer.status != StatusCode::OK {
            return Err(refuse_read(key.as_str(), &answer));
        }
        let root = Node::parse(&answer.body).filter(|n| n.name == "Tags").ok_or_else(|| self.unreadable(key.as_str(), "comp=tags"))?;
        let tags = root.child("TagSet").map(|set| set.children.as_slice()).unwrap_or_default();
        Ok(tags.iter().any(|t| t.text_of("Key") == Some(tag.name) && t.text_of("Value") == Some(tag.value)))
    }

    async fn probe_shorten(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError> {
        self.set_policy(key, version, lock).await
    }

    /// There is no bypass to ask for here: what lifts an unlocked policy is deleting it.
    async fn probe_delete(&self, key: &ObjectKey, version: Option<&VersionId>, bypass: bool) -> Result<DeleteProbe, ReadError> {
        expect_canary(key)?;
        self.supersede(key, version).await?;
        if bypass {
            // Whether it was lifted shows in whether the version can be deleted.
            self.probe(key, of_version(Some("immutabilityPolicies"), version)).await?;
        }
        self.probe(key, of_version(None, version)).await
    }
}
