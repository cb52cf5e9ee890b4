//! `C`, the content object of a record (`record.md` section 4): what was said, held by hash or reference, never itself: that lies in the vault, or
//! nowhere.

use sha2::{Digest, Sha256};
use std::ops::Range;

use super::apart::SALT_BYTES;
use super::builder::{comma, quoted};
use super::canonical::write_string;

/// `captured` of a content object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    /// Held in the vault, and here by commitment.
    Vault,
    /// Held by keyed hash.
    Hash,
    /// Only a reference was sent.
    ByReference,
    /// The producer wrote a mark in its place.
    Redacted,
    /// Not in this signal.
    Absent,
}

/// `content.mode` and `content.equality`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentMode {
    /// By keyed hash, and nowhere else.
    Hash,
    /// In the vault, by commitment.
    Vault {
        /// By keyed hash besides, so that equal content is found.
        equality: bool,
    },
}

/// How the preimage of a content hash is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// The bytes of one string.
    Utf8,
    /// JCS of all attributes that carried it.
    Attributes,
}

impl Scheme {
    /// The record's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Utf8 => "utf8",
            Scheme::Attributes => "attributes",
        }
    }

    /// Reads the record's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Scheme::Utf8, Scheme::Attributes].into_iter().find(|scheme| scheme.as_str() == word)
    }
}

/// SHA-256(salt, x): anyone who is given both checks it with `sha256sum`, and it says nothing once they are erased (`record.md` section 4).
pub fn commitment(salt: &[u8; SALT_BYTES], x: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(salt).chain_update(x).finalize().into()
}

/// What stands before the digits of a commitment.
pub const COMMITMENT_PREFIX: &str = "salted-sha256:";

/// A commitment as it stands in a record.
pub fn commitment_text(commitment: &[u8; 32]) -> String {
    [COMMITMENT_PREFIX, &hex::encode(commitment)].concat()
}

/// `C`: what was said, never itself (`record.md` section 4).
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// Whether and how it is held.
    pub captured: Captured,
    /// Preimage.
    pub scheme: Option<Scheme>,
    /// [`commitment`], where the vault holds x.
    pub commitment: Option<[u8; 32]>,
    /// `H("content", x)`
    pub hash: Option<[u8; 32]>,
    /// `H("claimed", text)`
    pub claimed_hash: Option<[u8; 32]>,
    /// Where the producer put it, without userinfo, query and fragment.
    pub reference: Option<String>,
    /// Length of x.
    pub bytes: Option<u64>,
    /// As the producer named it.
    pub media_type: Option<String>,
    /// Values nested too deep were cut out of x.
    pub truncated: bool,
}

impl Content {
    /// Content of which only this is known.
    pub fn only(captured: Captured) -> Self {
        Content {
            captured,
            scheme: None,
            commitment: None,
            hash: None,
            claimed_hash: None,
            reference: None,
            bytes: None,
            media_type: None,
            truncated: false,
        }
    }

    /// Its members in canonical order. Answers where the commitment lies, with the comma before it: it does not count when two records
    /// are compared.
    pub(super) fn write_members(
        &self,
        out: &mut Vec<u8>,
        key_id: &str,
        mut before: impl FnMut(&mut Vec<u8>, &'static str),
    ) -> Option<Range<usize>> {
        let mut committed = None;
        let mut name = |out: &mut Vec<u8>, name: &'static str| {
            before(out, name);
            let start = out.len();
            comma(out);
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            start
        };
        if let Some(bytes) = self.bytes {
            name(out, "bytes");
            quoted(out, itoa::Buffer::new().format(bytes));
        }
        name(out, "captured");
        quoted(
            out,
            match self.captured {
                Captured::Vault => "vault",
                Captured::Hash => "hash",
                Captured::ByReference => "by_reference",
                Captured::Redacted => "redacted",
                Captured::Absent => "absent",
            },
        );
        if let Some(hash) = &self.claimed_hash {
            name(out, "claimed_hash");
            write_keyed_hash(out, key_id, hash);
        }
        if let Some(commitment) = &self.commitment {
            let start = name(out, "commitment");
            out.push(b'"');
            out.extend_from_slice(COMMITMENT_PREFIX.as_bytes());
            write_digits(out, commitment);
            out.push(b'"');
            committed = Some(start..out.len());
        }
        if let Some(hash) = &self.hash {
            name(out, "hash");
            write_keyed_hash(out, key_id, hash);
        }
        if let Some(media_type) = &self.media_type {
            name(out, "media_type");
            write_string(out, media_type);
        }
        if let Some(reference) = &self.reference {
            name(out, "reference");
            write_string(out, reference);
        }
        if let Some(scheme) = self.scheme {
            name(out, "scheme");
            quoted(out, scheme.as_str());
        }
        if self.truncated {
            name(out, "truncated");
            out.extend_from_slice(b"true");
        }
        committed
    }

    /// The whole object.
    pub fn write(&self, out: &mut Vec<u8>, key_id: &str) {
        out.push(b'{');
        self.write_members(out, key_id, |_, _| {});
        out.push(b'}');
    }
}

/// Where commitments lie in `json` that was written here, with the comma before each. No text holds one: the quotes inside a text are
/// escaped.
pub(super) fn commitments(json: &[u8]) -> impl Iterator<Item = Range<usize>> {
    const MEMBER: &[u8] = b",\"commitment\":\"salted-sha256:";
    /// And its digits, and the closing quote.
    const BYTES: usize = MEMBER.len() + 64 + 1;
    memchr::memmem::find_iter(json, MEMBER).map(|at| at..at + BYTES)
}

/// `hmac-sha256:<key id>:<hex>` as a JSON string.
fn write_keyed_hash(out: &mut Vec<u8>, key_id: &str, hash: &[u8; 32]) {
    out.extend_from_slice(b"\"hmac-sha256:");
    out.extend_from_slice(key_id.as_bytes());
    out.push(b':');
    write_digits(out, hash);
    out.push(b'"');
}

fn write_digits(out: &mut Vec<u8>, hash: &[u8; 32]) {
    let mut digits = [0; 64];
    // 64 digits for 32 bytes: the lengths agree.
    let _ = const_hex::encode_to_slice(hash, &mut digits);
    out.extend_from_slice(&digits);
}

/// The text of [`Content::hash`]'s form, for members that are strings.
pub fn keyed_hash_text(key_id: &str, hash: &[u8; 32]) -> String {
    let mut digits = [0; 64];
    // 64 digits for 32 bytes: the lengths agree.
    let _ = const_hex::encode_to_slice(hash, &mut digits);
    ["hmac-sha256:", key_id, ":", std::str::from_utf8(&digits).unwrap_or_default()].concat()
}
