//! Renewal: a token whose certificates expire soon is stamped itself, over SHA-256 of its bytes. The new token proves that the old one was
//! there while its authority still answered for it.
//!
//! What is renewed is evidence: sound tokens of a configured authority over this seal's checkpoint, and over such tokens; a renewal is sound,
//! trusted and outlasts what it renews. Whoever can write into the store can plant others, which are neither renewed nor taken for renewals;
//! and of any number over one thing under one certificate, only one is.
//!
//! Once a day all tokens of the log are looked at, a folder in memory at a time. Between two renewals a pause is made, so that an authority
//! whose certificate covered years is not asked for thousands at once: one in five minutes are 288 a day, and in the 90 days before the
//! end 25,920, which are three years of hourly tokens under one certificate.
//!
//! KNOWN GAP: a log that was not served during those 90 days, or that has more such tokens, is left with tokens that expired unrenewed. They stay
//! valid for their time, and `verify` says when their certificates ended.

use std::time::Duration;

use bytes::Bytes;

use super::{Task, Wanted};
use crate::clock::UnixSeconds;
use crate::timestamp::{Roots, Stamp, Trust, claim, verify};
use crate::tlog::Hash;
use crate::worm::ReadError;

/// Between two looks at all tokens.
const EVERY: Duration = Duration::from_secs(86_400);
/// Between two renewals.
const PAUSE: Duration = Duration::from_secs(300);
/// How long before the end of its certificates a token is renewed, seconds: 90 days.
const BEFORE_SECONDS: i64 = 90 * 86_400;

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
        let roots = self.roots();
        let mut from = 0;
        while let Some(index) = self.index_from(from).await? {
            let tokens = self.tokens(index).await?;
            // Which version of a seal counts is for `verify` to say.
            let mut checkpoints: Vec<Hash> = self.seals(index).await?.iter().map(|seal| Hash::of(seal.checkpoint.as_bytes())).collect();
            checkpoints.sort_unstable();
            checkpoints.dedup();
            for Due { token, ends } in due(&tokens, &checkpoints, &roots, self.now()) {
                if self.stamp_bytes(index, token, Wanted { earliest: UnixSeconds(0), ends_after: ends }).await.is_some() {
                    self.figures.renewed();
                    tracing::info!(seal = index, %token, "timestamp.renewed");
                }
                tokio::time::sleep(PAUSE).await;
            }
            let Some(next) = index.checked_add(1) else { break };
            from = next;
        }
        Ok(())
    }
}

/// A token to renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    /// SHA-256 of it.
    token: Hash,
    /// When its certificates end.
    ends: UnixSeconds,
}

/// A sound and trusted token.
struct Sound {
    hash: Hash,
    over: Hash,
    root: String,
    stamp: Stamp,
}

impl Sound {
    fn read(hash: Hash, bytes: &[u8], roots: &Roots) -> Option<Self> {
        let over = claim(bytes).ok()?.imprint?;
        let stamp = verify(bytes, over, roots).ok()?;
        match &stamp.trust {
            Trust::Trusted { root } => Some(Sound { hash, over, root: root.clone(), stamp }),
            Trust::NoRoots | Trust::Unknown { .. } => None,
        }
    }

    /// Whether it proves that the other was there in time, and for longer.
    fn renews(&self, other: &Sound) -> bool {
        self.over == other.hash && self.stamp.not_later_than() < other.stamp.expires && self.stamp.expires > other.stamp.expires
    }
}

/// The tokens of a folder that nothing vouches for much longer: those over one of these checkpoints, or over such a token, whose certificates
/// end soon, but have not ended, and that no other one renews.
fn due(tokens: &[(Hash, Bytes)], checkpoints: &[Hash], roots: &Roots, now: UnixSeconds) -> Vec<Due> {
    let mut others: Vec<Sound> = tokens.iter().filter_map(|(hash, bytes)| Sound::read(*hash, bytes, roots)).collect();
    let mut chain: Vec<Sound> = Vec::new();
    loop {
        let (joined, rest): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|t| checkpoints.contains(&t.over) || chain.iter().any(|other| t.over == other.hash));
        others = rest;
        if joined.is_empty() {
            break;
        }
        chain.extend(joined);
    }
    let ends_soon = |t: &Sound| t.stamp.expires > now && t.stamp.expires.0.saturating_sub(now.0) <= BEFORE_SECONDS;
    // Any number over one thing is to be had from an authority: each would cost a locked object.
    let same = |a: &Sound, b: &Sound| {
        (a.over, &a.root, &a.stamp.authority, a.stamp.expires) == (b.over, &b.root, &b.stamp.authority, b.stamp.expires)
    };
    let is_due = |t: &&Sound| {
        let first = !chain.iter().any(|other| other.hash < t.hash && same(other, t));
        let renewed = chain.iter().filter(|other| same(other, t)).any(|other| chain.iter().any(|newer| newer.renews(other)));
        ends_soon(t) && first && !renewed
    };
    chain.iter().filter(is_due).map(|t| Due { token: t.hash, ends: t.stamp.expires }).collect()
}
