//! What records keep apart is in the vault before anything is signed that commits to it, whatever fails: a record that was acknowledged has
//! its content, and the vault holds no content of a seal that never came to be.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use spanseal::api::Standing;
use spanseal::seal::{Options, SubmitError, start};
use spanseal::vault::VaultStore;
use spanseal::worm::ObjectKey;
use spanseal::worm::memory::{CreateOnly, Fault};

use crate::support::apart::{acknowledged_are_whole, batch_apart, batch_saying, expect_whole, said};
use crate::support::log::{Process, TestLog, batch, id};
use crate::support::place::{PlaceFault, Reads};

/// Sends records 1 to 3 in one request and 3 to 5 in another; returns those that were acknowledged.
async fn two_batches(process: &Process, attempt: u8) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    for numbers in [1..=3, 3..=5] {
        if process.submit(batch_apart(process, numbers.clone(), attempt)).await.is_ok() {
            acknowledged.extend(numbers);
        }
    }
    acknowledged
}

/// What the end of the first process is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Drained,
    Killed,
}

async fn case(nth: u64, fault: PlaceFault, end: End, resend: bool) -> u64 {
    let what = format!("effect {nth}, {fault:?}, {end:?}, resend {resend}");
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let place = log.place.clone().unwrap();
    place.fail_effect(nth, fault);
    let mut acknowledged = Vec::new();
    if let Some(Ok(process)) = log.open().await {
        acknowledged = two_batches(&process, 1).await;
        acknowledged_are_whole(&log, &acknowledged, &what).await;
        match end {
            End::Killed => process.kill(),
            End::Drained => drop(process.drain().await),
        }
    }
    let seen = place.effects();
    place.clear_faults();
    let process = log.open().await.expect("no fault is left").unwrap_or_else(|e| panic!("{what}: the log does not open again: {e}"));
    acknowledged_are_whole(&log, &acknowledged, &what).await;
    if resend {
        assert_eq!(two_batches(&process, 2).await, [1, 2, 3, 3, 4, 5], "{what}");
    }
    process.submit(batch_apart(&process, 6..=6, 2)).await.unwrap_or_else(|e| panic!("{what}: {e}"));
    process.drain().await.unwrap_or_else(|e| panic!("{what}: {e}"));
    let sealed = expect_whole(&log, &what).await;
    assert!(acknowledged.iter().chain(&[6]).all(|n| sealed.contains_key(&id(*n))), "{what}");
    seen
}

/// Scenario: every put and delete in the vault fails in every way, the process ends in order or is killed, and the senders send again or do
/// not. Guarantee: what was acknowledged has its content, then and after the next start; in the end the vault holds exactly what the
/// records of the log keep apart.
#[tokio::test(start_paused = true)]
async fn whatever_fails_in_the_vault_no_record_is_acknowledged_without_its_content() {
    use PlaceFault::{DoneButLost, DoneButRefused, Hangs, HangsForGood, NotDone, Refused};
    for fault in [Refused, NotDone, DoneButRefused, DoneButLost, Hangs, HangsForGood] {
        for (end, resend) in [(End::Drained, false), (End::Drained, true), (End::Killed, false), (End::Killed, true)] {
            let mut nth = 1;
            while case(nth, fault, end, resend).await >= nth {
                nth += 1;
            }
            assert!(nth > 4, "the table has {} effects; a run has more", nth - 1);
        }
    }
}

/// Scenario: the vault takes everything, and every effect on the log's own store fails in every way, the process is killed or not. Guarantee:
/// the same. A batch that failed leaves no content behind, even where the seal after it took its index.
#[tokio::test(start_paused = true)]
async fn whatever_fails_in_the_log_the_vault_holds_what_its_records_keep_apart() {
    for fault in [Fault::NotStored, Fault::Refused, Fault::LostBefore, Fault::LostAfter, Fault::DieBefore, Fault::DieAfter] {
        for resend in [false, true] {
            let mut nth = 1;
            loop {
                let what = format!("effect {nth}, {fault:?}, resend {resend}");
                let log = TestLog::with_vault(CreateOnly::Honoured);
                log.store.fail_effect(nth, fault);
                let mut acknowledged = Vec::new();
                if let Some(Ok(process)) = log.open().await {
                    acknowledged = two_batches(&process, 1).await;
                    drop(process.drain().await);
                }
                let seen = log.store.effects();
                log.store.clear_faults();
                let process = log.open().await.expect("no fault is left").unwrap_or_else(|e| panic!("{what}: {e}"));
                if resend {
                    two_batches(&process, 2).await;
                }
                process.submit(batch_apart(&process, 6..=6, 2)).await.unwrap_or_else(|e| panic!("{what}: {e}"));
                process.drain().await.unwrap_or_else(|e| panic!("{what}: {e}"));
                acknowledged_are_whole(&log, &acknowledged, &what).await;
                expect_whole(&log, &what).await;
                if seen < nth {
                    assert!(nth > 8, "the table has {} effects; a run has more", nth - 1);
                    break;
                }
                nth += 1;
            }
        }
    }
}

/// Scenario: a process dies between the pack of a seal and the seal, late in the evening; the next ones die after their first seal, before
/// they look at the vault; the last starts days later. Guarantee: nothing of the dead attempt stays.
#[tokio::test(start_paused = true)]
async fn what_an_attempt_left_is_found_days_and_starts_later() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    process.submit(batch_apart(&process, 1..=1, 1)).await.unwrap();
    log.store.fail_key("seals/", 1, Fault::DieBefore);
    assert!(process.submit(batch_apart(&process, 2..=2, 1)).await.is_err());
    process.kill();
    let place = log.place.clone().unwrap();
    assert_eq!(place.keys("packs/").len(), 2);
    for _ in 0..3 {
        log.clock.advance(Duration::from_secs(86_400));
        // The first seal is the last thing that it does.
        log.store.fail_key("seals/", 1, Fault::DieAfter);
        assert!(log.open().await.is_none());
    }
    log.clock.advance(Duration::from_secs(86_400));
    let process = log.open().await.unwrap().unwrap();
    assert_eq!(place.keys("packs/").len(), 1);
    process.drain().await.unwrap();
    expect_whole(&log, "days later").await;
}

/// Scenario: a seal holds nothing but a record of our own (no promoted one) that keeps content apart; the process ends in order or is
/// killed, and the next one looks over the vault. Guarantee: that content stays.
#[tokio::test(start_paused = true)]
async fn content_of_control_records_is_nobodys_leftover() {
    for end in [End::Drained, End::Killed] {
        let log = TestLog::with_vault(CreateOnly::Honoured);
        let process = log.open().await.unwrap().unwrap();
        let mut batch = batch_apart(&process, 1..=1, 1);
        batch.records[0].control = true;
        let line = String::from_utf8(batch.lines).unwrap().replace(r#""signal":"span""#, r#""signal":"control""#);
        batch.records[0].line = 0..line.len();
        batch.lines = line.into_bytes();
        process.submit(batch).await.unwrap();
        match end {
            End::Killed => process.kill(),
            End::Drained => process.drain().await.unwrap(),
        }
        let process = log.open().await.unwrap().unwrap();
        acknowledged_are_whole(&log, &[1], &format!("{end:?}")).await;
        process.drain().await.unwrap();
    }
}

/// Scenario: a request whose records are sealed already, one half of whose records are, and one that shares a record with the open batch.
/// Guarantee: the vault gets the content of what is stored, and of nothing that is not.
#[tokio::test(start_paused = true)]
async fn a_duplicate_leaves_no_content_behind() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    let first = process.submit(batch_apart(&process, 1..=2, 1)).await.unwrap();
    let again = process.submit(batch_apart(&process, 1..=2, 2)).await.unwrap();
    assert_eq!(again.seal, first.seal, "salted anew, and the same record");
    let (half, shared) = tokio::join!(process.submit(batch_apart(&process, 2..=3, 3)), process.submit(batch_apart(&process, 3..=4, 4)),);
    assert_eq!(half.unwrap().seal, shared.unwrap().seal);
    process.drain().await.unwrap();
    let sealed = expect_whole(&log, "duplicates").await;
    assert_eq!(sealed.len(), 4);
}

/// Scenario: two different things were sent under one id, in one seal. Guarantee: both are kept, and each has its content.
#[tokio::test(start_paused = true)]
async fn both_sides_of_a_conflict_have_their_content() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    let mut other = batch_apart(&process, 1..=1, 2);
    let line = String::from_utf8(other.lines.clone()).unwrap().replace("\"service\"", "\"scope\"");
    other.lines = line.into_bytes();
    other.records[0].line = 0..other.lines.len();
    other.records[0].sameness = [7; 16];
    let (one, two) = tokio::join!(process.submit(batch_apart(&process, 1..=1, 1)), process.submit(other));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.seal, two.seal);
    process.drain().await.unwrap();
    let contents = log.check_log().await;
    let sealed_at = contents.files[usize::try_from(one.seal).unwrap()].statement.sealed_at;
    let entries = log.place.as_ref().unwrap().vault().content(one.seal, sealed_at, id(1)).await.unwrap().entries;
    assert_eq!(entries.iter().map(|e| e.salt[0]).collect::<HashSet<_>>(), HashSet::from([1, 2]));
}

/// What record `n` says in as many words, if it does not say [`said`].
fn other(n: u64) -> String {
    said(n).replace("secret", "threat")
}

/// Scenario: records are sealed, the process is killed, and the next one gets new records, then some of the old ones again, some of them with
/// another content of the same length, which their lines cannot show. Guarantee: new ones cost no look into the vault; a copy is known as
/// one, a contradiction is kept besides the first with its own content, and both are known from then on; a seal is looked at once.
#[tokio::test(start_paused = true)]
async fn another_content_is_another_record_after_a_restart_too() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let place = log.place.clone().unwrap();
    let process = log.open().await.unwrap().unwrap();
    let first = process.submit(batch_apart(&process, 1..=3, 1)).await.unwrap();
    process.kill();
    let process = log.open().await.unwrap().unwrap();
    place.packs_read();
    let new = process.submit(batch_apart(&process, 4..=5, 2)).await.unwrap();
    assert_eq!(place.packs_read(), 0, "a new record is in no doubt");
    let again = process.submit(batch_apart(&process, 1..=2, 2)).await.unwrap();
    assert_eq!((again.seal, place.packs_read()), (first.seal, 1));
    let (one, two) = tokio::join!(
        process.submit(batch_saying(&process, 1..=1, 3, other)),
        process.submit(batch_saying(&process, 2..=3, 3, |n| if n == 2 { other(n) } else { said(n) })),
    );
    let seals = (one.unwrap().seal, two.unwrap().seal);
    assert!(seals.0 == seals.1 && seals.0 > new.seal, "{seals:?}");
    let known = process.submit(batch_saying(&process, 1..=2, 4, other)).await.unwrap();
    assert_eq!((known.seal, process.submit(batch_apart(&process, 1..=3, 4)).await.unwrap().seal), (seals.0, first.seal));
    assert_eq!(place.packs_read(), 0, "a seal is looked at once");
    process.drain().await.unwrap();
    let contents = log.check_log().await;
    let standing = |n| contents.records[&id(n)].as_slice();
    assert_eq!([1, 2, 3, 4].map(standing), [&[first.seal, seals.0][..], &[first.seal, seals.0], &[first.seal], &[new.seal]]);
    for (seal, words) in [(first.seal, said(1)), (seals.0, other(1))] {
        let sealed_at = contents.files[usize::try_from(seal).unwrap()].statement.sealed_at;
        let entries = place.vault().content(seal, sealed_at, id(1)).await.unwrap().entries;
        assert_eq!(entries.iter().map(|e| e.content.as_slice()).collect::<Vec<_>>(), [words.as_bytes()]);
    }
    // The contradiction stands under the line of the first, in another seal: a third process knows both.
    let process = log.open().await.unwrap().unwrap();
    let known = [process.submit(batch_saying(&process, 1..=1, 5, other)).await, process.submit(batch_apart(&process, 1..=1, 5)).await];
    assert_eq!(known.map(|receipt| receipt.unwrap().seal), [seals.0, first.seal]);
    process.drain().await.unwrap();
}

/// Scenario: after a restart records come again whose first content was erased, or whose pack is gone, or has junk beside it, or is junk for a while; or
/// the vault does not answer just now, refuses to or hangs, or the process stops while it looks. Guarantee: what cannot be told stays out, whatever it says, and counts as
/// a duplicate; a vault that does not answer costs a resend, never a record; what was submitted before the stop has an answer.
#[tokio::test(start_paused = true)]
async fn what_the_vault_cannot_tell_stays_out() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let place = log.place.clone().unwrap();
    let process = log.open().await.unwrap().unwrap();
    let first = process.submit(batch_apart(&process, 1..=2, 1)).await.unwrap();
    let lost = process.submit(batch_apart(&process, 3..=3, 1)).await.unwrap();
    let third = process.submit(batch_apart(&process, 5..=5, 1)).await.unwrap();
    let fourth = process.submit(batch_apart(&process, 6..=6, 1)).await.unwrap();
    let sealed_at = log.check_log().await.files[usize::try_from(first.seal).unwrap()].statement.sealed_at;
    process.vault.as_ref().unwrap().erase(first.seal, sealed_at, &HashSet::from([id(1)])).await.unwrap();
    process.drain().await.unwrap();
    let pack = place.keys("packs/").into_iter().find(|key| key.contains(&format!("/{:020}-", lost.seal))).unwrap();
    place.delete(&ObjectKey(pack)).await.unwrap();
    let pack = place.keys("packs/").into_iter().find(|key| key.contains(&format!("/{:020}-", third.seal))).unwrap();
    let (name, _) = pack.rsplit_once('-').unwrap();
    place.put(&ObjectKey(format!("{name}-0123456789abcdef")), "junk".into()).await.unwrap();
    let pack = ObjectKey(place.keys("packs/").into_iter().find(|key| key.contains(&format!("/{:020}-", fourth.seal))).unwrap());
    let body = place.get(&pack).await.unwrap().unwrap();

    let process = log.open().await.unwrap().unwrap();
    for reads in [Reads::Silent, Reads::Refused, Reads::Hanging] {
        place.set_reads(reads);
        let refused = process.submit(batch_saying(&process, 1..=2, 2, other)).await.unwrap_err();
        assert!(matches!(&refused, SubmitError::NotSealed { reason, .. } if reason.contains("could not be compared")), "{refused}");
    }
    place.set_reads(Reads::Answered);
    let both = process.submit(batch_saying(&process, 1..=2, 2, other)).await.unwrap();
    assert!(both.seal > fourth.seal, "record 2 is told, and is a contradiction");
    for body in [Bytes::new(), "junk".into(), body.slice(..body.len() / 2)] {
        place.put(&pack, body).await.unwrap();
        let refused = process.submit(batch_saying(&process, 6..=6, 2, other)).await.unwrap_err();
        assert!(matches!(&refused, SubmitError::NotSealed { reason, .. } if reason.contains("could not be compared")), "{refused}");
    }
    place.put(&pack, body).await.unwrap();
    assert!(process.submit(batch_saying(&process, 6..=6, 2, other)).await.unwrap().seal > both.seal);
    assert_eq!(process.submit(batch_saying(&process, 1..=1, 3, other)).await.unwrap().seal, first.seal);
    assert_eq!(process.submit(batch_saying(&process, 3..=3, 2, other)).await.unwrap().seal, lost.seal);
    let permit = process.handle.pool.admit(1).await.unwrap();
    let waiting = process.handle.turn().await.unwrap().hand_over(batch_saying(&process, 5..=5, 2, other), permit);
    process.drain().await.unwrap();
    assert!(waiting.receipt().await.unwrap().seal > both.seal);
    let contents = log.check_log().await;
    assert_eq!([1, 2, 3, 5, 6].map(|n| contents.records[&id(n)].len()), [1, 2, 1, 2, 2]);
    assert_eq!(contents.files.iter().map(|seal| seal.statement.counts.duplicates).sum::<u64>(), 3, "once 1 beside 2, once 1, once 3");
}

/// Guarantee: nothing of what was said, nobody's id and no salt's content can be read in what the vault stores.
#[tokio::test(start_paused = true)]
async fn the_vault_stores_nothing_in_clear() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    process.submit(batch_apart(&process, 1..=5, 1)).await.unwrap();
    process.drain().await.unwrap();
    let bytes = log.place.as_ref().unwrap().bytes();
    assert!(bytes.len() > 500);
    for hidden in ["secret", "said once", "person0@", "example.com"] {
        assert!(memchr::memmem::find(&bytes, hidden.as_bytes()).is_none(), "{hidden}");
    }
}

/// Scenario: a writer that keeps content apart, and no vault. Guarantee: its own mistake is refused, rather than content lost.
#[tokio::test(start_paused = true)]
async fn content_without_a_vault_is_refused() {
    let apart = TestLog::with_vault(CreateOnly::Honoured).open().await.unwrap().unwrap();
    let process = TestLog::new(CreateOnly::Honoured).open().await.unwrap().unwrap();
    let refused = process.submit(batch_apart(&apart, 1..=1, 1)).await.unwrap_err();
    assert!(refused.to_string().contains("no vault"), "{refused}");
}

/// Scenario: the vault has no room for anything, while the log's own store takes every heartbeat; later it has room again, and nobody sends.
/// Guarantee: the process is not ready, and says why, when that has lasted a while, and is ready again by itself.
#[tokio::test(start_paused = true)]
async fn a_process_whose_vault_takes_nothing_is_not_ready() {
    let log = TestLog::with_vault(CreateOnly::Honoured);
    let place = log.place.clone().unwrap();
    let vault = place.vault();
    vault.claim(&TestLog::key().verifier().to_string()).await.unwrap();
    let store = log.store.process();
    let heartbeat = Some(Duration::from_secs(60));
    let (handle, task) = start(Options { vault: Some(vault.clone()), heartbeat, ..log.options(&store) }).await.unwrap();
    let standing = Standing::new(Arc::new(log.clock.clone()), heartbeat);
    standing.opened(task.status.clone(), Arc::clone(&task.stats));
    let process = Process { store, handle, task, vault: Some(vault) };
    let seconds = async |count: u64| {
        for _ in 0..count {
            tokio::time::sleep(Duration::from_secs(1)).await;
            log.clock.advance(Duration::from_secs(1));
        }
    };
    process.submit(batch_apart(&process, 1..=1, 1)).await.unwrap();
    seconds(200).await;
    assert_eq!(standing.ready(), Ok(()));
    place.fill(true);
    for (passed, is_ready) in [(0, true), (10, true), (20, false), (80, false)] {
        assert_eq!(standing.ready().is_ok(), is_ready, "{passed}");
        assert!(process.submit(batch_apart(&process, 2..=2, 1)).await.is_err());
        seconds(if is_ready { 10 } else { 60 }).await;
    }
    assert!(standing.ready().unwrap_err().contains("the vault takes nothing"));
    // What keeps nothing apart is sealed all the same, and says nothing of the vault.
    process.submit(batch(3..=3, 0)).await.unwrap();
    seconds(60).await;
    assert!(standing.ready().is_err());
    place.fill(false);
    seconds(60).await;
    assert_eq!(standing.ready(), Ok(()));
    process.submit(batch_apart(&process, 2..=2, 1)).await.unwrap();
    process.drain().await.unwrap();
    acknowledged_are_whole(&log, &[1, 2], "after the vault had room again").await;
}
