//! One proof that several leaves stand at their places in one tree: the roots of the largest subtrees in which none of them lies. Of two
//! children of a node the one in which a leaf lies comes first, of two such the left one: so that of one leaf it is the inclusion path (RFC 6962
//! section 2.1.1), and of the leaves from m to the end the compact range of m, reversed. It is as binding as an inclusion proof: size and
//! places alone decide where each hash belongs.

use super::{leaves_split, node_hash, root_of, split_at};
use crate::tlog::{Hash, LeafHash, LeafIndex, RootHash, TreeSize};

/// The proof for the leaves at these places, ascending. `None` unless there is at least one, and the tree has them all.
pub fn subset_path(shown: &[LeafIndex], leaves: &[LeafHash]) -> Option<Vec<Hash>> {
    let size = u64::try_from(leaves.len()).ok()?;
    (is_ascending(shown.iter().copied()) && shown.last()?.0 < size).then_some(())?;
    let mut path = Vec::new();
    prune(0, leaves, shown, &mut path);
    Some(path)
}

fn prune(first: u64, leaves: &[LeafHash], shown: &[LeafIndex], path: &mut Vec<Hash>) {
    if shown.is_empty() {
        path.push(root_of(leaves).0);
        return;
    }
    if leaves.len() <= 1 {
        return;
    }
    let (left, right) = leaves_split(leaves);
    let middle = first.saturating_add(u64::try_from(left.len()).unwrap_or(u64::MAX));
    let (before, behind) = shown.split_at(shown.partition_point(|at| at.0 < middle));
    if before.is_empty() {
        prune(middle, right, behind, path);
        prune(first, left, before, path);
    } else {
        prune(first, left, before, path);
        prune(middle, right, behind, path);
    }
}

/// The root that such a proof leads to. `None` where places are not ascending or beyond the tree, where there are none, or where the proof has
/// not exactly as many hashes as they need.
pub fn root_from_subset(shown: &[(LeafIndex, LeafHash)], size: TreeSize, path: &[Hash]) -> Option<RootHash> {
    (is_ascending(shown.iter().map(|(at, _)| *at)) && shown.last()?.0.0 < size.0).then_some(())?;
    let mut path = path.iter().copied();
    let root = fold(0, size.0, shown, &mut path)?;
    path.next().is_none().then_some(RootHash(root))
}

/// At most 64 deep: each step halves.
fn fold(first: u64, end: u64, shown: &[(LeafIndex, LeafHash)], path: &mut impl Iterator<Item = Hash>) -> Option<Hash> {
    match shown {
        [] => path.next(),
        [(_, leaf)] if end - first == 1 => Some(leaf.0),
        _ => {
            let middle = first + split_at(end - first);
            let (before, behind) = shown.split_at(shown.partition_point(|(at, _)| at.0 < middle));
            if before.is_empty() {
                let right = fold(middle, end, behind, path)?;
                return Some(node_hash(path.next()?, right));
            }
            let left = fold(first, middle, before, path)?;
            Some(node_hash(left, fold(middle, end, behind, path)?))
        }
    }
}

fn is_ascending(mut places: impl Iterator<Item = LeafIndex>) -> bool {
    let mut before = None;
    places.all(|at| before.replace(at).is_none_or(|before| before < at))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use sha2::{Digest, Sha256};
    use tlog_tiles::{HashReader, prove_record, stored_hashes_for_record_hash};

    use super::*;
    use crate::tlog::merkle::{CompactRange, inclusion_path, leaf_hash};

    const SIZES: u64 = 64;

    /// `MTH(D[first..end])` as RFC 6962 section 2.1 defines it, with nothing of ours; each once.
    #[derive(Default)]
    struct Mth(BTreeMap<(u64, u64), Hash>);

    impl Mth {
        fn of(&mut self, (first, end): (u64, u64)) -> Hash {
            if let Some(known) = self.0.get(&(first, end)) {
                return *known;
            }
            let hash = match end - first {
                0 => Sha256::digest(b"").into(),
                1 => Sha256::digest([&[0][..], &first.to_be_bytes()].concat()).into(),
                n => {
                    let mut k = 1;
                    while k * 2 < n {
                        k *= 2;
                    }
                    let (left, right) = (self.of((first, first + k)), self.of((first + k, end)));
                    Sha256::digest([&[1][..], &left.0, &right.0].concat()).into()
                }
            };
            self.0.insert((first, end), Hash(hash));
            Hash(hash)
        }
    }

    /// Sizes whose every proof is also altered in every way: what is special of a tree lies around the powers of two.
    fn in_full(size: u64) -> bool {
        size <= 20 || [31, 32, 33, 63, 64].contains(&size)
    }

    /// First leaf below a node, and the one behind its last.
    type Span = (u64, u64);

    /// Every node of the tree, each with the leaves below it and those below its parent, children before their parent and those first that
    /// hold a shown leaf.
    fn nodes(first: u64, end: u64, parent: (u64, u64), shown: &BTreeSet<u64>, all: &mut Vec<(Span, Span)>) {
        if end - first > 1 {
            let k = 1 << (end - first - 1).ilog2();
            let mut children = [(first, first + k), (first + k, end)];
            children.sort_by_key(|(first, end)| shown.range(first..end).next().is_none());
            for (a, b) in children {
                nodes(a, b, (first, end), shown, all);
            }
        }
        all.push(((first, end), parent));
    }

    /// The definition, read slowly: of all nodes those that hold no shown leaf, while their parent does.
    fn expected(shown: &BTreeSet<u64>, size: u64) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        nodes(0, size, (0, size), shown, &mut all);
        let holds = |(first, end): (u64, u64)| shown.range(first..end).next().is_some();
        all.into_iter().filter(|(own, parent)| !holds(*own) && holds(*parent)).map(|(own, _)| own).collect()
    }

    fn leaves() -> Vec<LeafHash> {
        (0..SIZES).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    fn places(shown: impl IntoIterator<Item = u64>) -> Vec<LeafIndex> {
        shown.into_iter().map(LeafIndex).collect()
    }

    fn with_leaves(shown: &[LeafIndex], leaves: &[LeafHash]) -> Vec<(LeafIndex, LeafHash)> {
        shown.iter().map(|at| (*at, leaves[usize::try_from(at.0).unwrap()])).collect()
    }

    /// Every range of every tree of 0 to 64 leaves: the proof is what the definition says, leads to the root, and nothing that differs from it
    /// in one hash, one place or one leaf does.
    #[test]
    fn every_range_is_proved_and_no_other() {
        let (all, mut mth) = (leaves(), Mth::default());
        assert_eq!((subset_path(&[], &[]), root_from_subset(&[], TreeSize(0), &[])), (None, None));
        for size in 1..=SIZES {
            let tree = &all[..usize::try_from(size).unwrap()];
            let root = RootHash(mth.of((0, size)));
            assert_eq!(subset_path(&[], tree), None);
            assert_eq!(root_from_subset(&[], TreeSize(size), &[root.0]), None, "a proof of nothing");
            for (first, end) in (0..size).flat_map(|first| (first + 1..=size).map(move |end| (first, end))) {
                let shown = places(first..end);
                let path = subset_path(&shown, tree).unwrap();
                let hashes: Vec<Hash> = expected(&(first..end).collect(), size).into_iter().map(|node| mth.of(node)).collect();
                assert_eq!(path, hashes, "{first}..{end} of {size}");
                let right = with_leaves(&shown, tree);
                let leads = |shown: &[(LeafIndex, LeafHash)], path: &[Hash]| root_from_subset(shown, TreeSize(size), path) == Some(root);
                assert!(leads(&right, &path), "{first}..{end} of {size}");
                if !in_full(size) {
                    continue;
                }
                for at in 0..path.len() {
                    let mut flipped = path.clone();
                    flipped[at].0[at % 32] ^= 1;
                    let (mut less, mut more, mut swapped) = (path.clone(), path.clone(), path.clone());
                    less.remove(at);
                    more.insert(at, path[at]);
                    swapped.swap(at, at.saturating_sub(1));
                    for altered in [flipped, less, more].into_iter().chain((at > 0).then_some(swapped)) {
                        assert!(!leads(&right, &altered), "{first}..{end} of {size}: {altered:?}");
                    }
                }
                let mut other = right.clone();
                other[0].1 = LeafHash(Hash([7; 32]));
                assert!(!leads(&other, &path));
                // The same leaves one place further, one place less, one leaf out, the first one twice, and beyond the end.
                let moved: Vec<_> = right.iter().map(|(at, leaf)| (LeafIndex(at.0 + 1), *leaf)).collect();
                assert!(!leads(&moved, &path), "{first}..{end} of {size}");
                assert!(!leads(&right[1..], &path) && !leads(&right[..right.len() - 1], &path));
                assert!(!leads(&[&right[..1], &right[..]].concat(), &path));
                if right.len() > 1 {
                    let mut turned = right.clone();
                    turned.swap(0, 1);
                    assert!(!leads(&turned, &path), "not in order");
                }
            }
            assert_eq!(subset_path(&places([size]), tree), None);
            assert_eq!(subset_path(&places([0, 0]), tree), None);
            assert_eq!(root_from_subset(&[(LeafIndex(size), LeafHash(root.0))], TreeSize(size), &[]), None);
        }
    }

    /// Every set of leaves, not only neighbours, of the trees that are small enough.
    #[test]
    fn every_set_is_proved() {
        let (all, mut mth) = (leaves(), Mth::default());
        for size in 1..=11_u64 {
            let tree = &all[..usize::try_from(size).unwrap()];
            for set in 1..1_u64 << size {
                let shown: BTreeSet<u64> = (0..size).filter(|at| set >> at & 1 == 1).collect();
                let path = subset_path(&places(shown.clone()), tree).unwrap();
                let hashes: Vec<Hash> = expected(&shown, size).into_iter().map(|node| mth.of(node)).collect();
                assert_eq!(path, hashes, "{shown:?} of {size}");
                let root = root_from_subset(&with_leaves(&places(shown), tree), TreeSize(size), &path);
                assert_eq!(root, Some(RootHash(mth.of((0, size)))));
            }
        }
    }

    struct Stored(Vec<tlog_tiles::Hash>);

    impl HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
            Ok(indexes.iter().map(|i| self.0[usize::try_from(*i).unwrap()]).collect())
        }
    }

    /// Of one leaf it is another implementation's inclusion path; of the end of a tree, the compact range before it, reversed.
    #[test]
    fn its_ends_are_proofs_that_others_know() {
        let all = leaves();
        let mut stored = Stored(Vec::new());
        for (n, leaf) in all.iter().enumerate() {
            let more = stored_hashes_for_record_hash(u64::try_from(n).unwrap(), tlog_tiles::Hash(leaf.0.0), &stored).unwrap();
            stored.0.extend(more);
        }
        let mut range = CompactRange::new();
        for at in 0..SIZES {
            for size in at + 1..=SIZES {
                let tree = &all[..usize::try_from(size).unwrap()];
                let path = subset_path(&places([at]), tree).unwrap();
                let theirs: Vec<Hash> = prove_record(size, at, &stored).unwrap().into_iter().map(|hash| Hash(hash.0)).collect();
                assert_eq!(path, theirs, "{at} of {size}");
                assert_eq!(inclusion_path(LeafIndex(at), tree).unwrap(), path);
                let before: Vec<Hash> = range.nodes().iter().rev().copied().collect();
                assert_eq!(subset_path(&places(at..size), tree).unwrap(), before, "{at}..{size}");
            }
            range.append(all[usize::try_from(at).unwrap()]);
        }
    }

    /// Sizes that no memory holds end at once, and deep trees overflow nothing.
    #[test]
    fn the_largest_trees_are_folded() {
        let leaf = leaf_hash(b"x");
        for (at, size, hashes) in [(0, u64::MAX, 64), (u64::MAX - 1, u64::MAX, 63), (1 << 63, (1 << 63) + 1, 1)] {
            let path = vec![Hash([1; 32]); hashes];
            assert!(root_from_subset(&[(LeafIndex(at), leaf)], TreeSize(size), &path).is_some(), "{at} of {size}");
            assert_eq!(root_from_subset(&[(LeafIndex(at), leaf)], TreeSize(size), &path[1..]), None);
        }
    }
}
