//! The few XML answers of S3.

use crate::clock::UnixSeconds;
pub(super) use crate::worm::xml::Node;
use crate::worm::{Lock, Mode};

/// One page of `GET ?versions`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Versions and markers as listed.
    pub(super) entries: Vec<Entry>,
    /// Where the next page begins, if there is one.
    pub(super) next: Option<(String, Option<String>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Key in the bucket, decoded.
    pub(super) key: String,
    pub(super) id: String,
    pub(super) is_latest: bool,
    pub(super) is_delete_marker: bool,
    pub(super) size: u64,
}

/// Reads a `ListVersionsResult`; `None` if something that decides is missing.
pub(super) fn parse_page(bytes: &[u8]) -> Option<Page> {
    let root = Node::parse(bytes).filter(|n| n.name == "ListVersionsResult")?;
    // Only what the answer itself declares as encoded is decoded: not every server does what `encoding-type` asks.
    let encoded = root.text_of("EncodingType").is_some_and(|t| t.eq_ignore_ascii_case("url"));
    let key = |text: &str| if encoded { decode(text) } else { Some(text.to_owned()) };
    let mut page = Page::default();
    for child in &root.children {
        let is_delete_marker = match child.name.as_str() {
            "Version" => false,
            "DeleteMarker" => true,
            _ => continue,
        };
        page.entries.push(Entry {
            // Not trimmed: a space may belong to a key.
            key: key(&child.child("Key")?.text)?,
            id: child.text_of("VersionId").filter(|id| !id.is_empty()).unwrap_or("null").to_owned(),
            is_latest: child.text_of("IsLatest")? == "true",
            is_delete_marker,
            size: if is_delete_marker { 0 } else { child.text_of("Size")?.parse().ok()? },
        });
    }
    if root.text_of("IsTruncated")? == "true" {
        let last = page.entries.last();
        page.next = match root.child("NextKeyMarker").map(|n| n.text.as_str()).filter(|t| !t.is_empty()) {
            Some(text) => Some((key(text)?, root.text_of("NextVersionIdMarker").filter(|t| !t.is_empty()).map(str::to_owned))),
            None => Some((last?.key.clone(), Some(last?.id.clone()))),
        };
    }
    Some(page)
}

/// Undoes `encoding-type=url`: percent signs, and plus for a space (a plus itself always comes as `%2B`).
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let pair = [bytes.next()?, bytes.next()?];
                let mut value = [0_u8];
                hex::decode_to_slice(pair, &mut value).ok()?;
                let [value] = value;
                value
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

/// A lock from its two words; `Err` says which of them cannot be read.
pub(super) fn parse_lock(mode: Option<&str>, until: Option<&str>) -> Result<Option<Lock>, String> {
    let (mode, until) = match (mode.filter(|m| !m.is_empty()), until.filter(|u| !u.is_empty())) {
        (None, None) => return Ok(None),
        (Some(mode), Some(until)) => (mode, until),
        (mode, until) => return Err(format!("half a lock: mode {mode:?}, until {until:?}")),
    };
    let parsed = Mode::parse(mode).ok_or_else(|| format!("unknown lock mode `{mode}`"))?;
    let retain_until = UnixSeconds::parse(until).ok_or_else(|| format!("unreadable lock date `{until}`"))?;
    Ok(Some(Lock { mode: parsed, retain_until }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Markers stand between versions where the store lists them, not after them.
    #[test]
    fn a_page_keeps_the_stores_order() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix></Prefix><MaxKeys>3</MaxKeys>
<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>a%2Fb+c%2B</NextKeyMarker><NextVersionIdMarker>i1</NextVersionIdMarker>
<Version><Key>a/b+c%2B</Key><VersionId>i3</VersionId><IsLatest>true</IsLatest><ETag>&quot;x&quot;</ETag><Size>7</Size></Version>
<DeleteMarker><Key>a/b+c%2B</Key><VersionId>i2</VersionId><IsLatest>false</IsLatest></DeleteMarker>
<Version><Key>a/b+c%2B</Key><VersionId>i1</VersionId><IsLatest>false</IsLatest><Size>5</Size></Version></ListVersionsResult>"#;
        let page = parse_page(text.as_bytes()).unwrap();
        let seen: Vec<_> = page.entries.iter().map(|e| (e.key.as_str(), e.id.as_str(), e.is_latest, e.is_delete_marker, e.size)).collect();
        assert_eq!(seen, [("a/b c+", "i3", true, false, 7), ("a/b c+", "i2", false, true, 0), ("a/b c+", "i1", false, false, 5)]);
        assert_eq!(page.next, Some(("a/b c+".into(), Some("i1".into()))));
    }

    /// An undeclared encoding is none; a missing marker is made from the last entry; entities are resolved.
    #[test]
    fn servers_differ() {
        let text = "<ListVersionsResult><IsTruncated>true</IsTruncated><Version><Key>a%2F&amp;&#x62;</Key><VersionId/>\
                    <IsLatest>true</IsLatest><Size>1</Size></Version></ListVersionsResult>";
        let page = parse_page(text.as_bytes()).unwrap();
        assert_eq!(page.entries[0].key, "a%2F&b");
        assert_eq!(page.entries[0].id, "null");
        assert_eq!(page.next, Some(("a%2F&b".into(), Some("null".into()))));
    }

    #[test]
    fn what_is_not_a_page_is_refused() {
        for bad in [
            "",
            "<html>",
            "<Error><Code>x</Code></Error>",
            "<ListVersionsResult></ListVersionsResult>",
            "<ListVersionsResult><IsTruncated>false</IsTruncated><Version><Key>a</Key></Version></ListVersionsResult>",
            "<ListVersionsResult><IsTruncated>true</IsTruncated></ListVersionsResult>",
            "<ListVersionsResult><IsTruncated>false</IsTruncated>",
            &"<a>".repeat(100_000),
        ] {
            assert_eq!(parse_page(bad.as_bytes()), None, "{bad:.80}");
        }
        assert_eq!(decode("%zz"), None);
        assert_eq!(decode("%f"), None);
        assert_eq!(decode("%ff"), None);
    }

    #[test]
    fn lock_dates_come_in_many_shapes() {
        let until = UnixSeconds::parse("2027-01-02T03:04:05Z").unwrap();
        for text in ["2027-01-02T03:04:05Z", "2027-01-02T03:04:05.000Z", "2027-01-02T03:04:05.000000000Z"] {
            let lock = parse_lock(Some("COMPLIANCE"), Some(text)).unwrap();
            assert_eq!(lock, Some(Lock { mode: Mode::Compliance, retain_until: until }), "{text}");
        }
        assert_eq!(parse_lock(None, Some("")), Ok(None));
        assert!(parse_lock(Some("GOVERNANCE"), None).is_err());
        assert!(parse_lock(Some("LOCKED"), Some("2027-01-02T03:04:05Z")).is_err());
        assert!(parse_lock(Some("GOVERNANCE"), Some("soon")).is_err());
    }
}
