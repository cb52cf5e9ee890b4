//! The Collector before us: what we print for it passes what is promoted, and what we hand out carries it.

mod files;
mod filter;
