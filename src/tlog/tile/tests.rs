use std::collections::BTreeMap;

use super::*;
use crate::tlog::merkle::{
    CompactRange, consistency_path, inclusion_path, is_consistent, leaf_hash, root_from_inclusion, root_of, subset_path,
};
use crate::tlog::{LeafHash, LeafIndex};

fn leaves(count: u32) -> Vec<LeafHash> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

#[test]
fn paths_are_those_of_the_specification_and_no_others() {
    for (tile, path) in [
        ((0, 0, 256), "tile/0/000"),
        ((0, 5, 112), "tile/0/005.p/112"),
        ((1, 1000, 256), "tile/1/x001/000"),
        ((63, 1_234_067, 1), "tile/63/x001/x234/067.p/1"),
        ((0, 255, 255), "tile/0/255.p/255"),
        ((7, u64::MAX, 256), "tile/7/x018/x446/x744/x073/x709/x551/615"),
    ] {
        let tile = Tile::new(tile.0, tile.1, tile.2).unwrap();
        assert_eq!(tile.path(), path);
        assert_eq!(Resource::parse(path), Some(Resource::Hashes(tile)), "{path}");
        let entries = path.replace(&format!("tile/{}/", tile.level()), "tile/entries/");
        let beside = Tile::new(0, tile.number(), tile.width()).unwrap();
        assert_eq!(beside.entries_path(), entries);
        assert_eq!(Resource::parse(&entries), Some(Resource::Entries(beside)));
        assert_eq!(Resource::parse(&entries).unwrap().path(), entries);
    }
    for bad in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile//000",
        "/tile/0/000",
        "tile/0/000/",
        "tile/64/000",
        "tile/00/000",
        "tile/01/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/256/000",
        "tile/data/000",
        "tile/Entries/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/00a",
        "tile/0/+01",
        "tile/0/x00",
        "tile/0/x000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x001/x000",
        "tile/0/x000/000",
        "tile/0/x000/x001/000",
        "tile/0/x1/000",
        "tile/0/X001/000",
        "tile/0/xx01/000",
        "tile/0/x001//000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
        "tile/0/x000/x000/x000/x000/x000/x000/x000/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/000.p/65537",
        "tile/0/000.P/1",
        "tile/0/../000",
        "tile/0/000\0",
        "tile/0/\u{661}\u{661}\u{661}",
        "tile/0/000.p/\u{661}",
        "checkpoint",
    ] {
        assert_eq!(Resource::parse(bad), None, "{bad:?}");
    }
    assert_eq!(Tile::new(0, 0, 0), None);
    assert_eq!(Tile::new(0, 0, 257), None);
    assert_eq!(Tile::new(64, 0, 1), None);
}

#[test]
fn the_tiles_of_the_specifications_examples() {
    let names = |size| -> Vec<String> { partials(TreeSize(size)).map(Tile::path).collect() };
    let full = |size, level| completed(TreeSize(0), TreeSize(size)).filter(|t| t.level() == level).count();
    assert_eq!(names(70_000), ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
    assert_eq!((full(70_000, 0), full(70_000, 1), full(70_000, 2)), (273, 1, 0));
    assert_eq!((names(256), full(256, 0)), (vec!["tile/1/000.p/1".to_owned()], 1));
    assert_eq!((names(0), full(0, 0)), (vec![], 0));
    assert_eq!(names(u64::MAX).len(), 8);
    let last = Tile::new(7, 0, 255).unwrap();
    assert!(last.is_of(TreeSize(u64::MAX)) && !Tile::new(7, 0, 256).unwrap().is_of(TreeSize(u64::MAX)));
    assert!(!Tile::new(8, 0, 1).unwrap().is_of(TreeSize(u64::MAX)));
    assert!(!Tile::new(0, u64::MAX, 256).unwrap().is_of(TreeSize(u64::MAX)));
}

/// What growth changes is what `tlog_tiles` says.
#[test]
fn growth_changes_what_another_implementation_says() {
    let sizes = [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_000, 70_000];
    for (from, to) in sizes.iter().flat_map(|from| sizes.iter().filter(move |to| *to >= from).map(move |to| (*from, *to))) {
        let mut ours: Vec<_> = changed(TreeSize(from), TreeSize(to)).map(|t| (t.level(), t.number(), t.width())).collect();
        let theirs = tlog_tiles::Tile::new_tiles(8, from, to);
        let mut theirs: Vec<_> = theirs.iter().map(|t| (t.level(), t.level_index(), u16::try_from(t.width()).unwrap())).collect();
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs, "{from} to {to}");
        let paths = |tile: &Tile| tile.path().replacen("tile/", "tile/8/", 1);
        for tile in changed(TreeSize(from), TreeSize(to)) {
            let path = paths(&tile);
            assert_eq!(tlog_tiles::Tile::from_path(&path).unwrap().path(), path);
            assert!(tile.is_of(TreeSize(to)) && !tile.is_of(TreeSize(from)));
        }
    }
}

/// The tiles of every size up to 300, as the edge gives them while it grows; and a few sizes of three levels.
fn written(count: u32, sizes: impl Fn(u64) -> bool, mut each: impl FnMut(TreeSize, &BTreeMap<Tile, Vec<Hash>>, &CompactRange, &Edge)) {
    let mut edge = Edge::default();
    let mut range = CompactRange::new();
    let mut full = BTreeMap::new();
    each(TreeSize(0), &full, &range, &edge);
    for leaf in leaves(count) {
        let before = edge.size();
        for (tile, nodes) in edge.push(leaf) {
            assert_eq!(
                perfect_root(&range, leaf, 8 * (tile.level() + 1)).unwrap(),
                root_of(&nodes.iter().map(|n| LeafHash(*n)).collect::<Vec<_>>()).0
            );
            full.insert(tile, nodes);
        }
        range.append(leaf);
        let completed: Vec<_> = completed(before, edge.size()).collect();
        assert!(completed.iter().all(|t| full.contains_key(t)));
        if sizes(edge.size().0) {
            let mut all = full.clone();
            all.extend(edge.partials().map(|(tile, nodes)| (tile, nodes.to_vec())));
            each(edge.size(), &all, &range, &edge);
        }
    }
}

/// Scenario: every size up to 300 and every proof of it. Guarantee: the edge is the compact range, the tiles are just those that the size
/// has, and root, inclusion and consistency proofs out of them are those of the plain tree.
#[test]
fn tiles_give_the_roots_and_proofs_of_the_tree() {
    let leaves = leaves(300);
    let roots: Vec<_> = (0..=leaves.len()).map(|size| root_of(&leaves[..size])).collect();
    // A path that leads to the root is the one path; the plain tree, which hashes all leaves for each, is asked at some sizes.
    let plain = |size: u64| size <= 40 || [128, 255, 256, 257, 300].contains(&size);
    written(
        300,
        |_| true,
        |size, tiles, range, edge| {
            let tree = &leaves[..usize::try_from(size.0).unwrap()];
            assert_eq!(edge.range(), range);
            assert_eq!(edge.size(), size);
            let levels =
                (0..8).map(|l| edge.partials().find(|(t, _)| t.level() == l).map(|(_, n)| n.to_vec()).unwrap_or_default()).collect();
            assert_eq!(Edge::from_levels(size, levels).unwrap().range(), range);
            assert!(Edge::from_levels(TreeSize(size.0 + 1), vec![]).is_none_or(|_| (size.0 + 1).is_multiple_of(1 << 56)));
            let expected: Vec<Tile> = changed(TreeSize(0), size).collect();
            assert!(expected.len() == tiles.len() && expected.iter().all(|t| tiles.contains_key(t)));
            let mut held = Tiles::default();
            for (tile, nodes) in tiles {
                let bytes = encode(nodes);
                assert_eq!(u64::try_from(bytes.len()).unwrap(), tile.bytes());
                assert!(!held.insert(*tile, &bytes[1..]) && !held.insert(*tile, &[&bytes[..], &[0; 32]].concat()));
                assert!(held.insert(*tile, &bytes));
            }
            assert_eq!(held.root(size), Some(root_of(tree)));
            for index in (0..size.0).map(LeafIndex) {
                let path = held.inclusion(index, size).unwrap();
                let leaf = tree[usize::try_from(index.0).unwrap()];
                assert_eq!(root_from_inclusion(leaf, index, size, &path), Some(range.root()), "{index:?} of {size:?}");
                assert!(!plain(size.0) || Some(path) == inclusion_path(index, tree), "{index:?} of {size:?}");
                let plan = inclusion_plan(index, size).unwrap();
                assert!(plan.tiles(size).iter().all(|t| tiles.contains_key(t)));
            }
            for old in (0..=size.0).map(TreeSize) {
                let path = held.consistency(old, size);
                assert_eq!(path.is_some(), old.0 > 0);
                let root = roots[usize::try_from(old.0).unwrap()];
                assert!(path.as_ref().is_none_or(|path| is_consistent(old, root, size, range.root(), path)), "{old:?} to {size:?}");
                assert!(!plain(size.0) || path == consistency_path(old, tree), "{old:?} to {size:?}");
                assert!(consistency_plan(old, size).is_none_or(|plan| plan.tiles(size).iter().all(|t| tiles.contains_key(t))));
            }
            assert_eq!(held.inclusion(LeafIndex(size.0), size), None);
            assert_eq!(held.consistency(TreeSize(size.0 + 1), size), None);
            assert_eq!(held.root(TreeSize(size.0 + 1)), None, "what is not held is not made up");
        },
    );
}

struct Reader<'t>(&'t BTreeMap<Tile, Vec<Hash>>);

impl tlog_tiles::TileReader for Reader<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let ours = |t: &tlog_tiles::Tile| Tile::new(t.level(), t.level_index(), u16::try_from(t.width()).unwrap()).unwrap();
        Ok(tiles.iter().map(|t| encode(&self.0[&ours(t)])).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// Scenario: the client of other hands reads our tiles. Guarantee: it takes them, and its proofs are ours; also past 65,536 leaves.
#[test]
fn another_implementation_reads_the_tiles() {
    let large = [65_535, 65_536, 65_537, 66_000, 70_000];
    written(
        70_000,
        |size| size <= 300 || large.contains(&size),
        |size, tiles, range, edge| {
            if size.0 == 0 {
                return;
            }
            assert_eq!(edge.range(), range);
            let reader = Reader(tiles);
            let root = tlog_tiles::Hash(range.root().0.0);
            let theirs = tlog_tiles::TileHashReader::new(size.0, root, &reader);
            let mut held = Tiles::default();
            assert!(tiles.iter().all(|(tile, nodes)| held.insert(*tile, &encode(nodes))));
            assert_eq!(held.root(size), Some(range.root()));
            for index in [0, size.0 / 3, size.0 - 1] {
                let proof = tlog_tiles::prove_record(size.0, index, &theirs).unwrap();
                let ours = held.inclusion(LeafIndex(index), size).unwrap();
                assert_eq!(proof.iter().map(|h| Hash(h.0)).collect::<Vec<_>>(), ours);
            }
            for old in [1, size.0 / 2, size.0].into_iter().filter(|old| *old > 0) {
                let proof = tlog_tiles::prove_tree(size.0, old, &theirs).unwrap();
                let ours = held.consistency(TreeSize(old), size).unwrap();
                assert_eq!(proof.iter().map(|h| Hash(h.0)).collect::<Vec<_>>(), ours, "{old} to {size:?}");
            }
        },
    );
}

#[test]
fn bundles_hold_entries_of_every_length() {
    let mut bundle = Vec::new();
    let longest = vec![b'x'; ENTRY_BYTES_MAX];
    for entry in [&b""[..], b"one", &longest] {
        assert!(add_entry(&mut bundle, entry));
    }
    let length = bundle.len();
    assert!(!add_entry(&mut bundle, &[b'x'; ENTRY_BYTES_MAX + 1]));
    assert_eq!(bundle.len(), length);
    assert_eq!(entries(&bundle).unwrap(), [&b""[..], b"one", &longest]);
    assert_eq!(entries(b""), Some(vec![]));
    assert_eq!(entries(&bundle[..length - 1]), None);
    assert_eq!(entries(b"\0"), None);
}

/// Every range of every tree of up to 64 leaves: the nodes that a plan names make the proof that the leaves give.
#[test]
fn plans_of_ranges_make_their_proofs() {
    let all = leaves(64);
    for size in 1..=all.len() {
        let (tree, of) = (&all[..size], TreeSize(u64::try_from(size).unwrap()));
        for (first, end) in (0..of.0).flat_map(|first| (first + 1..=of.0).map(move |end| (first, end))) {
            let shown: Vec<LeafIndex> = (first..end).map(LeafIndex).collect();
            let path = subset_plan(&shown, of).unwrap().path(|node| {
                let end = usize::try_from(node.last().unwrap()).unwrap() + 1;
                let leaves = tree.get(end - (1 << node.level)..end)?;
                Some(root_of(leaves).0)
            });
            assert_eq!(path, subset_path(&shown, tree), "{first}..{end} of {size}");
        }
        assert_eq!(subset_plan(&[], of), None);
        assert_eq!(subset_plan(&[LeafIndex(of.0)], of), None);
        assert_eq!(subset_plan(&[LeafIndex(0), LeafIndex(0)], of), None);
    }
}

/// What breaks off in the middle of a node, or holds more or fewer than the tile is wide, is not that tile.
#[test]
fn a_tile_is_as_wide_as_its_name_says() {
    let tile = Tile::new(0, 0, 2).unwrap();
    assert_eq!(tile.decode(&[7; 64]), Some(vec![Hash([7; 32]); 2]));
    for bytes in [0, 32, 63, 65, 69, 96] {
        assert_eq!(tile.decode(&vec![7; bytes]), None, "{bytes}");
    }
}

/// The nodes of an edge stand where a tree of that size has them: as many, a level up or down, are none.
#[test]
fn an_edge_has_its_nodes_in_their_places() {
    let node = Hash([7; 32]);
    assert!(Edge::from_levels(TreeSize(1), vec![vec![node]]).is_some());
    assert!(Edge::from_levels(TreeSize(256), vec![vec![], vec![node]]).is_some());
    for (size, levels) in [(1, vec![vec![], vec![node]]), (256, vec![vec![node]]), (2, vec![vec![node]]), (0, vec![vec![]; 9])] {
        assert_eq!(Edge::from_levels(TreeSize(size), levels.clone()), None, "{size}: {levels:?}");
    }
}
