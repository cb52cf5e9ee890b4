//! Attribute values, and the strings inside them.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde_json::Value;

/// Members inside messages, tool definitions and raw provider requests that are names and numbers, not words of a person.
pub(super) const STRUCTURE: [&str; 17] = [
    "id",
    "name",
    "type",
    "role",
    "model",
    "object",
    "finish_reason",
    "finishReason",
    "stop_reason",
    "tool_call_id",
    "toolCallId",
    "toolName",
    "toolUseId",
    "call_id",
    "service_tier",
    "system_fingerprint",
    "status",
];

/// Every string inside a value, with the member it stands under; JSON inside strings is opened.
pub(super) fn leaves(value: &Any, each: &mut dyn FnMut(&str, &str)) {
    fn of_any(name: &str, value: &AnyValue, each: &mut dyn FnMut(&str, &str)) {
        match &value.value {
            Some(Any::StringValue(text)) => of_text(name, text, each),
            Some(Any::ArrayValue(array)) => array.values.iter().for_each(|v| of_any(name, v, each)),
            Some(Any::KvlistValue(map)) => {
                map.values.iter().for_each(|kv| kv.value.iter().for_each(|v| of_any(&kv.key, v, each)));
            }
            _ => {}
        }
    }
    of_any("", &AnyValue { value: Some(value.clone()) }, each);
}

/// The same for one text.
pub(crate) fn leaves_of_text(text: &str, each: &mut dyn FnMut(&str, &str)) {
    of_text("", text, each);
}

fn of_text(name: &str, text: &str, each: &mut dyn FnMut(&str, &str)) {
    match serde_json::from_str::<Value>(text) {
        Ok(inner @ (Value::Object(_) | Value::Array(_) | Value::String(_))) => of_json(name, &inner, each),
        _ => each(name, text),
    }
}

fn of_json(name: &str, value: &Value, each: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::String(text) => of_text(name, text, each),
        Value::Array(values) => values.iter().for_each(|v| of_json(name, v, each)),
        Value::Object(map) => map.iter().for_each(|(k, v)| of_json(k, v, each)),
        _ => {}
    }
}

pub(super) fn any(attribute: &KeyValue) -> Option<&Any> {
    attribute.value.as_ref().and_then(|v| v.value.as_ref())
}

pub(super) fn string(attribute: &KeyValue) -> Option<&str> {
    match any(attribute) {
        Some(Any::StringValue(text)) => Some(text),
        _ => None,
    }
}
