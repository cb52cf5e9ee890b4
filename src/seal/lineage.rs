//! Which key signs which seals. A seal that announces a new key (`next_vkey`) is signed by both; every later one by the new key alone
//! (`store.md`, "The seal"). So whose signature counts is a matter of the index, and what an older key signs beyond its own seals is foreign.

use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::SealFile;

/// The keys of one log, by the seals that each signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lineage {
    first: VerifierKey,
    /// Each later key with its first seal, ascending.
    later: Vec<(u64, VerifierKey)>,
}

impl Lineage {
    /// Of a log that has changed no key yet.
    pub(crate) fn new(first: VerifierKey) -> Self {
        Lineage { first, later: Vec::new() }
    }

    /// Takes in the newest seal: the key that it announces, if it announces one, signs from the next seal on.
    pub(crate) fn follow(&mut self, seal: &SealFile) {
        if let Some(next) = &seal.statement.next_vkey {
            self.later.push((seal.statement.index.saturating_add(1), next.clone()));
        }
    }

    /// The key that signs this seal; of one that announces another, the one that signed before it.
    pub(crate) fn at(&self, index: u64) -> &VerifierKey {
        self.later.iter().rev().find(|(from, _)| *from <= index).map_or(&self.first, |(_, key)| key)
    }

    /// The key that made the log.
    pub(crate) fn first(&self) -> &VerifierKey {
        &self.first
    }

    /// The key that signs the next seal.
    pub(crate) fn current(&self) -> &VerifierKey {
        self.later.last().map_or(&self.first, |(_, key)| key)
    }

    /// All of them, in order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        std::iter::once(&self.first).chain(self.later.iter().map(|(_, key)| key))
    }

    /// The seal that announced the successor of this key. `None`: it is the newest, or no key of the log.
    pub(crate) fn end_of(&self, key: &VerifierKey) -> Option<u64> {
        let at = self.keys().position(|own| own == key)?;
        self.later.get(at).and_then(|(from, _)| from.checked_sub(1))
    }
}
