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
    if url.query().is_some() || url.fragment().is_some() {
        // Not repeated: it may be a secret.
        return Err("has a query (`?`) or a fragment (`#`) in it, which may be a secret and would stand in the sealed configuration; write the address without".to_owned());
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use crate::clock::UnixSeconds;
    use crate::config::{Config, Environment, Overrides, PrintFormat};

    fn read(log: &str) -> Result<Config, String> {
        let text = format!("log:\n{log}\n");
        Config::parse("f", &text, &Overrides::default(), &Environment::default(), UnixSeconds(1_795_000_000)).map_err(|e| e.to_string())
    }

    #[test]
    fn authorities_are_read_printed_and_part_of_the_configuration() {
        let none = read("  name: audit").unwrap();
        assert_eq!((none.log.timestamping.authorities.len(), none.log.timestamping.interval.as_secs()), (0, 3600));
        let text = "  name: audit\n  timestamping:\n    - {url: 'http://tsa.example.com/tsr', ca_file: ./a.pem}\n    - {url: 'https://tsa.example.org/', \
                    ca_file: b.pem, tls_ca_file: c.pem}\n  timestamp_interval: 30m";
        let config = read(text).unwrap();
        let urls: Vec<_> = config.log.timestamping.authorities.iter().map(|a| a.url.as_str()).collect();
        assert_eq!(urls, ["http://tsa.example.com/tsr", "https://tsa.example.org/"]);
        assert_ne!(config.sha256("k"), none.sha256("k"));
        for format in [PrintFormat::Yaml, PrintFormat::Json] {
            let printed = config.print(format);
            let again = Config::parse("f", &printed, &Overrides::default(), &Environment::default(), UnixSeconds(1_795_000_000)).unwrap();
            assert_eq!((&again.log, again.sha256("k")), (&config.log, config.sha256("k")), "{printed}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_where_it_stands() {
        let entry = |inner: &str| format!("  timestamping:\n    - {{{inner}}}");
        for (text, place, part) in [
            (entry("url: 'http://a/'"), "f:3:7", "needs a `url`"),
            (entry("ca_file: a.pem"), "f:3:7", "needs a `url`"),
            (entry("url: 'http://a/', ca_file: a.pem, cafile: b"), "f:3:", "`cafile`"),
            (entry("url: 'ftp://a/', ca_file: a.pem"), "f:3:13", "write http://host/path"),
            (entry("url: 'http://me:secret@a/', ca_file: a.pem"), "f:3:13", "credentials"),
            (entry("url: 'http://a/?apikey=secret', ca_file: a.pem"), "f:3:13", "may be a secret"),
            (entry("url: 'http://a/#secret', ca_file: a.pem"), "f:3:13", "may be a secret"),
            (entry("url: 'http://a/', ca_file: a.pem, tls_ca_file: b.pem"), "f:3:7", "`tls_ca_file` is for https://"),
            (format!("{}\n    - {{url: 'http://a', ca_file: b.pem}}", entry("url: 'http://a/', ca_file: a.pem")), "f:4:7", "stands twice"),
            ("  timestamp_interval: 9s".to_owned(), "f:2:23", "10s"),
            ("  timestamp_interval: 169h".to_owned(), "f:2:23", "168h"),
        ] {
            let why = read(&text).unwrap_err();
            assert!(why.contains(place) && why.contains(part) && !why.contains("=secret") && !why.contains("#secret"), "{text}: {why}");
        }
        let nine: String = (0..9).map(|n| format!("\n    - {{url: 'http://a{n}/', ca_file: a.pem}}")).collect();
        assert!(read(&format!("  timestamping:{nine}")).unwrap_err().contains("more than 8 entries"));
    }
}
