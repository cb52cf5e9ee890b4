//! `POST /erase`: an erasure is the one writer's act, so `spanseal erase` asks the running process for it.
//!
//! It needs a token that only holders of the vault key can make, whatever `api.auth` says. It is refused where the port is reached over
//! plain HTTP beyond this machine: the request names a person.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Api;
use crate::erase::{EraseError, Eraser, Wish};
use crate::vault::VaultKey;

/// The path.
pub const ERASE: &str = "/erase";

/// Longest request that is read, bytes: an id, a ground and a few realms.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// What an asker shows.
pub fn token(key: &VaultKey) -> zeroize::Zeroizing<String> {
    key.token("spanseal erase/1")
}

/// Who may erase, and what does it once the log is open. Clones share it.
#[derive(Clone)]
pub struct Erasing {
    allowed: Allowed,
    eraser: Arc<OnceLock<Eraser>>,
}

#[derive(Clone)]
enum Allowed {
    /// SHA-256 of the token: compared so, no time tells how much of it was right.
    Token([u8; 32]),
    NoVault,
    InTheClear,
}

impl std::fmt::Debug for Erasing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Erasing").field("open", &self.eraser.get().is_some()).finish_non_exhaustive()
    }
}

impl Erasing {
    /// For a process with this vault, whose port is, or is not, read by others on the way.
    pub fn new(key: Option<&VaultKey>, in_the_clear: bool) -> Self {
        let allowed = match key {
            None => Allowed::NoVault,
            Some(_) if in_the_clear => Allowed::InTheClear,
            Some(key) => Allowed::Token(Sha256::digest(token(key).as_bytes()).into()),
        };
        Erasing { allowed, eraser: Arc::default() }
    }

    /// The log is open.
    pub fn opened(&self, eraser: Option<Eraser>) {
        if let Some(eraser) = eraser {
            let _ = self.eraser.set(eraser);
        }
    }
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, format!("{body}\n")).into_response()
}

fn refuse(status: StatusCode, why: impl std::fmt::Display) -> Response {
    answer(status, &serde_json::json!({ "error": why.to_string() }))
}

pub(super) async fn erase(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Response {
    let right = match api.erasing.allowed {
        Allowed::NoVault => return refuse(StatusCode::NOT_FOUND, "this log has no vault, so nothing of it can be erased"),
        Allowed::InTheClear => {
            let why = "this port is reached over plain HTTP beyond its machine, and an erasure names a person: set `api.tls`, or `api.endpoint` \
                       to a loopback address";
            return refuse(StatusCode::FORBIDDEN, why);
        }
        Allowed::Token(right) => right,
    };
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    if shown.is_none_or(|shown| <[u8; 32]>::from(Sha256::digest(shown.trim().as_bytes())) != right) {
        return refuse(StatusCode::UNAUTHORIZED, "an erasure needs the token of the vault key (content.vault.key_file)");
    }
    if body.len() > REQUEST_BYTES_MAX {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the request is longer than any erasure");
    }
    let wish: Wish = match serde_json::from_slice(&body) {
        Ok(wish) => wish,
        // Not the parser's words: they may repeat a name.
        Err(_) => return refuse(StatusCode::BAD_REQUEST, "the request is no erasure that this version knows"),
    };
    let Some(eraser) = api.erasing.eraser.get().cloned() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the log is being opened; try again");
    };
    // In a task of its own: whoever hangs up does not stop it half-way.
    match tokio::spawn(async move { eraser.erase(&wish).await }).await {
        Ok(Ok(outcome)) => match serde_json::to_value(outcome) {
            Ok(outcome) => answer(StatusCode::OK, &outcome),
            Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error),
        },
        Ok(Err(error)) => {
            let status = match &error {
                EraseError::Ambiguous { .. } => StatusCode::CONFLICT,
                EraseError::Wrong(_) => StatusCode::BAD_REQUEST,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            refuse(status, error)
        }
        Err(error) => {
            refuse(StatusCode::INTERNAL_SERVER_ERROR, format!("the erasure broke off ({error}); it is finished at the next start"))
        }
    }
}
