//! `spanseal hold release`: has the end of a hold recorded, and lifts it from what no other hold keeps.

use std::process::ExitCode;

use crate::cli::{ReleaseArgs, TableOrJson};
use crate::clock::{Clock, SystemClock};
use crate::commands::decree::{self, Orders, Scene};
use crate::commands::hold::list::tell_gone;
use crate::commands::interrupt::Interrupt;
use crate::commands::{output, read};
use crate::config::Config;
use crate::erase::Sealed;
use crate::govern::chain;
use crate::govern::decrees::{Decree, Order};
use crate::govern::enforce::named;
use crate::govern::register::Motion;
use crate::govern::released::{self, Lifted, Released, freed, released};
use crate::record::canonical::Json;

/// Runs it.
pub(super) async fn run(args: &ReleaseArgs, config: &Config) -> anyhow::Result<ExitCode> {
    decree::check_words(config, &args.order)?;
    let interrupt = Interrupt::default();
    interrupt.watch(Box::pin(begin(args, config, &interrupt))).await
}

async fn begin(args: &ReleaseArgs, config: &Config, interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let scene = interrupt.or(Scene::open(config, &args.order.keys)).await?;
    let newest = interrupt.or(async { Ok(chain::newest_link(&scene.store, &scene.log).await?) }).await?;
    let open = newest.as_ref().and_then(|link| link.entry.open.iter().find(|open| open.id == args.matter));
    if let Some(open) = open.filter(|open| args.dry_run && open.order == Order::Hold) {
        return interrupt.or(would(args, &scene, open)).await;
    }
    let again = format!("spanseal hold release --matter {} --reason TEXT", args.matter);
    let (scene, sealed) = match open.map(|open| open.order) {
        Some(Order::Hold) => {
            let orders = interrupt.or(Orders::open(config, &args.order)).await?;
            let motion = Motion::Close { id: args.matter.clone(), segments: Vec::new(), through: 0 };
            interrupt.stands(decree::on_its_way(&format!("the release of `{}`", args.matter), &again));
            let sealed = orders.order(motion).await;
            let sealed = orders.close(sealed).await?;
            interrupt.stands(format!(
                "the release of `{}` is record {} in seal {}, and the hold is not lifted from all objects yet: `{again}` goes on, and nothing else does",
                args.matter, sealed.record, sealed.seal
            ));
            output::tell(&format!("The release is record {} in seal {}; now the objects.", sealed.record, sealed.seal));
            (interrupt.or(scene.again()).await?, Some(sealed))
        }
        Some(Order::Extend(_)) => {
            anyhow::bail!("`{}` is an extension, which cannot be taken back: locks are never shortened", args.matter)
        }
        None if args.dry_run => {
            output::tell(&format!("No hold of the name `{}` is open; `spanseal hold list` shows those that are.", args.matter));
            return Ok(ExitCode::from(1));
        }
        None => {
            interrupt.stands(format!(
                "nothing was recorded now; if `{}` is released already, `{again}` goes on with lifting it from the objects",
                args.matter
            ));
            (scene, None)
        }
    };
    interrupt.or(lift(args, &scene, sealed.as_ref())).await
}

/// Only says what nobody would keep any more, and how much of that could be deleted at once.
async fn would(args: &ReleaseArgs, scene: &Scene<'_>, open: &Decree) -> anyhow::Result<ExitCode> {
    let links = chain::read(&scene.store, &scene.log).await?.all;
    let told = chain::ledger(&links).kept_by(&open.id);
    let released = Released { decree: open.clone(), seal: scene.log.size(), told };
    let freed = freed((&scene.store, &scene.log), &released, &links, |_, _| ()).await?;
    freed.problems.iter().for_each(read::tell);
    let held = named(&scene.log, freed.free.iter().copied()).await?;
    let now = SystemClock.now().ceil_seconds();
    let past = held.values().flatten().filter(|segment| segment.lock.retain_until <= now).count();
    let (free, kept) = (freed.free.len(), released.told.intersection(&freed.kept).count());
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    match args.order.format {
        TableOrJson::Table => output::answer(&format!(
            "Would be released: `{}`. {} no other hold would keep; {past} of these past the date that the seal promises, so whoever may delete \
             could do it at once, unless it was extended. On hold for other matters: {}.\n{}",
            args.matter,
            decree::count(number(free), "segment", "segments"),
            decree::count(number(kept), "segment", "segments"),
            withheld_words(number(freed.withheld.len()), "would stay"),
        ))?,
        TableOrJson::Json => {
            let json = Json::object([
                ("matter", Json::string(&args.matter)),
                ("dry_run", Json::Bool(true)),
                ("segments_freed", Json::count(number(free))),
                ("segments_past", Json::count(number(past))),
                ("segments_kept_by_others", Json::count(number(kept))),
                ("segments_withheld", Json::count(number(freed.withheld.len()))),
                ("problems", Json::count(number(freed.problems.len()))),
            ]);
            output::answer_json(&format!("{}\n", json.to_jcs_string()))?;
        }
    }
    Ok(if freed.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// What stays on hold because nobody knows whether it may be lifted; nothing where that is nothing.
fn withheld_words(withheld: u64, stay: &str) -> String {
    if withheld == 0 {
        return String::new();
    }
    format!(
        "{} {stay} on hold: not all that other open holds may mean could be read, see what was said of it. When it can be read, or these holds are \
         released, give the same command again.\n",
        decree::count(withheld, "segment", "segments")
    )
}

/// Lifts one hold from what nobody else keeps.
async fn one(scene: &Scene<'_>, released: &Released, links: &[chain::Link]) -> anyhow::Result<Lifted> {
    let bar = read::progress();
    let went = |at, of| {
        bar.set_length(of);
        bar.set_position(at);
    };
    let lifted = released::lift((&scene.store, &scene.log, &scene.trusted), released, links, scene.expected(), went).await?;
    bar.finish_and_clear();
    lifted.problems.iter().for_each(read::tell);
    Ok(lifted)
}

async fn lift(args: &ReleaseArgs, scene: &Scene<'_>, sealed: Option<&Sealed>) -> anyhow::Result<ExitCode> {
    let chain::Links { all: links, gone } = chain::read(&scene.store, &scene.log).await?;
    tell_gone(gone);
    let mut all = released(&links);
    all.retain(|released| released.decree.id == args.matter);
    let Some(newest) = all.last().map(|released| released.seal) else {
        output::tell(&format!("No hold of the name `{}` was ever placed; `spanseal hold list` shows those that are open.", args.matter));
        return Ok(ExitCode::from(1));
    };
    // A release that was interrupted, and the name used again since, is finished too.
    let mut lifted = Lifted::default();
    for released in &all {
        lifted.add(one(scene, released, &links).await?);
    }
    let Lifted { free, kept, withheld, problems, done } = lifted;
    let problems = u64::try_from(problems.len()).unwrap_or(u64::MAX);
    match args.order.format {
        TableOrJson::Table => {
            let mut text = match sealed {
                Some(_) => format!("Released: `{}`.\n", args.matter),
                None => format!("`{}` was released before, in seal {}; nothing was recorded now.\n", args.matter, newest),
            };
            if scene.has_locks() {
                text.push_str(&format!(
                    "{} no other hold keeps: the hold was lifted from {}, {} had none any more.\n",
                    decree::count(free, "segment", "segments"),
                    decree::count(done.changed, "object", "objects"),
                    done.already
                ));
            } else {
                text.push_str("This store has no locks, so there was nothing to lift.\n");
            }
            if kept > 0 {
                text.push_str(&format!("On hold for other matters: {}.\n", decree::count(kept, "segment", "segments")));
            }
            text.push_str(&withheld_words(withheld, if withheld == 1 { "stays" } else { "stay" }));
            text.push_str("Locks and their dates are as they were.\n");
            output::answer(&text)?;
        }
        TableOrJson::Json => {
            let mut members = vec![("matter", Json::string(&args.matter))];
            if let Some(sealed) = sealed {
                members.push(("record", Json::string(&sealed.record)));
            }
            members.extend([
                ("seal", Json::count(sealed.map_or(newest, |sealed| sealed.seal))),
                ("locks", Json::Bool(scene.has_locks())),
                ("segments_freed", Json::count(free)),
                ("segments_kept_by_others", Json::count(kept)),
                ("segments_withheld", Json::count(withheld)),
                ("objects_lifted", Json::count(done.changed)),
                ("problems", Json::count(problems)),
            ]);
            let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            output::answer_json(&format!("{}\n", Json::Object(members).to_jcs_string()))?;
        }
    }
    Ok(if problems == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
