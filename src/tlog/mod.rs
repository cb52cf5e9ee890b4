//! The mathematics and the formats of the log (pure): RFC 6962 trees, C2SP tiles, signed notes and checkpoints, the seal file, the
//! segment's frame.
//!
//! Writer and verifier share this folder and nothing else.

pub mod cosignature;
pub mod join;
pub mod merkle;
pub mod note;
pub mod seal_file;
pub mod segment;
pub mod signer;
pub mod tile;
pub mod truth;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A SHA-256 value: a node of a tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Reads 64 lower-case hex digits.
    pub fn parse_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        (text.len() == 64 && !text.bytes().any(|b| b.is_ascii_uppercase())).then_some(())?;
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Hash(bytes))
    }

    /// SHA-256 of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Hash(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hash of a leaf: SHA-256(0x00 || entry).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LeafHash(pub Hash);

/// Root of a tree of a stated size.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RootHash(pub Hash);

/// Base64, as checkpoints and receipts write roots.
impl fmt::Display for RootHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0.0))
    }
}

impl RootHash {
    /// Reads it as checkpoints and receipts write it.
    pub fn parse_base64(text: &str) -> Option<Self> {
        Some(RootHash(Hash(STANDARD.decode(text).ok()?.try_into().ok()?)))
    }
}

/// Position of a leaf, from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LeafIndex(pub u64);

/// Number of leaves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TreeSize(pub u64);
