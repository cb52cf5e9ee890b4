//! What the canary alone does: try to delete itself, to see whether the service really refuses, and look whether its tag was kept.

use async_trait::async_trait;
use http::Method;
use serde_json::{Value, json};

use super::answer::store_words;
use super::{GcsStore, of_version, retention};
use crate::worm::canary::{DeleteProbe, Governance, Probed, Words, expect_canary, probed};
use crate::worm::wire::{Call, READ_TIMEOUT, SMALL_ANSWER_MAX};
use crate::worm::{Lock, ObjectKey, PutError, ReadError, Tag, VersionId};

#[async_trait]
impl Probed for GcsStore {
    fn words(&self) -> &'static Words {
        &Words {
            put_tag: "storage.objects.create",
            read_tag: "storage.objects.get",
            put_hold: "storage.objects.update",
            read_hold: "storage.objects.get",
            against_bypass: "take storage.objects.overrideUnlockedRetention from them",
            governance: Governance::AskedFor,
        }
    }

    fn tags_refused(&self) -> Option<String> {
        None
    }

    async fn has_tag(&self, key: &ObjectKey, version: Option<&VersionId>, tag: Tag) -> Result<bool, ReadError> {
        let object = self.object(key, version).await?;
        Ok(object.is_some_and(|object| object.metadata.get(tag.name).and_then(Value::as_str) == Some(tag.value)))
    }

    async fn probe_shorten(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError> {
        self.patch(key, version, Vec::new(), &json!({"retention": retention(lock)})).await
    }

    /// There is no bypass to ask for with a delete here: what lifts an unlocked retention is a change with the override.
    async fn probe_delete(&self, key: &ObjectKey, version: Option<&VersionId>, bypass: bool) -> Result<DeleteProbe, ReadError> {
        expect_canary(key)?;
        if bypass {
            let more = vec![("overrideUnlockedRetention", "true".to_owned())];
            match self.patch(key, version, more, &json!({"retention": null})).await {
                Ok(()) => {}
                Err(PutError::Refused { reason, .. }) => return Ok(DeleteProbe::Refused(reason)),
                Err(error) => return Err(ReadError::Unavailable { key: key.0.clone(), reason: error.to_string() }),
            }
        }
        let refused = |why: &str| ReadError::Refused { key: key.0.clone(), reason: why.to_owned() };
        let path = self.object_path(key).map_err(refused)?;
        let query = of_version(version).ok_or_else(|| refused("there is no such version"))?;
        let (timeout, answer_max) = (READ_TIMEOUT, SMALL_ANSWER_MAX);
        let call = Call { method: Method::DELETE, key: path, query, timeout, answer_max, ..Call::default() };
        // One try: a refusal is an answer, and a delete is not asked for twice.
        probed(key, self.client.call(call).await, store_words)
    }
}
