//! Time stamp tokens (RFC 3161): reading and verifying them (pure).
//!
//! A token says: an authority, which is nobody of ours, saw this hash at this time. Over a checkpoint it proves that all that the checkpoint
//! covers existed then, whoever holds the log's key today.
//!
//! A **token** is the `TimeStampToken` alone (RFC 3161 section 2.4.2), a CMS `ContentInfo`, not the `TimeStampResp` that an authority answers
//! with: so `store.md` says, and `openssl ts -verify` reads it with `-token_in`. A whole answer is refused where a token is expected.
//!
//! # What is demanded
//!
//! - DER throughout, at most [`TOKEN_BYTES_MAX`] bytes, nothing behind the end, no part that no signature covers (unsigned attributes, CRLs)
//!   but certificates.
//! - RFC 5652: `SignedData` version 3 of one `SignerInfo`, whose signed attributes stand in DER's order, `contentType` and `messageDigest`
//!   among them, each once; the signature is over them as a SET OF. RSA PKCS#1 v1.5 and PSS with 2048 to 8192 bits, ECDSA over P-256 and
//!   P-384, Ed25519; SHA-256, SHA-384, SHA-512.
//! - RFC 3161 section 2.4.2: `TSTInfo` version 1, SHA-256 of just the bytes that were to be stamped, a nonce that is the one sent, no critical
//!   extension.
//! - RFC 3161 section 2.4.1 and RFC 5816: `signingCertificate` or `signingCertificateV2` names the certificate by its hash.
//! - RFC 3161 section 2.3: a certificate with the one extended key usage `timeStamping`, critical.
//! - RFC 5280: a path to a root that whoever asks brings, valid **at the time that the token names**.
//!
//! # What time does to a token
//!
//! Certificates expire, and one that expired after the token's time does not unmake it: it is told ([`Stamp::expires`]). It means that from
//! then on nobody answers for the authority's key, so that whoever gets hold of it could make tokens of any date. A **renewal**, a further
//! token over the old one, proves that the old one was there before.
//!
//! KNOWN GAP: revocation is not looked at: neither lists (CRL) nor answers (OCSP) are part of a token, and they are not fetched. A certificate that was
//! revoked because its key was stolen still makes tokens that verify here; the roots that are brought are the place to end that.

mod asn1;
mod certificate;
mod info;
mod request;
mod signed;

pub use certificate::Roots;
pub use request::{Nonce, Reply, read_reply, request};

use std::fmt;
use std::time::Duration;

use crate::clock::{UnixNanos, UnixSeconds};
use crate::tlog::Hash;
use signed::Signed;

/// Largest token, bytes. Those of public authorities have 3 to 8 KB: three certificates of 2 KB and a signature.
pub const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// Why a token proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token as RFC 3161 and DER demand.
    #[error("not a time stamp token: {0}")]
    Malformed(String),
    /// A token of a kind that this version cannot judge: nothing is concluded.
    #[error("a time stamp token that this version cannot judge: {0}")]
    Unsupported(String),
    /// A token over something else.
    #[error("the token is over {found}, not over {expected}")]
    Foreign {
        /// SHA-256 of what it should be over.
        expected: Hash,
        /// What it is over.
        found: String,
    },
    /// It says something, but its signature, its certificate or its nonce does not bear it out.
    #[error("the token is not sound: {0}")]
    Unsound(String),
}

/// Whether the authority is one of those that whoever asks trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A path leads to this root.
    Trusted {
        /// Subject of the root.
        root: String,
    },
    /// No root was brought: the token agrees with itself, which anybody can bring about.
    NoRoots,
    /// No path leads to a root that was brought.
    Unknown {
        /// Why.
        why: String,
    },
}

/// How far an authority's clock may be off either way, as its token states. `None`: it does not, and that is not zero: "the accuracy may be
/// available through other means, e.g., the TSAPolicyId" (RFC 3161 section 2.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accuracy(pub Option<Duration>);

/// `1.5s`, or `not stated`.
impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(off) => write!(f, "{off:?}"),
            None => f.write_str("not stated"),
        }
    }
}

impl Accuracy {
    /// What is to be said behind a moment that counts it in: nothing where it is stated.
    pub fn caveat(self) -> &'static str {
        if self.0.is_some() { "" } else { " (accuracy not stated)" }
    }
}

/// What a sound token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When, by the authority's clock (`genTime`).
    pub at: UnixNanos,
    /// How far that clock may be off either way.
    pub accuracy: Accuracy,
    /// Subject of the certificate that signed, cut to what a line may hold: never a control character.
    pub authority: String,
    /// The token's serial number, hex.
    pub serial: String,
    /// When the first of the certificates that bear it expires: the signer's and those between it and the root.
    pub expires: UnixSeconds,
    /// Whether the authority is trusted.
    pub trust: Trust,
}

impl Stamp {
    /// Whether a path to a root that was brought was found.
    pub fn is_trusted(&self) -> bool {
        matches!(self.trust, Trust::Trusted { .. })
    }

    /// The latest moment at which the stamped bytes existed by this token: its time and what it may be off, rounded up. Where the token does not
    /// state that it is taken at its word, and whoever tells the moment tells [`Stamp::accuracy`] with it.
    pub fn not_later_than(&self) -> UnixSeconds {
        let off = self.accuracy.0.map_or(0, |a| u64::try_from(a.as_nanos()).unwrap_or(u64::MAX));
        UnixNanos(self.at.0.saturating_add(off)).ceil_seconds()
    }
}

/// A sound token, and what it is over: for following renewals.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// SHA-256 of its own bytes.
    pub hash: Hash,
    /// SHA-256 that it is over.
    pub over: Hash,
    /// What it says.
    pub stamp: &'a Stamp,
}

/// Until when somebody answers for a token: the end of its own certificates, or of those of a trusted token over it that came before they
/// ended, and so on.
pub fn held_until(token: Held<'_>, all: &[Held<'_>]) -> UnixSeconds {
    let (mut hash, mut until) = (token.hash, token.stamp.expires);
    // Tokens cannot be over one another in a ring; the bound is for whoever finds a collision.
    for _ in 0..all.len() {
        let is_renewal =
            |t: &&Held<'_>| t.over == hash && t.stamp.is_trusted() && t.stamp.not_later_than() < until && t.stamp.expires > until;
        let Some(next) = all.iter().filter(is_renewal).max_by_key(|t| t.stamp.expires) else { break };
        (hash, until) = (next.hash, next.stamp.expires);
    }
    until
}

/// What a token says of itself, before anything is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// SHA-256 that it is over; `None`: another kind of hash.
    pub imprint: Option<Hash>,
    /// `genTime`.
    pub at: UnixNanos,
}

/// Reads what a token claims, for finding out what it belongs to.
pub fn claim(token: &[u8]) -> Result<Claim, TokenError> {
    let signed = Signed::parse(token)?;
    let info = info::Info::parse(signed.content)?;
    Ok(Claim { imprint: info.imprint(), at: info.at })
}

/// Whether a token names, as its signer, an authority that leads to a trusted root, whatever it says and however it is signed: one of that kind
/// that does not hold is no stranger's.
pub fn names_trusted(token: &[u8], roots: &Roots) -> bool {
    let named = || {
        let signed = Signed::parse(token)?;
        let at = info::Info::parse(signed.content)?.at;
        let signer = signed.signer()?;
        Ok::<_, TokenError>(roots.path(&signer, &signed.certificates, at).trust)
    };
    matches!(named(), Ok(Trust::Trusted { .. }))
}

/// Verifies a token over a SHA-256. Everything but the path must hold; whether the authority is trusted is in the answer.
pub fn verify(token: &[u8], over: Hash, roots: &Roots) -> Result<Stamp, TokenError> {
    verify_reply(token, over, roots, None)
}

/// The same for a token that was just asked for: its nonce must be the one that was sent.
pub fn verify_reply(token: &[u8], over: Hash, roots: &Roots, nonce: Option<&Nonce>) -> Result<Stamp, TokenError> {
    let signed = Signed::parse(token)?;
    let info = info::Info::parse(signed.content)?;
    if info.imprint() != Some(over) {
        return Err(TokenError::Foreign { expected: over, found: info.shown_imprint() });
    }
    if let Some(nonce) = nonce
        && info.nonce != Some(nonce.as_bytes())
    {
        return Err(TokenError::Unsound("its nonce is not the one that was sent: an answer to another request".to_owned()));
    }
    signed.check_digest()?;
    let signer = signed.signer()?;
    signed.check_signature(&signer)?;
    signer.expect_timestamping()?;
    let path = roots.path(&signer, &signed.certificates, info.at);
    Ok(Stamp {
        at: info.at,
        accuracy: Accuracy(info.accuracy),
        authority: signer.subject(),
        serial: hex::encode(info.serial),
        expires: path.expires,
        trust: path.trust,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(at: u64, expires: i64, trusted: bool) -> Stamp {
        let trust = if trusted { Trust::Trusted { root: "r".into() } } else { Trust::Unknown { why: "w".into() } };
        let at = UnixNanos(at * 1_000_000_000);
        Stamp { at, accuracy: Accuracy(None), authority: "a".into(), serial: "1".into(), expires: UnixSeconds(expires), trust }
    }

    /// A token is held on by a trusted one over itself that came while it still held, and by what holds that one on.
    #[test]
    fn a_renewal_is_over_the_token_and_in_time() {
        let hash = |n: u8| Hash([n; 32]);
        // Of each: its own hash, what it is over, when, until when, and whether it is trusted. The first is the token.
        let until = |more: &[(u8, u8, u64, i64, bool)]| {
            let all: Vec<_> =
                [(1, 0, 10, 100, true)].iter().chain(more).map(|(own, over, at, to, yes)| (*own, *over, stamp(*at, *to, *yes))).collect();
            let held: Vec<_> = all.iter().map(|(own, over, stamp)| Held { hash: hash(*own), over: hash(*over), stamp }).collect();
            held_until(held[0], &held).0
        };
        assert_eq!(until(&[]), 100);
        assert_eq!(until(&[(2, 1, 99, 200, true)]), 200);
        for other in [(2, 0, 50, 200, true), (2, 1, 50, 200, false), (2, 1, 100, 200, true), (2, 1, 50, 100, true), (2, 1, 50, 90, true)] {
            assert_eq!(until(&[other]), 100, "{other:?}");
        }
        assert_eq!(until(&[(2, 1, 50, 150, true), (3, 1, 50, 200, true)]), 200, "the one that holds longest");
        assert_eq!(until(&[(2, 1, 50, 200, true), (3, 2, 150, 300, true), (4, 3, 301, 400, true)]), 300);
        assert_eq!(until(&[(2, 1, 50, 200, true), (1, 2, 50, 300, true)]), 300, "a ring ends");
    }
}
