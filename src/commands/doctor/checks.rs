//! What can be examined without leaving anything behind: in a local store a file is made outside every log, and removed.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::Report;
use crate::clock::{Clock, SystemClock};
use crate::commands::output::{absolute, absolute_store, enforced};
use crate::config::Config;
use crate::govern::longest;
use crate::plain::counted;
use crate::promote::IdentityKey;
use crate::receive::token::plain_tokens;
use crate::seal::keys::{KeyError, LogKey, LogKeys};
use crate::seal::{CLOCK_SKEW_MAX_SECONDS, Examined, KeyTurn, OpenError, examine};
use crate::serve::keys::{load_identity, load_next, log_exists};
use crate::serve::{BindError, bind, is_spanseal};
use crate::worm::local::Place;
use crate::worm::{self, Locks, StoreUrl, WormStore};

/// A clock further off than this is worth a word; the writer stops at [`CLOCK_SKEW_MAX_SECONDS`].
const SKEW_WARN_SECONDS: i64 = 30;

pub(super) fn configuration(config: &Config, report: &mut Report) {
    let from = config.file.as_ref().map_or("embedded defaults".to_owned(), |f| f.display().to_string());
    report.ok("configuration", from);
    for warning in &config.warnings {
        report.warning("configuration", warning);
    }
    let enforced = enforced(if is_lockable(config) { Locks::Enforced } else { Locks::None });
    for (_, class) in config.retention.classes.iter() {
        let claimable = if class.claimable { ", telemetry may ask for it" } else { "" };
        report.ok("retention", format!("class `{}`: {} for {}{claimable}{enforced}", class.name, class.mode.as_str(), class.period));
    }
    let now = SystemClock.now().ceil_seconds();
    let classes = &config.retention.classes;
    report.ok(
        "retention",
        format!(
            "spanseal's own acts (changes of the configuration, holds, readings, looks at locks): kept as long as the longest class, `{}`{enforced}",
            classes.class(longest(classes, now)).name
        ),
    );
    let (mode, period) = classes.evidence(now);
    report.ok(
        "retention",
        format!(
            "evidence (`log.json` and every seal): {} for {period}, the strongest mode and the longest period of all classes{enforced}",
            mode.as_str()
        ),
    );
}

/// Certificates, their keys and tokens: there, readable, and the secret ones not readable by others.
pub(super) fn files(config: &Config, report: &mut Report) {
    for (name, listener) in config.listeners() {
        let tls = listener.tls.as_ref();
        let public = [("tls.cert_file", tls.map(|t| &t.cert_file)), ("tls.client_ca_file", tls.and_then(|t| t.client_ca_file.as_ref()))];
        for (key, path) in public.into_iter().filter_map(|(k, p)| Some((k, p?))) {
            file(&format!("{name}.{key}"), path, false, report);
        }
        if let Some(path) = tls.map(|tls| &tls.key_file) {
            file(&format!("{name}.tls.key_file"), path, true, report);
        }
        if let Some(path) = &listener.token_file {
            // Hashes alone tell nothing of their tokens.
            file(&format!("{name}.auth.token_file"), path, plain_tokens(path) != Some(0), report);
        }
    }
    let of = &config.store;
    for (key, path) in
        [("store.s3.ca_file", &of.s3.ca_file), ("store.azure.ca_file", &of.azure.ca_file), ("store.gcs.ca_file", &of.gcs.ca_file)]
    {
        path.iter().for_each(|path| file(key, path, false, report));
    }
}

fn file(key: &str, path: &Path, secret: bool, report: &mut Report) {
    let shown = path.display();
    match std::fs::File::open(path).and_then(|f| f.metadata()) {
        Err(e) => report.problem("files", format!("`{key}` `{shown}` cannot be read: {e}; check the path and who may read it")),
        Ok(found) if secret && found.mode() & 0o077 != 0 => {
            report.warning(
                "files",
                format!("`{key}` `{shown}` can be read by others (mode {:03o}); run `chmod 600 {shown}`", found.mode() & 0o777),
            );
        }
        Ok(_) => report.ok("files", format!("`{key}` `{shown}` can be read")),
    }
}

/// The store itself: reachable, versioned, locked, on time. `None` where it cannot be asked.
pub(super) async fn store(config: &Config, report: &mut Report) -> Option<Arc<dyn WormStore>> {
    let (url, shown) = (&config.store.url, absolute_store(&config.store.url));
    let opened = match worm::open(url, &config.store.options()).await {
        Ok(store) => store,
        Err(error @ worm::OpenError::Invalid { .. }) => {
            report.problem("store", error.to_string());
            return None;
        }
        Err(error @ worm::OpenError::Unreachable { .. }) => {
            report.unchecked("store", error.to_string());
            return None;
        }
    };
    let state = match opened.state().await {
        Ok(state) => state,
        Err(error) if error.is_retryable() => {
            report.unchecked("store", format!("{url} could not be asked: {error}"));
            return None;
        }
        Err(error) => {
            report.problem("store", format!("{url}: {error}"));
            return None;
        }
    };
    if let StoreUrl::File(root) = url {
        match worm::local::probe(root, &config.log.name).await {
            Ok(Place::Writable) => report.ok("store", format!("{shown} can be read and written")),
            Ok(Place::CanBeMade) => report.ok("store", format!("{shown} does not exist yet and can be made")),
            Err(error) => {
                report.problem("store", error.to_string());
                // What is there can still be examined.
                return root.is_dir().then_some(opened);
            }
        }
    } else {
        report.ok("store", format!("{shown} answers"));
    }
    if let Some(caveat) = url.caveat() {
        report.warning("store", format!("{url}: {caveat}"));
    }
    match (opened.locks(), state.versioning, state.object_lock) {
        (Locks::None, ..) => {}
        (Locks::Enforced, Some(true), Some(true)) => report.ok("object lock", lock_words(url)),
        (Locks::Enforced, ..) => report.problem("object lock", crate::serve::no_object_lock(url, &state)),
    }
    if let Some(default) = &state.default_retention {
        report.ok(
            "object lock",
            format!(
                "the bucket locks new objects by default: {default}; `checkpoint`, which is replaced often, gets a short lock of its own"
            ),
        );
    }
    match opened.clock_skew_seconds() {
        Some(skew) if skew.abs() > CLOCK_SKEW_MAX_SECONDS => {
            report.problem(
                "clock",
                format!(
                    "the store's clock is {skew} s ahead of this machine's; beyond {CLOCK_SKEW_MAX_SECONDS} s nothing is sealed: set the clock"
                ),
            );
        }
        Some(skew) if skew.abs() > SKEW_WARN_SECONDS => {
            report.warning(
                "clock",
                format!("the store's clock is {skew} s ahead of this machine's; set the clock before it is {CLOCK_SKEW_MAX_SECONDS}"),
            );
        }
        Some(skew) => report.ok("clock", format!("{skew} s off the store's")),
        None => report.ok("clock", "this store has no clock of its own to compare with"),
    }
    Some(opened)
}

/// What the store says it has, in its own words.
fn lock_words(url: &StoreUrl) -> &'static str {
    match url {
        StoreUrl::File(_) | StoreUrl::S3 { .. } => "versioning and Object Lock are enabled",
        StoreUrl::Azure { .. } => "version-level immutability is enabled, and with it versioning",
        StoreUrl::Gcs { .. } => "object versioning and per-object retention are enabled",
    }
}

/// Both key files, and whether they are those of the log in the store.
pub(super) async fn keys(config: &Config, store: Option<&Arc<dyn WormStore>>, report: &mut Report) {
    let name = &config.log.name;
    let exists = match store {
        None => None,
        Some(store) => match log_exists(store.as_ref(), name).await {
            Ok(exists) => Some(exists),
            Err(error) => {
                report.unchecked("log", format!("whether the log `{name}` exists could not be found out: {error}"));
                None
            }
        },
    };
    let missing = |key: &str, path: &Path, report: &mut Report| match exists {
        Some(false) => report.ok(
            "keys",
            format!("`{key}` `{}` does not exist; `serve` makes it with the log, or make it now with `spanseal keygen`", absolute(path)),
        ),
        Some(true) => report.problem(
            "keys",
            format!(
                "`{key}` `{}` does not exist, but the log `{name}` does: bring the file back from where it is backed up",
                absolute(path)
            ),
        ),
        None => {
            report.unchecked("keys", format!("`{key}` `{}` does not exist; whether the log does could not be found out", absolute(path)))
        }
    };
    let mut configuration = None;
    match load_identity(&config.identity.key_file) {
        Ok(key) => {
            let key = IdentityKey::new(*key.0);
            report.ok(
                "keys",
                format!(
                    "identity key `{}` is good; id {}, config_sha256 with it {}",
                    absolute(&config.identity.key_file),
                    key.id(),
                    config.sha256(key.id())
                ),
            );
            configuration = Some(config.sealed_text(key.id()));
        }
        Err(KeyError::Missing(path)) => missing("identity.key_file", &path, report),
        Err(error) => report.problem("keys", error.to_string()),
    }
    let key = match LogKey::load(&config.log.key_file) {
        Ok(key) => key,
        Err(KeyError::Missing(path)) => return missing("log.key_file", &path, report),
        Err(error) => return report.problem("keys", error.to_string()),
    };
    if let Err(error) = key.expect_origin(&config.log.origin) {
        return report.problem("keys", error.to_string());
    }
    report.ok("keys", format!("log key `{}` is good; public half {}", absolute(&config.log.key_file), key.verifier()));
    let next = match load_next(config) {
        Ok(next) => next,
        Err(error) => return report.problem("keys", error.to_string()),
    };
    if let Some(next) = &next {
        let file = config.log.next_key_file.as_deref().map(absolute).unwrap_or_default();
        report.ok("keys", format!("next log key `{file}` is good; public half {}", next.verifier()));
    }
    if let Some(store) = store {
        log(config, store, &mut LogKeys { key, next }, configuration.as_deref(), report).await;
    }
}

/// The log, judged as `serve` would.
async fn log(config: &Config, store: &Arc<dyn WormStore>, keys: &mut LogKeys, configuration: Option<&str>, report: &mut Report) {
    let name = &config.log.name;
    match examine(store, name, keys, &config.retention.classes, &SystemClock, configuration).await {
        Ok(Examined { created: Some(created), seals, turn, .. }) => {
            report.ok(
                "log",
                format!("`{}` exists since {created}, has {}, and its key fits", config.log.origin, counted(seals, "seal", "seals")),
            );
            match turn {
                KeyTurn::Key => {}
                KeyTurn::Announces => report.ok("log", "the next start of `serve` changes to the key in `log.next_key_file`, for good"),
                KeyTurn::Next => {
                    report.ok("log", "it has changed to the key in `log.next_key_file`; `log.key_file` may now name that file");
                }
            }
        }
        Ok(Examined { created: None, .. }) => report.ok("log", format!("`{name}` does not exist yet; `serve` makes it")),
        Err(OpenError::Read(error)) => report.unchecked("log", error.to_string()),
        Err(error) => report.problem("log", format!("{error}; `serve` refuses")),
    }
}

/// Whether the listeners could be opened now.
pub(super) async fn ports(config: &Config, report: &mut Report) {
    let running = is_spanseal(&config.api).await;
    for (name, listener) in config.listeners() {
        match bind(name, &listener.endpoint).await {
            Ok(_) => report.ok("ports", format!("{} is free", listener.endpoint)),
            Err(BindError::InUse { .. }) if running => {
                report.ok("ports", format!("{} is in use, and a spanseal answers at {}", listener.endpoint, config.api.endpoint));
            }
            Err(error) => report.problem("ports", error.to_string()),
        }
    }
}

/// Whether the canary has anything to show on this store.
pub(super) fn is_lockable(config: &Config) -> bool {
    !config.store.url.is_folder() && !config.store.not_worm
}
