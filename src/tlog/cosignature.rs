//! Cosignatures of witnesses over checkpoints: C2SP tlog-cosignature, Ed25519 (signature type 0x04).
//!
//! Whoever cosigns says: as of this time, the largest tree that I have seen of this log has this root, and it extends all that I saw before.
//! The time is the witness's own, and part of what is signed.
//!
//! KNOWN GAP: ML-DSA-44 cosignatures (type 0x06), which the specification prefers for new witnesses, are neither made nor verified: lines of
//! such keys are passed over as those of unknown keys.

use std::collections::BTreeSet;
use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::note::{NoteError, SignatureLine, SignedNote, VerifierKey, is_key_name, key_id, parse_vkey, write_vkey};
use crate::clock::UnixSeconds;

/// Signature type of timestamped Ed25519 cosignatures (C2SP signed-note, "Signature types").
const COSIGNATURE: u8 = 0x04;

/// A witness's public key with its name and id: `<name>+<8 hex digits>+<base64 of 0x04 || key>`.
#[derive(Clone, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl WitnessKey {
    /// Parses and checks that the id belongs to name and key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let (name, id, key) = parse_vkey(text, COSIGNATURE, "only Ed25519 cosignature keys (type 0x04) are those of witnesses here")?;
        Ok(WitnessKey { name, id, key })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether both are one key, whatever their names. What is signed does not name the witness, so a cosignature by one is by the other too.
    pub fn is_same_key(&self, other: &WitnessKey) -> bool {
        self.key == other.key
    }

    /// How many witnesses these keys are: two keys of one name are one, and so is one key under two names.
    pub fn many<'k>(keys: impl IntoIterator<Item = &'k WitnessKey>) -> usize {
        let (names, points): (BTreeSet<&str>, BTreeSet<&[u8; 32]>) = keys.into_iter().map(|key| (key.name(), key.key.as_bytes())).unzip();
        names.len().min(points.len())
    }

    /// Whether it is the key that signs a log, under another type or name: whoever has it is no second pair of eyes.
    pub fn is_of_log(&self, log: &VerifierKey) -> bool {
        self.key == *log.raw()
    }

    /// The same key, as that of a log of this name: what it signed as such, whoever has it can show nobody as a witness of it.
    pub fn as_log(&self, origin: &str) -> VerifierKey {
        VerifierKey::new(origin, self.key)
    }

    /// Whether a line claims to be this key's.
    pub fn owns(&self, line: &SignatureLine) -> bool {
        line.name == self.name && line.id == self.id
    }

    /// Verifies one line that claims to be this key's over a checkpoint's text. Answers with the witness's time.
    pub fn verify(&self, text: &str, line: &SignatureLine) -> Result<UnixSeconds, NoteError> {
        let bad = || NoteError::BadSignature(self.name.clone());
        let (stamp, signature) = line.signature.split_first_chunk::<8>().ok_or_else(bad)?;
        // Seconds beyond 2^63 - 1 must not be.
        let at = i64::try_from(u64::from_be_bytes(*stamp)).map(UnixSeconds).map_err(|_| bad())?;
        let signature = Signature::from_slice(signature).map_err(|_| bad())?;
        self.key.verify_strict(message(text, at).as_bytes(), &signature).map_err(|_| bad())?;
        Ok(at)
    }

    /// The time at which this witness cosigned a note, the latest of several; `None`: it did not. A line of this key that does not verify is an
    /// error, whatever stands beside it.
    pub fn cosigned(&self, note: &SignedNote) -> Result<Option<UnixSeconds>, NoteError> {
        let mut newest = None;
        for line in note.signatures.iter().filter(|line| self.owns(line)) {
            newest = newest.max(Some(self.verify(&note.text, line)?));
        }
        Ok(newest)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_vkey(f, (&self.name, self.id), COSIGNATURE, &self.key)
    }
}

impl fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is signed: header, time, and the whole text of the checkpoint, extension lines among it.
fn message(text: &str, at: UnixSeconds) -> String {
    format!("cosignature/v1\ntime {}\n{text}", at.0)
}

/// A witness's signing key. `Debug` shows the public half.
pub struct Cosigner {
    key: SigningKey,
    public: WitnessKey,
}

impl Cosigner {
    /// Binds a 32-byte Ed25519 seed to a name. `None` where the name is not allowed.
    pub fn new(name: &str, seed: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::from_bytes(seed);
        let verifying = key.verifying_key();
        let public = WitnessKey { name: name.to_owned(), id: key_id(name, COSIGNATURE, &verifying), key: verifying };
        is_key_name(name).then_some(Cosigner { key, public })
    }

    /// The public half.
    pub fn public(&self) -> &WitnessKey {
        &self.public
    }

    /// The signature line over a checkpoint's text, with its newline. `None` before 1970, for which there is no time stamp.
    pub fn cosign(&self, text: &str, at: UnixSeconds) -> Option<String> {
        let stamp = u64::try_from(at.0).ok()?.to_be_bytes();
        let signature = self.key.sign(message(text, at).as_bytes()).to_bytes();
        let signature = [stamp.as_slice(), &signature].concat();
        Some(SignatureLine { name: self.public.name.clone(), id: self.public.id, signature }.to_string())
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cosigner").field(&self.public).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    const AT: UnixSeconds = UnixSeconds(1_679_315_147);

    /// Made by the Go implementation (transparency-dev/formats v0.1.1, `NewSignerForCosignatureV1`), from a seed of 32 sevens.
    const GO_KEY: &str = "witness.example.com/w1+8122a5ab+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";
    const GO_LINE: &str = "\u{2014} witness.example.com/w1 gSKlqwAAAABrAaiMP8dxeXK8VgxCPaKPe8rpZex+9LFNn0NhOE1UydqpMIxhOEBMf6VGd/gqIh1VipihrPWxNWlZpJbjYeTRKIhlBA==\n";
    const GO_AT: UnixSeconds = UnixSeconds(1_795_270_796);

    /// The line that the specification shows; its key is not published, but its parts are.
    const SPECIFIED: &str = "\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";

    #[test]
    fn another_implementation_makes_the_same_bytes() {
        let witness = witness();
        assert_eq!(witness.public().to_string(), GO_KEY);
        assert_eq!(witness.cosign(TEXT, GO_AT).as_deref(), Some(GO_LINE));
        assert_eq!(WitnessKey::parse(GO_KEY).unwrap().verify(TEXT, &line(GO_LINE)), Ok(GO_AT));
        let specified = line(SPECIFIED);
        assert_eq!((specified.signature.len(), &specified.signature[..8]), (72, AT.0.to_be_bytes().as_slice()));
    }

    fn witness() -> Cosigner {
        Cosigner::new("witness.example.com/w1", &[7; 32]).unwrap()
    }

    fn line(of: &str) -> SignatureLine {
        SignatureLine::parse(of.trim_end_matches('\n')).unwrap()
    }

    /// What one signs verifies with its own time, and with no other text, time, name or key.
    #[test]
    fn a_cosignature_holds_and_only_it() {
        let (witness, other) = (witness(), Cosigner::new("witness.example.com/w1", &[8; 32]).unwrap());
        let good = line(&witness.cosign(TEXT, AT).unwrap());
        assert_eq!(witness.public().verify(TEXT, &good), Ok(AT));
        assert!(witness.public().owns(&good) && !other.public().owns(&good));
        let bad = Err(NoteError::BadSignature("witness.example.com/w1".to_owned()));
        assert_eq!(witness.public().verify(&TEXT.replace("20852163", "20852164"), &good), bad);
        assert_eq!(other.public().verify(TEXT, &good), bad);
        for at in 0..good.signature.len() {
            let mut changed = good.clone();
            changed.signature[at] ^= 1;
            assert_eq!(witness.public().verify(TEXT, &changed), bad, "byte {at}");
        }
        for length in [0, 7, 8, 71] {
            let mut cut = good.clone();
            cut.signature.truncate(length);
            assert_eq!(witness.public().verify(TEXT, &cut), bad, "{length} bytes");
        }
        assert_eq!(witness.cosign(TEXT, UnixSeconds(-1)), None);
        assert!(Cosigner::new("a b", &[7; 32]).is_none());
    }

    #[test]
    fn a_note_is_cosigned_by_those_whose_lines_verify() {
        let witness = witness();
        let note = |lines: &str| SignedNote::parse(&format!("{TEXT}\n{lines}")).unwrap();
        let (first, second) = (witness.cosign(TEXT, AT).unwrap(), witness.cosign(TEXT, UnixSeconds(AT.0 + 9)).unwrap());
        assert_eq!(witness.public().cosigned(&note(&format!("{second}{first}"))), Ok(Some(UnixSeconds(AT.0 + 9))));
        let stranger = Cosigner::new("other.example", &[9; 32]).unwrap();
        assert_eq!(stranger.public().cosigned(&note(&first)), Ok(None));
        let foreign = witness.cosign("example.com/other\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", AT).unwrap();
        assert!(witness.public().cosigned(&note(&format!("{first}{foreign}"))).is_err());
    }

    #[test]
    fn keys_are_of_the_type_of_witnesses_and_name_it() {
        let key = witness().public().clone();
        assert_eq!(WitnessKey::parse(&key.to_string()), Ok(key.clone()));
        let signer = super::super::note::NoteSigner::new("witness.example.com/w1", &[7; 32]).unwrap();
        let log = signer.verifier().to_string();
        assert!(WitnessKey::parse(&log).is_err() && VerifierKey::parse(&key.to_string()).is_err());
        assert!(WitnessKey::parse(&key.to_string().replace("w1+", "w2+")).is_err());
        let renamed = Cosigner::new("w2", &[7; 32]).unwrap();
        assert!(key != *renamed.public() && key.is_same_key(renamed.public()));
        assert!(!format!("{:?}", witness()).contains("7, 7"));
    }
}
