//! The binary as an operator meets it: exit codes, streams, refusals, a clean stop.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::s3::{Bucket, S3Server};

fn spanseal(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanseal"));
    // Only what a test sets: a developer's own environment must not decide.
    command.current_dir(folder).env_clear();
    command
}

/// Longest time for a command that ends by itself; a `serve` that should have refused would serve for ever.
const ENDS_WITHIN: &str = "120";

fn run(folder: &Path, args: &[&str]) -> Output {
    run_with(folder, args, Vec::new())
}

fn run_with(folder: &Path, args: &[&str], environment: Vec<(&'static str, String)>) -> Output {
    let mut command = Command::new("timeout");
    command.current_dir(folder).env_clear().args([ENDS_WITHIN, env!("CARGO_BIN_EXE_spanseal")]);
    command.args(args).envs(environment).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Scenario: help, version, a mistyped command, a broken configuration. Guarantee: answers on stdout with 0, usage errors on stderr with
/// 64, everything else that fails with 2 and one sentence; stdout stays empty where there is no answer.
#[test]
fn exit_codes_and_streams_are_those_of_the_manual() {
    let folder = tempfile::tempdir().unwrap();
    for args in [&["--help"][..], &["--version"], &["serve", "--help"], &["verify", "-h"]] {
        let output = run(folder.path(), args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{args:?}");
    }
    for args in [
        &[][..],
        &["nonsense"],
        &["verify", "--nope"],
        &["query", "--from", "yesterday"],
        &["query", "--proof"],
        &["serve", "--store", "gs://x"],
    ] {
        let output = run(folder.path(), args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{args:?}");
    }
    std::fs::write(folder.path().join("bad.yaml"), "seal:\n  max_dely: 1s\n").unwrap();
    let output = run(folder.path(), &["serve", "--config", "bad.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: bad.yaml:2:3: unknown key `max_dely` in `seal`; the nearest known key is `max_delay`\n  |\n2 |   max_dely: 1s\n  |   ^\n"
    );
    let output = run(folder.path(), &["doctor", "--config", "bad.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).starts_with("problem   configuration  bad.yaml:2:3: unknown key `max_dely`"));
    let output = spanseal(folder.path()).args(["check", "p"]).env("SPANSEAL_VKEY", "x").output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).starts_with("error: SPANSEAL_VKEY: "), "{}", text(&output.stderr));
    let output = run(folder.path(), &["check", "p"]);
    assert_eq!(output.status.code(), Some(64), "a proof without a key proves nothing");
}

/// Scenario: the printed configuration is used as the configuration. Guarantee: it loads again and means the same.
#[test]
fn the_printed_configuration_is_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let printed = run(folder.path(), &["serve", "--print-config", "--store", "./elsewhere"]);
    assert_eq!(printed.status.code(), Some(0));
    std::fs::write(folder.path().join("again.yaml"), &printed.stdout).unwrap();
    let again = run(folder.path(), &["serve", "--print-config", "--config", "again.yaml"]);
    assert_eq!(text(&printed.stdout), text(&again.stdout));
    assert!(text(&again.stdout).contains("elsewhere"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "printing makes nothing");
}

/// Scenario: whoever reads our output goes away. Guarantee: no word and no panic.
#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let mut child =
        spanseal(folder.path()).args(["serve", "--print-config"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    assert!(matches!(output.status.code(), Some(0 | 141)), "{:?}", output.status);
}

/// Scenario: keys are made on purpose. Guarantee: stdout is the public key alone; nothing is overwritten.
#[test]
fn keygen_makes_both_keys_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = run(folder.path(), &["keygen"]);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let public = text(&first.stdout);
    assert!(public.starts_with("spanseal.local/spanseal+") && public.lines().count() == 1, "{public}");
    let secret = std::fs::read(folder.path().join("spanseal.key")).unwrap();
    for args in [&["keygen"][..], &["keygen", "--public"]] {
        assert_eq!(text(&run(folder.path(), args).stdout), public, "{args:?}");
    }
    let again = run(folder.path(), &["keygen", "--only", "log"]);
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(text(&again.stderr), "error: key file `./spanseal.key` exists already; a key is never overwritten\n");
    assert_eq!(std::fs::read(folder.path().join("spanseal.key")).unwrap(), secret);
}

struct Served {
    child: Child,
    api: String,
    http: String,
    log: std::sync::mpsc::Receiver<String>,
}

impl Drop for Served {
    fn drop(&mut self) {
        // A test that failed must leave no server behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `serve` with free ports and waits until it says where it listens.
fn serve(folder: &Path, more: &str) -> Served {
    serve_with(folder, more, Vec::new())
}

fn serve_with(folder: &Path, more: &str, environment: Vec<(&'static str, String)>) -> Served {
    let ports = "api: {endpoint: '127.0.0.1:0', auth: {token_file: tokens}}\nreceivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: '127.0.0.1:0'}}}}\n";
    std::fs::write(folder.join("serve.yaml"), format!("{ports}{more}")).unwrap();
    std::fs::write(folder.join("tokens"), "ops:abc\n").unwrap();
    let (sender, log) = std::sync::mpsc::channel();
    let mut command = spanseal(folder);
    command.args(["serve", "--config", "serve.yaml"]).envs(environment).stderr(Stdio::piped());
    let mut served = Served { child: command.spawn().unwrap(), api: String::new(), http: String::new(), log };
    let stderr = std::io::BufReader::new(served.child.stderr.take().unwrap());
    std::thread::spawn(move || {
        for line in std::io::BufRead::lines(stderr).map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut said = Vec::new();
    while served.api.is_empty() {
        let line = served.log.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("{said:#?}"));
        if let Some(rest) = line.strip_prefix("listening ") {
            let at = rest.split_whitespace().next().unwrap().to_owned();
            if rest.contains("OTLP/HTTP") {
                served.http = at;
            } else if rest.contains("API") {
                served.api = at;
            }
        }
        said.push(line);
    }
    served
}

fn send(at: &str, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// One AI span, as OTLP/JSON over HTTP.
fn post_span(at: &str, span_id: &str) -> TcpStream {
    let body = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"{span_id}","name":"chat","startTimeUnixNano":"1795227309000000000","endTimeUnixNano":"1795227310000000000","attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}}]}}]}}]}}]}}"#
    );
    let head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
    send(at, &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()))
}

fn get(at: &str, path: &str) -> String {
    answer(send(at, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer abc\r\n\r\n")))
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap().success());
}

/// Scenario: start in an empty folder, look at the API, stop with SIGTERM, start again. Guarantee: it says it is ready, stops with 0, and
/// a second start continues the log with the same key.
#[test]
fn serve_starts_from_nothing_stops_cleanly_and_continues() {
    let folder = tempfile::tempdir().unwrap();
    let mut sizes = Vec::new();
    for _ in 0..2 {
        let mut served = serve(folder.path(), "");
        let began = Instant::now();
        while !get(&served.api, "/readyz").contains("200 OK") {
            assert!(began.elapsed() < Duration::from_secs(30));
            std::thread::yield_now();
        }
        assert!(get(&served.api, "/metrics").contains("\nspanseal_ready 1\n"));
        let open = answer(send(&served.api, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        assert!(open.contains("200 OK"), "probes have no token: {open}");
        let closed = answer(send(&served.api, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        assert!(closed.contains("401"), "{closed}");
        let checkpoint = get(&served.api, "/tlog/spanseal/checkpoint");
        let size: u64 = checkpoint.split("\r\n\r\n").nth(1).unwrap().lines().nth(1).unwrap().parse().unwrap();
        sizes.push(size);
        signal(&served.child, "TERM");
        assert_eq!(served.child.wait().unwrap().code(), Some(0), "{:#?}", served.log.iter().collect::<Vec<_>>());
    }
    assert!(sizes[1] > sizes[0], "{sizes:?}");
    let doctor = run(folder.path(), &["doctor", "--config", "serve.yaml", "--json"]);
    assert_eq!(doctor.status.code(), Some(0), "{}", text(&doctor.stdout));
}

/// Scenario: a span is sent, SIGTERM comes while its request waits for the seal. Guarantee: the request gets its receipt before the process
/// ends with 0, and the record is found.
#[test]
fn an_open_request_gets_its_receipt_before_a_clean_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = serve(folder.path(), "seal: {max_delay: 2s}\n");
    let open = post_span(&served.http, "00f067aa0ba902b7");
    let began = Instant::now();
    while !get(&served.api, "/metrics").contains("\nspanseal_receiver_in_flight_requests 1\n") {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    signal(&served.child, "TERM");
    let receipt = answer(open);
    assert!(receipt.starts_with("HTTP/1.1 200") && receipt.contains("spanseal-seal: 1\r\n"), "{receipt}");
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    let found = run(folder.path(), &["query", "--config", "serve.yaml", "--format", "jsonl"]);
    let lines = text(&found.stdout);
    let line = lines.lines().find(|l| l.contains("\"span_id\":\"00f067aa0ba902b7\"")).expect(&lines);
    an_auditor_is_convinced(folder.path(), line);
}

/// Verifies the store with the public key, proves the record, checks the proof in another folder, and sees a changed one refused.
fn an_auditor_is_convinced(folder: &Path, line: &str) {
    let vkey = text(&run(folder, &["keygen", "--public"]).stdout);
    let vkey = vkey.trim();
    let verified = run(folder, &["verify", "--store", "./spanseal-data", "--vkey", vkey, "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stdout));
    let report: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((&report["verdict"], &report["key"], &report["locks"]), (&"verified".into(), &"pinned".into(), &"none".into()));
    let configured = run(folder, &["verify", "--config", "serve.yaml", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&configured.stdout).unwrap();
    assert_eq!((&report["verdict"], &report["key"]), (&"verified".into(), &"configured".into()));

    let record: serde_json::Value = serde_json::from_str(line).unwrap();
    let proof = run(folder, &["prove", record["id"].as_str().unwrap()]);
    assert_eq!(proof.status.code(), Some(0), "{}", text(&proof.stderr));
    // A key of another log checks nothing, and no answer passes for checked with it.
    let id = record["id"].as_str().unwrap();
    let other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    for command in [&["query", "--record-id", id][..], &["show", id], &["prove", id]] {
        let refused = run(folder, &[command, &["--vkey", other]].concat());
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{command:?}: {said}");
        assert!(said.contains("`PeterNeumann`") && said.contains("`spanseal.local/spanseal`"), "{command:?}: {said}");
    }
    let shown = text(&run(folder, &["show", id, "--config", "serve.yaml", "--vkey", vkey]).stdout);
    assert!(shown.contains(&format!("spanseal prove {id} --config serve.yaml > proof.json")), "{shown}");
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("proof.json"), &proof.stdout).unwrap();
    let checked = run(elsewhere.path(), &["check", "proof.json", "--vkey", vkey, "--json"]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    let checked: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(checked["record_id"], record["id"]);
    std::fs::write(elsewhere.path().join("proof.json"), text(&proof.stdout).replace("chat", "chax")).unwrap();
    assert_eq!(run(elsewhere.path(), &["check", "proof.json", "--vkey", vkey]).status.code(), Some(1));
    std::fs::write(elsewhere.path().join("proof.json"), "{}").unwrap();
    assert_ne!(run(elsewhere.path(), &["check", "proof.json", "--vkey", vkey]).status.code(), Some(0));
    assert_eq!(run(elsewhere.path(), &["check", "nothing.json", "--vkey", vkey]).status.code(), Some(2));
}

/// Scenario: the same, with a second signal. Guarantee: it leaves at once, not with 0, and the next start finds a sound log.
#[test]
fn a_second_signal_leaves_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = serve(folder.path(), "seal: {max_delay: 1m}\n");
    let _open = post_span(&served.http, "00f067aa0ba902b7");
    while !get(&served.api, "/metrics").contains("\nspanseal_receiver_in_flight_requests 1\n") {}
    let began = Instant::now();
    signal(&served.child, "TERM");
    while !served.log.recv_timeout(Duration::from_secs(30)).unwrap().starts_with("stopping: ") {}
    signal(&served.child, "INT");
    assert_eq!(served.child.wait().unwrap().code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(15), "it did not wait for the request");
    let mut again = serve(folder.path(), "");
    signal(&again.child, "TERM");
    assert_eq!(again.child.wait().unwrap().code(), Some(0));
}

/// Scenario: two processes, one log in one folder. Guarantee: the second is refused with a sentence.
#[test]
fn a_second_writer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = serve(folder.path(), "");
    let second = run(folder.path(), &["serve", "--config", "serve.yaml"]);
    assert_eq!(second.status.code(), Some(2));
    let said = text(&second.stderr);
    assert!(said.lines().last().unwrap().starts_with("error: ") && said.contains("another process"), "{said}");
}

/// Scenario: `serve` on a bucket without Object Lock. Guarantee: refused with what to do; nothing is written, no key is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_without_object_lock_is_refused() {
    let Some(server) = S3Server::minio() else { return };
    for with in [Bucket::Plain, Bucket::Versioned] {
        let folder = tempfile::tempdir().unwrap();
        let bucket = server.fresh_bucket(with).await;
        let url = format!("s3://{bucket}/audit");
        let mut command = spanseal(folder.path());
        std::fs::write(
            folder.path().join("c.yaml"),
            "api: {endpoint: '127.0.0.1:0'}\nreceivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}}}}\n",
        )
        .unwrap();
        let output = command.args(["serve", "--config", "c.yaml", "--store", &url]).envs(server.environment()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let stderr = text(&output.stderr);
        let last = stderr.lines().last().unwrap();
        assert_eq!(
            last,
            format!(
                "error: {url} has no versioning with Object Lock, so nothing in it would be write-once; make a bucket with Object Lock (it is \
                 set when a bucket is created), or set `store.not_worm: true`, which every seal and report will say; `spanseal doctor` shows \
                 the rest"
            )
        );
        assert!(!folder.path().join("spanseal.key").exists());
    }
}

/// Scenario: a span is sealed into a real bucket with Object Lock. Guarantee: `verify` reads the locks back, `doctor` finds the log and its
/// key, and another key file is refused with a sentence.
#[tokio::test(flavor = "multi_thread")]
async fn a_span_is_sealed_into_a_real_bucket() {
    let Some(server) = S3Server::minio() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bucket = server.fresh_bucket(Bucket::Locked).await;
    let mut served = serve_with(folder.path(), &format!("store: {{url: 's3://{bucket}/audit'}}\n"), server.environment());
    let receipt = answer(post_span(&served.http, "00f067aa0ba902b7"));
    assert!(receipt.contains("spanseal-seal: 1\r\n"), "{receipt}");
    signal(&served.child, "TERM");
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    let ask = |args: &[&str]| {
        let output = run_with(folder.path(), &[args, &["--config", "serve.yaml"]].concat(), server.environment());
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, report, _) = ask(&["verify", "--json"]);
    assert_eq!(code, Some(0), "{report}");
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["verdict"], &report["locks"]), (&"verified".into(), &"checked".into()));
    let (code, said, _) = ask(&["doctor", "--no-canary"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("and its key fits"), "{said}");

    // The key is lost and another one is made on purpose: both refuse.
    std::fs::remove_file(folder.path().join("spanseal.key")).unwrap();
    let (code, _, said) = ask(&["serve"]);
    assert!(code == Some(2) && said.contains("bring the file back from where it is backed up"), "{said}");
    assert_eq!(ask(&["keygen", "--only", "log"]).0, Some(0));
    let (code, said, _) = ask(&["doctor", "--no-canary"]);
    assert!(code == Some(1) && said.contains("names another key"), "{said}");
    let (code, _, said) = ask(&["serve"]);
    assert!(code == Some(2) && said.contains("was made with another key"), "{said}");
    let (code, report, _) = ask(&["verify", "--json"]);
    assert_eq!(code, Some(1), "a log that another key signed is not this configuration's: {report}");
}

/// Scenario: `doctor` on every server that is installed. Guarantee: the canary shows that locks hold, and says whether create-only does.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_tries_the_locks_of_real_stores() {
    for server in S3Server::all() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("s3://{}/audit", server.fresh_bucket(Bucket::Locked).await);
        std::fs::write(
            folder.path().join("c.yaml"),
            "api: {endpoint: '127.0.0.1:0'}\nreceivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}}}}\n",
        )
        .unwrap();
        let doctor = |more: &[&str]| {
            let mut command = spanseal(folder.path());
            let output =
                command.args(["doctor", "--config", "c.yaml", "--store", &url]).args(more).envs(server.environment()).output().unwrap();
            (output.status.code(), text(&output.stdout))
        };
        let (code, said) = doctor(&[]);
        assert_eq!(code, Some(0), "{:?}: {said}", server.kind);
        for words in [
            "versioning and Object Lock are enabled",
            "its lock was read back",
            "deleting the locked version was refused",
            "shortening the lock was refused",
        ] {
            assert!(said.contains(words), "{:?}: no `{words}` in {said}", server.kind);
        }
        assert!(said.contains("create-only put"), "{said}");
        let (_, said) = doctor(&["--no-canary"]);
        assert!(said.contains("skipped (--no-canary)"), "{said}");
        let plain = format!("s3://{}", server.fresh_bucket(Bucket::Plain).await);
        let mut command = spanseal(folder.path());
        let output =
            command.args(["doctor", "--config", "c.yaml", "--no-canary", "--store", &plain]).envs(server.environment()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{:?}: {}", server.kind, text(&output.stdout));
        assert!(text(&output.stdout).contains("problem   object lock"), "{}", text(&output.stdout));
    }
}
