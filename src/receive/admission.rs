//! Admission of gRPC requests: a message's length is known from its first five bytes, so its share of the pool is taken before the rest
//! is read. While it waits nothing is read, and HTTP/2 flow control pushes back to the sender.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;
use tower::BoxError;

use super::status::Refusal;
use crate::seal::{Full, Permit, Pool};

/// A body must be complete this long after its first byte was waited for; else its sender holds memory for nothing.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// How much larger than on the wire a compressed request is assumed to be before it is read: OTLP shrinks 5 to 10 times.
const INFLATION_USUAL: usize = 8;

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

type Admitting = Pin<Box<dyn Future<Output = Result<Permit, Full>> + Send>>;

enum Phase {
    /// Reading the five bytes before the message: compressed flag and length (gRPC over HTTP2, "Length-Prefixed-Message").
    Prefix { seen: [u8; 5], count: usize },
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
    timeout: Option<Pin<Box<Sleep>>>,
}

impl<B> AdmittedBody<B> {
    pub(super) fn new(body: B, pool: Pool, slot: Slot, bytes_max: usize) -> Self {
        let phase = Phase::Prefix { seen: [0; 5], count: 0 };
        AdmittedBody { body, phase, pool, slot, bytes_max, timeout: None }
    }

    fn refuse(&self, refusal: Refusal) -> BoxError {
        let status = refusal.to_grpc();
        self.slot.with(|admission| admission.refused = Some(refusal));
        status.into()
    }

    /// Looks at a frame of the prefix; begins to wait when the prefix is complete.
    fn look(&mut self, data: Bytes) -> Option<Bytes> {
        let Phase::Prefix { seen, count } = &mut self.phase else { return Some(data) };
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
        let share = share(length, compressed != 0, self.bytes_max);
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
                let timeout = this.timeout.get_or_insert_with(|| Box::pin(tokio::time::sleep(BODY_TIMEOUT)));
                ready!(timeout.as_mut().poll(context));
                return Poll::Ready(Some(Err(this.refuse(Refusal::Slow))));
            };
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            };
            match frame.into_data() {
                Ok(data) => {
                    if let Some(data) = this.look(data) {
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
