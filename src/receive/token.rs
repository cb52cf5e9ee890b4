//! Bearer tokens of a listener (RFC 6750): a file of them, one a line.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::listen::ListenError;
use super::tls::read;
use crate::promote::Peer;

type Tag = CtOutput<Hmac<Sha256>>;

/// The tokens that are let in. Holds no token: tags under a key of this process, which also makes the comparison tell nothing by its
/// time.
pub(super) struct Tokens {
    key: Zeroizing<[u8; 32]>,
    tags: Vec<(Tag, Arc<Peer>)>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("tokens", &self.tags.len()).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Reads a token file: lines `name:token` (the name becomes the peer's id) or a bare token, whose peer is `token`. Empty lines and
    /// lines that begin with `#` do not count.
    pub(super) fn load(path: &Path) -> Result<Self, ListenError> {
        let useless = |what: &str| ListenError::Useless { path: path.to_owned(), what: what.to_owned() };
        let text = Zeroizing::new(read(path, "token file", "auth.token_file")?);
        let text = std::str::from_utf8(&text).map_err(|_| useless("is not text; it must hold one token a line"))?;
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice()).map_err(|_| useless("cannot be used: the system has no randomness"))?;
        let mut tokens = Tokens { key, tags: Vec::new() };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, token) = line.split_once(':').map_or(("token", line), |(name, token)| (name.trim(), token.trim()));
            if name.is_empty() || token.is_empty() {
                return Err(useless("has a line with an empty name or token; write `name:token`"));
            }
            let tag = tokens.tag(token.as_bytes()).ok_or_else(|| useless("cannot be used"))?;
            tokens.tags.push((tag, Arc::new(Peer { id: name.to_owned(), method: "token" })));
        }
        if tokens.tags.is_empty() { Err(useless("names no token, so nobody could be let in")) } else { Ok(tokens) }
    }

    /// Who the `Authorization` header proves the sender to be.
    pub(super) fn peer(&self, headers: &HeaderMap) -> Option<Arc<Peer>> {
        let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let presented = self.tag(token.trim().as_bytes())?;
        // Every tag is compared, so that the time does not tell which one matched.
        self.tags.iter().fold(None, |found, (tag, peer)| if *tag == presented { Some(Arc::clone(peer)) } else { found })
    }

    fn tag(&self, token: &[u8]) -> Option<Tag> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_slice()).ok()?;
        mac.update(token);
        Some(mac.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn load(text: &str) -> Result<Tokens, ListenError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Tokens::load(file.path())
    }

    fn id(tokens: &Tokens, header: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        tokens.peer(&headers).map(|peer| peer.id.clone())
    }

    #[test]
    fn names_and_bare_tokens_are_told_apart() {
        let tokens = load("# agents\n\nbilling: s3cret \nbare-one\n").unwrap();
        assert_eq!(id(&tokens, "Bearer s3cret").as_deref(), Some("billing"));
        assert_eq!(id(&tokens, "bearer bare-one").as_deref(), Some("token"));
        for wrong in ["Bearer s3cre", "Bearer s3cret2", "Bearer billing", "Bearer ", "Basic s3cret", "s3cret", "Bearer # agents"] {
            assert_eq!(id(&tokens, wrong), None, "{wrong}");
        }
        assert_eq!(tokens.peer(&HeaderMap::new()), None);
        assert!(!format!("{tokens:?}").contains("s3cret"));
    }

    #[test]
    fn a_file_that_lets_nobody_in_is_refused() {
        for text in ["", "# only\n", "a:\n", ":b\n"] {
            assert!(matches!(load(text), Err(ListenError::Useless { .. })), "{text:?}");
        }
        assert!(Tokens::load(Path::new("/nonexistent/tokens")).unwrap_err().to_string().contains("token file `/nonexistent/tokens`"));
    }
}
