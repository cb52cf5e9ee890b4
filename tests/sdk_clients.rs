//! The official SDKs, as applications use them, reach the receiver with nothing configured but its address: their flush ends with
//! a success answer, which means that the evidence is sealed, and what they sent is found.

use std::process::Command;

use serde_json::Value;

use crate::support::receiver::{Finished, Receiver, Site};
use crate::support::tools::{self, tool};

/// What one client run came to.
pub(crate) struct Sent {
    pub(crate) spans: Value,
}

pub(crate) fn sent(client: Command) -> Sent {
    sent_of(client, &["traces", "logs", "metrics"])
}

/// The same of a client that was told to export these signals alone.
pub(crate) fn sent_of(mut client: Command, signals: &[&str]) -> Sent {
    // A proxy of the machine must not come between two processes on loopback.
    for key in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy"] {
        client.env_remove(key);
    }
    let finished = Finished::of(client).success();
    let said: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("the client printed no JSON ({e}): {finished}"));
    for signal in signals {
        assert_eq!(said["flushed"][signal], true, "flush of {signal}: {finished}");
    }
    Sent { spans: said["sent"].clone() }
}

/// A success answer is a receipt: straight after the flush, with the receiver killed, what was sent is in the store.
fn found(site: &Site, receiver: Receiver, sent: &Sent) {
    receiver.kill();
    let trace = sent.spans["chat"]["trace_id"].as_str().unwrap();
    let out = site.run(&["query", "--trace-id", trace, "--format", "json"]).success();
    let rows: Vec<Value> = serde_json::from_str(&out.stdout).unwrap();
    let spans = |name: &str| -> Vec<&Value> {
        let id = &sent.spans[name]["span_id"];
        rows.iter().map(|r| &r["record"]).filter(|r| r["source"]["signal"] == "span" && &r["trace"]["span_id"] == id).collect()
    };
    assert_eq!((spans("web").len(), spans("chat").len(), spans("tool").len()), (0, 1, 1), "{out}");
    let chat = spans("chat")[0];
    assert_eq!(chat["kind"], "inference");
    assert_eq!(chat["model"]["id"], "test-model-2026-01-01");
    assert_eq!(chat["usage"]["input_tokens"], "11");
    assert_eq!(chat["output"]["finish_reasons"][0], "stop");
    assert!(chat["actor"]["user_id"].as_str().is_some_and(|p| p.starts_with("ps:")), "{chat}");
    assert_eq!(spans("tool")[0]["tool"]["name"], "lookup");
    let logs: Vec<_> = rows.iter().map(|r| &r["record"]).filter(|r| r["source"]["signal"] == "log").collect();
    assert_eq!(logs.len(), 1, "the event of the chat is a record, the application's line is none: {out}");
    assert_eq!(logs[0]["trace"]["span_id"], sent.spans["chat"]["span_id"]);
    assert!(!out.stdout.contains("very secret") && !out.stdout.contains("alice@"), "{out}");
    site.verified();
}

fn python(protocol: &str) {
    let Some(interpreter) = tool("python", &format!("the Python SDK over {protocol}")) else { return };
    let site = Site::local();
    let receiver = site.serve();
    let address = if protocol == "grpc" { receiver.grpc } else { receiver.http };
    let mut client = Command::new(interpreter);
    client.arg(tools::scripts().join("clients/python_sdk.py")).args([protocol, &format!("http://{address}")]);
    let sent = sent(client);
    found(&site, receiver, &sent);
}

/// The Python SDK with its gRPC exporters.
#[test]
fn the_python_sdk_over_grpc() {
    python("grpc");
}

/// The Python SDK with its HTTP exporters, protobuf bodies.
#[test]
fn the_python_sdk_over_http() {
    python("http");
}

/// The JS SDK with its HTTP exporters, JSON bodies sent in chunks.
#[test]
fn the_js_sdk_over_http_with_json() {
    let Some(folder) = tool("node", "the JS SDK over HTTP with JSON") else { return };
    let site = Site::local();
    let receiver = site.serve();
    let mut client = Command::new("node");
    client.arg(tools::scripts().join("clients/js_sdk.mjs")).arg(format!("http://{}", receiver.http)).current_dir(folder);
    let sent = sent(client);
    found(&site, receiver, &sent);
}
