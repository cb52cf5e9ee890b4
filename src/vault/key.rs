//! The vault's key, and what one object of the vault looks like.
//!
//! ```text
//! spanseal.vault/1\n
//! <kind> <key id>\n            kind: pack, persons, erasure, owner, state; key id: first 8 hex digits of SHA-256(vault key)
//! <nonce, 12 bytes>
//! <AES-256-GCM of a zstd frame, and its tag of 16 bytes>
//! ```
//!
//! Every object has a key of its own, HKDF-SHA-256 of the vault key with the object's whole key (log name included) as info, so that
//! random nonces do not meet however many objects there are (NIST SP 800-38D section 8.3 allows 2^32 under one key). The two header lines
//! and the object's key are authenticated with it: an object that is changed, renamed, moved to another log or declared to be of another
//! kind does not open.
//!
//! An object replaced by an **older** one of the same key opens: the vault cannot know of copies. What an erasure took is named by its
//! sealed record, so what comes back of it is noticed and taken again (`state`).

use std::fmt;
use std::io::{Read, Write};

use bytes::Bytes;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::hmac;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::VaultError;
use crate::worm::ObjectKey;

/// First line of every object; also the salt of HKDF.
const MAGIC: &str = "spanseal.vault/1";
/// Speed before size: content is written in the way of every seal.
const ZSTD_LEVEL: i32 = 1;
/// Most decoded bytes of one object: a pack is closed beyond 32 MiB, and the longest piece has 160 MiB and its header
/// ([`PIECE_BYTES_MAX`](crate::record::apart::PIECE_BYTES_MAX)). Nothing longer is written, because nothing longer is read.
pub(super) const DECODED_MAX: u64 = 192 * 1024 * 1024;
/// Most stored bytes: content that does not compress grows by a thousandth.
pub(super) const STORED_MAX: u64 = DECODED_MAX + 1024 * 1024;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Content of one seal.
    Pack,
    /// Persons.
    Persons,
    /// An erasure under way.
    Erasure,
    /// Whose vault it is.
    Owner,
    /// What its writer remembers of it.
    State,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Pack => "pack",
            Kind::Persons => "persons",
            Kind::Erasure => "erasure",
            Kind::Owner => "owner",
            Kind::State => "state",
        }
    }
}

/// The vault key: 32 bytes that open everything in a vault, kept outside it. `Debug` shows its id only.
#[derive(Clone)]
pub struct VaultKey {
    prk: Prk,
    id: String,
}

impl VaultKey {
    /// Takes the key.
    pub fn new(bytes: &[u8; 32]) -> Self {
        let id = hex::encode(Sha256::digest(bytes).get(..4).unwrap_or_default());
        VaultKey { prk: Salt::new(HKDF_SHA256, MAGIC.as_bytes()).extract(bytes), id }
    }

    /// First 8 hex digits of SHA-256 of the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What an object of this kind begins with.
    fn header(&self, kind: Kind) -> String {
        format!("{MAGIC}\n{} {}\n", kind.as_str(), self.id)
    }

    /// The object's own key.
    fn object_key(&self, key: &ObjectKey) -> Result<LessSafeKey, VaultError> {
        let failed = |_| VaultError::damaged(key, "its key cannot be derived");
        let info = [b"object ".as_slice(), key.as_str().as_bytes()];
        let okm = self.prk.expand(&info, &AES_256_GCM).map_err(failed)?;
        Ok(LessSafeKey::new(UnboundKey::from(okm)))
    }

    /// Compresses and encrypts what `write` writes. CPU work: not for async threads where it is much.
    pub(super) fn seal(
        &self,
        kind: Kind,
        key: &ObjectKey,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<Bytes, VaultError> {
        let failed = |e: std::io::Error| VaultError::damaged(key, format!("it cannot be compressed: {e}"));
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| VaultError::Randomness)?;
        let header = self.header(kind);
        let mut out = header.clone().into_bytes();
        out.extend_from_slice(&nonce);
        let begins = out.len();
        let encoder = zstd::Encoder::new(&mut out, ZSTD_LEVEL).map_err(failed)?;
        let mut bounded = Bounded { to: encoder, room: DECODED_MAX };
        write(&mut bounded).map_err(failed)?;
        bounded.to.finish().map_err(failed)?;
        let plain = out.get_mut(begins..).unwrap_or_default();
        let tag = self
            .object_key(key)?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad(&header, key), plain)
            .map_err(|_| VaultError::damaged(key, "it is too long to be encrypted"))?;
        out.extend_from_slice(tag.as_ref());
        Ok(out.into())
    }

    /// Decrypts and decompresses an object that was read from `key`.
    pub(super) fn open(&self, kind: Kind, key: &ObjectKey, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let header = self.header(kind);
        let Some(rest) = stored.strip_prefix(header.as_bytes()) else { return Err(self.refuse_header(kind, key, stored)) };
        let cut = || VaultError::damaged(key, "it is cut short");
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(cut)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let plain = self
            .object_key(key)?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad(&header, key), &mut buffer)
            .map_err(|_| VaultError::damaged(key, "it does not open: it was changed, or moved from another place"))?;
        let failed = |e: std::io::Error| VaultError::damaged(key, format!("it cannot be decompressed: {e}"));
        let mut out = Zeroizing::new(Vec::new());
        let decoder = zstd::Decoder::with_buffer(&*plain).map_err(failed)?;
        decoder.take(DECODED_MAX + 1).read_to_end(&mut out).map_err(failed)?;
        if u64::try_from(out.len()).is_ok_and(|len| len > DECODED_MAX) {
            return Err(VaultError::damaged(key, "it is longer than anything that is written there"));
        }
        Ok(out)
    }

    /// Says why the first two lines are not the expected ones.
    fn refuse_header(&self, kind: Kind, key: &ObjectKey, stored: &[u8]) -> VaultError {
        let mut lines = stored.splitn(3, |b| *b == b'\n').map(|line| std::str::from_utf8(line).unwrap_or_default());
        let (magic, line) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        if magic != MAGIC {
            return VaultError::damaged(key, "it is no object of a vault of this version");
        }
        match line.split_once(' ') {
            Some((found, id)) if found == kind.as_str() && is_key_id(id) => {
                VaultError::OtherKey { key: key.to_string(), found: id.to_owned(), own: self.id.clone() }
            }
            _ => VaultError::damaged(key, format!("it does not say that it is of kind `{}`", kind.as_str())),
        }
    }

    /// A key for HMAC-SHA-256 that only holders of the vault key can make, one for each purpose. Never `None`: 32 bytes are one block of
    /// HKDF-SHA-256, far below its limit.
    pub fn hmac_key(&self, purpose: &str) -> Option<hmac::Key> {
        let info = [b"hmac ".as_slice(), purpose.as_bytes()];
        self.prk.expand(&info, hmac::HMAC_SHA256).map(hmac::Key::from).ok()
    }
}

/// Takes `room` bytes and no more.
struct Bounded<W> {
    to: W,
    room: u64,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(bytes)?;
        let left = u64::try_from(written).ok().and_then(|written| self.room.checked_sub(written));
        self.room = left.ok_or_else(|| std::io::Error::other("it is longer than what can be read back"))?;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultKey({})", self.id)
    }
}

fn aad(header: &str, key: &ObjectKey) -> Aad<Vec<u8>> {
    Aad::from([header.as_bytes(), key.as_str().as_bytes()].concat())
}

fn is_key_id(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ObjectKey {
        ObjectKey(text.to_owned())
    }

    fn sealed(at: &str) -> (VaultKey, Bytes) {
        let vault = VaultKey::new(&[7; 32]);
        let stored = vault.seal(Kind::Pack, &key(at), |out| out.write_all(b"what was said")).unwrap();
        (vault, stored)
    }

    #[test]
    fn what_was_sealed_opens_and_shows_nothing_outside() {
        let (vault, stored) = sealed("log/packs/a");
        assert_eq!(vault.open(Kind::Pack, &key("log/packs/a"), &stored).unwrap().as_slice(), b"what was said");
        assert!(stored.starts_with(format!("spanseal.vault/1\npack {}\n", vault.id()).as_bytes()));
        assert!(memchr::memmem::find(&stored, b"what was said").is_none());
        let again = vault.seal(Kind::Pack, &key("log/packs/a"), |out| out.write_all(b"what was said")).unwrap();
        assert_ne!(stored, again, "a nonce is used once");
    }

    /// Guarantee: no byte of an object can be changed, and none left out or added, without it being refused.
    #[test]
    fn every_changed_byte_is_refused() {
        let at = key("log/packs/a");
        let (vault, stored) = sealed(at.as_str());
        for n in 0..stored.len() {
            for bit in [1, 0x80] {
                let mut changed = stored.to_vec();
                changed[n] ^= bit;
                assert!(vault.open(Kind::Pack, &at, &changed).is_err(), "byte {n}");
            }
            assert!(vault.open(Kind::Pack, &at, &stored[..n]).is_err(), "cut at {n}");
        }
        let longer = [stored.as_ref(), b"x"].concat();
        assert!(vault.open(Kind::Pack, &at, &longer).is_err());
    }

    #[test]
    fn an_object_opens_in_its_own_place_as_its_own_kind_only() {
        let (vault, stored) = sealed("log/packs/a");
        for other in ["log/packs/b", "other/packs/a", "log/persons/a"] {
            let error = vault.open(Kind::Pack, &key(other), &stored).unwrap_err().to_string();
            assert!(error.contains("moved from another place"), "{error}");
        }
        let renamed = String::from_utf8_lossy(&stored[..30]).replacen("pack ", "erasure ", 1).into_bytes();
        let at = 30;
        let renamed = [renamed.as_slice(), &stored[at..]].concat();
        assert!(vault.open(Kind::Erasure, &key("log/packs/a"), &renamed).is_err());
        assert!(vault.open(Kind::Persons, &key("log/packs/a"), &stored).is_err());
    }

    #[test]
    fn another_key_is_named() {
        let (vault, stored) = sealed("log/packs/a");
        let other = VaultKey::new(&[8; 32]);
        let error = other.open(Kind::Pack, &key("log/packs/a"), &stored).unwrap_err();
        assert!(matches!(&error, VaultError::OtherKey { found, own, .. } if found == vault.id() && own == other.id()), "{error}");
        assert!(!format!("{vault:?}").contains("7, 7"));
    }

    #[test]
    fn what_could_not_be_opened_is_not_sealed() {
        let (vault, at) = (VaultKey::new(&[7; 32]), key("log/packs/a"));
        let zeros = vec![0; 1024 * 1024];
        let fill = |more: &'static [u8]| {
            let chunks = DECODED_MAX / (1024 * 1024);
            let zeros = &zeros;
            move |out: &mut dyn Write| (0..chunks).try_for_each(|_| out.write_all(zeros)).and_then(|()| out.write_all(more))
        };
        let stored = vault.seal(Kind::Pack, &at, fill(b"")).unwrap();
        assert_eq!(u64::try_from(vault.open(Kind::Pack, &at, &stored).unwrap().len()).unwrap(), DECODED_MAX);
        let error = vault.seal(Kind::Pack, &at, fill(b"x")).unwrap_err().to_string();
        assert!(error.contains("longer than what can be read back"), "{error}");
    }

    #[test]
    fn derived_keys_differ_by_key_and_purpose() {
        let (one, two) = (VaultKey::new(&[7; 32]), VaultKey::new(&[8; 32]));
        let sign = |key: &VaultKey, purpose: &str| hmac::sign(&key.hmac_key(purpose).unwrap(), b"x").as_ref().to_vec();
        assert_eq!(sign(&one, "a"), sign(&one, "a"));
        assert_ne!(sign(&one, "a"), sign(&one, "b"));
        assert_ne!(sign(&one, "a"), sign(&two, "a"));
    }
}
