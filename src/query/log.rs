//! The seals of one log, read in ranges. Which stored version of a seal counts is decided by `tlog::truth`, under a key that the asker
//! brought, or configured, or (then only self-consistency is known) that `log.json` names.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::Problem;
use crate::tlog::note::{Checkpoint, SignedNote, UnverifiedCheckpoint, VerifierKey};
use crate::tlog::seal_file::{LogFile, SealFile};
use crate::tlog::truth::{Judgement, judge, newer_format};
use crate::worm::{
    NOTE_FILE_BYTES_MAX, ObjectKey, ReadError, SEAL_BYTES_MAX, SMALL_BYTES_MAX, VERSIONS_READ_MAX, Version, WormStore, checkpoint_key,
    is_name, log_key, parse_seal_name, read_versions, seal_key, unread,
};

/// Seals are fetched this many at a time: each is a round trip to the store.
const FETCHES_AT_ONCE: usize = 16;
/// Stray objects behind the log's end that are looked at before the end is believed.
const STRAYS_MAX: usize = 16;

/// Where the key came from that seals were checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The asker brought it.
    Pinned,
    /// The configuration's own key.
    Configured,
    /// `log.json`: the log only agrees with itself.
    Unpinned,
}

impl KeySource {
    /// The word of `verify --json`.
    pub fn as_str(self) -> &'static str {
        match self {
            KeySource::Pinned => "pinned",
            KeySource::Configured => "configured",
            KeySource::Unpinned => "unpinned",
        }
    }
}

/// A key that the asker trusts, for the log whose name its own name ends in.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// The key.
    pub key: VerifierKey,
    /// Brought or configured.
    pub source: KeySource,
}

impl TrustedKey {
    /// Whether it is the key of the log in this folder.
    pub fn is_for(&self, log: &str) -> bool {
        self.key.name().rsplit('/').next() == Some(log)
    }
}

/// All logs of a store, by name.
pub async fn logs(store: &dyn WormStore) -> Result<Vec<String>, ReadError> {
    let mut names = Vec::new();
    let mut after: Option<ObjectKey> = None;
    // One look a folder: the first key in it tells its name, then everything below is jumped over ('0' is the byte after '/').
    while let Some(first) = store.list("", after.as_ref(), 1).await?.into_iter().next() {
        let key = first.key.as_str();
        let Some((folder, _)) = key.split_once('/') else {
            after = Some(first.key);
            continue;
        };
        if is_name(folder) {
            names.push(folder.to_owned());
        }
        after = Some(ObjectKey(format!("{folder}0")));
    }
    Ok(names)
}

/// One log, open for reading.
pub struct LogReader {
    store: Arc<dyn WormStore>,
    name: String,
    /// Keys with the first seal that each signs, ascending.
    keys: Vec<(u64, VerifierKey)>,
    source: KeySource,
    trusted: Option<VerifierKey>,
    size: u64,
    /// What is already known to stand in the way of a complete answer.
    problems: Vec<Problem>,
    /// Objects behind the end that the key in use there did not sign; there may be more.
    apart: Vec<u64>,
    apart_more: bool,
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReader").field("name", &self.name).field("size", &self.size).finish_non_exhaustive()
    }
}

/// What a range of seals gave: true seals by index, and why others are not there.
#[derive(Debug, Default)]
pub struct Seals {
    /// The true seals.
    pub found: BTreeMap<u64, Arc<SealFile>>,
    /// Seals that are missing or cannot be read.
    pub problems: Vec<Problem>,
}

impl LogReader {
    /// Opens a log: chooses the key, follows its rotations, finds the newest seal.
    pub async fn open(store: Arc<dyn WormStore>, name: &str, trusted: &[TrustedKey]) -> Result<Self, ReadError> {
        let mut log = LogReader {
            store,
            name: name.to_owned(),
            keys: Vec::new(),
            source: KeySource::Unpinned,
            trusted: None,
            size: 0,
            problems: Vec::new(),
            apart: Vec::new(),
            apart_more: false,
        };
        let file = log.log_file().await?;
        let own = trusted.iter().find(|t| t.is_for(name));
        log.source = own.map_or(KeySource::Unpinned, |t| t.source);
        log.trusted = own.map(|t| t.key.clone());
        let Some(start) = file.as_ref().map(|f| &f.vkey).or(own.map(|t| &t.key)).cloned() else {
            log.problem("log.json", "missing or not readable, so no key is known to check its seals; give the key with --vkey");
            return Ok(log);
        };
        let hint = log.hint().await?;
        log.size = log.newest_stored(&start, hint).await?;
        let (size, apart, apart_more) = (log.size, log.apart.clone(), log.apart_more);
        log.follow_keys(start.clone(), hint.min(size)).await?;
        if let Some(own) = own
            && !log.has_key(&own.key)
            && let Some(signed) = log.signed_before(size, &own.key).await?
        {
            // Whoever has a key that the log left led the search past the change. What the trusted key signed is behind it.
            log.keys.clear();
            (log.size, log.apart, log.apart_more) = (size, apart, apart_more);
            log.follow_keys(start, signed.saturating_add(1)).await?;
        }
        // Rotations lead from the key of `log.json` to the trusted one, or the log is not the one that the asker trusts.
        if let Some(own) = own
            && !log.has_key(&own.key)
        {
            let (found, key) = (log.keys.first().map_or("?", |(_, key)| key.name()), own.key.name());
            let what = format!(
                "it names the log `{found}` and is not signed by the {} key of `{key}`; what it shows is checked with that key only",
                own.source.as_str()
            );
            log.problem("log.json", &what);
            log.keys.clear();
            log.follow_keys(own.key.clone(), 0).await?;
        }
        let signed = log.compare_with_checkpoint().await?;
        log.judge_apart(signed).await?;
        Ok(log)
    }

    /// Folder of the log in the store.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of seals.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Where the key came from.
    pub fn key_source(&self) -> KeySource {
        self.source
    }

    /// The key that signs the newest seal.
    pub fn key(&self) -> Option<&VerifierKey> {
        self.keys.last().map(|(_, key)| key)
    }

    /// All keys that are known, each with the first seal that it signs, ascending.
    pub fn keys(&self) -> &[(u64, VerifierKey)] {
        &self.keys
    }

    /// The key with which a proof of this seal begins, and the seals from there on that announced a change of key, ascending: the key
    /// that the asker brought, where it signed already then, else the log's first, which auditors have had from the beginning.
    pub fn way_to(&self, seal: u64) -> Option<(&VerifierKey, Vec<u64>)> {
        let upto = self.keys.partition_point(|(from, _)| *from <= seal);
        let keys = self.keys.get(..upto)?;
        let brought = self.trusted.as_ref().filter(|_| self.source == KeySource::Pinned);
        let start = keys.iter().position(|(_, key)| Some(key) == brought).unwrap_or(0);
        let (_, key) = keys.get(start)?;
        let changes = keys.iter().skip(start + 1).filter_map(|(from, _)| from.checked_sub(1)).collect();
        Some((key, changes))
    }

    /// The key that the asker brought, where it signs only seals behind this one: no way leads from it to what signed this seal.
    pub fn brought_later(&self, seal: u64) -> Option<&VerifierKey> {
        let brought = self.trusted.as_ref().filter(|_| self.source == KeySource::Pinned)?;
        self.keys.iter().find(|(from, key)| key == brought && *from > seal).map(|(_, key)| key)
    }

    /// What opening found in the way.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn problem(&mut self, object: &str, what: &str) {
        self.problems.push(Problem { object: format!("{}/{object}", self.name), what: what.to_owned() });
    }

    async fn log_file(&mut self) -> Result<Option<LogFile>, ReadError> {
        // The oldest version: a later one is not the log's.
        let bytes = self.bytes_oldest_first(&log_key(&self.name), SMALL_BYTES_MAX).await?;
        Ok(bytes.first().and_then(|b| LogFile::parse(b).ok()))
    }

    async fn bytes_oldest_first(&self, key: &ObjectKey, limit: u64) -> Result<Vec<Bytes>, ReadError> {
        self.fetch(&self.store.versions(key).await?, limit).await
    }

    async fn fetch(&self, versions: &[Version], limit: u64) -> Result<Vec<Bytes>, ReadError> {
        let read = read_versions(self.store.as_ref(), versions, limit, VERSIONS_READ_MAX).await?;
        Ok(read.into_iter().map(|(_, bytes)| bytes).collect())
    }

    async fn is_stored(&self, index: u64) -> Result<bool, ReadError> {
        Ok(self.store.versions(&seal_key(&self.name, index)).await?.iter().any(|v| !v.is_delete_marker))
    }

    /// The first stored seal from `index` on.
    async fn next_stored(&self, index: u64) -> Result<Option<u64>, ReadError> {
        let prefix = format!("{}/seals/", self.name);
        let mut after = index.checked_sub(1).map(|before| seal_key(&self.name, before));
        loop {
            let page = self.store.list(&prefix, after.as_ref(), 16).await?;
            let Some(last) = page.last().map(|v| v.key.clone()) else { return Ok(None) };
            let index_of = |v: &Version| v.key.as_str().strip_prefix(&self.name)?.strip_prefix('/').and_then(parse_seal_name);
            if let Some(found) = page.iter().filter(|v| !v.is_delete_marker).find_map(index_of) {
                return Ok(Some(found));
            }
            after = Some(last);
        }
    }

    /// One more than the newest index at which anything is stored: the checkpoint as an untrusted hint, exact keys exponentially, then by
    /// halves; a listing only decides whether the end found is a hole.
    async fn newest_stored(&mut self, key: &VerifierKey, hint: u64) -> Result<u64, ReadError> {
        let mut low = if hint > 0 && self.is_stored(hint - 1).await? { hint } else { 0 };
        loop {
            // Invariant: seal low-1 is stored (or low is 0).
            let mut step = 1_u64;
            while self.is_stored(low.saturating_add(step) - 1).await? {
                low = low.saturating_add(step);
                step = step.saturating_mul(2);
            }
            let mut high = low.saturating_add(step) - 1;
            while low < high {
                let middle = low + (high - low) / 2;
                if self.is_stored(middle).await? {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            match self.signed_beyond(low, key).await? {
                None => return Ok(low),
                Some(beyond) => low = beyond.saturating_add(1),
            }
        }
    }

    /// Behind a hole, only what the key signed counts: a stray object far away must not send the reader through millions of holes.
    async fn signed_beyond(&mut self, end: u64, key: &VerifierKey) -> Result<Option<u64>, ReadError> {
        let mut at = end;
        for _ in 0..STRAYS_MAX {
            let Some(found) = self.next_stored(at).await? else { return Ok(None) };
            if self.is_signed(found, key).await? {
                return Ok(Some(found));
            }
            self.apart.push(found);
            let Some(next) = found.checked_add(1) else { return Ok(None) };
            at = next;
        }
        self.apart_more = true;
        Ok(None)
    }

    /// Objects behind the end of the log. What is no seal holds no records, whoever put it there, and `verify` names it. A whole seal in this log's
    /// name may be one that a key signed which the asker cannot know; unless the key that the asker trusts signs still, as the published
    /// checkpoint shows: then nobody else signs for the log. A key that the log has left never does.
    async fn judge_apart(&mut self, signed_size: Option<u64>) -> Result<(), ReadError> {
        let ends_here = signed_size.is_some_and(|size| size <= self.size);
        let is_current = ends_here && self.trusted.is_some() && self.trusted.as_ref() == self.key();
        let apart = std::mem::take(&mut self.apart);
        for index in &apart {
            let versions = self.bytes_oldest_first(&seal_key(&self.name, *index), SEAL_BYTES_MAX).await?;
            let Some(((_, key), left)) = self.keys.split_last() else { break };
            let has_left = |seal: &SealFile| left.iter().any(|(_, key)| seal.open(key).is_ok());
            let holds_records = |bytes: &Bytes| {
                let judged = judge(*index, key, None, [bytes.as_ref()]);
                let is_newer = judged.iter().any(|judgement| newer_format(judgement, bytes, *index, key).is_some());
                let whole = whole_seal(bytes, *index, key.name()).filter(|seal| !has_left(seal));
                is_newer || whole.is_some_and(|seal| !is_current || seal.open(key).is_ok())
            };
            if versions.iter().any(holds_records) {
                let what = "a seal in this log's name that stands apart from it, or by a key to which the log's do not lead; it was not searched, \
                            nor what may lie behind it; run `spanseal verify`";
                self.problem(&format!("seals/{index:020}.json"), what);
                return Ok(());
            }
        }
        if self.apart_more && !ends_here {
            let what = "more objects lie behind the end of the log than are looked at, and no checkpoint tells that it ends there; run \
                        `spanseal verify`";
            self.problem("seals/", what);
        }
        Ok(())
    }

    async fn checkpoint_bytes(&self) -> Result<Option<Bytes>, ReadError> {
        match self.store.get(&checkpoint_key(&self.name), None, NOTE_FILE_BYTES_MAX).await {
            Err(ReadError::TooLarge { .. }) => Ok(None),
            other => other,
        }
    }

    /// Answers with the size of the published checkpoint, if a key of the log signed it.
    async fn compare_with_checkpoint(&mut self) -> Result<Option<u64>, ReadError> {
        let Some(bytes) = self.checkpoint_bytes().await? else { return Ok(None) };
        let Ok(note) = std::str::from_utf8(&bytes) else { return Ok(None) };
        // A key signs trees up to the seal that announced its successor; what it signs beyond, whoever has it by now, says nothing.
        let ends = self.keys.iter().skip(1).map(|(from, _)| *from).chain([u64::MAX]);
        let signed = self.keys.iter().zip(ends).find_map(|((_, key), end)| {
            let checkpoint = Checkpoint::open(note, key).ok()?;
            (checkpoint.size.0 <= end).then_some(checkpoint.size.0)
        });
        if let Some(size) = signed.filter(|size| *size > self.size) {
            let what = format!("it was signed for {size} seals, and only {} are stored: the newest are missing", self.size);
            self.problem("checkpoint", &what);
        }
        Ok(signed)
    }

    /// Size of the published checkpoint, whoever signed it; 0: none says.
    async fn hint(&self) -> Result<u64, ReadError> {
        Ok(self.checkpoint_bytes().await?.and_then(|bytes| Some(checkpoint_of(&bytes)?.size.0)).unwrap_or(0))
    }

    fn has_key(&self, key: &VerifierKey) -> bool {
        self.keys.iter().any(|(_, known)| known == key)
    }

    /// Some seal before `end` that this key signed, looked for backwards in steps that double: what others put behind the log's end does not hide it,
    /// unless that is more than the key signed.
    async fn signed_before(&self, end: u64, key: &VerifierKey) -> Result<Option<u64>, ReadError> {
        let mut step = 1_u64;
        while let Some(index) = end.checked_sub(step) {
            if self.is_signed(index, key).await? {
                return Ok(Some(index));
            }
            step = step.saturating_mul(2);
        }
        Ok(None)
    }

    /// Finds from which seal on which key signs. Keys change rarely: where the newest seal is signed by the first key, that is all.
    ///
    /// `hint`: a size of which it is likely that the log's own key signed its last seal. The changes before it are found first, because what lies behind
    /// the log's end may be signed by a key that the log left, and would be taken for the newest.
    async fn follow_keys(&mut self, start: VerifierKey, hint: u64) -> Result<(), ReadError> {
        let (mut from, mut key) = (0, start);
        self.keys.push((from, key.clone()));
        let mut end = from;
        for size in [hint, self.size] {
            while let Some(last) = self.last_signed(from..size, &key).await? {
                end = last.saturating_add(1);
                // The very newest seal may announce a key, which has signed nothing alone yet.
                let Some(next) = self.signed_by(last, &key).await?.and_then(|seal| seal.statement.next_vkey) else { break };
                (from, key) = (end, next);
                self.keys.push((from, key.clone()));
            }
        }
        // What lies behind the last one that a key of the log signed is looked at when all keys are known.
        if end < self.size {
            let most = u64::try_from(STRAYS_MAX).unwrap_or(u64::MAX);
            self.apart_more |= self.size - end > most;
            self.apart.splice(0..0, end..self.size.min(end.saturating_add(most)));
            self.size = end;
        }
        Ok(())
    }

    async fn is_signed(&self, index: u64, key: &VerifierKey) -> Result<bool, ReadError> {
        Ok(self.signed_by(index, key).await?.is_some())
    }

    /// The oldest version of a seal that this key signed. Where the key that the asker trusts signs, and comes later in this log, no older
    /// key signs any more, whoever has that one by now.
    ///
    /// KNOWN GAP: with an older key pinned that is in other hands since, those who have it can lead this search past the change of key, with
    /// seals beyond the log's newest and a checkpoint of theirs over the published one. Seals that lie over the log's own, and the first behind the change, are told as a problem then; those
    /// beyond the newest are not. `verify`, which reads every seal, names all of it. With the newer key trusted nothing of theirs is shown,
    /// but then what that key did not sign is told as a problem instead of being shown.
    async fn signed_by(&self, index: u64, key: &VerifierKey) -> Result<Option<SealFile>, ReadError> {
        let versions = self.bytes_oldest_first(&seal_key(&self.name, index), SEAL_BYTES_MAX).await?;
        let seals: Vec<SealFile> = versions.iter().filter_map(|bytes| SealFile::parse(bytes).ok()).collect();
        let later = self.trusted.as_ref().filter(|trusted| *trusted != key && !self.has_key(trusted));
        if later.is_some_and(|later| seals.iter().any(|seal| seal.open(later).is_ok())) {
            return Ok(None);
        }
        // A true seal that somebody copied to a name far away is none there.
        Ok(seals.into_iter().find(|seal| seal.statement.index == index && seal.open(key).is_ok()))
    }

    /// The last seal of a range that this key signed; keys change in one direction, so halving finds it.
    async fn last_signed(&self, range: Range<u64>, key: &VerifierKey) -> Result<Option<u64>, ReadError> {
        let Some(newest) = range.end.checked_sub(1).filter(|newest| *newest >= range.start) else { return Ok(None) };
        if self.is_signed(newest, key).await? {
            return Ok(Some(newest));
        }
        // Invariant: everything stored below `low` is signed, `high` is not.
        let (mut low, mut high, mut last) = (range.start, newest, None);
        while low < high {
            let middle = low + (high - low) / 2;
            // A hole tells nothing: look at the first seal behind it.
            match self.next_stored(middle).await? {
                Some(index) if index < high => {
                    if self.is_signed(index, key).await? {
                        last = Some(index);
                        low = index + 1;
                    } else {
                        high = middle;
                    }
                }
                _ => high = middle,
            }
        }
        Ok(last)
    }

    fn key_of(&self, index: u64) -> Option<&VerifierKey> {
        self.keys.iter().rev().find(|(from, _)| *from <= index).map(|(_, key)| key)
    }

    /// The true seals of a range.
    pub async fn seals(&self, range: Range<u64>) -> Result<Seals, ReadError> {
        let mut seals = Seals::default();
        // The seal before the range decides where the range's first has several signed versions; look further back as long as it is
        // itself ambiguous.
        let mut start = range.start;
        let mut before = None;
        while start > 0 {
            start -= 1;
            let bytes = self.bytes_oldest_first(&seal_key(&self.name, start), SEAL_BYTES_MAX).await?;
            let Some(key) = self.key_of(start) else { break };
            let judgements = judge(start, key, None, bytes.iter().map(|b| &b[..]));
            if !judgements.iter().any(|j| matches!(j, Judgement::Fork(_))) {
                before = truth(judgements);
                break;
            }
        }
        let start = if before.is_some() { start + 1 } else { start };
        let mut hole: Option<Range<u64>> = None;
        for (index, (bytes, more)) in self.stored(start..range.end).await? {
            let Some(key) = self.key_of(index) else { break };
            if before.as_ref().is_some_and(|before| before.statement.next_vkey.is_some())
                && !self.keys.iter().any(|(from, _)| *from == index)
            {
                // The search for the change of key was led past it, by whoever has the older key.
                let what = "signed by a key that the seal before it replaced: it and what follows was made up with the older key, and was not \
                            searched. Bring the log's newer key with --vkey, and run `spanseal verify`";
                seals.problems.push(Problem { object: seal_key(&self.name, index).to_string(), what: what.to_owned() });
                break;
            }
            let judgements = judge(index, key, before.as_deref(), bytes.iter().map(|b| &b[..]));
            if index >= range.start && is_over_another(index, key, &judgements, &bytes) {
                let what = "an older version there is a seal of this log by another key, and this one lies over it: if the log has changed its \
                            key since, bring the newer one with --vkey; run `spanseal verify`";
                seals.problems.push(Problem { object: seal_key(&self.name, index).to_string(), what: what.to_owned() });
            }
            let why = judgements.iter().find_map(|j| match j {
                Judgement::Foreign(error) => Some(error.to_string()),
                Judgement::Fork(_) => Some("it does not extend the seal before it".to_owned()),
                _ => None,
            });
            before = truth(judgements);
            if index < range.start {
                continue;
            }
            match (&before, why) {
                (Some(seal), _) => drop(seals.found.insert(index, Arc::clone(seal))),
                (None, Some(why)) => {
                    let more = more.map_or_else(String::new, |more| format!(", and {more} further versions were not read"));
                    let what = format!("not the log's seal ({why}){more}; what that sealed was not searched; run `spanseal verify`");
                    seals.problems.push(Problem { object: seal_key(&self.name, index).to_string(), what });
                }
                (None, None) => match &mut hole {
                    Some(hole) if hole.end == index => hole.end = index + 1,
                    other => {
                        seals.problems.extend(other.replace(index..index + 1).map(|hole| self.missing(&hole)));
                    }
                },
            }
        }
        seals.problems.extend(hole.map(|hole| self.missing(&hole)));
        Ok(seals)
    }

    fn missing(&self, hole: &Range<u64>) -> Problem {
        let object = seal_key(&self.name, hole.start).to_string();
        let until = if hole.end - hole.start > 1 { format!(", and all up to seal {}", hole.end - 1) } else { String::new() };
        Problem { object, what: format!("missing{until}; what that sealed was not searched; run `spanseal verify`") }
    }

    /// All stored versions of a range of seals, oldest first, with an empty entry for a hole; and how many were too many to be read.
    async fn stored(&self, range: Range<u64>) -> Result<BTreeMap<u64, (Vec<Bytes>, Option<usize>)>, ReadError> {
        let mut versions: BTreeMap<u64, Vec<Version>> = range.clone().map(|i| (i, Vec::new())).collect();
        let prefix = format!("{}/seals/", self.name);
        let mut after = range.start.checked_sub(1).map(|before| seal_key(&self.name, before));
        loop {
            let wanted = usize::try_from(range.end - range.start).unwrap_or(1000).clamp(1, 1000);
            let page = self.store.list(&prefix, after.as_ref(), wanted).await?;
            let Some(last) = page.last().map(|v| v.key.clone()) else { break };
            for version in page {
                let below = version.key.as_str().strip_prefix(&self.name).and_then(|k| k.strip_prefix('/'));
                if let Some(slot) = below.and_then(parse_seal_name).and_then(|index| versions.get_mut(&index)) {
                    slot.push(version);
                }
            }
            if last >= seal_key(&self.name, range.end.saturating_sub(1)) {
                break;
            }
            after = Some(last);
        }
        stream::iter(versions)
            .map(|(index, versions)| async move { Ok((index, (self.fetch(&versions, SEAL_BYTES_MAX).await?, unread(&versions)))) })
            .buffered(FETCHES_AT_ONCE)
            .try_collect()
            .await
    }
}

/// Whether what is taken for the truth lies over a seal of this log that somebody else signed. What is no whole seal is an object like any
/// other that strangers put there.
fn is_over_another(index: u64, key: &VerifierKey, judgements: &[Judgement], oldest_first: &[Bytes]) -> bool {
    let Some(at) = judgements.iter().position(|j| matches!(j, Judgement::Truth(_))) else { return false };
    let is_whole = |bytes: &Bytes| whole_seal(bytes, index, key.name()).is_some();
    judgements.iter().zip(oldest_first).take(at).any(|(j, bytes)| matches!(j, Judgement::Foreign(_)) && is_whole(bytes))
}

/// A seal of this index and of the log of this name that agrees with itself, whoever signed it.
fn whole_seal(bytes: &[u8], index: u64, name: &str) -> Option<SealFile> {
    let seal = SealFile::parse(bytes).ok()?;
    let signed = UnverifiedCheckpoint::parse(&seal.checkpoint).ok()?.checkpoint;
    (signed.root == seal.range_after().root() && seal.statement.index == index && seal.statement.log == name).then_some(seal)
}

fn truth(judgements: Vec<Judgement>) -> Option<Arc<SealFile>> {
    judgements.into_iter().find_map(|j| match j {
        Judgement::Truth(seal) => Some(Arc::from(seal)),
        _ => None,
    })
}

/// What a checkpoint says, unchecked.
fn checkpoint_of(bytes: &[u8]) -> Option<Checkpoint> {
    let note = SignedNote::parse(std::str::from_utf8(bytes).ok()?).ok()?;
    Checkpoint::parse(&note.text).ok()
}
