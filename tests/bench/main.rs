//! What a span costs, in CPU-seconds of the server process per million spans, beside a bare tonic + prost receiver that decodes and answers
//! at once, under the same load, in the same run, on the same core.
//!
//! `cargo bench` prints the table, `cargo bench -- ai` that of one load. `cargo bench -- collector` puts a real Collector with its
//! exporters beside spanseal, `-- sizing` tells what a given rate needs, `-- verify` what verifying costs, `-- vault-s3` the requests of a
//! vault in a bucket. `SPANSEAL_BENCH_SCALE=0.1` makes all but the last ten times shorter, with `--profile dev` to try a mode out.
//!
//! The server is pinned to one core and the client to another, so the machine needs two; everything stays
//! on loopback. Each measurement ends after a fixed number of spans or seconds, whichever comes first. Other work on the machine makes
//! times worse but ratios only a little: compare ratios.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "a measurement stops at the first surprise, and its numbers are shown rounded"
)]

#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests")]
mod support;
#[path = "../fuzz/noise.rs"]
#[allow(dead_code, reason = "shared with the fuzz targets")]
mod noise;
mod arrived;
mod collector;
mod discard;
mod load;
mod process;
mod proxy;
mod reference;
mod sizing;
mod vault_s3;
mod verify;

use std::path::Path;
use std::time::Duration;

use load::{Mix, Outcome};
use process::{Cost, Pinned};
use support::receiver::{Options, Site};

/// One line of the table.
struct Row {
    mix: Mix,
    server: &'static str,
    cost: Cost,
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("reference") => reference::serve(),
        Some("discard") => discard::serve(),
        // For a profiler: promotion alone, in this process, without network and pinning.
        Some("promote") => discard::promote_alone(),
        // Requests and bytes of a vault in a bucket: counts, so the machine does not matter.
        Some("vault-s3") => vault_s3::measure(),
        // Records a second and core, and what SHA-256 and zstd take of it.
        Some("verify") => verify::measure(),
        // The Collector with its exporters, and spanseal, on one machine.
        Some("collector") => {
            say_machine();
            collector::measure(scale());
        }
        // What a machine and a bucket need at 1 to 1000 AI spans a second.
        Some("sizing") => {
            say_machine();
            sizing::measure(scale());
        }
        // `cargo bench -- ai` measures one load only.
        Some(word) if Mix::named(word).is_some() => measure(Mix::named(word).as_slice()),
        // `cargo bench` passes `--bench`.
        _ => measure(&Mix::ALL),
    }
}

/// `SPANSEAL_BENCH_SCALE`, a number that shortens or lengthens the whole: 1 is a million spans of the cheap loads.
fn scale() -> f64 {
    std::env::var("SPANSEAL_BENCH_SCALE").ok().and_then(|s| s.parse().ok()).unwrap_or(1.0)
}

fn say_machine() {
    println!("machine: {}, {} cores", process::cpu_model(), std::thread::available_parallelism().unwrap());
    println!("pinning: {}", if process::can_pin() { "server on core 1, client on core 0" } else { "none (no taskset or one core)" });
}

fn measure(mixes: &[Mix]) {
    say_machine();
    let mut rows = Vec::new();
    for mix in mixes.iter().copied() {
        let load = load::Load::new(mix);
        println!("\n{}: {} spans and {} bytes a request", mix.title(), load.spans_per_request, load.request_bytes());
        let spans = (mix.spans() as f64 * scale()) as u64;
        rows.push(own(mix, &load, spans, "reference", "tonic + prost, answers at once"));
        rows.push(own(mix, &load, spans, "discard", "spanseal, promoted and discarded"));
        rows.push(sealed(mix, &load, spans, Content::Hash));
        if mix != Mix::Plain {
            rows.push(sealed(mix, &load, spans, Content::Vault));
        }
    }
    print_table(&rows);
}

/// A server of this program: the reference, or the product without what comes after promotion.
fn own(mix: Mix, load: &load::Load, spans: u64, mode: &str, server: &'static str) -> Row {
    let running = process::pinned_server(|| process::Own::start(mode));
    let (outcome, cpu_seconds) = run(load, &running, running.running.address, spans);
    Row { mix, server, cost: Cost { outcome, cpu_seconds, rss_peak_mib: running.rss_peak_mib(), stored_bytes: None } }
}

/// Where content goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Nowhere: it is held by keyed hash.
    Hash,
    /// Into a vault in a local folder, the default.
    Vault,
}

/// The real binary, every answer a receipt, on a local folder.
fn sealed(mix: Mix, load: &load::Load, spans: u64, content: Content) -> Row {
    let (server_is, more, identity) = match content {
        Content::Hash => ("spanseal, sealed to a local folder", "content: {mode: hash}", "mode: keyed, "),
        Content::Vault => ("spanseal, sealed, content in the vault", "", ""),
    };
    // Long enough for seals of a useful size, short enough that the client's requests in flight keep the server busy.
    let site =
        Site::with(Options { max_delay: "100ms".to_owned(), more: more.to_owned(), identity: identity.to_owned(), ..Options::default() });
    let server = process::pinned_server(|| site.serve());
    let (outcome, cpu_seconds) = run(load, &server, server.running.grpc, spans);
    assert_eq!(outcome.promoted, outcome.ai_spans, "as many records as AI spans");
    let rss_peak_mib = server.rss_peak_mib();
    drop(server);
    let vault = site.path("store-vault");
    let stored_bytes = Some(bytes_below(&site.path("store")) + if vault.exists() { bytes_below(&vault) } else { 0 });
    Row { mix, server: server_is, cost: Cost { outcome, cpu_seconds, rss_peak_mib, stored_bytes } }
}

fn run<T: process::Process>(load: &load::Load, server: &Pinned<T>, address: std::net::SocketAddr, spans: u64) -> (Outcome, f64) {
    // Connections, allocator, first pages: not what is measured.
    load.send(address, spans / 20, Duration::from_secs(5));
    let before = server.cpu_seconds();
    let outcome = load.send(address, spans, Duration::from_secs(30));
    (outcome, server.cpu_seconds() - before)
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap());
    entries.map(|e| if e.file_type().unwrap().is_dir() { bytes_below(&e.path()) } else { e.metadata().unwrap().len() }).sum()
}

fn print_table(rows: &[Row]) {
    println!();
    println!(
        "{:<26} {:<40} {:>9} {:>12} {:>7} {:>10} {:>9} {:>9} {:>8} {:>12}",
        "load", "server", "spans", "CPU s/1M", "ratio", "spans/s", "p50 ms", "p99 ms", "RSS MiB", "B/AI span"
    );
    for row in rows {
        let reference = rows.iter().find(|r| r.mix == row.mix).unwrap().cost.per_million();
        // The warm-up's records are stored too: they are a twentieth more.
        let stored = row.cost.stored_bytes.filter(|_| row.cost.outcome.ai_spans > 0);
        let each = stored.map_or("-".to_owned(), |bytes| format!("{:.0}", bytes as f64 / (row.cost.outcome.ai_spans as f64 * 1.05)));
        println!(
            "{:<26} {:<40} {:>9} {:>12.3} {:>7.2} {:>10.0} {:>9.1} {:>9.1} {:>8.0} {:>12}",
            row.mix.title(),
            row.server,
            row.cost.outcome.spans,
            row.cost.per_million(),
            row.cost.per_million() / reference,
            row.cost.outcome.spans as f64 / row.cost.outcome.elapsed.as_secs_f64(),
            row.cost.outcome.percentile_ms(0.50),
            row.cost.outcome.percentile_ms(0.99),
            row.cost.rss_peak_mib,
            each,
        );
    }
    println!(
        "\nCPU s/1M: user and system time of the server process per million spans received. ratio: to the first line of the same load."
    );
    println!("The load without AI spans is what receiving and classifying costs; nothing of it is sealed.");
}
