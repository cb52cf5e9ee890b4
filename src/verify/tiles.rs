//! The C2SP tiles beside the log: derived from the seals, so they are re-derived and compared. What standard tlog clients are shown
//! must be the log; that a tile is absent loses nothing.
//!
//! Source: C2SP tlog-tiles@v1.0.0, "Merkle Tree" and "Log Entries".

use super::objects::Scene;
use super::report::{Item, Kind, Sink};
use crate::tlog::merkle::{leaf_hash, root_of};
use crate::tlog::{Hash, LeafHash};
use crate::worm::{ENTRY_BYTES_MAX, ReadError, below};

/// Hashes in a full tile.
const WIDTH: usize = 256;
/// Most bytes of an entry bundle: 256 entries with two length bytes each.
const BUNDLE_BYTES_MAX: usize = WIDTH * (ENTRY_BYTES_MAX + 2);

/// The right edge of the tree, a tile a level, while seals are walked from the first.
#[derive(Default)]
pub(super) struct Tiles {
    size: u64,
    levels: Vec<Vec<Hash>>,
    absent: u64,
    present: u64,
}

impl Tiles {
    /// Adds the next seal's leaf; compares each tile that it completes, and the partial ones of the published size.
    ///
    /// Tiles of sizes that were not published yet may lag, as the checkpoint does: they are not looked at. Answers with the full ones that
    /// are there: they must be locked.
    pub(super) async fn push(&mut self, scene: Scene<'_>, leaf: LeafHash, published: Option<u64>, sink: &mut Sink) -> Vec<String> {
        let mut completed = Vec::new();
        self.size += 1;
        let mut node = leaf.0;
        let mut level = 0;
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(level) else { return completed };
            hashes.push(node);
            if hashes.len() < WIDTH {
                break;
            }
            let full = std::mem::take(hashes);
            if published.is_some_and(|size| self.size <= size) {
                completed.extend(self.compare(scene, level, &full, sink).await);
            }
            // Hashes of a level are nodes of the tree: 256 of them are a perfect subtree, whose root is theirs.
            node = subtree(&full);
            level += 1;
        }
        if published == Some(self.size) {
            let partial: Vec<(usize, Vec<Hash>)> = self.levels.iter().cloned().enumerate().filter(|(_, h)| !h.is_empty()).collect();
            for (level, hashes) in partial {
                self.compare(scene, level, &hashes, sink).await;
            }
        }
        completed
    }

    /// One tile, and at level 0 the entry bundle beside it. Answers with those that are there, and right.
    async fn compare(&mut self, scene: Scene<'_>, level: usize, hashes: &[Hash], sink: &mut Sink) -> Vec<String> {
        let mut tile_width = 1_u64;
        for _ in 0..=level {
            tile_width = tile_width.saturating_mul(256);
        }
        let number = self.size.saturating_sub(1) / tile_width;
        // Behind a full tile the level is empty, and `size` is its end: the tile is the one that ends there.
        let path = path(number, hashes.len());
        let object = format!("tile/{level}/{path}");
        let expected: Vec<u8> = hashes.iter().flat_map(|h| h.0).collect();
        let tile = self.object(scene, object, expected.len(), sink, |bytes| bytes == expected.as_slice()).await;
        let mut found = Vec::from_iter(tile);
        if level == 0 {
            found
                .extend(self.object(scene, format!("tile/entries/{path}"), BUNDLE_BYTES_MAX, sink, |bytes| is_bundle(bytes, hashes)).await);
        }
        found
    }

    async fn object(
        &mut self,
        scene: Scene<'_>,
        object: String,
        limit: usize,
        sink: &mut Sink,
        is_right: impl FnOnce(&[u8]) -> bool,
    ) -> Option<String> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        match scene.store.get(&below(scene.log, &object), None, limit).await {
            Ok(None) => self.absent += 1,
            Ok(Some(bytes)) if is_right(&bytes) => {
                self.present += 1;
                return Some(object);
            }
            Ok(Some(_)) | Err(ReadError::TooLarge { .. }) => {
                let meaning = "This tile is not the one that the seals give. The seals are the log and were verified; clients that read tiles are \
                               shown something else. Let the writer make the tile anew and find out who changed it.";
                sink.finding(Item::new(Kind::TileWrong, object, meaning).expected("the tile that the seals give").intact());
            }
            Err(error) => sink.unchecked(&object, None, error),
        }
        None
    }

    /// A log that never published tiles owes none: only where some are there are the others missed.
    pub(super) async fn end(&self, scene: Scene<'_>, sink: &mut Sink) {
        if self.absent == 0 {
            return;
        }
        let published = match self.present {
            0 => scene.store.list(&format!("{}/tile/", scene.log), None, 1).await.map(|listed| !listed.is_empty()),
            _ => Ok(true),
        };
        let published = match published {
            Ok(published) => published,
            Err(error) => return sink.unchecked("tile/", None, error),
        };
        if published {
            let meaning = "Tiles of the published checkpoint are not there, so standard tlog clients cannot read the log from this store. \
                           Nothing is lost: they are derived from the seals.";
            let found = format!("{} absent, {} as the seals give them", self.absent, self.present);
            sink.note(Item::new(Kind::TileAbsent, "tile/", meaning).found(found).intact());
        }
    }
}

/// Root of a perfect subtree over nodes.
fn subtree(nodes: &[Hash]) -> Hash {
    let leaves: Vec<LeafHash> = nodes.iter().map(|n| LeafHash(*n)).collect();
    root_of(&leaves).0
}

/// `x001/x234/067`, with `.p/<width>` where the tile is partial.
fn path(number: u64, width: usize) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    if width < WIDTH { format!("{path}.p/{width}") } else { path }
}

/// Entries with their big-endian lengths, whose leaf hashes are these.
fn is_bundle(mut bytes: &[u8], leaves: &[Hash]) -> bool {
    for leaf in leaves {
        let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return false };
        let Some((entry, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))) else { return false };
        if leaf_hash(entry).0 != *leaf {
            return false;
        }
        bytes = rest;
    }
    bytes.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        for (number, width, expected) in
            [(0, 256, "000"), (5, 112, "005.p/112"), (1000, 256, "x001/000"), (1_234_067, 256, "x001/x234/067"), (255, 1, "255.p/1")]
        {
            assert_eq!(path(number, width), expected);
        }
    }

    #[test]
    fn the_root_over_nodes_is_the_root_over_their_leaves() {
        let leaves: Vec<_> = (0..16_u8).map(|i| leaf_hash(&[i])).collect();
        let pairs: Vec<Hash> = leaves.chunks(2).map(|pair| root_of(pair).0).collect();
        assert_eq!(subtree(&pairs), root_of(&leaves).0);
    }
}
