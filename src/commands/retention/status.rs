//! `spanseal retention status`: whether the locks that seals promise really hold, object by object, as the store shows them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use comfy_table::{ContentArrangement, Table, presets};

use crate::api::Act;
use crate::cli::{StatusArgs, TableOrJson};
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::commands::verify::Bar;
use crate::commands::way::Way;
use crate::commands::{output, read};
use crate::config::Config;
use crate::erase::Sealed;
use crate::govern::{self, Attestation, Deed, Wish};
use crate::plain::counted;
use crate::query::story::clean;
use crate::record::canonical::Json;
use crate::serve::Promise;
use crate::verify::{Depth, Item, Kind, LockCheck, LockSums, Options, Progress, Report, verify};

/// Width where there is no terminal to ask.
const WIDTH: usize = 160;
/// Findings that the text shows.
const SHOWN_MAX: usize = 50;

/// Runs it.
pub(super) async fn run(args: &StatusArgs, config: &Config) -> anyhow::Result<ExitCode> {
    if args.attest {
        expect_attestable(args, config)?;
    }
    let store = read::store(config).await?;
    let configured = if args.keys.vkey.is_empty() { read::own_key(config) } else { Ok(None) };
    if let Err(why) = &configured {
        read::tell_no_key(why);
    }
    // Before the look: what is committed meanwhile need not be in it.
    let (way, told) = match args.attest {
        true => running(args, config).await.map_or_else(|why| (Err(why), None), |(way, told)| (Ok(way), told)),
        false => (Ok(None), None),
    };
    let is_own = args.keys.vkey.iter().all(|key| key.name() == config.log.origin);
    let committed = read::committed(&args.keys, config).max(told.filter(|_| is_own));
    let now = SystemClock.now().ceil_seconds();
    let due = args.due.after(now);
    let bar = Bar::new();
    let show = |at: &Progress<'_>| bar.show(at);
    let options = Options {
        // As of `verify`: whoever names a configuration and brings no key means its log.
        logs: if config.file.is_some() && args.keys.vkey.is_empty() { vec![config.log.name.clone()] } else { Vec::new() },
        pinned: args.keys.vkey.clone(),
        configured: configured.unwrap_or_default(),
        from: args.from,
        to: args.to,
        committed,
        depth: Depth::Locks,
        due,
        progress: Some(&show),
        ..Options::new(now)
    };
    let report = verify(store.as_ref(), &options).await;
    bar.end();
    let (attested, failed) = match args.attest {
        false => (None, None),
        true => match attest(args, config, way, (&report, due)).await {
            Ok(sealed) => (Some(sealed), None),
            Err(why) => (None, Some(why)),
        },
    };
    let status = Status { report, due, attested };
    match args.format {
        TableOrJson::Table => output::answer(&status.text(&args.due.to_string(), read::width().unwrap_or(WIDTH)))?,
        TableOrJson::Json => output::answer_json(&format!("{}\n", status.json().to_jcs_string()))?,
    }
    // What was found is shown whatever became of its record.
    match failed {
        Some(why) => Err(why.context("what was found is shown, and is not recorded in the log")),
        None => Ok(ExitCode::from(status.report.verdict.exit_code())),
    }
}

/// Refuses before the long look what could not be recorded after it.
fn expect_attestable(args: &StatusArgs, config: &Config) -> anyhow::Result<()> {
    let own = &config.log.origin;
    if let Some(other) = args.keys.vkey.iter().find(|key| key.name() != own) {
        bail!(
            "an attestation stands in the log that it is about, which is `{own}`, and not in `{}`: give the configuration of that log",
            clean(other.name())
        );
    }
    let words = govern::check_words(args.reason.as_deref(), args.ticket.as_deref(), args.by.as_deref(), &config.identity.scrub);
    words.map_err(anyhow::Error::msg)
}

/// The `serve` that runs, and the newest seal that it has committed.
async fn running(args: &StatusArgs, config: &Config) -> anyhow::Result<(Option<Way>, Option<u64>)> {
    let way = Way::running(config, Act::Govern, &args.client).await?;
    let told = match &way {
        Some(way) => way.committed(Act::Govern).await?,
        None => None,
    };
    Ok((way, told))
}

/// Seals what was found. `way`: the `serve` that was asked before the look.
async fn attest(
    args: &StatusArgs,
    config: &Config,
    way: anyhow::Result<Option<Way>>,
    (report, due): (&Report, UnixSeconds),
) -> anyhow::Result<Sealed> {
    let log = report.logs.iter().find(|log| log.name == config.log.name);
    let log = log.with_context(|| format!("the log `{}` is not among what was looked at", config.log.name))?;
    let wish = Wish {
        deed: Deed::Attestation(Attestation::of(report, log, due)),
        ground: args.reason.clone(),
        ticket: args.ticket.clone(),
        by: args.by.clone(),
    };
    let promise = if args.offline { Promise::Ignored } else { Promise::Respected };
    let way = match way? {
        Some(way) => way,
        None => Way::open(config, Act::Govern, promise, &args.client).await?,
    };
    let sealed = way.govern(&wish).await;
    // Whatever came of it, a log that was opened for this is closed in good order.
    let closed = way.close().await;
    let sealed = sealed?;
    closed?;
    Ok(sealed)
}

struct Status {
    report: Report,
    /// Until when locks that end are counted as due.
    due: UnixSeconds,
    /// Where it was recorded, if it was.
    attested: Option<Sealed>,
}

impl Status {
    fn text(&self, due: &str, width: usize) -> String {
        let mut out = String::new();
        let findings = &self.report.findings;
        let unchecked = || self.report.notes.iter().filter(|note| note.kind == Kind::Unchecked);
        // Writing into a text cannot fail.
        if findings.is_empty() && self.report.logs.iter().all(|log| log.seals == 0) {
            let _ = writeln!(out, "NOTHING CHECKED: no seal was read, so nothing is said about any lock.");
            unchecked().for_each(|note| out.push_str(&told(note)));
            return out;
        }
        match self.report.locks {
            LockCheck::None => {
                let _ =
                    writeln!(out, "This store has no locks: nothing here keeps an object from being deleted, whatever seals promise.\n");
            }
            LockCheck::Unchecked => {
                let _ = writeln!(out, "Not every lock could be read: see below. What could not be read is not counted as good.\n");
            }
            LockCheck::Checked => {}
        }
        for log in &self.report.logs {
            let _ = writeln!(
                out,
                "Log `{}`: {}, {}, {}.\n",
                clean(&log.origin),
                counted(log.seals, "seal", "seals"),
                counted(log.segments, "segment", "segments"),
                counted(log.records, "record", "records")
            );
            if !log.locks.is_empty() {
                let _ = writeln!(out, "{}\n", table(&log.locks, due, width));
            }
        }
        let has_locks = self.report.locks != LockCheck::None;
        if findings.is_empty() && has_locks {
            let _ = writeln!(out, "No lock is shorter, weaker or missing, and nothing that was sealed is gone before its time.");
        } else if findings.is_empty() {
            let _ = writeln!(out, "Nothing that was sealed is gone before its time.");
        } else {
            let _ = writeln!(out, "{} found:\n", findings.len());
            for item in findings.iter().take(SHOWN_MAX) {
                out.push_str(&told(item));
            }
            if findings.len() > SHOWN_MAX {
                let _ = writeln!(out, "  and {} more; --format json has them all", findings.len() - SHOWN_MAX);
            }
        }
        unchecked().for_each(|note| out.push_str(&told(note)));
        let looked_at = match has_locks {
            true => "Locks were read from the store and compared with what seals and configurations on record demand.",
            false => "Looked at was whether what the seals name is there.",
        };
        let _ = writeln!(
            out,
            "\n{looked_at} Of the segments only those with records of holds and extensions were read: `spanseal verify` reads all."
        );
        if let Some(Sealed { record, seal }) = &self.attested {
            let _ = writeln!(out, "Recorded: attestation {record} in seal {seal} of the log.");
        }
        out
    }

    fn json(&self) -> Json {
        let number = Json::count;
        let sums = |(kind, sums): (&String, &LockSums)| {
            let mut members = vec![("kind".to_owned(), Json::string(kind))];
            members.extend(sums.counts().map(|(name, count)| (name.to_owned(), number(count))));
            for (name, at) in [("earliest", sums.earliest), ("latest", sums.latest)] {
                members.extend(at.map(|at| (name.to_owned(), Json::String(at.to_string()))));
            }
            Json::Object(members)
        };
        let logs = self.report.logs.iter().map(|log| {
            Json::object([
                ("origin", Json::string(&log.origin)),
                ("seals", number(log.seals)),
                ("segments", number(log.segments)),
                ("records", number(log.records)),
                ("locks", Json::Array(log.locks.iter().map(sums).collect())),
            ])
        });
        // Findings and notes as `verify --json` has them.
        let whole = Json::parse(self.report.to_json().as_bytes()).unwrap_or(Json::Null);
        let same = |name: &'static str| (name, whole.get(name).cloned().unwrap_or(Json::Null));
        let mut members = vec![
            same("verdict"),
            same("key"),
            same("locks"),
            ("due_before", Json::String(self.due.to_string())),
            ("logs", Json::Array(logs.collect())),
            same("findings"),
            same("notes"),
        ];
        members.extend(
            self.attested
                .as_ref()
                .map(|Sealed { record, seal }| ("attestation", Json::object([("record", Json::string(record)), ("seal", number(*seal))]))),
        );
        Json::Object(members.into_iter().map(|(name, json)| (name.to_owned(), json)).collect())
    }
}

fn table(locks: &BTreeMap<String, LockSums>, due: &str, width: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width.max(72)).unwrap_or(u16::MAX));
    let due = format!("ends within {due}");
    table.set_header(["objects of", "number", "not locked", "GOVERNANCE", "COMPLIANCE", "on hold", "date past", &due, "earliest date"]);
    for (kind, sums) in locks {
        let mut row = vec![clean(kind)];
        row.extend(sums.counts().map(|(_, count)| count.to_string()));
        row.push(sums.earliest.map_or_else(|| "-".to_owned(), |at| at.to_string()));
        table.add_row(row);
    }
    table.to_string()
}

fn told(item: &Item) -> String {
    let seal = item.seal.map_or_else(String::new, |seal| format!(" (seal {seal})"));
    let mut out = match item.object.as_str() {
        "" => format!("  {}\n", item.meaning),
        object => format!("  {}{seal}\n    {}\n", clean(object), item.meaning),
    };
    for (name, what) in [("expected", &item.expected), ("found", &item.found)] {
        if let Some(what) = what {
            let _ = writeln!(out, "    {name}: {}", clean(what));
        }
    }
    out
}
