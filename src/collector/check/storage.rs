//! The extension that keeps an exporter's queue: whether what it holds survives a stop of the Collector, and of the machine.

use super::exporter::{At, is_started};
use super::file::{File, Said, kind_of};
use super::{Kind, Notes};
use crate::config::yaml::Mark;

/// Where `file_storage` keeps and compacts where nothing is written (not on Windows).
const STORAGE_DEFAULT: &str = "/var/lib/otelcol/file_storage";
/// Folders that are empty after a restart of the machine.
const VOLATILE: [&str; 4] = ["/tmp", "/dev/shm", "/run", "/var/run"];

/// Extensions that answer whether the Collector is ready.
const HEALTH: [&str; 2] = ["healthcheck", "healthcheckv2"];

/// The extension that a queue is kept by.
pub(super) fn judge(file: &File<'_>, exporter: &At<'_, '_>, name: &str, mark: Mark, notes: &mut Notes) {
    let instead = "the name of one, as in `file_storage/spanseal`";
    let Some(extension) = is_started(file, exporter, name, mark, instead, notes) else { return };
    if !file.started.iter().any(|started| HEALTH.contains(&kind_of(&started.id).as_str())) {
        let says = "the Collector may listen before this queue is open on its disk, and nothing tells whoever starts it when it is ready: \
                    `health_check` under `extensions`, and in `service.extensions`, does";
        notes.note(mark, exporter.id(), says);
    }
    if extension.kind() != "filestorage" {
        return notes.unjudged(
            extension.mark,
            &extension.id,
            "what this storage keeps when the Collector or the machine stops is not known here",
        );
    }
    let at = At::whole(extension);
    if !at.flag(&["fsync"], false, true, notes) {
        let says = "what the sender was told is on disk may still be in memory, and is lost when the machine stops";
        notes.found(Kind::StorageNotSynced, at.place(&["fsync"]), &extension.id, says, "`fsync: true`");
    }
    if at.flag(&["recreate"], false, false, notes) {
        let says = "after damage the queue begins anew, and what it held is set aside for nobody to send";
        notes.found(
            Kind::StorageVolatile,
            at.place(&["recreate"]),
            &extension.id,
            says,
            "`recreate: false`: the Collector stops, and somebody looks",
        );
    }
    compaction(&at, notes);
    match at.said(&["directory"]) {
        Said::Is(folder, mark) if is_volatile(&folder) => {
            let says = format!("`{folder}` is emptied when the machine or the container starts again, and the queue with it");
            notes.found(Kind::StorageVolatile, mark, &extension.id, says, "a folder on a disk or volume that stays");
        }
        Said::Unknown(mark) => notes.unjudged(mark, &extension.id, "`directory` is not known here: whether it survives a restart"),
        Said::Is(..) | Said::Nothing => {
            let says = match at.is_written(&["directory"]) {
                true => "in a container this folder has to lie on a volume that outlives it, or the queue goes with the container",
                false => {
                    "names no `directory`: its default, below /var/lib, goes with the container unless a volume that outlives it is mounted there"
                }
            };
            notes.note(at.place(&["directory"]), &extension.id, says);
        }
    }
}

/// Where a queue is compacted. In the queue's own file system the new file takes the place of the old one at once; out of another it is copied
/// back over the old one, which is emptied first and not written through.
fn compaction(at: &At<'_, '_>, notes: &mut Notes) {
    const DIRECTORY: [&str; 2] = ["compaction", "directory"];
    let is_on = [["compaction", "on_start"], ["compaction", "on_rebound"]].map(|path| at.flag(&path, false, false, notes)).contains(&true);
    if !is_on {
        return;
    }
    let own = match at.said(&["directory"]) {
        Said::Is(folder, _) => folder,
        Said::Nothing => STORAGE_DEFAULT.to_owned(),
        // Which is told with the folder itself.
        Said::Unknown(_) => return,
    };
    let folder = match at.said(&DIRECTORY) {
        Said::Is(folder, _) => folder,
        Said::Nothing => STORAGE_DEFAULT.to_owned(),
        Said::Unknown(mark) => {
            return notes.unjudged(mark, at.id(), "`compaction.directory` is not known here: whether it lies on the queue's disk");
        }
    };
    if !is_below(&folder, &own) {
        let by_default = if at.is_written(&DIRECTORY) { "" } else { " by default" };
        let says = format!(
            "compacts in `{folder}`{by_default}: where that is another file system than the queue's, the queue is emptied and copied back, and a \
             crash in between loses all of it, with `fsync` too"
        );
        let instead =
            format!("`compaction: {{directory: {own}}}`: in the queue's own folder the new file takes the old one's place at once");
        notes.found(Kind::StorageVolatile, at.place(&DIRECTORY), at.id(), says, instead);
    }
}

/// Whether a folder lies in one that is empty after a restart, whatever way is written to it.
fn is_volatile(folder: &str) -> bool {
    VOLATILE.iter().any(|volatile| is_below(folder, volatile))
}

/// Whether a folder is another one or lies below it, whatever way is written to them.
fn is_below(folder: &str, of: &str) -> bool {
    let plain = |folder: &str| {
        let mut parts: Vec<String> = if folder.starts_with('/') { vec![String::new()] } else { Vec::new() };
        for part in folder.split('/').filter(|part| !matches!(*part, "" | ".")) {
            match (part, parts.last().map(String::as_str)) {
                ("..", None | Some("..")) => parts.push(part.to_owned()),
                // Above the root there is the root.
                ("..", Some("")) => {}
                ("..", Some(_)) => {
                    parts.pop();
                }
                _ => parts.push(part.to_owned()),
            }
        }
        parts
    };
    plain(folder).starts_with(&plain(of))
}
