//! `spanseal retention plan`: what the configuration would do to the records that are there, before anything is irreversible.
//!
//! It reads sealed records and asks the policies anew. Nothing is written, and no lock changes: a plan says what records like these would get
//! from now on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use comfy_table::{ContentArrangement, Table, presets};

use crate::cli::{PlanArgs, TableOrJson};
use crate::clock::{Clock, SystemClock, UnixSeconds};
use crate::commands::{output, read};
use crate::config::Config;
use crate::govern::longest;
use crate::plain::counted;
use crate::promote::retention::{Policy, of_record};
use crate::query::log::LogReader;
use crate::query::story::clean;
use crate::query::walk::{Visitor, walk};
use crate::record::canonical::Json;
use crate::retain::{ClassIndex, Classes};
use crate::tlog::seal_file::{SegmentRef, Statement};
use crate::worm::{Lock, Mode};

/// Width where there is no terminal to ask.
const WIDTH: usize = 160;

/// Runs it.
pub(super) async fn run(args: &PlanArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let retention = &config.retention;
    let store = read::store(config).await?;
    let log = LogReader::open(Arc::clone(&store), &config.log.name, &read::trusted(&args.keys, config)).await?;
    let rules = Arc::new((retention.classes.clone(), retention.policies.clone()));
    let mut plan = Plan::new(retention.beyond_ceiling.clone());
    let progress = read::progress();
    let within = |statement: &Statement| {
        let at = u64::try_from(statement.sealed_at.0).unwrap_or_default().saturating_mul(1_000_000_000);
        args.from.is_none_or(|from| at >= from.0) && args.to.is_none_or(|to| at <= to.0)
    };
    let begin = |_: &_, segment: &SegmentRef| Look { rules: Arc::clone(&rules), class: segment.class.clone(), seen: Seen::default() };
    let problems = walk((&store, &log), &progress, within, begin, |look, seal, segment| {
        plan.take(&retention.classes, look.seen, &seal.statement, segment);
    })
    .await
    .with_context(|| format!("the log `{}` cannot be read", config.log.name))?;
    progress.finish_and_clear();
    problems.iter().for_each(read::tell);
    let now = SystemClock.now().ceil_seconds();
    match args.format {
        TableOrJson::Table => output::answer(&plan.text(&retention.classes, &retention.policies, now, read::width().unwrap_or(WIDTH)))?,
        TableOrJson::Json => {
            output::answer_json(&format!("{}\n", plan.json(&retention.classes, &retention.policies, now).to_jcs_string()))?
        }
    }
    if !problems.is_empty() {
        return Ok(ExitCode::from(2));
    }
    // What `serve` would refuse is for whoever runs this in CI.
    Ok(if plan.refused.is_some() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Asks the policies of the records of one segment.
struct Look {
    rules: Arc<(Classes, Vec<Policy>)>,
    /// The class that they have.
    class: String,
    seen: Seen,
}

/// What the records of one segment would get.
#[derive(Default)]
struct Seen {
    /// Records and bytes of lines, by the class that they would have.
    classes: BTreeMap<ClassIndex, Sum>,
    /// Records that would have another class than they have.
    moved: u64,
    /// Acts of our own, which have the class that keeps longest.
    control: Sum,
    /// Records by policy that matches.
    policies: BTreeMap<String, u64>,
    undecided: u64,
    bytes: u64,
}

#[derive(Clone, Copy, Default)]
struct Sum {
    records: u64,
    bytes: u64,
}

impl Sum {
    fn add(&mut self, other: Sum) {
        self.records = self.records.saturating_add(other.records);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl Visitor for Look {
    fn record(&mut self, line: &[u8], record: &Json) {
        let one = Sum { records: 1, bytes: u64::try_from(line.len()).unwrap_or(u64::MAX) };
        self.seen.bytes += one.bytes;
        // No policy is asked of what spanseal itself writes.
        if record.path("source.signal").and_then(Json::as_str) == Some("control") {
            self.seen.control.add(one);
            return;
        }
        let (classes, policies) = &*self.rules;
        let decided = of_record(classes, policies, record);
        self.seen.moved += u64::from(classes.class(decided.class).name != self.class);
        self.seen.classes.entry(decided.class).or_default().add(one);
        self.seen.undecided += decided.undecided;
        for policy in decided.policies {
            *self.seen.policies.entry(policy).or_default() += 1;
        }
    }
}

/// One class of the plan.
#[derive(Default)]
struct Row {
    sum: Sum,
    /// Bytes as stored, by the share that these lines have of their segments.
    stored: u64,
    /// Seals in which it would have an object.
    objects: BTreeSet<u64>,
}

/// How a class of today meets one of the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Longer,
    Stronger,
    Shorter,
    Weaker,
    Same,
}

impl Change {
    const ALL: [Change; 5] = [Change::Longer, Change::Stronger, Change::Shorter, Change::Weaker, Change::Same];

    fn of(before: Lock, after: Lock) -> Change {
        match (after.mode.cmp(&before.mode), after.retain_until.cmp(&before.retain_until)) {
            // What takes something away is told first.
            (std::cmp::Ordering::Less, _) => Change::Weaker,
            (_, std::cmp::Ordering::Less) => Change::Shorter,
            (std::cmp::Ordering::Greater, _) => Change::Stronger,
            (_, std::cmp::Ordering::Greater) => Change::Longer,
            _ => Change::Same,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Change::Longer => "longer",
            Change::Stronger => "stronger",
            Change::Shorter => "shorter",
            Change::Weaker => "weaker",
            Change::Same => "same",
        }
    }
}

struct Plan {
    refused: Option<String>,
    rows: BTreeMap<ClassIndex, Row>,
    /// Records by the class that they have, the one that they would have, and what that changes.
    moves: BTreeMap<(String, ClassIndex, Change), u64>,
    policies: BTreeMap<String, u64>,
    control: Sum,
    /// Seals that hold such.
    control_seals: BTreeSet<u64>,
    undecided: u64,
    seals: u64,
    last_seal: Option<u64>,
    objects_now: u64,
    first: Option<UnixSeconds>,
    last: Option<UnixSeconds>,
}

impl Plan {
    fn new(refused: Option<String>) -> Self {
        Plan {
            refused,
            rows: BTreeMap::new(),
            moves: BTreeMap::new(),
            policies: BTreeMap::new(),
            control: Sum::default(),
            control_seals: BTreeSet::new(),
            undecided: 0,
            seals: 0,
            last_seal: None,
            objects_now: 0,
            first: None,
            last: None,
        }
    }

    fn take(&mut self, classes: &Classes, seen: Seen, statement: &Statement, segment: &SegmentRef) {
        if self.last_seal != Some(statement.index) {
            self.seals += 1;
            self.last_seal = Some(statement.index);
        }
        self.objects_now += 1;
        self.first = Some(self.first.map_or(statement.sealed_at, |first| first.min(statement.sealed_at)));
        self.last = Some(self.last.map_or(statement.sealed_at, |last| last.max(statement.sealed_at)));
        self.control.add(seen.control);
        if seen.control.records > 0 {
            self.control_seals.insert(statement.index);
        }
        self.undecided += seen.undecided;
        for (policy, records) in seen.policies {
            let of_policy = self.policies.entry(policy).or_default();
            *of_policy = of_policy.saturating_add(records);
        }
        for (class, sum) in seen.classes {
            let row = self.rows.entry(class).or_default();
            row.sum.add(sum);
            let share = u128::from(segment.bytes) * u128::from(sum.bytes) / u128::from(seen.bytes.max(1));
            row.stored = row.stored.saturating_add(u64::try_from(share).unwrap_or(u64::MAX));
            row.objects.insert(statement.index);
            let change = Change::of(segment.lock, classes.lock(class, statement.sealed_at));
            let moved = self.moves.entry((segment.class.clone(), class, change)).or_default();
            *moved = moved.saturating_add(sum.records);
        }
    }

    fn records(&self) -> u64 {
        self.rows.values().map(|row| row.sum.records).fold(0, u64::saturating_add)
    }

    /// Objects under this configuration: one of each class in each seal that has a record of it. Own acts go to the class that keeps longest.
    fn objects(&self, classes: &Classes, now: UnixSeconds) -> u64 {
        let own = longest(classes, now);
        let beside = |seal: &&u64| !self.rows.get(&own).is_some_and(|row| row.objects.contains(*seal));
        let rows: usize = self.rows.values().map(|row| row.objects.len()).sum();
        u64::try_from(rows + self.control_seals.iter().filter(beside).count()).unwrap_or(u64::MAX)
    }

    fn text(&self, classes: &Classes, policies: &[Policy], now: UnixSeconds, width: usize) -> String {
        let mut out = String::new();
        // Writing into a text cannot fail.
        if let Some(why) = &self.refused {
            let _ = writeln!(out, "`serve` refuses this configuration: {why}\n");
        }
        let (Some(first), Some(last)) = (self.first, self.last) else {
            let _ =
                writeln!(out, "No records were sealed in this time, so there is nothing to plan with. The classes of the configuration:");
            for (index, class) in classes.iter() {
                let until = classes.lock(index, now).retain_until;
                let _ =
                    writeln!(out, "  {}: {} for {}, of what is sealed now until {until}", class.name, class.mode.as_str(), class.period);
            }
            return out;
        };
        let _ = writeln!(
            out,
            "Under this configuration the {} that applications reported, sealed from {first} to {last}, would be kept so:\n",
            counted(self.records(), "record", "records")
        );
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width.max(72)).unwrap_or(u16::MAX));
        table.set_header(["class", "mode", "period", "records", "bytes", "stored (est.)", "objects", "sealed now: kept until"]);
        for (index, row) in &self.rows {
            let (class, lock) = (classes.class(*index), classes.lock(*index, now));
            table.add_row([
                class.name.clone(),
                class.mode.as_str().to_owned(),
                class.period.to_string(),
                row.sum.records.to_string(),
                row.sum.bytes.to_string(),
                row.stored.to_string(),
                row.objects.len().to_string(),
                lock.retain_until.to_string(),
            ]);
        }
        let _ = writeln!(out, "{table}\n");
        let (mode, period) = classes.evidence(now);
        let _ = writeln!(
            out,
            "Seals and tiles are kept as strongly and as long as anything: {} for {period}. The {} of spanseal's own acts, which the table does not \
             count, would be kept as long as the longest class, `{}`.",
            mode.as_str(),
            counted(self.control.records, "record", "records"),
            classes.class(longest(classes, now)).name
        );
        let _ = writeln!(
            out,
            "Objects: {} in {} that hold records (heartbeats hold none) now, {} under this configuration, those of own acts among both; each class is \
             an object of its own in each seal that has a record of it.",
            counted(self.objects_now, "segment", "segments"),
            counted(self.seals, "seal", "seals"),
            self.objects(classes, now)
        );
        self.write_policies(&mut out, policies);
        self.write_changes(&mut out, classes);
        out
    }

    fn write_policies(&self, out: &mut String, policies: &[Policy]) {
        if policies.is_empty() {
            return;
        }
        let _ = writeln!(out, "\nPolicies, and how many of these records match:");
        for policy in policies {
            let label = policy.label();
            let records = self.policies.get(&label).copied().unwrap_or(0);
            let none = if records == 0 { "  (none: is its condition what you mean?)" } else { "" };
            let _ = writeln!(out, "  {records:>10}  {label}{none}");
        }
        if self.undecided > 0 {
            let _ = writeln!(
                out,
                "  {} a condition could not be decided, as when a text is compared with a number; it then does not hold.",
                counted(self.undecided, "time", "times")
            );
        }
    }

    fn write_changes(&self, out: &mut String, classes: &Classes) {
        let _ = writeln!(out, "\nAgainst what these records have (their locks stay as they are; a plan changes nothing):");
        for change in Change::ALL {
            let of = self.moves.iter().filter(|((_, _, what), _)| *what == change);
            let mut any = false;
            for ((from, to, _), records) in of {
                any = true;
                let to = &classes.class(*to).name;
                let way = if from == to { format!("`{}`", clean(from)) } else { format!("`{}` -> `{to}`", clean(from)) };
                let _ = writeln!(out, "  {records:>10}  {:<8}  {way}", change.word());
            }
            let note = match change {
                Change::Shorter => Some("records like these would be kept for less time than they are now"),
                Change::Weaker => {
                    Some("records like these would be in GOVERNANCE, which a permission can lift; now they are in COMPLIANCE")
                }
                Change::Stronger => {
                    Some("records like these would be in COMPLIANCE: nobody, not even the account's owner, can lift or shorten that")
                }
                Change::Longer | Change::Same => None,
            };
            if let (true, Some(note)) = (any, note) {
                let _ = writeln!(out, "              {note}");
            }
        }
    }

    fn json(&self, classes: &Classes, policies: &[Policy], now: UnixSeconds) -> Json {
        let number = Json::count;
        let text = |text: &str| Json::string(text);
        let rows = self.rows.iter().map(|(index, row)| {
            let (class, lock) = (classes.class(*index), classes.lock(*index, now));
            Json::object([
                ("class", text(&class.name)),
                ("mode", text(class.mode.as_str())),
                ("period", Json::String(class.period.to_string())),
                ("records", number(row.sum.records)),
                ("bytes", number(row.sum.bytes)),
                ("stored_bytes_estimate", number(row.stored)),
                ("objects", number(u64::try_from(row.objects.len()).unwrap_or(u64::MAX))),
                ("sealed_now_until", Json::String(lock.retain_until.to_string())),
                ("irreversible", Json::Bool(class.mode == Mode::Compliance)),
            ])
        });
        let matched = policies.iter().map(|policy| {
            let label = policy.label();
            let records = self.policies.get(&label).copied().unwrap_or(0);
            Json::object([("policy", Json::String(label)), ("records", number(records))])
        });
        let changes = self.moves.iter().map(|((from, to, change), records)| {
            Json::object([
                ("from", text(from)),
                ("to", text(&classes.class(*to).name)),
                ("change", text(change.word())),
                ("records", number(*records)),
            ])
        });
        let mut members = vec![
            ("records", number(self.records())),
            ("seals", number(self.seals)),
            ("objects_now", number(self.objects_now)),
            ("objects", number(self.objects(classes, now))),
            ("classes", Json::Array(rows.collect())),
            ("policies", Json::Array(matched.collect())),
            ("own_acts_class", text(&classes.class(longest(classes, now)).name)),
            ("undecided", number(self.undecided)),
            ("changes", Json::Array(changes.collect())),
        ];
        members.extend(self.first.map(|at| ("from", Json::String(at.to_string()))));
        members.extend(self.last.map(|at| ("to", Json::String(at.to_string()))));
        members.extend(self.refused.as_ref().map(|why| ("refused", text(why))));
        Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }
}
