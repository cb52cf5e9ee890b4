//! Scrub patterns: what in a name or a reference looks like a person (`record.md` sections 3 and 4).
//!
//! Matchers are written by hand, because names come from outside: every one of them looks at each byte a bounded number of times.

use std::net::Ipv6Addr;
use std::ops::Range;

/// What takes the place of a match.
pub(crate) const MARK: &str = "[scrubbed]";

/// Longest e-mail address (RFC 5321) and telephone number that is looked for, in bytes.
const EMAIL_MAX: usize = 254;
const PHONE_MAX: usize = 64;
/// Longest local part of an address, in bytes.
const LOCAL_MAX: usize = 64;
/// Longest configured pattern.
const PATTERN_MAX: usize = 256;

/// Which patterns a text is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// All of them.
    Everything,
    /// All but IP addresses: `1.2.3.4` in a machine's word is a version.
    NotAddresses,
}

/// Which of the built-in patterns a text could hold at all, by its bytes alone: one quick pass, because nearly every text that
/// is sealed is looked at and nearly none holds a person.
struct Suspect {
    email: bool,
    address: bool,
    telephone: bool,
}

/// Bits of a count in [`COUNTS`], and the counts' order: digits, dots, colons, signs of addresses, `+`.
const LANE: u32 = 12;
/// Counts of this many bytes cannot run into the next lane.
const PIECE: usize = (1 << LANE) - 1;

/// What a byte adds to each count, all in one number, so that a byte costs one look and one sum.
const COUNTS: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::as_conversions, clippy::indexing_slicing, reason = "below 256")]
        {
            table[byte] = match byte as u8 {
                b'0'..=b'9' => 1,
                b'.' => 1 << LANE,
                b':' => 1 << (2 * LANE),
                // The signs of `SIGNS` begin so.
                b'@' | b'%' | 0xef => 1 << (3 * LANE),
                b'+' => 1 << (4 * LANE),
                _ => 0,
            };
        }
        byte += 1;
    }
    table
};

impl Suspect {
    fn in_text(text: &[u8]) -> Self {
        // What is longer than a piece is rare, and not worth a look before the look.
        let long = text.len() > PIECE;
        let sum = text.iter().take(PIECE).fold(0, |sum, byte| sum + COUNTS.get(usize::from(*byte)).copied().unwrap_or(0));
        let count = |lane: u32| sum >> (lane * LANE) & ((1 << LANE) - 1);
        let (digits, dots, colons, at, plus) = (count(0), count(1), count(2), count(3), count(4));
        Suspect {
            email: long || at > 0 && dots > 0,
            address: long || dots >= 3 && digits >= 4 || colons >= 2,
            telephone: long || digits >= 10 || plus > 0 && digits >= 8,
        }
    }
}

/// The built-in patterns (e-mail, telephone, IP address) and those of `identity.scrub`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scrub {
    patterns: Vec<Vec<u8>>,
}

impl Scrub {
    /// Takes `identity.scrub`: literal text, in which `#` stands for one digit, `?` for one byte, `*` for a run without white space.
    pub(crate) fn new(patterns: &[String]) -> Result<Self, String> {
        for pattern in patterns {
            if pattern.len() > PATTERN_MAX || !pattern.bytes().any(|b| !matches!(b, b'*' | b'?' | b' ')) {
                return Err(format!("identity.scrub: `{pattern}` is empty, longer than {PATTERN_MAX} bytes, or would match everything"));
            }
        }
        Ok(Scrub { patterns: patterns.iter().map(|p| p.as_bytes().to_vec()).collect() })
    }

    /// Whether anything in the text matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.next(text.as_bytes(), 0, Look::Everything).is_some()
    }

    /// Whether a text that a person wrote for the configuration holds somebody: addresses of machines are nobody there.
    pub(crate) fn finds_person(&self, text: &str) -> bool {
        self.next(text.as_bytes(), 0, Look::NotAddresses).is_some()
    }

    /// The text with every match replaced, or nothing where none matches.
    pub(crate) fn scrubbed(&self, text: &str, what: Look) -> Option<String> {
        let first = self.next(text.as_bytes(), 0, what)?;
        let mut out = Vec::with_capacity(text.len());
        let (mut from, mut found) = (0, Some(first));
        while let Some(range) = found {
            out.extend_from_slice(text.as_bytes().get(from..range.start).unwrap_or_default());
            out.extend_from_slice(MARK.as_bytes());
            from = range.end;
            found = self.next(text.as_bytes(), from, what);
        }
        out.extend_from_slice(text.as_bytes().get(from..).unwrap_or_default());
        // A configured `?` may cut a character in two; the repair keeps the line valid.
        Some(String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    fn next(&self, text: &[u8], from: usize, what: Look) -> Option<Range<usize>> {
        let Suspect { email, address, telephone } = Suspect::in_text(text.get(from..)?);
        let address = address && what == Look::Everything;
        if !(email || address || telephone) && self.patterns.is_empty() {
            return None;
        }
        let email = email.then(|| next_email(text, from)).flatten();
        let until = email.as_ref().map_or(text.len(), |range| range.start);
        let other = (from..until).find_map(|at| {
            let end = address.then(|| ip_at(text, at)).flatten();
            let end = end.or_else(|| telephone.then(|| phone_at(text, at)).flatten());
            let end = end.or_else(|| self.patterns.iter().find_map(|p| glob_at(text, at, p)));
            end.filter(|end| *end > at).map(|end| at..end)
        });
        other.or(email)
    }
}

fn byte(text: &[u8], at: usize) -> Option<u8> {
    text.get(at).copied()
}

fn before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).and_then(|i| byte(text, i))
}

/// Ways in which the sign between name and host is written: as it is, in a URL, and in full width.
const SIGNS: [&[u8]; 3] = [b"@", b"%40", "\u{ff20}".as_bytes()];

/// The first address from here on: local part, sign, host with a dot.
fn next_email(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    loop {
        at += memchr::memchr3(b'@', b'%', 0xef, text.get(at..)?)?;
        let sign = SIGNS.iter().find(|sign| text.get(at..).is_some_and(|rest| rest.starts_with(sign)));
        if let Some(sign) = sign
            && let Some(start) = local_before(text, from, at)
            && let Some(length) = host_length(text.get(at + sign.len()..)?)
        {
            return Some(start..at + sign.len() + length);
        }
        at += 1;
    }
}

/// Where the local part before a sign begins (RFC 5321 section 4.5.3.1.1: 64 octets); it may be quoted.
fn local_before(text: &[u8], from: usize, sign: usize) -> Option<usize> {
    let local = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'') || b >= 0x80;
    let part = text.get(from.max(sign.saturating_sub(LOCAL_MAX))..sign)?;
    if let [inner @ .., b'"'] = part {
        return inner.iter().rposition(|b| *b == b'"').map(|quote| sign - part.len() + quote);
    }
    let length = part.iter().rev().take_while(|b| local(**b)).count();
    let start = sign - length;
    // What is cut at 64 bytes is cut at a character.
    let inside = text.get(start..sign)?.iter().take_while(|b| **b & 0xc0 == 0x80).count();
    (length > inside).then_some(start + inside)
}

/// Length of the host at the front of a text. No top-level domain is a number: `model@2024.08` is a version.
fn host_length(rest: &[u8]) -> Option<usize> {
    let host = rest.iter().take(EMAIL_MAX).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-') || **b >= 0x80).count();
    let mut host = rest.get(..host)?;
    loop {
        while let [front @ .., b'.' | b'-'] = host {
            host = front;
        }
        let dot = host.iter().rposition(|b| *b == b'.')?;
        let (front, top) = host.split_at_checked(dot)?;
        if dot > 0 && top.len() > 2 && !top.iter().skip(1).all(u8::is_ascii_digit) {
            return Some(host.len());
        }
        host = front;
    }
}

/// An IPv4 or IPv6 address that begins at `at` and stands alone.
fn ip_at(text: &[u8], at: usize) -> Option<usize> {
    let part = |b: u8| b.is_ascii_hexdigit() || matches!(b, b':' | b'.');
    let alone = |b: u8| !b.is_ascii_alphanumeric() && !matches!(b, b':' | b'.' | b'_');
    if !byte(text, at).is_some_and(part) || !before(text, at).is_none_or(alone) {
        return None;
    }
    let mut run = text.get(at..)?.iter().take(46).take_while(|b| part(**b)).count();
    while run > 0 && byte(text, at + run - 1) == Some(b'.') {
        run -= 1;
    }
    // `10.0.0.7:4317`: the port stays.
    let token = text.get(at..at + run)?;
    let v4 = token.iter().position(|b| *b == b':').map_or(token, |colon| token.get(..colon).unwrap_or_default());
    let dotted = |t: &[u8]| {
        let parts: Vec<&[u8]> = t.split(|b| *b == b'.').collect();
        parts.len() == 4
            && parts.iter().all(|p| (1..=3).contains(&p.len()) && std::str::from_utf8(p).is_ok_and(|s| s.parse::<u8>().is_ok()))
    };
    let ends_alone = |end: usize| byte(text, end).is_none_or(|b| !b.is_ascii_alphanumeric() && b != b'_');
    if v4.len() >= 7 && dotted(v4) && ends_alone(at + v4.len()) {
        return Some(at + v4.len());
    }
    let v6 = token.iter().filter(|b| **b == b':').count() >= 2 && token.len() >= 4 && token.iter().any(u8::is_ascii_hexdigit);
    (v6 && ends_alone(at + run) && std::str::from_utf8(token).is_ok_and(|s| s.parse::<Ipv6Addr>().is_ok())).then_some(at + run)
}

/// Length of what separates the groups of a telephone number at the front of a text, 0 where none does: also the spaces and hyphens of
/// typography (U+00A0, U+2009 to U+2015, U+202F).
fn separator(rest: &[u8]) -> usize {
    match rest {
        [b' ' | b'-' | b'.' | b'(' | b')' | b'/', ..] => 1,
        [0xc2, 0xa0, ..] => 2,
        [0xe2, 0x80, 0x89..=0x95 | 0xaf, ..] => 3,
        _ => 0,
    }
}

/// A telephone number that begins at `at`: `+` and 8 to 15 digits with separators (E.164), or the 3-3-4 groups of North America, with its
/// country code or without.
fn phone_at(text: &[u8], at: usize) -> Option<usize> {
    let before = before(text, at);
    if before.is_some_and(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let rest = text.get(at..)?;
    let window = rest.get(..PHONE_MAX.min(rest.len()))?;
    let alone = !before.is_some_and(|b| matches!(b, b'-' | b'.' | b'_' | b'/'));
    let length = match window {
        [b'+', ..] => international(window),
        [b'1', rest @ ..] if alone => match separator(rest) {
            0 => None,
            n => north_american(rest.get(n..)?).map(|length| 1 + n + length),
        },
        [b'(' | b'2'..=b'9', ..] if alone => north_american(window),
        _ => None,
    };
    length.map(|length| at + length)
}

/// `+` and digits: as many groups as 15 digits allow.
fn international(window: &[u8]) -> Option<usize> {
    let (mut digits, mut at, mut end) = (0, 1, None);
    while digits <= 15 {
        if window.get(at).is_some_and(u8::is_ascii_digit) {
            digits += 1;
            at += 1;
            continue;
        }
        // A group ends here.
        if (8..=15).contains(&digits) && window.get(at - 1).is_some_and(u8::is_ascii_digit) {
            end = Some(at);
        }
        match separator(window.get(at..).unwrap_or_default()) {
            0 => break,
            n => at += n,
        }
    }
    end
}

/// `415-555-2671`, `(415) 555-2671`, `(415)5552671`.
fn north_american(window: &[u8]) -> Option<usize> {
    let digits = |at: usize, n: usize| window.get(at..at + n).is_some_and(|d| d.iter().all(u8::is_ascii_digit));
    let gap = |at: usize| separator(window.get(at..).unwrap_or_default());
    let open = usize::from(window.first() == Some(&b'('));
    if !digits(open, 3) || open == 1 && window.get(4) != Some(&b')') {
        return None;
    }
    let area = open + 3 + open;
    let middle = area + gap(area);
    let last = middle + 3 + gap(middle + 3);
    let parted = open == 1 || gap(area) > 0 && gap(middle + 3) > 0;
    let end = last + 4;
    let ends = !window.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'-');
    (parted && digits(middle, 3) && digits(last, 4) && ends).then_some(end)
}

/// A configured pattern that begins at `at`. `*` takes as much as it can; one earlier `*` is remembered, so the work is bounded by
/// text times pattern.
fn glob_at(text: &[u8], at: usize, pattern: &[u8]) -> Option<usize> {
    let (mut t, mut p) = (at, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (byte(pattern, p), byte(text, t)) {
            (None, _) => {
                // A trailing `*` swallows the rest of the run.
                if pattern.last() == Some(&b'*') {
                    t += text.get(t..).unwrap_or_default().iter().take_while(|b| !b.is_ascii_whitespace()).count();
                }
                return Some(t);
            }
            (Some(b'*'), _) => {
                star = Some((p + 1, t));
                p += 1;
            }
            (Some(want), Some(have)) if want == have || want == b'?' || (want == b'#' && have.is_ascii_digit()) => {
                t += 1;
                p += 1;
            }
            _ => {
                let (back_p, back_t) = star?;
                byte(text, back_t).filter(|b| !b.is_ascii_whitespace())?;
                star = Some((back_p, back_t + 1));
                p = back_p;
                t = back_t + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrub(text: &str) -> String {
        Scrub::default().scrubbed(text, Look::Everything).unwrap_or_else(|| text.to_owned())
    }

    #[test]
    fn persons_in_names_are_found() {
        for (text, expected) in [
            ("mail alice@example.com now", "mail [scrubbed] now"),
            ("<a.b+c@x-y.co.uk>.", "<[scrubbed]>."),
            ("a@b.de,c@d.fr", "[scrubbed],[scrubbed]"),
            ("call +49 170 1234567!", "call [scrubbed]!"),
            ("(415) 555-2671", "[scrubbed]"),
            ("tel 415-555-2671 x", "tel [scrubbed] x"),
            ("from 10.0.0.7:4317", "from [scrubbed]:4317"),
            ("GET http://127.0.0.1/x", "GET http://[scrubbed]/x"),
            ("host 2001:db8::1 up", "host [scrubbed] up"),
            ("+49 170 1234567 2026-11-20", "[scrubbed] 2026-11-20"),
            ("GET /users/+491701234567", "GET /users/[scrubbed]"),
            ("phone_+491701234567.", "phone_[scrubbed]."),
            ("+33\u{a0}6\u{a0}12\u{a0}34\u{a0}56\u{a0}78", "[scrubbed]"),
            ("+49 170\u{2013}1234567", "[scrubbed]"),
            ("1-415-555-2671", "[scrubbed]"),
            ("(415)5552671", "[scrubbed]"),
            ("jane.doe%40example.com", "[scrubbed]"),
            ("\"jane doe\"@example.com", "[scrubbed]"),
            ("jane.doe\u{ff20}example.com", "[scrubbed]"),
            ("jane@firma.de.1", "[scrubbed].1"),
        ] {
            assert_eq!(scrub(text), expected);
        }
    }

    /// A long run before an address hides it no more than a short one.
    #[test]
    fn what_stands_before_an_address_does_not_hide_it() {
        for run in ["\u{65e5}".repeat(90), "-".repeat(300), "a.".repeat(200), "b ".repeat(PIECE)] {
            let clean = scrub(&format!("{run}jane.doe@example.com"));
            assert!(clean.ends_with(MARK) && !clean.contains("jane"), "{clean}");
        }
        for person in ["+49 170 1234567", "2001:db8::1", "10.0.0.7"] {
            assert_eq!(scrub(&format!("{}{person}", " ".repeat(PIECE))).trim_start(), MARK);
        }
    }

    #[test]
    fn names_of_models_and_things_stay() {
        for text in [
            "chat gpt-4o-2026-05-13",
            "call_pq2f75fmi1sxc2yxcs01qwpy",
            "POST /score/{applicant} http send",
            "std::collections::HashMap",
            "v1.2.3",
            "1.2.3.4.5",
            "300.1.1.1",
            "2026-11-20T15:10:43",
            "RunnableParallel<context,question>",
            "ab::cd::ef::g",
            "user@localhost",
            "@decorator",
            "12345678901",
            "claude-3-5-sonnet@20240620",
            "v1@2.3",
            "100%25 of 3.14159265",
            "2026-11-20 10:15:00",
            "50% + 12 + 4.5",
            "C++",
            "",
        ] {
            assert_eq!(scrub(text), text);
        }
    }

    #[test]
    fn configured_patterns() {
        let scrub = Scrub::new(&["CUST-####".into(), "emp_*".into()]).unwrap();
        assert_eq!(scrub.scrubbed("a CUST-1234b emp_x.y z", Look::Everything).unwrap(), "a [scrubbed]b [scrubbed] z");
        assert!(!scrub.matches("CUST-12a4"));
        assert!(Scrub::new(&["*".into()]).is_err());
        assert!(Scrub::new(&[String::new()]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics_and_always_ends(text in ".{0,200}", pattern in "[a#*?]{1,8}") {
            let scrub = Scrub::new(&[pattern]).unwrap_or_default();
            if let Some(out) = scrub.scrubbed(&text, Look::Everything) {
                proptest::prop_assert!(out.contains(MARK));
            }
            let many = "@+1.:".repeat(60);
            let _ = scrub.scrubbed(&many, Look::Everything);
        }
    }
}
