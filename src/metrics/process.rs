//! What the operating system says of this process.

use std::sync::Arc;

use super::{Gather, Source, table};
use crate::api::Standing;
use crate::clock::{Clock, UnixNanos};

/// Memory, file descriptors, uptime, version, readiness.
#[derive(Debug)]
pub struct Process {
    clock: Arc<dyn Clock>,
    started: UnixNanos,
    standing: Arc<Standing>,
}

impl Process {
    /// `standing` is what `/readyz` answers with.
    pub fn new(clock: Arc<dyn Clock>, standing: Arc<Standing>) -> Self {
        let started = clock.now();
        Process { clock, started, standing }
    }
}

/// Nanoseconds as seconds, without a lossy cast.
fn seconds(nanos: u64) -> f64 {
    std::time::Duration::from_nanos(nanos).as_secs_f64()
}

impl Source for Process {
    fn gather(&self, out: &mut Gather) {
        out.count(&table::BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1);
        out.measure(&table::START_TIME, &[], seconds(self.started.0));
        out.measure(&table::UPTIME, &[], seconds(self.clock.now().0.saturating_sub(self.started.0)));
        // Linux only; elsewhere the figure is absent rather than zero.
        if let Some(bytes) = std::fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident_bytes) {
            out.count(&table::MEMORY, &[], bytes);
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            // One of them is this listing.
            out.count(&table::OPEN_FDS, &[], u64::try_from(open.count().saturating_sub(1)).unwrap_or(0));
        }
        out.count(&table::READY, &[], u64::from(self.standing.ready().is_ok()));
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_proc() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    1234 kB\nVmData: 1 kB\n"), Some(1234 * 1024));
        assert_eq!(resident_bytes("VmRSS: lots"), None);
    }
}
