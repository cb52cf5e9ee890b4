//! Reading the log as its writer must: versions, never a HEAD or a listing of current keys.

use bytes::Bytes;

use super::lineage::Lineage;
use crate::record::canonical::Json;
use crate::tlog::Hash;
use crate::tlog::seal_file::{SealFile, SegmentRef};
use crate::tlog::segment::{FrameError, each_line};
use crate::tlog::truth::{Judgement, judge, newer_format};
use crate::worm::{ObjectKey, ReadError, SEAL_BYTES_MAX, SEGMENT_BYTES_MAX, Version, WormStore, below, read_versions, seal_key};

/// Tries of one read before the store counts as unavailable.
const READ_TRIES: u32 = 4;
/// Wait before the second try; it doubles.
const READ_BACKOFF: std::time::Duration = std::time::Duration::from_millis(100);

/// All data versions of a key with their bytes, oldest first. However many: a writer must know where its own seal stands among them.
pub(crate) async fn versions_with_bytes(store: &dyn WormStore, key: &ObjectKey, limit: u64) -> Result<Vec<(Version, Bytes)>, ReadError> {
    retried(|| async { read_versions(store, &store.versions(key).await?, limit, usize::MAX).await }).await
}

/// Repeats a read that the store could not answer just now.
pub(crate) async fn retried<T, F: Future<Output = Result<T, ReadError>>>(read: impl Fn() -> F) -> Result<T, ReadError> {
    let mut wait = READ_BACKOFF;
    for _ in 1..READ_TRIES {
        match read().await {
            Err(e) if e.is_retryable() => tokio::time::sleep(wait).await,
            done => return done,
        }
        wait *= 2;
    }
    read().await
}

/// What lies at a seal's key.
#[derive(Debug)]
pub(crate) struct SealAt {
    /// The true seal and its version.
    pub(crate) truth: Option<(Version, Bytes, SealFile)>,
    /// There are data versions of which none is the truth.
    pub(crate) others: usize,
    /// Versions that the log's key signed, but that are not the log.
    pub(crate) forks: usize,
    /// The format of a version that a newer program signed. It is older than all that this one can judge, so nothing here is the truth to
    /// us, and this index must not be signed again.
    pub(crate) newer: Option<String>,
}

/// Reads and judges all versions of seal `index`, under the key that signs there.
pub(crate) async fn seal_at(
    store: &dyn WormStore,
    log: &str,
    index: u64,
    lineage: &Lineage,
    before: Option<&SealFile>,
) -> Result<SealAt, ReadError> {
    let key = lineage.at(index);
    let versions = versions_with_bytes(store, &seal_key(log, index), SEAL_BYTES_MAX).await?;
    let judgements = judge(index, key, before, versions.iter().map(|(_, bytes)| bytes.as_ref()));
    let mut before_truth = versions.iter().zip(&judgements).take_while(|(_, judgement)| !matches!(judgement, Judgement::Truth(_)));
    let newer = before_truth.find_map(|((_, bytes), judgement)| newer_format(judgement, bytes, index, key));
    let mut at = SealAt { truth: None, others: 0, forks: 0, newer: newer.map(str::to_owned) };
    for ((version, bytes), judgement) in versions.into_iter().zip(judgements) {
        match judgement {
            Judgement::Truth(_) if at.newer.is_some() => at.others += 1,
            Judgement::Truth(seal) => at.truth = Some((version, bytes, *seal)),
            Judgement::Duplicate => {}
            Judgement::Fork(_) => {
                at.forks += 1;
                at.others += 1;
            }
            Judgement::Foreign(_) => at.others += 1,
        }
    }
    Ok(at)
}

/// What `each` makes of the lines of a segment (without their newlines), in order; what it answers `None` for is left out. Only one line is
/// decoded at a time. `None`: no version with the sealed SHA-256 is there.
pub(crate) async fn segment_lines<T: Send + 'static>(
    store: &dyn WormStore,
    log: &str,
    segment: &SegmentRef,
    mut each: impl FnMut(&[u8]) -> Option<T> + Send + 'static,
) -> Result<Option<Vec<T>>, ReadError> {
    let Some(bytes) = segment_bytes(store, log, segment).await? else { return Ok(None) };
    let decoded = tokio::task::spawn_blocking(move || {
        let mut made = Vec::new();
        each_line(&bytes, |_, line| {
            made.extend(each(line));
            Ok::<(), FrameError>(())
        })
        .map(|()| made)
    });
    let broken = |reason: String| ReadError::Refused { key: below(log, &segment.key).to_string(), reason };
    match decoded.await {
        Ok(Ok(made)) => Ok(Some(made)),
        Ok(Err(e)) => Err(broken(e.to_string())),
        Err(_) => Err(broken("reading it was cut short".to_owned())),
    }
}

/// The stored bytes of a segment.
async fn segment_bytes(store: &dyn WormStore, log: &str, segment: &SegmentRef) -> Result<Option<Bytes>, ReadError> {
    let key = below(log, &segment.key);
    let named = match retried(|| store.get(&key, segment.version_id.as_ref(), SEGMENT_BYTES_MAX)).await {
        Err(ReadError::TooLarge { .. }) => None,
        named => named?,
    };
    if let Some(bytes) = named.filter(|bytes| Hash::of(bytes) == segment.sha256) {
        return Ok(Some(bytes));
    }
    // `version_id` is a locator: any version of the key with this hash is the segment.
    let all = versions_with_bytes(store, &key, SEGMENT_BYTES_MAX).await?;
    Ok(all.into_iter().map(|(_, bytes)| bytes).find(|bytes| Hash::of(bytes) == segment.sha256))
}

/// The configuration text in force at `newest`: `change.after` of the `config_change` record whose hash its statement names.
///
/// The hash is constant over runs of seals, and the first seal of each run holds the record, so a boundary is found by stepping back
/// in doubling strides and then halving. `None`: the record is gone from the store.
pub(crate) async fn config_in_force(
    store: &dyn WormStore,
    log: &str,
    lineage: &Lineage,
    newest: &SealFile,
) -> Result<Option<String>, ReadError> {
    let wanted = newest.statement.config_sha256;
    let mut with = newest.clone();
    let mut without: Option<u64> = None;
    let mut stride = 1;
    loop {
        let at = with.statement.index;
        let probe = match without {
            Some(low) if at - low <= 1 => break,
            Some(low) => low + (at - low) / 2,
            None if at == 0 => break,
            None => at.saturating_sub(stride),
        };
        match seal_at(store, log, probe, lineage, None).await?.truth {
            Some((_, _, seal)) if seal.statement.config_sha256 == wanted => with = seal,
            _ => without = Some(probe),
        }
        stride *= 2;
    }
    for segment in &with.statement.segments {
        let after_of = move |line: &[u8]| {
            memchr::memmem::find(line, b"\"config_change\"")?;
            let after = Json::parse(line).ok()?.path("change.after").and_then(Json::as_str).map(str::to_owned);
            after.filter(|text| Hash::of(text.as_bytes()) == wanted)
        };
        if let Some(after) = segment_lines(store, log, segment, after_of).await?.and_then(|found| found.into_iter().next()) {
            return Ok(Some(after));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::{ManualClock, UnixNanos, UnixSeconds};
    use crate::tlog::RootHash;
    use crate::worm::memory::{MemoryOptions, MemoryStore};
    use crate::worm::{Lock, Mode, SEGMENT_DECODED_MAX};

    /// Scenario: a segment that a seal names and hashes is not one frame of lines: two frames, or more than the format allows. Guarantee:
    /// the writer reads none of it, as every verifier does, instead of a part.
    #[tokio::test]
    async fn a_segment_is_read_whole_or_not_at_all() {
        let store = MemoryStore::new(Arc::new(ManualClock::new(UnixNanos(1))), MemoryOptions::default());
        let frame = |plain: &[u8]| zstd::bulk::compress(plain, 1).unwrap();
        let bomb = || {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            let line = [&[b'x'; 1023][..], b"\n"].concat().repeat(1024);
            for _ in 0..=SEGMENT_DECODED_MAX / u64::try_from(line.len()).unwrap() {
                std::io::Write::write_all(&mut encoder, &line).unwrap();
            }
            encoder.finish().unwrap()
        };
        for (n, (stored, good)) in
            [(frame(b"a\nb\n"), true), ([frame(b"a\n"), frame(b"b\n")].concat(), false), (bomb(), false)].into_iter().enumerate()
        {
            let segment = SegmentRef {
                key: format!("segments/a/{n}"),
                version_id: None,
                sha256: Hash::of(&stored),
                bytes: 1,
                records: 2,
                merkle_root: RootHash(Hash([0; 32])),
                class: "a".to_owned(),
                lock: Lock { mode: Mode::Governance, retain_until: UnixSeconds(0) },
                first: UnixNanos(0),
                last: UnixNanos(0),
            };
            store.overwrite_foreign(&below("log", &segment.key), stored);
            let read = segment_lines(&store, "log", &segment, |line| Some(line.len())).await;
            assert_eq!(read.is_ok(), good, "{n}: {:?}", read.map(|lines| lines.map(|lines| lines.len())));
        }
    }
}
