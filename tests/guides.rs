//! The guides (`src/guides/`) do what they say: every configuration and every snippet is taken out of the page itself and run, with the very
//! address of a test in place of the one that stands there, and what the page promises of the records is held.
//!
//! Other products are played: a server that takes OTLP at the product's own path with its headers, and nothing else, stricter than the product
//! may be. What their libraries send is sent by these where they are among the test tools, and replayed from `tests/corpus` elsewhere.

mod agents;
mod in_between;
mod libraries;
mod recordings;
mod report;
mod sampling;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::Value;

use crate::support::captures::{self, Capture};
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{BINARY, Finished, Site};
use crate::support::runtime;

/// What stands in the pages, in their order: which blocks there are, and so which the tests of this folder have to run.
const BLOCKS: [(&str, &[&str]); 9] = [
    ("sdk", &["sh", "python", "js", "rust,no_run", "sh"]),
    ("collector", &["yaml", "sh"]),
    ("langfuse", &["python", "yaml", "sh"]),
    ("phoenix", &["python", "yaml", "sh"]),
    ("mlflow", &["sh", "python", "yaml", "sh"]),
    ("litellm", &["yaml", "sh", "sh"]),
    ("vercel-ai", &["js", "sh", "sh"]),
    ("coding-agents", &["sh", "toml", "json", "yaml", "sh"]),
    ("sampling", &["sh", "sh", "sh", "sh", "sh"]),
];

fn page(guide: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/guides/{guide}.md"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Fenced blocks with their language.
fn blocks(guide: &str) -> Vec<(String, String)> {
    let page = page(guide);
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let text: String = lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
        found.push((language.to_owned(), text));
    }
    found
}

/// The block at this place of a page.
fn block(guide: &str, at: usize) -> String {
    blocks(guide).swap_remove(at).1
}

/// The text with what a test has in place of what stands there, which must stand there.
#[track_caller]
fn put(text: &str, there: &str, here: impl std::fmt::Display) -> String {
    assert!(text.contains(there), "`{there}` does not stand in:\n{text}");
    text.replace(there, &here.to_string())
}

/// Runs lines of a page in bash, and after them `then`.
fn shell(folder: &Path, lines: &str, then: &str, env: &[(&str, String)]) -> Finished {
    let mut bash = Command::new("bash");
    bash.arg("-euc").arg(format!("{lines}\n{then}")).current_dir(folder).stdin(Stdio::null());
    // A proxy of the machine must not come between two processes on loopback, nor what somebody has set for telemetry of their own.
    for (key, _) in std::env::vars() {
        let own = ["OTEL_", "MLFLOW_", "LANGFUSE_", "PHOENIX_", "OPENAI_", "SPANSEAL_"].iter().any(|prefix| key.starts_with(prefix));
        if own || key.to_lowercase().ends_with("_proxy") {
            bash.env_remove(key);
        }
    }
    bash.envs(env.iter().map(|(key, value)| (key, value)));
    Finished::of(bash)
}

/// How to see that it works: the last block of every page, with the program in the path, finds records.
#[track_caller]
fn seen(site: &Site, guide: &str) {
    let lines = blocks(guide).pop().unwrap().1;
    let bin = Path::new(BINARY).parent().unwrap();
    let path =
        std::env::join_paths([PathBuf::from(bin)].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap()))).unwrap();
    let env = [("PATH", path.into_string().unwrap()), ("SPANSEAL_CONFIG", site.config.display().to_string())];
    let out = shell(site.dir.path(), &lines, "", &env).success();
    assert!(out.stdout.lines().count() > 1, "{out}");
}

/// Sealed records that are not the product's own acts.
fn records(site: &Site) -> Vec<Value> {
    site.sealed_lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The one record of this kind.
#[track_caller]
fn one(records: &[Value], kind: &str) -> Value {
    let found: Vec<&Value> = records.iter().filter(|record| record["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "records of kind {kind} in {records:#?}");
    found[0].clone()
}

/// A recording by its name.
fn capture(name: &str) -> Capture {
    captures::all().into_iter().find(|capture| capture.name == name).unwrap_or_else(|| panic!("there is no recording `{name}`"))
}

/// Sends the spans and logs of a recording to OTLP/HTTP at this address; each answer has to be a success.
#[track_caller]
fn send(recording: &Capture, to: SocketAddr) {
    for request in recording.requests.iter().filter(|request| request.signal != captures::Signal::Metrics) {
        let headers = vec![("Content-Type", if request.json { "application/json" } else { "application/x-protobuf" })];
        let sent = HttpRequest { method: "POST", path: request.signal.path(), headers, body: &request.body, chunked: false };
        let (status, answer) = http(to, &sent).unwrap();
        assert_eq!(status, 200, "{}: {}", recording.name, String::from_utf8_lossy(&answer.body));
    }
}

/// What becomes of a recording, sent to a receiver of its own.
fn replayed(recording: &str) -> Vec<Value> {
    let site = Site::local();
    let receiver = site.serve();
    send(&capture(recording), receiver.http);
    receiver.kill();
    records(&site)
}

/// What `spanseal lint` says of recorded requests, as JSON.
fn linted(capture: &Capture) -> Value {
    let mut lint = Command::new(BINARY);
    lint.args(["lint", "--format", "json"]).env_remove("SPANSEAL_CONFIG").env_remove("SPANSEAL_STORE");
    lint.args(capture.requests.iter().filter(|r| r.signal != captures::Signal::Metrics).map(|r| &r.file));
    serde_json::from_str(&Finished::of(lint).stdout).unwrap()
}

/// Another product, as strict as it could be.
struct Other {
    address: SocketAddr,
    taken: Arc<Taken>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct Taken {
    paths: Vec<&'static str>,
    headers: Vec<(&'static str, &'static str)>,
    spans: Mutex<Vec<String>>,
    refused: Mutex<Vec<String>>,
}

impl Other {
    /// Takes OTLP/HTTP with protobuf bodies at these paths alone, with all of these headers.
    fn taking(paths: &[&'static str], headers: &[(&'static str, &'static str)]) -> Other {
        let taken = Arc::new(Taken { paths: paths.to_vec(), headers: headers.to_vec(), ..Taken::default() });
        let runtime = runtime();
        let address = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let app = Router::new().fallback(take).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&taken));
            tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
            address
        });
        Other { address, taken, _runtime: runtime }
    }

    /// Names of the spans that came.
    fn spans(&self) -> Vec<String> {
        self.taken.spans.lock().unwrap().clone()
    }

    /// What was sent to it and is not OTLP for it.
    fn refused(&self) -> Vec<String> {
        self.taken.refused.lock().unwrap().clone()
    }
}

async fn take(State(taken): State<Arc<Taken>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let refuse = |status: StatusCode| {
        taken.refused.lock().unwrap().push(format!("{status}: {method} {uri} {headers:?}"));
        status
    };
    if method != Method::POST || !taken.paths.contains(&uri.path()) {
        return refuse(StatusCode::NOT_FOUND);
    }
    if taken.headers.iter().any(|(name, value)| header(name) != *value) {
        return refuse(StatusCode::UNAUTHORIZED);
    }
    if header("content-type") != "application/x-protobuf" {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let mut plain = Vec::new();
    let read = match header("content-encoding") {
        "gzip" => std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&body[..]), &mut plain).is_ok(),
        _ => std::io::Write::write_all(&mut plain, &body).is_ok(),
    };
    if !uri.path().ends_with("/v1/traces") {
        return if read { StatusCode::OK } else { refuse(StatusCode::BAD_REQUEST) };
    }
    let Some(request) = Some(plain).filter(|_| read).and_then(|plain| ExportTraceServiceRequest::decode(&plain[..]).ok()) else {
        return refuse(StatusCode::BAD_REQUEST);
    };
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    taken.spans.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans).map(|span| span.name));
    StatusCode::OK
}

/// No block is added to a page that no test runs.
#[test]
fn every_block_is_known() {
    for (guide, languages) in BLOCKS {
        let found: Vec<String> = blocks(guide).into_iter().map(|(language, _)| language).collect();
        assert_eq!(found, languages, "{guide}: run the new block in a test of tests/guides, then name it here");
    }
    let names: Vec<&str> = spanseal::guides::GUIDES.iter().map(|guide| guide.name).collect();
    assert_eq!(names, BLOCKS.map(|(guide, _)| guide));
}

/// Scenario: somebody has the program and nothing else. Guarantee: it lists the guides, prints each as it stands in the repository, and says of a
/// name that is none which there are.
#[test]
fn the_program_prints_its_guides() {
    let guide = |arguments: &[&str]| {
        let mut print = Command::new(BINARY);
        print.arg("guide").args(arguments).env_remove("SPANSEAL_CONFIG");
        Finished::of(print)
    };
    let list = guide(&[]).success().stdout;
    for (name, _) in BLOCKS {
        assert!(list.contains(&format!("  {name} ")), "{list}");
        assert!(guide(&[name]).success().stdout == page(name), "{name} is printed otherwise than it is written");
    }
    let wrong = guide(&["datadog"]);
    assert_eq!(wrong.status.code(), Some(64), "{wrong}");
    assert!(wrong.stderr.contains("langfuse"), "{wrong}");
}

/// Whoever prints a page has it before them and not the library's documentation: it begins with a heading, and no link in it leads nowhere.
#[test]
fn pages_stand_alone() {
    for (name, _) in BLOCKS {
        let page = page(name);
        assert!(page.starts_with("# ") && page.ends_with('\n'), "{name}");
        assert!(!page.contains("crate::") && !page.contains("](") && !page.contains("[`"), "{name} has a link");
    }
}

/// A page leads nobody to a guide that is not there.
#[test]
fn guides_name_each_other_rightly() {
    for (name, _) in BLOCKS {
        for named in page(name).split("spanseal guide ").skip(1) {
            let named = named.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap();
            assert!(BLOCKS.iter().any(|(guide, _)| *guide == named), "{name} names `spanseal guide {named}`");
        }
    }
}
