//! One authorised HTTP call at a time. Credentials are object_store's (its default chain, service account tokens signed by it); the calls are
//! our own, because its client retries a put by itself and knows no retention.

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use object_store::gcp::GcpCredentialProvider;
use sha2::{Digest, Sha256};

use super::options::IF_NONE;
use crate::worm::wire::{self, Answer, CREDENTIALS_TIMEOUT, Call, CallError, HASH_INLINE_MAX, Wire};

pub(super) struct Client {
    pub(super) wire: Wire,
    /// Scheme and host; no slash at the end.
    pub(super) endpoint: String,
    pub(super) credentials: GcpCredentialProvider,
}

impl Client {
    /// Makes the call once; `call.key` is the path below the endpoint, encoded.
    pub(super) async fn call(&self, call: Call) -> Result<Answer, CallError> {
        let answer_max = call.answer_max;
        let request = self.authorise(call).await.map_err(CallError::NotSent)?;
        self.wire.send(request, answer_max).await
    }

    async fn authorise(&self, call: Call) -> Result<reqwest::Request, String> {
        let url = wire::url(&self.endpoint, &call.key, &call.query);
        let url = url.parse().map_err(|e| format!("no such address can be: {e}"))?;
        let mut request = reqwest::Request::new(call.method, url);
        let none = |cause: &dyn std::fmt::Display| format!("no credentials, so it was not asked: {IF_NONE} (the last attempt: {cause})");
        let credentials = tokio::time::timeout(CREDENTIALS_TIMEOUT, self.credentials.get_credential());
        let credentials = credentials.await.map_err(|_| none(&"their endpoint did not answer"))?.map_err(|e| none(&e))?;
        // What a library for a pretended service gives away, and never a right one.
        if credentials.bearer.is_empty() {
            return Err(none(&"the token is empty"));
        }
        let headers = request.headers_mut();
        for (name, value) in &call.headers {
            headers.insert(*name, value.parse().map_err(|e| format!("no such header can be: {e}"))?);
        }
        let mut bearer =
            HeaderValue::from_str(&format!("Bearer {}", credentials.bearer)).map_err(|_| none(&"the token has odd characters"))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        *request.timeout_mut() = Some(call.timeout);
        *request.body_mut() = Some(call.body.into());
        Ok(request)
    }
}

/// A `multipart/related` body of metadata and media, and its content type (JSON API, "Multipart upload").
pub(super) async fn multipart(metadata: String, media: Bytes) -> Result<(String, Bytes), String> {
    let is_long = media.len() > HASH_INLINE_MAX;
    let build = move || {
        // No object holds its own hash, so the boundary is in none.
        let boundary = hex::encode(Sha256::digest(&media));
        let mut body = BytesMut::with_capacity(media.len() + metadata.len() + 512);
        body.put_slice(format!("--{boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n{metadata}\r\n").as_bytes());
        body.put_slice(format!("--{boundary}\r\ncontent-type: application/octet-stream\r\n\r\n").as_bytes());
        body.put_slice(&media);
        body.put_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        (format!("multipart/related; boundary={boundary}"), body.freeze())
    };
    if is_long {
        return tokio::task::spawn_blocking(build).await.map_err(|e| format!("hashing ended early: {e}"));
    }
    Ok(build())
}
