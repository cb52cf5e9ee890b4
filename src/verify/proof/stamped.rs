//! The time stamps of a bundle: over the very text of its checkpoint, or over another of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Outer, ProofError, refused};
use crate::clock::UnixSeconds;
use crate::timestamp::{Held, Roots, TOKEN_BYTES_MAX, TokenError, Trust, claim, held_until, names_trusted, verify};
use crate::tlog::Hash;

/// What an authority that the auditor trusts says of the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// It existed then at the latest.
    pub not_later_than: UnixSeconds,
    /// Subject of the certificate that signed.
    pub authority: String,
    /// Subject of the root that the auditor brought.
    pub root: String,
    /// Until when somebody answers for it: the end of its certificates, or of those of a renewal that was made before.
    pub held_until: UnixSeconds,
}

/// What came of all tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// Those over the checkpoint that are trusted, earliest first.
    pub trusted: Vec<Stamped>,
    /// Why others count for nothing, one sentence each.
    pub uncounted: Vec<String>,
}

impl Outer<'_> {
    /// Verifies its time stamps. One that names an authority of a trusted root, and is not sound or over something else, refuses the bundle; what
    /// anybody could have put there is told and counts for nothing.
    pub(super) fn stamps(&self, roots: &Roots) -> Result<Stamps, ProofError> {
        let checkpoint = Hash::of(self.checkpoint.as_bytes());
        let mut decoded = Vec::new();
        for text in self.timestamps {
            // Four letters are three bytes.
            let bytes = if text.len() / 4 * 3 > TOKEN_BYTES_MAX + 3 { None } else { STANDARD.decode(text).ok() };
            let bytes = bytes.ok_or_else(|| refused("timestamps: not base64, or longer than any token"))?;
            decoded.push((Hash::of(&bytes), bytes));
        }
        let mut stamps = Stamps::default();
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
                Err(error @ (TokenError::Foreign { .. } | TokenError::Unsound(_))) if names_trusted(bytes, roots) => {
                    return Err(refused(format!("timestamps: {error}")));
                }
                Err(error) => stamps.uncounted.push(error.to_string()),
            }
        }
        let all: Vec<Held<'_>> = tokens.iter().map(|(hash, over, stamp)| Held { hash: *hash, over: *over, stamp }).collect();
        for held in all.iter().filter(|held| held.over == checkpoint) {
            let Trust::Trusted { root } = &held.stamp.trust else { continue };
            stamps.trusted.push(Stamped {
                not_later_than: held.stamp.not_later_than(),
                authority: held.stamp.authority.clone(),
                root: root.clone(),
                held_until: held_until(*held, &all),
            });
        }
        stamps.trusted.sort_by(|a, b| (a.not_later_than, &a.authority).cmp(&(b.not_later_than, &b.authority)));
        Ok(stamps)
    }
}
