//! A real OpenTelemetry Collector between the application and the receiver, with the smallest configuration of `collector-config/`. The
//! others are carried by `tests/collector`.

use crate::support::captures::Signal;
use crate::support::ledger::{AI_SPANS, request, trace_id};
use crate::support::otelcol::{self, Collector};
use crate::support::otlp::GrpcClient;
use crate::support::receiver::Site;
use crate::support::runtime;

/// Application -> Collector -> receiver -> store: when the Collector has answered, the receiver can be killed and the record is there.
#[test]
fn a_collector_in_front_keeps_the_chain_of_receipts() {
    let Some(program) = otelcol::program("the Collector in front of the receiver") else { return };
    let site = Site::local();
    let receiver = site.serve();
    let env = [("SPANSEAL_GRPC_ENDPOINT", receiver.grpc.to_string())];
    let collector = Collector::start(&program, &[&otelcol::configuration("minimal.yaml")], &env, site.dir.path());

    runtime().block_on(async {
        let client = GrpcClient::connect(collector.grpc).await.unwrap();
        let answer = client.export(Signal::Traces, request(0), false).await;
        answer.unwrap_or_else(|status| panic!("{status:?}\n{}", collector.said()));
    });
    receiver.kill();
    let out = site.run(&["query", "--trace-id", &trace_id(0), "--format", "jsonl"]).success();
    assert_eq!(out.stdout.lines().count(), AI_SPANS, "{out}");
    site.verified();
}
