//! `spanseal retention presets`: what laws and standards say about keeping such records, with the source.

use std::fmt::Write;
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};

use crate::cli::{PresetsArgs, TableOrJson};
use crate::commands::{output, read};
use crate::promote::rules::{distance, nearest};
use crate::query::story::paragraph;
use crate::record::canonical::Json;
use crate::retain::presets::{PRESETS, Preset, Scope};

/// Width where there is no terminal to ask.
const WIDTH: usize = 160;
/// Narrower than this a table of words is unreadable.
const WIDTH_MIN: usize = 72;

/// What no preset says by itself.
const NOT_LAWYERS: &str = "A preset sets how long records are kept and how strongly. It is no legal advice and makes nobody compliant: records \
                           give evidence, and what your duties are somebody has to say who knows them.";

pub(super) fn run(args: &PresetsArgs) -> anyhow::Result<ExitCode> {
    let Some(id) = &args.id else {
        match args.format {
            TableOrJson::Table => output::answer(&table(read::width()))?,
            TableOrJson::Json => output::answer_json(&format!("{}\n", Json::Array(PRESETS.iter().map(json).collect()).to_jcs_string()))?,
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(preset) = Preset::find(id) else {
        let near = near(id).map_or_else(String::new, |near| format!("the nearest is `{near}`, and "));
        output::tell(&format!("no preset is called `{id}`; {near}`spanseal retention presets` lists them"));
        return Ok(ExitCode::from(1));
    };
    match args.format {
        TableOrJson::Table => output::answer(&explained(preset, read::width().unwrap_or(WIDTH).max(WIDTH_MIN)))?,
        TableOrJson::Json => output::answer_json(&format!("{}\n", json(preset).to_jcs_string()))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A preset whose name begins so, or differs in no more than half of its characters: what is further off is nobody's slip.
fn near(id: &str) -> Option<&'static str> {
    let begins = PRESETS.iter().map(|preset| preset.id).find(|known| id.chars().count() > 2 && known.starts_with(id));
    let nearest = || nearest(id, PRESETS.iter().map(|preset| preset.id));
    begins.or_else(|| Some(nearest()).filter(|known| distance(id, known) * 2 <= id.chars().count()))
}

fn checked(preset: &Preset) -> &'static str {
    if preset.checked { "yes" } else { "no" }
}

fn table(width: Option<usize>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width.unwrap_or(WIDTH).max(WIDTH_MIN)).unwrap_or(u16::MAX));
    table.set_header(["preset", "law and place", "at least", "suggested", "applies from", "checked"]);
    for preset in PRESETS {
        let suggested = match (preset.scope, preset.suggested) {
            (Scope::Evidence, Some(period)) => format!("{period} {}", preset.mode.as_str()),
            (Scope::Evidence, None) => "name a period".to_owned(),
            (Scope::Content, _) => "limits content".to_owned(),
            (Scope::Hold, _) => "a hold, no class".to_owned(),
        };
        let law = format!("{}: {}", preset.law, preset.article);
        table.add_row([preset.id, &law, preset.minimum.unwrap_or("-"), &suggested, preset.applies_from, checked(preset)]);
    }
    format!("{table}\n\nchecked: no = not held against the primary text. `spanseal retention presets --id ID` says more.\n{NOT_LAWYERS}\n")
}

fn explained(preset: &Preset, width: usize) -> String {
    let mut out = format!("{}\n\n", preset.id);
    let mut row = |name: &str, text: &str| {
        let lines = paragraph(text, width.saturating_sub(18));
        for (i, line) in lines.lines().enumerate() {
            let name = if i == 0 { name } else { "" };
            // Writing into a text cannot fail.
            let _ = writeln!(out, "  {name:<14} {line}");
        }
    };
    row("law", preset.law);
    row("place", preset.article);
    row("clock starts", preset.trigger);
    row("at least", preset.minimum_says);
    match preset.scope {
        Scope::Evidence => {
            row(
                "suggested",
                &preset.suggested.map_or_else(
                    || format!("no period: name one; {}", preset.mode.as_str()),
                    |period| format!("{period}, {}", preset.mode.as_str()),
                ),
            );
            preset.why_so_long().iter().chain([&preset.why_that_mode()]).for_each(|why| row("why", why));
            row("records", preset.when.unwrap_or("all; narrow it with `when`"));
            row("why", preset.why_those_records());
            row("look for", &preset.fields.join(", "));
        }
        Scope::Content => row("here", "no class: it limits how long content is kept (content.vault.retention)"),
        Scope::Hold => row("here", "no class: spanseal hold place, list, release"),
    }
    row("applies from", preset.applies_from);
    row("as of", preset.as_of);
    row("source", preset.source);
    row(
        "checked",
        if preset.checked {
            "yes, seen in the source on that day"
        } else {
            "no: not held against the primary text; do that before you rely on it"
        },
    );
    for remark in preset.remarks {
        row("note", remark);
    }
    if preset.scope == Scope::Evidence && !preset.from_record {
        row(
            "note",
            "Locks count from the moment of sealing, which is not when this clock starts. When that date is known, extend the locks of these \
             records.",
        );
    }
    if preset.scope == Scope::Evidence {
        let period = if preset.suggested.is_none() { ", period: 7y" } else { "" };
        let _ = write!(out, "\nTo use it:\n\n  retention:\n    presets:\n      - {{id: {}{period}}}\n", preset.id);
    }
    let _ = write!(out, "\n{}\n", paragraph(NOT_LAWYERS, width).replace("\n ", "\n").trim_start());
    out
}

fn json(preset: &Preset) -> Json {
    let text = |name: &str, value: &str| (name.to_owned(), Json::string(value));
    let list = |name: &str, values: &[&str]| (name.to_owned(), Json::Array(values.iter().map(|value| Json::string(*value)).collect()));
    let mut members = vec![
        text("id", preset.id),
        text("law", preset.law),
        text("article", preset.article),
        text(
            "scope",
            match preset.scope {
                Scope::Evidence => "evidence",
                Scope::Content => "content",
                Scope::Hold => "hold",
            },
        ),
        text("trigger", preset.trigger),
        ("from_record".to_owned(), Json::Bool(preset.from_record)),
        text("minimum_says", preset.minimum_says),
        text("mode", preset.mode.as_str()),
        list("fields", preset.fields),
        text("as_of", preset.as_of),
        text("applies_from", preset.applies_from),
        text("source", preset.source),
        ("checked".to_owned(), Json::Bool(preset.checked)),
        list("remarks", preset.remarks),
    ];
    if preset.scope == Scope::Evidence {
        members.extend(preset.why_so_long().map(|why| text("suggested_because", &why)));
        members.extend([text("mode_because", &preset.why_that_mode()), text("when_because", preset.why_those_records())]);
    }
    for (name, value) in [("minimum", preset.minimum), ("suggested", preset.suggested), ("when", preset.when)] {
        members.extend(value.map(|value| text(name, value)));
    }
    Json::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantee: each default of a preset comes with its reason, and "the source names it" is said of the least alone.
    #[test]
    fn every_default_says_why() {
        for preset in PRESETS.iter().filter(|preset| preset.scope == Scope::Evidence) {
            // As one line: where the words break says nothing.
            let told = explained(preset, 1000);
            let json = json(preset);
            let why = |name: &str| json.get(name).and_then(Json::as_str);
            assert_eq!(why("suggested_because").is_some(), preset.suggested.is_some(), "{told}");
            for name in ["suggested_because", "mode_because", "when_because"] {
                assert!(why(name).is_none_or(|why| told.contains(why)), "{name}: {told}");
            }
            assert!(
                why("mode_because").is_some_and(|why| why.starts_with(preset.mode.as_str())) && why("when_because").is_some(),
                "{told}"
            );
        }
        let so_long = |id: &str| Preset::find(id).unwrap().why_so_long().unwrap();
        assert_eq!(so_long("sec-17a4-6y"), "6y: it is the least that is named above (6y)");
        assert_eq!(so_long("us-ecoa-25m"), "5y: spanseal's own choice, above the least (25mo); the source names no such period");
        assert_eq!(so_long("iso-42001"), "36mo: spanseal's own choice; the source names no period");
        assert!(so_long("dora-5y").contains("what others use"));
    }

    #[test]
    fn every_preset_is_told_in_a_table_alone_and_for_machines() {
        let table = table(Some(120));
        for preset in PRESETS {
            assert!(table.contains(preset.id.split('-').next().unwrap()), "{}", preset.id);
            let told = explained(preset, 80);
            for part in [preset.as_of, preset.source] {
                assert!(told.contains(part), "{told}");
            }
            assert!(told.lines().all(|line| line.chars().count() <= 100), "{told}");
            assert_eq!(told.contains("To use it"), preset.scope == Scope::Evidence, "{told}");
            assert!(Json::parse(json(preset).to_jcs_string().as_bytes()).is_ok());
        }
        let unchecked = explained(Preset::find("sec-17a4-6y").unwrap(), 80);
        assert!(unchecked.contains("no: not held against the primary text"), "{unchecked}");
    }
}
