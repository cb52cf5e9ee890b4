//! Promise: what an authority says of a checkpoint is believed exactly where it holds: a sound token (RFC 3161) by an authority that the
//! auditor trusts. Authorities that are away hold nothing up.

mod log;
mod serve;
mod tokens;
