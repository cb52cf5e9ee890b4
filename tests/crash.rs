//! Whatever fails, wherever: nothing acknowledged is lost, nothing stands twice, the log stays one log.
//!
//! The table is every durable effect of a run (put of a segment, of a seal, of `checkpoint`, ...) times every way in which it can
//! fail, times what comes next; after each case the whole log is verified again from its objects.

use std::sync::Arc;
use std::time::Duration;

use spanseal::clock::Clock;
use spanseal::record::canonical::Json;
use spanseal::retain::{Class, Classes};
use spanseal::seal::keys::{Binding, LogKey};
use spanseal::seal::{Fatal, OpenError, Options, examine, start};
use spanseal::tlog::merkle::leaf_hash;
use spanseal::tlog::seal_file::SealFile;
use spanseal::worm::memory::{CreateOnly, Fault, MemoryOptions, MemoryStore};
use spanseal::worm::{Locks, Mode, WormStore, checkpoint_key, log_key, seal_key};

use crate::support::failing::FailNthRead;
use crate::support::log::{LOG, ORIGIN, Process, TestLog, batch, batch_with, id};

/// When a put that was on its way lands: before the next process opens, or while it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Landing {
    BeforeReopen,
    AfterReopen,
}

/// Sends numbers 1 to 3 in one class and 4, 5 in another; returns those that were acknowledged.
async fn two_batches(process: &Process) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    if process.submit(batch(1..=3, 0)).await.is_ok() {
        acknowledged.extend(1..=3);
    }
    if process.submit(batch(4..=5, 1)).await.is_ok() {
        acknowledged.extend(4..=5);
    }
    acknowledged
}

async fn case(create_only: CreateOnly, nth: u64, fault: Fault, landing: Landing, resend: bool) -> u64 {
    let what = format!("{create_only:?}, effect {nth}, {fault:?}, {landing:?}, resend {resend}");
    let log = TestLog::new(create_only);
    log.store.fail_effect(nth, fault);
    let mut acknowledged = Vec::new();
    if let Some(Ok(process)) = log.open().await {
        acknowledged = two_batches(&process).await;
        if process.drain().await.is_err() {
            assert_eq!(create_only, CreateOnly::Ignored, "{what}: nobody else writes");
        }
    }
    let seen = log.store.effects();
    let before = log.check_log().await;
    for n in &acknowledged {
        assert!(before.records.contains_key(&id(*n)), "{what}: record {n} was acknowledged and is not in the log");
    }
    log.store.clear_faults();
    if landing == Landing::BeforeReopen {
        log.store.release();
    }
    let process = match log.open().await.expect("no fault is left") {
        Ok(process) => process,
        Err(e) => panic!("{what}: the log does not open again: {e}"),
    };
    log.store.release();
    if resend {
        two_batches(&process).await;
    }
    process.submit(batch(6..=6, 0)).await.unwrap_or_else(|e| panic!("{what}: {e}"));
    process.drain().await.unwrap_or_else(|e| panic!("{what}: {e}"));
    let after = log.check_log().await;
    assert_eq!(after.unlocked, [0_u64; 0], "{what}");
    let expected: Vec<u64> = if resend { (1..=6).collect() } else { acknowledged.into_iter().chain([6]).collect() };
    for n in expected {
        let found = after.records.get(&id(n)).map_or(0, Vec::len);
        assert_eq!(found, 1, "{what}: record {n}");
    }
    assert!(after.records.iter().all(|(_, seals)| seals.len() == 1), "{what}: a record stands twice");
    // Only a late put of a dead process on a store that ignores create-only may leave a signed version beside the log.
    let late = create_only == CreateOnly::Ignored && fault == Fault::Delayed;
    assert!(late || after.forks == 0, "{what}: {} signed versions besides the log", after.forks);
    seen
}

async fn table(create_only: CreateOnly) {
    for fault in Fault::ALL {
        for landing in [Landing::BeforeReopen, Landing::AfterReopen] {
            if landing == Landing::AfterReopen && fault != Fault::Delayed {
                continue;
            }
            for resend in [false, true] {
                let mut nth = 1;
                while case(create_only, nth, fault, landing, resend).await >= nth {
                    nth += 1;
                }
                assert!(nth > 8, "the table has {} effects; a run has more", nth - 1);
            }
        }
    }
}

/// Scenario: every effect fails in every way, on a store that honours create-only. Guarantee: see the module.
#[tokio::test(start_paused = true)]
async fn every_effect_may_fail_where_create_only_holds() {
    table(CreateOnly::Honoured).await;
}

/// The same on a store that ignores create-only, as Ceph RGW does in versioned buckets.
#[tokio::test(start_paused = true)]
async fn every_effect_may_fail_where_create_only_is_ignored() {
    table(CreateOnly::Ignored).await;
}

/// Scenario: the put of a seal times out, the process dies, another recovers, and then the put lands. Guarantee: one log, nothing
/// acknowledged is lost; where create-only is ignored the late version is there and is not the log.
#[tokio::test(start_paused = true)]
async fn a_late_seal_lands_after_recovery() {
    for create_only in [CreateOnly::Honoured, CreateOnly::Ignored] {
        let log = TestLog::new(create_only);
        let process = log.open().await.unwrap().unwrap();
        process.submit(batch(1..=1, 0)).await.unwrap();
        log.store.fail_key("seals/", 1, Fault::Delayed);
        log.store.fail_key("seals/", 1, Fault::DieBefore);
        assert!(process.submit(batch(2..=2, 0)).await.is_err());
        process.kill();
        let next = log.open().await.unwrap().unwrap();
        next.submit(batch(2..=3, 0)).await.unwrap();
        log.store.release();
        next.submit(batch(4..=4, 0)).await.unwrap();
        next.drain().await.unwrap();
        let contents = log.check_log().await;
        for n in 1..=4 {
            assert_eq!(contents.records.get(&id(n)).map(Vec::len), Some(1), "{create_only:?}: record {n}");
        }
        assert_eq!(contents.forks, usize::from(create_only == CreateOnly::Ignored));
    }
}

/// Scenario: two processes write one log at once. Guarantee: exactly one goes on, what either acknowledged is in the log.
#[tokio::test(start_paused = true)]
async fn of_two_writers_one_goes_on() {
    for create_only in [CreateOnly::Honoured, CreateOnly::Ignored] {
        let log = TestLog::new(create_only);
        let first = log.open().await.unwrap().unwrap();
        first.submit(batch(1..=1, 0)).await.unwrap();
        let second = log.open().await.unwrap().unwrap();
        let displaced = first.submit(batch(2..=2, 0)).await;
        assert!(displaced.is_err(), "{create_only:?}: {displaced:?}");
        second.submit(batch(3..=3, 0)).await.unwrap();
        let ended = first.drain().await;
        assert!(matches!(ended, Err(Fatal::Displaced { .. })), "{create_only:?}: {ended:?}");
        second.drain().await.unwrap();
        let contents = log.check_log().await;
        assert_eq!(contents.records.get(&id(1)).map(Vec::len), Some(1));
        assert_eq!(contents.records.get(&id(3)).map(Vec::len), Some(1));
        assert_eq!(contents.records.get(&id(2)), None);
    }
}

/// Scenario: somebody deletes the newest seal with a plain DELETE, and the writer starts again. Guarantee: recovery sees behind the
/// marker; no fork, no lost record.
#[tokio::test(start_paused = true)]
async fn a_hidden_newest_seal_is_found() {
    for create_only in [CreateOnly::Honoured, CreateOnly::Ignored] {
        let log = TestLog::new(create_only);
        let process = log.open().await.unwrap().unwrap();
        process.submit(batch(1..=2, 0)).await.unwrap();
        process.kill();
        let newest = log.check_log().await.seals - 1;
        log.store.delete(&seal_key(LOG, newest)).unwrap();
        let next = log.open().await.unwrap().unwrap();
        next.submit(batch(3..=3, 0)).await.unwrap();
        next.drain().await.unwrap();
        let contents = log.check_log().await;
        assert_eq!(contents.forks, 0);
        for n in 1..=3 {
            assert_eq!(contents.records.get(&id(n)).map(Vec::len), Some(1), "{create_only:?}: record {n}");
        }
    }
}

/// Scenario: a foreign object lies at the key of the next seal, or a delete marker does. Guarantee: the log goes on over it.
#[tokio::test(start_paused = true)]
async fn foreign_versions_at_the_next_key_do_not_stop_the_log() {
    for create_only in [CreateOnly::Honoured, CreateOnly::Ignored] {
        let log = TestLog::new(create_only);
        let process = log.open().await.unwrap().unwrap();
        let next = log.check_log().await.seals;
        log.store.overwrite_foreign(&seal_key(LOG, next), "not a seal");
        log.store.overwrite_foreign(&seal_key(LOG, next + 1), "nor this");
        log.store.delete(&seal_key(LOG, next + 1));
        process.submit(batch(1..=1, 0)).await.unwrap();
        process.submit(batch(2..=2, 0)).await.unwrap();
        process.kill();
        let again = log.open().await.unwrap().unwrap();
        again.submit(batch(3..=3, 0)).await.unwrap();
        again.drain().await.unwrap();
        let contents = log.check_log().await;
        assert_eq!(contents.forks, 0);
        assert!((1..=3).all(|n| contents.records.get(&id(n)).map(Vec::len) == Some(1)), "{create_only:?}");
    }
}

/// Scenario: somebody floods the key of the next seal before it is written, also with an object longer than any seal. Guarantee: the writer
/// goes on, and every reader finds the same seal among them.
#[tokio::test(start_paused = true)]
async fn a_flooded_key_holds_one_truth_for_all_readers() {
    use spanseal::query::log::{KeySource, LogReader, TrustedKey};
    use spanseal::verify::{RecordAt, prove};
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    process.submit(batch(1..=1, 0)).await.unwrap();
    let next = log.check_log().await.seals;
    log.store.overwrite_foreign(&seal_key(LOG, next), vec![b'x'; 300 * 1024]);
    for n in 0..100_u32 {
        log.store.overwrite_foreign(&seal_key(LOG, next), n.to_string().into_bytes());
    }
    process.submit(batch(2..=2, 0)).await.unwrap();
    process.drain().await.unwrap();
    let seal = log.check_log().await.files[usize::try_from(next).unwrap()].clone();
    let key = TestLog::key().verifier().clone();
    let at = RecordAt { seal: next, segment: seal.statement.segments[0].key.clone(), leaf_index: 0, rotations: vec![] };
    prove(&log.store, LOG, &key, &at).await.unwrap();
    let trusted = [TrustedKey { key, source: KeySource::Pinned }];
    let reader = LogReader::open(Arc::new(log.store.clone()), LOG, &trusted).await.unwrap();
    let seals = reader.seals(0..reader.size()).await.unwrap();
    assert_eq!(seals.found.get(&next).map(|found| found.leaf()), Some(seal.leaf()), "{:?}", seals.problems);
}

/// Scenario: what was committed is gone (destroyed, not hidden). Guarantee: the writer refuses to write on top.
#[tokio::test(start_paused = true)]
async fn a_rolled_back_store_is_refused() {
    let lost = |from: u64| async move {
        let log = TestLog::new(CreateOnly::Honoured);
        let process = log.open().await.unwrap().unwrap();
        for n in 1..=4 {
            process.submit(batch(n..=n, 0)).await.unwrap();
        }
        process.drain().await.unwrap();
        let seals = log.check_log().await.seals;
        (log, seals, from)
    };
    // The newest seals are gone, but the published checkpoint remembers them.
    let (log, seals, _) = lost(0).await;
    log.store.purge(&seal_key(LOG, seals - 1), None);
    let refused = log.open().await.unwrap();
    assert!(matches!(&refused, Err(OpenError::Refused(why)) if why.contains("published a checkpoint")), "{:?}", refused.err());
    // A hole, and no checkpoint to remember it: the seals behind it do.
    let (log, _, hole) = lost(3).await;
    log.store.purge(&seal_key(LOG, hole), None);
    log.store.purge(&checkpoint_key(LOG), None);
    let refused = log.open().await.unwrap();
    assert!(matches!(&refused, Err(OpenError::Refused(why)) if why.contains("run `spanseal verify`")), "{:?}", refused.err());
}

/// Scenario: a lagging, foreign or forged `checkpoint`. Guarantee: it is a hint; the log is found all the same.
#[tokio::test(start_paused = true)]
async fn the_published_checkpoint_is_only_a_hint() {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    for n in 1..=20 {
        process.submit(batch(n..=n, 0)).await.unwrap();
    }
    process.kill();
    let seals = log.check_log().await.seals;
    for text in [String::new(), "nonsense".into(), log.check_log().await.files[3].checkpoint.clone()] {
        if !text.is_empty() {
            log.store.overwrite_foreign(&checkpoint_key(LOG), text);
        }
        let again = log.open().await.unwrap().unwrap();
        again.kill();
    }
    assert_eq!(log.check_log().await.seals, seals + 3, "each start committed one seal behind the newest");
}

/// Scenario: a record is sent again within the window, after a restart, and with other content. Guarantee: an equal one is not stored
/// twice and its receipt names the first seal; a different one with the same identity is kept beside it.
#[tokio::test(start_paused = true)]
async fn a_resent_record_is_recognised_and_a_conflict_is_kept() {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    let first = process.submit(batch(1..=2, 0)).await.unwrap();
    let again = process.submit(batch(1..=2, 0)).await.unwrap();
    assert_eq!(again.seal, first.seal);
    let mixed = process.submit(batch(2..=3, 0)).await.unwrap();
    assert!(mixed.seal > first.seal);
    process.kill();
    let process = log.open().await.unwrap().unwrap();
    assert_eq!(process.submit(batch(1..=1, 0)).await.unwrap().seal, first.seal, "the window is rebuilt from the log");
    let conflict = process.submit(batch_with(1..=1, 0, "other")).await.unwrap();
    assert!(conflict.seal > mixed.seal);
    process.drain().await.unwrap();
    let contents = log.check_log().await;
    assert_eq!(contents.records[&id(1)], [first.seal, conflict.seal]);
    assert_eq!(contents.records[&id(2)], [first.seal]);
    let counted: u64 = contents.files.iter().map(|s| s.statement.counts.duplicates).sum();
    assert_eq!(counted, 4);
}

/// Scenario: a request comes while one of its records is sealed already and another waits in the open batch, for an earlier request; the
/// batch then fails, or is sealed. Guarantee: it is answered with that batch and never before: by the refusal, or by the seal that holds
/// the record that waited. Only what was not stored because an equal record is sealed counts as a duplicate.
#[tokio::test(start_paused = true)]
async fn a_request_half_sealed_and_half_pending_waits_for_its_pending_half() {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    let first = process.submit(batch(1..=1, 0)).await.unwrap();
    log.store.fail_key("segments/", 1, Fault::Refused);
    let (pending, mixed) = tokio::join!(process.submit(batch(2..=2, 0)), process.submit(batch(1..=2, 0)));
    assert!(pending.is_err(), "{pending:?}");
    assert!(mixed.is_err(), "record 2 is not durable: {mixed:?}");
    let (pending, mixed) = tokio::join!(process.submit(batch(2..=2, 0)), process.submit(batch(1..=2, 0)));
    let (pending, mixed) = (pending.unwrap(), mixed.unwrap());
    assert!(pending.seal > first.seal);
    assert_eq!(mixed, pending, "the newest seal that holds a record of the request");
    process.drain().await.unwrap();
    let contents = log.check_log().await;
    assert_eq!((&contents.records[&id(1)], &contents.records[&id(2)]), (&vec![first.seal], &vec![pending.seal]));
    // Record 1 twice, each time sealed before; record 2 once: the first time nothing of it was sealed.
    let counted: u64 = contents.files.iter().map(|s| s.statement.counts.duplicates).sum();
    assert_eq!(counted, 3);
}

/// Scenario: nothing happens, then the process stops. Guarantee: heartbeats come within the promise of the seal before, and the last
/// seal promises nothing; a failed heartbeat is made up.
#[tokio::test(start_paused = true)]
async fn heartbeats_keep_their_promise_and_the_last_seal_makes_none() {
    let log = TestLog::new(CreateOnly::Honoured);
    let store = log.store.process();
    let mut options = log.options(&store);
    options.heartbeat = Some(Duration::from_secs(60));
    let (_handle, task) = start(options).await.unwrap();
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        log.clock.advance(Duration::from_secs(1));
    }
    task.drain().await.unwrap();
    let files = log.check_log().await.files;
    assert!(files.len() > 10, "{}", files.len());
    for pair in files.windows(2) {
        let promised = pair[0].statement.next_by.expect("every seal but the last promises the next");
        assert!(pair[1].statement.sealed_at <= promised, "{} > {promised}", pair[1].statement.sealed_at);
    }
    assert_eq!(files.last().unwrap().statement.next_by, None);
}

/// Scenario: the writer's clock is an hour off the store's, found out only by the answers of the store; later it is set right. Guarantee:
/// nothing is sealed under a wrong clock, not even the first batch after a quiet time, whose segments are stored before the store has
/// answered; and sealing goes on without a restart once the clock is right.
#[tokio::test(start_paused = true)]
async fn a_wrong_clock_stops_sealing_and_a_clock_set_right_resumes_it() {
    for skew in [3600, -3600] {
        let log = TestLog::new(CreateOnly::Honoured);
        let process = log.open().await.unwrap().unwrap();
        process.submit(batch(1..=1, 0)).await.unwrap();
        let seals = log.check_log().await.seals;
        log.store.set_clock_skew(skew);
        for _ in 0..2 {
            let refused = process.submit(batch(2..=2, 0)).await.expect_err("the clock is wrong");
            assert!(refused.to_string().contains("off the store's own"), "{refused}");
        }
        assert_eq!(log.check_log().await.seals, seals, "{skew}");
        log.store.set_clock_skew(0);
        process.submit(batch(2..=2, 0)).await.expect("the clock is right again");
        process.drain().await.unwrap();
    }
}

/// Scenario: the clock goes wrong while nothing is received, and is set right later. Guarantee: no heartbeat is signed with a wrong time,
/// and they go on afterwards.
#[tokio::test(start_paused = true)]
async fn no_heartbeat_is_signed_under_a_wrong_clock() {
    let log = TestLog::new(CreateOnly::Honoured);
    let mut options = log.options(&log.store.process());
    options.heartbeat = Some(Duration::from_secs(60));
    let (_handle, task) = start(options).await.unwrap();
    let seals = log.check_log().await.seals;
    log.store.set_clock_skew(-3600);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(log.check_log().await.seals, seals);
    log.store.set_clock_skew(0);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(log.check_log().await.seals > seals);
    task.drain().await.unwrap();
}

/// Scenario: records wait for company longer than the newest seal has promised its successor. Guarantee: the promise is kept; what waits
/// is sealed early.
#[tokio::test(start_paused = true)]
async fn an_open_batch_closes_in_time_for_the_promise() {
    let log = TestLog::new(CreateOnly::Honoured);
    let mut options = log.options(&log.store.process());
    options.heartbeat = Some(Duration::from_secs(60));
    options.max_delay = Duration::from_secs(300);
    options.answer_within = Duration::from_secs(600);
    let (handle, task) = start(options).await.unwrap();
    let permit = handle.pool.admit(1).await.unwrap();
    let waited = tokio::time::Instant::now();
    handle.submit(batch(1..=1, 0), permit).await.unwrap();
    assert!(waited.elapsed() < Duration::from_secs(60), "{:?}", waited.elapsed());
    task.drain().await.unwrap();
}

/// Scenario: the process is told to stop, and the store refuses its last batch. Guarantee: the sender is refused, and the end is no
/// success: whoever supervises the process hears that something it had taken in is not sealed.
#[tokio::test(start_paused = true)]
async fn a_last_batch_that_fails_is_no_clean_end() {
    let log = TestLog::new(CreateOnly::Honoured);
    let Process { handle, task, .. } = log.open().await.unwrap().unwrap();
    log.store.fail_key("segments/", 4, Fault::Refused);
    let permit = handle.pool.admit(1).await.unwrap();
    let waiting = tokio::spawn(async move { handle.submit(batch(1..=1, 0), permit).await });
    tokio::task::yield_now().await;
    let ended = task.drain().await.expect_err("a batch was refused").to_string();
    assert!(ended.contains("1 waiting request was refused"), "{ended}");
    assert!(waiting.await.unwrap().is_err());
}

/// Scenario: a batch fails after some of its segments were stored, the store refuses a seal and takes it later, and the answer to another
/// is lost. Guarantee: the figures say just that: bytes count once they are committed, and a refusal leaves no doubt.
#[tokio::test(start_paused = true)]
async fn figures_say_what_happened_and_no_more() {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    let stats = Arc::clone(&process.task.stats);
    let before = (stats.line_bytes.value(), stats.stored_bytes.value());
    log.store.fail_key("segments/strict/", 1, Fault::Refused);
    let (one, two) = tokio::join!(process.submit(batch(1..=2, 0)), process.submit(batch(3..=4, 1)));
    assert!(one.is_err() && two.is_err());
    assert_eq!((stats.line_bytes.value(), stats.stored_bytes.value()), before, "nothing of it was committed");
    log.store.fail_key("seals/", 2, Fault::NotStored);
    process.submit(batch(1..=2, 0)).await.unwrap();
    assert!(stats.line_bytes.value() > before.0 && stats.stored_bytes.value() > before.1);
    assert_eq!(stats.commit_doubts.value(), 0, "that nothing was stored was known each time");
    log.store.fail_key("seals/", 1, Fault::LostBefore);
    log.store.fail_key("seals/", 1, Fault::LostAfter);
    process.submit(batch(3..=4, 1)).await.unwrap();
    assert_eq!(stats.commit_doubts.value(), 1, "one commit, twice not known");
    assert_eq!(stats.commit_retries.value(), 3, "after two refusals and a lost put; what an answer alone was lost of is not put again");
    process.drain().await.unwrap();
}

/// Scenario: the put of `checkpoint` hangs. Guarantee: sealing does not wait for it; the next publications cover what was sealed
/// meanwhile, in order, and a clean stop leaves the newest checkpoint published.
#[tokio::test(start_paused = true)]
async fn a_hanging_publication_stalls_no_seal() {
    let log = TestLog::new(CreateOnly::Honoured);
    let mut options = log.options(&log.store.process());
    options.publish_interval = Duration::from_secs(1);
    let (handle, task) = start(options).await.unwrap();
    log.store.slow("/checkpoint", Duration::from_secs(50));
    for n in 1..=100 {
        let permit = handle.pool.admit(1).await.unwrap();
        let sent = tokio::time::Instant::now();
        handle.submit(batch(n..=n, 0), permit).await.unwrap();
        assert!(sent.elapsed() < Duration::from_secs(1), "request {n} waited {:?}", sent.elapsed());
        tokio::time::sleep(Duration::from_millis(900)).await;
    }
    task.drain().await.unwrap();
    let newest = log.check_log().await.files.last().unwrap().checkpoint.clone();
    let key = checkpoint_key(LOG);
    let published = log.store.get(&key, None, 1 << 16).await.unwrap().unwrap();
    assert_eq!(published, newest.as_bytes());
    let mut sizes = Vec::new();
    for version in log.store.versions(&key).await.unwrap().iter().rev() {
        let note = log.store.get(&key, version.id.as_ref(), 1 << 16).await.unwrap().unwrap();
        sizes.push(std::str::from_utf8(&note).unwrap().lines().nth(1).unwrap().parse::<u64>().unwrap());
    }
    assert!(sizes.len() >= 3 && sizes.is_sorted(), "{sizes:?}");
}

/// Scenario: a process starts behind a published checkpoint, and its own first publication fails. Guarantee: what is published is known all
/// the same, so the lag is one seal and not the whole log.
#[tokio::test(start_paused = true)]
async fn the_checkpoint_published_before_is_not_forgotten() {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    process.submit(batch(1..=2, 0)).await.unwrap();
    process.drain().await.unwrap();
    let seals = log.check_log().await.seals;
    log.store.fail_key("/checkpoint", 1, Fault::NotStored);
    let process = log.open().await.unwrap().unwrap();
    assert_eq!((process.task.stats.tree_size.value(), process.task.stats.published_tree_size.value()), (seals + 1, seals));
    process.drain().await.unwrap();
}

/// Scenario: a process starts on a store whose every answer takes a while, behind a log of many seals within the window of duplicates.
/// Guarantee: the window is read many objects at a time, and it is the whole window.
#[tokio::test(start_paused = true)]
async fn the_window_of_duplicates_is_read_in_parallel() {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    let mut seals = Vec::new();
    for n in 1..=300 {
        seals.push(process.submit(batch(n..=n, 0)).await.unwrap().seal);
    }
    process.drain().await.unwrap();
    log.store.slow("", Duration::from_millis(20));
    let began = tokio::time::Instant::now();
    let process = log.open().await.unwrap().unwrap();
    // One after the other it would be 300 times a listing and two reads: 18 s.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    log.store.clear_faults();
    for (n, seal) in (1..=300).zip(seals) {
        assert_eq!(process.submit(batch(n..=n, 0)).await.unwrap().seal, seal, "record {n}");
    }
    process.drain().await.unwrap();
}

/// Scenario: the configuration in force cannot be read when the next one is to be compared with it, or its record is gone for good.
/// Guarantee: the first is an error, for another identity key would be taken unseen; the second is not, since it would be one for ever.
#[tokio::test(start_paused = true)]
async fn a_configuration_that_cannot_be_compared_is_not_taken_unseen() {
    let log = TestLog::new(CreateOnly::Honoured);
    let open = |text: &str| {
        let mut options = log.options(&log.store.process());
        options.configuration = text.to_owned();
        start(options)
    };
    open("{\"identity\":{\"key_id\":\"a\"}}").await.unwrap().1.drain().await.unwrap();
    // Four tries for the window of duplicates, which does without, and four for the configuration.
    log.store.fail_reads("segments/", 8);
    let unread = open("{\"identity\":{\"key_id\":\"b\"}}").await.expect_err("the configuration before could not be read");
    assert!(matches!(unread, OpenError::Read(_)), "{unread}");
    log.store.clear_faults();
    let other = open("{\"identity\":{\"key_id\":\"b\"}}").await.expect_err("another identity key");
    assert!(other.to_string().contains("identity key b"), "{other}");
    let segment = log.check_log().await.files[0].statement.segments[0].key.clone();
    log.store.purge(&spanseal::worm::below(LOG, &segment), None);
    open("{\"identity\":{\"key_id\":\"b\"}}").await.expect("nothing is left to compare with").1.abort();
}

/// Scenario: a log is written under a class of GOVERNANCE for 30 years; then a class of COMPLIANCE for a day takes its place, and the log is
/// opened; in the second round the locks that a dead process may have left unread are gone. Guarantee: what was written is locked as was
/// due then, and not COMPLIANCE for 30 years, for which no configuration has asked and which nobody could lift.
#[tokio::test(start_paused = true)]
async fn evidence_is_locked_as_was_due_when_it_was_written() {
    for lost in [false, true] {
        let log = TestLog::new(CreateOnly::Honoured);
        let options = |mode: Mode, period: &str| {
            let class = Class { name: "standard".into(), mode, period: period.parse().unwrap(), claimable: false };
            let classes = Classes::new(vec![class], "standard", "10y".parse().unwrap(), log.clock.now().ceil_seconds()).unwrap();
            let mode = mode.as_str();
            let text = format!(
                "{{\"retention\":{{\"classes\":[{{\"mode\":\"{mode}\",\"name\":\"standard\",\"period\":\"{period}\"}}],\"default\":\"standard\"}}}}"
            );
            Options { classes: Arc::new(classes), configuration: text, ..log.options(&log.store.process()) }
        };
        let (handle, task) = start(options(Mode::Governance, "30y")).await.unwrap();
        let permit = handle.pool.admit(1).await.unwrap();
        let seal = handle.submit(batch(1..=1, 0), permit).await.unwrap().seal;
        // As a kill: the newest seal is the one with the record.
        task.abort();
        // The seal first: at the second start it is no longer the newest.
        for key in [seal_key(LOG, seal), log_key(LOG)] {
            let version = log.store.versions(&key).await.unwrap()[0].id.clone().unwrap();
            let due = log.store.head(&key, Some(&version)).await.unwrap().unwrap().lock;
            assert_eq!(due.map(|lock| lock.mode), Some(Mode::Governance), "{key}");
            if lost {
                log.store.remove_lock_with_bypass(&key, &version).unwrap();
            }
            start(options(Mode::Compliance, "1d")).await.unwrap().1.abort();
            assert_eq!(log.store.head(&key, Some(&version)).await.unwrap().unwrap().lock, due, "{key}, lock lost: {lost}");
        }
    }
}

/// Scenario: the store's lock headers are dropped silently and the repair is dropped too. Guarantee: no acknowledgement.
#[tokio::test(start_paused = true)]
async fn a_lock_that_cannot_be_repaired_is_never_acknowledged() {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    log.store.fail_key("segments/", 1, Fault::LockDropped);
    process.submit(batch(1..=1, 0)).await.expect("one drop is repaired");
    log.store.fail_key("segments/", 2, Fault::LockDropped);
    let refused = process.submit(batch(2..=2, 0)).await.unwrap_err();
    assert!(refused.to_string().contains("did not keep the lock"), "{refused}");
    process.submit(batch(3..=3, 0)).await.expect("the next batch is not harmed");
    log.store.fail_key("seals/", 2, Fault::LockDropped);
    process.submit(batch(4..=4, 0)).await.unwrap_err();
    assert!(matches!(process.drain().await, Err(Fatal::Unlocked { .. })));
}

/// Scenario: the configuration changes between two starts, and back. Guarantee: the first seal under it holds the record with both
/// texts, and every statement's hash is that of the newest such record.
#[tokio::test(start_paused = true)]
async fn a_changed_configuration_is_a_record() {
    use spanseal::record::canonical::Json;
    let log = TestLog::new(CreateOnly::Honoured);
    for (text, starts) in [("{\"a\":\"1\"}", 3), ("{\"a\":\"2\"}", 2), ("{\"a\":\"1\"}", 1)] {
        for _ in 0..starts {
            let mut options = log.options(&log.store.process());
            options.configuration = text.into();
            let (_handle, task) = start(options).await.unwrap();
            task.drain().await.unwrap();
        }
    }
    let mut changes = Vec::new();
    let mut hash = None;
    for seal in log.check_log().await.files {
        for segment in &seal.statement.segments {
            let key = spanseal::worm::below(LOG, &segment.key);
            let bytes = log.store.get(&key, segment.version_id.as_ref(), 1 << 20).await.unwrap().unwrap();
            let json = Json::parse(zstd::decode_all(bytes.as_ref()).unwrap().strip_suffix(b"\n").unwrap()).unwrap();
            let text = |path: &str| json.path(path).and_then(Json::as_str).map(str::to_owned);
            let after = text("change.after").unwrap();
            hash = Some(spanseal::tlog::Hash::of(after.as_bytes()));
            changes.push((text("change.before"), after));
        }
        assert_eq!(Some(seal.statement.config_sha256), hash);
    }
    let (one, two) = ("{\"a\":\"1\"}".to_owned(), "{\"a\":\"2\"}".to_owned());
    assert_eq!(changes, [(None, one.clone()), (Some(one.clone()), two.clone()), (Some(two), one)]);
}

/// Scenario: the key file is lost, and a fresh key of the same origin is put in its place. Guarantee: the log is not continued under it,
/// and nothing is written.
#[tokio::test(start_paused = true)]
async fn a_fresh_key_of_the_same_origin_does_not_take_a_log_over() {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    two_batches(&process).await;
    process.task.drain().await.unwrap();
    let before = log.store.keys().len();
    let store = log.store.process();
    let key = LogKey::ephemeral(ORIGIN, [6; 32]).unwrap();
    let refused = start(Options { key, ..log.options(&store) }).await.unwrap_err();
    assert!(refused.to_string().contains("was made with another key"), "{refused}");
    assert_eq!(log.store.keys().len(), before);
}

/// Scenario: on a store without versions (a folder) the put of a seal is done and reported unknown. Guarantee: that the bytes can be read
/// settles nothing (they may be in memory only); the same put is made again, and its answer does.
#[tokio::test(start_paused = true)]
async fn an_unknown_commit_in_a_folder_is_put_again() {
    let clock = TestLog::new(CreateOnly::Honoured).clock;
    let options = MemoryOptions { locks: Locks::None, versioned: false, ..MemoryOptions::default() };
    let log = TestLog { store: MemoryStore::new(Arc::new(clock.clone()), options), clock, place: None };
    let process = log.open().await.unwrap().unwrap();
    process.submit(batch(1..=1, 0)).await.unwrap();
    log.store.fail_key("seals/", 1, Fault::LostAfter);
    let sealed = process.submit(batch(2..=2, 0)).await.unwrap().seal;
    let put = format!("put {}", seal_key(LOG, sealed));
    assert_eq!(log.store.effect_log().iter().filter(|effect| **effect == put).count(), 2);
    process.drain().await.unwrap();
}

/// Scenario: a newer version of spanseal wrote on, in a seal format that this one does not know, and then this one is started again (a
/// rolled back upgrade); or it still runs. Guarantee: it signs no index that the other has signed, and says why.
#[tokio::test(start_paused = true)]
async fn a_log_that_a_newer_version_wrote_on_is_not_continued() {
    for (create_only, running) in [CreateOnly::Honoured, CreateOnly::Ignored].into_iter().flat_map(|c| [(c, false), (c, true)]) {
        let what = format!("{create_only:?}, running {running}");
        let log = TestLog::new(create_only);
        let process = log.open().await.unwrap().unwrap();
        process.submit(batch(1..=1, 0)).await.unwrap();
        let before = log.check_log().await;
        log.store.overwrite_foreign(&seal_key(LOG, before.seals), newer_seal(before.files.last().unwrap()));
        if running {
            assert!(process.submit(batch(2..=2, 0)).await.is_err(), "{what}");
            assert!(matches!(process.drain().await, Err(Fatal::Displaced { index }) if index == before.seals), "{what}");
        } else {
            process.kill();
        }
        let refused = log.open().await.unwrap().map(|_| ());
        let named = |why: &str| why.contains("`spanseal.seal/2`") && why.contains("newer version of spanseal");
        assert!(matches!(&refused, Err(OpenError::Refused(why)) if named(why)), "{what}: {refused:?}");
        let versions = log.store.versions(&seal_key(LOG, before.seals)).await.unwrap().len();
        // Only where create-only is ignored is a running writer's own put there before it can look; it acknowledged nothing of it.
        assert_eq!(versions, if running && create_only == CreateOnly::Ignored { 2 } else { 1 }, "{what}");
    }
}

/// The seal after `before` as a later version might write it: truly signed, in a format of its own.
fn newer_seal(before: &SealFile) -> Vec<u8> {
    let statement = Json::object([
        ("format", Json::string("spanseal.seal/2")),
        ("log", Json::string(ORIGIN)),
        ("index", Json::String((before.statement.index + 1).to_string())),
    ]);
    let frontier = before.range_after();
    let mut after = frontier.clone();
    after.append(leaf_hash(&statement.to_jcs()));
    let checkpoint = TestLog::signer([5; 32]).checkpoint(after.size(), after.root());
    let nodes = frontier.nodes().iter().map(|node| Json::String(node.to_string())).collect();
    Json::object([("statement", statement), ("checkpoint", Json::String(checkpoint)), ("frontier", Json::Array(nodes))]).to_jcs()
}

/// Scenario: two processes, each with a fresh key of its own, make the same log at once. Guarantee: where create-only is ignored too, one
/// has made it and the other stops before it signs anything; and it stops again at every later start.
#[tokio::test(start_paused = true)]
async fn of_two_first_starts_one_makes_the_log() {
    for create_only in [CreateOnly::Honoured, CreateOnly::Ignored] {
        let log = TestLog::new(create_only);
        let first_start = |seed: u8| {
            let mut options = log.options(&log.store);
            options.store = Arc::new(FailNthRead::new(log.store.process(), i64::MAX));
            options.key = LogKey::ephemeral(ORIGIN, [seed; 32]).unwrap();
            start(options)
        };
        let (one, two) = tokio::join!(first_start(5), first_start(6));
        assert!(one.is_ok() && two.is_err(), "{create_only:?}: {:?} {:?}", one.err(), two.err());
        let why = two.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(create_only == CreateOnly::Honoured || why.contains("made by another process at the same time"), "{why}");
        let again = first_start(6).await;
        assert!(matches!(&again, Err(OpenError::Refused(why)) if why.contains("was made with another key")), "{:?}", again.err());
        one.unwrap().1.drain().await.unwrap();
        assert!(log.check_log().await.seals > 0);
    }
}

/// Scenario: a key file says that it made this log, but `log.json` names another key and nothing that this one signed is there. Guarantee:
/// it does not begin a second log in further versions of the same keys.
#[tokio::test(start_paused = true)]
async fn a_bound_key_that_signed_nothing_does_not_take_a_log_over() {
    let log = TestLog::new(CreateOnly::Ignored);
    log.open().await.unwrap().unwrap().drain().await.unwrap();
    let mut options = log.options(&log.store);
    options.key = LogKey::ephemeral(ORIGIN, [6; 32]).unwrap();
    options.key.bind(Binding::Bound(log.store.describe())).unwrap();
    let refused = start(options).await;
    assert!(matches!(&refused, Err(OpenError::Refused(why)) if why.contains("was made with another key")), "{:?}", refused.err());
}

/// Scenario: while a process looks at the log that it opens, another one with the same key seals and marks that beside the key, as two commands that
/// record a reading do. Guarantee: the log is not said to be set back; a mark of a seal that was not there before it looked is.
#[tokio::test]
async fn what_is_marked_while_the_log_is_looked_at_is_no_sign_of_an_older_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (key, mark) = (folder.path().join("log.key"), folder.path().join("log.key.mark"));
    LogKey::generate(&key, ORIGIN).unwrap();
    let log = TestLog::new(CreateOnly::Honoured);
    let open = async |store| {
        let mut options = log.options(&log.store);
        (options.store, options.key) = (store, LogKey::load(&key).unwrap());
        start(options).await
    };
    open(Arc::new(log.store.process())).await.unwrap().1.drain().await.unwrap();
    let text = std::fs::read_to_string(&mark).unwrap();
    let (index, leaf) = text.trim().split_once(' ').unwrap();
    let later = format!("{} {leaf}\n", index.parse::<u64>().unwrap() + 7);
    open(Arc::new(FailNthRead::writing(log.store.process(), mark.clone(), later.clone()))).await.unwrap().1.drain().await.unwrap();
    std::fs::write(&mark, later).unwrap();
    let refused = open(Arc::new(log.store.process())).await;
    assert!(matches!(&refused, Err(OpenError::Refused(why)) if why.contains("was set back")), "{:?}", refused.err());
}

/// Scenario: a local store is set back to an older copy of itself, checkpoint and all, at the same place, and the writer starts again.
/// Guarantee: it refuses, and `doctor` says so beforehand; the file beside the key remembers what was committed, so no index is signed twice.
#[tokio::test]
async fn a_store_set_back_in_place_is_refused() {
    use spanseal::worm::local::{LocalOptions, LocalStore};
    let folder = tempfile::tempdir().unwrap();
    let (root, older, key) = (folder.path().join("store"), folder.path().join("older"), folder.path().join("log.key"));
    LogKey::generate(&key, ORIGIN).unwrap();
    let log = TestLog::new(CreateOnly::Honoured);
    let open = || async {
        let mut options = log.options(&log.store);
        options.store = Arc::new(LocalStore::open(&root, LocalOptions::default()).unwrap());
        options.key = LogKey::load(&key).unwrap();
        options.max_delay = Duration::from_millis(1);
        start(options).await
    };
    let (_handle, task) = open().await.unwrap();
    task.drain().await.unwrap();
    let copied = std::process::Command::new("cp").arg("-a").args([&root, &older]).status().unwrap();
    assert!(copied.success());
    let (_handle, task) = open().await.unwrap();
    task.drain().await.unwrap();
    std::fs::rename(&root, folder.path().join("newer")).unwrap();
    std::fs::rename(&older, &root).unwrap();
    let refused = open().await;
    assert!(matches!(&refused, Err(OpenError::Refused(why)) if why.contains("set back to an older copy")), "{:?}", refused.err());
    let store: Arc<dyn WormStore> = Arc::new(LocalStore::open(&root, LocalOptions::default()).unwrap());
    let examined = examine(&store, LOG, &mut LogKey::load(&key).unwrap().into(), &log.classes(), &log.clock, None).await;
    assert!(matches!(&examined, Err(OpenError::Refused(why)) if why.contains("set back to an older copy")), "{examined:?}");
    std::fs::rename(&root, folder.path().join("gone")).unwrap();
    std::fs::rename(folder.path().join("newer"), &root).unwrap();
    open().await.unwrap().1.drain().await.unwrap();
}
