//! `/status`: how far the log is sealed, published, seen by its witnesses and stamped, as one JSON object.
//!
//! What the witnesses and authorities said is told as this process knows it: for a person, or a program, who looks after the log. It proves
//! nothing; `verify` does, with keys that its reader brings. No record, and nobody whom one is about, is named.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::routes::Api;
use super::standing::Outsiders;

/// All of it. Sizes are those of the log's tree: how many seals, from the first on.
#[derive(Debug, Serialize)]
struct Status<'a> {
    log: &'a str,
    origin: &'a str,
    /// As `/readyz` says it.
    ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_ready: Option<&'static str>,
    /// Of the newest committed seal; absent until the log is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    tree_size: Option<u64>,
    /// When the newest seal closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed_at: Option<String>,
    /// Of the published checkpoint, which standard tlog clients read; 0 while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<u64>,
    /// Absent where no witnesses are configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    cosigned: Option<Cosigned<'a>>,
    /// Absent where no authorities are configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamped: Option<Timestamped>,
}

#[derive(Debug, Serialize)]
struct Cosigned<'a> {
    /// How many witnesses count as seen.
    quorum: usize,
    /// Tree size up to which so many have cosigned; null: not yet.
    up_to: Option<u64>,
    /// Seals that came after that.
    lag: u64,
    witnesses: Vec<Seen<'a>>,
}

#[derive(Debug, Serialize)]
struct Seen<'a> {
    /// As in its key, `log.witnesses`.
    name: &'a str,
    up_to: Option<u64>,
    /// Time of its newest cosignature, by its own clock.
    at: Option<String>,
    /// How the newest attempt of this process ended, in the words of `spanseal_witness_last_outcome`; null: there was none yet.
    last_outcome: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Timestamped {
    /// Tree size that the newest token covers; null: there is none yet.
    up_to: Option<u64>,
    /// Seal over whose checkpoint that token is.
    seal: Option<u64>,
    /// When the newest token was given, by its authority.
    at: Option<String>,
    /// Seals that came after that.
    lag: u64,
}

/// `/status`
pub(super) async fn status(State(api): State<Api>) -> Response {
    let newest = api.standing.newest();
    let ready = api.standing.ready();
    let tree_size = newest.as_ref().map(|newest| newest.tree_size);
    let outsiders = api.standing.outsiders();
    let status = Status {
        log: &api.log,
        origin: &api.origin,
        ready: ready.is_ok(),
        not_ready: ready.err(),
        tree_size,
        // A log without a seal has no time.
        sealed_at: newest.as_ref().filter(|newest| newest.tree_size > 0).map(|newest| newest.sealed_at.to_string()),
        published: newest.as_ref().map(|newest| newest.published),
        cosigned: outsiders.and_then(|outsiders| cosigned(outsiders, tree_size.unwrap_or(0))),
        timestamped: outsiders.and_then(|outsiders| timestamped(outsiders, tree_size.unwrap_or(0))),
    };
    match serde_json::to_string_pretty(&status) {
        Ok(body) => {
            ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], format!("{body}\n")).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "api.status.unwritten");
            super::routes::text(StatusCode::INTERNAL_SERVER_ERROR, "no answer could be written\n")
        }
    }
}

fn cosigned(outsiders: &Outsiders, tree_size: u64) -> Option<Cosigned<'_>> {
    let figures = outsiders.witnesses.as_ref()?;
    let up_to = figures.cosigned().0;
    let witnesses = figures.each().map(|seen| Seen {
        name: seen.name,
        up_to: known(seen.size.0),
        at: seen.at.map(|at| at.to_string()),
        last_outcome: seen.last_outcome,
    });
    Some(Cosigned { quorum: figures.quorum(), up_to: known(up_to), lag: tree_size.saturating_sub(up_to), witnesses: witnesses.collect() })
}

fn timestamped(outsiders: &Outsiders, tree_size: u64) -> Option<Timestamped> {
    let figures = outsiders.stamping.as_ref()?;
    let newest = figures.newest();
    let up_to = newest.map_or(0, |newest| newest.up_to);
    let at = newest.map(|newest| newest.at.to_string());
    Some(Timestamped { up_to: known(up_to), seal: up_to.checked_sub(1), at, lag: tree_size.saturating_sub(up_to) })
}

fn known(size: u64) -> Option<u64> {
    (size > 0).then_some(size)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use serde_json::{Value, json};
    use tokio::sync::watch;
    use tower::ServiceExt;

    use super::*;
    use crate::api::{Acts, Receipts, Standing, router};
    use crate::clock::{SystemClock, UnixSeconds};
    use crate::metrics::Metrics;
    use crate::seal::{self, Stats};
    use crate::stamping::Newest;
    use crate::tlog::TreeSize;
    use crate::tlog::cosignature::Cosigner;
    use crate::witness::client::Figures as Witnesses;
    use crate::worm::WormStore;
    use crate::worm::local::{LocalOptions, LocalStore};

    const AT: UnixSeconds = UnixSeconds(1_790_000_000);

    async fn ask(standing: &Arc<Standing>) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn WormStore> = Arc::new(LocalStore::open(folder.path(), LocalOptions::default()).unwrap());
        let (metrics, acts) = (Metrics::default(), Acts::new(None, &crate::record::identity::IdentityKey::new([0; 32]), false));
        let receipts = Receipts::new(Arc::clone(&store), "own", Arc::new(SystemClock));
        let (log, origin) = ("own".to_owned(), "example.com/own".to_owned());
        let strays = crate::receive::Strays::new(([127, 0, 0, 1], 8720).into(), Arc::default());
        let api = Api { log, origin, standing: Arc::clone(standing), store, metrics, acts, receipts, strays };
        let answer = router(api).oneshot(Request::get("/status").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!((answer.status(), &answer.headers()[header::CONTENT_TYPE]), (StatusCode::OK, &"application/json".parse().unwrap()));
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    /// Scenario: a process that is starting; a log that nobody else sees; one with two witnesses and an authority before and after they said
    /// something. Guarantee: what is not known or not configured is never shown as a number or a time.
    #[tokio::test]
    async fn what_is_known_is_told_and_nothing_else() {
        let standing = Arc::new(Standing::new(Arc::new(SystemClock), None));
        let told = ask(&standing).await;
        let not_ready = "the log is being opened: recovery is not finished";
        assert_eq!(told, json!({"log": "own", "origin": "example.com/own", "ready": false, "not_ready": not_ready}));

        let stats = Arc::<Stats>::default();
        let (sender, status) = watch::channel(seal::Status::default());
        standing.opened(status, Arc::clone(&stats));
        standing.seen_by(Outsiders::default());
        assert_eq!(ask(&standing).await, json!({"log": "own", "origin": "example.com/own", "ready": true, "tree_size": 0, "published": 0}));

        let standing = Arc::new(Standing::new(Arc::new(SystemClock), None));
        standing.opened(sender.subscribe(), Arc::clone(&stats));
        let keys = [1, 2].map(|n| Cosigner::new(&format!("w.test/{n}"), &[n; 32]).unwrap().public().clone());
        let (witnesses, stamping) = (Arc::new(Witnesses::new(keys.to_vec(), 2)), Arc::new(crate::stamping::Figures::new(1)));
        standing.seen_by(Outsiders { witnesses: Some(Arc::clone(&witnesses)), stamping: Some(Arc::clone(&stamping)) });
        sender.send_replace(seal::Status { tree_size: 9, checkpoint: "x".into(), sealed_at: AT, records: 3 });
        stats.published_tree_size.set(8);
        let told = ask(&standing).await;
        assert_eq!(
            (&told["tree_size"], &told["sealed_at"], &told["published"]),
            (&json!(9), &json!("2026-09-21T14:13:20Z"), &json!(8)),
            "{told}"
        );
        let nothing = |name| json!({"name": name, "up_to": null, "at": null, "last_outcome": null});
        assert_eq!(
            told["cosigned"],
            json!({"quorum": 2, "up_to": null, "lag": 9, "witnesses": [nothing("w.test/1"), nothing("w.test/2")]})
        );
        assert_eq!(told["timestamped"], json!({"up_to": null, "seal": null, "at": null, "lag": 9}));

        witnesses.reached(0, TreeSize(9), AT);
        witnesses.reached(1, TreeSize(7), UnixSeconds(AT.0 - 60));
        stamping.stamped(Newest { up_to: 5, at: AT });
        // Of less, whatever its date.
        stamping.stamped(Newest { up_to: 4, at: UnixSeconds(AT.0 + 60) });
        let told = ask(&standing).await;
        // Read back from what an earlier process stored: this one has asked nobody yet.
        let witness = |name, up_to: u64, at| json!({"name": name, "up_to": up_to, "at": at, "last_outcome": null});
        let (first, second) = (witness("w.test/1", 9, "2026-09-21T14:13:20Z"), witness("w.test/2", 7, "2026-09-21T14:12:20Z"));
        assert_eq!(told["cosigned"], json!({"quorum": 2, "up_to": 7, "lag": 2, "witnesses": [first, second]}));
        assert_eq!(told["timestamped"], json!({"up_to": 5, "seal": 4, "at": "2026-09-21T14:13:20Z", "lag": 4}));
    }
}
