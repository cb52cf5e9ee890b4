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

use std::sync::LazyLock;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use spanseal::clock::{UnixNanos, UnixSeconds};
use spanseal::config::{Config, Environment, Overrides};
use spanseal::otlp::json;
use spanseal::promote::{Context, IdentityKey, IdentityMode, Promoter, Unpromoted};
use spanseal::record::Batch;
use spanseal::record::content::ContentMode;
use spanseal::vault::Persons;

/// 2026-11-20T15:09:10.250Z
const RECEIVED: UnixNanos = UnixNanos(1_795_187_350_250_000_000);

/// Own rules and thresholds, as an operator writes them.
const RULES: &str = include_str!("../golden/rules/credit-model-fastapi.yaml");

/// Without a vault and without own rules; with both. Salts and pseudonyms are the same in both readings.
fn promoters() -> &'static [Promoter; 2] {
    static BOTH: LazyLock<[Promoter; 2]> = LazyLock::new(|| {
        ["", RULES].map(|yaml| {
            let now = UnixSeconds(1_795_187_350);
            let config = Config::parse("views", yaml, &Overrides::default(), &Environment::default(), now).unwrap();
            let mut settings = config.promotion_settings(IdentityKey::new([7; 32]), Persons::default());
            assert_eq!(settings.identity_mode, IdentityMode::Vault, "what is default is tried");
            if yaml.is_empty() {
                (settings.identity_mode, settings.content) = (IdentityMode::Keyed, ContentMode::Hash);
            }
            settings.random = |bytes| {
                bytes.fill(7);
                Ok(())
            };
            Promoter::new(settings).unwrap()
        })
    });
    &BOTH
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Traces,
    Logs,
}

/// What becomes of a request.
#[derive(Debug, PartialEq)]
struct Promoted {
    lines: Vec<String>,
    rejected: u64,
    /// What the vault is given: members with their content, persons.
    apart: Vec<(String, Vec<u8>)>,
}

fn promoted(promoter: &Promoter, signal: Signal, request: &[u8]) -> Result<Promoted, Unpromoted> {
    let mut batch = Batch::default();
    let context = Context::new(RECEIVED);
    let tally = match signal {
        Signal::Traces => promoter.traces(request, context, &mut batch),
        Signal::Logs => promoter.logs(request, context, &mut batch),
    }?;
    let lines = batch.records.iter().map(|record| String::from_utf8(batch.line(record).to_vec()).unwrap());
    let pieces = batch.apart.pieces.iter().map(|piece| (piece.member.to_string(), batch.apart.content(piece).to_vec()));
    let persons = batch.apart.persons.iter().map(|person| (person.realm.clone(), person.id.clone().into_bytes()));
    Ok(Promoted { lines: lines.collect(), rejected: tally.counts.rejected, apart: pieces.chain(persons).collect() })
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

/// Promotes a request both ways, by both promoters. True where the two ways could be compared.
pub fn same(signal: Signal, request: &[u8]) -> bool {
    let by_views = promoters().each_ref().map(|promoter| promoted(promoter, signal, request));
    let Some(canonical) = canonical(signal, request) else { return false };
    for (promoter, by_views) in promoters().iter().zip(by_views) {
        let found = by_views.unwrap_or_else(|why| panic!("prost reads what views refuse: {why}"));
        let expected = promoted(promoter, signal, &canonical).unwrap();
        assert_eq!((found.rejected, found.lines.len()), (expected.rejected, expected.lines.len()), "of {signal:?}");
        for (line, expected) in found.lines.iter().zip(&expected.lines) {
            match signal {
                Signal::Traces => assert_eq!(line, expected),
                Signal::Logs => assert_eq!(without_id(line), without_id(expected)),
            }
        }
        assert_eq!(found.apart, expected.apart, "what is held apart of {signal:?}");
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
