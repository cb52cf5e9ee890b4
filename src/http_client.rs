//! HTTP as every client here speaks it: a client goes where it is sent and nowhere else, an answer is read up to a limit, and what fails is
//! said without the address, which the caller's error names.

use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Response};

/// Idle connections are closed before servers do it (S3 after some 20 s): a request on one that is just being closed fails and is not made
/// again, and of a put the outcome would be unknown.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// One crypto provider in the process. `main` installs it first; a library user or a test may not have, and without one every client panics
/// when it is built.
pub(crate) fn ensure_crypto_provider() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What all clients have in common.
pub(crate) fn builder() -> ClientBuilder {
    ensure_crypto_provider();
    Client::builder()
        // An answer that sends elsewhere would leave the place that was configured, and a signature counts for one place.
        .redirect(Policy::none())
        // A further try is the caller's decision.
        .retry(reqwest::retry::never())
        // What the environment says of proxies is not in the configuration that is sealed.
        .no_proxy()
        // "Refused before it was read" cannot hide in a stream reset.
        .http1_only()
        .pool_idle_timeout(IDLE_TIMEOUT)
        .referer(false)
}

/// Reads the certificates that `ca_file` names; the error is half a sentence.
pub(crate) async fn read_ca_file(path: &Path) -> Result<Vec<u8>, String> {
    tokio::fs::read(path).await.map_err(|e| format!("`ca_file` {}: {e}", path.display()))
}

/// A client that trusts the authorities in `ca_file`, or those of the system without one. The error is half a sentence.
pub(crate) async fn client(is_https: bool, ca_file: Option<&Path>, connect_within: Option<Duration>) -> Result<Client, String> {
    let mut builder = builder();
    if let Some(within) = connect_within {
        builder = builder.connect_timeout(within);
    }
    let builder = match ca_file {
        Some(path) => {
            let certificates =
                Certificate::from_pem_bundle(&read_ca_file(path).await?).map_err(|e| format!("`ca_file` {}: {e}", path.display()))?;
            if certificates.is_empty() {
                return Err(format!("`ca_file` {} holds no certificate (PEM is expected)", path.display()));
            }
            builder.tls_certs_only(certificates)
        }
        None if is_https => builder,
        // Without TLS no roots, so that an image without roots works too.
        None => builder.tls_certs_only([]),
    };
    builder.build().map_err(|e| format!("no TLS client: {}", in_words(e)))
}

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It is longer than the limit: this many bytes at least.
    TooLong(usize),
    /// The connection was lost.
    Lost(reqwest::Error),
}

/// The body of an answer, which may be anybody's: at most `max` bytes.
pub(crate) async fn read_at_most(mut answer: Response, max: usize) -> Result<Bytes, BodyError> {
    let announced = answer.content_length().map_or(0, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if announced > max {
        return Err(BodyError::TooLong(announced));
    }
    let mut body = BytesMut::with_capacity(announced);
    while let Some(chunk) = answer.chunk().await.map_err(BodyError::Lost)? {
        let size = body.len().saturating_add(chunk.len());
        if size > max {
            return Err(BodyError::TooLong(size));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// What happened: the innermost cause, as those around it name the address.
pub(crate) fn in_words(error: reqwest::Error) -> String {
    let timed_out = if error.is_timeout() { "timed out: " } else { "" };
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    format!("{timed_out}{cause}")
}
