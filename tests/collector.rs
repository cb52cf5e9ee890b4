//! The Collector before us: what we print for it passes what is promoted, what we hand out carries it, and what would lose it is found.

mod check;
mod files;
mod filter;
mod kill;
mod refused;
