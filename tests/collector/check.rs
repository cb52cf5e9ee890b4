//! `spanseal collector check`: nothing is found in the files that we hand out, each mistake is found where it was made, and what cannot be
//! judged is said.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::otelcol;
use crate::support::receiver::{BINARY, Finished};

fn run(file: &std::path::Path, more: &[&str]) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let mut check = Command::new(BINARY);
    check.args(["collector", "check"]).arg(file).args(more).current_dir(folder.path());
    check.env_remove("SPANSEAL_CONFIG").env_remove("SPANSEAL_STORE");
    Finished::of(check)
}

fn report(file: &std::path::Path, more: &[&str]) -> (Option<i32>, Value) {
    let told = run(file, &[&["--format", "json"], more].concat());
    let report = serde_json::from_str(&told.stdout).unwrap_or_else(|e| panic!("{e}: {told}"));
    (told.status.code(), report)
}

fn kinds(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|found| found["kind"].as_str().unwrap()).collect()
}

#[test]
fn nothing_is_found_in_what_we_hand_out() {
    for file in otelcol::configurations() {
        let (code, report) = report(&file, &[]);
        assert_eq!((code, kinds(&report).len()), (Some(0), 0), "{}: {report:#}", file.display());
        assert_eq!(report["assumed"], Value::Null);
        let unjudged = report["unjudged"].as_array().unwrap();
        let only_logs = file.ends_with("logs.yaml") && unjudged.len() == 1 && unjudged[0]["component"] == "traces";
        assert!(unjudged.is_empty() || only_logs, "{}: {report:#}", file.display());
    }
}

/// Somebody else's file: another exporter, connectors, anchors, variables, and nothing wrong on the way to us.
const GOOD: &str = r#"
receivers:
  otlp: {protocols: {grpc: {}, http: {endpoint: "${env:HOST}:14318"}}}
processors:
  resourcedetection: {detectors: [env], override: false}
  probabilistic_sampler: {sampling_percentage: 15}
  logdedup: {interval: 10s}
  attributes:
    actions:
      - {key: env, value: prod, action: insert}
      - {key: user.id, action: hash}
  resource: {attributes: [{key: host.name, action: delete}]}
  redaction: {allow_all_keys: true, blocked_values: ["4[0-9]{15}"]}
  span: {name: {from_attributes: [db.system]}}
  filter/health:
    error_mode: ignore
    trace_conditions: ['span.name == "/healthz"']
  filter/old: {error_mode: ignore, traces: {span: ['name == "/healthz"']}}
  groupbytrace: {wait_duration: 1s}
  mystery: {}
  transform/tag:
    error_mode: ignore
    trace_statements:
      - context: span
        statements: ['set(attributes["team"], "claims")']
x-safe: &safe
  timeout: 30s
  retry_on_failure: {max_elapsed_time: 0}
exporters:
  debug: {}
  otlphttp/spanseal:
    <<: *safe
    endpoint: https://audit.example.com:4318
    tls: {ca_file: ca.pem}
    sending_queue: {wait_for_result: true, block_on_overflow: true}
connectors:
  forward: {}
service:
  pipelines:
    traces/in: {receivers: [otlp], processors: [], exporters: [forward, debug]}
    traces/out: {receivers: [forward], processors: &way [resourcedetection], exporters: [otlphttp/spanseal]}
    logs: {receivers: [otlp], exporters: [otlphttp/spanseal, debug]}
"#;

/// A good file with something put in the place of something else.
fn seeded(name: &str, from: &str, to: &str) -> (tempfile::TempDir, PathBuf, String) {
    let text = if name == "good" { GOOD.to_owned() } else { std::fs::read_to_string(otelcol::configuration(name)).unwrap() };
    assert!(text.contains(from), "{name} has no `{from}`");
    let text = text.replacen(from, to, 1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("otelcol.yaml");
    std::fs::write(&file, &text).unwrap();
    (folder, file, text)
}

/// File, what stands there, what is put there, the kind that is found, and a text of the line that it is found at.
const MISTAKES: &[(&str, &str, &str, &str, &str)] = &[
    // Sampling.
    (
        "tail-sampling.yaml",
        "processors: [transform/spanseal_mark,",
        "processors: [tail_sampling, transform/spanseal_mark,",
        "sampled",
        "tail_sampling:",
    ),
    ("good", "[resourcedetection]", "[resourcedetection, probabilistic_sampler]", "sampled", "probabilistic_sampler:"),
    ("good", "[resourcedetection]", "[resourcedetection, logdedup]", "sampled", "logdedup:"),
    // Before a connector that leads to us, too.
    ("good", "processors: []", "processors: [probabilistic_sampler]", "sampled", "probabilistic_sampler:"),
    // What is held before it is safe.
    ("agent.yaml", "transform/spanseal_unmark]", "transform/spanseal_unmark, batch]", "held_in_memory", "  batch: {}"),
    ("minimal.yaml", "      wait_for_result: true\n", "", "queue_in_memory", "sending_queue:"),
    ("agent.yaml", "      storage: file_storage/spanseal\n", "", "queue_in_memory", "sending_queue:"),
    ("gateway.yaml", "        sending_queue: {enabled: false}\n", "", "queue_in_memory", "otlp:"),
    ("agent.yaml", "    fsync: true", "    fsync: false", "storage_not_synced", "fsync: false"),
    ("agent.yaml", "./otelcol-spanseal", "/tmp", "storage_volatile", "directory:"),
    ("agent.yaml", "    fsync: true", "    fsync: true\n    recreate: true", "storage_volatile", "recreate: true"),
    ("minimal.yaml", "      block_on_overflow: true\n", "", "queue_overflow", "sending_queue:"),
    ("gateway.yaml", "max_size: 15728640", "max_size: 157286400", "batch_unbounded", "max_size: 157286400"),
    ("gateway.yaml", ", max_size: 15728640", "", "batch_unbounded", "batch: {"),
    ("gateway.yaml", "max_size: 15728640", "max_size: 8388608", "batch_drops", "max_size: 8388608"),
    // What is let in, and refused behind it.
    ("agent.yaml", ", max_request_body_size: 14680064", "", "lets_in_too_much", "http: {endpoint"),
    ("tap.yaml", "max_recv_msg_size_mib: 14", "max_recv_msg_size_mib: 64", "lets_in_too_much", "max_recv_msg_size_mib: 64"),
    ("gateway.yaml", "max_request_body_size: 14680064", "max_request_body_size: 15728641", "batch_drops", "max_size: 15728640"),
    // As much as spanseal takes leaves no room for what the Collector adds.
    ("tap.yaml", "max_recv_msg_size_mib: 14", "max_recv_msg_size_mib: 16", "lets_in_too_much", "max_recv_msg_size_mib: 16"),
    // What gives up.
    (
        "minimal.yaml",
        "      wait_for_result: true\n",
        "      wait_for_result: true\n      batch: {sizer: bytes, min_size: 1048576, max_size: 15728640, flush_timeout: 20s}\n",
        "timeout_short",
        "flush_timeout: 20s",
    ),
    ("minimal.yaml", "timeout: 30s", "timeout: 2s", "timeout_short", "timeout: 2s"),
    ("minimal.yaml", "    timeout: 30s\n", "", "timeout_short", "otlp_grpc/spanseal:"),
    ("gateway.yaml", "        timeout: 30s", "        timeout: 3s", "timeout_short", "timeout: 3s"),
    ("minimal.yaml", "{enabled: true, max_elapsed_time: 0s}", "{enabled: false}", "retry_off", "retry_on_failure"),
    ("minimal.yaml", "max_elapsed_time: 0s", "max_elapsed_time: 300s", "retry_gives_up", "max_elapsed_time: 300s"),
    ("minimal.yaml", "    retry_on_failure: {enabled: true, max_elapsed_time: 0s}\n", "", "retry_gives_up", "otlp_grpc/spanseal:"),
    (
        "gateway.yaml",
        "    retry_on_failure: {enabled: true, initial_interval: 1s, max_interval: 30s, max_elapsed_time: 0s}\n",
        "",
        "retry_off",
        "enabled: false",
    ),
    // What changes evidence.
    (
        "tap.yaml",
        "    traces/spanseal: {receivers: [otlp],",
        "    traces/spanseal: {receivers: [otlp], processors: [transform/mask],",
        "evidence_cut",
        "delete_matching_keys",
    ),
    (
        "tap.yaml",
        "    traces/spanseal: {receivers: [otlp],",
        "    traces/spanseal: {receivers: [otlp], processors: [memory_limiter],",
        "refuses",
        "memory_limiter: {",
    ),
    ("good", "[resourcedetection]", "[resourcedetection, attributes]", "evidence_cut", "action: hash"),
    ("good", "[resourcedetection]", "[resourcedetection, resource]", "evidence_cut", "action: delete"),
    ("good", "[resourcedetection]", "[resourcedetection, redaction]", "evidence_cut", "redaction:"),
    ("good", "[resourcedetection]", "[resourcedetection, span]", "evidence_cut", "span:"),
    ("good", "[env], override: false", "[env]", "evidence_cut", "resourcedetection:"),
    (
        "agent.yaml",
        "transform/spanseal_unmark:\n    error_mode: ignore\n",
        "transform/spanseal_unmark:\n",
        "statement_fails",
        "transform/spanseal_unmark:",
    ),
    ("agent.yaml", "filter/spanseal, transform/spanseal_unmark]", "filter/spanseal]", "mark_left", "set(span.attributes"),
    ("logs.yaml", "filter/spanseal, transform/spanseal_unmark]", "filter/spanseal]", "mark_left", "set(log.attributes"),
    (
        "agent.yaml",
        r#"keep_matching_keys(span.cache["keys"],"#,
        "keep_matching_keys(span.attributes,",
        "evidence_cut",
        "keep_matching_keys(span.attributes,",
    ),
    ("good", "[resourcedetection]", "[resourcedetection, filter/health]", "filter_differs", "trace_conditions:"),
    ("good", "[resourcedetection]", "[resourcedetection, filter/old]", "filter_differs", "filter/old:"),
    ("good", "[resourcedetection]", "[resourcedetection, groupbytrace]", "held_in_memory", "groupbytrace:"),
    // The filter.
    ("agent.yaml", "genkit:type|", "", "filter_differs", "trace_conditions:"),
    ("agent.yaml", "or span.attributes[\"az.namespace\"]", "or span.attributes[\"az\"]", "filter_differs", "trace_conditions:"),
    ("agent.yaml", "processors: [transform/spanseal_mark, filter", "processors: [filter", "filter_differs", "trace_conditions:"),
    // What one group of statements copied, the next does not see; nor does it under a condition.
    (
        "agent.yaml",
        "          - |-\n            keep_matching_keys(span.",
        "      - statements:\n          - |-\n            keep_matching_keys(span.",
        "filter_differs",
        "trace_conditions:",
    ),
    (
        "agent.yaml",
        "      - statements:\n",
        "      - conditions: [span.kind == SPAN_KIND_CLIENT]\n        statements:\n",
        "filter_differs",
        "trace_conditions:",
    ),
    ("logs.yaml", "or (IsString(log.body)", "or (IsString(log.severity_text)", "filter_differs", "log_conditions:"),
    ("logs.yaml", "keep_matching_keys(log.cache", "delete_matching_keys(log.cache", "filter_differs", "log_conditions:"),
    ("logs.yaml", "processors: [transform/spanseal_mark, filter", "processors: [filter", "filter_differs", "log_conditions:"),
    ("logs.yaml", "  filter/spanseal:\n    error_mode: ignore\n", "  filter/spanseal:\n", "filter_fails", "filter/spanseal:"),
    // Where it goes.
    ("minimal.yaml", "127.0.0.1:14317", "spanseal.example.com:4317", "not_encrypted", "tls: {insecure"),
    ("gateway.yaml", "127.0.0.1:15317", "spanseal-2.example.com:4317", "not_encrypted", "tls: {insecure"),
    ("good", "ca_file: ca.pem", "insecure_skip_verify: true", "not_encrypted", "insecure_skip_verify"),
    ("good", "https://audit.example.com:4318", "http://audit.example.com:4318", "not_encrypted", "endpoint: http:"),
    ("good", "audit.example.com:4318", "audit.example.com:4317", "endpoint_wrong", "endpoint:"),
    ("good", "audit.example.com:4318", "audit.example.com:4318/v1/traces", "endpoint_wrong", "endpoint:"),
    ("minimal.yaml", "127.0.0.1:14317", "127.0.0.1:8720", "endpoint_wrong", "endpoint: ${env:SPANSEAL"),
    ("minimal.yaml", "127.0.0.1:14317", "127.0.0.1:4317", "endpoint_wrong", "endpoint: ${env:SPANSEAL"),
    ("gateway.yaml", "routing_key: traceID", "routing_key: service", "not_by_trace", "routing_key: service"),
    // Which pipelines.
    ("good", "exporters: [otlphttp/spanseal, debug]", "exporters: [debug]", "signal_missing", "logs:"),
    ("tap.yaml", "    logs/spanseal: {receivers: [otlp], exporters: [otlp_grpc/spanseal]}", "", "signal_missing", "    logs: {receivers"),
    (
        "tap.yaml",
        "    traces: {receivers: [otlp],",
        "    traces/old: {receivers: [zipkin], exporters: [otlp_grpc/backend]}\n    traces: {receivers: [otlp],",
        "receiver_left_out",
        "traces/old:",
    ),
    (
        "minimal.yaml",
        "  otlp_grpc/spanseal:\n",
        "  otlp_grpc/spanseal-2: {endpoint: x}\n  otlp_grpc/spanseal:\n",
        "unused",
        "otlp_grpc/spanseal-2:",
    ),
    ("minimal.yaml", "    endpoint: ${env:SPANSEAL_GRPC_ENDPOINT:-127.0.0.1:14317}\n", "", "does_not_start", "otlp_grpc/spanseal:"),
    ("agent.yaml", "  extensions: [file_storage/spanseal]", "  extensions: []", "does_not_start", "storage: file_storage"),
    ("agent.yaml", "storage: file_storage/spanseal", "storage: file_storage/other", "does_not_start", "storage: file_storage/other"),
    ("secure.yaml", "authenticator: bearertokenauth/spanseal", "authenticator: bearertokenauth/x", "does_not_start", "authenticator:"),
    (
        "agent.yaml",
        "      storage: file_storage/spanseal\n",
        "      storage: file_storage/spanseal\n      wait_for_result: true\n",
        "does_not_start",
        "wait_for_result",
    ),
    ("logs.yaml", "_mark, filter/spanseal,", "_mark, filter/spanseals,", "does_not_start", "filter/spanseals,"),
];

/// Each mistake in an otherwise good file is found, at its line, with exit code 1.
#[test]
fn each_mistake_is_found_at_its_line() {
    let mut seen = std::collections::BTreeSet::new();
    for (name, from, to, kind, line) in MISTAKES {
        let (_folder, file, text) = seeded(name, from, to);
        let (code, report) = report(&file, &[]);
        let at = |found: &Value| text.lines().nth(found["line"].as_u64().unwrap() as usize - 1).unwrap().to_owned();
        let findings = report["findings"].as_array().unwrap();
        let hit = findings.iter().any(|found| found["kind"] == *kind && at(found).contains(line));
        assert!(hit, "{name}, `{to}` for `{from}`: no {kind} at `{line}`: {report:#}");
        assert_eq!(code, Some(1));
        seen.insert(*kind);
    }
    assert!(seen.len() >= 20, "{} kinds: {seen:?}", seen.len());
}

/// `otelcol print-config` makes one file of several, and writes out what nobody said: that is no mistake.
#[test]
fn what_print_config_adds_is_nothing() {
    for (name, from, to) in [
        ("minimal.yaml", "      wait_for_result: true\n", "      wait_for_result: true\n      batch: null\n"),
        (
            "agent.yaml",
            "  filter/spanseal:\n    error_mode: ignore\n",
            "  filter/spanseal:\n    error_mode: ignore\n    logs: {log_record: []}\n    traces: {span: [], spanevent: []}\n",
        ),
        (
            "agent.yaml",
            "      - statements:\n",
            "      - conditions: []\n        context: \"\"\n        error_mode: \"\"\n        statements:\n",
        ),
    ] {
        let (_folder, file, _) = seeded(name, from, to);
        let (code, report) = report(&file, &[]);
        assert_eq!((code, kinds(&report)), (Some(0), vec![]), "{name}: {report:#}");
    }
}

/// What is not known is told by its name, and is no mistake.
#[test]
fn what_cannot_be_judged_is_said() {
    let (_folder, file, _) = seeded("good", "[resourcedetection]", "[resourcedetection, mystery, transform/tag]");
    let (code, report) = report(&file, &[]);
    assert_eq!((code, kinds(&report)), (Some(0), vec![]), "{report:#}");
    let said: Vec<&str> = report["unjudged"].as_array().unwrap().iter().map(|u| u["component"].as_str().unwrap()).collect();
    assert_eq!(said, ["mystery", "transform/tag"], "{report:#}");

    let (_folder, file, _) = seeded("good", "https://audit.example.com:4318", "${env:WHERE}");
    let told = run(&file, &[]);
    assert!(told.status.success() && told.stdout.contains("not judged: otlphttp/spanseal: `endpoint` is not known here"), "{told}");
}

/// Which exporter is meant is never guessed in silence.
#[test]
fn the_exporter_is_told_assumed_or_asked_for() {
    let audit = |more: &str| seeded("good", "exporters:\n  debug: {}\n", &format!("exporters:\n  debug: {{}}\n{more}"));
    let (_folder, file, text) = audit("");
    std::fs::write(&file, text.replace("otlphttp/spanseal", "otlphttp/audit")).unwrap();
    let (code, only) = report(&file, &[]);
    assert_eq!(code, Some(0));
    assert!(only["assumed"].as_str().unwrap().contains("`otlphttp/audit` is taken"), "{only:#}");
    assert_eq!(report(&file, &["--exporter", "otlphttp/audit"]).1["assumed"], Value::Null);

    let (_folder, file, text) = audit("  otlp/other: {endpoint: other:4317}\n");
    std::fs::write(&file, text.replace("otlphttp/spanseal", "otlphttp/audit")).unwrap();
    let told = run(&file, &[]);
    assert_eq!(told.status.code(), Some(2), "{told}");
    assert!(told.stderr.contains("Say --exporter with one of: otlp/other, otlphttp/audit"), "{told}");
    assert_eq!(run(&file, &["--exporter", "otlphttp/audit"]).status.code(), Some(0));
    let told = run(&file, &["--exporter", "debug"]);
    assert!(told.status.code() == Some(2) && told.stderr.contains("no exporter of OTLP"), "{told}");
    let told = run(&file, &["--exporter", "nosuch"]);
    assert!(told.status.code() == Some(2) && told.stderr.contains("it has: debug, otlp/other, otlphttp/audit"), "{told}");
}

/// What cannot be read is no "nothing found".
#[test]
fn what_cannot_be_read_is_told_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("otelcol.yaml");
    for (text, says) in [
        ("exporters: [", "not readable as YAML"),
        ("exporters: {otlp/spanseal: {}}\n", "no `service`"),
        ("exporters: {debug: {}}\nservice: {pipelines: {}}\n", "no exporter of OTLP"),
        ("exporters: {otlp/spanseal: {}}\nservice: {pipelines: {traces: {receivers: otlp}}}\n", ":2:"),
        ("- a\n", "is a map of keys, and here stands a list"),
    ] {
        std::fs::write(&file, text).unwrap();
        let told = run(&file, &[]);
        assert!(told.status.code() == Some(2) && told.stderr.contains(says) && told.stdout.is_empty(), "{text}: {told}");
    }
    let told = run(&folder.path().join("nosuch.yaml"), &[]);
    assert!(told.status.code() == Some(2) && told.stderr.contains("nosuch.yaml cannot be read"), "{told}");
}

/// A filter printed for one configuration is none for another.
#[test]
fn the_filter_is_compared_with_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("spanseal.yaml");
    let rules = "promotion: {rules: [{name: a, match: {has: [audit.decision]}, kind: decision}]}\nseal: {max_delay: 5s}\n";
    std::fs::write(&config, rules).unwrap();
    let with = ["--config", &config.display().to_string()];
    let (code, report_of_old) = report(&otelcol::configuration("agent.yaml"), &with);
    assert_eq!((code, kinds(&report_of_old)), (Some(1), vec!["filter_differs"]), "{report_of_old:#}");

    let mut print = Command::new(BINARY);
    print.args(["collector", "filter"]).args(with).env_remove("SPANSEAL_CONFIG").env_remove("SPANSEAL_STORE");
    let printed = Finished::of(print).success().stdout;
    let file = folder.path().join("printed.yaml");
    std::fs::write(&file, format!("receivers: {{otlp: {{protocols: {{grpc: {{}}}}}}}}\n{printed}")).unwrap();
    let (code, report_of_new) = report(&file, &with);
    assert_eq!((code, kinds(&report_of_new)), (Some(0), vec![]), "{report_of_new:#}");
    // And to a reader, with the line and what to write instead.
    let told = run(&file, &[]);
    assert_eq!(told.status.code(), Some(1));
    assert!(
        told.stdout.contains("printed.yaml:") && told.stdout.contains("    instead: what `spanseal collector filter` prints"),
        "{told}"
    );
}

/// A configuration that passes everything is as good, and is printed as such.
#[test]
fn everything_that_is_printed_is_found_good() {
    let folder = tempfile::tempdir().unwrap();
    let mut print = Command::new(BINARY);
    print
        .args(["collector", "filter", "--everything"])
        .current_dir(folder.path())
        .env_remove("SPANSEAL_CONFIG")
        .env_remove("SPANSEAL_STORE");
    let printed = Finished::of(print).success().stdout;
    assert!(!printed.contains("processors"), "{printed}");
    let file = folder.path().join("printed.yaml");
    std::fs::write(&file, format!("receivers: {{otlp: {{protocols: {{grpc: {{}}}}}}}}\n{printed}")).unwrap();
    let (code, report) = report(&file, &[]);
    assert_eq!((code, kinds(&report)), (Some(0), vec![]), "{report:#}");
}
