//! Seeded chaos: clients, crashes, faults, resends; every receipt stays provable.

use std::collections::BTreeMap;

use spanseal::record::RecordId;
use spanseal::worm::memory::{CreateOnly, Fault};

use crate::support::log::{Process, TestLog, batch, id};

/// A small generator (splitmix64), so that a seed is the whole scenario.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

async fn run(seed: u64) {
    let mut random = Random(seed);
    let create_only = if random.below(2) == 0 { CreateOnly::Honoured } else { CreateOnly::Ignored };
    let log = TestLog::new(create_only);
    let mut receipts: BTreeMap<RecordId, u64> = BTreeMap::new();
    let mut process: Option<Process> = None;
    for step in 0..30 {
        let running = match process.take() {
            Some(running) => running,
            None => match log.open().await {
                Some(Ok(opened)) => opened,
                // Killed or refused by a fault while it opened: the next step tries again.
                _ => continue,
            },
        };
        match random.below(10) {
            0 => running.kill(),
            1 => {
                let _ = running.drain().await;
            }
            2 => {
                log.store.release();
                process = Some(running);
            }
            3 | 4 => {
                let faults = [
                    Fault::NotStored,
                    Fault::LostBefore,
                    Fault::LostAfter,
                    Fault::Delayed,
                    Fault::DieBefore,
                    Fault::DieAfter,
                    Fault::LockDropped,
                ];
                let fault = faults[usize::try_from(random.below(7)).unwrap()];
                let nth = log.store.effects() + 1 + random.below(6);
                log.store.fail_effect(nth, fault);
                process = Some(running);
            }
            _ => {
                // Numbers overlap on purpose: resends of what was and was not acknowledged.
                let from = random.below(40);
                let numbers = from..from + 1 + random.below(6);
                let class = u16::try_from(random.below(2)).unwrap();
                match running.submit(batch(numbers.clone(), class)).await {
                    Ok(receipt) => {
                        receipts.extend(numbers.map(|n| (id(n), receipt.seal)));
                        process = Some(running);
                    }
                    Err(_) if random.below(2) == 0 => process = Some(running),
                    Err(_) => running.kill(),
                }
            }
        }
        let contents = log.check_log().await;
        for (record, newest) in &receipts {
            let seals =
                contents.records.get(record).unwrap_or_else(|| panic!("seed {seed}, step {step}: {record} has a receipt and no seal"));
            assert_eq!(seals.len(), 1, "seed {seed}, step {step}: {record} stands twice");
            assert!(seals[0] <= *newest || seals[0] < contents.seals, "seed {seed}, step {step}");
        }
        // A crash between a commit and the look at its lock leaves the newest seal to the next start, and only that one.
        assert!(contents.unlocked.iter().all(|seal| seal + 1 == contents.seals), "seed {seed}, step {step}: {:?}", contents.unlocked);
        if create_only == CreateOnly::Honoured {
            assert_eq!(contents.forks, 0, "seed {seed}, step {step}");
        }
    }
}

/// Scenario: two hundred seeded runs of everything at once. Guarantee: every receipt's record is in the log exactly once, after every
/// step, and a store that honours create-only never holds two signed versions of a seal.
#[tokio::test(start_paused = true)]
async fn every_receipt_is_provable_after_every_step() {
    let seeds = match std::env::var("SPANSEAL_TEST_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..200).collect(),
    };
    for seed in seeds {
        run(seed).await;
    }
}
