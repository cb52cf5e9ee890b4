//! JSON text (RFC 8259) as tokens that borrow from it. Never recurses, never panics, never copies a string that has no escapes.

use super::JsonError;

/// Deepest nesting of brackets that is walked over; JSON of telemetry has about ten.
const SKIPPED_DEPTH_MAX: usize = 1_024;

/// A string token, without its quotes and as it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    /// What lies between the quotes.
    pub(super) raw: &'a [u8],
    /// Whether `raw` has escapes.
    pub(super) escaped: bool,
    /// Where `raw` begins, for errors.
    pub(super) at: usize,
}

/// Reads tokens from the front.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        // RFC 8259 section 8.1 lets parsers ignore a byte order mark, and some senders write one.
        let at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Lexer { bytes, at }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What was taken since a place.
    pub(super) fn since(&self, at: usize) -> &'a [u8] {
        self.bytes.get(at..self.at).unwrap_or_default()
    }

    pub(super) fn error(&self, what: &'static str) -> JsonError {
        JsonError { at: self.at, what }
    }

    /// The next byte that is not white space, without taking it.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(*byte),
            }
        }
        None
    }

    /// Takes the next byte that is not white space, if it is this one.
    #[inline]
    pub(super) fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(super) fn expect(&mut self, wanted: u8, what: &'static str) -> Result<(), JsonError> {
        if self.take(wanted) { Ok(()) } else { Err(self.error(what)) }
    }

    /// After a member or element: `true` if another follows, `false` if the bracket closed.
    #[inline]
    pub(super) fn another(&mut self, close: u8) -> Result<bool, JsonError> {
        if self.take(b',') {
            return Ok(true);
        }
        if self.take(close) { Ok(false) } else { Err(self.error("expected ',' or the closing bracket")) }
    }

    /// A string, its opening quote included.
    pub(super) fn text(&mut self) -> Result<Text<'a>, JsonError> {
        self.expect(b'"', "expected a string")?;
        let at = self.at;
        let rest = self.bytes.get(at..).unwrap_or_default();
        let mut end = 0;
        let mut escaped = false;
        loop {
            let ahead = rest.get(end..).unwrap_or_default();
            let found = memchr::memchr2(b'"', b'\\', ahead).ok_or(JsonError { at, what: "this string does not end" })?;
            end += found;
            if rest.get(end) == Some(&b'"') {
                break;
            }
            escaped = true;
            // The escape's letter is skipped with it, or else `\"` would end the string.
            end += 2;
        }
        let raw = rest.get(..end).unwrap_or_default();
        if let Some(control) = raw.iter().position(|b| *b < 0x20) {
            return Err(JsonError { at: at + control, what: "a control character stands bare in a string" });
        }
        self.at = at + end + 1;
        Ok(Text { raw, escaped, at })
    }

    /// `true`, `false` or `null`.
    pub(super) fn word(&mut self, word: &'static str) -> Result<(), JsonError> {
        self.peek();
        if self.bytes.get(self.at..).unwrap_or_default().starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.error("expected a JSON value"))
    }

    /// A number, checked against the grammar.
    pub(super) fn number(&mut self) -> Result<&'a [u8], JsonError> {
        self.peek();
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|b| !matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).unwrap_or(rest.len());
        let number = rest.get(..length).unwrap_or_default();
        if !is_number(number) {
            return Err(self.error("expected a JSON value"));
        }
        self.at += length;
        Ok(number)
    }

    /// Nothing but white space may be left.
    pub(super) fn end(&mut self) -> Result<(), JsonError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.error("something follows the value")) }
    }

    /// Walks over one value of any kind.
    pub(super) fn skip(&mut self) -> Result<(), JsonError> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            // One value, or the opening of one.
            match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    if !self.take(b'}') {
                        self.open(&mut open, b'}')?;
                        self.key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    if !self.take(b']') {
                        self.open(&mut open, b']')?;
                        continue;
                    }
                }
                Some(b'"') => {
                    self.text()?;
                }
                Some(b't') => self.word("true")?,
                Some(b'f') => self.word("false")?,
                Some(b'n') => self.word("null")?,
                _ => {
                    self.number()?;
                }
            }
            // Then a comma, or as many closings as there are.
            loop {
                let Some(close) = open.last().copied() else { return Ok(()) };
                if self.another(close)? {
                    if close == b'}' {
                        self.key()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// A member's name and its colon.
    pub(super) fn key(&mut self) -> Result<Text<'a>, JsonError> {
        let key = self.text()?;
        self.expect(b':', "expected ':' behind the member's name")?;
        Ok(key)
    }

    fn open(&self, open: &mut Vec<u8>, close: u8) -> Result<(), JsonError> {
        if open.len() >= SKIPPED_DEPTH_MAX {
            return Err(self.error("brackets nest too deep"));
        }
        open.push(close);
        Ok(())
    }
}

impl Text<'_> {
    /// Appends the string that is meant to `out`. A lone surrogate has no UTF-8; it becomes U+FFFD, because a refusal would lose the
    /// whole request for one broken character. Bytes that are not UTF-8 pass as they are, as they do in protobuf.
    pub(super) fn unescape(&self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            let (plain, escape) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            out.extend_from_slice(plain);
            let byte = match escape.get(1) {
                Some(b'u') => {
                    let (character, taken) = self.unicode(escape)?;
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = escape.get(taken..).unwrap_or_default();
                    continue;
                }
                Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
                Some(b'b') => 0x08,
                Some(b'f') => 0x0c,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                _ => return Err(self.broken(escape)),
            };
            out.push(byte);
            rest = escape.get(2..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        Ok(())
    }

    /// The character of a `\u` escape at the front, and how many bytes it takes with its second half.
    fn unicode(&self, escape: &[u8]) -> Result<(char, usize), JsonError> {
        let high = hex4(escape.get(2..6)).ok_or_else(|| self.broken(escape))?;
        if let Some(character) = char::from_u32(high) {
            return Ok((character, 6));
        }
        let low = escape.get(6..12).and_then(|second| second.strip_prefix(b"\\u")).and_then(|digits| hex4(Some(digits)));
        match low {
            Some(low @ 0xdc00..=0xdfff) if high < 0xdc00 => {
                let scalar = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                Ok((char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 12))
            }
            _ => Ok((char::REPLACEMENT_CHARACTER, 6)),
        }
    }

    fn broken(&self, escape: &[u8]) -> JsonError {
        JsonError { at: self.at + self.raw.len().saturating_sub(escape.len()), what: "an escape in a string is broken" }
    }
}

fn hex4(digits: Option<&[u8]>) -> Option<u32> {
    digits?.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

/// RFC 8259 section 6.
pub(super) fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.first() == Some(&b'0')) {
        return false;
    }
    rest = rest.get(whole..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = fraction.get(count..).unwrap_or_default();
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = exponent.strip_prefix(b"-").or_else(|| exponent.strip_prefix(b"+")).unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}
