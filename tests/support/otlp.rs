//! Clients that put given bytes on the wire: gRPC through tonic without any encoding of its own, HTTP/1.1 by hand, so that the bytes, the
//! compression and the framing are exactly those that were recorded.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::PATIENCE;
use super::captures::Signal;

impl Signal {
    /// gRPC method.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }
    }

    /// HTTP path.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Signal::Traces => "/v1/traces",
            Signal::Logs => "/v1/logs",
            Signal::Metrics => "/v1/metrics",
        }
    }
}

/// A success answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Response metadata (gRPC) or headers (HTTP), names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The receipt's `spanseal-promoted`, 0 where there is none.
    pub(crate) fn promoted(&self) -> u64 {
        self.headers.get("spanseal-promoted").map_or(0, |n| n.parse().unwrap())
    }

    /// The receipt's `spanseal-seal`.
    pub(crate) fn seal(&self) -> Option<u64> {
        self.headers.get("spanseal-seal").map(|n| n.parse().unwrap())
    }
}

/// A connection to an OTLP/gRPC receiver.
#[derive(Clone)]
pub(crate) struct GrpcClient {
    channel: Channel,
}

impl GrpcClient {
    pub(crate) async fn connect(address: SocketAddr) -> Result<GrpcClient, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?.connect_timeout(PATIENCE).timeout(PATIENCE);
        Ok(GrpcClient { channel: endpoint.connect().await? })
    }

    /// One Export call with these message bytes.
    pub(crate) async fn export(&self, signal: Signal, body: impl Into<Bytes>, gzip: bool) -> Result<Answer, Status> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        if gzip {
            client = client.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip);
        }
        client.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
        let path = http::uri::PathAndQuery::from_static(signal.method());
        let response = client.unary(Request::new(body.into()), path, RawCodec).await?;
        let text = |value: &tonic::metadata::AsciiMetadataValue| value.to_str().unwrap_or_default().to_owned();
        let headers = response.metadata().iter().filter_map(|pair| match pair {
            tonic::metadata::KeyAndValueRef::Ascii(key, value) => Some((key.as_str().to_owned(), text(value))),
            tonic::metadata::KeyAndValueRef::Binary(..) => None,
        });
        Ok(Answer { headers: headers.collect(), body: response.get_ref().to_vec() })
    }
}

/// Messages are their bytes.
#[derive(Clone, Copy, Default)]
pub(crate) struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = RawCodec;
    type Decoder = RawCodec;

    fn encoder(&mut self) -> RawCodec {
        RawCodec
    }

    fn decoder(&mut self) -> RawCodec {
        RawCodec
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, dst: &mut EncodeBuf<'_>) -> Result<(), Status> {
        dst.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(src.copy_to_bytes(src.remaining())))
    }
}

/// One HTTP request, as it goes on the wire.
pub(crate) struct HttpRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) body: &'a [u8],
    pub(crate) chunked: bool,
}

/// Status and answer of one HTTP/1.1 request on a connection of its own.
pub(crate) fn http(address: SocketAddr, request: &HttpRequest<'_>) -> std::io::Result<(u16, Answer)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut head = format!("{} {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if request.chunked {
        head.push_str("Transfer-Encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        for chunk in request.body.chunks(16 * 1024) {
            stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
            stream.write_all(chunk)?;
            stream.write_all(b"\r\n")?;
        }
        stream.write_all(b"0\r\n\r\n")?;
    } else {
        head.push_str(&format!("Content-Length: {}\r\n\r\n", request.body.len()));
        stream.write_all(head.as_bytes())?;
        stream.write_all(request.body)?;
    }
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw)?;
    parse_answer(&raw).ok_or_else(|| std::io::Error::other(format!("no HTTP answer: {:?}", String::from_utf8_lossy(&raw))))
}

fn parse_answer(raw: &[u8]) -> Option<(u16, Answer)> {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&raw[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: BTreeMap<String, String> =
        lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned())).collect();
    let rest = &raw[end + 4..];
    let body = if headers.get("transfer-encoding").is_some_and(|v| v == "chunked") { unchunk(rest)? } else { rest.to_vec() };
    Some((status, Answer { headers, body }))
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
