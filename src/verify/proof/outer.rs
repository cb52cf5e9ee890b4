//! What stands around the records of a bundle, of one or of several: the checkpoint, and who signed it, saw it and stamped it.

use super::{ProofError, Rotation, SeenBy, included, read, refused};
use crate::tlog::TreeSize;
use crate::tlog::cosignature::WitnessKey;
use crate::tlog::note::{Checkpoint, SignatureLine, SignedNote, VerifierKey};
use crate::tlog::seal_file::Statement;

/// The same members of every format.
#[derive(Clone, Copy)]
pub(super) struct Outer<'a> {
    /// Of the checkpoint's tree.
    pub(super) size: TreeSize,
    pub(super) checkpoint: &'a str,
    pub(super) cosignatures: &'a [String],
    pub(super) timestamps: &'a [String],
    pub(super) rotations: &'a [Rotation],
}

impl Outer<'_> {
    /// From the auditor's key to the one that signed the checkpoint, over seals that both keys signed.
    pub(super) fn follow_rotations(&self, vkey: &VerifierKey) -> Result<VerifierKey, ProofError> {
        let mut key = vkey.clone();
        let mut after = 0;
        for rotation in self.rotations {
            let announced = read::statement(&rotation.statement)?;
            let next = announced.next_vkey.clone().ok_or_else(|| refused("rotations: a statement without next_vkey"))?;
            if next == key || next.name() != key.name() {
                return Err(refused("rotations: next_vkey is not a new key of the same origin"));
            }
            let checkpoint = included(&rotation.statement, &announced, &rotation.log, &rotation.checkpoint, &key)?;
            Checkpoint::open(&rotation.checkpoint, &next).map_err(|e| refused(format!("rotations: the new key did not sign: {e}")))?;
            if Some(checkpoint.size.0) != announced.index.checked_add(1) || checkpoint.size.0 <= after {
                return Err(refused("rotations: not the announcing seals' own checkpoints, in order"));
            }
            after = checkpoint.size.0;
            key = next;
        }
        if self.size.0 < after {
            return Err(refused("the checkpoint is older than a change of key that leads to it"));
        }
        Ok(key)
    }

    /// Signature lines of others than the log: those that are listed, and those in the checkpoint besides that of the key.
    pub(super) fn beside(&self, key: &VerifierKey, statement: &Statement) -> Result<Vec<SignatureLine>, ProofError> {
        let lines = SignedNote::parse(self.checkpoint).map(|note| note.signatures).unwrap_or_default();
        // A seal that announces a key is signed by both, and `included` has verified both.
        let announced = statement.next_vkey.as_ref().filter(|_| Some(self.size.0) == statement.index.checked_add(1));
        let mut found: Vec<SignatureLine> =
            lines.into_iter().filter(|line| !line.is_of(key) && announced.is_none_or(|next| !line.is_of(next))).collect();
        for line in self.cosignatures {
            let line = SignatureLine::parse(line.strip_suffix('\n').unwrap_or(line));
            found.push(line.map_err(|e| refused(format!("cosignatures: {e}")))?);
        }
        Ok(found)
    }

    /// Which of these witnesses cosigned the checkpoint of a bundle that was checked, and how many lines are of nobody among them. A line of
    /// one of them that does not verify refuses the bundle.
    pub(super) fn seen(
        &self,
        key: &VerifierKey,
        statement: &Statement,
        witnesses: &[WitnessKey],
    ) -> Result<(Vec<SeenBy>, usize), ProofError> {
        let text = SignedNote::parse(self.checkpoint).map(|note| note.text).map_err(|e| refused(format!("checkpoint: {e}")))?;
        let (mut seen, mut strangers) = (Vec::<SeenBy>::new(), 0);
        for line in self.beside(key, statement)? {
            let Some(witness) = witnesses.iter().find(|key| key.owns(&line)) else {
                strangers += 1;
                continue;
            };
            let at = witness.verify(&text, &line).map_err(|e| refused(format!("cosignatures: {e}")))?;
            match seen.iter_mut().find(|other| other.name == witness.name()) {
                // The first time that it was seen says the most.
                Some(other) => other.at = other.at.min(at),
                None => seen.push(SeenBy { name: witness.name().to_owned(), at }),
            }
        }
        Ok((seen, strangers))
    }
}
