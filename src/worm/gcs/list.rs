//! `Objects: list` with versions.

use async_trait::async_trait;
use http::StatusCode;
use serde::Deserialize;

use super::GcsStore;
use super::answer::refuse_read;
use crate::worm::listing::{Page, Pages};
use crate::worm::wire::{Call, PAGE_BYTES_MAX};
use crate::worm::{ObjectKey, ReadError, Version, VersionId};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    items: Vec<Item>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    name: String,
    generation: String,
    size: String,
    /// Since when it is not the live version any more.
    #[serde(default)]
    time_deleted: Option<String>,
}

#[async_trait]
impl Pages for GcsStore {
    async fn page(&self, shown: &str, prefix: &str, from: Option<&ObjectKey>, token: Option<&str>, max: usize) -> Result<Page, ReadError> {
        let mut query = vec![
            ("versions", "true".to_owned()),
            ("maxResults", max.to_string()),
            ("prefix", format!("{}{prefix}", self.prefix)),
            ("fields", "items(name,generation,size,timeDeleted),nextPageToken".to_owned()),
        ];
        // With a token too: it goes on with the same question.
        query.extend(from.map(|from| ("startOffset", format!("{}{from}", self.prefix))));
        query.extend(token.map(|token| ("pageToken", token.to_owned())));
        let answer = self.read(shown, Call { key: self.path("/o"), query, answer_max: PAGE_BYTES_MAX, ..Call::default() }).await?;
        if answer.status != StatusCode::OK {
            return Err(refuse_read(shown, &answer));
        }
        parse_page(&answer.body, &self.prefix).ok_or_else(|| self.unreadable(shown, "objects.list"))
    }
}

/// Reads a page; `None` if something that decides is missing.
fn parse_page(bytes: &[u8], below: &str) -> Option<Page> {
    // An array would be read as a page whose members are left out.
    let listed: Listed = serde_json::from_slice(bytes).ok().filter(|_| bytes.trim_ascii_start().first() == Some(&b'{'))?;
    let mut page =
        Page { versions: Vec::with_capacity(listed.items.len()), next: listed.next_page_token.filter(|token| !token.is_empty()) };
    for item in listed.items {
        let Some(key) = item.name.strip_prefix(below) else { continue };
        page.versions.push(Version {
            key: ObjectKey(key.to_owned()),
            id: Some(VersionId(item.generation)),
            is_latest: item.time_deleted.is_none(),
            is_delete_marker: false,
            size: item.size.parse().ok()?,
        });
    }
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let text = r#"{"items":[{"name":"p/a","generation":"9","size":"7","timeDeleted":"2026-11-21T10:00:00.000Z"},
            {"name":"p/a","generation":"10","size":"8"},{"name":"q","generation":"1","size":"1"}],"nextPageToken":"x"}"#;
        let page = parse_page(text.as_bytes(), "p/").unwrap();
        let seen: Vec<_> = page.versions.iter().map(|v| (v.key.as_str(), v.is_latest, v.size)).collect();
        assert_eq!((seen, page.next.as_deref()), (vec![("a", false, 7), ("a", true, 8)], Some("x")));
        assert!(parse_page(b"{}", "").unwrap().versions.is_empty(), "an empty listing has no items");
        for bad in ["", "[]", r#"{"items":[{"name":"a"}]}"#, r#"{"items":[{"name":"a","generation":"1","size":"x"}]}"#] {
            assert!(parse_page(bad.as_bytes(), "").is_none(), "{bad}");
        }
    }
}
