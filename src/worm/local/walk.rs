//! Listing a tree of folders in the order of its keys' bytes.

use super::the_version;
use crate::worm::{ObjectKey, Version};
use std::collections::BinaryHeap;
use std::fs;
use std::io;
use std::path::Path;

pub(super) struct Query {
    pub(super) prefix: String,
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

/// Names of one folder that are held at once at least: a name that turns out to be no object costs another look at the folder only
/// when that many of them come together.
const NAMES_MIN: usize = 256;

/// All objects that the query asks for. Names that begin with `_` directly below the root are the store's own.
///
/// Of a folder only the least names are held, as many as the page still wants: memory is bounded by the page (times the depth of
/// folders), not by the folder.
///
/// KNOWN GAP: the folder itself is read whole for every page, because a file system lists in no order; one page of `seals/` costs a look
/// at all its names (not its files).
pub(super) fn list(root: &Path, query: &Query) -> io::Result<Vec<Version>> {
    let mut out = Vec::new();
    // The deepest folder that holds everything below the prefix.
    let base = query.prefix.rfind('/').and_then(|end| query.prefix.get(..=end)).unwrap_or_default();
    if !base.split('/').any(|part| part == "..") && !base.starts_with(['/', '_']) {
        walk(&root.join(base), base, query, &mut out)?;
    }
    Ok(out)
}

/// `key` is the folder's key, empty or ending with a slash. Ordered as keys are: a folder sorts as its name with the
/// slash, because that is how every key below it goes on (`a.b` < `a/b` < `ab`).
fn walk(folder: &Path, key: &str, query: &Query, out: &mut Vec<Version>) -> io::Result<()> {
    let mut passed: Option<String> = None;
    while out.len() < query.limit {
        let room = (query.limit - out.len()).max(NAMES_MIN);
        let names = least(folder, key, query, passed.as_deref(), room)?;
        let whole = names.len() < room;
        passed = names.last().map(|(own, _)| own.clone());
        for (own, is_folder) in names {
            if out.len() >= query.limit {
                break;
            }
            let path = folder.join(own.strip_prefix(key).unwrap_or(&own));
            if is_folder {
                walk(&path, &own, query, out)?;
                continue;
            }
            match fs::metadata(&path) {
                Ok(found) if found.is_file() => out.push(the_version(ObjectKey(own), found.len())),
                Ok(_) => {}
                Err(e) if super::is_absent(&e) => {} // Gone since the folder was read.
                Err(e) => return Err(e),
            }
        }
        if whole {
            break;
        }
    }
    Ok(())
}

/// The least `room` keys of a folder's entries, beyond `passed`, ascending, each with whether it is a folder.
pub(super) fn least(folder: &Path, key: &str, query: &Query, passed: Option<&str>, room: usize) -> io::Result<Vec<(String, bool)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if super::is_absent(&e) => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    // The greatest lies on top, and goes when a lesser one comes.
    let mut least = BinaryHeap::new();
    for entry in entries {
        let entry = entry?;
        // A name that is no UTF-8 is no key: nothing of ours is called so.
        let Ok(name) = entry.file_name().into_string() else { continue };
        if key.is_empty() && name.starts_with('_') {
            continue;
        }
        let is_folder = entry.file_type()?.is_dir();
        let own = if is_folder { format!("{key}{name}/") } else { format!("{key}{name}") };
        if passed.is_some_and(|passed| own.as_str() <= passed) || !query.may_hold(&own, is_folder) {
            continue;
        }
        least.push((own, is_folder));
        if least.len() > room {
            least.pop();
        }
    }
    Ok(least.into_sorted_vec())
}

impl Query {
    fn may_hold(&self, own: &str, is_folder: bool) -> bool {
        let after = self.after.as_deref().unwrap_or_default();
        let below = own.starts_with(&self.prefix) || (is_folder && self.prefix.starts_with(own));
        // All keys of a folder that sorts before `after` do so too, unless `after` lies inside it.
        below && (own > after || (is_folder && after.starts_with(own)))
    }
}
