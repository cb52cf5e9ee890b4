//! OTLP/JSON -> the protobuf bytes of the same request (pure), so that everything behind it knows one encoding only.
//!
//! Implements "JSON Protobuf Encoding" of the OTLP specification 1.10 over proto3 JSON (protobuf.dev, "ProtoJSON Format"): ids in
//! hexadecimal, enums as integers, names in lowerCamelCase or as in the `.proto`, unknown members ignored, 64-bit integers as strings
//! or numbers, `null` as absent, doubles also as `"NaN"`, `"Infinity"`, `"-Infinity"`.
//!
//! Where the specification leaves a choice, no request is lost for one odd value:
//! - an id that is not hexadecimal becomes one zero byte: never a valid id, so its span alone is rejected later. One of a wrong length
//!   passes as it is, with the same end;
//! - enum names are understood besides numbers; a lone surrogate becomes U+FFFD; bytes that are not UTF-8 pass as they are, as they do
//!   in protobuf; a value nested deeper than readers follow ([`super::view::VALUE_DEPTH_MAX`]) is cut below that depth;
//! - a member that repeats counts as it would on the wire: scalars last, messages merged, lists appended.
//!
//! Anything else that does not fit is an error with its byte position, and the request is refused as a whole.
//!
//! The output is at most a tenth larger than the input (a negative enum is the worst case) and is what a generated encoder writes for the same members in the same order: shortest
//! lengths, no fields that are zero.

mod lexer;
mod number;
mod schema;
#[cfg(test)]
mod tests;
mod write;

use super::answer::Signal;
use super::foreign::Foreign;
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use lexer::{Lexer, Text};
use schema::{Field, Kind, Shape};
use write::Writer;

/// Deepest nesting of messages that is transcoded. One level of a key-value list is three messages, a span's own depth is five: with
/// this, a reader that stops at `VALUE_DEPTH_MAX` (32) still sees that something lay deeper.
const MESSAGE_DEPTH_MAX: usize = 128;

/// The bytes are not the JSON of an OTLP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at} of the JSON: {what}")]
pub struct JsonError {
    /// Position in the (decompressed) body, from 0.
    pub at: usize,
    /// What is wrong there. Never quotes the body.
    pub what: &'static str,
}

/// Transcodes an `ExportTraceServiceRequest`.
pub fn traces(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    request(Signal::Traces, json).map(|request| request.protobuf)
}

/// Transcodes an `ExportLogsServiceRequest`.
pub fn logs(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    request(Signal::Logs, json).map(|request| request.protobuf)
}

/// Transcodes of an `ExportMetricsServiceRequest` what [`super::metrics::data_points`] counts: its data points, empty.
pub fn metrics(json: &[u8]) -> Result<Vec<u8>, JsonError> {
    request(Signal::Metrics, json).map(|request| request.protobuf)
}

/// A request as protobuf, and what stood beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcoded {
    /// The same request.
    pub protobuf: Vec<u8>,
    /// What the sender should hear about, because ignoring unknown members would hide that it was lost.
    pub foreign: Option<Foreign>,
}

/// Transcodes the export request of a signal.
pub fn request(signal: Signal, json: &[u8]) -> Result<Transcoded, JsonError> {
    let mut transcoder = Transcoder { json: Lexer::new(json), out: Writer::with_capacity(json.len() / 2), scratch: Vec::new() };
    let foreign = transcoder.request(signal)?;
    transcoder.json.end()?;
    Ok(Transcoded { protobuf: transcoder.out.into_bytes(), foreign })
}

fn shape_of(signal: Signal) -> Shape {
    match signal {
        Signal::Traces => Shape::TracesRequest,
        Signal::Logs => Shape::LogsRequest,
        Signal::Metrics => Shape::MetricsRequest,
    }
}

struct Transcoder<'a> {
    json: Lexer<'a>,
    out: Writer,
    /// Holds a string without its escapes where it must be looked at; reused.
    scratch: Vec<u8>,
}

/// Base64 of either alphabet as senders write it: with or without padding.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);

impl<'a> Transcoder<'a> {
    /// The members of the whole: like any message, except that what is not known here is looked at.
    fn request(&mut self, signal: Signal) -> Result<Option<Foreign>, JsonError> {
        let (mut known, mut unknown, mut other) = (false, 0, None);
        self.json.expect(b'{', "expected an object")?;
        if self.json.take(b'}') {
            return Ok(None);
        }
        loop {
            let key = self.json.key()?;
            let name = plain(&mut self.scratch, key)?;
            if let Some(field) = shape_of(signal).field(name) {
                known = true;
                self.member(shape_of(signal), field, 0)?;
            } else {
                let of = Signal::ALL.into_iter().find(|signal| shape_of(*signal).field(name).is_some());
                let from = self.json.at();
                self.json.skip()?;
                if holds_something(self.json.since(from)) {
                    unknown += 1;
                    other = other.or(of);
                }
            }
            if !self.json.another(b'}')? {
                break;
            }
        }
        Ok(match other {
            Some(other) => Some(Foreign::Signal(other)),
            None if unknown > 0 && !known => Some(Foreign::Unknown { members: unknown }),
            None => None,
        })
    }

    /// The members of one object. Recursion is bounded by `MESSAGE_DEPTH_MAX`.
    fn message(&mut self, shape: Shape, depth: usize) -> Result<(), JsonError> {
        self.json.expect(b'{', "expected an object")?;
        if self.json.take(b'}') {
            return Ok(());
        }
        loop {
            let key = self.json.key()?;
            match self.field_of(shape, key)? {
                Some(field) => self.member(shape, field, depth)?,
                None => self.json.skip()?,
            }
            if !self.json.another(b'}')? {
                return Ok(());
            }
        }
    }

    fn field_of(&mut self, shape: Shape, key: Text<'a>) -> Result<Option<Field>, JsonError> {
        Ok(shape.field(plain(&mut self.scratch, key)?))
    }

    fn member(&mut self, shape: Shape, field: Field, depth: usize) -> Result<(), JsonError> {
        if self.json.peek() == Some(b'n') {
            return self.json.word("null");
        }
        if !field.repeated {
            return self.value(field, shape.has_presence(), depth);
        }
        self.json.expect(b'[', "expected an array")?;
        if self.json.take(b']') {
            return Ok(());
        }
        loop {
            if self.json.peek() == Some(b'n') {
                self.json.word("null")?;
                // In a list of values the place counts: `[1, null, 2]` has three.
                if field.kind == Kind::Message(Shape::AnyValue) {
                    self.out.bytes(field.number, b"");
                }
            } else {
                self.value(field, true, depth)?;
            }
            if !self.json.another(b']')? {
                return Ok(());
            }
        }
    }

    /// One value that is not null. Zero is not written unless the field has presence.
    fn value(&mut self, field: Field, presence: bool, depth: usize) -> Result<(), JsonError> {
        let number = field.number;
        let at = self.json.at();
        let misfit = |what| JsonError { at, what };
        match field.kind {
            Kind::Message(shape) => {
                let mark = self.out.open(number, shape.length_bytes_usual());
                if depth < MESSAGE_DEPTH_MAX {
                    self.message(shape, depth + 1)?;
                } else {
                    self.json.skip()?;
                }
                self.out.close(mark);
            }
            Kind::Text => self.text(number, presence)?,
            Kind::HexId => self.hex_id(number)?,
            Kind::Base64 => {
                let text = self.json.text()?;
                let encoded = plain(&mut self.scratch, text)?;
                let engine = if encoded.iter().any(|b| matches!(b, b'-' | b'_')) { URL_SAFE } else { STANDARD };
                let bytes = engine.decode(encoded).map_err(|_| misfit("this is not base64"))?;
                self.out.bytes(number, &bytes);
            }
            Kind::Bool => {
                let value = self.json.peek() == Some(b't');
                self.json.word(if value { "true" } else { "false" })?;
                if value || presence {
                    self.out.varint(number, u64::from(value));
                }
            }
            Kind::Double => {
                let value = self.double()?.ok_or(misfit("expected a number that fits a double"))?;
                if value.to_bits() != 0 || presence {
                    self.out.fixed64(number, value.to_bits());
                }
            }
            Kind::Fixed64 => {
                let value =
                    self.integer()?.and_then(|v| u64::try_from(v).ok()).ok_or(misfit("expected an integer of 64 bits without sign"))?;
                if value != 0 || presence {
                    self.out.fixed64(number, value);
                }
            }
            Kind::Fixed32 => {
                let value =
                    self.integer()?.and_then(|v| u32::try_from(v).ok()).ok_or(misfit("expected an integer of 32 bits without sign"))?;
                if value != 0 || presence {
                    self.out.fixed32(number, value);
                }
            }
            Kind::UInt32 => {
                let value =
                    self.integer()?.and_then(|v| u32::try_from(v).ok()).ok_or(misfit("expected an integer of 32 bits without sign"))?;
                if value != 0 || presence {
                    self.out.varint(number, u64::from(value));
                }
            }
            Kind::Int64 => {
                let value = self.integer()?.and_then(|v| i64::try_from(v).ok()).ok_or(misfit("expected an integer of 64 bits"))?;
                if value != 0 || presence {
                    self.out.varint(number, value.cast_unsigned());
                }
            }
            Kind::Int32 => {
                let value = self.integer()?.and_then(|v| i32::try_from(v).ok()).ok_or(misfit("expected an integer of 32 bits"))?;
                if value != 0 || presence {
                    // Negative ones take ten bytes: sign-extended to 64 bits (protobuf.dev, "Signed Integers").
                    self.out.varint(number, i64::from(value).cast_unsigned());
                }
            }
            Kind::Enum(names) => {
                let named = if self.json.peek() == Some(b'"') {
                    let text = self.json.text()?;
                    let name = plain(&mut self.scratch, text)?;
                    names.number(name).or_else(|| number::integer(name).and_then(|v| i32::try_from(v).ok()))
                } else {
                    number::integer(self.json.number()?).and_then(|v| i32::try_from(v).ok())
                };
                let value = named.ok_or(misfit("expected a number of this enum"))?;
                if value != 0 || presence {
                    self.out.varint(number, i64::from(value).cast_unsigned());
                }
            }
        }
        Ok(())
    }

    fn text(&mut self, number: u32, presence: bool) -> Result<(), JsonError> {
        let text = self.json.text()?;
        if text.escaped {
            let mark = self.out.open(number, 1);
            text.unescape(self.out.raw())?;
            self.out.close(mark);
        } else if presence || !text.raw.is_empty() {
            self.out.bytes(number, text.raw);
        }
        Ok(())
    }

    fn hex_id(&mut self, number: u32) -> Result<(), JsonError> {
        let text = self.json.text()?;
        let digits = plain(&mut self.scratch, text)?;
        if digits.is_empty() {
            return Ok(());
        }
        let mut id = [0; 16];
        let decoded = id.get_mut(..digits.len() / 2).and_then(|id| hex::decode_to_slice(digits, id).ok().map(|()| &*id));
        match decoded {
            Some(id) => self.out.bytes(number, id),
            // One zero byte where it is no hexadecimal at all: the text itself could pass for an id by its length.
            None => self.out.bytes(number, &hex::decode(digits).unwrap_or(vec![0])),
        }
        Ok(())
    }

    fn integer(&mut self) -> Result<Option<i128>, JsonError> {
        if self.json.peek() == Some(b'"') {
            let text = self.json.text()?;
            return Ok(number::integer(plain(&mut self.scratch, text)?));
        }
        Ok(number::integer(self.json.number()?))
    }

    fn double(&mut self) -> Result<Option<f64>, JsonError> {
        if self.json.peek() != Some(b'"') {
            return Ok(number::double(self.json.number()?));
        }
        let text = self.json.text()?;
        Ok(match plain(&mut self.scratch, text)? {
            b"NaN" => Some(f64::NAN),
            b"Infinity" => Some(f64::INFINITY),
            b"-Infinity" => Some(f64::NEG_INFINITY),
            number => number::double(number),
        })
    }
}

/// Whether a value is more than null and empty brackets.
fn holds_something(value: &[u8]) -> bool {
    value.iter().any(|b| !b"[]{}nul, \t\r\n".contains(b))
}

/// The string that is meant: where it stands, or in `scratch` if it has escapes.
fn plain<'s>(scratch: &'s mut Vec<u8>, text: Text<'s>) -> Result<&'s [u8], JsonError> {
    if !text.escaped {
        return Ok(text.raw);
    }
    scratch.clear();
    text.unescape(scratch)?;
    Ok(scratch)
}
