//! `spanseal prove`: a proof of one record, for somebody who has no access to the store. (`prove_range` makes those of several.)

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use super::content::{self, Said, What};
use super::reading::{self, Shown};
use super::{output, prove_range, read};
use crate::cli::ProveArgs;
use crate::clock::UnixSeconds;
use crate::config::Config;
use crate::query::Hit;
use crate::query::filter::Filter;
use crate::query::log::{LogReader, TrustedKey};
use crate::query::scan::{Answer, Part, Request};
use crate::query::story::{clean, sealed_in};
use crate::record::canonical::Json;
use crate::tlog::note::VerifierKey;
use crate::verify::{self, Checked, Made, Opening, Others, Proof, RecordAt, Wanted};
use crate::worm::WormStore;

/// Runs it.
pub async fn run(args: ProveArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let Some(id) = args.id.as_deref().filter(|_| args.through.is_none()) else {
        return prove_range::run(&args, config).await;
    };
    let store = read::store(config).await?;
    let trusted = read::trusted(&args.keys, config);
    let answer = find(&store, id, (args.log.as_ref(), &trusted), &mut BTreeSet::new()).await?;
    let Some(hit) = answer.hits.first() else { return Ok(not_found(&answer, &none(id))) };
    if answer.strange_key {
        return Ok(strange_key());
    }
    let (said, complete) = if args.content {
        let (said, complete) = content::bring_back(config, &store, std::slice::from_ref(hit), &trusted).await?;
        tell_unopened(&said);
        (said, complete)
    } else {
        (Vec::new(), true)
    };
    let openings = openings(said.first().map_or(&[], Vec::as_slice));
    if args.content && said.first().is_none_or(Vec::is_empty) {
        output::tell("the record names no content, so nothing is opened: its proof is the same as without --content");
    }
    let (json, left_out) = bundle(&store, &answer, hit, (openings, &wanted_by(&args, config))).await?;
    left_out.iter().for_each(|why| output::tell(why));
    let mut bytes = json.to_jcs();
    bytes.push(b'\n');
    let mut shown = Shown::default();
    shown.says(std::slice::from_ref(hit), &said);
    reading::record(config, &args.reading, shown.of_proof(hit)).await?;
    output::answer_bytes(&bytes)?;
    let (log, key) = begins(&answer, hit)?;
    tell_keys(log, key);
    let seen = is_seen(&bytes, key, &args);
    Ok(if complete && seen { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// The log of a record, and the key with which its proof begins.
fn begins<'a>(answer: &'a Answer, hit: &Hit) -> anyhow::Result<(&'a LogReader, &'a VerifierKey)> {
    let (place, seal) = (&hit.place, hit.place.seal.statement.index);
    let log = answer.logs.iter().find(|log| log.name() == place.log).context("its log was not opened")?;
    let key = log.brought_later(seal).or(log.way_to(seal).map(|(key, _)| key));
    Ok((log, key.context("no key is known to prove it with")?))
}

/// Says whom a proof is for, where the log has changed its key: it is checked with the key that it begins with.
pub(super) fn tell_keys(log: &LogReader, begins: &VerifierKey) {
    let others: Vec<String> = log.keys().iter().filter(|(_, key)| key != begins).map(|(_, key)| format!("`{key}`")).collect();
    if !others.is_empty() {
        output::tell(&format!(
            "this proof is for whoever holds the key `{begins}`, with which it begins. The log has changed its key: for whoever holds another of \
             its keys, prove it with --vkey and that one ({})",
            others.join(", ")
        ));
    }
}

/// Whether enough of the witnesses that the asker names have cosigned the checkpoint, as `check` will ask. The proof holds without them, and is
/// written.
pub(super) fn is_seen(bytes: &[u8], key: &VerifierKey, args: &ProveArgs) -> bool {
    if args.trust.witness.is_empty() {
        return true;
    }
    let others = Others { witnesses: args.trust.witness.clone(), quorum: args.trust.quorum, ..Others::default() };
    let proof = Proof::parse(bytes);
    // Dates are for who checks it.
    let seen = match Checked::of(proof.as_ref().map_err(Clone::clone), key, &others, UnixSeconds::MAX) {
        Checked::Record(report) => report.result.map(|proved| (proved.is_cosigned(), proved.cosigned, proved.seen, proved.asked)),
        Checked::Range(report) => report.result.map(|proved| (proved.is_cosigned(), proved.cosigned, proved.seen, proved.asked)),
    };
    let (cosigned, seen, asked) = match seen {
        Ok((true, ..)) => return true,
        Ok((false, cosigned, seen, asked)) => (cosigned, seen, asked),
        // It holds without them: what is refused is what was asked of them.
        Err(error) => {
            output::tell(&format!("the proof is written, but with the witnesses that you named `check` will refuse it: {error}"));
            return false;
        }
    };
    let names = seen.iter().map(|seen| format!("`{}`", seen.name)).collect::<Vec<_>>().join(", ");
    let names = if names.is_empty() { String::new() } else { format!(": {names}") };
    output::tell(&format!(
        "the proof is written, but it is not yet cosigned by enough of the witnesses that you named, {} of {}{names}; `check` will say so, too. Prove \
         it again when they have seen the log",
        cosigned,
        asked.unwrap_or_default()
    ));
    false
}

/// Looks for a record. Where several say different things under its id, that is told.
pub(super) async fn find(
    store: &Arc<dyn WormStore>,
    id: &str,
    (log, trusted): (Option<&String>, &[TrustedKey]),
    told: &mut BTreeSet<String>,
) -> anyhow::Result<Answer> {
    let filter = Filter { record_id: Some(id.trim().to_ascii_lowercase()), ..Filter::default() };
    let part = log.cloned().map(|log| Part { log, since: 0 });
    let request = Request { filter, trusted: trusted.to_vec(), part, ..Request::default() };
    let answer = read::search_again(store, &request, told).await?;
    if answer.hits.len() > 1 {
        let many = answer.hits.len();
        output::tell(&format!("{many} records with this id say different things; this proves the earliest. See `spanseal show {id}`."));
    }
    if let Some(hit) = answer.hits.first().filter(|hit| !hit.copies.is_empty()) {
        let said = if hit.same_content().is_some() {
            ""
        } else {
            ", under a line that is equal, which does not show whether what lies in the vault was; `spanseal show --content` compares it"
        };
        let trace = hit
            .text("trace.trace_id")
            .map_or_else(String::new, |trace| format!(" `spanseal prove --trace-id {}` proves each.", clean(trace)));
        output::tell(&format!("this proves the earliest of this record; it was sealed again in {}{said}.{trace}", sealed_in(&hit.copies)));
    }
    Ok(answer)
}

/// Says that there is nothing to prove, or that it may be where nothing could be read.
pub(super) fn not_found(answer: &Answer, none: &str) -> ExitCode {
    output::tell(&answer.may_be_elsewhere().unwrap_or_else(|| none.to_owned()));
    ExitCode::from(if answer.problems.is_empty() { 1 } else { 2 })
}

pub(super) fn strange_key() -> ExitCode {
    output::tell("No proof is written: the key that was given is of another log, and a proof would begin with a key that was not given.");
    ExitCode::from(2)
}

/// The witnesses that were given, else those of the configuration.
pub(super) fn wanted_by(args: &ProveArgs, config: &Config) -> Wanted {
    if args.trust.witness.is_empty() { wanted(config) } else { Wanted { witnesses: args.trust.witness.clone(), quorum: args.trust.quorum } }
}

/// Why there is nothing to prove. People come with the id of a decision, which several records may name.
pub(super) fn none(id: &str) -> String {
    format!(
        "No record has the id `{id}`. A proof is of one record, by its record id (32 hexadecimal digits); if this is the id of a trace, \
         `spanseal prove --trace-id '{id}'` proves its records; if it is that of a decision, `spanseal query --decision '{id}' --format json` shows \
         its records, each with its `record.id`."
    )
}

/// What a proof was asked to open and cannot.
fn tell_unopened(said: &[Vec<Said>]) {
    for Said { member, what, .. } in said.iter().flatten() {
        if let Some(why) = what.why_not() {
            output::tell(&format!("`{member}` is not opened: {why}"));
        }
    }
}

/// What opens the content of a record, as a bundle names it: `retrieval.documents.2.content`. What was said under another seal opens that
/// one's commitments alone.
fn openings(said: &[Said]) -> Vec<Opening> {
    let own = said.iter().filter(|said| said.again.is_none());
    let open = |said: &Said| match &said.what {
        What::Content(entry) => Some(Opening {
            member: said.member.replace('[', ".").replace(']', ""),
            salt: hex::encode(entry.salt),
            // A preimage is text by both schemes (`record.md` section 4).
            content: std::str::from_utf8(&entry.content).ok()?.to_owned(),
        }),
        _ => None,
    };
    own.filter_map(open).collect()
}

/// The witnesses of the configuration: whoever checks the bundle decides whom to trust, and these are the likely ones.
pub(super) fn wanted(config: &Config) -> Wanted {
    let witnesses: Vec<_> = config.log.witnesses.iter().map(|place| place.key.clone()).collect();
    Wanted { quorum: Some(config.log.witness_quorum).filter(|_| !witnesses.is_empty()), witnesses }
}

/// The bundle of one hit, and what of the witnesses' words was not looked at for it.
pub(super) async fn bundle(
    store: &Arc<dyn WormStore>,
    answer: &Answer,
    hit: &Hit,
    (openings, wanted): (Vec<Opening>, &Wanted),
) -> anyhow::Result<(Json, Option<String>)> {
    let place = &hit.place;
    let seal = place.seal.statement.index;
    let log = answer.logs.iter().find(|log| log.name() == place.log).context("its log was not opened")?;
    let (key, rotations) = log.way_to(seal).context("no key is known to prove it with")?;
    let at = RecordAt { seal, segment: place.segment.key.clone(), leaf_index: place.leaf_index, rotations };
    let (key, made) = match log.brought_later(seal) {
        Some(later) => (later, verify::prove_under(store.as_ref(), &place.log, log.keys(), (later, wanted), &at).await),
        None => (key, verify::prove_published(store.as_ref(), &place.log, log.keys(), (key, wanted), &at).await),
    };
    let Made { mut bundle, left_out } = made.context("no proof of this record")?;
    if !openings.is_empty() {
        bundle.openings = openings;
        // As whoever gets it will: what does not open, and what is too long for a bundle, is not handed out.
        let checked = verify::Bundle::parse(&bundle.to_bytes()).and_then(|bundle| bundle.check(key, UnixSeconds::MAX).map(|_| ()));
        checked.context("the record's content cannot be opened in a proof; without --content it can be proved")?;
    }
    Ok((Json::parse(&bundle.to_bytes())?, left_out))
}

/// The bundles of all records of an answer, `Null` where one could not be made; whether all could.
///
/// `said` opens them.
pub(super) async fn bundles(
    store: &Arc<dyn WormStore>,
    answer: &Answer,
    (said, wanted): (Option<&[Vec<Said>]>, &Wanted),
) -> (Vec<Json>, bool) {
    let mut bundles = Vec::with_capacity(answer.hits.len());
    let (mut all, mut left_out) = (true, BTreeSet::new());
    for (i, hit) in answer.hits.iter().enumerate() {
        let openings = said.and_then(|said| said.get(i)).map_or_else(Vec::new, |said| openings(said));
        bundles.push(match bundle(store, answer, hit, (openings, wanted)).await {
            Ok((bundle, why)) => {
                left_out.extend(why);
                bundle
            }
            Err(error) => {
                all = false;
                output::tell(&format!("problem: {:?}: no proof: {error:#}", hit.place));
                Json::Null
            }
        });
    }
    // Of many records mostly the same.
    left_out.iter().for_each(|why| output::tell(why));
    (bundles, all)
}
