//! What the records of a seal keep apart: in the vault before the seal is signed, and gone from it when the seal does not come to be.

use tokio::time::Instant;

use super::{Sealer, fails};
use crate::clock::UnixSeconds;
use crate::record::apart::Apart;
use crate::record::canonical::Json;
use crate::seal::chain::{seal_at, segment_lines};
use crate::seal::recovery::OpenError;
use crate::tlog::seal_file::{SealFile, Statement};
use crate::vault::Packs;

/// Most seals without records that a start looks back over for what a predecessor left: as many starts in a row that died between their
/// first seal and their look at the vault.
const LOOK_BACK_MAX: usize = 32;

impl Sealer {
    /// Content is durable before anything is signed that commits to it. Asked for every seal, heartbeats too: no index is signed before
    /// what an earlier attempt at it left in the vault is gone.
    pub(super) async fn put_apart(&self, aparts: Vec<Apart>, sealed_at: UnixSeconds) -> Result<Packs, String> {
        let Some(vault) = &self.vault else {
            // Our own mistake, and not one to lose content by.
            let kept = aparts.iter().any(|apart| !apart.is_empty());
            return if kept { Err("records keep content apart, and there is no vault for it".to_owned()) } else { Ok(Packs::default()) };
        };
        let began = Instant::now();
        let bytes: usize = aparts.iter().map(Apart::bytes_kept).sum();
        let pieces: usize = aparts.iter().map(|apart| apart.pieces.len()).sum();
        let kept = aparts.iter().any(|apart| !apart.is_empty());
        match vault.put(self.range.size().0, sealed_at, aparts).await {
            Ok(packs) => {
                // A heartbeat asks after a vault that failed: senders may have gone where something answers.
                if kept || (self.stats.vault_failing_since.value() > 0 && vault.takes_writes(&self.lineage.first().to_string()).await) {
                    self.stats.vault_failing_since.set(0);
                }
                if kept {
                    self.stats.vault_put.record(began.elapsed());
                    self.stats.vault_bytes.add(u64::try_from(bytes).unwrap_or(u64::MAX));
                    self.stats.vault_pieces.add(u64::try_from(pieces).unwrap_or(u64::MAX));
                }
                Ok(packs)
            }
            Err(error) => {
                self.stats.vault_failures.add(1);
                fails(&self.stats.vault_failing_since, self.clock.as_ref());
                Err(error.to_string())
            }
        }
    }

    /// The seal that these were for does not come to be.
    pub(super) async fn leave(&self, packs: Packs) {
        if let Some(vault) = &self.vault {
            vault.remove(packs).await;
        }
    }

    /// Whether a seal is one that keeps nothing apart for certain: a heartbeat, or the first one after a change of the configuration. Other
    /// records of our own may hold content.
    async fn keeps_nothing_apart(&self, statement: &Statement) -> Result<bool, OpenError> {
        let records = statement.segments.iter().fold(0_u64, |sum, segment| sum.saturating_add(segment.records));
        if statement.counts.promoted > 0 || records > 1 {
            return Ok(false);
        }
        for segment in &statement.segments {
            let is_change =
                |line: &[u8]| Some(Json::parse(line).is_ok_and(|json| json.get("kind").and_then(Json::as_str) == Some("config_change")));
            // A segment that is gone says nothing of what its record kept.
            let lines = segment_lines(self.store.as_ref(), &self.log, segment, is_change).await?.unwrap_or_default();
            if lines != [true] {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes what dead predecessors left in the vault for seals that never came to be. Not before the first seal of this process is
    /// committed: until then a predecessor that is not dead may commit the seal that its content is for. First seals keep nothing apart, so
    /// what lies at their index is nobody's, neither at that of this process nor of one that died before it came to look; `previous` is the
    /// newest seal that this process found.
    ///
    /// KNOWN GAP: what a predecessor has on the wire to a bucket then lands later, at an index that is ours; it stays until the vault's
    /// retention ends.
    pub(super) async fn clean_vault(&self, previous: Option<SealFile>) -> Result<(), OpenError> {
        let (Some(vault), Some(own)) = (&self.vault, &self.newest) else { return Ok(()) };
        let mut from = own.statement.index;
        let mut before = previous.map(|seal| seal.statement);
        for _ in 0..LOOK_BACK_MAX {
            let Some(statement) = &before else { break };
            if !self.keeps_nothing_apart(statement).await? {
                break;
            }
            from = statement.index;
            before = match from.checked_sub(1) {
                Some(index) => {
                    let at = seal_at(self.store.as_ref(), &self.log, index, &self.lineage, None).await?;
                    at.truth.map(|(_, _, seal)| seal.statement)
                }
                None => None,
            };
        }
        // An attempt never closes earlier than the seal before it.
        let removed = vault.clean(from, before.map(|statement| statement.sealed_at)).await?;
        if removed > 0 {
            tracing::info!(removed, "vault.cleaned");
        }
        Ok(())
    }
}
