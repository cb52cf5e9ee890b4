//! Ids of records, from their definition.

use serde_json::json;
use sha2::{Digest as _, Sha256};

/// `id` of a record: the first 16 bytes of SHA-256 over the canonical JSON of its four coordinates.
pub(crate) fn record_id(signal: &str, trace_id: &str, span_id: &str, ordinal: &str) -> String {
    // Four strings without a character that JSON escapes: canonical as it is.
    let preimage = json!([signal, trace_id, span_id, ordinal]).to_string();
    hex::encode(&Sha256::digest(preimage.as_bytes())[..16])
}

/// The ordinal of a log: H("log", bytes) under the store's key, bytes entering as the hex of their digest.
pub(crate) fn log_ordinal(key: &[u8], sha256: &str) -> String {
    keyed(key, &["log", sha256])
}

/// The pseudonym of a person in mode `keyed`.
pub(crate) fn pseudonym(key: &[u8], realm: &str, id: &str) -> String {
    let key_id = &hex::encode(Sha256::digest(key))[..8];
    format!("ps:{key_id}:{}", &keyed(key, &["person", realm, id])[..32])
}

/// H: HMAC-SHA-256 over the canonical JSON of some strings (none here needs an escape that implementations write differently).
fn keyed(key: &[u8], parts: &[&str]) -> String {
    use hmac::{KeyInit as _, Mac as _};
    let mut mac = hmac::Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(json!(parts).to_string().as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// The bytes of every `LogRecord` of a request, in order: fields 1, 2, 2 of the nested messages.
pub(super) fn raw_log_records(request: &[u8]) -> Vec<&[u8]> {
    let mut messages = vec![request];
    for field in [1, 2, 2] {
        messages = messages.into_iter().flat_map(|message| length_delimited(message, field)).collect();
    }
    messages
}

fn length_delimited(mut message: &[u8], wanted: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        match tag & 7 {
            0 => drop(varint(&mut message)),
            1 => message = &message[8..],
            5 => message = &message[4..],
            2 => {
                let length = usize::try_from(varint(&mut message)).unwrap();
                let (value, rest) = message.split_at(length);
                message = rest;
                if tag >> 3 == wanted {
                    found.push(value);
                }
            }
            other => panic!("wire type {other}"),
        }
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first().unwrap();
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}
