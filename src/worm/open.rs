//! From `store.url` (or `--store`) to an open store.

use super::WormStore;
use super::azure::{AzureOptions, AzureStore};
use super::canary::Probed;
use super::gcs::{GcsOptions, GcsStore};
use super::local::{LocalOptions, LocalStore};
use super::s3::{S3Options, S3Store};
use crate::plain::{HIDDEN, address_without_secrets, without_secrets};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a store lies, as `store.url` and `--store` say it.
///
/// `file://./x` and `file://../x` are relative to the working directory, `file:///x` and plain paths are taken as they
/// are (nothing is percent-decoded), `s3://bucket/prefix` names a bucket and the folder in it, as `gs://bucket/prefix` does, and
/// `az://account/container/prefix` a container: its name alone says nothing without the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// A local folder.
    File(PathBuf),
    /// A bucket, and a prefix without slashes at its ends (may be empty).
    S3 {
        /// Bucket name.
        bucket: String,
        /// Folder inside the bucket, `""` for its root.
        prefix: String,
    },
    /// A container of Azure Blob Storage.
    Azure {
        /// Storage account.
        account: String,
        /// Container in it.
        container: String,
        /// Folder inside the container, `""` for its root.
        prefix: String,
    },
    /// A bucket of Google Cloud Storage.
    Gcs {
        /// Bucket name.
        bucket: String,
        /// Folder inside the bucket, `""` for its root.
        prefix: String,
    },
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address or an option cannot be right; asking again does not help.
    #[error("store `{url}`: {reason}")]
    Invalid {
        /// The address as given.
        url: String,
        /// What is wrong and what to write instead.
        reason: String,
    },
    /// The store could not be asked just now.
    #[error("store `{url}`: {source}")]
    Unreachable {
        /// The address.
        url: String,
        /// What the store said.
        source: super::ReadError,
    },
}

impl OpenError {
    pub(super) fn invalid(url: impl fmt::Display, reason: impl Into<String>) -> Self {
        OpenError::Invalid { url: address_without_secrets(&url.to_string()), reason: without_secrets(&reason.into()) }
    }
}

/// What `store.file`, `store.s3`, `store.azure` and `store.gcs` set, for whichever adapter the address names.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    /// For `file://`.
    pub local: LocalOptions,
    /// For `s3://`.
    pub s3: S3Options,
    /// For `az://`.
    pub azure: AzureOptions,
    /// For `gs://`.
    pub gcs: GcsOptions,
}

/// Opens the store that `url` names. A local folder is made by the first put, not here: reading a mistyped path must
/// not leave a folder behind.
pub async fn open(url: &StoreUrl, options: &StoreOptions) -> Result<Arc<dyn WormStore>, OpenError> {
    Ok(match url {
        StoreUrl::File(path) => Arc::new(LocalStore::open(path, options.local)?),
        StoreUrl::S3 { bucket, prefix } => Arc::new(S3Store::open(bucket, prefix, options.s3.clone()).await?),
        StoreUrl::Azure { account, container, prefix } => {
            Arc::new(AzureStore::open(account, container, prefix, options.azure.clone()).await?)
        }
        StoreUrl::Gcs { bucket, prefix } => Arc::new(GcsStore::open(bucket, prefix, options.gcs.clone()).await?),
    })
}

/// Opens the same store for a canary: deleting is no part of the contract. `None` for a folder, which has no locks to try.
pub async fn open_probed(url: &StoreUrl, options: &StoreOptions) -> Result<Option<Box<dyn Probed>>, OpenError> {
    Ok(match url {
        StoreUrl::File(_) => None,
        StoreUrl::S3 { bucket, prefix } => Some(Box::new(S3Store::open(bucket, prefix, options.s3.clone()).await?)),
        StoreUrl::Azure { account, container, prefix } => {
            Some(Box::new(AzureStore::open(account, container, prefix, options.azure.clone()).await?))
        }
        StoreUrl::Gcs { bucket, prefix } => Some(Box::new(GcsStore::open(bucket, prefix, options.gcs.clone()).await?)),
    })
}

/// What an address may be, for messages.
const FORMS: &str = "a path, file:///path, s3://bucket/prefix, az://account/container/prefix or gs://bucket/prefix";

impl StoreUrl {
    /// Whether it is a folder of this machine.
    pub fn is_folder(&self) -> bool {
        matches!(self, StoreUrl::File(_))
    }

    /// What is to be said of the adapter for it, where it is one that was never run against the real service.
    pub fn caveat(&self) -> Option<&'static str> {
        match self {
            StoreUrl::File(_) | StoreUrl::S3 { .. } => None,
            StoreUrl::Azure { .. } | StoreUrl::Gcs { .. } => Some(super::CAVEAT),
        }
    }

    /// Reads an address; the error says what to write instead.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        let invalid = |reason: &str| Err(OpenError::invalid(text, reason));
        if text.is_empty() {
            return invalid(&format!("empty; write {FORMS}"));
        }
        match text.split_once("://") {
            // Without its slashes it is no address to whom secrets are hidden by.
            None if text.contains(['@', '?']) && ["s3", "az", "gs"].iter().any(|scheme| mistyped(text, scheme).is_some()) => {
                let scheme = text.get(..2).unwrap_or_default().to_ascii_lowercase();
                let reason = format!("did you mean {scheme}://bucket/prefix? Endpoints and credentials stand elsewhere: write {FORMS}");
                Err(OpenError::invalid(format!("{scheme}:***"), reason))
            }
            None if let Some((scheme, rest)) = ["s3", "az", "gs"].iter().find_map(|scheme| Some((scheme, mistyped(text, scheme)?))) => {
                invalid(&format!("did you mean {scheme}://{rest}? A folder of this name is ./{text}"))
            }
            None if let Some(rest) = mistyped(text, "file") => invalid(&format!(
                "did you mean file:///{rest}, or file://./{rest} below the working directory? A folder of this name is ./{text}"
            )),
            // Nobody names a folder so, and as one it would be printed by every command.
            None if text.contains("AccountKey=") || text.contains("SharedAccessSignature=") => Err(OpenError::invalid(
                HIDDEN,
                format!("a connection string is no address; write {FORMS}, and credentials into the environment"),
            )),
            None if text.split_once('@').is_some_and(|(user, _)| user.contains(':')) => {
                Err(OpenError::invalid(HIDDEN, format!("credentials are no part of an address; write {FORMS}")))
            }
            None => Ok(StoreUrl::File(PathBuf::from(text))),
            Some(("file", path)) => match path {
                "" => invalid("no path; write file:///path or file://./path"),
                _ if path.contains(['?', '#']) => invalid("a file address has no `?` or `#`"),
                _ if path == "." || path == ".." || path.starts_with("./") || path.starts_with("../") || path.starts_with('/') => {
                    Ok(StoreUrl::File(PathBuf::from(path)))
                }
                _ => invalid("a file address names no host; write file:///path (absolute) or file://./path (relative)"),
            },
            Some(("s3", rest)) => {
                if rest.contains(['?', '#', '@', '\\']) {
                    return invalid("only s3://bucket/prefix; endpoint and region go under `store.s3`, credentials into the environment");
                }
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if !is_bucket(bucket, b"-.") {
                    return invalid("a bucket name has 3 to 63 of a-z, 0-9, `-` and `.`, and begins and ends with a letter or digit");
                }
                Ok(StoreUrl::S3 { bucket: bucket.to_owned(), prefix: folder(text, prefix)? })
            }
            Some(("gs", rest)) => {
                if rest.contains(['?', '#', '@', '\\']) {
                    return invalid("only gs://bucket/prefix; an endpoint goes under `store.gcs`, credentials into the environment");
                }
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if !is_bucket(bucket, b"-._") {
                    return invalid("a bucket name has 3 to 63 of a-z, 0-9, `-`, `_` and `.`, and begins and ends with a letter or digit");
                }
                Ok(StoreUrl::Gcs { bucket: bucket.to_owned(), prefix: folder(text, prefix)? })
            }
            Some(("az", rest)) => {
                if rest.contains(['?', '#', '@', '\\']) {
                    return invalid(
                        "only az://account/container/prefix; an endpoint goes under `store.azure`, credentials into the environment",
                    );
                }
                let Some((account, rest)) = rest.split_once('/').filter(|(_, rest)| !rest.is_empty()) else {
                    return invalid("write az://account/container/prefix: a container's name says nothing without the storage account");
                };
                if !(3..=24).contains(&account.len()) || !account.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
                    return invalid("the name of a storage account has 3 to 24 of a-z and 0-9; write az://account/container/prefix");
                }
                let (container, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if !is_bucket(container, b"-") || container.contains("--") {
                    return invalid(
                        "the name of a container has 3 to 63 of a-z, 0-9 and single `-`, and begins and ends with a letter or digit; write \
                         az://account/container/prefix",
                    );
                }
                Ok(StoreUrl::Azure { account: account.to_owned(), container: container.to_owned(), prefix: folder(text, prefix)? })
            }
            Some((scheme, _)) => invalid(&format!("`{scheme}` stores are not known; write {FORMS}")),
        }
    }
}

/// Whether a bucket (or container) may be called so: `more` beside letters and digits.
fn is_bucket(name: &str, more: &[u8]) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    let edge = |b: Option<&u8>| b.is_some_and(|b| plain(*b));
    (3..=63).contains(&bytes.len()) && bytes.iter().all(|b| plain(*b) || more.contains(b)) && edge(bytes.first()) && edge(bytes.last())
}

/// The folder in a bucket, without slashes at its ends.
fn folder(text: &str, prefix: &str) -> Result<String, OpenError> {
    let prefix = prefix.trim_matches('/');
    if !prefix.is_empty()
        && let Err(why) = super::key::check_key(&super::ObjectKey(prefix.to_owned()))
    {
        return Err(OpenError::invalid(text, format!("bad prefix: {why}")));
    }
    Ok(prefix.to_owned())
}

/// What follows a scheme whose colon or slashes are not all there: `s3:/bucket`, `s3//bucket`, `s3:bucket`.
fn mistyped<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let rest = text.get(..scheme.len()).filter(|begin| begin.eq_ignore_ascii_case(scheme)).and(text.get(scheme.len()..))?;
    (rest.starts_with(':') || rest.starts_with("//")).then(|| rest.trim_start_matches([':', '/']))
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::File(path) if path.starts_with(".") || path.starts_with("..") || path.is_absolute() => {
                write!(f, "file://{}", path.display())
            }
            StoreUrl::File(path) => write!(f, "file://{}", Path::new(".").join(path).display()),
            StoreUrl::S3 { bucket, prefix } => write!(f, "s3://{bucket}{}", below(prefix)),
            StoreUrl::Gcs { bucket, prefix } => write!(f, "gs://{bucket}{}", below(prefix)),
            StoreUrl::Azure { account, container, prefix } => write!(f, "az://{account}/{container}{}", below(prefix)),
        }
    }
}

fn below(prefix: &str) -> String {
    if prefix.is_empty() { String::new() } else { format!("/{prefix}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_back() {
        let s3 = |bucket: &str, prefix: &str| StoreUrl::S3 { bucket: bucket.into(), prefix: prefix.into() };
        let file = |path: &str| StoreUrl::File(path.into());
        let azure = |container: &str, prefix: &str| StoreUrl::Azure {
            account: "acc0unt".into(),
            container: container.into(),
            prefix: prefix.into(),
        };
        for (text, want, shown) in [
            ("file://./spanseal-data", file("./spanseal-data"), "file://./spanseal-data"),
            ("file://../x", file("../x"), "file://../x"),
            ("file:///var/lib/x", file("/var/lib/x"), "file:///var/lib/x"),
            ("spanseal-data", file("spanseal-data"), "file://./spanseal-data"),
            ("s3/data", file("s3/data"), "file://./s3/data"),
            ("./s3//data", file("./s3//data"), "file://./s3//data"),
            ("files", file("files"), "file://./files"),
            ("/var/lib/x", file("/var/lib/x"), "file:///var/lib/x"),
            ("s3://bucket", s3("bucket", ""), "s3://bucket"),
            ("s3://my.bucket-1/a/b/", s3("my.bucket-1", "a/b"), "s3://my.bucket-1/a/b"),
            ("gs://my_bucket.x", StoreUrl::Gcs { bucket: "my_bucket.x".into(), prefix: String::new() }, "gs://my_bucket.x"),
            ("gs://bucket/a/", StoreUrl::Gcs { bucket: "bucket".into(), prefix: "a".into() }, "gs://bucket/a"),
            ("az://acc0unt/my-container", azure("my-container", ""), "az://acc0unt/my-container"),
            ("az://acc0unt/my-container/a/b/", azure("my-container", "a/b"), "az://acc0unt/my-container/a/b"),
            ("azure/data", file("azure/data"), "file://./azure/data"),
        ] {
            let url = StoreUrl::parse(text).unwrap();
            assert_eq!(url, want, "{text}");
            assert_eq!(url.to_string(), shown);
            assert_eq!(StoreUrl::parse(shown).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn bad_addresses_say_what_to_write() {
        for (text, word) in [
            ("", "empty"),
            ("file://", "no path"),
            ("file://host/x", "host"),
            ("file:x", "file:///x, or file://./x"),
            ("file:/var/x", "file:///var/x, or"),
            ("file//x", "file:///x, or"),
            ("s3:bucket", "did you mean s3://bucket?"),
            ("s3:/bucket/a", "did you mean s3://bucket/a?"),
            ("s3//bucket/a", "did you mean s3://bucket/a? A folder of this name is ./s3//bucket/a"),
            ("S3:/bucket", "did you mean s3://bucket?"),
            ("s3://", "bucket name"),
            ("s3://B", "bucket name"),
            ("s3://UPPER-case", "bucket name"),
            ("s3://bucket-", "bucket name"),
            ("s3://bucket/a/../b", "bad prefix"),
            ("s3://key:secret@bucket/x", "environment"),
            ("s3://bucket/x?region=y", "store.s3"),
            ("gs:/bucket", "did you mean gs://bucket?"),
            ("az:account/c", "did you mean az://account/c?"),
            ("gs://B", "bucket name"),
            ("gs://key@bucket", "store.gcs"),
            ("gs://bucket/a//b", "bad prefix"),
            ("az://container", "az://account/container"),
            ("az://account/", "az://account/container"),
            ("az://my-account/container", "storage account"),
            ("az://account/a--b", "container"),
            ("az://account/Container", "container"),
            ("az://account/container/../x", "bad prefix"),
            ("az://account/container?sv=2020&sig=x", "environment"),
            ("abfss://c@account", "az://account/container/prefix"),
            ("https://example.com/b", "not known"),
        ] {
            let error = StoreUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn no_secret_in_an_address_is_repeated() {
        for text in [
            "s3://AKIA:hush/hush@bucket/x",
            "S3:/AKIA:hush@bucket",
            "s3:bucket?secret=hush",
            "s3://bucket?X-Amz-Security-Token=hush&y=hush#hush",
            "s3://AKIA:hu?sh@bucket",
            "gs://hush@bucket",
            "az://account/container?sig=hush",
            "https://me:hush@example.com",
            "file://x?hush",
        ] {
            let error = StoreUrl::parse(text).unwrap_err().to_string();
            assert!(!error.contains("hush") && !error.contains("AKIA") && error.contains("***"), "{text}: {error}");
        }
    }
}
