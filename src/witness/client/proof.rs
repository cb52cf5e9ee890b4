//! Consistency proofs out of seals: each seal states the tree before it, so the root of any perfect subtree is folded from the one seal that
//! ends it, and a proof takes as many reads as it has nodes, at most some fifty for 31 million seals.
//!
//! Not out of tiles: they may lag behind the seals, and there may be none of what an older version wrote.

use std::collections::BTreeMap;

use super::{Scene, Target};
use crate::seal::{Lineage, retried, seal_at};
use crate::tlog::merkle::is_consistent;
use crate::tlog::seal_file::SealFile;
use crate::tlog::tile::{Node, consistency_plan, perfect_root};
use crate::tlog::{Hash, TreeSize};
use crate::worm::{ReadError, SEAL_BYTES_MAX, VERSIONS_READ_MAX, read_versions, seal_key};

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProofError {
    /// The store did not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A seal is not there, or does not stand.
    #[error("seal {0} is not there or does not stand; run `spanseal verify`")]
    NoSeal(u64),
    /// The seals do not lead from the one tree to the other.
    #[error("the stored seals do not lead from tree size {0} to the newest checkpoint; run `spanseal verify`")]
    Broken(u64),
}

impl Scene {
    /// The proof from the log's tree of size `old` to a checkpoint of ours; empty where there is nothing to prove. Checked before it leaves.
    pub(super) async fn consistency(&self, old: TreeSize, target: &Target) -> Result<Vec<Hash>, ProofError> {
        if old.0 == 0 || old == target.size {
            return Ok(Vec::new());
        }
        let broken = || ProofError::Broken(old.0);
        let plan = consistency_plan(old, target.size).ok_or_else(broken)?;
        let mut nodes = BTreeMap::new();
        for node in plan.nodes() {
            nodes.insert(node, self.node(node).await?);
        }
        let path = plan.path(|node| nodes.get(&node).copied()).ok_or_else(broken)?;
        let root = self.seal(old.0.saturating_sub(1)).await?.range_after().root();
        if is_consistent(old, root, target.size, target.root, &path) { Ok(path) } else { Err(broken()) }
    }

    async fn node(&self, node: Node) -> Result<Hash, ProofError> {
        // The last leaf below it.
        let last = (u128::from(node.index) + 1).checked_shl(node.level.into()).and_then(|end| u64::try_from(end - 1).ok());
        let last = last.ok_or(ProofError::Broken(node.index))?;
        let seal = self.seal(last).await?;
        perfect_root(&seal.frontier, seal.leaf(), node.level).ok_or(ProofError::NoSeal(last))
    }

    /// The true seal; where the log's key did not sign one (an earlier key did), the oldest that is a seal of this log. The proof is checked as
    /// a whole, so a false one costs an attempt and proves nothing.
    async fn seal(&self, index: u64) -> Result<SealFile, ProofError> {
        if let Some((_, _, seal)) = seal_at(self.store.as_ref(), &self.log, index, &Lineage::new(self.key.clone()), None).await?.truth {
            return Ok(seal);
        }
        let key = seal_key(&self.log, index);
        let listed = retried(|| self.store.versions(&key)).await?;
        let versions = retried(|| read_versions(self.store.as_ref(), &listed, SEAL_BYTES_MAX, VERSIONS_READ_MAX)).await?;
        let mut seals = versions.iter().filter_map(|(_, bytes)| SealFile::parse(bytes).ok());
        let own = seals.find(|seal| seal.statement.index == index && seal.statement.log == self.key.name());
        own.ok_or(ProofError::NoSeal(index))
    }
}
