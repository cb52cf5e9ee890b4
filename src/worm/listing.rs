//! Listings of stores that page by an opaque token and list a key's versions oldest first (Azure, GCS): to the contract's order, whole keys.
//!
//! The contract's "store's own order" is the order of the version ids here, which these stores give away in ascending order: time stamps of
//! one width, and numbers. Nothing else about a version's age is believed.

use std::cmp::Ordering;
use std::collections::HashSet;

use async_trait::async_trait;

use super::{ObjectKey, ReadError, VERSIONS_LISTED_MAX, Version};

/// Most entries of a page; both stores take more.
pub(super) const PAGE_MAX: usize = 1000;
/// Pages in a row without anything on them, after which a listing counts as endless. A store may give some.
pub(super) const EMPTY_PAGES_MAX: usize = 1000;

/// One page.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// As listed, keys ascending.
    pub(super) versions: Vec<Version>,
    /// Where the next one begins, if there is one.
    pub(super) next: Option<String>,
}

/// A store that lists so.
#[async_trait]
pub(super) trait Pages: Sync {
    /// One page of all versions below `prefix`. `from` is a key at or before which nothing is wanted: a store may leave it out, or not.
    async fn page(&self, shown: &str, prefix: &str, from: Option<&ObjectKey>, token: Option<&str>, max: usize) -> Result<Page, ReadError>;
}

/// All versions of exactly this key, newest first.
pub(super) async fn versions(store: &dyn Pages, key: &ObjectKey) -> Result<Vec<Version>, ReadError> {
    let mut listing = Listing::new(key.as_str(), None);
    loop {
        // Keys ascend, and the key itself comes before all that it is a prefix of.
        let more = listing.go_on(store, key.as_str(), PAGE_MAX).await?;
        if !more || listing.found.last().is_some_and(|v| v.key != *key) {
            listing.found.retain(|v| v.key == *key);
            return Ok(listing.newest_first());
        }
        listing.expect_bounded(0)?;
    }
}

/// [`list`](super::WormStore::list); `shown` is for errors.
pub(super) async fn list(
    store: &dyn Pages,
    shown: &str,
    prefix: &str,
    after: Option<&ObjectKey>,
    limit: usize,
) -> Result<Vec<Version>, ReadError> {
    let mut listing = Listing::new(shown, after);
    // One more than asked for usually shows that the last key is whole.
    let mut max = limit.saturating_add(1).clamp(2, PAGE_MAX);
    loop {
        let more = listing.go_on(store, prefix, max).await?;
        let found = &mut listing.found;
        if let Some(at) = found.get(limit.saturating_sub(1)) {
            // Up to the end of the key that reaches the limit. If that is the last one here it may go on on the next page, and without it the
            // answer would be shorter than asked for, which means that there is no more.
            let end = found.partition_point(|v| v.key <= at.key);
            if end < found.len() {
                found.truncate(end);
                return Ok(listing.newest_first());
            }
            max = PAGE_MAX; // One key with many versions: to its end in big steps.
        }
        if !more {
            return Ok(listing.newest_first());
        }
        listing.expect_bounded(limit)?;
    }
}

struct Listing<'a> {
    shown: &'a str,
    after: Option<&'a ObjectKey>,
    found: Vec<Version>,
    token: Option<String>,
    /// Where it went on so far: none of them twice, or the listing of a store that lies, or is broken, would never end.
    tokens: HashSet<String>,
    empty_pages: usize,
}

impl<'a> Listing<'a> {
    fn new(shown: &'a str, after: Option<&'a ObjectKey>) -> Self {
        Listing { shown, after, found: Vec::new(), token: None, tokens: HashSet::new(), empty_pages: 0 }
    }

    fn refused(&self, reason: &str) -> ReadError {
        ReadError::Refused { key: self.shown.to_owned(), reason: reason.to_owned() }
    }

    /// Adds the next page; whether there is another one after it.
    async fn go_on(&mut self, store: &dyn Pages, prefix: &str, max: usize) -> Result<bool, ReadError> {
        let page = store.page(self.shown, prefix, self.after, self.token.as_deref(), max).await?;
        self.empty_pages = if page.versions.is_empty() { self.empty_pages.saturating_add(1) } else { 0 };
        for version in page.versions {
            if self.after.is_some_and(|after| version.key <= *after) {
                continue;
            }
            if self.found.last().is_some_and(|last| version.key < last.key) {
                return Err(self.refused("the store lists keys out of order"));
            }
            self.found.push(version);
        }
        let Some(next) = page.next else { return Ok(false) };
        if !self.tokens.insert(next.clone()) || self.empty_pages > EMPTY_PAGES_MAX {
            return Err(self.refused("the store's listing does not advance"));
        }
        self.token = Some(next);
        Ok(true)
    }

    /// Refuses to go on where a store lists versions of one key without end.
    fn expect_bounded(&self, limit: usize) -> Result<(), ReadError> {
        if self.found.len() <= limit.saturating_add(VERSIONS_LISTED_MAX) {
            return Ok(());
        }
        Err(self.refused(&format!("the store lists more than {VERSIONS_LISTED_MAX} versions of one key; look who puts them there")))
    }

    fn newest_first(mut self) -> Vec<Version> {
        self.found.sort_by(|a, b| a.key.cmp(&b.key).then_with(|| by_age(b, a)));
        self.found
    }
}

/// Ascending: the longer id is the younger one, then the greater. So numbers without leading zeros stand in their order, and time stamps
/// of one width.
fn by_age(a: &Version, b: &Version) -> Ordering {
    let id = |v: &Version| v.id.as_ref().map(|id| (id.0.len(), id.0.clone()));
    id(a).cmp(&id(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worm::VersionId;
    use std::sync::Mutex;

    /// Pages as they come; the token is the number of the next.
    struct Told(Mutex<Vec<Page>>);

    #[async_trait]
    impl Pages for Told {
        async fn page(&self, _: &str, _: &str, _: Option<&ObjectKey>, _: Option<&str>, _: usize) -> Result<Page, ReadError> {
            Ok(self.0.lock().unwrap().remove(0))
        }
    }

    fn page(entries: &[(&str, &str)], next: Option<&str>) -> Page {
        let version = |(key, id): &(&str, &str)| Version {
            key: ObjectKey((*key).into()),
            id: Some(VersionId((*id).into())),
            is_latest: false,
            is_delete_marker: false,
            size: 1,
        };
        Page { versions: entries.iter().map(version).collect(), next: next.map(str::to_owned) }
    }

    fn told(versions: Vec<Version>) -> Vec<(String, String)> {
        versions.into_iter().map(|v| (v.key.0, v.id.unwrap().0)).collect()
    }

    #[tokio::test]
    async fn a_key_that_goes_on_on_the_next_page_is_whole() {
        let pages = || vec![page(&[("a", "9"), ("a", "10")], Some("1")), page(&[], Some("2")), page(&[("a", "11"), ("b", "3")], None)];
        let all = list(&Told(Mutex::new(pages())), "x", "", None, 2).await.unwrap();
        assert_eq!(told(all), [("a", "11"), ("a", "10"), ("a", "9")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        let one = versions(&Told(Mutex::new(pages())), &ObjectKey("a".into())).await.unwrap();
        assert_eq!(one.len(), 3);
        let after = list(&Told(Mutex::new(pages())), "x", "", Some(&ObjectKey("a".into())), 2).await.unwrap();
        assert_eq!(told(after), [("b".to_owned(), "3".to_owned())]);
    }

    #[tokio::test]
    async fn a_listing_that_lies_is_refused() {
        let round = vec![page(&[("a", "1")], Some("1")), page(&[("b", "1")], Some("2")), page(&[("c", "1")], Some("1"))];
        let back = vec![page(&[("b", "1")], Some("1")), page(&[("a", "1")], None)];
        let endless = (0..2000).map(|n| page(&[], Some(&n.to_string()))).collect();
        for (pages, words) in [(round, "does not advance"), (back, "out of order"), (endless, "does not advance")] {
            let error = list(&Told(Mutex::new(pages)), "x", "", None, 10).await.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
