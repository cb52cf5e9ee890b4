//! What is the same for both transports: promote, count, hand to the sealer, answer with the receipt.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::panics::{Doing, caught};
use super::status::Refusal;
use super::{Intake, fetch, metrics::Outcome};
use crate::otlp::answer::{Encoding, PartialSuccess, Signal};
use crate::otlp::foreign::{self, Foreign};
use crate::otlp::wire::Malformed;
use crate::otlp::{json, metrics};
use crate::promote::{Context, Fetched, Peer, Promoter, Room, Tally, Unpromoted};
use crate::record::Batch;
use crate::seal::{Permit, Pool, Receipt};

/// What turns requests into records; see [`Promoter`], whose methods these are.
pub trait Promote: Send + Sync + Debug {
    /// Walks an `ExportTraceServiceRequest`.
    fn traces(&self, request: &[u8], context: Context<'_>, batch: &mut Batch) -> Result<Tally, Unpromoted>;

    /// Walks an `ExportLogsServiceRequest`.
    fn logs(&self, request: &[u8], context: Context<'_>, batch: &mut Batch) -> Result<Tally, Unpromoted>;

    /// References whose content a request does not hold itself.
    fn references<'r>(&self, _request: &'r [u8], _signal: Signal) -> Result<HashSet<&'r str>, Malformed> {
        Ok(HashSet::new())
    }
}

impl Promote for Promoter {
    fn traces(&self, request: &[u8], context: Context<'_>, batch: &mut Batch) -> Result<Tally, Unpromoted> {
        Promoter::traces(self, request, context, batch)
    }

    fn logs(&self, request: &[u8], context: Context<'_>, batch: &mut Batch) -> Result<Tally, Unpromoted> {
        Promoter::logs(self, request, context, batch)
    }

    fn references<'r>(&self, request: &'r [u8], signal: Signal) -> Result<HashSet<&'r str>, Malformed> {
        Promoter::references(self, request, signal)
    }
}

/// A request that was read, admitted and decompressed.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) signal: Signal,
    pub(super) encoding: Encoding,
    pub(super) body: Bytes,
    pub(super) peer: Option<Arc<Peer>>,
    /// Its share of the pool.
    pub(super) permit: Permit,
    /// What it names by reference, once that is fetched.
    pub(super) fetched: Fetched,
}

/// A success answer.
#[derive(Debug)]
pub(super) struct Answer {
    promoted: u64,
    receipt: Option<Receipt>,
    pub(super) partial: Option<PartialSuccess>,
}

impl Answer {
    /// Response metadata or headers (design section 5): `spanseal-log`, `spanseal-promoted`, and with a receipt `spanseal-seal` and
    /// `spanseal-root` (base64), so that a sender's own log catches a rollback.
    pub(super) fn write_headers(&self, log: &HeaderValue, headers: &mut HeaderMap) {
        headers.insert(HeaderName::from_static("spanseal-log"), log.clone());
        headers.insert(HeaderName::from_static("spanseal-promoted"), HeaderValue::from(self.promoted));
        if let Some(receipt) = &self.receipt {
            headers.insert(HeaderName::from_static("spanseal-seal"), HeaderValue::from(receipt.seal));
            if let Ok(root) = HeaderValue::try_from(STANDARD.encode(receipt.root.0.0)) {
                headers.insert(HeaderName::from_static("spanseal-root"), root);
            }
        }
    }
}

/// Largest body that is walked on the async thread. A body full of AI spans costs about 10 us a KB (walk, hash, record), so this is one
/// millisecond or two; anything larger would hold up the other connections of the thread. The hop to a blocking thread costs some
/// 20 us, which a body of this size hides even if it holds nothing of ours.
pub(super) const INLINE_BYTES_MAX: usize = 128 * 1024;

/// Takes a request to its receipt. Whoever drops this future ends only the waiting: what was handed over is sealed.
pub(super) async fn export(intake: &Arc<Intake>, request: Request) -> Result<Answer, Refusal> {
    intake.state.metrics.received(request.signal, request.body.len());
    let signal = request.signal;
    let request = fetch::with_content(intake, request).await?;
    let doing = Doing::promotion(signal, request.body.len());
    let Promoted { tally, points, batch, foreign, mut permit } = if request.body.len() <= INLINE_BYTES_MAX {
        caught(doing, || promote(intake, request))??
    } else {
        // The share goes along: a caller who hangs up ends the waiting, not the work, and the work is what the memory is for.
        let there = Arc::clone(intake);
        intake.workers.run(doing, move || promote(&there, request)).await??
    };
    let partial = partial_success(signal, &tally, points, foreign);
    let promoted = u64::try_from(batch.records.len()).unwrap_or(u64::MAX);
    let count = || {
        intake.state.sealer.counters.add(tally.counts);
        intake.state.metrics.tallied(signal, &tally);
    };
    let receipt = if promoted == 0 {
        count();
        drop(permit);
        None
    } else {
        permit.shrink(batch.memory());
        let turn = intake.state.sealer.turn().await?;
        // No await between these two: a request is counted and pending, or neither.
        count();
        let handed_over = turn.hand_over(batch, permit);
        let receipt = handed_over.receipt().await?;
        intake.state.metrics.sealed(signal, promoted);
        Some(receipt)
    };
    Ok(Answer { promoted, receipt, partial })
}

/// What a request came to before it is sealed.
struct Promoted {
    tally: Tally,
    /// Data points of metrics, none of which is kept.
    points: u64,
    batch: Batch,
    foreign: Option<Foreign>,
    permit: Permit,
}

/// A share of the pool that grows with the lines, and what is kept apart, that it is for.
#[derive(Debug)]
struct Share<'i> {
    pool: &'i Pool,
    permit: Mutex<Permit>,
}

/// When to come back to a machine without randomness: that passes, if it does, soon after the machine was started.
const NO_RANDOMNESS_RETRY: Duration = Duration::from_secs(5);

/// Step by which it grows.
const GROWTH_BYTES: usize = 256 * 1024;

impl Room for Share<'_> {
    fn has(&self, bytes: usize) -> bool {
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody waits here for others, who may be waiting for this one.
        permit.bytes() >= bytes || self.pool.try_widen(&mut permit, bytes.next_multiple_of(GROWTH_BYTES))
    }
}

fn promote(intake: &Intake, request: Request) -> Result<Promoted, Refusal> {
    let Request { signal, encoding, body, peer, permit, fetched } = request;
    let transcoded = match encoding {
        Encoding::Protobuf => None,
        Encoding::Json => Some(json::request(signal, &body)?),
    };
    let request = transcoded.as_ref().map_or(&*body, |transcoded| &transcoded.protobuf);
    let pool = &intake.state.sealer.pool;
    let share = Share { pool, permit: Mutex::new(permit) };
    let context = Context {
        received: intake.state.clock.now(),
        peer: peer.as_deref(),
        room: &share,
        fetched: Some(&fetched).filter(|fetched| !fetched.is_empty()),
    };
    let mut batch = Batch::default();
    let mut points = 0;
    let walked = match signal {
        Signal::Traces => intake.state.promoter.traces(request, context, &mut batch),
        Signal::Logs => intake.state.promoter.logs(request, context, &mut batch),
        Signal::Metrics => metrics::data_points(request).map_err(Unpromoted::from).map(|counted| {
            points = counted;
            intake.state.metrics.counted_points(points);
            Tally::default()
        }),
    };
    let permit = share.permit.into_inner().unwrap_or_else(PoisonError::into_inner);
    // In JSON a member's name tells the signal; in protobuf only the shape of what is in it does. A body with records is what it should
    // be, and of any other the first item usually shows it.
    let foreign = match transcoded {
        Some(ref transcoded) => transcoded.foreign,
        None if batch.records.is_empty() => foreign::signal_of(signal, request).map(Foreign::Signal),
        None => None,
    };
    let foreign = foreign.or_else(|| foreign::is_older(request).then_some(Foreign::Older));
    match (walked, foreign) {
        (Ok(tally), foreign) => Ok(Promoted { tally, points, batch, foreign, permit }),
        // What would not fit into an empty pool either never will.
        (Err(Unpromoted::NoRoom), _) if permit.bytes().saturating_add(GROWTH_BYTES) >= pool.bytes() => Err(Refusal::TooMuch(pool.bytes())),
        (Err(Unpromoted::NoRoom), _) => Err(Refusal::Full),
        (Err(why @ Unpromoted::NoRandomness), _) => {
            tracing::error!(reason = %why, "promote.refused");
            Err(Refusal::NotSealed(NO_RANDOMNESS_RETRY))
        }
        (Err(Unpromoted::Malformed(malformed)), None) => Err(malformed.into()),
        (Err(Unpromoted::Malformed(malformed)), Some(foreign)) => {
            Err(Refusal::Malformed(format!("{malformed}; {}", hint(signal, foreign))))
        }
    }
}

/// What a success answer says besides its receipt: what was rejected, and what its sender should know although nothing was.
fn partial_success(signal: Signal, tally: &Tally, points: u64, foreign: Option<Foreign>) -> Option<PartialSuccess> {
    // Another signal's body has no data points, whatever was counted.
    let points = if foreign.is_some() { 0 } else { points };
    let why = (tally.counts.rejected > 0).then(|| tally.rejected_why.clone().unwrap_or_else(|| "malformed".to_owned()));
    let ids = (tally.misshapen_ids > 0).then(|| misshapen(signal, tally.misshapen_ids));
    let metrics = (points > 0).then(|| {
        let points = if points == 1 { "1 data point was".to_owned() } else { format!("{points} data points were") };
        format!("{points} not kept: spanseal keeps spans and logs with AI meaning and no metrics, send these to a metrics backend")
    });
    let said: Vec<String> = [foreign.map(|foreign| hint(signal, foreign)), why, ids, metrics].into_iter().flatten().collect();
    (!said.is_empty()).then(|| PartialSuccess { rejected: tally.counts.rejected.saturating_add(points), message: said.join("; ") })
}

fn hint(signal: Signal, foreign: Foreign) -> String {
    match foreign {
        Foreign::Signal(found) => format!(
            "the request holds {} (`{}`), of which nothing is kept at {}: send them to {} (over gRPC: {})",
            found.label(),
            found.member(),
            signal.path(),
            found.path(),
            found.service()
        ),
        Foreign::Older => {
            let (old, new) = signal.scoped();
            format!("the request holds `{old}` of OTLP before 1.0, of which nothing is kept: update its sender to one that sends `{new}`")
        }
        Foreign::Unknown { members } => {
            let none = if members == 1 { "its one member is unknown".to_owned() } else { format!("its {members} members are all unknown") };
            format!("nothing was found in the request, {none}: {} are sent as `{}`", signal.label(), signal.member())
        }
    }
}

fn misshapen(signal: Signal, items: u64) -> String {
    let (one, many) = match signal {
        Signal::Traces => ("span has", "spans have"),
        Signal::Logs => ("log record has", "log records have"),
        Signal::Metrics => ("data point has", "data points have"),
    };
    let items = if items == 1 { format!("1 {one}") } else { format!("{items} {many}") };
    format!(
        "{items} an id of wrong length and became evidence without it: a trace id has 16 bytes, a span id 8 (in JSON 32 and 16 hexadecimal digits)"
    )
}

/// The metric's label of an answer.
pub(super) fn outcome(result: &Result<Answer, Refusal>) -> Outcome {
    match result {
        Ok(Answer { partial: None, .. }) => Outcome::Accepted,
        Ok(Answer { partial: Some(PartialSuccess { rejected: 0, .. }), .. }) => Outcome::Warned,
        Ok(_) => Outcome::Partial,
        Err(refusal) => refusal.outcome(),
    }
}
