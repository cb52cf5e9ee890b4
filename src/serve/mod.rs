//! Wiring only: builds the stages, supervises them, drains them in order. Decides nothing that a stage decides.
//!
//! Start, in this order, so that what is easily wrong is found before anything is written: ports, store, Object Lock, place of the vault, keys, vault, log (recovery,
//! first seal), receivers. Nothing is received before the log is open.

mod beside;
mod error;
#[cfg(test)]
mod fixtures;
mod holder;
mod keeper;
pub mod keys;
mod on_record;
mod ports;
mod start;
pub mod vault;
mod writer;

pub use error::ServeError;
pub use ports::{BindError, bind, is_spanseal};
pub use start::{Serving, start};
pub use writer::{Promise, Writer};

use crate::worm::{StoreState, StoreUrl};

/// What to say of a bucket that is not write-once storage.
pub fn no_object_lock(url: &StoreUrl, state: &StoreState) -> String {
    let made = match url {
        StoreUrl::Azure { .. } => {
            "no version-level immutability, so nothing in it would be write-once; make a container that supports it (the account needs blob \
             versioning)"
        }
        StoreUrl::Gcs { .. } => {
            "no object versioning with per-object retention, so nothing in it would be write-once; make a bucket with both (retention is enabled \
             when a bucket is made)"
        }
        StoreUrl::File(_) | StoreUrl::S3 { .. } => "",
    };
    if !made.is_empty() {
        return format!("{url} has {made}; `spanseal doctor` shows the rest");
    }
    let (lacks, now) = match (state.unknown_calls.as_slice(), state.versioning, state.object_lock) {
        ([call, ..], ..) => (
            format!("is on a server that does not know the call {call}"),
            "no bucket there can be: take a server that has versioning and Object Lock",
        ),
        ([], Some(false), Some(true)) => (
            "has Object Lock and no versioning".to_owned(),
            "enable versioning on the bucket (on a server that keeps versions only where it is told to, such as Versity's gateway with \
             --versioning-dir, tell it to)",
        ),
        ([], Some(true), _) => {
            ("has versioning and no Object Lock".to_owned(), "make a bucket with Object Lock (it is set when a bucket is created)")
        }
        _ => ("has no versioning with Object Lock".to_owned(), "make a bucket with Object Lock (it is set when a bucket is created)"),
    };
    format!(
        "{url} {lacks}, so nothing in it would be write-once; {now}, or set `store.not_worm: true`, which every seal and report will say; \
         `spanseal doctor` shows the rest"
    )
}
