//! Promise: what `verify` holds in memory is bounded by what it works on at once, not by the length of the log; and a verification may be
//! taken up where an earlier one ended, without reading again what that one covered.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use spanseal::clock::UnixSeconds;
use spanseal::record::canonical::Json;
use spanseal::tlog::note::UnverifiedCheckpoint;
use spanseal::verify::{Bound, KeyTrust, Options, Receipt, Verdict, verify};
use spanseal::worm::memory::MemoryStore;
use spanseal::worm::{
    Condition, Head, Lock, Locks, ObjectKey, PutError, ReadError, StoreState, Tag, Version, VersionId, WormStore, WriterGuard,
};

use crate::support::forge::{Forge, NOW, Segment, kinds, line};

/// Counts the bytes that were handed out and are still held, and notes what was read.
#[derive(Debug)]
struct Counting {
    inner: MemoryStore,
    held: Arc<Held>,
    read: Mutex<BTreeSet<String>>,
    /// Most lines that a listing answers with, however many are asked for.
    short: usize,
}

#[derive(Debug, Default)]
struct Held {
    now: AtomicUsize,
    most: AtomicUsize,
    /// Most lines of one listing.
    listed: AtomicUsize,
}

/// Bytes that are counted until the last hold on them is dropped.
struct Counted {
    bytes: Bytes,
    held: Arc<Held>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.held.now.fetch_sub(self.bytes.len(), Ordering::SeqCst);
    }
}

impl Counting {
    fn new(inner: MemoryStore) -> Self {
        Counting { inner, held: Arc::default(), read: Mutex::default(), short: usize::MAX }
    }

    fn read(&self, part: &str) -> usize {
        self.read.lock().unwrap().iter().filter(|key| key.contains(part)).count()
    }
}

#[async_trait]
impl WormStore for Counting {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn address(&self) -> String {
        self.inner.address()
    }

    fn locks(&self) -> Locks {
        self.inner.locks()
    }

    fn versioned(&self) -> bool {
        self.inner.versioned()
    }

    async fn claim(&self, log: &str) -> Result<WriterGuard, PutError> {
        self.inner.claim(log).await
    }

    async fn put(&self, key: &ObjectKey, body: Bytes, condition: Condition, lock: Option<Lock>) -> Result<Option<VersionId>, PutError> {
        self.inner.put(key, body, condition, lock).await
    }

    async fn put_tagged(&self, key: &ObjectKey, body: Bytes, lock: Option<Lock>, tag: Tag) -> Result<Option<VersionId>, PutError> {
        self.inner.put_tagged(key, body, lock, tag).await
    }

    async fn get(&self, key: &ObjectKey, version: Option<&VersionId>, limit: u64) -> Result<Option<Bytes>, ReadError> {
        // Others come between, as over a network: whatever may be asked for at once is.
        tokio::task::yield_now().await;
        self.read.lock().unwrap().insert(key.to_string());
        let Some(bytes) = self.inner.get(key, version, limit).await? else { return Ok(None) };
        let held = Arc::clone(&self.held);
        held.most.fetch_max(held.now.fetch_add(bytes.len(), Ordering::SeqCst) + bytes.len(), Ordering::SeqCst);
        Ok(Some(Bytes::from_owner(Counted { bytes, held })))
    }

    async fn head(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Option<Head>, ReadError> {
        self.inner.head(key, version).await
    }

    async fn versions(&self, key: &ObjectKey) -> Result<Vec<Version>, ReadError> {
        self.inner.versions(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&ObjectKey>, limit: usize) -> Result<Vec<Version>, ReadError> {
        let listed = self.inner.list(prefix, after, limit.min(self.short)).await?;
        self.held.listed.fetch_max(listed.len(), Ordering::SeqCst);
        Ok(listed)
    }

    async fn extend(&self, key: &ObjectKey, version: Option<&VersionId>, lock: Lock) -> Result<(), PutError> {
        self.inner.extend(key, version, lock).await
    }

    async fn hold(&self, key: &ObjectKey, version: Option<&VersionId>, on: bool) -> Result<(), PutError> {
        self.inner.hold(key, version, on).await
    }

    async fn state(&self) -> Result<StoreState, ReadError> {
        self.inner.state().await
    }

    fn clock_skew_seconds(&self) -> Option<i64> {
        self.inner.clock_skew_seconds()
    }
}

/// A record of some 40 KB that does not compress.
fn bulky(n: u64) -> Vec<u8> {
    let mut record = Json::parse(&line(n, "span")).unwrap();
    let Json::Object(members) = &mut record else { panic!() };
    let noise: String = (0..640_u64).map(|i| spanseal::tlog::Hash::of(&[n.to_be_bytes(), i.to_be_bytes()].concat()).to_string()).collect();
    members.push(("zz".into(), Json::string(noise)));
    record.to_jcs()
}

const SEGMENTS: usize = 2;

async fn long(seals: u64) -> Forge {
    let mut forge = Forge::new(Locks::Enforced).await;
    for seal in 0..seals {
        let segments = [Segment::of("standard", vec![bulky(2 * seal)]), Segment::of("high-risk", vec![bulky(2 * seal + 1)])];
        forge.seal(&segments, |_| {}).await;
    }
    forge.publish().await;
    forge
}

fn options(forge: &Forge, concurrency: usize) -> Options<'static> {
    Options { now: UnixSeconds(NOW + 1000), concurrency, ..forge.options() }
}

/// Scenario: logs of 100 and of 400 seals are verified, with one and with three seals in work at once. Guarantee: at no moment more bytes of
/// objects are held than those of the segments and seals in work (and a tile), and a log four times as long needs no more; of listings at
/// most a page is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_held_does_not_grow_with_the_log() {
    let forge = long(400).await;
    let segment = forge.seals.iter().flat_map(|s| s.statement.segments.iter().map(|g| usize::try_from(g.bytes).unwrap())).max().unwrap();
    let seal = forge.seals.iter().map(|s| s.to_bytes().unwrap().len()).max().unwrap();
    let stored: usize = forge.seals.iter().flat_map(|s| s.statement.segments.iter().map(|g| usize::try_from(g.bytes).unwrap())).sum();
    let tile = 256 * (2 + forge.seals.iter().map(|s| s.entry.len()).max().unwrap());
    for concurrency in [1, 3] {
        // A seal's segments are read one after the other. Of seals those that are fetched ahead are held, and one that is looked at.
        let most = concurrency * segment + (concurrency + 2) * seal + tile;
        assert!(most * 10 < stored, "a bound that says something: {most} of {stored}");
        for seals in [100, 400] {
            let store = Counting::new(forge.store.copy());
            let to = Some(Bound::Seal(seals - 1));
            let report = verify(&store, &Options { to, ..options(&forge, concurrency) }).await;
            assert_eq!((report.verdict, report.logs[0].seals), (Verdict::Verified, seals), "{}", report.to_text());
            assert_eq!(store.read("/segments/"), SEGMENTS * usize::try_from(seals).unwrap() + 1, "and every byte was read");
            let held = store.held.most.load(Ordering::SeqCst);
            assert!(held >= segment && held <= most, "{seals} seals, {concurrency} at once: {held} bytes held, at most {most}");
            assert!(store.held.listed.load(Ordering::SeqCst) <= 1000);
            assert_eq!(store.held.now.load(Ordering::SeqCst), 0, "nothing is left");
        }
    }
}

/// Scenario: a store that answers a listing with one key at a time, however many are asked for, as S3 does at the seam of two pages. Guarantee:
/// nothing is taken for the end before there is nothing: the log is verified to its end, and what is lost or wrong late in it is found.
#[tokio::test]
async fn a_short_page_is_no_end() {
    let forge = long(12).await;
    let through = async |forge: &Forge| {
        let store = Counting { short: 1, ..Counting::new(forge.store.copy()) };
        verify(&store, &options(forge, 2)).await
    };
    let report = through(&forge).await;
    assert_eq!((report.verdict, report.logs[0].seals), (Verdict::Verified, 12), "{}", report.to_text());
    let disturbed = forge.copy();
    disturbed.store.purge(&spanseal::worm::checkpoint_key(crate::support::forge::LOG), None);
    disturbed.store.purge(&spanseal::worm::seal_key(crate::support::forge::LOG, 9), None);
    disturbed.store.flip_byte(&forge.segment_key(10), None, 30);
    let found = kinds(&through(&disturbed).await);
    assert!(found.contains(&"seal_missing") && found.contains(&"segment_bytes"), "{found:?}");
}

/// Scenario: an auditor verified the log at some size and kept its checkpoint; the log goes on; he verifies again from there. Guarantee: that
/// the log extends what he verified is shown, what came since is verified, no segment of before is read and of the seals only the one that
/// joins both; and the report says what it rests on. What is wrong before is not found, what is wrong since is, and a log that was written
/// anew is not taken for the one of then.
#[tokio::test]
async fn a_verification_is_taken_up_where_the_last_one_ended() {
    let forge = long(60).await;
    let resume = |size: usize| {
        let since = UnverifiedCheckpoint::parse(&forge.seals[size - 1].checkpoint).unwrap();
        options(&forge, 4).resumed(since)
    };
    for size in [1, 40, 59, 60] {
        let store = Counting::new(forge.store.copy());
        let report = verify(&store, &resume(size)).await;
        assert_eq!(report.verdict, Verdict::Verified, "{size}: {}", report.to_text());
        assert_eq!(report.logs[0].seals, 61 - size as u64, "{size}: the last one of then, and all since");
        assert!(report.logs[0].resumed == (size > 1).then_some(size as u64 - 1), "{size}");
        let extends = report.notes.iter().find(|n| n.kind.as_str() == "extends").unwrap();
        assert_eq!(extends.meaning.contains("rests on the earlier verification"), size > 1, "{size}: {}", report.to_text());
        let segments = SEGMENTS * (61 - size) + usize::from(size == 1);
        assert_eq!(store.read("/segments/"), segments, "{size}");
        // The seal before the first is where that one's place is shown.
        assert!(store.read("/seals/") <= 62 - size, "{size}: {}", store.read("/seals/"));
    }
    let disturbed = forge.copy();
    disturbed.store.flip_byte(&forge.segment_key(10), None, 30);
    let report = verify(&disturbed.store, &resume(40)).await;
    assert_eq!(report.verdict, Verdict::Verified, "before: {}", report.to_text());
    disturbed.store.flip_byte(&forge.segment_key(50), None, 30);
    assert_eq!(kinds(&verify(&disturbed.store, &resume(40)).await), ["segment_bytes"]);
    let mut anew = Forge::new(Locks::Enforced).await;
    for _ in 0..60 {
        anew.seal(&[], |_| {}).await;
    }
    anew.publish().await;
    assert_eq!(kinds(&verify(&anew.store, &resume(40)).await), ["fork"]);
    // And one that was cut off before it.
    let cut = forge.copy();
    for index in 30..60 {
        cut.store.purge(&spanseal::worm::seal_key(crate::support::forge::LOG, index), None);
        for segment in &forge.seals[index as usize].statement.segments {
            cut.store.purge(&spanseal::worm::below(crate::support::forge::LOG, &segment.key), None);
        }
    }
    // It is told as whoever asks for no more than that is told: with the key that was brought, and nothing of a log that goes on.
    let kept = UnverifiedCheckpoint::parse(&forge.seals[39].checkpoint).unwrap();
    let (again, whole) =
        (verify(&cut.store, &resume(40)).await, verify(&cut.store, &Options { since: Some(kept), ..options(&forge, 4) }).await);
    assert!(kinds(&again).contains(&"rollback"), "{}", again.to_text());
    assert_eq!(again.to_text(), whole.to_text());
    assert!(again.key == KeyTrust::Pinned && !again.to_text().contains("went on while"), "{}", again.to_text());
}

/// Scenario: a sender logged its receipt, and the log is as it was, goes on, was written anew or was cut off; the range that is asked for is
/// anywhere. Guarantee: the receipt's tree must be the log's beginning, and what is wrong with it is a finding at its seal.
#[tokio::test]
async fn a_receipt_exposes_a_log_that_was_rewritten_or_cut_off() {
    let forge = long(30).await;
    let root = |size: usize| UnverifiedCheckpoint::parse(&forge.seals[size - 1].checkpoint).unwrap().checkpoint.root;
    let receipt = |seal: u64| Receipt { seal, root: root(usize::try_from(seal).unwrap() + 1) };
    let all: Vec<Receipt> = [0, 7, 29].map(receipt).to_vec();
    for (from, to) in [(None, None), (Some(10), Some(12)), (Some(29), None), (None, Some(3))] {
        let options = Options { receipts: all.clone(), from: from.map(Bound::Seal), to: to.map(Bound::Seal), ..options(&forge, 4) };
        let report = verify(&forge.store, &options).await;
        assert_eq!(report.verdict, Verdict::Verified, "{from:?} {to:?}: {}", report.to_text());
        let notes: Vec<_> = report.notes.iter().filter(|n| n.kind.as_str() == "extends").map(|n| n.seal).collect();
        assert_eq!(notes, [Some(0), Some(7), Some(29)], "{from:?} {to:?}: {}", report.to_text());
    }
    let judged = async |store: &dyn WormStore, receipt| {
        let report = verify(store, &Options { receipts: vec![receipt], ..options(&forge, 4) }).await;
        (kinds(&report).into_iter().map(str::to_owned).collect::<Vec<_>>(), report.findings.first().and_then(|found| found.seal))
    };
    let false_root = Receipt { seal: 7, root: root(7) };
    assert_eq!(judged(&forge.store, false_root).await, (vec!["fork".to_owned()], Some(7)));
    assert_eq!(judged(&forge.store, Receipt { seal: 30, root: root(7) }).await, (vec!["rollback".to_owned()], Some(30)));
    // Wherever a part begins, a receipt of what is not there is found; of what cannot be read nothing is concluded.
    let beyond = vec![Receipt { seal: 30, root: root(7) }];
    let options = Options { receipts: beyond.clone(), from: Some(Bound::Seal(40)), ..options(&forge, 4) };
    assert_eq!(kinds(&verify(&forge.store, &options).await), ["rollback"]);
    let unread = forge.copy();
    unread.store.fail_reads(&format!("/seals/{:020}", 30), 1000);
    let report = verify(&unread.store, &Options { receipts: beyond, ..self::options(&forge, 4) }).await;
    assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{}", report.to_text());
    let signed = forge.signer.checkpoint(spanseal::tlog::TreeSize(31), forge.range.root());
    let since = Some(UnverifiedCheckpoint::parse(&signed).unwrap());
    let report = verify(&unread.store, &Options { since, ..self::options(&forge, 4) }).await;
    assert_eq!((report.verdict, kinds(&report)), (Verdict::Unchecked, vec![]), "{}", report.to_text());
    // A gap in the middle is no end.
    let gap = forge.copy();
    for index in [12, 13] {
        gap.store.purge(&spanseal::worm::seal_key(crate::support::forge::LOG, index), None);
    }
    for (since, receipts) in [(None, vec![receipt(12)]), (Some(UnverifiedCheckpoint::parse(&forge.seals[12].checkpoint).unwrap()), vec![])]
    {
        let report = verify(&gap.store, &Options { since, receipts, ..self::options(&forge, 4) }).await;
        assert_eq!(kinds(&report), ["seal_missing"], "{}", report.to_text());
        assert!(report.notes.iter().any(|n| n.kind.as_str() == "unchecked" && n.seal == Some(12)), "{}", report.to_text());
    }
    let mut anew = Forge::new(Locks::Enforced).await;
    for _ in 0..30 {
        anew.seal(&[], |_| {}).await;
    }
    anew.publish().await;
    assert_eq!(judged(&anew.store, receipt(7)).await, (vec!["fork".to_owned()], Some(7)));
}
