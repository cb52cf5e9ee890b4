//! How an asker and the process that writes the log know each other, both by the vault key, over a port that anybody on the machine may have
//! taken.
//!
//! 1. The asker gets the act's path with 32 random bytes. The process answers with 32 of its own and a proof: an HMAC-SHA-256 over both.
//! 2. Only an asker that finds the proof right says what it wants, with an HMAC over the process's bytes and the request.
//!
//! Each HMAC has a key of its own, derived from the vault key for each act, so neither side's proof is good for the other's nor for another
//! act, and nothing that was shown is good a second time: the process's bytes are taken once, and soon. All are written in lower-case hex.
//!
//! KNOWN GAP: who takes the port, and can reach the process elsewhere, may pass everything on and read it on its way. Beyond this machine
//! TLS is asked for; on it, that takes a port that was configured for `serve`, and a `serve` that listens on another.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ring::hmac;
use tokio::time::Instant;

use crate::vault::VaultKey;

/// Header of random bytes: the asker's own with the first request, the process's with the second.
pub const NONCE: &str = "spanseal-nonce";
/// Header of the asker's proof.
pub const PROOF: &str = "spanseal-proof";

const NONCE_BYTES: usize = 32;
/// Random bytes, used once.
pub type Nonce = [u8; NONCE_BYTES];

/// How long an answer to the first request is good for: the second follows at once.
const LIFE: Duration = Duration::from_secs(30);
/// Answers that are good at a time, 64 KiB in all. The oldest go first: a flood of first requests makes askers ask again.
const OPEN_MAX: usize = 1024;

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

/// What a holder of the vault key may ask the log's writer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Take a person, or what was said, out of the vault.
    Erase,
    /// Write into the log that somebody reads what the vault keeps.
    Access,
}

impl Act {
    /// Where it is asked for.
    pub const fn path(self) -> &'static str {
        match self {
            Act::Erase => "/erase",
            Act::Access => "/access",
        }
    }

    /// What the keys of the proofs are derived with, the asked one's first.
    const fn labels(self) -> (&'static str, &'static str) {
        match self {
            Act::Erase => ("spanseal erase server/1", "spanseal erase client/1"),
            Act::Access => ("spanseal access server/1", "spanseal access client/1"),
        }
    }
}

/// The two keys. `Debug` shows none.
#[derive(Clone)]
pub struct Proofs {
    server: hmac::Key,
    client: hmac::Key,
}

impl Proofs {
    /// Of a vault, for one act. Never `None` ([`VaultKey::hmac_key`]).
    pub fn new(key: &VaultKey, act: Act) -> Option<Self> {
        let (server, client) = act.labels();
        Some(Proofs { server: key.hmac_key(server)?, client: key.hmac_key(client)? })
    }

    /// What the process shows.
    pub fn of_server(&self, asker: &Nonce, own: &Nonce) -> String {
        hex::encode(hmac::sign(&self.server, &[*asker, *own].concat()))
    }

    /// Whether that was shown. Takes as long for whatever is shown.
    pub fn is_server(&self, asker: &Nonce, other: &Nonce, shown: &str) -> bool {
        hex::decode(shown).is_ok_and(|shown| hmac::verify(&self.server, &[*asker, *other].concat(), &shown).is_ok())
    }

    /// What the asker shows.
    pub fn of_asker(&self, server: &Nonce, request: &[u8]) -> String {
        hex::encode(hmac::sign(&self.client, &[server.as_slice(), request].concat()))
    }

    /// Whether that was shown. Takes as long for whatever is shown.
    pub fn is_asker(&self, server: &Nonce, request: &[u8], shown: &str) -> bool {
        hex::decode(shown).is_ok_and(|shown| hmac::verify(&self.client, &[server.as_slice(), request].concat(), &shown).is_ok())
    }
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proofs").finish_non_exhaustive()
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

    #[test]
    fn each_side_is_known_by_the_vault_key_and_by_nothing_that_the_other_showed() {
        let [own, other] = [7, 8].map(|n| Proofs::new(&VaultKey::new(&[n; 32]), Act::Erase).unwrap());
        let (asker, server) = (nonce().unwrap(), nonce().unwrap());
        let shown = own.of_server(&asker, &server);
        assert!(own.is_server(&asker, &server, &shown));
        assert!(!own.is_server(&server, &asker, &shown) && !own.is_server(&nonce().unwrap(), &server, &shown));
        assert!(!other.is_server(&asker, &server, &shown) && !own.is_server(&asker, &server, ""));
        let asked = own.of_asker(&server, b"request");
        assert!(own.is_asker(&server, b"request", &asked));
        assert!(!own.is_asker(&server, b"another", &asked) && !own.is_asker(&asker, b"request", &asked));
        assert!(!other.is_asker(&server, b"request", &asked) && !own.is_asker(&server, b"request", "00"));
        // A proof for one act is none for another.
        let reading = Proofs::new(&VaultKey::new(&[7; 32]), Act::Access).unwrap();
        assert!(!reading.is_server(&asker, &server, &shown) && !reading.is_asker(&server, b"request", &asked));
        // The same bytes, each under the other's key.
        assert!(!own.is_asker(&asker, &server, &shown) && !own.is_server(&server, &asker, &own.of_asker(&server, &asker)));
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
}
