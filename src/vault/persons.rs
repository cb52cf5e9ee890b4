//! Persons: the book in memory that gives pseudonyms, and its entries in the vault.
//!
//! ```text
//! persons/<16 random hex>
//! entry, and again until the end:
//!   H("person", realm, id)     32 bytes
//!   pseudonym                  16 bytes
//!   realm                      length (u32, little-endian), UTF-8
//!   id                         the same
//! ```
//!
//! A person's entry is in the vault before the first seal that names them is committed. Only key and pseudonym are held in memory, some
//! 100 bytes a person.
//!
//! KNOWN GAP: the book of a log with tens of millions of persons takes gigabytes; then its realm needs a log of its own.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::VaultError;
use super::pack::{bytes, chunk, is_random};
use crate::record::apart::PersonEntry;
use crate::record::identity::{Given, PersonBook};
use crate::worm::ObjectKey;

/// Who is called what. Clones share it. `Debug` shows how many.
#[derive(Clone, Default)]
pub struct Persons(Arc<Book>);

#[derive(Default)]
struct Book {
    given: Mutex<HashMap<[u8; 32], Known>>,
    /// Of them, those whose entries were taken away and are not written again yet.
    lost: Mutex<HashSet<[u8; 32]>>,
}

#[derive(Clone, Copy)]
struct Known {
    given: Given,
    /// Whether more than one request was given it before it was stored.
    shared: bool,
}

impl Known {
    fn of(given: Given) -> Self {
        Known { given, shared: false }
    }
}

impl Persons {
    fn book(&self) -> MutexGuard<'_, HashMap<[u8; 32], Known>> {
        // Every change is a single insertion or removal: a panic elsewhere leaves the book whole.
        self.0.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pseudonym of the person with this key (`H("person", realm, id)`); `fresh` makes one for whoever has none.
    pub fn pseudonym(&self, key: [u8; 32], fresh: impl FnOnce() -> [u8; 16]) -> Given {
        let mut book = self.book();
        let known = book.entry(key).or_insert_with(|| Known::of(Given { pseudonym: fresh(), stored: false }));
        // Nobody gives back what was asked for here.
        known.shared |= !known.given.stored;
        known.given
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.book().len()
    }

    /// Whether nobody is known.
    pub fn is_empty(&self) -> bool {
        self.book().is_empty()
    }

    /// Takes in an entry that the vault has. Where it has two for one person, the lesser pseudonym is used from now on, so that every
    /// start decides the same; the other still resolves.
    pub(super) fn load(&self, key: [u8; 32], pseudonym: [u8; 16]) {
        let found = Known::of(Given { pseudonym, stored: true });
        match self.book().entry(key) {
            Slot::Vacant(slot) => drop(slot.insert(found)),
            Slot::Occupied(mut slot) if slot.get().given.pseudonym > pseudonym => drop(slot.insert(found)),
            Slot::Occupied(_) => {}
        }
    }

    /// These entries are in the vault now. Who was forgotten meanwhile stays forgotten.
    pub(super) fn mark_stored<'a>(&self, entries: impl Iterator<Item = &'a PersonEntry>) {
        let mut book = self.book();
        for entry in entries {
            if let Some(known) = book.get_mut(&entry.key).filter(|known| known.given.pseudonym == entry.pseudonym) {
                known.given.stored = true;
            }
        }
    }

    /// Keys and pseudonyms of all who are stored.
    pub(super) fn stored(&self) -> Vec<([u8; 32], [u8; 16])> {
        self.book().iter().filter(|(_, known)| known.given.stored).map(|(key, known)| (*key, known.given.pseudonym)).collect()
    }

    /// Of those who were stored, whoever is not among those that the vault has counts as lost, and is brought to it again; whoever is there
    /// again counts as stored.
    pub(super) fn keep_stored(&self, stored: &[([u8; 32], [u8; 16])], present: &HashSet<([u8; 32], [u8; 16])>) {
        let mut lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let mut book = self.book();
        let of_lost: Vec<_> = lost.iter().filter_map(|key| book.get(key).map(|known| (*key, known.given.pseudonym))).collect();
        for (key, pseudonym) in stored.iter().chain(&of_lost) {
            let Some(Known { given, .. }) = book.get_mut(key).filter(|known| known.given.pseudonym == *pseudonym) else { continue };
            given.stored = present.contains(&(*key, *pseudonym));
            if !given.stored {
                lost.insert(*key);
            }
        }
    }

    /// How many were stored, were taken away, and are not stored again.
    pub(super) fn lost(&self) -> u64 {
        let mut lost = self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let book = self.book();
        lost.retain(|key| book.get(key).is_some_and(|known| !known.given.stored));
        u64::try_from(lost.len()).unwrap_or(u64::MAX)
    }

    /// Forgets whoever has one of these pseudonyms: if they come back they get a new one.
    pub(super) fn forget(&self, pseudonyms: &HashSet<[u8; 16]>) {
        self.book().retain(|_, known| !pseudonyms.contains(&known.given.pseudonym));
    }
}

impl PersonBook for Persons {
    fn pseudonym(&self, key: [u8; 32], fresh: &mut dyn FnMut() -> Option<[u8; 16]>) -> Option<Given> {
        match self.book().entry(key) {
            Slot::Occupied(mut slot) => {
                let known = slot.get_mut();
                known.shared |= !known.given.stored;
                Some(known.given)
            }
            Slot::Vacant(slot) => fresh().map(|pseudonym| slot.insert(Known::of(Given { pseudonym, stored: false })).given),
        }
    }

    fn give_back(&self, key: &[u8; 32], pseudonym: &[u8; 16]) {
        let mut book = self.book();
        if book.get(key).is_some_and(|Known { given, shared }| !given.stored && !shared && given.pseudonym == *pseudonym) {
            book.remove(key);
        }
    }
}

impl fmt::Debug for Persons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Persons({})", self.len())
    }
}

/// `ps:vault:<32 hex digits>`.
pub fn pseudonym_text(pseudonym: &[u8; 16]) -> String {
    [PREFIX, &hex::encode(pseudonym)].concat()
}

/// Reads `ps:vault:<32 lower-case hex digits>`.
pub fn parse_pseudonym(text: &str) -> Option<[u8; 16]> {
    let digits = text.strip_prefix(PREFIX)?;
    let mut bytes = [0; 16];
    (!digits.bytes().any(|b| b.is_ascii_uppercase())).then_some(())?;
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

/// What every pseudonym of a vault begins with.
const PREFIX: &str = "ps:vault:";

/// Whether a key below its log is that of an object of persons.
pub(super) fn is_name(name: &str) -> bool {
    name.strip_prefix("persons/").is_some_and(|random| is_random(random, 8))
}

/// Writes one entry.
pub(super) fn write_entry(out: &mut dyn Write, entry: &PersonEntry) -> io::Result<()> {
    let too_long = |_| io::Error::other("an id is too long");
    out.write_all(&entry.key)?;
    out.write_all(&entry.pseudonym)?;
    for text in [&entry.realm, &entry.id] {
        out.write_all(&u32::try_from(text.len()).map_err(too_long)?.to_le_bytes())?;
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Bytes of an entry.
pub(super) fn encoded_len(entry: &PersonEntry) -> usize {
    32 + 16 + 4 + 4 + entry.realm.len() + entry.id.len()
}

/// All entries of a decoded object.
pub(super) fn read_entries(plain: &[u8], key: &ObjectKey) -> Result<Vec<PersonEntry>, VaultError> {
    let mut rest = plain;
    let mut found = Vec::new();
    while !rest.is_empty() {
        found.push(take(&mut rest).ok_or_else(|| VaultError::damaged(key, "an entry in it is cut short or no text"))?);
    }
    Ok(found)
}

fn take(rest: &mut &[u8]) -> Option<PersonEntry> {
    let key = *chunk::<32>(rest)?;
    let pseudonym = *chunk::<16>(rest)?;
    let mut text = || {
        let len = usize::try_from(u32::from_le_bytes(*chunk(rest)?)).ok()?;
        Some(std::str::from_utf8(bytes(rest, len)?).ok()?.to_owned())
    };
    Some(PersonEntry { key, pseudonym, realm: text()?, id: text()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u8, id: &str) -> PersonEntry {
        PersonEntry { key: [n; 32], pseudonym: [n; 16], realm: "shop".into(), id: id.into() }
    }

    #[test]
    fn entries_come_back_as_they_went_in() {
        let mut plain = Vec::new();
        for entry in [entry(1, "alice"), entry(2, "")] {
            write_entry(&mut plain, &entry).unwrap();
        }
        assert_eq!(plain.len(), encoded_len(&entry(1, "alice")) + encoded_len(&entry(2, "")));
        let key = ObjectKey("k".into());
        let read = read_entries(&plain, &key).unwrap();
        let shown: Vec<_> = read.iter().map(|e| (e.key[0], e.pseudonym[0], e.realm.as_str(), e.id.as_str())).collect();
        assert_eq!(shown, [(1, 1, "shop", "alice"), (2, 2, "shop", "")]);
        assert!(read_entries(&plain[..plain.len() - 1], &key).is_err());
    }

    #[test]
    fn a_person_keeps_the_pseudonym_until_forgotten() {
        let persons = Persons::default();
        let first = persons.pseudonym([1; 32], || [9; 16]);
        assert_eq!(first, Given { pseudonym: [9; 16], stored: false });
        assert_eq!(persons.pseudonym([1; 32], || [8; 16]), first);
        persons.mark_stored([PersonEntry { pseudonym: [9; 16], ..entry(1, "alice") }].iter());
        assert!(persons.pseudonym([1; 32], || [8; 16]).stored);
        persons.forget(&HashSet::from([[9; 16]]));
        assert_eq!(persons.pseudonym([1; 32], || [8; 16]), Given { pseudonym: [8; 16], stored: false });
        // A batch from before the erasure stores its entry late: the new pseudonym is not taken for stored.
        persons.mark_stored([PersonEntry { pseudonym: [9; 16], ..entry(1, "alice") }].iter());
        assert!(!persons.pseudonym([1; 32], || [7; 16]).stored);
    }

    /// Guarantee: whoever was met in vain is forgotten, but not where another request was given the pseudonym, or it is stored, or another's.
    #[test]
    fn who_was_met_in_vain_is_forgotten_unless_another_met_them() {
        let given = |persons: &Persons, pseudonym: u8| PersonBook::pseudonym(persons, [1; 32], &mut || Some([pseudonym; 16])).unwrap();
        let persons = Persons::default();
        assert_eq!(given(&persons, 9).pseudonym, [9; 16]);
        persons.give_back(&[1; 32], &[9; 16]);
        assert_eq!(given(&persons, 8).pseudonym, [8; 16]);
        persons.give_back(&[1; 32], &[9; 16]);
        assert_eq!(given(&persons, 7).pseudonym, [8; 16], "another's");
        persons.give_back(&[1; 32], &[8; 16]);
        assert_eq!(given(&persons, 7).pseudonym, [8; 16], "met by two");
        let stored = Persons::default();
        stored.load([1; 32], [6; 16]);
        stored.give_back(&[1; 32], &[6; 16]);
        assert_eq!(given(&stored, 7), Given { pseudonym: [6; 16], stored: true });
    }

    #[test]
    fn of_two_entries_every_start_takes_the_same() {
        for order in [[[3; 16], [5; 16]], [[5; 16], [3; 16]]] {
            let persons = Persons::default();
            for pseudonym in order {
                persons.load([1; 32], pseudonym);
            }
            assert_eq!(persons.pseudonym([1; 32], || [0; 16]), Given { pseudonym: [3; 16], stored: true });
        }
    }

    #[test]
    fn pseudonyms_are_written_and_read_exactly() {
        let text = pseudonym_text(&[0xab; 16]);
        assert_eq!(text, "ps:vault:abababababababababababababababab");
        assert_eq!(parse_pseudonym(&text), Some([0xab; 16]));
        for bad in ["ps:vault:ab", "ps:66687aad:abababababababababababababababab", &text.to_uppercase(), &text.replace("ab", "AB")] {
            assert_eq!(parse_pseudonym(bad), None, "{bad}");
        }
    }
}
