//! What configures the S3 adapter, and how an address, an endpoint and a region become one place to ask.

use crate::worm::OpenError;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider};
use object_store::{BackoffConfig, RetryConfig, StaticCredentialProvider};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// One put, from connecting to the answer's last byte: 64 MiB at 2 MiB/s take half of it.
pub const PUT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// Where no region is known and the endpoint is not AWS's: what S3-compatible servers expect in a signature.
const REGION_ELSEWHERE: &str = "us-east-1";

/// Options of [`S3Store`](super::S3Store): `store.s3` and `store.not_worm` of the configuration.
#[derive(Clone, Debug)]
pub struct S3Options {
    /// `store.s3.endpoint`: `https://host[:port]`. Without it `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, then AWS itself.
    pub endpoint: Option<String>,
    /// `store.s3.region`. Without it `AWS_REGION`, `AWS_DEFAULT_REGION`; AWS itself needs one.
    pub region: Option<String>,
    /// `store.s3.path_style`: `endpoint/bucket` instead of `bucket.endpoint`. An endpoint that is an IP address or
    /// `localhost` (or a name below it), and a bucket with a dot under https, are addressed so in any case.
    pub path_style: bool,
    /// `store.s3.allow_http`: `http://` beyond loopback.
    pub allow_http: bool,
    /// `store.s3.ca_file`: PEM of the only certificate authorities to trust; without it the system's.
    pub ca_file: Option<PathBuf>,
    /// `store.s3.sse_kms_key_id`: encrypt with this KMS key.
    pub sse_kms_key_id: Option<String>,
    /// `store.not_worm`: put without locks, into a bucket that may have no Object Lock and no versioning.
    pub not_worm: bool,
    /// Longest time for one put or change of a lock; then its outcome is unknown.
    pub put_timeout: Duration,
    /// Instead of the default chain; never from a configuration file.
    pub credentials: Option<S3Credentials>,
}

impl Default for S3Options {
    fn default() -> Self {
        S3Options {
            endpoint: None,
            region: None,
            path_style: false,
            allow_http: false,
            ca_file: None,
            sse_kms_key_id: None,
            not_worm: false,
            put_timeout: PUT_TIMEOUT_DEFAULT,
            credentials: None,
        }
    }
}

/// A fixed pair of keys. Its `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Credentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Session token of temporary credentials.
    pub session_token: Option<String>,
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Credentials(redacted)")
    }
}

/// Where to ask and how to sign.
pub(super) struct Place {
    /// Scheme, host and, in path style, the bucket; no slash at the end.
    pub(super) base: String,
    pub(super) region: String,
    /// Who has the bucket of this name: `aws` (or another of AWS's partitions), else scheme, host and port of the endpoint.
    pub(super) owner: String,
    pub(super) is_https: bool,
    pub(super) credentials: Credentials,
}

/// Who is asked for credentials. Only a fixed pair is there for certain.
pub(super) struct Credentials {
    pub(super) provider: AwsCredentialProvider,
    /// What it means, and what to set, if it has none.
    pub(super) if_none: &'static str,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("base", &self.base).field("region", &self.region).finish_non_exhaustive()
    }
}

impl Place {
    pub(super) fn find(shown: &str, bucket: &str, options: &S3Options) -> Result<Place, OpenError> {
        let invalid = |reason: String| OpenError::invalid(shown, reason);
        let environment = AmazonS3Builder::from_env();
        let of_environment = |key| environment.get_config_value(&key).filter(|v| !v.is_empty());
        let endpoint = options.endpoint.clone();
        let endpoint = endpoint.or_else(|| of_environment(AmazonS3ConfigKey::S3Endpoint));
        let endpoint = endpoint.or_else(|| of_environment(AmazonS3ConfigKey::Endpoint));
        let region = options.region.clone().or_else(|| of_environment(AmazonS3ConfigKey::Region));
        let (base, is_https, owner) = match &endpoint {
            Some(endpoint) => {
                let (base, is_https) = base_at(endpoint, bucket, options).map_err(invalid)?;
                (base, is_https, owner_at(endpoint, region.as_deref()))
            }
            None => {
                let Some(region) = &region else {
                    return Err(invalid(
                        "no region: set `store.s3.region` or AWS_REGION (or `store.s3.endpoint` for a store that is not AWS)".into(),
                    ));
                };
                if !region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
                    return Err(invalid(format!("`{region}` is no AWS region")));
                }
                // A wildcard certificate covers one label only, so a bucket with a dot goes into the path.
                let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
                let in_path = options.path_style || bucket.contains('.');
                let base = if in_path {
                    format!("https://s3.{region}.{domain}/{bucket}")
                } else {
                    format!("https://{bucket}.s3.{region}.{domain}")
                };
                (base, true, partition(Some(region)).to_owned())
            }
        };
        let region = region.unwrap_or_else(|| REGION_ELSEWHERE.to_owned());
        let credentials = find_credentials(environment, &region, options).map_err(|e| invalid(format!("no credentials: {e}")))?;
        Ok(Place { base, region, owner, is_https, credentials })
    }
}

/// Whether an address lies on this machine: a loopback address, `localhost`, or a name below it (RFC 6761 section 6.3). What is sent there
/// is read by nobody on the way, so it may go unencrypted.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// The part of AWS in which a bucket's name is unique.
fn partition(region: Option<&str>) -> &'static str {
    match region {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Who is asked at an endpoint, in one spelling: no default port, no slash at the end. AWS's own endpoints (regional, dual-stack, FIPS,
/// in a private network) all lead to the same buckets; another machine that AWS only gave its name (`...compute.amazonaws.com`,
/// `...elb.amazonaws.com`) is somebody else.
fn owner_at(endpoint: &str, region: Option<&str>) -> String {
    let Ok(url) = Url::parse(endpoint) else { return endpoint.to_owned() };
    let host = url.host_str().unwrap_or_default();
    let below_aws = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"));
    let is_s3 = |labels: &str| {
        labels.split('.').any(|label| matches!(label, "s3" | "s3-fips" | "s3-accelerate"))
            || (labels.starts_with("s3-") && !labels.contains('.'))
    };
    if below_aws.is_some_and(is_s3) {
        return partition(region).to_owned();
    }
    format!("{}{}", url.origin().ascii_serialization(), url.path().trim_end_matches('/'))
}

fn base_at(endpoint: &str, bucket: &str, options: &S3Options) -> Result<(String, bool), String> {
    let url = Url::parse(endpoint).map_err(|e| format!("endpoint `{endpoint}`: {e}; write https://host:port"))?;
    let is_https = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(format!("endpoint `{endpoint}`: write https://host:port")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "the endpoint has credentials in it: they belong into the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)".into()
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("endpoint `{endpoint}`: write https://host:port, without `?` or `#`"));
    }
    let is_address = match url.host() {
        Some(Host::Domain(_)) => false,
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => return Err(format!("endpoint `{endpoint}` names no host")),
    };
    if !is_https && !is_loopback(&url) && !options.allow_http {
        return Err(format!(
            "endpoint `{endpoint}` is not encrypted: everything sent there can be read on the way. Use https://, or set `store.s3.allow_http: true`"
        ));
    }
    let plain = url.as_str().trim_end_matches('/');
    if options.path_style || is_address || is_loopback(&url) || (is_https && bucket.contains('.')) {
        return Ok((format!("{plain}/{bucket}"), is_https));
    }
    let (scheme, rest) = plain.split_once("://").unwrap_or(("https", plain));
    Ok((format!("{scheme}://{bucket}.{rest}"), is_https))
}

fn find_credentials(environment: AmazonS3Builder, region: &str, options: &S3Options) -> object_store::Result<Credentials> {
    let of_environment = |key| environment.get_config_value(&key);
    let fixed = match &options.credentials {
        Some(own) => {
            let S3Credentials { access_key_id, secret_access_key, session_token } = own.clone();
            Some(AwsCredential { key_id: access_key_id, secret_key: secret_access_key, token: session_token })
        }
        // As object_store would, but without building an HTTP client that is never used.
        None => match (of_environment(AmazonS3ConfigKey::AccessKeyId), of_environment(AmazonS3ConfigKey::SecretAccessKey)) {
            (Some(key_id), Some(secret_key)) => Some(AwsCredential { key_id, secret_key, token: of_environment(AmazonS3ConfigKey::Token) }),
            _ => None,
        },
    };
    if let Some(fixed) = fixed {
        return Ok(Credentials { provider: Arc::new(StaticCredentialProvider::new(fixed)), if_none: "" });
    }
    let is_set = |key| of_environment(key).is_some();
    // In object_store's order.
    let if_none = if is_set(AmazonS3ConfigKey::WebIdentityTokenFile) && is_set(AmazonS3ConfigKey::RoleArn) {
        "web identity gave none: check AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN and the role's trust"
    } else if is_set(AmazonS3ConfigKey::ContainerCredentialsRelativeUri) {
        "the container's service gave none: check AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and the task's role"
    } else if is_set(AmazonS3ConfigKey::ContainerCredentialsFullUri) && is_set(AmazonS3ConfigKey::ContainerAuthorizationTokenFile) {
        "the container's service gave none: check AWS_CONTAINER_CREDENTIALS_FULL_URI, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE and the pod's role"
    } else {
        "none are in the environment and this machine is given none: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN too, \
         if they are temporary), or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN; profiles in ~/.aws are not read"
    };
    // The default retries go on for three minutes; a machine without any credentials should say so soon.
    let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: 2, retry_timeout: Duration::from_secs(10) };
    let store = environment.with_bucket_name("unused").with_region(region).with_retry(retry).build()?;
    Ok(Credentials { provider: Arc::clone(store.credentials()), if_none })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(endpoint: &str, bucket: &str, path_style: bool, allow_http: bool) -> Result<String, String> {
        base_at(endpoint, bucket, &S3Options { path_style, allow_http, ..S3Options::default() }).map(|(base, _)| base)
    }

    #[test]
    fn a_bucket_is_addressed_where_it_can_be() {
        for (endpoint, bucket, path_style, want) in [
            ("https://s3.example.com", "b", false, "https://b.s3.example.com"),
            ("https://s3.example.com:9000/", "b", false, "https://b.s3.example.com:9000"),
            ("https://s3.example.com", "b", true, "https://s3.example.com/b"),
            ("https://s3.example.com", "b.c", false, "https://s3.example.com/b.c"),
            ("https://example.com/s3/", "b", true, "https://example.com/s3/b"),
            ("http://127.0.0.1:9000", "b", false, "http://127.0.0.1:9000/b"),
            ("http://[::1]:9000", "b", false, "http://[::1]:9000/b"),
            ("http://localhost:9000", "b", false, "http://localhost:9000/b"),
            ("http://minio.localhost:9000", "b", false, "http://minio.localhost:9000/b"),
            ("https://10.0.0.1", "b", false, "https://10.0.0.1/b"),
        ] {
            assert_eq!(base(endpoint, bucket, path_style, false).as_deref(), Ok(want), "{endpoint}");
        }
    }

    #[test]
    fn a_bucket_is_told_from_its_namesake_elsewhere() {
        let gov = Some("us-gov-west-1");
        for (endpoint, region, want) in [
            ("https://minio.example.com", None, "https://minio.example.com"),
            ("https://MinIO.example.com:443/", None, "https://minio.example.com"),
            ("https://minio.example.com:9000", None, "https://minio.example.com:9000"),
            ("http://minio.example.com", None, "http://minio.example.com"),
            ("http://[::1]:9000", None, "http://[::1]:9000"),
            ("https://example.com/one/", None, "https://example.com/one"),
            ("https://s3.amazonaws.com", None, "aws"),
            ("https://s3.eu-central-1.amazonaws.com", Some("eu-central-1"), "aws"),
            ("https://s3-eu-west-1.amazonaws.com", Some("eu-west-1"), "aws"),
            ("https://s3.dualstack.eu-central-1.amazonaws.com", None, "aws"),
            ("https://bucket.vpce-1a2b-3c4d.s3.us-east-1.vpce.amazonaws.com", None, "aws"),
            ("https://s3-fips.us-gov-west-1.amazonaws.com", gov, "aws-us-gov"),
            ("https://s3.cn-north-1.amazonaws.com.cn", Some("cn-north-1"), "aws-cn"),
            ("https://ec2-1-2-3-4.compute.amazonaws.com", None, "https://ec2-1-2-3-4.compute.amazonaws.com"),
            ("https://s3-1234.eu-west-1.elb.amazonaws.com", None, "https://s3-1234.eu-west-1.elb.amazonaws.com"),
            ("https://s3.amazonaws.com.example.com", None, "https://s3.amazonaws.com.example.com"),
        ] {
            assert_eq!(owner_at(endpoint, region), want, "{endpoint}");
        }
    }

    #[test]
    fn plain_http_needs_to_be_allowed_beyond_loopback() {
        assert!(base("http://s3.example.com", "b", false, false).unwrap_err().contains("allow_http"));
        assert!(base("http://10.0.0.1", "b", false, false).unwrap_err().contains("allow_http"));
        assert_eq!(base("http://s3.example.com", "b", true, true).unwrap(), "http://s3.example.com/b");
        assert!(base("https://key:secret@s3.example.com", "b", false, false).unwrap_err().contains("environment"));
        for bad in ["s3.example.com", "ftp://s3.example.com", "https://", "https://s3.example.com/?x=y"] {
            assert!(base(bad, "b", false, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let credentials =
            S3Credentials { access_key_id: "AKIA1".into(), secret_access_key: "s3cr3t".into(), session_token: Some("t0ken".into()) };
        let shown = format!("{:?}", S3Options { credentials: Some(credentials), ..S3Options::default() });
        assert!(!shown.contains("s3cr3t") && !shown.contains("t0ken") && !shown.contains("AKIA1"), "{shown}");
    }
}
