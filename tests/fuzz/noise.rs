//! Other ways to write the same OTLP message: what encoders may do and SDKs do not. A small schema says which fields are messages.

/// Random numbers of a seed (splitmix64): the same everywhere, for ever.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, which is not zero.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// A message of OTLP, as far as its fields are messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Traces,
    Logs,
    Resources(Item),
    Scopes(Item),
    Resource,
    Scope,
    Span,
    Event,
    Link,
    Status,
    Log,
    Pair,
    Any,
    Pairs,
    Values,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    Span,
    Log,
}

impl Shape {
    /// The message in a field, and whether the field is singular.
    fn field(self, number: u64) -> Option<(Shape, bool)> {
        Some(match (self, number) {
            (Shape::Traces, 1) => (Shape::Resources(Item::Span), false),
            (Shape::Logs, 1) => (Shape::Resources(Item::Log), false),
            (Shape::Resources(_), 1) => (Shape::Resource, true),
            (Shape::Resources(item), 2) => (Shape::Scopes(item), false),
            (Shape::Scopes(_), 1) => (Shape::Scope, true),
            (Shape::Scopes(Item::Span), 2) => (Shape::Span, false),
            (Shape::Scopes(Item::Log), 2) => (Shape::Log, false),
            (Shape::Resource, 1) | (Shape::Scope, 3) | (Shape::Span, 9) | (Shape::Event, 3) | (Shape::Link, 4) | (Shape::Log, 6) => {
                (Shape::Pair, false)
            }
            (Shape::Span, 11) => (Shape::Event, false),
            (Shape::Span, 13) => (Shape::Link, false),
            (Shape::Span, 15) => (Shape::Status, true),
            (Shape::Log, 5) | (Shape::Pair, 2) => (Shape::Any, true),
            (Shape::Any, 5) => (Shape::Values, true),
            (Shape::Any, 6) => (Shape::Pairs, true),
            (Shape::Values, 1) => (Shape::Any, false),
            (Shape::Pairs, 1) => (Shape::Pair, false),
            _ => return None,
        })
    }

    /// Singular scalars: number and wire type. An earlier one of them means nothing.
    fn scalars(self) -> &'static [(u64, u64)] {
        match self {
            Shape::Span => &[(1, 2), (2, 2), (3, 2), (4, 2), (5, 2), (6, 0), (7, 1), (8, 1), (10, 0), (12, 0), (14, 0), (16, 5)],
            Shape::Event => &[(1, 1), (2, 2), (4, 0)],
            Shape::Link => &[(1, 2), (2, 2), (5, 0)],
            Shape::Status => &[(2, 2), (3, 0)],
            Shape::Log => &[(1, 1), (11, 1), (2, 0), (7, 0), (9, 2), (10, 2), (12, 2)],
            Shape::Scope => &[(1, 2), (2, 2), (4, 0)],
            Shape::Resource => &[(2, 0)],
            Shape::Pair => &[(1, 2)],
            // The last of a oneof counts, of whatever type the earlier one is.
            Shape::Any => &[(1, 2), (2, 0), (3, 0), (4, 1), (7, 2), (8, 0)],
            _ => &[],
        }
    }

    /// Fields of 32 bits: what a longer number says above them does not count.
    fn is_short(self, number: u64) -> bool {
        match self {
            Shape::Span => matches!(number, 6 | 10 | 12 | 14),
            Shape::Event => number == 4,
            Shape::Link => number == 5,
            Shape::Status => number == 3,
            Shape::Log => matches!(number, 2 | 7),
            Shape::Resource => number == 2,
            Shape::Scope => number == 4,
            _ => false,
        }
    }
}

/// One field as it stands: its number, its wire type, its value's bytes (without a length).
type Field = (u64, u64, Vec<u8>);

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn fields(bytes: &[u8]) -> Option<Vec<Field>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let tag = varint(bytes, &mut at)?;
        let from = at;
        let value = match tag & 7 {
            0 => {
                varint(bytes, &mut at)?;
                bytes.get(from..at)?
            }
            1 => bytes.get(at..at + 8)?,
            2 => {
                let length = usize::try_from(varint(bytes, &mut at)?).ok()?;
                bytes.get(at..at.checked_add(length)?)?
            }
            5 => bytes.get(at..at + 4)?,
            _ => return None,
        };
        at = if tag & 7 == 0 { at } else { at + value.len() };
        found.push((tag >> 3, tag & 7, value.to_vec()));
    }
    Some(found)
}

/// A number, sometimes longer than it needs to be.
fn put_varint(out: &mut Vec<u8>, mut value: u64, random: &mut Random) {
    let start = out.len();
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            break;
        }
        out.push(byte | 0x80);
    }
    if random.once_in(6) {
        let more = random.below(10 - (out.len() - start) + 1);
        for _ in 0..more {
            *out.last_mut().unwrap() |= 0x80;
            out.push(0);
        }
    }
}

fn put(out: &mut Vec<u8>, (number, wire, value): &Field, random: &mut Random) {
    put_varint(out, number << 3 | wire, random);
    if *wire == 2 {
        put_varint(out, value.len() as u64, random);
    }
    out.extend_from_slice(value);
}

/// A field that no schema knows.
fn unknown(out: &mut Vec<u8>, random: &mut Random) {
    let number = 1_500 + random.next() % 100;
    match random.below(5) {
        0 => put(out, &(number, 0, vec![0x81, 0x01]), random),
        1 => put(out, &(number, 1, vec![7; 8]), random),
        2 => put(out, &(number, 2, b"gen_ai.".to_vec()), random),
        3 => put(out, &(number, 5, vec![9; 4]), random),
        _ => {
            put_varint(out, number << 3 | 3, random);
            put(out, &(9, 2, b"\x0a\x06gen_ai".to_vec()), random);
            put_varint(out, number << 3 | 4, random);
        }
    }
}

/// The same message, written otherwise. `None` where it is no message.
pub fn rewritten(shape: Shape, bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut parts: Vec<Field> = Vec::new();
    for (number, wire, value) in fields(bytes)? {
        match shape.field(number).filter(|_| wire == 2) {
            Some((inner, singular)) => {
                let value = rewritten(inner, &value, random)?;
                let mut rest = value;
                // In pieces, each of whole fields.
                while singular && random.once_in(8) {
                    let (first, after) = cut(&rest, random)?;
                    parts.push((number, wire, first));
                    rest = after;
                }
                parts.push((number, wire, rest));
            }
            None => {
                if random.once_in(10) && shape.scalars().contains(&(number, wire)) {
                    let &(earlier, wire) = if shape == Shape::Any { &shape.scalars()[random.below(6)] } else { &(number, wire) };
                    let junk = match wire {
                        0 => vec![1],
                        1 => vec![3; 8],
                        5 => vec![3; 4],
                        _ => b"gen_ai.junk".to_vec(),
                    };
                    parts.push((earlier, wire, junk));
                }
                let value = match varint(&value, &mut 0) {
                    Some(short) if wire == 0 && shape.is_short(number) && random.once_in(10) => {
                        let mut long = Vec::new();
                        put_varint(&mut long, short & 0xffff_ffff | random.next() << 32, random);
                        long
                    }
                    _ => value,
                };
                parts.push((number, wire, value));
            }
        }
    }
    if shape != Shape::Any && random.once_in(3) {
        // Fields of different numbers may change places; those of one number keep their order.
        let turn = random.next();
        parts.sort_by_key(|(number, ..)| number.wrapping_mul(0x9e37_79b9).rotate_left((turn % 29) as u32) ^ turn);
    }
    let mut out = Vec::new();
    for part in &parts {
        if random.once_in(12) {
            unknown(&mut out, random);
        }
        put(&mut out, part, random);
    }
    Some(out)
}

/// Cuts a message between two of its fields.
fn cut(message: &[u8], random: &mut Random) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut starts = vec![0];
    let mut at = 0;
    while at < message.len() {
        at = end_of_field(message, at)?;
        starts.push(at);
    }
    let (first, rest) = message.split_at(starts[random.below(starts.len())]);
    Some((first.to_vec(), rest.to_vec()))
}

fn end_of_field(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    let tag = varint(bytes, &mut at)?;
    match tag & 7 {
        0 => drop(varint(bytes, &mut at)?),
        1 => at += 8,
        2 => at += usize::try_from(varint(bytes, &mut at)?).ok()?,
        5 => at += 4,
        3 => loop {
            let mut ahead = at;
            if varint(bytes, &mut ahead)? & 7 == 4 {
                at = ahead;
                break;
            }
            at = end_of_field(bytes, at)?;
        },
        _ => return None,
    }
    (at <= bytes.len()).then_some(at)
}

/// Bytes that are mostly no message any more: a few changed, put in, taken out, or cut off.
pub fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=random.below(3) {
        if out.is_empty() {
            break;
        }
        let at = random.below(out.len());
        match random.below(6) {
            0 => out[at] = random.next() as u8,
            1 => out[at] ^= 1 << random.below(8),
            2 => out.insert(at, random.next() as u8),
            3 => drop(out.remove(at)),
            4 => out.truncate(at),
            _ => {
                let end = (at + random.below(64)).min(out.len());
                let piece = out[at..end].to_vec();
                let to = random.below(out.len());
                out.splice(to..to, piece);
            }
        }
    }
    out
}
