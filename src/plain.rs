//! Text of others as it may stand before a reader (pure). Whoever made a bundle, a store, a certificate or an error message may have written
//! anything, and a terminal obeys control characters: they move the cursor, paint over what stands there, and turn the direction of reading
//! around, so that a report would say what its maker wants.
//!
//! Where a reader looks, every text goes through [`shown`]: reports are [`Page`]s, of which every line does, and what else goes to a terminal
//! or into a log does at the output ([`crate::commands::output`], [`crate::telemetry`]). JSON for machines keeps every text exactly
//! ([`shown_json`]).

use std::borrow::Cow;
use std::fmt;

/// Longest line of a report, characters: whoever is told more reads none of it, and a foreign text may have millions.
const LINE_CHARS_MAX: usize = 16 * 1024;

/// Whether a terminal or an editor would act on it instead of showing it: control characters, and what is invisible but changes how the text
/// around it reads (Unicode: bidirectional controls, zero width, tags; general category Cf, without the Arabic signs that are seen).
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with each such character as its number, line breaks too, and no secret key in it ([`without_keys`]).
pub fn shown(text: &str) -> String {
    shown_but(text, |_| false)
}

/// The same of a text whose lines we made ourselves: line breaks and tabs stay.
pub fn shown_lines(text: &str) -> String {
    shown_but(text, |c| matches!(c, '\n' | '\t'))
}

fn shown_but(text: &str, stays: impl Fn(char) -> bool) -> String {
    let text = without_keys(text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) && !stays(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Stands for a secret in what is shown.
pub const HIDDEN: &str = "***";

/// How a secret key of a log or a witness begins, as its file has it.
pub const SECRET_KEY: &str = "PRIVATE+KEY+";

/// The text with every such key hidden. Where a path belongs, or the text of a public key, sooner or later somebody writes the key itself,
/// and what is wrong with that is told with what was written.
pub fn without_keys(text: &str) -> Cow<'_, str> {
    if !text.contains(SECRET_KEY) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(SECRET_KEY);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_whitespace() || matches!(c, '`' | '"' | '\'')).unwrap_or(part.len());
        out.push_str(SECRET_KEY);
        out.push_str(HIDDEN);
        out.push_str(part.get(end..).unwrap_or_default());
    }
    Cow::Owned(out)
}

/// The text with what may be a secret in the addresses of it hidden: what stands before an `@`, and the values of a query. An address that
/// is refused is quoted to whoever mistyped it, and to whoever reads the log of that.
pub fn without_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, address) = rest.split_at(at + 3);
        let end = address.find(|c: char| c.is_whitespace() || matches!(c, '`' | '"' | '\'')).unwrap_or(address.len());
        let (address, behind) = address.split_at(end);
        out.push_str(before);
        out.push_str(&place_without_secrets(address));
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// The same of a text that is an address as a whole: a space or a quote in a password does not end it.
pub fn address_without_secrets(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", place_without_secrets(rest)),
        None => address.to_owned(),
    }
}

/// Of an address what stands behind its scheme.
pub fn place_without_secrets(address: &str) -> String {
    let (place, query) = address.split_at(address.find(['?', '#']).unwrap_or(address.len()));
    // A password may have a `?` in it, too.
    if query.contains('@') {
        return HIDDEN.to_owned();
    }
    let place = place.rsplit_once('@').map_or(place.to_owned(), |(_, host)| format!("{HIDDEN}@{host}"));
    let Some(begin) = query.chars().next() else { return place };
    let hidden = |pair: &str| match pair.split_once('=') {
        Some((name, _)) => format!("{name}={HIDDEN}"),
        None if pair.is_empty() => String::new(),
        None => HIDDEN.to_owned(),
    };
    let pairs: Vec<String> = query.get(1..).unwrap_or_default().split('&').map(hidden).collect();
    format!("{place}{begin}{}", pairs.join("&"))
}

/// JSON of the same value, in which no such character stands raw.
pub fn shown_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        // Between values only spaces and line breaks may stand; inside of a text JSON has no raw line break.
        if acts(c) && c != '\n' {
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// At most so many characters of a text, and that there are more.
pub fn brief(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
    }
}

/// How many of what: "1 seal", "2 seals".
pub fn counted(count: impl fmt::Display, one: &str, many: &str) -> String {
    let count = count.to_string();
    let what = if count == "1" { one } else { many };
    format!("{count} {what}")
}

/// A report of lines. Whatever is written into a line is [`shown`] and stays in it: `writeln!` makes one line of our own, of bounded length,
/// and nothing that stands in its arguments makes another.
#[derive(Clone, Debug, Default)]
pub struct Page(String);

impl Page {
    /// What `write!` and `writeln!` call. Either makes a line.
    pub fn write_fmt(&mut self, line: fmt::Arguments<'_>) -> fmt::Result {
        let line = line.to_string();
        let line = line.strip_suffix('\n').unwrap_or(&line);
        self.0.push_str(&shown(&brief(line, LINE_CHARS_MAX)));
        self.0.push('\n');
        Ok(())
    }

    /// All lines.
    pub fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: &str = "a\u{1b}[2J\u{9b}31m\r\n\u{7f}\u{202e}b\u{2066}\u{200b}\u{ad}\u{e0041}c";

    fn is_clean(text: &str) -> bool {
        !text.chars().any(acts)
    }

    #[test]
    fn addresses_keep_what_is_no_secret() {
        for (text, shown) in [
            ("store `s3://bucket/a`: bad", "store `s3://bucket/a`: bad"),
            ("`s3://k:s/t@b/x`, https://h/p?sig=1&x#f", "`s3://***@b/x`, https://h/p?sig=***&***"),
            ("did you mean s3://bucket? Or \"az://a/c?x=y\"", "did you mean s3://bucket? Or \"az://a/c?x=***\""),
            ("s3://k:a?b@c", "s3://***"),
            ("mail me@example.com, ./folder@2?a=b", "mail me@example.com, ./folder@2?a=b"),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
    }

    /// Guarantee: of a key that stands where something else belongs nothing is shown but that it is one, wherever in a text it stands.
    #[test]
    fn no_secret_key_is_shown() {
        let key = "PRIVATE+KEY+spanseal.local/log+1234abcd+AWhc2g+/h1s=";
        for (text, clean) in [
            (format!("`{key}`: no such file"), "`PRIVATE+KEY+***`: no such file"),
            (format!("/home/{key} and {key}\n"), "/home/PRIVATE+KEY+*** and PRIVATE+KEY+***\n"),
            (format!("{{\"key_file\":\"{key}\"}}"), "{\"key_file\":\"PRIVATE+KEY+***\"}"),
            ("PRIVATE+KEY+".to_owned(), "PRIVATE+KEY+***"),
            ("spanseal.local/log+1234abcd+AWhc2g".to_owned(), "spanseal.local/log+1234abcd+AWhc2g"),
        ] {
            assert_eq!(without_keys(&text), clean);
            assert_eq!(shown_lines(&text), clean);
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_shown_as_its_number() {
        assert_eq!(shown("a\u{1b}[2J\n\u{202e}b"), "a\\u{1b}[2J\\u{a}\\u{202e}b");
        assert_eq!(shown("\u{fc}\u{1f600} \u{915}\u{94d}\u{937}"), "\u{fc}\u{1f600} \u{915}\u{94d}\u{937}");
        assert!(is_clean(&shown(BAD)) && shown(&shown(BAD)) == shown(BAD));
        assert_eq!(shown_lines("a\n\tb\r\u{1b}"), "a\n\tb\\u{d}\\u{1b}");
    }

    #[test]
    fn json_says_the_same_and_acts_on_nobody() {
        let value = serde_json::json!({ BAD: [BAD, 1] });
        for text in [value.to_string(), format!("{value:#}")] {
            let json = shown_json(&text);
            assert!(is_clean(&json.replace('\n', "")), "{json:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
        }
    }

    #[test]
    fn nothing_leaves_its_line() {
        let mut page = Page::default();
        writeln!(page, "one {BAD}").unwrap();
        let [x, y] = ["x\n", "y\n"];
        writeln!(page, "two {x}").unwrap();
        write!(page, "three {y}").unwrap();
        writeln!(page, "{}", "z".repeat(LINE_CHARS_MAX + 1)).unwrap();
        let text = page.into_text();
        let lines: Vec<&str> = text.split_terminator('\n').collect();
        assert!(lines.iter().all(|line| is_clean(line)) && lines.len() == 4, "{text:?}");
        assert_eq!((lines[1], lines[2], lines[3].len()), ("two x\\u{a}", "three y", LINE_CHARS_MAX + 3));
    }
}
