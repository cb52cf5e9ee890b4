//! Which objects a segment's evidence is made of (`store.md`, "Evidence lock"): its seal, and the seals, full tiles, cosignatures and time
//! stamps that join it to the first cosigned and to the first time-stamped checkpoint after it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::query::log::LogReader;
use crate::seal::retried;
use crate::timestamp::{Roots, verify};
use crate::tlog::join::Join;
use crate::tlog::note::UnverifiedCheckpoint;
use crate::tlog::seal_file::SealFile;
use crate::tlog::tile::Tile;
use crate::tlog::{Hash, TreeSize};
use crate::worm::{
    NOTE_FILE_BYTES_MAX, ObjectKey, ReadError, SEAL_BYTES_MAX, Version, WormStore, below, parse_cosignature_name, parse_timestamp_name,
    seal_key,
};

/// Objects of one folder that are looked at: no log has so many witnesses, and an intruder may plant millions.
const FOLDER_MAX: usize = 256;
/// Folders without a word about their seal that are passed over before nobody's word is believed to be there.
const JUNK_MAX: usize = 64;

/// One or several objects of evidence, without their versions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Place {
    /// A seal.
    Seal(u64),
    /// A full tile.
    Tile(Tile),
    /// The entries beside a full tile of level 0.
    Bundle(Tile),
    /// What one said of a checkpoint.
    Said(ObjectKey),
}

/// Who said something of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Cosigned,
    Stamped,
}

impl Word {
    fn folder(self) -> &'static str {
        match self {
            Word::Cosigned => "cosignatures",
            Word::Stamped => "timestamps",
        }
    }

    /// Whether it is about the checkpoint of this seal.
    fn is_of(self, seal: &SealFile, said: &[u8]) -> bool {
        match self {
            Word::Cosigned => {
                let note = std::str::from_utf8(said).ok().and_then(|note| UnverifiedCheckpoint::parse(note).ok());
                note.is_some_and(|note| Some(note.note.text) == text_of(seal))
            }
            Word::Stamped => verify(said, Hash::of(seal.checkpoint.as_bytes()), &Roots::default()).is_ok(),
        }
    }

    fn seal_of(self, below_log: &str) -> Option<u64> {
        match self {
            Word::Cosigned => parse_cosignature_name(below_log).map(|(index, _)| index),
            Word::Stamped => parse_timestamp_name(below_log).map(|(index, _)| index),
        }
    }
}

/// The first seal that somebody said something of, from an index on, as it was found last: seals are asked for in order.
#[derive(Debug, Default)]
struct Found {
    from: u64,
    /// With what was said. `None`: nobody said anything of a seal from there on.
    first: Option<(u64, Vec<ObjectKey>)>,
    known: bool,
}

/// From whom a word is to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Witnesses are configured.
    pub cosigned: bool,
    /// Time stamping authorities are.
    pub stamped: bool,
}

/// Finds the places of one seal after the other.
pub(super) struct Places<'l> {
    store: Arc<dyn WormStore>,
    log: &'l LogReader,
    expected: Expected,
    cosigned: Found,
    stamped: Found,
}

/// The places of one seal.
pub(super) struct Of {
    /// In the order in which they are to be locked.
    pub(super) places: BTreeSet<Place>,
    /// Whether all from whom a word is to come have said it of the seal, or of one after it.
    pub(super) is_joined: bool,
}

impl<'l> Places<'l> {
    pub(super) fn new(store: Arc<dyn WormStore>, log: &'l LogReader, expected: Expected) -> Self {
        Places { store, log, expected, cosigned: Found::default(), stamped: Found::default() }
    }

    /// Of the seal with this index.
    pub(super) async fn of(&mut self, seal: u64) -> Result<Of, ReadError> {
        let mut join = Join::new(seal, TreeSize(self.log.size()));
        let mut said = BTreeSet::new();
        let mut is_joined = true;
        for (word, expected) in [(Word::Cosigned, self.expected.cosigned), (Word::Stamped, self.expected.stamped)] {
            match self.first(word, seal).await? {
                Some((index, keys)) => {
                    join = join.to(TreeSize(index.saturating_add(1)));
                    said.extend(keys.into_iter().map(Place::Said));
                }
                None => is_joined &= !expected,
            }
        }
        let seals = join.seals.iter().copied().map(Place::Seal);
        let tiles = join.tiles.iter().copied().map(Place::Tile).chain(join.bundle.map(Place::Bundle));
        Ok(Of { places: seals.chain(tiles).chain(said).collect(), is_joined })
    }

    async fn first(&mut self, word: Word, seal: u64) -> Result<Option<(u64, Vec<ObjectKey>)>, ReadError> {
        let found = match word {
            Word::Cosigned => &self.cosigned,
            Word::Stamped => &self.stamped,
        };
        let still = found.known && found.from <= seal && found.first.as_ref().is_none_or(|(index, _)| *index >= seal);
        if still {
            return Ok(found.first.clone());
        }
        let first = self.look(word, seal).await?;
        let found = Found { from: seal, first: first.clone(), known: true };
        match word {
            Word::Cosigned => self.cosigned = found,
            Word::Stamped => self.stamped = found,
        }
        Ok(first)
    }

    async fn look(&self, word: Word, seal: u64) -> Result<Option<(u64, Vec<ObjectKey>)>, ReadError> {
        let prefix = format!("{}/{}/", self.log.name(), word.folder());
        let mut after = ObjectKey(format!("{prefix}{seal:020}"));
        let mut junk = 0;
        while junk < JUNK_MAX {
            let listed = retried(|| self.store.list(&prefix, Some(&after), 1)).await?;
            let Some(first) = listed.into_iter().next() else { return Ok(None) };
            let index = below_log(self.log.name(), &first.key).and_then(|name| word.seal_of(name));
            let Some(index) = index.filter(|index| *index < self.log.size()) else {
                after = first.key;
                junk += 1;
                continue;
            };
            let keys = self.said_of(word, index).await?;
            if !keys.is_empty() {
                return Ok(Some((index, keys)));
            }
            after = ObjectKey(format!("{prefix}{index:020}0"));
            junk += 1;
        }
        Ok(None)
    }

    /// The objects of a seal's folder, where one of them is about its checkpoint.
    ///
    /// KNOWN GAP: who said it is not asked, for that needs keys that an auditor brings. Whoever may put objects there can so have a segment
    /// joined to a checkpoint of which nobody that anybody trusts has said a word, and what is said of a later one is then not kept.
    async fn said_of(&self, word: Word, index: u64) -> Result<Vec<ObjectKey>, ReadError> {
        let prefix = format!("{}/{}/{index:020}/", self.log.name(), word.folder());
        let listed = retried(|| self.store.list(&prefix, None, FOLDER_MAX)).await?;
        let mut keys: Vec<ObjectKey> = listed.into_iter().filter(|version| !version.is_delete_marker).map(|version| version.key).collect();
        keys.dedup();
        keys.retain(|key| below_log(self.log.name(), key).and_then(|name| word.seal_of(name)) == Some(index));
        let seals = self.log.seals(index..index.saturating_add(1)).await?;
        let Some(seal) = seals.found.get(&index) else { return Ok(Vec::new()) };
        for key in &keys {
            for version in self.data(key).await? {
                let said = match retried(|| self.store.get(key, version.id.as_ref(), NOTE_FILE_BYTES_MAX)).await {
                    Err(ReadError::TooLarge { .. }) => None,
                    read => read?,
                };
                if said.is_some_and(|said| word.is_of(seal, &said)) {
                    return Ok(keys);
                }
            }
        }
        Ok(Vec::new())
    }

    /// The versions of a place that are meant, each with its key. None: it is not there.
    pub(super) async fn versions(&self, place: &Place) -> Result<Vec<Version>, ReadError> {
        let log = self.log.name();
        match place {
            Place::Seal(index) => self.seal(*index).await,
            Place::Tile(tile) => self.data(&below(log, &tile.path())).await,
            Place::Bundle(tile) => self.data(&below(log, &tile.entries_path())).await,
            Place::Said(key) => self.data(key).await,
        }
    }

    /// All versions with data. One that somebody put there besides is kept too: which one counts is for `verify` to say.
    async fn data(&self, key: &ObjectKey) -> Result<Vec<Version>, ReadError> {
        let versions = retried(|| self.store.versions(key)).await?;
        // Newest first; the oldest are ours.
        Ok(versions.into_iter().filter(|version| !version.is_delete_marker).rev().take(VERSIONS_MAX).collect())
    }

    async fn seal(&self, index: u64) -> Result<Vec<Version>, ReadError> {
        let versions = self.data(&seal_key(self.log.name(), index)).await?;
        if versions.len() <= 1 {
            return Ok(versions);
        }
        let seals = self.log.seals(index..index.saturating_add(1)).await?;
        let Some(bytes) = seals.found.get(&index).and_then(|seal| seal.to_bytes().ok()) else { return Ok(versions) };
        for version in &versions {
            let read = match retried(|| self.store.get(&version.key, version.id.as_ref(), SEAL_BYTES_MAX)).await {
                Err(ReadError::TooLarge { .. }) => None,
                read => read?,
            };
            if read.is_some_and(|read| read == bytes) {
                return Ok(vec![version.clone()]);
            }
        }
        Ok(versions)
    }
}

/// Versions of one key that are looked at.
const VERSIONS_MAX: usize = 16;

fn below_log<'k>(log: &str, key: &'k ObjectKey) -> Option<&'k str> {
    key.as_str().strip_prefix(log)?.strip_prefix('/')
}

fn text_of(seal: &SealFile) -> Option<String> {
    UnverifiedCheckpoint::parse(&seal.checkpoint).ok().map(|read| read.note.text)
}
