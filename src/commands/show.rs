//! `spanseal show`: a decision as a story.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use super::reading::{self, Shown};
use super::{content, output, read};
use crate::cli::{Global, ShowArgs};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::govern::chain;
use crate::query::filter::Filter;
use crate::query::log::KeySource;
use crate::query::opening::{Erasures, is_apart};
use crate::query::person::Names;
use crate::query::scan::{Answer, Request};
use crate::query::story::{Kept, OnRecord, Trust, kept, tell, whole};
use crate::query::{Hit, print};
use crate::record::canonical::Json;
use crate::worm::WormStore;

/// Runs it.
pub async fn run(args: ShowArgs, config: &Config, global: &Global) -> anyhow::Result<ExitCode> {
    let store = read::store(config).await?;
    let mut request =
        Request { trusted: read::trusted(&args.keys, config), committed: read::known_end(&args.keys, config), ..Request::default() };
    let asked = normal(&args.id);
    let mut answer = related(&store, &mut request, &asked, &names(config, store.as_ref()).await).await?;
    let mut complete = answer.problems.is_empty();
    if answer.hits.is_empty() {
        let nothing = || format!("Nothing is recorded under the trace, record or decision id `{}`.", args.id);
        output::tell(&answer.may_be_elsewhere().unwrap_or_else(nothing));
        return Ok(ExitCode::from(if complete { 1 } else { 2 }));
    }
    // Before anything is told: contents that differ make records that contradict each other.
    let said = if args.content {
        let compared = content::compare(config, &store, std::mem::take(&mut answer.hits), &request.trusted).await?;
        answer.hits = compared.hits;
        Some((compared.said, compared.complete))
    } else {
        None
    };
    let (erasures, all) =
        if is_apart(&answer.hits) { read::erasures(&store, &request.trusted).await? } else { (Erasures::default(), true) };
    complete &= all;
    let trust = Trust { key: key_source(&answer), complete, flags: &flags(global) };
    let mut story = tell(&answer.hits, &asked, trust, &erasures);
    let searched = |trace: &str| request.filter.related.iter().any(|id| id == trace);
    story.insert(whole(&answer.hits, searched, complete));
    let (kept, all) = kept_by(&store, &answer).await;
    story.keep(kept.items);
    complete &= all;
    let mut shown = Shown::default();
    if args.identities {
        let found = content::identities(config, &store, &answer.hits, (&story, &request.trusted)).await?;
        story.insert(found.section);
        if !found.complete {
            output::tell("problem: not every person of this story could be named: see \"Who they are\"");
        }
        complete &= found.complete;
        shown.names(&answer.hits, found.named);
    }
    if let Some((said, all)) = said {
        story.insert(content::section(&answer.hits, &said));
        shown.says(&answer.hits, &said);
        if !all {
            output::tell("problem: not all that was said could be brought back: see \"What was said, word for word\"");
        }
        complete &= all;
    }
    reading::record(config, &args.reading, shown.of_story(&asked, &answer.hits)).await?;
    if args.json {
        let mut json = story.to_json();
        if let Json::Object(members) = &mut json {
            members.push(("kept".to_owned(), kept.json));
            let copies = answer.hits.iter().filter(|hit| !hit.copies.is_empty()).map(copies_of);
            members.push(("copies".to_owned(), Json::Array(copies.collect())));
        }
        // Reasons are told as they stand in records.
        output::answer_json(&format!("{}\n", json.to_jcs_string()))?;
    } else {
        output::answer(&story.to_text(read::width().unwrap_or(90)))?;
    }
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// Where a record was sealed again, for whoever reads a story by machine.
fn copies_of(hit: &Hit) -> Json {
    let record = hit.text("id").map_or(Json::Null, Json::string);
    let own = Json::object([("record", record), ("seal", print::number(hit.place.seal.statement.index))]);
    match (own, print::copies(hit)) {
        (Json::Object(mut members), Json::Object(copies)) => {
            members.extend(copies);
            Json::Object(members)
        }
        (own, _) => own,
    }
}

/// What holds and extensions on record keep of these records, and whether that is known of all of them.
async fn kept_by(store: &Arc<dyn WormStore>, answer: &Answer) -> (Kept, bool) {
    let mut on_record = OnRecord::new();
    let mut all = true;
    for log in answer.logs.iter().filter(|log| answer.hits.iter().any(|hit| hit.place.log == log.name())) {
        let read = chain::read(store, log).await.map_err(|why| why.to_string());
        if let Err(why) = &read {
            output::tell(&format!("problem: {why}: whether this story is on hold or kept longer is not known"));
            all = false;
        }
        on_record.insert(log.name().to_owned(), read);
    }
    (kept(&answer.hits, &on_record, SystemClock.now().ceil_seconds()), all)
}

/// How a decision's id that looks like a person was sealed. A story is told without it too: then such a decision is not found by its id,
/// and [`scan`](crate::query::scan::scan) says so.
async fn names(config: &Config, store: &dyn WormStore) -> Names {
    read::names(config, store, &[], &[], false).await.unwrap_or_else(|why| {
        output::tell(&format!("problem: {why}: decisions whose id was sealed as a pseudonym are not found by their id"));
        Names { realm_attribute: config.identity.realm.clone(), ..Names::default() }
    })
}

/// What the caller said of configuration and store, to be said again; what the environment says needs no repetition.
fn flags(global: &Global) -> String {
    let config = global.config.as_ref().map(|c| ("--config", c.display().to_string()));
    let store = global.store.as_ref().map(|s| ("--store", s.clone()));
    config.into_iter().chain(store).map(|(flag, value)| format!(" {flag} {}", word(&value))).collect()
}

/// One word of a shell.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Hexadecimal ids are kept in lower case; a decision's own id may be anything and stays as it is.
fn normal(id: &str) -> String {
    let id = id.trim();
    if id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) { id.to_ascii_lowercase() } else { id.to_owned() }
}

/// The least trusted of the logs' keys: a chain is as strong as that.
pub(super) fn key_source(answer: &Answer) -> KeySource {
    let sources: Vec<KeySource> = answer.logs.iter().map(|log| log.key_source()).collect();
    [KeySource::Unpinned, KeySource::Configured].into_iter().find(|s| sources.contains(s)).unwrap_or(KeySource::Pinned)
}

/// Searches that a story may need: the id, what it leads to, and what that leads to (review -> decision -> its trace).
const STEPS_MAX: usize = 3;

/// Everything that belongs to the story: records with this id, trace or decision, the traces of the decisions they name, and what names
/// those decisions from elsewhere (a review hours later stands in another trace, or in none).
pub(super) async fn related(store: &Arc<dyn WormStore>, request: &mut Request, asked: &str, names: &Names) -> anyhow::Result<Answer> {
    let reference = Filter::reference(asked, names);
    let mut ids = BTreeSet::from([asked.to_owned()]);
    let mut step = 1;
    loop {
        request.filter = Filter { related: ids.iter().cloned().collect(), asked: Some(reference.clone()), ..Filter::default() };
        let answer = read::search(store, request).await?;
        let before = ids.len();
        for hit in answer.hits.iter().filter(|h| h.is_known()) {
            ids.extend(hit.text("decision.id").map(str::to_owned));
            // A later review or action belongs to the story; the trace in which it was made is another story.
            let elsewhere = matches!(hit.text("kind"), Some("review" | "explanation" | "lineage" | "action" | "evaluation"));
            if step == 1 || !elsewhere {
                ids.extend(hit.text("trace.trace_id").map(str::to_owned));
            }
        }
        if ids.len() == before || step == STEPS_MAX || answer.hits.is_empty() {
            return Ok(answer);
        }
        step += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::fixtures::TestLog;
    use crate::query::person::Label;
    use crate::record::identity::IdentityKey;

    #[test]
    fn commands_are_repeated_with_what_the_caller_said() {
        assert_eq!(flags(&Global::default()), "");
        let global = Global { config: Some("my keys/c.yaml".into()), store: Some("s3://bucket/a".to_owned()) };
        assert_eq!(flags(&global), " --config 'my keys/c.yaml' --store s3://bucket/a");
        assert_eq!(word("it's"), "'it'\\''s'");
    }

    /// Scenario: a decision whose id is an e-mail address, sealed as a pseudonym, and its review hours later in a trace of its own.
    /// Guarantee: both are found by the address; without the key nobody says that there is nothing.
    #[tokio::test]
    async fn a_decision_is_found_by_an_id_that_was_sealed_as_a_pseudonym() {
        let key = IdentityKey::new([7; 32]);
        let stored = Label::Reference.pseudonym(&key, "loans", "alice@example.com");
        let line = |id: &str, kind: &str, trace: &str| {
            format!(
                r#"{{"decision":{{"id":"{stored}"}},"id":"{id}","kind":"{kind}","schema":"spanseal.record/1","source":{{"service_namespace":"loans"}},"time":{{"start":"2026-11-20T10:00:00.000000000Z"}},"trace":{{"trace_id":"{trace}"}}}}"#
            )
        };
        let mut log = TestLog::new(TestLog::store(), "log").await;
        let plain = line("cc", "decision", "t3").replace(&stored, "loan-1");
        log.seal(&[&line("aa", "decision", "t1"), &line("bb", "review", "t2"), &plain]).await;
        let store: Arc<dyn WormStore> = Arc::new(log.store.clone());
        let found = async |asked: &str, key: Option<&IdentityKey>| {
            let names = Names { key: key.cloned(), ..Names::default() };
            let answer = related(&store, &mut Request::default(), asked, &names).await.unwrap();
            let ids: Vec<String> = answer.hits.iter().filter_map(|h| h.text("id").map(str::to_owned)).collect();
            (ids.join(" "), answer.problems)
        };
        assert_eq!(found("alice@example.com", Some(&key)).await, ("aa bb".to_owned(), vec![]));
        let (none, problems) = found("alice@example.com", None).await;
        assert!(none.is_empty() && problems.len() == 1 && problems[0].what.starts_with("2 records name a decision by a pseudonym"));
        // An id that was sealed as it was sent is found whole without the key, and so is a trace.
        for (asked, ids) in [("loan-1", "cc"), ("t1", "aa bb"), (&stored, "aa bb")] {
            assert_eq!(found(asked, None).await, (ids.to_owned(), vec![]), "{asked}");
        }
        assert_eq!(found("bob@example.com", Some(&key)).await, (String::new(), vec![]));
    }
}
