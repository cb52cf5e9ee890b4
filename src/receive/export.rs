//! What is the same for both transports: promote, count, hand to the sealer, answer with the receipt.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::panics::{Doing, caught};
use super::status::Refusal;
use super::{Intake, fetch, metrics::Outcome};
use crate::clock::UnixNanos;
use crate::otlp::answer::{Encoding, PartialSuccess, Signal};
use crate::otlp::foreign::{self, Foreign};
use crate::otlp::wire::Malformed;
use crate::otlp::{json, metrics};
use crate::promote::{Context, Fetched, Parts, Peer, Promoter, Room, Tally, Unpromoted};
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
    /// `spanseal-root` (base64), so that a sender's own log catches a rollback. Without the root where all of it was sealed long before.
    pub(super) fn write_headers(&self, log: &HeaderValue, headers: &mut HeaderMap) {
        headers.insert(HeaderName::from_static("spanseal-log"), log.clone());
        headers.insert(HeaderName::from_static("spanseal-promoted"), HeaderValue::from(self.promoted));
        if let Some(receipt) = &self.receipt {
            headers.insert(HeaderName::from_static("spanseal-seal"), HeaderValue::from(receipt.seal));
            let root = receipt.root.and_then(|root| HeaderValue::try_from(STANDARD.encode(root.0.0)).ok());
            if let Some(root) = root {
                headers.insert(HeaderName::from_static("spanseal-root"), root);
            }
        }
    }
}

/// Largest body that is walked on the async thread. A body full of AI spans costs about 10 us a KB (walk, hash, record), so this is one
/// millisecond or two; anything larger would hold up the other connections of the thread. The hop to a blocking thread costs some
/// 20 us, which a body of this size hides even if it holds nothing of ours.
pub(super) const INLINE_BYTES_MAX: usize = 128 * 1024;

/// Takes a request to its receipt. Whoever drops this future ends only the waiting: what the sealer has taken in is sealed.
///
/// One that becomes more than there is room for is sealed part by part, and answered when all are: its sender would have to drop what is
/// refused for good. Where a later part fails, the earlier ones are sealed, and known when they are sent again.
pub(super) async fn export(intake: &Arc<Intake>, request: Request) -> Result<Answer, Refusal> {
    intake.state.metrics.received(request.signal, request.body.len());
    let signal = request.signal;
    let request = fetch::with_content(intake, request).await?;
    let mut next = Some(Part::first(request, intake.state.clock.now()));
    let mut whole = Whole::default();
    while let Some(part) = next.take() {
        let room = intake.state.sealer.pool.admit_records(&part.request.permit, part.room).await?;
        let doing = Doing::promotion(signal, part.request.body.len());
        let made = if part.request.body.len() <= INLINE_BYTES_MAX {
            caught(doing, || promote(intake, part, room))??
        } else {
            // The shares go along: a caller who hangs up ends the waiting, not the work, and the work is what the memory is for.
            let there = Arc::clone(intake);
            intake.workers.run(doing, move || promote(&there, part, room)).await??
        };
        match made {
            Made::Nothing(again) => next = Some(again),
            Made::Part(promoted, rest) => {
                next = rest;
                seal(intake, signal, promoted, &mut whole).await?;
            }
        }
    }
    let partial = partial_success(signal, &whole.tally, whole.points, whole.foreign);
    Ok(Answer { promoted: whole.promoted, receipt: whole.receipt, partial })
}

/// What became of a request, as far as it was sealed.
#[derive(Default)]
struct Whole {
    tally: Tally,
    points: u64,
    foreign: Option<Foreign>,
    promoted: u64,
    /// Of the newest seal: records of a later part may have been sealed before.
    receipt: Option<Receipt>,
}

async fn seal(intake: &Intake, signal: Signal, part: Promoted, whole: &mut Whole) -> Result<(), Refusal> {
    let Promoted { tally, points, batch, foreign, mut permit } = part;
    let promoted = u64::try_from(batch.records.len()).unwrap_or(u64::MAX);
    let count = || {
        intake.state.sealer.counters.add(tally.counts);
        intake.state.metrics.tallied(signal, &tally);
    };
    if promoted == 0 {
        count();
        drop(permit);
    } else {
        permit.shrink(batch.memory());
        let turn = intake.state.sealer.turn().await?;
        // No await between these two: a request is counted and pending, or neither.
        count();
        let handed_over = turn.hand_over(batch, permit);
        let receipt = handed_over.receipt().await?;
        whole.receipt = whole.receipt.filter(|before| before.seal > receipt.seal).or(Some(receipt));
        intake.state.metrics.sealed(signal, promoted);
    }
    whole.promoted += promoted;
    whole.points += points;
    whole.foreign = whole.foreign.or(foreign);
    whole.tally.go_on(tally);
    Ok(())
}

/// A request, or what is left of it.
struct Part {
    request: Request,
    /// When the request was received: one time for all its records.
    received: UnixNanos,
    shape: Shape,
    /// Spans or logs that were sealed, or left out, before.
    from: usize,
    /// Memory that the parts before took.
    made: usize,
    /// Memory for records to begin with.
    room: usize,
}

/// What is known of a body besides what its walk shows.
enum Shape {
    Protobuf,
    /// Its members' names told whether it is something else.
    WasJson(Option<Foreign>),
}

impl Part {
    fn first(request: Request, received: UnixNanos) -> Self {
        let room = usual_room(&request);
        Part { request, received, shape: Shape::Protobuf, from: 0, made: 0, room }
    }
}

/// How much room for records is asked for at first.
fn usual_room(request: &Request) -> usize {
    /// Records of small spans take more than their request, those of large ones about as much.
    const MORE_MAX: usize = 1024 * 1024;
    const RECORD: usize = 8 * 1024;
    let bytes = request.body.len().saturating_add(request.fetched.bytes());
    match request.signal {
        Signal::Traces | Signal::Logs => bytes.saturating_add(bytes.min(MORE_MAX)).saturating_add(RECORD),
        Signal::Metrics => 0,
    }
}

/// What a walk came to.
#[expect(clippy::large_enum_variant, reason = "one for each part of a request, moved once")]
enum Made {
    /// Records to be sealed, and what is left of the request.
    Part(Promoted, Option<Part>),
    /// The room did not do for a single span or log: the same with more.
    Nothing(Part),
}

/// What a part came to before it is sealed.
struct Promoted {
    tally: Tally,
    /// Data points of metrics, none of which is kept.
    points: u64,
    batch: Batch,
    foreign: Option<Foreign>,
    permit: Permit,
}

/// A share of the pool that grows with the records, and what is kept apart, that it is for.
#[derive(Debug)]
struct Share<'i> {
    pool: &'i Pool,
    permit: Mutex<Permit>,
    /// There never is more than this.
    most: usize,
    /// The most that was asked for.
    asked: AtomicUsize,
}

/// When to come back to a machine without randomness: that passes, if it does, soon after the machine was started.
const NO_RANDOMNESS_RETRY: Duration = Duration::from_secs(5);

/// From how much on a part of a request is sealed: half of the pool, so that others have room beside it.
fn part_bytes(pool: &Pool) -> usize {
    pool.bytes() / 2
}

/// What a request may become in all, in pools: a stranger's small request is no reason to fill a bucket. The spans and logs beyond are rejected,
/// and the answer says how many they are.
const POOLS_MAX: usize = 8;

/// Step by which it grows.
const GROWTH_BYTES: usize = 256 * 1024;

impl Room for Share<'_> {
    fn has(&self, bytes: usize) -> bool {
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        self.asked.fetch_max(bytes, Ordering::Relaxed);
        if bytes > self.most {
            return false;
        }
        // Nobody waits here: others may be waiting for these records to be sealed.
        permit.bytes() >= bytes || self.pool.try_widen(&mut permit, bytes.next_multiple_of(GROWTH_BYTES).min(self.most))
    }

    fn parts(&self) -> Option<Parts> {
        Some(Parts { enough: part_bytes(self.pool), most: self.most })
    }
}

fn promote(intake: &Intake, mut part: Part, room: Permit) -> Result<Made, Refusal> {
    let signal = part.request.signal;
    if part.request.encoding == Encoding::Json {
        let transcoded = json::request(signal, &part.request.body)?;
        part.shape = Shape::WasJson(transcoded.foreign);
        (part.request.body, part.request.encoding) = (transcoded.protobuf.into(), Encoding::Protobuf);
    }
    let Request { body: request, peer, fetched, .. } = &part.request;
    let pool = &intake.state.sealer.pool;
    let is_too_much = part.made > pool.bytes().saturating_mul(POOLS_MAX);
    let most = if is_too_much { 0 } else { pool.bytes() };
    let share = Share { pool, permit: Mutex::new(room), most, asked: AtomicUsize::new(0) };
    let fetched = Some(fetched).filter(|fetched| !fetched.is_empty());
    let context = Context { received: part.received, peer: peer.as_deref(), room: &share, fetched, from: part.from };
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
    let asked = share.asked.into_inner();
    let permit = share.permit.into_inner().unwrap_or_else(PoisonError::into_inner);
    // In JSON a member's name tells the signal; in protobuf only the shape of what is in it does. A body with records is what it should
    // be, and of any other the first item usually shows it.
    let foreign = match part.shape {
        // It was found to be what it should be.
        _ if part.from > 0 => None,
        Shape::WasJson(foreign) => foreign,
        Shape::Protobuf if batch.records.is_empty() => foreign::signal_of(signal, request).map(Foreign::Signal),
        Shape::Protobuf => None,
    };
    let foreign = foreign.or_else(|| (part.from == 0 && foreign::is_older(request)).then_some(Foreign::Older));
    match (walked, foreign) {
        (Ok(tally), foreign) => {
            let made = part.made.saturating_add(batch.memory());
            let room = usual_room(&part.request);
            let rest = tally.rest.map(|from| Part { from, made, room, ..part });
            Ok(Made::Part(Promoted { tally, points, batch, foreign, permit }, rest))
        }
        // Where parts can be sealed this is not come to: a span or log that needs more than all of it is rejected by itself.
        (Err(Unpromoted::NoRoom), _) if permit.bytes() >= pool.bytes() => Err(Refusal::TooMuch(pool.bytes())),
        (Err(Unpromoted::NoRoom), _) => {
            let room = asked.max(permit.bytes()).saturating_mul(2);
            Ok(Made::Nothing(Part { room, ..part }))
        }
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
