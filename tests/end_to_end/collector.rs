//! A real OpenTelemetry Collector between the application and the receiver, with the configurations of `collector-config/`, so that they
//! cannot rot.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{AI_SPANS, request, trace_id};
use crate::support::captures::Signal;
use crate::support::otlp::GrpcClient;
use crate::support::receiver::{Finished, Site};
use crate::support::{eventually, runtime, tools};

/// The Collector's program, built once into the folder of tools; `None` where that cannot be.
fn program(what: &str) -> Option<PathBuf> {
    let mut build = Command::new("bash");
    build.arg(tools::scripts().join("collector/build.sh")).arg(tools::folder().join("collector"));
    let finished = Finished::of(build);
    if finished.status.code() == Some(77) {
        tools::skip("collector", what, finished.stdout.trim(), "install Go 1.25 or newer, then run tests/run");
        return None;
    }
    Some(PathBuf::from(finished.success().stdout.trim()))
}

fn configurations() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("collector-config");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files.into_iter().filter(|f| f.extension().is_some_and(|e| e == "yaml")).collect()
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Ended with the test.
struct Collector(Child);

impl Drop for Collector {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The Collector itself accepts every configuration that we hand out.
#[test]
fn every_collector_configuration_is_valid() {
    let Some(program) = program("validation of collector-config/") else { return };
    let files = configurations();
    assert!(!files.is_empty());
    for file in files {
        let mut validate = Command::new(&program);
        validate.args(["validate", "--config"]).arg(&file);
        Finished::of(validate).success();
    }
}

/// Application -> Collector -> receiver -> store: when the Collector has answered, the receiver can be killed and the record is there.
#[test]
fn a_collector_in_front_keeps_the_chain_of_receipts() {
    let Some(program) = program("the Collector in front of the receiver") else { return };
    let site = Site::local();
    let receiver = site.serve();
    let (grpc, http) = (free_address(), free_address());
    let log = std::fs::File::create(site.path("collector.log")).unwrap();
    let mut command = Command::new(program);
    command.arg("--config").arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("collector-config/minimal.yaml"));
    command.env("COLLECTOR_GRPC_ENDPOINT", grpc.to_string()).env("COLLECTOR_HTTP_ENDPOINT", http.to_string());
    command.env("SPANSEAL_GRPC_ENDPOINT", receiver.grpc.to_string()).env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    let _collector = Collector(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());

    runtime().block_on(async {
        let client = eventually("the Collector listens", || {
            std::net::TcpStream::connect(grpc).ok()?;
            Some(GrpcClient::connect(grpc))
        });
        let answer = client.await.unwrap().export(Signal::Traces, request(0), false).await;
        let log = std::fs::read_to_string(site.path("collector.log")).unwrap();
        answer.unwrap_or_else(|status| panic!("{status:?}\n{log}"));
    });
    receiver.kill();
    let out = site.run(&["query", "--trace-id", &trace_id(0), "--format", "jsonl"]).success();
    assert_eq!(out.stdout.lines().count(), AI_SPANS, "{out}");
    site.verified();
}
