//! `spanseal witness` as a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use super::eventually;
use super::otlp::{Answer, HttpRequest, http};
use super::receiver::{BINARY, Finished};

/// A witness with its key and state below one folder. Killed when dropped.
pub(crate) struct Witness {
    child: Child,
    said: Arc<Mutex<String>>,
    pub(crate) address: SocketAddr,
}

/// Makes a witness's key; answers with the public half.
pub(crate) fn keygen(folder: &Path, name: &str) -> String {
    let mut command = Command::new(BINARY);
    command.current_dir(folder).args(["keygen", "--witness", name, "--key-file"]).arg(folder.join(key_file(name)));
    Finished::of(command).success().stdout.trim().to_owned()
}

fn key_file(name: &str) -> String {
    format!("{}.key", name.replace('/', "-"))
}

impl Witness {
    /// Starts the witness of this name, which follows these logs.
    pub(crate) fn start(folder: &Path, name: &str, logs: &[&str]) -> Witness {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), folder, name, logs)
    }

    /// The same where another one was before.
    pub(crate) fn start_at(address: SocketAddr, folder: &Path, name: &str, logs: &[&str]) -> Witness {
        let mut command = Command::new(BINARY);
        command.current_dir(folder).args(["witness", "--listen", &address.to_string(), "--key-file"]).arg(folder.join(key_file(name)));
        command.arg("--state").arg(folder.join(format!("{}.state", name.replace('/', "-"))));
        logs.iter().for_each(|log| {
            command.args(["--log", log]);
        });
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::<Mutex<String>>::default();
        let (stderr, listener) = (child.stderr.take().unwrap(), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                listener.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let mut witness = Witness { child, said, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        witness.address = eventually("the witness says where it listens", || {
            let ended = witness.child.try_wait().unwrap();
            assert!(ended.is_none(), "the witness ended ({ended:?}):\n{}", witness.stderr());
            witness.stderr().lines().find_map(|line| line.strip_prefix("listening http://")?.trim().parse().ok())
        });
        witness
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn stderr(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it answers to a submission.
    pub(crate) fn add(&self, body: &str) -> (u16, Answer) {
        let request = HttpRequest { method: "POST", path: "/add-checkpoint", headers: Vec::new(), body: body.as_bytes(), chunked: false };
        http(self.address, &request).unwrap()
    }

    /// The size that it cosigned last of the log of this checkpoint.
    pub(crate) fn size(&self, checkpoint: &str) -> u64 {
        // One that it cannot have cosigned last, unless it is new to the log.
        let (status, answer) = self.add(&format!("old 1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n{checkpoint}"));
        assert_eq!((status, answer.headers["content-type"].as_str()), (409, "text/x.tlog.size"));
        String::from_utf8(answer.body).unwrap().trim_end().parse().unwrap()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
