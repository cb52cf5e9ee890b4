//! Real S3 servers with Object Lock, each started at most once in a test run and gone with it.
//!
//! A server is a child of `s3/run.sh`, which watches its standard input: this process holds the other end, so its death,
//! however it comes, stops the server and removes the data. A server that is not installed is said loudly and skipped,
//! unless `SPANSEAL_TEST_REQUIRE` (a comma-separated list) names it.

use bytes::Bytes;
use http::{Method, StatusCode};
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::HttpRequestBody;
use sha2::{Digest, Sha256};
use spanseal::worm::s3::{S3Credentials, S3Options};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use super::receiver::Options;
use super::{runtime, steady_address};

const ACCESS_KEY: &str = "testaccess";
const SECRET_KEY: &str = "testsecret0123456789";
const REGION: &str = "us-east-1";
/// `run.sh` says so when the server is not installed.
const NOT_INSTALLED: i32 = 77;
/// Free ports are taken by somebody else now and then.
const STARTS_MAX: usize = 3;

/// Which product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Ceph RGW: ignores create-only in versioned buckets.
    Rgw,
    /// MinIO: the closest to AWS.
    Minio,
    /// Versity gateway: refuses unsigned lock headers.
    Versity,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct S3Server {
    pub(crate) kind: Kind,
    pub(crate) endpoint: String,
    buckets: AtomicU32,
    run: Mutex<Run>,
}

/// `run.sh` at work.
#[derive(Debug)]
struct Run {
    /// Its standard input is closed by the end of this process: that is the server's sign to go.
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Run {
    fn order(&mut self, order: &str, done: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{order}").unwrap();
        let mut said = String::new();
        self.says.read_line(&mut said).unwrap();
        assert_eq!(said.trim_end(), done, "the server does not do as it is told: {order}");
    }
}

/// Somebody whom the server knows, with rights of their own.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl User {
    pub(crate) fn new(access_key: &str) -> Self {
        User { access_key: access_key.to_owned(), secret_key: format!("secret-of-{access_key}") }
    }

    /// Who made the server, and may do everything.
    pub(crate) fn root() -> Self {
        User { access_key: ACCESS_KEY.to_owned(), secret_key: SECRET_KEY.to_owned() }
    }
}

/// What a fresh bucket is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bucket {
    /// Versioning and Object Lock.
    Locked,
    /// Versioning alone.
    Versioned,
    /// Neither.
    Plain,
}

impl S3Server {
    pub(crate) fn rgw() -> Option<&'static S3Server> {
        static SERVER: OnceLock<Option<S3Server>> = OnceLock::new();
        SERVER.get_or_init(|| start(Kind::Rgw)).as_ref()
    }

    pub(crate) fn minio() -> Option<&'static S3Server> {
        static SERVER: OnceLock<Option<S3Server>> = OnceLock::new();
        SERVER.get_or_init(|| start(Kind::Minio)).as_ref()
    }

    /// One of the test's own, which may be killed: [`minio`](Self::minio) is everybody's.
    pub(crate) fn own_minio() -> Option<S3Server> {
        start(Kind::Minio)
    }

    /// `kill -9`. Only for a server of one's own.
    pub(crate) fn kill(&self) {
        self.run.lock().unwrap().order("kill", "killed");
    }

    /// After [`kill`](Self::kill): starts it again, on what it had written and at the same address, and waits until it answers.
    pub(crate) fn start_again(&self) {
        self.run.lock().unwrap().order("start", "ready");
    }

    pub(crate) fn versity() -> Option<&'static S3Server> {
        static SERVER: OnceLock<Option<S3Server>> = OnceLock::new();
        SERVER.get_or_init(|| start(Kind::Versity)).as_ref()
    }

    /// All that are installed.
    pub(crate) fn all() -> Vec<&'static S3Server> {
        [Self::rgw(), Self::minio(), Self::versity()].into_iter().flatten().collect()
    }

    /// Options that reach this server; nothing is taken from the environment.
    pub(crate) fn options(&self) -> S3Options {
        S3Options {
            endpoint: Some(self.endpoint.clone()),
            region: Some(REGION.to_owned()),
            credentials: Some(S3Credentials {
                access_key_id: ACCESS_KEY.to_owned(),
                secret_access_key: SECRET_KEY.to_owned(),
                session_token: None,
            }),
            ..S3Options::default()
        }
    }

    /// Environment of a `spanseal` process that is to reach this server.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        self.environment_of(User::root())
    }

    /// The same for somebody else.
    pub(crate) fn environment_of(&self, user: User) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", user.access_key),
            ("AWS_SECRET_ACCESS_KEY", user.secret_key),
        ]
    }

    /// For a site on a fresh locked bucket; the credentials come from the environment, the rest from the configuration.
    pub(crate) fn site(&self) -> Options {
        let bucket = runtime().block_on(self.fresh_bucket(Bucket::Locked));
        Options {
            store: format!("s3://{bucket}/evidence"),
            store_lines: format!("  s3: {{endpoint: '{}', region: us-east-1, path_style: true}}", self.endpoint),
            env: self.environment().into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            ..Options::default()
        }
    }

    /// A bucket that nobody else uses.
    pub(crate) async fn fresh_bucket(&self, with: Bucket) -> String {
        let bucket = format!("bucket-{}", self.buckets.fetch_add(1, Ordering::SeqCst));
        let mut call = Raw::new(Method::PUT, format!("/{bucket}"));
        if with == Bucket::Locked {
            call = call.header("x-amz-bucket-object-lock-enabled", "true");
        }
        self.raw(call).await.expect_ok();
        if with == Bucket::Versioned {
            let body = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";
            self.raw(Raw::new(Method::PUT, format!("/{bucket}?versioning=")).body(body)).await.expect_ok();
        }
        bucket
    }

    /// One signed call of an outsider: what the adapter would never do.
    pub(crate) async fn raw(&self, call: Raw) -> RawAnswer {
        self.raw_as(User::root(), call).await
    }

    /// The same by somebody else.
    pub(crate) async fn raw_as(&self, user: User, call: Raw) -> RawAnswer {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("{}{}", self.endpoint, call.path);
        let digest = Sha256::digest(&call.body);
        let mut builder = http::Request::builder().method(call.method.clone()).uri(&url);
        for (name, value) in &call.signed {
            builder = builder.header(*name, value);
        }
        if !call.body.is_empty() {
            let sum = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, digest);
            builder = builder.header("x-amz-checksum-sha256", sum).header("x-amz-sdk-checksum-algorithm", "SHA256");
        }
        let mut request = builder.body(HttpRequestBody::empty()).unwrap();
        let credential = AwsCredential { key_id: user.access_key, secret_key: user.secret_key, token: None };
        AwsAuthorizer::new(&credential, call.service, REGION).try_authorize(&mut request, Some(digest.as_slice())).unwrap();
        let mut signed = reqwest::Request::new(call.method, url.parse().unwrap());
        *signed.headers_mut() = std::mem::take(request.headers_mut());
        for (name, value) in call.unsigned {
            signed.headers_mut().insert(name, value.parse().unwrap());
        }
        *signed.body_mut() = Some(call.body.into());
        // A client of its own: each test has a runtime of its own, and pooled connections die with it.
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let answer = client.execute(signed).await.unwrap();
        RawAnswer { status: answer.status(), body: answer.text().await.unwrap() }
    }
}

/// A raw call: path and query as they go on the wire (`/bucket/key?versionId=x`, a query without value with its `=`).
#[derive(Debug)]
pub(crate) struct Raw {
    method: Method,
    path: String,
    signed: Vec<(&'static str, String)>,
    unsigned: Vec<(&'static str, String)>,
    body: Bytes,
    service: &'static str,
}

impl Raw {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Raw { method, path: path.into(), signed: Vec::new(), unsigned: Vec::new(), body: Bytes::new(), service: "s3" }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.signed.push((name, value.into()));
        self
    }

    /// Added after signing, as somebody on the way would.
    pub(crate) fn unsigned_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.unsigned.push((name, value.into()));
        self
    }

    /// Not S3 itself, but a service beside it.
    pub(crate) fn service(mut self, service: &'static str) -> Self {
        self.service = service;
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

/// Its answer, whatever the status.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
}

impl RawAnswer {
    pub(crate) fn expect_ok(self) -> Self {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self
    }
}

fn start(kind: Kind) -> Option<S3Server> {
    let name = format!("{kind:?}").to_lowercase();
    let mut last = String::new();
    for _ in 0..STARTS_MAX {
        match try_start(kind, &name) {
            Ok(server) => return Some(server),
            Err(Failed::NotInstalled(why)) => {
                #[expect(clippy::disallowed_methods, reason = "tests are told by the environment what must be there")]
                let required = std::env::var("SPANSEAL_TEST_REQUIRE").unwrap_or_default();
                assert!(
                    !required.split(',').any(|r| r.trim() == name),
                    "SPANSEAL_TEST_REQUIRE names {name}, and it is not installed: {why}"
                );
                // Past the test harness's capture: a skipped proof must be seen in a green run too.
                let _ = writeln!(std::io::stderr().lock(), "\nSKIPPED: tests against a real {name} server: not installed ({why})");
                return None;
            }
            Err(Failed::Ended(why)) => last = why,
        }
    }
    panic!("{name} did not start in {STARTS_MAX} tries: {last}");
}

enum Failed {
    NotInstalled(String),
    Ended(String),
}

fn try_start(kind: Kind, name: &str) -> Result<S3Server, Failed> {
    // Short, because Ceph puts sockets there whose paths may have 107 bytes; `run.sh` removes it.
    let dir = tempfile::Builder::new().prefix("spanseal-s3-").tempdir().unwrap().keep();
    let (port, mon_port) = (steady_address().port(), free_port());
    let mut child = Command::new("bash")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/s3/run.sh"))
        .args([name, dir.to_str().unwrap(), &port.to_string(), &mon_port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut words = Vec::new();
    let mut says = BufReader::new(child.stdout.take().unwrap());
    loop {
        let mut line = String::new();
        if says.read_line(&mut line).unwrap() == 0 {
            break;
        }
        let line = line.trim_end();
        if line == "ready" {
            let run = Mutex::new(Run { child, says });
            return Ok(S3Server { kind, endpoint: format!("http://127.0.0.1:{port}"), buckets: AtomicU32::new(0), run });
        }
        words.push(line.to_owned());
    }
    let code = child.wait().unwrap().code();
    let words = words.join("; ");
    Err(if code == Some(NOT_INSTALLED) { Failed::NotInstalled(words) } else { Failed::Ended(format!("exit {code:?} {words}")) })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
