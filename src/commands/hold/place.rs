//! `spanseal hold place`: says what it means, has it recorded, and then holds the objects.

use std::process::ExitCode;

use crate::cli::{PlaceArgs, TableOrJson};
use crate::commands::decree::{self, Orders, Preview, Scene};
use crate::commands::interrupt::Interrupt;
use crate::commands::output;
use crate::config::Config;
use crate::erase::Sealed;
use crate::govern::carry::Carried;
use crate::govern::chain;
use crate::govern::decrees::{Decree, Order};
use crate::govern::enforce::Want;
use crate::govern::own;
use crate::govern::query::Query;
use crate::govern::register::{Motion, Ordered};
use crate::query::filter::Filter;
use crate::query::story::clean;
use crate::record::canonical::Json;

/// Runs it.
pub(super) async fn run(args: &PlaceArgs, config: &Config) -> anyhow::Result<ExitCode> {
    decree::check_words(config, &args.order)?;
    let interrupt = Interrupt::default();
    interrupt.watch(Box::pin(begin(args, config, &interrupt))).await
}

async fn begin(args: &PlaceArgs, config: &Config, interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let scene = interrupt.or(Scene::open(config, &args.order.keys)).await?;
    let newest = interrupt.or(async { Ok(chain::newest_link(&scene.store, &scene.log).await?) }).await?;
    let open = newest.map(|link| link.entry.open).unwrap_or_default();
    let alone = open.is_empty();
    let open = open.into_iter().find(|open| open.id == args.matter);
    if args.resume {
        return match open {
            Some(decree) if decree.order == Order::Hold => Box::pin(resume(args, scene, decree, interrupt)).await,
            Some(_) => anyhow::bail!("`{}` is an extension: go on with it by `spanseal retention extend --resume`", args.matter),
            None => anyhow::bail!("no hold of the name `{}` is open; `spanseal hold list` shows those that are", args.matter),
        };
    }
    if open.is_some() {
        anyhow::bail!("`{}` is open already; go on with it by --resume, or give what is to be held besides another name", args.matter);
    }
    let look = async {
        if args.all {
            return Ok((Ok(Query::everything()), decree::preview(&scene, &Filter::default(), None).await?));
        }
        let (filter, names) = decree::asked_for(config, scene.store.as_ref(), &args.select).await?;
        let found = decree::preview(&scene, &filter, None).await?;
        Ok((decree::recorded(config, &args.select, (&filter, &names), &found)?, found))
    };
    let (query, found) = interrupt.or(look).await?;
    let query = match query {
        Ok(query) => query,
        Err(why) if found.problems.is_empty() => {
            output::tell(&format!("Nothing was held: {why}."));
            return Ok(ExitCode::from(1));
        }
        // Whoever is meant may be there.
        Err(_) => anyhow::bail!("nothing was held: not all that may be meant could be compared, see what was said above"),
    };
    if found.records == 0 && found.problems.is_empty() {
        output::tell(&format!(
            "No record matches now ({}). If that is no slip of the pen: what is sealed later and matches is held.",
            clean(&query.words())
        ));
    }
    if args.dry_run {
        return would(args, config, &query, &found);
    }
    output::tell(&format!("To be held for `{}`: {}, and what joins them to what others have seen.", args.matter, decree::sizes(&found)));
    let orders = interrupt.or(Orders::open(config, &args.order)).await?;
    let done = place(args, scene, (&orders, interrupt), (&query, &found, alone)).await;
    orders.close(done).await
}

/// Only says.
fn would(args: &PlaceArgs, config: &Config, query: &Query, found: &Preview) -> anyhow::Result<ExitCode> {
    match args.order.format {
        TableOrJson::Table => {
            let mut text = format!(
                "Would be held for `{}`: {}, and what joins them to what others have seen.\nRecorded would be: {}.\n",
                args.matter,
                decree::sizes(found),
                clean(&query.words())
            );
            text.extend(decree::of_vault(config).map(|said| said + "\n"));
            output::answer(&text)?;
        }
        TableOrJson::Json => {
            let json = Json::object([
                ("matter", Json::string(&args.matter)),
                ("dry_run", Json::Bool(true)),
                ("query", query.to_json()),
                ("records", Json::count(found.records)),
                ("segments", Json::count(found.segments)),
                ("seals", Json::count(found.seals)),
                ("bytes", Json::count(found.bytes)),
                ("problems", Json::count(u64::try_from(found.problems.len()).unwrap_or(u64::MAX))),
            ]);
            output::answer_json(&format!("{}\n", json.to_jcs_string()))?;
        }
    }
    Ok(if found.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

async fn place(
    args: &PlaceArgs,
    scene: Scene<'_>,
    (orders, interrupt): (&Orders<'_>, &Interrupt),
    (query, found, alone): (&Query, &Preview, bool),
) -> anyhow::Result<ExitCode> {
    let motion = Motion::Open { id: args.matter.clone(), order: Ordered::Hold, query: query.to_json().to_jcs_string() };
    let again = format!("spanseal hold place --matter {} --resume --reason TEXT", args.matter);
    interrupt.stands(decree::on_its_way(&format!("the hold `{}`", args.matter), &again));
    let sealed = orders.order(motion).await?;
    interrupt.stands(format!(
        "the hold `{}` is on record (record {} in seal {}), and no object was put on hold for it yet; a running `serve` does that within about two \
         minutes, or `{again}` does",
        args.matter, sealed.record, sealed.seal
    ));
    output::tell(&format!("The hold is record {} in seal {}; now the objects.", sealed.record, sealed.seal));
    let (scene, decree) = interrupt.or(decree::placed(scene, &args.matter)).await?;
    let carried = decree::carry_out(&scene, (orders, interrupt), &decree, (sealed.seal.saturating_add(1), Some(found))).await?;
    if alone && carried.done.already > 0 {
        output::tell(&format!(
            "{} a legal hold already, of which no open hold of this log says anything. A store knows one for each object, so the release of \
             `{}` will lift that too: whoever placed it otherwise is to know.",
            decree::count(carried.done.already, "object had", "objects had"),
            args.matter
        ));
    }
    answer(args, (&scene, orders), (query, Some(&sealed)), &carried, found.problems.len())
}

/// Goes on, and puts the hold back where somebody took it off.
async fn resume(args: &PlaceArgs, scene: Scene<'_>, decree: Decree, interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let orders = interrupt.or(Orders::open(scene.config, &args.order)).await?;
    let done = async {
        let query = Query::parse(&decree.query).map_err(|why| anyhow::anyhow!("the query of `{}` cannot be asked: {why}", decree.id))?;
        let scene = interrupt.or(scene.again()).await?;
        let carried = decree::carry_out(&scene, (&orders, interrupt), &decree, (scene.log.size(), None)).await?;
        interrupt.stands(format!(
            "the hold `{}` is carried out; whether somebody took it off what it keeps was not looked at to the end, which --resume does anew",
            decree.id
        ));
        let look_again = async {
            let scene = scene.again().await?;
            let kept = chain::ledger(&chain::read(&scene.store, &scene.log).await?.all).kept_by(&decree.id);
            Ok(own::to((&scene.store, &scene.log), kept, Want::Hold, scene.expected()).await?)
        };
        let again = interrupt.or(look_again).await?;
        output::tell(&format!(
            "Looked at again: {} that it keeps, the records of the hold itself among them; {} put back on hold, {} had it.",
            decree::count(again.segments, "segment", "segments"),
            decree::count(again.changed, "object was", "objects were"),
            again.already
        ));
        answer(args, (&scene, &orders), (&query, None), &carried, 0)
    };
    let done = done.await;
    orders.close(done).await
}

fn answer(
    args: &PlaceArgs,
    (scene, orders): (&Scene<'_>, &Orders<'_>),
    (query, sealed): (&Query, Option<&Sealed>),
    carried: &Carried,
    problems: usize,
) -> anyhow::Result<ExitCode> {
    match args.order.format {
        TableOrJson::Table => {
            let held = decree::count(carried.done.segments, "segment", "segments");
            let records = decree::count(carried.records, "matching record", "matching records");
            let new = if args.resume { "Newly on hold" } else { "On hold" };
            let mut text = format!("{new} for `{}`: {held} with {records} ({}).\n", args.matter, clean(&query.words()));
            if scene.has_locks() {
                text.push_str(&format!(
                    "{} put on hold, {} had it already: segments, their seals, and what joins those to what others have seen.\n",
                    decree::count(carried.done.changed, "object was", "objects were"),
                    carried.done.already
                ));
            }
            for remark in decree::remarks(scene, carried) {
                text.push_str(&remark);
                text.push('\n');
            }
            text.push_str(match orders.is_served() {
                true => "What matches and is sealed later is held by the running `serve`, until `spanseal hold release`.\n",
                false => "What matches and is sealed later is held by `serve`, when it runs, until `spanseal hold release`.\n",
            });
            text.extend(decree::of_vault(scene.config).map(|said| said + "\n"));
            output::answer(&text)?;
        }
        TableOrJson::Json => {
            let mut members = vec![("matter".to_owned(), Json::string(&args.matter)), ("query".to_owned(), query.to_json())];
            if let Some(sealed) = sealed {
                members.push(("record".to_owned(), Json::string(&sealed.record)));
                members.push(("seal".to_owned(), Json::count(sealed.seal)));
            }
            members.push(("locks".to_owned(), Json::Bool(scene.has_locks())));
            members.extend(decree::json_of(carried));
            output::answer_json(&format!("{}\n", Json::Object(members).to_jcs_string()))?;
        }
    }
    Ok(if carried.problems.is_empty() && problems == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
