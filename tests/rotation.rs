//! The log's key changes, and it stays one log: announced by a seal that both keys sign, and from the next seal on nothing counts but what
//! the new one signs.

mod end_to_end;
mod signer;
mod witnessed;

use std::sync::Arc;
use std::time::Duration;

use spanseal::clock::{Clock, UnixSeconds};
use spanseal::query::log::{KeySource, LogReader, TrustedKey};
use spanseal::seal::keys::{Binding, LogKey};
use spanseal::seal::{KeyTurn, OpenError, Options, start};
use spanseal::tlog::merkle::leaf_hash;
use spanseal::tlog::note::{NoteSigner, SignedNote, VerifierKey};
use spanseal::tlog::seal_file::SealFile;
use spanseal::verify::{self, Kind, Verdict, verify};
use spanseal::worm::memory::{CreateOnly, Fault};
use spanseal::worm::{SEAL_BYTES_MAX, WormStore, checkpoint_key, read_versions, seal_key};

use crate::support::log::{LOG, ORIGIN, Process, TestLog, batch, id};
use signer::Watchful;

/// Seeds of the keys, in the order in which they sign.
const FIRST: u8 = 5;
const SECOND: u8 = 6;
const THIRD: u8 = 7;

fn key(seed: u8) -> LogKey {
    LogKey::ephemeral(ORIGIN, [seed; 32]).unwrap()
}

fn vkey(seed: u8) -> VerifierKey {
    key(seed).verifier().clone()
}

async fn open_with(log: &TestLog, key: LogKey, next_key: Option<LogKey>) -> Option<Result<Process, OpenError>> {
    let store = log.store.process();
    let options = Options { key, next_key, ..log.options(&store) };
    // Long enough for every wait of a start, short enough that one which is dead is noticed: time is paused.
    let started = tokio::time::timeout(Duration::from_secs(3600), start(options)).await.ok()?;
    Some(started.map(|(handle, task)| Process { store, handle, task, vault: None }))
}

async fn open(log: &TestLog, own: u8, next: Option<u8>) -> Result<Process, OpenError> {
    open_with(log, key(own), next.map(key)).await.expect("no fault is planned")
}

async fn refused(log: &TestLog, own: u8, next: Option<u8>) -> String {
    match open(log, own, next).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{own} {next:?} opens"),
    }
}

/// Keys that signed a seal, by their lines.
fn signers(seal: &SealFile) -> Vec<u8> {
    let lines = SignedNote::parse(&seal.checkpoint).unwrap().signatures;
    let seed = |line| [FIRST, SECOND, THIRD].into_iter().find(|seed| spanseal::tlog::note::SignatureLine::is_of(line, &vkey(*seed)));
    lines.iter().map(|line| seed(line).expect("a known key")).collect()
}

async fn report(log: &TestLog, pinned: u8) -> verify::Report {
    let options = verify::Options { pinned: vec![vkey(pinned)], ..verify::Options::new(log.clock.now().ceil_seconds()) };
    verify(&log.store, &options).await
}

/// Scenario: a log changes its key twice, with records before, between and behind, and is started in between with every wrong and right pair
/// of keys. Guarantee: one seal announces each key, signed by the old and then the new one; only the key that was announced last goes on;
/// what was sealed under an earlier key is known as sealed; a refused start leaves nothing; whoever holds any of the keys verifies.
#[tokio::test(start_paused = true)]
async fn a_log_changes_its_key_twice() {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = open(&log, FIRST, None).await.unwrap();
    let first = process.submit(batch(1..=2, 0)).await.unwrap();
    process.drain().await.unwrap();

    let process = open(&log, FIRST, Some(SECOND)).await.unwrap();
    assert_eq!((process.task.turn, &process.task.vkey), (KeyTurn::Announces, &vkey(SECOND)));
    assert_eq!(process.submit(batch(1..=1, 0)).await.unwrap(), first);
    process.submit(batch(3..=3, 0)).await.unwrap();
    process.drain().await.unwrap();
    let files = log.check_log().await.files;
    let announced = files.iter().position(|seal| seal.statement.next_vkey.is_some()).unwrap();
    let signed: Vec<_> = files.iter().map(signers).collect();
    assert_eq!(signed[..announced], vec![vec![FIRST]; announced]);
    assert_eq!(signed[announced], [FIRST, SECOND]);
    assert_eq!(signed[announced + 1..], vec![vec![SECOND]; signed.len() - announced - 1]);

    let before = log.store.keys().len();
    let named = format!("seal {announced} of the log `{ORIGIN}` in");
    let why = refused(&log, FIRST, None).await;
    assert!(why.contains(&named) && why.contains(&format!("announced that {} signs from then on", vkey(SECOND))), "{why}");
    let why = refused(&log, SECOND, Some(FIRST)).await;
    assert!(why.contains("`log.next_key_file` holds a key that the log `spanseal.test/test` has left"), "{why}");
    let why = refused(&log, FIRST, Some(THIRD)).await;
    assert!(why.contains("`log.key_file` holds a key that the log `spanseal.test/test` has left"), "{why}");
    let why = refused(&log, THIRD, Some(SECOND)).await;
    assert!(why.contains("was made with another key"), "{why}");
    let why = refused(&log, SECOND, Some(SECOND)).await;
    assert!(why.contains("holds the very key"), "{why}");
    assert_eq!(log.store.keys().len(), before);

    let process = open(&log, FIRST, Some(SECOND)).await.unwrap();
    assert_eq!((process.task.turn, &process.task.vkey), (KeyTurn::Next, &vkey(SECOND)));
    process.submit(batch(4..=4, 0)).await.unwrap();
    process.drain().await.unwrap();
    open(&log, SECOND, None).await.unwrap().drain().await.unwrap();
    let process = open(&log, SECOND, Some(THIRD)).await.unwrap();
    assert_eq!(process.submit(batch(1..=1, 0)).await.unwrap(), first);
    process.submit(batch(5..=5, 0)).await.unwrap();
    process.drain().await.unwrap();
    open(&log, THIRD, None).await.unwrap().drain().await.unwrap();
    assert!(refused(&log, SECOND, None).await.contains("announced that"));
    assert!(refused(&log, FIRST, None).await.contains("announced that"));

    let contents = log.check_log().await;
    assert_eq!(contents.files.iter().filter(|seal| seal.statement.next_vkey.is_some()).count(), 2);
    assert!((1..=5).all(|n| contents.records[&id(n)].len() == 1));
    for seed in [FIRST, SECOND, THIRD] {
        let trusted = [TrustedKey { key: vkey(seed), source: KeySource::Pinned }];
        let reader = LogReader::open(Arc::new(log.store.clone()), LOG, &trusted).await.unwrap();
        assert_eq!((reader.size(), reader.problems().len()), (contents.seals, 0), "{seed}: {:?}", reader.problems());
        assert_eq!(reader.key(), Some(&vkey(THIRD)));
    }
}

/// Scenario: the newest seal is the announcement itself, and nothing came after it. Guarantee: readers and the next start know the new key.
#[tokio::test(start_paused = true)]
async fn an_announcement_alone_is_a_change_of_key() {
    let log = TestLog::new(CreateOnly::Honoured);
    open(&log, FIRST, Some(SECOND)).await.unwrap().kill();
    assert_eq!(signers(log.check_log().await.files.last().unwrap()), [FIRST, SECOND]);
    for seed in [FIRST, SECOND] {
        let trusted = [TrustedKey { key: vkey(seed), source: KeySource::Configured }];
        let reader = LogReader::open(Arc::new(log.store.clone()), LOG, &trusted).await.unwrap();
        assert_eq!((reader.size(), reader.problems().len()), (1, 0), "{seed}: {:?}", reader.problems());
        let report = report(&log, seed).await;
        assert_eq!((report.verdict, report.key), (Verdict::Verified, verify::KeyTrust::Pinned), "{}", report.to_text());
    }
    assert!(refused(&log, FIRST, None).await.contains("seal 0 of the log"));
    open(&log, SECOND, None).await.unwrap().drain().await.unwrap();
}

/// Scenario: the next key is of another log, or belongs to the log in another store. Guarantee: refused before anything is signed or written.
#[tokio::test(start_paused = true)]
async fn a_key_of_another_log_does_not_follow() {
    for new in [true, false] {
        let log = TestLog::new(CreateOnly::Honoured);
        if !new {
            open(&log, FIRST, None).await.unwrap().drain().await.unwrap();
        }
        let before = log.store.keys().len();
        let stranger = LogKey::ephemeral("spanseal.test/another", [SECOND; 32]).unwrap();
        let why = open_with(&log, key(FIRST), Some(stranger)).await.unwrap().map(|_| ()).unwrap_err().to_string();
        assert!(why.contains("is the key of log `spanseal.test/another`"), "{why}");
        let mut elsewhere = key(SECOND);
        elsewhere.bind(Binding::Bound("s3://another/store at https://example.com".into())).unwrap();
        let why = open_with(&log, key(FIRST), Some(elsewhere)).await.unwrap().map(|_| ()).unwrap_err().to_string();
        assert!(why.contains("belongs to the log in s3://another/store"), "{why}");
        assert_eq!(log.store.keys().len(), before);
    }
}

/// One fault at one effect of the start that changes the key, and of the records behind it. `None`: it has fewer effects.
async fn case(create_only: CreateOnly, nth: u64, fault: Fault) -> Option<()> {
    let what = format!("{create_only:?}, effect {nth}, {fault:?}");
    let log = TestLog::new(create_only);
    let process = open(&log, FIRST, None).await.unwrap();
    process.submit(batch(1..=1, 0)).await.unwrap();
    process.drain().await.unwrap();
    let base = log.store.effects();
    log.store.fail_effect(base + nth, fault);
    let (old, new) = (Watchful::new(FIRST), Watchful::new(SECOND));
    let mut acknowledged = vec![1];
    let keys = (LogKey::of(Arc::new(old.clone())), LogKey::of(Arc::new(new.clone())));
    if let Some(Ok(process)) = open_with(&log, keys.0, Some(keys.1)).await {
        if process.submit(batch(2..=2, 0)).await.is_ok() {
            acknowledged.push(2);
        }
        let _ = process.drain().await;
    }
    let seen = log.store.effects() - base;
    // One process signs an index for one tree only, with whichever key.
    old.signed_once(&what);
    new.signed_once(&what);
    let announced = log.check_log().await.files.iter().position(|seal| seal.statement.next_vkey.is_some());
    log.store.clear_faults();
    let keys = (Watchful::new(FIRST), Watchful::new(SECOND));
    let again = open_with(&log, LogKey::of(Arc::new(keys.0.clone())), Some(LogKey::of(Arc::new(keys.1.clone())))).await.unwrap();
    let again = again.unwrap_or_else(|e| panic!("{what}: the log does not open again: {e}"));
    log.store.release();
    again.submit(batch(3..=3, 0)).await.unwrap_or_else(|e| panic!("{what}: {e}"));
    again.drain().await.unwrap_or_else(|e| panic!("{what}: {e}"));
    if announced.is_some() {
        assert_eq!(keys.0.signed(), 0, "{what}: the old key signs on");
    }
    let contents = log.check_log().await;
    let changes: Vec<usize> = contents.files.iter().enumerate().filter(|(_, s)| s.statement.next_vkey.is_some()).map(|(n, _)| n).collect();
    assert_eq!(changes.len(), 1, "{what}");
    assert!(announced.is_none_or(|at| changes == [at]), "{what}: {announced:?} {changes:?}");
    for n in acknowledged.into_iter().chain([3]) {
        assert_eq!(contents.records.get(&id(n)).map(Vec::len), Some(1), "{what}: record {n}");
    }
    assert_eq!(contents.unlocked, [0_u64; 0], "{what}");
    for (at, seal) in contents.files.iter().enumerate() {
        let expected: &[u8] = match at.cmp(&changes[0]) {
            std::cmp::Ordering::Less => &[FIRST],
            std::cmp::Ordering::Equal => &[FIRST, SECOND],
            std::cmp::Ordering::Greater => &[SECOND],
        };
        assert_eq!(signers(seal), expected, "{what}: seal {at}");
        let versions = log.store.versions(&seal_key(LOG, at as u64)).await.unwrap();
        for (_, bytes) in read_versions(&log.store, &versions, SEAL_BYTES_MAX, 100).await.unwrap() {
            let alone = SealFile::parse(&bytes).is_ok_and(|seal| signers(&seal) == [FIRST]);
            assert!(!alone || at <= changes[0], "{what}: the old key alone signed seal {at}");
        }
    }
    refused(&log, FIRST, None).await;
    (seen >= nth).then_some(())
}

/// Scenario: every durable effect of a start that changes the key fails in every way, and the next start has the same two keys. Guarantee:
/// one announcement, nothing acknowledged is lost, no index is signed twice by a process, and once the announcement is committed the old
/// key signs nothing.
#[tokio::test(start_paused = true)]
async fn every_effect_of_a_change_of_key_may_fail() {
    for create_only in [CreateOnly::Honoured, CreateOnly::Ignored] {
        for fault in Fault::ALL {
            let mut nth = 1;
            while case(create_only, nth, fault).await.is_some() {
                nth += 1;
            }
            assert!(nth > 5, "{create_only:?} {fault:?}: a start has more effects than {}", nth - 1);
        }
    }
}

/// The seal behind `before` as somebody with a key of the log might make it.
fn forged(before: &SealFile, signer: &NoteSigner) -> SealFile {
    let mut statement = before.statement.clone();
    statement.index += 1;
    statement.previous = Some(before.leaf());
    statement.next_vkey = None;
    statement.segments.clear();
    statement.counts = Default::default();
    statement.started = UnixSeconds(statement.started.0 - 1);
    let entry = statement.entry();
    let frontier = before.range_after();
    let mut range = frontier.clone();
    range.append(leaf_hash(&entry));
    SealFile { statement, entry, checkpoint: signer.checkpoint(range.size(), range.root()), frontier }
}

/// Scenario: after a change of key the old one is in other hands, who put a whole chain of their own seals over the true ones, beyond them,
/// and publish its checkpoint. Guarantee: the writer and everybody who trusts the new key see the true log and go on; whoever pins the first
/// is told, and never that all is well.
#[tokio::test(start_paused = true)]
async fn a_key_that_the_log_has_left_signs_nothing() {
    let log = TestLog::new(CreateOnly::Honoured);
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let made = LogKey::generate(&old, ORIGIN).unwrap();
    let theirs = stolen(&old);
    open_with(&log, made, None).await.unwrap().unwrap().drain().await.unwrap();
    let next = LogKey::load(&old).unwrap().generate_next(&new).unwrap();
    let pinned = [LogKey::load(&old).unwrap().verifier().clone(), next.verifier().clone()];
    open_with(&log, LogKey::load(&old).unwrap(), Some(next)).await.unwrap().unwrap().drain().await.unwrap();
    open_with(&log, LogKey::load(&new).unwrap(), None).await.unwrap().unwrap().drain().await.unwrap();
    let true_log = log.check_log_of(&pinned[0]).await;
    let mut fake = true_log.files.iter().find(|seal| seal.statement.next_vkey.is_some()).unwrap().clone();
    // First over the true seals, then beyond them.
    for beyond in [0, 6] {
        while fake.statement.index + 1 < true_log.seals + beyond {
            fake = forged(&fake, &theirs);
            log.store.overwrite_foreign(&seal_key(LOG, fake.statement.index), fake.to_bytes().unwrap());
        }
        log.store.overwrite_foreign(&checkpoint_key(LOG), fake.checkpoint.clone());
        for (key, is_new) in pinned.iter().zip([false, true]) {
            let options = verify::Options { pinned: vec![key.clone()], ..verify::Options::new(log.clock.now().ceil_seconds()) };
            let report = verify(&log.store, &options).await;
            assert_eq!(report.verdict, Verdict::Findings, "{}", report.to_text());
            assert!(report.findings.iter().any(|item| item.kind == Kind::ForeignVersion), "{}", report.to_text());
            let trust = [TrustedKey { key: key.clone(), source: KeySource::Pinned }];
            let reader = LogReader::open(Arc::new(log.store.clone()), LOG, &trust).await.unwrap();
            let seals = reader.seals(0..reader.size()).await.unwrap();
            let told = !reader.problems().is_empty() || !seals.problems.is_empty();
            let is_true = |seal: &SealFile| true_log.files.iter().any(|own| own.leaf() == seal.leaf());
            assert!(seals.found.values().all(|seal| is_true(seal)), "{beyond} {is_new}");
            if is_new {
                assert!(!told && seals.found.len() == true_log.files.len(), "{:?} {:?}", reader.problems(), seals.problems);
            } else {
                assert!(told, "{beyond} {is_new}");
            }
        }
    }
    let process = open_with(&log, LogKey::load(&new).unwrap(), None).await.unwrap().unwrap();
    process.submit(batch(9..=9, 0)).await.unwrap();
    process.drain().await.unwrap();
    let after = log.check_log_of(&pinned[0]).await;
    assert_eq!(after.records[&id(9)].len(), 1);
    assert!(after.files.iter().zip(&true_log.files).all(|(now, then)| now.leaf() == then.leaf()));

    // Nor behind a gap, where another key is looked for.
    log.store.purge(&seal_key(LOG, after.seals - 1), None);
    for key in &pinned {
        let options = verify::Options { pinned: vec![key.clone()], ..verify::Options::new(log.clock.now().ceil_seconds()) };
        let report = verify(&log.store, &options).await;
        let told = |kind| report.findings.iter().any(|item| item.kind == kind);
        assert!(told(Kind::SealForeign) && told(Kind::Rollback) && !told(Kind::SealMissing), "{}", report.to_text());
        assert_eq!(report.logs[0].tree_size, after.seals - 1, "{}", report.to_text());
    }
}

/// The key in a file, as whoever copied it has it.
fn stolen(file: &std::path::Path) -> NoteSigner {
    use base64::Engine;
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find(|line| line.starts_with("PRIVATE+KEY+")).unwrap();
    let parts: Vec<&str> = line.splitn(5, '+').collect();
    let secret = base64::engine::general_purpose::STANDARD.decode(parts[4]).unwrap();
    NoteSigner::new(parts[2], secret[1..].try_into().unwrap()).unwrap()
}

/// Scenario: the key has changed, and then the store is set back to a copy from before that. Guarantee: whichever of the two keys comes back
/// with it is refused: both remember the announcement.
#[tokio::test(start_paused = true)]
async fn a_store_set_back_to_before_the_change_is_refused() {
    let log = TestLog::new(CreateOnly::Honoured);
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    open_with(&log, LogKey::generate(&old, ORIGIN).unwrap(), None).await.unwrap().unwrap().drain().await.unwrap();
    let next = LogKey::load(&old).unwrap().generate_next(&new).unwrap();
    let first = LogKey::load(&old).unwrap().verifier().clone();
    let seals = log.check_log_of(&first).await.seals;
    let older_checkpoint = log.check_log_of(&first).await.files.last().unwrap().checkpoint.clone();
    open_with(&log, LogKey::load(&old).unwrap(), Some(next)).await.unwrap().unwrap().kill();
    for index in seals..log.check_log_of(&first).await.seals {
        log.store.purge(&seal_key(LOG, index), None);
    }
    log.store.overwrite_foreign(&checkpoint_key(LOG), older_checkpoint);
    let load = |path| LogKey::load(path).unwrap();
    for (key, next) in [(load(&old), None), (load(&old), Some(load(&new)))] {
        let refused = open_with(&log, key, next).await.unwrap().map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("set back to an older copy"), "{refused}");
    }
    std::fs::remove_file(folder.path().join("old.mark")).unwrap();
    let refused = open_with(&log, load(&old), Some(load(&new))).await.unwrap().map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("set back to an older copy"), "{refused}");
}
