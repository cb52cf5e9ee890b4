//! What a request names is fetched before it is promoted, and paid for from the pool like the rest of it.

use std::collections::HashSet;

use super::*;
use crate::clock::UnixSeconds;
use crate::elsewhere::{From, Options as Places, Place, Unfetched};
use crate::otlp::answer::Signal;
use crate::promote::{ContentMode, IdentityKey, Promoter, Settings};
use crate::retain::{Class, Classes};
use crate::worm::Mode;
use crate::worm::s3::S3Options;

/// Longest content, bytes.
const MAX: usize = 16 * 1024;

/// Promotes, and remembers how much of the pool was taken meanwhile and what came of it.
#[derive(Debug)]
struct Watched {
    promoter: Promoter,
    pool: Pool,
    seen: Mutex<Vec<(u64, String)>>,
}

impl Promote for Watched {
    fn traces(&self, request: &[u8], context: Context<'_>, batch: &mut Batch) -> Result<Tally, Unpromoted> {
        let used = self.pool.used();
        let tally = self.promoter.traces(request, context, batch)?;
        let lines = String::from_utf8(batch.lines.clone()).unwrap();
        self.seen.lock().unwrap().push((used, lines));
        Ok(tally)
    }

    fn logs(&self, request: &[u8], context: Context<'_>, batch: &mut Batch) -> Result<Tally, Unpromoted> {
        self.promoter.logs(request, context, batch)
    }

    fn references<'r>(&self, request: &'r [u8], signal: Signal) -> Result<HashSet<&'r str>, Malformed> {
        self.promoter.references(request, signal)
    }
}

fn promoter() -> Promoter {
    let class = Class { name: "standard".into(), mode: Mode::Governance, period: "1d".parse().unwrap(), claimable: false };
    let classes = Classes::new(vec![class], "standard", "10y".parse().unwrap(), UnixSeconds(1_795_187_350)).unwrap();
    let settings = Settings::new(Arc::new(classes), IdentityKey::new([0; 32]));
    Promoter::new(Settings { content: ContentMode::Vault { equality: false }, ..settings }).unwrap()
}

/// Scenario: requests that name files, one at a time, small and large, with room in the pool and without. Guarantee: what is fetched is in the
/// records and counted in the pool until they are made; where the pool has no room the request is sealed without, and nothing stays taken.
#[tokio::test]
async fn what_is_fetched_is_paid_from_the_pool() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "a".repeat(10_000)).unwrap();
    std::fs::write(folder.path().join("b"), "b".repeat(11_000)).unwrap();
    let base = format!("file://{}/", folder.path().display());
    let from = vec![From { place: Place::parse(&base).unwrap(), ca_file: None }];
    let places = Places { from, bytes_max: MAX, timeout: Duration::from_secs(5), parallel: 2 };
    let elsewhere = Elsewhere::open(&places, &S3Options::default()).await.unwrap();
    let pool = Pool::new(1024 * 1024, Duration::from_secs(5));
    let (sealer, submissions) = SealerHandle::for_tests(pool.clone());
    let watched = Arc::new(Watched { promoter: promoter(), pool: pool.clone(), seen: Mutex::default() });
    let metrics = Arc::<ReceiveMetrics>::default();
    let state = ReceiverState {
        promoter: Arc::clone(&watched) as Arc<dyn Promote>,
        sealer,
        clock: Arc::new(ManualClock::new(UnixNanos(77))),
        origin: "spanseal.local/test".to_owned(),
        metrics: Arc::clone(&metrics),
        elsewhere: Some(Arc::new(elsewhere)),
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options { grpc: None, http: Some(Port { endpoint: plain(), request_bytes_max: LIMIT }), timeouts: Timeouts::default() };
    let receiver = start(&options, state).await.unwrap();
    let mut rig =
        Rig { receiver, fake: Arc::default(), metrics: Arc::clone(&metrics), pool: pool.clone(), counters: Arc::default(), submissions };
    rig.answering(Ok(RECEIPT));
    let request = |padding: usize| {
        let mut span = ai_span();
        span.attributes.extend([
            text("gen_ai.input.messages_ref", &format!("{base}a")),
            text("gen_ai.output.messages_ref", &format!("{base}b")),
            text("padding", &"x".repeat(padding)),
        ]);
        traces(vec![span]).encode_to_vec()
    };
    for (n, padding) in [(1, 0), (2, export::INLINE_BYTES_MAX)] {
        let body = request(padding);
        assert_eq!(http::post(&rig, "/v1/traces", http::PROTOBUF, "", body.clone()).await.status, 200);
        let (used, lines) = watched.seen.lock().unwrap().last().cloned().unwrap();
        // By the request, and by the room that its records have to begin with, which is about twice that.
        let request = body.len() + 21_000;
        let (least, most) = (request, 2 * (request + 1024) + 8 * 1024);
        assert!(used >= least as u64, "{used} of {least} at least are counted");
        assert!(used <= most as u64, "{used}: what was reserved and not needed is given back, {most} at most");
        assert!(lines.contains(r#""bytes":"10000""#) && lines.contains(r#""bytes":"11000""#), "{lines}");
        assert_eq!((metrics.fetched_contents(), pool.used()), (2 * n, 0));
    }
    // Room for the request and for one content at a time, but never for two.
    let others = pool.admit(1024 * 1024 - MAX - 8 * 1024).await.unwrap();
    assert_eq!(http::post(&rig, "/v1/traces", http::PROTOBUF, "", request(4096)).await.status, 200);
    let (_, lines) = watched.seen.lock().unwrap().last().cloned().unwrap();
    assert_eq!((metrics.fetched_contents(), metrics.unfetched(Unfetched::NoRoom)), (5, 1), "{lines}");
    assert!(lines.contains(r#""captured":"by_reference""#), "{lines}");
    drop(others);
    assert_eq!(pool.used(), 0);
}
