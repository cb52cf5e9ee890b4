//! A time stamping authority for tests: `openssl ts -reply` behind a small HTTP server on loopback, and one that answers whatever a test
//! wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::tools;

/// Runs `openssl` in a folder; its output where it succeeded.
pub(crate) fn openssl(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let ran = Command::new("openssl").args(arguments).current_dir(folder).stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    if ran.status.success() { Ok(ran.stdout) } else { Err(String::from_utf8_lossy(&ran.stderr).into_owned()) }
}

/// Whether there is an OpenSSL that is an authority; where not, it is said.
#[track_caller]
pub(crate) fn has_openssl(what: &str) -> bool {
    let why = match Command::new("openssl").arg("version").output() {
        Ok(said) if String::from_utf8_lossy(&said.stdout).starts_with("OpenSSL ") => return true,
        Ok(said) => format!("`openssl` is {}", String::from_utf8_lossy(&said.stdout).trim()),
        Err(error) => format!("`openssl` does not run: {error}"),
    };
    tools::skip("openssl", what, &why, "install OpenSSL 1.1.1 or later (LibreSSL is no authority in the tests)");
    false
}

const CONFIGURATION: &str = "\
[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = unused\n\
[root]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\nsubjectKeyIdentifier = hash\n\
[signer]\nbasicConstraints = CA:FALSE\nkeyUsage = critical, digitalSignature\nextendedKeyUsage = critical, timeStamping\n\
[tsa]\nserial = serial\ncrypto_device = builtin\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256\naccuracy = secs:1\n\
clock_precision_digits = 3\ness_cert_id_alg = sha256\n";

/// Key and certificates of an authority by OpenSSL.
pub(crate) struct OpenSsl {
    folder: tempfile::TempDir,
}

impl OpenSsl {
    /// `key`: options of `openssl genpkey`.
    pub(crate) fn new(key: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        std::fs::write(at.join("ts.cnf"), CONFIGURATION).unwrap();
        std::fs::write(at.join("serial"), "1000\n").unwrap();
        let run = |arguments: &str| {
            let words: Vec<&str> = arguments.split(' ').collect();
            openssl(at, &words).unwrap_or_else(|why| panic!("openssl {arguments}: {why}"))
        };
        for name in ["root", "signer"] {
            let file = format!("{name}.key");
            openssl(at, &[&["genpkey"], key, &["-out", &file]].concat()).unwrap();
            run(&format!("req -new -key {name}.key -subj /O=tests/CN={name} -config ts.cnf -out {name}.csr"));
        }
        run("x509 -req -in root.csr -signkey root.key -extfile ts.cnf -extensions root -days 3650 -out root.pem");
        run(
            "x509 -req -in signer.csr -CA root.pem -CAkey root.key -CAcreateserial -extfile ts.cnf -extensions signer -days 3650 -out signer.pem",
        );
        OpenSsl { folder }
    }

    /// The roots to trust, as a file.
    pub(crate) fn roots(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// Answers a request.
    pub(crate) fn reply(&self, query: &[u8], number: usize) -> Vec<u8> {
        let at = self.folder.path();
        let file = format!("{number}.tsq");
        std::fs::write(at.join(&file), query).unwrap();
        let answer = format!("{number}.tsr");
        let words =
            ["ts", "-reply", "-config", "ts.cnf", "-section", "tsa", "-queryfile", &file, "-inkey", "signer.key", "-signer", "signer.pem"];
        openssl(at, &[&words[..], &["-out", &answer]].concat()).unwrap();
        std::fs::read(at.join(answer)).unwrap()
    }
}

/// A server that answers POST requests, one after another.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Server {
    /// One that answers what `answer` makes of a request's body and number; an empty answer is a status 503.
    pub(crate) fn answering(answer: impl Fn(&[u8], usize) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&asked);
        // Ends with the process: it holds nothing but a port.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = counted.load(Ordering::SeqCst);
                // A client that went away is no fault of the server's.
                let _ = serve(stream, |body| answer(body, number));
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Server { address, asked }
    }

    /// An authority.
    pub(crate) fn of(authority: Arc<OpenSsl>) -> Self {
        Server::answering(move |query, number| authority.reply(query, number))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/tsa", self.address)
    }

    /// How many requests were answered.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn serve(stream: TcpStream, answer: impl FnOnce(&[u8]) -> Vec<u8>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut typed) = (0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        let line = line.to_ascii_lowercase();
        typed |= line.trim_end() == "content-type: application/timestamp-query";
        length = line.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let answer = if typed { answer(&body) } else { Vec::new() };
    let status = if answer.is_empty() { "503 Service Unavailable" } else { "200 OK" };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    let stream = reader.get_mut();
    stream.write_all(head.as_bytes())?;
    stream.write_all(&answer)
}
