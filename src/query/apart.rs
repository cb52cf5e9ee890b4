//! What the newest seals of a log keep apart, as evidence says it: what its vault must have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::{StreamExt, stream};

use super::filter::persons_of;
use super::log::{KeySource, LogReader, TrustedKey};
use super::opening::held;
use super::{Problem, segment};
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::record::RecordId;
use crate::record::canonical::Json;
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::SealFile;
use crate::vault::parse_pseudonym;
use crate::worm::{ReadError, WormStore};

/// Seals are read in steps of this many.
const SEALS_AT_ONCE: u64 = 256;
/// Bytes of segments (as stored) that are read at most.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Seals that are asked for their time at most, to tell for how long a log went on.
const TIMES_MAX: u64 = 64;

/// What one seal keeps apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// When it closed.
    pub sealed_at: UnixSeconds,
    /// Its records with content.
    pub records: BTreeSet<RecordId>,
    /// Whom its records name by a pseudonym of the vault.
    pub persons: BTreeSet<[u8; 16]>,
}

/// What the newest seals keep apart.
#[derive(Debug, Default)]
pub struct Newest {
    /// Index of the first seal that was looked at; all after it were too.
    pub since: u64,
    /// Seals of the log.
    pub size: u64,
    /// By seal, those that keep anything.
    pub seals: BTreeMap<u64, Kept>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// Opens a log to read it by its own key.
pub async fn open(store: &Arc<dyn WormStore>, (log, vkey): (&str, &VerifierKey)) -> Result<LogReader, ReadError> {
    let trusted = [TrustedKey { key: vkey.clone(), source: KeySource::Configured }];
    LogReader::open(Arc::clone(store), log, &trusted).await
}

/// Looks at the newest seals, `most` of them and none below `first`; at fewer where they are large.
pub async fn newest(store: &Arc<dyn WormStore>, log: &LogReader, first: u64, most: u64) -> Result<Newest, ReadError> {
    let size = log.size();
    let lowest = size.saturating_sub(most).max(first).min(size);
    let mut found = Newest { since: size, size, ..Newest::default() };
    let mut room = BYTES_MAX;
    while found.since > lowest {
        let start = found.since.saturating_sub(SEALS_AT_ONCE).max(lowest);
        let seals = log.seals(start..found.since).await?;
        found.problems.extend(seals.problems);
        for (index, seal) in seals.found.into_iter().rev() {
            let bytes: u64 = seal.statement.segments.iter().map(|segment| segment.bytes).sum();
            let Some(left) = room.checked_sub(bytes) else { return Ok(found) };
            room = left;
            let (kept, problems) = look_at(store, log.name(), &seal).await;
            found.problems.extend(problems);
            if !kept.records.is_empty() || !kept.persons.is_empty() {
                found.seals.insert(index, kept);
            }
            found.since = index;
        }
        found.since = start;
    }
    Ok(found)
}

async fn look_at(store: &Arc<dyn WormStore>, log: &str, seal: &Arc<SealFile>) -> (Kept, Vec<Problem>) {
    let mut kept = Kept { sealed_at: seal.statement.sealed_at, ..Kept::default() };
    let mut problems = Vec::new();
    for segment in &seal.statement.segments {
        let stored = match segment::fetch(store.as_ref(), log, segment, SystemClock.now().ceil_seconds()).await {
            Ok(stored) => stored,
            Err(why) => {
                problems.push(why.into());
                continue;
            }
        };
        let (described, mut of_segment) = (segment.clone(), std::mem::take(&mut kept));
        // Decompressing takes longer than a moment.
        let read = tokio::task::spawn_blocking(move || {
            let read = segment::lines(&stored, &described, |_, line| {
                of_segment.take(line);
                Ok(())
            });
            (of_segment, read)
        });
        match read.await {
            Ok((of_segment, read)) => {
                kept = of_segment;
                problems.extend(read.err().map(|what| Problem { object: format!("{log}/{}", segment.key), what }));
            }
            Err(error) => problems.push(Problem { object: format!("{log}/{}", segment.key), what: error.to_string() }),
        }
    }
    (kept, problems)
}

impl Kept {
    fn take(&mut self, line: &[u8]) {
        let has = |text: &str| memchr::memmem::find(line, text.as_bytes()).is_some();
        if !has("\"vault\"") && !has("ps:vault:") {
            return;
        }
        // What is no JSON is told by whoever verifies.
        let Ok(record) = Json::parse(line) else { return };
        self.persons.extend(persons_of(&record).filter_map(parse_pseudonym));
        if !held(&record).is_empty() {
            self.records.extend(record.get("id").and_then(Json::as_str).and_then(RecordId::parse));
        }
    }
}

/// For how many seconds a log was written from a seal on, the longest pause in between left out: while nothing runs nothing is written. By
/// the times of some seals where there are many.
pub async fn written_for(log: &LogReader, first: u64) -> Result<i64, ReadError> {
    let Some(last) = log.size().checked_sub(1).filter(|last| *last > first) else { return Ok(0) };
    let (start, end) = (time(log, first).await?, time(log, last).await?);
    let (Some(start), Some(end)) = (start, end) else { return Ok(0) };
    if end.0 - start.0 <= 0 {
        return Ok(0);
    }
    let step = (last - first).div_ceil(TIMES_MAX);
    let between = (1..TIMES_MAX).map_while(|nth| first.checked_add(nth.checked_mul(step)?).filter(|index| *index < last));
    let between: Vec<u64> = between.collect();
    let times: Vec<Result<Option<UnixSeconds>, ReadError>> =
        stream::iter(between).map(|index| time(log, index)).buffered(8).collect().await;
    let mut all = vec![start];
    for at in times {
        all.extend(at?);
    }
    all.push(end);
    let pauses = all.windows(2).map(|pair| match pair {
        [a, b] => b.0 - a.0,
        _ => 0,
    });
    Ok(end.0 - start.0 - pauses.max().unwrap_or(0))
}

async fn time(log: &LogReader, index: u64) -> Result<Option<UnixSeconds>, ReadError> {
    let seals = log.seals(index..index.saturating_add(1)).await?;
    Ok(seals.found.get(&index).map(|seal| seal.statement.sealed_at))
}
