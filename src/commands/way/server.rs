//! A running `serve`, asked for an act: nothing is said to it before it has shown who it is, and nothing that it says is believed unproved.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use reqwest::StatusCode;

use super::CONNECT_WITHIN;
use crate::api::{self, Act, Challenge, Nonce, Proofs, Question, Secret, Whose};
use crate::clock::{Clock, SystemClock};
use crate::http_client::{self, BodyError};
use crate::query::story::clean;

/// An erasure reads all evidence, so it takes its time; that the other end is there at all shows earlier.
const ERASED_WITHIN: Duration = Duration::from_secs(3600);
/// A reading or an operator's act is one seal; longer than a writer waits for one.
const RECORDED_WITHIN: Duration = Duration::from_secs(60);
/// Longest answer that is read, bytes: an erasure lists up to a quarter of a million records that stay, 36 bytes each.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A running `serve`.
pub(in crate::commands) struct Server {
    pub(super) http: reqwest::Client,
    pub(super) url: String,
    pub(super) secret: Secret,
    /// The log that is meant.
    pub(super) whose: Whose,
    /// Why it is not told who asks for something; `None`: nobody reads that on the way.
    pub(super) overheard: Option<String>,
}

/// What the other side has shown, for one request.
struct Shown {
    proofs: Proofs,
    server: Nonce,
    nonce: String,
    tree_size: u64,
}

/// What was asked for cannot be, in whatever way it is asked for; as a running `serve` says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(String);

impl Server {
    /// How many seals of the log it has committed.
    pub(super) async fn committed(&self, act: Act) -> anyhow::Result<u64> {
        Ok(self.known(act).await?.tree_size)
    }

    /// Asks for an act, after the other side has shown that it has the act's secret and writes the log that is meant; until then it is not told
    /// for what. Its answer counts if it is proved.
    pub(super) async fn ask<T: serde::de::DeserializeOwned>(&self, act: Act, wish: &impl serde::Serialize) -> anyhow::Result<T> {
        let Server { http, url, .. } = self;
        let (called, _) = act.secret();
        let within = match act {
            Act::Erase => ERASED_WITHIN,
            Act::Access | Act::Govern => RECORDED_WITHIN,
        };
        let Shown { proofs: proved, server, nonce, .. } = self.known(act).await?;
        let request = serde_json::to_vec(wish)?;
        let second = http.post(format!("{url}{}", act.path()));
        let second = second.header(api::NONCE, nonce).header(api::PROOF, proved.of_asker(&server, &request));
        let question = Question::new(server, &request);
        let answer = self.send(second.body(request).timeout(within)).await?;
        if !proved.is_answer(&question, answer.status.as_u16(), &answer.body, &answer.proof) {
            bail!(
                "what answers at {url} (`api.endpoint`) does not show that its answer comes from the `serve` that has the {called}, so \
                 whether that was asked, and what it did, is not known; find out what listens there, and ask again. {}",
                answer.unproved()
            );
        }
        match answer.status {
            status if status.is_success() => serde_json::from_slice(&answer.body).with_context(|| self.other_version()),
            status => {
                let said = format!("{} (from the running spanseal at {url})", answer.words());
                Err(if status == StatusCode::BAD_REQUEST { Refused(said).into() } else { anyhow!(said) })
            }
        }
    }

    /// Has the other side show that it has the act's secret and writes the log that is meant.
    async fn known(&self, act: Act) -> anyhow::Result<Shown> {
        let Server { http, url, secret, whose, .. } = self;
        let (called, named) = act.secret();
        let what = match act {
            Act::Erase => "whom to erase",
            Act::Access => "who reads what",
            Act::Govern => "what is to be recorded",
        };
        let path = format!("{url}{}", act.path());
        let proofs = |whose| Proofs::new(secret, act, whose).with_context(|| format!("no proof can be made of the {called}"));
        let proved = proofs(whose)?;
        let own = api::nonce().context("the operating system gives no random bytes")?;
        let now = SystemClock.now().ceil_seconds();
        let first = http.get(&path).header(api::NONCE, hex::encode(own)).header(api::TIME, now.0.to_string());
        let first = first.header(api::HELLO, proved.of_hello(&own, now)).timeout(CONNECT_WITHIN);
        let first = self.send(first).await?;
        let stranger = || {
            anyhow!(
                "what answers at {url} (`api.endpoint`) does not show that it has the {called} of this configuration \
                 (`{named}`), so it was not told {what}: either that key is not the one that the running `serve` has, or somebody else listens there."
            )
        };
        if !first.status.is_success() {
            bail!("{} {}", stranger(), first.unproved());
        }
        let challenge: Challenge = serde_json::from_slice(&first.body).with_context(|| self.other_version())?;
        let theirs = challenge.log.as_ref().ok_or_else(stranger)?;
        let shown = proofs(theirs)?;
        let server =
            api::parse_nonce(&challenge.nonce).filter(|server| shown.is_server(&own, (server, challenge.tree_size), &challenge.proof));
        let server = server.ok_or_else(stranger)?;
        if theirs != whose {
            bail!(
                "the `serve` that answers at {url} (`api.endpoint`) writes {}, and this configuration means {whose}; so it was not told {what}: {}",
                clean(&theirs.to_string()),
                whose.what_now(theirs)
            );
        }
        Ok(Shown { proofs: proved, server, nonce: challenge.nonce, tree_size: challenge.tree_size })
    }

    fn other_version(&self) -> String {
        format!("the answer of {} is of another version of spanseal", self.url)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
        let silent = || format!("{} did not answer; ask again", self.url);
        let response = request.send().await.map_err(reqwest::Error::without_url).with_context(silent)?;
        let proof = response.headers().get(api::ANSWER).and_then(|proof| proof.to_str().ok()).unwrap_or_default().to_owned();
        let (status, body) = (response.status(), body_of(response, ANSWER_BYTES_MAX).await.with_context(silent)?);
        Ok(Answer { status, proof, body })
    }
}

/// What came back, from whomever.
struct Answer {
    status: StatusCode,
    proof: String,
    body: Bytes,
}

impl Answer {
    /// Why it refuses, as it says.
    fn words(&self) -> String {
        let said: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        let said = said.as_ref().and_then(|said| said.get("error")?.as_str());
        clean(said.unwrap_or("it refused without a word"))
    }

    /// The same of somebody who may be anybody.
    fn unproved(&self) -> String {
        format!("It answered {}, which anybody could: \"{}\"", self.status.as_u16(), self.words())
    }
}

/// Reads a body that may be anybody's.
pub(super) async fn body_of(response: reqwest::Response, max: usize) -> anyhow::Result<Bytes> {
    http_client::read_at_most(response, max).await.map_err(|e| match e {
        BodyError::TooLong(_) => anyhow!("its answer is longer than {max} bytes"),
        BodyError::Lost(e) => e.without_url().into(),
    })
}
