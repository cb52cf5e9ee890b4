//! The only way to stdout and stderr: answers go to stdout, everything else to stderr.
//!
//! What is for a reader goes out without a character that a terminal would act on ([`crate::plain`]), whoever wrote it; what is for a machine
//! goes out exactly.
//!
//! A reader that went away (`spanseal query ... | head`) is no error worth a word: the write fails with [`BrokenPipe`], which `main` ends
//! quietly.

use std::io::{self, Write};
use std::path::Path;

use crate::plain::{shown, shown_json, shown_lines};
use crate::worm::{Locks, StoreUrl};

/// Whoever read our output has closed it.
#[derive(Debug, thiserror::Error)]
#[error("the reader of the output went away")]
pub struct BrokenPipe;

/// Writes an answer for a reader to stdout and flushes it. Its lines are our own.
pub fn answer(text: &str) -> anyhow::Result<()> {
    answer_bytes(shown_lines(text).as_bytes())
}

/// The same of one that is JSON: its value is exact.
pub fn answer_json(json: &str) -> anyhow::Result<()> {
    answer_bytes(shown_json(json).as_bytes())
}

/// Writes an answer for a machine, byte for byte (sealed lines, proofs, tables, configuration).
pub fn answer_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| match e.kind() {
        io::ErrorKind::BrokenPipe => anyhow::Error::new(BrokenPipe),
        _ => anyhow::Error::new(e).context("the answer cannot be written to stdout"),
    })
}

/// Where a path leads: relative ones count from the working directory.
pub fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// The same of a store.
pub fn absolute_store(url: &StoreUrl) -> String {
    match url {
        StoreUrl::File(path) => format!("file://{}", absolute(path)),
        StoreUrl::S3 { .. } | StoreUrl::Azure { .. } | StoreUrl::Gcs { .. } => url.to_string(),
    }
}

/// What is to be said after a retention class, so that nobody takes a wish for a promise.
pub fn enforced(locks: Locks) -> &'static str {
    match locks {
        Locks::Enforced => "",
        Locks::None => "; not enforced by this store",
    }
}

/// Tells the person at the terminal something, on stderr, in one line: whatever it quotes begins no other. Failing to is not worth failing
/// for.
pub fn tell(text: &str) {
    say(&shown(text));
}

/// The same of lines that are our own, and quote nothing of others but what is [`shown`].
pub fn tell_lines(text: &str) {
    say(&shown_lines(text));
}

/// A key file that was made without being asked for by name.
pub fn tell_made(key: &str, file: &Path) {
    tell(&format!("made      {key} {} (mode 0600): back it up, it cannot be made again", file.display()));
}

fn say(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n"));
}
