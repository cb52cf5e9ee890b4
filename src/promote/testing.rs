//! OTLP messages by hand, for tests: no generated code, so that broken ones can be made as easily as sound ones.

pub(crate) fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// A length-delimited field.
pub(crate) fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, number << 3 | 2);
    varint(&mut out, bytes.len() as u64);
    out.extend_from_slice(bytes);
    out
}

/// A fixed64 field.
pub(crate) fn fixed(number: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, number << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
    out
}

/// A varint field.
pub(crate) fn number(number: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, number << 3);
    varint(&mut out, value);
    out
}

/// An `AnyValue`, encoded.
#[derive(Clone, Debug)]
pub(crate) struct Any(pub(crate) Vec<u8>);

impl Any {
    pub(crate) fn empty() -> Any {
        Any(Vec::new())
    }
    pub(crate) fn text(text: &str) -> Any {
        Any(field(1, text.as_bytes()))
    }
    pub(crate) fn raw(bytes: &[u8]) -> Any {
        Any(field(1, bytes))
    }
    pub(crate) fn bool(flag: bool) -> Any {
        Any(number(2, u64::from(flag)))
    }
    pub(crate) fn int(value: i64) -> Any {
        Any(number(3, value as u64))
    }
    pub(crate) fn double(value: f64) -> Any {
        Any(fixed(4, value.to_bits()))
    }
    pub(crate) fn array(items: &[Any]) -> Any {
        Any(field(5, &items.iter().flat_map(|i| field(1, &i.0)).collect::<Vec<u8>>()))
    }
    pub(crate) fn map(pairs: &[(&str, Any)]) -> Any {
        Any(field(6, &pairs.iter().flat_map(|p| field(1, &pair(p.0.as_bytes(), &p.1))).collect::<Vec<u8>>()))
    }
    pub(crate) fn bytes(bytes: &[u8]) -> Any {
        Any(field(7, bytes))
    }
}

pub(crate) fn pair(key: &[u8], value: &Any) -> Vec<u8> {
    [field(1, key), field(2, &value.0)].concat()
}

pub(crate) const TRACE: [u8; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
pub(crate) const SPAN: [u8; 8] = [0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8];

/// A span's bytes; further fields may be appended.
pub(crate) fn span(name: &str, attributes: &[(&str, Any)]) -> Vec<u8> {
    let mut out = [field(1, &TRACE), field(2, &SPAN), field(5, name.as_bytes()), number(6, 3)].concat();
    out.extend(fixed(7, 1_795_187_346_000_000_000));
    out.extend(fixed(8, 1_795_187_347_500_000_000));
    for (key, value) in attributes {
        out.extend(field(9, &pair(key.as_bytes(), value)));
    }
    out
}

/// An event field of a span.
pub(crate) fn event(name: &str, time: u64, attributes: &[(&str, Any)]) -> Vec<u8> {
    let mut out = [fixed(1, time), field(2, name.as_bytes())].concat();
    for (key, value) in attributes {
        out.extend(field(3, &pair(key.as_bytes(), value)));
    }
    field(11, &out)
}

/// A log record's bytes.
pub(crate) fn log(event_name: &str, body: Any, attributes: &[(&str, Any)]) -> Vec<u8> {
    let mut out = fixed(11, 1_795_187_346_226_909_356);
    out.extend(field(5, &body.0));
    for (key, value) in attributes {
        out.extend(field(6, &pair(key.as_bytes(), value)));
    }
    out.extend(field(9, &TRACE));
    out.extend(field(10, &SPAN));
    if !event_name.is_empty() {
        out.extend(field(12, event_name.as_bytes()));
    }
    out
}

/// An export request of one resource and one scope.
pub(crate) fn request(resource: &[(&str, Any)], scope: (&str, &str), items: &[Vec<u8>]) -> Vec<u8> {
    let attributes: Vec<u8> = resource.iter().flat_map(|(k, v)| field(1, &pair(k.as_bytes(), v))).collect();
    let mut scoped = field(1, &[field(1, scope.0.as_bytes()), field(2, scope.1.as_bytes())].concat());
    for item in items {
        scoped.extend(field(2, item));
    }
    field(1, &[field(1, &attributes), field(2, &scoped)].concat())
}
