use super::*;
use crate::clock::{ManualClock, UnixNanos};
use crate::tlog::LeafHash;
use crate::tlog::merkle::{consistency_path, leaf_hash, root_of};
use crate::tlog::note::NoteSigner;

const ORIGIN: &str = "spanseal.test/log";
const NOW: u64 = 1_800_000_000;

fn log() -> NoteSigner {
    NoteSigner::new(ORIGIN, &[1; 32]).unwrap()
}

fn cosigner() -> Cosigner {
    Cosigner::new("witness.test/w1", &[2; 32]).unwrap()
}

fn leaves(n: u8, salt: u8) -> Vec<LeafHash> {
    (0..n).map(|i| leaf_hash(&[i, salt])).collect()
}

/// The log's tree of `new` leaves, submitted as an extension of its first `old`.
fn extends(old: u8, new: u8) -> Submission {
    let tree = leaves(new, 0);
    let proof = if old == 0 { Vec::new() } else { consistency_path(TreeSize(old.into()), &tree).unwrap() };
    submission(old, proof, &tree)
}

fn submission(old: u8, proof: Vec<Hash>, tree: &[LeafHash]) -> Submission {
    let size = TreeSize(tree.len() as u64);
    Submission { old: TreeSize(old.into()), proof, checkpoint: log().checkpoint(size, root_of(tree)) }
}

struct Place {
    folder: tempfile::TempDir,
    clock: ManualClock,
}

impl Place {
    fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap(), clock: ManualClock::new(UnixNanos(NOW * 1_000_000_000)) }
    }

    fn open(&self) -> Witness {
        self.try_open(cosigner()).unwrap()
    }

    fn try_open(&self, cosigner: Cosigner) -> Result<Witness, StateError> {
        Witness::open(&self.folder.path().join("state"), cosigner, &[log().verifier().clone()], Arc::new(self.clock.clone()))
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = std::fs::read_dir(self.folder.path().join("state")).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        files
    }
}

/// What was cosigned verifies, and says what it must: this text, this time.
fn time_of(line: &str, submission: &Submission) -> UnixSeconds {
    let text = submission.checkpoint.split_once("\n\n").unwrap().0.to_owned() + "\n";
    let note = SignedNote::parse(&format!("{text}\n{line}")).unwrap();
    cosigner().public().cosigned(&note).unwrap().unwrap()
}

#[test]
fn a_log_that_grows_is_cosigned_and_one_that_does_not_extend_is_refused() {
    let place = Place::new();
    let witness = place.open();
    assert_eq!(witness.add(&extends(1, 3)), Err(Refusal::Stale(TreeSize(0))));
    let first = extends(0, 3);
    assert_eq!(time_of(&witness.add(&first).unwrap(), &first), UnixSeconds(NOW as i64));
    // The same again: a fresh cosignature.
    place.clock.advance(std::time::Duration::from_secs(60));
    let again = extends(3, 3);
    assert_eq!(time_of(&witness.add(&again).unwrap(), &again), UnixSeconds(NOW as i64 + 60));
    assert!(witness.add(&extends(3, 7)).is_ok());
    assert_eq!(witness.logs().collect::<Vec<_>>(), [(ORIGIN, Some(TreeSize(7)))]);

    // Rolled back, whatever old size it names.
    assert_eq!(witness.add(&extends(3, 5)), Err(Refusal::Stale(TreeSize(7))));
    assert_eq!(witness.add(&extends(0, 5)), Err(Refusal::Stale(TreeSize(7))));
    assert!(matches!(witness.add(&submission(7, vec![], &leaves(5, 0))), Err(Refusal::Malformed(_))));
    // Forked: the same size, and a larger one with a proof of its own tree, or none.
    assert_eq!(witness.add(&submission(7, vec![], &leaves(7, 9))), Err(Refusal::Forked(TreeSize(7))));
    let other = leaves(9, 9);
    let proof = consistency_path(TreeSize(7), &other).unwrap();
    assert_eq!(witness.add(&submission(7, proof, &other)), Err(Refusal::Inconsistent));
    assert_eq!(witness.add(&submission(7, vec![], &leaves(9, 0))), Err(Refusal::Inconsistent));
    // A proof where there is nothing to prove.
    assert_eq!(witness.add(&submission(7, vec![Hash([0; 32])], &leaves(7, 0))), Err(Refusal::Inconsistent));
    assert!(witness.add(&extends(7, 9)).is_ok(), "what was refused changed nothing");
}

#[test]
fn the_first_of_a_log_needs_no_proof_and_takes_none() {
    let witness = Place::new();
    let witness = witness.open();
    assert_eq!(witness.add(&submission(0, vec![Hash([0; 32])], &leaves(3, 0))), Err(Refusal::Inconsistent));
    let empty = Submission { old: TreeSize(0), proof: vec![], checkpoint: log().checkpoint(TreeSize(0), RootHash(Hash([1; 32]))) };
    assert_eq!(witness.add(&empty), Err(Refusal::Forked(TreeSize(0))));
    assert!(witness.add(&Submission { checkpoint: log().checkpoint(TreeSize(0), empty_root()), ..empty }).is_ok());
    assert!(witness.add(&extends(0, 3)).is_ok());
}

#[test]
fn only_the_logs_own_key_counts() {
    let place = Place::new();
    let witness = place.open();
    let tree = leaves(3, 0);
    let sign = |origin: &str, seed| NoteSigner::new(origin, &[seed; 32]).unwrap().checkpoint(TreeSize(3), root_of(&tree));
    let add = |checkpoint: String| witness.add(&Submission { old: TreeSize(0), proof: vec![], checkpoint });
    assert_eq!(add(sign("spanseal.test/other", 1)), Err(Refusal::UnknownLog));
    assert_eq!(add(sign(ORIGIN, 9)), Err(Refusal::Unsigned));
    assert_eq!(add(log().checkpoint(TreeSize(3), root_of(&tree)).replace("\n3\n", "\n4\n")), Err(Refusal::Unsigned));
    for bad in ["", "x\n", "spanseal.test/log\n3\n\n"] {
        assert!(matches!(add(bad.to_owned()), Err(Refusal::Malformed(_))), "{bad:?}");
    }
    // A stranger's line beside the log's own is ignored, and not kept.
    let with_stranger = sign(ORIGIN, 1) + sign(ORIGIN, 9).rsplit_once("\n\n").unwrap().1;
    assert!(add(with_stranger).is_ok());
    let kept = std::fs::read_to_string(place.files().iter().find(|f| f.extension().is_some_and(|e| e == "note")).unwrap()).unwrap();
    assert_eq!(kept.matches('\u{2014}').count(), 2, "{kept}");
}

/// A restart knows what was said; a second process, another key, and a file that is not its own are refused.
#[test]
fn what_was_said_is_remembered() {
    let place = Place::new();
    let witness = place.open();
    assert!(witness.add(&extends(0, 3)).is_ok() && witness.add(&extends(3, 7)).is_ok());
    assert!(matches!(place.try_open(cosigner()), Err(StateError::InUse(_))));
    drop(witness);
    let witness = place.open();
    assert_eq!(witness.add(&extends(0, 7)), Err(Refusal::Stale(TreeSize(7))));
    assert_eq!(witness.add(&submission(7, vec![], &leaves(7, 9))), Err(Refusal::Forked(TreeSize(7))));
    drop(witness);
    let fork = place.files().into_iter().find(|f| f.extension().is_some_and(|e| e == "fork")).unwrap();
    assert_eq!(std::fs::read_to_string(fork).unwrap(), log().checkpoint(TreeSize(7), root_of(&leaves(7, 9))));
    assert!(matches!(place.try_open(Cosigner::new("witness.test/w1", &[3; 32]).unwrap()), Err(StateError::Foreign { .. })));
    let note = place.files().into_iter().find(|f| f.extension().is_some_and(|e| e == "note")).unwrap();
    let text = std::fs::read_to_string(&note).unwrap();
    for bad in [String::new(), text.replace("\n7\n", "\n6\n"), text[..text.len() / 2].to_owned()] {
        std::fs::write(&note, bad).unwrap();
        assert!(matches!(place.try_open(cosigner()), Err(StateError::Foreign { .. })));
    }
    // What it said of another log, in the place of this one.
    let other = NoteSigner::new("spanseal.test/other", &[1; 32]).unwrap().checkpoint(TreeSize(2), root_of(&leaves(2, 0)));
    let said = other.split_once("\n\n").unwrap().0.to_owned() + "\n";
    std::fs::write(&note, format!("{other}{}", cosigner().cosign(&said, UnixSeconds(NOW as i64)).unwrap())).unwrap();
    assert!(matches!(place.try_open(cosigner()), Err(StateError::Foreign { why, .. }) if why.contains("spanseal.test/other")));
    // What cannot be read is not taken for what was never written: also root cannot read a folder.
    std::fs::remove_file(&note).unwrap();
    std::fs::create_dir(&note).unwrap();
    assert!(matches!(place.try_open(cosigner()), Err(StateError::Io { what: "read", .. })));
}

/// A folder that cannot be written to: nothing is said, and nothing is remembered of it.
#[test]
fn what_cannot_be_kept_is_not_said() {
    let place = Place::new();
    let witness = place.open();
    assert!(witness.add(&extends(0, 3)).is_ok());
    let note = place.files().into_iter().find(|f| f.extension().is_some_and(|e| e == "note")).unwrap();
    // A folder in the way of the new text: also root cannot write there.
    std::fs::create_dir(note.with_extension("tmp")).unwrap();
    assert!(matches!(witness.add(&extends(3, 5)), Err(Refusal::NotKept(_))));
    std::fs::remove_dir(note.with_extension("tmp")).unwrap();
    assert!(witness.add(&extends(3, 7)).is_ok());
}

#[test]
fn time_does_not_run_backwards() {
    let place = Place::new();
    let witness = place.open();
    assert!(witness.add(&extends(0, 3)).is_ok());
    let back = |seconds: u64| place.clock.set(UnixNanos((NOW - seconds) * 1_000_000_000));
    back(300);
    let small = extends(3, 5);
    assert_eq!(time_of(&witness.add(&small).unwrap(), &small), UnixSeconds(NOW as i64));
    back(301);
    assert!(matches!(witness.add(&extends(5, 7)), Err(Refusal::ClockWentBack { .. })));
    place.clock.set(UnixNanos((NOW + 1) * 1_000_000_000));
    assert!(witness.add(&extends(5, 7)).is_ok());
}

/// Many requests at once, each from the size that was true when it was made: whatever is answered was an extension of what was said before,
/// and the largest is what is remembered.
#[test]
fn requests_at_once_never_set_the_log_back() {
    let place = Place::new();
    let witness = Arc::new(place.open());
    assert!(witness.add(&extends(0, 1)).is_ok());
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let witness = Arc::clone(&witness);
            std::thread::spawn(move || {
                let (mut old, mut cosigned) = (1, Vec::new());
                while old < 40 {
                    match witness.add(&extends(old, old + 1)) {
                        Ok(_) => {
                            old += 1;
                            cosigned.push(old);
                        }
                        Err(Refusal::Stale(size)) => {
                            assert!(size.0 > u64::from(old), "set back from {old} to {size:?}");
                            old = u8::try_from(size.0).unwrap();
                        }
                        Err(other) => panic!("{other:?}"),
                    }
                }
                cosigned
            })
        })
        .collect();
    let mut cosigned: Vec<u8> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
    cosigned.sort_unstable();
    assert_eq!(cosigned, (2..=40).collect::<Vec<_>>());
    drop(witness);
    assert_eq!(place.open().logs().collect::<Vec<_>>(), [(ORIGIN, Some(TreeSize(40)))]);
}
