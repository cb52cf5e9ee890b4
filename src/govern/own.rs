//! The records of a hold or an extension are kept for as long as what they say is in force, as what they name is: without them nobody knows any
//! more what has to be kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::carry::want;
use super::chain::{self, ChainError, Link};
use super::decrees::{Decree, Order, SegmentId, Step};
use super::enforce::{Done, EnforceError, Enforcer, Want, named};
use super::places::Expected;
use crate::clock::UnixSeconds;
use crate::query::log::{LogReader, TrustedKey};
use crate::tlog::seal_file::SegmentRef;
use crate::worm::{ReadError, WormStore};

/// What the segment of a record needs; `None`: nothing beyond its own lock.
fn wanted(link: &Link) -> Option<Want> {
    let entry = &link.entry;
    let is_kept = match entry.of.order {
        Order::Hold => matches!(entry.step, Step::Open | Step::Apply),
        Order::Extend(_) => matches!(entry.step, Step::Apply | Step::Close),
    };
    is_kept.then(|| want(entry.of.order))
}

/// Why records are not kept as long as what they say is in force. Done again, it goes on.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// The store.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// They could not be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// They could not be kept.
    #[error(transparent)]
    Enforce(#[from] EnforceError),
}

/// Keeps the records of one decree, as far as they are sealed now.
pub async fn keep_of(
    (store, log, trusted): (&Arc<dyn WormStore>, &str, &[TrustedKey]),
    decree: &Decree,
    expected: Expected,
) -> Result<Done, OwnError> {
    let log = LogReader::open(Arc::clone(store), log, trusted).await?;
    let links = chain::read(store, &log).await?.all;
    Ok(keep((store, &log), links.iter().filter(|link| link.is_of(decree)), expected).await?)
}

/// Keeps the records of extensions that are over and bind still. Whoever closed one may have died before its last record was kept, and nobody
/// who carries out what is open looks at it any more.
pub async fn keep_closed(
    (store, log): (&Arc<dyn WormStore>, &LogReader),
    links: &[Link],
    (now, expected): (UnixSeconds, Expected),
) -> Result<Done, EnforceError> {
    let open = links.last().map(|link| link.entry.open.as_slice()).unwrap_or_default();
    let binds = |link: &&Link| match link.entry.of.order {
        Order::Extend(lock) => lock.retain_until > now && !open.iter().any(|open| link.is_of(open)),
        Order::Hold => false,
    };
    keep((store, log), links.iter().filter(binds), expected).await
}

/// Does to the segments that hold these records what the records say of others. It may be done again.
pub async fn keep(
    (store, log): (&Arc<dyn WormStore>, &LogReader),
    links: impl IntoIterator<Item = &Link>,
    expected: Expected,
) -> Result<Done, EnforceError> {
    let mut by_want: Vec<(Want, BTreeSet<SegmentId>)> = Vec::new();
    for (link, want) in links.into_iter().filter_map(|link| Some((link, wanted(link)?))) {
        match by_want.iter_mut().find(|(other, _)| *other == want) {
            Some((_, ids)) => drop(ids.insert(link.segment)),
            None => by_want.push((want, BTreeSet::from([link.segment]))),
        }
    }
    let mut done = Done::default();
    for (want, ids) in by_want {
        done.add(to((store, log), ids, want, expected).await?);
    }
    Ok(done)
}

/// Does it to these segments, wherever it was not done or was undone.
pub async fn to(
    (store, log): (&Arc<dyn WormStore>, &LogReader),
    ids: impl IntoIterator<Item = SegmentId>,
    want: Want,
    expected: Expected,
) -> Result<Done, EnforceError> {
    let mut done = Done::default();
    let mut enforcer = Enforcer::new(Arc::clone(store), log, want, expected);
    for (seal, segments) in named(log, ids).await? {
        let segments: Vec<&SegmentRef> = segments.iter().collect();
        done.add(enforcer.seal(seal, &segments).await?);
    }
    Ok(done)
}
