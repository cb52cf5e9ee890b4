//! Renewal: a token whose certificates expire soon is stamped itself, over SHA-256 of its bytes. The new token proves that the old one was
//! there while its authority still answered for it.
//!
//! Once a day all tokens of the log are looked at, a folder in memory at a time. Between two renewals a pause is made, so that an authority
//! whose certificate covered years is not asked for thousands at once: one in five minutes are 288 a day, and in the 90 days before the
//! end 25,920, which are three years of hourly tokens under one certificate.
//!
//! KNOWN GAP: a log that was not served during those 90 days, or that has more such tokens, is left with tokens that expired unrenewed. They stay
//! valid for their time, and `verify` says when their certificates ended.

use std::time::Duration;

use bytes::Bytes;

use super::Task;
use crate::clock::UnixSeconds;
use crate::timestamp::{Roots, Stamp, claim, verify};
use crate::tlog::Hash;
use crate::worm::ReadError;

/// Between two looks at all tokens.
const EVERY: Duration = Duration::from_secs(86_400);
/// Between two renewals.
const PAUSE: Duration = Duration::from_secs(300);
/// How long before the end of its certificates a token is renewed, seconds: 90 days.
pub(super) const BEFORE_SECONDS: i64 = 90 * 86_400;

impl Task {
    /// Looks after the tokens of the log, for ever.
    pub(super) async fn renew_tokens(&self) {
        loop {
            if let Err(error) = self.renew_all().await {
                tracing::warn!(%error, "timestamps.unread");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn renew_all(&self) -> Result<(), ReadError> {
        let mut roots = Roots::default();
        for authority in &self.authorities {
            roots.join(authority.roots().clone());
        }
        let mut from = 0;
        while let Some(index) = self.index_from(from).await? {
            let tokens = self.tokens(index).await?;
            for due in due(&tokens, &roots, self.now()) {
                if self.stamp_bytes(index, due, UnixSeconds(0)).await.is_some() {
                    self.figures.renewed();
                    tracing::info!(seal = index, token = %due, "timestamp.renewed");
                }
                tokio::time::sleep(PAUSE).await;
            }
            let Some(next) = index.checked_add(1) else { break };
            from = next;
        }
        Ok(())
    }
}

/// The tokens of a folder that nothing vouches for much longer: sound and trusted ones whose certificates end soon, but have not ended, and
/// that no other token is over.
pub(super) fn due(tokens: &[(Hash, Bytes)], roots: &Roots, now: UnixSeconds) -> Vec<Hash> {
    let over: Vec<Hash> = tokens.iter().filter_map(|(_, bytes)| claim(bytes).ok()?.imprint).collect();
    let ends_soon = |stamp: &Stamp| stamp.expires > now && stamp.expires.0.saturating_sub(now.0) <= BEFORE_SECONDS;
    let is_due = |(hash, bytes): &&(Hash, Bytes)| {
        let stamp = claim(bytes).ok().and_then(|claim| verify(bytes, claim.imprint?, roots).ok());
        !over.contains(hash) && stamp.is_some_and(|stamp| stamp.is_trusted() && ends_soon(&stamp))
    };
    tokens.iter().filter(is_due).map(|(hash, _)| *hash).collect()
}
