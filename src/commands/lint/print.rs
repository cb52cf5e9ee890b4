//! A report for people: what came, what it lacks and how to add it, what was probably misspelt, what is no AI and why.

use std::collections::BTreeMap;

use comfy_table::{ContentArrangement, Table, presets};

use crate::lint::{Finding, Group, Path, Records, Report, Totals, Wanted};
use crate::query::story::{clean, paragraph};

/// Width where there is no terminal to ask: wide enough for one line a row, mostly.
const WIDTH: usize = 160;
/// Narrower than this a table of words is unreadable, whatever the terminal says.
const WIDTH_MIN: usize = 60;

/// So many of something.
fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The sums in a few sentences.
fn summary(totals: &Totals) -> String {
    let makes = if totals.promoted == 1 { "becomes" } else { "become" };
    let mut out = format!(
        "{} and {}: {} AI and {makes} {}, {} not",
        count(totals.spans, "span", "spans"),
        count(totals.logs, "log", "logs"),
        count(totals.promoted, "is", "are"),
        count(totals.records, "record", "records"),
        count(totals.not_ai, "is", "are"),
    );
    if totals.rejected > 0 {
        out.push_str(&format!(", {} cannot become records", totals.rejected));
    }
    if totals.data_points > 0 {
        out.push_str(&format!("; {} counted only", count(totals.data_points, "data point is", "data points are")));
    }
    out.push('.');
    if totals.misshapen_ids > 0 {
        let have = count(
            totals.misshapen_ids,
            "has an id of wrong length, and becomes a record",
            "have an id of wrong length, and become records",
        );
        out.push_str(&format!(" {have} without it."));
    }
    if totals.undecided > 0 {
        let conditions = count(totals.undecided, "condition", "conditions");
        out.push_str(&format!(" {conditions} of own rules or thresholds could not be decided: a value was missing or of another type."));
    }
    out
}

/// What the run fails for.
fn failing(totals: &Totals, fail_on: &[Finding]) -> Option<String> {
    let found = fail_on.iter().filter(|finding| totals.findings(**finding) > 0);
    let each: Vec<String> = found.map(|finding| format!("{} {}", totals.findings(*finding), finding.says())).collect();
    (!each.is_empty()).then(|| format!("This fails (--fail-on): {}.", each.join(", ")))
}

/// The report as text; what the run fails for stands first.
pub(super) fn text(report: &Report, width: Option<usize>, fail_on: &[Finding]) -> String {
    let width = width.unwrap_or(WIDTH).max(WIDTH_MIN);
    let mut out = String::new();
    for sentence in [Some(summary(&report.totals)), failing(&report.totals, fail_on)].into_iter().flatten() {
        out.push_str(paragraph(&sentence, width).trim());
        out.push('\n');
    }
    if report.groups.is_empty() {
        return out;
    }
    let fails = |findings: &[Finding]| findings.iter().any(|finding| fail_on.contains(finding));
    let (mut first, mut then) = (String::new(), String::new());
    section(&mut then, "What came", &["service", "signal", "name", "seen", "AI", "becomes", "spoken", "lacks"], overview(report), width);
    for ((service, kind), lack) in lacks(report) {
        let required = lack.wanted.keys().any(|(besides, _)| !besides) && fails(&[Finding::Missing]);
        let recommended = lack.wanted.keys().any(|(besides, _)| *besides) && fails(&[Finding::Recommended]);
        let title = format!("What {kind} records of {service} lack");
        let to = if required || recommended { &mut first } else { &mut then };
        section(to, &title, &["", "member", "lacking", "set", "asked by"], lack.rows(), width);
    }
    let near = report.groups.iter().flat_map(|group| {
        group.near_rules.iter().map(move |near| vec![of(group, None), near.rule.clone(), near.lacks.clone(), near.count.to_string()])
    });
    section(&mut then, "Own rules that nearly apply (all of the match but one part)", &["of", "rule", "but", "times"], near, width);
    let unknown = report.groups.iter().flat_map(|group| {
        group
            .unknown
            .iter()
            .map(move |unknown| vec![of(group, None), unknown.key.clone(), unknown.nearest.clone(), unknown.count.to_string()])
    });
    section(
        if fails(&[Finding::Unknown]) { &mut first } else { &mut then },
        "Keys that are not understood (rename them, or read them with an own rule)",
        &["of", "key", "did you mean", "times"],
        unknown,
        width,
    );
    let trouble = report.groups.iter().flat_map(|group| group.records.iter().flat_map(move |records| troubles(group, records)));
    let to = if fails(&[Finding::Conflicts, Finding::Truncated]) { &mut first } else { &mut then };
    section(to, "Values that were not taken as sent", &["of", "member", "what", "records"], trouble, width);
    let rejected = report
        .groups
        .iter()
        .filter(|group| group.rejected > 0)
        .map(|group| vec![of(group, None), group.rejected.to_string(), group.rejected_why.clone().unwrap_or_default()]);
    let to = if fails(&[Finding::Rejected]) { &mut first } else { &mut then };
    section(to, "What cannot become records", &["of", "times", "why"], rejected, width);
    let to = if fails(&[Finding::NotAi]) { &mut first } else { &mut then };
    section(to, "What is not AI, and why", &["of", "times", "why", "keys looked at"], report.groups.iter().filter_map(not_ai), width);
    out + &first + &then
}

/// A table under a title, unless it has no rows.
fn section(out: &mut String, title: &str, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>, width: usize) {
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.iter().map(|cell| clean_lines(cell)).collect()).collect();
    if rows.is_empty() {
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    // Each line is set in by one.
    table.set_width(u16::try_from(width.saturating_sub(1)).unwrap_or(u16::MAX)).set_header(head);
    table.add_rows(rows);
    out.push_str(&format!("\n{}\n", clean(title)));
    table.lines().for_each(|line| out.push_str(&format!(" {}\n", line.trim_end())));
}

/// Cleaned, but for the line feeds of our own.
fn clean_lines(cell: &str) -> String {
    cell.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

fn of(group: &Group, records: Option<&Records>) -> String {
    let name = group.name.as_deref().unwrap_or("(no name)");
    let mut of = match &group.service {
        Some(service) => format!("{service}: {name}"),
        None => format!("(no service): {name}"),
    };
    if let Some(records) = records {
        let event = if records.signal == "span_event" { ", by an event" } else { "" };
        of.push_str(&format!(" ({}{event})", records.kind));
    }
    of
}

fn overview(report: &Report) -> impl Iterator<Item = Vec<String>> + '_ {
    report.groups.iter().map(|group| {
        let each = |tell: fn(&Records) -> String| group.records.iter().map(tell).collect::<Vec<_>>().join("\n");
        vec![
            group.service.clone().unwrap_or_else(|| "(none)".to_owned()),
            group.signal.to_owned(),
            group.name.clone().unwrap_or_else(|| "(none)".to_owned()),
            group.seen.to_string(),
            group.promoted.to_string(),
            each(|records| format!("{} {}", records.count, records.kind)),
            each(|records| records.dialects.join(", ")),
            each(|records| {
                let of = |level| records.missing.iter().filter(|wanted| wanted.level == level).count();
                format!("{} required, {} more", of("required"), of("recommended"))
            }),
        ]
    })
}

/// What the records of one service and one kind lack, whatever they are named.
#[derive(Default)]
struct Lack<'r> {
    records: u64,
    names: usize,
    /// How many lack it, under which names. Required members first.
    wanted: BTreeMap<(bool, &'r str), (&'r Wanted, u64, Vec<&'r str>)>,
}

fn lacks(report: &Report) -> BTreeMap<(String, String), Lack<'_>> {
    let mut lacks: BTreeMap<(String, String), Lack<'_>> = BTreeMap::new();
    for group in &report.groups {
        for records in &group.records {
            let event = if records.signal == "span_event" { " (span event)" } else { "" };
            let service = group.service.clone().unwrap_or_else(|| "no service".to_owned());
            let lack = lacks.entry((service, format!("{}{event}", records.kind))).or_default();
            lack.records += records.count;
            lack.names += 1;
            for wanted in &records.missing {
                let (_, count, names) =
                    lack.wanted.entry((wanted.level != "required", wanted.path)).or_insert_with(|| (wanted, 0, Vec::new()));
                *count += wanted.count;
                names.push(group.name.as_deref().unwrap_or("(no name)"));
            }
        }
    }
    lacks.retain(|_, lack| !lack.wanted.is_empty());
    lacks
}

/// Names that are listed where not all are meant.
const NAMES_MAX: usize = 4;

impl Lack<'_> {
    fn rows(&self) -> impl Iterator<Item = Vec<String>> + '_ {
        self.wanted.values().map(|(wanted, count, names)| {
            let mut lacking = format!("{count} of {}", self.records);
            if names.len() < self.names {
                lacking.extend(names.iter().take(NAMES_MAX).map(|name| format!("\n{name}")));
                if names.len() > NAMES_MAX {
                    lacking.push_str("\n...");
                }
            }
            vec![wanted.level.to_owned(), wanted.path.to_owned(), lacking, how(wanted), asked(wanted)]
        })
    }
}

/// What to set, with an example.
fn how(wanted: &Wanted) -> String {
    let first = wanted.set.first().map(String::as_str).unwrap_or_default();
    // Whole: it is there to be copied.
    let mut set = format!("{first} = {}", wanted.example);
    if wanted.resource {
        set.push_str(" (on the resource)");
    }
    if let Some(when) = wanted.when {
        set.push_str(&format!("\nif {when}"));
    }
    set
}

/// Who asks, each framework named once.
fn asked(wanted: &Wanted) -> String {
    let mut asked: Vec<(&str, Vec<&str>)> = Vec::new();
    for by in &wanted.asked_by {
        match asked.iter_mut().find(|(framework, _)| *framework == by.framework) {
            Some((_, references)) => references.push(by.reference),
            None => asked.push((by.framework, vec![by.reference])),
        }
    }
    asked.into_iter().map(|(framework, references)| format!("{framework}: {}", references.join(", "))).collect::<Vec<_>>().join("\n")
}

fn troubles(group: &Group, records: &Records) -> Vec<Vec<String>> {
    let each = |paths: &[Path], what: &str| -> Vec<Vec<String>> {
        paths.iter().map(|path| vec![of(group, Some(records)), path.path.clone(), what.to_owned(), path.count.to_string()]).collect()
    };
    [
        each(&records.conflicts, "does not fit its type, or two keys contradict each other"),
        each(&records.truncated, "was too long, and cut"),
        each(&records.scrubbed, "looked like a person, and was scrubbed"),
    ]
    .concat()
}

fn not_ai(group: &Group) -> Option<Vec<String>> {
    let not_ai = group.not_ai.as_ref()?;
    let why: Vec<&str> = not_ai.why.iter().map(|why| why.says.as_str()).collect();
    let mut keys = not_ai.keys.join(", ");
    if not_ai.keys_more > 0 {
        keys.push_str(", and more");
    }
    Some(vec![of(group, None), not_ai.count.to_string(), why.join("\n"), keys])
}
