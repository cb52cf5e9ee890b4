//! `spanseal query`: find sealed records.

use std::process::ExitCode;

use super::{output, prove, read};
use crate::cli::{QueryArgs, QueryFormat};
use crate::config::Config;
use crate::query::filter::Filter;
use crate::query::person::Names;
use crate::query::print;
use crate::query::scan::{Answer, Request};

/// Runs it.
pub async fn run(args: QueryArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let names = read::names(config, &args.realm)?;
    let request = Request { filter: filter(&args, &names), limit: args.limit, trusted: read::trusted(&args.keys, config) };
    let store = read::store(config).await?;
    let answer = read::search(&store, &request).await?;
    let mut complete = answer.problems.is_empty();
    let proofs = if args.proof {
        let (proofs, all) = prove::bundles(&store, &answer).await;
        complete &= all;
        Some(proofs)
    } else {
        None
    };
    match args.format {
        QueryFormat::Table => output::answer(&print::table(&answer.hits, read::width()))?,
        QueryFormat::Json => output::answer_bytes(&print::json(&answer.hits, proofs.as_deref()))?,
        QueryFormat::Jsonl => output::answer_bytes(&print::jsonl(&answer.hits))?,
        QueryFormat::Csv => output::answer(&print::csv(&answer.hits))?,
    }
    summary(&answer, args.format);
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn filter(args: &QueryArgs, names: &Names) -> Filter {
    let person = |asked: &Option<String>| asked.as_deref().map(|asked| Filter::person(asked, names));
    // Hexadecimal ids are kept in lower case.
    let id = |asked: &Option<String>| asked.as_deref().map(|id| id.trim().to_ascii_lowercase());
    Filter {
        related: Vec::new(),
        asked: None,
        trace_id: id(&args.trace_id),
        record_id: id(&args.record_id),
        user: person(&args.user),
        subject: person(&args.subject),
        person: person(&args.person),
        session: args.session.as_deref().map(|asked| Filter::reference(asked, names)),
        model: args.model.clone(),
        kind: args.kind.clone(),
        decision: args.decision.as_deref().map(|asked| Filter::reference(asked, names)),
        prompt_hash: args.prompt_hash.clone(),
        from: args.from,
        to: args.to,
    }
}

/// What a person at the terminal wants to know besides; never in the way of a machine.
fn summary(answer: &Answer, format: QueryFormat) {
    let totals = answer.totals;
    if answer.limited {
        output::tell("There are more: --limit ended the search.");
    }
    if answer.unknown_schemas > 0 {
        output::tell(&format!(
            "{} of the records have a schema that this version does not know; they are shown raw.",
            answer.unknown_schemas
        ));
    }
    if !answer.problems.is_empty() {
        output::tell("This answer may be incomplete: see the problems above.");
    } else if format == QueryFormat::Table {
        output::tell(&format!(
            "{} found; searched {} records in {} segments of {} seals.",
            answer.hits.len(),
            totals.records,
            totals.segments,
            totals.seals
        ));
    }
}
