//! Which stored version of a seal is the log (`store.md`, "Which version is the truth"): pure, so that recovery, queries and the
//! verifier agree by construction.
//!
//! Seal n is the **oldest** version of its key that verifies and extends seal n-1. Oldest means last in the store's own version
//! listing, never by modification time; delete markers are no versions. All others are never the log.

use super::merkle::{CompactRange, leaf_hash};
use super::note::{Checkpoint, VerifierKey};
use super::seal_file::{SealError, SealFile};
use super::{Hash, TreeSize};
use crate::record::canonical::Json;

/// What one stored version of a seal's key is.
#[derive(Clone, Debug)]
pub enum Judgement {
    /// The seal.
    Truth(Box<SealFile>),
    /// The same bytes once more: a repeated put. Harmless.
    Duplicate,
    /// Signed by the log's key, but not the log: a second writer, or one that was displaced. Explained, not excused.
    Fork(Box<SealFile>),
    /// Not signed by the log's key, or not a seal.
    Foreign(SealError),
}

/// Judges all versions of seal `index`, **oldest first**. `before` is the true seal `index - 1`; without it (verification may start
/// anywhere) the signature, the frontier and the index decide.
pub fn judge<'a>(
    index: u64,
    key: &VerifierKey,
    before: Option<&SealFile>,
    oldest_first: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Judgement> {
    let mut truth: Option<&[u8]> = None;
    let mut judgements = Vec::new();
    for bytes in oldest_first {
        if truth == Some(bytes) {
            judgements.push(Judgement::Duplicate);
            continue;
        }
        judgements.push(match signed(index, key, bytes) {
            Err(error) => Judgement::Foreign(error),
            Ok(seal) if truth.is_none() && before.is_none_or(|b| seal.extends(b).is_ok()) => {
                truth = Some(bytes);
                Judgement::Truth(Box::new(seal))
            }
            Ok(seal) => Judgement::Fork(Box::new(seal)),
        });
    }
    judgements
}

fn signed(index: u64, key: &VerifierKey, bytes: &[u8]) -> Result<SealFile, SealError> {
    let seal = SealFile::parse(bytes)?;
    seal.open(key)?;
    if seal.statement.index != index {
        return Err(SealError::Tree("it is a seal of another index"));
    }
    Ok(seal)
}

/// The format of a seal that this version of the program does not know, if it is truly of this log. A reader says "unchecked" of it; a
/// writer must take the index for signed and stop.
///
/// The file's other members keep their meaning whatever the statement says (`store.md`, "The seal": an unknown `format` is unchecked):
/// its checkpoint and frontier prove the leaf. Without that look one changed byte of `format` would turn a finding into a shrug, and let
/// anybody with a put stop the writer.
pub fn newer_format<'a>(judgement: &'a Judgement, bytes: &[u8], index: u64, key: &VerifierKey) -> Option<&'a str> {
    let Judgement::Foreign(SealError::UnknownFormat(format)) = judgement else { return None };
    let json = Json::parse_canonical(bytes).ok()?;
    let checkpoint = Checkpoint::open(json.get("checkpoint")?.as_str()?, key).ok()?;
    let nodes = json.get("frontier")?.as_array()?.iter().map(|n| n.as_str().and_then(Hash::parse_hex)).collect::<Option<Vec<_>>>()?;
    let mut range = CompactRange::from_nodes(TreeSize(index), nodes)?;
    range.append(leaf_hash(&json.get("statement")?.to_jcs()));
    (checkpoint.size == range.size() && checkpoint.root == range.root()).then_some(format)
}
