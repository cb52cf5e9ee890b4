//! `spanseal prove`: a proof of one record, for somebody who has no access to the store.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use super::{output, read};
use crate::cli::ProveArgs;
use crate::config::Config;
use crate::query::Hit;
use crate::query::filter::Filter;
use crate::query::scan::{Answer, Request};
use crate::record::canonical::Json;
use crate::verify::{self, RecordAt};
use crate::worm::WormStore;

/// Runs it.
pub async fn run(args: ProveArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let store = read::store(config).await?;
    let id = args.id.trim().to_ascii_lowercase();
    let filter = Filter { record_id: Some(id), ..Filter::default() };
    let answer = read::search(&store, &Request { filter, trusted: read::trusted(&args.keys, config), limit: None }).await?;
    let Some(hit) = answer.hits.first() else {
        output::tell(&answer.may_be_elsewhere().unwrap_or_else(|| format!("No record has the id `{}`.", args.id)));
        return Ok(ExitCode::from(if answer.problems.is_empty() { 1 } else { 2 }));
    };
    if answer.strange_key {
        output::tell("No proof is written: it would begin with a key that was not given.");
        return Ok(ExitCode::from(2));
    }
    if let [_, others @ ..] = answer.hits.as_slice()
        && !others.is_empty()
    {
        let many = answer.hits.len();
        output::tell(&format!(
            "{many} records with this id say different things; this proves the earliest. See `spanseal show {}`.",
            args.id
        ));
    }
    let mut bytes = bundle(&store, &answer, hit).await?.to_jcs();
    bytes.push(b'\n');
    output::answer_bytes(&bytes)?;
    Ok(ExitCode::SUCCESS)
}

/// The bundle of one hit.
pub(super) async fn bundle(store: &Arc<dyn WormStore>, answer: &Answer, hit: &Hit) -> anyhow::Result<Json> {
    let place = &hit.place;
    let seal = place.seal.statement.index;
    let log = answer.logs.iter().find(|log| log.name() == place.log).context("its log was not opened")?;
    let (key, rotations) = log.way_to(seal).context("no key is known to prove it with")?;
    let at = RecordAt { seal, segment: place.segment.key.clone(), leaf_index: place.leaf_index, rotations };
    let bundle = verify::prove(store.as_ref(), &place.log, key, &at).await.context("no proof of this record")?;
    Ok(Json::parse(&bundle.to_bytes())?)
}

/// The bundles of all records of an answer, `Null` where one could not be made; whether all could.
pub(super) async fn bundles(store: &Arc<dyn WormStore>, answer: &Answer) -> (Vec<Json>, bool) {
    let mut bundles = Vec::with_capacity(answer.hits.len());
    let mut all = true;
    for hit in &answer.hits {
        bundles.push(match bundle(store, answer, hit).await {
            Ok(bundle) => bundle,
            Err(error) => {
                all = false;
                output::tell(&format!("problem: {:?}: no proof: {error:#}", hit.place));
                Json::Null
            }
        });
    }
    (bundles, all)
}
