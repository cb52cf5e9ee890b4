//! `spanseal hold release`: has the end of a hold recorded, and lifts it from what no other hold keeps.

use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::{ReleaseArgs, TableOrJson};
use crate::clock::{Clock, SystemClock};
use crate::commands::decree::{self, Orders, Scene};
use crate::commands::{output, read};
use crate::config::Config;
use crate::erase::Sealed;
use crate::govern::chain;
use crate::govern::decrees::{Decree, Order};
use crate::govern::enforce::{Done, Enforcer, Want, named};
use crate::govern::register::Motion;
use crate::govern::released::{Released, freed, released};
use crate::record::canonical::Json;

/// Runs it.
pub(super) async fn run(args: &ReleaseArgs, config: &Config) -> anyhow::Result<ExitCode> {
    decree::check_words(config, &args.order)?;
    let scene = Scene::open(config, &args.order.keys).await?;
    let newest = chain::newest_link(&scene.store, &scene.log).await?;
    let open = newest.as_ref().and_then(|link| link.entry.open.iter().find(|open| open.id == args.matter));
    if let Some(open) = open.filter(|open| args.dry_run && open.order == Order::Hold) {
        return would(args, &scene, open).await;
    }
    let (scene, sealed) = match open.map(|open| open.order) {
        Some(Order::Hold) => {
            let orders = Orders::open(config, &args.order).await?;
            let motion = Motion::Close { id: args.matter.clone(), segments: Vec::new(), through: 0 };
            let sealed = orders.order(motion).await;
            let sealed = orders.close(sealed).await?;
            output::tell(&format!("The release is record {} in seal {}; now the objects.", sealed.record, sealed.seal));
            (scene.again(&args.order.keys).await?, Some(sealed))
        }
        Some(Order::Extend(_)) => {
            anyhow::bail!("`{}` is an extension, which cannot be taken back: locks are never shortened", args.matter)
        }
        None if args.dry_run => {
            output::tell(&format!("No hold of the name `{}` is open; `spanseal hold list` shows those that are.", args.matter));
            return Ok(ExitCode::from(1));
        }
        None => (scene, None),
    };
    lift(args, &scene, sealed.as_ref()).await
}

/// Only says what nobody would keep any more, and how much of that could be deleted at once.
async fn would(args: &ReleaseArgs, scene: &Scene<'_>, open: &Decree) -> anyhow::Result<ExitCode> {
    let links = chain::read(&scene.store, &scene.log).await?;
    let told = chain::ledger(&links).held_by(&open.id).collect();
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
            "Would be released: `{}`. {} no other hold would keep; of these {past} are past the date that their seal promises, so whoever may \
             delete could do it at once, unless it was extended. {kept} stay on hold for other matters.\n",
            args.matter,
            decree::count(number(free), "segment", "segments"),
        ))?,
        TableOrJson::Json => {
            let json = Json::object([
                ("matter", Json::string(&args.matter)),
                ("dry_run", Json::Bool(true)),
                ("segments_freed", Json::count(number(free))),
                ("segments_past", Json::count(number(past))),
                ("segments_kept_by_others", Json::count(number(kept))),
                ("problems", Json::count(number(freed.problems.len()))),
            ]);
            output::answer_json(&format!("{}\n", json.to_jcs_string()))?;
        }
    }
    Ok(if freed.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

async fn lift(args: &ReleaseArgs, scene: &Scene<'_>, sealed: Option<&Sealed>) -> anyhow::Result<ExitCode> {
    let links = chain::read(&scene.store, &scene.log).await?;
    let Some(released) = released(&links).into_iter().find(|released| released.decree.id == args.matter) else {
        output::tell(&format!("No hold of the name `{}` was ever placed; `spanseal hold list` shows those that are open.", args.matter));
        return Ok(ExitCode::from(1));
    };
    let bar = read::progress();
    let freed = freed((&scene.store, &scene.log), &released, &links, |at, of| {
        bar.set_length(of);
        bar.set_position(at);
    })
    .await?;
    freed.problems.iter().for_each(read::tell);
    let held = named(&scene.log, freed.free.iter().copied()).await?;
    let mut enforcer = Enforcer::new(Arc::clone(&scene.store), &scene.log, Want::NoHold, scene.expected());
    let done = if scene.has_locks() {
        let seals: std::collections::BTreeSet<u64> = freed.kept.iter().map(|id| id.seal).collect();
        enforcer.spare(seals).await?;
        bar.set_position(0);
        bar.set_length(u64::try_from(held.len()).unwrap_or(u64::MAX));
        enforcer.lift(&held, || bar.inc(1)).await?
    } else {
        Done::default()
    };
    bar.finish_and_clear();
    let (free, kept) = (u64::try_from(freed.free.len()).unwrap_or(u64::MAX), released.told.intersection(&freed.kept).count());
    match args.order.format {
        TableOrJson::Table => {
            let mut text = match sealed {
                Some(_) => format!("Released: `{}`.\n", args.matter),
                None => format!("`{}` was released before, in seal {}; nothing was recorded now.\n", args.matter, released.seal),
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
                text.push_str(&format!("{kept} of its segments stay on hold for other matters.\n"));
            }
            text.push_str("Locks and their dates are as they were.\n");
            output::answer(&text)?;
        }
        TableOrJson::Json => {
            let mut members = vec![("matter", Json::string(&args.matter))];
            if let Some(sealed) = sealed {
                members.push(("record", Json::string(&sealed.record)));
            }
            members.extend([
                ("seal", Json::count(sealed.map_or(released.seal, |sealed| sealed.seal))),
                ("locks", Json::Bool(scene.has_locks())),
                ("segments_freed", Json::count(free)),
                ("segments_kept_by_others", Json::count(u64::try_from(kept).unwrap_or(u64::MAX))),
                ("objects_lifted", Json::count(done.changed)),
                ("problems", Json::count(u64::try_from(freed.problems.len()).unwrap_or(u64::MAX))),
            ]);
            let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            output::answer_json(&format!("{}\n", Json::Object(members).to_jcs_string()))?;
        }
    }
    Ok(if freed.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
