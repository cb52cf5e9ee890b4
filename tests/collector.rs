//! The Collector before us: what we print for it passes what is promoted.

mod filter;
