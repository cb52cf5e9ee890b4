//! The log as standard tlog clients ask for it (C2SP tlog-tiles): what the writer has published, straight from the store, of any log there.
//!
//! Nothing is made up here. The checkpoint is the published one and not the newest committed, because its tiles are stored: a client that
//! reads it finds them. Tiles of any size up to that are served: a partial one that is not stored is the beginning of one that is.
//!
//! Below `cosigned/` the same log has the newest checkpoint that enough of its witnesses have cosigned, with their lines: for clients that
//! demand them. It is older than the other one by what the witnesses take. Only this process's own log has one here, since only of that it is
//! known whose lines count; it proves nothing more to a client than what the client's own keys verify.
//!
//! Source: C2SP tlog-tiles@v1.0.0, "APIs".

use std::time::Instant;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::routes::{Api, text};
use crate::telemetry::Seldom;
use crate::tlog::note::UnverifiedCheckpoint;
use crate::tlog::tile::Resource;
use crate::worm::{NOTE_FILE_BYTES_MAX, ObjectKey, ReadError, below, checkpoint_key, is_name};

/// Type of a checkpoint.
const NOTE: &str = "text/plain; charset=utf-8";
/// Of `checkpoint`, which is replaced every few seconds.
const SHORT: &str = "public, max-age=2";
/// Of tiles, which never change under their names.
const LONG: &str = "public, max-age=31536000, immutable";

/// `/tlog/<log>/checkpoint`
pub(super) async fn checkpoint(State(api): State<Api>, Path(log): Path<String>) -> Response {
    if !is_name(&log) {
        return no_log();
    }
    let key = checkpoint_key(&log);
    match api.store.get(&key, None, NOTE_FILE_BYTES_MAX).await {
        Ok(Some(note)) => served(NOTE, SHORT, note),
        Ok(None) => text(StatusCode::NOT_FOUND, "the store has no published checkpoint of a log of that name\n"),
        Err(error) => failed(&key, &error),
    }
}

/// `/tlog/<log>/cosigned/checkpoint`
pub(super) async fn cosigned(State(api): State<Api>, Path(log): Path<String>) -> Response {
    if !is_name(&log) {
        return no_log();
    }
    match api.standing.cosigned().filter(|_| log == api.log) {
        Some(note) => served(NOTE, SHORT, note),
        None => text(StatusCode::NOT_FOUND, "no published checkpoint of that log is known here that enough witnesses have cosigned\n"),
    }
}

/// `/tlog/<log>/tile/...`, and the same below `cosigned/`
pub(super) async fn tile(State(api): State<Api>, Path((log, rest)): Path<(String, String)>) -> Response {
    if !is_name(&log) {
        return no_log();
    }
    // The path came from outside: it is not repeated, and what is asked for is what it was read as.
    let Some(resource) = Resource::parse(&rest) else {
        return text(
            StatusCode::NOT_FOUND,
            "no such path: `checkpoint`, `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]` are served\n",
        );
    };
    let key = below(&log, &resource.path());
    let stored = match api.store.get(&key, None, resource.bytes_max()).await {
        Ok(None) => beginning(&api, &log, resource).await,
        stored => stored,
    };
    match stored {
        Ok(Some(bytes)) => served("application/octet-stream", LONG, bytes),
        Ok(None) => text(StatusCode::NOT_FOUND, "no such tile is stored\n"),
        Err(error) => failed(&key, &error),
    }
}

/// A partial tile out of the wider one of the published checkpoint, which only says where to look.
async fn beginning(api: &Api, log: &str, resource: Resource) -> Result<Option<Bytes>, ReadError> {
    let Some(note) = api.store.get(&checkpoint_key(log), None, NOTE_FILE_BYTES_MAX).await? else { return Ok(None) };
    let read = std::str::from_utf8(&note).ok().and_then(|note| UnverifiedCheckpoint::parse(note).ok());
    let wider = read.and_then(|read| resource.widened(read.checkpoint.size)).filter(|wider| *wider != resource);
    let Some(wider) = wider else { return Ok(None) };
    let bytes = api.store.get(&below(log, &wider.path()), None, wider.bytes_max()).await?;
    Ok(bytes.and_then(|bytes| resource.within(&bytes).map(|length| bytes.slice(..length))))
}

fn no_log() -> Response {
    text(StatusCode::NOT_FOUND, "no such log: a log's name is 1 to 63 of a-z, 0-9 and `-`\n")
}

fn served(kind: &'static str, cache: &'static str, body: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, cache),
        // Entries hold what others sent: no browser is to take them for anything else.
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, body).into_response()
}

fn failed(key: &ObjectKey, error: &ReadError) -> Response {
    static TOO_LARGE: Seldom = Seldom::new();
    static UNAVAILABLE: Seldom = Seldom::new();
    if let ReadError::TooLarge { .. } = error {
        if let Some(untold) = TOO_LARGE.due(Instant::now()) {
            tracing::warn!(%key, untold, "api.tlog.too_large");
        }
        return text(StatusCode::INTERNAL_SERVER_ERROR, "what lies there is longer than it can be; run `spanseal verify`\n");
    }
    if let Some(untold) = UNAVAILABLE.due(Instant::now()) {
        tracing::warn!(%error, untold, "api.tlog.unavailable");
    }
    text(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer; try again\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::{Acts, Receipts, Standing, router};
    use crate::clock::SystemClock;
    use crate::metrics::Metrics;
    use crate::worm::local::{LocalOptions, LocalStore};
    use crate::worm::{Condition, WormStore};
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    /// Scenario: a client asks for what is published of two logs, and for what is not there, badly named or out of bounds. Guarantee: content
    /// types and caching as the specification has them; nothing but tiles and checkpoints can be had.
    #[tokio::test]
    async fn only_what_is_published_is_served_and_as_specified() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn WormStore> = Arc::new(LocalStore::open(folder.path(), LocalOptions::default()).unwrap());
        let put = |key: &str, bytes: Vec<u8>| {
            let (store, key) = (Arc::clone(&store), ObjectKey(key.to_owned()));
            async move { store.put(&key, bytes.into(), Condition::Any, None).await.unwrap() }
        };
        put("own/checkpoint", b"signed\n".to_vec()).await;
        put("own/tile/0/000", vec![1; 8192]).await;
        put("own/tile/0/x001/000.p/2", vec![2; 64]).await;
        put("own/tile/entries/000.p/2", vec![3; 100]).await;
        put("own/tile/1/000.p/1", vec![4; 33]).await;
        put("own/log.json", b"{}".to_vec()).await;
        put("other/checkpoint", b"other\n".to_vec()).await;
        let standing = Arc::new(Standing::new(Arc::new(SystemClock), None));
        let api = Api {
            log: "own".into(),
            origin: "example.com/own".into(),
            standing,
            store: Arc::clone(&store),
            metrics: Metrics::default(),
            acts: Acts::new(None, &crate::record::identity::IdentityKey::new([0; 32]), false),
            receipts: Receipts::new(Arc::clone(&store), "own", Arc::new(SystemClock)),
            strays: crate::receive::Strays::new(([127, 0, 0, 1], 8720).into(), Arc::default()),
        };
        let router = router(api);
        let ask = |path: &'static str| {
            let router = router.clone();
            async move {
                let response = router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
                let header = |name| response.headers().get(name).map(|v: &http::HeaderValue| v.to_str().unwrap().to_owned());
                let (status, kind, cache) = (response.status().as_u16(), header("content-type"), header("cache-control").unwrap());
                (status, kind.unwrap(), cache, response.into_body().collect().await.unwrap().to_bytes())
            }
        };
        for (path, length) in
            [("/tlog/own/tile/0/000", 8192), ("/tlog/own/tile/0/x001/000.p/2", 64), ("/tlog/own/tile/entries/000.p/2", 100)]
        {
            let (status, kind, cache, body) = ask(path).await;
            assert_eq!((status, kind.as_str(), body.len()), (200, "application/octet-stream", length), "{path}");
            assert!(cache.contains("immutable"), "{cache}");
        }
        for (log, body) in [("/tlog/own/checkpoint", "signed\n"), ("/tlog/other/checkpoint", "other\n")] {
            let (status, kind, cache, found) = ask(log).await;
            assert_eq!((status, kind.as_str(), found.as_ref()), (200, "text/plain; charset=utf-8", body.as_bytes()));
            assert_eq!(cache, SHORT);
        }
        for path in [
            "/tlog/own/tile/0/001",
            "/tlog/own/tile/0/0",
            "/tlog/own/tile/0/000.p/256",
            "/tlog/own/tile/0/..%2f..%2flog.json",
            "/tlog/own/tile/../log.json",
            "/tlog/own/log.json",
            "/tlog/own/seals/00000000000000000000.json",
            "/tlog/..%2fown/checkpoint",
            "/tlog/OWN/tile/0/000",
            "/tlog/none/checkpoint",
            "/tlog/none/tile/0/000",
        ] {
            let (status, _, cache, _) = ask(path).await;
            assert_eq!((status, cache.as_str()), (404, "no-store"), "{path}");
        }
        let (status, _, cache, _) = ask("/tlog/own/tile/1/000.p/1").await;
        assert_eq!((status, cache.as_str()), (500, "no-store"), "33 bytes are no node");

        // A partial tile of an earlier size is the beginning of the one of the published size; a later one is not there.
        let signer = crate::tlog::note::NoteSigner::new("example.com/cut", &[1; 32]).unwrap();
        let root = crate::tlog::merkle::empty_root();
        let (mut hashes, mut bundle) = (vec![1; 96], Vec::new());
        hashes[64..].fill(2);
        for entry in ["a", "", "ccc"] {
            assert!(crate::tlog::tile::add_entry(&mut bundle, entry.as_bytes()));
        }
        put("cut/checkpoint", signer.checkpoint(crate::tlog::TreeSize(259), root).into_bytes()).await;
        put("cut/tile/0/000", vec![7; 8192]).await;
        put("cut/tile/0/001.p/3", hashes.clone()).await;
        put("cut/tile/entries/001.p/3", bundle.clone()).await;
        for (path, expected) in [
            ("/tlog/cut/tile/0/001.p/2", &hashes[..64]),
            ("/tlog/cut/cosigned/tile/0/001.p/2", &hashes[..64]),
            ("/tlog/cut/cosigned/tile/0/001.p/3", &hashes),
            ("/tlog/cut/tile/0/000.p/255", &[7; 8160]),
            ("/tlog/cut/cosigned/tile/entries/001.p/2", &bundle[..5]),
        ] {
            let (status, _, cache, body) = ask(path).await;
            assert_eq!((status, cache.as_str(), body.as_ref()), (200, LONG, expected), "{path}");
        }
        for path in ["/tlog/cut/tile/0/001.p/4", "/tlog/cut/tile/0/001", "/tlog/cut/tile/entries/000.p/9", "/tlog/cut/cosigned/checkpoint"]
        {
            assert_eq!(ask(path).await.0, 404, "{path}");
        }
    }
}
