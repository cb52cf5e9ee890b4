//! The routes and their answers.

use std::sync::Arc;

use super::Standing;
use super::acts::{Acts, access, challenge_access, challenge_erase, erase};
use super::handshake::Act;
use crate::metrics::{self, Metrics};
use crate::worm::{SMALL_BYTES_MAX, WormStore, checkpoint_key, is_name};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// What `/healthz` says.
pub const HEALTHY: &str = "spanseal is alive";

/// What the API knows. Clones share it.
#[derive(Clone, Debug)]
pub struct Api {
    /// Name of our own log.
    pub log: String,
    /// Where it and the process stand.
    pub standing: Arc<Standing>,
    /// For checkpoints of other logs in the same store.
    pub store: Arc<dyn WormStore>,
    /// `/metrics`
    pub metrics: Metrics,
    /// `/erase`, `/access`
    pub acts: Acts,
}

/// All routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(|| async { format!("{HEALTHY}\n") }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(prometheus))
        .route(Act::Erase.path(), get(challenge_erase).post(erase))
        .route(Act::Access.path(), get(challenge_access).post(access))
        .route("/tlog/{log}/checkpoint", get(checkpoint))
        .route("/tlog/{log}/{*rest}", get(no_tiles))
        .fallback(not_found)
        .with_state(api)
}

fn text(status: StatusCode, body: impl Into<String>) -> Response {
    // What stands here is true now and maybe not in a second.
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.into()).into_response()
}

async fn index(State(api): State<Api>) -> Response {
    text(
        StatusCode::OK,
        format!(
            "spanseal {}\n\n/healthz                alive\n/readyz                 takes and seals records\n/metrics                Prometheus text\n\
             /tlog/{}/checkpoint     newest signed checkpoint of the log\n/erase                  takes a person out of the vault (POST, for `spanseal erase`)\n\
             /access                 records that somebody reads what the vault keeps (POST, for `show`, `query` and `prove`)\n",
            env!("CARGO_PKG_VERSION"),
            api.log
        ),
    )
}

async fn readyz(State(api): State<Api>) -> Response {
    match api.standing.ready() {
        Ok(()) => text(
            StatusCode::OK,
            "ready
",
        ),
        Err(why) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "not ready: {why}
"
            ),
        ),
    }
}

async fn prometheus(State(api): State<Api>) -> Response {
    let mut response = text(StatusCode::OK, api.metrics.prometheus());
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(metrics::CONTENT_TYPE));
    response
}

/// Our own log's newest committed checkpoint, or what another log of this store has published.
async fn checkpoint(State(api): State<Api>, Path(log): Path<String>) -> Response {
    if log == api.log
        && let Some(newest) = api.standing.checkpoint()
    {
        return text(StatusCode::OK, newest);
    }
    if !is_name(&log) {
        return text(StatusCode::NOT_FOUND, "no such log: a log's name is 1 to 63 of a-z, 0-9 and `-`\n");
    }
    match api.store.get(&checkpoint_key(&log), None, SMALL_BYTES_MAX).await {
        Ok(Some(bytes)) => text(StatusCode::OK, String::from_utf8_lossy(&bytes)),
        Ok(None) => text(StatusCode::NOT_FOUND, format!("the store has no published checkpoint of a log `{log}`\n")),
        Err(error) => {
            tracing::warn!(%error, "api.checkpoint.unavailable");
            text(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer; try again\n")
        }
    }
}

async fn no_tiles(Path((log, rest)): Path<(String, String)>) -> Response {
    // The path came from outside: it is not repeated.
    let _ = (log, rest);
    text(StatusCode::NOT_FOUND, "this version serves no tiles yet; `spanseal verify` and `spanseal prove` read the seals themselves\n")
}

async fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "nothing here; `/` lists what is\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::seal::Status;
    use crate::worm::Condition;
    use crate::worm::local::{LocalOptions, LocalStore};
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tokio::sync::watch;
    use tower::ServiceExt;

    async fn ask(router: &Router, path: &str) -> (u16, String, String) {
        let response = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn every_route_answers() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn WormStore> = Arc::new(LocalStore::open(folder.path(), LocalOptions::default()).unwrap());
        store.put(&checkpoint_key("other"), "signed\n".into(), Condition::Any, None).await.unwrap();
        let clock = Arc::new(SystemClock);
        let standing = Arc::new(Standing::new(clock.clone(), None));
        let metrics = Metrics::default();
        metrics.register(Arc::new(metrics::Process::new(clock, Arc::clone(&standing))));
        let acts = Acts::new(None, false);
        let router = router(Api { log: "own".into(), standing: Arc::clone(&standing), store, metrics, acts });

        let listed = ask(&router, "/").await.2;
        for path in ["/healthz", "/readyz", "/metrics", "/erase", "/access", "/tlog/own/checkpoint"] {
            assert!(listed.lines().any(|line| line.split(' ').next() == Some(path)), "{path}: {listed}");
        }
        assert_eq!(ask(&router, "/healthz").await.2, "spanseal is alive\n");
        assert_eq!(ask(&router, "/readyz").await.0, 503);
        let (status, watching) = watch::channel(Status::default());
        standing.opened(watching, Arc::default());
        assert_eq!(ask(&router, "/readyz").await.0, 200);
        let (_, kind, text) = ask(&router, "/metrics").await;
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        assert!(text.contains("spanseal_ready 1\n"), "{text}");

        assert_eq!(ask(&router, "/tlog/own/checkpoint").await.0, 404);
        status.send_modify(|s| s.checkpoint = "own, signed\n".into());
        assert_eq!(ask(&router, "/tlog/own/checkpoint").await.2, "own, signed\n");
        assert_eq!(ask(&router, "/tlog/other/checkpoint").await.2, "signed\n");
        assert_eq!(ask(&router, "/tlog/..%2fx/checkpoint").await.0, 404);
        let (code, _, text) = ask(&router, "/tlog/own/tile/0/000").await;
        assert!(code == 404 && text.contains("no tiles yet"), "{text}");
        assert_eq!(ask(&router, "/nonsense").await.0, 404);
    }
}
