//! One witness, asked over HTTP (C2SP tlog-witness, `add-checkpoint`).

use std::fmt;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode};
use tokio::time::timeout;

use super::proof::ProofError;
use super::{Place, Scene, Target};
use crate::clock::UnixSeconds;
use crate::http_client::{self, BodyError, in_words};
use crate::tlog::TreeSize;
use crate::tlog::cosignature::WitnessKey;
use crate::tlog::note::{SignatureLine, parse_decimal};
use crate::witness::wire::{ADD_CHECKPOINT, SIZE_TYPE, Submission};
use crate::worm::PutError;

/// One request, from connecting to the last byte.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
/// Longest answer that is read, bytes: a few signature lines.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How far a witness's clock may be ahead of ours, seconds: a time that has not come yet says nothing.
const AHEAD_MAX_SECONDS: i64 = 300;

/// Why a checkpoint was not cosigned. The metric's label is [`Failure::label`].
#[derive(Debug)]
pub(super) enum Failure {
    /// The witness cannot be reached.
    Unreachable(String),
    /// It did not answer in time.
    TimedOut,
    /// It answered with something that is no cosignature by its key.
    BadAnswer(String),
    /// It does not follow this log, does not know its key, or has trouble of its own.
    Refused(StatusCode),
    /// It saw a larger tree of this log than there is: the log was set back.
    Ahead(TreeSize),
    /// It saw another tree of this very size, or one that ours does not extend: the log was rewritten.
    Contradicted,
    /// No proof could be made.
    NoProof(ProofError),
    /// What it said could not be stored.
    NotKept(PutError),
}

impl Failure {
    pub(super) const LABELS: [&'static str; 8] =
        ["unreachable", "timed_out", "bad_answer", "refused", "ahead", "contradicted", "no_proof", "not_kept"];

    pub(super) fn label(&self) -> &'static str {
        match self {
            Failure::Unreachable(_) => "unreachable",
            Failure::TimedOut => "timed_out",
            Failure::BadAnswer(_) => "bad_answer",
            Failure::Refused(_) => "refused",
            Failure::Ahead(_) => "ahead",
            Failure::Contradicted => "contradicted",
            Failure::NoProof(_) => "no_proof",
            Failure::NotKept(_) => "not_kept",
        }
    }

    /// Whether somebody should look at once: a witness says that this is not the log that it saw.
    pub(super) fn is_grave(&self) -> bool {
        matches!(self, Failure::Ahead(_) | Failure::Contradicted)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unreachable(why) => write!(f, "it cannot be reached: {why}"),
            Failure::TimedOut => f.write_str("it did not answer in time"),
            Failure::BadAnswer(why) => write!(f, "its answer is no cosignature: {why}"),
            Failure::Refused(StatusCode::NOT_FOUND) => f.write_str("it does not follow this log, or the `url` is wrong (404)"),
            Failure::Refused(StatusCode::FORBIDDEN) => f.write_str(
                "it follows this log under another key (403): where the log has changed its key, whoever runs the witness has to be given the \
                 new public key, and to start it with that one on the same state (`spanseal witness --log`)",
            ),
            Failure::Refused(status) => write!(f, "it answered {status}"),
            Failure::Ahead(size) => {
                write!(f, "it has cosigned this log up to tree size {}, which it does not have now: the log was set back to an older copy", size.0)
            }
            Failure::Contradicted => f.write_str(
                "the tree that it has cosigned is not the beginning of this one: the log was rewritten, or it was shown another log under this \
                 key",
            ),
            Failure::NoProof(why) => write!(f, "no proof can be made for it: {why}"),
            Failure::NotKept(why) => write!(f, "what it said could not be stored: {why}"),
        }
    }
}

/// What a witness answered.
enum Answer {
    Lines(String),
    /// 409 with the size that it cosigned last.
    Size(TreeSize),
    /// 409 without one, or 422.
    Contradicted,
    Other(StatusCode),
}

/// The way to one witness.
#[derive(Debug)]
pub(super) struct Asker {
    key: WitnessKey,
    url: String,
    client: Client,
}

impl Asker {
    /// The error is half a sentence.
    pub(super) async fn open(place: &Place) -> Result<Self, String> {
        let client = http_client::client(place.url.starts_with("https:"), place.ca_file.as_deref(), None).await?;
        Ok(Asker { key: place.key.clone(), url: format!("{}{ADD_CHECKPOINT}", place.url), client })
    }

    pub(super) fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// Has one checkpoint cosigned and stores what the witness says. `believed` is the size that it cosigned last, as far as is known; its own
    /// word corrects that once.
    pub(super) async fn attempt(&self, scene: &Scene, target: &Target, believed: &mut TreeSize) -> Result<UnixSeconds, Failure> {
        let mut corrected = false;
        loop {
            // What it is believed to have may be more than there is, where a checkpoint is asked for again.
            let old = (*believed).min(target.size);
            let proof = scene.consistency(old, target).await.map_err(Failure::NoProof)?;
            let body = Submission { old, proof, checkpoint: target.note.clone() }.to_body();
            let answer = timeout(REQUEST_WITHIN, self.post(body)).await.map_err(|_| Failure::TimedOut)??;
            match answer {
                Answer::Lines(lines) => {
                    let (line, at) = self.own_line(&lines, target, scene)?;
                    scene.keep(target, &line).await.map_err(Failure::NotKept)?;
                    *believed = target.size;
                    return Ok(at);
                }
                Answer::Size(size) if size > target.size => return Err(Failure::Ahead(size)),
                // It has the very size that was named: what it does not like is the tree.
                Answer::Size(size) if size == old => return Err(Failure::Contradicted),
                Answer::Size(size) if !corrected => {
                    corrected = true;
                    *believed = size;
                }
                Answer::Size(_) => return Err(Failure::BadAnswer("it names another size each time".to_owned())),
                Answer::Contradicted => return Err(Failure::Contradicted),
                Answer::Other(status) => return Err(Failure::Refused(status)),
            }
        }
    }

    async fn post(&self, body: String) -> Result<Answer, Failure> {
        let lost = |e: reqwest::Error| Failure::Unreachable(in_words(e));
        let answer = self.client.post(&self.url).body(body).send().await.map_err(lost)?;
        let status = answer.status();
        let sized = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(SIZE_TYPE.as_bytes()));
        match status {
            StatusCode::OK => Ok(Answer::Lines(text(answer).await?)),
            StatusCode::CONFLICT if sized => {
                let said = text(answer).await?;
                let size = said.strip_suffix('\n').and_then(parse_decimal).map(TreeSize);
                size.map(Answer::Size).ok_or_else(|| Failure::BadAnswer("the size that it names is no number".to_owned()))
            }
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => Ok(Answer::Contradicted),
            status => Ok(Answer::Other(status)),
        }
    }

    /// The line of the configured key, verified; those of other keys are ignored.
    fn own_line(&self, lines: &str, target: &Target, scene: &Scene) -> Result<(SignatureLine, UnixSeconds), Failure> {
        let bad = |why: String| Failure::BadAnswer(why);
        let latest = UnixSeconds(scene.clock.now().ceil_seconds().0.saturating_add(AHEAD_MAX_SECONDS));
        for line in lines.strip_suffix('\n').unwrap_or(lines).split('\n') {
            let line = SignatureLine::parse(line).map_err(|e| bad(e.to_string()))?;
            if !self.key.owns(&line) {
                continue;
            }
            let at = self.key.verify(&target.text, &line).map_err(|e| bad(e.to_string()))?;
            if at > latest {
                return Err(bad(format!("it is dated {at}, after this machine's clock; one of the two is wrong")));
            }
            return Ok((line, at));
        }
        Err(bad(format!("no line is by `{}`; check its `vkey`", self.key)))
    }
}

async fn text(answer: Response) -> Result<String, Failure> {
    let body = http_client::read_at_most(answer, ANSWER_BYTES_MAX).await.map_err(|e| match e {
        BodyError::TooLong(_) => Failure::BadAnswer("it is longer than any".to_owned()),
        BodyError::Lost(e) => Failure::Unreachable(in_words(e)),
    })?;
    String::from_utf8(body.into()).map_err(|_| Failure::BadAnswer("it is not UTF-8".to_owned()))
}
