//! The examples of the reference of attributes (`src/lint/ATTRIBUTES.md`) do what they say: they run as they are printed there, with the
//! official SDKs, and what they report is found as a decision and its review.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::receiver::{Finished, Receiver, Site};
use crate::support::tools::tool;

#[path = "../src/lint/examples/decision.rs"]
mod decision;

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/lint/examples").join(name)
}

fn without_proxies(command: &mut Command) {
    // A proxy of the machine must not come between two processes on loopback.
    for key in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy"] {
        command.env_remove(key);
    }
}

/// What every example reports: read from the receiver after it was killed, since an export that was answered with success has
/// its receipt.
fn reported(site: &Site, receiver: Receiver) {
    receiver.kill();
    let out = site.run(&["query", "--decision", "loan-2026-0042", "--format", "json"]).success();
    let rows: Vec<Value> = serde_json::from_str(&out.stdout).unwrap();
    let of_kind = |kind: &str| -> Value {
        let found: Vec<&Value> = rows.iter().map(|row| &row["record"]).filter(|record| record["kind"] == kind).collect();
        assert_eq!(found.len(), 1, "records of kind {kind}: {out}");
        found[0].clone()
    };
    let decision = of_kind("decision");
    assert_eq!(
        decision["decision"],
        json!({"id": "loan-2026-0042", "type": "credit_approval", "outcome": "declined", "automation_level": "human_in_the_loop"})
    );
    assert_eq!(decision["confidence"], json!({"score": 0.72, "method": "calibrated", "threshold": 0.85, "threshold_met": false}));
    assert_eq!(decision["evidence"]["derived"]["confidence.threshold_met"], "computed");
    assert_eq!((&decision["model"]["id"], &decision["model"]["version"]), (&json!("credit-pd-scorecard"), &json!("4.2.1")));
    assert_eq!(decision["policy"], json!({"id": "underwriting-ai-policy", "version": "7"}));
    assert_eq!((&decision["review"]["required"], &decision["system"]["risk_class"]), (&json!(true), &json!("high")));
    assert_eq!((&decision["source"]["service"], &decision["source"]["environment"]), (&json!("credit-scoring"), &json!("production")));
    // An example that lacks what a decision requires would teach others to.
    assert!(decision["evidence"].get("missing").is_none() && decision["evidence"].get("conflicts").is_none(), "{decision}");
    let review = of_kind("review");
    assert_eq!(review["source"]["event_name"], "ai_audit.review.completed");
    assert_eq!(review["decision"]["id"], "loan-2026-0042");
    let said = &review["review"];
    assert_eq!((&said["status"], &said["decision"], &said["overridden"]), (&json!("completed"), &json!("modified"), &json!(true)));
    assert_eq!((&said["original_outcome"], &said["final_outcome"]), (&json!("declined"), &json!("approved")));
    assert_eq!((&said["reviewer"]["kind"], &said["reviewer"]["role"]), (&json!("human"), &json!("senior_underwriter")));
    assert!(review["evidence"].get("missing").is_none() && review["evidence"].get("conflicts").is_none(), "{review}");
    for person in [&decision["subject"]["id"], &said["reviewer"]["id"]] {
        assert!(person.as_str().is_some_and(|person| person.starts_with("ps:")), "{person}");
    }
    for secret in ["cust-88421", "rev_7f3a", "income 4100", "debt ratio"] {
        assert!(!out.stdout.contains(secret), "{secret}: {out}");
    }
    site.verified();
}

/// Where nobody listens.
fn dead_port() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// An example whose receiver is not there says so and fails; otherwise whoever copies it would lose evidence without a word.
fn fails_loudly(mut command: Command, timeout: &str) {
    without_proxies(&mut command);
    // Else the SDKs try again for ten seconds.
    command.env("OTEL_EXPORTER_OTLP_TIMEOUT", timeout);
    let finished = Finished::of(command);
    assert_eq!(finished.status.code(), Some(1), "{finished}");
    assert!(finished.stderr.contains("not acknowledged"), "{finished}");
}

/// The Python example.
#[test]
fn the_python_example() {
    let Some(interpreter) = tool("python", "the Python example") else { return };
    let site = Site::local();
    let receiver = site.serve();
    let to = |address| {
        let mut command = Command::new(&interpreter);
        command.arg(example("decision.py")).arg(format!("http://{address}"));
        command
    };
    let mut command = to(receiver.http);
    without_proxies(&mut command);
    Finished::of(command).success();
    fails_loudly(to(dead_port()), "1");
    reported(&site, receiver);
}

/// The JavaScript example. Packages are looked for beside the file, so it is run from a copy beside them.
#[test]
fn the_javascript_example() {
    let Some(folder) = tool("node", "the JavaScript example") else { return };
    let beside = tempfile::Builder::new().prefix("example-").tempdir_in(folder).unwrap();
    let copy = beside.path().join("decision.mjs");
    std::fs::copy(example("decision.mjs"), &copy).unwrap();
    let site = Site::local();
    let receiver = site.serve();
    let to = |address| {
        let mut command = Command::new("node");
        command.arg(&copy).arg(format!("http://{address}"));
        command
    };
    let mut command = to(receiver.http);
    without_proxies(&mut command);
    Finished::of(command).success();
    fails_loudly(to(dead_port()), "1000");
    reported(&site, receiver);
}

/// The Rust example, over gRPC.
#[test]
fn the_rust_example() {
    let site = Site::local();
    let receiver = site.serve();
    let runtime = crate::support::runtime();
    // The exporter speaks through the runtime that it was made in; a flush blocks, so it is called on a thread of its own.
    let report = |address: std::net::SocketAddr| {
        let endpoint = format!("http://{address}");
        runtime
            .block_on(async { tokio::task::spawn_blocking(move || decision::report(&endpoint).map_err(|e| e.to_string())).await })
            .unwrap()
    };
    report(receiver.grpc).unwrap();
    assert!(report(dead_port()).is_err(), "nobody listens, and the example says nothing");
    reported(&site, receiver);
}
