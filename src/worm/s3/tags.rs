//! Whether objects are put with tags: where the store refuses one and takes the object without it, tags are left off for a while.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::S3Store;

/// How long objects are put without tags once they count as refused. A put that is refused costs one more; what is put without stays for good.
pub(super) const AGAIN_AFTER: Duration = Duration::from_secs(3600);
/// Refusals in a row from which on they do: one alone may be a moment of a skewed clock, or of credentials that are just renewed.
const IN_A_ROW: u32 = 2;

/// Puts that were refused with a tag and taken without, one after the other.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    count: u32,
    /// The newest one's words.
    reason: Option<String>,
    again_at: Option<Instant>,
}

impl Refusals {
    /// Whether the next object is put with its tag.
    pub(super) fn are_tried(&self, now: Instant) -> bool {
        self.again_at.is_none_or(|at| at <= now)
    }

    /// One more. Answers whether tags are left off from now on.
    pub(super) fn refused(&mut self, reason: String, now: Instant) -> bool {
        self.count = self.count.saturating_add(1);
        self.reason = Some(reason);
        let off = self.count >= IN_A_ROW;
        if off {
            self.again_at = Some(now + AGAIN_AFTER);
        }
        off
    }

    /// The store took a tag.
    pub(super) fn taken(&mut self) {
        *self = Refusals::default();
    }
}

impl S3Store {
    pub(super) fn tags(&self) -> MutexGuard<'_, Refusals> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the store got no tag with the last object that was to have one: its refusal. `None` where it took it, or was not asked yet.
    pub fn tags_refused(&self) -> Option<String> {
        self.tags().reason.clone()
    }
}
