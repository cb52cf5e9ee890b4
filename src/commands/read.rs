//! What every command that reads evidence does first: open the store, gather the keys to trust, show progress, tell the problems.

use std::collections::{BTreeSet, HashSet};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output;
use crate::cli::KeyArgs;
use crate::config::Config;
use crate::query::Problem;
use crate::query::filter::{Filter, persons_of};
use crate::query::log::{KeySource, TrustedKey, logs};
use crate::query::opening::{Erasures, lost_in_words};
use crate::query::person::{Names, is_stored_form};
use crate::query::scan::{Answer, Committed, Request, scan};
use crate::record::identity::IdentityKey;
use crate::seal::keys::{KeyError, LogKey};
use crate::serve::keys::{load_identity, load_vault_key};
use crate::tlog::note::VerifierKey;
use crate::vault::{Known, VaultError, Vaults, open_place, pseudonym_text};
use crate::worm::{self, WormStore};

/// What to say to whoever finds nobody by what looks like evidence's own name of a person.
pub(super) const TAKEN_AS_STORED: &str = "What begins with `ps:` or `id:` is looked for as evidence itself names persons. If the application \
                                          sent the id so, add --as-sent.";

/// Opens the configured store.
pub async fn store(config: &Config) -> anyhow::Result<Arc<dyn WormStore>> {
    Ok(worm::open(&config.store.url, &config.store.options()).await?)
}

/// What a search holds the end of the configured log against; to be asked before the search, because a log may grow meanwhile.
pub fn known_end(args: &KeyArgs, config: &Config) -> Option<Committed> {
    committed(args, config).map(|seal| Committed { log: config.log.name.clone(), seal })
}

/// The keys that the asker brings, else the configuration's own.
///
/// The default key file stands beside the default store: with another store and no configuration file it would be a stranger's key.
pub fn trusted(args: &KeyArgs, config: &Config) -> Vec<TrustedKey> {
    if !args.vkey.is_empty() {
        return args.vkey.iter().map(|key| TrustedKey { key: key.clone(), source: KeySource::Pinned }).collect();
    }
    let own = own_key(config).unwrap_or_else(|why| {
        tell_no_key(&why);
        None
    });
    own.map(|key| TrustedKey { key, source: KeySource::Configured }).into_iter().collect()
}

/// The public half of the configuration's own key, where the configuration means this store.
///
/// The embedded default names a key file that need not be there; one that a configuration means, or that cannot be used, is an error.
pub fn own_key(config: &Config) -> Result<Option<VerifierKey>, KeyError> {
    if config.file.is_none() && config.store.url.to_string() != DEFAULT_STORE {
        return Ok(None);
    }
    match LogKey::load(&config.log.key_file) {
        Ok(key) => Ok(Some(key.verifier().clone())),
        Err(KeyError::Missing(_)) if config.file.is_none() => Ok(None),
        Err(why) => Err(why),
    }
}

/// [`marked`], where whoever asks means the configuration's own log: what its configuration knows of it holds whoever's word the key is.
pub fn committed(args: &KeyArgs, config: &Config) -> Option<u64> {
    args.vkey.iter().all(|key| key.name() == config.log.origin).then(|| marked(config)).flatten()
}

/// The newest seal that the configuration's own keys are known to have committed, from the files beside them; where the configuration means
/// this store, as [`own_key`] says. What keys cannot be read is said there.
fn marked(config: &Config) -> Option<u64> {
    if config.file.is_none() && config.store.url.to_string() != DEFAULT_STORE {
        return None;
    }
    let keys = std::iter::once(&config.log.key_file).chain(&config.log.next_key_file).filter_map(|path| LogKey::load(path).ok());
    // A key of another log says nothing of this one.
    let marks = keys.filter(|key| key.origin() == config.log.origin).map(|key| key.mark());
    let newest = marks.map(|mark| {
        mark.unwrap_or_else(|why| {
            output::tell(&format!("problem: how far the log was committed is not known from here, so it is not compared: {why}"));
            None
        })
    });
    newest.flatten().map(|mark| mark.index).max()
}

/// Says on stderr that the configured key counts for nothing, so that nobody takes the store's word for the operator's.
pub fn tell_no_key(why: &KeyError) {
    let why = match why {
        // Not the error's own words: a key made now would be another log's.
        KeyError::Missing(path) => format!("there is no file `{}`", path.display()),
        other => other.to_string(),
    };
    output::tell(&format!(
        "problem: the configured key (log.key_file) could not be read: {why}. Without it the key is taken from the store itself, which \
         shows only that the log agrees with itself; bring the log's public key with `--vkey`"
    ));
}

pub(super) const DEFAULT_STORE: &str = "file://./spanseal-data";

/// What is known of how names became pseudonyms, and what the vault knows of the persons `asked` for. No key file is no error: names kept
/// in the clear are found without, and what could not be compared is told. A key file that cannot be used is one.
pub async fn names(config: &Config, store: &dyn WormStore, realms: &[String], asked: &[&str], as_sent: bool) -> anyhow::Result<Names> {
    let path = &config.identity.key_file;
    let key = match load_identity(path) {
        Ok(key) => Some(IdentityKey::new(*key.0)),
        Err(KeyError::Missing(_)) => None,
        Err(why) => return Err(why.into()),
    };
    let asked: HashSet<&str> = asked.iter().copied().filter(|asked| as_sent || !is_stored_form(asked)).collect();
    let known = match vaults(config).await? {
        Some(vaults) if !asked.is_empty() => persons(&vaults, store, &asked, key.as_ref()).await,
        _ => None,
    };
    let (vault, everybody) = known.map(|known| (known.entries, Arc::new(known.everybody))).unzip();
    Ok(Names { key, realms: realms.to_vec(), realm_attribute: config.identity.realm.clone(), vault, everybody, as_sent })
}

/// Asks the vaults of all logs. One that cannot be asked is told, and then nobody is said to be somebody else.
async fn persons(vaults: &Vaults, store: &dyn WormStore, asked: &HashSet<&str>, key: Option<&IdentityKey>) -> Option<Known> {
    let mut known = Known::default();
    for log in logs(store).await.unwrap_or_default() {
        match vaults.of(&log).find(asked, key).await {
            Ok(found) => {
                known.entries.extend(found.entries);
                known.everybody.extend(found.everybody);
            }
            Err(error) => {
                output::tell(&format!("problem: {error}: persons in the vault are not found by their ids"));
                return None;
            }
        }
    }
    Some(known)
}

/// Every erasure of the store's logs, and whether all could be read.
pub async fn erasures(store: &Arc<dyn WormStore>, trusted: &[TrustedKey]) -> anyhow::Result<(Erasures, bool)> {
    let filter = Filter { kind: Some("erasure".to_owned()), own_acts: true, ..Filter::default() };
    let found = search(store, &Request { filter, trusted: trusted.to_vec(), ..Request::default() }).await?;
    let complete = found.problems.is_empty();
    Ok((Erasures::new(found.hits), complete))
}

/// What an answer about persons owes to the vault and to erasures. Whom it names by a pseudonym that was erased is not shown as who was
/// asked for, though an older copy of the vault says who that was; and whoever is neither in the vault nor erased may be who was asked for.
pub async fn settle(
    config: &Config,
    store: &Arc<dyn WormStore>,
    (names, request): (&Names, &Request),
    answer: &mut Answer,
) -> anyhow::Result<()> {
    let asked = names.vault.as_deref().unwrap_or_default();
    if asked.is_empty() && answer.unknown.is_empty() {
        return Ok(());
    }
    let Some(vaults) = vaults(config).await? else { return Ok(()) };
    let (erasures, complete) = erasures(store, &request.trusted).await?;
    let mut problems = Vec::new();
    if !complete && !answer.unknown.is_empty() {
        problems.push(Problem { object: store.describe(), what: "not every erasure could be read".to_owned() });
    }
    for log in logs(store.as_ref()).await.unwrap_or_default() {
        let mut erased: HashSet<[u8; 16]> = erasures.of_persons(&log).into_keys().collect();
        // Should evidence of an erasure be lost, the vault itself knows whom it took. Where that cannot be read, everybody may be erased.
        let vault = vaults.of(&log);
        let knows = async { Ok::<_, VaultError>((vault.intents().await?, vault.stored_state().await?)) };
        let hidden = match knows.await {
            Ok((under_way, state)) => {
                erased.extend(state.persons);
                let unsealed = under_way.into_iter().filter(|intent| !erasures.has(&intent.record_id().to_string()));
                let leaving: HashSet<[u8; 16]> = unsealed.flat_map(|intent| intent.pseudonyms).collect();
                let is_leaving = asked.iter().any(|entry| leaving.contains(&entry.pseudonym) && !erased.contains(&entry.pseudonym));
                erased.extend(leaving);
                if is_leaving { IS_LEAVING.to_owned() } else { WAS_ERASED.to_owned() }
            }
            Err(error) => {
                erased.extend(asked.iter().map(|entry| entry.pseudonym));
                format!("what the vault knows of erasures cannot be read ({error}); who was asked for may be erased, and is not shown")
            }
        };
        let back: HashSet<String> =
            asked.iter().filter(|entry| erased.contains(&entry.pseudonym)).map(|entry| pseudonym_text(&entry.pseudonym)).collect();
        if !back.is_empty() {
            answer.hits.retain(|hit| hit.place.log != log || !persons_of(&hit.record).any(|person| back.contains(person)));
            problems.push(Problem { object: log.clone(), what: hidden });
        }
        let unknown: HashSet<[u8; 16]> =
            answer.unknown.get(&log).into_iter().flatten().filter(|pseudonym| !erased.contains(*pseudonym)).copied().collect();
        if unknown.is_empty() {
            continue;
        }
        // They may have come since the vault was asked.
        match vaults.of(&log).resolve(&unknown).await {
            Ok(known) if known.len() < unknown.len() => {
                let known: HashSet<[u8; 16]> = known.iter().map(|entry| entry.pseudonym).collect();
                problems.push(Problem { object: log, what: lost_in_words(unknown.difference(&known).count()) });
            }
            Ok(_) => {}
            Err(error) => problems.push(Problem { object: log, what: error.to_string() }),
        }
    }
    problems.iter().for_each(tell);
    answer.problems.extend(problems);
    Ok(())
}

/// Of somebody who was asked for, while they are being erased.
const IS_LEAVING: &str = "an erasure of who was asked for is under way, so what is recorded of them is not shown; `serve` finishes it, and its \
     log says what is in the way";

/// Of somebody who was asked for, whom the vault can name again.
const WAS_ERASED: &str = "who was asked for was erased, and their entry is in the vault again: somebody put back an older copy of an object; \
     what is recorded of them under the old pseudonym is not shown, and `serve` erases the entry again when it starts";

/// The configured vaults. `None` where there is none, or not the key that opens them: what only they know is told as such.
pub async fn vaults(config: &Config) -> anyhow::Result<Option<Vaults>> {
    let Some(place) = &config.content.vault else { return Ok(None) };
    let key = match load_vault_key(&place.key_file) {
        Ok(key) => key,
        Err(KeyError::Missing(_)) => return Ok(None),
        Err(why) => return Err(why.into()),
    };
    Ok(Some(Vaults { store: open_place(&place.url, &config.store.options()).await?, key }))
}

/// Searches, with progress on a terminal.
pub async fn search(store: &Arc<dyn WormStore>, request: &Request) -> anyhow::Result<Answer> {
    search_again(store, request, &mut BTreeSet::new()).await
}

/// The same of a command that searches more than once: what was told before is not told again.
pub async fn search_again(store: &Arc<dyn WormStore>, request: &Request, told: &mut BTreeSet<String>) -> anyhow::Result<Answer> {
    let progress = progress();
    let answer = scan(store, request, &progress).await.with_context(|| format!("store {} could not be searched", store.describe()))?;
    for problem in &answer.problems {
        if told.insert(problem.to_string()) {
            tell(problem);
        }
    }
    for expired in &answer.expired {
        output::tell(&format!("note: {expired}"));
    }
    Ok(answer)
}

/// One line on stderr.
pub fn tell(problem: &Problem) {
    output::tell(&format!("problem: {problem}"));
}

/// A bar that appears only on a terminal, and only for work that lasts.
pub fn progress() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(4));
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("  searched {pos} of {len} seals {bar:30} {eta}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// Width of the terminal that stdout is, if it is one.
pub fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0 && std::io::stdout().is_terminal())
}
