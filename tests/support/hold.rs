//! A network that holds a request back: a proxy on loopback before a real S3 server, which swallows chosen PUTs and lets them through
//! later, when nobody waits for them any more.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The proxy. Requests pass until [`hold`](HoldingProxy::hold) names a part of their path.
#[derive(Clone)]
pub struct HoldingProxy {
    pub endpoint: String,
    upstream: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    hold: Option<String>,
    held: Vec<Vec<u8>>,
}

impl HoldingProxy {
    /// Listens on a free loopback port and forwards to `endpoint` (`http://127.0.0.1:port`).
    pub async fn before(endpoint: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = HoldingProxy {
            endpoint: format!("http://{}", listener.local_addr().unwrap()),
            upstream: endpoint.strip_prefix("http://").unwrap().to_owned(),
            state: Arc::default(),
        };
        let accepting = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().forward(client));
            }
        });
        proxy
    }

    /// From now on PUTs whose path contains `part` are kept back.
    pub fn hold(&self, part: &str) {
        self.state.lock().unwrap().hold = Some(part.to_owned());
    }

    /// Sends everything that was kept back, oldest first; returns the status of each.
    pub async fn release(&self) -> Vec<u16> {
        let held = {
            let mut state = self.state.lock().unwrap();
            state.hold = None;
            std::mem::take(&mut state.held)
        };
        let mut statuses = Vec::new();
        for request in held {
            let mut server = TcpStream::connect(&self.upstream).await.unwrap();
            server.write_all(&request).await.unwrap();
            let mut answer = [0; 64];
            let n = server.read(&mut answer).await.unwrap();
            let head = String::from_utf8_lossy(&answer[..n]).into_owned();
            statuses.push(head.split(' ').nth(1).unwrap().parse().unwrap());
        }
        statuses
    }

    async fn forward(self, client: TcpStream) {
        let Ok(server) = TcpStream::connect(&self.upstream).await else { return };
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let back = tokio::spawn(async move {
            let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        });
        let mut buffer: Vec<u8> = Vec::new();
        let mut chunk = vec![0; 64 * 1024];
        loop {
            while let Some(length) = request_length(&buffer) {
                let request: Vec<u8> = buffer.drain(..length).collect();
                let line = String::from_utf8_lossy(&request[..request.len().min(512)]).into_owned();
                let kept = {
                    let mut state = self.state.lock().unwrap();
                    let keep =
                        state.hold.as_ref().is_some_and(|part| line.starts_with("PUT ") && line.lines().next().unwrap().contains(part));
                    if keep {
                        state.held.push(request.clone());
                    }
                    keep
                };
                if !kept && to_server.write_all(&request).await.is_err() {
                    return;
                }
            }
            match from_client.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(n) => buffer.extend_from_slice(&chunk[..n]),
            }
        }
        drop(to_server);
        let _ = back.await;
    }
}

/// Bytes of the first whole HTTP/1.1 request in the buffer (bodies come with Content-Length here).
fn request_length(buffer: &[u8]) -> Option<usize> {
    let head = memchr::memmem::find(buffer, b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    let body = text.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse::<usize>().ok()).unwrap_or(0);
    (buffer.len() >= head + body).then_some(head + body)
}
