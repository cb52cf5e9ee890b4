//! Durations in Go's syntax and sizes in binary units: read, and written back in one form.

use std::time::Duration;

/// Shortest duration that a configuration may name: below it, timers cost more than what they wait for.
pub const DURATION_MIN: Duration = Duration::from_millis(10);

const UNITS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads `1s`, `500ms`, `1h30m`, `1.5s`: what Go's `time.ParseDuration` reads, without a sign.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write a number and a unit (ms, s, m, h), as in 500ms, 1s or 1h30m");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let number_len = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (number, after) = rest.split_at_checked(number_len).ok_or_else(wrong)?;
        let unit_len = after.bytes().take_while(|b| !b.is_ascii_digit() && *b != b'.').count();
        let (unit, behind) = after.split_at_checked(unit_len).ok_or_else(wrong)?;
        let nanos = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, n)| *n).ok_or_else(wrong)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(wrong());
        }
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
        total = whole.checked_mul(nanos).and_then(|n| total.checked_add(n)).ok_or_else(wrong)?;
        let mut place = nanos;
        for digit in fraction.bytes() {
            if !digit.is_ascii_digit() {
                return Err(wrong());
            }
            place /= 10;
            total = total.checked_add(u64::from(digit - b'0') * place).ok_or_else(wrong)?;
        }
        rest = behind;
    }
    Ok(Duration::from_nanos(total))
}

/// A duration between two bounds.
pub(super) fn duration_within(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if (least..=most).contains(&duration) {
        return Ok(duration);
    }
    Err(format!("`{text}` is out of bounds: allowed is {} to {}", show_duration(least), show_duration(most)))
}

/// Writes a duration in the one form that equal durations share: `1h30m`, `1s500ms`, `0s`.
pub fn show_duration(duration: Duration) -> String {
    let mut nanos = duration.as_nanos();
    let mut out = String::new();
    for (unit, size) in UNITS.iter().rev().filter(|(unit, _)| unit.is_ascii()) {
        let count = nanos / u128::from(*size);
        if count > 0 {
            out.push_str(&format!("{count}{unit}"));
            nanos %= u128::from(*size);
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

const KIB: u64 = 1024;

/// Reads a number of bytes: `65536`, `64KiB`, `16MiB`, `1GiB`.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size: write bytes, or a whole number with KiB, MiB or GiB, as in 16MiB");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let scale = match unit.trim_start() {
        "" | "B" => 1,
        "KiB" => KIB,
        "MiB" => KIB * KIB,
        "GiB" => KIB * KIB * KIB,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|n| n.checked_mul(scale)).ok_or_else(wrong)
}

/// A size between two bounds.
pub(super) fn size_within(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let size = parse_size(text)?;
    if (least..=most).contains(&size) {
        return Ok(size);
    }
    Err(format!("`{text}` is out of bounds: allowed is {} to {}", show_size(least), show_size(most)))
}

/// Writes a size in the largest unit that divides it.
pub fn show_size(bytes: u64) -> String {
    for (unit, scale) in [("GiB", KIB * KIB * KIB), ("MiB", KIB * KIB), ("KiB", KIB)] {
        if bytes > 0 && bytes.is_multiple_of(scale) {
            return format!("{}{unit}", bytes / scale);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos_and_come_back_in_one_form() {
        for (text, nanos, shown) in [
            ("1s", 1_000_000_000, "1s"),
            ("1000ms", 1_000_000_000, "1s"),
            ("500ms", 500_000_000, "500ms"),
            ("1h30m", 5_400_000_000_000, "1h30m"),
            ("1.5s", 1_500_000_000, "1s500ms"),
            (".5s", 500_000_000, "500ms"),
            ("90s", 90_000_000_000, "1m30s"),
            ("10\u{b5}s", 10_000, "10us"),
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration.as_nanos(), nanos, "{text}");
            assert_eq!(show_duration(duration), shown);
            assert_eq!(parse_duration(shown).unwrap(), duration);
        }
        for bad in ["", "1", "s", "1 s", "-1s", "1d", "1sec", ".s", "1.2.3s", "9999999999999h", "1s "] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        let bound = duration_within("5ms", DURATION_MIN, Duration::from_secs(60)).unwrap_err();
        assert_eq!(bound, "`5ms` is out of bounds: allowed is 10ms to 1m");
        assert!(duration_within("10ms", DURATION_MIN, Duration::from_secs(60)).is_ok());
    }

    #[test]
    fn sizes_are_binary_and_come_back_in_one_form() {
        for (text, bytes, shown) in
            [("0", 0, "0"), ("1000", 1000, "1000"), ("65536", 65536, "64KiB"), ("16MiB", 16 << 20, "16MiB"), ("1 GiB", 1 << 30, "1GiB")]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
            assert_eq!(show_size(bytes), shown);
        }
        for bad in ["", "MiB", "1MB", "1.5MiB", "-1", "1k", "99999999999999GiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
