//! `C`, the content object of a record (`record.md` section 4): what was said, held by hash or reference, never itself.

use super::builder::{comma, quoted};
use super::canonical::write_string;

/// `captured` of a content object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    /// Held by keyed hash.
    Hash,
    /// Only a reference was sent.
    ByReference,
    /// The producer wrote a mark in its place.
    Redacted,
    /// Not in this signal.
    Absent,
}

/// How the preimage of a content hash is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// The bytes of one string.
    Utf8,
    /// JCS of all attributes that carried it.
    Attributes,
}

/// `C`: what was said, never itself (`record.md` section 4).
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// Whether and how it is held.
    pub captured: Captured,
    /// Preimage.
    pub scheme: Option<Scheme>,
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
        Content { captured, scheme: None, hash: None, claimed_hash: None, reference: None, bytes: None, media_type: None, truncated: false }
    }

    /// Its members in canonical order.
    pub(super) fn write_members(&self, out: &mut Vec<u8>, key_id: &str, mut before: impl FnMut(&mut Vec<u8>, &'static str)) {
        let mut name = |out: &mut Vec<u8>, name: &'static str| {
            before(out, name);
            comma(out);
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
        };
        if let Some(bytes) = self.bytes {
            name(out, "bytes");
            quoted(out, itoa::Buffer::new().format(bytes));
        }
        name(out, "captured");
        quoted(
            out,
            match self.captured {
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
            quoted(
                out,
                match scheme {
                    Scheme::Utf8 => "utf8",
                    Scheme::Attributes => "attributes",
                },
            );
        }
        if self.truncated {
            name(out, "truncated");
            out.extend_from_slice(b"true");
        }
    }

    /// The whole object.
    pub fn write(&self, out: &mut Vec<u8>, key_id: &str) {
        out.push(b'{');
        self.write_members(out, key_id, |_, _| {});
        out.push(b'}');
    }
}

/// `hmac-sha256:<key id>:<hex>` as a JSON string.
fn write_keyed_hash(out: &mut Vec<u8>, key_id: &str, hash: &[u8; 32]) {
    out.extend_from_slice(b"\"hmac-sha256:");
    out.extend_from_slice(key_id.as_bytes());
    out.push(b':');
    let mut digits = [0; 64];
    // 64 digits for 32 bytes: the lengths agree.
    let _ = hex::encode_to_slice(hash, &mut digits);
    out.extend_from_slice(&digits);
    out.push(b'"');
}

/// The text of [`Content::hash`]'s form, for members that are strings.
pub fn keyed_hash_text(key_id: &str, hash: &[u8; 32]) -> String {
    let mut digits = [0; 64];
    // 64 digits for 32 bytes: the lengths agree.
    let _ = hex::encode_to_slice(hash, &mut digits);
    ["hmac-sha256:", key_id, ":", std::str::from_utf8(&digits).unwrap_or_default()].concat()
}
