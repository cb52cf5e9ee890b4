//! Whether a folder can be a store, found out by trying, before a key is made for it or a sender trusts it.
//!
//! Asking for permission bits is not enough: root has them in a read-only file system too, and in `/proc`.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::{LOCKS, TEMP, in_words};
use crate::worm::OpenError;

/// Where a local store stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The folder is there and can be written.
    Writable,
    /// It is not there yet, and can be made.
    CanBeMade,
}

/// Tries to write in the store's folder, outside every log, and leaves nothing behind. Where the folder does not exist, tries whether it
/// could be made.
pub async fn probe(root: &Path, log: &str) -> Result<Place, OpenError> {
    let shown = format!("file://{}", root.display());
    let absolute = std::path::absolute(root).map_err(|e| OpenError::invalid(&shown, format!("no such path can be: {e}")))?;
    let log = log.to_owned();
    let tried = tokio::task::spawn_blocking(move || try_it(&absolute, &log));
    tried.await.unwrap_or_else(|e| Err(OpenError::invalid(shown, format!("the probing thread ended early: {e}"))))
}

fn try_it(root: &Path, log: &str) -> Result<Place, OpenError> {
    let invalid = |reason: String| OpenError::invalid(format!("file://{}", root.display()), reason);
    let name = format!("{log}.probe.{}", std::process::id());
    if !root.is_dir() {
        let above = root.ancestors().skip(1).find(|p| fs::symlink_metadata(p).is_ok()).unwrap_or(Path::new("/"));
        return make_and_remove_folder(&above.join(format!(".spanseal-{name}"))).map(|()| Place::CanBeMade).map_err(|e| {
            invalid(format!(
                "the folder does not exist and cannot be made in `{}`: {}; make it and let this user write there, or choose another `store.url`",
                above.display(),
                in_words("make a folder", &e)
            ))
        });
    }
    let cannot = |folder: &Path, e: &io::Error| {
        invalid(format!(
            "nothing can be written in the folder `{}`: {}; let this user write there, or choose another `store.url`",
            folder.display(),
            in_words("write a file", e)
        ))
    };
    let own: [PathBuf; 3] = [root.join(TEMP), root.join(LOCKS), root.join(log)];
    // What is missing is made in the root; where all is there the root itself need not be writable.
    let [temp, locks, evidence] = &own;
    if !own.iter().all(|folder| folder.is_dir()) {
        make_and_remove_file(&root.join(format!("_{name}"))).map_err(|e| cannot(root, &e))?;
    }
    if temp.is_dir() {
        make_and_remove_file(&temp.join(&name)).map_err(|e| cannot(temp, &e))?;
    }
    // Below a log and its lock nothing is tried, only asked.
    for (path, how) in [
        (locks, Access::WRITE_OK | Access::EXEC_OK),
        (&locks.join(log), Access::WRITE_OK | Access::READ_OK),
        (evidence, Access::WRITE_OK | Access::EXEC_OK),
    ] {
        if path.exists() {
            access(path, how).map_err(|e| cannot(path, &e.into()))?;
        }
    }
    Ok(Place::Writable)
}

fn make_and_remove_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::remove_dir(path)
}

fn make_and_remove_file(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    match fs::remove_file(path) {
        // A writer that started just now has swept it.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_tried_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("a/b");
        assert_eq!(probe(&root, "audit").await.unwrap(), Place::CanBeMade);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::create_dir_all(root.join(TEMP)).unwrap();
        assert_eq!(probe(&root, "audit").await.unwrap(), Place::Writable);
        assert_eq!((fs::read_dir(&root).unwrap().count(), fs::read_dir(root.join(TEMP)).unwrap().count()), (1, 0));
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_or_written_is_named() {
        // Not even root can write here.
        let error = probe(Path::new("/proc/nope"), "audit").await.unwrap_err().to_string();
        assert!(error.starts_with("store `file:///proc/nope`: the folder does not exist and cannot be made in `/proc`: "), "{error}");
        let error = probe(Path::new("/proc"), "audit").await.unwrap_err().to_string();
        assert!(error.starts_with("store `file:///proc`: nothing can be written in the folder `/proc`: "), "{error}");
    }
}
