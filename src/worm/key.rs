//! Which keys an adapter takes: the same rule for all, so that a log can move between stores.

use super::ObjectKey;

/// Longest key, bytes: S3's limit, prefix included; a store with a long prefix refuses earlier.
const KEY_BYTES_MAX: usize = 1024;
/// Longest part between two slashes, bytes: `NAME_MAX` of the usual file systems.
const PART_BYTES_MAX: usize = 255;

/// Says why a key cannot be used, as half a sentence.
///
/// Refused: empty parts (so also a leading or trailing slash), `.` and `..`, control characters, backslashes, and what
/// is longer than S3 or a file system takes.
pub(super) fn check_key(key: &ObjectKey) -> Result<(), &'static str> {
    let text = key.as_str();
    if text.is_empty() {
        return Err("the key is empty");
    }
    if text.len() > KEY_BYTES_MAX {
        return Err("the key is longer than 1024 bytes");
    }
    if text.chars().any(|c| c.is_control() || c == '\\') {
        return Err("the key has a control character or a backslash");
    }
    for part in text.split('/') {
        match part {
            "" => return Err("the key begins or ends with a slash, or has two in a row"),
            "." | ".." => return Err("the key has a `.` or `..` part"),
            _ if part.len() > PART_BYTES_MAX => return Err("a part of the key is longer than 255 bytes"),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked_at_their_limits() {
        let key = |t: &str| ObjectKey(t.to_owned());
        let four = format!("{0}/{0}/{0}/{0}", "a".repeat(255)); // 1023 bytes
        for good in ["a", "log/seals/00000000000000000017.json", "a/.b", "a/..b", "\u{e4}/ +%?#", &"a".repeat(255), &four] {
            assert_eq!(check_key(&key(good)), Ok(()), "{good}");
        }
        let over = format!("{four}/a"); // 1025 bytes
        for bad in ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\0b", "a\nb", "a\\b", &"a".repeat(256), &over] {
            assert!(check_key(&key(bad)).is_err(), "{bad}");
        }
    }
}
