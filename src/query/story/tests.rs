//! Stories over records made by hand. The expected texts in `tests/golden/story` were read aloud before they were accepted.

use super::*;
use crate::query::collapse::collapse;
use crate::query::fixtures::hit;

fn story_of(records: &str, asked: &str, key: KeySource) -> Story {
    let hits = collapse(records.lines().enumerate().map(|(i, line)| hit(i as u64, line)).collect());
    tell(&hits, asked, Trust { key, complete: true })
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
