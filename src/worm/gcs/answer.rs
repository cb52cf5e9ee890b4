//! What an answer of GCS means for the caller: stored, known not stored, or unknown; and the service's words in plain ones.
//!
//! Source: Google, "HTTP status and error codes for JSON", "Object Retention Lock".

use http::StatusCode;
use serde::Deserialize;

use crate::worm::wire::{Answer, CallError, bounded, said};
use crate::worm::{Condition, ObjectKey, PutError, ReadError};

#[derive(Default, Deserialize)]
struct Body {
    error: Error,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Error {
    message: String,
    errors: Vec<Reason>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reason {
    reason: String,
}

/// Reason and message of an error answer; downloads say their message as plain text, which counts for nothing.
pub(super) fn store_words(answer: &Answer) -> (String, String) {
    let Body { error } = serde_json::from_slice(&answer.body).unwrap_or_default();
    let reason = error.errors.first().map(|e| e.reason.as_str()).unwrap_or_default();
    (bounded(reason), bounded(&error.message))
}

/// The service's words and what to do now.
pub(super) fn explain(answer: &Answer) -> String {
    let (reason, message) = store_words(answer);
    let about_locks = message.to_ascii_lowercase().contains("retention");
    let advice = match (reason.as_str(), answer.status.as_u16()) {
        ("authError" | "required", _) | (_, 401) => {
            "check the credentials (GOOGLE_SERVICE_ACCOUNT, GOOGLE_APPLICATION_CREDENTIALS) and this machine's clock"
        }
        ("objectUnderActiveHold" | "retentionPolicyNotMet", _) => {
            "a lock or a hold is on it: a lock is only ever extended, and this is what it is for"
        }
        ("notFound", _) => "create the bucket with per-object retention and object versioning, or correct its URL",
        (_, 400 | 412) if about_locks => {
            "the bucket may have no per-object retention (it is enabled when a bucket is made): run `spanseal doctor`"
        }
        (_, 403) => {
            "allow storage.objects.create, get, list, update and setRetention and storage.buckets.get, and for a change from GOVERNANCE to \
             COMPLIANCE storage.objects.overrideUnlockedRetention; a lock that would be shortened is refused the same way"
        }
        (_, 301 | 302 | 307 | 308) => "the service is elsewhere: set `store.gcs.endpoint`",
        _ => "run `spanseal doctor`",
    };
    format!("{}; {advice}", said(&reason, &message, answer.status))
}

/// What a put (or a change of a lock, with `condition` `None`) came to. 408 and 429 say that it was not taken; every 5xx is unknown.
pub(super) fn classify_put(key: &ObjectKey, condition: Option<Condition>, result: Result<Answer, CallError>) -> Result<Answer, PutError> {
    let key = key.clone();
    let answer = match result {
        Ok(answer) => answer,
        Err(CallError::NotSent(reason)) => return Err(PutError::NotStored { key, reason }),
        Err(CallError::Lost(reason)) => return Err(PutError::Unknown { key, reason }),
        Err(CallError::TooLarge { size }) => {
            return Err(PutError::Unknown { key, reason: format!("an answer of {size} bytes, which is no answer to a put") });
        }
    };
    if answer.status.is_success() {
        return Ok(answer);
    }
    let reason = explain(&answer);
    let create_only = condition == Some(Condition::CreateOnly);
    Err(match answer.status {
        StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT if create_only => PutError::Exists { key },
        // Of a lock: somebody changed it since it was read. Nothing was changed by us, and another look may allow it.
        StatusCode::PRECONDITION_FAILED if condition.is_none() && store_words(&answer).0 == "conditionNotMet" => {
            PutError::NotStored { key, reason }
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => PutError::NotStored { key, reason },
        StatusCode::NOT_IMPLEMENTED => PutError::Refused { key, reason },
        status if status.is_client_error() || status.is_redirection() => PutError::Refused { key, reason },
        _ => PutError::Unknown { key, reason },
    })
}

/// Whether a read may simply be asked again.
pub(super) fn is_passing(answer: &Answer) -> bool {
    let status = answer.status;
    (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED)
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
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

    fn answer(status: u16, reason: &str, message: &str) -> Answer {
        let body = format!(r#"{{"error":{{"code":{status},"message":"{message}","errors":[{{"reason":"{reason}","domain":"global"}}]}}}}"#);
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: body.into(), ..Answer::default() }
    }

    /// The table of the contract: what is known after each answer.
    #[test]
    fn every_answer_has_its_meaning() {
        let create = Some(Condition::CreateOnly);
        for (status, reason, condition, want) in [
            (200, "", create, "stored"),
            (412, "conditionNotMet", create, "exists"),
            (409, "conflict", create, "exists"),
            (412, "conditionNotMet", None, "not_stored"),
            (412, "orgPolicyConstraintFailed", None, "refused"),
            (409, "conflict", Some(Condition::Any), "refused"),
            (400, "invalid", create, "refused"),
            (401, "authError", create, "refused"),
            (403, "forbidden", create, "refused"),
            (404, "notFound", create, "refused"),
            (408, "", create, "not_stored"),
            (429, "rateLimitExceeded", create, "not_stored"),
            (500, "backendError", create, "unknown"),
            (501, "notImplemented", create, "refused"),
            (503, "backendError", create, "unknown"),
        ] {
            let answer = answer(status, reason, "why");
            let found = classify_put(&ObjectKey("k".into()), condition, Ok(answer)).map_or_else(|e| e.kind(), |_| "stored");
            assert_eq!(found, want, "{status} {reason}");
        }
    }

    #[test]
    fn words_say_what_to_do() {
        for (status, reason, message, word) in [
            (401, "authError", "Invalid Credentials", "GOOGLE_SERVICE_ACCOUNT"),
            (403, "forbidden", "denied", "setRetention"),
            (403, "retentionPolicyNotMet", "subject to retention", "only ever extended"),
            (404, "notFound", "The specified bucket does not exist.", "create the bucket"),
            (400, "invalid", "Object Retention is not enabled", "per-object retention"),
            (400, "invalid", "other", "doctor"),
        ] {
            let text = explain(&answer(status, reason, message));
            assert!(text.contains(word) && text.contains(message), "{text}");
        }
        let plain =
            Answer { status: StatusCode::NOT_FOUND, headers: HeaderMap::new(), body: "No such object: b/k".into(), ..Answer::default() };
        assert_eq!(store_words(&plain), (String::new(), String::new()));
    }
}
