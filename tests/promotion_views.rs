//! Promotion reads borrowed views of the wire instead of decoded messages. It must come to what a generated decoder comes to, whatever way a
//! message is written in, and never panic on bytes that are none (`tests/fuzz/views.rs` says what is compared and what is not).
//!
//! The fuzz target below `tests/fuzz` runs the same check without end; here it runs on every recording and on variants of a fixed seed.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::prelude::*;
use prost::Message as _;

use crate::support::captures;

#[path = "fuzz/noise.rs"]
mod noise;
#[path = "fuzz/views.rs"]
mod views;

use noise::{Random, Shape};
use views::Signal;

/// Found anew where a seed is to be tried again.
const SEED: u64 = 0x005e_a1ed;

fn recordings() -> Vec<(Signal, Vec<u8>)> {
    let of = |signal| match signal {
        captures::Signal::Traces => Some(Signal::Traces),
        captures::Signal::Logs => Some(Signal::Logs),
        captures::Signal::Metrics => None,
    };
    let requests = captures::all().into_iter().flat_map(|capture| capture.requests);
    let found: Vec<(Signal, Vec<u8>)> = requests.filter(|r| !r.json).filter_map(|r| Some((of(r.signal)?, r.body))).collect();
    assert!(found.len() > 100, "only {} recordings", found.len());
    found
}

fn shape(signal: Signal) -> Shape {
    match signal {
        Signal::Traces => Shape::Traces,
        Signal::Logs => Shape::Logs,
    }
}

/// Every recording as it was sent and written in another way. Guarantee: prost reads both, and both become the records of its reading.
#[test]
fn recordings_are_read_as_prost_reads_them_however_they_are_written() {
    let mut random = Random(SEED);
    let mut rewritten = 0;
    for (signal, body) in recordings() {
        assert!(views::same(signal, &body), "prost refuses a recording");
        let other = noise::rewritten(shape(signal), &body, &mut random).expect("a recording is a message");
        assert_eq!(views::canonical(signal, &other), views::canonical(signal, &body), "the variant of a recording says something else");
        assert!(views::same(signal, &other), "prost refuses what was only written otherwise");
        rewritten += usize::from(other != body);
    }
    assert!(rewritten > 100, "{rewritten} variants are variants");
}

/// Longest recording of which damaged variants are tried: all that is to be found is found in short ones.
const DAMAGED_MAX: usize = 6 * 1024;
const DAMAGED_EACH: usize = 24;

/// Recordings with a few bytes changed. Guarantee: no panic; where prost still reads them, the same records; both happens often enough to mean
/// something.
#[test]
fn damaged_recordings_never_panic_and_are_never_read_otherwise() {
    let mut random = Random(SEED);
    let (mut compared, mut refused) = (0, 0);
    for (signal, body) in recordings().into_iter().filter(|(_, body)| body.len() <= DAMAGED_MAX) {
        for round in 0..DAMAGED_EACH {
            let sound = match round % 2 {
                0 => body.clone(),
                _ => noise::rewritten(shape(signal), &body, &mut random).expect("a recording is a message"),
            };
            let damaged = noise::damaged(&sound, &mut random);
            match views::same(signal, &damaged) {
                true => compared += 1,
                false => refused += 1,
            }
        }
        views::any(&body);
    }
    assert!(compared > 100 && refused > 100, "compared {compared}, refused by prost {refused}");
}

/// A function of `views`.
type View = fn(&[u8]);

/// The fuzz targets: their names, and the function of `views` that each hands its bytes to.
const TARGETS: [(&str, &str, View); 1] = [("promotion", "any", views::any)];

/// The fuzz targets need a fuzzer's runtime, so nothing here builds them. Guarantee: each is a call of a function that is built here, written as
/// the others and against the same versions of libraries, so that none can cease to build unseen; and each function takes all seeds: every
/// file of the recordings, as the README names them.
#[test]
fn fuzz_targets_are_calls_of_what_runs_here_on_their_seeds() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let manifest = read("tests/fuzz/Cargo.toml");
    let mut there: Vec<String> = std::fs::read_dir(root.join("tests/fuzz/targets")).unwrap().map(file_name).collect();
    there.sort();
    assert_eq!(there, TARGETS.map(|(name, ..)| format!("{name}.rs")), "every target is in the table here");
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    for (name, body, _) in TARGETS {
        let code: Vec<String> = read(&format!("tests/fuzz/targets/{name}.rs"))
            .lines()
            .filter(|l| !l.starts_with("//!") && !l.is_empty())
            .map(str::to_owned)
            .collect();
        let call = format!("libfuzzer_sys::fuzz_target!(|bytes: &[u8]| views::{body}(bytes));");
        assert_eq!(code, ["#![no_main]", "#[path = \"../views.rs\"]", "mod views;", &call], "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"\n")), "{name} is no [[bin]]");
        assert!(
            read("README.md").contains(&format!("--fuzz-dir tests/fuzz {name} tests/fuzz/corpus tests/corpus/*/")),
            "{name}: its seeds"
        );
    }
    // What `views` imports, in both manifests.
    let version = |manifest: &str, library: &str| {
        let line = manifest.lines().find(|line| line.starts_with(&format!("{library} = "))).unwrap_or_else(|| panic!("no {library}"));
        line.split('"').nth(1).unwrap().to_owned()
    };
    for library in ["opentelemetry-proto", "prost", "serde_json"] {
        assert_eq!(version(&manifest, library), version(&read("Cargo.toml"), library), "{library}");
    }

    let mut seeds = 0;
    for folder in std::fs::read_dir(root.join("tests/corpus")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            let bytes = std::fs::read(file).unwrap();
            // libFuzzer cuts what is longer than the longest that it makes.
            let bytes = &bytes[..bytes.len().min(SEED_MAX)];
            TARGETS.iter().for_each(|(_, _, body)| body(bytes));
            seeds += 1;
        }
    }
    assert!(seeds > 100, "only {seeds} seeds");
}

/// Longest input that libFuzzer makes where nobody says how long.
const SEED_MAX: usize = 1 << 20;

fn file_name(entry: std::io::Result<std::fs::DirEntry>) -> String {
    entry.unwrap().file_name().into_string().unwrap()
}

/// Keys that mean something, and some that do not.
fn key() -> impl Strategy<Value = String> {
    let known: Vec<String> =
        spanseal::promote::vocabulary::words().into_iter().map(|w| w.key.replace("<i>.*", "1.message.content")).collect();
    prop_oneof![8 => proptest::sample::select(known), 1 => "[a-z_.]{0,14}", 1 => Just("mcp.method.name".to_owned())]
}

fn value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        ".{0,30}".prop_map(|text| Some(Any::StringValue(text))),
        Just(Some(Any::StringValue(r#"[{"role":"user","parts":[{"type":"text","content":"x"}]}]"#.to_owned()))),
        Just(Some(Any::StringValue("tools/call".to_owned()))),
        any::<bool>().prop_map(|flag| Some(Any::BoolValue(flag))),
        any::<i64>().prop_map(|number| Some(Any::IntValue(number))),
        any::<f64>().prop_map(|number| Some(Any::DoubleValue(number))),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(|bytes| Some(Any::BytesValue(bytes))),
        any::<i32>().prop_map(|index| Some(Any::StringValueStrindex(index))),
    ];
    let leaf = leaf.prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 3, |inner| {
        let list = proptest::collection::vec(inner.clone(), 0..3);
        let pairs = proptest::collection::vec(("[a-z]{0,6}", inner), 0..3);
        prop_oneof![
            list.prop_map(|values| AnyValue { value: Some(Any::ArrayValue(ArrayValue { values })) }),
            pairs.prop_map(|pairs| AnyValue {
                value: Some(Any::KvlistValue(KeyValueList { values: pairs.into_iter().map(pair).collect() }))
            }),
        ]
    })
}

fn pair((key, value): (String, AnyValue)) -> KeyValue {
    KeyValue { key, value: Some(value), ..KeyValue::default() }
}

fn pairs(most: usize) -> impl Strategy<Value = Vec<KeyValue>> {
    proptest::collection::vec((key(), value()).prop_map(pair), 0..most)
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => Just(vec![7; length]), 1 => proptest::collection::vec(any::<u8>(), 0..20)]
}

fn name() -> impl Strategy<Value = String> {
    proptest::sample::select(vec![
        "",
        "chat gpt-4o",
        "pydantic-ai",
        "claude_code.tool",
        "gen_ai.choice",
        "ai_audit.review.completed",
        "exception",
        "gen_ai.evaluation.result",
        "strands.telemetry.tracer",
        "guardrails.request",
    ])
    .prop_map(str::to_owned)
}

fn span() -> impl Strategy<Value = Span> {
    let event = (name(), any::<u64>(), pairs(4), any::<u32>()).prop_map(|(name, time_unix_nano, attributes, dropped_attributes_count)| {
        Event { name, time_unix_nano, attributes, dropped_attributes_count }
    });
    let link =
        (id(16), id(8), pairs(3)).prop_map(|(trace_id, span_id, attributes)| Link { trace_id, span_id, attributes, ..Link::default() });
    let status = proptest::option::of((any::<i32>(), ".{0,12}").prop_map(|(code, message)| Status { code, message }));
    let head = (id(16), id(8), id(8), name(), any::<i32>(), any::<(u64, u64)>(), any::<(u32, u32, u32)>());
    let parts = (pairs(8), proptest::collection::vec(event, 0..3), proptest::collection::vec(link, 0..2), status);
    (head, parts).prop_map(|((trace_id, span_id, parent_span_id, name, kind, times, dropped), (attributes, events, links, status))| Span {
        trace_id,
        span_id,
        parent_span_id,
        name,
        kind,
        start_time_unix_nano: times.0,
        end_time_unix_nano: times.1,
        dropped_attributes_count: dropped.0,
        dropped_events_count: dropped.1,
        dropped_links_count: dropped.2,
        attributes,
        events,
        links,
        status,
        ..Span::default()
    })
}

fn log() -> impl Strategy<Value = LogRecord> {
    let head = (id(16), id(8), name(), any::<(u64, u64)>(), any::<u32>());
    (head, proptest::option::of(value()), pairs(8)).prop_map(|((trace_id, span_id, event_name, times, dropped), body, attributes)| {
        LogRecord {
            trace_id,
            span_id,
            event_name,
            time_unix_nano: times.0,
            observed_time_unix_nano: times.1,
            dropped_attributes_count: dropped,
            body,
            attributes,
            ..LogRecord::default()
        }
    })
}

fn around() -> impl Strategy<Value = (Option<Resource>, Option<InstrumentationScope>)> {
    let resource = (pairs(4), any::<u32>()).prop_map(|(attributes, dropped_attributes_count)| Resource {
        attributes,
        dropped_attributes_count,
        ..Resource::default()
    });
    let scope = (name(), pairs(2)).prop_map(|(name, attributes)| InstrumentationScope {
        name,
        attributes,
        version: "1".to_owned(),
        ..InstrumentationScope::default()
    });
    (proptest::option::of(resource), proptest::option::of(scope))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any request of spans and logs over the keys of all dialects, as a generated encoder writes it and in other ways. Guarantee: prost reads
    /// all of them, and all become the same records.
    #[test]
    fn views_and_prost_agree(
        (resource, scope) in around(),
        spans in proptest::collection::vec(span(), 0..3),
        log_records in proptest::collection::vec(log(), 0..3),
        seed in any::<u64>(),
    ) {
        let traces = ExportTraceServiceRequest { resource_spans: vec![ResourceSpans {
            resource: resource.clone(),
            scope_spans: vec![ScopeSpans { scope: scope.clone(), spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }] }.encode_to_vec();
        let logs = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs {
            resource,
            scope_logs: vec![ScopeLogs { scope, log_records, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }] }.encode_to_vec();
        let mut random = Random(seed);
        for (signal, sound) in [(Signal::Traces, traces), (Signal::Logs, logs)] {
            prop_assert!(views::same(signal, &sound));
            let other = noise::rewritten(shape(signal), &sound, &mut random).unwrap();
            prop_assert_eq!(views::canonical(signal, &other), Some(sound));
            prop_assert!(views::same(signal, &other));
        }
    }
}
