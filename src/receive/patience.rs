//! A connection whose other end must not keep us waiting: hyper bounds how long a head may take and whether a ping is answered, and leaves
//! two holes. It reads the bytes that tell HTTP/2 from HTTP/1 without a limit (one `P` is enough to wait for ever), and it waits without
//! a limit for who sends and never reads. Both are closed here.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How an HTTP/2 connection begins (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection with the bytes that were read ahead.
pub(super) struct Patient<I> {
    io: I,
    ahead: Bytes,
    watch: Arc<Watch>,
    patience: Duration,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

/// What a connection did last, for who wants to know why it ended.
#[derive(Debug, Default)]
pub(super) struct Watch {
    asking: AtomicBool,
    stalled: AtomicBool,
}

impl Watch {
    /// Whether it sent something since we last wrote: on HTTP/1 it is then in the middle of a request.
    pub(super) fn is_asking(&self) -> bool {
        self.asking.load(Ordering::Relaxed)
    }

    /// Whether it did not take what we wrote.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }
}

impl<I: AsyncRead + Unpin> Patient<I> {
    /// Reads until it is clear which HTTP is spoken; `None` if the other end went away without a word. Each write from then on may wait
    /// for as long as `patience`.
    pub(super) async fn greet(mut io: I, patience: Duration) -> io::Result<Option<Self>> {
        let mut ahead = BytesMut::with_capacity(PREFACE.len());
        while ahead.len() < PREFACE.len() && PREFACE.starts_with(&ahead) {
            let left = PREFACE.len() - ahead.len();
            if io.read_buf(&mut (&mut ahead).limit(left)).await? == 0 {
                break;
            }
        }
        if ahead.is_empty() {
            return Ok(None);
        }
        let watch = Arc::new(Watch { asking: AtomicBool::new(true), stalled: AtomicBool::default() });
        Ok(Some(Patient { io, ahead: ahead.freeze(), watch, patience, waiting: None }))
    }

    /// To look at it from outside.
    pub(super) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }
}

impl<I> Patient<I> {
    /// What a write or flush came to; one that waits too long is an error.
    fn within<T>(&mut self, context: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.waiting = None;
            return poll;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.patience)));
        ready!(waiting.as_mut().poll(context));
        self.watch.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other end does not read")))
    }

    fn wrote(&self, poll: &Poll<io::Result<usize>>) {
        if matches!(poll, Poll::Ready(Ok(_))) {
            self.watch.asking.store(false, Ordering::Relaxed);
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Patient<I> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            let length = this.ahead.len().min(out.remaining());
            out.put_slice(this.ahead.get(..length).unwrap_or_default());
            this.ahead.advance(length);
            return Poll::Ready(Ok(()));
        }
        let before = out.filled().len();
        let poll = Pin::new(&mut this.io).poll_read(context, out);
        if out.filled().len() > before {
            this.watch.asking.store(true, Ordering::Relaxed);
        }
        poll
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Patient<I> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.io).poll_write(context, bytes);
        this.wrote(&poll);
        this.within(context, poll)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.io).poll_write_vectored(context, parts);
        this.wrote(&poll);
        this.within(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.io).poll_flush(context);
        this.within(context, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.io).poll_shutdown(context);
        this.within(context, poll)
    }
}
