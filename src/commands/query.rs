//! `spanseal query`: find sealed records.

use std::process::ExitCode;

use super::reading::{self, Shown};
use super::{content, output, prove, read};
use crate::cli::{QueryArgs, QueryFormat, SelectArgs};
use crate::config::Config;
use crate::plain::counted;
use crate::query::filter::Filter;
use crate::query::person::{Names, is_stored_form};
use crate::query::print;
use crate::query::scan::{Answer, Request};
use crate::record::canonical::Json;

/// Runs it.
pub async fn run(args: QueryArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let store = read::store(config).await?;
    let asked: Vec<&str> = persons(&args.select);
    let names = read::names(config, store.as_ref(), &args.select.realm, &asked, args.select.as_sent).await?;
    let request = Request {
        filter: filter(&args.select, &names),
        limit: args.limit,
        trusted: read::trusted(&args.keys, config),
        committed: read::known_end(&args.keys, config),
        ..Request::default()
    };
    let mut answer = read::search(&store, &request).await?;
    read::settle(config, &store, (&names, &request), &mut answer).await?;
    let mut complete = answer.problems.is_empty();
    let said = if args.content {
        let compared = content::compare(config, &store, std::mem::take(&mut answer.hits), &request.trusted).await?;
        complete &= compared.complete;
        answer.hits = compared.hits;
        Some(compared.said)
    } else {
        None
    };
    let mut more: Vec<(&str, Vec<Json>)> = said.iter().map(|said| ("content", content::json(said))).collect();
    if args.proof {
        let (proofs, all) = prove::bundles(&store, &answer, (said.as_deref(), &prove::wanted(config))).await;
        complete &= all;
        more.push(("proof", proofs));
    }
    if let Some(said) = &said {
        let mut shown = Shown::default();
        shown.says(&answer.hits, said);
        reading::record(config, &args.reading, shown.of_query(&args, &request.filter, &answer.hits)).await?;
    }
    let more: Vec<(&str, &[Json])> = more.iter().map(|(name, of_hits)| (*name, of_hits.as_slice())).collect();
    match args.format {
        QueryFormat::Table => output::answer(&print::table(&answer.hits, read::width()))?,
        QueryFormat::Json => output::answer_bytes(&print::json(&answer.hits, &more))?,
        QueryFormat::Jsonl => output::answer_bytes(&print::jsonl(&answer.hits))?,
        QueryFormat::Csv => output::answer_bytes(print::csv(&answer.hits).as_bytes())?,
    }
    if answer.hits.is_empty() && !args.select.as_sent && asked.iter().any(|asked| is_stored_form(asked)) {
        output::tell(read::TAKEN_AS_STORED);
    }
    print::sealed_again(&answer.hits).iter().for_each(|note| output::tell(note));
    summary(&answer, args.format);
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// Whom it asks for by id.
pub(super) fn persons(args: &SelectArgs) -> Vec<&str> {
    [&args.user, &args.subject, &args.person].into_iter().filter_map(|asked| asked.as_deref()).collect()
}

/// What it asks for.
pub(super) fn filter(args: &SelectArgs, names: &Names) -> Filter {
    let person = |asked: &Option<String>| asked.as_deref().map(|asked| Filter::person(asked, names));
    // Hexadecimal ids are kept in lower case.
    let id = |asked: &Option<String>| asked.as_deref().map(|id| id.trim().to_ascii_lowercase());
    Filter {
        related: Vec::new(),
        asked: None,
        trace_id: id(&args.trace_id),
        traces: None,
        record_id: id(&args.record_id),
        own_acts: false,
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
            "Shown raw: {} of a schema that this version does not know.",
            counted(answer.unknown_schemas, "record", "records")
        ));
    }
    if !answer.problems.is_empty() {
        output::tell("This answer may be incomplete: see the problems above.");
    } else if format == QueryFormat::Table {
        output::tell(&format!(
            "{} found; searched {} in {} of {}.",
            answer.hits.len(),
            counted(totals.records, "record", "records"),
            counted(totals.segments, "segment", "segments"),
            counted(totals.seals, "seal", "seals")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{UnixNanos, UnixSeconds};
    use crate::promote::{Context, Promoter, Settings};
    use crate::query::filter::{Look, Matcher};
    use crate::query::person::Incomparable;
    use crate::record::Batch;
    use crate::record::identity::IdentityKey;
    use crate::retain::{Class, Classes};
    use crate::worm::Mode;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    fn text(key: &str, value: &str) -> KeyValue {
        let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
        KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
    }

    /// The line that becomes of a span of alice below this resource.
    fn promoted(realm: &str, resource: &[KeyValue], key: &IdentityKey) -> Vec<u8> {
        let class = Class { name: "standard".into(), mode: Mode::Governance, period: "180d".parse().unwrap(), claimable: false };
        let classes = Classes::new(vec![class], "standard", "10y".parse().unwrap(), UnixSeconds(1_795_187_350)).unwrap();
        let settings = Settings { realm: realm.to_owned(), ..Settings::new(std::sync::Arc::new(classes), key.clone()) };
        let span = Span {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            attributes: vec![text("gen_ai.operation.name", "chat"), text("ai_audit.actor.user_id", "alice@example.com")],
            ..Span::default()
        };
        let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
        let resource = Resource { attributes: resource.to_vec(), ..Resource::default() };
        let group = ResourceSpans { resource: Some(resource), scope_spans: vec![scope], ..ResourceSpans::default() };
        let request = ExportTraceServiceRequest { resource_spans: vec![group] }.encode_to_vec();
        let mut batch = Batch::default();
        Promoter::new(settings).unwrap().traces(&request, Context::new(UnixNanos(1_795_187_350_000_000_000)), &mut batch).unwrap();
        batch.line(&batch.records[0]).to_vec()
    }

    /// Scenario: the same person, sealed under every realm that there may be. Guarantee: whoever asks by the key finds her, also with
    /// another attribute in the own configuration, or is told that a record could not be compared.
    #[test]
    fn a_person_is_found_in_what_promotion_makes_of_every_realm() {
        let key = IdentityKey::new([7; 32]);
        let look = |line: &[u8], asked: &str, attribute: &str| {
            let names = Names { key: Some(key.clone()), realm_attribute: attribute.to_owned(), ..Names::default() };
            Matcher::new(Filter { user: Some(Filter::person(asked, &names)), ..Filter::default() }).look(line)
        };
        for (realm, resource) in [
            ("service.namespace", vec![text("service.namespace", "loans")]),
            ("service.namespace", vec![text("service.name", "x")]),
            ("service.name", vec![text("service.name", "x")]),
            ("deployment.environment.name", vec![text("deployment.environment", "eu")]),
            ("app.id", vec![text("app.id", "shop"), text("service.namespace", "loans")]),
            ("app.id", vec![text("service.namespace", "loans")]),
            ("ai_audit.system.id", vec![text("ai_audit.system.id", "shop")]),
        ] {
            let line = promoted(realm, &resource, &key);
            let shown = String::from_utf8_lossy(&line);
            for asked_with in [realm, "service.namespace"] {
                assert!(matches!(look(&line, "alice@example.com", asked_with), Look::Yes(_)), "{realm} {asked_with} {shown}");
            }
            assert!(matches!(look(&line, "bob@example.com", realm), Look::No), "{realm} {shown}");
        }
        for (realm, resource) in [
            ("app.id", vec![text("app.id", "of bob@example.com")]),
            ("app.id", vec![text("app.id", ""), text("app.id", "shop")]),
            ("service.namespace", vec![text("service.namespace", "of bob@example.com")]),
            ("service.namespace", vec![text("service.namespace", &"x".repeat(2000))]),
            ("deployment.environment", vec![text("deployment.environment.name", "eu"), text("deployment.environment", "dev")]),
        ] {
            let line = promoted(realm, &resource, &key);
            let found = look(&line, "alice@example.com", realm);
            assert!(matches!(found, Look::Incomparable(Incomparable::Realm)), "{realm} {} {found:?}", String::from_utf8_lossy(&line));
        }
    }
}
