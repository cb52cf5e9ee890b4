//! Who signs for a log: what the sealer needs of a key is its public half and a signature now and then, never the secret, so that the
//! secret may stay in a key service that answers over a network, late, or not at all.

use std::fmt;

use async_trait::async_trait;

use super::note::{NoteSigner, VerifierKey, checkpoint_text, signature_line};
use super::{RootHash, TreeSize};

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key, or whoever keeps it, gave no signature. It may give one the next time.
    #[error("the log's key did not sign: {0}")]
    Failed(String),
    /// What came back is no signature of this key over this text; it goes nowhere.
    #[error("what should be a signature by {0} does not verify; find out whether another key lies where this one should")]
    Wrong(VerifierKey),
}

/// A log's key, wherever its secret half is kept.
#[async_trait]
pub trait Signer: fmt::Debug + Send + Sync {
    /// The public half, whose name is the log's origin. The same for as long as the process runs.
    fn verifier(&self) -> &VerifierKey;

    /// The Ed25519 signature over `message`, made now: an answer of an earlier call that comes late belongs to no later one. Nothing is
    /// believed of it before it was verified under [`verifier`](Self::verifier).
    async fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

#[async_trait]
impl Signer for NoteSigner {
    fn verifier(&self) -> &VerifierKey {
        NoteSigner::verifier(self)
    }

    async fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.signature(message))
    }
}

/// The checkpoint of a tree, signed by each of these keys of one origin, their lines in this order. Every signature is verified before it
/// is put into the note.
pub async fn sign_checkpoint(signers: &[&dyn Signer], size: TreeSize, root: RootHash) -> Result<String, SignError> {
    let origin = signers.first().map_or("", |signer| signer.verifier().name());
    let text = checkpoint_text(origin, size, root);
    let mut note = format!("{text}\n");
    for signer in signers {
        let signature = signer.sign(text.as_bytes()).await?;
        if !signer.verifier().verify(text.as_bytes(), &signature) {
            return Err(SignError::Wrong(signer.verifier().clone()));
        }
        note.push_str(&signature_line(signer.verifier(), &signature));
    }
    Ok(note)
}
