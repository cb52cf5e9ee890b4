//! Rounds against a writer and a store in memory, by a clock that the test moves.

use super::super::fixtures::{LOG, Writer, writer};
use super::*;
use crate::clock::{ManualClock, UnixNanos, UnixSeconds};
use crate::govern::register::Ordered;
use crate::govern::{Deed, Wish};
use crate::record::canonical::Json;
use crate::record::{Batch, PendingRecord, RecordId, sameness_of_line};
use crate::retain::ClassIndex;
use crate::seal::SealerTask;
use crate::worm::memory::{Fault, MemoryStore};
use crate::worm::{Lock, Mode, ObjectKey};

const ALL: &str = r#"{"all":"records"}"#;

struct Site {
    store: MemoryStore,
    governor: Governor,
    task: SealerTask,
    rounds: Rounds,
    figures: Arc<HoldFigures>,
    sent: u64,
    clock: ManualClock,
}

async fn site() -> Site {
    let Writer { clock, store, governor, task } = writer(None).await;
    let figures = Arc::<HoldFigures>::default();
    let parts = parts(&store, &governor, &task);
    Site { store, governor, task, rounds: Rounds::new(parts, Arc::clone(&figures)), figures, sent: 0, clock }
}

fn parts(store: &MemoryStore, governor: &Governor, task: &SealerTask) -> Parts {
    Parts {
        store: Arc::new(store.clone()),
        log: LOG.into(),
        vkey: task.vkey.clone(),
        governor: governor.clone(),
        status: task.status.clone(),
        expected: Expected::default(),
    }
}

impl Site {
    fn size(&self) -> u64 {
        self.task.status.borrow().tree_size
    }

    /// Seals a record of others, each of a second later; the key of its segment.
    async fn send(&mut self) -> ObjectKey {
        self.sent += 1;
        let id = RecordId::derive("span", &format!("{:032x}", self.sent), "", "0");
        let at = UnixNanos((1_799_999_000 + self.sent) * 1_000_000_000);
        let line = Json::object([
            ("schema", Json::string("spanseal.record/1")),
            ("id", Json::String(id.to_string())),
            ("kind", Json::string("inference")),
            ("time", Json::object([("start", Json::String(at.rfc3339()))])),
            ("source", Json::object([("signal", Json::string("span"))])),
        ])
        .to_jcs();
        let (_, sameness) = sameness_of_line(&line).unwrap();
        let record = PendingRecord {
            id,
            line: 0..line.len(),
            class: ClassIndex(0),
            first: at,
            last: at,
            control: false,
            sameness,
            line_sameness: sameness,
            pieces: 0..0,
        };
        let batch = Batch { lines: line, records: vec![record], ..Batch::default() };
        let permit = self.governor.sealer.pool.admit(batch.memory()).await.unwrap();
        let seal = self.governor.sealer.submit(batch, permit).await.unwrap().seal;
        let of_seal = format!("/{seal:020}-");
        self.store.keys().into_iter().find(|key| key.as_str().contains(&of_seal)).unwrap()
    }

    async fn order(&self, motion: Motion) {
        self.governor.seal(&Wish::of(Deed::Decree(motion))).await.unwrap();
    }

    async fn place(&self, id: &str, order: Ordered) {
        self.order(Motion::Open { id: id.into(), order, query: ALL.into() }).await;
    }

    async fn release(&self, id: &str) {
        self.order(Motion::Close { id: id.into(), segments: Vec::new(), through: 0 }).await;
    }

    async fn is_held(&self, key: &ObjectKey) -> bool {
        self.store.head(key, None).await.unwrap().unwrap().legal_hold
    }

    async fn held_segments(&self) -> BTreeSet<SegmentId> {
        let mut held = BTreeSet::new();
        for key in self.store.keys().into_iter().filter(|key| key.as_str().contains("/segments/")) {
            if self.is_held(&key).await {
                let (seal, short) = key.as_str().rsplit('/').next().and_then(|name| name.split('.').next()?.split_once('-')).unwrap();
                held.insert(SegmentId { seal: seal.parse().unwrap(), short: u64::from_str_radix(short, 16).unwrap() });
            }
        }
        held
    }

    async fn held(&self) -> usize {
        let mut held = 0;
        for key in self.store.keys() {
            held += usize::from(self.is_held(&key).await);
        }
        held
    }
}

async fn links(site: &Site) -> Vec<Link> {
    let store: Arc<dyn WormStore> = Arc::new(site.store.clone());
    let log = LogReader::open(Arc::clone(&store), LOG, &site.rounds.trusted()).await.unwrap();
    chain::read(&store, &log).await.unwrap().all
}

/// Scenario: a hold on everything, placed by a command that then died; records come, and then none for a while. Guarantee: while nothing is
/// open nothing is read; a command is left alone for a while; what comes is on hold within a round; the log is told at first, then not before an
/// hour is over or the process stops; the task's own records do not keep it going; what comes after the release is not held.
#[tokio::test(start_paused = true)]
async fn what_is_sealed_later_is_held_and_told_now_and_then() {
    let mut site = site().await;
    site.rounds.round().await;
    site.store.fail_reads("", 100_000);
    site.rounds.round().await;
    assert_eq!((site.figures.failures.value(), site.figures.open.value()), (0, 0));
    site.store.clear_faults();

    site.place("A", Ordered::Hold).await;
    let first = site.send().await;
    site.rounds.round().await;
    assert!(!site.is_held(&first).await, "a command may be at it");
    tokio::time::advance(LEFT_ALONE).await;
    let size = site.size();
    site.rounds.round().await;
    assert!(site.is_held(&first).await);
    assert_eq!((site.size(), site.figures.open.value(), site.figures.behind.value()), (size + 1, 1, 0), "told once");
    for _ in 0..5 {
        tokio::time::advance(EVERY).await;
        site.rounds.round().await;
    }
    assert_eq!(site.size(), size + 1, "its own record keeps nothing going");

    let second = site.send().await;
    site.rounds.round().await;
    assert!(site.is_held(&second).await);
    assert_eq!(site.size(), size + 2, "not told yet");
    site.rounds.tell_all().await.unwrap();
    assert_eq!(site.size(), size + 3);
    let third = site.send().await;
    tokio::time::advance(TELL_EVERY).await;
    site.rounds.round().await;
    assert!(site.is_held(&third).await);
    assert_eq!(site.size(), size + 5, "told after an hour");

    site.release("A").await;
    let fourth = site.send().await;
    site.rounds.round().await;
    assert!(!site.is_held(&fourth).await);
    assert_eq!(site.figures.open.value(), 0);
}

/// Scenario: the store refuses a hold once; and an extension whose command died before it did anything. Guarantee: a failed round is counted
/// and made up; the extension is carried out and closed.
#[tokio::test(start_paused = true)]
async fn what_failed_and_what_was_left_undone_is_finished() {
    let mut site = site().await;
    let first = site.send().await;
    site.place("A", Ordered::Hold).await;
    let until = Lock { mode: Mode::Governance, retain_until: UnixSeconds(1_900_000_000) };
    site.place("ext", Order::Extend(until).into()).await;
    tokio::time::advance(LEFT_ALONE).await;
    site.store.fail_key(first.as_str(), 1, Fault::Refused);
    site.rounds.round().await;
    assert!(!site.is_held(&first).await);
    assert_eq!(site.figures.failures.value(), 1);
    site.rounds.round().await;
    assert!(site.is_held(&first).await);
    let head = site.store.head(&first, None).await.unwrap().unwrap();
    assert!(head.lock.is_some_and(|lock| lock.covers(until)));
    let open = site.governor.register.open().await.unwrap().unwrap();
    assert_eq!(open.iter().map(|open| open.id.as_str()).collect::<Vec<_>>(), ["A"]);
}

/// Scenario: an extension is closed, by the task or by a command, and the store then refuses to keep the extension's own records as long; a
/// command closes one and dies before it keeps them, and so does the process. Guarantee: a later round keeps them, in the same process or the
/// next one; what is kept is not looked at again.
#[tokio::test(start_paused = true)]
async fn the_records_of_an_extension_are_kept_though_that_failed_at_first() {
    let until = Lock { mode: Mode::Governance, retain_until: UnixSeconds(1_900_000_000) };
    let covered =
        async |site: &Site, key: &ObjectKey| site.store.head(key, None).await.unwrap().unwrap().lock.is_some_and(|lock| lock.covers(until));
    for (by_command, restarted) in [(false, false), (true, false), (true, true)] {
        let mut site = site().await;
        site.rounds.round().await;
        site.send().await;
        site.place("ext", Order::Extend(until).into()).await;
        let closing = site.size();
        let of_seal = format!("/{closing:020}-");
        let segment_of =
            |store: &MemoryStore| store.keys().into_iter().find(|key| key.as_str().contains(&of_seal) && !key.as_str().contains("/tile/"));
        if by_command {
            site.order(Motion::Close { id: "ext".into(), segments: Vec::new(), through: closing }).await;
            site.store.fail_key("/segments/", 1, Fault::Refused);
        } else {
            tokio::time::advance(LEFT_ALONE).await;
            site.store.slow(&of_seal, Duration::from_secs(5));
            let store = site.store.clone();
            let refuse = async {
                while segment_of(&store).is_none() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                store.fail_key(&of_seal, 1, Fault::Refused);
            };
            tokio::join!(site.rounds.round(), refuse);
            site.store.clear_faults();
            assert!(site.governor.register.open().await.unwrap().unwrap().is_empty(), "it is closed");
            assert_eq!(site.figures.failures.value(), 1, "and its record not kept");
        }
        if restarted {
            site.store.clear_faults();
            site.rounds = Rounds::new(parts(&site.store, &site.governor, &site.task), Arc::clone(&site.figures));
            assert!(site.governor.register.take_ended().await, "nobody tells the next process");
        }
        for _ in 0..3 {
            site.rounds.round().await;
        }
        let key = segment_of(&site.store).unwrap();
        assert!(covered(&site, &key).await, "by a command: {by_command}, restarted: {restarted}");
        assert_eq!(site.figures.failures.value(), u64::from(!restarted), "by a command: {by_command}");
        site.store.fail_reads("", 100_000);
        site.rounds.round().await;
        assert_eq!(site.figures.failures.value(), u64::from(!restarted), "it reads nothing more");
    }
}

/// Scenario: a hold is released while a round puts it on a segment, which takes the store a while. Guarantee: nothing stays held that nobody
/// keeps; what another hold keeps stays.
#[tokio::test(start_paused = true)]
async fn what_was_released_meanwhile_is_let_go() {
    for with_another in [false, true] {
        let mut site = site().await;
        let first = site.send().await;
        site.place("A", Ordered::Hold).await;
        if with_another {
            site.place("B", Ordered::Hold).await;
        }
        tokio::time::advance(LEFT_ALONE).await;
        site.store.slow(first.as_str(), Duration::from_secs(10));
        let governor = site.governor.clone();
        let release = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let motion = Motion::Close { id: "A".into(), segments: Vec::new(), through: 0 };
            governor.seal(&Wish::of(Deed::Decree(motion))).await.unwrap();
        };
        tokio::join!(site.rounds.round(), release);
        site.store.clear_faults();
        assert_eq!(site.is_held(&first).await, with_another);
        if !with_another {
            assert_eq!(site.held().await, 0);
        }
    }
}

/// Scenario: the release of a hold takes the store so long that who asked for it is told that its fate is not known; meanwhile a round looks
/// what is open. Guarantee: it does not take the hold for open, nor for released, before that is known; then nothing goes on from the state
/// before.
#[tokio::test(start_paused = true)]
async fn nothing_is_held_while_it_is_not_known_what_is_open() {
    let mut site = site().await;
    site.place("A", Ordered::Hold).await;
    tokio::time::advance(LEFT_ALONE).await;
    let first = site.send().await;
    site.store.fail_key("/seals/", 100_000, Fault::NotStored);
    let motion = Motion::Close { id: "A".into(), segments: Vec::new(), through: 0 };
    site.governor.seal(&Wish::of(Deed::Decree(motion))).await.unwrap_err();
    assert_eq!(site.governor.register.open().await.unwrap(), None);
    site.rounds.round().await;
    assert!(!site.is_held(&first).await);
    assert_eq!(site.figures.failures.value(), 1);
    site.store.clear_faults();
    while site.governor.register.open().await.unwrap().is_none() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(site.governor.register.open().await.unwrap(), Some(Vec::new()));
    site.rounds.round().await;
    assert_eq!((site.held().await, site.figures.failures.value()), (0, 1));
}

/// Scenario: a hold is released while a round puts it on a segment, and the store fails when it is to be taken off again, for a while or for good.
/// Guarantee: it is tried again, not for ever, and other holds are carried out meanwhile.
#[tokio::test(start_paused = true)]
async fn what_was_to_be_let_go_and_could_not_is_tried_again() {
    for (fault, times) in [(Fault::NotStored, 10), (Fault::Refused, 1), (Fault::Refused, 1000)] {
        let mut site = site().await;
        let first = site.send().await;
        site.place("A", Ordered::Hold).await;
        tokio::time::advance(LEFT_ALONE).await;
        site.store.slow(first.as_str(), Duration::from_secs(10));
        let governor = site.governor.clone();
        let store = site.store.clone();
        let release = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            let motion = Motion::Close { id: "A".into(), segments: Vec::new(), through: 0 };
            governor.seal(&Wish::of(Deed::Decree(motion))).await.unwrap();
            while !store.head(&first, None).await.unwrap().unwrap().legal_hold {}
            store.fail_key(first.as_str(), times, fault);
        };
        tokio::join!(site.rounds.round(), release);
        // The end of a round tries once more.
        assert_eq!(site.is_held(&first).await, times > 1, "{fault:?}");
        let second = site.send().await;
        let order = Motion::Open { id: "B".into(), order: Ordered::Hold, query: r#"{"from":"2027-01-15T07:43:22Z"}"#.into() };
        site.order(order).await;
        tokio::time::advance(LEFT_ALONE).await;
        for _ in 0..LET_GO_TRIES {
            site.rounds.round().await;
        }
        assert!(site.is_held(&second).await, "{fault:?}");
        site.store.clear_faults();
        site.rounds.round().await;
        assert_eq!(site.is_held(&first).await, times == 1000, "{fault:?}");
    }
}

/// Scenario: a hold that means nothing of what comes; processes that live for an hour only. Guarantee: within a day of the log's time, and when a
/// process stops, the log is told how far it was looked; where only spanseal's own records came, it is not.
#[tokio::test(start_paused = true)]
async fn how_far_was_looked_is_told_within_a_day() {
    let mut site = site().await;
    let order = Motion::Open { id: "A".into(), order: Ordered::Hold, query: r#"{"model":["none"]}"#.into() };
    site.order(order).await;
    tokio::time::advance(LEFT_ALONE).await;
    let through = async |site: &Site| site.governor.register.open().await.unwrap().unwrap()[0].through;
    site.rounds.round().await;
    site.rounds.tell_all().await.unwrap();
    assert_eq!(through(&site).await, 0, "only its own record came");
    let first = site.send().await;
    site.rounds.round().await;
    assert_eq!(through(&site).await, 0, "not yet");
    // Another process: it knows only what the log says.
    site.rounds = Rounds::new(parts(&site.store, &site.governor, &site.task), Arc::clone(&site.figures));
    site.clock.advance(Duration::from_secs(24 * 3600));
    site.rounds.round().await;
    assert_eq!(through(&site).await, 3, "after a day of the log's time");
    let size = site.size();
    site.rounds.round().await;
    site.rounds.tell_all().await.unwrap();
    assert_eq!(site.size(), size, "once");
    let second = site.send().await;
    site.rounds.round().await;
    site.rounds.tell_all().await.unwrap();
    assert_eq!(through(&site).await, size + 1, "when it stops");
    assert!(!site.is_held(&first).await && !site.is_held(&second).await);
    // The records of the hold itself, each with its seal.
    site.rounds.round().await;
    assert_eq!(site.held().await, 4, "placed, and told once; what a process tells at its end is kept by the next");
    site.release("A").await;
}

/// All that others sent, by their time: it has to be read.
const READ: &str = r#"{"from":"2027-01-15T00:00:00Z"}"#;

async fn opened(site: &Site, id: &str) -> Option<Decree> {
    site.governor.register.open().await.unwrap().unwrap().into_iter().find(|open| open.id == id)
}

/// Scenario: the store refuses to put one segment on hold, and to extend another, for good; other holds and extensions are open. Guarantee: what
/// these mean is held and extended in the same round, with their own records; what was refused is made up when it is allowed.
#[tokio::test(start_paused = true)]
async fn one_that_is_stuck_keeps_nothing_else_waiting() {
    let mut site = site().await;
    let (first, second, third) = (site.send().await, site.send().await, site.send().await);
    let until = Lock { mode: Mode::Governance, retain_until: UnixSeconds(1_900_000_000) };
    let of = |n: u64| format!(r#"{{"from":"2027-01-15T07:43:2{n}Z","to":"2027-01-15T07:43:2{n}Z"}}"#);
    for (id, order, query) in [
        ("A", Ordered::Hold, of(1)),
        ("B", Ordered::Hold, of(2)),
        ("ext-1", Order::Extend(until).into(), of(1)),
        ("ext-2", Order::Extend(until).into(), of(3)),
    ] {
        site.order(Motion::Open { id: id.into(), order, query }).await;
    }
    tokio::time::advance(LEFT_ALONE).await;
    site.store.fail_key(first.as_str(), 1_000_000, Fault::Refused);
    site.rounds.round().await;
    assert_eq!(site.figures.failures.value(), 1);
    assert!(!site.is_held(&first).await && site.is_held(&second).await);
    let covers = async |site: &Site, key: &ObjectKey| site.store.head(key, None).await.unwrap().unwrap().lock.unwrap().covers(until);
    assert!(!covers(&site, &first).await && covers(&site, &third).await);
    assert!(opened(&site, "ext-1").await.is_some() && opened(&site, "ext-2").await.is_none());
    let links = links(&site).await;
    for link in links.iter().filter(|link| link.entry.of.order == Order::Hold) {
        assert!(site.held_segments().await.contains(&link.segment), "the records of holds, too: {link:?}");
    }
    site.rounds.tell_all().await.unwrap();
    assert!(opened(&site, "A").await.unwrap().through <= 1, "not told as done");
    site.store.clear_faults();
    site.rounds.round().await;
    assert!(site.is_held(&first).await && covers(&site, &first).await);
    assert!(opened(&site, "ext-1").await.is_none());
}

/// Scenario: one segment cannot be read, for hours; others come behind it. Guarantee: it alone is read again, ever more rarely; what comes is on
/// hold within a round; the log is not told that it was looked at; when it can be read it is held, and that is told.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_tried_again_alone_and_ever_more_rarely() {
    for is_extension in [false, true] {
        let mut site = site().await;
        let (first, second) = (site.send().await, site.send().await);
        let until = Lock { mode: Mode::Governance, retain_until: UnixSeconds(1_900_000_000) };
        let order = if is_extension { Order::Extend(until).into() } else { Ordered::Hold };
        site.order(Motion::Open { id: "A".into(), order, query: READ.into() }).await;
        site.store.flip_byte(&first, None, 9);
        tokio::time::advance(LEFT_ALONE).await;
        let has = async |site: &Site, key: &ObjectKey| {
            let head = site.store.head(key, None).await.unwrap().unwrap();
            if is_extension { head.lock.unwrap().covers(until) } else { head.legal_hold }
        };
        site.rounds.round().await;
        assert!(!has(&site, &first).await && has(&site, &second).await);
        assert_eq!(opened(&site, "A").await.unwrap().through, 1, "as the log was told");
        // Whoever reads it is late by that.
        site.store.slow(first.as_str(), Duration::from_millis(1));
        site.store.slow(second.as_str(), Duration::from_millis(1));
        let mut tries = Vec::new();
        for nth in 0..120 {
            let before = Instant::now();
            site.rounds.round().await;
            if before.elapsed() > Duration::ZERO {
                assert!(before.elapsed() < Duration::from_millis(8), "{:?}", before.elapsed());
                tries.push(nth);
            }
            tokio::time::advance(EVERY).await;
        }
        assert_eq!(tries, [0, 1, 4, 11, 26, 57, 117]);
        assert_eq!(site.figures.failures.value(), 8);
        let third = site.send().await;
        site.rounds.round().await;
        assert_eq!((has(&site, &third).await, has(&site, &first).await), (!is_extension, false));
        site.store.clear_faults();
        site.store.flip_byte(&first, None, 9);
        tokio::time::advance(TELL_EVERY).await;
        site.rounds.round().await;
        assert!(has(&site, &first).await);
        match opened(&site, "A").await {
            Some(open) => assert!(!is_extension && open.through >= 5, "{open:?}"),
            None => assert!(is_extension),
        }
    }
}

/// Scenario: a command closes an extension, and dies before the record that says so is kept as long as it says; `serve` is started. Guarantee: it
/// keeps the record, which nothing that is open names any more.
#[tokio::test(start_paused = true)]
async fn the_records_of_what_a_command_closed_are_kept() {
    let mut site = site().await;
    let first = site.send().await;
    let until = Lock { mode: Mode::Governance, retain_until: UnixSeconds(1_900_000_000) };
    site.place("ext", Order::Extend(until).into()).await;
    site.order(Motion::Close { id: "ext".into(), segments: Vec::new(), through: 2 }).await;
    let closed = site.store.keys().into_iter().rfind(|key| key.as_str().contains("/segments/")).unwrap();
    assert_ne!(closed, first);
    let covers = async |site: &Site| site.store.head(&closed, None).await.unwrap().unwrap().lock.unwrap().covers(until);
    assert!(!covers(&site).await);
    site.store.fail_key(closed.as_str(), 1, Fault::Refused);
    site.rounds.round().await;
    assert!(!covers(&site).await);
    assert_eq!(site.figures.failures.value(), 1);
    site.rounds.round().await;
    assert!(covers(&site).await);
    assert!(!site.store.head(&first, None).await.unwrap().unwrap().lock.unwrap().covers(until), "and nothing else");
}
