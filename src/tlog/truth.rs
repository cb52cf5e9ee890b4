//! Which stored version of a seal is the log (`store.md`, "Which version is the truth"): pure, so that recovery, queries and the
//! verifier agree by construction.
//!
//! Seal n is the **oldest** version of its key that verifies and extends seal n-1. Oldest means last in the store's own version
//! listing, never by modification time; delete markers are no versions. All others are never the log.

use super::note::VerifierKey;
use super::seal_file::{SealError, SealFile};

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
