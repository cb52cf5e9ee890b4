//! What stands there before we write, and a key that changes, on real servers: each decides in its own way which put is taken and which
//! version is the oldest.

use http::Method;
use spanseal::query::log::{KeySource, LogReader, TrustedKey};
use spanseal::seal::KeyTurn;
use spanseal::tlog::note::VerifierKey;
use spanseal::verify::{Evidence, KeyTrust, Options as VerifyOptions, Report, Verdict, verify};
use spanseal::worm::{below, log_key};

use super::*;

fn key(seed: u8) -> LogKey {
    LogKey::ephemeral("spanseal.test/audit", [seed; 32]).unwrap()
}

fn vkey(seed: u8) -> VerifierKey {
    key(seed).verifier().clone()
}

async fn looked_at(real: &Real, pinned: u8) -> Report {
    let options = VerifyOptions { pinned: vec![vkey(pinned)], ..VerifyOptions::new(SystemClock.now().ceil_seconds()) };
    verify(real.store.as_ref(), &options).await
}

/// Puts what somebody else has to say where we are going to write.
async fn stand_in_the_way(real: &Real, key: &spanseal::worm::ObjectKey, bodies: &[&'static str]) {
    for body in bodies {
        let path = format!("/{}/evidence/{key}", real.bucket);
        real.server.raw(Raw::new(Method::PUT, path).body(*body)).await.expect_ok();
    }
}

/// The foreign versions at seals are all that is found, each named with its seal, and no evidence is lost.
fn only_foreign(report: &Report, at: &[(u64, usize)], what: &str) {
    let mut expected: Vec<_> = at.iter().flat_map(|(seal, versions)| vec![(Some(*seal), Some(Evidence::Intact)); *versions]).collect();
    let mut found: Vec<_> = report.findings.iter().map(|f| (f.seal, f.evidence)).collect();
    found.sort_by_key(|(seal, _)| *seal);
    expected.sort_by_key(|(seal, _)| *seal);
    assert_eq!(found, expected, "{what}: {}", report.to_text());
    assert!(report.findings.iter().all(|f| f.kind.as_str() == "foreign_version"), "{what}: {}", report.to_text());
}

/// Scenario: before the writer comes to the keys of its next seals, somebody else has put objects there, one at one, two at another, and a
/// hidden one at a third; then it is restarted, and at last somebody stands at the key of the seal that announces a new key. Guarantee: the
/// first version is not ours, and the log goes on over it; nothing that was acknowledged is lost; the next start takes our seals for
/// the log; `verify` names every foreign version and nothing else, under the old key as under the new one.
#[tokio::test]
async fn a_first_version_that_is_not_ours_is_not_the_log() {
    for server in S3Server::all() {
        let what = format!("{:?}", server.kind);
        let real = Real::new(server).await;
        let (handle, task) = real.open(1).await;
        submit(&handle, 1..=1, 0).await.unwrap();
        let next = real.seals().await;
        stand_in_the_way(&real, &seal_key(LOG, next), &["{}"]).await;
        stand_in_the_way(&real, &seal_key(LOG, next + 1), &["{}", "not ours either"]).await;
        stand_in_the_way(&real, &seal_key(LOG, next + 2), &["hidden again"]).await;
        server.raw(Raw::new(Method::DELETE, format!("/{}/evidence/{}", real.bucket, seal_key(LOG, next + 2)))).await.expect_ok();
        for n in 2..=5 {
            assert_eq!(submit(&handle, n..=n, 0).await.unwrap(), next + n - 2, "{what}");
        }
        task.drain().await.unwrap();
        for (seal, foreign) in [(next, 1), (next + 1, 2), (next + 2, 1)] {
            let versions = real.store.versions(&seal_key(LOG, seal)).await.unwrap();
            let oldest = versions.iter().rfind(|v| !v.is_delete_marker).unwrap();
            let bytes = real.store.get(&oldest.key, oldest.id.as_ref(), SEAL_BYTES_MAX).await.unwrap().unwrap();
            assert!(SealFile::parse(&bytes).is_err(), "{what}: the first version of seal {seal} is not ours");
            assert_eq!(versions.iter().filter(|v| !v.is_delete_marker).count(), foreign + 1, "{what}: {versions:?}");
        }
        let foreign = [(next, 1), (next + 1, 2), (next + 2, 1)];
        only_foreign(&without_markers(looked_at(&real, 1).await), &foreign, &what);

        let (handle, task) = real.open(1).await;
        assert_eq!(submit(&handle, 3..=3, 0).await.unwrap(), next + 1, "{what}: it is known as sealed");
        submit(&handle, 6..=6, 0).await.unwrap();
        task.drain().await.unwrap();
        let lines = real.lines().await;
        for n in 1..=6 {
            assert_eq!(lines.matches(&id(n).to_string()).count(), 1, "{what}: record {n}");
        }

        let announced = seal_at_end(&real).await;
        stand_in_the_way(&real, &seal_key(LOG, announced), &["{}"]).await;
        let (handle, task) = start(Options { next_key: Some(key(2)), ..real.options(1) }).await.unwrap();
        assert_eq!((task.turn, &task.vkey), (KeyTurn::Announces, &vkey(2)), "{what}");
        submit(&handle, 7..=7, 0).await.unwrap();
        task.drain().await.unwrap();
        let foreign = [(next, 1), (next + 1, 2), (next + 2, 1), (announced, 1)];
        for pinned in [1, 2] {
            only_foreign(&without_markers(looked_at(&real, pinned).await), &foreign, &format!("{what}, key {pinned}"));
        }
    }
}

/// Where the next seal goes.
async fn seal_at_end(real: &Real) -> u64 {
    let trusted = [TrustedKey { key: vkey(1), source: KeySource::Pinned }];
    LogReader::open(Arc::clone(&real.store) as Arc<dyn WormStore>, LOG, &trusted).await.unwrap().size()
}

/// Our own seal covers what was hidden; the marker below it is told once, by itself.
fn without_markers(mut report: Report) -> Report {
    let markers = report.findings.iter().filter(|f| f.kind.as_str() == "hidden").count();
    assert!(markers <= 1, "{}", report.to_text());
    report.findings.retain(|f| f.kind.as_str() != "hidden");
    report
}

/// Scenario: somebody has put a `log.json` where a log is to be made. Guarantee: no log is made there, and nothing of ours is written.
#[tokio::test]
async fn no_log_is_made_over_somebody_elses() {
    for server in S3Server::all() {
        let real = Real::new(server).await;
        stand_in_the_way(&real, &log_key(LOG), &["{}"]).await;
        let refused = start(real.options(1)).await.map(|_| ()).expect_err("not ours").to_string();
        assert!(refused.contains("log.json"), "{:?}: {refused}", server.kind);
        assert_eq!(real.all().await.len(), 1, "{:?}", server.kind);
    }
}

/// Scenario: a log on each server changes its key, restarts with both, then with the new one alone, and changes again; the old key alone and
/// a strange one are tried in between. Guarantee: one log for whoever holds any of its keys; every seal is locked; what was sealed under the
/// old key is known as sealed; the key that the log has left opens nothing and writes nothing.
#[tokio::test]
async fn a_key_changes_on_real_servers() {
    for server in S3Server::all() {
        let what = format!("{:?}", server.kind);
        let real = Real::new(server).await;
        let with = |own: u8, next: Option<u8>| start(Options { next_key: next.map(key), ..real.options(own) });
        let (handle, task) = real.open(1).await;
        let first = submit(&handle, 1..=2, 0).await.unwrap();
        task.drain().await.unwrap();

        let (handle, task) = with(1, Some(2)).await.unwrap();
        assert_eq!((task.turn, &task.vkey), (KeyTurn::Announces, &vkey(2)), "{what}");
        assert_eq!(submit(&handle, 1..=2, 0).await.unwrap(), first, "{what}: sealed under the old key");
        submit(&handle, 3..=3, 1).await.unwrap();
        // Ended in the middle, as a kill would.
        task.abort();
        let (handle, task) = with(1, Some(2)).await.unwrap();
        assert_eq!(task.turn, KeyTurn::Next, "{what}");
        submit(&handle, 4..=4, 0).await.unwrap();
        task.drain().await.unwrap();

        let before = real.all().await;
        for (own, next) in [(1, None), (3, None), (3, Some(2)), (2, Some(1))] {
            assert!(with(own, next).await.is_err(), "{what}: {own} {next:?}");
        }
        assert_eq!(real.all().await, before, "{what}: a start that is refused writes nothing");

        let (handle, task) = with(2, None).await.unwrap();
        submit(&handle, 5..=5, 0).await.unwrap();
        task.drain().await.unwrap();
        let (handle, task) = with(2, Some(3)).await.unwrap();
        submit(&handle, 6..=6, 0).await.unwrap();
        task.drain().await.unwrap();

        let mut sizes = Vec::new();
        for pinned in [1, 2, 3] {
            let report = looked_at(&real, pinned).await;
            assert_eq!((report.verdict, report.key), (Verdict::Verified, KeyTrust::Pinned), "{what}, key {pinned}: {}", report.to_text());
            let log = &report.logs[0];
            assert_eq!(log.seals, real.seals().await, "{what}, key {pinned}");
            sizes.push((log.seals, log.records));
            let trusted = [TrustedKey { key: vkey(pinned), source: KeySource::Pinned }];
            let reader = LogReader::open(Arc::clone(&real.store) as Arc<dyn WormStore>, LOG, &trusted).await.unwrap();
            assert_eq!((reader.size(), reader.problems().len(), reader.key()), (log.seals, 0, Some(&vkey(3))), "{what}, key {pinned}");
        }
        sizes.dedup();
        assert_eq!(sizes.len(), 1, "{what}: the same log under each key");
        let mut announced = 0;
        for index in 0..real.seals().await {
            let seal = real.seal(index).await;
            announced += usize::from(seal.statement.next_vkey.is_some());
            let versions = real.store.versions(&below(LOG, &format!("seals/{index:020}.json"))).await.unwrap();
            assert_eq!(versions.len(), 1, "{what}: seal {index}");
            let lock = real.store.head(&versions[0].key, versions[0].id.as_ref()).await.unwrap().unwrap().lock;
            assert!(lock.is_some_and(|lock| lock.mode == Mode::Compliance), "{what}: seal {index}");
        }
        assert_eq!(announced, 2, "{what}");
    }
}
