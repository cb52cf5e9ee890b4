//! Listings read page by page: which logs and classes there are, seals in order, segments of a class in order.
//!
//! Versions are listed, never heads: a plain DELETE hides an object, and a listing of current keys then proves an absence that is
//! none (`store.md`, "Which version is the truth").

use std::collections::{BTreeMap, VecDeque};

use futures::Stream;

use crate::clock::UnixSeconds;
use crate::worm::{LIST_PAGE, ObjectKey, ReadError, Version, WormStore, below, is_name, parse_seal_name, seal_key};

/// All versions and markers of one key, newest first.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) key: ObjectKey,
    pub(super) versions: Vec<Version>,
}

impl Group {
    /// Versions that hold data, oldest first.
    pub(super) fn data(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter().rev().filter(|v| !v.is_delete_marker)
    }

    pub(super) fn markers(&self) -> usize {
        self.versions.iter().filter(|v| v.is_delete_marker).count()
    }
}

/// A listing in key order, a page in memory at a time.
pub(super) struct Pages<'a> {
    store: &'a dyn WormStore,
    prefix: String,
    after: Option<ObjectKey>,
    page: VecDeque<Version>,
    ended: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn new(store: &'a dyn WormStore, prefix: String, after: Option<ObjectKey>) -> Self {
        Pages { store, prefix, after, page: VecDeque::new(), ended: false }
    }

    async fn fill(&mut self) -> Result<(), ReadError> {
        if self.page.is_empty() && !self.ended {
            self.page = self.store.list(&self.prefix, self.after.as_ref(), LIST_PAGE).await?.into();
            // A short page is no end: what a store leaves out would be nothing that is missed.
            self.ended = self.page.is_empty();
            self.after = self.page.back().map(|v| v.key.clone()).or_else(|| self.after.take());
        }
        Ok(())
    }

    /// The next key that will come.
    pub(super) async fn peek(&mut self) -> Result<Option<&ObjectKey>, ReadError> {
        self.fill().await?;
        Ok(self.page.front().map(|v| &v.key))
    }

    pub(super) async fn next(&mut self) -> Result<Option<Group>, ReadError> {
        self.fill().await?;
        let Some(first) = self.page.pop_front() else { return Ok(None) };
        let mut group = Group { key: first.key.clone(), versions: vec![first] };
        while self.page.front().is_some_and(|v| v.key == group.key) {
            group.versions.extend(self.page.pop_front());
        }
        Ok(Some(group))
    }

    /// As a stream, which ends after an error.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<Group, ReadError>> + 'a {
        futures::stream::unfold(Some(self), |pages| async move {
            let mut pages = pages?;
            match pages.next().await {
                Ok(None) => None,
                Ok(Some(group)) => Some((Ok(group), Some(pages))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

/// Names of the folders directly below `prefix`, ascending: one look each, then all below it is jumped over.
async fn folders(store: &dyn WormStore, prefix: &str) -> Result<Vec<String>, ReadError> {
    let mut names = Vec::new();
    let mut after: Option<ObjectKey> = None;
    while let Some(first) = store.list(prefix, after.as_ref(), 1).await?.into_iter().next() {
        let Some((folder, _)) = first.key.as_str().strip_prefix(prefix).and_then(|rest| rest.split_once('/')) else {
            after = Some(first.key);
            continue;
        };
        // '0' is the byte after '/': the first key that this folder cannot hold.
        after = Some(ObjectKey(format!("{prefix}{folder}0")));
        names.push(folder.to_owned());
    }
    Ok(names)
}

/// The logs of a store: folders with an allowed name that hold a `log.json` or seals.
pub(super) async fn logs(store: &dyn WormStore) -> Result<Vec<String>, ReadError> {
    let mut logs = Vec::new();
    for name in folders(store, "").await? {
        if is_name(&name)
            && (!store.list(&format!("{name}/log.json"), None, 1).await?.is_empty()
                || !store.list(&format!("{name}/seals/"), None, 1).await?.is_empty())
        {
            logs.push(name);
        }
    }
    Ok(logs)
}

/// The first seal at or after `index` that has any version or marker.
pub(super) async fn seal_from(store: &dyn WormStore, log: &str, index: u64) -> Result<Option<(u64, Group)>, ReadError> {
    let mut after = index.checked_sub(1).map(|before| seal_key(log, before));
    loop {
        let listed = store.list(&format!("{log}/seals/"), after.as_ref(), 1).await?;
        let Some(first) = listed.first().cloned() else { return Ok(None) };
        let own = first.key.as_str().strip_prefix(&format!("{log}/")).and_then(parse_seal_name);
        if let Some(found) = own.filter(|i| *i >= index) {
            let versions = listed.into_iter().filter(|v| v.key == first.key).collect();
            return Ok(Some((found, Group { key: first.key, versions })));
        }
        after = Some(first.key);
    }
}

/// A segment's key, taken apart: class and seal index, and the first hex digits of its sha256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SegmentName {
    pub(super) index: u64,
    pub(super) short: String,
}

impl SegmentName {
    /// Reads `segments/<class>/<YYYY>/<MM>/<DD>/<seal:020>-<16 hex>.jsonl.zst`; anything else below the log is not ours.
    pub(super) fn parse(below_log: &str) -> Option<Self> {
        let mut parts = below_log.strip_prefix("segments/")?.split('/');
        let class = parts.next().filter(|c| is_name(c))?;
        let mut digits = |n: usize| parts.next().filter(|p| p.len() == n && p.bytes().all(|b| b.is_ascii_digit()));
        let (year, month, day) = (digits(4)?, digits(2)?, digits(2)?);
        let (index, short) = parts.next()?.strip_suffix(".jsonl.zst")?.split_once('-')?;
        let hex = short.len() == 16 && short.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let own = format!("segments/{class}/{year}/{month}/{day}/{index}-{short}.jsonl.zst");
        (hex && index.len() == 20 && own == below_log)
            .then(|| Some(SegmentName { index: crate::tlog::note::parse_decimal(trim_zeros(index))?, short: short.to_owned() }))?
    }
}

/// Whether a key below the log is a segment's.
pub(crate) fn is_segment_name(below_log: &str) -> bool {
    SegmentName::parse(below_log).is_some()
}

fn trim_zeros(digits: &str) -> &str {
    let rest = digits.trim_start_matches('0');
    if rest.is_empty() { "0" } else { rest }
}

/// Segments that no seal names, on their way to be looked at. Bounded: an intruder may plant millions.
#[derive(Debug, Default)]
pub(super) struct Strays {
    pub(super) groups: Vec<Group>,
    /// How many were not kept.
    pub(super) more: u64,
}

impl Strays {
    /// 10,000 of some 300 bytes: 3 MB.
    pub(super) const MAX: usize = 10_000;

    pub(super) fn push(&mut self, group: Group) {
        if self.groups.len() < Self::MAX {
            self.groups.push(group);
        } else {
            self.more += 1;
        }
    }
}

/// A cursor a class over the segments, joined with the seals that name them: one pass over both listings.
pub(super) struct Segments<'a> {
    store: &'a dyn WormStore,
    log: &'a str,
    /// First seal wanted: earlier segments of a class are jumped over.
    cursors: BTreeMap<String, Pages<'a>>,
}

impl<'a> Segments<'a> {
    /// Opens a cursor for each class. `from` (index and time of the first seal) skips what lies before.
    pub(super) async fn open(store: &'a dyn WormStore, log: &'a str, from: Option<(u64, UnixSeconds)>) -> Result<Self, ReadError> {
        let prefix = format!("{log}/segments/");
        let mut cursors = BTreeMap::new();
        for class in folders(store, &prefix).await?.into_iter().filter(|c| is_name(c)) {
            let after = from.map(|(index, sealed_at)| {
                let (year, month, day) = sealed_at.date();
                ObjectKey(format!("{prefix}{class}/{year:04}/{month:02}/{day:02}/{index:020}"))
            });
            cursors.insert(class.clone(), Pages::new(store, format!("{prefix}{class}/"), after));
        }
        Ok(Segments { store, log, cursors })
    }

    /// Moves the class's cursor up to `key` (relative to the log). Answers with the versions of `key`, of which there may be none; what lies
    /// before it, and so is named by no seal, goes to `strays`.
    pub(super) async fn take(&mut self, class: &str, key: &str, strays: &mut Strays) -> Result<Group, ReadError> {
        let wanted = below(self.log, key);
        if let Some(pages) = self.cursors.get_mut(class) {
            while pages.peek().await?.is_some_and(|next| *next <= wanted) {
                match pages.next().await? {
                    Some(group) if group.key == wanted => return Ok(group),
                    Some(group) => strays.push(group),
                    None => break,
                }
            }
        }
        // The page may be older than the seal (a log that is being written), and a class newer than the look at the classes.
        let versions = self.store.versions(&wanted).await?;
        Ok(Group { key: wanted, versions })
    }

    /// The next segment of any class that is left, up to seal `to`.
    pub(super) async fn rest(&mut self, to: Option<(u64, UnixSeconds)>) -> Result<Option<Group>, ReadError> {
        let prefix = format!("{}/segments/", self.log);
        while let Some((class, pages)) = self.cursors.iter_mut().next() {
            let end = to.map(|(index, sealed_at)| {
                let (year, month, day) = sealed_at.date();
                // '.' sorts behind '-': behind all segments of that seal.
                ObjectKey(format!("{prefix}{class}/{year:04}/{month:02}/{day:02}/{index:020}."))
            });
            let within = pages.peek().await?.is_some_and(|next| end.as_ref().is_none_or(|end| next <= end));
            if within && let Some(group) = pages.next().await? {
                return Ok(Some(group));
            }
            self.cursors.pop_first();
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_names_are_exact() {
        let good = "segments/high-risk/2026/11/20/00000000000000000002-a45ba1054e9b4c70.jsonl.zst";
        assert_eq!(SegmentName::parse(good), Some(SegmentName { index: 2, short: "a45ba1054e9b4c70".into() }));
        for bad in [
            "segments/High/2026/11/20/00000000000000000002-a45ba1054e9b4c70.jsonl.zst",
            "segments/a/2026/11/00000000000000000002-a45ba1054e9b4c70.jsonl.zst",
            "segments/a/02026/11/20/00000000000000000002-a45ba1054e9b4c70.jsonl.zst",
            "segments/a/2026/011/20/00000000000000000002-a45ba1054e9b4c70.jsonl.zst",
            "segments/a/2026/11/2/00000000000000000002-a45ba1054e9b4c70.jsonl.zst",
            "segments/a/2026/11/+2/00000000000000000002-a45ba1054e9b4c70.jsonl.zst",
            "segments/a/2026/1x/20/00000000000000000002-a45ba1054e9b4c70.jsonl.zst",
            "segments/a/2026/11/20/00000000000000000002-a45ba1054e9b4c7.jsonl.zst",
            "segments/a/2026/11/20/00000000000000000002-a45ba1054e9b4c700.jsonl.zst",
            "segments/a/2026/11/20/000000000000000000002-a45ba1054e9b4c70.jsonl.zst",
            "segments/a/2026/11/20/+0000000000000000002-a45ba1054e9b4c70.jsonl.zst",
            "segments/a/2026/11/20/2-a45ba1054e9b4c70.jsonl.zst",
            "segments/a/2026/11/20/00000000000000000002-A45BA1054E9B4C70.jsonl.zst",
            "segments/a/2026/11/20/00000000000000000002-a45ba1054e9b4c70.jsonl",
            "segments/a/2026/11/20/x/00000000000000000002-a45ba1054e9b4c70.jsonl.zst",
            "segments/a/2026/11/20/99999999999999999999-a45ba1054e9b4c70.jsonl.zst",
        ] {
            assert_eq!(SegmentName::parse(bad), None, "{bad}");
        }
    }
}
