//! What a batch keeps apart from its lines: content and ids of persons, on their way to the vault (`record.md` sections 3 and 4).
//!
//! Never in evidence, never in a log: `Debug` shows sizes only.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::RecordId;
use super::builder::shorten;
use super::content::Scheme;

/// Bytes of a salt.
pub const SALT_BYTES: usize = 32;

/// Longest content, and longest realm and id of a person, that a vault takes, bytes: what is longer could not be read back with what it
/// stands beside.
pub const PIECE_BYTES_MAX: usize = 160 * 1024 * 1024;

/// Longest realm or id, bytes, that the vault keeps to call a person by: a sender must not decide how much the book of persons takes. The
/// key of an entry knows the whole of both.
pub const NAME_BYTES_MAX: usize = 1024;

/// A realm or an id as the vault keeps it.
pub fn as_kept(name: &str) -> &str {
    shorten(name, NAME_BYTES_MAX)
}

/// What the records of one batch hold by commitment and by pseudonym.
#[derive(Default, Clone)]
pub struct Apart {
    /// Preimages, one after another. Not every byte belongs to a piece: what became no member stays behind unnamed.
    pub bytes: Vec<u8>,
    /// The content of the batch's records, in the order of the records.
    pub pieces: Vec<Piece>,
    /// Persons whom the vault does not know yet, each at most once.
    pub persons: Vec<PersonEntry>,
}

impl Apart {
    /// Whether there is nothing for the vault.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.persons.is_empty()
    }

    /// The preimage of a piece of this batch.
    pub fn content(&self, piece: &Piece) -> &[u8] {
        self.bytes.get(piece.content.clone()).unwrap_or_default()
    }

    /// Bytes of content that belong to a piece.
    pub fn bytes_kept(&self) -> usize {
        self.pieces.iter().map(|piece| piece.content.len()).sum()
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> usize {
        let persons: usize = self.persons.iter().map(|p| size_of::<PersonEntry>() + p.realm.len() + p.id.len()).sum();
        self.bytes.len() + self.pieces.len() * size_of::<Piece>() + persons
    }

    /// Whether anything that came after `extent` is longer than a vault takes.
    pub fn has_too_long(&self, extent: Extent, max: usize) -> bool {
        self.pieces.get(extent.pieces..).unwrap_or_default().iter().any(|piece| piece.content.len() > max)
            || self.persons.get(extent.persons..).unwrap_or_default().iter().any(|p| p.realm.len().saturating_add(p.id.len()) > max)
    }

    /// How much there is now, for [`Apart::cut_back`].
    pub fn extent(&self) -> Extent {
        Extent { bytes: self.bytes.len(), pieces: self.pieces.len(), persons: self.persons.len() }
    }

    /// Forgets what came after `extent`.
    pub fn cut_back(&mut self, extent: Extent) {
        self.bytes.truncate(extent.bytes);
        self.pieces.truncate(extent.pieces);
        self.persons.truncate(extent.persons);
    }
}

impl fmt::Debug for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Apart")
            .field("bytes", &self.bytes.len())
            .field("pieces", &self.pieces.len())
            .field("persons", &self.persons.len())
            .finish()
    }
}

/// How much an [`Apart`] held at some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub(crate) bytes: usize,
    pub(crate) pieces: usize,
    pub(crate) persons: usize,
}

/// One content of one record.
///
/// Two records of one seal may have one id (a conflict, both are kept), so a record's own piece is known by its member **and** by the
/// commitment that it fits.
#[derive(Clone)]
pub struct Piece {
    /// Whose.
    pub record: RecordId,
    /// Dotted path of the content object as evidence names it: `input`, `retrieval.documents[2].content`, `rest`. Evidence that had to be
    /// trimmed to its longest line may lack the last documents; their content is here all the same.
    pub member: Cow<'static, str>,
    /// How the preimage is made.
    pub scheme: Scheme,
    /// What makes the commitment say nothing.
    pub salt: [u8; SALT_BYTES],
    /// The preimage inside [`Apart::bytes`].
    pub content: Range<usize>,
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece").field("record", &self.record).field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

/// One person, as the vault is to remember them.
#[derive(Clone)]
pub struct PersonEntry {
    /// `H("person", realm, id)`
    pub key: [u8; 32],
    /// The random part of `ps:vault:<32 hex digits>`.
    pub pseudonym: [u8; 16],
    /// What keeps equal ids of two applications apart; no more of it than [`NAME_BYTES_MAX`].
    pub realm: String,
    /// The id as sent; no more of it than [`NAME_BYTES_MAX`].
    pub id: String,
}

impl fmt::Debug for PersonEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonEntry(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_content_and_no_person() {
        let piece = Piece {
            record: RecordId([0; 16]),
            member: Cow::Borrowed("input"),
            scheme: Scheme::Utf8,
            salt: [0xab; SALT_BYTES],
            content: 0..6,
        };
        let person = PersonEntry { key: [0xcd; 32], pseudonym: [0xef; 16], realm: "shop".into(), id: "alice".into() };
        let apart = Apart { bytes: b"secret".to_vec(), pieces: vec![piece], persons: vec![person] };
        let shown = format!("{apart:?} {:?} {:?}", apart.pieces, apart.persons);
        // 0xab, 0xcd and 0xef as decimal numbers, as `Debug` of an array shows them.
        for hidden in ["secret", "alice", "shop", "171", "205", "239", "115, 101"] {
            assert!(!shown.contains(hidden), "{hidden}: {shown}");
        }
        assert_eq!(apart.content(&apart.pieces[0]), b"secret");
    }

    #[test]
    fn what_came_after_an_extent_is_forgotten() {
        let mut apart = Apart { bytes: b"one".to_vec(), ..Apart::default() };
        let extent = apart.extent();
        apart.bytes.extend_from_slice(b"two");
        apart.persons.push(PersonEntry { key: [0; 32], pseudonym: [0; 16], realm: String::new(), id: "alice".into() });
        assert!(apart.memory() > 6 && !apart.is_empty());
        apart.cut_back(extent);
        assert_eq!((apart.bytes.as_slice(), apart.is_empty(), apart.memory()), (b"one".as_slice(), true, 3));
    }
}
