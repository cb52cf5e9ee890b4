//! `spanseal retention extend`: keeps what holds a matching record until a later date, or in a stronger mode. Nothing is ever shortened.

use std::io::{IsTerminal, Write, stdin};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::{ExtendArgs, TableOrJson};
use crate::clock::{Clock, SystemClock};
use crate::commands::decree::{self, Orders, Preview, Scene};
use crate::commands::output;
use crate::config::Config;
use crate::govern::carry::Carried;
use crate::govern::chain::{self, Link};
use crate::govern::decrees::{Decree, Order, Step};
use crate::govern::own;
use crate::govern::query::Query;
use crate::govern::register::{Motion, Ordered, check_lock};
use crate::query::filter::Filter;
use crate::query::story::clean;
use crate::record::canonical::Json;
use crate::worm::{Lock, Mode};

/// Runs it.
pub(super) async fn run(args: &ExtendArgs, config: &Config) -> anyhow::Result<ExitCode> {
    decree::check_words(config, &args.order)?;
    if !args.dry_run && !args.yes && !stdin().is_terminal() {
        bail!("an extension cannot be taken back, and there is no terminal to ask on: give --yes, or --dry-run to see what it would do");
    }
    let scene = Scene::open(config, &args.order.keys).await?;
    if let Some(id) = &args.resume {
        return resume(args, scene, id).await;
    }
    let lock = lock(args, config)?;
    let (query, found) = match args.all {
        true => (Ok(Query::everything()), decree::preview(&scene, &Filter::default(), Some(lock)).await?),
        false => {
            let (filter, names) = decree::asked_for(config, scene.store.as_ref(), &args.select).await?;
            let found = decree::preview(&scene, &filter, Some(lock)).await?;
            (decree::recorded(config, &args.select, (&filter, &names), &found)?, found)
        }
    };
    if found.segments == 0 {
        output::tell("No segment holds a record that matches: nothing to extend.");
        return Ok(ExitCode::from(if found.problems.is_empty() { 1 } else { 2 }));
    }
    let query = query.map_err(|why| anyhow::anyhow!("nothing was extended: {why}"))?;
    let plan = plan(lock, &query, &found);
    if args.dry_run {
        match args.order.format {
            TableOrJson::Table => output::answer(&plan)?,
            TableOrJson::Json => output::answer_json(&format!("{}\n", would(lock, &query, &found).to_jcs_string()))?,
        }
        return Ok(if found.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) });
    }
    output::tell_lines(plan.trim_end());
    if !args.yes && !agreed()? {
        output::tell("Nothing was extended.");
        return Ok(ExitCode::from(1));
    }
    let id = name()?;
    let orders = Orders::open(config, &args.order).await?;
    let done = async {
        let order = Ordered::from(Order::Extend(lock));
        let sealed = orders.order(Motion::Open { id: id.clone(), order, query: query.to_json().to_jcs_string() }).await?;
        output::tell(&format!("The extension `{id}` is record {} in seal {}; now the objects.", sealed.record, sealed.seal));
        let scene = scene.again().await?;
        let decree = decree::standing(&scene, &id).await?;
        let carried = decree::carry_out(&scene, &orders, &decree, (sealed.seal.saturating_add(1), Some(&found))).await;
        answer(args, &scene, &decree, &carried.with_context(|| interrupted(&id))?)
    };
    let done = done.await;
    orders.close(done).await
}

fn interrupted(id: &str) -> String {
    format!("the extension `{id}` was not carried out to its end (`spanseal retention extend --resume {id}` goes on)")
}

fn lock(args: &ExtendArgs, config: &Config) -> anyhow::Result<Lock> {
    let now = SystemClock.now().ceil_seconds();
    let until = args.until.or_else(|| args.for_period.map(|period| period.after(now)));
    let until = until.context("neither --until nor --for says how long")?;
    let mode = if args.mode.is_some() { Mode::Compliance } else { Mode::Governance };
    let lock = Lock { mode, retain_until: until };
    // By the rule of the writer that is asked to record it, before anything is read.
    check_lock(lock, now, config.retention.compliance_ceiling.after(now)).map_err(anyhow::Error::msg)?;
    Ok(lock)
}

fn plan(lock: Lock, query: &Query, found: &Preview) -> String {
    let mode = match lock.mode {
        Mode::Compliance => "in COMPLIANCE (which nobody can lift or shorten)",
        Mode::Governance => "in the mode that they have",
    };
    format!(
        "To be kept until {} at least, {mode}: {}, and what joins them to what others have seen ({}).\n{} of these segments are promised as long \
         and as strongly by their seals already. spanseal never shortens a lock.\n",
        lock.retain_until,
        decree::sizes(found),
        clean(&query.words()),
        found.covered
    )
}

fn would(lock: Lock, query: &Query, found: &Preview) -> Json {
    Json::object([
        ("dry_run", Json::Bool(true)),
        ("until", Json::String(lock.retain_until.to_string())),
        ("mode", Json::string(lock.mode.as_str())),
        ("query", query.to_json()),
        ("records", Json::count(found.records)),
        ("segments", Json::count(found.segments)),
        ("segments_already", Json::count(found.covered)),
        ("seals", Json::count(found.seals)),
        ("bytes", Json::count(found.bytes)),
        ("problems", Json::count(u64::try_from(found.problems.len()).unwrap_or(u64::MAX))),
    ])
}

fn agreed() -> anyhow::Result<bool> {
    let mut err = std::io::stderr();
    write!(err, "This cannot be taken back. Type `extend` to go on: ")?;
    err.flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "extend")
}

/// A name that no other extension has.
fn name() -> anyhow::Result<String> {
    let (year, month, day) = SystemClock.now().ceil_seconds().date();
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|_| anyhow::anyhow!("the operating system gives no random bytes"))?;
    Ok(format!("ext-{year:04}{month:02}{day:02}-{}", hex::encode(random)))
}

async fn resume(args: &ExtendArgs, scene: Scene<'_>, id: &str) -> anyhow::Result<ExitCode> {
    let links = chain::read(&scene.store, &scene.log).await?.all;
    let open = links.last().and_then(|link| link.entry.open.iter().find(|open| open.id == id));
    let Some(decree) = open.filter(|open| matches!(open.order, Order::Extend(_))).cloned() else {
        return closed(&scene, &links, id).await;
    };
    let placed = links.iter().rev().find(|link| link.entry.step == Step::Open && link.entry.of.id == id);
    let end = placed.map_or(scene.log.size(), |link| link.seal.saturating_add(1));
    let orders = Orders::open(scene.config, &args.order).await?;
    let done = async {
        if args.give_up {
            let sealed = orders.order(Motion::GiveUp { id: id.to_owned() }).await?;
            output::tell(&format!(
                "The extension `{id}` is ended: it was carried out below seal {} only. That is record {} in seal {}.",
                decree.through, sealed.record, sealed.seal
            ));
            return Ok(ExitCode::SUCCESS);
        }
        let scene = scene.again().await?;
        let carried = decree::carry_out(&scene, &orders, &decree, (end, None)).await.with_context(|| interrupted(id))?;
        answer(args, &scene, &decree, &carried)
    };
    let done = done.await;
    orders.close(done).await
}

/// Of an extension that is over only its own records may be left to keep.
async fn closed(scene: &Scene<'_>, links: &[Link], id: &str) -> anyhow::Result<ExitCode> {
    let of_it: Vec<Link> = links.iter().filter(|link| link.entry.of.id == id).cloned().collect();
    let over = of_it.last().filter(|link| matches!((link.entry.step, link.entry.of.order), (Step::Close | Step::GiveUp, Order::Extend(_))));
    let Some(over) = over else {
        output::tell(&format!("No extension of the name `{id}` was ever placed; `spanseal hold list` shows those that are open."));
        return Ok(ExitCode::from(1));
    };
    let now = SystemClock.now().ceil_seconds();
    let kept = own::keep_closed((&scene.store, &scene.log), &of_it, (now, scene.expected())).await;
    let kept = kept.context("the records of it could not be kept as long as it is in force")?;
    output::tell(&format!(
        "The extension `{id}` is over since seal {}, so there is nothing to go on with. Its own records were looked at: {} extended as far, {} had \
         it.",
        over.seal,
        decree::count(kept.changed, "object was", "objects were"),
        kept.already
    ));
    Ok(ExitCode::SUCCESS)
}

fn answer(args: &ExtendArgs, scene: &Scene<'_>, decree: &Decree, carried: &Carried) -> anyhow::Result<ExitCode> {
    let Order::Extend(lock) = decree.order else { bail!("`{}` is no extension", decree.id) };
    match args.order.format {
        TableOrJson::Table => {
            let segments = decree::count(carried.done.segments, "segment", "segments");
            let mut text = format!("Kept until {} at least: {segments} (`{}`).\n", lock.retain_until, decree.id);
            if scene.has_locks() {
                text.push_str(&format!(
                    "{} were extended, {} had as much already: segments, their seals, and what joins those to what others have seen.\n",
                    decree::count(carried.done.changed, "object", "objects"),
                    carried.done.already
                ));
            }
            for remark in decree::remarks(scene, carried) {
                text.push_str(&remark);
                text.push('\n');
            }
            output::answer(&text)?;
        }
        TableOrJson::Json => {
            let mut members = vec![
                ("id".to_owned(), Json::string(&decree.id)),
                ("until".to_owned(), Json::String(lock.retain_until.to_string())),
                ("mode".to_owned(), Json::string(lock.mode.as_str())),
                ("query".to_owned(), decree.query.clone()),
                ("locks".to_owned(), Json::Bool(scene.has_locks())),
            ];
            members.extend(decree::json_of(carried));
            output::answer_json(&format!("{}\n", Json::Object(members).to_jcs_string()))?;
        }
    }
    Ok(if carried.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
