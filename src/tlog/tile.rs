//! C2SP tlog-tiles: which tiles a tree has, how they are named and written, and what is computed from them (pure).
//!
//! A **tile** is up to 256 consecutive nodes of one level of the tree, 32 bytes each: at level 0 leaf hashes, above it the roots of the full
//! tiles below. An **entry bundle** is the entries of a level 0 tile, each behind two big-endian length bytes. A tile of fewer than 256
//! nodes is *partial*: the tree's right edge at one size, named by its width.
//!
//! What is read here comes from outside: paths are taken only as the specification writes them, and tiles prove nothing until what was
//! computed from them is compared with a signed root.
//!
//! Source: C2SP tlog-tiles@v1.0.0, "Merkle Tree", "Partial Tiles" and "Log Entries".

mod edge;
mod proof;

pub use edge::{Edge, Full, perfect_root};
pub use proof::{Node, Plan, Tiles, consistency_plan, inclusion_plan, root_plan, subset_plan};

use super::{Hash, TreeSize};
use crate::worm::ENTRY_BYTES_MAX;

/// Nodes in a full tile.
pub const WIDTH: u16 = 256;
/// Levels of the tree between a tile and the one above it: 256 is 2 to this power.
pub const HEIGHT: u8 = 8;
/// Bytes of a node in a tile.
pub const HASH_BYTES: usize = 32;
/// Highest level of tiles that the specification names. A tree of 2^64 entries ends at level 7.
const LEVEL_MAX: u8 = 63;

/// Place and extent of a tile, or of the entry bundle beside a tile of level 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    level: u8,
    number: u64,
    width: u16,
}

/// What a path below `tile/` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Nodes of the tree.
    Hashes(Tile),
    /// The entries of this level 0 tile.
    Entries(Tile),
}

impl Tile {
    /// A tile with `width` nodes (1 to 256); `None` where the specification has no such tile.
    pub fn new(level: u8, number: u64, width: u16) -> Option<Self> {
        (level <= LEVEL_MAX && (1..=WIDTH).contains(&width)).then_some(Tile { level, number, width })
    }

    /// Level, from 0.
    pub fn level(self) -> u8 {
        self.level
    }

    /// Place within the level, from 0.
    pub fn number(self) -> u64 {
        self.number
    }

    /// Nodes in it, 1 to 256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether it has all its nodes, and so never changes again.
    pub fn is_full(self) -> bool {
        self.width == WIDTH
    }

    /// Whether a tree of this size has all nodes of this tile.
    pub fn is_of(self, size: TreeSize) -> bool {
        let end = self.number.checked_mul(u64::from(WIDTH)).and_then(|start| start.checked_add(u64::from(self.width)));
        end.is_some_and(|end| end <= nodes_at(self.level, size))
    }

    /// Key below the log: `tile/0/x001/234`, `tile/1/000.p/7`.
    pub fn path(self) -> String {
        format!("tile/{}/{}", self.level, self.place())
    }

    /// Key below the log of the entry bundle beside this tile of level 0: `tile/entries/x001/234`.
    pub fn entries_path(self) -> String {
        format!("tile/entries/{}", self.place())
    }

    /// Bytes of it.
    pub fn bytes(self) -> u64 {
        u64::from(self.width).saturating_mul(32)
    }

    /// Most bytes of the entry bundle beside it: entries of 65,535 bytes with two length bytes each.
    pub fn entries_bytes_max(self) -> u64 {
        u64::from(self.width).saturating_mul(u64::try_from(ENTRY_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(2))
    }

    /// Reads its nodes; `None` unless there are just as many as it is wide.
    pub fn decode(self, bytes: &[u8]) -> Option<Vec<Hash>> {
        let (nodes, rest) = bytes.as_chunks::<HASH_BYTES>();
        (rest.is_empty() && nodes.len() == usize::from(self.width)).then(|| nodes.iter().map(|node| Hash(*node)).collect())
    }

    /// The number in groups of three digits, all but the last behind an `x`, and the width of a partial tile.
    fn place(self) -> String {
        let mut place = format!("{:03}", self.number % 1000);
        let mut rest = self.number / 1000;
        while rest > 0 {
            place = format!("x{:03}/{place}", rest % 1000);
            rest /= 1000;
        }
        if self.is_full() { place } else { format!("{place}.p/{}", self.width) }
    }
}

impl Resource {
    /// Reads a key below the log (`tile/...`). `None` for everything that the specification would not write just so: leading zeros, groups
    /// without or with too many digits, a width of 0 or 256, levels over 63, numbers that no tree of 2^64 entries has.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, place) = path.strip_prefix("tile/")?.split_once('/')?;
        let (place, width) = match place.split_once(".p/") {
            None => (place, WIDTH),
            Some((place, width)) => (place, decimal(width)?.try_into().ok().filter(|width| *width < WIDTH)?),
        };
        let mut groups = place.split('/').rev();
        let mut number = digits(groups.next()?)?;
        let mut weight = Some(1000_u64);
        let mut highest = None;
        for group in groups {
            let group = digits(group.strip_prefix('x')?)?;
            // Beyond the twenty digits of a u64 there is no weight.
            number = number.checked_add(group.checked_mul(weight?)?)?;
            weight = weight.and_then(|weight| weight.checked_mul(1000));
            highest = Some(group);
        }
        if highest == Some(0) {
            return None;
        }
        match level {
            "entries" => Tile::new(0, number, width).map(Resource::Entries),
            level => Tile::new(decimal(level)?.try_into().ok()?, number, width).map(Resource::Hashes),
        }
    }

    /// Key below the log.
    pub fn path(self) -> String {
        match self {
            Resource::Hashes(tile) => tile.path(),
            Resource::Entries(tile) => tile.entries_path(),
        }
    }

    /// The same tile as wide as it is in a tree of this size; `None` where that tree does not have all of this one.
    pub fn widened(self, size: TreeSize) -> Option<Self> {
        let (Resource::Hashes(tile) | Resource::Entries(tile)) = self;
        let nodes = nodes_at(tile.level, size).saturating_sub(tile.number.saturating_mul(u64::from(WIDTH)));
        let width = u16::try_from(nodes.min(u64::from(WIDTH))).ok()?;
        let wider = tile.is_of(size).then_some(Tile { width, ..tile })?;
        Some(match self {
            Resource::Hashes(_) => Resource::Hashes(wider),
            Resource::Entries(_) => Resource::Entries(wider),
        })
    }

    /// How many bytes of a wider one it is: a tile only ever grows at its end. `None` where that one breaks off before.
    pub fn within(self, wider: &[u8]) -> Option<usize> {
        match self {
            Resource::Hashes(tile) => usize::try_from(tile.bytes()).ok().filter(|bytes| *bytes <= wider.len()),
            Resource::Entries(tile) => {
                let mut rest = wider;
                for _ in 0..tile.width {
                    let (length, behind) = rest.split_first_chunk::<2>()?;
                    rest = behind.get(usize::from(u16::from_be_bytes(*length))..)?;
                }
                wider.len().checked_sub(rest.len())
            }
        }
    }

    /// Most bytes that it may have.
    pub fn bytes_max(self) -> u64 {
        match self {
            Resource::Hashes(tile) => tile.bytes(),
            Resource::Entries(tile) => tile.entries_bytes_max(),
        }
    }
}

/// Three digits.
fn digits(text: &str) -> Option<u64> {
    (text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// A decimal without leading zeros.
fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

/// How many nodes a level of tiles has in a tree of this size.
fn nodes_at(level: u8, size: TreeSize) -> u64 {
    size.0.checked_shr(u32::from(level) * u32::from(HEIGHT)).unwrap_or(0)
}

/// The full tiles that growth from one size to another completes: those of level 0 first, numbers ascending.
pub fn completed(from: TreeSize, to: TreeSize) -> impl Iterator<Item = Tile> {
    (0..HEIGHT).flat_map(move |level| {
        let full = |size| nodes_at(level, size) / u64::from(WIDTH);
        (full(from)..full(to)).map(move |number| Tile { level, number, width: WIDTH })
    })
}

/// The partial tiles of a tree of this size, lowest level first. The one of level 0 has an entry bundle beside it.
pub fn partials(size: TreeSize) -> impl Iterator<Item = Tile> {
    (0..HEIGHT).filter_map(move |level| {
        let nodes = nodes_at(level, size);
        let width = u16::try_from(nodes % u64::from(WIDTH)).ok()?;
        Tile::new(level, nodes / u64::from(WIDTH), width)
    })
}

/// The tiles that must be there for a tree of size `to` and were not for one of size `from`: full ones, then partial ones.
pub fn changed(from: TreeSize, to: TreeSize) -> impl Iterator<Item = Tile> {
    let grown = move |tile: &Tile| nodes_at(tile.level, from) != nodes_at(tile.level, to);
    completed(from, to).chain(partials(to).filter(grown))
}

/// Nodes as a tile holds them.
pub fn encode(nodes: &[Hash]) -> Vec<u8> {
    nodes.iter().flat_map(|node| node.0).collect()
}

/// Adds an entry to a bundle. `false`, and nothing is added: it is longer than an entry may be.
#[must_use]
pub fn add_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else { return false };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

/// The entries of a bundle, in order; `None` where it breaks off.
pub fn entries(mut bundle: &[u8]) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    while !bundle.is_empty() {
        let (length, rest) = bundle.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        bundle = rest;
    }
    Some(entries)
}

#[cfg(test)]
mod tests;
