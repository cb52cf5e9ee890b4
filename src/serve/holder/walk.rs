//! How far the seals were walked for a decree, and of which of these something is left: they alone are tried again, after ever longer, while the
//! walk goes on behind them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::EVERY;

/// Longest wait before something is tried again.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// Seals of one walk that are tried again in one round.
const AT_ONCE: usize = 256;

/// When something that failed is tried again: in the next round, and then after ever longer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Again {
    failed: u32,
    at: Option<Instant>,
}

impl Again {
    pub(super) fn is_due(&self) -> bool {
        self.at.is_none_or(|at| at <= Instant::now())
    }

    pub(super) fn failed(&mut self) {
        // 0, 1, 3, 7 ... rounds.
        let rounds = 2_u32.saturating_pow(self.failed) - 1;
        self.failed = self.failed.saturating_add(1);
        self.at = Some(Instant::now() + EVERY.saturating_mul(rounds).min(WAIT_MAX));
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Walk {
    walked: u64,
    left: BTreeMap<u64, Again>,
}

impl Walk {
    /// Nothing is left below this seal.
    pub(super) fn from(walked: u64) -> Self {
        Walk { walked, left: BTreeMap::new() }
    }

    /// Seals below this index were walked.
    pub(super) fn walked(&self) -> u64 {
        self.walked
    }

    /// Nothing is left below this one.
    pub(super) fn through(&self) -> u64 {
        self.left.first_key_value().map_or(self.walked, |(left, _)| self.walked.min(*left))
    }

    /// Whether a seal was not walked, or something of it is left.
    pub(super) fn is_open(&self, seal: u64) -> bool {
        seal >= self.walked || self.left.contains_key(&seal)
    }

    /// Whether nothing is left of what was walked.
    pub(super) fn is_whole(&self) -> bool {
        self.left.is_empty()
    }

    /// What is to be tried again by now.
    pub(super) fn due(&self) -> BTreeSet<u64> {
        self.left.iter().filter(|(_, again)| again.is_due()).map(|(seal, _)| *seal).take(AT_ONCE).collect()
    }

    /// Somebody else went further.
    pub(super) fn done_below(&mut self, through: u64) {
        self.walked = self.walked.max(through);
        self.left = self.left.split_off(&through);
    }

    /// It was gone to this seal; `again`: and only these were looked at. Of `left` something is left.
    pub(super) fn went(&mut self, walked: u64, again: Option<&BTreeSet<u64>>, left: &BTreeSet<u64>) {
        let looked = |seal: &u64| *seal < walked;
        match again {
            Some(again) => self.left.retain(|seal, _| !again.contains(seal) || !looked(seal) || left.contains(seal)),
            None => self.walked = self.walked.max(walked),
        }
        left.iter().filter(|seal| looked(seal)).for_each(|seal| self.left.entry(*seal).or_default().failed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seals(of: &[u64]) -> BTreeSet<u64> {
        of.iter().copied().collect()
    }

    /// What is left holds up only what is told, not the walk; and it is told on as soon as it is done, as far as nothing else is left.
    #[tokio::test(start_paused = true)]
    async fn only_what_is_left_is_tried_again_and_after_ever_longer() {
        let mut walk = Walk::from(3);
        walk.went(10, None, &seals(&[4, 7, 12]));
        assert_eq!((walk.walked(), walk.through(), walk.due()), (10, 4, seals(&[4, 7])), "12 was not reached");
        walk.went(20, None, &seals(&[]));
        assert_eq!((walk.walked(), walk.through()), (20, 4));
        // It broke off before 7.
        walk.went(5, Some(&seals(&[4, 7])), &seals(&[]));
        assert_eq!((walk.walked(), walk.through(), walk.is_whole()), (20, 7, false));
        let mut waited = Vec::new();
        for _ in 0..9 {
            walk.went(8, Some(&seals(&[7])), &seals(&[7]));
            let since = Instant::now();
            while walk.due().is_empty() {
                tokio::time::advance(EVERY).await;
            }
            waited.push(since.elapsed().as_secs() / 60);
        }
        assert_eq!(waited, [1, 3, 7, 15, 31, 60, 60, 60, 60]);
        walk.done_below(7);
        assert!(!walk.is_whole());
        walk.done_below(8);
        assert_eq!((walk.is_whole(), walk.through()), (true, 20));
    }
}
