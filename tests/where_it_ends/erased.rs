//! Objects behind the end hold no records: who searches or erases is not stopped by them.

use std::sync::Arc;

use indicatif::ProgressBar;
use spanseal::query::log::{KeySource, TrustedKey};
use spanseal::query::scan::{Answer, Copies, Request, scan};
use spanseal::tlog::TreeSize;
use spanseal::tlog::note::{NoteSigner, VerifierKey};
use spanseal::worm::{WormStore, checkpoint_key, seal_key};

use super::{junk, log_of, rotated};
use crate::support::forge::{Forge, LOG, ORIGIN, Segment, lines};

/// As an erasure searches: under the key that the writer has.
async fn search(forge: &Forge, key: &VerifierKey) -> Answer {
    let trusted = vec![TrustedKey { key: key.clone(), source: KeySource::Configured }];
    let store: Arc<dyn WormStore> = Arc::new(forge.store.clone());
    scan(&store, &Request { trusted, copies: Copies::Each, ..Request::default() }, &ProgressBar::hidden()).await.unwrap()
}

/// A whole seal, for the tree as it is, that another key signed.
fn forged(forge: &Forge, index: u64) {
    let stranger = NoteSigner::new(ORIGIN, &[9; 32]).unwrap();
    let mut statement = forge.seals.last().unwrap().statement.clone();
    (statement.index, statement.previous, statement.segments) = (index, forge.previous, vec![]);
    let mut seal = forge.sign(statement);
    seal.checkpoint = stranger.checkpoint(TreeSize(forge.range.size().0 + 1), seal.range_after().root());
    forge.store.overwrite_foreign(&seal_key(LOG, index), seal.to_bytes().unwrap());
}

/// Scenario: anybody puts objects behind the newest seal: next to it, far away, more than are looked at one by one, also whole seals under
/// another key. Guarantee: everything that is sealed is searched, and nothing stands in the way of an erasure.
#[tokio::test]
async fn junk_behind_the_end_stops_no_search() {
    for at in [vec![14], vec![14, 15], vec![99], vec![u64::MAX], (20..60).collect(), (14..60).collect()] {
        let forge = log_of(14).await;
        for index in &at {
            junk(&forge, *index);
        }
        let answer = search(&forge, forge.signer.verifier()).await;
        assert_eq!((answer.problems, answer.hits.len()), (vec![], 29), "{at:?}");
        let forge = log_of(14).await;
        forged(&forge, 14);
        for index in &at[1..] {
            junk(&forge, *index);
        }
        let answer = search(&forge, forge.signer.verifier()).await;
        assert_eq!((answer.problems, answer.hits.len()), (vec![], 29), "forged, {at:?}");
    }
    // Also in a log that changed its key, whoever has the old one.
    let (forge, left) = rotated().await;
    let before = search(&forge, forge.signer.verifier()).await;
    assert_eq!(before.problems, vec![]);
    junk(&forge, 8);
    junk(&forge, 99);
    forge.put(&checkpoint_key(LOG), left.checkpoint(TreeSize(20), forge.range.root())).await;
    let answer = search(&forge, forge.signer.verifier()).await;
    assert_eq!((answer.problems, answer.hits.len()), (vec![], before.hits.len()));
}

/// What may hold records stays in the way: seals of the log behind a hole, those of a key that the asker cannot know, a signed tree that is
/// longer than what is there, and more objects than are looked at where no checkpoint says where the log ends.
#[tokio::test]
async fn what_may_hold_records_is_said() {
    let forge = log_of(14).await;
    forge.store.purge(&seal_key(LOG, 13), None);
    junk(&forge, 13);
    assert!(!search(&forge, forge.signer.verifier()).await.problems.is_empty(), "the newest seal is gone, and the checkpoint names it");
    // A hole, more junk than is looked at, and behind it the log; the checkpoint is gone.
    let forge = log_of(60).await;
    for index in 10..40 {
        forge.store.purge(&seal_key(LOG, index), None);
        junk(&forge, index);
    }
    forge.store.purge(&checkpoint_key(LOG), None);
    assert!(!search(&forge, forge.signer.verifier()).await.problems.is_empty());
    // The seal that announced a key is gone: whoever has the older key alone cannot know what is behind it.
    let (mut forge, left) = rotated().await;
    forge.turn_to(NoteSigner::new(ORIGIN, &[5; 32]).unwrap()).await;
    forge.seal(&[Segment::of("standard", lines(50, 2))], |_| {}).await;
    forge.publish().await;
    forge.store.purge(&seal_key(LOG, 4), None);
    for key in [left.verifier(), forge.signer.verifier()] {
        assert!(!search(&forge, key).await.problems.is_empty(), "{key}");
    }
}
