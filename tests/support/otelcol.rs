//! A real OpenTelemetry Collector as a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::receiver::Finished;
use super::{eventually, tools};

/// The Collector's program, built once into the folder of tools; `None` where that cannot be.
pub(crate) fn program(what: &str) -> Option<PathBuf> {
    let mut build = Command::new("bash");
    build.arg(tools::scripts().join("collector/build.sh")).arg(tools::folder().join("collector"));
    let finished = Finished::of(build);
    if finished.status.code() == Some(77) {
        tools::skip("collector", what, finished.stdout.trim(), "install Go 1.25 or newer, then run tests/run");
        return None;
    }
    Some(PathBuf::from(finished.success().stdout.trim()))
}

/// A configuration that we hand out.
pub(crate) fn configuration(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("collector-config").join(name)
}

/// All of them.
pub(crate) fn configurations() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(configuration("")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let files: Vec<PathBuf> = files.into_iter().filter(|f| f.extension().is_some_and(|e| e == "yaml")).collect();
    assert!(files.len() > 5, "{files:?}");
    files
}

/// An address on which nothing listens at the moment.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Ended with the test.
pub(crate) struct Collector {
    child: Child,
    log: PathBuf,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Collector {
    /// Starts it with these files, one over the other, and waits until it is ready. What it keeps and says lies in `folder`.
    pub(crate) fn start(program: &Path, files: &[&Path], env: &[(&str, String)], folder: &Path) -> Collector {
        // It cannot be asked which free port it took, so it is told one, which somebody else may take first.
        for _ in 0..10 {
            let mut collector = Collector::spawn(program, files, env, folder);
            // That it listens does not mean that it is ready: Collector 0.152 opens its receivers while queues on disk are still being set
            // up, and forgets what is queued in that moment, though it acknowledged it.
            let ready = eventually("the Collector is ready or has ended", || {
                let ended = collector.child.try_wait().unwrap().is_some();
                (ended || collector.said().contains("Everything is ready.")).then_some(!ended)
            });
            if ready {
                return collector;
            }
            assert!(collector.said().contains("address already in use"), "the Collector ended:\n{}", collector.said());
        }
        panic!("no free port was free for long enough");
    }

    fn spawn(program: &Path, files: &[&Path], env: &[(&str, String)], folder: &Path) -> Collector {
        let (grpc, http) = (free_address(), free_address());
        let log = folder.join("collector.log");
        let mut command = Command::new(program);
        for file in files {
            command.arg("--config").arg(file);
        }
        command.env("COLLECTOR_GRPC_ENDPOINT", grpc.to_string()).env("COLLECTOR_HTTP_ENDPOINT", http.to_string());
        command.env("COLLECTOR_STORAGE", folder.join("collector-storage")).env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command.envs(env.iter().map(|(name, value)| (name, value))).current_dir(folder);
        let said = std::fs::File::create(&log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap();
        Collector { child, log, grpc, http }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to stderr.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
