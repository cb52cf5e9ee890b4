//! The records of decrees, found by the chain that statements make of them: the newest seal names the newest seal that holds one, and the
//! statement before that one names the next. Nothing else is read.

use std::sync::Arc;

use super::decrees::{Decree, Entry, Ledger, SegmentId};
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::query::Problem;
use crate::query::log::LogReader;
use crate::query::segment::{self, Unfetched};
use crate::record::canonical::Json;
use crate::tlog::seal_file::{SealFile, SegmentRef};
use crate::worm::{ReadError, WormStore};

/// Why the decrees of a log are not known. What was not read may have placed a hold, so nothing is guessed.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The store.
    #[error("the records of holds and extensions could not be read: {0}")]
    Read(#[from] ReadError),
    /// Something of them is missing or not as it was sealed.
    #[error("the records of holds and extensions could not all be read: {object}: {what}")]
    Broken {
        /// Which object.
        object: String,
        /// What is wrong with it.
        what: String,
    },
}

/// One record of a decree, and where it stands.
#[derive(Clone, Debug)]
pub struct Link {
    /// The seal that holds it.
    pub seal: u64,
    /// The segment that does.
    pub segment: SegmentId,
    /// When that closed.
    pub sealed_at: UnixSeconds,
    /// What it says.
    pub entry: Entry,
    /// The record's id.
    pub record: String,
    /// Why, as it was said.
    pub ground: Option<String>,
    /// The order or file that it answers.
    pub ticket: Option<String>,
    /// Who ordered it, as evidence names persons.
    pub by: Option<String>,
}

impl Link {
    /// Whether it is of this decree, and not of another one of its name.
    pub fn is_of(&self, decree: &Decree) -> bool {
        self.entry.of.id == decree.id && self.entry.of.since == decree.since
    }
}

/// The records of decrees that are there.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Oldest first.
    pub all: Vec<Link>,
    /// The newest seal of which the records are gone since their date, as planned. What they said is not known any more.
    pub gone: Option<u64>,
}

/// Every record of a decree.
pub async fn read(store: &Arc<dyn WormStore>, log: &LogReader) -> Result<Links, ChainError> {
    let (mut links, mut gone) = (Vec::new(), None);
    let mut next = newest(log).await?;
    while let Some(index) = next {
        // With the one before, whose statement names the next.
        let seals = log.seals(index.saturating_sub(1)..index.saturating_add(1)).await?;
        let of = |index: u64| seals.found.get(&index).ok_or_else(|| missing(log, index, &seals.problems));
        match links_of(store, log, of(index)?).await? {
            Some(of_seal) => links.push(of_seal),
            None => drop(gone.get_or_insert(index)),
        }
        next = match index.checked_sub(1) {
            Some(before) => of(before)?.statement.decrees,
            None => None,
        };
    }
    Ok(Links { all: links.into_iter().rev().flatten().collect(), gone })
}

/// Those of one seal.
pub async fn read_at(store: &Arc<dyn WormStore>, log: &LogReader, index: u64) -> Result<Vec<Link>, ChainError> {
    let seals = log.seals(index..index.saturating_add(1)).await?;
    let seal = seals.found.get(&index).ok_or_else(|| missing(log, index, &seals.problems))?;
    Ok(links_of(store, log, seal).await?.unwrap_or_default())
}

/// The newest record of a decree: it says all that are open. None, too, where it is gone since its date: what is open is kept with its records.
pub async fn newest_link(store: &Arc<dyn WormStore>, log: &LogReader) -> Result<Option<Link>, ChainError> {
    let Some(index) = newest(log).await? else { return Ok(None) };
    Ok(read_at(store, log, index).await?.pop())
}

/// What all of them come to.
pub fn ledger<'l>(links: impl IntoIterator<Item = &'l Link>) -> Ledger {
    let mut ledger = Ledger::default();
    links.into_iter().for_each(|link| ledger.take(link.entry.clone(), Some(link.segment)));
    ledger
}

async fn newest(log: &LogReader) -> Result<Option<u64>, ChainError> {
    let Some(newest) = log.size().checked_sub(1) else { return Ok(None) };
    let seals = log.seals(newest..log.size()).await?;
    let seal = seals.found.get(&newest).ok_or_else(|| missing(log, newest, &seals.problems))?;
    Ok(seal.statement.decrees)
}

fn missing(log: &LogReader, index: u64, problems: &[Problem]) -> ChainError {
    let what = problems.first().map_or_else(|| "it is not there".to_owned(), |problem| problem.what.clone());
    ChainError::Broken { object: crate::worm::seal_key(log.name(), index).to_string(), what: format!("{what}; run `spanseal verify`") }
}

/// Those of one seal that says it holds any; `None`: they are gone since their date. They are in the class that keeps longest, so other segments
/// are read only where there is none.
async fn links_of(store: &Arc<dyn WormStore>, log: &LogReader, seal: &SealFile) -> Result<Option<Vec<Link>>, ChainError> {
    let statement = &seal.statement;
    let order = |segment: &SegmentRef| (segment.lock.retain_until, segment.lock.mode);
    let longest = statement.segments.iter().map(order).max();
    let (likely, others): (Vec<&SegmentRef>, Vec<&SegmentRef>) =
        statement.segments.iter().partition(|segment| Some(order(segment)) == longest);
    let (mut links, mut gone) = (Vec::new(), false);
    for segments in [likely, others] {
        for segment in segments {
            match in_segment(store, log, seal, segment).await? {
                Some(of_segment) => links.extend(of_segment),
                None => gone = true,
            }
        }
        if !links.is_empty() {
            return Ok(Some(links));
        }
    }
    if gone {
        return Ok(None);
    }
    let object = crate::worm::seal_key(log.name(), statement.index).to_string();
    Err(ChainError::Broken { object, what: "it says that it holds such a record, and there is none in its segments".to_owned() })
}

async fn in_segment(
    store: &Arc<dyn WormStore>,
    log: &LogReader,
    seal: &SealFile,
    segment: &SegmentRef,
) -> Result<Option<Vec<Link>>, ChainError> {
    let object = || format!("{}/{}", log.name(), segment.key);
    let broken = |what: String| ChainError::Broken { object: object(), what };
    let stored = match segment::fetch(store.as_ref(), log.name(), segment, SystemClock.now().ceil_seconds()).await {
        Ok(stored) => stored,
        Err(Unfetched::Expired(_)) => return Ok(None),
        Err(Unfetched::Problem(Problem { object, what })) => return Err(ChainError::Broken { object, what }),
    };
    let id = SegmentId::new(seal.statement.index, &segment.sha256);
    let (described, place) = (segment.clone(), (id, seal.statement.sealed_at));
    let task = tokio::task::spawn_blocking(move || {
        let mut links = Vec::new();
        let read = segment::lines(&stored, &described, |_, line| {
            if memchr::memmem::find(line, super::decrees::FORMAT.as_bytes()).is_some()
                && let Ok(record) = Json::parse(line)
                && let Some(entry) = Entry::of(&record)
            {
                links.push(link(place, &record, entry?));
            }
            Ok(())
        });
        read.map(|()| links)
    });
    task.await.map_err(|error| broken(format!("not read: {error}")))?.map(Some).map_err(broken)
}

fn link((segment, sealed_at): (SegmentId, UnixSeconds), record: &Json, entry: Entry) -> Link {
    let text = |path: &str| record.path(path).and_then(Json::as_str).map(str::to_owned);
    let (ground, ticket, by) = (text("control.ground"), text("control.ticket"), text("control.by"));
    Link { seal: segment.seal, segment, sealed_at, entry, record: text("id").unwrap_or_default(), ground, ticket, by }
}
