//! What records keep apart is in the vault before anything is signed that commits to it, whatever fails: a record that was acknowledged has
//! its content, and the vault holds no content of a seal that never came to be.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use spanseal::record::apart::{PersonEntry, Piece};
use spanseal::record::canonical::Json;
use spanseal::record::content::{Scheme, commitment, commitment_text};
use spanseal::record::identity::vault_pseudonym;
use spanseal::record::{Batch, RecordId, sameness_of_line};
use spanseal::vault::parse_pseudonym;
use spanseal::worm::memory::{CreateOnly, Fault};

use crate::support::log::{Process, TestLog, batch, id};
use crate::support::place::PlaceFault;

/// What record `n` says.
fn said(n: u64) -> String {
    format!("the secret of record {n}, said once")
}

/// A batch like [`batch`], whose records keep something apart, salted by `attempt`, and name one person.
fn batch_apart(process: &Process, numbers: impl IntoIterator<Item = u64>, attempt: u8) -> Batch {
    let mut out = Batch::default();
    for n in numbers {
        let key = [u8::try_from(n).unwrap() % 2; 32];
        let given =
            process.vault.as_ref().unwrap().persons().pseudonym(key, || [n as u8, attempt, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        if !given.stored && out.apart.persons.iter().all(|p| p.key != key) {
            let id = format!("person{}@example.com", n % 2);
            out.apart.persons.push(PersonEntry { key, pseudonym: given.pseudonym, realm: String::new(), id });
        }
        let (one, salt, text) = (batch([n], u16::try_from(n % 2).unwrap()), [attempt; 32], said(n));
        let mut record = one.records[0].clone();
        let mut json = Json::parse(one.line(&record)).unwrap();
        let Json::Object(members) = &mut json else { panic!() };
        members.push((
            "input".to_owned(),
            Json::object([
                ("captured", Json::string("vault")),
                ("scheme", Json::string("utf8")),
                ("commitment", Json::String(commitment_text(&commitment(&salt, text.as_bytes())))),
                ("bytes", Json::String(text.len().to_string())),
            ]),
        ));
        members.push(("actor".to_owned(), Json::object([("user_id", Json::String(vault_pseudonym(&given.pseudonym)))])));
        let line = json.to_jcs();
        (_, record.sameness) = sameness_of_line(&line).unwrap();
        record.line = out.lines.len()..out.lines.len() + line.len();
        out.lines.extend_from_slice(&line);
        let (start, at) = (out.apart.bytes.len(), out.apart.pieces.len());
        out.apart.bytes.extend_from_slice(text.as_bytes());
        let content = start..out.apart.bytes.len();
        out.apart.pieces.push(Piece { record: record.id, member: Cow::Borrowed("input"), scheme: Scheme::Utf8, salt, content });
        record.pieces = at..at + 1;
        out.records.push(record);
    }
    out
}

/// The invariant, over everything that is stored: each record of the log has exactly its content, which opens its commitment, and a person
/// who can be resolved; each pack is of a seal of the log and holds content of its records only.
async fn expect_whole(log: &TestLog, what: &str) -> BTreeMap<RecordId, u64> {
    let vault = log.place.as_ref().unwrap().vault();
    let mut found = BTreeMap::new();
    let contents = log.check_log().await;
    let mut packs = 0;
    for (record, line) in &contents.lines {
        let json = Json::parse(line).unwrap();
        if json.path("source.signal").and_then(Json::as_str) == Some("control") {
            continue;
        }
        let seal = contents.records[record][0];
        let sealed_at = contents.files[usize::try_from(seal).unwrap()].statement.sealed_at;
        let entries = vault.content(seal, sealed_at, *record).await.unwrap();
        let [entry] = entries.as_slice() else { panic!("{what}: {record} of seal {seal} has {} contents", entries.len()) };
        let committed = json.path("input.commitment").and_then(Json::as_str);
        assert_eq!(committed, Some(commitment_text(&commitment(&entry.salt, &entry.content)).as_str()), "{what}: {record}");
        let person = json.path("actor.user_id").and_then(Json::as_str).and_then(parse_pseudonym).unwrap();
        assert_eq!(vault.resolve(&HashSet::from([person])).await.unwrap().len(), 1, "{what}: {record} names somebody unknown");
        found.insert(*record, seal);
    }
    for seal in found.values().collect::<HashSet<_>>() {
        let named: Vec<String> =
            log.place.as_ref().unwrap().keys("packs/").into_iter().filter(|k| k.contains(&format!("/{seal:020}-"))).collect();
        assert_eq!(named.len(), 1, "{what}: packs of seal {seal}: {named:?}");
        packs += 1;
    }
    assert_eq!(log.place.as_ref().unwrap().keys("packs/").len(), packs, "{what}: packs of no seal");
    found
}

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

async fn acknowledged_are_whole(log: &TestLog, acknowledged: &[u64], what: &str) {
    let vault = log.place.as_ref().unwrap().vault();
    let contents = log.check_log().await;
    for n in acknowledged {
        let seal = contents.records.get(&id(*n)).unwrap_or_else(|| panic!("{what}: record {n} is not in the log"))[0];
        let sealed_at = contents.files[usize::try_from(seal).unwrap()].statement.sealed_at;
        let entries = vault.content(seal, sealed_at, id(*n)).await.unwrap();
        assert!(
            entries.iter().any(|e| e.content.as_slice() == said(*n).as_bytes()),
            "{what}: record {n} was acknowledged without its content"
        );
    }
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
    let entries = log.place.as_ref().unwrap().vault().content(one.seal, sealed_at, id(1)).await.unwrap();
    assert_eq!(entries.iter().map(|e| e.salt[0]).collect::<HashSet<_>>(), HashSet::from([1, 2]));
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
