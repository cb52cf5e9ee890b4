//! What only a network and other people's servers show.

use super::suite::{Traits, bytes, contract, key, lock};
use crate::support::s3::{Bucket, Kind, Raw, S3Server};
use bytes::Bytes;
use http::{Method, StatusCode};
use spanseal::worm::s3::{S3Credentials, S3Options, S3Store};
use spanseal::worm::{Condition, Mode, ObjectKey, PutError, ReadError, StoreOptions, StoreUrl, WormStore, put_locked};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
    let Some(server) = S3Server::minio() else { return };
    let store = open(server, &server.fresh_bucket(Bucket::Locked).await).await;
    let keys: Vec<ObjectKey> = (0..1030).map(|n| key(format!("many/{n:05}"))).collect();
    let one = key("many/00500");
    let mut puts: Vec<_> = keys.iter().collect();
    puts.extend(std::iter::repeat_n(&one, 1010));
    for chunk in puts.chunks(32) {
        let chunk = chunk.iter().map(|at| store.put(at, bytes("x"), Condition::Any, None));
        futures::future::try_join_all(chunk).await.unwrap();
    }
    assert_eq!(store.versions(&one).await.unwrap().len(), 1011);
    let all = store.list("contract/many/", None, usize::MAX).await.unwrap();
    assert_eq!(all.len(), 1030 + 1010);
    for limit in [1, 400, 1000, 1001] {
        let mut seen = Vec::new();
        let mut after = (limit == 1).then(|| key("many/00490"));
        for _ in 0..if limit == 1 { 20 } else { 100 } {
            let page = store.list("contract/many/", after.as_ref(), limit).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            seen.extend(page);
        }
        let from = all.iter().position(|v| v.key == seen[0].key).unwrap();
        assert_eq!(seen[..], all[from..from + seen.len()], "limit {limit}");
        assert!(limit == 1 || seen.len() == all.len());
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

fn fake(port: u16) -> S3Options {
    S3Options {
        endpoint: Some(format!("http://127.0.0.1:{port}")),
        region: Some("us-east-1".into()),
        credentials: Some(S3Credentials { access_key_id: "a".into(), secret_access_key: "s".into(), session_token: None }),
        put_timeout: Duration::from_millis(300),
        ..S3Options::default()
    }
}

/// Nobody listens: the put is known not to have left, and a read gives up after its few tries.
#[tokio::test]
async fn an_unreachable_store_stored_nothing() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let store = S3Store::open("bucket", "", fake(port)).await.unwrap();
    let put = store.put(&key("x"), bytes("x"), Condition::CreateOnly, None).await.unwrap_err();
    assert!(matches!(put, PutError::NotStored { .. }), "{put}");
    let read = store.get(&key("x"), None, 10).await.unwrap_err();
    assert!(matches!(read, ReadError::Unavailable { .. }), "{read}");
    assert_eq!(store.clock_skew_seconds(), None);
}

/// Somebody takes the request and never answers, or hangs up half-way: nobody knows, and it was sent exactly once.
#[tokio::test]
async fn a_lost_answer_is_unknown_and_never_sent_twice() {
    for hang_up in [false, true] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let mut requests = 0;
            let mut open = Vec::new();
            while let Ok(Ok((mut stream, _))) = tokio::time::timeout(Duration::from_millis(700), listener.accept()).await {
                requests += 1;
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                if !hang_up {
                    open.push(stream);
                }
            }
            requests
        });
        let store = S3Store::open("bucket", "", fake(port)).await.unwrap();
        let begun = Instant::now();
        let put = store.put(&key("x"), bytes("x"), Condition::CreateOnly, None).await.unwrap_err();
        assert!(put.is_unknown(), "hang up {hang_up}: {put}");
        assert!(begun.elapsed() < Duration::from_secs(2), "not beyond its timeout");
        assert_eq!(server.await.unwrap(), 1, "one attempt");
    }
}

/// A read is asked again after passing trouble, and an object longer than said in its head is not read to its end.
#[tokio::test]
async fn reads_survive_a_bad_minute() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let answers = [
            "HTTP/1.1 503 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\nconnection: close\r\n\r\nhalf",
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ndate: Sat, 01 Jan 2000 00:00:00 GMT\r\nconnection: close\r\n\r\nfull",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n5\r\nlarge\r\n",
        ];
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let store = S3Store::open("bucket", "", fake(port)).await.unwrap();
    assert_eq!(store.get(&key("x"), None, 10).await.unwrap().unwrap(), Bytes::from_static(b"full"));
    assert!(store.clock_skew_seconds().unwrap() < -800_000_000, "the store's clock is far behind");
    assert!(matches!(store.get(&key("x"), None, 4).await, Err(ReadError::TooLarge { limit: 4, .. })));
    server.await.unwrap();
}

/// `ca_file` is the only authority: with it a private CA works, without it the system's roots refuse, known not stored.
#[tokio::test]
async fn a_private_ca_is_trusted_when_named() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, made.cert.pem()).unwrap();
    let key_der = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key_der).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-amz-version-id: v1\r\nconnection: close\r\n\r\n").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let endpoint = Some(format!("https://localhost:{port}"));
    let trusting = S3Options { endpoint: endpoint.clone(), ca_file: Some(ca_file), put_timeout: Duration::from_secs(10), ..fake(port) };
    let store = S3Store::open("bucket", "", trusting).await.unwrap();
    let id = store.put(&key("x"), bytes("x"), Condition::CreateOnly, None).await.unwrap();
    assert_eq!(id.unwrap().0, "v1");
    let store = S3Store::open("bucket", "", S3Options { endpoint, put_timeout: Duration::from_secs(10), ..fake(port) }).await;
    // An image without any system roots cannot even open it; that is a refusal too.
    if let Ok(store) = store {
        let put = store.put(&key("x"), bytes("x"), Condition::CreateOnly, None).await.unwrap_err();
        assert!(matches!(put, PutError::NotStored { .. }), "{put}");
        assert!(put.to_string().contains("certificate"), "{put}");
    }
    let broken = folder.path().join("broken.pem");
    std::fs::write(&broken, "no certificate").unwrap();
    for ca_file in [broken, folder.path().join("missing.pem")] {
        let options = S3Options { ca_file: Some(ca_file), ..fake(port) };
        assert!(S3Store::open("bucket", "", options).await.unwrap_err().to_string().contains("ca_file"));
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

#[tokio::test]
#[ignore = "run by the_environment_is_enough"]
#[expect(clippy::disallowed_methods, reason = "its parent says which bucket")]
async fn child_of_the_environment() {
    let bucket = std::env::var("SPANSEAL_TEST_BUCKET").unwrap();
    let url = StoreUrl::parse(&format!("s3://{bucket}/some/prefix")).unwrap();
    let store = spanseal::worm::open(&url, &StoreOptions::default()).await.unwrap();
    put_locked(store.as_ref(), &key("by-environment"), bytes("x"), lock(Mode::Governance, 60)).await.unwrap();
}

/// From an address to a store, as the command line does it.
#[tokio::test]
async fn an_address_opens_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::parse(folder.path().to_str().unwrap()).unwrap();
    let store = spanseal::worm::open(&url, &StoreOptions::default()).await.unwrap();
    assert_eq!(store.describe(), format!("file://{}", folder.path().display()));
    let url = StoreUrl::parse("s3://bucket/some/prefix/").unwrap();
    let store = spanseal::worm::open(&url, &StoreOptions { s3: fake(9), ..StoreOptions::default() }).await.unwrap();
    assert_eq!(store.describe(), "s3://bucket/some/prefix");
    let beyond = S3Options { endpoint: Some("http://s3.example.com".into()), ..fake(9) };
    let error = spanseal::worm::open(&url, &StoreOptions { s3: beyond, ..StoreOptions::default() }).await.unwrap_err();
    assert!(error.to_string().contains("allow_http"), "{error}");
}
