//! What a machine needs for a given rate of AI spans, measured at that rate, on S3 with Object Lock and a vault in a bucket of its own.
//!
//! At low rates a seal holds few records, so its own files and requests count for more than records do: no figure of a busy server says
//! what a quiet one needs. Everything is as an operator gets it who sets nothing: a seal a second. Requests and bytes are counted on the
//! way to a real MinIO.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::arrived::{Listed, versions};
use crate::load::{Load, Mix};
use crate::process;
use crate::proxy::{Counted, Proxy};
use crate::support::captures::Signal;
use crate::support::otlp::GrpcClient;
use crate::support::receiver::{Options, Site};
use crate::support::runtime;
use crate::support::s3::{Bucket, S3Server};

const RATES: [u64; 4] = [1, 10, 100, 1000];
/// Of a request: an application's batch in a busy moment. At lower rates a request has a second's spans.
const SPANS_PER_REQUEST_MAX: u64 = 50;
/// Measured at each rate.
const SECONDS: f64 = 40.0;
/// Sent before that.
const SECONDS_FIRST: f64 = 3.0;

/// `checkpoint` and the tiles before it, while the log grows.
const PUBLISHED_EVERY_SECONDS: f64 = 10.0;

const SECONDS_A_DAY: f64 = 86_400.0;
const DAYS_A_YEAR: f64 = 365.0;
const DAYS_A_MONTH: f64 = DAYS_A_YEAR / 12.0;

/// What was counted in so many seconds.
struct Measured {
    rate: u64,
    seconds: f64,
    spans: u64,
    cpu_seconds: f64,
    rss_peak_mib: f64,
    counted: Counted,
    stored: Stored,
}

/// Bytes by what becomes of them.
#[derive(Clone, Copy, Default)]
struct Stored {
    /// Segments and seals: locked for their time.
    evidence: u64,
    /// Of these, seals.
    seals: u64,
    seal_bytes: u64,
    vault: u64,
}

impl Stored {
    fn of(evidence: &[Listed], vault: &[Listed]) -> Stored {
        let part = |name: &str| evidence.iter().filter(|v| v.key.contains(name)).map(|v| v.bytes).collect::<Vec<_>>();
        let (segments, seals) = (part("/segments/"), part("/seals/"));
        let seal_bytes: u64 = seals.iter().sum();
        Stored {
            evidence: segments.iter().sum::<u64>() + seal_bytes,
            seals: seals.len() as u64,
            seal_bytes,
            vault: vault.iter().map(|v| v.bytes).sum(),
        }
    }

    fn since(self, before: Stored) -> Stored {
        Stored {
            evidence: self.evidence - before.evidence,
            seals: self.seals - before.seals,
            seal_bytes: self.seal_bytes - before.seal_bytes,
            vault: self.vault - before.vault,
        }
    }
}

/// What follows for a day, a month and a year. Separate, so that the arithmetic can be read.
struct Needs {
    cores: f64,
    memory_mib: f64,
    bytes_a_day: f64,
    vault_bytes_a_day: f64,
    puts_a_month: f64,
    gets_a_month: f64,
}

/// Of an id in the window in which resent spans are recognised, and the bound of all of them (`seal.dedup_bytes`).
const DEDUP_ENTRY_BYTES: f64 = 120.0;
const DEDUP_BYTES_MAX: f64 = 64.0 * 1048576.0;
const DEDUP_WINDOW_SECONDS: f64 = 3600.0;

fn needs(measured: &Measured) -> Needs {
    let Measured { rate, seconds, cpu_seconds, rss_peak_mib, counted, stored, .. } = measured;
    let a_day = |what: f64| what / seconds * SECONDS_A_DAY;
    // A full bundle holds the entry of every seal again, and a full tile 32 bytes for each: both come with the 256th seal, so what was
    // measured does not show them. An entry is less than its seal.
    let tiles = stored.seal_bytes as f64 + stored.seals as f64 * 32.0;
    // An hour's ids, of which the measured time had put a part into memory already.
    let dedup = (*rate as f64 * DEDUP_WINDOW_SECONDS * DEDUP_ENTRY_BYTES).min(DEDUP_BYTES_MAX) / 1048576.0;
    Needs {
        cores: cpu_seconds / seconds,
        memory_mib: rss_peak_mib + dedup,
        bytes_a_day: a_day(stored.evidence as f64 + tiles),
        vault_bytes_a_day: a_day(stored.vault as f64),
        puts_a_month: a_day(counted.puts as f64) * DAYS_A_MONTH,
        gets_a_month: a_day(counted.gets as f64) * DAYS_A_MONTH,
    }
}

/// Sends at a rate, each request when it is due, whether the one before it was answered or not.
fn send(address: SocketAddr, load: &Load, rate: u64, seconds: f64) -> u64 {
    let every = Duration::from_secs_f64(load.spans_per_request as f64 / rate as f64);
    let requests = (seconds / every.as_secs_f64()) as u64;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = GrpcClient::connect(address).await.unwrap();
        let mut due = tokio::time::interval(every);
        let mut open = tokio::task::JoinSet::new();
        for _ in 0..requests {
            due.tick().await;
            let (client, body) = (client.clone(), load.fresh_body());
            open.spawn(async move { client.export(Signal::Traces, body, false).await.unwrap().promoted() });
        }
        open.join_all().await.into_iter().sum()
    })
}

fn measure_rate(server: &'static S3Server, rate: u64, seconds: f64) -> Measured {
    let load = Load::drawn_by(Mix::Ai, rate.min(SPANS_PER_REQUEST_MAX));
    let proxy = Proxy::start(&server.endpoint);
    let (evidence, vault) =
        runtime().block_on(async { (server.fresh_bucket(Bucket::Locked).await, server.fresh_bucket(Bucket::Plain).await) });
    let mut env: BTreeMap<_, _> = server.environment().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    env.insert("AWS_ENDPOINT_URL".to_owned(), proxy.endpoint.clone());
    let site = Site::with(Options {
        store: format!("s3://{evidence}/evidence"),
        max_delay: "1s".to_owned(),
        more: format!("content: {{vault: {{url: 's3://{vault}/vault'}}}}"),
        env: env.into_iter().collect(),
        ..Options::default()
    });
    let serving = process::pinned_server(|| site.serve());
    let stored = || runtime().block_on(async { Stored::of(&versions(server, &evidence).await, &versions(server, &vault).await) });
    send(serving.running.grpc, &load, rate, SECONDS_FIRST.max(1.0 / rate as f64));
    let (stored_before, counted_before, cpu_before) = (stored(), proxy.counted(), serving.cpu_seconds());
    let spans = send(serving.running.grpc, &load, rate, seconds);
    let cpu_seconds = serving.cpu_seconds() - cpu_before;
    let counted = proxy.counted().since(counted_before);
    let stored = stored().since(stored_before);
    Measured { rate, seconds, spans, cpu_seconds, rss_peak_mib: serving.rss_peak_mib(), counted, stored }
}

/// The table, in a few minutes.
pub(crate) fn measure(scale: f64) {
    let Some(server) = process::on_client_core(S3Server::minio) else {
        println!("no MinIO is installed: nothing was measured");
        return;
    };
    println!(
        "AI spans with 1 KB of content; {:.0} seconds at each rate, a seal a second, S3 with Object Lock, content in a bucket's vault\n",
        SECONDS * scale
    );
    println!(
        "{:>10} {:>8} {:>9} {:>12} {:>12} {:>13} {:>13} {:>12} {:>12} {:>9} {:>9}",
        "AI spans/s",
        "cores",
        "RAM MiB",
        "evidence/day",
        "vault/day",
        "evidence/year",
        "vault/year",
        "PUT/month",
        "GET/month",
        "B/span",
        "vault B"
    );
    let mut passing_bytes = 0.0_f64;
    for rate in RATES {
        let measured = measure_rate(server, rate, SECONDS * scale);
        let needs = needs(&measured);
        println!(
            "{:>10} {:>8.3} {:>9.0} {:>12} {:>12} {:>13} {:>13} {:>12} {:>12} {:>9.0} {:>9.0}",
            rate,
            needs.cores,
            needs.memory_mib,
            bytes(needs.bytes_a_day),
            bytes(needs.vault_bytes_a_day),
            bytes(needs.bytes_a_day * DAYS_A_YEAR),
            bytes(needs.vault_bytes_a_day * DAYS_A_YEAR),
            millions(needs.puts_a_month),
            millions(needs.gets_a_month),
            measured.stored.evidence as f64 / measured.spans as f64,
            measured.stored.vault as f64 / measured.spans as f64,
        );
        passing_bytes = passing_bytes.max(passing(&measured));
    }
    println!(
        "\nbesides, for the day or two until the lifecycle rules take them: partial tiles and bundles, {} a day",
        bytes(passing_bytes)
    );
    print!("{NOTE}");
}

/// Bytes of a day in partial tiles and bundles. On average half full, so the first minutes that are measured do not show them.
fn passing(measured: &Measured) -> f64 {
    let entries_of_half_a_tile = 128.0;
    let entry_bytes = measured.stored.seal_bytes as f64 / (measured.stored.seals as f64).max(1.0) + 32.0;
    SECONDS_A_DAY / PUBLISHED_EVERY_SECONDS * entries_of_half_a_tile * entry_bytes
}

fn bytes(bytes: f64) -> String {
    let (divisor, unit) = if bytes >= 1e12 {
        (1e12, "TB")
    } else if bytes >= 1e9 {
        (1e9, "GB")
    } else {
        (1e6, "MB")
    };
    format!("{:.1} {unit}", bytes / divisor)
}

fn millions(number: f64) -> String {
    format!("{:.1} M", number / 1e6)
}

const NOTE: &str = "
cores: of this machine, at a steady rate; leave room for bursts. RAM: peak of resident memory plus an hour of ids by which resent spans are
known (at most `seal.dedup_bytes`). evidence: segments, seals and the full tiles and bundles that repeat the seals, for as long as the
retention class says; vault: content, for as long as `content.vault.retention` says. GET: GET, HEAD and listings. GB: 10^9 bytes.
";
