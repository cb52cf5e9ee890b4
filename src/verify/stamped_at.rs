//! The first time-stamped checkpoint at or after a seal, and the way there: what makes of a proof that a record was signed one that it was
//! published.
//!
//! The path needs no tiles. A subtree `[a, b)` of the tree ends with seal `b - 1`, whose frontier holds the roots of what lies before it in
//! that subtree; so each node of the path takes one seal, and a path of 2^25 seals takes at most 25.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::listing::Pages;
use super::proof::Inclusion;
use super::prove::{ProveError, true_seal};
use crate::timestamp::{Roots, TOKEN_BYTES_MAX, claim, verify};
use crate::tlog::merkle::node_hash;
use crate::tlog::note::VerifierKey;
use crate::tlog::seal_file::SealFile;
use crate::tlog::{Hash, LeafIndex, TreeSize};
use crate::worm::{ObjectKey, ReadError, VERSIONS_READ_MAX, WormStore, parse_timestamp_name};

/// Objects that are looked at on the way to a stamped checkpoint.
const OBJECTS_MAX: usize = 1000;
/// Most tokens in a bundle.
const TOKENS_MAX: usize = 100;

/// A checkpoint with its tokens.
pub(super) struct StampedSeal {
    pub(super) seal: SealFile,
    /// Base64 DER: those over the checkpoint, and those over them.
    pub(super) tokens: Vec<String>,
}

/// The first seal at or after `index` whose checkpoint has a sound token, among those that `key` signed. `None`: there is none yet.
///
/// KNOWN GAP: a seal behind a change of key is passed over, so where the log was not stamped between a record and the next change of key,
/// the proof is without time stamps.
pub(super) async fn first_stamped(
    store: &dyn WormStore,
    log: &str,
    key: &VerifierKey,
    index: u64,
) -> Result<Option<StampedSeal>, ProveError> {
    let prefix = format!("{log}/timestamps/");
    let after = (index > 0).then(|| ObjectKey(format!("{prefix}{index:020}")));
    let mut pages = Pages::new(store, prefix, after);
    let mut folder: Option<(u64, Vec<(Hash, Vec<u8>)>)> = None;
    for _ in 0..OBJECTS_MAX {
        let group = pages.next().await?;
        let name = group.as_ref().and_then(|group| {
            let object = group.key.as_str().strip_prefix(log)?.strip_prefix('/')?;
            parse_timestamp_name(object).map(|(at, short)| (at, short.to_owned()))
        });
        let ends = group.is_none() || name.as_ref().is_some_and(|(at, _)| folder.as_ref().is_some_and(|(before, _)| before != at));
        if ends && let Some((at, tokens)) = folder.take() {
            if let Some(stamped) = stamped(store, log, key, at, &tokens).await? {
                return Ok(Some(stamped));
            }
        }
        let Some(group) = group else { return Ok(None) };
        let Some((at, short)) = name else { continue };
        let (_, tokens) = folder.get_or_insert_with(|| (at, Vec::new()));
        for version in group.data().take(VERSIONS_READ_MAX) {
            let limit = u64::try_from(TOKEN_BYTES_MAX).unwrap_or(u64::MAX);
            let bytes = match store.get(&group.key, version.id.as_ref(), limit).await {
                Ok(bytes) => bytes.unwrap_or_default(),
                Err(ReadError::TooLarge { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let hash = Hash::of(&bytes);
            if hash.to_string().starts_with(&short) {
                tokens.push((hash, bytes.to_vec()));
                break;
            }
        }
    }
    Ok(None)
}

/// The seal of a folder with what of its tokens holds, if one is over its checkpoint.
async fn stamped(
    store: &dyn WormStore,
    log: &str,
    key: &VerifierKey,
    index: u64,
    tokens: &[(Hash, Vec<u8>)],
) -> Result<Option<StampedSeal>, ProveError> {
    let seal = match true_seal(store, log, key, index).await {
        Ok(seal) => seal,
        Err(error @ ProveError::Read(_)) => return Err(error),
        // Not there, not this log's, or of another key.
        Err(ProveError::NotFound(_) | ProveError::Broken { .. }) => return Ok(None),
    };
    let checkpoint = Hash::of(seal.checkpoint.as_bytes());
    // Whom the auditor trusts is his to say: here only what is no token at all, or over something else, is left out.
    let over = |wanted: Hash| {
        let is_over =
            move |bytes: &[u8]| claim(bytes).is_ok_and(|c| c.imprint == Some(wanted)) && verify(bytes, wanted, &Roots::default()).is_ok();
        tokens.iter().filter(move |(_, bytes)| is_over(bytes))
    };
    let mut taken: Vec<&(Hash, Vec<u8>)> = over(checkpoint).collect();
    let mut at = 0;
    while let Some((hash, _)) = taken.get(at).copied() {
        for renewal in over(*hash) {
            if !taken.contains(&renewal) && taken.len() < TOKENS_MAX {
                taken.push(renewal);
            }
        }
        at += 1;
    }
    let tokens: Vec<String> = taken.iter().take(TOKENS_MAX).map(|(_, bytes)| STANDARD.encode(bytes)).collect();
    Ok((!tokens.is_empty()).then_some(StampedSeal { seal, tokens }))
}

/// Where a seal stands in the tree that a later one completed (`PATH` of RFC 6962 section 2.1.1).
pub(super) async fn place(
    store: &dyn WormStore,
    log: &str,
    key: &VerifierKey,
    seal: &SealFile,
    size: TreeSize,
) -> Result<Inclusion, ProveError> {
    let index = seal.statement.index;
    let (mut low, mut high) = (0, size.0);
    // What lies left of the seal is its own frontier, largest first.
    let mut left = seal.frontier.nodes().iter().copied();
    let mut path = Vec::new();
    while high.saturating_sub(low) > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.push(subtree(store, log, key, middle, high).await?);
            high = middle;
        } else {
            let missing = || ProveError::Broken { object: super::log::seal_object(index), why: "its frontier is too short".to_owned() };
            path.push(left.next().ok_or_else(missing)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(Inclusion { index: LeafIndex(index), size, path })
}

/// Root over the seals from `start`, of which a subtree begins, to before `end`: from the last of them.
async fn subtree(store: &dyn WormStore, log: &str, key: &VerifierKey, start: u64, end: u64) -> Result<Hash, ProveError> {
    let last = end.saturating_sub(1);
    let seal = true_seal(store, log, key, last).await?;
    let mut node = seal.leaf().0;
    // The frontier's nodes are the bits of its size; from the right, the smallest ones lie within the subtree.
    let mut begins = last;
    for before in seal.frontier.nodes().iter().rev() {
        if begins <= start {
            break;
        }
        // Clearing the lowest bit is taking the smallest subtree away.
        begins &= begins - 1;
        node = node_hash(*before, node);
    }
    Ok(node)
}

/// Largest power of two smaller than `n` (n > 1).
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}
