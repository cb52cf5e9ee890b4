//! Bundles over a change of key: the changes inside and before the range lead from the reader's key to the one that signed, and whoever holds
//! an older key cannot leave one out.

use spanseal::tlog::TreeSize;
use spanseal::tlog::merkle::leaf_hash;
use spanseal::tlog::note::NoteSigner;
use spanseal::tlog::seal_file::SealFile;
use spanseal::verify::{Inclusion, Rotation};

use super::*;
use crate::support::forge::ORIGIN;

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
        prove_range(&self.forge.store, LOG, &wish, &Wanted::default()).await
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
