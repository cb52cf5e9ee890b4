//! An endpoint that stands in the configuration, for stores of one address (Azure, GCS).

use std::path::PathBuf;

use url::Url;

use super::s3::is_loopback;

/// `store.azure` and `store.gcs`: where the service is asked, when it is not where everybody asks it. Credentials never stand here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceEndpoint {
    /// `endpoint`: `https://host[:port][/path]`. Default the public cloud's.
    pub url: Option<String>,
    /// `allow_http`: plain `http://` beyond loopback. Default false.
    pub allow_http: bool,
    /// `ca_file`: PEM of the only certificate authorities to trust. Default the system's.
    pub ca_file: Option<PathBuf>,
}

impl ServiceEndpoint {
    /// The address without a slash at its end, if one is set, and whether it is encrypted. The error is half a sentence that goes on after
    /// `<section>.endpoint`.
    pub fn checked(&self, section: &str) -> Result<Option<(String, bool)>, String> {
        let Some(text) = &self.url else { return Ok(None) };
        let Ok(url) = Url::parse(text) else { return Err(format!("`{text}` is not a URL; write https://host:port")) };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has credentials in it; they belong into the environment, never into a file".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() || url.host().is_none() {
            return Err(format!("`{text}`: write https://host:port, without `?` or `#`"));
        }
        let is_https = match url.scheme() {
            "https" => true,
            "http" if is_loopback(&url) || self.allow_http => false,
            "http" => return Err(format!("`{text}` is plain HTTP beyond this machine; use https, or set `{section}.allow_http: true`")),
            _ => return Err(format!("`{text}`: write https://host:port")),
        };
        Ok(Some((url.as_str().trim_end_matches('/').to_owned(), is_https)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_or_say_what_to_write() {
        let at = |url: &str, allow_http| ServiceEndpoint { url: Some(url.into()), allow_http, ca_file: None }.checked("store.gcs");
        for (url, allow_http, want) in [
            ("https://a.blob.core.usgovcloudapi.net/", false, ("https://a.blob.core.usgovcloudapi.net", true)),
            ("http://127.0.0.1:9/account", false, ("http://127.0.0.1:9/account", false)),
            ("http://gcs.example", true, ("http://gcs.example", false)),
        ] {
            assert_eq!(at(url, allow_http), Ok(Some((want.0.to_owned(), want.1))), "{url}");
        }
        for (url, word) in [
            ("http://gcs.example", "store.gcs.allow_http"),
            ("gcs.example", "not a URL"),
            ("ftp://gcs.example", "write https"),
            ("https://u:p@gcs.example", "environment"),
            ("https://gcs.example/?x", "without `?`"),
        ] {
            assert!(at(url, false).unwrap_err().contains(word), "{url}");
        }
    }
}
