//! RFC 8785 (JCS): the one byte form of a JSON text. Writer, strict reader, and the check that a line is its own canonical form.
//!
//! The reader is strict where JSON libraries are kind: duplicate names, lone surrogates, numbers outside IEEE 754 doubles, trailing
//! bytes and deep nesting are refused, because two readers must never see two things in one sealed line (RFC 8785 section 3.1, RFC 7493).

use std::cmp::Ordering;
use std::fmt;

/// Deepest nesting of arrays and objects that is read. OTLP values nest; an attacker's nest without end.
pub const DEPTH_MAX: usize = 128;

/// A JSON value as I-JSON (RFC 7493) knows it. Objects keep the order in which they were read or built.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An IEEE 754 double, never NaN or infinite.
    Number(f64),
    /// A string of Unicode scalar values.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object; names are unique.
    Object(Vec<(String, Json)>),
}

/// Why a text is not JSON, or not canonical.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct JsonError {
    /// What is wrong.
    pub what: &'static str,
    /// Where, in bytes from the start.
    pub at: usize,
}

impl Json {
    /// Bytes of memory that it takes, about: its own and those of all that it holds. Many empty values are far more than their text.
    pub(crate) fn held(&self) -> usize {
        let spare = |capacity: usize, used: usize, one: usize| capacity.saturating_sub(used).saturating_mul(one);
        size_of::<Json>()
            + match self {
                Json::Null | Json::Bool(_) | Json::Number(_) => 0,
                Json::String(text) => text.capacity(),
                Json::Array(items) => spare(items.capacity(), items.len(), size_of::<Json>()) + items.iter().map(Json::held).sum::<usize>(),
                Json::Object(members) => {
                    let one = size_of::<(String, Json)>();
                    let own = |(name, value): &(String, Json)| one - size_of::<Json>() + name.capacity() + value.held();
                    spare(members.capacity(), members.len(), one) + members.iter().map(own).sum::<usize>()
                }
            }
    }

    /// Member of an object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// Member by dotted path.
    pub fn path(&self, path: &str) -> Option<&Json> {
        path.split('.').try_fold(self, |at, name| at.get(name))
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Json::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members of an object.
    pub fn as_object(&self) -> Option<&[(String, Json)]> {
        match self {
            Json::Object(members) => Some(members),
            _ => None,
        }
    }

    /// A count as a JSON number, exact up to 2^53, as the command line's JSON has it; stored files hold decimal strings.
    pub fn count(n: u64) -> Json {
        let half = |part: u64| f64::from(u32::try_from(part & u64::from(u32::MAX)).unwrap_or(u32::MAX));
        Json::Number(half(n >> 32) * 4_294_967_296.0 + half(n))
    }

    /// An object from pairs; sorting is done when it is written.
    pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
        Json::Object(members.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())
    }

    /// A string.
    pub fn string(text: impl Into<String>) -> Json {
        Json::String(text.into())
    }

    /// Canonical bytes.
    pub fn to_jcs(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write_jcs(&mut out);
        out
    }

    /// Canonical text.
    pub fn to_jcs_string(&self) -> String {
        // The writer emits UTF-8 only.
        String::from_utf8(self.to_jcs()).unwrap_or_default()
    }

    /// Appends the canonical bytes.
    pub fn write_jcs(&self, out: &mut Vec<u8>) {
        match self {
            Json::Null => out.extend_from_slice(b"null"),
            Json::Bool(true) => out.extend_from_slice(b"true"),
            Json::Bool(false) => out.extend_from_slice(b"false"),
            Json::Number(n) => write_number(out, *n),
            Json::String(text) => write_string(out, text),
            Json::Array(items) => {
                out.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    item.write_jcs(out);
                }
                out.push(b']');
            }
            Json::Object(members) => {
                let mut sorted: Vec<&(String, Json)> = members.iter().collect();
                if !sorted.is_sorted_by(|a, b| compare_names(&a.0, &b.0) == Ordering::Less) {
                    sorted.sort_by(|a, b| compare_names(&a.0, &b.0));
                }
                out.push(b'{');
                for (i, (name, value)) in sorted.into_iter().enumerate() {
                    if i > 0 {
                        out.push(b',');
                    }
                    write_string(out, name);
                    out.push(b':');
                    value.write_jcs(out);
                }
                out.push(b'}');
            }
        }
    }

    /// Reads exactly one JSON value, strictly.
    pub fn parse(bytes: &[u8]) -> Result<Json, JsonError> {
        let mut reader = Reader { bytes, at: 0 };
        reader.space();
        let value = reader.value(0)?;
        reader.space();
        if reader.at != bytes.len() {
            return Err(reader.error("something follows the value"));
        }
        Ok(value)
    }

    /// Reads one value and demands that the bytes are its canonical form.
    pub fn parse_canonical(bytes: &[u8]) -> Result<Json, JsonError> {
        let value = Json::parse(bytes)?;
        let canonical = value.to_jcs();
        if canonical == bytes {
            return Ok(value);
        }
        let at = canonical.iter().zip(bytes).position(|(a, b)| a != b).unwrap_or(canonical.len().min(bytes.len()));
        Err(JsonError { what: "not the canonical form (RFC 8785)", at })
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_jcs_string())
    }
}

/// Order of member names: by UTF-16 code units (RFC 8785 section 3.2.3).
pub fn compare_names(a: &str, b: &str) -> Ordering {
    // Below U+E000 the order of UTF-8 bytes is the order of UTF-16 units; only names that hold a character from there on need the slow way.
    if a.bytes().chain(b.bytes()).all(|byte| byte < 0xee) { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// Appends a number as ECMAScript prints it (RFC 8785 section 3.2.2.3). NaN and infinities have no JSON form: callers keep them out.
pub fn write_number(out: &mut Vec<u8>, number: f64) {
    debug_assert!(number.is_finite());
    let mut buffer = ryu_js::Buffer::new();
    out.extend_from_slice(buffer.format(number).as_bytes());
}

/// Appends a string with the escapes of RFC 8785 section 3.2.2.2: only `"`, `\` and controls below U+0020.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// The inside of [`write_string`], for strings that are written in pieces.
pub fn write_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    // Almost every string has nothing to escape, and is seen to have nothing eight bytes at a time.
    if !has_escapes(bytes) {
        out.extend_from_slice(bytes);
        return;
    }
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let Some(escape) = escape_of(byte) else { continue };
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        match escape {
            Escape::Short(letter) => out.extend_from_slice(&[b'\\', letter]),
            Escape::Hex => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        from = at + 1;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
}

/// Whether any byte must be escaped (RFC 8785 section 3.2.2.2).
#[inline]
fn has_escapes(bytes: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    // The high bit of a byte is set where the byte is zero; beyond the first such byte a borrow may set others, which changes nothing here.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let control = |word: u64| word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    let any = |chunk: &[u8; 8]| {
        let word = u64::from_le_bytes(*chunk);
        zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\'))) | control(word)
    };
    match bytes.last_chunk() {
        // The last eight overlap those before.
        Some(last) => bytes.as_chunks().0.iter().fold(any(last), |found, chunk| found | any(chunk)) != 0,
        None => bytes.iter().any(|byte| escape_of(*byte).is_some()),
    }
}

enum Escape {
    Short(u8),
    Hex,
}

#[inline]
fn escape_of(byte: u8) -> Option<Escape> {
    if byte >= 0x20 && byte != b'"' && byte != b'\\' {
        return None;
    }
    Some(match byte {
        b'"' | b'\\' => Escape::Short(byte),
        0x08 => Escape::Short(b'b'),
        0x09 => Escape::Short(b't'),
        0x0a => Escape::Short(b'n'),
        0x0c => Escape::Short(b'f'),
        0x0d => Escape::Short(b'r'),
        _ => Escape::Hex,
    })
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn error(&self, what: &'static str) -> JsonError {
        JsonError { what, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8, what: &'static str) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.error(what))
    }

    fn word(&mut self, word: &'static [u8], value: Json) -> Result<Json, JsonError> {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.error("not a JSON value"))
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        if depth > DEPTH_MAX {
            return Err(self.error("nested too deep"));
        }
        match self.peek() {
            Some(b'n') => self.word(b"null", Json::Null),
            Some(b't') => self.word(b"true", Json::Bool(true)),
            Some(b'f') => self.word(b"false", Json::Bool(false)),
            Some(b'"') => self.string().map(Json::String),
            Some(b'[') => self.array(depth),
            Some(b'{') => self.object(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.error("not a JSON value")),
            None => Err(self.error("the text ends early")),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            if self.peek() == Some(b']') {
                self.at += 1;
                return Ok(Json::Array(items));
            }
            self.eat(b',', "expected `,` or `]`")?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut sorted = true;
        let begin = self.at;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a member name"));
            }
            let name = self.string()?;
            sorted = sorted && members.last().is_none_or(|(last, _)| last.as_str() < name.as_str());
            self.space();
            self.eat(b':', "expected `:`")?;
            self.space();
            let value = self.value(depth + 1)?;
            members.push((name, value));
            self.space();
            if self.peek() == Some(b'}') {
                self.at += 1;
                // Ascending names cannot repeat; only an unsorted object pays for the look, and never more than a sort.
                if !sorted {
                    let mut names: Vec<&str> = members.iter().map(|(n, _)| n.as_str()).collect();
                    names.sort_unstable();
                    if !names.is_sorted_by(|a, b| a < b) {
                        return Err(JsonError { what: "a member name repeats", at: begin });
                    }
                }
                return Ok(Json::Object(members));
            }
            self.eat(b',', "expected `,` or `}`")?;
        }
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.error("not a number")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.bytes.get(start..self.at).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default();
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Json::Number(number)),
            _ => Err(JsonError { what: "a number beyond IEEE 754 doubles", at: start }),
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.error("a digit is missing")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let start = self.at;
            while self.peek().is_some_and(|b| b != b'"' && b != b'\\' && b >= 0x20) {
                self.at += 1;
            }
            let run = self.bytes.get(start..self.at).unwrap_or_default();
            let text = std::str::from_utf8(run).map_err(|e| JsonError { what: "invalid UTF-8", at: start + e.valid_up_to() })?;
            out.push_str(text);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                Some(_) => return Err(self.error("a control character stands bare in a string")),
                None => return Err(self.error("the text ends inside a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let letter = self.peek().ok_or_else(|| self.error("the text ends inside an escape"))?;
        self.at += 1;
        Ok(match letter {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex4()?;
                let scalar = if (0xd800..0xdc00).contains(&high) {
                    self.eat(b'\\', "a lone surrogate")?;
                    self.eat(b'u', "a lone surrogate")?;
                    let low = self.hex4()?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return Err(self.error("a lone surrogate"));
                    }
                    0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
                } else {
                    high
                };
                char::from_u32(scalar).ok_or_else(|| self.error("a lone surrogate"))?
            }
            _ => return Err(self.error("an unknown escape")),
        })
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or_else(|| self.error("the text ends inside an escape"))?;
        let mut value = 0;
        for &digit in digits {
            let nibble = char::from(digit).to_digit(16).ok_or_else(|| self.error("not a hexadecimal digit"))?;
            value = value * 16 + nibble;
        }
        self.at += 4;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte that may need an escape, at every place of short and longer strings, beside characters whose bytes have the high bit.
    #[test]
    fn escapes_are_found_wherever_they_stand() {
        for around in ["a", "\u{e9}", "\u{7f}", "\u{ff}\u{80}"] {
            for (before, after) in (0..20).flat_map(|b| (0..20).map(move |a| (b, a))) {
                for byte in 0..0x80_u8 {
                    let text = format!("{}{}{}", around.repeat(before), char::from(byte), around.repeat(after));
                    let mut out = Vec::new();
                    write_string(&mut out, &text);
                    let escaped = match byte {
                        b'"' | b'\\' => format!("\\{}", char::from(byte)),
                        8 => "\\b".to_owned(),
                        9 => "\\t".to_owned(),
                        10 => "\\n".to_owned(),
                        12 => "\\f".to_owned(),
                        13 => "\\r".to_owned(),
                        0..0x20 => format!("\\u{byte:04x}"),
                        _ => char::from(byte).to_string(),
                    };
                    assert_eq!(String::from_utf8(out).unwrap(), format!("\"{}{escaped}{}\"", around.repeat(before), around.repeat(after)));
                }
            }
        }
    }

    #[test]
    fn the_example_of_rfc_8785_comes_out_as_printed_there() {
        let input = br#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#;
        let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(Json::parse(input).unwrap().to_jcs_string(), expected);
    }

    #[test]
    fn names_sort_by_utf16_units() {
        // U+1F600 is D83D DE00 in UTF-16, so it stands before U+FB33, though its UTF-8 bytes are greater.
        let value = Json::parse("{\"\u{fb33}\":1,\"\u{1f600}\":2,\"\u{20ac}\":3,\"\":4}".as_bytes()).unwrap();
        assert_eq!(value.to_jcs_string(), "{\"\":4,\"\u{20ac}\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}");
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for bad in [
            &b"{\"a\":1,\"a\":2}"[..],
            b"{\"b\":1,\"a\":1,\"b\":2}",
            b"\"\\ud800\"",
            b"\"\\udc00\"",
            b"\"\\ud800\\u0041\"",
            b"1e400",
            b"01",
            b"+1",
            b".5",
            b"1.",
            b"NaN",
            b"[1,]",
            b"{\"a\":1,}",
            b"\"a",
            b"\"\x01\"",
            b"\"\xff\"",
            b"1 2",
            b"",
            b"\xef\xbb\xbf1",
        ] {
            assert!(Json::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
        let deep = "[".repeat(DEPTH_MAX + 2);
        assert_eq!(Json::parse(deep.as_bytes()).unwrap_err().what, "nested too deep");
        let fits = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        assert!(Json::parse(fits.as_bytes()).is_ok());
    }

    /// Scenario: an object of a million names in no order, as an enemy sends it. Guarantee: reading costs a sort, not a million looks
    /// each (this test would take minutes), and a repeated name is still found.
    #[test]
    fn unsorted_names_cost_a_sort_and_repeats_are_found() {
        let names = |last: &str| {
            let mut text = String::from("{\"z\":0");
            for n in 0..300_000_u32 {
                text.push_str(&format!(",\"{}\":0", n.wrapping_mul(2_654_435_761)));
            }
            format!("{text},\"{last}\":0}}")
        };
        assert!(Json::parse(names("y").as_bytes()).is_ok());
        assert!(Json::parse(names("z").as_bytes()).is_err());
    }

    /// A character beyond the first plane may be written as two escapes, and only as these.
    #[test]
    fn a_pair_of_surrogates_is_one_character() {
        assert_eq!(Json::parse(br#""\ud83d\ude00""#).unwrap(), Json::string("\u{1f600}"));
        for bad in [&br#""\ud83dude00""#[..], br#""\ud83d\nde00""#, br#""\ud83d\ud83d""#, br#""\ud83d.""#, br#""\x41""#] {
            assert!(Json::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn canonical_form_is_checked_to_the_byte() {
        assert!(Json::parse_canonical(br#"{"a":1,"b":"x"}"#).is_ok());
        for bad in [&br#"{"b":1,"a":1}"#[..], br#"{"a": 1}"#, br#"{"a":1.0}"#, br#""\u0041""#, br#""\/""#, b"-0", b"1 "] {
            assert!(Json::parse_canonical(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    proptest::proptest! {
        /// An independent implementation of RFC 8785 prints the same bytes.
        #[test]
        fn agrees_with_an_independent_implementation(texts in proptest::collection::vec(".*", 0..6), numbers in proptest::collection::vec(proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO, 0..6)) {
            let ours = Json::Object(texts.iter().enumerate().map(|(i, t)| (format!("{t}{i}"), Json::String(t.clone())))
                .chain(numbers.iter().enumerate().map(|(i, n)| (format!("n{i}"), Json::Number(*n)))).collect());
            let mut theirs = serde_json::Map::new();
            for (i, t) in texts.iter().enumerate() { theirs.insert(format!("{t}{i}"), t.clone().into()); }
            for (i, n) in numbers.iter().enumerate() { theirs.insert(format!("n{i}"), serde_json::Number::from_f64(*n).unwrap().into()); }
            if ours.as_object().unwrap().len() == theirs.len() {
                proptest::prop_assert_eq!(ours.to_jcs_string(), serde_jcs::to_string(&theirs).unwrap());
                proptest::prop_assert_eq!(Json::parse_canonical(&ours.to_jcs()).unwrap().to_jcs(), ours.to_jcs());
            }
        }
    }
}
