//! What verifying costs: records and bytes a second and core over a log in a local folder, and how much of that SHA-256 and zstd take alone
//! over the same bytes, in the same run.
//!
//! Counted is processor time of this process, threads that ended included, so that other work on the machine changes little.

use std::time::Instant;

use spanseal::clock::UnixSeconds;
use spanseal::record::canonical::Json;
use spanseal::tlog::Hash;
use spanseal::tlog::merkle::leaf_hash;
use spanseal::verify::{Options, Verdict, verify};
use spanseal::worm::local::{LocalOptions, LocalStore};
use spanseal::worm::{Locks, WormStore};

use crate::process::{TICKS_PER_SECOND, cpu_model, ticks};
use crate::support::forge::{Forge, NOW, Segment, line};
use crate::support::runtime;

/// Records of a segment: a second of a busy application.
const RECORDS: u64 = 500;

/// A record as long as those of model calls are.
fn record(n: u64) -> Vec<u8> {
    let mut record = Json::parse(&line(n % 1000, "span")).unwrap();
    let Json::Object(members) = &mut record else { panic!() };
    members.retain(|(name, _)| name != "id");
    let hash = |what: &str| Json::String(format!("hmac-sha256:66687aad:{}", Hash::of(format!("{what} {n}").as_bytes())));
    let content = |what: &str| Json::object([("bytes", Json::string("1024")), ("captured", Json::string("hash")), ("hash", hash(what))]);
    members.push(("id".into(), Json::String(format!("{n:032x}"))));
    members.push(("input".into(), content("input")));
    members.push(("output".into(), content("output")));
    members.push(("rest".into(), content("rest")));
    members.push(("model".into(), Json::object([("id", Json::string("gpt-4o-2024-08-06")), ("provider", Json::string("openai"))])));
    members.push((
        "trace".into(),
        Json::object([("span_id", Json::String(format!("{n:016x}"))), ("trace_id", Json::String(format!("{:032x}", n / 4)))]),
    ));
    record.to_jcs()
}

/// User and system time of this process so far, seconds.
fn cpu_seconds() -> f64 {
    let usage = std::fs::read_to_string("/proc/self/stat").unwrap();
    ticks(&usage) / TICKS_PER_SECOND
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64, f64) {
    let (before, began) = (cpu_seconds(), Instant::now());
    let done = work();
    (done, cpu_seconds() - before, began.elapsed().as_secs_f64())
}

pub(crate) fn measure() {
    let scale = std::env::var("SPANSEAL_BENCH_SCALE").ok().and_then(|s| s.parse().ok()).unwrap_or(1.0_f64);
    let seals = (1000.0 * scale) as u64;
    println!("machine: {}, {} cores", cpu_model(), std::thread::available_parallelism().unwrap());
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let (segments, options) = runtime.block_on(async {
        let mut forge = Forge::new(Locks::None).await;
        let mut segments = Vec::new();
        for seal in 0..seals {
            let segment = Segment::of("standard", (seal * RECORDS..(seal + 1) * RECORDS).map(record).collect());
            segments.push(segment.stored.clone());
            forge.seal(&[segment], |_| {}).await;
        }
        forge.publish().await;
        for key in forge.store.keys() {
            let path = folder.path().join(key.as_str());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, forge.store.get(&key, None, u64::MAX).await.unwrap().unwrap()).unwrap();
        }
        (segments, Options { now: UnixSeconds(NOW + i64::try_from(seals).unwrap()), ..forge.options() })
    });
    let store = LocalStore::open(folder.path(), LocalOptions::default()).unwrap();
    // Files are in the cache then, and what is measured is the work, not the disk.
    let once = |concurrency| runtime.block_on(verify(&store, &Options { concurrency, ..options.clone() }));
    let report = once(1);
    assert_eq!(report.verdict, Verdict::Verified, "{}", report.to_text());
    let (records, stored) = (report.logs[0].records as f64, report.logs[0].bytes as f64);
    let (decoded, zstd, _) = timed(|| segments.iter().map(|s| zstd::decode_all(s.as_slice()).unwrap()).collect::<Vec<_>>());
    let (_, sha256, _) = timed(|| {
        for (stored, decoded) in segments.iter().zip(&decoded) {
            std::hint::black_box(Hash::of(stored));
            for line in decoded.split(|b| *b == b'\n') {
                std::hint::black_box(leaf_hash(line));
            }
        }
    });
    let bytes: usize = decoded.iter().map(Vec::len).sum();
    println!("log: {seals} seals, {records} records of {:.0} bytes, {:.0} stored\n", bytes as f64 / records, stored / records);
    println!("{:<24} {:>8} {:>8} {:>14} {:>12} {:>12}", "", "CPU s", "wall s", "records/s/core", "MiB/s/core", "of verify");
    let mut cpu_of_one = 0.0;
    let rate = |cpu: f64| (records / cpu, bytes as f64 / cpu / 1048576.0);
    for concurrency in [1, 4] {
        let (report, cpu, wall) = timed(|| once(concurrency));
        assert_eq!(report.verdict, Verdict::Verified);
        if concurrency == 1 {
            cpu_of_one = cpu;
        }
        let (each, mib) = rate(cpu);
        println!("{:<24} {cpu:>8.2} {wall:>8.2} {each:>14.0} {mib:>12.1} {:>12}", format!("verify, {concurrency} at once"), "");
    }
    for (what, cpu) in [("SHA-256 alone", sha256), ("zstd alone", zstd)] {
        let (each, mib) = rate(cpu.max(0.01));
        println!("{what:<24} {cpu:>8.2} {:>8} {each:>14.0} {mib:>12.1} {:>11.0}%", "", cpu / cpu_of_one * 100.0);
    }
    println!(
        "\nrecords/s/core: records by processor time, not by the clock. MiB: of decoded lines. What is left is reading JSON and the canonical form."
    );
}
