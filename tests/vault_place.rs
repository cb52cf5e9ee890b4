//! Where a vault may lie, on folders and on real S3 servers: what is written is there, what is deleted is gone, and a place that would keep
//! it is refused.

use std::collections::HashSet;
use std::sync::Arc;

use http::Method;
use spanseal::clock::UnixSeconds;
use spanseal::record::RecordId;
use spanseal::record::apart::{Apart, PersonEntry, Piece};
use spanseal::record::content::Scheme;
use spanseal::vault::{Options, Vault, VaultKey, VaultStore, open_place};
use spanseal::worm::{ObjectKey, StoreOptions, StoreUrl};

use crate::support::receiver::{Options as SiteOptions, Site};
use crate::support::s3::{Bucket, Kind, Raw, S3Server};
use crate::support::{eventually, runtime};

fn at(key: &str) -> ObjectKey {
    ObjectKey(format!("log/{key}"))
}

async fn keys(place: &dyn VaultStore, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let after = after.map(at);
    let listed = place.list(&format!("log/{prefix}"), after.as_ref(), limit).await.unwrap();
    listed.into_iter().map(|l| l.key.0.trim_start_matches("log/").to_owned()).collect()
}

/// The contract of a place, written once for all of them.
async fn keeps_the_contract(place: &dyn VaultStore) {
    place.check().await.unwrap();
    assert_eq!(place.get(&at("packs/1/a")).await.unwrap(), None);
    assert!(keys(place, "", None, 10).await.is_empty());
    for (key, body) in [("packs/1/b", "two"), ("packs/1/a", "one"), ("packs/2/a", "three"), ("persons/x", "four")] {
        place.put(&at(key), body.into()).await.unwrap();
    }
    place.put(&at("packs/1/a"), "one, written again".into()).await.unwrap();
    assert_eq!(place.get(&at("packs/1/a")).await.unwrap().unwrap(), "one, written again");
    assert_eq!(keys(place, "packs/", None, 10).await, ["packs/1/a", "packs/1/b", "packs/2/a"]);
    assert_eq!(keys(place, "packs/", Some("packs/1/a"), 10).await, ["packs/1/b", "packs/2/a"]);
    assert_eq!(keys(place, "packs/1", None, 1).await, ["packs/1/a"]);
    place.delete(&at("packs/1/a")).await.unwrap();
    place.delete(&at("packs/1/a")).await.unwrap();
    assert_eq!(place.get(&at("packs/1/a")).await.unwrap(), None);
    assert_eq!(keys(place, "packs/", None, 10).await, ["packs/1/b", "packs/2/a"]);
    for key in ["packs/1/b", "packs/2/a", "persons/x"] {
        place.delete(&at(key)).await.unwrap();
    }
}

/// A vault on it: written, read, erased, and taken up by the next process.
async fn works_as_a_vault(place: Arc<dyn VaultStore>) {
    let vault = || Vault::new(Options { store: Arc::clone(&place), log: "log".to_owned(), key: VaultKey::new(&[7; 32]) });
    let writer = vault();
    writer.claim("key of the log").await.unwrap();
    let sealed_at = UnixSeconds(1_795_187_350);
    let record = |n: u8| RecordId([n; 16]);
    let piece = |n: u8, content| Piece { record: record(n), member: "input".into(), scheme: Scheme::Utf8, salt: [n; 32], content };
    let person = PersonEntry { key: [1; 32], pseudonym: [1; 16], realm: "shop".into(), id: "alice@example.com".into() };
    let apart = Apart { bytes: b"onetwo".to_vec(), pieces: vec![piece(1, 0..3), piece(2, 3..6)], persons: vec![person] };
    let _packs = writer.put(0, sealed_at, vec![apart]).await.unwrap();
    let reader = vault();
    assert_eq!(reader.content(0, sealed_at, record(2)).await.unwrap().entries[0].content.as_slice(), b"two");
    assert_eq!(reader.find(&HashSet::from(["alice@example.com"]), None).await.unwrap().entries.len(), 1);
    writer.erase(0, sealed_at, &HashSet::from([record(1)])).await.unwrap();
    writer.erase_persons(&HashSet::from([[1; 16]])).await.unwrap();
    assert!(reader.content(0, sealed_at, record(1)).await.unwrap().entries.is_empty());
    assert_eq!(reader.content(0, sealed_at, record(2)).await.unwrap().entries[0].content.as_slice(), b"two");
    assert!(reader.find(&HashSet::from(["alice@example.com"]), None).await.unwrap().entries.is_empty());
    drop(writer);
    let again = vault();
    again.claim("key of the log").await.unwrap();
    assert_eq!(again.clean(0, Some(sealed_at)).await.unwrap(), 1);
    assert!(reader.content(0, sealed_at, record(2)).await.unwrap().entries.is_empty());
}

#[test]
fn a_folder_is_a_place_for_a_vault() {
    let folder = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let place = open_place(&StoreUrl::File(folder.path().join("vault")), &StoreOptions::default()).await.unwrap();
        keeps_the_contract(place.as_ref()).await;
        works_as_a_vault(place).await;
    });
}

async fn place_in(server: &S3Server, bucket: &str) -> Arc<dyn VaultStore> {
    let url = StoreUrl::S3 { bucket: bucket.to_owned(), prefix: "some/folder".to_owned() };
    open_place(&url, &StoreOptions { s3: server.options(), ..StoreOptions::default() }).await.unwrap()
}

/// Guarantee, on every server that is installed: an unversioned bucket is a place for a vault, and what is deleted there is gone, other
/// versions too. One that keeps versions, kept them once, or has Object Lock is refused, in words that say what to do.
#[test]
fn a_bucket_is_a_place_for_a_vault_only_if_it_forgets() {
    for server in S3Server::all() {
        runtime().block_on(async {
            let bucket = server.fresh_bucket(Bucket::Plain).await;
            let place = place_in(server, &bucket).await;
            keeps_the_contract(place.as_ref()).await;
            let listed = server.raw(Raw::new(Method::GET, format!("/{bucket}?versions="))).await.expect_ok();
            assert!(!listed.body.contains("<Key>"), "{:?}: something is left", server.kind);
            works_as_a_vault(place).await;
            for kind in [Bucket::Versioned, Bucket::Locked] {
                let bucket = server.fresh_bucket(kind).await;
                let error = place_in(server, &bucket).await.check().await.unwrap_err().to_string();
                assert!(error.contains("without versioning and without Object Lock"), "{:?} {kind:?}: {error}", server.kind);
            }
            let bucket = server.fresh_bucket(Bucket::Versioned).await;
            let body = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Suspended</Status></VersioningConfiguration>";
            server.raw(Raw::new(Method::PUT, format!("/{bucket}?versioning=")).body(body)).await.expect_ok();
            let error = place_in(server, &bucket).await.check().await.unwrap_err().to_string();
            assert!(error.contains("kept versions once"), "{:?}: {error}", server.kind);
        });
    }
}

/// Scenario: evidence in a locked bucket, and a vault configured in a bucket that would keep what is erased, and then in one that does not.
/// Guarantee: `doctor` says so and `serve` does not start; then both are content, and what is sealed has its content in the vault.
#[test]
fn serve_and_doctor_refuse_a_vault_that_does_not_forget() {
    for server in S3Server::all() {
        let (evidence, versioned, plain) = runtime().block_on(async {
            (
                server.fresh_bucket(Bucket::Locked).await,
                server.fresh_bucket(Bucket::Versioned).await,
                server.fresh_bucket(Bucket::Plain).await,
            )
        });
        let site = |vault: &str| {
            Site::with(SiteOptions {
                store: format!("s3://{evidence}/evidence"),
                more: format!(
                    "content: {{vault: {{url: 's3://{vault}/vault'}}}}\nretention: {{classes: [{{name: standard, period: 1d}}]}}"
                ),
                env: server.environment().into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
                ..SiteOptions::default()
            })
        };
        let wrong = site(&versioned);
        let doctor = wrong.run(&["doctor", "--no-canary"]);
        assert_eq!(doctor.status.code(), Some(1), "{doctor}");
        assert!(doctor.stdout.contains("keeps versions of what is deleted"), "{doctor}");
        let serve = wrong.run(&["serve"]);
        assert_eq!(serve.status.code(), Some(2), "{serve}");
        assert!(serve.stderr.contains("keeps versions of what is deleted"), "{serve}");
        assert!(!wrong.path("log.key").exists(), "nothing was made");

        let right = site(&plain);
        let doctor = right.run(&["doctor", "--no-canary"]);
        assert!(doctor.stdout.contains("keeps neither versions nor locks"), "{doctor}");
        assert!(doctor.stdout.contains("what is written there can be deleted again"), "{doctor}");
        if server.kind == Kind::Rgw {
            continue; // It ignores create-only, so a start takes a minute there; what is written is written the same way.
        }
        let receiver = right.serve();
        eventually("serve says where content is kept", || receiver.stderr().contains("keeps content for 1d").then_some(()));
        assert!(receiver.stop().success());
    }
}
