//! What is on record of holds and extensions, before the walk and at its end.

use futures::future::BoxFuture;

use super::Walk;
use crate::govern::decrees::SegmentId;
use crate::tlog::note::VerifierKey;
use crate::verify::chain::Signer;
use crate::verify::decrees::Decrees;
use crate::verify::objects::Outcome;
use crate::verify::report::{Item, Kind};

/// Findings that wait for the end, because a hold may be released meanwhile. Further ones are taken as they are.
const WAITING_MAX: usize = 10_000;

/// Takes what one seal's outcome says because of holds.
pub(super) fn take(by_hold: Vec<(Vec<SegmentId>, Item)>, total: &mut Outcome) {
    for found in by_hold {
        if total.by_hold.len() < WAITING_MAX {
            total.by_hold.push(found);
        } else {
            total.sink.finding(found.1);
        }
    }
}

impl<'a> Walk<'a> {
    fn decrees(&self) -> BoxFuture<'a, Decrees> {
        let mut keys: Vec<VerifierKey> = self.chain.keys().cloned().collect();
        keys.extend(self.given_keys().cloned());
        Decrees::read(self.scene, keys, self.published.as_ref().map(|published| published.read.clone()))
    }

    /// Reads what is on record, so that the walk knows what to demand.
    pub(super) async fn read_decrees(&mut self) {
        let read = self.decrees().await;
        // Nothing else sets it.
        let _ = self.scene.decrees.set(read);
    }

    /// Says what was not shown to be on record, and what holds keep. `gone`: whether a segment is gone since its date.
    pub(super) async fn end_decrees(&mut self, gone: bool, total: &mut Outcome) {
        let Some(decrees) = self.scene.decrees.get() else { return };
        if !self.walked {
            return;
        }
        let by_hold = std::mem::take(&mut total.by_hold);
        if !by_hold.is_empty() || self.shown.is_behind() {
            // Who released a hold while the log was read took it off the objects, too; and a writer may have caught up.
            let now = self.decrees().await;
            let follows = now.follows(decrees, |read| self.signer_of(read) == Signer::Own);
            self.shown.end_behind(if follows { &now } else { decrees }, &mut total.sink);
            for (ids, item) in by_hold {
                if !follows || ids.iter().any(|id| now.holds(*id).next().is_some()) {
                    total.sink.finding(item);
                } else if item.kind == Kind::SegmentMissing {
                    let meaning = "Its retention is over and it is gone: the hold on it was released while the log was read.";
                    total.sink.note(Item { kind: Kind::SegmentExpired, meaning: meaning.to_owned(), evidence: None, ..item });
                }
            }
        }
        let signed = |read: &_| self.signer_of(read) == Signer::Own;
        self.shown.end(decrees, signed, gone, &mut total.sink);
    }
}
