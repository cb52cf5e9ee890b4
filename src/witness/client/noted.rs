//! Checkpoints with the lines of those who cosigned them, as they are handed out: the log's own note, and below it a line a witness.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::tlog::TreeSize;
use crate::tlog::note::SignatureLine;

/// Checkpoints that wait for further witnesses. The oldest are forgotten: witnesses are always asked for the newest.
const OPEN_MAX: usize = 16;
/// Checkpoints that enough cosigned: more than are chosen between two publications, each of which covers some.
const ENOUGH_MAX: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Noted(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    open: BTreeMap<TreeSize, Note>,
    enough: BTreeMap<TreeSize, Note>,
}

#[derive(Debug)]
struct Note {
    /// As the log signed it.
    signed: String,
    /// By the witness's place in the configuration.
    lines: BTreeMap<usize, String>,
}

impl Noted {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A verified line over a checkpoint. The first one of a witness stays.
    pub(super) fn add(&self, nth: usize, size: TreeSize, signed: &str, line: &SignatureLine, quorum: usize) {
        let mut held = self.held();
        let Held { open, enough } = &mut *held;
        if let Some(note) = enough.get_mut(&size) {
            note.lines.entry(nth).or_insert_with(|| line.to_string());
            return;
        }
        let note = open.entry(size).or_insert_with(|| Note { signed: signed.to_owned(), lines: BTreeMap::new() });
        note.lines.entry(nth).or_insert_with(|| line.to_string());
        if note.lines.len() >= quorum
            && let Some(note) = open.remove(&size)
        {
            enough.insert(size, note);
        }
        while open.len() > OPEN_MAX {
            open.pop_first();
        }
        while enough.len() > ENOUGH_MAX {
            enough.pop_first();
        }
    }

    /// The newest that enough cosigned, of this size at most.
    pub(super) fn newest(&self, most: TreeSize) -> Option<String> {
        let held = self.held();
        let (_, note) = held.enough.range(..=most).next_back()?;
        Some(note.lines.values().fold(note.signed.clone(), |note, line| note + line))
    }
}
