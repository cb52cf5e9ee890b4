//! `spanseal lint` says what `serve` would make of telemetry, in every form in which somebody may have kept it, and stores nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::captures::{self, Signal};
use crate::support::otlp::{GrpcClient, HttpRequest, http};
use crate::support::receiver::{BINARY, Finished};
use crate::support::truth::{Rules, Truth};
use crate::support::{eventually, runtime};

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("lint").args(arguments).current_dir(folder).env_remove("SPANSEAL_CONFIG").env_remove("SPANSEAL_STORE");
    command
}

fn lint(folder: &Path, arguments: &[&str]) -> Finished {
    Finished::of(command(folder, arguments))
}

fn report(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("lint printed no JSON ({e}): {finished}"))
}

/// A capture whose requests are JSON on one line each.
fn json_requests() -> Vec<Vec<u8>> {
    let captures = captures::all();
    let capture = captures.iter().find(|c| c.name == "js-openinference-openai.json.on").unwrap();
    let bodies: Vec<Vec<u8>> =
        capture.requests.iter().filter(|r| r.json && r.signal == Signal::Traces).map(|r| r.body.trim_ascii().to_vec()).collect();
    assert!(bodies.len() > 1 && bodies.iter().all(|b| !b.contains(&b'\n')));
    bodies
}

/// Scenario: all of the corpus, as files. Guarantee: as much is called AI as an independent reading of the same bytes calls for, every file is
/// read, and no text, no person and no scrubbed name of it is printed, neither as JSON nor as a table.
#[test]
fn the_corpus_is_called_what_it_is_and_no_content_is_printed() {
    let rules = Rules::load();
    let mut truth = Truth::default();
    let mut records = 0;
    let mut files = Vec::new();
    for request in captures::all().iter().flat_map(|c| &c.requests).filter(|r| r.signal != Signal::Metrics) {
        records += truth.read(&rules, request);
        files.push(request.file.display().to_string());
    }
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let json = lint(folder.path(), &[&["--format", "json"], files.as_slice()].concat());
    assert_eq!(json.status.code(), Some(1), "{}", json.stderr);
    let report = report(&json);
    assert_eq!(report["format"], "spanseal.lint/1");
    assert_eq!(report["totals"]["records"], records);
    assert_eq!(report["totals"]["rejected"], 0);
    assert_eq!(report["totals"]["not_ai"], truth.plain_spans.len() as u64 + truth.plain_logs);
    assert_eq!(report["inputs"].as_array().unwrap().len(), files.len());
    // Nobody's key is called a misspelling: these are the names that one application gave what has names here.
    let unknown = report["groups"].as_array().unwrap().iter().flat_map(|g| g["unknown"].as_array().unwrap());
    let unknown: Vec<&str> = unknown.map(|u| u["key"].as_str().unwrap()).collect();
    assert!(unknown.iter().all(|key| key.starts_with("audit.") || *key == "model_version"), "{unknown:?}");

    let table = lint(folder.path(), &files);
    assert!(table.stdout.contains("What inference records of") && table.stdout.contains("What is not AI, and why"), "{table}");
    // Examples are there to be copied, so none is cut, whatever the width: without the spaces that wrap it, each stands there whole.
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    let long = report["groups"].as_array().unwrap().iter().flat_map(|g| g["records"].as_array().unwrap());
    let long = long.flat_map(|r| r["missing"].as_array().unwrap()).filter(|m| m["example"].as_str().unwrap().len() > 40);
    let wide = Finished::of({
        let mut wide = command(folder.path(), &files);
        wide.env("COLUMNS", "600");
        wide
    });
    let mut examples = 0;
    for wanted in long {
        let example = format!("{} = {}", wanted["set"][0].as_str().unwrap(), wanted["example"].as_str().unwrap());
        assert!(bare(&wide.stdout).contains(&bare(&example)), "{example}");
        examples += 1;
    }
    assert!(examples > 0, "no example is long");
    let hidden: Vec<(&str, &str)> = truth.hidden().collect();
    assert!(hidden.len() > 500 && truth.persons.len() > 1);
    for printed in [&json.stdout, &table.stdout] {
        let leaks: Vec<_> = hidden.iter().filter(|(text, _)| printed.contains(text)).collect();
        assert!(leaks.is_empty(), "{leaks:?}");
        let persons: Vec<_> = truth.persons.iter().filter(|id| id.len() > 4 && printed.contains(id.as_str())).collect();
        assert!(persons.is_empty(), "{persons:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "lint leaves nothing behind");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Scenario: the same requests as JSON lines, pretty-printed, protobuf, length-prefixed as the Collector's file exporter writes them, each also
/// compressed, and from stdin. Guarantee: the report is the same.
#[test]
fn every_form_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let bodies = json_requests();
    let protobuf: Vec<Vec<u8>> = bodies.iter().map(|body| spanseal::otlp::json::traces(body).unwrap()).collect();
    let framed = |frames: &[Vec<u8>]| -> Vec<u8> {
        frames.iter().flat_map(|frame| [&u32::try_from(frame.len()).unwrap().to_be_bytes()[..], frame].concat()).collect()
    };
    let lines = bodies.join(&b'\n');
    // A field may be repeated in pieces: two protobuf requests after one another are one.
    let joined = protobuf.concat();
    let packed: Vec<Vec<u8>> = protobuf.iter().map(|body| zstd::encode_all(body.as_slice(), 1).unwrap()).collect();
    let mut forms: Vec<(&str, Vec<u8>)> = vec![
        ("lines", lines.clone()),
        ("blank-lines", [b"\n", &bodies.join(&b"\r\n\r\n"[..])[..], b"\n"].concat()),
        ("protobuf", joined.clone()),
        ("framed", framed(&protobuf)),
        ("framed-json", framed(&bodies)),
        ("framed-zstd", framed(&packed)),
    ];
    for (name, bytes) in [("lines", &lines), ("protobuf", &joined)] {
        forms.push((if name == "lines" { "lines.gz" } else { "protobuf.gz" }, gzip(bytes)));
        forms.push((if name == "lines" { "lines.zst" } else { "protobuf.zst" }, zstd::encode_all(bytes.as_slice(), 3).unwrap()));
    }
    let mut expected: Option<Value> = None;
    for (name, bytes) in &forms {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        let finished = lint(folder.path(), &["--format", "json", "--fail-on", "none", name]);
        assert_eq!(finished.status.code(), Some(0), "{name}: {finished}");
        let groups = report(&finished)["groups"].clone();
        assert!(groups.as_array().is_some_and(|groups| groups.len() > 1), "{name}: {finished}");
        assert_eq!(*expected.get_or_insert_with(|| groups.clone()), groups, "{name}");
    }
    // One request on many lines, as people keep them.
    let pretty: Vec<String> = (0..bodies.len()).map(|i| format!("pretty-{i}")).collect();
    for (name, body) in pretty.iter().zip(&bodies) {
        let value: Value = serde_json::from_slice(body).unwrap();
        std::fs::write(folder.path().join(name), serde_json::to_vec_pretty(&value).unwrap()).unwrap();
    }
    let names: Vec<&str> = pretty.iter().map(String::as_str).collect();
    let many = report(&lint(folder.path(), &[&["--format", "json"], names.as_slice()].concat()));
    assert_eq!(Some(&many["groups"]), expected.as_ref());
    let mut stdin = command(folder.path(), &["--format", "json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    stdin.stdin.take().unwrap().write_all(&lines).unwrap();
    let out = stdin.wait_with_output().unwrap();
    let by_stdin: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(Some(&by_stdin["groups"]), expected.as_ref());
    assert_eq!((&by_stdin["inputs"][0]["name"], &by_stdin["inputs"][0]["requests"]), (&"-".into(), &bodies.len().into()));
}

/// Scenario: files that break off, hold something else, or are not there, beside a good one. Guarantee: exit 2, each is named with the place,
/// and the good one is reported all the same.
#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let bodies = json_requests();
    let protobuf = spanseal::otlp::json::traces(&bodies[0]).unwrap();
    let broken_line = [bodies[0].as_slice(), b"\n", bodies[1].as_slice(), b"\n{\"resourceSpans\": [}\n"].concat();
    write("good", &bodies[0]);
    write("lines", &broken_line);
    write("cut.pb", &protobuf[..protobuf.len() - 1]);
    write("cut.gz", &gzip(&bodies[0])[..200]);
    write("framed", &[&u32::try_from(protobuf.len()).unwrap().to_be_bytes()[..], &protobuf[..9]].concat());
    write("empty", b"");
    write("other.json", b"{\"hello\": {\"world\": 1}}");
    let files = ["good", "lines", "cut.pb", "cut.gz", "framed", "empty", "other.json", "absent"];
    let finished = lint(folder.path(), &[&["--format", "json"], files.as_slice()].concat());
    assert_eq!(finished.status.code(), Some(2), "{finished}");
    let report = report(&finished);
    assert_eq!(report["verdict"], "unread");
    let input = |name: &str| report["inputs"].as_array().unwrap().iter().find(|i| i["name"] == name).unwrap().clone();
    assert!(input("good").get("error").is_none());
    let third = bodies[0].len() + bodies[1].len() + 2;
    let error = &input("lines")["error"];
    assert_eq!((&error["line"], &error["at"], &error["at_in_line"]), (&3.into(), &(third + 19).into(), &19.into()), "{error}");
    assert_eq!(error.get("rest_unread"), None, "nothing follows: {error}");
    assert_eq!(input("lines")["requests"], 2);
    assert_eq!(input("cut.pb")["error"]["at"], 0);
    assert_eq!(input("framed")["error"]["at"], 4);
    for (name, says) in [("cut.gz", "cannot be read"), ("empty", "empty"), ("other.json", "resourceSpans"), ("absent", "No such file")] {
        assert!(input(name)["error"]["what"].as_str().is_some_and(|what| what.contains(says)), "{name}: {}", input(name));
    }
    assert!(finished.stderr.contains("error: lines, line 3, byte 19 of the line: this is no OTLP request"), "{finished}");
    // The place within the line, and that it ended there; a request on many lines is counted in the file's lines.
    write("early", &[broken_line.as_slice(), bodies[0].as_slice()].concat());
    let early = lint(folder.path(), &["early"]);
    assert!(early.stderr.contains("line 3, byte 19 of the line") && early.stderr.contains("what follows it was not read"), "{early}");
    write("pretty", b"{\n  \"resourceSpans\": [\n    }\n}\n");
    let pretty = lint(folder.path(), &["pretty"]);
    assert!(pretty.stderr.contains("line 3, byte 4 of the line") && !pretty.stderr.contains("not read"), "{pretty}");
    assert!(report["totals"]["promoted"].as_u64().is_some_and(|n| n > 0));
    // What is neither is told so, in words that say what would be.
    write("text", b"\n  hello, world\n");
    write("list.json", b" [{\"resourceSpans\": []}]\n");
    write("list-later", &[bodies[0].as_slice(), b"\n[1]\n"].concat());
    for (name, says) in [("text", "neither OTLP JSON"), ("list.json", "OTLP JSON is an object"), ("list-later", "OTLP JSON is an object")] {
        let neither = lint(folder.path(), &[name]);
        assert_eq!(neither.status.code(), Some(2), "{neither}");
        assert!(neither.stderr.contains(says), "{neither}");
    }
    // What was asked for and is not there is not fine.
    write("metrics.json", b"{\"resourceMetrics\": [{\"scopeMetrics\": [{\"metrics\": [{\"name\": \"m\"}]}]}]}");
    write("empty.json", b"{}");
    write("typo.json", b"{\"resource_spams\": []}");
    write("hollow.json", b"{\"resourceSpans\": [{}]}");
    for (name, says) in [
        ("metrics.json", "metrics"),
        ("empty.json", "no span and no log"),
        ("typo.json", "`resource_spams` is none of an OTLP request: did you mean `resource_spans`?"),
        ("hollow.json", "no span and no log"),
    ] {
        let nothing = lint(folder.path(), &["--format", "json", name]);
        assert_eq!(nothing.status.code(), Some(2), "{nothing}");
        let what = crate::lint::report(&nothing)["inputs"][0]["error"]["what"].as_str().unwrap_or_default().to_owned();
        assert!(what.contains(says) && nothing.stderr.contains(&what), "{name}: {nothing}");
        // Beside something to look at it is no error, and is said all the same.
        let beside = lint(folder.path(), &["--format", "json", "--fail-on", "none", name, "good"]);
        assert_eq!(beside.status.code(), Some(0), "{beside}");
        assert!(crate::lint::report(&beside)["inputs"][0]["nothing"] == what && beside.stderr.contains(&what), "{name}: {beside}");
    }
}

/// Scenario: command lines. Guarantee: the exit code is what `--fail-on` says, and what cannot be meant is a usage error.
#[test]
fn the_exit_code_is_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t"), &json_requests()[0]).unwrap();
    for (arguments, code) in [
        (&["t"][..], 1),
        (&["t", "--fail-on", "none"], 0),
        (&["t", "--fail-on", "truncated,rejected"], 0),
        (&["t", "--fail-on", "recommended"], 1),
        (&["t", "--fail-on", "nonsense"], 64),
        (&["t", "--framework", "eu_ai_act"], 1),
        (&["t", "--framework", "nonsense"], 64),
        (&["t", "--listen", "127.0.0.1:0"], 64),
        (&["t", "--for", "1s"], 64),
        (&[], 64),
    ] {
        let finished = lint(folder.path(), arguments);
        assert_eq!(finished.status.code(), Some(code), "{arguments:?}: {finished}");
        assert_eq!(finished.stdout.is_empty(), code == 64, "{arguments:?}");
    }
}

/// Scenario: one span that lacks much, printed for a narrow screen; `lint` with nothing to look at. Guarantee: what fails stands before the
/// overview, one span is not called spans, no line is wider than the screen, and who gave nothing hears of both ways to give something.
#[test]
fn the_table_is_for_reading() {
    let folder = tempfile::tempdir().unwrap();
    let one = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "01010101010101010101010101010101", "spanId": "0202020202020202",
        "name": "decide", "attributes": [{"key": "ai_audit.decision.id", "value": {"stringValue": "d"}}]}]}]}]}"#;
    std::fs::write(folder.path().join("one"), one).unwrap();
    let mut narrow = command(folder.path(), &["one"]);
    narrow.env("COLUMNS", "80");
    let narrow = Finished::of(narrow);
    assert_eq!(narrow.status.code(), Some(1), "{narrow}");
    let at = |what: &str| narrow.stdout.find(what).unwrap_or_else(|| panic!("{what}: {narrow}"));
    assert!(at("1 span and 0 logs: 1 is AI and becomes 1 record, 0 are not.") < at("This fails (--fail-on): "), "{narrow}");
    assert!(at("This fails") < at("What decision records") && at("What decision records") < at("What came"), "{narrow}");
    assert!(narrow.stdout.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    let nothing = lint(folder.path(), &[]);
    assert!(nothing.stderr.contains("--listen") && nothing.stderr.contains("files"), "{nothing}");
}

/// A `lint --listen` on free ports.
struct Listening {
    child: Child,
    grpc: SocketAddr,
    http: SocketAddr,
}

fn listen(folder: &Path, arguments: &[&str]) -> Listening {
    let arguments = [&["--listen", "127.0.0.1:0", "--format", "json", "--fail-on", "none"], arguments].concat();
    let mut child = command(folder, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = stderr.next().unwrap().unwrap();
    assert!(first.contains("NOTHING IS KEPT") && first.contains("no answer is a receipt"), "{first}");
    let mut address = |what: &str| {
        let line = stderr.next().unwrap().unwrap();
        assert!(line.contains(what) && line.contains("nothing is stored"), "{line}");
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let (grpc, http) = (address("OTLP/gRPC"), address("OTLP/HTTP"));
    Listening { child, grpc, http }
}

impl Listening {
    fn report(mut self) -> Value {
        let mut json = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut json).unwrap();
        let status = eventually("lint ends", || self.child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0), "{json}");
        serde_json::from_str(&json).unwrap()
    }
}

/// Scenario: an application sends by gRPC and by HTTP to `lint --listen`; it ends after so many spans, after so long, or when interrupted.
/// Guarantee: senders get a success without a receipt, both transports are reported, and nothing is stored.
#[test]
fn what_is_received_is_reported_and_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let body = json_requests()[0].clone();
    let protobuf = spanseal::otlp::json::traces(&body).unwrap();
    let spans = report(&{
        std::fs::write(folder.path().join("t"), &body).unwrap();
        lint(folder.path(), &["--format", "json", "t"])
    });
    std::fs::remove_file(folder.path().join("t")).unwrap();
    let each = spans["totals"]["spans"].as_u64().unwrap();

    let listening = listen(folder.path(), &["--count", &(2 * each).to_string()]);
    let by_grpc = runtime().block_on(async {
        let client = GrpcClient::connect(listening.grpc).await.unwrap();
        client.export(Signal::Traces, protobuf.clone(), false).await.unwrap()
    });
    assert_eq!((by_grpc.promoted(), by_grpc.seal()), (0, None), "no receipt for what is not kept");
    let request = HttpRequest {
        method: "POST",
        path: "/v1/traces",
        headers: vec![("Content-Type", "application/json")],
        body: &body,
        chunked: false,
    };
    let (status, answer) = http(listening.http, &request).unwrap();
    assert_eq!((status, answer.body.as_slice(), answer.seal()), (200, &b"{}"[..], None));
    assert!(answer.headers["spanseal-log"].contains("lint keeps nothing"), "{:?}", answer.headers);
    let report = listening.report();
    assert_eq!((&report["totals"]["spans"], &report["inputs"][0]["requests"]), (&(2 * each).into(), &2.into()));
    assert_eq!(report["totals"]["promoted"], 2 * spans["totals"]["promoted"].as_u64().unwrap());

    let timed = listen(folder.path(), &["--for", "1s"]);
    let mut timed = timed.child;
    let status = eventually("lint --for ends", || timed.try_wait().unwrap());
    assert_eq!(status.code(), Some(2), "nothing came, so nothing was looked at");
    let mut json = String::new();
    timed.stdout.take().unwrap().read_to_string(&mut json).unwrap();
    let error = serde_json::from_str::<Value>(&json).unwrap()["inputs"][0]["error"]["what"].clone();
    assert!(error.as_str().is_some_and(|what| what.contains("OTEL_EXPORTER_OTLP_ENDPOINT")), "{json}");

    let interrupted = listen(folder.path(), &[]);
    http(interrupted.http, &request).unwrap();
    let pid = rustix::process::Pid::from_child(&interrupted.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(interrupted.report()["totals"]["spans"], each);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "lint leaves nothing behind");
}

/// Scenario: telemetry whose names nobody standardised, without own rules and with them. Guarantee: without, the names that are nearly ours are
/// named; with them, what they promote is reported as what it becomes, what is missing of it too, and no key that they read is called
/// misspelt; what they do not promote says so.
#[test]
fn own_rules_decide_as_in_serve() {
    let folder = tempfile::tempdir().unwrap();
    let captures = captures::all();
    let capture = captures.iter().find(|c| c.name == "credit-model-fastapi.grpc").unwrap();
    let files: Vec<String> = capture.requests.iter().filter(|r| r.signal == Signal::Traces).map(|r| r.file.display().to_string()).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let without = report(&lint(folder.path(), &[&["--format", "json"], files.as_slice()].concat()));
    assert_eq!(without["totals"]["promoted"], 0);
    assert!(without["totals"]["unknown"].as_u64().is_some_and(|n| n > 0));
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/rules/credit-model-fastapi.yaml").display().to_string();
    let with = lint(folder.path(), &[&["--format", "json", "--config", &rules], files.as_slice()].concat());
    let with = report(&with);
    assert_eq!(with["totals"]["unknown"], 0);
    let group = |name: &str| with["groups"].as_array().unwrap().iter().find(|g| g["name"] == name).unwrap().clone();
    let predict = group("credit-model.predict");
    assert_eq!(predict["promoted"], predict["seen"]);
    let decision = predict["records"].as_array().unwrap().iter().find(|r| r["kind"] == "decision").unwrap();
    let missing: Vec<&str> = decision["missing"].as_array().unwrap().iter().map(|m| m["path"].as_str().unwrap()).collect();
    assert!(
        missing.contains(&"policy.version") && !missing.contains(&"model.checksum") && !missing.contains(&"decision.outcome"),
        "{missing:?}"
    );
    let batch = group("credit-model.batch_predict");
    assert!(batch["records"].as_array().unwrap().iter().any(|r| r["signal"] == "span_event" && r["kind"] == "decision"), "{batch}");
    let near = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "01010101010101010101010101010101", "spanId": "0202020202020202",
        "name": "elsewhere", "attributes": [{"key": "audit.subject", "value": {"stringValue": "x"}}]}]}]}]}"#;
    std::fs::write(folder.path().join("near"), near).unwrap();
    let near = report(&lint(folder.path(), &["--format", "json", "--config", &rules, "near"]));
    assert_eq!(near["groups"][0]["not_ai"]["why"][0]["reason"], "rule", "{near}");
}

/// Scenario: a configuration that leaves dialects out. Guarantee: lint decides as `serve` would under it.
#[test]
fn the_configuration_decides() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t"), &json_requests()[0]).unwrap();
    std::fs::write(folder.path().join("c.yaml"), "promotion: {dialects: [ai_audit]}\n").unwrap();
    let all = report(&lint(folder.path(), &["--format", "json", "t"]));
    let few = report(&lint(folder.path(), &["--format", "json", "t", "--config", "c.yaml"]));
    assert!(all["totals"]["promoted"].as_u64().is_some_and(|n| n > 0));
    assert_eq!(few["totals"]["promoted"], 0);
    let why = few["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|g| g["not_ai"]["why"].as_array().unwrap())
        .any(|w| w["reason"] == "switched_off");
    assert!(why, "{few}");
}
