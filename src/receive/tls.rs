//! TLS of a listener, and who a client certificate says its holder is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::listen::ListenError;
use crate::promote::Peer;

/// PEM files of a TLS listener (`tls` in the configuration).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate first, then its chain.
    pub cert_file: PathBuf,
    /// Its private key: PKCS#8, PKCS#1 or SEC1.
    pub key_file: PathBuf,
    /// Authorities of client certificates. If set, a client without a certificate of theirs is refused (mutual TLS).
    pub client_ca_file: Option<PathBuf>,
}

/// Reads the files and builds the acceptor: TLS 1.2 and 1.3 with ring, ALPN h2 and http/1.1.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, ListenError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| ListenError::Useless { path: files.cert_file.clone(), what: e.to_string() })?;
    let builder = match &files.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path, "client CA file", "tls.client_ca_file")? {
                let useless = |e: rustls::Error| ListenError::Useless {
                    path: path.clone(),
                    what: format!("holds an authority that cannot be used: {e}"),
                };
                roots.add(certificate).map_err(useless)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            let useless = |e: rustls::server::VerifierBuilderError| ListenError::Useless { path: path.clone(), what: e.to_string() };
            builder.with_client_cert_verifier(verifier.map_err(useless)?)
        }
    };
    let chain = certificates(&files.cert_file, "certificate", "tls.cert_file")?;
    let pem = read(&files.key_file, "private key", "tls.key_file")?;
    let key = PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| ListenError::Useless { path: files.key_file.clone(), what: "holds no PEM private key".to_owned() })?;
    let mut config = builder.with_single_cert(chain, key).map_err(|e| ListenError::Useless {
        path: files.key_file.clone(),
        what: match e {
            rustls::Error::InconsistentKeys(_) => {
                format!("is not the private key of the certificate in `{}`", files.cert_file.display())
            }
            e => format!("cannot be used with the certificate in `{}`: {e}", files.cert_file.display()),
        },
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path, role: &'static str, key: &'static str) -> Result<Vec<CertificateDer<'static>>, ListenError> {
    let pem = read(path, role, key)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(ListenError::Useless { path: path.to_owned(), what: format!("holds no PEM certificate; `{key}` must name one") }),
    }
}

pub(super) fn read(path: &Path, role: &'static str, key: &'static str) -> Result<Vec<u8>, ListenError> {
    std::fs::read(path).map_err(|source| ListenError::Unreadable { path: path.to_owned(), role, key, source })
}

/// Who a verified client certificate names: the first URI of its subject alternative names (SPIFFE), else DNS name, else the subject's
/// common name. What names a sender stands in clear in every record, so a mail address, which is a person, does not count: who is named by
/// nothing else is `sha256:` with the SHA-256 of the certificate's public key (SubjectPublicKeyInfo), which stays the same when the
/// certificate is renewed for the same key. A proved identity is never lost for want of a name.
pub(super) fn peer(certificate: &CertificateDer<'_>) -> Peer {
    let id = match X509Certificate::from_der(certificate) {
        Ok((_, parsed)) => name(&parsed).unwrap_or_else(|| fingerprint(parsed.public_key().raw)),
        // rustls has read it, so this is a matter of taste between two parsers.
        Err(_) => fingerprint(certificate),
    };
    Peer { id, method: "mtls" }
}

fn fingerprint(bytes: &[u8]) -> String {
    format!("sha256:{}", crate::tlog::Hash::of(bytes))
}

fn name(certificate: &X509Certificate<'_>) -> Option<String> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let names = alternative.map_or(&[][..], |extension| &extension.value.general_names);
    let uris = names.iter().filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None });
    let hosts = names.iter().filter_map(|name| if let GeneralName::DNSName(dns) = name { Some(*dns) } else { None });
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    uris.chain(hosts).chain(common).find(|name| !name.is_empty() && !name.contains('@')).map(str::to_owned)
}
