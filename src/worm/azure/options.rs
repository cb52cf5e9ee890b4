//! What configures the Azure adapter, and who is asked for credentials.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::azure::{AzureAccessKey, AzureConfigKey, AzureCredential, AzureCredentialProvider, MicrosoftAzureBuilder};
use object_store::{BackoffConfig, RetryConfig, StaticCredentialProvider};

use crate::worm::endpoint::ServiceEndpoint;
use crate::worm::s3::PUT_TIMEOUT_DEFAULT;

/// Options of [`AzureStore`](super::AzureStore): `store.azure`.
#[derive(Clone, Debug)]
pub struct AzureOptions {
    /// `store.azure.endpoint`, `allow_http`, `ca_file`. The endpoint is the account's whole address; default
    /// `https://<account>.blob.core.windows.net`.
    pub endpoint: ServiceEndpoint,
    /// Longest time for one put or change of a lock; then its outcome is unknown.
    pub put_timeout: Duration,
    /// Instead of the default chain; never from a configuration file.
    pub account_key: Option<AccountKey>,
}

impl Default for AzureOptions {
    fn default() -> Self {
        AzureOptions { endpoint: ServiceEndpoint::default(), put_timeout: PUT_TIMEOUT_DEFAULT, account_key: None }
    }
}

/// An account's shared key, Base64. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountKey(pub String);

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountKey(redacted)")
    }
}

/// What to set where there are none.
pub(super) const IF_NONE: &str = "set AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN, or AZURE_CLIENT_ID, AZURE_TENANT_ID and one of \
                                  AZURE_CLIENT_SECRET and AZURE_FEDERATED_TOKEN_FILE; on a machine of Azure give it a managed identity";

pub(super) fn credentials(account: &str, options: &AzureOptions) -> object_store::Result<AzureCredentialProvider> {
    let environment = MicrosoftAzureBuilder::from_env();
    let of_environment = |key| environment.get_config_value(&key).filter(|v| !v.is_empty());
    let key = match &options.account_key {
        Some(AccountKey(key)) => Some(key.clone()),
        // As object_store would, but without building an HTTP client that is never used.
        None if of_environment(AzureConfigKey::Token).is_none() && of_environment(AzureConfigKey::CredentialType).is_none() => {
            of_environment(AzureConfigKey::AccessKey)
        }
        None => None,
    };
    if let Some(key) = key {
        let key = AzureAccessKey::try_new(&key).map_err(|e| object_store::Error::Generic { store: "azure", source: Box::new(e) })?;
        return Ok(Arc::new(StaticCredentialProvider::new(AzureCredential::AccessKey(key))));
    }
    // The default retries go on for three minutes; a machine without any credentials should say so soon.
    let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: 2, retry_timeout: Duration::from_secs(10) };
    let builder = environment.with_account(account).with_container_name("unused").with_use_emulator(false);
    Ok(Arc::clone(builder.with_retry(retry).build()?.credentials()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let options = AzureOptions { account_key: Some(AccountKey("c2VjcmV0".into())), ..AzureOptions::default() };
        assert!(!format!("{options:?}").contains("c2VjcmV0"));
        let broken = AzureOptions { account_key: Some(AccountKey("no base64!".into())), ..AzureOptions::default() };
        assert!(credentials("account", &broken).is_err());
    }
}
