//! The first cosigned checkpoint behind a seal, and the seal's place in its tree, both out of the store.

use std::collections::BTreeMap;

use super::listing::Pages;
use super::proof::Inclusion;
use super::prove::{ProveError, Wanted, true_seal};
use crate::clock::UnixSeconds;
use crate::tlog::note::{SignatureLine, UnverifiedCheckpoint, VerifierKey};
use crate::tlog::seal_file::SealFile;
use crate::tlog::tile::{Node, inclusion_plan, perfect_root};
use crate::tlog::{Hash, LeafIndex, TreeSize};
use crate::worm::{NOTE_FILE_BYTES_MAX, ObjectKey, ReadError, VERSIONS_READ_MAX, WormStore, parse_cosignature_name, read_versions};

/// Cosigned checkpoints that are looked at for one that enough witnesses cosigned: at one a minute, most of a day.
const CHECKPOINTS_MAX: usize = 1000;
/// Cosignatures that are read for one proof, of all checkpoints together: sixteen witnesses of each. Anybody who can write there can put more.
const NOTES_MAX: usize = 16 * CHECKPOINTS_MAX;
/// Of these, of one checkpoint: a log has some dozens of witnesses, and what is left lies below other checkpoints.
const NOTES_OF_ONE_MAX: usize = 1000;
/// Keys below `cosignatures/` that are no cosignatures and are passed over.
const STRAYS_MAX: usize = 100_000;
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

/// How much was looked at on the way to a cosigned checkpoint.
#[derive(Default)]
pub(super) struct Looked {
    notes: usize,
    strays: usize,
    /// The first place where something was left out.
    left_out: Option<String>,
}

impl Looked {
    fn leave_out(&mut self, object: String) {
        self.left_out.get_or_insert(object);
    }

    /// What was left out, for whoever asked for the proof.
    pub(super) fn left_out(self) -> Option<String> {
        self.left_out.map(|object| {
            format!(
                "more cosignatures lie in the store than are looked at for a proof, from `{object}` on, and a witness's may be among those that \
                 were left out. Find out who can write there; `spanseal verify` tells what does not belong there"
            )
        })
    }
}

impl Published<'_> {
    /// The first at or behind this seal that enough of the wanted witnesses cosigned; else the first that anybody did.
    pub(super) async fn first_cosigned(&self, from: u64, wanted: &Wanted, looked: &mut Looked) -> Result<Option<Found>, ProveError> {
        let mut pages = self.cosignatures_from(format!("{from:020}"));
        let mut anybody = None;
        for _ in 0..CHECKPOINTS_MAX {
            let Some(index) = self.next_cosigned(&mut pages, looked).await? else { return Ok(anybody) };
            let Some((found, enough)) = self.cosigned(index, &mut pages, wanted, looked).await? else { continue };
            if enough {
                // What is asked for was found, whatever else lies there.
                looked.left_out = None;
                return Ok(Some(found));
            }
            anybody.get_or_insert(found);
        }
        if let Some(key) = pages.peek().await? {
            looked.leave_out(key.as_str().to_owned());
        }
        Ok(anybody)
    }

    /// What lies below `cosignatures/` behind this.
    fn cosignatures_from(&self, after: String) -> Pages<'_> {
        let prefix = format!("{}/cosignatures/", self.log);
        let after = ObjectKey(format!("{prefix}{after}"));
        Pages::new(self.store, prefix, Some(after))
    }

    fn seal_of(&self, key: &ObjectKey) -> Option<u64> {
        let below = key.as_str().strip_prefix(self.log).and_then(|rest| rest.strip_prefix('/'))?;
        parse_cosignature_name(below).map(|(index, _)| index)
    }

    /// The next seal that has any.
    async fn next_cosigned(&self, pages: &mut Pages<'_>, looked: &mut Looked) -> Result<Option<u64>, ReadError> {
        loop {
            let Some(key) = pages.peek().await? else { return Ok(None) };
            if let Some(index) = self.seal_of(key) {
                return Ok(Some(index));
            }
            if looked.strays >= STRAYS_MAX {
                looked.leave_out(key.as_str().to_owned());
                return Ok(None);
            }
            looked.strays += 1;
            pages.next().await?;
        }
    }

    /// The lines over the checkpoint of the seal that comes next, and whether enough of the wanted witnesses are among them; it is passed in the
    /// listing. Names of objects are anybody's choice, so they are read until all wanted witnesses were found, and not only the first of them. What
    /// does not verify under their keys is left out: `verify` tells of it.
    async fn cosigned<'s>(
        &'s self,
        index: u64,
        pages: &mut Pages<'s>,
        wanted: &Wanted,
        looked: &mut Looked,
    ) -> Result<Option<(Found, bool)>, ProveError> {
        // The byte after the slash: behind all that lies below this seal.
        let behind = format!("{index:020}0");
        let seal = match true_seal(self.store, self.log, self.key, index).await {
            Ok(seal) => seal,
            Err(ProveError::Read(error)) => return Err(error.into()),
            // Of a seal that does not stand, or of another key.
            Err(_) => {
                *pages = self.cosignatures_from(behind);
                return Ok(None);
            }
        };
        let Ok(own) = UnverifiedCheckpoint::parse(&seal.checkpoint) else { return Ok(None) };
        // Of each wanted witness its first word, which says the most; of others what comes first.
        let mut ours: Vec<Option<(UnixSeconds, SignatureLine)>> = vec![None; wanted.witnesses.len()];
        let mut others: Vec<SignatureLine> = Vec::new();
        let last = looked.notes.saturating_add(NOTES_OF_ONE_MAX).min(NOTES_MAX);
        while let Some(key) = pages.peek().await? {
            let at = self.seal_of(key);
            if at.is_some_and(|at| at != index) {
                break;
            }
            let all = if ours.is_empty() { others.len() >= LINES_MAX } else { ours.iter().all(Option::is_some) };
            if all || looked.notes >= last || looked.strays >= STRAYS_MAX {
                if !all {
                    looked.leave_out(key.as_str().to_owned());
                }
                *pages = self.cosignatures_from(behind);
                break;
            }
            let Some(group) = pages.next().await? else { break };
            if at.is_none() {
                looked.strays += 1;
                continue;
            }
            let most = VERSIONS_READ_MAX.min(last.saturating_sub(looked.notes));
            for (_, bytes) in read_versions(self.store, &group.versions, NOTE_FILE_BYTES_MAX, most).await? {
                looked.notes += 1;
                let read = std::str::from_utf8(&bytes).ok().and_then(|text| UnverifiedCheckpoint::parse(text).ok());
                let said = read.filter(|read| read.note.text == own.note.text).map(|read| read.note.signatures).unwrap_or_default();
                for line in said.into_iter().filter(|line| line.name != self.key.name()) {
                    match wanted.witnesses.iter().zip(&mut ours).find(|(key, _)| key.owns(&line)) {
                        Some((key, first)) => {
                            if let Ok(at) = key.verify(&own.note.text, &line)
                                && first.as_ref().is_none_or(|(before, _)| at < *before)
                            {
                                *first = Some((at, line));
                            }
                        }
                        None if others.len() < LINES_MAX && !others.contains(&line) => others.push(line),
                        None => {}
                    }
                }
            }
        }
        let seen = ours.iter().flatten().count();
        let enough = seen >= wanted.quorum.unwrap_or(wanted.witnesses.len());
        // Those that were asked for first: anybody may have put lines beside them.
        let lines = ours.into_iter().flatten().map(|(_, line)| line).chain(others).take(LINES_MAX);
        let lines: Vec<String> = lines.map(|line| line.to_string().trim_end_matches('\n').to_owned()).collect();
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
