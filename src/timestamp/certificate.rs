//! Certificates of authorities, and the roots that whoever asks brings. Paths and signatures are judged by `webpki`, as for TLS; its
//! cryptography is ring's.

use std::fmt;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{TokenError, Trust};
use crate::clock::{UnixNanos, UnixSeconds};

/// `id-kp-timeStamping`, 1.3.6.1.5.5.7.3.8.
const TIMESTAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];
/// A list of this one purpose: all that the extension may hold.
const ONLY_TIMESTAMPING: &[u8] = &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8];
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const KEY_USAGE: &str = "2.5.29.15";
const KEY_ID: &str = "2.5.29.14";
/// Longest name that is told, characters.
const NAME_CHARS_MAX: usize = 200;
/// Most roots in one file.
const ROOTS_MAX: usize = 1000;

/// A certificate that was read.
pub(super) struct Certificate<'a> {
    der: CertificateDer<'a>,
    raw: &'a [u8],
    parsed: X509Certificate<'a>,
}

impl<'a> Certificate<'a> {
    pub(super) fn parse(raw: &'a [u8]) -> Result<Self, TokenError> {
        let wrong = |e: &dyn fmt::Display| TokenError::Malformed(format!("certificate: {e}"));
        let (rest, parsed) = X509Certificate::from_der(raw).map_err(|e| wrong(&e))?;
        if !rest.is_empty() {
            return Err(wrong(&"something follows its end"));
        }
        Ok(Certificate { der: CertificateDer::from(raw), raw, parsed })
    }

    pub(super) fn der(&self) -> &'a [u8] {
        self.raw
    }

    /// DER of the issuer's name, with its tag.
    pub(super) fn issuer(&self) -> &[u8] {
        self.parsed.issuer().as_raw()
    }

    pub(super) fn serial(&self) -> &'a [u8] {
        self.parsed.tbs_certificate.raw_serial()
    }

    /// Subject key identifier.
    pub(super) fn key_id(&self) -> Option<&[u8]> {
        let value = self.extension(KEY_ID)?.1;
        // An OCTET STRING of fewer than 128 bytes.
        match value {
            [4, length, id @ ..] if usize::from(*length) == id.len() && *length < 0x80 => Some(id),
            _ => None,
        }
    }

    /// Whether an extension is critical, and its value.
    fn extension(&self, oid: &str) -> Option<(bool, &'a [u8])> {
        self.parsed.extensions().iter().find(|e| e.oid.to_id_string() == oid).map(|e| (e.critical, e.value))
    }

    /// Its subject for a reader.
    pub(super) fn subject(&self) -> String {
        name(&self.parsed.subject().to_string())
    }

    fn expires(&self) -> UnixSeconds {
        UnixSeconds(self.parsed.validity().not_after.timestamp())
    }

    /// RFC 3161 section 2.3: nothing but time stamps may be signed with its key, and a reader that does not know the extension refuses it.
    pub(super) fn expect_timestamping(&self) -> Result<(), TokenError> {
        match self.extension(EXTENDED_KEY_USAGE) {
            Some((true, ONLY_TIMESTAMPING)) => {}
            Some((false, ONLY_TIMESTAMPING)) => {
                return Err(TokenError::Unsound("the extended key usage of its certificate is not critical".to_owned()));
            }
            _ => return Err(TokenError::Unsound("its certificate is not for time stamps, and for nothing else".to_owned())),
        }
        // digitalSignature is the first bit of the BIT STRING, nonRepudiation the second (RFC 5280 section 4.2.1.3).
        let signs = match self.extension(KEY_USAGE) {
            None => true,
            Some((_, [3, _, _, bits, ..])) => bits & 0xc0 != 0,
            Some(_) => false,
        };
        if signs { Ok(()) } else { Err(TokenError::Unsound("its certificate is not for signatures".to_owned())) }
    }

    /// Checks a signature in any of these ways.
    pub(super) fn verify(
        &self,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        let key = EndEntityCert::try_from(&self.der).map_err(|e| TokenError::Unsupported(format!("its certificate: {e}")))?;
        let mut fits = false;
        for algorithm in algorithms {
            match key.verify_signature(*algorithm, message, signature) {
                Ok(()) => return Ok(()),
                Err(webpki::Error::InvalidSignatureForPublicKey) => fits = true,
                Err(_) => {}
            }
        }
        Err(match fits {
            true => TokenError::Unsound("its signature is not by its certificate".to_owned()),
            false => TokenError::Unsupported(
                "its certificate has a key of a kind that its signature does not name, or that is not known".to_owned(),
            ),
        })
    }
}

/// A name cut to a line: a certificate holds what somebody wrote there.
fn name(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(NAME_CHARS_MAX).collect();
    if clean.trim().is_empty() { "no name".to_owned() } else { clean }
}

/// Whether a signer is trusted, and until when its certificates hold.
pub(super) struct Path {
    pub(super) trust: Trust,
    pub(super) expires: UnixSeconds,
}

/// Why a path was refused. What `webpki` itself prints are names of its own code, which say nothing to an auditor.
fn in_words(error: &webpki::Error) -> String {
    use webpki::Error as E;
    let date = |at: &UnixTime| i64::try_from(at.as_secs()).map_or(UnixSeconds::MAX, UnixSeconds);
    match error {
        E::UnknownIssuer => {
            "nobody of the roots, nor of the certificates that the token brings, issued a certificate on the way".to_owned()
        }
        E::CertExpired { time, not_after } => {
            format!("a certificate on the way ended on {}, before the time of the token, {}", date(not_after), date(time))
        }
        E::CertNotValidYet { time, not_before } => {
            format!("a certificate on the way is valid only from {}, after the time of the token, {}", date(not_before), date(time))
        }
        E::InvalidSignatureForPublicKey | E::SignatureAlgorithmMismatch => {
            "a certificate on the way is not signed by the one that is named as its issuer".to_owned()
        }
        E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => {
            "a certificate on the way may not be used for time stamping, by its own words".to_owned()
        }
        E::CaUsedAsEndEntity | E::EndEntityUsedAsCa => {
            "a certificate on the way is used as one of an authority and is none, or the other way around".to_owned()
        }
        E::NameConstraintViolation | E::PathLenConstraintViolated => {
            "an authority on the way may not issue what it issued, by the words of its own certificate".to_owned()
        }
        E::UnsupportedSignatureAlgorithmContext(_) | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            "a certificate on the way is signed in a manner that this version does not know".to_owned()
        }
        E::UnsupportedCertVersion | E::UnsupportedCriticalExtension => {
            "a certificate on the way demands what this version does not know".to_owned()
        }
        E::MaximumPathBuildCallsExceeded
        | E::MaximumPathDepthExceeded
        | E::MaximumSignatureChecksExceeded
        | E::MaximumNameConstraintComparisonsExceeded => "the way to a root is longer than any that is followed".to_owned(),
        E::CertRevoked | E::UnknownRevocationStatus | E::CertDistrusted => "a certificate on the way was taken back".to_owned(),
        // What is left says in one way or another that its bytes are not as they should be.
        _ => "a certificate on the way is not of the form that certificates have".to_owned(),
    }
}

/// Certificates that whoever asks trusts to name authorities.
#[derive(Clone, Default)]
pub struct Roots {
    anchors: Vec<TrustAnchor<'static>>,
    names: Vec<String>,
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Roots").field(&self.names).finish()
    }
}

impl Roots {
    /// Reads certificates in PEM; anything else in the file is passed over. The error is half a sentence.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let mut roots = Roots::default();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|e| format!("not PEM: {e}"))?;
            let anchor = anchor_from_trusted_cert(&certificate)
                .map_err(|e| format!("a certificate that cannot be used: {}", in_words(&e)))?
                .to_owned();
            let subject =
                X509Certificate::from_der(&certificate).map_or_else(|_| "no name".to_owned(), |(_, c)| name(&c.subject().to_string()));
            roots.anchors.push(anchor);
            roots.names.push(subject);
            if roots.anchors.len() > ROOTS_MAX {
                return Err(format!("more than {ROOTS_MAX} certificates"));
            }
        }
        if roots.is_empty() { Err("no certificate (PEM is expected)".to_owned()) } else { Ok(roots) }
    }

    /// Takes those of another file as well.
    pub fn join(&mut self, other: Roots) {
        self.anchors.extend(other.anchors);
        self.names.extend(other.names);
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// A path from a signer to one of the roots, at the time that the token names.
    pub(super) fn path(&self, signer: &Certificate<'_>, certificates: &[&[u8]], at: UnixNanos) -> Path {
        let mut path = Path { trust: Trust::NoRoots, expires: signer.expires() };
        if self.is_empty() {
            return path;
        }
        let unknown = |why: String| Trust::Unknown { why };
        let between: Vec<CertificateDer<'_>> = certificates.iter().map(|der| CertificateDer::from(*der)).collect();
        let key = match EndEntityCert::try_from(&signer.der) {
            Ok(key) => key,
            Err(error) => return Path { trust: unknown(in_words(&error)), ..path },
        };
        // A fraction of a second does not make a certificate valid.
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at.0 / 1_000_000_000));
        let usage = KeyUsage::required_if_present(TIMESTAMPING);
        match key.verify_for_usage(ALL_VERIFICATION_ALGS, &self.anchors, &between, time, usage, None, None) {
            Ok(verified) => {
                let ends = verified.intermediate_certificates().filter_map(|c| {
                    let der = c.der();
                    let (_, parsed) = X509Certificate::from_der(&der).ok()?;
                    Some(UnixSeconds(parsed.validity().not_after.timestamp()))
                });
                path.expires = ends.fold(path.expires, UnixSeconds::min);
                let at = self.anchors.iter().position(|a| a == verified.anchor());
                let root = at.and_then(|at| self.names.get(at)).cloned().unwrap_or_default();
                path.trust = Trust::Trusted { root };
            }
            Err(error) => path.trust = unknown(in_words(&error)),
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An auditor is told in words, with dates as everywhere, and never in names of code.
    #[test]
    fn why_a_path_is_refused_is_told_in_words() {
        use webpki::Error as E;
        let at = |second: u64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(second));
        for (error, part) in [
            (E::CertExpired { time: at(1_800_000_100), not_after: at(1_800_000_000) }, "ended on 2027-01-15T08:00:00Z, before"),
            (E::CertNotValidYet { time: at(1_800_000_000), not_before: at(1_800_000_100) }, "only from 2027-01-15T08:01:40Z, after"),
            (E::UnknownIssuer, "issued"),
            (E::InvalidSignatureForPublicKey, "not signed by"),
            (E::EmptyEkuExtension, "time stamping"),
            (E::CaUsedAsEndEntity, "an authority and is none"),
            (E::PathLenConstraintViolated, "may not issue"),
            (E::UnsupportedCriticalExtension, "does not know"),
            (E::MaximumPathDepthExceeded, "longer than"),
            (E::CertRevoked, "taken back"),
            (E::BadDer, "not of the form"),
        ] {
            let words = in_words(&error);
            let is_code = |word: &str| word.chars().skip(1).any(|c| c.is_ascii_uppercase()) && !word.starts_with("2027-");
            assert!(words.contains(part) && !words.split(' ').any(is_code), "{error:?}: {words}");
            assert!(!words.contains(&error.to_string()), "{error:?}: {words}");
        }
    }
}
