//! One signed HTTP call at a time: exactly one attempt, and an exact word about what is known when it fails.
//!
//! Signing and credentials are object_store's ([`AwsAuthorizer`], its default chain); the calls are our own, because its
//! client retries a put by itself and carries no lock headers. Every `x-amz-*` header stands in the signature: Versity
//! refuses unsigned ones, and an unsigned lock could be stripped on the way.

use super::options::Credentials;
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::http_client::{self, BodyError, in_words};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use object_store::aws::AwsAuthorizer;
use object_store::client::HttpRequestBody;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Name resolution, TCP and TLS together.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Credentials from a token or instance endpoint; static ones take none of it.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(20);
/// Of an error's body; they have some hundred bytes.
const ERROR_BODY_MAX: u64 = 64 * 1024;
/// Bodies longer than this are hashed off the async threads: 1 MiB takes about half a millisecond.
const HASH_INLINE_MAX: usize = 1024 * 1024;
/// No answer seen yet.
const NO_SKEW: i64 = i64::MIN;

pub(super) struct Client {
    http: reqwest::Client,
    /// Scheme, host and, in path style, the bucket; no slash at the end.
    base: String,
    region: String,
    credentials: Credentials,
    skew_seconds: AtomicI64,
}

/// What to send.
#[derive(Clone, Default)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Key in the bucket, or empty for the bucket itself.
    pub(super) key: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    /// What the checksum is to be of, where it is to be wrong.
    pub(super) checksum_of: Option<Bytes>,
    /// From the first byte out to the last byte in.
    pub(super) timeout: Duration,
    /// Longest body of a 2xx answer that is read.
    pub(super) answer_max: u64,
}

/// What came back: any status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum CallError {
    /// No byte of the request left this machine.
    NotSent(String),
    /// It may have arrived.
    Lost(String),
    /// A 2xx with a body longer than `answer_max`; `size` as far as known.
    TooLarge { size: u64 },
}

impl Client {
    pub(super) fn new(http: reqwest::Client, base: String, region: String, credentials: Credentials) -> Self {
        Client { http, base, region, credentials, skew_seconds: AtomicI64::new(NO_SKEW) }
    }

    pub(super) fn skew_seconds(&self) -> Option<i64> {
        Some(self.skew_seconds.load(Ordering::Relaxed)).filter(|s| *s != NO_SKEW)
    }

    /// Makes the call once.
    pub(super) async fn call(&self, call: Call) -> Result<Answer, CallError> {
        let is_head = call.method == Method::HEAD;
        let answer_max = call.answer_max;
        let request = self.sign(call).await.map_err(CallError::NotSent)?;
        let response = self.http.execute(request).await.map_err(|e| {
            // Before a connection stands nothing is sent; afterwards the request may have been read whole.
            let sent = !(e.is_connect() || e.is_builder());
            let words = in_words(e);
            if sent { CallError::Lost(words) } else { CallError::NotSent(words) }
        })?;
        self.note_date(response.headers());
        let (status, headers) = (response.status(), response.headers().clone());
        let body = if is_head {
            Ok(Bytes::new())
        } else if status.is_success() {
            read_body(response, answer_max).await
        } else {
            // The status alone decides; its words are for the reader.
            Ok(read_body(response, ERROR_BODY_MAX).await.unwrap_or_default())
        };
        body.map(|body| Answer { status, headers, body })
    }

    async fn sign(&self, call: Call) -> Result<reqwest::Request, String> {
        let mut url = format!("{}/{}", self.base, encode(&call.key, true));
        for (n, (name, value)) in call.query.iter().enumerate() {
            url.push(if n == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&encode(value, false));
        }
        let digest = if call.body.len() > HASH_INLINE_MAX {
            let body = call.body.clone();
            tokio::task::spawn_blocking(move || Sha256::digest(&body)).await.map_err(|e| format!("hashing ended early: {e}"))?
        } else {
            Sha256::digest(&call.body)
        };
        let mut builder = http::Request::builder().method(call.method.clone()).uri(&url);
        for (name, value) in &call.headers {
            builder = builder.header(*name, value);
        }
        if !call.body.is_empty() {
            // AWS demands a checksum with every locked put and every change of a lock; the algorithm's name is for
            // servers that look at that header only.
            let stated = call.checksum_of.as_ref().map_or(digest, Sha256::digest);
            builder = builder
                .header("x-amz-checksum-sha256", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, stated))
                .header("x-amz-sdk-checksum-algorithm", "SHA256");
        }
        let mut request = builder.body(HttpRequestBody::empty()).map_err(|e| format!("no such request can be: {e}"))?;
        let credentials = tokio::time::timeout(CREDENTIALS_TIMEOUT, self.credentials.provider.get_credential());
        let credentials =
            credentials.await.map_err(|_| self.no_credentials(&"their endpoint did not answer"))?.map_err(|e| self.no_credentials(&e))?;
        AwsAuthorizer::new(&credentials, "s3", &self.region)
            .try_authorize(&mut request, Some(digest.as_slice()))
            .map_err(|e| format!("the request could not be signed: {e}"))?;
        let url = url.parse().map_err(|e| format!("no such address can be: {e}"))?;
        let mut signed = reqwest::Request::new(call.method, url);
        *signed.headers_mut() = std::mem::take(request.headers_mut());
        *signed.timeout_mut() = Some(call.timeout);
        *signed.body_mut() = Some(call.body.into());
        Ok(signed)
    }

    fn no_credentials(&self, cause: &dyn std::fmt::Display) -> String {
        format!("no credentials, so it was not asked: {} (the last attempt: {cause})", self.credentials.if_none)
    }

    /// Compares the store's clock with ours; whole seconds, and the way back counts as skew.
    fn note_date(&self, headers: &HeaderMap) {
        let date = headers.get("date").and_then(|v| v.to_str().ok());
        let date = date.and_then(|d| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(d).ok());
        if let Some(date) = date {
            let now = UnixSeconds(i64::try_from(SystemClock.now().0 / 1_000_000_000).unwrap_or(i64::MAX));
            self.skew_seconds.store(date.as_second().saturating_sub(now.0), Ordering::Relaxed);
        }
    }
}

async fn read_body(response: reqwest::Response, limit: u64) -> Result<Bytes, CallError> {
    http_client::read_at_most(response, usize::try_from(limit).unwrap_or(usize::MAX)).await.map_err(|e| match e {
        BodyError::TooLong(size) => CallError::TooLarge { size: u64::try_from(size).unwrap_or(u64::MAX) },
        BodyError::Lost(e) => CallError::Lost(in_words(e)),
    })
}

/// Percent-encodes as SigV4 demands: all but unreserved characters, and in a path all but the slash.
fn encode(text: &str, is_path: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'/' if is_path => out.push('/'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_encoded_as_signed() {
        assert_eq!(encode("a/b c+d~\u{e4}%", true), "a/b%20c%2Bd~%C3%A4%25");
        assert_eq!(encode("a/b=&", false), "a%2Fb%3D%26");
    }
}
