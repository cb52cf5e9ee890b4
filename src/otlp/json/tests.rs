use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::*;

/// A span with these members, as JSON -> decoded by the official messages.
fn span(members: &str) -> Span {
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#);
    let request = ExportTraceServiceRequest::decode(&*traces(json.as_bytes()).unwrap()).unwrap();
    request.resource_spans[0].scope_spans[0].spans[0].clone()
}

fn span_error(members: &str) -> JsonError {
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#);
    traces(json.as_bytes()).unwrap_err()
}

/// One attribute value.
fn value(json: &str) -> Option<Value> {
    span(&format!(r#""attributes":[{{"key":"k","value":{json}}}]"#)).attributes[0].value.clone().unwrap().value
}

fn values(json: &str) -> Vec<AnyValue> {
    match value(json) {
        Some(Value::ArrayValue(array)) => array.values,
        other => panic!("{other:?}"),
    }
}

/// The example of the OTLP repository (examples/trace.json), shortened, in both spellings of names.
#[test]
fn camel_case_and_proto_names_mean_the_same() {
    let camel = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"my.service"}}]},
        "scopeSpans":[{"scope":{"name":"my.library","version":"1.0.0"},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C",
        "spanId":"EEE19B7EC3C1B174","parentSpanId":"EEE19B7EC3C1B173","name":"I'm a server span","startTimeUnixNano":"1544712660000000000",
        "endTimeUnixNano":"1544712661000000000","kind":2,"droppedAttributesCount":1,"unknownThing":[{"a":[1,"x",null]}],
        "attributes":[{"key":"my.span.attr","value":{"stringValue":"some value"}}]}]}]}]}"#;
    let snake = camel
        .replace("resourceSpans", "resource_spans")
        .replace("scopeSpans", "scope_spans")
        .replace("traceId", "trace_id")
        .replace("parentSpanId", "parent_span_id")
        .replace("spanId", "span_id")
        .replace("startTimeUnixNano", "start_time_unix_nano")
        .replace("endTimeUnixNano", "end_time_unix_nano")
        .replace("droppedAttributesCount", "dropped_attributes_count")
        .replace("stringValue", "string_value");
    let bytes = traces(camel.as_bytes()).unwrap();
    assert_eq!(traces(snake.as_bytes()).unwrap(), bytes);
    let request = ExportTraceServiceRequest::decode(&*bytes).unwrap();
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(hex::encode(&span.trace_id), "5b8efff798038103d269b633813fc60c");
    assert_eq!((span.kind, span.start_time_unix_nano, span.dropped_attributes_count), (2, 1_544_712_660_000_000_000, 1));
}

#[test]
fn what_the_official_serde_refuses_is_read() {
    assert_eq!(value(r#"{"arrayValue":{}}"#), Some(Value::ArrayValue(ArrayValue::default())));
    assert_eq!(value(r#"{"kvlistValue":{}}"#), Some(Value::KvlistValue(KeyValueList::default())));
    assert!(matches!(value(r#"{"doubleValue":"NaN"}"#), Some(Value::DoubleValue(v)) if v.is_nan()));
    assert_eq!(value(r#"{"doubleValue":"Infinity"}"#), Some(Value::DoubleValue(f64::INFINITY)));
    assert_eq!(value(r#"{"doubleValue":"-Infinity"}"#), Some(Value::DoubleValue(f64::NEG_INFINITY)));
    assert_eq!(value(r#"{"doubleValue":"2.5"}"#), Some(Value::DoubleValue(2.5)));
    assert_eq!(value("{}"), None);
    assert_eq!(value(r#"{"stringValue":null}"#), None);
    let absent = span(r#""traceId":null,"attributes":null,"kind":null,"status":null,"name":null,"events":[null]"#);
    assert_eq!(absent, Span::default());
    assert_eq!(values(r#"{"arrayValue":{"values":[null,{"boolValue":false}]}}"#).len(), 2);
}

#[test]
fn integers_come_as_strings_numbers_and_exponents() {
    for number in ["1000", "\"1000\"", "1e3", "\"1e3\"", "1000.0", "10000e-1"] {
        assert_eq!(value(&format!(r#"{{"intValue":{number}}}"#)), Some(Value::IntValue(1_000)), "{number}");
        assert_eq!(span(&format!(r#""startTimeUnixNano":{number}"#)).start_time_unix_nano, 1_000, "{number}");
        assert_eq!(span(&format!(r#""flags":{number}"#)).flags, 1_000, "{number}");
        assert_eq!(span(&format!(r#""droppedLinksCount":{number}"#)).dropped_links_count, 1_000, "{number}");
    }
    assert_eq!(value(r#"{"intValue":"-9223372036854775808"}"#), Some(Value::IntValue(i64::MIN)));
    assert_eq!(value(r#"{"intValue":0}"#), Some(Value::IntValue(0)));
    assert_eq!(span(r#""endTimeUnixNano":18446744073709551615"#).end_time_unix_nano, u64::MAX);
    for bad in [r#""flags":4294967296"#, r#""flags":-1"#, r#""startTimeUnixNano":"18446744073709551616""#, r#""droppedLinksCount":1.5"#] {
        span_error(bad);
    }
    span_error(r#""attributes":[{"key":"k","value":{"intValue":9223372036854775808}}]"#);
}

#[test]
fn enums_come_as_numbers_and_as_names() {
    for (kind, number) in [("3", 3), ("\"3\"", 3), ("\"SPAN_KIND_CLIENT\"", 3), ("99", 99), ("0", 0)] {
        assert_eq!(span(&format!(r#""kind":{kind}"#)).kind, number);
    }
    assert_eq!(span(r#""status":{"code":"STATUS_CODE_ERROR","message":"m"}"#).status.unwrap().code, 2);
    span_error(r#""kind":"CLIENT""#);
}

#[test]
fn bytes_come_in_either_base64_with_or_without_padding() {
    for text in ["+/8=", "-_8=", "+/8", "-_8", "+\\/8="] {
        assert_eq!(value(&format!(r#"{{"bytesValue":"{text}"}}"#)), Some(Value::BytesValue(vec![0xfb, 0xff])), "{text}");
    }
    assert_eq!(value(r#"{"bytesValue":""}"#), Some(Value::BytesValue(vec![])));
    span_error(r#""attributes":[{"key":"k","value":{"bytesValue":"a b"}}]"#);
}

#[test]
fn odd_ids_spoil_their_span_and_not_the_request() {
    assert_eq!(span(r#""spanId":"""#).span_id, b"");
    assert_eq!(span(r#""spanId":"abCD""#).span_id, [0xab, 0xcd]);
    // Too long, odd, no hexadecimal, base64 as in plain proto3 JSON, and non-hexadecimal text of just the length of an id.
    assert_eq!(span(&format!(r#""traceId":"{}""#, "ab".repeat(17))).trace_id.len(), 17);
    for bad in ["abc", "zz", "W47/95gDgQPSabYzgT/GDA==", "sixteen letters!", "eight!!!", "0x12345678"] {
        let span = span(&format!(r#""traceId":"{bad}","spanId":"{bad}","parentSpanId":"{bad}""#));
        for id in [&span.trace_id, &span.span_id, &span.parent_span_id] {
            assert_eq!(*id, [0], "{bad}");
        }
    }
}

#[test]
fn strings_are_unescaped_and_lone_surrogates_defined() {
    for (escaped, meant) in [
        (r"plain", "plain"),
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r"\u00e9\u20AC", "\u{e9}\u{20ac}"),
        (r"\ud83d\ude00", "\u{1f600}"),
        (r"a\ud83db", "a\u{fffd}b"),
        (r"\ud83d\u0041", "\u{fffd}A"),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
        (r"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
        (r"\u0000", "\0"),
    ] {
        assert_eq!(span(&format!(r#""name":"{escaped}""#)).name, meant, "{escaped}");
    }
    assert_eq!(span(r#""n\u0061me":"x""#).name, "x");
    for bad in [r#""name":"\x""#, r#""name":"\u12""#, r#""name":"\u+123""#, "\"name\":\"a\nb\"", r#""name":5"#] {
        span_error(bad);
    }
}

#[test]
fn bytes_that_are_no_utf8_pass_to_the_reader() {
    let mut json = br#"{"resourceSpans":[{"schemaUrl":"a"#.to_vec();
    json.extend_from_slice(b"\xff\"}]}");
    assert_eq!(traces(&json).unwrap(), b"\x0a\x04\x1a\x02a\xff");
}

#[test]
fn errors_name_their_byte() {
    let at = |json: &str| traces(json.as_bytes()).unwrap_err().at;
    assert_eq!(at(""), 0);
    assert_eq!(at("[]"), 0);
    assert_eq!(at("null"), 0);
    assert_eq!(at("{\"a\":tru}"), 5);
    assert_eq!(at("{\"a\":1,}"), 7);
    assert_eq!(at("{\"a\":1}  x"), 9);
    assert_eq!(at("{\"a\":[1,2}"), 9);
    assert_eq!(at("{\"a\":\"b"), 6);
    assert_eq!(at("{\"resourceSpans\":{}}"), 17);
    assert_eq!(at("{\"a\":01}"), 5);
    assert_eq!(traces(b"[]").unwrap_err().to_string(), "at byte 0 of the JSON: expected an object");
    assert!(traces(b"\xef\xbb\xbf {} \n").unwrap().is_empty());
}

#[test]
fn depth_is_bounded_in_what_is_known_and_in_what_is_skipped() {
    let nested = |levels: usize| {
        let open = r#"{"arrayValue":{"values":["#.repeat(levels);
        format!(r#""attributes":[{{"key":"k","value":{open}{}}}]"#, "]}}".repeat(levels))
    };
    span(&nested(40));
    // Deeper than readers look: cut, not refused.
    let json = |members: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{members}}}]}}]}}]}}"#);
    let cut = traces(json(&nested(300)).as_bytes()).unwrap();
    assert_eq!(cut, traces(json(&nested(310)).as_bytes()).unwrap());
    for unit in ["[", "{\"a\":", r#"{"arrayValue":{"values":["#] {
        let bomb = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"x":{}"#, unit.repeat(500_000));
        assert!(traces(bomb.as_bytes()).unwrap_err().at < bomb.len());
        let bomb = bomb.replace("\"x\":", "\"attributes\":[{\"value\":");
        assert!(traces(bomb.as_bytes()).is_err());
    }
}

/// No prefix and no single changed byte panics.
#[test]
fn mutilated_json_never_panics() {
    let whole = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","kind":"SPAN_KIND_SERVER",
        "name":"\ud83d\ude00","attributes":[{"key":"a","value":{"doubleValue":-1.5e3}},{"key":"b","value":{"bytesValue":"aGk="}}]}]}]}]}"#;
    for cut in 0..whole.len() {
        assert!(traces(&whole[..cut]).is_err());
        for byte in [0, b'"', b'\\', b'{', b']', b',', b'9', b'u', 0xff] {
            let mut changed = whole.to_vec();
            changed[cut] = byte;
            let _ = traces(&changed);
        }
    }
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        // The official serde writes NaN and infinities as null: `what_the_official_serde_refuses_is_read` has them.
        prop::num::f64::NORMAL.prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..40).prop_map(Value::BytesValue),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        let inner = inner.prop_map(|value| AnyValue { value: Some(value) }).boxed();
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(("[a-z]{0,3}", inner), 0..4).prop_map(|pairs| {
                let pair = |(key, value)| KeyValue { key, value: Some(value), ..Default::default() };
                Value::KvlistValue(KeyValueList { values: pairs.into_iter().map(pair).collect() })
            }),
        ]
    });
    value.prop_map(|value| AnyValue { value: Some(value) })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((".{0,12}", any_value()).prop_map(|(key, value)| KeyValue { key, value: Some(value), ..Default::default() }), 0..4)
}

fn resource() -> impl Strategy<Value = Resource> {
    let entity = (".{0,4}", vec(".{0,4}", 0..3)).prop_map(|(r#type, id_keys)| EntityRef {
        r#type,
        id_keys,
        description_keys: vec!["d".to_owned()],
        schema_url: String::new(),
    });
    (attributes(), any::<u32>(), vec(entity, 0..2)).prop_map(|(attributes, dropped_attributes_count, entity_refs)| Resource {
        attributes,
        dropped_attributes_count,
        entity_refs,
    })
}

fn scope() -> impl Strategy<Value = InstrumentationScope> {
    (".{0,9}", attributes()).prop_map(|(name, attributes)| InstrumentationScope { name, attributes, ..Default::default() })
}

prop_compose! {
    fn any_span()(ids in (vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..10), vec(any::<u8>(), 0..10)), name in any::<String>(),
        attributes in attributes(), event in attributes(), times in any::<(u64, u64)>(), counts in any::<(u32, u32, u32)>(), kind in 0..6,
        flags in any::<u32>(), code in 0..3, with_status in any::<bool>()) -> Span {
        Span {
            trace_id: ids.0.clone(), span_id: ids.1.clone(), trace_state: "a=b".to_owned(), parent_span_id: ids.2, name, kind, flags, attributes,
            start_time_unix_nano: times.0, end_time_unix_nano: times.1,
            dropped_attributes_count: counts.0, dropped_events_count: counts.1, dropped_links_count: counts.2,
            events: vec![Event { time_unix_nano: times.1, name: "e".to_owned(), attributes: event.clone(), dropped_attributes_count: counts.2 }],
            links: vec![Link { trace_id: ids.0, span_id: ids.1, attributes: event, flags, ..Default::default() }],
            status: with_status.then(|| Status { message: "m".to_owned(), code }),
        }
    }
}

prop_compose! {
    fn any_log()(ids in (vec(any::<u8>(), 0..20), vec(any::<u8>(), 0..10)), body in prop::option::of(any_value()), attributes in attributes(),
        times in any::<(u64, u64)>(), severity_number in 0..25, event_name in any::<String>(), flags in any::<u32>()) -> LogRecord {
        LogRecord {
            time_unix_nano: times.0, observed_time_unix_nano: times.1, severity_number, severity_text: "info".to_owned(), body, attributes,
            dropped_attributes_count: 1, flags, trace_id: ids.0, span_id: ids.1, event_name,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random messages: official JSON -> our bytes -> official messages, equal. The same length shows that ours have no zero and no long
    /// length in them (the order differs: that of the JSON is kept).
    #[test]
    fn traces_are_what_the_official_decoder_reads(spans in vec(any_span(), 0..3), resource in resource(), scope in scope()) {
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: "s".to_owned() }];
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans, schema_url: String::new() }],
        };
        let json = serde_json::to_vec(&request).unwrap();
        let bytes = traces(&json).unwrap();
        prop_assert_eq!(ExportTraceServiceRequest::decode(&*bytes).unwrap(), request.clone());
        prop_assert_eq!(bytes.len(), request.encoded_len());
        prop_assert!(bytes.len() <= json.len());
    }

    #[test]
    fn logs_are_what_the_official_decoder_reads(log_records in vec(any_log(), 0..3), resource in resource()) {
        let scope_logs = vec![ScopeLogs { scope: None, log_records, schema_url: String::new() }];
        let request = ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs { resource: Some(resource), scope_logs, schema_url: "u".to_owned() }],
        };
        let bytes = logs(&serde_json::to_vec(&request).unwrap()).unwrap();
        prop_assert_eq!(ExportLogsServiceRequest::decode(&*bytes).unwrap(), request.clone());
        prop_assert_eq!(bytes.len(), request.encoded_len());
    }

    #[test]
    fn arbitrary_text_never_panics(text in "[\\[\\]{}\",:\\\\ \n0-9a-z.+-]{0,80}") {
        let _ = traces(text.as_bytes());
        let _ = logs(format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{{{text}}}]}}]}}]}}").as_bytes());
    }
}

/// Unknown members are ignored, as the specification says, but an export that has nothing else is told apart from an empty one.
#[test]
fn what_stands_beside_a_request_is_named() {
    let foreign = |json: &str| request(Signal::Logs, json.as_bytes()).unwrap().foreign;
    let spans = Some(Foreign::Signal(Signal::Traces));
    for (json, want) in [
        ("{}", None),
        (r#"{"resourceLogs":[]}"#, None),
        (r#"{"resourceLogs":[],"later":{"a":1}}"#, None),
        (r#"{"later":[ ],"nothing":null,"empty":{}}"#, None),
        (r#"{"resourceSpans": [ ]}"#, None),
        (r#"{"resourceSpans":[{}]}"#, None),
        (r#"{"resourceSpans":[{"a":1}]}"#, spans),
        (r#"{"resource_spans":[{"a":1}]}"#, spans),
        (r#"{"resource\u0053pans":[{"a":1}]}"#, spans),
        (r#"{"x":1,"resourceSpans":[{"a":1}],"resourceLogs":[]}"#, spans),
        (r#"{"resourceMetrics":[{"a":1}]}"#, Some(Foreign::Signal(Signal::Metrics))),
        (r#"{"logRecords":[1],"y":"","z":0}"#, Some(Foreign::Unknown { members: 3 })),
    ] {
        assert_eq!(foreign(json), want, "{json}");
    }
}
