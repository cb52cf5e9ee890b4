//! What the tests share.

pub mod hold;
pub mod log;
pub mod s3;
