//! An S3 server that only pretends: it takes whatever lock it is given, shows it when it is asked, and lets anybody delete and overwrite all
//! the same. It keeps objects in memory and checks no signature. What it lies about is a choice, so that each lie is met alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// It answers 200 and forgets the lock.
    DropsLocks,
    /// It shows the lock and deletes nevertheless.
    Deletes,
    /// It shows the lock and lets it be shortened.
    Shortens,
    /// It makes GOVERNANCE of COMPLIANCE for whoever asks, with the same date, and honours all else.
    Weakens,
    /// It shows versions and has one: the newest put takes the place of all.
    Overwrites,
    /// It honours everything but COMPLIANCE, which it lets whoever asks bypass.
    Bypasses,
    /// It deletes nothing that is locked, and lets whoever asks lift any lock with the governance bypass.
    Lifts,
    /// It shows a legal hold and deletes nevertheless, where there is no lock.
    IgnoresHolds,
    /// None: it does what write-once storage does.
    Nothing,
}

struct Version {
    id: String,
    body: Bytes,
    mode: Option<String>,
    until: Option<String>,
    held: bool,
}

/// Keeps one change of a lock from being answered, for ever, so that a test meets whoever made it in the middle.
#[derive(Clone, Default)]
pub struct Gate(Arc<GateState>);

#[derive(Default)]
struct GateState {
    armed: std::sync::atomic::AtomicBool,
    reached: tokio::sync::Notify,
}

impl Gate {
    /// The next one is not answered.
    pub fn arm(&self) {
        self.0.armed.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    /// Waits until one has come.
    pub async fn reached(&self) {
        self.0.reached.notified().await;
    }

    async fn pass(&self) {
        if self.0.armed.swap(false, std::sync::atomic::Ordering::SeqCst) {
            self.0.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

struct Server {
    lie: Lie,
    gate: Gate,
    objects: Mutex<BTreeMap<String, Vec<Version>>>,
}

/// Starts it on a free port of loopback; it ends with the test.
pub async fn start(lie: Lie) -> u16 {
    start_with(lie, Gate::default()).await
}

/// The same with a gate before every change of a lock.
pub async fn start_with(lie: Lie, gate: Gate) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Arc::new(Server { lie, gate, objects: Mutex::default() });
    let app = Router::new().fallback(answer).with_state(server);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    port
}

fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn refused() -> Response {
    (StatusCode::FORBIDDEN, "<Error><Code>AccessDenied</Code><Message>object is WORM protected</Message></Error>").into_response()
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

async fn answer(State(server): State<Arc<Server>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().trim_start_matches('/').to_owned();
    let key = path.split_once('/').map(|(_, key)| key.to_owned()).unwrap_or_default();
    let has = |name: &str| query(&uri, name).is_some();
    if method == Method::PUT && (has("legal-hold") || has("retention")) {
        server.gate.pass().await;
    }
    let mut objects = server.objects.lock().unwrap();
    let xml = |body: String| (StatusCode::OK, [("content-type", "application/xml")], body).into_response();
    if key.is_empty() {
        return match () {
            () if has("versioning") => xml("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>".into()),
            () if has("object-lock") => {
                xml("<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>".into())
            }
            () => {
                let prefix = query(&uri, "prefix").unwrap_or_default();
                let mut listed = String::from("<ListVersionsResult><IsTruncated>false</IsTruncated>");
                for (key, versions) in objects.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix)) {
                    for version in versions.iter().rev() {
                        let (id, size) = (&version.id, version.body.len());
                        write!(
                            listed,
                            "<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>true</IsLatest><Size>{size}</Size></Version>"
                        )
                        .unwrap();
                    }
                }
                xml(listed + "</ListVersionsResult>")
            }
        };
    }
    let versions = objects.entry(key).or_default();
    let wanted = query(&uri, "versionId");
    let at = |versions: &[Version]| match &wanted {
        Some(id) => versions.iter().position(|version| version.id == *id),
        None => versions.len().checked_sub(1),
    };
    match method {
        Method::PUT if has("legal-hold") => {
            let Some(at) = at(versions) else { return StatusCode::NOT_FOUND.into_response() };
            versions[at].held = String::from_utf8(body.to_vec()).unwrap().contains("<Status>ON</Status>");
            StatusCode::OK.into_response()
        }
        Method::PUT if has("retention") => {
            let Some(at) = at(versions) else { return StatusCode::NOT_FOUND.into_response() };
            let said = String::from_utf8(body.to_vec()).unwrap();
            let part = |name: &str| {
                said.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once('<')).map(|(text, _)| text.to_owned())
            };
            let (mode, until) = (part("Mode"), part("RetainUntilDate"));
            let bypass = headers.contains_key("x-amz-bypass-governance-retention");
            let lifts = until.is_none() && bypass && (versions[at].mode.as_deref() == Some("GOVERNANCE") || server.lie == Lie::Lifts);
            if until < versions[at].until && server.lie != Lie::Shortens && !lifts {
                return refused();
            }
            let weaker = versions[at].mode.as_deref() == Some("COMPLIANCE") && mode.as_deref() != Some("COMPLIANCE");
            if weaker && !lifts && server.lie != Lie::Weakens {
                return refused();
            }
            (versions[at].mode, versions[at].until) = (mode, until);
            StatusCode::OK.into_response()
        }
        Method::PUT => {
            if headers.contains_key("if-none-match") && !versions.is_empty() {
                return (StatusCode::PRECONDITION_FAILED, "<Error><Code>PreconditionFailed</Code></Error>").into_response();
            }
            let keeps = server.lie != Lie::DropsLocks;
            let lock = |name: &str| text(&headers, name).filter(|_| keeps);
            let (mode, until) = (lock("x-amz-object-lock-mode"), lock("x-amz-object-lock-retain-until-date"));
            if server.lie == Lie::Overwrites && !versions.is_empty() {
                versions[0].body = body;
                return (StatusCode::OK, [("x-amz-version-id", versions[0].id.clone())]).into_response();
            }
            let id = format!("v{}", versions.len() + 1);
            versions.push(Version { id: id.clone(), body, mode, until, held: false });
            (StatusCode::OK, [("x-amz-version-id", id)]).into_response()
        }
        Method::DELETE => {
            let Some(at) = at(versions) else { return StatusCode::NO_CONTENT.into_response() };
            let bypass = headers.contains_key("x-amz-bypass-governance-retention");
            let locked = versions[at].until.is_some();
            let gives_way = (bypass && versions[at].mode.as_deref() == Some("GOVERNANCE"))
                || server.lie == Lie::Deletes
                || (bypass && server.lie == Lie::Bypasses);
            let on_hold = versions[at].held && !matches!(server.lie, Lie::IgnoresHolds | Lie::Deletes);
            if locked && !gives_way || on_hold {
                return refused();
            }
            versions.remove(at);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => {
            let Some(version) = at(versions).map(|at| &versions[at]) else {
                return (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>").into_response();
            };
            let unset = || (StatusCode::NOT_FOUND, "<Error><Code>NoSuchObjectLockConfiguration</Code></Error>").into_response();
            match (&version.mode, &version.until) {
                _ if has("tagging") => return xml("<Tagging><TagSet></TagSet></Tagging>".into()),
                (Some(mode), Some(until)) if has("retention") => {
                    return xml(format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"));
                }
                _ if has("retention") || has("legal-hold") => return unset(),
                _ => {}
            }
            let mut answer = version.body.clone().into_response();
            let mut add = |name: &'static str, value: &str| drop(answer.headers_mut().insert(name, value.parse().unwrap()));
            add("x-amz-version-id", &version.id);
            if version.held {
                add("x-amz-object-lock-legal-hold", "ON");
            }
            if let (Some(mode), Some(until)) = (&version.mode, &version.until) {
                add("x-amz-object-lock-mode", mode);
                add("x-amz-object-lock-retain-until-date", until);
            }
            answer
        }
    }
}
