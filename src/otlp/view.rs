//! Borrowed views over the messages of opentelemetry-proto 1.x that records are made of: resource, scope, span, event, link, log
//! record, attribute values. Field numbers are those of the `.proto` files.
//!
//! A view takes one pass over its message's own fields; what lies deeper stays bytes until someone asks.

use super::wire::{Field, Fields, Malformed, Message, Payload};

/// Deepest nesting of arrays and key-value lists inside a value that readers follow. Deeper ones are cut there.
pub const VALUE_DEPTH_MAX: usize = 32;

/// An `AnyValue` (common.proto). Text may be invalid UTF-8: that is the reader's to repair and to name.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    /// No value set.
    Empty,
    /// `string_value`
    Text(&'a [u8]),
    /// `bool_value`
    Bool(bool),
    /// `int_value`
    Int(i64),
    /// `double_value`
    Double(f64),
    /// `array_value`
    Array(Message<'a>),
    /// `kvlist_value`
    KeyValues(Message<'a>),
    /// `bytes_value`
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Reads an `AnyValue`: the last member of the oneof wins; a message member that repeats is merged.
    #[inline]
    pub fn read(message: &Message<'a>) -> Result<Self, Malformed> {
        // Nearly every value is one field of one piece.
        if let Some(bytes) = message.whole() {
            let mut fields = Fields::new(bytes);
            match fields.next() {
                None => return Ok(Value::Empty),
                Some(Ok(field)) if fields.is_at_end() => return Ok(Value::Empty.then(field)),
                _ => {}
            }
        }
        Value::read_fields(message)
    }

    #[cold]
    fn read_fields(message: &Message<'a>) -> Result<Self, Malformed> {
        let then = |value: Self, field: Result<Field<'a>, Malformed>| Ok(value.then(field?));
        match message.whole() {
            // An array may have millions of these.
            Some(bytes) => Fields::new(bytes).try_fold(Value::Empty, then),
            None => message.fields().try_fold(Value::Empty, then),
        }
    }

    /// What a further field of the message makes of this.
    #[inline(always)]
    fn then(self, field: Field<'a>) -> Self {
        match (field.number, field.value) {
            (1, Payload::Bytes(text)) => Value::Text(text),
            (2, Payload::Varint(v)) => Value::Bool(v != 0),
            (3, Payload::Varint(v)) => Value::Int(v.cast_signed()),
            (4, Payload::Fixed64(v)) => Value::Double(f64::from_bits(v)),
            (5, Payload::Bytes(part)) => match self {
                Value::Array(mut message) => {
                    message.merge(part);
                    Value::Array(message)
                }
                _ => Value::Array(Message::new(part)),
            },
            (6, Payload::Bytes(part)) => match self {
                Value::KeyValues(mut message) => {
                    message.merge(part);
                    Value::KeyValues(message)
                }
                _ => Value::KeyValues(Message::new(part)),
            },
            (7, Payload::Bytes(bytes)) => Value::Bytes(bytes),
            // `string_value_strindex` belongs to profiles; elsewhere it is "as if this value were absent" (common.proto).
            (8, Payload::Varint(_)) => Value::Empty,
            _ => self,
        }
    }

    /// The text, if it is a string of valid UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Value::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }
}

/// The elements of an `ArrayValue` (field 1).
pub fn elements<'a>(array: &Message<'a>) -> impl Iterator<Item = Result<Value<'a>, Malformed>> + use<'a> {
    let parts: Vec<&'a [u8]> = array.parts().collect();
    parts.into_iter().flat_map(Fields::new).filter_map(|field| match field {
        Ok(Field { number: 1, value: Payload::Bytes(element) }) => Some(Value::read(&Message::new(element))),
        Ok(_) => None,
        Err(e) => Some(Err(e)),
    })
}

/// A `KeyValue`.
#[derive(Clone, Debug)]
pub struct KeyValue<'a> {
    /// `key`, as bytes.
    pub key: &'a [u8],
    /// Bytes of the pair on the wire.
    pub length: usize,
    value: Message<'a>,
}

impl<'a> KeyValue<'a> {
    /// Reads one `KeyValue` message.
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        // Nearly every pair is a key and a value, in this order, and nothing else.
        let mut fields = Fields::new(bytes);
        if let Some(Ok(Field { number: 1, value: Payload::Bytes(key) })) = fields.next()
            && let Some(Ok(Field { number: 2, value: Payload::Bytes(value) })) = fields.next()
            && fields.is_at_end()
        {
            return Ok(KeyValue { key, length: bytes.len(), value: Message::new(value) });
        }
        KeyValue::read_fields(bytes)
    }

    #[cold]
    fn read_fields(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut key: &[u8] = b"";
        let mut value = Message::default();
        for field in Fields::new(bytes) {
            match field? {
                Field { number: 1, value: Payload::Bytes(text) } => key = text,
                Field { number: 2, value: Payload::Bytes(part) } => value.merge(part),
                _ => {}
            }
        }
        Ok(KeyValue { key, length: bytes.len(), value })
    }

    /// Its value.
    pub fn value(&self) -> Result<Value<'a>, Malformed> {
        Value::read(&self.value)
    }
}

/// The key of a `KeyValue` message without a look at its value: what the hot path asks of every attribute.
#[inline]
pub fn key_of(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let mut key: &[u8] = b"";
    for field in Fields::new(bytes) {
        if let Field { number: 1, value: Payload::Bytes(text) } = field? {
            key = text;
        }
    }
    Ok(key)
}

/// The pairs of a `KeyValueList` (field 1), or of any message's attribute field `number`.
pub fn key_values<'a>(message: &Message<'a>, number: u32) -> impl Iterator<Item = Result<KeyValue<'a>, Malformed>> + use<'a> {
    let parts: Vec<&'a [u8]> = message.parts().collect();
    parts.into_iter().flat_map(move |part| key_values_in(part, number))
}

/// The same for a message in one piece.
pub fn key_values_in(bytes: &[u8], number: u32) -> impl Iterator<Item = Result<KeyValue<'_>, Malformed>> {
    Fields::new(bytes).filter_map(move |field| match field {
        Ok(Field { number: n, value: Payload::Bytes(pair) }) if n == number => Some(KeyValue::read(pair)),
        Ok(_) => None,
        Err(e) => Some(Err(e)),
    })
}

/// The length-delimited occurrences of one field of a message.
pub fn each_in(bytes: &[u8], number: u32) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    Fields::new(bytes).filter_map(move |field| match field {
        Ok(Field { number: n, value: Payload::Bytes(part) }) if n == number => Some(Ok(part)),
        Ok(_) => None,
        Err(e) => Some(Err(e)),
    })
}

/// `ResourceSpans` or `ResourceLogs`: the same field numbers.
#[derive(Clone, Debug, Default)]
pub struct ResourceGroup<'a> {
    bytes: &'a [u8],
    /// `resource` (1): attributes are its field 1.
    pub resource: Message<'a>,
}

impl<'a> ResourceGroup<'a> {
    /// Reads the group's own fields; scopes stay on the wire.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut group = ResourceGroup { bytes, ..Self::default() };
        for field in Fields::new(bytes) {
            if let Field { number: 1, value: Payload::Bytes(part) } = field? {
                group.resource.merge(part);
            }
        }
        Ok(group)
    }

    /// `scope_spans` or `scope_logs` (2).
    pub fn scopes(&self) -> impl Iterator<Item = Result<&'a [u8], Malformed>> + use<'a> {
        each_in(self.bytes, 2)
    }

    /// How many resource attributes the SDK dropped (2).
    pub fn dropped_attributes(&self) -> Result<u32, Malformed> {
        dropped(&self.resource, 2)
    }

    /// Resource attributes.
    pub fn attributes(&self) -> impl Iterator<Item = Result<KeyValue<'a>, Malformed>> + use<'a> {
        key_values(&self.resource, 1)
    }
}

/// A count of what an SDK dropped.
fn dropped(message: &Message<'_>, number: u32) -> Result<u32, Malformed> {
    let mut count = 0;
    for field in message.fields() {
        match field? {
            Field { number: n, value: Payload::Varint(v) } if n == number => count = low32(v),
            _ => {}
        }
    }
    Ok(count)
}

/// `ScopeSpans` or `ScopeLogs`: the same field numbers.
#[derive(Clone, Debug, Default)]
pub struct ScopeGroup<'a> {
    bytes: &'a [u8],
    /// `scope` (1).
    pub scope: Message<'a>,
}

impl<'a> ScopeGroup<'a> {
    /// Reads the group's own fields; spans and logs stay on the wire.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut group = ScopeGroup { bytes, ..Self::default() };
        for field in Fields::new(bytes) {
            if let Field { number: 1, value: Payload::Bytes(part) } = field? {
                group.scope.merge(part);
            }
        }
        Ok(group)
    }

    /// `spans` or `log_records` (2), as bytes.
    pub fn items(&self) -> impl Iterator<Item = Result<&'a [u8], Malformed>> + use<'a> {
        each_in(self.bytes, 2)
    }

    /// How many scope attributes the SDK dropped (4).
    pub fn dropped_attributes(&self) -> Result<u32, Malformed> {
        dropped(&self.scope, 4)
    }

    /// Name and version of the instrumentation scope.
    pub fn scope(&self) -> Result<Scope<'a>, Malformed> {
        let mut scope = Scope::default();
        for field in self.scope.fields() {
            match field? {
                Field { number: 1, value: Payload::Bytes(text) } => scope.name = text,
                Field { number: 2, value: Payload::Bytes(text) } => scope.version = text,
                _ => {}
            }
        }
        Ok(scope)
    }
}

/// `InstrumentationScope` without its attributes ([`ScopeGroup::scope`] keeps the message: attributes are its field 3).
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// `name`
    pub name: &'a [u8],
    /// `version`
    pub version: &'a [u8],
}

/// The groups of an export request (`resource_spans`, `resource_logs`, `resource_metrics`: all field 1).
pub fn resource_groups(request: &[u8]) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    each_in(request, 1)
}

/// `Span` (trace.proto).
#[derive(Clone, Debug, Default)]
pub struct Span<'a> {
    bytes: &'a [u8],
    /// 16 bytes if valid.
    pub trace_id: &'a [u8],
    /// 8 bytes if valid.
    pub span_id: &'a [u8],
    /// Never stored; counted as withheld.
    pub trace_state: &'a [u8],
    /// 8 bytes, or empty for a root.
    pub parent_span_id: &'a [u8],
    /// `name`
    pub name: &'a [u8],
    /// `SpanKind` enum.
    pub kind: u64,
    /// Nanoseconds since the epoch.
    pub start: u64,
    /// Nanoseconds since the epoch.
    pub end: u64,
    /// The SDK dropped so many.
    pub dropped_attributes: u32,
    /// The SDK dropped so many.
    pub dropped_events: u32,
    /// The SDK dropped so many.
    pub dropped_links: u32,
    /// `Status`: message is its field 2, code its field 3.
    pub status: Message<'a>,
    /// Whether there are events and links: most spans have none, and are then not walked again to find that out.
    has_events: bool,
    has_links: bool,
}

impl<'a> Span<'a> {
    /// Reads the span's own fields.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut span = Span { bytes, ..Self::default() };
        for field in Fields::new(bytes) {
            let field = field?;
            match (field.number, field.value) {
                (1, Payload::Bytes(v)) => span.trace_id = v,
                (2, Payload::Bytes(v)) => span.span_id = v,
                (3, Payload::Bytes(v)) => span.trace_state = v,
                (4, Payload::Bytes(v)) => span.parent_span_id = v,
                (5, Payload::Bytes(v)) => span.name = v,
                (6, Payload::Varint(v)) => span.kind = u64::from(low32(v)),
                (7, Payload::Fixed64(v)) => span.start = v,
                (8, Payload::Fixed64(v)) => span.end = v,
                (10, Payload::Varint(v)) => span.dropped_attributes = low32(v),
                (11, Payload::Bytes(_)) => span.has_events = true,
                (13, Payload::Bytes(_)) => span.has_links = true,
                (12, Payload::Varint(v)) => span.dropped_events = low32(v),
                (14, Payload::Varint(v)) => span.dropped_links = low32(v),
                (15, Payload::Bytes(part)) => span.status.merge(part),
                _ => {}
            }
        }
        Ok(span)
    }

    /// Attributes (9).
    pub fn attributes(&self) -> impl Iterator<Item = Result<KeyValue<'a>, Malformed>> + use<'a> {
        key_values_in(self.bytes, 9)
    }

    /// Events (11).
    pub fn events(&self) -> impl Iterator<Item = Result<Event<'a>, Malformed>> + use<'a> {
        each_in(if self.has_events { self.bytes } else { b"" }, 11).map(|event| Event::read(event?))
    }

    /// Links (13).
    pub fn links(&self) -> impl Iterator<Item = Result<Link<'a>, Malformed>> + use<'a> {
        each_in(if self.has_links { self.bytes } else { b"" }, 13).map(|link| Link::read(link?))
    }

    /// Status code (`STATUS_CODE_OK` 1, `STATUS_CODE_ERROR` 2) and message.
    pub fn status(&self) -> Result<(u64, &'a [u8]), Malformed> {
        let mut status: (u64, &[u8]) = (0, b"");
        for field in self.status.fields() {
            match field? {
                Field { number: 2, value: Payload::Bytes(message) } => status.1 = message,
                Field { number: 3, value: Payload::Varint(code) } => status.0 = u64::from(low32(code)),
                _ => {}
            }
        }
        Ok(status)
    }
}

/// `Span.Event`.
#[derive(Clone, Debug, Default)]
pub struct Event<'a> {
    bytes: &'a [u8],
    /// Nanoseconds since the epoch.
    pub time: u64,
    /// `name`
    pub name: &'a [u8],
    /// The SDK dropped so many.
    pub dropped_attributes: u32,
}

impl<'a> Event<'a> {
    /// Reads the event's own fields.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut event = Event { bytes, ..Self::default() };
        for field in Fields::new(bytes) {
            let field = field?;
            match (field.number, field.value) {
                (1, Payload::Fixed64(v)) => event.time = v,
                (2, Payload::Bytes(v)) => event.name = v,
                (4, Payload::Varint(v)) => event.dropped_attributes = low32(v),
                _ => {}
            }
        }
        Ok(event)
    }

    /// Attributes (3).
    pub fn attributes(&self) -> impl Iterator<Item = Result<KeyValue<'a>, Malformed>> + use<'a> {
        key_values_in(self.bytes, 3)
    }
}

/// `Span.Link`.
#[derive(Clone, Debug, Default)]
pub struct Link<'a> {
    bytes: &'a [u8],
    /// 16 bytes if valid.
    pub trace_id: &'a [u8],
    /// 8 bytes if valid.
    pub span_id: &'a [u8],
    /// The SDK dropped so many.
    pub dropped_attributes: u32,
}

impl<'a> Link<'a> {
    /// Reads the link's own fields.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut link = Link { bytes, ..Self::default() };
        for field in Fields::new(bytes) {
            let field = field?;
            match (field.number, field.value) {
                (1, Payload::Bytes(v)) => link.trace_id = v,
                (2, Payload::Bytes(v)) => link.span_id = v,
                (5, Payload::Varint(v)) => link.dropped_attributes = low32(v),
                _ => {}
            }
        }
        Ok(link)
    }

    /// Attributes (4).
    pub fn attributes(&self) -> impl Iterator<Item = Result<KeyValue<'a>, Malformed>> + use<'a> {
        key_values_in(self.bytes, 4)
    }
}

/// `LogRecord` (logs.proto).
#[derive(Clone, Debug, Default)]
pub struct LogRecord<'a> {
    /// The whole message: a log's ordinal is a keyed hash over it.
    pub bytes: &'a [u8],
    /// Nanoseconds since the epoch; 0: unknown.
    pub time: u64,
    /// When the SDK or Collector saw it; 0: unknown.
    pub observed_time: u64,
    /// `body`.
    pub body: Message<'a>,
    /// The SDK dropped so many.
    pub dropped_attributes: u32,
    /// 16 bytes if valid, or empty.
    pub trace_id: &'a [u8],
    /// 8 bytes if valid, or empty.
    pub span_id: &'a [u8],
    /// `event_name` (12).
    pub event_name: &'a [u8],
}

impl<'a> LogRecord<'a> {
    /// Reads the record's own fields.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut log = LogRecord { bytes, ..Self::default() };
        for field in Fields::new(bytes) {
            let field = field?;
            match (field.number, field.value) {
                (1, Payload::Fixed64(v)) => log.time = v,
                (5, Payload::Bytes(part)) => log.body.merge(part),
                (7, Payload::Varint(v)) => log.dropped_attributes = low32(v),
                (9, Payload::Bytes(v)) => log.trace_id = v,
                (10, Payload::Bytes(v)) => log.span_id = v,
                (11, Payload::Fixed64(v)) => log.observed_time = v,
                (12, Payload::Bytes(v)) => log.event_name = v,
                _ => {}
            }
        }
        Ok(log)
    }

    /// Attributes (6).
    pub fn attributes(&self) -> impl Iterator<Item = Result<KeyValue<'a>, Malformed>> + use<'a> {
        key_values_in(self.bytes, 6)
    }
}

/// Whether bytes are a valid trace id: 16 bytes, not all zero (trace.proto).
pub fn is_trace_id(bytes: &[u8]) -> bool {
    bytes.len() == 16 && bytes.iter().any(|b| *b != 0)
}

/// Whether bytes are a valid span id: 8 bytes, not all zero (trace.proto).
pub fn is_span_id(bytes: &[u8]) -> bool {
    bytes.len() == 8 && bytes.iter().any(|b| *b != 0)
}

/// A `uint32` or enum field: a longer varint is cut to 32 bits (protobuf.dev, "More Integer Types").
#[expect(clippy::as_conversions, reason = "cutting is what the encoding guide prescribes")]
fn low32(value: u64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of 32 bits that are sent longer, and a value that only profiles have: read as the schema's types read them.
    #[test]
    fn longer_numbers_are_cut_and_values_of_profiles_are_none() {
        // Field 6 and, inside field 15, field 3: 2^32 + 2.
        let span = [0x30, 0x82, 0x80, 0x80, 0x80, 0x10, 0x7a, 6, 0x18, 0x82, 0x80, 0x80, 0x80, 0x10];
        let span = Span::read(&span).unwrap();
        assert_eq!((span.kind, span.status().unwrap().0), (2, 2));
        // string_value "x", then string_value_strindex 1.
        assert!(matches!(Value::read(&Message::new(b"\x0a\x01x\x40\x01")), Ok(Value::Empty)));
        assert!(matches!(Value::read(&Message::new(b"\x40\x01\x0a\x01x")), Ok(Value::Text(b"x"))));
    }
}
