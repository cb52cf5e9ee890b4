//! Reading the log as its writer must: versions, never a HEAD or a listing of current keys.

use std::io::{BufRead, BufReader, Read};

use bytes::Bytes;

use crate::record::canonical::Json;
use crate::tlog::Hash;
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::{SealFile, SegmentRef};
use crate::tlog::truth::{Judgement, judge};
use crate::worm::{ObjectKey, ReadError, SEAL_BYTES_MAX, SEGMENT_BYTES_MAX, SEGMENT_DECODED_MAX, Version, WormStore, below, seal_key};

/// Base-2 logarithm of the largest zstd window of a segment (8 MiB).
const SEGMENT_WINDOW_LOG_MAX: u32 = 23;

/// Tries of one read before the store counts as unavailable.
const READ_TRIES: u32 = 4;
/// Wait before the second try; it doubles.
const READ_BACKOFF: std::time::Duration = std::time::Duration::from_millis(100);

/// All data versions of a key with their bytes, oldest first. Delete markers are left out; a version that is longer than any seal
/// comes without bytes it could be mistaken by.
pub(crate) async fn versions_with_bytes(store: &dyn WormStore, key: &ObjectKey, limit: u64) -> Result<Vec<(Version, Bytes)>, ReadError> {
    let mut found = Vec::new();
    for version in retried(|| store.versions(key)).await?.into_iter().rev().filter(|v| !v.is_delete_marker) {
        let bytes = match retried(|| store.get(key, version.id.as_ref(), limit)).await {
            Ok(Some(bytes)) => bytes,
            // Too long to be what belongs here: foreign, whatever it says.
            Err(ReadError::TooLarge { .. }) => Bytes::new(),
            // Listed but gone: deleted between two calls, or lifted by somebody with the right to.
            Ok(None) => continue,
            Err(e) => return Err(e),
        };
        found.push((version, bytes));
    }
    Ok(found)
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
}

/// Reads and judges all versions of seal `index`.
pub(crate) async fn seal_at(
    store: &dyn WormStore,
    log: &str,
    index: u64,
    key: &VerifierKey,
    before: Option<&SealFile>,
) -> Result<SealAt, ReadError> {
    let versions = versions_with_bytes(store, &seal_key(log, index), SEAL_BYTES_MAX).await?;
    let judgements = judge(index, key, before, versions.iter().map(|(_, bytes)| bytes.as_ref()));
    let mut at = SealAt { truth: None, others: 0, forks: 0 };
    for ((version, bytes), judgement) in versions.into_iter().zip(judgements) {
        match judgement {
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
        let mut decoder = zstd::Decoder::new(bytes.as_ref())?;
        decoder.window_log_max(SEGMENT_WINDOW_LOG_MAX)?;
        let mut reader = BufReader::new(decoder.take(SEGMENT_DECODED_MAX));
        let (mut made, mut line) = (Vec::new(), Vec::new());
        while reader.read_until(b'\n', &mut line)? > 0 {
            made.extend(each(line.strip_suffix(b"\n").unwrap_or(&line)));
            line.clear();
        }
        Ok::<_, std::io::Error>(made)
    });
    let broken = |reason: String| ReadError::Refused { key: below(log, &segment.key).to_string(), reason };
    match decoded.await {
        Ok(Ok(made)) => Ok(Some(made)),
        Ok(Err(e)) => Err(broken(format!("it does not decompress: {e}"))),
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
    key: &VerifierKey,
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
        match seal_at(store, log, probe, key, None).await?.truth {
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
