//! `log.timestamping`: who stamps the log's checkpoints, and how often.

use std::time::Duration;

use url::Url;

use super::read::path;
use super::section::Section;
use super::units::duration_within;
use super::yaml::ConfigError;
use crate::stamping::{AUTHORITIES_MAX, Authority, Options};

/// An authority may be asked that often, and a token covers all before it, so more would only be more locked objects.
const INTERVAL_MIN: Duration = Duration::from_secs(10);
const INTERVAL_MAX: Duration = Duration::from_secs(7 * 86_400);

pub(super) fn timestamping(at: &mut Section<'_>) -> Result<Options, ConfigError> {
    let mut authorities: Vec<Authority> = Vec::new();
    for mut entry in at.sections("timestamping")?.unwrap_or_default() {
        let (url, ca_file) = (entry.optional("url", address)?, entry.optional("ca_file", path)?);
        let tls_ca_file = entry.optional("tls_ca_file", path)?;
        let (Some(url), Some(ca_file)) = (url, ca_file) else {
            let missing = entry.error(
                "an entry of `log.timestamping` needs a `url`, as in http://tsa.example.com/, and a `ca_file` (PEM) with the root that its tokens \
                 lead to: a token of an authority that nobody names would prove nothing",
            );
            // A key that is misspelt says more.
            entry.finish()?;
            return Err(missing);
        };
        if authorities.iter().any(|other| other.url == url) {
            return Err(entry.error(format!("`{url}` stands twice in `log.timestamping`")));
        }
        if tls_ca_file.is_some() && !url.starts_with("https://") {
            return Err(entry.error(format!("`tls_ca_file` is for https://, and `{url}` is none; roots of tokens stand in `ca_file`")));
        }
        if authorities.len() == AUTHORITIES_MAX {
            return Err(entry.error(format!("`log.timestamping` has more than {AUTHORITIES_MAX} entries")));
        }
        entry.finish()?;
        authorities.push(Authority { url, ca_file, tls_ca_file });
    }
    let hour = Duration::from_secs(3600);
    let interval = at.value("timestamp_interval", hour, |t| duration_within(t, INTERVAL_MIN, INTERVAL_MAX))?;
    Ok(Options { authorities, interval })
}

fn address(text: &str) -> Result<String, String> {
    let Ok(url) = Url::parse(text) else { return Err(format!("`{text}` is not a URL; write http://host/path or https://host/path")) };
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("`{text}`: write http://host/path or https://host/path"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has credentials in it, which would stand in the sealed configuration; an authority is asked without any".to_owned());
    }
    Ok(url.into())
}
