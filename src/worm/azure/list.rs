//! `List Blobs` with versions.

use async_trait::async_trait;
use http::StatusCode;

use super::AzureStore;
use super::answer::refuse_read;
use crate::worm::listing::{Page, Pages};
use crate::worm::wire::{Call, PAGE_BYTES_MAX};
use crate::worm::xml::Node;
use crate::worm::{ObjectKey, ReadError, Version, VersionId};

#[async_trait]
impl Pages for AzureStore {
    async fn page(&self, shown: &str, prefix: &str, from: Option<&ObjectKey>, token: Option<&str>, max: usize) -> Result<Page, ReadError> {
        let mut query = vec![
            ("restype", "container".to_owned()),
            ("comp", "list".to_owned()),
            ("include", "versions".to_owned()),
            ("maxresults", max.to_string()),
            ("prefix", format!("{}{prefix}", self.prefix)),
        ];
        match (token, from) {
            (Some(token), _) => query.push(("marker", token.to_owned())),
            // Spares the way through what is not wanted; where a service does not know it, it lists that too.
            (None, Some(from)) => query.push(("startFrom", format!("{}{from}", self.prefix))),
            (None, None) => {}
        }
        let answer = self.read(shown, Call { query, answer_max: PAGE_BYTES_MAX, ..Call::default() }).await?;
        if answer.status != StatusCode::OK {
            return Err(refuse_read(shown, &answer));
        }
        parse_page(&answer.body, &self.prefix).ok_or_else(|| self.unreadable(shown, "List Blobs"))
    }
}

/// Reads an `EnumerationResults`; `None` if something that decides is missing. Blobs without a version id were written before the account
/// had versioning: no version of ours, and none that can be asked for.
fn parse_page(bytes: &[u8], below: &str) -> Option<Page> {
    let root = Node::parse(bytes).filter(|n| n.name == "EnumerationResults")?;
    let mut page = Page::default();
    for blob in root.child("Blobs")?.children.iter().filter(|child| child.name == "Blob") {
        let (Some(id), Some(key)) = (
            blob.text_of("VersionId").filter(|id| !id.is_empty()),
            // Not trimmed: a space may belong to a key.
            blob.child("Name")?.text.strip_prefix(below),
        ) else {
            continue;
        };
        page.versions.push(Version {
            key: ObjectKey(key.to_owned()),
            id: Some(VersionId(id.to_owned())),
            is_latest: blob.text_of("IsCurrentVersion") == Some("true"),
            is_delete_marker: false,
            size: blob.child("Properties")?.text_of("Content-Length")?.parse().ok()?,
        });
    }
    page.next = root.text_of("NextMarker").filter(|marker| !marker.is_empty()).map(str::to_owned);
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let text = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://a\" ContainerName=\"c\">\
            <Blobs><Blob><Name>p/a b&amp;</Name><VersionId>2026-11-21T10:00:00.0000001Z</VersionId><Properties><Content-Length>7</Content-Length>\
            </Properties></Blob><Blob><Name>p/a b&amp;</Name><VersionId>2026-11-21T10:00:00.0000002Z</VersionId><IsCurrentVersion>true\
            </IsCurrentVersion><Properties><Content-Length>8</Content-Length></Properties></Blob><Blob><Name>p/old</Name><Properties>\
            <Content-Length>9</Content-Length></Properties></Blob></Blobs><NextMarker>2!x</NextMarker></EnumerationResults>";
        let page = parse_page(text.as_bytes(), "p/").unwrap();
        let seen: Vec<_> = page.versions.iter().map(|v| (v.key.as_str(), v.is_latest, v.size)).collect();
        assert_eq!(seen, [("a b&", false, 7), ("a b&", true, 8)]);
        assert_eq!(page.next.as_deref(), Some("2!x"));
        for bad in ["", "<html/>", "<EnumerationResults/>", "<EnumerationResults><Blobs><Blob/></Blobs></EnumerationResults>"] {
            assert!(parse_page(bad.as_bytes(), "").is_none(), "{bad}");
        }
    }
}
