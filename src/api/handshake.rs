//! How an asker and the process that writes the log know each other, both by a secret of the log, over a port that anybody on the machine may
//! have taken: by the vault key where an act concerns what the vault keeps, by the identity key, which every log has, where it does not.
//!
//! 1. The asker gets the act's path with 32 random bytes, its time, and an HMAC over these that says that it has the key. Only one that is
//!    fresh, and was not seen before, counts: the process answers with 32 bytes of its own, with the log and the store that it writes and how
//!    many seals of it are committed, and with an HMAC over all of these.
//! 2. Only an asker that finds this right, and that means that log in that store ([`Whose`]), says what it wants, with an HMAC over the
//!    process's bytes, the log and the request.
//! 3. What the process answers comes with an HMAC over its bytes, the request and the answer. Without it nothing is believed.
//!
//! Each HMAC-SHA-256 has a key of its own, derived from that secret for each act, so no proof is good for another step nor for another
//! act, and nothing that was shown is good a second time: the process's bytes are taken once, and soon. All are written in lower-case hex.
//! That the asker has the key is said first so that others are given nothing to flood with: neither bytes nor memory for a request.
//!
//! KNOWN GAP: who takes the port, and can reach the process elsewhere, may pass everything on, read it on its way and hold it up; it can
//! neither change a word of it nor make one up. Beyond this machine TLS is asked for; on it, that takes a port that was configured for
//! `serve`, and a `serve` that listens on another.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ring::hmac;
use tokio::time::Instant;

use super::whose::Whose;
use crate::clock::UnixSeconds;
use crate::record::identity::IdentityKey;
use crate::tlog::Hash;
use crate::vault::VaultKey;

/// Header of random bytes: the asker's own with the first request, the process's with the second.
pub const NONCE: &str = "spanseal-nonce";
/// Header of what an asker shows first.
pub const HELLO: &str = "spanseal-hello";
/// Header of the asker's time with it, seconds since 1970.
pub const TIME: &str = "spanseal-time";
/// Header of the asker's proof.
pub const PROOF: &str = "spanseal-proof";
/// Header of the proof of an answer.
pub const ANSWER: &str = "spanseal-answer";

const NONCE_BYTES: usize = 32;
/// Random bytes, used once.
pub type Nonce = [u8; NONCE_BYTES];

/// How long an answer to the first request is good for: the second follows at once.
const LIFE: Duration = Duration::from_secs(30);
/// Answers that are good at a time, 64 KiB in all. The oldest go first: a flood of first requests makes askers ask again.
const OPEN_MAX: usize = 1024;

/// How far the asker's clock may be off the process's, seconds: what was shown is good for twice that, and once.
const FRESH_SECONDS: i64 = 60;
/// What was shown first and is remembered, 1 MB in all. Only holders of a log's secrets can make more.
const HELLOS_MAX: usize = 16 * 1024;

/// 32 random bytes; `None`: the system has none to give.
pub fn nonce() -> Option<Nonce> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).ok().map(|()| nonce)
}

/// Reads them as they stand in a header or an answer.
pub fn parse_nonce(text: &str) -> Option<Nonce> {
    let mut nonce = [0; NONCE_BYTES];
    hex::decode_to_slice(text, &mut nonce).ok().map(|()| nonce)
}

/// What a holder of a log's secret may ask its writer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Take a person, or what was said, out of the vault.
    Erase,
    /// Write into the log that somebody reads what the vault keeps.
    Access,
    /// Write into the log what an operator did to the evidence's conditions. It takes nothing away and shows nothing, so the identity key is
    /// enough: whoever may look for persons by name has it.
    Govern,
}

impl Act {
    /// Where it is asked for.
    pub const fn path(self) -> &'static str {
        match self {
            Act::Erase => "/erase",
            Act::Access => "/access",
            Act::Govern => "/govern",
        }
    }

    /// What both sides have, and where the configuration names it.
    pub const fn secret(self) -> (&'static str, &'static str) {
        match self {
            Act::Erase | Act::Access => ("vault key", "content.vault.key_file"),
            Act::Govern => ("identity key", "identity.key_file"),
        }
    }

    /// What the key of one step is derived with.
    fn label(self, step: &str) -> String {
        let act = match self {
            Act::Erase => "erase",
            Act::Access => "access",
            Act::Govern => "govern",
        };
        format!("spanseal {act} {step}/4")
    }
}

/// What both sides of an act have ([`Act::secret`]). `Debug` shows its id only.
#[derive(Clone, Debug)]
pub enum Secret {
    /// The vault key.
    Vault(VaultKey),
    /// K.
    Identity(IdentityKey),
}

impl Secret {
    fn hmac_key(&self, purpose: &str) -> Option<hmac::Key> {
        match self {
            Secret::Vault(key) => key.hmac_key(purpose),
            Secret::Identity(key) => key.hmac_key(purpose),
        }
    }
}

impl From<&VaultKey> for Secret {
    fn from(key: &VaultKey) -> Self {
        Secret::Vault(key.clone())
    }
}

impl From<&IdentityKey> for Secret {
    fn from(key: &IdentityKey) -> Self {
        Secret::Identity(key.clone())
    }
}

impl From<&Secret> for Secret {
    fn from(secret: &Secret) -> Self {
        secret.clone()
    }
}

/// The keys, one for each step, and the log that they are used for. `Debug` shows none.
#[derive(Clone)]
pub struct Proofs {
    hello: hmac::Key,
    server: hmac::Key,
    client: hmac::Key,
    answer: hmac::Key,
    log: [u8; 32],
}

impl Proofs {
    /// Of a secret, for one act on one log. Never `None` ([`VaultKey::hmac_key`]).
    pub fn new(secret: impl Into<Secret>, act: Act, whose: &Whose) -> Option<Self> {
        let secret = secret.into();
        let key = |step| secret.hmac_key(&act.label(step));
        Some(Proofs { hello: key("hello")?, server: key("server")?, client: key("client")?, answer: key("answer")?, log: whose.digest() })
    }

    /// What the asker shows first; it does not say which log is meant.
    pub fn of_hello(&self, asker: &Nonce, at: UnixSeconds) -> String {
        sign(&self.hello, &[asker, &at.0.to_be_bytes()])
    }

    /// Whether that was shown. Takes as long for whatever is shown.
    pub fn is_hello(&self, asker: &Nonce, at: UnixSeconds, shown: &str) -> bool {
        verify(&self.hello, &[asker, &at.0.to_be_bytes()], shown)
    }

    /// What the process shows, which has committed so many seals.
    pub fn of_server(&self, asker: &Nonce, own: &Nonce, tree_size: u64) -> String {
        sign(&self.server, &[asker, own, &tree_size.to_be_bytes(), &self.log])
    }

    /// Whether that was shown. Takes as long for whatever is shown.
    pub fn is_server(&self, asker: &Nonce, (other, tree_size): (&Nonce, u64), shown: &str) -> bool {
        verify(&self.server, &[asker, other, &tree_size.to_be_bytes(), &self.log], shown)
    }

    /// What the asker shows.
    pub fn of_asker(&self, server: &Nonce, request: &[u8]) -> String {
        sign(&self.client, &[server, &self.log, request])
    }

    /// Whether that was shown. Takes as long for whatever is shown.
    pub fn is_asker(&self, server: &Nonce, request: &[u8], shown: &str) -> bool {
        verify(&self.client, &[server, &self.log, request], shown)
    }

    /// What is shown with the answer to a request.
    pub fn of_answer(&self, to: &Question, status: u16, body: &[u8]) -> String {
        sign(&self.answer, &[&to.server, &self.log, &to.request, &status.to_be_bytes(), body])
    }

    /// Whether that was shown. Takes as long for whatever is shown.
    pub fn is_answer(&self, to: &Question, status: u16, body: &[u8], shown: &str) -> bool {
        verify(&self.answer, &[&to.server, &self.log, &to.request, &status.to_be_bytes(), body], shown)
    }
}

/// What an answer is the answer to.
#[derive(Clone, Debug)]
pub struct Question {
    server: Nonce,
    request: [u8; 32],
}

impl Question {
    /// A request that came with these bytes of the process.
    pub fn new(server: Nonce, request: &[u8]) -> Self {
        Question { server, request: Hash::of(request).0 }
    }
}

/// All parts but the last are of a fixed length.
fn sign(key: &hmac::Key, parts: &[&[u8]]) -> String {
    hex::encode(hmac::sign(key, &parts.concat()))
}

fn verify(key: &hmac::Key, parts: &[&[u8]], shown: &str) -> bool {
    hex::decode(shown).is_ok_and(|shown| hmac::verify(key, &parts.concat(), &shown).is_ok())
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proofs").finish_non_exhaustive()
    }
}

/// Why what was shown first counts for nothing, although it is an asker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stale {
    /// Made too long ago, or in the future.
    Time,
    /// Shown before.
    Seen,
    /// Too many askers at once.
    Full,
}

/// What was shown first and is still fresh, with the time at which it is no more.
#[derive(Debug, Default)]
pub(super) struct Hellos(Mutex<BTreeMap<Nonce, i64>>);

impl Hellos {
    /// Takes what an asker has shown, once.
    pub(super) fn take(&self, asker: &Nonce, at: UnixSeconds, now: UnixSeconds) -> Result<(), Stale> {
        if at.0.abs_diff(now.0) > FRESH_SECONDS.unsigned_abs() {
            return Err(Stale::Time);
        }
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= HELLOS_MAX {
            seen.retain(|_, until| *until >= now.0);
        }
        match seen.len() {
            _ if seen.contains_key(asker) => Err(Stale::Seen),
            HELLOS_MAX.. => Err(Stale::Full),
            _ => {
                seen.insert(*asker, at.0.saturating_add(FRESH_SECONDS));
                Ok(())
            }
        }
    }
}

/// The process's random bytes that nobody has used yet.
#[derive(Debug, Default)]
pub(super) struct Open(Mutex<VecDeque<(Nonce, Instant)>>);

impl Open {
    /// Makes some.
    pub(super) fn give(&self) -> Option<Nonce> {
        let nonce = nonce()?;
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN_MAX {
            open.pop_front();
        }
        open.push_back((nonce, Instant::now()));
        Some(nonce)
    }

    /// Uses them up. `false`: they were never given, are used already, or too old.
    pub(super) fn take(&self, nonce: &Nonce) -> bool {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while open.front().is_some_and(|(_, given)| given.elapsed() > LIFE) {
            open.pop_front();
        }
        // They are no secret: it is the proof over them that must not be guessed.
        let at = open.iter().position(|(given, _)| given == nonce);
        at.and_then(|at| open.remove(at)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(store: &str) -> Whose {
        Whose { log: "audit".into(), origin: "example.com/audit".into(), store: store.into(), made: "00".into() }
    }

    #[test]
    fn each_side_is_known_by_the_vault_key_and_by_nothing_that_the_other_showed() {
        let proofs = |key, act, store| Proofs::new(&VaultKey::new(&[key; 32]), act, &whose(store)).unwrap();
        let own = proofs(7, Act::Erase, "file:///a");
        let (asker, server) = (nonce().unwrap(), nonce().unwrap());
        let at = UnixSeconds(1_800_000_000);
        let hello = own.of_hello(&asker, at);
        let shown = own.of_server(&asker, &server, 9);
        let asked = own.of_asker(&server, b"request");
        let question = Question::new(server, b"request");
        let answered = own.of_answer(&question, 200, b"answer");
        assert!(own.is_hello(&asker, at, &hello) && own.is_server(&asker, (&server, 9), &shown));
        assert!(own.is_asker(&server, b"request", &asked) && own.is_answer(&question, 200, b"answer", &answered));
        // Of another key, of another act, of another store.
        let others = [proofs(8, Act::Erase, "file:///a"), proofs(7, Act::Access, "file:///a"), proofs(7, Act::Erase, "file:///b")];
        // Also of the identity key, should it have the same bytes.
        let identity = Proofs::new(&IdentityKey::new([7; 32]), Act::Erase, &whose("file:///a")).unwrap();
        for other in others.into_iter().chain([identity]) {
            assert!(!other.is_server(&asker, (&server, 9), &shown) && !other.is_asker(&server, b"request", &asked));
            assert!(!other.is_answer(&question, 200, b"answer", &answered));
        }
        assert!(!proofs(8, Act::Erase, "file:///a").is_hello(&asker, at, &hello));
        assert!(!proofs(7, Act::Access, "file:///a").is_hello(&asker, at, &hello));
        assert!(proofs(7, Act::Erase, "file:///b").is_hello(&asker, at, &hello), "it is told which log this is not");
        // Of other bytes, or of another request.
        assert!(
            !own.is_hello(&server, at, &hello) && !own.is_hello(&asker, at, "") && !own.is_hello(&asker, UnixSeconds(at.0 + 1), &hello)
        );
        assert!(!own.is_server(&server, (&asker, 9), &shown) && !own.is_server(&nonce().unwrap(), (&server, 9), &shown));
        assert!(!own.is_server(&asker, (&server, 8), &shown), "nor of another size");
        assert!(!own.is_server(&asker, (&server, 9), ""));
        assert!(!own.is_asker(&server, b"another", &asked) && !own.is_asker(&asker, b"request", &asked));
        assert!(!own.is_asker(&server, b"request", "00"));
        for (question, status, body) in [
            (question.clone(), 400, b"answer".as_slice()),
            (question.clone(), 200, b"another"),
            (Question::new(asker, b"request"), 200, b"answer"),
            (Question::new(server, b"another"), 200, b"answer"),
        ] {
            assert!(!own.is_answer(&question, status, body, &answered), "{status} {body:?}");
        }
        // The same bytes, each under the other's key.
        assert!(!own.is_asker(&asker, &server, &shown) && !own.is_server(&server, (&asker, 9), &own.of_asker(&server, &asker)));
        assert!(!own.is_answer(
            &question,
            200,
            b"answer",
            &sign(&own.client, &[&server, &own.log, &question.request, &[0, 200], b"answer"])
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn random_bytes_are_good_once_soon_and_not_without_end() {
        let open = Open::default();
        let nonce = open.give().unwrap();
        assert!(!open.take(&[0; 32]) && open.take(&nonce) && !open.take(&nonce));
        let (old, late) = (open.give().unwrap(), open.give().unwrap());
        tokio::time::advance(LIFE).await;
        assert!(open.take(&old));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!open.take(&late));
        let first = open.give().unwrap();
        let second = open.give().unwrap();
        let given = (2..=OPEN_MAX).filter_map(|_| open.give()).count();
        assert_eq!(given, OPEN_MAX - 1);
        assert!(!open.take(&first) && open.take(&second), "the oldest made room");
    }

    /// Guarantee: what an asker shows first is good for a while, and once, and never more is remembered than there is room for.
    #[test]
    fn a_hello_is_good_once_and_soon() {
        let (hellos, now) = (Hellos::default(), UnixSeconds(1_800_000_000));
        let at = |off: i64| UnixSeconds(now.0 + off);
        for (n, (off, taken)) in
            [(0, Ok(())), (-60, Ok(())), (60, Ok(())), (-61, Err(Stale::Time)), (61, Err(Stale::Time))].into_iter().enumerate()
        {
            assert_eq!(hellos.take(&[n as u8; 32], at(off), now), taken, "{off}");
            assert_eq!(hellos.take(&[n as u8; 32], at(off), now), Err(taken.err().unwrap_or(Stale::Seen)), "{off}");
        }
        assert_eq!(hellos.take(&[2; 32], at(60), at(120)), Err(Stale::Seen), "as long as it is fresh");
        let many = |from: u32, now: UnixSeconds| {
            (from..from + HELLOS_MAX as u32)
                .filter(|n| hellos.take(&[n.to_be_bytes(); 8].concat().try_into().unwrap(), now, now).is_ok())
                .count()
        };
        assert_eq!(many(0x0100_0000, now), HELLOS_MAX - 3);
        assert_eq!(hellos.take(&[9; 32], now, now), Err(Stale::Full));
        assert_eq!(many(0x0200_0000, at(121)), HELLOS_MAX, "what is not fresh any more makes room");
    }
}
