//! HTTP as the adapters behind a network speak it: one call is exactly one attempt, with an exact word about what is known when it fails;
//! only reads are asked again, because asking changes nothing.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use md5::{Digest, Md5};

use super::ReadError;
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::http_client::{self, BodyError, in_words};

/// Name resolution, TCP and TLS together.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Credentials from a token or instance endpoint; static ones take none of it.
pub(super) const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(20);
/// One try of a read, from connecting to the last byte.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// The same for answers longer than a listing's page: 64 MiB at 2 MiB/s take half of it.
const LONG_READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Pauses before the second, third and fourth try of a read.
const READ_PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1600)];
/// A page of 1000 entries with keys of 1024 bytes, all of them percent-encoded, and 1 KiB around each.
pub(super) const PAGE_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// Answers about one object or the bucket.
pub(super) const SMALL_ANSWER_MAX: u64 = 64 * 1024;
/// Of an error's body; they have some hundred bytes.
const ERROR_BODY_MAX: u64 = 64 * 1024;
/// Bodies longer than this are hashed off the async threads: 1 MiB takes about half a millisecond.
pub(super) const HASH_INLINE_MAX: usize = 1024 * 1024;
/// Longest part of a store's own message that is passed on, characters.
const MESSAGE_MAX: usize = 300;
/// No answer seen yet.
const NO_SKEW: i64 = i64::MIN;

/// What to send.
#[derive(Clone, Default)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Key in the bucket, or empty for the bucket itself. (GCS, whose paths say more: a path, encoded already.)
    pub(super) key: String,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    /// What the checksum is to be of, where it is to be wrong (S3 alone).
    pub(super) checksum_of: Option<Bytes>,
    /// From the first byte out to the last byte in.
    pub(super) timeout: Duration,
    /// Longest body of a 2xx answer that is read.
    pub(super) answer_max: u64,
}

/// What came back: any status.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// What was asked, as the store's own reference calls it, where the adapter says so.
    pub(super) asked: &'static str,
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

/// The connections to one store, and what its clock said last.
pub(super) struct Wire {
    http: reqwest::Client,
    skew_seconds: AtomicI64,
}

impl Wire {
    pub(super) fn new(http: reqwest::Client) -> Self {
        Wire { http, skew_seconds: AtomicI64::new(NO_SKEW) }
    }

    pub(super) fn skew_seconds(&self) -> Option<i64> {
        Some(self.skew_seconds.load(Ordering::Relaxed)).filter(|s| *s != NO_SKEW)
    }

    /// Sends a signed request once.
    pub(super) async fn send(&self, request: reqwest::Request, answer_max: u64) -> Result<Answer, CallError> {
        let is_head = request.method() == Method::HEAD;
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
        body.map(|body| Answer { status, headers, body, ..Answer::default() })
    }

    /// Compares the store's clock with ours; whole seconds, and the way back counts as skew.
    fn note_date(&self, headers: &HeaderMap) {
        if let Some(date) = headers.get("date").and_then(|v| v.to_str().ok()).and_then(parse_http_date) {
            let now = UnixSeconds(i64::try_from(SystemClock.now().0 / 1_000_000_000).unwrap_or(i64::MAX));
            self.skew_seconds.store(date.0.saturating_sub(now.0), Ordering::Relaxed);
        }
    }
}

/// A date as HTTP headers have it (RFC 9110 section 5.6.7, what Azure calls RFC 1123): `Sat, 21 Nov 2026 10:00:00 GMT`.
pub(super) fn parse_http_date(text: &str) -> Option<UnixSeconds> {
    let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(UnixSeconds(parsed.as_second()))
}

async fn read_body(response: reqwest::Response, limit: u64) -> Result<Bytes, CallError> {
    http_client::read_at_most(response, usize::try_from(limit).unwrap_or(usize::MAX)).await.map_err(|e| match e {
        BodyError::TooLong(size) => CallError::TooLarge { size: u64::try_from(size).unwrap_or(u64::MAX) },
        BodyError::Lost(e) => CallError::Lost(in_words(e)),
    })
}

/// Who makes a call, and how its answers read.
#[async_trait]
pub(super) trait Caller: Sync {
    /// Makes it once.
    async fn call(&self, call: Call) -> Result<Answer, CallError>;
    /// Whether a read may simply be asked again.
    fn is_passing(&self, answer: &Answer) -> bool;
    /// The store's words and what to do now.
    fn explain(&self, answer: &Answer) -> String;
}

/// Asks until there is an answer that another try would not change.
pub(super) async fn read(caller: &dyn Caller, shown: &str, call: Call) -> Result<Answer, ReadError> {
    let timeout = if call.answer_max > PAGE_BYTES_MAX { LONG_READ_TIMEOUT } else { READ_TIMEOUT };
    let call = Call { timeout, ..call };
    let mut pauses = READ_PAUSES.iter();
    loop {
        let failed = match caller.call(call.clone()).await {
            Ok(answer) if !caller.is_passing(&answer) => return Ok(answer),
            Err(CallError::TooLarge { size }) => {
                return Err(ReadError::TooLarge { key: shown.to_owned(), size, limit: call.answer_max });
            }
            Ok(answer) => caller.explain(&answer),
            Err(CallError::NotSent(words) | CallError::Lost(words)) => words,
        };
        match pauses.next() {
            Some(pause) => tokio::time::sleep(*pause).await,
            None => return Err(ReadError::Unavailable { key: shown.to_owned(), reason: failed }),
        }
    }
}

/// An address with its query.
pub(super) fn url(base: &str, path: &str, query: &[(&'static str, String)]) -> String {
    let mut url = format!("{base}{path}");
    for (n, (name, value)) in query.iter().enumerate() {
        url.push(if n == 0 { '?' } else { '&' });
        url.push_str(name);
        url.push('=');
        url.push_str(&encode(value, false));
    }
    url
}

/// Percent-encodes all but unreserved characters (RFC 3986 section 2.3), and in a path all but the slash too: what SigV4 demands.
pub(super) fn encode(text: &str, is_path: bool) -> String {
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

/// Base64 of the MD5 that the service compares with what arrived: against accidents on the way, not against anybody.
pub(super) async fn md5(body: &Bytes) -> Result<String, String> {
    let digest = if body.len() > HASH_INLINE_MAX {
        let body = body.clone();
        tokio::task::spawn_blocking(move || Md5::digest(&body)).await.map_err(|e| format!("hashing ended early: {e}"))?
    } else {
        Md5::digest(body)
    };
    Ok(base64::prelude::BASE64_STANDARD.encode(digest))
}

/// A store's own words, bounded and without control characters.
pub(super) fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect()
}

/// Code, message and status in one sentence.
pub(super) fn said(code: &str, message: &str, status: StatusCode) -> String {
    match (code, message) {
        ("", _) => format!("HTTP {}", status.as_u16()),
        (code, "") => format!("{code} (HTTP {})", status.as_u16()),
        (code, message) => format!("{code}: {message} (HTTP {})", status.as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_encoded_as_signed() {
        assert_eq!(encode("a/b c+d~\u{e4}%", true), "a/b%20c%2Bd~%C3%A4%25");
        assert_eq!(encode("a/b=&", false), "a%2Fb%3D%26");
        assert_eq!(url("http://h", "/p", &[("a", "b c".into()), ("d", String::new())]), "http://h/p?a=b%20c&d=");
    }
}
