//! Numbers of proto3 JSON: integers may come as decimal strings, with a fraction of zeros or an exponent; they must be exact.

use super::lexer::is_number;

/// The integer that a JSON number is, if it is one of at most 38 digits.
pub(super) fn integer(text: &[u8]) -> Option<i128> {
    if !is_number(text) {
        return None;
    }
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let magnitude = if digits.len() <= 38 && digits.iter().all(u8::is_ascii_digit) {
        digits.iter().fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'))
    } else {
        scaled(digits)?
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// The same with a fraction, an exponent or very many digits. Zeros are held back until a digit follows, so that the value stays small
/// and `1000000e-6` is seen to be 1.
fn scaled(text: &[u8]) -> Option<i128> {
    let mut value = 0_i128;
    let mut zeros = 0_i64;
    let mut decimals = 0_i64;
    let mut in_fraction = false;
    let mut exponent = 0_i64;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'.' => in_fraction = true,
            b'e' | b'E' => {
                let digits = std::str::from_utf8(text.get(at + 1..)?).ok()?;
                // An exponent beyond i64 is beyond every integer, or a zero's; neither is telemetry.
                exponent = digits.parse().ok()?;
                break;
            }
            digit => {
                decimals += i64::from(in_fraction);
                if *digit == b'0' {
                    zeros += i64::from(value != 0);
                } else {
                    let shift = 10_i128.checked_pow(u32::try_from(zeros + 1).ok()?)?;
                    value = value.checked_mul(shift)?.checked_add(i128::from(digit - b'0'))?;
                    zeros = 0;
                }
            }
        }
    }
    if value == 0 {
        return Some(0);
    }
    let scale = zeros.checked_sub(decimals)?.checked_add(exponent)?;
    value.checked_mul(10_i128.checked_pow(u32::try_from(scale).ok()?)?)
}

/// The double that a JSON number is; one too large for a double is an error in proto3 JSON.
pub(super) fn double(text: &[u8]) -> Option<f64> {
    if !is_number(text) {
        return None;
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact_in_every_spelling() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("0.000", 0),
            ("0e999999999999", 0),
            ("1e3", 1_000),
            ("1E+3", 1_000),
            ("1.5e1", 15),
            ("1000000e-6", 1),
            ("1.000", 1),
            ("1700000000.123456789e9", 1_700_000_000_123_456_789),
            ("18446744073709551615", i128::from(u64::MAX)),
            ("-9223372036854775808", i128::from(i64::MIN)),
            ("1844674407370955161500000000000000000000000e-23", i128::from(u64::MAX)),
        ] {
            assert_eq!(integer(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["", "-", "+1", "01", "1.", ".5", "1e", "1.5", "1e-1", "1e39", "1e99999999999999999999", "0x1", "1 ", "NaN", "1.5e0"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn doubles_must_fit() {
        assert_eq!(double(b"1.5e-3"), Some(0.0015));
        assert_eq!(double(b"-0").map(f64::to_bits), Some((-0.0_f64).to_bits()));
        for text in ["1e999", "inf", "nan", "0x10", ""] {
            assert_eq!(double(text.as_bytes()), None, "{text}");
        }
    }
}
