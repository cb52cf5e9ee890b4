//! The API port: health, metrics, and the log as standard tlog clients ask for it (C2SP tlog-tiles paths).
//!
//! Everything here reads, but for one: an erasure, which needs a proof of the vault key ([`handshake`]). No content and no person ever leaves
//! through it.

mod erase;
mod handshake;
mod routes;
mod standing;
mod tlog;

pub use erase::{Challenge, ERASE, Erasing};
pub use handshake::{NONCE, Nonce, PROOF, Proofs, nonce, parse_nonce};
pub use routes::{Api, HEALTHY, router};
pub use standing::Standing;
