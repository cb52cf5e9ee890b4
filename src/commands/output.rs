//! The only way to stdout and stderr: answers go to stdout, everything else to stderr.
//!
//! A reader that went away (`spanseal query ... | head`) is no error worth a word: the write fails with [`BrokenPipe`], which `main` ends
//! quietly.

use std::io::{self, Write};
use std::path::Path;

use crate::worm::{Locks, StoreUrl};

/// Whoever read our output has closed it.
#[derive(Debug, thiserror::Error)]
#[error("the reader of the output went away")]
pub struct BrokenPipe;

/// Writes an answer to stdout and flushes it.
pub fn answer(text: &str) -> anyhow::Result<()> {
    answer_bytes(text.as_bytes())
}

/// Writes an answer that need not be text (sealed lines, byte for byte).
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
        StoreUrl::S3 { .. } => url.to_string(),
    }
}

/// What is to be said after a retention class, so that nobody takes a wish for a promise.
pub fn enforced(locks: Locks) -> &'static str {
    match locks {
        Locks::Enforced => "",
        Locks::None => "; not enforced by this store",
    }
}

/// Tells the person at the terminal something, on stderr. Failing to is not worth failing for.
pub fn tell(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n"));
}
