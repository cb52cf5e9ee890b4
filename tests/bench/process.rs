//! Servers as processes of their own, pinned to a core, and what the kernel counted for them.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::load::Outcome;
use crate::support::otelcol::Collector;
use crate::support::receiver::Receiver;

/// What a load cost a server.
pub(crate) struct Cost {
    pub(crate) outcome: Outcome,
    pub(crate) cpu_seconds: f64,
    pub(crate) rss_peak_mib: f64,
    pub(crate) stored_bytes: Option<u64>,
}

impl Cost {
    /// CPU seconds per million spans received.
    pub(crate) fn per_million(&self) -> f64 {
        self.cpu_seconds / self.outcome.spans as f64 * 1e6
    }
}

/// A process whose use of the machine is measured.
pub(crate) trait Process {
    fn pid(&self) -> u32;
}

impl Process for Receiver {
    fn pid(&self) -> u32 {
        Receiver::pid(self)
    }
}

impl Process for Collector {
    fn pid(&self) -> u32 {
        Collector::pid(self)
    }
}

/// A server started by this program from its own executable. Killed when dropped.
pub(crate) struct Own {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Own {
    /// Starts one of the modes that say their address first.
    pub(crate) fn start(mode: &str) -> Own {
        let mut child = Command::new(std::env::current_exe().unwrap()).arg(mode).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Own { child, address: line.trim().parse().unwrap() }
    }
}

impl Process for Own {
    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A running server on its core.
pub(crate) struct Pinned<T> {
    pub(crate) running: T,
}

impl<T: Process> Pinned<T> {
    /// User and system time so far, of threads that have ended, too.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let pid = self.running.pid();
        // Nanoseconds on the processor, thread by thread, without those that ended.
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(|t| t.unwrap().path().join("schedstat"));
        let nanos = tasks.filter_map(|f| std::fs::read_to_string(f).ok()?.split_whitespace().next()?.parse::<f64>().ok());
        let of_threads = nanos.sum::<f64>() / 1e9;
        // Of the whole process, those that ended included, but each of the two numbers rounded down to a tick: so this one counts where
        // more is missing than rounding explains.
        let of_process = ticks(&std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap()) / TICKS_PER_SECOND;
        if of_process > of_threads + 2.0 / TICKS_PER_SECOND { of_process } else { of_threads }
    }

    /// Peak of resident memory.
    pub(crate) fn rss_peak_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.running.pid())).unwrap();
        let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

/// Of `/proc/PID/stat`, on every Linux.
pub(crate) const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of a `/proc/PID/stat`.
pub(crate) fn ticks(stat: &str) -> f64 {
    // Fields 14 and 15, counted behind the name, which may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11..13].iter().map(|f| f.parse::<f64>().unwrap()).sum()
}

const SERVER_CORE: u32 = 1;
const CLIENT_CORE: u32 = 0;

pub(crate) fn can_pin() -> bool {
    let cores = std::thread::available_parallelism().unwrap().get();
    cores > 1 && Command::new("taskset").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// Starts a server so that it and its threads see one core only, then moves this process to another.
pub(crate) fn pinned_server<T>(start: impl FnOnce() -> T) -> Pinned<T> {
    move_to(SERVER_CORE);
    let running = start();
    move_to(CLIENT_CORE);
    Pinned { running }
}

/// Moves this process, and what it starts from now on, away from the core of servers that are measured.
pub(crate) fn on_client_core<T>(start: impl FnOnce() -> T) -> T {
    move_to(CLIENT_CORE);
    start()
}

fn move_to(core: u32) {
    // Without taskset the measurement is still one, only a noisier one; `measure` says so.
    let own = std::process::id().to_string();
    Command::new("taskset").args(["-a", "-p", "-c", &core.to_string(), &own]).stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
}

pub(crate) fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|l| l.strip_prefix("model name")).and_then(|l| l.split_once(": "));
    model.map_or("unknown processor".to_owned(), |(_, name)| name.to_owned())
}
