//! Roots and proofs out of tiles: first which nodes are needed, so that a caller can fetch their tiles, then what they make.

use std::collections::{BTreeMap, BTreeSet};

use super::{HEIGHT, Tile, WIDTH, nodes_at};
use crate::tlog::merkle::{empty_root, node_hash, split_at};
use crate::tlog::{Hash, LeafIndex, RootHash, TreeSize};

/// A node of the tree: the root over the leaves `index << level` to `(index + 1) << level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Height above the leaves, 0 to 63.
    pub level: u8,
    /// Place within its level, from 0.
    pub index: u64,
}

impl Node {
    /// Level and number of the tile from which it is computed, and which of that tile's nodes it is the root of.
    fn within(self) -> (u8, u64, std::ops::Range<usize>) {
        let below = self.level % HEIGHT;
        let number = self.index >> (HEIGHT - below);
        let first = usize::try_from((self.index << below) % u64::from(WIDTH)).unwrap_or(usize::MAX);
        (self.level / HEIGHT, number, first..first.saturating_add(1 << below))
    }

    /// Index of the last leaf below it; `None` where no tree has it.
    pub fn last(self) -> Option<u64> {
        (u128::from(self.index) + 1).checked_shl(self.level.into()).and_then(|end| u64::try_from(end - 1).ok())
    }

    /// The tile of a tree of this size from which it is computed; `None` where the tree does not have the node.
    pub fn tile(self, size: TreeSize) -> Option<Tile> {
        let (level, number, within) = self.within();
        let wide = nodes_at(level, size).saturating_sub(number.saturating_mul(u64::from(WIDTH))).min(u64::from(WIDTH));
        let wide = u16::try_from(wide).ok().filter(|wide| within.end <= usize::from(*wide))?;
        Tile::new(level, number, wide)
    }
}

/// What a path is made of: each step is the root over some nodes, largest subtree first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Plan {
    steps: Vec<Vec<Node>>,
}

impl Plan {
    /// All nodes that are needed.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.steps.iter().flatten().copied()
    }

    /// The tiles of a tree of this size that hold them, each once: what a caller has to fetch.
    pub fn tiles(&self, size: TreeSize) -> BTreeSet<Tile> {
        self.nodes().filter_map(|node| node.tile(size)).collect()
    }

    /// The path. `None` where a node is not there.
    pub fn path(&self, mut node: impl FnMut(Node) -> Option<Hash>) -> Option<Vec<Hash>> {
        let mut fold = |step: &Vec<Node>| {
            let mut hashes = step.iter().rev().map(|n| node(*n));
            let last = hashes.next()??;
            hashes.try_fold(last, |right, left| Some(node_hash(left?, right)))
        };
        self.steps.iter().map(&mut fold).collect()
    }
}

/// The perfect subtrees over the leaves `first` to `end`, largest first, where `first` begins a subtree of the tree.
fn subtrees(mut first: u64, end: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    while let Some(height) = end.saturating_sub(first).checked_ilog2() {
        nodes.push(Node { level: u8::try_from(height).unwrap_or(u8::MAX), index: first >> height });
        first += 1 << height;
    }
    nodes
}

/// Of the root: its one step is the tree's compact range. Of the empty tree there is none.
pub fn root_plan(size: TreeSize) -> Plan {
    Plan { steps: Some(subtrees(0, size.0)).filter(|nodes| !nodes.is_empty()).into_iter().collect() }
}

/// Of `PATH(index, D[size])` (RFC 6962 section 2.1.1), from the leaf upwards. `None` where there is no such leaf.
pub fn inclusion_plan(index: LeafIndex, size: TreeSize) -> Option<Plan> {
    subset_plan(&[index], size)
}

/// Of the proof for several leaves at once ([`subset_path`](crate::tlog::merkle::subset_path)), given ascending. `None` unless there is at
/// least one, and the tree has them all.
pub fn subset_plan(shown: &[LeafIndex], size: TreeSize) -> Option<Plan> {
    (shown.is_sorted_by(|a, b| a < b) && shown.last()?.0 < size.0).then_some(())?;
    let mut steps = Vec::new();
    prune(0, size.0, shown, &mut steps);
    Some(Plan { steps })
}

fn prune(first: u64, end: u64, shown: &[LeafIndex], steps: &mut Vec<Vec<Node>>) {
    if shown.is_empty() {
        steps.push(subtrees(first, end));
    } else if end - first > 1 {
        let middle = first + split_at(end - first);
        let (before, behind) = shown.split_at(shown.partition_point(|at| at.0 < middle));
        if before.is_empty() {
            prune(middle, end, behind, steps);
            prune(first, middle, before, steps);
        } else {
            prune(first, middle, before, steps);
            prune(middle, end, behind, steps);
        }
    }
}

/// Of `PROOF(old, D[new])` (RFC 6962 section 2.1.2). `None` unless 0 < old <= new.
pub fn consistency_plan(old: TreeSize, new: TreeSize) -> Option<Plan> {
    (old.0 > 0 && old.0 <= new.0).then_some(())?;
    let (mut first, mut end) = (0, new.0);
    let mut steps = Vec::new();
    while old.0 != end {
        let middle = first + split_at(end - first);
        if old.0 <= middle {
            steps.push(subtrees(middle, end));
            end = middle;
        } else {
            steps.push(subtrees(first, middle));
            first = middle;
        }
    }
    // The old tree itself is known to whoever asks.
    if first > 0 {
        steps.push(subtrees(first, end));
    }
    steps.reverse();
    Some(Plan { steps })
}

/// Tiles as they were fetched, each with the nodes below its own root. A full tile serves where a partial one is asked for.
///
/// They may be anybody's: compare [`root`](Tiles::root) with a signed one, and check proofs with [`merkle`](crate::tlog::merkle) before
/// anything rests on them.
#[derive(Clone, Debug, Default)]
pub struct Tiles(BTreeMap<(u8, u64), Vec<Vec<Hash>>>);

impl Tiles {
    /// Takes a tile. `false`: it does not have the bytes of its width, and is not taken.
    #[must_use]
    pub fn insert(&mut self, tile: Tile, bytes: &[u8]) -> bool {
        let Some(nodes) = tile.decode(bytes) else { return false };
        let held = self.0.entry((tile.level(), tile.number())).or_default();
        if held.first().is_none_or(|held| held.len() < nodes.len()) {
            *held = inside(nodes);
        }
        true
    }

    /// A node of the tree; `None` where its tile is not held.
    pub fn node(&self, node: Node) -> Option<Hash> {
        let (level, number, within) = node.within();
        let below = node.level % HEIGHT;
        self.0.get(&(level, number))?.get(usize::from(below))?.get(within.start >> below).copied()
    }

    /// Root of the tree of this size.
    pub fn root(&self, size: TreeSize) -> Option<RootHash> {
        if size.0 == 0 {
            return Some(empty_root());
        }
        root_plan(size).path(|node| self.node(node))?.first().map(|root| RootHash(*root))
    }

    /// `PATH(index, D[size])`.
    pub fn inclusion(&self, index: LeafIndex, size: TreeSize) -> Option<Vec<Hash>> {
        inclusion_plan(index, size)?.path(|node| self.node(node))
    }

    /// `PROOF(old, D[new])`.
    pub fn consistency(&self, old: TreeSize, new: TreeSize) -> Option<Vec<Hash>> {
        consistency_plan(old, new)?.path(|node| self.node(node))
    }
}

/// The levels of the tree inside a tile, its own nodes first; each holds only the nodes that are whole.
fn inside(nodes: Vec<Hash>) -> Vec<Vec<Hash>> {
    let mut levels = vec![nodes];
    for below in 1..usize::from(HEIGHT) {
        let pairs = levels.get(below - 1).map(|nodes| nodes.as_chunks::<2>().0).unwrap_or_default();
        let above = pairs.iter().map(|[left, right]| node_hash(*left, *right)).collect();
        levels.push(above);
    }
    levels
}
