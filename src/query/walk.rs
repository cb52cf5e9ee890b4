//! Every sealed record of a log, segment by segment, without keeping any: for who counts over evidence that does not fit into an answer.

use std::sync::Arc;

use futures::{StreamExt, stream};
use indicatif::ProgressBar;

use super::log::LogReader;
use super::{Problem, segment};
use crate::clock::{Clock, SystemClock};
use crate::record::canonical::Json;
use crate::tlog::seal_file::{SealFile, SegmentRef, Statement};
use crate::worm::{ReadError, WormStore};

/// Seals are read in steps of this many: one listing each.
const SEALS_AT_ONCE: u64 = 256;
/// Segments under way at once: each holds at most 64 MiB.
const SEGMENTS_AT_ONCE: usize = 4;

/// Takes the records of one segment; made anew for each.
pub trait Visitor: Send + 'static {
    /// A record: its line and what it says.
    fn record(&mut self, line: &[u8], record: &Json);
}

/// Reads every segment of the seals that `wanted` wants, oldest first. `begin` makes a visitor for a segment, `end` takes it back with what
/// it saw. What cannot be read is among the problems, as is a line that is not JSON.
pub async fn walk<V: Visitor>(
    (store, log): (&Arc<dyn WormStore>, &LogReader),
    progress: &ProgressBar,
    wanted: impl Fn(&Statement) -> bool,
    begin: impl Fn(&SealFile, &SegmentRef) -> V,
    mut end: impl FnMut(V, &SealFile, &SegmentRef),
) -> Result<Vec<Problem>, ReadError> {
    let mut problems = log.problems().to_vec();
    progress.set_length(progress.length().unwrap_or(0) + log.size());
    let mut from = 0;
    while from < log.size() {
        let upto = (from + SEALS_AT_ONCE).min(log.size());
        let seals = log.seals(from..upto).await?;
        problems.extend(seals.problems);
        let mut jobs = Vec::new();
        for seal in seals.found.into_values().filter(|seal| wanted(&seal.statement)) {
            jobs.extend(seal.statement.segments.iter().map(|segment| (Arc::clone(&seal), segment.clone())));
        }
        let open = |(seal, segment): (Arc<SealFile>, SegmentRef)| {
            let visitor = begin(&seal, &segment);
            async move {
                let read = read(store.as_ref(), log.name(), &segment, visitor).await;
                (seal, segment, read)
            }
        };
        let mut read = stream::iter(jobs).map(open).buffered(SEGMENTS_AT_ONCE);
        while let Some((seal, segment, (visitor, found))) = read.next().await {
            problems.extend(found);
            if let Some(visitor) = visitor {
                end(visitor, &seal, &segment);
            }
        }
        progress.inc(upto - from);
        from = upto;
    }
    Ok(problems)
}

async fn read<V: Visitor>(store: &dyn WormStore, log: &str, segment: &SegmentRef, mut visitor: V) -> (Option<V>, Vec<Problem>) {
    let stored = match segment::fetch(store, log, segment, SystemClock.now().ceil_seconds()).await {
        Ok(stored) => stored,
        Err(why) => return (None, vec![why.into()]),
    };
    let object = format!("{log}/{}", segment.key);
    let described = segment.clone();
    // Decompressing takes longer than a moment: off the threads that wait for the store.
    let task = tokio::task::spawn_blocking(move || {
        let mut unreadable: u64 = 0;
        let lines = segment::lines(&stored, &described, |_, line| {
            match Json::parse(line) {
                Ok(record) => visitor.record(line, &record),
                Err(_) => unreadable += 1,
            }
            Ok(())
        });
        (visitor, lines.err(), unreadable)
    });
    match task.await {
        Ok((visitor, broken, unreadable)) => {
            let mut problems: Vec<Problem> = broken
                .map(|what| Problem { object: object.clone(), what: format!("{what}; it was read only up to there") })
                .into_iter()
                .collect();
            if unreadable > 0 {
                problems.push(Problem { object, what: format!("{unreadable} of its lines are not JSON; they were not read") });
            }
            (Some(visitor), problems)
        }
        Err(error) => (None, vec![Problem { object, what: format!("not read: {error}") }]),
    }
}
