//! `SignedData` with one signer (RFC 5652 section 5), as a time stamp token is one.

use der::Tag;
use der::asn1::ObjectIdentifier;
use ring::digest;
use rustls::pki_types::SignatureVerificationAlgorithm;

use super::asn1::{Algorithm, Item, Items, algorithm, context, context_primitive, malformed, small};
use super::certificate::Certificate;
use super::info::SHA256;
use super::{TOKEN_BYTES_MAX, TokenError};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
/// Says nothing of the hash, which then is that of `digestAlgorithm` (RFC 3370 section 3.2).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Most certificates in a token: a signer, six between it and the root, and what authorities add for other roots.
const CERTIFICATES_MAX: usize = 16;
/// Most signed attributes.
const ATTRIBUTES_MAX: usize = 32;

/// Who signed, as the token names it.
enum SignerId<'a> {
    /// Issuer (with its tag) and serial number.
    Issued(&'a [u8], &'a [u8]),
    /// Subject key identifier.
    Key(&'a [u8]),
}

/// A token taken apart; nothing is verified yet but its form.
pub(super) struct Signed<'a> {
    /// DER of `TSTInfo`.
    pub(super) content: &'a [u8],
    /// DER of each certificate.
    pub(super) certificates: Vec<&'a [u8]>,
    signer_id: SignerId<'a>,
    digest: Algorithm<'a>,
    /// Contents of the set, without its tag.
    attributes: &'a [u8],
    message_digest: &'a [u8],
    /// Values of `signingCertificate` and `signingCertificateV2`.
    named: [Option<Item<'a>>; 2],
    signature_algorithm: Algorithm<'a>,
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(super) fn parse(token: &'a [u8]) -> Result<Self, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(malformed("token", format_args!("{} bytes, and one has at most {TOKEN_BYTES_MAX}", token.len())));
        }
        let mut outer = Items::new(token, "ContentInfo")?;
        let mut info = outer.sequence("ContentInfo")?;
        outer.end()?;
        if info.oid()? != SIGNED_DATA {
            return Err(malformed("ContentInfo", "it is not SignedData"));
        }
        let mut explicit = info.expect(context(0))?.items("SignedData")?;
        info.end()?;
        let mut data = explicit.sequence("SignedData")?;
        explicit.end()?;
        if small(data.integer()?, "SignedData")? != 3 {
            return Err(malformed("SignedData", "another version than 3"));
        }
        let digests = data.expect(Tag::Set)?;
        let content = content(&mut data)?;
        let certificates = data.optional(context(0))?.map(certificates).transpose()?.unwrap_or_default();
        if data.optional(context(1))?.is_some() {
            return Err(TokenError::Unsupported("it holds revocation lists, which no signature of it covers".to_owned()));
        }
        let mut signers = data.expect(Tag::Set)?.items("signerInfos")?;
        data.end()?;
        let mut signer = signers.sequence("SignerInfo")?;
        if !signers.is_empty() {
            return Err(malformed("signerInfos", "more than one signer"));
        }

        let version = small(signer.integer()?, "SignerInfo")?;
        let signer_id = match (version, signer.any()?) {
            (1, item) if item.tag == Tag::Sequence => {
                let mut issued = item.items("issuerAndSerialNumber")?;
                let id = SignerId::Issued(issued.expect(Tag::Sequence)?.whole, issued.integer()?);
                issued.end()?;
                id
            }
            (3, item) if item.tag == context_primitive(0) => SignerId::Key(item.value),
            _ => return Err(malformed("SignerInfo", "version and signer identifier do not fit")),
        };
        let digest_item = signer.expect(Tag::Sequence)?;
        if digests.value != digest_item.whole {
            return Err(malformed("SignedData", "digestAlgorithms are not just the signer's"));
        }
        let digest = algorithm(&mut Items::new(digest_item.whole, "digestAlgorithm")?, "digestAlgorithm")?;
        let attributes = signer.expect(context(0))?;
        let signature_algorithm = algorithm(&mut signer, "signatureAlgorithm")?;
        let signature = signer.expect(Tag::OctetString)?.value;
        if signer.optional(context(1))?.is_some() {
            return Err(TokenError::Unsupported("it has unsigned attributes, which no signature covers".to_owned()));
        }
        signer.end()?;

        let [content_type, message_digest, v1, v2] = signed_attributes(attributes)?;
        let content_type = content_type.ok_or_else(|| malformed("signedAttrs", "no contentType"))?;
        if content_type.tag != Tag::ObjectIdentifier || content_type.value != TST_INFO.as_bytes() {
            return Err(malformed("signedAttrs", "contentType is not id-ct-TSTInfo"));
        }
        let message_digest = message_digest.filter(|d| d.tag == Tag::OctetString);
        let message_digest = message_digest.ok_or_else(|| malformed("signedAttrs", "no messageDigest"))?.value;
        if v1.is_none() && v2.is_none() {
            return Err(malformed("signedAttrs", "neither signingCertificate nor signingCertificateV2"));
        }
        let named = [v1, v2];
        let attributes = attributes.value;
        Ok(Signed { content, certificates, signer_id, digest, attributes, message_digest, named, signature_algorithm, signature })
    }

    /// Whether the signed digest is that of the content.
    pub(super) fn check_digest(&self) -> Result<(), TokenError> {
        let digest = digest::digest(self.digest()?, self.content);
        if digest.as_ref() != self.message_digest {
            return Err(TokenError::Unsound("messageDigest is not that of its content".to_owned()));
        }
        Ok(())
    }

    fn digest(&self) -> Result<&'static digest::Algorithm, TokenError> {
        hash(&self.digest)
    }

    /// The certificate that the signer is named by, twice: by `sid`, and by the signed attribute.
    pub(super) fn signer(&self) -> Result<Certificate<'a>, TokenError> {
        let mut found = None;
        for der in &self.certificates {
            let certificate = match Certificate::parse(der) {
                Ok(certificate) => certificate,
                // One that is not the signer's may be of a kind that is not understood.
                Err(_) => continue,
            };
            let is_it = match &self.signer_id {
                SignerId::Issued(issuer, serial) => certificate.issuer() == *issuer && certificate.serial() == *serial,
                SignerId::Key(id) => certificate.key_id() == Some(*id),
            };
            if is_it {
                found = Some(certificate);
                break;
            }
        }
        let found = found.ok_or_else(|| TokenError::Unsound("the certificate of its signer is not in it, or cannot be read".to_owned()))?;
        let [v1, v2] = self.named;
        if let Some(value) = v1 {
            expect_named(&found, value, &digest::SHA1_FOR_LEGACY_USE_ONLY, false)?;
        }
        if let Some(value) = v2 {
            expect_named(&found, value, &digest::SHA256, true)?;
        }
        Ok(found)
    }

    /// The signature over the signed attributes, as the SET OF that they are.
    pub(super) fn check_signature(&self, signer: &Certificate<'_>) -> Result<(), TokenError> {
        let mut message = vec![0x31];
        push_length(&mut message, self.attributes.len());
        message.extend_from_slice(self.attributes);
        let algorithms = self.algorithms()?;
        signer.verify(&algorithms, &message, self.signature)
    }

    /// The ways in which the signature may have been made. Several: ECDSA names a hash and no curve.
    fn algorithms(&self) -> Result<Vec<&'static dyn SignatureVerificationAlgorithm>, TokenError> {
        use webpki::ring as with;
        let digest = self.digest()?;
        let named = &self.signature_algorithm;
        // The hash of the signature, beside each algorithm: it must be the one of `digestAlgorithm`, or a weaker one could be slipped in.
        let known: [(&digest::Algorithm, &'static dyn SignatureVerificationAlgorithm); 14] = [
            (&digest::SHA256, with::RSA_PKCS1_2048_8192_SHA256),
            (&digest::SHA384, with::RSA_PKCS1_2048_8192_SHA384),
            (&digest::SHA512, with::RSA_PKCS1_2048_8192_SHA512),
            (&digest::SHA256, with::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS),
            (&digest::SHA384, with::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS),
            (&digest::SHA512, with::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS),
            (&digest::SHA256, with::RSA_PSS_2048_8192_SHA256_LEGACY_KEY),
            (&digest::SHA384, with::RSA_PSS_2048_8192_SHA384_LEGACY_KEY),
            (&digest::SHA512, with::RSA_PSS_2048_8192_SHA512_LEGACY_KEY),
            (&digest::SHA256, with::ECDSA_P256_SHA256),
            (&digest::SHA384, with::ECDSA_P256_SHA384),
            (&digest::SHA256, with::ECDSA_P384_SHA256),
            (&digest::SHA384, with::ECDSA_P384_SHA384),
            // RFC 8419 section 3: with signed attributes the digest is SHA-512.
            (&digest::SHA512, with::ED25519),
        ];
        let of_digest = known.iter().filter(|(hash, _)| *hash == digest).map(|(_, algorithm)| *algorithm);
        let found: Vec<_> = if named.oid == RSA && named.plain {
            // The first three are those, one a hash.
            known.iter().take(3).filter(|(hash, _)| *hash == digest).map(|(_, algorithm)| *algorithm).collect()
        } else {
            of_digest.filter(|algorithm| algorithm.signature_alg_id().as_ref() == named.value).collect()
        };
        if found.is_empty() {
            return Err(TokenError::Unsupported(format!("signature algorithm {} with digest {}", named.oid, self.digest.oid)));
        }
        Ok(found)
    }
}

fn content<'a>(data: &mut Items<'a>) -> Result<&'a [u8], TokenError> {
    let mut encapsulated = data.sequence("encapContentInfo")?;
    if encapsulated.oid()? != TST_INFO {
        return Err(malformed("encapContentInfo", "eContentType is not id-ct-TSTInfo"));
    }
    let mut explicit = encapsulated.expect(context(0))?.items("eContent")?;
    encapsulated.end()?;
    let content = explicit.expect(Tag::OctetString)?.value;
    explicit.end()?;
    Ok(content)
}

fn certificates(set: Item<'_>) -> Result<Vec<&[u8]>, TokenError> {
    let mut items = set.items("certificates")?;
    let mut found = Vec::new();
    while !items.is_empty() {
        found.push(items.expect(Tag::Sequence)?.whole);
        if found.len() > CERTIFICATES_MAX {
            return Err(malformed("certificates", format_args!("more than {CERTIFICATES_MAX}")));
        }
    }
    Ok(found)
}

/// The values of `contentType`, `messageDigest`, `signingCertificate`, `signingCertificateV2`: each at most once, with one value. Others are
/// signed and say nothing that is asked for.
fn signed_attributes(set: Item<'_>) -> Result<[Option<Item<'_>>; 4], TokenError> {
    const WHAT: &str = "signedAttrs";
    let mut items = set.items(WHAT)?;
    let mut found = [None; 4];
    let mut before: &[u8] = &[];
    let mut count = 0;
    while !items.is_empty() {
        let item = items.expect(Tag::Sequence)?;
        // DER orders a SET OF by its encodings; equal ones would be one attribute twice.
        if item.whole <= before {
            return Err(malformed(WHAT, "not in the order of DER"));
        }
        (before, count) = (item.whole, count + 1);
        if count > ATTRIBUTES_MAX {
            return Err(malformed(WHAT, format_args!("more than {ATTRIBUTES_MAX}")));
        }
        let mut attribute = item.items(WHAT)?;
        let oid = attribute.oid()?;
        let values = attribute.expect(Tag::Set)?;
        attribute.end()?;
        let wanted = [CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2].iter().position(|o| *o == oid);
        if let Some(slot) = wanted.and_then(|at| found.get_mut(at)) {
            let mut values = values.items(WHAT)?;
            let value = values.any()?;
            values.end()?;
            if slot.replace(value).is_some() {
                return Err(malformed(WHAT, format_args!("{oid} stands twice")));
            }
        }
    }
    Ok(found)
}

/// Whether the first `ESSCertID` (RFC 2634 section 5.4.1) or `ESSCertIDv2` (RFC 5035 section 4) of a list is that of the certificate.
fn expect_named(certificate: &Certificate<'_>, value: Item<'_>, default: &'static digest::Algorithm, v2: bool) -> Result<(), TokenError> {
    const WHAT: &str = "signingCertificate";
    if value.tag != Tag::Sequence {
        return Err(malformed(WHAT, "not a sequence"));
    }
    let mut items = value.items(WHAT)?;
    let mut ids = items.sequence(WHAT)?;
    // Policies are for the certificate's path, and none are asked for.
    items.optional(Tag::Sequence)?;
    items.end()?;
    // Of several the first is the signer's; the others only narrow down what else may be used.
    let mut id = ids.sequence(WHAT)?;
    let with = match id.optional(Tag::Sequence)? {
        Some(item) if v2 => hash(&algorithm(&mut Items::new(item.whole, WHAT)?, WHAT)?)?,
        Some(_) => return Err(malformed(WHAT, "ESSCertID names no hash")),
        None => default,
    };
    let named = id.expect(Tag::OctetString)?.value;
    if digest::digest(with, certificate.der()).as_ref() != named {
        return Err(TokenError::Unsound("the certificate in it is not the one that its signed attribute names".to_owned()));
    }
    if let Some(issuer_serial) = id.optional(Tag::Sequence)? {
        let mut issuer_serial = issuer_serial.items(WHAT)?;
        let mut names = issuer_serial.sequence(WHAT)?;
        let name = names.any()?;
        // GeneralName: directoryName [4].
        let is_issuer = names.is_empty() && name.tag == context(4) && name.value == certificate.issuer();
        let is_serial = issuer_serial.integer()? == certificate.serial();
        issuer_serial.end()?;
        if !is_issuer || !is_serial {
            return Err(TokenError::Unsound(
                "its signed attribute names another issuer or serial number than its certificate has".to_owned(),
            ));
        }
    }
    id.end()
}

/// A hash that tokens may use.
fn hash(named: &Algorithm<'_>) -> Result<&'static digest::Algorithm, TokenError> {
    let found = match named.oid {
        SHA256 => Some(&digest::SHA256),
        SHA384 => Some(&digest::SHA384),
        SHA512 => Some(&digest::SHA512),
        _ => None,
    };
    found.filter(|_| named.plain).ok_or_else(|| TokenError::Unsupported(format!("hash {}", named.oid)))
}

/// DER's length of fewer than 2^16 bytes.
fn push_length(out: &mut Vec<u8>, length: usize) {
    let [.., high, low] = length.to_be_bytes();
    match length {
        0..=0x7f => out.push(low),
        0x80..=0xff => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
}
