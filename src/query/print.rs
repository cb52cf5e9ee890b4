//! Answers for people and machines: a table, one JSON array, the sealed lines, a spreadsheet's CSV.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::story::{clean, in_a_cell, is_done, out_of_range};
use super::{Again, Hit, Sameness, Standing};
use crate::govern::decrees::Entry;
use crate::record::canonical::{Json, write_string};

/// A column of the table and of the CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Time,
    Kind,
    Service,
    Model,
    Outcome,
    Confidence,
    Target,
    Reason,
    Record,
    Seal,
}

impl Column {
    const ALL: [Column; 10] = [
        Column::Time,
        Column::Kind,
        Column::Service,
        Column::Model,
        Column::Outcome,
        Column::Confidence,
        Column::Target,
        Column::Reason,
        Column::Record,
        Column::Seal,
    ];
    /// What a narrow terminal does without, first to last. Time, kind, outcome, what an act was done to and the record's id always stay.
    const DROPPED: [Column; 5] = [Column::Service, Column::Model, Column::Seal, Column::Confidence, Column::Reason];

    fn head(self) -> &'static str {
        match self {
            Column::Time => "time (UTC)",
            Column::Kind => "kind",
            Column::Service => "service",
            Column::Model => "model",
            Column::Outcome => "outcome",
            Column::Confidence => "confidence",
            Column::Target => "matter or target",
            Column::Reason => "reason",
            Column::Record => "record",
            Column::Seal => "seal",
        }
    }

    fn cell(self, hit: &Hit, logs: usize) -> String {
        let text = |path: &str| hit.text(path).map(clean);
        let number = |path: &str| hit.record.path(path).map(Json::to_jcs_string);
        let cell = match self {
            Column::Time => hit.time().map(|t| t.rfc3339().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()),
            Column::Kind if !hit.is_known() => Some(format!("? ({})", text("schema").unwrap_or_else(|| "no schema".to_owned()))),
            Column::Kind => text("kind"),
            Column::Service => text("source.service"),
            Column::Model => model(text("model.id").or_else(|| text("model.requested")), text("model.version")),
            Column::Outcome => outcome(hit),
            Column::Confidence => number("confidence.score").map(|score| {
                let odd = if out_of_range(hit, "confidence.score").is_some() { " (out of range)" } else { "" };
                match number("confidence.threshold") {
                    Some(threshold) => format!("{score} of {threshold}{odd}"),
                    None => format!("{score}{odd}"),
                }
            }),
            Column::Target => text("control.target"),
            Column::Reason => text("control.ground"),
            Column::Record => {
                let conflict = if hit.standing == Standing::Conflict { " (contradicted)" } else { "" };
                let again = if is_unsure(hit) { " (sealed again)" } else { "" };
                Some(format!("{}{conflict}{again}", text("id").unwrap_or_else(|| "-".to_owned())))
            }
            Column::Seal => {
                let index = hit.place.seal.statement.index.to_string();
                Some(if logs > 1 { format!("{}/{index}", hit.place.log) } else { index })
            }
        };
        cell.unwrap_or_default()
    }
}

/// A model by its id, and by its version where that says more.
fn model(id: Option<String>, version: Option<String>) -> Option<String> {
    match (id, version) {
        (Some(id), Some(version)) if id != version => Some(format!("{id} ({version})")),
        (id, version) => id.or(version),
    }
}

fn outcome(hit: &Hit) -> Option<String> {
    let text = |path: &str| hit.text(path).map(clean);
    let first = |paths: &[&str]| paths.iter().find_map(|path| text(path));
    let is_review = hit.text("kind") == Some("review");
    let before = text("review.original_outcome").filter(|_| is_overridden(hit)).or_else(|| text("decision.outcome").filter(|_| !is_review));
    if let (Some(from), Some(to)) = (&before, text("review.final_outcome"))
        && (*from != to || is_overridden(hit))
    {
        return Some(format!("{from} -> {to}"));
    }
    // What a reviewer was only asked has no outcome of the reviewer's, whatever decision it names.
    match is_review {
        true if is_done(hit) => first(&["review.final_outcome", "review.decision", "decision.outcome", "review.status"]),
        true => text("review.status"),
        false => first(&[
            "review.final_outcome",
            "decision.outcome",
            "review.decision",
            "guardrail.outcome",
            "action.status",
            "evaluation.label",
            "control.act",
        ])
        .or_else(|| in_a_cell(hit))
        .map(|said| match step(hit) {
            // The same act tells of a part and of the end.
            Some("apply") if said == "extended" => "extended (in part)".to_owned(),
            Some("close") if said == "extended" => "extended (to its end)".to_owned(),
            _ => said,
        }),
    }
}

/// Which step of a hold or an extension a record tells of.
fn step(hit: &Hit) -> Option<&'static str> {
    Entry::of(&hit.record)?.ok().map(|entry| entry.step.as_str())
}

fn is_overridden(hit: &Hit) -> bool {
    matches!(hit.record.path("review.overridden"), Some(Json::Bool(true)))
}

/// A table as wide as the terminal allows (`None`: not a terminal, all columns at full width). Ends with a newline; empty without hits.
pub fn table(hits: &[Hit], width: Option<usize>) -> String {
    if hits.is_empty() {
        return String::new();
    }
    let mut logs: Vec<&str> = hits.iter().map(|h| h.place.log.as_str()).collect();
    logs.sort_unstable();
    logs.dedup();
    // Columns in which nothing stands say nothing.
    let mut columns: Vec<(Column, Vec<String>)> = Column::ALL
        .into_iter()
        .map(|column| (column, hits.iter().map(|hit| column.cell(hit, logs.len())).collect::<Vec<_>>()))
        .filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty()))
        .collect();
    let needed = |columns: &[(Column, Vec<String>)]| columns.iter().map(|(c, cells)| width_of(*c, cells) + 2).sum::<usize>();
    for dropped in Column::DROPPED {
        if width.is_some_and(|width| needed(&columns) > width) {
            columns.retain(|(column, _)| *column != dropped);
        }
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|(column, _)| column.head()));
    for row in 0..hits.len() {
        table.add_row(columns.iter().map(|(_, cells)| cells.get(row).map_or("", String::as_str)));
    }
    for (column, (_, cells)) in table.column_iter_mut().zip(&columns) {
        let longest = cells.iter().map(|c| c.chars().count()).max().unwrap_or(0);
        // One wild value must not push all others off the screen.
        if longest > CELL_MAX {
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(CELL_MAX_U16)));
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

/// Longest cell before it wraps, in characters.
const CELL_MAX: usize = 48;
const CELL_MAX_U16: u16 = 48;

fn width_of(column: Column, cells: &[String]) -> usize {
    cells.iter().map(|c| c.chars().count()).chain([column.head().len()]).max().unwrap_or(0).min(CELL_MAX)
}

/// Whether a record was sealed again, and is not known to be the same by the same sender.
fn is_unsure(hit: &Hit) -> bool {
    hit.same_content().is_none() || hit.from_others().next().is_some()
}

/// What to say beside an answer that tells records once which were sealed again, and may not have said the same, or came from others.
pub fn sealed_again(hits: &[Hit]) -> Vec<String> {
    let counted = |many: usize| match many {
        1 => "1 record was".to_owned(),
        many => format!("{many} records were"),
    };
    let of = |is: &dyn Fn(&Again) -> bool| hits.iter().filter(|hit| hit.copies.iter().any(is)).count();
    let mut notes = Vec::new();
    match of(&|again| again.sameness == Sameness::Unread) {
        0 => {}
        many => notes.push(format!(
            "note: {} sealed again under an equal line, and told once here; what was said lies in the vault, and the line does not show \
             whether it was the same each time: `--content --format json` compares it, or `spanseal show --content`",
            counted(many)
        )),
    }
    match of(&|again| matches!(again.sameness, Sameness::Untold(_))) {
        0 => {}
        many => notes.push(format!(
            "note: {} sealed again under an equal line, and told once here; whether it said the same each time cannot be told: see \
             `sealed_again`",
            counted(many)
        )),
    }
    match hits.iter().filter(|hit| hit.from_others().next().is_some()).count() {
        0 => {}
        many => notes.push(format!(
            "note: {} sent by several senders, and told once here: `--format json` names each (`sealed_again`), and so does `spanseal show`",
            counted(many)
        )),
    }
    notes
}

/// Where a record was sealed again, and whether it is known to have said the same then.
pub fn copies(hit: &Hit) -> Json {
    let same = |same: Option<bool>| same.map_or(Json::Null, Json::Bool);
    let again = hit.copies.iter().map(|again| {
        let place = &again.hit.place;
        let mut members = vec![
            ("log", Json::string(&place.log)),
            ("seal", number(place.seal.statement.index)),
            ("segment", Json::string(&place.segment.key)),
            ("leaf_index", number(place.leaf_index)),
            ("peer", again.hit.record.path("source.peer").cloned().unwrap_or(Json::Null)),
            ("same_content", same(again.same_content())),
        ];
        if let Sameness::Untold(why) = &again.sameness {
            members.push(("meaning", Json::string(why)));
        }
        Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    });
    let again = Json::Array(again.collect());
    let many = number(u64::try_from(hit.copies.len()).unwrap_or(u64::MAX));
    Json::object([("copies", many), ("same_content", same(hit.same_content())), ("sealed_again", again)])
}

/// A count or a place; one that no double holds for certain as text.
pub fn number(n: u64) -> Json {
    u32::try_from(n).map_or_else(|_| Json::String(n.to_string()), |n| Json::Number(f64::from(n)))
}

/// One array of `{record, seal, segment, leaf_index}`, where else it was sealed ([`copies`]), and the proof where there is one. The record is the sealed line itself.
pub fn json(hits: &[Hit], more: &[(&str, &[Json])]) -> Vec<u8> {
    let mut out = b"[".to_vec();
    for (i, hit) in hits.iter().enumerate() {
        out.extend_from_slice(if i == 0 { b"\n" } else { b",\n" });
        out.extend_from_slice(b"{\"record\":");
        out.extend_from_slice(&hit.line);
        out.extend_from_slice(format!(",\"seal\":{},\"segment\":", hit.place.seal.statement.index).as_bytes());
        write_string(&mut out, &hit.place.segment.key);
        out.extend_from_slice(format!(",\"leaf_index\":{},\"log\":", hit.place.leaf_index).as_bytes());
        write_string(&mut out, &hit.place.log);
        if !hit.copies.is_empty() {
            for (name, value) in copies(hit).as_object().unwrap_or_default() {
                out.extend_from_slice(format!(",\"{name}\":").as_bytes());
                value.write_jcs(&mut out);
            }
        }
        if hit.standing == Standing::Conflict {
            out.extend_from_slice(b",\"conflict\":true");
        }
        for (name, value) in more.iter().filter_map(|(name, of_hits)| Some((name, of_hits.get(i)?))) {
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            value.write_jcs(&mut out);
        }
        out.push(b'}');
    }
    out.extend_from_slice(if hits.is_empty() { b"]\n" } else { b"\n]\n" });
    out
}

/// The sealed lines, byte for byte.
pub fn jsonl(hits: &[Hit]) -> Vec<u8> {
    let mut out = Vec::with_capacity(hits.iter().map(|h| h.line.len() + 1).sum());
    for hit in hits {
        out.extend_from_slice(&hit.line);
        out.push(b'\n');
    }
    out
}

/// Columns of the CSV by name and path; what the table shows and what joins it to other tables.
const CSV: &[(&str, &str)] = &[
    ("time_start", "time.start"),
    ("time_end", "time.end"),
    ("time_received", "time.received"),
    ("kind", "kind"),
    ("service", "source.service"),
    ("service_namespace", "source.service_namespace"),
    ("model_provider", "model.provider"),
    ("model_id", "model.id"),
    ("model_version", "model.version"),
    ("prompt_name", "prompt.name"),
    ("prompt_version", "prompt.version"),
    ("prompt_hash", "prompt.hash"),
    ("decision_id", "decision.id"),
    ("decision_type", "decision.type"),
    ("decision_outcome", "decision.outcome"),
    ("confidence_score", "confidence.score"),
    ("confidence_method", "confidence.method"),
    ("confidence_threshold", "confidence.threshold"),
    ("confidence_threshold_met", "confidence.threshold_met"),
    ("user_id", "actor.user_id"),
    ("subject_id", "subject.id"),
    ("session_id", "actor.session_id"),
    ("conversation_id", "actor.conversation_id"),
    ("review_status", "review.status"),
    ("review_decision", "review.decision"),
    ("review_overridden", "review.overridden"),
    ("review_original_outcome", "review.original_outcome"),
    ("review_final_outcome", "review.final_outcome"),
    ("reviewer_id", "review.reviewer.id"),
    ("reviewer_role", "review.reviewer.role"),
    ("action_name", "action.name"),
    ("action_status", "action.status"),
    ("retention_class", "retention.class"),
    ("trace_id", "trace.trace_id"),
    ("span_id", "trace.span_id"),
    ("record_id", "id"),
];

/// What an act of spanseal's own is told by, behind all others: who counts columns finds those where they were.
const CSV_ACTS: &[(&str, &str)] = &[
    ("control_act", "control.act"),
    ("control_target", "control.target"),
    ("control_reason", "control.ground"),
    ("control_ticket", "control.ticket"),
    ("control_by", "control.by"),
    ("control_count", "control.count"),
];

/// RFC 4180, with a head line and CRLF.
pub fn csv(hits: &[Hit]) -> String {
    let mut out = String::new();
    let heads = CSV.iter().map(|(head, _)| *head).chain(["conflict", "log", "seal", "segment", "leaf_index"]);
    let heads = heads.chain(CSV_ACTS.iter().map(|(head, _)| *head)).chain(["control_step", "copies", "same_content"]);
    out.push_str(&heads.collect::<Vec<_>>().join(","));
    out.push_str("\r\n");
    for hit in hits {
        let cell = |(_, path): &(&str, &str)| match hit.record.path(path) {
            None => String::new(),
            Some(Json::String(text)) => field(text),
            // A number is no formula, whatever its sign.
            Some(number @ Json::Number(_)) => number.to_jcs_string(),
            Some(other) => field(&other.to_jcs_string()),
        };
        let mut cells: Vec<String> = CSV.iter().map(cell).collect();
        cells.push((hit.standing == Standing::Conflict).to_string());
        cells.push(field(&hit.place.log));
        cells.push(hit.place.seal.statement.index.to_string());
        cells.push(field(&hit.place.segment.key));
        cells.push(hit.place.leaf_index.to_string());
        cells.extend(CSV_ACTS.iter().map(cell));
        cells.push(step(hit).unwrap_or_default().to_owned());
        cells.push(hit.copies.len().to_string());
        let same = match (hit.copies.is_empty(), hit.same_content()) {
            (true, _) => "",
            (false, Some(_)) => "true",
            (false, None) => "unknown",
        };
        cells.push(same.to_owned());
        out.push_str(&cells.join(","));
        out.push_str("\r\n");
    }
    out
}

/// One field. What a terminal or an editor would act on is shown as its number, a line break too. Text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP, "CSV Injection").
fn field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']);
    let text = clean(text);
    let guarded = if formula { format!("'{text}") } else { text };
    if formula || guarded.contains(['"', ',', ';']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::hit;
    use super::*;

    fn credit() -> Vec<Hit> {
        include_str!("../../tests/golden/story/credit.jsonl").lines().enumerate().map(|(i, line)| hit(i as u64, line)).collect()
    }

    #[test]
    fn the_table_fits_the_terminal_and_keeps_what_matters() {
        let wide = table(&credit(), None);
        let expected = [
            " time (UTC)           kind       service         model              outcome               confidence    record                            seal",
            " 2026-11-20 10:00:07  retrieval  credit-scoring                                                         11111111111111111111111111111111  0",
            " 2026-11-20 10:00:08  inference  credit-scoring  gpt-4o-2024-08-06  declined              0.72 of 0.85  22222222222222222222222222222222  1",
            " 2026-11-20 10:04:30  review     credit-scoring                     declined -> approved                33333333333333333333333333333333  2",
            " 2026-11-20 10:05:00  action     credit-scoring                     executed                            44444444444444444444444444444444  3",
        ];
        assert_eq!(wide.lines().collect::<Vec<_>>(), expected, "{wide}");
        let narrow = table(&credit(), Some(100));
        assert!(narrow.lines().all(|l| l.chars().count() <= 100), "{narrow}");
        for word in ["22222222222222222222222222222222", "declined -> approved", "2026-11-20 10:00:08"] {
            assert!(narrow.contains(word), "{narrow}");
        }
        assert!(!narrow.contains("credit-scoring"));
        assert_eq!(table(&[], None), "");
    }

    /// Scenario: a decision that waits for its review, and what was asked of the reviewer. Guarantee: no outcome is shown as the review's
    /// before there is one.
    #[test]
    fn an_outcome_is_shown_where_it_was_given() {
        let cell = |kind: &str, groups: &str| {
            let found = hit(0, &format!(r#"{{"decision":{{"outcome":"declined"}},"id":"1","kind":"{kind}","review":{{{groups}}}}}"#));
            outcome(&found).unwrap_or_default()
        };
        for (kind, review, want) in [
            ("inference", r#""required":true,"status":"pending""#, "declined"),
            ("inference", r#""decision":"rejected","status":"completed""#, "declined"),
            ("inference", r#""final_outcome":"approved","status":"completed""#, "declined -> approved"),
            ("review", r#""status":"pending""#, "pending"),
            ("review", r#""status":"completed""#, "declined"),
            ("review", r#""decision":"rejected","status":"completed""#, "rejected"),
            ("review", r#""final_outcome":"approved","original_outcome":"declined","overridden":true"#, "declined -> approved"),
        ] {
            assert_eq!(cell(kind, review), want, "{kind} {review}");
        }
    }

    /// Scenario: the steps of a hold and of an extension beside a decision. Guarantee: a line alone says of which matter it is, which step, and
    /// why, in the table and in the CSV, where every column stands where it stood; a narrow terminal does without the reason, never without
    /// the matter.
    #[test]
    fn an_act_is_known_by_its_line() {
        let of = |order: &str| {
            format!(r#"{{"id":"M-1","order":"{order},"query":{{"all":"records"}},"since":"2026-11-20T10:00:00Z","through":"3"}}"#)
        };
        let hold = of("hold\"");
        let extension = of("extend\",\"mode\":\"GOVERNANCE\",\"until\":\"2030-01-01T00:00:00Z\"");
        let act = |n: u64, kind: &str, act: &str, (step, of): (&str, &str), ground: &str| {
            let filter = format!(r#"{{"format":"spanseal.decrees/1","step":"{step}","of":{of},"segments":[],"open":[]}}"#);
            let filter = Json::string(&filter).to_jcs_string();
            hit(
                n,
                &format!(
                    r#"{{"control":{{"act":"{act}","count":"2","filter":{filter},{ground}"target":"M-1"}},"id":"{n:032x}","kind":"{kind}","schema":"spanseal.record/1","source":{{"signal":"control"}},"time":{{"start":"2026-11-20T10:00:0{n}.000000000Z"}}}}"#
                ),
            )
        };
        let hits = [
            act(1, "hold", "place", ("open", &hold), r#""ground":"file 12, part 3","#),
            act(2, "retention", "extended", ("apply", &extension), ""),
            act(3, "retention", "extended", ("close", &extension), ""),
        ];
        let wide = table(&hits, None);
        let expected = [
            " time (UTC)           kind       outcome                matter or target  reason           record                            seal",
            " 2026-11-20 10:00:01  hold       place                  M-1               file 12, part 3  00000000000000000000000000000001  1",
            " 2026-11-20 10:00:02  retention  extended (in part)     M-1                                00000000000000000000000000000002  2",
            " 2026-11-20 10:00:03  retention  extended (to its end)  M-1                                00000000000000000000000000000003  3",
        ];
        assert_eq!(wide.lines().collect::<Vec<_>>(), expected, "{wide}");
        let narrow = table(&hits, Some(110));
        assert!(narrow.contains("M-1") && !narrow.contains("file 12") && narrow.lines().all(|l| l.chars().count() <= 110), "{narrow}");
        let csv = csv(&[hits.to_vec(), credit()].concat());
        let lines: Vec<&str> = csv.split("\r\n").collect();
        let at = |name: &str| lines[0].split(',').position(|head| head == name).unwrap();
        assert_eq!((at("record_id"), at("conflict"), at("leaf_index"), at("control_act")), (35, 36, 40, 41), "{csv}");
        assert!(
            lines[1].ends_with(",place,M-1,\"file 12, part 3\",,,2,open,0,") && lines[3].ends_with(",extended,M-1,,,,2,close,0,"),
            "{csv}"
        );
        assert!(lines[4].ends_with(",0,,,,,,,,0,"), "{csv}");
    }

    /// Scenario: a percentage sent as a confidence. Guarantee: it does not stand in the table as if it met its threshold.
    #[test]
    fn a_score_out_of_range_says_so() {
        for (group, want) in [
            (r#"{"score":0.7}"#, "0.7"),
            (r#"{"score":1,"threshold":0.9}"#, "1 of 0.9"),
            (r#"{"score":1.7,"threshold":0.9,"threshold_met":true}"#, "1.7 of 0.9 (out of range)"),
            (r#"{"score":-0.1}"#, "-0.1 (out of range)"),
        ] {
            assert_eq!(Column::Confidence.cell(&hit(0, &format!(r#"{{"confidence":{group},"id":"1","kind":"decision"}}"#)), 1), want);
        }
    }

    #[test]
    fn a_model_is_named_by_id_and_version() {
        let cell = |id: Option<&str>, version: Option<&str>| model(id.map(str::to_owned), version.map(str::to_owned));
        for (id, version, want) in [
            (None, None, None),
            (Some("m"), None, Some("m")),
            (None, Some("1"), Some("1")),
            (Some("m"), Some("m"), Some("m")),
            (Some("m"), Some("2.1"), Some("m (2.1)")),
        ] {
            assert_eq!(cell(id, version).as_deref(), want);
        }
    }

    #[test]
    fn json_holds_the_sealed_bytes_and_the_place() {
        let hits = credit();
        let out = json(&hits, &[]);
        let read = Json::parse(&out).unwrap();
        let second = &read.as_array().unwrap()[1];
        assert_eq!(second.get("record"), Some(&hits[1].record));
        assert_eq!(second.get("seal"), Some(&Json::Number(1.0)));
        assert_eq!(second.get("leaf_index"), Some(&Json::Number(0.0)));
        assert_eq!(second.path("segment").and_then(Json::as_str), Some(hits[1].place.segment.key.as_str()));
        assert_eq!(json(&[], &[]), b"[]\n");
        let proved = json(&hits[..1], &[("proof", &[Json::object([("format", Json::string("spanseal.proof/1"))])])]);
        assert!(Json::parse(&proved).unwrap().as_array().unwrap()[0].path("proof.format").is_some());
    }

    #[test]
    fn jsonl_is_the_lines() {
        assert_eq!(jsonl(&credit()), include_bytes!("../../tests/golden/story/credit.jsonl"));
    }

    #[test]
    fn csv_quotes_and_disarms() {
        for (text, cell) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("a\r\nb", "a\\u{d}\\u{a}b"),
            ("a\u{1b}[31m\u{202e}", "a\\u{1b}[31m\\u{202e}"),
            ("\t=1", "\"'\\u{9}=1\""),
            ("=cmd|'/c calc'!A1", "\"'=cmd|'/c calc'!A1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@x", "\"'@x\""),
        ] {
            assert_eq!(field(text), cell);
        }
        let out = csv(&credit());
        let rows: Vec<&str> = out.split_terminator("\r\n").collect();
        assert_eq!(rows.len(), 5);
        assert!(rows.iter().all(|r| r.split(',').count() == CSV.len() + 5 + CSV_ACTS.len() + 3), "no field here holds a comma");
        assert!(rows[0].contains(",review_overridden,review_original_outcome,review_final_outcome,"));
        assert!(rows[3].contains(",true,declined,approved,"), "{}", rows[3]);
        assert!(rows[2].contains(",declined,0.72,calibrated,0.85,false,"));
    }
}
