//! On the strict store in memory, where every effect can fail and every object can be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use spanseal::clock::UnixSeconds;
use spanseal::govern::carry::{Carrier, asked, want};
use spanseal::govern::chain;
use spanseal::govern::decrees::{Decree, Order, SegmentId, Step};
use spanseal::govern::enforce::{EnforceError, Enforcer, Want};
use spanseal::govern::own;
use spanseal::govern::register::{Motion, Ordered};
use spanseal::govern::released::{Lifted, Released, freed, lift, released};
use spanseal::govern::{Deed, Expected, GovernError, Governor, Wish};
use spanseal::query::log::{KeySource, LogReader, TrustedKey};
use spanseal::tlog::Hash;
use spanseal::worm::memory::{CreateOnly, Fault, MemoryStore};
use spanseal::worm::{Condition, Lock, Mode, ObjectKey, SEGMENT_BYTES_MAX, WormStore, below, cosignature_name, seal_key, timestamp_name};

use crate::support::log::{LOG, Process, TestLog, batch};
use crate::support::token::Authority;

/// Records 1 to 6 in a seal each, from seal 1 on. Others have said a word of seal 4, and later of seal 6.
struct Sealed {
    log: TestLog,
    said: Vec<ObjectKey>,
}

async fn sealed() -> Sealed {
    let log = TestLog::new(CreateOnly::Honoured);
    let process = log.open().await.unwrap().unwrap();
    for n in 1..=6 {
        process.submit(batch([n], 0)).await.unwrap();
    }
    let contents = log.check_log().await;
    let mut said = Vec::new();
    let lock = Lock { mode: Mode::Compliance, retain_until: UnixSeconds(1_900_000_000) };
    let put = async |name: String, body: Vec<u8>| {
        let key = below(LOG, &name);
        log.store.put(&key, Bytes::from(body), Condition::CreateOnly, Some(lock)).await.unwrap();
        key
    };
    let checkpoint = |seal: usize| contents.files[seal].checkpoint.clone();
    // A note with the text of its checkpoint; who signed it is not asked here.
    let note = checkpoint(4).into_bytes();
    said.push(put(cosignature_name(4, &Hash::of(&note).to_string()), note).await);
    let token = Authority::honest().token(Hash::of(checkpoint(6).as_bytes()).0, "20270115080000Z");
    said.push(put(timestamp_name(6, &Hash::of(&token).to_string()), token).await);
    drop(process.drain().await);
    Sealed { log, said }
}

/// The times that records `first` to `last` have.
fn query(first: u64, last: u64) -> String {
    format!(r#"{{"from":"2027-01-15T07:59:59.{first:09}Z","to":"2027-01-15T07:59:59.{last:09}Z"}}"#)
}

fn trusted() -> [TrustedKey; 1] {
    [TrustedKey { key: TestLog::key().verifier().clone(), source: KeySource::Configured }]
}

async fn reader(store: &Arc<dyn WormStore>) -> LogReader {
    LogReader::open(Arc::clone(store), LOG, &trusted()).await.unwrap()
}

async fn open_decree(store: &Arc<dyn WormStore>, id: &str) -> Option<Decree> {
    let link = chain::newest_link(store, &reader(store).await).await.unwrap()?;
    link.entry.open.into_iter().find(|open| open.id == id)
}

async fn order(governor: &Governor, motion: Motion) -> Result<(), GovernError> {
    governor.seal(&Wish { ground: Some("file 12".into()), ..Wish::of(Deed::Decree(motion)) }).await.map(|_| ())
}

/// What a command does: has it placed where it is not open, carries it out, and keeps its records; and what `serve` does when it starts.
async fn carry_out(process: &Process, log: &TestLog, id: &str, ordered: Ordered, query: &str) -> Result<(), String> {
    let governor = process.governor(log);
    let store: Arc<dyn WormStore> = Arc::new(process.store.clone());
    if open_decree(&store, id).await.is_none() {
        let motion = Motion::Open { id: id.into(), order: ordered, query: query.into() };
        order(&governor, motion).await.map_err(|e| e.to_string())?;
    }
    let Some(decree) = open_decree(&store, id).await else { return keep_closed(&store).await };
    let log = reader(&store).await;
    let asked = asked(&decree, decree.through).unwrap();
    let mut carrier = Carrier::new((&store, &log), vec![asked], decree.through..log.size(), (want(decree.order), Expected::default()));
    let mut failed = None;
    loop {
        match carrier.step().await {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => {
                failed = Some(error.to_string());
                break;
            }
        }
    }
    let mut carried = carrier.end();
    let over = matches!(decree.order, Order::Extend(_)) && failed.is_none() && carried.is_whole();
    let untold = carried.untold.pop().unwrap();
    let mut motions = Motion::told(id, untold, decree.through, over);
    let close = motions.pop_if(|motion| matches!(motion, Motion::Close { .. }));
    for motion in motions {
        order(&governor, motion).await.map_err(|e| e.to_string())?;
    }
    let trusted = trusted();
    let keep = async || own::keep_of((&store, LOG, &trusted), &decree, Expected::default()).await.map_err(|e| e.to_string());
    keep().await?;
    if let Some(close) = close {
        order(&governor, close).await.map_err(|e| e.to_string())?;
        keep().await?;
    }
    failed.map_or(Ok(()), Err)
}

async fn keep_closed(store: &Arc<dyn WormStore>) -> Result<(), String> {
    let log = reader(store).await;
    let links = chain::read(store, &log).await.map_err(|e| e.to_string())?.all;
    let now = UnixSeconds(1_800_000_000);
    own::keep_closed((store, &log), &links, (now, Expected::default())).await.map(|_| ()).map_err(|e| e.to_string())
}

/// What a release does.
async fn release(process: &Process, log: &TestLog, id: &str) -> Result<Lifted, String> {
    let governor = process.governor(log);
    let store: Arc<dyn WormStore> = Arc::new(process.store.clone());
    if open_decree(&store, id).await.is_some() {
        order(&governor, Motion::Close { id: id.into(), segments: Vec::new(), through: 0 }).await.map_err(|e| e.to_string())?;
    }
    let log = reader(&store).await;
    let links = chain::read(&store, &log).await.map_err(|e| e.to_string())?.all;
    let mut lifted = Lifted::default();
    for released in released(&links).into_iter().filter(|released| released.decree.id == id) {
        let done = lift((&store, &log, &trusted()), &released, &links, Expected::default(), |_, _| ()).await;
        lifted.add(done.map_err(|e| e.to_string())?);
    }
    Ok(lifted)
}

/// The segments with records of decrees that are kept as long as what they say, each with its seal.
async fn own(log: &TestLog) -> BTreeSet<String> {
    let files = log.check_log().await.files;
    let is_kept = |link: &chain::Link| match link.entry.of.order {
        Order::Hold => matches!(link.entry.step, Step::Open | Step::Apply),
        Order::Extend(_) => matches!(link.entry.step, Step::Apply | Step::Close),
    };
    let of = |link: chain::Link| {
        let seal = usize::try_from(link.seal).unwrap();
        let segments = files[seal].statement.segments.iter().filter(|s| SegmentId::new(link.seal, &s.sha256) == link.segment);
        segments.map(|segment| segment.key.clone()).chain([seal_key("x", link.seal).as_str()[2..].to_owned()]).collect::<Vec<_>>()
    };
    links(&log.store).await.into_iter().filter(is_kept).flat_map(of).collect()
}

/// Every object with a legal hold, but for the records of holds themselves.
async fn held(log: &TestLog) -> BTreeSet<String> {
    let own = own(log).await;
    all_held(&log.store).await.into_iter().filter(|key| !own.contains(key)).collect()
}

/// Every object with a legal hold.
async fn all_held(store: &MemoryStore) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    for key in store.keys() {
        let head = store.head(&key, None).await.unwrap();
        if head.is_some_and(|head| head.legal_hold) {
            held.insert(key.as_str().strip_prefix("test/").unwrap().to_owned());
        }
    }
    held
}

/// The segments of these seals and the other objects named, as [`held`] shows them.
async fn expected(sealed: &Sealed, segments: &[usize], seals: &[u64], said: &[usize]) -> BTreeSet<String> {
    let files = sealed.log.check_log().await.files;
    let segments = segments.iter().flat_map(|seal| files[*seal].statement.segments.iter().map(|segment| segment.key.clone()));
    let seals = seals.iter().map(|seal| seal_key("x", *seal).as_str()[2..].to_owned());
    let said = said.iter().map(|nth| sealed.said[*nth].as_str().strip_prefix("test/").unwrap().to_owned());
    segments.chain(seals).chain(said).collect()
}

impl Sealed {
    fn copy(&self) -> TestLog {
        TestLog { store: self.log.store.copy(), ..self.log.clone() }
    }
}

/// Scenario: a hold, a release and an extension, and each effect on the way fails or kills the process, in every way in turn; another process
/// does it again. Guarantee: what is to be held or extended is, each time; nothing else is, and nothing is left behind a release.
#[tokio::test(start_paused = true)]
async fn whatever_fails_on_the_way_is_finished_by_doing_it_again() {
    let sealed = sealed().await;
    let until = Lock { mode: Mode::Compliance, retain_until: UnixSeconds(2_000_000_000) };
    // Seal 2 is in the tree of 5 by way of seals 3 and 4, in that of 7 by way of 3, of 5, which closes over 4, and of 6.
    let of_two = expected(&sealed, &[2, 3], &[2, 3, 4, 5, 6], &[0, 1]).await;
    for act in ["hold", "release", "extend"] {
        let base = sealed.copy();
        if act == "release" {
            let process = base.open().await.unwrap().unwrap();
            carry_out(&process, &base, "LH-1", Ordered::Hold, &query(2, 3)).await.unwrap();
            assert_eq!(held(&base).await, of_two);
            drop(process.drain().await);
        }
        let attempt = async |process: &Process, log: &TestLog| match act {
            "hold" => carry_out(process, log, "LH-1", Ordered::Hold, &query(2, 3)).await,
            "release" => release(process, log, "LH-1").await.map(|_| ()),
            _ => carry_out(process, log, "ext-1", Order::Extend(until).into(), &query(2, 3)).await,
        };
        let mut met = 0;
        for fault in [Fault::DieBefore, Fault::DieAfter, Fault::Refused, Fault::LostBefore, Fault::LostAfter] {
            for nth in 1.. {
                let log = TestLog { store: base.store.copy(), ..base.clone() };
                let process = log.open().await.unwrap().unwrap();
                let at = log.store.effects() + nth;
                log.store.fail_effect(at, fault);
                let done = tokio::time::timeout(Duration::from_secs(600), attempt(&process, &log)).await;
                let is_over = log.store.effects() < at;
                log.store.clear_faults();
                process.kill();
                if is_over {
                    assert_eq!(done, Ok(Ok(())), "{act} {fault:?} {nth}");
                }
                let process = log.open().await.unwrap().unwrap();
                // What is closed already is over, but for its own records.
                let links = links(&log.store).await;
                let closed = links.iter().any(|link| link.entry.open.is_empty());
                let again = async {
                    match act == "extend" && closed {
                        true => keep_closed(&(Arc::new(log.store.clone()) as Arc<dyn WormStore>)).await,
                        false => attempt(&process, &log).await,
                    }
                };
                again.await.unwrap_or_else(|error| panic!("{act} {fault:?} {nth}: {error}"));
                let (found, own) = (all_held(&log.store).await, own(&log).await);
                assert!(!own.is_empty(), "{act} {fault:?} {nth}");
                match act {
                    "hold" => assert_eq!(found, of_two.union(&own).cloned().collect(), "{act} {fault:?} {nth}"),
                    _ => assert_eq!(found, BTreeSet::new(), "{act} {fault:?} {nth}"),
                }
                if act == "extend" {
                    for key in of_two.union(&own) {
                        let head = log.store.head(&below(LOG, key), None).await.unwrap().unwrap();
                        assert!(head.lock.is_some_and(|lock| lock.covers(until)), "{act} {fault:?} {nth}: {key}");
                    }
                }
                drop(process.drain().await);
                if is_over {
                    met += nth;
                    break;
                }
            }
        }
        assert!(met > 20, "{act}: {met}");
    }
}

async fn links(store: &MemoryStore) -> Vec<chain::Link> {
    let store: Arc<dyn WormStore> = Arc::new(store.clone());
    chain::read(&store, &reader(&store).await).await.unwrap().all
}

/// Scenario: two holds on overlapping records, released one after the other. Guarantee: a release lifts what no other hold needs, and no
/// more; a hold keeps a segment after its date, from everybody; what the log says agrees.
#[tokio::test(start_paused = true)]
async fn a_release_lifts_only_what_no_other_hold_needs() {
    let sealed = sealed().await;
    let log = sealed.copy();
    let process = log.open().await.unwrap().unwrap();
    carry_out(&process, &log, "A", Ordered::Hold, &query(2, 3)).await.unwrap();
    carry_out(&process, &log, "B", Ordered::Hold, &query(3, 3)).await.unwrap();
    let both = held(&log).await;
    assert_eq!(both, expected(&sealed, &[2, 3], &[2, 3, 4, 5, 6], &[0, 1]).await);
    release(&process, &log, "A").await.unwrap();
    let left = held(&log).await;
    assert_eq!(left, expected(&sealed, &[3], &[3, 4, 5, 6], &[0, 1]).await);
    let ledger = chain::ledger(&links(&log.store).await);
    assert_eq!((ledger.open().len(), ledger.held_by("A").count(), ledger.held_by("B").count()), (1, 0, 1));

    // Ten years later.
    let segment = |seal: usize| {
        let log = log.clone();
        async move { below(LOG, &log.check_log().await.files[seal].statement.segments[0].key) }
    };
    let (free, kept) = (segment(2).await, segment(3).await);
    let version = async |key: &ObjectKey| log.store.versions(key).await.unwrap()[0].id.clone().unwrap();
    let (free_version, kept_version) = (version(&free).await, version(&kept).await);
    drop(process.drain().await);
    log.clock.advance(Duration::from_secs(10 * 366 * 86_400));
    assert!(log.store.delete_version_with_bypass(&kept, &kept_version).is_err(), "on hold");
    log.store.delete_version(&free, &free_version).unwrap();
    let process = log.open().await.unwrap().unwrap();
    release(&process, &log, "B").await.unwrap();
    assert_eq!(all_held(&log.store).await, BTreeSet::new());
    log.store.delete_version(&kept, &kept_version).unwrap();
    drop(process.drain().await);
}

/// Scenario: objects of evidence have whatever locks. Guarantee: an extension never takes anything from one, and each has what was asked for
/// afterwards.
#[tokio::test(start_paused = true)]
async fn an_extension_never_shortens() {
    let sealed = sealed().await;
    let mut seed: u64 = 7;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for round in 0..40 {
        let log = sealed.copy();
        let mut lock = || Lock {
            mode: if random(2) == 0 { Mode::Governance } else { Mode::Compliance },
            retain_until: UnixSeconds(1_800_100_000 + i64::try_from(random(400_000_000)).unwrap()),
        };
        let all: BTreeSet<String> = expected(&sealed, &[2, 3], &[2, 3, 4, 5, 6], &[0, 1]).await;
        let mut before = BTreeMap::new();
        for key in &all {
            let had = lock();
            log.store.relock(&below(LOG, key), Some(had));
            before.insert(key.clone(), had);
        }
        let mut wanted = lock();
        wanted.retain_until = wanted.retain_until.min(UnixSeconds(2_000_000_000));
        let process = log.open().await.unwrap().unwrap();
        carry_out(&process, &log, "ext", Order::Extend(wanted).into(), &query(2, 3)).await.unwrap();
        for (key, had) in before {
            let head = log.store.head(&below(LOG, &key), None).await.unwrap().unwrap().lock.unwrap();
            assert!(head.covers(had) && head.covers(wanted), "{round} {key}: {had:?} + {wanted:?} became {head:?}");
        }
        let ledger = chain::ledger(&links(&log.store).await);
        assert!(ledger.open().is_empty());
        drop(process.drain().await);
    }
}

/// Scenario: whoever carries a hold out may not hold one of the objects. Guarantee: the error names it, what is needed and what now; what was
/// done before is told to the log, and nothing behind it.
#[tokio::test(start_paused = true)]
async fn a_refusal_names_the_object_and_what_now() {
    let sealed = sealed().await;
    for part in ["segments/", "seals/00000000000000000004", "timestamps/"] {
        let log = sealed.copy();
        let process = log.open().await.unwrap().unwrap();
        let governor = process.governor(&log);
        order(&governor, Motion::Open { id: "A".into(), order: Ordered::Hold, query: query(2, 6) }).await.unwrap();
        let store: Arc<dyn WormStore> = Arc::new(log.store.clone());
        let reader = reader(&store).await;
        let decree = open_decree(&store, "A").await.unwrap();
        let asked = asked(&decree, 0).unwrap();
        let mut carrier = Carrier::new((&store, &reader), vec![asked], 0..reader.size(), (Want::Hold, Expected::default()));
        log.store.fail_key(part, 1000, Fault::Refused);
        let error = carrier.step().await.unwrap_err();
        assert!(matches!(&error, EnforceError::Object { key, .. } if key.as_str().contains(part)), "{error:?}");
        let said = error.to_string();
        for word in ["AccessDenied", "s3:PutObjectLegalHold", "--resume"] {
            assert!(said.contains(word), "{part}: {said}");
        }
        assert!(carrier.untold().is_empty(), "seal 2 is not whole");
        assert!(!all_held(&log.store).await.iter().any(|key| key.starts_with("segments/")), "{part}: no segment before its evidence");
        log.store.clear_faults();
        drop(process.drain().await);
    }
}

/// Scenario: a segment that is meant cannot be read while a hold or an extension is carried out. Guarantee: it does not count as looked at, the
/// extension does not end, and doing it again finishes both.
#[tokio::test(start_paused = true)]
async fn what_could_not_be_searched_is_looked_at_again() {
    let sealed = sealed().await;
    let until = Lock { mode: Mode::Compliance, retain_until: UnixSeconds(2_000_000_000) };
    let of_two = expected(&sealed, &[2, 3], &[2, 3, 4, 5, 6], &[0, 1]).await;
    let unread = sealed.log.check_log().await.files[3].statement.segments[0].key.clone();
    for (id, ordered) in [("LH-1", Ordered::Hold), ("ext-1", Order::Extend(until).into())] {
        let log = sealed.copy();
        let process = log.open().await.unwrap().unwrap();
        let store: Arc<dyn WormStore> = Arc::new(process.store.clone());
        log.store.fail_reads(&unread, 1);
        carry_out(&process, &log, id, ordered, &query(2, 3)).await.unwrap();
        let open = open_decree(&store, id).await.expect("it is not carried out to its end");
        assert!(open.through <= 3, "{id} stands at {}, behind what was not searched", open.through);
        carry_out(&process, &log, id, ordered, &query(2, 3)).await.unwrap();
        match ordered {
            Ordered::Hold => assert_eq!(held(&log).await, of_two),
            Ordered::Extend { .. } => {
                assert_eq!(open_decree(&store, id).await, None);
                for key in &of_two {
                    let head = log.store.head(&below(LOG, key), None).await.unwrap().unwrap();
                    assert!(head.lock.is_some_and(|lock| lock.covers(until)), "{key}");
                }
            }
        }
        drop(process.drain().await);
    }
}

/// Scenario: a hold is released, and another one placed on the same segments while the first is lifted, which takes the store a while.
/// Guarantee: what the new one means is on hold when both are through.
#[tokio::test(start_paused = true)]
async fn a_hold_placed_while_another_is_lifted_stays() {
    let log = sealed().await.copy();
    let process = log.open().await.unwrap().unwrap();
    carry_out(&process, &log, "A", Ordered::Hold, &query(2, 6)).await.unwrap();
    let before: BTreeSet<String> = held(&log).await;
    assert!(before.iter().any(|key| key.starts_with("segments/")));
    for segment in before.iter().filter(|key| key.starts_with("segments/")) {
        log.store.slow(segment, Duration::from_secs(10));
    }
    let place = async {
        tokio::time::sleep(Duration::from_secs(35)).await;
        carry_out(&process, &log, "B", Ordered::Hold, &query(2, 6)).await
    };
    let (lifted, placed) = tokio::join!(release(&process, &log, "A"), place);
    lifted.unwrap();
    placed.unwrap();
    log.store.clear_faults();
    // With what joins them: others have said a word since, or the log has grown.
    let now = held(&log).await;
    assert!(before.is_subset(&now), "{:?}", before.difference(&now).collect::<Vec<_>>());
    release(&process, &log, "B").await.unwrap();
    assert_eq!(all_held(&log.store).await, BTreeSet::new());
    drop(process.drain().await);
}

/// Scenario: a release dies before it lifted anything; the name is used for another hold, and that is released. Guarantee: the second release
/// finishes the first, and nothing stays on hold that nobody keeps.
#[tokio::test]
async fn a_release_that_was_interrupted_is_finished_though_its_name_was_used_again() {
    let log = sealed().await.copy();
    let process = log.open().await.unwrap().unwrap();
    let governor = process.governor(&log);
    carry_out(&process, &log, "A", Ordered::Hold, &query(2, 3)).await.unwrap();
    order(&governor, Motion::Close { id: "A".into(), segments: Vec::new(), through: 0 }).await.unwrap();
    let left = all_held(&log.store).await;
    assert!(!left.is_empty());
    carry_out(&process, &log, "A", Ordered::Hold, &query(5, 6)).await.unwrap();
    release(&process, &log, "A").await.unwrap();
    assert_eq!(all_held(&log.store).await, BTreeSet::new());
    drop(process.drain().await);
}

/// Scenario: who releases a hold is not shown what is held, as S3 does with who may not read holds; then they may not even ask. Guarantee: the hold is
/// lifted from all the same where it can be asked for, and else nothing is called lifted, nor the hold released.
#[tokio::test(start_paused = true)]
async fn what_is_not_shown_as_held_is_lifted_or_the_release_fails() {
    let log = sealed().await.copy();
    let process = log.open().await.unwrap().unwrap();
    carry_out(&process, &log, "A", Ordered::Hold, &query(2, 3)).await.unwrap();
    let before = held(&log).await;
    log.store.hide_holds(true);
    let refused = release(&process, &log, "A").await.unwrap_err().to_string();
    assert!(refused.contains("may not read holds"), "{refused}");
    log.store.clear_faults();
    assert_eq!(held(&log).await, before);
    log.store.hide_holds(false);
    release(&process, &log, "A").await.unwrap();
    log.store.clear_faults();
    assert!(held(&log).await.is_empty());
    drop(process.drain().await);
}

/// Scenario: two holds are open; one has a segment on hold, and was not told to the log; the other, which has it, too, is released while that
/// segment, or its seal, cannot be read. Guarantee: it stays on hold with its evidence, and that is told, by a dry run as well; when it can be
/// read it is lifted if nobody else means it, and else stays.
#[tokio::test(start_paused = true)]
async fn what_another_hold_may_mean_and_cannot_be_searched_stays_on_hold() {
    let sealed = sealed().await;
    let files = sealed.log.check_log().await.files;
    let segment = below(LOG, &files[3].statement.segments[0].key);
    let id = SegmentId::new(3, &files[3].statement.segments[0].sha256);
    let of_three = expected(&sealed, &[3], &[3, 4, 5, 6], &[0, 1]).await;
    for (broken, other, is_meant) in [
        (&segment, query(3, 3), true),
        (&segment, r#"{"model":["none"]}"#.to_owned(), false),
        (&seal_key(LOG, 3), query(3, 3), true),
        (&seal_key(LOG, 3), r#"{"model":["none"]}"#.to_owned(), false),
    ] {
        let log = sealed.copy();
        let process = log.open().await.unwrap().unwrap();
        carry_out(&process, &log, "A", Ordered::Hold, &query(2, 3)).await.unwrap();
        order(&process.governor(&log), Motion::Open { id: "B".into(), order: Ordered::Hold, query: other }).await.unwrap();
        log.store.flip_byte(broken, None, 40);
        let store: Arc<dyn WormStore> = Arc::new(log.store.clone());
        let links = links(&log.store).await;
        let (decree, told) = (open_decree(&store, "A").await.unwrap(), chain::ledger(&links).kept_by("A"));
        let reader = reader(&store).await;
        let would = Released { decree, seal: reader.size(), told };
        let would = freed((&store, &reader), &would, &links, |_, _| ()).await.unwrap();
        assert!(would.withheld.contains(&id) && !would.free.contains(&id), "{broken} {would:?}");
        let lifted = release(&process, &log, "A").await.unwrap();
        assert!(lifted.withheld > 0 && !lifted.problems.is_empty(), "{broken} {lifted:?}");
        let own = own_of(&log, &files).await;
        let left: BTreeSet<String> = all_held(&log.store).await.difference(&own).cloned().collect();
        assert_eq!(left, of_three, "{broken}");
        assert!(!all_held(&log.store).await.is_disjoint(&own), "the last one shows that something is left to do");

        log.store.flip_byte(broken, None, 40);
        let lifted = release(&process, &log, "A").await.unwrap();
        assert_eq!((lifted.withheld, lifted.problems.len()), (0, 0), "{broken}");
        assert_eq!(held(&log).await, if is_meant { of_three.clone() } else { BTreeSet::new() }, "{broken}");
        drop(process.drain().await);
    }
}

/// The segments and seals on hold from the first record of a decree on.
async fn own_of(log: &TestLog, before: &[spanseal::tlog::seal_file::SealFile]) -> BTreeSet<String> {
    let first = u64::try_from(before.len()).unwrap();
    let of = |key: &String| key.split(['/', '.', '-']).any(|part| part.len() == 20 && part.parse().is_ok_and(|seal: u64| seal >= first));
    all_held(&log.store).await.into_iter().filter(|key| key.starts_with("se") && of(key)).collect()
}

/// Scenario: a hold and an extension are carried out while a segment is missing, or a seal; then it is put back. Guarantee: a hold is carried out
/// behind a missing segment, and names it, so that it is kept when it is back; an extension does not end, nor does either pass a missing seal;
/// carried out again, all is as it should be.
#[tokio::test(start_paused = true)]
async fn what_is_missing_is_not_passed_over() {
    let sealed = sealed().await;
    let until = Lock { mode: Mode::Compliance, retain_until: UnixSeconds(2_000_000_000) };
    let of_two = expected(&sealed, &[2, 3], &[2, 3, 4, 5, 6], &[0, 1]).await;
    let segment = sealed.log.check_log().await.files[3].statement.segments[0].clone();
    let id = SegmentId::new(3, &segment.sha256);
    for (missing, is_segment) in [(below(LOG, &segment.key), true), (seal_key(LOG, 3), false)] {
        for (of, ordered) in [("LH-1", Ordered::Hold), ("ext-1", Order::Extend(until).into())] {
            let what = format!("{missing} {of}");
            let log = sealed.copy();
            let process = log.open().await.unwrap().unwrap();
            let store: Arc<dyn WormStore> = Arc::new(process.store.clone());
            let bytes = store.get(&missing, None, SEGMENT_BYTES_MAX).await.unwrap().unwrap();
            log.store.purge(&missing, None);
            carry_out(&process, &log, of, ordered, &query(2, 3)).await.unwrap();
            let open = open_decree(&store, of).await.expect("it is not carried out to its end");
            let is_named = chain::ledger(&links(&log.store).await).held_by(of).any(|held| held == id);
            let passes = is_segment && ordered == Ordered::Hold;
            assert_eq!((open.through > 3, is_named), (passes, passes), "{what}");
            let lock = Lock { mode: Mode::Governance, retain_until: UnixSeconds(1_900_000_000) };
            log.store.put(&missing, bytes, Condition::CreateOnly, Some(lock)).await.unwrap();
            carry_out(&process, &log, of, ordered, &query(2, 3)).await.unwrap();
            if ordered == Ordered::Hold {
                let kept = chain::ledger(&links(&log.store).await).kept_by(of);
                own::to((&store, &reader(&store).await), kept, Want::Hold, Expected::default()).await.unwrap();
                let reader = reader(&store).await;
                let enforcer = Enforcer::new(Arc::clone(&store), &reader, Want::Hold, Expected::default());
                assert_eq!(enforcer.is_held(&segment).await.unwrap(), Some(true), "{what}: under whatever version id");
                let held = all_held(&log.store).await;
                assert!(of_two.is_subset(&held), "{what}: {:?}", of_two.difference(&held).collect::<Vec<_>>());
            } else {
                assert_eq!(open_decree(&store, of).await, None, "{what}");
                for key in &of_two {
                    let head = log.store.head(&below(LOG, key), None).await.unwrap().unwrap();
                    assert!(head.lock.is_some_and(|lock| lock.covers(until)), "{what}: {key}");
                }
            }
            drop(process.drain().await);
        }
    }
}
