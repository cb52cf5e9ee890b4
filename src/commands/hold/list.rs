//! `spanseal hold list`: what is on hold and why, and what should be and is not any more.

use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;

use comfy_table::{ContentArrangement, Table, presets};

use crate::cli::{HoldListArgs, TableOrJson};
use crate::commands::decree::Scene;
use crate::commands::{output, read};
use crate::config::Config;
use crate::govern::chain::{self, Link, ledger};
use crate::govern::decrees::{Decree, Ledger, Order, Step};
use crate::govern::enforce::{Enforcer, Want, named};
use crate::govern::query::Query;
use crate::govern::released::{Released, released};
use crate::query::story::clean;
use crate::record::canonical::Json;

/// Width where there is no terminal to ask.
const WIDTH: usize = 160;

/// Runs it.
pub(super) async fn run(args: &HoldListArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let scene = Scene::open(config, &args.keys).await?;
    let chain::Links { all: links, gone } = chain::read(&scene.store, &scene.log).await?;
    let ledger = ledger(&links);
    let mut unlifted = Vec::new();
    for released in released(&links) {
        if is_unlifted(&scene, &released, &ledger).await? {
            unlifted.push(released);
        }
    }
    let list = List {
        size: scene.log.size(),
        locks: scene.has_locks(),
        vault: config.content.vault.is_some(),
        links: &links,
        ledger: &ledger,
        unlifted: &unlifted,
    };
    match args.format {
        TableOrJson::Table => output::answer(&list.text(read::width().unwrap_or(WIDTH)))?,
        TableOrJson::Json => output::answer_json(&format!("{}\n", list.json().to_jcs_string()))?,
    }
    tell_gone(gone);
    Ok(ExitCode::SUCCESS)
}

/// What was ordered long ago and is not known any more.
pub(super) fn tell_gone(gone: Option<u64>) {
    if let Some(seal) = gone {
        output::tell(&format!(
            "Records of holds and extensions in seal {seal}, and maybe before, are gone since their date, as planned: what only they said is not known."
        ));
    }
}

/// Whether the segment that a release lifts last still has a legal hold that no open one explains.
async fn is_unlifted(scene: &Scene<'_>, released: &Released, ledger: &Ledger) -> anyhow::Result<bool> {
    if !scene.has_locks() {
        return Ok(false);
    }
    let Some(last) = released.told.iter().rev().find(|id| ledger.holds(**id).next().is_none()) else { return Ok(false) };
    let named = named(&scene.log, [*last]).await?;
    let enforcer = Enforcer::new(Arc::clone(&scene.store), &scene.log, Want::NoHold, scene.expected());
    for segment in named.values().flatten() {
        if enforcer.is_held(segment).await? == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

struct List<'l> {
    size: u64,
    locks: bool,
    vault: bool,
    links: &'l [Link],
    ledger: &'l Ledger,
    unlifted: &'l [Released],
}

impl List<'_> {
    /// The record that placed a decree.
    fn placed(&self, decree: &Decree) -> Option<&Link> {
        self.links.iter().rev().find(|link| link.entry.step == Step::Open && link.entry.of.id == decree.id)
    }

    fn segments(&self, decree: &Decree) -> u64 {
        let told = self.links.iter().filter(|link| link.entry.of.id == decree.id && link.entry.of.since == decree.since);
        match decree.order {
            Order::Hold => u64::try_from(self.ledger.held_by(&decree.id).count()).unwrap_or(u64::MAX),
            Order::Extend(_) => told.map(|link| u64::try_from(link.entry.segments.len()).unwrap_or(u64::MAX)).sum(),
        }
    }

    fn of(&self, holds: bool) -> impl Iterator<Item = &Decree> {
        self.ledger.open().iter().filter(move |open| (open.order == Order::Hold) == holds)
    }

    fn text(&self, width: usize) -> String {
        let mut out = String::new();
        // Writing into a text cannot fail.
        match self.of(true).count() {
            0 => out.push_str("No hold is open.\n"),
            _ => {
                let _ = writeln!(out, "{}", self.table(width));
            }
        }
        for decree in self.of(false) {
            let Order::Extend(lock) = decree.order else { continue };
            let _ = writeln!(
                out,
                "The extension `{}` to {} {} is carried out below seal {} only: `spanseal retention extend --resume {}` goes on.",
                decree.id,
                lock.mode.as_str(),
                lock.retain_until,
                decree.through,
                decree.id
            );
        }
        for released in self.unlifted {
            let _ = writeln!(
                out,
                "`{}` is released, and objects still have its hold: `spanseal hold release --matter {}` goes on.",
                released.decree.id, released.decree.id
            );
        }
        if self.vault && self.of(true).next().is_some() {
            out.push_str(
                "What was said in the records that a hold means, and in their traces, stays in the vault: it does not expire, and `erase` wants \
                 the hold named.\n",
            );
        }
        if !self.locks {
            out.push_str("This store has no locks: holds are recorded, and nothing keeps the objects from being deleted.\n");
        }
        out
    }

    fn table(&self, width: usize) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width.max(72)).unwrap_or(u16::MAX));
        table.set_header(["matter", "since", "on hold for", "segments", "seals looked at", "reason", "by"]);
        for decree in self.of(true) {
            let placed = self.placed(decree);
            let said = |text: Option<&String>| text.map_or_else(|| "-".to_owned(), |text| clean(text));
            table.add_row([
                decree.id.clone(),
                decree.since.to_string(),
                clean(&words(decree)),
                self.segments(decree).to_string(),
                format!("{} of {}", decree.through, self.size),
                said(placed.and_then(|link| link.ground.as_ref())),
                said(placed.and_then(|link| link.by.as_ref())),
            ]);
        }
        table.to_string()
    }

    fn json(&self) -> Json {
        let one = |decree: &Decree| {
            let placed = self.placed(decree);
            let mut members = vec![
                ("matter".to_owned(), Json::string(&decree.id)),
                ("since".to_owned(), Json::String(decree.since.to_string())),
                ("query".to_owned(), decree.query.clone()),
                ("segments".to_owned(), Json::count(self.segments(decree))),
                ("through".to_owned(), Json::count(decree.through)),
            ];
            if let Order::Extend(lock) = decree.order {
                members.push(("mode".to_owned(), Json::string(lock.mode.as_str())));
                members.push(("until".to_owned(), Json::String(lock.retain_until.to_string())));
            }
            if let Some(link) = placed {
                members.push(("record".to_owned(), Json::string(&link.record)));
                members.push(("seal".to_owned(), Json::count(link.seal)));
                for (name, text) in [("reason", &link.ground), ("ticket", &link.ticket), ("by", &link.by)] {
                    members.extend(text.as_ref().map(|text| (name.to_owned(), Json::string(text))));
                }
            }
            Json::Object(members)
        };
        let unlifted = self.unlifted.iter().map(|released| {
            Json::object([("matter", Json::string(&released.decree.id)), ("released_in_seal", Json::count(released.seal))])
        });
        Json::object([
            ("holds", Json::Array(self.of(true).map(one).collect())),
            ("extensions", Json::Array(self.of(false).map(one).collect())),
            ("released_not_lifted", Json::Array(unlifted.collect())),
            ("seals", Json::count(self.size)),
            ("locks", Json::Bool(self.locks)),
        ])
    }
}

fn words(decree: &Decree) -> String {
    Query::parse(&decree.query).map_or_else(|_| "a query that this version does not know".to_owned(), |query| query.words())
}
