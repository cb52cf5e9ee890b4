//! The API port: health, metrics, and the log as standard tlog clients ask for it (C2SP tlog-tiles paths).
//!
//! Everything here reads, but for three: an erasure, the record of a reading, and that of an operator's act, which need a proof of a secret
//! of the log ([`handshake`]). No content and no person ever leaves through it.

mod acts;
mod handshake;
mod receipts;
mod routes;
mod standing;
mod status;
mod tlog;
mod whose;

pub use acts::{Acts, Challenge};
pub use handshake::{ANSWER, Act, HELLO, NONCE, Nonce, PROOF, Proofs, Question, Secret, TIME, nonce, parse_nonce};
pub use receipts::Receipts;
pub use routes::{Api, HEALTHY, router};
pub use standing::{Outsiders, Standing};
pub use whose::Whose;
