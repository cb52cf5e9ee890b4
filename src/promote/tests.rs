mod acts;

mod confidence;
mod golden;
mod hostile;
mod own_rules;
mod own_words;
mod persons;
mod retention;
mod rules;
mod vault;
mod vendors;

use super::testing::{Any, request};
use super::*;
use crate::clock::UnixSeconds;
use crate::record::canonical::Json;
use crate::record::registry::is_registered;
use crate::retain::{Class, Classes};
use crate::worm::Mode;
use hmac::{KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// 2026-11-20T15:09:10.250Z
pub(super) const RECEIVED: UnixNanos = UnixNanos(1_795_187_350_250_000_000);

pub(super) fn settings() -> Settings {
    let class = |name: &str, period: &str, claimable| Class {
        name: name.into(),
        mode: Mode::Governance,
        period: period.parse().unwrap(),
        claimable,
    };
    let classes = vec![class("standard", "180d", false), class("long", "7y", true), class("short", "1d", true)];
    let classes = Classes::new(classes, "standard", "10y".parse().unwrap(), UnixSeconds(1_795_187_350)).unwrap();
    Settings { writer: "spanseal/test".into(), ..Settings::new(Arc::new(classes), IdentityKey::new([0; 32])) }
}

pub(super) fn promoter() -> Promoter {
    Promoter::new(settings()).unwrap()
}

/// The lines of a request, each checked: canonical, registered members only, below the limit.
pub(super) fn lines(promoter: &Promoter, request: &[u8], logs: bool) -> (Vec<Json>, Tally, Batch) {
    let mut batch = Batch::default();
    let context = Context::new(RECEIVED);
    let tally = if logs { promoter.logs(request, context, &mut batch) } else { promoter.traces(request, context, &mut batch) }.unwrap();
    let lines: Vec<Json> = batch.records.iter().map(|r| checked(batch.line(r))).collect();
    vault::expect_the_same_with_a_vault(promoter, request, logs, &lines);
    (lines, tally, batch)
}

pub(super) fn checked(line: &[u8]) -> Json {
    assert!(line.len() <= crate::record::builder::LINE_MAX);
    let json = Json::parse_canonical(line).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(line)));
    registered(&json, "");
    json
}

/// Every member stands in the registry, and no named member is null, empty string, array or object (`record.md` section 1).
fn registered(json: &Json, path: &str) {
    for (name, value) in json.as_object().unwrap() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        assert!(!matches!(value, Json::Null), "{path}");
        assert!(value.as_str() != Some("") && value.as_array() != Some(&[]) && value.as_object() != Some(&[]), "{path} is empty");
        if ["attributes", "source.resource", "evidence.derived"].contains(&path.as_str()) {
            continue;
        }
        match value {
            Json::Object(_) => registered(value, &path),
            Json::Array(items) if items.iter().any(|i| i.as_object().is_some()) => {
                assert!(is_registered(&path), "{path}");
                items.iter().for_each(|i| registered(i, &format!("{path}[]")));
            }
            _ => assert!(is_registered(&path), "{path}"),
        }
    }
}

pub(super) fn one_span(span: Vec<u8>) -> Json {
    let (mut lines, _, _) = lines(&promoter(), &request(&[], ("scope", "1"), &[span]), false);
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

/// The record of one span below a scope.
pub(super) fn one_span_of(scope: &str, span: Vec<u8>) -> Json {
    let (mut lines, _, _) = lines(&promoter(), &request(&[], (scope, "1"), &[span]), false);
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

pub(super) fn one_log(log: Vec<u8>) -> Json {
    let (mut lines, _, _) = lines(&promoter(), &request(&[], ("scope", "1"), &[log]), true);
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

/// `H(label, x)` under a key of zeros, with the JCS text written out: an independent computation.
pub(super) fn h(label: &str, x: &[u8]) -> String {
    let mut mac = hmac::Hmac::<Sha256>::new_from_slice(&[0; 32]).unwrap();
    mac.update(format!("[\"{label}\",\"{}\"]", hex::encode(Sha256::digest(x))).as_bytes());
    format!("hmac-sha256:66687aad:{}", hex::encode(mac.finalize().into_bytes()))
}

pub(super) fn at<'j>(json: &'j Json, path: &str) -> &'j str {
    json.path(path).and_then(Json::as_str).unwrap_or("(absent)")
}

pub(super) fn names(json: &Json, path: &str) -> Vec<String> {
    json.path(path).and_then(Json::as_array).unwrap_or_default().iter().filter_map(Json::as_str).map(str::to_owned).collect()
}

/// Resource attributes as SDKs send them.
pub(super) fn resource() -> Vec<(&'static str, Any)> {
    vec![("service.name", Any::text("loans")), ("service.namespace", Any::text("lending")), ("telemetry.sdk.language", Any::text("rust"))]
}
