//! What telemetry would become, without storing it (pure): which spans and logs are promoted and as what, which members are missing and who
//! asks for them, which attribute to set, and why a span is not AI.
//!
//! The records are made by the one [`Promoter`](crate::promote::Promoter), so that nothing is said here that `serve` would not do. What is
//! reported are names of services, spans and attribute keys, scrubbed as in records, and paths of members; never a value.

mod asked;
mod bodies;
mod described;
mod observe;
pub mod reference;
mod report;
#[cfg(test)]
mod tests;

pub use asked::{FRAMEWORKS, is_framework};
pub use bodies::{Body, Broken, body, is_protobuf, strange_member};
pub use observe::Linter;
pub use report::{FORMAT, Finding, Group, Input, InputError, Near, NotAi, Path, Records, Report, Totals, Unknown, Verdict, Wanted, Why};

/// The attributes that applications set, generated from the tables (`spanseal attributes`).
#[doc = include_str!("ATTRIBUTES.md")]
pub mod attributes {}
