//! `spanseal collector check`: nothing is found in the files that we hand out, each mistake is found where it was made, and what cannot be
//! judged is said.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use spanseal::collector::check::Kind;

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

/// Contrib 0.153 writes the load-balancing exporter with an underscore, and takes both.
#[test]
fn nothing_is_found_in_a_gateway_of_a_later_version() {
    let text = std::fs::read_to_string(otelcol::configuration("gateway.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("otelcol.yaml");
    let text = replaced(&text, "loadbalancing", "load_balancing");
    std::fs::write(&file, &text).unwrap();
    let (code, report) = report(&file, &[]);
    assert_eq!((code, kinds(&report).len(), report["unjudged"].as_array().unwrap().len()), (Some(0), 0, 0), "{report:#}");
    assert!(report["exporters"].to_string().contains("load_balancing/spanseal"), "{report:#}");
}

/// Somebody else's file: another exporter, connectors, anchors, variables, and nothing wrong on the way to us.
const GOOD: &str = r#"
receivers:
  otlp: {protocols: {grpc: {}, http: {endpoint: "${env:HOST}:14318"}}}
processors:
  resourcedetection: {detectors: [env], override: false}
  probabilistic_sampler: {sampling_percentage: 15}
  probabilistic_sampler/all: {sampling_percentage: 100}
  tail_sampling/all: {policies: [{name: a, type: always_sample}, {name: b, type: latency, latency: {threshold_ms: 9}}]}
  tail_sampling/small: {maximum_trace_size_bytes: 4000000, policies: [{name: a, type: always_sample}]}
  tail_sampling/some: {policies: [{name: a, type: always_sample}, {name: b, type: drop}]}
  logdedup: {interval: 10s}
  attributes:
    actions:
      - {key: env, value: prod, action: insert}
      - {key: user.id, action: hash}
  resource: {attributes: [{key: service.version, action: delete}]}
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
    sending_queue: {wait_for_result: true, block_on_overflow: true, num_consumers: 100}
connectors:
  forward: {}
service:
  pipelines:
    traces/in: {receivers: [otlp], processors: [], exporters: [forward, debug]}
    traces/out: {receivers: [forward], processors: &way [resourcedetection], exporters: [otlphttp/spanseal]}
    logs: {receivers: [otlp], exporters: [otlphttp/spanseal, debug]}
"#;

/// By trace id to several replicas, and logs by a load balancer.
const BALANCED: &str = r#"
receivers:
  otlp: {protocols: {grpc: {max_recv_msg_size_mib: 14}}}
extensions:
  file_storage: {directory: /var/lib/otelcol, fsync: true}
  bearertokenauth: {filename: token}
exporters:
  loadbalancing/spanseal:
    routing_key: traceID
    timeout: 60s
    retry_on_failure: {enabled: true, initial_interval: 1s, max_elapsed_time: 0s}
    sending_queue: {storage: file_storage, block_on_overflow: true, num_consumers: 100}
    protocol:
      otlp:
        timeout: 30s
        tls: {ca_file: ca.pem, server_name_override: spanseal.example.com}
        sending_queue: {wait_for_result: true, block_on_overflow: true, batch: {sizer: bytes, min_size: 0, max_size: 15728640, flush_timeout: 200ms}}
        retry_on_failure: {enabled: false}
    resolver: {dns: {hostname: spanseal-headless}}
  otlp_grpc/spanseal:
    endpoint: spanseal.example.com:4317
    timeout: 30s
    tls: {ca_file: ca.pem}
    retry_on_failure: {max_elapsed_time: 0s}
    sending_queue: {storage: file_storage, block_on_overflow: true, num_consumers: 100}
service:
  extensions: [file_storage, bearertokenauth]
  pipelines:
    traces: {receivers: [otlp], exporters: [loadbalancing/spanseal]}
    logs: {receivers: [otlp], exporters: [otlp_grpc/spanseal]}
"#;

/// A good file with something put in the place of something else.
fn seeded(name: &str, from: &str, to: &str) -> (tempfile::TempDir, PathBuf, String) {
    let text = match name {
        "good" => GOOD.to_owned(),
        "balanced" => BALANCED.to_owned(),
        _ => std::fs::read_to_string(otelcol::configuration(name)).unwrap(),
    };
    assert!(text.contains(from), "{name} has no `{from}`");
    let text = text.replacen(from, to, 1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("otelcol.yaml");
    std::fs::write(&file, &text).unwrap();
    (folder, file, text)
}

/// A text with something in the place of something else, wherever that stands.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "nowhere stands `{from}`:\n{text}");
    text.replace(from, to)
}

/// File, what stands there, what is put there, the kinds that are found, and a text of the line that the first of them is found at.
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
    // All of it, but what has no trace id; and all of it from memory.
    (
        "good",
        "    logs: {receivers: [otlp],",
        "    logs: {receivers: [otlp], processors: [probabilistic_sampler/all],",
        "sampled",
        "probabilistic_sampler/all:",
    ),
    ("good", "[resourcedetection]", "[resourcedetection, tail_sampling/all]", "held_in_memory", "tail_sampling/all:"),
    ("good", "[resourcedetection]", "[resourcedetection, tail_sampling/some]", "sampled", "tail_sampling/some:"),
    // All of it, but what is large.
    ("good", "[resourcedetection]", "[resourcedetection, tail_sampling/small]", "sampled", "tail_sampling/small:"),
    // Before a connector that leads to us, too.
    ("good", "processors: []", "processors: [probabilistic_sampler]", "sampled", "probabilistic_sampler:"),
    // What is held before it is safe.
    ("agent.yaml", "transform/spanseal_unmark]", "transform/spanseal_unmark, batch]", "held_in_memory", "  batch: {}"),
    ("minimal.yaml", "      wait_for_result: true\n", "", "queue_in_memory", "sending_queue:"),
    ("agent.yaml", "      storage: file_storage/spanseal\n", "", "queue_in_memory", "sending_queue:"),
    ("gateway.yaml", "          wait_for_result: true\n", "", "queue_in_memory", "        sending_queue:"),
    ("agent.yaml", "    fsync: true", "    fsync: false", "storage_not_synced", "fsync: false"),
    ("agent.yaml", "./otelcol-spanseal", "/tmp", "storage_volatile", "directory:"),
    ("agent.yaml", "    fsync: true", "    fsync: true\n    recreate: true", "storage_volatile", "recreate: true"),
    // What is compacted elsewhere is copied back, and there is a moment in which it lies nowhere whole.
    ("agent.yaml", "    fsync: true", "    fsync: true\n    compaction: {on_start: true}", "storage_volatile", "compaction:"),
    // The folder above is not the queue's own.
    (
        "agent.yaml",
        "    fsync: true",
        "    fsync: true\n    compaction: {on_rebound: true, directory: .}",
        "storage_volatile",
        "compaction: {on_rebound",
    ),
    ("minimal.yaml", "      block_on_overflow: true\n", "", "queue_overflow", "sending_queue:"),
    ("gateway.yaml", "max_size: 15728640", "max_size: 157286400", "batch_unbounded", "max_size: 157286400"),
    ("gateway.yaml", ", max_size: 15728640", "", "batch_unbounded", "batch: {"),
    ("gateway.yaml", "max_size: 15728640", "max_size: 8388608", "batch_drops", "max_size: 8388608"),
    // A key without a value is zero, and a number without a unit counts nanoseconds.
    ("minimal.yaml", "{enabled: true, max_elapsed_time: 0s}", "{enabled: , max_elapsed_time: 0s}", "retry_off", "retry_on_failure"),
    ("minimal.yaml", "max_elapsed_time: 0s}", "initial_interval: , max_elapsed_time: 0s}", "retry_without_pause", "retry_on_failure"),
    ("minimal.yaml", "    timeout: 30s\n", "    timeout: 30\n", "timeout_short", "timeout: 30"),
    ("minimal.yaml", "max_elapsed_time: 0s}", "max_elapsed_time: 0s, max_interval: 1ms}", "retry_without_pause", "max_interval: 1ms"),
    (
        "minimal.yaml",
        "max_elapsed_time: 0s}",
        "max_elapsed_time: 0s, initial_interval: 1ns}",
        "retry_without_pause",
        "initial_interval: 1ns",
    ),
    (
        "minimal.yaml",
        "max_elapsed_time: 0s}",
        "max_elapsed_time: 0s, initial_interval: 8000h}",
        "retry_gives_up",
        "initial_interval: 8000h",
    ),
    // Less than an SDK sends at once.
    ("agent.yaml", "      queue_size: 10000\n", "      queue_size: 20\n      sizer: items\n", "queue_too_small", "queue_size: 20"),
    ("agent.yaml", ", max_request_body_size: 14680064", ", max_request_body_size: -1", "lets_in_too_much", "max_request_body_size: -1"),
    // What is let in, and refused behind it.
    ("agent.yaml", ", max_request_body_size: 14680064", "", "lets_in_too_much", "http: {endpoint"),
    ("tap.yaml", "max_recv_msg_size_mib: 14", "max_recv_msg_size_mib: 64", "lets_in_too_much", "max_recv_msg_size_mib: 64"),
    (
        "gateway.yaml",
        "max_request_body_size: 14680064",
        "max_request_body_size: 15728641",
        "batch_drops batch_drops batch_drops",
        "max_size: 15728640",
    ),
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
    // Around all replicas, one after another; zero is the default.
    ("gateway.yaml", "    timeout: 60s", "    timeout: 10s", "timeout_short", "timeout: 10s"),
    ("balanced", "    timeout: 60s\n", "", "timeout_short", "loadbalancing/spanseal:"),
    ("balanced", "    timeout: 60s", "    timeout: 0s", "timeout_short", "timeout: 0s"),
    ("minimal.yaml", "{enabled: true, max_elapsed_time: 0s}", "{enabled: false}", "retry_off", "retry_on_failure"),
    ("minimal.yaml", "max_elapsed_time: 0s", "max_elapsed_time: 300s", "retry_gives_up", "max_elapsed_time: 300s"),
    ("minimal.yaml", "    retry_on_failure: {enabled: true, max_elapsed_time: 0s}\n", "", "retry_gives_up", "otlp_grpc/spanseal:"),
    (
        "gateway.yaml",
        "    retry_on_failure:\n      {enabled: true, initial_interval: 1s, max_interval: 30s, multiplier: 1.5, \
         randomization_factor: 0.5, max_elapsed_time: 0s}\n",
        "",
        "retry_off",
        "loadbalancing/spanseal:",
    ),
    // A replica's retry ends with the outer timeout and with the replica, however long it would go on.
    (
        "balanced",
        "    retry_on_failure: {enabled: true, initial_interval: 1s, max_elapsed_time: 0s}\n    sending_queue: {storage: file_storage, block_on_overflow: true, num_consumers: 100}\n    protocol:\n      otlp:\n        timeout: 30s\n        tls: {ca_file: ca.pem, server_name_override: spanseal.example.com}\n        sending_queue: {wait_for_result: true, block_on_overflow: true, batch: {sizer: bytes, min_size: 0, max_size: 15728640, flush_timeout: 200ms}}\n        retry_on_failure: {enabled: false}\n",
        "    sending_queue: {storage: file_storage, block_on_overflow: true, num_consumers: 100}\n    protocol:\n      otlp:\n        timeout: 30s\n        tls: {ca_file: ca.pem, server_name_override: spanseal.example.com}\n        sending_queue: {wait_for_result: true, block_on_overflow: true, batch: {sizer: bytes, min_size: 0, max_size: 15728640, flush_timeout: 200ms}}\n        retry_on_failure: {max_elapsed_time: 0s}\n",
        "retry_gives_up",
        "loadbalancing/spanseal:",
    ),
    ("balanced", "initial_interval: 1s, ", "", "retry_without_pause", "retry_on_failure: {enabled: true"),
    ("balanced", "exporters: [otlp_grpc/spanseal]", "exporters: [otlp_grpc/spanseal, loadbalancing/spanseal]", "logs_crawl", "logs: {"),
    (
        "minimal.yaml",
        "      wait_for_result: true\n",
        "      wait_for_result: true\n      batch: {min_size: 0, max_size: 25}\n",
        "batch_small",
        "batch: {min_size",
    ),
    // The key alone switches it on.
    ("minimal.yaml", "      wait_for_result: true\n", "      wait_for_result: true\n      batch:\n", "batch_unbounded", "batch:"),
    (
        "balanced",
        "    sending_queue: {storage: file_storage, block_on_overflow: true, num_consumers: 100}\n    protocol:",
        "    sending_queue:\n    protocol:",
        "queue_in_memory queue_overflow",
        "sending_queue:",
    ),
    // A queue that waits for few seals at a time.
    ("minimal.yaml", "num_consumers: 100", "num_consumers: 5", "consumers_few", "num_consumers: 5"),
    // A queue that is smaller than what comes in.
    ("minimal.yaml", "queue_size: 1000\n", "queue_size: 1000000\n      sizer: bytes\n", "queue_too_small", "queue_size:"),
    ("balanced", "sending_queue: {storage", "sending_queue: {sizer: bytes, storage", "queue_too_small", "sending_queue: {"),
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
        "statement_fails statement_fails",
        "transform/spanseal_unmark:",
    ),
    // What a group says of itself counts first.
    (
        "agent.yaml",
        "      - statements:\n",
        "      - error_mode: propagate\n        statements:\n",
        "statement_fails",
        "error_mode: propagate",
    ),
    // More than our mark, and our mark under a condition.
    (
        "agent.yaml",
        "delete_key(span.attributes, \"spanseal.filter.ai\")",
        "delete_matching_keys(span.attributes, \"spanseal.filter.ai|gen_ai\")",
        "evidence_cut mark_left",
        "delete_matching_keys(span.attributes",
    ),
    (
        "agent.yaml",
        "delete_key(span.attributes, \"spanseal.filter.ai\")",
        "delete_key(span.attributes, \"spanseal.filter.ai\") where span.kind == SPAN_KIND_CLIENT",
        "mark_left evidence_cut",
        "set(span.attributes",
    ),
    ("agent.yaml", "filter/spanseal, transform/spanseal_unmark]", "filter/spanseal]", "mark_left", "set(span.attributes"),
    ("logs.yaml", "filter/spanseal, transform/spanseal_unmark]", "filter/spanseal]", "mark_left", "set(log.attributes"),
    (
        "agent.yaml",
        r#"keep_matching_keys(span.cache["keys"],"#,
        "keep_matching_keys(span.attributes,",
        "evidence_cut filter_differs",
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
    (
        "logs.yaml",
        "processors: [transform/spanseal_mark, filter/spanseal, transform/spanseal_unmark]",
        "processors: [transform/spanseal_mark, transform/spanseal_unmark, filter/spanseal]",
        "filter_differs",
        "log_conditions:",
    ),
    ("logs.yaml", "  filter/spanseal:\n    error_mode: ignore\n", "  filter/spanseal:\n", "filter_fails", "filter/spanseal:"),
    (
        "logs.yaml",
        "  filter/spanseal:\n    error_mode: ignore\n",
        "  filter/spanseal:\n    error_mode: propagate\n",
        "filter_fails",
        "error_mode: propagate",
    ),
    // Where it goes.
    ("minimal.yaml", "127.0.0.1:14317", "spanseal.example.com:4317", "not_encrypted", "tls: {insecure"),
    ("gateway.yaml", "127.0.0.1:15317", "spanseal-2.example.com:4317", "not_encrypted", "tls: {insecure"),
    ("good", "ca_file: ca.pem", "insecure_skip_verify: true", "not_encrypted", "insecure_skip_verify"),
    ("good", "https://audit.example.com:4318", "http://audit.example.com:4318", "not_encrypted", "endpoint: http:"),
    ("good", "audit.example.com:4318", "audit.example.com:4317", "endpoint_wrong", "endpoint:"),
    ("good", "audit.example.com:4318", "audit.example.com:4318/v1/traces", "endpoint_wrong", "endpoint:"),
    ("minimal.yaml", "127.0.0.1:14317", "127.0.0.1:8720", "endpoint_wrong", "endpoint: ${env:SPANSEAL"),
    ("minimal.yaml", "127.0.0.1:14317", "127.0.0.1:4317", "endpoint_wrong", "endpoint: ${env:SPANSEAL"),
    ("minimal.yaml", "compression: gzip", "compression: snappy", "compression_refused", "compression: snappy"),
    (
        "gateway.yaml",
        "        timeout: 30s\n        retry",
        "        timeout: 30s\n        compression: lz4\n        retry",
        "does_not_start",
        "compression: lz4",
    ),
    ("good", "4318\n", "4318\n    compression: lz4\n", "compression_refused", "compression: lz4"),
    ("minimal.yaml", "compression: gzip", "compression: Bearer", "does_not_start", "compression: Bearer"),
    (
        "good",
        "    endpoint: https://audit.example.com:4318\n",
        "    endpoint: https://audit.example.com:4318\n    traces_endpoint: https://audit.example.com:4318/api/traces\n",
        "endpoint_wrong",
        "traces_endpoint:",
    ),
    // What a load balancer makes larger, and nothing behind it splits.
    (
        "gateway.yaml",
        "          batch: {sizer: bytes, min_size: 0, max_size: 15728640, flush_timeout: 200ms}\n    resolver:",
        "    resolver:",
        "lets_in_too_much",
        "        sending_queue:",
    ),
    (
        "gateway.yaml",
        "{sizer: bytes, min_size: 0, max_size: 15728640,",
        "{sizer: bytes, min_size: 0, max_size: 1048576,",
        "batch_drops",
        "sizer: bytes, min_size: 0",
    ),
    ("gateway.yaml", "routing_key: traceID", "routing_key: service", "not_by_trace", "routing_key: service"),
    // Which pipelines.
    ("good", "exporters: [otlphttp/spanseal, debug]", "exporters: [debug]", "signal_missing", "logs:"),
    ("tap.yaml", "    logs/spanseal: {receivers: [otlp], exporters: [otlp_grpc/spanseal]}", "", "signal_missing", "    logs: {receivers"),
    (
        "tap.yaml",
        "    traces: {receivers: [otlp],",
        "    traces/old: {receivers: [zipkin], exporters: [otlp_grpc/backend]}\n    traces: {receivers: [otlp],",
        "receiver_left_out does_not_start",
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
    (
        "agent.yaml",
        "  extensions: [health_check, file_storage/spanseal]",
        "  extensions: [health_check]",
        "does_not_start",
        "storage: file_storage",
    ),
    // The extension gives its token to no plain text.
    ("secure.yaml", "ca_file: ${env:SPANSEAL_CA_FILE:-./spanseal-ca.pem}", "insecure: true", "does_not_start", "    auth: {auth"),
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
    // What others keep away.
    (
        "agent.yaml",
        "  otlp_grpc/backend:\n",
        "  otlp_grpc/backend:\n    sending_queue: {block_on_overflow: true}\n",
        "held_up",
        "block_on_overflow: true}",
    ),
    (
        "good",
        "  forward: {}\nservice:\n  pipelines:\n    traces/in: {receivers: [otlp], processors: [], exporters: [forward, debug]}\n    traces/out: {receivers: [forward]",
        "  routing: {table: []}\nservice:\n  pipelines:\n    traces/in: {receivers: [otlp], processors: [], exporters: [routing, debug]}\n    traces/out: {receivers: [routing]",
        "route_drops",
        "routing: {table",
    ),
];

/// Each mistake in an otherwise good file is found, at its line, with exit code 1.
#[test]
fn each_mistake_is_found_at_its_line() {
    let mut seen = BTreeSet::new();
    let (mut wrong, mut before) = (Vec::new(), std::collections::BTreeMap::new());
    for (name, from, to, expected, line) in MISTAKES {
        let (_folder, file, text) = seeded(name, from, to);
        let kind = &expected.split(' ').next().unwrap();
        let (code, report) = report(&file, &[]);
        let at = |found: &Value| text.lines().nth(found["line"].as_u64().unwrap() as usize - 1).unwrap().to_owned();
        let findings = report["findings"].as_array().unwrap();
        let hit = findings.iter().any(|found| found["kind"] == *kind && at(found).contains(line));
        assert!(hit, "{name}, `{to}` for `{from}`: no {kind} at `{line}`: {report:#}");
        assert_eq!(code, Some(1));
        // And nothing else that was not found before.
        let mut expected: Vec<&str> = expected.split(' ').collect();
        let before = before.entry(*name).or_insert_with(|| {
            let (_folder, file, _) = seeded(name, "", "");
            kinds(&self::report(&file, &[]).1).into_iter().map(str::to_owned).collect::<Vec<String>>()
        });
        expected.extend(before.iter().map(String::as_str));
        expected.sort_unstable();
        let mut all = kinds(&report);
        all.sort_unstable();
        if all != expected {
            wrong.push(format!("{name}, `{to}` for `{from}`: {all:?}"));
        }
        seen.insert(*kind);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What depends on what spanseal asks for is proved by `DEMANDS`.
    let demanded = DEMANDS.iter().map(|(_, _, _, _, kind, _)| *kind).filter(|kind| *kind != "not judged");
    let proved: BTreeSet<String> = seen.into_iter().chain(demanded).map(str::to_owned).collect();
    let word = |kind: &Kind| serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned();
    assert_eq!(proved, Kind::ALL.iter().map(word).collect());
}

/// What spanseal asks for on its side, in the words of its configuration.
const PLAIN: &str = "grpc: {endpoint: '127.0.0.1:14317'}, http: {endpoint: '127.0.0.1:14318'}";
const TLS: &str = "grpc: {endpoint: '127.0.0.1:14317', tls: {cert_file: s.pem, key_file: s.key}}";
const ALL: &str =
    "grpc: {endpoint: '0.0.0.0:14317', tls: {cert_file: s.pem, key_file: s.key, client_ca_file: c.pem}, auth: {token_file: t}}";
const TOKEN: &str = "http: {endpoint: '0.0.0.0:4318', tls: {cert_file: s.pem, key_file: s.key}, auth: {token_file: t}}";

const SHOWN: &str =
    "      cert_file: ${env:SPANSEAL_CERT_FILE:-./collector.pem}\n      key_file: ${env:SPANSEAL_KEY_FILE:-./collector.key}\n";
const PROOF: &str = "    auth: {authenticator: bearertokenauth/spanseal}\n";
const VARIABLE: &str = "${env:SPANSEAL_GRPC_ENDPOINT:-127.0.0.1:14317}";

/// As above, and what spanseal asks for. The kind `not judged` is none: it may be right where something stands in between.
const DEMANDS: &[(&str, &str, &str, &str, &str, &str)] = &[
    ("minimal.yaml", "", "", TLS, "tls_differs", "tls: {insecure"),
    ("gateway.yaml", "", "", TLS, "tls_differs", "tls: {insecure"),
    ("secure.yaml", "", "", PLAIN, "tls_differs", "    tls:"),
    ("secure.yaml", SHOWN, "", ALL, "certificate_missing", "    tls:"),
    ("secure.yaml", PROOF, "", ALL, "token_missing", "otlp_grpc/spanseal:"),
    (
        "secure.yaml",
        "  bearertokenauth/spanseal:\n",
        "  bearertokenauth/spanseal:\n    scheme: Token\n",
        ALL,
        "token_missing",
        "bearertokenauth/",
    ),
    ("good", "audit.example.com:4318", "127.0.0.1:4318", TOKEN, "token_missing", "otlphttp/spanseal:"),
    // What stands in between may add one.
    ("good", "", "", TOKEN, "not judged", "otlphttp/spanseal:"),
    ("good", "    tls: {ca", "    headers: {authorization: Basic bWU6}\n    tls: {ca", TOKEN, "not judged", "headers: {"),
    ("good", "    tls: {ca", "    headers: {authorization: '[REDACTED]'}\n    tls: {ca", TOKEN, "not judged", "headers: {"),
    ("minimal.yaml", VARIABLE, "127.0.0.1:14319", PLAIN, "endpoint_wrong", "endpoint: 127.0.0.1:14319"),
    ("minimal.yaml", "127.0.0.1:14317", "127.0.0.1:14318", PLAIN, "endpoint_wrong", "endpoint: ${env:SPANSEAL"),
    ("minimal.yaml", "127.0.0.1:14317", "spanseal.example.com:14318", PLAIN, "endpoint_wrong", "endpoint: ${env:SPANSEAL"),
    ("gateway.yaml", "127.0.0.1:15317", "127.0.0.1:14318", PLAIN, "endpoint_wrong", "SPANSEAL_GRPC_ENDPOINT_2"),
    ("good", "", "", TLS, "endpoint_wrong", "endpoint: https"),
    // A path that spanseal does not serve, and one that something in between may take off.
    ("good", "https://audit.example.com:4318", "http://127.0.0.1:14318/otlp", PLAIN, "endpoint_wrong", "endpoint: http"),
    ("good", "https://audit.example.com:4318", "https://audit.example.com:14318/otlp", PLAIN, "not judged", "endpoint: http"),
    // On another host, on another port, from a variable: nobody knows.
    ("good", "", "", "http: {endpoint: '0.0.0.0:4318'}", "not judged", "endpoint: https"),
    ("good", "", "", "http: {endpoint: '127.0.0.1:4318', tls: {cert_file: s.pem, key_file: s.key}}", "not judged", "endpoint: https"),
    (
        "good",
        "example.com:4318",
        "example.com",
        "http: {endpoint: '0.0.0.0:4318', tls: {cert_file: s, key_file: k}}",
        "not judged",
        "endpoint: https",
    ),
    ("minimal.yaml", "127.0.0.1:14317", "127.0.0.1:14319", PLAIN, "not judged", "endpoint: ${env:SPANSEAL"),
    ("minimal.yaml", VARIABLE, "127.0.0.1:14319", "grpc: {endpoint: '0.0.0.0:14317'}", "not judged", "endpoint: 127.0.0.1:14319"),
    ("secure.yaml", "bearertokenauth/spanseal:", "oauth2client/spanseal:", ALL, "not judged", "oauth2client/"),
];

/// A configuration of spanseal that receives so.
fn receiving(folder: &std::path::Path, protocols: &str) -> String {
    let config = folder.join("spanseal.yaml");
    std::fs::write(&config, format!("receivers: {{otlp: {{protocols: {{{protocols}}}}}}}\n")).unwrap();
    config.display().to_string()
}

/// What spanseal asks for and the exporter does not do is found where it is surely so, and told where it cannot be known.
#[test]
fn what_spanseal_asks_for_is_compared() {
    for (name, from, to, protocols, kind, line) in DEMANDS {
        let (folder, file, text) = seeded(name, from, to);
        if *to == "oauth2client/spanseal:" {
            std::fs::write(&file, replaced(&text, "bearertokenauth/", "oauth2client/")).unwrap();
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let (code, report) = report(&file, &["--config", &receiving(folder.path(), protocols)]);
        let is_found = *kind != "not judged";
        let at = |said: &Value| text.lines().nth(said["line"].as_u64().unwrap() as usize - 1).unwrap().to_owned();
        let said = report[if is_found { "findings" } else { "unjudged" }].as_array().unwrap();
        let hit = said.iter().any(|said| at(said).contains(line) && (!is_found || said["kind"] == *kind));
        assert!(hit, "{name}, `{to}` for `{from}`, {protocols}: no {kind} at `{line}`: {report:#}");
        if !is_found {
            assert!(!kinds(&report).iter().any(|kind| ["tls_differs", "token_missing", "endpoint_wrong"].contains(kind)), "{report:#}");
        } else {
            assert_eq!(code, Some(1));
        }
    }
    // What fits is silent, and without a configuration it is said that nothing was compared.
    for (name, protocols) in [("minimal.yaml", PLAIN), ("agent.yaml", PLAIN), ("secure.yaml", ALL)] {
        let folder = tempfile::tempdir().unwrap();
        let (code, fits) = report(&otelcol::configuration(name), &["--config", &receiving(folder.path(), protocols)]);
        assert_eq!((code, kinds(&fits).len(), fits["unjudged"].as_array().unwrap().len()), (Some(0), 0, 0), "{name}: {fits:#}");
        assert!(!fits["notes"].to_string().contains("no --config"), "{fits:#}");
        assert!(report(&otelcol::configuration(name), &[]).1["notes"].to_string().contains("no --config"));
    }
}

/// An `Authorization` header is never shown, nor what stands before an `@` in an address.
#[test]
fn no_secret_of_the_file_is_printed() {
    let (folder, file, text) = seeded("good", "    tls: {ca", "    headers: [{name: Authorization, value: Basic hushhush}]\n    tls: {ca");
    std::fs::write(&file, replaced(&text, "https://audit.example.com", "https://me:hushhush@127.0.0.1")).unwrap();
    let told = run(&file, &["--config", &receiving(folder.path(), TOKEN)]);
    assert!(told.status.code() == Some(1) && told.stdout.contains("no bearer token"), "{told}");
    assert!(!told.stdout.contains("hushhush") && !told.stderr.contains("hushhush"), "{told}");
}

/// Scenario: several files, the later with other values, a list and a null. Guarantee: they count as one, each finding names the file and
/// line of the value that counts, and nothing is found of what was written over.
#[test]
fn several_files_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site.yaml");
    let check = |text: &str, more: &[&str]| {
        std::fs::write(&site, text).unwrap();
        report(&otelcol::configuration("minimal.yaml"), &[&[site.to_str().unwrap()], more].concat())
    };
    let places = |report: &Value| -> Vec<(String, String, u64)> {
        let place = |found: &Value| {
            let file = std::path::Path::new(found["file"].as_str().unwrap()).file_name().unwrap().to_str().unwrap().to_owned();
            (found["kind"].as_str().unwrap().to_owned(), file, found["line"].as_u64().unwrap())
        };
        report["findings"].as_array().unwrap().iter().map(place).collect()
    };
    let place = |kind: &str, file: &str, line: u64| (kind.to_owned(), file.to_owned(), line);
    let line = |wanted: &str| {
        let text = std::fs::read_to_string(otelcol::configuration("minimal.yaml")).unwrap();
        text.lines().position(|line| line.contains(wanted)).unwrap() as u64 + 1
    };

    let (code, over) = check("exporters:\n  otlp_grpc/spanseal:\n    timeout: 2s\n", &[]);
    assert_eq!((code, places(&over)), (Some(1), vec![place("timeout_short", "site.yaml", 3)]), "{over:#}");
    let told = run(&otelcol::configuration("minimal.yaml"), &[site.to_str().unwrap()]);
    assert!(told.stdout.contains(&format!("{}:3:5: otlp_grpc/spanseal: ", site.display())), "{told}");

    // The key as a path, a list in place of none, and a map that takes nothing away.
    let (_, list) = check(
        "processors: {probabilistic_sampler: {sampling_percentage: 1}}\nexporters: {debug: {}}\nservice::pipelines::traces::processors: [probabilistic_sampler]\n",
        &[],
    );
    assert_eq!(places(&list), [place("sampled", "site.yaml", 1)], "{list:#}");
    // Nothing is written over something, too.
    let (_, null) = check("exporters: {otlp_grpc/spanseal: {sending_queue: null}}\n", &[]);
    assert_eq!(places(&null), ["queue_in_memory", "queue_overflow"].map(|kind| place(kind, "site.yaml", 1)), "{null:#}");
    // What the second file says of one key stands there, and what it leaves out in the first.
    let (_, second) = check("exporters: {otlp_grpc/spanseal: {sending_queue: {wait_for_result: false}}}\n", &[]);
    assert_eq!(places(&second), [place("queue_in_memory", "site.yaml", 1)], "{second:#}");
    let (_, first) = check("exporters: {otlp_grpc/spanseal: {sending_queue: {queue_size: 20, sizer: requests, num_consumers: 1}}}\n", &[]);
    assert_eq!(places(&first), [place("consumers_few", "site.yaml", 1)], "{first:#}");
    let (_, first) = check("exporters: {otlp_grpc/spanseal: {endpoint: 'spanseal.example.com:4317'}}\n", &[]);
    assert_eq!(places(&first), [place("not_encrypted", "minimal.yaml", line("tls: {insecure: true}"))], "{first:#}");

    // Parts that make no sense alone.
    let (code, whole) = check("service: {pipelines: {traces/more: {receivers: [otlp], exporters: [otlp_grpc/spanseal]}}}\n", &[]);
    assert_eq!((code, places(&whole)), (Some(0), vec![]), "{whole:#}");
    let told = run(&site, &[]);
    assert!(told.status.code() == Some(2) && told.stderr.contains("has no exporter of OTLP"), "{told}");
    std::fs::write(&site, "exporters: {\n").unwrap();
    let told = run(&otelcol::configuration("minimal.yaml"), &[site.to_str().unwrap()]);
    assert!(told.status.code() == Some(2) && told.stderr.contains("site.yaml:"), "{told}");
}

/// The Collector itself makes one file of several: what is found in that is found in the several.
#[test]
fn several_files_are_merged_as_the_collector_does() {
    let Some(program) = otelcol::program("files merged as the Collector merges them") else { return };
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site.yaml");
    let text = "processors: {batch: null}\nexporters:\n  otlp_grpc/spanseal: {timeout: 1s, sending_queue: {block_on_overflow: false}}\n\
                service: {pipelines: {traces/spanseal: {processors: [filter/spanseal]}, traces: {processors: []}, logs: {processors: [batch]}}}\n";
    std::fs::write(&site, text).unwrap();
    let base = otelcol::configuration("agent.yaml");
    let mut print = Command::new(program);
    print.args(["print-config", "--mode=unredacted", "--feature-gates=otelcol.printInitialConfig"]);
    let printed = Finished::of({
        print.arg("--config").arg(&base).arg("--config").arg(&site).current_dir(folder.path());
        print
    })
    .success();
    let one = folder.path().join("one.yaml");
    std::fs::write(&one, &printed.stdout).unwrap();
    let seen = |report: &Value| -> BTreeSet<(String, String)> {
        let found = report["findings"].as_array().unwrap().iter();
        found.map(|found| (found["kind"].to_string(), found["component"].to_string())).collect()
    };
    let (merged, by_itself) = (report(&base, &[site.to_str().unwrap()]).1, report(&one, &[]).1);
    assert_eq!(seen(&merged), seen(&by_itself), "{merged:#}\n{by_itself:#}");
    assert!(seen(&merged).len() >= 3, "{merged:#}");
}

/// `-` is standard input.
#[test]
fn standard_input_is_read() {
    let mut check = Command::new(BINARY);
    let file = std::fs::File::open(otelcol::configuration("minimal.yaml")).unwrap();
    check.args(["collector", "check", "-"]).stdin(file).env_remove("SPANSEAL_CONFIG").env_remove("SPANSEAL_STORE");
    let told = Finished::of(check).success();
    assert!(told.stdout.contains("0 found"), "{told}");
    let mut check = Command::new(BINARY);
    let (_folder, file, _) = seeded("minimal.yaml", "timeout: 30s", "timeout: 3s");
    check.args(["collector", "check", "-", "--format", "json"]).stdin(std::fs::File::open(file).unwrap());
    check.env_remove("SPANSEAL_CONFIG").env_remove("SPANSEAL_STORE");
    let told = Finished::of(check);
    assert!(told.status.code() == Some(1) && told.stdout.contains("\"file\":\"standard input\""), "{told}");
}

/// Nothing is wrong with these, and they should be known.
#[test]
fn what_is_no_loss_is_a_note() {
    let noted = |name: &str, from: &str, to: &str| {
        let (_folder, file, _) = seeded(name, from, to);
        let (code, report) = report(&file, &[]);
        assert_eq!((code, kinds(&report)), (Some(0), vec![]), "{report:#}");
        report["notes"].to_string()
    };
    assert!(noted("good", "[resourcedetection]", "[resourcedetection, probabilistic_sampler/all]").contains("keeps 100 %"));
    assert!(noted("good", "http: {endpoint: \"${env:HOST}:14318\"}", "http: {endpoint: \"0.0.0.0:14318\"}").contains("in plain text"));
    assert!(
        !noted("good", "http: {endpoint: \"${env:HOST}:14318\"}", "http: {endpoint: \"0.0.0.0:1\", tls: {key_file: k}}").contains("plain")
    );
    assert!(noted("agent.yaml", "", "").contains("very small logs") && !noted("gateway.yaml", "", "").contains("very small logs"));
    assert!(!noted("minimal.yaml", "", "").contains("very small logs"));
    let metrics = noted(
        "good",
        "    logs: {receivers: [otlp],",
        "    metrics: {receivers: [otlp], exporters: [otlphttp/spanseal]}\n    logs: {receivers: [otlp],",
    );
    assert!(metrics.contains("keeps none of them") && !noted("good", "", "").contains("keeps none of them"));
    assert!(noted("gateway.yaml", "", "").contains("a static list keeps a replica that is away"));
    let profiles = noted(
        "good",
        "    logs: {receivers: [otlp],",
        "    profiles: {receivers: [otlp], exporters: [otlphttp/spanseal]}\n    logs: {receivers: [otlp],",
    );
    assert!(profiles.contains("refuses them for good"), "{profiles}");
    // The default of OTLP/HTTP is long enough, and no routing key is that of traces.
    noted("good", "  timeout: 30s\n", "");
    noted("gateway.yaml", "routing_key: traceID", "routing_key: \"\"");
    // How many requests a second get through.
    let few = "some 10 a second get through";
    assert!(
        noted("minimal.yaml", "      num_consumers: 100\n", "").contains(few) && !noted("minimal.yaml", "", "").contains("a second get")
    );
    assert!(
        noted("balanced", "block_on_overflow: true, num_consumers: 100}\n    protocol", "block_on_overflow: true}\n    protocol")
            .contains(few)
    );
    let two = noted("gateway.yaml", "num_consumers: 100\n      # Behind", "num_consumers: 40\n      # Behind");
    assert!(!two.contains("a second get"), "a batch makes few requests of many: {two}");
    let (_folder, file, text) = seeded("gateway.yaml", "", "");
    let text = replaced(&replaced(&text, "num_consumers: 100", "num_consumers: 40"), "min_size: 1048576", "min_size: 0");
    std::fs::write(&file, text).unwrap();
    let two = report(&file, &[]).1["notes"].to_string();
    assert!(two.contains("the seals of 2 replicas, one after another, up to 2s: some 20 a second"), "{two}");
    // One log by several names of it.
    let turns = noted("balanced", "", "");
    assert!(turns.contains("where `spanseal.example.com` stands for several addresses"), "{turns}");
    let turns =
        noted("balanced", "endpoint: spanseal.example.com:4317", "endpoint: spanseal.example.com:4317\n    balancer_name: pick_first");
    assert!(!turns.contains("stands for several addresses"), "{turns}");
    // On which disk the queue is only who mounts it knows.
    assert!(noted("balanced", "", "").contains("on a volume that outlives it"));
    assert!(noted("balanced", "{directory: /var/lib/otelcol, fsync: true}", "{fsync: true}").contains("names no `directory`"));
    let insert = "attributes:\n    actions:\n      - {key: ai_audit.review.outcome, value: approved, action: insert}\n  attributes/other:\n    actions:\n";
    let (_folder, file, text) = seeded("good", "attributes:\n    actions:\n", insert);
    std::fs::write(&file, replaced(&text, "[resourcedetection]", "[resourcedetection, attributes]")).unwrap();
    assert!(report(&file, &[]).1["notes"].to_string().contains("as the application's word"));
}

/// Scenario: the backend's own pipeline, with its sampler, has the exporter to spanseal, too; the one beside it passes what
/// `spanseal collector filter` printed. Guarantee: no mistake, and not without that pipeline.
#[test]
fn what_the_printed_filter_passes_is_not_lost_elsewhere() {
    let (_folder, file, text) = seeded("tail-sampling.yaml", "", "");
    let text = replaced(&text, "batch], exporters: [otlp_grpc/backend]", "batch], exporters: [otlp_grpc/backend, otlp_grpc/spanseal]");
    std::fs::write(&file, &text).unwrap();
    let (code, carried) = report(&file, &[]);
    assert_eq!((code, kinds(&carried)), (Some(0), vec![]), "{carried:#}");
    let notes = carried["notes"].to_string();
    assert!(notes.contains("what it leaves out (`traces`) is not lost: `traces/spanseal` carries everything"), "{notes}");
    // A filter of one's own carries less.
    std::fs::write(&file, replaced(&text, "genkit:type|", "")).unwrap();
    let lost = report(&file, &[]).1;
    assert!(kinds(&lost).contains(&"sampled") && kinds(&lost).contains(&"held_in_memory"), "{lost:#}");
}

/// Who is answered when it is sealed, or by no queue at all, is told what was not taken.
#[test]
fn without_retry_a_sender_is_told_where_it_waits() {
    let says = |from: &str, to: &str| {
        let (_folder, file, text) = seeded("minimal.yaml", "{enabled: true, max_elapsed_time: 0s}", "{enabled: false}");
        std::fs::write(&file, replaced(&text, from, to)).unwrap();
        let found = report(&file, &[]).1["findings"].as_array().unwrap().iter().find(|found| found["kind"] == "retry_off").cloned();
        found.unwrap()["says"].as_str().unwrap().to_owned()
    };
    assert!(says("", "").contains("its sender is told"));
    assert!(says("      enabled: true\n      wait_for_result: true\n", "      enabled: false\n").contains("its sender is told"));
    assert!(!says("      wait_for_result: true\n", "").contains("its sender is told"));
}

/// Scenario: senders wait for the seal, and beside it the same receiver hands over to an exporter that blocks while its backend is away. Guarantee: it is
/// found, also behind a connector; not where it does not block, or where nothing comes to both.
#[test]
fn an_exporter_beside_ours_that_blocks_is_found() {
    let held_of = |signal: &str, backend: &str, receiver: &str| {
        let (_folder, file, text) =
            seeded("good", "exporters:\n  debug: {}\n", &format!("exporters:\n  debug: {{}}\n  otlp/other: {backend}\n"));
        let pipelines = format!("  pipelines:\n    {signal}/other: {{receivers: [{receiver}], exporters: [otlp/other]}}\n");
        std::fs::write(&file, replaced(&text, "  pipelines:\n", &pipelines)).unwrap();
        let (_, report) = report(&file, &[]);
        let found = report["findings"].as_array().unwrap().iter().filter(|found| found["kind"] == "held_up");
        found.map(|found| (found["component"].as_str().unwrap().to_owned(), found["says"].as_str().unwrap().to_owned())).collect::<Vec<_>>()
    };
    let held = |backend: &str, receiver: &str| held_of("traces", backend, receiver);
    // Metrics come in requests of their own.
    assert_eq!(held_of("metrics", "{endpoint: 'other:4317', sending_queue: {block_on_overflow: true}}", "otlp"), []);
    for (queue, says) in [
        ("{block_on_overflow: true}", "blocks when its queue is full"),
        ("{wait_for_result: true}", "waits for its backend's answer"),
        ("{enabled: false}", "has no queue"),
    ] {
        for receiver in ["otlp", "forward"] {
            let found = held(&format!("{{endpoint: 'other:4317', sending_queue: {queue}}}"), receiver);
            assert!(found.len() == 1 && found[0].0 == "otlp/other" && found[0].1.starts_with(says), "{queue} {receiver}: {found:?}");
        }
    }
    assert_eq!(held("{endpoint: 'other:4317'}", "otlp"), []);
    assert_eq!(held("{endpoint: 'other:4317', sending_queue: {enabled: true}}", "otlp"), []);
    assert_eq!(held("{endpoint: 'other:4317', sending_queue: {block_on_overflow: true}}", "zipkin"), []);
}

/// Scenario: a queue on disk for spanseal, and beside it the same receiver hands over to an exporter that blocks. Guarantee: the queue takes what
/// senders give up on; not so where a processor in between waits for the exporter without an end, and there it is found. Of a processor of which
/// nothing is known here it is told.
#[test]
fn a_queue_on_disk_is_no_help_behind_a_processor_that_waits() {
    const BACKEND: &str = "  otlp_grpc/backend:\n";
    let blocking = format!("{BACKEND}    sending_queue: {{block_on_overflow: true}}\n");
    let with = |name: &str, from: &str, to: &str| {
        let (_folder, file, text) = seeded(name, BACKEND, &blocking);
        std::fs::write(&file, replaced(&text, from, to)).unwrap();
        report(&file, &[]).1
    };
    let held = |report: &Value| {
        let found = report["findings"].as_array().unwrap().iter().filter(|found| found["kind"] == "held_up");
        found.map(|found| format!("{} | {}", found["says"], found["instead"])).collect::<Vec<_>>().join("\n")
    };
    for (name, from, to, processor) in [
        ("agent.yaml", "", "", "`batch`"),
        ("tail-sampling.yaml", "", "", "`tail_sampling`"),
        ("agent.yaml", "memory_limiter, batch]", "memory_limiter, groupbytrace]", "`groupbytrace`"),
        ("agent.yaml", "memory_limiter, batch]", "memory_limiter, log_dedup/quick]", "`log_dedup/quick`"),
    ] {
        let report = with(name, from, to);
        let said = held(&report);
        assert!(said.contains(processor) && said.contains("never have come to spanseal"), "{name} {to}: {report:#}");
        assert!(!said.contains("`storage`"), "a queue on disk is no way out: {said}");
    }
    for to in ["memory_limiter]", "memory_limiter, resource, transform/spanseal_mark]"] {
        let report = with("agent.yaml", "memory_limiter, batch]", to);
        assert!(held(&report).is_empty() && !report["unjudged"].to_string().contains("otlp_grpc/backend"), "{to}: {report:#}");
    }
    let unknown = with("agent.yaml", "memory_limiter, batch]", "memory_limiter, mystery]");
    assert!(held(&unknown).is_empty() && unknown["unjudged"].to_string().contains("whether `mystery` waits"), "{unknown:#}");
    // Between the two a connector of which nothing is known, and one that passes on at once.
    for (connector, is_told) in [("sum/spans", true), ("forward/on", false)] {
        let from = "    metrics: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [otlp_grpc/backend]}\n";
        let to = format!(
            "    traces/on: {{receivers: [otlp], exporters: [{connector}]}}\n    metrics: {{receivers: [{connector}], exporters: [otlp_grpc/backend]}}\n"
        );
        let (_folder, file, text) = seeded("agent.yaml", from, &to);
        let text = replaced(&text, BACKEND, &blocking);
        let text =
            replaced(&text, "    traces: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [otlp_grpc/backend]}\n", "");
        let text =
            replaced(&text, "    logs: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [otlp_grpc/backend]}\n", "");
        std::fs::write(
            &file,
            replaced(
                &text,
                "exporters:\n  otlp_grpc/spanseal:",
                &format!("connectors: {{{connector}: {{}}}}\nexporters:\n  otlp_grpc/spanseal:"),
            ),
        )
        .unwrap();
        let report = report(&file, &[]).1;
        assert!(held(&report).is_empty(), "{report:#}");
        assert_eq!(report["unjudged"].to_string().contains(&format!("whether `{connector}` waits")), is_told, "{report:#}");
    }
    // Where senders wait for the seal nothing helps but a queue that does not block.
    let (_folder, file, _) = seeded("good", "exporters: [forward, debug]", "exporters: [forward, debug, otlp/other]");
    let text = replaced(
        &std::fs::read_to_string(&file).unwrap(),
        "  debug: {}\n",
        "  debug: {}\n  otlp/other: {endpoint: 'other:4317', sending_queue: {block_on_overflow: true}}\n",
    );
    std::fs::write(&file, &text).unwrap();
    assert!(held(&report(&file, &[]).1).contains("or `storage` in the queue to spanseal"));
    std::fs::write(&file, replaced(&text, "processors: []", "processors: [groupbytrace]")).unwrap();
    assert!(!held(&report(&file, &[]).1).contains("`storage`"));
}

/// Exporters that have no queue where none is written hold up as those do whose queue is off; of those of which nothing is known here it is told.
#[test]
fn an_exporter_without_a_queue_of_its_own_is_not_passed_over() {
    let with = |exporter: &str| {
        let (_folder, file, text) = seeded("good", "  debug: {}\n", &format!("  debug: {{}}\n  {exporter}\n"));
        let id = exporter.split(':').next().unwrap();
        std::fs::write(&file, replaced(&text, "exporters: [forward, debug]", &format!("exporters: [forward, debug, {id}]"))).unwrap();
        report(&file, &[]).1
    };
    let off = with("awss3: {s3uploader: {s3_bucket: b}}");
    assert_eq!(kinds(&off), ["held_up"], "{off:#}");
    assert!(off["findings"][0]["says"].as_str().unwrap().starts_with("has no queue where none is written"), "{off:#}");
    for exporter in [
        "kafka: {}",
        "file: {path: f}",
        "otlp/other: {endpoint: 'other:4317', sending_queue: {block_on_overflow: \"${env:BLOCK}\"}}",
        "otlp/other: {endpoint: 'other:4317', sending_queue: {enabled: \"${env:QUEUE}\"}}",
    ] {
        let told = with(exporter);
        let unjudged = told["unjudged"].to_string();
        assert!(kinds(&told).is_empty() && unjudged.contains("whether it keeps senders waiting"), "{exporter}: {told:#}");
    }
    for exporter in ["kafka: {sending_queue: {enabled: true}}", "awss3: {sending_queue: {enabled: true}}", "nop: {}"] {
        let silent = with(exporter);
        assert!(kinds(&silent).is_empty() && silent["unjudged"] == serde_json::json!([]), "{exporter}: {silent:#}");
    }
}

/// Scenario: traces go to a connector that makes metrics or logs of them, and these go to spanseal. Guarantee: that is no way for the traces.
#[test]
fn what_a_connector_makes_of_spans_is_no_span() {
    let from = "    traces/out: {receivers: [forward], processors: &way [resourcedetection], exporters: [otlphttp/spanseal]}\n";
    for (signal, connector) in [("metrics", "span_metrics"), ("logs", "exceptions")] {
        let to = format!("    {signal}/out: {{receivers: [{connector}], exporters: [otlphttp/spanseal]}}\n");
        let (_folder, file, text) = seeded("good", from, &to);
        let text = replaced(&text, "  forward: {}\n", &format!("  {connector}: {{}}\n"));
        std::fs::write(&file, replaced(&text, "exporters: [forward, debug]", &format!("exporters: [{connector}, debug]"))).unwrap();
        let (code, report) = report(&file, &[]);
        assert_eq!((code, kinds(&report)), (Some(1), vec!["signal_missing"]), "{report:#}");
        assert!(report["unjudged"].to_string().contains(&format!("makes {signal} of traces")), "{report:#}");
    }
}

/// Where the Collector itself listens is no place to send to, and another machine's port of the same number is one.
#[test]
fn only_this_collectors_own_address_is_its_own() {
    let with = |listens: &str, sends: &str| {
        let (_folder, file, _) = seeded("minimal.yaml", "\"${env:COLLECTOR_GRPC_ENDPOINT:-127.0.0.1:4317}\"", listens);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, replaced(&text, VARIABLE, sends)).unwrap();
        let found = report(&file, &[]).1["findings"].to_string();
        found.contains("this Collector's own receiver")
    };
    for (listens, sends) in [
        ("127.0.0.1:4317", "127.0.0.1:4317"),
        ("localhost:4317", "127.0.0.1:4317"),
        ("0.0.0.0:4317", "localhost:4317"),
        ("'[::]:4317'", "'[::1]:4317'"),
        ("':4317'", "127.0.0.1:4317"),
        ("10.0.0.5:4317", "10.0.0.5:4317"),
        ("0.0.0.0:4317", "0.0.0.0:4317"),
    ] {
        assert!(with(listens, sends), "{listens} {sends}");
    }
    for (listens, sends) in [
        ("10.0.0.5:4317", "127.0.0.1:4317"),
        ("127.0.0.2:4317", "127.0.0.1:4317"),
        ("'[::1]:4317'", "127.0.0.1:4317"),
        ("0.0.0.0:4317", "10.0.0.5:4317"),
        ("0.0.0.0:4317", "127.0.0.1:4319"),
    ] {
        assert!(!with(listens, sends), "{listens} {sends}");
    }
}

/// Keys that the Collector refuses, as it does itself where it runs here, and addresses that it takes.
#[test]
fn what_the_collector_does_not_start_with_is_found() {
    let program = otelcol::program("what the Collector does not start with");
    let starts = |file: &std::path::Path| {
        let mut validate = Command::new(program.as_ref()?);
        validate.arg("validate").arg("--config").arg(file).current_dir(file.parent().unwrap());
        Some(Finished::of(validate).status.success())
    };
    const PLAIN: &str = "endpoint: ${env:SPANSEAL_GRPC_ENDPOINT:-127.0.0.1:14317}\n";
    const GRPC: &str = "    endpoint: spanseal.example.com:4317\n";
    for (name, from, to, is_refused) in [
        ("minimal.yaml", PLAIN, format!("{PLAIN}    batcher: {{enabled: true}}\n"), true),
        ("minimal.yaml", PLAIN, format!("{PLAIN}    batcher:\n"), true),
        ("minimal.yaml", PLAIN, format!("{PLAIN}    per_rpc_auth: {{type: bearer}}\n"), true),
        ("minimal.yaml", PLAIN, format!("{PLAIN}    max_idle_conns: 5\n"), true),
        ("minimal.yaml", PLAIN, format!("{PLAIN}    proxy_url: 'http://x'\n"), true),
        ("minimal.yaml", PLAIN, format!("{PLAIN}    keepalive: {{time: 30s}}\n    user_agent: x\n"), false),
        ("gateway.yaml", "        timeout: 30s\n", "        timeout: 30s\n        encoding: json\n".to_owned(), true),
        ("gateway.yaml", "routing_key: traceID", "routing_key: traceID\n    compression: zstd".to_owned(), true),
        ("gateway.yaml", "routing_key: traceID", "routing_key: streamID".to_owned(), true),
        ("gateway.yaml", "routing_key: traceID", "routing_key: service".to_owned(), false),
        ("minimal.yaml", PLAIN, "endpoint: 'dns://10.0.0.2/spanseal.example.com:4317'\n".to_owned(), false),
        ("minimal.yaml", PLAIN, "endpoint: 'passthrough://x/127.0.0.1:14317'\n".to_owned(), false),
        ("minimal.yaml", PLAIN, "endpoint: 'dns://10.0.0.2/spanseal.example.com'\n".to_owned(), true),
        ("minimal.yaml", PLAIN, "endpoint: 'http://127.0.0.1:14317/'\n".to_owned(), true),
        ("minimal.yaml", PLAIN, "endpoint: '127.0.0.1:14317/v1'\n".to_owned(), true),
        ("minimal.yaml", PLAIN, "endpoint: 'http://127.0.0.1:14317'\n".to_owned(), false),
    ] {
        let (_folder, file, _) = seeded(name, from, &to);
        let report = report(&file, &[]).1;
        assert_eq!(kinds(&report).contains(&"does_not_start"), is_refused, "{to}: {report:#}");
        if let Some(starts) = starts(&file) {
            assert_eq!(starts, !is_refused, "{to}: the Collector itself");
        }
    }
    let (_folder, file, _) = seeded("balanced", GRPC, &format!("{GRPC}    max_idle_conns: 5\n"));
    assert_eq!(kinds(&report(&file, &[]).1), ["does_not_start"]);
    let (_folder, file, _) = seeded("good", "4318\n", "4318\n    user_agent: x\n");
    assert_eq!(kinds(&report(&file, &[]).1), ["does_not_start"]);
    // Of logs the key decides nothing; of metrics another one does.
    let (_folder, file, text) = seeded("balanced", "routing_key: traceID", "routing_key: resource");
    let logs = "    traces: {receivers: [otlp], exporters: [otlp_grpc/spanseal]}\n    logs: {receivers: [otlp], exporters: [loadbalancing/spanseal]}\n";
    std::fs::write(&file, replaced(&text, &text[text.find("    traces: {").unwrap()..], logs)).unwrap();
    assert_eq!(kinds(&report(&file, &[]).1), ["logs_crawl"]);
    let (_folder, file, _) = seeded(
        "balanced",
        "    traces: {receivers: [otlp], exporters: [loadbalancing/spanseal]}\n",
        "    traces: {receivers: [otlp], exporters: [loadbalancing/spanseal]}\n    metrics: {receivers: [otlp], exporters: [loadbalancing/spanseal]}\n",
    );
    assert_eq!(kinds(&report(&file, &[]).1), ["does_not_start"]);
    // A name server, and nobody whom it is asked for.
    let (_folder, file, _) = seeded("minimal.yaml", PLAIN, "endpoint: 'dns://spanseal.example.com:4317'\n");
    let server = report(&file, &[]).1;
    assert!(kinds(&server).contains(&"endpoint_wrong") && !kinds(&server).contains(&"does_not_start"), "{server:#}");
}

/// What is said is what comes of it.
#[test]
fn what_comes_of_a_mistake_is_said_as_it_is() {
    let says = |name: &str, from: &str, to: &str, kind: &str| {
        let (_folder, file, _) = seeded(name, from, to);
        let report = report(&file, &[]).1;
        let found = report["findings"].as_array().unwrap().iter().find(|found| found["kind"] == kind).cloned();
        found.unwrap_or_else(|| panic!("{report:#}"))["says"].as_str().unwrap().to_owned()
    };
    let service = says("gateway.yaml", "routing_key: traceID", "routing_key: service", "not_by_trace");
    assert!(service.contains("lie in several logs") && !service.contains("duplicates"), "{service}");
    let filter = says("logs.yaml", "  filter/spanseal:\n    error_mode: ignore\n", "  filter/spanseal:\n", "filter_fails");
    assert!(
        filter.starts_with("in a Collector before contrib 0.153, where no `error_mode` is written, refuses a whole request"),
        "{filter}"
    );
    let written = says(
        "logs.yaml",
        "  filter/spanseal:\n    error_mode: ignore\n",
        "  filter/spanseal:\n    error_mode: propagate\n",
        "filter_fails",
    );
    assert!(written.starts_with("refuses a whole request where one condition fails (`logs"), "{written}");
}

/// Exporters of one pipeline are called one after another: one that blocks keeps what is behind it away from spanseal's queue on disk, too.
#[test]
fn a_blocking_exporter_in_the_same_pipeline_is_found() {
    let blocking = "  otlp_grpc/backend:\n    sending_queue: {block_on_overflow: true}\n";
    for (shared, expected) in [(true, vec!["held_up"]), (false, vec![])] {
        let (_folder, file, text) = seeded("agent.yaml", "  otlp_grpc/backend:\n", blocking);
        let text = replaced(&text, "processors: [memory_limiter, batch], exporters: [otlp_grpc/backend]", "exporters: [otlp_grpc/backend]");
        let text = match shared {
            true => text.replacen("      exporters: [otlp_grpc/spanseal]", "      exporters: [otlp_grpc/backend, otlp_grpc/spanseal]", 1),
            false => text,
        };
        std::fs::write(&file, text).unwrap();
        assert_eq!(kinds(&report(&file, &[]).1), expected, "{shared}");
    }
}

/// What a statement sets is found where spanseal reads it, unless it runs only where nothing is there; of everything else it is told what it writes to.
#[test]
fn a_statement_that_writes_over_evidence_is_found() {
    let with = |statement: &str| {
        let (_folder, file, text) = seeded("good", "[resourcedetection]", "[transform/tag]");
        std::fs::write(&file, replaced(&text, "set(attributes[\"team\"], \"claims\")", statement)).unwrap();
        report(&file, &[]).1
    };
    for found in [
        "set(attributes[\"gen_ai.request.model\"], \"gpt\")",
        "set(span.attributes[\"user.id\"], SHA256(span.attributes[\"user.id\"]))",
        "set(attributes[\"gen_ai.input.messages\"], \"x\") where kind == 3",
        "set(span.name, \"x\")",
        "set(span.trace_id, TraceID(0x01020304050607080910111213141516))",
        "set(status.code, 1)",
        "set(scope.name, \"x\")",
        "set(spanevent.attributes[\"gen_ai.prompt\"], \"x\")",
        "set(attributes[\"gen_ai.request.model\"], \"gpt\") where span.attributes[\"other\"] == nil",
        "set(span.name, \"x\") where span.kind == 3",
    ] {
        assert_eq!(kinds(&with(found)), ["evidence_cut"], "{found}");
    }
    // Its own advice is followed to the letter.
    let resource = "set(resource.attributes[\"service.name\"], \"x\")";
    let advice = with(resource)["findings"][0]["instead"].as_str().unwrap().to_owned();
    assert!(advice.contains("`where resource.attributes[\"service.name\"] == nil`"), "{advice}");
    for silent in [
        format!("{resource} where resource.attributes[\"service.name\"] == nil"),
        "set(attributes[\"gen_ai.request.model\"], \"gpt\") where attributes[\"gen_ai.request.model\"] == nil".to_owned(),
    ] {
        let report = with(&silent);
        assert!(kinds(&report).is_empty() && report["unjudged"].as_array().unwrap().is_empty(), "{silent}: {report:#}");
    }
    // What is never stored may go, unless a rule asks for it.
    let without = "delete_key(attributes, \"user_agent.original\")";
    assert_eq!(kinds(&with(without)), Vec::<&str>::new());
    let (folder, file, text) = seeded("good", "[resourcedetection]", "[transform/tag]");
    std::fs::write(&file, replaced(&text, "set(attributes[\"team\"], \"claims\")", without)).unwrap();
    let config = folder.path().join("spanseal.yaml");
    std::fs::write(&config, "promotion: {rules: [{name: a, match: {attributes: {user_agent.original: bot}}, kind: decision}]}\n").unwrap();
    assert_eq!(kinds(&report(&file, &["--config", &config.display().to_string()]).1), ["evidence_cut"]);
    for (told, says) in [
        ("set(attributes[\"team\"], \"hush\")", "`set(attributes["),
        ("set(span.trace_state, \"x\") where span.kind == 3", "`set(span.trace_state)`"),
        ("${env:STATEMENT} where kind == 3", "what the variable in a statement stands for"),
    ] {
        let report = with(told);
        let unjudged = report["unjudged"].to_string();
        assert!(kinds(&report).is_empty() && unjudged.contains(says) && !unjudged.contains("hush"), "{told}: {report:#}");
    }
}

/// What lies in a variable's default is read as the Collector reads it, and settings of which nothing is known are named.
#[test]
fn what_leads_elsewhere_is_not_passed_over() {
    let unjudged = |from: &str, to: &str| {
        let (_folder, file, _) = seeded("balanced", from, to);
        report(&file, &[]).1["unjudged"].to_string()
    };
    let plain = "    endpoint: spanseal.example.com:4317\n    timeout: 30s\n    tls: {ca_file: ca.pem}\n";
    let tls = unjudged(plain, &replaced(plain, "{ca_file: ca.pem}", "\"${env:T:-insecure: true}\""));
    assert!(tls.contains("`tls.insecure` is not known here"), "{tls}");
    let auth = unjudged(plain, &format!("{plain}    auth: \"${{env:T:-authenticator: nothing}}\"\n"));
    assert!(auth.contains("`auth.authenticator` is not known here"), "{auth}");
    let proxy = unjudged(plain, &format!("{plain}    middlewares: [{{id: x}}]\n"));
    assert!(proxy.contains("what `middlewares` does to telemetry on its way"), "{proxy}");
    assert_eq!(unjudged(plain, &format!("{plain}    middlewares: []\n")), "[]");
    // In the folder of the queue, or below it, it is renamed.
    let storage = "{directory: /var/lib/otelcol, fsync: true}";
    for silent in [
        "{directory: /var/lib/otelcol, fsync: true, compaction: {on_start: true, directory: /var/lib/otelcol/}}",
        "{directory: /var/lib/otelcol, fsync: true, compaction: {on_rebound: true, directory: /var/lib/./otelcol/compaction}}",
        "{directory: /var/lib/otelcol, fsync: true, compaction: {directory: /elsewhere}}",
        "{fsync: true, compaction: {on_start: true}}",
    ] {
        let (_folder, file, _) = seeded("balanced", storage, silent);
        let report = report(&file, &[]).1;
        assert!(kinds(&report).is_empty() && report["unjudged"] == serde_json::json!([]), "{silent}: {report:#}");
    }
    for told in ["{on_start: \"${env:COMPACT}\", directory: /x}", "{on_start: true, directory: \"${env:WHERE}\"}"] {
        let (_folder, file, _) = seeded("balanced", storage, &format!("{{directory: /q, fsync: true, compaction: {told}}}"));
        let report = report(&file, &[]).1;
        assert!(kinds(&report).is_empty() && report["unjudged"].to_string().contains("`compaction."), "{told}: {report:#}");
    }
    let (_folder, file, _) = seeded("agent.yaml", "./otelcol-spanseal", "/var/tmp/../../dev//shm/./q");
    assert_eq!(kinds(&report(&file, &[]).1), ["storage_volatile"]);
    // A condition that may hold a secret.
    let (_folder, file, text) = seeded("good", "[resourcedetection]", "[resourcedetection, filter/health]");
    std::fs::write(&file, replaced(&text, "span.name == \"/healthz\"", "span.attributes[\"authorization\"] == \"hush\"")).unwrap();
    let told = run(&file, &[]);
    assert!(told.stdout.contains("by a condition of your own") && !told.stdout.contains("hush"), "{told}");
}

/// What is used nowhere is found once, and nothing that follows from it.
#[test]
fn an_exporter_that_nobody_uses_is_one_finding() {
    let (_folder, file, _) =
        seeded("minimal.yaml", "  otlp_grpc/spanseal:\n", "  otlp_grpc/spanseal-2: {endpoint: x}\n  otlp_grpc/spanseal:\n");
    let (_, one) = report(&file, &[]);
    assert_eq!(kinds(&one), ["unused"], "{one:#}");
    let (_folder, file, text) = seeded("tap.yaml", "", "");
    let text: String = text.lines().filter(|line| !line.contains("/spanseal: {receivers")).flat_map(|line| [line, "\n"]).collect();
    std::fs::write(&file, text).unwrap();
    let (_, none) = report(&file, &[]);
    assert_eq!(kinds(&none), ["unused"], "{none:#}");
}

/// A filter for health checks is told as what it is.
#[test]
fn a_condition_of_ones_own_is_quoted() {
    let (_folder, file, _) = seeded("good", "[resourcedetection]", "[resourcedetection, filter/health]");
    let told = run(&file, &[]);
    assert!(told.stdout.contains("drops spans by a condition of your own (`traces/out`): `span.name == \"/healthz\"`"), "{told}");
    assert!(told.stdout.contains("instead: without it on the way to spanseal: what has no AI meaning, as health checks"), "{told}");
}

/// `otelcol print-config` makes one file of several, and writes out what nobody said: that is no mistake.
#[test]
fn what_print_config_adds_is_nothing() {
    for (name, from, to) in [
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

/// `otelcol print-config` writes null for a section that is off, and what counts in what not at all: neither is judged.
#[test]
fn what_print_config_leaves_out_is_not_judged() {
    const PRINTED: &str = "service::telemetry::logs: {encoding: console, error_output_paths: [], output_paths: [], sampling: null}\n";
    let told = |name: &str, from: &str, to: &str| {
        let (_folder, file, text) = seeded(name, from, to);
        std::fs::write(&file, format!("{text}{PRINTED}")).unwrap();
        let (code, report) = report(&file, &[]);
        assert_eq!((code, kinds(&report)), (Some(0), vec![]), "{name}: {report:#}");
        report["unjudged"].to_string()
    };
    let batch = told("minimal.yaml", "      wait_for_result: true\n", "      wait_for_result: true\n      batch: null\n");
    assert!(batch.contains("print-config does not tell whether `sending_queue.batch` is on"), "{batch}");
    let queue = told(
        "balanced",
        "        sending_queue: {wait_for_result: true, block_on_overflow: true, batch: {sizer: bytes, min_size: 0, max_size: 15728640, flush_timeout: 200ms}}",
        "        sending_queue: null",
    );
    assert!(queue.contains("print-config does not tell whether `protocol.otlp.sending_queue` is on"), "{queue}");
    let sizer = told("balanced", "sending_queue: {storage", "sending_queue: {sizer: {}, batch: {sizer: {}, max_size: 15728640}, storage");
    assert!(sizer.contains("whether `sending_queue.batch.max_size` counts bytes"), "{sizer}");
    let receiver = told("balanced", "{grpc: {", "{http: null, grpc: {");
    assert!(receiver.contains("print-config does not tell whether `protocols.http` is on"), "{receiver}");

    let Some(program) = otelcol::program("what print-config leaves out") else { return };
    let folder = tempfile::tempdir().unwrap();
    let gateway = otelcol::configuration("gateway.yaml");
    let mut print = Command::new(program);
    print.args(["print-config", "--mode=redacted", "--feature-gates=otelcol.printInitialConfig", "--config"]).arg(&gateway);
    let printed = Finished::of(print).success();
    let file = folder.path().join("printed.yaml");
    std::fs::write(&file, &printed.stdout).unwrap();
    let (by_itself, printed) = (report(&gateway, &[]).1, report(&file, &[]).1);
    assert_eq!(kinds(&printed), kinds(&by_itself), "{printed:#}");
    assert!(printed["unjudged"].to_string().contains("whether `sending_queue.batch.max_size` counts bytes"), "{printed:#}");
}

/// The exporters of replicas are begun when the Collector runs.
#[test]
fn what_a_replica_does_not_start_with_stops_no_collector() {
    for (from, to) in [
        (
            "        tls: {ca_file: ca.pem, server_name_override: spanseal.example.com}",
            "        tls: {insecure: true}\n        auth: {authenticator: bearertokenauth}",
        ),
        (
            "        tls: {ca_file: ca.pem, server_name_override: spanseal.example.com}",
            "        tls: {ca_file: ca.pem}\n        auth: {authenticator: other}",
        ),
        (
            "        sending_queue: {wait_for_result: true, block_on_overflow: true, batch: {sizer: bytes, min_size: 0, max_size: 15728640, flush_timeout: 200ms}}",
            "        sending_queue: {storage: file_storage, block_on_overflow: true}",
        ),
    ] {
        let (_folder, file, _) = seeded("balanced", from, to);
        let (_, report) = report(&file, &[]);
        let found = report["findings"].as_array().unwrap().iter().find(|found| found["kind"] == "does_not_start");
        let says = found.unwrap_or_else(|| panic!("{report:#}"))["says"].to_string();
        assert!(says.contains("the Collector starts, logs an error") && !says.contains("does not start"), "{report:#}");
    }
}

/// What is not known is told by its name, and is no mistake; who asks for it with `--strict` is told by the exit code, too. Notes never count.
#[test]
fn what_cannot_be_judged_is_said() {
    let (_folder, file, _) = seeded("good", "[resourcedetection]", "[resourcedetection, mystery, transform/tag]");
    let (code, unknown) = report(&file, &[]);
    assert_eq!((code, kinds(&unknown)), (Some(0), vec![]), "{unknown:#}");
    let (code, strict) = report(&file, &["--strict"]);
    assert_eq!((code, strict), (Some(1), unknown.clone()));
    let (_folder, noted, _) = seeded("balanced", "", "");
    let (code, noted) = report(&noted, &["--strict"]);
    assert!(code == Some(0) && !noted["notes"].as_array().unwrap().is_empty(), "{noted:#}");
    let said: Vec<&str> = unknown["unjudged"].as_array().unwrap().iter().map(|u| u["component"].as_str().unwrap()).collect();
    assert_eq!(said, ["mystery", "transform/tag"], "{unknown:#}");

    // A variable in a variable's default is replaced by the Collector, not here.
    let (_folder, file, _) = seeded("balanced", "spanseal.example.com:4317", "${env:A:-${env:B:-spanseal}:4318}");
    let (_, nested) = report(&file, &[]);
    assert!(kinds(&nested).is_empty() && nested["unjudged"].to_string().contains("`endpoint` is not known here"), "{nested:#}");
    let (_folder, file, _) = seeded("balanced", "sending_queue: {storage", "sending_queue: {sizer: items, storage");
    let (_, items) = report(&file, &[]);
    assert!(kinds(&items).is_empty() && items["unjudged"].to_string().contains("more than 1000 spans or logs"), "{items:#}");

    let (_folder, file, _) = seeded("balanced", "num_consumers: 100}\n    protocol", "num_consumers: \"${env:N}\"}\n    protocol");
    assert!(report(&file, &[]).1["unjudged"].to_string().contains("`sending_queue.num_consumers` is not known here"));

    let (_folder, file, _) = seeded("good", "https://audit.example.com:4318", "${env:WHERE}");
    let told = run(&file, &[]);
    assert!(told.status.success() && told.stdout.contains("not judged: otlphttp/spanseal: `endpoint` is not known here"), "{told}");
}

/// Scenario: a variable in place of a component, a section or a list. Guarantee: nothing is made up of what may stand there, it is named as
/// not judged, and where the whole of the way is hidden by it, it is said how to see it.
#[test]
fn what_a_variable_hides_is_not_judged() {
    let with = |name: &str, from: &str, to: &str| {
        let (_folder, file, _) = seeded(name, from, to);
        let (code, report) = report(&file, &[]);
        assert_eq!((code, kinds(&report)), (Some(0), vec![]), "{to}: {report:#}");
        let said = report["unjudged"].as_array().unwrap().iter();
        said.map(|said| format!("{}: {}", said["component"].as_str().unwrap(), said["says"].as_str().unwrap())).collect::<Vec<_>>()
    };
    let whole = with("good", "resourcedetection: {detectors: [env], override: false}", "resourcedetection: \"${file:detect.yaml}\"");
    assert_eq!(
        whole,
        ["resourcedetection: is a variable as a whole: what it does to telemetry on the way to spanseal (`traces/out`) is not known here"]
    );
    let list = with("good", "{detectors: [env], override: false}", "{detectors: \"${env:DETECTORS}\", override: false}");
    assert_eq!(list, ["resourcedetection: what the variable at `detectors` stands for (`traces/out`) is not known here"]);
    let receiver = with("balanced", "{protocols: {grpc: {max_recv_msg_size_mib: 14}}}", "\"${file:otlp.yaml}\"");
    assert!(receiver.iter().any(|said| said.starts_with("otlp: is a variable as a whole: how much it lets in")), "{receiver:?}");
    // What a default makes a list of is one.
    let conditions = "{error_mode: ignore, trace_conditions: \"${env:COND:-['span.name != nil']}\"}";
    let (_folder, file, text) = seeded("good", "  filter/old: ", &format!("  filter/some: {conditions}\n  filter/old: "));
    std::fs::write(&file, replaced(&text, "[resourcedetection]", "[filter/some]")).unwrap();
    let list = report(&file, &[]).1["unjudged"].to_string();
    assert!(list.contains("what the variable at `trace_conditions` stands for"), "{list}");
    // On no way to spanseal, and one with a default.
    assert!(with("good", "[{key: service.version, action: delete}]", "\"${env:ACTIONS}\"").is_empty());
    assert!(with("good", "override: false", "override: \"${env:OVERRIDE:-false}\"").is_empty());
    let queue = with(
        "balanced",
        "{storage: file_storage, block_on_overflow: true, num_consumers: 100}\n    protocol",
        "\"${env:QUEUE}\"\n    protocol",
    );
    assert!(queue.iter().any(|said| said == "loadbalancing/spanseal: `sending_queue.storage` is not known here"), "{queue:?}");
    let exporter = {
        let (_folder, file, text) = seeded("minimal.yaml", "", "");
        let at = text.find("  otlp_grpc/spanseal:").unwrap();
        let behind = text[at..].find("\nservice:").unwrap() + at;
        std::fs::write(&file, format!("{}  otlp_grpc/spanseal: ${{file:exporter.yaml}}\n{}", &text[..at], &text[behind..])).unwrap();
        report(&file, &[]).1
    };
    assert!(
        kinds(&exporter).is_empty() && exporter["unjudged"].to_string().contains("is a variable as a whole: where it sends"),
        "{exporter:#}"
    );

    for (from, to) in [
        ("processors:\n  resourcedetection", "processors: ${file:processors.yaml}\nx-processors:\n  resourcedetection"),
        ("processors: &way [resourcedetection]", "processors: \"${env:WAY}\""),
        ("processors: &way [resourcedetection]", "processors: [\"${env:WAY}\"]"),
        ("    traces/in: {", "    traces/more: ${file:more.yaml}\n    traces/in: {"),
    ] {
        let (_folder, file, _) = seeded("good", from, to);
        let told = run(&file, &[]);
        assert!(told.status.code() == Some(2) && told.stderr.contains("otelcol print-config --config FILE"), "{to}: {told}");
    }
}

/// Which exporter is meant is never guessed in silence.
#[test]
fn the_exporter_is_told_assumed_or_asked_for() {
    let audit = |more: &str| seeded("good", "exporters:\n  debug: {}\n", &format!("exporters:\n  debug: {{}}\n{more}"));
    let (_folder, file, text) = audit("");
    std::fs::write(&file, replaced(&text, "otlphttp/spanseal", "otlphttp/audit")).unwrap();
    let (code, only) = report(&file, &[]);
    assert_eq!(code, Some(0));
    let assumed = only["assumed"].as_str().unwrap();
    assert!(assumed.contains("`otlphttp/audit` is taken") && assumed.contains("the only one of OTLP. If it leads elsewhere"), "{only:#}");
    assert_eq!(report(&file, &["--exporter", "otlphttp/audit"]).1["assumed"], Value::Null);

    let (_folder, file, text) = audit("  otlp/other: {endpoint: other:4317}\n");
    std::fs::write(&file, replaced(&text, "otlphttp/spanseal", "otlphttp/audit")).unwrap();
    let told = run(&file, &[]);
    assert_eq!(told.status.code(), Some(2), "{told}");
    assert!(told.stderr.contains("Say --exporter with one of: otlp/other, otlphttp/audit. If none of them does"), "{told}");
    assert_eq!(run(&file, &["--exporter", "otlphttp/audit"]).status.code(), Some(0));
    // By its address, where its name does not say.
    let renamed = replaced(&text, "otlphttp/spanseal", "otlphttp/audit");
    std::fs::write(&file, replaced(&renamed, "audit.example.com", "spanseal.example.com")).unwrap();
    let (_, by_address) = report(&file, &[]);
    assert!(by_address["assumed"].as_str().unwrap().contains("because of its address"), "{by_address:#}");
    assert_eq!(by_address["exporters"], serde_json::json!(["otlphttp/audit"]));
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
        ("exporters: [", "otelcol.yaml:1:"),
        ("exporters: {}\nexporters: {}\n", "otelcol.yaml:2:1: not readable as YAML: the key `exporters` stands twice in one map; keep one"),
        ("exporters: {a: *b}\n", "not readable as YAML: an alias (`*name`) needs its anchor"),
        ("exporters:\n  a: {}\n b: {}\n", "otelcol.yaml:3:2: not readable as YAML: the indent fits nothing above"),
        ("exporters:\n\ta: {}\n", "a tab stands here"),
        ("exporters: {a: b\n", "this bracket is never closed"),
        ("exporters: a: b\n", "a second `: ` in one value"),
        ("exporters: %a\n", "a value cannot begin with this sign"),
        ("exporters: 'it's'\n", "a quote inside a text is written twice"),
        ("exporters: {otlp/spanseal: {}}\n", "no `service`"),
        ("exporters: {debug: {}}\nservice: {pipelines: {}}\n", "no exporter of OTLP (it has: debug), so nothing leads to spanseal"),
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

/// The Collector reads the first document of a file and no other.
#[test]
fn of_several_documents_the_first_counts() {
    let minimal = std::fs::read_to_string(otelcol::configuration("minimal.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("otelcol.yaml");
    for (text, expected) in [
        (format!("---\n{minimal}"), None),
        (format!("# a\n--- # b\n{minimal}---\n# nothing\n"), None),
        (format!("{minimal}---\nexporters: {{}}\n"), Some(minimal.lines().count() + 1)),
    ] {
        std::fs::write(&file, text).unwrap();
        let (_, report) = report(&file, &[]);
        let at = report["findings"].as_array().unwrap().iter().map(|found| found["line"].as_u64().unwrap().try_into().unwrap()).next();
        assert_eq!((kinds(&report), at), (expected.iter().map(|_| "does_not_start").collect(), expected), "{report:#}");
    }
    let Some(program) = otelcol::program("of several documents the first counts") else { return };
    let mut validate = Command::new(program);
    validate.args(["validate", "--config"]).arg(&file);
    Finished::of(validate).success();
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
