//! Submissions that may bring again what an earlier process sealed: they wait until the seals in question were looked at in the vault, and
//! nobody else waits for that.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};

use super::{RETRY_AFTER, Sealer};
use crate::clock::UnixSeconds;
use crate::seal::dedup::{Dedup, Key, LookedAt};
use crate::seal::earlier::Earlier;
use crate::seal::pending::Pending;
use crate::seal::{Submission, SubmitError};

/// What became of a look at one seal.
pub(super) type Look = Result<(UnixSeconds, LookedAt), String>;

/// How long a writer that stops waits for looks that are under way: half of what it is given to stop.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);

/// Who waits, and for what. Dropping it ends the looks.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    waiting: Vec<Waiting>,
    /// Seals that are looked at, by the look.
    seals: HashMap<Id, u64>,
    pub(super) looks: JoinSet<Look>,
}

#[derive(Debug)]
struct Waiting {
    submission: Submission,
    /// The newest seal of what was left out of it because it was erased.
    of_erased: Option<u64>,
    /// Seals that it waits for.
    seals: BTreeSet<u64>,
}

impl Waiting {
    fn refuse(self, reason: String) {
        let _ = self.submission.answer.send(Err(SubmitError::NotSealed { reason, retry_after: RETRY_AFTER }));
    }
}

fn seals_in_doubt(submission: &Submission, dedup: &Dedup) -> BTreeSet<u64> {
    let (mut seals, mut lines) = (BTreeSet::new(), HashSet::new());
    for record in &submission.batch.records {
        let line = Key(record.id, record.line_sameness);
        let mut doubts = dedup.doubts(Key(record.id, record.sameness), line).peekable();
        // A line may stand in many seals, and many records may have it.
        if doubts.peek().is_some() && lines.insert(line) {
            seals.extend(doubts);
        }
    }
    seals
}

impl Sealer {
    /// Gives a submission back, unless it is in doubt and waits now.
    pub(super) fn unless_in_doubt(&mut self, submission: Submission, of_erased: Option<u64>) -> Option<Submission> {
        let Some(vault) = &self.vault else { return Some(submission) };
        let seals = seals_in_doubt(&submission, &self.dedup);
        if seals.is_empty() {
            return Some(submission);
        }
        let under_way: HashSet<u64> = self.doubts.seals.values().copied().collect();
        for seal in seals.iter().filter(|seal| !under_way.contains(seal)) {
            let of_log = || Earlier::new(Arc::clone(&self.store), self.log.clone(), self.lineage.clone(), vault.clone());
            let earlier = Arc::clone(self.earlier.get_or_insert_with(of_log));
            let look = self.doubts.looks.spawn(earlier.look_at(*seal));
            self.doubts.seals.insert(look.id(), *seal);
        }
        // Whoever does not wait any more comes again; what they sent takes no room until then.
        self.doubts.waiting.retain(|waiting| !waiting.submission.answer.is_closed());
        self.doubts.waiting.push(Waiting { submission, of_erased, seals });
        None
    }

    /// A look has ended: takes in who waited for nothing else.
    pub(super) fn looked(&mut self, ended: Result<(Id, Look), JoinError>, pending: &mut Pending) {
        let (id, looked) = match ended {
            Ok(looked) => looked,
            // A mistake of ours; whoever comes again has it begun anew.
            Err(error) => (error.id(), Err(error.to_string())),
        };
        let Some(seal) = self.doubts.seals.remove(&id) else { return };
        let failed = match looked {
            Ok((sealed_at, looked_at)) => {
                self.dedup.learn(seal, sealed_at, looked_at);
                None
            }
            Err(reason) => {
                tracing::warn!(seal, reason, "dedup.content.unasked");
                Some(uncompared(&reason))
            }
        };
        for mut waiting in std::mem::take(&mut self.doubts.waiting).into_iter().filter(|waiting| !waiting.submission.answer.is_closed()) {
            match (waiting.seals.remove(&seal), &failed) {
                (true, Some(reason)) => waiting.refuse(reason.clone()),
                _ if waiting.seals.is_empty() => self.pend(waiting.submission, waiting.of_erased, pending),
                _ => self.doubts.waiting.push(waiting),
            }
        }
    }

    /// Waits for the looks that are under way: what was submitted before the end is sealed with it, unless they take too long.
    pub(super) async fn settle(&mut self, pending: &mut Pending) {
        let until = tokio::time::Instant::now() + SETTLE_WITHIN;
        self.doubts.waiting.retain(|waiting| !waiting.submission.answer.is_closed());
        while !self.doubts.waiting.is_empty() {
            match tokio::time::timeout_at(until, self.doubts.looks.join_next_with_id()).await {
                Ok(Some(ended)) => self.looked(ended, pending),
                Ok(None) | Err(_) => break,
            }
        }
        for waiting in std::mem::take(&mut self.doubts.waiting) {
            waiting.refuse(uncompared("the vault did not answer before the end"));
        }
    }
}

fn uncompared(reason: &str) -> String {
    format!("whether this was sealed before could not be compared: {reason}")
}
