//! The API port: health, metrics, and the log as standard tlog clients ask for it (C2SP tlog-tiles paths).
//!
//! Everything here reads, but for two: an erasure, and the record of a reading, which need a proof of the vault key ([`handshake`]). No
//! content and no person ever leaves through it.

mod acts;
mod handshake;
mod routes;
mod standing;
mod status;
mod tlog;
mod whose;

pub use acts::{Acts, Challenge};
pub use handshake::{ANSWER, Act, HELLO, NONCE, Nonce, PROOF, Proofs, Question, nonce, parse_nonce};
pub use routes::{Api, HEALTHY, router};
pub use standing::{Outsiders, Standing};
pub use whose::Whose;
