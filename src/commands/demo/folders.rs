//! The demo's folders. They are made anew at every start, so they are deleted at every start: only ever what an earlier demo made
//! and marked, never anything else.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, bail};

/// Marks a folder that the demo made. Names that begin with `_` are reserved below a store, so that no log is called so.
const MARKER: &str = "_made-by-spanseal-demo";
const MARKER_TEXT: &str = "`spanseal demo` made this folder and deletes it, with everything in it, at its next start.\n";

/// Deletes what an earlier demo left at `path` and makes the folder anew. Refuses anything that does not carry the demo's marker.
pub(super) fn make_anew(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e).with_context(|| format!("`{shown}` cannot be looked at")),
        Ok(found) if !found.is_dir() => bail!("`{shown}` is not a folder; move it away, or run the demo elsewhere"),
        Ok(_) if marked(path)? => {
            fs::remove_dir_all(path).with_context(|| format!("what an earlier demo left in `{shown}` cannot be deleted"))?
        }
        Ok(_) if fs::read_dir(path).with_context(|| format!("`{shown}` cannot be read"))?.next().is_none() => {}
        Ok(_) => bail!(
            "`{shown}` exists and was not made by the demo, so the demo will not touch it; move it away, or run the demo in another folder"
        ),
    }
    // Keys and what was said lie in them: nobody else's to read, whatever the umask.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| format!("`{shown}` cannot be made"))?;
    fs::write(path.join(MARKER), MARKER_TEXT).with_context(|| format!("`{shown}` cannot be written to"))
}

/// A link to a marker is no marker: it could be put into anybody's folder.
fn marked(path: &Path) -> anyhow::Result<bool> {
    let marker = path.join(MARKER);
    let is_file = fs::symlink_metadata(&marker).is_ok_and(|m| m.is_file());
    Ok(is_file && fs::read_to_string(&marker).is_ok_and(|text| text == MARKER_TEXT))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_what_the_demo_made_is_deleted() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("demo");
        make_anew(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700, "nobody else's to read");
        fs::create_dir_all(path.join("log/seals")).unwrap();
        fs::write(path.join("log/seals/0.json"), "old").unwrap();
        make_anew(&path).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "only the new marker is there");

        fs::remove_file(path.join(MARKER)).unwrap();
        make_anew(&path).unwrap();
        fs::remove_file(path.join(MARKER)).unwrap();
        fs::write(path.join("thesis.txt"), "years of work").unwrap();
        assert!(make_anew(&path).unwrap_err().to_string().contains("was not made by the demo"));
        fs::write(path.join(MARKER), "something else").unwrap();
        assert!(make_anew(&path).is_err(), "a file of that name is not enough");
        assert!(path.join("thesis.txt").exists());
    }

    #[test]
    fn links_and_files_are_refused() {
        let base = tempfile::tempdir().unwrap();
        let real = base.path().join("real");
        make_anew(&real).unwrap();
        let link = base.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(make_anew(&link).is_err());
        let other = base.path().join("other");
        fs::create_dir(&other).unwrap();
        std::os::unix::fs::symlink(real.join(MARKER), other.join(MARKER)).unwrap();
        assert!(make_anew(&other).is_err());
        fs::write(base.path().join("file"), "").unwrap();
        assert!(make_anew(&base.path().join("file")).is_err());
    }
}
