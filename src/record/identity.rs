//! Who (`record.md` section 3): persons become pseudonyms and references stay as sent, unless they look like a person.
//!
//! Everything here is keyed by **K**, 32 random bytes of the store: a plain hash of a person's id is found by trying. Pure: the key is
//! handed in.

use hmac::{KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

type HmacSha256 = hmac::Hmac<Sha256>;

/// Keeps what is derived from K apart from what is derived from other keys.
const HKDF_SALT: &[u8] = b"spanseal.identity/1";

/// K: the secret of a store's pseudonyms and content hashes. `Debug` shows its id only; the bytes are wiped when the last copy goes.
#[derive(Clone)]
pub struct IdentityKey(Arc<Inner>);

struct Inner {
    bytes: Zeroizing<[u8; 32]>,
    id: String,
}

impl IdentityKey {
    /// Takes K.
    pub fn new(bytes: [u8; 32]) -> Self {
        let id = hex::encode(Sha256::digest(bytes).get(..4).unwrap_or_default());
        IdentityKey(Arc::new(Inner { bytes: Zeroizing::new(bytes), id }))
    }

    /// First 8 hex digits of SHA-256(K).
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// A key for HMAC-SHA-256 that only holders of K can make, one for each purpose; no hash or pseudonym is made with it. Never `None`: 32
    /// bytes are one block of HKDF-SHA-256, far below its limit.
    pub fn hmac_key(&self, purpose: &str) -> Option<ring::hmac::Key> {
        let prk = ring::hkdf::Salt::new(ring::hkdf::HKDF_SHA256, HKDF_SALT).extract(self.0.bytes.as_slice());
        let info = [b"hmac ".as_slice(), purpose.as_bytes()];
        prk.expand(&info, ring::hmac::HMAC_SHA256).map(ring::hmac::Key::from).ok()
    }

    /// A hasher that is ready to work: both pads are absorbed once and not for every value.
    pub(crate) fn keyed(&self) -> Keyed {
        // HMAC takes keys of every length, so the other arm is never met; it would not be this key's hash, but no panic either.
        let mac = HmacSha256::new_from_slice(self.0.bytes.as_slice());
        Keyed { mac: mac.unwrap_or_else(|_| HmacSha256::new(&hmac::digest::Key::<HmacSha256>::default())), key_id: self.0.id.clone() }
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey({})", self.0.id)
    }
}

/// `H(label, ...)` of `record.md`: HMAC-SHA-256 under K over JCS `[label, ...]`.
#[derive(Clone)]
pub(crate) struct Keyed {
    mac: HmacSha256,
    key_id: String,
}

impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyed({})", self.key_id)
    }
}

impl Keyed {
    /// Key id, the second part of every hash and pseudonym.
    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// H over texts.
    pub(crate) fn texts(&self, label: &str, parts: &[&str]) -> [u8; 32] {
        let mut text = Vec::with_capacity(64);
        text.push(b'[');
        super::canonical::write_string(&mut text, label);
        for part in parts {
            text.push(b',');
            super::canonical::write_string(&mut text, part);
        }
        text.push(b']');
        let mut mac = self.mac.clone();
        mac.update(&text);
        mac.finalize().into_bytes().into()
    }

    /// H over bytes, which enter as hex of their SHA-256.
    pub(crate) fn bytes(&self, label: &'static str, bytes: &[u8]) -> [u8; 32] {
        let mut digest = [0; 64];
        // 64 digits for 32 bytes: the lengths agree.
        let _ = const_hex::encode_to_slice(Sha256::digest(bytes), &mut digest);
        let mut mac = self.mac.clone();
        // The labels are plain words: `["` label `","` digits `"]` is canonical as it stands.
        mac.update(b"[\"");
        mac.update(label.as_bytes());
        mac.update(b"\",\"");
        mac.update(&digest);
        mac.update(b"\"]");
        mac.finalize().into_bytes().into()
    }
}

/// `identity.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityMode {
    /// `ps:<key id>:<hex of H("person", realm, id)>`: only destroying K erases.
    Keyed,
    /// `id:<as sent>`; refused without `acknowledge_plain`.
    Plain,
    /// `ps:vault:<random hex>`: the id lives encrypted in the vault, and erasing it there makes the pseudonym say nothing.
    Vault,
}

/// The pseudonym that a [`PersonBook`] gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// The random part.
    pub pseudonym: [u8; 16],
    /// Whether the vault holds it durably. If not, whoever writes it into a record brings the person along to the vault; several may.
    pub stored: bool,
}

/// The vault's persons, as far as promotion needs them: in memory, shared by all requests.
pub trait PersonBook: Send + Sync + fmt::Debug {
    /// The pseudonym of the person under `key` (`H("person", realm, id)`); of one who is met for the first time, what `fresh` gives. If it
    /// gives none, nobody is taken into the book.
    fn pseudonym(&self, key: [u8; 32], fresh: &mut dyn FnMut() -> Option<[u8; 16]>) -> Option<Given>;

    /// Whoever was taken into the book with this pseudonym will not be brought to the vault: the record that named them was not made. They
    /// are forgotten, unless they were stored meanwhile, or another request met them in between: its record has the pseudonym.
    fn give_back(&self, key: &[u8; 32], pseudonym: &[u8; 16]);
}

/// A pseudonym of the vault, as it stands in a record.
pub fn vault_pseudonym(random: &[u8; 16]) -> String {
    ["ps:vault:", &hex::encode(random)].concat()
}

/// `identity.references`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum References {
    /// As sent, unless a scrub pattern matches.
    Plain,
    /// Always `ps:<key id>:<hex of H("ref", realm, value)>`.
    Keyed,
}

/// A pseudonym of label `person` or `ref`.
pub(crate) fn pseudonym(keyed: &Keyed, label: &str, realm: &str, value: &str) -> String {
    let hash = keyed.texts(label, &[realm, value]);
    let mut digits = [0; 32];
    // 32 digits for 16 bytes: the lengths agree.
    let _ = const_hex::encode_to_slice(hash.get(..16).unwrap_or_default(), &mut digits);
    ["ps:", keyed.key_id(), ":", std::str::from_utf8(&digits).unwrap_or_default()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector() {
        let key = IdentityKey::new([0; 32]);
        assert_eq!(key.id(), "66687aad");
        assert_eq!(pseudonym(&key.keyed(), "person", "", "alice@example.com"), "ps:66687aad:6ac780348d5bd07b2ed8518875ad39e8");
    }

    /// The preimages are written out by hand here: JCS text, and bytes as hex of their SHA-256.
    #[test]
    fn h_is_hmac_over_the_literal_jcs_text() {
        let hmac = |text: &str| -> [u8; 32] {
            let mut mac = HmacSha256::new_from_slice(&[7; 32]).unwrap();
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().into()
        };
        let keyed = IdentityKey::new([7; 32]).keyed();
        assert_eq!(keyed.texts("ref", &["le\"nding", "x\ny"]), hmac(r#"["ref","le\"nding","x\ny"]"#));
        let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(keyed.bytes("content", b"hello"), hmac(&format!(r#"["content","{hello}"]"#)));
        assert_ne!(keyed.texts("person", &["", "a"]), keyed.texts("person", &["a", ""]));
    }

    #[test]
    fn debug_shows_no_key() {
        let key = IdentityKey::new([0xab; 32]);
        let shown = format!("{key:?} {:?}", key.keyed());
        assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");
    }
}
