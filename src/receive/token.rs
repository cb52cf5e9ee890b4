//! Bearer tokens of a listener (RFC 6750): a file of them or of their SHA-256, one a line.
//!
//! A token of our own making ([`generate`]) has 256 random bits, so that its hash tells nothing of it, and a plain hash is enough: whoever reads the
//! file, or a backup of it, gets in nowhere.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hmac::digest::CtOutput;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::listen::ListenError;
use super::tls::read;
use crate::promote::Peer;

type Tag = CtOutput<Hmac<Sha256>>;

/// How many tokens of a file stand there as they are, so that whoever reads it has them; the others are hashes, which tell nothing.
/// `None`: it is no token file.
pub fn plain_tokens(path: &Path) -> Option<usize> {
    Tokens::load(path).ok().map(|tokens| tokens.plain)
}

/// What stands before the hash of a token.
const HASHED: &str = "sha256:";
const TOKEN_BYTES: usize = 32;

/// Makes a token, and the line of a token file that lets its holder in under this name. `None`: the system has no randomness.
pub fn generate(name: &str) -> Option<(Zeroizing<String>, String)> {
    let mut random = Zeroizing::new([0; TOKEN_BYTES]);
    getrandom::fill(random.as_mut_slice()).ok()?;
    let token = Zeroizing::new(hex::encode(random.as_slice()));
    let line = format!("{name}:{HASHED}{}", hex::encode(Sha256::digest(token.as_bytes())));
    Some((token, line))
}

/// The SHA-256 that a line states; `None`: it states none.
fn parse_hashed(token: &str) -> Option<Option<[u8; 32]>> {
    let stated = token.strip_prefix(HASHED)?;
    let mut hash = [0; 32];
    Some(hex::decode_to_slice(stated, &mut hash).ok().map(|()| hash))
}

/// The tokens that are let in. Holds no token: tags under a key of this process, which also makes the comparison tell nothing by its
/// time.
pub(super) struct Tokens {
    key: Zeroizing<[u8; 32]>,
    tags: Vec<(Tag, Arc<Peer>)>,
    /// How many stand in the file as they are.
    pub(super) plain: usize,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("tokens", &self.tags.len()).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Reads a token file: lines `name:sha256:<hex>` or `name:token` (the name becomes the peer's id), or without a name, whose peer is `token`. Empty
    /// lines and lines that begin with `#` do not count.
    pub(super) fn load(path: &Path) -> Result<Self, ListenError> {
        let useless = |what: &str| ListenError::Useless { path: path.to_owned(), what: what.to_owned() };
        let text = Zeroizing::new(read(path, "token file", "auth.token_file")?);
        let text = std::str::from_utf8(&text).map_err(|_| useless("is not text; it must hold one token a line"))?;
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice()).map_err(|_| useless("cannot be used: the system has no randomness"))?;
        let mut tokens = Tokens { key, tags: Vec::new(), plain: 0 };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let unnamed = ("token", line);
            let (name, token) = match line.split_once(':') {
                Some((name, token)) if !line.starts_with(HASHED) => (name.trim(), token.trim()),
                _ => unnamed,
            };
            if name.is_empty() || token.is_empty() {
                return Err(useless("has a line with an empty name or token; write `name:token`"));
            }
            let hash = match parse_hashed(token) {
                Some(hash) => hash.ok_or_else(|| useless("has a line whose hash is none: 64 hexadecimal digits follow `sha256:`"))?,
                None => {
                    tokens.plain += 1;
                    Sha256::digest(token.as_bytes()).into()
                }
            };
            let tag = tokens.tag(&hash).ok_or_else(|| useless("cannot be used"))?;
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
        let presented = self.tag(&Sha256::digest(token.trim().as_bytes()).into())?;
        // Every tag is compared, so that the time does not tell which one matched.
        self.tags.iter().fold(None, |found, (tag, peer)| if *tag == presented { Some(Arc::clone(peer)) } else { found })
    }

    fn tag(&self, hash: &[u8; 32]) -> Option<Tag> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.as_slice()).ok()?;
        mac.update(hash);
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

    /// Guarantee: a token that was made lets its holder in, under its name and without one; what stands in the file does not, whatever of it is shown.
    #[test]
    fn a_hash_lets_in_who_has_its_token() {
        let (token, line) = generate("billing").unwrap();
        let (other, _) = generate("billing").unwrap();
        assert!(token.len() == 64 && *token != *other && !line.contains(token.as_str()), "{line}");
        let hash = line.strip_prefix("billing:").unwrap();
        let tokens = load(&format!("{line}\n")).unwrap();
        assert_eq!((id(&tokens, &format!("Bearer {}", token.as_str())).as_deref(), tokens.plain), (Some("billing"), 0));
        for wrong in [other.as_str(), hash, line.as_str(), hash.strip_prefix("sha256:").unwrap()] {
            assert_eq!(id(&tokens, &format!("Bearer {wrong}")), None, "{wrong}");
        }
        assert_eq!(id(&load(hash).unwrap(), &format!("Bearer {}", token.as_str())).as_deref(), Some("token"));
        assert_eq!(load(&format!("{line}\nagents:s3cret\n")).unwrap().plain, 1);
    }

    #[test]
    fn a_file_that_lets_nobody_in_is_refused() {
        for text in ["", "# only\n", "a:\n", ":b\n", "a:sha256:00\n", "sha256:\n", "a:sha256:zz\n"] {
            assert!(matches!(load(text), Err(ListenError::Useless { .. })), "{text:?}");
        }
        assert!(Tokens::load(Path::new("/nonexistent/tokens")).unwrap_err().to_string().contains("token file `/nonexistent/tokens`"));
    }
}
