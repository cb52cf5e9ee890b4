//! The right edge of a growing tree: all that is needed to write its tiles.

use super::{HEIGHT, Tile, WIDTH, nodes_at, partials};
use crate::tlog::merkle::{CompactRange, node_hash, root_of};
use crate::tlog::{Hash, LeafHash, TreeSize};

/// A full tile and its nodes.
pub type Full = (Tile, Vec<Hash>);

/// The nodes of the tiles that are not full yet, at most 255 a level, and the compact range that they fold to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    levels: Vec<Vec<Hash>>,
    range: CompactRange,
}

impl Edge {
    /// The edge of a tree of this size, from the nodes of its partial tiles, lowest level first; a level without a partial tile is empty.
    /// `None` where there are too many or too few. Whether they are the right ones, [`range`](Self::range) tells.
    pub fn from_levels(size: TreeSize, mut levels: Vec<Vec<Hash>>) -> Option<Self> {
        levels.resize(levels.len().max(usize::from(HEIGHT)), Vec::new());
        let fits = (0..HEIGHT).zip(&levels).all(|(level, nodes)| {
            let width = nodes_at(level, size) % u64::from(WIDTH);
            u64::try_from(nodes.len()).is_ok_and(|nodes| nodes == width)
        });
        (fits && levels.len() == usize::from(HEIGHT)).then_some(())?;
        let mut nodes = Vec::new();
        for level in levels.iter().rev() {
            let mut part = CompactRange::new();
            for node in level {
                part.append(LeafHash(*node));
            }
            nodes.extend_from_slice(part.nodes());
        }
        Some(Edge { levels, range: CompactRange::from_nodes(size, nodes)? })
    }

    /// Leaves so far.
    pub fn size(&self) -> TreeSize {
        self.range.size()
    }

    /// Appends a leaf. Answers with the full tiles that it completes, lowest level first.
    pub fn push(&mut self, leaf: LeafHash) -> Vec<Full> {
        let mut completed = Vec::new();
        let mut node = leaf.0;
        self.range.append(leaf);
        for level in 0..HEIGHT {
            if self.levels.len() <= usize::from(level) {
                self.levels.push(Vec::new());
            }
            let Some(nodes) = self.levels.get_mut(usize::from(level)) else { break };
            nodes.push(node);
            if nodes.len() < usize::from(WIDTH) {
                break;
            }
            let full = std::mem::take(nodes);
            // Nodes of a level: 256 of them are a perfect subtree, whose root is theirs.
            node = root_over(&full);
            let number = (nodes_at(level, self.size()) / u64::from(WIDTH)).saturating_sub(1);
            completed.extend(Tile::new(level, number, WIDTH).map(|tile| (tile, full)));
        }
        completed
    }

    /// The partial tiles of the tree as it is, lowest level first.
    pub fn partials(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        partials(self.size()).filter_map(|tile| Some((tile, self.levels.get(usize::from(tile.level()))?.as_slice())))
    }

    /// The same edge as the compact range of the tree, which seals state.
    pub fn range(&self) -> &CompactRange {
        &self.range
    }
}

/// Root of a perfect subtree over nodes.
fn root_over(nodes: &[Hash]) -> Hash {
    let leaves: Vec<LeafHash> = nodes.iter().map(|n| LeafHash(*n)).collect();
    root_of(&leaves).0
}

/// Root of the perfect subtree of 2^`level` leaves that ends with this leaf, `before` being the compact range of the tree before it. `None`
/// where no such subtree ends there.
///
/// So one seal, which states that range and is signed, tells the root of any full tile that it completes.
pub fn perfect_root(before: &CompactRange, leaf: LeafHash, level: u8) -> Option<Hash> {
    // Each trailing one bit of the size before is a perfect subtree to the left, the smallest last.
    (before.size().0.trailing_ones() >= u32::from(level)).then_some(())?;
    let left = before.nodes().iter().rev().take(usize::from(level));
    Some(left.fold(leaf.0, |right, left| node_hash(*left, right)))
}
