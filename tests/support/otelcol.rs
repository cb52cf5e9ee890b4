//! A real OpenTelemetry Collector as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::otlp::{HttpRequest, http};
use super::receiver::Finished;
use super::{eventually, steady_address, tools};

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

/// To put over one of them: it tries again sooner than it says, with a pause of this many milliseconds, or as long as spanseal tells it.
/// Everything else stays.
pub(crate) fn sooner(file: &str, pause_ms: u32, folder: &Path) -> PathBuf {
    let exporters: &[&str] =
        if file == "gateway.yaml" { &["loadbalancing/spanseal", "otlp_grpc/spanseal"] } else { &["otlp_grpc/spanseal"] };
    let path = folder.join("sooner.yaml");
    let retry = format!("retry_on_failure: {{initial_interval: {pause_ms}ms, max_interval: {pause_ms}ms}}");
    let exporters: String = exporters.iter().map(|exporter| format!("  {exporter}: {{{retry}}}\n")).collect();
    std::fs::write(&path, format!("exporters:\n{exporters}")).unwrap();
    path
}

/// Killed with the test.
pub(crate) struct Collector {
    how: How,
    running: Option<Child>,
    log: PathBuf,
    starts: u32,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    /// Of the `health_check` extension, where the configuration has it.
    pub(crate) health: SocketAddr,
    /// Of its own metrics, where it is one of our files.
    metrics: SocketAddr,
}

/// All that it is started with.
struct How {
    program: PathBuf,
    files: Vec<PathBuf>,
    env: Vec<(String, String)>,
    folder: PathBuf,
}

impl Collector {
    /// Starts it with these files, one over the other, and waits until it is ready. What it keeps and says lies in `folder`.
    pub(crate) fn start(program: &Path, files: &[&Path], env: &[(&str, String)], folder: &Path) -> Collector {
        let how = How {
            program: program.to_owned(),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            env: env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            folder: folder.to_owned(),
        };
        let [grpc, http, health, metrics] = std::array::from_fn(|_| steady_address());
        let mut collector = Collector { how, running: None, log: PathBuf::new(), starts: 0, grpc, http, health, metrics };
        // It cannot be asked which free port it took, so it is told one, which somebody else may take first.
        for _ in 0..10 {
            if collector.is_started() {
                return collector;
            }
            assert!(collector.said().contains("address already in use"), "the Collector ended:\n{}", collector.said());
            [collector.grpc, collector.http, collector.health, collector.metrics] = std::array::from_fn(|_| steady_address());
        }
        panic!("no free port was free for long enough");
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let mut child = self.running.take().expect("the Collector runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, and waits until it has ended by itself.
    pub(crate) fn stop(&mut self) {
        let mut child = self.running.take().expect("the Collector runs");
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
        eventually("the Collector ends after SIGTERM", || child.try_wait().unwrap());
    }

    /// After [`kill`](Self::kill) or [`stop`](Self::stop): starts it again with all that it had, its disk and its addresses among it, and
    /// waits until it is ready.
    pub(crate) fn start_again(&mut self) {
        assert!(self.is_started(), "the Collector does not start again:\n{}", self.said());
    }

    /// Starts it and waits until it is ready; false if it ended instead.
    fn is_started(&mut self) -> bool {
        self.spawn();
        // That it listens does not mean that it is ready: Collector 0.152 opens its receivers while queues on disk are still being set
        // up, and forgets what is queued in that moment, though it acknowledged it.
        let ready = eventually("the Collector is ready or has ended", || {
            let ended = self.running.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
            (ended || self.said().contains("Everything is ready.")).then_some(!ended)
        });
        if !ready {
            self.running = None;
        }
        ready
    }

    fn spawn(&mut self) {
        let How { program, files, env, folder } = &self.how;
        // Each start has a log of its own: what the last one said is not what this one says.
        self.log = folder.join(format!("collector-{}.log", self.starts));
        self.starts += 1;
        let mut command = Command::new(program);
        for file in files {
            command.arg("--config").arg(file);
        }
        command.env("COLLECTOR_GRPC_ENDPOINT", self.grpc.to_string()).env("COLLECTOR_HTTP_ENDPOINT", self.http.to_string());
        command.env("COLLECTOR_HEALTH_ENDPOINT", self.health.to_string()).env("COLLECTOR_METRICS_PORT", self.metrics.port().to_string());
        command.env("COLLECTOR_STORAGE", folder.join("collector-storage")).env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command.envs(env.iter().map(|(name, value)| (name, value))).current_dir(folder);
        let said = std::fs::File::create(&self.log).unwrap();
        self.running = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap());
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.running.as_ref().unwrap().id()
    }

    /// The sum of a figure of its own, over all exporters; 0 where it does not stand there (yet).
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let request = HttpRequest { method: "GET", path: "/metrics", headers: Vec::new(), body: b"", chunked: false };
        let text = String::from_utf8(http(self.metrics, &request).unwrap().1.body).unwrap();
        let values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} ")?.1.parse::<u64>().ok());
        values.sum()
    }

    /// What it wrote to stderr since its last start.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let Some(child) = &mut self.running else { return };
        // Both fail only if it has ended already.
        child.kill().ok();
        child.wait().ok();
    }
}
