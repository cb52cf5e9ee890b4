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
    assert_eq!(output.status.code(), Some(2), "a proof without a key proves nothing");
    assert!(text(&output.stderr).contains("bring it with `--vkey`"), "{}", text(&output.stderr));
    let key = |origin: &str| spanseal::tlog::note::NoteSigner::new(origin, &[7; 32]).unwrap().verifier().to_string();
    let output = run(folder.path(), &["verify", "--vkey", &key("one.example/log"), "--vkey", &key("two.example/log")]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("keys of two logs, `one.example/log` and `two.example/log`"), "{}", text(&output.stderr));
    for range in [["3", "1"], ["2026-11-20", "2026-11-19"], ["2026-11-20T10:00:01Z", "2026-11-20T10:00:00Z"]] {
        let output = run(folder.path(), &["verify", "--from", range[0], "--to", range[1]]);
        assert_eq!(output.status.code(), Some(64), "{range:?}");
        assert!(text(&output.stderr).contains("`--from` lies after `--to`"), "{}", text(&output.stderr));
    }
}

/// Scenario: an auditor gives the wrong thing as the key: a file that is not there, the secret key file, the secret key. Guarantee: told
/// which it is, and the secret is not printed.
#[test]
fn a_wrong_key_is_told_for_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &["keygen"]).status.code(), Some(0));
    let secret = std::fs::read_to_string(folder.path().join("spanseal.key")).unwrap();
    let secret = secret.lines().find(|l| l.starts_with("PRIVATE+KEY+")).unwrap();
    for (given, said) in [
        ("./nofile.vkey", "no file `./nofile.vkey` exists"),
        ("nofile.vkey", "no file `nofile.vkey` exists"),
        ("spanseal.key", "`spanseal.key` is the secret key file"),
        (secret, "that is the log's secret key"),
    ] {
        let by_flag = run(folder.path(), &["check", "p", "--vkey", given]);
        let by_environment = run_with(folder.path(), &["check", "p"], vec![("SPANSEAL_VKEY", given.to_owned())]);
        for output in [by_flag, by_environment] {
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(64), "{stderr}");
            assert!(stderr.contains(said) && stderr.contains("keygen --public"), "{stderr}");
            assert!(!stderr.contains("PRIVATE+KEY"), "the secret is printed");
        }
    }
}

/// Scenario: somebody writes the secret key itself where a path, an address or a public key belongs. Guarantee: nothing that is printed or
/// logged holds it, whatever comes of the command.
#[test]
fn a_secret_key_in_the_wrong_place_is_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let public = text(&run(folder.path(), &["keygen"]).stdout);
    let secret = std::fs::read_to_string(folder.path().join("spanseal.key")).unwrap();
    let secret = secret.lines().find(|l| l.starts_with("PRIVATE+KEY+")).unwrap();
    let hidden = secret.splitn(5, '+').last().unwrap();
    // No folder: no `serve` gets any further.
    std::fs::write(folder.path().join("none"), "").unwrap();
    std::fs::write(folder.path().join("c.yaml"), format!("{FREE_PORTS}\nlog: {{key_file: './none/{secret}'}}\n")).unwrap();
    std::fs::write(
        folder.path().join("json.yaml"),
        format!("{FREE_PORTS}\nlog: {{key_file: './none/{secret}'}}\ntelemetry: {{logs: {{format: json}}}}\n"),
    )
    .unwrap();
    for args in [
        &["verify", "--since-checkpoint", secret][..],
        &["verify", "--vkey", public.trim(), "--receipt", secret],
        &["verify", "--store", secret],
        &["query", "--store", secret],
        &["check", secret, "--vkey", public.trim()],
        &["check", secret, "--vkey", public.trim(), "--json"],
        &["keygen", "--key-file", secret],
        &["serve", "--store", secret, "--config", "c.yaml"],
        &["serve", "--config", "c.yaml"],
        &["serve", "--config", "json.yaml"],
        &["serve", "--print-config", "--config", "c.yaml"],
        &["serve", "--config", secret],
        &["doctor", "--config", "c.yaml"],
        &["doctor", "--config", "c.yaml", "--json"],
        &["doctor", "--config", secret],
        &[secret],
    ] {
        let output = run(folder.path(), args);
        let all = text(&output.stdout) + &text(&output.stderr);
        assert!(!all.contains(hidden), "{args:?}");
        assert!(!all.is_empty(), "{args:?}");
    }
    let output = run_with(folder.path(), &["serve"], vec![("SPANSEAL_CONFIG", secret.to_owned())]);
    assert!(text(&output.stderr).contains("PRIVATE+KEY+***") && !text(&output.stderr).contains(hidden));
}

/// Scenario: the environment names a configuration and a store that this machine cannot read. Guarantee: what asks them nothing goes on without, what
/// does ask says what is wrong, and so does everything where the configuration was named on the command line.
#[test]
fn only_what_asks_the_configuration_needs_one_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = || vec![("SPANSEAL_CONFIG", "not/here.yaml".to_owned()), ("SPANSEAL_STORE", "ftp://nowhere".to_owned())];
    for args in [
        &["keygen", "--token", "agents"][..],
        &["keygen", "--witness", "example.com/w", "--key-file", "w.key"],
        &["keygen", "--public", "--key-file", "w.key"],
        &["collector", "example", "agent"],
        &["attributes"],
        &["format"],
        &["guide"],
    ] {
        let output = run_with(folder.path(), args, wrong());
        assert!(output.status.success() && !output.stdout.is_empty(), "{args:?}: {}", text(&output.stderr));
        let named = run_with(folder.path(), &[args, &["--config", "not/here.yaml"]].concat(), Vec::new());
        assert!(text(&named.stderr).contains("`not/here.yaml` cannot be read"), "{args:?}: {}", text(&named.stderr));
    }
    for args in [&["keygen"][..], &["collector", "filter"], &["verify"], &["serve"]] {
        let output = run_with(folder.path(), args, wrong());
        assert!(text(&output.stderr).contains("`not/here.yaml` cannot be read"), "{args:?}: {}", text(&output.stderr));
    }
}

/// Scenario: a token is made into a file, as a shell makes one that others may read, and into a pipe; its hash goes into a file that is not there.
/// Guarantee: before it holds the token only its owner may read the file, which is said; the hash's is made so; a pipe is left as it is.
#[test]
fn a_token_is_in_no_file_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("spanseal.token");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = std::fs::File::create(&at).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o644)).unwrap();
    let made = spanseal(folder.path()).args(["keygen", "--token", "agents", "--key-file", "tokens"]).stdout(file).output().unwrap();
    let token = std::fs::read_to_string(&at).unwrap();
    assert!(made.status.success() && token.trim().len() == 64, "{}", text(&made.stderr));
    assert_eq!((mode(&at), mode(&folder.path().join("tokens"))), (0o600, 0o600));
    assert!(text(&made.stderr).contains("only its owner may read that (mode 0600)"), "{}", text(&made.stderr));
    let piped = run(folder.path(), &["keygen", "--token", "agents", "--key-file", "tokens"]);
    assert!(piped.status.success() && !text(&piped.stderr).contains("mode 0600"), "{}", text(&piped.stderr));
}

/// Scenario: the first `serve` of a new log, and a file of a listener that is not there or does not serve. Guarantee: it is named, and
/// neither a key nor anything of a log is made, which in a bucket might be locked for years.
#[test]
fn files_of_listeners_are_read_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty"), "").unwrap();
    let free = "endpoint: '127.0.0.1:0'";
    for (grpc, http, api, words) in [
        (", auth: {token_file: none}", "", "", "cannot read the token file `none`"),
        ("", ", auth: {token_file: empty}", "", "`empty` names no token"),
        ("", ", tls: {cert_file: none, key_file: empty}", "", "cannot read the certificate `none`"),
        ("", "", ", auth: {token_file: none}", "cannot read the token file `none`"),
    ] {
        let yaml =
            format!("receivers: {{otlp: {{protocols: {{grpc: {{{free}{grpc}}}, http: {{{free}{http}}}}}}}}}\napi: {{{free}{api}}}\n");
        std::fs::write(folder.path().join("c.yaml"), yaml).unwrap();
        let output = run(folder.path(), &["serve", "--config", "c.yaml"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
        let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["c.yaml", "empty"], "{words}");
    }
}

/// Scenario: a file that is no proof. Guarantee: `check` neither proves nor refuses it: exit 2, and the words say what it is.
#[test]
fn what_is_no_proof_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let vkey = text(&run(folder.path(), &["keygen"]).stdout);
    for content in ["", "hello", "{}", "[1]", r#"{"format":"spanseal.log/1"}"#] {
        std::fs::write(folder.path().join("p"), content).unwrap();
        let output = run(folder.path(), &["check", "p", "--vkey", vkey.trim()]);
        assert_eq!(output.status.code(), Some(2), "{content}");
        assert!(text(&output.stdout).starts_with("NOT A PROOF: "), "{}", text(&output.stdout));
        let json = run(folder.path(), &["check", "p", "--vkey", vkey.trim(), "--json"]);
        let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(json["verdict"], "unchecked", "{content}");
    }
}

/// Scenario: the configuration's key file is not there, or open to others. Guarantee: `verify` and `query` say so on stderr instead of quietly
/// taking the store's word; whoever brings a key is not bothered.
#[test]
fn a_configured_key_that_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = crate::golden::folder().join("store");
    let config = format!("store: {{url: 'file://{}'}}\nlog: {{name: vectors, origin: spanseal.example/vectors}}\n", store.display());
    std::fs::write(folder.path().join("c.yaml"), config).unwrap();
    let ask = |more: &[&str]| {
        let output = run(folder.path(), &[more, &["--config", "c.yaml"]].concat());
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, report, said) = ask(&["verify"]);
    assert_eq!(code, Some(0), "{report}{said}");
    assert!(report.contains("unpinned"), "{report}");
    assert!(report.starts_with("CONSISTENT with itself; no key was brought: "), "{report}");
    assert!(ask(&["verify", "--json"]).1.contains("\"verdict\": \"verified\""), "the word for scripts is another");
    assert!(said.contains("the configured key (log.key_file) could not be read: there is no file `./spanseal.key`"), "{said}");
    assert!(ask(&["query"]).2.contains("could not be read: there is no file"), "query");
    let (code, _, said) = ask(&["verify", "--vkey", crate::golden::VKEY]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    std::fs::write(folder.path().join("spanseal.key"), "").unwrap();
    let (_, _, said) = ask(&["verify"]);
    assert!(said.contains("could not be read: key file `./spanseal.key` can be read by others"), "{said}");
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
    /// Said until it listened.
    said: Vec<String>,
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
    let mut served = Served { child: command.spawn().unwrap(), api: String::new(), http: String::new(), said: Vec::new(), log };
    let stderr = std::io::BufReader::new(served.child.stderr.take().unwrap());
    std::thread::spawn(move || {
        for line in std::io::BufRead::lines(stderr).map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    while served.api.is_empty() {
        let line = served.log.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("{:#?}", served.said));
        if let Some(rest) = line.strip_prefix("listening ") {
            let at = rest.split_whitespace().next().unwrap().to_owned();
            if rest.contains("OTLP/HTTP") {
                served.http = at;
            } else if rest.contains("API") {
                served.api = at;
            }
        }
        served.said.push(line);
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
    answer(send(at, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer abc\r\n\r\n")))
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
    for span_id in ["00f067aa0ba902b7", "00f067aa0ba902b8"] {
        let mut served = serve(folder.path(), "");
        let began = Instant::now();
        while !get(&served.api, "/readyz").contains("200 OK") {
            assert!(began.elapsed() < Duration::from_secs(30));
            std::thread::yield_now();
        }
        assert!(answer(post_span(&served.http, span_id)).starts_with("HTTP/1.1 200"));
        let figures = get(&served.api, "/metrics");
        for line in
            ["spanseal_ready 1", "spanseal_seal_duration_seconds_count 1", "spanseal_receiver_connections_timed_out_total{owed=\"head\"} 0"]
        {
            assert!(figures.contains(&format!("\n{line}\n")), "{line}\n{figures}");
        }
        let open = answer(send(&served.api, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        assert!(open.contains("200 OK"), "probes have no token: {open}");
        let closed = answer(send(&served.api, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
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

const FREE_PORTS: &str =
    "api: {endpoint: '127.0.0.1:0'}\nreceivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: '127.0.0.1:0'}}}}\n";

/// Serves once, so that the folder holds a log with both keys; answers what was said.
fn served_once(folder: &Path) -> Vec<String> {
    let mut served = serve(folder, "");
    signal(&served.child, "TERM");
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    std::mem::take(&mut served.said).into_iter().chain(served.log.iter()).collect()
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    text(&output.stderr).lines().last().unwrap().to_owned()
}

/// Scenario: the identity key of a log is replaced. Guarantee: `serve` refuses and `doctor` reports it, both naming both keys; `keygen`
/// makes no key for a log that exists; with the old key back all is well.
#[test]
fn a_log_is_not_continued_with_another_identity_key() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    served_once(folder.path());
    std::fs::rename(at("spanseal-identity.key"), at("old.key")).unwrap();
    for args in [&["keygen"][..], &["keygen", "--only", "identity"]] {
        let said = refusal(&run(folder.path(), args));
        assert!(
            said.starts_with("error: `identity.key_file` `./spanseal-identity.key` does not exist, but the log `spanseal` does: "),
            "{said}"
        );
        assert!(!at("spanseal-identity.key").exists());
    }
    assert_eq!(run(folder.path(), &["keygen", "--only", "identity", "--store", "./nowhere"]).status.code(), Some(0));
    let size = || std::fs::read_dir(at("spanseal-data/spanseal/seals")).unwrap().count();
    let before = size();
    let said = refusal(&run(folder.path(), &["serve", "--config", "serve.yaml"]));
    for words in [
        "`identity.key_file` `./spanseal-identity.key` holds identity key ",
        "was written with identity key ",
        "Restore the old identity key file; only a new log",
    ] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(size(), before, "nothing was sealed");
    let doctor = run(folder.path(), &["doctor", "--config", "serve.yaml"]);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(text(&doctor.stdout).contains("problem   log            `identity.key_file`"), "{}", text(&doctor.stdout));
    std::fs::rename(at("old.key"), at("spanseal-identity.key")).unwrap();
    assert_eq!(run(folder.path(), &["doctor", "--config", "serve.yaml"]).status.code(), Some(0));
    served_once(folder.path());
}

/// Scenario: a store that cannot be made. Guarantee: `serve` and `doctor` both name the folder and say what to do, and no key is made.
#[test]
fn a_folder_that_cannot_be_a_store_is_refused_before_keys_are_made() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c.yaml"), FREE_PORTS).unwrap();
    // Where not even root can write.
    for (store, words) in [
        ("/proc/nope", "store `file:///proc/nope`: the folder does not exist and cannot be made in `/proc`: "),
        ("/proc", "store `file:///proc`: nothing can be written in the folder `/proc`: "),
    ] {
        let said = refusal(&run(folder.path(), &["serve", "--config", "c.yaml", "--store", store]));
        assert!(said.starts_with(&format!("error: {words}")) && said.ends_with("or choose another `store.url`"), "{said}");
        let doctor = run(folder.path(), &["doctor", "--config", "c.yaml", "--store", store]);
        assert_eq!(doctor.status.code(), Some(1));
        assert!(text(&doctor.stdout).contains(&format!("problem   store          {words}")), "{}", text(&doctor.stdout));
    }
    std::fs::create_dir_all(folder.path().join("full/spanseal")).unwrap();
    std::fs::write(folder.path().join("full/spanseal/x"), "x").unwrap();
    let said = refusal(&run(folder.path(), &["serve", "--config", "c.yaml", "--store", "full"]));
    assert!(said.contains("a log is made only where there is nothing"), "{said}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

/// Scenario: a store is copied with its keys. Guarantee: `doctor` says what `serve` says.
#[test]
fn a_copied_store_is_a_problem_before_it_is_served() {
    let folder = tempfile::tempdir().unwrap();
    served_once(folder.path());
    std::fs::rename(folder.path().join("spanseal-data"), folder.path().join("moved")).unwrap();
    let words = "belongs to the log in file://";
    let said = refusal(&run(folder.path(), &["serve", "--config", "serve.yaml", "--store", "moved"]));
    assert!(said.contains(words), "{said}");
    let doctor = run(folder.path(), &["doctor", "--config", "serve.yaml", "--store", "moved"]);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(text(&doctor.stdout).contains(words), "{}", text(&doctor.stdout));
}

/// Scenario: `serve` and `doctor` with relative paths and a local store. Guarantee: both print where the paths lead, and that nothing
/// enforces the retention.
#[test]
fn what_is_printed_at_start_is_absolute_and_promises_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    let doctor = text(&run(folder.path(), &["doctor"]).stdout);
    assert!(doctor.contains(&format!("file://{}/spanseal-data does not exist yet and can be made", real.display())), "{doctor}");
    assert!(doctor.contains("class `standard`: GOVERNANCE for 180d; not enforced by this store"), "{doctor}");
    let said = served_once(folder.path());
    for line in [
        format!("store     file://{}/spanseal-data", real.display()),
        format!("log key   {}/spanseal.key", real.display()),
        format!("identity  {}/spanseal-identity.key", real.display()),
        "retention standard: GOVERNANCE for 180d, default; not enforced by this store".to_owned(),
    ] {
        assert!(said.contains(&line), "{line}\n{said:#?}");
    }
    let sealed = said.iter().find_map(|l| l.strip_prefix("config    config_sha256 ")).unwrap().split(' ').next().unwrap();
    let verified = run(folder.path(), &["query", "--kind", "config_change", "--format", "jsonl"]);
    let line: serde_json::Value = serde_json::from_str(text(&verified.stdout).lines().next().unwrap()).unwrap();
    let after = line["change"]["after"].as_str().unwrap();
    assert!(after.contains("\"key_id\":\""), "{after}");
    assert!(text(&run(folder.path(), &["doctor", "--config", "serve.yaml"]).stdout).contains(sealed));
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
    assert!(began.elapsed() < Duration::from_secs(15), "it did not wait until the seal was due");
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
    // Who brings the id of a decision hears what is wanted, and how to find it.
    let decision = run(folder, &["prove", "loan-2026-0042"]);
    assert_eq!(decision.status.code(), Some(1), "{}", text(&decision.stderr));
    let said = text(&decision.stderr);
    assert!(said.contains("query --decision 'loan-2026-0042' --format json") && said.contains("`record.id`"), "{said}");
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
    assert_eq!(run(elsewhere.path(), &["check", "proof.json", "--vkey", vkey]).status.code(), Some(2));
    assert_eq!(run(elsewhere.path(), &["check", "nothing.json", "--vkey", vkey]).status.code(), Some(2));
}

/// Scenario: SIGTERM while a request waits for a seal that is due much later. Guarantee: the seal closes early and the request gets its
/// receipt.
#[test]
fn a_drain_does_not_wait_for_a_seal_to_be_due() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = serve(folder.path(), "seal: {max_delay: 15s}\n");
    let open = post_span(&served.http, "00f067aa0ba902b7");
    let began = Instant::now();
    while !get(&served.api, "/metrics").contains("\nspanseal_receiver_in_flight_requests 1\n") {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    signal(&served.child, "TERM");
    let receipt = answer(open);
    assert!(receipt.starts_with("HTTP/1.1 200") && receipt.contains("spanseal-seal: 1\r\n"), "{receipt}");
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
}

/// Scenario: a second signal while the drain waits for a request whose body does not come. Guarantee: it leaves at once, not with 0, and the
/// next start finds a sound log.
#[test]
fn a_second_signal_leaves_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = serve(folder.path(), "");
    let head = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    let _open = send(&served.http, head);
    while !get(&served.api, "/metrics").contains("\nspanseal_receiver_in_flight_requests 1\n") {}
    let began = Instant::now();
    signal(&served.child, "TERM");
    while !served.log.recv_timeout(Duration::from_secs(30)).unwrap().starts_with("stopping: ") {}
    signal(&served.child, "INT");
    assert_eq!(served.child.wait().unwrap().code(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(10), "it did not wait for the request");
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
    let cases = [(Bucket::Plain, "no versioning with Object Lock"), (Bucket::Versioned, "versioning and no Object Lock")];
    for (with, lacks) in cases {
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
                "error: {url} has {lacks}, so nothing in it would be write-once; make a bucket with Object Lock (it is set when a bucket is \
                 created), or set `store.not_worm: true`, which every seal and report will say; `spanseal doctor` shows the rest"
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
    let notes = report["notes"].as_array().unwrap();
    assert!(
        notes.iter().all(|n| n["kind"] != "not_covered"),
        "the configuration on record says how long everything must be locked: {report}"
    );
    let (code, said, _) = ask(&["doctor", "--no-canary"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("and its key fits"), "{said}");

    // The key is lost and another one is made on purpose: both refuse.
    std::fs::remove_file(folder.path().join("spanseal.key")).unwrap();
    let (code, _, said) = ask(&["serve"]);
    assert!(code == Some(2) && said.contains("bring the file back from where it is backed up"), "{said}");
    let (code, _, said) = ask(&["keygen", "--only", "log"]);
    assert!(code == Some(2) && said.contains("bring the file back from where it is backed up"), "{said}");
    assert_eq!(ask(&["keygen", "--only", "log", "--store", "./nowhere"]).0, Some(0));
    let (code, said, _) = ask(&["doctor", "--no-canary"]);
    assert!(code == Some(1) && said.contains("was made with another key"), "{said}");
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
            "the tag `spanseal=partial` was kept",
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

/// Scenario: an `s3://` store and nobody who gives credentials. Guarantee: the sentence says what to set, and why it came to that.
#[test]
fn missing_credentials_are_named() {
    let folder = tempfile::tempdir().unwrap();
    // Where an instance would be asked; nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let environment = || vec![("AWS_REGION", "eu-central-1".to_owned()), ("AWS_METADATA_ENDPOINT", format!("http://{nobody}"))];
    for (more, word) in [
        (vec![], "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN too, if they are temporary)"),
        (
            vec![("AWS_WEB_IDENTITY_TOKEN_FILE", "none".to_owned()), ("AWS_ROLE_ARN", "arn:x".to_owned())],
            "check AWS_WEB_IDENTITY_TOKEN_FILE",
        ),
    ] {
        let output = run_with(folder.path(), &["query", "--store", "s3://no-bucket/x"], environment().into_iter().chain(more).collect());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("no credentials, so it was not asked: ") && said.contains(word), "{said}");
        assert!(said.contains("the last attempt: "), "{said}");
    }
}

/// A store's address with credentials in it is refused, and they do not come to the terminal: of the command line, the environment, the
/// file.
#[test]
fn no_credentials_of_a_store_address_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("spanseal.yaml");
    std::fs::write(&config, "store:\n  url: s3://AKIAHUSH:hush/hush@bucket/x\n").unwrap();
    let mistyped = folder.path().join("mistyped.yaml");
    std::fs::write(&mistyped, "store: {url: 's3:AKIAHUSH:hush@bucket'}\n").unwrap();
    let (here, config, mistyped) = (folder.path(), config.display().to_string(), mistyped.display().to_string());
    for told in [
        run(here, &["query", "--store", "s3://AKIAHUSH:hush@bucket/x"]),
        run(here, &["doctor", "--store", "s3:/AKIAHUSH:hush@bucket/x"]),
        run(here, &["query", "--store", "s3://AKIA:hu'shhush@bucket/x"]),
        run(here, &["query", "--store", "https://me:a hush@bucket/x"]),
        run(here, &["query", "--config", &mistyped]),
        run(here, &["query", "--store", "AKIA:hush@bucket"]),
        run(here, &["query", "--store", "AccountName=a;AccountKey=hush"]),
        run_with(here, &["query"], vec![("SPANSEAL_STORE", "s3://bucket/x?X-Amz-Security-Token=hush".to_owned())]),
        run(here, &["query", "--config", &config]),
        run(here, &["doctor", "--config", &config]),
    ] {
        let said = format!("{}{}", String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
        assert!(!told.status.success() && said.contains("***") && !said.to_lowercase().contains("hush"), "{said}");
    }
}

/// A configuration that is refused is quoted by its line, unless that may hold a secret.
#[test]
fn no_line_with_a_secret_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("spanseal.yaml");
    for (text, quoted) in [
        ("store:\n  s3: {secret_access_key: hush}\n", false),
        ("receivers:\n  otlp:\n    protocols:\n      grpc: {auth: {tokens: [hush]}}\n", false),
        ("store:\n  s3: {endpoint: 'u:hush@h:9000'}\n", false),
        ("api: {endpoint: 'u:hush@h:1'}\n", false),
        ("api: {token_file: [hush]}\n", true),
        ("api: {endpont: hush}\n", true),
    ] {
        std::fs::write(&config, text).unwrap();
        let told = run(folder.path(), &["doctor", "--config", config.to_str().unwrap()]);
        let said = format!("{}{}", String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
        assert!(!told.status.success() && said.contains("endpoint") | said.contains("spanseal.yaml:"), "{said}");
        assert_eq!(said.contains("hush"), quoted, "{said}");
    }
}
