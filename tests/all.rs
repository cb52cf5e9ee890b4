//! The one integration test binary: each module proves one promise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test stops at the first surprise, and reads the environment to find its tools"
)]

mod support;
mod corpus_replay;
mod end_to_end;
mod readme;
mod sdk_clients;
mod tidy;
mod worm_contract;
