//! A witness's signing key and its file.
//!
//! ```text
//! # spanseal witness key ...
//! PRIVATE+KEY+<name>+<key id>+<base64 of 0x04 || seed>
//! ```

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::seal::keys::{KeyError, create_secret_file, read_secret_file};
use crate::tlog::cosignature::Cosigner;

const PREFIX: &str = "PRIVATE+KEY+";
const COSIGNATURE: u8 = 0x04;
/// Signature type of a log's key.
const LOG: u8 = 0x01;

/// Makes a new key and its file (mode 0600, folder synced). Never overwrites.
pub fn generate(path: &Path, name: &str) -> Result<Cosigner, KeyError> {
    let malformed = |what| KeyError::Malformed { path: path.into(), what };
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(|_| malformed("the system has no randomness to give"))?;
    let key = Cosigner::new(name, &seed).ok_or_else(|| malformed("the name is empty or holds a space or a plus sign"))?;
    let public = key.public().to_string();
    // Name and id hold no plus sign; base64 may.
    let id = public.split('+').nth(1).unwrap_or_default();
    let mut secret = Zeroizing::new(vec![COSIGNATURE]);
    secret.extend_from_slice(seed.as_ref());
    let encoded = Zeroizing::new(STANDARD.encode(secret.as_slice()));
    let mut text = Zeroizing::new(String::with_capacity(512));
    text.push_str("# spanseal witness key. Secret: whoever has it can cosign as this witness.\n");
    text.push_str(&format!("# Public half, for operators of logs and for auditors: {public}\n"));
    text.push_str(PREFIX);
    text.push_str(&format!("{name}+{id}+"));
    text.push_str(&encoded);
    text.push('\n');
    create_secret_file(path, &text)?;
    Ok(key)
}

/// Reads a key file.
pub fn load(path: &Path) -> Result<Cosigner, KeyError> {
    let text = read_secret_file(path)?;
    let malformed = |what| KeyError::Malformed { path: path.into(), what };
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let line = lines.next().and_then(|l| l.strip_prefix(PREFIX));
    let line = line.ok_or_else(|| malformed("it holds no witness key; make one with `spanseal keygen --witness NAME`"))?;
    let more = lines.next().is_some();
    let mut parts = line.splitn(3, '+');
    let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed("the key line is cut short"));
    };
    let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| malformed("the key is not base64"))?);
    let (algorithm, secret) = bytes.split_first().ok_or_else(|| malformed("the key is empty"))?;
    if *algorithm == LOG {
        return Err(malformed(
            "it is the key of a log, which signs that log and is never its witness; make a witness's with `spanseal keygen --witness NAME` and \
             name its file with `--key-file`",
        ));
    }
    if more {
        return Err(malformed("it holds more than one key"));
    }
    if *algorithm != COSIGNATURE {
        return Err(malformed("it is no key of a witness (type 0x04); make one with `spanseal keygen --witness NAME`"));
    }
    let seed: [u8; 32] = secret.try_into().map_err(|_| malformed("an Ed25519 seed has 32 bytes"))?;
    let key = Cosigner::new(name, &Zeroizing::new(seed)).ok_or_else(|| malformed("the name is not a key name"))?;
    if !key.public().to_string().starts_with(&format!("{name}+{id}+")) {
        return Err(malformed("the key id does not belong to this name and key"));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::seal::keys::LogKey;

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness.key");
        let made = generate(&path, "witness.test/w1").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load(&path).unwrap().public(), made.public());
        assert!(matches!(generate(&path, "witness.test/w1"), Err(KeyError::Exists(_))));
        assert!(matches!(generate(&folder.path().join("other"), "a b"), Err(KeyError::Malformed { .. })));
        let text = std::fs::read_to_string(&path).unwrap();
        for bad in ["", "hello\n", &text.replace("/w1", "/w2"), &text.replace("PRIVATE", "PUBLIC"), &format!("{text}{text}")] {
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(load(&path), Err(KeyError::Malformed { .. })), "{bad}");
        }
        // Of another kind of signature, under the id that it has for this one.
        let encoded = text.lines().last().unwrap().strip_prefix(PREFIX).unwrap().splitn(3, '+').nth(2).unwrap();
        let mut secret = STANDARD.decode(encoded).unwrap();
        secret[0] = 2;
        std::fs::write(&path, text.replace(encoded, &STANDARD.encode(secret))).unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("it is no key of a witness"));
        std::fs::write(&path, text.replace('\n', "\n\n")).unwrap();
        assert_eq!(load(&path).unwrap().public(), made.public());
    }

    /// Also keys in whose base64 a plus sign stands, as in every third.
    #[test]
    fn every_key_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..64 {
            let path = folder.path().join(n.to_string());
            let made = generate(&path, "witness.test/w1").unwrap();
            assert_eq!(load(&path).unwrap().public(), made.public());
        }
    }

    /// A log's key never cosigns, nor a witness's signs a log.
    #[test]
    fn keys_of_logs_and_of_witnesses_are_not_taken_for_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let (log, witness) = (folder.path().join("log.key"), folder.path().join("witness.key"));
        LogKey::generate(&log, "spanseal.test/log").unwrap();
        generate(&witness, "witness.test/w1").unwrap();
        assert!(load(&log).unwrap_err().to_string().contains("it is the key of a log"));
        assert!(matches!(LogKey::load(&witness), Err(KeyError::Malformed { .. })));
    }
}
