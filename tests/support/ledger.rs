//! Which spans were acknowledged, and whether they are where that promised. Every span is unique, and can be sent again as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::Value;

/// Trace and span id, hex.
pub(crate) type SpanKey = (String, String);

/// Of each request's spans, these many are AI spans.
pub(crate) const AI_SPANS: usize = 3;
const PLAIN_SPANS: usize = 2;

/// The AI spans of requests that somebody said they have.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<BTreeSet<SpanKey>>);

impl Ledger {
    /// The request with this number was acknowledged.
    pub(crate) fn acknowledge(&self, number: u64) {
        self.0.lock().unwrap().extend((0..AI_SPANS).map(|i| (trace_id(number), span_id(i))));
    }

    /// How many spans were.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Acknowledged, and not in these records.
    pub(crate) fn lost<'a>(&self, records: impl IntoIterator<Item = &'a Value>) -> Vec<SpanKey> {
        let found: BTreeSet<SpanKey> = records.into_iter().map(key_of).collect();
        self.0.lock().unwrap().difference(&found).cloned().collect()
    }

    /// Every acknowledged span stands in these records, once, and nothing else does.
    #[track_caller]
    pub(crate) fn settle<'a>(&self, records: impl IntoIterator<Item = &'a Value>, what: &str) {
        let mut found: BTreeMap<SpanKey, usize> = BTreeMap::new();
        let records: Vec<&Value> = records.into_iter().collect();
        records.iter().for_each(|record| *found.entry(key_of(record)).or_default() += 1);
        let lost = self.lost(records);
        let acknowledged = self.0.lock().unwrap();
        assert!(lost.is_empty(), "{what}: {} of {} acknowledged spans are lost: {:?}", lost.len(), acknowledged.len(), first(&lost));
        let invented: Vec<_> = found.keys().filter(|key| !acknowledged.contains(*key)).collect();
        assert!(
            invented.is_empty(),
            "{what}: records of spans that nobody sent as AI, or that nobody acknowledged: {:?}",
            first(&invented)
        );
        let repeated: Vec<_> = found.iter().filter(|(_, times)| **times > 1).collect();
        assert!(repeated.is_empty(), "{what}: spans count more than once: {:?}", first(&repeated));
    }
}

/// Enough to look for.
fn first<T>(of: &[T]) -> &[T] {
    &of[..of.len().min(5)]
}

fn key_of(record: &Value) -> SpanKey {
    let text = |name: &str| record["trace"][name].as_str().unwrap_or_else(|| panic!("a record without {name}: {record}")).to_owned();
    (text("trace_id"), text("span_id"))
}

pub(crate) fn trace_id(number: u64) -> String {
    format!("{:032x}", u128::from(number) + (1 << 64))
}

pub(crate) fn span_id(index: usize) -> String {
    format!("{:016x}", index + 1)
}

/// An export request with AI spans and others.
pub(crate) fn request(number: u64) -> Vec<u8> {
    let text = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) }),
        ..KeyValue::default()
    };
    let span = |index: usize| Span {
        trace_id: hex::decode(trace_id(number)).unwrap(),
        span_id: hex::decode(span_id(index)).unwrap(),
        name: "step".to_owned(),
        start_time_unix_nano: 1_790_000_000_000_000_000 + number,
        end_time_unix_nano: 1_790_000_000_500_000_000 + number,
        attributes: if index < AI_SPANS {
            vec![text("gen_ai.operation.name", "chat"), text("gen_ai.request.model", "m"), text("gen_ai.input.messages", "[]")]
        } else {
            vec![text("http.request.method", "GET")]
        },
        ..Span::default()
    };
    let spans = (0..AI_SPANS + PLAIN_SPANS).map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] }.encode_to_vec()
}
