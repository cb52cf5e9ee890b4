//! Seeded chaos: clients, crashes, faults, resends; every receipt stays provable.

use std::collections::BTreeSet;

use futures::future::join_all;
use spanseal::record::RecordId;
use spanseal::worm::memory::{CreateOnly, Fault};

use crate::support::apart::{acknowledged_are_whole, batch_apart, expect_whole};
use crate::support::log::{Process, TestLog, batch, id};
use crate::support::place::PlaceFault;

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
    let log = if random.below(2) == 0 { TestLog::with_vault(create_only) } else { TestLog::new(create_only) };
    // Each acknowledged request: its records and the seal that its receipt names.
    let mut receipts: Vec<(Vec<RecordId>, u64)> = Vec::new();
    let mut acknowledged: BTreeSet<u64> = BTreeSet::new();
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
                if let Some(place) = &log.place {
                    let faults = [PlaceFault::Refused, PlaceFault::NotDone, PlaceFault::DoneButRefused, PlaceFault::DoneButLost];
                    place.fail_effect(1 + random.below(6), faults[usize::try_from(random.below(4)).unwrap()]);
                }
                process = Some(running);
            }
            _ => {
                // Several requests at once. Numbers overlap on purpose: resends of what was and was not acknowledged, and records that
                // stand in two requests of one batch.
                let near = random.below(40);
                let requests: Vec<_> = (0..1 + random.below(4))
                    .map(|_| {
                        let from = near + random.below(4);
                        (from..from + 1 + random.below(6), u16::try_from(random.below(2)).unwrap())
                    })
                    .collect();
                let answers = join_all(requests.iter().map(|(numbers, class)| {
                    let salt = u8::try_from(step).unwrap();
                    let apart = log.place.is_some();
                    let batch = if apart { batch_apart(&running, numbers.clone(), salt) } else { batch(numbers.clone(), *class) };
                    running.submit(batch)
                }))
                .await;
                let refused = answers.iter().any(Result::is_err);
                for ((numbers, _), answer) in requests.into_iter().zip(answers) {
                    if let Ok(receipt) = answer {
                        acknowledged.extend(numbers.clone());
                        receipts.push((numbers.map(id).collect(), receipt.seal));
                    }
                }
                if refused && random.below(2) == 0 {
                    running.kill();
                } else {
                    process = Some(running);
                }
            }
        }
        let contents = log.check_log().await;
        for (request, named) in &receipts {
            let mut newest = None;
            for record in request {
                let seals =
                    contents.records.get(record).unwrap_or_else(|| panic!("seed {seed}, step {step}: {record} has a receipt and no seal"));
                assert_eq!(seals.len(), 1, "seed {seed}, step {step}: {record} stands twice");
                newest = newest.max(Some(seals[0]));
            }
            assert_eq!(
                newest,
                Some(*named),
                "seed {seed}, step {step}: a receipt names the newest seal that holds a record of its request"
            );
        }
        // A crash between a commit and the look at its lock leaves the newest seal to the next start, and only that one.
        assert!(contents.unlocked.iter().all(|seal| seal + 1 == contents.seals), "seed {seed}, step {step}: {:?}", contents.unlocked);
        if create_only == CreateOnly::Honoured {
            assert_eq!(contents.forks, 0, "seed {seed}, step {step}");
        }
    }
    let Some(place) = &log.place else { return };
    if let Some(running) = process {
        running.kill();
    }
    log.store.clear_faults();
    log.store.release();
    place.clear_faults();
    log.open().await.unwrap().unwrap().drain().await.unwrap();
    let what = format!("seed {seed}");
    acknowledged_are_whole(&log, &acknowledged.into_iter().collect::<Vec<_>>(), &what).await;
    expect_whole(&log, &what).await;
}

/// Scenario: two hundred seeded runs of everything at once. Guarantee: every receipt's records are in the log exactly once, after every
/// step, the newest of them in the seal that the receipt names, and a store that honours create-only never holds two signed versions of a seal.
/// Where the records keep content apart, the vault holds it in the end, and no content of any other.
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
