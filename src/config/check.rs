//! What only the whole configuration shows: one clear sentence for each contradiction, and the warnings of what is allowed but unwise.

use std::cmp::Ordering;
use std::net::IpAddr;

use url::Url;

use super::yaml::ConfigError;
use super::{Config, ContentMode, Endpoint, IdentityMode, Listener, references, retention, rules, show_duration, show_size};
use crate::plain::{HIDDEN, SECRET_KEY};
use crate::promote::{IdentityKey, Promoter, Scrub};
use crate::vault::{Persons, expect_apart, resolved};
use crate::worm::StoreUrl;
use crate::worm::s3::is_loopback;

pub(super) fn all(config: &Config) -> Result<(), ConfigError> {
    ports(config)?;
    s3_endpoint(config)?;
    clouds(config)?;
    key_files(config)?;
    vault(config)?;
    references::check(config)?;
    own_telemetry(config)?;
    promise(config)?;
    promotion(config)
}

/// Every seal promises the next within a heartbeat. A batch that may stay open for longer than half of that would have to be closed early
/// again and again, and a store that is slow once would break the promise: a reader would see silence where there was none.
fn promise(config: &Config) -> Result<(), ConfigError> {
    let delay = config.seal.max_delay;
    match config.seal.heartbeat {
        Some(heartbeat) if delay > heartbeat / 2 => Err(ConfigError::new(format!(
            "`seal.max_delay` ({}) is more than half of `seal.heartbeat` ({}): every seal promises the next within a heartbeat, and a batch that \
             stays open for so long would break that; shorten `seal.max_delay` or lengthen `seal.heartbeat`",
            show_duration(delay),
            show_duration(heartbeat)
        ))),
        _ => Ok(()),
    }
}

/// Dialects and patterns mean what the promoter says they mean, so it is asked; the key decides nothing here.
fn promotion(config: &Config) -> Result<(), ConfigError> {
    let scrub = Scrub::new(&config.identity.scrub).map_err(ConfigError::new)?;
    if let Some(place) = rules::person(&config.promotion.rules, &config.confidence.thresholds, &retention::json(&config.retention), &scrub)
    {
        // Not the text itself: the message goes to logs.
        return Err(ConfigError::new(format!(
            "`{place}` looks like a person (`identity.scrub`, or an e-mail address or a telephone number), and rules, thresholds and policies are \
             sealed in clear; write it so that it names nobody"
        )));
    }
    let settings = config.promotion_settings(IdentityKey::new([0; 32]), Persons::default());
    Promoter::new(settings).map(|_| ()).map_err(ConfigError::new)
}

fn ports(config: &Config) -> Result<(), ConfigError> {
    let all = config.listeners();
    for (i, (name, listener)) in all.iter().enumerate() {
        if let Some((other, _)) = all.iter().take(i).find(|(_, o)| o.endpoint.collides(&listener.endpoint)) {
            return Err(ConfigError::new(format!(
                "`{other}.endpoint` and `{name}.endpoint` both want port {}; give each its own",
                listener.endpoint.port
            )));
        }
    }
    Ok(())
}

/// Azure and GCS: where they are asked, and that they are write-once or nothing.
fn clouds(config: &Config) -> Result<(), ConfigError> {
    for (section, endpoint) in [("store.azure", &config.store.azure), ("store.gcs", &config.store.gcs)] {
        endpoint.checked(section).map_err(|why| ConfigError::new(format!("`{section}.endpoint` {why}")))?;
    }
    match config.store.url.caveat() {
        Some(_) if config.store.not_worm => Err(ConfigError::new(format!(
            "`store.not_worm` is for s3:// alone: `{}` is used with its locks, or not at all",
            config.store.url
        ))),
        _ => Ok(()),
    }
}

fn s3_endpoint(config: &Config) -> Result<(), ConfigError> {
    let Some(endpoint) = &config.store.s3.endpoint else { return Ok(()) };
    let wrong = |why: &str| Err(ConfigError::new(format!("`store.s3.endpoint` {why}")));
    let Ok(url) = Url::parse(endpoint) else {
        return wrong("is not a URL; write https://host:port");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(
            "has credentials in it; they belong into the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), never into a file",
        );
    }
    // `user:password@host` without a scheme has one in the eyes of a parser of URLs.
    let quoted = if endpoint.contains('@') { HIDDEN } else { endpoint.as_str() };
    if url.query().is_some() || url.fragment().is_some() {
        return wrong(&format!("`{quoted}`: write https://host:port, without `?` or `#`"));
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(&url) || config.store.s3.allow_http => Ok(()),
        "http" => wrong(&format!("`{endpoint}` is plain HTTP beyond this machine; use https, or set `store.s3.allow_http: true`")),
        _ => wrong(&format!("`{quoted}`: write https://host:port")),
    }
}

fn key_files(config: &Config) -> Result<(), ConfigError> {
    let vault = config.content.vault.as_ref();
    let mut files = vec![("log.key_file", &config.log.key_file), ("identity.key_file", &config.identity.key_file)];
    files.extend(config.log.next_key_file.as_ref().map(|file| ("log.next_key_file", file)));
    files.extend(vault.map(|vault| ("content.vault.key_file", &vault.key_file)));
    // What the log seals of its configuration has these paths in it.
    if let Some((name, _)) = files.iter().find(|(_, file)| file.to_string_lossy().contains(SECRET_KEY)) {
        return Err(ConfigError::new(format!(
            "`{name}` names a file, and here stands a secret key itself: put it into a file, and name that"
        )));
    }
    for (i, (two, file)) in files.iter().enumerate() {
        if let Some((one, same)) = files.iter().take(i).find(|(_, other)| resolved(other) == resolved(file)) {
            return Err(ConfigError::new(format!("`{one}` and `{two}` are the same file `{}`; a key has one purpose", same.display())));
        }
    }
    let places = [("store", "evidence", Some(&config.store.url)), ("vault", "vault", vault.map(|v| &v.url))];
    for (place, what, url) in places {
        let Some(url @ StoreUrl::File(root)) = url else { continue };
        if let Some((name, file)) = files.iter().find(|(_, file)| resolved(file).starts_with(resolved(root))) {
            return Err(ConfigError::new(format!(
                "`{name}` `{}` lies inside the {place} `{url}`; whoever copies the {what} would copy the key, so keep it elsewhere",
                file.display(),
            )));
        }
    }
    Ok(())
}

fn vault(config: &Config) -> Result<(), ConfigError> {
    let Some(vault) = &config.content.vault else { return Ok(()) };
    expect_apart(&config.store.url, &vault.url, &config.log.name).map_err(|e| ConfigError::new(e.to_string()))
}

fn own_telemetry(config: &Config) -> Result<(), ConfigError> {
    let Some(export) = &config.telemetry.otlp else { return Ok(()) };
    let wrong = |why: String| Err(ConfigError::new(format!("`telemetry.otlp.endpoint` {why}")));
    let (Ok(url), true) = (Url::parse(&export.endpoint), export.endpoint.contains("://")) else {
        return wrong(format!("`{}` is not a URL; write http://host:port", export.endpoint));
    };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return wrong(format!("`{}` names no host; write http://host:port", export.endpoint));
    };
    if url.scheme() != "http" {
        return wrong(format!(
            "`{}`: own metrics are pushed over http:// (gRPC) only; let a Collector beside this process forward them",
            export.endpoint
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("has credentials in it; let a Collector beside this process add them".to_owned());
    }
    if !is_loopback(&url) && !export.allow_http {
        return wrong(format!(
            "`{}` is plain HTTP beyond this machine; push to a Collector beside this process, or set `telemetry.otlp.allow_http: true`",
            export.endpoint
        ));
    }
    let target = Endpoint { host: host.trim_matches(['[', ']']).to_owned(), port };
    if let Some((name, _)) = config.listeners().into_iter().find(|(_, l)| l.endpoint.collides(&target)) {
        return wrong(format!("is our own listener `{name}`; metrics about receiving must not be received"));
    }
    Ok(())
}

/// What would end a warning about a vault that is not there.
fn without_vault(config: &Config) -> &'static str {
    match config.content.vault {
        None => "; set `content.vault.url` to keep both in a vault, where they can be erased",
        Some(_) => "",
    }
}

/// What is allowed and should be known.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let mut all = Vec::new();
    match config.identity.mode {
        IdentityMode::Vault => {}
        IdentityMode::Keyed => all.push(format!(
            "identity.mode is `keyed`: pseudonyms of persons cannot be erased one by one; only destroying the identity key erases, and it \
             erases everybody{}",
            without_vault(config)
        )),
        IdentityMode::Plain => all.push(
            "identity.mode is `plain`: ids of persons are sealed as sent and cannot be erased before their retention ends".to_owned(),
        ),
    }
    if config.content.mode == ContentMode::Hash {
        all.push(format!(
            "content.mode is `hash`: what was said is sealed as keyed hash and kept nowhere, so nobody can read it again{}",
            without_vault(config)
        ));
    }
    match &config.store.url {
        StoreUrl::File(_) => all.push(format!(
            "`{}` is a folder: a file system is not write-once storage, so whoever can write to it can change or remove evidence (verification \
             shows it, nothing prevents it); every seal says `not_worm`",
            config.store.url
        )),
        StoreUrl::S3 { .. } if config.store.not_worm => all.push(format!(
            "store.not_worm: objects in `{}` are put without locks, so evidence can be removed; every seal says `not_worm`",
            config.store.url
        )),
        StoreUrl::S3 { .. } => {}
        StoreUrl::Azure { .. } | StoreUrl::Gcs { .. } => {}
    }
    all.extend(config.store.url.caveat().map(|caveat| format!("`{}`: {caveat}", config.store.url)));
    all.extend(retention::doubts(&config.retention));
    all.extend(rules::doubts(&config.promotion.rules, &config.confidence.thresholds));
    if config.content.vault.is_some() && config.api.is_in_the_clear() {
        all.push(
            "`api` is reached over plain HTTP beyond this machine, so a running `serve` takes no erasures; set `api.tls`, or `api.endpoint` to a \
             loopback address"
                .to_owned(),
        );
    }
    let default = config.retention.classes.class(config.retention.classes.default_class());
    if let Some(place) = &config.content.vault
        && place.retention.compare(default.period) == Some(Ordering::Greater)
    {
        all.push(format!(
            "`content.vault.retention` ({}) is longer than the retention of class `{}` ({}): once evidence is gone, nobody knows any more whose the content \
             of its time is, and nobody can be erased; keep content no longer than evidence",
            place.retention, default.name, default.period
        ));
    }
    let largest = config.receivers.grpc.iter().chain(&config.receivers.http).map(|receiver| receiver.request_bytes_max).max().unwrap_or(0);
    // Records take up to twice their request, and what they repeat of long names besides.
    if config.seal.pool_bytes.saturating_mul(4) < largest {
        all.push(format!(
            "`seal.pool_bytes` ({}) is little beside the largest request that is let in ({}): the spans and logs of a request that becomes more than \
             eight pools are rejected for good; raise it",
            show_size(config.seal.pool_bytes),
            show_size(largest)
        ));
    }
    // Each of the two in one line, however many listeners it is about.
    let reachable = |listener: &Listener| listener.endpoint.ip().is_none_or(|ip: IpAddr| !ip.is_loopback());
    let open: Vec<(&str, &Listener)> = config.listeners().into_iter().filter(|(_, listener)| reachable(listener)).collect();
    let plain: Vec<(&str, &Listener)> = open.iter().copied().filter(|(_, listener)| listener.tls.is_none()).collect();
    let is_authenticated =
        |listener: &Listener| listener.token_file.is_some() || listener.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
    let strangers: Vec<(&str, &Listener)> = open.iter().copied().filter(|(_, listener)| !is_authenticated(listener)).collect();
    if !plain.is_empty() {
        all.push(format!("without TLS: {}: who can see the network can read and change what is sent; set `tls` there", listed(&plain)));
    }
    if !strangers.is_empty() {
        all.push(format!("anybody is let in: {}; set `auth.token_file` or `tls.client_ca_file` there", listed(&strangers)));
    }
    all
}

/// Listeners with their addresses.
fn listed(listeners: &[(&str, &Listener)]) -> String {
    listeners.iter().map(|(name, listener)| format!("`{name}` ({})", listener.endpoint)).collect::<Vec<_>>().join(", ")
}
