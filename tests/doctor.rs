//! Promise: `doctor` names what is wrong with a bucket before anything is sealed into it, one line with what to do; shown on real servers,
//! each misconfigured in one way.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;

use crate::support::receiver::{Finished, Options, Site};
use crate::support::s3::{Bucket, Kind, Raw, S3Server};

/// What `doctor` says of a bucket, asked at `endpoint`.
async fn doctor(server: &'static S3Server, bucket: &str, endpoint: &str, s3_lines: &str) -> Finished {
    let mut env: Vec<(String, String)> = server.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    env.retain(|(name, _)| name != "AWS_ENDPOINT_URL");
    let site = Site::with(Options {
        store: format!("s3://{bucket}/prod"),
        store_lines: format!("  s3: {{endpoint: '{endpoint}', path_style: true{s3_lines}}}\n"),
        more: "content: {mode: hash}\n".into(),
        identity: "mode: keyed, ".into(),
        env,
        ..Options::default()
    });
    tokio::task::spawn_blocking(move || site.run(&["doctor"])).await.unwrap()
}

#[track_caller]
fn says(finished: &Finished, state: &str, check: &str, words: &str) {
    let line = finished.stdout.lines().find(|line| line.starts_with(&format!("{state:9} {check}")) && line.contains(words));
    assert!(line.is_some(), "no `{state} {check} ... {words}` in {finished}");
}

fn policy(bucket: &str, statement: &str) -> Raw {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#).replace("BUCKET", bucket);
    Raw::new(Method::PUT, format!("/{bucket}?policy=")).body(text)
}

/// Scenario: a bucket without a policy, with one that lets everybody delete, and with one that denies everybody what undoes locks. Guarantee:
/// each is told for what it is; only what is open to everybody is a problem.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_bucket_policy_leaves_open_is_told() {
    for server in S3Server::all() {
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        let none = doctor(server, &bucket, &server.endpoint, "").await;
        says(&none, "warning", "bucket policy", "has no policy of its own");
        assert_eq!(none.status.code(), Some(0), "{:?} {none}", server.kind);

        let open = r#"{"Sid":"Open","Effect":"Allow","Principal":"*","Action":["s3:DeleteObject","s3:GetObject"],"Resource":"arn:aws:s3:::BUCKET/*"}"#;
        server.raw(policy(&bucket, open)).await.expect_ok();
        let open = doctor(server, &bucket, &server.endpoint, "").await;
        says(&open, "problem", "bucket policy", "`Open` allows everybody s3:DeleteObject");
        says(&open, "warning", "bucket policy", "it does not deny s3:BypassGovernanceRetention");
        assert_eq!(open.status.code(), Some(1), "{:?} {open}", server.kind);

        // In a bucket of its own: a policy that denies may deny being replaced.
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        let deny = r#"{"Sid":"Deny","Effect":"Deny","Principal":"*","Action":["s3:DeleteObject","s3:DeleteObjectVersion","s3:BypassGovernanceRetention"],"Resource":"arn:aws:s3:::BUCKET/*"}"#;
        let put = server.raw(policy(&bucket, deny)).await;
        // Versity knows fewer permissions than S3 has.
        if server.kind != Kind::Versity || put.status.is_success() {
            put.expect_ok();
            let denied = doctor(server, &bucket, &server.endpoint, "").await;
            says(
                &denied,
                "ok",
                "bucket policy",
                "it denies everybody s3:BypassGovernanceRetention, s3:DeleteObjectVersion, s3:DeleteObject",
            );
            assert_eq!(denied.status.code(), Some(0), "{:?} {denied}", server.kind);
        }
    }
}

/// Guarantee: whether a store looks at checksums was tried, not assumed, and nothing of the trial is left where it was taken.
#[tokio::test(flavor = "multi_thread")]
async fn whether_checksums_are_looked_at_is_tried() {
    for server in S3Server::all() {
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        let said = doctor(server, &bucket, &server.endpoint, "").await;
        // Ceph 16 and the gateway differ from build to build; both answers are truthful, silence is not.
        let refused = said.stdout.contains("an object that is not what its SHA-256 says was refused");
        let taken = said.stdout.contains("the store took an object that is not what its SHA-256");
        assert!(refused != taken, "{:?} {said}", server.kind);
        if server.kind == Kind::Minio {
            assert!(refused, "{said}");
        }
    }
}

/// Scenario: `store.s3.sse_kms_key_id` names a key, and the server has none. Guarantee: that is a problem, and the key is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_store_does_not_have_is_named() {
    let Some(server) = S3Server::minio() else { return };
    let bucket = server.fresh_bucket(Bucket::Locked).await;
    let said = doctor(server, &bucket, &server.endpoint, ", sse_kms_key_id: audit-key").await;
    says(&said, "problem", "encryption", "nothing can be put under the key `audit-key` (`store.s3.sse_kms_key_id`)");
    assert_eq!(said.status.code(), Some(1), "{said}");
}

/// Scenario: a default lock of a year on the bucket. Guarantee: it is told, and `checkpoint` is not forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn a_default_lock_is_told() {
    for server in S3Server::all() {
        let bucket = server.fresh_bucket(Bucket::Locked).await;
        let body = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode>\
                    <Days>2</Days></DefaultRetention></Rule></ObjectLockConfiguration>";
        server.raw(Raw::new(Method::PUT, format!("/{bucket}?object-lock=")).body(body)).await.expect_ok();
        let said = doctor(server, &bucket, &server.endpoint, "").await;
        says(&said, "ok", "object lock", "the bucket locks new objects by default: GOVERNANCE");
    }
}

/// Scenario: no such bucket; a key that the server does not know. Guarantee: each is named with what to do.
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_and_a_wrong_key_are_named() {
    for server in S3Server::all() {
        let said = doctor(server, "no-such-bucket", &server.endpoint, "").await;
        assert!(said.status.code() == Some(1) && said.stdout.contains("create the bucket"), "{:?} {said}", server.kind);
        let bucket = server.fresh_bucket(Bucket::Versioned).await;
        let said = doctor(server, &bucket, &server.endpoint, "").await;
        says(&said, "problem", "object lock", "Object Lock");
    }
}

/// A server whose answers come by somebody who changes one header of them.
async fn behind(server: &'static S3Server, name: &'static str, value: String) -> String {
    #[derive(Clone)]
    struct Way {
        to: String,
        name: &'static str,
        value: String,
        client: reqwest::Client,
    }
    async fn pass(State(way): State<Way>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
        let url = format!("{}{}", way.to, uri.path_and_query().unwrap());
        let mut request = reqwest::Request::new(method, url.parse().unwrap());
        // `Host` with them: it stands in the signature.
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        let answer = way.client.execute(request).await.unwrap();
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        headers.insert(way.name, way.value.parse().unwrap());
        headers.remove("transfer-encoding");
        (StatusCode::from_u16(status.as_u16()).unwrap(), headers, answer.bytes().await.unwrap())
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let way = Way { to: server.endpoint.clone(), name, value, client };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(pass).with_state(way)).await.unwrap() });
    at
}

/// Scenario: the store's clock is ten minutes ahead. Guarantee: it is a problem with both figures: nothing would be sealed.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_is_named() {
    let Some(server) = S3Server::all().first().copied() else { return };
    let bucket = server.fresh_bucket(Bucket::Locked).await;
    let ahead = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(600);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&ahead).unwrap();
    let endpoint = behind(server, "date", date).await;
    let said = doctor(server, &bucket, &endpoint, "").await;
    says(&said, "problem", "clock", "s ahead of this machine's; beyond 300 s nothing is sealed: set the clock");
    assert_eq!(said.status.code(), Some(1), "{said}");
}

/// A server that answers every call with this status and code.
async fn that_says(status: StatusCode, code: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let answer = move || async move { (status, format!("<Error><Code>{code}</Code><Message>no such thing here</Message></Error>")) };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await.unwrap() });
    at
}

/// Scenario: a server that does not know the calls that are made of it, and one that knows all but the question how a bucket encrypts. Guarantee:
/// the call is named, it is said what that means for evidence and what to do now, and nobody is sent for a permission that would change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_a_server_does_not_know_is_named() {
    let endpoint = that_says(StatusCode::NOT_IMPLEMENTED, "NotImplemented").await;
    let options = Options {
        store: "s3://bucket/prod".into(),
        store_lines: format!("  s3: {{endpoint: '{endpoint}', path_style: true, region: here}}\n"),
        more: "content: {mode: hash}\n".into(),
        identity: "mode: keyed, ".into(),
        env: [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")].map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..Options::default()
    };
    let site = Site::with(options);
    let said = tokio::task::spawn_blocking(move || site.run(&["doctor"])).await.unwrap();
    says(
        &said,
        "problem",
        "object lock",
        "is on a server that does not know the call GetBucketVersioning, so nothing in it would be write-once",
    );
    says(&said, "warning", "bucket policy", "who may delete, bypass governance, change locks");
    says(&said, "warning", "encryption", "look at the server's own disks and settings");
    says(&said, "problem", "canary", "this server does not know the call PutObject as it was made");
    assert!(!said.stdout.contains("s3:Get") && !said.stdout.contains("(HTTP 501); run"), "{said}");

    let Some(server) = S3Server::versity() else { return };
    let bucket = server.fresh_bucket(Bucket::Locked).await;
    let said = doctor(server, &bucket, &server.endpoint, "").await;
    says(&said, "warning", "encryption", "this server does not know the call GetBucketEncryption");
    assert!(said.status.code() == Some(0) && !said.stdout.contains("s3:GetEncryptionConfiguration"), "{said}");
}
