//! spanseal: an OTLP receiver that turns AI spans into evidence.

pub mod clock;
pub mod worm;
