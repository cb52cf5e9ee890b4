//! `log.witnesses`: who is asked to cosign, how many count, and how often.

use std::time::Duration;

use url::Url;

use super::read::path;
use super::section::Section;
use super::units::duration_within;
use super::yaml::ConfigError;
use crate::tlog::cosignature::WitnessKey;
use crate::witness::client::{PLACES_MAX, Place};
use crate::worm::s3::is_loopback;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Reads the three keys of `log`.
pub(super) fn witnesses(at: &mut Section<'_>) -> Result<(Vec<Place>, usize, Duration), ConfigError> {
    let mut places: Vec<Place> = Vec::new();
    for mut entry in at.sections("witnesses")?.unwrap_or_default() {
        let key = entry.optional("vkey", |text| WitnessKey::parse(text.trim()).map_err(|e| e.to_string()))?;
        let allow_http = entry.flag("allow_http", false)?;
        let url = entry.optional("url", |text| prefix(text, allow_http))?;
        let ca_file = entry.optional("ca_file", path)?;
        let (Some(key), Some(url)) = (key, url) else {
            let missing = entry.error(
                "an entry of `log.witnesses` needs a `vkey`, as its operator gives it, and a `url`, as in https://witness.example.com",
            );
            // A key that is misspelt says more.
            entry.finish()?;
            return Err(missing);
        };
        if let Some(other) = places.iter().find(|other| other.key.is_same_key(&key)) {
            return Err(entry.error(format!("`{}` and `{}` are one key in `log.witnesses`, so one witness", other.key.name(), key.name())));
        }
        if ca_file.is_some() && !url.starts_with("https:") {
            return Err(entry.error(format!("`ca_file` is for https://, and `{url}` is none")));
        }
        if places.len() == PLACES_MAX {
            return Err(entry.error(format!("`log.witnesses` has more than {PLACES_MAX} entries")));
        }
        entry.finish()?;
        places.push(Place { key, url, allow_http, ca_file });
    }
    let most = places.len();
    let quorum = at.value("witness_quorum", most, |text| match text.parse::<usize>() {
        Ok(quorum) if (1..=most).contains(&quorum) => Ok(quorum),
        _ if most == 0 => Err("there are no `log.witnesses`; remove the key, or name some".to_owned()),
        _ => Err(format!("`{text}` is not a whole number from 1 to {most}, the number of `log.witnesses`")),
    })?;
    let interval = at.value("witness_interval", MINUTE, |text| duration_within(text, Duration::from_secs(1), DAY))?;
    Ok((places, quorum, interval))
}

/// A submission prefix without its last slash.
fn prefix(text: &str, allow_http: bool) -> Result<String, String> {
    let url = Url::parse(text).map_err(|_| format!("`{text}` is not a URL; write https://host or https://host/prefix"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has credentials in it, and a witness asks for none".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "`{text}` has a query or a fragment; `/add-checkpoint` is put behind it, so write https://host or https://host/prefix"
        ));
    }
    match url.scheme() {
        "https" => {}
        "http" if allow_http || is_loopback(&url) => {}
        "http" => return Err(format!("`{text}` is plain HTTP beyond this machine; use https, or set `allow_http: true` beside it")),
        _ => return Err(format!("`{text}`: write https://host or https://host/prefix")),
    }
    if url.host_str().is_none() {
        return Err(format!("`{text}` names no host"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use crate::clock::UnixSeconds;
    use crate::config::{Config, Environment, Overrides, PrintFormat};
    use crate::tlog::cosignature::Cosigner;

    fn key(seed: u8, name: &str) -> String {
        Cosigner::new(name, &[seed; 32]).unwrap().public().to_string()
    }

    fn read(log: &str) -> Result<Config, String> {
        let text = format!("log:\n{log}\n");
        Config::parse("f", &text, &Overrides::default(), &Environment::default(), UnixSeconds(1_795_000_000)).map_err(|e| e.to_string())
    }

    #[test]
    fn witnesses_are_read_printed_and_part_of_the_configuration() {
        let none = read("  name: audit").unwrap();
        assert_eq!((none.log.witnesses.len(), none.log.witness_quorum, none.log.witness_interval.as_secs()), (0, 0, 60));
        let (one, two) = (key(1, "w.example/1"), key(2, "w.example/2"));
        let text = format!(
            "  name: audit\n  witnesses:\n    - {{vkey: '{one}', url: 'https://w.example/a/'}}\n    - {{vkey: '{two}', url: 'http://127.0.0.1:8730', \
             ca_file: }}\n  witness_quorum: 1\n  witness_interval: 5m"
        );
        let config = read(&text).unwrap();
        let urls: Vec<_> = config.log.witnesses.iter().map(|w| w.url.as_str()).collect();
        assert_eq!((urls, config.log.witness_quorum), (vec!["https://w.example/a", "http://127.0.0.1:8730"], 1));
        assert_ne!(config.sha256("k"), none.sha256("k"));
        for format in [PrintFormat::Yaml, PrintFormat::Json] {
            let printed = config.print(format);
            let again = Config::parse("f", &printed, &Overrides::default(), &Environment::default(), UnixSeconds(1_795_000_000)).unwrap();
            assert_eq!((&again.log, again.sha256_of_print()), (&config.log, config.sha256_of_print()), "{printed}");
        }
        // Who says nothing of a quorum asks for all.
        assert_eq!(read(&text.replace("  witness_quorum: 1\n", "")).unwrap().log.witness_quorum, 2);
    }

    impl Config {
        fn sha256_of_print(&self) -> String {
            self.sha256("k").to_string()
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_at_its_line() {
        let one = key(1, "w.example/1");
        let entry = |more: &str| format!("  witnesses:\n    - {{vkey: '{one}', url: 'https://w.example'{more}}}");
        assert!(read(&entry("")).is_ok());
        let log_key = crate::tlog::note::NoteSigner::new("w.example/1", &[1; 32]).unwrap().verifier().to_string();
        for (bad, says) in [
            (entry("").replace(&one, "w.example/1+00000000+AAAA"), "only Ed25519 cosignature keys"),
            (entry("").replace(&one, &log_key), "only Ed25519 cosignature keys"),
            (entry("").replace("https://w.example", "http://w.example"), "plain HTTP beyond this machine"),
            (entry("").replace("https://w.example", "https://u:p@w.example"), "credentials"),
            (entry("").replace("https://w.example", "https://w.example/?a=b"), "query"),
            (entry("").replace("https://w.example", "ftp://w.example"), "write https://host"),
            (entry("").replace("https://w.example", "w.example"), "not a URL"),
            (entry(", ca_file: ./ca.pem").replace("https://w.example", "http://localhost:1"), "`ca_file` is for https://"),
            (entry(", uri: x"), "nearest known key is `url`"),
            ("  witnesses:\n    - {url: 'https://w.example'}".to_owned(), "needs a `vkey`"),
            (format!("{}\n    - {{vkey: '{}', url: 'https://x.example'}}", entry(""), key(1, "other")), "are one key"),
            (format!("{}\n  witness_quorum: 2", entry("")), "from 1 to 1"),
            (format!("{}\n  witness_quorum: 0", entry("")), "from 1 to 1"),
            ("  witness_quorum: 1".to_owned(), "no `log.witnesses`"),
            (format!("{}\n  witness_interval: 10ms", entry("")), "witness_interval"),
        ] {
            let error = read(&bad).unwrap_err();
            assert!(error.contains(says) && error.contains("f:"), "{bad}: {error}");
        }
        assert!(read(&entry(", allow_http: true").replace("https://w.example", "http://w.example")).is_ok());
        let many: String = (0..17).map(|n| format!("\n    - {{vkey: '{}', url: 'https://w.example'}}", key(n + 1, "w"))).collect();
        assert!(read(&format!("  witnesses:{many}")).unwrap_err().contains("more than 16"));
    }
}
