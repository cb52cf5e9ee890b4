//! The only place that maps outcomes to gRPC codes and HTTP statuses (OTLP specification 1.10, "OTLP/gRPC Response", "OTLP/HTTP
//! Response").
//!
//! | refusal | gRPC | HTTP | may be sent again |
//! |---|---|---|---|
//! | malformed | INVALID_ARGUMENT | 400 | no |
//! | too large | INVALID_ARGUMENT | 413 | no |
//! | pool full | RESOURCE_EXHAUSTED, RetryInfo | 429, Retry-After | yes |
//! | not sealed, stopped, slow body | UNAVAILABLE, RetryInfo | 503, Retry-After | yes |
//! | the protocol of another port of ours, or a path before that of a signal | UNAVAILABLE, RetryInfo | 503, Retry-After | yes |
//! | our mistake | UNAVAILABLE, RetryInfo | 503, Retry-After | yes |
//! | no or wrong token | UNAUTHENTICATED | 401 | no |
//! | path | UNIMPLEMENTED | 404 | no |
//! | method | UNIMPLEMENTED | 405 | no |
//! | content type, compression | UNIMPLEMENTED (415 if not gRPC at all) | 415 | no |
//!
//! A sender that speaks OTLP and was only given the wrong port or base path is asked to come again, because a Collector drops at once what is refused
//! for good, also what it acknowledged long before: whoever mistyped the port has time to mend it. The more so after a mistake of ours:
//! INTERNAL and 500 are for good too, and what we stumble over may well be the best evidence there is. What it costs is a place in its
//! sender's queue until spanseal is mended or that sender gives up; the delay keeps that from being much work.
//!
//! What is too large is not RESOURCE_EXHAUSTED, as gRPC has it by custom: a Collector's receiver turns that into 429 for its own senders over
//! HTTP, whether it is for good or not, and they send again what can never be taken (Collector 0.152, `otlpreceiver/internal/errors`).
//!
//! RESOURCE_EXHAUSTED tells clients to retry only with RetryInfo. UNAVAILABLE and 503 they retry anyway; the delay keeps them from
//! hurrying.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use tonic::{Code, Status};

use super::metrics::Outcome;
use crate::otlp::answer::{self, Encoding};
use crate::otlp::json::JsonError;
use crate::otlp::wire::Malformed;
use crate::seal::{Full as PoolFull, SubmitError};

/// Why a request as a whole has no success answer. Words here reach the sender: they never quote its data nor name our store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Not OTLP: the reason.
    Malformed(String),
    /// Beyond the limit of so many bytes, decompressed.
    TooLarge(usize),
    /// What it becomes does not fit into the pool of so many bytes, even alone.
    TooMuch(usize),
    /// The pool stayed full for the whole `admission_wait`.
    Full,
    /// The records are not sealed; when to send them again.
    NotSealed(Duration),
    /// Draining, or the writer has stopped.
    Stopped,
    /// The body did not arrive within `body_timeout`.
    Slow,
    /// No bearer token, or a wrong one.
    Unauthenticated,
    /// Nothing is served at this path; a hint where.
    UnknownPath(&'static str),
    /// OTLP at a port of ours that speaks something else, its other transport or the API, or at a path where it is not served. A hint which this one
    /// speaks, and where that one is.
    Misplaced(&'static str),
    /// Only POST.
    WrongMethod,
    /// A content type that OTLP does not have.
    ContentType(&'static str),
    /// A compression that is not understood.
    ContentEncoding,
    /// Our own code panicked over it.
    Internal,
}

/// When to come back to a full pool: two rounds of `seal.max_delay`, after which a batch has left it.
const FULL_RETRY: Duration = Duration::from_secs(2);

/// When to come back to a process that stops: about how long a restart takes.
const STOPPED_RETRY: Duration = Duration::from_secs(5);

/// When to come back to a port that speaks something else: it takes a person who writes another one.
const MISPLACED_RETRY: Duration = Duration::from_secs(30);

/// When to come back after a mistake of ours: the same request meets the same mistake, until there is another spanseal or another request.
const INTERNAL_RETRY: Duration = Duration::from_secs(60);

impl Refusal {
    /// The metric's label.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Refusal::Malformed(_) => Outcome::Malformed,
            Refusal::TooLarge(_) | Refusal::TooMuch(_) => Outcome::TooLarge,
            Refusal::Full => Outcome::Full,
            Refusal::NotSealed(_) => Outcome::NotSealed,
            Refusal::Stopped => Outcome::Stopped,
            Refusal::Slow => Outcome::Slow,
            Refusal::Unauthenticated => Outcome::Unauthenticated,
            Refusal::UnknownPath(_) | Refusal::Misplaced(_) | Refusal::WrongMethod | Refusal::ContentType(_) | Refusal::ContentEncoding => {
                Outcome::Unsupported
            }
            Refusal::Internal => Outcome::Internal,
        }
    }

    fn code(&self) -> Code {
        match self {
            Refusal::Malformed(_) | Refusal::TooLarge(_) | Refusal::TooMuch(_) => Code::InvalidArgument,
            Refusal::Full => Code::ResourceExhausted,
            Refusal::NotSealed(_) | Refusal::Stopped | Refusal::Slow | Refusal::Misplaced(_) | Refusal::Internal => Code::Unavailable,
            Refusal::Unauthenticated => Code::Unauthenticated,
            Refusal::UnknownPath(_) | Refusal::WrongMethod | Refusal::ContentType(_) | Refusal::ContentEncoding => Code::Unimplemented,
        }
    }

    fn http_status(&self) -> StatusCode {
        match self {
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
            Refusal::TooLarge(_) | Refusal::TooMuch(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Full => StatusCode::TOO_MANY_REQUESTS,
            // Not 408 for a slow body: OTLP clients drop what they sent on every status but 429, 502, 503 and 504.
            Refusal::NotSealed(_) | Refusal::Stopped | Refusal::Slow | Refusal::Misplaced(_) | Refusal::Internal => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Refusal::Unauthenticated => StatusCode::UNAUTHORIZED,
            Refusal::UnknownPath(_) => StatusCode::NOT_FOUND,
            Refusal::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::ContentType(_) | Refusal::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// When to send the same request again; `None`: never.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Refusal::Full | Refusal::Slow => Some(FULL_RETRY),
            // A delay of zero reads as "no RetryInfo" in some clients.
            Refusal::NotSealed(delay) => Some((*delay).max(Duration::from_millis(1))),
            Refusal::Stopped => Some(STOPPED_RETRY),
            Refusal::Misplaced(_) => Some(MISPLACED_RETRY),
            Refusal::Internal => Some(INTERNAL_RETRY),
            _ => None,
        }
    }

    fn message(&self) -> String {
        match self {
            Refusal::Malformed(reason) => format!("the request is malformed: {reason}"),
            Refusal::TooLarge(max) => {
                format!("the request has more than {max} bytes decompressed; send smaller batches or raise the receiver's limit")
            }
            Refusal::TooMuch(max) => {
                format!("the request's records take more than {max} bytes together; send smaller batches or raise `seal.pool_bytes`")
            }
            Refusal::Full => "the receiver's pool is full; not all of it is sealed, send it again later".to_owned(),
            Refusal::NotSealed(_) => "the records are not known to be sealed; send them again".to_owned(),
            Refusal::Stopped => "the receiver is shutting down or its writer has stopped; send it again".to_owned(),
            Refusal::Slow => "the body did not arrive in time; send it again".to_owned(),
            Refusal::Unauthenticated => "a valid bearer token is required".to_owned(),
            Refusal::UnknownPath(hint) | Refusal::Misplaced(hint) | Refusal::ContentType(hint) => (*hint).to_owned(),
            Refusal::WrongMethod => "only POST is served here".to_owned(),
            Refusal::ContentEncoding => "supported compressions: gzip, zstd".to_owned(),
            Refusal::Internal => {
                "spanseal made a mistake and did not seal all of the request; its log says where, send it again later".to_owned()
            }
        }
    }

    /// For OTLP/gRPC.
    pub(crate) fn to_grpc(&self) -> Status {
        let (code, message) = (self.code(), self.message());
        let Some(delay) = self.retry_after() else { return Status::new(code, message) };
        let details = answer::status(code.into(), &message, Some(delay), Encoding::Protobuf);
        Status::with_details(code, message, details.into())
    }

    /// For OTLP/HTTP: a `google.rpc.Status` in the request's encoding; plain words for who did not speak OTLP at all.
    pub(crate) fn to_http(&self, encoding: Option<Encoding>) -> Response<Full<Bytes>> {
        let message = self.message();
        let (content_type, body) = match encoding {
            Some(encoding) => (content_type(encoding), answer::status(self.code().into(), &message, self.retry_after(), encoding)),
            None => (HeaderValue::from_static("text/plain; charset=utf-8"), format!("{message}\n").into_bytes()),
        };
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = self.http_status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        if let Some(delay) = self.retry_after() {
            // Whole seconds (RFC 9110 section 10.2.3), rounded up: earlier would be refused again.
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        let more: Option<(HeaderName, &'static str)> = match self {
            Refusal::WrongMethod => Some((ALLOW, "POST")),
            Refusal::Unauthenticated => Some((WWW_AUTHENTICATE, "Bearer")),
            Refusal::ContentEncoding => Some((ACCEPT_ENCODING, "gzip, zstd")),
            _ => None,
        };
        if let Some((name, value)) = more {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

impl From<Malformed> for Refusal {
    fn from(error: Malformed) -> Self {
        Refusal::Malformed(error.0.to_owned())
    }
}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        Refusal::Malformed(error.to_string())
    }
}

impl From<PoolFull> for Refusal {
    fn from(_: PoolFull) -> Self {
        Refusal::Full
    }
}

impl From<SubmitError> for Refusal {
    fn from(error: SubmitError) -> Self {
        // The reasons name our store and stay in our log: the sealer writes them there.
        match error {
            SubmitError::NotSealed { retry_after, .. } => Refusal::NotSealed(retry_after),
            SubmitError::Stopped { .. } => Refusal::Stopped,
        }
    }
}

/// What a request says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// OTLP/gRPC: protobuf messages. gRPC in JSON and gRPC-Web begin alike and are something else.
    Grpc,
    /// OTLP/HTTP.
    Http(Encoding),
}

impl MediaType {
    /// Reads the content type; `None` for what OTLP does not have.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let named = headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim();
        [
            ("application/grpc", MediaType::Grpc),
            ("application/grpc+proto", MediaType::Grpc),
            ("application/x-protobuf", MediaType::Http(Encoding::Protobuf)),
            ("application/json", MediaType::Http(Encoding::Json)),
        ]
        .into_iter()
        .find_map(|(name, media_type)| named.eq_ignore_ascii_case(name).then_some(media_type))
    }

    /// How an OTLP/HTTP request is encoded, and its answer.
    pub(crate) fn encoding(self) -> Option<Encoding> {
        match self {
            MediaType::Grpc => None,
            MediaType::Http(encoding) => Some(encoding),
        }
    }
}

/// The media type of an encoding.
pub(crate) fn content_type(encoding: Encoding) -> HeaderValue {
    HeaderValue::from_static(match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    })
}

/// What tonic's framing says of a message that never reached us -> what OTLP says. Framing that breaks off, or that says compressed and not
/// how, is INTERNAL there; the request is malformed. Everything else (a compression that is not understood, our own refusal on the way) is
/// right already. What is too large, OUT_OF_RANGE there, which OTLP clients would send again for ever, never gets so far.
pub(crate) fn framing_refusal(code: Code) -> Option<Refusal> {
    (code == Code::Internal).then(|| Refusal::Malformed("it is not one gRPC message".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The retryable codes and statuses of the OTLP specification.
    #[test]
    fn exactly_what_may_be_sent_again_looks_retryable_to_clients() {
        let all = [
            Refusal::Malformed(String::new()),
            Refusal::TooLarge(1),
            Refusal::TooMuch(1),
            Refusal::Full,
            Refusal::NotSealed(Duration::ZERO),
            Refusal::Stopped,
            Refusal::Slow,
            Refusal::Unauthenticated,
            Refusal::UnknownPath(""),
            Refusal::Misplaced(""),
            Refusal::WrongMethod,
            Refusal::ContentType(""),
            Refusal::ContentEncoding,
            Refusal::Internal,
        ];
        for refusal in all {
            let again = refusal.retry_after().is_some();
            let status = refusal.to_grpc();
            let grpc = match status.code() {
                Code::Cancelled | Code::DeadlineExceeded | Code::Aborted | Code::OutOfRange | Code::Unavailable | Code::DataLoss => true,
                Code::ResourceExhausted => !status.details().is_empty(),
                _ => false,
            };
            assert_eq!(grpc, again, "{refusal:?}");
            assert_eq!(!status.details().is_empty(), again, "{refusal:?}");
            let http = refusal.to_http(Some(Encoding::Protobuf));
            assert_eq!(matches!(http.status().as_u16(), 429 | 502 | 503 | 504), again, "{refusal:?}");
            assert_eq!(http.headers().get(RETRY_AFTER).is_some_and(|v| v != "0"), again, "{refusal:?}");
        }
    }
}
