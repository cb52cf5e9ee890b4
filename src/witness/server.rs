//! The witness's port: `POST /add-checkpoint` of C2SP tlog-witness, `/healthz`, and a page that says who this is.
//!
//! Nobody needs a token: what is submitted is signed by a log that this witness follows, or it is refused, and what is answered is public.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::state::{Refusal, Witness};
use super::wire::{ADD_CHECKPOINT, BODY_BYTES_MAX, SIZE_TYPE, Submission};
use crate::tlog::note::Checkpoint;

/// How long a request's body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// What `/healthz` says.
pub const HEALTHY: &str = "spanseal witness is alive";

/// All routes.
pub fn router(witness: Arc<Witness>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(|| async { format!("{HEALTHY}\n") }))
        .route(ADD_CHECKPOINT, post(add_checkpoint))
        .fallback(|| async { text(StatusCode::NOT_FOUND, "nothing here; `/` lists what is\n") })
        .with_state(witness)
}

fn text(status: StatusCode, body: impl Into<String>) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.into()).into_response()
}

async fn index(State(witness): State<Arc<Witness>>) -> Response {
    let mut page = format!(
        "spanseal {} witness\n\n{}\n\n/healthz           alive\n{ADD_CHECKPOINT}    takes checkpoints (POST, C2SP tlog-witness)\n\nfollows:\n",
        env!("CARGO_PKG_VERSION"),
        witness.cosigner().public()
    );
    for (origin, size) in witness.logs() {
        let size = size.map_or_else(|| "nothing cosigned yet".to_owned(), |size| format!("cosigned up to tree size {}", size.0));
        page.push_str(&format!("{origin}: {size}\n"));
    }
    text(StatusCode::OK, page)
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Body) -> Response {
    let body = match tokio::time::timeout(BODY_WITHIN, axum::body::to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return text(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is cut off, or longer than {BODY_BYTES_MAX} bytes\n")),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time\n"),
    };
    let read = std::str::from_utf8(&body).map_err(|_| "the body is not UTF-8").and_then(Submission::parse);
    let submission = match read {
        Ok(submission) => submission,
        Err(why) => return refuse(None, &Refusal::Malformed(why.to_owned())),
    };
    // To its end, whoever still waits for the answer: what was begun to be remembered is remembered, in memory too.
    let judged = tokio::task::spawn_blocking(move || (witness.add(&submission), submission)).await;
    match judged {
        Ok((Ok(line), submission)) => {
            if let Ok(checkpoint) = named(&submission) {
                tracing::info!(origin = checkpoint.origin, tree_size = checkpoint.size.0, "checkpoint.cosigned");
            }
            text(StatusCode::OK, line)
        }
        Ok((Err(refusal), submission)) => refuse(named(&submission).ok().as_ref(), &refusal),
        Err(_) => refuse(None, &Refusal::NotKept("the request broke off".to_owned())),
    }
}

fn named(submission: &Submission) -> Result<Checkpoint, crate::tlog::note::NoteError> {
    Checkpoint::parse(submission.checkpoint.split_once("\n\n").map(|(text, _)| format!("{text}\n")).unwrap_or_default().as_str())
}

/// The answer of the specification for each refusal. Of a log that is not followed, or not shown to be the sender, nothing goes into our logs:
/// anybody can send it.
fn refuse(named: Option<&Checkpoint>, refusal: &Refusal) -> Response {
    let (origin, tree_size) = named.map_or(("", 0), |c| (c.origin.as_str(), c.size.0));
    match refusal {
        Refusal::Malformed(why) => text(StatusCode::BAD_REQUEST, format!("{why}\n")),
        Refusal::UnknownLog => text(StatusCode::NOT_FOUND, "this witness does not follow that log\n"),
        Refusal::Unsigned => text(
            StatusCode::FORBIDDEN,
            "no key that this witness knows for that log signed the checkpoint; where the log has changed its key, whoever runs this witness \
             starts it with the new one (`--log`), on the same state\n",
        ),
        Refusal::Stale(size) => {
            tracing::info!(origin, tree_size, cosigned = size.0, "checkpoint.refused.stale");
            conflict(size.0)
        }
        Refusal::Forked(size) => {
            let advice = "the log's key signed two trees of one size: its history was rewritten, or its key is in two hands";
            tracing::error!(origin, tree_size, advice, "checkpoint.refused.forked");
            conflict(size.0)
        }
        Refusal::Inconsistent => {
            let advice = "the checkpoint was not shown to extend what was cosigned; if the log itself sent it, its history was rewritten";
            tracing::warn!(origin, tree_size, advice, "checkpoint.refused.inconsistent");
            text(StatusCode::UNPROCESSABLE_ENTITY, "the proof does not show that the tree extends the one that was cosigned last\n")
        }
        Refusal::ClockWentBack { now, last } => {
            tracing::error!(%now, %last, advice = "set this machine's clock right", "clock.went_back");
            text(StatusCode::SERVICE_UNAVAILABLE, "this witness's clock is not right at the moment\n")
        }
        Refusal::NotKept(error) => {
            tracing::error!(error, "state.unwritten");
            text(StatusCode::INTERNAL_SERVER_ERROR, "this witness cannot remember what it would cosign, so it does not\n")
        }
    }
}

fn conflict(size: u64) -> Response {
    (StatusCode::CONFLICT, [(header::CONTENT_TYPE, SIZE_TYPE)], format!("{size}\n")).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::{Method, Request};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::clock::{ManualClock, UnixNanos};
    use crate::tlog::cosignature::Cosigner;
    use crate::tlog::merkle::{leaf_hash, root_of};
    use crate::tlog::note::NoteSigner;
    use crate::tlog::{Hash, TreeSize};

    async fn ask(router: &Router, method: Method, path: &str, body: Vec<u8>) -> (u16, String, String) {
        let request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        let kind = answer.headers().get(header::CONTENT_TYPE).map(|k| k.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = answer.status().as_u16();
        (status, kind, String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    /// Every answer of the specification, with its status, type and body.
    #[tokio::test]
    async fn answers_are_those_of_the_specification() {
        let folder = tempfile::tempdir().unwrap();
        let log = NoteSigner::new("spanseal.test/log", &[1; 32]).unwrap();
        let clock = Arc::new(ManualClock::new(UnixNanos(1_800_000_000_000_000_000)));
        let cosigner = Cosigner::new("witness.test/w1", &[2; 32]).unwrap();
        let public = cosigner.public().clone();
        let witness = Arc::new(Witness::open(folder.path(), cosigner, &[log.verifier().clone()], clock).unwrap());
        let router = router(witness);
        let tree = |n: u8| (0..n).map(|i| leaf_hash(&[i])).collect::<Vec<_>>();
        let body = |old: u64, n: u8, proof: &[Hash]| {
            let checkpoint = log.checkpoint(TreeSize(n.into()), root_of(&tree(n)));
            Submission { old: TreeSize(old), proof: proof.to_vec(), checkpoint }.to_body()
        };
        let add = async |body: String| ask(&router, Method::POST, ADD_CHECKPOINT, body.into_bytes()).await;
        let plain = "text/plain; charset=utf-8".to_owned();

        let (status, kind, line) = add(body(0, 3, &[])).await;
        assert_eq!((status, kind), (200, plain.clone()));
        let text = body(0, 3, &[]).split("\n\n").nth(1).unwrap().to_owned() + "\n";
        let note = crate::tlog::note::SignedNote::parse(&format!("{text}\n{line}")).unwrap();
        assert!(public.cosigned(&note).unwrap().is_some());

        assert_eq!(add(body(2, 5, &[])).await, (409, SIZE_TYPE.to_owned(), "3\n".to_owned()));
        assert_eq!(add(body(3, 5, &[])).await.0, 422);
        assert_eq!(add(body(5, 3, &[])).await.0, 400);
        assert_eq!(add(body(0, 3, &[]).replace("\n3\n", "\n4\n")).await.0, 403);
        assert_eq!(add(body(0, 3, &[]).replace("spanseal.test", "other.test")).await.0, 404);
        assert_eq!(add("old 0\n".to_owned()).await.0, 400);
        assert_eq!(ask(&router, Method::POST, ADD_CHECKPOINT, vec![0xff; 9]).await.0, 400);
        assert_eq!(add("x".repeat(BODY_BYTES_MAX + 1)).await.0, 413);
        assert_eq!(ask(&router, Method::GET, ADD_CHECKPOINT, vec![]).await.0, 405);
        assert_eq!(ask(&router, Method::GET, "/healthz", vec![]).await.2, "spanseal witness is alive\n");
        let (_, _, page) = ask(&router, Method::GET, "/", vec![]).await;
        assert!(page.contains(&public.to_string()) && page.contains("spanseal.test/log: cosigned up to tree size 3"), "{page}");
        assert_eq!(ask(&router, Method::GET, "/nonsense", vec![]).await.0, 404);
    }
}
