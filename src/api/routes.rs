//! The routes and their answers.

use std::sync::Arc;

use super::acts::{Acts, access, challenge_access, challenge_erase, challenge_govern, erase, govern};
use super::handshake::Act;
use super::{Receipts, Standing, receipts, status, tlog};
use crate::metrics::{self, Metrics};
use crate::receive::Strays;
use crate::worm::WormStore;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
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
    /// Its origin.
    pub origin: String,
    /// Where it and the process stand.
    pub standing: Arc<Standing>,
    /// For what is published there, of any log.
    pub store: Arc<dyn WormStore>,
    /// `/metrics`
    pub metrics: Metrics,
    /// `/erase`, `/access`, `/govern`
    pub acts: Acts,
    /// `/api/v1/receipts/`
    pub receipts: Receipts,
    /// OTLP that was sent here by mistake.
    pub strays: Strays,
}

/// All routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(|| async { format!("{HEALTHY}\n") }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(prometheus))
        .route("/status", get(status::status))
        .route("/api/v1/receipts/{trace_id}", get(receipts::receipts))
        .route(Act::Erase.path(), get(challenge_erase).post(erase))
        .route(Act::Access.path(), get(challenge_access).post(access))
        .route(Act::Govern.path(), get(challenge_govern).post(govern))
        .route("/tlog/{log}/checkpoint", get(tlog::checkpoint))
        .route("/tlog/{log}/cosigned/checkpoint", get(tlog::cosigned))
        .route("/tlog/{log}/cosigned/{*rest}", get(tlog::tile))
        .route("/tlog/{log}/{*rest}", get(tlog::tile))
        .fallback(not_found)
        .with_state(api)
}

pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Response {
    // What stands here is true now and maybe not in a second.
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.into()).into_response()
}

async fn index(State(api): State<Api>) -> Response {
    text(
        StatusCode::OK,
        format!(
            "spanseal {}\n\n/healthz                alive\n/readyz                 takes and seals records\n/metrics                Prometheus text\n\
             /status                 how far the log is sealed, published, cosigned and time-stamped (JSON)\n\
             /api/v1/receipts/ID     where the records of the trace ID are sealed (JSON)\n\
             /tlog/{}/checkpoint     newest published checkpoint of the log\n/tlog/{}/tile/          its tiles and entries, for standard tlog clients\n\
             /tlog/{}/cosigned/      the same log with the newest checkpoint that enough witnesses have cosigned\n\
             /erase                  takes a person out of the vault (POST, for `spanseal erase`)\n\
             /access                 records that somebody reads what the vault keeps (POST, for `show`, `query` and `prove`)\n\
             /govern                 records what an operator did (POST, for `retention status --attest` and `doctor --record`)\n",
            env!("CARGO_PKG_VERSION"),
            api.log,
            api.log,
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

async fn not_found(State(api): State<Api>, request: Request) -> Response {
    if let Ok(answer) = api.strays.answer(request).await {
        return answer.map(Body::new);
    }
    text(StatusCode::NOT_FOUND, "nothing here; `/` lists what is\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::record::identity::IdentityKey;
    use crate::seal::Status;
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
        let clock = Arc::new(SystemClock);
        let standing = Arc::new(Standing::new(clock.clone(), None));
        let metrics = Metrics::default();
        metrics.register(Arc::new(metrics::Process::new(clock, Arc::clone(&standing))));
        let acts = Acts::new(None, &IdentityKey::new([0; 32]), false);
        let receipts = Receipts::new(Arc::clone(&store), "own", Arc::new(SystemClock));
        let (log, origin) = ("own".to_owned(), "example.com/own".to_owned());
        let strays = Strays::new(([127, 0, 0, 1], 8720).into(), Arc::default());
        let router = router(Api { log, origin, standing: Arc::clone(&standing), store, metrics, acts, receipts, strays });

        let listed = ask(&router, "/").await.2;
        for path in ["/healthz", "/readyz", "/metrics", "/status", "/erase", "/access", "/govern", "/tlog/own/checkpoint"] {
            assert!(listed.lines().any(|line| line.split(' ').next() == Some(path)), "{path}: {listed}");
        }
        assert_eq!(ask(&router, "/healthz").await.2, "spanseal is alive\n");
        assert_eq!(ask(&router, "/readyz").await.0, 503);
        let (_status, watching) = watch::channel(Status::default());
        standing.opened(watching, Arc::default());
        assert_eq!(ask(&router, "/readyz").await.0, 200);
        let (_, kind, text) = ask(&router, "/metrics").await;
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        assert!(text.contains("spanseal_ready 1\n"), "{text}");

        let (status, kind, said) = ask(&router, "/api/v1/receipts/00").await;
        assert!(status == 400 && kind == "application/json" && said.contains("32 hexadecimal digits"), "{said}");
        let (status, _, said) = ask(&router, "/api/v1/receipts/4bf92f3577b34da6a3ce929d0e0e4736?within=1m").await;
        assert!(status == 503 && said.contains("is being opened"), "{said}");

        assert_eq!(ask(&router, "/nonsense").await.0, 404);
    }
}
