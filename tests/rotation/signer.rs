//! Keys that are kept elsewhere: they fail, answer late, and sign something else.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use spanseal::seal::keys::LogKey;
use spanseal::seal::{Options, SubmitError, start};
use spanseal::tlog::note::{NoteSigner, VerifierKey};
use spanseal::tlog::signer::{SignError, Signer};
use spanseal::worm::memory::CreateOnly;

use crate::support::log::{ORIGIN, Process, TestLog, batch, id};

/// What becomes of one call.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Fails,
    Wrong,
    Never,
}

/// A key that remembers what it signed. Clones share it.
#[derive(Clone, Debug)]
pub struct Watchful {
    signer: Arc<NoteSigner>,
    /// By tree size, the texts.
    signed: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
    plan: Arc<Mutex<VecDeque<Answer>>>,
}

impl Watchful {
    pub fn new(seed: u8) -> Self {
        Watchful { signer: Arc::new(TestLog::signer([seed; 32])), signed: Arc::default(), plan: Arc::default() }
    }

    pub fn plan(&self, answers: impl IntoIterator<Item = Answer>) {
        self.plan.lock().unwrap().extend(answers);
    }

    /// Sizes of the trees that it signed.
    pub fn signed(&self) -> usize {
        self.signed.lock().unwrap().len()
    }

    pub fn signed_once(&self, what: &str) {
        for (size, texts) in self.signed.lock().unwrap().iter() {
            assert_eq!(texts.len(), 1, "{what}: a tree of {size} was signed as {texts:?}");
        }
    }
}

#[async_trait]
impl Signer for Watchful {
    fn verifier(&self) -> &VerifierKey {
        self.signer.verifier()
    }

    async fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        let planned = self.plan.lock().unwrap().pop_front();
        match planned {
            Some(Answer::Fails) => return Err(SignError::Failed("the key service is away".into())),
            Some(Answer::Wrong) => return Signer::sign(self.signer.as_ref(), b"something else").await,
            Some(Answer::Never) => std::future::pending().await,
            None => {}
        }
        let text = String::from_utf8(message.to_vec()).unwrap();
        let size = text.lines().nth(1).unwrap().to_owned();
        self.signed.lock().unwrap().entry(size).or_default().insert(text);
        Signer::sign(self.signer.as_ref(), message).await
    }
}

async fn open(log: &TestLog, key: &Watchful, next: Option<&Watchful>) -> Result<Process, spanseal::seal::OpenError> {
    let store = log.store.process();
    let key_of = |key: &Watchful| LogKey::of(Arc::new(key.clone()));
    let options = Options { key: key_of(key), next_key: next.map(key_of), ..log.options(&store) };
    let (handle, task) = start(options).await?;
    Ok(Process { store, handle, task, vault: None })
}

/// Scenario: whoever keeps the key fails a few times, signs something else, and never answers. Guarantee: every sender hears that nothing was
/// sealed, and may come again; nothing that does not verify is ever put; the writer lives, and the log goes on.
#[tokio::test(start_paused = true)]
async fn a_key_that_does_not_sign_fails_its_batch_and_no_more() {
    let log = TestLog::new(CreateOnly::Honoured);
    let key = Watchful::new(5);
    let process = open(&log, &key, None).await.unwrap();
    process.submit(batch(1..=1, 0)).await.unwrap();
    let seals = log.check_log().await.seals;
    for (answer, words) in [
        (Answer::Fails, "the log's key did not sign: the key service is away"),
        (Answer::Fails, "the log's key did not sign: the key service is away"),
        (Answer::Wrong, "what should be a signature by spanseal.test/test+"),
        (Answer::Never, "the log's key gave no signature within 10 s"),
    ] {
        key.plan([answer]);
        let (one, two) = tokio::join!(process.submit(batch(2..=2, 0)), process.submit(batch(3..=3, 1)));
        for refused in [one, two] {
            assert!(matches!(&refused, Err(SubmitError::NotSealed { reason, .. }) if reason.contains(words)), "{answer:?}: {refused:?}");
        }
        assert_eq!(log.check_log().await.seals, seals, "{answer:?}");
    }
    process.submit(batch(2..=3, 0)).await.unwrap();
    process.drain().await.unwrap();
    let contents = log.check_log().await;
    assert!((1..=3).all(|n| contents.records[&id(n)].len() == 1));
    assert_eq!(contents.forks, 0);
    key.signed_once("after failures");
}

/// Scenario: one of the two keys does not sign the announcement, or signs something else. Guarantee: the start fails, nothing is put, and the
/// next start announces.
#[tokio::test(start_paused = true)]
async fn an_announcement_needs_both_signatures() {
    for (old, new) in [
        (Some(Answer::Fails), None),
        (None, Some(Answer::Fails)),
        (None, Some(Answer::Wrong)),
        (Some(Answer::Wrong), None),
        (None, Some(Answer::Never)),
    ] {
        let log = TestLog::new(CreateOnly::Honoured);
        open(&log, &Watchful::new(5), None).await.unwrap().drain().await.unwrap();
        let seals = log.check_log().await.seals;
        let (key, next) = (Watchful::new(5), Watchful::new(6));
        key.plan(old);
        next.plan(new);
        let refused = open(&log, &key, Some(&next)).await.map(|_| ()).unwrap_err().to_string();
        assert!(refused.starts_with("the log cannot be opened: "), "{refused}");
        assert_eq!(log.check_log().await.seals, seals);
        key.signed_once(&refused);
        open(&log, &Watchful::new(5), Some(&Watchful::new(6))).await.unwrap().drain().await.unwrap();
        let contents = log.check_log().await;
        assert_eq!(contents.files[seals as usize].statement.next_vkey.as_ref(), Some(Watchful::new(6).verifier()), "{ORIGIN}");
    }
}
