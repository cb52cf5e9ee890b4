//! The key files of a store: the log's signing key, perhaps the one that it changes to, and the identity key K. When they may be made, and when their absence is an accident.
//!
//! A missing key is made only while the log does not exist: a log that exists had a key, and a new one would sign under a name that is not
//! its own, or give everybody a new pseudonym, without a word.

use std::path::Path;

use zeroize::Zeroizing;

use crate::config::Config;
use crate::seal::keys::{KeyError, LogKey, LogKeys, create_secret_file, read_secret_file};
use crate::vault::VaultKey;
use crate::worm::{ReadError, WormStore, log_key};

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file is missing though the log exists.
    #[error(
        "`{key}` `{path}` does not exist, but the log `{log}` does: bring the file back from where it is backed up. A new key would not fit \
         the log; to begin anew, choose another `log.name` and run `spanseal keygen`"
    )]
    Lost {
        /// `log.key_file` or `identity.key_file`.
        key: &'static str,
        /// Where it should be.
        path: String,
        /// Name of the log.
        log: String,
    },
    /// The next key is not there.
    #[error(
        "`log.next_key_file` `{path}` does not exist: make it with `spanseal keygen --next`, or bring it back from where it is backed up if the \
         log has changed to it already"
    )]
    NoNext {
        /// Where it should be.
        path: String,
    },
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] KeyError),
    /// Whether the log exists could not be found out.
    #[error(transparent)]
    Store(#[from] ReadError),
}

/// Gets to know which key of the configuration names a file that was made just now, for the operator to back up: at once, because what comes after
/// may fail, and the next start finds the file there and says nothing of it.
pub type TellMade<'a> = &'a (dyn Fn(&str, &Path) + Sync);

/// All keys, loaded.
#[derive(Debug)]
pub struct Keys {
    /// Sign.
    pub log: LogKeys,
    /// K.
    pub identity: IdentityBytes,
}

/// The 32 bytes of K. `Debug` shows nothing.
pub struct IdentityBytes(pub Zeroizing<[u8; 32]>);

impl std::fmt::Debug for IdentityBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityBytes(redacted)")
    }
}

/// Whether the log was ever made: any version of `log.json`, also one that a delete marker hides.
pub async fn log_exists(store: &dyn WormStore, log: &str) -> Result<bool, ReadError> {
    Ok(store.versions(&log_key(log)).await?.iter().any(|v| !v.is_delete_marker))
}

/// The first key file that does not exist.
pub fn missing(config: &Config) -> Option<(&'static str, &Path)> {
    let files = [("log.key_file", config.log.key_file.as_path()), ("identity.key_file", config.identity.key_file.as_path())];
    files.into_iter().find(|(_, path)| !path.exists())
}

/// Refuses to make `key` for a log that exists.
pub fn lost(config: &Config, key: &'static str, path: &Path) -> KeysError {
    KeysError::Lost { key, path: path.display().to_string(), log: config.log.name.clone() }
}

/// Loads both keys, and makes what is missing while the log does not exist. What was made is told at once.
pub async fn load_or_make(config: &Config, store: &dyn WormStore, tell: TellMade<'_>) -> Result<Keys, KeysError> {
    let (log_file, identity_file) = (&config.log.key_file, &config.identity.key_file);
    let (makes_log, makes_identity) = (!log_file.exists(), !identity_file.exists());
    if let Some((key, path)) = missing(config)
        && log_exists(store, &config.log.name).await?
    {
        return Err(lost(config, key, path));
    }
    // Made on purpose only, and read before anything is made.
    let next = load_next(config)?;
    if makes_log {
        LogKey::generate(log_file, &config.log.origin)?;
    }
    if makes_identity && let Err(error) = make_secret(identity_file) {
        if makes_log {
            // Just made and used for nothing: a start that fails leaves no half of a pair.
            let _ = std::fs::remove_file(log_file);
        }
        return Err(error.into());
    }
    if makes_log {
        tell("log.key_file", log_file);
    }
    if makes_identity {
        tell("identity.key_file", identity_file);
    }
    let key = LogKey::load(log_file)?;
    key.expect_origin(&config.log.origin)?;
    Ok(Keys { log: LogKeys { key, next }, identity: load_identity(identity_file)? })
}

/// The key that the log changes to, if the configuration names one.
pub fn load_next(config: &Config) -> Result<Option<LogKey>, KeysError> {
    let Some(file) = &config.log.next_key_file else { return Ok(None) };
    let key = match LogKey::load(file) {
        Err(KeyError::Missing(path)) => return Err(KeysError::NoNext { path: path.display().to_string() }),
        other => other?,
    };
    key.expect_origin(&config.log.origin)?;
    Ok(Some(key))
}

/// The log's keys, none of which is made.
pub fn load_log_keys(config: &Config) -> Result<LogKeys, KeysError> {
    let key = LogKey::load(&config.log.key_file)?;
    key.expect_origin(&config.log.origin)?;
    Ok(LogKeys { key, next: load_next(config)? })
}

/// Makes K or another key of 32 bytes: 64 hexadecimal digits on one line, mode 0600. Never overwrites.
pub fn make_secret(path: &Path) -> Result<(), KeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut()).map_err(|_| KeyError::Malformed { path: path.into(), what: "the system has no randomness to give" })?;
    let mut text = Zeroizing::new(hex::encode(bytes.as_slice()));
    text.push('\n');
    create_secret_file(path, &text)
}

/// Reads K.
pub fn load_identity(path: &Path) -> Result<IdentityBytes, KeyError> {
    load_secret(path, "an identity key is 64 hexadecimal digits; make one with `spanseal keygen`").map(IdentityBytes)
}

/// Reads the vault's key.
pub fn load_vault_key(path: &Path) -> Result<VaultKey, KeyError> {
    load_secret(path, "a vault key is 64 hexadecimal digits; make one with `spanseal keygen`").map(|bytes| VaultKey::new(&bytes))
}

fn load_secret(path: &Path, malformed: &'static str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let text = read_secret_file(path)?;
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), bytes.as_mut()).map_err(|_| KeyError::Malformed { path: path.into(), what: malformed })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixSeconds;
    use crate::config::{Environment, Overrides};
    use crate::worm::local::{LocalOptions, LocalStore};
    use crate::worm::{Condition, WormStore};
    use std::os::unix::fs::PermissionsExt;

    fn config(folder: &Path) -> Config {
        let at = folder.display();
        let text = format!(
            "log: {{name: audit, origin: example.com/audit, key_file: {at}/log.key}}\nidentity: {{key_file: {at}/id.key}}\nstore: {{url: 'file://{at}/store'}}\n"
        );
        Config::parse("f", &text, &Overrides::default(), &Environment::default(), UnixSeconds(1_795_000_000)).unwrap()
    }

    #[tokio::test]
    async fn missing_keys_are_made_only_while_the_log_does_not_exist() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let store = LocalStore::open(folder.path().join("store"), LocalOptions::default()).unwrap();
        let made = std::sync::Mutex::new(Vec::new());
        let tell = |key: &str, file: &Path| made.lock().unwrap().push(format!("{key} {}", file.display()));
        let first = load_or_make(&config, &store, &tell).await.unwrap();
        let (log, identity) = (config.log.key_file.display(), config.identity.key_file.display());
        assert_eq!(std::mem::take(&mut *made.lock().unwrap()), [format!("log.key_file {log}"), format!("identity.key_file {identity}")]);
        assert_eq!(std::fs::metadata(&config.identity.key_file).unwrap().permissions().mode() & 0o777, 0o600);
        let again = load_or_make(&config, &store, &tell).await.unwrap();
        assert!(made.lock().unwrap().is_empty());
        assert_eq!((again.log.key.verifier(), *again.identity.0), (first.log.key.verifier(), *first.identity.0));

        store.put(&log_key("audit"), b"{}".as_slice().into(), Condition::CreateOnly, None).await.unwrap();
        std::fs::remove_file(&config.identity.key_file).unwrap();
        let lost = load_or_make(&config, &store, &|_, _| {}).await.unwrap_err().to_string();
        assert_eq!(
            lost,
            format!(
                "`identity.key_file` `{}` does not exist, but the log `audit` does: bring the file back from where it is backed up. A new key \
                 would not fit the log; to begin anew, choose another `log.name` and run `spanseal keygen`",
                config.identity.key_file.display()
            )
        );
        assert!(!config.identity.key_file.exists());
    }

    #[tokio::test]
    async fn a_key_that_others_can_read_or_of_another_log_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        let store = LocalStore::open(folder.path().join("store"), LocalOptions::default()).unwrap();
        load_or_make(&config, &store, &|_, _| {}).await.unwrap();
        std::fs::set_permissions(&config.identity.key_file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let open = load_or_make(&config, &store, &|_, _| {}).await.unwrap_err().to_string();
        assert!(open.contains("can be read by others (mode 644); run `chmod 600"), "{open}");
        std::fs::set_permissions(&config.identity.key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        config.log.origin = "example.org/audit".into();
        let other = load_or_make(&config, &store, &|_, _| {}).await.unwrap_err().to_string();
        assert!(other.contains("is the key of log `example.com/audit`, but the configuration says `example.org/audit`"), "{other}");
    }
}
