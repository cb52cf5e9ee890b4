//! Promise: a seal may state any number of records, and its key signs it: whoever reads the log adds such numbers up to the largest that
//! there is, says what is false, and goes on.

use std::sync::Arc;

use indicatif::ProgressBar;
use spanseal::clock::UnixSeconds;
use spanseal::query::apart;
use spanseal::query::log::{KeySource, LogReader, TrustedKey};
use spanseal::query::scan::{Request, scan};
use spanseal::tlog::seal_file::Statement;
use spanseal::verify::{Depth, Options, RecordAt, Verdict, prove, verify};
use spanseal::worm::{Locks, WormStore};

use crate::support::forge::{Forge, LOG, NOW, Segment, kinds, line, lines};

/// Seals whose segments are as many records as there are numbers, between honest ones.
async fn boastful() -> Forge {
    let mut forge = Forge::new(Locks::Enforced).await;
    forge.seal(&[Segment::of("standard", lines(0, 3))], |_| {}).await;
    for seal in 1..4 {
        let segments = [Segment::of("standard", lines(seal * 10, 3)), Segment::of("high-risk", lines(seal * 10 + 5, 2))];
        let state = |s: &mut Statement| s.segments.iter_mut().for_each(|segment| segment.records = u64::MAX);
        forge.seal(&segments, state).await;
    }
    forge.seal(&[Segment::of("standard", vec![line(60, "span")])], |_| {}).await;
    forge.publish().await;
    forge
}

#[tokio::test]
async fn verify_adds_up_to_the_largest_number() {
    let forge = boastful().await;
    // Where the bytes are read they tell.
    let whole = verify(&forge.store, &forge.options()).await;
    assert_eq!((whole.verdict, whole.logs[0].seals), (Verdict::Findings, 5), "{whole:?}");
    assert_eq!(kinds(&whole).iter().filter(|kind| **kind == "segment_content").count(), 6, "{whole:?}");
    let locks = verify(&forge.store, &Options { depth: Depth::Locks, ..forge.options() }).await;
    assert_eq!((locks.logs[0].seals, locks.logs[0].records), (5, u64::MAX), "{locks:?}");
}

#[tokio::test]
async fn a_question_is_answered() {
    let forge = boastful().await;
    let store: Arc<dyn WormStore> = Arc::new(forge.store.clone());
    let trusted = vec![TrustedKey { key: forge.signer.verifier().clone(), source: KeySource::Pinned }];
    let request = Request { trusted: trusted.clone(), now: Some(UnixSeconds(NOW + 100)), ..Request::default() };
    let answer = scan(&store, &request, &ProgressBar::hidden()).await.unwrap();
    assert_eq!(answer.totals.unsearched, u64::MAX, "{answer:?}");
    assert!(answer.hits.iter().filter_map(|hit| hit.text("id")).any(|id| id == format!("{:032x}", 60)), "{answer:?}");
    assert!(answer.problems.iter().any(|problem| problem.what.contains("18446744073709551615")), "{:?}", answer.problems);
    let log = LogReader::open(Arc::clone(&store), LOG, &trusted).await.unwrap();
    assert!(apart::newest(&store, &log, 0, u64::MAX).await.is_ok());
    // What stands beside them is proven as ever; of their own records there is no proof, and that is said.
    for (seal, is_there) in [(4, true), (1, false)] {
        let segment = forge.seals[seal].statement.segments.iter().find(|segment| segment.class == "standard").unwrap().key.clone();
        let at = RecordAt { seal: seal as u64, segment, leaf_index: 0, rotations: Vec::new() };
        let proof = prove(&forge.store, LOG, forge.signer.verifier(), &at).await;
        assert_eq!(proof.is_ok(), is_there, "{proof:?}");
    }
}
