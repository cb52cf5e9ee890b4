//! The OpenTelemetry Collector before us: what it may pass on ([`filter`]).
//!
//! Option names, their defaults and what they do are those of Collector 0.152 (core and contrib), read in its source and documentation.

pub mod filter;
