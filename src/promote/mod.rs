//! Span or log -> audit record (pure): what carries AI meaning is promoted, everything else is counted with its reason.

use std::fmt;

use crate::clock::UnixNanos;
use crate::otlp::wire::Malformed;
use crate::record::Batch;
use crate::tlog::seal_file::Counts;

/// Who sent a request, as the connection proved it (`source.peer`).
#[derive(Clone, PartialEq, Eq)]
pub struct Peer {
    /// The certificate's subject alternative name or common name, or the token's name.
    pub id: String,
    /// `mtls`, `token` or `oidc`.
    pub method: &'static str,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("method", &self.method).finish_non_exhaustive()
    }
}

/// What the receiver knows of a request besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// `time.received` of its records.
    pub received: UnixNanos,
    /// `source.peer`.
    pub peer: Option<&'a Peer>,
}

/// Why a span or log was not promoted. The metric's label is [`Skip::label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skip {
    /// No attribute key, event name or rule with AI meaning.
    NoAiMeaning,
}

impl Skip {
    /// All reasons, in the order of [`Tally::skipped`].
    pub const ALL: [Skip; 1] = [Skip::NoAiMeaning];

    /// Stable word for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Skip::NoAiMeaning => "no_ai_meaning",
        }
    }
}

/// What became of the spans or logs of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// For the seal's `counts`; `promoted` is the number of records added to the batch.
    pub counts: Counts,
    /// By reason, in the order of [`Skip::ALL`].
    pub skipped: [u64; Skip::ALL.len()],
    /// The first reason why something was rejected as malformed, for `partial_success`.
    pub rejected_why: Option<String>,
}

/// Turns requests into records. Immutable; one for the process.
#[derive(Debug)]
pub struct Promoter {}

impl Promoter {
    /// Walks an `ExportTraceServiceRequest` and appends the records of its AI spans to `batch`. The error means that the request as a
    /// whole is not protobuf (nothing was appended then); a malformed span alone is counted as rejected.
    pub fn traces(&self, _request: &[u8], _context: Context<'_>, _batch: &mut Batch) -> Result<Tally, Malformed> {
        Ok(Tally::default())
    }

    /// The same for an `ExportLogsServiceRequest`.
    pub fn logs(&self, _request: &[u8], _context: Context<'_>, _batch: &mut Batch) -> Result<Tally, Malformed> {
        Ok(Tally::default())
    }
}
