//! The log on real Object Lock servers: what locks forbid, what outsiders can do all the same, and what two writers do to each other.

mod turns;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use spanseal::clock::{Clock, SystemClock};
use spanseal::retain::{Class, Classes};
use spanseal::seal::keys::LogKey;
use spanseal::seal::{Fatal, Options, Pool, SealerHandle, SealerTask, start};
use spanseal::tlog::seal_file::SealFile;
use spanseal::worm::s3::S3Store;
use spanseal::worm::{Mode, SEAL_BYTES_MAX, Version, WormStore, seal_key};

use crate::support::hold::HoldingProxy;
use crate::support::log::{batch, id};
use crate::support::s3::{Bucket, Kind, Raw, S3Server};

const LOG: &str = "audit";

struct Real {
    server: &'static S3Server,
    bucket: String,
    store: Arc<S3Store>,
}

impl Real {
    async fn new(server: &'static S3Server) -> Self {
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        let store = Arc::new(S3Store::open(&bucket, "evidence", server.options()).await.unwrap());
        Real { server, bucket, store }
    }

    async fn open(&self, seed: u8) -> (SealerHandle, SealerTask) {
        start(self.options(seed)).await.unwrap()
    }

    fn options(&self, seed: u8) -> Options {
        let class = |name: &str, mode, period: &str| Class { name: name.into(), mode, period: period.parse().unwrap(), claimable: false };
        let classes = vec![class("standard", Mode::Governance, "2d"), class("strict", Mode::Compliance, "1d")];
        let classes = Classes::new(classes, "standard", "10d".parse().unwrap(), SystemClock.now().ceil_seconds()).unwrap();
        Options {
            vault: None,
            store: Arc::clone(&self.store) as Arc<dyn WormStore>,
            log: LOG.into(),
            key: LogKey::ephemeral("spanseal.test/audit", [seed; 32]).unwrap(),
            next_key: None,
            classes: Arc::new(classes),
            clock: Arc::new(SystemClock),
            pool: Pool::new(1 << 26, Duration::from_secs(5)),
            max_delay: Duration::from_millis(10),
            max_bytes: 1 << 20,
            heartbeat: None,
            dedup_window: Duration::from_secs(3600),
            dedup_bytes: 1 << 20,
            publish_interval: Duration::from_millis(200),
            answer_within: Duration::from_secs(20),
            fence: Duration::from_millis(300),
            configuration: "{}".into(),
            first_act: None,
        }
    }

    async fn all(&self) -> Vec<Version> {
        self.store.list(&format!("{LOG}/"), None, 10_000).await.unwrap()
    }

    fn path(&self, version: &Version) -> String {
        let id = version.id.as_ref().map(|id| id.0.clone()).unwrap_or_default();
        format!("/{}/evidence/{}?versionId={id}", self.bucket, version.key)
    }

    async fn seals(&self) -> u64 {
        let listed = self.seal_versions().await;
        let mut keys: Vec<_> = listed.into_iter().filter(|v| !v.is_delete_marker).map(|v| v.key).collect();
        keys.dedup();
        u64::try_from(keys.len()).unwrap()
    }

    async fn seal_versions(&self) -> Vec<Version> {
        self.store.list(&format!("{LOG}/seals/"), None, 10_000).await.unwrap()
    }

    async fn seal(&self, index: u64) -> SealFile {
        let key = seal_key(LOG, index);
        let oldest = self.store.versions(&key).await.unwrap().into_iter().rfind(|v| !v.is_delete_marker).unwrap();
        SealFile::parse(&self.store.get(&key, oldest.id.as_ref(), SEAL_BYTES_MAX).await.unwrap().unwrap()).unwrap()
    }
}

impl Real {
    /// All sealed lines of the one log, judged version by version.
    async fn lines(&self) -> String {
        let mut found = Vec::new();
        let mut before: Option<SealFile> = None;
        for index in 0..self.seals().await {
            let key = seal_key(LOG, index);
            let mut versions = Vec::new();
            for version in self.store.versions(&key).await.unwrap().into_iter().rev().filter(|v| !v.is_delete_marker) {
                versions.push(self.store.get(&key, version.id.as_ref(), SEAL_BYTES_MAX).await.unwrap().unwrap());
            }
            let vkey = LogKey::ephemeral("spanseal.test/audit", [1; 32]).unwrap().verifier().clone();
            let judged = spanseal::tlog::truth::judge(index, &vkey, before.as_ref(), versions.iter().map(|b| b.as_ref()));
            let truth = judged.into_iter().find_map(|j| match j {
                spanseal::tlog::truth::Judgement::Truth(seal) => Some(*seal),
                _ => None,
            });
            let seal = truth.unwrap_or_else(|| panic!("{:?}: no truth at seal {index}", self.server.kind));
            for segment in &seal.statement.segments {
                let key = spanseal::worm::below(LOG, &segment.key);
                let bytes = self.store.get(&key, segment.version_id.as_ref(), 1 << 20).await.unwrap().unwrap();
                found.push(String::from_utf8(zstd::decode_all(bytes.as_ref()).unwrap()).unwrap());
            }
            before = Some(seal);
        }
        found.concat()
    }
}

async fn submit(handle: &SealerHandle, numbers: std::ops::RangeInclusive<u64>, class: u16) -> Result<u64, spanseal::seal::SubmitError> {
    let batch = batch(numbers, class);
    let permit = handle.pool.admit(batch.lines.len()).await.unwrap();
    handle.submit(batch, permit).await.map(|r| r.seal)
}

/// Scenario: a log with two classes on each server. Guarantee: every sealed version carries at least the mode and date of its class,
/// and the server refuses to delete any of it.
#[tokio::test]
async fn every_sealed_version_is_locked_as_its_class_says_and_cannot_be_deleted() {
    for server in S3Server::all() {
        let real = Real::new(server).await;
        let (handle, task) = real.open(1).await;
        submit(&handle, 1..=3, 0).await.unwrap();
        submit(&handle, 4..=5, 1).await.unwrap();
        task.drain().await.unwrap();
        let mut locked = 0;
        for version in real.all().await {
            let name = version.key.as_str().to_owned();
            // What the next publication replaces: a pointer, and the tiles of its size.
            if name.ends_with("/checkpoint") || name.contains(".p/") {
                continue;
            }
            let head = real.store.head(&version.key, version.id.as_ref()).await.unwrap().unwrap();
            let lock = head.lock.unwrap_or_else(|| panic!("{:?}: {name} is not locked", server.kind));
            if !name.contains("segments/standard") {
                assert_eq!(lock.mode, Mode::Compliance, "{:?}: {name}", server.kind);
            }
            let deleted = server.raw(Raw::new(Method::DELETE, real.path(&version))).await;
            assert!(deleted.status.is_client_error(), "{:?}: {name}: {}", server.kind, deleted.status);
            locked += 1;
        }
        assert!(locked >= 6, "{:?}: {locked}", server.kind);
        for index in 0..real.seals().await {
            for segment in real.seal(index).await.statement.segments {
                let key = spanseal::worm::below(LOG, &segment.key);
                let head = real.store.head(&key, segment.version_id.as_ref()).await.unwrap().unwrap();
                assert!(head.lock.is_some_and(|l| l.covers(segment.lock)), "{:?}: {}", server.kind, segment.key);
            }
        }
    }
}

/// Scenario: a plain DELETE of the newest seal, which succeeds everywhere, then a restart. Guarantee: no fork, no lost record.
#[tokio::test]
async fn a_deleted_newest_seal_neither_forks_nor_loses() {
    for server in S3Server::all() {
        let real = Real::new(server).await;
        let (handle, task) = real.open(1).await;
        submit(&handle, 1..=3, 0).await.unwrap();
        task.abort();
        let newest = real.seals().await - 1;
        server.raw(Raw::new(Method::DELETE, format!("/{}/evidence/{}", real.bucket, seal_key(LOG, newest)))).await.expect_ok();
        let (handle, task) = real.open(1).await;
        let again = submit(&handle, 1..=3, 0).await.unwrap();
        assert!(again <= newest, "{:?}: the records are known to be sealed", server.kind);
        let next = submit(&handle, 4..=4, 0).await.unwrap();
        assert!(next > newest, "{:?}", server.kind);
        task.drain().await.unwrap();
        for index in 1..real.seals().await {
            real.seal(index).await.extends(&real.seal(index - 1).await).unwrap_or_else(|e| panic!("{:?}: seal {index}: {e}", server.kind));
        }
    }
}

/// Scenario: two processes write one log on one bucket at the same time. Guarantee: exactly one goes on, and what either acknowledged
/// is in the one log, on servers that honour create-only and on one that ignores it.
#[tokio::test]
async fn of_two_writers_on_one_bucket_exactly_one_goes_on() {
    for server in S3Server::all() {
        let real = Real::new(server).await;
        let (one, mut first) = real.open(1).await;
        submit(&one, 1..=1, 0).await.unwrap();
        let (two, mut second) = real.open(1).await;
        let mut acknowledged = vec![1];
        for round in 0..10_u64 {
            let (a, b) = (10 + round, 30 + round);
            let (x, y) = tokio::join!(submit(&one, a..=a, 0), submit(&two, b..=b, 0));
            acknowledged.extend(x.ok().map(|_| a));
            acknowledged.extend(y.ok().map(|_| b));
        }
        let stopped = |ended: Result<Result<(), Fatal>, _>| matches!(ended, Ok(Err(Fatal::Displaced { .. })));
        let now = Duration::from_millis(500);
        let ended = [stopped(tokio::time::timeout(now, first.ended()).await), stopped(tokio::time::timeout(now, second.ended()).await)];
        assert_eq!(ended.iter().filter(|e| **e).count(), 1, "{:?}: {ended:?}", server.kind);
        let survivor = if ended[0] { second } else { first };
        survivor.drain().await.unwrap();
        let lines = real.lines().await;
        for n in acknowledged {
            assert_eq!(lines.matches(&id(n).to_string()).count(), 1, "{:?}: record {n} was acknowledged", server.kind);
        }
        if server.kind != Kind::Rgw {
            let listed = real.seal_versions().await;
            assert_eq!(u64::try_from(listed.len()).unwrap(), real.seals().await, "{:?}: one version a seal", server.kind);
        }
    }
}

/// Scenario: the bucket of a log is asked for under another address, which may be the same store under a new name or a copy on another
/// server, and nothing tells which. Guarantee: `serve` refuses until the operator says in the key file that it is the same; a key file from
/// before the address was written down is taken once and completed.
#[tokio::test]
async fn a_key_belongs_to_the_address_of_its_store() {
    let Some(server) = S3Server::all().into_iter().next() else { return };
    let real = Real::new(server).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.key");
    LogKey::generate(&path, "spanseal.test/audit").unwrap();
    let proxy = HoldingProxy::before(&server.endpoint).await;
    let elsewhere = spanseal::worm::s3::S3Options { endpoint: Some(proxy.endpoint.clone()), ..server.options() };
    let elsewhere = Arc::new(S3Store::open(&real.bucket, "evidence", elsewhere).await.unwrap());
    let at = |store: &Arc<S3Store>| {
        let store = Arc::clone(store) as Arc<dyn WormStore>;
        start(Options { store, key: LogKey::load(&path).unwrap(), ..real.options(1) })
    };
    let last_line = || std::fs::read_to_string(&path).unwrap().lines().last().unwrap().to_owned();
    let plain = format!("s3://{}/evidence", real.bucket);
    let line = |endpoint: &str| format!("log: bound {plain} at {endpoint}");
    let edit = |from: &str, to: &str| std::fs::write(&path, std::fs::read_to_string(&path).unwrap().replace(from, to)).unwrap();

    at(&real.store).await.unwrap().1.drain().await.unwrap();
    assert_eq!(last_line(), line(&server.endpoint));
    let why = at(&elsewhere).await.map(|_| ()).expect_err("another address").to_string();
    assert!(why.contains("restored store") && why.contains(&format!("`{}`", line(&proxy.endpoint))), "{why}");
    assert!(why.contains(&path.display().to_string()), "{why}");

    edit(&line(&server.endpoint), &line(&proxy.endpoint));
    at(&elsewhere).await.unwrap().1.drain().await.unwrap();
    assert!(at(&real.store).await.is_err(), "the old address is another now");

    edit(&line(&proxy.endpoint), &format!("log: bound {plain}"));
    at(&real.store).await.unwrap().1.drain().await.unwrap();
    assert_eq!(last_line(), line(&server.endpoint));
}

/// Scenario: on a real server the put of a seal hangs in the network until its sender has given up and died and another process has
/// recovered and sealed; then it lands. Guarantee: one log, nothing lost; where create-only is ignored the late version is there,
/// younger, and not the log.
#[tokio::test]
async fn a_seal_that_lands_after_recovery_does_not_fork_the_log() {
    for server in S3Server::all() {
        let real = Real::new(server).await;
        let proxy = HoldingProxy::before(&server.endpoint).await;
        let slow = spanseal::worm::s3::S3Options {
            endpoint: Some(proxy.endpoint.clone()),
            put_timeout: Duration::from_millis(400),
            ..server.options()
        };
        let behind = S3Store::open(&real.bucket, "evidence", slow).await.unwrap();
        // The same store to its key, whichever way it is reached.
        let (handle, task) =
            start(Options { store: Arc::new(behind), answer_within: Duration::from_secs(1), ..real.options(1) }).await.unwrap();
        submit(&handle, 1..=1, 0).await.unwrap();
        proxy.hold("/seals/");
        submit(&handle, 2..=2, 0).await.expect_err("the seal cannot land");
        task.abort();
        let late = real.seals().await;
        let (handle, task) = real.open(1).await;
        submit(&handle, 2..=3, 0).await.unwrap();
        let statuses = proxy.release().await;
        assert!(!statuses.is_empty(), "{:?}", server.kind);
        submit(&handle, 4..=4, 0).await.unwrap();
        task.drain().await.unwrap();
        let lines = real.lines().await;
        for n in 1..=4 {
            assert_eq!(lines.matches(&id(n).to_string()).count(), 1, "{:?}: record {n}", server.kind);
        }
        let versions = real.store.versions(&seal_key(LOG, late)).await.unwrap().len();
        match server.kind {
            Kind::Rgw => assert_eq!(versions, 1 + statuses.len(), "late versions are there and are not the log"),
            _ => assert!(versions == 1 && statuses.iter().all(|s| *s == 412), "{:?}: {statuses:?}", server.kind),
        }
    }
}

/// Scenario: an outsider with all rights on the bucket of each server disturbs a clean log in every way that the server lets him.
/// Guarantee: `verify` is clean before, names the object after, and says whether the evidence is still there.
#[tokio::test]
async fn what_an_outsider_does_to_a_bucket_is_named() {
    use spanseal::verify::{Evidence, Options as VerifyOptions, Report, Verdict, verify};
    let key = LogKey::ephemeral("spanseal.test/audit", [1; 32]).unwrap().verifier().clone();
    for server in S3Server::all() {
        let clean = || async {
            let real = Real::new(server).await;
            let (handle, task) = real.open(1).await;
            submit(&handle, 1..=3, 0).await.unwrap();
            submit(&handle, 4..=5, 0).await.unwrap();
            task.drain().await.unwrap();
            real
        };
        let look = |real: &Real| {
            let (store, key) = (Arc::clone(&real.store), key.clone());
            async move {
                let options = VerifyOptions { pinned: vec![key], ..VerifyOptions::new(SystemClock.now().ceil_seconds()) };
                verify(store.as_ref(), &options).await
            }
        };
        let named = |report: &Report, object: &str, evidence: Evidence| {
            let hit = report.findings.iter().any(|f| object.ends_with(&f.object) && !f.object.is_empty() && f.evidence == Some(evidence));
            assert!(hit, "{:?}: {object} is not named\n{}", server.kind, report.to_text());
        };
        let real = clean().await;
        let report = look(&real).await;
        assert_eq!(report.verdict, Verdict::Verified, "{:?}\n{}", server.kind, report.to_text());
        let governed = |v: &Version| v.key.as_str().contains("segments/standard") && !v.is_delete_marker;
        let segment = real.all().await.into_iter().find(governed).unwrap();
        let path = format!("/{}/evidence/{}", real.bucket, segment.key);

        // A delete marker on a segment.
        server.raw(Raw::new(Method::DELETE, &path)).await.expect_ok();
        named(&look(&real).await, segment.key.as_str(), Evidence::Intact);

        // A foreign version over a seal.
        let real = clean().await;
        let seal = seal_key(LOG, 1);
        server.raw(Raw::new(Method::PUT, format!("/{}/evidence/{seal}", real.bucket)).body("{}")).await.expect_ok();
        named(&look(&real).await, seal.as_str(), Evidence::Intact);

        // A GOVERNANCE lock shortened with the permission to.
        let real = clean().await;
        let segment = real.all().await.into_iter().find(governed).unwrap();
        let at = real.path(&segment).replace("?versionId=", "?retention=&versionId=");
        let soon = spanseal::clock::UnixSeconds(SystemClock.now().ceil_seconds().0 + 600);
        let body = format!(
            "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>GOVERNANCE</Mode><RetainUntilDate>{soon}</RetainUntilDate></Retention>"
        );
        let shorten = Raw::new(Method::PUT, at).header("x-amz-bypass-governance-retention", "true").body(body);
        server.raw(shorten).await.expect_ok();
        named(&look(&real).await, segment.key.as_str(), Evidence::Intact);

        // The same segment deleted for good with that permission, and one with a flipped byte put in its place.
        let mut bytes = real.store.get(&segment.key, segment.id.as_ref(), 1 << 20).await.unwrap().unwrap().to_vec();
        let delete = Raw::new(Method::DELETE, real.path(&segment)).header("x-amz-bypass-governance-retention", "true");
        server.raw(delete).await.expect_ok();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        server.raw(Raw::new(Method::PUT, format!("/{}/evidence/{}", real.bucket, segment.key)).body(bytes)).await.expect_ok();
        named(&look(&real).await, segment.key.as_str(), Evidence::Lost);
    }
}
