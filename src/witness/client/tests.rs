use super::*;
use crate::clock::{ManualClock, UnixNanos, UnixSeconds};
use crate::retain::Class;
use crate::tlog::cosignature::Cosigner;
use crate::tlog::merkle::{CompactRange, is_consistent};
use crate::tlog::note::{NoteSigner, SignatureLine};
use crate::tlog::seal_file::{Counts, SealFile, Statement};
use crate::tlog::{Hash, LeafHash};
use crate::worm::memory::{MemoryOptions, MemoryStore};
use crate::worm::{Condition, Mode, ObjectKey, below, cosignature_name, seal_key};

const LOG: &str = "log";
const ORIGIN: &str = "spanseal.test/log";

fn witness(n: u8) -> Cosigner {
    Cosigner::new(&format!("w.test/{n}"), &[n; 32]).unwrap()
}

struct Log {
    signer: NoteSigner,
    scene: Scene,
    range: CompactRange,
    previous: Option<LeafHash>,
    targets: Vec<Target>,
}

impl Log {
    fn new() -> Self {
        let clock = ManualClock::new(UnixNanos(1_800_000_000_000_000_000));
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone()), MemoryOptions::default()));
        let signer = NoteSigner::new(ORIGIN, &[1; 32]).unwrap();
        let class = Class { name: "standard".into(), mode: Mode::Governance, period: "180d".parse().unwrap(), claimable: false };
        let classes = Classes::new(vec![class], "standard", "10y".parse().unwrap(), clock.now().ceil_seconds()).unwrap();
        let figures = Figures::new(vec![witness(1).public().clone(), witness(2).public().clone()], 2);
        let scene = Scene {
            store,
            log: LOG.into(),
            key: signer.verifier().clone(),
            classes: Arc::new(classes),
            clock: Arc::new(clock),
            figures: Arc::new(figures),
        };
        Log { signer, scene, range: CompactRange::new(), previous: None, targets: Vec::new() }
    }

    async fn seal(&mut self) {
        let index = self.range.size().0;
        let at = UnixSeconds(1_799_999_000);
        let statement = Statement {
            log: ORIGIN.into(),
            index,
            sealed_at: at,
            started: at,
            previous: self.previous,
            segments: vec![],
            counts: Counts::default(),
            config_sha256: Hash([0; 32]),
            next_by: None,
            next_vkey: None,
            not_worm: false,
            decrees: None,
        };
        let entry = statement.entry();
        let mut seal = SealFile { statement, entry, checkpoint: String::new(), frontier: self.range.clone() };
        self.range = seal.range_after();
        seal.checkpoint = self.signer.checkpoint(self.range.size(), self.range.root());
        self.previous = Some(seal.leaf());
        let lock = self.scene.classes.evidence_lock(at, []);
        let bytes = seal.to_bytes().unwrap().into();
        self.scene.store.put(&seal_key(LOG, index), bytes, Condition::CreateOnly, Some(lock)).await.unwrap();
        let status = Status { tree_size: index + 1, checkpoint: seal.checkpoint, sealed_at: at, ..Status::default() };
        self.targets.push(Target::of(&status).unwrap());
    }
}

/// Every proof between two sizes of a log of 70 comes out of the seals and holds.
#[tokio::test]
async fn proofs_come_out_of_the_seals() {
    let mut log = Log::new();
    for _ in 0..70 {
        log.seal().await;
    }
    for new in &log.targets {
        for old in log.targets.iter().take_while(|old| old.size < new.size) {
            let proof = log.scene.consistency(old.size, new).await.unwrap();
            assert!(is_consistent(old.size, old.root, new.size, new.root, &proof), "{:?} {:?}", old.size, new.size);
        }
        assert!(log.scene.consistency(TreeSize(0), new).await.unwrap().is_empty());
        assert!(log.scene.consistency(new.size, new).await.unwrap().is_empty());
    }
    // A checkpoint that the seals do not lead to: no proof leaves.
    let false_root = Target { root: RootHash(Hash([9; 32])), ..log.targets[69].clone() };
    assert!(matches!(log.scene.consistency(TreeSize(5), &false_root).await, Err(proof::ProofError::Broken(5))));
    assert!(matches!(log.scene.consistency(TreeSize(80), &log.targets[69]).await, Err(proof::ProofError::Broken(80))));
}

/// What earlier processes stored is found without listing all of it, wherever it lies; what strangers put there counts for nothing.
#[tokio::test]
async fn what_was_stored_is_remembered() {
    for (one, two, sizes) in [(Some(3), Some(3), [4, 4]), (Some(17), Some(5), [18, 6]), (Some(0), None, [1, 0]), (None, None, [0, 0])] {
        let mut log = Log::new();
        for _ in 0..20 {
            log.seal().await;
        }
        for (n, at) in [(1, one), (2, two), (3, Some(19))] {
            let Some(at) = at else { continue };
            let target = &log.targets[at];
            let line = SignatureLine::parse(witness(n).cosign(&target.text, UnixSeconds(1_800_000_000)).unwrap().trim_end()).unwrap();
            log.scene.keep(target, &line).await.unwrap();
            // Again: the name is that of the bytes.
            log.scene.keep(target, &line).await.unwrap();
        }
        log.scene.remember().await;
        let figures = &log.scene.figures;
        assert_eq!(figures.sizes().map(|(_, size)| size).collect::<Vec<_>>(), sizes, "{one:?} {two:?}");
        assert_eq!(figures.cosigned(), TreeSize(*sizes.iter().min().unwrap()));
    }
}

#[tokio::test]
async fn what_stands_in_the_way_is_not_taken_for_ones_own() {
    let mut log = Log::new();
    log.seal().await;
    let target = &log.targets[0];
    let line = SignatureLine::parse(witness(1).cosign(&target.text, UnixSeconds(1_800_000_000)).unwrap().trim_end()).unwrap();
    let name = cosignature_name(0, &Hash::of(format!("{}\n{line}", target.text).as_bytes()).to_string());
    let key: ObjectKey = below(LOG, &name);
    let lock = log.scene.classes.evidence_lock(UnixSeconds(1_800_000_000), []);
    log.scene.store.put(&key, "something else".into(), Condition::CreateOnly, Some(lock)).await.unwrap();
    assert!(log.scene.keep(target, &line).await.is_err());
}

#[test]
fn pauses_grow_and_end() {
    let minute = Duration::from_secs(60);
    assert_eq!([0, 1, 2, 5, 6, 1000].map(|n| backoff(minute, n).as_secs()), [60, 120, 240, 1920, 3600, 3600]);
    assert_eq!(backoff(Duration::from_secs(86_400), 9).as_secs(), 86_400);
}

/// Scenario: a witness whose clock is wrong, or that dates what it says as it likes. Guarantee: what cannot have been said at its time is not
/// stored.
#[tokio::test]
async fn what_is_dated_wrongly_is_not_taken() {
    let mut log = Log::new();
    log.seal().await;
    let key = witness(1).public().clone();
    let place = Place { key, url: "http://127.0.0.1:1".into(), allow_http: true, ca_file: None };
    let asker = Asker::open(&place).await.unwrap();
    let (target, now) = (&log.targets[0], log.scene.clock.now().ceil_seconds().0);
    let sealed_at = target.sealed_at.0;
    for (at, good) in [
        (0, false),
        (sealed_at - 301, false),
        (sealed_at - 300, true),
        (now, true),
        (now + 300, true),
        (now + 301, false),
        (i64::MAX, false),
    ] {
        let line = witness(1).cosign(&target.text, UnixSeconds(at)).unwrap();
        assert_eq!(asker.own_line(&line, target, &log.scene).is_ok(), good, "{at}");
    }
}

/// Scenario: two witnesses, both of whom are needed, cosign some checkpoints, not always the same, before those are published; then another
/// process starts. Guarantee: what is handed out is the newest published one with the lines of both below the log's own, before and after the
/// start; more heights by one witness alone push nothing out.
#[tokio::test]
async fn the_newest_checkpoint_of_enough_witnesses_is_handed_out() {
    let mut log = Log::new();
    for _ in 0..30 {
        log.seal().await;
    }
    let (one, two) = (witness(1), witness(2));
    let cosign = async |scene: &Scene, witness: &Cosigner, size: usize| {
        let target = &log.targets[size - 1];
        let line = SignatureLine::parse(witness.cosign(&target.text, UnixSeconds(1_800_000_000)).unwrap().trim_end()).unwrap();
        scene.keep(target, &line).await.unwrap();
        scene.figures.noted(witness.public(), target.size, &target.note, &line);
    };
    cosign(&log.scene, &one, 3).await;
    assert_eq!(log.scene.figures.newest_note(TreeSize(30)), None);
    for size in [3, 4] {
        cosign(&log.scene, &two, size).await;
    }
    cosign(&log.scene, &one, 5).await;
    for size in [7, 8] {
        cosign(&log.scene, &two, size).await;
        cosign(&log.scene, &one, size).await;
    }
    for size in 9..=30 {
        log.scene.figures.noted(one.public(), TreeSize(size), "x", &SignatureLine { name: "x".into(), id: [0; 4], signature: vec![1] });
    }
    let expect = |figures: &Figures, most: u64, size: Option<u64>| {
        let note = figures.newest_note(TreeSize(most));
        let read = note.map(|note| UnverifiedCheckpoint::parse(&note).unwrap());
        assert_eq!(read.as_ref().map(|read| read.checkpoint.size.0), size, "{most}");
        if let Some(UnverifiedCheckpoint { note, .. }) = read {
            assert!(note.verify(log.signer.verifier()).is_ok() && note.signatures.len() == 3);
            assert!([&one, &two].iter().all(|witness| witness.public().cosigned(&note).unwrap().is_some()));
        }
    };
    for (most, size) in [(2, None), (3, Some(3)), (6, Some(3)), (7, Some(7)), (30, Some(8))] {
        expect(&log.scene.figures, most, size);
    }
    let figures = Arc::new(Figures::new(vec![one.public().clone(), two.public().clone()], 2));
    let scene = Scene {
        store: Arc::clone(&log.scene.store),
        log: LOG.into(),
        key: log.scene.key.clone(),
        classes: Arc::clone(&log.scene.classes),
        clock: Arc::clone(&log.scene.clock),
        figures: Arc::clone(&figures),
    };
    scene.remember().await;
    expect(&figures, 30, Some(8));
}
