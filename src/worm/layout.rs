//! Names of everything below `<store>/<log>/`, and their limits. Contract: these never change.

use super::ObjectKey;
use crate::clock::UnixSeconds;

/// Largest seal file, bytes.
pub const SEAL_BYTES_MAX: u64 = 256 * 1024;
/// Largest log entry (JCS of a statement), bytes: C2SP tlog-tiles gives an entry two length bytes.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Largest stored segment, bytes.
pub const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Largest decoded segment, bytes.
pub const SEGMENT_DECODED_MAX: u64 = 256 * 1024 * 1024;
/// Largest zstd window of a segment, bytes.
pub const SEGMENT_WINDOW_MAX: u64 = 8 * 1024 * 1024;
/// Largest record line without its newline, bytes.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Versions of one key that a reader looks at, oldest first; the oldest count, so what lies beyond is foreign by all likelihood, and is
/// said not to have been read. 256 of the largest seals are 64 MiB, the most that one key may cost.
pub const VERSIONS_READ_MAX: usize = 256;
/// Largest small file (`log.json`, `checkpoint`), bytes.
pub const SMALL_BYTES_MAX: u64 = 64 * 1024;

/// Whether a log or class name is allowed: `[a-z0-9][a-z0-9-]{0,62}`.
pub fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.first().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

/// `log.json` of a log.
pub fn log_key(log: &str) -> ObjectKey {
    ObjectKey(format!("{log}/log.json"))
}

/// The published checkpoint of a log: a pointer that may lag.
pub fn checkpoint_key(log: &str) -> ObjectKey {
    ObjectKey(format!("{log}/checkpoint"))
}

/// The seal with this index.
pub fn seal_key(log: &str, index: u64) -> ObjectKey {
    ObjectKey(format!("{log}/seals/{index:020}.json"))
}

/// Reads the index out of a seal's key below its log (`seals/<index:020>.json`).
pub fn parse_seal_name(below_log: &str) -> Option<u64> {
    let digits = below_log.strip_prefix("seals/")?.strip_suffix(".json")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}

/// A segment's key **relative to its log**, as statements name it.
pub fn segment_name(class: &str, sealed_at: UnixSeconds, index: u64, sha256_hex: &str) -> String {
    let (year, month, day) = sealed_at.date();
    let short = sha256_hex.get(..16).unwrap_or(sha256_hex);
    format!("segments/{class}/{year:04}/{month:02}/{day:02}/{index:020}-{short}.jsonl.zst")
}

/// A time stamp token of a seal, **relative to its log**.
pub fn timestamp_name(index: u64, sha256_hex: &str) -> String {
    let short = sha256_hex.get(..16).unwrap_or(sha256_hex);
    format!("timestamps/{index:020}/{short}.tsr")
}

/// Reads seal index and the first hex digits of the SHA-256 out of a token's key below its log.
pub fn parse_timestamp_name(below_log: &str) -> Option<(u64, &str)> {
    let (digits, name) = below_log.strip_prefix("timestamps/")?.split_once('/')?;
    let index = (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten()?;
    let short = name.strip_suffix(".tsr")?;
    (short.len() == 16 && short.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))).then_some((index, short))
}

/// A witness's cosignature of the checkpoint of tree size `index + 1`, **relative to its log**.
pub fn cosignature_name(index: u64, sha256_hex: &str) -> String {
    let short = sha256_hex.get(..16).unwrap_or(sha256_hex);
    format!("cosignatures/{index:020}/{short}.note")
}

/// Reads seal index and the first hex digits of the SHA-256 out of a cosignature's key below its log.
pub fn parse_cosignature_name(below_log: &str) -> Option<(u64, &str)> {
    let (digits, name) = below_log.strip_prefix("cosignatures/")?.split_once('/')?;
    let index = (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok()).flatten()?;
    let short = name.strip_suffix(".note")?;
    (short.len() == 16 && short.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))).then_some((index, short))
}

/// A key relative to a log, made absolute.
pub fn below(log: &str, relative: &str) -> ObjectKey {
    ObjectKey(format!("{log}/{relative}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_their_limits() {
        assert!(is_name("a") && is_name("0-9") && is_name(&"a".repeat(63)));
        for bad in ["", "-a", "A", "a_b", "a/b", "a.b", "\u{e4}", &"a".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn timestamp_names_are_exact() {
        let good = timestamp_name(17, &"0123456789abcdef".repeat(4));
        assert_eq!(good, "timestamps/00000000000000000017/0123456789abcdef.tsr");
        assert_eq!(parse_timestamp_name(&good), Some((17, "0123456789abcdef")));
        for bad in [
            "timestamps/17/0123456789abcdef.tsr",
            "timestamps/+0000000000000000017/0123456789abcdef.tsr",
            "timestamps/00000000000000000017/0123456789ABCDEF.tsr",
            "timestamps/00000000000000000017/0123456789abcde.tsr",
            "timestamps/00000000000000000017/0123456789abcdef",
            "timestamps/99999999999999999999/0123456789abcdef.tsr",
            "timestamps/00000000000000000017/x/0123456789abcdef.tsr",
        ] {
            assert_eq!(parse_timestamp_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn cosignature_names_are_exact() {
        let good = cosignature_name(17, &"0123456789abcdef".repeat(4));
        assert_eq!(parse_cosignature_name(&good), Some((17, "0123456789abcdef")));
        for bad in [
            "cosignatures/17/0123456789abcdef.note",
            "cosignatures/+0000000000000000017/0123456789abcdef.note",
            "cosignatures/00000000000000000017/0123456789ABCDEF.note",
            "cosignatures/00000000000000000017/0123456789abcde.note",
            "cosignatures/00000000000000000017/0123456789abcdef",
            "cosignatures/99999999999999999999/0123456789abcdef.note",
            "cosignatures/00000000000000000017/x/0123456789abcdef.note",
        ] {
            assert_eq!(parse_cosignature_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn seal_names_are_exact() {
        assert_eq!(parse_seal_name("seals/00000000000000000017.json"), Some(17));
        for bad in [
            "seals/17.json",
            "seals/+0000000000000000017.json",
            "seals/0000000000000000001x.json",
            "seals/00000000000000000017.jso",
            "seals/99999999999999999999.json",
        ] {
            assert_eq!(parse_seal_name(bad), None, "{bad}");
        }
    }
}
