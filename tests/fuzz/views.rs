//! The check that the fuzz target runs on its inputs and the tests on recordings and their variants: reading outside bytes never panics, and
//! promotion by borrowed views is promotion of what a generated decoder understands.
//!
//! The generated decoder is prost's with the types of opentelemetry-proto. What it takes is encoded again, canonically, and promoted: the
//! records must be the same, byte for byte. **Equal forms** are thus all that prost reads into the same message: fields in any order, numbers and
//! lengths longer than needed, fields that no schema knows (groups too), a scalar that repeats (the last counts), a singular message in
//! several pieces (merged), a default written out.
//!
//! Two things are not compared, because records are defined by the bytes there: a log's `id` (a keyed hash of its bytes) and what is made of it,
//! the `decision.id` of a log that states none. And what prost refuses is not compared, since views are defined to go on there: invalid UTF-8
//! (repaired and named), a field with another wire type than its schema's (unknown), broken lengths in a part that nobody needs to look at.
//! Panics are found all the same.

use std::sync::{Arc, LazyLock};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use spanseal::clock::{UnixNanos, UnixSeconds};
use spanseal::otlp::json;
use spanseal::promote::{Context, IdentityKey, Promoter, Settings, Unpromoted};
use spanseal::record::Batch;
use spanseal::retain::{Class, Classes};
use spanseal::worm::Mode;

/// 2026-11-20T15:09:10.250Z
const RECEIVED: UnixNanos = UnixNanos(1_795_187_350_250_000_000);

fn promoter() -> &'static Promoter {
    static ONE: LazyLock<Promoter> = LazyLock::new(|| {
        let class = Class { name: "standard".into(), mode: Mode::Governance, period: "180d".parse().unwrap(), claimable: true };
        let classes = Classes::new(vec![class], "standard", "10y".parse().unwrap(), UnixSeconds(1_795_187_350)).unwrap();
        Promoter::new(Settings::new(Arc::new(classes), IdentityKey::new([7; 32]))).unwrap()
    });
    &ONE
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Traces,
    Logs,
}

/// The records of a request, and how many items it rejected.
fn promoted(signal: Signal, request: &[u8]) -> Result<(Vec<String>, u64), Unpromoted> {
    let mut batch = Batch::default();
    let context = Context::new(RECEIVED);
    let tally = match signal {
        Signal::Traces => promoter().traces(request, context, &mut batch),
        Signal::Logs => promoter().logs(request, context, &mut batch),
    }?;
    let lines = batch.records.iter().map(|record| String::from_utf8(batch.line(record).to_vec()).unwrap());
    Ok((lines.collect(), tally.counts.rejected))
}

/// What prost understands, encoded again. `None` where it refuses.
pub fn canonical(signal: Signal, request: &[u8]) -> Option<Vec<u8>> {
    match signal {
        Signal::Traces => ExportTraceServiceRequest::decode(request).ok().map(|message| message.encode_to_vec()),
        Signal::Logs => ExportLogsServiceRequest::decode(request).ok().map(|message| message.encode_to_vec()),
    }
}

/// A log's record without what is derived from its bytes.
fn without_id(line: &str) -> serde_json::Value {
    let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
    let id = record["id"].take();
    if record["decision"]["id"] == id {
        record["decision"]["id"] = serde_json::Value::Null;
    }
    record
}

/// Promotes a request both ways. True where the two could be compared.
pub fn same(signal: Signal, request: &[u8]) -> bool {
    let by_views = promoted(signal, request);
    let Some(canonical) = canonical(signal, request) else { return false };
    let (lines, rejected) = by_views.unwrap_or_else(|why| panic!("prost reads what views refuse: {why}"));
    let (expected, expected_rejected) = promoted(signal, &canonical).unwrap();
    assert_eq!(rejected, expected_rejected, "rejected of {signal:?}");
    assert_eq!(lines.len(), expected.len(), "records of {signal:?}");
    for (line, expected) in lines.iter().zip(&expected) {
        match signal {
            Signal::Traces => assert_eq!(line, expected),
            Signal::Logs => assert_eq!(without_id(line), without_id(expected)),
        }
    }
    true
}

/// Any bytes: as traces, as logs, as JSON of either.
pub fn any(bytes: &[u8]) {
    same(Signal::Traces, bytes);
    same(Signal::Logs, bytes);
    for (signal, transcoded) in [(Signal::Traces, json::traces(bytes)), (Signal::Logs, json::logs(bytes))] {
        if let Ok(transcoded) = transcoded {
            same(signal, &transcoded);
        }
    }
}
