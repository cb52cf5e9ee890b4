//! A file of a folder, reached without following a symbolic link.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;

use super::Unfetched;

/// Reads the file `path`, plain parts joined by slashes, below `root`. Blocks.
///
/// Each part is opened in the folder before it, so that nobody who moves things meanwhile leads it out; `root` itself may be a link, it is
/// the operator's. A pipe is not waited for.
pub(super) fn read(root: &Path, path: &str, max: usize) -> Result<Bytes, Unfetched> {
    let into = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut at = openat(CWD, root, into, Mode::empty()).map_err(why)?;
    let (folders, name) = path.rsplit_once('/').map_or((None, path), |(folders, name)| (Some(folders), name));
    for part in folders.into_iter().flat_map(|folders| folders.split('/')) {
        at = openat(&at, part, into | OFlags::NOFOLLOW, Mode::empty()).map_err(why)?;
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(&at, name, flags, Mode::empty()).map_err(why)?;
    let stat = fstat(&file).map_err(why)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Unfetched::Failed);
    }
    let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if size > max {
        return Err(Unfetched::TooLarge);
    }
    // One byte more than is taken: a file that grows meanwhile is seen to.
    let mut bytes = Vec::with_capacity(size.saturating_add(1));
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    File::from(file).take(limit).read_to_end(&mut bytes).map_err(|_| Unfetched::Failed)?;
    if bytes.len() > max { Err(Unfetched::TooLarge) } else { Ok(bytes.into()) }
}

fn why(errno: Errno) -> Unfetched {
    match errno {
        Errno::NOENT | Errno::NOTDIR => Unfetched::Absent,
        Errno::LOOP => Unfetched::Outside,
        _ => Unfetched::Failed,
    }
}
