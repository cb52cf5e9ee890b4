//! One signed HTTP call at a time. Signing and credentials are object_store's ([`AzureAuthorizer`], its default chain); the calls are our own,
//! because its client retries a put by itself and carries no immutability headers. With a shared key every `x-ms-*` header stands in the
//! signature.

use object_store::azure::{AzureAuthorizer, AzureCredentialProvider};
use object_store::client::HttpRequestBody;

use super::options::IF_NONE;
use crate::worm::wire::{self, Answer, CREDENTIALS_TIMEOUT, Call, CallError, Wire, encode};

/// `x-ms-version` of every call: immutability of versions came with 2020-06-12, the container's word about it with 2021-08-06.
pub(super) const API_VERSION: &str = "2023-11-03";

pub(super) struct Client {
    pub(super) wire: Wire,
    /// Scheme, host, and the container; no slash at the end.
    pub(super) base: String,
    pub(super) account: String,
    pub(super) credentials: AzureCredentialProvider,
}

impl Client {
    /// Makes the call once.
    pub(super) async fn call(&self, call: Call) -> Result<Answer, CallError> {
        let answer_max = call.answer_max;
        let request = self.sign(call).await.map_err(CallError::NotSent)?;
        self.wire.send(request, answer_max).await
    }

    async fn sign(&self, call: Call) -> Result<reqwest::Request, String> {
        let path = if call.key.is_empty() { String::new() } else { format!("/{}", encode(&call.key, true)) };
        let mut builder = http::Request::builder()
            .method(call.method.clone())
            .uri(wire::url(&self.base, &path, &call.query))
            .header("x-ms-version", API_VERSION);
        if call.method == http::Method::PUT {
            // Signed, and demanded of an empty body too.
            builder = builder.header("content-length", call.body.len().to_string());
        }
        if !call.body.is_empty() {
            builder = builder.header("content-md5", wire::md5(&call.body).await?);
        }
        for (name, value) in &call.headers {
            builder = builder.header(*name, value);
        }
        let mut request = builder.body(HttpRequestBody::empty()).map_err(|e| format!("no such request can be: {e}"))?;
        let none = |cause: &dyn std::fmt::Display| format!("no credentials, so it was not asked: {IF_NONE} (the last attempt: {cause})");
        let credentials = tokio::time::timeout(CREDENTIALS_TIMEOUT, self.credentials.get_credential());
        let credentials = credentials.await.map_err(|_| none(&"their endpoint did not answer"))?.map_err(|e| none(&e))?;
        AzureAuthorizer::new(&credentials, &self.account)
            .try_authorize(&mut request)
            .map_err(|e| format!("the request could not be signed: {e}"))?;
        // A shared access signature stands in the query, so the address is read only now; it is in no message.
        let url = request.uri().to_string().parse().map_err(|e| format!("no such address can be: {e}"))?;
        let mut signed = reqwest::Request::new(call.method, url);
        *signed.headers_mut() = std::mem::take(request.headers_mut());
        *signed.timeout_mut() = Some(call.timeout);
        *signed.body_mut() = Some(call.body.into());
        Ok(signed)
    }
}
