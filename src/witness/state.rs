//! What a witness has seen, and what it therefore cosigns: one file a log in a folder of its own.
//!
//! Each file is the newest checkpoint that was cosigned, with the log's signatures and the witness's own line: it is made durable before the
//! line leaves, so that what a witness remembers is never behind what it said. The next checkpoint of that log must extend it. Checks and
//! write are one step a log, under its lock; one process has the folder.
//!
//! A log that changes its key stays the log of its origin: what was cosigned under the old key is what the new one has to extend. Which keys
//! count is told by who runs the witness and never by the log, or a stolen old key could name the next.
//!
//! A folder that is lost, or set back to an older copy, forgets: then a log could have two histories cosigned. Back it up never, keep it
//! always; where it is gone, a new key is the honest way on.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::wire::Submission;
use crate::clock::{Clock, UnixSeconds};
use crate::tlog::cosignature::Cosigner;
use crate::tlog::merkle::{empty_root, is_consistent};
use crate::tlog::note::{NOTE_BYTES_MAX, NoteError, SignedNote, UnverifiedCheckpoint, VerifierKey};
use crate::tlog::{Hash, RootHash, TreeSize};

/// Name of the lock file.
const LOCK: &str = "lock";
/// How far this machine's clock may go back before nothing is cosigned, seconds: steps of a time service are less.
const CLOCK_BACK_MAX_SECONDS: i64 = 300;

/// Why the folder cannot be used. Each is one sentence for an operator.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Somebody else has it.
    #[error("another process cosigns with the state in `{0}`; stop it first: two would not know of each other what they said")]
    InUse(PathBuf),
    /// The system refuses.
    #[error("`{path}` cannot be {what}: {source}; check that it belongs to the user who runs this witness")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// `read`, `written`, ...
        what: &'static str,
        /// The system's words.
        source: std::io::Error,
    },
    /// A file is not what this witness wrote.
    #[error(
        "`{path}` is not what this witness wrote ({why}): bring the file back; without it the log could have another history cosigned. With \
         another key, begin in another folder"
    )]
    Foreign {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// Why a checkpoint is not cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400: the request or the checkpoint is malformed, or its old size is beyond the checkpoint's.
    Malformed(String),
    /// 404: no key is known for the origin.
    UnknownLog,
    /// 403: no key of that log signed it.
    Unsigned,
    /// 409 with this size: the log went on from another checkpoint than the one cosigned last.
    Stale(TreeSize),
    /// 409 with this size, which is that of the checkpoint too: another tree of the same size was cosigned. The log forked.
    Forked(TreeSize),
    /// 422: the proof does not show that the tree extends the one cosigned last.
    Inconsistent,
    /// 503: this machine's clock is behind the last cosignature.
    ClockWentBack {
        /// Now, by this machine.
        now: UnixSeconds,
        /// Time of the last cosignature.
        last: UnixSeconds,
    },
    /// 500: what was to be remembered could not be written.
    NotKept(String),
}

/// The newest checkpoint of a log that was cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Latest {
    size: TreeSize,
    root: RootHash,
    at: UnixSeconds,
}

#[derive(Debug)]
struct Followed {
    keys: Vec<VerifierKey>,
    path: PathBuf,
    latest: Mutex<Option<Latest>>,
}

/// A witness at work: its key, the logs that it follows, and what it saw of each.
#[derive(Debug)]
pub struct Witness {
    cosigner: Cosigner,
    logs: BTreeMap<String, Followed>,
    clock: Arc<dyn Clock>,
    _claim: File,
}

impl Witness {
    /// Opens the folder (made if it is missing, mode 0700) for these logs. Several keys of one origin all count.
    pub fn open(folder: &Path, cosigner: Cosigner, logs: &[VerifierKey], clock: Arc<dyn Clock>) -> Result<Self, StateError> {
        let io = |path: &Path, what| {
            let path = path.to_owned();
            move |source| StateError::Io { path, what, source }
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io(folder, "made"))?;
        // Its own name is durable too: a folder that a power cut takes away would be one that forgot.
        let above = std::path::absolute(folder).ok().and_then(|f| f.parent().map(Path::to_owned)).unwrap_or_else(|| folder.to_owned());
        File::open(&above).and_then(|above| above.sync_all()).map_err(io(&above, "synced"))?;
        let lock = folder.join(LOCK);
        let mut claim = OpenOptions::new();
        let claim = claim.write(true).create(true).truncate(false).mode(0o600).open(&lock).map_err(io(&lock, "opened"))?;
        match claim.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse(folder.to_owned())),
            Err(TryLockError::Error(source)) => return Err(StateError::Io { path: lock, what: "locked", source }),
        }
        let mut followed = BTreeMap::<String, Followed>::new();
        for key in logs {
            match followed.get_mut(key.name()) {
                Some(log) => log.keys.push(key.clone()),
                None => {
                    let path = folder.join(format!("{}.note", Hash::of(key.name().as_bytes())));
                    let latest = Mutex::new(read(&path, key.name(), &cosigner)?);
                    followed.insert(key.name().to_owned(), Followed { keys: vec![key.clone()], path, latest });
                }
            }
        }
        Ok(Witness { cosigner, logs: followed, clock, _claim: claim })
    }

    /// Its key and name.
    pub fn cosigner(&self) -> &Cosigner {
        &self.cosigner
    }

    /// Each log that it follows, with the size cosigned last.
    pub fn logs(&self) -> impl Iterator<Item = (&str, Option<TreeSize>)> {
        self.logs.iter().map(|(origin, log)| (origin.as_str(), log.latest.lock().ok().and_then(|l| l.map(|l| l.size))))
    }

    /// Checks a submission as the specification orders, remembers its checkpoint durably, and answers with the cosignature's line. Blocks on
    /// the disk.
    pub fn add(&self, submission: &Submission) -> Result<String, Refusal> {
        let malformed = |e: NoteError| Refusal::Malformed(e.to_string());
        let UnverifiedCheckpoint { note, checkpoint } = UnverifiedCheckpoint::parse(&submission.checkpoint).map_err(malformed)?;
        let log = self.logs.get(&checkpoint.origin).ok_or(Refusal::UnknownLog)?;
        // Lines of unknown keys are ignored, and so is one of a known key that does not verify beside one that does.
        if !log.keys.iter().any(|key| note.verify(key).is_ok()) {
            return Err(Refusal::Unsigned);
        }
        let (old, new) = (submission.old, checkpoint.size);
        if old > new {
            return Err(Refusal::Malformed("the old size is larger than the checkpoint's".to_owned()));
        }
        // From here to the write nobody else judges this log: else two requests could each pass, and the later write set the log back.
        let mut latest = log.latest.lock().map_err(|_| Refusal::NotKept("an earlier request broke off in the middle".to_owned()))?;
        let (size, root) = latest.map_or((TreeSize(0), empty_root()), |l| (l.size, l.root));
        if old != size {
            return Err(Refusal::Stale(size));
        }
        if new == size && checkpoint.root != root {
            keep_fork(&log.path, &submission.checkpoint);
            return Err(Refusal::Forked(size));
        }
        let consistent = match old.0 {
            0 => submission.proof.is_empty(),
            _ => is_consistent(old, root, new, checkpoint.root, &submission.proof),
        };
        if !consistent {
            return Err(Refusal::Inconsistent);
        }
        let at = self.time(latest.as_ref())?;
        let line = self.cosigner.cosign(&note.text, at).ok_or(Refusal::ClockWentBack { now: at, last: UnixSeconds(0) })?;
        // What is remembered holds the log's own signatures: it shows what was cosigned to anybody.
        let own: String = note.signatures.iter().filter(|l| log.keys.iter().any(|key| l.is_of(key))).map(ToString::to_string).collect();
        write(&log.path, &format!("{}\n{own}{line}", note.text)).map_err(|e| Refusal::NotKept(e.to_string()))?;
        *latest = Some(Latest { size: new, root: checkpoint.root, at });
        Ok(line)
    }

    /// The time of a cosignature. A larger tree at an earlier time would contradict what was said before, so time does not run backwards here.
    fn time(&self, latest: Option<&Latest>) -> Result<UnixSeconds, Refusal> {
        // Rounded down: a reader may refuse a time that has not come yet.
        let now = UnixSeconds(i64::try_from(self.clock.now().0 / 1_000_000_000).unwrap_or(i64::MAX));
        match latest.map(|l| l.at) {
            Some(last) if now.0.saturating_add(CLOCK_BACK_MAX_SECONDS) < last.0 => Err(Refusal::ClockWentBack { now, last }),
            Some(last) => Ok(now.max(last)),
            None => Ok(now),
        }
    }
}

/// Reads what was cosigned last. Only what this very key cosigned is believed.
fn read(path: &Path, origin: &str, cosigner: &Cosigner) -> Result<Option<Latest>, StateError> {
    let mut text = String::new();
    let limit = u64::try_from(NOTE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    match File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text)) {
        Ok(_) => {}
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StateError::Io { path: path.to_owned(), what: "read", source }),
    }
    let foreign = |why: String| StateError::Foreign { path: path.to_owned(), why };
    let UnverifiedCheckpoint { note, checkpoint } = UnverifiedCheckpoint::parse(&text).map_err(|e| foreign(e.to_string()))?;
    let at = cosigned(&note, cosigner).map_err(foreign)?;
    if checkpoint.origin != origin {
        return Err(foreign(format!("it is of the log `{}`", checkpoint.origin)));
    }
    Ok(Some(Latest { size: checkpoint.size, root: checkpoint.root, at }))
}

fn cosigned(note: &SignedNote, cosigner: &Cosigner) -> Result<UnixSeconds, String> {
    let at = cosigner.public().cosigned(note).map_err(|e| e.to_string())?;
    at.ok_or_else(|| format!("no cosignature by `{}`", cosigner.public()))
}

/// Replaces a file durably and as one step: readers see the old text or the new.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    // One process has the folder, and one thread this log: the name is nobody else's.
    let beside = path.with_extension("tmp");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// Keeps the first checkpoint that contradicts what was cosigned (`.fork`), and what was cosigned (`.seen`): the two together prove to anybody
/// that the log forked. Failing to is told, no more.
fn keep_fork(path: &Path, checkpoint: &str) {
    let kept = path.with_extension("fork");
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&kept);
    let written = made.and_then(|mut file| file.write_all(checkpoint.as_bytes()).and_then(|()| file.sync_all()));
    match written.and_then(|()| std::fs::copy(path, path.with_extension("seen"))) {
        Ok(_) => tracing::error!(proof = %kept.display(), "checkpoint.fork.kept"),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => tracing::error!(%error, "checkpoint.fork.unkept"),
    }
}

#[cfg(test)]
mod tests;
