//! A tlog client that knows nothing of us: the `tlog_tiles` crate's own reader over whatever hands out checkpoint and tiles.

use std::collections::BTreeMap;

use spanseal::tlog::note::{Checkpoint, VerifierKey};
use spanseal::worm::{WormStore, below};
use tlog_tiles::{HashReader, Tile, TileHashReader, TileReader};

/// What a server, or a bucket, holds of one log: bodies by their paths.
pub(crate) struct Held(pub(crate) BTreeMap<String, Vec<u8>>);

impl Held {
    /// All that a plain reader of the store sees of a log's tiles, and its checkpoint.
    pub(crate) async fn of(store: &dyn WormStore, log: &str) -> Self {
        let mut held = BTreeMap::new();
        let tiles = store.list(&format!("{log}/tile/"), None, usize::MAX).await.unwrap();
        let keys = tiles.into_iter().filter(|v| v.is_latest && !v.is_delete_marker).map(|v| v.key).chain([below(log, "checkpoint")]);
        for key in keys {
            if let Some(bytes) = store.get(&key, None, u64::MAX).await.unwrap() {
                held.insert(key.as_str().split_once('/').unwrap().1.to_owned(), bytes.to_vec());
            }
        }
        Held(held)
    }

    /// Walks the whole log: every tile authenticated by the checkpoint's root, every entry by its leaf. The size, and the entries; or what
    /// is wrong.
    pub(crate) fn walk(&self, key: &VerifierKey) -> Result<(u64, Vec<Vec<u8>>), String> {
        let note = self.0.get("checkpoint").ok_or("no checkpoint")?;
        let checkpoint = Checkpoint::open(std::str::from_utf8(note).unwrap(), key).map_err(|e| e.to_string())?;
        let size = checkpoint.size.0;
        let mut entries = Vec::new();
        for tile in Tile::new_tiles(8, 0, size).into_iter().filter(|t| t.level() == 0) {
            let path = path(&tile).replacen("tile/0/", "tile/entries/", 1);
            let mut bundle = self.0.get(&path).ok_or(format!("no {path}"))?.as_slice();
            for _ in 0..tile.width() {
                let (length, rest) = bundle.split_first_chunk::<2>().ok_or(format!("{path} is short"))?;
                let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(format!("{path} is short"))?;
                entries.push(entry.to_vec());
                bundle = rest;
            }
            if !bundle.is_empty() {
                return Err(format!("{path} is long"));
            }
        }
        let root = tlog_tiles::Hash(checkpoint.root.0.0);
        let reader = TileHashReader::new(size, root, self);
        let indexes: Vec<u64> = (0..size).map(|n| tlog_tiles::stored_hash_index(0, n)).collect();
        let leaves = reader.read_hashes(&indexes).map_err(|e| format!("{e:?}"))?;
        match leaves.iter().zip(&entries).position(|(leaf, entry)| tlog_tiles::record_hash(entry) != *leaf) {
            Some(wrong) => Err(format!("entry {wrong} is not the one of its leaf")),
            None => Ok((size, entries)),
        }
    }
}

impl TileReader for Held {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        tiles.iter().map(|tile| self.0.get(&path(tile)).cloned().ok_or(tlog_tiles::Error::InvalidTile)).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// C2SP paths leave the height out.
fn path(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}
