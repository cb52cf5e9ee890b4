//! A real Collector and spanseal under the same load, in the same run, on the same core: what keeping AI spans costs.
//!
//! The Collector is set up as a careful operator would, and each setting says why. Batches of 8192 spans or a second: the batch
//! processor's own number, and bytes enough for a compressor and for an object of some megabytes. In front of the file exporter the batch
//! processor makes them, because that exporter has no queue; in front of the S3 exporter its queue does. That queue holds 64 Ki spans,
//! about what spanseal's pool holds, and lets senders wait when it is full; failed uploads are tried again for ever: nothing that was
//! acknowledged is given up. No memory limiter and no metrics of its own: both would only cost.
//!
//! What is counted is complete. Before the processor time is read, before and after the load, what was acknowledged has arrived where it
//! is stored: the file or the bucket is read and its spans are counted; of spanseal's log, which is verified, the records.
//!
//! KNOWN GAP: the aims were a tenth of the Collector's processor time at 5 % AI spans and a third where all are AI spans of 1 KB. It is a third
//! to an eighth, and about as much as protobuf in a file or a bucket; the README's table has the figures. What is left is spread evenly over
//! reading, converting, hashing and compressing what is sealed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use spanseal::collector::filter::{FILTER, MARKING, UNMARKING};

use crate::arrived::{Arrived, Place, Reader, versions};
use crate::bytes_below;
use crate::load::{Load, Mix, Outcome};
use crate::process::{self, Cost, Own, Pinned, Process};
use crate::support::otelcol::{self, Collector};
use crate::support::receiver::{BINARY, Finished, Options, Site};
use crate::support::s3::{Bucket, S3Server};
use crate::support::{eventually, runtime};

/// What a success answer of it means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Received,
    Queued,
    OnDisk,
    Sealed,
}

impl Answer {
    fn says(self) -> &'static str {
        match self {
            Answer::Received => "received",
            Answer::Queued => "queued",
            Answer::OnDisk => "on disk",
            Answer::Sealed => "sealed",
        }
    }
}

/// What a Collector does with what it received.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exporter {
    Nop,
    FileJson,
    FileProto,
    S3Json,
    S3Proto,
    /// The same, from a queue on disk.
    S3ProtoOnDisk,
}

/// What it keeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Passes {
    Everything,
    /// What `spanseal collector filter` passes.
    Ai,
    /// What one condition passes that somebody wrote who knows that their AI spans have `gen_ai.operation.name`, all of them: the least
    /// that a filter can cost.
    HasOperation,
}

/// Where spanseal seals, and where content goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seals {
    in_s3: bool,
    vault: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Server {
    Reference,
    Spanseal(Seals),
    Collector(Passes, Exporter),
}

/// In the order in which they are measured and shown.
const SERVERS: [Server; 16] = [
    Server::Reference,
    Server::Spanseal(Seals { in_s3: false, vault: false }),
    Server::Spanseal(Seals { in_s3: false, vault: true }),
    Server::Spanseal(Seals { in_s3: true, vault: false }),
    Server::Spanseal(Seals { in_s3: true, vault: true }),
    Server::Collector(Passes::Everything, Exporter::Nop),
    Server::Collector(Passes::Ai, Exporter::Nop),
    Server::Collector(Passes::HasOperation, Exporter::Nop),
    Server::Collector(Passes::Everything, Exporter::FileJson),
    Server::Collector(Passes::Everything, Exporter::FileProto),
    Server::Collector(Passes::Ai, Exporter::FileProto),
    Server::Collector(Passes::HasOperation, Exporter::FileProto),
    Server::Collector(Passes::Everything, Exporter::S3Json),
    Server::Collector(Passes::Ai, Exporter::S3Json),
    Server::Collector(Passes::Ai, Exporter::S3Proto),
    Server::Collector(Passes::Ai, Exporter::S3ProtoOnDisk),
];

impl Server {
    fn title(self) -> String {
        match self {
            Server::Reference => "tonic + prost, answers at once".to_owned(),
            Server::Spanseal(Seals { in_s3, vault }) => {
                let place = if in_s3 { "S3 with Object Lock" } else { "local folder" };
                let content = if vault { "content in the vault" } else { "content by hash" };
                format!("spanseal, {place}, {content}")
            }
            Server::Collector(passes, exporter) => {
                let exporter = match exporter {
                    Exporter::Nop => "no-op",
                    Exporter::FileJson => "file, JSON",
                    Exporter::FileProto => "file, protobuf zstd",
                    Exporter::S3Json => "S3, JSON gzip",
                    Exporter::S3Proto => "S3, protobuf zstd",
                    Exporter::S3ProtoOnDisk => "queue with fsync, S3, protobuf zstd",
                };
                let filter = match passes {
                    Passes::Everything => "",
                    Passes::Ai => "generated filter, ",
                    Passes::HasOperation => "filter by one key, ",
                };
                format!("Collector, {filter}{exporter}")
            }
        }
    }

    fn answer(self) -> Answer {
        match self {
            Server::Reference | Server::Collector(_, Exporter::Nop) => Answer::Received,
            Server::Spanseal(_) => Answer::Sealed,
            Server::Collector(_, Exporter::S3ProtoOnDisk) => Answer::OnDisk,
            Server::Collector(..) => Answer::Queued,
        }
    }

    fn in_s3(self) -> bool {
        match self {
            Server::Spanseal(seals) => seals.in_s3,
            Server::Collector(_, exporter) => matches!(exporter, Exporter::S3Json | Exporter::S3Proto | Exporter::S3ProtoOnDisk),
            Server::Reference => false,
        }
    }
}

/// All servers under the loads that hold AI spans.
pub(crate) fn measure(scale: f64) {
    let Some(program) = otelcol::program("the Collector beside spanseal") else { return };
    // Before anything is pinned to the server's core, and for all of the run.
    let s3 = process::on_client_core(S3Server::minio);
    if s3.is_none() {
        println!("no MinIO is installed: nothing is measured in S3");
    }
    let load_before = std::fs::read_to_string("/proc/loadavg").unwrap();
    let mut all = Vec::new();
    for mix in [Mix::Web, Mix::Ai] {
        let load = Load::drawn(mix);
        println!("\n{}: {} spans and {} bytes a request, no two alike", mix.title(), load.spans_per_request, load.request_bytes());
        let spans = (mix.spans() as f64 * scale) as u64;
        let bench = Bench { program: &program, s3, load: &load, spans };
        let mut rows = BTreeMap::new();
        for server in SERVERS.into_iter().filter(|server| s3.is_some() || !server.in_s3()) {
            let row = bench.measure(server);
            println!("  {:<66} {:>9.2} CPU s per million spans", server.title(), row.per_million());
            rows.insert(server, row);
        }
        all.push((mix, rows));
    }
    for (mix, rows) in &all {
        print_table(*mix, rows);
    }
    println!("\nload average before and after: {} / {}", load_before.trim(), std::fs::read_to_string("/proc/loadavg").unwrap().trim());
    print!("{NOTE}");
}

struct Bench<'a> {
    program: &'a Path,
    s3: Option<&'static S3Server>,
    load: &'a Load,
    spans: u64,
}

impl Bench<'_> {
    fn measure(&self, server: Server) -> Cost {
        match server {
            Server::Reference => {
                let running = process::pinned_server(|| Own::start("reference"));
                let (outcome, cpu_seconds, _) =
                    self.run(&running, running.running.address, &mut Reader::new(Place::Nowhere), Passes::Everything);
                Cost { outcome, cpu_seconds, rss_peak_mib: running.rss_peak_mib(), stored_bytes: None }
            }
            Server::Spanseal(seals) => self.spanseal(seals),
            Server::Collector(passes, exporter) => self.collector(passes, exporter),
        }
    }

    /// Sends, and counts from a moment when nothing is on its way to one when nothing is any more.
    fn run<T: Process>(
        &self,
        server: &Pinned<T>,
        address: SocketAddr,
        reader: &mut Reader,
        passes: Passes,
    ) -> (Outcome, f64, Option<Arrived>) {
        let arrives = |outcome: &Outcome| if passes == Passes::Everything { outcome.spans } else { outcome.ai_spans };
        let mut wait_for = |spans: u64| {
            eventually("what was acknowledged is stored", || {
                let Some(arrived) = reader.look() else { return Some(None) };
                assert!(arrived.spans <= spans, "{} spans are stored of {spans} that were acknowledged", arrived.spans);
                (arrived.spans == spans).then_some(Some(arrived))
            })
        };
        // Connections, allocator, first pages: not what is measured.
        let first = self.load.send(address, self.spans / 20, Duration::from_secs(5));
        let arrived_first = wait_for(arrives(&first));
        let before = server.cpu_seconds();
        let outcome = self.load.send(address, self.spans, Duration::from_secs(30));
        let arrived = wait_for(arrives(&first) + arrives(&outcome));
        let cpu_seconds = server.cpu_seconds() - before;
        let of_run = |(before, after): (Arrived, Arrived)| Arrived { spans: after.spans - before.spans, bytes: after.bytes - before.bytes };
        (outcome, cpu_seconds, arrived_first.zip(arrived).map(of_run))
    }

    fn collector(&self, passes: Passes, exporter: Exporter) -> Cost {
        let folder = tempfile::Builder::new().prefix("spanseal-bench-").tempdir().unwrap();
        let (files, place) = self.configure(folder.path(), passes, exporter);
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let env = self.s3.map(S3Server::environment).unwrap_or_default();
        let server = process::pinned_server(|| Collector::start(self.program, &files, &env, folder.path()));
        let (outcome, cpu_seconds, arrived) = self.run(&server, server.running.grpc, &mut Reader::new(place), passes);
        Cost { outcome, cpu_seconds, rss_peak_mib: server.rss_peak_mib(), stored_bytes: arrived.map(|a| a.bytes) }
    }

    /// Its files, one over the other: its own, the generated one, and what ties them together.
    fn configure(&self, folder: &Path, passes: Passes, exporter: Exporter) -> (Vec<PathBuf>, Place) {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (exporter_is, batch, place) = self.exporter(folder, exporter);
        let mut files = vec![write("collector.yaml", &format!("{RECEIVER}exporters:\n{exporter_is}"))];
        if exporter == Exporter::S3ProtoOnDisk {
            files.push(write("queue.yaml", QUEUE_ON_DISK));
        }
        if batch {
            files.push(write("batch.yaml", "processors: {batch: {send_batch_size: 8192, timeout: 1s}}\n"));
        }
        let name = exporter_is.trim_start().split(':').next().unwrap();
        let mut processors = Vec::new();
        let mut pipeline = "traces".to_owned();
        if passes == Passes::Ai {
            let generated = Finished::of({
                let mut command = std::process::Command::new(BINARY);
                command.args(["collector", "filter"]).current_dir(folder);
                command
            });
            files.push(write("filter.yaml", &generated.success().stdout));
            processors = vec![MARKING, FILTER, UNMARKING];
            pipeline = "traces/spanseal".to_owned();
        }
        if passes == Passes::HasOperation {
            files.push(write("filter.yaml", FILTER_BY_ONE_KEY));
            processors = vec!["filter/operation"];
        }
        if batch {
            processors.push("batch");
        }
        let processors = processors.join(", ");
        let mut last =
            format!("service:\n  pipelines:\n    {pipeline}: {{receivers: [otlp], processors: [{processors}], exporters: [{name}]}}\n");
        if passes == Passes::Ai {
            // The pipeline of logs is not measured, and nobody answers it.
            last.push_str("    logs/spanseal: {receivers: [otlp], exporters: [nop]}\n");
            files.push(write("nop.yaml", "exporters: {nop: {}}\n"));
        }
        files.push(write("pipelines.yaml", &last));
        (files, place)
    }

    /// An exporter, whether the batch processor stands before it, and where it stores.
    fn exporter(&self, folder: &Path, exporter: Exporter) -> (String, bool, Place) {
        let file = |name: &str| folder.join(name);
        let s3 = |how: &str, queue: &str| {
            let server = self.s3.unwrap();
            let bucket = runtime().block_on(server.fresh_bucket(Bucket::Locked));
            let endpoint = &server.endpoint;
            let yaml = format!(
                "  awss3:\n    s3uploader: {{endpoint: '{endpoint}', region: us-east-1, s3_bucket: {bucket}, s3_force_path_style: true, \
                 disable_ssl: true, unique_key_func_name: uuidv7, {how}\n    timeout: 30s\n    retry_on_failure: {{enabled: true, \
                 max_elapsed_time: 0s}}\n    sending_queue: {{enabled: true, sizer: items, queue_size: 65536, block_on_overflow: true, \
                 {queue}batch: {{flush_timeout: 1s, min_size: 8192}}}}\n"
            );
            (yaml, false, Place::Bucket(server, bucket))
        };
        let json = "compression: gzip}\n    marshaler: otlp_json";
        let proto = "compression: zstd}\n    marshaler: otlp_proto";
        match exporter {
            Exporter::Nop => ("  nop: {}\n".to_owned(), false, Place::Nowhere),
            Exporter::FileJson => {
                (format!("  file: {{path: '{}'}}\n", file("spans.json").display()), true, Place::JsonFile(file("spans.json")))
            }
            Exporter::FileProto => (
                format!("  file: {{path: '{}', format: proto, compression: zstd}}\n", file("spans.zst").display()),
                true,
                Place::ProtoFile(file("spans.zst")),
            ),
            Exporter::S3Json => s3(json, ""),
            Exporter::S3Proto => s3(proto, ""),
            Exporter::S3ProtoOnDisk => s3(proto, "storage: file_storage/spanseal, "),
        }
    }

    fn spanseal(&self, seals: Seals) -> Cost {
        let bucket = |with| self.s3.filter(|_| seals.in_s3).map(|s3| (s3, runtime().block_on(s3.fresh_bucket(with))));
        let (evidence, content) = (bucket(Bucket::Locked), bucket(Bucket::Plain));
        let site = Site::with(Options {
            store: evidence.as_ref().map(|(_, bucket)| format!("s3://{bucket}/evidence")).unwrap_or_default(),
            // As in the other modes: long enough for seals of a useful size, short enough that the client's requests in flight keep the
            // server busy. An operator's second makes fewer and larger seals, which cost less.
            max_delay: "100ms".to_owned(),
            more: match (&content, seals.vault) {
                (_, false) => "content: {mode: hash}".to_owned(),
                (None, true) => String::new(),
                (Some((_, bucket)), true) => format!("content: {{vault: {{url: 's3://{bucket}/vault'}}}}"),
            },
            identity: if seals.vault { String::new() } else { "mode: keyed, ".to_owned() },
            env: self.s3.map(S3Server::environment).unwrap_or_default().into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            ..Options::default()
        });
        let server = process::pinned_server(|| site.serve());
        let stored = || match (&evidence, &content) {
            (Some((s3, evidence)), Some((_, content))) => {
                let in_bucket = |bucket: &String| runtime().block_on(versions(s3, bucket)).iter().map(|v| v.bytes).sum::<u64>();
                in_bucket(evidence) + in_bucket(content)
            }
            _ => ["store", "store-vault"].map(|name| site.path(name)).iter().filter(|p| p.exists()).map(|p| bytes_below(p)).sum(),
        };
        // Answered is sealed: there is nothing to wait for, and the log is verified below.
        let first = self.load.send(server.running.grpc, self.spans / 20, Duration::from_secs(5));
        let (stored_before, before) = (stored(), server.cpu_seconds());
        let outcome = self.load.send(server.running.grpc, self.spans, Duration::from_secs(30));
        let cpu_seconds = server.cpu_seconds() - before;
        let stored_bytes = Some(stored() - stored_before);
        let rss_peak_mib = server.rss_peak_mib();
        assert!(server.running.stop().success(), "serve drains and ends");
        let records = site.verified()["logs"][0]["records"].as_u64().unwrap();
        let sealed = first.promoted + outcome.promoted;
        assert_eq!(sealed, first.ai_spans + outcome.ai_spans, "as many receipts as AI spans");
        assert!(records >= sealed, "{records} records are sealed and proved of {sealed} that were acknowledged");
        Cost { outcome, cpu_seconds, rss_peak_mib, stored_bytes }
    }
}

/// As in the configurations that we hand out, but for the limit: the load's requests are its own.
const RECEIVER: &str = "\
receivers:
  otlp:
    protocols:
      grpc: {endpoint: \"${env:COLLECTOR_GRPC_ENDPOINT}\", max_recv_msg_size_mib: 64}
      http: {endpoint: \"${env:COLLECTOR_HTTP_ENDPOINT}\"}
service: {telemetry: {metrics: {level: none}}}
";

const FILTER_BY_ONE_KEY: &str = "\
processors:
  filter/operation: {error_mode: ignore, trace_conditions: ['span.attributes[\"gen_ai.operation.name\"] == nil']}
";

const QUEUE_ON_DISK: &str = "\
extensions: {file_storage/spanseal: {directory: \"${env:COLLECTOR_STORAGE}\", create_directory: true, fsync: true}}
service: {extensions: [file_storage/spanseal]}
";

/// How many times less processor time spanseal is to take.
fn aim(mix: Mix) -> f64 {
    if mix == Mix::Ai { 3.0 } else { 10.0 }
}

fn print_table(mix: Mix, rows: &BTreeMap<Server, Cost>) {
    println!("\n{}", mix.title());
    println!(
        "{:<66} {:>8} {:>9} {:>10} {:>8} {:>8} {:>9} {:>10}",
        "server", "answer", "CPU s/1M", "B/AI span", "RSS MiB", "spans/s", "x by hash", "x in vault"
    );
    for (server, row) in rows {
        // To spanseal that keeps the same in the same kind of place.
        let to = |vault| {
            let own = rows.get(&Server::Spanseal(Seals { in_s3: server.in_s3(), vault }))?;
            Some(format!("{:.1}", row.per_million() / own.per_million()))
        };
        println!(
            "{:<66} {:>8} {:>9.2} {:>10} {:>8.0} {:>8.0} {:>9} {:>10}",
            server.title(),
            server.answer().says(),
            row.per_million(),
            row.stored_bytes.map_or("-".to_owned(), |bytes| format!("{:.0}", bytes as f64 / row.outcome.ai_spans as f64)),
            row.rss_peak_mib,
            row.outcome.spans as f64 / row.outcome.elapsed.as_secs_f64(),
            to(false).unwrap_or_default(),
            to(true).unwrap_or_default(),
        );
    }
    let of = |passes, exporter| rows.get(&Server::Collector(passes, exporter)).map(Cost::per_million);
    for (passes, what) in [(Passes::Ai, "the generated filter"), (Passes::HasOperation, "a filter by one key")] {
        for (exporter, before) in [(Exporter::Nop, "no-op"), (Exporter::FileProto, "file, protobuf zstd")] {
            if let (Some(with), Some(without)) = (of(passes, exporter), of(Passes::Everything, exporter)) {
                println!("{what} before {before}: {with:.2} CPU s per million spans with it, {without:.2} without it");
            }
        }
    }
    println!("aim: at least {} times less than the Collector's exporters that keep the AI spans", aim(mix));
    for (server, row) in rows.iter().filter(|(server, row)| matches!(server, Server::Collector(..)) && row.stored_bytes.is_some()) {
        let Some(own) = rows.get(&Server::Spanseal(Seals { in_s3: server.in_s3(), vault: true })) else { continue };
        let times = row.per_million() / own.per_million();
        println!("  {:<7} {times:>5.1} times: {}", if times >= aim(mix) { "reached" } else { "missed" }, server.title());
    }
}

const NOTE: &str = "
answer: what a success answer means. spanseal's means sealed: committed under a signature, in S3 with its lock read back. The Collector's
means queued in memory, and lost with the process, or written to its own disk; its file exporter never syncs.
CPU s/1M: user and system time of the server process per million spans received, until all that it acknowledged was stored (counted in the
file or bucket; of spanseal's log, verified). MinIO and the client run on the other core and are not counted.
B/AI span: bytes stored by AI spans sent. Without the filter the Collector stores the other spans, too. By hash no content is stored.
x: times the processor time of spanseal in the same kind of place, of this run, with content by hash and with content in the vault.
Collector: batches of 8192 spans or a second; S3 queue of 64 Ki spans that lets senders wait and never gives up; no metrics of its own.
";
