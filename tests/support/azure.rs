//! Azure Blob Storage as its REST reference describes it, as far as a store of evidence asks it, in memory: versions, immutability policies,
//! legal holds, index tags. Shared keys are checked by an implementation of their own ("Authorize with Shared Key").

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;
use spanseal::clock::{Clock, SystemClock, UnixSeconds};
use spanseal::worm::ServiceEndpoint;
use spanseal::worm::azure::{AccountKey, AzureOptions, AzureStore};

use super::recording::{Recording, Seen, Service};

pub(crate) const ACCOUNT: &str = "evidence0";
pub(crate) const CONTAINER: &str = "audit";
/// Base64 of a key that opens nothing.
pub(crate) const KEY: &str = "bm90IGEga2V5IG9mIGFueWJvZHkncw==";

/// What it does wrong, or differently.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behaviour {
    /// The container was made without version-level immutability; policies are refused.
    pub(crate) not_immutable: bool,
    /// It takes policies and forgets them.
    pub(crate) drops_policies: bool,
    /// It shows policies and deletes nevertheless.
    pub(crate) deletes: bool,
    /// It does not know `startFrom`, and lists from the beginning.
    pub(crate) without_start_from: bool,
    /// The credentials lack the right to put tags.
    pub(crate) denies_tags: bool,
}

#[derive(Clone)]
struct Version {
    id: String,
    body: Bytes,
    /// Mode (`Locked`, `Unlocked`) and until when.
    policy: Option<(String, String)>,
    held: bool,
    tags: Option<String>,
}

#[derive(Default)]
struct Blob {
    versions: Vec<Version>,
    /// The last one is the current version.
    has_current: bool,
}

/// The service.
#[derive(Default)]
pub(crate) struct Azure {
    pub(crate) behaviour: Behaviour,
    blobs: BTreeMap<String, Blob>,
    given: u64,
}

impl Azure {
    pub(crate) async fn start(behaviour: Behaviour) -> Recording<Azure> {
        Recording::start(Azure { behaviour, ..Azure::default() }).await
    }

    /// A delete without version id: there is no current version then.
    pub(crate) fn hide(&mut self, key: &str) {
        self.blobs.get_mut(key).unwrap().has_current = false;
    }
}

impl Recording<Azure> {
    /// The account's address.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}", self.port)
    }

    pub(crate) async fn store(&self, prefix: &str) -> AzureStore {
        let endpoint = ServiceEndpoint { url: Some(self.endpoint()), ..ServiceEndpoint::default() };
        let options = AzureOptions { endpoint, account_key: Some(AccountKey(KEY.into())), ..AzureOptions::default() };
        AzureStore::open(ACCOUNT, CONTAINER, prefix, options).await.unwrap()
    }
}

fn now() -> i64 {
    SystemClock.now().ceil_seconds().0
}

/// RFC 1123, and in no other spelling.
fn http_date(text: &str) -> Result<UnixSeconds, String> {
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).map_err(|e| format!("`{text}`: {e}"))?;
    let plain = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap();
    if plain == text { Ok(UnixSeconds(at.as_second())) } else { Err(format!("date `{text}` is not RFC 1123")) }
}

fn response(status: u16) -> http::response::Builder {
    Response::builder().status(status).header("x-ms-request-id", "1").header("x-ms-version", "2023-11-03").header("server", "Recording")
}

fn error(status: u16, code: &str) -> Response {
    let body =
        format!("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>no\nRequestId:1</Message></Error>");
    response(status).header("x-ms-error-code", code).header("content-type", "application/xml").body(Body::from(body)).unwrap()
}

/// The signature as "Authorize with Shared Key" says it, from version 2015-02-21 on.
fn expect_signature(seen: &Seen) -> Result<(), String> {
    let header = |name: &str| seen.header(name).unwrap_or_default();
    let length = Some(header("content-length")).filter(|length| *length != "0").unwrap_or_default();
    let mut text = format!("{}\n{}\n{}\n{length}\n", seen.method, header("content-encoding"), header("content-language"));
    for name in ["content-md5", "content-type", "date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"] {
        text += &format!("{}\n", header(name));
    }
    for (name, value) in seen.headers.iter().filter(|(name, _)| name.starts_with("x-ms-")) {
        text += &format!("{name}:{value}\n");
    }
    text += &format!("/{ACCOUNT}{}", seen.path);
    for (name, value) in &seen.query {
        text += &format!("\n{}:{value}", name.to_lowercase());
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&BASE64_STANDARD.decode(KEY).unwrap()).unwrap();
    mac.update(text.as_bytes());
    let wanted = format!("SharedKey {ACCOUNT}:{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    if header("authorization") == wanted { Ok(()) } else { Err(format!("the signature is not that of {text:?}")) }
}

const POLICY: [&str; 2] = ["x-ms-immutability-policy-mode", "x-ms-immutability-policy-until-date"];

/// The policy that a request asks for.
fn asked_policy(seen: &Seen) -> Result<Option<(String, String)>, String> {
    let [mode, until] = POLICY.map(|name| seen.header(name).map(str::to_owned));
    match (mode, until) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) => {
            if !matches!(mode.as_str(), "Locked" | "Unlocked") {
                return Err(format!("policy mode `{mode}`"));
            }
            if http_date(&until)?.0 <= now() {
                return Err(format!("policy date `{until}` is past"));
            }
            Ok(Some((mode, until)))
        }
        other => Err(format!("half a policy: {other:?}")),
    }
}

fn is_active(policy: &Option<(String, String)>) -> bool {
    policy.as_ref().is_some_and(|(_, until)| http_date(until).unwrap().0 > now())
}

impl Version {
    fn is_protected(&self) -> bool {
        self.held || is_active(&self.policy)
    }

    /// What a GET and a HEAD say of it.
    fn describe(&self, mut answer: http::response::Builder) -> http::response::Builder {
        answer = answer.header("x-ms-version-id", &self.id).header("x-ms-blob-type", "BlockBlob").header("etag", "\"0x1\"");
        if let Some((mode, until)) = &self.policy {
            // The service answers in small letters.
            answer = answer.header(POLICY[0], mode.to_lowercase()).header(POLICY[1], until);
        }
        answer.header("x-ms-legal-hold", self.held.to_string())
    }
}

impl Service for Azure {
    fn fail(&self, status: StatusCode, code: &str) -> Response {
        error(status.as_u16(), code)
    }

    fn answer(&mut self, seen: &Seen) -> Result<Response, String> {
        if seen.header("x-ms-version") != Some("2023-11-03") {
            return Err(format!("x-ms-version {:?}", seen.header("x-ms-version")));
        }
        let date = http_date(seen.header("date").ok_or("no date")?)?;
        if (date.0 - now()).abs() > 15 * 60 {
            return Err(format!("the date {date} is more than 15 minutes off"));
        }
        expect_signature(seen)?;
        let path = seen.path.strip_prefix(&format!("/{ACCOUNT}/")).ok_or("another account")?;
        let path = percent_encoding(path)?;
        let (container, key) = path.split_once('/').map_or((path.as_str(), None), |(container, key)| (container, Some(key)));
        if container != CONTAINER {
            return Ok(error(404, "ContainerNotFound"));
        }
        let Some(key) = key else { return self.of_container(seen) };
        match (&seen.method, seen.query("comp")) {
            (&Method::PUT, None) => self.put(seen, key),
            (&Method::PUT, Some("immutabilityPolicies")) => self.set_policy(seen, key),
            (&Method::DELETE, Some("immutabilityPolicies")) => self.delete_policy(seen, key),
            (&Method::PUT, Some("legalhold")) => self.set_hold(seen, key),
            (&Method::GET, Some("tags")) => self.tags(seen, key),
            (&Method::GET | &Method::HEAD, None) => self.get(seen, key),
            (&Method::DELETE, None) => self.delete(seen, key),
            (method, comp) => Err(format!("no such operation: {method} comp={comp:?}")),
        }
    }
}

/// Undoes percent-encoding; what is not written as RFC 3986 wants it is an error.
pub(crate) fn percent_encoding(text: &str) -> Result<String, String> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let pair = [bytes.next(), bytes.next()].map(Option::unwrap_or_default);
                out.push(u8::from_str_radix(std::str::from_utf8(&pair).unwrap(), 16).map_err(|e| format!("{text}: {e}"))?);
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte),
            other => return Err(format!("`{}` stands in the path as it is", char::from(other))),
        }
    }
    String::from_utf8(out).map_err(|e| e.to_string())
}

/// What every operation has.
const ALWAYS: [&str; 2] = ["date", "x-ms-version"];

impl Azure {
    /// The version that is asked for; `Err` is the service's refusal.
    #[expect(clippy::result_large_err, reason = "an answer is the error here, and it is made once a request")]
    fn version(&mut self, seen: &Seen, key: &str) -> Result<&mut Version, Response> {
        let wanted = seen.query("versionid");
        // Digits where the others have digits.
        let shape = |id: &str| id.bytes().map(|b| if b.is_ascii_digit() { b'0' } else { b }).collect::<Vec<_>>();
        if wanted.is_some_and(|id| shape(id) != b"0000-00-00T00:00:00.0000000Z") {
            return Err(error(400, "InvalidQueryParameterValue"));
        }
        let found = self.blobs.get_mut(key).and_then(|blob| match wanted {
            Some(id) => blob.versions.iter_mut().find(|v| v.id == id),
            None => blob.versions.last_mut().filter(|_| blob.has_current),
        });
        found.ok_or_else(|| error(404, "BlobNotFound"))
    }

    fn put(&mut self, seen: &Seen, key: &str) -> Result<Response, String> {
        let mut headers = vec!["content-md5", "content-type", "if-none-match", "x-ms-blob-type", "x-ms-tags"];
        headers.extend(ALWAYS.iter().chain(&POLICY));
        seen.expect_only(&[], &headers)?;
        if seen.header("x-ms-blob-type") != Some("BlockBlob") {
            return Err("x-ms-blob-type".into());
        }
        if seen.header("content-length") != Some(&seen.body.len().to_string()) {
            return Err("content-length".into());
        }
        if seen.header("content-md5") != Some(&BASE64_STANDARD.encode(Md5::digest(&seen.body))) {
            return Err("content-md5 is not that of the body".into());
        }
        let create_only = match seen.header("if-none-match") {
            None => false,
            Some("*") => true,
            Some(other) => return Err(format!("if-none-match `{other}`")),
        };
        let policy = asked_policy(seen)?;
        let tags = seen.header("x-ms-tags").map(str::to_owned);
        if tags.as_ref().is_some_and(|tags| tags.split('&').any(|tag| tag.split('=').count() != 2)) {
            return Err(format!("x-ms-tags {tags:?}"));
        }
        if tags.is_some() && self.behaviour.denies_tags {
            return Ok(error(403, "AuthorizationPermissionMismatch"));
        }
        if policy.is_some() && self.behaviour.not_immutable {
            return Ok(error(409, "FeatureNotEnabled"));
        }
        self.given += 1;
        let id = format!("2026-11-21T10:00:00.{:07}Z", self.given);
        let blob = self.blobs.entry(key.to_owned()).or_default();
        if create_only && blob.has_current {
            return Ok(error(409, "BlobAlreadyExists"));
        }
        let policy = policy.filter(|_| !self.behaviour.drops_policies);
        blob.versions.push(Version { id: id.clone(), body: seen.body.clone(), policy, held: false, tags });
        blob.has_current = true;
        Ok(response(201).header("x-ms-version-id", id).header("etag", "\"0x1\"").body(Body::empty()).unwrap())
    }

    fn set_policy(&mut self, seen: &Seen, key: &str) -> Result<Response, String> {
        seen.expect_only(&["comp", "versionid"], &[ALWAYS, POLICY].concat())?;
        let (mode, until) = asked_policy(seen)?.ok_or("no policy")?;
        if !seen.body.is_empty() || seen.header("content-length") != Some("0") {
            return Err("a body, or no length".into());
        }
        if self.behaviour.not_immutable {
            return Ok(error(409, "FeatureNotEnabled"));
        }
        let drops = self.behaviour.drops_policies;
        let version = match self.version(seen, key) {
            Ok(version) => version,
            Err(refused) => return Ok(refused),
        };
        // "When immutability policy in locked mode, user can only extend the retention until date", nor is it unlocked again.
        if let Some((set_mode, set_until)) = &version.policy
            && set_mode == "Locked"
            && (mode != "Locked" || http_date(&until)? < http_date(set_until)?)
        {
            return Ok(error(409, "BlobImmutableDueToPolicy"));
        }
        version.policy = (!drops).then_some((mode, until));
        Ok(response(200).body(Body::empty()).unwrap())
    }

    fn delete_policy(&mut self, seen: &Seen, key: &str) -> Result<Response, String> {
        seen.expect_only(&["comp", "versionid"], &ALWAYS)?;
        match self.version(seen, key) {
            Err(refused) => Ok(refused),
            Ok(version) if version.policy.as_ref().is_some_and(|(mode, _)| mode == "Locked") => Ok(error(409, "BlobImmutableDueToPolicy")),
            Ok(version) => {
                version.policy = None;
                Ok(response(200).body(Body::empty()).unwrap())
            }
        }
    }

    fn set_hold(&mut self, seen: &Seen, key: &str) -> Result<Response, String> {
        seen.expect_only(&["comp", "versionid"], &["x-ms-legal-hold", ALWAYS[0], ALWAYS[1]])?;
        let on = match seen.header("x-ms-legal-hold") {
            Some("true") => true,
            Some("false") => false,
            other => return Err(format!("x-ms-legal-hold {other:?}")),
        };
        match self.version(seen, key) {
            Err(refused) => Ok(refused),
            Ok(version) => {
                version.held = on;
                Ok(response(200).header("x-ms-legal-hold", on.to_string()).body(Body::empty()).unwrap())
            }
        }
    }

    fn tags(&mut self, seen: &Seen, key: &str) -> Result<Response, String> {
        seen.expect_only(&["comp", "versionid"], &ALWAYS)?;
        let version = match self.version(seen, key) {
            Ok(version) => version,
            Err(refused) => return Ok(refused),
        };
        let tags = version.tags.iter().flat_map(|tags| tags.split('&')).map(|tag| {
            let (name, value) = tag.split_once('=').unwrap();
            format!("<Tag><Key>{name}</Key><Value>{value}</Value></Tag>")
        });
        let body = format!("\u{feff}<?xml version=\"1.0\"?><Tags><TagSet>{}</TagSet></Tags>", tags.collect::<String>());
        Ok(response(200).body(Body::from(body)).unwrap())
    }

    fn get(&mut self, seen: &Seen, key: &str) -> Result<Response, String> {
        seen.expect_only(&["versionid"], &ALWAYS)?;
        match self.version(seen, key) {
            Err(refused) => Ok(refused),
            Ok(version) => Ok(version.describe(response(200)).body(Body::from(version.body.clone())).unwrap()),
        }
    }

    fn delete(&mut self, seen: &Seen, key: &str) -> Result<Response, String> {
        seen.expect_only(&["versionid"], &ALWAYS)?;
        let deletes = self.behaviour.deletes;
        let id = match self.version(seen, key) {
            Err(refused) => return Ok(refused),
            Ok(version) if seen.query("versionid").is_some() && version.is_protected() && !deletes => {
                return Ok(error(409, "BlobImmutableDueToPolicy"));
            }
            Ok(version) => version.id.clone(),
        };
        let blob = self.blobs.get_mut(key).unwrap();
        let is_current = blob.has_current && blob.versions.last().is_some_and(|v| v.id == id);
        match seen.query("versionid") {
            None => blob.has_current = false,
            Some(_) if is_current => return Ok(error(403, "OperationNotAllowedOnRootBlob")),
            Some(_) => {
                blob.versions.retain(|v| v.id != id);
                blob.has_current &= !is_current;
            }
        }
        Ok(response(202).body(Body::empty()).unwrap())
    }

    fn of_container(&self, seen: &Seen) -> Result<Response, String> {
        if seen.method != Method::GET || seen.query("restype") != Some("container") {
            return Err("no such operation on a container".into());
        }
        if seen.query("comp").is_some() {
            return self.list(seen);
        }
        seen.expect_only(&["restype"], &ALWAYS)?;
        let immutable = (!self.behaviour.not_immutable).to_string();
        Ok(response(200)
            .header("x-ms-immutable-storage-with-versioning-enabled", immutable)
            .header("x-ms-has-immutability-policy", "false")
            .header("x-ms-has-legal-hold", "false")
            .body(Body::empty())
            .unwrap())
    }

    fn list(&self, seen: &Seen) -> Result<Response, String> {
        seen.expect_only(&["restype", "comp", "include", "maxresults", "prefix", "marker", "startFrom"], &ALWAYS)?;
        if seen.query("comp") != Some("list") || seen.query("include") != Some("versions") {
            return Err("comp or include".into());
        }
        let max: usize = seen.query("maxresults").and_then(|n| n.parse().ok()).filter(|n| (1..=5000).contains(n)).ok_or("maxresults")?;
        let prefix = seen.query("prefix").unwrap_or_default();
        if seen.query("marker").is_some() && seen.query("startFrom").is_some() {
            return Err("startFrom is for the first page".into());
        }
        let (at, start) = match (seen.query("marker"), seen.query("startFrom")) {
            (Some(marker), _) => {
                let marker = BASE64_STANDARD.decode(marker.strip_prefix("2!").ok_or("marker")?).map_err(|e| e.to_string())?;
                let marker = String::from_utf8(marker).unwrap();
                let (at, start) = marker.split_once(' ').unwrap();
                (at.parse::<usize>().unwrap(), start.to_owned())
            }
            (None, start) => (0, start.filter(|_| !self.behaviour.without_start_from).unwrap_or_default().to_owned()),
        };
        let all = self.blobs.iter().filter(|(key, _)| key.starts_with(prefix) && **key >= start);
        let all: Vec<_> = all
            .flat_map(|(key, blob)| {
                let last = blob.versions.len() - 1;
                blob.versions.iter().enumerate().map(move |(n, version)| (key, version, blob.has_current && n == last))
            })
            .collect();
        let mut body = String::from("\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>");
        for (key, version, is_current) in all.iter().skip(at).take(max) {
            let key = key.replace('&', "&amp;").replace('<', "&lt;");
            let current = if *is_current { "<IsCurrentVersion>true</IsCurrentVersion>" } else { "" };
            let (id, size) = (&version.id, version.body.len());
            write!(
                body,
                "<Blob><Name>{key}</Name><VersionId>{id}</VersionId>{current}<Properties><Content-Length>{size}</Content-Length></Properties></Blob>"
            )
            .unwrap();
        }
        let end = at + max;
        let marker = if end < all.len() { format!("2!{}", BASE64_STANDARD.encode(format!("{end} {start}"))) } else { String::new() };
        body += &format!("</Blobs><NextMarker>{marker}</NextMarker></EnumerationResults>");
        Ok(response(200).header("content-type", "application/xml").body(Body::from(body)).unwrap())
    }
}
