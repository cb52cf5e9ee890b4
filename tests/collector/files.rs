//! Every configuration of `collector-config/` starts a real Collector, and carries what the official Rust, Python and JS SDKs send into
//! sealed records; the filters in them are those that the command prints.
//!
//! Each goes into a bucket with Object Lock as well: gateway and tap in `kill`, the others here.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use futures::future::join_all;
use opentelemetry::KeyValue;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{LogExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue as ProtoValue, KeyValue as ProtoKeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prost::Message as _;
use serde_json::Value;

use crate::erase_by_tls::Authority;
use crate::sdk_clients::sent_of;
use crate::support::captures::Signal;
use crate::support::ledger::request;
use crate::support::otelcol::{self, Collector};
use crate::support::otlp::{GrpcClient, HttpRequest, http};
use crate::support::receiver::{BINARY, Finished, Options, Site};
use crate::support::s3::{Kind, S3Server};
use crate::support::tools::{self, tool};
use crate::support::tsa;
use crate::support::{PATIENCE, eventually, runtime, steady_address};

/// What a file is asked to carry.
#[derive(Clone, Copy, PartialEq)]
enum Carries {
    /// Spans and logs.
    Both,
    Logs,
}

/// When the SDK's flush returns.
#[derive(Clone, Copy, PartialEq)]
enum Answers {
    /// When the evidence is sealed.
    Sealed,
    /// When it is on the Collector's disk.
    OnDisk,
}

impl Carries {
    /// As the clients of other languages are told.
    fn signals(self) -> &'static [&'static str] {
        match self {
            Carries::Both => &["traces", "logs"],
            Carries::Logs => &["logs"],
        }
    }

    /// Records of spans and of logs, of what so many SDKs send: a chat and a tool call, and an event of the chat.
    fn records(self, sdks: usize) -> (usize, usize) {
        (if self == Carries::Both { 2 * sdks } else { 0 }, sdks)
    }
}

/// The official SDKs, each with its batch processors: Rust and Python over gRPC, JS over HTTP with JSON. Each sends a web request, a chat
/// and a tool call; an AI log event and a plain line. Returns how many of them sent, with a flush that succeeded: Python and JS only where
/// they are, and said aloud where they are not.
fn send(collector: &Collector, carries: Carries, what: &str) -> usize {
    let flushed = flushed(collector, carries, PATIENCE);
    assert!(flushed.is_ok(), "{flushed:?}\n{}", collector.said());
    let mut clients = Vec::new();
    if let Some(python) = tool("python", &format!("the Python SDK through {what}")) {
        let mut client = Command::new(python);
        client.arg(tools::scripts().join("clients/python_sdk.py")).args(["grpc", &format!("http://{}", collector.grpc)]);
        clients.push(client);
    }
    if let Some(folder) = tool("node", &format!("the JS SDK through {what}")) {
        let mut client = Command::new("node");
        client.arg(tools::scripts().join("clients/js_sdk.mjs")).arg(format!("http://{}", collector.http)).current_dir(folder);
        clients.push(client);
    }
    let sdks = 1 + clients.len();
    for mut client in clients {
        client.arg(carries.signals().join(","));
        sent_of(client, carries.signals());
    }
    sdks
}

/// The Rust SDK's part, and what became of it.
fn flushed(collector: &Collector, carries: Carries, within: Duration) -> Result<(), OTelSdkError> {
    let endpoint = format!("http://{}", collector.grpc);
    runtime().block_on(async {
        let resource = Resource::builder().with_service_name("claims").build();
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(&endpoint).with_timeout(within).build().unwrap();
        let traces = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.clone()).build();
        let exporter = LogExporter::builder().with_tonic().with_endpoint(&endpoint).with_timeout(within).build().unwrap();
        let logs = SdkLoggerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        if carries == Carries::Both {
            let tracer = traces.tracer("claims");
            for (name, attributes) in [
                ("POST /claims", vec![KeyValue::new("http.request.method", "POST")]),
                ("chat m-1", vec![KeyValue::new("gen_ai.operation.name", "chat"), KeyValue::new("gen_ai.request.model", "m-1")]),
                ("execute_tool", vec![KeyValue::new("gen_ai.operation.name", "execute_tool"), KeyValue::new("gen_ai.tool.name", "look")]),
            ] {
                let mut span = tracer.start(name);
                span.set_attributes(attributes);
                span.end();
            }
        }
        let logger = logs.logger("claims");
        let mut event = logger.create_log_record();
        event.set_event_name("gen_ai.client.inference.operation.details");
        event.set_severity_number(Severity::Info);
        event.add_attribute("gen_ai.operation.name", AnyValue::from("chat"));
        logger.emit(event);
        let mut line = logger.create_log_record();
        line.set_body(AnyValue::from("plain words of an application"));
        logger.emit(line);
        tokio::task::spawn_blocking(move || traces.force_flush().and(logs.force_flush())).await.unwrap()
    })
}

/// Sealed records of spans and of logs.
fn sealed(sites: &[Site]) -> (usize, usize) {
    let lines: Vec<Value> = sites.iter().flat_map(Site::sealed_lines).map(|line| serde_json::from_str(&line).unwrap()).collect();
    let of = |signal: &str| lines.iter().filter(|record| record["source"]["signal"] == signal).count();
    (of("span"), of("log"))
}

/// SDKs -> the real Collector with this file -> receivers -> sealed records, and nothing plain among them.
fn carries(name: &str, replicas: usize, carries: Carries, answers: Answers) {
    let Some(program) = otelcol::program(&format!("collector-config/{name} in a real Collector")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let sites: Vec<Site> = (0..replicas).map(|_| Site::local()).collect();
    let receivers: Vec<_> = sites.iter().map(Site::serve).collect();
    let backend_site = Site::local();
    let backend = backend_site.serve();
    let second: SocketAddr = receivers.get(1).map_or_else(steady_address, |receiver| receiver.grpc);
    let env = [
        ("SPANSEAL_GRPC_ENDPOINT", receivers[0].grpc.to_string()),
        ("SPANSEAL_GRPC_ENDPOINT_2", second.to_string()),
        ("BACKEND_GRPC_ENDPOINT", backend.grpc.to_string()),
    ];
    let collector = Collector::start(&program, &[&otelcol::configuration(name)], &env, folder.path());
    let file = std::fs::read_to_string(otelcol::configuration(name)).unwrap();
    if file.contains("health_check:") {
        let probe = HttpRequest { method: "GET", path: "/", headers: Vec::new(), body: b"", chunked: false };
        assert_eq!(http(collector.health, &probe).unwrap().0, 200, "{}", collector.said());
    }
    let expected = carries.records(send(&collector, carries, name));
    if answers == Answers::Sealed {
        // The flush was the receipt: what is not sealed by now will never be.
        receivers.into_iter().for_each(|receiver| receiver.kill());
        assert_eq!(sealed(&sites), expected, "{}", collector.said());
    } else {
        eventually(&format!("{name} carries everything"), || (sealed(&sites) == expected).then_some(()));
        drop(receivers);
    }
    for site in sites.iter().filter(|site| sealed(std::slice::from_ref(site)) != (0, 0)) {
        site.verified();
    }
    // Where a backend is named, it gets what it got before; the sampler's takes longer than a test.
    if file.contains("/backend") && !file.contains("tail_sampling:") {
        eventually(&format!("the backend of {name} gets its copy"), || {
            (sealed(std::slice::from_ref(&backend_site)) == expected).then_some(())
        });
    }
}

/// A test for each file, and the list of them: who takes one out takes it from both.
macro_rules! carried {
    ($($(#[$doc:meta])* $test:ident: $file:literal => $carries:expr,)+) => {
        $($(#[$doc])* #[test] fn $test() {
            let carries: fn(&str) = $carries;
            carries($file);
        })+

        /// The files of these tests.
        const CARRIED: &[&str] = &[$($file),+];
    };
}

carried! {
    minimal_carries_spans_and_logs: "minimal.yaml" => |name| carries(name, 1, Carries::Both, Answers::Sealed),
    agent_carries_spans_and_logs: "agent.yaml" => |name| carries(name, 1, Carries::Both, Answers::OnDisk),
    gateway_carries_spans_and_logs_to_its_replicas: "gateway.yaml" => |name| carries(name, 2, Carries::Both, Answers::OnDisk),
    tap_carries_spans_and_logs: "tap.yaml" => |name| carries(name, 1, Carries::Both, Answers::OnDisk),
    tail_sampling_carries_what_the_sampler_does_not: "tail-sampling.yaml" => |name| carries(name, 1, Carries::Both, Answers::OnDisk),
    logs_carries_logs: "logs.yaml" => |name| carries(name, 1, Carries::Logs, Answers::Sealed),
    secure_carries_spans_and_logs_of_whom_it_knows: "secure.yaml" => carries_of_whom_it_knows,
}

/// Scenario: one request with AI logs of a hundred traces, to the gateway before two replicas. Guarantee: each is sealed, once, and they
/// share a few seals: none waited until another was sealed.
#[test]
fn logs_of_many_traces_pass_the_gateway_together() {
    const LOGS: usize = 100;
    let Some(program) = otelcol::program("logs of many traces through collector-config/gateway.yaml") else { return };
    let folder = tempfile::tempdir().unwrap();
    let sites = [Site::local(), Site::local()];
    let receivers = sites.each_ref().map(Site::serve);
    let env = [("SPANSEAL_GRPC_ENDPOINT", receivers[0].grpc.to_string()), ("SPANSEAL_GRPC_ENDPOINT_2", receivers[1].grpc.to_string())];
    let collector = Collector::start(&program, &[&otelcol::configuration("gateway.yaml")], &env, folder.path());
    let log = |index: usize| LogRecord {
        time_unix_nano: 1_790_000_000_000_000_000,
        trace_id: (index as u128 + 1).to_be_bytes().to_vec(),
        attributes: vec![ProtoKeyValue {
            key: "gen_ai.operation.name".to_owned(),
            value: Some(ProtoValue { value: Some(Any::StringValue("chat".to_owned())) }),
            ..ProtoKeyValue::default()
        }],
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs { log_records: (0..LOGS).map(log).collect(), ..ScopeLogs::default() }];
    let request = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] };
    runtime().block_on(async {
        let client = GrpcClient::connect(collector.grpc).await.unwrap();
        client.export(Signal::Logs, request.encode_to_vec(), false).await.unwrap();
    });
    eventually("logs of many traces are sealed", || (sealed(&sites).1 >= LOGS).then_some(()));
    receivers.into_iter().for_each(|receiver| assert!(receiver.stop().success()));
    let rows: Vec<Value> = sites.iter().flat_map(Site::rows).filter(|row| row["record"]["source"]["signal"] == "log").collect();
    let traces: BTreeSet<&str> = rows.iter().map(|row| row["record"]["trace"]["trace_id"].as_str().unwrap()).collect();
    assert_eq!((rows.len(), traces.len()), (LOGS, LOGS), "{}", collector.said());
    assert!(rows.iter().all(|row| row["copies"].is_null() && row["conflict"].is_null()), "{rows:?}");
    let seals: u64 = sites.iter().map(|site| site.verified()["logs"][0]["seals"].as_u64().unwrap()).sum();
    // Those of the logs, and of what each replica says when it starts and ends.
    assert!(seals <= 10, "{LOGS} logs in {seals} seals");
}

/// Scenario: a hundred senders at once, to a Collector beside them; spanseal seals once a second. Guarantee: they share a few seals, as without a
/// Collector: none waited until the seals of others were through.
#[test]
fn many_requests_at_once_share_a_seal() {
    const REQUESTS: u64 = 100;
    for file in ["minimal.yaml", "agent.yaml"] {
        let Some(program) = otelcol::program(&format!("many requests at once through collector-config/{file}")) else { return };
        let folder = tempfile::tempdir().unwrap();
        let site = Site::with(Options { max_delay: "1s".to_owned(), ..Options::default() });
        let receiver = site.serve();
        let env = [("SPANSEAL_GRPC_ENDPOINT", receiver.grpc.to_string()), ("BACKEND_GRPC_ENDPOINT", steady_address().to_string())];
        let collector = Collector::start(&program, &[&otelcol::configuration(file)], &env, folder.path());
        let answers = runtime().block_on(async {
            let client = GrpcClient::connect(collector.grpc).await.unwrap();
            join_all((0..REQUESTS).map(|number| client.export(Signal::Traces, request(number), false))).await
        });
        assert!(answers.iter().all(Result::is_ok), "{file}: {}", collector.said());
        let all = |spans: usize| (spans >= REQUESTS as usize).then_some(());
        eventually(&format!("{file}: everything is sealed"), || all(sealed(std::slice::from_ref(&site)).0));
        assert!(receiver.stop().success());
        let seals = site.verified()["logs"][0]["seals"].as_u64().unwrap();
        // Ten at a time would need ten, besides those of the start and the end.
        assert!(seals < 10, "{file}: {REQUESTS} requests in {seals} seals");
    }
}

/// Scenario: spanseal asks for a client certificate and a token of which it has the hash; the Collector has both, then the token of
/// somebody else. Guarantee: what it carries is sealed, and the record says whose certificate brought it; with the wrong token nothing is,
/// and the sender is told.
fn carries_of_whom_it_knows(name: &str) {
    let Some(program) = otelcol::program(&format!("collector-config/{name} in a real Collector")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let bucket = S3Server::minio();
    let site = bucket.as_ref().map_or_else(Site::local, |server| Site::with(server.site()));
    let tokens = site.path("tokens");
    let token = site.run(&["keygen", "--token", "collector-eu", "--key-file", tokens.to_str().unwrap()]).success().stdout;
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let ((cert, key), (own, own_key)) = (servers.issue("127.0.0.1"), clients.issue("collector-eu"));
    let tls = format!(
        "tls: {{cert_file: '{}', key_file: '{}', client_ca_file: '{}'}}, auth: {{token_file: '{}'}}",
        put("server.pem", &cert),
        put("server.key", &key),
        put("clients.pem", &clients.pem),
        tokens.display()
    );
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    let grpc = "grpc: {endpoint: '127.0.0.1:0'}";
    assert!(yaml.contains(grpc), "{yaml}");
    std::fs::write(&site.config, yaml.replace(grpc, &format!("grpc: {{endpoint: '127.0.0.1:0', {tls}}}"))).unwrap();
    let receiver = site.serve();
    let env = |token: String| {
        [
            ("SPANSEAL_GRPC_ENDPOINT", receiver.grpc.to_string()),
            ("SPANSEAL_CA_FILE", put("ca.pem", &servers.pem)),
            ("SPANSEAL_CERT_FILE", put("collector.pem", &own)),
            ("SPANSEAL_KEY_FILE", put("collector.key", &own_key)),
            ("SPANSEAL_TOKEN_FILE", token),
        ]
    };
    let file = otelcol::configuration(name);
    let stranger = Collector::start(&program, &[&file], &env(put("other.token", "not-a-token")), folder.path());
    assert!(flushed(&stranger, Carries::Both, PATIENCE).is_err(), "{}", stranger.said());
    drop(stranger);
    assert_eq!(sealed(std::slice::from_ref(&site)), (0, 0));
    let collector = Collector::start(&program, &[&file], &env(put("own.token", token.trim())), folder.path());
    let sdks = send(&collector, Carries::Both, name);
    receiver.kill();
    assert_eq!(sealed(std::slice::from_ref(&site)), Carries::Both.records(sdks), "{}", collector.said());
    for line in site.sealed_lines() {
        let record: Value = serde_json::from_str(&line).unwrap();
        if record["source"]["signal"] != "control" {
            assert_eq!(record["source"]["peer"]["method"], "mtls", "{record}");
        }
    }
    let report = site.verified();
    assert_eq!(report["locks"], if bucket.is_some() { "checked" } else { "none" }, "{report}");
}

/// Who has the program alone has the files: each is printed as it stands there, by its name with and without `.yaml`, and all are listed.
#[test]
fn the_program_prints_every_file() {
    let printed = |name: Option<&str>| {
        let mut print = Command::new(BINARY);
        print.args(["collector", "example"]).args(name).env_remove("SPANSEAL_CONFIG").env_remove("SPANSEAL_STORE");
        Finished::of(print)
    };
    let list = printed(None).success().stdout;
    for file in otelcol::configurations() {
        let name = file.file_name().unwrap().to_str().unwrap();
        let short = name.strip_suffix(".yaml").unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(printed(Some(short)).success().stdout, text, "{name}");
        assert_eq!(printed(Some(name)).success().stdout, text, "{name}");
        assert!(list.lines().any(|line| line.split_whitespace().next() == Some(short)), "{name} is not listed:\n{list}");
    }
    assert_eq!(list.lines().count(), otelcol::configurations().len() + 2, "{list}");
    let told = printed(Some("nosuch"));
    assert!(told.status.code() == Some(64) && told.stderr.contains("tail-sampling"), "{told}");
}

/// Scenario: the lines of secure.yaml that make certificates and the token are run as they stand there. Guarantee: with what they make, and
/// the file's own names for it, spanseal and the Collector know each other, and `collector check` finds nothing.
#[test]
fn the_lines_in_secure_make_what_both_sides_need() {
    if !tsa::has_openssl("the openssl lines of collector-config/secure.yaml") {
        return;
    }
    let file = otelcol::configuration("secure.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<&str> =
        text.lines().skip_while(|line| !line.starts_with("#   ec=")).map_while(|line| line.strip_prefix("#   ")).collect();
    assert!(lines.len() > 7 && lines.iter().any(|line| line.starts_with("spanseal keygen")), "{lines:?}");
    let mut made = Command::new("bash");
    let bin = std::path::Path::new(BINARY).parent().unwrap().to_owned();
    let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap()))).unwrap();
    made.arg("-euc").arg(lines.join("\n")).current_dir(folder.path()).env("PATH", path);
    made.env_remove("SPANSEAL_CONFIG").env_remove("SPANSEAL_STORE");
    Finished::of(made).success();
    for secret in ["spanseal.token", "tokens", "collector.key"] {
        let mode = std::fs::metadata(folder.path().join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{secret} can be read by others: {mode:o}");
    }

    let site = Site::local();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let yaml = std::fs::read_to_string(&site.config).unwrap();
    let grpc = "grpc: {endpoint: '127.0.0.1:0'}";
    assert!(yaml.contains(grpc), "{yaml}");
    let asks = |port: u16| {
        format!(
            "grpc: {{endpoint: '127.0.0.1:{port}', tls: {{cert_file: '{}', key_file: '{}', client_ca_file: '{}'}}, auth: {{token_file: '{}'}}}}",
            at("server.pem"),
            at("server.key"),
            at("clients-ca.pem"),
            at("tokens")
        )
    };
    let of_the_file = folder.path().join("spanseal.yaml");
    std::fs::write(&of_the_file, yaml.replace(grpc, &asks(14317))).unwrap();
    let mut check = Command::new(BINARY);
    check.args(["collector", "check"]).arg(&file).arg("--config").arg(&of_the_file).env_remove("SPANSEAL_STORE");
    let told = Finished::of(check).success();
    assert!(told.stdout.contains("\n0 found, 0 not judged"), "{told}");

    let Some(program) = otelcol::program("what the lines of collector-config/secure.yaml make") else { return };
    std::fs::write(&site.config, yaml.replace(grpc, &asks(0))).unwrap();
    let receiver = site.serve();
    let env = [("SPANSEAL_GRPC_ENDPOINT", receiver.grpc.to_string())];
    let collector = Collector::start(&program, &[&file], &env, folder.path());
    let flushed = flushed(&collector, Carries::Both, PATIENCE);
    assert!(flushed.is_ok(), "{flushed:?}\n{}", collector.said());
    receiver.kill();
    assert_eq!(sealed(std::slice::from_ref(&site)), Carries::Both.records(1));
}

/// SDKs -> the Collector -> spanseal -> a bucket with Object Lock on a real server: what their flush said is sealed is found, and the log
/// verifies with its locks.
fn carries_into_a_bucket(kind: Kind, name: &str, carries: Carries, answers: Answers) {
    let what = format!("{name} before a bucket of {kind:?}");
    let Some(program) = otelcol::program(&what) else { return };
    // The server says by itself that it is skipped.
    let server = match kind {
        Kind::Rgw => S3Server::rgw(),
        Kind::Minio => S3Server::minio(),
        Kind::Versity => S3Server::versity(),
    };
    let Some(server) = server else { return };
    let folder = tempfile::tempdir().unwrap();
    let site = Site::with(server.site());
    let receiver = site.serve();
    let env = [("SPANSEAL_GRPC_ENDPOINT", receiver.grpc.to_string()), ("BACKEND_GRPC_ENDPOINT", steady_address().to_string())];
    let collector = Collector::start(&program, &[&otelcol::configuration(name)], &env, folder.path());
    let expected = carries.records(send(&collector, carries, &what));
    let sites = std::slice::from_ref(&site);
    if answers == Answers::Sealed {
        receiver.kill();
        assert_eq!(sealed(sites), expected, "{}", collector.said());
    } else {
        eventually(&what, || (sealed(sites) == expected).then_some(()));
        receiver.kill();
    }
    let report = site.verified();
    assert_eq!(report["locks"], "checked", "{report}");
}

/// The server that is closest to AWS, from the Collector's disk.
#[test]
fn agent_carries_into_a_bucket_of_minio() {
    carries_into_a_bucket(Kind::Minio, "agent.yaml", Carries::Both, Answers::OnDisk);
}

#[test]
fn tail_sampling_carries_into_a_bucket_of_minio() {
    carries_into_a_bucket(Kind::Minio, "tail-sampling.yaml", Carries::Both, Answers::OnDisk);
}

#[test]
fn logs_carries_into_a_bucket_of_minio() {
    carries_into_a_bucket(Kind::Minio, "logs.yaml", Carries::Logs, Answers::Sealed);
}

/// The server that ignores create-only writes, where spanseal waits a minute before it says where it listens.
#[test]
fn minimal_carries_into_a_bucket_of_ceph_rgw() {
    carries_into_a_bucket(Kind::Rgw, "minimal.yaml", Carries::Both, Answers::Sealed);
}

/// No file is handed out that no test carries.
#[test]
fn every_file_is_carried() {
    let files: BTreeSet<String> = otelcol::configurations().iter().map(|f| f.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(files, CARRIED.iter().map(|file| (*file).to_owned()).collect());
}

/// Guarantee: a Collector that acknowledges from a disk can be asked whether it is ready, queue and all (README, "Behind a Collector").
#[test]
fn who_answers_from_a_disk_says_when_it_is_ready() {
    for file in otelcol::configurations() {
        let text = std::fs::read_to_string(&file).unwrap();
        let answers_from_a_disk = text.contains("storage: file_storage/spanseal");
        let says = text.contains("  health_check:\n    endpoint: ${env:COLLECTOR_HEALTH_ENDPOINT:-127.0.0.1:13133}")
            && text.contains("extensions: [health_check, file_storage/spanseal]");
        assert_eq!(answers_from_a_disk, says, "{}", file.display());
    }
}

/// The Collector itself accepts every file as it is, with nothing set.
#[test]
fn every_file_is_valid_as_it_is() {
    let Some(program) = otelcol::program("validation of collector-config/") else { return };
    for file in otelcol::configurations() {
        let folder = tempfile::tempdir().unwrap();
        let mut validate = Command::new(&program);
        validate.args(["validate", "--config"]).arg(&file).current_dir(folder.path());
        Finished::of(validate).success();
    }
}

/// The processors in the files are those that the command prints without rules.
#[test]
fn the_filters_in_the_files_are_those_that_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let mut print = Command::new(BINARY);
    print.args(["collector", "filter"]).current_dir(folder.path()).env_remove("SPANSEAL_CONFIG").env_remove("SPANSEAL_STORE");
    let printed = Finished::of(print).success().stdout;
    let blocks = processors(&printed);
    assert_eq!(blocks.len(), 3, "{printed}");
    let mut compared = 0;
    for file in otelcol::configurations() {
        let text = std::fs::read_to_string(&file).unwrap();
        for (name, block) in processors(&text).iter().filter(|(name, _)| name.ends_with("/spanseal") || name.contains("/spanseal_")) {
            let printed = blocks.iter().find(|(printed, _)| printed == name).unwrap_or_else(|| panic!("{}: {name}", file.display()));
            assert_eq!(block, &printed.1, "{}: `{name}` is not what `spanseal collector filter` prints", file.display());
            compared += 1;
        }
    }
    assert_eq!(compared, 12, "agent, gateway, tail-sampling and logs have three each");
}

/// Processors of a configuration by name, comments and blank lines left away.
fn processors(text: &str) -> Vec<(String, Vec<&str>)> {
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    let mut inside = false;
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        if !line.starts_with(' ') {
            inside = line == "processors:";
        } else if inside && !line.starts_with("   ") {
            found.push((line.trim().trim_end_matches(':').to_owned(), Vec::new()));
        } else if let (true, Some(last)) = (inside, found.last_mut()) {
            last.1.push(line);
        }
    }
    found
}
