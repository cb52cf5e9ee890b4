//! The vault: whether its place forgets what is deleted, and whether its key opens it. Nothing is left behind.

use std::collections::HashSet;
use std::sync::Arc;

use super::Report;
use crate::clock::{Clock, SystemClock};
use crate::commands::output::{absolute, absolute_store};
use crate::config::{Config, VaultPlace};
use crate::erase::{EraseError, Evident, Undone, evident, is_old, undone};
use crate::plain::counted;
use crate::record::identity::IdentityKey;
use crate::seal::first_key;
use crate::seal::keys::KeyError;
use crate::serve::ServeError;
use crate::serve::keys::{load_identity, load_log_keys, load_vault_key};
use crate::serve::vault::Log;
use crate::tlog::note::VerifierKey;
use crate::vault::told::day_of;
use crate::vault::{Options, Vault, VaultError, VaultStore, open_place, open_to_others};
use crate::worm::local::{Place, probe};
use crate::worm::{ObjectKey, StoreUrl, WormStore};

/// Packs that are opened at most; of more, as many that lie evenly among them.
const PACKS_TRIED_MAX: u64 = 1000;
/// Newest seals that are compared with what lies there.
const SEALS_COMPARED_MAX: u64 = 1000;
/// Of those that cannot be read, how many are told by name.
const PACKS_NAMED_MAX: usize = 10;

pub(super) async fn check(config: &Config, store: Option<&Arc<dyn WormStore>>, report: &mut Report) {
    let Some(place) = &config.content.vault else { return };
    let shown = absolute_store(&place.url);
    let opened = match open_place(&place.url, &config.store.options()).await {
        Ok(opened) => opened,
        Err(error) => return tell(report, &error),
    };
    if let StoreUrl::File(root) = &place.url {
        match probe(root, &config.log.name).await {
            Ok(Place::Writable) => {
                report.ok("vault", format!("{shown} can be read and written"));
                if let Some(warning) = [root.clone(), root.join(&config.log.name)].iter().find_map(|folder| open_to_others(folder)) {
                    report.warning("vault", warning);
                }
            }
            Ok(Place::CanBeMade) => report.ok("vault", format!("{shown} does not exist yet and can be made")),
            Err(error) => return report.problem("vault", format!("content.vault.url: {error}")),
        }
    } else {
        match opened.check().await {
            Ok(()) => report.ok("vault", format!("{shown} answers, and the bucket keeps neither versions nor locks")),
            Err(error) => return tell(report, &error),
        }
        match try_it(opened.as_ref(), &config.log.name).await {
            Ok(()) => report.ok("vault", "what is written there can be deleted again"),
            Err(error) => return tell(report, &error),
        }
    }
    report.ok("vault", format!("content is kept for {} from the day it was sealed; persons until they are erased", place.retention));
    key(config, place, (opened, store), report).await;
}

/// Writes an object and deletes it: the right to delete is missed only when it is too late.
async fn try_it(opened: &dyn VaultStore, log: &str) -> Result<(), VaultError> {
    let key = ObjectKey(format!("{log}/doctor/{}", std::process::id()));
    opened.put(&key, "written by `spanseal doctor`".into()).await?;
    opened.delete(&key).await?;
    match opened.get(&key).await? {
        None => Ok(()),
        Some(_) => Err(VaultError::Refused(format!("{} still has `{key}` after it was deleted; a vault must forget", opened.describe()))),
    }
}

/// The key, and whether it is the one of what lies there.
async fn key(
    config: &Config,
    place: &VaultPlace,
    (opened, store): (Arc<dyn VaultStore>, Option<&Arc<dyn WormStore>>),
    report: &mut Report,
) {
    let (log, file) = (&config.log.name, absolute(&place.key_file));
    let key = match load_vault_key(&place.key_file) {
        Ok(key) => key,
        Err(KeyError::Missing(_)) => {
            return match Vault::exists(opened.as_ref(), log).await {
                Ok(false) if is_gone(config, (place, opened.as_ref()), store, report).await => {}
                Ok(false) => report.ok("vault", format!("`content.vault.key_file` `{file}` does not exist; `serve` makes it")),
                Ok(true) => report.problem(
                    "vault",
                    format!(
                        "`content.vault.key_file` `{file}` does not exist, but the vault keeps things of the log `{log}`: bring the file back from \
                         where it is backed up"
                    ),
                ),
                Err(error) => tell(report, &error),
            };
        }
        Err(error) => return report.problem("vault", error.to_string()),
    };
    report.ok("vault", format!("vault key `{file}` is good; id {}", key.id()));
    // Without the log's keys and its store (which have lines of their own) nobody knows whose vault it should be.
    let (Some(store), Ok(mut own)) = (store, load_log_keys(config)) else { return };
    let Ok(first) = first_key(store, log, &mut own, &config.retention.classes, &SystemClock).await else { return };
    let vault = Vault::new(Options { store: Arc::clone(&opened), log: log.clone(), key });
    let misplaced = vault.misplaced();
    if !misplaced.is_empty() {
        return misplaced.iter().for_each(|error| tell(report, error));
    }
    match vault.is_owned_by(&first.to_string()).await {
        Ok(true) => {}
        Ok(false) if is_gone(config, (place, opened.as_ref()), Some(store), report).await => return,
        Ok(false) => return report.ok("vault", format!("it keeps nothing of the log `{log}` yet")),
        Err(error) => return tell(report, &error),
    }
    // All of them are read, as `serve` does at its start; nobody is looked for.
    if let Err(error) = vault.resolve(&HashSet::new()).await {
        return tell(report, &error);
    }
    match vault.strays().await {
        Ok(strays) => {
            for stray in strays {
                report.warning("vault", format!("`{stray}` is no object of a vault, and nothing reads it; take it away"));
            }
        }
        Err(error) => return tell(report, &error),
    }
    match vault.refused().await {
        Ok(refused) => {
            for error in &refused {
                report.problem("vault", error.to_string());
            }
            if !refused.is_empty() {
                return;
            }
        }
        Err(error) => return tell(report, &error),
    }
    match vault.find_state().await {
        Ok(Some(_)) => {}
        Ok(None) => report.problem(
            "vault",
            "what it remembers of itself (`state`) is not there: somebody deleted it, and whatever else was taken away cannot be told; `serve` \
             makes it again from evidence",
        ),
        Err(error) => return tell(report, &error),
    }
    match vault.missing_objects().await {
        Ok(missing) if missing.is_empty() => {}
        Ok(missing) => report.problem(
            "vault",
            format!(
                "{} not there any more, so whoever was named there cannot be told; put back what is missing from a backup while `serve` does not run",
                counted(missing.len(), "of its objects of persons is", "of its objects of persons are")
            ),
        ),
        Err(error) => return tell(report, &error),
    }
    let compared = compare(store, (log, &first), (place, &vault), report).await;
    packs(place, &vault, compared, report).await;
    stays_erased(store, (log, &first), &vault, report).await;
    match vault.intents().await {
        Ok(intents) if intents.is_empty() => report.ok("vault", format!("it is the vault of this log `{log}`")),
        Ok(intents) => {
            report.warning("vault", format!("begun and not finished: {}; `serve` does that", counted(intents.len(), "erasure", "erasures")))
        }
        Err(error) => tell(report, &error),
    }
}

/// What evidence says of what is gone, as far as the newest seals go.
async fn compare(
    store: &Arc<dyn WormStore>,
    of: (&str, &VerifierKey),
    (place, vault): (&VaultPlace, &Vault),
    report: &mut Report,
) -> Option<Evident> {
    let is_older = async { is_old(store, of, &vault.stored_state().await?).await };
    match is_older.await {
        Ok(false) => {}
        Ok(true) => report.problem(
            "vault",
            "what it remembers of itself (`state`) is older than the log: somebody put back an older copy of it, or of the whole vault, so what \
             came since and was taken away is found in the newest seals only",
        ),
        Err(error) => report.unchecked("vault", format!("whether its `state` is the newest one could not be found out: {error}")),
    }
    let by = (place.retention, SystemClock.now().ceil_seconds());
    let found = match evident(store, of, vault, (by, SEALS_COMPARED_MAX)).await {
        Ok(found) => found,
        Err(EraseError::Vault(error)) => {
            tell(report, &error);
            return None;
        }
        Err(error) => {
            report.unchecked("vault", format!("what its newest seals keep there could not be found out: {error}"));
            return None;
        }
    };
    if let Some(unread) = &found.unread {
        report.unchecked("vault", format!("not all that its newest seals keep there could be found out: {}", with_advice(unread)));
    }
    if found.persons > 0 {
        let text = format!(
            "not there, though records of the newest {} name them and no erasure took them: {}, who cannot be told any more; put `persons` back from a \
             backup while `serve` does not run",
            counted(found.looked, "seal", "seals"),
            counted(found.persons, "person", "persons")
        );
        report.problem("vault", text);
    }
    if found.seals.is_empty() && found.persons == 0 && found.unread.is_none() {
        report.ok(
            "vault",
            format!("what the newest {} of {} keep there is there, or was erased", found.looked, counted(found.size, "seal", "seals")),
        );
    }
    Some(found)
}

/// What could not be read, and what now, which may have been said of it already.
fn with_advice(unread: &str) -> String {
    const ADVICE: &str = "run `spanseal verify`";
    if unread.contains(ADVICE) { unread.to_owned() } else { format!("{unread}; {ADVICE}") }
}

/// Seals as they are named, some of many.
fn named(seals: &[u64]) -> String {
    let first: Vec<String> = seals.iter().take(PACKS_NAMED_MAX).map(ToString::to_string).collect();
    let more = if seals.len() > first.len() { ", and more" } else { "" };
    format!("{}{more}", first.join(", "))
}

/// Whether the packs are there, and can be read.
async fn packs(place: &VaultPlace, vault: &Vault, compared: Option<Evident>, report: &mut Report) {
    let mut found = match vault.look_at_packs((place.retention, SystemClock.now().ceil_seconds())).await {
        Ok(found) => found,
        Err(error) => return tell(report, &error),
    };
    let compared = compared.unwrap_or_default();
    found.learn(&compared.seals);
    for (day, seals) in &found.missing {
        let evident: Vec<u64> = compared.seals.iter().filter(|(_, at)| day_of(**at) == *day).map(|(seal, _)| *seal).collect();
        let which = if evident.is_empty() { String::new() } else { format!(" (of these: {})", named(&evident)) };
        let day = day.to_string();
        let day = day.split('T').next().unwrap_or_default();
        let text = format!(
            "the packs of {} of {day}{which} are not there any more, and no erasure took them, so what was said in them cannot be shown; \
             put `packs/{}` back from a backup",
            counted(seals, "seal", "seals"),
            day.replace('-', "")
        );
        report.problem("vault", text);
    }
    for stray in &found.strays {
        report.warning("vault", format!("`{stray}` is no object of a vault, and nothing reads it; take it away"));
    }
    match vault.try_packs(found.packs, PACKS_TRIED_MAX).await {
        Ok((tried, failed)) => {
            for error in failed.iter().take(PACKS_NAMED_MAX) {
                report.problem("vault", format!("{error}; put it back from a backup"));
            }
            let told: Vec<String> = failed.iter().map(ToString::to_string).collect();
            for short in found.short.iter().filter(|short| !told.iter().any(|told| told.contains(*short))).take(PACKS_NAMED_MAX) {
                report.problem("vault", format!("`{short}` is too short to be a pack; put it back from a backup"));
            }
            let (all, bad) = (found.packs, failed.len());
            match bad {
                0 if found.missing.is_empty() => report
                    .ok("vault", format!("of its {}, opened were {tried}, and all of these can be read", counted(all, "pack", "packs"))),
                0..=PACKS_NAMED_MAX => {}
                _ => report.problem(
                    "vault",
                    format!("of {} that were tried {bad} cannot be read (it has {all})", counted(tried, "pack", "packs")),
                ),
            }
        }
        Err(error) => tell(report, &error),
    }
}

/// Whether what was erased is not there.
async fn stays_erased(store: &Arc<dyn WormStore>, of: (&str, &VerifierKey), vault: &Vault, report: &mut Report) {
    match undone(store, of, vault).await {
        Ok(Undone { persons: 0, records: 0 }) => report.ok("vault", "nothing that was erased is there"),
        Ok(Undone { persons, records }) => report.problem(
            "vault",
            format!(
                "what was erased is there again (entries of persons: {persons}, records with content: {records}): somebody put back older \
                 copies of objects; `serve` erases it again when it starts"
            ),
        ),
        Err(EraseError::Unread(error) | EraseError::Vault(error)) => tell(report, &error),
        Err(error) => report.unchecked("vault", format!("whether what was erased stays erased could not be found out: {error}")),
    }
}

/// Whether the log keeps things in this vault, of which nothing is there; then that is told. Without store or keys, which have lines of their
/// own, nobody knows.
async fn is_gone(
    config: &Config,
    (place, opened): (&VaultPlace, &dyn VaultStore),
    store: Option<&Arc<dyn WormStore>>,
    report: &mut Report,
) -> bool {
    let (Some(store), Ok(mut keys), Ok(identity)) = (store, load_log_keys(config), load_identity(&config.identity.key_file)) else {
        return false;
    };
    let configuration = config.sealed_text(IdentityKey::new(*identity.0).id());
    let mut log = Log { store, keys: &mut keys, configuration: &configuration, clock: &SystemClock };
    // What is wrong with the log itself is told elsewhere.
    let gone = log.keeps_in(config, place).await.unwrap_or(false);
    if gone {
        let error = ServeError::VaultGone { url: opened.describe(), log: config.log.name.clone() };
        report.problem("vault", format!("{error}; `serve` refuses"));
    }
    gone
}

fn tell(report: &mut Report, error: &VaultError) {
    match error.is_retryable() {
        true => report.unchecked("vault", error.to_string()),
        false => report.problem("vault", error.to_string()),
    }
}
