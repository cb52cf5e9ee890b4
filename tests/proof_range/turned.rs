//! Bundles over a change of key: the changes inside and before the range lead from the reader's key to the one that signed, and whoever holds
//! an older key cannot leave one out.

use serde_json::json;
use spanseal::tlog::TreeSize;
use spanseal::tlog::merkle::{inclusion_path, leaf_hash};
use spanseal::tlog::note::NoteSigner;
use spanseal::tlog::seal_file::SealFile;
use spanseal::verify::{Bundle, Inclusion, Kept, RecordAt, Rotation, prove, prove_under};

use super::*;
use crate::support::forge::ORIGIN;
use crate::support::receiver::{BINARY, Finished};

struct Turned {
    forge: Forge,
    /// In the order in which they sign: from seal 0, 5 and 7 on.
    keys: [NoteSigner; 3],
}

fn signer(seed: u8) -> NoteSigner {
    NoteSigner::new(ORIGIN, &[seed; 32]).unwrap()
}

/// Eight seals; 4 and 6 announce a key.
async fn turned() -> Turned {
    let mut forge = honest(Locks::Enforced).await;
    for (seed, n) in [(4, 30), (5, 40)] {
        let statement = forge.statement(&[Segment::of("standard", lines(n, 2))]).await;
        let seal = announces(&forge, statement, &forge.signer, &signer(seed));
        forge.commit(seal).await;
        forge.signer = signer(seed);
        forge.seal(&[Segment::of("standard", lines(n + 5, 2))], |_| {}).await;
    }
    Turned { forge, keys: [signer(3), signer(4), signer(5)] }
}

fn announces(forge: &Forge, mut statement: Statement, old: &NoteSigner, new: &NoteSigner) -> SealFile {
    statement.next_vkey = Some(new.verifier().clone());
    let mut seal = forge.sign(statement);
    seal.checkpoint = both(seal.frontier.size().0 + 1, seal.range_after().root(), old, new);
    seal
}

fn both(size: u64, root: spanseal::tlog::RootHash, old: &NoteSigner, new: &NoteSigner) -> String {
    let second = new.checkpoint(TreeSize(size), root);
    old.checkpoint(TreeSize(size), root) + second.rsplit_once("\n\n").unwrap().1
}

impl Turned {
    fn vkey(&self, n: usize) -> &VerifierKey {
        self.keys[n].verifier()
    }

    async fn bundle(&self, start: usize, rotations: &[u64], ends: Option<(Place, Place)>, show: Show) -> Result<RangeBundle, ProveError> {
        let keys = [0, 5, 7].into_iter().zip(self.keys.iter().map(|key| key.verifier().clone())).collect();
        let start = self.vkey(start).clone();
        let wish = RangeWish { keys, start, rotations: rotations.to_vec(), ..wish(&self.forge, ends, show) };
        prove_range(&self.forge.store, LOG, &wish, &Wanted::default()).await.map(|made| made.bundle)
    }

    fn check(&self, bundle: RangeBundle, key: usize) -> CheckReport<RangeProved> {
        check_range(&bundle.into_bytes(), self.vkey(key), UnixSeconds(NOW + 100))
    }
}

/// Whoever has any of the keys, over a range that both changes lie in, one, or none.
#[tokio::test]
async fn the_reader_has_any_of_the_keys() {
    let log = turned().await;
    for (key, rotations, to) in [
        (0, &[4, 6][..], (7, "standard", 1)),
        (1, &[6], (7, "standard", 1)),
        (2, &[], (7, "standard", 1)),
        (0, &[4], (5, "standard", 0)),
        (1, &[], (5, "standard", 0)),
        (0, &[], (4, "standard", 1)),
        (0, &[4], (6, "standard", 1)),
        (0, &[], (3, "standard", 1)),
    ] {
        let made = log.bundle(key, rotations, Some(((2, "standard", 0), to)), Show::All).await.unwrap();
        let report = log.check(made.clone(), key);
        assert_eq!(report.verdict, Verdict::Verified, "{key} {to:?}: {}", report.to_text());
        assert_eq!(report.result.unwrap().rotations, rotations.len());
        for other in (0..3).filter(|other| *other != key) {
            let report = log.check(made.clone(), other);
            // Also who has a key that leads to it by no rotation of this bundle.
            assert_eq!(report.verdict, Verdict::Findings, "{key} {to:?} {other}: {}", report.to_text());
        }
    }
}

/// Records before and behind the changes, and the reader has the newest key: the bundle holds the changes as well, so that the seals of the
/// first record are seen to lead to that key.
#[tokio::test]
async fn the_way_to_a_later_key_is_in_the_bundle() {
    let log = turned().await;
    let show = these(&log.forge, &[(4, "standard", 0), (7, "standard", 0)]);
    let made = log.bundle(2, &[], None, show).await.unwrap();
    assert_eq!(made.seals.len(), 3);
    assert_eq!(log.check(made.clone(), 2).verdict, Verdict::Verified, "{}", log.check(made, 2).to_text());
    // No change before the first record, and none that a rotation leads over.
    for (places, seals) in
        [([(5, "standard", 0), (7, "standard", 0)], vec![5, 7]), ([(2, "standard", 0), (7, "standard", 0)], vec![2, 4, 7])]
    {
        let made = log.bundle(1, &[6], None, these(&log.forge, &places)).await.unwrap();
        let indices: Vec<u64> = made.seals.iter().map(|seal| Statement::parse(&seal.statement).unwrap().index).collect();
        assert_eq!(indices, seals);
        assert_eq!(log.check(made.clone(), 1).verdict, Verdict::Verified, "{}", log.check(made, 1).to_text());
    }
}

/// Each way to leave a change of key out, or to make another of it.
#[tokio::test]
async fn no_change_is_left_out() {
    let log = turned().await;
    let ends = Some(((2, "standard", 0), (7, "standard", 1)));
    let whole = log.bundle(0, &[4, 6], ends, Show::All).await.unwrap();
    let (size, root) = (TreeSize(8), log.forge.range.root());
    let refused = |what: &str, change: &dyn Fn(&mut RangeBundle), why: &str| {
        let mut bundle = whole.clone();
        change(&mut bundle);
        let report = log.check(bundle, 0);
        assert_eq!(report.verdict, Verdict::Findings, "{what}: {}", report.to_text());
        assert!(report.to_text().contains(why), "{what}: {}", report.to_text());
    };
    refused("no change", &|b| b.rotations.clear(), "it begins with another key of that name");
    refused("the second left out", &|b| drop(b.rotations.pop()), "checkpoint: ");
    refused("the first left out", &|b| drop(b.rotations.remove(0)), "it begins with another key of that name");
    refused("in another order", &|b| b.rotations.swap(0, 1), "it begins with another key of that name");
    refused("twice", &|b| b.rotations.push(b.rotations[1].clone()), "rotations: ");
    // Who has got hold of a key that was replaced signs on with it.
    let by_first = log.keys[0].checkpoint(size, root);
    refused(
        "the first key signs on",
        &|b| {
            b.rotations.clear();
            b.checkpoint.clone_from(&by_first);
        },
        "seal 6 announces a key, and the checkpoint behind it is signed by another",
    );
    let by_second = log.keys[1].checkpoint(size, root);
    refused(
        "the second key signs on",
        &|b| {
            b.rotations.pop();
            b.checkpoint.clone_from(&by_second);
        },
        "seal 6 announces a key, and the change of key is left out",
    );
    // Another change of key at the same index: a fork, signed by both.
    let before = &log.forge.seals[4];
    let mut other = before.statement.clone();
    other.counts.spans += 1;
    let mut range = before.frontier.clone();
    range.append(leaf_hash(&other.entry()));
    let fork = Rotation {
        statement: other.to_json(),
        log: Inclusion { index: LeafIndex(4), size: TreeSize(5), path: before.frontier.nodes().iter().rev().copied().collect() },
        checkpoint: both(5, range.root(), &log.keys[0], &log.keys[1]),
    };
    refused("another change", &|b| b.rotations[0] = fork.clone(), "seal 4 there is another than in the bundle");
    // A change behind the checkpoint.
    let mut early = log.bundle(0, &[], Some(((2, "standard", 0), (3, "standard", 1))), Show::All).await.unwrap();
    early.rotations = whole.rotations[..1].to_vec();
    early.checkpoint = log.keys[1].checkpoint(TreeSize(4), log.forge.seals[3].range_after().root());
    let report = log.check(early, 0);
    assert!(report.verdict == Verdict::Findings && report.to_text().contains("older than a change of key"), "{}", report.to_text());
    // The last seal announces a key that did not sign it.
    let mut last = log.bundle(0, &[], Some(((2, "standard", 0), (4, "standard", 1))), Show::All).await.unwrap();
    last.checkpoint = log.keys[0].checkpoint(TreeSize(5), log.forge.seals[4].range_after().root());
    let report = log.check(last, 0);
    assert!(report.verdict == Verdict::Findings && report.to_text().contains("a key that did not sign it"), "{}", report.to_text());
}

/// Scenario: who has stolen a replaced key has the log come back to it. Guarantee: neither a change of key nor an announcement does.
#[tokio::test]
async fn a_log_never_comes_back_to_a_key() {
    let mut log = turned().await;
    let statement = log.forge.statement(&[Segment::of("standard", lines(50, 2))]).await;
    let seal = announces(&log.forge, statement, &log.keys[2], &log.keys[0]);
    log.forge.commit(seal).await;
    log.forge.signer = signer(3);
    log.forge.seal(&[Segment::of("standard", lines(55, 2))], |_| {}).await;
    // The changes themselves, and the bundle as `prove` would have made it of another log.
    let honest = log.bundle(0, &[4, 6], Some(((2, "standard", 0), (7, "standard", 1))), Show::All).await.unwrap();
    let turn = &log.forge.seals[8];
    let mut bundle = honest.clone();
    bundle.rotations.push(Rotation {
        statement: turn.statement.to_json(),
        log: Inclusion { index: LeafIndex(8), size: TreeSize(9), path: turn.frontier.nodes().iter().rev().copied().collect() },
        checkpoint: turn.checkpoint.clone(),
    });
    let report = check_range_with(&bundle.into_bytes(), log.vkey(0), &Others::default(), UnixSeconds(NOW + 100));
    assert!(report.to_text().contains("next_vkey is not a new key of the same origin"), "{}", report.to_text());
}

/// Scenario: seals of a range announce a key, another, and the first again, and the bundle holds no change of key. Guarantee: refused for whoever has
/// that key: the last announcement alone would lead to it.
#[tokio::test]
async fn no_seal_announces_a_key_that_the_log_had() {
    let mut log = turned().await;
    let statement = log.forge.statement(&[Segment::of("standard", lines(50, 2))]).await;
    let seal = announces(&log.forge, statement, &log.keys[2], &log.keys[1]);
    log.forge.commit(seal).await;
    log.forge.signer = signer(4);
    log.forge.seal(&[Segment::of("standard", lines(55, 2))], |_| {}).await;
    let show = these(&log.forge, &[(4, "standard", 0), (6, "standard", 0), (8, "standard", 0), (9, "standard", 0)]);
    let keys = [(0, 0), (5, 1), (7, 2), (9, 1)].map(|(from, n)| (from, log.vkey(n).clone())).to_vec();
    let wish = RangeWish { keys, start: log.vkey(1).clone(), rotations: vec![], ..wish(&log.forge, None, show) };
    let made = prove_range(&log.forge.store, LOG, &wish, &Wanted::default()).await;
    let why = made.unwrap_err().to_string();
    assert!(why.contains("announces a key that the log had before"), "{why}");
}

/// Scenario: the record's own seal announces a key, and the old key signed on behind it. Guarantee: refused, as in a range.
#[tokio::test]
async fn a_replaced_key_proves_no_record_of_the_seal_that_replaced_it() {
    let log = turned().await;
    let at = RecordAt { seal: 4, segment: log.forge.seals[4].statement.segments[0].key.clone(), leaf_index: 0, rotations: Vec::new() };
    let honest = prove(&log.forge.store, LOG, log.vkey(0), &at).await.unwrap();
    let check = |bundle: &Bundle| spanseal::verify::check(&bundle.to_bytes(), log.vkey(0), UnixSeconds(NOW + 100));
    assert_eq!(check(&honest).verdict, Verdict::Verified, "its own checkpoint, by both keys");
    let mut later = honest.clone();
    let hashes: Vec<_> = log.forge.seals.iter().map(SealFile::leaf).collect();
    later.log = Inclusion { index: LeafIndex(4), size: TreeSize(8), path: inclusion_path(LeafIndex(4), &hashes).unwrap() };
    later.checkpoint = log.keys[0].checkpoint(TreeSize(8), log.forge.range.root());
    let report = check(&later);
    assert_eq!(report.verdict, Verdict::Findings, "{}", report.to_text());
    assert!(report.to_text().contains("announces a key, and the checkpoint behind it is signed by another"), "{}", report.to_text());
}

/// Scenario: a witness whose key is one that the log had in between, which the bundle's changes of key name. Guarantee: refused.
#[tokio::test]
async fn a_key_of_the_log_in_between_is_no_witness() {
    let log = turned().await;
    let made = log.bundle(0, &[4, 6], Some(((2, "standard", 0), (7, "standard", 1))), Show::All).await.unwrap();
    let text = made.checkpoint.split("\n\n").next().unwrap().to_owned() + "\n";
    for (what, seed, refused) in
        [("a key in between", 4, true), ("the newest", 5, true), ("the first", 3, true), ("somebody else", 77, false)]
    {
        let witness = Cosigner::new("witness.test/mid", &[seed; 32]).unwrap();
        let mut bundle = made.clone();
        bundle.cosignatures.push(witness.cosign(&text, UnixSeconds(NOW + 50)).unwrap());
        let others = Others { witnesses: vec![witness.public().clone()], ..Others::default() };
        let report = check_range_with(&bundle.into_bytes(), log.vkey(0), &others, UnixSeconds(NOW + 100));
        let verdict = if refused { Verdict::Findings } else { Verdict::Verified };
        assert_eq!(report.verdict, verdict, "{what}: {}", report.to_text());
        assert_eq!(report.to_text().contains("is a key of the log itself"), refused, "{what}: {}", report.to_text());
    }
}

/// Scenario: an auditor brings two keys of a log that changed its key, in either order, and is shown a proof that whoever has the older one alone could
/// have made, and one that leads from it to the newer one. Guarantee: either is taken, as each of the keys is enough, and the answer says which one
/// counted and what is shown of the other; whoever brings the newer one alone takes neither.
#[tokio::test]
async fn the_key_that_counted_is_told() {
    let log = turned().await;
    let (older, newer) = (log.vkey(0).to_string(), log.vkey(1).to_string());
    let one = |seal: usize, rotations: &[u64]| {
        let segment = log.forge.seals[seal].statement.segments[0].key.clone();
        RecordAt { seal: seal as u64, segment, leaf_index: 0, rotations: rotations.to_vec() }
    };
    let single = async |at: RecordAt| prove(&log.forge.store, LOG, log.vkey(0), &at).await.unwrap().to_bytes();
    let range = async |rotations: &[u64], to: Place| {
        log.bundle(0, rotations, Some(((2, "standard", 0), to)), Show::All).await.unwrap().into_bytes()
    };
    let folder = tempfile::tempdir().unwrap();
    let run = |bytes: &[u8], keys: [&str; 2], json: bool| {
        std::fs::write(folder.path().join("proof.json"), bytes).unwrap();
        let mut command = std::process::Command::new(BINARY);
        command.current_dir(folder.path()).env_remove("SPANSEAL_VKEY").args(["check", "proof.json"]);
        command.args(keys.iter().filter(|key| !key.is_empty()).flat_map(|key| ["--vkey", *key]));
        Finished::of({
            command.args(json.then_some("--json"));
            command
        })
    };
    // Whether the proof leads to the newer key: its own seal's checkpoint is signed by both.
    for (what, bytes, leads) in [
        ("one record", single(one(3, &[])).await, false),
        ("one record, over a change", single(one(5, &[4])).await, true),
        ("one record, at the change", single(one(4, &[])).await, true),
        ("several", range(&[], (3, "standard", 1)).await, false),
        ("several, over a change", range(&[4], (5, "standard", 1)).await, true),
        ("several, up to the change", range(&[], (4, "standard", 1)).await, true),
    ] {
        for keys in [[&newer, &older], [&older, &newer]] {
            let told = run(&bytes, keys.map(String::as_str), false);
            let text = &told.stdout;
            assert!(text.contains(&format!("under {older}, with which the proof begins, one of 2 keys")), "{what}: {told}");
            assert_eq!(text.contains(&format!("it leads to {newer}")), leads, "{what}: {told}");
            assert_eq!(text.contains(&format!("it shows nothing of {newer}")), !leads, "{what}: {told}");
            let json: Value = serde_json::from_str(&run(&bytes, keys.map(String::as_str), true).stdout).unwrap();
            let shown = if leads { (json!([newer]), json!([])) } else { (json!([]), json!([newer])) };
            let under = &json["under"];
            assert_eq!((&under["key"], &under["leads_to"], &under["not_shown"]), (&json!(older), &shown.0, &shown.1), "{what}: {json:#}");
        }
        let alone = run(&bytes, [&older, ""], false).stdout;
        assert!(!alone.contains("that you brought") && !alone.contains("it shows nothing of"), "{what}: {alone}");
        let refused = run(&bytes, [&newer, ""], false);
        let why = match what {
            _ if what.ends_with("over a change") => {
                "it begins with an older key of the log, `spanseal.test/log+26786a9e`, and the log came to yours later"
            }
            _ if leads => "announces a key",
            _ => "it begins with another key of that name, `spanseal.test/log+26786a9e`, than the one that you brought",
        };
        assert!(refused.status.code() == Some(1) && refused.stdout.contains(why), "{what}: {refused}");
        let elsewhere = NoteSigner::new("spanseal.test/elsewhere", &[3; 32]).unwrap().verifier().to_string();
        let refused = run(&bytes, [&elsewhere, ""], false);
        let why = "it is of the log `spanseal.test/log`, and the key that you brought is of `spanseal.test/elsewhere`";
        assert!(refused.stdout.contains(why), "{what}: {refused}");
    }
}

/// Scenario: the bundle's checkpoint is that of the seal which announces a key, and so is the one that the auditor kept, signed by both keys or by one
/// of them. Guarantee: either key's signature counts, for the same tree and for a fork; a key that the bundle does not show counts for nothing.
#[tokio::test]
async fn what_was_kept_of_a_change_of_key_is_held_to_either_key() {
    let log = turned().await;
    let at = |seal: usize, rotations: &[u64]| {
        let segment = log.forge.seals[seal].statement.segments[0].key.clone();
        RecordAt { seal: seal as u64, segment, leaf_index: 0, rotations: rotations.to_vec() }
    };
    let own = prove(&log.forge.store, LOG, log.vkey(0), &at(4, &[])).await.unwrap();
    // The same seal, over the change that it announces itself: what whoever kept the newer key's word asks for.
    let turn = Rotation { statement: own.statement.clone(), log: own.log.clone(), checkpoint: own.checkpoint.clone() };
    let before = prove(&log.forge.store, LOG, log.vkey(0), &at(3, &[])).await.unwrap();
    let leaves: Vec<LeafHash> = log.forge.seals[..5].iter().map(SealFile::leaf).collect();
    let place = Inclusion { index: LeafIndex(3), size: TreeSize(5), path: inclusion_path(LeafIndex(3), &leaves).unwrap() };
    let over = Bundle { log: place, checkpoint: own.checkpoint.clone(), rotations: vec![turn], ..before };
    let range = log.bundle(0, &[], Some(((2, "standard", 0), (4, "standard", 1))), Show::All).await.unwrap();
    let root = log.forge.seals[4].range_after().root();
    for (signer, counts) in [(0, true), (1, true), (2, false)] {
        for (same, root) in [(true, root), (false, spanseal::tlog::RootHash(Hash([9; 32])))] {
            let kept = Some(UnverifiedCheckpoint::parse(&log.keys[signer].checkpoint(TreeSize(5), root)).unwrap());
            let others = Others { kept, ..Others::default() };
            let verdict = match (counts, same) {
                (true, true) => Verdict::Verified,
                (true, false) => Verdict::Findings,
                (false, _) => Verdict::Unchecked,
            };
            for bundle in [&own, &over] {
                let report = spanseal::verify::check_with(&bundle.to_bytes(), log.vkey(0), &others, UnixSeconds(NOW + 100));
                assert_eq!(report.verdict, verdict, "{signer} {same} {}: {}", bundle.rotations.len(), report.to_text());
            }
            let report = check_range_with(&range.clone().into_bytes(), log.vkey(0), &others, UnixSeconds(NOW + 100));
            assert_eq!(report.verdict, verdict, "{signer} {same}: {}", report.to_text());
        }
    }
}

/// Scenario: a proof begins with a later key of the log, and somebody gives the one that it replaced for a witness. Guarantee: it is refused, by the
/// second verifier too, wherever something at hand shows the key as the log's: another key that was brought, a checkpoint in the bundle that it signed,
/// the one that was kept. Where nothing does, the answer says that it is not known.
#[tokio::test]
async fn a_key_that_the_log_left_is_no_witness() {
    let log = turned().await;
    let witness = Cosigner::new("witness.test/left", &[3; 32]).unwrap();
    let cosigned = |checkpoint: &str| {
        let text = checkpoint.split("\n\n").next().unwrap().to_owned() + "\n";
        vec![witness.cosign(&text, UnixSeconds(NOW + 50)).unwrap()]
    };
    let single = async |seal: usize| {
        let segment = log.forge.seals[seal].statement.segments[0].key.clone();
        let at = RecordAt { seal: seal as u64, segment, leaf_index: 0, rotations: vec![] };
        let mut made = prove(&log.forge.store, LOG, log.vkey(1), &at).await.unwrap();
        made.cosignatures = cosigned(&made.checkpoint);
        made
    };
    let mut range = log.bundle(1, &[], Some(((5, "standard", 0), (5, "standard", 1))), Show::All).await.unwrap();
    range.cosignatures = cosigned(&range.checkpoint);
    let alone = single(5).await;
    // The checkpoint of the seal that announced the key is signed by both.
    let leaves: Vec<LeafHash> = log.forge.seals[..5].iter().map(SealFile::leaf).collect();
    let place = Inclusion { index: LeafIndex(3), size: TreeSize(5), path: inclusion_path(LeafIndex(3), &leaves).unwrap() };
    let older = RecordAt { seal: 3, segment: log.forge.seals[3].statement.segments[0].key.clone(), leaf_index: 0, rotations: vec![] };
    let older = prove(&log.forge.store, LOG, log.vkey(0), &older).await.unwrap();
    let checkpoint = log.forge.seals[4].checkpoint.clone();
    let shown = Bundle { log: place, cosignatures: cosigned(&checkpoint), checkpoint, ..older };

    let of_log = |n: usize| Some(UnverifiedCheckpoint::parse(&log.forge.seals[n].checkpoint).unwrap());
    let elsewhere = NoteSigner::new("spanseal.test/elsewhere", &[3; 32]).unwrap().checkpoint(TreeSize(6), log.forge.range.root());
    let elsewhere = Some(UnverifiedCheckpoint::parse(&elsewhere).unwrap());
    let key = |n: usize| vec![log.vkey(n).clone()];
    for (what, bundle, kept, other_keys, refused) in [
        ("nothing shows it", &alone, None, vec![], false),
        ("another key that was brought", &alone, None, key(0), true),
        ("another key, and not this one", &alone, None, key(2), false),
        ("what was kept", &alone, of_log(2), vec![], true),
        ("what was kept of a later time", &alone, of_log(7), vec![], false),
        ("what was kept of another log", &alone, elsewhere, vec![], false),
        ("the checkpoint", &shown, None, vec![], true),
    ] {
        let ours =
            Others { witnesses: vec![witness.public().clone()], kept: kept.clone(), other_keys: other_keys.clone(), ..Others::default() };
        let one = spanseal::verify::check_with(&bundle.to_bytes(), log.vkey(1), &ours, UnixSeconds(NOW + 100));
        let mut texts = vec![one.to_text()];
        if std::ptr::eq(bundle, &raw const alone) {
            texts.push(check_range_with(&range.clone().into_bytes(), log.vkey(1), &ours, UnixSeconds(NOW + 100)).to_text());
        }
        for text in texts {
            assert_eq!(text.starts_with("REFUSED: ") && text.contains("is a key of the log itself"), refused, "{what}: {text}");
            assert_eq!(
                text.contains("Not known: whether one of these witnesses is a key that the log itself had"),
                !refused,
                "{what}: {text}"
            );
        }
        if kept.is_none() && other_keys.is_empty() {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bundle.to_bytes()).unwrap();
            let (vkey, witness) = (log.vkey(1).to_string(), witness.public().to_string());
            let words = ["check", file.path().to_str().unwrap(), "--vkey", &vkey, "--witness", &witness, "--now", "2030-01-01T00:00:00Z"];
            let Some(theirs) = crate::support::second::ask(&words) else { continue };
            assert_eq!(theirs["verdict"], if refused { "findings" } else { "verified" }, "{what}: {theirs:#}");
        }
    }
}

/// What a change of key holds besides what is known is named, too.
#[tokio::test]
async fn what_is_not_known_in_a_change_of_key_is_named() {
    let log = turned().await;
    let mut made = json(log.bundle(0, &[4], Some(((2, "standard", 0), (5, "standard", 1))), Show::All).await.unwrap());
    let names = |made: &Value| {
        let report = check_range(made.to_string().as_bytes(), log.vkey(0), UnixSeconds(NOW + 100));
        assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
        report.result.unwrap().unknown.names
    };
    assert!(names(&made).is_empty());
    made["rotations"][0]["zone"] = json!("eu");
    assert_eq!(names(&made), ["rotations.0.zone"]);
}

/// Scenario: the bundle leads over two changes of key to a later checkpoint, and the one that was kept, of the same size, is signed by a key that the log
/// had left by then. Guarantee: it says nothing: only at the size of the change itself both keys sign.
#[tokio::test]
async fn a_key_that_was_left_signs_no_checkpoint_that_was_kept() {
    let log = turned().await;
    let at = |seal: usize, rotations: &[u64]| {
        let segment = log.forge.seals[seal].statement.segments[0].key.clone();
        RecordAt { seal: seal as u64, segment, leaf_index: 0, rotations: rotations.to_vec() }
    };
    let made = prove(&log.forge.store, LOG, log.vkey(0), &at(7, &[4, 6])).await.unwrap();
    // Of a record in the seal that made the first change, under the same checkpoint.
    let first = prove(&log.forge.store, LOG, log.vkey(0), &at(4, &[])).await.unwrap();
    let leaves: Vec<LeafHash> = log.forge.seals.iter().map(SealFile::leaf).collect();
    let place = Inclusion { index: LeafIndex(4), size: TreeSize(8), path: inclusion_path(LeafIndex(4), &leaves).unwrap() };
    let first = Bundle { log: place, checkpoint: made.checkpoint.clone(), rotations: made.rotations.clone(), ..first };
    for bundle in [&made, &first] {
        for (signer, root, kept, verdict) in [
            (0, log.forge.range.root(), Kept::NotSigned(8), Verdict::Unchecked),
            (1, log.forge.range.root(), Kept::NotSigned(8), Verdict::Unchecked),
            (2, log.forge.range.root(), Kept::Same, Verdict::Verified),
            (2, spanseal::tlog::RootHash(Hash([9; 32])), Kept::Fork, Verdict::Findings),
        ] {
            let kept_one = UnverifiedCheckpoint::parse(&log.keys[signer].checkpoint(TreeSize(8), root)).unwrap();
            let others = Others { kept: Some(kept_one), other_keys: vec![log.vkey(1).clone()], ..Others::default() };
            let report = spanseal::verify::check_with(&bundle.to_bytes(), log.vkey(0), &others, UnixSeconds(NOW + 100));
            assert_eq!(report.verdict, verdict, "{signer}: {}", report.to_text());
            // Its first word is the verdict.
            assert!(report.to_text().starts_with(&format!("{verdict:?}: ").to_uppercase()), "{signer}: {}", report.to_text());
            assert_eq!(report.result.unwrap().kept, Some(kept));
        }
    }
    // Of another size: by keys of the log within their terms (the first one was left with seal 4, which the tree of 5 seals ends with) and beyond
    // them, by another key in its name, and by another log's.
    let stranger = |name| NoteSigner::new(name, &[5; 32]).unwrap();
    for (name, signer, size, kept) in [
        ("in its term", &log.keys[0], 5, Kept::OtherSize(5)),
        ("after its term", &log.keys[0], 6, Kept::NotSigned(6)),
        ("before its term", &log.keys[2], 5, Kept::NotSigned(5)),
        ("newest", &log.keys[2], 9, Kept::OtherSize(9)),
        ("stranger", &stranger(ORIGIN), 5, Kept::NotSigned(5)),
        ("other log", &stranger("spanseal.test/elsewhere"), 5, Kept::NotSigned(5)),
    ] {
        let note = signer.checkpoint(TreeSize(size), log.forge.range.root());
        let others = Others { kept: Some(UnverifiedCheckpoint::parse(&note).unwrap()), ..Others::default() };
        let report = spanseal::verify::check_with(&made.to_bytes(), log.vkey(0), &others, UnixSeconds(NOW + 100));
        assert_eq!((report.verdict, report.result.unwrap().kept), (Verdict::Unchecked, Some(kept)), "{name}");
    }
    // A bundle from before a change need not show the key that the log came to; where the auditor brought it, that one signs other sizes.
    let before = prove(&log.forge.store, LOG, log.vkey(0), &at(2, &[])).await.unwrap();
    let leaves = leaves.get(..4).unwrap();
    let place = Inclusion { index: LeafIndex(2), size: TreeSize(4), path: inclusion_path(LeafIndex(2), leaves).unwrap() };
    let checkpoint = log.forge.seals[3].checkpoint.clone();
    let before = Bundle { log: place, checkpoint, rotations: vec![], ..before };
    for (brought, kept) in [(true, Kept::OtherSize(7)), (false, Kept::NotSigned(7))] {
        let note = log.keys[1].checkpoint(TreeSize(7), log.forge.range.root());
        let other_keys = if brought { vec![log.vkey(1).clone()] } else { vec![] };
        let others = Others { kept: Some(UnverifiedCheckpoint::parse(&note).unwrap()), other_keys, ..Others::default() };
        let report = spanseal::verify::check_with(&before.to_bytes(), log.vkey(0), &others, UnixSeconds(NOW + 100));
        assert_eq!((report.verdict, report.result.unwrap().kept), (Verdict::Unchecked, Some(kept)), "{brought}");
    }
}

/// Guarantee: a record that was sealed before a key signed is proved to whoever has that key alone, under the first checkpoint of it or the first that the
/// wanted witnesses cosigned; a key that is none of the log's proves nothing.
#[tokio::test]
async fn a_record_from_before_a_key_is_proved_under_it() {
    let log = turned().await;
    let keys: Vec<(u64, VerifierKey)> = [0, 5, 7].into_iter().zip(log.keys.iter().map(|key| key.verifier().clone())).collect();
    let at = RecordAt { seal: 2, segment: end(&log.forge, (2, "standard", 0)).segment, leaf_index: 0, rotations: vec![] };
    let witness = Cosigner::new("w.test/1", &[41; 32]).unwrap();
    let wanted = Wanted { witnesses: vec![witness.public().clone()], quorum: None };
    let made = async |key: &VerifierKey| prove_under(&log.forge.store, LOG, &keys, (key, &wanted), &at).await;
    let holds = async |n: usize, size: u64, cosignatures: usize| {
        let bundle = made(log.vkey(n)).await.unwrap().bundle;
        assert_eq!((bundle.log.size, bundle.rotations.len(), bundle.cosignatures.len()), (TreeSize(size), 0, cosignatures), "{n}");
        for other in 0..3 {
            let verdict = crate::support::second::check(&bundle.to_bytes(), log.vkey(other), UnixSeconds(NOW + 100)).verdict;
            assert_eq!(verdict, if other == n { Verdict::Verified } else { Verdict::Findings }, "{n} {other}");
        }
    };
    holds(1, 6, 0).await;
    holds(2, 8, 0).await;
    let text = UnverifiedCheckpoint::parse(&log.forge.seals[7].checkpoint).unwrap().note.text;
    let note = format!("{text}\n{}", witness.cosign(&text, UnixSeconds(NOW + 9)).unwrap());
    log.forge.put(&below(LOG, &cosignature_name(7, &Hash::of(note.as_bytes()).to_string())), note).await;
    holds(1, 6, 0).await;
    holds(2, 8, 1).await;
    let stranger = NoteSigner::new(ORIGIN, &[99; 32]).unwrap();
    let why = made(stranger.verifier()).await.unwrap_err().to_string();
    assert!(why.contains("is no key of log `log`"), "{why}");
}
