//! TLS towards one's own `serve`: it is known by its very certificate, and is shown one where it asks.
//!
//! Nobody but `serve` has the key of `api.tls.cert_file`, so who issued that certificate, for which names and until when, says nothing more
//! about it: the command reaches the port by an address that need not stand in it, and the authority need not be one that this machine knows.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};

use crate::config::Tls;

/// A client certificate and its key, PEM files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity<'f> {
    pub(super) cert: &'f Path,
    pub(super) key: &'f Path,
}

/// What this end does. Without an identity the port's own is shown where it asks for one: its authority may have issued it for both uses.
pub(super) fn client_config(tls: &Tls, identity: Option<Identity<'_>>) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Some(certificate) = certificates("api.tls.cert_file", &tls.cert_file)?.into_iter().next() else {
        bail!("`api.tls.cert_file` `{}` holds no PEM certificate", tls.cert_file.display())
    };
    let own = Own { certificate, algorithms: provider.signature_verification_algorithms };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().context("TLS cannot be set up")?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(own));
    let shown = match (identity, &tls.client_ca_file) {
        (Some(given), _) => Some((given, "--client-cert", "--client-key")),
        (None, Some(_)) => Some((Identity { cert: &tls.cert_file, key: &tls.key_file }, "api.tls.cert_file", "api.tls.key_file")),
        (None, None) => None,
    };
    let Some((Identity { cert, key }, cert_name, key_name)) = shown else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(cert_name, cert)?;
    let pem = std::fs::read(key).with_context(|| format!("`{key_name}` `{}` cannot be read", key.display()))?;
    let Ok(secret) = PrivateKeyDer::from_pem_slice(&pem) else { bail!("`{key_name}` `{}` holds no PEM private key", key.display()) };
    let unfit = || format!("`{key_name}` `{}` is not the key of the certificate in `{}`", key.display(), cert.display());
    builder.with_client_auth_cert(chain, secret).with_context(unfit)
}

fn certificates(name: &str, path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let pem = std::fs::read(path).with_context(|| format!("`{name}` `{}` cannot be read", path.display()))?;
    CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().with_context(|| format!("`{name}` `{}` is no PEM file", path.display()))
}

/// Knows the server by its certificate; that it has the key of it, the handshake's signature shows.
#[derive(Debug)]
struct Own {
    certificate: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Own {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *shown == self.certificate {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
