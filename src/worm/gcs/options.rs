//! What configures the GCS adapter, and who is asked for credentials.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::gcp::{GcpCredential, GcpCredentialProvider, GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{BackoffConfig, RetryConfig, StaticCredentialProvider};

use crate::worm::endpoint::ServiceEndpoint;
use crate::worm::s3::PUT_TIMEOUT_DEFAULT;

/// Options of [`GcsStore`](super::GcsStore): `store.gcs`.
#[derive(Clone, Debug)]
pub struct GcsOptions {
    /// `store.gcs.endpoint`, `allow_http`, `ca_file`. Default `https://storage.googleapis.com`.
    pub endpoint: ServiceEndpoint,
    /// Longest time for one put or change of a lock; then its outcome is unknown.
    pub put_timeout: Duration,
    /// Instead of the default chain; never from a configuration file.
    pub token: Option<AccessToken>,
}

impl Default for GcsOptions {
    fn default() -> Self {
        GcsOptions { endpoint: ServiceEndpoint::default(), put_timeout: PUT_TIMEOUT_DEFAULT, token: None }
    }
}

/// An OAuth access token. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(pub String);

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(redacted)")
    }
}

/// What to set where there are none.
pub(super) const IF_NONE: &str = "set GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS to a key file (or GOOGLE_BEARER_TOKEN to an \
                                  access token); on a machine of Google give it a service account";

pub(super) fn credentials(options: &GcsOptions) -> object_store::Result<GcpCredentialProvider> {
    let environment = GoogleCloudStorageBuilder::from_env();
    let of_environment = || environment.get_config_value(&GoogleConfigKey::BearerToken).filter(|v| !v.is_empty());
    // As object_store would, but without building an HTTP client that is never used.
    if let Some(bearer) = options.token.clone().map(|token| token.0).or_else(of_environment) {
        return Ok(Arc::new(StaticCredentialProvider::new(GcpCredential { bearer })));
    }
    // The default retries go on for three minutes; a machine without any credentials should say so soon.
    let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: 2, retry_timeout: Duration::from_secs(10) };
    Ok(Arc::clone(environment.with_bucket_name("unused").with_retry(retry).build()?.credentials()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let options = GcsOptions { token: Some(AccessToken("ya29.s3cr3t".into())), ..GcsOptions::default() };
        assert!(!format!("{options:?}").contains("s3cr3t"));
    }
}
