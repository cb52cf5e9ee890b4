//! Submissions that may bring again what an earlier process sealed: they wait until the seals in question were looked at in the vault, and
//! nobody else waits for that.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinError;

use super::{RETRY_AFTER, Sealer};
use crate::clock::UnixSeconds;
use crate::seal::dedup::{Dedup, Key, LookedAt};
use crate::seal::earlier::Earlier;
use crate::seal::pending::Pending;
use crate::seal::{Submission, SubmitError};

/// What became of a look at one seal.
pub(super) type Look = (u64, Result<(UnixSeconds, LookedAt), String>);

/// Who waits, and for what. Dropping it ends the looks.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    submissions: Vec<Submission>,
    seals: BTreeSet<u64>,
    pub(super) looks: tokio::task::JoinSet<Look>,
}

fn seals_in_doubt(submission: &Submission, dedup: &Dedup) -> BTreeSet<u64> {
    let records = submission.batch.records.iter();
    records.flat_map(|record| dedup.doubts(Key(record.id, record.sameness), Key(record.id, record.line_sameness))).collect()
}

impl Sealer {
    /// Gives a submission back, unless it is in doubt and waits now.
    pub(super) fn unless_in_doubt(&mut self, submission: Submission) -> Option<Submission> {
        let Some(vault) = &self.vault else { return Some(submission) };
        let seals = seals_in_doubt(&submission, &self.dedup);
        if seals.is_empty() {
            return Some(submission);
        }
        for seal in seals {
            if self.doubts.seals.insert(seal) {
                let of_log = || Earlier::new(Arc::clone(&self.store), self.log.clone(), self.lineage.clone(), vault.clone());
                let look = Arc::clone(self.earlier.get_or_insert_with(of_log)).look_at(seal);
                self.doubts.looks.spawn(async move { (seal, look.await) });
            }
        }
        self.doubts.submissions.push(submission);
        None
    }

    /// A look has ended: takes in who waited for nothing else.
    pub(super) fn looked(&mut self, ended: Result<Look, JoinError>, pending: &mut Pending) {
        let failed = match ended {
            Ok((seal, looked)) => {
                self.doubts.seals.remove(&seal);
                match looked {
                    Ok((sealed_at, looked_at)) => {
                        self.dedup.learn(seal, sealed_at, looked_at);
                        None
                    }
                    Err(reason) => Some((Some(seal), reason)),
                }
            }
            // Which one broke off is not known, so all are begun anew by whoever comes again.
            Err(error) => {
                self.doubts.looks.abort_all();
                self.doubts.seals.clear();
                Some((None, error.to_string()))
            }
        };
        for submission in std::mem::take(&mut self.doubts.submissions) {
            let waits_for = |seal: &Option<u64>| seal.is_none_or(|seal| seals_in_doubt(&submission, &self.dedup).contains(&seal));
            match &failed {
                Some((seal, reason)) if waits_for(seal) => {
                    let reason = format!("whether this was sealed before could not be compared: {reason}");
                    tracing::warn!(reason, "dedup.content.unasked");
                    let _ = submission.answer.send(Err(SubmitError::NotSealed { reason, retry_after: RETRY_AFTER }));
                }
                _ => self.pend(submission, pending),
            }
        }
    }

    /// Waits for every look that is under way: what was submitted before the end is sealed with it.
    pub(super) async fn settle(&mut self, pending: &mut Pending) {
        while let Some(ended) = self.doubts.looks.join_next().await {
            self.looked(ended, pending);
        }
    }
}
