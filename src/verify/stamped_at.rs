//! The first time-stamped checkpoint at or after a seal: what makes of a proof that a record was signed one that it was published.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::listing::Pages;
use super::prove::{ProveError, true_seal};
use super::published::Published;
use crate::timestamp::{Roots, TOKEN_BYTES_MAX, claim, verify};
use crate::tlog::Hash;
use crate::tlog::seal_file::SealFile;
use crate::worm::{ObjectKey, ReadError, VERSIONS_READ_MAX, parse_timestamp_name};

/// Objects that are looked at on the way to a stamped checkpoint.
const OBJECTS_MAX: usize = 1000;
/// Most tokens in a bundle.
const TOKENS_MAX: usize = 100;

/// Tokens with their SHA-256.
type Tokens = Vec<(Hash, Vec<u8>)>;

/// A checkpoint with its tokens.
pub(super) struct StampedSeal {
    pub(super) seal: SealFile,
    /// Base64 DER: those over the checkpoint, and those over them.
    pub(super) tokens: Vec<String>,
}

impl Published<'_> {
    /// The first seal at or after `index` whose checkpoint has a sound token, among those that the key signed. `None`: there is none yet.
    ///
    /// KNOWN GAP: a seal behind a change of key is passed over, so where the log was not stamped between a record and the next change of key,
    /// the proof is without time stamps.
    pub(super) async fn first_stamped(&self, index: u64) -> Result<Option<StampedSeal>, ProveError> {
        let Published { store, log, .. } = *self;
        let prefix = format!("{log}/timestamps/");
        let after = (index > 0).then(|| ObjectKey(format!("{prefix}{index:020}")));
        let mut pages = Pages::new(store, prefix, after);
        let mut folder: Option<(u64, Tokens)> = None;
        for _ in 0..OBJECTS_MAX {
            let group = pages.next().await?;
            let name = group.as_ref().and_then(|group| {
                let object = group.key.as_str().strip_prefix(log)?.strip_prefix('/')?;
                parse_timestamp_name(object).map(|(at, short)| (at, short.to_owned()))
            });
            let ends = group.is_none() || name.as_ref().is_some_and(|(at, _)| folder.as_ref().is_some_and(|(before, _)| before != at));
            if ends
                && let Some((at, tokens)) = folder.take()
                && let Some(stamped) = self.stamped(at, &tokens).await?
            {
                return Ok(Some(stamped));
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
    async fn stamped(&self, index: u64, tokens: &[(Hash, Vec<u8>)]) -> Result<Option<StampedSeal>, ProveError> {
        let Published { store, log, key } = *self;
        let seal = match true_seal(store, log, key, index).await {
            Ok(seal) => seal,
            Err(error @ ProveError::Read(_)) => return Err(error),
            // Not there, not this log's, or of another key.
            Err(ProveError::NotFound(_) | ProveError::Broken { .. } | ProveError::TooMuch(_)) => return Ok(None),
        };
        let checkpoint = Hash::of(seal.checkpoint.as_bytes());
        // Whom the auditor trusts is his to say: here only what is no token at all, or over something else, is left out.
        let over = |wanted: Hash| {
            let is_over = move |bytes: &[u8]| {
                claim(bytes).is_ok_and(|c| c.imprint == Some(wanted)) && verify(bytes, wanted, &Roots::default()).is_ok()
            };
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
}
