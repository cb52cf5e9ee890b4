//! `TSTInfo`: what an authority signed (RFC 3161 section 2.4.2).

use std::time::Duration;

use der::Tag;
use der::asn1::ObjectIdentifier;

use super::TokenError;
use super::asn1::{Algorithm, Items, algorithm, context, context_primitive, malformed, small};
use crate::clock::UnixNanos;
use crate::tlog::Hash;

const WHAT: &str = "TSTInfo";
pub(super) const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
/// Longest serial number and nonce, bytes: RFC 3161 asks for 160 bits of the one, and clients send 64 to 128 of the other.
const NUMBER_BYTES_MAX: usize = 64;

/// The content of a token.
pub(super) struct Info<'a> {
    hash: Algorithm<'a>,
    hashed: &'a [u8],
    pub(super) serial: &'a [u8],
    pub(super) at: UnixNanos,
    pub(super) accuracy: Option<Duration>,
    pub(super) nonce: Option<&'a [u8]>,
}

impl<'a> Info<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, TokenError> {
        let mut outer = Items::new(bytes, WHAT)?;
        let mut items = outer.sequence(WHAT)?;
        outer.end()?;
        if small(items.integer()?, WHAT)? != 1 {
            return Err(TokenError::Unsupported("TSTInfo of another version than 1".to_owned()));
        }
        items.oid()?;
        let mut imprint = items.sequence("messageImprint")?;
        let hash = algorithm(&mut imprint, "messageImprint")?;
        let hashed = imprint.expect(Tag::OctetString)?.value;
        imprint.end()?;
        let serial = number(items.integer()?)?;
        let at = time(items.expect(Tag::GeneralizedTime)?.value)?;
        let accuracy = items.optional(Tag::Sequence)?.map(|item| accuracy(item.items("accuracy")?)).transpose()?;
        if let Some(ordering) = items.optional(Tag::Boolean)?
            && !matches!(ordering.value, [0 | 0xff])
        {
            return Err(malformed(WHAT, "`ordering` is neither true nor false"));
        }
        let nonce = items.optional(Tag::Integer)?.map(|item| item.integer(WHAT).and_then(number)).transpose()?;
        // The name is only a hint: "the actual identification of the entity that signed the response will always occur through the use of the
        // certificate identifier".
        items.optional(context(0))?;
        if let Some(extensions) = items.optional(context(1))? {
            no_critical(extensions.items("extensions of TSTInfo")?)?;
        }
        items.end()?;
        Ok(Info { hash, hashed, serial, at, accuracy, nonce })
    }

    /// What it is over; `None`: another kind of hash than SHA-256.
    pub(super) fn imprint(&self) -> Option<Hash> {
        let bytes: [u8; 32] = self.hashed.try_into().ok()?;
        (self.hash.oid == SHA256 && self.hash.plain).then_some(Hash(bytes))
    }

    /// The same in words.
    pub(super) fn shown_imprint(&self) -> String {
        self.imprint().map_or_else(|| format!("a hash of another kind than SHA-256 ({})", self.hash.oid), |hash| hash.to_string())
    }
}

fn number(bytes: &[u8]) -> Result<&[u8], TokenError> {
    if bytes.len() > NUMBER_BYTES_MAX { Err(malformed(WHAT, "a number that is too long")) } else { Ok(bytes) }
}

/// `Accuracy`: seconds, thousandths `[0]` and millionths `[1]`, each optional, the latter 1 to 999.
fn accuracy(mut items: Items<'_>) -> Result<Duration, TokenError> {
    const WHAT: &str = "accuracy";
    let seconds = items.optional(Tag::Integer)?.map(|i| small(i.integer(WHAT)?, WHAT)).transpose()?.unwrap_or(0);
    let mut part = |tag| match items.optional(context_primitive(tag))? {
        None => Ok(0),
        Some(item) => match small(item.integer(WHAT)?, WHAT)? {
            part @ 1..=999 => Ok(part),
            _ => Err(malformed(WHAT, "a part that is not 1 to 999")),
        },
    };
    let (millis, micros) = (part(0)?, part(1)?);
    items.end()?;
    Ok(Duration::from_secs(seconds).saturating_add(Duration::from_micros(millis * 1000 + micros)))
}

fn no_critical(mut extensions: Items<'_>) -> Result<(), TokenError> {
    const WHAT: &str = "extensions of TSTInfo";
    while !extensions.is_empty() {
        let mut extension = extensions.sequence(WHAT)?;
        let oid = extension.oid()?;
        let critical = extension.optional(Tag::Boolean)?.is_some_and(|b| b.value != [0]);
        extension.expect(Tag::OctetString)?;
        extension.end()?;
        if critical {
            return Err(TokenError::Unsupported(format!("TSTInfo has a critical extension, {oid}")));
        }
    }
    Ok(())
}

/// `YYYYMMDDhhmmss[.s...]Z`: seconds always, a fraction without trailing zeros, in UTC.
fn time(bytes: &[u8]) -> Result<UnixNanos, TokenError> {
    const WHAT: &str = "genTime";
    let wrong = || malformed(WHAT, "not YYYYMMDDhhmmss[.s...]Z");
    let text = std::str::from_utf8(bytes).ok().and_then(|t| t.strip_suffix('Z')).ok_or_else(wrong)?;
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || fraction.is_some_and(|f| f.is_empty() || f.ends_with('0') || !digits(f) || f.len() > 32) {
        return Err(wrong());
    }
    let part = |from: usize, to: usize| whole.get(from..to).unwrap_or_default();
    let fraction = fraction.map_or_else(String::new, |f| format!(".{}", f.get(..9).unwrap_or(f)));
    let (year, month, day, hour, minute, second) = (part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14));
    // A leap second has no Unix time of its own, and a parser that takes it for the one before would accept two texts for one moment.
    if second == "60" {
        return Err(wrong());
    }
    UnixNanos::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}{fraction}Z")).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_form_and_may_have_fractions() {
        let at = |text: &str| time(text.as_bytes()).ok().map(UnixNanos::rfc3339);
        assert_eq!(at("20261121140000Z").as_deref(), Some("2026-11-21T14:00:00.000000000Z"));
        assert_eq!(at("20261121140000.25Z").as_deref(), Some("2026-11-21T14:00:00.250000000Z"));
        // Finer than a nanosecond: cut off.
        assert_eq!(at("20261121140000.1234567891Z").as_deref(), Some("2026-11-21T14:00:00.123456789Z"));
        for bad in [
            "",
            "Z",
            "202611211400Z",
            "202611211400001Z",
            "20261121140000.1234567890x1Z",
            "20261121140000",
            "20261121140000+0100",
            "20261121140000.Z",
            "20261121140000.50Z",
            "20261121140000.0Z",
            "20261321140000Z",
            "20261121250000Z",
            "20261121140060Z",
            "2026112114000 Z",
            "20261121140000.5Z ",
            "19691231235959Z",
        ] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    #[test]
    fn accuracies_add_up_and_have_bounds() {
        let read = |bytes: &[u8]| accuracy(Items::new(bytes, "accuracy").unwrap());
        assert_eq!(read(&[]), Ok(Duration::ZERO));
        assert_eq!(read(&[2, 1, 3, 0x80, 2, 3, 0xe7, 0x81, 1, 1]), Ok(Duration::from_micros(3_999_001)));
        for bad in [&[0x80, 1, 0][..], &[0x80, 2, 3, 0xe8], &[2, 1, 0xff], &[0x81, 1, 1, 0x80, 1, 1], &[2, 2, 0, 1]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
