//! A place from which content may be fetched, and whether a reference lies in it (pure).
//!
//! References are named by strangers, and this process stands inside a network: it must not be talked into asking for anything else than
//! what the operator pointed at. So a reference counts only if it begins, byte for byte, with a configured place, which holds scheme, host
//! and port and ends in a slash, and if what follows is a plain path: no part of it empty, `.` or `..`, however they are written, no query, no
//! fragment, no backslash, no control character. Nothing is normalised: what would need it is refused.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use url::{Host, Url};

use crate::worm::StoreUrl;
use crate::worm::s3::is_loopback;

/// Longest reference, bytes.
const REFERENCE_BYTES_MAX: usize = 4096;

/// A folder, a bucket's folder, or a path of a web server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As configured; ends in a slash.
    prefix: String,
    pub(super) kind: Kind,
}

/// What a place is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Web,
    Folder(PathBuf),
    Bucket { bucket: String, prefix: String },
}

impl Place {
    /// Reads a place as the configuration names it; the error says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!("`{text}` is no place; write {FORMS}"));
        };
        if !text.ends_with('/') {
            return Err(format!("`{text}` does not end in a slash: write `{text}/`, or it would let in everything that begins alike"));
        }
        if text.len() > REFERENCE_BYTES_MAX / 2 {
            return Err(format!("longer than {} bytes", REFERENCE_BYTES_MAX / 2));
        }
        let kind = match scheme {
            "https" | "http" => web(text)?,
            "s3" => match StoreUrl::parse(text).map_err(|e| e.to_string())? {
                StoreUrl::S3 { bucket, prefix }
                    if text == format!("s3://{bucket}/{prefix}{}", if prefix.is_empty() { "" } else { "/" }) =>
                {
                    Kind::Bucket { bucket, prefix }
                }
                _ => return Err(format!("`{text}`: write s3://bucket/folder/, without two slashes in a row")),
            },
            "file" => {
                let inner = rest.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
                match inner {
                    Some("") | None if rest == "/" => {
                        return Err("the whole file system; name a folder that holds such content and nothing else".to_owned());
                    }
                    Some(inner) if is_plain(inner) => Kind::Folder(PathBuf::from(format!("/{inner}"))),
                    _ => {
                        return Err(format!("`{text}`: write file:///folder/, with the whole path from the root and without `.` and `..`"));
                    }
                }
            }
            _ => return Err(format!("`{scheme}` is no scheme that can be fetched; write {FORMS}")),
        };
        Ok(Place { prefix: text.to_owned(), kind })
    }

    /// What a reference names inside this place; `None` where it lies elsewhere, or is not written plainly.
    pub fn within<'r>(&self, reference: &'r str) -> Option<&'r str> {
        let rest = reference.strip_prefix(&self.prefix).filter(|rest| is_plain(rest) && reference.len() <= REFERENCE_BYTES_MAX)?;
        let is_there = match &self.kind {
            // What the parser of URLs would change is not what was looked at.
            Kind::Web => is_plain_when_decoded(rest) && Url::parse(reference).is_ok_and(|url| url.as_str() == reference),
            // Names of files and keys of objects are taken as they stand: there a percent sign is one.
            Kind::Folder(_) | Kind::Bucket { .. } => true,
        };
        is_there.then_some(rest)
    }

    /// The folder, where it is one of this machine.
    pub fn folder(&self) -> Option<&std::path::Path> {
        match &self.kind {
            Kind::Folder(folder) => Some(folder),
            Kind::Web | Kind::Bucket { .. } => None,
        }
    }

    /// Whether it is reached with TLS by this process itself.
    pub fn is_https(&self) -> bool {
        self.prefix.starts_with("https://")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix)
    }
}

const FORMS: &str = "s3://bucket/folder/, https://host/folder/ or file:///folder/";

fn web(text: &str) -> Result<Kind, String> {
    let Ok(url) = Url::parse(text) else { return Err(format!("`{text}` is not a URL; write https://host/folder/")) };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has credentials in it, which would stand in the sealed configuration; a place is asked without any".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("`{text}` has a query or a fragment; write https://host/folder/"));
    }
    if url.as_str() != text {
        return Err(format!("`{text}` is written otherwise than it is sent: write `{url}`, as references do"));
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(format!("`{text}` is plain HTTP beyond this machine: who is on the way could put anything in its place; use https"));
    }
    let address = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)),
        _ => None,
    };
    match address {
        Some(ip) if is_nobodys(ip) => Err(format!("`{ip}` is an address at which clouds hand out credentials, or nobody's; name a server")),
        _ => Ok(Kind::Web),
    }
}

/// Link-local (where metadata services are), unspecified and multicast addresses, and the metadata service of EC2 in IPv6.
fn is_nobodys(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast(),
        IpAddr::V6(ip) => {
            ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast() || ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
        }
    }
}

/// A path of ordinary parts.
fn is_plain(path: &str) -> bool {
    // Servers in Java leave away what follows a semicolon before they look for `..`.
    let is_part = |part: &str| !matches!(part.split(';').next(), None | Some("" | "." | ".."));
    !path.contains(|c: char| c.is_control() || matches!(c, '\\' | '?' | '#')) && path.split('/').all(is_part)
}

/// The same of what percent signs stand for; one that is hidden behind another, a slash or a NUL is not plain.
fn is_plain_when_decoded(path: &str) -> bool {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        let mut byte = [0];
        let Some((digits, after)) = after.split_at_checked(2) else { return false };
        if hex::decode_to_slice(digits, &mut byte).is_err() || matches!(byte, [b'%' | b'/']) {
            return false;
        }
        decoded.extend(byte);
        rest = after;
    }
    is_plain(&String::from_utf8_lossy(&decoded))
}

#[cfg(test)]
mod tests;
