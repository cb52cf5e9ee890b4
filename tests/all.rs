//! The one integration test binary: each module proves one promise.
#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that meets the unexpected should stop there, and not every build uses every helper"
)]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that stops here has found what it looked for")]

mod support;

mod crash;
mod golden;
mod s3_log;
mod simulation;
mod tamper;
mod worm_contract;
