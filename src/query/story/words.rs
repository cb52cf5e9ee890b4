//! Small things of plain language: dates, lists, quotes, line breaks.

use crate::clock::{UnixNanos, UnixSeconds};
pub use crate::plain::shown as clean;
use crate::query::opening::Erasure;
use crate::record::canonical::Json;

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/// Longest piece of the sender's text in a sentence, in characters.
const QUOTE_MAX: usize = 120;

/// `20 November 2026`.
pub(super) fn date(at: UnixSeconds) -> String {
    let (year, month, day) = at.date();
    let name = usize::try_from(month).ok().and_then(|m| MONTHS.get(m.checked_sub(1)?)).copied().unwrap_or("?");
    format!("{day} {name} {year}")
}

/// The day and the time of day, both UTC: `(20 November 2026, 10:00:08)`.
pub(super) fn day_and_time(at: UnixNanos) -> (String, String) {
    let seconds = UnixSeconds(i64::try_from(at.0 / 1_000_000_000).unwrap_or(i64::MAX));
    let time = at.rfc3339().get(11..19).unwrap_or_default().to_owned();
    (date(seconds), time)
}

/// `20 November 2026 at 10:00:08 UTC`, from a record's time; what is no time is quoted as it is.
pub(super) fn moment(text: &str) -> String {
    match UnixNanos::parse(text) {
        Some(at) => {
            let (day, time) = day_and_time(at);
            format!("{day} at {time} UTC")
        }
        None => quote(text),
    }
}

/// How long between two times, in the two largest units; `None` where the second is earlier.
pub(super) fn between(from: &str, to: &str) -> Option<String> {
    let (from, to) = (UnixNanos::parse(from)?, UnixNanos::parse(to)?);
    let seconds = to.0.checked_sub(from.0)? / 1_000_000_000;
    let units = [(seconds / 86_400, "day"), (seconds / 3_600 % 24, "hour"), (seconds / 60 % 60, "minute"), (seconds % 60, "second")];
    let named: Vec<String> = units.iter().skip_while(|(n, _)| *n == 0).take(2).filter(|(n, _)| *n > 0).map(|(n, u)| count(*n, u)).collect();
    Some(if named.is_empty() { "less than a second".to_owned() } else { named.join(" and ") })
}

/// `1 record`, `2 records`.
pub(super) fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {one}s", grouped(n)) }
}

/// `1,234,567`.
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// At most `most` items, then how many there are besides.
pub(super) fn list_some(items: &[String], most: usize) -> String {
    if items.len() <= most {
        return list(items);
    }
    let shown: Vec<String> = items.iter().take(most).cloned().collect();
    format!("{} and {} more", shown.join(", "), items.len() - most)
}

/// The sender's text between quotation marks, cut where it is long.
pub(super) fn quote(text: &str) -> String {
    let cleaned = clean(text);
    match cleaned.char_indices().nth(QUOTE_MAX) {
        None => format!("\"{cleaned}\""),
        Some((at, _)) => format!("\"{}...\"", cleaned.get(..at).unwrap_or_default()),
    }
}

/// Enough of a hash to recognise it by: `sha256:9f86d081884c7d65...`.
pub(super) fn short_hash(hash: &str) -> String {
    let (front, digits) = hash.rsplit_once(':').map_or((String::new(), hash), |(front, digits)| (format!("{}:", clean(front)), digits));
    match digits.char_indices().nth(16) {
        None => clean(hash),
        Some((at, _)) => format!("{front}{}...", clean(digits.get(..at).unwrap_or_default())),
    }
}

/// A number as JSON prints it.
pub(super) fn number(json: &Json) -> String {
    match json {
        Json::Number(_) => json.to_jcs_string(),
        Json::String(text) => text.parse::<u64>().map_or_else(|_| quote(text), grouped),
        other => quote(&other.to_jcs_string()),
    }
}

/// What became of content, or of who somebody is, to follow "was" or to begin a sentence.
pub fn erased(Erasure { at, ground, record, later }: &Erasure) -> String {
    let later = later.iter().map(|record| format!(", later also {}", clean(record))).collect::<String>();
    let day = at.split('T').next().unwrap_or(at);
    format!("erased on {} on the ground \"{}\" (erasure record {}{later})", clean(day), clean(ground), clean(record))
}

/// Upper case at the front.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Breaks text at spaces so that no line is longer than `width`, with `indent` spaces in front of each. A word longer than a line
/// stands alone on its own.
pub(super) fn wrap(text: &str, indent: usize, width: usize) -> String {
    let room = width.saturating_sub(indent).max(20);
    let mut out = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length <= room {
            out.push(' ');
            used += 1;
        } else {
            if used > 0 {
                out.push('\n');
            }
            out.extend(std::iter::repeat_n(' ', indent));
            used = 0;
        }
        out.push_str(word);
        used += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_spans_of_time() {
        assert_eq!(moment("2026-11-20T10:00:08.999999999Z"), "20 November 2026 at 10:00:08 UTC");
        assert_eq!(moment("soon"), "\"soon\"");
        let from = "2026-11-20T10:00:00Z";
        for (to, words) in [
            ("2026-11-20T10:00:00.5Z", "less than a second"),
            ("2026-11-20T10:00:01Z", "1 second"),
            ("2026-11-20T10:02:00Z", "2 minutes"),
            ("2026-11-20T11:00:07Z", "1 hour"),
            ("2026-11-22T11:10:07Z", "2 days and 1 hour"),
        ] {
            assert_eq!(between(from, to).as_deref(), Some(words), "{to}");
        }
        assert_eq!(between(from, "2026-11-20T09:00:00Z"), None);
    }

    #[test]
    fn lists_numbers_and_quotes() {
        let items = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(list(&items), "a, b and c");
        assert_eq!(list_some(&items, 2), "a, b and 1 more");
        assert_eq!((count(1, "seal"), count(1234, "seal")), ("1 seal".to_owned(), "1,234 seals".to_owned()));
        assert_eq!(quote(&"x".repeat(QUOTE_MAX)).len(), QUOTE_MAX + 2);
        assert_eq!(quote(&"x".repeat(QUOTE_MAX + 1)).len(), QUOTE_MAX + 5);
        assert_eq!(short_hash("hmac-sha256:66687aad:00112233445566778899"), "hmac-sha256:66687aad:0011223344556677...");
        assert_eq!(short_hash("v7"), "v7");
    }

    /// A record's text never reaches the terminal as a command.
    #[test]
    fn control_characters_are_shown_as_numbers() {
        assert_eq!(quote("a\u{1b}[31m\u{202e}b\u{9b}"), "\"a\\u{1b}[31m\\u{202e}b\\u{9b}\"");
        assert_eq!(clean("a\u{2028}b\u{2029}c\u{85}"), "a\\u{2028}b\\u{2029}c\\u{85}", "no line of the sender's making");
        assert_eq!(clean("\u{fc}\u{1f600} fine"), "\u{fc}\u{1f600} fine");
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("aa bb cc", 2, 24), "  aa bb cc");
        assert_eq!(wrap("one two three four five six seven", 2, 22), "  one two three four\n  five six seven");
        assert_eq!(wrap(&format!("a {}", "x".repeat(40)), 0, 20), format!("a\n{}", "x".repeat(40)));
        assert_eq!(wrap("", 2, 20), "");
    }
}
