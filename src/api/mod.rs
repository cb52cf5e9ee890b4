//! The API port: health, metrics, and the log as standard tlog clients ask for it (C2SP tlog-tiles paths).
//!
//! Everything here reads, but for one: an erasure, which needs a token of the vault key ([`Erasing`]). No content and no person ever leaves
//! through it.

mod erase;
mod routes;
mod standing;

pub use erase::{ERASE, Erasing, token};
pub use routes::{Api, HEALTHY, router};
pub use standing::Standing;
