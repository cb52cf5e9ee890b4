//! `POST /erase`, `POST /access` and `POST /govern`: what only the log's one writer can do, so that commands ask the running process for it: an
//! erasure, the record of a reading, which is sealed before anything is shown, and the record of an operator's act.
//!
//! Both sides show that they have the vault key, for an operator's act the identity key, and mean the same log in the same store before
//! anything is said, and every answer to a request is proved ([`super::handshake`]), whatever `api.auth` says. An erasure is refused where the
//! port is reached over plain HTTP beyond this machine: the request names a person. The others are not: they name records and pseudonyms, and
//! a command says who reads or acts only where nobody listens.
//!
//! Nobody's request is read before its head says that it is an asker's, and only as long as the act needs, for a while, a few at once.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::Api;
use super::handshake::{ANSWER, Act, HELLO, Hellos, NONCE, Open, PROOF, Proofs, Question, Stale, TIME, parse_nonce};
use super::whose::Whose;
use crate::access::{self, AccessError, Recorder};
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::erase::{self, EraseError, Eraser};
use crate::govern::{self, GovernError, Governor};
use crate::record::identity::IdentityKey;
use crate::vault::VaultKey;

/// What the first request is answered with.
#[derive(Debug, Serialize, Deserialize)]
pub struct Challenge {
    /// The process's random bytes.
    pub nonce: String,
    /// Its proof.
    pub proof: String,
    /// What it writes.
    pub log: Option<Whose>,
    /// How many seals of it are committed.
    #[serde(default)]
    pub tree_size: u64,
}

/// Requests that announce to be small, bytes: an erasure, and the reading of a thousand records.
const SMALL_BYTES_MAX: usize = 64 * 1024;
/// Small requests that are read at once, and others: together no more than 4 MiB of memory. None of the others holds a small one up.
const SMALL_AT_ONCE: usize = 16;
const LARGE_AT_ONCE: usize = 3;
/// How long a small request may take to come once it is its turn: commands send it at once.
const SMALL_WITHIN: Duration = Duration::from_secs(2);
/// How long any may, the wait for its turn included.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// Who may ask, and what does it once the log is open. Clones share it.
#[derive(Clone)]
pub struct Acts {
    key: Option<VaultKey>,
    identity: IdentityKey,
    in_the_clear: bool,
    open: Arc<Open>,
    hellos: Arc<Hellos>,
    clock: Arc<dyn Clock>,
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    desk: Arc<OnceLock<Desk>>,
}

/// What there is once the log is open.
struct Desk {
    whose: Whose,
    /// With a vault.
    erase: Option<Proofs>,
    access: Option<Proofs>,
    govern: Option<Proofs>,
    eraser: Option<Eraser>,
    recorder: Option<Recorder>,
    governor: Option<Governor>,
}

impl Desk {
    fn proofs(&self, act: Act) -> Option<&Proofs> {
        match act {
            Act::Erase => self.erase.as_ref(),
            Act::Access => self.access.as_ref(),
            Act::Govern => self.govern.as_ref(),
        }
    }
}

impl std::fmt::Debug for Acts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acts").field("open", &self.desk.get().is_some()).finish_non_exhaustive()
    }
}

impl Acts {
    /// For a process with this vault and this K, whose port is, or is not, read by others on the way.
    pub fn new(key: Option<&VaultKey>, identity: &IdentityKey, in_the_clear: bool) -> Self {
        let (small, large) = (Arc::new(Semaphore::new(SMALL_AT_ONCE)), Arc::new(Semaphore::new(LARGE_AT_ONCE)));
        Acts {
            key: key.cloned(),
            identity: identity.clone(),
            in_the_clear,
            open: Arc::default(),
            hellos: Arc::default(),
            clock: Arc::new(SystemClock),
            small,
            large,
            desk: Arc::default(),
        }
    }

    /// The log is open: this one.
    pub fn opened(&self, whose: Whose, eraser: Option<Eraser>, recorder: Option<Recorder>, governor: Option<Governor>) {
        let proofs = |act| self.key.as_ref().and_then(|key| Proofs::new(key, act, &whose));
        let (erase, access) = (proofs(Act::Erase), proofs(Act::Access));
        let govern = Proofs::new(&self.identity, Act::Govern, &whose);
        let _ = self.desk.set(Desk { whose, erase, access, govern, eraser, recorder, governor });
    }

    /// By what askers are known here, or why nobody is.
    fn desk(&self, act: Act) -> Result<(&Desk, &Proofs), Refusal> {
        match (&self.key, act) {
            (None, Act::Erase) => Err(Refusal(StatusCode::NOT_FOUND, "this log has no vault, so nothing of it can be erased")),
            (None, Act::Access) => Err(Refusal(StatusCode::NOT_FOUND, "this log has no vault, so nothing of it can be read")),
            (Some(_), Act::Erase) if self.in_the_clear => Err(Refusal(
                StatusCode::FORBIDDEN,
                "this port is reached over plain HTTP beyond its machine, and an erasure names a person: set `api.tls`, or `api.endpoint` \
                 to a loopback address",
            )),
            (_, Act::Govern) | (Some(_), _) => self.desk.get().and_then(|desk| Some((desk, desk.proofs(act)?))).ok_or(OPENING),
        }
    }

    /// The wish of a holder of the act's secret, or why it is none.
    async fn asked<T: serde::de::DeserializeOwned>(&self, act: Act, request: Request) -> Result<Asked<'_, T>, Response> {
        let (desk, proofs) = self.desk(act).map_err(Refusal::into_response)?;
        let (asker, wish) = self.read(act, proofs, request).await.map_err(Refusal::into_response)?;
        match wish {
            Some(wish) => Ok(Asked { asker, desk, wish }),
            // Not the parser's words: they may repeat a name.
            None => Err(asker.refuse(StatusCode::BAD_REQUEST, "the request is none that this version knows")),
        }
    }

    /// Reads a request whose head says that it is an asker's; `None`: it was one that nobody knows.
    async fn read<'d, T: serde::de::DeserializeOwned>(
        &self,
        act: Act,
        proofs: &'d Proofs,
        request: Request,
    ) -> Result<(Asker<'d>, Option<T>), Refusal> {
        let (head, body) = request.into_parts();
        let announced = text_of(&head.headers, header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
        // Used up whatever comes with them.
        let server = text_of(&head.headers, NONCE).and_then(parse_nonce).filter(|nonce| self.open.take(nonce)).ok_or(stranger(act))?;
        let shown = text_of(&head.headers, PROOF).filter(|shown| parse_nonce(shown).is_some()).ok_or(stranger(act))?;
        let length: usize = announced.ok_or(Refusal(StatusCode::LENGTH_REQUIRED, "a request says how long it is (Content-Length)"))?;
        if length > bytes_max(act) {
            return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, "the request is longer than any of its kind"));
        }
        let (turns, within) = if length <= SMALL_BYTES_MAX { (&self.small, SMALL_WITHIN) } else { (&self.large, READ_WITHIN) };
        let reading = async {
            // Never closed.
            let turn = turns.acquire().await;
            let Ok(body) = tokio::time::timeout(within, to_bytes(body, length)).await else { return Err(LATE) };
            let body = body.map_err(|_| BROKEN_OFF)?;
            let asker = proofs.is_asker(&server, &body, shown);
            let read = asker.then(|| (Question::new(server, &body), serde_json::from_slice(&body).ok()));
            drop(turn);
            read.ok_or(stranger(act))
        };
        let (question, wish) = tokio::time::timeout(READ_WITHIN, reading).await.unwrap_or(Err(LATE))?;
        Ok((Asker { proofs, question }, wish))
    }
}

/// What a holder of the act's secret wants.
struct Asked<'d, T> {
    asker: Asker<'d>,
    desk: &'d Desk,
    wish: T,
}

/// To whom an answer is proved.
struct Asker<'d> {
    proofs: &'d Proofs,
    question: Question,
}

impl Asker<'_> {
    fn answer(&self, status: StatusCode, body: &serde_json::Value) -> Response {
        let body = format!("{body}\n");
        let proof = self.proofs.of_answer(&self.question, status.as_u16(), body.as_bytes());
        ([(ANSWER, proof)], plain(status, body)).into_response()
    }

    fn answer_with(&self, done: impl Serialize) -> Response {
        match serde_json::to_value(done) {
            Ok(done) => self.answer(StatusCode::OK, &done),
            Err(error) => self.refuse(StatusCode::INTERNAL_SERVER_ERROR, error),
        }
    }

    fn refuse(&self, status: StatusCode, why: impl std::fmt::Display) -> Response {
        self.answer(status, &serde_json::json!({ "error": why.to_string() }))
    }
}

/// Longest request that is read, bytes: an erasure is an id, a ground and a few realms; a reading names up to
/// [`access::NAMES_MAX`] records and persons of some 45 bytes each; an operator's act tells up to [`govern::FILTER_BYTES_MAX`] in its record,
/// and is sent in some more.
const fn bytes_max(act: Act) -> usize {
    match act {
        Act::Erase => 64 * 1024,
        Act::Access => 1024 * 1024,
        Act::Govern => 4 * govern::FILTER_BYTES_MAX,
    }
}

/// Why an asker gets nothing, before it is known as one.
#[derive(Debug)]
struct Refusal(StatusCode, &'static str);

const OPENING: Refusal = Refusal(StatusCode::SERVICE_UNAVAILABLE, "the log is being opened; try again");
const LATE: Refusal = Refusal(StatusCode::REQUEST_TIMEOUT, "the request took too long to come; ask again");
const BROKEN_OFF: Refusal = Refusal(StatusCode::BAD_REQUEST, "the request broke off; ask again");

/// Whoever shows nothing that counts.
const fn stranger(act: Act) -> Refusal {
    let what = match act {
        Act::Erase | Act::Access => "this needs a fresh proof of the vault key (content.vault.key_file); ask again",
        Act::Govern => "this needs a fresh proof of the identity key (identity.key_file); ask again",
    };
    Refusal(StatusCode::UNAUTHORIZED, what)
}

impl Refusal {
    fn into_response(self) -> Response {
        plain(self.0, format!("{}\n", serde_json::json!({ "error": self.1 })))
    }
}

fn plain(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

fn text_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

pub(super) async fn challenge_erase(State(api): State<Api>, headers: HeaderMap) -> Response {
    challenge(&api.acts, Act::Erase, &headers).unwrap_or_else(Refusal::into_response)
}

pub(super) async fn challenge_access(State(api): State<Api>, headers: HeaderMap) -> Response {
    challenge(&api.acts, Act::Access, &headers).unwrap_or_else(Refusal::into_response)
}

pub(super) async fn challenge_govern(State(api): State<Api>, headers: HeaderMap) -> Response {
    challenge(&api.acts, Act::Govern, &headers).unwrap_or_else(Refusal::into_response)
}

/// Answers the first request: shows whose process this is, to whoever has shown to have the act's secret.
fn challenge(acts: &Acts, act: Act, headers: &HeaderMap) -> Result<Response, Refusal> {
    let (desk, proofs) = acts.desk(act)?;
    let shown = text_of(headers, HELLO).unwrap_or_default();
    let at = text_of(headers, TIME).and_then(|at| at.parse().ok()).map(UnixSeconds).ok_or(stranger(act))?;
    let asker = text_of(headers, NONCE).and_then(parse_nonce).filter(|asker| proofs.is_hello(asker, at, shown)).ok_or(stranger(act))?;
    acts.hellos.take(&asker, at, acts.clock.now().ceil_seconds()).map_err(|stale| match stale {
        Stale::Seen => stranger(act),
        Stale::Time => Refusal(
            StatusCode::UNAUTHORIZED,
            "the clock of this command and that of the running spanseal are more than a minute apart; set them right, and ask again",
        ),
        Stale::Full => Refusal(StatusCode::SERVICE_UNAVAILABLE, "very many ask at once; ask again in a minute"),
    })?;
    let own = acts.open.give();
    let own = own.ok_or(Refusal(StatusCode::SERVICE_UNAVAILABLE, "the operating system gives no random bytes; try again"))?;
    let tree_size = desk.governor.as_ref().map_or(0, |governor| governor.register.committed());
    let proof = proofs.of_server(&asker, &own, tree_size);
    let shown = Challenge { nonce: hex::encode(own), proof, log: Some(desk.whose.clone()), tree_size };
    let body = serde_json::to_string(&shown).map_err(|_| Refusal(StatusCode::INTERNAL_SERVER_ERROR, "no answer could be written"))?;
    Ok(plain(StatusCode::OK, body))
}

pub(super) async fn erase(State(api): State<Api>, request: Request) -> Response {
    let Asked { asker, desk, wish } = match api.acts.asked::<erase::Wish>(Act::Erase, request).await {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    let Some(eraser) = desk.eraser.clone() else { return OPENING.into_response() };
    // In a task of its own: whoever hangs up does not stop it half-way.
    match tokio::spawn(async move { eraser.erase(&wish).await }).await {
        Ok(Ok(outcome)) => asker.answer_with(outcome),
        Ok(Err(error)) => {
            let status = match &error {
                EraseError::Ambiguous { .. } | EraseError::OnHold(_) => StatusCode::CONFLICT,
                EraseError::Wrong(_) => StatusCode::BAD_REQUEST,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            asker.refuse(status, error)
        }
        Err(error) => {
            asker.refuse(StatusCode::INTERNAL_SERVER_ERROR, format!("the erasure broke off ({error}); it is finished at the next start"))
        }
    }
}

pub(super) async fn access(State(api): State<Api>, request: Request) -> Response {
    let Asked { asker, desk, wish } = match api.acts.asked::<access::Wish>(Act::Access, request).await {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    let Some(recorder) = desk.recorder.clone() else { return OPENING.into_response() };
    // In a task of its own: a reader who is made and hangs up leaves no half-made entry.
    match tokio::spawn(async move { recorder.record(&wish).await }).await {
        Ok(Ok(sealed)) => asker.answer_with(sealed),
        Ok(Err(error @ AccessError::Wrong(_))) => asker.refuse(StatusCode::BAD_REQUEST, error),
        Ok(Err(error)) => asker.refuse(StatusCode::SERVICE_UNAVAILABLE, error),
        Err(error) => asker.refuse(StatusCode::INTERNAL_SERVER_ERROR, format!("recording the reading broke off ({error}); ask again")),
    }
}

pub(super) async fn govern(State(api): State<Api>, request: Request) -> Response {
    let Asked { asker, desk, wish } = match api.acts.asked::<govern::Wish>(Act::Govern, request).await {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    let Some(governor) = desk.governor.clone() else { return OPENING.into_response() };
    // In a task of its own: whoever is named and hangs up leaves no half-made entry in the vault.
    match tokio::spawn(async move { governor.seal(&wish).await }).await {
        Ok(Ok(sealed)) => asker.answer_with(sealed),
        Ok(Err(error @ GovernError::Wrong(_))) => asker.refuse(StatusCode::BAD_REQUEST, error),
        Ok(Err(error)) => asker.refuse(StatusCode::SERVICE_UNAVAILABLE, error),
        Err(error) => asker.refuse(StatusCode::INTERNAL_SERVER_ERROR, format!("recording the act broke off ({error}); ask again")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Secret, nonce};
    use axum::body::{Body, Bytes};
    use futures::stream;

    fn acts() -> Acts {
        let acts = Acts::new(Some(&VaultKey::new(&[7; 32])), &IdentityKey::new([8; 32]), false);
        let whose = Whose { log: "audit".into(), origin: "x".into(), store: "file:///x".into(), made: "00".into() };
        acts.opened(whose, None, None, None);
        acts
    }

    /// A request with fresh bytes of the process and a proof of this body, which announces `length` and brings `body`.
    fn request(acts: &Acts, act: Act, length: usize, proved: &[u8], body: Body) -> Request {
        let server = acts.open.give().unwrap();
        let proof = acts.desk(act).unwrap().1.of_asker(&server, proved);
        let head = Request::post(act.path()).header(NONCE, hex::encode(server)).header(PROOF, proof);
        head.header(header::CONTENT_LENGTH, length).body(body).unwrap()
    }

    /// A body of which nothing comes.
    fn silent() -> Body {
        Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())
    }

    async fn status(acts: &Acts, act: Act, request: Request) -> u16 {
        let asked = acts.asked::<serde_json::Value>(act, request).await;
        asked.map_or_else(|refused| refused.status().as_u16(), |_| 200)
    }

    /// Scenario: requests of strangers, of askers who send too much, too slowly or without saying how much. Guarantee: what the head tells is
    /// answered before anything is read, an act has a longest request, and nothing is waited for without end.
    #[tokio::test(start_paused = true)]
    async fn no_request_is_read_before_it_is_an_askers_nor_without_end() {
        let acts = acts();
        for act in [Act::Erase, Act::Access, Act::Govern] {
            let begun = tokio::time::Instant::now();
            let hex = hex::encode(nonce().unwrap());
            let given = hex::encode(acts.open.give().unwrap());
            for head in
                [vec![], vec![(NONCE, hex.clone()), (PROOF, hex.clone())], vec![(NONCE, given.clone())], vec![(NONCE, given), (PROOF, hex)]]
            {
                let stranger = head.iter().fold(Request::post(act.path()), |request, (name, value)| request.header(*name, value));
                let stranger = stranger.header(header::CONTENT_LENGTH, 10).body(silent()).unwrap();
                assert_eq!(status(&acts, act, stranger).await, 401, "{head:?}");
            }
            let longest = format!("\"{}\"", "x".repeat(bytes_max(act) - 2));
            let longer = format!("{longest} ");
            let asked = |text: &str| request(&acts, act, text.len(), text.as_bytes(), text.to_owned().into());
            assert_eq!(status(&acts, act, asked(&longest)).await, 200);
            assert_eq!(status(&acts, act, asked(&longer)).await, 413);
            assert_eq!(status(&acts, act, request(&acts, act, longer.len(), b"", silent())).await, 413);
            let mut unsaid = asked("{}");
            unsaid.headers_mut().remove(header::CONTENT_LENGTH);
            assert_eq!(status(&acts, act, unsaid).await, 411);
            // More than was announced.
            assert_eq!(status(&acts, act, request(&acts, act, 1, b"{}", "{}".into())).await, 400);
            // What was proved, and nothing else; and a proof only once.
            assert_eq!(status(&acts, act, request(&acts, act, 2, b"[]", "{}".into())).await, 401);
            assert_eq!(begun.elapsed(), Duration::ZERO);
            assert_eq!(status(&acts, act, request(&acts, act, 2, b"{}", silent())).await, 408);
            assert_eq!(begun.elapsed(), SMALL_WITHIN);
        }
    }

    /// Guarantee: no more than a few requests are in memory at once; who waits for their turn gets it. Large ones that come slowly hold up no
    /// small one, and small ones that come slowly do so for a moment only.
    #[tokio::test(start_paused = true)]
    async fn few_requests_are_read_at_once_and_none_holds_up_all() {
        let acts = acts();
        let slow = |count: usize, length: usize| -> Vec<_> {
            let requests = (0..count).map(|_| request(&acts, Act::Access, length, b"{}", silent()));
            let asked = requests.map(|request| {
                let acts = acts.clone();
                tokio::spawn(async move { status(&acts, Act::Access, request).await })
            });
            asked.collect()
        };
        let small = || request(&acts, Act::Access, 2, b"{}", "{}".into());
        let text = format!("\"{}\"", "x".repeat(SMALL_BYTES_MAX));
        let large = || request(&acts, Act::Access, text.len(), text.as_bytes(), text.clone().into());
        let mut waiting = slow(LARGE_AT_ONCE, SMALL_BYTES_MAX + 1);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = tokio::time::Instant::now();
        assert_eq!(status(&acts, Act::Access, small()).await, 200);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(status(&acts, Act::Access, large()).await, 200);
        assert_eq!(begun.elapsed(), READ_WITHIN - Duration::from_secs(1));
        waiting.extend(slow(SMALL_AT_ONCE, SMALL_BYTES_MAX));
        tokio::time::sleep(Duration::from_secs(1)).await;
        let begun = tokio::time::Instant::now();
        assert_eq!(status(&acts, Act::Access, small()).await, 200);
        assert_eq!(begun.elapsed(), SMALL_WITHIN - Duration::from_secs(1));
        for slow in waiting {
            assert_eq!(slow.await.unwrap(), 408);
        }
    }

    /// Guarantee: what this process writes is told to holders of the vault key only, and every answer to them is proved, refusals too.
    #[tokio::test]
    async fn strangers_are_told_nothing_and_askers_get_proof() {
        let acts = acts();
        let (asker, (desk, erase)) = (nonce().unwrap(), acts.desk(Act::Erase).unwrap());
        let (_, access) = acts.desk(Act::Access).unwrap();
        let now = acts.clock.now().ceil_seconds();
        let ask_at = |hello: &str, at: UnixSeconds| {
            let headers = [(NONCE, hex::encode(asker)), (HELLO, hello.to_owned()), (TIME, at.0.to_string())];
            let headers: HeaderMap =
                headers.into_iter().map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap())).collect();
            challenge(&acts, Act::Erase, &headers)
        };
        let ask = |hello: &str| ask_at(hello, now);
        for hello in [String::new(), access.of_hello(&asker, now), erase.of_hello(&[0; 32], now)] {
            assert_eq!(ask(&hello).unwrap_err().0, StatusCode::UNAUTHORIZED);
        }
        // Of another time than it says, and of one that is long over: it was seen by somebody, and is shown again.
        let old = UnixSeconds(now.0 - 3600);
        for (hello, at) in [(now, old), (old, now), (old, old)].map(|(made, at)| (erase.of_hello(&asker, made), at)) {
            assert_eq!(ask_at(&hello, at).unwrap_err().0, StatusCode::UNAUTHORIZED);
        }
        let shown = ask(&erase.of_hello(&asker, now)).unwrap();
        assert_eq!(ask(&erase.of_hello(&asker, now)).unwrap_err().0, StatusCode::UNAUTHORIZED, "once");
        let shown: Challenge = serde_json::from_slice(&to_bytes(shown.into_body(), 4096).await.unwrap()).unwrap();
        assert_eq!(shown.log.as_ref(), Some(&desk.whose));
        let server = parse_nonce(&shown.nonce).unwrap();
        assert!(erase.is_server(&asker, (&server, shown.tree_size), &shown.proof));
        let proof = erase.of_asker(&server, b"{");
        let unknown = Request::post("/erase").header(NONCE, &shown.nonce).header(PROOF, proof).header(header::CONTENT_LENGTH, 1);
        let refused = acts.asked::<erase::Wish>(Act::Erase, unknown.body("{".into()).unwrap()).await.err().unwrap();
        let (status, proof) = (refused.status().as_u16(), text_of(refused.headers(), ANSWER).unwrap().to_owned());
        let body = to_bytes(refused.into_body(), 4096).await.unwrap();
        assert_eq!(status, 400);
        assert!(erase.is_answer(&Question::new(server, b"{"), status, &body, &proof));
    }

    /// Guarantee: an operator's act is taken from holders of the identity key, whether there is a vault or not, and from nobody by the vault
    /// key; nothing of the vault is taken from them.
    #[tokio::test]
    async fn operators_are_known_by_the_identity_key() {
        let identity = IdentityKey::new([8; 32]);
        for vault in [None, Some(VaultKey::new(&[7; 32]))] {
            let acts = Acts::new(vault.as_ref(), &identity, true);
            assert_eq!(acts.desk(Act::Govern).map(|_| ()).unwrap_err().0, StatusCode::SERVICE_UNAVAILABLE, "not open yet");
            let whose = Whose { log: "audit".into(), origin: "x".into(), store: "file:///x".into(), made: "00".into() };
            acts.opened(whose.clone(), None, None, None);
            let ask = async |secret: Secret, of: Act, act: Act| {
                let server = acts.open.give().unwrap();
                let proof = Proofs::new(&secret, of, &whose).unwrap().of_asker(&server, b"{}");
                let head = Request::post(act.path()).header(NONCE, hex::encode(server)).header(PROOF, proof);
                status(&acts, act, head.header(header::CONTENT_LENGTH, 2).body("{}".into()).unwrap()).await
            };
            assert_eq!(ask(Secret::from(&identity), Act::Govern, Act::Govern).await, 200);
            // The same bytes as another's key, another's key, and another act's proof.
            assert_eq!(ask(Secret::from(&VaultKey::new(&[8; 32])), Act::Govern, Act::Govern).await, 401);
            assert_eq!(ask(Secret::from(&IdentityKey::new([9; 32])), Act::Govern, Act::Govern).await, 401);
            assert_eq!(ask(Secret::from(&identity), Act::Access, Act::Govern).await, 401);
            let of_vault = if vault.is_some() { 401 } else { 404 };
            assert_eq!(ask(Secret::from(&identity), Act::Access, Act::Access).await, of_vault);
        }
    }
}
