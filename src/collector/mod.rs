//! The OpenTelemetry Collector before us: what it may pass on ([`filter`]), what a configuration of it would lose ([`check`]), and whole
//! ones to begin with ([`examples`]).
//!
//! Option names, their defaults and what they do are those of Collector 0.152 (core and contrib), read in its source and documentation.

pub mod check;
pub mod examples;
pub mod filter;
