//! spanseal: an OTLP receiver that turns AI spans into evidence.
#![cfg_attr(test, allow(clippy::as_conversions, reason = "small numbers that tests make themselves"))]

pub mod clock;
pub mod otlp;
pub mod record;
pub mod receive;
pub mod promote;
pub mod retain;
pub mod seal;
pub mod tlog;
pub mod worm;
pub mod govern;
