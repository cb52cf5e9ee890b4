//! Attribute values as JSON: the encoding of `attributes`, `source.resource` and of the preimages of scheme `attributes`
//! (`record.md`, sections 2 and 4).
//!
//! Strings, booleans, doubles and arrays are plain JSON; the rest keeps OTLP/JSON's value names, so that nothing is confused with its
//! neighbour (`"5"` and 5, bytes and their base64). Empty stays `null` where it stood.

use base64::Engine;
use std::borrow::Cow;

use crate::otlp::view::{VALUE_DEPTH_MAX, Value, elements, key_values};
use crate::otlp::wire::Malformed;
use crate::record::canonical::{compare_names, write_number, write_string};

/// What happened to a value on its way into the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// Invalid UTF-8 became U+FFFD.
    pub(crate) repaired: bool,
    /// A key stood twice; the first value was kept.
    pub(crate) repeated: bool,
    /// Nested deeper than is followed: `null` stands there.
    pub(crate) cut: bool,
    /// Of the objects that are being written, on all levels together.
    pub(crate) pairs: usize,
}

/// Most keys that the objects around a value may have together: what is two bytes on the wire is some fifty here until it is written.
const PAIRS_MAX: usize = 16 * 1024 * 1024 / size_of::<(Cow<'_, str>, Value<'_>)>();

/// Which JSON a value becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// With OTLP/JSON's names where plain JSON would lie.
    Exact,
    /// Plain JSON, as an instrumentation would have serialised it: only for looking inside, never kept.
    Plain,
}

/// Text of bytes that should be UTF-8.
pub(crate) fn text<'a>(bytes: &'a [u8], notes: &mut Notes) -> Cow<'a, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            notes.repaired = true;
            String::from_utf8_lossy(bytes)
        }
    }
}

/// Appends a value.
pub(crate) fn write_value(out: &mut Vec<u8>, value: &Value<'_>, form: Form, notes: &mut Notes) -> Result<(), Malformed> {
    write_at(out, value, form, notes, 0)
}

fn write_at(out: &mut Vec<u8>, value: &Value<'_>, form: Form, notes: &mut Notes, depth: usize) -> Result<(), Malformed> {
    match value {
        Value::Empty => out.extend_from_slice(b"null"),
        Value::Text(bytes) => write_string(out, &text(bytes, notes)),
        Value::Bool(flag) => out.extend_from_slice(if *flag { b"true" } else { b"false" }),
        Value::Double(number) if number.is_finite() => write_number(out, *number),
        Value::Double(number) => {
            let name: &[u8] = if number.is_nan() {
                b"{\"doubleValue\":\"NaN\"}"
            } else if *number > 0.0 {
                b"{\"doubleValue\":\"Infinity\"}"
            } else {
                b"{\"doubleValue\":\"-Infinity\"}"
            };
            out.extend_from_slice(if form == Form::Exact { name } else { b"null" });
        }
        Value::Int(number) => {
            let exact = form == Form::Exact;
            out.extend_from_slice(if exact { b"{\"intValue\":\"" } else { b"" });
            out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
            out.extend_from_slice(if exact { b"\"}" } else { b"" });
        }
        Value::Bytes(bytes) => {
            let exact = form == Form::Exact;
            out.extend_from_slice(if exact { b"{\"bytesValue\":" } else { b"" });
            write_string(out, &base64::engine::general_purpose::STANDARD.encode(bytes));
            out.extend_from_slice(if exact { b"}" } else { b"" });
        }
        Value::Array(_) | Value::KeyValues(_) if depth >= VALUE_DEPTH_MAX => {
            notes.cut = true;
            out.extend_from_slice(b"null");
        }
        // KNOWN GAP: millions of elements of two bytes, some KB of gzip, cost processor time far beyond their size, and an address that sends
        // many such requests makes others wait: nobody's share of the threads that promote is bounded.
        Value::Array(array) => {
            out.push(b'[');
            for (i, element) in elements(array).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_at(out, &element?, form, notes, depth + 1)?;
            }
            out.push(b']');
        }
        Value::KeyValues(list) => {
            let mut pairs = Vec::new();
            let around = notes.pairs;
            for pair in key_values(list, 1) {
                let pair = pair?;
                notes.pairs += 1;
                if notes.pairs > PAIRS_MAX {
                    return Err(Malformed("an attribute in it nests so many keys that they take more than 16 MiB"));
                }
                pairs.push((text(pair.key, notes), pair.value()?));
            }
            let exact = form == Form::Exact;
            out.extend_from_slice(if exact { b"{\"kvlistValue\":" } else { b"" });
            write_object_at(out, &mut pairs, form, notes, depth + 1)?;
            notes.pairs = around;
            out.extend_from_slice(if exact { b"}" } else { b"" });
        }
    }
    Ok(())
}

/// Appends an object of key and value; of a repeated key the first stays. Sorts `pairs`.
pub(crate) fn write_object<'a>(out: &mut Vec<u8>, pairs: &mut Vec<(Cow<'a, str>, Value<'a>)>, notes: &mut Notes) -> Result<(), Malformed> {
    write_object_at(out, pairs, Form::Exact, notes, 0)
}

fn write_object_at<'a>(
    out: &mut Vec<u8>,
    pairs: &mut Vec<(Cow<'a, str>, Value<'a>)>,
    form: Form,
    notes: &mut Notes,
    depth: usize,
) -> Result<(), Malformed> {
    // Stable: of equal keys the first one sent comes first and stays.
    pairs.sort_by(|a, b| compare_names(&a.0, &b.0));
    let before = pairs.len();
    pairs.dedup_by(|later, earlier| later.0 == earlier.0);
    notes.repeated |= pairs.len() != before;
    out.push(b'{');
    for (i, (key, value)) in pairs.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_string(out, key);
        out.push(b':');
        write_at(out, value, form, notes, depth)?;
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::wire::Message;

    /// Field `number` as length-delimited.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend_from_slice(bytes);
        out
    }

    fn encoded(any: &[u8]) -> (String, Notes) {
        let (mut out, mut notes) = (Vec::new(), Notes::default());
        write_value(&mut out, &Value::read(&Message::new(any)).unwrap(), Form::Exact, &mut notes).unwrap();
        (String::from_utf8(out).unwrap(), notes)
    }

    #[test]
    fn every_value_has_its_form() {
        let double = |d: f64| [&[0x21][..], &d.to_le_bytes()].concat();
        assert_eq!(encoded(b"").0, "null");
        assert_eq!(encoded(&field(1, b"a\"b")).0, r#""a\"b""#);
        assert_eq!(encoded(&[0x10, 1]).0, "true");
        assert_eq!(encoded(&[0x18, 5]).0, r#"{"intValue":"5"}"#);
        assert_eq!(encoded(&double(5.0)).0, "5");
        assert_eq!(encoded(&double(f64::NAN)).0, r#"{"doubleValue":"NaN"}"#);
        assert_eq!(encoded(&double(f64::NEG_INFINITY)).0, r#"{"doubleValue":"-Infinity"}"#);
        assert_eq!(encoded(&field(7, &[0xff, 0])).0, r#"{"bytesValue":"/wA="}"#);
        // An array of: empty, "", an empty list of pairs. Each stays what it was.
        let array = [field(1, b""), field(1, &field(1, b"")), field(1, &field(6, b""))].concat();
        assert_eq!(encoded(&field(5, &array)).0, r#"[null,"",{"kvlistValue":{}}]"#);
    }

    #[test]
    fn pairs_are_sorted_and_the_first_of_equal_keys_stays() {
        let pair = |key: &[u8], text: &[u8]| field(1, &[field(1, key), field(2, &field(1, text))].concat());
        let list = [pair(b"b", b"1"), pair(b"a", b"2"), pair(b"b", b"3")].concat();
        let (text, notes) = encoded(&field(6, &list));
        assert_eq!(text, r#"{"kvlistValue":{"a":"2","b":"1"}}"#);
        assert!(notes.repeated);
    }

    #[test]
    fn broken_text_is_repaired_and_named_and_depth_is_bounded() {
        let (text, notes) = encoded(&field(1, b"a\xed\xa0\x80z\xff"));
        assert_eq!(text, "\"a\u{fffd}\u{fffd}\u{fffd}z\u{fffd}\"");
        assert!(notes.repaired);
        let mut deep = Vec::new();
        for _ in 0..60 {
            let mut wrapped = vec![0x2a];
            let inner = field_long(1, &deep);
            push_varint(&mut wrapped, inner.len());
            wrapped.extend(inner);
            deep = wrapped;
        }
        let (text, notes) = encoded(&deep);
        assert!(notes.cut && text.contains("null"));
        assert_eq!(text.matches('[').count(), VALUE_DEPTH_MAX);
    }

    fn push_varint(out: &mut Vec<u8>, mut n: usize) {
        while n >= 0x80 {
            out.push((n & 0x7f) as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
    }

    fn field_long(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        push_varint(&mut out, bytes.len());
        out.extend_from_slice(bytes);
        out
    }

    #[test]
    fn merged_lists_are_one_list() {
        let two = [field(5, &field(1, &[0x18, 1])), field(5, &field(1, &[0x18, 2]))].concat();
        assert_eq!(encoded(&two).0, r#"[{"intValue":"1"},{"intValue":"2"}]"#);
    }
}
