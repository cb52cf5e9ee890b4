//! Stories over records made by hand. The expected texts in `tests/golden/story` were read aloud before they were accepted.

use super::*;
use crate::query::collapse::collapse;
use crate::query::fixtures::hit;

fn story_of(records: &str, asked: &str, key: KeySource) -> Story {
    let hits = collapse(records.lines().enumerate().map(|(i, line)| hit(i as u64, line)).collect());
    tell(&hits, asked, Trust { key, complete: true, flags: " --config audit.yaml" })
}

macro_rules! golden {
    ($name:ident, $asked:expr, $key:expr) => {
        #[test]
        fn $name() {
            let file = concat!("../../../tests/golden/story/", stringify!($name));
            let records = include_str!(concat!("../../../tests/golden/story/", stringify!($name), ".jsonl"));
            let text = story_of(records, $asked, $key).to_text(90);
            if option_env!("SPANSEAL_BLESS").is_some() {
                let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/query/story").join(format!("{file}.txt"));
                std::fs::write(path, &text).unwrap();
                return;
            }
            assert_eq!(text, include_str!(concat!("../../../tests/golden/story/", stringify!($name), ".txt")));
        }
    };
}

golden!(credit, "22222222222222222222222222222222", KeySource::Pinned);
golden!(bare, "55555555555555555555555555555555", KeySource::Unpinned);
golden!(agent, "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", KeySource::Configured);
golden!(several, "case-7", KeySource::Pinned);

/// One decision told by a span and by a log is one decision.
#[test]
fn two_records_of_one_decision_are_not_two_decisions() {
    let record = |id: &str, trace: &str| {
        format!(
            r#"{{"decision":{{"id":"d","outcome":"no"}},"id":"{id}","kind":"decision","schema":"spanseal.record/1","source":{{"service":"s"}},"time":{{"start":"2026-11-20T10:00:00.000000000Z"}}{trace}}}"#
        )
    };
    let in_trace = |t: &str| format!(r#","trace":{{"trace_id":"{t}"}}"#);
    let short = |records: &[String]| story_of(&records.join("\n"), "d", KeySource::Pinned).sections[0].items.clone();
    assert_eq!(short(&[record("1", &in_trace("a")), record("2", "")]).len(), 1);
    assert_eq!(short(&[record("1", &in_trace("a")), record("2", &in_trace("b"))]).len(), 3, "the beginning, and two decisions");
}

/// Whoever reads only the beginning must know that it may not be all.
#[test]
fn an_incomplete_story_says_so_at_once() {
    let hits = [hit(0, include_str!("../../../tests/golden/story/bare.jsonl").trim_end())];
    let story = tell(&hits, "x", Trust { key: KeySource::Pinned, complete: false, flags: "" });
    assert!(matches!(&story.sections[0].items[0], Item::Text(text) if text.contains("could not be read")));
}
