//! The C2SP tiles beside the log: derived from the seals, so they are re-derived and compared. What standard tlog clients are shown
//! must be the log; that a tile is absent loses nothing.
//!
//! Source: C2SP tlog-tiles@v1.0.0, "Merkle Tree" and "Log Entries".

use bytes::Bytes;

use super::objects::Scene;
use super::report::{Item, Kind, Sink};
use crate::tlog::merkle::leaf_hash;
use crate::tlog::tile::{Edge, Tile, encode, entries};
use crate::tlog::{Hash, LeafHash};
use crate::worm::{ReadError, below};

/// The tiles of the tree, while seals are walked from the first.
#[derive(Default)]
pub(super) struct Tiles {
    edge: Edge,
    absent: u64,
    present: u64,
}

impl Tiles {
    /// Adds the next seal's leaf; compares each tile that it completes, and the partial ones of the published size.
    ///
    /// Tiles of sizes that were not published yet may lag, as the checkpoint does: they are not looked at. Answers with the full ones that
    /// are there: they must be locked.
    pub(super) async fn push(&mut self, scene: Scene<'_>, leaf: LeafHash, published: Option<u64>, sink: &mut Sink) -> Vec<String> {
        let mut found = Vec::new();
        let completed = self.edge.push(leaf);
        let size = self.edge.size().0;
        if published.is_some_and(|published| size <= published) {
            for (tile, nodes) in completed {
                found.extend(self.compare(scene, tile, &nodes, sink).await);
            }
        }
        if published == Some(size) {
            let partials: Vec<(Tile, Vec<Hash>)> = self.edge.partials().map(|(tile, nodes)| (tile, nodes.to_vec())).collect();
            for (tile, nodes) in partials {
                self.compare(scene, tile, &nodes, sink).await;
            }
        }
        found
    }

    /// One tile, and at level 0 the entry bundle beside it. Answers with those that are there, and right.
    async fn compare(&mut self, scene: Scene<'_>, tile: Tile, nodes: &[Hash], sink: &mut Sink) -> Vec<String> {
        let expected = encode(nodes);
        let hashes = self.object(scene, tile.path(), tile.bytes(), sink, |bytes| bytes == expected.as_slice()).await;
        let mut found = Vec::from_iter(hashes);
        if tile.level() == 0 {
            let is_bundle =
                |bytes: &[u8]| entries(bytes).is_some_and(|entries| entries.iter().map(|e| leaf_hash(e).0).eq(nodes.iter().copied()));
            found.extend(self.object(scene, tile.entries_path(), tile.entries_bytes_max(), sink, is_bundle).await);
        }
        found
    }

    async fn object(
        &mut self,
        scene: Scene<'_>,
        object: String,
        limit: u64,
        sink: &mut Sink,
        is_right: impl Fn(&[u8]) -> bool,
    ) -> Option<String> {
        match scene.store.get(&below(scene.log, &object), None, limit).await {
            Ok(None) => match hidden(scene, &object, limit).await {
                Ok(Some(bytes)) if is_right(&bytes) => {
                    self.present += 1;
                    let meaning = "Somebody issued a DELETE: standard tlog clients no longer see this tile, but its locked version is still there \
                                   and was compared. Remove the delete marker and find out who sent the DELETE.";
                    sink.finding(Item::new(Kind::Hidden, object, meaning).expected("no delete marker").intact());
                }
                Ok(_) => self.absent += 1,
                Err(error) => sink.unchecked(&object, None, error),
            },
            Ok(Some(bytes)) if is_right(&bytes) => {
                self.present += 1;
                return Some(object);
            }
            Ok(Some(_)) | Err(ReadError::TooLarge { .. }) => {
                let meaning = "This tile is not the one that the seals give. The seals are the log and were verified; clients that read tiles are \
                               shown something else. Find out who changed it, and take it away: on a store with versions the version over the \
                               true one, in a folder the file.";
                sink.finding(Item::new(Kind::TileWrong, object, meaning).expected("the tile that the seals give").intact());
            }
            Err(error) => sink.unchecked(&object, None, error),
        }
        None
    }

    /// A log need not have tiles; that they are missed is told, and proves nothing.
    pub(super) async fn end(&self, scene: Scene<'_>, sink: &mut Sink) {
        if self.absent == 0 {
            return;
        }
        let any = match self.present {
            0 => scene.store.list(&format!("{}/tile/", scene.log), None, 1).await.map(|listed| !listed.is_empty()),
            _ => Ok(true),
        };
        let meaning = match any {
            Ok(true) => {
                "Tiles of the published checkpoint are not there, so standard tlog clients cannot read the log from this store. Nothing is lost: \
                 they are derived from the seals."
            }
            Ok(false) => {
                "A checkpoint is published, and no tile at all is there: none were ever written, or all were taken away. Standard tlog clients cannot \
                 read the log from this store. Nothing is lost: they are derived from the seals."
            }
            Err(error) => return sink.unchecked("tile/", None, error),
        };
        let found = format!("{} absent, {} as the seals give them", self.absent, self.present);
        sink.note(Item::new(Kind::TileAbsent, "tile/", meaning).found(found).intact());
    }
}

/// What a delete marker hides: the oldest version of a tile that nobody sees, where it is locked. A marker over what is not locked, a partial
/// tile, is nothing to speak of: the writer makes it anew.
async fn hidden(scene: Scene<'_>, object: &str, limit: u64) -> Result<Option<Bytes>, ReadError> {
    let key = below(scene.log, object);
    let versions = scene.store.versions(&key).await?;
    let Some(oldest) = versions.iter().rev().find(|v| !v.is_delete_marker) else { return Ok(None) };
    let locked = scene.store.head(&key, oldest.id.as_ref()).await?.and_then(|head| head.lock);
    match locked.filter(|lock| lock.retain_until > scene.now) {
        Some(_) => scene.store.get(&key, oldest.id.as_ref(), limit).await,
        None => Ok(None),
    }
}
