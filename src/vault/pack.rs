//! A pack: all content of one seal in one object, because an object a record, or a trace, is too dear on S3.
//!
//! ```text
//! packs/<YYYYMMDD>/<seal:020>-<16 random hex>     date = UTC date of sealed_at
//! entry, and again until the end:
//!   record id     16 bytes
//!   salt          32 bytes
//!   scheme        length (u8), the record's word
//!   member        length (u16, little-endian), UTF-8
//!   content       length (u32, little-endian), bytes
//! ```
//!
//! A seal has more than one pack where its content is more than [`PACK_BYTES`]. The name is random, because an attempt at a seal that
//! failed may have written a pack of the same seal.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::{Said, VaultError};
use crate::clock::UnixSeconds;
use crate::record::RecordId;
use crate::record::apart::{Apart, Piece, SALT_BYTES};
use crate::record::content::Scheme;
use crate::worm::ObjectKey;

/// Decoded bytes beyond which a pack is closed, or an object of persons: what one read of one content costs at most, but for a single larger content.
pub(super) const PACK_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of an entry beside its content and the names in it.
const ENTRY_BYTES: usize = 16 + SALT_BYTES + 1 + 2 + 4;

/// One content as the vault gives it back. `Debug` shows no content.
#[derive(Clone)]
pub struct Entry {
    /// Whose.
    pub record: RecordId,
    /// Dotted path of the content object in the record.
    pub member: String,
    /// How the preimage is made.
    pub scheme: Scheme,
    /// The commitment's salt.
    pub salt: [u8; SALT_BYTES],
    /// The preimage.
    pub content: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("record", &self.record).field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

/// Key of a new pack below its log.
pub(super) fn name(seal: u64, sealed_at: UnixSeconds, random: [u8; 8]) -> String {
    format!("{}{}", prefix(seal, sealed_at), hex::encode(random))
}

/// What the packs of a seal begin with.
pub(super) fn prefix(seal: u64, sealed_at: UnixSeconds) -> String {
    format!("packs/{}/{seal:020}-", day(sealed_at))
}

/// The folder of a day.
pub(super) fn day(at: UnixSeconds) -> String {
    let (year, month, day) = at.date();
    format!("{year:04}{month:02}{day:02}")
}

/// Start of the day and index of the seal that a pack's key (below its log) names.
pub(super) fn parse_name(name: &str) -> Option<(UnixSeconds, u64)> {
    let (day, rest) = name.strip_prefix("packs/")?.split_once('/')?;
    let (index, random) = rest.split_once('-')?;
    let is_index = index.len() == 20 && index.bytes().all(|b| b.is_ascii_digit());
    if !is_index || !is_random(random, 8) {
        return None;
    }
    Some((parse_day(day)?, index.parse().ok()?))
}

/// The first second of a day as [`day`] writes it.
pub(super) fn parse_day(day: &str) -> Option<UnixSeconds> {
    (day.len() == 8 && day.bytes().all(|b| b.is_ascii_digit())).then_some(())?;
    let (year, month, of_month) = (day.get(..4)?, day.get(4..6)?, day.get(6..)?);
    UnixSeconds::parse_strict(&format!("{year}-{month}-{of_month}T00:00:00Z"))
}

/// Whether a text is `bytes` random bytes as they stand in names.
pub(super) fn is_random(text: &str, bytes: usize) -> bool {
    text.len() == bytes * 2 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Which pieces go into which pack: batch and piece by position, in order.
pub(super) fn divide(aparts: &[Apart]) -> Vec<Vec<(usize, usize)>> {
    let pieces = |(batch, apart): (usize, &Apart)| (0..apart.pieces.len()).map(move |at| (batch, at)).collect::<Vec<_>>();
    let all = aparts.iter().enumerate().flat_map(pieces);
    in_objects(all, |(batch, at)| aparts.get(*batch).and_then(|apart| apart.pieces.get(*at)).map_or(0, encoded_len))
}

/// Bytes of a piece in its pack.
fn encoded_len(piece: &Piece) -> usize {
    ENTRY_BYTES + piece.scheme.as_str().len() + piece.member.len() + piece.content.len()
}

/// Divides entries among objects, each of which is closed when its entries have [`PACK_BYTES`] or the next one would go far beyond them: a
/// long one has an object of its own.
pub(super) fn in_objects<T>(entries: impl IntoIterator<Item = T>, encoded_len: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut objects: Vec<Vec<T>> = Vec::new();
    let mut bytes = PACK_BYTES;
    for entry in entries {
        let more = encoded_len(&entry);
        if bytes >= PACK_BYTES || bytes.saturating_add(more) > 2 * PACK_BYTES {
            objects.push(Vec::new());
            bytes = 0;
        }
        bytes = bytes.saturating_add(more);
        if let Some(open) = objects.last_mut() {
            open.push(entry);
        }
    }
    objects
}

/// Writes one piece.
pub(super) fn write_piece(out: &mut dyn Write, apart: &Apart, piece: &Piece) -> io::Result<()> {
    write_entry(out, &piece.record, &piece.salt, piece.scheme, &piece.member, apart.content(piece))
}

fn write_entry(
    out: &mut dyn Write,
    record: &RecordId,
    salt: &[u8; SALT_BYTES],
    scheme: Scheme,
    member: &str,
    content: &[u8],
) -> io::Result<()> {
    let too_long = |_| io::Error::other("a content or the name of its member is too long");
    let scheme = scheme.as_str();
    out.write_all(&record.0)?;
    out.write_all(salt)?;
    out.write_all(&u8::try_from(scheme.len()).map_err(too_long)?.to_le_bytes())?;
    out.write_all(scheme.as_bytes())?;
    out.write_all(&u16::try_from(member.len()).map_err(too_long)?.to_le_bytes())?;
    out.write_all(member.as_bytes())?;
    out.write_all(&u32::try_from(content.len()).map_err(too_long)?.to_le_bytes())?;
    out.write_all(content)
}

/// One entry as it stands in a decoded pack.
pub(super) struct View<'a> {
    pub(super) record: RecordId,
    /// All bytes of the entry.
    pub(super) raw: &'a [u8],
    salt: [u8; SALT_BYTES],
    scheme: &'a [u8],
    member: &'a [u8],
    pub(super) content: &'a [u8],
}

impl View<'_> {
    fn member(&self, key: &ObjectKey) -> Result<&str, VaultError> {
        std::str::from_utf8(self.member).map_err(|_| VaultError::damaged(key, "a member's name in it is no text"))
    }

    /// As it lies in the pack.
    pub(super) fn said(&self, key: &ObjectKey) -> Result<Said<'_>, VaultError> {
        Ok(Said { record: self.record, member: self.member(key)?, salt: &self.salt, content: self.content })
    }

    pub(super) fn to_entry(&self, key: &ObjectKey) -> Result<Entry, VaultError> {
        let unknown = |what| VaultError::damaged(key, what);
        let member = self.member(key)?;
        let scheme = std::str::from_utf8(self.scheme).ok().and_then(Scheme::parse);
        Ok(Entry {
            record: self.record,
            member: member.to_owned(),
            scheme: scheme.ok_or_else(|| unknown("a content in it has a scheme that this version does not know"))?,
            salt: self.salt,
            content: Zeroizing::new(self.content.to_vec()),
        })
    }
}

/// All entries of a decoded pack.
pub(super) fn views<'a>(plain: &'a [u8], key: &ObjectKey) -> Result<Vec<View<'a>>, VaultError> {
    let mut rest = plain;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let view = take(&mut rest).ok_or_else(|| VaultError::damaged(key, "an entry in it is cut short"))?;
        found.push(view);
    }
    Ok(found)
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<View<'a>> {
    let whole = *rest;
    let mut at = whole;
    let record = RecordId(*chunk::<16>(&mut at)?);
    let salt = *chunk::<SALT_BYTES>(&mut at)?;
    let scheme = usize::from(u8::from_le_bytes(*chunk(&mut at)?));
    let scheme = bytes(&mut at, scheme)?;
    let member = usize::from(u16::from_le_bytes(*chunk(&mut at)?));
    let member = bytes(&mut at, member)?;
    let content = usize::try_from(u32::from_le_bytes(*chunk(&mut at)?)).ok()?;
    let content = bytes(&mut at, content)?;
    let raw = whole.get(..whole.len() - at.len())?;
    *rest = at;
    Some(View { record, raw, salt, scheme, member, content })
}

/// The next `N` bytes.
pub(super) fn chunk<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(head)
}

/// The next `len` bytes.
pub(super) fn bytes<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::apart::PIECE_BYTES_MAX;

    fn piece(n: u8, member: &'static str, content: std::ops::Range<usize>) -> Piece {
        Piece { record: RecordId([n; 16]), member: member.into(), scheme: Scheme::Utf8, salt: [n; SALT_BYTES], content }
    }

    #[test]
    fn entries_come_back_as_they_went_in() {
        let apart = Apart { bytes: b"hello\xff".to_vec(), pieces: vec![piece(1, "input", 0..5), piece(2, "rest", 5..6)], persons: vec![] };
        let mut plain = Vec::new();
        for piece in &apart.pieces {
            write_piece(&mut plain, &apart, piece).unwrap();
        }
        let key = ObjectKey("k".into());
        let views = views(&plain, &key).unwrap();
        let entries: Vec<Entry> = views.iter().map(|v| v.to_entry(&key).unwrap()).collect();
        assert_eq!((entries[0].member.as_str(), entries[0].content.as_slice()), ("input", b"hello".as_slice()));
        assert_eq!((entries[1].record, entries[1].content.as_slice()), (RecordId([2; 16]), b"\xff".as_slice()));
        assert_eq!(views.iter().map(|v| v.raw).collect::<Vec<_>>().concat(), plain);
        for cut in 1..plain.len() {
            let first = views[0].raw.len();
            assert_eq!(super::views(&plain[..cut], &key).is_ok(), cut == first, "{cut}");
        }
        assert!(!format!("{entries:?}").contains("104, 101"));
    }

    #[test]
    fn names_are_exact() {
        let at = UnixSeconds::parse_strict("2026-11-21T23:59:59Z").unwrap();
        let name = name(17, at, [0xab; 8]);
        assert_eq!(name, "packs/20261121/00000000000000000017-abababababababab");
        let day = UnixSeconds::parse_strict("2026-11-21T00:00:00Z").unwrap();
        assert_eq!(parse_name(&name), Some((day, 17)));
        for bad in [
            "packs/20261321/00000000000000000017-abababababababab",
            "packs/20261121/17-abababababababab",
            "packs/20261121/x",
            "x",
            "packs/20261121/00000000000000000017-abababababababaB",
        ] {
            assert_eq!(parse_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_pack_is_closed_when_it_is_long() {
        let of = |lens: &[usize]| {
            let pieces = lens.iter().map(|len| piece(1, "input", 0..*len)).collect();
            divide(&[Apart { pieces, ..Apart::default() }])
        };
        let entry = ENTRY_BYTES + "utf8".len() + "input".len();
        assert_eq!(of(&[PACK_BYTES - entry - 1, 1, 1]), [vec![(0, 0), (0, 1)], vec![(0, 2)]]);
        assert_eq!(of(&[PACK_BYTES - entry, 1]), [vec![(0, 0)], vec![(0, 1)]], "headers count");
        assert_eq!(of(&[1, PIECE_BYTES_MAX]), [vec![(0, 0)], vec![(0, 1)]], "a long one is alone");
        assert!(divide(&[Apart::default()]).is_empty());
        let empty = vec![0; PACK_BYTES / entry + 2];
        assert_eq!(of(&empty).len(), 2, "contents of no bytes fill a pack too");
    }

    #[test]
    fn an_entry_is_as_long_as_counted() {
        let apart = Apart { bytes: b"hello".to_vec(), ..Apart::default() };
        let piece = piece(1, "input", 0..5);
        let mut plain = Vec::new();
        write_piece(&mut plain, &apart, &piece).unwrap();
        assert_eq!(plain.len(), encoded_len(&piece));
        let longest = u64::try_from(PIECE_BYTES_MAX + ENTRY_BYTES + usize::from(u8::MAX) + usize::from(u16::MAX)).unwrap();
        assert!(longest <= crate::vault::key::DECODED_MAX);
    }
}
