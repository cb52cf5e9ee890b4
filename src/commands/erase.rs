//! `spanseal erase`: takes a person, or the content of a record, out of the vault.

use std::io::{IsTerminal, Write, stdin};
use std::process::ExitCode;

use super::way::Way;
use super::{output, read};
use crate::api::Act;
use crate::cli::EraseArgs;
use crate::config::{Config, show_size};
use crate::erase::{Earlier, EraseError, FromOther, OnHold, Outcome, Wish, on_hold_in_words};
use crate::query::story::clean;
use crate::serve::Promise;
use crate::vault::Scope;

/// Runs it.
pub async fn run(args: EraseArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let (scope, who) = match (&args.person, &args.subject, &args.record) {
        (Some(who), _, _) => (Scope::Person, who),
        (_, Some(who), _) => (Scope::Subject, who),
        (_, _, Some(who)) => (Scope::Record, who),
        _ => anyhow::bail!("nobody is named: give --person, --subject or --record"),
    };
    if !args.dry_run && !args.yes && !stdin().is_terminal() {
        anyhow::bail!(
            "an erasure cannot be taken back, and there is no terminal to ask on: give --yes, or --dry-run to see what it would do"
        );
    }
    let wish = Wish {
        scope,
        who: who.clone(),
        as_sent: args.as_sent,
        realms: args.realm.clone(),
        ground: args.ground.clone(),
        ticket: args.ticket.clone(),
        by: args.by.clone(),
        shared: args.shared,
        despite_holds: args.despite_holds.clone(),
        dry_run: true,
    };
    let promise = if args.offline { Promise::Ignored } else { Promise::Respected };
    let way = Way::open(config, Act::Erase, promise, &args.client).await?;
    let result = act(&way, &args, wish).await;
    // Whatever came of it, a log that was opened for this is closed in good order.
    let closed = way.close().await;
    let code = result?;
    closed?;
    Ok(code)
}

async fn act(way: &Way, args: &EraseArgs, wish: Wish) -> anyhow::Result<ExitCode> {
    let plan = if args.dry_run || !args.yes { Some(way.erase(&wish).await?) } else { None };
    if let Some(plan) = plan {
        let nothing = is_nothing(&plan, wish.scope);
        if args.dry_run || nothing {
            return answer(&plan, args, &wish);
        }
        output::tell_lines(&to_text(&plan, wish.scope));
        // Before somebody is asked for a word that changes nothing.
        let standing = standing(&plan);
        if !standing.is_empty() {
            return Err(EraseError::OnHold(standing).into());
        }
        if !agreed()? {
            output::tell("Nothing was erased.");
            return Ok(ExitCode::from(1));
        }
    }
    let wish = Wish { dry_run: false, ..wish };
    answer(&way.erase(&wish).await?, args, &wish)
}

/// Shows what came of it. An id that looks like evidence's own name of a person, and is none, is an error that is easily made.
fn answer(outcome: &Outcome, args: &EraseArgs, wish: &Wish) -> anyhow::Result<ExitCode> {
    if is_nothing(outcome, wish.scope) && outcome.already.is_empty() && wish.scope != Scope::Record && wish.is_stored_form() {
        output::tell(read::TAKEN_AS_STORED);
    }
    show(outcome, wish.scope, args.json)
}

/// The open holds that mean something of it and that it is not to go before.
fn standing(outcome: &Outcome) -> Vec<OnHold> {
    outcome.on_hold.iter().filter(|hold| !hold.despite).cloned().collect()
}

fn agreed() -> anyhow::Result<bool> {
    let mut err = std::io::stderr();
    write!(err, "This cannot be taken back. Type `erase` to go on: ")?;
    err.flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "erase")
}

/// Of a record there is nothing to erase but what it said; of a person also the name in evidence is something to answer for.
fn is_nothing(outcome: &Outcome, scope: Scope) -> bool {
    let (of_record, named) = (scope == Scope::Record && outcome.records == 0 && outcome.absent == 0, outcome.named > 0);
    !outcome.done && (!outcome.already.is_empty() || outcome.persons == 0 && (of_record || !named))
}

fn show(outcome: &Outcome, scope: Scope, json: bool) -> anyhow::Result<ExitCode> {
    if json {
        output::answer_json(&format!("{}\n", serde_json::to_string_pretty(outcome)?))?;
    } else {
        output::answer(&to_text(outcome, scope))?;
    }
    // An erasure that took nothing, because somebody else had, is none.
    let nothing = is_nothing(outcome, scope) || outcome.persons == 0 && outcome.records == 0;
    Ok(match nothing {
        // What is said is then that it could not be.
        _ if outcome.unread.is_some() || !standing(outcome).is_empty() => ExitCode::from(2),
        false => ExitCode::SUCCESS,
        // Whoever is meant may be there.
        true if !outcome.uncompared.is_empty() => ExitCode::from(2),
        true => ExitCode::from(1),
    })
}

fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn to_text(outcome: &Outcome, scope: Scope) -> String {
    if is_nothing(outcome, scope) && outcome.already.is_empty() {
        if outcome.named > 0 {
            return "Evidence has this record, and the vault keeps nothing of it: nothing to erase.\n".to_owned();
        }
        let nothing = "Neither the vault nor the evidence of this log knows whom or what you named: nothing to erase.".to_owned();
        let but = outcome.uncompared.iter().map(|what| format!("But {}.", clean(what)));
        return std::iter::once(nothing).chain(but).map(|line| line + "\n").collect();
    }
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    let records = count(outcome.records, "record", "records");
    let entries = count(outcome.persons, "entry of the person", "entries of the person");
    if !outcome.already.is_empty() {
        let what = if outcome.records == 0 && outcome.absent > 0 { "nothing".to_owned() } else { format!("what was said in {records}") };
        line(format!("Erased already: {what}. Nothing was done now, and nothing sealed."));
    } else if outcome.done {
        let contents = count(outcome.contents, "content", "contents");
        line(format!("Erased from the vault: what was said in {records} ({contents}, {}), and {entries}.", show_size(outcome.bytes)));
    } else {
        line(format!("Would be erased from the vault: what was said in {records}, and {entries}."));
    }
    if outcome.absent > 0 {
        let absent = count(outcome.absent, "record", "records");
        let recorded = if outcome.done { ", and its record names it as absent" } else { "" };
        line(format!(
            "Missing from the vault: what was said in {absent}. No erasure took it: its retention was over, or somebody deleted it. It is not \
             erased by this{recorded}; copies of it may exist."
        ));
    }
    for FromOther { peer, method, records } in &outcome.from_others {
        let sender = match (peer, method.as_str()) {
            (None, _) => "a sender that did not have to identify itself".to_owned(),
            (Some(peer), "mtls") => format!("`{}` (shown by a certificate)", clean(peer)),
            (Some(peer), _) => format!("`{}` (shown by a token)", clean(peer)),
        };
        line(format!(
            "Reached through their trace only, sent by {sender}: {}. None of that sender's records there names the person; another sender's \
             does.",
            count(*records, "record", "records")
        ));
    }
    let (before, standing): (Vec<OnHold>, Vec<OnHold>) = outcome.on_hold.iter().cloned().partition(|hold| hold.despite);
    if !standing.is_empty() {
        line(format!(
            "But on legal hold, so that nothing is erased unless these are released or named with --despite-hold: {}.",
            clean(&on_hold_in_words(&standing))
        ));
    }
    if !before.is_empty() {
        let recorded = if outcome.done { "; its record says so" } else { ", as it is told to" };
        line(format!(
            "It {} before legal holds: {}{recorded}.",
            if outcome.done { "went" } else { "goes" },
            clean(&on_hold_in_words(&before))
        ));
    }
    if let Some(unread) = &outcome.unread {
        line(format!("Not looked at: {}. What it holds cannot be told.", clean(unread)));
    }
    if let Some(sealed) = &outcome.erasure {
        line(format!("Recorded: erasure {} in seal {}.", sealed.record, sealed.seal));
    }
    for Earlier { at, ground, record, seal } in &outcome.already {
        let day = at.split('T').next().unwrap_or(at);
        line(format!("  - on {}, on the ground \"{}\": erasure {} in seal {seal}.", clean(day), clean(ground), clean(record)));
    }
    line("What stays:".to_owned());
    line("  - Evidence itself, with every proof; commitments in it no longer say anything of what was said.".to_owned());
    if !outcome.pseudonyms.is_empty() {
        let names: Vec<String> = outcome.pseudonyms.iter().map(|p| clean(p)).collect();
        line(format!("  - The name in {}: {}.", count(outcome.named, "record", "records"), names.join(", ")));
        let keyed = |p: &&String| p.starts_with("ps:") && !p.starts_with("ps:vault:");
        if outcome.pseudonyms.iter().any(|p| p.starts_with("ps:vault:")) {
            line("    Nobody can say any more whose a pseudonym of the vault was.".to_owned());
        }
        if outcome.pseudonyms.iter().any(|p| keyed(&p)) {
            line(
                "    A keyed pseudonym can still be compared with a name by whoever has the identity key; only destroying that key ends it, for everybody."
                    .to_owned(),
            );
        }
        if outcome.pseudonyms.iter().any(|p| p.starts_with("id:")) {
            line("    An id that was sealed as sent (identity.mode plain) cannot be erased before its retention ends.".to_owned());
        }
    }
    if outcome.hashed > 0 {
        let records = count(outcome.hashed, "record", "records");
        line(format!("  - Keyed hashes of prompts or content in {records}: they say nothing without the identity key."));
    }
    for kept in &outcome.kept {
        let place = kept.trace.as_ref().map_or_else(|| "A record".to_owned(), |trace| format!("Trace {}", clean(trace)));
        let others = count(kept.others, "other person", "other persons");
        let records: Vec<String> = kept.records.iter().map(|id| clean(id)).collect();
        line(format!("  - {place} also names {others}, so what was said stays in: {}.", records.join(", ")));
    }
    if !outcome.kept.is_empty() {
        line("    Erase one of them with --record, or all with --shared, if it is theirs to give up.".to_owned());
    }
    for what in &outcome.uncompared {
        line(format!("  - {}.", clean(what)));
    }
    if outcome.elsewhere > 0 {
        line(format!(
            "  - {} in other logs of this store: ask the writers of those logs to erase there.",
            count(outcome.elsewhere, "record", "records")
        ));
    }
    if outcome.done && !outcome.pseudonyms.is_empty() {
        line(
            "What is still sent of these traces, and names nobody, is erased by the running `serve` within minutes for as long as \
             `seal.dedup_window`. What comes later is kept, and the person no longer leads to it: find it by the trace and erase it with \
             --record."
                .to_owned(),
        );
    }
    line("Copies that others made of the vault or of its disks are theirs to erase.".to_owned());
    out
}
