//! Opening listeners, with sentences for what commonly goes wrong.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::config::{Endpoint, Listener};

/// How long a neighbour on the port may take to say who it is.
const ASK_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else has the port.
    #[error("`{key}.endpoint` {endpoint}: the port is in use by another program; stop that, or configure another port")]
    InUse {
        /// Key of the listener.
        key: &'static str,
        /// Where.
        endpoint: Endpoint,
    },
    /// Ports below 1024.
    #[error("`{key}.endpoint` {endpoint}: this user may not open the port; choose one from 1024 on, or grant CAP_NET_BIND_SERVICE")]
    Forbidden {
        /// Key of the listener.
        key: &'static str,
        /// Where.
        endpoint: Endpoint,
    },
    /// Anything else.
    #[error("`{key}.endpoint` {endpoint} cannot be opened: {source}; check that this machine has that address")]
    Other {
        /// Key of the listener.
        key: &'static str,
        /// Where.
        endpoint: Endpoint,
        /// The system's words.
        source: io::Error,
    },
}

/// Opens one listener; `key` is where the configuration names it.
pub async fn bind(key: &'static str, endpoint: &Endpoint) -> Result<TcpListener, BindError> {
    let opened = match endpoint.ip() {
        Some(ip) => TcpListener::bind((ip, endpoint.port)).await,
        None => TcpListener::bind((endpoint.host.as_str(), endpoint.port)).await,
    };
    opened.map_err(|source| {
        let endpoint = endpoint.clone();
        match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { key, endpoint },
            io::ErrorKind::PermissionDenied => BindError::Forbidden { key, endpoint },
            _ => BindError::Other { key, endpoint, source },
        }
    })
}

/// Whether a spanseal answers at this API endpoint. Over TLS it cannot be asked so, and the answer is no.
pub async fn is_spanseal(api: &Listener) -> bool {
    let ask = async {
        let mut stream = match api.endpoint.ip() {
            Some(ip) => TcpStream::connect((ip, api.endpoint.port)).await?,
            None => TcpStream::connect((api.endpoint.host.as_str(), api.endpoint.port)).await?,
        };
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer).await?;
        Ok::<_, io::Error>(answer)
    };
    match timeout(ASK_TIMEOUT, ask).await {
        Ok(Ok(answer)) => String::from_utf8_lossy(&answer).contains(crate::api::HEALTHY),
        _ => false,
    }
}
