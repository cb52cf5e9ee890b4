//! The README's commands are commands of this binary, and the transcript it shows is what the demo prints.
//!
//! Read are fenced blocks: in those marked `sh`, every `spanseal ...` (or `cargo run --release -- ...`) must be a command with those flags
//! and every path must exist; those marked `yaml` that begin with `# spanseal.yaml` must be a configuration; the block after
//! `<!-- transcript:demo -->` is compared with a run of `spanseal demo`, up to ids, hashes, times, ports and sizes.

use std::path::PathBuf;
use std::process::Command;

use crate::support::receiver::{BINARY, Finished};

/// A fenced block: its mark and its lines.
pub(crate) struct Block {
    pub(crate) mark: String,
    pub(crate) line: usize,
    pub(crate) text: Vec<String>,
    /// The last line before it that is not empty.
    pub(crate) before: String,
}

pub(crate) fn readme() -> Vec<Block> {
    let text = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut before = String::new();
    for (number, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(mark), None) => {
                open = Some(Block { mark: mark.trim().to_owned(), line: number + 1, text: Vec::new(), before: before.clone() })
            }
            (Some(_), Some(done)) => blocks.push(done),
            (None, Some(mut block)) => {
                block.text.push(line.to_owned());
                open = Some(block);
            }
            (None, None) if line.trim().is_empty() => {}
            (None, None) => before = line.trim().to_owned(),
        }
    }
    assert!(open.is_none(), "a block of README.md is not closed");
    blocks
}

/// Lines of a block, those that end with a backslash joined with the next.
pub(crate) fn joined(block: &Block) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut continues = false;
    for line in &block.text {
        let (part, goes_on) = line.strip_suffix('\\').map_or((line.as_str(), false), |part| (part, true));
        match lines.last_mut().filter(|_| continues) {
            Some(last) => last.push_str(part),
            None => lines.push(part.to_owned()),
        }
        continues = goes_on;
    }
    lines
}

/// The words after `spanseal` of every command in a line, up to a pipe or a redirection.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.trim().trim_start_matches("$ ");
    let line = line.split(" #").next().unwrap_or_default().replace("cargo run --release -- ", "spanseal ");
    let mut found = Vec::new();
    for part in line.split(['|', ';', '&']) {
        let words: Vec<&str> = part.split_whitespace().skip_while(|w| w.contains('=') && !w.starts_with('-')).collect();
        let [program, rest @ ..] = words.as_slice() else { continue };
        if *program == "spanseal" || program.ends_with("/spanseal") {
            let until = rest.iter().position(|w| w.starts_with('>') || w.starts_with("2>")).unwrap_or(rest.len());
            found.push(rest[..until].iter().map(|w| (*w).to_owned()).collect());
        }
    }
    found
}

fn spanseal(arguments: &[&str]) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(folder.path()).env_remove("SPANSEAL_CONFIG").env_remove("SPANSEAL_STORE");
    Finished::of(command)
}

/// Every command that the README shows exists, with every flag that it shows.
#[test]
fn commands_of_the_readme_exist() {
    let mut checked = 0;
    for block in readme().iter().filter(|b| b.mark == "sh") {
        for words in joined(block).iter().flat_map(|line| commands(line)) {
            let place = format!("README.md, block at line {}: spanseal {}", block.line, words.join(" "));
            let flags: Vec<&str> = words.iter().filter(|w| w.starts_with("--")).map(|w| w.split('=').next().unwrap()).collect();
            let subcommands: Vec<&str> = words
                .iter()
                .map(String::as_str)
                .take_while(|w| w.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !w.starts_with('-'))
                .collect();
            let help = |deep: &[&str]| spanseal(&[deep, &["--help"]].concat());
            let mut depth = subcommands.len().min(2);
            let mut text = help(&subcommands[..depth]);
            // The second word may be a value, not a command.
            if depth == 2 && !text.status.success() {
                depth = 1;
                text = help(&subcommands[..depth]);
            }
            assert!(text.status.success(), "{place}: there is no such command: {text}");
            let has = |flag: &str| text.stdout.split(|c: char| c.is_whitespace() || "[],=".contains(c)).any(|word| word == flag);
            let unknown: Vec<_> = flags.iter().filter(|flag| !has(flag)).collect();
            assert!(unknown.is_empty(), "{place}: no such flags: {unknown:?}");
            checked += 1;
        }
    }
    assert!(checked >= 2, "README.md shows {checked} commands");
}

/// Files that the README names are there: what its links lead to, and what its commands start.
#[test]
fn files_of_the_readme_exist() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("README.md")).unwrap();
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|to| !to.contains("://") && !to.starts_with('#'));
    let blocks = readme();
    let lines = blocks.iter().filter(|b| b.mark == "sh").flat_map(joined);
    let started: Vec<String> = lines.filter_map(|l| l.split_whitespace().next().map(str::to_owned)).filter(|w| w.contains('/')).collect();
    let named: Vec<&str> = links.map(|to| to.split('#').next().unwrap()).chain(started.iter().map(String::as_str)).collect();
    let missing: Vec<_> = named.iter().filter(|file| !root.join(file).exists()).collect();
    assert!(missing.is_empty(), "README.md names files that are not there: {missing:?}");
}

/// Configurations that the README shows are configurations.
#[test]
fn configurations_of_the_readme_load() {
    for block in readme().iter().filter(|b| b.mark == "yaml" && b.text.first().is_some_and(|l| l.starts_with("# spanseal.yaml"))) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("spanseal.yaml");
        std::fs::write(&file, block.text.join("\n")).unwrap();
        let shown = spanseal(&["serve", "--print-config", "--config", &file.display().to_string()]);
        assert!(shown.status.success(), "README.md, block at line {}: {shown}", block.line);
    }
}

/// The transcript in the README is what `spanseal demo` prints today. A line `...` in it stands for any lines.
#[test]
fn the_transcript_of_the_readme_is_true() {
    let blocks = readme();
    let block = blocks.iter().find(|b| b.before == "<!-- transcript:demo -->").expect("README.md shows a transcript of the demo");
    let demo = spanseal(&["demo"]).success();
    let printed: Vec<String> = demo.stdout.lines().chain(demo.stderr.lines()).map(timeless).filter(|l| !l.is_empty()).collect();
    let mut at = 0;
    let mut gap = true;
    for line in block.text.iter().map(|l| l.trim()).filter(|l| !l.is_empty() && !l.starts_with("$ ")) {
        if line == "..." {
            gap = true;
            continue;
        }
        let wanted = timeless(line);
        let found = printed[at..].iter().position(|l| *l == wanted).map(|i| at + i);
        let near = found.filter(|i| gap || *i == at);
        assert!(near.is_some(), "README.md shows a line that the demo does not print there:\n  {line}\nwanted: {wanted}\nprinted:\n{demo}");
        at = near.unwrap() + 1;
        gap = false;
    }
}

/// A line without what differs from run to run: long words (ids, hashes, keys) and every number.
pub(crate) fn timeless(line: &str) -> String {
    const LONGEST_WORD: usize = 24;
    let word = |word: &str| {
        let core = word.trim_matches(|c: char| !c.is_alphanumeric());
        let hex = core.len() >= 8 && core.chars().all(|c| c.is_ascii_hexdigit()) && core.chars().any(|c| c.is_ascii_digit());
        if hex || word.len() > LONGEST_WORD {
            return "#".to_owned();
        }
        let mut out = String::new();
        for c in word.chars() {
            let c = if c.is_ascii_digit() { '0' } else { c };
            if c != '0' || !out.ends_with('0') {
                out.push(c);
            }
        }
        out
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

/// What is read out of a line is what a shell would run.
#[test]
fn commands_are_found_in_lines() {
    let found = |line: &str| commands(line).into_iter().map(|w| w.join(" ")).collect::<Vec<_>>();
    assert_eq!(found("$ spanseal demo"), ["demo"]);
    assert_eq!(found("SPANSEAL_STORE=s3://b/p ./target/release/spanseal serve  # in a shell of its own"), ["serve"]);
    assert_eq!(
        found("spanseal prove 0f1e > proof.json && spanseal check proof.json --vkey KEY"),
        ["prove 0f1e", "check proof.json --vkey KEY"]
    );
    assert_eq!(found("cargo run --release -- demo"), ["demo"]);
    assert_eq!(found("cargo build --release"), Vec::<String>::new());
    assert_eq!(
        timeless("sealed 17 records in seal 0000 at 2026-11-20T10:01:17Z  9f86d081884c7d65"),
        "sealed 0 records in seal 0 at 0-0-0T0:0:0Z #"
    );
}
