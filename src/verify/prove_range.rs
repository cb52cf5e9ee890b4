//! Builds a proof bundle of several records (`spanseal.proof-range/1`): the statements of the seals concerned, and of their segments the
//! records that are to be shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt, TryStreamExt, stream};

use super::CONCURRENCY;
use super::proof::{End, Others, RANGE_RECORDS_MAX, RANGE_SEALS_MAX, RangeBundle, SealPart, SegmentPart, Unknown};
use super::prove::{Made, ProveError, Vouched, Wanted, broken, entry, rotations, stored_segment, true_seal, vouched};
use super::published::{Looked, Published};
use super::segment::{SegmentError, read_segment};
use crate::clock::UnixSeconds;
use crate::tlog::merkle::subset_path;
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::{SealFile, SegmentRef};
use crate::tlog::tile::{Node, perfect_root, subset_plan};
use crate::tlog::{LeafIndex, TreeSize};
use crate::worm::WormStore;

/// Seals that are fetched at the same time: each is a listing and a read.
const SEALS_AT_ONCE: usize = 16;

/// What a bundle of several records should hold.
#[derive(Clone, Debug)]
pub struct RangeWish {
    /// Keys of the log, each with the first seal that it signs, ascending.
    pub keys: Vec<(u64, VerifierKey)>,
    /// The key that the proof begins with.
    pub start: VerifierKey,
    /// Seals between that key and the last seal of the bundle that announced a change of key, ascending.
    pub rotations: Vec<u64>,
    /// The records between which everything is accounted for; then their seals are the first and the last.
    pub ends: Option<(End, End)>,
    /// The records that are shown besides the ends.
    pub show: Show,
    /// What could not be looked at when the records were searched, to be told to whoever reads the bundle.
    pub incomplete: Option<String>,
}

/// Which records of a bundle are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Show {
    /// These.
    These(Vec<End>),
    /// All from the first end to the last.
    All,
}

/// Makes the bundle, under the checkpoint that a proof of the last record alone would have, and checks it before it is handed out.
pub async fn prove_range(store: &dyn WormStore, log: &str, wish: &RangeWish, wanted: &Wanted) -> Result<Made<RangeBundle>, ProveError> {
    let mut looked = Looked::default();
    let bundle = under_published(store, log, wish, wanted, &mut looked).await?;
    Ok(Made { bundle, left_out: looked.left_out() })
}

async fn under_published(
    store: &dyn WormStore,
    log: &str,
    wish: &RangeWish,
    wanted: &Wanted,
    looked: &mut Looked,
) -> Result<RangeBundle, ProveError> {
    let lines = Lines::of(wish);
    let indices = indices(wish, &lines)?;
    let Some(&last) = indices.last() else { return Err(ProveError::NotFound("no record is to be proved".to_owned())) };
    let (rotations, signer) = rotations(store, log, &wish.start, &wish.rotations).await?;
    let source = Source { store, log, keys: &wish.keys };
    let seals: Vec<SealFile> = stream::iter(&indices).map(|index| source.seal(*index)).buffered(SEALS_AT_ONCE).try_collect().await?;
    let shown = Budget::default();
    let parts = stream::iter(&seals).map(|seal| source.part(seal, &lines, &shown)).buffered(CONCURRENCY).try_collect().await?;
    let own = seals.last().map(|seal| seal.checkpoint.clone()).unwrap_or_default();
    let mut bundle = RangeBundle {
        ends: wish.ends.clone(),
        seals: parts,
        size: TreeSize(last.saturating_add(1)),
        path: Vec::new(),
        checkpoint: own.clone(),
        cosignatures: Vec::new(),
        timestamps: Vec::new(),
        rotations,
        incomplete: wish.incomplete.clone(),
        unknown: Unknown::default(),
    };
    let places: Vec<LeafIndex> = indices.iter().map(|index| LeafIndex(*index)).collect();
    let published = Published { store, log, key: &signer, keys: &wish.keys };
    if let Some(Vouched { seal, lines, tokens }) = vouched(published, last, wanted, looked).await? {
        let size = TreeSize(seal.statement.index.saturating_add(1));
        // What is stored beside the seals does not spoil what they prove themselves.
        if let Ok(path) = source.path(&places, size, &seals).await {
            (bundle.size, bundle.path, bundle.checkpoint) = (size, path, seal.checkpoint);
            (bundle.cosignatures, bundle.timestamps) = (lines, tokens);
            if bundle.check_with(&wish.start, &Others::default(), UnixSeconds::MAX).is_ok() {
                return Ok(bundle);
            }
        }
        (bundle.size, bundle.checkpoint) = (TreeSize(last.saturating_add(1)), own);
        (bundle.cosignatures, bundle.timestamps) = (Vec::new(), Vec::new());
    }
    bundle.path = source.path(&places, bundle.size, &seals).await?;
    // Dates are not judged here: a proof of what was signed is handed out, and who checks it has a clock of his own.
    match bundle.check_with(&wish.start, &Others::default(), UnixSeconds::MAX) {
        Ok(_) => Ok(bundle),
        Err(error) => Err(broken("seals/", error)),
    }
}

/// Which seals it holds, ascending.
fn indices(wish: &RangeWish, lines: &Lines) -> Result<Vec<u64>, ProveError> {
    let too_many = |count: u64| {
        ProveError::TooMuch(format!("{count} seals would be in it, and a proof holds at most {RANGE_SEALS_MAX}: prove parts of the range"))
    };
    if let Some((from, to)) = &wish.ends {
        if from.seal > to.seal {
            return Err(ProveError::NotFound(format!("seal {} stands behind seal {}: change the two records about", from.seal, to.seal)));
        }
        let count = (to.seal - from.seal).saturating_add(1);
        return if usize::try_from(count).is_ok_and(|n| n <= RANGE_SEALS_MAX) {
            Ok((from.seal..=to.seal).collect())
        } else {
            Err(too_many(count))
        };
    }
    let mut indices: BTreeSet<u64> = lines.these.keys().copied().collect();
    // Where the reader's key is later than that of the first seals, every change of key up to it, so that it is seen to lead there.
    let upto = wish.keys.iter().find(|(_, key)| *key == wish.start).map_or(0, |(from, _)| *from);
    if let Some(&first) = indices.first() {
        let changes = wish.keys.iter().filter_map(|(from, _)| from.checked_sub(1)).filter(|at| *at >= first && *at < upto);
        indices.extend(changes.collect::<Vec<_>>());
    }
    let count = indices.len();
    if count > RANGE_SEALS_MAX { Err(too_many(u64::try_from(count).unwrap_or(u64::MAX))) } else { Ok(indices.into_iter().collect()) }
}

/// Which lines are shown.
struct Lines {
    these: BTreeMap<u64, BTreeMap<String, BTreeSet<u64>>>,
    /// Everything between these two.
    all: Option<(End, End)>,
}

impl Lines {
    fn of(wish: &RangeWish) -> Self {
        let mut these: BTreeMap<u64, BTreeMap<String, BTreeSet<u64>>> = BTreeMap::new();
        let listed = match &wish.show {
            Show::These(places) => places.as_slice(),
            Show::All => &[],
        };
        let ends = wish.ends.iter().flat_map(|(from, to)| [from, to]);
        for place in listed.iter().chain(ends) {
            these.entry(place.seal).or_default().entry(place.segment.clone()).or_default().insert(place.leaf_index.0);
        }
        Lines { these, all: wish.ends.clone().filter(|_| wish.show == Show::All) }
    }

    /// Of one segment.
    fn within(&self, seal: u64, segment: &SegmentRef) -> BTreeSet<u64> {
        if let Some((from, to)) = &self.all {
            let first = if (seal, &segment.key) == (from.seal, &from.segment) { from.leaf_index.0 } else { 0 };
            let end = if (seal, &segment.key) == (to.seal, &to.segment) { to.leaf_index.0.saturating_add(1) } else { segment.records };
            // More than a bundle may show is refused without counting it up.
            let most = u64::try_from(RANGE_RECORDS_MAX).unwrap_or(u64::MAX).saturating_add(1);
            return (first..end.min(first.saturating_add(most))).collect();
        }
        self.these.get(&seal).and_then(|segments| segments.get(&segment.key)).cloned().unwrap_or_default()
    }
}

/// How much is shown so far.
#[derive(Default)]
struct Budget {
    records: AtomicU64,
    bytes: AtomicU64,
}

impl Budget {
    fn take(&self, records: usize, bytes: usize) -> Result<(), ProveError> {
        let add = |sum: &AtomicU64, more: usize| {
            let more = u64::try_from(more).unwrap_or(u64::MAX);
            sum.fetch_add(more, Ordering::Relaxed).saturating_add(more)
        };
        let (records, bytes) = (add(&self.records, records), add(&self.bytes, bytes));
        if usize::try_from(records).is_ok_and(|n| n <= RANGE_RECORDS_MAX) && bytes <= RangeBundle::bytes_max() {
            return Ok(());
        }
        Err(ProveError::TooMuch(format!(
            "it would show more than {RANGE_RECORDS_MAX} records, or more than {} MiB of them, which is the most that a proof holds: prove \
             parts of the range, or withhold records (without --all)",
            RangeBundle::bytes_max() / (1024 * 1024)
        )))
    }
}

/// A log whose keys are known.
#[derive(Clone, Copy)]
struct Source<'a> {
    store: &'a dyn WormStore,
    log: &'a str,
    keys: &'a [(u64, VerifierKey)],
}

impl Source<'_> {
    async fn seal(&self, index: u64) -> Result<SealFile, ProveError> {
        let key = self.keys.iter().rev().find(|(from, _)| *from <= index).map(|(_, key)| key);
        let key = key.ok_or_else(|| ProveError::NotFound(format!("no key of log `{}` is known that signed seal {index}", self.log)))?;
        true_seal(self.store, self.log, key, index).await
    }

    /// What is shown of one seal.
    async fn part(&self, seal: &SealFile, lines: &Lines, shown: &Budget) -> Result<SealPart, ProveError> {
        let index = seal.statement.index;
        let mut segments = Vec::with_capacity(seal.statement.segments.len());
        for segment in &seal.statement.segments {
            let wanted = lines.within(index, segment);
            segments.push(match wanted.is_empty() {
                true => SegmentPart::default(),
                false => self.segment(segment, wanted, shown).await?,
            });
        }
        for (segment, places) in lines.these.get(&index).into_iter().flatten() {
            if !seal.statement.segments.iter().any(|s| s.key == *segment) {
                return Err(ProveError::NotFound(format!("seal {index} names no segment `{segment}` (of which {} records)", places.len())));
            }
        }
        Ok(SealPart { statement: entry(seal, &super::log::seal_object(index))?, segments })
    }

    async fn segment(&self, segment: &SegmentRef, wanted: BTreeSet<u64>, shown: &Budget) -> Result<SegmentPart, ProveError> {
        shown.take(wanted.len(), 0)?;
        let stored = stored_segment(self.store, self.log, segment.version_id.as_ref(), &segment.key, segment.sha256).await?;
        let class = segment.class.clone();
        let read = tokio::task::spawn_blocking(move || {
            let (mut leaves, mut records) = (Vec::new(), Vec::new());
            let mut places = wanted.iter().copied().peekable();
            read_segment(&stored, &class, |index, bytes, leaf| {
                leaves.push(leaf);
                if places.next_if_eq(&index).is_some() {
                    records.push((LeafIndex(index), String::from_utf8_lossy(bytes).into_owned()));
                }
            })?;
            Ok::<_, SegmentError>((subset_path(&wanted.iter().map(|at| LeafIndex(*at)).collect::<Vec<_>>(), &leaves), records))
        });
        let (path, records) = read.await.map_err(|e| broken(&segment.key, e))?.map_err(|e| broken(&segment.key, e))?;
        let path = path.ok_or_else(|| ProveError::NotFound(format!("`{}` has not all of the lines that are to be shown", segment.key)))?;
        shown.take(0, records.iter().map(|(_, line)| line.len()).sum())?;
        Ok(SegmentPart { records, path })
    }

    /// Of seals in the tree of this size: out of the first one's frontier, and else out of the seals that end a subtree.
    async fn path(&self, places: &[LeafIndex], size: TreeSize, seals: &[SealFile]) -> Result<Vec<crate::tlog::Hash>, ProveError> {
        let nothing = || broken("seals/", "the tree cannot be made from its seals");
        let plan = subset_plan(places, size).ok_or_else(nothing)?;
        let mut nodes = seals.first().map(frontier).unwrap_or_default();
        let absent: BTreeSet<Node> = plan.nodes().filter(|node| !nodes.contains_key(node)).collect();
        let fetched =
            stream::iter(absent).map(|node| async move { Ok::<_, ProveError>((node, self.node(node).await?.ok_or_else(nothing)?)) });
        let fetched: Vec<_> = fetched.buffered(SEALS_AT_ONCE).try_collect().await?;
        nodes.extend(fetched);
        plan.path(|node| nodes.get(&node).copied()).ok_or_else(nothing)
    }

    async fn node(&self, node: Node) -> Result<Option<crate::tlog::Hash>, ProveError> {
        let Some(last) = node.last() else { return Ok(None) };
        let seal = self.seal(last).await?;
        Ok(perfect_root(&seal.frontier, seal.leaf(), node.level))
    }
}

/// The perfect subtrees before a seal, each with its place.
fn frontier(seal: &SealFile) -> BTreeMap<Node, crate::tlog::Hash> {
    let (size, mut nodes, mut end) = (seal.statement.index, BTreeMap::new(), 0_u64);
    let levels = (0..u8::try_from(u64::BITS).unwrap_or(0)).rev().filter(|level| size >> level & 1 == 1);
    for (level, hash) in levels.zip(seal.frontier.nodes()) {
        nodes.insert(Node { level, index: end >> level }, *hash);
        end += 1 << level;
    }
    nodes
}
