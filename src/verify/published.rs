//! The first cosigned checkpoint behind a seal, and the seal's place in its tree, both out of the store.

use std::collections::BTreeMap;

use super::listing::{Group, Pages};
use super::proof::Inclusion;
use super::prove::{ProveError, Wanted, true_seal};
use crate::tlog::note::{SignatureLine, UnverifiedCheckpoint, VerifierKey};
use crate::tlog::seal_file::SealFile;
use crate::tlog::tile::{Node, inclusion_plan, perfect_root};
use crate::tlog::{Hash, LeafIndex, TreeSize};
use crate::worm::{NOTE_FILE_BYTES_MAX, ObjectKey, ReadError, VERSIONS_READ_MAX, WormStore, parse_cosignature_name, read_versions};

/// Cosigned checkpoints that are looked at for one that enough witnesses cosigned: at one a minute, most of a day.
const CHECKPOINTS_MAX: usize = 1000;
/// Lines of one checkpoint that go into a bundle.
const LINES_MAX: usize = 64;

/// A log whose seals one key signed.
#[derive(Clone, Copy)]
pub(super) struct Published<'a> {
    pub(super) store: &'a dyn WormStore,
    pub(super) log: &'a str,
    pub(super) key: &'a VerifierKey,
    /// Keys of the log before that one, each with the first seal that it signs, ascending, where they are known.
    pub(super) keys: &'a [(u64, VerifierKey)],
}

/// A cosigned checkpoint: the seal that carries it, and the lines of witnesses over its text.
pub(super) struct Found {
    pub(super) seal: SealFile,
    pub(super) lines: Vec<String>,
}

impl Published<'_> {
    /// The first at or behind this seal that enough of the wanted witnesses cosigned; else the first that anybody did.
    pub(super) async fn first_cosigned(&self, from: u64, wanted: &Wanted) -> Result<Option<Found>, ProveError> {
        let prefix = format!("{}/cosignatures/", self.log);
        let mut pages = Pages::new(self.store, prefix.clone(), Some(ObjectKey(format!("{prefix}{from:020}"))));
        let mut anybody = None;
        for _ in 0..CHECKPOINTS_MAX {
            let Some((index, groups)) = self.next(&mut pages).await? else { break };
            let Some(found) = self.cosigned(index, &groups, wanted).await? else { continue };
            if wanted.witnesses.is_empty() || found.1 {
                return Ok(Some(found.0));
            }
            anybody.get_or_insert(found.0);
        }
        Ok(anybody)
    }

    /// All cosignatures of the next seal that has any.
    async fn next(&self, pages: &mut Pages<'_>) -> Result<Option<(u64, Vec<Group>)>, ReadError> {
        let named = |key: &ObjectKey| {
            let below = key.as_str().strip_prefix(self.log).and_then(|rest| rest.strip_prefix('/'))?;
            parse_cosignature_name(below).map(|(index, _)| index)
        };
        let mut found: Option<(u64, Vec<Group>)> = None;
        loop {
            let Some(at) = pages.peek().await?.map(named) else { return Ok(found) };
            if let (Some((index, _)), Some(at)) = (&found, at)
                && at != *index
            {
                return Ok(found);
            }
            let Some(group) = pages.next().await? else { return Ok(found) };
            match (&mut found, at) {
                (Some((_, groups)), Some(_)) if groups.len() < LINES_MAX => groups.push(group),
                (None, Some(at)) => found = Some((at, vec![group])),
                _ => {}
            }
        }
    }

    /// The lines over the checkpoint of one seal, and whether enough of the wanted witnesses are among them. What does not verify under their
    /// keys is left out: `verify` tells of it.
    async fn cosigned(&self, index: u64, groups: &[Group], wanted: &Wanted) -> Result<Option<(Found, bool)>, ProveError> {
        let seal = match true_seal(self.store, self.log, self.key, index).await {
            Ok(seal) => seal,
            Err(ProveError::Read(error)) => return Err(error.into()),
            // Of a seal that does not stand, or of another key.
            Err(_) => return Ok(None),
        };
        let Ok(own) = UnverifiedCheckpoint::parse(&seal.checkpoint) else { return Ok(None) };
        let mut lines: Vec<SignatureLine> = Vec::new();
        for group in groups {
            for (_, bytes) in read_versions(self.store, &group.versions, NOTE_FILE_BYTES_MAX, VERSIONS_READ_MAX).await? {
                let read = std::str::from_utf8(&bytes).ok().and_then(|text| UnverifiedCheckpoint::parse(text).ok());
                let said = read.filter(|read| read.note.text == own.note.text).map(|read| read.note.signatures).unwrap_or_default();
                lines.extend(said.into_iter().filter(|line| line.name != self.key.name()));
            }
        }
        lines.retain(|line| wanted.witnesses.iter().all(|key| !key.owns(line) || key.verify(&own.note.text, line).is_ok()));
        // Those that were asked for first: anybody may have put lines beside them.
        let is_wanted = |line: &SignatureLine| wanted.witnesses.iter().any(|key| key.owns(line));
        lines.sort_by_key(|line| !is_wanted(line));
        lines.dedup();
        lines.truncate(LINES_MAX);
        let seen = wanted.witnesses.iter().filter(|key| lines.iter().any(|line| key.owns(line))).count();
        let enough = seen >= wanted.quorum.unwrap_or(wanted.witnesses.len());
        let lines: Vec<String> = lines.iter().map(|line| line.to_string().trim_end_matches('\n').to_owned()).collect();
        Ok((!lines.is_empty()).then_some((Found { seal, lines }, enough)))
    }

    /// The place of a seal in a larger tree, out of the seals that end its subtrees. `None` where one of them does not stand under this key.
    pub(super) async fn inclusion(&self, index: u64, size: TreeSize) -> Result<Option<Inclusion>, ProveError> {
        let Some(plan) = inclusion_plan(LeafIndex(index), size) else { return Ok(None) };
        let mut nodes = BTreeMap::new();
        for node in plan.nodes() {
            match self.node(node).await {
                Ok(Some(hash)) => nodes.insert(node, hash),
                Err(ProveError::Read(error)) => return Err(error.into()),
                Ok(None) | Err(_) => return Ok(None),
            };
        }
        Ok(plan.path(|node| nodes.get(&node).copied()).map(|path| Inclusion { index: LeafIndex(index), size, path }))
    }

    async fn node(&self, node: Node) -> Result<Option<Hash>, ProveError> {
        let Some(last) = node.last() else { return Ok(None) };
        let key = self.keys.iter().rev().find(|(from, _)| *from <= last).map_or(self.key, |(_, key)| key);
        let seal = true_seal(self.store, self.log, key, last).await?;
        Ok(perfect_root(&seal.frontier, seal.leaf(), node.level))
    }
}
