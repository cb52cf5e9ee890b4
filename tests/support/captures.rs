//! `tests/corpus`: what real SDKs with real instrumentation libraries sent.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Which OTLP service a request went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Logs,
    Metrics,
}

/// How a request travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Grpc,
    Http,
}

/// One recorded Export request.
pub(crate) struct Recorded {
    pub(crate) file: PathBuf,
    pub(crate) signal: Signal,
    pub(crate) transport: Transport,
    pub(crate) json: bool,
    pub(crate) gzip: bool,
    /// Sent with `Transfer-Encoding: chunked`.
    pub(crate) chunked: bool,
    pub(crate) user_agent: String,
    /// After decompression.
    pub(crate) body: Vec<u8>,
    /// As it was on the wire, where that was kept (HTTP with gzip).
    pub(crate) wire: Option<Vec<u8>>,
}

/// One recording, its requests in the order of sending.
pub(crate) struct Capture {
    pub(crate) name: String,
    pub(crate) requests: Vec<Recorded>,
}

/// All captures, in the order of their names.
pub(crate) fn all() -> Vec<Capture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&root).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    folders.sort();
    let captures: Vec<Capture> = folders.iter().map(|folder| capture(folder)).collect();
    assert!(captures.len() > 50, "the corpus is not complete: {} captures below {}", captures.len(), root.display());
    captures
}

fn capture(folder: &Path) -> Capture {
    let meta: Value = serde_json::from_slice(&std::fs::read(folder.join("meta.json")).unwrap()).unwrap();
    let grpc_gzip = meta["transport"] == "grpc" && meta["compression"] == "gzip";
    let lines = std::fs::read_to_string(folder.join("requests.jsonl")).unwrap();
    let requests = lines.lines().map(|line| recorded(folder, &serde_json::from_str(line).unwrap(), grpc_gzip)).collect();
    Capture { name: folder.file_name().unwrap().to_str().unwrap().to_owned(), requests }
}

fn recorded(folder: &Path, row: &Value, grpc_gzip: bool) -> Recorded {
    let file = folder.join(row["file"].as_str().unwrap());
    let headers = &row["headers"];
    let header = |name: &str| headers[name].as_str().unwrap_or_default().to_owned();
    let body = std::fs::read(&file).unwrap();
    assert_eq!(Some(body.len() as u64), row["bytes"].as_u64(), "{} has not its recorded size", file.display());
    let signal = match row["signal"].as_str() {
        Some("traces") => Signal::Traces,
        Some("logs") => Signal::Logs,
        Some("metrics") => Signal::Metrics,
        other => panic!("{}: unknown signal {other:?}", file.display()),
    };
    let transport = if row["transport"] == "grpc" { Transport::Grpc } else { Transport::Http };
    let http_gzip = header("content-encoding") == "gzip";
    let wire = http_gzip.then(|| {
        let mut name = file.clone().into_os_string();
        name.push(".gz");
        std::fs::read(name).unwrap()
    });
    // What is sent is what is read: the body beside it had paths of its recorder taken out.
    let body = wire.as_deref().map_or(body, |wire| {
        let mut sent = Vec::new();
        flate2::read::GzDecoder::new(wire).read_to_end(&mut sent).unwrap();
        sent
    });
    Recorded {
        signal,
        transport,
        json: header("content-type") == "application/json",
        gzip: http_gzip || grpc_gzip,
        chunked: header("transfer-encoding") == "chunked",
        user_agent: header("user-agent"),
        body,
        wire,
        file,
    }
}
