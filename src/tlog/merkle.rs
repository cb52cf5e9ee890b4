//! RFC 6962 section 2.1: leaf and node hashes, roots, compact ranges, inclusion and consistency proofs.

use sha2::{Digest, Sha256};

use super::{Hash, LeafHash, LeafIndex, RootHash, TreeSize};

mod subset;

pub use subset::{root_from_subset, subset_path};

/// SHA-256(0x00 || entry), RFC 6962 section 2.1.
pub fn leaf_hash(entry: &[u8]) -> LeafHash {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(entry);
    LeafHash(Hash(hash.finalize().into()))
}

/// SHA-256(0x01 || left || right), RFC 6962 section 2.1.
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    let mut joined = [1; 65];
    let (l, r) = joined.split_at_mut(33);
    if let Some(l) = l.get_mut(1..) {
        l.copy_from_slice(&left.0);
    }
    r.copy_from_slice(&right.0);
    Hash(Sha256::digest(joined).into())
}

/// Root of the empty tree: SHA-256 of nothing.
pub fn empty_root() -> RootHash {
    RootHash(Hash::of(b""))
}

/// The roots of the perfect subtrees that a tree of some size falls into, largest first: all that is needed to append.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    nodes: Vec<Hash>,
}

impl CompactRange {
    /// The range of the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a range as stored. `None` unless it has exactly one node for each bit of `size`, and a leaf has a place behind it: sizes end at
    /// 2^64-1, and what a stranger made up may state the last of them.
    pub fn from_nodes(size: TreeSize, nodes: Vec<Hash>) -> Option<Self> {
        let fits = usize::try_from(size.0.count_ones()).ok()? == nodes.len() && size.0 < u64::MAX;
        fits.then_some(CompactRange { size: size.0, nodes })
    }

    /// Leaves covered.
    pub fn size(&self) -> TreeSize {
        TreeSize(self.size)
    }

    /// Subtree roots, largest first.
    pub fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    /// Appends a leaf. To a range as stored that can be done once; nobody lives to build up one that has no place.
    pub fn append(&mut self, leaf: LeafHash) {
        let mut node = leaf.0;
        // Each trailing one bit of the old size is a perfect subtree that this leaf completes.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.nodes.pop() {
                node = node_hash(left, node);
            }
        }
        self.nodes.push(node);
        self.size += 1;
    }

    /// Whether the tree of a larger range may begin with this one's: the subtrees that both have are the same. Without what lies between them
    /// no more can be said; where they share none it is nothing.
    pub fn may_begin(&self, larger: &CompactRange) -> bool {
        let (mut own, mut other) = (self.nodes.iter(), larger.nodes.iter());
        // Largest subtrees first: as long as both sizes have the same bits, the same leaves are below them.
        for bit in (0..u64::BITS).rev().map(|bit| 1_u64 << bit) {
            match (self.size & bit != 0, larger.size & bit != 0) {
                (true, true) if own.next() != other.next() => return false,
                (true, true) | (false, false) => {}
                (true, false) | (false, true) => break,
            }
        }
        true
    }

    /// Root of the tree.
    pub fn root(&self) -> RootHash {
        let mut nodes = self.nodes.iter().rev();
        match nodes.next() {
            None => empty_root(),
            Some(&last) => RootHash(nodes.fold(last, |right, &left| node_hash(left, right))),
        }
    }
}

/// Root over leaves in order.
pub fn root_of(leaves: &[LeafHash]) -> RootHash {
    let mut range = CompactRange::new();
    for leaf in leaves {
        range.append(*leaf);
    }
    range.root()
}

/// Largest power of two smaller than `n`; 0 where there is none.
pub(super) fn split_at(n: u64) -> u64 {
    n.saturating_sub(1).checked_ilog2().map_or(0, |height| 1 << height)
}

/// The leaves below the two children of a tree of more than one leaf.
fn leaves_split(leaves: &[LeafHash]) -> (&[LeafHash], &[LeafHash]) {
    leaves.split_at(leaves.len().next_power_of_two() / 2)
}

/// `PATH(m, D[n])` of RFC 6962 section 2.1.1, from the leaf upwards. `None` where there is no such leaf.
pub fn inclusion_path(index: LeafIndex, leaves: &[LeafHash]) -> Option<Vec<Hash>> {
    let mut at = usize::try_from(index.0).ok().filter(|i| *i < leaves.len())?;
    let mut rest = leaves;
    let mut path = Vec::new();
    while rest.len() > 1 {
        let (left, right) = leaves_split(rest);
        if at < left.len() {
            path.push(root_of(right).0);
            rest = left;
        } else {
            path.push(root_of(left).0);
            at -= left.len();
            rest = right;
        }
    }
    path.reverse();
    Some(path)
}

/// The root that an inclusion path leads to (RFC 9162 section 2.1.3.2); `None` where the path does not fit index and size.
pub fn root_from_inclusion(leaf: LeafHash, index: LeafIndex, size: TreeSize, path: &[Hash]) -> Option<RootHash> {
    let mut node_index = index.0;
    let mut last = size.0.checked_sub(1).filter(|last| node_index <= *last)?;
    let mut root = leaf.0;
    for sibling in path {
        if last == 0 {
            return None;
        }
        if node_index & 1 == 1 || node_index == last {
            root = node_hash(*sibling, root);
            while node_index & 1 == 0 && node_index != 0 {
                node_index >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(root, *sibling);
        }
        node_index >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(RootHash(root))
}

/// `PROOF(m, D[n])` of RFC 6962 section 2.1.2. `None` unless 0 < old <= leaves.
pub fn consistency_path(old: TreeSize, leaves: &[LeafHash]) -> Option<Vec<Hash>> {
    let old = usize::try_from(old.0).ok().filter(|m| *m > 0 && *m <= leaves.len())?;
    let mut path = Vec::new();
    subproof(old, leaves, true, &mut path);
    Some(path)
}

fn subproof(m: usize, leaves: &[LeafHash], complete: bool, path: &mut Vec<Hash>) {
    if m == leaves.len() {
        if !complete {
            path.push(root_of(leaves).0);
        }
        return;
    }
    let (left, right) = leaves_split(leaves);
    if m <= left.len() {
        subproof(m, left, complete, path);
        path.push(root_of(right).0);
    } else {
        subproof(m - left.len(), right, false, path);
        path.push(root_of(left).0);
    }
}

/// Whether the larger tree extends the smaller (RFC 9162 section 2.1.4.2).
pub fn is_consistent(old: TreeSize, old_root: RootHash, new: TreeSize, new_root: RootHash, path: &[Hash]) -> bool {
    check_consistency(old, old_root, new, new_root, path).is_some()
}

fn check_consistency(old: TreeSize, old_root: RootHash, new: TreeSize, new_root: RootHash, path: &[Hash]) -> Option<()> {
    if old.0 == 0 || old.0 > new.0 {
        return None;
    }
    if old == new {
        return (path.is_empty() && old_root == new_root).then_some(());
    }
    let mut nodes = path.iter().copied();
    let first = if old.0.is_power_of_two() { old_root.0 } else { nodes.next()? };
    let (mut at, mut last) = (old.0 - 1, new.0 - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (first, first);
    for node in nodes {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            from_old = node_hash(node, from_old);
            from_new = node_hash(node, from_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(from_new, node);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0 && from_old == old_root.0 && from_new == new_root.0).then_some(())
}

#[cfg(test)]
mod exhaustive;
#[cfg(test)]
mod tests {
    use super::*;

    /// The eight entries and roots that Certificate Transparency's own test suite uses (RFC 6962 reference tree).
    fn reference() -> (Vec<LeafHash>, Vec<&'static str>) {
        let entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        (entries.iter().map(|e| leaf_hash(&hex::decode(e).unwrap())).collect(), roots.to_vec())
    }

    #[test]
    fn roots_of_the_reference_tree() {
        let (leaves, roots) = reference();
        assert_eq!(empty_root().0.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (i, root) in roots.iter().enumerate() {
            assert_eq!(&root_of(&leaves[..=i]).0.to_string(), root);
        }
    }

    #[test]
    fn inclusion_paths_of_the_reference_tree() {
        let (leaves, _) = reference();
        // From the same public vectors: leaf 6 of 8, and leaf 3 of 3 counted from one.
        let path = inclusion_path(LeafIndex(5), &leaves).unwrap();
        let expected = [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ];
        assert_eq!(path.iter().map(Hash::to_string).collect::<Vec<_>>(), expected);
        let path = inclusion_path(LeafIndex(2), &leaves[..3]).unwrap();
        assert_eq!(
            path.iter().map(Hash::to_string).collect::<Vec<_>>(),
            ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]
        );
    }

    /// Every path of every tree up to 40 leaves leads to the root, and no changed index, size, node or length does.
    #[test]
    fn inclusion_proofs_hold_and_only_they() {
        let leaves: Vec<_> = (0..40_u8).map(|i| leaf_hash(&[i])).collect();
        for n in 1..=leaves.len() {
            let tree = &leaves[..n];
            let root = root_of(tree);
            let size = TreeSize(n as u64);
            for i in 0..n {
                let index = LeafIndex(i as u64);
                let path = inclusion_path(index, tree).unwrap();
                assert_eq!(root_from_inclusion(tree[i], index, size, &path), Some(root));
                assert_ne!(root_from_inclusion(leaf_hash(b"other"), index, size, &path), Some(root));
                let mut longer = path.clone();
                longer.push(Hash([0; 32]));
                assert_eq!(root_from_inclusion(tree[i], index, size, &longer), None);
                if !path.is_empty() {
                    assert_ne!(root_from_inclusion(tree[i], index, size, &path[1..]), Some(root));
                }
                for other in (0..n).filter(|o| *o != i) {
                    assert_ne!(root_from_inclusion(tree[i], LeafIndex(other as u64), size, &path), Some(root));
                }
                assert_eq!(root_from_inclusion(tree[i], LeafIndex(n as u64), size, &path), None);
            }
            assert_eq!(inclusion_path(LeafIndex(n as u64), tree), None);
        }
    }

    #[test]
    fn consistency_proofs_hold_and_only_they() {
        let leaves: Vec<_> = (0..33_u8).map(|i| leaf_hash(&[i])).collect();
        for n in 1..=leaves.len() {
            for m in 1..=n {
                let (old, new) = (TreeSize(m as u64), TreeSize(n as u64));
                let (old_root, new_root) = (root_of(&leaves[..m]), root_of(&leaves[..n]));
                let path = consistency_path(old, &leaves[..n]).unwrap();
                assert!(is_consistent(old, old_root, new, new_root, &path), "{m} {n}");
                let wrong = RootHash(Hash([7; 32]));
                assert!(!is_consistent(old, wrong, new, new_root, &path), "{m} {n}");
                assert!(!is_consistent(old, old_root, new, wrong, &path), "{m} {n}");
                if m < n {
                    let mut longer = path.clone();
                    longer.push(Hash([0; 32]));
                    assert!(!is_consistent(old, old_root, new, new_root, &longer), "{m} {n}");
                }
            }
        }
    }

    /// Sizes that no proof joins have none, and the length of a path tells of which sizes it may be: the one from 7 to 8 leaves, which is longer
    /// than that from 3 to 4, is not taken for it with those roots, nor the other way round.
    #[test]
    fn a_consistency_proof_is_of_its_sizes() {
        let leaves: Vec<_> = (0..8_u8).map(|i| leaf_hash(&[i])).collect();
        for size in [0, 9] {
            assert_eq!(consistency_path(TreeSize(size), &leaves), None, "{size}");
        }
        let root = |size: usize| root_of(&leaves[..size]);
        assert!(!is_consistent(TreeSize(0), empty_root(), TreeSize(0), empty_root(), &[]), "every tree begins with nothing");
        assert!(!is_consistent(TreeSize(0), empty_root(), TreeSize(2), root(2), &[root(2).0]));
        assert!(!is_consistent(TreeSize(2), root(2), TreeSize(1), root(2), &[]), "a smaller tree extends none");
        for ((old, new), (as_old, as_new)) in [((7, 8), (3, 4)), ((3, 4), (7, 8))] {
            let path = consistency_path(TreeSize(old), &leaves[..new]).unwrap();
            let roots = (root(usize::try_from(old).unwrap()), root(new));
            assert!(is_consistent(TreeSize(old), roots.0, TreeSize(new as u64), roots.1, &path));
            assert!(!is_consistent(TreeSize(as_old), roots.0, TreeSize(as_new), roots.1, &path), "{old} to {new} as {as_old} to {as_new}");
        }
    }

    /// Each pair of sizes: the true beginning fits, and another one wherever both trees have a subtree of the leaf that differs.
    #[test]
    fn a_range_may_begin_what_holds_its_subtrees() {
        let range = |leaves: std::ops::Range<u8>, other: Option<u8>| {
            let mut range = CompactRange::new();
            leaves.for_each(|leaf| range.append(leaf_hash(&[if Some(leaf) == other { 255 } else { leaf }])));
            range
        };
        for size in 0..34_u8 {
            for larger in size..34 {
                let whole = range(0..larger, None);
                assert!(range(0..size, None).may_begin(&whole), "{size} {larger}");
                // Leaves below the subtrees that both have: those of the bits before the first in which the sizes differ.
                let same = (size ^ larger).checked_ilog2().map_or(size, |bit| size >> bit << bit);
                for other in 0..size {
                    assert_eq!(range(0..size, Some(other)).may_begin(&whole), other >= same, "{size} {larger} {other}");
                }
            }
        }
    }

    /// The largest tree is reached, and nothing goes on from it.
    #[test]
    fn no_range_is_taken_that_has_no_place_for_a_leaf() {
        let node = Hash([7; 32]);
        let mut range = CompactRange::from_nodes(TreeSize(u64::MAX - 1), vec![node; 63]).unwrap();
        range.append(LeafHash(node));
        assert_eq!((range.size(), range.nodes().len()), (TreeSize(u64::MAX), 64));
        assert_eq!(CompactRange::from_nodes(TreeSize(u64::MAX), range.nodes().to_vec()), None);
    }

    #[test]
    fn a_compact_range_is_a_tree_and_its_reverse_the_path_of_the_next_leaf() {
        let leaves: Vec<_> = (0..70_u8).map(|i| leaf_hash(&[i])).collect();
        let mut range = CompactRange::new();
        for (i, leaf) in leaves.iter().enumerate() {
            let before = range.clone();
            range.append(*leaf);
            assert_eq!(range.root(), root_of(&leaves[..=i]));
            let path: Vec<_> = before.nodes().iter().rev().copied().collect();
            assert_eq!(root_from_inclusion(*leaf, LeafIndex(i as u64), TreeSize(i as u64 + 1), &path), Some(range.root()));
            assert_eq!(CompactRange::from_nodes(range.size(), range.nodes().to_vec()), Some(range.clone()));
            assert_eq!(
                CompactRange::from_nodes(TreeSize(range.size().0 + 1), range.nodes().to_vec()).is_some(),
                (i + 1).count_ones() == (i + 2).count_ones()
            );
        }
    }
}
