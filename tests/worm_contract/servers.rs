//! What only other people's servers show.

use super::suite::{Traits, bytes, contract, key, lock};
use crate::support::s3::{Bucket, Kind, Raw, S3Server};
use http::{Method, StatusCode};
use spanseal::worm::s3::{S3Credentials, S3Options, S3Store};
use spanseal::worm::{Condition, LIST_PAGE, Mode, ObjectKey, PutError, ReadError, StoreOptions, StoreUrl, WormStore, put_locked};

async fn open(server: &S3Server, bucket: &str) -> S3Store {
    S3Store::open(bucket, "some/prefix", server.options()).await.unwrap()
}

async fn open_not_worm(server: &S3Server, bucket: &str) -> S3Store {
    S3Store::open(bucket, "", S3Options { not_worm: true, ..server.options() }).await.unwrap()
}

async fn keeps_the_contract(server: &S3Server) {
    let honours = server.kind != Kind::Rgw;
    let store = open(server, &server.fresh_bucket(Bucket::Locked).await).await;
    contract(&store, Traits { create_only: honours, locks: true, versioned: true, has_clock: true }).await;
    let store = open_not_worm(server, &server.fresh_bucket(Bucket::Versioned).await).await;
    contract(&store, Traits { create_only: honours, locks: false, versioned: true, has_clock: true }).await;
    // RGW honours create-only only here.
    let store = open_not_worm(server, &server.fresh_bucket(Bucket::Plain).await).await;
    contract(&store, Traits { create_only: true, locks: false, versioned: false, has_clock: true }).await;
}

#[tokio::test]
async fn rgw_keeps_the_contract() {
    if let Some(server) = S3Server::rgw() {
        keeps_the_contract(server).await;
    }
}

#[tokio::test]
async fn minio_keeps_the_contract() {
    if let Some(server) = S3Server::minio() {
        keeps_the_contract(server).await;
    }
}

#[tokio::test]
async fn versity_keeps_the_contract() {
    if let Some(server) = S3Server::versity() {
        keeps_the_contract(server).await;
    }
}

/// The server itself, not our politeness, keeps a locked version: an outsider with all permissions cannot delete it or
/// shorten its lock, and says so in his own way. A plain DELETE hides it, and hides it only.
#[tokio::test]
async fn a_locked_version_outlives_an_outsider() {
    for server in S3Server::all() {
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        let store = open(server, &bucket).await;
        let at = key("kept");
        let id = put_locked(&store, &at, bytes("evidence"), lock(Mode::Compliance, 300)).await.unwrap().unwrap();
        let path = format!("/{bucket}/some/prefix/{at}");
        let refusal = if server.kind == Kind::Minio { StatusCode::BAD_REQUEST } else { StatusCode::FORBIDDEN };
        let deleted = server.raw(Raw::new(Method::DELETE, format!("{path}?versionId={}", id.0))).await;
        assert_eq!(deleted.status, refusal, "{:?}: {}", server.kind, deleted.body);
        let with_bypass =
            Raw::new(Method::DELETE, format!("{path}?versionId={}", id.0)).header("x-amz-bypass-governance-retention", "true");
        assert_eq!(server.raw(with_bypass).await.status, refusal, "{:?}", server.kind);
        let until = lock(Mode::Compliance, 30).retain_until;
        let shorter = format!(
            "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>COMPLIANCE</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
        );
        let shortened = server.raw(Raw::new(Method::PUT, format!("{path}?retention=&versionId={}", id.0)).body(shorter)).await;
        assert!(shortened.status.is_client_error(), "{:?}: {}", server.kind, shortened.status);

        server.raw(Raw::new(Method::DELETE, &path)).await.expect_ok();
        assert_eq!(store.get(&at, None, 10).await.unwrap(), None, "hidden");
        assert_eq!(store.head(&at, None).await.unwrap(), None, "hidden");
        assert_eq!(store.get(&at, Some(&id), 10).await.unwrap().unwrap(), "evidence");
        let listed = store.versions(&at).await.unwrap();
        assert_eq!(listed.iter().map(|v| (v.is_delete_marker, v.is_latest)).collect::<Vec<_>>(), [(true, true), (false, false)]);
        let marker = listed[0].id.clone();
        assert_eq!(store.get(&at, marker.as_ref(), 10).await.unwrap(), None, "a marker has no bytes");
        assert_eq!(store.head(&at, marker.as_ref()).await.unwrap(), None);
    }
}

/// Versions, markers and foreign versions stand in the order of their writing, newest first, within a listing too.
#[tokio::test]
async fn versions_stand_in_the_order_of_writing() {
    for server in S3Server::all() {
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        let store = open(server, &bucket).await;
        let at = key("history");
        let path = format!("/{bucket}/some/prefix/{at}");
        let own = put_locked(&store, &at, bytes("own"), lock(Mode::Governance, 60)).await.unwrap();
        server.raw(Raw::new(Method::PUT, &path).body("foreign")).await.expect_ok();
        server.raw(Raw::new(Method::DELETE, &path)).await.expect_ok();
        // A marker lifts create-only on AWS and MinIO; Versity still refuses; RGW never looks.
        let again = store.put(&at, bytes("again"), Condition::CreateOnly, Some(lock(Mode::Governance, 60))).await;
        let lifted = server.kind != Kind::Versity;
        assert_eq!(again.is_ok(), lifted, "{:?}: {again:?}", server.kind);
        let listed = store.versions(&at).await.unwrap();
        let sizes: Vec<_> = listed.iter().map(|v| v.size).collect();
        assert_eq!(sizes, if lifted { vec![5, 0, 7, 3] } else { vec![0, 7, 3] }, "{:?}: {listed:?}", server.kind);
        assert_eq!(listed.last().unwrap().id, own);
        assert_eq!(listed.iter().filter(|v| v.is_latest).count(), 1);
        assert!(listed[0].is_latest);
        store.put(&key("history-2"), bytes("x"), Condition::CreateOnly, Some(lock(Mode::Governance, 60))).await.unwrap();
        assert_eq!(store.versions(&at).await.unwrap(), listed, "a longer key is not this key");
        let all = store.list("contract/", None, 100).await.unwrap();
        assert_eq!(all[..listed.len()], listed[..]);
    }
}

/// The lock headers stand in the signature: Versity refuses them where they do not, and accepts ours.
#[tokio::test]
async fn lock_headers_are_signed() {
    let Some(server) = S3Server::versity() else { return };
    let bucket = server.fresh_bucket(Bucket::Locked).await;
    let until = lock(Mode::Governance, 60).retain_until.to_string();
    let call = |at: &str| Raw::new(Method::PUT, format!("/{bucket}/{at}")).body("x");
    let unsigned =
        call("a").unsigned_header("x-amz-object-lock-mode", "GOVERNANCE").unsigned_header("x-amz-object-lock-retain-until-date", &until);
    assert_eq!(server.raw(unsigned).await.status, StatusCode::FORBIDDEN);
    let signed = call("b").header("x-amz-object-lock-mode", "GOVERNANCE").header("x-amz-object-lock-retain-until-date", &until);
    server.raw(signed).await.expect_ok();
    put_locked(&open(server, &bucket).await, &key("c"), bytes("x"), lock(Mode::Governance, 60)).await.unwrap();
}

/// More than S3's page of 1000, over many keys and over one: nothing is lost or doubled at a seam.
#[tokio::test]
async fn listings_go_on_beyond_a_page() {
    for server in [S3Server::minio(), S3Server::versity()].into_iter().flatten() {
        // MinIO writes all versions of a key anew with each: a thousand take it ten seconds.
        let further = if server.kind == Kind::Minio { 40 } else { 1010 };
        let store = open(server, &server.fresh_bucket(Bucket::Locked).await).await;
        let keys: Vec<ObjectKey> = (0..1030).map(|n| key(format!("many/{n:05}"))).collect();
        let one = key("many/00500");
        let mut puts: Vec<_> = keys.iter().collect();
        puts.extend(std::iter::repeat_n(&one, further));
        for chunk in puts.chunks(32) {
            let chunk = chunk.iter().map(|at| store.put(at, bytes("x"), Condition::Any, None));
            futures::future::try_join_all(chunk).await.unwrap();
        }
        assert_eq!(store.versions(&one).await.unwrap().len(), 1 + further);
        let all = store.list("contract/many/", None, usize::MAX).await.unwrap();
        assert_eq!(all.len(), 1030 + further);
        for (limit, first, pages) in [(1, Some(key("many/00498")), 4), (400, None, 100), (LIST_PAGE, None, 100), (1000, None, 100)] {
            let mut seen = Vec::new();
            let mut after = first.clone();
            for _ in 0..pages {
                let page = store.list("contract/many/", after.as_ref(), limit).await.unwrap();
                let Some(last) = page.last() else { break };
                assert!(page.len() >= limit || Some(last) == all.last(), "limit {limit}: {} entries, and it goes on", page.len());
                after = Some(last.key.clone());
                seen.extend(page);
            }
            let from = all.iter().position(|v| v.key == seen[0].key).unwrap();
            assert_eq!(seen[..], all[from..from + seen.len()], "limit {limit}");
            assert_eq!(seen.len(), if first.is_some() { 4 + further } else { all.len() });
        }
    }
}

/// Buckets that are not what the configuration says, and credentials that are nobody's: refused, with what to do.
#[tokio::test]
async fn misconfiguration_is_refused_in_plain_words() {
    for server in S3Server::all() {
        let unlocked = open(server, &server.fresh_bucket(Bucket::Versioned).await).await;
        let state = unlocked.state().await.unwrap();
        assert_eq!((state.versioning, state.object_lock), (Some(true), Some(false)), "{:?}", server.kind);
        let error = put_locked(&unlocked, &key("x"), bytes("x"), lock(Mode::Governance, 60)).await.unwrap_err();
        assert!(matches!(error, PutError::Refused { .. }), "{:?}: {error}", server.kind);
        assert!(error.to_string().contains("spanseal doctor"), "{error}");

        let nowhere = open(server, "no-such-bucket").await;
        let put = nowhere.put(&key("x"), bytes("x"), Condition::Any, None).await.unwrap_err();
        assert!(matches!(put, PutError::Refused { .. }) && put.to_string().contains("create the bucket"), "{:?}: {put}", server.kind);
        for read in [
            nowhere.get(&key("x"), None, 10).await.map(drop),
            nowhere.head(&key("x"), None).await.map(drop),
            nowhere.versions(&key("x")).await.map(drop),
            nowhere.list("", None, 10).await.map(drop),
            nowhere.state().await.map(drop),
        ] {
            assert!(matches!(read, Err(ReadError::Refused { .. })), "{:?}: {read:?}", server.kind);
        }

        let bucket = server.fresh_bucket(Bucket::Locked).await;
        for (access_key_id, secret_access_key) in [("nobody", "testsecret0123456789"), ("testaccess", "wrong")] {
            let credentials =
                S3Credentials { access_key_id: access_key_id.into(), secret_access_key: secret_access_key.into(), session_token: None };
            let options = S3Options { credentials: Some(credentials), ..server.options() };
            let store = S3Store::open(&bucket, "", options).await.unwrap();
            let put = put_locked(&store, &key("x"), bytes("x"), lock(Mode::Governance, 60)).await.unwrap_err();
            assert!(matches!(put, PutError::Refused { .. }), "{:?}: {put}", server.kind);
            assert!(put.to_string().contains("AWS_"), "{:?}: {put}", server.kind);
            assert!(!put.to_string().contains("testsecret0123456789"));
            let read = store.get(&key("x"), None, 10).await;
            assert!(matches!(read, Err(ReadError::Refused { .. })), "{:?}: {read:?}", server.kind);
            assert!(matches!(store.head(&key("x"), None).await, Err(ReadError::Refused { .. })), "{:?}", server.kind);
        }
    }
}

/// A bucket's default retention is told to the reader, and an explicit short lock stands against it.
#[tokio::test]
async fn default_retention_is_seen() {
    for server in S3Server::all() {
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        let rule = "<ObjectLockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
                    <Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>3</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
        server.raw(Raw::new(Method::PUT, format!("/{bucket}?object-lock=")).body(rule)).await.expect_ok();
        let store = open(server, &bucket).await;
        assert_eq!(store.state().await.unwrap().default_retention.as_deref(), Some("GOVERNANCE for 3 days"), "{:?}", server.kind);
        let minutes = lock(Mode::Governance, 120);
        let id = store.put(&key("checkpoint"), bytes("x"), Condition::Any, Some(minutes)).await.unwrap();
        assert_eq!(store.head(&key("checkpoint"), id.as_ref()).await.unwrap().unwrap().lock, Some(minutes), "{:?}", server.kind);
    }
}

/// Endpoint, region and credentials come from the environment where the configuration names none. A child process reads
/// it: the environment of this one belongs to all tests.
#[tokio::test]
async fn the_environment_is_enough() {
    let Some(server) = S3Server::minio() else { return };
    let bucket = server.fresh_bucket(Bucket::Locked).await;
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "worm_contract::servers::child_of_the_environment"])
        .envs(server.environment())
        .env("SPANSEAL_TEST_BUCKET", &bucket)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(open(server, &bucket).await.get(&key("by-environment"), None, 10).await.unwrap().is_some());
}

/// So are the credentials of an instance: a fake metadata service hands out the keys.
#[tokio::test]
async fn instance_credentials_are_found() {
    use std::io::{Read, Write};
    let Some(server) = S3Server::minio() else { return };
    let bucket = server.fresh_bucket(Bucket::Locked).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let metadata = format!("http://{}", listener.local_addr().unwrap());
    let keys = "{\"AccessKeyId\":\"testaccess\",\"SecretAccessKey\":\"testsecret0123456789\",\"Token\":\"\",\"Expiration\":\"2100-01-01T00:00:00Z\"}";
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let body = match head.split(' ').nth(1).unwrap() {
                path if path.ends_with("/role") => keys,
                path if path.ends_with("/security-credentials/") => "role",
                _ => "token",
            };
            write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "worm_contract::servers::child_of_the_environment"])
        .envs(server.environment().into_iter().filter(|(name, _)| !name.contains("KEY")))
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_METADATA_ENDPOINT", metadata)
        .env("SPANSEAL_TEST_BUCKET", &bucket)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(open(server, &bucket).await.get(&key("by-environment"), None, 10).await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "run by the tests above"]
#[expect(clippy::disallowed_methods, reason = "its parent says which bucket")]
async fn child_of_the_environment() {
    let bucket = std::env::var("SPANSEAL_TEST_BUCKET").unwrap();
    let url = StoreUrl::parse(&format!("s3://{bucket}/some/prefix")).unwrap();
    let store = spanseal::worm::open(&url, &StoreOptions::default()).await.unwrap();
    put_locked(store.as_ref(), &key("by-environment"), bytes("x"), lock(Mode::Governance, 60)).await.unwrap();
}
