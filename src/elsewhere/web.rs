//! A web server that is asked once, without credentials.

use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, StatusCode};

use super::Unfetched;

/// Idle connections are closed before servers do it: a request on one that is just being closed fails, and is not made again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The client of one place.
#[derive(Debug)]
pub(super) struct Web(Client);

/// A client that goes where it is sent and nowhere else. Without `ca_file` the system's authorities count; the error is half a sentence.
pub(crate) async fn client(is_https: bool, ca_file: Option<&Path>) -> Result<Client, String> {
    // One crypto provider in the process; `main` has installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        // An answer that sends elsewhere would leave the place that was configured.
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        // What the environment says of proxies is not in the configuration that is sealed.
        .no_proxy()
        .http1_only()
        .pool_idle_timeout(IDLE_TIMEOUT)
        .referer(false);
    let builder = match ca_file {
        Some(path) => {
            let pem = tokio::fs::read(path).await.map_err(|e| format!("`ca_file` {}: {e}", path.display()))?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|e| format!("`ca_file` {}: {e}", path.display()))?;
            if certificates.is_empty() {
                return Err(format!("`ca_file` {} holds no certificate (PEM is expected)", path.display()));
            }
            builder.tls_certs_only(certificates)
        }
        None if is_https => builder,
        // Without TLS no roots, so that an image without roots works too.
        None => builder.tls_certs_only([]),
    };
    builder.build().map_err(|e| format!("no TLS client: {}", e.without_url()))
}

impl Web {
    pub(super) async fn open(is_https: bool, ca_file: Option<&Path>) -> Result<Self, String> {
        client(is_https, ca_file).await.map(Web)
    }

    /// The body of a plain success. Whoever calls says how long it may take.
    pub(super) async fn get(&self, url: &str, max: usize) -> Result<Bytes, Unfetched> {
        let mut answer = self.0.get(url).send().await.map_err(|_| Unfetched::Failed)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Unfetched::Absent),
            status if status.is_redirection() => return Err(Unfetched::Redirected),
            _ => return Err(Unfetched::Failed),
        }
        let announced = answer.content_length().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if announced.is_some_and(|bytes| bytes > max) {
            return Err(Unfetched::TooLarge);
        }
        let mut body = BytesMut::with_capacity(announced.unwrap_or_default());
        while let Some(chunk) = answer.chunk().await.map_err(|_| Unfetched::Failed)? {
            if body.len().saturating_add(chunk.len()) > max {
                return Err(Unfetched::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}
