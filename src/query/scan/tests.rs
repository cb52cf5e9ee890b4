//! Scans over the sample log by other hands, and over logs made to be difficult.

use std::path::Path;

use super::*;
use crate::query::fixtures::{SEALED, TestLog};
use crate::query::log::KeySource;
use crate::tlog::note::VerifierKey;
use crate::worm::local::{LocalOptions, LocalStore};
use crate::worm::memory::MemoryStore;
use crate::worm::{VERSIONS_READ_MAX, seal_key};

const SAMPLE_VKEY: &str = "spanseal.example/vectors+845f03b5+AQUcAWj1wCuhANYeY8a1NnMSVIIV/8ssl8Yot9HFk1hE";

async fn ask(store: &Arc<dyn WormStore>, request: Request) -> Answer {
    // Before any lock of the fixtures ends, whatever day it is.
    let request = Request { now: request.now.or(Some(UnixSeconds(SEALED + 60))), ..request };
    scan(store, &request, &ProgressBar::hidden()).await.unwrap()
}

fn memory(store: &MemoryStore) -> Arc<dyn WormStore> {
    Arc::new(store.clone())
}

fn sample() -> Arc<dyn WormStore> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format/store");
    Arc::new(LocalStore::open(path, LocalOptions::default()).unwrap())
}

fn pinned() -> Vec<TrustedKey> {
    vec![TrustedKey { key: VerifierKey::parse(SAMPLE_VKEY).unwrap(), source: KeySource::Pinned }]
}

fn filtered(change: impl FnOnce(&mut Filter)) -> Request {
    let mut request = Request::default();
    change(&mut request.filter);
    request
}

fn record(id: &str, second: u32) -> String {
    format!(
        r#"{{"id":"{id}","kind":"inference","schema":"spanseal.record/1","time":{{"start":"2026-11-20T10:00:{second:02}.000000000Z"}},"trace":{{"trace_id":"t"}}}}"#
    )
}

fn ids(answer: &Answer) -> Vec<&str> {
    answer.hits.iter().filter_map(|h| h.text("id")).collect()
}

/// Every record of a log by other hands is found, in order of time, and nothing is in the way.
#[tokio::test]
async fn the_sample_log_is_read_whole() {
    for trusted in [Vec::new(), pinned()] {
        let answer = ask(&sample(), Request { trusted, ..Request::default() }).await;
        assert_eq!(answer.problems, []);
        assert_eq!((answer.totals.logs, answer.totals.seals), (1, 9));
        assert_eq!(u64::try_from(answer.hits.len()).unwrap(), answer.totals.records);
        assert!(answer.hits.is_sorted_by_key(Hit::time));
        assert!(answer.hits.iter().all(|h| h.standing == Standing::Single && h.copies.is_empty() && h.is_known()));
        assert_eq!(answer.logs[0].key().unwrap().to_string(), SAMPLE_VKEY);
    }
}

#[tokio::test]
async fn one_record_of_the_sample_log_stands_where_its_proof_says() {
    let request = filtered(|f| f.record_id = Some("1b6400ff075c0bdab72a2e973160f586".to_owned()));
    let answer = ask(&sample(), request).await;
    assert_eq!(answer.hits.len(), 1);
    let place = &answer.hits[0].place;
    assert_eq!((place.seal.statement.index, place.leaf_index, place.segment.records), (5, 10, 21));
    let trace = ask(&sample(), filtered(|f| f.trace_id = Some("eb53943451a2c9558cfad228e3a0449b".to_owned()))).await;
    assert_eq!(
        ids(&trace),
        ["f9fe17808cec92869078580af350a209", "17482eaebd6060f21c8114033bd27a9b", "6cc960e59f8903791ac23e8078ee41ef"]
            .into_iter()
            .take(trace.hits.len())
            .collect::<Vec<_>>()
    );
    assert!(trace.hits.len() >= 2);
}

/// Segments outside the range are not read at all, and the edges are inside.
#[tokio::test]
async fn a_range_reads_only_what_can_hold_it() {
    let at = crate::clock::UnixNanos::parse("2026-11-20T10:00:20.000000001Z").unwrap();
    let answer = ask(&sample(), filtered(|f| (f.from, f.to) = (Some(at), Some(at)))).await;
    assert_eq!(ids(&answer), ["3d2642fbea6ca50a22b428f95e734678"]);
    assert_eq!(answer.totals.segments, 1);
}

#[tokio::test]
async fn a_limit_keeps_the_newest_and_says_so() {
    let answer = ask(&sample(), Request { limit: Some(3), ..Request::default() }).await;
    assert_eq!(answer.hits.len(), 3);
    assert!(answer.limited);
    let all = ask(&sample(), Request::default()).await;
    assert_eq!(ids(&answer), ids(&all)[all.hits.len() - 3..]);
    assert!(!all.limited);
}

/// A foreign object at a seal's key, put later, changes nothing; a later foreign version of a segment neither: versions are read by id.
#[tokio::test]
async fn foreign_versions_are_never_the_answer() {
    let mut log = TestLog::new(TestLog::store(), "log").await;
    let segment = log.seal(&[&record("aa", 1)]).await.unwrap();
    log.seal(&[&record("bb", 2)]).await;
    log.store.overwrite_foreign(&seal_key("log", 0), "{}");
    log.store.overwrite_foreign(&segment, "junk");
    log.store.delete(&seal_key("log", 1));
    let answer = ask(&memory(&log.store), Request::default()).await;
    assert_eq!(ids(&answer), ["aa", "bb"]);
    assert_eq!(answer.problems, []);
}

/// Scenario: a log ends before the seal that its writer is known to have committed, or at it, or it is another log of the store. Guarantee:
/// only the first is a problem, it names the seal, and what is there is found.
#[tokio::test]
async fn a_log_that_ends_before_what_was_committed_is_a_problem() {
    let mut log = TestLog::new(TestLog::store(), "log").await;
    log.seal(&[&record("aa", 1)]).await;
    log.seal(&[&record("bb", 2)]).await;
    for (name, seal, object) in [("log", 2, Some(seal_key("log", 2))), ("log", 1, None), ("other", 2, None)] {
        let committed = Some(Committed { log: name.to_owned(), seal });
        let answer = ask(&memory(&log.store), Request { committed, ..Request::default() }).await;
        assert_eq!(ids(&answer), ["aa", "bb"]);
        let problems: Vec<&str> = answer.problems.iter().map(|problem| problem.object.as_str()).collect();
        assert!(answer.problems.iter().all(|problem| !problem.what.contains("  ")), "{:?}", answer.problems);
        assert_eq!(problems, object.iter().map(|key| key.as_str()).collect::<Vec<_>>(), "{name} {seal}");
    }
}

/// A version id that leads nowhere: any version of the key with the signed sha256 is the segment.
#[tokio::test]
async fn a_segment_is_found_under_another_version_id() {
    let mut log = TestLog::new(TestLog::store(), "log").await;
    let segment = log.seal(&[&record("aa", 1)]).await.unwrap();
    let version = log.last.as_ref().unwrap().statement.segments[0].version_id.clone().unwrap();
    let bytes = log.store.get(&segment, Some(&version), 1 << 20).await.unwrap().unwrap();
    log.store.overwrite_foreign(&segment, bytes);
    log.store.purge(&segment, Some(&version));
    let answer = ask(&memory(&log.store), Request::default()).await;
    assert_eq!((ids(&answer), &answer.problems), (vec!["aa"], &vec![]));
}

/// What was changed or removed is named, and everything else is still found.
#[tokio::test]
async fn holes_and_changes_are_problems_and_the_rest_is_found() {
    let mut log = TestLog::new(TestLog::store(), "log").await;
    log.seal(&[&record("aa", 1)]).await;
    let changed = log.seal(&[&record("bb", 2)]).await.unwrap();
    let gone = log.seal(&[&record("cc", 3)]).await.unwrap();
    for (i, id) in ["dd", "ee", "ff", "gg"].into_iter().enumerate() {
        log.seal(&[&record(id, 4 + i as u32)]).await;
    }
    log.publish().await;
    log.store.flip_byte(&changed, None, 20);
    log.store.purge(&gone, None);
    log.store.purge(&seal_key("log", 3), None);
    log.store.purge(&seal_key("log", 4), None);
    let answer = ask(&memory(&log.store), Request::default()).await;
    assert_eq!(ids(&answer), ["aa", "ff", "gg"]);
    let problems: Vec<String> = answer.problems.iter().map(Problem::to_string).collect();
    assert_eq!(problems.len(), 3, "{problems:?}");
    let names = |object: &str, what: &str| problems.iter().any(|p| p.starts_with(object) && p.contains(what));
    assert!(names(changed.as_str(), "not those that the seal signed"), "{problems:?}");
    assert!(names(gone.as_str(), "no version of it"), "{problems:?}");
    assert!(names(seal_key("log", 3).as_str(), "missing, and all up to seal 4"), "{problems:?}");
}

#[tokio::test]
async fn a_cut_off_end_is_noticed_by_the_checkpoint() {
    let mut log = TestLog::new(TestLog::store(), "log").await;
    log.seal(&[&record("aa", 1)]).await;
    log.seal(&[&record("bb", 2)]).await;
    log.publish().await;
    log.store.purge(&seal_key("log", 1), None);
    let answer = ask(&memory(&log.store), Request::default()).await;
    assert_eq!(ids(&answer), ["aa"]);
    assert!(answer.problems.iter().any(|p| p.what.contains("the newest are missing")), "{:?}", answer.problems);
}

/// A stray object at a far index neither hides the log nor sends the reader through all the holes between, and stands in nobody's way.
#[tokio::test]
async fn a_stray_far_away_is_not_followed() {
    let mut log = TestLog::new(TestLog::store(), "log").await;
    log.seal(&[&record("aa", 1)]).await;
    for far in [1 << 40, u64::MAX] {
        log.store.overwrite_foreign(&seal_key("log", far), "{}");
    }
    let answer = ask(&memory(&log.store), Request::default()).await;
    assert_eq!((ids(&answer), answer.problems.len()), (vec!["aa"], 0), "{:?}", answer.problems);
}

/// Somebody floods a seal's key: behind the true version that changes nothing, before it what was not read is named.
#[tokio::test]
async fn a_flooded_key_is_named() {
    for before in [false, true] {
        let mut log = TestLog::new(TestLog::store(), "log").await;
        for (n, id) in (1..).zip(["aa", "bb", "cc"]) {
            if before && n == 2 {
                for _ in 0..VERSIONS_READ_MAX {
                    log.store.overwrite_foreign(&seal_key("log", 1), "not ours");
                }
            }
            log.seal(&[&record(id, n)]).await;
        }
        if !before {
            for _ in 0..VERSIONS_READ_MAX {
                log.store.overwrite_foreign(&seal_key("log", 1), "not ours");
            }
        }
        let answer = ask(&memory(&log.store), Request::default()).await;
        assert_eq!(ids(&answer).contains(&"bb"), !before);
        let said = answer.problems.iter().any(|p| p.what.contains("1 further versions were not read"));
        assert_eq!((said, answer.problems.len()), (before, usize::from(before)), "{:?}", answer.problems);
    }
}

#[tokio::test]
async fn a_change_of_keys_is_followed() {
    let mut log = TestLog::new(TestLog::store(), "log").await;
    let first = log.vkey();
    for i in 0..9 {
        log.seal_with(&[&record(&format!("a{i}"), i)], (i == 3).then_some([8; 32])).await;
    }
    let (store, second) = (memory(&log.store), log.vkey());
    for key in [None, Some(first.clone()), Some(second.clone())] {
        let trusted = key.map(|key| TrustedKey { key, source: KeySource::Pinned }).into_iter().collect();
        let answer = ask(&store, Request { trusted, ..Request::default() }).await;
        assert_eq!((answer.hits.len(), answer.problems), (9, vec![]));
        assert_eq!(answer.logs[0].key(), Some(&second));
    }
    // The way of a proof: from the first key over the seal that changed it; from the second key directly; for an early seal not at all.
    for (key, seal, way) in [(&first, 8, vec![3]), (&second, 8, vec![]), (&second, 3, vec![]), (&first, 3, vec![])] {
        let trusted = vec![TrustedKey { key: key.clone(), source: KeySource::Pinned }];
        let answer = ask(&store, Request { trusted, ..Request::default() }).await;
        let (start, changes) = answer.logs[0].way_to(seal).unwrap();
        assert_eq!((start, changes), (if seal == 3 { &first } else { key }, way));
    }
    // A key that never signed here: nothing is found with it, and that is said.
    let other = crate::tlog::note::NoteSigner::new("spanseal.test/log", &[9; 32]).unwrap().verifier().clone();
    let trusted = vec![TrustedKey { key: other, source: KeySource::Pinned }];
    let answer = ask(&store, Request { trusted, ..Request::default() }).await;
    assert_eq!(answer.hits.len(), 0);
    assert!(!answer.problems.is_empty());
}

/// Scenario: whoever has a key that the log left puts seals behind its end that go on from the true ones, and a checkpoint over the published one.
/// Guarantee: all of the log is found, by whichever of its keys, nothing of theirs is, and nobody is accused of a seal that is whole. Whoever trusts
/// the old key alone, and is shown their checkpoint, is told at least that something is wrong.
#[tokio::test]
async fn seals_by_a_key_that_was_left_hide_nothing() {
    for (junk, over) in [(1, false), (3, false), (40, false), (1, true), (3, true)] {
        let mut log = TestLog::new(TestLog::store(), "log").await;
        let first = log.vkey();
        for i in 0..9 {
            log.seal_with(&[&record(&format!("a{i}"), i)], (i == 3).then_some([8; 32])).await;
        }
        log.publish().await;
        let mut thief = log.gone_on_by([3; 32]);
        for _ in 0..junk {
            thief.seal(&[&record("b", 20)]).await;
        }
        if over {
            thief.publish().await;
        }
        for key in [None, Some(first.clone()), Some(log.vkey())] {
            let is_first = key.as_ref().is_none_or(|key| *key == first);
            let trusted = key.map(|key| TrustedKey { key, source: KeySource::Pinned }).into_iter().collect();
            let answer = ask(&memory(&log.store), Request { trusted, ..Request::default() }).await;
            let what = format!("{junk} {over} {is_first}: {:?}", answer.problems);
            if over && is_first {
                assert!(!answer.problems.is_empty(), "{what}");
                continue;
            }
            assert_eq!((answer.hits.len(), ids(&answer).contains(&"b"), answer.problems.len()), (9, false, 0), "{what}");
        }
    }
}

/// Replicas write a log each; a record that both hold is one record, at its earliest seal.
#[tokio::test]
async fn all_logs_of_a_store_are_searched() {
    let store = TestLog::store();
    let mut b = TestLog::new(store.clone(), "b").await;
    let mut ab = TestLog::new(store.clone(), "a-b").await;
    let mut a = TestLog::new(store.clone(), "a").await;
    a.seal(&[]).await;
    a.seal(&[&record("aa", 1)]).await;
    b.seal(&[&record("aa", 1), &record("bb", 2)]).await;
    ab.seal(&[&record("cc", 3)]).await;
    let answer = ask(&memory(&store), Request::default()).await;
    assert_eq!(ids(&answer), ["aa", "bb", "cc"]);
    assert_eq!((answer.hits[0].place.log.as_str(), answer.hits[0].copies.len()), ("b", 1));
    assert_eq!((answer.totals.logs, answer.problems), (3, vec![]));
}

#[tokio::test]
async fn schemas_of_later_versions_are_shown_and_counted() {
    let mut log = TestLog::new(TestLog::store(), "log").await;
    log.seal(&[&record("aa", 1), r#"{"schema":"spanseal.record/9"}"#]).await;
    let answer = ask(&memory(&log.store), Request::default()).await;
    assert_eq!((answer.hits.len(), answer.unknown_schemas), (2, 1));
}

#[tokio::test]
async fn an_empty_store_is_no_answer() {
    let answer = ask(&memory(&TestLog::store()), Request::default()).await;
    assert!(answer.problems[0].what.contains("no log"));
}

/// A sender's clock may run ahead of the seal by any time: such a record is found by its own time.
#[tokio::test]
async fn a_record_later_than_its_seal_is_found_by_its_own_time() {
    let mut log = TestLog::new(TestLog::store(), "log").await;
    let ahead = record("aa", 1).replace("2026-11-20", "2027-03-01");
    log.seal(&[&ahead]).await;
    log.seal(&[&record("bb", 2)]).await;
    for from in ["2026-11-25T00:00:00Z", "2027-03-01T10:00:01Z"] {
        let answer = ask(&memory(&log.store), filtered(|f| f.from = crate::clock::UnixNanos::parse(from))).await;
        assert_eq!((ids(&answer), answer.totals.segments), (vec!["aa"], 1), "{from}: only what can hold it is read");
    }
}

/// A key of another log checks nothing, and says so with both names.
#[tokio::test]
async fn a_key_of_another_log_is_a_problem() {
    let mut log = TestLog::new(TestLog::store(), "log").await;
    log.seal(&[&record("aa", 1)]).await;
    let other = crate::tlog::note::NoteSigner::new("elsewhere.test/other", &[9; 32]).unwrap().verifier().clone();
    let key = |key: &VerifierKey, source| TrustedKey { key: key.clone(), source };
    let request = Request { trusted: vec![key(&log.vkey(), KeySource::Pinned), key(&other, KeySource::Pinned)], ..Request::default() };
    let answer = ask(&memory(&log.store), request).await;
    assert!(answer.strange_key && answer.problems.len() == 1, "{:?}", answer.problems);
    let what = answer.problems[0].to_string();
    assert!(what.starts_with("--vkey: ") && what.contains("`elsewhere.test/other`") && what.contains("`spanseal.test/log`"), "{what}");
    // The configuration's own key may be for another store.
    let request = Request { trusted: vec![key(&other, KeySource::Configured)], ..Request::default() };
    let answer = ask(&memory(&log.store), request).await;
    assert!(!answer.strange_key && answer.problems.is_empty());
}

#[tokio::test]
async fn what_could_not_be_searched_is_counted() {
    let mut log = TestLog::new(TestLog::store(), "log").await;
    let gone = log.seal(&[&record("aa", 1), &record("bb", 2)]).await.unwrap();
    log.seal(&[&record("cc", 3)]).await;
    let missing = || filtered(|f| f.record_id = Some("aa".to_owned()));
    assert_eq!(ask(&memory(&log.store), filtered(|f| f.record_id = Some("zz".to_owned()))).await.may_be_elsewhere(), None);
    log.store.purge(&gone, None);
    let said = ask(&memory(&log.store), missing()).await.may_be_elsewhere();
    assert_eq!(said.as_deref(), Some("Not found in what could be read; 2 records could not be searched: it may be there."));
    log.store.purge(&seal_key("log", 0), None);
    let said = ask(&memory(&log.store), missing()).await.may_be_elsewhere().unwrap();
    assert!(said.contains("not all could be searched"), "{said}");
}

/// Guarantee: what is gone since its date is no problem, is told by class with the seals that prove it, and nobody is told "there is none"
/// without it.
#[tokio::test]
async fn what_is_gone_since_its_date_is_told_and_no_problem() {
    let mut log = TestLog::new(TestLog::store(), "log").await;
    let first = log.seal(&[&record("aa", 1), &record("bb", 2)]).await.unwrap();
    let second = log.seal(&[&record("cc", 3)]).await.unwrap();
    log.seal(&[&record("dd", 4)]).await;
    log.publish().await;
    for gone in [&first, &second] {
        log.store.purge(gone, None);
    }
    let until = SEALED + 180 * 86_400;
    let at = |now, id: &str| Request { now: Some(UnixSeconds(now)), ..filtered(|f| f.record_id = Some(id.to_owned())) };
    let before = ask(&memory(&log.store), at(until - 1, "aa")).await;
    assert_eq!((before.problems.len(), before.expired.len()), (2, 0));
    let after = ask(&memory(&log.store), at(until, "aa")).await;
    assert_eq!((after.problems.len(), after.expired.len(), after.totals.unsearched), (0, 1, 0));
    let told = after.expired[0].to_string();
    assert!(told.contains("2 segments of class") && told.contains("seals between 0 and 1 prove that 3 records stood there"), "{told}");
    assert!(after.may_be_elsewhere().unwrap().contains("3 records are gone since their date"));
    // Hidden behind a marker it is still there.
    let mut log = TestLog::new(TestLog::store(), "log").await;
    let hidden = log.seal(&[&record("aa", 1)]).await.unwrap();
    log.store.delete(&hidden);
    let found = ask(&memory(&log.store), at(until, "aa")).await;
    assert_eq!((ids(&found), found.expired.len()), (vec!["aa"], 0));
}

/// A segment of so many lines, as its seal says, and its bytes.
fn segment_of(lines: &[u8], records: u64) -> (Vec<u8>, SegmentRef) {
    let named = crate::query::fixtures::hit(0, &record("aa", 0)).place.segment;
    (zstd::bulk::compress(lines, 1).unwrap(), SegmentRef { records, ..(*named).clone() })
}

/// Scenario: a segment of a quarter of a million empty lines, which its seal says. Guarantee: each is counted, and a few are told.
#[test]
fn lines_that_are_no_records_are_counted_not_kept() {
    let (stored, segment) = segment_of(&[b'\n'; 250_000], 250_000);
    let (found, why) = search_segment(&stored, &segment, Matcher::new(Filter::default()), (&AtomicUsize::new(0), HELD_MAX));
    assert_eq!((found.unreadable.len(), found.unreadable_count, found.records, why), (UNREADABLE_MAX, 250_000, 250_000, None));
}

/// Scenario: short lines that parse to very many values. Guarantee: what they hold in memory is counted, over all segments of an answer, and
/// no more is read than may be held.
#[test]
fn what_lines_parse_to_is_bounded() {
    let bulky = record("aa", 0).replacen('{', &format!(r#"{{"attributes":[{}[]],"#, "[],".repeat(20_000)), 1);
    let parsed = Json::parse(bulky.as_bytes()).unwrap();
    assert!(parsed.held() > 20_000 * size_of::<Json>() && parsed.held() > 5 * bulky.len(), "{}", parsed.held());
    let (stored, segment) = segment_of(format!("{bulky}\n").repeat(60).as_bytes(), 60);
    assert!(stored.len() < 100_000, "{}", stored.len());
    let (held, most) = (AtomicUsize::new(0), 20 * parsed.held());
    let mut kept = 0;
    for _ in 0..3 {
        let (found, why) = search_segment(&stored, &segment, Matcher::new(Filter::default()), (&held, most));
        kept += found.lines.iter().map(|(_, line, record)| line.len() + record.held()).sum::<usize>();
        assert!(found.full && why.is_some());
    }
    assert!(kept <= most && kept > most / 2, "{kept} of {most}");
}
