//! The files of one log in a witness's folder: `<SHA-256 of the origin>.note` is what was cosigned last, `.keys` the log's keys whose
//! checkpoints were accepted, in the order of the first of each; `.fork` and `.seen` show a log that forked.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Latest, StateError};
use crate::clock::UnixSeconds;
use crate::tlog::cosignature::Cosigner;
use crate::tlog::note::{SUBMITTED_BYTES_MAX, SignedNote, UnverifiedCheckpoint, VerifierKey};

/// Reads what was cosigned last. Only what this very key cosigned is believed.
pub(super) fn read_note(path: &Path, origin: &str, cosigner: &Cosigner) -> Result<Option<(Latest, SignedNote)>, StateError> {
    let Some(text) = read(path)? else { return Ok(None) };
    let foreign = |why: String| StateError::Foreign { path: path.to_owned(), why };
    let UnverifiedCheckpoint { note, checkpoint } = UnverifiedCheckpoint::parse(&text).map_err(|e| foreign(e.to_string()))?;
    let at = cosigned(&note, cosigner).map_err(foreign)?;
    let at = at.ok_or_else(|| StateError::OtherKey { path: path.to_owned(), key: cosigner.public().to_string() })?;
    if checkpoint.origin != origin {
        return Err(foreign(format!("it is of the log `{}`", checkpoint.origin)));
    }
    Ok(Some((Latest { size: checkpoint.size, root: checkpoint.root, at }, note)))
}

/// Reads the keys that were used. Of a folder from before they were kept, those that signed the checkpoint in `note`.
pub(super) fn read_keys(
    path: &Path,
    origin: &str,
    known: &[VerifierKey],
    note: Option<&SignedNote>,
) -> Result<Vec<VerifierKey>, StateError> {
    let path = keys_file(path);
    let Some(text) = read(&path)? else {
        let signed = |key: &&VerifierKey| note.is_some_and(|note| note.verify(key).is_ok());
        return Ok(known.iter().filter(signed).cloned().collect());
    };
    let key = |line: &str| VerifierKey::parse(line).ok().filter(|key| key.name() == origin);
    let keys: Option<Vec<_>> = text.lines().map(key).collect();
    keys.filter(|keys| !keys.is_empty()).ok_or_else(|| StateError::Foreign { path, why: format!("it is no list of keys of `{origin}`") })
}

/// Remembers the keys that were used.
pub(super) fn write_keys(path: &Path, keys: &[VerifierKey]) -> Result<(), String> {
    let text: String = keys.iter().map(|key| format!("{key}\n")).collect();
    write(&keys_file(path), &text, |_| Ok(()))
}

/// Remembers what is cosigned, after it was read back as it will be at the next start.
pub(super) fn write_note(path: &Path, text: &str, origin: &str, cosigner: &Cosigner, latest: Latest) -> Result<(), String> {
    write(path, text, |beside| match read_note(beside, origin, cosigner) {
        Ok(Some((read, _))) if read == latest => Ok(()),
        Ok(_) => Err("what was written reads otherwise".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}

fn keys_file(note: &Path) -> PathBuf {
    note.with_extension("keys")
}

fn read(path: &Path) -> Result<Option<String>, StateError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(SUBMITTED_BYTES_MAX).unwrap_or(u64::MAX);
    match File::open(path).and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::Io { path: path.to_owned(), what: "read", source }),
    }
    let foreign = |why: &str| StateError::Foreign { path: path.to_owned(), why: why.to_owned() };
    if bytes.len() > SUBMITTED_BYTES_MAX {
        return Err(foreign("longer than any note"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| foreign("not UTF-8"))
}

fn cosigned(note: &SignedNote, cosigner: &Cosigner) -> Result<Option<UnixSeconds>, String> {
    cosigner.public().cosigned(note).map_err(|e| e.to_string())
}

/// Replaces a file durably and as one step, once `is_good` has looked at the new one: readers see the old text or the new.
fn write(path: &Path, text: &str, is_good: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
    // One process has the folder, and one thread this log: the name is nobody else's.
    let beside = path.with_extension("tmp");
    let made = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    made().map_err(|e| e.to_string())?;
    is_good(&beside)?;
    let replaced = || {
        std::fs::rename(&beside, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    replaced().map_err(|e: std::io::Error| e.to_string())
}

/// Keeps the first checkpoint that contradicts what was cosigned (`.fork`), and what was cosigned (`.seen`): the two together prove to anybody
/// that the log forked. Failing to is told, no more; the next one that contradicts is then kept.
pub(super) fn keep_fork(path: &Path, checkpoint: &str) {
    match keep_pair(path, checkpoint) {
        Ok(true) => tracing::error!(proof = %path.with_extension("fork").display(), "checkpoint.fork.kept"),
        Ok(false) => {}
        Err(error) => tracing::error!(error, "checkpoint.fork.unkept"),
    }
}

/// `false`: there is a pair already. What was cosigned goes first: where the other half is, the pair is whole.
fn keep_pair(path: &Path, checkpoint: &str) -> Result<bool, String> {
    let is_there = |path: &Path| path.try_exists().map_err(|e| e.to_string());
    let (fork, seen) = (path.with_extension("fork"), path.with_extension("seen"));
    // Before the first one there is only the empty tree, whose root everybody knows.
    let cosigned = read(path).map_err(|e| e.to_string())?;
    if is_there(&fork)? && (cosigned.is_none() || is_there(&seen)?) {
        return Ok(false);
    }
    if let Some(cosigned) = cosigned {
        write(&seen, &cosigned, |_| Ok(()))?;
    }
    write(&fork, checkpoint, |_| Ok(()))?;
    Ok(true)
}
