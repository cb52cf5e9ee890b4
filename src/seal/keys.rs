//! The log's signing key and its file.
//!
//! A key signs for **one** log in **one** store (`store.md`): two logs under one key would let each be shown as the other. So the file
//! names the origin (it is the key's name) and the store, and remembers how far creation went:
//!
//! ```text
//! # spanseal log key ...
//! PRIVATE+KEY+<origin>+<key id>+<base64 of 0x01 || seed>
//! log: creating <store>      before log.json is put: nothing was signed yet, creation may be taken up again
//! log: bound <store>         log.json is there: from now on the key continues this log and makes no other
//! ```
//!
//! A further key of the same log ([`LogKey::generate_next`]) is bound from the beginning. It signs nothing before the log has announced it.
//!
//! `<store>` is [`WormStore::address`](crate::worm::WormStore::address): a bucket elsewhere with the same name is another store. When the
//! same store gets a new address, only its operator can know that it is the same: the line is then changed by hand.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::tlog::note::{NoteSigner, VerifierKey, is_key_name, parse_decimal};
use crate::tlog::signer::Signer;
use crate::tlog::{Hash, LeafHash};

const PREFIX: &str = "PRIVATE+KEY+";
const ED25519: u8 = 0x01;
/// Longest key file that is read, bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// Why a key file cannot be used. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is none.
    #[error("key file `{0}` does not exist; make it with `spanseal keygen`")]
    Missing(PathBuf),
    /// The operating system refuses.
    #[error("key file `{path}` cannot be {what}: {source}; check that it and its folder belong to the user who runs spanseal")]
    Io {
        /// Which file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// The system's words.
        source: std::io::Error,
    },
    /// Others can read it.
    #[error(
        "key file `{path}` can be read by others (mode {mode:03o}); run `chmod 600 {path}` and, if others had access, make a new log with a new key"
    )]
    Open {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a key file.
    #[error("key file `{path}`: {what}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// It exists and `keygen` never overwrites.
    #[error("key file `{0}` exists already; a key is never overwritten")]
    Exists(PathBuf),
    /// The origin in the file is not the one configured.
    #[error("key file `{path}` is the key of log `{found}`, but the configuration says `{wanted}`; one key signs for one log")]
    OtherLog {
        /// Which file.
        path: PathBuf,
        /// Origin in the file.
        found: String,
        /// Origin configured.
        wanted: String,
    },
}

/// How far the creation of this key's log went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The key has not been used.
    Fresh,
    /// `log.json` of this store was about to be put.
    Creating(String),
    /// The log lives in this store.
    Bound(String),
}

impl Binding {
    /// The line of the key's file that says so.
    pub fn line(&self) -> Option<String> {
        match self {
            Binding::Fresh => None,
            Binding::Creating(store) => Some(format!("log: creating {store}")),
            Binding::Bound(store) => Some(format!("log: bound {store}")),
        }
    }
}

/// A committed seal, as the file beside the key remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Its index.
    pub index: u64,
    /// Leaf hash of its entry.
    pub leaf: LeafHash,
}

/// A log's key. `Debug` shows the public half.
pub struct LogKey {
    signer: Arc<dyn Signer>,
    binding: Binding,
    file: Option<KeyFile>,
}

/// Where a key is kept, and what stands there in secret.
struct KeyFile {
    path: PathBuf,
    seed: Zeroizing<[u8; 32]>,
}

/// The keys that a configuration names.
#[derive(Debug)]
pub struct LogKeys {
    /// `log.key_file`
    pub key: LogKey,
    /// `log.next_key_file`: the key that the log is to go on with, or goes on with already.
    pub next: Option<LogKey>,
}

impl LogKeys {
    /// One or both.
    pub(crate) fn all(&self) -> impl Iterator<Item = &LogKey> {
        std::iter::once(&self.key).chain(&self.next)
    }
}

impl From<LogKey> for LogKeys {
    fn from(key: LogKey) -> Self {
        LogKeys { key, next: None }
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogKey").field("verifier", self.signer.verifier()).field("binding", &self.binding).finish_non_exhaustive()
    }
}

impl LogKey {
    /// A key that lives in memory only, for tests and for logs that end with the process.
    pub fn ephemeral(origin: &str, seed: [u8; 32]) -> Option<Self> {
        Some(LogKey::of(Arc::new(NoteSigner::new(origin, &seed)?)))
    }

    /// A key whose secret half is kept elsewhere, and that remembers nothing beyond this process.
    ///
    /// KNOWN GAP: no configuration leads here yet. A key that is kept elsewhere still needs a file for what it is bound to and for its mark.
    pub fn of(signer: Arc<dyn Signer>) -> Self {
        LogKey { signer, binding: Binding::Fresh, file: None }
    }

    /// Makes a new key and its file (mode 0600, folder synced). Never overwrites.
    pub fn generate(path: &Path, origin: &str) -> Result<Self, KeyError> {
        Self::generate_bound(path, origin, Binding::Fresh)
    }

    /// Makes a further key for the log of this one, and its file. It belongs to the store that this one belongs to, and makes no other log.
    pub fn generate_next(&self, path: &Path) -> Result<Self, KeyError> {
        Self::generate_bound(path, self.origin(), self.binding.clone())
    }

    fn generate_bound(path: &Path, origin: &str, binding: Binding) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut())
            .map_err(|_| KeyError::Malformed { path: path.into(), what: "the system has no randomness to give" })?;
        let signer = NoteSigner::new(origin, &seed)
            .ok_or(KeyError::Malformed { path: path.into(), what: "the origin is empty or holds a space or a plus sign" })?;
        let file = KeyFile { path: path.into(), seed };
        let key = LogKey { signer: Arc::new(signer), binding, file: None };
        create_secret_file(path, &key.file_text(&file))?;
        Ok(LogKey { file: Some(file), ..key })
    }

    /// Reads a key file.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let text = read_secret_file(path)?;
        let malformed = |what| KeyError::Malformed { path: path.into(), what };
        let mut seed_line = None;
        let mut binding = Binding::Fresh;
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            if let Some(rest) = line.strip_prefix(PREFIX) {
                if seed_line.replace(rest).is_some() {
                    return Err(malformed("it holds two keys"));
                }
            } else if let Some(rest) = line.strip_prefix("log: ") {
                binding = match rest.split_once(' ') {
                    Some(("creating", store)) => Binding::Creating(store.to_owned()),
                    Some(("bound", store)) => Binding::Bound(store.to_owned()),
                    _ => return Err(malformed("the line `log:` says neither `creating` nor `bound`")),
                };
            } else {
                return Err(malformed("it holds a line that is neither a key nor a `log:` line; is it a key file of spanseal?"));
            }
        }
        let line = seed_line.ok_or_else(|| malformed("it holds no key; make one with `spanseal keygen`"))?;
        let (origin, rest) = line.split_once('+').ok_or_else(|| malformed("the key line is cut short"))?;
        let (id, encoded) = rest.split_once('+').ok_or_else(|| malformed("the key line is cut short"))?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| malformed("the key is not base64"))?);
        let (algorithm, secret) = bytes.split_first().ok_or_else(|| malformed("the key is empty"))?;
        if *algorithm != ED25519 {
            return Err(malformed("only Ed25519 keys (type 0x01) sign logs"));
        }
        let seed: [u8; 32] = secret.try_into().map_err(|_| malformed("an Ed25519 seed has 32 bytes"))?;
        let seed = Zeroizing::new(seed);
        let signer =
            NoteSigner::new(origin, &seed).filter(|_| is_key_name(origin)).ok_or_else(|| malformed("the origin is not a key name"))?;
        if !signer.verifier().to_string().starts_with(&format!("{origin}+{id}+")) {
            return Err(malformed("the key id does not belong to this origin and key"));
        }
        Ok(LogKey { signer: Arc::new(signer), binding, file: Some(KeyFile { path: path.into(), seed }) })
    }

    /// Signs.
    pub fn signer(&self) -> &dyn Signer {
        self.signer.as_ref()
    }

    /// The public half, for auditors.
    pub fn verifier(&self) -> &VerifierKey {
        self.signer.verifier()
    }

    /// The log it signs for.
    pub fn origin(&self) -> &str {
        self.verifier().name()
    }

    /// Refuses a key of another log.
    pub fn expect_origin(&self, wanted: &str) -> Result<(), KeyError> {
        if self.origin() == wanted {
            return Ok(());
        }
        let path = self.path().map(Path::to_owned).unwrap_or_default();
        Err(KeyError::OtherLog { path, found: self.origin().to_owned(), wanted: wanted.to_owned() })
    }

    /// Where it is kept; `None`: in memory only.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    /// How far its log's creation went.
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// The newest seal that this key is known to have committed, from the file beside the key (`<key file>.mark`). It lies outside the
    /// store on purpose: a store that was set back to an older copy has lost it there.
    pub fn mark(&self) -> Result<Option<Mark>, KeyError> {
        let Some(path) = self.mark_path() else { return Ok(None) };
        let text = match read_secret_file(&path) {
            Ok(text) => text,
            Err(KeyError::Missing(_)) => return Ok(None),
            Err(e) => return Err(e),
        };
        let parsed = text
            .trim()
            .split_once(' ')
            .and_then(|(index, leaf)| Some(Mark { index: parse_decimal(index)?, leaf: LeafHash(Hash::parse_hex(leaf)?) }));
        parsed.map(Some).ok_or(KeyError::Malformed {
            path,
            what: "it is not `<seal index> <leaf hash>`; it remembers the newest seal of this key's log",
        })
    }

    /// Remembers a committed seal. The file may lag behind the log, never run ahead of it.
    pub fn set_mark(&self, mark: Mark) -> Result<(), KeyError> {
        let Some(path) = self.mark_path() else { return Ok(()) };
        replace_secret_file(&path, &format!("{} {}\n", mark.index, mark.leaf.0))
    }

    fn mark_path(&self) -> Option<PathBuf> {
        let mut name = self.path()?.to_owned().into_os_string();
        name.push(".mark");
        Some(name.into())
    }

    /// Writes a new binding durably, before the step that it announces.
    pub fn bind(&mut self, binding: Binding) -> Result<(), KeyError> {
        self.binding = binding;
        let Some(file) = &self.file else { return Ok(()) };
        replace_secret_file(&file.path, &self.file_text(file))
    }

    fn file_text(&self, file: &KeyFile) -> Zeroizing<String> {
        let mut secret = Zeroizing::new(vec![ED25519]);
        secret.extend_from_slice(file.seed.as_ref());
        let vkey = self.verifier().to_string();
        let id = vkey.strip_prefix(self.origin()).and_then(|r| r.get(1..9)).unwrap_or_default();
        let mut text = Zeroizing::new(String::with_capacity(512));
        text.push_str("# spanseal log key. Secret: whoever has it can sign as this log. It belongs to one log in one store; never copy it to another.\n");
        text.push_str("# The line `log:` names that store. Change it only when the same store, and not a copy of it, has a new address.\n");
        text.push_str(&format!("# Public half, for auditors: {vkey}\n"));
        text.push_str(PREFIX);
        text.push_str(&format!("{}+{id}+", self.origin()));
        text.push_str(&Zeroizing::new(STANDARD.encode(secret.as_slice())));
        text.push('\n');
        if let Some(line) = self.binding.line() {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

/// Reads a secret file that only its owner may read.
pub fn read_secret_file(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => KeyError::Missing(path.into()),
        _ => KeyError::Io { path: path.into(), what: "read", source },
    };
    let file = File::open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path: path.into(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(io)?;
    Ok(text)
}

/// Makes a secret file, mode 0600, durably. Never overwrites; what could not be written whole is not left behind.
pub fn create_secret_file(path: &Path, text: &str) -> Result<(), KeyError> {
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| not_written(path, e))?;
    }
    let made = write_new(path, text)?;
    sync_folder(path).map_err(|e| not_written(path, e))?;
    made.keep();
    Ok(())
}

/// Replaces a secret file as one step: readers see the old text or the new.
///
/// The new text is first written beside it, under a name that nobody else has: hidden, the whole name of the file (two logs may be
/// `log.eu` and `log.us`), this process and a random number. A name of that kind that exists is somebody's, and is left alone.
fn replace_secret_file(path: &Path, text: &str) -> Result<(), KeyError> {
    let failed = |e| not_written(path, e);
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|e| failed(std::io::Error::other(e)))?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".tmp-{}-{}", std::process::id(), hex::encode(random)));
    let fresh = write_new(&path.with_file_name(name), text)?;
    std::fs::rename(&fresh.0, path).map_err(failed)?;
    fresh.keep();
    sync_folder(path).map_err(failed)
}

/// A file that this call made. Goes away with it, unless it is kept.
struct Made(PathBuf);

impl Made {
    fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            let _ = std::fs::remove_file(&self.0); // A leftover hides nothing and is in nobody's way.
        }
    }
}

/// Writes a file that must not exist yet, mode 0600, and syncs it.
fn write_new(path: &Path, text: &str) -> Result<Made, KeyError> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|e| not_written(path, e))?;
    let made = Made(path.to_owned());
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| not_written(path, e))?;
    Ok(made)
}

fn not_written(path: &Path, source: std::io::Error) -> KeyError {
    match source.kind() {
        std::io::ErrorKind::AlreadyExists => KeyError::Exists(path.into()),
        _ => KeyError::Io { path: path.into(), what: "written", source },
    }
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_read_back_and_remembers_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/log.key");
        assert!(matches!(LogKey::load(&path), Err(KeyError::Missing(_))));
        let mut made = LogKey::generate(&path, "spanseal.test/log").unwrap();
        assert!(matches!(LogKey::generate(&path, "spanseal.test/log"), Err(KeyError::Exists(_))));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        made.bind(Binding::Bound("file:///data".into())).unwrap();
        let read = LogKey::load(&path).unwrap();
        assert_eq!(read.verifier(), made.verifier());
        assert_eq!(read.binding(), &Binding::Bound("file:///data".into()));
        assert!(read.expect_origin("spanseal.test/other").is_err());
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.key");
        LogKey::generate(&path, "spanseal.test/log").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(LogKey::load(&path), Err(KeyError::Open { .. })));
        let text = std::fs::read_to_string(&path).unwrap();
        for bad in
            ["", "hello\n", &text.replace("spanseal.test", "spanseal.best"), &text.replace("PRIVATE", "PUBLIC"), &format!("{text}{text}")]
        {
            std::fs::remove_file(&path).unwrap();
            create_secret_file(&path, bad).unwrap();
            assert!(matches!(LogKey::load(&path), Err(KeyError::Malformed { .. })), "{bad}");
        }
    }

    /// Scenario: files of other people, and of other logs, lie beside the key under names that differ from it only in their ending.
    /// Guarantee: replacing the key file or its mark touches none of them and leaves nothing of its own behind.
    #[test]
    fn replacing_a_secret_file_touches_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let strangers = ["log.new", "log.eu.new", "log.eu.mark.new", ".log.eu.new", "log"];
        for name in strangers {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let mut key = LogKey::generate(&folder.path().join("log.eu"), "spanseal.test/log").unwrap();
        key.bind(Binding::Bound("file:///data".into())).unwrap();
        for index in 0..3 {
            key.set_mark(Mark { index, leaf: LeafHash(Hash([7; 32])) }).unwrap();
        }
        for name in strangers {
            assert_eq!(std::fs::read_to_string(folder.path().join(name)).ok().as_deref(), Some(name));
        }
        let mode = std::fs::metadata(folder.path().join("log.eu.mark")).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, std::fs::read_dir(folder.path()).unwrap().count()), (0o600, strangers.len() + 2));
    }

    /// Scenario: a write fails half-way (a folder stands where the file belongs). Guarantee: what this call made is gone again.
    #[test]
    fn a_replacement_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("log.key/x")).unwrap();
        assert!(replace_secret_file(&folder.path().join("log.key"), "secret").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn debug_does_not_show_the_secret() {
        let key = LogKey::ephemeral("spanseal.test/log", [7; 32]).unwrap();
        let shown = format!("{key:?}");
        assert!(!shown.contains(&STANDARD.encode([7; 32])) && !shown.contains("7, 7"), "{shown}");
    }
}
