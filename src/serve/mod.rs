//! Wiring only: builds the stages, supervises them, drains them in order.

pub mod keys;
mod ports;

pub use ports::{BindError, bind, is_spanseal};

use crate::worm::StoreUrl;

/// What to say of a bucket that is not write-once storage.
pub fn no_object_lock(url: &StoreUrl) -> String {
    format!(
        "{url} has no versioning with Object Lock, so nothing in it would be write-once; make a bucket with Object Lock (it is set when a bucket \
         is created), or set `store.not_worm: true`, which every seal and report will say"
    )
}
