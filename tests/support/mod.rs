//! What the tests share.

pub mod failing;
pub mod forge;
pub mod hold;
pub mod log;
pub mod s3;
