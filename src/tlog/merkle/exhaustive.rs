//! Every proof of every tree of 0 to 300 leaves, made by other hands (`tlog_tiles`), is accepted, with no other leaf and between no other
//! roots; at many sizes ours are the same, and what is altered in one is accepted by neither, or by both. (That the proofs out of tiles lead to
//! the roots at every size, `tile::tests` shows.)

use tlog_tiles::{HashReader, check_record, check_tree, prove_record, prove_tree, stored_hash_count, stored_hashes_for_record_hash};

use super::*;

const SIZES: u64 = 300;

/// Sizes whose every proof is also made from the leaves, and altered in every way: hashing that for all takes minutes, and what is special of
/// a tree lies around the powers of two.
fn in_full(size: u64) -> bool {
    size <= 40 || [63, 64, 65, 127, 128, 129, 255, 256, 257, 299, 300].contains(&size)
}

/// All hashes of a tree, as the other implementation stores them.
struct Stored(Vec<tlog_tiles::Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|i| self.0[usize::try_from(*i).unwrap()]).collect())
    }
}

fn theirs(hash: Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.0)
}

fn all_theirs(path: &[Hash]) -> Vec<tlog_tiles::Hash> {
    path.iter().copied().map(theirs).collect()
}

fn ours(path: Vec<tlog_tiles::Hash>) -> Vec<Hash> {
    path.into_iter().map(|hash| Hash(hash.0)).collect()
}

/// Leaves of the largest tree, and what the other implementation stores of it.
fn trees() -> (Vec<LeafHash>, Vec<RootHash>, Stored) {
    let leaves: Vec<LeafHash> = (0..SIZES).map(|n| leaf_hash(&n.to_be_bytes())).collect();
    let mut stored = Stored(Vec::new());
    for (n, leaf) in leaves.iter().enumerate() {
        let n = u64::try_from(n).unwrap();
        assert_eq!(stored_hash_count(n), u64::try_from(stored.0.len()).unwrap());
        let more = stored_hashes_for_record_hash(n, theirs(leaf.0), &stored).unwrap();
        stored.0.extend(more);
    }
    let mut range = CompactRange::new();
    let mut roots = vec![range.root()];
    for leaf in &leaves {
        range.append(*leaf);
        roots.push(range.root());
    }
    (leaves, roots, stored)
}

/// Other paths than this one: each node altered, left out and doubled, neighbours swapped, one more at either end.
fn altered(path: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = vec![[path, &[Hash([7; 32])]].concat(), [&[Hash([7; 32])], path].concat()];
    for (at, node) in path.iter().enumerate() {
        let mut flipped = path.to_vec();
        flipped[at].0[at % 32] ^= 1;
        let mut without = path.to_vec();
        without.remove(at);
        let mut doubled = path.to_vec();
        doubled.insert(at, *node);
        all.extend([flipped, without, doubled]);
        if at > 0 {
            let mut swapped = path.to_vec();
            swapped.swap(at - 1, at);
            all.push(swapped);
        }
    }
    all
}

/// Places near this one, and far from it.
fn others(n: u64) -> impl Iterator<Item = u64> {
    let far = (0..10).map(move |bit| n ^ (1 << bit));
    [n.wrapping_sub(1), n + 1, n * 2 + 1, 0, SIZES, u64::MAX].into_iter().chain(far).filter(move |other| *other != n)
}

#[test]
fn roots_are_those_of_another_implementation() {
    let (_, roots, stored) = trees();
    assert_eq!(roots[0], empty_root());
    for (size, root) in roots.iter().enumerate().skip(1) {
        assert_eq!(tlog_tiles::tree_hash(u64::try_from(size).unwrap(), &stored).unwrap(), theirs(root.0), "{size}");
    }
}

/// Every leaf of every tree.
#[test]
fn inclusion_proofs_are_those_of_another_implementation() {
    let (leaves, roots, stored) = trees();
    for size in 0..=SIZES {
        let tree = &leaves[..usize::try_from(size).unwrap()];
        let root = roots[tree.len()];
        for index in 0..size {
            let leaf = tree[usize::try_from(index).unwrap()];
            let path = ours(prove_record(size, index, &stored).unwrap());
            let ours = |leaf: LeafHash, index: u64, size: u64, path: &[Hash]| {
                root_from_inclusion(leaf, LeafIndex(index), TreeSize(size), path) == Some(root)
            };
            let other = |leaf: LeafHash, index: u64, size: u64, path: &[Hash]| {
                index < size && check_record(&all_theirs(path), size, theirs(root.0), index, theirs(leaf.0)).is_ok()
            };
            assert!(ours(leaf, index, size, &path) && other(leaf, index, size, &path), "{index} of {size}");
            assert!(!ours(LeafHash(Hash([7; 32])), index, size, &path));
            if !in_full(size) {
                continue;
            }
            assert_eq!(inclusion_path(LeafIndex(index), tree).as_ref(), Some(&path), "{index} of {size}");
            for altered in altered(&path) {
                assert!(!ours(leaf, index, size, &altered), "{index} of {size}: {altered:?} instead of {path:?}");
            }
            for wrong in others(index) {
                assert!(!ours(leaf, wrong, size, &path), "{wrong} instead of {index} of {size}");
            }
            // Trees of two sizes may hash a leaf's path alike; that is why a size is taken from what was signed. Then both say so.
            for wrong in others(size).filter(|wrong| *wrong <= 2 * SIZES + 1) {
                assert_eq!(ours(leaf, index, wrong, &path), other(leaf, index, wrong, &path), "{index} of {wrong} instead of {size}");
            }
        }
        assert_eq!(inclusion_path(LeafIndex(size), tree), None);
        assert_eq!(root_from_inclusion(LeafHash(root.0), LeafIndex(size), TreeSize(size), &[]), None);
    }
}

/// Every beginning of every tree.
#[test]
fn consistency_proofs_are_those_of_another_implementation() {
    let (leaves, roots, stored) = trees();
    for size in 0..=SIZES {
        let tree = &leaves[..usize::try_from(size).unwrap()];
        let root = roots[tree.len()];
        for old in 1..=size {
            let old_root = roots[usize::try_from(old).unwrap()];
            let path = ours(prove_tree(size, old, &stored).unwrap());
            let ours = |old: u64, size: u64, path: &[Hash]| is_consistent(TreeSize(old), old_root, TreeSize(size), root, path);
            let other = |old: u64, size: u64, path: &[Hash]| {
                (1..=size).contains(&old) && check_tree(&all_theirs(path), size, theirs(root.0), old, theirs(old_root.0)).is_ok()
            };
            assert!(ours(old, size, &path) && other(old, size, &path), "{old} to {size}");
            // Not backwards, and not of other roots.
            assert!(old == size || !is_consistent(TreeSize(size), root, TreeSize(old), old_root, &path), "{size} to {old}");
            let wrong = RootHash(Hash([7; 32]));
            assert!(!is_consistent(TreeSize(old), wrong, TreeSize(size), root, &path), "{old} to {size}");
            assert!(!is_consistent(TreeSize(old), old_root, TreeSize(size), wrong, &path), "{old} to {size}");
            assert!(old == size || !is_consistent(TreeSize(old), root, TreeSize(size), old_root, &path), "{old} to {size}");
            if !in_full(size) {
                continue;
            }
            assert_eq!(consistency_path(TreeSize(old), tree).as_ref(), Some(&path), "{old} to {size}");
            for altered in altered(&path) {
                assert!(!ours(old, size, &altered), "{old} to {size}: {altered:?} instead of {path:?}");
            }
            for wrong in others(old) {
                assert_eq!(ours(wrong, size, &path), other(wrong, size, &path), "{wrong} instead of {old}, to {size}");
            }
            for wrong in others(size).filter(|wrong| *wrong <= 2 * SIZES + 1) {
                assert_eq!(ours(old, wrong, &path), other(old, wrong, &path), "{old} to {wrong} instead of {size}");
            }
        }
        assert_eq!(consistency_path(TreeSize(0), tree), None);
        assert_eq!(consistency_path(TreeSize(size + 1), tree), None);
    }
}
