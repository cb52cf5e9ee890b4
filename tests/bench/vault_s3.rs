//! What a vault in a bucket asks of it: requests and bytes of a seal and of an erasure, beside one object a trace.
//!
//! Counted on the way to a real MinIO, so that nothing is left out that the adapter does. Counts depend on neither the machine nor the
//! build: `cargo bench --profile dev -- vault-s3` says the same as a release build.

use std::collections::HashSet;
use std::sync::Arc;

use spanseal::clock::UnixSeconds;
use spanseal::record::RecordId;
use spanseal::record::apart::{Apart, Piece};
use spanseal::record::content::Scheme;
use spanseal::vault::{Options, Vault, VaultKey, open_place};
use spanseal::worm::s3::S3Options;
use spanseal::worm::{StoreOptions, StoreUrl};

use crate::proxy::{Counted, Proxy};
use crate::support::runtime;
use crate::support::s3::{Bucket, S3Server};

/// Model calls of a trace.
const RECORDS: usize = 3;
/// Bytes of the input and of the output of each.
const SAID: usize = 1024;
const AT: UnixSeconds = UnixSeconds(1_795_187_350);

/// The content of trace `n`: words drawn at random, which shrink like prose.
fn trace(n: usize) -> Apart {
    const WORDS: [&str; 32] = [
        "the",
        "a",
        "of",
        "to",
        "and",
        "loan",
        "credit",
        "income",
        "because",
        "refused",
        "approved",
        "monthly",
        "rate",
        "customer",
        "is",
        "was",
        "not",
        "this",
        "year",
        "amount",
        "history",
        "employment",
        "please",
        "explain",
        "with",
        "under",
        "above",
        "limit",
        "score",
        "policy",
        "in",
        "for",
    ];
    let mut state = n as u64 + 1;
    let mut apart = Apart::default();
    for call in 0..RECORDS {
        for member in ["input", "output"] {
            let start = apart.bytes.len();
            while apart.bytes.len() - start < SAID {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                apart.bytes.extend_from_slice(WORDS[(state >> 59) as usize].as_bytes());
                apart.bytes.push(b' ');
            }
            apart.bytes.truncate(start + SAID);
            let mut salt = [0; 32];
            scramble(&mut salt, &mut state);
            let content = start..start + SAID;
            apart.pieces.push(Piece { record: record(n, call), member: member.into(), scheme: Scheme::Utf8, salt, content });
        }
    }
    apart
}

/// Bytes that do not shrink, as salts are.
fn scramble(salt: &mut [u8; 32], state: &mut u64) {
    for byte in salt {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = (*state >> 56) as u8;
    }
}

fn record(n: usize, call: usize) -> RecordId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(n as u64).to_be_bytes());
    id[8] = call as u8;
    RecordId(id)
}

fn records(n: usize) -> HashSet<RecordId> {
    (0..RECORDS).map(|call| record(n, call)).collect()
}

pub fn measure() {
    let Some(server) = S3Server::minio() else {
        println!("no MinIO is installed: nothing was counted");
        return;
    };
    let proxy = Proxy::start(&server.endpoint);
    println!("a trace: {RECORDS} model calls with {SAID} bytes in and {SAID} bytes out; bytes on the wire, heads included\n");
    println!(
        "{:<14} {:<12} {:<18} {:>6} {:>6} {:>6} {:>10} {:>10}",
        "traces a seal", "kept", "act", "PUT", "GET", "DELETE", "bytes up", "bytes down"
    );
    for traces in [1, 10, 100, 1000] {
        let (pack, each) = runtime().block_on(async {
            let bucket = server.fresh_bucket(Bucket::Plain).await;
            let options = S3Options { endpoint: Some(proxy.endpoint.clone()), ..server.options() };
            let url = StoreUrl::S3 { bucket, prefix: "vault".to_owned() };
            let place = open_place(&url, &StoreOptions { s3: options, ..StoreOptions::default() }).await.unwrap();
            let vault = |log: &str| Vault::new(Options { store: Arc::clone(&place), log: log.to_owned(), key: VaultKey::new(&[7; 32]) });
            let (packed, single) = (vault("packed"), vault("single"));
            let mut at = proxy.counted();
            let mut lap = || {
                let (before, now) = (at, proxy.counted());
                at = now;
                now.since(before)
            };
            // The batches of a seal are put together; here each trace is one.
            let _ = packed.put(0, AT, (0..traces).map(trace).collect()).await.unwrap();
            let sealed = lap();
            packed.erase(0, AT, &records(traces / 2)).await.unwrap();
            let erased = lap();
            // One object a trace: what a seal of its own would write for each.
            for n in 0..traces {
                let _ = single.put(n as u64, AT, vec![trace(n)]).await.unwrap();
            }
            let sealed_each = lap();
            single.erase(traces as u64 / 2, AT, &records(traces / 2)).await.unwrap();
            ((sealed, erased), (sealed_each, lap()))
        });
        for (kept, (sealed, erased)) in [("by seal", pack), ("by trace", each)] {
            for (act, counted) in [("a seal", sealed), ("erase one trace", erased)] {
                let Counted { puts, gets, deletes, up, down } = counted;
                println!("{traces:<14} {kept:<12} {act:<18} {puts:>6} {gets:>6} {deletes:>6} {up:>10} {down:>10}");
            }
        }
    }
}
