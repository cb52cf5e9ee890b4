//! Roots of the trees that recent seals completed, for the receipts of what is sent again: a receipt's root is that of its seal.

use std::collections::BTreeMap;

use crate::tlog::RootHash;

/// A day of a seal a second, the longest window in which something is known again; some 5 MiB.
const ROOTS_MAX: usize = 86_400;

/// By the index of the seal.
#[derive(Debug, Default)]
pub(crate) struct Roots(BTreeMap<u64, RootHash>);

impl Roots {
    /// Remembers one; the oldest makes room.
    pub(crate) fn insert(&mut self, seal: u64, root: RootHash) {
        self.0.insert(seal, root);
        if self.0.len() > ROOTS_MAX {
            self.0.pop_first();
        }
    }

    /// The root of the tree of size `seal + 1`, if it is remembered.
    pub(crate) fn of(&self, seal: u64) -> Option<RootHash> {
        self.0.get(&seal).copied()
    }
}
