//! Witnesses (C2SP tlog-witness): one of our own that somebody else runs, and the log's way to ask any.
//!
//! A log's key proves that what it signed was not changed since. It does not keep its holder from signing a second history. A witness is
//! somebody else's process that remembers the newest tree of the log and cosigns only what extends it: k of n of them say that there is one
//! history, and when each saw it by their own clock.
//!
//! [`server`] and [`state`] are the witness; [`client`] is the log's side, a background task of `serve` that nothing waits for.

pub mod client;
pub mod key;
pub mod server;
pub mod state;
pub mod wire;
