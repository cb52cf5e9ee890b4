//! spanseal: an OTLP receiver that turns AI spans into evidence.

pub mod clock;
pub mod record;
pub mod retain;
pub mod tlog;
pub mod worm;
