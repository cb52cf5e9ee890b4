//! The product's own receiver and promoter with nothing behind them: what reading, classifying and writing records costs, without sealing.

use std::sync::Arc;
use std::time::Instant;

use spanseal::clock::{SystemClock, UnixNanos};
use spanseal::promote::{Context, IdentityKey, Promoter, Settings, Tally, Unpromoted};
use spanseal::receive::{self, Endpoint, Port, Promote, ReceiveMetrics, ReceiverState};
use spanseal::record::Batch;
use spanseal::worm::memory::CreateOnly;

use crate::load::{Load, Mix};
use crate::support::log::{ORIGIN, TestLog};

/// Promotes in full and then lets the records go, so that the answer goes out at once.
#[derive(Debug)]
struct Discards(Promoter);

impl Discards {
    fn discard(tally: Result<Tally, Unpromoted>) -> Result<Tally, Unpromoted> {
        tally.map(|mut tally| {
            tally.counts.promoted = 0;
            tally
        })
    }
}

impl Promote for Discards {
    fn traces(&self, request: &[u8], context: Context<'_>, _batch: &mut Batch) -> Result<Tally, Unpromoted> {
        let mut scratch = Batch::default();
        let tally = self.0.traces(request, context, &mut scratch);
        std::hint::black_box(scratch.lines.len());
        Self::discard(tally)
    }

    fn logs(&self, request: &[u8], context: Context<'_>, _batch: &mut Batch) -> Result<Tally, Unpromoted> {
        Self::discard(self.0.logs(request, context, &mut Batch::default()))
    }
}

const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Serves until killed; says its address first.
pub(crate) fn serve() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // A writer that never gets anything to write.
        let log = TestLog::new(CreateOnly::Honoured);
        let process = log.open().await.unwrap().unwrap();
        let promoter = Promoter::new(Settings::new(log.classes(), IdentityKey::new([7; 32]))).unwrap();
        let state = ReceiverState {
            promoter: Arc::new(Discards(promoter)),
            sealer: process.handle,
            clock: Arc::new(SystemClock),
            origin: ORIGIN.to_owned(),
            metrics: Arc::<ReceiveMetrics>::default(),
            elsewhere: None,
        };
        let endpoint = Endpoint { address: "127.0.0.1:0".to_owned(), tls: None, token_file: None };
        let options = receive::Options {
            grpc: Some(Port { endpoint, request_bytes_max: MESSAGE_BYTES_MAX }),
            http: None,
            timeouts: receive::Timeouts::default(),
        };
        let mut running = receive::start(&options, state).await.unwrap();
        println!("{}", running.grpc_address().unwrap());
        running.failed().await;
    });
}

/// Promotes the same request of AI spans again and again; prints what a span takes.
pub(crate) fn promote_alone() {
    let rounds: u64 = std::env::args().nth(2).and_then(|n| n.parse().ok()).unwrap_or(200);
    let log = TestLog::new(CreateOnly::Honoured);
    let promoter = Promoter::new(Settings::new(log.classes(), IdentityKey::new([7; 32]))).unwrap();
    let load = Load::new(Mix::Ai);
    let body = load.fresh_body();
    let context = Context::new(UnixNanos(1_790_000_000_000_000_000));
    let begin = Instant::now();
    for _ in 0..rounds {
        let mut batch = Batch::default();
        std::hint::black_box(promoter.traces(&body, context, &mut batch)).unwrap();
        std::hint::black_box(batch.lines.len());
    }
    println!("{:.0} ns a span", begin.elapsed().as_nanos() as f64 / (rounds * load.spans_per_request) as f64);
}
