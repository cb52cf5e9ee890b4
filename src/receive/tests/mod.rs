//! The receiver from outside: real clients on loopback, a promoter that is easy to foresee, a sealer in the test's hand.

mod bombs;
mod both;
mod drain;
mod fetch;
mod grpc;
mod http;
mod panics;
mod secure;
mod slow;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tokio::sync::mpsc;
use tonic::transport::Channel;

use super::*;
use crate::clock::{ManualClock, UnixNanos};
use crate::otlp::view::{self, ResourceGroup, ScopeGroup};
use crate::otlp::wire::Malformed;
use crate::promote::{Context, Peer, Tally, Unpromoted};
use crate::record::{Batch, PendingRecord, RecordId};
use crate::retain::ClassIndex;
use crate::seal::{Permit, Pool, Receipt, Submission, SubmitError};
use crate::tlog::{Hash, RootHash};

/// Promotes spans with an attribute `gen_ai.*`, and logs with an event name; rejects what has a bad trace id.
#[derive(Debug, Default)]
pub(super) struct Fake {
    pub(super) seen: Mutex<Vec<Seen>>,
    /// How long a line becomes; two bytes unless told.
    pub(super) line_bytes: AtomicUsize,
    /// Panics once it has a record.
    pub(super) breaks: AtomicBool,
}

#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) peer: Option<Peer>,
    pub(super) received: UnixNanos,
    pub(super) thread: ThreadId,
    pub(super) bytes: usize,
}

impl Fake {
    fn walk(
        &self,
        request: &[u8],
        context: Context<'_>,
        batch: &mut Batch,
        item: impl Fn(&[u8], &mut Tally) -> Result<bool, Malformed>,
    ) -> Result<Tally, Unpromoted> {
        let thread = std::thread::current().id();
        let seen = Seen { peer: context.peer.cloned(), received: context.received, thread, bytes: request.len() };
        self.seen.lock().unwrap().push(seen);
        let mut tally = Tally::default();
        for group in view::resource_groups(request) {
            for scope in ResourceGroup::read(group?)?.scopes() {
                for bytes in ScopeGroup::read(scope?)?.items() {
                    if item(bytes?, &mut tally)? {
                        let at = batch.lines.len();
                        batch.lines.extend_from_slice(b"{}");
                        batch.lines.resize(at + self.line_bytes.load(Ordering::Relaxed).max(2), b' ');
                        if !context.room.has(batch.lines.len()) {
                            return Err(Unpromoted::NoRoom);
                        }
                        batch.records.push(PendingRecord {
                            id: RecordId([7; 16]),
                            line: at..at + 2,
                            class: ClassIndex(0),
                            first: UnixNanos(1),
                            last: UnixNanos(2),
                            control: false,
                            sameness: [0; 16],
                            line_sameness: [0; 16],
                            pieces: 0..0,
                        });
                        tally.counts.promoted += 1;
                        assert!(!self.breaks.load(Ordering::Relaxed), "quoted hush");
                    }
                }
            }
        }
        Ok(tally)
    }
}

impl Promote for Fake {
    fn traces(&self, request: &[u8], context: Context<'_>, batch: &mut Batch) -> Result<Tally, Unpromoted> {
        self.walk(request, context, batch, |bytes, tally| {
            tally.counts.spans += 1;
            let span = view::Span::read(bytes)?;
            if !view::is_trace_id(span.trace_id) {
                tally.counts.rejected += 1;
                tally.rejected_why = Some("a trace id has not 16 bytes".to_owned());
                return Ok(false);
            }
            tally.misshapen_ids += u64::from(!matches!(span.span_id.len(), 0 | 8));
            let is_ai = span.attributes().any(|a| a.is_ok_and(|a| a.key.starts_with(b"gen_ai.")));
            tally.counts.skipped += u64::from(!is_ai);
            tally.skipped[0] += u64::from(!is_ai);
            Ok(is_ai)
        })
    }

    fn logs(&self, request: &[u8], context: Context<'_>, batch: &mut Batch) -> Result<Tally, Unpromoted> {
        self.walk(request, context, batch, |bytes, tally| {
            tally.counts.logs += 1;
            tally.misshapen_ids += u64::from(view::LogRecord::read(bytes)?.span_id.len() == 3);
            Ok(!view::LogRecord::read(bytes)?.event_name.is_empty())
        })
    }
}

/// A receiver on loopback, with both ends of what is behind it.
pub(super) struct Rig {
    pub(super) receiver: RunningReceiver,
    pub(super) fake: Arc<Fake>,
    pub(super) metrics: Arc<ReceiveMetrics>,
    pub(super) pool: Pool,
    pub(super) counters: Arc<crate::seal::Counters>,
    pub(super) submissions: mpsc::Receiver<Submission>,
}

pub(super) const LIMIT: usize = 1024 * 1024;
pub(super) const RECEIPT: Receipt = Receipt { seal: 42, root: Some(RootHash(Hash([0xab; 32]))) };

pub(super) fn plain() -> Endpoint {
    Endpoint { address: "127.0.0.1:0".to_owned(), tls: None, token_file: None }
}

pub(super) async fn rig() -> Rig {
    rig_with(plain(), Pool::new(64 * 1024 * 1024, Duration::from_secs(5))).await
}

pub(super) async fn rig_with(endpoint: Endpoint, pool: Pool) -> Rig {
    rig_within(endpoint, pool, Timeouts::default()).await
}

pub(super) async fn rig_within(endpoint: Endpoint, pool: Pool, timeouts: Timeouts) -> Rig {
    let fake = Arc::new(Fake::default());
    let promoter = Arc::clone(&fake) as Arc<dyn Promote>;
    Rig { fake, ..rig_behind(promoter, None, endpoint, pool, timeouts).await }
}

pub(super) async fn rig_of(promoter: Arc<dyn Promote>, elsewhere: Option<Arc<Elsewhere>>) -> Rig {
    rig_behind(promoter, elsewhere, plain(), Pool::new(64 * 1024 * 1024, Duration::from_secs(5)), Timeouts::default()).await
}

async fn rig_behind(
    promoter: Arc<dyn Promote>,
    elsewhere: Option<Arc<Elsewhere>>,
    endpoint: Endpoint,
    pool: Pool,
    timeouts: Timeouts,
) -> Rig {
    // reqwest was built without a provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (sealer, submissions) = SealerHandle::for_tests(pool.clone());
    let (metrics, counters) = (Arc::new(ReceiveMetrics::default()), Arc::clone(&sealer.counters));
    let state = ReceiverState {
        promoter,
        sealer,
        clock: Arc::new(ManualClock::new(UnixNanos(77))),
        origin: "spanseal.local/test".to_owned(),
        metrics: Arc::clone(&metrics),
        elsewhere,
    };
    let port = Port { endpoint, request_bytes_max: LIMIT };
    let options = Options { grpc: Some(port.clone()), http: Some(port), timeouts };
    let receiver = start(&options, state).await.unwrap();
    Rig { receiver, fake: Arc::default(), metrics, pool, counters, submissions }
}

impl Rig {
    /// From now on answers every batch so.
    pub(super) fn answering(&mut self, answer: Result<Receipt, SubmitError>) {
        let (_, gone) = mpsc::channel(1);
        let mut submissions = std::mem::replace(&mut self.submissions, gone);
        tokio::spawn(async move {
            while let Some(submission) = submissions.recv().await {
                let _ = submission.answer.send(answer.clone());
            }
        });
    }

    pub(super) async fn channel(&self) -> Channel {
        let address = format!("http://{}", self.receiver.grpc_address().unwrap());
        Channel::from_shared(address).unwrap().connect().await.unwrap()
    }

    pub(super) async fn client(&self) -> TraceServiceClient<Channel> {
        TraceServiceClient::new(self.channel().await)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.receiver.http_address().unwrap())
    }
}

pub(super) fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}

pub(super) fn ai_span() -> Span {
    Span { trace_id: vec![1; 16], span_id: vec![2; 8], attributes: vec![text("gen_ai.request.model", "m")], ..Default::default() }
}

pub(super) fn plain_span() -> Span {
    Span { trace_id: vec![1; 16], span_id: vec![2; 8], attributes: vec![text("http.route", "/")], ..Default::default() }
}

pub(super) fn traces(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] }
}

pub(super) fn logs(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs { log_records, ..Default::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] }
}

/// One span whose protobuf is a little larger than `bytes`, of zeros: it compresses a thousandfold.
pub(super) fn padded(bytes: usize) -> ExportTraceServiceRequest {
    traces(vec![Span { attributes: vec![text("gen_ai.pad", &"0".repeat(bytes))], ..ai_span() }])
}

/// `google.rpc.Status` as far as a client looks at it: code, message, seconds of RetryInfo.
pub(super) fn google_status(bytes: &[u8]) -> (i32, String, Option<u64>) {
    #[derive(Clone, PartialEq, Message)]
    struct Status {
        #[prost(int32, tag = "1")]
        code: i32,
        #[prost(string, tag = "2")]
        message: String,
        #[prost(message, repeated, tag = "3")]
        details: Vec<Any>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Any {
        #[prost(string, tag = "1")]
        type_url: String,
        #[prost(message, optional, tag = "2")]
        value: Option<RetryInfo>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        retry_delay: Option<Delay>,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Delay {
        #[prost(uint64, tag = "1")]
        seconds: u64,
    }
    let status = Status::decode(bytes).unwrap();
    let delay = status.details.first().map(|any| {
        assert_eq!(any.type_url, "type.googleapis.com/google.rpc.RetryInfo");
        any.value.clone().unwrap().retry_delay.unwrap().seconds
    });
    (status.code, status.message, delay)
}

pub(super) fn not_sealed() -> SubmitError {
    SubmitError::NotSealed { reason: "bucket secret-name is away".to_owned(), retry_after: Duration::from_millis(2_500) }
}
