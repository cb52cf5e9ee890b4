//! The API port: health, metrics, and the log as standard tlog clients ask for it (C2SP tlog-tiles paths).
//!
//! Everything here reads; nothing here changes anything. No content and no person ever leaves through it.

mod routes;
mod standing;

pub use routes::{Api, HEALTHY, router};
pub use standing::Standing;
