//! What an answer means for the caller: stored, known not stored, or unknown; and the store's words in plain ones.

use super::xml::Node;
use crate::worm::wire::{Answer, CallError, bounded, said};
use crate::worm::{Condition, ObjectKey, PutError, ReadError};
use http::StatusCode;

/// `Code` and `Message` of an error answer. Nothing else of it: some servers echo the string that was signed.
pub(super) fn store_words(answer: &Answer) -> (String, String) {
    let error = Node::parse(&answer.body).filter(|n| n.name == "Error");
    let text = |name: &str| bounded(error.as_ref().and_then(|n| n.text_of(name)).unwrap_or_default());
    (text("Code"), text("Message"))
}

/// The store's words and what to do now.
pub(super) fn explain(answer: &Answer) -> String {
    let (code, message) = store_words(answer);
    let said = said(&code, &message, answer.status);
    if answer.status == StatusCode::NOT_IMPLEMENTED {
        return format!("{said}; {}", unknown_call(answer.asked));
    }
    let advice = match code.as_str() {
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "XAdminUserNotFound" => {
            "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
        }
        "ExpiredToken" => "the credentials have expired: renew them",
        "RequestTimeTooSkewed" => "this machine's clock is wrong: set it",
        "NoSuchBucket" => {
            "create the bucket (for evidence with Object Lock, for a vault without it and without versioning), or correct its URL"
        }
        "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            "the bucket is elsewhere: set `store.s3.region` and `store.s3.endpoint`"
        }
        "ObjectLockConfigurationNotFoundError" | "InvalidBucketState" => NO_OBJECT_LOCK,
        "InvalidRequest" if message.to_ascii_lowercase().contains("object lock") => NO_OBJECT_LOCK,
        "AccessDenied" => {
            "allow s3:PutObject, s3:PutObjectRetention, s3:PutObjectLegalHold, s3:GetObject, s3:GetObjectVersion, s3:GetObjectRetention, \
             s3:GetObjectLegalHold, s3:ListBucket, s3:ListBucketVersions, s3:GetBucketVersioning and s3:GetBucketObjectLockConfiguration; \
             a lock that would be shortened is refused the same way"
        }
        _ => match answer.status.as_u16() {
            301 | 302 | 307 | 308 => "the store is elsewhere: set `store.s3.endpoint` and `store.s3.region`",
            401 | 403 => "check the credentials (AWS_* variables) and their permissions on the bucket",
            _ => "run `spanseal doctor`",
        },
    };
    format!("{said}; {advice}")
}

/// Whether a server says that it has no such call about a bucket.
pub(super) fn is_unknown(answer: &Answer) -> bool {
    matches!(answer.status, StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED)
}

/// What is to be said where a server does not know a call.
fn unknown_call(call: &str) -> String {
    format!(
        "this server does not know the call {call} as it was made, and no permission changes that: what needs it works on another server only"
    )
}

const NO_OBJECT_LOCK: &str = "the bucket or this version may have no Object Lock, or the lock may not be shortened: run `spanseal doctor` \
                              (a bucket gets Object Lock when it is created; `store.not_worm: true` does without)";

/// Codes of a 4xx that tell of an accident on the way: nothing was stored, and the same bytes may go again.
fn is_accident(code: &str) -> bool {
    matches!(code, "RequestTimeout" | "IncompleteBody" | "BadDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch")
}

/// Codes of a 409 that say "somebody else is or was here", with none given as by a bare proxy.
fn is_conflict(code: &str) -> bool {
    matches!(code, "" | "ConditionalRequestConflict" | "OperationAborted")
}

/// What a put (or a change of a lock, with `condition` `None`) came to.
///
/// 429 says that it was not taken; of the 503s only AWS's own `SlowDown` does (elsewhere the same code follows a write
/// that found no quorum), so every other 5xx is unknown.
pub(super) fn classify_put(key: &ObjectKey, condition: Option<Condition>, result: Result<Answer, CallError>) -> Result<Answer, PutError> {
    let key = key.clone();
    let answer = match result {
        Ok(answer) => answer,
        Err(CallError::NotSent(reason)) => return Err(PutError::NotStored { key, reason }),
        Err(CallError::Lost(reason)) => return Err(PutError::Unknown { key, reason }),
        Err(CallError::TooLarge { size }) => {
            return Err(PutError::Unknown { key, reason: format!("an answer of {size} bytes, which is no S3 answer to a put") });
        }
    };
    if answer.status.is_success() {
        return Ok(answer);
    }
    let (code, _) = store_words(&answer);
    let reason = explain(&answer);
    let by_aws = answer.header("server") == Some("AmazonS3");
    Err(match answer.status {
        StatusCode::PRECONDITION_FAILED => PutError::Exists { key },
        // Of the 409s on a create-only put only these tell of the key; Versity says `ObjectParentIsFile`, for one.
        StatusCode::CONFLICT if condition == Some(Condition::CreateOnly) && is_conflict(&code) => PutError::Exists { key },
        StatusCode::CONFLICT if code == "OperationAborted" => PutError::NotStored { key, reason },
        StatusCode::TOO_MANY_REQUESTS => PutError::NotStored { key, reason },
        StatusCode::SERVICE_UNAVAILABLE if code == "SlowDown" && by_aws => PutError::NotStored { key, reason },
        StatusCode::NOT_IMPLEMENTED => PutError::Refused { key, reason },
        status if status.is_client_error() && is_accident(&code) => PutError::NotStored { key, reason },
        status if status.is_client_error() || status.is_redirection() => PutError::Refused { key, reason },
        _ => PutError::Unknown { key, reason },
    })
}

/// Whether a read may simply be asked again.
pub(super) fn is_passing(answer: &Answer) -> bool {
    let status = answer.status;
    (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
        || status == StatusCode::TOO_MANY_REQUESTS
        || (status.is_client_error() && is_accident(&store_words(answer).0))
}

/// A read that was answered with neither the object nor its absence.
pub(super) fn refuse_read(key: &str, answer: &Answer) -> ReadError {
    let (key, reason) = (key.to_owned(), explain(answer));
    if is_passing(answer) { ReadError::Unavailable { key, reason } } else { ReadError::Refused { key, reason } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn outcome(status: u16, code: &str, condition: Option<Condition>, server: &str) -> &'static str {
        let mut headers = HeaderMap::new();
        headers.insert("server", server.parse().unwrap());
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>why</Message></Error>").into();
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), headers, body, ..Answer::default() };
        classify_put(&ObjectKey("k".into()), condition, Ok(answer)).map_or_else(|e| e.kind(), |_| "stored")
    }

    /// The table of the contract: what is known after each answer.
    #[test]
    fn every_answer_has_its_meaning() {
        let create = Some(Condition::CreateOnly);
        for (status, code, condition, server, want) in [
            (200, "", create, "", "stored"),
            (204, "", None, "", "stored"),
            (412, "PreconditionFailed", create, "", "exists"),
            (409, "ConditionalRequestConflict", create, "", "exists"),
            (409, "", create, "", "exists"),
            (409, "InvalidBucketState", create, "", "refused"),
            (409, "ObjectParentIsFile", create, "", "refused"),
            (409, "OperationAborted", Some(Condition::Any), "", "not_stored"),
            (409, "Other", Some(Condition::Any), "", "refused"),
            (400, "InvalidRequest", create, "", "refused"),
            (400, "RequestTimeout", create, "", "not_stored"),
            (400, "BadDigest", create, "", "not_stored"),
            (403, "AccessDenied", create, "", "refused"),
            (404, "NoSuchBucket", create, "", "refused"),
            (301, "PermanentRedirect", create, "", "refused"),
            (429, "TooManyRequests", create, "", "not_stored"),
            (501, "NotImplemented", create, "", "refused"),
            (503, "SlowDown", create, "AmazonS3", "not_stored"),
            (503, "SlowDown", create, "MinIO", "unknown"),
            (503, "ServiceUnavailable", create, "AmazonS3", "unknown"),
            (500, "InternalError", create, "AmazonS3", "unknown"),
            (502, "", create, "nginx", "unknown"),
            (504, "", create, "nginx", "unknown"),
        ] {
            assert_eq!(outcome(status, code, condition, server), want, "{status} {code} {server}");
        }
    }

    #[test]
    fn words_are_bounded_and_say_what_to_do() {
        let answer = |status: u16, body: String| Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.into(),
            asked: "PutObject",
        };
        let long = format!("<Error><Code>AccessDenied</Code><Message>{}</Message></Error>", "x\u{7}".repeat(5000));
        let text = explain(&answer(403, long));
        assert!(text.len() < 1200 && text.contains("s3:PutObjectRetention") && !text.contains('\u{7}'), "{text}");
        let unknown = "<Error><Code>NotImplemented</Code><Message>m</Message></Error>";
        let text = explain(&answer(501, unknown.into()));
        assert!(text.starts_with("NotImplemented: m (HTTP 501); this server does not know the call PutObject "), "{text}");
        assert!(explain(&answer(502, "<html>Bad gateway</html>".into())).starts_with("HTTP 502"));
        let signed = "<Error><Code>SignatureDoesNotMatch</Code><Message>m</Message><StringToSign>secret</StringToSign></Error>";
        let text = explain(&answer(403, signed.into()));
        assert!(text.contains("AWS_SECRET_ACCESS_KEY") && !text.contains("secret;"), "{text}");
    }
}
