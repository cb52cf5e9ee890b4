//! What the integration tests share: the receiver as a process of its own, clients that speak the wire, an independent reading of what
//! must come out, and the tools of others.

pub(crate) mod apart;
pub(crate) mod azure;
pub(crate) mod captures;
pub(crate) mod failing;
pub(crate) mod forge;
pub(crate) mod gcs;
pub(crate) mod hand_read;
pub(crate) mod hold;
pub(crate) mod ledger;
pub(crate) mod log;
pub(crate) mod otelcol;
pub(crate) mod otlp;
pub(crate) mod place;
pub(crate) mod pretender;
pub(crate) mod receiver;
pub(crate) mod recording;
pub(crate) mod s3;
pub(crate) mod second;
pub(crate) mod tlog_client;
pub(crate) mod token;
pub(crate) mod tools;
pub(crate) mod truth;
pub(crate) mod tsa;
pub(crate) mod vault;
pub(crate) mod witness;

use std::net::{SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// Longer than anything a healthy machine needs, shorter than a CI job: waiting for a condition ends here, as a failure.
///
/// Above all it is longer than the fence of a writer that starts on a store without create-only writes: a PUT timeout, one minute.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Asks until the answer is `Some`. Between two questions it waits a little: only for conditions of other processes, which cannot be
/// awaited in any other way.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A multi-threaded runtime for one test.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// An address on which nothing listens at the moment, for a server that cannot be asked which it took, or that is killed and started again:
/// from below the ports that systems give out for port 0, so that nobody is given it while its server is dead.
pub(crate) fn steady_address() -> SocketAddr {
    const PORTS: std::ops::Range<u16> = 12_000..32_000;
    static FIRST: OnceLock<u16> = OnceLock::new();
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes that run at once begin at different places.
    let first = *FIRST.get_or_init(|| {
        let mut random = [0; 2];
        getrandom::fill(&mut random).unwrap();
        u16::from_le_bytes(random) % (PORTS.end - PORTS.start)
    });
    loop {
        let nth = (u32::from(first) + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % u32::from(PORTS.end - PORTS.start);
        let address = SocketAddr::from(([127, 0, 0, 1], PORTS.start + u16::try_from(nth).unwrap()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
