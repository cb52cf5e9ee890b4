//! The records of a hold or an extension are kept for as long as what they say is in force, as what they name is: without them nobody knows any
//! more what has to be kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::carry::want;
use super::chain::Link;
use super::decrees::{Order, SegmentId, Step};
use super::enforce::{Done, EnforceError, Enforcer, Want, named};
use super::places::Expected;
use crate::query::log::LogReader;
use crate::tlog::seal_file::SegmentRef;
use crate::worm::WormStore;

/// What the segment of a record needs; `None`: nothing beyond its own lock.
fn wanted(link: &Link) -> Option<Want> {
    let entry = &link.entry;
    let is_kept = match entry.of.order {
        Order::Hold => matches!(entry.step, Step::Open | Step::Apply),
        Order::Extend(_) => matches!(entry.step, Step::Apply | Step::Close),
    };
    is_kept.then(|| want(entry.of.order))
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
