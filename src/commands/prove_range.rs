//! `spanseal prove` of several records: those of a trace, or whatever lies between two.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::prove::{find, is_seen, none, not_found, strange_key, tell_keys, wanted_by};
use super::{output, read};
use crate::cli::ProveArgs;
use crate::config::Config;
use crate::query::filter::Filter;
use crate::query::log::{LogReader, TrustedKey};
use crate::query::scan::{Answer, Copies, Part, Request};
use crate::query::{Hit, Place};
use crate::tlog::LeafIndex;
use crate::verify::{End, Made, Proof, RangeBundle, RangeWish, Show, prove_range};
use crate::worm::WormStore;

/// Runs it.
pub(super) async fn run(args: &ProveArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let store = read::store(config).await?;
    match (&args.id, &args.through) {
        (Some(from), Some(to)) => between(&store, (from, to), args, config).await,
        _ => of_trace(&store, args, config).await,
    }
}

/// From one record to another.
async fn between(store: &Arc<dyn WormStore>, (from, to): (&str, &str), args: &ProveArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let mut ends = Vec::new();
    let mut found = None;
    let (trusted, mut told) = (read::trusted(&args.keys, config), BTreeSet::new());
    for id in [from, to] {
        let answer = find(store, id, (args.log.as_ref(), &trusted), &mut told).await?;
        let Some(hit) = answer.hits.first() else { return Ok(not_found(&answer, &none(id))) };
        if answer.strange_key {
            return Ok(strange_key());
        }
        ends.push(hit.place.clone());
        found = Some(answer);
    }
    let ([first, last], Some(answer)) = (ends.as_slice(), found) else { bail!("two records are needed") };
    if first.log != last.log {
        bail!(
            "`{from}` stands in log `{}` and `{to}` in log `{}`: what lies between two records is known within one log only",
            first.log,
            last.log
        );
    }
    let ends = (end(first), end(last));
    if ends.0 == ends.1 {
        bail!("`{from}` and `{to}` are one record: nothing can lie between them");
    }
    let (a, b) = (&ends.0, &ends.1);
    if a.seal > b.seal || (a.seal, &a.segment) == (b.seal, &b.segment) && a.leaf_index > b.leaf_index {
        bail!("`{to}` was sealed before `{from}`: change the two about, `spanseal prove {to} --through {from}`");
    }
    let mut incomplete = None;
    let show = match (&args.trace_id, args.all) {
        (_, true) => Show::All,
        (None, false) => Show::These(Vec::new()),
        (Some(trace), false) => {
            let part = Some(Part { log: first.log.clone(), since: ends.0.seal });
            let of = Request { part, ..trace_of(trace, trusted.clone()) };
            let answer = read::search_again(store, &of, &mut told).await?;
            incomplete = unsearched(&answer);
            let places = answer.hits.iter().map(|hit| end(&hit.place)).filter(|place| is_within(&ends, place));
            Show::These(places.collect())
        }
    };
    write(store, (&answer, &first.log), (Some(ends), show, incomplete), args, config).await
}

/// All records of a trace.
async fn of_trace(store: &Arc<dyn WormStore>, args: &ProveArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let trace = args.trace_id.as_deref().context("a record or a trace is needed")?;
    let request =
        Request { part: args.log.clone().map(|log| Part { log, since: 0 }), ..trace_of(trace, read::trusted(&args.keys, config)) };
    let answer = read::search(store, &request).await?;
    let Some(Hit { place: Place { log, .. }, .. }) = answer.hits.first() else {
        let none = format!("No record has the trace id `{trace}`; `spanseal query --trace-id` looks for the same.");
        return Ok(not_found(&answer, &none));
    };
    if answer.strange_key {
        return Ok(strange_key());
    }
    let logs: BTreeSet<&str> = answer.hits.iter().map(|hit| hit.place.log.as_str()).collect();
    if logs.len() > 1 {
        let names = logs.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        bail!("records of this trace stand in the logs {names}, and a proof is of one log: name one with --log, and prove each");
    }
    let show = Show::These(answer.hits.iter().map(|hit| end(&hit.place)).collect());
    let incomplete = unsearched(&answer);
    write(store, (&answer, log), (None, show, incomplete), args, config).await
}

/// What the bundle says of a search that could not look everywhere: whoever is handed it does not see the exit code.
fn unsearched(answer: &Answer) -> Option<String> {
    let many = answer.problems.len() + answer.expired.len();
    (many > 0).then(|| format!("{many} part(s) of the store could not be read when the records were searched"))
}

/// Each record of it wherever it was sealed: a proof of the first says nothing of a later one, which may have said something else.
fn trace_of(trace: &str, trusted: Vec<TrustedKey>) -> Request {
    let filter = Filter { trace_id: Some(trace.trim().to_ascii_lowercase()), ..Filter::default() };
    Request { filter, trusted, copies: Copies::Each, ..Request::default() }
}

fn end(place: &Place) -> End {
    End { seal: place.seal.statement.index, segment: place.segment.key.clone(), leaf_index: LeafIndex(place.leaf_index) }
}

/// Whether a record may lie between the ends: in the first and the last seal, what is before or behind an end in its own segment does not.
fn is_within((from, to): &(End, End), place: &End) -> bool {
    let before = (place.seal, &place.segment) == (from.seal, &from.segment) && place.leaf_index < from.leaf_index;
    let behind = (place.seal, &place.segment) == (to.seal, &to.segment) && place.leaf_index > to.leaf_index;
    (from.seal..=to.seal).contains(&place.seal) && !before && !behind
}

async fn write(
    store: &Arc<dyn WormStore>,
    (answer, name): (&Answer, &str),
    (ends, show, incomplete): (Option<(End, End)>, Show, Option<String>),
    args: &ProveArgs,
    config: &Config,
) -> anyhow::Result<ExitCode> {
    let complete = incomplete.is_none();
    let log: &LogReader = answer.logs.iter().find(|log| log.name() == name).context("its log was not opened")?;
    let shown: &[End] = match &show {
        Show::These(places) => places,
        Show::All => &[],
    };
    let last = shown.iter().map(|place| place.seal).chain(ends.iter().map(|(_, to)| to.seal)).max().context("nothing is to be proved")?;
    let (start, rotations) = log.way_to(last).context("no key is known to prove it with")?;
    if let Some(later) = log.brought_later(last) {
        bail!(
            "no proof of these records: they were sealed before `{later}` signed, and a proof of several begins with a key that signed their \
             seals; leave out --vkey, or bring the key before. `spanseal prove RECORD_ID` proves each of them under this key"
        );
    }
    let wish = RangeWish { keys: log.keys().to_vec(), start: start.clone(), rotations, ends, show, incomplete };
    let Made { bundle, left_out } =
        prove_range(store.as_ref(), name, &wish, &wanted_by(args, config)).await.context("no proof of these records")?;
    left_out.iter().for_each(|why| output::tell(why));
    let mut bytes = bundle.into_bytes();
    if u64::try_from(bytes.len())? >= RangeBundle::bytes_max() {
        bail!(
            "no proof of these records: it would be {} bytes long, and at most {} are read; prove parts of it, or withhold records",
            bytes.len(),
            RangeBundle::bytes_max()
        );
    }
    bytes.push(b'\n');
    // As whoever gets it will: what `check` would not read is not handed out.
    Proof::parse(&bytes).context("no proof of these records that could be read; prove parts of it, or withhold records")?;
    output::answer_bytes(&bytes)?;
    tell_keys(log, start);
    let seen = is_seen(&bytes, start, args);
    Ok(ExitCode::from(if complete && seen { 0 } else { 2 }))
}
