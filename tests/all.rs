//! The one integration test binary: each module proves one promise.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that stops here has found what it looked for")]

mod support;
mod worm_contract;
