//! The one integration test binary: each module proves one promise.

mod support;
mod worm_contract;
