//! What becomes of a request in which our own code panics: a refusal like any other, wherever it ran. Left alone, a panic would end the
//! stream of a small request, or all of an HTTP/1 connection with an answer that never comes, and that of a large one its thread's work.
//!
//! Nothing half done stays behind. What a request becomes (its batch, what is kept apart of it, its answer) belongs to the call that is
//! unwound and is dropped there, as is its share of the pool, which that frees. It is handed to the writer and counted for its seal only
//! after the call has returned, so neither the writer nor its window of duplicates has heard of it. Parts of a large request that were
//! sealed before are sealed, and known when it comes again. What outlives the call is the book of
//! persons, whose every change is a single insertion: somebody who was given a pseudonym in vain keeps it, as one who is not stored yet,
//! and the next request that names them brings the entry to the vault. And tables that are built once: if building one panics, every
//! request that needs it is refused so until the process is started again. Figures may tell of a request that was then refused.
//!
//! The words of a panic may quote what it stumbled over (a text that is cut in the middle of a character is printed with it), so they are
//! taken from nobody: the payload is dropped unread here. Before that, the panic hook of the process has had them; the one of `telemetry`,
//! which the command installs, tells the place and words that stand in the program. A process without it (one that uses the library, or
//! a test) has the standard library's, which prints them to stderr: whoever serves requests there should set one of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::status::Refusal;
use crate::otlp::answer::Signal;

// An abort would take the requests of everybody along.
#[cfg(not(panic = "unwind"))]
compile_error!("a panic is one request's refusal here: build with `panic = \"unwind\"`");

/// What was done with a request, for the line in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doing {
    /// `decompression`, `references`, `promotion`.
    step: &'static str,
    /// Not known to the decompression.
    signal: Option<Signal>,
    /// Of its body, as this step found it.
    bytes: usize,
}

impl Doing {
    pub(super) fn decompression(bytes: usize) -> Self {
        Doing { step: "decompression", signal: None, bytes }
    }

    pub(super) fn references(signal: Signal, bytes: usize) -> Self {
        Doing { step: "references", signal: Some(signal), bytes }
    }

    pub(super) fn promotion(signal: Signal, bytes: usize) -> Self {
        Doing { step: "promotion", signal: Some(signal), bytes }
    }
}

/// Does `work`; a panic in it is [`Refusal::Internal`], and a line in the log that has nothing of the request.
pub(super) fn caught<T>(doing: Doing, work: impl FnOnce() -> T) -> Result<T, Refusal> {
    // What the closure holds is its own or survives a panic as it was: see above.
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| {
        let Doing { step, signal, bytes } = doing;
        let advice = "this is a mistake in spanseal, please report it with the line that says where the thread panicked; its sender is told \
                      to send the request again, which helps once spanseal is mended or the sender changed";
        tracing::error!(step, signal = signal.map(Signal::label), bytes, advice, "request.panicked");
        Refusal::Internal
    })
}
