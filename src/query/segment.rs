//! Reading one segment: the bytes that its seal signed, decompressed within the format's limits, line by line.

use bytes::Bytes;

use super::Problem;
use crate::clock::UnixSeconds;
use crate::plain::counted;
use crate::tlog::Hash;
use crate::tlog::seal_file::SegmentRef;
use crate::tlog::segment::{FrameError, each_line};
use crate::worm::{SEGMENT_BYTES_MAX, WormStore, below};

/// Why there are no bytes.
pub(crate) enum Unfetched {
    /// No version is there, and the date until which it had to be kept is past.
    Expired(Problem),
    /// Anything else.
    Problem(Problem),
}

impl From<Unfetched> for Problem {
    fn from(unfetched: Unfetched) -> Self {
        match unfetched {
            Unfetched::Expired(problem) | Unfetched::Problem(problem) => problem,
        }
    }
}

/// Reads a segment's stored bytes and checks their SHA-256. The named version first; if that is absent or differs, any version of the
/// key with this sha256 is the segment (`store.md`, "`version_id` is a locator").
pub(crate) async fn fetch(store: &dyn WormStore, log: &str, segment: &SegmentRef, now: UnixSeconds) -> Result<Bytes, Unfetched> {
    let key = below(log, &segment.key);
    let problem = |what: String| Unfetched::Problem(Problem { object: key.to_string(), what });
    let mut why = "the store has no version of it".to_owned();
    match store.get(&key, segment.version_id.as_ref(), SEGMENT_BYTES_MAX).await {
        Ok(Some(bytes)) if Hash::of(&bytes) == segment.sha256 => return Ok(bytes),
        Ok(Some(_)) => why = "its bytes are not those that the seal signed (SHA-256 differs)".to_owned(),
        Ok(None) => {}
        Err(error) => why = error.to_string(),
    }
    let versions = store
        .versions(&key)
        .await
        .map_err(|e| problem(format!("{why}; {e}; not searched: its {}", counted(segment.records, "record", "records"))))?;
    if segment.lock.retain_until <= now && versions.iter().all(|v| v.is_delete_marker) {
        let SegmentRef { records, class, lock, .. } = segment;
        let what = format!(
            "gone since its date: it was kept until {}, and its seal proves that {} of class `{class}` stood there; `spanseal \
             verify` says whether a hold or an extension should have kept it",
            lock.retain_until,
            counted(*records, "record", "records")
        );
        return Err(Unfetched::Expired(Problem { object: key.to_string(), what }));
    }
    for version in versions.iter().filter(|v| !v.is_delete_marker && v.id.is_some() && v.id != segment.version_id) {
        match store.get(&key, version.id.as_ref(), SEGMENT_BYTES_MAX).await {
            Ok(Some(bytes)) if Hash::of(&bytes) == segment.sha256 => return Ok(bytes),
            Ok(_) => {}
            Err(error) => why = error.to_string(),
        }
    }
    Err(problem(format!("{why}; not searched: its {}; run `spanseal verify`", counted(segment.records, "record", "records"))))
}

/// Why no more lines are read.
struct Stop(String);

impl From<FrameError> for Stop {
    fn from(error: FrameError) -> Self {
        Stop(error.to_string())
    }
}

/// Hands every line to `each`, with its index. Stops at the first sign that the segment is not as its seal says, and where `each` says why.
pub(crate) fn lines(stored: &[u8], segment: &SegmentRef, mut each: impl FnMut(u64, &[u8]) -> Result<(), String>) -> Result<(), String> {
    let mut records = 0;
    each_line(stored, |at, line| {
        if at >= segment.records {
            return Err(Stop(format!("it holds more records than the {} that its seal says", segment.records)));
        }
        records = at + 1;
        each(at, line).map_err(Stop)
    })
    .map_err(|Stop(why)| why)?;
    if records == segment.records {
        return Ok(());
    }
    Err(format!("it holds {records} records where its seal says {}", segment.records))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{UnixNanos, UnixSeconds};
    use crate::tlog::RootHash;
    use crate::worm::{Lock, Mode};

    fn segment(records: u64) -> SegmentRef {
        SegmentRef {
            key: "segments/a/2026/11/20/0.jsonl.zst".to_owned(),
            version_id: None,
            sha256: Hash([0; 32]),
            bytes: 1,
            records,
            merkle_root: RootHash(Hash([0; 32])),
            class: "a".to_owned(),
            lock: Lock { mode: Mode::Governance, retain_until: UnixSeconds(0) },
            first: UnixNanos(0),
            last: UnixNanos(0),
        }
    }

    fn read(plain: &[u8], records: u64) -> Result<Vec<Vec<u8>>, String> {
        let mut found = Vec::new();
        let stored = zstd::bulk::compress(plain, 1).unwrap();
        lines(&stored, &segment(records), |i, line| {
            assert_eq!(i, found.len() as u64);
            found.push(line.to_vec());
            Ok(())
        })
        .map(|()| found)
    }

    #[test]
    fn lines_come_out_in_order() {
        assert_eq!(read(b"a\nbc\n", 2).unwrap(), [b"a".to_vec(), b"bc".to_vec()]);
    }

    #[test]
    fn what_is_not_as_sealed_is_an_error() {
        assert!(read(b"a\nb", 2).is_err(), "the last line does not end");
        assert!(read(b"a\n", 2).is_err() && read(b"a\nb\nc\n", 2).is_err(), "another number of records");
        let none = |_: u64, _: &[u8]| Ok(());
        assert!(lines(b"not zstd", &segment(1), none).is_err());
        let mut cut = zstd::bulk::compress(b"aaaaaaaaaaaaaaaaaaaaaaaa\n", 1).unwrap();
        cut.truncate(cut.len() - 1);
        assert!(lines(&cut, &segment(1), none).is_err());
    }

    /// What a seal does not say is not looked at, however much of it there is; and who asks for no more gets no more.
    #[test]
    fn no_more_lines_are_read_than_were_sealed() {
        let stored = zstd::bulk::compress(&b"{}\n".repeat(1_000_000), 1).unwrap();
        let mut read = 0;
        let why = lines(&stored, &segment(3), |_, _| {
            read += 1;
            Ok(())
        });
        assert_eq!((read, why), (3, Err("it holds more records than the 3 that its seal says".to_owned())));
        let why = lines(&stored, &segment(1_000_000), |at, _| if at == 4 { Err("enough".to_owned()) } else { Ok(()) });
        assert_eq!(why, Err("enough".to_owned()));
    }
}
