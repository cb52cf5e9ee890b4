//! A local folder as a store: the embedded default.
//!
//! **A file system is not WORM**: root, or whoever owns the disk, changes what he likes; seals say `"not_worm":"true"`.
//! What it does keep: an object appears whole or not at all, is never replaced by a create-only put, and is on the disk
//! (file, folder and every folder that was made for it) before `put` answers.
//!
//! The way of a put: temp file below `_tmp/`, mode 0444, fsync, then `link(2)` to the final name, which fails where
//! something is there (`rename(2)` for [`Condition::Any`]), then the folder is synced. Whatever fails before the link is
//! known not stored; whatever fails after it is [`PutError::Unknown`]. Something that is there is synced too before
//! [`PutError::Exists`] says so. A read never syncs: it cannot settle an unknown put, another put can.

use super::key::check_key;
use super::{
    Condition, Head, Lock, Locks, ObjectKey, OpenError, PutError, ReadError, StoreState, Tag, Version, VersionId, WormStore, WriterGuard,
    is_name,
};
use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::IFlags;
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

mod probe;
mod walk;

pub use probe::{Place, probe};

/// Temp files; a name here is never a key.
const TEMP: &str = "_tmp";
/// One lock file a log.
const LOCKS: &str = "_locks";
/// Folders remembered as synced. A log uses one a class and day, and one for every 256 tiles; beyond this many the
/// memory is dropped and a few folders are synced once more.
const SYNCED_FOLDERS_MAX: usize = 4096;

/// Options of [`LocalStore`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalOptions {
    /// `store.file.immutable`: set the immutable flag (`chattr +i`) on every object that is put create-only. Needs
    /// CAP_LINUX_IMMUTABLE and a file system that has the flag; asked for and not possible is an error, never silence.
    pub immutable: bool,
    /// Folders and files that are made are their owner's alone (0700, 0600). For a vault.
    pub private: bool,
}

/// See the module. Clones share one state.
#[derive(Clone, Debug)]
pub struct LocalStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Absolute.
    root: PathBuf,
    immutable: bool,
    private: bool,
    /// Folders whose entry in their parent this process knows to be on the disk. A folder that merely exists may have
    /// been made by a process that crashed, or by another thread that has not synced yet.
    synced: Mutex<HashSet<PathBuf>>,
    /// Device and number of the lock file of each log that this process has claimed.
    claimed: Mutex<HashMap<String, (u64, u64)>>,
    next_temp: AtomicU64,
    /// Syncs of an object's folder that are to fail.
    #[cfg(test)]
    failing_syncs: AtomicU64,
}

impl LocalStore {
    /// Opens the folder `root`, which need not exist yet: the first put makes it.
    pub fn open(root: impl AsRef<Path>, options: LocalOptions) -> Result<Self, OpenError> {
        let root = root.as_ref();
        let shown = format!("file://{}", root.display());
        let absolute = std::path::absolute(root).map_err(|e| OpenError::invalid(&shown, format!("no such path can be: {e}")))?;
        match fs::metadata(&absolute) {
            Ok(found) if !found.is_dir() => return Err(OpenError::invalid(shown, "this is a file, and a store is a folder")),
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(OpenError::invalid(shown, in_words("look at the folder", &e))),
            _ => {}
        }
        Ok(LocalStore(Arc::new(Inner {
            root: absolute,
            immutable: options.immutable,
            private: options.private,
            synced: Mutex::default(),
            claimed: Mutex::default(),
            next_temp: AtomicU64::new(0),
            #[cfg(test)]
            failing_syncs: AtomicU64::new(0),
        })))
    }

    /// File I/O blocks: it runs on tokio's blocking threads, and runs to its end there when the caller goes away.
    async fn put_blocking<T: Send + 'static>(
        &self,
        key: &ObjectKey,
        work: impl FnOnce(&Inner) -> Result<T, PutError> + Send + 'static,
    ) -> Result<T, PutError> {
        let inner = Arc::clone(&self.0);
        let lost =
            |e: tokio::task::JoinError| PutError::Unknown { key: key.clone(), reason: format!("the writing thread ended early: {e}") };
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(lost)?
    }

    async fn read_blocking<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Inner) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let inner = Arc::clone(&self.0);
        let lost = |e: tokio::task::JoinError| ReadError::Unavailable {
            key: key.to_owned(),
            reason: format!("the reading thread ended early: {e}"),
        };
        tokio::task::spawn_blocking(move || work(&inner)).await.map_err(lost)?
    }
}

#[async_trait]
impl WormStore for LocalStore {
    fn describe(&self) -> String {
        format!("file://{}", self.0.root.display())
    }

    fn address(&self) -> String {
        self.describe()
    }

    fn locks(&self) -> Locks {
        Locks::None
    }

    fn versioned(&self) -> bool {
        false
    }

    async fn claim(&self, log: &str) -> Result<WriterGuard, PutError> {
        let log = log.to_owned();
        self.put_blocking(&ObjectKey(format!("{LOCKS}/{log}")), move |inner| inner.claim(&log)).await
    }

    async fn put(&self, key: &ObjectKey, body: Bytes, condition: Condition, lock: Option<Lock>) -> Result<Option<VersionId>, PutError> {
        if lock.is_some() {
            return Err(refused(key, "a file system keeps no locks".to_owned()));
        }
        let own = key.clone();
        self.put_blocking(key, move |inner| inner.put(&own, &body, condition)).await?;
        Ok(None)
    }

    /// A folder has no lifecycle rules that could look for a tag: what finds partial tiles there is their path.
    async fn put_tagged(&self, key: &ObjectKey, body: Bytes, lock: Option<Lock>, _tag: Tag) -> Result<Option<VersionId>, PutError> {
        self.put(key, body, Condition::Any, lock).await
    }

    async fn get(&self, key: &ObjectKey, version: Option<&VersionId>, limit: u64) -> Result<Option<Bytes>, ReadError> {
        if version.is_some() {
            return Ok(None); // No version has a name here; a reader then takes any version with the right hash.
        }
        let own = key.clone();
        self.read_blocking(key.as_str(), move |inner| inner.get(&own, limit)).await
    }

    async fn head(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Head>, ReadError> {
        if version.is_some() {
            return Ok(None);
        }
        let own = key.clone();
        let size = self.read_blocking(key.as_str(), move |inner| inner.size(&own)).await?;
        Ok(size.map(|size| Head { size, lock: None, legal_hold: false }))
    }

    async fn versions(&self, key: &ObjectKey) -> Result<Vec<Version>, ReadError> {
        let own = key.clone();
        let size = self.read_blocking(key.as_str(), move |inner| inner.size(&own)).await?;
        Ok(size.map(|size| the_version(key.clone(), size)).into_iter().collect())
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Version>, ReadError> {
        let query = walk::Query { prefix: prefix.to_owned(), after: after.map(|k| k.0.clone()), limit };
        self.read_blocking(prefix, move |inner| {
            walk::list(&inner.root, &query).map_err(|e| read_error(&query.prefix, "list the folder", &e))
        })
        .await
    }

    async fn extend(&self, key: &ObjectKey, _version: Option<&VersionId>, _lock: Lock) -> Result<(), PutError> {
        Err(refused(key, "a file system keeps no locks".to_owned()))
    }

    async fn hold(&self, key: &ObjectKey, _version: Option<&VersionId>, _on: bool) -> Result<(), PutError> {
        Err(refused(key, "a file system keeps no legal holds".to_owned()))
    }

    async fn state(&self) -> Result<StoreState, ReadError> {
        Ok(StoreState { versioning: None, object_lock: None, default_retention: None, unknown_calls: Vec::new() })
    }

    fn clock_skew_seconds(&self) -> Option<i64> {
        None
    }
}

impl LocalStore {
    /// Removes an object, durably; an absent one is fine. For the vault: a store of evidence never deletes, so this is no part of
    /// [`WormStore`].
    pub async fn remove(&self, key: &ObjectKey) -> Result<(), PutError> {
        let own = key.clone();
        self.put_blocking(key, move |inner| inner.remove(&own)).await
    }
}

/// A temp file that does not outlive its put.
struct Temp(PathBuf);

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // Gone already after a rename; else the next claim sweeps it.
    }
}

impl Inner {
    fn put(&self, key: &ObjectKey, body: &[u8], condition: Condition) -> Result<(), PutError> {
        let path = self.path(key).map_err(|why| refused(key, why.to_owned()))?;
        let folder = path.parent().unwrap_or(&self.root);
        self.expect_claimed(key)?;
        let temp = self.write_temp(key, body).map_err(|e| self.not_linked(key, "write the temp file", &e))?;
        self.make_folder(folder).map_err(|e| not_stored(key, "make its folder", &e))?;
        let exists = match condition {
            Condition::CreateOnly => match fs::hard_link(&temp.0, &path) {
                Ok(()) => false,
                Err(e) if e.kind() == ErrorKind::AlreadyExists => true,
                Err(e) => return Err(self.not_linked(key, "link it to its name", &e)),
            },
            Condition::Any => {
                fs::rename(&temp.0, &path).map_err(|e| self.not_linked(key, "move it to its name", &e))?;
                false
            }
        };
        drop(temp);
        // Readers see it from here on, so nothing below may say "not stored". What is already there may be one's own earlier attempt that
        // failed just here, or that of a process that died here; the caller takes equal bytes for a success, so they must be on the disk.
        let immutable = self.immutable && condition == Condition::CreateOnly;
        self.settle(&path, folder, immutable, exists)
            .map_err(|(doing, e)| PutError::Unknown { key: key.clone(), reason: in_words(doing, &e) })?;
        if exists { Err(PutError::Exists { key: key.clone() }) } else { Ok(()) }
    }

    fn remove(&self, key: &ObjectKey) -> Result<(), PutError> {
        let path = self.path(key).map_err(|why| refused(key, why.to_owned()))?;
        match fs::remove_file(&path) {
            Ok(()) => {}
            // It may be one's own earlier attempt, whose folder was not synced.
            Err(e) if is_absent(&e) => {}
            Err(e) => return Err(not_stored(key, "remove it", &e)),
        }
        match sync_folder(path.parent().unwrap_or(&self.root)) {
            Err(e) if !is_absent(&e) => Err(PutError::Unknown { key: key.clone(), reason: in_words("sync the folder of", &e) }),
            _ => Ok(()),
        }
    }

    /// Makes durable what stands at `path`: its flag, the file where its own sync is not known or the flag came after it, and its name. A
    /// flag that cannot be set does not keep the rest from being tried.
    fn settle(&self, path: &Path, folder: &Path, immutable: bool, exists: bool) -> Result<(), (&'static str, io::Error)> {
        // Where no file stands (a folder, a pipe) nothing of ours does, and opening it may wait for ever.
        let is_file = !exists || fs::symlink_metadata(path).map_err(|e| ("look at", e))?.is_file();
        let flagged = if immutable && is_file { make_immutable(path).map_err(|e| ("set the immutable flag of", e)) } else { Ok(()) };
        if is_file && (immutable || exists) {
            File::open(path).and_then(|file| file.sync_all()).map_err(|e| ("sync", e))?;
        }
        self.sync_objects(folder).map_err(|e| ("sync the folder of", e))?;
        flagged
    }

    fn sync_objects(&self, folder: &Path) -> io::Result<()> {
        #[cfg(test)]
        if self.failing_syncs.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
            return Err(io::Error::from_raw_os_error(Errno::IO.raw_os_error()));
        }
        sync_folder(folder)
    }

    /// A folder that was there is gone: somebody removed it. The next try makes it again.
    fn not_linked(&self, key: &ObjectKey, doing: &str, e: &io::Error) -> PutError {
        if e.kind() == ErrorKind::NotFound {
            self.synced.lock().unwrap_or_else(PoisonError::into_inner).clear();
            return PutError::NotStored { key: key.clone(), reason: in_words(doing, e) };
        }
        not_stored(key, doing, e)
    }

    fn write_temp(&self, key: &ObjectKey, body: &[u8]) -> io::Result<Temp> {
        let folder = self.root.join(TEMP);
        self.make_folder(&folder)?;
        let log = key.as_str().split('/').next().unwrap_or_default();
        loop {
            let name = format!("{log}.{}.{}", std::process::id(), self.next_temp.fetch_add(1, Ordering::Relaxed));
            let temp = folder.join(name);
            match OpenOptions::new().write(true).create_new(true).mode(if self.private { 0o600 } else { 0o444 }).open(&temp) {
                Ok(mut file) => {
                    let temp = Temp(temp);
                    file.write_all(body)?;
                    file.sync_all()?;
                    return Ok(temp);
                }
                // Left by a process of the same id that was killed; the next number is free some day.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Makes a folder at or below the root and everything above it, and syncs the parent of each.
    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        if self.synced.lock().unwrap_or_else(PoisonError::into_inner).contains(folder) {
            return Ok(());
        }
        let parent = folder.parent();
        // Above the root only what is missing is ours to make; its parents may not even be readable.
        let ours = folder != self.root || !folder.is_dir();
        if let (true, Some(parent)) = (ours, parent) {
            if folder.starts_with(&self.root) && folder != self.root {
                self.make_folder(parent)?;
            } else {
                self.make_above(parent)?;
            }
            match self.create_dir(folder) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
                Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(io::Error::from(ErrorKind::NotADirectory)),
                other => other?,
            }
            sync_folder(parent)?;
        }
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if synced.len() >= SYNCED_FOLDERS_MAX {
            synced.clear();
        }
        synced.insert(folder.to_owned());
        Ok(())
    }

    /// Makes missing folders above the root, each synced into its parent.
    fn make_above(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.make_above(parent)?;
            match self.create_dir(folder) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
                other => other?,
            }
            sync_folder(parent)?;
        }
        Ok(())
    }

    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        DirBuilder::new().mode(if self.private { 0o700 } else { 0o777 }).create(folder)
    }

    fn get(&self, key: &ObjectKey, limit: u64) -> Result<Option<Bytes>, ReadError> {
        let error = |e: &io::Error| read_error(key.as_str(), "read it", e);
        let Some((file, size)) = self.open_file(key)? else { return Ok(None) };
        let too_large = |size| ReadError::TooLarge { key: key.0.clone(), size, limit };
        if size > limit {
            return Err(too_large(size));
        }
        let mut body = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        // One byte more than allowed shows a file that grew since its size was read.
        file.take(limit.saturating_add(1)).read_to_end(&mut body).map_err(|e| error(&e))?;
        let read = u64::try_from(body.len()).unwrap_or(u64::MAX);
        if read > limit { Err(too_large(read)) } else { Ok(Some(Bytes::from(body))) }
    }

    fn size(&self, key: &ObjectKey) -> Result<Option<u64>, ReadError> {
        let path = self.path(key).map_err(|why| ReadError::Refused { key: key.0.clone(), reason: why.to_owned() })?;
        match fs::metadata(path) {
            Ok(found) => Ok(found.is_file().then_some(found.len())),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(read_error(key.as_str(), "look at it", &e)),
        }
    }

    fn open_file(&self, key: &ObjectKey) -> Result<Option<(File, u64)>, ReadError> {
        if self.size(key)?.is_none() {
            // A folder, a pipe or nothing: opening a pipe would wait for ever. KNOWN GAP: where one lies at the name of the next seal, that is
            // neither there nor can be put, and the writer goes on trying.
            return Ok(None);
        }
        let path = self.path(key).map_err(|why| ReadError::Refused { key: key.0.clone(), reason: why.to_owned() })?;
        let opened = File::open(path).and_then(|file| file.metadata().map(|m| (file, m.len())));
        match opened {
            Ok(found) => Ok(Some(found)),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(read_error(key.as_str(), "open it", &e)),
        }
    }

    /// The file of a key. Temp and lock files are nobody's keys.
    fn path(&self, key: &ObjectKey) -> Result<PathBuf, &'static str> {
        check_key(key)?;
        match key.as_str().split('/').next() {
            Some(TEMP | LOCKS) => Err("this name is the store's own"),
            _ => Ok(self.root.join(key.as_str())),
        }
    }

    fn claim(&self, log: &str) -> Result<WriterGuard, PutError> {
        let key = ObjectKey(format!("{LOCKS}/{log}"));
        if !is_name(log) {
            return Err(refused(&key, "a log is named by 1 to 63 of a-z, 0-9 and `-`".to_owned()));
        }
        let folder = self.root.join(LOCKS);
        self.make_folder(&folder).map_err(|e| not_stored(&key, "make the folder of lock files", &e))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(if self.private { 0o600 } else { 0o666 })
            .open(folder.join(log))
            .map_err(|e| not_stored(&key, "open the lock file", &e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = (&file).take(32).read_to_string(&mut pid);
                let pid = pid.trim();
                let who = if pid.is_empty() { "another process".to_owned() } else { format!("another process (pid {pid})") };
                let reason = format!("{who} is writing this log; stop it first, or give this one another `log.name`");
                return Err(refused(&key, reason));
            }
            Err(TryLockError::Error(e)) => return Err(not_stored(&key, "lock the lock file", &e)),
        }
        let pid = format!("{}\n", std::process::id());
        file.set_len(0).and_then(|()| file.write_all(pid.as_bytes())).map_err(|e| not_stored(&key, "write the lock file", &e))?;
        self.sweep(log);
        if self.immutable {
            self.probe_immutable(&ObjectKey(format!("{log}/"))).map_err(|e| {
                let why = "`store.file.immutable` is on, but the flag cannot be set here: it needs CAP_LINUX_IMMUTABLE (root) \
                           and a file system that has it (ext4, xfs, btrfs); grant that or turn the option off";
                refused(&key, format!("{why} ({e})"))
            })?;
        }
        let own = file.metadata().map_err(|e| not_stored(&key, "look at the lock file", &e))?;
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(log.to_owned(), (own.dev(), own.ino()));
        Ok(WriterGuard(Some(file)))
    }

    /// Refuses to write where the claim of this process is not: the folder was moved away, or what was mounted there is gone. Made anew it
    /// would be another store, which goes on as if nothing were missing, and hides the first one when that comes back.
    fn expect_claimed(&self, key: &ObjectKey) -> Result<(), PutError> {
        let log = key.as_str().split('/').next().unwrap_or_default();
        let Some(own) = self.claimed.lock().unwrap_or_else(PoisonError::into_inner).get(log).copied() else { return Ok(()) };
        let there = fs::metadata(self.root.join(LOCKS).join(log)).ok();
        if there.is_some_and(|there| (there.dev(), there.ino()) == own) {
            return Ok(());
        }
        let reason = format!(
            "the lock file of this process is gone from `{}`: the folder was moved or unmounted, or another one stands in its place; bring \
             it back, or stop this process and look what became of it",
            self.root.join(LOCKS).display()
        );
        Err(PutError::NotStored { key: key.clone(), reason })
    }

    /// Removes what killed writers of this log left in `_tmp`: whoever holds the claim is the only writer.
    fn sweep(&self, log: &str) {
        let Ok(entries) = fs::read_dir(self.root.join(TEMP)) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_str().and_then(|n| n.split_once('.')).is_some_and(|(owner, _)| owner == log) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn probe_immutable(&self, key: &ObjectKey) -> io::Result<()> {
        let temp = self.write_temp(key, b"x")?;
        make_immutable(&temp.0)?;
        let file = File::open(&temp.0)?;
        let flags = rustix::fs::ioctl_getflags(&file)?;
        Ok(rustix::fs::ioctl_setflags(&file, flags - IFlags::IMMUTABLE)?)
    }
}

fn the_version(key: ObjectKey, size: u64) -> Version {
    Version { key, id: None, is_latest: true, is_delete_marker: false, size }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn make_immutable(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let flags = rustix::fs::ioctl_getflags(&file)?;
    Ok(rustix::fs::ioctl_setflags(&file, flags | IFlags::IMMUTABLE)?)
}

/// No object is there. A link that leads back to itself leads nowhere, like one whose target is gone.
fn is_absent(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) || e.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

fn refused(key: &ObjectKey, reason: String) -> PutError {
    PutError::Refused { key: key.clone(), reason }
}

/// A failure before anything was visible: another try helps only where the machine was short of something for a moment.
fn not_stored(key: &ObjectKey, doing: &str, e: &io::Error) -> PutError {
    let short = e.raw_os_error().is_some_and(|n| n == Errno::MFILE.raw_os_error() || n == Errno::NFILE.raw_os_error());
    let reason = in_words(doing, e);
    match e.kind() {
        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::OutOfMemory => PutError::NotStored { key: key.clone(), reason },
        _ if short => PutError::NotStored { key: key.clone(), reason },
        _ => refused(key, reason),
    }
}

fn read_error(key: &str, doing: &str, e: &io::Error) -> ReadError {
    let reason = in_words(doing, e);
    match e.kind() {
        ErrorKind::PermissionDenied => ReadError::Refused { key: key.to_owned(), reason },
        _ => ReadError::Unavailable { key: key.to_owned(), reason },
    }
}

/// What happened, and what to do now where that is known.
fn in_words(doing: &str, e: &io::Error) -> String {
    let advice = match e.kind() {
        ErrorKind::StorageFull => "the disk is full: free some space",
        ErrorKind::QuotaExceeded => "the disk quota is used up: raise it",
        ErrorKind::PermissionDenied => {
            "not permitted: give this user the right to the store's folder (an immutable file needs `chattr -i`)"
        }
        ErrorKind::ReadOnlyFilesystem => "the file system is mounted read-only",
        ErrorKind::NotADirectory => "a file stands where a folder belongs",
        ErrorKind::IsADirectory => "a folder stands where the object belongs",
        ErrorKind::CrossesDevices | ErrorKind::TooManyLinks | ErrorKind::Unsupported => {
            "this file system cannot do that (hard links within one file system are needed): choose another"
        }
        _ => return format!("could not {doing}: {e}"),
    };
    format!("could not {doing}: {advice} ({e})")
}

#[cfg(test)]
mod tests;
