//! `spanseal demo` and the commands that read what it leaves behind, as a person at a terminal runs them: the real binary, the official
//! exporters, a folder.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn spanseal(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spanseal"));
    command.current_dir(folder).args(line.split_whitespace());
    for name in ["SPANSEAL_CONFIG", "SPANSEAL_STORE", "SPANSEAL_VKEY"] {
        command.env_remove(name);
    }
    // A telemetry set-up of the machine must not reach into the demo.
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9").env("OTEL_RESOURCE_ATTRIBUTES", "service.name=not-this");
    command
}

fn run(folder: &Path, line: &str) -> (i32, String, String) {
    let Output { status, stdout, stderr } = spanseal(folder, line).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

const CONFIG: &str = "--config ./spanseal-demo-keys/spanseal.yaml";

/// The whole story ends well by itself, and everything it recommends works on what it left behind.
#[test]
fn the_demo_tells_its_story_and_leaves_a_store_that_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (code, told, said) = run(folder.path(), "demo");
    assert_eq!(code, 0, "{told}{said}");
    assert!(told.lines().count() <= 60 && told.lines().all(|l| l.chars().count() <= 130), "{told}");
    for word in ["declined -> approved", "an override", "not WORM", "receipt for seal", "3 were ordinary web traffic"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert!(!told.to_lowercase().contains("compliant"));

    // Persons are found by name, though only pseudonyms are stored.
    for (condition, kind) in
        [("--subject alice@example.com", "decision"), ("--user officer@example.com", "inference"), ("--person rita@example.com", "review")]
    {
        let (code, found, said) = run(folder.path(), &format!("query {condition} --format jsonl {CONFIG}"));
        assert_eq!((code, found.lines().count()), (0, 1), "{condition}: {said}");
        assert!(found.contains(&format!("\"kind\":\"{kind}\"")) && !found.contains("@example.com"), "{found}");
    }
    let (code, found, said) = run(folder.path(), &format!("query --person nobody@example.com {CONFIG}"));
    assert_eq!((code, found.as_str()), (0, ""), "{said}");
    // Without the identity key "nobody is found" would be a guess.
    let (code, _, said) = run(folder.path(), "query --subject alice@example.com --store ./spanseal-demo");
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("not compared"), "{said}");

    let (code, json, _) = run(folder.path(), &format!("query --decision loan-2026-0042 --format json --proof {CONFIG}"));
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let records = json.as_array().unwrap();
    assert_eq!(records.len(), 3);
    for record in records {
        assert!(record["seal"].is_u64() && record["leaf_index"].is_u64() && record["record"].is_object());
        assert_eq!(record["proof"]["format"], "spanseal.proof/1");
    }
    let trace = records[0]["record"]["trace"]["trace_id"].as_str().unwrap();

    let (code, story, _) = run(folder.path(), &format!("show {trace} {CONFIG}"));
    assert_eq!(code, 0);
    // The review stands in no trace and still belongs to the story of this one.
    assert!(story.contains("A human reviewer concluded a review."), "{story}");
    assert!(!story.contains("@example.com") && !story.contains("61 percent"), "no person and no content: {story}");
    assert_eq!(run(folder.path(), &format!("show 00000000000000000000000000000000 {CONFIG}")).0, 1);
    assert_eq!(run(folder.path(), &format!("prove 00000000000000000000000000000000 {CONFIG}")).0, 1);
    let record = records[0]["record"]["id"].as_str().unwrap();
    let (code, proof, _) = run(folder.path(), &format!("prove {record} {CONFIG}"));
    assert_eq!(code, 0);
    let proof: serde_json::Value = serde_json::from_str(&proof).unwrap();
    assert!(proof["record"].as_str().unwrap().contains(record));
}

/// Fresh at every start; and a folder that the demo did not make is never touched.
#[test]
fn the_demo_starts_anew_and_touches_nothing_of_others() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let (code, told, said) = run(folder.path(), "demo --store ./mine");
        assert_eq!(code, 0, "{told}{said}");
        let (_, found, _) = run(folder.path(), "query --kind review --format jsonl --store ./mine");
        assert_eq!(found.lines().count(), 1);
    }
    std::fs::create_dir(folder.path().join("spanseal-demo")).unwrap();
    std::fs::write(folder.path().join("spanseal-demo/thesis.txt"), "years of work").unwrap();
    let (code, told, said) = run(folder.path(), "demo");
    assert_eq!((code, told.as_str()), (2, ""));
    assert!(said.contains("was not made by the demo"), "{said}");
    assert!(folder.path().join("spanseal-demo/thesis.txt").exists());
}

/// `--stay` serves on after the story, at the addresses it prints, until it is interrupted.
#[test]
fn a_demo_that_stays_serves_until_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = spanseal(folder.path(), "demo --stay").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready =
        lines.find_map(|line| line.unwrap().trim().strip_prefix("API        http://").map(str::to_owned)).expect("the API's address");
    let (address, path) = ready.split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(child.wait().unwrap().success());
}
