//! Time stamp tokens made by hand, honest or not: DER written out, an authority's certificates by rcgen. Nothing of ours.

use rcgen::{BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, SerialNumber, SigningKey, date_time_ymd};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

pub(crate) const TST_INFO: &[u8] = &[6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 16, 1, 4];
const SIGNED_DATA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 7, 2];
const CONTENT_TYPE: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 4];
const SIGNING_CERTIFICATE: &[u8] = &[6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 16, 2, 12];
const SIGNING_CERTIFICATE_V2: &[u8] = &[6, 11, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 9, 16, 2, 47];
pub(crate) const SHA256: &[u8] = &[0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const ECDSA_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [.., high, low] = content.len().to_be_bytes();
    let mut out = vec![tag];
    match content.len() {
        0..=0x7f => out.push(low),
        0x80..=0xff => out.extend([0x81, low]),
        _ => out.extend([0x82, high, low]),
    }
    out.extend(content);
    out
}

/// What the certificate may be used for: time stamps alone, critical.
pub(crate) fn only_timestamping(critical: bool) -> CustomExtension {
    let mut usage = CustomExtension::from_oid_content(&[2, 5, 29, 37], vec![0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 8]);
    usage.set_criticality(critical);
    usage
}

/// `signingCertificate` of RFC 2634: what names the certificate, as the content of one `ESSCertID`; `tag` is that of a sequence.
pub(crate) fn signing_certificate(tag: u8, id: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &[SIGNING_CERTIFICATE, &tlv(0x31, &[&tlv(tag, &[&tlv(0x30, &[&tlv(0x30, id)])])])])
}

/// An authority with a root of its own.
pub(crate) struct Authority {
    key: KeyPair,
    pub(crate) certificate: Vec<u8>,
    pub(crate) root_pem: String,
}

impl Authority {
    pub(crate) fn honest() -> Self {
        Authority::new(|_| {})
    }

    /// `change` falsifies what the root signs of its certificate.
    pub(crate) fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
        Authority::with_key(KeyPair::generate().unwrap(), change)
    }

    /// The same with a key of some kind.
    pub(crate) fn with_key(key: KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let root_key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.distinguished_name.push(DnType::CommonName, "forged root");
        let root_pem = root.self_signed(&root_key).unwrap().pem();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "forged authority");
        params.serial_number = Some(SerialNumber::from(vec![7, 7]));
        params.custom_extensions = vec![only_timestamping(true)];
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2040, 1, 1));
        change(&mut params);
        let certificate = params.signed_by(&key, &Issuer::new(root, root_key)).unwrap().der().to_vec();
        Authority { key, certificate, root_pem }
    }

    /// A token over a SHA-256, dated as GeneralizedTime writes it.
    pub(crate) fn token(&self, over: [u8; 32], at: &str) -> Vec<u8> {
        self.token_with(over, at, |_| {})
    }

    /// The same of falsified parts.
    pub(crate) fn token_with(&self, over: [u8; 32], at: &str, change: impl FnOnce(&mut Parts)) -> Vec<u8> {
        let mut parts = Parts::new(&self.certificate, over, at);
        change(&mut parts);
        parts.build(&self.key)
    }
}

/// What a token is made of.
pub(crate) struct Parts {
    pub(crate) certificates: Vec<Vec<u8>>,
    /// Content of the sequence `TSTInfo`, member by member.
    pub(crate) info: Vec<Vec<u8>>,
    pub(crate) content_type: Vec<u8>,
    /// What `ContentInfo` and `encapContentInfo` say that they hold.
    pub(crate) holds: [Vec<u8>; 2],
    /// `digestAlgorithms`, and that of the signer.
    pub(crate) digests: [Vec<u8>; 2],
    /// Tag of `messageDigest`.
    pub(crate) digest_tag: u8,
    /// SHA-256 that the certificate is named by.
    pub(crate) named: Vec<u8>,
    /// Whether any attribute of its own names it.
    pub(crate) is_named: bool,
    /// What stands behind that hash: `issuerSerial`.
    pub(crate) issuer_serial: Vec<u8>,
    /// The signer identifier and the version that belongs to it.
    pub(crate) signer: (u8, Vec<u8>),
    /// Signed attributes besides the three that must be.
    pub(crate) more: Vec<Vec<u8>>,
    pub(crate) sorted: bool,
    pub(crate) digest: Option<Vec<u8>>,
    pub(crate) signature_algorithm: Vec<u8>,
    pub(crate) version: u8,
    pub(crate) signers: usize,
    pub(crate) crls: bool,
    pub(crate) unsigned: bool,
}

/// Places in [`Parts::info`].
pub(crate) const INFO_VERSION: usize = 0;
pub(crate) const INFO_IMPRINT: usize = 2;
pub(crate) const INFO_TIME: usize = 4;

/// `issuer` and serial number of a certificate.
pub(crate) fn issued(certificate: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
    (parsed.issuer().as_raw().to_vec(), parsed.tbs_certificate.raw_serial().to_vec())
}

impl Parts {
    fn new(certificate: &[u8], over: [u8; 32], at: &str) -> Self {
        let (issuer, serial) = issued(certificate);
        Parts {
            certificates: vec![certificate.to_vec()],
            info: vec![
                vec![2, 1, 1],
                vec![6, 3, 0x2a, 3, 4],
                tlv(0x30, &[SHA256, &tlv(4, &[&over])]),
                vec![2, 1, 9],
                tlv(0x18, &[at.as_bytes()]),
            ],
            content_type: TST_INFO.to_vec(),
            holds: [SIGNED_DATA.to_vec(), TST_INFO.to_vec()],
            digests: [SHA256.to_vec(), SHA256.to_vec()],
            digest_tag: 4,
            named: Sha256::digest(certificate).to_vec(),
            is_named: true,
            issuer_serial: vec![],
            signer: (1, tlv(0x30, &[&issuer, &tlv(2, &[&serial])])),
            more: vec![],
            sorted: true,
            digest: None,
            signature_algorithm: ECDSA_SHA256.to_vec(),
            version: 3,
            signers: 1,
            crls: false,
            unsigned: false,
        }
    }

    fn build(self, key: &KeyPair) -> Vec<u8> {
        let info = tlv(0x30, &[&self.info.concat()]);
        let digest = self.digest.unwrap_or_else(|| Sha256::digest(&info).to_vec());
        let named = tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&tlv(4, &[&self.named]), &self.issuer_serial])])]);
        let attribute = |oid: &[u8], value: &[u8]| tlv(0x30, &[oid, &tlv(0x31, &[value])]);
        let mut attributes =
            vec![attribute(CONTENT_TYPE, &self.content_type), attribute(MESSAGE_DIGEST, &tlv(self.digest_tag, &[&digest]))];
        attributes.extend(self.is_named.then(|| attribute(SIGNING_CERTIFICATE_V2, &named)));
        attributes.extend(self.more);
        attributes.sort();
        if !self.sorted {
            attributes.reverse();
        }
        let attributes = attributes.concat();
        let signature = key.sign(&tlv(0x31, &[&attributes])).unwrap();
        let mut signer = vec![
            vec![2, 1, self.signer.0],
            self.signer.1,
            self.digests[1].clone(),
            tlv(0xa0, &[&attributes]),
            self.signature_algorithm,
            tlv(4, &[&signature]),
        ];
        if self.unsigned {
            signer.push(tlv(0xa1, &[&attribute(CONTENT_TYPE, TST_INFO)]));
        }
        let signer = tlv(0x30, &[&signer.concat()]);
        let mut data = vec![
            vec![2, 1, self.version],
            tlv(0x31, &[&self.digests[0]]),
            tlv(0x30, &[&self.holds[1], &tlv(0xa0, &[&tlv(4, &[&info])])]),
            tlv(0xa0, &[&self.certificates.concat()]),
        ];
        if self.crls {
            data.push(tlv(0xa1, &[]));
        }
        data.push(tlv(0x31, &[&signer.repeat(self.signers)]));
        tlv(0x30, &[&self.holds[0], &tlv(0xa0, &[&tlv(0x30, &[&data.concat()])])])
    }
}

/// What an authority answers when it grants a token.
pub(crate) fn granted(token: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&[0x30, 3, 2, 1, 0], token])
}
