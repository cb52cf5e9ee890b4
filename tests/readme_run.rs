//! The commands of the README do what the README says, run as a shell runs them, in its order, with the configuration that it shows: a log in
//! a bucket with Object Lock and its vault in one without.
//!
//! Put in are only what a reader puts in too (ids, the public key) and what a test must: free ports, `--yes` where a terminal would be asked,
//! a shorter `--for`. Fuzzing and `cargo bench` stand in the README's text and are run by hand.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use http::Method;
use serde_json::{Value, json};

use crate::readme::{joined, readme, timeless};
use crate::support::otlp::{HttpRequest, http};
use crate::support::receiver::{BINARY, Finished};
use crate::support::s3::{Raw, S3Server};
use crate::support::{eventually, runtime};

const RECEIVERS: &str = "receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}, http: {endpoint: '127.0.0.1:0'}}}}\n";

struct Reader {
    folder: tempfile::TempDir,
    server: &'static S3Server,
    /// Of the `serve` with the README's configuration.
    api: u16,
    serving: Option<(Child, u16)>,
    /// What stands for what in a command, longer words first.
    known: Vec<(&'static str, String)>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.serving {
            // Fails only if it has ended already.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Reader {
    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn shell(&self, line: &str, config: &str) -> Command {
        let path = format!("{}:/usr/bin:/bin", self.folder.path().display());
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec {line}")]).current_dir(self.folder.path()).env_clear().envs(self.server.environment());
        // The environment wins over nothing: the README's file names a region of AWS, which this server does not ask for.
        command.env("PATH", path).env("SPANSEAL_CONFIG", config).stdin(Stdio::null());
        command
    }

    /// Starts a `serve` and waits for its OTLP/HTTP port.
    fn serve(&self, line: &str, config: &str) -> (Child, u16) {
        let said = self.at("said");
        let log = std::fs::File::create(&said).unwrap();
        let mut child = self.shell(line, config).stderr(log).spawn().unwrap();
        let port = eventually("serve listens", || {
            let text = std::fs::read_to_string(&said).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "{line} ended:\n{text}");
            let at = text.lines().find_map(|l| l.strip_prefix("listening ")?.strip_suffix("OTLP/HTTP"))?.trim().to_owned();
            at.rsplit_once(':').unwrap().1.parse().ok()
        });
        (child, port)
    }

    /// One line of a block. `false`: nothing to run here.
    fn run(&mut self, line: &str) -> bool {
        let line = line.trim().trim_start_matches("$ ").replace("cargo run --release -- ", "spanseal ");
        let line = self.known.iter().fold(line, |line, (word, meant)| line.replace(word, meant));
        if !line.starts_with("spanseal ") {
            assert_eq!(line, "tests/run", "neither a command of spanseal nor what runs this test");
            return false;
        }
        if line == "spanseal serve" {
            let (child, _) = self.serve(&line, "free.yaml");
            stop(child);
        } else if line.starts_with("spanseal witness ") {
            let said = self.at("witness.said");
            let mut child = self
                .shell(&format!("{line} --listen 127.0.0.1:0"), "spanseal.yaml")
                .stderr(std::fs::File::create(&said).unwrap())
                .spawn()
                .unwrap();
            eventually("the witness listens", || {
                let text = std::fs::read_to_string(&said).unwrap();
                assert!(child.try_wait().unwrap().is_none(), "{line} ended:\n{text}");
                text.contains("follows   audit.example.com/prod: nothing cosigned yet\nlistening http://").then_some(())
            });
            stop(child);
        } else if line.starts_with("spanseal serve ") {
            self.serving = Some(self.serve(&line, "none.yaml"));
            self.report();
        } else {
            let asks = line.starts_with("spanseal erase") && !line.contains("--dry-run");
            let line = line.replace("--for 30s", "--for 1s").replace("--listen", "--listen 127.0.0.1:0");
            let line = format!("{line}{}", if asks { " --yes" } else { "" });
            self.told(&line);
        }
        true
    }

    fn told(&self, line: &str) {
        // The first command of all is run where no configuration is yet.
        let told = Finished::of(self.shell(line, if line == "spanseal demo" { "free.yaml" } else { "spanseal.yaml" }));
        // The README's log asks no witness that is there, and who wants one to have seen it is told that it has not.
        // Its configuration names no next key either.
        let unseen = line.contains("--witness witness.vkey");
        // Nor does an authority stamp it.
        let unstamped = line.contains("--tsa-roots");
        // `lint` answers 1 where something is missing, and of these two spans much is; where nobody sent anything, it says so with 2.
        let code = match line.starts_with("spanseal lint") {
            true if line.contains("--listen") => 2,
            true => 1,
            false if unseen || unstamped || line.contains("keygen --next") => 2,
            false => 0,
        };
        assert_eq!(told.status.code(), Some(code), "{told}");
        let expect = |words: &[&str]| words.iter().for_each(|words| assert!(told.stdout.contains(words), "no `{words}`: {told}"));
        match line.split_whitespace().nth(1).unwrap() {
            "prove" => std::fs::write(self.at("proof.json"), &told.stdout).unwrap(),
            "query" if line.contains("config_change") => expect(&["config_change", "first configuration"]),
            "query" if line.contains("--kind retention") => expect(&["attestation", "canary"]),
            "query" => expect(&["inference"]),
            "show" if line.contains("--content") => expect(&["What is my name?", "bob@example.com"]),
            "show" => assert!(!told.stdout.contains("What is my name?"), "{told}"),
            "verify" if line.contains("--receipt") => expect(&["VERIFIED", "The receipt of seal"]),
            "verify" if line.contains("--since-checkpoint") => expect(&["VERIFIED", "checkpoint"]),
            "verify" | "check" if unstamped => expect(&["UNCHECKED", "o time stamp by an authority that you trust"]),
            "verify" if unseen => expect(&["UNCHECKED", "not yet"]),
            "verify" => expect(&["VERIFIED"]),
            "check" if unseen => expect(&["not yet shown to be published: 0 of 1 witness."]),
            "keygen" => {}
            "hold" if line.contains("--dry-run") => expect(&["1 record in 1 segment of 1 seal"]),
            "hold" if line.contains("hold place") => expect(&["On hold for `LH-2026-014`: 1 segment with 1 matching record"]),
            "hold" => expect(&["LH-2026-014"]),
            "retention" if line.contains("retention extend") => expect(&["Kept until", ": 1 segment ("]),
            "retention" if line.contains("--attest") => expect(&["segments/standard", "Recorded: attestation"]),
            "retention" => expect(&["standard"]),
            "erase" if line.contains("--dry-run") => expect(&["Would be erased from the vault: what was said in 1 record"]),
            "erase" => expect(&["Erased from the vault: what was said in 1 record", "Recorded: erasure"]),
            "doctor" => {
                expect(&["versioning and Object Lock are enabled", "the bucket keeps neither versions nor locks"]);
                expect_transcript(&told);
            }
            "collector" if line.contains("collector check") => expect(&["0 found, 0 not judged, on the way to otlp_grpc/spanseal"]),
            "collector" if line.contains("--everything") => {
                expect(&["traces/spanseal: {receivers: [otlp], exporters: [otlp_grpc/spanseal]}"])
            }
            "collector" => assert!(std::fs::read_to_string(self.at("spanseal-pipelines.yaml")).unwrap().contains("  filter/spanseal:")),
            "lint" if !line.contains("--listen") => expect(&["model.id"]),
            "demo" | "check" | "lint" | "attributes" => assert!(!told.stdout.is_empty(), "{told}"),
            other => panic!("{other} is new in README.md: say here what it must tell ({line})"),
        }
    }

    /// Two people are spoken with, and what a reader would put into the commands is known.
    fn report(&mut self) {
        let request = |trace: u8, user: &str| {
            let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
            let said = json!([{"role": "user", "parts": [{"type": "text", "content": "What is my name?"}]}]).to_string();
            let attributes = [text("gen_ai.operation.name", "chat"), text("gen_ai.input.messages", &said), text("user.id", user)];
            let now = jiff::Timestamp::now().as_nanosecond();
            json!({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [{
                "traceId": format!("{trace:032x}"), "spanId": format!("{trace:016x}"), "name": "chat",
                "startTimeUnixNano": now.to_string(), "endTimeUnixNano": (now + 1).to_string(), "attributes": attributes,
            }]}]}]})
            .to_string()
        };
        let port = self.serving.as_ref().unwrap().1;
        let mut receipt = String::new();
        for (trace, user) in [(1, "alice@example.com"), (2, "bob@example.com")] {
            let body = request(trace, user);
            let headers = vec![("Content-Type", "application/json")];
            let request = HttpRequest { method: "POST", path: "/v1/traces", headers, body: body.as_bytes(), chunked: false };
            let (status, answer) = http(([127, 0, 0, 1], port).into(), &request).unwrap();
            assert_eq!(status, 200);
            receipt = format!("{}:{}", answer.headers["spanseal-seal"], answer.headers["spanseal-root"]);
            std::fs::write(self.at("captured.json"), body).unwrap();
        }
        let record_of = |user: &str| {
            let asked = format!("spanseal query --user {user} --format json");
            let found: Value = serde_json::from_str(&Finished::of(self.shell(&asked, "spanseal.yaml")).success().stdout).unwrap();
            found[0]["record"]["id"].as_str().unwrap().to_owned()
        };
        let (earlier, id) = (record_of("alice@example.com"), record_of("bob@example.com"));
        let vkey = Finished::of(self.shell("spanseal keygen --public", "spanseal.yaml")).success().stdout.trim().to_owned();
        self.known.extend([
            ("TRACE_OR_RECORD_ID", id.clone()),
            ("EARLIER_RECORD", earlier),
            ("TRACE_ID", format!("{:032x}", 2)),
            ("RECORD_ID", id),
            ("audit.example.com/prod+1a2b3c4d+AbCd...", vkey),
            ("2:W4Jtf4rnD4RnyU3uw2uDPQ4lgmImzU5qY3ksMxxqCt0=", receipt),
        ]);
        let ask = HttpRequest { method: "GET", path: "/tlog/prod/checkpoint", headers: Vec::new(), body: b"", chunked: false };
        let (status, kept) = http(([127, 0, 0, 1], self.api).into(), &ask).unwrap();
        assert_eq!(status, 200);
        std::fs::write(self.at("checkpoint.kept"), kept.body).unwrap();
    }
}

/// What the README's transcript shows of the second `doctor` is what it says. Left out is what depends on commands before: here some keys are
/// there already.
fn expect_transcript(doctor: &Finished) {
    let blocks = readme();
    let block = blocks.iter().find(|b| b.before == "<!-- transcript:doctor -->").expect("README.md shows a transcript of doctor");
    let last = block.text.iter().rposition(|line| line.starts_with("$ spanseal doctor")).unwrap();
    let printed: Vec<String> = doctor.stdout.lines().map(timeless).collect();
    let varies = |line: &str| {
        line.is_empty() || line.contains("does not exist") || line.starts_with("ok        clock") || line.ends_with("unchecked")
    };
    let shown: Vec<&String> = block.text[last + 1..].iter().filter(|line| !varies(line)).collect();
    assert!(shown.len() >= 15, "{shown:?}");
    for line in shown {
        assert!(printed.contains(&timeless(line)), "README.md shows a line that doctor does not print: {line}\n{doctor}");
    }
}

fn stop(mut child: Child) {
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = eventually("serve ends after SIGTERM", || child.try_wait().unwrap());
    assert!(ended.success(), "{ended}");
}

fn made(path: &Path, text: &str) {
    std::fs::File::create_new(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Scenario: a reader follows the README from its first command to its last. Guarantee: each succeeds and tells what the README says of it.
#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let Some(server) = S3Server::minio() else { return };
    let blocks = readme();
    let shown = blocks.iter().find(|b| b.mark == "yaml" && b.text.iter().any(|l| l.contains("s3://audit-bucket/prod"))).unwrap();
    runtime().block_on(async {
        let locked = Raw::new(Method::PUT, "/audit-bucket").header("x-amz-bucket-object-lock-enabled", "true");
        server.raw(locked).await.expect_ok();
        server.raw(Raw::new(Method::PUT, "/audit-vault")).await.expect_ok();
    });
    let api = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut reader = Reader { folder: tempfile::tempdir().unwrap(), server, api, serving: None, known: Vec::new() };
    let mut yaml = shown.text.join("\n").replace("region: eu-central-1", "region: us-east-1");
    write!(yaml, "\n{RECEIVERS}api: {{endpoint: '127.0.0.1:{api}'}}\n").unwrap();
    made(&reader.at("spanseal.yaml"), &yaml);
    made(&reader.at("new.yaml"), &yaml);
    made(&reader.at("free.yaml"), &format!("{RECEIVERS}api: {{endpoint: '127.0.0.1:0'}}\n"));
    std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/timestamps/root.pem"), reader.at("tsa-root.pem")).unwrap();
    std::fs::copy(crate::support::otelcol::configuration("agent.yaml"), reader.at("otelcol.yaml")).unwrap();
    std::os::unix::fs::symlink(BINARY, reader.at("spanseal")).unwrap();
    let mut run = 0;
    for block in blocks.iter().filter(|b| b.mark == "sh") {
        for line in joined(block).iter().filter(|l| !l.trim().is_empty() && !l.trim().starts_with('#')) {
            run += usize::from(reader.run(line));
        }
    }
    assert!(run >= 16, "only {run} commands");
    let (child, _) = reader.serving.take().expect("the README serves with its configuration");
    stop(child);
}
