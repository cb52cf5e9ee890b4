//! Google Cloud Storage as its JSON API is described, as far as a store of evidence asks it, in memory: object versioning, Object Retention
//! Lock, holds, custom time. `fields` is honoured to the letter, so that the adapter gets nothing that it did not ask for.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest, Md5};
use serde_json::{Map, Value, json};
use spanseal::clock::{Clock, SystemClock, UnixSeconds};
use spanseal::worm::ServiceEndpoint;
use spanseal::worm::gcs::{AccessToken, GcsOptions, GcsStore};

use super::azure::percent_encoding;
use super::recording::{Recording, Seen, Service};

pub(crate) const BUCKET: &str = "audit_bucket";
pub(crate) const TOKEN: &str = "ya29.nobodys-token";
/// 100 years.
const RETENTION_MAX_SECONDS: i64 = 3_155_760_000;

/// What it does wrong, or differently.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behaviour {
    /// The bucket was made without per-object retention; it is refused.
    pub(crate) no_retention: bool,
    /// Versions are not kept.
    pub(crate) no_versioning: bool,
    /// It shows retention and deletes nevertheless.
    pub(crate) deletes: bool,
    /// The credentials lack `storage.objects.overrideUnlockedRetention`.
    pub(crate) denies_override: bool,
}

struct Version {
    generation: u64,
    metageneration: u64,
    body: Bytes,
    /// `retention`, `temporaryHold`, `metadata`, `customTime` as they were set.
    set: Map<String, Value>,
    is_live: bool,
}

/// The service.
#[derive(Default)]
pub(crate) struct Gcs {
    pub(crate) behaviour: Behaviour,
    objects: BTreeMap<String, Vec<Version>>,
    given: u64,
}

impl Gcs {
    pub(crate) async fn start(behaviour: Behaviour) -> Recording<Gcs> {
        Recording::start(Gcs { behaviour, ..Gcs::default() }).await
    }

    /// A delete without generation: there is no live version then.
    pub(crate) fn hide(&mut self, name: &str) {
        self.objects.get_mut(name).unwrap().iter_mut().for_each(|v| v.is_live = false);
    }

    /// Somebody else changes the newest version's metadata.
    pub(crate) fn touch(&mut self, name: &str, member: &str, value: Value) {
        let version = self.objects.get_mut(name).unwrap().last_mut().unwrap();
        version.set.insert(member.to_owned(), value);
        version.metageneration += 1;
    }
}

impl Recording<Gcs> {
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) async fn store(&self, prefix: &str) -> GcsStore {
        let endpoint = ServiceEndpoint { url: Some(self.endpoint()), ..ServiceEndpoint::default() };
        let options = GcsOptions { endpoint, token: Some(AccessToken(TOKEN.into())), ..GcsOptions::default() };
        GcsStore::open(BUCKET, prefix, options).await.unwrap()
    }
}

fn now() -> i64 {
    SystemClock.now().ceil_seconds().0
}

fn response(status: u16, body: impl Into<Body>) -> Response {
    Response::builder().status(status).header("content-type", "application/json; charset=UTF-8").body(body.into()).unwrap()
}

fn error(status: u16, reason: &str, message: &str) -> Response {
    let body =
        json!({"error": {"code": status, "message": message, "errors": [{"reason": reason, "domain": "global", "message": message}]}});
    response(status, body.to_string())
}

/// The members that `fields` names, one level below `items(...)` too.
fn only(value: Value, fields: &str) -> Value {
    let Value::Object(members) = value else { return value };
    let mut kept = Map::new();
    for (name, member) in members {
        let inner = fields.split_once(&format!("{name}(")).and_then(|(_, rest)| rest.split_once(')')).map(|(inner, _)| inner);
        match (inner, member) {
            (Some(inner), Value::Array(items)) => {
                kept.insert(name, items.into_iter().map(|item| only(item, inner)).collect());
            }
            (None, member) if fields.split(',').any(|field| field == name) => {
                kept.insert(name, member);
            }
            _ => {}
        }
    }
    Value::Object(kept)
}

fn expect_retention(value: &Value) -> Result<(), String> {
    let members = value.as_object().ok_or("retention is no object")?;
    if members.keys().any(|name| !matches!(name.as_str(), "mode" | "retainUntilTime")) {
        return Err(format!("members of retention: {value}"));
    }
    if !matches!(value["mode"].as_str(), Some("Locked" | "Unlocked")) {
        return Err(format!("retention mode {}", value["mode"]));
    }
    let until = until(value).ok_or_else(|| format!("retainUntilTime {}", value["retainUntilTime"]))?;
    if until <= now() || until > now() + RETENTION_MAX_SECONDS {
        return Err(format!("retainUntilTime {} is past, or more than 100 years ahead", value["retainUntilTime"]));
    }
    Ok(())
}

fn until(retention: &Value) -> Option<i64> {
    UnixSeconds::parse(retention["retainUntilTime"].as_str()?).map(|at| at.0)
}

impl Version {
    fn resource(&self, name: &str) -> Value {
        let mut members = self.set.clone();
        for (member, value) in [
            ("name", json!(name)),
            ("bucket", json!(BUCKET)),
            ("generation", json!(self.generation.to_string())),
            ("metageneration", json!(self.metageneration.to_string())),
            ("size", json!(self.body.len().to_string())),
        ] {
            members.insert(member.to_owned(), value);
        }
        if !self.is_live {
            members.insert("timeDeleted".to_owned(), json!("2026-11-21T10:00:00.000Z"));
        }
        Value::Object(members)
    }

    fn is_protected(&self) -> Option<&'static str> {
        let held = |name: &str| self.set.get(name) == Some(&Value::Bool(true));
        if held("temporaryHold") || held("eventBasedHold") {
            return Some("objectUnderActiveHold");
        }
        self.set.get("retention").and_then(until).is_some_and(|until| until > now()).then_some("retentionPolicyNotMet")
    }
}

impl Service for Gcs {
    fn fail(&self, status: StatusCode, code: &str) -> Response {
        error(status.as_u16(), code, "told to fail")
    }

    fn answer(&mut self, seen: &Seen) -> Result<Response, String> {
        if seen.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Ok(error(401, "authError", "Invalid Credentials"));
        }
        let upload = seen.path.strip_prefix("/upload/storage/v1/b/");
        let path = upload.or_else(|| seen.path.strip_prefix("/storage/v1/b/")).ok_or("no such path")?;
        let parts: Vec<&str> = path.split('/').collect();
        if percent_encoding(parts[0])? != BUCKET {
            return Ok(error(404, "notFound", "The specified bucket does not exist."));
        }
        match (&seen.method, parts.as_slice(), upload) {
            (&Method::POST, [_, "o"], Some(_)) => self.insert(seen),
            (&Method::GET, [_], None) => self.bucket(seen),
            (&Method::GET, [_, "o"], None) => self.list(seen),
            // A name is one part of the path: its slashes are encoded.
            (method, [_, "o", name], None) => {
                let name = percent_encoding(name)?;
                match *method {
                    Method::GET => self.get(seen, &name),
                    Method::PATCH => self.patch(seen, &name),
                    Method::DELETE => self.delete(seen, &name),
                    _ => Err("no such operation on an object".into()),
                }
            }
            _ => Err("no such operation".into()),
        }
    }
}

impl Gcs {
    fn bucket(&self, seen: &Seen) -> Result<Response, String> {
        seen.expect_only(&["fields"], &[])?;
        let mut bucket = json!({"name": BUCKET});
        if !self.behaviour.no_versioning {
            bucket["versioning"] = json!({"enabled": true});
        }
        if !self.behaviour.no_retention {
            bucket["objectRetention"] = json!({"mode": "Enabled"});
        }
        Ok(response(200, only(bucket, seen.query("fields").ok_or("fields")?).to_string()))
    }

    fn insert(&mut self, seen: &Seen) -> Result<Response, String> {
        seen.expect_only(&["uploadType", "ifGenerationMatch", "fields"], &["content-type"])?;
        if seen.query("uploadType") != Some("multipart") {
            return Err("uploadType".into());
        }
        let create_only = match seen.query("ifGenerationMatch") {
            None => false,
            Some("0") => true,
            Some(other) => return Err(format!("ifGenerationMatch={other}")),
        };
        let content_type = seen.header("content-type").unwrap_or_default();
        let boundary = content_type.strip_prefix("multipart/related; boundary=").ok_or("content-type")?;
        let (mut object, body) = parts(&seen.body, boundary)?;
        let members = object.as_object_mut().ok_or("metadata")?;
        let known = ["name", "contentType", "md5Hash", "retention", "metadata", "customTime"];
        if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("unknown member `{name}`"));
        }
        if members.get("md5Hash") != Some(&json!(BASE64_STANDARD.encode(Md5::digest(&body)))) {
            return Err("md5Hash is not that of the media".into());
        }
        if members.get("contentType") != Some(&json!("application/octet-stream")) {
            return Err("contentType differs from that of the media".into());
        }
        if let Some(time) = members.get("customTime")
            && time.as_str().and_then(UnixSeconds::parse).is_none()
        {
            return Err(format!("customTime {time}"));
        }
        if let Some(retention) = members.get("retention") {
            expect_retention(retention)?;
            if self.behaviour.no_retention {
                return Ok(error(400, "invalid", "Object retention cannot be set: the bucket does not have object retention enabled."));
            }
        }
        let name = members.get("name").and_then(Value::as_str).ok_or("name")?.to_owned();
        let set = members.iter().filter(|(n, _)| matches!(n.as_str(), "retention" | "metadata" | "customTime"));
        let set = set.map(|(n, v)| (n.clone(), v.clone())).collect();
        let versions = self.objects.entry(name.clone()).or_default();
        if create_only && versions.iter().any(|v| v.is_live) {
            return Ok(error(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."));
        }
        versions.iter_mut().for_each(|v| v.is_live = false);
        if self.behaviour.no_versioning {
            versions.clear();
        }
        self.given += 1;
        // Microseconds of a clock, at a place where the number of digits changes.
        let generation = 9_999_999_999_999_990 + self.given;
        versions.push(Version { generation, metageneration: 1, body, set, is_live: true });
        let resource = versions.last().unwrap().resource(&name);
        Ok(response(200, only(resource, seen.query("fields").ok_or("fields")?).to_string()))
    }

    /// The version that is asked for; `Err` is the service's refusal.
    fn version(&mut self, seen: &Seen, name: &str) -> Result<Result<&mut Version, Response>, String> {
        let wanted = match seen.query("generation") {
            None => None,
            Some(number) => Some(number.parse::<u64>().ok().filter(|n| *n > 0).ok_or_else(|| format!("generation={number}"))?),
        };
        let found = self.objects.get_mut(name).and_then(|versions| match wanted {
            Some(generation) => versions.iter_mut().find(|v| v.generation == generation),
            None => versions.iter_mut().find(|v| v.is_live),
        });
        Ok(found.ok_or_else(|| error(404, "notFound", &format!("No such object: {BUCKET}/{name}"))))
    }

    fn get(&mut self, seen: &Seen, name: &str) -> Result<Response, String> {
        let is_media = match seen.query("alt") {
            None => false,
            Some("media") => true,
            Some(other) => return Err(format!("alt={other}")),
        };
        seen.expect_only(if is_media { &["generation", "alt"] } else { &["generation", "fields"] }, &[])?;
        let fields = seen.query("fields").unwrap_or_default().to_owned();
        Ok(match self.version(seen, name)? {
            Err(_) if is_media => Response::builder().status(404).body(Body::from(format!("No such object: {BUCKET}/{name}"))).unwrap(),
            Err(refused) => refused,
            Ok(version) if is_media => {
                Response::builder().header("x-goog-generation", version.generation).body(Body::from(version.body.clone())).unwrap()
            }
            Ok(version) => response(200, only(version.resource(name), &fields).to_string()),
        })
    }

    fn patch(&mut self, seen: &Seen, name: &str) -> Result<Response, String> {
        seen.expect_only(&["generation", "ifMetagenerationMatch", "overrideUnlockedRetention", "fields"], &["content-type"])?;
        if seen.header("content-type") != Some("application/json") {
            return Err("content-type".into());
        }
        let change: Map<String, Value> = serde_json::from_slice(&seen.body).map_err(|e| e.to_string())?;
        let overrides = match seen.query("overrideUnlockedRetention") {
            None => false,
            Some("true") => true,
            Some(other) => return Err(format!("overrideUnlockedRetention={other}")),
        };
        match change.iter().next().map(|(name, value)| (name.as_str(), value)) {
            Some(("retention", Value::Null)) => {}
            Some(("retention", value)) => expect_retention(value)?,
            Some(("temporaryHold", Value::Bool(_))) if !overrides => {}
            _ => return Err(format!("change {change:?}")),
        }
        if change.len() != 1 {
            return Err("more than one change".into());
        }
        let (denies, disabled) = (self.behaviour.denies_override, self.behaviour.no_retention);
        let fields = seen.query("fields").ok_or("fields")?.to_owned();
        let version = match self.version(seen, name)? {
            Ok(version) => version,
            Err(refused) => return Ok(refused),
        };
        if seen.query("ifMetagenerationMatch").is_some_and(|wanted| wanted != version.metageneration.to_string()) {
            return Ok(error(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."));
        }
        if let Some(wanted) = change.get("retention") {
            if disabled {
                return Ok(error(400, "invalid", "The bucket does not have object retention enabled."));
            }
            if overrides && denies {
                return Ok(error(403, "forbidden", "no storage.objects.overrideUnlockedRetention access"));
            }
            let set = version.set.get("retention").filter(|set| until(set).is_some_and(|until| until > now()));
            let shortens = set.is_some_and(|set| until(wanted) < until(set));
            let refused = match set.and_then(|set| set["mode"].as_str()) {
                Some("Locked") => shortens || wanted["mode"] != "Locked",
                Some(_) => !overrides && (shortens || wanted["mode"] != "Unlocked"),
                None => false,
            };
            if refused {
                return Ok(error(403, "forbidden", "The retention of this object cannot be reduced or removed, or its mode changed."));
            }
        }
        for (member, value) in change {
            if value.is_null() {
                version.set.remove(&member)
            } else {
                version.set.insert(member, value)
            };
        }
        version.metageneration += 1;
        Ok(response(200, only(version.resource(name), &fields).to_string()))
    }

    fn delete(&mut self, seen: &Seen, name: &str) -> Result<Response, String> {
        seen.expect_only(&["generation"], &[])?;
        let deletes = self.behaviour.deletes;
        let by_generation = seen.query("generation").is_some();
        let generation = match self.version(seen, name)? {
            Err(refused) => return Ok(refused),
            Ok(version) => match version.is_protected().filter(|_| by_generation && !deletes) {
                Some(reason) => return Ok(error(403, reason, "Object is subject to retention and cannot be deleted or overwritten.")),
                None => version.generation,
            },
        };
        let versions = self.objects.get_mut(name).unwrap();
        if by_generation {
            versions.retain(|v| v.generation != generation);
        } else {
            versions.iter_mut().for_each(|v| v.is_live = false);
        }
        Ok(response(204, Body::empty()))
    }

    fn list(&self, seen: &Seen) -> Result<Response, String> {
        seen.expect_only(&["versions", "maxResults", "prefix", "startOffset", "pageToken", "fields"], &[])?;
        if seen.query("versions") != Some("true") {
            return Err("versions".into());
        }
        let max: usize = seen.query("maxResults").and_then(|n| n.parse().ok()).filter(|n| (1..=1000).contains(n)).ok_or("maxResults")?;
        let (prefix, start) = (seen.query("prefix").unwrap_or_default(), seen.query("startOffset").unwrap_or_default());
        let at: usize =
            seen.query("pageToken").map_or(Ok(0), |token| token.strip_prefix("t").unwrap_or_default().parse()).map_err(|_| "pageToken")?;
        let all = self.objects.iter().filter(|(name, _)| name.starts_with(prefix) && name.as_str() >= start);
        let all: Vec<_> = all.flat_map(|(name, versions)| versions.iter().map(move |v| v.resource(name))).collect();
        let mut page = json!({"kind": "storage#objects"});
        let items: Vec<Value> = all.iter().skip(at).take(max).cloned().collect();
        if !items.is_empty() {
            page["items"] = Value::Array(items);
        }
        if at + max < all.len() {
            page["nextPageToken"] = json!(format!("t{}", at + max));
        }
        Ok(response(200, only(page, seen.query("fields").ok_or("fields")?).to_string()))
    }
}

/// The two parts of an upload: metadata and media.
fn parts(body: &Bytes, boundary: &str) -> Result<(Value, Bytes), String> {
    let find = |from: usize, what: &[u8]| {
        let at = body[from..].windows(what.len()).position(|window| window == what);
        at.map(|at| from + at).ok_or_else(|| format!("no {:?} in the body", String::from_utf8_lossy(what)))
    };
    let opening = format!("--{boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n");
    if !body.starts_with(opening.as_bytes()) {
        return Err("the first part is not the metadata".into());
    }
    let between = format!("\r\n--{boundary}\r\ncontent-type: application/octet-stream\r\n\r\n");
    let middle = find(opening.len(), between.as_bytes())?;
    let metadata = serde_json::from_slice(&body[opening.len()..middle]).map_err(|e| e.to_string())?;
    let media = body.slice(middle + between.len()..);
    let closing = format!("\r\n--{boundary}--\r\n");
    if !media.ends_with(closing.as_bytes()) {
        return Err("the last part is not closed".into());
    }
    Ok((metadata, media.slice(..media.len() - closing.len())))
}
