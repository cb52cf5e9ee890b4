//! What a reader may rely on in this repository, held by a test instead of by memory: which folder may import which, that pure code is
//! pure, where things lie, and what is not in any file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A source line that counts: its place and its text without comments.
struct Line {
    place: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of the project: not what is built, not what git keeps, not the recordings of others, not what a run leaves behind.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let left_behind = name.starts_with("spanseal-data") || name.starts_with("spanseal-demo") || name.ends_with(".key");
            if matches!(name.as_str(), "target" | ".git" | "corpus" | "artifacts") || left_behind {
                continue;
            }
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    assert!(found.len() > 50, "the project was not found");
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

fn with_extension<'a>(files: &'a [PathBuf], extensions: &'a [&str]) -> impl Iterator<Item = (String, String)> + 'a {
    let wanted = |p: &&PathBuf| p.extension().and_then(|e| e.to_str()).is_some_and(|e| extensions.contains(&e));
    files.iter().filter(wanted).map(|p| (relative(p), std::fs::read_to_string(p).unwrap_or_else(|e| panic!("{}: {e}", p.display()))))
}

/// Lines of `src/<folder>` that are in the product: no comments, no tests.
fn product_lines(folder: &str) -> Vec<Line> {
    let files = files();
    let sources: Vec<(String, String)> = with_extension(&files, &["rs"]).collect();
    let prefix = format!("src/{folder}/");
    let single = format!("src/{folder}.rs");
    let tests = test_modules(&sources);
    let mut lines = Vec::new();
    for (name, text) in sources.iter().filter(|(name, _)| name.starts_with(&prefix) || *name == single) {
        if tests.iter().any(|t| name == &format!("{t}.rs") || name.starts_with(&format!("{t}/"))) {
            continue;
        }
        for (number, line) in product_part(text).lines().enumerate() {
            let text = line.split("//").next().unwrap_or_default().trim().to_owned();
            if !text.is_empty() {
                lines.push(Line { place: format!("{name}:{}", number + 1), text });
            }
        }
    }
    lines
}

/// A file up to its tests, which stand last.
fn product_part(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().copied().unwrap_or_default();
        if line.trim() == "#[cfg(test)]" && next.contains("mod ") && next.trim_end().ends_with('{') {
            break;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// Paths (without extension) of modules that exist in tests only, as their parents declare them.
fn test_modules(sources: &[(String, String)]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, text) in sources {
        let folder = name.strip_suffix("/mod.rs").or_else(|| name.strip_suffix("/lib.rs")).or_else(|| name.strip_suffix(".rs")).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            let declared = pair[1].strip_suffix(';').and_then(|l| l.rsplit_once("mod ")).map(|(_, module)| module);
            found.extend(declared.map(|module| format!("{folder}/{module}")));
        }
    }
    found
}

fn names_module(text: &str, module: &str) -> bool {
    text.contains(&format!("crate::{module}::"))
        || text.contains(&format!("crate::{module};"))
        || text.contains(&format!("spanseal::{module}::"))
}

/// Code that turns bytes into meaning does no input or output and reads no clock: everything it knows came in as an argument. Addresses as
/// values (`std::net::Ip...`) are no output.
#[test]
fn pure_folders_are_pure() {
    let forbidden =
        ["std::fs", "std::net", "std::env", "std::process", "std::thread", "tokio::", "SystemTime", "Instant::now", "reqwest", "hyper::"];
    let mut found = Vec::new();
    for folder in ["otlp", "record", "tlog", "timestamp", "promote", "retain", "lint", "collector"] {
        let lines = product_lines(folder);
        assert!(!lines.is_empty(), "src/{folder} was not read");
        let bad = |l: &&Line| forbidden.iter().any(|word| l.text.replace("std::net::Ip", "").contains(word));
        found.extend(lines.iter().filter(bad).map(|l| format!("{}: {}", l.place, l.text)));
    }
    assert!(found.is_empty(), "pure code reaches out:\n{}", found.join("\n"));
}

/// Imports go down the way of a span only; above all, what checks never shares code with what writes.
#[test]
fn imports_go_one_way() {
    let above = |folder: &'static str, never: &'static [&'static str]| (folder, never);
    let rules = [
        above("otlp", &["record", "promote", "vault", "retain", "seal", "tlog", "worm", "receive", "verify", "query", "config", "serve"]),
        above("record", &["promote", "vault", "seal", "receive", "verify", "query", "config", "serve"]),
        above("retain", &["promote", "vault", "seal", "receive", "verify", "query", "config", "serve"]),
        above("tlog", &["promote", "vault", "retain", "seal", "receive", "verify", "query", "config", "serve"]),
        above("worm", &["otlp", "record", "promote", "vault", "seal", "tlog", "receive", "verify", "query", "config", "serve"]),
        above("vault", &["promote", "seal", "tlog", "receive", "verify", "query", "config", "serve"]),
        above("promote", &["seal", "worm", "receive", "verify", "query", "serve"]),
        above("seal", &["promote", "witness", "receive", "verify", "query", "config", "serve"]),
        above("receive", &["worm", "verify", "query", "serve"]),
        above("timestamp", &["worm", "otlp", "record", "seal", "stamping", "verify", "query", "config", "serve"]),
        above("stamping", &["receive", "promote", "vault", "verify", "query", "config", "serve"]),
        above("verify", &["seal", "stamping", "witness", "receive", "promote", "vault", "query", "config", "serve"]),
        above("witness", &["receive", "promote", "vault", "verify", "query", "config", "serve"]),
        above("lint", &["vault", "seal", "tlog", "worm", "receive", "verify", "query", "config", "serve", "commands"]),
        above("collector", &["vault", "seal", "tlog", "worm", "receive", "verify", "query", "serve", "commands"]),
        above("query", &["seal", "receive", "promote", "verify", "config", "serve"]),
    ];
    let mut found = Vec::new();
    for (folder, never) in rules {
        for line in product_lines(folder) {
            if let Some(module) = never.iter().find(|module| names_module(&line.text, module)) {
                found.push(format!("{}: {folder} must not import {module}: {}", line.place, line.text));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Extensions of files that people write.
const WRITTEN: [&str; 11] = ["rs", "toml", "yaml", "yml", "md", "sh", "py", "mjs", "json", "proto", "txt"];

/// What people write is ASCII: no look-alike characters, no invisible ones.
#[test]
fn sources_are_ascii() {
    let files = files();
    let mut found = Vec::new();
    for (name, text) in with_extension(&files, &["rs", "toml", "sh", "py", "mjs", "yaml", "proto"]) {
        found.extend(text.lines().enumerate().filter(|(_, l)| !l.is_ascii()).map(|(n, l)| format!("{name}:{}: {l}", n + 1)));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// No file knows a machine it was written on, nor from where packages come: the ordinary clients know that.
#[test]
fn no_machine_and_no_registry_is_named() {
    // In pieces, so that this file does not find itself.
    let folders = ["wor|k", "roo|t", "far|m", "tm|p"].map(|f| format!("/{}/", f.replace('|', "")));
    let hosts = ["crates|.io", "pypi|.org", "files.python|hosted.org", "registry.npm|js.org", "proxy.golang|.org", "sum.golang|.org"]
        .map(|h| h.replace('|', ""));
    let files = files();
    let mut found = Vec::new();
    for (name, text) in with_extension(&files, &WRITTEN).chain(extensionless(&files)) {
        for (number, line) in text.lines().enumerate() {
            let follows = |at: &str| line.split(at).skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
            if folders.iter().any(|f| follows(f)) || hosts.iter().any(|h| line.contains(h.as_str())) {
                found.push(format!("{name}:{}: {line}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Scripts and dotfiles without an extension.
fn extensionless(files: &[PathBuf]) -> impl Iterator<Item = (String, String)> + '_ {
    let script = |p: &&PathBuf| p.extension().is_none();
    files.iter().filter(script).filter_map(|p| Some((relative(p), std::fs::read_to_string(p).ok()?)))
}

/// The top level holds what the reader expects and what a tool demands there, nothing else.
#[test]
fn the_top_level_is_short() {
    const ALLOWED: [&str; 20] = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "proto",
        "collector-config",
        "tests",
        "README.md",
        "LICENSE",
        "build.rs",
        ".ci",
        ".cargo",
        ".config",
        ".gitignore",
        ".gitattributes",
        ".clippy.toml",
        "rustfmt.toml",
        "deny.toml",
        "rust-toolchain.toml",
        ".dockerignore",
        ".editorconfig",
    ];
    let tops: BTreeSet<String> = files().iter().map(|p| relative(p).split('/').next().unwrap().to_owned()).collect();
    let more: Vec<_> = tops.iter().filter(|t| !ALLOWED.contains(&t.as_str())).collect();
    assert!(more.is_empty(), "{more:?}");
}

/// What is known to be missing is said where it is missing, in one form that can be searched for, with its consequence.
#[test]
fn known_gaps_are_written_in_one_form() {
    let files = files();
    let mut found = Vec::new();
    for (name, text) in with_extension(&files, &["rs", "sh", "py", "mjs"]).filter(|(name, _)| name != "tests/tidy.rs") {
        for (number, line) in text.lines().enumerate() {
            let unfinished =
                ["TODO", "FIXME", "XXX", "HACK"].iter().any(|word| line.split(|c: char| !c.is_ascii_alphanumeric()).any(|w| w == *word));
            let gap = line.to_lowercase().contains("known gap") && !line.contains("KNOWN GAP: ");
            let says_little = line.split_once("KNOWN GAP: ").is_some_and(|(_, rest)| rest.len() < 20);
            if unfinished || gap || says_little {
                found.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Tests wait for conditions, not for time; where the clock of the runtime is paused, sleeping is a condition.
#[test]
fn tests_do_not_sleep() {
    let files = files();
    let mut found = Vec::new();
    for (name, text) in with_extension(&files, &["rs"]).filter(|(name, _)| name.starts_with("tests/") && name != "tests/tidy.rs") {
        let paused = text.contains("start_paused");
        let sleeps = |l: &str| l.contains("thread::sleep(") || (l.contains("time::sleep(") && !paused);
        found.extend(text.lines().enumerate().filter(|(_, l)| sleeps(l)).map(|(n, l)| format!("{name}:{}: {}", n + 1, l.trim())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// No test is switched off; one that another test runs in a process of its own says so.
#[test]
fn no_test_is_ignored() {
    let files = files();
    let mark = ["#[ign", "ore"].concat();
    let by_another = [mark.as_str(), " = \"run by "].concat();
    let mut found = Vec::new();
    for (name, text) in with_extension(&files, &["rs"]) {
        let off = |l: &str| l.contains(&mark) && !l.contains(&by_another);
        found.extend(text.lines().enumerate().filter(|(_, l)| off(l)).map(|(n, _)| format!("{name}:{}", n + 1)));
    }
    assert!(found.is_empty(), "{found:?}");
}
