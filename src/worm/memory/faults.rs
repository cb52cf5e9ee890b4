//! The fault plan: which call fails, and how. Written before the faults happen, so that a test is a table.

use super::{MemoryStore, ObjectKey, State};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What happens to one effect (a put, an extend, a hold).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not done, and the caller knows: [`PutError::NotStored`](crate::worm::PutError::NotStored).
    NotStored,
    /// Not done, and no use asking again: [`PutError::Refused`](crate::worm::PutError::Refused).
    Refused,
    /// Not done, the caller does not know: [`PutError::Unknown`](crate::worm::PutError::Unknown).
    LostBefore,
    /// Done, the caller does not know. What create-only refuses is not done, and still reported unknown.
    LostAfter,
    /// Done and reported so, but the lock was dropped silently.
    LockDropped,
    /// Reported unknown now; lands at [`MemoryStore::release`], where the condition is looked at then. Puts only:
    /// an extend or hold is done and reported.
    Delayed,
    /// The process is killed just before it: not done, the call never returns.
    DieBefore,
    /// The process is killed just after it: done, the call never returns.
    DieAfter,
}

impl Fault {
    /// Every way in which an effect can fail.
    pub const ALL: [Fault; 8] = [
        Fault::NotStored,
        Fault::Refused,
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::LockDropped,
        Fault::Delayed,
        Fault::DieBefore,
        Fault::DieAfter,
    ];
}

/// Kinds of effect, as the log of effects shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Put,
    Extend,
    Hold,
}

#[derive(Debug)]
pub(super) struct Plan {
    /// Effects seen so far; the first is number 1.
    effects: u64,
    seen: Vec<String>,
    at: BTreeMap<u64, Fault>,
    by_key: Vec<(String, usize, Fault)>,
    reads: Vec<(String, usize)>,
    slow: Vec<(String, Duration)>,
    /// Whether `head` shows legal holds, and whether nobody may ask for them.
    pub(super) holds_shown: bool,
    pub(super) holds_refused: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            effects: 0,
            seen: Vec::new(),
            at: BTreeMap::new(),
            by_key: Vec::new(),
            reads: Vec::new(),
            slow: Vec::new(),
            holds_shown: true,
            holds_refused: false,
        }
    }
}

/// Effects remembered for a failing test's message.
const SEEN_MAX: usize = 100_000;

impl Plan {
    pub(super) fn next(&mut self, effect: Effect, key: &ObjectKey) -> Option<Fault> {
        self.effects += 1;
        if self.seen.len() < SEEN_MAX {
            self.seen.push(format!("{effect:?} {key}").to_lowercase());
        }
        if let Some(fault) = self.at.remove(&self.effects) {
            return Some(fault);
        }
        let hit = self.by_key.iter_mut().find(|(part, times, _)| *times > 0 && key.as_str().contains(part.as_str()))?;
        hit.1 -= 1;
        Some(hit.2)
    }

    pub(super) fn delay(&self, key: &str) -> Duration {
        self.slow.iter().filter(|(part, _)| key.contains(part.as_str())).map(|(_, by)| *by).sum()
    }

    pub(super) fn read_fails(&mut self, key: &str) -> bool {
        let hit = self.reads.iter_mut().find(|(part, times)| *times > 0 && key.contains(part.as_str()));
        hit.is_some_and(|(_, times)| {
            *times -= 1;
            true
        })
    }
}

impl MemoryStore {
    /// Effects so far, over all processes, failed ones included. "Fail the Nth call until none is left": plan `nth`,
    /// run the scenario, stop when `effects() < nth`.
    pub fn effects(&self) -> u64 {
        self.state().plan.effects
    }

    /// What the effects were (`put log/seals/...`), oldest first.
    pub fn effect_log(&self) -> Vec<String> {
        self.state().plan.seen.clone()
    }

    /// Plans a fault for effect number `nth`, counted from 1 since the store was made.
    pub fn fail_effect(&self, nth: u64, fault: Fault) {
        self.state().plan.at.insert(nth, fault);
    }

    /// Plans a fault for the next effect.
    pub fn fail_next(&self, fault: Fault) {
        let mut state = self.state();
        let nth = state.plan.effects + 1;
        state.plan.at.insert(nth, fault);
    }

    /// Plans a fault for the next `times` effects on keys that contain `part`; the order of planning decides.
    pub fn fail_key(&self, part: &str, times: usize, fault: Fault) {
        self.state().plan.by_key.push((part.to_owned(), times, fault));
    }

    /// The next `times` reads (get, head, versions, list by its prefix) of keys that contain `part` are `Unavailable`.
    pub fn fail_reads(&self, part: &str, times: usize) {
        self.state().plan.reads.push((part.to_owned(), times));
    }

    /// From now on `head` shows no legal hold, as S3 does to who may not read them; `refused`: asking for them is refused, too.
    pub fn hide_holds(&self, refused: bool) {
        let plan = &mut self.state().plan;
        (plan.holds_shown, plan.holds_refused) = (false, refused);
    }

    /// From now on every call on a key that contains `part` takes this long before anything happens.
    pub fn slow(&self, part: &str, by: Duration) {
        self.state().plan.slow.push((part.to_owned(), by));
    }

    /// Sets by how many seconds the store's clock is ahead of ours, as if either had been moved. A process learns of it with its next
    /// answer.
    pub fn set_clock_skew(&self, seconds: i64) {
        self.shared.skew_seconds.store(seconds, Ordering::SeqCst);
    }

    /// Forgets every planned fault; what is in flight stays so.
    pub fn clear_faults(&self) {
        let mut state = self.state();
        state.plan.at.clear();
        state.plan.by_key.clear();
        state.plan.reads.clear();
        state.plan.slow.clear();
        (state.plan.holds_shown, state.plan.holds_refused) = (true, false);
    }

    /// Lets delayed puts land, in order; create-only is judged now. Returns how many were stored.
    pub fn release(&self) -> usize {
        let mut guard = self.state();
        let state: &mut State = &mut guard;
        let waiting = std::mem::take(&mut state.in_flight);
        waiting.iter().filter(|put| state.store(&self.shared.options, put).is_ok()).count()
    }
}
