//! What the guide `sampling` says is left out, and what of it can be seen afterwards, with the real SDK and each of its variables.

use serde_json::{Value, json};

use super::{block, one, put, records, shell};
use crate::support::receiver::{Finished, Options, Site};
use crate::support::tools::{scripts, tool};

/// The environment of a block, then an application; with `arguments` the one of `many.py`, else the example of the guide `sdk`.
fn with(site: &Site, lines: &str, interpreter: &str, arguments: Option<&str>) -> Finished {
    let many = scripts().parent().unwrap().join("guides/many.py");
    let run = match arguments {
        Some(arguments) => format!("exec '{interpreter}' '{}' {arguments}", many.display()),
        None => {
            let app = site.path("app.py");
            std::fs::write(&app, block("sdk", 1)).unwrap();
            format!("exec '{interpreter}' '{}'", app.display())
        }
    };
    shell(site.dir.path(), lines, &run, &[])
}

/// Where spans go, as the guide `sdk` says it.
fn to(receiver: &crate::support::receiver::Receiver) -> String {
    put(&block("sdk", 0), "127.0.0.1:4318", receiver.http)
}

/// A caller that was not sampled.
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// Head sampling leaves nothing, and nothing that says so; whoever calls decides by default, and not with `always_on`, whose record names
/// a parent that is not there.
#[test]
fn a_sampler_leaves_no_trace_of_what_it_left_out() {
    let Some(interpreter) = tool("python", "the guide `sampling`, samplers") else { return };
    let site = Site::local();
    let receiver = site.serve();
    let run = |lines: &str, arguments| with(&site, &(to(&receiver) + lines), &interpreter, arguments).success();
    run(&block("sampling", 0), None);
    run(&block("sampling", 0), Some("5"));
    let unsampled = format!("1 {UNSAMPLED}");
    run("", Some(&unsampled));
    assert_eq!(records(&site).len(), 0, "the caller's decision is followed");
    let report = site.verified();
    assert!(!report.to_string().contains("sampl"), "{report}");
    run(&block("sampling", 1), Some(&unsampled));
    let record = one(&records(&site), "inference");
    assert_eq!(record["trace"]["parent_span_id"], "00f067aa0ba902b7");
    let told = site.run(&["show", record["id"].as_str().unwrap()]).success().stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("the log has no record of that span"), "{told}");
    receiver.kill();
    site.verified();
}

/// What a count limit took is counted; what a length limit took is not.
#[test]
fn limits_of_spans_are_told_or_not() {
    let Some(interpreter) = tool("python", "the guide `sampling`, limits") else { return };
    let site = Site::local();
    let receiver = site.serve();
    with(&site, &to(&receiver), &interpreter, None).success();
    let whole = records(&site);
    with(&site, &(to(&receiver) + &block("sampling", 2)), &interpreter, None).success();
    let fewer = records(&site).split_off(1);
    with(&site, &(to(&receiver) + &block("sampling", 3)), &interpreter, None).success();
    let shorter = records(&site).split_off(2);
    receiver.kill();
    let (whole, fewer, shorter) = (one(&whole, "inference"), &fewer[0], &shorter[0]);
    assert!(whole["evidence"].get("dropped").is_none());
    assert_eq!(fewer["evidence"]["dropped"]["attributes"], "4", "eight were set, four are kept: {fewer}");
    let told = site.run(&["show", fewer["id"].as_str().unwrap()]).success().stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("the sender says that it dropped"), "{told}");
    assert_eq!(shorter["input"]["bytes"], "20", "{shorter}");
    assert_ne!(whole["input"]["bytes"], "20");
    for silent in ["truncated", "dropped", "conflicts"] {
        assert!(shorter["evidence"].get(silent).is_none(), "{silent}: {shorter}");
    }
    assert!(shorter["input"].get("truncated").is_none());
    site.verified();
}

/// While one batch waits for its receipt, what does not fit the queue is gone: the SDK's own log says so and no record does.
#[test]
fn a_full_queue_drops_without_a_word_to_anybody_else() {
    let Some(interpreter) = tool("python", "the guide `sampling`, queues") else { return };
    // Long enough for a burst, since a batch waits that long.
    let site = Site::with(Options { max_delay: "2s".to_owned(), ..Options::default() });
    let receiver = site.serve();
    let burst = with(&site, &(to(&receiver) + &block("sampling", 4)), &interpreter, Some("200")).success();
    receiver.kill();
    let records = records(&site);
    assert!(!records.is_empty() && records.len() < 200, "{} of 200", records.len());
    assert!(burst.stderr.contains("Queue full, dropping"), "{burst}");
    assert!(records.iter().all(|record| record["evidence"].get("dropped").is_none()), "{records:#?}");
    // What the guide advises: numbers that the application gives.
    let last = records.iter().filter_map(|record| record["decision"]["id"].as_str()?.strip_prefix("case-")?.parse::<usize>().ok()).max();
    assert!(last.is_some_and(|last| last + 1 > records.len()), "the gap shows: {last:?} of {}", records.len());
    site.verified();
}

/// An exporter that gives up too early believes to have lost what is sealed.
#[test]
fn a_timeout_shorter_than_a_seal_loses_nothing_here() {
    let Some(interpreter) = tool("python", "the guide `sampling`, timeouts") else { return };
    let site = Site::with(Options { max_delay: "3s".to_owned(), ..Options::default() });
    let receiver = site.serve();
    let hasty = with(&site, &(to(&receiver) + "export OTEL_EXPORTER_OTLP_TIMEOUT=1\n"), &interpreter, Some("1")).success();
    assert!(hasty.stderr.contains("Failed to export"), "{hasty}");
    assert!(receiver.stop().success());
    let ids: Vec<Value> = records(&site).iter().map(|record| record["decision"]["id"].clone()).collect();
    assert_eq!(ids, [json!("case-0")]);
    site.verified();
}
