//! What an answer of Azure means for the caller: stored, known not stored, or unknown; and the service's words in plain ones.
//!
//! Source: Microsoft, "Common REST API error codes", "Blob Storage error codes", "Put Blob".

use http::StatusCode;

use crate::worm::wire::{Answer, CallError, bounded, said};
use crate::worm::xml::Node;
use crate::worm::{Condition, ObjectKey, PutError, ReadError};

/// Code and message of an error answer. The code stands in a header too, which is all that a HEAD has.
pub(super) fn store_words(answer: &Answer) -> (String, String) {
    let error = Node::parse(&answer.body).filter(|n| n.name == "Error");
    let text = |name: &str| bounded(error.as_ref().and_then(|n| n.text_of(name)).unwrap_or_default());
    let code = answer.header("x-ms-error-code").map_or_else(|| text("Code"), bounded);
    // What follows the first line are ids of the request.
    let message = error.as_ref().and_then(|n| n.text_of("Message")).and_then(|m| m.lines().next()).unwrap_or_default();
    (code, bounded(message))
}

/// The service's words and what to do now.
pub(super) fn explain(answer: &Answer) -> String {
    let (code, message) = store_words(answer);
    let advice = match code.as_str() {
        "AuthenticationFailed" | "InvalidAuthenticationInfo" | "NoAuthenticationInformation" => {
            "check AZURE_STORAGE_ACCOUNT_KEY (or whichever credentials are set) and this machine's clock"
        }
        "AuthorizationFailure" | "AuthorizationPermissionMismatch" | "InsufficientAccountPermissions" | "AccountIsDisabled" => {
            "allow reading, creating, listing (with versions), tags, and setting immutability policies (the SAS permission `i`) on the container"
        }
        "ContainerNotFound" | "ContainerBeingDeleted" | "ContainerDisabled" => {
            "create the container with support for version-level immutability, or correct its URL (az://account/container/prefix)"
        }
        "BlobImmutableDueToPolicy" | "BlobImmutableDueToLegalHold" => {
            "a lock or a hold is on it: a lock is only ever extended, and this is what it is for"
        }
        "FeatureNotEnabled" | "OperationNotAllowedOnVersion" | "FeatureVersionMismatch" | "UnsupportedHeader" => NO_IMMUTABILITY,
        "InvalidHeaderValue" | "ConflictFeatureEnabled" => NO_IMMUTABILITY,
        _ => match answer.status.as_u16() {
            301 | 302 | 307 | 308 => "the account is elsewhere: set `store.azure.endpoint`",
            401 | 403 => "check the credentials (AZURE_* variables) and their rights on the container",
            _ => "run `spanseal doctor`",
        },
    };
    format!("{}; {advice}", said(&code, &message, answer.status))
}

const NO_IMMUTABILITY: &str = "the container may have no version-level immutability (it is set when the container is made, and needs blob \
                               versioning on the account): run `spanseal doctor`";

/// Codes of a 4xx that tell of an accident on the way: nothing was stored, and the same bytes may go again.
fn is_accident(code: &str) -> bool {
    matches!(code, "Md5Mismatch" | "Crc64Mismatch" | "RequestBodyIncomplete")
}

/// Codes of a 409 on a create-only put that say that something is there, with none given as by a bare proxy.
fn is_there(code: &str) -> bool {
    matches!(code, "" | "BlobAlreadyExists" | "BlobImmutableDueToPolicy" | "BlobImmutableDueToLegalHold" | "UnauthorizedBlobOverwrite")
}

/// What a put (or a change of a lock, with `condition` `None`) came to. Every 5xx is unknown: `ServerBusy` and `OperationTimedOut` too may
/// follow a write that was carried out.
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
    let (code, _) = store_words(&answer);
    let reason = explain(&answer);
    let create_only = condition == Some(Condition::CreateOnly);
    Err(match answer.status {
        StatusCode::PRECONDITION_FAILED if create_only => PutError::Exists { key },
        StatusCode::CONFLICT if create_only && is_there(&code) => PutError::Exists { key },
        StatusCode::TOO_MANY_REQUESTS => PutError::NotStored { key, reason },
        StatusCode::NOT_IMPLEMENTED => PutError::Refused { key, reason },
        status if status.is_client_error() && is_accident(&code) => PutError::NotStored { key, reason },
        status if status.is_client_error() || status.is_redirection() => PutError::Refused { key, reason },
        _ => PutError::Unknown { key, reason },
    })
}

/// Whether a read may simply be asked again.
pub(super) fn is_passing(answer: &Answer) -> bool {
    let status = answer.status;
    (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED) || status == StatusCode::TOO_MANY_REQUESTS
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

    fn answer(status: u16, code: &str) -> Answer {
        let body = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>why\nRequestId:1</Message></Error>"
        );
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: body.into(), ..Answer::default() }
    }

    /// The table of the contract: what is known after each answer.
    #[test]
    fn every_answer_has_its_meaning() {
        let create = Some(Condition::CreateOnly);
        for (status, code, condition, want) in [
            (201, "", create, "stored"),
            (200, "", None, "stored"),
            (409, "BlobAlreadyExists", create, "exists"),
            (409, "BlobImmutableDueToPolicy", create, "exists"),
            (409, "", create, "exists"),
            (412, "ConditionNotMet", create, "exists"),
            (409, "BlobImmutableDueToPolicy", Some(Condition::Any), "refused"),
            (409, "BlobImmutableDueToPolicy", None, "refused"),
            (409, "ContainerBeingDeleted", create, "refused"),
            (412, "LeaseIdMissing", Some(Condition::Any), "refused"),
            (400, "InvalidHeaderValue", create, "refused"),
            (400, "Md5Mismatch", create, "not_stored"),
            (403, "AuthenticationFailed", create, "refused"),
            (404, "ContainerNotFound", create, "refused"),
            (429, "", create, "not_stored"),
            (500, "OperationTimedOut", create, "unknown"),
            (503, "ServerBusy", create, "unknown"),
            (501, "", create, "refused"),
        ] {
            let found = classify_put(&ObjectKey("k".into()), condition, Ok(answer(status, code))).map_or_else(|e| e.kind(), |_| "stored");
            assert_eq!(found, want, "{status} {code}");
        }
    }

    #[test]
    fn words_say_what_to_do_and_nothing_more() {
        for (status, code, word) in [
            (403, "AuthenticationFailed", "AZURE_STORAGE_ACCOUNT_KEY"),
            (403, "AuthorizationPermissionMismatch", "`i`"),
            (404, "ContainerNotFound", "version-level immutability"),
            (409, "BlobImmutableDueToPolicy", "only ever extended"),
            (403, "Other", "AZURE_"),
            (307, "", "store.azure.endpoint"),
            (400, "Other", "doctor"),
        ] {
            let text = explain(&answer(status, code));
            assert!(text.contains(word) && !text.contains("RequestId"), "{code}: {text}");
        }
        let mut head = answer(404, "");
        head.body = bytes::Bytes::new();
        head.headers.insert("x-ms-error-code", "BlobNotFound".parse().unwrap());
        assert_eq!(store_words(&head).0, "BlobNotFound", "a HEAD has headers only");
    }
}
