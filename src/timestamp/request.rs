//! What an authority is asked, and what it answers (RFC 3161 sections 2.4.1 and 2.4.2).

use der::Tag;

use super::asn1::{Items, malformed, small};
use super::{TOKEN_BYTES_MAX, TokenError};
use crate::tlog::Hash;

/// Longest text of a refusal that is told, characters.
const REASON_CHARS_MAX: usize = 200;

/// A number that an answer must repeat, so that it is no older one. 62 bits of it are random.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce([u8; 8]);

impl Nonce {
    /// Makes one of random bytes: positive and eight bytes long, so that its DER has one length.
    pub fn new(mut random: [u8; 8]) -> Self {
        let [first, ..] = &mut random;
        *first = *first & 0x3f | 0x40;
        Nonce(random)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// `TimeStampReq` for a SHA-256, with the authority's certificates asked for.
pub fn request(over: Hash, nonce: &Nonce) -> Vec<u8> {
    // Nothing in it has more than one length, so it is written down whole:
    // SEQUENCE { INTEGER 1, SEQUENCE { SEQUENCE { sha256, NULL }, OCTET STRING }, INTEGER nonce, BOOLEAN TRUE }.
    let mut out = vec![0x30, 67, 2, 1, 1, 0x30, 49, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 32];
    out.extend(over.0);
    out.extend([2, 8]);
    out.extend(nonce.0);
    out.extend([1, 1, 0xff]);
    out
}

/// An authority's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Granted, with or without modifications: a token, which nobody has verified yet.
    Token(Vec<u8>),
    /// Refused.
    Refused {
        /// `PKIStatus`.
        status: u64,
        /// Its words, without control characters, and the bits of `failInfo`.
        reason: String,
    },
}

/// Reads a `TimeStampResp`.
pub fn read_reply(bytes: &[u8]) -> Result<Reply, TokenError> {
    const WHAT: &str = "TimeStampResp";
    if bytes.len() > TOKEN_BYTES_MAX {
        return Err(malformed(WHAT, format_args!("{} bytes", bytes.len())));
    }
    let mut outer = Items::new(bytes, WHAT)?;
    let mut items = outer.sequence(WHAT)?;
    outer.end()?;
    let mut info = items.sequence("PKIStatusInfo")?;
    let status = small(info.integer()?, "PKIStatusInfo")?;
    let mut said = Vec::new();
    if let Some(texts) = info.optional(Tag::Sequence)? {
        let mut texts = texts.items("statusString")?;
        while !texts.is_empty() {
            said.push(String::from_utf8_lossy(texts.expect(Tag::Utf8String)?.value).into_owned());
        }
    }
    if let Some(bits) = info.optional(Tag::BitString)? {
        said.push(failures(bits.value));
    }
    info.end()?;
    let token = if items.is_empty() { None } else { Some(items.expect(Tag::Sequence)?.whole) };
    items.end()?;
    match (status, token) {
        // granted, grantedWithMods.
        (0 | 1, Some(token)) => Ok(Reply::Token(token.to_vec())),
        (0 | 1, None) => Err(malformed(WHAT, "granted, without a token")),
        (status, None) => {
            let reason: String = said.join("; ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_CHARS_MAX).collect();
            Ok(Reply::Refused { status, reason: if reason.is_empty() { "no reason given".to_owned() } else { reason } })
        }
        (_, Some(_)) => Err(malformed(WHAT, "refused, with a token")),
    }
}

/// `PKIFailureInfo` in words.
fn failures(bits: &[u8]) -> String {
    let known = [
        (0_usize, "badAlg"),
        (2, "badRequest"),
        (5, "badDataFormat"),
        (14, "timeNotAvailable"),
        (15, "unacceptedPolicy"),
        (16, "unacceptedExtension"),
        (17, "addInfoNotAvailable"),
        (25, "systemFailure"),
    ];
    let data = bits.split_first().map_or(&[][..], |(_, data)| data);
    let is_set = |bit: usize| data.get(bit / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0);
    let words: Vec<&str> = known.iter().filter(|(bit, _)| is_set(*bit)).map(|(_, word)| *word).collect();
    if words.is_empty() { "a failure that is not named".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values by `openssl asn1parse` of what `openssl ts -query -digest 000102... -sha256 -cert` writes, but for the nonce.
    #[test]
    fn a_request_is_the_one_that_others_write() {
        let over: [u8; 32] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        let request = request(Hash(over), &Nonce::new([0xff; 8]));
        let expected = "3043020101303130\
                        0d060960864801650304020105000420\
                        000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\
                        02087fffffffffffffff0101ff";
        assert_eq!(hex::encode(request), expected);
        assert_eq!(Nonce::new([0; 8]).as_bytes(), [0x40, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn refusals_are_told_and_contradictions_refused() {
        let refused = |bytes: &[u8]| read_reply(bytes);
        let status = [0x30, 5, 0x30, 3, 2, 1, 2];
        assert_eq!(refused(&status), Ok(Reply::Refused { status: 2, reason: "no reason given".into() }));
        // Text "a\nb", failInfo badAlg.
        let told = [0x30, 16, 0x30, 14, 2, 1, 2, 0x30, 5, 0x0c, 3, b'a', b'\n', b'b', 3, 2, 7, 0x80];
        assert_eq!(refused(&told), Ok(Reply::Refused { status: 2, reason: "a b; badAlg".into() }));
        for bad in [
            &[0x30, 5, 0x30, 3, 2, 1, 0][..],
            &[0x30, 7, 0x30, 3, 2, 1, 2, 0x30, 0],
            &[],
            &[0x30, 5, 0x30, 3, 2, 1, 2, 0],
            &[0x30, 9, 0x30, 3, 2, 1, 0, 0x30, 0, 5, 0],
        ] {
            assert!(matches!(refused(bad), Err(TokenError::Malformed(_))), "{bad:?}");
        }
    }
}
