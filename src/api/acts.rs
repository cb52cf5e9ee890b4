//! `POST /erase` and `POST /access`: what only the log's one writer can do, so that commands ask the running process for it: an erasure, and
//! the record of a reading, which is sealed before anything is shown.
//!
//! Both sides show that they have the vault key before anything is said ([`super::handshake`]), whatever `api.auth` says. An erasure is
//! refused where the port is reached over plain HTTP beyond this machine: the request names a person. A reading is not: it names records and
//! pseudonyms, and a command says who reads only where nobody listens.

use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Api;
use super::handshake::{Act, NONCE, Open, PROOF, Proofs, parse_nonce};
use crate::access::{self, AccessError, Recorder};
use crate::erase::{self, EraseError, Eraser};
use crate::vault::VaultKey;

/// What the first request is answered with.
#[derive(Debug, Serialize, Deserialize)]
pub struct Challenge {
    /// The process's random bytes.
    pub nonce: String,
    /// Its proof.
    pub proof: String,
}

/// Who may ask, and what does it once the log is open. Clones share it.
#[derive(Clone)]
pub struct Acts {
    holders: Option<Box<Holders>>,
    in_the_clear: bool,
    open: Arc<Open>,
    eraser: Arc<OnceLock<Eraser>>,
    recorder: Arc<OnceLock<Recorder>>,
}

/// By what they are known, act by act.
#[derive(Clone)]
struct Holders {
    erase: Proofs,
    access: Proofs,
}

impl std::fmt::Debug for Acts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acts").field("open", &self.eraser.get().is_some()).finish_non_exhaustive()
    }
}

impl Acts {
    /// For a process with this vault, whose port is, or is not, read by others on the way.
    pub fn new(key: Option<&VaultKey>, in_the_clear: bool) -> Self {
        let holders = |key| Some(Box::new(Holders { erase: Proofs::new(key, Act::Erase)?, access: Proofs::new(key, Act::Access)? }));
        Acts { holders: key.and_then(holders), in_the_clear, open: Arc::default(), eraser: Arc::default(), recorder: Arc::default() }
    }

    /// The log is open.
    pub fn opened(&self, eraser: Option<Eraser>, recorder: Option<Recorder>) {
        if let Some(eraser) = eraser {
            let _ = self.eraser.set(eraser);
        }
        if let Some(recorder) = recorder {
            let _ = self.recorder.set(recorder);
        }
    }

    /// By what askers are known here, or why nobody is.
    fn proofs(&self, act: Act) -> Result<&Proofs, Refusal> {
        match (&self.holders, act) {
            (None, Act::Erase) => Err(Refusal(StatusCode::NOT_FOUND, "this log has no vault, so nothing of it can be erased")),
            (None, Act::Access) => Err(Refusal(StatusCode::NOT_FOUND, "this log has no vault, so nothing of it can be read")),
            (Some(_), Act::Erase) if self.in_the_clear => Err(Refusal(
                StatusCode::FORBIDDEN,
                "this port is reached over plain HTTP beyond its machine, and an erasure names a person: set `api.tls`, or `api.endpoint` \
                 to a loopback address",
            )),
            (Some(holders), Act::Erase) => Ok(&holders.erase),
            (Some(holders), Act::Access) => Ok(&holders.access),
        }
    }

    /// The wish of a holder of the vault key, or why it is none.
    fn wish<T: serde::de::DeserializeOwned>(&self, act: Act, headers: &HeaderMap, body: &Bytes) -> Result<T, Refusal> {
        let proofs = self.proofs(act)?;
        if body.len() > bytes_max(act) {
            return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, "the request is longer than any of its kind"));
        }
        // Used up whatever the proof is worth.
        let given = text_of(headers, NONCE).and_then(parse_nonce).filter(|nonce| self.open.take(nonce));
        let shown = text_of(headers, PROOF).unwrap_or_default();
        if !given.is_some_and(|nonce| proofs.is_asker(&nonce, body, shown)) {
            return Err(Refusal(StatusCode::UNAUTHORIZED, "this needs a fresh proof of the vault key (content.vault.key_file); ask again"));
        }
        // Not the parser's words: they may repeat a name.
        serde_json::from_slice(body).map_err(|_| Refusal(StatusCode::BAD_REQUEST, "the request is none that this version knows"))
    }
}

/// Longest request that is read, bytes: an erasure is an id, a ground and a few realms; a reading names up to
/// [`access::NAMES_MAX`] records and persons of some 45 bytes each.
const fn bytes_max(act: Act) -> usize {
    match act {
        Act::Erase => 64 * 1024,
        Act::Access => 1024 * 1024,
    }
}

/// Why an asker gets nothing.
struct Refusal(StatusCode, &'static str);

const OPENING: Refusal = Refusal(StatusCode::SERVICE_UNAVAILABLE, "the log is being opened; try again");

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refuse(self.0, self.1)
    }
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, format!("{body}\n")).into_response()
}

fn answer_with(done: impl Serialize) -> Response {
    match serde_json::to_value(done) {
        Ok(done) => answer(StatusCode::OK, &done),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}

fn refuse(status: StatusCode, why: impl std::fmt::Display) -> Response {
    answer(status, &serde_json::json!({ "error": why.to_string() }))
}

fn text_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

pub(super) async fn challenge_erase(State(api): State<Api>, headers: HeaderMap) -> Response {
    challenge(&api.acts, Act::Erase, &headers)
}

pub(super) async fn challenge_access(State(api): State<Api>, headers: HeaderMap) -> Response {
    challenge(&api.acts, Act::Access, &headers)
}

/// Answers the first request: shows whose process this is.
fn challenge(acts: &Acts, act: Act, headers: &HeaderMap) -> Response {
    let proofs = match acts.proofs(act) {
        Ok(proofs) => proofs,
        Err(refusal) => return refusal.into_response(),
    };
    let Some(asker) = text_of(headers, NONCE).and_then(parse_nonce) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            format!("what shows that this process has the vault key needs 32 bytes in hex in the header `{NONCE}`"),
        );
    };
    let Some(own) = acts.open.give() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "the operating system gives no random bytes; try again");
    };
    answer_with(Challenge { nonce: hex::encode(own), proof: proofs.of_server(&asker, &own) })
}

pub(super) async fn erase(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Response {
    let wish: erase::Wish = match api.acts.wish(Act::Erase, &headers, &body) {
        Ok(wish) => wish,
        Err(refusal) => return refusal.into_response(),
    };
    let Some(eraser) = api.acts.eraser.get().cloned() else { return OPENING.into_response() };
    // In a task of its own: whoever hangs up does not stop it half-way.
    match tokio::spawn(async move { eraser.erase(&wish).await }).await {
        Ok(Ok(outcome)) => answer_with(outcome),
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

pub(super) async fn access(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Response {
    let wish: access::Wish = match api.acts.wish(Act::Access, &headers, &body) {
        Ok(wish) => wish,
        Err(refusal) => return refusal.into_response(),
    };
    let Some(recorder) = api.acts.recorder.get().cloned() else { return OPENING.into_response() };
    // In a task of its own: a reader who is made and hangs up leaves no half-made entry.
    match tokio::spawn(async move { recorder.record(&wish).await }).await {
        Ok(Ok(sealed)) => answer_with(sealed),
        Ok(Err(error @ AccessError::Wrong(_))) => refuse(StatusCode::BAD_REQUEST, error),
        Ok(Err(error)) => refuse(StatusCode::SERVICE_UNAVAILABLE, error),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, format!("recording the reading broke off ({error}); ask again")),
    }
}
