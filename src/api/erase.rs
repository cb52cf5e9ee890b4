//! `POST /erase`: an erasure is the one writer's act, so `spanseal erase` asks the running process for it.
//!
//! Both show that they have the vault key before anything is said ([`super::handshake`]), whatever `api.auth` says. It is refused where
//! the port is reached over plain HTTP beyond this machine: the request names a person.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Api;
use super::handshake::{NONCE, Open, PROOF, Proofs, parse_nonce};
use crate::erase::{EraseError, Eraser, Wish};
use crate::vault::VaultKey;

/// The path.
pub const ERASE: &str = "/erase";

/// Longest request that is read, bytes: an id, a ground and a few realms.
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// What the first request is answered with.
#[derive(Debug, Serialize, Deserialize)]
pub struct Challenge {
    /// The process's random bytes.
    pub nonce: String,
    /// Its proof.
    pub proof: String,
}

/// Who may erase, and what does it once the log is open. Clones share it.
#[derive(Clone)]
pub struct Erasing {
    allowed: Allowed,
    open: Arc<Open>,
    eraser: Arc<OnceLock<Eraser>>,
}

#[derive(Clone)]
enum Allowed {
    Holders(Box<Proofs>),
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
        let allowed = match key.and_then(Proofs::new) {
            None => Allowed::NoVault,
            Some(_) if in_the_clear => Allowed::InTheClear,
            Some(proofs) => Allowed::Holders(Box::new(proofs)),
        };
        Erasing { allowed, open: Arc::default(), eraser: Arc::default() }
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

impl Erasing {
    /// By what askers are known here, or why nobody is.
    fn proofs(&self) -> Result<&Proofs, (StatusCode, &'static str)> {
        match &self.allowed {
            Allowed::Holders(proofs) => Ok(proofs),
            Allowed::NoVault => Err((StatusCode::NOT_FOUND, "this log has no vault, so nothing of it can be erased")),
            Allowed::InTheClear => Err((
                StatusCode::FORBIDDEN,
                "this port is reached over plain HTTP beyond its machine, and an erasure names a person: set `api.tls`, or `api.endpoint` \
                 to a loopback address",
            )),
        }
    }
}

fn text_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Answers the first request: shows whose process this is.
pub(super) async fn challenge(State(api): State<Api>, headers: HeaderMap) -> Response {
    let proofs = match api.erasing.proofs() {
        Ok(proofs) => proofs,
        Err((status, why)) => return refuse(status, why),
    };
    let Some(asker) = text_of(&headers, NONCE).and_then(parse_nonce) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            format!("what shows that this process has the vault key needs 32 bytes in hex in the header `{NONCE}`"),
        );
    };
    let Some(own) = api.erasing.open.give() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the operating system gives no random bytes; try again");
    };
    let challenge = Challenge { nonce: hex::encode(own), proof: proofs.of_server(&asker, &own) };
    answer(StatusCode::OK, &serde_json::json!(challenge))
}

pub(super) async fn erase(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Response {
    let proofs = match api.erasing.proofs() {
        Ok(proofs) => proofs,
        Err((status, why)) => return refuse(status, why),
    };
    if body.len() > REQUEST_BYTES_MAX {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the request is longer than any erasure");
    }
    // Used up whatever the proof is worth.
    let given = text_of(&headers, NONCE).and_then(parse_nonce).filter(|nonce| api.erasing.open.take(nonce));
    let shown = text_of(&headers, PROOF).unwrap_or_default();
    if !given.is_some_and(|nonce| proofs.is_asker(&nonce, &body, shown)) {
        return refuse(StatusCode::UNAUTHORIZED, "an erasure needs a fresh proof of the vault key (content.vault.key_file); ask again");
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
