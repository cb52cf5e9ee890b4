//! The time stamps of a bundle: over the very text of its checkpoint, or over another of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Others, Outer, ProofError, refused};
use crate::clock::UnixSeconds;
use crate::timestamp::{Accuracy, Held, Trust, claim, held_until, verify};
use crate::tlog::Hash;
use crate::verify::stamps::is_ahead;

/// What an authority that the auditor trusts says of the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// It existed then at the latest.
    pub not_later_than: UnixSeconds,
    /// What its authority's clock may be off, which the moment counts in where it is stated.
    pub accuracy: Accuracy,
    /// Subject of the certificate that signed.
    pub authority: String,
    /// Subject of the root that the auditor brought.
    pub root: String,
    /// Until when somebody answers for it: the end of its certificates, or of those of a renewal that was made before.
    pub held_until: UnixSeconds,
}

impl Stamped {
    /// Whether it is dated after now, so that its date says nothing.
    pub fn is_ahead(&self, now: UnixSeconds) -> bool {
        is_ahead(self.not_later_than, now)
    }
}

/// What came of all tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// Those over the checkpoint that are trusted, earliest first.
    pub trusted: Vec<Stamped>,
    /// Why others count for nothing, one sentence each.
    pub uncounted: Vec<String>,
    /// Whether one was asked for: the auditor brought roots.
    pub asked: bool,
}

impl Stamps {
    /// Why there is none, where one was asked for.
    pub(super) fn missing(&self) -> Option<String> {
        if !self.asked || !self.trusted.is_empty() {
            return None;
        }
        Some(match self.uncounted.len() {
            0 => "the proof holds none".to_owned(),
            1 => "the one in it does not count (see below)".to_owned(),
            many => format!("of the {many} in it none counts (see below)"),
        })
    }
}

impl Outer<'_> {
    /// Verifies its time stamps. Whatever is no sound token of a trusted authority over this checkpoint is told and counts for nothing: no
    /// signature covers the list, so anybody through whose hands the bundle goes can add one, also one that names an authority.
    pub(super) fn stamps(&self, others: &Others) -> Result<Stamps, ProofError> {
        let roots = &others.tsa_roots;
        let checkpoint = Hash::of(self.checkpoint.as_bytes());
        let mut decoded = Vec::new();
        for text in self.timestamps {
            let bytes = STANDARD.decode(text).map_err(|_| refused("timestamps: not base64"))?;
            decoded.push((Hash::of(&bytes), bytes));
        }
        let mut stamps = Stamps { asked: others.asks_for_time(), ..Stamps::default() };
        let mut tokens = Vec::new();
        for (hash, bytes) in &decoded {
            let judged = claim(bytes).and_then(|claim| {
                let over = claim.imprint.filter(|over| decoded.iter().any(|(other, _)| other == over)).unwrap_or(checkpoint);
                verify(bytes, over, roots).map(|stamp| (over, stamp))
            });
            match judged {
                Ok((over, stamp)) => match &stamp.trust {
                    Trust::Trusted { .. } => tokens.push((*hash, over, stamp)),
                    Trust::NoRoots => {
                        let authority = &stamp.authority;
                        stamps.uncounted.push(format!("a time stamp by `{authority}`: bring the root of its authority with --tsa-roots"));
                    }
                    Trust::Unknown { why } => {
                        let authority = &stamp.authority;
                        stamps.uncounted.push(format!("a time stamp by `{authority}`, which leads to no root that you brought: {why}"));
                    }
                },
                Err(error) => stamps.uncounted.push(error.to_string()),
            }
        }
        let all: Vec<Held<'_>> = tokens.iter().map(|(hash, over, stamp)| Held { hash: *hash, over: *over, stamp }).collect();
        for held in all.iter().filter(|held| held.over == checkpoint) {
            let Trust::Trusted { root } = &held.stamp.trust else { continue };
            stamps.trusted.push(Stamped {
                not_later_than: held.stamp.not_later_than(),
                accuracy: held.stamp.accuracy,
                authority: held.stamp.authority.clone(),
                root: root.clone(),
                held_until: held_until(*held, &all),
            });
        }
        stamps.trusted.sort_by(|a, b| (a.not_later_than, &a.authority).cmp(&(b.not_later_than, &b.authority)));
        Ok(stamps)
    }
}
