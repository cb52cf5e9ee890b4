//! One signed HTTP call at a time: exactly one attempt, and an exact word about what is known when it fails.
//!
//! Signing and credentials are object_store's ([`AwsAuthorizer`], its default chain); the calls are our own, because its
//! client retries a put by itself and carries no lock headers. Every `x-amz-*` header stands in the signature: Versity
//! refuses unsigned ones, and an unsigned lock could be stripped on the way.

use super::options::Credentials;
use crate::worm::wire::{self, Answer, CREDENTIALS_TIMEOUT, Call, CallError, HASH_INLINE_MAX, Wire, encode};
use http::Method;
use object_store::aws::AwsAuthorizer;
use object_store::client::HttpRequestBody;
use sha2::{Digest, Sha256};

pub(super) struct Client {
    wire: Wire,
    /// Scheme, host and, in path style, the bucket; no slash at the end.
    base: String,
    region: String,
    credentials: Credentials,
}

impl Client {
    pub(super) fn new(http: reqwest::Client, base: String, region: String, credentials: Credentials) -> Self {
        Client { wire: Wire::new(http), base, region, credentials }
    }

    pub(super) fn skew_seconds(&self) -> Option<i64> {
        self.wire.skew_seconds()
    }

    /// Makes the call once.
    pub(super) async fn call(&self, call: Call) -> Result<Answer, CallError> {
        let (answer_max, asked) = (call.answer_max, name_of(&call));
        let request = self.sign(call).await.map_err(CallError::NotSent)?;
        self.wire.send(request, answer_max).await.map(|answer| Answer { asked, ..answer })
    }

    async fn sign(&self, call: Call) -> Result<reqwest::Request, String> {
        let url = wire::url(&self.base, &format!("/{}", encode(&call.key, true)), &call.query);
        let digest = if call.body.len() > HASH_INLINE_MAX {
            let body = call.body.clone();
            tokio::task::spawn_blocking(move || Sha256::digest(&body)).await.map_err(|e| format!("hashing ended early: {e}"))?
        } else {
            Sha256::digest(&call.body)
        };
        let mut builder = http::Request::builder().method(call.method.clone()).uri(&url);
        for (name, value) in &call.headers {
            builder = builder.header(*name, value);
        }
        if !call.body.is_empty() {
            // AWS demands a checksum with every locked put and every change of a lock; the algorithm's name is for
            // servers that look at that header only.
            let stated = call.checksum_of.as_ref().map_or(digest, Sha256::digest);
            builder = builder
                .header("x-amz-checksum-sha256", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, stated))
                .header("x-amz-sdk-checksum-algorithm", "SHA256");
        }
        let mut request = builder.body(HttpRequestBody::empty()).map_err(|e| format!("no such request can be: {e}"))?;
        let credentials = tokio::time::timeout(CREDENTIALS_TIMEOUT, self.credentials.provider.get_credential());
        let credentials =
            credentials.await.map_err(|_| self.no_credentials(&"their endpoint did not answer"))?.map_err(|e| self.no_credentials(&e))?;
        AwsAuthorizer::new(&credentials, "s3", &self.region)
            .try_authorize(&mut request, Some(digest.as_slice()))
            .map_err(|e| format!("the request could not be signed: {e}"))?;
        let url = url.parse().map_err(|e| format!("no such address can be: {e}"))?;
        let mut signed = reqwest::Request::new(call.method, url);
        *signed.headers_mut() = std::mem::take(request.headers_mut());
        *signed.timeout_mut() = Some(call.timeout);
        *signed.body_mut() = Some(call.body.into());
        Ok(signed)
    }

    fn no_credentials(&self, cause: &dyn std::fmt::Display) -> String {
        format!("no credentials, so it was not asked: {} (the last attempt: {cause})", self.credentials.if_none)
    }
}

/// What S3's own reference calls a call of ours.
fn name_of(call: &Call) -> &'static str {
    let what = call.query.first().map_or("", |(what, _)| *what);
    match (&call.method, call.key.is_empty(), what) {
        (&Method::GET, true, "versioning") => "GetBucketVersioning",
        (&Method::GET, true, "object-lock") => "GetObjectLockConfiguration",
        (&Method::GET, true, "policy") => "GetBucketPolicy",
        (&Method::GET, true, "encryption") => "GetBucketEncryption",
        (&Method::GET, true, "versions") => "ListObjectVersions",
        (&Method::GET, true, _) => "ListObjects",
        (&Method::GET, false, "retention") => "GetObjectRetention",
        (&Method::GET, false, "legal-hold") => "GetObjectLegalHold",
        (&Method::GET, false, "tagging") => "GetObjectTagging",
        (&Method::PUT, _, "retention") => "PutObjectRetention",
        (&Method::PUT, _, "legal-hold") => "PutObjectLegalHold",
        (&Method::PUT, ..) => "PutObject",
        (&Method::HEAD, ..) => "HeadObject",
        (&Method::DELETE, ..) => "DeleteObject",
        _ => "GetObject",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_its_own_name() {
        for (method, key, query, name) in [
            (Method::GET, "", "versioning", "GetBucketVersioning"),
            (Method::GET, "", "encryption", "GetBucketEncryption"),
            (Method::GET, "", "versions", "ListObjectVersions"),
            (Method::GET, "k", "versionId", "GetObject"),
            (Method::GET, "k", "legal-hold", "GetObjectLegalHold"),
            (Method::PUT, "k", "retention", "PutObjectRetention"),
            (Method::PUT, "k", "", "PutObject"),
            (Method::HEAD, "k", "", "HeadObject"),
            (Method::DELETE, "k", "versionId", "DeleteObject"),
        ] {
            let query = Some((query, String::new())).filter(|(what, _)| !what.is_empty()).into_iter().collect();
            assert_eq!(name_of(&Call { method, key: key.to_owned(), query, ..Call::default() }), name);
        }
    }
}
