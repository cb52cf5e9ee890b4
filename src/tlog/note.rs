//! C2SP signed-note and tlog-checkpoint, with Ed25519 keys (signature type 0x01).
//!
//! Sources: C2SP signed-note@v1.0.0 (format, key ids, verifier keys), tlog-checkpoint@v1.0.0 (note text).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::{Hash, RootHash, TreeSize};

/// Signature type of Ed25519 in a verifier key (C2SP signed-note, "Signature types").
const ED25519: u8 = 0x01;
/// Longest note that is read, bytes. A checkpoint with its Ed25519 signatures is a few hundred; verifiers must accept at least 16 signatures
/// (C2SP signed-note, "Verifying"), which by post-quantum keys are nearly 5 kB each, some 107 KB in base64.
pub const NOTE_BYTES_MAX: usize = 256 * 1024;
/// Longest note that a witness here takes and keeps, bytes: those of logs carry one signature or two.
pub const SUBMITTED_BYTES_MAX: usize = 64 * 1024;

/// Why a note or key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The bytes do not have the form that the specification gives.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// Not a verifier key `<name>+<hash>+<key>`.
    #[error("not a verifier key: {0}")]
    Key(&'static str),
    /// No signature line of this key.
    #[error("the note carries no signature by `{0}`")]
    Unsigned(String),
    /// No signature line of this key, though one in its name: a log that changed its key has several of one name.
    #[error("the note is signed by another key of that name, `{other}`, and not by `{own}`")]
    OtherKey {
        /// Name and id of the key that was asked for.
        own: String,
        /// Those of the line that is there.
        other: String,
    },
    /// A signature line of this key does not verify.
    #[error("the signature by `{0}` does not verify")]
    BadSignature(String),
    /// The text is signed but is no checkpoint.
    #[error("not a checkpoint: {0}")]
    Checkpoint(&'static str),
}

/// A public key with its name and id, as an auditor brings it: `<name>+<8 hex digits>+<base64>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl VerifierKey {
    pub(super) fn new(name: &str, key: VerifyingKey) -> Self {
        VerifierKey { name: name.to_owned(), id: key_id(name, ED25519, &key), key }
    }

    /// Parses and checks that the id belongs to name and key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let (name, id, key) = parse_vkey(text, ED25519, "only Ed25519 keys (type 0x01) sign logs")?;
        Ok(VerifierKey { name, id, key })
    }

    /// The key name: of a log, its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key alone.
    pub(super) fn raw(&self) -> &VerifyingKey {
        &self.key
    }

    /// Its name and id, by which readers tell it from other keys of that name: `<name>+<8 hex digits>`.
    pub fn short(&self) -> String {
        format!("{}+{}", self.name, hex::encode(self.id))
    }

    /// Verifies `text` under one raw signature (the 64 bytes behind the key id).
    pub fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        // `verify_strict` refuses points of small order, so one signature cannot fit two texts.
        Signature::from_slice(signature).is_ok_and(|s| self.key.verify_strict(text, &s).is_ok())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_vkey(f, (&self.name, self.id), ED25519, &self.key)
    }
}

/// The id of a key of this name and signature type (C2SP signed-note, "Signatures").
pub(super) fn key_id(name: &str, algorithm: u8, key: &VerifyingKey) -> [u8; 4] {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([b'\n', algorithm]);
    hash.update(key.as_bytes());
    let digest = hash.finalize();
    let mut id = [0; 4];
    id.copy_from_slice(digest.get(..4).unwrap_or(&[0; 4]));
    id
}

/// Takes `<name>+<id>+<base64 of type || key>` apart, for one type of signature by Ed25519 keys; `other` says why any other is refused.
pub(super) fn parse_vkey(text: &str, wanted: u8, other: &'static str) -> Result<(String, [u8; 4], VerifyingKey), NoteError> {
    let (name, rest) = text.split_once('+').ok_or(NoteError::Key("expected <name>+<hash>+<key>"))?;
    let (id, encoded) = rest.split_once('+').ok_or(NoteError::Key("expected <name>+<hash>+<key>"))?;
    if !is_key_name(name) {
        return Err(NoteError::Key("the name is empty or holds a space or a plus sign"));
    }
    let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Key("the key is not base64"))?;
    let (algorithm, public) = bytes.split_first().ok_or(NoteError::Key("the key is empty"))?;
    if *algorithm != wanted {
        return Err(NoteError::Key(other));
    }
    let public: [u8; 32] = public.try_into().map_err(|_| NoteError::Key("an Ed25519 key has 32 bytes"))?;
    let key = VerifyingKey::from_bytes(&public).map_err(|_| NoteError::Key("the key is not a point of the curve"))?;
    if key.is_weak() {
        return Err(NoteError::Key("the key is a point of small order, which verifies anything"));
    }
    // Programs differ in what they say of signatures under such keys (RFC 8032 leaves it open), and two auditors must not come to two answers.
    // That holds for all that are written otherwise than their point is, too: they are few, and none is in this group.
    if !key.to_edwards().is_torsion_free() {
        return Err(NoteError::Key("the key is a point outside of the prime-order group, on which programs disagree"));
    }
    let own = key_id(name, wanted, &key);
    if id != hex::encode(own) {
        return Err(NoteError::Key("the hash does not belong to this name and key"));
    }
    Ok((name.to_owned(), own, key))
}

pub(super) fn write_vkey(f: &mut fmt::Formatter<'_>, (name, id): (&str, [u8; 4]), algorithm: u8, key: &VerifyingKey) -> fmt::Result {
    let mut bytes = vec![algorithm];
    bytes.extend_from_slice(key.as_bytes());
    write!(f, "{name}+{}+{}", hex::encode(id), STANDARD.encode(bytes))
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A signing key bound to a name. `Debug` shows the public half.
pub struct NoteSigner {
    key: SigningKey,
    verifier: VerifierKey,
}

impl NoteSigner {
    /// Binds a 32-byte Ed25519 seed to a key name. `None` where the name is not allowed.
    pub fn new(name: &str, seed: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, key.verifying_key());
        is_key_name(name).then_some(NoteSigner { key, verifier })
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// A checkpoint of this origin, signed.
    pub fn checkpoint(&self, size: TreeSize, root: RootHash) -> String {
        let text = checkpoint_text(&self.verifier.name, size, root);
        let line = self.signature_line(&text);
        format!("{text}\n{line}")
    }

    /// One line of a note: this key's signature over `text`.
    pub fn signature_line(&self, text: &str) -> String {
        signature_line(&self.verifier, &self.signature(text.as_bytes()))
    }

    /// The raw signature over a message.
    pub(super) fn signature(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

/// One signature line of a note, with its newline (C2SP signed-note): the key's name, and its id before the raw signature.
pub(super) fn signature_line(key: &VerifierKey, signature: &[u8]) -> String {
    SignatureLine { name: key.name.clone(), id: key.id, signature: signature.to_vec() }.to_string()
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NoteSigner").field(&self.verifier).finish()
    }
}

/// Key names are not empty and hold neither white space nor `+` (C2SP signed-note).
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+' || c.is_control())
}

/// One line `\u{2014} <name> <base64>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    /// Key name.
    pub name: String,
    /// Key id.
    pub id: [u8; 4],
    /// What follows the id.
    pub signature: Vec<u8>,
}

impl SignatureLine {
    /// Whether it claims to be this key's.
    pub fn is_of(&self, key: &VerifierKey) -> bool {
        self.name == key.name && self.id == key.id
    }

    /// Name and id of the key that it claims to be of: `<name>+<8 hex digits>`.
    pub fn short(&self) -> String {
        format!("{}+{}", self.name, hex::encode(self.id))
    }

    /// Parses one line without its newline.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let rest = line.strip_prefix("\u{2014} ").ok_or(NoteError::Malformed("a signature line begins with an em dash and a space"))?;
        let (name, encoded) = rest.split_once(' ').ok_or(NoteError::Malformed("a signature line has a name and a signature"))?;
        if !is_key_name(name) {
            return Err(NoteError::Malformed("a key name is empty or holds a space or a plus sign"));
        }
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Malformed("a signature is not base64"))?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or(NoteError::Malformed("a signature is too short"))?;
        if signature.is_empty() {
            return Err(NoteError::Malformed("a signature is too short"));
        }
        Ok(SignatureLine { name: name.to_owned(), id: *id, signature: signature.to_vec() })
    }
}

/// The line, with its newline.
impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.as_slice(), &self.signature].concat();
        writeln!(f, "\u{2014} {} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A note: text (ending in a newline) and its signature lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    /// The signed text, with its last newline.
    pub text: String,
    /// The lines below the blank line, in order.
    pub signatures: Vec<SignatureLine>,
}

impl SignedNote {
    /// Parses a whole note, strictly.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Malformed("longer than any note"));
        }
        if note.chars().any(|c| c != '\n' && c.is_control()) {
            return Err(NoteError::Malformed("a control character"));
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Malformed("no blank line before the signatures"))?;
        let (text, below) = note.split_at_checked(at + 1).ok_or(NoteError::Malformed("no text"))?;
        let below = below.strip_prefix('\n').unwrap_or(below);
        let lines = below.strip_suffix('\n').ok_or(NoteError::Malformed("the last line does not end"))?;
        let signatures = lines.split('\n').map(SignatureLine::parse).collect::<Result<Vec<_>, _>>()?;
        Ok(SignedNote { text: text.to_owned(), signatures })
    }

    /// Verifies that this key signed the text. Lines of other keys are ignored; a line of this key that does not verify is an error.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let mut signed = false;
        for line in self.signatures.iter().filter(|line| line.is_of(key)) {
            if !key.verify(self.text.as_bytes(), &line.signature) {
                return Err(NoteError::BadSignature(key.name.clone()));
            }
            signed = true;
        }
        match self.other_of(key) {
            _ if signed => Ok(()),
            Some(other) => Err(NoteError::OtherKey { own: key.short(), other: other.short() }),
            None => Err(NoteError::Unsigned(key.name.clone())),
        }
    }

    /// A line in the name of this key that claims to be by another one.
    pub fn other_of(&self, key: &VerifierKey) -> Option<&SignatureLine> {
        self.signatures.iter().find(|line| line.name == key.name && line.id != key.id)
    }
}

/// What a log committed to: origin, size, root (C2SP tlog-checkpoint).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: String,
    /// Entries in the tree.
    pub size: TreeSize,
    /// Its root.
    pub root: RootHash,
    /// Extension lines, if any.
    pub extensions: Vec<String>,
}

/// The text that is signed.
pub fn checkpoint_text(origin: &str, size: TreeSize, root: RootHash) -> String {
    format!("{origin}\n{}\n{}\n", size.0, STANDARD.encode(root.0.0))
}

impl Checkpoint {
    /// Reads a note's text.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let body = text.strip_suffix('\n').ok_or(NoteError::Checkpoint("the text does not end in a newline"))?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|l| !l.is_empty()).ok_or(NoteError::Checkpoint("no origin"))?;
        let size = lines.next().and_then(parse_decimal).ok_or(NoteError::Checkpoint("the tree size is not a decimal number"))?;
        let root = lines.next().and_then(|l| STANDARD.decode(l).ok()).and_then(|b| <[u8; 32]>::try_from(b).ok());
        let root = root.ok_or(NoteError::Checkpoint("the root hash is not 32 bytes of base64"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(NoteError::Checkpoint("an extension line is empty"));
        }
        Ok(Checkpoint { origin: origin.to_owned(), size: TreeSize(size), root: RootHash(Hash(root)), extensions })
    }

    /// Parses a note, verifies `key`'s signature and that the key's name is the origin, and reads the checkpoint.
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        let UnverifiedCheckpoint { note, checkpoint } = UnverifiedCheckpoint::parse(note)?;
        note.verify(key)?;
        if checkpoint.origin != key.name {
            return Err(NoteError::Checkpoint("its origin is not the name of the key that signed it"));
        }
        Ok(checkpoint)
    }
}

/// A checkpoint as read: its signatures are parsed, and nobody has verified them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedCheckpoint {
    /// The note that holds it.
    pub note: SignedNote,
    /// What it says.
    pub checkpoint: Checkpoint,
}

impl UnverifiedCheckpoint {
    /// Parses a whole note and the checkpoint in it.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let note = SignedNote::parse(note)?;
        let checkpoint = Checkpoint::parse(&note.text)?;
        Ok(UnverifiedCheckpoint { note, checkpoint })
    }

    /// Whether this key signed it, as the key of the log that it names.
    pub fn is_signed_by(&self, key: &VerifierKey) -> bool {
        self.note.verify(key).is_ok() && self.checkpoint.origin == key.name()
    }
}

/// A decimal number without sign or leading zeros.
pub fn parse_decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Go package that introduced the format (golang.org/x/mod/sumdb/note).
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const PETER_NOTE: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_note_by_other_hands_verifies_and_a_changed_one_does_not() {
        let key = VerifierKey::parse(PETER).unwrap();
        assert_eq!(key.to_string(), PETER);
        let note = SignedNote::parse(PETER_NOTE).unwrap();
        assert_eq!(note.verify(&key), Ok(()));
        let changed = SignedNote::parse(&PETER_NOTE.replace("answer", "Answer")).unwrap();
        assert_eq!(changed.verify(&key), Err(NoteError::BadSignature("PeterNeumann".into())));
    }

    #[test]
    fn what_we_sign_an_independent_implementation_reads() {
        let signer = NoteSigner::new("spanseal.example/log", &[7; 32]).unwrap();
        let note = signer.checkpoint(TreeSize(18), RootHash(Hash([9; 32])));
        let opened = Checkpoint::open(&note, signer.verifier()).unwrap();
        assert_eq!((opened.size, opened.root), (TreeSize(18), RootHash(Hash([9; 32]))));
        let theirs = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
        let key = signed_note::StandardVerifier::new(&signer.verifier().to_string()).unwrap();
        let keys = signed_note::VerifierList::new(vec![Box::new(key)]);
        assert_eq!(theirs.verify(&keys).unwrap().0.len(), 1);
    }

    /// Scenario: a log's own line among fifteen of post-quantum size by others. Guarantee: what verifiers must accept (C2SP signed-note) is
    /// accepted.
    #[test]
    fn sixteen_large_signatures_are_read() {
        let signer = NoteSigner::new("spanseal.example/log", &[7; 32]).unwrap();
        let mut note = signer.checkpoint(TreeSize(18), RootHash(Hash([9; 32])));
        for n in 0..15 {
            let line = SignatureLine { name: format!("witness.example/{n}"), id: [n; 4], signature: vec![n; 5000] };
            note.insert_str(note.find("\n\n").unwrap() + 2, &line.to_string());
        }
        assert!(note.len() > 100_000);
        assert_eq!(Checkpoint::open(&note, signer.verifier()).unwrap().size, TreeSize(18));
    }

    #[test]
    fn malformed_notes_and_keys_are_refused() {
        for bad in [
            "",
            "\n\n",
            "text\n",
            "text\n\n",
            "text\n\n\u{2014} name\n",
            "text\n\n\u{2014} name AAAA\n",
            "text\n\n\u{2014} name AAAAAA==\n",
            "text\n\n\u{2014}  AAAAAAAA\n",
            "text\n\n\u{2014} na+me AAAAAAAA\n",
            "text\n\n- name AAAAAAAA\n",
            "text\n\n\u{2014} name AAAAAAAA",
            "te\u{7}xt\n\n\u{2014} name AAAAAAAA\n",
        ] {
            assert!(SignedNote::parse(bad).is_err(), "{bad:?}");
        }
        for bad in [
            "",
            "a+b",
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "Other+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            "x+00000000+AQ==",
        ] {
            assert!(VerifierKey::parse(bad).is_err(), "{bad:?}");
        }
        // A key for another kind of signature, under the id that it would have for this one.
        let mut typed = STANDARD.decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        typed[0] = 4;
        let typed = format!("PeterNeumann+c74f20a3+{}", STANDARD.encode(typed));
        assert!(matches!(VerifierKey::parse(&typed), Err(NoteError::Key(why)) if why.contains("Ed25519")));
        let numbers = ["0", "10", "18446744073709551615", "", "00", "01", "+1", "-1", "1 ", "18446744073709551616"].map(parse_decimal);
        assert_eq!(numbers, [Some(0), Some(10), Some(u64::MAX), None, None, None, None, None, None, None]);
        let root = STANDARD.encode([7; 32]);
        assert!(Checkpoint::parse(&format!("o\n1\n{root}\nmore\n")).is_ok_and(|c| c.extensions == ["more"]));
        for empty in ["\n", "\nmore\n", "more\n\n"] {
            assert!(Checkpoint::parse(&format!("o\n1\n{root}\n{empty}")).is_err(), "{empty:?}");
        }
        assert!(Checkpoint::parse(&format!("\n1\n{root}\n")).is_err(), "no origin");
        for bad in ["o\n01\nAAAA\n", "o\n1\nAAAA\n", "\n1\n", "o\n-1\n", "o\n1\n", "o"] {
            assert!(Checkpoint::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_note_has_a_longest_length() {
        let note = |text: usize| format!("{}\n\n\u{2014} name AAAAAAAA\n", "x".repeat(text));
        let rest = note(0).len();
        assert!(SignedNote::parse(&note(NOTE_BYTES_MAX - rest)).is_ok());
        assert!(SignedNote::parse(&note(NOTE_BYTES_MAX - rest + 1)).is_err());
    }

    /// What names a key stands in notes and keys between spaces and plus signs, wherever it comes from.
    #[test]
    fn names_that_a_note_cannot_hold_are_refused() {
        for bad in ["", "a b", "a+b", "a\nb", "a\u{7}b", "a\u{a0}b"] {
            assert!(NoteSigner::new(bad, &[7; 32]).is_none(), "{bad:?}");
        }
        let key = NoteSigner::new("a", &[7; 32]).unwrap().verifier().key;
        assert!(VerifierKey::parse(&VerifierKey::new("a", key).to_string()).is_ok());
        for bad in ["", "a b", "a\u{7}b"] {
            let text = VerifierKey::new(bad, key).to_string();
            assert!(matches!(VerifierKey::parse(&text), Err(NoteError::Key(_))), "{text:?}");
        }
    }

    /// Scenario: a key signs a checkpoint of another log than its own. Guarantee: whoever trusts the key for its log is not shown the other one.
    #[test]
    fn a_checkpoint_is_of_the_log_that_its_key_is_named_after() {
        let signer = NoteSigner::new("spanseal.example/log", &[7; 32]).unwrap();
        for (origin, own) in [("spanseal.example/log", true), ("spanseal.example/other", false)] {
            let text = checkpoint_text(origin, TreeSize(18), RootHash(Hash([9; 32])));
            let note = format!("{text}\n{}", signer.signature_line(&text));
            assert!(SignedNote::parse(&note).unwrap().verify(signer.verifier()).is_ok());
            assert_eq!(Checkpoint::open(&note, signer.verifier()).is_ok(), own, "{origin}");
            assert_eq!(UnverifiedCheckpoint::parse(&note).unwrap().is_signed_by(signer.verifier()), own, "{origin}");
        }
    }

    /// A point has one text here: of a y-coordinate beyond the field's prime, all of which stand here, programs read another point, or none.
    #[test]
    fn a_key_is_written_as_its_point_is() {
        for more in 0..19 {
            for sign in [0x7f, 0xff] {
                // 2^255 - 19 + more, with or without the sign of x.
                let mut public = [0xff; 32];
                (public[0], public[31]) = (0xed + more, sign);
                let Ok(key) = VerifyingKey::from_bytes(&public) else { continue };
                assert!(VerifierKey::parse(&VerifierKey::new("x", key).to_string()).is_err(), "{more} {sign:#x}");
            }
        }
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let mut hash = Sha256::new();
        hash.update(b"x\n");
        hash.update(&bytes);
        let id = hex::encode(&hash.finalize()[..4]);
        assert!(matches!(VerifierKey::parse(&format!("x+{id}+{}", STANDARD.encode(bytes))), Err(NoteError::Key(_))));
    }
}
