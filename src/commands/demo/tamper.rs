//! A forger at work on a copy: one outcome is changed inside a sealed segment, as somebody with the disk in hand could.

use std::path::Path;

use anyhow::{Context, bail};

use crate::query::Hit;
use crate::worm::local::{LocalOptions, LocalStore};
use crate::worm::{Condition, ObjectKey, SEGMENT_BYTES_MAX, WormStore, below};

/// Objects that a demo's log holds at most; a store that holds more is not the demo's.
const OBJECTS_MAX: usize = 10_000;

/// Copies a log into a folder and, on the way, puts the forged bytes in place of one segment.
pub(super) async fn copy_forged(
    from: &dyn WormStore,
    log: &str,
    to: &Path,
    forged: &ObjectKey,
    bytes: Vec<u8>,
) -> anyhow::Result<LocalStore> {
    let copy = LocalStore::open(to, LocalOptions::default())?;
    let listed = from.list(&format!("{log}/"), None, OBJECTS_MAX).await?;
    if listed.len() >= OBJECTS_MAX {
        bail!("the log `{log}` holds more than a demo makes");
    }
    let mut done = false;
    for version in listed.iter().filter(|v| !v.is_delete_marker && v.is_latest) {
        let body = if version.key == *forged {
            done = true;
            bytes.clone().into()
        } else {
            let read = from.get(&version.key, version.id.as_ref(), SEGMENT_BYTES_MAX).await?;
            read.with_context(|| format!("`{}` is gone", version.key))?
        };
        copy.put(&version.key, body, Condition::CreateOnly, None).await?;
    }
    if !done {
        bail!("`{forged}` is not among the objects of the log");
    }
    Ok(copy)
}

/// The segment that holds `hit`, with `from` changed to `to` inside that record: decompressed, edited and compressed again, so that it
/// still reads as a perfectly good segment.
pub(super) async fn forge(store: &dyn WormStore, hit: &Hit, from: &str, to: &str) -> anyhow::Result<(ObjectKey, Vec<u8>)> {
    let place = &hit.place;
    let key = below(&place.log, &place.segment.key);
    let stored =
        store.get(&key, place.segment.version_id.as_ref(), SEGMENT_BYTES_MAX).await?.with_context(|| format!("`{key}` is gone"))?;
    let plain = zstd::stream::decode_all(&stored[..]).context("a segment of our own does not decompress")?;
    let text = String::from_utf8(plain).context("a segment of our own is not text")?;
    let line = std::str::from_utf8(&hit.line).context("a record of our own is not text")?;
    let edited = line.replacen(from, to, 1);
    if edited == line || !text.contains(line) {
        bail!("the record does not say {from}, so there is nothing to forge");
    }
    Ok((key, zstd::stream::encode_all(text.replacen(line, &edited, 1).as_bytes(), 3)?))
}
