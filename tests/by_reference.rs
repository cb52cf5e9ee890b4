//! Content that an application keeps elsewhere and only names: fetched from where the configuration says, and from nowhere else, whatever a
//! sender writes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use spanseal::elsewhere::{Elsewhere, From, Place, Unfetched};
use spanseal::otlp::answer::Signal as Otlp;

use crate::support::captures::Signal;
use crate::support::otlp::{GrpcClient, HttpRequest, http};
use crate::support::receiver::{Options, Receiver, Site};
use crate::support::s3::{Bucket, Raw, S3Server};
use crate::support::{eventually, runtime};

const ASKED: &str = r#"[{"role":"user","parts":[{"type":"text","content":"May I have a loan?"}]}]"#;
const ANSWERED: &str = r#"[{"role":"assistant","parts":[{"type":"text","content":"Not this year."}],"finish_reason":"stop"}]"#;
/// What must never be fetched.
const STOLEN: &str = "credentials of the machine";

/// A web server on loopback that remembers what it was asked.
struct Web {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    fn start(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // By its name: an address in numbers is scrubbed out of references.
        let base = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let (asked, answer) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(answer));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, seen, answer) = (stream.unwrap(), Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let (mut head, mut byte) = (Vec::new(), [0]);
                    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                        head.push(byte[0]);
                    }
                    let path = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or_default().to_owned();
                    seen.lock().unwrap().push(path.clone());
                    match answer(&path) {
                        Some(answer) => drop(stream.write_all(answer.as_bytes())),
                        // Until the other side has had enough.
                        None => drop(stream.read(&mut byte)),
                    }
                });
            }
        });
        Web { base, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// A place in the web, a folder, and a server beside them that nothing may be fetched from.
struct Places {
    web: Web,
    forbidden: Web,
    folder: tempfile::TempDir,
}

impl Places {
    fn new() -> Places {
        let forbidden = Web::start(|_| Some(ok(STOLEN)));
        let redirect =
            format!("HTTP/1.1 302 Found\r\nlocation: {}/genai/x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", forbidden.base);
        let web = Web::start(move |path| match path {
            "/genai/asked.json" => Some(ok(ASKED)),
            "/genai/large" => Some(ok(&"x".repeat(70_000))),
            "/genai/redirect" => Some(redirect.clone()),
            "/genai/hangs" => None,
            "/admin" => Some(ok(STOLEN)),
            _ => Some("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()),
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("genai/day")).unwrap();
        std::fs::write(folder.path().join("genai/day/answered.json"), ANSWERED).unwrap();
        std::fs::write(folder.path().join("secret"), STOLEN).unwrap();
        symlink("../secret", folder.path().join("genai/link")).unwrap();
        Places { web, forbidden, folder }
    }

    fn references(&self) -> String {
        format!(
            "references: {{from: [{{prefix: \"{}/genai/\"}}, {{prefix: \"file://{}/genai/\"}}], max_bytes: 64KiB, timeout: 500ms, parallel: 4}}",
            self.web.base,
            self.folder.path().display()
        )
    }
}

/// One model call with these attributes.
fn call(n: u8, attributes: &[(&str, &str)]) -> Value {
    let named = [("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "m")];
    let attributes: Vec<Value> =
        named.iter().chain(attributes).map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect();
    json!({
        "traceId": format!("{n:032x}"), "spanId": format!("{n:016x}"), "name": "chat", "attributes": attributes,
        "startTimeUnixNano": "1790000000000000000", "endTimeUnixNano": "1790000001000000000",
    })
}

fn request(calls: &[Value]) -> String {
    json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": calls}]}]}).to_string()
}

fn send(receiver: &Receiver, calls: &[Value]) {
    let body = request(calls);
    let headers = vec![("Content-Type", "application/json")];
    let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
    let (status, answer) = http(receiver.http, &request).unwrap();
    assert_eq!((status, answer.promoted()), (200, calls.len() as u64), "{}", String::from_utf8_lossy(&answer.body));
}

/// The record of call `n`.
fn record(site: &Site, n: u8) -> Value {
    let trace = format!("{n:032x}");
    let lines = site.sealed_lines();
    let of = |line: &String| serde_json::from_str::<Value>(line).ok().filter(|record| record["trace"]["trace_id"] == trace);
    lines.iter().find_map(of).unwrap_or_else(|| panic!("no record of call {n}"))
}

fn metrics(receiver: &Receiver) -> String {
    // Said after the ports that `serve` is waited for.
    let api = eventually("serve says where its API listens", || {
        let said = receiver.stderr();
        let line = said.lines().find(|line| line.contains("API (health"))?;
        line.split_whitespace().find_map(|word| word.parse::<std::net::SocketAddr>().ok())
    });
    let request = HttpRequest { method: "GET", path: "/metrics", headers: Vec::new(), body: b"", chunked: false };
    String::from_utf8(http(api, &request).unwrap().1.body).unwrap()
}

/// Scenario: calls whose content lies in a web server and a folder that are configured, and calls that name everything else: an object that
/// is too large, one that hangs, one that is not there, a redirect, the metadata service of clouds, a path that climbs out, a link that leads
/// out, a hash that is not the content's. Guarantee: what may be fetched is content, in the vault and by commitment; everything else is
/// marked, nobody else is asked, the request is answered in time, and a reader is told in plain words.
#[test]
fn what_is_named_is_fetched_from_where_the_configuration_says_and_from_nowhere_else() {
    let places = Places::new();
    let (base, files) = (&places.web.base, format!("file://{}", places.folder.path().display()));
    let site = Site::with(Options { more: format!("content: {{{}}}", places.references()), ..Options::default() });
    let receiver = site.serve();
    let hash = format!("sha256:{}", hex::encode(Sha256::digest(ASKED)));
    let other = format!("sha256:{}", hex::encode(Sha256::digest("something else")));
    let (asked, answered) = (format!("{base}/genai/asked.json"), format!("{files}/genai/day/answered.json"));
    let unfetched = [
        (10, format!("{base}/genai/large")),
        (11, format!("{base}/genai/hangs")),
        (12, format!("{base}/genai/none")),
        (13, format!("{base}/genai/redirect")),
        (14, "http://169.254.169.254/latest/meta-data/iam/security-credentials/".to_owned()),
        (15, format!("{base}/genai/../admin")),
        (16, format!("{base}/genai/%2e%2e/admin")),
        (17, format!("{files}/genai/link")),
        (18, format!("{files}/genai/../secret")),
        (19, format!("{}/genai/x", places.forbidden.base)),
        (20, "file:///etc/passwd".to_owned()),
        (21, format!("{}@{}/genai/x", base, places.forbidden.base.trim_start_matches("http://"))),
    ];
    let mut calls = vec![
        call(1, &[("gen_ai.input.messages_ref", &asked), ("gen_ai.output.messages_ref", &answered), ("ai_audit.input.hash", &hash)]),
        call(2, &[("gen_ai.input.messages_ref", &asked), ("ai_audit.input.hash", &other)]),
    ];
    calls.extend(unfetched.iter().map(|(n, reference)| call(*n, &[("gen_ai.input.messages_ref", reference)])));
    let began = Instant::now();
    send(&receiver, &calls);
    assert!(began.elapsed() < Duration::from_secs(8), "what hangs holds nobody up");

    let fetched = record(&site, 1);
    for (side, text, reference) in [("input", ASKED, &asked), ("output", ANSWERED, &answered)] {
        let content = &fetched[side];
        assert_eq!((&content["captured"], &content["scheme"]), (&json!("vault"), &json!("utf8")), "{fetched}");
        assert_eq!((&content["reference"], &content["bytes"]), (&json!(reference), &json!(text.len().to_string())), "{fetched}");
        assert_eq!(fetched["evidence"]["derived"][side], format!("fallback:gen_ai.{side}.messages_ref"));
    }
    assert_eq!(fetched["output"]["finish_reasons"], json!(["stop"]), "what was fetched is read like what is sent");
    assert!(fetched["evidence"]["conflicts"].is_null(), "{fetched}");
    assert_eq!(record(&site, 2)["evidence"]["conflicts"], json!(["input.claimed_hash"]));
    for (n, reference) in &unfetched {
        let content = record(&site, *n)["input"].clone();
        let members: Vec<&str> = content.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((members, &content["captured"]), (vec!["captured", "reference"], &json!("by_reference")), "{reference}");
    }
    assert!(places.forbidden.asked().is_empty(), "{:?}", places.forbidden.asked());
    let mut asked_for = places.web.asked();
    asked_for.sort();
    assert_eq!(asked_for, ["/genai/asked.json", "/genai/hangs", "/genai/large", "/genai/none", "/genai/redirect"]);
    let figures = metrics(&receiver);
    for (outcome, count) in [("fetched", 2), ("too_large", 1), ("timed_out", 1), ("absent", 1), ("redirected", 1), ("outside", 8)] {
        let line = format!("spanseal_receiver_references_total{{outcome=\"{outcome}\"}} {count}\n");
        assert!(figures.contains(&line), "{line}{figures}");
    }
    let said = receiver.stderr();
    assert!(![figures, said].iter().any(|text| text.contains("asked.json") || text.contains("169.254")), "an address is nobody's figure");
    assert!(receiver.stop().success());
    readers_are_told(&site, &fetched, record(&site, 14)["id"].as_str().unwrap(), record(&site, 2)["id"].as_str().unwrap());
    site.verified();
}

/// The readers' side of the same site: a call that was fetched, one that was not, one whose hash is another's.
fn readers_are_told(site: &Site, fetched: &Value, unfetched: &str, contradicted: &str) {
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let id = fetched["id"].as_str().unwrap();
    let story = one_line(&site.run(&["show", id, "--content"]).success().stdout);
    assert!(story.contains("May I have a loan?") && story.contains("as it was fetched from"), "{story}");
    assert!(story.contains("Not sent but only named by the application, and fetched from where it said"), "{story}");
    let story = one_line(&site.run(&["show", unfetched, "--content"]).success().stdout);
    assert!(story.contains("Kept elsewhere by the application, and not fetched from there when it was received: the input."), "{story}");
    let words = story.split_once("Kept by the application at http://[scrubbed]/latest/").map(|(_, words)| words).unwrap_or_default();
    assert!(words.contains("(content.references): - record 1: what went in"), "{story}");
    let story = one_line(&site.run(&["show", contradicted]).success().stdout);
    assert!(story.contains("The hash that the application reported of the input is not that of what was fetched"), "{story}");
    assert!(!story.contains("was set aside"), "{story}");
    let found = site.run(&["query", "--record-id", unfetched, "--content", "--format", "json"]).success().stdout;
    let found: Value = serde_json::from_str(&found).unwrap();
    let said = found[0]["content"].as_array().unwrap().iter().find(|said| said["member"] == "input").unwrap();
    assert_eq!(said["state"], "elsewhere", "{found}");

    let vkey = site.run(&["keygen", "--public"]).success().stdout;
    for (id, word, opens) in [(id, "was fetched when it was received", true), (unfetched, "does not say what it was", false)] {
        let proof = site.run(&["prove", id, "--content"]).success();
        assert_eq!(proof.stderr.contains("`input` is not opened: kept by the application at"), !opens, "{proof}");
        let file = site.path("proof.json");
        std::fs::write(&file, &proof.stdout).unwrap();
        let checked = site.run(&["check", &file.display().to_string(), "--vkey", vkey.trim()]).success();
        assert!(checked.stdout.contains(word), "{checked}");
        assert_eq!(checked.stdout.contains("opened     `input`"), opens, "{checked}");
    }
}

/// Scenario: the same without a vault, in protobuf over gRPC. Guarantee: what was fetched is held by keyed hash, and with its reference.
#[test]
fn without_a_vault_what_was_fetched_is_held_by_hash() {
    let places = Places::new();
    let more = format!("content: {{mode: hash, {}}}", places.references());
    let site = Site::with(Options { more, identity: "mode: keyed, ".to_owned(), ..Options::default() });
    let receiver = site.serve();
    let asked = format!("{}/genai/asked.json", places.web.base);
    let by_reference = request(&[call(1, &[("gen_ai.input.messages_ref", &asked)]), call(2, &[("gen_ai.input.messages", ASKED)])]);
    let protobuf = spanseal::otlp::json::request(Otlp::Traces, by_reference.as_bytes()).unwrap().protobuf;
    runtime().block_on(async {
        let client = GrpcClient::connect(receiver.grpc).await.unwrap();
        assert_eq!(client.export(Signal::Traces, protobuf, true).await.unwrap().promoted(), 2);
    });
    let (fetched, sent) = (record(&site, 1), record(&site, 2));
    assert_eq!((&fetched["input"]["captured"], &fetched["input"]["reference"]), (&json!("hash"), &json!(asked)));
    assert_eq!((&fetched["input"]["hash"], &fetched["input"]["bytes"]), (&sent["input"]["hash"], &sent["input"]["bytes"]));
    assert!(fetched["input"]["hash"].as_str().unwrap().starts_with("hmac-sha256:"));
}

/// Guarantee: where no place is configured nobody is asked, and the record says where the content lies.
#[test]
fn without_a_place_nothing_is_fetched() {
    let places = Places::new();
    let site = Site::local();
    let receiver = site.serve();
    let asked = format!("{}/genai/asked.json", places.web.base);
    send(&receiver, &[call(1, &[("gen_ai.input.messages_ref", &asked)])]);
    assert_eq!(record(&site, 1)["input"], json!({"captured": "by_reference", "reference": asked}));
    assert!(places.web.asked().is_empty());
    assert!(!metrics(&receiver).contains("spanseal_receiver_references_total{"));
}

/// Guarantee, on every server that is installed: an object below the configured folder of a bucket is fetched, as it stands there now; nothing
/// else of the bucket is.
#[test]
fn content_in_a_bucket_is_fetched() {
    for server in S3Server::all() {
        runtime().block_on(async {
            let bucket = server.fresh_bucket(Bucket::Plain).await;
            for (key, body) in [("genai/day/a.json", ASKED), ("genaix", STOLEN), ("other/a", STOLEN)] {
                server.raw(Raw::new(http::Method::PUT, format!("/{bucket}/{key}")).body(body)).await.expect_ok();
            }
            let place = Place::parse(&format!("s3://{bucket}/genai/")).unwrap();
            let limits = spanseal::elsewhere::Options {
                from: vec![From { place, ca_file: None }],
                bytes_max: ASKED.len(),
                timeout: Duration::from_secs(5),
                parallel: 2,
            };
            let elsewhere = Elsewhere::open(&limits, &server.options()).await.unwrap();
            let get = async |elsewhere: &Elsewhere, key: &str| {
                let fetched = elsewhere.fetch(&format!("s3://{bucket}/{key}"), elsewhere.deadline(), Some).await;
                fetched.map(|(bytes, _)| String::from_utf8(bytes.to_vec()).unwrap())
            };
            let kind = server.kind;
            assert_eq!(get(&elsewhere, "genai/day/a.json").await.unwrap(), ASKED, "{kind:?}");
            for (key, why) in [
                ("genai/none", Unfetched::Absent),
                ("genaix", Unfetched::Outside),
                ("other/a", Unfetched::Outside),
                ("genai/../other/a", Unfetched::Outside),
                ("genai/day/", Unfetched::Outside),
            ] {
                assert_eq!(get(&elsewhere, key).await.unwrap_err(), why, "{kind:?} {key}");
            }
            let shorter = spanseal::elsewhere::Options { bytes_max: ASKED.len() - 1, ..limits };
            let elsewhere = Elsewhere::open(&shorter, &server.options()).await.unwrap();
            assert_eq!(get(&elsewhere, "genai/day/a.json").await.unwrap_err(), Unfetched::TooLarge, "{kind:?}");
        });
    }
}
