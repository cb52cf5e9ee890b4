//! Admission of gRPC requests: a message's length is known from its first five bytes, so its share of the pool is taken before the rest
//! is read. While it waits nothing is read, and HTTP/2 flow control pushes back to the sender.
//!
//! Taking the whole share first keeps an overload from reading many bodies that then cannot be finished. What it would allow is to keep
//! others out with a few bytes: hence a body that is slow gives back what has not arrived, and pays for the rest as it comes.
//!
//! KNOWN GAP: what a connection sends while its requests wait for their share lies in HTTP/2's own buffers, outside the pool: at most one
//! connection window a connection, for at most `admission_wait`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tower::BoxError;

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

/// The share to take for a body of `bytes` on the wire.
pub(super) fn share(bytes: usize, compressed: bool, bytes_max: usize) -> usize {
    if compressed { bytes.saturating_mul(INFLATION_USUAL).min(bytes_max).max(bytes) } else { bytes }
}

/// Where a request's body and its call meet.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot(Arc<Mutex<Admission>>);

#[derive(Debug, Default)]
struct Admission {
    permit: Option<Permit>,
    refused: Option<Refusal>,
    called: bool,
}

impl Slot {
    /// Takes the share for the message, now that its true size is known.
    pub(super) async fn call(&self, pool: &Pool, bytes: usize) -> Result<Permit, Refusal> {
        let taken = self.with(|admission| {
            admission.called = true;
            admission.permit.take()
        });
        let mut permit = match taken {
            Some(permit) => permit,
            None => pool.admit(bytes).await?,
        };
        permit.shrink(bytes);
        pool.widen(&mut permit, bytes).await?;
        Ok(permit)
    }

    /// Whether the message reached its method.
    pub(super) fn was_called(&self) -> bool {
        self.with(|admission| admission.called)
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

type Admitting = Pin<Box<dyn Future<Output = Result<Permit, Full>> + Send>>;

enum Phase {
    /// Reading the five bytes before the message: compressed flag and length (gRPC over HTTP2, "Length-Prefixed-Message").
    Prefix { seen: [u8; PREFIX_BYTES], count: usize },
    /// Waiting for the pool; the frame that completed the prefix is held back.
    Admitting { wait: Admitting, held: Option<Bytes> },
    /// Passing frames on.
    Open,
}

/// A request body that admits itself.
pub(super) struct AdmittedBody<B> {
    body: B,
    phase: Phase,
    pool: Pool,
    slot: Slot,
    bytes_max: usize,
    timeouts: Timeouts,
    /// What the prefix said, once it is complete: length and whether it is compressed.
    announced: Option<(usize, bool)>,
    received: usize,
    /// Whether it is slow, so that its share is that of what has come.
    pays_as_it_comes: bool,
    timeout: Option<Timeout>,
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
    pub(super) fn new(body: B, pool: Pool, slot: Slot, bytes_max: usize, timeouts: Timeouts) -> Self {
        let phase = Phase::Prefix { seen: [0; PREFIX_BYTES], count: 0 };
        AdmittedBody { body, phase, pool, slot, bytes_max, timeouts, announced: None, received: 0, pays_as_it_comes: false, timeout: None }
    }

    fn refuse(&self, refusal: Refusal) -> BoxError {
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
        let (length, compressed) = self.announced.unwrap_or_default();
        share_of_part(self.received, Some(length), compressed, self.bytes_max)
    }

    /// Takes the share of a frame of a slow body before it is passed on.
    fn pay(&mut self, data: Bytes) -> Option<Bytes> {
        let permit = if self.pays_as_it_comes { self.slot.with(|admission| admission.permit.take()) } else { None };
        let Some(mut permit) = permit else { return Some(data) };
        let (pool, share) = (self.pool.clone(), self.share_of_received());
        let wait = Box::pin(async move { pool.widen(&mut permit, share).await.map(|()| permit) });
        self.phase = Phase::Admitting { wait, held: Some(data) };
        None
    }

    /// Whether more has come than the one message of a unary call: it has no share, and tonic would read it to throw it away.
    fn is_overfull(&self) -> bool {
        self.announced.is_some_and(|(length, _)| self.received > length.saturating_add(PREFIX_BYTES))
    }

    /// Looks at a frame of the prefix; begins to wait when the prefix is complete.
    fn look(&mut self, data: Bytes) -> Option<Bytes> {
        let Phase::Prefix { seen, count } = &mut self.phase else { return self.pay(data) };
        for (slot, byte) in seen.iter_mut().skip(*count).zip(&data) {
            *slot = *byte;
            *count += 1;
        }
        let [compressed, length @ ..] = *seen;
        if *count < seen.len() {
            return Some(data);
        }
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > self.bytes_max {
            // Tonic refuses it at once: nothing to admit.
            self.phase = Phase::Open;
            return Some(data);
        }
        self.announced = Some((length, compressed != 0));
        let share = if self.pays_as_it_comes { self.share_of_received() } else { share(length, compressed != 0, self.bytes_max) };
        let pool = self.pool.clone();
        self.phase = Phase::Admitting { wait: Box::pin(async move { pool.admit(share).await }), held: Some(data) };
        None
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
            if let Phase::Admitting { wait, held } = &mut this.phase {
                let admitted = ready!(wait.as_mut().poll(context));
                let held = held.take().unwrap_or_default();
                this.phase = Phase::Open;
                return Poll::Ready(Some(match admitted {
                    Ok(permit) => {
                        this.slot.with(|admission| admission.permit = Some(permit));
                        Ok(Frame::data(held))
                    }
                    Err(full) => Err(this.refuse(full.into())),
                }));
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
                None => return Poll::Ready(None),
            };
            match frame.into_data() {
                Ok(data) => {
                    this.received = this.received.saturating_add(data.len());
                    let passed = this.look(data);
                    if this.is_overfull() {
                        this.phase = Phase::Open;
                        return Poll::Ready(Some(
                            Err(this.refuse(Refusal::Malformed("one call is one message, and more came".to_owned()))),
                        ));
                    }
                    if let Some(data) = passed {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Err(other) => return Poll::Ready(Some(Ok(other))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        !matches!(self.phase, Phase::Admitting { .. }) && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
