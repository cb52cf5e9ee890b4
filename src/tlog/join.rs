//! What joins a seal to a later checkpoint: the seals and full tiles from which its inclusion in that tree is proved (pure).
//!
//! A seal states the compact range before it, so it has all that stands left of its own path, and the last seal below a perfect subtree has
//! that subtree's root. So the seal itself, the one that carries the checkpoint, and one for each perfect subtree between them prove it,
//! a few dozen however long the log is; full tiles, where they are there by now, let standard clients do the same. Partial tiles are no
//! evidence, and are not needed.

use std::collections::BTreeSet;

use super::tile::{HEIGHT, Tile, WIDTH, inclusion_plan};
use super::{LeafIndex, TreeSize};

/// See the module. All of one seal, to as many checkpoints as are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    seal: u64,
    now: TreeSize,
    /// Seals, its own among them.
    pub seals: BTreeSet<u64>,
    /// Full tiles.
    pub tiles: BTreeSet<Tile>,
    /// The full tile of level 0 beside which its own entry lies, if there is one by now.
    pub bundle: Option<Tile>,
}

impl Join {
    /// Of a seal in a tree that has this size by now, to no checkpoint yet.
    pub fn new(seal: u64, now: TreeSize) -> Self {
        let own = Tile::new(0, seal >> HEIGHT, WIDTH).filter(|tile| tile.is_of(now));
        Join { seal, now, seals: BTreeSet::from([seal]), tiles: own.into_iter().collect(), bundle: own }
    }

    /// And to the checkpoint of a tree of this size, which the seal before it carries. One that does not have the seal joins nothing.
    #[must_use]
    pub fn to(mut self, size: TreeSize) -> Self {
        let Some(plan) = inclusion_plan(LeafIndex(self.seal), size).filter(|_| size <= self.now) else { return self };
        self.seals.extend(size.0.checked_sub(1));
        self.seals.extend(plan.nodes().filter_map(super::tile::Node::last).filter(|last| *last > self.seal));
        self.tiles.extend(plan.tiles(self.now).into_iter().filter(|tile| tile.is_full()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::merkle::{CompactRange, leaf_hash, root_from_inclusion, root_of};
    use crate::tlog::tile::perfect_root;
    use crate::tlog::{Hash, LeafHash};
    use std::collections::BTreeMap;

    fn leaf(n: u64) -> LeafHash {
        leaf_hash(&n.to_be_bytes())
    }

    /// Scenario: of a log only the seals that join a seal to a checkpoint are left, each with its leaf and the range before it. Guarantee:
    /// they prove its inclusion, for every seal and size; and they are few.
    #[test]
    fn the_seals_alone_prove_inclusion() {
        const SIZE: u64 = 70;
        let leaves: Vec<LeafHash> = (0..SIZE).map(leaf).collect();
        let mut before = vec![CompactRange::new()];
        for leaf in &leaves {
            let mut next = before.last().unwrap().clone();
            next.append(*leaf);
            before.push(next);
        }
        for size in 1..=SIZE {
            for seal in 0..size {
                let join = Join::new(seal, TreeSize(SIZE)).to(TreeSize(size));
                assert!(join.seals.contains(&seal) && join.seals.contains(&(size - 1)) && join.seals.len() <= 16, "{join:?}");
                assert!(join.seals.first() == Some(&seal), "what stands left of it, it says itself: {join:?}");
                // Every perfect subtree that such a seal ends, and those in its range.
                let mut known: BTreeMap<(u8, u64), Hash> = BTreeMap::new();
                for last in &join.seals {
                    let range = &before[usize::try_from(*last).unwrap()];
                    let mut first = 0;
                    for node in range.nodes() {
                        let height = u8::try_from((last - first).ilog2()).unwrap();
                        known.insert((height, first >> height), *node);
                        first += 1 << height;
                    }
                    for height in 0..8 {
                        if let Some(root) = perfect_root(range, leaf(*last), height) {
                            known.insert((height, last >> height), root);
                        }
                    }
                }
                let plan = inclusion_plan(LeafIndex(seal), TreeSize(size)).unwrap();
                let path = plan.path(|node| known.get(&(node.level, node.index)).copied());
                let path = path.unwrap_or_else(|| panic!("seal {seal} in a tree of {size} from {:?}", join.seals));
                let root = root_from_inclusion(leaf(seal), LeafIndex(seal), TreeSize(size), &path);
                assert_eq!(root, Some(root_of(&leaves[..usize::try_from(size).unwrap()])));
            }
        }
    }

    #[test]
    fn tiles_are_the_full_ones_of_now() {
        let tile = |level, number| Tile::new(level, number, WIDTH).unwrap();
        let join = Join::new(3, TreeSize(255)).to(TreeSize(100));
        assert_eq!((join.tiles.len(), join.bundle), (0, None));
        let join = Join::new(3, TreeSize(256)).to(TreeSize(100));
        assert_eq!((join.tiles, join.bundle), (BTreeSet::from([tile(0, 0)]), Some(tile(0, 0))));
        // Of the second tile only the root is needed, which stands in a tile of level 1 that is not full; the third was not full then, and is now.
        let join = Join::new(3, TreeSize(1000)).to(TreeSize(600));
        assert_eq!(join.tiles, BTreeSet::from([tile(0, 0), tile(0, 2)]));
        let join = Join::new(3, TreeSize(65_536)).to(TreeSize(600));
        assert_eq!(join.tiles, BTreeSet::from([tile(0, 0), tile(0, 2), tile(1, 0)]));
        let beyond = Join::new(3, TreeSize(10));
        assert_eq!(beyond.clone().to(TreeSize(11)), beyond, "a tree that is not there yet");
        assert_eq!(beyond.clone().to(TreeSize(3)), beyond, "a tree without the seal");
    }
}
