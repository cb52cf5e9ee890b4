//! The wire (pure): OTLP protobuf as borrowed views, OTLP/JSON turned into the same bytes, answers.
//!
//! Nothing here decodes into owned messages: a request is walked where it lies, and only what is promoted is looked at closely.

pub mod answer;
pub mod foreign;
pub mod json;
pub mod metrics;
pub mod view;
pub mod wire;
