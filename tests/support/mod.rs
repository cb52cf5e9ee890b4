//! What the tests share.

pub(crate) mod s3;
