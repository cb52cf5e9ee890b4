//! Builds a proof bundle from one seal and one segment. The seal's own checkpoint is used, whose path is its frontier, reversed; or a later one
//! that others vouch for.

use std::cmp::Ordering;

use super::proof::{Bundle, Inclusion, Rotation, Unknown};
use super::published::{Found, Looked, Published};
use super::segment::{SegmentError, read_segment};
use super::stamped_at::StampedSeal;
use crate::clock::UnixSeconds;
use crate::record::canonical::Json;
use crate::tlog::cosignature::WitnessKey;
use crate::tlog::merkle::inclusion_path;
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::SealFile;
use crate::tlog::truth::{Judgement, judge};
use crate::tlog::{Hash, LeafIndex, TreeSize};
use crate::worm::{ReadError, SEAL_BYTES_MAX, SEGMENT_BYTES_MAX, VERSIONS_READ_MAX, WormStore, below, read_versions, seal_key, unread};

/// Where a record lies: what an index or a scan knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordAt {
    /// Index of the seal.
    pub seal: u64,
    /// Key of the segment, relative to the log, as the seal names it.
    pub segment: String,
    /// Line in the segment, from 0.
    pub leaf_index: u64,
    /// Seals between the auditor's key and this seal that announced a change of key, ascending. Usually none.
    pub rotations: Vec<u64>,
}

/// Why no bundle could be made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// There is no such seal, segment or line.
    #[error("{0}")]
    NotFound(String),
    /// What is stored does not prove it; `spanseal verify` says more.
    #[error("{object}: {why}; run `spanseal verify`")]
    Broken {
        /// Key below the log.
        object: String,
        /// What is wrong.
        why: String,
    },
    /// More than a bundle may hold.
    #[error("{0}")]
    TooMuch(String),
    /// The store gave no answer.
    #[error(transparent)]
    Read(#[from] ReadError),
}

pub(super) fn broken(object: &str, why: impl std::fmt::Display) -> ProveError {
    ProveError::Broken { object: object.to_owned(), why: why.to_string() }
}

/// Whose cosignatures a bundle should bring, if there are any.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Their keys; nobody's: whoever cosigned first.
    pub witnesses: Vec<WitnessKey>,
    /// How many of them; all of them without it.
    pub quorum: Option<usize>,
}

/// A proof as it was made.
#[derive(Clone, Debug)]
pub struct Made<B> {
    /// The proof.
    pub bundle: B,
    /// Why witnesses may have seen more than it shows: not all that is stored of them was looked at.
    pub left_out: Option<String>,
}

/// The same as [`prove`] under a later checkpoint, at or after the record's seal, that somebody else vouches for. Of the first that enough of the
/// wanted witnesses cosigned (failing that, that anybody did) and the first with a time stamp: the earlier one that has both, else the cosigned one,
/// which says more, else the stamped one; where there is neither, the seal's own.
///
/// KNOWN GAP: where a change of key lies between the two, the seal's own checkpoint is taken, without cosignatures and time stamps.
pub async fn prove_published(
    store: &dyn WormStore,
    log: &str,
    keys: &[(u64, VerifierKey)],
    (key, wanted): (&VerifierKey, &Wanted),
    at: &RecordAt,
) -> Result<Made<Bundle>, ProveError> {
    let mut looked = Looked::default();
    let bundle = under_published(store, log, keys, (key, wanted), at, &mut looked).await?;
    Ok(Made { bundle, left_out: looked.left_out() })
}

async fn under_published(
    store: &dyn WormStore,
    log: &str,
    keys: &[(u64, VerifierKey)],
    (key, wanted): (&VerifierKey, &Wanted),
    at: &RecordAt,
    looked: &mut Looked,
) -> Result<Bundle, ProveError> {
    let mut bundle = prove(store, log, key, at).await?;
    let signer = match bundle.rotations.last() {
        Some(last) => {
            let announced = last.statement.get("next_vkey").and_then(Json::as_str).and_then(|text| VerifierKey::parse(text).ok());
            announced.ok_or_else(|| broken("seals/", "a change of key without its key"))?
        }
        None => key.clone(),
    };
    let scene = Published { store, log, key: &signer, keys };
    let Some(Vouched { seal, lines, tokens }) = vouched(scene, at.seal, wanted, looked).await? else { return Ok(bundle) };
    let (own, checkpoint) = (bundle.log.clone(), std::mem::replace(&mut bundle.checkpoint, seal.checkpoint.clone()));
    if seal.statement.index != at.seal {
        match scene.inclusion(at.seal, TreeSize(seal.statement.index.saturating_add(1))).await? {
            Some(place) => bundle.log = place,
            None => {
                bundle.checkpoint = checkpoint;
                return Ok(bundle);
            }
        }
    }
    (bundle.cosignatures, bundle.timestamps) = (lines, tokens);
    match bundle.check(key, UnixSeconds::MAX) {
        Ok(_) => Ok(bundle),
        // What is stored beside the seals does not spoil what they prove themselves.
        Err(_) => Ok(Bundle { log: own, checkpoint, cosignatures: Vec::new(), timestamps: Vec::new(), ..bundle }),
    }
}

/// The same of a record that was sealed before this key signed: under a checkpoint of this key, whose tree holds the record's seal as well. `keys`
/// are those of the log, this one among them, each with the first seal that it signs, ascending.
pub async fn prove_under(
    store: &dyn WormStore,
    log: &str,
    keys: &[(u64, VerifierKey)],
    (key, wanted): (&VerifierKey, &Wanted),
    at: &RecordAt,
) -> Result<Made<Bundle>, ProveError> {
    let named = keys.iter().find(|(_, known)| known == key).zip(keys.first());
    let ((from, _), (_, first)) = named.ok_or_else(|| ProveError::NotFound(format!("`{key}` is no key of log `{log}`")))?;
    let sealed = prove(store, log, first, at).await?;
    let scene = Published { store, log, key, keys };
    let mut looked = Looked::default();
    let vouched = vouched(scene, *from, wanted, &mut looked).await?;
    // The first that this key signed alone: the seal that announces it is that of the key before.
    let own = match true_seal(store, log, key, *from).await {
        Ok(seal) => Some(Vouched { seal, lines: Vec::new(), tokens: Vec::new() }),
        Err(ProveError::Read(error)) => return Err(error.into()),
        Err(_) => None,
    };
    for Vouched { seal, lines, tokens } in vouched.into_iter().chain(own) {
        let Some(place) = scene.inclusion(at.seal, TreeSize(seal.statement.index.saturating_add(1))).await? else { continue };
        let bundle = Bundle {
            log: place,
            checkpoint: seal.checkpoint,
            cosignatures: lines,
            timestamps: tokens,
            rotations: Vec::new(),
            ..sealed.clone()
        };
        // What is stored beside the seals does not spoil what they prove themselves.
        if bundle.check(key, UnixSeconds::MAX).is_ok() {
            return Ok(Made { bundle, left_out: looked.left_out() });
        }
    }
    Err(ProveError::NotFound(format!(
        "the record was sealed before `{key}` signed, and no seal that this key signed alone leads to it; prove it with the key before (--vkey)"
    )))
}

/// A checkpoint that others vouch for.
pub(super) struct Vouched {
    pub(super) seal: SealFile,
    pub(super) lines: Vec<String>,
    pub(super) tokens: Vec<String>,
}

/// The one that says the most, by the rule of [`prove_published`].
pub(super) async fn vouched(scene: Published<'_>, from: u64, wanted: &Wanted, looked: &mut Looked) -> Result<Option<Vouched>, ProveError> {
    let cosigned = scene.first_cosigned(from, wanted, looked).await?;
    let Some(stamped) = scene.first_stamped(from).await? else {
        return Ok(cosigned.map(|Found { seal, lines }| Vouched { seal, lines, tokens: Vec::new() }));
    };
    let Some(cosigned) = cosigned else {
        return Ok(Some(Vouched { seal: stamped.seal, lines: Vec::new(), tokens: stamped.tokens }));
    };
    let (c, s) = (cosigned.seal.statement.index, stamped.seal.statement.index);
    let both = match c.cmp(&s) {
        Ordering::Equal => Some((cosigned.lines.clone(), stamped)),
        // The earlier one is asked for what it has of the other kind.
        Ordering::Less => {
            // What was asked for is found: this is more.
            let later = scene.first_cosigned(s, wanted, &mut Looked::default()).await?.filter(|found| found.seal.statement.index == s);
            later.map(|found| (found.lines, stamped))
        }
        Ordering::Greater => {
            let later = scene.first_stamped(c).await?.filter(|found| found.seal.statement.index == c);
            later.map(|found| (cosigned.lines.clone(), found))
        }
    };
    Ok(Some(match both {
        Some((lines, StampedSeal { seal, tokens })) => Vouched { seal, lines, tokens },
        None => Vouched { seal: cosigned.seal, lines: cosigned.lines, tokens: Vec::new() },
    }))
}

/// Makes the bundle under the seal's own checkpoint, and checks it before it is handed out.
pub async fn prove(store: &dyn WormStore, log: &str, key: &VerifierKey, at: &RecordAt) -> Result<Bundle, ProveError> {
    let (rotations, signer) = rotations(store, log, key, &at.rotations).await?;
    let seal = true_seal(store, log, &signer, at.seal).await?;
    let segment = seal.statement.segments.iter().find(|s| s.key == at.segment);
    let segment = segment.ok_or_else(|| ProveError::NotFound(format!("seal {} names no segment `{}`", at.seal, at.segment)))?;
    let stored = stored_segment(store, log, segment.version_id.as_ref(), &segment.key, segment.sha256).await?;
    let (class, wanted) = (segment.class.clone(), at.leaf_index);
    let read = tokio::task::spawn_blocking(move || {
        let (mut leaves, mut line) = (Vec::new(), None);
        read_segment(&stored, &class, |index, bytes, leaf| {
            leaves.push(leaf);
            if index == wanted {
                line = Some(bytes.to_vec());
            }
        })?;
        Ok::<_, SegmentError>((leaves, line))
    });
    let (leaves, line) = read.await.map_err(|e| broken(&at.segment, e))?.map_err(|e| broken(&at.segment, e))?;
    let nothing = || ProveError::NotFound(format!("`{}` has no line {}", at.segment, at.leaf_index.saturating_add(1)));
    let record = line.and_then(|l| String::from_utf8(l).ok()).ok_or_else(nothing)?;
    let path = inclusion_path(LeafIndex(at.leaf_index), &leaves).ok_or_else(nothing)?;
    let size = TreeSize(u64::try_from(leaves.len()).unwrap_or(u64::MAX));
    let bundle = Bundle {
        record,
        segment: Inclusion { index: LeafIndex(at.leaf_index), size, path },
        statement: entry(&seal, &super::log::seal_object(at.seal))?,
        log: own_place(&seal),
        checkpoint: seal.checkpoint.clone(),
        cosignatures: Vec::new(),
        timestamps: Vec::new(),
        rotations,
        openings: Vec::new(),
        unknown: Unknown::default(),
    };
    // Dates are not judged here: a proof of what was signed is handed out, and who checks it has a clock of his own.
    match bundle.check(key, UnixSeconds::MAX) {
        Ok(_) => Ok(bundle),
        Err(error) => Err(broken(&at.segment, error)),
    }
}

/// The changes of key that these seals announced, from a key on, and the key that the last of them leads to.
pub(super) async fn rotations(
    store: &dyn WormStore,
    log: &str,
    key: &VerifierKey,
    seals: &[u64],
) -> Result<(Vec<Rotation>, VerifierKey), ProveError> {
    let mut signer = key.clone();
    let mut rotations = Vec::new();
    for index in seals {
        let seal = true_seal(store, log, &signer, *index).await?;
        let object = super::log::seal_object(*index);
        let next = seal.statement.next_vkey.clone().ok_or_else(|| broken(&object, "it announces no change of key"))?;
        rotations.push(Rotation { statement: entry(&seal, &object)?, log: own_place(&seal), checkpoint: seal.checkpoint.clone() });
        signer = next;
    }
    Ok((rotations, signer))
}

/// The statement with all its members, known or not.
pub(super) fn entry(seal: &SealFile, object: &str) -> Result<Json, ProveError> {
    Json::parse(&seal.entry).map_err(|e| broken(object, e))
}

/// In the tree that the seal itself completed.
fn own_place(seal: &SealFile) -> Inclusion {
    let index = seal.statement.index;
    let path = seal.frontier.nodes().iter().rev().copied().collect();
    Inclusion { index: LeafIndex(index), size: TreeSize(index.saturating_add(1)), path }
}

pub(super) async fn true_seal(store: &dyn WormStore, log: &str, key: &VerifierKey, index: u64) -> Result<SealFile, ProveError> {
    let object = seal_key(log, index);
    let mut why = None;
    let listed = store.versions(&object).await?;
    for (_, bytes) in read_versions(store, &listed, SEAL_BYTES_MAX, VERSIONS_READ_MAX).await? {
        match judge(index, key, None, [bytes.as_ref()]).into_iter().next() {
            Some(Judgement::Truth(seal)) => return Ok(*seal),
            Some(Judgement::Foreign(error)) => why = Some(error),
            _ => {}
        }
    }
    match why {
        None => Err(ProveError::NotFound(format!("there is no seal {index} in log `{log}`"))),
        Some(error) => {
            let more = unread(&listed).map_or_else(String::new, |more| format!("; {more} further versions were not read"));
            Err(broken(&super::log::seal_object(index), format!("{error}{more}")))
        }
    }
}

pub(super) async fn stored_segment(
    store: &dyn WormStore,
    log: &str,
    version: Option<&crate::worm::VersionId>,
    relative: &str,
    sha256: Hash,
) -> Result<bytes::Bytes, ProveError> {
    let key = below(log, relative);
    let named = store.get(&key, version, SEGMENT_BYTES_MAX).await?;
    if let Some(bytes) = named.filter(|b| Hash::of(b) == sha256) {
        return Ok(bytes);
    }
    let versions = store.versions(&key).await?;
    if versions.iter().all(|v| v.is_delete_marker) {
        let why = format!(
            "`{relative}` is gone, so no record that was in it can be proved any more; its seal still proves how many there were and until when they \
             had to be kept, and `spanseal verify` says whether it went as planned"
        );
        return Err(ProveError::NotFound(why));
    }
    for other in versions.iter().filter(|v| !v.is_delete_marker) {
        if let Some(bytes) = store.get(&key, other.id.as_ref(), SEGMENT_BYTES_MAX).await?.filter(|b| Hash::of(b) == sha256) {
            return Ok(bytes);
        }
    }
    Err(broken(relative, "no stored version has the SHA-256 that was sealed"))
}
