//! The log as standard tlog tools read it, which know nothing of us: C2SP tlog-tiles from the store, over HTTP, and after every kind of
//! crash.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use spanseal::clock::{Clock, SystemClock};
use spanseal::metrics::Metrics;
use spanseal::seal::keys::LogKey;
use spanseal::seal::start;
use spanseal::tlog::TreeSize;
use spanseal::tlog::tile::{changed, completed};
use spanseal::verify::{Options, Verdict, verify};
use spanseal::worm::local::{LocalOptions, LocalStore};
use spanseal::worm::memory::{CreateOnly, Fault};
use spanseal::worm::{Condition, Lock, ObjectKey, Version, WormStore, below};
use tower::ServiceExt;

use crate::support::forge::notes;
use crate::support::log::{LOG, ORIGIN, TestLog, batch};
use crate::support::receiver::{Finished, Site};
use crate::support::tlog_client::Held;
use crate::support::{runtime, tools};

/// Beats until the log has so many seals, then stops. Heartbeats are the cheapest seals.
async fn grown_to(log: &TestLog, size: u64) {
    let mut options = log.options(&log.store.process());
    options.heartbeat = Some(Duration::from_secs(60));
    let (_handle, mut task) = start(options).await.unwrap();
    // The last seal is the one that says that it stops.
    task.status.wait_for(|status| status.tree_size + 1 >= size).await.unwrap();
    task.drain().await.unwrap();
    let walked = Held::of(&log.store, LOG).await.walk(TestLog::key().verifier()).unwrap();
    assert_eq!(walked.0, size);
}

async fn verified(log: &TestLog) {
    let options = Options { pinned: vec![TestLog::key().verifier().clone()], ..Options::new(log.clock.now().ceil_seconds()) };
    let report = verify(&log.store, &options).await;
    assert_eq!((report.verdict, notes(&report).contains(&"tile_absent")), (Verdict::Verified, false), "{}", report.to_text());
}

/// Scenario: the writer publishes logs of sizes around the edges of tiles, and a client of other hands walks what it left, from the store
/// and over HTTP; then one tile after the other is altered. Guarantee: the client reads every entry and every leaf under the signed root;
/// of each altered object it says so.
#[tokio::test(start_paused = true)]
async fn a_client_of_other_hands_walks_the_log() {
    for size in [2, 255, 256, 257, 300, 512, 513] {
        let log = TestLog::new(CreateOnly::Honoured);
        grown_to(&log, size).await;
        verified(&log).await;
        let held = Held::of(&log.store, LOG).await;
        let seals = log.check_log().await.files;
        let entries = held.walk(TestLog::key().verifier()).unwrap().1;
        assert!(entries.iter().eq(seals.iter().map(|seal| &seal.entry)), "{size}");

        // The same over HTTP, by the paths that the size demands.
        let api = spanseal::api::Api {
            log: LOG.into(),
            origin: ORIGIN.into(),
            standing: Arc::new(spanseal::api::Standing::new(Arc::new(log.clock.clone()), None)),
            store: Arc::new(log.store.clone()),
            metrics: Metrics::default(),
            acts: spanseal::api::Acts::new(None, &spanseal::record::identity::IdentityKey::new([0; 32]), false),
            receipts: spanseal::api::Receipts::new(Arc::new(log.store.clone()), LOG, Arc::new(log.clock.clone())),
            strays: spanseal::receive::Strays::new(([127, 0, 0, 1], 8720).into(), Arc::default()),
        };
        let router = spanseal::api::router(api);
        let mut served = Held(Default::default());
        let demanded = changed(TreeSize(0), TreeSize(size));
        let bundles = changed(TreeSize(0), TreeSize(size)).filter(|t| t.level() == 0).map(|t| t.entries_path());
        for path in demanded.map(|t| t.path()).chain(bundles).chain(["checkpoint".to_owned()]) {
            let request = http::Request::get(format!("/tlog/{LOG}/{path}")).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            served.0.insert(path, response.into_body().collect().await.unwrap().to_bytes().to_vec());
        }
        assert_eq!(served.walk(TestLog::key().verifier()).unwrap().0, size);
        for path in served.0.keys().cloned().collect::<Vec<_>>() {
            for at in [0, served.0[&path].len() - 1] {
                served.0.get_mut(&path).unwrap()[at] ^= 1;
                // The last byte of the checkpoint is its newline, which this client does not miss.
                assert!(served.walk(TestLog::key().verifier()).is_err(), "{path}, byte {at}");
                served.0.get_mut(&path).unwrap()[at] ^= 1;
            }
        }
    }
}

/// All versions of a log of 253 seals, in the order in which they were put: put again so, they get the ids that the seals name. A start and
/// two more seals complete a tile.
async fn before_a_full_tile() -> &'static Vec<(ObjectKey, bytes::Bytes, Option<Lock>)> {
    static OBJECTS: OnceLock<Vec<(ObjectKey, bytes::Bytes, Option<Lock>)>> = OnceLock::new();
    if OBJECTS.get().is_none() {
        let log = TestLog::new(CreateOnly::Honoured);
        grown_to(&log, 253).await;
        let mut versions = log.store.list(&format!("{LOG}/"), None, usize::MAX).await.unwrap();
        versions.sort_by(|a, b| a.id.as_ref().map(|id| &id.0).cmp(&b.id.as_ref().map(|id| &id.0)));
        let mut objects = Vec::new();
        for Version { key, id, .. } in versions {
            let bytes = log.store.get(&key, id.as_ref(), u64::MAX).await.unwrap().unwrap();
            let lock = log.store.head(&key, id.as_ref()).await.unwrap().unwrap().lock;
            objects.push((key, bytes, lock));
        }
        OBJECTS.get_or_init(|| objects);
    }
    OBJECTS.get().unwrap()
}

/// One run over the end of a tile, with one fault on the way; then another, without. The puts that the first one made.
async fn case(create_only: CreateOnly, fault: Option<(u64, Fault)>) -> Vec<String> {
    let what = format!("{create_only:?}, {fault:?}");
    let log = TestLog::new(create_only);
    for (key, bytes, lock) in before_a_full_tile().await {
        log.store.put(key, bytes.clone(), Condition::Any, *lock).await.unwrap();
    }
    // The window of duplicates holds nothing of this, and costs a read a seal.
    log.clock.advance(Duration::from_secs(7200));
    let before = log.store.effects();
    if let Some((nth, fault)) = fault {
        log.store.fail_effect(before + nth, fault);
    }
    if let Some(Ok(process)) = log.open().await {
        for n in 1..=4 {
            let sealed = tokio::time::timeout(Duration::from_secs(15), process.submit(batch(n..=n, 0))).await;
            let killed = matches!(fault, Some((_, Fault::DieBefore | Fault::DieAfter)));
            assert!(killed || sealed.is_ok_and(|sealed| sealed.is_ok()), "{what}: publishing held up record {n}");
            tokio::time::sleep(Duration::from_secs(8)).await;
        }
        process.drain().await.unwrap_or_else(|e| panic!("{what}: {e}"));
    }
    let puts = log.store.effect_log().split_off(usize::try_from(before).unwrap());
    // Whatever checkpoint stands there: its tiles are stored.
    let key = TestLog::key();
    Held::of(&log.store, LOG).await.walk(key.verifier()).unwrap_or_else(|e| panic!("{what}: a checkpoint without its tiles: {e}"));
    log.store.clear_faults();
    log.store.release();
    let process = log.open().await.expect("no fault is left").unwrap_or_else(|e| panic!("{what}: {e}"));
    process.submit(batch(5..=5, 0)).await.unwrap();
    process.drain().await.unwrap();
    let (size, entries) = Held::of(&log.store, LOG).await.walk(key.verifier()).unwrap_or_else(|e| panic!("{what}: {e}"));
    let seals = log.check_log().await.files;
    assert_eq!(size, u64::try_from(seals.len()).unwrap(), "{what}: the newest is published");
    assert!(size > 256 && entries.iter().eq(seals.iter().map(|seal| &seal.entry)), "{what}");
    verified(&log).await;
    puts
}

/// Scenario: every put of a tile, a bundle and a checkpoint fails in every way, in a run that completes a tile; then the log is opened
/// again. Guarantee: sealing is never held up, no checkpoint is ever without its tiles, and after the next start all tiles are there, right
/// and locked.
#[tokio::test(start_paused = true)]
async fn every_put_of_a_tile_may_fail() {
    for create_only in [CreateOnly::Honoured, CreateOnly::Ignored] {
        let puts = case(create_only, None).await;
        let of_tiles = |put: &&(usize, &String)| put.1.contains("/tile/") || put.1.contains("/checkpoint");
        let numbered: Vec<(usize, &String)> = puts.iter().enumerate().collect();
        let mut met = 0;
        for (at, put) in numbered.iter().filter(of_tiles) {
            let full = !put.contains(".p/") && !put.contains("/checkpoint");
            for fault in Fault::ALL {
                // A lock that is dropped of what has none is nothing.
                if full || fault != Fault::LockDropped {
                    case(create_only, Some((u64::try_from(*at).unwrap() + 1, fault))).await;
                    met += 1;
                }
            }
        }
        assert!(
            met > 60 && puts.iter().any(|p| p.ends_with("/tile/0/000")) && puts.iter().any(|p| p.ends_with("/tile/entries/000")),
            "{puts:?}"
        );
    }
}

/// Scenario: a log of some hundred seals was written without tiles, and a writer starts that makes them, on a store whose answers take long.
/// Guarantee: it seals at once; the checkpoint stays where it was until all tiles are there, and then they are.
#[tokio::test(start_paused = true)]
async fn a_log_without_tiles_gets_them_in_the_background() {
    let log = TestLog::new(CreateOnly::Honoured);
    grown_to(&log, 700).await;
    for key in log.store.keys().into_iter().filter(|key| key.as_str().contains("/tile/")) {
        log.store.purge(&key, None);
    }
    log.clock.advance(Duration::from_secs(7200));
    log.store.slow("", Duration::from_millis(20));
    let began = tokio::time::Instant::now();
    let process = log.open().await.unwrap().unwrap();
    process.submit(batch(1..=1, 0)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let stats = Arc::clone(&process.task.stats);
    assert_eq!(stats.published_tree_size.value(), 700);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(stats.published_tree_size.value(), 702);
    assert_eq!(Held::of(&log.store, LOG).await.walk(TestLog::key().verifier()).unwrap().0, 702);
    process.drain().await.unwrap();
    log.store.clear_faults();
    verified(&log).await;
}

/// Tessera's `fsck`, built once into the folder of tools; `None` where that cannot be.
fn fsck(what: &str) -> Option<PathBuf> {
    let mut build = Command::new("bash");
    build.arg(tools::scripts().join("tessera/build.sh")).arg(tools::folder().join("tessera"));
    let finished = Finished::of(build);
    if finished.status.code() == Some(77) {
        tools::skip("fsck", what, finished.stdout.trim(), "install Go, then run tests/run");
        return None;
    }
    Some(PathBuf::from(finished.success().stdout.trim()))
}

/// What it finds wrong; nothing is `None`. Its exit code is 0 either way, and with one worker it waits for ever behind a wrong tile.
fn check(program: &Path, site: &Site, url: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.args(["--storage_url", url, "--public_key"]).arg(site.path("log.vkey")).args(["--ui=false", "-N", "4"]);
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    let checked = Finished::of(command);
    let size = checked.stderr.split("checking log of size ").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    assert!(size.is_some_and(|size| size > 256), "{checked}");
    checked.stderr.contains("fsck failed").then_some(checked.stderr)
}

/// Scenario: Tessera's own checker, of other hands and in another language, reads a log of more than 256 seals from the API of a running
/// `serve`; then a byte of a tile, and one of a bundle, is altered in the store. Guarantee: it finds nothing at first, and something each
/// time afterwards.
#[test]
fn tesseras_fsck_reads_the_log() {
    let Some(program) = fsck("Tessera's fsck over the API") else { return };
    let site = Site::local();
    let finished = site.run(&["keygen"]);
    assert!(finished.status.success(), "{finished}");
    let vkey = site.run(&["keygen", "--public"]).success().stdout;
    std::fs::write(site.path("log.vkey"), vkey.trim()).unwrap();
    // Heartbeats as fast as they go: `serve` itself beats once a second at most.
    runtime().block_on(async {
        let store = LocalStore::open(site.path("store"), LocalOptions::default()).unwrap();
        let log = TestLog::new(CreateOnly::Honoured);
        let mut options = log.options(&log.store);
        options.store = Arc::new(store);
        options.log = "spanseal".into();
        options.key = LogKey::load(&site.path("log.key")).unwrap();
        options.clock = Arc::new(SystemClock);
        options.heartbeat = Some(Duration::from_millis(2));
        let (_handle, mut task) = start(options).await.unwrap();
        task.status.wait_for(|status| status.tree_size >= 300).await.unwrap();
        task.drain().await.unwrap();
    });
    let receiver = site.serve();
    let url = format!("http://{}/tlog/spanseal/", receiver.api);
    assert_eq!(check(&program, &site, &url), None);
    for path in ["tile/0/000", "tile/entries/000"] {
        let file = site.path(&format!("store/spanseal/{path}"));
        let good = std::fs::read(&file).unwrap();
        let mut bad = good.clone();
        bad[100] ^= 1;
        for (bytes, fails) in [(&bad, true), (&good, false)] {
            std::fs::remove_file(&file).unwrap();
            std::fs::write(&file, bytes).unwrap();
            assert_eq!(check(&program, &site, &url).is_some(), fails, "{path}");
        }
    }
    assert!(receiver.stop().success());
    let report = site.verified();
    assert!(!report["notes"].to_string().contains("tile_"), "{report}");
}

/// Scenario: more than 256 seals on real servers with Object Lock, in a bucket without and in one with default retention. Guarantee: full
/// tiles and bundles have the evidence lock, partial ones none, or one of minutes where the bucket would give days.
#[tokio::test(flavor = "multi_thread")]
async fn full_tiles_are_locked_and_partial_ones_are_not() {
    use crate::support::s3::{Bucket, Raw, S3Server};
    use spanseal::worm::s3::S3Store;
    let buckets = S3Server::all().into_iter().map(|server| (server, true)).chain(S3Server::minio().map(|server| (server, false)));
    for (server, default) in buckets {
        let what = format!("{:?}, default retention {default}", server.kind);
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        if default {
            let body = "<ObjectLockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
                        <Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>3</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
            server.raw(Raw::new(http::Method::PUT, format!("/{bucket}?object-lock=")).body(body)).await.expect_ok();
        }
        let store = Arc::new(S3Store::open(&bucket, "evidence", server.options()).await.unwrap());
        let log = TestLog::new(CreateOnly::Honoured);
        let clock = SystemClock;
        let mut options = log.options(&log.store);
        options.store = Arc::clone(&store) as Arc<dyn WormStore>;
        options.clock = Arc::new(clock);
        options.heartbeat = Some(Duration::from_millis(2));
        options.publish_interval = Duration::from_millis(500);
        options.fence = Duration::from_millis(300);
        let began = clock.now().ceil_seconds();
        let evidence = options.classes.evidence_lock(began, []);
        let (_handle, mut task) = start(options).await.unwrap();
        task.status.wait_for(|status| status.tree_size >= 257).await.unwrap();
        task.drain().await.unwrap();
        let key = LogKey::ephemeral(ORIGIN, [5; 32]).unwrap();
        let (size, _) = Held::of(store.as_ref(), LOG).await.walk(key.verifier()).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert!(size > 257, "{what}");
        let full: Vec<_> = completed(TreeSize(0), TreeSize(size)).flat_map(|t| [t.path(), t.entries_path()]).collect();
        let (mut locked, mut partial) = (0, 0);
        for version in store.list(&format!("{LOG}/tile/"), None, usize::MAX).await.unwrap() {
            let lock = store.head(&version.key, version.id.as_ref()).await.unwrap().unwrap().lock;
            let name = version.key.as_str().split_once('/').unwrap().1;
            if full.iter().any(|path| path == name) {
                assert!(lock.is_some_and(|lock| lock.covers(evidence)), "{what}: {name} {lock:?}");
                locked += 1;
            } else {
                let seconds = lock.map(|lock| lock.retain_until.0 - clock.now().ceil_seconds().0);
                assert!(if default { seconds.is_some_and(|s| s <= 300) } else { seconds.is_none() }, "{what}: {name} {lock:?}");
                partial += 1;
            }
        }
        assert!(locked >= 2 && partial >= 3, "{what}: {locked} {partial}");
        let options = Options { pinned: vec![key.verifier().clone()], ..Options::new(clock.now().ceil_seconds()) };
        let report = verify(store.as_ref(), &options).await;
        assert_eq!((report.verdict, notes(&report).contains(&"tile_absent")), (Verdict::Verified, false), "{what}: {}", report.to_text());
        assert!(store.get(&below(LOG, "tile/0/000"), None, 8192).await.unwrap().is_some());
    }
}
