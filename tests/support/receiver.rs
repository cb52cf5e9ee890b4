//! The `spanseal` binary as a user has it: `serve` as a process with free ports, and the other commands beside it.
//!
//! Only processes started here are ended, each by its own handle.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use serde_json::Value;

use super::PATIENCE;
use super::otlp::{HttpRequest, http};

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_spanseal");

/// A store, its keys and its configuration, for any number of receivers one after the other.
pub(crate) struct Site {
    pub(crate) dir: tempfile::TempDir,
    env: Vec<(String, String)>,
    pub(crate) config: PathBuf,
}

/// What differs from the defaults of a [`Site`].
#[derive(Default)]
pub(crate) struct Options {
    /// `store.url`; a directory of the site's own if empty.
    pub(crate) store: String,
    /// More lines of YAML at the top level; may not repeat `receivers`, `store`, `log`, `identity`, `seal` and `api`.
    pub(crate) more: String,
    /// Lines inside `store:`, indented by two.
    pub(crate) store_lines: String,
    /// `seal.max_delay`; short if empty, because a test waits for each seal.
    pub(crate) max_delay: String,
    /// More members of `identity:`, each with its comma: `mode: keyed, `.
    pub(crate) identity: String,
    /// More members of `log:`, in the same way.
    pub(crate) log: String,
    /// Environment of every command (credentials).
    pub(crate) env: Vec<(String, String)>,
    /// Where OTLP/gRPC listens; a free port of each process's own if `None`.
    pub(crate) grpc: Option<SocketAddr>,
}

impl Site {
    /// On a fresh local store.
    pub(crate) fn local() -> Site {
        Site::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Site {
        let dir = tempfile::Builder::new().prefix("spanseal-test-").tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let store = if options.store.is_empty() { format!("file://{}", at("store")) } else { options.store };
        let grpc = options.grpc.unwrap_or_else(unset);
        let mut yaml = format!("receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '{grpc}'}}, http: {{endpoint: '127.0.0.1:0'}}}}}}}}\n");
        writeln!(yaml, "store:\n  url: '{store}'\n{}", options.store_lines).unwrap();
        writeln!(
            yaml,
            "log: {{{}key_file: '{}'}}\nidentity: {{{}key_file: '{}'}}",
            options.log,
            at("log.key"),
            options.identity,
            at("identity.key")
        )
        .unwrap();
        let max_delay = if options.max_delay.is_empty() { "20ms".to_owned() } else { options.max_delay };
        writeln!(yaml, "seal: {{max_delay: {max_delay}}}").unwrap();
        writeln!(yaml, "api: {{endpoint: '127.0.0.1:0'}}\n{}", options.more).unwrap();
        let config = dir.path().join("spanseal.yaml");
        std::fs::write(&config, yaml).unwrap();
        Site { dir, env: options.env, config }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .env_remove("SPANSEAL_CONFIG")
            .env_remove("SPANSEAL_STORE");
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs one command with the site's configuration to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        let config = self.config.display().to_string();
        let mut all = arguments.to_vec();
        all.extend(["--config", &config]);
        Finished::of(self.command(&all))
    }

    /// Starts one that the test ends by itself; what it says is collected at its end.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let config = self.config.display().to_string();
        let mut all = arguments.to_vec();
        all.extend(["--config", &config]);
        self.command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The same by somebody else, with a configuration of theirs.
    pub(crate) fn run_as(&self, env: Vec<(&'static str, String)>, config: &Path, arguments: &[&str]) -> Finished {
        let config = config.display().to_string();
        let mut all = arguments.to_vec();
        all.extend(["--config", &config]);
        let mut command = self.command(&all);
        command.envs(env);
        Finished::of(command)
    }

    /// Every sealed line that is not the product's own act, exactly as sealed.
    pub(crate) fn sealed_lines(&self) -> Vec<String> {
        let out = self.run(&["query", "--format", "jsonl"]).success();
        let own = |line: &&str| serde_json::from_str::<Value>(line).is_ok_and(|r| r["source"]["signal"] == "control");
        out.stdout.lines().filter(|line| !own(line)).map(str::to_owned).collect()
    }

    /// `verify --json`, which must say `verified`.
    pub(crate) fn verified(&self) -> Value {
        let out = self.run(&["verify", "--json"]);
        let report: Value = serde_json::from_str(&out.stdout).unwrap_or_else(|e| panic!("verify --json printed no JSON ({e}): {out}"));
        assert_eq!(report["verdict"], "verified", "{out}");
        assert_eq!(out.status.code(), Some(0), "{out}");
        report
    }

    /// Every record as a reader gets it, with where it lies and how often else: `query --format json`.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let out = self.run(&["query", "--format", "json"]).success();
        serde_json::from_str(&out.stdout).unwrap_or_else(|e| panic!("query --format json printed no JSON ({e}): {out}"))
    }

    /// Starts `serve` and waits until it has said where it listens.
    pub(crate) fn serve(&self) -> Receiver {
        let config = self.config.display().to_string();
        let mut child = self.command(&["serve", "--config", &config]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new((Mutex::new(Said::default()), Condvar::new()));
        let stderr = child.stderr.take().unwrap();
        let listener = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                listener.0.lock().unwrap().hear(&String::from_utf8_lossy(&line));
                listener.1.notify_all();
            }
            listener.0.lock().unwrap().ended = true;
            listener.1.notify_all();
        });
        let mut receiver = Receiver { child, said, grpc: unset(), http: unset(), api: unset() };
        receiver.wait_until_listening();
        receiver
    }
}

fn unset() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// What a receiver wrote to stderr.
#[derive(Default)]
struct Said {
    text: String,
    addresses: Vec<(&'static str, SocketAddr)>,
    ended: bool,
}

impl Said {
    fn hear(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.addresses.extend(addresses(line));
    }

    fn address(&self, name: &str) -> Option<SocketAddr> {
        self.addresses.iter().find(|(n, _)| *n == name).map(|(_, address)| *address)
    }
}

/// Every loopback address of a line with the word that says whose it is, before it or else after it: `grpc=127.0.0.1:4317`, or
/// `listening 127.0.0.1:4317  OTLP/gRPC`.
fn addresses(line: &str) -> Vec<(&'static str, SocketAddr)> {
    const LOOPBACK: &str = "127.0.0.1:";
    const NAMES: [&str; 3] = ["grpc", "http", "api"];
    let line = line.to_lowercase().replace("http://", " ");
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = line[from..].find(LOOPBACK).map(|at| from + at) {
        let end = line[at..].find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').map_or(line.len(), |end| at + end);
        let next = line[end..].find(LOOPBACK).map_or(line.len(), |next| end + next);
        let (before, after) = (&line[from..at], &line[end..next]);
        let nearest_before = NAMES.into_iter().filter_map(|name| Some((before.rfind(name)?, name))).max();
        let nearest_after = NAMES.into_iter().filter_map(|name| Some((after.find(name)?, name))).min();
        if let (Some((_, name)), Ok(address)) = (nearest_before.or(nearest_after), line[at..end].trim_end_matches([':', '.']).parse()) {
            found.push((name, address));
        }
        from = end;
    }
    found
}

/// A running `serve`. Killed when dropped.
pub(crate) struct Receiver {
    child: Child,
    said: Arc<(Mutex<Said>, Condvar)>,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) api: SocketAddr,
}

impl Receiver {
    fn wait_until_listening(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let mut said = self.said.0.lock().unwrap();
        loop {
            // An API that listens on all addresses has none here, but says that it listens.
            let api = said.address("api").or_else(|| said.text.contains("API (health").then(unset));
            if let (Some(grpc), Some(http), Some(api)) = (said.address("grpc"), said.address("http"), api) {
                (self.grpc, self.http, self.api) = (grpc, http, api);
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!said.ended && !left.is_zero(), "serve did not say where it listens:\n{}", said.text);
            said = self.said.1.wait_timeout(said, left).unwrap().0;
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One figure of its `/metrics`, by its name with labels; 0 where these labels do not stand there (yet).
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let request = HttpRequest { method: "GET", path: "/metrics", headers: Vec::new(), body: b"", chunked: false };
        let text = String::from_utf8(http(self.api, &request).unwrap().1.body).unwrap();
        let family = name.split('{').next().unwrap();
        assert!(text.contains(&format!("# TYPE {family} ")), "there is no {family}");
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()).unwrap_or(0)
    }

    /// Everything it wrote to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        self.said.0.lock().unwrap().text.clone()
    }

    /// `kill -9`: no drain, no goodbye.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and the exit status after its drain.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        super::eventually("serve ends after SIGTERM", || self.child.try_wait().unwrap())
    }

    /// Fails the test if the process has ended or a task of it has panicked.
    pub(crate) fn assert_healthy(&mut self) {
        let ended = self.child.try_wait().unwrap();
        let text = self.stderr();
        assert!(ended.is_none() && !text.contains("panicked at"), "serve ({}) is not healthy ({ended:?}):\n{text}", self.pid());
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A command that has ended.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    what: String,
}

impl Finished {
    pub(crate) fn of(mut command: Command) -> Finished {
        let what = format!("{command:?}");
        let out = command.output().unwrap_or_else(|e| panic!("{what}: {e}"));
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_else(|e| panic!("{what}: output is no UTF-8: {e}"));
        Finished { status: out.status, stdout: text(out.stdout), stderr: text(out.stderr), what }
    }

    #[track_caller]
    pub(crate) fn success(self) -> Finished {
        assert!(self.status.success(), "{self}");
        self
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head: String = self.stdout.chars().take(4000).collect();
        write!(f, "{} ({})\n--- stdout\n{head}\n--- stderr\n{}", self.what, self.status, self.stderr)
    }
}

/// Addresses are found in the ways a program may say them.
#[test]
fn addresses_are_read_out_of_lines() {
    let port = |line: &str| addresses(line).into_iter().map(|(name, at)| (name, at.port())).collect::<Vec<_>>();
    assert_eq!(port("listening grpc=127.0.0.1:1 http=127.0.0.1:2 api=http://127.0.0.1:3"), [("grpc", 1), ("http", 2), ("api", 3)]);
    assert_eq!(port("listening 127.0.0.1:4317  OTLP/gRPC"), [("grpc", 4317)]);
    assert_eq!(port("listening 127.0.0.1:8720  API (health, metrics, checkpoint)"), [("api", 8720)]);
    assert_eq!(port("store at 127.0.0.1:9000"), []);
}
