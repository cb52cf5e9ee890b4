//! `content` and its vault: what follows from where the store lies, and what contradicts.

use std::path::PathBuf;

use super::read::path;
use super::references::references;
use super::section::Section;
use super::yaml::ConfigError;
use super::{Content, ContentMode, IdentityMode, Retention, VaultPlace};
use crate::elsewhere;
use crate::worm::StoreUrl;

/// What stands under `content`, before it is known whether persons are in the vault too.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    at: Section<'a>,
    mode: Option<ContentMode>,
    equality: bool,
    place: Option<VaultPlace>,
    references: elsewhere::Options,
}

/// Reads `content`.
pub(super) fn place<'a>(mut at: Section<'a>, store: &StoreUrl, retention: &Retention) -> Result<Wanted<'a>, ConfigError> {
    let words = [("vault", Some(ContentMode::Vault)), ("hash", Some(ContentMode::Hash))];
    let mode = at.word("mode", None, &words)?;
    let equality = at.flag("equality", false)?;
    let mut vault = at.section("vault")?;
    let url = vault.optional("url", |text| match StoreUrl::parse(text).map_err(|e| e.to_string())? {
        StoreUrl::Azure { .. } | StoreUrl::Gcs { .. } => Err(format!("`{text}`: a vault is a folder or an s3:// bucket in this version")),
        url => Ok(url),
    })?;
    let key_file = vault.optional("key_file", path)?;
    let period = vault.optional("retention", str::parse)?;
    let url = match url.or_else(|| beside(store)) {
        None if key_file.is_some() || period.is_some() => {
            return Err(vault.error(format!("`content.vault` has no `url`: {WHERE}")));
        }
        url => url,
    };
    let default = retention.classes.class(retention.classes.default_class()).period;
    let place = url.map(|url| VaultPlace {
        url,
        key_file: key_file.unwrap_or_else(|| PathBuf::from("./spanseal-vault.key")),
        retention: period.unwrap_or(default),
    });
    vault.finish()?;
    let references = references(at.section("references")?)?;
    Ok(Wanted { at, mode, equality, place, references })
}

const WHERE: &str =
    "name a folder, or a bucket without versioning and without Object Lock (what is erased must be gone), outside the store";

/// The folder beside a store that is a folder. A store that has no name (`/`, `..`) has no neighbour that could be named after it.
fn beside(store: &StoreUrl) -> Option<StoreUrl> {
    let StoreUrl::File(store) = store else { return None };
    let mut name = store.file_name()?.to_owned();
    name.push("-vault");
    Some(StoreUrl::File(store.with_file_name(name)))
}

impl Wanted<'_> {
    /// Whether there is a place for a vault.
    pub(super) fn is_there(&self) -> bool {
        self.place.is_some()
    }

    /// `content` with its defaults.
    pub(super) fn content(self, identity: IdentityMode) -> Result<Content, ConfigError> {
        let Wanted { at, mode, equality, place, references } = self;
        let mode = mode.unwrap_or(if place.is_some() { ContentMode::Vault } else { ContentMode::Hash });
        let wants = match (mode, identity) {
            (ContentMode::Vault, _) => Some("content.mode"),
            (_, IdentityMode::Vault) => Some("identity.mode"),
            _ => None,
        };
        let vault = match (wants, place) {
            (Some(key), None) => return Err(at.error(format!("`{key}: vault` needs `content.vault.url`: {WHERE}"))),
            (Some(_), place) => place,
            (None, _) => None,
        };
        at.finish()?;
        Ok(Content { mode, equality, vault, references })
    }
}
