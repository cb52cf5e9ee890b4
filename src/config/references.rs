//! `content.references`: from where content is fetched that telemetry only names.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::read::path;
use super::section::Section;
use super::units::{duration_within, show_size, size_within};
use super::yaml::ConfigError;
use super::{Config, DURATION_MIN};
use crate::elsewhere::{From, Options, PLACES_MAX, Place};
use crate::vault::resolved;
use crate::worm::StoreUrl;

const KIB: u64 = 1024;
const MIB: u64 = KIB * KIB;

pub(super) fn references(mut at: Section<'_>) -> Result<Options, ConfigError> {
    let mut from: Vec<From> = Vec::new();
    for mut entry in at.sections("from")?.unwrap_or_default() {
        let (place, ca_file) = (entry.optional("prefix", Place::parse)?, entry.optional("ca_file", path)?);
        let Some(place) = place else {
            let missing = entry.error(
                "an entry of `content.references.from` needs a `prefix`, as in s3://bucket/folder/, https://host/folder/ or file:///folder/",
            );
            // A key that is misspelt says more.
            entry.finish()?;
            return Err(missing);
        };
        if from.iter().any(|other| other.place == place) {
            return Err(entry.error(format!("`{place}` stands twice in `content.references.from`")));
        }
        if ca_file.is_some() && !place.is_https() {
            return Err(entry.error(format!("`ca_file` is for https://, and `{place}` is none (of buckets it is `store.s3.ca_file`)")));
        }
        if from.len() == PLACES_MAX {
            return Err(entry.error(format!("`content.references.from` has more than {PLACES_MAX} entries")));
        }
        entry.finish()?;
        from.push(From { place, ca_file });
    }
    let bytes_max = at.value("max_bytes", MIB, |text| size_within(text, KIB, 64 * MIB))?;
    let timeout = at.value("timeout", Duration::from_secs(2), |text| duration_within(text, DURATION_MIN, Duration::from_secs(5)))?;
    let parallel = at.value("parallel", 8, |text| {
        let allowed = text.parse::<usize>().ok().filter(|n| (1..=256).contains(n));
        allowed.ok_or_else(|| format!("`{text}` is not a whole number from 1 to 256"))
    })?;
    at.finish()?;
    Ok(Options { from, bytes_max: usize::try_from(bytes_max).unwrap_or(usize::MAX), timeout, parallel })
}

/// What only the whole configuration shows.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let of = &config.content.references;
    if of.from.is_empty() {
        return Ok(());
    }
    let pool = config.seal.pool_bytes;
    if u64::try_from(of.bytes_max).unwrap_or(u64::MAX) > pool / 4 {
        return Err(ConfigError::new(format!(
            "`content.references.max_bytes` is more than a quarter of `seal.pool_bytes` ({}), out of which it is paid while it is fetched: lower the one or \
             raise the other",
            show_size(pool)
        )));
    }
    // Whoever may send telemetry may name every file of such a folder.
    for folder in of.from.iter().filter_map(|from| from.place.folder()) {
        if let Some((key, file)) = private(config).into_iter().find(|(_, file)| overlap(folder, file)) {
            return Err(ConfigError::new(format!(
                "`content.references` would fetch from `{}`, which reaches `{key}` (`{}`): name a folder that holds such content and nothing else",
                folder.display(),
                file.display()
            )));
        }
    }
    Ok(())
}

/// Files and folders that are nobody's content.
fn private(config: &Config) -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> =
        vec![("log.key_file".to_owned(), config.log.key_file.clone()), ("identity.key_file".to_owned(), config.identity.key_file.clone())];
    let mut add = |key: &str, path: Option<&PathBuf>| found.extend(path.map(|path| (key.to_owned(), path.clone())));
    let folder = |url: &StoreUrl| match url {
        StoreUrl::File(path) => Some(path.clone()),
        StoreUrl::S3 { .. } | StoreUrl::Azure { .. } | StoreUrl::Gcs { .. } => None,
    };
    add("store.url", folder(&config.store.url).as_ref());
    add("log.next_key_file", config.log.next_key_file.as_ref());
    if let Some(vault) = &config.content.vault {
        add("content.vault.key_file", Some(&vault.key_file));
        add("content.vault.url", folder(&vault.url).as_ref());
    }
    for (name, listener) in config.listeners() {
        add(&format!("{name}.auth.token_file"), listener.token_file.as_ref());
        add(&format!("{name}.tls.key_file"), listener.tls.as_ref().map(|tls| &tls.key_file));
    }
    found
}

/// Whether one lies in the other, links followed.
fn overlap(folder: &Path, other: &Path) -> bool {
    let (folder, other) = (resolved(folder), resolved(other));
    folder.starts_with(&other) || other.starts_with(&folder)
}
