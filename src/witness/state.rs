//! What a witness has seen, and what it therefore cosigns: one file a log in a folder of its own.
//!
//! Each file is the newest checkpoint that was cosigned, with the log's signatures and the witness's own line: it is made durable before the
//! line leaves, so that what a witness remembers is never behind what it said. The next checkpoint of that log must extend it. Checks and
//! write are one step a log, under its lock; one process has the folder.
//!
//! A log that changes its key stays the log of its origin: what was cosigned under the old key is what the new one has to extend. Which keys
//! count is told by who runs the witness and never by the log, or a stolen old key could name the next.
//!
//! Keys of one log are named oldest first. The first checkpoint that is accepted under a newer key retires those before it, for good: whoever
//! holds an old key that the log gave up could else extend the public tree by an entry of their own, and the log itself would be refused from
//! then on. A file of a log that cannot be read stops that log only.
//!
//! A folder that is lost, or set back to an older copy, forgets: then a log could have two histories cosigned. Back it up never, keep it
//! always; where it is gone, a new key is the honest way on.

mod files;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use files::{keep_fork, read_keys, read_note, write_keys, write_note};

use super::wire::Submission;
use crate::clock::{Clock, UnixSeconds};
use crate::tlog::cosignature::Cosigner;
use crate::tlog::merkle::{empty_root, is_consistent};
use crate::tlog::note::{NoteError, SUBMITTED_BYTES_MAX, SignatureLine, SignedNote, UnverifiedCheckpoint, VerifierKey};
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
    /// A file is another witness's.
    #[error("`{path}` holds no cosignature by `{key}`: with another key, begin in another folder")]
    OtherKey {
        /// Which.
        path: PathBuf,
        /// The key of this witness.
        key: String,
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
    /// 403: only a key of that log signed it that counts no more, because a newer one has signed since.
    Retired,
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
    /// 500: what was cosigned of this log before cannot be read.
    Forgotten,
}

/// The newest checkpoint of a log that was cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Latest {
    size: TreeSize,
    root: RootHash,
    at: UnixSeconds,
}

/// What is remembered of a log.
#[derive(Debug)]
struct Memory {
    latest: Option<Latest>,
    /// Keys whose checkpoints were accepted, in the order of the first of each.
    used: Vec<VerifierKey>,
}

#[derive(Debug)]
struct Followed {
    /// Oldest first.
    keys: Vec<VerifierKey>,
    path: PathBuf,
    /// The error: nothing of this log is cosigned.
    memory: Result<Mutex<Memory>, StateError>,
}

impl Followed {
    /// Whether what this key signs still counts.
    fn counts(&self, key: &VerifierKey, used: &[VerifierKey]) -> bool {
        let Some(newest) = used.last() else { return true };
        let rank = |key: &VerifierKey| self.keys.iter().position(|known| known == key);
        // A key that is named no more stands before all that are.
        key == newest || (!used.contains(key) && rank(newest) < rank(key))
    }

    /// Each known key that signed a note, oldest first, with its line: one of them, however often it stands there. Lines of unknown keys are
    /// ignored, and so are those of a known key that does not verify beside one that does.
    fn signers<'n>(&self, note: &'n SignedNote) -> Vec<(&VerifierKey, &'n SignatureLine)> {
        let line = |key: &VerifierKey| note.verify(key).ok().and_then(|()| note.signatures.iter().find(|line| line.is_of(key)));
        self.keys.iter().filter_map(|key| Some((key, line(key)?))).collect()
    }
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
    /// Opens the folder (made if it is missing, mode 0700) for these logs. Several keys of one origin are named oldest first. A log of which
    /// a file cannot be read is not served, unless it is the only one: then that is the error.
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
        let mut followed = BTreeMap::<String, Vec<VerifierKey>>::new();
        for key in logs {
            let keys = followed.entry(key.name().to_owned()).or_default();
            if !keys.contains(key) {
                keys.push(key.clone());
            }
        }
        let mut logs = BTreeMap::new();
        let mut served = 0;
        let most = followed.len();
        for (origin, keys) in followed {
            let path = folder.join(format!("{}.note", Hash::of(origin.as_bytes())));
            let memory = remembered(&path, &origin, &keys, &cosigner);
            match &memory {
                Ok(_) => served += 1,
                Err(error) => tracing::error!(origin, %error, "state.unread"),
            }
            match memory {
                // The whole folder is another witness's.
                Err(error @ StateError::OtherKey { .. }) => return Err(error),
                Err(error) if logs.len() + 1 == most && served == 0 => return Err(error),
                memory => logs.insert(origin, Followed { keys, path, memory: memory.map(Mutex::new) }),
            };
        }
        Ok(Witness { cosigner, logs, clock, _claim: claim })
    }

    /// Its key and name.
    pub fn cosigner(&self) -> &Cosigner {
        &self.cosigner
    }

    /// Each log that it follows, with the size cosigned last.
    pub fn logs(&self) -> impl Iterator<Item = (&str, Option<TreeSize>)> {
        let size = |log: &Followed| log.memory.as_ref().ok()?.lock().ok()?.latest.map(|latest| latest.size);
        self.logs.iter().map(move |(origin, log)| (origin.as_str(), size(log)))
    }

    /// Logs of which nothing is cosigned, because what was cosigned before cannot be read, and why.
    pub fn forgotten(&self) -> impl Iterator<Item = (&str, &StateError)> {
        self.logs.iter().filter_map(|(origin, log)| Some((origin.as_str(), log.memory.as_ref().err()?)))
    }

    /// Checks a submission as the specification orders, remembers its checkpoint durably, and answers with the cosignature's line. Blocks on
    /// the disk.
    pub fn add(&self, submission: &Submission) -> Result<String, Refusal> {
        let malformed = |e: NoteError| Refusal::Malformed(e.to_string());
        if submission.checkpoint.len() > SUBMITTED_BYTES_MAX {
            return Err(Refusal::Malformed(format!("a checkpoint with its signatures has at most {SUBMITTED_BYTES_MAX} bytes here")));
        }
        let UnverifiedCheckpoint { note, checkpoint } = UnverifiedCheckpoint::parse(&submission.checkpoint).map_err(malformed)?;
        let log = self.logs.get(&checkpoint.origin).ok_or(Refusal::UnknownLog)?;
        let signers = log.signers(&note);
        if signers.is_empty() {
            return Err(Refusal::Unsigned);
        }
        let memory = log.memory.as_ref().map_err(|_| Refusal::Forgotten)?;
        let (old, new) = (submission.old, checkpoint.size);
        if old > new {
            return Err(Refusal::Malformed("the old size is larger than the checkpoint's".to_owned()));
        }
        // From here to the write nobody else judges this log: else two requests could each pass, and the later write set the log back.
        let mut memory = memory.lock().map_err(|_| Refusal::NotKept("an earlier request broke off in the middle".to_owned()))?;
        let Memory { latest, used } = &mut *memory;
        let signers: Vec<_> = signers.into_iter().filter(|(key, _)| log.counts(key, used)).collect();
        if signers.is_empty() {
            return Err(Refusal::Retired);
        }
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
        let own: String = signers.iter().map(|(_, line)| line.to_string()).collect();
        let kept = format!("{}\n{own}{line}", note.text);
        let unreadable = |why: String| Refusal::Malformed(format!("with its cosignature this witness could not read it again: {why}"));
        if kept.len() > SUBMITTED_BYTES_MAX {
            return Err(unreadable(format!("it is longer than {SUBMITTED_BYTES_MAX} bytes")));
        }
        SignedNote::parse(&kept).map_err(|e| unreadable(e.to_string()))?;
        let now_used: Vec<VerifierKey> =
            used.iter().chain(signers.iter().map(|(key, _)| *key).filter(|key| !used.contains(key))).cloned().collect();
        let seen = Latest { size: new, root: checkpoint.root, at };
        // Keys first: a crash in between retires those that this checkpoint would have retired.
        if now_used != *used {
            write_keys(&log.path, &now_used).map_err(Refusal::NotKept)?;
        }
        write_note(&log.path, &kept, &checkpoint.origin, &self.cosigner, seen).map_err(Refusal::NotKept)?;
        (*latest, *used) = (Some(seen), now_used);
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

fn remembered(path: &Path, origin: &str, keys: &[VerifierKey], cosigner: &Cosigner) -> Result<Memory, StateError> {
    let (latest, note) = read_note(path, origin, cosigner)?.unzip();
    Ok(Memory { latest, used: read_keys(path, origin, keys, note.as_ref())? })
}

#[cfg(test)]
mod tests;
