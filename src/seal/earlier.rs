//! What an earlier process sealed, known with its content.
//!
//! The window of duplicates is filled from lines, and of content in the vault a line holds a commitment only, salted anew each time: two
//! records with equal lines may have said different things (`record.md` section 5, rule 9). When a record with a known line comes again, the
//! seal that holds the first is looked at once: its lines, and the packs that the vault has of it. Content counts where SHA-256(salt, x) is
//! what the line commits to; what the vault does not have any more (erased, expired, gone) is not told, and its record stays known by its
//! line alone. So a contradiction is kept, a copy is not, and what was erased does not come back. Nothing of this happens for a record whose
//! line is new, and no vault is read at the start.
//!
//! KNOWN GAP: whoever can delete in the vault, or lets it say that something is not there, can so have another content of the same length taken
//! for a copy. And of two contents under one id in one seal whose line was cut, which is whose is not known: a third is taken for a copy.
//! KNOWN GAP: a vault that answers without end costs two looks the memory of the largest pack each, whatever the pool is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::chain::{seal_at, segment_lines};
use super::dedup::{Key, LookedAt};
use super::lineage::Lineage;
use crate::clock::UnixSeconds;
use crate::record::canonical::Json;
use crate::record::content::{COMMITMENT_PREFIX, commitment, contents};
use crate::record::{RecordId, sameness_of_content, sameness_of_line, sameness_with};
use crate::tlog::seal_file::Statement;
use crate::vault::{Said, Vault};
use crate::worm::{ReadError, WormStore};

/// Seals looked at at a time: each holds a segment and a decoded pack in memory.
const SEALS_AT_ONCE: usize = 2;

/// How long one look may take. What senders wait with holds its share of the pool, and others may need that.
const LOOK_WITHIN: Duration = Duration::from_secs(30);

/// Looks at seals of earlier processes.
#[derive(Debug)]
pub(crate) struct Earlier {
    store: Arc<dyn WormStore>,
    log: String,
    lineage: Lineage,
    vault: Vault,
    at_once: Semaphore,
}

/// A record that keeps content apart.
struct Kept {
    line: Key,
    held: Vec<Held>,
    /// The line was cut, so it may not name all.
    is_cut: bool,
    /// Contents that the line does not name.
    beyond: Vec<[u8; 16]>,
}

/// One content object that commits to what the vault was given.
struct Held {
    member: String,
    commitment: [u8; 32],
    found: Option<[u8; 16]>,
}

impl Kept {
    /// `None`: no record, or one that keeps nothing apart.
    fn of(line: &[u8]) -> Option<Self> {
        let json = Json::parse(line).ok()?;
        let of = |(member, content): (String, &Json)| {
            content.get("captured").and_then(Json::as_str).filter(|captured| *captured == "vault")?;
            let digits = content.get("commitment").and_then(Json::as_str)?.strip_prefix(COMMITMENT_PREFIX)?;
            let mut commitment = [0; 32];
            hex::decode_to_slice(digits, &mut commitment).ok()?;
            Some(Held { member, commitment, found: None })
        };
        let held: Vec<Held> = contents(&json).into_iter().filter_map(of).collect();
        if held.is_empty() {
            return None;
        }
        let (id, sameness) = sameness_of_line(line)?;
        let is_cut = json.get("evidence").and_then(|evidence| evidence.get("truncated")).is_some();
        Some(Kept { line: Key(id, sameness), held, is_cut, beyond: Vec::new() })
    }

    /// What the record is known by; `None`: the vault does not have all of its content.
    fn told(&self) -> Option<Key> {
        let found: Option<Vec<[u8; 16]>> = self.held.iter().map(|held| held.found).collect();
        let Key(id, line) = self.line;
        Some(Key(id, sameness_with(line, found?.into_iter().chain(self.beyond.iter().copied()))))
    }
}

/// The records of one seal, while its packs are read.
struct Look {
    kept: Vec<Kept>,
    by_id: HashMap<RecordId, Vec<usize>>,
}

impl Look {
    fn new(kept: Vec<Kept>) -> Self {
        let mut by_id: HashMap<RecordId, Vec<usize>> = HashMap::new();
        for (at, record) in kept.iter().enumerate() {
            by_id.entry(record.line.0).or_default().push(at);
        }
        Look { kept, by_id }
    }

    fn take(&mut self, said: &Said<'_>) {
        let Look { kept, by_id } = self;
        let Some(of_id) = by_id.get(&said.record) else { return };
        let (sameness, committed) = (sameness_of_content(said.member, said.content), commitment(said.salt, said.content));
        let mut is_named = false;
        for at in of_id {
            let held = kept.get_mut(*at).into_iter().flat_map(|record| &mut record.held).filter(|held| held.member == said.member);
            for held in held {
                is_named = true;
                if held.commitment == committed {
                    held.found = Some(sameness);
                }
            }
        }
        for at in of_id.iter().filter(|_| !is_named) {
            if let Some(record) = kept.get_mut(*at) {
                record.beyond.push(sameness);
            }
        }
    }

    /// What is known of it. What lines do not name may be another record's of the same id, or lie in what could not be read (`is_whole`).
    fn finish(self, is_whole: bool) -> LookedAt {
        let is_alone = |record: &Kept| self.by_id.get(&record.line.0).is_some_and(|of_id| of_id.len() == 1);
        let may_lack = |record: &Kept| record.is_cut || !record.beyond.is_empty();
        let is_clear = |record: &&Kept| !may_lack(record) || is_whole && is_alone(record);
        self.kept.iter().filter(is_clear).filter_map(|record| Some((record.line, record.told()?))).collect()
    }
}

impl Earlier {
    pub(crate) fn new(store: Arc<dyn WormStore>, log: String, lineage: Lineage, vault: Vault) -> Arc<Self> {
        Arc::new(Earlier { store, log, lineage, vault, at_once: Semaphore::new(SEALS_AT_ONCE) })
    }

    /// Looks at a seal. An error, in words, may pass, as a refusal does when the operator mends it: nothing is known, and the same may be asked
    /// again. What the vault does not have is told as nothing, and so is a seal that is damaged for good, which is said to the operator.
    pub(crate) async fn look_at(self: Arc<Self>, index: u64) -> Result<(UnixSeconds, LookedAt), String> {
        let _turn = self.at_once.acquire().await.ok();
        let late = |_| format!("the store or the vault did not tell of seal {index} within {} s", LOOK_WITHIN.as_secs());
        tokio::time::timeout(LOOK_WITHIN, self.look(index)).await.map_err(late)?
    }

    async fn look(&self, index: u64) -> Result<(UnixSeconds, LookedAt), String> {
        let seal = match seal_at(self.store.as_ref(), &self.log, index, &self.lineage, None).await {
            Ok(at) => {
                if at.truth.is_none() {
                    untold(index, "it is gone, or is not what was signed");
                }
                at.truth.map(|(_, _, seal)| seal)
            }
            Err(error @ ReadError::TooLarge { .. }) => {
                untold(index, &error.to_string());
                None
            }
            Err(error) => return Err(error.to_string()),
        };
        let Some(statement) = seal.map(|seal| seal.statement) else { return Ok(Default::default()) };
        let sealed_at = statement.sealed_at;
        let Some(kept) = self.kept(&statement).await? else { return Ok((sealed_at, LookedAt::new())) };
        let (look, problems) =
            self.vault.each_content(index, sealed_at, Look::new(kept), Look::take).await.map_err(|error| error.to_string())?;
        if let Some(refused) = problems.iter().find(|problem| !problem.is_damage()) {
            return Err(refused.to_string());
        }
        problems.iter().for_each(|problem| tracing::warn!(seal = index, reason = %problem, "dedup.content.damaged"));
        let kept = look.kept.len();
        let told = look.finish(problems.is_empty());
        // What is missing may be in what did not open, and may be there the next time; at the latest it is sealed anew when it leaves the window.
        match problems.first().filter(|_| told.len() < kept) {
            Some(problem) => Err(problem.to_string()),
            None => Ok((sealed_at, told)),
        }
    }

    /// The records of a seal that keep content apart. `None`: not all of its lines can be read.
    async fn kept(&self, statement: &Statement) -> Result<Option<Vec<Kept>>, String> {
        let mut kept = Vec::new();
        for segment in &statement.segments {
            match segment_lines(self.store.as_ref(), &self.log, segment, Kept::of).await {
                Ok(Some(of_segment)) => kept.extend(of_segment),
                Ok(None) => {
                    untold(statement.index, "a segment of it is gone");
                    return Ok(None);
                }
                Err(error @ ReadError::TooLarge { .. }) => {
                    untold(statement.index, &error.to_string());
                    return Ok(None);
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(Some(kept))
    }
}

fn untold(seal: u64, reason: &str) {
    let advice = "records of this seal whose content cannot be read are taken for copies when they come again, whatever they say; run \
                  `spanseal verify` and `spanseal doctor`";
    tracing::warn!(seal, reason, advice, "dedup.content.unreadable");
}
