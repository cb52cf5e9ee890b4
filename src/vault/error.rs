//! Why the vault could not do what it was asked to.

use crate::plain::shown;
use crate::worm::{OpenError, PutError, ReadError};

/// Each says what, which object, and what to do now. Never a person, never content.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The place where it lies did not do it.
    #[error("the vault could not {doing} `{key}`: {reason}")]
    Place {
        /// `write`, `read`, `list` or `delete`.
        doing: &'static str,
        /// Which object or prefix.
        key: String,
        /// The store's words.
        reason: String,
        /// Whether asking again may help.
        passing: bool,
    },
    /// The place itself cannot be opened.
    #[error("content.vault.url: {0}")]
    Open(#[from] OpenError),
    /// The place is not one that a vault may lie in.
    #[error("{0}")]
    Refused(String),
    /// An object is not what was written there.
    #[error("vault object `{key}`: {what}")]
    Damaged {
        /// Which object.
        key: String,
        /// What is wrong.
        what: String,
    },
    /// An object was written under another key.
    #[error(
        "vault object `{key}` was encrypted with vault key {found}, and `content.vault.key_file` holds key {own}: bring the right key file \
         back from where it is backed up, or let `content.vault.url` name another place"
    )]
    OtherKey {
        /// Which object.
        key: String,
        /// Id of the key that it needs.
        found: String,
        /// Id of the key at hand.
        own: String,
    },
    /// The folder of this log in the vault belongs to another log.
    #[error(
        "the vault {url} keeps a log `{log}` already, and it is another one (its key is {found}): let `content.vault.url` name another place, \
         or choose another `log.name`"
    )]
    OtherLog {
        /// Where.
        url: String,
        /// Name of the log.
        log: String,
        /// Whose it is.
        found: String,
    },
    /// An object says that it is of another log; nothing is done by it.
    #[error(
        "vault object `{key}` opens and is of {found}, not of this log: somebody copied it from another vault. Nothing of it is believed and \
         nothing is erased by it; take it away"
    )]
    OtherOwner {
        /// Which object.
        key: String,
        /// Of which log, in words.
        found: String,
    },
    /// The system has none.
    #[error("the system has no randomness to give")]
    Randomness,
}

impl VaultError {
    pub(super) fn damaged(key: impl ToString, what: impl Into<String>) -> Self {
        VaultError::Damaged { key: shown(&key.to_string()), what: what.into() }
    }

    pub(super) fn of_put(doing: &'static str, error: PutError) -> Self {
        // An unknown outcome may be asked for again: what is written or deleted twice is as if it were once.
        let passing = error.is_retryable();
        match error {
            PutError::Refused { key, reason } | PutError::NotStored { key, reason } | PutError::Unknown { key, reason } => {
                VaultError::Place { doing, key: shown(&key.0), reason, passing }
            }
            PutError::Exists { ref key } | PutError::LockNotKept { ref key, .. } => {
                VaultError::Place { doing, key: shown(&key.0), reason: error.to_string(), passing }
            }
        }
    }

    pub(super) fn of_read(doing: &'static str, error: ReadError) -> Self {
        let passing = error.is_retryable();
        match error {
            ReadError::Refused { key, reason } | ReadError::Unavailable { key, reason } => {
                VaultError::Place { doing, key: shown(&key), reason, passing }
            }
            // No pack, person or list of ours: whoever put it there, asking again does not help.
            ReadError::TooLarge { key, size, limit } => {
                VaultError::damaged(key, format!("it has {size} bytes, and nothing of more than {limit} is written there: take it away"))
            }
        }
    }

    /// Says why anything is deleted where something was to be written.
    pub(super) fn of_leftovers(mut self) -> Self {
        if let VaultError::Place { doing, .. } = &mut self {
            *doing = "take back what an attempt that failed has left,";
        }
        self
    }

    /// What is wrong is this one object, and stays wrong: what others hold can be told all the same.
    pub fn is_of_one_object(&self) -> bool {
        matches!(self, VaultError::Damaged { .. } | VaultError::OtherKey { .. } | VaultError::Place { doing: "read", passing: false, .. })
    }

    /// What lies there is not what was put there, or cannot be opened: no permission and no answer would change that.
    pub fn is_damage(&self) -> bool {
        matches!(self, VaultError::Damaged { .. } | VaultError::OtherKey { .. })
    }

    /// The same may be tried again.
    pub fn is_retryable(&self) -> bool {
        matches!(self, VaultError::Place { passing: true, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_no_object_of_ours() {
        let error = VaultError::of_read("read", ReadError::TooLarge { key: "packs/1".into(), size: 9, limit: 8 });
        assert!(error.is_damage() && error.is_of_one_object() && !error.is_retryable(), "{error}");
        assert_eq!(error.to_string(), "vault object `packs/1`: it has 9 bytes, and nothing of more than 8 is written there: take it away");
    }

    #[test]
    fn names_are_shown_without_what_a_terminal_obeys() {
        let error = VaultError::damaged("log/persons/a\u{1b}[2Jb\u{202e}c", "it is damaged").to_string();
        assert!(error.contains("a\\u{1b}[2Jb\\u{202e}c") && !error.chars().any(char::is_control), "{error}");
        let read = ReadError::Refused { key: "x\n".into(), reason: "no".into() };
        assert!(!VaultError::of_read("read", read).to_string().contains('\n'));
    }
}
