//! One authority, asked over HTTP (RFC 3161 section 3.4).

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};
use tokio::time::timeout;

use super::Authority;
use crate::clock::UnixSeconds;
use crate::http_client::{self, BodyError, in_words};
use crate::timestamp::{Nonce, Reply, Roots, Stamp, TOKEN_BYTES_MAX, TokenError, Trust, read_reply, request, verify_reply};
use crate::tlog::Hash;
use crate::worm::PutError;

/// One request, from connecting to the last byte.
const REQUEST_WITHIN: Duration = Duration::from_secs(15);

/// Why there is no token. The metric's label is [`Failure::label`].
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it did not answer in time")]
    TimedOut,
    #[error("it answered {0}")]
    Status(StatusCode),
    #[error("it refused (status {status}): {reason}")]
    Refused { status: u64, reason: String },
    #[error("what it answered is no good token, and is not stored: {0}")]
    Bad(#[from] TokenError),
    #[error("its token leads to no root of `ca_file`, and is not stored: {0}")]
    Untrusted(String),
    #[error(
        "its token is dated {at}, before {earliest}, when the seal had not closed yet: one of the two clocks is wrong; it is not stored"
    )]
    Early { at: UnixSeconds, earliest: UnixSeconds },
    #[error("its token is dated {at}, after {latest}, which has not come yet: one of the two clocks is wrong; it is not stored")]
    Late { at: UnixSeconds, latest: UnixSeconds },
    #[error(
        "its token renews nothing, and is not stored: its certificates end on {ends}, no later than those of the token that was to be renewed \
         ({before}); the authority has no newer ones yet"
    )]
    TooShort { ends: UnixSeconds, before: UnixSeconds },
    #[error("no random number could be had")]
    NoRandomness,
    #[error("the token could not be stored: {0}")]
    NotKept(PutError),
}

impl Failure {
    pub(super) const LABELS: [&'static str; 10] =
        ["unreachable", "timed_out", "refused", "bad_token", "untrusted", "early", "late", "too_short", "no_randomness", "not_kept"];

    pub(super) fn label(&self) -> &'static str {
        match self {
            Failure::Unreachable(_) => "unreachable",
            Failure::TimedOut => "timed_out",
            Failure::Status(_) | Failure::Refused { .. } => "refused",
            Failure::Bad(_) => "bad_token",
            Failure::Untrusted(_) => "untrusted",
            Failure::Early { .. } => "early",
            Failure::Late { .. } => "late",
            Failure::TooShort { .. } => "too_short",
            Failure::NoRandomness => "no_randomness",
            Failure::NotKept(_) => "not_kept",
        }
    }
}

/// The way to one authority.
#[derive(Debug)]
pub(super) struct Asker {
    url: String,
    roots: Roots,
    client: Client,
}

async fn roots(path: &Path) -> Result<Roots, String> {
    let pem = http_client::read_ca_file(path).await?;
    Roots::from_pem(&pem).map_err(|why| format!("`ca_file` {}: {why}", path.display()))
}

impl Asker {
    /// The error is half a sentence.
    pub(super) async fn open(authority: &Authority) -> Result<Self, String> {
        let roots = roots(&authority.ca_file).await?;
        let client = http_client::client(authority.url.starts_with("https:"), authority.tls_ca_file.as_deref(), None).await?;
        Ok(Asker { url: authority.url.clone(), roots, client })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The roots that its tokens must lead to.
    pub(super) fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Has a hash stamped. The token is verified and trusted.
    pub(super) async fn ask(&self, over: Hash) -> Result<(Bytes, Stamp), Failure> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| Failure::NoRandomness)?;
        let nonce = Nonce::new(random);
        let answer = timeout(REQUEST_WITHIN, self.post(request(over, &nonce))).await.map_err(|_| Failure::TimedOut)??;
        let token = match read_reply(&answer)? {
            Reply::Token(token) => token,
            Reply::Refused { status, reason } => return Err(Failure::Refused { status, reason }),
        };
        let stamp = verify_reply(&token, over, &self.roots, Some(&nonce))?;
        match &stamp.trust {
            Trust::Trusted { .. } => Ok((token.into(), stamp)),
            Trust::NoRoots => Err(Failure::Untrusted("no root is known".to_owned())),
            Trust::Unknown { why } => Err(Failure::Untrusted(why.clone())),
        }
    }

    async fn post(&self, body: Vec<u8>) -> Result<Bytes, Failure> {
        let lost = |e: reqwest::Error| Failure::Unreachable(in_words(e));
        let asked = self.client.post(&self.url).header(CONTENT_TYPE, "application/timestamp-query").body(body);
        let answer = asked.send().await.map_err(lost)?;
        if answer.status() != StatusCode::OK {
            return Err(Failure::Status(answer.status()));
        }
        http_client::read_at_most(answer, TOKEN_BYTES_MAX).await.map_err(|e| match e {
            BodyError::TooLong(_) => Failure::Bad(TokenError::Malformed("the answer is longer than any".to_owned())),
            BodyError::Lost(e) => lost(e),
        })
    }
}
