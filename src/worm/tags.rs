//! Whether objects are put with tags: where the store refuses one and takes the object without it, tags are left off for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::{Lock, ObjectKey, PutError, Tag, VersionId};

/// How long objects are put without tags once they count as refused. A put that is refused costs one more; what is put without stays for good.
const AGAIN_AFTER: Duration = Duration::from_secs(3600);
/// Refusals in a row from which on they do: one alone may be a moment of a skewed clock, or of credentials that are just renewed.
const IN_A_ROW: u32 = 2;

/// Puts that were refused with a tag and taken without, one after the other.
#[derive(Debug, Default)]
struct Refusals {
    count: u32,
    /// The newest one's words.
    reason: Option<String>,
    again_at: Option<Instant>,
}

impl Refusals {
    /// Whether the next object is put with its tag.
    fn are_tried(&self, now: Instant) -> bool {
        self.again_at.is_none_or(|at| at <= now)
    }

    /// One more. Answers whether tags are left off from now on.
    fn refused(&mut self, reason: String, now: Instant) -> bool {
        self.count = self.count.saturating_add(1);
        self.reason = Some(reason);
        let off = self.count >= IN_A_ROW;
        if off {
            self.again_at = Some(now + AGAIN_AFTER);
        }
        off
    }

    /// The store took a tag.
    fn taken(&mut self) {
        *self = Refusals::default();
    }
}

/// A store whose puts may carry a tag, and be refused for it.
#[async_trait]
pub(super) trait PutsTags: Sync {
    /// One attempt, under any condition.
    async fn put_any(&self, key: &ObjectKey, body: Bytes, lock: Option<Lock>, tag: Option<Tag>) -> Result<Option<VersionId>, PutError>;
}

/// How one store took the tags so far.
#[derive(Debug, Default)]
pub(super) struct Tags(Mutex<Refusals>);

impl Tags {
    fn with<T>(&self, act: impl FnOnce(&mut Refusals) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why the store got no tag with the last object that was to have one: its refusal. `None` where it took it, or was not asked yet.
    pub(super) fn refusal(&self) -> Option<String> {
        self.with(|refusals| refusals.reason.clone())
    }

    /// Puts with the tag, and without it where the tag keeps the object out; `right` is what the credentials then lack.
    pub(super) async fn put(
        &self,
        store: &dyn PutsTags,
        key: &ObjectKey,
        (body, lock, tag): (Bytes, Option<Lock>, Tag),
        right: &str,
    ) -> Result<Option<VersionId>, PutError> {
        if !self.with(|refusals| refusals.are_tried(Instant::now())) {
            return store.put_any(key, body, lock, None).await;
        }
        match store.put_any(key, body.clone(), lock, Some(tag)).await {
            Err(PutError::Refused { reason, .. }) => {
                let version = store.put_any(key, body, lock, None).await?;
                // The tag made the difference, or what passed meanwhile: a clock that was set right, credentials that were renewed.
                if self.with(|refusals| refusals.refused(reason.clone(), Instant::now())) {
                    let advice = format!(
                        "allow {right}; tags are tried again every hour, and no lifecycle rule finds the partial tiles that are put until \
                         then: they stay"
                    );
                    tracing::warn!(%key, reason, advice, "worm.tag.refused");
                }
                Ok(version)
            }
            Ok(version) => {
                self.with(Refusals::taken);
                Ok(version)
            }
            failed => failed,
        }
    }
}
