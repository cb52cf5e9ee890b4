//! Admission of gRPC requests: a message's length is known from its first five bytes, so its share of the pool is taken before the rest
//! is read. While it waits nothing is read, and HTTP/2 flow control pushes back to the sender.
//!
//! Taking the whole share first keeps an overload from reading many bodies that then cannot be finished. What it would allow is to keep
//! others out with a few bytes: hence a body that is slow gives back what has not arrived, and pays for the rest as it comes.
//!
//! Compressed messages are decompressed here, where they are paid for, and not by tonic, which knows no pool: they go to their method by
//! the [`Slot`], while tonic is given an empty one.
//!
//! What a connection sends while its requests wait for their share lies in HTTP/2's own buffers, outside the pool: how much that may be
//! stands at the windows in `listen`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tower::BoxError;

use super::inflate::{Compression, Inflater};
use super::metrics::Outcome;
use super::status::Refusal;
use super::timeouts::Timeouts;
use crate::seal::{Full, Permit, Pool};

/// How much larger than on the wire a compressed request is assumed to be before it is read: OTLP shrinks 5 to 10 times.
const INFLATION_USUAL: usize = 8;

/// Step by which the share of a body grows that is paid for as it comes.
const STEP_BYTES: usize = 64 * 1024;

/// The share of a body of which `received` bytes have come, and no more than `announced` will.
pub(super) fn share_of_part(received: usize, announced: Option<usize>, compressed: bool, bytes_max: usize) -> usize {
    let step = received.next_multiple_of(STEP_BYTES);
    share(announced.map_or(step, |announced| step.min(announced)), compressed, bytes_max)
}

/// The share to take for a body of `bytes` on the wire. A compressed one stands beside what it becomes until that is complete.
pub(super) fn share(bytes: usize, compressed: bool, bytes_max: usize) -> usize {
    let inflated = if compressed { bytes.saturating_mul(INFLATION_USUAL).min(bytes_max) } else { 0 };
    bytes.saturating_add(inflated)
}

/// Where a request's body and its call meet.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot(Arc<Mutex<Admission>>);

#[derive(Debug, Default)]
struct Admission {
    permit: Option<Permit>,
    /// What a compressed message became. Its share covers it.
    inflated: Option<Bytes>,
    refused: Option<Refusal>,
    /// What came of the call.
    outcome: Option<Outcome>,
}

impl Slot {
    /// The message with its share, now that its true size is known; `read` is what tonic read.
    pub(super) async fn call(&self, pool: &Pool, read: Bytes) -> Result<(Bytes, Permit), Refusal> {
        let (permit, inflated) = self.with(|admission| (admission.permit.take(), admission.inflated.take()));
        match (permit, inflated) {
            (Some(permit), Some(inflated)) => Ok((inflated, permit)),
            (Some(mut permit), None) => {
                permit.shrink(read.len());
                pool.widen(&mut permit, read.len()).await?;
                Ok((read, permit))
            }
            (None, _) => {
                let permit = pool.admit(read.len()).await?;
                Ok((read, permit))
            }
        }
    }

    /// The method has its answer.
    pub(super) fn answered(&self, outcome: Outcome) {
        self.with(|admission| admission.outcome = Some(outcome));
    }

    /// What came of the method's call; `None`: the message did not reach it.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.with(|admission| admission.outcome)
    }

    /// Why the body was refused by us, if it was.
    pub(super) fn refused(&self) -> Option<Refusal> {
        self.with(|admission| admission.refused.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Admission) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

const PREFIX_BYTES: usize = 5;

/// An empty message that is not compressed, with its prefix.
const EMPTY: Bytes = Bytes::from_static(&[0; PREFIX_BYTES]);

type Admitting = Pin<Box<dyn Future<Output = Result<Permit, Full>> + Send>>;
type Inflating = Pin<Box<dyn Future<Output = Result<(Bytes, Permit), Refusal>> + Send>>;

enum Phase {
    /// Reading the five bytes before the message: compressed flag and length (gRPC over HTTP2, "Length-Prefixed-Message").
    Prefix { seen: [u8; PREFIX_BYTES], count: usize },
    /// Waiting for the pool; what has come of the message and is not paid for is held back.
    Admitting { wait: Admitting, held: Bytes },
    /// Passing frames on, or keeping those of a compressed message.
    Open,
    /// All of a compressed message has come, and the end of the stream.
    Inflating(Inflating),
}

/// A request body that admits itself.
pub(super) struct AdmittedBody<B> {
    body: B,
    phase: Phase,
    inflater: Inflater,
    slot: Slot,
    timeouts: Timeouts,
    /// What the request's head says of its messages: each may be compressed so.
    compression: Option<Compression>,
    /// What the prefix said, once it is complete.
    announced: Option<Announced>,
    received: usize,
    /// What has come of a compressed message.
    kept: Kept,
    ended: bool,
    /// Whether it is slow, so that its share is that of what has come.
    pays_as_it_comes: bool,
    timeout: Option<Timeout>,
}

#[derive(Clone, Copy)]
struct Announced {
    length: usize,
    /// How the message is compressed, if we are to undo it.
    compression: Option<Compression>,
}

/// Frames of a message; one that comes in one frame is used where it lies.
#[derive(Default)]
struct Kept {
    first: Bytes,
    joined: BytesMut,
}

impl Kept {
    fn len(&self) -> usize {
        self.first.len().saturating_add(self.joined.len())
    }

    /// `room`: how much to make room for if this is not all.
    fn keep(&mut self, data: Bytes, room: usize) {
        if self.len() == 0 {
            self.first = data;
            return;
        }
        if self.joined.is_empty() {
            self.joined.reserve(room.max(self.len().saturating_add(data.len())));
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&data);
    }

    fn take(&mut self) -> Bytes {
        let Kept { first, joined } = std::mem::take(self);
        if joined.is_empty() { first } else { joined.freeze() }
    }
}

/// Runs from the first time the body is waited for: most are never waited for.
struct Timeout {
    sleep: Pin<Box<Sleep>>,
    deadline: Instant,
}

impl Timeout {
    fn begin(timeouts: &Timeouts) -> Self {
        let now = Instant::now();
        let sleep = Box::pin(tokio::time::sleep_until(now + timeouts.announced.min(timeouts.body)));
        Timeout { sleep, deadline: now + timeouts.body }
    }
}

impl<B> AdmittedBody<B> {
    pub(super) fn new(body: B, inflater: Inflater, compression: Option<Compression>, slot: Slot, timeouts: Timeouts) -> Self {
        let phase = Phase::Prefix { seen: [0; PREFIX_BYTES], count: 0 };
        AdmittedBody {
            body,
            phase,
            inflater,
            slot,
            timeouts,
            compression,
            announced: None,
            received: 0,
            kept: Kept::default(),
            ended: false,
            pays_as_it_comes: false,
            timeout: None,
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> BoxError {
        self.phase = Phase::Open;
        let status = refusal.to_grpc();
        self.slot.with(|admission| admission.refused = Some(refusal));
        status.into()
    }

    /// The body is slow: gives back what has not come of what it announced.
    fn slow_down(&mut self) {
        self.pays_as_it_comes = true;
        let share = self.share_of_received();
        self.slot.with(|admission| {
            if let Some(permit) = &mut admission.permit {
                permit.shrink(share);
            }
        });
    }

    fn share_of_received(&self) -> usize {
        let (length, compression) = self.announced.map_or((0, None), |announced| (announced.length, announced.compression));
        share_of_part(self.received, Some(length), compression.is_some(), self.inflater.bytes_max())
    }

    /// Takes a frame in; what it answers is to be passed on.
    fn take_in(&mut self, data: Bytes) -> Result<Option<Bytes>, Refusal> {
        self.received = self.received.saturating_add(data.len());
        let passed = match self.phase {
            Phase::Prefix { .. } => self.look(data)?,
            _ => self.pay(data),
        };
        // It has no share, and tonic would read it to throw it away.
        if self.announced.is_some_and(|announced| self.received > announced.length.saturating_add(PREFIX_BYTES)) {
            return Err(Refusal::Malformed("one call is one message, and more came".to_owned()));
        }
        Ok(passed)
    }

    /// Looks at a frame of the prefix; begins to wait when the prefix is complete.
    fn look(&mut self, mut data: Bytes) -> Result<Option<Bytes>, Refusal> {
        let Phase::Prefix { seen, count } = &mut self.phase else { return Ok(Some(data)) };
        let before = *count;
        for (slot, byte) in seen.iter_mut().skip(before).zip(&data) {
            *slot = *byte;
            *count += 1;
        }
        if *count < seen.len() {
            return Ok(None);
        }
        let (prefix, [flag, length @ ..]) = (*seen, *seen);
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let bytes_max = self.inflater.bytes_max();
        if length > bytes_max {
            return Err(Refusal::TooLarge(bytes_max));
        }
        let compression = self.compression.filter(|_| flag == 1);
        self.announced = Some(Announced { length, compression });
        if compression.is_some() {
            data.advance(PREFIX_BYTES.saturating_sub(before));
        } else if before > 0 {
            // The frames before this one were swallowed.
            data = [prefix.get(..before).unwrap_or_default(), &data].concat().into();
        }
        let share = if self.pays_as_it_comes { self.share_of_received() } else { share(length, compression.is_some(), bytes_max) };
        let pool = self.inflater.pool().clone();
        self.phase = Phase::Admitting { wait: Box::pin(async move { pool.admit(share).await }), held: data };
        Ok(None)
    }

    /// Takes the share of a frame of a slow body before it is passed on.
    fn pay(&mut self, data: Bytes) -> Option<Bytes> {
        let permit = if self.pays_as_it_comes { self.slot.with(|admission| admission.permit.take()) } else { None };
        let Some(mut permit) = permit else { return self.paid(data) };
        let (pool, share) = (self.inflater.pool().clone(), self.share_of_received());
        let wait = Box::pin(async move { pool.widen(&mut permit, share).await.map(|()| permit) });
        self.phase = Phase::Admitting { wait, held: data };
        None
    }

    /// A frame that is paid for: passed on, or kept until a compressed message is complete.
    fn paid(&mut self, data: Bytes) -> Option<Bytes> {
        let Some(Announced { length, compression: Some(_) }) = self.announced else { return Some(data) };
        self.kept.keep(data, if self.pays_as_it_comes { 0 } else { length });
        None
    }

    /// There are no more frames: what was kept is decompressed, if it is whole. Not before: a sender who leaves its stream open would hold
    /// for a few bytes all that they become.
    fn end(&mut self) {
        self.ended = true;
        let Some(Announced { length, compression: Some(compression) }) = self.announced else { return };
        if self.kept.len() < length {
            return;
        }
        let Some(permit) = self.slot.with(|admission| admission.permit.take()) else { return };
        let (inflater, message) = (self.inflater.clone(), self.kept.take());
        self.phase = Phase::Inflating(Box::pin(async move { inflater.inflate(compression, message, permit).await }));
    }
}

impl<B> Body for AdmittedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        loop {
            match &mut this.phase {
                Phase::Admitting { wait, held } => {
                    let admitted = ready!(wait.as_mut().poll(context));
                    let held = std::mem::take(held);
                    this.phase = Phase::Open;
                    match admitted {
                        Ok(permit) => this.slot.with(|admission| admission.permit = Some(permit)),
                        Err(full) => return Poll::Ready(Some(Err(this.refuse(full.into())))),
                    }
                    match this.paid(held) {
                        Some(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                        None => continue,
                    }
                }
                Phase::Inflating(wait) => {
                    let inflated = ready!(wait.as_mut().poll(context));
                    this.phase = Phase::Open;
                    return Poll::Ready(Some(match inflated {
                        Ok((message, permit)) => {
                            this.slot.with(|admission| (admission.permit, admission.inflated) = (Some(permit), Some(message)));
                            Ok(Frame::data(EMPTY))
                        }
                        Err(refusal) => Err(this.refuse(refusal)),
                    }));
                }
                Phase::Prefix { .. } | Phase::Open if this.ended => return Poll::Ready(None),
                Phase::Prefix { .. } | Phase::Open => {}
            }
            let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) else {
                let timeout = this.timeout.get_or_insert_with(|| Timeout::begin(&this.timeouts));
                ready!(timeout.sleep.as_mut().poll(context));
                if Instant::now() >= timeout.deadline {
                    return Poll::Ready(Some(Err(this.refuse(Refusal::Slow))));
                }
                timeout.sleep.as_mut().reset(timeout.deadline);
                this.slow_down();
                continue;
            };
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                // If nothing comes of it, tonic finds that there is no message, or not all of one.
                None => {
                    this.end();
                    continue;
                }
            };
            match frame.into_data() {
                Ok(data) => match this.take_in(data) {
                    Ok(Some(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Ok(None) => {}
                    Err(refusal) => return Poll::Ready(Some(Err(this.refuse(refusal)))),
                },
                // Tonic would take trailers for the end, before what is kept.
                Err(_) if this.kept.len() > 0 => {}
                Err(other) => return Poll::Ready(Some(Ok(other))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // What is held back, kept or being decompressed is still to come.
        matches!(self.phase, Phase::Prefix { .. } | Phase::Open) && self.kept.len() == 0 && (self.ended || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
