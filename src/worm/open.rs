//! From `store.url` (or `--store`) to an open store.

use super::WormStore;
use super::local::{LocalOptions, LocalStore};
use super::s3::{S3Options, S3Store};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a store lies, as `store.url` and `--store` say it.
///
/// `file://./x` and `file://../x` are relative to the working directory, `file:///x` and plain paths are taken as they
/// are (nothing is percent-decoded), `s3://bucket/prefix` names a bucket and the folder in it.
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
        OpenError::Invalid { url: url.to_string(), reason: reason.into() }
    }
}

/// What `store.file` and `store.s3` set, for whichever adapter the address names.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    /// For `file://`.
    pub local: LocalOptions,
    /// For `s3://`.
    pub s3: S3Options,
}

/// Opens the store that `url` names. A local folder is made by the first put, not here: reading a mistyped path must
/// not leave a folder behind.
pub async fn open(url: &StoreUrl, options: &StoreOptions) -> Result<Arc<dyn WormStore>, OpenError> {
    Ok(match url {
        StoreUrl::File(path) => Arc::new(LocalStore::open(path, options.local)?),
        StoreUrl::S3 { bucket, prefix } => Arc::new(S3Store::open(bucket, prefix, options.s3.clone()).await?),
    })
}

impl StoreUrl {
    /// Reads an address; the error says what to write instead.
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        let invalid = |reason: &str| Err(OpenError::invalid(text, reason));
        if text.is_empty() {
            return invalid("empty; write a path, file:///path or s3://bucket/prefix");
        }
        match text.split_once("://") {
            None if let Some(rest) = mistyped(text, "s3") => {
                invalid(&format!("did you mean s3://{rest}? A folder of this name is ./{text}"))
            }
            None if let Some(rest) = mistyped(text, "file") => invalid(&format!(
                "did you mean file:///{rest}, or file://./{rest} below the working directory? A folder of this name is ./{text}"
            )),
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
                let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
                let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
                let bytes = bucket.as_bytes();
                if !(3..=63).contains(&bytes.len()) || !bytes.iter().all(|b| allowed(*b)) || !edge(bytes.first()) || !edge(bytes.last()) {
                    return invalid("a bucket name has 3 to 63 of a-z, 0-9, `-` and `.`, and begins and ends with a letter or digit");
                }
                let prefix = prefix.trim_matches('/');
                if !prefix.is_empty()
                    && let Err(why) = super::key::check_key(&super::ObjectKey(prefix.to_owned()))
                {
                    return invalid(&format!("bad prefix: {why}"));
                }
                Ok(StoreUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
            }
            Some((scheme, _)) => invalid(&format!("`{scheme}` stores are not known; write a path, file:///path or s3://bucket/prefix")),
        }
    }
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
            StoreUrl::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            StoreUrl::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_back() {
        let s3 = |bucket: &str, prefix: &str| StoreUrl::S3 { bucket: bucket.into(), prefix: prefix.into() };
        let file = |path: &str| StoreUrl::File(path.into());
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
            ("gs://bucket", "not known"),
            ("https://example.com/b", "not known"),
        ] {
            let error = StoreUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
