//! The evidence scan: seals newest first, only the segments whose times fit, each checked against the SHA-256 that its seal signed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{StreamExt, stream};
use indicatif::ProgressBar;

use super::collapse::collapse;
use super::filter::{Filter, Look, Matcher};
use super::log::{KeySource, LogReader, TrustedKey, logs};
use super::person::Incomparable;
use super::{Hit, Place, Problem, Standing, segment};
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::plain::counted;
use crate::record::canonical::Json;
use crate::tlog::seal_file::{SealFile, SegmentRef};
use crate::worm::{ReadError, WormStore, seal_key};

/// Seals are read in steps of this many: one listing each.
const SEALS_AT_ONCE: u64 = 256;
/// Segments under way at once: each holds at most 64 MiB.
const SEGMENTS_AT_ONCE: usize = 4;
/// Bytes of lines that an answer holds at most; with their parsed form about five times that in memory.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Bytes that those lines, their parsed form, and the same of the segments under way hold at most: a short line may parse to very much.
const HELD_MAX: usize = 5 * ANSWER_BYTES_MAX;
/// Lines of one segment that are no JSON and are told one by one.
const UNREADABLE_MAX: usize = 16;
/// Problems that an answer tells.
const PROBLEMS_MAX: usize = 10_000;

/// Unknown pseudonyms of one log that an answer names.
const UNKNOWN_MAX: usize = 10_000;

/// What to look for, and how much of it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The conditions.
    pub filter: Filter,
    /// Stop after this many records, the newest sealed first.
    pub limit: Option<usize>,
    /// Keys that the asker trusts.
    pub trusted: Vec<TrustedKey>,
    /// How far a log is known to have been committed; one that ends before was cut off.
    pub committed: Option<Committed>,
    /// What to do with records that were sealed more than once.
    pub copies: Copies,
    /// Only this log, and of it only the seals from this index on.
    pub part: Option<Part>,
    /// Now, by which segments may be gone since their date; the system's clock without it.
    pub now: Option<UnixSeconds>,
    /// Most memory for what is found and its parsed form, bytes; 1.25 GiB without it. What comes to more is not whole ([`Answer::limited`]).
    pub memory: Option<usize>,
}

/// The newest seal that a log's own writer has committed, as whoever asks knows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Name of the log.
    pub log: String,
    /// Index of the seal.
    pub seal: u64,
}

impl Committed {
    /// Where a log ends before it.
    fn missing_in(&self, log: &LogReader) -> Option<Problem> {
        let Committed { log: name, seal } = self;
        (log.name() == name && log.size() <= *seal).then(|| {
            let there = counted(log.size(), "seal", "seals");
            let what = format!(
                "the log's writer has committed this seal, as the mark beside its key says, and the store shows only {there}: its end was taken \
                 away, or an older copy of the store was put back; what was sealed since was not searched; run `spanseal verify`"
            );
            Problem { object: seal_key(name, *seal).to_string(), what }
        })
    }
}

/// A part of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Name of the log.
    pub log: String,
    /// Index of the first seal.
    pub since: u64,
}

/// What to do with records that were sealed more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Copies {
    /// One answer where the lines are equal, the earliest, with the others ([`Hit::copies`]); for readers.
    #[default]
    Collapsed,
    /// Each, in the order of the seals: each has its own content in the vault, its own place and its own receipt. For who erases, proves or
    /// holds a receipt. A limit counts each.
    Each,
}

/// Segments of one class that are gone since their date, among those that might have held what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Name of the log.
    pub log: String,
    /// Retention class.
    pub class: String,
    /// Segments.
    pub segments: u64,
    /// Records in them, as their seals prove.
    pub records: u64,
    /// First and last seal that names one.
    pub seals: (u64, u64),
    /// Until when they were kept, the latest of them.
    pub kept_until: UnixSeconds,
}

impl Expired {
    fn of(log: &str, seal: u64, segment: &SegmentRef) -> Self {
        let (class, kept_until) = (segment.class.clone(), segment.lock.retain_until);
        Expired { log: log.to_owned(), class, segments: 1, records: segment.records, seals: (seal, seal), kept_until }
    }

    fn join(&mut self, other: &Expired) {
        self.segments += other.segments;
        self.records = self.records.saturating_add(other.records);
        self.seals = (self.seals.0.min(other.seals.0), self.seals.1.max(other.seals.1));
        self.kept_until = self.kept_until.max(other.kept_until);
    }
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expired { log, class, segments, records, seals: (first, last), kept_until } = self;
        let (part, verb) = if *segments == 1 { ("segment", "is") } else { ("segments", "are") };
        let seals = if first == last { format!("seal {first} proves") } else { format!("seals between {first} and {last} prove") };
        write!(
            f,
            "{log}: {segments} {part} of class `{class}` {verb} gone since the date (kept until {kept_until}); {seals} that {} stood \
             there, not searched any more; `spanseal verify` says whether a hold or an extension should have kept any",
            counted(*records, "record", "records")
        )
    }
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Logs.
    pub logs: u64,
    /// Seals.
    pub seals: u64,
    /// Segments read; others were ruled out by their times.
    pub segments: u64,
    /// Lines in them.
    pub records: u64,
    /// Records that seals name and that could not be searched. Seals that cannot be read may have named more.
    pub unsearched: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Answer {
    /// Records in order of time.
    pub hits: Vec<Hit>,
    /// What stands between this and a complete answer.
    pub problems: Vec<Problem>,
    /// What is gone since its date, as planned: it might have held more.
    pub expired: Vec<Expired>,
    /// Of the problems, the records that name somebody in a form that could not be compared.
    pub uncompared: Vec<Problem>,
    /// Pseudonyms that the vault did not have when it was asked, of persons whom records name that may be meant, by log; of very many only
    /// some. Whoever asked the vault asks it again: they may have come since.
    pub unknown: BTreeMap<String, BTreeSet<[u8; 16]>>,
    /// Records of schemas that this version does not know, among the hits.
    pub unknown_schemas: u64,
    /// Whether the limit ended the search.
    pub limited: bool,
    /// Whether the asker brought a key that belongs to no log of this store.
    pub strange_key: bool,
    /// The logs that were searched, for those who want to prove.
    pub logs: Vec<Arc<LogReader>>,
    /// How much was looked at.
    pub totals: Totals,
}

/// Searches all logs of a store. The error is a store that cannot be read at all; everything lesser is among the answer's problems.
pub async fn scan(store: &Arc<dyn WormStore>, request: &Request, progress: &ProgressBar) -> Result<Answer, ReadError> {
    let mut answer = Answer::default();
    let now = request.now.unwrap_or_else(|| SystemClock.now().ceil_seconds());
    let (mut found, mut uncompared): (Vec<Hit>, Vec<Problem>) = (Vec::new(), Vec::new());
    let held = Arc::new(AtomicUsize::new(0));
    let names = match &request.part {
        Some(part) => vec![part.log.clone()],
        None => logs(store.as_ref()).await?,
    };
    if names.is_empty() {
        answer.problems.push(Problem { object: store.describe(), what: "no log is there; check the address".to_owned() });
    }
    for name in names {
        let log = match LogReader::open(Arc::clone(store), &name, &request.trusted).await {
            Ok(log) => Arc::new(log),
            Err(error) => {
                answer.problems.push(Problem { object: name, what: format!("not searched: {error}") });
                continue;
            }
        };
        answer.problems.extend_from_slice(log.problems());
        answer.problems.extend(request.committed.as_ref().and_then(|committed| committed.missing_in(&log)));
        answer.totals.logs += 1;
        let run = Run { store, log: &log, request, progress, held: &held, now };
        if let Err(error) = run.search(&mut answer, &mut found, &mut uncompared).await {
            answer.problems.push(Problem { object: name, what: format!("searched only in part: {error}") });
        }
        answer.logs.push(log);
    }
    // An id that is found as it was asked for was sealed as it was sent. Only where it is not found may it be a pseudonym's.
    if request.filter.asked.is_none() || found.is_empty() {
        answer.problems.extend_from_slice(&uncompared);
        answer.uncompared = uncompared;
    }
    answer.strange_keys(&request.trusted);
    answer.hits = match request.copies {
        Copies::Collapsed => collapse(found),
        Copies::Each => {
            found.sort_by(|a, b| a.place.order().cmp(&b.place.order()));
            found
        }
    };
    if let Some(limit) = request.limit
        && answer.hits.len() > limit
    {
        // The newest of all logs together.
        answer.hits.drain(..answer.hits.len() - limit);
        answer.limited = true;
    }
    answer.unknown_schemas = u64::try_from(answer.hits.iter().filter(|h| !h.is_known()).count()).unwrap_or(u64::MAX);
    progress.finish_and_clear();
    Ok(answer)
}

impl Answer {
    /// A key that the asker brought and that fits no log has checked nothing: silence would let the answer look checked.
    fn strange_keys(&mut self, trusted: &[TrustedKey]) {
        let searched: Vec<String> = self.logs.iter().map(|log| format!("`{}`", log.key().map_or(log.name(), |key| key.name()))).collect();
        let brought = trusted.iter().filter(|t| t.source == KeySource::Pinned);
        let strange: Vec<Problem> = brought
            .filter(|t| !self.logs.iter().any(|log| t.is_for(log.name())))
            .map(|t| {
                let there =
                    if searched.is_empty() { "no log was searched".to_owned() } else { format!("searched was {}", searched.join(", ")) };
                let what = format!("the key given is of the log `{}`, but {there}: nothing was checked with that key", t.key.name());
                Problem { object: "--vkey".to_owned(), what }
            })
            .collect();
        self.strange_key = !strange.is_empty();
        self.problems.extend(strange);
    }

    /// What to say instead of "there is none" where something could not be read; `None` where everything could.
    pub fn may_be_elsewhere(&self) -> Option<String> {
        let unread = match self.totals.unsearched {
            _ if self.problems.is_empty() => {
                let gone = self.expired.iter().map(|e| e.records).fold(0, u64::saturating_add);
                return (gone > 0).then(|| {
                    format!(
                        "Not found in what is kept; {}, as planned (see above): it may have been among them.",
                        counted(gone, "record is gone since its date", "records are gone since their date")
                    )
                });
            }
            0 => "not all could be searched (see the problems above)".to_owned(),
            1 => "1 record could not be searched".to_owned(),
            n => format!("{n} records could not be searched"),
        };
        Some(format!("Not found in what could be read; {unread}: it may be there."))
    }
}

struct Run<'a> {
    store: &'a Arc<dyn WormStore>,
    log: &'a Arc<LogReader>,
    request: &'a Request,
    progress: &'a ProgressBar,
    /// Bytes that lines and their parsed form hold, of the whole answer.
    held: &'a Arc<AtomicUsize>,
    now: UnixSeconds,
}

/// What one segment gave.
#[derive(Default)]
struct Found {
    lines: Vec<(u64, Bytes, Json)>,
    incomparable: BTreeMap<Incomparable, u64>,
    /// Those that are told, and how many there are.
    unreadable: Vec<(u64, String)>,
    unreadable_count: u64,
    /// Whether no more can be held.
    full: bool,
    records: u64,
    unsearched: u64,
    broken: Option<Problem>,
    expired: Option<Expired>,
}

impl Run<'_> {
    /// Bytes that may be held.
    fn memory(&self) -> usize {
        self.request.memory.unwrap_or(HELD_MAX)
    }

    async fn search(&self, answer: &mut Answer, found: &mut Vec<Hit>, uncompared: &mut Vec<Problem>) -> Result<(), ReadError> {
        // Every seal is looked at, also those sealed before `from`: a sender's clock may run ahead by any time, so only the times that
        // seals state of their segments (`Filter::may_hold`) tell where a record can be.
        let matcher = Matcher::new(self.request.filter.clone());
        let mut ids = HashSet::new();
        let before = found.len();
        let mut held = 0;
        let mut incomparable: BTreeMap<Incomparable, u64> = BTreeMap::new();
        let mut end = self.log.size();
        let since = self.request.part.as_ref().map_or(0, |part| part.since);
        self.progress.set_length(self.progress.length().unwrap_or(0) + end.saturating_sub(since));
        'steps: while end > since {
            let start = end.saturating_sub(SEALS_AT_ONCE).max(since);
            let seals = self.log.seals(start..end).await?;
            answer.problems.extend(seals.problems);
            let mut jobs = Vec::new();
            for seal in seals.found.into_values().rev() {
                answer.totals.seals += 1;
                if !self.request.filter.may_be_in(&seal.statement) {
                    continue;
                }
                let segments = seal.statement.segments.iter().filter(|s| self.request.filter.may_hold(s.first, s.last));
                jobs.extend(segments.map(|s| (Arc::clone(&seal), Arc::new(s.clone()))));
            }
            let mut results =
                stream::iter(jobs).map(|(seal, segment)| self.open(seal, segment, matcher.clone())).buffered(SEGMENTS_AT_ONCE);
            while let Some((seal, segment, mut one)) = results.next().await {
                answer.totals.segments += 1;
                answer.totals.records = answer.totals.records.saturating_add(one.records);
                // Of a segment that could not be read, whatever its seal states, which may be any number.
                answer.totals.unsearched = answer.totals.unsearched.saturating_add(one.unsearched);
                answer.problems.extend(one.broken.take());
                if let Some(expired) = one.expired.take() {
                    match answer.expired.iter_mut().find(|e| (&e.log, &e.class) == (&expired.log, &expired.class)) {
                        Some(known) => known.join(&expired),
                        None => answer.expired.push(expired),
                    }
                }
                let object = || format!("{}/{}", self.log.name(), segment.key);
                let more = one.unreadable_count.saturating_sub(u64::try_from(one.unreadable.len()).unwrap_or(u64::MAX));
                for (line, why) in one.unreadable {
                    let what = format!("line {line} is not JSON ({why}); it was not searched");
                    answer.problems.push(Problem { object: object(), what });
                }
                if more > 0 {
                    answer
                        .problems
                        .push(Problem { object: object(), what: format!("{more} further lines are not JSON; they were not searched") });
                }
                for (why, count) in one.incomparable {
                    if let Incomparable::Unknown(pseudonym) = why {
                        let unknown = answer.unknown.entry(self.log.name().to_owned()).or_default();
                        if unknown.len() < UNKNOWN_MAX {
                            unknown.insert(pseudonym);
                        }
                        continue;
                    }
                    *incomparable.entry(why).or_default() += count;
                }
                for (leaf_index, line, record) in one.lines.into_iter().rev() {
                    let many = match self.request.copies {
                        Copies::Collapsed => ids.len(),
                        Copies::Each => found.len() - before,
                    };
                    if self.request.limit.is_some_and(|limit| many >= limit) {
                        answer.limited = true;
                        break 'steps;
                    }
                    ids.insert(record.get("id").and_then(Json::as_str).map_or_else(|| line.clone(), |id| Bytes::from(id.to_owned())));
                    held += line.len();
                    let place =
                        Place { log: self.log.name().to_owned(), seal: Arc::clone(&seal), segment: Arc::clone(&segment), leaf_index };
                    found.push(Hit { line, record, place, copies: Vec::new(), standing: Standing::Single });
                }
                if held > ANSWER_BYTES_MAX.min(self.memory()) || one.full {
                    let what = "the answer grew beyond 256 MiB and stops here; narrow it with --from and --to, or set --limit".to_owned();
                    answer.problems.push(Problem { object: self.log.name().to_owned(), what });
                    break 'steps;
                }
                if answer.problems.len() > PROBLEMS_MAX {
                    answer.problems.truncate(PROBLEMS_MAX);
                    let what = "more problems than are told; the search stops here; run `spanseal verify`".to_owned();
                    answer.problems.push(Problem { object: self.log.name().to_owned(), what });
                    break 'steps;
                }
            }
            self.progress.inc(end - start);
            end = start;
        }
        uncompared.extend(incomparable.into_iter().map(|(why, count)| self.uncompared(&why, count)));
        Ok(())
    }

    async fn open(&self, seal: Arc<SealFile>, segment: Arc<SegmentRef>, matcher: Matcher) -> (Arc<SealFile>, Arc<SegmentRef>, Found) {
        let stored = match segment::fetch(self.store.as_ref(), self.log.name(), &segment, self.now).await {
            Ok(stored) => stored,
            Err(segment::Unfetched::Expired(_)) => {
                let expired = Some(Expired::of(self.log.name(), seal.statement.index, &segment));
                return (seal, segment, Found { expired, ..Found::default() });
            }
            Err(segment::Unfetched::Problem(problem)) => {
                let unsearched = segment.records;
                return (seal, segment, Found { broken: Some(problem), unsearched, ..Found::default() });
            }
        };
        let described = Arc::clone(&segment);
        let object = format!("{}/{}", self.log.name(), segment.key);
        // Decompressing and searching takes longer than a moment: off the threads that wait for the store.
        let (held, most) = (Arc::clone(self.held), self.memory());
        let read = tokio::task::spawn_blocking(move || search_segment(&stored, &described, matcher, (&held, most))).await;
        let mut found = match read {
            Ok((found, None)) => found,
            Ok((mut found, Some(what))) => {
                found.broken = Some(Problem { object, what: format!("{what}; it was searched only up to there") });
                found
            }
            Err(error) => Found { broken: Some(Problem { object, what: format!("not searched: {error}") }), ..Found::default() },
        };
        found.unsearched = segment.records.saturating_sub(found.records).saturating_add(found.unreadable_count);
        (seal, segment, found)
    }

    fn uncompared(&self, why: &Incomparable, count: u64) -> Problem {
        let what = if self.request.filter.asked.is_some() { "a decision" } else { "a person or an id" };
        let records = if count == 1 { format!("1 record names {what}") } else { format!("{count} records name {what}") };
        let what = match why {
            Incomparable::Key(id) => {
                format!("{records} by a pseudonym under key {id}, which was not given (identity.key_file): not compared")
            }
            Incomparable::Realm => format!(
                "{records} by a pseudonym in a realm (identity.realm) that the record may not show as it was, because part of what it \
                 says of its sender was blacked out, cut off or stated twice: not compared; try the realms that you know of with --realm"
            ),
            Incomparable::Unknown(_) => format!("{records} by a pseudonym that is not in the vault: not compared"),
            Incomparable::Vault => format!("{records} by a pseudonym of the vault, which could not be asked (content.vault): not compared"),
        };
        Problem { object: self.log.name().to_owned(), what }
    }
}

/// `held` counts what all segments of an answer hold together; from `most` on no more is read.
fn search_segment(
    stored: &[u8],
    segment: &SegmentRef,
    mut matcher: Matcher,
    (held, most): (&AtomicUsize, usize),
) -> (Found, Option<String>) {
    let mut found = Found::default();
    let read = segment::lines(stored, segment, |index, line| {
        found.records += 1;
        match matcher.look(line) {
            Look::No => {}
            Look::Yes(record) => {
                let own = line.len() + record.held() + size_of::<(u64, Bytes)>();
                if held.fetch_add(own, Ordering::Relaxed).saturating_add(own) > most {
                    found.full = true;
                    return Err("what it holds is more than an answer may".to_owned());
                }
                found.lines.push((index, Bytes::copy_from_slice(line), record));
            }
            Look::Incomparable(why) => *found.incomparable.entry(why).or_default() += 1,
            Look::Unreadable(why) => {
                found.unreadable_count += 1;
                if found.unreadable.len() < UNREADABLE_MAX {
                    found.unreadable.push((index, why));
                }
            }
        }
        Ok(())
    });
    (found, read.err())
}

#[cfg(test)]
mod tests;
