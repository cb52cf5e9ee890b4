//! `/api/v1/receipts/{trace_id}`: where the records of a trace are sealed, for a sender whom the answer's metadata did not reach because a
//! Collector stands in between (it drops them).
//!
//! The answer is read back from the store, checked under the log's own key, so that what it names is what a reader will find. It tells which records
//! there are, of what kind and where, and nothing of what they say. Each comes with the receipt that `spanseal verify --receipt` takes.
//!
//! KNOWN GAP: the design wants every read of evidence through spanseal on record, and this one, like every command that reads sealed evidence
//! and nothing of the vault, writes no `access` record. Such a record says who read what of whom; here nobody is named and nothing is shown
//! that a person said or is, and whoever asks knows the trace already. A sender asks once for each trace, so that its records would make up as
//! many seals as the evidence itself, and anybody who reaches the port could fill storage that nobody can empty by asking. What remains of it
//! is a figure, `spanseal_receipts_requests_total`, and `api.auth` and the listener say who may ask. The same is read, without a word to
//! anybody, by whoever may read the store.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use indicatif::ProgressBar;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::routes::Api;
use crate::clock::{Clock, UnixSeconds};
use crate::config::{parse_duration, show_duration};
use crate::metrics::{Asked, ReceiptsFigures, ReceiptsOutcome};
use crate::query::filter::Filter;
use crate::query::log::{KeySource, LogReader, TrustedKey};
use crate::query::scan::{Copies, Part, Request, scan};
use crate::query::{Hit, Problem};
use crate::tlog::note::VerifierKey;
use crate::worm::{ReadError, WormStore};

/// How far back it is looked where the asker does not say: a sender asks soon.
const WITHIN: Duration = Duration::from_secs(900);
/// Longest time that may be asked for: a longer search is the command's, which does not hold a request open.
const WITHIN_MAX: Duration = Duration::from_secs(24 * 3600);
/// Records that are named, each wherever it was sealed: a trace with more is answered with the newest, and the answer says that it is not whole.
const RECORDS_MAX: usize = 1000;
/// Memory of a search: it is made by the process that receives, and a trace may have records of a megabyte each.
const SEARCH_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Searches at a time. Each holds what it found in memory, and reads at most so many segments at once as the command does.
const AT_ONCE: usize = 2;
/// How long an asker waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);
/// How long a search may take.
const FOUND_WITHIN: Duration = Duration::from_secs(60);

/// What searching needs. Clones share it.
#[derive(Clone, Debug)]
pub struct Receipts {
    store: Arc<dyn WormStore>,
    log: String,
    clock: Arc<dyn Clock>,
    key: Arc<OnceLock<VerifierKey>>,
    turns: Arc<Semaphore>,
    figures: Arc<ReceiptsFigures>,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Found {
    trace_id: String,
    log: String,
    origin: String,
    searched: Searched,
    records: Vec<Record>,
    /// Why it may not be all; absent: it is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
    /// What to ask where nothing was found, and everything could be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
    /// How whoever has the configuration makes a proof of a record; of all of them where one was sealed more than once, since the proof of a
    /// record by its id is of the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    prove: Option<String>,
}

/// Where it was looked.
#[derive(Debug, Serialize)]
struct Searched {
    /// What was sealed since then.
    since: String,
    /// First and last seal; absent: none was made since.
    #[serde(skip_serializing_if = "Option::is_none")]
    seals: Option<(u64, u64)>,
}

#[derive(Debug, Serialize)]
struct Record {
    id: String,
    kind: Option<String>,
    span_id: Option<String>,
    seal: u64,
    sealed_at: String,
    segment: String,
    leaf_index: u64,
    /// `SEAL:ROOT`, as `spanseal verify --receipt` takes it.
    receipt: String,
}

impl Record {
    fn of(hit: &Hit) -> Self {
        let (seal, text) = (&hit.place.seal, |path| hit.text(path).map(str::to_owned));
        let (index, root) = (seal.statement.index, seal.range_after().root());
        Record {
            id: text("id").unwrap_or_default(),
            kind: text("kind"),
            span_id: text("trace.span_id"),
            seal: index,
            sealed_at: seal.statement.sealed_at.to_string(),
            segment: hit.place.segment.key.clone(),
            leaf_index: hit.place.leaf_index,
            receipt: format!("{index}:{root}"),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
enum Refusal {
    /// What was asked is none.
    Wrong(String),
    /// Not now.
    Later(&'static str),
    /// The store.
    Unread(ReadError),
}

impl Refusal {
    fn outcome(&self) -> ReceiptsOutcome {
        match self {
            Refusal::Wrong(_) => ReceiptsOutcome::Wrong,
            Refusal::Later(_) => ReceiptsOutcome::Busy,
            Refusal::Unread(_) => ReceiptsOutcome::Unread,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, why) = match self {
            Refusal::Wrong(why) => (StatusCode::BAD_REQUEST, why),
            Refusal::Later(why) => (StatusCode::SERVICE_UNAVAILABLE, why.to_owned()),
            Refusal::Unread(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("the store could not be read: {error}; ask again")),
        };
        let mut response = json(status, &serde_json::json!({ "error": why }));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string_pretty(body) {
        Ok(body) => {
            (status, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], format!("{body}\n")).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "api.receipts.unwritten");
            super::routes::text(StatusCode::INTERNAL_SERVER_ERROR, "no answer could be written\n")
        }
    }
}

impl Receipts {
    /// Of one log, which is not open yet.
    pub fn new(store: Arc<dyn WormStore>, log: &str, clock: Arc<dyn Clock>) -> Self {
        Receipts {
            store,
            log: log.to_owned(),
            clock,
            key: Arc::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            figures: Arc::default(),
        }
    }

    /// What was asked and what came of it.
    pub fn figures(&self) -> Arc<ReceiptsFigures> {
        Arc::clone(&self.figures)
    }

    /// The log is open, and this is its key.
    pub fn opened(&self, key: VerifierKey) {
        let _ = self.key.set(key);
    }

    /// Answers, and counts what came of it; an asker that hangs up before is counted too.
    async fn answer(&self, trace_id: &str, query: Option<&str>) -> Response {
        let counted = Asked::new(self.figures());
        let found = match asked(trace_id, query) {
            Ok((trace_id, within)) => self.find(&trace_id, within).await,
            Err(why) => Err(Refusal::Wrong(why)),
        };
        let (outcome, response) = match found {
            Ok(found) => {
                let (outcome, status) = match (found.records.is_empty(), found.problems.is_empty()) {
                    (false, true) => (ReceiptsOutcome::Found, StatusCode::OK),
                    (false, false) => (ReceiptsOutcome::Incomplete, StatusCode::OK),
                    (true, true) => (ReceiptsOutcome::NotFound, StatusCode::NOT_FOUND),
                    // It may be where nobody could look.
                    (true, false) => (ReceiptsOutcome::Incomplete, StatusCode::SERVICE_UNAVAILABLE),
                };
                (outcome, json(status, &found))
            }
            Err(refusal) => (refusal.outcome(), refusal.into_response()),
        };
        counted.answered(outcome);
        response
    }

    async fn find(&self, trace_id: &str, within: Duration) -> Result<Found, Refusal> {
        let key = self.key.get().cloned().ok_or(Refusal::Later("the log is being opened; ask again"))?;
        let origin = key.name().to_owned();
        let turn = tokio::time::timeout(TURN_WITHIN, self.turns.acquire()).await;
        // Never closed.
        let _turn = turn.map_err(|_| Refusal::Later("many ask at once; ask again"))?;
        let trusted = vec![TrustedKey { key, source: KeySource::Configured }];
        let seconds = i64::try_from(within.as_secs()).unwrap_or(i64::MAX);
        let since = UnixSeconds(self.clock.now().ceil_seconds().0.saturating_sub(seconds));
        let search = async {
            let log = LogReader::open(Arc::clone(&self.store), &self.log, &trusted).await?;
            let first = first_since(&log, since).await?;
            let part = Some(Part { log: self.log.clone(), since: first });
            let filter = Filter { trace_id: Some(trace_id.to_owned()), ..Filter::default() };
            let (limit, memory) = (Some(RECORDS_MAX), Some(SEARCH_BYTES_MAX));
            // Whoever sent what was sealed again has a receipt of that seal.
            let copies = Copies::Each;
            let request = Request { filter, limit, memory, copies, trusted: trusted.clone(), part, ..Request::default() };
            let answer = scan(&self.store, &request, &ProgressBar::hidden()).await?;
            let last = answer.logs.first().map_or(log.size(), |log| log.size()).checked_sub(1);
            Ok((answer, last.filter(|last| *last >= first).map(|last| (first, last))))
        };
        let found = tokio::time::timeout(FOUND_WITHIN, search).await;
        let late = "the search took too long; ask for less (?within=5m), or use `spanseal query --trace-id`";
        let (answer, seals) = found.map_err(|_| Refusal::Later(late))?.map_err(Refusal::Unread)?;
        let mut problems: Vec<String> = answer.problems.iter().map(Problem::to_string).collect();
        if answer.limited {
            problems
                .push(format!("the trace has more records than the {RECORDS_MAX} that are named; `spanseal query --trace-id` lists all"));
        }
        let mut records: Vec<Record> = answer.hits.iter().map(Record::of).collect();
        records.sort_by_key(|record| (record.seal, record.leaf_index));
        Ok(Found {
            trace_id: trace_id.to_owned(),
            log: self.log.clone(),
            origin,
            searched: Searched { since: since.to_string(), seals },
            // Where not all could be looked at, nobody knows what was sealed.
            hint: (records.is_empty() && problems.is_empty()).then_some(
                "nothing of it was sealed in the time that was searched: ask again when it is, or look further back with ?within=24h, or everywhere with \
                 `spanseal query --trace-id`",
            ),
            prove: records.first().map(|record| match records.iter().map(|record| &record.id).collect::<HashSet<_>>().len() {
                ids if ids < records.len() => format!("spanseal prove --trace-id {trace_id}"),
                _ => format!("spanseal prove {}", record.id),
            }),
            records,
            problems,
        })
    }
}

/// The first seal that closed since then. Their times never run backwards; one that cannot be read is searched rather than passed over.
async fn first_since(log: &LogReader, since: UnixSeconds) -> Result<u64, ReadError> {
    let (mut low, mut high) = (0, log.size());
    while low < high {
        let middle = low + (high - low) / 2;
        let seals = log.seals(middle..middle.saturating_add(1)).await?;
        match seals.found.get(&middle) {
            Some(seal) if seal.statement.sealed_at < since => low = middle.saturating_add(1),
            _ => high = middle,
        }
    }
    Ok(low)
}

/// Reads what is asked for.
fn asked(trace_id: &str, query: Option<&str>) -> Result<(String, Duration), String> {
    let id = trace_id.trim().to_ascii_lowercase();
    if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("a trace id has 32 hexadecimal digits".to_owned());
    }
    let mut within = WITHIN;
    for (name, value) in
        query.unwrap_or_default().split('&').filter(|part| !part.is_empty()).map(|part| part.split_once('=').unwrap_or((part, "")))
    {
        if name != "within" {
            return Err("the only parameter is `within`, how far back is searched, as in ?within=1h".to_owned());
        }
        within = parse_duration(value)?;
        if within > WITHIN_MAX {
            let most = show_duration(WITHIN_MAX);
            return Err(format!("`within` is at most {most}; `spanseal query --trace-id` searches all"));
        }
    }
    Ok((id, within))
}

/// `/api/v1/receipts/{trace_id}`. 404: nothing of it is sealed yet, as far as was searched.
pub(super) async fn receipts(State(api): State<Api>, Path(trace_id): Path<String>, RawQuery(query): RawQuery) -> Response {
    api.receipts.answer(&trace_id, query.as_deref()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, UnixNanos};
    use crate::metrics::Metrics;
    use crate::query::fixtures::{SEALED, TestLog};

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn line(id: &str, trace: &str) -> String {
        format!(
            r#"{{"id":"{id}","kind":"inference","schema":"spanseal.record/1","source":{{"signal":"span"}},"time":{{"start":"2026-11-20T10:00:00Z"}},"trace":{{"span_id":"00f067aa0ba902b7","trace_id":"{trace}"}}}}"#
        )
    }

    fn receipts(log: &TestLog, now: i64) -> Receipts {
        let clock = ManualClock::new(UnixNanos(u64::try_from(now).unwrap() * 1_000_000_000));
        Receipts::new(Arc::new(log.store.clone()), &log.name, Arc::new(clock))
    }

    /// Scenario: a trace is sealed in two seals among others, and somebody asks for it soon, later and for too short a time. Guarantee: each record
    /// is named with its seal, its place and the root that its receipt had; what was sealed before the time asked for is not searched, and that
    /// is said; another trace is not found.
    #[tokio::test]
    async fn a_trace_is_found_where_it_was_sealed() {
        let mut log = TestLog::new(TestLog::store(), "log").await;
        let mut roots = Vec::new();
        for n in 0..9 {
            let trace = if n == 3 || n == 7 { TRACE } else { "00000000000000000000000000000001" };
            log.seal(&[&line(&format!("x{n}"), "00000000000000000000000000000002"), &line(&format!("a{n}"), trace)]).await;
            roots.push(log.last.as_ref().unwrap().range_after().root());
        }
        // Seals close a second apart.
        let now = SEALED + 9;
        let of = receipts(&log, now);
        assert!(matches!(of.find(TRACE, WITHIN).await, Err(Refusal::Later(_))), "not open");
        of.opened(log.vkey());
        let found = of.find(TRACE, WITHIN).await.unwrap();
        let places: Vec<_> = found.records.iter().map(|r| (r.id.as_str(), r.seal, r.leaf_index, r.receipt.clone())).collect();
        assert_eq!(places, [("a3", 3, 1, format!("3:{}", roots[3])), ("a7", 7, 1, format!("7:{}", roots[7]))]);
        assert_eq!((found.searched.seals, found.problems.len()), (Some((0, 8)), 0), "{found:?}");
        assert_eq!(found.records[0].span_id.as_deref(), Some("00f067aa0ba902b7"));
        let found = of.find(TRACE, Duration::from_secs(5)).await.unwrap();
        assert_eq!((found.records.len(), found.searched.seals), (1, Some((4, 8))), "{found:?}");
        let found = of.find(TRACE, Duration::ZERO).await.unwrap();
        assert_eq!((found.records.len(), found.searched.seals), (0, None), "{found:?}");
        let nobody = "00000000000000000000000000000003";
        let found = of.find(nobody, WITHIN).await.unwrap();
        assert!(found.records.is_empty() && found.hint.is_some(), "{found:?}");
        // A segment that is gone may have held more.
        let key = log.seal(&[&line("late", TRACE)]).await.unwrap();
        log.store.purge(&key, None);
        let of = receipts(&log, now + 1);
        of.opened(log.vkey());
        let found = of.find(TRACE, WITHIN).await.unwrap();
        assert_eq!((found.records.len(), found.problems.len()), (2, 1), "{found:?}");
        // Nor is anything said of what was sealed where not all could be looked at.
        let found = of.find(nobody, WITHIN).await.unwrap();
        assert_eq!((found.records.len(), found.problems.len(), found.hint), (0, 1, None), "{found:?}");
    }

    /// Scenario: a record is sealed again, more often than is named, under lines that are equal. Guarantee: each sealing is named with its own
    /// receipt, the newest of them where they are too many, and then that is said.
    #[tokio::test]
    async fn every_sealing_has_its_receipt() {
        let mut log = TestLog::new(TestLog::store(), "log").await;
        let salted = |n: usize| {
            let content = format!(r#"{{"id":"a","input":{{"captured":"vault","commitment":"salted-sha256:{n:064x}"}},"#);
            line("a", TRACE).replacen("{\"id\":\"a\",", &content, 1)
        };
        log.seal(&[&salted(0)]).await;
        log.seal(&[&salted(1)]).await;
        let of = receipts(&log, SEALED + 9);
        of.opened(log.vkey());
        let found = of.find(TRACE, WITHIN).await.unwrap();
        let seals: Vec<_> = found.records.iter().map(|record| (record.seal, record.receipt.split(':').next().unwrap())).collect();
        assert_eq!((seals, found.problems.len()), (vec![(0, "0"), (1, "1")], 0), "{found:?}");
        assert_eq!(found.prove.as_deref(), Some(format!("spanseal prove --trace-id {TRACE}").as_str()));
        let many: Vec<String> = (2..=RECORDS_MAX).map(salted).collect();
        log.seal(&many.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let found = of.find(TRACE, WITHIN).await.unwrap();
        assert_eq!((found.records.len(), found.records[0].seal, found.problems.len()), (RECORDS_MAX, 1, 1), "{:?}", found.problems);
    }

    /// Each question is counted once, by what came of it, and answered with the status that says whether asking again helps.
    #[tokio::test(start_paused = true)]
    async fn each_question_is_counted_by_what_came_of_it() {
        let mut log = TestLog::new(TestLog::store(), "log").await;
        log.seal(&[&line("a", TRACE)]).await;
        let of = receipts(&log, SEALED + 9);
        let status = async |trace: &str| of.answer(trace, None).await.status().as_u16();
        assert_eq!(status(TRACE).await, 503, "not open");
        of.opened(log.vkey());
        assert_eq!((status("x").await, status(TRACE).await, status("00000000000000000000000000000003").await), (400, 200, 404));
        // As many as may search at once do, and do not end.
        let all = of.turns.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        assert_eq!(status(TRACE).await, 503, "many at once");
        let hung_up = tokio::time::timeout(Duration::from_millis(1), of.answer(TRACE, None)).await;
        assert!(hung_up.is_err());
        drop(all);
        log.store.fail_reads("", usize::MAX);
        assert_eq!(status(TRACE).await, 503, "unread");
        log.store.clear_faults();
        let key = log.seal(&[&line("late", TRACE)]).await.unwrap();
        log.store.purge(&key, None);
        assert_eq!(status(TRACE).await, 200, "what is left is named");
        assert_eq!(status("00000000000000000000000000000003").await, 503, "it may be where nobody could look");
        let metrics = Metrics::default();
        metrics.register(of.figures());
        let counted = metrics.prometheus();
        for (outcome, many) in [("found", 1), ("not_found", 1), ("incomplete", 2), ("busy", 2), ("unread", 1), ("wrong", 1), ("gone", 1)] {
            let line = format!("{{outcome=\"{outcome}\"}} {many}\n");
            assert!(counted.contains(&line), "{line}{counted}");
        }
    }

    #[test]
    fn what_is_asked_for_is_read_or_refused() {
        assert_eq!(asked(&TRACE.to_uppercase(), None), Ok((TRACE.to_owned(), WITHIN)));
        assert_eq!(asked(TRACE, Some("within=1h")), Ok((TRACE.to_owned(), Duration::from_secs(3600))));
        for (id, query, why) in [
            ("4bf9", None, "32 hexadecimal digits"),
            ("4bf92f3577b34da6a3ce929d0e0e473g", None, "32 hexadecimal digits"),
            (TRACE, Some("since=1h"), "the only parameter"),
            (TRACE, Some("within=1d"), "not a duration"),
            (TRACE, Some("within="), "not a duration"),
            (TRACE, Some("within=25h"), "at most 24h"),
        ] {
            assert!(asked(id, query).unwrap_err().contains(why), "{id} {query:?}");
        }
    }
}
