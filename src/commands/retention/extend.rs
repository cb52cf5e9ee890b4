//! `spanseal retention extend`: keeps what holds a matching record until a later date, or in a stronger mode. Nothing is ever shortened.

use std::io::{IsTerminal, Write, stdin};
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::cli::{ExtendArgs, TableOrJson};
use crate::clock::{Clock, SystemClock};
use crate::commands::decree::{self, Orders, Preview, Scene};
use crate::commands::interrupt::Interrupt;
use crate::commands::output;
use crate::config::Config;
use crate::govern::carry::Carried;
use crate::govern::chain::{self, Link};
use crate::govern::decrees::{Decree, Order, Step};
use crate::govern::enforce::Done;
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
    let interrupt = Interrupt::default();
    interrupt.watch(Box::pin(begin(args, config, &interrupt))).await
}

async fn begin(args: &ExtendArgs, config: &Config, interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let scene = interrupt.or(Scene::open(config, &args.order.keys)).await?;
    if let Some(id) = &args.resume {
        return Box::pin(resume(args, scene, id, interrupt)).await;
    }
    let lock = lock(args, config)?;
    let look = async {
        if args.all {
            return Ok((Ok(Query::everything()), decree::preview(&scene, &Filter::default(), Some(lock)).await?));
        }
        let (filter, names) = decree::asked_for(config, scene.store.as_ref(), &args.select).await?;
        let found = decree::preview(&scene, &filter, Some(lock)).await?;
        Ok((decree::recorded(config, &args.select, (&filter, &names), &found)?, found))
    };
    let (query, found) = interrupt.or(look).await?;
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
    // The answer is waited for elsewhere: nothing interrupts who reads from a terminal.
    let answered = async { tokio::task::spawn_blocking(agreed).await.context("the answer could not be read")? };
    if !args.yes && !interrupt.or(answered).await? {
        output::tell("Nothing was extended.");
        return Ok(ExitCode::from(1));
    }
    let id = name()?;
    let orders = interrupt.or(Orders::open(config, &args.order)).await?;
    let done = async {
        let order = Ordered::from(Order::Extend(lock));
        let again = format!("spanseal retention extend --resume {id} --reason TEXT");
        interrupt.stands(decree::on_its_way(&format!("the extension `{id}`"), &again));
        let sealed = orders.order(Motion::Open { id: id.clone(), order, query: query.to_json().to_jcs_string() }).await?;
        interrupt.stands(format!(
            "the extension `{id}` is on record (record {} in seal {}), and no object was extended for it yet; a running `serve` does that within about two \
             minutes, or `{again}` does; it cannot be taken back, only ended where it stands (--give-up)",
            sealed.record, sealed.seal
        ));
        output::tell(&format!("The extension `{id}` is record {} in seal {}; now the objects.", sealed.record, sealed.seal));
        let (scene, decree) = interrupt.or(decree::placed(scene, &id)).await?;
        let carried = decree::carry_out(&scene, (&orders, interrupt), &decree, (sealed.seal.saturating_add(1), Some(&found))).await?;
        answer(args, &scene, &decree, &carried)
    };
    let done = done.await;
    orders.close(done).await
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
        "To be kept until {} at least, {mode}: {}, and what joins them to what others have seen ({}).\nPromised as long and as \
         strongly by their seals already: {}. spanseal never shortens a lock.\n",
        lock.retain_until,
        decree::sizes(found),
        clean(&query.words()),
        decree::count(found.covered, "segment", "segments")
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

async fn resume(args: &ExtendArgs, scene: Scene<'_>, id: &str, interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let links = interrupt.or(async { Ok(chain::read(&scene.store, &scene.log).await?) }).await?.all;
    let open = links.last().and_then(|link| link.entry.open.iter().find(|open| open.id == id));
    let Some(decree) = open.filter(|open| matches!(open.order, Order::Extend(_))).cloned() else {
        let is_closed =
            |link: &&Link| link.entry.of.id == id && link.entry.step == Step::Close && matches!(link.entry.of.order, Order::Extend(_));
        if let Some(closed) = links.iter().rev().find(is_closed)
            && !args.give_up
        {
            interrupt.stands(decree::unkept(&closed.entry.of));
            return interrupt.or(keep_own(args, &scene, &links, closed)).await;
        }
        output::tell(&format!("No extension of the name `{id}` is open: it was carried out to its end, given up, or never placed."));
        return Ok(ExitCode::from(1));
    };
    let placed = links.iter().rev().find(|link| link.entry.step == Step::Open && link.entry.of.id == id);
    let end = placed.map_or(scene.log.size(), |link| link.seal.saturating_add(1));
    let orders = interrupt.or(Orders::open(scene.config, &args.order)).await?;
    let done = async {
        if args.give_up {
            interrupt.stands(format!("whether `{id}` was ended is not known; `spanseal hold list` shows whether it is still open"));
            let sealed = orders.order(Motion::GiveUp { id: id.to_owned() }).await?;
            output::tell(&format!(
                "The extension `{id}` is ended: it was carried out below seal {} only. That is record {} in seal {}.",
                decree.through, sealed.record, sealed.seal
            ));
            return Ok(ExitCode::SUCCESS);
        }
        let scene = interrupt.or(scene.again()).await?;
        let carried = decree::carry_out(&scene, (&orders, interrupt), &decree, (end, None)).await?;
        answer(args, &scene, &decree, &carried)
    };
    let done = done.await;
    orders.close(done).await
}

/// Of an extension that came to its end nothing is left to do but to keep its own records as long, which may have failed then.
async fn keep_own(args: &ExtendArgs, scene: &Scene<'_>, links: &[Link], closed: &Link) -> anyhow::Result<ExitCode> {
    let (decree, seal) = (&closed.entry.of, closed.seal);
    let Order::Extend(lock) = decree.order else { bail!("`{}` is no extension", decree.id) };
    let own = links.iter().filter(|link| link.is_of(decree));
    let kept = match lock.retain_until > SystemClock.now().ceil_seconds() {
        true => own::keep((&scene.store, &scene.log), own, scene.expected()).await.with_context(|| decree::unkept(decree))?,
        // What it ordered binds nobody any more.
        false => Done::default(),
    };
    match args.order.format {
        TableOrJson::Table => {
            let mut text = format!("`{}` was carried out to its end before, in seal {seal}; nothing was recorded now.\n", decree.id);
            if scene.has_locks() {
                text.push_str(&format!(
                    "Its own records are kept until {} as well: {} extended now, {} had as much already.\n",
                    lock.retain_until,
                    decree::count(kept.changed, "object was", "objects were"),
                    kept.already
                ));
            }
            output::answer(&text)?;
        }
        TableOrJson::Json => {
            let json = Json::object([
                ("id", Json::string(&decree.id)),
                ("until", Json::String(lock.retain_until.to_string())),
                ("closed_in_seal", Json::count(seal)),
                ("own_objects_changed", Json::count(kept.changed)),
                ("own_objects_already", Json::count(kept.already)),
            ]);
            output::answer_json(&format!("{}\n", json.to_jcs_string()))?;
        }
    }
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
                    "{} extended, {} had as much already: segments, their seals, and what joins those to what others have seen.\n",
                    decree::count(carried.done.changed, "object was", "objects were"),
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
