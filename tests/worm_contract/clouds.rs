//! Azure and GCS, against servers that hold every request against the documented interface: no emulator enforces these locks, and nothing here
//! shows what the real services do.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use spanseal::clock::{SystemClock, UnixSeconds};
use spanseal::worm::canary::{Finding, Probed, try_locks};
use spanseal::worm::{Condition, Lock, Mode, PutError, ReadError, Tag, VersionId, WormStore, put_locked};

use super::suite::{Traits, bytes, contract, key, lock};
use crate::support::recording::{Recording, Seen, Service};
use crate::support::{azure, gcs};

const TRAITS: Traits = Traits { create_only: true, locks: true, versioned: true, has_clock: true };

async fn on_azure() -> Recording<azure::Azure> {
    azure::Azure::start(azure::Behaviour::default()).await
}

async fn on_gcs() -> Recording<gcs::Gcs> {
    gcs::Gcs::start(gcs::Behaviour::default()).await
}

/// Both keep the contract, in a folder of a container and at its root, and say nothing that is not documented.
#[tokio::test]
async fn clouds_keep_the_contract() {
    for prefix in ["", "some/folder"] {
        let server = on_azure().await;
        contract(&server.store(prefix).await, TRAITS).await;
        server.expect_no_violation();
        let server = on_gcs().await;
        contract(&server.store(prefix).await, TRAITS).await;
        server.expect_no_violation();
    }
    // `startFrom` only spares work.
    let server = azure::Azure::start(azure::Behaviour { without_start_from: true, ..azure::Behaviour::default() }).await;
    contract(&server.store("").await, TRAITS).await;
    server.expect_no_violation();
}

fn headers<'a>(seen: &'a Seen, names: &[&'a str]) -> BTreeMap<&'a str, &'a str> {
    names.iter().filter_map(|name| Some((*name, seen.header(name)?))).collect()
}

fn lines(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(Seen::line).collect()
}

/// A lock whose date is known to the letter.
fn until_2099(mode: Mode) -> Lock {
    Lock { mode, retain_until: UnixSeconds::parse("2099-01-02T03:04:05Z").unwrap() }
}

/// Everything that Azure is asked, to the header.
#[tokio::test]
async fn azure_is_asked_as_documented() {
    let server = on_azure().await;
    let store = server.store("p").await;
    let at = key("x y");
    let id = store.put(&at, bytes("abc"), Condition::CreateOnly, Some(until_2099(Mode::Compliance))).await.unwrap().unwrap();
    let seen = server.take();
    assert_eq!(lines(&seen), ["PUT /evidence0/audit/p/contract/x%20y"]);
    let put = BTreeMap::from([
        ("x-ms-version", "2023-11-03"),
        ("x-ms-blob-type", "BlockBlob"),
        ("if-none-match", "*"),
        ("content-md5", "kAFQmDzST7DWlj99KOF/cg=="),
        ("x-ms-immutability-policy-mode", "Locked"),
        ("x-ms-immutability-policy-until-date", "Fri, 02 Jan 2099 03:04:05 GMT"),
    ]);
    assert_eq!(headers(&seen[0], &put.keys().copied().collect::<Vec<_>>()), put);
    assert_eq!((&seen[0].body, seen[0].header("x-ms-tags")), (&bytes("abc"), None));

    // Any condition: none is sent; the tag is.
    store.put_tagged(&key("t"), bytes("abc"), None, Tag::PARTIAL).await.unwrap();
    let seen = server.take();
    let sent = headers(&seen[0], &["if-none-match", "x-ms-tags", "x-ms-immutability-policy-mode"]);
    assert_eq!((seen.len(), sent), (1, BTreeMap::from([("x-ms-tags", "spanseal=partial")])));

    // Another account's word for a version is looked for among those that are there.
    let path = "/evidence0/audit/p/contract/x%20y";
    store
        .extend(&at, Some(&id), Lock { retain_until: UnixSeconds(until_2099(Mode::Compliance).retain_until.0 + 1), mode: Mode::Compliance })
        .await
        .unwrap();
    store.hold(&at, Some(&id), true).await.unwrap();
    let seen = server.take();
    let version = &id.0;
    assert_eq!(
        lines(&seen),
        [
            format!("HEAD {path}?versionid={version}"),
            format!("PUT {path}?comp=immutabilityPolicies&versionid={version}"),
            format!("PUT {path}?comp=legalhold&versionid={version}"),
        ]
    );
    assert_eq!(
        headers(&seen[1], &["x-ms-immutability-policy-mode", "x-ms-immutability-policy-until-date", "content-length"]),
        BTreeMap::from([
            ("x-ms-immutability-policy-mode", "Locked"),
            ("x-ms-immutability-policy-until-date", "Fri, 02 Jan 2099 03:04:06 GMT"),
            ("content-length", "0"),
        ])
    );
    assert_eq!(seen[2].header("x-ms-legal-hold"), Some("true"));
    assert!(store.head(&at, Some(&id)).await.unwrap().unwrap().legal_hold);
    server.take();
    store.list("contract/", Some(&at), 3).await.unwrap();
    store.state().await.unwrap();
    assert_eq!(
        lines(&server.take()),
        [
            "GET /evidence0/audit?comp=list&include=versions&maxresults=4&prefix=p/contract/&restype=container&startFrom=p/contract/x y",
            "GET /evidence0/audit?restype=container",
        ]
    );
    server.expect_no_violation();
}

/// The metadata of an upload.
fn metadata(seen: &Seen) -> Value {
    let text = String::from_utf8_lossy(&seen.body).into_owned();
    serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap().split("\r\n--").next().unwrap()).unwrap()
}

/// Everything that GCS is asked, to the parameter and the body.
#[tokio::test]
async fn gcs_is_asked_as_documented() {
    let server = on_gcs().await;
    let store = server.store("p").await;
    let at = key("x y");
    let id = store.put(&at, bytes("abc"), Condition::CreateOnly, Some(until_2099(Mode::Governance))).await.unwrap().unwrap();
    let seen = server.take();
    assert_eq!(lines(&seen), ["POST /upload/storage/v1/b/audit_bucket/o?fields=generation&ifGenerationMatch=0&uploadType=multipart"]);
    assert_eq!(
        metadata(&seen[0]),
        json!({
            "name": "p/contract/x y", "contentType": "application/octet-stream", "md5Hash": "kAFQmDzST7DWlj99KOF/cg==",
            "retention": {"mode": "Unlocked", "retainUntilTime": "2099-01-02T03:04:05Z"},
        })
    );
    store.put_tagged(&key("t"), bytes("abc"), None, Tag::PARTIAL).await.unwrap();
    let seen = server.take();
    assert_eq!(lines(&seen), ["POST /upload/storage/v1/b/audit_bucket/o?fields=generation&uploadType=multipart"]);
    let sent = metadata(&seen[0]);
    assert_eq!(sent["metadata"], json!({"spanseal": "partial"}));
    assert!(UnixSeconds::parse(sent["customTime"].as_str().unwrap()).is_some() && sent["retention"].is_null());

    let (path, version) = ("/storage/v1/b/audit_bucket/o/p%2Fcontract%2Fx%20y", &id.0);
    let fields = "fields=generation,metageneration,size,retention,temporaryHold,metadata";
    let later = |mode| Lock { mode, retain_until: UnixSeconds(until_2099(mode).retain_until.0 + 1) };
    store.extend(&at, Some(&id), later(Mode::Governance)).await.unwrap();
    store.extend(&at, Some(&id), later(Mode::Compliance)).await.unwrap();
    store.hold(&at, Some(&id), true).await.unwrap();
    let seen = server.take();
    assert_eq!(
        lines(&seen),
        [
            format!("GET {path}?{fields}&generation={version}"),
            format!("PATCH {path}?fields=generation&generation={version}&ifMetagenerationMatch=1"),
            format!("GET {path}?{fields}&generation={version}"),
            // Only what takes it asks for the override.
            format!("PATCH {path}?fields=generation&generation={version}&ifMetagenerationMatch=2&overrideUnlockedRetention=true"),
            format!("PATCH {path}?fields=generation&generation={version}"),
        ]
    );
    let bodies: Vec<Value> = [1, 3, 4].map(|n: usize| serde_json::from_slice(&seen[n].body).unwrap()).into();
    let retention = |mode: &str| json!({"retention": {"mode": mode, "retainUntilTime": "2099-01-02T03:04:06Z"}});
    assert_eq!(bodies, [retention("Unlocked"), retention("Locked"), json!({"temporaryHold": true})]);
    store.list("contract/", Some(&at), 3).await.unwrap();
    store.get(&at, Some(&id), 10).await.unwrap();
    store.state().await.unwrap();
    assert_eq!(
        lines(&server.take()),
        [
            "GET /storage/v1/b/audit_bucket/o?fields=items(name,generation,size,timeDeleted),nextPageToken&maxResults=4&prefix=p/contract/&\
             startOffset=p/contract/x y&versions=true"
                .to_owned(),
            format!("GET {path}?alt=media&generation={version}"),
            "GET /storage/v1/b/audit_bucket?fields=versioning,objectRetention,retentionPolicy".to_owned(),
        ]
    );
    // An event-based hold of somebody else ends when they say so: it counts for nothing, and stays where ours is lifted.
    server.with(|gcs| gcs.touch("p/contract/x y", "eventBasedHold", json!(true)));
    store.hold(&at, Some(&id), false).await.unwrap();
    assert!(!store.head(&at, Some(&id)).await.unwrap().unwrap().legal_hold);
    assert!(store.hold(&at, Some(&id), true).await.is_ok() && store.head(&at, Some(&id)).await.unwrap().unwrap().legal_hold);
    server.expect_no_violation();
}

/// Scenario: the commit is answered with an error. Guarantee: the outcome is exact, and it was asked once.
async fn a_failing_put_is_tried_once<S: Service>(server: &Recording<S>, store: &dyn WormStore, codes: &[(u16, &str, &str)]) {
    for (status, code, want) in codes {
        server.take();
        server.fail_next(*status, code);
        let error = store.put(&key("once"), bytes("x"), Condition::CreateOnly, None).await.unwrap_err();
        assert_eq!((error.kind(), server.take().len()), (*want, 1), "{status} {code}: {error}");
        assert!(error.kind() == "exists" || error.to_string().contains("; "), "it says what to do: {error}");
    }
    assert_eq!(store.versions(&key("once")).await.unwrap(), []);
    // A read is asked again.
    server.take();
    server.fail_next(503, "");
    assert_eq!(store.get(&key("once"), None, 10).await.unwrap(), None);
    assert!(server.take().len() >= 2);
    server.fail_next(403, "");
    assert!(matches!(store.get(&key("once"), None, 10).await, Err(ReadError::Refused { .. })));
}

#[tokio::test]
async fn outcomes_are_exact() {
    let server = on_azure().await;
    let codes = [
        (503, "ServerBusy", "unknown"),
        (409, "BlobAlreadyExists", "exists"),
        (403, "AuthenticationFailed", "refused"),
        (429, "", "not_stored"),
    ];
    a_failing_put_is_tried_once(&server, &server.store("").await, &codes).await;
    let server = on_gcs().await;
    let codes = [
        (503, "backendError", "unknown"),
        (412, "conditionNotMet", "exists"),
        (403, "forbidden", "refused"),
        (429, "rateLimitExceeded", "not_stored"),
    ];
    a_failing_put_is_tried_once(&server, &server.store("").await, &codes).await;
}

/// Scenario: somebody deletes the current version without naming it, and the key is written again. Guarantee: nothing is there for a plain
/// read in between, create-only lets the second one in, and the first one is listed last and can be read.
async fn a_hidden_version_stays_the_oldest(store: &dyn WormStore, hide: impl Fn()) {
    let at = key("hidden");
    let first = put_locked(store, &at, bytes("first"), lock(Mode::Compliance, 600)).await.unwrap();
    hide();
    assert_eq!(store.get(&at, None, 10).await.unwrap(), None);
    assert_eq!(store.head(&at, None).await.unwrap(), None);
    let listed = store.versions(&at).await.unwrap();
    assert_eq!(listed.iter().map(|v| (v.id.clone(), v.is_latest)).collect::<Vec<_>>(), [(first.clone(), false)]);
    let second = put_locked(store, &at, bytes("second"), lock(Mode::Compliance, 600)).await.unwrap();
    let listed = store.versions(&at).await.unwrap();
    assert_eq!(listed.iter().map(|v| (v.id.clone(), v.is_latest)).collect::<Vec<_>>(), [(second, true), (first.clone(), false)]);
    assert_eq!(store.get(&at, first.as_ref(), 10).await.unwrap().unwrap(), "first");
}

#[tokio::test]
async fn what_is_hidden_is_still_the_oldest() {
    let server = on_azure().await;
    a_hidden_version_stays_the_oldest(&server.store("").await, || server.with(|azure| azure.hide("contract/hidden"))).await;
    server.expect_no_violation();
    let server = on_gcs().await;
    a_hidden_version_stays_the_oldest(&server.store("").await, || server.with(|gcs| gcs.hide("contract/hidden"))).await;
    server.expect_no_violation();
}

/// Scenario: somebody extends a lock on GCS between our look and our change. Guarantee: the change is not made, and may be asked for again.
#[tokio::test]
async fn a_lock_that_changed_meanwhile_is_not_touched() {
    let server = on_gcs().await;
    let store = server.store("").await;
    let at = key("race");
    let id = put_locked(&store, &at, bytes("x"), lock(Mode::Governance, 600)).await.unwrap();
    let theirs = lock(Mode::Governance, 9000);
    let set = json!({"mode": "Unlocked", "retainUntilTime": theirs.retain_until.to_string()});
    server.meanwhile(move |gcs| gcs.touch("contract/race", "retention", set));
    let error = store.extend(&at, id.as_ref(), lock(Mode::Governance, 900)).await.unwrap_err();
    assert!(matches!(error, PutError::NotStored { .. }), "{error}");
    assert_eq!(store.head(&at, id.as_ref()).await.unwrap().unwrap().lock, Some(theirs));
    server.expect_no_violation();
}

/// How each attempt of a canary ended.
async fn tried(store: &dyn Probed, mode: Mode) -> Vec<Finding> {
    try_locks(store, mode, &SystemClock).await.into_iter().map(|tried| tried.finding).collect()
}

fn told(findings: &[Finding]) -> String {
    format!("{findings:#?}")
}

/// Guarantee: the canary attacks both with what they have, and a server that only pretends is found out.
#[tokio::test]
async fn the_canary_is_attacked() {
    let bad = |findings: &[Finding]| findings.iter().any(|f| matches!(f, Finding::Bad(_)));
    let unclear = |findings: &[Finding]| findings.iter().any(|f| matches!(f, Finding::Unknown(_) | Finding::NotPut(_)));
    for mode in [Mode::Governance, Mode::Compliance] {
        let server = on_azure().await;
        let found = tried(&server.store("").await, mode).await;
        let odd = found.iter().filter(|f| matches!(f, Finding::Odd(_))).count();
        // An unlocked policy is shortened and lifted by whoever may set one.
        assert!(!bad(&found) && !unclear(&found) && odd == if mode == Mode::Governance { 2 } else { 0 }, "{}", told(&found));
        server.expect_no_violation();
        for behaviour in [
            azure::Behaviour { drops_policies: true, ..azure::Behaviour::default() },
            azure::Behaviour { deletes: true, ..azure::Behaviour::default() },
        ] {
            let server = azure::Azure::start(behaviour).await;
            let found = tried(&server.store("").await, mode).await;
            assert!(bad(&found), "{behaviour:?}: {}", told(&found));
        }
        for denies_override in [false, true] {
            let server = gcs::Gcs::start(gcs::Behaviour { denies_override, ..gcs::Behaviour::default() }).await;
            let found = tried(&server.store("").await, mode).await;
            let odd = found.iter().filter(|f| matches!(f, Finding::Odd(_))).count();
            let may_lift = mode == Mode::Governance && !denies_override;
            assert!(!bad(&found) && !unclear(&found) && odd == usize::from(may_lift), "{}", told(&found));
            server.expect_no_violation();
        }
        let server = gcs::Gcs::start(gcs::Behaviour { deletes: true, ..gcs::Behaviour::default() }).await;
        assert!(bad(&tried(&server.store("").await, mode).await));
    }
}

/// Guarantee: a container or bucket that was made without locks says so, and refuses a lock in words that say what to do.
#[tokio::test]
async fn without_locks_nothing_is_promised() {
    let server = azure::Azure::start(azure::Behaviour { not_immutable: true, ..azure::Behaviour::default() }).await;
    let store = server.store("").await;
    assert_eq!(store.state().await.unwrap().object_lock, Some(false));
    let error = store.put(&key("x"), bytes("x"), Condition::CreateOnly, Some(lock(Mode::Compliance, 60))).await.unwrap_err();
    assert!(matches!(&error, PutError::Refused { reason, .. } if reason.contains("version-level immutability")), "{error}");

    let server = gcs::Gcs::start(gcs::Behaviour { no_retention: true, no_versioning: true, ..gcs::Behaviour::default() }).await;
    let store = server.store("").await;
    let state = store.state().await.unwrap();
    assert_eq!((state.versioning, state.object_lock), (Some(false), Some(false)));
    let error = store.put(&key("x"), bytes("x"), Condition::CreateOnly, Some(lock(Mode::Compliance, 60))).await.unwrap_err();
    assert!(matches!(&error, PutError::Refused { reason, .. } if reason.contains("per-object retention")), "{error}");
}

/// A tag that the credentials may not put keeps no object out, and is not tried again and again.
#[tokio::test]
async fn a_denied_tag_keeps_no_blob_out() {
    let server = azure::Azure::start(azure::Behaviour { denies_tags: true, ..azure::Behaviour::default() }).await;
    let store = server.store("").await;
    for n in 0..4 {
        store.put_tagged(&key(format!("tagged/{n}")), bytes("x"), None, Tag::PARTIAL).await.unwrap();
    }
    let tagged: Vec<bool> = server.take().iter().map(|seen| seen.header("x-ms-tags").is_some()).collect();
    assert_eq!(tagged, [true, false, true, false, false, false]);
    assert_eq!(store.list("contract/tagged/", None, 10).await.unwrap().len(), 4);
}

/// Credentials that are wrong are refused with words about them, and a missing bucket with words about it, never as absence.
#[tokio::test]
async fn who_is_refused_learns_why() {
    let server = on_azure().await;
    let endpoint = spanseal::worm::ServiceEndpoint { url: Some(server.endpoint()), ..Default::default() };
    let account_key = Some(spanseal::worm::azure::AccountKey(azure::KEY.to_owned()));
    let options = spanseal::worm::azure::AzureOptions { endpoint, account_key, ..Default::default() };
    let store = spanseal::worm::azure::AzureStore::open(azure::ACCOUNT, "other-container", "", options).await.unwrap();
    let missing = VersionId("2026-11-21T10:00:00.0000009Z".into());
    for error in [
        store.get(&key("x"), None, 9).await.unwrap_err(),
        store.head(&key("x"), Some(&missing)).await.unwrap_err(),
        store.state().await.unwrap_err(),
    ] {
        assert!(matches!(&error, ReadError::Refused { reason, .. } if reason.contains("create the container")), "{error}");
    }
    let server = on_gcs().await;
    let endpoint = spanseal::worm::ServiceEndpoint { url: Some(server.endpoint()), ..Default::default() };
    let with = |token: &str| spanseal::worm::gcs::GcsOptions {
        endpoint: endpoint.clone(),
        token: Some(spanseal::worm::gcs::AccessToken(token.into())),
        ..Default::default()
    };
    let store = spanseal::worm::gcs::GcsStore::open("other-bucket", "", with(gcs::TOKEN)).await.unwrap();
    for error in
        [store.get(&key("x"), None, 9).await.unwrap_err(), store.head(&key("x"), None).await.unwrap_err(), store.state().await.unwrap_err()]
    {
        assert!(matches!(&error, ReadError::Refused { reason, .. } if reason.contains("create the bucket")), "{error}");
    }
    let store = spanseal::worm::gcs::GcsStore::open(gcs::BUCKET, "", with("expired")).await.unwrap();
    let error = store.put(&key("x"), bytes("x"), Condition::CreateOnly, None).await.unwrap_err();
    assert!(
        matches!(&error, PutError::Refused { reason, .. } if reason.contains("GOOGLE_SERVICE_ACCOUNT") && !reason.contains("expired")),
        "{error}"
    );
}
