//! What processors write to the attributes and names of spans and logs: the transform processor by statements, others by lists of actions.
//!
//! What overwrites evidence of some spans is a mistake, whichever spans these are: no condition is known here to leave out AI. So is
//! what puts more into content. What only adds beside it is none, and is noted where the record would have it as the application's word.

use std::collections::{HashMap, HashSet};

use super::file::{Component, File, Pipeline, Reference, below, items, said, says_something};
use super::keys::{Worth, drops_all, is_statement, worth};
use super::ottl::{Absent, Condition, Statement, Target};
use super::pipelines::{APART, flat};
use super::{Found, Kind, Notes, Receiving, Remark, Said};
use crate::collector::filter::{MARK, UNMARKING};
use crate::config::yaml::{Mark, Node, Value};

/// Functions of the transform processor that take away or change what is there, besides those that begin with `replace_`.
const CUTTING: [&str; 9] = [
    "delete_key",
    "delete_keys",
    "delete_index",
    "delete_matching_keys",
    "keep_keys",
    "keep_matching_keys",
    "limit",
    "truncate_all",
    "flatten",
];

/// Of what it adds where nothing is.
fn added(what: &str, pipeline: &str) -> String {
    format!("adds `{what}` where the application says nothing of it (`{pipeline}`): the record will have it as the application's word")
}

/// What to do about something that writes over a key; what would leave alone what is there may be said where what it adds is no claim of its own.
fn not_over(key: &str, leaving: &str) -> String {
    match is_statement(key) {
        true => format!("{APART}. To add it only where it is missing is no way out: the record would have it as the application's word"),
        false => format!("{APART}; {leaving}"),
    }
}

/// What was said of statements and actions. Many pipelines may have the same processor, and each statement is judged and told once.
#[derive(Default)]
pub(super) struct Judgements {
    /// By the processor, and the list in it.
    known: HashMap<(String, &'static str), usize>,
    /// What is said, with [`PIPELINES`] for those that have it.
    all: Vec<(Notes, Vec<String>)>,
}

/// Stands for names of pipelines, behind whatever else is named, until all of them are known.
const PIPELINES: &str = "\u{0}";

/// Pipelines that are named of those that have a statement.
const PIPELINES_MAX: usize = 4;

impl Judgements {
    /// Judges the statements of a transform processor.
    pub(super) fn judge(&mut self, processor: &Component<'_>, pipeline: &Pipeline, receiving: &Receiving, notes: &mut Notes) {
        let list = statement_list(pipeline);
        // Another pipeline may carry what it refuses, so this is told of each.
        if let Some((place, says)) = fails_whole_requests(processor, list, "statement").filter(|_| processor.node(&[list]).is_some()) {
            let says = format!("{says} (`{}`), and senders give up at last", pipeline.id);
            notes.found(
                Kind::StatementFails,
                place,
                &processor.id,
                says,
                "`error_mode: ignore`: what a statement fails on stays as it was",
            );
        }
        self.once(processor, list, &pipeline.id, notes, |said| statements(processor, list, receiving, said));
    }

    /// Judges the actions of the attributes and resource processors.
    pub(super) fn actions(
        &mut self,
        processor: &Component<'_>,
        list: &'static str,
        pipeline: &str,
        receiving: &Receiving,
        notes: &mut Notes,
    ) {
        self.once(processor, list, pipeline, notes, |said| actions(processor, list, PIPELINES, receiving, said));
    }

    fn once(&mut self, processor: &Component<'_>, list: &'static str, pipeline: &str, notes: &mut Notes, judge: impl FnOnce(&mut Notes)) {
        let all = &mut self.all;
        let at = *self.known.entry((processor.id.clone(), list)).or_insert_with(|| {
            let mut said = notes.beside();
            judge(&mut said);
            all.push((said, Vec::new()));
            all.len() - 1
        });
        let Some((said, pipelines)) = all.get_mut(at).filter(|(said, _)| !said.is_empty()) else { return };
        notes.is_told_elsewhere |= !said.is_empty();
        if pipelines.last().is_none_or(|last| last != pipeline) {
            pipelines.push(pipeline.to_owned());
        }
    }

    /// Says it.
    pub(super) fn tell(self, notes: &mut Notes) {
        for (said, pipelines) in self.all {
            let named = pipelines.iter().take(PIPELINES_MAX).map(|pipeline| format!("`{pipeline}`")).collect::<Vec<_>>().join(", ");
            let named = match pipelines.len().saturating_sub(PIPELINES_MAX) {
                0 => named,
                more => format!("{named} and {more} more"),
            };
            let with_names = |says: String| match says.rsplit_once(&format!("`{PIPELINES}`")) {
                Some((before, behind)) => format!("{before}{named}{behind}"),
                None => says,
            };
            let Notes { findings, unjudged, notes: remarks, .. } = said;
            for (mark, found) in findings.all {
                notes.findings.add((mark, Found { says: with_names(found.says), ..found }));
            }
            for (mark, remark) in unjudged.all {
                notes.unjudged.add((mark, Remark { says: with_names(remark.says), ..remark }));
            }
            for (mark, remark) in remarks.all {
                notes.notes.add((mark, Remark { says: with_names(remark.says), ..remark }));
            }
        }
    }
}

fn actions(processor: &Component<'_>, list: &str, pipeline: &str, receiving: &Receiving, notes: &mut Notes) {
    let told: HashSet<Mark> = processor.variables().into_iter().map(|(_, mark)| mark).collect();
    for item in items(processor.node(&[list])) {
        let node = |key: &str| below(item, key);
        let text = |key: &str| match node(key).map(said) {
            Some(Said::Is(text, _)) => Some(text),
            _ => None,
        };
        let unknown = ["action", "key", "pattern"].iter().filter_map(|key| node(key)).find(|node| matches!(said(node), Said::Unknown(_)));
        if let Some(node) = unknown {
            // One that stands alone was told with all the others.
            if !told.contains(&node.mark) {
                let says =
                    format!("what the variable in an action stands for (`{pipeline}`) is not known here, so neither is what it changes");
                notes.unjudged(node.mark, &processor.id, says);
            }
            continue;
        }
        let action = text("action").unwrap_or_default().to_lowercase();
        let (key, pattern) = (text("key"), text("pattern").filter(|_| action != "extract"));
        let is_dropped = match (&key, &pattern) {
            (Some(key), None) => worth(key, receiving) == Worth::Dropped,
            (None, Some(pattern)) => drops_all(pattern, receiving),
            _ => false,
        };
        let is_read = key.as_deref().is_none_or(|key| worth(key, receiving) != Worth::Unread);
        let key = key.or(pattern).unwrap_or_default();
        match action.as_str() {
            "insert" if is_statement(&key) => notes.note(item.mark, &processor.id, added(&key, pipeline)),
            "insert" => {}
            // It writes to other keys.
            "extract" => changed(processor, item.mark, &action, &key, pipeline, notes),
            _ if is_dropped => {}
            "upsert" | "update" if !is_read => {
                let says = format!("whether `{action}` of `{key}` writes over what was evidence (`{pipeline}`) is not known here");
                notes.unjudged(item.mark, &processor.id, says);
            }
            _ => changed(processor, item.mark, &action, &key, pipeline, notes),
        }
    }
}

fn changed(processor: &Component<'_>, mark: Mark, action: &str, key: &str, pipeline: &str, notes: &mut Notes) {
    let says = format!("`{action}` of `{key}` changes what the application sent (`{pipeline}`)");
    let leaving = "`insert` changes nothing that is there, and adds what the application does not say";
    // Who takes something away has no use for another that adds it.
    let instead = if matches!(action, "upsert" | "update") { not_over(key, leaving) } else { APART.to_owned() };
    notes.found(Kind::EvidenceCut, mark, &processor.id, says, instead);
}

fn statements(processor: &Component<'_>, list: &str, receiving: &Receiving, notes: &mut Notes) {
    let on = On { processor, pipeline: PIPELINES, receiving };
    for item in items(processor.node(&[list])) {
        match &item.value {
            Value::Map(_) => on.group(item, notes),
            _ => on.statement(item, &Under::default(), notes),
        }
    }
}

/// Where it is said, or would be, that one condition or statement that fails takes the request with it, and in which Collectors. What a group says
/// of itself counts before what the processor says.
///
/// Where nothing is said it does so before contrib 0.153, and not from then on. Which Collector reads a file does not stand in it, and those of
/// either kind are in use: so it is a mistake that says whose, and the line that mends it means the same in both.
pub(super) fn fails_whole_requests(processor: &Component<'_>, list: &str, what: &str) -> Option<(Mark, String)> {
    let fails = |mode: Said| match mode {
        // A variable was told as such.
        Said::Nothing | Said::Unknown(_) => None,
        Said::Is(mode, place) => {
            let is_tolerant = matches!(mode.to_lowercase().as_str(), "ignore" | "silent");
            (!is_tolerant).then(|| (place, format!("refuses a whole request where one {what} fails")))
        }
    };
    let is_written = |mode: &&Node| says_something(mode);
    let own = match processor.node(&["error_mode"]).filter(is_written) {
        Some(mode) => fails(said(mode)),
        None => Some((
            processor.place(&["error_mode"]),
            format!(
                "in a Collector before contrib 0.153, where no `error_mode` is written, refuses a whole request where one {what} fails"
            ),
        )),
    };
    match items(processor.node(&[list])) {
        [] => own,
        groups => groups.iter().find_map(|group| match below(group, "error_mode").filter(is_written) {
            Some(mode) => fails(said(mode)),
            None => own.clone(),
        }),
    }
}

/// What a function does to what it writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// Writes over it, unless its condition says otherwise.
    Sets,
    /// Adds the members that it does not have.
    Inserts,
    /// Writes over it, or into it.
    Overwrites,
    /// Gives a span another name.
    Renames,
    /// Takes away or changes something of it.
    Cuts,
    /// Not known here.
    Unknown,
}

impl Does {
    fn of(statement: &Statement) -> Does {
        match statement.function.as_str() {
            "set" => Does::Sets,
            "append" => Does::Overwrites,
            "merge_maps" => match statement.string("strategy").as_deref() {
                Some("insert") => Does::Inserts,
                Some("update" | "upsert") => Does::Overwrites,
                Some(_) | None => Does::Unknown,
            },
            "set_semconv_span_name" => Does::Renames,
            cuts if CUTTING.contains(&cuts) || cuts.starts_with("replace_") => Does::Cuts,
            _ => Does::Unknown,
        }
    }
}

/// A transform processor on pipelines.
struct On<'a, 'n> {
    processor: &'a Component<'n>,
    pipeline: &'a str,
    receiving: &'a Receiving,
}

/// What the conditions of a group say of all its statements.
#[derive(Default)]
struct Under {
    absent: Absent,
    is_conditional: bool,
}

impl On<'_, '_> {
    /// Statements under conditions.
    fn group(&self, group: &Node, notes: &mut Notes) {
        let mut conditions = Vec::new();
        for item in items(below(group, "conditions")) {
            match (said(item), &item.value) {
                (Said::Is(text, _), _) => conditions.push(Condition::read(&text)),
                (Said::Unknown(mark), Value::Scalar(_)) => {
                    let says = format!(
                        "what the variable in a condition stands for (`{}`) is not known here, so neither is what is done under it",
                        self.pipeline
                    );
                    return notes.unjudged(mark, &self.processor.id, says);
                }
                (Said::Nothing | Said::Unknown(_), _) => {}
            }
        }
        let under = Under { absent: Absent::of_group(&conditions), is_conditional: !conditions.is_empty() };
        for statement in items(below(group, "statements")) {
            self.statement(statement, &under, notes);
        }
    }

    fn statement(&self, item: &Node, under: &Under, notes: &mut Notes) {
        let (id, pipeline) = (&self.processor.id, self.pipeline);
        let (text, mark) = match (said(item), &item.value) {
            (Said::Is(text, mark), _) => (text, mark),
            (Said::Unknown(mark), Value::Scalar(_)) => {
                return notes.unjudged(mark, id, format!("what the variable in a statement stands for (`{pipeline}`) is not known here"));
            }
            // The Collector refuses it.
            (Said::Nothing | Said::Unknown(_), _) => return,
        };
        // Our own mark comes and goes.
        if is_our_mark(&text) {
            return;
        }
        let Some(statement) = Statement::read(&text) else {
            return notes.unjudged(mark, id, format!("what this statement does (`{pipeline}`) is not understood here"));
        };
        let (does, target) = (Does::of(&statement), statement.target());
        if does == Does::Unknown {
            return self.unknown(&statement, mark, notes);
        }
        if !self.may_be_evidence(&target) || (target == Target::Attributes && self.takes_only_withheld(&statement)) {
            return;
        }
        match does {
            Does::Sets if statement.sets_nil() => {
                let path = statement.path();
                let says = format!(
                    "`set({path}, nil)` (`{pipeline}`) changes nothing up to contrib 0.160, and from 0.161 on it takes away what is there: which \
                     Collector reads this is not known here"
                );
                notes.unjudged(mark, id, says);
            }
            Does::Sets if statement.leaves_what_is_there(&under.absent) => self.adds(&statement, &target, mark, notes),
            Does::Inserts => self.adds(&statement, &target, mark, notes),
            Does::Sets | Does::Overwrites => self.writes(&statement, &target, under.is_conditional, mark, notes),
            Does::Renames => notes.found(Kind::EvidenceCut, mark, id, format!("gives spans other names (`{pipeline}`)"), APART),
            Does::Cuts => {
                let says = format!("`{}` takes away or changes what the application sent (`{pipeline}`)", statement.function);
                notes.found(Kind::EvidenceCut, mark, id, says, APART);
            }
            Does::Unknown => {}
        }
    }

    /// Whether evidence may stand where a statement writes to.
    fn may_be_evidence(&self, target: &Target) -> bool {
        match target {
            Target::Cache => false,
            Target::Attribute(key) | Target::Within(key) => !self.is_withheld(key),
            Target::Attributes | Target::Field | Target::Body | Target::WithinBody | Target::Other => true,
        }
    }

    /// Whether what a statement takes from attributes is what spanseal never stores anyway. Members of a body, or of an attribute, it does.
    fn takes_only_withheld(&self, statement: &Statement) -> bool {
        let keys = match statement.function.as_str() {
            "delete_key" => statement.string("key").map(|key| vec![key]),
            "delete_keys" => statement.strings("keys"),
            "delete_matching_keys" => return statement.string("pattern").is_some_and(|keys| drops_all(&keys, self.receiving)),
            _ => None,
        };
        keys.is_some_and(|keys| keys.iter().all(|key| self.is_withheld(key)))
    }

    fn is_withheld(&self, key: &str) -> bool {
        worth(key, self.receiving) == Worth::Dropped
    }

    /// Something that leaves alone what is there.
    fn adds(&self, statement: &Statement, target: &Target, mark: Mark, notes: &mut Notes) {
        let (id, pipeline, path, function) = (&self.processor.id, self.pipeline, statement.path(), &statement.function);
        let into = match (target, function.as_str()) {
            (Target::Attribute(key), "set") if is_statement(key) => return notes.note(mark, id, added(key, pipeline)),
            (Target::Attribute(_), "set") => return,
            // What a field says is a claim of its own, and what a map has is not known.
            (Target::Field | Target::Body, "set") | (Target::Attributes, _) => return notes.note(mark, id, added(&path, pipeline)),
            // What is put into something that the application sent changes that, whether it had such a member or not.
            (Target::Within(key), "set") if worth(key, self.receiving) == Worth::Evidence => true,
            (Target::WithinBody, "set") => true,
            (Target::Attribute(key) | Target::Within(key), _) if worth(key, self.receiving) == Worth::Evidence => false,
            (Target::Body | Target::WithinBody | Target::Field, _) => false,
            (Target::Other, "set") | (Target::Cache, _) => return,
            (Target::Attribute(_) | Target::Within(_) | Target::Other, _) => return self.unknown(statement, mark, notes),
        };
        let says = match into {
            true => format!("`{function}` puts `{path}` into what the application sent (`{pipeline}`), which had no such member"),
            false => format!("`{function}` puts more into `{path}` than the application sent (`{pipeline}`)"),
        };
        notes.found(Kind::EvidenceCut, mark, id, says, APART);
    }

    /// Something that writes over what is there.
    fn writes(&self, statement: &Statement, target: &Target, is_grouped: bool, mark: Mark, notes: &mut Notes) {
        let (id, pipeline, path, function) = (&self.processor.id, self.pipeline, statement.path(), &statement.function);
        let (where_it_does, all) = match is_grouped || statement.is_conditional() {
            true => (" where its condition holds", ""),
            false => ("", " of everything"),
        };
        let (says, instead) = match target {
            Target::Attribute(key) if worth(key, self.receiving) == Worth::Evidence => {
                let leaving =
                    format!("`where {path} == nil` behind it changes nothing that is there, and adds what the application does not say");
                (
                    format!("`{function}` writes over `{key}`{where_it_does}, whatever the application said (`{pipeline}`)"),
                    not_over(key, &leaving),
                )
            }
            Target::Within(key) if worth(key, self.receiving) == Worth::Evidence => {
                let says = format!("`{function}` writes over `{path}`{where_it_does}, whatever the application said (`{pipeline}`)");
                (says, APART.to_owned())
            }
            Target::Field | Target::Body | Target::WithinBody | Target::Attributes => {
                let says = format!("`{function}` writes over `{path}`{where_it_does}{all}, whatever the application said (`{pipeline}`)");
                (says, APART.to_owned())
            }
            Target::Attribute(_) | Target::Within(_) | Target::Cache | Target::Other => return self.unknown(statement, mark, notes),
        };
        notes.found(Kind::EvidenceCut, mark, id, says, instead);
    }

    fn unknown(&self, statement: &Statement, mark: Mark, notes: &mut Notes) {
        let (function, path, pipeline) = (&statement.function, statement.path(), self.pipeline);
        let says = format!("whether `{function}({path})` writes over what was evidence (`{pipeline}`) is not known here");
        notes.unjudged(mark, &self.processor.id, says);
    }
}

/// The mark by which the filter knows what passes is none of the application's words.
pub(super) fn mark_is_taken_off(file: &File<'_>, pipeline: &Pipeline, processor: &Component<'_>, behind: &[Reference], notes: &mut Notes) {
    let of = |processor: &Component<'_>, function: &str| {
        let texts = if processor.kind() == "transform" { processor.texts(&[statement_list(pipeline)]) } else { Vec::new() };
        texts.into_iter().find(|(text, _)| is_our_mark(text) && text.trim_start().starts_with(function))
    };
    let Some((_, mark)) = of(processor, "set(") else { return };
    if !behind.iter().filter_map(|reference| file.processor(reference)).any(|processor| of(processor, "delete_").is_some()) {
        let says = format!("nothing behind it takes the mark `{MARK}` off again (`{}`), so it becomes part of the evidence", pipeline.id);
        notes.found(
            Kind::MarkLeft,
            mark,
            &processor.id,
            says,
            format!("`{UNMARKING}` behind the filter, as `spanseal collector filter` prints it"),
        );
    }
}

/// Whether a statement does nothing but set the mark, or take it off without a condition.
fn is_our_mark(statement: &str) -> bool {
    let statement = flat(statement);
    ["", "span.", "log."].iter().any(|of| {
        let set = format!("set({of}attributes[\"{MARK}\"], true)");
        let rest = statement.strip_prefix(&set);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" where "))
            || statement == format!("delete_key({of}attributes, \"{MARK}\")")
    })
}

/// Where a transform processor keeps what it does on such a pipeline.
pub(super) fn statement_list(pipeline: &Pipeline) -> &'static str {
    if pipeline.signal() == "logs" { "log_statements" } else { "trace_statements" }
}

#[cfg(test)]
mod tests {
    use super::super::Report;
    use super::super::tests::{checked_with, listening};

    const TEXT: &str = r#"
receivers:
  otlp: {protocols: {grpc: {max_recv_msg_size_mib: 14}}}
extensions:
  file_storage: {directory: /var/lib/otelcol, fsync: true}
processors:
PROCESSOR
exporters:
  SPANSEAL
service:
  extensions: [file_storage]
  pipelines:
    traces: {receivers: [otlp], processors: [change], exporters: [otlp_grpc/spanseal]}
    logs: {receivers: [otlp], processors: [change], exporters: [otlp_grpc/spanseal]}
"#;

    fn with(processor: &str) -> Report {
        let text = TEXT.replace("change", processor.trim().split(':').next().unwrap()).replace("PROCESSOR", processor);
        checked_with(&text, &listening(14317, 14318))
    }

    /// What a processor gets said of it: `found`, `unjudged`, `noted`, each once, or nothing.
    fn word_for(report: &Report) -> String {
        let is_its = |component: &str| ["transform", "attributes", "resource"].contains(&component);
        let found = report.findings.iter().any(|found| is_its(&found.component)).then_some("found");
        let unjudged = report.unjudged.iter().any(|remark| is_its(&remark.component)).then_some("unjudged");
        let noted = report.notes.iter().any(|remark| is_its(&remark.component)).then_some("noted");
        [found, unjudged, noted].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn quoted(text: &str) -> String {
        format!("'{}'", text.replace('\'', "''"))
    }

    fn statement(statement: &str) -> Report {
        let list = if statement.contains("log.") { "log_statements" } else { "trace_statements" };
        with(&format!("  transform:\n    error_mode: ignore\n    {list}:\n      - {}\n", quoted(statement)))
    }

    fn all_are(rows: &[(&str, &str)]) {
        let mut wrong = Vec::new();
        for (text, expected) in rows {
            let report = statement(text);
            if word_for(&report) != *expected {
                wrong.push(format!("{text}: {:?}", word_for(&report)));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Scenario: `set` with all sorts of conditions. Guarantee: it is a mistake unless it runs only where the very same path is nil.
    #[test]
    fn only_the_same_path_that_is_nil_leaves_what_is_there() {
        const SET: &str = r#"set(span.attributes["gen_ai.input.messages"], "[redacted]")"#;
        const PATH: &str = r#"span.attributes["gen_ai.input.messages"]"#;
        for (condition, expected) in [
            (String::new(), "found"),
            (format!(" where {PATH} != nil"), "found"),
            (format!(" where not ({PATH} == nil)"), "found"),
            (r#" where span.attributes["gen_ai.output.messages"] == nil"#.to_owned(), "found"),
            (r#" where attributes["gen_ai.input.messages"] == nil"#.to_owned(), "found"),
            (r#" where resource.attributes["gen_ai.input.messages"] == nil"#.to_owned(), "found"),
            (format!(" where {PATH} == nil or span.kind == 3"), "found"),
            (format!(" where {PATH} == nil or span.kind == 3 and {PATH} == nil"), ""),
            (r#" where span.name == " where x == nil""#.to_owned(), "found"),
            (format!(" where span.name == \"{}\"", " and span.attributes == nil"), "found"),
            (format!(" where {PATH}==nil"), ""),
            (format!(" where nil == {PATH}"), ""),
            (format!(" where ({PATH} == nil)"), ""),
            (format!(" where span.kind == 3 and ({PATH} == nil and IsMatch(span.name, \"a or b\"))"), ""),
            (format!(" where (span.kind == 3 or span.kind == 2)    and {PATH}  ==   nil"), ""),
            (format!(" where not ({PATH} != nil)"), ""),
            (format!(" where not {PATH} != nil"), ""),
            (format!(" where not {PATH} == nil"), "found"),
            (format!(" where not ({PATH} != nil and span.kind == 3)"), "found"),
            (format!(" where not ({PATH} != nil or span.kind == 3)"), ""),
            (format!(" where not (not ({PATH} == nil))"), ""),
            (format!(" where nil == ({PATH})"), ""),
            (format!(" where (({PATH})) == nil"), ""),
            (format!(" where {PATH} == \"\""), "found"),
        ] {
            assert_eq!(word_for(&statement(&format!("{SET}{condition}"))), expected, "{condition}");
        }
        assert_eq!(word_for(&statement(&format!("set({PATH}, SHA256({PATH})) where {PATH} != nil"))), "found");
        // What a group asks first is asked of each statement; of several conditions one is enough for it to run.
        let group = |conditions: &str| {
            let group = format!("      - conditions: {conditions}\n        statements: [{}]\n", quoted(SET));
            word_for(&with(&format!("  transform:\n    error_mode: ignore\n    trace_statements:\n{group}")))
        };
        let (is_nil, is_there, other) =
            (quoted(&format!("{PATH} == nil")), quoted(&format!("{PATH} != nil")), quoted("IsMatch(span.name, \"x\")"));
        assert_eq!(group(&format!("[{is_nil}]")), "");
        assert_eq!(group(&format!("[{is_there}]")), "found");
        assert_eq!(group(&format!("[{is_nil}, {other}]")), "found");
        assert_eq!(group("[]"), "found");
        assert_eq!(group("['${env:CONDITION}']"), "unjudged");
    }

    /// Scenario: a Collector adds what the application did not say: an outcome, a review, a score. Guarantee: it is noted that the record has it as
    /// the application's word, and no advice leads there.
    #[test]
    fn what_is_added_counts_as_the_applications_word() {
        all_are(&[
            (
                r#"set(span.attributes["ai_audit.decision.outcome"], "approved") where span.attributes["ai_audit.decision.outcome"] == nil"#,
                "noted",
            ),
            (r#"set(span.attributes["ai.audit.review.outcome"], "ok") where span.attributes["ai.audit.review.outcome"] == nil"#, "noted"),
            (
                r#"set(span.attributes["gen_ai.evaluation.score.value"], 1) where span.attributes["gen_ai.evaluation.score.value"] == nil"#,
                "noted",
            ),
            (r#"set(span.attributes["gen_ai.request.model"], "m") where span.attributes["gen_ai.request.model"] == nil"#, ""),
            (r#"set(log.event_name, "gen_ai.x") where log.event_name == """#, "noted"),
            (r#"merge_maps(span.attributes, span.cache, "insert")"#, "noted"),
            (r#"merge_maps(log.attributes, ParseJSON(log.body), "insert") where IsString(log.body)"#, "noted"),
        ]);
        let advice = |key: &str| {
            let report = statement(&format!("set(span.attributes[\"{key}\"], \"x\")"));
            report.findings.iter().find(|found| found.component == "transform").unwrap().instead.clone()
        };
        assert!(advice("gen_ai.request.model").contains("`where span.attributes[\"gen_ai.request.model\"] == nil`"));
        assert!(!advice("ai_audit.decision.outcome").contains("== nil`"), "{}", advice("ai_audit.decision.outcome"));
        let noted = |key: &str| word_for(&with(&format!("  attributes: {{actions: [{{key: {key}, value: x, action: insert}}]}}\n")));
        assert_eq!(noted("ai_audit.decision.outcome"), "noted");
        assert_eq!(noted("gen_ai.evaluation.score.value"), "noted");
        assert_eq!(noted("gen_ai.request.model"), "");
        let upsert = with("  attributes: {actions: [{key: ai_audit.review.outcome, value: x, action: upsert}]}\n");
        let instead = &upsert.findings.iter().find(|found| found.component == "attributes").unwrap().instead;
        assert!(!instead.contains("changes nothing") && !instead.contains("`insert` alone"), "{instead}");
    }

    /// Whatever a dialect reads is evidence; what spanseal never stores is none, and of what nobody reads it is not known.
    #[test]
    fn a_key_is_what_the_tables_say_of_it() {
        for (key, expected) in [
            ("gen_ai.input.messages", "found"),
            ("input.value", "found"),
            ("output.value", "found"),
            ("llm.input_messages.0.message.content", "found"),
            ("traceloop.entity.input", "found"),
            ("traceloop.nobody.knows", "found"),
            ("mlflow.spanInputs", "found"),
            ("crewai.crew.key", "found"),
            ("pydantic_ai.all_messages", "found"),
            ("gcp.vertex.agent.llm_request", "found"),
            ("langsmith.span.kind", "found"),
            ("metadata.ai_audit.decision.outcome", "found"),
            ("user.id", "found"),
            ("event.name", "found"),
            ("service.name", "found"),
            ("deployment.environment.name", "found"),
            ("http.client_ip", ""),
            ("user_agent.original", ""),
            ("http.request.header.authorization", ""),
            ("k8s.cluster.name", "unjudged"),
            ("team", "unjudged"),
            // A word that one dialect alone means something by.
            ("final_result", "unjudged"),
        ] {
            let set = statement(&format!("set(span.attributes[\"{key}\"], \"x\") where span.kind == 3"));
            assert_eq!(word_for(&set), expected, "{key}");
            for (processor, list) in [("resource", "attributes"), ("attributes", "actions")] {
                for action in ["upsert", "update"] {
                    let other = with(&format!("  {processor}: {{{list}: [{{key: {key}, value: x, action: {action}}}]}}\n"));
                    assert_eq!(word_for(&other), expected, "{processor} {action} {key}");
                }
            }
        }
        // Taken away is what was said, read or not, unless spanseal takes it away itself.
        for (key, expected) in [("team", "found"), ("gen_ai.request.model", "found"), ("http.client_ip", ""), ("host.name", "")] {
            assert_eq!(word_for(&with(&format!("  attributes: {{actions: [{{key: {key}, action: delete}}]}}\n"))), expected, "{key}");
            assert_eq!(word_for(&with(&format!("  resource: {{attributes: [{{key: {key}, action: hash}}]}}\n"))), expected, "{key}");
            assert_eq!(word_for(&statement(&format!("delete_key(span.attributes, \"{key}\")"))), expected, "{key}");
            assert_eq!(word_for(&statement(&format!("delete_keys(span.attributes, [\"client.port\", \"{key}\"])"))), expected, "{key}");
        }
        all_are(&[
            (r#"delete_matching_keys(span.attributes, "^http\\.request\\.header\\..*")"#, ""),
            (r#"delete_matching_keys(span.attributes, "^http\\.request\\.header\\.x|gen_ai")"#, "found"),
            (r#"delete_matching_keys(span.attributes, "http\\.request\\.header\\.")"#, "found"),
            (r#"delete_matching_keys(span.attributes, "^http\\.request\\.")"#, "found"),
            (r#"delete_matching_keys(span.attributes, "^cookies?.*")"#, ""),
            (r#"replace_pattern(span.attributes["http.client_ip"], "[0-9]+$", "0")"#, ""),
            (r#"replace_pattern(span.attributes["team"], "a", "b")"#, "found"),
        ]);
        let pattern = |pattern: &str| word_for(&with(&format!("  attributes: {{actions: [{{pattern: '{pattern}', action: delete}}]}}\n")));
        assert_eq!((pattern("^http\\.request\\.header\\."), pattern("header")), (String::new(), "found".to_owned()));
        // A key that a rule of this spanseal asks for is read, whatever the tables say of it.
        let mut receiving = listening(14317, 14318);
        receiving.reads.insert("http.client_ip".to_owned());
        let text = "  transform: {error_mode: ignore, trace_statements: ['delete_key(span.attributes, \"http.client_ip\")']}\n";
        let read = checked_with(&TEXT.replace("change", "transform").replace("PROCESSOR", text), &receiving);
        assert_eq!(word_for(&read), "found");
        receiving.reads.insert("http.request.header.x-case".to_owned());
        let text = "  attributes: {actions: [{pattern: '^http\\.request\\.header\\.', action: delete}]}\n";
        let read = checked_with(&TEXT.replace("change", "attributes").replace("PROCESSOR", text), &receiving);
        assert_eq!(word_for(&read), "found");
    }

    /// Scenario: statements that write to something else than one attribute. Guarantee: what overwrites evidence of some spans is found, as for
    /// attributes.
    #[test]
    fn other_paths_and_whole_maps_are_judged_alike() {
        all_are(&[
            (r#"set(span.name, "x")"#, "found"),
            (r#"set(span.name, "x") where true"#, "found"),
            (r#"set(span.name, "x") where span.kind == 3"#, "found"),
            (r#"set(name, "x") where kind == 3"#, "found"),
            ("set(span.status.code, 1) where span.status.code == 2", "found"),
            (r#"set(span.status.message, "") where IsMatch(span.status.message, "x")"#, "found"),
            ("set(span.trace_id, TraceID(0x01020304050607080910111213141516)) where true", "found"),
            ("set(span.start_time, span.end_time) where true", "found"),
            ("set(span.end_time_unix_nano, 0) where true", "found"),
            ("set(span.kind, 1) where span.kind == 0", "found"),
            (r#"set(log.body, "x") where true"#, "found"),
            (r#"set(log.body.string, "x") where true"#, "found"),
            (r#"set(log.body["a"], "x") where true"#, "found"),
            (r#"set(log.event_name, "x") where true"#, "found"),
            (r#"set(log.observed_time, Now()) where true"#, "found"),
            (r#"set(scope.name, "x") where true"#, "found"),
            (r#"set(instrumentation_scope.name, "x") where true"#, "found"),
            (r#"set(log.body, "x") where log.body == nil"#, "noted"),
            (r#"set(span.name, "x") where span.name == """#, "noted"),
            (r#"set(log.severity_text, "x")"#, "unjudged"),
            (r#"set(span.attributes, span.cache["a"])"#, "found"),
            (r#"set(resource.attributes, span.attributes) where true"#, "found"),
            (r#"set(span.attributes[Concat(["gen_ai", "x"], ".")], "hush")"#, "unjudged"),
            (r#"merge_maps(span.attributes, span.cache, "upsert")"#, "found"),
            (r#"merge_maps(span.attributes, span.cache, "update") where true"#, "found"),
            (r#"merge_maps(span.attributes, span.cache, strategy="upsert")"#, "found"),
            (r#"merge_maps(span.cache, span.attributes, "upsert")"#, ""),
            (r#"merge_maps(log.body, log.cache, "upsert")"#, "found"),
            (r#"merge_maps(span.attributes["team"], span.cache, "upsert")"#, "unjudged"),
            ("flatten(span.attributes)", "found"),
            ("flatten(span.cache)", ""),
            (r#"append(span.attributes["gen_ai.request.stop_sequences"], "x")"#, "found"),
            (r#"append(span.attributes["team"], "x")"#, "unjudged"),
            ("set_semconv_span_name(\"1.37.0\")", "found"),
            (r#"delete_matching_keys(span.attributes, "x") where true"#, "found"),
            (r#"keep_keys(span.attributes, ["a"])"#, "found"),
            (r#"keep_matching_keys(span.attributes, "a")"#, "found"),
            (r#"keep_keys(span.cache["copy"], ["a"])"#, ""),
            ("limit(span.attributes, 100, [])", "found"),
            ("truncate_all(span.attributes, 4096)", "found"),
            (r#"replace_all_patterns(span.attributes, "value", "[0-9]", "x")"#, "found"),
            (r#"replace_all_matches(resource.attributes, "a*", "x")"#, "found"),
            (r#"replace_pattern(span.name, "[0-9]", "x") where true"#, "found"),
            (r#"delete_index(span.attributes["gen_ai.x"], 0)"#, "found"),
            ("mystery(span.attributes)", "unjudged"),
            ("set(span.attributes", "unjudged"),
        ]);
        let told = statement(r#"set(span.attributes[Concat(["gen_ai", "x"], ".")], "hush")"#);
        assert!(!format!("{told:?}").contains("hush"), "{told:?}");
    }

    /// Scenario: what a function is given comes by name, in another order than that of the language. Guarantee: it is judged as if it came in its
    /// order, and names that are not understood are told.
    #[test]
    fn named_arguments_come_in_any_order() {
        all_are(&[
            (r#"set(value=span.cache["x"], target=span.attributes["gen_ai.prompt"])"#, "found"),
            (r#"set(value=span.attributes["http.client_ip"], target=span.attributes["gen_ai.input.messages"])"#, "found"),
            (r#"set(value=span.attributes["http.client_ip"], target=span.name)"#, "found"),
            (r#"set(value=span.name, target=span.cache["x"])"#, ""),
            (r#"set(value="x", target = span.name) where span.name == nil"#, "noted"),
            (r#"merge_maps(source=span.cache, target=span.attributes, strategy="upsert")"#, "found"),
            (r#"merge_maps(strategy="insert", source=span.cache, target=span.attributes)"#, "noted"),
            (r#"merge_maps(span.attributes, strategy="insert", source=span.cache)"#, "noted"),
            (r#"merge_maps(source=span.attributes, target=span.cache, strategy="upsert")"#, ""),
            (r#"delete_key(key="client.port", target=span.attributes)"#, ""),
            (r#"delete_key(key="gen_ai.prompt", target=span.attributes)"#, "found"),
            (r#"delete_matching_keys(pattern="^http\\.request\\.header\\..*", target=span.attributes)"#, ""),
            (r#"keep_keys(keys=["a"], target=span.attributes)"#, "found"),
            ("limit(priority_keys=[], limit=10, target=span.attributes)", "found"),
            ("limit(priorityKeys=[], limit=10, target=span.cache)", ""),
            (r#"replace_pattern(regex_pattern="a", replacement="b", target=span.name)"#, "found"),
            (r#"append(values=["x"], target=span.attributes["gen_ai.request.stop_sequences"])"#, "found"),
            // What the Collector refuses, or what nobody knows the meaning of.
            (r#"set(span.cache["x"], target=span.name)"#, "unjudged"),
            (r#"set(value="x", span.cache["x"])"#, "unjudged"),
            (r#"set(worth="x", target=span.cache["x"])"#, "unjudged"),
            (r#"set(target=span.cache["x"], target=span.name)"#, "unjudged"),
            (r#"set(span.cache["x"], "x", "y")"#, "unjudged"),
            ("mystery(source=span.cache, target=span.name)", "unjudged"),
            ("mystery(span.cache)", "unjudged"),
        ]);
    }

    /// What is withheld is an attribute of such a name: a member of the body, or of another attribute, is kept.
    #[test]
    fn a_member_of_content_is_none_that_is_withheld() {
        all_are(&[
            (r#"delete_key(log.attributes, "client.port")"#, ""),
            (r#"delete_key(log.body, "client.port")"#, "found"),
            (r#"delete_key(log.body, "client.port") where IsMap(log.body)"#, "found"),
            (r#"delete_keys(log.body, ["client.port"])"#, "found"),
            (r#"delete_key(log.body["request"], "client.port")"#, "found"),
            (r#"delete_matching_keys(log.body, "^http\\.request\\.header\\..*")"#, "found"),
            (r#"delete_key(span.attributes["gen_ai.input.messages"], "client.port")"#, "found"),
            (r#"delete_key(log.cache["copy"], "x")"#, ""),
        ]);
    }

    /// Scenario: statements that run only where the member is not there that they write, or where a log has no body or trace. Guarantee: what is
    /// written into something that the application sent changes it; what is added to a record is noted as its word.
    #[test]
    fn what_is_put_into_content_changes_it() {
        all_are(&[
            (r#"set(log.body["decision"], "approved") where log.body["decision"] == nil"#, "found"),
            (r#"set(log.body["reviewed"], true) where log.body == nil or log.body["reviewed"] == nil"#, "found"),
            (
                r#"set(log.attributes["gen_ai.output.messages"]["by"], "x") where log.attributes["gen_ai.output.messages"]["by"] == nil"#,
                "found",
            ),
            (r#"set(span.attributes["gen_ai.output.messages"][0]["by"], "x")"#, "found"),
            (r#"set(span.attributes["client.port"]["by"], "x")"#, ""),
            (r#"set(span.attributes["team"]["by"], "x") where span.attributes["team"]["by"] == nil"#, "unjudged"),
            (r#"merge_maps(log.body, log.cache, "insert")"#, "found"),
            (r#"merge_maps(span.attributes["gen_ai.output.messages"], span.cache, "insert")"#, "found"),
            (r#"set(log.body, "user approved") where log.body == nil"#, "noted"),
            (r#"set(log.body, "user approved") where log.body == """#, "noted"),
            (r#"set(log.body.string, "user approved") where log.body.string == """#, "noted"),
            ("set(log.trace_id, TraceID(0x0102030405060708090a0b0c0d0e0f10)) where log.trace_id == nil", "noted"),
            ("set(log.span_id, SpanID(0x0102030405060708)) where log.span_id == nil", "noted"),
            (r#"set(log.event_name, "gen_ai.choice") where log.event_name == nil"#, "noted"),
        ]);
        let into = statement(r#"set(log.body["decision"], "approved") where log.body["decision"] == nil"#);
        let found = into.findings.iter().find(|found| found.component == "transform").unwrap();
        assert!(found.says.starts_with("`set` puts `log.body[\"decision\"]` into what the application sent"), "{found:?}");
        assert!(!found.instead.contains("== nil`"), "{found:?}");
    }

    /// Scenario: what becomes of a request in which a statement fails, said, or left to Collectors that differ in it. Guarantee: a mistake says
    /// whose Collectors it is one of, and what is a variable is not accused.
    #[test]
    fn whose_collector_refuses_is_said() {
        let told = |mode: &str, group: &str| {
            let group = format!("[{{{group}statements: ['set(span.cache[\"x\"], 1)']}}]");
            let report = with(&format!("  transform: {{{mode}trace_statements: {group}}}\n"));
            let says = report.findings.iter().find(|found| found.component == "transform").map(|found| found.says.clone());
            (word_for(&report), says.unwrap_or_default())
        };
        const BEFORE: &str = "in a Collector before contrib 0.153, where no `error_mode` is written, refuses a whole request";
        for (mode, group, expected, says) in [
            ("", "", "found", BEFORE),
            ("error_mode: '', ", "error_mode: '', ", "found", BEFORE),
            ("error_mode: propagate, ", "", "found", "refuses a whole request where one statement fails (`traces`)"),
            ("error_mode: ignore, ", "error_mode: propagate, ", "found", "refuses a whole request where one statement fails"),
            ("error_mode: ignore, ", "", "", ""),
            ("error_mode: Silent, ", "", "", ""),
            ("error_mode: propagate, ", "error_mode: ignore, ", "", ""),
            ("", "error_mode: ignore, ", "", ""),
            ("error_mode: '${env:MODE}', ", "", "unjudged", ""),
            ("error_mode: '${env:MODE:-ignore}', ", "", "", ""),
        ] {
            let (word, told) = told(mode, group);
            assert!(word == expected && told.starts_with(says), "{mode} {group}: {word} {told}");
        }
    }

    /// `set` with nothing changes nothing in a Collector of today, and may in one of tomorrow.
    #[test]
    fn to_set_nothing_is_not_accused() {
        all_are(&[
            ("set(span.name, nil)", "unjudged"),
            (r#"set(span.attributes["gen_ai.prompt"], nil) where span.kind == 3"#, "unjudged"),
            ("set(value=nil, target=span.name)", "unjudged"),
            (r#"set(span.cache["x"], nil)"#, ""),
            (r#"set(span.attributes["client.port"], nil)"#, ""),
            (r#"set(span.name, "nil")"#, "found"),
        ]);
    }

    /// `$$` is a dollar sign in every value, and a variable with a default stands for it.
    #[test]
    fn what_the_collector_replaces_is_replaced() {
        all_are(&[
            (r#"replace_pattern(span.attributes["gen_ai.prompt"], "a", "$${1}")"#, "found"),
            (r#"replace_pattern(span.attributes["gen_ai.prompt"], "a", "$$1")"#, "found"),
            (r#"replace_pattern(span.attributes["gen_ai.prompt"], "a", "$$${env:X}")"#, "unjudged"),
            (r#"set(span.attributes["${env:KEY:-gen_ai.prompt}"], "x")"#, "found"),
            (r#"set(span.attributes["${env:KEY}"], "x")"#, "unjudged"),
        ]);
        let group = |condition: &str| {
            let statement = r#"set(span.attributes["gen_ai.prompt"], "x")"#;
            let group = format!("      - conditions: [{}]\n        statements: [{}]\n", quoted(condition), quoted(statement));
            word_for(&with(&format!("  transform:\n    error_mode: ignore\n    trace_statements:\n{group}")))
        };
        assert_eq!(group(r#"IsMatch(span.name, "a$${1}")"#), "found");
        assert_eq!(group(r#"span.attributes["gen_ai.prompt"] == ${env:NIL:-nil}"#), "");
        assert_eq!(group(r#"span.attributes["gen_ai.prompt"] == ${env:NIL}"#), "unjudged");
    }

    /// Of an action that is not known nothing is found, and it is told.
    #[test]
    fn an_action_with_a_variable_is_told_and_not_accused() {
        let word = |action: &str| word_for(&with(&format!("  attributes: {{actions: [{{{action}}}]}}\n")));
        for (action, expected) in [
            (r#"key: "${env:KEY}", action: upsert, value: x"#, "unjudged"),
            (r#"key: "app.${env:KEY}", action: upsert, value: x"#, "unjudged"),
            (r#"key: user.id, action: "${env:ACT}", value: x"#, "unjudged"),
            (r#"pattern: "^${env:KEY}", action: delete"#, "unjudged"),
            (r#"key: team, action: "${env:ACT:-insert}", value: x"#, ""),
            (r#"key: "${env:KEY:-team}", action: delete"#, "found"),
            (r#"key: user.id, action: upsert, value: "${env:VALUE}""#, "found"),
        ] {
            assert_eq!(word(action), expected, "{action}");
        }
    }

    /// Scenario: many pipelines have the same processors. Guarantee: each statement and action is told once, with some of its pipelines and how many
    /// more.
    #[test]
    fn a_statement_that_many_pipelines_have_is_told_once() {
        let told = |count: usize| {
            let processors = "  transform: {error_mode: ignore, trace_statements: ['set(span.name, \"x\")', 'set(span.kind, 1)', 'x(span.name)']}\n  \
                              attributes: {actions: [{key: user.id, action: delete}, {key: ai_audit.review.outcome, value: x, action: insert}]}\n";
            let pipelines: String = (0..count)
                .map(|n| {
                    format!("    traces/{n}: {{receivers: [otlp], processors: [transform, attributes], exporters: [otlp_grpc/spanseal]}}\n")
                })
                .collect();
            let text = TEXT.replace("processors: [change], ", "").replace("PROCESSOR", processors.trim_end());
            let report = checked_with(&(text.trim_end().to_owned() + "\n" + &pipelines), &listening(14317, 14318));
            let is_its = |component: &str| ["transform", "attributes"].contains(&component);
            let findings: Vec<String> = report.findings.into_iter().filter(|f| is_its(&f.component)).map(|f| f.says).collect();
            let unjudged: Vec<String> = report.unjudged.into_iter().filter(|r| is_its(&r.component)).map(|r| r.says).collect();
            let notes: Vec<String> = report.notes.into_iter().filter(|r| is_its(&r.component)).map(|r| r.says).collect();
            (findings, unjudged, notes)
        };
        for (count, named) in [
            (1, "(`traces/0`)"),
            (4, "(`traces/0`, `traces/1`, `traces/2`, `traces/3`)"),
            (5, "(`traces/0`, `traces/1`, `traces/2`, `traces/3` and 1 more)"),
            (100, "(`traces/0`, `traces/1`, `traces/2`, `traces/3` and 96 more)"),
        ] {
            let (findings, unjudged, notes) = told(count);
            assert_eq!((findings.len(), unjudged.len(), notes.len()), (3, 1, 1), "{findings:?} {unjudged:?} {notes:?}");
            assert!(findings.iter().chain(&unjudged).chain(&notes).all(|says| says.contains(named)), "{findings:?} {unjudged:?} {notes:?}");
        }
    }

    /// The advice is a way out of the action that it is given for.
    #[test]
    fn insert_is_advised_where_it_is_a_way_out() {
        let advice = |action: &str| {
            let report = with(&format!("  attributes: {{actions: [{{key: user.id, action: {action}}}]}}\n"));
            report.findings.iter().find(|found| found.component == "attributes").unwrap().instead.clone()
        };
        for action in ["upsert, value: x", "update, value: x"] {
            assert!(advice(action).contains("`insert` changes nothing"), "{action}");
        }
        for action in ["delete", "hash", "extract, pattern: '^(?P<a>.*)$'", "convert, converted_type: string"] {
            assert!(!advice(action).contains("`insert`"), "{action}: {}", advice(action));
        }
    }
}
